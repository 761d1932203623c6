//! Our own requests inside the world: the application as a user reaches it.
//!
//! What it is for: implementing the probe's ports over the world's front doors and DNS.
//! What it must not do: open a socket.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Sim;
use super::world::dns::Front;
use super::world::fleet::{CONTROL_HOST, Fleet, HOSTNAMES};
use super::world::{geography, noise};
use crate::domain::ids::HostName;
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::ProbeResult;
use crate::ports::{BoxFuture, DnsLookup, HttpsProbe, ProbeFailure, ProbeRequest};

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
        let world = self.0.world();
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        if host == CONTROL_HOST {
            return Some(Destination::Control);
        }
        if HOSTNAMES.contains(&host.as_str()) {
            return world.answer_near(0, &host, now).map(Destination::Site);
        }
        let bare = host.strip_prefix("dualstack.").unwrap_or(&host);
        world
            .fleet
            .sites
            .iter()
            .find(|site| site.lb_dns == bare || Fleet::regional_name(site) == host)
            .map(|site| Destination::Site(site.index))
    }

    fn address(to: Destination) -> Ipv4Addr {
        match to {
            Destination::Site(site) => Ipv4Addr::new(203, 0, 113, (10 + site * 4) as u8),
            Destination::Control => Ipv4Addr::new(192, 0, 2, 80),
        }
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
            let four = Self::address(to);
            let six = Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, u16::from(four.octets()[3]));
            Ok(vec![IpAddr::V4(four), IpAddr::V6(six)])
        })
    }
}
