//! Route 53: records as they are in the zone, verdicts of their health checks, and whom DNS would answer.
//!
//! The rules of answering (aws-facts sections 0 and 5): a disabled check is healthy unless it is inverted
//! too; a record without a check is healthy; when every record of a set is unhealthy all are answered.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::reading::{Metrics, absent, never_asked};
use super::{History, Route53Row};
use crate::domain::ids::{HealthCheckId, HostName, Region};
use crate::domain::metric::Metric;
use crate::domain::observation::{ErrorKind, Observed, Reading, SourceKind};
use crate::domain::snapshot::{FleetSnapshot, RecordSet};
use crate::domain::topology::{DNS_REGION, LoadBalancer, Record, RoutingPolicy, Topology};

/// Rows of the records that lead to `region`, in the order of the topology.
pub fn route53(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<Route53Row> {
    route53_by(topology, snapshot, region, &Healths::of(topology, snapshot))
}

/// The same for healths that are already known.
pub(crate) fn route53_by(
    topology: &Topology,
    snapshot: &FleetSnapshot,
    region: &Region,
    healths: &Healths,
) -> Vec<Route53Row> {
    records_of(topology, region).map(|record| row(record, snapshot, healths)).collect()
}

/// Whether DNS would send users to `region`: true when any record of a public name that leads there would
/// be answered, false when none would, unknown while that depends on something unknown.
///
/// A plain record of another name (`eu-west-1.api.example.com`, which a health check asks) is always
/// answered and chooses nothing: it says where the region is, not that users are sent there.
pub fn in_dns(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Observed<bool> {
    in_dns_by(topology, region, &route53(topology, snapshot, region))
}

/// The same for the rows of all records that lead to `region`.
pub(crate) fn in_dns_by(topology: &Topology, region: &Region, rows: &[Route53Row]) -> Observed<bool> {
    let public = |record: &Record| {
        record.policy != RoutingPolicy::Simple
            || topology.hostnames.iter().any(|hostname| hostname.name == record.name)
    };
    let mut result: Option<&Observed<bool>> = None;
    for (_, row) in records_of(topology, region).zip(rows).filter(|(record, _)| public(record)) {
        let answers = &row.answers;
        let better = match (result, answers.value()) {
            (None, _) | (Some(_), Some(true)) => true,
            // A record that would be answered settles it; an unknown one outweighs a negative.
            (Some(known), None) => known.value() == Some(&false),
            (Some(_), Some(false)) => false,
        };
        if better {
            result = Some(answers);
            if answers.value() == Some(&true) {
                break;
            }
        }
    }
    result
        .cloned()
        .unwrap_or_else(|| never_asked(SourceKind::Records, "route53:ListResourceRecordSets", None))
}

fn records_of<'a>(topology: &'a Topology, region: &'a Region) -> impl Iterator<Item = &'a Record> {
    topology.records.iter().filter(move |record| &record.region == region)
}

fn row(record: &Record, snapshot: &FleetSnapshot, healths: &Healths) -> Route53Row {
    let dns = &snapshot.dns;
    let found = in_zone(record, snapshot);
    let unchecked = |kind, call: &'static str| -> Observed<bool> {
        let pending: Observed<bool> = never_asked(kind, call, None);
        let source = pending.source().clone();
        let error = absent(&source, ErrorKind::NotConfigured, snapshot.now, "the record has no health check");
        Observed::failed(source, error)
    };
    let config = record.health_check.as_ref().map(|check| {
        dns.health_checks
            .get(check)
            .cloned()
            .unwrap_or_else(|| never_asked(SourceKind::HealthChecks, "route53:GetHealthCheck", None))
    });
    let checkers = record.health_check.as_ref().map(|check| {
        dns.checkers
            .get(check)
            .cloned()
            .unwrap_or_else(|| never_asked(SourceKind::Checkers, "route53:GetHealthCheckStatus", None))
    });
    let none = || unchecked(SourceKind::HealthChecks, "route53:GetHealthCheck");
    let metrics = Metrics(&dns.metrics);
    let dns_region = Region::new(DNS_REGION);
    Route53Row {
        name: record.name.clone(),
        record_type: record.record_type.as_str().into(),
        set_identifier: record.set_identifier.clone().unwrap_or_default(),
        policy: found.value().and_then(|set| set.as_ref()).map_or(record.policy, |set| set.policy),
        present: found.map(|set| set.as_ref().is_some_and(|set| points_at(set, record))),
        weight: found.map(|set| set.as_ref().and_then(|set| set.weight)),
        health_check: record.health_check.clone(),
        verdict: record.health_check.as_ref().map_or_else(none, |check| verdict(check, snapshot)),
        checkers_percent: record.health_check.as_ref().map_or_else(
            || none().map(|_| 0.0),
            |check| {
                metrics.latest(
                    Metric::HealthCheckPercentageHealthy,
                    &[check.as_str()],
                    &dns_region,
                    "no points: checkers do not ask while a check is disabled",
                )
            },
        ),
        checkers_healthy: checkers
            .as_ref()
            .map_or_else(|| none().map(|_| 0), |tally| tally.map(|tally| tally.healthy)),
        checkers_total: checkers.map_or_else(|| none().map(|_| 0), |tally| tally.map(|tally| tally.total)),
        inverted: config.as_ref().map_or_else(none, |config| config.map(|config| config.inverted)),
        disabled: config.as_ref().map_or_else(none, |config| config.map(|config| config.disabled)),
        endpoint: config
            .map_or_else(|| none().map(|_| "".into()), |config| config.map(|config| config.endpoint.clone())),
        last_failure: record.health_check.as_ref().map_or_else(
            || none().map(|_| None),
            |check| {
                dns.last_failures.get(check).cloned().unwrap_or_else(|| {
                    never_asked(SourceKind::Checkers, "route53:GetHealthCheckLastFailureReason", None)
                })
            },
        ),
        answers: answers(record, snapshot, healths),
        checkers_history: record.health_check.as_ref().map_or_else(
            || History::from_iter([]),
            |check| metrics.history(Metric::HealthCheckPercentageHealthy, &[check.as_str()]),
        ),
    }
}

/// Route 53's verdict (inversion included): the newest HealthCheckStatus.
fn verdict(check: &HealthCheckId, snapshot: &FleetSnapshot) -> Observed<bool> {
    Metrics(&snapshot.dns.metrics)
        .latest(
            Metric::HealthCheckStatus,
            &[check.as_str()],
            &Region::new(DNS_REGION),
            "Route 53 publishes no verdict for this check",
        )
        .map(|status| *status > 0.5)
}

/// The record set as it is in the zone; `None` inside when it is not there.
fn in_zone(record: &Record, snapshot: &FleetSnapshot) -> Observed<Option<RecordSet>> {
    snapshot.dns.records.get(&record.name).map_or_else(
        || never_asked(SourceKind::Records, "route53:ListResourceRecordSets", None),
        |sets| sets.map(|sets| sets.iter().find(|set| is(set, record)).cloned()),
    )
}

fn is(set: &RecordSet, record: &Record) -> bool {
    set.name == record.name
        && set.record_type.as_str() == record.record_type
        && set.set_identifier == record.set_identifier
}

fn points_at(set: &RecordSet, record: &Record) -> bool {
    set.alias.as_ref().is_some_and(|alias| alias.dns_name == record.alias_target)
}

/// What is known of one record's health, as Route 53 would see it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum RecordHealth {
    Healthy,
    Unhealthy,
    Unknown,
}

/// Whether Route 53 would answer with this record. The time is that of the record listing, or of the
/// verdict where that is older.
fn answers(record: &Record, snapshot: &FleetSnapshot, healths: &Healths) -> Observed<bool> {
    let listing = in_zone(record, snapshot);
    let Some(sets) = snapshot.dns.records.get(&record.name).and_then(Observed::reading) else {
        return listing.map(|_| false);
    };
    let Some(own) = sets.value.iter().find(|set| is(set, record)) else {
        return listing.map(|_| false);
    };
    let group: Vec<(&RecordSet, RecordHealth)> = sets
        .value
        .iter()
        .filter(|set| set.name == own.name && set.record_type == own.record_type)
        .map(|set| (set, healths.of_set(set)))
        .collect();
    let decided = decide(own, &group);
    let as_of = verdict_time(own, snapshot).map_or(sets.as_of, |verdict| verdict.min(sets.as_of));
    match decided {
        Some(value) => Observed::from_parts(
            listing.source().clone(),
            Some(Reading { value, as_of, saved: sets.saved }),
            listing.error().cloned(),
        ),
        None => {
            let unknown = absent(
                listing.source(),
                ErrorKind::NoData,
                snapshot.now,
                "depends on a verdict or on target health that is not known now",
            );
            Observed::from_parts(listing.source().clone(), None, listing.error().cloned().or(Some(unknown)))
        }
    }
}

fn verdict_time(set: &RecordSet, snapshot: &FleetSnapshot) -> Option<Timestamp> {
    verdict(set.health_check.as_ref()?, snapshot).as_of()
}

fn decide(own: &RecordSet, group: &[(&RecordSet, RecordHealth)]) -> Option<bool> {
    let mine = group.iter().find(|(set, _)| std::ptr::eq(*set, own)).map(|(_, health)| *health)?;
    let others: Vec<RecordHealth> =
        group.iter().filter(|(set, _)| !std::ptr::eq(*set, own)).map(|(_, health)| *health).collect();
    match own.policy {
        RoutingPolicy::Failover => decide_failover(own, group),
        RoutingPolicy::Weighted if own.weight == Some(0) => {
            // Weight 0 serves only when every record with a weight is unhealthy, or none has one.
            let weighty = || group.iter().filter(|(set, _)| set.weight.unwrap_or(0) > 0);
            if weighty().any(|(_, health)| *health == RecordHealth::Healthy) {
                Some(false)
            } else if weighty().any(|(_, health)| *health == RecordHealth::Unknown) {
                None
            } else {
                among(mine, &others)
            }
        }
        _ => among(mine, &others),
    }
}

/// Healthy ones are answered; when none is healthy, all are. A record whose health is not known is still
/// answered for certain when all others are unhealthy.
fn among(mine: RecordHealth, others: &[RecordHealth]) -> Option<bool> {
    let all_unhealthy = others.iter().all(|health| *health == RecordHealth::Unhealthy);
    match mine {
        RecordHealth::Healthy => Some(true),
        RecordHealth::Unhealthy if all_unhealthy => Some(true),
        RecordHealth::Unhealthy => others.contains(&RecordHealth::Healthy).then_some(false),
        RecordHealth::Unknown => all_unhealthy.then_some(true),
    }
}

/// The primary while it is healthy, the secondary while only it is; the primary when neither is.
fn decide_failover(own: &RecordSet, group: &[(&RecordSet, RecordHealth)]) -> Option<bool> {
    let of = |role: &str| {
        group
            .iter()
            .find(|(set, _)| set.selector.as_ref().is_some_and(|selector| selector.as_str() == role))
            .map(|(_, health)| *health)
    };
    let primary = of("PRIMARY").unwrap_or(RecordHealth::Unhealthy);
    let secondary = of("SECONDARY").unwrap_or(RecordHealth::Unhealthy);
    let primary_answers = match (primary, secondary) {
        (RecordHealth::Healthy, _) | (RecordHealth::Unhealthy, RecordHealth::Unhealthy) => true,
        (RecordHealth::Unhealthy, RecordHealth::Healthy) => false,
        _ => return None,
    };
    let is_primary = own.selector.as_ref().is_some_and(|selector| selector.as_str() == "PRIMARY");
    Some(is_primary == primary_answers)
}

/// The health of everything that records lean on, judged once a snapshot and not once a record: each record looks at
/// all records beside it.
#[derive(PartialEq, Eq)]
pub(crate) struct Healths {
    checks: BTreeMap<HealthCheckId, RecordHealth>,
    balancers: BTreeMap<HostName, RecordHealth>,
}

impl Healths {
    pub(crate) fn of(topology: &Topology, snapshot: &FleetSnapshot) -> Self {
        let sets = || snapshot.dns.records.values().filter_map(Observed::value).flatten();
        let checks = sets().filter_map(|set| set.health_check.clone()).collect::<BTreeSet<_>>();
        let balancers = topology.regions.iter().flat_map(|entry| {
            let judged =
                |lb: &LoadBalancer| (lb.dns_name.clone(), by_target(lb, &entry.name, topology, snapshot));
            entry.load_balancers.iter().map(judged)
        });
        Self {
            balancers: balancers.rev().collect(),
            checks: checks.into_iter().map(|check| (check.clone(), by_check(&check, snapshot))).collect(),
        }
    }

    /// Both the check and, where the alias asks for it, the load balancer's own health must be good.
    fn of_set(&self, set: &RecordSet) -> RecordHealth {
        let known = |health: Option<&RecordHealth>| health.copied().unwrap_or(RecordHealth::Unknown);
        let by_check = match &set.health_check {
            Some(check) => known(self.checks.get(check)),
            None => RecordHealth::Healthy,
        };
        let by_target = match &set.alias {
            Some(alias) if alias.evaluate_target_health => known(self.balancers.get(&alias.dns_name)),
            _ => RecordHealth::Healthy,
        };
        match (by_check, by_target) {
            (RecordHealth::Unhealthy, _) | (_, RecordHealth::Unhealthy) => RecordHealth::Unhealthy,
            (RecordHealth::Healthy, RecordHealth::Healthy) => RecordHealth::Healthy,
            _ => RecordHealth::Unknown,
        }
    }
}

fn by_check(check: &HealthCheckId, snapshot: &FleetSnapshot) -> RecordHealth {
    let config = snapshot.dns.health_checks.get(check).and_then(Observed::value);
    if let Some(config) = config.filter(|config| config.disabled) {
        return if config.inverted { RecordHealth::Unhealthy } else { RecordHealth::Healthy };
    }
    match verdict(check, snapshot).value() {
        Some(true) => RecordHealth::Healthy,
        Some(false) => RecordHealth::Unhealthy,
        None => RecordHealth::Unknown,
    }
}

/// An ALB is unhealthy for Route 53 when any of its target groups holds only unhealthy targets. A group
/// without targets is documented both ways, so it leaves the answer unknown.
fn by_target(
    lb: &LoadBalancer,
    region: &Region,
    topology: &Topology,
    snapshot: &FleetSnapshot,
) -> RecordHealth {
    let Some(observed) = snapshot.region(region) else { return RecordHealth::Unknown };
    let mut unknown = lb.target_groups.is_empty();
    for group in &lb.target_groups {
        let targets = observed
            .target_groups
            .get(group)
            .filter(|targets| !targets.is_stale(snapshot.now, &topology.freshness));
        match targets.and_then(Observed::value) {
            Some(targets) if targets.is_empty() => unknown = true,
            Some(targets) => {
                if !targets.iter().any(|target| target.state.as_str() == "healthy") {
                    return RecordHealth::Unhealthy;
                }
            }
            None => unknown = true,
        }
    }
    if unknown { RecordHealth::Unknown } else { RecordHealth::Healthy }
}
