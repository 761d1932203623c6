//! Our own HTTPS requests.

use super::ProbeRow;
use crate::domain::ids::Region;
use crate::domain::snapshot::{FleetSnapshot, ProbeTarget};
use crate::domain::topology::Topology;

/// Rows of `region`, in the order in which they are asked.
pub fn probe(_topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<ProbeRow> {
    snapshot.region(region).map(|region| region.probes.iter().map(row).collect()).unwrap_or_default()
}

/// The control request; `None` when the topology names none.
pub fn control(snapshot: &FleetSnapshot) -> Option<ProbeRow> {
    snapshot.dns.control.as_ref().map(row)
}

fn row(target: &ProbeTarget) -> ProbeRow {
    let result = &target.result;
    let parts = result.map(|result| [result.dns, result.tcp, result.tls, result.first_byte]);
    let certificate_days = result.and_then(|reading| {
        reading
            .certificate_ends
            .map(|ends| {
                let seen = result.as_of().unwrap_or(ends);
                ends.duration_since(seen).as_secs_f64() / 86_400.0
            })
            .ok_or_else(|| {
                super::reading::no_data(
                    result.source(),
                    result.as_of().unwrap_or_default(),
                    "no certificate: the request was plain HTTP",
                )
            })
    });
    ProbeRow {
        url: target.url.clone(),
        via: target.via.clone(),
        status: result.map(|result| result.status),
        total_ms: parts
            .map(|parts| parts.iter().map(std::time::Duration::as_secs_f64).sum::<f64>() * 1_000.0),
        parts,
        certificate_days,
        certificate_error: result.map(|result| result.certificate_error.clone()),
    }
}
