//! The chain of a cleanup: steps one after the other, and what is claimed, left alone or already gone.
//!
//! What it is for: one place that asks for the owner tag and writes it into each step's precondition.
//! What it must not do: take a resource without the tag, or take silence for it: a tag that could not be read is
//! asked for again right before the call, and the run halts there without it.

use std::time::Duration;

use crate::domain::ids::{AccountId, Arn, HealthCheckId, Region};
use crate::domain::text::Text;
use crate::domain::topology::{RegionEntry, Topology};
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts, Known};
use crate::runbook::guard::GuardFinding;
use crate::runbook::operation::Operation;
use crate::runbook::plan::{Step, StepId};

/// A plan in the making.
pub(super) struct Chain<'a> {
    pub(super) facts: &'a Facts,
    key: Text,
    value: Text,
    pub(super) steps: Vec<Step>,
    /// What must not exist at the end.
    pub(super) gone: Vec<Condition>,
    /// What stays, with the reason.
    pub(super) left: Vec<Text>,
    /// Target groups that something that stays still uses.
    pub(super) kept_groups: Vec<Arn>,
    /// Health checks that a record that stays still uses.
    pub(super) kept_checks: Vec<HealthCheckId>,
    pub(super) findings: Vec<GuardFinding>,
    pub(super) data_at_risk: Vec<Text>,
    pub(super) notes: Vec<Text>,
}

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq)]
#[allow(clippy::large_enum_variant, reason = "one a resource, gone when its steps are made")]
pub(super) enum Claim {
    /// Ours, as far as can be told; the condition must hold right before the call.
    Ours(Condition),
    /// It does not carry the tag; named among what is left.
    NotOurs,
    /// It does not exist any more.
    Gone,
}

/// One deletion or change.
pub(super) struct Deed<'a> {
    pub(super) id: String,
    pub(super) title: String,
    pub(super) region: &'a Region,
    pub(super) calls: Vec<Operation>,
    pub(super) undo: Vec<Operation>,
    pub(super) when: Condition,
    pub(super) until: Condition,
    pub(super) timeout: Duration,
}

impl<'a> Chain<'a> {
    pub(super) fn new(facts: &'a Facts, key: Text, value: Text) -> Self {
        Self {
            facts,
            key,
            value,
            steps: Vec::new(),
            gone: Vec::new(),
            left: Vec::new(),
            kept_groups: Vec::new(),
            kept_checks: Vec::new(),
            findings: Vec::new(),
            data_at_risk: Vec::new(),
            notes: Vec::new(),
        }
    }

    /// Whose a resource is; one that is not ours is named among what is left.
    pub(super) fn claim(&mut self, region: &Region, arn: &Arn, what: &str) -> Claim {
        let claim = self.owner(region, arn);
        if claim == Claim::NotOurs {
            self.leave(format!("{what}, which does not carry {}={}", self.key, self.value));
        }
        claim
    }

    /// Whose a resource is, as its tags were read; unread ones are asked for again right before the call.
    pub(super) fn owner(&self, region: &Region, arn: &Arn) -> Claim {
        let fact = Fact::Tags(region.clone(), arn.clone());
        if self.facts.is_absent(&fact) {
            return Claim::Gone;
        }
        let tagged = |tags: &std::collections::BTreeMap<String, String>| {
            tags.get(self.key.as_str()).is_some_and(|value| value == self.value.as_str())
        };
        if self.facts.tags(&fact).is_some_and(|tags| !tagged(tags)) {
            return Claim::NotOurs;
        }
        Claim::Ours(self.owned(region, arn))
    }

    /// The condition that a resource carries the tag.
    pub(super) fn owned(&self, region: &Region, arn: &Arn) -> Condition {
        Condition::Owned {
            region: region.clone(),
            arn: arn.clone(),
            key: self.key.clone(),
            value: self.value.clone(),
        }
    }

    /// Names something that stays.
    pub(super) fn leave(&mut self, what: impl Into<Text>) {
        self.left.push(what.into());
    }

    /// Adds a step behind all others: one resource at a time.
    pub(super) fn push(&mut self, deed: Deed<'_>, change: impl Into<Text>) {
        let before: Option<StepId> = self.steps.last().map(|step| step.id.clone());
        let step = Step::act(deed.id, deed.title, deed.calls, deed.undo, deed.until, deed.timeout)
            .at(deed.region)
            .when(deed.when)
            .after(before)
            .changing(change);
        self.steps.push(step);
    }

    /// Adds a step that deletes something, which the proof at the end asks for again.
    pub(super) fn delete(&mut self, deed: Deed<'_>) {
        self.gone.push(deed.until.clone());
        self.push(deed, "there -> gone");
    }

    /// Lifts a protection by a step of its own, unless it is known to be off.
    pub(super) fn unprotect(
        &mut self,
        fact: Fact,
        name: &str,
        region: &Region,
        off: Operation,
        on: Operation,
        owned: &Condition,
    ) {
        let known = match self.facts.value(&fact) {
            Some(Known::Flag(protected)) => Some(*protected),
            _ => None,
        };
        if known == Some(false) {
            return;
        }
        let until =
            Condition::Flag { fact, is: false, name: format!("deletion protection of {name}").into() };
        let deed = Deed {
            id: format!("unprotect/{region}/{name}"),
            title: format!("lift the deletion protection of {name} in {region}"),
            region,
            calls: vec![off],
            undo: vec![on],
            when: owned.clone(),
            until,
            timeout: Duration::from_mins(10),
        };
        let before = if known.is_some() { "on" } else { "not known" };
        self.push(deed, format!("deletion protection {before} -> off"));
    }
}

/// The account of a region: as its scope says, or as its own resources' ARNs do.
pub(super) fn account(topology: &Topology, region: &Region) -> AccountId {
    let arns = |entry: &RegionEntry| {
        let balancers = entry.load_balancers.iter().map(|lb| lb.arn.clone());
        balancers.chain(entry.services.iter().map(|service| service.arn.clone())).collect::<Vec<Arn>>()
    };
    topology
        .scope(region.as_str())
        .account
        .or_else(|| topology.region(region).into_iter().flat_map(arns).find_map(|arn| arn.account()))
        .unwrap_or_else(|| AccountId::new(""))
}

/// An ARN of the application's account.
pub(super) fn arn(topology: &Topology, service: &str, region: &Region, resource: &str) -> Arn {
    Arn::new(format!("arn:aws:{service}:{region}:{}:{resource}", account(topology, region)))
}
