//! The one task that writes a run's journal.
//!
//! What it is for: taking entries in the order of their numbers, writing what has gathered in one go, and
//! answering everyone who waits; trying again by itself while something could not be written.
//! What it must not do: touch a file on its own thread, or hold up whoever records.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use super::error::JournalError;
use super::line::Segment;
use super::tail::Tail;
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::event::Entry;

/// How long after a failure the disk is tried again unasked.
const RETRY: Duration = Duration::from_secs(1);

/// Entries that are written in one go at most.
const BATCH: usize = 256;

pub(super) type Acknowledge = oneshot::Sender<Result<(), JournalError>>;

/// What the writer is asked to do.
pub(super) enum Command {
    /// Write an entry.
    Write { entry: Box<Entry>, segment: Option<Segment>, durable: bool, acknowledge: Option<Acknowledge> },
    /// Write and flush all that came before.
    Flush(Acknowledge),
    /// The same, then let go of file and lock.
    Close(Acknowledge),
}

/// What writer and handles both know.
#[derive(Default)]
pub(super) struct Standing {
    outage: Mutex<Option<Outage>>,
    unwritten: AtomicUsize,
}

impl Standing {
    /// Why entries stand in memory only, while they do.
    pub(super) fn outage(&self) -> Option<Text> {
        self.lock().as_ref().map(|outage| outage.why.clone())
    }

    /// Begins an outage, unless there is one.
    pub(super) fn begin_outage(&self, why: &Text) {
        self.lock().get_or_insert_with(|| Outage { why: why.clone(), told: false });
    }

    /// True for the first who asks in this outage: that one tells of it.
    pub(super) fn tells(&self) -> bool {
        self.lock().as_mut().is_some_and(|outage| !std::mem::replace(&mut outage.told, true))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Outage>> {
        self.outage.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn end_outage(&self) {
        *self.lock() = None;
    }

    /// Entries that were recorded and are not in the file.
    pub(super) fn unwritten(&self) -> usize {
        self.unwritten.load(Ordering::SeqCst)
    }

    /// One more entry was recorded.
    pub(super) fn recorded(&self) {
        self.unwritten.fetch_add(1, Ordering::SeqCst);
    }

    fn written(&self, count: usize) {
        self.unwritten.fetch_sub(count, Ordering::SeqCst);
    }

    fn put_back(&self, count: usize) {
        self.unwritten.fetch_add(count, Ordering::SeqCst);
    }
}

/// Entries are recorded and not written.
struct Outage {
    why: Text,
    /// True once an entry of the run says so.
    told: bool,
}

#[derive(Default)]
struct Batch {
    entries: Vec<(Entry, Option<Segment>)>,
    waiting: Vec<Acknowledge>,
    sync: bool,
    close: bool,
}

impl Batch {
    fn take(&mut self, command: Command) {
        match command {
            Command::Write { entry, segment, durable, acknowledge } => {
                self.entries.push((*entry, segment));
                self.sync |= durable;
                self.waiting.extend(acknowledge);
            }
            Command::Flush(acknowledge) => {
                self.sync = true;
                self.waiting.push(acknowledge);
            }
            Command::Close(acknowledge) => {
                self.sync = true;
                self.close = true;
                self.waiting.push(acknowledge);
            }
        }
    }
}

/// Writes until it is told to close, or until nobody is left who could record.
pub(super) async fn write(
    mut tail: Tail,
    mut commands: mpsc::UnboundedReceiver<Command>,
    standing: Arc<Standing>,
    clock: Clock,
) {
    let mut failed = false;
    loop {
        let mut batch = Batch::default();
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(command) => batch.take(command),
                None => (batch.sync, batch.close) = (true, true),
            },
            () = clock.sleep(RETRY), if failed => batch.sync = true,
        }
        while !batch.close && batch.entries.len() < BATCH {
            let Ok(command) = commands.try_recv() else { break };
            batch.take(command);
        }
        // What failed once is flushed as soon as it can be: someone may already act on it.
        let Batch { entries, waiting, sync, close } = batch;
        let (arrived, before, sync) = (entries.len(), tail.unwritten(), sync || failed);
        let work = tokio::task::spawn_blocking(move || {
            let result = tail.work(entries, sync);
            (tail, result)
        });
        let result = match work.await {
            Ok((back, result)) => {
                tail = back;
                result
            }
            // The runtime ends, and with it this task.
            Err(_) => return,
        };
        // A failed flush makes lines unwritten that had been written.
        let (had, has) = (before + arrived, tail.unwritten());
        if has <= had {
            standing.written(had - has);
        } else {
            standing.put_back(has - had);
        }
        failed = result.is_err();
        if !failed {
            standing.end_outage();
        }
        if close {
            // The lock is free by the time that the caller knows.
            commands.close();
            let _ = tokio::task::spawn_blocking(move || drop(tail)).await;
            answer(waiting, &result);
            return;
        }
        answer(waiting, &result);
    }
}

fn answer(waiting: Vec<Acknowledge>, result: &Result<(), JournalError>) {
    for acknowledge in waiting {
        // Whoever asked may have stopped waiting.
        let _ = acknowledge.send(result.clone());
    }
}
