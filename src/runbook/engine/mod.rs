//! The engine: carries a confirmed plan out, once, and remembers every step of it.
//!
//! What it is for: for each step, observe; skip what holds; check the precondition; record the intent; check
//! the lease; apply; prove by fresh observations; record the outcome. Independent steps run side by side. It
//! halts rather than guess, and a failover never waits for a disk, a lease or a dead region.
//! What it must not do: plan, print, or know AWS; it sees the world through [`Executor`] and [`LeaseStore`].
//!
//! | file | what it is |
//! |---|---|
//! | `run` | the schedule of steps, and halts |
//! | `decide` | what the operator decides at a halt |
//! | `step` | one step: its ways, its proof |
//! | `call` | one call: intent, interlocks, sending, unknown outcomes |
//! | `interlock` | what is refused whatever a plan says |
//! | `effect` | what a call touches and what proves it |
//! | `hold` | the lease: taking, renewing, losing |
//! | `marking` | our own writes around a promotion, which measure what it loses |
//! | `aftermath` | what RDS tells of a promotion |
//! | `recorder` | where events go |
//! | `sampling` | what users feel beside the steps |

mod aftermath;
mod call;
mod decide;
pub mod effect;
mod hold;
pub mod interlock;
mod marking;
mod recorder;
mod run;
mod sampling;
mod step;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc::UnboundedReceiver;

use super::approval::Approval;
use super::condition::{Condition, Judgement, Moment};
use super::event::{Decision, Entry, Event, Opening, Outcome};
use super::executor::Executor;
use super::fact::{Fact, Facts};
use super::lease::{LeaseStore, LeaseView};
use super::plan::{Plan, StepId};
use super::sample::Sampler;
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::ports::Clock;

pub use decide::{asked_about, failed_steps, undone_steps};
pub use marking::{MARK_EVERY, SETTLE};
pub use recorder::{InMemory, Recorder};
pub use run::run;

/// How long a failover waits for its journal before it goes on without.
pub const JOURNAL_PATIENCE: Duration = Duration::from_secs(2);

/// How long a failover tries for the lease before it goes on without.
pub const LEASE_PATIENCE: Duration = Duration::from_secs(3);

/// How often a step looks whether it is done.
pub const LOOK: Duration = Duration::from_secs(3);

/// How often it looks when what it looks at is measured by the minute, or takes long.
const SELDOM: Duration = Duration::from_secs(15);

/// How long until the next look of a wait that has lasted so long: what takes minutes need not be asked for every
/// three seconds, AWS's rates are shared with everybody, and CloudWatch is paid by the question.
fn look_after(condition: &Condition, waited: SignedDuration) -> Duration {
    let measured = |fact: &Fact| matches!(fact, Fact::Requests(_) | Fact::Errors(_) | Fact::RpoLag(..));
    match waited.as_secs() {
        _ if condition.facts().iter().any(measured) => SELDOM,
        ..60 => LOOK,
        60..600 => Duration::from_secs(5),
        _ => SELDOM,
    }
}

/// How long an emergency looks at what it could do without, before a call that users wait for.
const GLANCE: Duration = Duration::from_secs(2);

/// Everything that a run needs.
pub struct Setup {
    /// Observes and acts.
    pub executor: Arc<dyn Executor>,
    /// The lease's table; `None` when the topology names none.
    pub lease: Option<Arc<dyn LeaseStore>>,
    /// Where events go.
    pub recorder: Arc<dyn Recorder>,
    /// Tells what users feel meanwhile; `None` where nobody watches.
    pub sampler: Option<Arc<dyn Sampler>>,
    /// The clock.
    pub clock: Clock,
    /// The topology.
    pub topology: Arc<Topology>,
    /// What was confirmed.
    pub plan: Plan,
    /// By which approval; its digest is the plan's.
    pub approval: Approval,
    /// Who, where, why.
    pub opening: Opening,
    /// True for an emergency: disk, lease and doubt do not stop it.
    pub emergency: bool,
    /// On resume: what the journal tells, oldest first. Empty for a new run.
    pub told: Vec<Entry>,
    /// On resume: what is wrong with the journal.
    pub damage: Vec<Text>,
    /// The holder whose lease the operator takes over, with the reason.
    pub take_over: Option<(LeaseView, Text)>,
    /// True when somebody will decide at a halt; otherwise a halt ends the run as halted.
    pub attended: bool,
    /// On resume: the answer to the halt at which the run was left, brought by whoever takes it up.
    pub decided: Option<Decided>,
}

/// A decision and who made it.
pub type Decided = (Decision, Text);

/// Decisions of the operator, from a screen, a command line or the run's control file.
pub type Decisions = UnboundedReceiver<Decided>;

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Ending {
    /// How.
    pub outcome: Outcome,
    /// Why, in words, when it is not done.
    pub why: Text,
}

/// Why a run did not begin.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NotBegun {
    /// The approval is for another plan.
    #[error("what was confirmed ({confirmed}) is not what would run ({plan}); plan again")]
    OtherPlan {
        /// Digest of the approval.
        confirmed: String,
        /// Digest of the plan.
        plan: String,
    },
    /// The journal cannot be written, and this is no emergency.
    #[error("nothing was done: the journal cannot be written: {0}")]
    Journal(Text),
    /// The lease cannot be had, and this is no emergency.
    #[error("nothing was done: {0}")]
    Lease(Text),
}

/// What all parts of a run share.
struct Context {
    setup: Setup,
    /// Set once the operator aborts: nothing is sent any more.
    aborted: AtomicBool,
    /// Set once somebody else has the lease: nothing is sent any more.
    superseded: AtomicBool,
    /// Set once the journal could not be written in time.
    unjournaled: AtomicBool,
    /// The last number of a copy that has no place in the journal.
    last_apart: AtomicU64,
    hold: hold::Hold,
    alive_since: Mutex<BTreeMap<Region, Timestamp>>,
    /// Calls that were sent, in this process or, as the journal tells, before; without those of steps undone since.
    sent: Mutex<Vec<(StepId, usize, usize)>>,
    /// Calls of this process that were sent and not definitely refused: a retry looks before it sends them again.
    doubtful: Mutex<Vec<(StepId, usize, usize)>>,
    /// When a region was last let back into DNS, by an undo: until resolvers forget, its users are still elsewhere.
    brought_back: Mutex<Option<Timestamp>>,
    /// False once whoever would answer at a halt has gone.
    attended: AtomicBool,
    /// When users were first proven to be answered elsewhere.
    proven: Mutex<Option<Timestamp>>,
    /// The last lag that was read before a promotion, milliseconds, and the moment for which it holds.
    lag: Mutex<Option<(f64, Timestamp)>>,
    /// Our own writes around an unplanned promotion.
    marks: Mutex<marking::Marks>,
    /// Promotions of the plan that may lose data, and what was told of them.
    promotions: Mutex<Vec<aftermath::Promotion>>,
    /// What of it the operator must know.
    alarming: Mutex<Vec<super::aftermath::Aftermath>>,
    /// Held while RDS is asked and what it tells is recorded.
    hearing: tokio::sync::Mutex<()>,
    /// Set once no step runs any more.
    steps_over: AtomicBool,
    /// When this process began the run.
    began: Timestamp,
}

/// Why a step, or a run, stops before its next call.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Stop {
    /// The operator's word.
    Aborted,
    /// Somebody else has the lease.
    Superseded,
}

impl Context {
    /// `Err` once nothing may be sent any more.
    fn may_send(&self) -> Result<(), Stop> {
        if self.superseded.load(Ordering::SeqCst) {
            Err(Stop::Superseded)
        } else if self.aborted.load(Ordering::SeqCst) {
            Err(Stop::Aborted)
        } else {
            Ok(())
        }
    }

    /// Records an event. In an emergency it waits only so long; then the run goes on, marked.
    async fn record(&self, event: Event, durable: bool) -> Result<(), Text> {
        let recorder = &self.setup.recorder;
        let kept = if self.setup.emergency {
            match self.setup.clock.timeout(JOURNAL_PATIENCE, recorder.record(event.clone(), durable)).await {
                Ok(kept) => kept,
                Err(elapsed) => Err(format!("the journal {elapsed}").into()),
            }
        } else {
            recorder.record(event.clone(), durable).await
        };
        match kept {
            Ok(entry) => {
                self.hold.copy(entry);
                Ok(())
            }
            Err(why) if self.setup.emergency => {
                let at = self.setup.clock.now();
                self.hold.copy(self.apart(at, event));
                if !self.unjournaled.swap(true, Ordering::SeqCst) {
                    tracing::error!("the run goes on without its journal: {why}");
                    let marked = Event::Unjournaled { why };
                    let telling = recorder.record(marked, false);
                    let _ = self.setup.clock.timeout(Duration::from_millis(200), telling).await;
                }
                Ok(())
            }
            Err(why) => Err(why),
        }
    }

    /// An entry that only its copy keeps, with a number after that of the one before.
    fn apart(&self, at: Timestamp, event: Event) -> Entry {
        let entry = Entry::unnumbered(at, event, self.last_apart.load(Ordering::SeqCst));
        // Copies of steps that run side by side must not share a number; all of a run's futures run on one task.
        self.last_apart.store(entry.seq, Ordering::SeqCst);
        entry
    }

    /// Records what is only told, never acted on; losing it costs nothing but words.
    async fn tell(&self, event: Event) {
        if let Err(why) = self.record(event, false).await {
            tracing::warn!("an event of the run was not recorded: {why}");
        }
    }

    /// Observes facts. In an emergency what does not answer within a glance is not known: Route 53, and each other
    /// fact, for itself, so that one dark control plane costs users two seconds and takes nothing else with it.
    async fn glance(&self, wanted: &[Fact]) -> Facts {
        let executor = &self.setup.executor;
        if !self.setup.emergency {
            return executor.observe(wanted).await;
        }
        let (dns, others): (Vec<Fact>, Vec<Fact>) =
            wanted.iter().cloned().partition(|fact| matches!(fact, Fact::HealthCheck(_) | Fact::Records(..)));
        let groups =
            others.into_iter().map(|fact| vec![fact]).chain([dns].into_iter().filter(|dns| !dns.is_empty()));
        let seen = join_all(groups.map(|group| async move {
            self.setup.clock.timeout(GLANCE, executor.observe(&group)).await.unwrap_or_default()
        }));
        let mut facts = Facts::new();
        seen.await.into_iter().for_each(|some| facts.absorb(some));
        facts
    }

    /// Looks whether a step holds before anything was done for it.
    async fn look_first(&self, condition: &Condition) -> Facts {
        let facts = self.glance(&condition.facts()).await;
        self.track(condition, &facts);
        facts
    }

    /// Observes what conditions need, and keeps track of which regions are alive.
    async fn look(&self, conditions: &[&Condition]) -> Facts {
        let mut wanted: Vec<Fact> = Vec::new();
        for fact in conditions.iter().flat_map(|condition| condition.facts()) {
            if !wanted.contains(&fact) {
                wanted.push(fact);
            }
        }
        if wanted.is_empty() {
            return Facts::new();
        }
        let facts = self.setup.executor.observe(&wanted).await;
        for condition in conditions {
            self.track(condition, &facts);
        }
        facts
    }

    /// Notes since when regions are alive, for conditions that want them alive for a while.
    fn track(&self, condition: &Condition, facts: &Facts) {
        match condition {
            Condition::All { of } | Condition::Any { of } => {
                for part in of {
                    self.track(part, facts);
                }
            }
            Condition::AliveFor { region, groups, .. } => {
                let now = self.setup.clock.now();
                let alive = Condition::Alive { region: region.clone(), groups: groups.clone() };
                let since = BTreeMap::new();
                let not_before = now - jiff::SignedDuration::from_secs(60);
                let moved_at = BTreeMap::new();
                let moment = Moment { now, began: now, not_before, alive_since: &since, moved_at: &moved_at };
                let mut known = self.alive_since.lock().unwrap_or_else(PoisonError::into_inner);
                if alive.judge(facts, &moment).holds() {
                    known.entry(region.clone()).or_insert(now);
                } else {
                    known.remove(region);
                }
            }
            _ => {}
        }
    }

    /// Judges a condition on facts that are not older than `not_before`.
    fn judge(
        &self,
        condition: &Condition,
        facts: &Facts,
        began: Timestamp,
        not_before: Timestamp,
    ) -> Judgement {
        let known = self.alive_since.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let moved = self.moved_at();
        let now = self.setup.clock.now();
        let moment = Moment { now, began, not_before, alive_since: &known, moved_at: &moved };
        condition.judge(facts, &moment)
    }
}
