//! How long steps took in runs that are over.
//!
//! What it is for: what a dialog says of a plan's duration comes from what was measured here, with the number of runs
//! that it was measured in. What it must not do: let a damaged journal, another account's runs or another
//! application's say anything, or read a journal twice that has not changed.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, SystemTime};

use super::listing::{RunState, stand};
use super::lock::Lock;
use super::reading::read;
use super::{JOURNAL_FILE, folder_of};
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::domain::topology::Topology;
use crate::runbook::event::{Entry, Event, RunId};
use crate::runbook::plan::{Measured, Plan, StepId};
use crate::runbook::report::account;

/// Newest runs that are looked at.
const RUNS: usize = 200;

/// Newest runs that say how long one step takes.
const TIMES: usize = 20;

/// What past runs tell. Keep one: each run is read once.
#[derive(Clone, Debug, Default)]
pub struct Past {
    runs: BTreeMap<RunId, (Stamp, Option<Told>)>,
}

/// By what a changed journal is told from the same one.
type Stamp = (u64, Option<SystemTime>);

/// One run that is over.
#[derive(Clone, Debug)]
struct Told {
    runbook: Text,
    region: Option<Region>,
    steps: BTreeMap<StepId, Duration>,
}

impl Past {
    /// Reads what is new in a folder of runs. What cannot be read says nothing. Blocks: call it where waiting for a
    /// disk is allowed.
    pub fn renew(&mut self, runs: &Path, topology: &Topology) {
        let Ok(folders) = std::fs::read_dir(runs) else {
            self.runs.clear();
            return;
        };
        let names = folders.filter_map(|folder| RunId::parse(folder.ok()?.file_name().to_str()?));
        let mut names: Vec<RunId> = names.collect();
        // The name of a run begins with the time at which it did.
        names.sort_by(|a, b| b.cmp(a));
        names.truncate(RUNS);
        let mut known = std::mem::take(&mut self.runs);
        for run in names {
            let Ok(folder) = folder_of(runs, &run) else { continue };
            let path = folder.join(JOURNAL_FILE);
            let Ok(file) = path.metadata() else { continue };
            let stamp = (file.len(), file.modified().ok());
            let told = match known.remove(&run) {
                Some((then, told)) if then == stamp => told,
                _ if Lock::holder(&folder).is_some() => continue,
                _ => read(&path).ok().filter(|told| told.damage.is_empty()).and_then(|told| {
                    let over = stand(&told.entries, false).state == RunState::Ended;
                    over.then(|| Told::of(&told.entries, topology)).flatten()
                }),
            };
            self.runs.insert(run, (stamp, told));
        }
    }

    /// Writes into a plan's steps how long the same steps took before: in runs of the same runbook on the same region,
    /// or else on any.
    pub fn fill(&self, plan: &mut Plan) {
        let (runbook, region) = (plan.runbook.clone(), plan.params.region.clone());
        for step in &mut plan.steps {
            step.measured = self.of(&runbook, region.as_ref(), &step.id);
        }
    }

    fn of(&self, runbook: &Text, region: Option<&Region>, step: &StepId) -> Option<Measured> {
        let runs = || {
            let told = self.runs.values().rev().filter_map(|(_, told)| told.as_ref());
            told.filter(|told| &told.runbook == runbook)
        };
        let times = |same: bool| -> Vec<Duration> {
            let wanted = runs().filter(|told| !same || told.region.as_ref() == region);
            wanted.filter_map(|told| told.steps.get(step).copied()).take(TIMES).collect()
        };
        let here = times(true);
        let mut times = if here.is_empty() { times(false) } else { here };
        times.sort();
        let (low, high) = (times.get((times.len().checked_sub(1)?) / 2)?, times.get(times.len() / 2)?);
        Some(Measured { median: (*low + *high) / 2, runs: times.len() })
    }
}

impl Told {
    fn of(entries: &[Entry], topology: &Topology) -> Option<Self> {
        let opening = entries.iter().find_map(|entry| match &entry.event {
            Event::Opened { opening, .. } => Some(opening),
            _ => None,
        })?;
        if opening.application != topology.application || !ours(&opening.holder, topology) {
            return None;
        }
        let mut begun = BTreeSet::new();
        let mut again = BTreeSet::new();
        let mut steps = BTreeMap::new();
        for entry in entries {
            match &entry.event {
                Event::StepBegan { step } if !begun.insert(step) => drop(again.insert(step)),
                Event::StepDone { step, took, .. } => drop(steps.insert(step.clone(), *took)),
                _ => {}
            }
        }
        // What was begun twice, after a failure or in another process, took longer than its last try says.
        steps.retain(|step, _| !again.contains(step));
        Some(Self { runbook: opening.runbook.clone(), region: opening.params.region.clone(), steps })
    }
}

/// True when whoever acted acted in an account of this topology. One that names none tells nobody apart by account.
fn ours(holder: &Text, topology: &Topology) -> bool {
    let mut accounts = topology.scope.values().filter_map(|scope| scope.account.as_ref()).peekable();
    let known = accounts.peek().is_some();
    let acted = account(holder);
    !known || acted.is_some_and(|acted| accounts.any(|account| account.as_str() == acted.as_str()))
}
