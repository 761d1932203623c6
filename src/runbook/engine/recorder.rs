//! Where the engine's events go.
//!
//! What it is for: the trait between engine and journal, and a recorder that keeps events in memory only, for
//! a run whose disk is lost and for tests. What it must not do: decide what a lost line means for the run.

use std::sync::{Mutex, PoisonError};

use crate::domain::text::Text;
use crate::ports::{BoxFuture, Clock};
use crate::runbook::event::{Entry, Event};

/// Takes events in the order in which they are given.
pub trait Recorder: Send + Sync {
    /// Records an event and answers when it is kept: on disk when `durable`. An error says why it is not, and
    /// what to do; the event is then kept in memory and written first when the disk returns.
    fn record(&self, event: Event, durable: bool) -> BoxFuture<'_, Result<Entry, Text>>;
}

/// Keeps events in memory.
#[derive(Debug)]
pub struct InMemory {
    clock: Clock,
    entries: Mutex<Vec<Entry>>,
}

impl InMemory {
    /// An empty record.
    pub fn new(clock: Clock) -> Self {
        Self { clock, entries: Mutex::default() }
    }

    /// Everything recorded so far.
    pub fn entries(&self) -> Vec<Entry> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Recorder for InMemory {
    fn record(&self, event: Event, _durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        let mut entries = self.entries.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = Entry { seq: entries.len() as u64, at: self.clock.now(), event };
        entries.push(entry.clone());
        Box::pin(std::future::ready(Ok(entry)))
    }
}
