//! The operating system's own lookups and resolvers.
//!
//! What it is for: `getaddrinfo`, and the servers that `/etc/resolv.conf` names.
//! What it must not do: fail where the file does not exist; then a resolver on this machine is meant.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::domain::observation::ErrorKind;
use crate::ports::probe::ProbeFailure;

/// Where resolvers are configured.
const FILE: &str = "/etc/resolv.conf";

/// The C library asks no more than the first three.
const MOST: usize = 3;

/// The port of name servers.
pub(super) const PORT: u16 = 53;

/// All addresses of a name, as the operating system has them.
pub(in crate::ports) async fn lookup(host: &str, port: u16) -> Result<Vec<SocketAddr>, ProbeFailure> {
    let failed = |reason: &str| ProbeFailure {
        kind: ErrorKind::Unreachable,
        message: format!("lookup of {host}: {reason}").into(),
    };
    let found = tokio::net::lookup_host((host, port)).await.map_err(|error| {
        let reason = error.to_string();
        failed(reason.rsplit(": ").next().unwrap_or(&reason))
    })?;
    let addresses: Vec<SocketAddr> = found.collect();
    if addresses.is_empty() {
        return Err(failed("it has no address"));
    }
    Ok(addresses)
}

/// The resolvers of this machine.
pub(super) async fn resolvers() -> Vec<SocketAddr> {
    parse(&tokio::fs::read_to_string(FILE).await.unwrap_or_default())
}

/// The resolvers that a `resolv.conf` names; one on this machine when it names none.
pub(super) fn parse(text: &str) -> Vec<SocketAddr> {
    let named = text.lines().filter_map(|line| {
        let mut words = line.split_whitespace();
        // An address with a zone (fe80::1%eth0) is left out: it means nothing without its interface.
        let address: Option<IpAddr> =
            (words.next() == Some("nameserver")).then(|| words.next())??.parse().ok();
        address.map(|address| SocketAddr::new(address, PORT))
    });
    let mut resolvers: Vec<SocketAddr> = named.take(MOST).collect();
    if resolvers.is_empty() {
        resolvers.push(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), PORT));
    }
    resolvers
}
