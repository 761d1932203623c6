//! All runs of an application on this host.
//!
//! What it is for: `runs list`, the console's list, and the guard that asks for unfinished runs.
//! What it must not do: hide a run because its journal is damaged, or write anything.

use std::path::Path;

use jiff::Timestamp;

use super::error::JournalError;
use super::lock::{Holder, Lock};
use super::reading::{Damage, read};
use super::{JOURNAL_FILE, folder_of};
use crate::domain::text::Text;
use crate::runbook::event::{Entry, Event, Opening, Outcome, RunId};

/// Where a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunState {
    /// A process has it; it may be waiting for the operator (see [`RunSummary::waits`]).
    Running,
    /// It waits for the operator, and no process has it.
    Halted,
    /// Its process is gone in the middle.
    Interrupted,
    /// It came to its end.
    Ended,
}

/// One run in a list.
#[derive(Clone, Debug, PartialEq)]
pub struct RunSummary {
    /// Name.
    pub id: RunId,
    /// Who began it, where and why; `None` when the journal does not say (any more).
    pub opening: Option<Opening>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// The last entry.
    pub last: Option<Entry>,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// Where it stands.
    pub state: RunState,
    /// The process that has it.
    pub holder: Option<Holder>,
    /// True when the last thing that happened is a halt: it waits for the operator.
    pub waits: bool,
    /// What is wrong with its journal.
    pub damage: Vec<Damage>,
    /// True when it was copied from another host.
    pub imported: bool,
    /// Why the journal cannot be read at all.
    pub unreadable: Option<Text>,
}

/// All runs in a folder of runs, newest first; none when the folder is not there yet. Blocks: call it where
/// waiting for a disk is allowed.
pub fn list(runs: &Path) -> Result<Vec<RunSummary>, JournalError> {
    let error = |error: std::io::Error| JournalError::io("list", runs, &error);
    let folders = match std::fs::read_dir(runs) {
        Ok(folders) => folders,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(other) => return Err(error(other)),
    };
    let mut found = Vec::new();
    for folder in folders {
        let folder = folder.map_err(error)?;
        let name = folder.file_name().to_str().and_then(RunId::parse);
        if let Some(id) = name.filter(|_| folder.path().is_dir()) {
            found.push(summary(runs, id)?);
        }
    }
    // The name of a run begins with the time at which it did.
    found.sort_by(|a, b| b.id.cmp(&a.id));
    Ok(found)
}

fn summary(runs: &Path, id: RunId) -> Result<RunSummary, JournalError> {
    let folder = folder_of(runs, &id)?;
    // In this order: a run that ends meanwhile is then told as running, not as interrupted.
    let holder = Lock::holder(&folder);
    let (told, unreadable) = match read(&folder.join(JOURNAL_FILE)) {
        Ok(told) => (told, None),
        Err(error) => (super::Told::default(), Some(error.to_string().into())),
    };
    let damage = told.damage;
    let last = told.entries.last().cloned();
    let standing = standing(&told.entries);
    let outcome = outcome(&told.entries);
    let state = match standing {
        _ if holder.is_some() => RunState::Running,
        Standing::Waiting | Standing::Ended(Outcome::Halted) => RunState::Halted,
        Standing::Ended(_) => RunState::Ended,
        Standing::Going => RunState::Interrupted,
    };
    let mut opening = None;
    let mut began = None;
    for entry in told.entries {
        if let Event::Opened { opening: found, .. } = entry.event {
            opening = Some(*found);
            began = Some(entry.at);
            break;
        }
    }
    let waits = standing == Standing::Waiting;
    let imported = told.imported;
    Ok(RunSummary { id, opening, began, last, outcome, state, holder, waits, damage, imported, unreadable })
}

/// How a run came to its end, as its entries tell; `None` when it did not, or was taken up again since.
pub fn outcome(entries: &[Entry]) -> Option<Outcome> {
    match standing(entries) {
        Standing::Ended(outcome) => Some(outcome),
        Standing::Going | Standing::Waiting => None,
    }
}

/// True when the last thing that happened is a halt.
pub fn waits(entries: &[Entry]) -> bool {
    standing(entries) == Standing::Waiting
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Standing {
    Going,
    Waiting,
    Ended(Outcome),
}

/// Where the entries leave a run. Notes, notices and a late heartbeat of the lease may follow a halt or an end.
fn standing(entries: &[Entry]) -> Standing {
    entries.iter().fold(Standing::Going, |standing, entry| match &entry.event {
        Event::Ended { outcome, .. } => Standing::Ended(*outcome),
        Event::Halted { .. } => Standing::Waiting,
        Event::Notified { .. }
        | Event::Noted { .. }
        | Event::Lease { .. }
        | Event::Unjournaled { .. }
        | Event::Progress { .. } => standing,
        Event::Opened { .. }
        | Event::Resumed { .. }
        | Event::StepBegan { .. }
        | Event::StepHeld { .. }
        | Event::Intent { .. }
        | Event::Applied { .. }
        | Event::NotApplied { .. }
        | Event::WayGivenUp { .. }
        | Event::StepDone { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepUndone { .. }
        | Event::Decided { .. } => Standing::Going,
    })
}
