//! Snapshots before anything has answered: everything that the topology names, pending or as last saved.
//!
//! What it is for: the first paint, which waits for no network, and a console that starts with a region,
//! or us-east-1, dark. What it must not do: read files; saved answers are handed in.

use std::collections::{BTreeMap, BTreeSet};

use crate::cloud::calls;
use crate::domain::ids::{BucketName, HostName, Region, ZoneId};
use crate::domain::metric::{Series, SeriesKey};
use crate::domain::observation::{Observed, Source, SourceKind};
use crate::domain::probes::{OUR_REQUEST, host_of, probe_targets};
use crate::domain::shared::Shared;
use crate::domain::snapshot::{DnsSnapshot, FleetSnapshot, ProbeTarget, RegionSnapshot};
use crate::domain::text::Text;
use crate::domain::topology::{RegionEntry, Topology};

impl RegionSnapshot {
    /// What the topology names in `region`, nothing of it asked yet.
    pub fn skeleton(topology: &Topology, region: &Region) -> Self {
        let series = topology.region_series(region).into_iter();
        let metrics: BTreeMap<_, _> = series
            .map(|key| {
                let pending = pending_series(&key, region);
                (key, pending)
            })
            .collect();
        Self { metrics: metrics.into(), ..Self::outline(topology, region) }
    }

    /// The same without series: enough for the first frame, where a series that is not asked for and one that did
    /// not answer yet look alike. A large fleet has thousands.
    pub fn outline(topology: &Topology, region: &Region) -> Self {
        let entry = topology.region(region);
        let at = Some(region);
        let services = || services(entry);
        let load_balancers = || entry.into_iter().flat_map(|entry| &entry.load_balancers);
        let groups = load_balancers().flat_map(|lb| &lb.target_groups);
        let aurora = || topology.aurora_in(region);
        let alarms = entry.into_iter().flat_map(|entry| &entry.alarms);
        let topics = entry.into_iter().flat_map(|entry| &entry.topics);
        Self {
            region: region.clone(),
            identity: pending(SourceKind::Identity, calls::GET_CALLER_IDENTITY, at),
            load_balancers: all(
                load_balancers().map(|lb| lb.arn.clone()),
                SourceKind::Targets,
                calls::DESCRIBE_LOAD_BALANCERS,
                at,
            ),
            target_groups: all(groups.cloned(), SourceKind::Targets, calls::DESCRIBE_TARGET_HEALTH, at),
            services: all(services(), SourceKind::Services, calls::DESCRIBE_SERVICES, at),
            scaling: all(services(), SourceKind::Scaling, calls::DESCRIBE_SCALABLE_TARGETS, at),
            tables: all(
                topology.tables_in(region).map(|table| table.name.clone()),
                SourceKind::Tables,
                calls::DESCRIBE_TABLE,
                at,
            ),
            global_clusters: all(
                aurora().map(|(global, _)| global.id.clone()),
                SourceKind::Aurora,
                calls::DESCRIBE_GLOBAL_CLUSTERS,
                at,
            ),
            db_clusters: all(
                aurora().map(|(_, member)| member.id.clone()),
                SourceKind::Aurora,
                calls::DESCRIBE_DB_CLUSTERS,
                at,
            ),
            buckets: all(
                source_buckets(topology, region),
                SourceKind::Replication,
                calls::GET_BUCKET_REPLICATION,
                at,
            ),
            alarms: all(alarms.cloned(), SourceKind::Alarms, calls::DESCRIBE_ALARMS, at),
            topics: all(topics.cloned(), SourceKind::Topics, calls::GET_TOPIC_ATTRIBUTES, at),
            metrics: Shared::default(),
            probes: probes(topology, region),
        }
    }
}

impl DnsSnapshot {
    /// What the topology names in Route 53, nothing of it asked yet.
    pub fn skeleton(topology: &Topology) -> Self {
        let checks = || topology.health_checks().into_iter();
        let region = Region::new(crate::domain::topology::DNS_REGION);
        let mut metrics = BTreeMap::new();
        for key in topology.dns_series() {
            metrics.insert(key.clone(), pending_series(&key, &region));
        }
        Self {
            identity: pending(SourceKind::Identity, calls::GET_CALLER_IDENTITY, Some(&region)),
            records: all(record_names(topology).into_keys(), SourceKind::Records, calls::LIST_RECORDS, None),
            health_checks: all(checks(), SourceKind::HealthChecks, calls::GET_HEALTH_CHECK, None),
            checkers: all(checks(), SourceKind::Checkers, calls::GET_HEALTH_CHECK_STATUS, None),
            last_failures: all(checks(), SourceKind::Checkers, calls::GET_LAST_FAILURE, None),
            metrics: metrics.into(),
            alarms: all(
                topology.dns.alarms.iter().cloned(),
                SourceKind::Alarms,
                calls::DESCRIBE_ALARMS,
                Some(&region),
            ),
            topics: all(
                topology.dns.topics.iter().cloned(),
                SourceKind::Topics,
                calls::GET_TOPIC_ATTRIBUTES,
                Some(&region),
            ),
            control: topology.probe.control.as_ref().map(|url| ProbeTarget {
                url: Text::new(url),
                via: host_of(url),
                result: pending(SourceKind::Probe, OUR_REQUEST, None),
            }),
        }
    }
}

/// Skeletons of everything, with the saved answers of `seed` where they still belong to the topology.
pub(super) fn seeded(
    topology: &Topology,
    seed: Option<&FleetSnapshot>,
) -> (Vec<RegionSnapshot>, DnsSnapshot) {
    let regions = topology
        .regions
        .iter()
        .map(|entry| {
            let mut region = RegionSnapshot::skeleton(topology, &entry.name);
            if let Some(saved) = seed.and_then(|seed| seed.region(&entry.name)) {
                fill_region(&mut region, saved);
            }
            region
        })
        .collect();
    let mut dns = DnsSnapshot::skeleton(topology);
    if let Some(seed) = seed {
        fill_dns(&mut dns, &seed.dns);
    }
    (regions, dns)
}

/// The names whose records are read, each with its zone.
pub(super) fn record_names(topology: &Topology) -> BTreeMap<HostName, ZoneId> {
    let hostnames =
        topology.hostnames.iter().filter_map(|host| Some((host.name.clone(), host.zone_id.clone()?)));
    let records = topology.records.iter().map(|record| (record.name.clone(), record.zone_id.clone()));
    hostnames.chain(records).collect()
}

/// Buckets of `region` that replicate to another.
pub(super) fn source_buckets(topology: &Topology, region: &Region) -> BTreeSet<BucketName> {
    let rules = topology.replication.iter().filter(|rule| &rule.source_region == region);
    rules.map(|rule| rule.source.clone()).collect()
}

fn services(entry: Option<&RegionEntry>) -> impl Iterator<Item = crate::domain::ids::ServiceKey> {
    entry.into_iter().flat_map(|entry| &entry.services).map(|service| service.key.clone())
}

fn pending<T>(kind: SourceKind, call: &'static str, region: Option<&Region>) -> Observed<T> {
    Observed::pending(Source::new(kind, call, region.cloned()))
}

fn all<K: Ord, T>(
    keys: impl IntoIterator<Item = K>,
    kind: SourceKind,
    call: &'static str,
    region: Option<&Region>,
) -> Shared<BTreeMap<K, Observed<T>>> {
    keys.into_iter().map(|key| (key, pending(kind, call, region))).collect::<BTreeMap<_, _>>().into()
}

fn pending_series(key: &SeriesKey, region: &Region) -> Observed<Series> {
    let spec = key.metric.spec();
    let kind = if spec.percentile { SourceKind::Percentiles } else { SourceKind::Metrics };
    Observed::pending(Source::new(kind, spec.call, Some(region.clone())))
}

/// The requests that show whether a region serves, none made yet.
fn probes(topology: &Topology, region: &Region) -> Vec<ProbeTarget> {
    probe_targets(topology, region)
        .into_iter()
        .map(|(url, via)| ProbeTarget {
            url,
            via,
            result: pending(SourceKind::Probe, OUR_REQUEST, Some(region)),
        })
        .collect()
}

fn fill<T: Clone>(empty: &mut Observed<T>, saved: &Observed<T>) {
    if let Some(reading) = saved.reading() {
        *empty = Observed::from_parts(empty.source().clone(), Some(reading.clone()), None).into_saved();
    }
}

fn fill_all<K: Ord, T: Clone>(empty: &mut BTreeMap<K, Observed<T>>, saved: &BTreeMap<K, Observed<T>>) {
    for (key, observed) in empty {
        if let Some(saved) = saved.get(key) {
            fill(observed, saved);
        }
    }
}

fn fill_probe(empty: &mut ProbeTarget, saved: &[ProbeTarget]) {
    if let Some(saved) = saved.iter().find(|saved| saved.url == empty.url && saved.via == empty.via) {
        fill(&mut empty.result, &saved.result);
    }
}

fn fill_region(region: &mut RegionSnapshot, saved: &RegionSnapshot) {
    fill(&mut region.identity, &saved.identity);
    fill_all(&mut region.load_balancers, &saved.load_balancers);
    fill_all(&mut region.target_groups, &saved.target_groups);
    fill_all(&mut region.services, &saved.services);
    fill_all(&mut region.scaling, &saved.scaling);
    fill_all(&mut region.tables, &saved.tables);
    fill_all(&mut region.global_clusters, &saved.global_clusters);
    fill_all(&mut region.db_clusters, &saved.db_clusters);
    fill_all(&mut region.buckets, &saved.buckets);
    fill_all(&mut region.alarms, &saved.alarms);
    fill_all(&mut region.topics, &saved.topics);
    fill_all(&mut region.metrics, &saved.metrics);
    for probe in &mut region.probes {
        fill_probe(probe, &saved.probes);
    }
}

fn fill_dns(dns: &mut DnsSnapshot, saved: &DnsSnapshot) {
    fill(&mut dns.identity, &saved.identity);
    fill_all(&mut dns.records, &saved.records);
    fill_all(&mut dns.health_checks, &saved.health_checks);
    fill_all(&mut dns.checkers, &saved.checkers);
    fill_all(&mut dns.last_failures, &saved.last_failures);
    fill_all(&mut dns.metrics, &saved.metrics);
    fill_all(&mut dns.alarms, &saved.alarms);
    fill_all(&mut dns.topics, &saved.topics);
    if let (Some(control), Some(saved)) = (&mut dns.control, &saved.control) {
        fill_probe(control, std::slice::from_ref(saved));
    }
}
