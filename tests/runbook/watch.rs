//! An executor whose every call is watched: what was sent, whether it was recorded before, what it did to users.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::ids::{Arn, Region};
use switchtower::domain::text::Text;
use switchtower::ports::BoxFuture;
use switchtower::runbook::engine::InMemory;
use switchtower::runbook::{
    ActFailure, Approval, Entry, Event, Executor, Fact, Facts, Operation, Receipt, Steering, StepId,
};
use switchtower::sim::Sim;
use tokio::sync::watch;

/// Something that a test does to the world.
pub(crate) type Deed = Box<dyn FnOnce(Sim) -> BoxFuture<'static, ()> + Send>;

/// What happens at a place of a run.
pub(crate) enum Strike {
    /// Something, right before.
    Before(Deed),
    /// Something, once the answer is here.
    After(Deed),
    /// The process dies before.
    DieBefore,
    /// The process dies before the answer is told to anybody.
    DieAfter,
}

/// Where in a run it happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Point {
    /// At the call of that number, counted from 0 over all processes.
    Call(usize),
    /// Where a step begins that calls nothing.
    Step(StepId),
}

/// A deed that needs no waiting.
pub(crate) fn deed(what: impl FnOnce(&Sim) + Send + 'static) -> Deed {
    Box::new(move |sim| {
        what(&sim);
        Box::pin(std::future::ready(()))
    })
}

/// How long a region may be dark before a run has to know it.
const NOTICED: SignedDuration = SignedDuration::from_secs(60);

/// The executor of a run, and what it saw.
pub(crate) struct Witness {
    pub(super) inner: Mutex<Arc<dyn Executor>>,
    pub(super) sim: Sim,
    pub(super) recorder: Arc<InMemory>,
    /// Every call, in order.
    pub(crate) sent: Mutex<Vec<Operation>>,
    /// Invariants that broke, in words.
    pub(crate) wrong: Mutex<Vec<String>>,
    strike: Mutex<Option<(Point, Strike)>>,
    /// Set when the process dies.
    pub(super) died: watch::Sender<bool>,
    /// Tasks that each surviving region must not fall below.
    pub(super) floor: Mutex<BTreeMap<String, usize>>,
    /// Regions that are taken down for good: their databases may write by themselves until they are deleted.
    pub(super) taken_down: Mutex<Vec<String>>,
    /// True for a run that leaves nobody in DNS on purpose.
    pub(super) ends_all: Mutex<bool>,
    /// A region that goes dark beside the run, and since when it is.
    dark: Mutex<Option<(Region, Option<Timestamp>)>>,
}

impl Witness {
    pub(super) fn new(inner: Arc<dyn Executor>, sim: Sim, recorder: Arc<InMemory>) -> Self {
        Self {
            inner: Mutex::new(inner),
            sim,
            recorder,
            sent: Mutex::default(),
            wrong: Mutex::default(),
            strike: Mutex::default(),
            died: watch::channel(false).0,
            floor: Mutex::default(),
            taken_down: Mutex::default(),
            ends_all: Mutex::default(),
            dark: Mutex::default(),
        }
    }

    pub(super) fn strike(&self, point: Point, strike: Strike) {
        *self.strike.lock().unwrap() = Some((point, strike));
    }

    /// True once the strike has struck.
    pub(super) fn struck(&self) -> bool {
        self.strike.lock().unwrap().is_none()
    }

    /// Says that the strike makes a region dark, which is not our act.
    pub(crate) fn darkens(&self, region: &Region) {
        *self.dark.lock().unwrap() = Some((region.clone(), None));
    }

    /// Says that a region is dark from now on, which is not our act.
    pub(crate) fn darkened(&self, region: &Region) {
        *self.dark.lock().unwrap() = Some((region.clone(), Some(self.sim.clock().now())));
    }

    /// True when a region that is to carry the users is, or was, dark.
    pub(super) fn is_dark_elsewhere(&self) -> bool {
        let dark = self.dark.lock().unwrap();
        dark.as_ref().is_some_and(|(region, _)| region.as_str() != super::stage::LEAVING)
    }

    /// How many regions have gone dark beside the run: none or one.
    pub(super) fn is_dark(&self) -> usize {
        usize::from(self.dark.lock().unwrap().is_some())
    }

    fn blame(&self, words: String) {
        let mut wrong = self.wrong.lock().unwrap();
        if !wrong.contains(&words) {
            wrong.push(words);
        }
    }

    /// The call has its intent on record, one for each time it is sent, or the run says that it has no journal.
    fn recorded(&self, operation: &Operation) {
        let entries = self.recorder.entries();
        if entries.iter().any(|entry| matches!(entry.event, Event::Unjournaled { .. })) {
            return;
        }
        let same = |told: &&Entry| matches!(&told.event, Event::Intent { operation: told, .. } if **told == *operation);
        let intents = entries.iter().filter(same).count();
        let sent = self.sent.lock().unwrap().iter().filter(|sent| *sent == operation).count();
        if sent > intents {
            self.blame(format!("{operation:?} was sent {sent} times with {intents} intents"));
        }
    }

    /// A call that takes a region out of DNS leaves somebody who serves, as far as a run can know.
    fn leaves_somebody(&self, operation: &Operation, when: &str) {
        let Some(Steering::Out(leaving)) = operation.steering() else { return };
        let now = self.sim.clock().now();
        let dark = self.dark.lock().unwrap().as_ref().and_then(|(_, since)| *since);
        let just = dark.is_some_and(|since| now.duration_since(since) < NOTICED);
        let view = self.sim.view();
        let other =
            view.regions.iter().any(|region| region.region != leaving.as_str() && region.up && region.in_dns);
        if !other && !just && !*self.ends_all.lock().unwrap() {
            self.blame(format!("{when}: {leaving} is taken out of DNS, and nobody else serves"));
        }
    }

    /// The world as users meet it.
    pub(crate) fn look(&self, when: &str) {
        let view = self.sim.view();
        let excused = *self.ends_all.lock().unwrap() || self.is_dark_elsewhere();
        if !excused
            && view.regions.iter().any(|region| region.up)
            && !view.regions.iter().any(|region| region.up && region.in_dns)
        {
            self.blame(format!("{when}: no living region is in DNS"));
        }
        let down = self.taken_down.lock().unwrap().clone();
        let writers: Vec<&String> =
            view.aurora_writers.iter().filter(|region| !down.contains(region)).collect();
        if writers.len() > 1 {
            self.blame(format!("{when}: two write: {writers:?}"));
        }
        for (region, floor) in &*self.floor.lock().unwrap() {
            let wanted =
                view.regions.iter().find(|seen| &seen.region == region).map_or(0, |seen| seen.desired_tasks);
            if wanted < *floor {
                self.blame(format!("{when}: {region} wants {wanted} tasks, {floor} before"));
            }
        }
    }

    /// What strikes at a place, if anything does; what is to come after it is given back.
    pub(super) async fn strikes(&self, point: &Point) -> Option<Strike> {
        let strike = self.strike.lock().unwrap().take_if(|(at, _)| at == point);
        if let (Some(_), Some((_, since))) = (&strike, &mut *self.dark.lock().unwrap()) {
            *since = Some(self.sim.clock().now());
        }
        match strike.map(|(_, strike)| strike) {
            Some(Strike::Before(deed)) => {
                deed(self.sim.clone()).await;
                None
            }
            Some(Strike::DieBefore) => self.die().await,
            later => later,
        }
    }

    /// The rest of a strike.
    pub(super) async fn follows(&self, after: Option<Strike>) {
        match after {
            Some(Strike::After(deed)) => deed(self.sim.clone()).await,
            Some(_) => {
                self.die::<()>().await;
            }
            None => {}
        }
    }

    pub(super) async fn die<T>(&self) -> T {
        self.died.send_replace(true);
        std::future::pending::<T>().await
    }
}

impl Executor for Witness {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move { inner.observe(facts).await })
    }

    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move {
            let number = {
                let mut sent = self.sent.lock().unwrap();
                sent.push(operation.clone());
                sent.len() - 1
            };
            self.recorded(operation);
            self.look(&format!("before call {number}"));
            let after = self.strikes(&Point::Call(number)).await;
            self.leaves_somebody(operation, &format!("call {number}"));
            let answer = inner.apply(operation, approval).await;
            self.look(&format!("after call {number}"));
            self.follows(after).await;
            answer
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move { inner.publish(topic, subject, message, approval).await })
    }
}

impl Witness {
    /// What observes, past the watching.
    pub(crate) fn inner(&self) -> Arc<dyn Executor> {
        self.inner.lock().unwrap().clone()
    }
}
