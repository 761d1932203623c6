//! Whether a region may take users again: what is examined before it is brought back.
//!
//! What it is for: findings that block a restore while the region is not proven healthy, follows no writer, holds
//! replicas that are not active or far behind, or runs other images than its peers. Services that the run stopped prove themselves
//! later, by the plan's own steps. What it must not do: take silence for health.

use std::collections::BTreeSet;

use super::super::Situation;
use super::super::known::{listed, why_not};
use crate::domain::derive;
use crate::domain::ids::{Region, ServiceKey};
use crate::domain::topology::{RegionEntry, Service};
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::words;

/// What is wrong with `region` as a place for users, where the restore starts the services `started` again.
pub(super) fn examine(
    situation: &Situation<'_>,
    facts: &Facts,
    region: &Region,
    started: &BTreeSet<ServiceKey>,
) -> Vec<GuardFinding> {
    let Some(entry) = situation.topology.region(region) else { return Vec::new() };
    let mut wrong = serving(facts, entry, started);
    wrong.extend(database(situation, facts, region));
    wrong.extend(tables(situation, facts, region));
    let mut found: Vec<GuardFinding> = wrong
        .into_iter()
        .map(|words| {
            let next = "wait, or mend it, until the region is proven healthy";
            GuardFinding::block(GuardId::Runbook, false, words).next(next)
        })
        .collect();
    found.extend(behind(situation, region));
    found.extend(images(situation, facts, entry));
    found
}

/// What its peers wrote and the region has not received: users who come back would read what is old.
fn behind(situation: &Situation<'_>, region: &Region) -> Vec<GuardFinding> {
    let view = situation.view();
    let (topology, fleet) = (view.topology, view.fleet());
    let mut late: Vec<(String, bool)> = Vec::new();
    for peer in topology.regions.iter().map(|entry| &entry.name).filter(|peer| *peer != region) {
        for row in derive::dynamodb(topology, fleet, peer) {
            let here = row.latency_ms.iter().filter(|(to, ..)| to == region);
            for lag in here.filter_map(|(_, latency, _)| latency.fresh(view.now, &topology.freshness)) {
                let limit = topology.thresholds.replication_latency_ms;
                let words =
                    format!("{}: writes of {peer} reach {region} {} late", row.table, words::millis(*lag));
                late.extend((*lag >= limit.warning).then_some((words, *lag >= limit.critical)));
            }
        }
        for row in derive::s3(topology, fleet, peer).iter().filter(|row| row.destination_region == *region) {
            let Some(seconds) = row.latency_s.fresh(view.now, &topology.freshness) else { continue };
            let limit = topology.thresholds.s3_latency_seconds;
            let late_by = words::millis(seconds * 1_000.0);
            let words = format!("bucket {}: objects of {peer} reach {region} {late_by} late", row.bucket);
            late.extend((*seconds >= limit.warning).then_some((words, *seconds >= limit.critical)));
        }
    }
    let told = late.into_iter().map(|(words, blocks)| {
        let finding = if blocks {
            GuardFinding::block(GuardId::Runbook, false, words)
        } else {
            GuardFinding::warn(GuardId::Runbook, words)
        };
        finding.next("wait until the region has caught up")
    });
    told.collect()
}

/// True when the service is wanted nowhere: its targets say nothing then.
fn stopped(facts: &Facts, region: &Region, service: &Service) -> bool {
    facts.service(&Fact::Service(region.clone(), service.key.clone())).is_some_and(|state| state.desired == 0)
}

/// Services, their targets, and our own request.
fn serving(facts: &Facts, entry: &RegionEntry, started: &BTreeSet<ServiceKey>) -> Vec<String> {
    let region = &entry.name;
    let mut wrong = Vec::new();
    for service in &entry.services {
        let fact = Fact::Service(region.clone(), service.key.clone());
        if facts.error(&fact).is_some() || facts.service(&fact).is_none() {
            wrong.push(format!(
                "{} in {region} does not tell its state: {}",
                service.key,
                why_not(facts, &fact)
            ));
            continue;
        }
        if stopped(facts, region, service) {
            continue;
        }
        for group in &service.target_groups {
            let fact = Fact::Targets(region.clone(), group.clone());
            let name = group.short_name();
            match facts.targets(&fact).filter(|_| facts.error(&fact).is_none()) {
                None => wrong
                    .push(format!("targets of {name} in {region} are not known: {}", why_not(facts, &fact))),
                Some(targets) => {
                    let healthy = targets.iter().filter(|target| target.state.as_str() == "healthy").count();
                    if healthy == 0 {
                        let all = targets.len();
                        wrong.push(format!(
                            "{} in {region}: {healthy} of {all} targets are healthy",
                            service.key
                        ));
                    }
                }
            }
        }
    }
    let waits = entry.services.iter().any(|one| started.contains(&one.key) && stopped(facts, region, one));
    let idle = entry.services.iter().all(|service| stopped(facts, region, service));
    if !idle {
        let fact = Fact::Probe(region.clone());
        match facts.probe(&fact).filter(|_| facts.error(&fact).is_none()) {
            // Where AWS is not AWS, our own requests go nowhere by choice, and weigh nothing.
            None if facts.is_unasked(&fact) => {}
            None => {
                wrong
                    .push(format!("our own request to {region} was not answered: {}", why_not(facts, &fact)));
            }
            // The path may be that of a service which waits to be started: a later step proves it.
            Some(probe) if probe.status >= 500 && !waits => {
                wrong.push(format!("our own request to {region} was answered with {}", probe.status));
            }
            Some(_) => {}
        }
    }
    wrong
}

/// The region's Aurora clusters: connected members, or the writer itself.
fn database(situation: &Situation<'_>, facts: &Facts, region: &Region) -> Vec<String> {
    let mut wrong = Vec::new();
    for (global, member) in situation.topology.aurora_in(region) {
        let mut told: Vec<_> = global
            .members
            .iter()
            .map(|member| Fact::GlobalCluster(member.region.clone(), global.id.clone()))
            .filter_map(|fact| Some((facts.reading(&fact)?.as_of, facts.global_cluster(&fact)?)))
            .collect();
        told.sort_by_key(|(at, _)| *at);
        let Some((_, state)) = told.last() else {
            let fact = Fact::GlobalCluster(region.clone(), global.id.clone());
            wrong.push(format!("the members of {} are not known: {}", global.id, why_not(facts, &fact)));
            continue;
        };
        match state.members.iter().find(|one| one.arn == member.arn) {
            None => wrong.push(format!(
                "{} in {region} is no member of {}: it would take writes of its own",
                member.id, global.id
            )),
            Some(one) if one.is_writer => {}
            Some(one) => match one.synchronization.as_ref().map_or("not told", |state| state.as_str()) {
                "connected" => {}
                other => {
                    wrong.push(format!("{} in {region} is not connected to its writer: {other}", member.id));
                }
            },
        }
    }
    wrong
}

/// The region's replicas, as it and its peers tell them.
fn tables(situation: &Situation<'_>, facts: &Facts, region: &Region) -> Vec<String> {
    let mut wrong = Vec::new();
    for table in situation.topology.tables_in(region) {
        let own = Fact::Table(region.clone(), table.name.clone());
        match facts.table(&own).filter(|_| facts.error(&own).is_none()) {
            None => wrong.push(format!(
                "{} in {region} does not tell its state: {}",
                table.name,
                why_not(facts, &own)
            )),
            Some(state) if state.status.as_str() != "ACTIVE" => {
                wrong.push(format!("{} in {region} is {}", table.name, state.status));
            }
            Some(_) => {}
        }
        for peer in table.regions.iter().filter(|peer| *peer != region) {
            let Some(state) = facts.table(&Fact::Table(peer.clone(), table.name.clone())) else { continue };
            match state.replicas.iter().find(|replica| &replica.region == region) {
                Some(replica) if replica.status.as_str() == "ACTIVE" => {}
                Some(replica) => {
                    wrong.push(format!(
                        "{peer} tells that the replica of {} in {region} is {}",
                        table.name, replica.status
                    ));
                }
                None => wrong.push(format!("{peer} knows no replica of {} in {region}", table.name)),
            }
        }
    }
    wrong
}

/// Other images than the peers run.
fn images(situation: &Situation<'_>, facts: &Facts, entry: &RegionEntry) -> Vec<GuardFinding> {
    let mut found = Vec::new();
    for service in &entry.services {
        let others: Vec<&RegionEntry> = situation
            .topology
            .regions
            .iter()
            .filter(|other| other.name != entry.name)
            .filter(|other| other.services.iter().any(|one| one.key == service.key))
            .collect();
        let differing: Vec<String> = others
            .iter()
            .filter_map(|other| different(facts, &service.key, &entry.name, &other.name))
            .collect();
        if !differing.is_empty() {
            let words = format!(
                "{} in {} runs other code than its peers: {}",
                service.key,
                entry.name,
                listed(differing)
            );
            let next = "deploy the peers' version there first";
            found.push(GuardFinding::block(GuardId::Runbook, false, words).next(next));
        }
    }
    found
}

/// In which way two regions run one service differently. Images tell it best, wherever their registry is;
/// a revision counts for itself in each region and is asked only where images are not known.
fn different(facts: &Facts, key: &ServiceKey, here: &Region, there: &Region) -> Option<String> {
    if let (Some(ours), Some(theirs)) = (image_names(facts, here, key), image_names(facts, there, key)) {
        return (ours != theirs).then(|| format!("{} here, {} in {there}", listed(ours), listed(theirs)));
    }
    let revision = |region: &Region| {
        let state = facts.service(&Fact::Service(region.clone(), key.clone()))?;
        state.task_definition.as_str().rsplit('/').next().map(str::to_owned)
    };
    let (ours, theirs) = (revision(here)?, revision(there)?);
    (ours != theirs).then(|| format!("{ours} here, {theirs} in {there}"))
}

/// Images of a service without their registry; `None` when they are not known.
fn image_names(facts: &Facts, region: &Region, key: &ServiceKey) -> Option<BTreeSet<String>> {
    let all = facts.dependencies(&Fact::Dependencies(region.clone(), key.clone()))?;
    let names: BTreeSet<String> = all
        .iter()
        .filter(|one| one.kind.as_str() == "image")
        .map(|one| {
            one.name.as_str().split_once(".amazonaws.com/").map_or(one.name.as_str(), |(_, name)| name)
        })
        .map(str::to_owned)
        .collect();
    (!names.is_empty()).then_some(names)
}
