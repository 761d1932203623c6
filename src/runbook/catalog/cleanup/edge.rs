//! The stateless half of a cleanup: records, checks, alarms, topics, services, clusters, load balancers.
//!
//! What it is for: aws-facts section 8, points 1 to 4. What it must not do: touch data.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Scope;
use super::chain::{Chain, Claim, Deed, arn};
use super::wants::{alarm_arn, check_arn};
use crate::domain::Topology;
use crate::domain::ids::{AlarmName, Arn, ClusterName, HealthCheckId, HostName, Region, ZoneId};
use crate::domain::snapshot::RecordSet;
use crate::domain::topology::{DNS_REGION, Record, RegionEntry};
use crate::runbook::catalog::known::{UNASKED, listed};
use crate::runbook::condition::Condition;
use crate::runbook::evacuation::unvisited;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::operation::{Operation, RecordAction, RecordChange};
use crate::runbook::plan::Step;
use crate::runbook::situation::names_of;

/// A change of the zone is in sync within a minute, usually.
const SYNC: Duration = Duration::from_mins(10);
/// Until every name server knows that the records are gone; every resolver's copy ends after that.
const SPREAD: Duration = Duration::from_mins(1);
const QUICK: Duration = Duration::from_mins(5);
const STOPPING: Duration = Duration::from_mins(15);
/// The waiter of a load balancer: 15 s, forty times.
const BALANCER: Duration = Duration::from_mins(10);
/// DeleteAlarms takes so many names at once.
const ALARMS: usize = 100;

/// The record set that the zone has for a record of the topology.
pub(super) fn present<'a>(facts: &'a Facts, record: &Record) -> Option<&'a RecordSet> {
    let sets = facts.records(&Fact::Records(record.zone_id.clone(), record.name.clone()))?;
    sets.iter().find(|set| {
        set.record_type.as_str() == record.record_type && set.set_identifier == record.set_identifier
    })
}

/// Checks that the topology names for a region: those of its records, then those of its switches and routing
/// controls, which are their children.
pub(super) fn checks_of(topology: &Topology, region: &Region) -> Vec<HealthCheckId> {
    let records = topology.records.iter().filter(|record| &record.region == region);
    let switches = topology.switches.iter().filter(|switch| &switch.region == region);
    let controls = topology.arc.iter().flat_map(|arc| &arc.routing_controls);
    let controls = controls.filter(|control| &control.region == region);
    let mut checks = Vec::new();
    for check in records
        .filter_map(|record| record.health_check.as_ref())
        .chain(switches.filter_map(|switch| switch.health_check.as_ref()))
        .chain(controls.filter_map(|control| control.health_check.as_ref()))
    {
        if !checks.contains(check) {
            checks.push(check.clone());
        }
    }
    checks
}

/// Clusters of a region's services, once.
pub(super) fn clusters(entry: &RegionEntry) -> Vec<ClusterName> {
    let mut clusters: Vec<ClusterName> = Vec::new();
    for service in &entry.services {
        if !clusters.contains(&service.key.cluster) {
            clusters.push(service.key.cluster.clone());
        }
    }
    clusters
}

/// Target groups of a region's load balancers and services, once.
pub(super) fn groups(entry: &RegionEntry) -> Vec<Arn> {
    let balancers = entry.load_balancers.iter().flat_map(|lb| &lb.target_groups);
    let mut groups: Vec<Arn> = Vec::new();
    for group in balancers.chain(entry.services.iter().flat_map(|service| &service.target_groups)) {
        if !groups.contains(group) {
            groups.push(group.clone());
        }
    }
    groups
}

/// Records go first, region by region and zone by zone, each exactly as the zone has it.
pub(super) fn records(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for entry in &scope.regions {
        let mut zones: BTreeMap<&ZoneId, Vec<RecordSet>> = BTreeMap::new();
        // A record carries no tag: it is whose the load balancer is to which it leads.
        let mut when = vec![unvisited(scope.topology, chain.facts, &entry.name)];
        let mut stays: Vec<&HostName> = Vec::new();
        for lb in &entry.load_balancers {
            match chain.owner(&entry.name, &lb.arn) {
                Claim::Ours(owned) => when.push(owned),
                Claim::NotOurs => stays.push(&lb.dns_name),
                Claim::Gone => {}
            }
        }
        for record in scope.topology.records.iter().filter(|record| record.region == entry.name) {
            let fact = Fact::Records(record.zone_id.clone(), record.name.clone());
            if stays.contains(&&record.alias_target) {
                chain.leave(format!(
                    "record {} {} of {}, which leads to a load balancer that is not ours",
                    record.name, record.record_type, entry.name
                ));
                chain.kept_checks.extend(record.health_check.clone());
            } else if chain.facts.records(&fact).is_none() {
                let why = super::super::known::why_not(chain.facts, &fact);
                let words = format!(
                    "the records of {} were not read, and a deletion must match exactly: {why}",
                    record.name
                );
                let finding = GuardFinding::block(GuardId::Runbook, false, words);
                if !chain.findings.contains(&finding) {
                    chain.findings.push(finding);
                }
            } else if let Some(set) = present(chain.facts, record) {
                zones.entry(&record.zone_id).or_default().push(set.clone());
            }
        }
        for (zone, sets) in zones {
            let batch = |action: RecordAction| Operation::ChangeRecords {
                zone: zone.clone(),
                steers: entry.name.clone(),
                changes: sets.iter().map(|set| RecordChange { action, record: set.clone() }).collect(),
            };
            let none = |set: &RecordSet| Condition::Record {
                zone: zone.clone(),
                name: set.name.clone(),
                record_type: set.record_type.clone(),
                set_identifier: set.set_identifier.clone(),
                is: None,
            };
            let deed = Deed {
                id: format!("records/{}/{zone}", entry.name),
                title: format!("delete the records of {} in zone {zone} ({})", entry.name, sets.len()),
                region: &entry.name,
                calls: vec![batch(RecordAction::Delete)],
                undo: vec![batch(RecordAction::Upsert)],
                when: Condition::All { of: when.clone() },
                until: Condition::All { of: sets.iter().map(none).collect() },
                timeout: SYNC,
            };
            chain.delete(deed);
        }
    }
}

/// Then the wait until nobody is told of the region any more: to a name server that still has a record, a check that is
/// gone counts as healthy, which would let users back to a region that is pinned.
pub(super) fn forgotten(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    if chain.steps.is_empty() {
        return;
    }
    let settled = SPREAD + Duration::from_secs(scope.topology.policy.answers_live_seconds);
    let mut of = vec![Condition::Elapsed { span: settled, name: "propagation and TTL".into() }];
    for entry in &scope.regions {
        // Of a name that nobody has any more there are no answers to look at.
        let others = |name: &HostName| {
            scope.topology.records.iter().any(|record| &record.name == name && !scope.has(&record.region))
        };
        let names: Vec<HostName> = names_of(scope.topology, &entry.name).into_iter().filter(others).collect();
        // Where nobody may be asked about DNS, for AWS is not AWS there, no answer could ever come.
        if names.iter().any(|name| chain.facts.is_unasked(&Fact::Answers(name.clone()))) {
            chain.notes.push(UNASKED.into());
        } else if !names.is_empty() {
            of.push(Condition::AnswersOmit { names, region: entry.name.clone() });
        }
    }
    let title = format!(
        "wait until no name server tells of {}",
        listed(scope.regions.iter().map(|entry| &entry.name))
    );
    let after = chain.steps.last().map(|step| step.id.clone());
    let step = Step::wait("forgotten", title, Condition::All { of }, SYNC + settled).after(after).passing();
    chain.steps.push(step.usually(settled));
}

/// Then the checks, which AWS would delete even while a record uses them.
pub(super) fn checks(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    let dns = Region::new(DNS_REGION);
    let (mut ours, mut going) = (Vec::new(), Vec::new());
    for entry in &scope.regions {
        for check in checks_of(scope.topology, &entry.name) {
            let name = format!("health check {check}");
            let fact = Fact::HealthCheck(check.clone());
            let users =
                scope.topology.records.iter().filter(|record| record.health_check.as_ref() == Some(&check));
            if let Some(other) = users.map(|record| &record.region).find(|region| !scope.has(region)) {
                chain.leave(format!("{name}, which records of {other} use as well"));
                continue;
            }
            if chain.facts.is_absent(&fact) {
                going.push(check);
                continue;
            }
            if chain.kept_checks.contains(&check) {
                chain.leave(format!("{name}, which a record that stays uses"));
                continue;
            }
            let config = chain.facts.health_check(&fact);
            if let Some(service) = config.and_then(|config| config.linked_service.clone()) {
                chain.leave(format!("{name}, which belongs to {service}"));
                continue;
            }
            let named = checks_of(scope.topology, &entry.name);
            let children: Vec<HealthCheckId> =
                config.map(|config| config.children.clone()).unwrap_or_default();
            for child in children.iter().filter(|child| !named.contains(child)) {
                chain.leave(format!(
                    "health check {child}, a child of {check} that the topology does not name"
                ));
            }
            if let Claim::Ours(owned) = chain.claim(&dns, &check_arn(&check), &name) {
                going.push(check.clone());
                ours.push((entry, check, owned));
            }
        }
    }
    watchers(chain, scope, &going);
    for (entry, check, owned) in ours {
        let name = format!("health check {check}");
        chain.delete(Deed {
            id: format!("check/{check}"),
            title: format!("delete {name} of {}", entry.name),
            region: &entry.name,
            calls: vec![Operation::DeleteHealthCheck { check: check.clone() }],
            undo: Vec::new(),
            when: owned,
            until: Condition::Gone { fact: Fact::HealthCheck(check), name: name.into() },
            timeout: QUICK,
        });
    }
}

/// Alarms in us-east-1, which stays, that watch checks that go and nothing else: of a check that is gone they would wait
/// for data for ever. Before the checks, so that nobody is called for what is meant; by then no record uses the checks.
fn watchers(chain: &mut Chain<'_>, scope: &Scope<'_>, going: &[HealthCheckId]) {
    let home = Region::new(DNS_REGION);
    let mut ours = Vec::new();
    for watcher in &scope.watchers {
        let name = format!("alarm {} in {home}", watcher.name);
        let Some(checks) = &watcher.checks else {
            if !going.is_empty() && !chain.facts.is_absent(&Fact::Alarm(home.clone(), watcher.name.clone())) {
                chain.leave(format!("{name}, of which it is not known what it watches"));
            }
            continue;
        };
        if !checks.iter().any(|check| going.contains(check)) {
            continue;
        }
        // Some metrics of a check have the place from which it is asked as another dimension.
        if let Some(other) = checks.iter().find(|check| !going.contains(check) && !is_place(check.as_str())) {
            chain.leave(format!("{name}, which watches {other} as well"));
            continue;
        }
        if let Claim::Ours(owned) = claim_alarm(chain, scope, &home, &watcher.name) {
            ours.push((watcher.name.clone(), owned));
        }
    }
    let what = format!(
        "delete the alarms in {home} on the health checks of {}",
        listed(scope.regions.iter().map(|entry| &entry.name))
    );
    delete_alarms(chain, &home, "alarms/checks", &what, &ours);
}

/// `eu-west-1`, the name of a region.
fn is_place(word: &str) -> bool {
    let parts: Vec<&str> = word.split('-').collect();
    let last = parts.last().is_some_and(|last| last.len() == 1 && last.parse::<u8>().is_ok());
    parts.len() >= 3 && parts[0].len() == 2 && last
}

/// Alarms, and then the topics that no alarm tells any more.
pub(super) fn alarms(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for entry in &scope.regions {
        alarms_in(chain, scope, &entry.name, &entry.alarms, &entry.topics);
    }
    if scope.whole {
        let dns = Region::new(DNS_REGION);
        alarms_in(chain, scope, &dns, &scope.topology.dns.alarms, &scope.topology.dns.topics);
    }
}

fn alarms_in(chain: &mut Chain<'_>, scope: &Scope<'_>, region: &Region, names: &[AlarmName], topics: &[Arn]) {
    let (mut ours, mut kept) = (Vec::new(), false);
    for name in names {
        if let Some(whom) = scope.watching.get(&(region.clone(), name.clone())) {
            chain.leave(format!("alarm {name} in {region}, {whom}"));
            kept = true;
            continue;
        }
        match claim_alarm(chain, scope, region, name) {
            Claim::Ours(owned) => ours.push((name.clone(), owned)),
            Claim::NotOurs => kept = true,
            Claim::Gone => {}
        }
    }
    delete_alarms(chain, region, "alarms", &format!("delete the alarms in {region}"), &ours);
    for topic in topics {
        let name = format!("topic {} in {region}", topic.short_name());
        if kept {
            chain.leave(format!("{name}, which an alarm that stays still tells"));
            continue;
        }
        let Claim::Ours(owned) = chain.claim(region, topic, &name) else { continue };
        chain.delete(Deed {
            id: format!("topic/{region}/{}", topic.short_name()),
            title: format!("delete {name}"),
            region,
            calls: vec![Operation::DeleteTopic { region: region.clone(), topic: topic.clone() }],
            undo: Vec::new(),
            when: owned,
            until: Condition::Gone { fact: Fact::Tags(region.clone(), topic.clone()), name: name.into() },
            timeout: QUICK,
        });
    }
}

fn claim_alarm(chain: &mut Chain<'_>, scope: &Scope<'_>, region: &Region, name: &AlarmName) -> Claim {
    if chain.facts.is_absent(&Fact::Alarm(region.clone(), name.clone())) {
        return Claim::Gone;
    }
    let arn = alarm_arn(scope.topology, region, name);
    chain.claim(region, &arn, &format!("alarm {name} in {region}"))
}

/// Deletes alarms, as many at once as AWS takes.
fn delete_alarms(
    chain: &mut Chain<'_>,
    region: &Region,
    id: &str,
    what: &str,
    ours: &[(AlarmName, Condition)],
) {
    for (batch, part) in ours.chunks(ALARMS).enumerate() {
        let gone = |(name, _): &(AlarmName, Condition)| Condition::Gone {
            fact: Fact::Alarm(region.clone(), name.clone()),
            name: format!("alarm {name}").into(),
        };
        chain.delete(Deed {
            id: format!("{id}/{region}/{}", batch + 1),
            title: format!("{what} ({})", part.len()),
            region,
            calls: vec![Operation::DeleteAlarms {
                region: region.clone(),
                names: part.iter().map(|(name, _)| name.clone()).collect(),
            }],
            undo: Vec::new(),
            when: Condition::All { of: part.iter().map(|(_, owned)| owned.clone()).collect() },
            until: Condition::All { of: part.iter().map(gone).collect() },
            timeout: QUICK,
        });
    }
}

/// Services: scaling off, tasks stopped, service and task definition deleted; then the cluster.
pub(super) fn services(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for entry in &scope.regions {
        let region = &entry.name;
        let mut kept: Vec<&ClusterName> = Vec::new();
        for service in &entry.services {
            let fact = Fact::Service(region.clone(), service.key.clone());
            let state = chain.facts.service(&fact).cloned();
            if chain.facts.is_absent(&fact)
                || state.as_ref().is_some_and(|state| state.status.as_str() == "INACTIVE")
            {
                continue;
            }
            let name = format!("service {} in {region}", service.key);
            let owned = match chain.claim(region, &service.arn, &name) {
                Claim::Ours(owned) => owned,
                Claim::NotOurs => {
                    kept.push(&service.key.cluster);
                    chain.kept_groups.extend(service.target_groups.iter().cloned());
                    continue;
                }
                Claim::Gone => continue,
            };
            let at = format!("{region}/{}", service.key);
            let scaling = Fact::Scaling(region.clone(), service.key.clone());
            let scaled = chain.facts.scaling(&scaling).map_or(service.scalable, Option::is_some);
            if scaled && !chain.facts.is_absent(&scaling) {
                chain.delete(Deed {
                    id: format!("scaling/{at}"),
                    title: format!("take {name} from auto scaling, with its policies"),
                    region,
                    calls: vec![Operation::DeregisterScalableTarget {
                        region: region.clone(),
                        service: service.key.clone(),
                    }],
                    undo: Vec::new(),
                    when: owned.clone(),
                    until: Condition::Gone {
                        fact: scaling,
                        name: format!("scalable target of {name}").into(),
                    },
                    timeout: QUICK,
                });
            }
            let desired = |desired: i32| Operation::SetDesired {
                region: region.clone(),
                service: service.key.clone(),
                desired,
            };
            let tasks = state.as_ref().map(|state| state.desired);
            let before = tasks.map_or_else(|| "not known".to_owned(), |tasks| tasks.to_string());
            chain.push(
                Deed {
                    id: format!("stop/{at}"),
                    title: format!("stop {name}"),
                    region,
                    calls: vec![desired(0)],
                    undo: tasks.filter(|tasks| *tasks > 0).map(desired).into_iter().collect(),
                    when: Condition::All {
                        of: vec![owned.clone(), unvisited(scope.topology, chain.facts, region)],
                    },
                    until: Condition::Stopped { region: region.clone(), service: service.key.clone() },
                    timeout: STOPPING,
                },
                format!("desired {before} -> 0"),
            );
            let mut calls =
                vec![Operation::DeleteService { region: region.clone(), service: service.key.clone() }];
            let definition =
                state.map(|state| state.task_definition).filter(|arn| arn.as_str().starts_with("arn:"));
            // Its tasks need it no more; a definition that is left costs nothing.
            calls.extend(definition.map(|definition| Operation::DeregisterTaskDefinition {
                region: region.clone(),
                arn: Arn::new(definition.as_str()),
            }));
            chain.delete(Deed {
                id: format!("service/{at}"),
                title: format!("delete {name}"),
                region,
                calls,
                undo: Vec::new(),
                when: Condition::All {
                    of: vec![
                        owned,
                        Condition::Stopped { region: region.clone(), service: service.key.clone() },
                    ],
                },
                until: Condition::Gone { fact, name: name.into() },
                timeout: STOPPING,
            });
        }
        for cluster in clusters(entry) {
            let name = format!("cluster {cluster} in {region}");
            let fact = Fact::Cluster(region.clone(), cluster.clone());
            if chain.facts.is_absent(&fact) {
                continue;
            }
            if kept.contains(&&cluster) {
                chain.leave(format!("{name}, which runs a service that stays"));
                continue;
            }
            let arn = arn(scope.topology, "ecs", region, &format!("cluster/{cluster}"));
            let Claim::Ours(owned) = chain.claim(region, &arn, &name) else { continue };
            chain.delete(Deed {
                id: format!("cluster/{region}/{cluster}"),
                title: format!("delete {name}"),
                region,
                calls: vec![Operation::DeleteCluster { region: region.clone(), cluster: cluster.clone() }],
                undo: Vec::new(),
                when: owned,
                until: Condition::Gone { fact, name: name.into() },
                timeout: STOPPING,
            });
        }
    }
}

/// Load balancers with their listeners, then the target groups that nothing names any more.
pub(super) fn balancers(chain: &mut Chain<'_>, scope: &Scope<'_>) {
    for entry in &scope.regions {
        let region = &entry.name;
        for lb in &entry.load_balancers {
            let name = format!("load balancer {}", lb.name);
            let fact = Fact::Balancer(region.clone(), lb.arn.clone());
            if chain.facts.is_absent(&fact) {
                continue;
            }
            let owned = match chain.claim(region, &lb.arn, &format!("{name} in {region}")) {
                Claim::Ours(owned) => owned,
                Claim::NotOurs => {
                    chain.kept_groups.extend(lb.target_groups.iter().cloned());
                    continue;
                }
                Claim::Gone => continue,
            };
            let protect = |protected: bool| Operation::SetLoadBalancerProtection {
                region: region.clone(),
                arn: lb.arn.clone(),
                protected,
            };
            chain.unprotect(fact.clone(), &name, region, protect(false), protect(true), &owned);
            chain.delete(Deed {
                id: format!("balancer/{region}/{}", lb.name),
                title: format!("delete {name} in {region} with its listeners"),
                region,
                calls: vec![Operation::DeleteLoadBalancer { region: region.clone(), arn: lb.arn.clone() }],
                undo: Vec::new(),
                when: owned,
                until: Condition::Gone { fact, name: format!("{name} in {region}").into() },
                timeout: BALANCER,
            });
        }
        for group in groups(entry) {
            let short =
                group.resource().unwrap_or(group.as_str()).split('/').nth(1).unwrap_or_default().to_owned();
            let name = format!("target group {short} in {region}");
            let fact = Fact::Balancer(region.clone(), group.clone());
            if chain.facts.is_absent(&fact) {
                continue;
            }
            if chain.kept_groups.contains(&group) {
                chain.leave(format!("{name}, which a load balancer or service that stays uses"));
                continue;
            }
            let Claim::Ours(owned) = chain.claim(region, &group, &name) else { continue };
            chain.delete(Deed {
                id: format!("group/{region}/{short}"),
                title: format!("delete {name}"),
                region,
                calls: vec![Operation::DeleteTargetGroup { region: region.clone(), arn: group.clone() }],
                undo: Vec::new(),
                when: owned,
                until: Condition::Gone { fact, name: name.into() },
                timeout: QUICK,
            });
        }
    }
}
