//! Planning at the desk: reading what a runbook wants to know, and making the plan of it.
//!
//! What it is for: a console has a plan at once, on what it has seen, and a better one as answers come; a command line
//! reads everything at the same time. What it must not do: wait for a dark region where an emergency is planned, or
//! change anything.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use super::Desk;
use super::desk::unfinished;
use super::reading::Awaited;
use crate::app::acting::{Basis, Reads};
use crate::domain::FleetSnapshot;
use crate::domain::ids::Region;
use crate::domain::snapshot::{DnsSnapshot, Usage};
use crate::domain::text::Text;
use crate::files::Baseline;
use crate::poll;
use crate::ports::Clock;
use crate::runbook::catalog::{self, LeaseState, Lent, Peaks, PlanError, Situation};
use crate::runbook::engine;
use crate::runbook::journal::{self, Past, RunSummary};
use crate::runbook::situation::scopes;
use crate::runbook::{
    Entry, Event, Fact, Facts, GuardFinding, GuardId, Params, Plan, RunId, Runbook, guards,
};

/// A belt for reading before a plan. Every fact has a deadline of its own, the longest 8 s, and says so itself when it
/// is late; this must be longer, since what it cuts off loses every fact.
const READING: Duration = Duration::from_secs(15);

/// An emergency waits no longer for anybody, and plans on what is known by then.
const EMERGENCY: Duration = Duration::from_secs(5);

/// The one observation of a command line waits no longer than this in an emergency.
const GLANCE: Duration = Duration::from_secs(3);

/// While answers come in, the plan is made again this often; in the machine's time.
const PACE: Duration = Duration::from_millis(500);

/// The first plan waits no longer for this host's disk, which may be slow or gone; in the machine's time.
const DISK: Duration = Duration::from_millis(50);

/// Who held the lease is taken for so for this long.
const LEASE_KNOWN: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// How long reading past runs may hold up a plan; without them it says what is usual.
const PAST: Duration = Duration::from_secs(1);

/// A plan is asked for.
#[derive(Clone, Copy)]
pub(in crate::cli) struct Asked<'a> {
    /// Of which runbook.
    pub(in crate::cli) runbook: &'static dyn Runbook,
    /// By which wishes.
    pub(in crate::cli) params: &'a Params,
    /// Whether the console is armed for it, or the command line confirmed.
    pub(in crate::cli) armed: bool,
    /// What is read for it.
    pub(in crate::cli) reads: Reads,
}

/// What planning takes from this host's disk.
#[derive(Default)]
struct Ground {
    peaks: Peaks,
    saved: Option<Facts>,
    journal: Option<Vec<Entry>>,
    unfinished: Vec<RunId>,
    past: Past,
}

impl Desk {
    /// One observation of everything, for a command line that has no console beside it.
    async fn fleet(&self, deadline: Duration) -> FleetSnapshot {
        let session = &self.session;
        let observed = poll::observe_once(
            session.cloud.clone(),
            session.topology.clone(),
            session.probe.clone(),
            session.clock,
            deadline,
        );
        let (snapshot, baseline) = tokio::join!(observed, self.baseline());
        match baseline {
            Some(baseline) => baseline.fill(snapshot),
            None => snapshot,
        }
    }

    async fn baseline(&self) -> Option<Baseline> {
        match &self.session.store {
            Some(store) => store.load().await.0,
            None => None,
        }
    }

    /// Plans for a console: at once on what it has seen, again while answers come in, and at last on all of them. A
    /// dark region keeps nobody waiting for the others.
    pub(in crate::cli) async fn plan_as_told(
        &self,
        asked: Asked<'_>,
        fleet: &FleetSnapshot,
        mut tell: impl FnMut(Basis, Result<Plan, PlanError>) + Send,
    ) {
        if asked.reads == Reads::Stale {
            let plan = self.renewed(asked, fleet).await;
            return tell(Basis::Read, plan);
        }
        let mut reading = self.read(asked);
        let machine = Clock::real();
        let mut grounding = Box::pin(self.ground(asked));
        let found = machine.timeout(DISK, grounding.as_mut()).await.ok();
        let late = found.is_none().then_some(grounding);
        let mut ground = found.unwrap_or_default();
        let seen = Facts::of_fleet(fleet, &self.session.topology);
        let mut lease = self.lease_known();
        let facts = reading.known(&seen);
        tell(Basis::Known, self.make(asked, fleet, &facts, &ground, lease.clone()));
        let mut pace = machine.interval(PACE);
        pace.tick().await;
        let answers = self.patiently(asked, reading.all());
        let all = async {
            let disk = async {
                match late {
                    Some(late) => self.patiently(asked, late).await,
                    None => None,
                }
            };
            let (lease, _, found) = tokio::join!(self.lease_state(), answers, disk);
            (lease, found)
        };
        tokio::pin!(all);
        loop {
            tokio::select! {
                biased;
                (told, found) = &mut all => {
                    lease = told;
                    ground = found.unwrap_or(ground);
                    break;
                }
                _ = pace.tick() => {
                    if reading.has_news() {
                        let facts = reading.known(&seen);
                        let waits = reading.missing();
                        tell(Basis::Partly { waits }, self.make(asked, fleet, &facts, &ground, lease.clone()));
                    }
                }
            }
        }
        let facts = reading.known(&seen);
        tell(Basis::Read, self.make(asked, fleet, &facts, &ground, lease));
    }

    /// Plans for a command line, which has seen nothing yet: everything is read at the same time.
    pub(in crate::cli) async fn plan(&self, asked: Asked<'_>) -> Result<Plan, PlanError> {
        let mut reading = self.read(asked);
        let patience = if asked.runbook.spec().emergency { GLANCE } else { READING };
        let (fleet, _, lease, ground) = tokio::join!(
            self.fleet(patience),
            self.patiently(asked, reading.all()),
            self.lease_state(),
            self.patiently(asked, self.ground(asked))
        );
        let facts = reading.known(&Facts::of_fleet(&fleet, &self.session.topology));
        self.make(asked, &fleet, &facts, &ground.unwrap_or_default(), lease)
    }

    /// Why nobody takes the credentials, as the last plan's reading told.
    pub(super) fn refused_everywhere(&self) -> Option<Text> {
        self.reading.refused_everywhere()
    }

    /// Begins to read what a plan wants to know.
    fn read(&self, asked: Asked<'_>) -> Awaited {
        let wanted = asked.runbook.wants(&self.session.topology, asked.params);
        let dark = asked.params.region.clone().filter(|_| asked.runbook.spec().emergency);
        self.reading.begin(wanted, dark, asked.reads == Reads::Anew)
    }

    /// Plans again on what is watched and on what was read before; only what is older than its limit is read once more.
    async fn renewed(&self, asked: Asked<'_>, fleet: &FleetSnapshot) -> Result<Plan, PlanError> {
        let wanted = asked.runbook.wants(&self.session.topology, asked.params);
        let seen = Facts::of_fleet(fleet, &self.session.topology);
        let mut told = self.reading.told(wanted.clone());
        let known = told.known(&seen);
        let (now, freshness) = (self.session.clock.now(), &self.session.topology.freshness);
        let stale = |fact: &Fact| known.get(fact).is_none_or(|observed| observed.is_stale(now, freshness));
        let old: Vec<Fact> = wanted.into_iter().filter(stale).collect();
        let dark = asked.params.region.clone().filter(|_| asked.runbook.spec().emergency);
        let reading = self.reading.begin(old, dark, false);
        let (lease, _, ground) = tokio::join!(
            self.lease_state(),
            self.patiently(asked, reading.all()),
            self.patiently(asked, self.ground(asked))
        );
        let facts = told.known(&seen);
        self.make(asked, fleet, &facts, &ground.unwrap_or_default(), lease)
    }

    /// Waits, in an emergency not for long. What is not there by then is missing, and the plan says so.
    async fn patiently<T>(&self, asked: Asked<'_>, awaited: impl Future<Output = T>) -> Option<T> {
        let patience = if asked.runbook.spec().emergency { EMERGENCY } else { READING };
        self.session.clock.timeout(patience, awaited).await.ok()
    }

    async fn ground(&self, asked: Asked<'_>) -> Ground {
        let journal = async {
            let restores = asked.runbook.spec().id == "restore";
            if restores { self.last_evacuation(asked.params).await } else { None }
        };
        let (baseline, journal, listed, past) =
            tokio::join!(self.baseline(), journal, self.listed(), self.past());
        // A list that cannot be read is told by `runs list`; here it stands in nobody's way.
        let listed = listed.unwrap_or_default();
        let saved = baseline.as_ref().and_then(|baseline| baseline.snapshot(self.session.clock.now()));
        let lent = self.lent(asked, &listed).await;
        Ground {
            peaks: Peaks { lent, ..self.peaks(baseline.as_ref(), &listed) },
            saved: saved.map(|saved| Facts::of_fleet(&saved, &self.session.topology)),
            journal,
            unfinished: unfinished(&listed),
            past,
        }
    }

    /// How long steps took before; nothing when the disk does not say so soon.
    async fn past(&self) -> Past {
        let (known, session) = (self.past.clone(), self.session.clone());
        let runs = self.runs().to_owned();
        let reading = tokio::task::spawn_blocking(move || {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            known.renew(&runs, &session.topology);
            known.clone()
        });
        match self.session.clock.timeout(PAST, reading).await {
            Ok(Ok(past)) => past,
            Ok(Err(_)) | Err(_) => Past::default(),
        }
    }

    fn make(
        &self,
        asked: Asked<'_>,
        fleet: &FleetSnapshot,
        facts: &Facts,
        ground: &Ground,
        lease: LeaseState,
    ) -> Result<Plan, PlanError> {
        let situation = self.situation(fleet, facts, ground, lease, asked.armed);
        let mut plan = asked.runbook.plan(&situation, asked.params)?;
        ground.past.fill(&mut plan);
        Ok(plan)
    }

    fn situation<'a>(
        &'a self,
        fleet: &'a FleetSnapshot,
        facts: &'a Facts,
        ground: &'a Ground,
        lease: LeaseState,
        armed: bool,
    ) -> Situation<'a> {
        Situation {
            topology: &self.session.topology,
            fleet,
            facts,
            peaks: &ground.peaks,
            now: self.session.clock.now(),
            armed,
            foreign_endpoint: self.foreign_endpoint.clone(),
            lease,
            unfinished: &ground.unfinished,
            journal: ground.journal.as_deref(),
            baseline: ground.saved.as_ref(),
        }
    }

    /// What is examined anew before a run is taken up, perhaps by other hands in another shell: who acts, and where.
    pub(super) async fn taken_up(&self, plan: &Plan) -> Vec<GuardFinding> {
        let topology = &self.session.topology;
        let emergency = catalog::by_id(plan.runbook.as_str()).is_some_and(|book| book.spec().emergency);
        let dark = plan.params.region.clone().filter(|_| emergency);
        let wanted: Vec<Fact> = scopes(topology).into_iter().map(Fact::Identity).collect();
        let mut reading = self.reading.begin(wanted, dark, true);
        let limit = if emergency { engine::LEASE_PATIENCE } else { READING };
        // Whoever does not answer in time is not known, which the guard says.
        let _ = self.session.clock.timeout(limit, reading.all()).await;
        let now = self.session.clock.now();
        let fleet = FleetSnapshot {
            now,
            regions: Vec::new(),
            dns: Arc::new(DnsSnapshot::skeleton(topology)),
            usage: Usage::default(),
            pins: Arc::default(),
        };
        let facts = reading.known(&Facts::new());
        let ground = Ground::default();
        let situation = self.situation(&fleet, &facts, &ground, LeaseState::Unread, true);
        guards::taken_up(&situation.view(), plan)
    }

    /// What differs now from what the plan was made on. An emergency waits only a little for who does not answer.
    pub(in crate::cli) async fn drift(&self, plan: &Plan) -> Vec<GuardFinding> {
        let emergency = catalog::by_id(plan.runbook.as_str()).is_some_and(|book| book.spec().emergency);
        let wanted: Vec<Fact> = plan.shaped_by.iter().map(|(fact, _)| fact.clone()).collect();
        let mut reading = self.reading.begin(wanted, None, true);
        let limit = if emergency { EMERGENCY } else { READING };
        let read = self.session.clock.timeout(limit, reading.all());
        let (_, lease) = tokio::join!(read, self.lease_state());
        let mut moved = guards::drift(plan, &reading.known(&Facts::new()));
        // Somebody who took the lease meanwhile is the reason for whatever else has moved, and is told first.
        let told = plan.findings.iter().any(|finding| finding.guard == GuardId::Lease);
        if let LeaseState::Held(view) = &lease
            && !told
        {
            moved.insert(0, GuardFinding::block(GuardId::Lease, emergency, Self::held_by(view)));
        }
        moved
    }

    fn peaks(&self, baseline: Option<&Baseline>, runs: &[RunSummary]) -> Peaks {
        let Some(baseline) = baseline else { return Peaks::default() };
        let mut peaks = Peaks::default();
        let regions: Vec<&Region> = self.session.topology.regions.iter().map(|entry| &entry.name).collect();
        let lent = journal::lent_days(runs, &regions, self.session.clock.now());
        for entry in &self.session.topology.regions {
            if let Some(requests) = baseline.peak_requests(&entry.name, &lent) {
                peaks.requests.insert(entry.name.clone(), requests);
            }
            for service in &entry.services {
                if let Some(tasks) = baseline.peak_tasks(&entry.name, &service.key, &lent) {
                    peaks.tasks.insert((entry.name.clone(), service.key.clone()), tasks);
                }
            }
        }
        peaks
    }

    /// Whose users others carry by runs of ours, and how many tasks they were to have for those of the region that is
    /// asked about.
    async fn lent(&self, asked: Asked<'_>, runs: &[RunSummary]) -> Lent {
        let regions: Vec<&Region> = self.session.topology.regions.iter().map(|entry| &entry.name).collect();
        let regions = journal::lent_now(runs, &regions, self.session.clock.now());
        let run = asked.params.region.as_ref().and_then(|region| journal::in_force(runs, region));
        let carried = match run {
            // A record that is slow or damaged tells nothing: then more is counted.
            Some(run) => match self.session.clock.timeout(PAST, self.told(&run.id)).await {
                Ok(Ok(told)) => match told.entries.first().map(|entry| &entry.event) {
                    Some(Event::Opened { plan, .. }) => Lent::asked_by(plan),
                    _ => BTreeMap::new(),
                },
                Ok(Err(_)) | Err(_) => BTreeMap::new(),
            },
            None => BTreeMap::new(),
        };
        Lent { regions, carried }
    }

    /// Who holds the lease, for guards and for `runs`.
    pub(in crate::cli) async fn lease_state(&self) -> LeaseState {
        let state = self.ask_lease().await;
        let known = Some((self.session.clock.now(), state.clone()));
        *self.held.lock().unwrap_or_else(PoisonError::into_inner) = known;
        state
    }

    /// Who held it when it was asked a moment ago.
    fn lease_known(&self) -> LeaseState {
        if self.lease.is_none() {
            return LeaseState::NotConfigured;
        }
        let held = self.held.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let now = self.session.clock.now();
        let recent = held.filter(|(at, _)| now.duration_since(*at) <= LEASE_KNOWN);
        recent.map_or(LeaseState::Unread, |(_, state)| state)
    }

    async fn ask_lease(&self) -> LeaseState {
        let Some(store) = &self.lease else { return LeaseState::NotConfigured };
        let asking = store.holder(&self.session.topology.application);
        match self.session.clock.timeout(engine::LEASE_PATIENCE, asking).await {
            Ok(Ok(None)) => LeaseState::Free,
            Ok(Ok(Some(view))) if view.released => LeaseState::Free,
            Ok(Ok(Some(view))) => LeaseState::Held(view),
            Ok(Err(error)) => LeaseState::Unreachable(error.to_string().into()),
            Err(elapsed) => LeaseState::Unreachable(elapsed.to_string().into()),
        }
    }
}
