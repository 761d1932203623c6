//! What changed between planning and confirming.

use crate::domain::Observed;
use crate::domain::snapshot::{GlobalClusterState, ScalableTarget};
use crate::runbook::fact::{Fact, Facts, Known};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::plan::Plan;
use crate::runbook::situation::shape;

/// Every value that shaped the plan and is another one now. What could not be read again is no drift; the `fresh`
/// guard speaks about that. In a failover drift warns: each step looks again before it acts.
pub fn drift(plan: &Plan, now: &Facts) -> Vec<GuardFinding> {
    let emergency = plan.runbook.as_str() == crate::runbook::catalog::failover::SPEC.id;
    let mut findings = Vec::new();
    for (fact, seen) in plan.shaped_by.iter() {
        let Some(was) = seen.value() else { continue };
        let Some(present) = present(fact, now).filter(|present| present.as_of() >= seen.as_of()) else {
            continue;
        };
        let Some(value) = present.value().map(shape) else { continue };
        if value != *was {
            let message = format!("{} since the plan was made", words(fact, was, &value));
            findings.push(GuardFinding::block(GuardId::Drift, emergency, message).next("plan again"));
        }
    }
    findings
}

/// The observation to compare with: of a global cluster the newest of any region.
fn present<'f>(fact: &Fact, now: &'f Facts) -> Option<&'f Observed<Known>> {
    let read = |seen: &&Observed<Known>| seen.reading().is_some_and(|reading| !reading.saved);
    match fact {
        Fact::GlobalCluster(_, id) => now
            .iter()
            .filter(|(other, _)| matches!(other, Fact::GlobalCluster(_, known) if known == id))
            .map(|(_, seen)| seen)
            .filter(read)
            .max_by_key(|seen| seen.as_of()),
        _ => now.get(fact).filter(read),
    }
}

fn words(fact: &Fact, was: &Known, now: &Known) -> String {
    match (fact, was, now) {
        (Fact::Service(region, key), Known::Service(was), Known::Service(now))
            if was.desired != now.desired =>
        {
            format!("desired of {key} in {region} went {} -> {}", was.desired, now.desired)
        }
        (Fact::Scaling(region, key), Known::Scaling(was), Known::Scaling(now)) => {
            format!("scaling of {key} in {region} went {} -> {}", limits(was.as_ref()), limits(now.as_ref()))
        }
        (Fact::HealthCheck(check), Known::HealthCheck(was), Known::HealthCheck(now)) => format!(
            "health check {check} went from version {} (inverted {}, disabled {}) to {} (inverted {}, disabled {})",
            was.version, was.inverted, was.disabled, now.version, now.inverted, now.disabled
        ),
        (Fact::Records(_, name), Known::Records(was), Known::Records(now)) => {
            format!("record sets of {name} changed ({} -> {})", was.len(), now.len())
        }
        (Fact::GlobalCluster(_, id), Known::GlobalCluster(was), Known::GlobalCluster(now)) => {
            format!("{id} went from {} to {}", engine(was), engine(now))
        }
        (Fact::RoutingControl(arn), Known::Flag(_), Known::Flag(on)) => {
            format!("routing control {} was turned {}", arn.short_name(), if *on { "on" } else { "off" })
        }
        (fact, _, Known::Absent) => format!("{} disappeared", name(fact)),
        (fact, _, _) => format!("{} changed", name(fact)),
    }
}

fn limits(target: Option<&ScalableTarget>) -> String {
    match target {
        None => "none".to_owned(),
        Some(target) => {
            let suspended =
                target.scale_in_suspended || target.scale_out_suspended || target.scheduled_suspended;
            format!("{} to {}{}", target.min, target.max, if suspended { ", suspended" } else { "" })
        }
    }
}

fn engine(state: &GlobalClusterState) -> String {
    let writer = state.members.iter().find(|member| member.is_writer);
    let writer = writer.map_or("nobody", |member| member.arn.short_name());
    let moving = state.failover.as_ref().map(|failover| format!(", {}", failover.status)).unwrap_or_default();
    format!("{} with writer {writer}{moving}", state.status)
}

fn name(fact: &Fact) -> String {
    match fact {
        Fact::Service(region, key) | Fact::Scaling(region, key) => format!("{key} in {region}"),
        Fact::HealthCheck(check) => format!("health check {check}"),
        Fact::DbCluster(region, id) => format!("cluster {id} in {region}"),
        Fact::SwitchObject(_, bucket, key) => format!("switch object s3://{bucket}/{key}"),
        Fact::SwitchMetric(_, namespace, metric, region) => {
            format!("switch metric {namespace}/{metric} of {region}")
        }
        other => format!("{other:?}"),
    }
}
