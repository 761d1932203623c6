//! Rules for Aurora global clusters.
//!
//! What it is for: who writes, whether an operation is in flight, whether secondaries follow.
//! What it must not do: know a closed list of states; `FailoverState.Status` documents `switching-over`, which AWS's
//! own enumeration omits, so that every status that is not `available` and every failover state is in flight.

use std::time::Duration;

use super::Judgement;
use super::judge::time_down;
use super::proof::{Proof, Ruling, holds, never, not_yet, so_far, strange, unknown};
use super::words::{against, thing};
use crate::domain::ids::{Arn, DbClusterId, GlobalClusterId, Region};
use crate::domain::snapshot::{GlobalClusterState, GlobalMember};
use crate::runbook::fact::{Fact, Known};

impl Proof<'_> {
    pub(super) fn writer(&self, ask: &[Region], global: &GlobalClusterId, cluster: &Arn) -> Ruling {
        let Some(state) = self.global(ask, global)? else { return Ok(lost(global)) };
        let writer = the_writer(state)?;
        if let Some(operation) = in_flight(state) {
            return Ok(not_yet(format!("{operation}; writer {}", name_of(writer))));
        }
        if state.members.iter().all(|member| &member.arn != cluster) {
            return Ok(never(format!("{} is no member of {global}", cluster.short_name())));
        }
        Ok(if writer.is_some_and(|writer| &writer.arn == cluster) {
            holds(format!("writer {}, {global} {}", cluster.short_name(), state.status))
        } else {
            not_yet(format!("writer {}, wanted {}", name_of(writer), cluster.short_name()))
        })
    }

    pub(super) fn global_idle(&self, ask: &[Region], global: &GlobalClusterId) -> Ruling {
        let Some(state) = self.global(ask, global)? else { return Ok(lost(global)) };
        let writer = the_writer(state)?;
        Ok(match in_flight(state) {
            _ if state.status.as_str() == "deleting" => never(format!("{global} is being deleted")),
            Some(operation) => not_yet(operation),
            None => holds(format!("{global} available, no operation in flight, writer {}", name_of(writer))),
        })
    }

    pub(super) fn synchronized(&self, ask: &[Region], global: &GlobalClusterId) -> Ruling {
        let Some(state) = self.global(ask, global)? else { return Ok(lost(global)) };
        let secondaries: Vec<&GlobalMember> =
            state.members.iter().filter(|member| !member.is_writer).collect();
        // No standby is not "every standby": after a promotion the old primary comes back only when rebuilt.
        if secondaries.is_empty() {
            return Ok(not_yet(format!("{global} has no secondary")));
        }
        let whole = secondaries.len();
        let told: Vec<&GlobalMember> =
            secondaries.iter().copied().filter(|member| member.synchronization.is_some()).collect();
        let connected = told
            .iter()
            .filter(|member| member.synchronization.as_ref().is_some_and(|word| word.as_str() == "connected"))
            .count();
        if connected == whole {
            let noun = if whole == 1 { "secondary" } else { "secondaries" };
            return Ok(holds(format!("{whole} {noun} connected")));
        }
        if connected == told.len() {
            let silent = secondaries.iter().find(|member| member.synchronization.is_none());
            return Ok(unknown(format!(
                "AWS does not tell whether {} is connected",
                name_of(silent.copied())
            )));
        }
        let others: Vec<String> = told
            .iter()
            .filter_map(|member| member.synchronization.as_ref().map(|word| (member, word)))
            .filter(|(_, word)| word.as_str() != "connected")
            .map(|(member, word)| format!("{} {word}", member.arn.short_name()))
            .collect();
        let progress = format!("{connected} of {whole} secondaries connected: {}", others.join(", "));
        Ok(so_far(progress, connected as f64, whole as f64))
    }

    pub(super) fn endpoint_moved(&self, global: &GlobalClusterId, settled: Duration) -> Judgement {
        let Some(at) = self.moment.moved_at.get(global) else {
            return not_yet(format!("RDS has not told that the writer endpoint of {global} moved"));
        };
        let ago = Duration::try_from(self.moment.now.duration_since(*at)).unwrap_or_default();
        let words = format!("the writer endpoint of {global} moved {} ago", time_down(ago));
        if ago >= settled { holds(words) } else { so_far(words, ago.as_secs_f64(), settled.as_secs_f64()) }
    }

    pub(super) fn detached(&self, ask: &[Region], global: &GlobalClusterId, cluster: &Arn) -> Ruling {
        let Some(state) = self.global(ask, global)? else {
            return Ok(holds(format!("{global} does not exist")));
        };
        Ok(match state.members.iter().find(|member| &member.arn == cluster) {
            None => holds(format!("{} is no member of {global}", cluster.short_name())),
            Some(member) => {
                let role = if member.is_writer { "writer" } else { "secondary" };
                not_yet(format!("{} is still a {role} of {global}", cluster.short_name()))
            }
        })
    }

    pub(super) fn rpo_lag(&self, region: &Region, cluster: &DbClusterId, at_most: f64) -> Ruling {
        let fact = Fact::RpoLag(region.clone(), cluster.clone());
        let Known::Number(lag) = self.known(&fact)? else { return Ok(strange(&fact)) };
        if !lag.is_finite() || *lag < 0.0 {
            return Ok(unknown(format!("{}: {lag} is no lag", thing(&fact))));
        }
        let (said, limit) = against(*lag, at_most);
        Ok(if *lag <= at_most {
            holds(format!("RPO lag {said}"))
        } else {
            not_yet(format!("RPO lag {said}, wanted at most {limit}"))
        })
    }

    /// What the first region that answers says; `None`: it says that there is no such global cluster.
    fn global(
        &self,
        ask: &[Region],
        global: &GlobalClusterId,
    ) -> Result<Option<&GlobalClusterState>, Judgement> {
        let mut silent = Vec::new();
        let mut absent = false;
        for region in ask {
            let fact = Fact::GlobalCluster(region.clone(), global.clone());
            if self.absent(&fact) {
                absent = true;
                continue;
            }
            match self.known(&fact) {
                Ok(Known::GlobalCluster(state)) => return Ok(Some(state)),
                Ok(_) => silent.push(strange(&fact)),
                Err(early) => silent.push(early),
            }
        }
        // A region that has left the global cluster knows it no more, while others may: absence counts only
        // when nobody who could contradict was silent.
        match (absent, silent.is_empty()) {
            (true, true) => Ok(None),
            (false, true) => Err(unknown(format!("{global}: there is no region to ask"))),
            (_, false) => {
                let words: Vec<&str> = silent.iter().map(|early| early.words().as_str()).collect();
                Err(unknown(words.join("; ")))
            }
        }
    }
}

/// The one writer; none while roles change. Two would be a state that nobody should act on.
fn the_writer(state: &GlobalClusterState) -> Result<Option<&GlobalMember>, Judgement> {
    let mut writers = state.members.iter().filter(|member| member.is_writer);
    match (writers.next(), writers.next()) {
        (Some(one), Some(two)) => Err(unknown(format!(
            "both {} and {} are called the writer",
            one.arn.short_name(),
            two.arn.short_name()
        ))),
        (writer, _) => Ok(writer),
    }
}

/// The operation in flight, in words.
fn in_flight(state: &GlobalClusterState) -> Option<String> {
    if let Some(failover) = state.failover.as_ref().filter(|failover| !failover.status.is_empty()) {
        let to = failover.to.as_ref().map(|to| format!(" to {}", to.short_name())).unwrap_or_default();
        return Some(format!("{}{to}", failover.status));
    }
    (state.status.as_str() != "available").then(|| format!("global cluster {}", state.status))
}

fn name_of(member: Option<&GlobalMember>) -> &str {
    member.map_or("none", |member| member.arn.short_name())
}

fn lost(global: &GlobalClusterId) -> Judgement {
    never(format!("global cluster {global} does not exist"))
}
