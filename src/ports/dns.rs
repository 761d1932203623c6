//! Questions to name servers: what users elsewhere are told.
//!
//! What it is for: the trait that proves where DNS sends people, and its real implementation: one server, one
//! name, one question, with a client subnet (RFC 7871) where the answer depends on the asker.
//! What it must not do: judge an answer (NXDOMAIN and REFUSED are results, not failures), or remember one.
//!
//! | file | what it is |
//! |---|---|
//! | `client` | [`RealDns`]: UDP, TCP after a truncated answer, deadlines |
//! | `message` | questions as bytes, and which bytes answer them |
//! | `system` | the operating system's resolvers |

mod client;
mod message;
mod system;

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::str::FromStr;
use std::time::Duration;

use super::probe::{BoxFuture, ProbeFailure};
use crate::domain::ids::HostName;

pub use client::RealDns;
pub(super) use system::lookup;

/// Looks names up, as the operating system would or at one server.
pub trait DnsLookup: Send + Sync {
    /// All addresses of a name, as the operating system has them.
    fn lookup<'a>(&'a self, host: &'a HostName) -> BoxFuture<'a, Result<Vec<IpAddr>, ProbeFailure>>;

    /// Asks one server one question. Every answer is a result, whatever its status; a failure is
    /// `Unreachable`, `TimedOut`, `Malformed` or `Rejected` (a name that cannot be asked for).
    fn ask(&self, question: DnsQuestion) -> BoxFuture<'_, Result<DnsAnswer, ProbeFailure>>;

    /// The authoritative servers of a zone with their addresses, at least one, found through the operating
    /// system's resolvers within `timeout`.
    fn name_servers<'a>(
        &'a self,
        zone: &'a HostName,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Vec<NameServer>, ProbeFailure>>;
}

/// One question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsQuestion {
    /// Who is asked; port 53 but for servers of one's own.
    pub server: SocketAddr,
    /// The name asked for.
    pub name: HostName,
    /// Which addresses.
    pub kind: AddressKind,
    /// On whose behalf: the answer is the one that clients of this network get.
    pub client: Option<ClientSubnet>,
    /// Time for everything, TCP included.
    pub timeout: Duration,
}

/// The record types that hold addresses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum AddressKind {
    /// `A`: IPv4.
    A,
    /// `AAAA`: IPv6.
    Aaaa,
}

/// What a server said.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// Its verdict.
    pub status: DnsStatus,
    /// True when the server answers for the zone itself, not from a cache.
    pub authoritative: bool,
    /// Addresses of the name, aliases (CNAME) followed as far as the answer does; empty is an answer too.
    pub addresses: Vec<IpAddr>,
    /// How long the answer may be kept: the least of the records that led to the addresses.
    pub ttl: Option<Duration>,
    /// For how long a prefix of the client subnet the answer holds; `None` when the server ignored it, 0 when
    /// everybody gets this answer.
    pub scope: Option<u8>,
    /// From the first packet to the answer.
    pub took: Duration,
}

/// How a server judged the question (its response code).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DnsStatus {
    /// NOERROR: the name exists, with addresses or without.
    NoError,
    /// NXDOMAIN: there is no such name.
    NoSuchName,
    /// REFUSED: the server does not answer for this zone, or not for us.
    Refused,
    /// SERVFAIL.
    ServerFailure,
    /// Any other code.
    Other(u16),
}

/// A network of clients, such as `198.51.100.0/24`; the bits behind the prefix are zero.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientSubnet {
    address: IpAddr,
    prefix: u8,
}

/// An authoritative server of a zone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NameServer {
    /// Its name.
    pub name: HostName,
    /// Its addresses with port 53, IPv4 first; never empty.
    pub addresses: Vec<SocketAddr>,
}

impl ClientSubnet {
    /// The network of `prefix` bits that holds `address`; a prefix longer than the address is cut to it.
    pub fn new(address: IpAddr, prefix: u8) -> Self {
        let (address, prefix) = match address {
            IpAddr::V4(four) => {
                let prefix = prefix.min(32);
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                (IpAddr::V4((four.to_bits() & mask).into()), prefix)
            }
            IpAddr::V6(six) => {
                let prefix = prefix.min(128);
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                (IpAddr::V6((six.to_bits() & mask).into()), prefix)
            }
        };
        Self { address, prefix }
    }

    /// Its first address.
    pub fn address(&self) -> IpAddr {
        self.address
    }

    /// How many bits of it count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }
}

impl fmt::Display for ClientSubnet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

/// Why a text is no client subnet.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an address and a prefix, such as 198.51.100.0/24")]
pub struct NotASubnet;

impl FromStr for ClientSubnet {
    type Err = NotASubnet;

    fn from_str(text: &str) -> Result<Self, NotASubnet> {
        let (address, prefix) = text.split_once('/').ok_or(NotASubnet)?;
        let address: IpAddr = address.parse().map_err(|_| NotASubnet)?;
        let prefix: u8 = prefix.parse().map_err(|_| NotASubnet)?;
        let longest = if address.is_ipv4() { 32 } else { 128 };
        if prefix <= longest { Ok(Self::new(address, prefix)) } else { Err(NotASubnet) }
    }
}

impl fmt::Display for AddressKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::A => "A",
            Self::Aaaa => "AAAA",
        })
    }
}

impl fmt::Display for DnsStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoError => f.pad("NOERROR"),
            Self::NoSuchName => f.pad("NXDOMAIN"),
            Self::Refused => f.pad("REFUSED"),
            Self::ServerFailure => f.pad("SERVFAIL"),
            Self::Other(code) => write!(f, "response code {code}"),
        }
    }
}

impl fmt::Display for DnsQuestion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DNS question {} {} to {}", self.name, self.kind, self.server)
    }
}
