//! Our own requests: what a user would get, and whether the fault is ours.

use super::reading::millis;
use super::{Fleet, disagreement, level};
use crate::domain::derive::{self, ProbeRow};
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let ours = our_network(fleet);
    if ours {
        findings.push(
            Finding::new(
                "probe.our_network",
                Severity::Warning,
                None,
                "",
                "the control host and every region fail alike: suspect this machine's own network",
            )
            .blind(),
        );
    }
    for rows in &fleet.regions {
        // One request of ours may fail by chance. While both the load balancer's and Route 53's own
        // requests succeed, a failure is worth a look, not an alarm.
        let contradicted = disagreement::targets(fleet, rows) == Some(true)
            && disagreement::verdict(fleet, rows) == Some(true);
        let severity = if contradicted { Severity::Warning } else { Severity::Critical };
        for row in &rows.probe {
            request(fleet, &rows.region, row, ours, severity, &mut findings);
        }
    }
    findings
}

/// True when the control request outside AWS fails, and so does every request to a region.
fn our_network(fleet: &Fleet<'_>) -> bool {
    let Some(control) = derive::control(fleet.snapshot) else { return false };
    let failed = |row: &ProbeRow| {
        row.status.error().is_some_and(|error| error.kind.blames_region())
            && fleet.fresh(&row.status).is_none()
    };
    let mut asked = fleet.regions.iter().flat_map(|rows| &rows.probe).peekable();
    asked.peek().is_some() && failed(&control) && asked.all(failed)
}

fn found(code: &str, severity: Severity, region: &Region, row: &ProbeRow, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.url.clone(), message)
}

fn request(
    fleet: &Fleet<'_>,
    region: &Region,
    row: &ProbeRow,
    ours: bool,
    severity: Severity,
    findings: &mut Vec<Finding>,
) {
    if let Some(error) = row.status.error() {
        if error.kind.blames_region() && !ours {
            findings.push(
                found(
                    "probe.failed",
                    severity,
                    region,
                    row,
                    format!("our request got no answer: {}", error.message),
                )
                .because(format!("sent to {}", row.via)),
            );
        }
        return;
    }
    let Some(status) = fleet.fresh(&row.status) else { return };
    match status {
        500.. => findings.push(found(
            "probe.status",
            severity,
            region,
            row,
            format!("our request got HTTP {status}"),
        )),
        400..=499 => findings.push(found(
            "probe.status",
            Severity::Warning,
            region,
            row,
            format!("our request got HTTP {status}"),
        )),
        _ => {}
    }
    if let Some(Some(why)) = fleet.fresh(&row.certificate_error) {
        findings.push(found(
            "probe.certificate",
            Severity::Critical,
            region,
            row,
            format!("the certificate is not valid for users: {why}"),
        ));
    } else if let Some(days) = fleet.fresh(&row.certificate_days) {
        let limits = fleet.topology.thresholds.certificate_days;
        let severity = if *days <= limits.critical {
            Some(Severity::Critical)
        } else if *days <= limits.warning {
            Some(Severity::Warning)
        } else {
            None
        };
        if let Some(severity) = severity {
            findings.push(found(
                "probe.certificate",
                severity,
                region,
                row,
                format!("the certificate ends in {days:.0} days"),
            ));
        }
    }
    if let Some(total) = fleet.fresh(&row.total_ms)
        && let Some((severity, limit)) = level(*total, fleet.topology.thresholds.probe_ms)
    {
        findings.push(
            found(
                "probe.slow",
                severity.min(Severity::Warning),
                region,
                row,
                format!("our request took {}", millis(*total)),
            )
            .because(format!("limit {}", millis(limit))),
        );
    }
}
