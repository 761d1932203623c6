//! Aurora: who writes, who could, and what a promotion would lose.
//!
//! What it is for: the one answer to "where is the writer", from whichever region told it last, and the candidates
//! for its place in the order in which to propose them. What it must not do: choose.

use jiff::Timestamp;

use super::{Liveness, View};
use crate::domain::ids::Region;
use crate::domain::observation::Reading;
use crate::domain::snapshot::{DbClusterState, GlobalClusterState};
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::fact::{Fact, Known};

/// Who writes, as far as the topology's members go.
#[derive(Clone, Debug)]
pub struct Writer<'a> {
    /// The member.
    pub member: &'a AuroraMember,
    /// The global cluster as it was told.
    pub state: &'a GlobalClusterState,
    /// When.
    pub as_of: Timestamp,
    /// True when that comes from the saved baseline.
    pub saved: bool,
}

/// A secondary that could become the writer.
#[derive(Clone, Debug)]
pub struct Candidate<'a> {
    /// The member.
    pub member: &'a AuroraMember,
    /// Its last RPO lag, milliseconds, with its time.
    pub lag: Option<Reading<f64>>,
    /// Its cluster, as last seen.
    pub cluster: Option<&'a DbClusterState>,
    /// How its region fares.
    pub liveness: Liveness,
}

impl View<'_> {
    /// The newest answer of any region about a global cluster: its region, and when it was given.
    pub fn global<'v>(
        &'v self,
        global: &AuroraGlobal,
    ) -> Option<(&'v GlobalClusterState, &'v Reading<Known>)> {
        let mut best: Option<(&GlobalClusterState, &Reading<Known>)> = None;
        for member in &global.members {
            let fact = Fact::GlobalCluster(member.region.clone(), global.id.clone());
            let (Some(state), Some(reading)) = (self.facts.global_cluster(&fact), self.facts.reading(&fact))
            else {
                continue;
            };
            let rank = |reading: &Reading<Known>| (!reading.saved, reading.as_of);
            if best.is_none_or(|(_, known)| rank(reading) > rank(known)) {
                best = Some((state, reading));
            }
        }
        best
    }

    /// Who writes; `None` when no region has told it, or none of the topology's members writes.
    pub fn writer<'v>(&'v self, global: &'v AuroraGlobal) -> Option<Writer<'v>> {
        let (state, reading) = self.global(global)?;
        let writes = |member: &AuroraMember| state.members.iter().any(|m| m.is_writer && m.arn == member.arn);
        let member = global.members.iter().find(|member| writes(member))?;
        Some(Writer { member, state, as_of: reading.as_of, saved: reading.saved })
    }

    /// Every member outside `out`, best first: alive regions before the others, then by the lowest last lag, then
    /// in the topology's order.
    pub fn candidates<'v>(&'v self, global: &'v AuroraGlobal, out: &Region) -> Vec<Candidate<'v>> {
        let mut found: Vec<Candidate<'_>> = global
            .members
            .iter()
            .filter(|member| &member.region != out)
            .map(|member| {
                let lag = Fact::RpoLag(member.region.clone(), member.id.clone());
                let cluster = Fact::DbCluster(member.region.clone(), member.id.clone());
                Candidate {
                    member,
                    lag: self.facts.number(&lag).zip(self.facts.reading(&lag)).map(|(value, reading)| {
                        Reading { value: *value, as_of: reading.as_of, saved: reading.saved }
                    }),
                    cluster: self.facts.db_cluster(&cluster),
                    liveness: self.liveness(&member.region),
                }
            })
            .collect();
        let rank = |candidate: &Candidate<'_>| match candidate.liveness {
            Liveness::Alive | Liveness::Degraded => 0,
            Liveness::Unknown => 1,
            Liveness::Dead => 2,
        };
        // Tenths of a second: noise must not turn the proposal round between a plan and its confirmation.
        let lag = |candidate: &Candidate<'_>| {
            candidate.lag.as_ref().map_or(f64::INFINITY, |lag| (lag.value / 100.0).round())
        };
        found.sort_by(|a, b| rank(a).cmp(&rank(b)).then(lag(a).total_cmp(&lag(b))));
        found
    }

    /// The regions to ask about a global cluster: `first`, then the other members, and the evacuated one last.
    pub fn ask(&self, global: &AuroraGlobal, first: Option<&Region>, out: &Region) -> Vec<Region> {
        let members = || global.members.iter().map(|member| &member.region);
        let mut ask: Vec<Region> = first.into_iter().cloned().collect();
        for region in members().filter(|region| *region != out).chain(members().filter(|r| *r == out)) {
            if !ask.contains(region) {
                ask.push(region.clone());
            }
        }
        ask
    }
}
