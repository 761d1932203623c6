//! What is told of a discovery, line by line.
//!
//! What it is for: collecting what was found, what was not, and what deserves a look.
//! What it must not do: decide which is which.

use std::fmt;

use crate::domain::observation::ProbeError;
use crate::domain::text::Text;

/// What is told of the discovery.
#[derive(Default)]
pub(super) struct Report {
    pub(super) found: Vec<Text>,
    pub(super) missing: Vec<Text>,
    pub(super) unread: Vec<Unread>,
    pub(super) notes: Vec<Text>,
}

impl Report {
    pub(super) fn found(&mut self, line: impl Into<Text>) {
        self.found.push(line.into());
    }

    pub(super) fn missing(&mut self, line: impl Into<Text>) {
        self.missing.push(line.into());
    }

    pub(super) fn note(&mut self, line: impl Into<Text>) {
        self.notes.push(line.into());
    }

    pub(super) fn failed(&mut self, place: &str, what: &str, error: &ProbeError) {
        self.unread.push(Unread {
            place: place.into(),
            what: what.into(),
            why: Text::new(error.to_string()),
        });
    }
}

/// What could not be read, so that nobody knows whether it belongs to the application.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unread {
    /// A region's name, or `route53`.
    pub place: Text,
    /// What: `ECS services`, `health check 7f…`.
    pub what: Text,
    /// Why not.
    pub why: Text,
}

impl fmt::Display for Unread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} could not be read: {}", self.place, self.what, self.why)
    }
}

/// Names in a row, the first eight of them.
pub(super) fn listed(names: &[String]) -> String {
    const SHOWN: usize = 8;
    let shown = names.iter().take(SHOWN).cloned().collect::<Vec<_>>().join(", ");
    match names.len().checked_sub(SHOWN) {
        None | Some(0) => shown,
        Some(more) => format!("{shown} and {more} more"),
    }
}
