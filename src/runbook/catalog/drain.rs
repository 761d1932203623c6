//! drain: a planned evacuation, in which nobody notices anything.
//!
//! What it is for: survivors first proven alive and grown, the writer moved while both sides are well, users moved last,
//! and the proof that they are gone; `--now` moves users first, for a region that is ill but answers.
//! What it must not do: lose data, or begin while a survivor is not proven.

use std::time::Duration;

use jiff::Timestamp;

use super::switchover::preconditions::{self, Wanted, blue_green};
use super::{PlanError, Runbook, RunbookSpec, Situation, promotion};
use crate::domain::Topology;
use crate::domain::evacuation::OnEvacuate;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::evacuation::{self, Evacuation, asked, held_at_zero};
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::guards::{self, Move, Subject};
use crate::runbook::operation::{Operation, Suspended};
use crate::runbook::params::Params;
use crate::runbook::plan::{Plan, Step, StepId};
use crate::runbook::situation::{View, groups_of, lent_words, words};

/// What it is.
pub static SPEC: RunbookSpec = RunbookSpec {
    id: "drain",
    title: "Drain a region",
    doc: "Takes a healthy region out of service: survivors are proven alive and grow to the need, the database's writer \
          moves away without loss, every public name leaves the region, and the run waits until hardly a request arrives \
          there. With --now users move first, for a region that is ill but answers. With --scale-to-zero its tasks stop \
          at the end.",
    key: 'D',
    emergency: false,
    needs_region: true,
    options: &["region", "to", "now", "scale-to-zero"],
};

/// How long one way out of DNS is tried before the next.
const PATIENCE: Duration = Duration::from_mins(1);
/// How long taking a region out of DNS may take over all ways.
const PIN: Duration = Duration::from_mins(10);
/// How long tasks may take to end.
const STOP: Duration = Duration::from_mins(10);

/// The runbook.
pub struct Drain;

impl Runbook for Drain {
    fn spec(&self) -> &'static RunbookSpec {
        &SPEC
    }

    fn wants(&self, topology: &Topology, params: &Params) -> Vec<Fact> {
        let demanded = topology.aurora.iter().flat_map(preconditions::facts);
        asked::facts(topology, params).into_iter().chain(demanded).collect()
    }

    fn confirmed_by(
        &self,
        topology: &Topology,
        params: &Params,
        _: Timestamp,
    ) -> Result<Vec<Text>, PlanError> {
        Ok(vec![asked::region(topology, params)?.as_str().into()])
    }

    fn plan(&self, situation: &Situation<'_>, params: &Params) -> Result<Plan, PlanError> {
        let view = situation.view();
        let region = asked::region(view.topology, params)?;
        let survivors = view.survivors(&region);
        let needs = view.needs(&region, &survivors);
        let evacuation = evacuation::ways(&view, &region, PATIENCE);
        if evacuation.ways.is_empty() && !evacuation.names.is_empty() {
            let why = words::list(&evacuation.uncovered);
            return Err(PlanError::Impossible(
                format!("no wired method takes {region} out of DNS: {why}").into(),
            ));
        }
        let mut draft = Draft::default();
        draft.notes.extend(evacuation.notes.iter().cloned());
        draft.shape.extend(evacuation.shaped_by.iter().cloned());
        draft.uncovered(&evacuation);
        let alive = if params.now { Vec::new() } else { draft.alive(&view, &survivors) };
        let pinned = evacuation::pin(&region, evacuation.clone(), PIN);
        let pin_id = pinned.as_ref().map(|step| step.id.clone());
        // Hours may lie between the proof and the last task: whoever let users back meanwhile keeps their tasks.
        let out = match &pinned {
            Some(step) => step.verify.clone(),
            None => evacuation::unvisited(view.topology, &view.facts, &region),
        };
        let takes_over = survivors.iter().map(|survivor| Condition::Alive {
            region: survivor.clone(),
            groups: groups_of(view.topology, survivor),
        });
        let mut pinned = pinned.map(|step| step.when(Condition::Any { of: takes_over.collect() }));

        if let Some(step) = pinned.take_if(|_| params.now) {
            draft.steps.push(step);
        }
        let before = |survivor: &Region| -> Vec<StepId> {
            alive.iter().filter(|(region, _)| region == survivor).map(|(_, id)| id.clone()).collect()
        };
        let grown = evacuation::prescale(&needs, &before, false);
        for need in &needs {
            draft.shape.push(Fact::Service(need.region.clone(), need.service.clone()));
            draft.shape.push(Fact::Scaling(need.region.clone(), need.service.clone()));
        }
        draft.notes.extend(lent_words(&needs));
        draft.notes.extend(grown.notes);
        draft.steps.extend(grown.steps);
        let ready: Vec<StepId> = alive.into_iter().map(|(_, id)| id).chain(grown.done).collect();

        let first = if params.now { pin_id.iter().cloned().collect() } else { ready.clone() };
        let (moves, switched) = draft.switchovers(&view, &region, params, &first)?;
        if let Some(step) = pinned {
            draft.steps.push(step.after(ready.into_iter().chain(switched.iter().cloned())));
        }
        let mut gone = switched;
        if let Some(pin) = &pin_id {
            let proof = evacuation::proof(&view, &region, &evacuation.names, pin, false);
            draft.steps.extend(proof.steps);
            draft.notes.extend(proof.notes);
            draft.findings.extend(proof.findings);
            gone.extend(proof.done.clone());
            // Users are elsewhere: their writes must work there before anything here is stopped.
            let wrote = evacuation::written(view.topology, &evacuation.names, &gone);
            gone.extend(wrote.iter().map(|step| step.id.clone()));
            draft.steps.extend(wrote);
        } else if evacuation.uncovered.is_empty() {
            draft.notes.push(format!("no public record leads to {region}: it is out of DNS already").into());
        }
        if params.scale_to_zero {
            draft.stop(&view, &region, &gone, &out);
        }
        if situation.peaks.tasks.is_empty() {
            draft.notes.push("no peaks of the last 14 days are saved: the need is what is wanted now".into());
        }

        let shaped_by = guards::shaped_by(&view, draft.shape);
        let subject = Subject {
            spec: &SPEC,
            region: Some(&region),
            evacuates: true,
            dark: false,
            survivors: &survivors,
            needs: &needs,
            moves: &moves,
            steps: &draft.steps,
            shaped_by: &shaped_by,
        };
        let mut findings = guards::examine(&view, &subject);
        findings.extend(draft.findings);
        let how = if params.now {
            "users first, then capacity and data"
        } else {
            "capacity and data first, then users"
        };
        Ok(Plan {
            runbook: SPEC.id.into(),
            application: view.topology.application.clone(),
            params: params.clone(),
            confirm: region.as_str().into(),
            made_at: situation.now,
            summary: format!("drain {region} into {}: {how}", words::list(&survivors)).into(),
            steps: draft.steps,
            findings,
            data_at_risk: guards::at_risk(&view, &region),
            irreversible: Vec::new(),
            notes: draft.notes,
            shaped_by,
        })
    }
}

/// A plan in the making.
#[derive(Default)]
struct Draft {
    steps: Vec<Step>,
    shape: Vec<Fact>,
    findings: Vec<GuardFinding>,
    notes: Vec<Text>,
}

impl Draft {
    fn uncovered(&mut self, evacuation: &Evacuation) {
        for line in &evacuation.uncovered {
            let message = format!("its users stay: {line}");
            self.findings.push(GuardFinding::block(GuardId::Runbook, false, message));
        }
    }

    /// Every survivor alive without a break for the policy's time.
    fn alive(&mut self, view: &View<'_>, survivors: &[Region]) -> Vec<(Region, StepId)> {
        let span = Duration::from_secs(view.topology.policy.survivors_healthy_minutes.saturating_mul(60));
        let mut ids = Vec::new();
        for survivor in survivors {
            let groups = groups_of(view.topology, survivor);
            let until = Condition::AliveFor { region: survivor.clone(), groups, span };
            let title = format!("{survivor} is alive for {}", words::span(span));
            let timeout = span.saturating_mul(2) + Duration::from_mins(2);
            let step =
                Step::wait(format!("alive/{survivor}"), title, until, timeout).at(survivor).usually(span);
            ids.push((survivor.clone(), step.id.clone()));
            self.steps.push(step);
        }
        ids
    }

    /// Moves every writer that is in the region, after `first`.
    fn switchovers<'v>(
        &mut self,
        view: &'v View<'_>,
        region: &Region,
        params: &Params,
        first: &[StepId],
    ) -> Result<(Vec<Move<'v>>, Vec<StepId>), PlanError> {
        let (mut moves, mut ids) = (Vec::new(), Vec::new());
        for global in &view.topology.aurora {
            let here = global.members.iter().any(|member| &member.region == region);
            let Some(writer) = view.writer(global) else {
                if here {
                    let message = format!("where the writer of {} is was never read", global.id);
                    self.findings.push(GuardFinding::block(GuardId::Runbook, false, message));
                }
                continue;
            };
            if let Some(member) = global.members.first() {
                self.shape.push(Fact::GlobalCluster(member.region.clone(), global.id.clone()));
            }
            if &writer.member.region != region {
                continue;
            }
            let to = promotion::target(view, global, region, params)?;
            let wanted = Wanted { global, state: writer.state, from: writer.member, to: to.member };
            self.findings.extend(preconditions::examine(&view.facts, wanted));
            self.shape.extend([writer.member, to.member].map(|member| blue_green(global, member)));
            self.shape.push(Fact::DbCluster(to.member.region.clone(), to.member.id.clone()));
            let step =
                promotion::switchover(view, global, writer.member, &to, true).after(first.iter().cloned());
            let step = step.also_when(preconditions::conditions(&view.facts, wanted));
            ids.push(step.id.clone());
            self.steps.push(step);
            moves.push(Move { global: global.id.clone(), to, planned: true });
        }
        Ok((moves, ids))
    }

    /// Stops what may stop: limits to zero and everything suspended first, or auto scaling starts it again.
    /// Only while `out` holds: the pin is as it was proven, or nobody comes.
    fn stop(&mut self, view: &View<'_>, region: &Region, gone: &[StepId], out: &Condition) {
        for service in view.services(region) {
            let key = &service.key;
            if service.on_evacuate == OnEvacuate::Keep {
                self.notes.push(format!("{key} in {region} goes on (on_evacuate = keep)").into());
                continue;
            }
            let facts =
                [Fact::Service(region.clone(), key.clone()), Fact::Scaling(region.clone(), key.clone())];
            let desired = view.facts.service(&facts[0]).map(|state| state.desired);
            let scaling = view.facts.scaling(&facts[1]).cloned();
            self.shape.extend(facts);
            let (Some(desired), Some(scaling)) = (desired, scaling.or((!service.scalable).then_some(None)))
            else {
                let message = format!("{key} in {region} was never read: it is not stopped");
                self.findings.push(GuardFinding::warn(GuardId::Runbook, message));
                continue;
            };
            let mut after = gone.to_vec();
            if let Some(saved) = scaling {
                let (suspend, release) = held_at_zero(region, key, Some(&saved), true);
                let held = Condition::Scaling {
                    region: region.clone(),
                    service: key.clone(),
                    min: 0,
                    max: Some(saved.max),
                    at_least: false,
                    suspended: Some(Suspended::ALL),
                };
                let title = format!("auto scaling leaves {key} in {region} alone");
                let id = format!("suspend/{region}/{key}");
                let undo = release.into_iter().collect();
                let step = Step::act(id, title, vec![suspend], undo, held, Duration::from_mins(2));
                let step = step.at(region).when(out.clone()).after(after);
                let step = step.changing(format!("min {} -> 0, scaling suspended", saved.min));
                after = vec![step.id.clone()];
                self.steps.push(step);
            }
            let set =
                |desired| Operation::SetDesired { region: region.clone(), service: key.clone(), desired };
            let stopped = Condition::Stopped { region: region.clone(), service: key.clone() };
            let zero = Condition::Desired {
                region: region.clone(),
                service: key.clone(),
                tasks: 0,
                at_least: false,
            };
            let stopped = Condition::All { of: vec![zero, stopped] };
            let title = format!("stop {key} in {region}");
            let step = Step::act(
                format!("stop/{region}/{key}"),
                title,
                vec![set(0)],
                vec![set(desired)],
                stopped,
                STOP,
            );
            let step = step.at(region).when(out.clone()).after(after).usually(Duration::from_mins(6));
            self.steps.push(step.changing(format!("desired {desired} -> 0")));
        }
    }
}
