//! Aurora global clusters: roles from DescribeGlobalClusters, status from each region, lag from whichever
//! cluster has data.

use jiff::Timestamp;

use super::AuroraRow;
use super::reading::{LATE, Metrics, absent, entry, never_asked};
use crate::domain::ids::{GlobalClusterId, Region};
use crate::domain::metric::{Metric, PERIOD};
use crate::domain::observation::{ErrorKind, Observed, SourceKind};
use crate::domain::snapshot::{FleetSnapshot, GlobalClusterState};
use crate::domain::topology::{AuroraMember, Topology};

/// Rows of `region`, in the order of the topology.
pub fn aurora(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<AuroraRow> {
    let Some(observed) = snapshot.region(region) else { return Vec::new() };
    let metrics = Metrics(&observed.metrics);
    topology
        .aurora_in(region)
        .map(|(global, member)| {
            let state = freshest(snapshot, &global.id, region);
            let cluster = entry(
                &observed.db_clusters,
                &member.id,
                SourceKind::Aurora,
                "rds:DescribeDBClusters",
                region,
            );
            let role = role(&state, member, snapshot);
            let writer = role.value().is_some_and(|role| role.as_str() == "writer");
            // Since when it is known to write; what was only saved proves nothing.
            let writes_at = role.reading().filter(|seen| writer && !seen.saved).map(|seen| seen.as_of);
            AuroraRow {
                global_cluster: global.id.clone(),
                cluster: member.id.clone(),
                global_status: state.map(|state| state.status.clone()),
                status: cluster.map(|cluster| cluster.status.clone()),
                instances: cluster.map(|cluster| cluster.instances),
                synchronization: synchronization(&state, member, writer, snapshot),
                engine_version: cluster.map(|cluster| cluster.engine_version.clone()),
                replication_lag_ms: lag(
                    &metrics,
                    Metric::AuroraReplicationLag,
                    member,
                    region,
                    writer,
                    writes_at,
                ),
                rpo_lag_ms: lag(&metrics, Metric::AuroraRpoLag, member, region, writer, writes_at),
                rpo_history: metrics.history(Metric::AuroraRpoLag, &[member.id.as_str()]),
                failover: state.map(|state| state.failover.clone()),
                role,
            }
        })
        .collect()
}

/// The newest answer of any region about a global cluster; with none, this region's error.
pub(crate) fn freshest(
    snapshot: &FleetSnapshot,
    id: &GlobalClusterId,
    here: &Region,
) -> Observed<GlobalClusterState> {
    let answers = || snapshot.regions.iter().filter_map(|region| region.global_clusters.get(id));
    answers()
        .filter(|answer| answer.value().is_some())
        .max_by_key(|answer| (answer.reading().is_some_and(|reading| !reading.saved), answer.as_of()))
        .or_else(|| snapshot.region(here).and_then(|region| region.global_clusters.get(id)))
        .or_else(|| answers().next())
        .cloned()
        .unwrap_or_else(|| never_asked(SourceKind::Aurora, "rds:DescribeGlobalClusters", Some(here)))
}

fn role(
    state: &Observed<GlobalClusterState>,
    member: &AuroraMember,
    snapshot: &FleetSnapshot,
) -> Observed<crate::domain::text::Text> {
    state.and_then(|global| {
        global
            .members
            .iter()
            .find(|known| known.arn == member.arn)
            .map(|known| if known.is_writer { "writer" } else { "reader" }.into())
            .ok_or_else(|| {
                absent(
                    state.source(),
                    ErrorKind::NotFound,
                    snapshot.now,
                    &format!("{} is not a member of the global cluster", member.id),
                )
            })
    })
}

fn synchronization(
    state: &Observed<GlobalClusterState>,
    member: &AuroraMember,
    writer: bool,
    snapshot: &FleetSnapshot,
) -> Observed<crate::domain::text::Text> {
    state.and_then(|global| {
        global
            .members
            .iter()
            .find(|known| known.arn == member.arn)
            .and_then(|known| known.synchronization.clone())
            .ok_or_else(|| {
                let meaning = if writer {
                    "the writer has nobody to synchronise with"
                } else {
                    "AWS tells no synchronisation status"
                };
                absent(state.source(), ErrorKind::NoData, snapshot.now, meaning)
            })
    })
}

/// Lags exist on secondaries only. At a change of roles the series stops on one cluster and starts on the other: a point
/// from before the cluster was seen to write is of the time when it was none, and not what a promotion would lose now.
/// Where the role is older knowledge than the point, a recent point counts whatever the role; the writer without one
/// simply has no lag.
fn lag(
    metrics: &Metrics<'_>,
    metric: Metric,
    member: &AuroraMember,
    region: &Region,
    writer: bool,
    writes_at: Option<Timestamp>,
) -> Observed<f64> {
    let missing = if writer { "the writer has no lag" } else { "no lag points: the secondary reports none" };
    let lag = metrics.latest(metric, &[member.id.as_str()], region, missing);
    let window_end = metrics.get(metric, &[member.id.as_str()]).and_then(Observed::as_of);
    let recent = match (lag.as_of(), window_end) {
        (Some(as_of), Some(end)) => as_of + PERIOD + PERIOD >= end,
        _ => false,
    };
    let outdated = lag.as_of().is_some_and(|at| writes_at.is_some_and(|writes_at| writes_at >= at));
    if writer && (outdated || !recent) && lag.value().is_some() {
        let source = lag.source().clone();
        let at = window_end.unwrap_or_default() - LATE;
        let error = absent(&source, ErrorKind::NoData, at, missing);
        return Observed::failed(source, error);
    }
    lag
}
