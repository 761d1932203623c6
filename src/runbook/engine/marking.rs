//! Our own writes around an unplanned promotion, and what of them is there afterwards.
//!
//! What it is for: a recovery point that is measured, and not only estimated from a lag. From the beginning of the run
//! until the promotion is proven it writes a token every few seconds through the public name; once the new writer takes
//! writes and shows them, it looks for the tokens. What it must not do: hold up a step, or write anything where the
//! topology names no write that can be read back by its token, or the plan loses nothing.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::domain::ids::HostName;
use crate::domain::synthetic::TOKEN;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::event::Event;
use crate::runbook::fact::{Fact, Known};
use crate::runbook::operation::Operation;
use crate::runbook::plan::{Plan, StepId};
use crate::runbook::recovery::{Found, Mark, RecoveryPoint};

/// How often a token is written: the recovery point is measured as finely.
pub const MARK_EVERY: Duration = Duration::from_secs(3);

/// No more tokens than this are written by a run, whatever it waits for.
const MOST: usize = 200;

/// No more than the newest of them are looked for.
const LOOKED_FOR: usize = 40;

/// A token that is not shown is looked for so often: what reads may follow what writes.
const LOOKS: usize = 3;

/// Between looks, and between tries to read at all.
const AGAIN: Duration = Duration::from_secs(2);

/// While our own writes are accepted users' are too, and a promotion waits so long for tokens that can have come over.
pub const SETTLE: Duration = Duration::from_secs(6);

/// How long it waits for the first answer: where writes fail, users wait for the promotion.
const FIRST: SignedDuration = SignedDuration::from_secs(1);

/// How long the end of a run waits for what was not measured before.
const LAST: Duration = Duration::from_secs(20);

/// What became of the first token.
#[derive(Clone, Copy, Debug, Default)]
enum First {
    /// No answer yet.
    #[default]
    Open,
    /// It was not accepted.
    Refused,
    /// It was accepted, and sent then.
    Accepted(Timestamp),
}

impl First {
    /// Only the first answer counts.
    fn settle(&mut self, sent: Option<Timestamp>) {
        if matches!(self, Self::Open) {
            *self = sent.map_or(Self::Refused, Self::Accepted);
        }
    }
}

/// What a run has written around its promotion, and what it knows of it.
#[derive(Debug, Default)]
pub(super) struct Marks {
    /// Tokens that were accepted, oldest first.
    accepted: Vec<Mark>,
    /// How many were sent.
    sent: usize,
    /// What became of the first.
    first: First,
    /// When the promotion was sent last.
    asked: Option<Timestamp>,
    /// When it was proven.
    proven: Option<Timestamp>,
    /// What was found.
    point: Option<RecoveryPoint>,
}

impl Marks {
    /// What the record of earlier sittings tells.
    pub(super) fn told(plan: &Plan, told: &[crate::runbook::event::Entry]) -> Self {
        let mut marks = Self::default();
        for entry in told {
            match &entry.event {
                Event::Marked { token, sent } => {
                    marks.first.settle(Some(*sent));
                    marks.accepted.push(Mark { token: token.clone(), sent: *sent, answered: entry.at });
                }
                Event::Intent { step, .. } if promotes(plan, step) => marks.asked = Some(entry.at),
                Event::StepDone { step, .. } | Event::StepHeld { step, .. } if promotes(plan, step) => {
                    marks.proven.get_or_insert(entry.at);
                }
                Event::RecoveryPoint { point } if point.is_measured() => marks.point = Some(point.clone()),
                _ => {}
            }
        }
        marks
    }
}

/// True for a step of a failover that may lose data. A cleanup detaches too, and loses nothing by it.
fn promotes(plan: &Plan, step: &StepId) -> bool {
    let loses = |call: &Operation| {
        matches!(call, Operation::FailoverGlobalCluster { .. } | Operation::RemoveFromGlobalCluster { .. })
    };
    plan.runbook.as_str() == "failover"
        && plan.step(step).is_some_and(|step| step.ways.iter().flat_map(|way| &way.calls).any(loses))
}

impl Context {
    /// Writes tokens until the promotion is proven, then finds out which are there; never ends.
    pub(super) async fn marking(&self) {
        if let Ok(name) = self.marked_name() {
            let clock = self.setup.clock;
            while !self.with_marks(|marks| marks.proven.is_some() || marks.sent >= MOST) {
                self.mark(&name).await;
                clock.sleep(MARK_EVERY).await;
            }
            while self.with_marks(|marks| marks.point.is_none()) {
                if self.with_marks(|marks| marks.proven.is_some()) {
                    self.find(&name).await;
                }
                clock.sleep(AGAIN).await;
            }
        }
        std::future::pending::<()>().await;
    }

    /// Before a promotion: some tokens are given the time to come over, as long as they are accepted. Where the first is
    /// not, or is not answered within a second, nothing is waited for.
    pub(super) async fn settle_marks(&self, step: &StepId) {
        if !promotes(&self.setup.plan, step) || self.marked_name().is_err() {
            return;
        }
        let clock = self.setup.clock;
        let began = clock.now();
        let settle = SignedDuration::try_from(SETTLE).unwrap_or_default();
        while self.may_send().is_ok() {
            let now = clock.now();
            match self.with_marks(|marks| marks.first) {
                First::Refused => return,
                First::Accepted(sent) if now.duration_since(sent) >= settle => return,
                First::Open if now.duration_since(began) >= FIRST => return,
                First::Open | First::Accepted(_) => clock.sleep(Duration::from_millis(100)).await,
            }
        }
    }

    /// A call of a step is about to be sent: of a promotion the moment counts.
    pub(super) fn mark_call(&self, step: &StepId) {
        if promotes(&self.setup.plan, step) {
            let now = self.setup.clock.now();
            self.with_marks(|marks| marks.asked = Some(now));
        }
    }

    /// A step is proven: of a promotion the moment counts.
    pub(super) fn mark_proven(&self, step: &StepId) {
        if promotes(&self.setup.plan, step) {
            let now = self.setup.clock.now();
            self.with_marks(|marks| *marks.proven.get_or_insert(now));
        }
    }

    /// The last word on the recovery point, told before the end; `None` for a run that promoted nothing with loss.
    pub(super) async fn recovery_point(&self) -> Option<RecoveryPoint> {
        let asked = self.with_marks(|marks| marks.proven.and(marks.asked))?;
        let name = self.marked_name();
        if let Ok(name) = &name
            && self.with_marks(|marks| marks.point.is_none() && !marks.accepted.is_empty())
        {
            let _ = self.setup.clock.timeout(LAST, self.find(name)).await;
        }
        if let Some(point) = self.with_marks(|marks| marks.point.clone()) {
            return Some(point);
        }
        let why = match name {
            Err(why) => Text::from(why),
            Ok(_) if self.with_marks(|marks| marks.accepted.iter().all(|mark| mark.sent > asked)) => {
                "no write of ours was accepted before the promotion".into()
            }
            Ok(_) => "our own writes could not be read back afterwards".into(),
        };
        let point = self.point(Found::Nothing { why });
        self.tell(Event::RecoveryPoint { point: point.clone() }).await;
        Some(point)
    }

    fn with_marks<T>(&self, look: impl FnOnce(&mut Marks) -> T) -> T {
        look(&mut self.marks.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// The public name through which is written; or why nothing is.
    fn marked_name(&self) -> Result<HostName, &'static str> {
        let plan = &self.setup.plan;
        let Some(write) = &self.setup.topology.synthetic.write else {
            return Err("the topology names no [synthetic.write]");
        };
        if !write.read_back.as_ref().is_some_and(|path| path.contains(TOKEN)) {
            return Err("[synthetic.write] has no read_back with a {token} in it");
        }
        if !plan.steps.iter().any(|step| promotes(plan, &step.id)) {
            return Err("the plan loses nothing");
        }
        let name = plan.steps.iter().find_map(|step| match &step.verify {
            Condition::SyntheticWrite { name } => Some(name.clone()),
            _ => None,
        });
        name.ok_or("no public name leads to the application")
    }

    /// Writes one token, and keeps it when it was accepted.
    async fn mark(&self, name: &HostName) {
        let fact = [Fact::SyntheticMark(name.clone())];
        let sent = self.setup.clock.now();
        let facts = self.setup.executor.observe(&fact).await;
        let written = facts.written(&fact[0]).filter(|written| written.accepted).cloned();
        self.with_marks(|marks| {
            marks.sent += 1;
            marks.first.settle(written.is_some().then_some(sent));
        });
        let Some(written) = written else { return };
        let answered = self.setup.clock.now();
        let mark = Mark { token: written.token.clone(), sent, answered };
        self.with_marks(|marks| marks.accepted.push(mark));
        self.tell(Event::Marked { token: written.token, sent }).await;
    }

    /// Looks which tokens are there, once the application shows what is written now; tells it when it could be told.
    async fn find(&self, name: &HostName) {
        let (asked, proven, mut accepted) =
            self.with_marks(|marks| (marks.asked, marks.proven, marks.accepted.clone()));
        let (Some(asked), Some(proven)) = (asked, proven) else { return };
        accepted.retain(|mark| mark.sent < proven);
        if accepted.is_empty() || !self.reads_work(name).await {
            return;
        }
        let newest = accepted.len().saturating_sub(LOOKED_FOR);
        let marks = accepted.split_off(newest);
        let mut there = vec![None; marks.len()];
        for look in 0..LOOKS {
            let open: Vec<usize> = (0..marks.len()).filter(|at| there[*at] != Some(true)).collect();
            if open.is_empty() {
                break;
            }
            if look > 0 {
                self.setup.clock.sleep(AGAIN).await;
            }
            let facts: Vec<Fact> =
                open.iter().map(|at| Fact::TokenShown(name.clone(), marks[*at].token.clone())).collect();
            let seen = self.setup.executor.observe(&facts).await;
            for (at, fact) in open.iter().zip(&facts) {
                // What cannot be told now keeps what was told before.
                if let (None, Some(Known::Flag(shown))) = (seen.error(fact), seen.value(fact)) {
                    there[*at] = Some(*shown);
                }
            }
        }
        let known: Option<Vec<bool>> = there.into_iter().collect();
        let Some(known) = known else { return };
        let point = self.point(Found::of(marks.iter().zip(known), asked));
        self.with_marks(|marks| marks.point = Some(point.clone()));
        self.tell(Event::RecoveryPoint { point }).await;
    }

    /// True when a write of this moment is accepted and shown: then what is not shown is not there.
    async fn reads_work(&self, name: &HostName) -> bool {
        let fact = [Fact::SyntheticWrite(name.clone())];
        let facts = self.setup.executor.observe(&fact).await;
        facts.written(&fact[0]).is_some_and(|written| written.accepted && written.shown == Some(true))
    }

    /// With the last lag beside it.
    fn point(&self, found: Found) -> RecoveryPoint {
        let lag = *self.lag.lock().unwrap_or_else(PoisonError::into_inner);
        let asked = self.with_marks(|marks| marks.asked);
        let age = |at: Timestamp| {
            let asked = asked?;
            Some(Duration::try_from(asked.duration_since(at).max(SignedDuration::ZERO)).unwrap_or_default())
        };
        RecoveryPoint {
            found,
            lag_ms: lag.map(|(lag, _)| lag).filter(|lag| lag.is_finite()),
            lag_age: lag.and_then(|(_, at)| age(at)),
        }
    }
}
