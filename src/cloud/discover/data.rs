//! Global tables, Aurora global clusters and replicated buckets among the regions.
//!
//! What it is for: telling what is replicated between the named regions from what only shares a name.
//! What it must not do: ask AWS anything.

use std::collections::{BTreeMap, BTreeSet};

use super::Gathered;
use super::inventory::{Inventory, member};
use super::report::Report;
use crate::domain::ids::{BucketName, Region, TableName};
use crate::domain::topology::{AuroraGlobal, AuroraMember, BucketReplication, Table};

/// Tables to be described: those that at least two regions have; all of them while a region could not be
/// asked, since it may have any.
pub(super) fn shared_tables(regions: &[Inventory]) -> BTreeSet<TableName> {
    let least = if regions.iter().any(|region| region.tables.is_err()) { 1 } else { 2 };
    let mut count: BTreeMap<&TableName, usize> = BTreeMap::new();
    for name in regions.iter().filter_map(|region| region.tables.as_ref().ok()).flatten() {
        *count.entry(name).or_default() += 1;
    }
    count.into_iter().filter(|(_, regions)| *regions >= least).map(|(name, _)| name.clone()).collect()
}

pub(super) fn tables(gathered: &Gathered, report: &mut Report) -> Vec<Table> {
    for inventory in &gathered.regions {
        if let Err(error) = &inventory.tables {
            report.failed(inventory.region.as_str(), "DynamoDB tables", error);
        }
    }
    let named: BTreeSet<&Region> = gathered.regions.iter().map(|inventory| &inventory.region).collect();
    let mut tables = Vec::new();
    for name in shared_tables(&gathered.regions) {
        let mut held: BTreeSet<Region> = BTreeSet::new();
        let mut witness = None;
        let mut has: BTreeSet<&Region> = BTreeSet::new();
        for inventory in &gathered.regions {
            match inventory.described.get(&name) {
                Some(Ok(state)) => {
                    has.insert(&inventory.region);
                    if !state.replicas.is_empty() {
                        held.insert(inventory.region.clone());
                    }
                    held.extend(state.replicas.iter().map(|replica| replica.region.clone()));
                    witness = witness.or_else(|| state.witnesses.first().map(|(region, _)| region.clone()));
                }
                Some(Err(error)) => report.failed(inventory.region.as_str(), &format!("table {name}"), error),
                None => {}
            }
        }
        let fake = held.is_empty() && gathered.fake && has.len() == named.len();
        if fake {
            held.extend(named.iter().map(|region| (*region).clone()));
            report.note(format!(
                "table {name}: DescribeTable lists no replicas; taken for a global table since all regions have it \
                 and the endpoint is not AWS's"
            ));
        }
        let elsewhere: Vec<String> =
            held.iter().filter(|region| !named.contains(region)).map(ToString::to_string).collect();
        let regions: Vec<Region> = gathered
            .regions
            .iter()
            .map(|inventory| inventory.region.clone())
            .filter(|region| held.contains(region))
            .collect();
        if regions.len() < 2 {
            if has.len() > 1 {
                report
                    .note(format!("table {name} exists in several regions and is no global table: left out"));
            }
            continue;
        }
        let list: Vec<String> = regions.iter().map(ToString::to_string).collect();
        report.found(format!("global table {name}: {}", list.join(", ")));
        if !elsewhere.is_empty() {
            report.note(format!(
                "table {name} has replicas outside the named regions: {}",
                elsewhere.join(", ")
            ));
        }
        tables.push(Table { name, regions, witness });
    }
    if tables.is_empty() && gathered.regions.iter().all(|inventory| inventory.tables.is_ok()) {
        report.missing("no DynamoDB global table with replicas in two of the regions");
    }
    tables
}

pub(super) fn aurora(gathered: &Gathered, report: &mut Report) -> Vec<AuroraGlobal> {
    let mut found: BTreeMap<&str, AuroraGlobal> = BTreeMap::new();
    let mut answered = false;
    for inventory in &gathered.regions {
        let globals = match &inventory.globals {
            Ok(globals) => globals,
            Err(error) => {
                report.failed(inventory.region.as_str(), "Aurora global clusters", error);
                continue;
            }
        };
        answered = true;
        for global in globals {
            let members: Vec<AuroraMember> = global
                .state
                .members
                .iter()
                .filter_map(|told| {
                    let (region, id) = member(&told.arn)?;
                    Some(AuroraMember { region, id, arn: told.arn.clone() })
                })
                .filter(|member| gathered.regions.iter().any(|inventory| inventory.region == member.region))
                .collect();
            let known = found.get(global.id.as_str()).map_or(0, |known| known.members.len());
            if members.len() > known {
                let (id, arn, engine) = (global.id.clone(), global.arn.clone(), global.engine.clone());
                found.insert(global.id.as_str(), AuroraGlobal { id, arn, engine, members });
            }
        }
    }
    if found.is_empty() && answered {
        report.missing("no Aurora global cluster with members in the regions");
    }
    let mut all: Vec<AuroraGlobal> = found.into_values().collect();
    for global in &mut all {
        let place = |region: &Region| gathered.regions.iter().position(|entry| &entry.region == region);
        global.members.sort_by_key(|member| place(&member.region));
        let members: Vec<String> =
            global.members.iter().map(|member| format!("{} in {}", member.id, member.region)).collect();
        report.found(format!("Aurora global cluster {}: {}", global.id, members.join(", ")));
    }
    all
}

pub(super) fn replication(gathered: &Gathered, report: &mut Report) -> Vec<BucketReplication> {
    let mut homes: BTreeMap<&BucketName, &Region> = BTreeMap::new();
    for inventory in &gathered.regions {
        match &inventory.buckets {
            Ok(buckets) => {
                homes.extend(buckets.rules.keys().map(|name| (name, &inventory.region)));
                homes.extend(buckets.unread.iter().map(|(name, _)| (name, &inventory.region)));
                if let Some((first, error)) = buckets.unread.first() {
                    report.note(format!(
                        "{}: replication of {} bucket(s) could not be read, {first} the first: {error}",
                        inventory.region,
                        buckets.unread.len()
                    ));
                }
            }
            Err(error) => report.failed(inventory.region.as_str(), "S3 buckets", error),
        }
    }
    let mut all = Vec::new();
    for inventory in &gathered.regions {
        for (source, rules) in inventory.buckets.iter().flat_map(|buckets| &buckets.rules) {
            for rule in rules {
                let Some(home) = homes.get(&rule.destination).filter(|home| **home != &inventory.region)
                else {
                    continue;
                };
                let metrics = if rule.metrics { "" } else { ", without metrics" };
                report.found(format!(
                    "replication {source} ({}) to {} ({home}){metrics}",
                    inventory.region, rule.destination
                ));
                if !rule.metrics {
                    report.note(format!(
                        "replication {source} to {}: metrics are off, so lag and backlog cannot be seen",
                        rule.destination
                    ));
                }
                all.push(BucketReplication {
                    source: source.clone(),
                    source_region: inventory.region.clone(),
                    destination: rule.destination.clone(),
                    destination_region: (*home).clone(),
                    rule: rule.id.clone(),
                    metrics: rule.metrics,
                });
            }
        }
    }
    if all.is_empty() && gathered.regions.iter().all(|inventory| inventory.buckets.is_ok()) {
        report.missing("no S3 replication between buckets of the regions");
    }
    all
}
