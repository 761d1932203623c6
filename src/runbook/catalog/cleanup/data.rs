//! The data half of a cleanup: Aurora, tables, buckets, and the stacks of the networks.
//!
//! What it is for: aws-facts section 8, points 5 to 8, and section 4 on deleting a global database. What it must
//! not do: delete a part of something whose other part is not ours.

use std::time::Duration;

use super::Scope;
use super::chain::{Chain, Claim, Deed, arn};
use super::wants::{bucket_arn, buckets as all_buckets, global_arn};
use crate::domain::ids::{Arn, Region};
use crate::domain::snapshot::{ConsistencyMode, GlobalClusterState};
use crate::domain::text::Text;
use crate::domain::topology::{AuroraGlobal, AuroraMember, Table};
use crate::runbook::catalog::known::{ask_first, listed, why_not};
use crate::runbook::condition::Condition;
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::operation::Operation;

/// So much of AWS's own id of a cluster tells its final snapshot from others of the day.
const OWN: usize = 8;
const DETACHING: Duration = Duration::from_mins(15);
/// The waiters of RDS: 30 s, sixty times.
const DATABASE: Duration = Duration::from_mins(30);
const SNAPSHOT: Duration = Duration::from_hours(1);
/// Minutes when small, hours when large.
const REPLICA: Duration = Duration::from_hours(3);
const TABLE: Duration = Duration::from_mins(15);
const EMPTYING: Duration = Duration::from_hours(3);
/// Network interfaces linger for minutes after what used them.
const STACK: Duration = Duration::from_hours(1);

/// Members that go: each secondary out of the global cluster and deleted, the primary last, then the shell.
pub(super) fn aurora(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for global in &scope.topology.aurora {
        let mut members: Vec<&AuroraMember> =
            global.members.iter().filter(|member| scope.has(&member.region)).collect();
        members.retain(|member| {
            !chain.facts.is_absent(&Fact::DbCluster(member.region.clone(), member.id.clone()))
        });
        let state = told(chain, global);
        if members.is_empty() && (state.is_none() || !scope.whole) {
            continue;
        }
        let writes = |member: &AuroraMember| {
            state
                .as_ref()
                .is_some_and(|state| state.members.iter().any(|m| m.is_writer && m.arn == member.arn))
        };
        if !scope.whole && members.iter().any(|member| writes(member)) {
            let words = format!("the writer of {} is in {}", global.id, members[0].region);
            let finding = GuardFinding::block(GuardId::Runbook, false, words);
            chain.findings.push(GuardFinding {
                may_override: false,
                ..finding.next("switch the writer over to a region that stays first")
            });
            continue;
        }
        if state.is_none() {
            let fact = Fact::GlobalCluster(global.members[0].region.clone(), global.id.clone());
            let words = format!("who writes {} is not known: {}", global.id, why_not(chain.facts, &fact));
            chain.findings.push(GuardFinding::block(GuardId::Runbook, false, words));
        }
        members.sort_by_key(|member| writes(member));
        remove_global(chain, scope, global, &members, state.as_ref());
    }
}

/// The global cluster, as the region that read it last tells it.
fn told(chain: &Chain<'_>, global: &AuroraGlobal) -> Option<GlobalClusterState> {
    global
        .members
        .iter()
        .map(|member| Fact::GlobalCluster(member.region.clone(), global.id.clone()))
        .filter_map(|fact| Some((chain.facts.reading(&fact)?.as_of, chain.facts.global_cluster(&fact)?)))
        .max_by_key(|(at, _)| *at)
        .map(|(_, state)| state.clone())
}

fn remove_global(
    chain: &mut Chain<'_>,
    scope: &Scope<'_>,
    global: &AuroraGlobal,
    members: &[&AuroraMember],
    state: Option<&GlobalClusterState>,
) {
    let stays = chain.left.len();
    let mut ours = Vec::new();
    for member in members {
        let name = format!("Aurora cluster {} in {}", member.id, member.region);
        if let Claim::Ours(owned) = chain.claim(&member.region, &member.arn, &name) {
            ours.push((*member, owned));
        }
    }
    let first = &global.members[0];
    let shell = global_arn(global, first);
    let whole =
        scope.whole.then(|| chain.claim(&first.region, &shell, &format!("global cluster {}", global.id)));
    // One part that is not ours would be left without its writer, or keep the global cluster alive.
    if chain.left.len() > stays {
        chain.leave(format!("Aurora {} as a whole, because not all of it is ours", global.id));
        return;
    }
    let ask = ask_first(&first.region, global.members.iter().map(|member| member.region.clone()));
    if let Some(Claim::Ours(owned)) = &whole {
        let protect = |protected: bool| Operation::SetGlobalClusterProtection {
            region: first.region.clone(),
            global: global.id.clone(),
            protected,
        };
        let fact = Fact::Protection(first.region.clone(), shell.clone());
        chain.unprotect(fact, global.id.as_str(), &first.region, protect(false), protect(true), owned);
    }
    for (member, owned) in &ours {
        let protect = |protected: bool| Operation::SetClusterProtection {
            region: member.region.clone(),
            cluster: member.id.clone(),
            protected,
        };
        let fact = Fact::Protection(member.region.clone(), member.arn.clone());
        chain.unprotect(fact, member.id.as_str(), &member.region, protect(false), protect(true), owned);
    }
    for (member, owned) in &ours {
        let joined = state.is_none_or(|state| state.members.iter().any(|one| one.arn == member.arn));
        if joined {
            detach(chain, global, member, &ask, owned);
        }
        cluster(chain, scope, member, owned);
    }
    if !ours.is_empty() {
        chain.notes.push(
            format!(
                "Between its removal from {} and its deletion, a secondary can be written by itself: stop whoever could write to it.",
                global.id
            )
            .into(),
        );
    }
    if let Some(Claim::Ours(owned)) = whole {
        let fact = Fact::GlobalCluster(first.region.clone(), global.id.clone());
        let name: Text = format!("global cluster {}", global.id).into();
        chain.delete(Deed {
            id: format!("global/{}", global.id),
            title: format!("delete {name}, which is empty then"),
            region: &first.region,
            calls: vec![Operation::DeleteGlobalCluster {
                region: first.region.clone(),
                global: global.id.clone(),
            }],
            undo: Vec::new(),
            when: owned,
            until: Condition::Gone { fact, name },
            timeout: DATABASE,
        });
    }
}

fn detach(
    chain: &mut Chain<'_>,
    global: &AuroraGlobal,
    member: &AuroraMember,
    ask: &[Region],
    owned: &Condition,
) {
    let until =
        Condition::Detached { ask: ask.to_vec(), global: global.id.clone(), cluster: member.arn.clone() };
    chain.push(
        Deed {
            id: format!("detach/{}/{}", global.id, member.region),
            title: format!("remove {} in {} from {}", member.id, member.region, global.id),
            region: &member.region,
            calls: vec![Operation::RemoveFromGlobalCluster {
                region: member.region.clone(),
                global: global.id.clone(),
                cluster: member.arn.clone(),
            }],
            undo: Vec::new(),
            when: owned.clone(),
            until,
            timeout: DETACHING,
        },
        format!("member of {} -> a cluster of its own", global.id),
    );
}

/// Instances one by one, readers first and the writer last: each deletion of a writer would make a reader one. Then the
/// cluster.
fn cluster(chain: &mut Chain<'_>, scope: &Scope<'_>, member: &AuroraMember, owned: &Condition) {
    let region = &member.region;
    let fact = Fact::DbInstances(region.clone(), member.id.clone());
    let instances: Vec<Text> = chain.facts.names(&fact).cloned().unwrap_or_default();
    if chain.facts.names(&fact).is_none() && !chain.facts.is_absent(&fact) {
        let words = format!(
            "the instances of {} in {region} are not known: {}",
            member.id,
            why_not(chain.facts, &fact)
        );
        chain.findings.push(GuardFinding::block(GuardId::Runbook, false, words));
    }
    for instance in &instances {
        let arn = arn(scope.topology, "rds", region, &format!("db:{instance}"));
        let name: Text = format!("instance {instance} in {region}").into();
        chain.delete(Deed {
            id: format!("instance/{region}/{instance}"),
            title: format!("delete {name}"),
            region,
            calls: vec![Operation::DeleteDbInstance { region: region.clone(), instance: instance.clone() }],
            undo: Vec::new(),
            when: chain.owned(region, &arn),
            until: Condition::Gone { fact: Fact::DbInstance(region.clone(), instance.clone()), name },
            timeout: DATABASE,
        });
    }
    let snapshot: Option<Text> = scope.snapshots.then(|| snapshot_name(chain, scope, member));
    let how = match &snapshot {
        Some(snapshot) => format!("with the final snapshot {snapshot}"),
        None => "without a snapshot".to_owned(),
    };
    if snapshot.is_none() {
        chain
            .data_at_risk
            .push(format!("{} in {region}: everything in it, without a final snapshot", member.id).into());
    }
    let name: Text = format!("Aurora cluster {} in {region}", member.id).into();
    chain.delete(Deed {
        id: format!("database/{region}/{}", member.id),
        title: format!("delete {name}, {how}"),
        region,
        calls: vec![Operation::DeleteDbCluster {
            region: region.clone(),
            cluster: member.id.clone(),
            final_snapshot: snapshot,
        }],
        undo: Vec::new(),
        when: owned.clone(),
        until: Condition::Gone { fact: Fact::DbCluster(region.clone(), member.id.clone()), name },
        timeout: SNAPSHOT,
    });
}

/// The name of a cluster's final snapshot: the same for this run and whoever takes it up, and for the dialog that plans it
/// anew, but another one for a cluster of the same name that is made and deleted on the same day.
fn snapshot_name(chain: &Chain<'_>, scope: &Scope<'_>, member: &AuroraMember) -> Text {
    let name = format!("{}-final-{}", member.id, scope.day);
    let state = chain.facts.db_cluster(&Fact::DbCluster(member.region.clone(), member.id.clone()));
    let id = state.map_or("", |state| state.resource_id.as_str());
    let id: String = id.chars().filter(char::is_ascii_alphanumeric).map(|c| c.to_ascii_lowercase()).collect();
    match id.get(id.len().saturating_sub(OWN)..) {
        Some(own) if !own.is_empty() => format!("{name}-{own}").into(),
        _ => name.into(),
    }
}

/// Replicas leaf-first, one at a time, then the table itself.
pub(super) fn tables(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for table in &scope.topology.tables {
        let here: Vec<&Region> = table
            .regions
            .iter()
            .filter(|region| scope.has(region))
            .filter(|region| !chain.facts.is_absent(&Fact::Table((*region).clone(), table.name.clone())))
            .collect();
        if here.is_empty() {
            continue;
        }
        let strong = here.iter().any(|region| {
            let state = chain.facts.table(&Fact::Table((*region).clone(), table.name.clone()));
            state.is_some_and(|state| state.mode == ConsistencyMode::Strong)
        });
        if strong || table.witness.is_some() {
            chain.leave(format!(
                "table {} in {}: it is strongly consistent, and its replicas can only be deleted together, by hand",
                table.name,
                listed(here)
            ));
            continue;
        }
        let stays = chain.left.len();
        let mut ours = Vec::new();
        for region in &here {
            let arn = arn(scope.topology, "dynamodb", region, &format!("table/{}", table.name));
            if let Claim::Ours(owned) =
                chain.claim(region, &arn, &format!("table {} in {region}", table.name))
            {
                ours.push(((*region).clone(), arn, owned));
            }
        }
        if chain.left.len() > stays {
            chain.leave(format!("table {} as a whole, because not all of it is ours", table.name));
            continue;
        }
        remove_table(chain, scope, table, &ours);
    }
}

fn remove_table(chain: &mut Chain<'_>, scope: &Scope<'_>, table: &Table, ours: &[(Region, Arn, Condition)]) {
    // Everything goes: the first region keeps the table until its replicas are gone. One region goes: another asks.
    // A region that was taken down before is still named, and cannot be asked.
    let there =
        |region: &&Region| !chain.facts.is_absent(&Fact::Table((*region).clone(), table.name.clone()));
    let mut others = table.regions.iter().filter(there).filter(|region| !scope.has(region));
    let Some(base) = others.next().or_else(|| table.regions.iter().find(there)) else { return };
    if !scope.whole && scope.has(base) {
        chain.leave(format!("table {} in {base}, which has no replica elsewhere", table.name));
        return;
    }
    for (region, arn, owned) in ours {
        let protect = |protected: bool| Operation::SetTableProtection {
            region: region.clone(),
            table: table.name.clone(),
            protected,
        };
        let fact = Fact::Protection(region.clone(), arn.clone());
        chain.unprotect(fact, table.name.as_str(), region, protect(false), protect(true), owned);
    }
    for (region, _, owned) in ours.iter().rev().filter(|(region, ..)| region != base) {
        let until =
            Condition::NoReplica { ask: base.clone(), table: table.name.clone(), replica: region.clone() };
        chain.delete(Deed {
            id: format!("replica/{}/{region}", table.name),
            title: format!("delete the replica of {} in {region}", table.name),
            region: base,
            calls: vec![Operation::DeleteReplica {
                region: base.clone(),
                table: table.name.clone(),
                replica: region.clone(),
            }],
            undo: Vec::new(),
            when: owned.clone(),
            until,
            timeout: REPLICA,
        });
    }
    if let Some((region, _, owned)) = ours.iter().find(|(region, ..)| region == base) {
        // What the last region cannot answer any more is asked of the region itself.
        let gone = |region: &Region| Condition::Gone {
            fact: Fact::Table(region.clone(), table.name.clone()),
            name: format!("table {} in {region}", table.name).into(),
        };
        let replicas = |condition: &Condition| matches!(condition, Condition::NoReplica { table: t, .. } if *t == table.name);
        chain.gone.retain(|condition| !replicas(condition));
        chain.gone.extend(ours.iter().filter(|(other, ..)| other != base).map(|(other, ..)| gone(other)));
        chain.delete(Deed {
            id: format!("table/{}", table.name),
            title: format!("delete table {} in {region}", table.name),
            region,
            calls: vec![Operation::DeleteTable { region: region.clone(), table: table.name.clone() }],
            undo: Vec::new(),
            when: owned.clone(),
            until: gone(region),
            timeout: TABLE,
        });
        let words =
            format!("{}: every item; DynamoDB takes no final snapshot, so make a backup first", table.name);
        chain.data_at_risk.push(words.into());
    }
}

/// Replication off on both sides, then every version, then the bucket.
pub(super) fn buckets(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    let mut silenced = Vec::new();
    for (region, bucket) in all_buckets(scope.topology) {
        let fact = Fact::Bucket(region.clone(), bucket.clone());
        if !scope.has(&region) || chain.facts.is_absent(&fact) {
            continue;
        }
        let arn = bucket_arn(&bucket);
        let Claim::Ours(owned) = chain.claim(&region, &arn, &format!("bucket {bucket} in {region}")) else {
            continue;
        };
        let (mut calls, mut when) = (Vec::new(), vec![owned]);
        let into = scope.topology.replication.iter().filter(|rule| rule.destination == bucket);
        let mut sources = vec![(region.clone(), bucket.clone())];
        for rule in into {
            let source = (rule.source_region.clone(), rule.source.clone());
            match chain.owner(&source.0, &bucket_arn(&source.1)) {
                Claim::Ours(_) => {}
                // With the bucket its rules went.
                Claim::Gone => continue,
                Claim::NotOurs => {
                    chain.leave(format!(
                        "replication rule {} of bucket {} into {bucket}, which fails from then on: that bucket is not ours",
                        rule.rule, rule.source
                    ));
                    continue;
                }
            }
            let others = scope.topology.replication.iter().filter(|rule| rule.source == source.1);
            if others
                .clone()
                .any(|other| other.destination != bucket && !scope.has(&other.destination_region))
            {
                chain.leave(format!(
                    "replication rule {} of bucket {} into {bucket}, which fails from then on: its other rules are still needed",
                    rule.rule, rule.source
                ));
            } else if !sources.contains(&source) {
                sources.push(source);
            }
        }
        for (at, source) in sources.iter().filter(|source| !silenced.contains(*source)) {
            calls.push(Operation::DeleteBucketReplication { region: at.clone(), bucket: source.clone() });
            if *source != bucket {
                when.push(chain.owned(at, &bucket_arn(source)));
            }
        }
        silenced.extend(sources);
        calls.push(Operation::EmptyBucket { region: region.clone(), bucket: bucket.clone() });
        calls.push(Operation::DeleteBucket { region: region.clone(), bucket: bucket.clone() });
        let name: Text = format!("bucket {bucket} in {region}").into();
        chain.data_at_risk.push(format!("{name}: every object and every version of it").into());
        chain.delete(Deed {
            id: format!("bucket/{bucket}"),
            title: format!("end the replication of {name}, empty and delete it"),
            region: &region,
            calls,
            undo: Vec::new(),
            when: Condition::All { of: when },
            until: Condition::Gone { fact, name },
            timeout: EMPTYING,
        });
    }
}

/// Stacks of the networks, when nothing is left in them.
pub(super) fn stacks(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    let stacks = scope.topology.cleanup.iter().flat_map(|cleanup| &cleanup.stacks);
    for stack in stacks.filter(|stack| scope.has(&stack.region)) {
        let fact = Fact::Stack(stack.region.clone(), stack.name.clone());
        if chain.facts.is_absent(&fact)
            || chain.facts.word(&fact).is_some_and(|word| word.as_str() == "DELETE_COMPLETE")
        {
            continue;
        }
        let name = format!("stack {} in {}", stack.name, stack.region);
        let arn = arn(scope.topology, "cloudformation", &stack.region, &format!("stack/{}", stack.name));
        let Claim::Ours(owned) = chain.claim(&stack.region, &arn, &name) else { continue };
        chain.delete(Deed {
            id: format!("stack/{}/{}", stack.region, stack.name),
            title: format!("delete {name} with its network"),
            region: &stack.region,
            calls: vec![Operation::DeleteStack { region: stack.region.clone(), stack: stack.name.clone() }],
            undo: Vec::new(),
            when: owned,
            until: Condition::Gone { fact, name: name.into() },
            timeout: STACK,
        });
    }
}
