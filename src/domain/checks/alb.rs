//! Load balancers: what users get, and how many targets could answer them.

use super::reading::{millis, percent};
use super::{Fleet, level};
use crate::domain::derive::AlbRow;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.alb {
            errors(fleet, &rows.region, row, &mut findings);
            targets(fleet, &rows.region, row, &mut findings);
            state(fleet, &rows.region, row, &mut findings);
        }
    }
    findings
}

fn errors(fleet: &Fleet<'_>, region: &Region, row: &AlbRow, findings: &mut Vec<Finding>) {
    let thresholds = &fleet.topology.thresholds;
    if let Some(share) = fleet.fresh(&row.error_5xx_percent)
        && let Some((severity, limit)) = level(*share, thresholds.error_5xx_percent)
    {
        let mut finding = Finding::new(
            "alb.5xx",
            severity,
            Some(region),
            row.name.clone(),
            format!("{} of requests end in 5XX", percent(*share)),
        )
        .because(format!("limit {}", percent(limit)));
        if let Some(rate) = fleet.fresh(&row.requests_per_s) {
            finding = finding.because(format!("{rate:.1} requests/s reach a target"));
        }
        findings.push(finding);
    }
    if let Some(p99) = fleet.fresh(&row.p99_ms)
        && let Some((severity, limit)) = level(*p99, thresholds.p99_ms)
    {
        findings.push(
            Finding::new(
                "alb.p99",
                severity.min(Severity::Warning),
                Some(region),
                row.name.clone(),
                format!("p99 response time is {}", millis(*p99)),
            )
            .because(format!("limit {}", millis(limit))),
        );
    }
}

fn targets(fleet: &Fleet<'_>, region: &Region, row: &AlbRow, findings: &mut Vec<Finding>) {
    for (group, targets) in &row.groups {
        let Some(targets) = fleet.fresh(targets) else { continue };
        let healthy = targets.iter().filter(|target| target.state.as_str() == "healthy").count();
        // Draining and starting targets are on their way; only those that should answer and do not count.
        let ill: Vec<_> = targets
            .iter()
            .filter(|target| {
                matches!(target.state.as_str(), "unhealthy" | "unhealthy.draining" | "unavailable")
            })
            .collect();
        let reasons = reasons(&ill);
        if targets.is_empty() {
            findings.push(Finding::new(
                "alb.no_targets",
                Severity::Critical,
                Some(region),
                row.name.clone(),
                format!("target group {group} has no targets; the load balancer answers 503"),
            ));
        } else if healthy == 0 {
            let mut finding = Finding::new(
                "alb.no_healthy_targets",
                Severity::Critical,
                Some(region),
                row.name.clone(),
                format!("no healthy target in {group} (0 of {})", targets.len()),
            );
            if !ill.is_empty() && ill.len() == targets.len() {
                finding = finding.because("all targets are unhealthy: the group fails open and gets traffic");
            }
            findings.push(with_reasons(finding, reasons));
        } else if !ill.is_empty() {
            findings.push(with_reasons(
                Finding::new(
                    "alb.unhealthy_targets",
                    Severity::Warning,
                    Some(region),
                    row.name.clone(),
                    format!("{} of {} targets in {group} are unhealthy", ill.len(), targets.len()),
                ),
                reasons,
            ));
        }
    }
}

fn with_reasons(finding: Finding, reasons: Vec<String>) -> Finding {
    reasons.into_iter().fold(finding, Finding::because)
}

/// `3x Target.Timeout`, the commonest first.
fn reasons(ill: &[&crate::domain::snapshot::Target]) -> Vec<String> {
    let mut counts: Vec<(String, usize)> = Vec::new();
    for target in ill {
        let reason = match (&target.reason, &target.description) {
            (Some(reason), Some(description)) => format!("{reason}: {description}"),
            (Some(reason), None) => reason.to_string(),
            (None, _) => target.state.to_string(),
        };
        match counts.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, count)) => *count += 1,
            None => counts.push((reason, 1)),
        }
    }
    counts.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    counts.into_iter().take(3).map(|(reason, count)| format!("{count}x {reason}")).collect()
}

fn state(fleet: &Fleet<'_>, region: &Region, row: &AlbRow, findings: &mut Vec<Finding>) {
    let Some(state) = fleet.fresh(&row.state) else { return };
    let severity = match state.as_str() {
        "active" => return,
        "failed" => Severity::Critical,
        _ => Severity::Warning,
    };
    findings.push(Finding::new(
        "alb.state",
        severity,
        Some(region),
        row.name.clone(),
        format!("the load balancer is {state}"),
    ));
}
