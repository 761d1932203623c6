//! What survivors have to carry the load with: headroom and dependencies.

use super::Subject;
use crate::domain::ids::Region;
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::{View, groups_of, words};

/// The smallest Fargate task, vCPU: a quota below this many a task cannot be enough.
const SMALLEST_TASK: f64 = 0.25;

/// Capacity after this plan's pre-scale against the need.
pub(super) fn headroom(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let Some(region) = subject.region.filter(|_| subject.evacuates) else { return Vec::new() };
    let warn = |message: String| GuardFinding::warn(GuardId::Headroom, message);
    let mut findings = Vec::new();
    for survivor in subject.survivors {
        let missing = view.missing_services(region, survivor);
        if !missing.is_empty() {
            let message = format!("{survivor} runs no {} to take over from {region}", words::list(missing));
            findings.push(warn(message));
        }
        // Targets of EKS or EC2: users are served by what nobody here can count or let grow.
        if view.services(survivor).is_empty() && !groups_of(view.topology, survivor).is_empty() {
            let message = format!(
                "what serves in {survivor} is no ECS service of the topology: whether it can carry {region} too is not \
                 known, and it is not made to grow"
            );
            findings.push(warn(message));
        }
        let needs = || subject.needs.iter().filter(|need| &need.region == survivor);
        for need in needs() {
            let service = &need.service;
            match (need.tasks, &need.scaling) {
                (None, _) => findings.push(warn(format!("what {service} in {survivor} needs is not known"))),
                (Some(tasks), None) => findings.push(warn(format!(
                    "scaling limits of {service} in {survivor} were never read: it is not made to grow to {tasks} tasks"
                ))),
                (Some(tasks), Some(Some(target))) if target.scale_out_suspended && tasks > target.min => {
                    let message = format!("scale-out of {service} in {survivor} is suspended: it stays at {tasks} tasks");
                    findings.push(warn(message));
                }
                (Some(_), Some(_)) => {}
            }
            if need.assumed && need.tasks.is_some() {
                let message = format!(
                    "nothing is known of {service} in {region}: it is taken to be as large as in {survivor}"
                );
                findings.push(warn(message));
            }
        }
        let tasks: i32 = needs().filter_map(|need| need.tasks).sum();
        findings.extend(quota(view, subject, survivor, tasks));
    }
    findings
}

/// How many vCPUs a task takes is not read: below the smallest size it cannot fit, at one each it may not.
fn quota(view: &View<'_>, subject: &Subject<'_>, survivor: &Region, tasks: i32) -> Option<GuardFinding> {
    let quota = view.facts.number(&Fact::VcpuQuota(survivor.clone())).copied()?;
    let message = format!("{survivor} needs {tasks} tasks, its Fargate quota is {quota:.0} vCPU");
    if f64::from(tasks) * SMALLEST_TASK > quota {
        Some(
            GuardFinding::block(GuardId::Headroom, subject.emergency(), message)
                .next("ask for a higher quota"),
        )
    } else if f64::from(tasks) > quota {
        let message = format!("{message}: tasks of 1 vCPU or more do not fit");
        Some(GuardFinding::warn(GuardId::Headroom, message))
    } else {
        None
    }
}

/// What a survivor's tasks need at their start must not lie in the region that goes.
pub(super) fn dependency(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let Some(region) = subject.region.filter(|_| subject.evacuates) else { return Vec::new() };
    let mut findings = Vec::new();
    for survivor in subject.survivors {
        for service in view.services(survivor) {
            let fact = Fact::Dependencies(survivor.clone(), service.key.clone());
            let needed = view.facts.dependencies(&fact).map_or(&[][..], Vec::as_slice);
            let far: Vec<String> = needed
                .iter()
                .filter(|needed| needed.region.as_ref() == Some(region))
                .map(|needed| format!("{} {}", needed.kind, needed.name))
                .collect();
            if !far.is_empty() {
                let message = format!(
                    "new tasks of {} in {survivor} will not start while {region} is down: {} lies there",
                    service.key,
                    words::list(far)
                );
                findings.push(GuardFinding::block(GuardId::Dependency, subject.emergency(), message));
            }
        }
    }
    findings
}
