//! What RDS tells of an unplanned promotion, beside the steps.
//!
//! What it is for: once a promotion that may lose data was sent, RDS's events are read now and then until they say
//! whether the old primary was fenced and whether the writer's endpoint has moved; what they say is told at once.
//! What it must not do: hold up a step, or fail one: a fence that did not come about is for the operator to know.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Context;
use crate::domain::ids::{Arn, GlobalClusterId, Region};
use crate::domain::text::Text;
use crate::domain::topology::{AuroraGlobal, Topology};
use crate::runbook::aftermath::{Aftermath, Told};
use crate::runbook::event::{Entry, Event};
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::operation::Operation;
use crate::runbook::plan::{Plan, StepId};

/// How often RDS is asked.
const EVERY: Duration = Duration::from_secs(5);

/// For how long after the call.
const LISTENED: SignedDuration = SignedDuration::from_mins(20);

/// AWS's clock may be behind ours.
const SKEW: SignedDuration = SignedDuration::from_secs(60);

/// How long one look may take; at the end of a run it is waited for.
const LOOKING: Duration = Duration::from_secs(5);

/// The writer's endpoint moves within so long of the promotion, usually: only then the end of a run waits for it.
const MOVING: SignedDuration = SignedDuration::from_secs(40);

/// A promotion of the plan that may lose data.
#[derive(Debug)]
pub(super) struct Promotion {
    step: StepId,
    global: AuroraGlobal,
    /// The new writer.
    to: Arn,
    /// Where RDS is asked: where the call goes, and the region that is left.
    regions: Vec<Region>,
    /// When it was first sent.
    sent: Option<Timestamp>,
    /// When it was proven.
    proven: Option<Timestamp>,
    /// True once it was told whether the old primary was fenced.
    fence: bool,
    /// When the endpoint moved, once that was told.
    moved: Option<Timestamp>,
    /// Why nothing was told so far.
    silence: Text,
    /// True when the new writer's region tells its events.
    readable: bool,
}

impl Promotion {
    /// The promotions of a plan, as far as earlier sittings have brought them.
    pub(super) fn all(plan: &Plan, topology: &Topology, told: &[Entry]) -> Vec<Self> {
        let calls = plan.steps.iter().flat_map(|step| {
            let calls = step.ways.iter().flat_map(|way| &way.calls);
            calls.map(move |call| (step, call))
        });
        let mut all: Vec<Self> = calls
            .filter_map(|(step, call)| {
                let Operation::FailoverGlobalCluster { region, global, target } = call else { return None };
                let left = plan.params.region.iter().filter(|left| *left != region);
                Some(Self {
                    step: step.id.clone(),
                    global: topology.aurora.iter().find(|one| &one.id == global)?.clone(),
                    to: target.clone(),
                    regions: std::iter::once(region).chain(left).cloned().collect(),
                    sent: None,
                    proven: None,
                    fence: false,
                    moved: None,
                    silence: Text::default(),
                    readable: false,
                })
            })
            .collect();
        for entry in told {
            for one in &mut all {
                match &entry.event {
                    Event::Intent { step, .. } if *step == one.step => {
                        one.sent.get_or_insert(entry.at);
                    }
                    Event::StepDone { step, .. } | Event::StepHeld { step, .. } if *step == one.step => {
                        one.proven.get_or_insert(entry.at);
                    }
                    Event::Aftermath { aftermath } if aftermath.global == one.global.id => {
                        one.heard(&aftermath.told);
                    }
                    _ => {}
                }
            }
        }
        all
    }

    fn heard(&mut self, told: &Told) {
        self.fence |= told.is_about_the_fence();
        if let Told::EndpointMoved { said } = told {
            self.moved = Some(said.at);
        }
    }

    /// What is to be read, while there is something left to be told.
    fn wanted(&self) -> Vec<Fact> {
        match self.sent {
            Some(sent) if !(self.fence && self.moved.is_some()) => {
                self.regions.iter().map(|region| Fact::RdsEvents(region.clone(), sent - SKEW)).collect()
            }
            _ => Vec::new(),
        }
    }

    /// What was told that is new.
    fn hear(&mut self, facts: &Facts) -> Vec<Aftermath> {
        let Some(sent) = self.sent else { return Vec::new() };
        let (mut news, mut silence) = (Vec::new(), Vec::new());
        let home = self.regions.first().map(|region| Fact::RdsEvents(region.clone(), sent - SKEW));
        self.readable = home.is_some_and(|fact| facts.rds_events(&fact).is_some());
        for region in self.regions.clone() {
            let fact = Fact::RdsEvents(region.clone(), sent - SKEW);
            let Some(events) = facts.rds_events(&fact) else {
                let why = facts.error(&fact).map_or_else(|| "no answer".to_owned(), ToString::to_string);
                silence.push(format!("RDS in {region} does not tell: {why}"));
                continue;
            };
            for event in events.iter().filter(|event| event.at >= sent - SKEW) {
                let Some(told) = Told::of(&self.global, &self.to, &region, event) else { continue };
                let known = if told.is_about_the_fence() { self.fence } else { self.moved.is_some() };
                if !known {
                    self.heard(&told);
                    news.push(Aftermath { global: self.global.id.clone(), told });
                }
            }
            silence.push(format!("RDS in {region} says nothing of it"));
        }
        self.silence = silence.join("; ").into();
        news
    }
}

impl Context {
    /// A call of a step is about to be sent: of a promotion the first moment counts.
    pub(super) fn promotion_sent(&self, step: &StepId) {
        let now = self.setup.clock.now();
        self.with_promotions(|one| {
            if &one.step == step {
                one.sent.get_or_insert(now);
            }
        });
    }

    /// A step is proven.
    pub(super) fn promotion_proven(&self, step: &StepId) {
        let now = self.setup.clock.now();
        self.with_promotions(|one| {
            if &one.step == step {
                one.proven.get_or_insert(now);
            }
        });
    }

    /// Tells what RDS tells of promotions; never ends. Whoever drops it before it is [heard out](Self::heard_out) loses what
    /// it is about to tell.
    pub(super) async fn listening(&self) {
        let clock = self.setup.clock;
        let mut any = false;
        self.with_promotions(|_| any = true);
        while any && !self.steps_over.load(Ordering::SeqCst) {
            let since = clock.now() - LISTENED;
            self.listen(|one| one.sent.is_some_and(|sent| sent >= since)).await;
            clock.sleep(EVERY).await;
        }
        std::future::pending::<()>().await;
    }

    /// Ends the listening: whoever polls it until this is through has heard it out.
    pub(super) async fn heard_out(&self) {
        self.steps_over.store(true, Ordering::SeqCst);
        drop(self.hearing.lock().await);
    }

    /// Before the end: another look where the endpoint is about to move, or nobody knows whether the old primary was fenced,
    /// and a plain word when nobody tells. Gives what the operator must know of all promotions of this sitting.
    pub(super) async fn aftermath(&self) -> Vec<Aftermath> {
        let clock = self.setup.clock;
        let open = |one: &Promotion| one.proven.is_some() && one.sent.is_some() && !one.fence;
        loop {
            let since = clock.now() - MOVING;
            let moving = |one: &Promotion| one.proven.is_some_and(|at| at >= since) && one.moved.is_none();
            self.listen(|one| open(one) || moving(one)).await;
            let mut waits = false;
            self.with_promotions(|one| waits |= moving(one) && one.readable);
            if !waits {
                break;
            }
            clock.sleep(EVERY).await;
        }
        let mut silent = Vec::new();
        self.with_promotions(|one| {
            if open(one) {
                let why = if one.silence.is_empty() {
                    "RDS did not answer in time".into()
                } else {
                    one.silence.clone()
                };
                silent.push(Aftermath { global: one.global.id.clone(), told: Told::Silent { why } });
            }
        });
        for aftermath in silent {
            self.tell_aftermath(aftermath).await;
        }
        self.alarming.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// One look, and the telling of what is new, one after the other.
    async fn listen(&self, which: impl Fn(&Promotion) -> bool) {
        let _one = self.hearing.lock().await;
        let mut wanted = BTreeSet::new();
        self.with_promotions(|one| {
            if which(one) {
                wanted.extend(one.wanted());
            }
        });
        if wanted.is_empty() {
            return;
        }
        let wanted: Vec<Fact> = wanted.into_iter().collect();
        let looking = self.setup.executor.observe(&wanted);
        let facts = self.setup.clock.timeout(LOOKING, looking).await.unwrap_or_default();
        let mut news = Vec::new();
        self.with_promotions(|one| {
            if which(one) {
                news.extend(one.hear(&facts));
            }
        });
        for aftermath in news {
            self.tell_aftermath(aftermath).await;
        }
    }

    async fn tell_aftermath(&self, aftermath: Aftermath) {
        if aftermath.is_alarming() {
            self.alarming.lock().unwrap_or_else(PoisonError::into_inner).push(aftermath.clone());
            self.tell_durably(Event::Aftermath { aftermath }).await;
        } else {
            self.tell(Event::Aftermath { aftermath }).await;
        }
    }

    /// When writer endpoints moved, as far as RDS has told.
    pub(super) fn moved_at(&self) -> BTreeMap<GlobalClusterId, Timestamp> {
        let mut moved = BTreeMap::new();
        self.with_promotions(|one| moved.extend(one.moved.map(|at| (one.global.id.clone(), at))));
        moved
    }

    fn with_promotions(&self, look: impl FnMut(&mut Promotion)) {
        self.promotions.lock().unwrap_or_else(PoisonError::into_inner).iter_mut().for_each(look);
    }
}
