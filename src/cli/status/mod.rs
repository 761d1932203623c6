//! `status`: one observation of everything, as a table or as JSON.
//!
//! What it is for: scripts, pipes and people without a console. What it must not do: wait for a dark region
//! beyond its deadline, or show what was saved as if it were seen.

pub mod json;
pub mod text;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use super::acting::PinReader;
use super::args::{Global, Status};
use super::exit::{Exit, Failure};
use super::out;
use super::session::{Session, Store, WORKERS, worker};
use crate::domain::checks;
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::FleetSnapshot;
use crate::domain::{Observed, ProbeError, Topology};
use crate::poll;

/// How often `--watch` repeats.
const EVERY: Duration = Duration::from_secs(15);

/// Runs `status`.
pub(super) fn run(global: &Global, args: Status) -> Result<Exit, Failure> {
    let session = Session::configured(global)?;
    let runtime = worker(WORKERS)?;
    let printer = Printer { json: args.json, lines: args.watch, colours: out::colours(global.color) };
    let outcome = if args.watch {
        runtime.block_on(watch(&session, &printer))
    } else {
        runtime.block_on(once(&session, &printer))
    };
    // Calls that still hang are dropped; nothing waits for them.
    runtime.shutdown_background();
    outcome
}

async fn once(session: &Session, printer: &Printer) -> Result<Exit, Failure> {
    let observed = poll::observe_once(
        session.cloud.clone(),
        session.topology.clone(),
        session.probe.clone(),
        session.clock,
        poll::DEADLINE,
    );
    let pins = async {
        let mut reader = PinReader::of(session)?;
        let pins = reader.read().await;
        Some((reader, pins))
    };
    let (mut snapshot, saved, pins) = tokio::join!(observed, load(session), pins);
    if let Some((mut reader, pins)) = pins {
        // A change counts only once records of runs that are newer than it were read.
        let pins = if pins.pins.is_empty() { pins } else { reader.read().await };
        snapshot.pins = Arc::new(pins);
    }
    let shown = match &saved {
        Some(baseline) => baseline.fill(snapshot.clone()),
        None => snapshot.clone(),
    };
    let exit = printer.print(&session.topology, &shown)?.exit;
    if let Some(store) = &session.store {
        store.save(snapshot).await;
    }
    Ok(exit)
}

async fn load(session: &Session) -> Option<crate::files::Baseline> {
    let (baseline, warning) = match &session.store {
        Some(store) => store.load().await,
        None => (None, None),
    };
    warn(warning);
    baseline
}

fn warn(warning: Option<String>) {
    if let Some(warning) = warning {
        out::say(&format!("switchtower: {warning}"));
    }
}

/// Watches as the console does and prints what is known, first when everything has answered once.
async fn watch(session: &Session, printer: &Printer) -> Result<Exit, Failure> {
    let failed = |error| Failure::error(format_args!("signals cannot be watched: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    let (seed, warning) = session.store.as_ref().map(Store::seed).unwrap_or_default();
    warn(warning);
    let cancel = CancellationToken::new();
    let mut feed = poll::start(
        session.cloud.clone(),
        session.topology.clone(),
        session.probe.clone(),
        session.clock,
        seed.as_ref(),
        cancel.clone(),
    );
    let (pinned, pins) = tokio::sync::watch::channel(Arc::default());
    if let Some(reader) = PinReader::of(session) {
        tokio::spawn(reader.keep(pinned, Arc::default()));
    }
    let mut last = Exit::Unknown;
    let mut saved = session.clock.stopwatch();
    let clock = session.clock;
    let settled = async {
        while !is_settled(&feed.snapshot(clock.now())) {
            feed.changed().await;
        }
    };
    tokio::select! {
        _ = clock.timeout(poll::DEADLINE, settled) => {}
        _ = interrupt.recv() => return Ok(last),
        _ = terminate.recv() => return Ok(last),
    }
    let mut tick = clock.interval(EVERY);
    loop {
        tokio::select! {
            _ = tick.tick() => {}
            _ = interrupt.recv() => break,
            _ = terminate.recv() => break,
        }
        let mut snapshot = feed.snapshot(clock.now());
        snapshot.pins = pins.borrow().clone();
        let told = printer.print(&session.topology, &snapshot)?;
        last = told.exit;
        if !told.read {
            return Ok(last);
        }
        if let Some(store) = session.store.as_ref().filter(|_| saved.elapsed() >= Store::EVERY) {
            store.save(snapshot).await;
            saved = clock.stopwatch();
        }
    }
    cancel.cancel();
    if let Some(store) = &session.store {
        store.save(feed.snapshot(clock.now())).await;
    }
    Ok(last)
}

/// How the status is printed.
struct Printer {
    json: bool,
    /// One JSON object a line.
    lines: bool,
    colours: bool,
}

struct Printed {
    exit: Exit,
    /// Somebody read it.
    read: bool,
}

impl Printer {
    fn print(&self, topology: &Topology, snapshot: &FleetSnapshot) -> Result<Printed, Failure> {
        let verdict = checks::verdict(topology, snapshot);
        let document = json::document(topology, snapshot, &verdict);
        let words = self.words(&document)?;
        let read = out::print(&words)?;
        let mut exit = Exit::of(verdict.fleet);
        if let Some(refusal) = refused_everywhere(snapshot) {
            exit = Exit::Credentials;
            out::say(&format!("switchtower: every region refuses the credentials: {refusal}"));
        }
        Ok(Printed { exit, read })
    }

    fn words(&self, document: &Value) -> Result<String, Failure> {
        let words = match (self.json, self.lines) {
            (true, true) => serde_json::to_string(document),
            (true, false) => serde_json::to_string_pretty(document),
            (false, _) => Ok(text::table(document, self.colours)),
        };
        let words = words.map_err(|error| Failure::error(format_args!("the status is no JSON: {error}")))?;
        Ok(if words.ends_with('\n') {
            // Blocks of a watch are told apart by an empty line.
            if self.lines { words + "\n" } else { words }
        } else {
            words + "\n"
        })
    }
}

/// Everything that is asked of AWS in each region, without the words of the values.
fn attempts(snapshot: &FleetSnapshot) -> Vec<Vec<Attempt<'_>>> {
    fn of<T>(observed: &Observed<T>) -> Attempt<'_> {
        let read = observed.reading().is_some_and(|reading| !reading.saved);
        Attempt { read, error: observed.error() }
    }
    let regions = snapshot.regions.iter().map(|region| {
        let mut all = vec![of(&region.identity)];
        all.extend(region.load_balancers.values().map(of));
        all.extend(region.target_groups.values().map(of));
        all.extend(region.services.values().map(of));
        all.extend(region.scaling.values().map(of));
        all.extend(region.tables.values().map(of));
        all.extend(region.global_clusters.values().map(of));
        all.extend(region.db_clusters.values().map(of));
        all.extend(region.buckets.values().map(of));
        all.extend(region.alarms.values().map(of));
        all.extend(region.topics.values().map(of));
        all.extend(region.metrics.values().map(of));
        all
    });
    regions.collect()
}

/// What came of asking once.
struct Attempt<'a> {
    read: bool,
    error: Option<&'a ProbeError>,
}

/// True when nothing is left that was neither answered nor refused.
fn is_settled(snapshot: &FleetSnapshot) -> bool {
    attempts(snapshot).iter().flatten().all(|attempt| attempt.read || attempt.error.is_some())
        && snapshot.dns.records.values().all(|records| !records.is_pending())
        && snapshot.dns.metrics.values().all(|series| !series.is_pending())
        && snapshot.dns.alarms.values().all(|alarm| !alarm.is_pending())
}

/// The first refusal, when every region answers nothing but refusals of credentials or permission.
fn refused_everywhere(snapshot: &FleetSnapshot) -> Option<&ProbeError> {
    let refusal = |error: &ProbeError| {
        matches!(error.kind, ErrorKind::Denied | ErrorKind::Expired | ErrorKind::NoCredentials)
    };
    let regions = attempts(snapshot);
    let mut first = None;
    for attempts in &regions {
        if attempts.iter().any(|attempt| attempt.read) {
            return None;
        }
        let found = attempts.iter().find_map(|attempt| attempt.error.filter(|error| refusal(error)))?;
        first.get_or_insert(found);
    }
    first
}
