//! Global tables: status and mode from DescribeTable, latency and throttles from CloudWatch.

use jiff::SignedDuration;

use super::reading::{Metrics, absent, entry, no_data};
use super::{DynamoRow, ReplicaRow};
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, PERIOD};
use crate::domain::observation::{ErrorKind, Observed, Reading, SourceKind};
use crate::domain::snapshot::{ConsistencyMode, FleetSnapshot, RegionSnapshot, TableState};
use crate::domain::topology::{Table, Topology};

/// After this time an inaccessible replica is removed from its group for good.
pub const FUSE: SignedDuration = SignedDuration::from_hours(20);

/// Replica states that light the fuse.
pub const FUSE_STATES: [&str; 3] =
    ["REGION_DISABLED", "INACCESSIBLE_ENCRYPTION_CREDENTIALS", "REPLICATION_NOT_AUTHORIZED"];

/// Rows of `region`, in the order of the topology.
pub fn dynamodb(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<DynamoRow> {
    let Some(observed) = snapshot.region(region) else { return Vec::new() };
    topology.tables_in(region).map(|table| row(table, snapshot, observed)).collect()
}

fn row(table: &Table, snapshot: &FleetSnapshot, observed: &RegionSnapshot) -> DynamoRow {
    let region = &observed.region;
    let metrics = Metrics(&observed.metrics);
    let name = table.name.as_str();
    let state = entry(&observed.tables, &table.name, SourceKind::Tables, "dynamodb:DescribeTable", region);
    let strong = state.value().is_some_and(|state| state.mode == ConsistencyMode::Strong);
    let latency_ms: Vec<_> = table
        .regions
        .iter()
        .filter(|peer| *peer != region)
        .map(|peer| {
            let dimensions = [peer.as_str(), name];
            let mut latency = metrics.latest(
                Metric::TableReplicationLatency,
                &dimensions,
                region,
                "no replication latency: nothing was written here",
            );
            if strong && latency.value().is_none() {
                let source = latency.source().clone();
                let error = absent(
                    &source,
                    ErrorKind::NotConfigured,
                    snapshot.now,
                    "strongly consistent tables (MRSC) publish no replication latency",
                );
                latency = Observed::failed(source, error);
            }
            (peer.clone(), latency, metrics.history(Metric::TableReplicationLatency, &dimensions))
        })
        .collect();
    let flows = table
        .regions
        .iter()
        .any(|peer| metrics.alive(Metric::TableReplicationLatency, &[peer.as_str(), name]));
    DynamoRow {
        table: table.name.clone(),
        status: state.map(|state| state.status.clone()),
        mode: state.map(|state| state.mode),
        replicas: replicas(table, snapshot, observed, &state),
        throttles: throttles(&metrics, name, region, flows),
        latency_ms,
        deletion_protection: state.map(|state| state.deletion_protection),
    }
}

/// What this region says of each other replica; where it does not say, what that region says of itself.
fn replicas(
    table: &Table,
    snapshot: &FleetSnapshot,
    observed: &RegionSnapshot,
    state: &Observed<TableState>,
) -> Vec<ReplicaRow> {
    let here = &observed.region;
    let mut regions: Vec<Region> = table.regions.iter().filter(|peer| *peer != here).cloned().collect();
    if let Some(state) = state.value() {
        for replica in &state.replicas {
            if &replica.region != here && !regions.contains(&replica.region) {
                regions.push(replica.region.clone());
            }
        }
    }
    let mut rows: Vec<ReplicaRow> = regions
        .into_iter()
        .map(|peer| {
            let listed =
                state.value().and_then(|state| state.replicas.iter().find(|replica| replica.region == peer));
            let fuse_ends = listed
                .filter(|replica| FUSE_STATES.contains(&replica.status.as_str()))
                .and_then(|replica| replica.inaccessible_since)
                .map(|since| since + FUSE);
            let status = match (listed, state.reading()) {
                (Some(replica), _) => state.map(|_| replica.status.clone()),
                (None, Some(_)) => state.and_then(|_| {
                    Err(absent(
                        state.source(),
                        ErrorKind::NotFound,
                        snapshot.now,
                        &format!("{here} does not list {peer} among the table's replicas"),
                    ))
                }),
                (None, None) => {
                    snapshot.region(&peer).and_then(|other| other.tables.get(&table.name)).map_or_else(
                        || state.map(|state| state.status.clone()),
                        |own| own.map(|own| own.status.clone()),
                    )
                }
            };
            ReplicaRow { region: peer, status, fuse_ends, witness: false }
        })
        .collect();
    if let Some(reading) = state.value() {
        rows.extend(reading.witnesses.iter().map(|(region, status)| ReplicaRow {
            region: region.clone(),
            status: state.map(|_| status.clone()),
            fuse_ends: None,
            witness: true,
        }));
    }
    rows
}

/// Throttles are reported when non-zero only: none is zero only while replication proves that this
/// table's metrics flow.
fn throttles(metrics: &Metrics<'_>, table: &str, region: &Region, flows: bool) -> Observed<f64> {
    let reads = metrics.get(Metric::TableReadThrottles, &[table]);
    let writes = metrics.get(Metric::TableWriteThrottles, &[table]);
    let (Some(reads), Some(writes)) = (reads, writes) else {
        return super::reading::unread(Metric::TableWriteThrottles, region);
    };
    let source = writes.source().clone();
    let error = reads.error().or(writes.error()).cloned();
    let (Some(read), Some(write)) = (reads.reading(), writes.reading()) else {
        return Observed::from_parts(source, None, error);
    };
    let end = read.as_of.min(write.as_of);
    let minute = crate::domain::metric::floor_minute(end) - PERIOD;
    let found = [&read.value, &write.value].into_iter().filter_map(|series| series.at(minute));
    let sum = found.fold(None, |sum: Option<f64>, value| Some(sum.unwrap_or(0.0) + value));
    let value = sum.or(flows.then_some(0.0));
    let saved = read.saved || write.saved;
    match value {
        Some(value) => {
            Observed::from_parts(source, Some(Reading { value, as_of: minute + PERIOD, saved }), error)
        }
        None => {
            let missing =
                no_data(&source, end, "no throttles reported, and nothing proves that metrics flow");
            Observed::from_parts(source, None, error.or(Some(missing)))
        }
    }
}
