//! The undo of one step, told before anybody says so.
//!
//! What it is for: which steps of a run can be undone, by which exact calls, what that changes, and which steps rest on
//! the one that is undone. Engine, console, command line and report count from the same words.
//! What it must not do: undo anything, or promise that a call brings back what somebody else has changed since.

use std::collections::BTreeMap;

use super::event::{Entry, Event};
use super::operation::Operation;
use super::plan::{Plan, Step, StepId};
use crate::domain::ids::Region;
use crate::domain::text::Text;

/// First of the numbers under which the calls of an undo are recorded.
pub const UNDO: usize = 1_000;

/// What the undo of one step would do.
#[derive(Clone, Debug, PartialEq)]
pub struct Undoing<'a> {
    /// The step.
    pub step: &'a Step,
    /// The calls, in the order in which they are made.
    pub calls: Vec<Back<'a>>,
    /// Steps that come after it, whether they were begun or not: what was done of them stays, and what was not waits.
    pub dependents: Vec<&'a Step>,
}

/// One call of an undo.
#[derive(Clone, Debug, PartialEq)]
pub struct Back<'a> {
    /// The call.
    pub operation: &'a Operation,
    /// What it changes, from what the step set to what was there before: `MinCapacity 8 -> 4`, a line each.
    pub changes: Vec<Text>,
}

/// Calls that may have taken effect and were not undone since: step, way, call. What was definitely refused, or never
/// left, changed nothing.
pub fn sent(told: &[Entry]) -> Vec<(StepId, usize, usize)> {
    let mut sent: Vec<(StepId, usize, usize)> = Vec::new();
    for entry in told {
        match &entry.event {
            Event::Intent { step, way, call, .. } => sent.push((step.clone(), *way, *call)),
            Event::NotApplied { step, way, call, failure } if failure.is_definite() => {
                let last = sent.iter().rposition(|(id, in_way, nth)| (id, in_way, nth) == (step, way, call));
                if let Some(last) = last {
                    sent.remove(last);
                }
            }
            Event::StepUndone { step } => sent.retain(|(known, ..)| known != step),
            _ => {}
        }
    }
    sent
}

/// The ways of each step of which such calls are, in the order in which they were tried.
pub fn ways(sent: &[(StepId, usize, usize)]) -> BTreeMap<StepId, Vec<usize>> {
    let mut used: BTreeMap<StepId, Vec<usize>> = BTreeMap::new();
    for (step, way, _) in sent.iter().filter(|(_, _, call)| *call < UNDO) {
        let ways = used.entry(step.clone()).or_default();
        if !ways.contains(way) {
            ways.push(*way);
        }
    }
    used
}

/// Ways of which a call may have taken effect and that were not undone since, by step.
pub fn used(told: &[Entry]) -> BTreeMap<StepId, Vec<usize>> {
    ways(&sent(told))
}

/// The steps of a plan that can be undone after what was `used`, in the order in which all of them are: the newest
/// first, but a survivor gives its capacity back when users were let back to their own region, also where it was lent
/// after they had left.
pub fn undoable(plan: &Plan, used: &BTreeMap<StepId, Vec<usize>>) -> Vec<StepId> {
    let back = |step: &&Step| {
        let ways = used.get(&step.id).into_iter().flatten();
        ways.filter_map(|way| step.ways.get(*way)).any(|way| !way.undo.is_empty())
    };
    let (lent, others): (Vec<&Step>, Vec<&Step>) =
        plan.steps.iter().rev().filter(back).partition(|step| is_lent(plan, step));
    others.into_iter().chain(lent).map(|step| step.id.clone()).collect()
}

/// True when the undo of a step takes capacity from a region that others' users were sent to.
fn is_lent(plan: &Plan, step: &Step) -> bool {
    let elsewhere = |here: &Region| plan.params.region.as_ref().is_some_and(|leaving| leaving != here);
    step.ways.iter().flat_map(|way| &way.undo).any(|call| match call {
        Operation::RegisterScalableTarget { region, .. } | Operation::SetDesired { region, .. } => {
            elsewhere(region)
        }
        _ => false,
    })
}

impl<'a> Undoing<'a> {
    /// What the undo of `step` would do, when the calls of these `ways` of it were sent. `None` for a step that the plan
    /// has not, or that nothing brings back.
    pub fn of(plan: &'a Plan, step: &StepId, ways: &[usize]) -> Option<Self> {
        let step = plan.step(step)?;
        let ways = ways.iter().rev().filter_map(|way| step.ways.get(*way));
        let calls: Vec<Back<'a>> = ways
            .flat_map(|way| {
                way.undo.iter().map(|operation| Back { operation, changes: changes(&way.calls, operation) })
            })
            .collect();
        (!calls.is_empty()).then(|| Self { step, calls, dependents: plan.dependents(&step.id) })
    }
}

impl Plan {
    /// The steps that come after a step, at once or after others that do, in the order of the plan.
    pub fn dependents(&self, of: &StepId) -> Vec<&Step> {
        let mut found: Vec<&Step> = Vec::new();
        // Steps stand in an order in which each comes after those that it waits for.
        for step in &self.steps {
            if step.after.iter().any(|before| before == of || found.iter().any(|known| &known.id == before)) {
                found.push(step);
            }
        }
        found
    }
}

/// What an undo changes: the parameters in which it differs from the call that it takes back.
fn changes(calls: &[Operation], undo: &Operation) -> Vec<Text> {
    let back = undo.call();
    let same = |call: &&Operation| {
        let form = call.call();
        (form.service, form.operation, &form.region) == (back.service, back.operation, &back.region)
    };
    let differences = |call: &Operation| -> Vec<Text> {
        let was = call.call().parameters;
        let plain = |value: &str| !value.starts_with(['{', '[']);
        let changed = back.parameters.iter().filter_map(|(name, now)| {
            let (_, was) = was.iter().find(|(known, _)| known == name)?;
            // The version is whatever is read right before the call.
            (was != now && plain(was) && plain(now) && name != "HealthCheckVersion")
                .then(|| format!("{name} {was} -> {now}").into())
        });
        changed.collect()
    };
    // Of several calls of one kind the one that it takes back differs least.
    let lines = calls.iter().filter(same).map(differences).filter(|lines| !lines.is_empty());
    match lines.min_by_key(Vec::len) {
        Some(lines) => lines,
        None => vec![undo.sentence().into()],
    }
}
