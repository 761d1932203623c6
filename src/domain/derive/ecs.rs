//! ECS services: DescribeServices, scaling limits, CPU and memory.

use super::EcsRow;
use super::reading::{Metrics, entry};
use crate::domain::ids::Region;
use crate::domain::metric::Metric;
use crate::domain::observation::{ErrorKind, SourceKind};
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::topology::Topology;

const IDLE: &str = "no CPU or memory points: no task ran";

/// Rows of `region`, in the order of the topology.
pub fn ecs(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<EcsRow> {
    let (Some(configured), Some(observed)) = (topology.region(region), snapshot.region(region)) else {
        return Vec::new();
    };
    let metrics = Metrics(&observed.metrics);
    configured
        .services
        .iter()
        .map(|service| {
            let key = &service.key;
            let state = entry(&observed.services, key, SourceKind::Services, "ecs:DescribeServices", region);
            let dimensions = [key.cluster.as_str(), key.service.as_str()];
            EcsRow {
                cluster: key.cluster.clone(),
                service: key.service.clone(),
                status: state.map(|state| state.status.clone()),
                desired: state.map(|state| state.desired),
                running: state.map(|state| state.running),
                pending: state.map(|state| state.pending),
                rollout: state.and_then(|known| {
                    known.deployments.first().and_then(|primary| primary.rollout.clone()).ok_or_else(|| {
                        super::reading::absent(
                            state.source(),
                            ErrorKind::NoData,
                            snapshot.now,
                            "the primary deployment tells no rollout state",
                        )
                    })
                }),
                deployments: state.map(|state| state.deployments.clone()),
                last_event: state.map(|state| state.events.first().cloned()),
                scaling: entry(
                    &observed.scaling,
                    key,
                    SourceKind::Scaling,
                    "application-autoscaling:DescribeScalableTargets",
                    region,
                ),
                cpu_percent: metrics.latest(Metric::EcsCpu, &dimensions, region, IDLE),
                cpu_history: metrics.history(Metric::EcsCpu, &dimensions),
                memory_percent: metrics.latest(Metric::EcsMemory, &dimensions, region, IDLE),
            }
        })
        .collect()
}
