//! What AWS demands before a switchover (aws-facts section 4), and what the policy adds.
//!
//! What it is for: one examination for the planned switchover and for the drain that moves a writer on its way.
//! What it must not do: ask; what could not be read is told, and blocks where AWS would refuse.

use super::super::Situation;
use super::super::known::why_not;
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::{DbClusterState, GlobalClusterState, GlobalMember};
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::words;

/// A writer that is to move.
#[derive(Clone, Copy, Debug)]
pub(in crate::runbook::catalog) struct Wanted<'a> {
    /// The global cluster.
    pub(in crate::runbook::catalog) global: &'a AuroraGlobal,
    /// As it was told last.
    pub(in crate::runbook::catalog) state: &'a GlobalClusterState,
    /// The present writer.
    pub(in crate::runbook::catalog) from: &'a AuroraMember,
    /// The next one.
    pub(in crate::runbook::catalog) to: &'a AuroraMember,
}

/// What is read of the members for this alone.
pub(in crate::runbook::catalog) fn facts(global: &AuroraGlobal) -> Vec<Fact> {
    let each = global.members.iter().flat_map(|member| {
        [blue_green(global, member), Fact::AvailableInstances(member.region.clone(), member.id.clone())]
    });
    each.collect()
}

/// Whether a blue/green deployment of a member is under way.
pub(in crate::runbook::catalog) fn blue_green(global: &AuroraGlobal, member: &AuroraMember) -> Fact {
    Fact::BlueGreen(member.region.clone(), member.id.clone(), global.id.clone())
}

/// What must still be so right before the call; what this identity may not read is left to AWS to refuse.
pub(in crate::runbook::catalog) fn conditions(facts: &Facts, one: Wanted<'_>) -> Vec<Condition> {
    let members = [one.from, one.to].into_iter();
    members
        .map(|member| (member, blue_green(one.global, member)))
        .filter(|(_, fact)| facts.flag(fact).is_some() && facts.error(fact).is_none())
        .map(|(member, fact)| Condition::Flag {
            fact,
            is: false,
            name: format!("blue/green deployment of {} in {}", member.id, member.region).into(),
        })
        .collect()
}

/// Everything that AWS demands before a switchover, and what the policy adds.
pub(in crate::runbook::catalog) fn examine(facts: &Facts, one: Wanted<'_>) -> Vec<GuardFinding> {
    let mut found = Vec::new();
    let mut block = |message: String, next: &str| {
        found.push(GuardFinding::block(GuardId::Runbook, false, message).next(next));
    };
    let id = &one.global.id;
    if one.state.status.as_str() != "available" {
        block(format!("{id} is {}, not available", one.state.status), "wait until it is available");
    }
    if let Some(failover) = &one.state.failover {
        block(
            format!("{id} is {} already; a second operation must not start", failover.status),
            "wait until DescribeGlobalClusters shows no FailoverState",
        );
    }
    let cluster = |member: &AuroraMember| Fact::DbCluster(member.region.clone(), member.id.clone());
    for (member, role) in [(one.from, "writer"), (one.to, "target")] {
        let fact = cluster(member);
        let here = format!("{role} {} in {}", member.id, member.region);
        if facts.error(&fact).is_some() {
            let why = why_not(facts, &fact);
            block(
                format!("the state of the {here} is not known: {why}"),
                "a switchover needs RDS in both regions: wait for it, and fail over only when the writer's region is really down",
            );
        }
        let Some(state) = facts.db_cluster(&fact) else {
            if facts.error(&fact).is_none() {
                block(format!("the state of the {here} was not read"), "observe again");
            }
            continue;
        };
        if state.status.as_str() != "available" {
            block(format!("the {here} is {}, not available", state.status), "wait until it is available");
        }
        if state.instances == 0 {
            block(format!("the {here} has no instance (headless)"), "add an instance there first");
        }
        if state.pending_changes {
            block(format!("a change waits for the next window of the {here}"), "apply or cancel it first");
        }
    }
    if let (Some(from), Some(to)) = (facts.db_cluster(&cluster(one.from)), facts.db_cluster(&cluster(one.to)))
    {
        found.extend(versions(one, from, to));
    }
    let secondary = |member: &AuroraMember| {
        one.state.members.iter().find(|m| m.arn == member.arn).map(|m| m.synchronization.clone())
    };
    for member in one.global.members.iter().filter(|member| member.arn != one.from.arn) {
        let is_target = member.arn == one.to.arn;
        let message = match secondary(member) {
            None => format!("{} in {} is no member of {id} any more", member.id, member.region),
            Some(Some(state)) if state.as_str() == "connected" => continue,
            Some(Some(state)) => format!("{} in {} is {state}, not connected", member.id, member.region),
            Some(None) => {
                format!("{id} does not tell whether {} in {} is connected", member.id, member.region)
            }
        };
        found.push(if is_target {
            GuardFinding::block(GuardId::Runbook, false, message).next("wait until it is connected")
        } else {
            GuardFinding::warn(GuardId::Runbook, message)
        });
    }
    for member in [one.from, one.to] {
        found.extend(deploying(facts, one.global, member));
    }
    found.extend(served(facts, one.to));
    found.extend(one.state.members.iter().filter_map(forwards));
    found
}

/// Major and minor version must be equal; a patch level may differ on listed PostgreSQL versions only.
fn versions(one: Wanted<'_>, from: &DbClusterState, to: &DbClusterState) -> Option<GuardFinding> {
    let (ours, theirs) = (from.engine_version.as_str(), to.engine_version.as_str());
    if ours == theirs {
        return None;
    }
    let words = format!("{} runs {ours}, {} runs {theirs}", one.from.id, one.to.id);
    let block = |why: &str| {
        let next = "upgrade the older one first";
        Some(GuardFinding::block(GuardId::Runbook, false, format!("{words}: {why}")).next(next))
    };
    let mysql = one.global.engine.as_str().contains("mysql") || ours.contains("mysql");
    if release(ours) != release(theirs) {
        block("major and minor version must be equal")
    } else if mysql {
        block("Aurora MySQL must be of one patch level")
    } else {
        let words = format!("{words}: AWS allows that on some PostgreSQL versions only");
        Some(GuardFinding::warn(GuardId::Runbook, words).next("look the version up in the Aurora user guide"))
    }
}

/// Major and minor version: `8.0.mysql_aurora.3.08.2` is 3.08 of 8.0, `15.4.2` is 15.4.
fn release(version: &str) -> (&str, Vec<&str>) {
    let (community, aurora) = version.split_once(".mysql_aurora.").unwrap_or(("", version));
    (community, aurora.split('.').take(2).collect())
}

/// No switchover during a blue/green deployment.
fn deploying(facts: &Facts, global: &AuroraGlobal, member: &AuroraMember) -> Option<GuardFinding> {
    let fact = blue_green(global, member);
    let here = format!("{} in {}", member.id, member.region);
    if let Some(error) = facts.error(&fact) {
        let words = format!(
            "whether a blue/green deployment of {here} is under way is not known: {}",
            why_not(facts, &fact)
        );
        let next = if error.kind == ErrorKind::Denied {
            "allow rds:DescribeBlueGreenDeployments, or look in the RDS console; AWS refuses a switchover during one"
        } else {
            "look in the RDS console; AWS refuses a switchover during one"
        };
        return Some(GuardFinding::warn(GuardId::Runbook, words).next(next));
    }
    facts.flag(&fact).filter(|under_way| **under_way).map(|_| {
        let words = format!("a blue/green deployment of {here} is under way");
        let next = "switch it over or delete it first";
        GuardFinding::block(GuardId::Runbook, false, words).next(next)
    })
}

/// The target has an instance that could take over now.
fn served(facts: &Facts, to: &AuroraMember) -> Option<GuardFinding> {
    let fact = Fact::AvailableInstances(to.region.clone(), to.id.clone());
    let here = format!("target {} in {}", to.id, to.region);
    if facts.error(&fact).is_some() {
        let words =
            format!("whether an instance of the {here} is available is not known: {}", why_not(facts, &fact));
        return Some(GuardFinding::warn(GuardId::Runbook, words));
    }
    // A cluster without any is told as headless.
    let headless = || {
        let cluster = Fact::DbCluster(to.region.clone(), to.id.clone());
        facts.db_cluster(&cluster).is_some_and(|cluster| cluster.instances == 0)
    };
    let none = facts.number(&fact).is_some_and(|count| *count < 1.0) && !headless();
    none.then(|| {
        let words = format!("no instance of the {here} is available");
        GuardFinding::block(GuardId::Runbook, false, words).next("wait until one is available")
    })
}

/// Writes that a secondary forwards fail while the writer moves.
fn forwards(member: &GlobalMember) -> Option<GuardFinding> {
    let status = member.forwarding.as_ref().filter(|status| status.as_str() != "disabled")?;
    let words = format!(
        "global write forwarding of {} is {status}: what it forwards fails while the writer moves",
        member.arn.short_name()
    );
    Some(GuardFinding::warn(GuardId::Runbook, words).next("clients of its reader endpoint must try again"))
}

/// The lag of the target against the policy.
pub(super) fn lag(situation: &Situation<'_>, facts: &Facts, one: Wanted<'_>) -> Option<GuardFinding> {
    let most = situation.topology.policy.max_rpo_lag_ms;
    let fact = Fact::RpoLag(one.to.region.clone(), one.to.id.clone());
    let told = match facts.reading(&fact).zip(facts.number(&fact)) {
        Some((_, lag)) if *lag <= most => return None,
        Some((reading, lag)) => format!(
            "{} is {} behind ({}), more than the {} of the policy",
            one.to.id,
            words::millis(*lag),
            age(situation, reading.as_of),
            words::millis(most)
        ),
        None => format!("how far {} is behind is not known: {}", one.to.id, why_not(facts, &fact)),
    };
    let next = "nothing would be lost, but writes stop until the target has caught up";
    Some(GuardFinding::block(GuardId::DataAtRisk, false, told).next(next))
}

/// `12 s ago`.
pub(super) fn age(situation: &Situation<'_>, at: jiff::Timestamp) -> String {
    format!("{} s ago", situation.now.duration_since(at).as_secs().max(0))
}
