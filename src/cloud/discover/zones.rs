//! Hosted zones, their records, and where a hostname leads.
//!
//! What it is for: the longest-suffix zone of each hostname, public or private, read whole, and the way
//! from a name over aliases and CNAMEs to load balancers. What it must not do: resolve names over the
//! network; what counts is what the zone says.

use std::collections::BTreeSet;

use crate::cloud::Place;
use crate::cloud::route53::{Page, load_balancer_name};
use crate::domain::ids::{HealthCheckId, HostName, ZoneId};
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::RecordSet;
use crate::domain::topology::FrontDoor;

/// IAM's name of the call.
const LIST_HOSTED_ZONES: &str = "route53:ListHostedZones";

/// The alias zone of every CloudFront distribution.
const CLOUDFRONT_ZONE: &str = "Z2FDTNDATAQYW2";
/// The same in the China regions.
const CLOUDFRONT_ZONE_CHINA: &str = "Z3RFFRIM2A3IF5";
/// The alias zone of every accelerator.
const ACCELERATOR_ZONE: &str = "Z2BJ6XQ5FK7U4H";

/// How many aliases and CNAMEs are followed from a hostname.
const DEPTH: usize = 8;

/// A hosted zone.
#[derive(Clone, Debug)]
pub(super) struct Zone {
    pub(super) id: ZoneId,
    pub(super) name: HostName,
    pub(super) private: bool,
    pub(super) records: Vec<RecordSet>,
}

/// The zones that hold the hostnames.
#[derive(Clone, Debug, Default)]
pub(super) struct Zones {
    zones: Vec<Zone>,
}

/// The end of a way from a hostname.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Leaf {
    pub(super) name: HostName,
    pub(super) zone_id: Option<ZoneId>,
}

/// Reads the zones of `hostnames`, each with all of its records.
pub(super) async fn read(dns: &Place, hostnames: &[HostName]) -> Result<Zones, ProbeError> {
    let all = list(dns).await?;
    let wanted: Vec<Zone> = all
        .iter()
        .filter(|zone| {
            hostnames
                .iter()
                .any(|name| longest(&all, name) == Some(zone.name.as_str().len()) && holds(zone, name))
        })
        .cloned()
        .collect();
    let mut zones = Vec::new();
    for mut zone in wanted {
        let mut start = None;
        loop {
            let Page { records, next } = dns.record_page(dns.discovery_budget(), &zone.id, start).await?;
            zone.records.extend(records);
            start = next;
            if start.is_none() {
                break;
            }
        }
        zones.push(zone);
    }
    Ok(Zones { zones })
}

async fn list(dns: &Place) -> Result<Vec<Zone>, ProbeError> {
    let client = dns.route53().await;
    let mut zones = Vec::new();
    let mut marker = None;
    loop {
        let request = client.list_hosted_zones().set_marker(marker);
        let answer = dns.ask_route53(dns.discovery_budget(), LIST_HOSTED_ZONES, request.send()).await?;
        for zone in answer.hosted_zones() {
            zones.push(Zone {
                id: ZoneId::new(zone.id().trim_start_matches("/hostedzone/")),
                name: HostName::normalized(zone.name()),
                private: zone.config().is_some_and(aws_sdk_route53::types::HostedZoneConfig::private_zone),
                records: Vec::new(),
            });
        }
        marker = answer.next_marker().filter(|_| answer.is_truncated()).map(str::to_owned);
        if marker.is_none() {
            return Ok(zones);
        }
    }
}

/// True when `name` is the zone's apex or lies below it.
fn holds(zone: &Zone, name: &HostName) -> bool {
    match name.as_str().strip_suffix(zone.name.as_str()) {
        Some(rest) => rest.is_empty() || rest.ends_with('.'),
        None => false,
    }
}

/// Length of the longest zone name that holds `name`.
fn longest(zones: &[Zone], name: &HostName) -> Option<usize> {
    zones.iter().filter(|zone| holds(zone, name)).map(|zone| zone.name.as_str().len()).max()
}

impl Zones {
    pub(super) fn is_empty(&self) -> bool {
        self.zones.is_empty()
    }

    pub(super) fn all(&self) -> &[Zone] {
        &self.zones
    }

    /// The zone that answers for a hostname: of those with the longest name one that has records for it,
    /// a public one first.
    pub(super) fn of(&self, name: &HostName) -> Option<&Zone> {
        let length = longest(&self.zones, name)?;
        self.zones
            .iter()
            .filter(|zone| holds(zone, name) && zone.name.as_str().len() == length)
            .min_by_key(|zone| (zone.at(name).is_empty(), zone.private))
    }

    /// Where the way from `name` ends.
    pub(super) fn leaves(&self, name: &HostName) -> BTreeSet<Leaf> {
        let mut leaves = BTreeSet::new();
        if let Some(zone) = self.of(name) {
            self.follow(zone, name, DEPTH, &mut leaves);
        }
        leaves
    }

    fn follow(&self, zone: &Zone, name: &HostName, depth: usize, leaves: &mut BTreeSet<Leaf>) {
        for record in zone.at(name) {
            let mut targets = Vec::new();
            if let Some(alias) = &record.alias {
                targets.push(Leaf { name: alias.dns_name.clone(), zone_id: Some(alias.zone_id.clone()) });
            } else if record.record_type.as_str() == "CNAME" {
                targets.extend(
                    record
                        .values
                        .iter()
                        .map(|value| Leaf { name: load_balancer_name(value.as_str()), zone_id: None }),
                );
            } else if matches!(record.record_type.as_str(), "A" | "AAAA") {
                // Plain addresses: a front door that cannot be known.
                targets.extend(
                    record
                        .values
                        .iter()
                        .map(|value| Leaf { name: HostName::new(value.as_str()), zone_id: None }),
                );
            }
            for target in targets {
                match self.of(&target.name) {
                    Some(next) if depth > 0 && !next.at(&target.name).is_empty() => {
                        self.follow(next, &target.name, depth - 1, leaves);
                    }
                    _ => {
                        leaves.insert(target);
                    }
                }
            }
        }
    }

    /// DNS names of the load balancers that the hostnames lead to.
    pub(super) fn load_balancer_names(&self, hostnames: &[HostName]) -> BTreeSet<HostName> {
        let leaves = hostnames.iter().flat_map(|name| self.leaves(name));
        leaves.filter(|leaf| is_load_balancer(&leaf.name)).map(|leaf| leaf.name).collect()
    }

    /// Health checks of the records that point at one of `targets`.
    pub(super) fn health_checks(&self, targets: &BTreeSet<HostName>) -> Vec<HealthCheckId> {
        let ids: BTreeSet<HealthCheckId> = self
            .zones
            .iter()
            .flat_map(|zone| &zone.records)
            .filter(|record| record.alias.as_ref().is_some_and(|alias| targets.contains(&alias.dns_name)))
            .filter_map(|record| record.health_check.clone())
            .collect();
        ids.into_iter().collect()
    }
}

impl Zone {
    /// The address records that answer for `name`: its own, else those of the wildcard above it.
    pub(super) fn at(&self, name: &HostName) -> Vec<&RecordSet> {
        let of = |wanted: &str| -> Vec<&RecordSet> {
            let leads = |record: &&RecordSet| matches!(record.record_type.as_str(), "A" | "AAAA" | "CNAME");
            self.records.iter().filter(|record| record.name.as_str() == wanted).filter(leads).collect()
        };
        let own = of(name.as_str());
        if !own.is_empty() {
            return own;
        }
        let mut rest = name.as_str();
        while let Some((_, above)) = rest.split_once('.') {
            let wild = of(&format!("*.{above}"));
            if !wild.is_empty() {
                return wild;
            }
            if above == self.name.as_str() {
                break;
            }
            rest = above;
        }
        Vec::new()
    }
}

/// True for names of Elastic Load Balancing, in every partition.
pub(super) fn is_load_balancer(name: &HostName) -> bool {
    let name = name.as_str();
    name.contains(".elb.") && (name.ends_with(".amazonaws.com") || name.ends_with(".amazonaws.com.cn"))
}

/// The region that a load balancer's name holds: `NAME.REGION.elb.amazonaws.com` for application, and
/// `NAME.elb.REGION.amazonaws.com` for network load balancers.
pub(super) fn region_of(name: &HostName) -> Option<&str> {
    let (before, after) = name.as_str().split_once(".elb.")?;
    match after.strip_prefix("amazonaws.com") {
        Some(_) => before.rsplit('.').next(),
        None => after.split('.').next(),
    }
}

/// What a way's end is.
pub(super) fn front_door(leaf: &Leaf) -> FrontDoor {
    let zone = leaf.zone_id.as_ref().map(ZoneId::as_str);
    let name = leaf.name.as_str();
    if is_load_balancer(&leaf.name) {
        FrontDoor::LoadBalancer
    } else if matches!(zone, Some(CLOUDFRONT_ZONE | CLOUDFRONT_ZONE_CHINA))
        || name.ends_with(".cloudfront.net")
        || name.ends_with(".cloudfront.cn")
    {
        FrontDoor::Cloudfront
    } else if zone == Some(ACCELERATOR_ZONE) || name.ends_with(".awsglobalaccelerator.com") {
        FrontDoor::GlobalAccelerator
    } else {
        FrontDoor::Unknown
    }
}
