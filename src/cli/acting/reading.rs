//! Reading before a plan: each fact as it comes, once for all who wait for it.
//!
//! What it is for: dialogs, the decision card and the command line want much the same facts at much the same moment.
//! What is on its way is not asked for again, what came a moment ago is taken as it is, and whoever waits for a dark
//! region has what the others answered long before.
//! What it must not do: plan, or take an old reading for a new one; every fact keeps its time.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use crate::domain::Observed;
use crate::domain::ids::Region;
use crate::domain::observation::ErrorKind;
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::{Executor, Fact, Facts};

/// What was asked this short a time ago is not asked again for the next plan. The confirmation reads anew all the same.
const JUST_NOW: Duration = Duration::from_secs(5);

/// What all plans of a session read.
#[derive(Clone)]
pub(super) struct Reading {
    executor: Arc<dyn Executor>,
    clock: Clock,
    state: watch::Sender<State>,
}

#[derive(Default)]
struct State {
    known: Facts,
    /// When each was last asked.
    asked: BTreeMap<Fact, Timestamp>,
    /// Asked, and not answered yet.
    under_way: BTreeSet<Fact>,
}

/// Whoever waits for some facts.
pub(super) struct Awaited {
    wanted: Vec<Fact>,
    /// When the waiting began.
    since: Timestamp,
    state: watch::Receiver<State>,
}

impl Reading {
    /// Nothing was read yet.
    pub(super) fn new(executor: Arc<dyn Executor>, clock: Clock) -> Self {
        Self { executor, clock, state: watch::Sender::default() }
    }

    /// Begins to read what of `wanted` is neither on its way nor was asked just now; all of it when it is to be read
    /// `afresh`. What only `dark` could tell is not waited for long.
    pub(super) fn begin(&self, wanted: Vec<Fact>, dark: Option<Region>, afresh: bool) -> Awaited {
        let now = self.clock.now();
        let mut asked = Vec::new();
        self.state.send_if_modified(|state| {
            let recent = |fact: &Fact| {
                let asked = state.asked.get(fact);
                asked.is_some_and(|at| now.duration_since(*at).unsigned_abs() <= JUST_NOW)
            };
            let missing = |fact: &&Fact| !state.under_way.contains(*fact) && (afresh || !recent(fact));
            asked = wanted.iter().filter(missing).cloned().collect();
            state.under_way.extend(asked.iter().cloned());
            false
        });
        let state = self.state.subscribe();
        if !asked.is_empty() {
            let reading = self.clone();
            tokio::spawn(async move { reading.read(&asked, dark.as_ref()).await });
        }
        Awaited { wanted, since: now, state }
    }

    /// What was read before, without asking anybody.
    pub(super) fn told(&self, wanted: Vec<Fact>) -> Awaited {
        Awaited { wanted, since: self.clock.now(), state: self.state.subscribe() }
    }

    async fn read(&self, asked: &[Fact], dark: Option<&Region>) {
        let told = |facts: Facts| {
            self.state.send_modify(|state| {
                let now = self.clock.now();
                for (fact, _) in facts.iter() {
                    state.under_way.remove(fact);
                    state.asked.insert(fact.clone(), now);
                }
                state.known.absorb(facts);
            });
        };
        self.executor.observe_each(asked, dark, &told).await;
        // Whatever was not told will not be told any more.
        self.state.send_modify(|state| state.under_way.retain(|fact| !asked.contains(fact)));
    }

    /// Why nobody takes the credentials, where everybody who answered says so.
    pub(super) fn refused_everywhere(&self) -> Option<Text> {
        let state = self.state.borrow();
        let mut why = None;
        for (scope, seen) in state.known.iter().filter(|(fact, _)| matches!(fact, Fact::Identity(_))) {
            if state.known.identity(scope).is_some() {
                return None;
            }
            let refused = seen
                .error()
                .filter(|error| matches!(error.kind, ErrorKind::Expired | ErrorKind::NoCredentials));
            why = why.or_else(|| refused.map(|error| Text::new(error.to_string())));
        }
        why
    }

    /// Who answered to a scope.
    pub(super) fn identity(&self, scope: &Fact) -> Option<Text> {
        let state = self.state.borrow();
        state.known.identity(scope).map(|who| Text::new(who.arn.as_str()))
    }
}

impl Awaited {
    /// What is known by now of the wanted facts. What was read for this wait stands over what watching has `seen`; what
    /// is from just before it only while nothing newer was seen. Of two readings the newer one counts.
    pub(super) fn known(&mut self, seen: &Facts) -> Facts {
        let state = self.state.borrow_and_update();
        let mut facts = Facts::new();
        for fact in &self.wanted {
            let Some(known) = state.known.get(fact) else { continue };
            let seen = seen.get(fact);
            let for_this = state.asked.get(fact).is_some_and(|asked| *asked >= self.since);
            if !for_this && tried(known) < seen.and_then(tried) {
                continue;
            }
            let watched = seen.and_then(Observed::reading);
            let newest = match (known.reading(), watched) {
                (Some(read), Some(watched)) if watched.as_of > read.as_of => Some(watched),
                (None, watched) => watched,
                (read, _) => read,
            };
            let known = Observed::from_parts(known.source().clone(), newest.cloned(), known.error().cloned());
            facts.insert(fact.clone(), known);
        }
        facts
    }

    /// True when something came since it was last asked what is known.
    pub(super) fn has_news(&self) -> bool {
        // The sender is kept by whoever waits, so that this cannot fail.
        self.state.has_changed().unwrap_or(false)
    }

    /// Waits until something comes; false when nothing of what is wanted is on its way any more.
    pub(super) async fn more(&mut self) -> bool {
        let left = |state: &State| self.wanted.iter().any(|fact| state.under_way.contains(fact));
        left(&self.state.borrow_and_update()) && self.state.changed().await.is_ok()
    }

    /// Who has not answered yet, once each.
    pub(super) fn missing(&self) -> Vec<Text> {
        let state = self.state.borrow();
        let mut places: Vec<Text> = Vec::new();
        for fact in self.wanted.iter().filter(|fact| state.under_way.contains(*fact)) {
            let place = fact.place();
            if !places.contains(&place) {
                places.push(place);
            }
        }
        places
    }

    /// Waits until everybody has answered, or is no longer waited for.
    pub(super) fn all(&self) -> impl Future<Output = ()> + use<> {
        let (wanted, mut state) = (self.wanted.clone(), self.state.clone());
        async move {
            // Fails only when the reading itself is gone, and then nothing more will come.
            let _ = state.wait_for(|state| wanted.iter().all(|fact| !state.under_way.contains(fact))).await;
        }
    }
}

/// When it was last tried: for an answer the moment for which it holds, for a failure that of the attempt.
fn tried<T>(observed: &Observed<T>) -> Option<Timestamp> {
    observed.as_of().max(observed.error().map(|error| error.at))
}
