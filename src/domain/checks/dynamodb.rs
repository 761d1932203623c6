//! Global tables: replicas that replicate, in time.

use super::reading::{ago, millis, span};
use super::{Fleet, level};
use crate::domain::derive::{DynamoRow, FUSE_STATES};
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;
use crate::domain::observation::ErrorKind;

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.dynamodb {
            replicas(fleet, &rows.region, row, &mut findings);
            latency(fleet, &rows.region, row, &mut findings);
        }
    }
    findings
}

fn found(code: &str, severity: Severity, region: &Region, row: &DynamoRow, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.table.as_str(), message)
}

fn replicas(fleet: &Fleet<'_>, region: &Region, row: &DynamoRow, findings: &mut Vec<Finding>) {
    if let Some(status) = fleet.fresh(&row.status) {
        match status.as_str() {
            "ACTIVE" => {}
            "UPDATING" => findings.push(found(
                "dynamodb.status",
                Severity::Info,
                region,
                row,
                "the table is being updated".to_owned(),
            )),
            other => {
                findings.push(found(
                    "dynamodb.status",
                    Severity::Critical,
                    region,
                    row,
                    format!("the table is {other}"),
                ));
            }
        }
    }
    for replica in &row.replicas {
        if replica.status.error().is_some_and(|error| error.kind == ErrorKind::NotFound)
            && replica.status.value().is_none()
        {
            findings.push(found(
                "dynamodb.replica_missing",
                Severity::Critical,
                region,
                row,
                format!("{} is not among the table's replicas", replica.region),
            ));
            continue;
        }
        let Some(status) = fleet.fresh(&replica.status) else { continue };
        let now = fleet.snapshot.now;
        if let Some(ends) = replica.fuse_ends {
            let left =
                if ends > now { span(ends.duration_since(now).unsigned_abs()) } else { "no time".into() };
            findings.push(
                found(
                    "dynamodb.fuse",
                    Severity::Critical,
                    region,
                    row,
                    format!("replica {} is {status}: {left} until it is removed for good", replica.region),
                )
                .because(format!("inaccessible for {}", ago(ends - super::super::derive::FUSE, now))),
            );
        } else if FUSE_STATES.contains(&status.as_str()) {
            // A fuse burns whether or not AWS says since when.
            let message = format!(
                "replica {} is {status}, since when is not told: after 20 hours of it it is removed for good",
                replica.region
            );
            findings.push(found("dynamodb.fuse", Severity::Critical, region, row, message));
        } else if !matches!(status.as_str(), "ACTIVE" | "UPDATING") {
            let severity =
                if matches!(status.as_str(), "CREATING") { Severity::Info } else { Severity::Critical };
            let what = if replica.witness { "witness" } else { "replica" };
            findings.push(
                found(
                    "dynamodb.replica",
                    severity,
                    region,
                    row,
                    format!("{what} {} is {status}", replica.region),
                )
                .link_to(&replica.region),
            );
        }
    }
}

fn latency(fleet: &Fleet<'_>, region: &Region, row: &DynamoRow, findings: &mut Vec<Finding>) {
    let thresholds = &fleet.topology.thresholds;
    for (peer, latency, _) in &row.latency_ms {
        let Some(value) = fleet.fresh(latency) else { continue };
        let Some((severity, limit)) = level(*value, thresholds.replication_latency_ms) else { continue };
        let mut finding = found(
            "dynamodb.replication_latency",
            severity,
            region,
            row,
            format!("replication to {peer} takes {}", millis(*value)),
        )
        .link_to(peer)
        .because(format!("limit {}", millis(limit)));
        if *value >= thresholds.replication_latency_severe_ms {
            finding = finding.because("severe: writes of the last minutes exist in one region only");
        }
        findings.push(finding);
    }
    if let Some(throttles) = fleet.fresh(&row.throttles)
        && *throttles > 0.0
    {
        findings.push(found(
            "dynamodb.throttles",
            Severity::Warning,
            region,
            row,
            format!("{throttles:.0} requests throttled in a minute"),
        ));
    }
}
