//! Which of what was found belongs to the application, and the topology made of that.
//!
//! What it is for: pure matching, with a line for everything that was found, everything that was not, and
//! everything that deserves a look. What it must not do: ask AWS anything.

use std::collections::{BTreeMap, BTreeSet};

use super::alarms::{Ours, watching};
use super::data::{aurora, replication, tables};
use super::inventory::Inventory;
use super::report::{Report, listed};
use super::zones::{front_door, region_of};
use super::{Discovery, Gathered};
use crate::domain::ids::{HostName, Region};
use crate::domain::snapshot::Identity;
use crate::domain::text::Text;
use crate::domain::topology::{
    ACTED_PARTITION, DnsEntry, Freshness, FrontDoor, Hostname, OnEvacuate, Policy, ProbeSettings, Record,
    RegionEntry, Scope, Service, Thresholds, Topology,
};

/// The scope of Route 53.
const DNS: &str = crate::cloud::DNS_SCOPE;

/// Makes the topology.
pub(super) fn assemble(gathered: &Gathered) -> Discovery {
    let mut report = Report::default();
    let hostnames = hostnames(gathered, &mut report);
    let names = gathered.zones.load_balancer_names(&gathered.request.hostnames);
    let mut regions = entries(gathered, &names, &mut report);
    let records = records(gathered, &regions, &mut report);
    let tables = tables(gathered, &mut report);
    let aurora = aurora(gathered, &mut report);
    let replication = replication(gathered, &mut report);
    let checks: BTreeSet<&str> =
        records.iter().filter_map(|record| Some(record.health_check.as_ref()?.as_str())).collect();
    for (entry, inventory) in regions.iter_mut().zip(&gathered.regions) {
        let ours = Ours::of(entry, &tables, &aurora, &replication, &checks);
        (entry.alarms, entry.topics) = watching(&entry.name, &inventory.alarms, &ours, &mut report);
    }
    let dns = dns_entry(gathered, &checks, &mut report);
    let scope = scopes(gathered, &mut report);
    let probe = ProbeSettings {
        path: probe_path(gathered).unwrap_or_else(|| ProbeSettings::default().path),
        control: gathered.request.control.clone(),
        base: gathered.request.probe_base.clone(),
        ..ProbeSettings::default()
    };
    let first = gathered.request.hostnames.first().map(|name| Text::new(name.as_str()));
    let topology = Topology {
        version: 1,
        application: gathered.request.application.clone().or(first).unwrap_or_default(),
        scope,
        hostnames,
        records,
        regions,
        tables,
        aurora,
        replication,
        dns,
        probe,
        synthetic: crate::domain::topology::SyntheticSettings::default(),
        evacuation: Vec::new(),
        switches: Vec::new(),
        arc: None,
        lease: None,
        notify: None,
        cleanup: None,
        thresholds: Thresholds::default(),
        freshness: Freshness::default(),
        policy: Policy::default(),
    };
    let Report { found, missing, unread, notes } = report;
    Discovery { topology, found, missing, unread, notes }
}

/// What is watched for Route 53 alone: alarms on the health checks, where their region was not named.
fn dns_entry(gathered: &Gathered, checks: &BTreeSet<&str>, report: &mut Report) -> DnsEntry {
    let mut entry = DnsEntry { server: gathered.request.dns_server, ..DnsEntry::default() };
    if let Some(found) = &gathered.dns_alarms {
        let watching = watching(&gathered.dns_region, found, &Ours::checks(checks), report);
        (entry.alarms, entry.topics) = watching;
    }
    entry
}

fn hostnames(gathered: &Gathered, report: &mut Report) -> Vec<Hostname> {
    let zones = &gathered.zones;
    let each = gathered.request.hostnames.iter().map(|name| {
        let Some(zone) = zones.of(name) else {
            report.missing(format!("{name}: no hosted zone of this account holds it"));
            return Hostname {
                name: name.clone(),
                zone_id: None,
                private_zone: false,
                front_door: FrontDoor::Unknown,
            };
        };
        let kind = if zone.private { "private zone" } else { "zone" };
        report.found(format!("{name}: {kind} {} ({})", zone.name, zone.id));
        if zone.private {
            report.note(format!("{name} lies in a private zone: observed, never acted on"));
        } else if zones.all().iter().any(|other| other.private && other.name == zone.name) {
            report.note(format!("{} has a private zone of the same name beside the public one", zone.name));
        }
        let leaves = zones.leaves(name);
        let doors: Vec<FrontDoor> = leaves.iter().map(front_door).collect();
        let front_door = if doors.contains(&FrontDoor::LoadBalancer) {
            FrontDoor::LoadBalancer
        } else {
            doors.first().copied().unwrap_or(FrontDoor::Unknown)
        };
        if leaves.is_empty() {
            report.missing(format!("{name}: no A, AAAA or CNAME record in {}", zone.name));
        }
        for (leaf, door) in leaves.iter().zip(&doors) {
            let what = match door {
                FrontDoor::LoadBalancer => continue,
                FrontDoor::Cloudfront => "CloudFront",
                FrontDoor::GlobalAccelerator => "Global Accelerator",
                FrontDoor::Unknown => "something that is no load balancer",
            };
            report.missing(format!(
                "{name}: leads to {what} ({}), not to a load balancer: observed, never acted on",
                leaf.name
            ));
        }
        Hostname {
            name: name.clone(),
            zone_id: Some(zone.id.clone()),
            private_zone: zone.private,
            front_door,
        }
    });
    each.collect()
}

fn entries(gathered: &Gathered, names: &BTreeSet<HostName>, report: &mut Report) -> Vec<RegionEntry> {
    let mut matched: BTreeSet<&HostName> = BTreeSet::new();
    let mut entries = Vec::new();
    for inventory in &gathered.regions {
        let at = inventory.region.as_str();
        if let Err(error) = &inventory.load_balancers {
            report.failed(at, "load balancers", error);
        }
        if let Err(error) = &inventory.services {
            report.failed(at, "ECS services", error);
        }
        if let Err(error) = &inventory.scalable {
            report.failed(at, "scalable targets", error);
        }
        let mut load_balancers = Vec::new();
        for lb in inventory.matched(names) {
            let mut lb = lb.clone();
            match inventory.target_groups.get(&lb.arn) {
                Some(Ok(groups)) => lb.target_groups.clone_from(groups),
                Some(Err(error)) => report.failed(at, &format!("target groups of {}", lb.name), error),
                None => {}
            }
            report.found(format!(
                "{at}: load balancer {}, {} target group(s)",
                lb.name,
                lb.target_groups.len()
            ));
            load_balancers.push(lb);
        }
        if inventory.load_balancers.is_ok() && load_balancers.is_empty() {
            report.missing(format!("{at}: no load balancer that a hostname leads to"));
        }
        matched.extend(names.iter().filter(|name| load_balancers.iter().any(|lb| lb.dns_name == **name)));
        let scalable = inventory.scalable.as_ref().ok();
        let services: Vec<Service> = inventory
            .behind()
            .into_iter()
            .map(|service| Service {
                key: service.key.clone(),
                arn: service.arn.clone(),
                target_groups: service.target_groups.clone(),
                scalable: scalable.is_some_and(|keys| keys.contains(&service.key)),
                on_evacuate: OnEvacuate::default(),
                uses_database: false,
            })
            .collect();
        for service in &services {
            let scaling = if service.scalable { ", scalable" } else { "" };
            report.found(format!("{at}: ECS service {}{scaling}", service.key));
        }
        if inventory.services.is_ok() && services.is_empty() && !load_balancers.is_empty() {
            report.missing(format!("{at}: no ECS service behind the load balancers"));
        }
        neighbours(inventory, &services, report);
        entries.push(RegionEntry {
            name: inventory.region.clone(),
            load_balancers,
            services,
            alarms: Vec::new(),
            topics: Vec::new(),
        });
    }
    for name in names.iter().filter(|name| !matched.contains(name)) {
        if let Some(region) = dark_region(gathered, name) {
            report
                .missing(format!("{name}: {region} could not be asked about it; run this again when it can"));
            continue;
        }
        let hint =
            region_of(name).filter(|region| entries.iter().all(|entry| entry.name.as_str() != *region));
        let hint = hint.map(|region| format!(" (its region {region} was not named)")).unwrap_or_default();
        report.missing(format!("{name}: no such load balancer in the named regions{hint}"));
    }
    entries
}

/// The named region that a load balancer's name tells, where that region could not list its own.
fn dark_region<'a>(gathered: &'a Gathered, name: &HostName) -> Option<&'a Region> {
    let told = region_of(name)?;
    let region = gathered.regions.iter().find(|inventory| inventory.region.as_str() == told)?;
    region.load_balancers.is_err().then_some(&region.region)
}

/// Services of the same clusters that stand behind no load balancer of the application.
fn neighbours(inventory: &Inventory, ours: &[Service], report: &mut Report) {
    let clusters: BTreeSet<_> = ours.iter().map(|service| &service.key.cluster).collect();
    let others: Vec<String> = inventory
        .services
        .iter()
        .flatten()
        .filter(|other| clusters.contains(&other.key.cluster))
        .filter(|other| ours.iter().all(|service| service.key != other.key))
        .map(|other| other.key.to_string())
        .collect();
    if !others.is_empty() {
        report.note(format!(
            "{}: also in these clusters, behind none of the load balancers, left out: {}",
            inventory.region,
            listed(&others)
        ));
    }
}

fn records(gathered: &Gathered, regions: &[RegionEntry], report: &mut Report) -> Vec<Record> {
    let names = gathered.zones.load_balancer_names(&gathered.request.hostnames);
    let dark = names.iter().filter_map(|name| Some((name, dark_region(gathered, name)?)));
    let targets: BTreeMap<&HostName, &Region> = regions
        .iter()
        .flat_map(|entry| entry.load_balancers.iter().map(move |lb| (&lb.dns_name, &entry.name)))
        .chain(dark)
        .collect();
    let mut records = Vec::new();
    for zone in gathered.zones.all() {
        for set in &zone.records {
            let cname = set.record_type.as_str() == "CNAME"
                && set.values.iter().any(|value| targets.contains_key(&HostName::normalized(value.as_str())));
            if cname {
                report.note(format!(
                    "{} is a CNAME to a load balancer: its way is known, but only A and AAAA records are kept",
                    set.name
                ));
            }
            let Some(alias) = &set.alias else { continue };
            let address = matches!(set.record_type.as_str(), "A" | "AAAA");
            let Some(region) = targets.get(&alias.dns_name).filter(|_| address) else { continue };
            records.push(Record {
                name: set.name.clone(),
                record_type: set.record_type.as_str().to_owned(),
                zone_id: zone.id.clone(),
                set_identifier: set.set_identifier.clone(),
                policy: set.policy,
                region: (*region).clone(),
                alias_target: alias.dns_name.clone(),
                alias_zone_id: alias.zone_id.clone(),
                evaluate_target_health: alias.evaluate_target_health,
                health_check: set.health_check.clone(),
            });
        }
    }
    let place = |region: &Region| regions.iter().position(|entry| &entry.name == region);
    records.sort_by(|a, b| {
        (&a.name, &a.record_type, place(&a.region), &a.set_identifier).cmp(&(
            &b.name,
            &b.record_type,
            place(&b.region),
            &b.set_identifier,
        ))
    });
    for record in &records {
        let set = record.set_identifier.as_ref().map(|id| format!(" \"{id}\"")).unwrap_or_default();
        let check = match &record.health_check {
            Some(check) => format!("health check {check}"),
            None => "no health check".to_owned(),
        };
        report.found(format!(
            "{} {}{set}: {} record to {}, {check}",
            record.name,
            record.record_type,
            policy_word(record.policy),
            record.region
        ));
    }
    for (check, config) in &gathered.checks {
        if let Err(error) = config {
            report.failed("route53", &format!("health check {check}"), error);
        }
    }
    records
}

fn policy_word(policy: crate::domain::topology::RoutingPolicy) -> &'static str {
    use crate::domain::topology::RoutingPolicy as P;
    match policy {
        P::Simple => "simple",
        P::Latency => "latency",
        P::Geolocation => "geolocation",
        P::Geoproximity => "geoproximity",
        P::Weighted => "weighted",
        P::Failover => "failover",
        P::Multivalue => "multivalue",
        P::IpBased => "IP-based",
    }
}

fn scopes(gathered: &Gathered, report: &mut Report) -> BTreeMap<String, Scope> {
    let mut scopes = BTreeMap::new();
    let dns = std::iter::once((DNS.to_owned(), &gathered.dns_identity));
    let regions =
        gathered.regions.iter().map(|inventory| (inventory.region.as_str().to_owned(), &inventory.identity));
    for (name, identity) in dns.chain(regions) {
        let identity: Option<&Identity> = match identity {
            Ok(identity) => {
                report.found(format!("{name}: account {}, as {}", identity.account, identity.arn));
                Some(identity)
            }
            Err(error) => {
                report.failed(&name, "the account", error);
                None
            }
        };
        let partition = identity.and_then(|identity| identity.arn.partition());
        if let Some(other) = partition.filter(|partition| *partition != ACTED_PARTITION) {
            report.note(format!("{name}: partition {other}: observed, never acted on"));
        }
        scopes.insert(
            name,
            Scope {
                account: identity.map(|identity| identity.account.clone()),
                profile: gathered.request.profile.clone(),
                role_arn: None,
                partition: partition.map(str::to_owned),
            },
        );
    }
    scopes
}

/// The path that most health checks ask for.
fn probe_path(gathered: &Gathered) -> Option<String> {
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for config in gathered.checks.iter().filter_map(|(_, config)| config.as_ref().ok()) {
        let (_, rest) = config.endpoint.as_str().split_once("://")?;
        if let Some(slash) = rest.find('/') {
            *votes.entry(&rest[slash..]).or_default() += 1;
        }
    }
    votes.into_iter().max_by_key(|(_, votes)| *votes).map(|(path, _)| path.to_owned())
}
