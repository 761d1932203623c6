//! Pins, read from the records of runs: those on this host, and those that others copied beside the lease.
//!
//! What it is for: the console and `status` know which regions are out by our own act, also when another process or
//! another bastion acted. A journal is read again only when its file has changed, and the lease's table is asked
//! rarely, unless somebody holds the lease. What it must not do: judge a pin, or write anything.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, watch};

use super::super::session::Session;
use super::Desk;
use crate::domain::pin::{Pin, Pins};
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::journal::{self, JOURNAL_FILE};
use crate::runbook::{Entry, Event, LeaseError, RunId, pin};

/// How often files are looked at, in the machine's time.
const EVERY: Duration = Duration::from_secs(15);

/// How often the lease's table is asked while a region is pinned, and otherwise.
const ASKED: (SignedDuration, SignedDuration) = (SignedDuration::from_secs(60), SignedDuration::from_mins(5));

/// How long reading copies of runs may take altogether.
const PATIENCE: Duration = Duration::from_secs(4);

/// Length and last change of a journal's file.
type Stamp = (u64, Option<SystemTime>);

/// What a run tells about pins, and as of when.
type Local = BTreeMap<RunId, (Stamp, Arc<Vec<Entry>>)>;

/// Reads pins, and remembers what it has read.
pub(in crate::cli) struct PinReader {
    desk: Desk,
    local: Local,
    copied: BTreeMap<RunId, Vec<Entry>>,
    /// When the lease's table was last asked, and what it said: number, given back.
    lease_at: Option<Timestamp>,
    lease: Option<(u64, bool)>,
    /// Why copies of runs could not be read when they were last asked for.
    dark: Option<Text>,
    latest: Pins,
    asked_at: Option<Timestamp>,
}

impl PinReader {
    /// Has read nothing yet.
    pub(in crate::cli) fn new(desk: Desk) -> Self {
        Self {
            desk,
            local: Local::new(),
            copied: BTreeMap::new(),
            lease_at: None,
            lease: None,
            dark: None,
            latest: Pins::default(),
            asked_at: None,
        }
    }

    /// The same for a session that does nothing else with runs; `None` where none can be kept.
    pub(in crate::cli) fn of(session: &Session) -> Option<Self> {
        let runs = session.runs().ok()?;
        Some(Self::new(Desk::new(session.clone(), false, runs)))
    }

    /// Reads again, for as long as anybody listens; at once when `wake` says that a run went on.
    pub(in crate::cli) async fn keep(mut self, latest: watch::Sender<Arc<Pins>>, wake: Arc<Notify>) {
        let machine = Clock::real();
        loop {
            let pins = self.read().await;
            // A fleet without pins is told once; with pins, when they were read matters too.
            let first = latest.borrow().read_at.is_none();
            if first || !pins.pins.is_empty() || !latest.borrow().pins.is_empty() {
                latest.send_replace(Arc::new(pins));
            }
            tokio::select! {
                () = latest.closed() => return,
                () = machine.sleep(EVERY) => {}
                () = wake.notified() => {}
            }
        }
    }

    /// The pins as they are known now.
    pub(in crate::cli) async fn read(&mut self) -> Pins {
        let read_at = self.desk.clock().now();
        let mut unread = self.read_files().await;
        if self.asks_again(read_at) {
            self.lease_at = Some(read_at);
            self.dark = self.read_copies().await.err();
        }
        unread = unread.or_else(|| self.dark.clone());
        let runs: Vec<Vec<Entry>> = self
            .local
            .values()
            .map(|(_, entries)| entries.as_ref().clone())
            .chain(
                self.copied.iter().filter(|(run, _)| !self.local.contains_key(run)).map(|(_, e)| e.clone()),
            )
            .collect();
        let pins = pin::pins(&runs);
        let asked = self.ask(&pins, read_at).await;
        self.latest = Pins { pins, read_at: Some(read_at), unread, asked };
        self.latest.clone()
    }

    /// Reads the journals that have changed; says what stands in the way.
    async fn read_files(&mut self) -> Option<Text> {
        let (folder, known) = (self.desk.runs().to_owned(), std::mem::take(&mut self.local));
        match tokio::task::spawn_blocking(move || files(&folder, known)).await {
            Ok((local, unread)) => {
                self.local = local;
                unread
            }
            Err(error) => Some(Text::new(format!("the records of runs could not be read: {error}"))),
        }
    }

    /// True when the lease's table has not been asked for a while.
    fn asks_again(&self, now: Timestamp) -> bool {
        let every = if self.latest.pins.is_empty() { ASKED.1 } else { ASKED.0 };
        self.lease_at.is_none_or(|at| now.duration_since(at) >= every)
    }

    /// Reads runs that others copied, when the lease says that there is something new.
    async fn read_copies(&mut self) -> Result<(), Text> {
        let Some(store) = self.desk.lease().cloned() else { return Ok(()) };
        let application = self.desk.session.topology.application.clone();
        let reading = async {
            let view = store.holder(&application).await?;
            let seen = view.as_ref().map(|view| (view.number, view.released));
            let held = view.filter(|view| !view.released).map(|view| view.claim.run);
            if seen == self.lease && held.is_none() {
                return Ok(());
            }
            for run in store.runs(&application).await? {
                let whole = self.copied.get(&run).is_some_and(|entries| is_over(entries));
                if self.local.contains_key(&run) || whole && held.as_ref() != Some(&run) {
                    continue;
                }
                let mut entries = store.entries(&application, &run).await?;
                journal::in_order(&mut entries);
                entries.retain(|entry| pin::matters(&entry.event));
                self.copied.insert(run, entries);
            }
            self.lease = seen;
            Ok::<(), LeaseError>(())
        };
        match self.desk.session.clock.timeout(PATIENCE, reading).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Text::new(format!("the lease table cannot be read: {error}"))),
            Err(elapsed) => Err(Text::new(format!("the lease table {elapsed}"))),
        }
    }

    /// Asks for what no pane shows, once a minute.
    async fn ask(
        &mut self,
        pins: &[Pin],
        now: Timestamp,
    ) -> BTreeMap<crate::domain::pin::Subject, crate::domain::Observed<crate::domain::pin::Value>> {
        let apart = pin::apart(pins, &self.desk.session.topology);
        let due = self.asked_at.is_none_or(|at| now.duration_since(at) >= ASKED.0);
        if apart.is_empty() || !due && pins == self.latest.pins {
            return if apart.is_empty() { BTreeMap::new() } else { self.latest.asked.clone() };
        }
        self.asked_at = Some(now);
        let facts: Vec<_> = apart.iter().map(|(_, fact)| fact.clone()).collect();
        let answers = self.desk.executor.observe(&facts).await;
        pin::answers(&apart, pins, &answers)
    }
}

fn is_over(entries: &[Entry]) -> bool {
    entries.last().is_some_and(|entry| matches!(entry.event, Event::Ended { .. }))
}

/// The journals of a folder of runs, those that did not change as they are known.
fn files(folder: &std::path::Path, mut known: Local) -> (Local, Option<Text>) {
    let mut found = Local::new();
    let listed = match std::fs::read_dir(folder) {
        Ok(listed) => listed,
        Err(missing) if missing.kind() == std::io::ErrorKind::NotFound => return (found, None),
        Err(error) => {
            return (known, Some(Text::new(format!("{} cannot be listed: {error}", folder.display()))));
        }
    };
    let mut unread = None;
    for entry in listed.flatten() {
        let Some(run) = entry.file_name().to_str().and_then(RunId::parse) else { continue };
        let path = entry.path().join(JOURNAL_FILE);
        let Ok(about) = path.metadata() else { continue };
        let stamp = (about.len(), about.modified().ok());
        let read = match known.remove(&run) {
            Some((before, entries)) if before == stamp => (stamp, entries),
            _ => match journal::read(&path) {
                Ok(told) => {
                    let kept = told.entries.into_iter().filter(|entry| pin::matters(&entry.event));
                    (stamp, Arc::new(kept.collect()))
                }
                Err(error) => {
                    unread = Some(Text::new(error.to_string()));
                    continue;
                }
            },
        };
        found.insert(run, read);
    }
    (found, unread)
}
