//! DynamoDB: global tables.
//!
//! What it is for: a table's status and replicas, as the asked region tells them.
//! What it must not do: reconcile regions (that is `derive`), or touch an item.

use aws_sdk_dynamodb::types::{MultiRegionConsistency, ReplicaDescription, TableDescription};

use super::Place;
use super::time::stamp;
use crate::domain::ids::{Region, TableName};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::{ConsistencyMode, Replica, TableState};
use crate::domain::text::Text;

/// IAM's name of the call.
pub const DESCRIBE_TABLE: &str = "dynamodb:DescribeTable";

impl Place {
    /// DescribeTable.
    pub async fn table(&self, name: &TableName) -> Result<TableState, ProbeError> {
        let client = self.dynamodb().await;
        let answer =
            self.ask(DESCRIBE_TABLE, client.describe_table().table_name(name.as_str()).send()).await?;
        match answer.table() {
            Some(table) => Ok(table_state(table)),
            None => Err(self.error(ErrorKind::Malformed, DESCRIBE_TABLE, "no table in the answer")),
        }
    }
}

pub(super) fn table_state(table: &TableDescription) -> TableState {
    TableState {
        status: table.table_status().map(|status| Text::new(status.as_str())).unwrap_or_default(),
        mode: match table.multi_region_consistency() {
            Some(MultiRegionConsistency::Strong) => ConsistencyMode::Strong,
            _ => ConsistencyMode::Eventual,
        },
        replicas: table.replicas().iter().filter_map(replica).collect(),
        witnesses: table
            .global_table_witnesses()
            .iter()
            .filter_map(|witness| {
                let status = witness.witness_status().map(|status| Text::new(status.as_str()));
                Some((Region::new(witness.region_name()?), status.unwrap_or_default()))
            })
            .collect(),
        deletion_protection: table.deletion_protection_enabled().unwrap_or(false),
    }
}

fn replica(replica: &ReplicaDescription) -> Option<Replica> {
    Some(Replica {
        region: Region::new(replica.region_name()?),
        status: replica.replica_status().map(|status| Text::new(status.as_str())).unwrap_or_default(),
        description: replica.replica_status_description().map(Text::new),
        inaccessible_since: replica.replica_inaccessible_date_time().and_then(stamp),
    })
}
