//! What is known of the fleet at one moment: the raw answers, region by region, each with its time.
//!
//! What it is for: the one shape that travels from `poll` to panes, checks, baseline and runbooks.
//! What it must not do: compute. Rates, percentages and verdicts are derived in `derive` and `checks`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{
    AccountId, AlarmName, Arn, BucketName, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region,
    ServiceKey, TableName, ZoneId,
};
use super::metric::{Series, SeriesKey};
use super::observation::Observed;
use super::pin::Pins;
use super::shared::Shared;
use super::text::Text;
use super::topology::RoutingPolicy;

/// Everything, at one moment.
#[derive(Clone, Debug)]
pub struct FleetSnapshot {
    /// The moment at which ages are taken.
    pub now: Timestamp,
    /// One per region of the topology, in its order.
    pub regions: Vec<Arc<RegionSnapshot>>,
    /// Route 53 and the control request.
    pub dns: Arc<DnsSnapshot>,
    /// What watching costs.
    pub usage: Usage,
    /// Regions that are out by our own act, as the records of runs tell.
    pub pins: Arc<Pins>,
}

/// What one region answered. Maps are shared between versions of it: one answer copies the map it changes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionSnapshot {
    /// Which region.
    pub region: Region,
    /// Who we are there (STS GetCallerIdentity).
    pub identity: Observed<Identity>,
    /// State of each load balancer (ELBv2 DescribeLoadBalancers).
    pub load_balancers: Shared<BTreeMap<Arn, Observed<LoadBalancerState>>>,
    /// Targets of each target group (ELBv2 DescribeTargetHealth).
    pub target_groups: Shared<BTreeMap<Arn, Observed<Vec<Target>>>>,
    /// Services (ECS DescribeServices).
    #[serde(with = "pairs")]
    pub services: Shared<BTreeMap<ServiceKey, Observed<ServiceState>>>,
    /// Scalable targets (Application Auto Scaling); `None` inside when the service has none.
    #[serde(with = "pairs")]
    pub scaling: Shared<BTreeMap<ServiceKey, Observed<Option<ScalableTarget>>>>,
    /// Tables (DynamoDB DescribeTable).
    pub tables: Shared<BTreeMap<TableName, Observed<TableState>>>,
    /// Global clusters as this region tells it (RDS DescribeGlobalClusters).
    pub global_clusters: Shared<BTreeMap<GlobalClusterId, Observed<GlobalClusterState>>>,
    /// Member clusters of this region (RDS DescribeDBClusters).
    pub db_clusters: Shared<BTreeMap<DbClusterId, Observed<DbClusterState>>>,
    /// Replication configuration of buckets of this region (S3 GetBucketReplication).
    pub buckets: Shared<BTreeMap<BucketName, Observed<Vec<ReplicationRule>>>>,
    /// Alarms (CloudWatch DescribeAlarms).
    pub alarms: Shared<BTreeMap<AlarmName, Observed<AlarmState>>>,
    /// Topics (SNS GetTopicAttributes).
    pub topics: Shared<BTreeMap<Arn, Observed<TopicState>>>,
    /// Series (CloudWatch GetMetricData). The observation's time is the end of the window asked for.
    #[serde(with = "pairs")]
    pub metrics: Shared<BTreeMap<SeriesKey, Observed<Series>>>,
    /// Our own requests, per load balancer and hostname.
    pub probes: Vec<ProbeTarget>,
}

/// One probe and its last outcome.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProbeTarget {
    /// The URL as a user would write it.
    pub url: Text,
    /// The name connected to (the load balancer), when it is not the URL's own.
    pub via: HostName,
    /// What came of it.
    pub result: Observed<ProbeResult>,
}

/// What Route 53 says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DnsSnapshot {
    /// Who we are for Route 53.
    pub identity: Observed<Identity>,
    /// Record sets of each hostname (ListResourceRecordSets), all names of the topology's records.
    pub records: Shared<BTreeMap<HostName, Observed<Vec<RecordSet>>>>,
    /// Health check configuration (ListHealthChecks or GetHealthCheck).
    pub health_checks: Shared<BTreeMap<HealthCheckId, Observed<HealthCheckConfig>>>,
    /// What checkers last saw (GetHealthCheckStatus).
    pub checkers: Shared<BTreeMap<HealthCheckId, Observed<CheckerTally>>>,
    /// Why checkers last failed (GetHealthCheckLastFailureReason); `None` inside when none did.
    pub last_failures: Shared<BTreeMap<HealthCheckId, Observed<Option<LastFailure>>>>,
    /// Series of `AWS/Route53`, read in us-east-1.
    #[serde(with = "pairs")]
    pub metrics: Shared<BTreeMap<SeriesKey, Observed<Series>>>,
    /// Alarms on health checks, in us-east-1, where that is no region of the application.
    #[serde(default)]
    pub alarms: Shared<BTreeMap<AlarmName, Observed<AlarmState>>>,
    /// Topics that those alarms notify.
    #[serde(default)]
    pub topics: Shared<BTreeMap<Arn, Observed<TopicState>>>,
    /// Our request to the control host outside AWS; `None` when the topology names none.
    pub control: Option<ProbeTarget>,
}

/// Who the credentials are.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Account.
    pub account: AccountId,
    /// ARN of user or assumed role.
    pub arn: Arn,
    /// When the credentials end; `None` when they do not, or do not say.
    pub expires: Option<Timestamp>,
}

/// DescribeLoadBalancers, one load balancer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadBalancerState {
    /// `active`, `provisioning`, `active_impaired`, `failed`; open.
    pub state: Text,
    /// Reason, when there is one.
    pub reason: Option<Text>,
}

/// DescribeTargetHealth, one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// IP or instance id, and port.
    pub id: Text,
    /// Port.
    pub port: Option<i32>,
    /// `initial`, `healthy`, `unhealthy`, `unhealthy.draining`, `unused`, `draining`, `unavailable`; open.
    pub state: Text,
    /// `Target.Timeout`, …; absent when healthy.
    pub reason: Option<Text>,
    /// AWS's sentence about the reason.
    pub description: Option<Text>,
}

/// DescribeServices, one service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceState {
    /// `ACTIVE`, `DRAINING`, `INACTIVE`; open.
    pub status: Text,
    /// Wanted tasks.
    pub desired: i32,
    /// Running tasks.
    pub running: i32,
    /// Starting tasks.
    pub pending: i32,
    /// Task definition ARN of the primary deployment.
    pub task_definition: Text,
    /// Deployments, primary first.
    pub deployments: Vec<Deployment>,
    /// The newest events, newest first: at least the newest one, where there is any.
    pub events: Vec<ServiceEvent>,
}

/// One ECS deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Deployment {
    /// Deployment id.
    pub id: Text,
    /// `PRIMARY`, `ACTIVE`, `INACTIVE`; open.
    pub status: Text,
    /// `IN_PROGRESS`, `COMPLETED`, `FAILED`; open; absent outside rolling deployments.
    pub rollout: Option<Text>,
    /// Why.
    pub rollout_reason: Option<Text>,
    /// Tasks that this deployment failed to start.
    pub failed_tasks: i32,
    /// Counts of this deployment: desired, running, pending.
    pub counts: (i32, i32, i32),
    /// Task definition ARN.
    pub task_definition: Text,
}

/// One ECS service event.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServiceEvent {
    /// Event id, to tell repeats.
    pub id: Text,
    /// When.
    pub at: Timestamp,
    /// AWS's words.
    pub message: Text,
}

/// DescribeScalableTargets, one target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ScalableTarget {
    /// Least capacity.
    pub min: i32,
    /// Most capacity.
    pub max: i32,
    /// Dynamic scale-in is suspended.
    pub scale_in_suspended: bool,
    /// Dynamic scale-out is suspended.
    pub scale_out_suspended: bool,
    /// Scheduled scaling is suspended.
    pub scheduled_suspended: bool,
}

/// DescribeTable.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableState {
    /// TableStatus of the asked region; open.
    pub status: Text,
    /// Consistency mode.
    pub mode: ConsistencyMode,
    /// Replicas as the asked region lists them; may or may not hold the asked region itself.
    pub replicas: Vec<Replica>,
    /// Witness regions and their status.
    pub witnesses: Vec<(Region, Text)>,
    /// Deletion protection in the asked region.
    pub deletion_protection: bool,
}

/// MultiRegionConsistency of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConsistencyMode {
    /// EVENTUAL.
    #[serde(rename = "MREC")]
    Eventual,
    /// STRONG.
    #[serde(rename = "MRSC")]
    Strong,
}

/// One replica of a table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Replica {
    /// Region of the replica.
    pub region: Region,
    /// ReplicaStatus; open.
    pub status: Text,
    /// ReplicaStatusDescription.
    pub description: Option<Text>,
    /// ReplicaInaccessibleDateTime: start of the 20-hour fuse.
    pub inaccessible_since: Option<Timestamp>,
}

/// DescribeGlobalClusters, one global cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalClusterState {
    /// Status; open.
    pub status: Text,
    /// Engine version.
    pub engine_version: Text,
    /// Global writer endpoint.
    pub endpoint: Option<HostName>,
    /// Members.
    pub members: Vec<GlobalMember>,
    /// FailoverState, absent when idle.
    pub failover: Option<FailoverState>,
    /// Deletion protection.
    pub deletion_protection: bool,
}

/// One member of a global cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GlobalMember {
    /// ARN of the regional cluster.
    pub arn: Arn,
    /// True for the writer.
    pub is_writer: bool,
    /// `connected`, `pending-resync`; open; absent when not told.
    pub synchronization: Option<Text>,
    /// GlobalWriteForwardingStatus: `enabled`, `disabled`, `enabling`, `disabling`, `unknown`; open; absent when not
    /// told, as of a writer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub forwarding: Option<Text>,
}

/// FailoverState of a global cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FailoverState {
    /// `pending`, `failing-over`, `cancelling`, `switching-over`; open.
    pub status: Text,
    /// Old writer.
    pub from: Option<Arn>,
    /// New writer.
    pub to: Option<Arn>,
    /// Whether data may be lost.
    pub data_loss_allowed: Option<bool>,
}

/// DescribeDBClusters, one cluster.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DbClusterState {
    /// Status; open.
    pub status: Text,
    /// Engine version.
    pub engine_version: Text,
    /// Instances (0: headless).
    pub instances: usize,
    /// Whether a change waits for the next maintenance window.
    pub pending_changes: bool,
    /// AWS's own id of it, which no later cluster of the same name has; empty when it was not told.
    #[serde(default, skip_serializing_if = "Text::is_empty")]
    pub resource_id: Text,
}

/// GetBucketReplication, one rule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReplicationRule {
    /// Rule id.
    pub id: Text,
    /// `Enabled` or `Disabled`; open.
    pub status: Text,
    /// Destination bucket.
    pub destination: BucketName,
    /// Metrics or replication time control is on.
    pub metrics: bool,
}

/// DescribeAlarms, one alarm.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AlarmState {
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`; open.
    pub state: Text,
    /// AWS's reason.
    pub reason: Text,
    /// StateTransitionedTimestamp.
    pub since: Option<Timestamp>,
    /// Actions are enabled.
    pub actions_enabled: bool,
    /// ARNs notified on ALARM.
    pub actions: Vec<Arn>,
    /// `Namespace/MetricName` for a metric alarm, `composite` for a composite one.
    pub watches: Text,
    /// Values of the watched metric's dimensions; they tell what the alarm is about.
    #[serde(default)]
    pub dimensions: Vec<Text>,
}

/// GetTopicAttributes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TopicState {
    /// Confirmed subscriptions.
    pub subscriptions: u32,
    /// Subscriptions that nobody confirmed.
    pub pending: u32,
}

/// Our own HTTPS request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeResult {
    /// HTTP status code.
    pub status: u16,
    /// The address that answered.
    pub address: Option<Text>,
    /// Name resolution.
    pub dns: Duration,
    /// TCP connect.
    pub tcp: Duration,
    /// TLS handshake; zero for plain HTTP.
    pub tls: Duration,
    /// From request sent to first byte.
    pub first_byte: Duration,
    /// When the server's certificate ends; `None` for plain HTTP.
    pub certificate_ends: Option<Timestamp>,
    /// Why the certificate is not valid for the name, when it is not; the request was made all the same.
    pub certificate_error: Option<Text>,
}

/// ListResourceRecordSets, one set of a hostname.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordSet {
    /// Zone that holds it.
    pub zone_id: ZoneId,
    /// Name.
    pub name: HostName,
    /// `A`, `AAAA`, `CNAME`…
    pub record_type: Text,
    /// Set identifier.
    pub set_identifier: Option<Text>,
    /// Policy.
    pub policy: RoutingPolicy,
    /// Region of a latency record, place of a geolocation record, PRIMARY/SECONDARY of a failover record.
    pub selector: Option<Text>,
    /// Weight of a weighted record.
    pub weight: Option<i64>,
    /// Alias target.
    pub alias: Option<AliasTarget>,
    /// Values, when it is no alias.
    pub values: Vec<Text>,
    /// TTL, when it is no alias.
    pub ttl: Option<i64>,
    /// Health check.
    pub health_check: Option<HealthCheckId>,
}

/// Where an alias record leads.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AliasTarget {
    /// Target name, normalised, without Route 53's `dualstack.` prefix.
    pub dns_name: HostName,
    /// Target zone.
    pub zone_id: ZoneId,
    /// Whether the target's own health counts.
    pub evaluate_target_health: bool,
}

impl AliasTarget {
    /// The target's name as a record is written with it: with the `dualstack.` under which an application or classic
    /// load balancer also answers IPv6. Network load balancers, `NAME.elb.REGION.amazonaws.com`, have none.
    pub fn written_name(&self) -> String {
        let name = self.dns_name.as_str();
        let balancer = name.ends_with(".elb.amazonaws.com") || name.ends_with(".elb.amazonaws.com.cn");
        if balancer { format!("dualstack.{name}") } else { name.to_owned() }
    }
}

/// A health check's configuration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HealthCheckConfig {
    /// HealthCheckVersion, for guarded updates.
    pub version: i64,
    /// `HTTPS`, `CALCULATED`, …; open.
    pub check_type: Text,
    /// What is asked, `https://r1.api.example.com:443/health`.
    pub endpoint: Text,
    /// Inverted flag.
    pub inverted: bool,
    /// Disabled flag: a disabled check counts as **healthy**.
    pub disabled: bool,
    /// Threshold and interval.
    pub failure_threshold: Option<i32>,
    /// Seconds between requests of one checker.
    pub request_interval: Option<i32>,
    /// A service that owns the check, which then is read-only.
    pub linked_service: Option<Text>,
    /// Children of a calculated check.
    pub children: Vec<HealthCheckId>,
    /// InsufficientDataHealthStatus of a check on a metric: `Healthy`, `Unhealthy`, `LastKnownStatus`; open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub without_data: Option<Text>,
}

/// GetHealthCheckStatus: raw observations; they show neither inversion nor disabling.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckerTally {
    /// Checkers whose last observation was a success.
    pub healthy: u32,
    /// Checkers that reported.
    pub total: u32,
    /// The newest observation's time.
    pub newest: Option<Timestamp>,
}

/// GetHealthCheckLastFailureReason, the newest failure.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastFailure {
    /// Where the checker stands.
    pub checker: Text,
    /// When.
    pub at: Option<Timestamp>,
    /// AWS's words.
    pub reason: Text,
}

/// What watching costs, counted by the client itself.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Usage {
    /// AWS calls in the last minute.
    pub calls_per_minute: u32,
    /// Estimated dollars an hour (CloudWatch series asked for, at list price).
    pub dollars_per_hour: f64,
}

impl FleetSnapshot {
    /// What a region answered; `None` for a region that the topology does not name.
    pub fn region(&self, name: &Region) -> Option<&RegionSnapshot> {
        self.regions.iter().map(Arc::as_ref).find(|region| &region.region == name)
    }
}

/// Maps whose keys are no strings are written as lists of pairs.
mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    use super::Shared;

    pub(super) fn serialize<K: Serialize, V: Serialize, S: Serializer>(
        map: &Shared<BTreeMap<K, V>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub(super) fn deserialize<'de, K, V, D>(deserializer: D) -> Result<Shared<BTreeMap<K, V>>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect::<BTreeMap<K, V>>().into())
    }
}
