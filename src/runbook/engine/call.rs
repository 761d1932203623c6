//! One call: looked up, interlocked, recorded, sent, and found out about when its answer is lost.
//!
//! What it is for: the rules of re-sending. A definite refusal that may pass is tried again; what was seen and
//! has moved on is read again; an unknown outcome is looked up before anything is sent again, and what starts,
//! creates or deletes is never sent twice without such a look.
//! What it must not do: judge the step; a call that was accepted proves nothing.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::effect::{effect, touches};
use super::hold::Held;
use super::interlock::{
    WayOut, alive, carried_facts, may_lower, survivors, survivors_facts, writer_facts, writer_may_move,
};
use super::{Context, LOOK, Stop};
use crate::domain::observation::Reading;
use crate::domain::text::Text;
use crate::runbook::condition::{Condition, Judgement};
use crate::runbook::event::{ActFailure, Event, LeaseOutcome};
use crate::runbook::fact::{Fact, Facts, Known};
use crate::runbook::operation::{Operation, Resend, Steering};
use crate::runbook::plan::{OnFailure, StepId};
use crate::runbook::situation::words;
use crate::runbook::undo::UNDO;

/// Where in a plan a call stands.
#[derive(Clone, Debug)]
pub(super) struct Place<'a> {
    pub(super) step: &'a StepId,
    pub(super) way: usize,
    pub(super) call: usize,
}

/// What became of a call.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Called {
    /// Accepted, or its effect was there already.
    Accepted,
    /// Not accepted in the time given.
    Failed(Text),
    /// It would be wrong to send it: an interlock. The step fails at once.
    Refused(Text),
    /// Credentials are not accepted. Another way may have others.
    Barred(Text),
    /// Nothing is sent any more.
    Stopped(Stop),
}

/// First pause before a call is sent again; doubled up to eight seconds.
const PAUSE: Duration = Duration::from_secs(1);

/// How long a database operation must be seen not to be under way before it may be sent again.
const SETTLING: Duration = Duration::from_secs(20);

impl Context {
    /// Makes one call, at most until `until`.
    pub(super) async fn call(&self, place: Place<'_>, operation: &Operation, until: Timestamp) -> Called {
        let mut operation = operation.clone();
        let topology = &self.setup.topology;
        let proof = effect(&operation, topology);
        let mut pause = PAUSE;
        // Said once, however often the call is sent again.
        let mut doubted: Option<Text> = None;
        self.settle_marks(place.step).await;
        // A call that was sent before, in this process or an earlier one, and whose outcome nobody knows.
        let mut unknown = self.told_sent(&place, &operation) || proof.is_some() && self.in_doubt(&place);
        for attempt in 0.. {
            if let Err(cause) = self.may_send() {
                return Called::Stopped(cause);
            }
            let asked_at = self.setup.clock.now();
            let (saved, words) = self
                .within(until, &place, self.before(&operation, proof.as_ref(), asked_at))
                .await
                .unwrap_or_default();
            if let Some(Judgement::Holds { .. }) = words {
                return Called::Accepted;
            }
            if unknown && operation.resend() == Resend::Observe {
                match self.may_repeat(&operation, proof.as_ref(), until).await {
                    Repeat::Took => return Called::Accepted,
                    Repeat::Allowed => unknown = false,
                    Repeat::No(why) => return Called::Failed(why),
                }
            }
            refresh(&mut operation, &saved);
            self.note_lag(&saved);
            if attempt == 0 {
                self.tell_lag(&saved).await;
            }
            match self.interlocked(&place, &operation, asked_at).await {
                Ok(doubt) if doubt == doubted => {}
                Ok(doubt) => {
                    doubted.clone_from(&doubt);
                    if let Some(words) = doubt {
                        self.tell(Event::Noted { words }).await;
                    }
                }
                Err(why) => return Called::Refused(why),
            }
            let intent = Event::Intent {
                step: place.step.clone(),
                way: place.way,
                call: place.call,
                attempt,
                operation: Box::new(operation.clone()),
                saved,
            };
            if let Err(why) = self.record(intent, true).await {
                return Called::Refused(
                    format!("not sent, for the intent could not be recorded: {why}").into(),
                );
            }
            if let Err(called) = self.leased().await {
                return called;
            }
            self.sending(&place);
            self.mark_call(place.step);
            self.promotion_sent(place.step);
            let sent =
                self.within(until, &place, self.setup.executor.apply(&operation, &self.setup.approval));
            // An answer that comes later is found by looking.
            let late = |late: Text| Err(ActFailure::Unknown { why: late });
            let failure = match sent.await.unwrap_or_else(late) {
                Ok(receipt) => {
                    self.tell(Event::Applied {
                        step: place.step.clone(),
                        way: place.way,
                        call: place.call,
                        request_id: receipt.request_id,
                    })
                    .await;
                    return Called::Accepted;
                }
                Err(failure) => failure,
            };
            self.tell(Event::NotApplied {
                step: place.step.clone(),
                way: place.way,
                call: place.call,
                failure: failure.clone(),
            })
            .await;
            if failure.is_definite() {
                self.not_sent(&place);
            }
            match failure {
                ActFailure::Refused { why } => return Called::Failed(why),
                ActFailure::Credentials { why } => return Called::Barred(why),
                ActFailure::Unknown { .. } => unknown = true,
                ActFailure::Busy { .. } | ActFailure::Moved { .. } | ActFailure::NotSent { .. } => {}
            }
            if self.setup.clock.now() + SignedDuration::try_from(pause).unwrap_or_default() >= until {
                return Called::Failed(failure.why().clone());
            }
            self.rest(pause).await;
            pause = (pause * 2).min(Duration::from_secs(8));
        }
        Called::Failed("not accepted".into())
    }

    /// Waits for a part of a call. What a failover may pass over ends when its step does, whoever hangs: nothing that
    /// is best effort may outlast its bound.
    async fn within<T>(
        &self,
        until: Timestamp,
        place: &Place<'_>,
        part: impl Future<Output = T>,
    ) -> Result<T, Text> {
        let step = self.setup.plan.step(place.step);
        if !self.setup.emergency || step.is_none_or(|step| step.on_failure != OnFailure::Pass) {
            return Ok(part.await);
        }
        let left = Duration::try_from(until.duration_since(self.setup.clock.now())).unwrap_or_default();
        self.setup
            .clock
            .timeout(left, part)
            .await
            .map_err(|_| "no answer in the time that this step has".into())
    }

    /// Keeps the last lag that was read before a promotion.
    fn note_lag(&self, saved: &Facts) {
        let lag = saved.iter().find_map(|(fact, seen)| match (fact, seen.reading()) {
            (Fact::RpoLag(..), Some(Reading { value: Known::Number(lag), as_of, .. })) => {
                Some((*lag, *as_of))
            }
            _ => None,
        });
        if let Some(lag) = lag {
            *self.lag.lock().unwrap_or_else(PoisonError::into_inner) = Some(lag);
        }
    }

    /// Says how old the last lag is: a recovery point is worth as much as its age allows.
    async fn tell_lag(&self, saved: &Facts) {
        let lags: Vec<String> = saved
            .iter()
            .filter_map(|(fact, seen)| {
                match (fact, seen.reading().map(|reading| (&reading.value, reading.as_of))) {
                    (Fact::RpoLag(region, cluster), Some((Known::Number(lag), as_of))) => {
                        let age = self.setup.clock.now().duration_since(as_of);
                        let age = Duration::try_from(age).unwrap_or_default();
                        Some(format!(
                            "{cluster} in {region} was {} behind at {}, {} ago",
                            words::millis(*lag),
                            as_of.strftime("%H:%M:%SZ"),
                            words::span(age)
                        ))
                    }
                    (Fact::RpoLag(region, cluster), _) => {
                        Some(format!("how far {cluster} in {region} is behind is not known"))
                    }
                    _ => None,
                }
            })
            .collect();
        if !lags.is_empty() {
            let words = format!("before the promotion: {}", lags.join("; "));
            self.tell(Event::Noted { words: words.into() }).await;
        }
    }

    /// Sleeps, with jitter, so that two runs that met at a limit do not meet again.
    async fn rest(&self, pause: Duration) {
        self.setup.clock.sleep(pause.mul_f64(0.75 + fastrand::f64() * 0.5)).await;
    }

    /// What the call touches, as it is right now, and whether its effect is there already.
    async fn before(
        &self,
        operation: &Operation,
        proof: Option<&Condition>,
        asked_at: Timestamp,
    ) -> (Facts, Option<Judgement>) {
        let mut wanted = touches(operation, &self.setup.topology);
        wanted.extend(self.lag_at_stake(operation));
        if wanted.is_empty() {
            return (Facts::new(), None);
        }
        let facts = self.setup.executor.observe(&wanted).await;
        let words = proof.map(|proof| self.judge(proof, &facts, asked_at, asked_at));
        (facts, words)
    }

    /// A cluster that leaves in a failover takes with it what has reached it; in a cleanup nobody minds.
    fn lag_at_stake(&self, operation: &Operation) -> Option<Fact> {
        let Operation::RemoveFromGlobalCluster { region, cluster, .. } = operation else { return None };
        let clusters = self.setup.topology.aurora.iter().filter(|_| self.setup.emergency);
        let member = clusters.flat_map(|global| &global.members).find(|member| &member.arn == cluster)?;
        Some(Fact::RpoLag(region.clone(), member.id.clone()))
    }

    /// Notes that a call is on its way.
    fn sending(&self, place: &Place<'_>) {
        let key = (place.step.clone(), place.way, place.call);
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).push(key.clone());
        self.doubtful.lock().unwrap_or_else(PoisonError::into_inner).push(key);
    }

    /// Notes that the call on its way was definitely refused; earlier tries of it may still be in doubt.
    fn not_sent(&self, place: &Place<'_>) {
        for list in [&self.doubtful, &self.sent] {
            let mut list = list.lock().unwrap_or_else(PoisonError::into_inner);
            let last = list.iter().rposition(|(step, way, call)| {
                step == place.step && *way == place.way && *call == place.call
            });
            if let Some(last) = last {
                list.remove(last);
            }
        }
    }

    /// True when this process sent this call and it was not definitely refused. An accepted call counts: its
    /// effect may take a while to be seen.
    fn in_doubt(&self, place: &Place<'_>) -> bool {
        let doubtful = self.doubtful.lock().unwrap_or_else(PoisonError::into_inner);
        doubtful
            .iter()
            .any(|(step, way, call)| step == place.step && *way == place.way && *call == place.call)
    }

    /// True when the journal has an intent for this call and no definite answer to it.
    fn told_sent(&self, place: &Place<'_>, operation: &Operation) -> bool {
        let mut sent = false;
        for entry in &self.setup.told {
            match &entry.event {
                Event::Intent { step, way, call, operation: told, .. }
                    if step == place.step && *way == place.way && *call == place.call =>
                {
                    sent = same_call(told, operation);
                }
                Event::NotApplied { step, way, call, failure }
                    if step == place.step && *way == place.way && *call == place.call =>
                {
                    sent = matches!(failure, ActFailure::Unknown { .. }) && sent;
                }
                _ => {}
            }
        }
        sent
    }

    /// Whether a call that may have been sent can be sent again, found out by looking.
    async fn may_repeat(&self, operation: &Operation, proof: Option<&Condition>, until: Timestamp) -> Repeat {
        let Some(proof) = proof else {
            // Nothing observable tells. New tasks are asked for once, and the step's own proof decides; ending what
            // is ended already changes nothing, while counting it as done would leave it half done for good.
            return match operation {
                Operation::Redeploy { .. } => Repeat::Took,
                _ => Repeat::Allowed,
            };
        };
        let began = self.setup.clock.now();
        let mut quiet_since: Option<Timestamp> = None;
        loop {
            let now = self.setup.clock.now();
            let facts = self.look(&[proof]).await;
            match self.judge(proof, &facts, began, now) {
                Judgement::Holds { .. } => return Repeat::Took,
                Judgement::NotYet { .. } | Judgement::Never { .. } if !operation.moves_writer() => {
                    return Repeat::Allowed;
                }
                Judgement::NotYet { .. } | Judgement::Never { .. } => {
                    let wanted = writer_facts(&self.setup.topology, operation);
                    let facts = self.setup.executor.observe(&wanted).await;
                    if writer_may_move(&self.setup.topology, &facts, operation, now).is_ok() {
                        let since = *quiet_since.get_or_insert(now);
                        if self.setup.clock.now().duration_since(since).unsigned_abs() >= SETTLING {
                            return Repeat::Allowed;
                        }
                    } else {
                        quiet_since = None;
                    }
                }
                Judgement::Unknown { .. } => quiet_since = None,
            }
            if self.may_send().is_err() || self.setup.clock.now() >= until {
                return Repeat::No(
                    "it may have been sent, and nobody can tell: look before it is sent again".into(),
                );
            }
            self.setup.clock.sleep(LOOK).await;
        }
    }

    /// The engine's own interlocks: what they let pass in doubt, if anything; `Err` says what would go wrong.
    async fn interlocked(
        &self,
        place: &Place<'_>,
        operation: &Operation,
        asked_at: Timestamp,
    ) -> Result<Option<Text>, Text> {
        let topology = &self.setup.topology;
        let mut doubt = None;
        if place.call >= UNDO {
            let plan = &self.setup.plan;
            let wanted = carried_facts(topology, plan, operation);
            let facts =
                if wanted.is_empty() { Facts::new() } else { self.setup.executor.observe(&wanted).await };
            may_lower(topology, plan, &facts, operation, asked_at - SignedDuration::from_secs(60))?;
        }
        // A cleanup of the whole application leaves nobody in DNS on purpose: its own guard refuses while users come.
        let whole = self.setup.plan.runbook.as_str() == "cleanup" && self.setup.plan.params.region.is_none();
        if let Some(Steering::Out(leaving)) = operation.steering().filter(|_| !whole) {
            let wanted = survivors_facts(topology, leaving);
            // What the plan was shaped by stands in where a control plane is dark: flags do not change by themselves.
            let mut facts = self.setup.plan.shaped_by.only(wanted.iter());
            facts.absorb(self.glance(&wanted).await);
            let recent = asked_at - SignedDuration::from_secs(60);
            match survivors(topology, &facts, leaving, recent) {
                WayOut::Open(_) => {}
                WayOut::Doubtful(regions) => {
                    let listed: Vec<&str> = regions.iter().map(crate::domain::ids::Region::as_str).collect();
                    // Who is in no hurry takes nobody's silence for life: one of them has to be seen to serve.
                    let lives = |region| alive(topology, &facts, region, recent) == Some(true);
                    if !self.setup.emergency && !regions.iter().any(lives) {
                        return Err(format!(
                            "nobody else who is in DNS is seen to serve: {} may, and nobody can tell now; {leaving} stays in DNS",
                            listed.join(" or ")
                        )
                        .into());
                    }
                    let words = format!(
                        "nobody can tell now whether anybody else is alive and in DNS; {} may be, and is taken for it",
                        listed.join(" or ")
                    );
                    doubt = Some(words.into());
                }
                WayOut::Closed(why) => return Err(why),
            }
        }
        if operation.moves_writer() {
            let facts = self.setup.executor.observe(&writer_facts(topology, operation)).await;
            writer_may_move(topology, &facts, operation, asked_at)?;
        }
        Ok(doubt)
    }

    /// The lease, looked at once more right before the call.
    async fn leased(&self) -> Result<(), Called> {
        match self.hold.check(self.setup.clock).await {
            Held::Ours => {}
            Held::Lost(view) => {
                self.superseded.store(true, std::sync::atomic::Ordering::SeqCst);
                self.tell(Event::Lease { outcome: LeaseOutcome::Lost { to: *view } }).await;
            }
            Held::Doubtful(why) if !self.setup.emergency => {
                return Err(Called::Failed(format!("not sent: {why}").into()));
            }
            Held::Doubtful(why) => tracing::warn!("the lease cannot be renewed: {why}"),
        }
        self.may_send().map_err(Called::Stopped)
    }
}

/// What a look after an unknown outcome says.
enum Repeat {
    /// It took effect.
    Took,
    /// It did not, for certain.
    Allowed,
    /// Nobody can tell in time.
    No(Text),
}

/// Puts the version that was just read into the update of a health check.
fn refresh(operation: &mut Operation, saved: &Facts) {
    if let Operation::SetHealthCheck { check, version, .. } = operation
        && let Some(config) = saved.health_check(&Fact::HealthCheck(check.clone()))
    {
        *version = Some(config.version);
    }
}

fn same_call(told: &Operation, operation: &Operation) -> bool {
    match (told, operation) {
        (
            Operation::SetHealthCheck { check: a, inverted: b, disabled: c, .. },
            Operation::SetHealthCheck { check, inverted, disabled, .. },
        ) => (a, b, c) == (check, inverted, disabled),
        _ => told == operation,
    }
}
