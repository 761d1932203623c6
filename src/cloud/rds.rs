//! RDS: Aurora global clusters and their members.
//!
//! What it is for: who writes, whether members are in step, and what an operation under way does.
//! What it must not do: trust the SDK's enums: AWS says more words than they list.

use aws_sdk_rds::types::{DbCluster, GlobalCluster};

use super::Place;
use crate::domain::ids::{Arn, DbClusterId, GlobalClusterId, HostName};
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::{DbClusterState, FailoverState, GlobalClusterState, GlobalMember};
use crate::domain::text::Text;

/// IAM's name of the call.
pub const DESCRIBE_GLOBAL_CLUSTERS: &str = "rds:DescribeGlobalClusters";
/// IAM's name of the call.
pub const DESCRIBE_DB_CLUSTERS: &str = "rds:DescribeDBClusters";

impl Place {
    /// One global cluster, as this region tells it.
    pub async fn global_cluster(&self, id: &GlobalClusterId) -> Result<GlobalClusterState, ProbeError> {
        let client = self.rds().await;
        let request = client.describe_global_clusters().global_cluster_identifier(id.as_str());
        let answer = self.ask(DESCRIBE_GLOBAL_CLUSTERS, request.send()).await?;
        answer
            .global_clusters()
            .iter()
            .find(|cluster| same_id(cluster.global_cluster_identifier(), id.as_str()))
            .map(global_cluster_state)
            .ok_or_else(|| self.absent(DESCRIBE_GLOBAL_CLUSTERS, "this global cluster is gone"))
    }

    /// One regional cluster.
    pub async fn db_cluster(&self, id: &DbClusterId) -> Result<DbClusterState, ProbeError> {
        let client = self.rds().await;
        let request = client.describe_db_clusters().db_cluster_identifier(id.as_str());
        let answer = self.ask(DESCRIBE_DB_CLUSTERS, request.send()).await?;
        answer
            .db_clusters()
            .iter()
            .find(|cluster| same_id(cluster.db_cluster_identifier(), id.as_str()))
            .map(db_cluster_state)
            .ok_or_else(|| self.absent(DESCRIBE_DB_CLUSTERS, "this cluster is gone"))
    }
}

/// RDS identifiers do not mind case.
fn same_id(told: Option<&str>, wanted: &str) -> bool {
    told.is_some_and(|told| told.eq_ignore_ascii_case(wanted))
}

pub(super) fn global_cluster_state(cluster: &GlobalCluster) -> GlobalClusterState {
    GlobalClusterState {
        status: Text::new(cluster.status().unwrap_or_default()),
        engine_version: Text::new(cluster.engine_version().unwrap_or_default()),
        endpoint: cluster.endpoint().filter(|name| !name.is_empty()).map(HostName::normalized),
        members: cluster
            .global_cluster_members()
            .iter()
            .filter_map(|member| {
                Some(GlobalMember {
                    arn: Arn::new(member.db_cluster_arn()?),
                    is_writer: member.is_writer().unwrap_or(false),
                    synchronization: member.synchronization_status().map(|status| Text::new(status.as_str())),
                    forwarding: member
                        .global_write_forwarding_status()
                        .map(|status| Text::new(status.as_str())),
                })
            })
            .collect(),
        failover: cluster.failover_state().and_then(|state| {
            // `switching-over` is documented but no variant of the enum: as_str() gives AWS's own word.
            let status = state.status().map(|status| Text::new(status.as_str()))?;
            Some(FailoverState {
                status,
                from: state.from_db_cluster_arn().map(Arn::new),
                to: state.to_db_cluster_arn().map(Arn::new),
                data_loss_allowed: state.is_data_loss_allowed(),
            })
        }),
        deletion_protection: cluster.deletion_protection().unwrap_or(false),
    }
}

fn db_cluster_state(cluster: &DbCluster) -> DbClusterState {
    let pending = cluster
        .pending_modified_values()
        .is_some_and(|values| *values != aws_sdk_rds::types::ClusterPendingModifiedValues::builder().build());
    DbClusterState {
        status: Text::new(cluster.status().unwrap_or_default()),
        engine_version: Text::new(cluster.engine_version().unwrap_or_default()),
        instances: cluster.db_cluster_members().len(),
        pending_changes: pending,
        resource_id: Text::new(cluster.db_cluster_resource_id().unwrap_or_default()),
    }
}
