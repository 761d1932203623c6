//! A run: which steps are ready, what a failure means, and what the operator decides.
//!
//! What it is for: steps whose predecessors are settled run side by side; a failed step halts the run (or is
//! passed), what is done, undoable and not run is told, and a decision goes on from there.
//! What it must not do: unwind by itself. Only the operator's word undoes anything.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::hold::Hold;
use super::step::{Settled, UNDO};
use super::{Context, Decisions, Ending, NotBegun, Setup, Stop};
use crate::domain::ids::Arn;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::event::{Decision, Entry, Event, LeaseOutcome, Outcome};
use crate::runbook::plan::{OnFailure, Step, StepId};
use crate::runbook::situation::words;
use crate::runbook::state::{StepState, states};

/// How long telling people may take at the end of a run.
const NOTIFYING: Duration = Duration::from_secs(5);

type Running<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = (StepId, Settled)> + Send + 'a>>>;

/// What is known of the plan's steps.
#[derive(Default)]
struct Board {
    settled: BTreeSet<StepId>,
    done: Vec<StepId>,
    running: BTreeSet<StepId>,
    failed: Vec<(StepId, Text)>,
}

/// Runs a plan to its end. Dropping the future stops the run before its next call, as a crash would: `resume`
/// goes on from there.
pub async fn run(setup: Setup, decisions: Decisions) -> Result<Ending, NotBegun> {
    let plan = setup.plan.digest();
    if &plan != setup.approval.digest() {
        return Err(NotBegun::OtherPlan {
            confirmed: setup.approval.digest().short().to_owned(),
            plan: plan.short().to_owned(),
        });
    }
    let hold = Hold::new(setup.lease.clone());
    let began = setup.clock.now();
    let sent = setup.told.iter().filter_map(|entry| match &entry.event {
        Event::Intent { step, way, call, .. } => Some((step.clone(), *way, *call)),
        _ => None,
    });
    let context = Context {
        sent: std::sync::Mutex::new(sent.collect()),
        doubtful: std::sync::Mutex::default(),
        proven: std::sync::Mutex::default(),
        lag: std::sync::Mutex::default(),
        marks: std::sync::Mutex::new(super::marking::Marks::told(&setup.plan, &setup.told)),
        began,
        setup,
        aborted: AtomicBool::new(false),
        superseded: AtomicBool::new(false),
        unjournaled: AtomicBool::new(false),
        last_apart: std::sync::atomic::AtomicU64::default(),
        hold,
        alive_since: std::sync::Mutex::default(),
    };
    context.open().await?;
    match context.hold.take(&context.setup).await {
        Ok(outcome) => context.tell(Event::Lease { outcome }).await,
        Err(not_begun) => {
            let words = Event::Noted { words: not_begun.to_string().into() };
            context.tell(words).await;
            // A run that was to be taken up stays where it was left.
            let outcome = if context.setup.told.is_empty() { Outcome::Aborted } else { Outcome::Halted };
            context.tell(Event::Ended { outcome, rto: None, rpo_ms: None }).await;
            return Err(not_begun);
        }
    }
    let ending = context.whole(decisions).await;
    if context.hold.end(context.setup.clock).await {
        context.tell(Event::Lease { outcome: LeaseOutcome::Released }).await;
    }
    Ok(ending)
}

impl Context {
    async fn open(&self) -> Result<(), NotBegun> {
        let setup = &self.setup;
        let opening = Box::new(setup.opening.clone());
        let event = if setup.told.is_empty() {
            Event::Opened { opening, plan: Box::new(setup.plan.clone()), digest: setup.plan.digest() }
        } else {
            Event::Resumed { opening, damage: setup.damage.clone() }
        };
        self.record(event, true).await.map_err(NotBegun::Journal)
    }

    /// Everything between the lease's taking and its return.
    async fn whole(&self, decisions: Decisions) -> Ending {
        let begun = format!(
            "{}: {} begins: {}",
            self.setup.opening.application, self.setup.opening.run, self.setup.plan.summary
        );
        let notify = async {
            self.notify("begins", &begun).await;
            std::future::pending::<()>().await;
        };
        let beat = async {
            let view = self.hold.beat(self.setup.clock).await;
            self.superseded.store(true, Ordering::SeqCst);
            self.tell(Event::Lease { outcome: LeaseOutcome::Lost { to: view } }).await;
            std::future::pending::<()>().await;
        };
        let ending = tokio::select! {
            biased;
            ending = self.steps(decisions) => ending,
            () = beat => unreachable_ending(),
            () = notify => unreachable_ending(),
            () = self.sampling() => unreachable_ending(),
            () = self.marking() => unreachable_ending(),
        };
        self.last_sample().await;
        let point = self.recovery_point().await;
        let (rto, rpo_ms) = self.measures();
        self.tell_durably(Event::Ended { outcome: ending.outcome, rto, rpo_ms }).await;
        let rto = rto.map(|rto| format!("; RTO {}", words::span(rto))).unwrap_or_default();
        let rpo = point.map(|point| format!("; RPO {}", point.words())).unwrap_or_default();
        let words = format!(
            "{}: {} ended: {}{rto}{rpo}",
            self.setup.opening.application, self.setup.opening.run, ending.why
        );
        let telling = self.notify("ended", &words);
        let _ = self.setup.clock.timeout(NOTIFYING, telling).await;
        ending
    }

    async fn tell_durably(&self, event: Event) {
        if let Err(why) = self.record(event, true).await {
            tracing::warn!("the end of the run was not recorded: {why}");
        }
    }

    /// Runs steps until all are settled, or the run is stopped.
    async fn steps(&self, mut decisions: Decisions) -> Ending {
        let mut board = self.told_board().await;
        if let Some((decision, by)) = self.setup.decided.clone() {
            // What had failed when the run was left is what is decided about; it is tried again otherwise.
            let failed =
                failed_steps(&self.setup.told).into_iter().find(|step| !board.settled.contains(step));
            self.tell_durably(Event::Decided { decision: decision.clone(), by }).await;
            if let Some(ending) = self.decide(&mut board, decision, failed).await {
                return ending;
            }
        }
        let mut running: Running<'_> = FuturesUnordered::new();
        let mut listening = true;
        let mut attended = self.setup.attended;
        loop {
            if board.failed.is_empty() && self.may_send().is_ok() {
                for step in self.ready(&board) {
                    board.running.insert(step.id.clone());
                    running.push(Box::pin(async move { (step.id.clone(), self.step(step).await) }));
                }
            }
            if running.is_empty() {
                match self.pause(&mut board, &mut decisions, attended).await {
                    Some(ending) => return ending,
                    None => continue,
                }
            }
            tokio::select! {
                biased;
                decision = decisions.recv(), if listening => match decision {
                    Some((Decision::Abort { reason }, by)) => {
                        self.aborted.store(true, Ordering::SeqCst);
                        self.tell(Event::Decided { decision: Decision::Abort { reason }, by }).await;
                    }
                    // Whoever would have answered at the next halt has gone.
                    Some((Decision::HandOver, _)) => attended = false,
                    // Other decisions are answers to a halt; while steps run there is nothing to answer.
                    Some(_) => {}
                    None => listening = false,
                },
                Some((id, settled)) = running.next() => self.settle(&mut board, id, settled).await,
            }
        }
    }

    async fn settle(&self, board: &mut Board, id: StepId, settled: Settled) {
        board.running.remove(&id);
        match settled {
            Settled::Done => {
                self.mark_proven(&id);
                if self.proves(&id) {
                    let mut proven = self.proven.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                    proven.get_or_insert(self.setup.clock.now());
                }
                board.settled.insert(id.clone());
                board.done.push(id);
            }
            Settled::Failed(why) => {
                let passed = self.setup.plan.step(&id).is_some_and(|step| step.on_failure == OnFailure::Pass);
                let event = Event::StepFailed { step: id.clone(), why: why.clone(), passed };
                self.tell_durably(event).await;
                if passed {
                    board.settled.insert(id);
                } else {
                    board.failed.push((id, why));
                }
            }
            Settled::Stopped(_) => {}
        }
    }

    /// Steps whose predecessors are settled and which are neither settled nor running.
    fn ready<'a>(&'a self, board: &Board) -> Vec<&'a Step> {
        let open = |step: &&Step| {
            !board.settled.contains(&step.id)
                && !board.running.contains(&step.id)
                && step.after.iter().all(|before| board.settled.contains(before))
        };
        self.setup.plan.steps.iter().filter(open).collect()
    }

    /// Nothing runs: the end, a halt, or a stop. `None`: go on.
    async fn pause(&self, board: &mut Board, decisions: &mut Decisions, attended: bool) -> Option<Ending> {
        match self.may_send() {
            Err(Stop::Superseded) => {
                let why = "another run has the lease now; nothing more was sent".into();
                return Some(Ending { outcome: Outcome::Superseded, why });
            }
            Err(Stop::Aborted) => {
                self.halted(board, "stopped on the operator's word".into(), None).await;
                return Some(Ending {
                    outcome: Outcome::Aborted,
                    why: "stopped on the operator's word".into(),
                });
            }
            Ok(()) => {}
        }
        let Some((id, why)) = board.failed.first().cloned() else {
            let steps = self.setup.plan.steps.iter();
            let left: Vec<&str> = steps
                .filter(|step| !board.settled.contains(&step.id))
                .map(|step| step.title.as_str())
                .collect();
            if left.is_empty() {
                return Some(Ending { outcome: Outcome::Done, why: "every step is done".into() });
            }
            // Steps that wait for steps which do not exist: a plan that no catalog makes.
            let why = format!("these steps can never begin: {}", left.join(", "));
            return Some(Ending { outcome: Outcome::Halted, why: why.into() });
        };
        let words: Text = format!("{}: {why}", self.title(&id)).into();
        self.halted(board, words.clone(), Some(id.clone())).await;
        let message =
            format!("{}: {} halted: {words}", self.setup.opening.application, self.setup.opening.run);
        let _ = self.setup.clock.timeout(NOTIFYING, self.notify("halted", &message)).await;
        let halted = Ending { outcome: Outcome::Halted, why: words };
        if !attended {
            return Some(halted);
        }
        let Some((decision, by)) = decisions.recv().await else { return Some(halted) };
        self.tell_durably(Event::Decided { decision: decision.clone(), by }).await;
        if decision == Decision::HandOver {
            return Some(halted);
        }
        self.decide(board, decision, Some(id)).await
    }

    /// Carries a decision about a failed step out. `None`: go on.
    async fn decide(&self, board: &mut Board, decision: Decision, failed: Option<StepId>) -> Option<Ending> {
        match decision {
            Decision::Retry => board.failed.retain(|(known, _)| Some(known) != failed.as_ref()),
            Decision::Skip { reason } => {
                board.failed.retain(|(known, _)| Some(known) != failed.as_ref());
                if let Some(step) = failed {
                    board.settled.insert(step.clone());
                    self.tell_durably(Event::StepSkipped { step, reason }).await;
                }
            }
            Decision::HandOver => {
                return Some(Ending { outcome: Outcome::Halted, why: "handed over".into() });
            }
            Decision::Abort { .. } => {
                self.aborted.store(true, Ordering::SeqCst);
                return Some(Ending {
                    outcome: Outcome::Aborted,
                    why: "stopped on the operator's word".into(),
                });
            }
            Decision::Undo { .. } => return Some(self.undo_all().await),
        }
        None
    }

    /// A step as people call it.
    fn title<'a>(&'a self, id: &'a StepId) -> &'a str {
        self.setup.plan.step(id).map_or(id.as_str(), |step| step.title.as_str())
    }

    async fn halted(&self, board: &Board, why: Text, failed: Option<StepId>) {
        let undoable = self
            .used()
            .into_keys()
            .filter(|id| {
                self.setup.plan.step(id).is_some_and(|step| step.ways.iter().any(|way| !way.undo.is_empty()))
            })
            .collect();
        let begun =
            |id: &StepId| board.settled.contains(id) || board.failed.iter().any(|(failed, _)| failed == id);
        let not_run =
            self.setup.plan.steps.iter().map(|step| step.id.clone()).filter(|id| !begun(id)).collect();
        self.tell_durably(Event::Halted { why, done: board.done.clone(), undoable, not_run, failed }).await;
    }

    /// Undoes what was sent, the last step of the plan first. What has no undo is named, never called undone.
    async fn undo_all(&self) -> Ending {
        let used = self.used();
        let mut lasting: Vec<&str> = Vec::new();
        for step in self.setup.plan.steps.iter().rev() {
            let Some(ways) = used.get(&step.id) else { continue };
            if ways.iter().filter_map(|way| step.ways.get(*way)).all(|way| way.undo.is_empty()) {
                lasting.push(step.title.as_str());
                continue;
            }
            if let Settled::Failed(why) = self.undo(step, ways).await {
                let why: Text = format!("the undo of \"{}\" failed: {why}", step.title).into();
                self.tell_durably(Event::StepFailed {
                    step: step.id.clone(),
                    why: why.clone(),
                    passed: false,
                })
                .await;
                return Ending { outcome: Outcome::Halted, why };
            }
        }
        let why = if lasting.is_empty() {
            "everything that was done is undone".into()
        } else {
            format!("what can be undone is undone; this stays as it is: {}", lasting.join("; ")).into()
        };
        Ending { outcome: Outcome::Undone, why }
    }

    /// Ways of which a call was sent, in this process or before, by step.
    fn used(&self) -> BTreeMap<StepId, Vec<usize>> {
        let mut used: BTreeMap<StepId, Vec<usize>> = BTreeMap::new();
        let sent = self.sent.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (step, way, call) in sent.iter() {
            let ways = used.entry(step.clone()).or_default();
            if *call < UNDO && !ways.contains(way) {
                ways.push(*way);
            }
        }
        used
    }

    /// On resume: the steps that were settled and still are. What acted is looked at again, all of it at once,
    /// for the world may have changed; what waited is not waited for twice, and what the operator skipped stays
    /// skipped.
    async fn told_board(&self) -> Board {
        let states = states(&self.setup.told);
        let mut board = Board::default();
        board.settled.extend(states.iter().filter(|(_, state)| state.is_settled()).map(|(id, _)| id.clone()));
        let was = |id: &StepId, wanted: StepState| states.get(id) == Some(&wanted);
        let again = |step: &&Step| {
            board.settled.contains(&step.id) && !was(&step.id, StepState::Skipped) && !step.ways.is_empty()
        };
        let acted: Vec<&Step> = self.setup.plan.steps.iter().filter(again).collect();
        let proofs: Vec<&Condition> = acted.iter().map(|step| &step.verify).collect();
        let now = self.setup.clock.now();
        let facts = self.look(&proofs).await;
        for step in acted {
            if let crate::runbook::Judgement::NotYet { progress, .. } =
                self.judge(&step.verify, &facts, now, now)
            {
                let words = format!(
                    "{}: settled before, and does not hold now: {progress}; it is done again",
                    step.title
                );
                self.tell(Event::Noted { words: words.into() }).await;
                board.settled.remove(&step.id);
            }
        }
        board.done = board
            .settled
            .iter()
            .filter(|id| !was(id, StepState::Skipped) && !was(id, StepState::Passed))
            .cloned()
            .collect();
        board
    }

    /// True for the step that proves users are answered elsewhere: our own request, or what DNS answers where the plan
    /// makes none.
    fn proves(&self, id: &StepId) -> bool {
        let asks = self.setup.plan.steps.iter().any(|step| is_request(&step.verify) && step.ways.is_empty());
        self.setup.plan.step(id).is_some_and(|step| {
            step.ways.is_empty() && if asks { is_request(&step.verify) } else { proves_by_dns(&step.verify) }
        })
    }

    /// Recovery time and recovery point, as far as this run can tell.
    fn measures(&self) -> (Option<Duration>, Option<f64>) {
        let proven = *self.proven.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The operator may know better than this run when users began to suffer.
        let told = self.setup.told.first().map_or(self.began, |entry| entry.at);
        let began = self.setup.plan.params.since.map_or(told, |since| since.min(told));
        let rto = proven.map(|at| at.duration_since(began).unsigned_abs());
        let lag = *self.lag.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        (rto, lag.map(|(lag, _)| lag))
    }

    /// Tells everybody whom the topology names; topics of the region that is acted on are passed over.
    async fn notify(&self, subject: &str, message: &str) {
        let Some(notify) = &self.setup.topology.notify else { return };
        let subject = Text::new(format!("switchtower: {} {subject}", self.setup.opening.run));
        let leaving = self.setup.plan.params.region.as_ref();
        let topics: Vec<&Arn> = notify
            .topics
            .iter()
            .filter(|topic| topic.region().as_ref() != leaving || leaving.is_none())
            .collect();
        for topic in topics {
            let publishing = self.setup.executor.publish(topic, &subject, message, &self.setup.approval);
            let failure = match self.setup.clock.timeout(NOTIFYING, publishing).await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(elapsed) => Some(elapsed.to_string().into()),
            };
            self.tell(Event::Notified { whom: topic.as_str().into(), failure }).await;
        }
    }
}

/// The steps that had failed when a run was left, as its record tells, in the order in which they did.
pub fn failed_steps(told: &[Entry]) -> Vec<StepId> {
    let mut failed: Vec<StepId> = Vec::new();
    for entry in told {
        match &entry.event {
            Event::StepFailed { step, passed: false, .. } if !failed.contains(step) => {
                failed.push(step.clone());
            }
            Event::StepBegan { step }
            | Event::StepDone { step, .. }
            | Event::StepHeld { step, .. }
            | Event::StepSkipped { step, .. }
            | Event::StepUndone { step } => failed.retain(|known| known != step),
            _ => {}
        }
    }
    failed
}

/// The arms that never end are listed only so that they run beside the steps.
fn unreachable_ending() -> Ending {
    Ending { outcome: Outcome::Halted, why: "the run's own upkeep ended".into() }
}

fn is_request(condition: &Condition) -> bool {
    match condition {
        Condition::All { of } | Condition::Any { of } => of.iter().any(is_request),
        Condition::Synthetic { .. } => true,
        _ => false,
    }
}

fn proves_by_dns(condition: &Condition) -> bool {
    match condition {
        Condition::All { of } | Condition::Any { of } => of.iter().any(proves_by_dns),
        Condition::AnswersOmit { .. } => true,
        _ => false,
    }
}
