//! A run, live, from another process.
//!
//! What it is for: `runs attach` reads a journal that another process writes, from its first entry on.
//! What it must not do: write, lock, or take a line for torn that is only being written.

use std::path::{Path, PathBuf};

use tokio::sync::mpsc;

use super::control::lines_after;
use super::error::JournalError;
use super::lock::Lock;
use super::reading::{Damage, Reader};
use super::{JOURNAL_FILE, POLL};
use crate::ports::Clock;
use crate::runbook::event::{Entry, Event};

/// What a followed run brings.
#[derive(Clone, Debug, PartialEq)]
pub enum Followed {
    /// An entry.
    Entry(Entry),
    /// A line that is damaged, or does not follow the one before.
    Damaged(Damage),
    /// The process that had the run is gone, and the run has not ended. Told once; it may be taken up again.
    Left,
    /// The journal cannot be read. The last that is told.
    Failed(JournalError),
}

/// Follows a run. Dropping it ends the reading.
#[derive(Debug)]
pub struct Follow {
    seen: mpsc::UnboundedReceiver<Followed>,
}

impl Follow {
    /// Follows the run in a folder; the file is looked at four times a second by the clock.
    pub fn begin(folder: &Path, clock: Clock) -> Self {
        let (found, seen) = mpsc::unbounded_channel();
        tokio::spawn(follow(folder.to_owned(), found, clock));
        Self { seen }
    }

    /// What comes next; nothing is lost when this future is dropped. `None` when the run has ended and no
    /// process has it any more.
    pub async fn next(&mut self) -> Option<Followed> {
        self.seen.recv().await
    }
}

/// One look at the file: its new lines, and whether a process had the run before they were read.
struct Look {
    lines: Vec<u8>,
    end: u64,
    held: bool,
}

fn look(folder: &Path, offset: u64) -> Result<Look, JournalError> {
    let path = folder.join(JOURNAL_FILE);
    // In this order: what a process wrote before it let go of the lock is then in the lines.
    let held = Lock::holder(folder).is_some();
    if !path.exists() && !held {
        return Err(JournalError::NoRun(folder.to_owned()));
    }
    let (lines, end) = lines_after(&path, offset).map_err(|error| JournalError::io("read", &path, &error))?;
    Ok(Look { lines, end, held })
}

async fn follow(folder: PathBuf, found: mpsc::UnboundedSender<Followed>, clock: Clock) {
    let mut reader = Reader::default();
    let (mut at, mut ended, mut left) = (0, false, false);
    let mut interval = clock.interval(POLL);
    loop {
        tokio::select! {
            () = found.closed() => return,
            _ = interval.tick() => {}
        }
        let here = folder.clone();
        let Ok(looked) = tokio::task::spawn_blocking(move || look(&here, at)).await else { return };
        let Look { lines, end, held } = match looked {
            Ok(look) => look,
            Err(error) => {
                let _ = found.send(Followed::Failed(error));
                return;
            }
        };
        at = end;
        for line in lines.split_inclusive(|byte| *byte == b'\n') {
            let seen = reader.line(line);
            if let Some(damage) = seen.damage {
                let _ = found.send(Followed::Damaged(damage));
            }
            if let Some(entry) = seen.entry {
                ended = match entry.event {
                    Event::Ended { .. } => true,
                    Event::Resumed { .. } => false,
                    _ => ended,
                };
                let _ = found.send(Followed::Entry(entry));
            }
        }
        if held {
            left = false;
        } else if ended {
            return;
        } else if !std::mem::replace(&mut left, true) {
            let _ = found.send(Followed::Left);
        }
    }
}
