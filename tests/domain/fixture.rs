//! A small fleet, healthy in every respect, that a test spoils in one.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::health::Verdict;
use switchtower::domain::ids::{HealthCheckId, Region};
use switchtower::domain::metric::{Metric, Point, Series, SeriesKey};
use switchtower::domain::observation::{ErrorKind, Observed, ProbeError};
use switchtower::domain::pin::Pins;
use switchtower::domain::snapshot::{
    AlarmState, AliasTarget, ConsistencyMode, DbClusterState, Deployment, GlobalClusterState, GlobalMember,
    HealthCheckConfig, Identity, LoadBalancerState, ProbeResult, RecordSet, Replica, ReplicationRule,
    ScalableTarget, ServiceState, TableState, Target, TopicState, Usage,
};
use switchtower::domain::{DnsSnapshot, FleetSnapshot, RegionSnapshot, Topology, checks};

pub(crate) const NOW: &str = "2026-11-21T03:00:30Z";

pub(crate) struct World {
    pub(crate) topology: Topology,
    pub(crate) regions: Vec<RegionSnapshot>,
    pub(crate) dns: DnsSnapshot,
    pub(crate) now: Timestamp,
    pub(crate) pins: Arc<Pins>,
}

pub(crate) fn region(name: &str) -> Region {
    Region::new(name)
}

/// The newest whole minute that CloudWatch has told.
pub(crate) fn window_end() -> Timestamp {
    "2026-11-21T02:59:00Z".parse().unwrap()
}

pub(crate) fn topology() -> Topology {
    toml::from_str(include_str!("topology.toml")).unwrap()
}

pub(crate) fn error(kind: ErrorKind, at: Timestamp) -> ProbeError {
    ProbeError {
        kind,
        call: "ecs:DescribeServices".into(),
        region: None,
        message: "Rate exceeded".into(),
        request_id: Some("req-1".into()),
        at,
        next_step: "".into(),
    }
}

/// An hour of the same value.
pub(crate) fn flat(value: f64) -> Series {
    series((1..=60).map(|back| (back, value)))
}

/// Points by minutes before the end of the window.
pub(crate) fn series(points: impl IntoIterator<Item = (i64, f64)>) -> Series {
    Series::new(
        points
            .into_iter()
            .map(|(back, value)| Point { at: window_end() - SignedDuration::from_mins(back), value }),
    )
}

impl World {
    /// Everything answered ten seconds ago, and all is well.
    pub(crate) fn healthy() -> Self {
        Self::healthy_in(topology())
    }

    /// The same for any topology.
    pub(crate) fn healthy_in(topology: Topology) -> Self {
        let now: Timestamp = NOW.parse().unwrap();
        let mut world = Self {
            regions: topology
                .regions
                .iter()
                .map(|entry| RegionSnapshot::skeleton(&topology, &entry.name))
                .collect(),
            dns: DnsSnapshot::skeleton(&topology),
            topology,
            now,
            pins: Arc::default(),
        };
        world.fill();
        world
    }

    /// Nothing answered yet.
    pub(crate) fn unread() -> Self {
        let healthy = Self::healthy();
        Self {
            regions: healthy
                .topology
                .regions
                .iter()
                .map(|entry| RegionSnapshot::skeleton(&healthy.topology, &entry.name))
                .collect(),
            dns: DnsSnapshot::skeleton(&healthy.topology),
            ..healthy
        }
    }

    pub(crate) fn snapshot(&self) -> FleetSnapshot {
        FleetSnapshot {
            now: self.now,
            regions: self.regions.iter().cloned().map(Arc::new).collect(),
            dns: Arc::new(self.dns.clone()),
            usage: Usage::default(),
            pins: self.pins.clone(),
        }
    }

    pub(crate) fn verdict(&self) -> Verdict {
        checks::verdict(&self.topology, &self.snapshot())
    }

    /// `severity code region resource`, a line each, as the checks order them.
    pub(crate) fn codes(&self) -> Vec<String> {
        self.verdict()
            .findings
            .iter()
            .map(|finding| {
                let region = finding.region.as_ref().map_or("-", |region| region.as_str());
                format!("{} {} {region}", finding.severity.word(), finding.code)
            })
            .collect()
    }

    pub(crate) fn set(&mut self, region: usize, metric: Metric, dimensions: &[&str], series: Series) {
        let observed = self.regions[region].metrics.get_mut(&SeriesKey::new(metric, dimensions)).unwrap();
        observed.succeed(series, window_end());
    }

    pub(crate) fn set_dns(&mut self, metric: Metric, check: &str, series: Series) {
        let key = SeriesKey::new(metric, &[check]);
        self.dns.metrics.get_mut(&key).unwrap().succeed(series, window_end());
    }

    fn fill(&mut self) {
        let at = self.now - SignedDuration::from_secs(10);
        let names: Vec<Region> = self.topology.regions.iter().map(|entry| entry.name.clone()).collect();
        for (index, snapshot) in self.regions.iter_mut().enumerate() {
            let region = &names[index];
            let me = Identity {
                account: "123456789012".into(),
                arn: "arn:aws:iam::123456789012:user/oncall".into(),
                expires: None,
            };
            snapshot.identity.succeed(me, at);
            for state in snapshot.load_balancers.values_mut() {
                state.succeed(LoadBalancerState { state: "active".into(), reason: None }, at);
            }
            for targets in snapshot.target_groups.values_mut() {
                targets.succeed((1..=4).map(|n| target(n, "healthy")).collect(), at);
            }
            for service in snapshot.services.values_mut() {
                service.succeed(service_state(4, 4), at);
            }
            for scaling in snapshot.scaling.values_mut() {
                let limits = ScalableTarget {
                    min: 2,
                    max: 20,
                    scale_in_suspended: false,
                    scale_out_suspended: false,
                    scheduled_suspended: false,
                };
                scaling.succeed(Some(limits), at);
            }
            for table in snapshot.tables.values_mut() {
                let replicas = names
                    .iter()
                    .filter(|peer| *peer != region)
                    .map(|peer| Replica {
                        region: peer.clone(),
                        status: "ACTIVE".into(),
                        description: None,
                        inaccessible_since: None,
                    })
                    .collect();
                let state = TableState {
                    status: "ACTIVE".into(),
                    mode: ConsistencyMode::Eventual,
                    replicas,
                    witnesses: Vec::new(),
                    deletion_protection: true,
                };
                table.succeed(state, at);
            }
            for global in snapshot.global_clusters.values_mut() {
                let members = self.topology.aurora[0]
                    .members
                    .iter()
                    .enumerate()
                    .map(|(n, member)| GlobalMember {
                        arn: member.arn.clone(),
                        is_writer: n == 0,
                        synchronization: (n != 0).then(|| "connected".into()),
                        forwarding: (n != 0).then(|| "disabled".into()),
                    })
                    .collect();
                let state = GlobalClusterState {
                    status: "available".into(),
                    engine_version: "8.0.mysql_aurora.3.04.0".into(),
                    endpoint: None,
                    members,
                    failover: None,
                    deletion_protection: true,
                };
                global.succeed(state, at);
            }
            for cluster in snapshot.db_clusters.values_mut() {
                let state = DbClusterState {
                    status: "available".into(),
                    engine_version: "8.0.mysql_aurora.3.04.0".into(),
                    instances: 2,
                    pending_changes: false,
                    resource_id: "cluster-CALM4EXAMPLE7Q2".into(),
                };
                cluster.succeed(state, at);
            }
            for rules in snapshot.buckets.values_mut() {
                let rule =
                    self.topology.replication.iter().find(|rule| &rule.source_region == region).map(|rule| {
                        ReplicationRule {
                            id: rule.rule.clone(),
                            status: "Enabled".into(),
                            destination: rule.destination.clone(),
                            metrics: true,
                        }
                    });
                rules.succeed(rule.into_iter().collect(), at);
            }
            for alarm in snapshot.alarms.values_mut() {
                let state = AlarmState {
                    state: "OK".into(),
                    reason: "".into(),
                    since: Some(at),
                    actions_enabled: true,
                    actions: self.topology.regions[index].topics.clone(),
                    watches: "AWS/ApplicationELB/HTTPCode_ELB_5XX_Count".into(),
                    dimensions: Vec::new(),
                };
                alarm.succeed(state, at);
            }
            for topic in snapshot.topics.values_mut() {
                topic.succeed(TopicState { subscriptions: 1, pending: 0 }, at);
            }
            for (key, observed) in &mut snapshot.metrics {
                observed.succeed(calm(key.metric, index), window_end());
            }
            for probe in &mut snapshot.probes {
                probe.result.succeed(probe_result(200, at), at);
            }
        }
        self.fill_dns(at);
    }

    fn fill_dns(&mut self, at: Timestamp) {
        let dns = &mut self.dns;
        dns.identity.succeed(
            Identity {
                account: "123456789012".into(),
                arn: "arn:aws:iam::123456789012:user/oncall".into(),
                expires: None,
            },
            at,
        );
        for (name, sets) in &mut dns.records {
            let found = self.topology.records.iter().filter(|record| &record.name == name);
            let all = found.map(|record| RecordSet {
                zone_id: record.zone_id.clone(),
                name: record.name.clone(),
                record_type: record.record_type.as_str().into(),
                set_identifier: record.set_identifier.clone(),
                policy: record.policy,
                selector: Some(record.region.as_str().into()),
                weight: None,
                alias: Some(AliasTarget {
                    dns_name: record.alias_target.clone(),
                    zone_id: record.alias_zone_id.clone(),
                    evaluate_target_health: record.evaluate_target_health,
                }),
                values: Vec::new(),
                ttl: None,
                health_check: record.health_check.clone(),
            });
            sets.succeed(all.collect(), at);
        }
        for config in dns.health_checks.values_mut() {
            config.succeed(check_config(false, false), at);
        }
        for last in dns.last_failures.values_mut() {
            last.succeed(None, at);
        }
        for (key, observed) in &mut dns.metrics {
            let value = if key.metric == Metric::HealthCheckStatus { 1.0 } else { 100.0 };
            observed.succeed(flat(value), window_end());
        }
        if let Some(control) = &mut dns.control {
            control.result.succeed(probe_result(200, at), at);
        }
    }
}

// A table of metrics: equal values are no reason to merge its lines.
#[allow(clippy::match_same_arms)]
fn calm(metric: Metric, region: usize) -> Series {
    match metric {
        Metric::AlbRequests => flat(6_000.0),
        Metric::AlbElb5xx | Metric::TableReadThrottles | Metric::TableWriteThrottles => Series::default(),
        Metric::AlbTarget5xx => flat(6.0),
        Metric::AlbP99 => flat(0.18),
        Metric::AlbHealthyHosts => flat(4.0),
        Metric::EcsCpu | Metric::EcsMemory => flat(35.0),
        Metric::TableReplicationLatency => flat(650.0),
        Metric::AuroraRpoLag | Metric::AuroraReplicationLag if region == 0 => Series::default(),
        Metric::AuroraRpoLag | Metric::AuroraReplicationLag => flat(90.0),
        Metric::S3ReplicationLatency => flat(4.0),
        Metric::S3BytesPending => flat(2_048.0),
        Metric::S3OperationsPending => flat(2.0),
        Metric::S3OperationsFailed => Series::default(),
        Metric::HealthCheckStatus | Metric::HealthCheckPercentageHealthy => flat(1.0),
    }
}

pub(crate) fn target(n: u8, state: &str) -> Target {
    Target {
        id: format!("10.0.1.{n}").into(),
        port: Some(3_000),
        state: state.into(),
        reason: (state != "healthy").then(|| "Target.Timeout".into()),
        description: None,
    }
}

pub(crate) fn service_state(desired: i32, running: i32) -> ServiceState {
    ServiceState {
        status: "ACTIVE".into(),
        desired,
        running,
        pending: desired - running,
        task_definition: "api:7".into(),
        deployments: vec![Deployment {
            id: "ecs-svc/1".into(),
            status: "PRIMARY".into(),
            rollout: Some("COMPLETED".into()),
            rollout_reason: None,
            failed_tasks: 0,
            counts: (desired, running, desired - running),
            task_definition: "api:7".into(),
        }],
        events: Vec::new(),
    }
}

pub(crate) fn probe_result(status: u16, at: Timestamp) -> ProbeResult {
    let phase = std::time::Duration::from_millis(20);
    ProbeResult {
        status,
        address: None,
        dns: phase,
        tcp: phase,
        tls: phase,
        first_byte: phase,
        certificate_ends: Some(at + SignedDuration::from_hours(24 * 200)),
        certificate_error: None,
    }
}

pub(crate) fn check_config(disabled: bool, inverted: bool) -> HealthCheckConfig {
    HealthCheckConfig {
        version: 3,
        check_type: "HTTPS".into(),
        endpoint: "https://us-east-1.api.example.com:443/health".into(),
        inverted,
        disabled,
        failure_threshold: Some(3),
        request_interval: Some(10),
        linked_service: None,
        children: Vec::new(),
        without_data: None,
    }
}

pub(crate) fn check(name: &str) -> HealthCheckId {
    HealthCheckId::new(name)
}

/// An observation that is as good as it was, but too old to be trusted.
pub(crate) fn age<T: Clone>(observed: &mut Observed<T>, by: SignedDuration) {
    let value = observed.value().cloned().unwrap();
    let at = observed.as_of().unwrap() - by;
    observed.succeed(value, at);
}
