//! `runs report`: a run as a document.
//!
//! What it is for: reading a journal, of a run that goes on as of one that ended, and printing what it tells.
//! What it must not do: change anything, or need AWS: a report is made with every region dark.

use super::super::args::ReportFormat;
use super::super::exit::{Exit, Failure};
use super::super::{out, report};
use super::Desk;
use super::desk::unreadable;
use crate::runbook::RunId;
use crate::runbook::journal::{self, Lock};
use crate::runbook::report::{Report, Source};

/// Prints a run in a format.
pub(super) async fn print(desk: &Desk, run: &RunId, format: ReportFormat) -> Result<Exit, Failure> {
    let folder = journal::folder_of(desk.runs(), run).map_err(unreadable)?;
    // In this order: a run that ends meanwhile is then told as running, not as interrupted.
    let looked = tokio::task::spawn_blocking(move || Lock::holder(&folder).is_some()).await;
    let held = looked.map_err(Failure::error)?;
    let told = desk.told(run).await?;
    let report = Report::of(&Source { run, told: &told, held, now: desk.clock().now() });
    let document = match format {
        ReportFormat::Md => report::markdown(&report),
        ReportFormat::Json => report::json(&report)?,
        ReportFormat::Html => report::html(&report)?,
    };
    out::print(&document)?;
    Ok(Exit::Done)
}
