//! Switchover: Aurora's writer moves to another region, planned, and nothing is lost.
//!
//! What it is for: one SwitchoverGlobalCluster a global database, asked in the region of the present primary,
//! after everything that AWS demands of it has been examined (aws-facts section 4).
//! What it must not do: touch DNS or capacity, or ever allow data loss: a primary that does not answer is a
//! case for failover.

pub(super) mod preconditions;

use std::time::Duration;

use jiff::Timestamp;

use preconditions::{Wanted, age};

use super::known::{ask_first, guarded, identities, known, listed, why_not};
use super::{PlanError, Runbook, RunbookSpec, Situation};
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::snapshot::GlobalClusterState;
use crate::domain::text::Text;
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::operation::Operation;
use crate::runbook::params::Params;
use crate::runbook::plan::{Plan, Step, StepId};
use crate::runbook::situation::words;

/// AWS publishes no figure: minutes, longer with lag.
const PATIENCE: Duration = Duration::from_mins(20);
const USUAL: Duration = Duration::from_mins(2);
/// The series of the lag starts on the other cluster some minutes after the roles changed.
const FOLLOWING: Duration = Duration::from_mins(10);

/// The runbook.
#[derive(Clone, Copy, Debug)]
pub struct Switchover;

static SPEC: RunbookSpec = RunbookSpec {
    id: "switchover",
    title: "Switch Aurora's writer over",
    doc: "Moves the writer of the Aurora global database to another region, planned and without losing data. Both \
          regions must be available, of one engine version, synchronised and without an operation under way. The old \
          writer refuses writes for about a minute. Nothing else moves: users stay where DNS sends them. Name the \
          region that holds the writer and, with three or more regions, where it goes (--to); naming a region \
          that follows brings the writer there.",
    key: 'W',
    emergency: false,
    needs_region: true,
    options: &["region", "to"],
};

/// One global database whose writer moves.
struct Move<'a> {
    global: &'a AuroraGlobal,
    state: GlobalClusterState,
    from: &'a AuroraMember,
    to: &'a AuroraMember,
}

impl Runbook for Switchover {
    fn spec(&self) -> &'static RunbookSpec {
        &SPEC
    }

    fn wants(&self, topology: &Topology, _params: &Params) -> Vec<Fact> {
        let members = |global: &AuroraGlobal| {
            let id = global.id.clone();
            global.members.clone().into_iter().flat_map(move |member| {
                [
                    Fact::GlobalCluster(member.region.clone(), id.clone()),
                    Fact::DbCluster(member.region.clone(), member.id.clone()),
                    Fact::RpoLag(member.region, member.id),
                ]
            })
        };
        let demanded = topology.aurora.iter().flat_map(preconditions::facts);
        let members = topology.aurora.iter().flat_map(members);
        identities(topology).into_iter().chain(members).chain(demanded).collect()
    }

    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        _: Timestamp,
    ) -> Result<Vec<Text>, PlanError> {
        let members = members(topology, params)?;
        Ok(match &params.region {
            Some(region) => vec![region.as_str().into()],
            None => members.into_iter().map(|region| region.as_str().into()).collect(),
        })
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        members(situation.topology, params)?;
        let wants = self.wants(situation.topology, params);
        let facts = known(situation, &wants);
        let moves = moves(situation, &facts, params)?;
        let (mut steps, mut findings, mut notes, mut risk) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for one in &moves {
            findings.extend(preconditions::examine(&facts, one.wanted()));
            findings.extend(preconditions::lag(situation, &facts, one.wanted()));
            steps.extend(one.steps(situation, &facts));
            notes.extend(one.notes());
            risk.push(one.risk(situation, &facts));
        }
        let region = params.region.clone().unwrap_or_else(|| moves[0].from.region.clone());
        let words = moves.iter().map(|one| {
            format!("the writer of {} from {} to {}", one.global.id, one.from.region, one.to.region)
        });
        let shaping = wants.into_iter().filter(|fact| !is_measured(fact)).collect();
        let mut plan = Plan {
            runbook: SPEC.id.into(),
            application: situation.topology.application.clone(),
            params: params.clone(),
            confirm: region.as_str().into(),
            made_at: situation.now,
            summary: format!("Move {}, without losing data.", listed(words)).into(),
            steps,
            shaped_by: Facts::new(),
            findings,
            data_at_risk: risk,
            irreversible: Vec::new(),
            notes,
        };
        guarded(situation, &mut plan, &SPEC, None, shaping);
        Ok(plan)
    }
}

/// Numbers and names that are tested against limits and never shape a plan.
fn is_measured(fact: &Fact) -> bool {
    matches!(fact, Fact::RpoLag(..) | Fact::Identity(_) | Fact::AvailableInstances(..))
}

/// The regions that may write, where what was asked for is not wrong by the topology alone.
fn members<'a>(topology: &'a Topology, params: &Params) -> Result<Vec<&'a Region>, PlanError> {
    if topology.aurora.is_empty() {
        return Err(PlanError::Impossible("this application has no Aurora global database".into()));
    }
    if params.region.is_some() && params.region == params.to {
        return Err(PlanError::Params("the writer cannot move to the region that it leaves".into()));
    }
    let mut members: Vec<&Region> = Vec::new();
    for member in topology.aurora.iter().flat_map(|global| &global.members) {
        if !members.contains(&&member.region) {
            members.push(&member.region);
        }
    }
    match [&params.region, &params.to].into_iter().flatten().find(|region| !members.contains(region)) {
        None => Ok(members),
        Some(region) => {
            let known = listed(members.iter().map(ToString::to_string));
            let words = format!("no global database has a cluster in {region}; there are some in {known}");
            Err(PlanError::Params(words.into()))
        }
    }
}

/// What moves where. Which cluster writes is observed, never configured.
fn moves<'a>(situation: &Situation<'a>, facts: &Facts, params: &Params) -> Result<Vec<Move<'a>>, PlanError> {
    let topology = situation.topology;
    let (mut moves, mut elsewhere) = (Vec::new(), Vec::new());
    for global in &topology.aurora {
        let (state, from) = writer(global, facts)?;
        if params.region.is_none() && params.to.as_ref() == Some(&from.region) {
            elsewhere.push(format!("the writer of {} is in {} already", global.id, from.region));
            continue;
        }
        let named = params.region.as_ref().unwrap_or(&from.region);
        let to = if *named == from.region {
            params.to.clone()
        } else if params.to.is_none() && global.members.iter().any(|member| member.region == *named) {
            Some(named.clone())
        } else if params.to.as_ref() == Some(&from.region) {
            elsewhere.push(format!("the writer of {} is in {} already", global.id, from.region));
            continue;
        } else {
            elsewhere.push(format!("the writer of {} is in {}, not in {named}", global.id, from.region));
            continue;
        };
        let to = target(global, from, to.as_ref(), facts)?;
        moves.push(Move { global, state, from, to });
    }
    if moves.is_empty() { Err(PlanError::Params(elsewhere.join("; ").into())) } else { Ok(moves) }
}

/// The global cluster as a member region tells it, and its writer. The newest answer counts.
fn writer<'a>(
    global: &'a AuroraGlobal,
    facts: &Facts,
) -> Result<(GlobalClusterState, &'a AuroraMember), PlanError> {
    let told = |member: &AuroraMember| Fact::GlobalCluster(member.region.clone(), global.id.clone());
    let newest = global
        .members
        .iter()
        .filter_map(|member| {
            let fact = told(member);
            let reading = facts.reading(&fact)?;
            Some((reading.as_of, facts.global_cluster(&fact)?))
        })
        .max_by_key(|(at, _)| *at);
    let Some((_, state)) = newest else {
        let why = listed(global.members.iter().map(|member| why_not(facts, &told(member))));
        return Err(PlanError::Impossible(format!("no region tells who writes {}: {why}", global.id).into()));
    };
    let is_writer = |member: &&AuroraMember| state.members.iter().any(|m| m.is_writer && m.arn == member.arn);
    let from = global.members.iter().find(is_writer).ok_or_else(|| {
        PlanError::Impossible(
            format!("none of the clusters that the topology names writes {}", global.id).into(),
        )
    })?;
    Ok((state.clone(), from))
}

/// Where the writer goes: the named region, the only secondary, or the one with the lowest lag.
fn target<'a>(
    global: &'a AuroraGlobal,
    from: &AuroraMember,
    to: Option<&Region>,
    facts: &Facts,
) -> Result<&'a AuroraMember, PlanError> {
    let others: Vec<&AuroraMember> =
        global.members.iter().filter(|member| member.region != from.region).collect();
    if let Some(to) = to {
        let words = || format!("{} has no cluster in {to}", global.id);
        return others
            .into_iter()
            .find(|member| member.region == *to)
            .ok_or_else(|| PlanError::Params(words().into()));
    }
    let lag = |member: &AuroraMember| {
        facts.number(&Fact::RpoLag(member.region.clone(), member.id.clone())).copied()
    };
    match others.as_slice() {
        [] => Err(PlanError::Impossible(format!("{} has no secondary", global.id).into())),
        [one] => Ok(one),
        many => many
            .iter()
            .filter_map(|member| Some((lag(member)?, *member)))
            .min_by(|(a, _), (b, _)| a.total_cmp(b))
            .map(|(_, member)| member)
            .ok_or_else(|| PlanError::Choose {
                question: format!("no secondary of {} tells its lag; where does the writer go?", global.id)
                    .into(),
                flag: "--to REGION",
                choices: many
                    .iter()
                    .map(|member| (member.region.as_str().into(), format!("cluster {}", member.id).into()))
                    .collect(),
                proposed: None,
            }),
    }
}

impl Move<'_> {
    fn ask(&self) -> Vec<Region> {
        ask_first(&self.to.region, self.global.members.iter().map(|member| member.region.clone()))
    }

    fn writer(&self, member: &AuroraMember) -> Condition {
        Condition::Writer { ask: self.ask(), global: self.global.id.clone(), cluster: member.arn.clone() }
    }

    fn call(&self, from: &AuroraMember, to: &AuroraMember) -> Operation {
        Operation::SwitchoverGlobalCluster {
            region: from.region.clone(),
            global: self.global.id.clone(),
            target: to.arn.clone(),
        }
    }

    fn wanted(&self) -> Wanted<'_> {
        Wanted { global: self.global, state: &self.state, from: self.from, to: self.to }
    }

    fn steps(&self, situation: &Situation<'_>, facts: &Facts) -> Vec<Step> {
        let most = situation.topology.policy.max_rpo_lag_ms;
        let (global, ask) = (self.global.id.clone(), self.ask());
        let synchronized = Condition::Synchronized { ask: ask.clone(), global: global.clone() };
        let behind = |member: &AuroraMember| Condition::RpoLag {
            region: member.region.clone(),
            cluster: member.id.clone(),
            at_most: most,
        };
        let mut ready = vec![Condition::GlobalIdle { ask, global }, self.writer(self.from), behind(self.to)];
        ready.extend(preconditions::conditions(facts, self.wanted()));
        let ready = Condition::All { of: ready };
        let done = Condition::All { of: vec![self.writer(self.to), synchronized] };
        let id = StepId::new(format!("switchover/{}", self.global.id));
        let step = Step::act(
            id.clone(),
            format!("move the writer of {} to {}", self.global.id, self.to.region),
            vec![self.call(self.from, self.to)],
            vec![self.call(self.to, self.from)],
            done,
            PATIENCE,
        )
        .at(&self.to.region)
        .when(ready)
        .changing(format!(
            "writer {} ({}) -> {} ({})",
            self.from.id, self.from.region, self.to.id, self.to.region
        ))
        .usually(USUAL);
        let follows = Step::wait(
            format!("follow/{}", self.global.id),
            format!("see {} follow the new writer", self.from.id),
            behind(self.from),
            FOLLOWING,
        )
        .at(&self.from.region)
        .after([id])
        .passing();
        vec![step, follows]
    }

    fn notes(&self) -> Vec<Text> {
        let endpoint = self.state.endpoint.as_ref().map_or_else(
            || "the global writer endpoint".to_owned(),
            |name| format!("the global writer endpoint {name}"),
        );
        [
            format!(
                "{}: writes are refused from the moment the old writer is shut down until the new one is promoted, about a minute; {endpoint} follows a little later, and clients must not keep its address longer than 5 s.",
                self.global.id
            ),
            format!(
                "{} keeps its own parameter groups: compare them with those of {} before.",
                self.to.id, self.from.id
            ),
            "Applications behind RDS Proxy must change to a proxy in the new writer's region.".to_owned(),
            format!(
                "The lag series ends for {} and begins for {}: alarms on AuroraGlobalDB metrics must exist in both directions.",
                self.to.id, self.from.id
            ),
        ]
        .map(Text::from)
        .to_vec()
    }

    fn risk(&self, situation: &Situation<'_>, facts: &Facts) -> Text {
        let fact = Fact::RpoLag(self.to.region.clone(), self.to.id.clone());
        let lag = match facts.reading(&fact).zip(facts.number(&fact)) {
            Some((reading, lag)) => {
                format!("{} behind, {}", words::millis(*lag), age(situation, reading.as_of))
            }
            None => "an unknown time behind".to_owned(),
        };
        format!("none: AWS copies what is missing before it promotes {} ({lag}).", self.to.id).into()
    }
}
