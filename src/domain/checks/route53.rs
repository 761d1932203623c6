//! Route 53: who is answered, and whether the checks behind it mean what they seem to mean.

use std::collections::BTreeSet;

use super::reading::percent;
use super::{Fleet, RegionRows};
use crate::domain::derive::Route53Row;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::{HealthCheckId, Region};

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for rows in &fleet.regions {
        // A and AAAA records share a check; what is said of a check is said once.
        let mut seen: BTreeSet<HealthCheckId> = BTreeSet::new();
        for row in &rows.route53 {
            record(fleet, &rows.region, row, &mut findings);
            if let Some(check) = &row.health_check
                && seen.insert(check.clone())
            {
                verdict(fleet, &rows.region, row, &mut findings);
            }
        }
        if !rows.route53.is_empty() && fleet.fresh(&rows.in_dns) == Some(&false) {
            findings.push(Finding::new(
                "route53.out_of_dns",
                Severity::Warning,
                Some(&rows.region),
                "",
                "DNS sends no users here",
            ));
        }
    }
    survivors(fleet, &mut findings);
    findings
}

fn found(code: &str, severity: Severity, region: &Region, row: &Route53Row, message: String) -> Finding {
    Finding::new(code, severity, Some(region), row.name.as_str(), message)
}

fn record(fleet: &Fleet<'_>, region: &Region, row: &Route53Row, findings: &mut Vec<Finding>) {
    let what = format!("{} {} {}", row.name, row.record_type, row.set_identifier);
    let what = what.trim_end();
    if fleet.fresh(&row.present) == Some(&false) {
        findings.push(found(
            "route53.record",
            Severity::Critical,
            region,
            row,
            format!("record {what} is not in the zone, or points elsewhere than the topology says"),
        ));
    }
}

fn verdict(fleet: &Fleet<'_>, region: &Region, row: &Route53Row, findings: &mut Vec<Finding>) {
    let disabled = fleet.fresh(&row.disabled) == Some(&true);
    let inverted = fleet.fresh(&row.inverted) == Some(&true);
    match (disabled, inverted) {
        (true, true) => findings.push(found(
            "route53.pinned",
            Severity::Warning,
            region,
            row,
            "the health check is disabled and inverted: the region is pinned out of DNS".to_owned(),
        )),
        (true, false) => findings.push(found(
            "route53.disabled",
            Severity::Warning,
            region,
            row,
            "the health check is disabled, which counts as healthy: DNS will not notice a failure here"
                .to_owned(),
        )),
        (false, true) => findings.push(found(
            "route53.inverted",
            Severity::Warning,
            region,
            row,
            "the health check is inverted: a failing endpoint would bring users back".to_owned(),
        )),
        (false, false) => {}
    }
    let share = fleet.fresh(&row.checkers_percent);
    if fleet.fresh(&row.verdict) == Some(&false) && !disabled {
        let mut finding = found(
            "route53.unhealthy",
            Severity::Critical,
            region,
            row,
            "Route 53 calls the region's endpoint unhealthy".to_owned(),
        );
        if let Some(share) = share {
            finding = finding.because(format!("{} of checkers succeed", percent(*share)));
        }
        if let Some(Some(failure)) = row.last_failure.value() {
            finding = finding.because(failure.reason.clone());
        }
        findings.push(finding);
    } else if let Some(share) = share
        && !disabled
    {
        let limits = fleet.topology.thresholds.checkers_percent;
        let severity = if *share <= limits.critical {
            Severity::Critical
        } else if *share < limits.warning {
            Severity::Warning
        } else {
            return;
        };
        findings.push(found(
            "route53.checkers",
            severity,
            region,
            row,
            format!("only {} of Route 53's checkers reach the endpoint", percent(*share)),
        ));
    }
}

/// What the whole set of regions looks like from DNS.
fn survivors(fleet: &Fleet<'_>, findings: &mut Vec<Finding>) {
    let with_records: Vec<&RegionRows> =
        fleet.regions.iter().filter(|rows| !rows.route53.is_empty()).collect();
    if with_records.len() < 2 {
        return;
    }
    let all_unhealthy = with_records.iter().all(|rows| {
        let verdicts: Vec<_> = rows.route53.iter().filter_map(|row| fleet.fresh(&row.verdict)).collect();
        !verdicts.is_empty() && verdicts.iter().all(|healthy| !**healthy)
    });
    if all_unhealthy {
        findings.push(Finding::new(
            "route53.all_unhealthy",
            Severity::Critical,
            None,
            "",
            "every region is unhealthy for Route 53, so it answers with all of them",
        ));
        return;
    }
    let answered: Vec<&Region> = with_records
        .iter()
        .filter(|rows| fleet.fresh(&rows.in_dns) == Some(&true))
        .map(|rows| &rows.region)
        .collect();
    let settled = with_records.iter().all(|rows| fleet.fresh(&rows.in_dns).is_some());
    if let ([only], true) = (answered.as_slice(), settled) {
        findings.push(Finding::new(
            "route53.last_region",
            Severity::Warning,
            None,
            "",
            format!("{only} is the only region in DNS: do not take it out"),
        ));
    }
}
