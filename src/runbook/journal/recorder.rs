//! The journal as the engine's recorder.
//!
//! What it is for: keeping what the engine records, and telling a disk that hangs from one that is slow, so that
//! an emergency pays for a hanging disk once and not at every event.
//! What it must not do: decide whether the run goes on; the engine does, and it says so in the run.

use std::time::Duration;

use super::handle::{Journal, PATIENCE_IN_OUTAGE};
use super::writer::Standing;
use crate::domain::text::Text;
use crate::ports::{BoxFuture, Stopwatch};
use crate::runbook::engine::Recorder;
use crate::runbook::event::{Entry, Event};

/// A caller that gives up before this was interrupted by something else than the disk.
const SLOW: Duration = Duration::from_secs(1);

/// Someone waits for the disk. Dropped while waiting, it remembers that the disk did not answer.
struct Waiting<'a> {
    standing: &'a Standing,
    since: Stopwatch,
    answered: bool,
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        if !self.answered && self.since.elapsed() >= SLOW {
            self.standing.begin_outage(&unanswered());
        }
    }
}

fn unanswered() -> Text {
    "the disk of the journal does not answer".into()
}

impl Recorder for Journal {
    fn record(&self, event: Event, durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        Box::pin(async move {
            let known = self.outage();
            let mut waiting =
                Waiting { standing: self.standing(), since: self.clock().stopwatch(), answered: false };
            let recording = Self::record(self, event, durable);
            let recorded = match known {
                None => recording.await,
                Some(why) => match self.clock().timeout(PATIENCE_IN_OUTAGE, recording).await {
                    Ok(recorded) => recorded,
                    Err(_) => return Err(why),
                },
            };
            waiting.answered = true;
            recorded.map_err(|error| error.to_string().into())
        })
    }
}
