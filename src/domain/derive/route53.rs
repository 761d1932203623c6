use super::Route53Row;
use crate::domain::ids::Region;
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::topology::Topology;

/// Rows of `region`, in the order of the topology.
pub fn route53(_topology: &Topology, _snapshot: &FleetSnapshot, _region: &Region) -> Vec<Route53Row> {
    Vec::new()
}

/// Whether DNS would send users to `region`: true when any record of any hostname that leads there
/// would be answered.
pub fn in_dns(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> super::Observed<bool> {
    let _ = (topology, snapshot, region);
    super::Observed::pending(crate::domain::Source::new(crate::domain::SourceKind::Records, "route53", None))
}
