//! The desk: everything that planning and running needs, wired once.
//!
//! What it is for: observing what a runbook wants to know, planning, checking for drift at the confirmation,
//! and starting or taking up a run. Console and command line both sit at it.
//! What it must not do: print, or ask anybody anything.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::Arc;

use tokio::sync::mpsc;

use super::super::exit::{Exit, Failure};
use super::super::session::Session;
use crate::domain::FleetSnapshot;
use crate::domain::text::Text;
use crate::files::Baseline;
use crate::poll;
use crate::ports::{BoxFuture, Clock};
use crate::runbook::catalog::{self, LeaseState, Peaks, PlanError, Situation};
use crate::runbook::engine::{self, Decided, Ending, NotBegun, Recorder, Setup};
use crate::runbook::journal::{self, Journal, RunState, Told, control};
use crate::runbook::{
    Approval, Arming, Entry, Event, Executor, Fact, Facts, GuardFinding, LeaseError, LeaseStore, LeaseView,
    Opening, Params, Plan, RunId, Runbook, guards,
};

/// A belt for reading before a plan. Every fact has a deadline of its own, the longest 8 s, and says so itself when it
/// is late; this must be longer, since what it cuts off loses every fact.
const READING: std::time::Duration = std::time::Duration::from_secs(15);

/// Wired for one session. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Desk {
    /// The session.
    pub(in crate::cli) session: Session,
    /// The custom endpoint in force when acting on it was not allowed.
    foreign_endpoint: Option<Text>,
    executor: Arc<dyn Executor>,
    lease: Option<Arc<dyn LeaseStore>>,
    /// Where journals lie; a simulation keeps none on disk beyond its own life.
    runs: Arc<PathBuf>,
}

/// A run under way in this process.
pub(in crate::cli) struct Started {
    /// Its name.
    pub(in crate::cli) run: RunId,
    /// What happens, from its first entry.
    pub(in crate::cli) entries: mpsc::UnboundedReceiver<Entry>,
    /// Where decisions go.
    pub(in crate::cli) decisions: mpsc::UnboundedSender<Decided>,
    /// How it ends.
    pub(in crate::cli) ending: tokio::task::JoinHandle<Result<Ending, NotBegun>>,
}

/// How a run is begun or taken up.
#[derive(Clone, Debug, Default)]
pub(in crate::cli) struct TakeUp {
    /// Go on over a damaged journal.
    pub(in crate::cli) accept_damage: bool,
    /// Take the lease over from its holder, with this reason.
    pub(in crate::cli) take_over: Option<Text>,
    /// Somebody answers at a halt.
    pub(in crate::cli) attended: bool,
}

/// A journal is a recorder.
struct Journaled(Journal);

impl Recorder for Journaled {
    fn record(&self, event: Event, durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        Box::pin(
            async move { self.0.record(event, durable).await.map_err(|error| Text::new(error.to_string())) },
        )
    }
}

impl Desk {
    /// Wires a session. `runs` is where journals lie.
    pub(in crate::cli) fn new(session: Session, allow_endpoint: bool, runs: PathBuf) -> Self {
        let topology = session.topology.clone();
        let acting = session.cloud.acting(topology.clone(), session.probe.clone(), session.dns.clone());
        let lease = topology.lease.as_ref().map(|settings| {
            let table = session.cloud.lease_table(settings, &topology.application);
            Arc::new(table) as Arc<dyn LeaseStore>
        });
        let endpoint = session.cloud.custom_endpoint().filter(|_| !allow_endpoint && session.demo.is_none());
        Self {
            session,
            foreign_endpoint: endpoint.map(Text::new),
            executor: Arc::new(acting),
            lease,
            runs: Arc::new(runs),
        }
    }

    /// The clock of everything.
    pub(in crate::cli) fn clock(&self) -> Clock {
        self.session.clock
    }

    /// Where journals lie.
    pub(in crate::cli) fn runs(&self) -> &std::path::Path {
        &self.runs
    }

    /// A runbook by its word.
    pub(in crate::cli) fn runbook(word: &str) -> Result<&'static dyn Runbook, Failure> {
        catalog::by_id(word).ok_or_else(|| {
            let known: Vec<&str> = catalog::RUNBOOKS.iter().map(|runbook| runbook.spec().id).collect();
            let words = format!("there is no runbook \"{word}\"; there are {}", known.join(", "));
            Failure::new(Exit::Usage, words)
        })
    }

    /// Observes what the runbook wants to know.
    pub(in crate::cli) async fn facts(&self, runbook: &dyn Runbook, params: &Params) -> Facts {
        let wanted: Vec<Fact> = runbook.wants(&self.session.topology, params);
        let asking = self.executor.observe(&wanted);
        self.session.clock.timeout(READING, asking).await.unwrap_or_default()
    }

    /// One observation of everything, for a command line that has no console beside it.
    pub(in crate::cli) async fn fleet(&self) -> FleetSnapshot {
        let session = &self.session;
        let observed = poll::observe_once(
            session.cloud.clone(),
            session.topology.clone(),
            session.probe.clone(),
            session.clock,
            READING,
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

    /// Plans on a snapshot and what was just read.
    pub(in crate::cli) async fn plan(
        &self,
        runbook: &dyn Runbook,
        params: &Params,
        fleet: &FleetSnapshot,
        armed: bool,
    ) -> Result<Plan, PlanError> {
        let (facts, lease, baseline) =
            tokio::join!(self.facts(runbook, params), self.lease_state(), self.baseline());
        let peaks = self.peaks(baseline.as_ref());
        let saved = baseline
            .as_ref()
            .and_then(|baseline| baseline.snapshot(self.session.clock.now()))
            .map(|snapshot| Facts::of_fleet(&snapshot, &self.session.topology));
        let journal = if runbook.spec().id == "restore" { self.last_evacuation(params).await } else { None };
        let unfinished = self.unfinished().await;
        let situation = Situation {
            topology: &self.session.topology,
            fleet,
            facts: &facts,
            peaks: &peaks,
            now: self.session.clock.now(),
            armed,
            foreign_endpoint: self.foreign_endpoint.clone(),
            lease,
            unfinished: &unfinished,
            journal: journal.as_deref(),
            baseline: saved.as_ref(),
        };
        runbook.plan(&situation, params)
    }

    /// What differs now from what the plan was made on.
    pub(in crate::cli) async fn drift(&self, plan: &Plan) -> Vec<GuardFinding> {
        let wanted: Vec<Fact> = plan.shaped_by.iter().map(|(fact, _)| fact.clone()).collect();
        let asking = self.executor.observe(&wanted);
        let now = self.session.clock.timeout(READING, asking).await.unwrap_or_default();
        guards::drift(plan, &now)
    }

    fn peaks(&self, baseline: Option<&Baseline>) -> Peaks {
        let Some(baseline) = baseline else { return Peaks::default() };
        let mut peaks = Peaks::default();
        for entry in &self.session.topology.regions {
            if let Some(requests) = baseline.peak_requests(&entry.name) {
                peaks.requests.insert(entry.name.clone(), requests);
            }
            for service in &entry.services {
                if let Some(tasks) = baseline.peak_tasks(&entry.name, &service.key) {
                    peaks.tasks.insert((entry.name.clone(), service.key.clone()), tasks);
                }
            }
        }
        peaks
    }

    /// Who holds the lease, for guards and for the banner.
    pub(in crate::cli) async fn lease_state(&self) -> LeaseState {
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

    /// All runs of this application on this host, newest first.
    pub(in crate::cli) async fn listed(&self) -> Result<Vec<journal::RunSummary>, Failure> {
        let runs = self.runs.clone();
        let listed = tokio::task::spawn_blocking(move || journal::list(&runs)).await;
        listed.map_err(Failure::error)?.map_err(Failure::error)
    }

    async fn unfinished(&self) -> Vec<RunId> {
        let listed = self.listed().await.unwrap_or_default();
        listed.into_iter().filter(|run| run.state != RunState::Ended).map(|run| run.id).collect()
    }

    /// The journals of the runs that took the region out since it was last brought back, the oldest first: a failover
    /// that takes over from a drain finds the region, or its survivors, as the drain left them.
    async fn last_evacuation(&self, params: &Params) -> Option<Vec<Entry>> {
        use crate::runbook::Outcome;
        let region = params.region.as_ref()?;
        let mut runs: Vec<Vec<Entry>> = Vec::new();
        let mut out = false;
        for run in &self.listed().await.ok()? {
            let Some(opening) = &run.opening else { continue };
            let book = opening.runbook.as_str();
            if opening.params.region.as_ref() != Some(region) || !matches!(book, "drain" | "failover" | "restore") {
                continue;
            }
            let settled = matches!(run.outcome, Some(Outcome::Done | Outcome::Undone));
            // Brought back by a restore, or by other means before a newer run took it out again.
            if settled && (out || book == "restore") {
                break;
            }
            if book == "restore" {
                continue;
            }
            let Ok(told) = self.told(&run.id).await else { continue };
            out |= told.entries.iter().any(|entry| {
                matches!(&entry.event, Event::Intent { operation, .. }
                    if operation.steering() == Some(crate::runbook::Steering::Out(region)))
            });
            runs.push(told.entries);
        }
        (!runs.is_empty()).then(|| runs.into_iter().rev().flatten().collect())
    }

    /// Reads a run's journal.
    pub(in crate::cli) async fn told(&self, run: &RunId) -> Result<Told, Failure> {
        let folder = journal::folder_of(&self.runs, run).map_err(Failure::error)?;
        let path = folder.join(journal::JOURNAL_FILE);
        let told = tokio::task::spawn_blocking(move || journal::read(&path)).await;
        told.map_err(Failure::error)?.map_err(Failure::error)
    }

    /// Begins a run of a confirmed plan.
    pub(in crate::cli) async fn start(
        &self,
        plan: Plan,
        approval: Approval,
        emergency: bool,
        how: TakeUp,
    ) -> Result<Started, Failure> {
        let clock = self.session.clock;
        let region = plan.params.region.as_ref().map(|region| region.as_str().to_owned());
        let run = RunId::new(clock.now(), plan.runbook.as_str(), region.as_deref(), fastrand::u16(..));
        let blocked = |error: journal::JournalError| {
            Failure::new(Exit::Blocked, format_args!("nothing was done: {error}"))
        };
        let journal = if emergency {
            let made = Journal::create_within(&self.runs, &run, clock, engine::JOURNAL_PATIENCE).await;
            made.map_err(blocked)?
        } else {
            Journal::create(&self.runs, &run, clock).await.map_err(blocked)?
        };
        let opening = self.opening(&run, &plan, &approval).await;
        let setup = self.setup(plan, approval, opening, emergency, journal.clone(), &how).await;
        Ok(self.spawn(run, setup, journal).await)
    }

    /// Takes a run up where its journal ends.
    pub(in crate::cli) async fn take_up(
        &self,
        run: &RunId,
        typed: &str,
        reason: &str,
        how: TakeUp,
    ) -> Result<Started, Failure> {
        let clock = self.session.clock;
        let told = self.told(run).await?;
        let Some(Event::Opened { plan, opening, .. }) = told.entries.first().map(|entry| &entry.event) else {
            return Err(Failure::error(format_args!("{run}: the journal does not begin with its plan")));
        };
        if let Some(Event::Ended { outcome, .. }) = told.entries.last().map(|entry| &entry.event)
            && *outcome != crate::runbook::Outcome::Halted
        {
            return Err(Failure::new(
                Exit::Usage,
                format_args!("{run} has ended; there is nothing to resume"),
            ));
        }
        let plan = (**plan).clone();
        let arming = Arming::arm(&self.session.topology, clock.now())
            .map_err(|error| Failure::new(Exit::Blocked, error))?;
        // The reason of the resume covers what the first one covered; drift is what resuming is for.
        let approval = Approval::mint(&arming, clock.now(), &plan, typed, reason, true)
            .map_err(|error| Failure::new(Exit::Blocked, error))?;
        let emergency = catalog::by_id(plan.runbook.as_str()).is_some_and(|book| book.spec().emergency);
        let folder = journal::folder_of(&self.runs, run).map_err(Failure::error)?;
        let opening = Opening { reason: reason.into(), ..(**opening).clone() };
        let (journal, told) = Journal::resume(&folder, how.accept_damage, clock)
            .await
            .map_err(|error| Failure::new(Exit::Blocked, error))?;
        let mut setup = self.setup(plan, approval, opening, emergency, journal.clone(), &how).await;
        setup.damage = told.damage.iter().map(|damage| Text::new(damage.to_string())).collect();
        setup.told = told.entries;
        Ok(self.spawn(run.clone(), setup, journal).await)
    }

    async fn setup(
        &self,
        plan: Plan,
        approval: Approval,
        opening: Opening,
        emergency: bool,
        journal: Journal,
        how: &TakeUp,
    ) -> Setup {
        let take_over = match (&how.take_over, self.lease_state().await) {
            (Some(reason), LeaseState::Held(view)) => Some((view, reason.clone())),
            _ => None,
        };
        Setup {
            executor: self.executor.clone(),
            lease: self.lease.clone(),
            recorder: Arc::new(Journaled(journal)),
            clock: self.session.clock,
            topology: self.session.topology.clone(),
            plan,
            approval,
            opening,
            emergency,
            told: Vec::new(),
            damage: Vec::new(),
            take_over,
            attended: how.attended,
        }
    }

    /// Runs the engine on this runtime, beside whoever watches. A run outlives its screen.
    async fn spawn(&self, run: RunId, setup: Setup, journal: Journal) -> Started {
        let entries = journal.subscribe_from_first();
        if let Some(command) = self.session.topology.notify.as_ref().map(|notify| notify.command.clone())
            && !command.is_empty()
        {
            tokio::spawn(tell(command, journal.subscribe_from_first()));
        }
        let (decisions, received) = mpsc::unbounded_channel();
        let mut controls = control::Watch::begin(journal.folder(), self.session.clock).await;
        let from_files = decisions.downgrade();
        let watching = tokio::spawn(async move {
            while let Some(said) = controls.next().await {
                let Some(decisions) = from_files.upgrade() else { return };
                if decisions.send((said.decision, said.by)).is_err() {
                    return;
                }
            }
        });
        let ending = tokio::spawn(async move {
            let ending = engine::run(setup, received).await;
            watching.abort();
            if let Err(error) = journal.close().await {
                tracing::warn!("the journal of the run could not be closed: {error}");
            }
            ending
        });
        Started { run, entries, decisions, ending }
    }

    async fn opening(&self, run: &RunId, plan: &Plan, approval: &Approval) -> Opening {
        Opening {
            run: run.clone(),
            application: self.session.topology.application.clone(),
            runbook: plan.runbook.clone(),
            params: plan.params.clone(),
            holder: self.holder().await,
            host: Text::new(gethostname::gethostname().to_string_lossy()),
            pid: std::process::id(),
            reason: approval.reason().clone(),
            overrides: approval.overrides().to_vec(),
            version: env!("CARGO_PKG_VERSION").into(),
        }
    }

    /// The identity that acts, as any scope tells it; the local user when none does in time.
    pub(in crate::cli) async fn holder(&self) -> Text {
        let scopes = std::iter::once(Text::from("dns"))
            .chain(self.session.topology.regions.iter().map(|entry| Text::new(entry.name.as_str())));
        let wanted: Vec<Fact> = scopes.map(Fact::Identity).collect();
        let asking = self.executor.observe(&wanted);
        let facts = self.session.clock.timeout(engine::LEASE_PATIENCE, asking).await.unwrap_or_default();
        let told = wanted.iter().find_map(|fact| facts.identity(fact));
        told.map_or_else(local_user, |identity| Text::new(identity.arn.as_str()))
    }

    /// The lease's holder in words, for `runs`.
    pub(in crate::cli) fn held_by(view: &LeaseView) -> String {
        LeaseError::Held(Box::new(view.clone())).to_string()
    }

    /// The lease store, for imports.
    pub(in crate::cli) fn lease(&self) -> Option<&Arc<dyn LeaseStore>> {
        self.lease.as_ref()
    }
}

/// Runs the topology's command at the run's beginning, halts and end, with the entry as JSON on its standard input.
/// Nothing waits for it.
async fn tell(command: Vec<String>, mut entries: mpsc::UnboundedReceiver<Entry>) {
    while let Some(entry) = entries.recv().await {
        if !matches!(
            entry.event,
            Event::Opened { .. } | Event::Resumed { .. } | Event::Halted { .. } | Event::Ended { .. }
        ) {
            continue;
        }
        let (command, line) = (command.clone(), serde_json::to_vec(&entry).unwrap_or_default());
        tokio::task::spawn_blocking(move || {
            let (program, arguments) = command.split_first()?;
            let child = Command::new(program)
                .args(arguments)
                .stdin(Stdio::piped())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn();
            match child {
                Ok(mut child) => {
                    // A program that does not read its input is told nothing, which is its own affair.
                    let _ = child.stdin.take()?.write_all(&line);
                    let _ = child.wait();
                }
                Err(error) => tracing::warn!("notify.command could not be run: {error}"),
            }
            Some(())
        });
    }
}

/// Who sits here, as far as the environment says.
pub(in crate::cli) fn local_user() -> Text {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    if name.is_empty() { "an unnamed local user".into() } else { name.into() }
}
