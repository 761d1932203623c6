//! Switchover: Aurora's writer moves to another region, planned, and nothing is lost.
//!
//! What it is for: one SwitchoverGlobalCluster a global database, asked in the region of the present primary,
//! after everything that AWS demands of it has been examined (aws-facts section 4).
//! What it must not do: touch DNS or capacity, or ever allow data loss: a primary that does not answer is a
//! case for failover.

use std::time::Duration;

use super::known::{ask_first, guarded, identities, known, listed, why_not};
use super::{PlanError, Runbook, RunbookSpec, Situation};
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::snapshot::{DbClusterState, GlobalClusterState};
use crate::domain::text::Text;
use crate::domain::topology::{AuroraGlobal, AuroraMember};
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::guard::{GuardFinding, GuardId};
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
        identities(topology).into_iter().chain(topology.aurora.iter().flat_map(members)).collect()
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        let wants = self.wants(situation.topology, params);
        let facts = known(situation, &wants);
        let moves = moves(situation, &facts, params)?;
        let (mut steps, mut findings, mut notes, mut risk) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for one in &moves {
            findings.extend(examine(situation, &facts, one));
            steps.extend(one.steps(situation));
            notes.extend(one.notes());
            risk.push(one.risk(situation, &facts));
        }
        let region = params.region.clone().unwrap_or_else(|| moves[0].from.region.clone());
        let words = moves.iter().map(|one| {
            format!("the writer of {} from {} to {}", one.global.id, one.from.region, one.to.region)
        });
        let shaping =
            wants.into_iter().filter(|fact| !matches!(fact, Fact::RpoLag(..) | Fact::Identity(_))).collect();
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

/// What moves where. Which cluster writes is observed, never configured.
fn moves<'a>(situation: &Situation<'a>, facts: &Facts, params: &Params) -> Result<Vec<Move<'a>>, PlanError> {
    let topology = situation.topology;
    if topology.aurora.is_empty() {
        return Err(PlanError::Impossible("this application has no Aurora global database".into()));
    }
    if params.region.is_some() && params.region == params.to {
        return Err(PlanError::Params("the writer cannot move to the region that it leaves".into()));
    }
    let (mut moves, mut elsewhere) = (Vec::new(), Vec::new());
    for global in &topology.aurora {
        let (state, from) = writer(global, facts)?;
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

/// Everything that AWS demands before a switchover, and what the policy adds.
fn examine(situation: &Situation<'_>, facts: &Facts, one: &Move<'_>) -> Vec<GuardFinding> {
    let mut found = Vec::new();
    let mut block = |message: String, next: &str| {
        found.push(GuardFinding::block(GuardId::Runbook, SPEC.emergency, message).next(next));
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
                "a switchover needs both regions; when the writer's region is down, use failover",
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
            GuardFinding::block(GuardId::Runbook, SPEC.emergency, message).next("wait until it is connected")
        } else {
            GuardFinding::warn(GuardId::Runbook, message)
        });
    }
    found.extend(lag(situation, facts, one));
    found
}

/// Major and minor version must be equal; a patch level may differ on listed PostgreSQL versions only.
fn versions(one: &Move<'_>, from: &DbClusterState, to: &DbClusterState) -> Option<GuardFinding> {
    let (ours, theirs) = (from.engine_version.as_str(), to.engine_version.as_str());
    if ours == theirs {
        return None;
    }
    let words = format!("{} runs {ours}, {} runs {theirs}", one.from.id, one.to.id);
    let block = |why: &str| {
        let next = "upgrade the older one first";
        Some(GuardFinding::block(GuardId::Runbook, SPEC.emergency, format!("{words}: {why}")).next(next))
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

/// The lag of the target against the policy.
fn lag(situation: &Situation<'_>, facts: &Facts, one: &Move<'_>) -> Option<GuardFinding> {
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
    Some(GuardFinding::block(GuardId::DataAtRisk, SPEC.emergency, told).next(next))
}

/// `12 s ago`.
fn age(situation: &Situation<'_>, at: jiff::Timestamp) -> String {
    format!("{} s ago", situation.now.duration_since(at).as_secs().max(0))
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

    fn steps(&self, situation: &Situation<'_>) -> Vec<Step> {
        let most = situation.topology.policy.max_rpo_lag_ms;
        let (global, ask) = (self.global.id.clone(), self.ask());
        let synchronized = Condition::Synchronized { ask: ask.clone(), global: global.clone() };
        let behind = |member: &AuroraMember| Condition::RpoLag {
            region: member.region.clone(),
            cluster: member.id.clone(),
            at_most: most,
        };
        let ready = Condition::All {
            of: vec![Condition::GlobalIdle { ask, global }, self.writer(self.from), behind(self.to)],
        };
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
            "Write forwarding, where a secondary has it enabled, pauses during the switchover; whether it is, and whether a blue/green deployment is under way, is not read by this program.".to_owned(),
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
