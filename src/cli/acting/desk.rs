//! The desk: everything that planning and running needs, wired once.
//!
//! What it is for: observing what a runbook wants to know, planning, checking for drift at the confirmation,
//! and starting or taking up a run. Console and command line both sit at it.
//! What it must not do: print, or ask anybody anything.

use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc;

use super::super::exit::{Exit, Failure};
use super::super::session::Session;
use super::reading::Reading;
use super::run::not_approved;
use super::sampling::{Shared, Watching};
use crate::domain::text::Text;
use crate::poll;
use crate::ports::{BoxFuture, Clock};
use crate::runbook::catalog::{self, LeaseState};
use crate::runbook::engine::{self, Decided, Ending, NotBegun, Recorder, Setup};
use crate::runbook::journal::{self, Journal, Past, RunState, Told, control};
use crate::runbook::{
    Approval, Arming, Decision, Entry, Event, Executor, Fact, Force, LeaseError, LeaseStore, LeaseView,
    Opening, Outcome, Params, Plan, RunId, Runbook, pin,
};

/// Wired for one session. Cheap to clone.
#[derive(Clone)]
pub(in crate::cli) struct Desk {
    /// The session.
    pub(in crate::cli) session: Session,
    /// The custom endpoint in force when acting on it was not allowed.
    pub(super) foreign_endpoint: Option<Text>,
    pub(super) executor: Arc<dyn Executor>,
    pub(super) lease: Option<Arc<dyn LeaseStore>>,
    pub(super) reading: Reading,
    /// Who held the lease when it was last asked.
    pub(super) held: Arc<Mutex<Option<(Timestamp, LeaseState)>>>,
    /// Where journals lie; a simulation keeps none on disk beyond its own life.
    pub(super) runs: Arc<PathBuf>,
    /// What the console watches, for samples of runs.
    watched: Shared,
    /// How long steps took before.
    pub(super) past: Arc<Mutex<Past>>,
}

/// A run under way in this process.
pub(in crate::cli) struct Started {
    /// Its name.
    pub(in crate::cli) run: RunId,
    /// What has to be typed for it.
    pub(in crate::cli) confirm: Text,
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
    /// The answer to the halt at which the run was left.
    pub(in crate::cli) decided: Option<Decision>,
}

/// How long the program of `notify.command` may take to hear of a run's end; in the machine's time.
const LAST_WORDS: Duration = Duration::from_secs(5);

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
        let executor: Arc<dyn Executor> = Arc::new(acting);
        Self {
            foreign_endpoint: endpoint.map(Text::new),
            reading: Reading::new(executor.clone(), session.clock),
            executor,
            session,
            lease,
            held: Arc::default(),
            runs: Arc::new(runs),
            watched: Shared::default(),
            past: Arc::default(),
        }
    }

    /// Somebody watches everything already: runs are sampled from there.
    pub(in crate::cli) fn watched_by(&self, feed: poll::FleetFeed) {
        *self.watched.lock().unwrap_or_else(PoisonError::into_inner) = Some(feed);
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

    /// All runs of this application on this host, newest first.
    pub(in crate::cli) async fn listed(&self) -> Result<Vec<journal::RunSummary>, Failure> {
        let runs = self.runs.clone();
        let listed = tokio::task::spawn_blocking(move || journal::list(&runs)).await;
        listed.map_err(Failure::error)?.map_err(Failure::error)
    }

    /// What the runs tell that took the region out since it was last in service; more than one where a pin was put back.
    pub(super) async fn last_evacuation(&self, params: &Params) -> Option<Vec<Entry>> {
        let region = params.region.as_ref()?;
        let listed = self.listed().await.ok()?;
        let about = listed.into_iter().filter(|run| {
            run.opening.as_ref().is_some_and(|opening| opening.params.region.as_ref() == Some(region))
        });
        let mut runs = Vec::new();
        for run in about {
            // A record that cannot be read tells nothing; `runs list` says so.
            runs.extend(self.told(&run.id).await.ok().map(|told| told.entries));
        }
        Some(pin::evacuations(&runs, region)).filter(|entries| !entries.is_empty())
    }

    /// Reads a run's journal.
    pub(in crate::cli) async fn told(&self, run: &RunId) -> Result<Told, Failure> {
        let folder = journal::folder_of(&self.runs, run).map_err(unreadable)?;
        let path = folder.join(journal::JOURNAL_FILE);
        let told = tokio::task::spawn_blocking(move || journal::read(&path)).await;
        told.map_err(Failure::error)?.map_err(unreadable)
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
        let (runs, id) = (self.runs.clone(), run.clone());
        let listed = tokio::task::spawn_blocking(move || journal::one(&runs, &id)).await;
        if listed.map_err(Failure::error)?.map_err(unreadable)?.never_began() {
            let words =
                format!("{run} went before its first entry was on disk: nothing was done; run it anew");
            return Err(Failure::new(Exit::Usage, words));
        }
        let told = self.told(run).await?;
        let Some(Event::Opened { plan, .. }) = told.entries.first().map(|entry| &entry.event) else {
            return Err(Failure::error(format_args!("{run}: the journal does not begin with its plan")));
        };
        if let Some(outcome) = journal::stand(&told.entries, false).outcome
            && !matches!(outcome, Outcome::Halted | Outcome::Aborted)
        {
            let word = outcome.word();
            return Err(Failure::new(
                Exit::Usage,
                format_args!("{run} has ended ({word}); there is nothing to go on with"),
            ));
        }
        let plan = (**plan).clone();
        let arming = Arming::arm(&self.session.topology, clock.now())
            .map_err(|error| Failure::new(Exit::Blocked, error))?;
        // The reason of the resume covers what the first one covered; drift is what resuming is for. What is typed wrong
        // is told before anybody is asked.
        let approval = Approval::mint(&arming, clock.now(), &plan, typed, reason, true)
            .map_err(|error| not_approved(&error))?;
        // An abort sends nothing, and closing a record must not need anybody's credentials.
        let aborts = matches!(how.decided, Some(Decision::Abort { .. }));
        let findings = if aborts { Vec::new() } else { self.taken_up(&plan).await };
        let blocks = findings.iter().filter(|finding| finding.force == Force::Block);
        let blocks: Vec<&str> = blocks.map(|finding| finding.message.as_str()).collect();
        if !blocks.is_empty() {
            return Err(Failure::new(Exit::Blocked, format_args!("nothing was done: {}", blocks.join("; "))));
        }
        let emergency = catalog::by_id(plan.runbook.as_str()).is_some_and(|book| book.spec().emergency);
        let folder = journal::folder_of(&self.runs, run).map_err(unreadable)?;
        // Who goes on with it, and where: the first entry keeps who began.
        let opening = self.opening(run, &plan, &approval).await;
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
        // Nobody is asked who holds it unless it is to be taken over: the engine asks by itself.
        let take_over = match &how.take_over {
            None => None,
            Some(reason) => match self.lease_state().await {
                LeaseState::Held(view) => Some((view, reason.clone())),
                _ => None,
            },
        };
        Setup {
            executor: self.executor.clone(),
            lease: self.lease.clone(),
            recorder: Arc::new(Journaled(journal)),
            sampler: Some(Arc::new(Watching::begin(&self.session, &self.watched))),
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
            decided: how.decided.clone().map(|decision| (decision, local_user())),
        }
    }

    /// Runs the engine on this runtime, beside whoever watches. A run outlives its screen.
    async fn spawn(&self, run: RunId, setup: Setup, journal: Journal) -> Started {
        let entries = journal.subscribe_from_first();
        let confirm = setup.plan.confirm.clone();
        let command = self.session.topology.notify.as_ref().map(|notify| notify.command.clone());
        let telling = command
            .filter(|command| !command.is_empty())
            .map(|command| tokio::spawn(tell(command, journal.subscribe_from_first())));
        let (decisions, received) = mpsc::unbounded_channel();
        let mut controls = control::Watch::begin(journal.folder(), self.session.clock).await;
        // Whoever watches here may go; the word of another process must reach the run all the same.
        let from_files = decisions.clone();
        let watching = tokio::spawn(async move {
            while let Some(said) = controls.next().await {
                if from_files.send((said.decision, said.by)).is_err() {
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
            // Nobody records any more, so that whoever is told hears the end; the process may go once it was said.
            drop(journal);
            if let Some(telling) = telling
                && Clock::real().timeout(LAST_WORDS, telling).await.is_err()
            {
                tracing::warn!("notify.command did not take the run's end in time");
            }
            ending
        });
        Started { run, confirm, entries, decisions, ending }
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

    /// The identity that acts, as any scope tells it first; the local user when none does in time.
    async fn holder(&self) -> Text {
        let scopes = std::iter::once(Text::from("dns"))
            .chain(self.session.topology.regions.iter().map(|entry| Text::new(entry.name.as_str())));
        let wanted: Vec<Fact> = scopes.map(Fact::Identity).collect();
        let known = || wanted.iter().find_map(|fact| self.reading.identity(fact));
        if let Some(arn) = known() {
            return arn;
        }
        let mut reading = self.reading.begin(wanted.clone(), None, false);
        let first = async { while known().is_none() && reading.more().await {} };
        // Who acts is for the record: it keeps nobody waiting.
        let _ = self.session.clock.timeout(engine::LEASE_PATIENCE, first).await;
        known().unwrap_or_else(local_user)
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

/// Runs that have begun and not come to their end.
pub(super) fn unfinished(listed: &[journal::RunSummary]) -> Vec<RunId> {
    let open = listed.iter().filter(|run| run.state != RunState::Ended && !run.never_began());
    open.map(|run| run.id.clone()).collect()
}

/// Why a journal tells nothing; a name that is no run's was mistyped.
pub(super) fn unreadable(error: journal::JournalError) -> Failure {
    use journal::JournalError as Why;
    let exit = match error {
        Why::NoRun(_) | Why::NoName(_) | Why::Exists(_) => Exit::Usage,
        Why::Io(_) | Why::Held { .. } | Why::Damaged { .. } | Why::NotARun { .. } | Why::Closed => {
            Exit::Error
        }
    };
    Failure::new(exit, error)
}

/// Runs the topology's command at the run's beginning, halts and end, with the entry as JSON on its standard input.
/// Nothing waits for it.
async fn tell(command: Vec<String>, mut entries: mpsc::UnboundedReceiver<Entry>) {
    let mut children = tokio::task::JoinSet::new();
    while let Some(entry) = entries.recv().await {
        if !matches!(
            entry.event,
            Event::Opened { .. } | Event::Resumed { .. } | Event::Halted { .. } | Event::Ended { .. }
        ) {
            continue;
        }
        let (command, line) = (command.clone(), serde_json::to_vec(&entry).unwrap_or_default());
        children.spawn_blocking(move || {
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
    while children.join_next().await.is_some() {}
}

/// Who sits here, as far as the environment says.
pub(in crate::cli) fn local_user() -> Text {
    let name = std::env::var("USER").or_else(|_| std::env::var("LOGNAME")).unwrap_or_default();
    if name.is_empty() { "an unnamed local user".into() } else { name.into() }
}
