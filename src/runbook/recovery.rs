//! The recovery point of an unplanned promotion: how much of what users wrote is lost, as far as anybody can tell.
//!
//! What it is for: a run writes tokens of its own through the public name while the old writer may still take them, and
//! looks afterwards which of them are there; this weighs what it found. Where nothing was found, the last replication
//! lag stands in, and is never called measured. What it must not do: write, read, or round a loss down.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::situation::words;
use crate::domain::text::Text;

/// What is known of the recovery point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecoveryPoint {
    /// What our own writes tell.
    #[serde(flatten)]
    pub found: Found,
    /// The last RPO lag that was read before the promotion, milliseconds.
    pub lag_ms: Option<f64>,
    /// How old that was when the promotion was sent.
    pub lag_age: Option<Duration>,
}

/// What our own writes tell.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "found", rename_all = "snake_case")]
pub enum Found {
    /// Some of those before the promotion are there.
    Some {
        /// From the newest that is there to the promotion, or to the last one that is lost: no more than that is lost.
        at_most: Duration,
        /// How many of those before the promotion are there.
        kept: usize,
        /// How many that were accepted are lost.
        lost: usize,
    },
    /// None of them is there.
    None {
        /// From the oldest to the promotion, or to the last one: no less than that is lost.
        at_least: Duration,
        /// How many that were accepted are lost.
        lost: usize,
    },
    /// Nothing was measured.
    Nothing {
        /// Why.
        why: Text,
    },
}

/// A token that the application accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// The token.
    pub token: Text,
    /// When it was sent.
    pub sent: Timestamp,
    /// When it was answered as written.
    pub answered: Timestamp,
}

impl Found {
    /// Weighs marks of which it is known whether they are there, against the moment at which the promotion was sent.
    pub fn of<'a>(marks: impl IntoIterator<Item = (&'a Mark, bool)>, promotion: Timestamp) -> Self {
        let (mut newest, mut kept): (Option<Timestamp>, usize) = (None, 0);
        let (mut oldest, mut last, mut lost): (Option<Timestamp>, Timestamp, usize) = (None, promotion, 0);
        for (mark, there) in marks {
            if !there {
                lost += 1;
                oldest = Some(oldest.map_or(mark.sent, |known| known.min(mark.sent)));
                last = last.max(mark.answered);
            } else if mark.answered <= promotion {
                kept += 1;
                newest = newest.max(Some(mark.sent));
            }
        }
        // A token may be written by the time that it was sent, and no later than it was answered: bounds, not guesses.
        match (newest, oldest) {
            (Some(newest), _) => Self::Some { at_most: between(newest, last), kept, lost },
            (None, Some(oldest)) => Self::None { at_least: between(oldest, last), lost },
            (None, None) => {
                Self::Nothing { why: "no write of ours was accepted before the promotion".into() }
            }
        }
    }
}

impl RecoveryPoint {
    /// True when our own writes told it.
    pub fn is_measured(&self) -> bool {
        !matches!(self.found, Found::Nothing { .. })
    }

    /// `at most 12 s, measured: …`, or `not measured (…); last RPO lag 1.2 s, seen 40 s before the promotion`.
    pub fn words(&self) -> String {
        match &self.found {
            Found::Some { at_most, kept, lost: 0 } => format!(
                "at most {}, measured: all {kept} of our own writes before the promotion are there",
                seconds(*at_most)
            ),
            Found::Some { at_most, kept, lost } => format!(
                "at most {}, measured: {kept} of our own writes before the promotion are there, {lost} later ones are lost",
                seconds(*at_most)
            ),
            Found::None { at_least, lost } => format!(
                "more than {}, measured: none of our own {lost} writes around the promotion is there; {}",
                words::millis(at_least.as_secs_f64() * 1_000.0),
                self.lag_words()
            ),
            Found::Nothing { why } => format!("not measured ({why}); {}", self.lag_words()),
        }
    }

    fn lag_words(&self) -> String {
        match (self.lag_ms, self.lag_age) {
            (Some(lag), Some(age)) => {
                format!("last RPO lag {}, seen {} before the promotion", words::millis(lag), words::span(age))
            }
            (Some(lag), None) => format!("last RPO lag {}", words::millis(lag)),
            (None, _) => "the RPO lag was not read before the promotion".to_owned(),
        }
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// Whole seconds, rounded up for a bound that must hold: `3 s`, `1 min 12 s`.
fn seconds(span: Duration) -> String {
    super::condition::words::time(span)
}
