//! Rows of the panes, computed from a snapshot: rates, percentages, tallies, histories.
//!
//! What it is for: the one computation that panes, `status --json` and checks all read, so that no two
//! of them can disagree. Every field is an [`Observed`] value with its own time and error.
//! What it must not do: judge (that is `checks`) or paint.

mod alarms;
mod alb;
mod aurora;
mod dynamodb;
mod ecs;
mod history;
mod probe;
mod reading;
mod route53;
mod s3;

use std::time::Duration;

use jiff::Timestamp;

use super::ids::{
    AlarmName, Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region,
    ServiceName, TableName,
};
use super::observation::Observed;
use super::snapshot::{
    ConsistencyMode, Deployment, FailoverState, LastFailure, ScalableTarget, ServiceEvent, Target,
};
use super::text::Text;
use super::topology::{LoadBalancerKind, RoutingPolicy};

pub use alarms::alarms;
pub use alb::alb;
pub use aurora::aurora;
pub use dynamodb::{FUSE, FUSE_STATES, dynamodb};
pub use ecs::ecs;
pub use history::{HISTORY_MINUTES, History};
pub use probe::{control, probe};
pub(crate) use route53::{Healths, in_dns_by, route53_by};
pub use route53::{in_dns, route53};
pub use s3::s3;

/// A load balancer of one region.
#[derive(Clone, Debug)]
pub struct AlbRow {
    /// Name.
    pub name: Text,
    /// ARN.
    pub arn: Arn,
    /// Application or network.
    pub kind: LoadBalancerKind,
    /// DescribeLoadBalancers state.
    pub state: Observed<Text>,
    /// Requests a second: RequestCount of the newest whole minute, over 60.
    pub requests_per_s: Observed<f64>,
    /// 100 · (ELB 5XX + target 5XX) / (requests + ELB 5XX) of the newest minute. No traffic is no value.
    pub error_5xx_percent: Observed<f64>,
    /// p99 of the targets' response time, milliseconds.
    pub p99_ms: Observed<f64>,
    /// Healthy targets over all target groups (DescribeTargetHealth).
    pub healthy_targets: Observed<u32>,
    /// All registered targets over all target groups.
    pub targets: Observed<u32>,
    /// Where the histories of requests and errors end; `None` before their metrics were read in this session.
    pub histories_end: Option<Timestamp>,
    /// Each target group: its short name and its targets.
    pub groups: Vec<(Text, Observed<Vec<Target>>)>,
    /// Requests a second, an hour.
    pub requests_history: History,
    /// 5XX percent, an hour.
    pub error_history: History,
    /// p99 milliseconds, an hour.
    pub p99_history: History,
}

/// A service of one region.
#[derive(Clone, Debug)]
pub struct EcsRow {
    /// Cluster.
    pub cluster: ClusterName,
    /// Service.
    pub service: ServiceName,
    /// Service status, `ACTIVE`.
    pub status: Observed<Text>,
    /// Wanted tasks.
    pub desired: Observed<i32>,
    /// Running tasks.
    pub running: Observed<i32>,
    /// Starting tasks.
    pub pending: Observed<i32>,
    /// Rollout state of the primary deployment.
    pub rollout: Observed<Text>,
    /// All deployments.
    pub deployments: Observed<Vec<Deployment>>,
    /// The newest event.
    pub last_event: Observed<Option<ServiceEvent>>,
    /// Scaling limits and suspensions; `None` inside when the service has no scalable target.
    pub scaling: Observed<Option<ScalableTarget>>,
    /// CPU, percent, newest minute.
    pub cpu_percent: Observed<f64>,
    /// CPU, percent, an hour.
    pub cpu_history: History,
    /// Memory, percent, newest minute.
    pub memory_percent: Observed<f64>,
}

/// A global table as one region sees it.
#[derive(Clone, Debug)]
pub struct DynamoRow {
    /// Table.
    pub table: TableName,
    /// TableStatus here.
    pub status: Observed<Text>,
    /// MREC or MRSC.
    pub mode: Observed<ConsistencyMode>,
    /// What other regions, or this one, say of each replica and witness.
    pub replicas: Vec<ReplicaRow>,
    /// Replication latency from this region to each other, milliseconds, and its hour.
    pub latency_ms: Vec<(Region, Observed<f64>, History)>,
    /// Read and write throttles of the newest minute.
    pub throttles: Observed<f64>,
    /// Deletion protection.
    pub deletion_protection: Observed<bool>,
}

/// One replica of a table.
#[derive(Clone, Debug)]
pub struct ReplicaRow {
    /// Its region.
    pub region: Region,
    /// ReplicaStatus, or TableStatus where the region speaks of itself.
    pub status: Observed<Text>,
    /// When the 20-hour fuse burns down, for replicas that are inaccessible.
    pub fuse_ends: Option<Timestamp>,
    /// True for an MRSC witness.
    pub witness: bool,
}

/// A member of an Aurora global cluster, in one region.
#[derive(Clone, Debug)]
pub struct AuroraRow {
    /// Global cluster.
    pub global_cluster: GlobalClusterId,
    /// Regional cluster.
    pub cluster: DbClusterId,
    /// Global status as the freshest region that answers tells it.
    pub global_status: Observed<Text>,
    /// `writer` or `reader`.
    pub role: Observed<Text>,
    /// Status of the regional cluster.
    pub status: Observed<Text>,
    /// Instances.
    pub instances: Observed<usize>,
    /// `connected`, `pending-resync`.
    pub synchronization: Observed<Text>,
    /// Engine version here.
    pub engine_version: Observed<Text>,
    /// Replication lag, milliseconds; only a reader has one.
    pub replication_lag_ms: Observed<f64>,
    /// RPO lag, milliseconds; only a reader has one.
    pub rpo_lag_ms: Observed<f64>,
    /// RPO lag, an hour.
    pub rpo_history: History,
    /// Failover or switchover under way.
    pub failover: Observed<Option<FailoverState>>,
}

/// A record that leads to one region.
#[derive(Clone, Debug)]
pub struct Route53Row {
    /// Record name.
    pub name: HostName,
    /// `A`, `AAAA`.
    pub record_type: Text,
    /// Set identifier; empty for a simple record.
    pub set_identifier: Text,
    /// Policy as observed; the topology's before that.
    pub policy: RoutingPolicy,
    /// Whether the record is in the zone with its alias target unchanged.
    pub present: Observed<bool>,
    /// Weight of a weighted record.
    pub weight: Observed<Option<i64>>,
    /// Its health check.
    pub health_check: Option<HealthCheckId>,
    /// Route 53's verdict (metric HealthCheckStatus).
    pub verdict: Observed<bool>,
    /// Percent of checkers that call it healthy.
    pub checkers_percent: Observed<f64>,
    /// Checkers with a success (GetHealthCheckStatus).
    pub checkers_healthy: Observed<u32>,
    /// Checkers that reported.
    pub checkers_total: Observed<u32>,
    /// Inverted.
    pub inverted: Observed<bool>,
    /// Disabled, which means healthy.
    pub disabled: Observed<bool>,
    /// What is asked.
    pub endpoint: Observed<Text>,
    /// The last failure that a checker reported.
    pub last_failure: Observed<Option<LastFailure>>,
    /// Whether Route 53 would answer with this record, by the rules of aws-facts sections 0 and 5.
    pub answers: Observed<bool>,
    /// Percent of checkers, an hour.
    pub checkers_history: History,
}

/// A replication rule out of a bucket of one region.
#[derive(Clone, Debug)]
pub struct S3Row {
    /// Source bucket.
    pub bucket: BucketName,
    /// Destination bucket.
    pub destination: BucketName,
    /// Region of the destination.
    pub destination_region: Region,
    /// Rule id.
    pub rule: Text,
    /// `Enabled`, `Disabled`, or why it is not there.
    pub status: Observed<Text>,
    /// Replication latency, seconds (read in the destination region).
    pub latency_s: Observed<f64>,
    /// Bytes waiting (destination region).
    pub pending_bytes: Observed<f64>,
    /// Operations waiting (destination region).
    pub pending_operations: Observed<f64>,
    /// Operations failed in the newest minute (source region).
    pub failed_operations: Observed<f64>,
    /// Bytes waiting, an hour.
    pub pending_history: History,
}

/// An alarm.
#[derive(Clone, Debug)]
pub struct AlarmRow {
    /// Name.
    pub name: AlarmName,
    /// The region that holds it, which for alarms on health checks is us-east-1.
    pub home: Region,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub state: Observed<Text>,
    /// AWS's reason.
    pub reason: Observed<Text>,
    /// Since when.
    pub since: Observed<Option<Timestamp>>,
    /// What it is about.
    pub subject: AlarmSubject,
    /// Whether somebody hears of it: actions enabled and a topic with a confirmed subscription, or
    /// another kind of action. The text says what is missing, empty when nothing is.
    pub reaches: Observed<Result<(), Text>>,
}

/// What an alarm is about, by the namespace and the dimensions of its metric.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AlarmSubject {
    /// What this region serves: its load balancers and services.
    Serving,
    /// The health check of a region, which may be another one: such alarms live in us-east-1.
    HealthCheck(Region),
    /// A link to another region: replication or lag. The region is the other end, where the dimensions
    /// name it.
    Link(Option<Region>),
    /// Anything else: composite alarms, or not known.
    Other,
}

/// One of our own requests.
#[derive(Clone, Debug)]
pub struct ProbeRow {
    /// URL.
    pub url: Text,
    /// Connected to.
    pub via: HostName,
    /// HTTP status.
    pub status: Observed<u16>,
    /// DNS, TCP, TLS and first byte together, milliseconds.
    pub total_ms: Observed<f64>,
    /// The four parts.
    pub parts: Observed<[Duration; 4]>,
    /// Days until the certificate ends.
    pub certificate_days: Observed<f64>,
    /// Why the certificate is not valid, when it is not.
    pub certificate_error: Observed<Option<Text>>,
}
