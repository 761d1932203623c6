//! Our own requests inside the world: the application as a user reaches it.
//!
//! What it is for: implementing the probe's ports over the world's front doors and DNS.
//! What it must not do: open a socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Sim;
use super::dns;
use super::world::dns::Front;
use super::world::fleet::CONTROL_HOST;
use super::world::{World, geography, noise};
use crate::domain::ids::HostName;
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::ProbeResult;
use crate::ports::{
    BoxFuture, DnsAnswer, DnsLookup, DnsQuestion, DnsStatus, Exchanged, HttpsProbe, Message, NameServer,
    ProbeFailure, ProbeRequest,
};

/// How long a name server takes to answer.
const ANSWER_TIME: Duration = Duration::from_millis(8);

/// The probe of a world.
#[derive(Clone, Debug)]
pub struct SimProbe(Sim);

impl Sim {
    /// Our own requests and lookups inside this world.
    pub fn probe(&self) -> Arc<SimProbe> {
        Arc::new(SimProbe(self.clone()))
    }
}

/// Whom a name leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Destination {
    Site(usize),
    Control,
}

impl SimProbe {
    fn resolve(&self, host: &str, now: Timestamp) -> Option<Destination> {
        if host.trim_end_matches('.').eq_ignore_ascii_case(CONTROL_HOST) {
            return Some(Destination::Control);
        }
        dns::find(self.0.world(), host, "A", None, now).site.map(Destination::Site)
    }

    fn address(to: Destination) -> IpAddr {
        match to {
            Destination::Site(site) => World::balancer_address(site, "A"),
            Destination::Control => IpAddr::V4(Ipv4Addr::new(192, 0, 2, 80)),
        }
    }

    /// A request with what it carries, and what is answered.
    async fn exchanged(&self, request: ProbeRequest, message: Message) -> Result<Exchanged, ProbeFailure> {
        let path = path_of(&request.url).to_owned();
        let to = self.resolve(request.via.as_str(), self.0.clock().now());
        let mut result = self.request(request).await?;
        let now = self.0.clock().now();
        let mut body = String::new();
        if result.status < 400
            && let Some(Destination::Site(site)) = to
            && let Some((status, told)) =
                self.0.world().application(site, &message.method, &path, &message.body, now)
        {
            (result.status, body) = (status, told);
        }
        Ok(Exchanged { result, body })
    }

    async fn request(&self, request: ProbeRequest) -> Result<ProbeResult, ProbeFailure> {
        let clock = self.0.clock();
        let world = self.0.world();
        let secure = request.url.starts_with("https://");
        if !secure && !request.url.starts_with("http://") {
            return Err(failure(ErrorKind::Rejected, format!("not an http or https URL: {}", request.url)));
        }
        let now = clock.now();
        if world.our_network_down(now) {
            clock.sleep(request.timeout).await;
            let message = format!("DNS lookup of {}: no answer within {:?}", request.via, request.timeout);
            return Err(failure(ErrorKind::TimedOut, message));
        }
        let Some(to) = self.resolve(request.via.as_str(), now) else {
            clock.sleep(Duration::from_millis(2)).await;
            return Err(failure(
                ErrorKind::Unreachable,
                format!("DNS lookup of {}: no such name", request.via),
            ));
        };
        let address = Self::address(to);
        let port = if secure { 443 } else { 80 };
        let front = match to {
            Destination::Control => Front::Serving(0.0),
            Destination::Site(site) => world.front_of(site, path_of(&request.url), now),
        };
        let round_trip = self.round_trip(to, now);
        let dns = Duration::from_millis(1) + round_trip / 8;
        match front {
            Front::Hanging => {
                clock.sleep(request.timeout).await;
                return Err(failure(
                    ErrorKind::TimedOut,
                    format!("TCP connect to {address}:{port}: no answer within {:?}", request.timeout),
                ));
            }
            Front::Refusing => {
                clock.sleep(dns + round_trip).await;
                return Err(failure(
                    ErrorKind::Unreachable,
                    format!("TCP connect to {address}:{port}: connection refused"),
                ));
            }
            // The balancer waits for its targets longer than we wait for it.
            Front::Failing(504) => {
                clock.sleep(request.timeout).await;
                return Err(failure(
                    ErrorKind::TimedOut,
                    format!("HTTP request to {address}:{port}: no answer within {:?}", request.timeout),
                ));
            }
            Front::Serving(_) | Front::Failing(_) => {}
        }
        let status = match (to, front) {
            (Destination::Control, _) => 204,
            (_, Front::Failing(status)) => status,
            (Destination::Site(site), Front::Serving(errors)) if errors > 0.0 => {
                let salt = world.salt(&format!("probe/{site}"));
                if noise::unit(salt, now.as_millisecond()) < errors { 500 } else { 200 }
            }
            _ => 200,
        };
        let work = match to {
            Destination::Site(site) => {
                let spec = &world.fleet.services[0];
                let slow = world.outcome(site, 0, crate::domain::metric::floor_minute(now)).slowness;
                Duration::from_secs_f64(spec.median * slow)
            }
            Destination::Control => Duration::from_millis(3),
        };
        let tls = if secure { round_trip + Duration::from_millis(2) } else { Duration::ZERO };
        let result = ProbeResult {
            status,
            address: Some(address.to_string().into()),
            dns,
            tcp: round_trip,
            tls,
            first_byte: round_trip + work,
            certificate_ends: secure.then(|| match to {
                Destination::Site(site) => world.fleet.sites[site].certificate_ends,
                Destination::Control => world.started + jiff::SignedDuration::from_hours(24 * 200),
            }),
            certificate_error: None,
        };
        let whole = result.dns + result.tcp + result.tls + result.first_byte;
        if whole > request.timeout {
            clock.sleep(request.timeout).await;
            return Err(failure(
                ErrorKind::TimedOut,
                format!("HTTP request to {address}:{port}: no answer within {:?}", request.timeout),
            ));
        }
        clock.sleep(whole).await;
        Ok(result)
    }

    /// Time to a place and back, from somewhere near the first region.
    fn round_trip(&self, to: Destination, now: Timestamp) -> Duration {
        let world = self.0.world();
        let from = world.fleet.sites.first().map_or((0.0, 0.0), |site| site.at);
        let (far, name) = match to {
            Destination::Site(site) => (
                geography::distance(from, world.fleet.sites[site].at),
                world.fleet.sites[site].region.as_str(),
            ),
            Destination::Control => (6.0, CONTROL_HOST),
        };
        let jitter = noise::unit(world.salt(&format!("round-trip/{name}")), now.as_second());
        Duration::from_secs_f64((4.0 + far * 1.3 + 3.0 * jitter) / 1_000.0)
    }
}

/// The path of a URL, without its query.
fn path_of(url: &str) -> &str {
    let rest = url.split_once("://").map_or(url, |(_, rest)| rest);
    let path = rest.find('/').map_or("/", |start| &rest[start..]);
    path.split(['?', '#']).next().unwrap_or(path)
}

fn failure(kind: ErrorKind, message: String) -> ProbeFailure {
    ProbeFailure { kind, message: message.into() }
}

impl HttpsProbe for SimProbe {
    fn probe(&self, request: ProbeRequest) -> BoxFuture<'_, Result<ProbeResult, ProbeFailure>> {
        Box::pin(self.request(request))
    }

    fn exchange(
        &self,
        request: ProbeRequest,
        message: Message,
    ) -> BoxFuture<'_, Result<Exchanged, ProbeFailure>> {
        Box::pin(self.exchanged(request, message))
    }
}

impl DnsLookup for SimProbe {
    fn lookup<'a>(&'a self, host: &'a HostName) -> BoxFuture<'a, Result<Vec<IpAddr>, ProbeFailure>> {
        Box::pin(async move {
            let clock = self.0.clock();
            clock.sleep(Duration::from_millis(2)).await;
            let now = clock.now();
            if self.0.world().our_network_down(now) {
                return Err(failure(ErrorKind::TimedOut, format!("DNS lookup of {host}: no answer")));
            }
            let to = self.resolve(host.as_str(), now).ok_or_else(|| {
                failure(ErrorKind::Unreachable, format!("DNS lookup of {host}: no such name"))
            })?;
            let six = match to {
                Destination::Site(site) => World::balancer_address(site, "AAAA"),
                Destination::Control => IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 80)),
            };
            Ok(vec![Self::address(to), six])
        })
    }

    fn ask(&self, question: DnsQuestion) -> BoxFuture<'_, Result<DnsAnswer, ProbeFailure>> {
        Box::pin(self.question(question))
    }

    fn name_servers<'a>(
        &'a self,
        zone: &'a HostName,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Vec<NameServer>, ProbeFailure>> {
        Box::pin(async move {
            let clock = self.0.clock();
            if self.0.world().our_network_down(clock.now()) {
                clock.sleep(timeout).await;
                let message = format!("name servers of {zone}: none found within {timeout:?}");
                return Err(failure(ErrorKind::TimedOut, message));
            }
            clock.sleep(ANSWER_TIME).await;
            let found = dns::find(self.0.world(), zone.as_str(), "NS", None, clock.now());
            if found.values.is_empty() {
                let message = format!("name servers of {zone}: NXDOMAIN, and none is named");
                return Err(failure(ErrorKind::NotFound, message));
            }
            let server = |name: &String| NameServer {
                name: HostName::normalized(name),
                addresses: vec![SocketAddr::from((dns::SERVER, 53))],
            };
            Ok(found.values.iter().map(server).collect())
        })
    }
}

impl SimProbe {
    /// The zone's name servers answer; nobody answers elsewhere, as nobody would in a network without one.
    async fn question(&self, question: DnsQuestion) -> Result<DnsAnswer, ProbeFailure> {
        let (world, clock) = (self.0.world(), self.0.clock());
        let there = question.server == SocketAddr::from((dns::SERVER, 53));
        if !there || world.our_network_down(clock.now()) {
            clock.sleep(question.timeout).await;
            let message = format!("{question}: no answer within {:?}", question.timeout);
            return Err(failure(ErrorKind::TimedOut, message));
        }
        clock.sleep(ANSWER_TIME).await;
        let kind = question.kind.to_string();
        let found = dns::find(world, question.name.as_str(), &kind, question.client, clock.now());
        Ok(DnsAnswer {
            status: found.status,
            authoritative: found.status != DnsStatus::Refused,
            addresses: found.values.iter().filter_map(|value| value.parse().ok()).collect(),
            ttl: (!found.values.is_empty()).then(|| Duration::from_secs(u64::from(found.ttl))),
            scope: question.client.map(|client| dns::scope(client, found.chosen)),
            took: ANSWER_TIME,
        })
    }
}
