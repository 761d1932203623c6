//! What a situation means: which regions live, which are in DNS, who writes, and what the survivors need.
//!
//! What it is for: one reading of a [`Situation`] that guards and runbooks share, so that a plan and the guard that
//! judges it cannot see two worlds. What it must not do: require anything of a failing region. What is not known is
//! "unknown", which is neither alive nor dead, neither in DNS nor out of it.

mod database;
mod facts;
mod need;
pub(crate) mod words;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::catalog::Situation;
use super::fact::{Fact, Facts, Known};
use super::operation::FailureDomain;
use crate::domain::derive;
use crate::domain::ids::{Arn, HealthCheckId, HostName, Region};
use crate::domain::observation::{Observed, ProbeError, Source, SourceKind};
use crate::domain::snapshot::{FleetSnapshot, HealthCheckConfig};
use crate::domain::text::Text;
use crate::domain::topology::{DNS_REGION, Record, RoutingPolicy, SwitchWire, Topology};

pub use database::{Candidate, Writer};
pub use need::{Lent, Need, lent_words};

/// How old may be what says that DNS sends users to a region: verdicts are minutes late by nature.
const IN_DNS_LIMIT: Duration = Duration::from_mins(10);

/// A situation with its facts put together once.
pub struct View<'a> {
    /// Configuration and policy.
    pub topology: &'a Topology,
    /// What it is made from.
    pub situation: &'a Situation<'a>,
    /// The moment of planning.
    pub now: Timestamp,
    /// Baseline, then snapshot, then what was read for this plan: the newest that is known of each fact.
    pub facts: Facts,
    fleet: FleetSnapshot,
}

/// Whether a region serves, by its own targets and our own request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Liveness {
    /// Both say so, or one while the other is not known.
    Alive,
    /// One says so and the other the opposite. Counts as alive.
    Degraded,
    /// Neither is known now.
    Unknown,
    /// Neither says so, and one says the opposite.
    Dead,
}

/// Whether DNS sends users to a region.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InDns {
    /// Yes.
    Yes,
    /// No.
    No,
    /// It depends on something that is not known now.
    Unknown,
}

impl Liveness {
    /// True for a region that can take users.
    pub fn serves(self) -> bool {
        matches!(self, Self::Alive | Self::Degraded)
    }

    /// The word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Alive => "alive",
            Self::Degraded => "degraded",
            Self::Unknown => "not known",
            Self::Dead => "dead",
        }
    }
}

impl<'a> Situation<'a> {
    /// Reads the situation.
    pub fn view(&'a self) -> View<'a> {
        let mut facts = self.baseline.cloned().unwrap_or_default();
        facts.absorb(Facts::of_fleet(self.fleet, self.topology));
        facts.absorb(self.facts.clone());
        let fleet = facts::laid_over(self.fleet, &facts, self.now);
        View { topology: self.topology, situation: self, now: self.now, facts, fleet }
    }
}

/// The target groups of a region, once each.
pub fn groups_of(topology: &Topology, region: &Region) -> Vec<Arn> {
    let Some(entry) = topology.region(region) else { return Vec::new() };
    let balancers = entry.load_balancers.iter().flat_map(|lb| &lb.target_groups);
    let services = entry.services.iter().flat_map(|service| &service.target_groups);
    let mut groups: Vec<Arn> = Vec::new();
    for group in balancers.chain(services) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    groups
}

/// True for a record by which users find a region, false for a region's own name that a health check asks.
pub fn is_public(topology: &Topology, record: &Record) -> bool {
    record.policy != RoutingPolicy::Simple || topology.hostnames.iter().any(|host| host.name == record.name)
}

/// The public names whose A or AAAA records lead to a region.
pub fn names_of(topology: &Topology, region: &Region) -> Vec<HostName> {
    let mut names: Vec<HostName> = Vec::new();
    for record in topology.records.iter().filter(|record| &record.region == region) {
        if is_public(topology, record) && !names.contains(&record.name) {
            names.push(record.name.clone());
        }
    }
    names
}

impl View<'_> {
    /// The snapshot with everything that was read laid over it.
    pub fn fleet(&self) -> &FleetSnapshot {
        &self.fleet
    }

    /// All other regions, in the topology's order.
    pub fn others(&self, region: &Region) -> Vec<Region> {
        let names = self.topology.regions.iter().map(|entry| &entry.name);
        names.filter(|name| *name != region).cloned().collect()
    }

    /// True when a fact may be trusted as present.
    pub fn is_fresh(&self, fact: &Fact) -> bool {
        self.facts.get(fact).is_some_and(|seen| !seen.is_stale(self.now, &self.topology.freshness))
    }

    /// How a region fares, by its own targets and our own request. Nothing else is asked: metrics, verdicts and
    /// control planes may live in what is failing.
    pub fn liveness(&self, region: &Region) -> Liveness {
        match (self.targets_serve(region), self.probe_serves(region)) {
            (Some(true), Some(true) | None) | (None, Some(true)) => Liveness::Alive,
            (Some(true), Some(false)) | (Some(false), Some(true)) => Liveness::Degraded,
            (Some(false), Some(false) | None) | (None, Some(false)) => Liveness::Dead,
            (None, None) => Liveness::Unknown,
        }
    }

    /// True when every target group that has targets has a healthy one, and at least one has.
    pub fn targets_serve(&self, region: &Region) -> Option<bool> {
        let mut serving = false;
        let mut unknown = false;
        for group in groups_of(self.topology, region) {
            let fact = Fact::Targets(region.clone(), group);
            match self.facts.targets(&fact).filter(|_| self.is_fresh(&fact)) {
                None => unknown = true,
                Some(targets) if targets.is_empty() => {}
                Some(targets) if targets.iter().any(|target| target.state.as_str() == "healthy") => {
                    serving = true;
                }
                Some(_) => return Some(false),
            }
        }
        if unknown { None } else { Some(serving) }
    }

    /// Whether our own request is answered, with a status below 500. A request that fails while the control request
    /// fails too says something about our network, not about the region.
    pub fn probe_serves(&self, region: &Region) -> Option<bool> {
        let fact = Fact::Probe(region.clone());
        if let Some(error) = self.facts.error(&fact) {
            return (error.kind.blames_region() && !self.our_network_is_down()).then_some(false);
        }
        let result = self.facts.probe(&fact).filter(|_| self.is_fresh(&fact))?;
        Some(result.status < 500)
    }

    /// True when the control request outside AWS fails.
    pub fn our_network_is_down(&self) -> bool {
        self.fleet.dns.control.as_ref().is_some_and(|control| control.result.error().is_some())
    }

    /// Whether DNS sends users to a region now.
    pub fn in_dns(&self, region: &Region) -> InDns {
        self.judged(&self.fleet, region)
    }

    /// Whether it would once another region's records count as unhealthy.
    pub fn in_dns_without(&self, without: &FleetSnapshot, region: &Region) -> InDns {
        self.judged(without, region)
    }

    fn judged(&self, fleet: &FleetSnapshot, region: &Region) -> InDns {
        let answers = derive::in_dns(self.topology, fleet, region);
        // A pin does not go away by itself: what was saved of it still counts. And where Route 53 answers with a pinned
        // region because every other one is unhealthy too, nobody is meant to be served there.
        if self.is_pinned(region) {
            return InDns::No;
        }
        let Some(reading) = answers.reading() else { return InDns::Unknown };
        let recent = !reading.saved && answers.age(self.now).is_some_and(|age| age <= IN_DNS_LIMIT);
        match reading.value {
            true if recent => InDns::Yes,
            false if recent => InDns::No,
            _ => InDns::Unknown,
        }
    }

    /// The world in which every public record of `region` is unhealthy, as a pin makes it.
    pub fn without(&self, region: &Region) -> FleetSnapshot {
        let mut fleet = self.fleet.clone();
        let dns = Arc::make_mut(&mut fleet.dns);
        let off = HealthCheckId::new(format!("taken out of DNS: {region}"));
        let leads_here = |name: &HostName, kind: &Text, identifier: Option<&Text>| {
            self.topology.records.iter().any(|record| {
                &record.region == region
                    && is_public(self.topology, record)
                    && &record.name == name
                    && record.record_type == kind.as_str()
                    && record.set_identifier.as_ref() == identifier
            })
        };
        for sets in dns.records.values_mut() {
            *sets = sets.map(|sets| {
                let mut sets = sets.clone();
                for set in &mut sets {
                    if leads_here(&set.name, &set.record_type, set.set_identifier.as_ref()) {
                        set.health_check = Some(off.clone());
                    }
                }
                sets
            });
        }
        let config = HealthCheckConfig {
            version: 0,
            check_type: "".into(),
            endpoint: "".into(),
            inverted: true,
            disabled: true,
            failure_threshold: None,
            request_interval: None,
            linked_service: None,
            children: Vec::new(),
            without_data: None,
        };
        let source = Source::new(SourceKind::HealthChecks, "this plan", None);
        dns.health_checks.insert(off, Observed::seen(source, config, self.now));
        fleet
    }

    /// True when something holds a region out of DNS whatever its health: checks of all its records that are disabled
    /// and inverted, a routing control that is off, a switch that is thrown. By the last reading, however old.
    pub fn is_pinned(&self, region: &Region) -> bool {
        let topology = self.topology;
        let here = |record: &&Record| &record.region == region && is_public(topology, record);
        let off = |check: &HealthCheckId| {
            let config = self.facts.health_check(&Fact::HealthCheck(check.clone()));
            config.is_some_and(|config| config.inverted && config.disabled)
        };
        let mut records = topology.records.iter().filter(here).peekable();
        let by_check =
            records.peek().is_some() && records.all(|record| record.health_check.as_ref().is_some_and(off));
        let by_control = topology
            .arc
            .iter()
            .flat_map(|arc| &arc.routing_controls)
            .filter(|control| &control.region == region)
            .any(|control| self.facts.flag(&Fact::RoutingControl(control.arn.clone())) == Some(&false));
        let by_switch = topology
            .switches
            .iter()
            .filter(|switch| &switch.region == region)
            .any(|switch| self.facts.flag(&switch_fact(switch)) == Some(&true));
        by_check || by_control || by_switch
    }

    /// Regions that would carry the users of `region`: neither dead nor out of DNS once it is gone, in the
    /// topology's order. When there is none, all others: the `survivors` guard says why that is no way.
    pub fn survivors(&self, region: &Region) -> Vec<Region> {
        let without = self.without(region);
        let others = self.others(region);
        let carrying: Vec<Region> = others
            .iter()
            .filter(|other| {
                self.liveness(other) != Liveness::Dead && self.judged(&without, other) != InDns::No
            })
            .cloned()
            .collect();
        if carrying.is_empty() { others } else { carrying }
    }

    /// Why a failure domain looks ill, by the last attempts to use it; `None` when nothing speaks against it.
    pub fn ailment(&self, domain: &FailureDomain) -> Option<&ProbeError> {
        let blamed = |fact: &Fact| match domain {
            FailureDomain::None => false,
            FailureDomain::DataPlane => matches!(fact, Fact::RoutingControl(_)),
            FailureDomain::Global => match fact {
                Fact::HealthCheck(_) | Fact::Records(..) => true,
                Fact::Identity(scope) => scope.as_str() == "dns",
                _ => false,
            },
            FailureDomain::Regional(region) => match fact {
                Fact::Identity(scope) => scope.as_str() == region.as_str(),
                Fact::Service(at, _)
                | Fact::Scaling(at, _)
                | Fact::Targets(at, _)
                | Fact::GlobalCluster(at, _)
                | Fact::DbCluster(at, _)
                | Fact::Table(at, _)
                | Fact::SwitchObject(at, ..)
                | Fact::SwitchMetric(at, ..) => at == region,
                _ => false,
            },
        };
        self.facts
            .iter()
            .filter(|(fact, _)| blamed(fact))
            .filter_map(|(_, seen)| seen.error())
            .find(|error| error.kind.blames_region())
    }

    /// Scopes whose identity matters: Route 53, the lease, ARC and every region.
    pub fn scopes(&self) -> BTreeSet<Text> {
        scopes(self.topology)
    }
}

/// Scopes whose identity matters: Route 53, the lease, ARC and every region.
pub fn scopes(topology: &Topology) -> BTreeSet<Text> {
    let mut scopes: BTreeSet<Text> =
        topology.regions.iter().map(|entry| entry.name.as_str().into()).collect();
    scopes.insert("dns".into());
    if topology.lease.is_some() {
        scopes.insert("lease".into());
    }
    if topology.arc.is_some() {
        scopes.insert("arc".into());
    }
    scopes
}

/// The fact that tells whether a switch is thrown.
pub fn switch_fact(switch: &crate::domain::topology::Switch) -> Fact {
    match &switch.wire {
        SwitchWire::Object { bucket, key } => {
            Fact::SwitchObject(switch.home.clone(), bucket.clone(), key.clone())
        }
        SwitchWire::Metric { namespace, name } => {
            Fact::SwitchMetric(switch.home.clone(), namespace.clone(), name.clone(), switch.region.clone())
        }
    }
}

/// A value without what changes by itself, so that two readings of an unchanged world are equal: running and
/// pending tasks, deployments and events go, and so does synchronisation.
pub fn shape(known: &Known) -> Known {
    match known {
        Known::Service(state) => {
            let mut state = state.clone();
            (state.running, state.pending) = (0, 0);
            state.deployments.clear();
            state.events.clear();
            Known::Service(state)
        }
        Known::GlobalCluster(state) => {
            let mut state = state.clone();
            state.members.iter_mut().for_each(|member| member.synchronization = None);
            state.members.sort_by(|a, b| a.arn.cmp(&b.arn));
            Known::GlobalCluster(state)
        }
        other => other.clone(),
    }
}

/// Route 53's region, whose failure keeps its API from answering.
pub fn dns_region() -> Region {
    Region::new(DNS_REGION)
}
