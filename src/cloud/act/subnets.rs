//! Where clients are taken to be when DNS is asked on their behalf.
//!
//! What it is for: one network near each of many places of the world.
//! What it must not do: ask.

use std::net::{IpAddr, Ipv4Addr};

use crate::domain::ids::Region;
use crate::ports::ClientSubnet;

/// One public network of EC2 in each of these regions, from AWS's published address ranges. Route 53 knows
/// where they are, and whoever reads a proof can look them up.
const WORLD: [(&str, [u8; 3]); 21] = [
    ("us-east-1", [3, 80, 1]),
    ("us-east-2", [18, 216, 1]),
    ("us-west-1", [13, 56, 1]),
    ("us-west-2", [34, 208, 1]),
    ("ca-central-1", [3, 96, 1]),
    ("sa-east-1", [18, 228, 1]),
    ("eu-west-1", [34, 240, 1]),
    ("eu-west-2", [3, 8, 1]),
    ("eu-west-3", [35, 180, 1]),
    ("eu-central-1", [3, 120, 1]),
    ("eu-north-1", [13, 48, 1]),
    ("eu-south-1", [15, 160, 1]),
    ("ap-northeast-1", [13, 112, 1]),
    ("ap-northeast-2", [13, 124, 1]),
    ("ap-northeast-3", [13, 208, 1]),
    ("ap-southeast-1", [13, 228, 1]),
    ("ap-southeast-2", [13, 236, 1]),
    ("ap-south-1", [13, 232, 1]),
    ("ap-east-1", [18, 162, 1]),
    ("me-south-1", [15, 185, 1]),
    ("af-south-1", [13, 244, 1]),
];

/// Places of a simulated world, whose clients live in the networks kept for tests (RFC 2544).
const SIMULATED: u8 = 30;

/// As many where each question is a call to AWS.
const FEW: usize = 2;

/// Networks of the real world.
pub(super) fn world() -> Vec<ClientSubnet> {
    WORLD.iter().map(|(_, [a, b, c])| network([*a, *b, *c])).collect()
}

/// Networks of a simulated world.
pub(super) fn simulated() -> Vec<ClientSubnet> {
    (0..SIMULATED).map(|place| network([198, 18, place])).collect()
}

/// Networks near regions, of the real world; where none of them is on the list, the first few of it.
pub(super) fn near<'a>(regions: impl IntoIterator<Item = &'a Region>) -> Vec<ClientSubnet> {
    let regions: Vec<&str> = regions.into_iter().map(Region::as_str).collect();
    let near = WORLD.iter().filter(|(name, _)| regions.contains(name));
    let near: Vec<ClientSubnet> = near.map(|(_, [a, b, c])| network([*a, *b, *c])).collect();
    if near.is_empty() { world().into_iter().take(FEW).collect() } else { near }
}

/// As many networks of a simulated world as the application has regions: it takes its first places first.
pub(super) fn simulated_near(regions: usize) -> Vec<ClientSubnet> {
    simulated().into_iter().take(regions).collect()
}

fn network([a, b, c]: [u8; 3]) -> ClientSubnet {
    ClientSubnet::new(IpAddr::V4(Ipv4Addr::new(a, b, c, 0)), 24)
}
