//! S3 replication: rules that are on, backlogs that shrink.

use super::reading::span;
use super::{Fleet, level};
use crate::domain::derive::S3Row;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;
use crate::domain::observation::ErrorKind;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.s3 {
            rule(fleet, &rows.region, row, &mut findings);
        }
    }
    findings
}

fn found(code: &str, severity: Severity, region: &Region, row: &S3Row, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.bucket.as_str(), message)
}

fn rule(fleet: &Fleet<'_>, region: &Region, row: &S3Row, findings: &mut Vec<Finding>) {
    let missing = row.status.value().is_none()
        && row.status.error().is_some_and(|error| error.kind == ErrorKind::NotFound);
    if missing {
        findings.push(found(
            "s3.rule",
            Severity::Critical,
            region,
            row,
            format!("rule {} to {} is gone: nothing replicates", row.rule, row.destination),
        ));
    } else if let Some(status) = fleet.fresh(&row.status)
        && status.as_str() != "Enabled"
    {
        findings.push(found(
            "s3.rule",
            Severity::Warning,
            region,
            row,
            format!("rule {} to {} is {status}", row.rule, row.destination),
        ));
    }
    if let Some(seconds) = fleet.fresh(&row.latency_s)
        && let Some((severity, _)) = level(*seconds, fleet.topology.thresholds.s3_latency_seconds)
    {
        findings.push(
            found(
                "s3.latency",
                severity,
                region,
                row,
                format!(
                    "replication to {} is {} behind",
                    row.destination_region,
                    span(std::time::Duration::from_secs_f64(seconds.max(0.0)))
                ),
            )
            .link_to(&row.destination_region),
        );
    }
    if let Some(failed) = fleet.fresh(&row.failed_operations)
        && *failed > 0.0
    {
        findings.push(found(
            "s3.failed",
            Severity::Warning,
            region,
            row,
            format!("{failed:.0} operations failed to replicate in a minute; S3 does not retry them"),
        ));
    }
}
