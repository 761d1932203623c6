//! A run as its events tell it.
//!
//! What it is for: folding [`Entry`]s, live or from a journal, into what is shown of a run: the run view, the
//! banner, `runs show` and `runs attach` all read this one state.
//! What it must not do: read a clock, ask, or guess what no event has told.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::estimate::{self, Estimate, Spent};
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::undo::{UNDO, Undoing};
use crate::runbook::{
    ActFailure, Decision, Entry, Event, Judgement, LeaseOutcome, Opening, Operation, Outcome, Plan,
    RecoveryPoint, Step, StepId, StepState,
};

/// Notes, decisions and damage that are kept.
const NOTES: usize = 50;

/// A run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct RunState {
    /// Who began it, where and why; the last to take it up again.
    pub opening: Option<Opening>,
    /// Its plan.
    pub plan: Option<Arc<Plan>>,
    /// Its steps, in the order of the plan.
    pub steps: Vec<RunStep>,
    /// What became of the lease.
    pub lease: Option<LeaseOutcome>,
    /// Where it stands.
    pub standing: Standing,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When the last event was.
    pub last: Option<Timestamp>,
    /// Decisions, notifications and notes, oldest first.
    pub notes: Vec<(Timestamp, Text)>,
    /// What the timeline shows of it, oldest first.
    pub marks: Vec<StepMark>,
    /// What is known of the data that a promotion lost.
    pub point: Option<RecoveryPoint>,
    /// What must not be overlooked: two databases may take writes, or nobody knows.
    pub alarms: Vec<Text>,
    /// The number of the next entry that is new.
    next: u64,
}

/// Where a run stands.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Standing {
    /// Steps are carried out.
    #[default]
    Running,
    /// Steps are undone on the operator's word.
    Undoing,
    /// It was told to stop and has not said yet that it did.
    Stopping,
    /// It waits for the operator.
    Halted(Halt),
    /// It came to its end.
    Ended {
        /// How.
        outcome: Outcome,
        /// Measured recovery time.
        rto: Option<Duration>,
        /// The last lag before the promotion, milliseconds.
        rpo_ms: Option<f64>,
    },
}

/// Why a run waits, and what it leaves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Halt {
    /// Why.
    pub why: Text,
    /// Steps that are done.
    pub done: Vec<StepId>,
    /// Steps that can be undone, the newest first.
    pub undoable: Vec<StepId>,
    /// Steps that were not begun.
    pub not_run: Vec<StepId>,
    /// The step that failed.
    pub failed: Option<StepId>,
}

/// A step of a run.
#[derive(Clone, Debug, PartialEq)]
pub struct RunStep {
    /// Its name.
    pub id: StepId,
    /// What it does.
    pub title: Text,
    /// Where.
    pub region: Option<Region>,
    /// Where it stands.
    pub state: StepState,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it came to its end.
    pub ended: Option<Timestamp>,
    /// Evidence, progress, or why it failed.
    pub words: Text,
    /// How far it is, 0 to 1, where that can be told.
    pub share: Option<f64>,
    /// Which of its ways is tried.
    pub way: usize,
    /// Its calls, oldest first; a call that is sent again is one more.
    pub calls: Vec<CallState>,
    /// From which of its calls on nothing was undone.
    since: usize,
}

/// A call of a step.
#[derive(Clone, Debug, PartialEq)]
pub struct CallState {
    /// Which way it belongs to.
    pub way: usize,
    /// Which call of the way; undo calls count from 1000.
    pub call: usize,
    /// How many times it was sent before.
    pub attempt: u32,
    /// The call.
    pub operation: Operation,
    /// When it was about to be sent.
    pub at: Timestamp,
    /// What became of it.
    pub fate: Fate,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// Written down; no answer is known.
    Sent,
    /// Accepted, with AWS's request id. This proves nothing yet.
    Accepted(Option<Text>),
    /// Not plainly accepted.
    Not(ActFailure),
}

/// A line of a run in the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StepMark {
    /// When.
    pub at: Timestamp,
    /// Where; `None` for the fleet.
    pub region: Option<Region>,
    /// What: `drain us-east-1, step 2/7: take it out of DNS`.
    pub what: Text,
    /// True for failures and halts.
    pub bad: bool,
}

impl RunState {
    /// The state that a journal's entries tell.
    pub fn of<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> Self {
        let mut state = Self::default();
        for entry in entries {
            state.take(entry);
        }
        state
    }

    /// `drain us-east-1`.
    pub fn name(&self) -> String {
        let (runbook, region) = match (&self.opening, &self.plan) {
            (Some(opening), _) => (&opening.runbook, &opening.params.region),
            (None, Some(plan)) => (&plan.runbook, &plan.params.region),
            (None, None) => return "a run".to_owned(),
        };
        match region {
            Some(region) => format!("{runbook} {region}"),
            None => runbook.to_string(),
        }
    }

    /// The region that is acted on.
    pub fn region(&self) -> Option<&Region> {
        self.opening.as_ref()?.params.region.as_ref()
    }

    /// True until it ends.
    pub fn is_live(&self) -> bool {
        !matches!(self.standing, Standing::Ended { .. })
    }

    /// Why it waits, when it does.
    pub fn halt(&self) -> Option<&Halt> {
        match &self.standing {
            Standing::Halted(halt) => Some(halt),
            _ => None,
        }
    }

    /// How far it is: how many steps are proven, of all. What was undone, passed or skipped is not done.
    pub fn progress(&self) -> (usize, usize) {
        let done = |step: &&RunStep| matches!(step.state, StepState::Done | StepState::Held);
        (self.steps.iter().filter(done).count(), self.steps.len())
    }

    /// What a run that is done leaves behind, a line each ([`Plan::leaves`]).
    pub fn leaves(&self) -> &[Text] {
        let done = matches!(self.standing, Standing::Ended { outcome: Outcome::Done, .. });
        self.plan.as_ref().filter(|_| done).map_or(&[], |plan| plan.leaves())
    }

    /// How many steps the run went on without.
    pub fn passed(&self) -> usize {
        let passed = |step: &&RunStep| matches!(step.state, StepState::Passed | StepState::Skipped);
        self.steps.iter().filter(passed).count()
    }

    /// What is left, by what steps usually take.
    pub fn left(&self, now: Timestamp) -> Option<Estimate> {
        let plan = self.plan.as_ref()?;
        Some(estimate::remaining(plan, |id| {
            let step = self.steps.iter().find(|step| &step.id == id);
            match step {
                Some(step) if step.state.is_over() => None,
                Some(step) => Some(Spent {
                    time: step.began.map_or(Duration::ZERO, |began| between(began, now)),
                    least: plan
                        .step(id)
                        .map(|planned| estimate::least(planned, step.share))
                        .unwrap_or_default(),
                }),
                None => Some(Spent::default()),
            }
        }))
    }

    /// A step by its name.
    pub fn step(&self, id: &StepId) -> Option<&RunStep> {
        self.steps.iter().find(|step| &step.id == id)
    }

    /// What the undo of a step would do; `None` when nothing of it can be undone.
    pub fn undoing(&self, step: &StepId) -> Option<Undoing<'_>> {
        Undoing::of(self.plan.as_ref()?, step, &self.step(step)?.used())
    }

    /// Takes one entry. One that was taken already is left out, so that a run may be read from its start again
    /// while it goes on.
    pub fn take(&mut self, entry: &Entry) {
        if entry.seq < self.next {
            return;
        }
        self.next = entry.seq + 1;
        let at = entry.at;
        self.last = Some(at);
        match &entry.event {
            Event::Opened { opening, plan, .. } => {
                self.began = Some(at);
                self.steps = plan.steps.iter().map(RunStep::waiting).collect();
                self.opening = Some((**opening).clone());
                self.plan = Some(Arc::new((**plan).clone()));
                self.mark(at, None, "began", false);
            }
            Event::Resumed { opening, damage } => {
                self.note(at, format!("taken up again by {} on {}", opening.holder, opening.host));
                for words in damage {
                    self.note(at, format!("journal: {words}"));
                }
                self.opening = Some((**opening).clone());
                self.standing = Standing::Running;
                self.mark(at, None, "taken up again", false);
            }
            Event::Lease { outcome } => {
                if let LeaseOutcome::Lost { to } = outcome {
                    self.note(at, format!("the lease is now {}'s on {}", to.claim.holder, to.claim.host));
                }
                self.lease = Some(outcome.clone());
            }
            Event::StepBegan { step } => {
                self.standing = Standing::Running;
                let known = self.touch(step);
                known.state = StepState::UnderWay;
                known.began = Some(at);
                known.ended = None;
                known.share = None;
                known.words = Text::default();
                self.mark(at, Some(step), "", false);
            }
            Event::StepHeld { step, evidence } => {
                let known = self.touch(step);
                known.began.get_or_insert(at);
                known.end(at, StepState::Held, evidence);
                self.mark(at, Some(step), "held already", false);
            }
            Event::Intent { step, way, call, attempt, operation, .. } => {
                let sent = CallState {
                    way: *way,
                    call: *call,
                    attempt: *attempt,
                    operation: (**operation).clone(),
                    at,
                    fate: Fate::Sent,
                };
                let known = self.touch(step);
                if *call < UNDO {
                    known.way = *way;
                }
                known.calls.push(sent);
            }
            Event::Applied { step, way, call, request_id } => {
                self.answer(step, *way, *call, Fate::Accepted(request_id.clone()));
            }
            Event::NotApplied { step, way, call, failure } => {
                self.answer(step, *way, *call, Fate::Not(failure.clone()));
            }
            Event::Progress { step, judgement } => {
                let known = self.touch(step);
                known.words = judgement.words().clone();
                if let Judgement::NotYet { share, .. } = judgement {
                    known.share = *share;
                }
            }
            Event::WayGivenUp { step, way, why } => {
                let known = self.touch(step);
                known.way = way + 1;
                known.words = why.clone();
                let title = known.title.clone();
                self.note(at, format!("{title}: way {} given up: {why}", way + 1));
            }
            Event::StepDone { step, evidence, .. } => {
                self.touch(step).end(at, StepState::Done, evidence);
                self.mark(at, Some(step), "done", false);
            }
            Event::StepFailed { step, why, passed } => {
                let state = if *passed { StepState::Passed } else { StepState::Failed };
                self.touch(step).end(at, state, why);
                self.mark(at, Some(step), if *passed { "failed, passed" } else { "FAILED" }, !passed);
            }
            Event::StepSkipped { step, reason } => {
                self.touch(step).end(at, StepState::Skipped, reason);
                self.mark(at, Some(step), "skipped", false);
            }
            Event::StepUndone { step } => {
                let known = self.touch(step);
                known.end(at, StepState::Undone, &"as it was before".into());
                known.since = known.calls.len();
                self.mark(at, Some(step), "undone", false);
            }
            Event::Halted { why, done, undoable, not_run, failed } => {
                self.standing = Standing::Halted(Halt {
                    why: why.clone(),
                    done: done.clone(),
                    undoable: undoable.clone(),
                    not_run: not_run.clone(),
                    failed: failed.clone(),
                });
                self.mark(at, None, "HALTED", true);
            }
            Event::Decided { decision, by } => {
                self.note(at, format!("{by} decided: {}", decision.words()));
                self.standing = match decision {
                    Decision::Abort { .. } | Decision::HandOver => Standing::Stopping,
                    Decision::Retry | Decision::Skip { .. } => Standing::Running,
                    Decision::Undo { .. } => Standing::Undoing,
                };
            }
            Event::Notified { whom, failure: None } => self.note(at, format!("told {whom}")),
            Event::Notified { whom, failure: Some(why) } => {
                self.note(at, format!("could not tell {whom}: {why}"));
            }
            Event::Unjournaled { why } => self.note(at, format!("goes on without a journal: {why}")),
            // The panes beside the steps show the same, and newer.
            Event::Sampled { .. } | Event::Marked { .. } => {}
            Event::RecoveryPoint { point } => {
                self.point = Some(point.clone());
                self.note(at, format!("recovery point: {}", point.words()));
            }
            Event::Aftermath { aftermath } => {
                let words = aftermath.words();
                if aftermath.is_alarming() {
                    self.alarms.push(words.clone().into());
                    self.mark(at, None, &words, true);
                }
                self.note(at, words);
            }
            Event::Noted { words } => self.note(at, words.to_string()),
            Event::Ended { outcome, rto, rpo_ms } => {
                self.standing = Standing::Ended { outcome: *outcome, rto: *rto, rpo_ms: *rpo_ms };
                self.mark(at, None, &format!("ended: {}", outcome.word()), *outcome != Outcome::Done);
            }
        }
    }

    /// The step with this name; one that the plan does not have is added, so that nothing told is lost.
    fn touch(&mut self, id: &StepId) -> &mut RunStep {
        let at = self.steps.iter().position(|step| &step.id == id).unwrap_or_else(|| {
            self.steps.push(RunStep::unknown(id));
            self.steps.len() - 1
        });
        &mut self.steps[at]
    }

    fn answer(&mut self, step: &StepId, way: usize, call: usize, fate: Fate) {
        let mut calls = self.touch(step).calls.iter_mut().rev();
        if let Some(known) = calls.find(|known| (known.way, known.call) == (way, call)) {
            known.fate = fate;
        }
    }

    fn note(&mut self, at: Timestamp, words: String) {
        self.notes.push((at, words.into()));
        if self.notes.len() > NOTES {
            self.notes.remove(0);
        }
    }

    fn mark(&mut self, at: Timestamp, step: Option<&StepId>, what: &str, bad: bool) {
        let name = self.name();
        let place = step.and_then(|id| self.steps.iter().position(|known| &known.id == id));
        let (region, words) = match place.and_then(|index| Some((index, self.steps.get(index)?))) {
            Some((index, step)) => {
                let (count, title) = (self.steps.len(), &step.title);
                let what = if what.is_empty() { String::new() } else { format!(": {what}") };
                (step.region.clone(), format!("{name} {}/{count} {title}{what}", index + 1))
            }
            None => (None, format!("{name} {what}")),
        };
        let region = region.or_else(|| self.region().cloned());
        self.marks.push(StepMark { at, region, what: words.into(), bad });
    }
}

impl RunStep {
    fn waiting(step: &Step) -> Self {
        Self { title: step.title.clone(), region: step.region.clone(), ..Self::unknown(&step.id) }
    }

    fn unknown(id: &StepId) -> Self {
        Self {
            id: id.clone(),
            title: id.as_str().into(),
            region: None,
            state: StepState::NotBegun,
            began: None,
            ended: None,
            words: Text::default(),
            share: None,
            way: 0,
            calls: Vec::new(),
            since: 0,
        }
    }

    fn end(&mut self, at: Timestamp, state: StepState, words: &Text) {
        self.state = state;
        self.ended = Some(at);
        self.words = words.clone();
        self.share = None;
    }

    /// Its ways of which a call may have taken effect and was not undone since.
    fn used(&self) -> Vec<usize> {
        let acted = |sent: &&CallState| {
            sent.call < UNDO && !matches!(&sent.fate, Fate::Not(failure) if failure.is_definite())
        };
        let mut used = Vec::new();
        for way in self.calls.iter().skip(self.since).filter(acted).map(|sent| sent.way) {
            if !used.contains(&way) {
                used.push(way);
            }
        }
        used
    }

    /// How long it took, or has taken by now.
    pub fn elapsed(&self, now: Timestamp) -> Option<Duration> {
        Some(between(self.began?, self.ended.unwrap_or(now)))
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}
