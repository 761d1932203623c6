//! Decisions of the operator about a run that waits.
//!
//! What it is for: retry, skip, undo of one step or of all, hand over and abort, each carried out and recorded; and which
//! step a decision is about, in this process or in one that takes the run up.
//! What it must not do: go on by itself after one step was undone. The run waits again, and an undone step is neither done
//! again nor gone past until the operator says which.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use super::run::Board;
use super::step::Settled;
use super::{Context, Decided, Decisions, Ending, Stop};
use crate::domain::text::Text;
use crate::runbook::event::{Decision, Entry, Event, Outcome};
use crate::runbook::plan::{Plan, Step, StepId};
use crate::runbook::state::{StepState, states};
use crate::runbook::undo::{UNDO, undoable, ways};

impl Context {
    /// Carries a decision out, about the step that the run waits at. `None`: go on.
    pub(super) async fn decide(
        &self,
        board: &mut Board,
        decision: Decision,
        asked: Option<StepId>,
    ) -> Option<Ending> {
        match decision {
            Decision::Retry => board.answered(asked.as_ref()),
            Decision::Skip { reason } => {
                board.answered(asked.as_ref());
                if let Some(step) = asked {
                    board.settled.insert(step.clone());
                    self.tell_durably(Event::StepSkipped { step, reason }).await;
                }
            }
            Decision::HandOver => {
                return Some(Ending { outcome: Outcome::Halted, why: "handed over".into() });
            }
            Decision::Abort { .. } => {
                self.aborted.store(true, Ordering::SeqCst);
                return Some(stopped(&Stop::Aborted));
            }
            Decision::Undo { step: Some(step), .. } => {
                board.asks = true;
                self.undo_one(board, &step).await;
            }
            Decision::Undo { step: None, .. } => return Some(self.undo_all().await),
        }
        None
    }

    /// Does some work of a decision, and hears an abort meanwhile.
    pub(super) async fn heeding<T>(&self, decisions: &mut Decisions, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        let mut listening = true;
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                decision = decisions.recv(), if listening => listening = self.hear(decision).await,
            }
        }
    }

    /// Hears what is said while something goes on: an abort stops what comes next. False once nobody can say anything.
    pub(super) async fn hear(&self, said: Option<Decided>) -> bool {
        match said {
            Some((Decision::Abort { reason }, by)) => {
                self.aborted.store(true, Ordering::SeqCst);
                self.tell(Event::Decided { decision: Decision::Abort { reason }, by }).await;
            }
            // Whoever would have answered at the next halt has gone.
            Some((Decision::HandOver, _)) => self.attended.store(false, Ordering::SeqCst),
            // Other decisions are answers to a halt; while something goes on there is nothing to answer.
            Some(_) => {}
            None => return false,
        }
        true
    }

    /// Says that the run waits, and what it leaves.
    pub(super) async fn halted(&self, board: &Board, why: Text, failed: Option<StepId>) {
        let begun = |id: &StepId| {
            board.settled.contains(id)
                || board.undone.contains(id)
                || board.failed.iter().any(|(failed, _)| failed == id)
        };
        let not_run =
            self.setup.plan.steps.iter().map(|step| step.id.clone()).filter(|id| !begun(id)).collect();
        let undoable = undoable(&self.setup.plan, &self.used());
        self.tell_durably(Event::Halted { why, done: board.done.clone(), undoable, not_run, failed }).await;
    }

    /// Undoes one step. Whatever becomes of it, the run waits afterwards.
    async fn undo_one(&self, board: &mut Board, id: &StepId) {
        let used = self.used();
        let plan = &self.setup.plan;
        let step = plan.step(id).filter(|_| undoable(plan, &used).contains(id));
        let (Some(step), Some(ways)) = (step, used.get(id)) else {
            let words = format!(
                "\"{}\" was not undone: this run changed nothing by it that can be brought back",
                self.title(id)
            );
            return self.tell(Event::Noted { words: words.into() }).await;
        };
        match self.undo(step, ways).await {
            Settled::Done => {
                board.takes_back(id);
                board.undone.push(id.clone());
                self.note_dependents(board, id).await;
                proven_no_more(plan, id).for_each(|proof| board.no_longer(proof));
            }
            Settled::Failed(why) if self.may_have_undone(id) => {
                let why: Text = format!("its undo failed half-way: {why}").into();
                let event = Event::StepFailed { step: id.clone(), why: why.clone(), passed: false };
                self.tell_durably(event).await;
                board.takes_back(id);
                board.failed.push((id.clone(), why));
            }
            Settled::Failed(why) => {
                let words = format!("\"{}\" was not undone, and nothing was changed: {why}", step.title);
                self.tell(Event::Noted { words: words.into() }).await;
            }
            Settled::Stopped(_) => {}
        }
    }

    /// Names what was done after a step that is undone now: it stays as it is.
    async fn note_dependents(&self, board: &Board, id: &StepId) {
        let dependents = self.setup.plan.dependents(id);
        let done: Vec<&str> = dependents
            .iter()
            .filter(|step| board.settled.contains(&step.id) && !step.ways.is_empty())
            .map(|step| step.title.as_str())
            .collect();
        if !done.is_empty() {
            let words = format!(
                "\"{}\" is undone; done after it, and left as they are: {}",
                self.title(id),
                done.join("; ")
            );
            self.tell(Event::Noted { words: words.into() }).await;
        }
    }

    /// True when a call of this step's undo was sent by this process and not definitely refused.
    fn may_have_undone(&self, id: &StepId) -> bool {
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        doubtful.iter().any(|(step, _, call)| step == id && *call >= UNDO)
    }

    /// Undoes what was sent, the last step of the plan first. What has no undo is named, never called undone.
    async fn undo_all(&self) -> Ending {
        let used = self.used();
        let undoable = undoable(&self.setup.plan, &used);
        let lasting = |step: &&Step| used.contains_key(&step.id) && !undoable.contains(&step.id);
        let lasting: Vec<&str> =
            self.setup.plan.steps.iter().rev().filter(lasting).map(|step| step.title.as_str()).collect();
        for id in &undoable {
            let (Some(step), Some(ways)) = (self.setup.plan.step(id), used.get(id)) else { continue };
            match self.undo(step, ways).await {
                Settled::Done => {}
                Settled::Failed(why) => {
                    let why: Text = format!("the undo of \"{}\" failed: {why}", step.title).into();
                    let event = Event::StepFailed { step: id.clone(), why: why.clone(), passed: false };
                    self.tell_durably(event).await;
                    return Ending { outcome: Outcome::Halted, why };
                }
                Settled::Stopped(stop) => {
                    let ending = stopped(&stop);
                    let why = format!(
                        "{}; the undo of \"{}\" and of what came before it is not done",
                        ending.why, step.title
                    );
                    return Ending { why: why.into(), ..ending };
                }
            }
        }
        let why = if lasting.is_empty() {
            "everything that was done is undone".into()
        } else {
            format!("what can be undone is undone; this stays as it is: {}", lasting.join("; ")).into()
        };
        Ending { outcome: Outcome::Undone, why }
    }

    /// Ways of which a call may have taken effect and that were not undone since, in this process or before, by step.
    fn used(&self) -> BTreeMap<StepId, Vec<usize>> {
        ways(&self.sent.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The end of a run that sends nothing any more.
pub(super) fn stopped(stop: &Stop) -> Ending {
    match stop {
        Stop::Aborted => Ending { outcome: Outcome::Aborted, why: "stopped on the operator's word".into() },
        Stop::Superseded => {
            let why = "another run has the lease now; nothing more was sent".into();
            Ending { outcome: Outcome::Superseded, why }
        }
    }
}

impl Board {
    /// The operator has answered for this step: it may be tried, or was gone past.
    fn answered(&mut self, step: Option<&StepId>) {
        self.asks = false;
        self.failed.retain(|(known, _)| Some(known) != step);
        self.undone.retain(|known| Some(known) != step);
    }

    /// What was proven is to be proven again; what the operator skipped stays skipped.
    fn no_longer(&mut self, id: &StepId) {
        if self.done.contains(id) {
            self.done.retain(|known| known != id);
            self.settled.remove(id);
        }
    }

    /// A step is not done any more.
    fn takes_back(&mut self, id: &StepId) {
        self.settled.remove(id);
        self.done.retain(|known| known != id);
        self.failed.retain(|(known, _)| known != id);
        self.undone.retain(|known| known != id);
    }
}

/// Steps after `id` that only wait: what they proved rested on it.
fn proven_no_more<'a>(plan: &'a Plan, id: &StepId) -> impl Iterator<Item = &'a StepId> + use<'a> {
    plan.dependents(id).into_iter().filter(|step| step.ways.is_empty()).map(|step| &step.id)
}

/// Where the steps of a plan stand after what was told; what was proven on the strength of a step that was undone since is
/// not begun.
pub(super) fn standing(plan: &Plan, told: &[Entry]) -> BTreeMap<StepId, StepState> {
    let mut standing: BTreeMap<StepId, StepState> = BTreeMap::new();
    for (step, state) in told.iter().filter_map(|entry| entry.event.turns()) {
        standing.insert(step.clone(), state);
        if state == StepState::Undone {
            for proof in proven_no_more(plan, step) {
                if matches!(standing.get(proof), Some(StepState::Done | StepState::Held)) {
                    standing.remove(proof);
                }
            }
        }
    }
    standing
}

/// The steps that had failed when a run was left, as its record tells, in the order in which they did.
pub fn failed_steps(told: &[Entry]) -> Vec<StepId> {
    left_as(told, StepState::Failed)
}

/// The steps that were undone and neither done again nor skipped, in the order in which they were.
pub fn undone_steps(told: &[Entry]) -> Vec<StepId> {
    left_as(told, StepState::Undone)
}

/// The step that retry and skip are about in a run that was left: the one that it said it waits at, or else the first
/// that failed, or else the first that was undone.
pub fn asked_about(told: &[Entry]) -> Option<StepId> {
    let open: Vec<StepId> = failed_steps(told).into_iter().chain(undone_steps(told)).collect();
    let halt = told.iter().rev().find_map(|entry| match &entry.event {
        Event::Halted { failed, .. } => Some(failed.clone()),
        _ => None,
    });
    halt.flatten().filter(|step| open.contains(step)).or_else(|| open.first().cloned())
}

/// The steps that stand so after all that was told, in the order in which they came to.
fn left_as(told: &[Entry], wanted: StepState) -> Vec<StepId> {
    let last = states(told);
    let mut left: Vec<StepId> = Vec::new();
    for (step, state) in told.iter().filter_map(|entry| entry.event.turns()) {
        if state == wanted && last.get(step) == Some(&wanted) && !left.contains(step) {
            left.push(step.clone());
        }
    }
    left
}
