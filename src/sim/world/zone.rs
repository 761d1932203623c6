//! The hosted zone: its records at any time, and what its name servers answer.
//!
//! What it is for: one model of record sets for the API, for DNS answers and for where users go.
//! What it must not do: answer API calls; those are `services::route53`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use jiff::Timestamp;

use super::deeds::Deed;
use super::fleet::{Fleet, HOSTNAMES, Site, ZONE_NAME};
use super::geography::{self, PLACES};
use super::{World, noise};

/// The two kinds of address records.
pub const ADDRESS_KINDS: [&str; 2] = ["A", "AAAA"];
/// TTL of an alias of a load balancer, seconds.
pub const ALIAS_TTL: u32 = 60;

/// One record set.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordSet {
    /// Name, lower case, without the last dot.
    pub name: String,
    /// Type.
    pub kind: String,
    /// Set identifier.
    pub set: Option<String>,
    /// Region of a latency record.
    pub region: Option<String>,
    /// Weight of a weighted record.
    pub weight: Option<u8>,
    /// Time to live; none for an alias.
    pub ttl: Option<u32>,
    /// Values; none for an alias.
    pub values: Vec<String>,
    /// Alias target.
    pub alias: Option<Alias>,
    /// Health check.
    pub check: Option<String>,
}

/// An alias target.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Alias {
    /// Hosted zone of the target.
    pub zone: String,
    /// DNS name of the target, lower case, without the last dot.
    pub name: String,
    /// EvaluateTargetHealth.
    pub evaluate: bool,
}

/// What is done with a record set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It must not be there yet.
    Create,
    /// It must be there exactly so.
    Delete,
    /// It is there afterwards.
    Upsert,
}

/// One change of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// What is done.
    pub action: Action,
    /// With which record set.
    pub record: RecordSet,
}

/// What the zone's name servers say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DnsAnswer {
    /// `NOERROR` or `NXDOMAIN`.
    pub code: &'static str,
    /// Addresses, or other values in the zone file's form.
    pub values: Vec<String>,
    /// Seconds.
    pub ttl: u32,
    /// The site whose load balancer is named, if it is one.
    pub site: Option<usize>,
}

impl RecordSet {
    /// Name, type and set identifier: what tells record sets apart.
    pub fn key(&self) -> (&str, &str, Option<&str>) {
        (&self.name, &self.kind, self.set.as_deref())
    }

    /// Route 53's order: by reversed labels, type, set identifier.
    pub fn order(&self) -> (Vec<String>, &str, Option<&str>) {
        (reversed(&self.name), &self.kind, self.set.as_deref())
    }
}

/// The labels of a name, last first: the order in which Route 53 lists.
pub fn reversed(name: &str) -> Vec<String> {
    name.trim_end_matches('.').to_ascii_lowercase().rsplit('.').map(str::to_owned).collect()
}

/// A name as this module keeps it.
pub fn plain(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The zone's name servers.
pub fn name_servers() -> [&'static str; 4] {
    ["ns-512.awsdns-00.net", "ns-1024.awsdns-00.org", "ns-1536.awsdns-00.co.uk", "ns-0.awsdns-00.com"]
}

/// The records as the application was laid out; `check` names the health check of a site's records.
pub fn laid_out(fleet: &Fleet, check: impl Fn(&Site) -> String) -> Vec<RecordSet> {
    let servers: Vec<String> = name_servers().iter().map(|server| format!("{server}.")).collect();
    let soa = format!("{} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", servers[0]);
    let apex = |kind: &str, ttl, values| RecordSet {
        name: ZONE_NAME.into(),
        kind: kind.into(),
        ttl: Some(ttl),
        values,
        ..RecordSet::default()
    };
    let mut records = vec![apex("NS", 172_800, servers), apex("SOA", 900, vec![soa])];
    for site in &fleet.sites {
        let alias = |evaluate| {
            Some(Alias { zone: site.lb_zone.clone(), name: format!("dualstack.{}", site.lb_dns), evaluate })
        };
        for kind in ADDRESS_KINDS {
            records.extend(HOSTNAMES.iter().map(|name| RecordSet {
                name: (*name).into(),
                kind: kind.into(),
                set: Some(site.region.clone()),
                region: Some(site.region.clone()),
                alias: alias(true),
                check: Some(check(site)),
                ..RecordSet::default()
            }));
            records.push(RecordSet {
                name: Fleet::regional_name(site),
                kind: kind.into(),
                alias: alias(false),
                ..RecordSet::default()
            });
        }
    }
    records.sort_by(|a, b| a.order().cmp(&b.order()));
    records
}

/// Applies one change to a list of records that allows it.
pub fn apply(records: &mut Vec<RecordSet>, change: &Change) {
    records.retain(|record| record.key() != change.record.key());
    if change.action != Action::Delete {
        records.push(change.record.clone());
        records.sort_by(|a, b| a.order().cmp(&b.order()));
    }
}

impl World {
    /// The records as the API lists them at `at`: what is pending is in.
    pub fn records(&self, at: Timestamp) -> Vec<RecordSet> {
        self.records_when(at, |_| true)
    }

    /// The records as the name servers know them at `at`.
    fn records_answered(&self, at: Timestamp) -> Vec<RecordSet> {
        self.records_when(at, |insync| insync <= at)
    }

    fn records_when(&self, at: Timestamp, holds: impl Fn(Timestamp) -> bool) -> Vec<RecordSet> {
        let mut records = self.laid_out.clone();
        for done in self.deeds().until(at) {
            if let Deed::Records { changes, insync, .. } = &done.deed
                && holds(*insync)
            {
                for change in changes {
                    apply(&mut records, change);
                }
            }
        }
        records
    }

    /// When a change of the zone is known everywhere: `None` for an id that was never given.
    pub fn change(&self, id: &str, at: Timestamp) -> Option<(Timestamp, Timestamp)> {
        self.deeds().until(at).find_map(|done| match &done.deed {
            Deed::Records { id: known, insync, .. } if known == id => Some((done.at, *insync)),
            _ => None,
        })
    }

    /// Whether the zone's records were ever changed until `at`.
    fn zone_changed(&self, at: Timestamp) -> bool {
        self.deeds().until(at).any(|done| matches!(done.deed, Deed::Records { .. }))
    }

    /// The site whose load balancer a name is.
    pub fn balancer(&self, name: &str) -> Option<usize> {
        let name = plain(name);
        let bare = name.strip_prefix("dualstack.").unwrap_or(&name);
        self.fleet.sites.iter().find(|site| site.lb_dns == bare).map(|site| site.index)
    }

    /// For one name and type: which sites are answered. `None` when the name servers know no such record.
    pub fn answered(&self, name: &str, kind: &str, at: Timestamp) -> Option<Vec<bool>> {
        if self.calm(at) || !self.zone_changed(at) {
            return Some(self.answered_of(&self.laid_out, name, kind, at))
                .filter(|sites| sites.contains(&true));
        }
        let records = self.records_answered(at);
        Some(self.answered_of(&records, name, kind, at)).filter(|sites| sites.contains(&true))
    }

    fn answered_of(&self, records: &[RecordSet], name: &str, kind: &str, at: Timestamp) -> Vec<bool> {
        let mut there = vec![false; self.fleet.sites.len()];
        let mut healthy = there.clone();
        for record in records.iter().filter(|record| record.name == name && record.kind == kind) {
            let Some(alias) = &record.alias else { continue };
            let Some(site) = self.balancer(&alias.name) else { continue };
            there[site] = true;
            healthy[site] = healthy[site]
                || (record.check.as_ref().is_none_or(|check| self.check_healthy(check, at))
                    && (!alias.evaluate || self.targets_healthy(site, at)));
        }
        // When every record is unhealthy, all count as healthy.
        if healthy.contains(&true) { healthy } else { there }
    }

    /// For every hostname and address type, with its share of the users: which sites are answered.
    pub(super) fn answers(&self, at: Timestamp) -> Vec<(f64, Vec<bool>)> {
        const SHARES: [[f64; 2]; 2] = [[0.45, 0.2], [0.25, 0.1]];
        let nobody = vec![false; self.fleet.sites.len()];
        if !self.zone_changed(at) {
            let sites = self.answered_of(&self.laid_out, HOSTNAMES[0], ADDRESS_KINDS[0], at);
            return vec![(1.0, sites)];
        }
        let mut all = Vec::new();
        for (name, shares) in HOSTNAMES.iter().zip(SHARES) {
            for (kind, share) in ADDRESS_KINDS.iter().zip(shares) {
                let sites = self.answered(name, kind, at).unwrap_or_else(|| nobody.clone());
                all.push((share, sites));
            }
        }
        all
    }

    /// The site that a client near `site` is sent to, out of those answered.
    pub(super) fn nearest_of(&self, site: usize, answered: &[bool]) -> Option<usize> {
        let here = answered.get(site).copied().unwrap_or_default().then_some(site);
        here.or_else(|| self.fleet.sites[site].nearest.iter().copied().find(|other| answered[*other]))
    }

    /// The site near which a client's address lies. `198.18.N.0/24` and `2001:2:0:N::/64` are near region N of the
    /// thirty that the world knows, wherever the application runs; every other network is somewhere, always the
    /// same place.
    pub fn place_of(&self, client: Option<IpAddr>) -> usize {
        let count = self.fleet.sites.len();
        let network = match client {
            None => return 0,
            Some(IpAddr::V4(address)) => match address.octets() {
                [198, 18, number, _] if usize::from(number) < PLACES.len() => {
                    return self.site_near(PLACES[usize::from(number)].at);
                }
                [a, b, c, _] => noise::hash(self.seed, &format!("{a}.{b}.{c}")),
            },
            Some(IpAddr::V6(address)) => match address.segments() {
                [0x2001, 2, 0, number, ..] if usize::from(number) < PLACES.len() => {
                    return self.site_near(PLACES[usize::from(number)].at);
                }
                _ => noise::mix((address.to_bits() >> 64) as u64 ^ self.seed),
            },
        };
        (network % count as u64) as usize
    }

    /// The site nearest to a place on the globe (latitude and longitude).
    fn site_near(&self, at: (f64, f64)) -> usize {
        let far = |site: &&Site| geography::distance(site.at, at);
        let nearest = self.fleet.sites.iter().min_by(|a, b| far(a).total_cmp(&far(b)));
        nearest.map_or(0, |site| site.index)
    }

    /// What the zone's name servers answer a client (its address, or its subnet's) at `at`.
    pub fn dns_answer(&self, name: &str, kind: &str, client: Option<IpAddr>, at: Timestamp) -> DnsAnswer {
        let (name, kind) = (plain(name), kind.to_ascii_uppercase());
        let nothing = |code| DnsAnswer { code, values: Vec::new(), ttl: 900, site: None };
        let records = self.records_answered(at);
        if !records.iter().any(|record| record.name == name) {
            return nothing(if records.iter().any(|record| record.name.ends_with(&format!(".{name}"))) {
                "NOERROR"
            } else {
                "NXDOMAIN"
            });
        }
        if let Some(record) = records.iter().find(|record| record.name == name && record.kind == kind)
            && record.alias.is_none()
        {
            let ttl = record.ttl.unwrap_or(ALIAS_TTL);
            return DnsAnswer { code: "NOERROR", values: record.values.clone(), ttl, site: None };
        }
        let answered = self.answered_of(&records, &name, &kind, at);
        let Some(site) = self.nearest_of(self.place_of(client), &answered) else { return nothing("NOERROR") };
        let values = vec![Self::balancer_address(site, &kind).to_string()];
        DnsAnswer { code: "NOERROR", values, ttl: ALIAS_TTL, site: Some(site) }
    }

    /// The address of a site's load balancer, IPv6 for `AAAA`.
    pub fn balancer_address(site: usize, kind: &str) -> IpAddr {
        let last = 10 + site * 4;
        if kind == "AAAA" {
            IpAddr::V6(Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, last as u16))
        } else {
            IpAddr::V4(Ipv4Addr::new(203, 0, 113, last as u8))
        }
    }
}
