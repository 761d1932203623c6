//! The journal of a run, as the engine holds it.
//!
//! What it is for: numbering and recording what happens, with an acknowledgement from the disk, to whoever
//! watches in this process as well; beginning a journal and taking one up again.
//! What it must not do: wait for a file on the caller's thread, or lose what could not be written.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::disk::{Disk, FileDisk, sync_folder};
use super::error::JournalError;
use super::line::Segment;
use super::lock::{Lock, private};
use super::reading::{Damage, Told, tell};
use super::tail::Tail;
use super::writer::{Command, Standing, write};
use super::{JOURNAL_FILE, folder_of};
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::event::{Entry, Event, RunId};

/// While the disk is known not to answer, nobody waits longer than this for it again.
pub(super) const PATIENCE_IN_OUTAGE: Duration = Duration::from_millis(200);

/// The journal of one run. Clones write to the same journal; the last one that is dropped closes it.
#[derive(Clone)]
pub struct Journal {
    sequence: Arc<Mutex<Sequence>>,
    standing: Arc<Standing>,
    folder: Arc<Path>,
    clock: Clock,
}

/// What became of an entry that was not waited for at any price.
#[derive(Clone, Debug, PartialEq)]
pub enum Recorded {
    /// It is on disk.
    OnDisk(Entry),
    /// It stands in memory, in its place, and is written as soon as the disk takes it. The run is unjournaled.
    InMemory {
        /// The entry.
        entry: Entry,
        /// Why it is not on disk.
        why: Text,
    },
}

struct Sequence {
    next: u64,
    commands: mpsc::UnboundedSender<Command>,
    viewers: Vec<mpsc::UnboundedSender<Entry>>,
    entries: Vec<Entry>,
}

impl Journal {
    /// Begins a run's journal in a new folder under `runs`, locked for this process. Its first entry must be
    /// `Opened`. Fails when anything cannot be made, written or flushed.
    pub async fn create(runs: &Path, run: &RunId, clock: Clock) -> Result<Self, JournalError> {
        let folder = folder_of(runs, run)?;
        let journal = Self::on(FileDisk::new(&folder), &folder, clock);
        journal.flush().await?;
        Ok(journal)
    }

    /// The same for a run that must not wait: when the disk has not answered within `limit`, entries stand in
    /// memory until it does. Fails only when `run` is no name.
    pub async fn create_within(
        runs: &Path,
        run: &RunId,
        clock: Clock,
        limit: Duration,
    ) -> Result<Self, JournalError> {
        let folder = folder_of(runs, run)?;
        let journal = Self::on(FileDisk::new(&folder), &folder, clock);
        if let Err(why) = journal.acknowledged(journal.send(Command::Flush), limit).await {
            journal.standing.begin_outage(&why);
        }
        Ok(journal)
    }

    /// A new journal on any disk; `folder` is where control file and quarantine would be. For tests of what
    /// happens when a disk fails.
    pub fn on(disk: impl Disk, folder: &Path, clock: Clock) -> Self {
        Self::go_on(Box::new(disk), folder, clock, &tell(&[]), false)
    }

    /// Takes a run up again: locks it for this process, reads what it tells and cuts a torn last line off. With
    /// damage it fails, unless the operator accepted it: then the damaged lines are copied to
    /// `quarantine-1.jsonl` (or the next free number), and a new segment of the chain begins.
    pub async fn resume(
        folder: &Path,
        accept_damage: bool,
        clock: Clock,
    ) -> Result<(Self, Told), JournalError> {
        let taken = folder.to_owned();
        let take = move || take_up(&taken, accept_damage);
        let (disk, told, kept) =
            tokio::task::spawn_blocking(take).await.map_err(|_| JournalError::lost())??;
        let open = told.open_damage();
        let journal = Self::go_on(Box::new(disk), folder, clock, &told, !open.is_empty());
        if open.is_empty() {
            journal.flush().await?;
        } else {
            let lines: Vec<String> = open.iter().map(ToString::to_string).collect();
            let words = format!("damage accepted by the operator, kept in {kept}: {}", lines.join("; "));
            let event = Event::Noted { words: words.into() };
            let (_, acknowledgement) = journal.push(event, true, Some(Segment::Accepted));
            acknowledgement.await.map_err(|_| JournalError::Closed)??;
        }
        Ok((journal, told))
    }

    fn go_on(disk: Box<dyn Disk>, folder: &Path, clock: Clock, told: &Told, segment: bool) -> Self {
        let (commands, received) = mpsc::unbounded_channel();
        let standing = Arc::new(Standing::default());
        let prev = if segment { &told.all_hash } else { &told.last_hash };
        let tail = Tail::new(disk, told.length, prev.clone(), told.torn);
        tokio::spawn(write(tail, received, Arc::clone(&standing), clock));
        // Each line that could not be read had a number of its own.
        let next = told.next + told.open_damage().len() as u64;
        let sequence = Sequence { next, commands, viewers: Vec::new(), entries: told.entries.clone() };
        Self { sequence: Arc::new(Mutex::new(sequence)), standing, folder: folder.into(), clock }
    }

    /// Records what happened and returns when it is written, with `durable` when it is flushed to disk as well.
    /// On error the entry keeps its place in memory and is written first when the disk takes it, so whoever
    /// does not act after an error says so with an entry of its own.
    pub async fn record(&self, event: Event, durable: bool) -> Result<Entry, JournalError> {
        let (entry, acknowledgement) = self.push(event, durable, None);
        acknowledgement.await.map_err(|_| JournalError::Closed)??;
        Ok(entry)
    }

    /// Records what happened, flushed to disk if that can be had within `limit`. If not, the entry keeps its
    /// place in memory, and the first one of an outage is followed by an `Unjournaled`, recorded here.
    pub async fn record_within(&self, event: Event, limit: Duration) -> Recorded {
        let patience = match self.outage() {
            Some(_) => limit.min(PATIENCE_IN_OUTAGE),
            None => limit,
        };
        let (entry, acknowledgement) = self.push(event, true, None);
        match self.acknowledged(acknowledgement, patience).await {
            Ok(()) => Recorded::OnDisk(entry),
            Err(why) => {
                self.standing.begin_outage(&why);
                if self.standing.tells() {
                    self.push(Event::Unjournaled { why: why.clone() }, true, None);
                }
                Recorded::InMemory { entry, why }
            }
        }
    }

    /// Writes and flushes all that was recorded; after a failure this tries again at once.
    pub async fn flush(&self) -> Result<(), JournalError> {
        self.send(Command::Flush).await.map_err(|_| JournalError::Closed)?
    }

    /// The same, then lets go of file and lock. Nothing can be recorded afterwards.
    pub async fn close(&self) -> Result<(), JournalError> {
        self.send(Command::Close).await.map_err(|_| JournalError::Closed)?
    }

    /// Entries as they are recorded from now on. Nothing is lost, however slow the reader.
    pub fn subscribe(&self) -> mpsc::UnboundedReceiver<Entry> {
        self.view(false)
    }

    /// All entries of the run from its first one, then as they are recorded.
    pub fn subscribe_from_first(&self) -> mpsc::UnboundedReceiver<Entry> {
        self.view(true)
    }

    /// Why entries stand in memory only; `None` while the disk takes them.
    pub fn outage(&self) -> Option<Text> {
        self.standing.outage()
    }

    /// How many entries are recorded and not in the file.
    pub fn unwritten(&self) -> usize {
        self.standing.unwritten()
    }

    /// The run's folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    pub(super) fn standing(&self) -> &Standing {
        &self.standing
    }

    pub(super) fn clock(&self) -> Clock {
        self.clock
    }

    fn view(&self, from_first: bool) -> mpsc::UnboundedReceiver<Entry> {
        let (viewer, seen) = mpsc::unbounded_channel();
        let mut sequence = self.lock();
        if from_first {
            for entry in &sequence.entries {
                let _ = viewer.send(entry.clone());
            }
        }
        sequence.viewers.push(viewer);
        seen
    }

    /// Numbers an event and hands it to writer and viewers, all three in one order.
    fn push(
        &self,
        event: Event,
        durable: bool,
        segment: Option<Segment>,
    ) -> (Entry, oneshot::Receiver<Result<(), JournalError>>) {
        let (acknowledge, acknowledgement) = oneshot::channel();
        let mut sequence = self.lock();
        let entry = Entry { seq: sequence.next, at: self.clock.now(), event };
        sequence.next += 1;
        self.standing.recorded();
        let command = Command::Write {
            entry: Box::new(entry.clone()),
            segment,
            durable,
            acknowledge: Some(acknowledge),
        };
        // Without a writer the acknowledgement is dropped, and its receiver says so.
        let _ = sequence.commands.send(command);
        sequence.viewers.retain(|viewer| viewer.send(entry.clone()).is_ok());
        sequence.entries.push(entry.clone());
        (entry, acknowledgement)
    }

    fn send(
        &self,
        command: impl FnOnce(oneshot::Sender<Result<(), JournalError>>) -> Command,
    ) -> oneshot::Receiver<Result<(), JournalError>> {
        let (acknowledge, acknowledgement) = oneshot::channel();
        let _ = self.lock().commands.send(command(acknowledge));
        acknowledgement
    }

    async fn acknowledged(
        &self,
        acknowledgement: oneshot::Receiver<Result<(), JournalError>>,
        limit: Duration,
    ) -> Result<(), Text> {
        match self.clock.timeout(limit, acknowledgement).await {
            Ok(Ok(result)) => result.map_err(|error| error.to_string().into()),
            Ok(Err(_)) => Err(JournalError::Closed.to_string().into()),
            Err(_) => Err(format!("the disk of {} has not answered", self.folder.display()).into()),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Sequence> {
        self.sequence.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Recorded {
    /// The entry, wherever it stands.
    pub fn entry(&self) -> &Entry {
        match self {
            Self::OnDisk(entry) | Self::InMemory { entry, .. } => entry,
        }
    }
}

impl std::fmt::Debug for Journal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Journal").field("folder", &self.folder).finish_non_exhaustive()
    }
}

/// Locks and reads a run; the name of the quarantine when damage was accepted.
fn take_up(folder: &Path, accept_damage: bool) -> Result<(FileDisk, Told, String), JournalError> {
    let path = folder.join(JOURNAL_FILE);
    if !path.exists() {
        return Err(JournalError::NoRun(folder.to_owned()));
    }
    let lock = Lock::take(folder)?;
    let bytes = std::fs::read(&path).map_err(|error| JournalError::io("read", &path, &error))?;
    let told = tell(&bytes);
    let damage = told.open_damage();
    if damage.is_empty() {
        return Ok((FileDisk::of(folder, lock), told, String::new()));
    }
    if !accept_damage {
        return Err(JournalError::Damaged { path, damage });
    }
    let kept = quarantine(folder, &bytes, &damage)?;
    Ok((FileDisk::of(folder, lock), told, kept))
}

/// Copies damaged lines, byte for byte, to a file of their own.
fn quarantine(folder: &Path, journal: &[u8], damage: &[Damage]) -> Result<String, JournalError> {
    let lines: Vec<&[u8]> = journal.split_inclusive(|byte| *byte == b'\n').collect();
    let mut number = 1;
    let (path, mut file): (PathBuf, _) = loop {
        let path = folder.join(format!("quarantine-{number}.jsonl"));
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        match options.open(&path) {
            Ok(file) => break (path, file),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => number += 1,
            Err(error) => return Err(JournalError::io("write", &path, &error)),
        }
    };
    let damaged: Vec<u8> =
        damage.iter().filter_map(|damage| lines.get(damage.line - 1)).copied().flatten().copied().collect();
    file.write_all(&damaged)
        .and_then(|()| file.sync_all())
        .map_err(|error| JournalError::io("write", &path, &error))?;
    sync_folder(folder);
    Ok(format!("quarantine-{number}.jsonl"))
}
