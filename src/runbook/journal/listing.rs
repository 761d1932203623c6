//! All runs of an application on this host.
//!
//! What it is for: `runs list`, the console's list, and the guard that asks for unfinished runs.
//! What it must not do: hide a run because its journal is damaged, write anything but the gists that make the next list
//! cheap, or be asked by anything that takes a run up.

use std::path::Path;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::error::JournalError;
use super::gist::{Gist, stamp};
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

impl RunSummary {
    /// True when its process went before the first entry was on disk: nothing was done, nothing can be taken up, and
    /// nothing stands in the way of another run.
    pub fn never_began(&self) -> bool {
        self.last.is_none() && self.holder.is_none() && self.damage.is_empty() && self.unreadable.is_none()
    }
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

/// One run in a folder of runs, as [`list`] tells it. Blocks.
pub fn one(runs: &Path, id: &RunId) -> Result<RunSummary, JournalError> {
    let folder = folder_of(runs, id)?;
    if folder.is_dir() { summary(runs, id.clone()) } else { Err(JournalError::NoRun(folder)) }
}

fn summary(runs: &Path, id: RunId) -> Result<RunSummary, JournalError> {
    let folder = folder_of(runs, &id)?;
    // In this order: a run that ends meanwhile is then told as running, not as interrupted.
    let holder = Lock::holder(&folder);
    let (gist, unreadable) = match gist(&folder, holder.is_some()) {
        Ok(gist) => (gist, None),
        // A folder without a journal, as a process leaves it that goes in between.
        Err(JournalError::NoRun(_)) => (Gist::default(), None),
        Err(error) => (Gist::default(), Some(error.to_string().into())),
    };
    let Stand { state, outcome, waits } = gist.standing.with(holder.is_some());
    let Gist { opening, began, last, damage, imported, .. } = gist;
    Ok(RunSummary { id, opening, began, last, outcome, state, holder, waits, damage, imported, unreadable })
}

/// What a run's journal says in short: as it was kept while the journal lies still, or else by reading it.
fn gist(folder: &Path, held: bool) -> Result<Gist, JournalError> {
    let path = folder.join(JOURNAL_FILE);
    // The stamp comes first: what is written while it is read makes the gist unfit.
    let stamp = stamp(&path).filter(|_| !held);
    if let Some(kept) = stamp.and_then(|stamp| Gist::kept(folder, stamp)) {
        return Ok(kept);
    }
    let gist = Gist::of(read(&path)?);
    if let Some(stamp) = stamp {
        gist.keep(folder, stamp);
    }
    Ok(gist)
}

/// Where a run stands, as its entries leave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stand {
    /// Where it stands.
    pub state: RunState,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// True when the last thing that happened is a halt.
    pub waits: bool,
}

/// Where entries leave a run; `held` when a process has it.
pub fn stand(entries: &[Entry], held: bool) -> Stand {
    Standing::of(entries).with(held)
}

/// Where a run's own words leave it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Standing {
    #[default]
    Going,
    Waiting,
    Ended(Outcome),
}

impl Standing {
    pub(super) fn of(entries: &[Entry]) -> Self {
        standing(entries)
    }

    pub(super) fn with(self, held: bool) -> Stand {
        let outcome = match self {
            Self::Ended(outcome) => Some(outcome),
            Self::Going | Self::Waiting => None,
        };
        let state = match self {
            _ if held => RunState::Running,
            Self::Waiting | Self::Ended(Outcome::Halted) => RunState::Halted,
            Self::Ended(_) => RunState::Ended,
            Self::Going => RunState::Interrupted,
        };
        Stand { state, outcome, waits: self == Self::Waiting }
    }
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
        | Event::Sampled { .. }
        | Event::Marked { .. }
        | Event::RecoveryPoint { .. }
        | Event::Aftermath { .. }
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
