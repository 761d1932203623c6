//! A run: which steps are ready, what a failure means, and what the operator decides.
//!
//! What it is for: steps whose predecessors are settled run side by side; a failed step halts the run (or is
//! passed), what is done, undoable and not run is told, and a decision goes on from there.
//! What it must not do: unwind by itself. Only the operator's word undoes anything.

use std::collections::BTreeSet;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;

use super::decide::{asked_about, standing, stopped, undone_steps};
use super::hold::Hold;
use super::step::Settled;
use super::{Context, Decisions, Ending, NotBegun, Setup, Stop};
use crate::domain::ids::Arn;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::event::{Decision, Event, LeaseOutcome, Outcome};
use crate::runbook::plan::{OnFailure, Step, StepId};
use crate::runbook::situation::words;
use crate::runbook::state::StepState;
use crate::runbook::undo::sent;

/// Why a run waits at a step that was undone.
const UNDONE: &str = "undone on the operator's word; retry does it again, skip goes on without it";

/// How long telling one topic may take.
const NOTIFYING: Duration = Duration::from_secs(5);

/// How long telling people may take at a halt or at the end of a run, with the record of who heard it.
const TOLD: Duration = Duration::from_secs(8);

type Running<'a> = FuturesUnordered<Pin<Box<dyn Future<Output = (StepId, Settled)> + Send + 'a>>>;

/// What is known of the plan's steps.
#[derive(Default)]
pub(super) struct Board {
    pub(super) settled: BTreeSet<StepId>,
    pub(super) done: Vec<StepId>,
    running: BTreeSet<StepId>,
    pub(super) failed: Vec<(StepId, Text)>,
    /// Undone on the operator's word, in the order in which they were. None of them is done again, and nothing that waits
    /// for them begins, until the operator says so.
    pub(super) undone: Vec<StepId>,
    /// True when the operator is asked before anything else begins.
    pub(super) asks: bool,
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
    let context = Context {
        sent: std::sync::Mutex::new(sent(&setup.told)),
        brought_back: std::sync::Mutex::default(),
        attended: AtomicBool::new(setup.attended),
        doubtful: std::sync::Mutex::default(),
        proven: std::sync::Mutex::default(),
        lag: std::sync::Mutex::default(),
        marks: std::sync::Mutex::new(super::marking::Marks::told(&setup.plan, &setup.told)),
        promotions: std::sync::Mutex::new(super::aftermath::Promotion::all(
            &setup.plan,
            &setup.topology,
            &setup.told,
        )),
        alarming: std::sync::Mutex::default(),
        hearing: tokio::sync::Mutex::default(),
        steps_over: AtomicBool::new(false),
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
        let listening = self.listening();
        tokio::pin!(listening);
        let ending = tokio::select! {
            biased;
            ending = self.steps(decisions) => ending,
            () = beat => unreachable_ending(),
            () = notify => unreachable_ending(),
            () = self.sampling() => unreachable_ending(),
            () = self.marking() => unreachable_ending(),
            () = &mut listening => unreachable_ending(),
        };
        // What is being told is told to its end, before anything else is.
        tokio::select! {
            () = self.heard_out() => {}
            () = &mut listening => {}
        }
        self.last_sample().await;
        let point = self.recovery_point().await;
        let alarms = self.aftermath().await;
        let (rto, rpo_ms) = self.measures();
        self.tell_durably(Event::Ended { outcome: ending.outcome, rto, rpo_ms }).await;
        let rto = rto.map(|rto| format!("; RTO {}", words::span(rto))).unwrap_or_default();
        let rpo = point.map(|point| format!("; RPO {}", point.words())).unwrap_or_default();
        let alarms: Vec<String> = alarms.iter().map(|alarm| format!("; {}", alarm.words())).collect();
        let alarms = alarms.concat();
        let words = format!(
            "{}: {} ended: {}{rto}{rpo}{alarms}",
            self.setup.opening.application, self.setup.opening.run, ending.why
        );
        let telling = self.notify("ended", &words);
        let _ = self.setup.clock.timeout(TOLD, telling).await;
        ending
    }

    pub(super) async fn tell_durably(&self, event: Event) {
        if let Err(why) = self.record(event, true).await {
            tracing::warn!("the end of the run was not recorded: {why}");
        }
    }

    /// Runs steps until all are settled, or the run is stopped.
    async fn steps(&self, mut decisions: Decisions) -> Ending {
        let mut board = self.told_board().await;
        if let Some((decision, by)) = self.setup.decided.clone() {
            // What had failed when the run was left is what is decided about; it is tried again otherwise.
            let asked = asked_about(&self.setup.told).filter(|step| !board.settled.contains(step));
            self.tell_durably(Event::Decided { decision: decision.clone(), by }).await;
            let deciding = self.decide(&mut board, decision, asked);
            if let Some(ending) = self.heeding(&mut decisions, deciding).await {
                return ending;
            }
        }
        let mut running: Running<'_> = FuturesUnordered::new();
        let mut listening = true;
        loop {
            if board.failed.is_empty() && !board.asks && self.may_send().is_ok() {
                for step in self.ready(&board) {
                    board.running.insert(step.id.clone());
                    running.push(Box::pin(async move { (step.id.clone(), self.step(step).await) }));
                }
            }
            if running.is_empty() {
                match self.pause(&mut board, &mut decisions).await {
                    Some(ending) => return ending,
                    None => continue,
                }
            }
            tokio::select! {
                biased;
                decision = decisions.recv(), if listening => listening = self.hear(decision).await,
                Some((id, settled)) = running.next() => self.settle(&mut board, id, settled).await,
            }
        }
    }

    async fn settle(&self, board: &mut Board, id: StepId, settled: Settled) {
        board.running.remove(&id);
        match settled {
            Settled::Done => {
                self.mark_proven(&id);
                self.promotion_proven(&id);
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

    /// Steps whose predecessors are settled and which are neither settled nor running, nor undone. What comes after a
    /// step that was undone, at once or later, is not ready, whatever was proven in between.
    fn ready<'a>(&'a self, board: &Board) -> Vec<&'a Step> {
        let plan = &self.setup.plan;
        let rests: BTreeSet<&StepId> =
            board.undone.iter().flat_map(|id| plan.dependents(id)).map(|step| &step.id).collect();
        let open = |step: &&Step| {
            !board.settled.contains(&step.id)
                && !board.running.contains(&step.id)
                && !board.undone.contains(&step.id)
                && !rests.contains(&step.id)
                && step.after.iter().all(|before| board.settled.contains(before))
        };
        plan.steps.iter().filter(open).collect()
    }

    /// Nothing runs: the end, a halt, or a stop. `None`: go on.
    async fn pause(&self, board: &mut Board, decisions: &mut Decisions) -> Option<Ending> {
        match self.may_send() {
            Err(Stop::Superseded) => return Some(stopped(&Stop::Superseded)),
            Err(Stop::Aborted) => {
                self.halted(board, "stopped on the operator's word".into(), None).await;
                return Some(stopped(&Stop::Aborted));
            }
            Ok(()) => {}
        }
        let undone = || board.undone.first().map(|id| (id.clone(), Text::from(UNDONE)));
        let about = board.failed.first().cloned().or_else(undone);
        let (asked, words) = match about {
            Some((id, why)) => {
                let words = Text::new(format!("{}: {why}", self.title(&id)));
                (Some(id), words)
            }
            None if board.asks => (None, "nothing was undone, and nothing else was begun".into()),
            None => {
                let left = self.setup.plan.steps.iter().filter(|step| !board.settled.contains(&step.id));
                let left: Vec<&str> = left.map(|step| step.title.as_str()).collect();
                if left.is_empty() {
                    return Some(Ending { outcome: Outcome::Done, why: "every step is done".into() });
                }
                // Steps that wait for steps which do not exist: a plan that no catalog makes.
                let why = format!("these steps can never begin: {}", left.join(", "));
                return Some(Ending { outcome: Outcome::Halted, why: why.into() });
            }
        };
        self.halted(board, words.clone(), asked.clone()).await;
        let message =
            format!("{}: {} halted: {words}", self.setup.opening.application, self.setup.opening.run);
        let _ = self.setup.clock.timeout(TOLD, self.notify("halted", &message)).await;
        let halted = Ending { outcome: Outcome::Halted, why: words };
        if !self.attended.load(Ordering::SeqCst) {
            return Some(halted);
        }
        let Some((decision, by)) = decisions.recv().await else { return Some(halted) };
        self.tell_durably(Event::Decided { decision: decision.clone(), by }).await;
        if decision == Decision::HandOver {
            return Some(halted);
        }
        let deciding = self.decide(board, decision, asked);
        self.heeding(decisions, deciding).await
    }

    /// A step as people call it.
    pub(super) fn title<'a>(&'a self, id: &'a StepId) -> &'a str {
        self.setup.plan.step(id).map_or(id.as_str(), |step| step.title.as_str())
    }

    /// On resume: the steps that were settled and still are. What acted is looked at again, all of it at once,
    /// for the world may have changed; what waited is not waited for twice, what the operator skipped stays skipped,
    /// and what the operator undid stays undone until they say otherwise.
    async fn told_board(&self) -> Board {
        let states = standing(&self.setup.plan, &self.setup.told);
        let mut board = Board::default();
        board.settled.extend(states.iter().filter(|(_, state)| state.is_settled()).map(|(id, _)| id.clone()));
        let was = |id: &StepId, wanted: StepState| states.get(id) == Some(&wanted);
        board.undone = undone_steps(&self.setup.told);
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
        // A planned move waits before it acts, and nobody suffers meanwhile: it has no recovery time.
        let plan = &self.setup.plan;
        let suffers = plan.runbook.as_str() == "failover" || plan.params.now;
        let rto = proven.filter(|_| suffers).map(|at| at.duration_since(began).unsigned_abs());
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
        // All at once: one that hangs, in a region that is ill too, must not keep the others from hearing.
        let (subject, topics) = (&subject, topics.into_iter());
        let telling = topics.map(|topic| async move {
            let publishing = self.setup.executor.publish(topic, subject, message, &self.setup.approval);
            let failure = match self.setup.clock.timeout(NOTIFYING, publishing).await {
                Ok(Ok(())) => None,
                Ok(Err(why)) => Some(why),
                Err(elapsed) => Some(elapsed.to_string().into()),
            };
            self.tell(Event::Notified { whom: topic.as_str().into(), failure }).await;
        });
        join_all(telling).await;
    }
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
