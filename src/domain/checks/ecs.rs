//! ECS services: enough tasks, rollouts that end, scaling that may scale.

use super::reading::percent;
use super::{Fleet, level};
use crate::domain::derive::EcsRow;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.ecs {
            tasks(fleet, &rows.region, row, &mut findings);
            rollout(fleet, &rows.region, row, &mut findings);
            scaling(fleet, &rows.region, row, &mut findings);
        }
    }
    findings
}

fn found(code: &str, severity: Severity, region: &Region, row: &EcsRow, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.service.as_str(), message)
}

fn tasks(fleet: &Fleet<'_>, region: &Region, row: &EcsRow, findings: &mut Vec<Finding>) {
    if let Some(status) = fleet.fresh(&row.status)
        && status.as_str() != "ACTIVE"
    {
        findings.push(found(
            "ecs.status",
            Severity::Critical,
            region,
            row,
            format!("the service is {status}"),
        ));
    }
    let (Some(desired), Some(running)) = (fleet.fresh(&row.desired), fleet.fresh(&row.running)) else {
        return;
    };
    if *desired == 0 {
        findings.push(found(
            "ecs.scaled_to_zero",
            Severity::Warning,
            region,
            row,
            "desired count is 0: this region serves nothing of it".to_owned(),
        ));
    } else if running < desired {
        let severity =
            if *running == 0 || running * 2 < *desired { Severity::Critical } else { Severity::Warning };
        let mut finding =
            found("ecs.tasks", severity, region, row, format!("{running} of {desired} tasks run"));
        if let Some(pending) = fleet.fresh(&row.pending) {
            finding = finding.because(format!("{pending} are starting"));
        }
        if let Some(Some(event)) = fleet.fresh(&row.last_event) {
            finding = finding.because(format!("last event: {}", event.message));
        }
        findings.push(finding);
    }
    if let Some(cpu) = fleet.fresh(&row.cpu_percent)
        && let Some((severity, limit)) = level(*cpu, fleet.topology.thresholds.cpu_percent)
    {
        findings.push(
            found(
                "ecs.cpu",
                severity.min(Severity::Warning),
                region,
                row,
                format!("CPU is at {} of what it has reserved", percent(*cpu)),
            )
            .because(format!("limit {}", percent(limit))),
        );
    }
}

fn rollout(fleet: &Fleet<'_>, region: &Region, row: &EcsRow, findings: &mut Vec<Finding>) {
    let Some(deployments) = fleet.fresh(&row.deployments) else { return };
    for deployment in deployments {
        if deployment.rollout.as_ref().is_some_and(|state| state.as_str() == "FAILED") {
            let mut finding =
                found("ecs.rollout", Severity::Critical, region, row, "a deployment has failed".to_owned());
            if let Some(reason) = &deployment.rollout_reason {
                finding = finding.because(reason.clone());
            }
            findings.push(finding);
        } else if deployment.failed_tasks > 0
            && deployment.rollout.as_ref().is_some_and(|state| state.as_str() == "IN_PROGRESS")
        {
            findings.push(found(
                "ecs.failing_tasks",
                Severity::Warning,
                region,
                row,
                format!("{} tasks of the running deployment failed to start", deployment.failed_tasks),
            ));
        }
    }
}

fn scaling(fleet: &Fleet<'_>, region: &Region, row: &EcsRow, findings: &mut Vec<Finding>) {
    let Some(Some(target)) = fleet.fresh(&row.scaling) else { return };
    if target.scale_out_suspended || target.scale_in_suspended || target.scheduled_suspended {
        findings.push(found(
            "ecs.scaling_suspended",
            Severity::Info,
            region,
            row,
            "automatic scaling is suspended, at least in part".to_owned(),
        ));
    }
    if let Some(running) = fleet.fresh(&row.running)
        && *running >= target.max
        && target.max > target.min
    {
        findings.push(found(
            "ecs.at_max",
            Severity::Warning,
            region,
            row,
            format!("{running} tasks run and scaling allows no more than {}", target.max),
        ));
    }
}
