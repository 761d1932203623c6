//! failover: an unplanned evacuation of a region whose APIs may hang.
//!
//! What it is for: users out at once by every wired way, survivors grown beside it, and the database as a decision of its
//! own that delays neither. What it must not do: wait for the failing region, or lose data without the operator's word.

mod fence;
mod signals;

use std::time::Duration;

use jiff::Timestamp;

use super::{PlanError, Runbook, RunbookSpec, Situation, promotion};
use crate::domain::Topology;
use crate::domain::ids::{GlobalClusterId, HostName, Region, ServiceKey};
use crate::domain::synthetic::TOKEN;
use crate::domain::text::Text;
use crate::domain::topology::AuroraGlobal;
use crate::runbook::condition::Condition;
use crate::runbook::engine::{MARK_EVERY, SETTLE};
use crate::runbook::evacuation::{self, asked};
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::guards::{self, Move, Subject, lag_words};
use crate::runbook::operation::Operation;
use crate::runbook::params::{DatabaseChoice, Params};
use crate::runbook::plan::{Plan, Step, StepId};
use crate::runbook::situation::{Liveness, View, lent_words, words};

/// What it is.
pub static SPEC: RunbookSpec = RunbookSpec {
    id: "failover",
    title: "Fail a region over",
    doc: "Takes a failing region out of DNS by every wired way in turn, while the survivors grow to the need. What happens \
          to the database is a decision of its own (--database leave, switchover, failover or detach) and delays nobody. \
          Nothing is required of the failing region; what is known of it is shown with its age.",
    key: 'F',
    emergency: true,
    needs_region: true,
    options: &["region", "to", "database", "declare", "since", "redeploy"],
};

/// How long one way out of DNS is tried before the next.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long taking the region out of DNS may take over all ways.
const PIN: Duration = Duration::from_mins(10);
/// Fewer signals than this and the operator is warned.
const ENOUGH_SIGNALS: usize = 2;
/// Within this time clients look up the writer's name again: AWS asks for a cache of five seconds, few keep to it.
const FOUND: Duration = Duration::from_mins(1);
/// Within this time after RDS told that the writer's endpoint moved clients have looked it up again.
const LOOKED_UP: Duration = Duration::from_secs(15);

/// The runbook.
pub struct Failover;

impl Runbook for Failover {
    fn spec(&self) -> &'static RunbookSpec {
        &SPEC
    }

    fn wants(&self, topology: &Topology, params: &Params) -> Vec<Fact> {
        asked::facts(topology, params)
    }

    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        now: Timestamp,
    ) -> Result<Vec<Text>, PlanError> {
        Ok(vec![wished(topology, params, now)?.as_str().into()])
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        let view = situation.view();
        let region = wished(view.topology, params, situation.now)?;
        let survivors = view.survivors(&region);
        let needs = view.needs(&region, &survivors);
        let evacuation = evacuation::ways(&view, &region, PATIENCE);
        let choice = choice(&view, &region, params)?;

        let mut draft = Draft::default();
        draft.signals(&view, &region, params);
        draft.notes.extend(evacuation.notes.iter().cloned());
        draft.shape.extend(evacuation.shaped_by.iter().cloned());
        for line in &evacuation.uncovered {
            let message = format!("its users stay: {line}");
            draft.findings.push(GuardFinding::warn(GuardId::Runbook, message));
        }
        let pin = evacuation::pin(&region, evacuation.clone(), PIN);
        let pin_id = pin.as_ref().map(|step| step.id.clone());
        draft.steps.extend(pin);

        let grown = evacuation::prescale(&needs, &|_| Vec::new(), true);
        for need in &needs {
            draft.shape.push(Fact::Service(need.region.clone(), need.service.clone()));
            draft.shape.push(Fact::Scaling(need.region.clone(), need.service.clone()));
        }
        draft.notes.extend(lent_words(&needs));
        draft.notes.extend(grown.notes);
        draft.steps.extend(grown.steps);

        let moves = draft.database(&view, &region, params, choice)?;
        let mut last: Vec<StepId> = moves.iter().map(|(_, id)| id.clone()).collect();
        let moves: Vec<Move<'_>> = moves.into_iter().map(|(change, _)| change).collect();
        let unplanned = moves.iter().any(|change| !change.planned);
        if let Some(pin) = &pin_id {
            let proof = evacuation::proof(&view, &region, &evacuation.names, pin, true);
            draft.steps.extend(proof.steps);
            draft.notes.extend(proof.notes);
            draft.findings.extend(proof.findings);
            if unplanned {
                draft.fence(&view, &region, pin);
            }
            last.extend(proof.done);
        } else {
            draft.findings.push(GuardFinding::warn(
                GuardId::Runbook,
                format!("no wired method takes {region} out of DNS: the run moves no users"),
            ));
        }
        draft.redeploy(&view, &region, &survivors, params, &last, &evacuation.names)?;
        // Where our own requests go nowhere by choice, for AWS is not AWS there, none of them proves anything.
        let unasked = survivors.iter().any(|survivor| view.facts.is_unasked(&Fact::Probe(survivor.clone())));
        if unasked {
            draft
                .notes
                .push("our own request is not configured: that users are answered is not proven".into());
        }
        // Our own request waits for what DNS answers, and for nothing else: recovery time ends with it.
        let answered = StepId::new("proof/dns");
        let answered: Vec<StepId> =
            if draft.steps.iter().any(|step| step.id == answered) { vec![answered] } else { last.clone() };
        for name in evacuation.names.iter().filter(|_| !unasked) {
            let until = Condition::Synthetic { name: name.clone() };
            let title = format!("{name} answers our own request");
            let step = Step::wait(format!("synthetic/{name}"), title, until, Duration::from_mins(5));
            draft.steps.push(step.after(answered.iter().cloned()));
        }
        // With the writer left in the failing region, writes are known to fail: that is told and passed.
        if unplanned {
            draft.notes.extend(marks(view.topology));
        }
        let left = choice == DatabaseChoice::Leave && affected(&view, &region).next().is_some();
        let wrote = evacuation::written(view.topology, &evacuation.names, &last);
        draft.steps.extend(wrote.into_iter().map(|step| if left { step.passing() } else { step }));

        let shaped_by = guards::shaped_by(&view, draft.shape);
        let subject = Subject {
            spec: &SPEC,
            region: Some(&region),
            evacuates: true,
            dark: true,
            survivors: &survivors,
            needs: &needs,
            moves: &moves,
            steps: &draft.steps,
            shaped_by: &shaped_by,
        };
        let mut findings = guards::examine(&view, &subject);
        findings.extend(draft.findings);
        Ok(Plan {
            runbook: SPEC.id.into(),
            application: view.topology.application.clone(),
            // The choice that was made is part of what is confirmed.
            params: Params { database: Some(choice), ..params.clone() },
            confirm: region.as_str().into(),
            made_at: situation.now,
            summary: format!(
                "fail {region} over to {}; the database: {}",
                words::list(&survivors),
                choice.word()
            )
            .into(),
            steps: draft.steps,
            findings,
            data_at_risk: guards::at_risk(&view, &region),
            irreversible: draft.irreversible,
            notes: draft.notes,
            shaped_by,
        })
    }
}

/// The region that fails, where nothing else that was asked for is wrong by the topology alone.
fn wished(topology: &Topology, params: &Params, now: Timestamp) -> Result<Region, PlanError> {
    let region = asked::region(topology, params)?;
    let wrong = |words: String| Err(PlanError::Params(words.into()));
    if let Some(since) = params.since.filter(|since| *since > now) {
        return wrong(format!("--since {since} is in the future; now is {now:.0}"));
    }
    let here = |at: &Region| {
        let mut members = topology.aurora.iter().flat_map(|global| &global.members);
        members.any(|member| &member.region == at)
    };
    if let Some(choice) = params.database.filter(|choice| *choice != DatabaseChoice::Leave) {
        if !here(&region) {
            return wrong(nothing_to_do(&region, choice));
        }
        if let Some(to) = params.to.as_ref().filter(|to| !here(to)) {
            return wrong(format!("no global database has a member in {to} that could become its writer"));
        }
    }
    let others = topology.regions.iter().filter(|entry| entry.name != region);
    let keys: Vec<&ServiceKey> =
        others.flat_map(|entry| &entry.services).map(|service| &service.key).collect();
    for name in &params.redeploy {
        if !keys.iter().any(|key| called(key, name)) {
            return wrong(format!("no survivor runs a service {name} that could be deployed anew"));
        }
    }
    Ok(region)
}

fn nothing_to_do(region: &Region, choice: DatabaseChoice) -> String {
    format!("no database writes in {region}: --database {} has nothing to do", choice.word())
}

/// Whether a service is meant by this name: its own, or with its cluster's before it.
fn called(key: &ServiceKey, name: &Text) -> bool {
    key.to_string() == name.as_str() || key.service.as_str() == name.as_str()
}

/// Databases whose writer is in the region, or may be: nobody has told where it is.
fn affected<'v>(view: &'v View<'_>, region: &'v Region) -> impl Iterator<Item = &'v AuroraGlobal> {
    view.topology.aurora.iter().filter(move |global| match view.writer(global) {
        Some(writer) => &writer.member.region == region,
        None => global.members.iter().any(|member| &member.region == region),
    })
}

/// True when the primary is in the region and still answers as available, by a reading of this minute.
fn answers(view: &View<'_>, region: &Region, global: &AuroraGlobal) -> bool {
    let Some(writer) = view.writer(global).filter(|writer| &writer.member.region == region) else {
        return false;
    };
    let fact = Fact::DbCluster(region.clone(), writer.member.id.clone());
    let available =
        view.facts.db_cluster(&fact).is_some_and(|cluster| cluster.status.as_str() == "available");
    available && view.is_fresh(&fact) && view.facts.error(&fact).is_none() && writer.state.failover.is_none()
}

/// What becomes of the database: as asked; else it is left where the writer is elsewhere, switched over where nothing
/// can be lost, and asked about otherwise.
fn choice(view: &View<'_>, region: &Region, params: &Params) -> Result<DatabaseChoice, PlanError> {
    let affected: Vec<&AuroraGlobal> = affected(view, region).collect();
    match params.database {
        Some(DatabaseChoice::Leave) => return Ok(DatabaseChoice::Leave),
        Some(choice) if affected.is_empty() => {
            return Err(PlanError::Params(nothing_to_do(region, choice).into()));
        }
        Some(choice) => return Ok(choice),
        None if affected.is_empty() => return Ok(DatabaseChoice::Leave),
        None => {}
    }
    if affected.iter().all(|global| answers(view, region, global)) {
        return Ok(DatabaseChoice::Switchover);
    }
    let mut question = String::new();
    let mut best = Vec::new();
    // Where the writer may be alive, here or elsewhere, a promotion would lose data for nothing.
    let known = affected.iter().all(|global| view.writer(global).is_some());
    let life = if known { signals::of_life(view, region) } else { Vec::new() };
    let alive = !life.is_empty();
    for global in affected {
        let writes = match view.writer(global) {
            Some(_) if alive => {
                format!("{} writes in {region}, where RDS does not call it available now", global.id)
            }
            Some(_) => format!("{} writes in {region}, which does not answer as available", global.id),
            None => format!("where {} writes is not known", global.id),
        };
        let candidates = view.candidates(global, region);
        let lags = words::list(candidates.iter().map(|candidate| lag_words(view, candidate)));
        question = format!("{question}{writes}; {lags}. ");
        best.push(lag_words(view, &promotion::target(view, global, region, params)?));
    }
    if alive {
        question = format!("{question}But {region} looks alive: {}. ", words::list(&life));
    }
    let named = |choice: DatabaseChoice, words: String| (Text::from(choice.word()), Text::from(words));
    let leave = if alive {
        format!(
            "nothing is lost: users move now, and writes go on to {region} as long as the writer lives; decide later"
        )
    } else {
        "nothing is lost: move users now and decide later; where the primary is down, writes fail until then"
            .into()
    };
    let mut choices = vec![named(DatabaseChoice::Leave, leave)];
    if known {
        let words = "nothing is lost, but it cannot complete before the primary answers again";
        choices.push(named(DatabaseChoice::Switchover, words.into()));
    }
    let why_not = if alive { format!(", though {region} looks alive") } else { String::new() };
    choices.push(named(
        DatabaseChoice::Failover,
        format!("promote {}; writes that have not reached it are lost{why_not}", words::list(best)),
    ));
    choices.push(named(
        DatabaseChoice::Detach,
        "the last resort, when failover is refused: the survivor leaves the global cluster for good".into(),
    ));
    let proposed = if known && !alive { DatabaseChoice::Failover } else { DatabaseChoice::Leave };
    Err(PlanError::Choose {
        question: question.trim_end_matches([' ', '.']).into(),
        flag: "--database",
        choices,
        proposed: Some(proposed.word().into()),
    })
}

/// What is done to measure the loss, since it leaves marks; `None` where the topology wants none.
fn marks(topology: &Topology) -> Option<Text> {
    let write = topology.synthetic.write.as_ref()?;
    let read = write.read_back.as_ref().filter(|path| path.contains(TOKEN))?;
    let (every, settle) = (MARK_EVERY.as_secs(), SETTLE.as_secs());
    let words = format!(
        "until the promotion is proven our own {} {} is sent every {every} s; which of them {read} shows afterwards \
         measures what was lost; while it is accepted the promotion waits {settle} s for it to come over",
        write.method, write.path
    );
    Some(words.into())
}

/// A plan in the making.
#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    shape: Vec<Fact>,
    findings: Vec<GuardFinding>,
    irreversible: Vec<Text>,
    notes: Vec<Text>,
}

impl Draft {
    fn signals(&mut self, view: &View<'_>, region: &Region, params: &Params) {
        let signals = signals::against(view, region, params);
        if signals.len() < ENOUGH_SIGNALS {
            let told = if signals.is_empty() { "none".to_owned() } else { words::list(&signals) };
            let message = format!("fewer than two signals speak against {region}: {told}");
            self.findings.push(GuardFinding::warn(GuardId::Runbook, message).next(
                "suspect our own network and credentials first; a declaration with a reason counts as one",
            ));
        }
        self.notes.extend(signals.into_iter().map(|signal| Text::from(format!("signal: {signal}"))));
        if view.our_network_is_down() {
            let message =
                "our request to the control host outside AWS fails too: this may be our own network";
            self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
        }
    }

    /// The steps that move writers. They wait for nothing, and nothing that moves users waits for them.
    fn database<'v>(
        &mut self,
        view: &'v View<'_>,
        region: &'v Region,
        params: &Params,
        choice: DatabaseChoice,
    ) -> Result<Vec<(Move<'v>, StepId)>, PlanError> {
        let mut moves = Vec::new();
        for global in &view.topology.aurora {
            if let Some(writer) = view.writer(global).filter(|writer| &writer.member.region != region) {
                self.notes
                    .push(format!("{} writes in {}: it is left", global.id, writer.member.region).into());
            }
        }
        for global in affected(view, region) {
            if let Some(member) = global.members.iter().find(|member| &member.region != region) {
                self.shape.push(Fact::GlobalCluster(member.region.clone(), global.id.clone()));
            }
            if choice == DatabaseChoice::Leave {
                self.notes.push(
                    format!("{} keeps its writer in {region}: writes fail while it is down", global.id)
                        .into(),
                );
                continue;
            }
            let to = promotion::target(view, global, region, params)?;
            let step = match choice {
                DatabaseChoice::Leave => continue,
                DatabaseChoice::Switchover => {
                    let Some(writer) = view.writer(global) else {
                        let message =
                            format!("where {} writes is not known: it cannot be switched over", global.id);
                        return Err(PlanError::Impossible(message.into()));
                    };
                    if !answers(view, region, global) {
                        let message = format!(
                            "{}: a switchover cannot complete against a primary that is dead",
                            global.id
                        );
                        self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                    }
                    promotion::switchover(view, global, writer.member, &to, false)
                }
                DatabaseChoice::Failover => promotion::failover(view, global, region, &to),
                DatabaseChoice::Detach => promotion::detach(global, &to),
            };
            let planned = choice == DatabaseChoice::Switchover;
            if !planned {
                let life = signals::of_life(view, region);
                if view.writer(global).is_some() && !life.is_empty() {
                    let message = format!(
                        "{} is promoted away from {region}, which looks alive: {}",
                        global.id,
                        words::list(&life)
                    );
                    let next =
                        "leave the database, or switch it over once RDS answers there: that loses nothing";
                    self.findings.push(GuardFinding::warn(GuardId::Runbook, message).next(next));
                }
                let detach = choice == DatabaseChoice::Detach;
                let lost = promotion::lost(view, global, region, &to, detach);
                self.irreversible.extend(lost.into_iter().map(Text::from));
                if to.liveness == Liveness::Dead {
                    let message = format!(
                        "{} is dead by its targets and our own request: {} may not be promoted there",
                        to.member.region, to.member.id
                    );
                    self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                }
                if let Some(cluster) = to.cluster.filter(|cluster| cluster.status.as_str() != "available") {
                    let message = format!("{} is {}, not available", to.member.id, cluster.status);
                    self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                }
                if to.cluster.is_some_and(|cluster| cluster.instances == 0) {
                    let message =
                        format!("{} has no instance: it cannot be promoted in minutes", to.member.id);
                    self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                }
            }
            let id = step.id.clone();
            self.steps.push(step);
            moves.push((Move { global: global.id.clone(), to, planned }, id));
        }
        Ok(moves)
    }

    /// New deployments of the services that were named, only while our own request still fails.
    fn redeploy(
        &mut self,
        view: &View<'_>,
        region: &Region,
        survivors: &[Region],
        params: &Params,
        after: &[StepId],
        names: &[HostName],
    ) -> Result<(), PlanError> {
        for name in &params.redeploy {
            let known =
                survivors.iter().flat_map(|region| view.services(region)).any(|s| called(&s.key, name));
            if !known {
                let message = format!("no survivor runs a service {name} that could be deployed anew");
                return Err(PlanError::Params(message.into()));
            }
        }
        let calls = self.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls);
        let promoted: Vec<GlobalClusterId> = calls
            .filter_map(|call| match call {
                Operation::FailoverGlobalCluster { global, .. } => Some(global.clone()),
                _ => None,
            })
            .collect();
        let mut offered = Vec::new();
        for survivor in survivors {
            for service in view.services(survivor) {
                let key = &service.key;
                if !params.redeploy.iter().any(|name| called(key, name)) {
                    if service.uses_database && !offered.contains(&key) {
                        offered.push(key);
                    }
                    continue;
                }
                let needed = view.facts.dependencies(&Fact::Dependencies(survivor.clone(), key.clone()));
                if needed.is_some_and(|needed| needed.iter().any(|one| one.region.as_ref() == Some(region))) {
                    let message = format!(
                        "{key} in {survivor} is not deployed anew: what it starts from lies in {region}"
                    );
                    self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                    continue;
                }
                let call = Operation::Redeploy { region: survivor.clone(), service: key.clone() };
                // Where the topology names a write, it is writes that decide; a page may well be answered without.
                let writes = view.topology.synthetic.write.is_some();
                let synthetic = names.iter().map(|name| {
                    let name = name.clone();
                    if writes { Condition::SyntheticWrite { name } } else { Condition::Synthetic { name } }
                });
                let verify = Condition::All { of: synthetic.collect() };
                let title = format!("deploy {key} in {survivor} anew, unless our request succeeds");
                let id = format!("redeploy/{survivor}/{key}");
                let step = Step::act(id, title, vec![call], Vec::new(), verify, Duration::from_mins(10));
                // Clients find the writer by its new name within a minute, or soon after RDS says that it moved; only who
                // does not is started anew.
                let elapsed =
                    Condition::Elapsed { span: FOUND, name: "time for the writer's name to move".into() };
                let told = promoted
                    .iter()
                    .map(|global| Condition::EndpointMoved { global: global.clone(), settled: LOOKED_UP });
                let moved = if promoted.is_empty() {
                    elapsed
                } else {
                    Condition::Any { of: vec![Condition::All { of: told.collect() }, elapsed] }
                };
                self.steps.push(step.at(survivor).when(moved).after(after.iter().cloned()).passing());
            }
        }
        if !offered.is_empty() && self.steps.iter().any(|step| step.id.as_str().starts_with("promote/")) {
            let offered = words::list(offered);
            let line =
                format!("should writes still fail once the writer's name has moved: --redeploy {offered}");
            self.notes.push(line.into());
        }
        Ok(())
    }
}
