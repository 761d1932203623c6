//! One step: skipped when it holds, done by one of its ways, proven by fresh observations.
//!
//! What it is for: the order observe, skip, precondition, calls, proof; ways one after the other, round and
//! round while time is left, so that a way out that works is always reached.
//! What it must not do: know other steps, or make a step's failure mean something for the run.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::call::{Called, Place};
use super::interlock::raised;
use super::{Context, LOOK, Stop, look_after};
use crate::domain::text::Text;
use crate::runbook::condition::{Condition, Judgement};
use crate::runbook::event::Event;
use crate::runbook::operation::{Operation, Steering};
use crate::runbook::plan::{Step, Way};
use crate::runbook::undo::UNDO;

/// How a step ended.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Settled {
    /// Done or held.
    Done,
    /// Not done, and why.
    Failed(Text),
    /// Nothing is sent any more.
    Stopped(Stop),
}

/// How one try of one way ended.
enum Tried {
    Done(Text),
    GivenUp(Text),
    Barred(Text),
    Refused(Text),
    Stopped(Stop),
}

/// How long a precondition may take to hold before the step fails without a call.
const PRECONDITION_PATIENCE: SignedDuration = SignedDuration::from_secs(60);

/// How long an undo waits for a region to live before its users are let back to it: its tasks may just have been started.
const RETURNING: SignedDuration = SignedDuration::from_mins(3);

/// A wait for a precondition after which a step looks once more whether there is anything left to do.
const LONG: SignedDuration = SignedDuration::from_secs(10);

/// A look at a region that hangs takes so long: what is best effort begins its last one so much before its end.
const LAST_LOOK: SignedDuration = SignedDuration::from_secs(4);

impl Context {
    /// Carries one step out and records how it went; a failure is recorded by the caller, who knows what it means.
    pub(super) async fn step(&self, step: &Step) -> Settled {
        let began = self.setup.clock.now();
        let until = began + SignedDuration::try_from(step.timeout).unwrap_or(SignedDuration::from_mins(10));
        let until = if self.setup.emergency && hopeless(step) && !step.ways.is_empty() {
            until - LAST_LOOK
        } else {
            until
        };
        self.tell(Event::StepBegan { step: step.id.clone() }).await;

        // What only waits is in no hurry; a call of an emergency is.
        let facts = if step.ways.is_empty() {
            self.look(&[&step.verify]).await
        } else {
            self.look_first(&step.verify).await
        };
        let first = self.judge(&step.verify, &facts, began, began);
        if let Judgement::Holds { evidence } = first {
            self.tell(Event::StepHeld { step: step.id.clone(), evidence }).await;
            return Settled::Done;
        }
        if step.ways.is_empty() {
            return match self.proof(step, &step.verify, began, began, until).await {
                Tried::Done(evidence) => self.done(step, evidence, began).await,
                Tried::GivenUp(why) | Tried::Barred(why) | Tried::Refused(why) => Settled::Failed(why),
                Tried::Stopped(cause) => Settled::Stopped(cause),
            };
        }
        let waits = self.setup.clock.now();
        if let Err(settled) = self.prepared(step, began, until).await {
            return settled;
        }
        // A long wait may have brought about what the step is for.
        let now = self.setup.clock.now();
        if now.duration_since(waits) >= LONG {
            let facts = self.look_first(&step.verify).await;
            if let Judgement::Holds { evidence } = self.judge(&step.verify, &facts, began, now) {
                self.tell(Event::StepHeld { step: step.id.clone(), evidence }).await;
                return Settled::Done;
            }
        }
        let mut last = Text::from("no way is wired");
        for round in 0.. {
            let mut barred = true;
            for (index, way) in step.ways.iter().enumerate() {
                match self.way(step, index, way, began, until).await {
                    Tried::Done(evidence) => return self.done(step, evidence, began).await,
                    Tried::Refused(why) => return Settled::Failed(why),
                    Tried::Stopped(cause) => return Settled::Stopped(cause),
                    tried @ (Tried::GivenUp(_) | Tried::Barred(_)) => {
                        barred &= matches!(tried, Tried::Barred(_));
                        let (Tried::GivenUp(why) | Tried::Barred(why)) = tried else { continue };
                        let given_up =
                            Event::WayGivenUp { step: step.id.clone(), way: index, why: why.clone() };
                        self.tell(given_up).await;
                        last = why;
                    }
                }
            }
            // Credentials that no way accepts are for the operator to mend, at once.
            if barred {
                break;
            }
            // Only an emergency goes round again: there, a way that was shut may open while users wait.
            let over = self.setup.clock.now() >= until;
            let tried = round > 0 && hopeless(step) || round > 1 && moves_writer(step);
            if !self.setup.emergency || over || step.ways.len() == 1 && tried {
                break;
            }
            self.setup.clock.sleep(LOOK).await;
        }
        Settled::Failed(last)
    }

    async fn done(&self, step: &Step, evidence: Text, began: Timestamp) -> Settled {
        let took = self.setup.clock.now().duration_since(began).unsigned_abs();
        self.tell(Event::StepDone { step: step.id.clone(), evidence, took }).await;
        Settled::Done
    }

    /// Waits a little for the precondition.
    async fn prepared(&self, step: &Step, began: Timestamp, until: Timestamp) -> Result<(), Settled> {
        let until = until.min(began + Self::patience(&step.precondition));
        self.awaited(step, &step.precondition, began, until).await.map_err(|settled| match settled {
            Settled::Failed(why) => Settled::Failed(
                format!("nothing was called, for its precondition does not hold: {why}").into(),
            ),
            other => other,
        })
    }

    /// A precondition that wants a region alive for a while needs that while.
    fn patience(condition: &Condition) -> SignedDuration {
        let span = longest(condition);
        PRECONDITION_PATIENCE + SignedDuration::try_from(span).unwrap_or_default()
    }

    /// One try of one way: its calls, then its proof.
    async fn way(&self, step: &Step, index: usize, way: &Way, began: Timestamp, until: Timestamp) -> Tried {
        let started = self.setup.clock.now();
        let patience = SignedDuration::try_from(way.patience).unwrap_or(SignedDuration::from_secs(10));
        let until = if step.ways.len() > 1 { until.min(started + patience) } else { until };
        for (number, operation) in way.calls.iter().enumerate() {
            let place = Place { step: &step.id, way: index, call: number };
            match self.call(place, operation, until).await {
                Called::Accepted => {}
                Called::Failed(why) => return Tried::GivenUp(why),
                Called::Barred(why) => return Tried::Barred(why),
                Called::Refused(why) => return Tried::Refused(why),
                Called::Stopped(cause) => return Tried::Stopped(cause),
            }
        }
        let sent = self.setup.clock.now();
        // A way may be proven a little after its patience: the next one would only be second to it.
        let grace = if step.ways.len() > 1 { until.max(sent + SignedDuration::from_secs(5)) } else { until };
        match self.proof(step, &way.verify, began, started, grace).await {
            Tried::Done(evidence) => {
                // The step's own proof may ask for more than the way's; one of several proofs is all of it.
                let enough = match &step.verify {
                    Condition::Any { of } => of.contains(&way.verify),
                    whole => *whole == way.verify,
                };
                if enough {
                    return Tried::Done(evidence);
                }
                let whole = until.max(sent + SignedDuration::from_secs(30));
                self.proof(step, &step.verify, began, started, whole).await
            }
            other => other,
        }
    }

    /// Looks until the condition holds, cannot come to hold, or time is up. Tells progress when it changes.
    async fn proof(
        &self,
        step: &Step,
        condition: &Condition,
        began: Timestamp,
        not_before: Timestamp,
        until: Timestamp,
    ) -> Tried {
        let mut told: Option<Judgement> = None;
        let waiting = self.setup.clock.now();
        loop {
            let facts = self.look(&[condition]).await;
            let judgement = self.judge(condition, &facts, began, not_before);
            match &judgement {
                Judgement::Holds { evidence } => return Tried::Done(evidence.clone()),
                Judgement::Never { why } => return Tried::GivenUp(why.clone()),
                Judgement::NotYet { .. } | Judgement::Unknown { .. } => {}
            }
            if told.as_ref().map(Judgement::words) != Some(judgement.words()) {
                self.tell(Event::Progress { step: step.id.clone(), judgement: judgement.clone() }).await;
            }
            if let Err(cause) = self.may_send() {
                return Tried::Stopped(cause);
            }
            if self.setup.clock.now() >= until {
                let waited = self.setup.clock.now().duration_since(began).as_secs();
                return Tried::GivenUp(format!("not so after {waited} s: {}", judgement.words()).into());
            }
            told = Some(judgement);
            let waited = self.setup.clock.now().duration_since(waiting);
            self.setup.clock.sleep(look_after(condition, waited)).await;
        }
    }

    /// Restores what the step's ways changed, by the undo calls of the ways that were used.
    pub(super) async fn undo(&self, step: &Step, used: &[usize]) -> Settled {
        for index in used.iter().rev() {
            let Some(way) = step.ways.get(*index) else { continue };
            for (number, operation) in way.undo.iter().enumerate() {
                if let Err(settled) = self.may_be_undone(step, operation).await {
                    return settled;
                }
                let until = self.setup.clock.now() + SignedDuration::from_mins(2);
                let place = Place { step: &step.id, way: *index, call: UNDO + number };
                match self.call(place, operation, until).await {
                    Called::Accepted => {}
                    Called::Failed(why) | Called::Barred(why) | Called::Refused(why) => {
                        return Settled::Failed(why);
                    }
                    Called::Stopped(cause) => return Settled::Stopped(cause),
                }
                if let Some(Steering::In(_)) = operation.steering() {
                    let now = self.setup.clock.now();
                    *self.brought_back.lock().unwrap_or_else(PoisonError::into_inner) = Some(now);
                }
                let Some(proof) = super::effect::effect(operation, &self.setup.topology) else { continue };
                let sent = self.setup.clock.now();
                let until = sent + SignedDuration::from_mins(10);
                if let Err(settled) = self.awaited(step, &proof, sent, until).await {
                    return settled;
                }
            }
        }
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).retain(|(known, ..)| known != &step.id);
        self.tell_durably(Event::StepUndone { step: step.id.clone() }).await;
        Settled::Done
    }

    /// Waits for what must be so before this call of an undo, when it may come to be so: a region lives before its users
    /// are let back to it, and they are back before what stood in for it is lowered.
    async fn may_be_undone(&self, step: &Step, operation: &Operation) -> Result<(), Settled> {
        let now = self.setup.clock.now();
        if let Some(Steering::In(region)) = operation.steering() {
            let groups = super::effect::groups(&self.setup.topology, region);
            let alive = Condition::Alive { region: region.clone(), groups };
            return self.awaited(step, &alive, now, now + RETURNING).await;
        }
        let back = *self.brought_back.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(_), Some(back)) = (raised(&self.setup.plan, operation), back) {
            let lives = Duration::from_secs(self.setup.topology.policy.answers_live_seconds);
            let name = format!("TTL of {} s since users were let back", lives.as_secs()).into();
            let forgotten = Condition::Elapsed { span: lives, name };
            let until =
                back + SignedDuration::try_from(lives).unwrap_or_default() + SignedDuration::from_mins(1);
            return self.awaited(step, &forgotten, back, until.max(now)).await;
        }
        Ok(())
    }

    /// Waits until a condition holds; `Err` when it does not come to hold by then.
    async fn awaited(
        &self,
        step: &Step,
        condition: &Condition,
        began: Timestamp,
        until: Timestamp,
    ) -> Result<(), Settled> {
        match self.proof(step, condition, began, began, until).await {
            Tried::Done(_) => Ok(()),
            Tried::GivenUp(why) | Tried::Barred(why) | Tried::Refused(why) => Err(Settled::Failed(why)),
            Tried::Stopped(cause) => Err(Settled::Stopped(cause)),
        }
    }
}

/// A step that passes when it fails is not worth more than two rounds.
fn hopeless(step: &Step) -> bool {
    step.on_failure == crate::runbook::plan::OnFailure::Pass
}

/// A promotion that is refused for certain is for the operator to decide about, who may detach instead.
fn moves_writer(step: &Step) -> bool {
    step.ways.iter().flat_map(|way| &way.calls).any(crate::runbook::operation::Operation::moves_writer)
}

fn longest(condition: &Condition) -> std::time::Duration {
    match condition {
        Condition::All { of } | Condition::Any { of } => of.iter().map(longest).max().unwrap_or_default(),
        Condition::AliveFor { span, .. } | Condition::Elapsed { span, .. } => *span,
        _ => std::time::Duration::ZERO,
    }
}
