//! Plans: what a runbook will do, step by step, before anything is done.
//!
//! What it is for: the data that dialogs show, the engine runs and the journal keeps, with a digest that binds
//! a confirmation to exactly this plan. What it must not do: decide anything at run time that could have been
//! decided while planning; a plan leaves only the choice among a step's ways open, in the order written.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::condition::Condition;
use super::fact::Facts;
use super::guard::GuardFinding;
use super::operation::{FailureDomain, Operation};
use super::params::Params;
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::Region;
use crate::domain::text::Text;

/// Name of a step, unique in its plan and the same for the same inputs: `pin`, `scale/eu-west-1/prod/api`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepId(Text);

/// A plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// Which runbook, by its id.
    pub runbook: Text,
    /// Application.
    pub application: Text,
    /// What was asked for.
    pub params: Params,
    /// What the operator types to confirm: the region's name, or the application's for cleanup.
    pub confirm: Text,
    /// When it was made.
    pub made_at: Timestamp,
    /// What it does in one sentence.
    pub summary: Text,
    /// Steps in an order in which they could run one after the other; independent ones run side by side.
    pub steps: Vec<Step>,
    /// What the plan's shape depends on: flags, versions, record sets, writer, desired, min, max, suspension.
    /// Drift is told by comparing these at the moment of confirmation.
    pub shaped_by: Facts,
    /// What every guard found, passes left out.
    pub findings: Vec<GuardFinding>,
    /// Data that may be lost or wait, a line each, with the age of the numbers.
    pub data_at_risk: Vec<Text>,
    /// What no step brings back, a line each.
    pub irreversible: Vec<Text>,
    /// Things the operator should know, a line each.
    pub notes: Vec<Text>,
}

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// Its name.
    pub id: StepId,
    /// What it does: `take us-east-1 out of DNS`.
    pub title: Text,
    /// Where; `None` for the fleet.
    pub region: Option<Region>,
    /// Steps that must be done (or passed) before it begins.
    pub after: Vec<StepId>,
    /// Must hold right before the first call; otherwise the step fails without a call.
    pub precondition: Condition,
    /// Ways to do it, tried in order. None: the step waits for `verify` only.
    pub ways: Vec<Way>,
    /// Holds when the step is done, whoever did it; a step whose `verify` holds already is skipped.
    pub verify: Condition,
    /// Time for the whole step.
    pub timeout: Duration,
    /// What a failure means.
    pub on_failure: OnFailure,
    /// What changes, `desired 4 -> 6`, a line each.
    pub changes: Vec<Text>,
    /// How long it takes by AWS's words, when they say so.
    pub usual: Option<Duration>,
    /// How long it took in runs that are over, when there were some. No part of the digest: it changes nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub measured: Option<Measured>,
}

/// How long a step took before.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Measured {
    /// The median.
    pub median: Duration,
    /// In so many runs.
    pub runs: usize,
}

/// One way to do a step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Way {
    /// The evacuation method, when it is one.
    pub method: Option<EvacuationMethod>,
    /// The calls, in order; each is journaled before it is sent.
    pub calls: Vec<Operation>,
    /// Holds when this way's calls took effect.
    pub verify: Condition,
    /// The calls that restore the state before, in order; empty when nothing brings it back.
    pub undo: Vec<Operation>,
    /// How long this way is tried before the next one is; the step's time-out when it is the only one.
    pub patience: Duration,
}

/// What a failed step means for the run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnFailure {
    /// The run halts: what is done, what can be undone and what was not run is shown; the operator decides.
    Halt,
    /// Recorded and passed: notify, fence, pre-scale in a failover.
    Pass,
}

/// SHA-256 over a plan and what shaped it. A confirmation holds for one digest.
#[derive(Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(String);

impl StepId {
    /// Takes a name.
    pub fn new(name: impl AsRef<str>) -> Self {
        Self(Text::new(name))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }
}

impl From<&str> for StepId {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for StepId {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl fmt::Display for StepId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Plan {
    /// What it leaves behind once it is done, a line each: what its last step says of the world after it, when that step
    /// only looks. A cleanup names there what is still billed.
    pub fn leaves(&self) -> &[Text] {
        self.steps.last().filter(|step| step.ways.is_empty()).map_or(&[], |step| &step.changes)
    }

    /// The digest over everything but the moment of planning, the ages and request ids of what was read, and
    /// the guards' words: the same world and the same wishes give the same digest.
    pub fn digest(&self) -> Digest {
        let shape: Vec<_> = self.shaped_by.iter().map(|(fact, seen)| (fact, seen.value())).collect();
        let plain = |step: &Step| Step { measured: None, ..step.clone() };
        let steps: Vec<Step> = self.steps.iter().map(plain).collect();
        let parts = (&self.runbook, &self.application, &self.confirm, &self.params, steps, shape);
        // A plan is made of maps, lists and plain values, which JSON always takes; an empty text could only
        // make two digests equal that both fail to be confirmed.
        let text = serde_json::to_string(&parts).unwrap_or_default();
        let hash = Sha256::digest(text.as_bytes());
        Digest(hash.iter().fold(String::with_capacity(64), |hex, byte| hex + &format!("{byte:02x}")))
    }

    /// A step by its name.
    pub fn step(&self, id: &StepId) -> Option<&Step> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// Every call of every way, and every undo: what an approval of this plan covers.
    pub fn operations(&self) -> impl Iterator<Item = &Operation> {
        self.steps.iter().flat_map(|step| &step.ways).flat_map(|way| way.calls.iter().chain(&way.undo))
    }
}

impl Step {
    /// Failure domains of its ways, in order; `None` alone when nothing is called.
    pub fn domains(&self) -> Vec<FailureDomain> {
        let mut domains: Vec<FailureDomain> = Vec::new();
        for domain in self.ways.iter().flat_map(|way| &way.calls).map(Operation::domain) {
            if !domains.contains(&domain) {
                domains.push(domain);
            }
        }
        if domains.is_empty() { vec![FailureDomain::None] } else { domains }
    }

    /// How long it is expected to take: as in past runs, or else as its runbook says, or else as such a step does.
    pub fn expected(&self) -> Duration {
        let measured = self.measured.map(|measured| measured.median);
        measured.or(self.usual).unwrap_or_else(|| super::typical::of(self)).min(self.timeout)
    }

    /// A step that only waits until a condition holds.
    pub fn wait(id: impl Into<StepId>, title: impl Into<Text>, until: Condition, timeout: Duration) -> Self {
        Self {
            id: id.into(),
            title: title.into(),
            region: None,
            after: Vec::new(),
            precondition: Condition::Always,
            ways: Vec::new(),
            verify: until,
            timeout,
            on_failure: OnFailure::Halt,
            changes: Vec::new(),
            usual: None,
            measured: None,
        }
    }

    /// A step that makes calls in one way until a condition holds.
    pub fn act(
        id: impl Into<StepId>,
        title: impl Into<Text>,
        calls: Vec<Operation>,
        undo: Vec<Operation>,
        until: Condition,
        timeout: Duration,
    ) -> Self {
        let way = Way { method: None, calls, verify: until.clone(), undo, patience: timeout };
        Self { ways: vec![way], ..Self::wait(id, title, until, timeout) }
    }

    /// The same, after other steps.
    pub fn after(mut self, steps: impl IntoIterator<Item = StepId>) -> Self {
        self.after.extend(steps);
        self
    }

    /// The same, in a region.
    pub fn at(mut self, region: &Region) -> Self {
        self.region = Some(region.clone());
        self
    }

    /// The same, with a precondition.
    pub fn when(mut self, condition: Condition) -> Self {
        self.precondition = condition;
        self
    }

    /// The same, with more preconditions.
    pub fn also_when(mut self, more: Vec<Condition>) -> Self {
        if more.is_empty() {
            return self;
        }
        let mut of = match self.precondition {
            Condition::Always => Vec::new(),
            Condition::All { of } => of,
            one => vec![one],
        };
        of.extend(more);
        self.precondition = Condition::All { of };
        self
    }

    /// The same, recorded and passed when it fails.
    pub fn passing(mut self) -> Self {
        self.on_failure = OnFailure::Pass;
        self
    }

    /// The same, with a line about what changes.
    pub fn changing(mut self, line: impl Into<Text>) -> Self {
        self.changes.push(line.into());
        self
    }

    /// The same, with its usual duration.
    pub fn usually(mut self, duration: Duration) -> Self {
        self.usual = Some(duration);
        self
    }
}

impl Digest {
    /// All 64 hexadecimal digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first twelve, for people.
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.short())
    }
}
