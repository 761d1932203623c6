//! The runbooks.
//!
//! What it is for: the list of runbooks, one file each, and what a runbook is: a specification, the facts it
//! wants to know, and a pure function from a situation to a plan.
//! What it must not do: ask, wait or act.

pub mod cleanup;
pub mod drain;
pub mod failover;
mod known;
mod promotion;
pub mod restore;
pub mod switchover;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::condition::Condition;
use super::event::{Entry, RunId};
use super::fact::{Fact, Facts};
use super::guard::GuardFinding;
use super::lease::LeaseView;
use super::params::Params;
use super::plan::Plan;
use crate::domain::ids::{Region, ServiceKey};
use crate::domain::text::Text;
use crate::domain::{FleetSnapshot, Topology};

/// Every runbook, in the order in which they are shown.
pub static RUNBOOKS: &[&dyn Runbook] = &[
    // One line each.
    &drain::Drain,
    &failover::Failover,
    &restore::Restore,
    &switchover::Switchover,
    &cleanup::Cleanup,
];

/// The runbook of an id.
pub fn by_id(id: &str) -> Option<&'static dyn Runbook> {
    RUNBOOKS.iter().copied().find(|runbook| runbook.spec().id == id)
}

/// Everything that planning may know.
#[derive(Clone, Debug)]
pub struct Situation<'a> {
    /// The topology.
    pub topology: &'a Topology,
    /// The console's snapshot, filled from the baseline where nothing was read.
    pub fleet: &'a FleetSnapshot,
    /// What was read for this plan. Where it lacks a fact, the snapshot's value is taken (see `situation`).
    pub facts: &'a Facts,
    /// The 14-day peaks of the baseline.
    pub peaks: &'a Peaks,
    /// The moment of planning.
    pub now: Timestamp,
    /// True when the session is armed, or the command line confirmed.
    pub armed: bool,
    /// The custom endpoint in force, when it is neither a simulation's nor allowed.
    pub foreign_endpoint: Option<Text>,
    /// Who holds the lease, as far as known; the error when the table did not answer.
    pub lease: LeaseState,
    /// Runs of this application that never ended, newest first.
    pub unfinished: &'a [RunId],
    /// The journal of the run that a restore undoes, oldest entry first; `None`: restore from the baseline.
    pub journal: Option<&'a [Entry]>,
    /// Flags, limits and counts of the saved baseline, for a restore without a journal.
    pub baseline: Option<&'a Facts>,
}

/// What is known of the lease.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum LeaseState {
    /// The topology names no table.
    #[default]
    NotConfigured,
    /// Nobody has it.
    Free,
    /// Somebody has it.
    Held(LeaseView),
    /// The table did not answer.
    Unreachable(Text),
    /// The table has not been asked yet: a first plan, on what is known, waits for nobody.
    Unread,
}

/// The highest need of the last 14 days.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peaks {
    /// Tasks a service ran at most.
    pub tasks: BTreeMap<(Region, ServiceKey), i32>,
    /// Requests a second a region served at most.
    pub requests: BTreeMap<Region, f64>,
    /// What regions want now for others' users by runs of ours, which is no need of their own.
    pub lent: Lent,
}

/// Users whom runs of ours moved from one region to others.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Lent {
    /// Regions that are out, or were until less than an hour ago.
    pub regions: BTreeSet<Region>,
    /// Tasks that each service was to run in the end, by the run that took the region of the plan out and holds still.
    pub carried: BTreeMap<(Region, ServiceKey), i32>,
}

impl Lent {
    /// What an evacuation asks of the survivors.
    pub fn asked_by(plan: &Plan) -> BTreeMap<(Region, ServiceKey), i32> {
        let asked = plan.steps.iter().filter_map(|step| match &step.verify {
            Condition::Serving { region, service, tasks, .. } => {
                Some(((region.clone(), service.clone()), *tasks))
            }
            _ => None,
        });
        asked.collect()
    }
}

/// What a runbook is, in words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RunbookSpec {
    /// `drain`, on command lines and in journals.
    pub id: &'static str,
    /// `Drain a region`.
    pub title: &'static str,
    /// One paragraph for Help and `--help`.
    pub doc: &'static str,
    /// The key that opens its dialog.
    pub key: char,
    /// True for an emergency, which its guards must not block (see `guard`).
    pub emergency: bool,
    /// True when it acts on one region that must be named.
    pub needs_region: bool,
    /// The options of a command line that mean something to it; any other one was meant for another runbook.
    pub options: &'static [&'static str],
}

/// Why there is no plan at all, as opposed to a plan whose guards block it.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// A parameter is missing or wrong.
    #[error("{0}")]
    Params(Text),
    /// What was asked for makes no sense in this application (no Aurora, one region only).
    #[error("{0}")]
    Impossible(Text),
    /// The operator must choose first: which option, and what the choices are.
    #[error("{question}; say which with {flag}")]
    Choose {
        /// What has to be decided, with the numbers that the decision needs.
        question: Text,
        /// The flag on the command line.
        flag: &'static str,
        /// The choices, a sentence each; the one that harms least first.
        choices: Vec<(Text, Text)>,
        /// The choice that the runbook would make, when it would; no cursor begins on it.
        proposed: Option<Text>,
    },
}

/// One runbook.
pub trait Runbook: Sync {
    /// What it is.
    fn spec(&self) -> &'static RunbookSpec;

    /// What should be read right before planning, and again at the confirmation.
    fn wants(&self, topology: &Topology, params: &Params) -> Vec<Fact>;

    /// What has to be typed to confirm a plan of this, as far as the topology alone tells: one name, or several where
    /// what is read decides between them. What the topology shows to be wrong is refused here as planning refuses it,
    /// before anybody is asked.
    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        now: Timestamp,
    ) -> Result<Vec<Text>, PlanError>;

    /// The plan, with every guard's finding in it. Pure: the same inputs give the same plan.
    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError>;
}

/// Findings that block, of a plan.
pub fn blocking(findings: &[GuardFinding]) -> impl Iterator<Item = &GuardFinding> {
    findings.iter().filter(|finding| finding.force == super::guard::Force::Block)
}
