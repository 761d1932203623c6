//! How long a plan takes.
//!
//! What it is for: the longest chain of steps that wait for each other, by what they took in past runs or usually take,
//! and by what they may take at most. What it must not do: promise, or pass a typical time for a measured one.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::runbook::{Condition, FailureDomain, Plan, Steering, Step, StepId, Way};

/// What takes less is nobody's reason to wait.
const MOMENT: Duration = Duration::from_secs(10);

/// A duration as far as it is known.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Estimate {
    /// The longest chain, by past runs where there were some, and else by what such steps usually take.
    pub likely: Duration,
    /// True when past runs tell of every step of that chain that takes longer than a moment.
    pub measured: bool,
    /// The longest chain by time-outs.
    pub most: Duration,
}

/// Estimates a plan.
pub fn of(plan: &Plan) -> Estimate {
    remaining(plan, |_| Some(Spent::default()))
}

/// What an estimate rests on, when past runs tell of some steps: `by 4 past runs for 5 of 7 steps`.
pub fn basis(plan: &Plan) -> Option<String> {
    let measured = plan.steps.iter().filter_map(|step| step.measured);
    let (count, runs) = (measured.clone().count(), measured.map(|measured| measured.runs).max()?);
    let plural = if runs == 1 { "" } else { "s" };
    let steps = plan.steps.len();
    let part = if count == steps { String::new() } else { format!(" for {count} of {steps} steps") };
    Some(format!("by {runs} past run{plural}{part}"))
}

/// Estimates how long users go on being sent to the region that the plan takes them out of: until the last step
/// that steers them out. `None` for a plan without one.
pub fn until_out(plan: &Plan) -> Option<Estimate> {
    let steers = |step: &Step| {
        let mut calls = step.ways.iter().flat_map(|way| &way.calls);
        calls.any(|call| matches!(call.steering(), Some(Steering::Out(_))))
    };
    let last = plan.steps.iter().rposition(steers)?;
    let mut shorter = plan.clone();
    // What that step waits for counts, what runs beside it does not.
    let mut wanted = vec![shorter.steps[last].id.clone()];
    shorter.steps.truncate(last + 1);
    for step in shorter.steps.iter().rev() {
        if wanted.contains(&step.id) {
            wanted.extend(step.after.iter().cloned());
        }
    }
    shorter.steps.retain(|step| wanted.contains(&step.id));
    Some(of(&shorter))
}

/// True when users leave by Route 53's own API alone: every way of a step that steers them out calls it.
pub fn only_by_route_53(plan: &Plan) -> bool {
    let by_api = |way: &Way| way.calls.iter().any(|call| call.domain() == FailureDomain::Global);
    let steers = |way: &Way| way.calls.iter().any(|call| matches!(call.steering(), Some(Steering::Out(_))));
    let mut steps = plan.steps.iter().filter(|step| step.ways.iter().any(steers)).peekable();
    steps.peek().is_some() && steps.any(|step| step.ways.iter().all(by_api))
}

/// What a step has behind it and, as far as its progress tells, before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// The time that it has had already.
    pub time: Duration,
    /// What it cannot be faster than from here on.
    pub least: Duration,
}

/// What a step that waits for a stretch of time still needs, when that much of it has passed.
pub fn least(step: &Step, share: Option<f64>) -> Duration {
    let stretch = match &step.verify {
        Condition::TrafficBelow { minutes, .. } => {
            Duration::from_mins(u64::try_from(*minutes).unwrap_or_default())
        }
        Condition::AliveFor { span, .. } | Condition::Elapsed { span, .. } => *span,
        _ => Duration::ZERO,
    };
    share.map_or(Duration::ZERO, |share| stretch.mul_f64(1.0 - share.clamp(0.0, 1.0)))
}

/// Estimates what is left of a plan. `spent` tells what a step has had already, `None` for one that needs no more.
pub fn remaining(plan: &Plan, spent: impl Fn(&StepId) -> Option<Spent>) -> Estimate {
    let mut ends: BTreeMap<&StepId, Estimate> = BTreeMap::new();
    let mut whole = Estimate { measured: true, ..Estimate::default() };
    // Steps stand in an order in which each comes after those that it waits for.
    for step in &plan.steps {
        let mut start = Estimate { measured: true, ..Estimate::default() };
        for end in step.after.iter().filter_map(|before| ends.get(before)) {
            start = longer(start, *end);
        }
        let end = match spent(&step.id) {
            Some(spent) => after(start, step, spent),
            None => start,
        };
        ends.insert(&step.id, end);
        whole = longer(whole, end);
    }
    whole
}

fn after(start: Estimate, step: &Step, spent: Spent) -> Estimate {
    let most = step.timeout.saturating_sub(spent.time);
    let likely = step.expected().saturating_sub(spent.time).max(spent.least.min(most));
    Estimate {
        likely: start.likely + likely,
        measured: start.measured && (step.measured.is_some() || likely < MOMENT),
        most: start.most + most,
    }
}

fn longer(a: Estimate, b: Estimate) -> Estimate {
    let chain = if b.likely > a.likely { b } else { a };
    Estimate { most: a.most.max(b.most), ..chain }
}
