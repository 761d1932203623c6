//! What the world's name servers answer, and whom they take the asker for.
//!
//! What it is for: the zone as Route 53 serves it to clients anywhere, for our own proof inside the world and,
//! by [`server`], for `dig` outside it. The load balancers' own names are answered too, for no other server
//! knows them.
//! What it must not do: decide which region is healthy; that is `world::dns`.
//!
//! Clients live in networks kept for tests of networks (RFC 2544, RFC 5180): those of `198.18.N.0/24` and
//! `2001:2:0:N::/64` are near region N of the world's thirty, in the order in which `--regions` takes them,
//! `us-east-1` being 0. It need not be one of the regions that the application runs in. Everybody else is near
//! the first region.

pub mod server;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::world::fleet::{Fleet, HOSTNAMES, ZONE_NAME};
use super::world::geography::{PLACES, Place};
use super::world::{Site, World};
use crate::ports::{AddressKind, ClientSubnet};

/// How long answers that name a load balancer may be kept, seconds: what Route 53 gives aliases of them.
pub(super) const ALIAS_TTL: u32 = 60;

/// Where the zone's name servers are, inside the world.
pub(super) const SERVER: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 53);

/// How many bits of a client's address decide where it is.
const SCOPES: (u8, u8) = (24, 64);

/// What there is at a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// The load balancer of a site; `chosen` when another client may be led to another one.
    Site { site: usize, chosen: bool },
    /// The zone itself: SOA and NS.
    Zone,
    /// Nothing, in a zone that is ours.
    Nothing,
    /// A name of a zone that is not ours.
    Elsewhere,
}

/// The network of clients near a region of the thirty; `None` for other regions.
pub fn clients_near(region: &str) -> Option<ClientSubnet> {
    let number = PLACES.iter().position(|place| place.name == region)?;
    Some(ClientSubnet::new(IpAddr::V4(Ipv4Addr::new(198, 18, number as u8, 0)), SCOPES.0))
}

/// Where a client is; `None` for one that is anywhere.
fn place_of(client: IpAddr) -> Option<&'static Place> {
    let number = match client {
        IpAddr::V4(four) => match four.octets() {
            [198, 18, number, _] => usize::from(number),
            _ => return None,
        },
        IpAddr::V6(six) => match six.segments() {
            [0x2001, 2, 0, number, ..] => usize::from(number),
            _ => return None,
        },
    };
    PLACES.get(number)
}

/// For how long a prefix an answer to this client holds (RFC 7871): 0 says that everybody gets it.
pub(super) fn scope(client: ClientSubnet, chosen: bool) -> u8 {
    let exact = if client.address().is_ipv4() { SCOPES.0 } else { SCOPES.1 };
    match (chosen && client.prefix() > 0, place_of(client.address())) {
        (false, _) => 0,
        (true, Some(_)) => exact,
        (true, None) => client.prefix(),
    }
}

/// What the name servers have at `name` for a client, at `now`.
pub(super) fn find(world: &World, name: &str, client: Option<ClientSubnet>, now: Timestamp) -> Found {
    let name = name.trim_end_matches('.').to_ascii_lowercase();
    if HOSTNAMES.contains(&name.as_str()) {
        let place = client.filter(|client| client.prefix() > 0).and_then(|client| place_of(client.address()));
        let site = place.map_or_else(|| world.answer_near(0, now), |place| world.answer_from(place.at, now));
        return Found::Site { site, chosen: true };
    }
    let bare = name.strip_prefix("dualstack.").unwrap_or(&name);
    let fixed = |site: &&Site| site.lb_dns == bare || Fleet::regional_name(site) == name;
    if let Some(site) = world.fleet.sites.iter().find(fixed) {
        return Found::Site { site: site.index, chosen: false };
    }
    match name.strip_suffix(ZONE_NAME) {
        Some("") => Found::Zone,
        Some(below) if below.ends_with('.') => Found::Nothing,
        _ => Found::Elsewhere,
    }
}

/// The address of a site's load balancer.
pub(super) fn address(site: usize, kind: AddressKind) -> IpAddr {
    let last = (10 + site * 4) as u8;
    match kind {
        AddressKind::A => IpAddr::V4(Ipv4Addr::new(203, 0, 113, last)),
        AddressKind::Aaaa => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(last))),
    }
}
