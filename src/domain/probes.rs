//! Where our own requests go: the URLs and addresses that show whether a region serves.
//!
//! What it is for: one list for who watches and for who acts. What it must not do: request anything.

use std::collections::BTreeSet;

use super::ids::{HostName, Region};
use super::text::Text;
use super::topology::Topology;

/// What our own request is called where AWS calls are named.
pub const OUR_REQUEST: &str = "our HTTPS request";

/// The requests to a region: each URL, and the name whose addresses are connected to.
pub fn probe_targets(topology: &Topology, region: &Region) -> Vec<(Text, HostName)> {
    let settings = &topology.probe;
    let path = settings.path.trim_start_matches('/');
    if let Some(base) = &settings.base {
        let base = base.replace("{region}", region.as_str());
        let url = format!("{}/{path}", base.trim_end_matches('/'));
        let via = host_of(&url);
        return vec![(Text::new(url), via)];
    }
    let mut asked = BTreeSet::new();
    let mut targets = Vec::new();
    for record in topology.records.iter().filter(|record| &record.region == region) {
        for name in public_names(topology, &record.name) {
            if asked.insert((name.clone(), record.alias_target.clone())) {
                targets.push((Text::new(format!("https://{name}/{path}")), record.alias_target.clone()));
            }
        }
    }
    targets
}

/// The host of a URL, without port, user and path.
pub fn host_of(url: &str) -> HostName {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    let host = match host.strip_prefix('[') {
        Some(v6) => v6.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    HostName::normalized(host)
}

/// The hostnames that a record answers for. Names that users do not ask for (a region's own name, an
/// alias on the way) are probed only where no hostname leads to the region directly.
fn public_names(topology: &Topology, record: &HostName) -> Vec<HostName> {
    let names = topology.hostnames.iter().map(|host| &host.name);
    match record.as_str().strip_prefix('*') {
        Some(suffix) => names.filter(|name| name.as_str().ends_with(suffix)).cloned().collect(),
        None => {
            let direct = topology.hostnames.iter().any(|host| {
                topology
                    .records
                    .iter()
                    .any(|other| other.name == host.name || other.name.as_str().starts_with('*'))
            });
            let public = topology.hostnames.iter().any(|host| &host.name == record);
            if public || !direct { vec![record.clone()] } else { Vec::new() }
        }
    }
}
