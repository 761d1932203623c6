use super::ProbeRow;
use crate::domain::ids::Region;
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::topology::Topology;

/// Rows of `region`, in the order of the topology.
pub fn probe(_topology: &Topology, _snapshot: &FleetSnapshot, _region: &Region) -> Vec<ProbeRow> {
    Vec::new()
}

/// The control request; `None` when the topology names none.
pub fn control(_snapshot: &FleetSnapshot) -> Option<ProbeRow> {
    None
}
