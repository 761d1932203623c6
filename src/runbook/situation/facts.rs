//! The console's snapshot as facts, and facts laid over a snapshot.
//!
//! What it is for: planning reads one bag of facts, whether the console has watched for hours or a command line
//! has asked a moment ago; and the rules of DNS, which `domain` computes from a snapshot, see the freshest of both.
//! What it must not do: lose a value's time, its error or the mark that it was saved.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::domain::derive;
use crate::domain::ids::{HostName, Region, ZoneId};
use crate::domain::metric::{Metric, PERIOD, SeriesKey};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, Reading};
use crate::domain::snapshot::{FleetSnapshot, ProbeResult, ProbeTarget, RegionSnapshot};
use crate::domain::topology::{DNS_REGION, LoadBalancerKind, Topology};
use crate::runbook::fact::{Fact, Facts, Known};

impl Facts {
    /// Everything of a snapshot that is a fact. What was never asked is left out; what failed keeps its error
    /// beside the last reading, and what comes from the saved baseline its mark.
    pub fn of_fleet(fleet: &FleetSnapshot, topology: &Topology) -> Self {
        let mut bag = Bag(Self::new());
        for region in &fleet.regions {
            of_region(&mut bag, region, fleet, topology);
        }
        let dns = &fleet.dns;
        bag.add(Fact::Identity("dns".into()), &dns.identity, Known::Identity);
        let zones = zones_of(topology);
        for (name, sets) in &dns.records {
            if let Some(zone) = zones.get(name) {
                bag.add(Fact::Records(zone.clone(), name.clone()), sets, Known::Records);
            }
        }
        for (check, config) in &dns.health_checks {
            bag.add(Fact::HealthCheck(check.clone()), config, Known::HealthCheck);
        }
        bag.0
    }
}

struct Bag(Facts);

impl Bag {
    fn add<T: Clone>(&mut self, fact: Fact, observed: &Observed<T>, known: impl Fn(T) -> Known) {
        if !observed.is_pending() {
            self.0.insert(fact, observed.map(|value| known(value.clone())));
        }
    }
}

fn of_region(bag: &mut Bag, seen: &RegionSnapshot, fleet: &FleetSnapshot, topology: &Topology) {
    let region = &seen.region;
    bag.add(Fact::Identity(region.as_str().into()), &seen.identity, Known::Identity);
    for (group, targets) in &seen.target_groups {
        bag.add(Fact::Targets(region.clone(), group.clone()), targets, Known::Targets);
    }
    for (key, service) in &seen.services {
        bag.add(Fact::Service(region.clone(), key.clone()), service, Known::Service);
    }
    for (key, scaling) in &seen.scaling {
        bag.add(Fact::Scaling(region.clone(), key.clone()), scaling, Known::Scaling);
    }
    for (name, table) in &seen.tables {
        bag.add(Fact::Table(region.clone(), name.clone()), table, Known::Table);
    }
    for (id, global) in &seen.global_clusters {
        bag.add(Fact::GlobalCluster(region.clone(), id.clone()), global, Known::GlobalCluster);
    }
    for (id, cluster) in &seen.db_clusters {
        bag.add(Fact::DbCluster(region.clone(), id.clone()), cluster, Known::DbCluster);
    }
    for (_, member) in topology.aurora_in(region) {
        // The last point however old: with its time it is the best estimate of what a promotion would lose.
        let key = SeriesKey::new(Metric::AuroraRpoLag, &[member.id.as_str()]);
        let Some(series) = seen.metrics.get(&key) else { continue };
        let newest = series.reading().and_then(|reading| {
            let point = reading.value.last()?;
            Some(Reading { value: point.value, as_of: point.at + PERIOD, saved: reading.saved })
        });
        let lag = Observed::from_parts(series.source().clone(), newest, series.error().cloned());
        bag.add(Fact::RpoLag(region.clone(), member.id.clone()), &lag, Known::Number);
    }
    if let Some(probe) = worst(&seen.probes) {
        bag.add(Fact::Probe(region.clone()), &probe.result, Known::Probe);
    }
    let rows = derive::alb(topology, fleet, region);
    let rows: Vec<_> = rows.iter().filter(|row| row.kind == LoadBalancerKind::Application).collect();
    if let Some(first) = rows.first() {
        let readings: Option<Vec<_>> = rows.iter().map(|row| row.requests_per_s.reading()).collect();
        let hours: Vec<_> = rows.iter().map(|row| row.requests_history.values()).collect();
        let minutes = traffic(&hours.iter().map(AsRef::as_ref).collect::<Vec<_>>());
        let oldest = readings.and_then(|readings| readings.into_iter().min_by_key(|reading| reading.as_of));
        let reading = oldest.filter(|_| !minutes.is_empty()).map(|oldest| Reading {
            value: minutes,
            as_of: oldest.as_of,
            saved: oldest.saved,
        });
        let error = rows.iter().find_map(|row| row.requests_per_s.error().cloned());
        let requests = Observed::from_parts(first.requests_per_s.source().clone(), reading, error);
        bag.add(Fact::Requests(region.clone()), &requests, Known::Numbers);
    }
    // With several load balancers the worst share stands for the region: a mean would hide the one that fails.
    let value = |row: &&&derive::AlbRow| row.error_5xx_percent.value().copied().unwrap_or(-1.0);
    if let Some(row) = rows.iter().max_by(|a, b| value(a).total_cmp(&value(b))) {
        bag.add(Fact::Errors(region.clone()), &row.error_5xx_percent, Known::Number);
    }
}

/// Requests a minute of the newest minutes that are known without a gap, oldest first.
fn traffic(histories: &[&[Option<f64>]]) -> Vec<f64> {
    let length = histories.iter().map(|history| history.len()).min().unwrap_or(0);
    let minute = |back: usize| -> Option<f64> {
        histories.iter().map(|history| history[history.len() - 1 - back].map(|rate| rate * 60.0)).sum()
    };
    let mut minutes: Vec<f64> =
        (0..length).map(minute).skip_while(Option::is_none).take_while(Option::is_some).flatten().collect();
    minutes.reverse();
    minutes
}

/// Of a region's requests the one that fares worst: each of them stands for some of its users.
fn worst(probes: &[ProbeTarget]) -> Option<&ProbeTarget> {
    let badness = |probe: &ProbeTarget| match (probe.result.error(), probe.result.value()) {
        (Some(_), _) => 3,
        (None, Some(ProbeResult { status: 500.., .. })) => 2,
        (None, None) => 1,
        (None, Some(_)) => 0,
    };
    // The first of equals, so that the same snapshot gives the same fact.
    probes.iter().rev().max_by_key(|probe| badness(probe))
}

/// The zone of each name whose records are read.
fn zones_of(topology: &Topology) -> BTreeMap<HostName, ZoneId> {
    let hostnames =
        topology.hostnames.iter().filter_map(|host| Some((host.name.clone(), host.zone_id.clone()?)));
    let records = topology.records.iter().map(|record| (record.name.clone(), record.zone_id.clone()));
    hostnames.chain(records).collect()
}

/// The snapshot with the facts that the rules of DNS look at: records, health checks, targets.
pub(super) fn laid_over(fleet: &FleetSnapshot, facts: &Facts, now: jiff::Timestamp) -> FleetSnapshot {
    let mut fleet = FleetSnapshot { now, ..fleet.clone() };
    for (fact, observed) in facts.iter() {
        match fact {
            Fact::Records(_, name) => {
                let sets = typed(observed, |known| match known {
                    Known::Records(sets) => Some(sets.clone()),
                    _ => None,
                });
                Arc::make_mut(&mut fleet.dns).records.insert(name.clone(), sets);
            }
            Fact::HealthCheck(check) => {
                let config = typed(observed, |known| match known {
                    Known::HealthCheck(config) => Some(config.clone()),
                    _ => None,
                });
                Arc::make_mut(&mut fleet.dns).health_checks.insert(check.clone(), config);
            }
            Fact::Targets(region, group) => {
                let targets = typed(observed, |known| match known {
                    Known::Targets(targets) => Some(targets.clone()),
                    _ => None,
                });
                let here = fleet.regions.iter_mut().find(|seen| &seen.region == region);
                if let Some(seen) = here {
                    Arc::make_mut(seen).target_groups.insert(group.clone(), targets);
                }
            }
            _ => {}
        }
    }
    fleet
}

fn typed<T>(observed: &Observed<Known>, of: impl Fn(&Known) -> Option<T>) -> Observed<T> {
    observed.and_then(|known| {
        of(known).ok_or_else(|| ProbeError {
            kind: ErrorKind::NotFound,
            call: observed.source().call.clone(),
            region: Some(observed.source().region.clone().unwrap_or_else(|| Region::new(DNS_REGION))),
            message: "it does not exist".into(),
            request_id: None,
            at: observed.as_of().unwrap_or_default(),
            next_step: "".into(),
        })
    })
}
