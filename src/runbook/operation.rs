//! Operations: every call that changes something in AWS, as data.
//!
//! What it is for: the closed list of what runbooks may do, each with its region, its exact parameters, the
//! failure domain that it leans on and whether it may be sent again. `print` shows one as the call and as the
//! line of the `aws` command line. What it must not do: send anything; `cloud` does, given an
//! [`Approval`](super::Approval).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::domain::ids::{
    AlarmName, Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId, HealthCheckId, Region, ServiceKey,
    TableName, ZoneId,
};
pub use crate::domain::pin::Suspended;
use crate::domain::snapshot::RecordSet;
use crate::domain::text::Text;
use crate::domain::topology::DNS_REGION;

/// One changing call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "operation", rename_all = "snake_case")]
pub enum Operation {
    /// Route 53 UpdateHealthCheck. Both flags together are "off"; either alone is not (aws-facts section 0).
    SetHealthCheck {
        /// Which check.
        check: HealthCheckId,
        /// Region whose users it steers, for the interlock; not sent.
        steers: Region,
        /// HealthCheckVersion that was seen, 1 or more: AWS refuses when it has moved on. `None` while nobody could read
        /// the check; it is then not sent, since AWS refuses 0 and an emergency does not wait for a reading.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<i64>,
        /// Inverted.
        inverted: bool,
        /// Disabled.
        disabled: bool,
    },
    /// Route 53 ChangeResourceRecordSets, one transaction.
    ChangeRecords {
        /// Hosted zone.
        zone: ZoneId,
        /// Region whose users it steers, for the interlock; not sent.
        steers: Region,
        /// What changes, in order.
        changes: Vec<RecordChange>,
    },
    /// Route 53 DeleteHealthCheck.
    DeleteHealthCheck {
        /// Which check.
        check: HealthCheckId,
    },
    /// ARC UpdateRoutingControlStates, on any of the cluster's endpoints, atomically.
    SetRoutingControls {
        /// The controls and whether they are On after it.
        states: BTreeMap<Arn, bool>,
        /// Region whose users they steer, for the interlock; not sent.
        steers: Region,
    },
    /// S3 PutObject: the evacuation switch is thrown.
    PutSwitchObject {
        /// Region of the bucket.
        region: Region,
        /// Bucket.
        bucket: BucketName,
        /// Key.
        key: String,
        /// Region that it takes out of DNS, for the interlock; not sent.
        steers: Region,
    },
    /// S3 DeleteObject: the evacuation switch is reset.
    DeleteSwitchObject {
        /// Region of the bucket.
        region: Region,
        /// Bucket.
        bucket: BucketName,
        /// Key.
        key: String,
        /// Region that it brings back, for the interlock; not sent.
        steers: Region,
    },
    /// CloudWatch PutMetricData: the evacuation switch as a metric, 1 is out and 0 is in.
    PutSwitchMetric {
        /// Region of the metric.
        region: Region,
        /// Namespace.
        namespace: String,
        /// Metric name; its one dimension is `Region`, the region that it steers.
        name: String,
        /// Region that it steers.
        steers: Region,
        /// True for 1.
        out: bool,
    },
    /// Application Auto Scaling RegisterScalableTarget. Every call clamps the desired count into [min, max] at once.
    RegisterScalableTarget {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
        /// MinCapacity.
        min: i32,
        /// MaxCapacity; `None` leaves it, which AWS allows for a target that exists.
        max: Option<i32>,
        /// SuspendedState; `None` leaves it.
        suspended: Option<Suspended>,
    },
    /// Application Auto Scaling DeregisterScalableTarget.
    DeregisterScalableTarget {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
    },
    /// ECS UpdateService with a desired count; starts no deployment.
    SetDesired {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
        /// desiredCount.
        desired: i32,
    },
    /// ECS UpdateService with forceNewDeployment: tasks are replaced, so that they look names up again.
    Redeploy {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
    },
    /// ECS DeleteService (desired must be 0).
    DeleteService {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
    },
    /// ECS DeregisterTaskDefinition.
    DeregisterTaskDefinition {
        /// Region.
        region: Region,
        /// Task definition ARN.
        arn: Arn,
    },
    /// ECS DeleteCluster.
    DeleteCluster {
        /// Region.
        region: Region,
        /// Cluster.
        cluster: ClusterName,
    },
    /// RDS SwitchoverGlobalCluster, asked in the region of the current primary. Loses nothing.
    SwitchoverGlobalCluster {
        /// Region of the current primary.
        region: Region,
        /// Global cluster.
        global: GlobalClusterId,
        /// Cluster that becomes the writer.
        target: Arn,
    },
    /// RDS FailoverGlobalCluster with AllowDataLoss, asked in the region of the target.
    FailoverGlobalCluster {
        /// Region of the target.
        region: Region,
        /// Global cluster.
        global: GlobalClusterId,
        /// Cluster that becomes the writer.
        target: Arn,
    },
    /// RDS RemoveFromGlobalCluster, asked in the region of the removed cluster, which becomes a writer of its own.
    RemoveFromGlobalCluster {
        /// Region of the removed cluster.
        region: Region,
        /// Global cluster.
        global: GlobalClusterId,
        /// The removed cluster.
        cluster: Arn,
    },
    /// RDS ModifyGlobalCluster.
    SetGlobalClusterProtection {
        /// A member region.
        region: Region,
        /// Global cluster.
        global: GlobalClusterId,
        /// DeletionProtection.
        protected: bool,
    },
    /// RDS ModifyDBCluster.
    SetClusterProtection {
        /// Region.
        region: Region,
        /// Cluster.
        cluster: DbClusterId,
        /// DeletionProtection.
        protected: bool,
    },
    /// RDS DeleteDBInstance, without a snapshot (Aurora snapshots are the cluster's).
    DeleteDbInstance {
        /// Region.
        region: Region,
        /// Instance identifier.
        instance: Text,
    },
    /// RDS DeleteDBCluster.
    DeleteDbCluster {
        /// Region.
        region: Region,
        /// Cluster.
        cluster: DbClusterId,
        /// FinalDBSnapshotIdentifier; `None` skips it.
        final_snapshot: Option<Text>,
    },
    /// RDS DeleteGlobalCluster (must be empty).
    DeleteGlobalCluster {
        /// A region.
        region: Region,
        /// Global cluster.
        global: GlobalClusterId,
    },
    /// DynamoDB UpdateTable, DeletionProtectionEnabled.
    SetTableProtection {
        /// Region.
        region: Region,
        /// Table.
        table: TableName,
        /// DeletionProtectionEnabled.
        protected: bool,
    },
    /// DynamoDB UpdateTable, ReplicaUpdates Delete: one replica a call, asked in `region`.
    DeleteReplica {
        /// Region that is asked, which keeps its replica.
        region: Region,
        /// Table.
        table: TableName,
        /// Region whose replica goes.
        replica: Region,
    },
    /// DynamoDB DeleteTable (no replicas left).
    DeleteTable {
        /// Region.
        region: Region,
        /// Table.
        table: TableName,
    },
    /// CloudWatch DeleteAlarms.
    DeleteAlarms {
        /// Region.
        region: Region,
        /// Names, at most 100.
        names: Vec<AlarmName>,
    },
    /// SNS DeleteTopic.
    DeleteTopic {
        /// Region.
        region: Region,
        /// Topic.
        topic: Arn,
    },
    /// ELBv2 ModifyLoadBalancerAttributes, deletion_protection.enabled.
    SetLoadBalancerProtection {
        /// Region.
        region: Region,
        /// Load balancer.
        arn: Arn,
        /// deletion_protection.enabled.
        protected: bool,
    },
    /// ELBv2 DeleteLoadBalancer (takes its listeners).
    DeleteLoadBalancer {
        /// Region.
        region: Region,
        /// Load balancer.
        arn: Arn,
    },
    /// ELBv2 DeleteTargetGroup.
    DeleteTargetGroup {
        /// Region.
        region: Region,
        /// Target group.
        arn: Arn,
    },
    /// S3 DeleteBucketReplication.
    DeleteBucketReplication {
        /// Region.
        region: Region,
        /// Bucket.
        bucket: BucketName,
    },
    /// S3 ListObjectVersions and DeleteObjects until nothing is left, multipart uploads aborted.
    EmptyBucket {
        /// Region.
        region: Region,
        /// Bucket.
        bucket: BucketName,
    },
    /// S3 DeleteBucket.
    DeleteBucket {
        /// Region.
        region: Region,
        /// Bucket.
        bucket: BucketName,
    },
    /// CloudFormation DeleteStack.
    DeleteStack {
        /// Region.
        region: Region,
        /// Stack.
        stack: Text,
    },
}

/// One change of ChangeResourceRecordSets.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RecordChange {
    /// What is done.
    pub action: RecordAction,
    /// The whole record set; a deletion must match exactly.
    pub record: RecordSet,
}

/// Action of a record change.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum RecordAction {
    /// DELETE.
    Delete,
    /// UPSERT.
    Upsert,
}

/// What must work for a call to arrive.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(tag = "plane", content = "region", rename_all = "snake_case")]
pub enum FailureDomain {
    /// Built to work while a region is down: ARC's endpoints.
    DataPlane,
    /// One region's API.
    Regional(Region),
    /// Route 53's API, in us-east-1.
    Global,
    /// Nothing is called.
    None,
}

/// Whether a call with an unknown outcome may be sent again without an observation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resend {
    /// It sets a value: sending it twice is sending it once, while the lease is ours.
    Sets,
    /// It starts, creates or deletes: never again without looking first.
    Observe,
}

/// What an operation does to the region that it steers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Steering<'a> {
    /// It may take the region out of DNS: the survivors interlock applies.
    Out(&'a Region),
    /// It may bring the region back.
    In(&'a Region),
}

impl Operation {
    /// The region that signs and answers.
    pub fn region(&self) -> Region {
        match self {
            Self::SetHealthCheck { .. } | Self::ChangeRecords { .. } | Self::DeleteHealthCheck { .. } => {
                Region::new(DNS_REGION)
            }
            // The endpoint is chosen when it is sent; us-west-2 is where ARC is configured.
            Self::SetRoutingControls { .. } => Region::new("us-west-2"),
            Self::PutSwitchObject { region, .. }
            | Self::DeleteSwitchObject { region, .. }
            | Self::PutSwitchMetric { region, .. }
            | Self::RegisterScalableTarget { region, .. }
            | Self::DeregisterScalableTarget { region, .. }
            | Self::SetDesired { region, .. }
            | Self::Redeploy { region, .. }
            | Self::DeleteService { region, .. }
            | Self::DeregisterTaskDefinition { region, .. }
            | Self::DeleteCluster { region, .. }
            | Self::SwitchoverGlobalCluster { region, .. }
            | Self::FailoverGlobalCluster { region, .. }
            | Self::RemoveFromGlobalCluster { region, .. }
            | Self::SetGlobalClusterProtection { region, .. }
            | Self::SetClusterProtection { region, .. }
            | Self::DeleteDbInstance { region, .. }
            | Self::DeleteDbCluster { region, .. }
            | Self::DeleteGlobalCluster { region, .. }
            | Self::SetTableProtection { region, .. }
            | Self::DeleteReplica { region, .. }
            | Self::DeleteTable { region, .. }
            | Self::DeleteAlarms { region, .. }
            | Self::DeleteTopic { region, .. }
            | Self::SetLoadBalancerProtection { region, .. }
            | Self::DeleteLoadBalancer { region, .. }
            | Self::DeleteTargetGroup { region, .. }
            | Self::DeleteBucketReplication { region, .. }
            | Self::EmptyBucket { region, .. }
            | Self::DeleteBucket { region, .. }
            | Self::DeleteStack { region, .. } => region.clone(),
        }
    }

    /// What must work for it to arrive.
    pub fn domain(&self) -> FailureDomain {
        match self {
            Self::SetHealthCheck { .. } | Self::ChangeRecords { .. } | Self::DeleteHealthCheck { .. } => {
                FailureDomain::Global
            }
            Self::SetRoutingControls { .. } => FailureDomain::DataPlane,
            other => FailureDomain::Regional(other.region()),
        }
    }

    /// Whether an unknown outcome may be answered by sending it again (design, "Re-sending").
    pub fn resend(&self) -> Resend {
        match self {
            Self::SetHealthCheck { .. }
            | Self::SetRoutingControls { .. }
            | Self::PutSwitchObject { .. }
            | Self::DeleteSwitchObject { .. }
            | Self::PutSwitchMetric { .. }
            | Self::RegisterScalableTarget { .. }
            | Self::SetDesired { .. }
            | Self::SetGlobalClusterProtection { .. }
            | Self::SetClusterProtection { .. }
            | Self::SetTableProtection { .. }
            | Self::SetLoadBalancerProtection { .. } => Resend::Sets,
            // A deletion of records must match exactly and an UPSERT could undo a colleague's change.
            Self::ChangeRecords { .. }
            | Self::DeleteHealthCheck { .. }
            | Self::DeregisterScalableTarget { .. }
            | Self::Redeploy { .. }
            | Self::DeleteService { .. }
            | Self::DeregisterTaskDefinition { .. }
            | Self::DeleteCluster { .. }
            | Self::SwitchoverGlobalCluster { .. }
            | Self::FailoverGlobalCluster { .. }
            | Self::RemoveFromGlobalCluster { .. }
            | Self::DeleteDbInstance { .. }
            | Self::DeleteDbCluster { .. }
            | Self::DeleteGlobalCluster { .. }
            | Self::DeleteReplica { .. }
            | Self::DeleteTable { .. }
            | Self::DeleteAlarms { .. }
            | Self::DeleteTopic { .. }
            | Self::DeleteLoadBalancer { .. }
            | Self::DeleteTargetGroup { .. }
            | Self::DeleteBucketReplication { .. }
            | Self::EmptyBucket { .. }
            | Self::DeleteBucket { .. }
            | Self::DeleteStack { .. } => Resend::Observe,
        }
    }

    /// Which region's users it moves, if any. What is not plainly a return counts as a removal.
    pub fn steering(&self) -> Option<Steering<'_>> {
        match self {
            Self::SetHealthCheck { steers, inverted, disabled, .. } => Some(match (disabled, inverted) {
                (_, false) => Steering::In(steers),
                (_, true) => Steering::Out(steers),
            }),
            Self::ChangeRecords { steers, changes, .. } => {
                let deletes = changes.iter().any(|change| change.action == RecordAction::Delete);
                Some(if deletes { Steering::Out(steers) } else { Steering::In(steers) })
            }
            Self::SetRoutingControls { states, steers } => {
                let off = states.values().any(|on| !on);
                Some(if off { Steering::Out(steers) } else { Steering::In(steers) })
            }
            Self::PutSwitchObject { steers, .. } => Some(Steering::Out(steers)),
            Self::DeleteSwitchObject { steers, .. } => Some(Steering::In(steers)),
            Self::PutSwitchMetric { steers, out, .. } => {
                Some(if *out { Steering::Out(steers) } else { Steering::In(steers) })
            }
            _ => None,
        }
    }

    /// True for the database operations of which a second one could make a second writer.
    pub fn moves_writer(&self) -> bool {
        matches!(
            self,
            Self::SwitchoverGlobalCluster { .. }
                | Self::FailoverGlobalCluster { .. }
                | Self::RemoveFromGlobalCluster { .. }
        )
    }

    /// True for what no call brings back.
    pub fn is_irreversible(&self) -> bool {
        matches!(
            self,
            Self::FailoverGlobalCluster { .. }
                | Self::RemoveFromGlobalCluster { .. }
                | Self::DeleteHealthCheck { .. }
                | Self::DeregisterScalableTarget { .. }
                | Self::DeleteService { .. }
                | Self::DeleteCluster { .. }
                | Self::DeleteDbInstance { .. }
                | Self::DeleteDbCluster { .. }
                | Self::DeleteGlobalCluster { .. }
                | Self::DeleteReplica { .. }
                | Self::DeleteTable { .. }
                | Self::DeleteAlarms { .. }
                | Self::DeleteTopic { .. }
                | Self::DeleteLoadBalancer { .. }
                | Self::DeleteTargetGroup { .. }
                | Self::DeleteBucketReplication { .. }
                | Self::EmptyBucket { .. }
                | Self::DeleteBucket { .. }
                | Self::DeleteStack { .. }
        )
    }
}
