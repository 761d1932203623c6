//! Steps that move the writer of an Aurora global cluster, and what speaks against a target.
//!
//! What it is for: the three calls that drain and failover use, each asked in the region that AWS wants, each proven by
//! an observation. What it must not do: choose between losing data and waiting; the operator does.

use std::time::Duration;

use super::PlanError;
use crate::domain::ids::Region;
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::condition::Condition;
use crate::runbook::guards::lag_words;
use crate::runbook::operation::Operation;
use crate::runbook::params::Params;
use crate::runbook::plan::Step;
use crate::runbook::situation::{Candidate, View, words};

/// AWS names no figure but "minutes".
const USUAL: Duration = Duration::from_mins(5);
/// A switchover first lets the target catch up, which may take long.
const SWITCHOVER: Duration = Duration::from_mins(30);
/// An unplanned promotion.
const FAILOVER: Duration = Duration::from_mins(20);

/// The secondary that becomes the writer: the one asked for, or the best.
pub(super) fn target<'v>(
    view: &'v View<'_>,
    global: &'v AuroraGlobal,
    out: &Region,
    params: &Params,
) -> Result<Candidate<'v>, PlanError> {
    let mut candidates = view.candidates(global, out);
    let Some(to) = &params.to else {
        if candidates.is_empty() {
            return Err(PlanError::Impossible(
                format!("{} has no member outside {out} that could become its writer", global.id).into(),
            ));
        }
        return Ok(candidates.remove(0));
    };
    candidates.into_iter().find(|candidate| &candidate.member.region == to).ok_or_else(|| {
        PlanError::Params(format!("{} has no member in {to} that could become its writer", global.id).into())
    })
}

/// SwitchoverGlobalCluster: planned, loses nothing. Asked in the region of the present writer. With `careful`, only
/// while the lag is within the policy.
pub(super) fn switchover(
    view: &View<'_>,
    global: &AuroraGlobal,
    writer: &AuroraMember,
    to: &Candidate<'_>,
    careful: bool,
) -> Step {
    let target = to.member;
    let ask = view.ask(global, Some(&target.region), &writer.region);
    let call = |region: &Region, arn| Operation::SwitchoverGlobalCluster {
        region: region.clone(),
        global: global.id.clone(),
        target: arn,
    };
    let idle = Condition::GlobalIdle { ask: ask.clone(), global: global.id.clone() };
    let precondition = if careful {
        let lag = Condition::RpoLag {
            region: target.region.clone(),
            cluster: target.id.clone(),
            at_most: view.topology.policy.max_rpo_lag_ms,
        };
        Condition::All { of: vec![idle, lag] }
    } else {
        idle
    };
    Step::act(
        format!("switchover/{}", global.id),
        format!("{} writes in {} instead of {}", global.id, target.region, writer.region),
        vec![call(&writer.region, target.arn.clone())],
        vec![call(&target.region, writer.arn.clone())],
        Condition::Writer { ask, global: global.id.clone(), cluster: target.arn.clone() },
        SWITCHOVER,
    )
    .at(&target.region)
    .when(precondition)
    .changing(format!("writer {} -> {}", writer.id, target.id))
    .usually(USUAL)
}

/// FailoverGlobalCluster with AllowDataLoss, asked in the target's region. No undo.
pub(super) fn failover(view: &View<'_>, global: &AuroraGlobal, out: &Region, to: &Candidate<'_>) -> Step {
    let target = to.member;
    let ask = view.ask(global, Some(&target.region), out);
    let call = Operation::FailoverGlobalCluster {
        region: target.region.clone(),
        global: global.id.clone(),
        target: target.arn.clone(),
    };
    Step::act(
        format!("promote/{}", global.id),
        format!("{} writes in {}, whatever {out} still holds", global.id, target.region),
        vec![call],
        Vec::new(),
        Condition::Writer { ask, global: global.id.clone(), cluster: target.arn.clone() },
        FAILOVER,
    )
    .at(&target.region)
    .changing(format!("writer -> {}", target.id))
    .usually(USUAL)
}

/// RemoveFromGlobalCluster at the survivor: the last resort.
pub(super) fn detach(global: &AuroraGlobal, to: &Candidate<'_>) -> Step {
    let target = to.member;
    let call = Operation::RemoveFromGlobalCluster {
        region: target.region.clone(),
        global: global.id.clone(),
        cluster: target.arn.clone(),
    };
    Step::act(
        format!("detach/{}", global.id),
        format!("{} in {} leaves {} and writes on its own", target.id, target.region, global.id),
        vec![call],
        Vec::new(),
        Condition::Detached {
            ask: vec![target.region.clone()],
            global: global.id.clone(),
            cluster: target.arn.clone(),
        },
        FAILOVER,
    )
    .at(&target.region)
    .changing(format!("{} -> a cluster of its own", target.id))
    .usually(USUAL)
}

/// What an unplanned promotion does that no step brings back, a line each.
pub(super) fn lost(
    view: &View<'_>,
    global: &AuroraGlobal,
    out: &Region,
    to: &Candidate<'_>,
    detach: bool,
) -> Vec<String> {
    let mut lines =
        vec![format!("{}: writes that have not reached {} are lost", global.id, lag_words(view, to))];
    let others: Vec<String> = global
        .members
        .iter()
        .filter(|member| &member.region != out && member.arn != to.member.arn)
        .map(|member| format!("{} in {}", member.id, member.region))
        .collect();
    if detach {
        lines.push(format!(
            "{}: its global endpoint no longer leads to the writer, and the old primary is not fenced",
            global.id
        ));
        if !others.is_empty() {
            lines.push(format!("{} no longer follow the new writer", words::list(others)));
        }
    } else {
        lines.push(format!(
            "{}: the old primary rejoins on a new volume; what only it holds is in the snapshot \
             rds:unplanned-global-failover-…, which must be copied early",
            global.id
        ));
        if !others.is_empty() {
            let others = words::list(others);
            lines.push(format!("{others}: rebuilt from the new writer, not readable for minutes to hours"));
        }
    }
    lines
}
