//! The hands of the console: what its dialogs ask for, carried out beside the observing.
//!
//! What it is for: planning on the newest snapshot, minting the approval by our own clock, looking for drift
//! once more, starting runs and passing on what happens in them.
//! What it must not do: let the screen wait, or take a run down with it: a run outlives the console.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::{Notify, mpsc, watch};

use super::super::exit::Failure;
use super::super::session::Session;
use super::desk::local_user;
use super::{Asked, Desk, PinReader, TakeUp};
use crate::app::acting::{Basis, Planned, Reads, Wish};
use crate::app::{Effect, Event, Start};
use crate::domain::FleetSnapshot;
use crate::domain::pin::Pins;
use crate::domain::text::Text;
use crate::poll::FleetFeed;
use crate::runbook::engine::Decided;
use crate::runbook::{Approval, Decision, Force, PlanError, RunId, catalog, pin};

/// A run of this process, and where its decisions go.
type Running = (RunId, mpsc::UnboundedSender<Decided>);

/// Carries out what the console wants done. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Hands {
    desk: Result<Desk, Text>,
    events: mpsc::UnboundedSender<Event>,
    running: Arc<Mutex<Vec<Running>>>,
    /// How many runs are under way.
    count: watch::Sender<usize>,
    /// Told when a run went on, for whoever watches what runs left.
    went_on: Arc<Notify>,
}

impl Hands {
    /// Hands for a session; `keep` is where a simulation's journals lie while the console lives.
    pub(in crate::cli) fn new(
        session: &Session,
        allow_endpoint: bool,
        keep: Option<&std::path::Path>,
        events: mpsc::UnboundedSender<Event>,
        count: watch::Sender<usize>,
    ) -> Self {
        let runs = match keep {
            Some(folder) => Ok(folder.to_owned()),
            None => session.runs().map_err(|failure: Failure| Text::new(failure.message)),
        };
        let desk = runs.map(|runs| Desk::new(session.clone(), allow_endpoint, runs));
        Self { desk, events, running: Arc::default(), count, went_on: Arc::default() }
    }

    /// What the console watches from now on: runs are sampled from there.
    pub(in crate::cli) fn watch(&self, feed: FleetFeed) {
        if let Ok(desk) = &self.desk {
            desk.watched_by(feed);
        }
    }

    /// Carries an effect out, beside everything else.
    pub(in crate::cli) fn take(&self, effect: Effect, fleet: FleetSnapshot) {
        let hands = self.clone();
        match effect {
            Effect::Plan(wish) => {
                tokio::spawn(async move { hands.plan(wish, fleet).await });
            }
            Effect::Start(start) => {
                tokio::spawn(async move { hands.start(*start, fleet).await });
            }
            Effect::Decide(run, decision) => self.decide(&run, decision),
            Effect::Quit | Effect::Suspend | Effect::Refresh | Effect::Pause(_) | Effect::Focus(_) => {}
        }
    }

    /// Keeps the pins up to date for as long as anybody listens.
    pub(in crate::cli) fn watch_pins(&self, latest: watch::Sender<Arc<Pins>>) {
        if let Ok(desk) = &self.desk {
            tokio::spawn(PinReader::new(desk.clone()).keep(latest, self.went_on.clone()));
        }
    }

    /// Nobody decides any more: runs go on to their end or to their next halt.
    pub(in crate::cli) fn let_go(&self) {
        for (_, decisions) in self.running.lock().unwrap_or_else(PoisonError::into_inner).drain(..) {
            // A run that has just ended takes no decision.
            let _ = decisions.send((Decision::HandOver, local_user()));
        }
    }

    /// Waits until no run is under way.
    pub(in crate::cli) async fn none_running(&self) {
        let mut count = self.count.subscribe();
        // The sender is ours, so that waiting cannot fail.
        let _ = count.wait_for(|count| *count == 0).await;
    }

    fn say(&self, event: Event) {
        // A console that has ended hears nothing, which is all right.
        let _ = self.events.send(event);
    }

    async fn plan(&self, wish: Wish, fleet: FleetSnapshot) {
        let ticket = wish.ticket;
        let tell = |basis, plan| self.say(Event::Planned(Box::new(Planned { ticket, basis, plan })));
        match (&self.desk, catalog::by_id(wish.book.id())) {
            (Err(why), _) => tell(Basis::Read, Err(PlanError::Impossible(why.clone()))),
            (_, None) => {
                let why = format!("there is no runbook {}", wish.book.id()).into();
                tell(Basis::Read, Err(PlanError::Impossible(why)));
            }
            (Ok(desk), Some(runbook)) => {
                let params = &wish.params;
                let asked = Asked { runbook, params, armed: wish.armed, reads: wish.reads };
                desk.plan_as_told(asked, &fleet, tell).await;
            }
        }
    }

    async fn start(&self, start: Start, fleet: FleetSnapshot) {
        let ticket = start.ticket;
        if let Err((why, plan)) = self.started(start, fleet).await {
            self.say(Event::Refused { ticket, why, plan: plan.map(Box::new) });
        }
    }

    async fn started(
        &self,
        start: Start,
        fleet: FleetSnapshot,
    ) -> Result<(), (Text, Option<crate::runbook::Plan>)> {
        let plain = |why: String| (Text::new(why), None);
        let desk = self.desk.as_ref().map_err(|why| (why.clone(), None))?;
        let plan = Arc::unwrap_or_clone(start.plan);
        let Some(runbook) = catalog::by_id(plan.runbook.as_str()) else {
            return Err(plain(format!("there is no runbook {}", plan.runbook)));
        };
        let now = desk.clock().now();
        let approval = Approval::mint(
            &start.arming,
            now,
            &plan,
            start.typed.as_str(),
            start.reason.as_str(),
            start.overrides,
        )
        .map_err(|error| plain(error.to_string()))?;
        // An emergency waits for nobody: it would only be warned, and each step looks by itself before it acts.
        if !runbook.spec().emergency {
            let drift = desk.drift(&plan).await;
            let blocks = drift.iter().filter(|finding| finding.force == Force::Block);
            let moved: Vec<&str> = blocks.map(|finding| finding.message.as_str()).collect();
            if !moved.is_empty() {
                let asked = Asked { runbook, params: &plan.params, armed: true, reads: Reads::Missing };
                let mut newer = None;
                desk.plan_as_told(asked, &fleet, |_, plan| newer = plan.ok()).await;
                return Err((format!("the world has moved: {}", moved.join("; ")).into(), newer));
            }
        }
        let how = TakeUp { attended: true, ..TakeUp::default() };
        let started = desk
            .start(plan, approval, runbook.spec().emergency, how)
            .await
            .map_err(|failure| plain(failure.message))?;
        self.count.send_modify(|count| *count += 1);
        let run = started.run.clone();
        self.running.lock().unwrap_or_else(PoisonError::into_inner).push((run.clone(), started.decisions));
        self.say(Event::Started(start.ticket, run.clone()));
        let hands = self.clone();
        let mut entries = started.entries;
        tokio::spawn(async move {
            while let Some(entry) = entries.recv().await {
                if pin::matters(&entry.event) {
                    hands.went_on.notify_one();
                }
                hands.say(Event::Run(run.clone(), Arc::new(entry)));
            }
        });
        let hands = self.clone();
        tokio::spawn(async move {
            match started.ending.await {
                Ok(Ok(ending)) => tracing::info!(outcome = ?ending.outcome, "run ended: {}", ending.why),
                Ok(Err(error)) => {
                    tracing::error!("{error}");
                    hands.say(Event::Refused {
                        ticket: start.ticket,
                        why: error.to_string().into(),
                        plan: None,
                    });
                }
                Err(error) => tracing::error!("a run broke off: {error}"),
            }
            hands.count.send_modify(|count| *count = count.saturating_sub(1));
        });
        Ok(())
    }

    fn decide(&self, run: &RunId, decision: Decision) {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, decisions)) = running.iter().find(|(id, _)| id == run) {
            // A run that has just ended takes no decision.
            let _ = decisions.send((decision, local_user()));
        }
    }
}
