//! What survivors have to carry the load with: headroom and dependencies.

use super::Subject;
use crate::domain::ids::Region;
use crate::runbook::fact::{Fact, RunsOn};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::{View, groups_of, words};

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
        }
        let assumed = needs().filter(|need| need.assumed && need.tasks.is_some()).map(|need| &need.service);
        let assumed: Vec<_> = assumed.collect();
        if !assumed.is_empty() {
            let what = if assumed.len() == 1 { "it is taken to be" } else { "each is taken to be" };
            let names = words::list(&assumed);
            let message =
                format!("nothing is known of {names} in {region}: {what} as large as in {survivor}");
            findings.push(warn(message));
        }
        findings.extend(quota(view, subject, survivor));
        findings.extend(super::addresses::addresses(view, subject, survivor));
    }
    findings
}

/// The vCPUs of all the survivor's tasks against its Fargate quota. Tasks on EC2 do not count; what is not known of a
/// task warns and never blocks. What other applications of the account take of the quota nobody tells.
fn quota(view: &View<'_>, subject: &Subject<'_>, survivor: &Region) -> Option<GuardFinding> {
    let quota = view.facts.number(&Fact::VcpuQuota(survivor.clone())).copied()?;
    let (mut certain, mut possible) = (0.0, 0.0);
    let (mut told, mut unknown) = (Vec::new(), Vec::new());
    for service in view.services(survivor) {
        let key = &service.key;
        let need = subject.needs.iter().find(|need| &need.region == survivor && &need.service == key);
        // A service that carries nobody else's users takes its share of the quota too.
        let now =
            view.facts.service(&Fact::Service(survivor.clone(), key.clone())).map(|state| state.desired);
        let Some(tasks) = need.and_then(|need| need.tasks).or(now).filter(|tasks| *tasks > 0) else {
            continue;
        };
        let size = view.facts.task_size(&Fact::TaskSize(survivor.clone(), key.clone()));
        match size.map(|size| (size.runs_on, size.vcpus)) {
            Some((RunsOn::Elsewhere, _)) => {}
            Some((runs_on, Some(vcpus))) => {
                let all = f64::from(tasks) * vcpus;
                possible += all;
                certain += if runs_on == RunsOn::Fargate { all } else { 0.0 };
                let noun = if tasks == 1 { "task" } else { "tasks" };
                told.push(format!("{tasks} {noun} of {key} at {vcpus} vCPU"));
            }
            Some((_, None)) | None => unknown.push(key),
        }
    }
    let message = format!(
        "{survivor} needs {possible} vCPU ({}), its Fargate quota is {quota} vCPU",
        words::list(told)
    );
    if certain > quota {
        let finding = GuardFinding::block(GuardId::Headroom, subject.emergency(), message);
        return Some(finding.next("ask for a higher quota"));
    }
    if possible > quota {
        let message = format!("{message}; which of these tasks run on Fargate On-Demand is not known");
        return Some(GuardFinding::warn(GuardId::Headroom, message));
    }
    if unknown.is_empty() {
        return None;
    }
    let message = format!(
        "how many vCPU a task of {} in {survivor} takes is not known: whether the Fargate quota of {quota} vCPU is \
         enough cannot be told",
        words::list(unknown)
    );
    Some(GuardFinding::warn(GuardId::Headroom, message))
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
