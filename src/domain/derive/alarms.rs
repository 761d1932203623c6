use super::AlarmRow;
use crate::domain::ids::Region;
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::topology::Topology;

/// Rows of `region`, in the order of the topology.
pub fn alarms(_topology: &Topology, _snapshot: &FleetSnapshot, _region: &Region) -> Vec<AlarmRow> {
    Vec::new()
}
