//! What is told of a discovery, line by line.
//!
//! What it is for: collecting what was found, what was not, and what deserves a look.
//! What it must not do: decide which is which.

use crate::domain::observation::ProbeError;
use crate::domain::text::Text;

/// What is told of the discovery.
#[derive(Default)]
pub(super) struct Report {
    pub(super) found: Vec<Text>,
    pub(super) missing: Vec<Text>,
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

    pub(super) fn failed(&mut self, where_: &str, what: &str, error: &ProbeError) {
        self.missing.push(Text::new(format!("{where_}: {what} could not be read: {error}")));
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
