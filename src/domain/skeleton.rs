//! Empty snapshots: everything that the topology names, not asked yet.
//!
//! What it is for: the first frame, and the shape into which the poller writes. What it must not do:
//! invent a value; every entry is pending.

use std::collections::BTreeMap;

use super::ids::{HostName, Region};
use super::metric::SeriesKey;
use super::observation::{Observed, Source, SourceKind};
use super::snapshot::{DnsSnapshot, ProbeTarget, RegionSnapshot};
use super::topology::{DNS_REGION, RegionEntry, Topology};

impl RegionSnapshot {
    /// A region of which nothing is known yet. A region that the topology does not name has no entries.
    pub fn skeleton(topology: &Topology, region: &Region) -> Self {
        fn pending<T>(kind: SourceKind, call: &'static str, region: &Region) -> Observed<T> {
            Observed::pending(Source::new(kind, call, Some(region.clone())))
        }
        let entry = topology.region(region);
        let balancers = entry.map(|entry| entry.load_balancers.as_slice()).unwrap_or_default();
        let services = entry.map(|entry| entry.services.as_slice()).unwrap_or_default();
        Self {
            region: region.clone(),
            identity: pending(SourceKind::Identity, "sts:GetCallerIdentity", region),
            load_balancers: balancers
                .iter()
                .map(|lb| {
                    (lb.arn.clone(), pending(SourceKind::Targets, "elbv2:DescribeLoadBalancers", region))
                })
                .collect(),
            target_groups: balancers
                .iter()
                .flat_map(|lb| &lb.target_groups)
                .map(|arn| (arn.clone(), pending(SourceKind::Targets, "elbv2:DescribeTargetHealth", region)))
                .collect(),
            services: services
                .iter()
                .map(|service| {
                    (service.key.clone(), pending(SourceKind::Services, "ecs:DescribeServices", region))
                })
                .collect(),
            scaling: services
                .iter()
                .map(|service| {
                    let call = "application-autoscaling:DescribeScalableTargets";
                    (service.key.clone(), pending(SourceKind::Scaling, call, region))
                })
                .collect(),
            tables: topology
                .tables_in(region)
                .map(|table| {
                    (table.name.clone(), pending(SourceKind::Tables, "dynamodb:DescribeTable", region))
                })
                .collect(),
            global_clusters: topology
                .aurora_in(region)
                .map(|(global, _)| {
                    (global.id.clone(), pending(SourceKind::Aurora, "rds:DescribeGlobalClusters", region))
                })
                .collect(),
            db_clusters: topology
                .aurora_in(region)
                .map(|(_, member)| {
                    (member.id.clone(), pending(SourceKind::Aurora, "rds:DescribeDBClusters", region))
                })
                .collect(),
            buckets: topology
                .replication
                .iter()
                .filter(|rule| &rule.source_region == region)
                .map(|rule| {
                    let call = "s3:GetBucketReplication";
                    (rule.source.clone(), pending(SourceKind::Replication, call, region))
                })
                .collect(),
            alarms: entry
                .into_iter()
                .flat_map(|entry| &entry.alarms)
                .map(|name| (name.clone(), pending(SourceKind::Alarms, "cloudwatch:DescribeAlarms", region)))
                .collect(),
            topics: entry
                .into_iter()
                .flat_map(|entry| &entry.topics)
                .map(|arn| (arn.clone(), pending(SourceKind::Topics, "sns:GetTopicAttributes", region)))
                .collect(),
            metrics: series(topology.region_series(region), region),
            probes: entry.map(|entry| probes(topology, entry)).unwrap_or_default(),
        }
    }
}

impl DnsSnapshot {
    /// A Route 53 of which nothing is known yet.
    pub fn skeleton(topology: &Topology) -> Self {
        fn pending<T>(kind: SourceKind, call: &'static str) -> Observed<T> {
            Observed::pending(Source::new(kind, call, Some(Region::new(DNS_REGION))))
        }
        let checks = topology.health_checks();
        let names = topology.records.iter().map(|record| record.name.clone()).chain(
            topology.hostnames.iter().filter(|host| host.zone_id.is_some()).map(|host| host.name.clone()),
        );
        Self {
            identity: pending(SourceKind::Identity, "sts:GetCallerIdentity"),
            records: names
                .map(|name| (name, pending(SourceKind::Records, "route53:ListResourceRecordSets")))
                .collect(),
            health_checks: checks
                .iter()
                .map(|id| (id.clone(), pending(SourceKind::HealthChecks, "route53:GetHealthCheck")))
                .collect(),
            checkers: checks
                .iter()
                .map(|id| (id.clone(), pending(SourceKind::Checkers, "route53:GetHealthCheckStatus")))
                .collect(),
            last_failures: checks
                .iter()
                .map(|id| {
                    (id.clone(), pending(SourceKind::Checkers, "route53:GetHealthCheckLastFailureReason"))
                })
                .collect(),
            metrics: series(topology.dns_series(), &Region::new(DNS_REGION)),
            control: topology.probe.control.as_ref().map(|url| ProbeTarget {
                url: url.as_str().into(),
                via: host_of(url),
                result: Observed::pending(Source::new(SourceKind::Probe, "https GET", None)),
            }),
        }
    }
}

fn series(keys: Vec<SeriesKey>, region: &Region) -> BTreeMap<SeriesKey, Observed<super::metric::Series>> {
    keys.into_iter()
        .map(|key| {
            let spec = key.metric.spec();
            let kind = if spec.percentile { SourceKind::Percentiles } else { SourceKind::Metrics };
            let call = format!("cloudwatch:{} {}", spec.name, spec.stat);
            (key, Observed::pending(Source::new(kind, call, Some(region.clone()))))
        })
        .collect()
}

/// One request per load balancer that serves HTTP and hostname whose records lead to it.
fn probes(topology: &Topology, entry: &RegionEntry) -> Vec<ProbeTarget> {
    let mut targets = Vec::new();
    for lb in &entry.load_balancers {
        let mut names: Vec<&HostName> = Vec::new();
        for record in topology.records.iter().filter(|record| record.alias_target == lb.dns_name) {
            let public = topology.hostnames.iter().any(|host| host.name == record.name);
            if public && !names.contains(&&record.name) {
                names.push(&record.name);
            }
        }
        for name in names {
            let path = topology.probe.path.trim_start_matches('/');
            let (url, via) = match &topology.probe.base {
                Some(base) => {
                    let base = base.replace("{region}", entry.name.as_str());
                    let base = base.trim_end_matches('/');
                    (format!("{base}/{path}"), host_of(base))
                }
                None => (format!("https://{name}/{path}"), lb.dns_name.clone()),
            };
            targets.push(ProbeTarget {
                url: url.into(),
                via,
                result: Observed::pending(Source::new(
                    SourceKind::Probe,
                    "https GET",
                    Some(entry.name.clone()),
                )),
            });
        }
    }
    targets
}

/// The host of a URL, without scheme, port and path.
fn host_of(url: &str) -> HostName {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?']).next().unwrap_or(rest);
    let host = match authority.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or(v6),
        None => authority.split(':').next().unwrap_or(authority),
    };
    HostName::normalized(host)
}
