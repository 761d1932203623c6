//! What a call touches, and what is so when it took effect.
//!
//! What it is for: from an operation, the facts whose values are saved before it, and the condition that proves
//! it, so that a call whose effect is there already is never sent, and one whose answer was lost is found out
//! by looking. What it must not do: judge a step; steps have conditions of their own.

use crate::domain::Topology;
use crate::domain::ids::{Arn, GlobalClusterId, Region};
use crate::domain::text::Text;
use crate::domain::topology::SwitchWire;
use crate::runbook::condition::Condition;
use crate::runbook::fact::Fact;
use crate::runbook::operation::{Operation, RecordAction};

/// Regions that may be asked about a global cluster: those of its members, `not` last.
pub fn members(topology: &Topology, global: &GlobalClusterId, not: Option<&Region>) -> Vec<Region> {
    let mut regions: Vec<Region> = topology
        .aurora
        .iter()
        .filter(|cluster| &cluster.id == global)
        .flat_map(|cluster| cluster.members.iter().map(|member| member.region.clone()))
        .collect();
    regions.sort_by_key(|region| Some(region) == not);
    regions
}

/// The condition that holds when the call took effect; `None` when nothing observable tells.
pub fn effect(operation: &Operation, topology: &Topology) -> Option<Condition> {
    let gone = |fact: Fact, name: &str| Some(Condition::Gone { fact, name: Text::new(name) });
    let flag = |fact: Fact, is: bool, name: String| Some(Condition::Flag { fact, is, name: name.into() });
    match operation {
        Operation::SetHealthCheck { check, inverted, disabled, .. } => Some(Condition::HealthCheckFlags {
            check: check.clone(),
            inverted: *inverted,
            disabled: *disabled,
        }),
        Operation::ChangeRecords { zone, changes, .. } => {
            let each = changes.iter().map(|change| Condition::Record {
                zone: zone.clone(),
                name: change.record.name.clone(),
                record_type: change.record.record_type.clone(),
                set_identifier: change.record.set_identifier.clone(),
                is: match change.action {
                    RecordAction::Delete => None,
                    RecordAction::Upsert => Some(change.record.clone()),
                },
            });
            Some(Condition::All { of: each.collect() })
        }
        Operation::SetRoutingControls { states, .. } => {
            let each = states
                .iter()
                .map(|(arn, on)| Condition::RoutingControls { controls: vec![arn.clone()], on: *on });
            Some(Condition::All { of: each.collect() })
        }
        Operation::PutSwitchObject { region, bucket, key, .. }
        | Operation::DeleteSwitchObject { region, bucket, key, .. } => flag(
            Fact::SwitchObject(region.clone(), bucket.clone(), key.clone()),
            matches!(operation, Operation::PutSwitchObject { .. }),
            format!("switch object s3://{bucket}/{key}"),
        ),
        Operation::PutSwitchMetric { region, namespace, name, steers, out } => flag(
            Fact::SwitchMetric(region.clone(), namespace.clone(), name.clone(), steers.clone()),
            *out,
            format!("switch metric {namespace}/{name} of {steers}"),
        ),
        Operation::RegisterScalableTarget { region, service, min, max, suspended } => {
            Some(Condition::Scaling {
                region: region.clone(),
                service: service.clone(),
                min: *min,
                max: *max,
                at_least: false,
                suspended: *suspended,
            })
        }
        Operation::SetDesired { region, service, desired } => Some(Condition::Desired {
            region: region.clone(),
            service: service.clone(),
            tasks: *desired,
            at_least: false,
        }),
        Operation::SwitchoverGlobalCluster { region, global, target } => Some(Condition::Writer {
            ask: members(topology, global, Some(region)),
            global: global.clone(),
            cluster: target.clone(),
        }),
        // Only the region that takes the call is asked: others may be dark, and waiting for them costs users.
        Operation::FailoverGlobalCluster { region, global, target } => Some(Condition::Writer {
            ask: vec![region.clone()],
            global: global.clone(),
            cluster: target.clone(),
        }),
        Operation::RemoveFromGlobalCluster { region, global, cluster } => Some(Condition::Detached {
            ask: vec![region.clone()],
            global: global.clone(),
            cluster: cluster.clone(),
        }),
        Operation::DeleteReplica { region, table, replica } => {
            Some(Condition::NoReplica { ask: region.clone(), table: table.clone(), replica: replica.clone() })
        }
        Operation::DeleteHealthCheck { check } => gone(Fact::HealthCheck(check.clone()), check.as_str()),
        Operation::DeregisterScalableTarget { region, service } => {
            gone(Fact::Scaling(region.clone(), service.clone()), &service.resource_id())
        }
        Operation::DeleteService { region, service } => {
            gone(Fact::Service(region.clone(), service.clone()), &service.to_string())
        }
        Operation::DeleteCluster { region, cluster } => {
            gone(Fact::Cluster(region.clone(), cluster.clone()), cluster.as_str())
        }
        Operation::DeleteDbInstance { region, instance } => {
            let arn = instance_arn(topology, region, instance)?;
            gone(Fact::Tags(region.clone(), arn), instance.as_str())
        }
        Operation::DeleteDbCluster { region, cluster, .. } => {
            gone(Fact::DbCluster(region.clone(), cluster.clone()), cluster.as_str())
        }
        Operation::DeleteGlobalCluster { region, global } => {
            gone(Fact::GlobalCluster(region.clone(), global.clone()), global.as_str())
        }
        Operation::DeleteTable { region, table } => {
            gone(Fact::Table(region.clone(), table.clone()), table.as_str())
        }
        Operation::DeleteAlarms { region, names } => {
            let each = names
                .iter()
                .filter_map(|name| gone(Fact::Alarm(region.clone(), name.clone()), name.as_str()));
            Some(Condition::All { of: each.collect() })
        }
        Operation::DeleteTopic { region, topic } => {
            gone(Fact::Tags(region.clone(), topic.clone()), topic.short_name())
        }
        Operation::DeleteLoadBalancer { region, arn } | Operation::DeleteTargetGroup { region, arn } => {
            gone(Fact::Balancer(region.clone(), arn.clone()), arn.short_name())
        }
        Operation::DeleteBucket { region, bucket } => {
            gone(Fact::Bucket(region.clone(), bucket.clone()), bucket.as_str())
        }
        Operation::DeleteStack { region, stack } => {
            gone(Fact::Stack(region.clone(), stack.clone()), stack.as_str())
        }
        // Protections are lifted anew rather than looked up, replacements of tasks leave no mark, and the steps
        // of these have conditions of their own.
        Operation::Redeploy { .. }
        | Operation::DeregisterTaskDefinition { .. }
        | Operation::SetGlobalClusterProtection { .. }
        | Operation::SetClusterProtection { .. }
        | Operation::SetTableProtection { .. }
        | Operation::SetLoadBalancerProtection { .. }
        | Operation::DeleteBucketReplication { .. }
        | Operation::EmptyBucket { .. } => None,
    }
}

/// ARN of a database instance, whose account is that of the clusters in its region.
fn instance_arn(topology: &Topology, region: &Region, instance: &Text) -> Option<Arn> {
    let mut members = topology.aurora.iter().flat_map(|global| &global.members);
    let account = members.find(|member| &member.region == region)?.arn.account()?;
    Some(Arn::new(format!("arn:aws:rds:{region}:{account}:db:{instance}")))
}

/// The facts whose values are saved right before the call.
pub fn touches(operation: &Operation, topology: &Topology) -> Vec<Fact> {
    let mut facts = effect(operation, topology).map(|effect| effect.facts()).unwrap_or_default();
    match operation {
        // A raised Min raises the desired count at once: both are saved.
        Operation::RegisterScalableTarget { region, service, .. }
        | Operation::DeregisterScalableTarget { region, service }
        | Operation::Redeploy { region, service } => {
            facts.push(Fact::Service(region.clone(), service.clone()));
        }
        Operation::SetDesired { region, service, .. } => {
            facts.push(Fact::Scaling(region.clone(), service.clone()));
        }
        // The last lag before a promotion is what may be lost.
        Operation::FailoverGlobalCluster { region, global, target } => {
            let clusters = topology.aurora.iter().filter(|cluster| &cluster.id == global);
            let promoted =
                clusters.flat_map(|cluster| &cluster.members).filter(|member| &member.arn == target);
            facts.extend(promoted.map(|member| Fact::RpoLag(region.clone(), member.id.clone())));
        }
        _ => {}
    }
    facts
}

/// The facts that tell whether a region is alive and in DNS, for the survivors interlock.
pub fn standing(topology: &Topology, region: &Region) -> Vec<Fact> {
    let mut facts = vec![Fact::Probe(region.clone())];
    facts.extend(groups(topology, region).into_iter().map(|group| Fact::Targets(region.clone(), group)));
    for record in topology.records.iter().filter(|record| &record.region == region) {
        let listing = Fact::Records(record.zone_id.clone(), record.name.clone());
        if !facts.contains(&listing) {
            facts.push(listing);
        }
        if let Some(check) = &record.health_check {
            let check = Fact::HealthCheck(check.clone());
            if !facts.contains(&check) {
                facts.push(check);
            }
        }
    }
    for switch in topology.switches.iter().filter(|switch| &switch.region == region) {
        facts.push(match &switch.wire {
            SwitchWire::Object { bucket, key } => {
                Fact::SwitchObject(switch.home.clone(), bucket.clone(), key.clone())
            }
            SwitchWire::Metric { namespace, name } => {
                Fact::SwitchMetric(switch.home.clone(), namespace.clone(), name.clone(), region.clone())
            }
        });
    }
    let controls = topology.arc.iter().flat_map(|arc| &arc.routing_controls);
    facts.extend(
        controls
            .filter(|control| &control.region == region)
            .map(|control| Fact::RoutingControl(control.arn.clone())),
    );
    facts
}

/// All target groups of a region.
pub fn groups(topology: &Topology, region: &Region) -> Vec<Arn> {
    topology.region(region).map_or_else(Vec::new, |entry| {
        entry.load_balancers.iter().flat_map(|balancer| balancer.target_groups.clone()).collect()
    })
}
