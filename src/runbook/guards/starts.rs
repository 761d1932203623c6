//! Whether a survivor's services start tasks at all: capacity that is only wanted serves nobody.
//!
//! What it is for: a service that runs fewer tasks than it wants, or whose newest tasks fail, is named before the plan
//! relies on more of them. What it must not do: block; the plan itself proves the tasks before users depend on them.

use super::Subject;
use crate::domain::snapshot::ServiceState;
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::View;

/// Services of survivors that the plan lets grow, and that do not even start what they want now (`DescribeServices`).
pub(super) fn starts(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    if !subject.evacuates {
        return Vec::new();
    }
    let mut findings = Vec::new();
    for need in subject.needs {
        let fact = Fact::Service(need.region.clone(), need.service.clone());
        let (Some(tasks), Some(state)) = (need.tasks, view.facts.service(&fact)) else { continue };
        let (true, Some(ails)) = (tasks > state.running, ails(state)) else { continue };
        let message = format!(
            "{} in {} {ails}: the {} more that this plan needs may not come up",
            need.service,
            need.region,
            tasks - state.running
        );
        findings.push(
            GuardFinding::warn(GuardId::Headroom, message)
                .next("look at its newest tasks and events before users depend on them"),
        );
    }
    findings
}

/// What is wrong with the starts of a service.
fn ails(state: &ServiceState) -> Option<String> {
    let primary = state.deployments.iter().find(|deployment| deployment.status.as_str() == "PRIMARY");
    let failed = primary.map_or(0, |primary| primary.failed_tasks);
    let gave_up =
        primary.is_some_and(|primary| primary.rollout.as_ref().is_some_and(|word| word.as_str() == "FAILED"));
    let runs = format!("runs {} of {} tasks", state.running, state.desired);
    match (gave_up, failed) {
        (true, _) => Some(format!("{runs} and its deployment has FAILED")),
        (false, 1..) => Some(format!("{runs} and {failed} of its newest tasks failed to start")),
        (false, _) => (state.running < state.desired).then_some(runs),
    }
}
