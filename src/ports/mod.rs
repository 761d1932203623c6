//! What differs between the real world and the simulated one, beside the SDK's `HttpClient`.
//!
//! What it is for: three small seams, the clock, DNS and our own HTTPS request, each with its real
//! implementation here. What it must not do: know AWS, panes or runbooks.

pub mod clock;
pub mod dns;
pub mod https;
pub mod probe;

pub use clock::{Clock, Elapsed, Stopwatch};
pub use dns::{
    AddressKind, ClientSubnet, DnsAnswer, DnsLookup, DnsQuestion, DnsStatus, NameServer, NotASubnet, RealDns,
};
pub use https::RealProbe;
pub use probe::{BoxFuture, Exchanged, HttpsProbe, Message, ProbeFailure, ProbeRequest, READ};
