//! A run as a document: Markdown for a ticket, JSON for programs, one HTML page for people.
//!
//! What it is for: the same words and numbers in all three; [`View`] is what Markdown and HTML are both made of.
//! What it must not do: read a journal (that is for `runbook::report`), or let a string from AWS be anything but text.
//!
//! | module | what it is |
//! |---|---|
//! | `view` | a report in words |
//! | `markdown`, `html` | the two documents |
//! | `chart` | lines over time with the steps marked, as SVG |

mod chart;
mod html;
mod markdown;
mod view;

pub use html::html;
pub use markdown::markdown;
pub use view::View;
pub(in crate::cli) use view::amount;

use super::exit::Failure;
use crate::runbook::report::Report;

/// The report as JSON, `switchtower.report/1`.
pub fn json(report: &Report) -> Result<String, Failure> {
    let words = serde_json::to_string_pretty(report);
    words
        .map(|words| words + "\n")
        .map_err(|error| Failure::error(format_args!("the report is no JSON: {error}")))
}
