//! Interlocks: what the engine itself refuses, whatever a plan or an operator says.
//!
//! What it is for: right before a call that takes a region out of DNS, the proof that another region lives and
//! is answered; right before a call that moves a writer, the proof that none is moving; right before an undo that lowers
//! capacity, the proof that nobody leans on it. No one can go round it.
//! What it must not do: be cleverer than its facts; what is unknown is said to be unknown.

use jiff::Timestamp;

use super::effect::{groups, members, standing};
use crate::domain::Topology;
use crate::domain::ids::{GlobalClusterId, Region, ServiceKey};
use crate::domain::snapshot::Target;
use crate::domain::text::Text;
use crate::domain::topology::{RoutingPolicy, SwitchWire};
use crate::runbook::fact::{Fact, Facts, Known};
use crate::runbook::operation::{Operation, Steering};
use crate::runbook::plan::Plan;

/// What is known of a region as a survivor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survivor {
    /// Alive, and DNS may answer with it.
    Serves,
    /// Not all of it is known.
    Unknown,
    /// Known to be dead, or known to be out of DNS.
    Not,
}

/// Whether users would have somewhere to go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WayOut {
    /// To these regions.
    Open(Vec<Region>),
    /// Perhaps to these: nobody can tell now.
    Doubtful(Vec<Region>),
    /// Nowhere.
    Closed(Text),
}

/// Facts that [`survivors`] looks at.
pub fn survivors_facts(topology: &Topology, leaving: &Region) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for entry in topology.regions.iter().filter(|entry| &entry.name != leaving) {
        for fact in standing(topology, &entry.name) {
            if !facts.contains(&fact) {
                facts.push(fact);
            }
        }
    }
    facts
}

/// Where users go when `leaving` leaves DNS. `not_before` bounds how old a proof of life may be.
pub fn survivors(topology: &Topology, facts: &Facts, leaving: &Region, not_before: Timestamp) -> WayOut {
    let mut open = Vec::new();
    let mut doubtful = Vec::new();
    for entry in topology.regions.iter().filter(|entry| &entry.name != leaving) {
        match survivor(topology, facts, &entry.name, not_before) {
            Survivor::Serves => open.push(entry.name.clone()),
            Survivor::Unknown => doubtful.push(entry.name.clone()),
            Survivor::Not => {}
        }
    }
    if !open.is_empty() {
        WayOut::Open(open)
    } else if !doubtful.is_empty() {
        WayOut::Doubtful(doubtful)
    } else {
        WayOut::Closed(
            format!("no other region is alive and in DNS: with {leaving} out, nobody would be answered")
                .into(),
        )
    }
}

/// One region as a survivor: alive by its own targets or our own probe, and in DNS by its own switches.
pub fn survivor(topology: &Topology, facts: &Facts, region: &Region, not_before: Timestamp) -> Survivor {
    match (alive(topology, facts, region, not_before), in_dns(topology, facts, region)) {
        (Some(false), _) | (_, Some(false)) => Survivor::Not,
        (Some(true), Some(true)) => Survivor::Serves,
        _ => Survivor::Unknown,
    }
}

/// Alive: a healthy target in every group that has any, or an answer below 500 to our probe.
pub fn alive(topology: &Topology, facts: &Facts, region: &Region, not_before: Timestamp) -> Option<bool> {
    let recent = |fact: &Fact| facts.reading(fact).is_some_and(|reading| reading.as_of >= not_before);
    let probe = Fact::Probe(region.clone());
    let answered = facts.probe(&probe).filter(|_| recent(&probe)).map(|probe| probe.status < 500);
    let mut targets = None;
    for group in groups(topology, region) {
        let fact = Fact::Targets(region.clone(), group);
        let Some(listed) = facts.targets(&fact).filter(|_| recent(&fact)) else { continue };
        if listed.is_empty() {
            continue;
        }
        let healthy = listed.iter().any(|target: &Target| target.state.as_str() == "healthy");
        targets = Some(targets.unwrap_or(true) && healthy);
    }
    match (targets, answered) {
        (Some(true), _) | (_, Some(true)) => Some(true),
        // One witness alone: targets are AWS's own word and settle it; a failed probe may be our network.
        (Some(false), _) => Some(false),
        (None, _) => None,
    }
}

/// In DNS as far as switches go: not taken out by flags, routing controls, switches or missing records.
fn in_dns(topology: &Topology, facts: &Facts, region: &Region) -> Option<bool> {
    let mut known = None;
    let public = topology.records.iter().filter(|record| {
        &record.region == region
            && (record.policy != RoutingPolicy::Simple
                || topology.hostnames.iter().any(|hostname| hostname.name == record.name))
    });
    for record in public {
        let listing = Fact::Records(record.zone_id.clone(), record.name.clone());
        if let Some(sets) = facts.records(&listing) {
            let present = sets.iter().any(|set| {
                set.record_type.as_str() == record.record_type && set.set_identifier == record.set_identifier
            });
            if !present {
                known = known.or(Some(false));
                continue;
            }
        }
        match record.health_check.as_ref().map(|check| facts.health_check(&Fact::HealthCheck(check.clone())))
        {
            Some(None) => return None,
            Some(Some(check)) if check.disabled && check.inverted => known = known.or(Some(false)),
            Some(Some(_)) | None => known = Some(true),
        }
    }
    let switched_off = standing(topology, region).into_iter().any(|fact| match (&fact, facts.value(&fact)) {
        (Fact::RoutingControl(_), Some(Known::Flag(on))) => !on,
        (Fact::SwitchObject(..) | Fact::SwitchMetric(..), Some(Known::Flag(out))) => *out,
        _ => false,
    });
    if switched_off { Some(false) } else { known }
}

/// The switches that a topology names for a region, in words, for messages.
pub fn switches(topology: &Topology, region: &Region) -> Vec<Text> {
    let named = topology.switches.iter().filter(|switch| &switch.region == region);
    named
        .map(|switch| match &switch.wire {
            SwitchWire::Object { bucket, key } => format!("s3://{bucket}/{key}").into(),
            SwitchWire::Metric { namespace, name } => format!("{namespace}/{name}").into(),
        })
        .collect()
}

/// Facts that [`writer_may_move`] looks at.
pub fn writer_facts(topology: &Topology, operation: &Operation) -> Vec<Fact> {
    let Some(global) = global_of(operation) else { return Vec::new() };
    told_by(topology, operation, global)
        .into_iter()
        .map(|region| Fact::GlobalCluster(region, global.clone()))
        .collect()
}

/// Regions whose word counts. A promotion is asked of its own region alone: waiting for a dark one costs users.
fn told_by(topology: &Topology, operation: &Operation, global: &GlobalClusterId) -> Vec<Region> {
    match operation {
        Operation::FailoverGlobalCluster { region, .. }
        | Operation::RemoveFromGlobalCluster { region, .. } => {
            vec![region.clone()]
        }
        _ => members(topology, global, None),
    }
}

/// Whether a call that moves a writer may be sent now: no operation is in flight as any region tells it.
pub fn writer_may_move(
    topology: &Topology,
    facts: &Facts,
    operation: &Operation,
    not_before: Timestamp,
) -> Result<(), Text> {
    let Some(global) = global_of(operation) else { return Ok(()) };
    let mut told = false;
    for region in told_by(topology, operation, global) {
        let fact = Fact::GlobalCluster(region.clone(), global.clone());
        let fresh = facts.reading(&fact).is_some_and(|reading| reading.as_of >= not_before);
        let Some(state) = facts.global_cluster(&fact).filter(|_| fresh) else { continue };
        told = true;
        if let Some(failover) = &state.failover {
            return Err(format!("{global}: {} is under way, as {region} tells it", failover.status).into());
        }
        if !matches!(state.status.as_str(), "available" | "modifying")
            && !matches!(
                operation,
                Operation::RemoveFromGlobalCluster { .. } | Operation::FailoverGlobalCluster { .. }
            )
        {
            return Err(format!("{global} is {}, as {region} tells it", state.status).into());
        }
    }
    if told {
        Ok(())
    } else {
        Err(format!("{global}: no region tells whether an operation is under way").into())
    }
}

fn global_of(operation: &Operation) -> Option<&GlobalClusterId> {
    match operation {
        Operation::SwitchoverGlobalCluster { global, .. }
        | Operation::FailoverGlobalCluster { global, .. }
        | Operation::RemoveFromGlobalCluster { global, .. } => Some(global),
        _ => None,
    }
}

/// What a call that sets capacity leaves to a service: its desired tasks, or the least that auto scaling may go down to.
fn capacity(operation: &Operation) -> Option<(&Region, &ServiceKey, i32)> {
    match operation {
        Operation::SetDesired { region, service, desired } => Some((region, service, *desired)),
        Operation::RegisterScalableTarget { region, service, min, .. } => Some((region, service, *min)),
        _ => None,
    }
}

/// What a plan raises a service to that this call would lower below it, in tasks; `None` for every other call.
pub fn raised(plan: &Plan, operation: &Operation) -> Option<i32> {
    let (region, service, tasks) = capacity(operation)?;
    let calls = plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls);
    let same = calls.filter_map(capacity).filter(|(here, key, _)| (*here, *key) == (region, service));
    same.map(|(.., raised)| raised).max().filter(|raised| *raised > tasks)
}

/// Regions whose users decide whether a service that a plan raised may be lowered again: those that the plan takes out of
/// DNS, whose users it carries, and its own, when the plan lets it back in.
fn carried(plan: &Plan, operation: &Operation) -> Vec<(Region, bool)> {
    let Some((region, ..)) = capacity(operation).filter(|_| raised(plan, operation).is_some()) else {
        return Vec::new();
    };
    let calls = plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls);
    let mut found: Vec<(Region, bool)> = Vec::new();
    for steering in calls.filter_map(Operation::steering) {
        let one = match steering {
            Steering::Out(out) if out != region => (out.clone(), true),
            Steering::In(back) if back == region => (back.clone(), false),
            Steering::Out(_) | Steering::In(_) => continue,
        };
        if !found.contains(&one) {
            found.push(one);
        }
    }
    found
}

/// Facts that [`may_lower`] looks at; none for a call that lowers nothing.
pub fn carried_facts(topology: &Topology, plan: &Plan, operation: &Operation) -> Vec<Fact> {
    let mut facts: Vec<Fact> = Vec::new();
    for fact in carried(plan, operation).iter().flat_map(|(region, _)| standing(topology, region)) {
        if !facts.contains(&fact) {
            facts.push(fact);
        }
    }
    facts
}

/// Whether an undo may lower a service below what the plan raised it to: not while it carries users of a region that the
/// plan took out and that does not serve again, nor while the region that the plan let back in is in DNS. What nobody can
/// tell is no permission: an undo is in no hurry.
pub fn may_lower(
    topology: &Topology,
    plan: &Plan,
    facts: &Facts,
    operation: &Operation,
    not_before: Timestamp,
) -> Result<(), Text> {
    let (Some(tasks), Some((region, service, _))) = (raised(plan, operation), capacity(operation)) else {
        return Ok(());
    };
    for (other, taken_out) in carried(plan, operation) {
        let why = match (taken_out, survivor(topology, facts, &other, not_before)) {
            (true, Survivor::Serves) => continue,
            (true, Survivor::Unknown) => format!("nobody can tell now whether {other} serves again"),
            (true, Survivor::Not) => format!("{other} is out of DNS or not alive, and its users are here"),
            (false, _) if in_dns(topology, facts, &other) == Some(false) => continue,
            (false, _) => format!("{other} is in DNS and serves its users"),
        };
        return Err(
            format!("{service} in {region} must keep its {tasks} tasks: {why}; undo that first").into()
        );
    }
    Ok(())
}
