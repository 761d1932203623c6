//! Observed values as the screen shows them: text, how far it may be trusted, age, error.
//!
//! What it is for: the one step from [`Observed`] to something that can be painted, so that no pane can
//! show an old value as a present one. What it must not do: colour anything by itself.

use jiff::Timestamp;
use ratatui::style::Style;

use super::format;
use super::pen::fit;
use super::theme::{Mark, Theme};
use crate::app::RegionView;
use crate::domain::topology::Freshness;
use crate::domain::{ErrorKind, Observed, ProbeError};

/// How far a value may be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Trust {
    /// Read lately.
    Fresh,
    /// Nothing was asked because there is nothing to ask, or the answer is that there is no data.
    Absent,
    /// Not asked yet.
    Pending,
    /// Older than it may be.
    Stale,
    /// From the saved baseline.
    Saved,
    /// There is no value, and the error says why.
    Failed,
}

/// A value to paint.
#[derive(Clone, Debug)]
pub struct Value<'a> {
    /// The value in words, or what stands in its place.
    pub text: String,
    /// How far it may be trusted.
    pub trust: Trust,
    /// When it was so.
    pub as_of: Option<Timestamp>,
    /// Why the last attempt failed.
    pub error: Option<&'a ProbeError>,
}

/// What it takes to judge an age.
#[derive(Clone, Copy, Debug)]
pub struct Lens<'a> {
    /// The moment.
    pub now: Timestamp,
    /// How old values may be.
    pub freshness: &'a Freshness,
}

impl<'a> Lens<'a> {
    /// The lens of a region's view.
    pub fn of(view: &RegionView<'a>) -> Self {
        Self { now: view.now, freshness: &view.topology.freshness }
    }

    /// The value in words, or why there is none.
    pub fn show<'v, T>(&self, value: &'v Observed<T>, words: impl FnOnce(&T) -> String) -> Value<'v> {
        let error = value.error();
        let (text, trust) = match (value.reading(), error) {
            (Some(reading), _) if reading.saved => (words(&reading.value), Trust::Saved),
            (Some(reading), _) if value.is_stale(self.now, self.freshness) => {
                (words(&reading.value), Trust::Stale)
            }
            (Some(reading), _) => (words(&reading.value), Trust::Fresh),
            (None, None) => ("…".to_owned(), Trust::Pending),
            (None, Some(error)) => match error.kind {
                ErrorKind::NoData | ErrorKind::NotConfigured => ("–".to_owned(), Trust::Absent),
                kind => (kind.label().to_owned(), Trust::Failed),
            },
        };
        Value { text, trust, as_of: value.as_of(), error }
    }
}

impl Value<'_> {
    /// Words that are not observed but known.
    pub fn known(text: impl Into<String>) -> Self {
        Self { text: text.into(), trust: Trust::Fresh, as_of: None, error: None }
    }

    /// The same with other words, when there is a value.
    pub fn map_text(mut self, f: impl FnOnce(&str) -> String) -> Self {
        if self.has_value() {
            self.text = f(&self.text);
        }
        self
    }

    /// True when `text` is a value and not what stands in its place.
    pub fn has_value(&self) -> bool {
        matches!(self.trust, Trust::Fresh | Trust::Stale | Trust::Saved)
    }

    /// The words within `room` columns. Doubtful values carry a question mark; where an error stands in
    /// place of a number and there is little room, its short name is used.
    pub fn words(&self, room: usize) -> String {
        match (self.trust, self.error) {
            (Trust::Stale | Trust::Saved, _) => {
                let marked = format!("{}?", self.text);
                if super::pen::width(&marked) as usize > room {
                    fit(&squeezed(&marked), room)
                } else {
                    marked
                }
            }
            (Trust::Failed, Some(error)) if super::pen::width(&self.text) as usize > room => {
                fit(short(error.kind), room)
            }
            _ => fit(&self.text, room),
        }
    }

    /// The style that says how far it may be trusted.
    pub fn style(&self, theme: Theme) -> Style {
        match self.trust {
            Trust::Fresh => theme.plain(),
            Trust::Absent | Trust::Pending => theme.quiet(),
            Trust::Stale | Trust::Saved => theme.stale(),
            Trust::Failed => theme.missing(),
        }
    }

    /// The age in steps; `saved 12m` for the baseline.
    pub fn age(&self, now: Timestamp) -> Option<String> {
        let as_of = self.as_of?;
        let age = format::since(as_of, now);
        Some(if self.trust == Trust::Saved { format!("saved {age}") } else { age })
    }
}

/// The mark of values that no finding speaks about: green only when all of them are present.
pub fn mark_of<'v, 'a: 'v>(values: impl IntoIterator<Item = &'v Value<'a>>) -> Mark {
    let (mut fresh, mut pending, mut doubtful) = (false, false, false);
    for value in values {
        match value.trust {
            Trust::Fresh => fresh = true,
            Trust::Pending => pending = true,
            Trust::Stale | Trust::Saved | Trust::Failed => doubtful = true,
            Trust::Absent => {}
        }
    }
    match (doubtful, pending, fresh) {
        (true, ..) => Mark::Unknown,
        (_, true, _) => Mark::Pending,
        (_, _, true) => Mark::Healthy,
        _ => Mark::None,
    }
}

/// Words in less room: a number moves up to its unit. Blanks between words stay, for nobody reads `notinDNS`.
pub(super) fn squeezed(words: &str) -> String {
    let mut before = None;
    words
        .chars()
        .filter(|&c| {
            let after_digit = before.replace(c).is_some_and(|b| b.is_ascii_digit());
            c != ' ' || !after_digit
        })
        .collect()
}

/// An error kind in at most five columns.
pub fn tiny(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "perm",
        ErrorKind::Expired | ErrorKind::NoCredentials => "creds",
        ErrorKind::Throttled => "slow",
        ErrorKind::TimedOut => "t/out",
        ErrorKind::Unreachable => "conn",
        ErrorKind::ServiceDown => "5xx",
        ErrorKind::RegionDisabled => "off",
        ErrorKind::ClockSkew => "skew",
        ErrorKind::NotFound => "gone",
        ErrorKind::Rejected => "no",
        ErrorKind::Malformed => "bad",
        ErrorKind::NoData | ErrorKind::NotConfigured => "–",
    }
}

/// An error kind in at most eight columns.
pub fn short(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "denied",
        ErrorKind::Expired => "expired",
        ErrorKind::NoCredentials => "no creds",
        ErrorKind::Throttled => "throttle",
        ErrorKind::TimedOut => "timeout",
        ErrorKind::Unreachable => "no conn",
        ErrorKind::ServiceDown => "svc 5xx",
        ErrorKind::RegionDisabled => "disabled",
        ErrorKind::ClockSkew => "skew",
        ErrorKind::NotFound => "missing",
        ErrorKind::Rejected => "rejected",
        ErrorKind::Malformed => "garbled",
        ErrorKind::NoData | ErrorKind::NotConfigured => "–",
    }
}
