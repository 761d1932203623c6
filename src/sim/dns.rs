//! What the world's name servers answer, and whom they take the asker for.
//!
//! What it is for: the zone as Route 53 serves it to clients anywhere, for our own proof inside the world and,
//! by [`server`], for `dig` outside it. The load balancers' own names are answered too, for no other server
//! knows them.
//! What it must not do: decide which region is healthy; that is `world::dns`.
//!
//! Clients live in networks kept for tests of networks (RFC 2544, RFC 5180): those of `198.18.N.0/24` and
//! `2001:2:0:N::/64` are near region N of the world's thirty, in the order in which `--regions` takes them,
//! `us-east-1` being 0. It need not be one of the regions that the application runs in. Who does not say where it
//! is, is near the first region.

pub mod server;

use std::net::{IpAddr, Ipv4Addr};

use jiff::Timestamp;

use super::world::World;
use super::world::fleet::ZONE_NAME;
use super::world::geography::PLACES;
use super::world::zone::{ALIAS_TTL, plain};
use crate::ports::{ClientSubnet, DnsStatus};

/// Where the zone's name servers are, inside the world.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

/// How many bits of a client's address decide where it is, IPv4 and IPv6.
const SCOPES: (u8, u8) = (24, 64);

/// What the name servers have for a question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    /// NOERROR, NXDOMAIN, or REFUSED for a name of a zone that is not ours.
    pub(super) status: DnsStatus,
    /// Values in the zone file's form.
    pub(super) values: Vec<String>,
    /// How long they may be kept, seconds.
    pub(super) ttl: u32,
    /// The site whose load balancer is meant.
    pub(super) site: Option<usize>,
    /// Another client may get another answer.
    pub(super) chosen: bool,
}

/// The network of clients near a region of the thirty; `None` for other regions.
pub fn clients_near(region: &str) -> Option<ClientSubnet> {
    let number = PLACES.iter().position(|place| place.name == region)?;
    Some(ClientSubnet::new(IpAddr::V4(Ipv4Addr::new(198, 18, number as u8, 0)), SCOPES.0))
}

/// For how long a prefix an answer to this client holds (RFC 7871): 0 says that everybody gets it.
pub(super) fn scope(client: ClientSubnet, chosen: bool) -> u8 {
    match (chosen && client.prefix() > 0, client.address()) {
        (false, _) => 0,
        (true, IpAddr::V4(_)) => SCOPES.0,
        (true, IpAddr::V6(_)) => SCOPES.1,
    }
}

/// What the name servers have at `name` of type `kind` for a client, at `now`.
pub(super) fn find(
    world: &World,
    name: &str,
    kind: &str,
    client: Option<ClientSubnet>,
    now: Timestamp,
) -> Found {
    let name = plain(name);
    let nothing = |status| Found { status, values: Vec::new(), ttl: ALIAS_TTL, site: None, chosen: false };
    if let Some(site) = world.balancer(&name) {
        let address = || World::balancer_address(site, kind).to_string();
        let values = if matches!(kind, "A" | "AAAA") { vec![address()] } else { Vec::new() };
        return Found { values, site: Some(site), ..nothing(DnsStatus::NoError) };
    }
    let ours = name.strip_suffix(ZONE_NAME).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    if !ours {
        return nothing(DnsStatus::Refused);
    }
    let client = client.filter(|client| client.prefix() > 0).map(|client| client.address());
    let answer = world.dns_answer(&name, kind, client, now);
    let status = if answer.code == "NXDOMAIN" { DnsStatus::NoSuchName } else { DnsStatus::NoError };
    let chosen = world.records(now).iter().any(|record| record.name == name && record.set.is_some());
    Found { status, values: answer.values, ttl: answer.ttl, site: answer.site, chosen }
}
