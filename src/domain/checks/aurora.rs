//! Aurora global clusters: one writer, connected readers, little lag.

use super::reading::millis;
use super::{Fleet, level};
use crate::domain::derive::AuroraRow;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::{GlobalClusterId, Region};

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        for row in &rows.aurora {
            member(fleet, &rows.region, row, &mut findings);
        }
    }
    globals(fleet, &mut findings);
    findings
}

fn found(code: &str, severity: Severity, region: &Region, row: &AuroraRow, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.cluster.as_str(), message)
}

fn member(fleet: &Fleet<'_>, region: &Region, row: &AuroraRow, findings: &mut Vec<Finding>) {
    if let Some(status) = fleet.fresh(&row.status)
        && status.as_str() != "available"
    {
        let severity = if passing(status.as_str()) { Severity::Warning } else { Severity::Critical };
        findings.push(found("aurora.status", severity, region, row, format!("the cluster is {status}")));
    }
    if let Some(0) = fleet.fresh(&row.instances) {
        findings.push(found(
            "aurora.headless",
            Severity::Warning,
            region,
            row,
            "the cluster has no instance: it cannot be promoted in minutes".to_owned(),
        ));
    }
    if let Some(state) = fleet.fresh(&row.synchronization)
        && state.as_str() != "connected"
    {
        findings.push(found(
            "aurora.synchronization",
            Severity::Critical,
            region,
            row,
            format!("synchronisation is {state}: there is no standby here until it ends"),
        ));
    }
    // RPO lag is the data at risk; the replication server's lag speaks where there is none.
    let rpo = fleet.fresh(&row.rpo_lag_ms);
    let (lag, name) = match rpo {
        Some(lag) => (Some(lag), "RPO lag"),
        None => (fleet.fresh(&row.replication_lag_ms), "replication lag"),
    };
    if let Some(lag) = lag
        && let Some((severity, limit)) = level(*lag, fleet.topology.thresholds.aurora_lag_ms)
    {
        let finding = found(
            "aurora.lag",
            severity,
            region,
            row,
            format!("{name} is {}: writes of that time would be lost in a failover", millis(*lag)),
        )
        .because(format!("limit {}", millis(limit)));
        findings.push(match writer_of(fleet, &row.global_cluster) {
            Some(writer) => finding.link_to(writer),
            None => finding,
        });
    }
}

/// Whether a cluster in this state still serves, or does so again by itself: maintenance, and the planned change of
/// a writer, which says of itself that it is under way. A state that is not listed counts as a failure, for RDS
/// names new ones without notice.
fn passing(status: &str) -> bool {
    matches!(
        status,
        "backing-up"
            | "maintenance"
            | "modifying"
            | "promoting"
            | "renaming"
            | "resetting-master-credentials"
            | "storage-optimization"
            | "switching-over"
            | "update-iam-db-auth"
            | "upgrading"
    )
}

/// The region that writes, as far as it is known: the other end of a reader's lag.
pub(super) fn writer_of<'a>(fleet: &'a Fleet<'_>, global: &GlobalClusterId) -> Option<&'a Region> {
    fleet.regions.iter().map(|rows| (&rows.region, &rows.aurora)).find_map(|(region, members)| {
        let writes = |member: &AuroraRow| {
            &member.global_cluster == global
                && member.role.value().is_some_and(|role| role.as_str() == "writer")
        };
        members.iter().any(writes).then_some(region)
    })
}

/// What concerns a global cluster as a whole is said once.
fn globals(fleet: &Fleet<'_>, findings: &mut Vec<Finding>) {
    for global in &fleet.topology.aurora {
        let rows = || {
            fleet.regions.iter().flat_map(|rows| &rows.aurora).filter(|row| row.global_cluster == global.id)
        };
        let Some(any) = rows().next() else { continue };
        let name = global.id.as_str();
        if let Some(Some(failover)) = fleet.fresh(&any.failover) {
            let mut finding = Finding::new(
                "aurora.failover",
                Severity::Warning,
                None,
                name,
                format!("a change of the writer is under way: {}", failover.status),
            );
            if let (Some(from), Some(to)) = (&failover.from, &failover.to) {
                finding = finding.because(format!("from {} to {}", from.short_name(), to.short_name()));
            }
            findings.push(finding);
        } else if let Some(status) = fleet.fresh(&any.global_status)
            && status.as_str() != "available"
        {
            findings.push(Finding::new(
                "aurora.global_status",
                Severity::Warning,
                None,
                name,
                format!("the global cluster is {status}"),
            ));
        }
        let roles: Vec<_> = rows().filter_map(|row| fleet.fresh(&row.role)).collect();
        let all_known = roles.len() == rows().count();
        if all_known && !roles.iter().any(|role| role.as_str() == "writer") {
            findings.push(Finding::new(
                "aurora.no_writer",
                Severity::Critical,
                None,
                name,
                "no region of the topology holds the writer",
            ));
        }
    }
}
