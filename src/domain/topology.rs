//! The topology: what the operated application consists of, where, and what counts as ill.
//!
//! What it is for: the typed form of the topology file (`version = 1`). Every id and ARN stands in it,
//! so that the console starts with a region, or the control plane, dark.
//! What it must not do: read or write files (`files::topology`), or hold anything that changes by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use serde::{Deserialize, Serialize};

use super::ids::{
    AccountId, AlarmName, Arn, BucketName, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region,
    ServiceKey, TableName, ZoneId,
};
use super::metric::{Metric, SeriesKey};
use super::text::Text;

pub use super::evacuation::{
    ArcEndpoint, ArcSettings, CleanupSettings, EvacuationMethod, LeaseSettings, NetworkStack, NotifySettings,
    OnEvacuate, RoutingControl, Switch, SwitchWire,
};
pub use super::policy::{Freeze, Freshness, Levels, Policy, Thresholds};
pub use super::synthetic::{SyntheticSettings, SyntheticWrite};

/// The partition whose applications may be acted on; all others are observed only.
pub const ACTED_PARTITION: &str = "aws";

/// The region that serves Route 53's API and its metrics in partition `aws`.
pub const DNS_REGION: &str = "us-east-1";

/// Everything that is known about one application before asking AWS.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Topology {
    /// Format version; 1.
    pub version: u32,
    /// The application's name, for banner, journal and lease.
    pub application: Text,
    /// Who answers for Route 53, per region, for the lease and for ARC. Key: `dns`, `lease`, `arc` or a region.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub scope: BTreeMap<String, Scope>,
    /// The public names.
    #[serde(default, rename = "hostname")]
    pub hostnames: Vec<Hostname>,
    /// Every record that points at the application's load balancers.
    #[serde(default, rename = "record")]
    pub records: Vec<Record>,
    /// The regions, in the order in which they are shown.
    #[serde(default, rename = "region")]
    pub regions: Vec<RegionEntry>,
    /// Global tables.
    #[serde(default, rename = "table", skip_serializing_if = "Vec::is_empty")]
    pub tables: Vec<Table>,
    /// Aurora global clusters.
    #[serde(default, rename = "aurora", skip_serializing_if = "Vec::is_empty")]
    pub aurora: Vec<AuroraGlobal>,
    /// Replicated buckets, one entry a direction and rule.
    #[serde(default, rename = "replication", skip_serializing_if = "Vec::is_empty")]
    pub replication: Vec<BucketReplication>,
    /// What belongs to Route 53 rather than to a region.
    #[serde(default)]
    pub dns: DnsEntry,
    /// Our own requests.
    #[serde(default)]
    pub probe: ProbeSettings,
    /// What runbooks send through the public name as proof.
    #[serde(default)]
    pub synthetic: SyntheticSettings,
    /// Evacuation methods in the order in which runbooks try them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub evacuation: Vec<EvacuationMethod>,
    /// Evacuation switches outside the regions that they take out.
    #[serde(default, rename = "switch", skip_serializing_if = "Vec::is_empty")]
    pub switches: Vec<Switch>,
    /// Routing controls of ARC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arc: Option<ArcSettings>,
    /// Where the lease of runbooks lies; without one, runs of two hosts cannot see each other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<LeaseSettings>,
    /// Whom runs tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notify: Option<NotifySettings>,
    /// What cleanup may touch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cleanup: Option<CleanupSettings>,
    /// What counts as ill.
    #[serde(default)]
    pub thresholds: Thresholds,
    /// How old values may be.
    #[serde(default)]
    pub freshness: Freshness,
    /// Limits for runbooks.
    #[serde(default)]
    pub policy: Policy,
}

/// Credentials for a part of the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scope {
    /// The account that must answer.
    pub account: Option<AccountId>,
    /// Profile of the shared AWS configuration.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Role to assume on top of the profile or default credentials.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub role_arn: Option<Arn>,
    /// AWS partition; `aws` when absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub partition: Option<String>,
}

/// A public name of the application.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hostname {
    /// The name users ask for.
    pub name: HostName,
    /// Its hosted zone; absent when the zone is not in this account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub zone_id: Option<ZoneId>,
    /// True for a private zone: observed, read-only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub private_zone: bool,
    /// What stands in front.
    #[serde(default)]
    pub front_door: FrontDoor,
}

/// What a hostname's records lead to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontDoor {
    /// Route 53 records that point at load balancers: the only one that runbooks act on.
    #[default]
    LoadBalancer,
    /// A CloudFront distribution.
    Cloudfront,
    /// AWS Global Accelerator.
    GlobalAccelerator,
    /// Something else, or nothing found.
    Unknown,
}

/// One record set that points at a load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// Record name.
    pub name: HostName,
    /// `A` or `AAAA`.
    #[serde(rename = "type")]
    pub record_type: String,
    /// Hosted zone of the record.
    pub zone_id: ZoneId,
    /// Set identifier; absent for a simple record.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub set_identifier: Option<Text>,
    /// Routing policy.
    pub policy: RoutingPolicy,
    /// The region whose load balancer it points at.
    pub region: Region,
    /// DNS name of the alias target.
    pub alias_target: HostName,
    /// Hosted zone of the alias target (the load balancer's canonical zone).
    pub alias_zone_id: ZoneId,
    /// Whether the load balancer's own health counts.
    #[serde(default)]
    pub evaluate_target_health: bool,
    /// The health check attached, if any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub health_check: Option<HealthCheckId>,
}

/// How Route 53 chooses among the records of one name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RoutingPolicy {
    /// One record, no choice.
    Simple,
    /// By the client's latency to a region.
    Latency,
    /// By the client's place.
    Geolocation,
    /// By the client's distance, with bias.
    Geoproximity,
    /// By weights.
    Weighted,
    /// Primary and secondary.
    Failover,
    /// Several random healthy answers.
    Multivalue,
    /// By the client's network.
    IpBased,
}

/// One region of the application.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RegionEntry {
    /// Region name.
    pub name: Region,
    /// Load balancers that the records point at.
    #[serde(default, rename = "load_balancer", skip_serializing_if = "Vec::is_empty")]
    pub load_balancers: Vec<LoadBalancer>,
    /// ECS services behind them.
    #[serde(default, rename = "service", skip_serializing_if = "Vec::is_empty")]
    pub services: Vec<Service>,
    /// Alarms that watch the application in this region.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<AlarmName>,
    /// Topics that those alarms notify.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Arn>,
}

/// A load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LoadBalancer {
    /// Name, as the console shows it.
    pub name: Text,
    /// ARN.
    pub arn: Arn,
    /// DNS name, the alias target of records and the address of the probe.
    pub dns_name: HostName,
    /// Canonical hosted zone id: the alias target zone.
    pub canonical_zone_id: ZoneId,
    /// Application or network.
    #[serde(default)]
    pub kind: LoadBalancerKind,
    /// ARNs of all its target groups.
    #[serde(default)]
    pub target_groups: Vec<Arn>,
}

/// The kinds of load balancer that serve HTTP or TCP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LoadBalancerKind {
    /// Application Load Balancer.
    #[default]
    Application,
    /// Network Load Balancer; publishes no request or 5XX metrics.
    Network,
}

/// An ECS service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Service {
    /// Cluster and name.
    #[serde(flatten)]
    pub key: ServiceKey,
    /// ARN.
    pub arn: Arn,
    /// Target groups that it registers tasks in.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub target_groups: Vec<Arn>,
    /// True when Application Auto Scaling has a target for it.
    #[serde(default)]
    pub scalable: bool,
    /// What becomes of it when its region is evacuated with `--scale-to-zero`.
    #[serde(default)]
    pub on_evacuate: OnEvacuate,
    /// True when it talks to the Aurora writer, so that it may need a new deployment after a promotion.
    #[serde(default)]
    pub uses_database: bool,
}

/// A DynamoDB global table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Table {
    /// Name, the same in every region.
    pub name: TableName,
    /// Regions that hold a replica.
    pub regions: Vec<Region>,
    /// Region of an MRSC witness, if there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub witness: Option<Region>,
}

/// An Aurora global cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuroraGlobal {
    /// Identifier.
    pub id: GlobalClusterId,
    /// ARN.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub arn: Option<Arn>,
    /// Engine, `aurora-mysql` or `aurora-postgresql`.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub engine: Text,
    /// Member clusters; which of them writes is observed, never configured.
    #[serde(rename = "member")]
    pub members: Vec<AuroraMember>,
}

/// A regional cluster of a global one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuroraMember {
    /// Its region.
    pub region: Region,
    /// Its identifier there.
    pub id: DbClusterId,
    /// Its ARN.
    pub arn: Arn,
}

/// One replication rule from one bucket to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BucketReplication {
    /// Source bucket.
    pub source: BucketName,
    /// Its region.
    pub source_region: Region,
    /// Destination bucket.
    pub destination: BucketName,
    /// Its region.
    pub destination_region: Region,
    /// Rule id, a dimension of the metrics.
    pub rule: Text,
    /// True when the rule publishes metrics (Metrics or RTC enabled).
    #[serde(default)]
    pub metrics: bool,
}

/// What belongs to Route 53 rather than to a region of the application.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct DnsEntry {
    /// The one name server that proves where DNS sends people; absent means those of the hosted zones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub server: Option<SocketAddr>,
    /// Alarms on health checks, which live in [`DNS_REGION`], where that is no region of the application.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub alarms: Vec<AlarmName>,
    /// Topics that those alarms notify, in the same region.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub topics: Vec<Arn>,
}

/// Our own HTTPS requests.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ProbeSettings {
    /// Path that is asked for.
    pub path: String,
    /// A URL outside AWS, to tell "our network" from "their region"; absent means no control request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub control: Option<String>,
    /// Replaces `https://LOAD-BALANCER` as the place asked, `{region}` in it by the region's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base: Option<String>,
    /// Seconds until a request counts as failed.
    pub timeout_seconds: u64,
}

impl Default for ProbeSettings {
    fn default() -> Self {
        Self { path: "/health".into(), control: None, base: None, timeout_seconds: 4 }
    }
}

impl Topology {
    /// The entry of a region.
    pub fn region(&self, name: &Region) -> Option<&RegionEntry> {
        self.regions.iter().find(|entry| &entry.name == name)
    }

    /// The scope of a region, `dns`, `lease` or `arc`; the default scope when none is written.
    pub fn scope(&self, key: &str) -> Scope {
        self.scope.get(key).cloned().unwrap_or_default()
    }

    /// False when the partition of any scope forbids acting.
    pub fn may_act(&self) -> bool {
        self.scope.values().all(|scope| scope.partition.as_deref().is_none_or(|p| p == ACTED_PARTITION))
            && self
                .hostnames
                .iter()
                .all(|host| host.front_door == FrontDoor::LoadBalancer && !host.private_zone)
    }

    /// Every health check that a record names, once.
    pub fn health_checks(&self) -> BTreeSet<HealthCheckId> {
        self.records.iter().filter_map(|record| record.health_check.clone()).collect()
    }

    /// Hosted zones of the records and hostnames, once.
    pub fn zones(&self) -> BTreeSet<ZoneId> {
        self.records
            .iter()
            .map(|record| record.zone_id.clone())
            .chain(self.hostnames.iter().filter_map(|host| host.zone_id.clone()))
            .collect()
    }

    /// Tables with a replica in `region`.
    pub fn tables_in<'a>(&'a self, region: &'a Region) -> impl Iterator<Item = &'a Table> {
        self.tables.iter().filter(move |table| table.regions.contains(region))
    }

    /// Global clusters with a member in `region`, and that member.
    pub fn aurora_in<'a>(
        &'a self,
        region: &'a Region,
    ) -> impl Iterator<Item = (&'a AuroraGlobal, &'a AuroraMember)> {
        self.aurora.iter().filter_map(move |global| {
            global.members.iter().find(|member| &member.region == region).map(|member| (global, member))
        })
    }

    /// Every series to read in `region`: everything that one minute's GetMetricData asks for there.
    /// Route 53's series are separate, see [`Topology::dns_series`].
    pub fn region_series(&self, region: &Region) -> Vec<SeriesKey> {
        let mut keys = Vec::new();
        let Some(entry) = self.region(region) else { return keys };
        for lb in entry.load_balancers.iter().filter(|lb| lb.kind == LoadBalancerKind::Application) {
            let Some(dimension) = lb.arn.elb_dimension() else { continue };
            for metric in [Metric::AlbRequests, Metric::AlbElb5xx, Metric::AlbTarget5xx, Metric::AlbP99] {
                keys.push(SeriesKey::new(metric, &[dimension]));
            }
            for group in lb.target_groups.iter().filter_map(Arn::elb_dimension) {
                keys.push(SeriesKey::new(Metric::AlbHealthyHosts, &[dimension, group]));
            }
        }
        for service in &entry.services {
            let dimensions = [service.key.cluster.as_str(), service.key.service.as_str()];
            keys.push(SeriesKey::new(Metric::EcsCpu, &dimensions));
            keys.push(SeriesKey::new(Metric::EcsMemory, &dimensions));
        }
        for table in self.tables_in(region) {
            for peer in table.regions.iter().filter(|peer| *peer != region) {
                keys.push(SeriesKey::new(
                    Metric::TableReplicationLatency,
                    &[peer.as_str(), table.name.as_str()],
                ));
            }
            keys.push(SeriesKey::new(Metric::TableReadThrottles, &[table.name.as_str()]));
            keys.push(SeriesKey::new(Metric::TableWriteThrottles, &[table.name.as_str()]));
        }
        for (_, member) in self.aurora_in(region) {
            keys.push(SeriesKey::new(Metric::AuroraRpoLag, &[member.id.as_str()]));
            keys.push(SeriesKey::new(Metric::AuroraReplicationLag, &[member.id.as_str()]));
        }
        for rule in self.replication.iter().filter(|rule| rule.metrics) {
            let dimensions = [rule.source.as_str(), rule.destination.as_str(), rule.rule.as_str()];
            if &rule.destination_region == region {
                keys.push(SeriesKey::new(Metric::S3ReplicationLatency, &dimensions));
                keys.push(SeriesKey::new(Metric::S3BytesPending, &dimensions));
                keys.push(SeriesKey::new(Metric::S3OperationsPending, &dimensions));
            }
            if &rule.source_region == region {
                keys.push(SeriesKey::new(Metric::S3OperationsFailed, &dimensions));
            }
        }
        keys
    }

    /// Route 53's series, all read in us-east-1.
    pub fn dns_series(&self) -> Vec<SeriesKey> {
        self.health_checks()
            .iter()
            .flat_map(|check| {
                [Metric::HealthCheckStatus, Metric::HealthCheckPercentageHealthy]
                    .map(|metric| SeriesKey::new(metric, &[check.as_str()]))
            })
            .collect()
    }
}
