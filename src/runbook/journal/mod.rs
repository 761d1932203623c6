//! The journal: what a run does, on disk before it is done, chained, and readable after anything.
//!
//! What it is for: a folder a run, `RUNS/<run>/`, with `journal.jsonl` (one [`Entry`](super::Entry) a line),
//! `control.jsonl` (decisions from other processes) and `lock`. One writer task a run orders, chains and
//! flushes; nothing here is awaited by a thread that paints.
//! What it must not do: decide whether a run goes on without a journal (the engine does, per runbook), or
//! delete anything: files only grow, except for a torn tail that nobody was told about.
//!
//! | module | what it is |
//! |---|---|
//! | `line` | one line: its shape, its hash, what can be wrong with it |
//! | `reading` | a whole file: entries, damage, torn tail |
//! | `disk` | the file and the folder, as a trait that tests break |
//! | `tail` | what is not on disk yet, in order; `writer` is the task that holds it |
//! | `handle` | [`Journal`]: record, subscribe, resume |
//! | `recorder` | the same as the engine's [`Recorder`](super::engine::Recorder) |
//! | `lock` | one process a run |
//! | [`control`] | decisions from other processes |
//! | `follow` | a run, live, from another process |
//! | `listing` | all runs; `gist` is what is kept of each for the next list |
//! | `past` | how long steps took in runs that are over |
//! | `import` | a run from another host |
//!
//! **The chain.** A line is `{"v":1, …entry…, "prev":"…", "hash":"…"}`. `hash` is SHA-256 over the bytes of the
//! line before `,"hash"`; `prev` is the hash of the line before, so a line vouches for everything above it. The
//! first line of a *segment* has for `prev` the SHA-256 of all bytes of the file before it: the file's first
//! line, and the line that a resume writes after the operator accepted damage. Numbers are never re-serialised
//! to be checked. What the chain cannot tell: whole lines missing at the end.

pub mod control;
mod disk;
mod error;
mod follow;
mod gist;
mod handle;
mod import;
mod lent;
mod line;
mod listing;
mod lock;
mod past;
mod reading;
mod recorder;
mod tail;
mod writer;

pub use disk::{Disk, FileDisk};
pub use error::{Failure, JournalError};
pub use follow::{Follow, Followed};
pub use handle::{Journal, Recorded};
pub use import::{import, in_order};
pub use lent::{in_force, lent_days, lent_now};
pub use line::Flaw;
pub use listing::{RunState, RunSummary, Stand, list, one, stand};
pub use lock::{Holder, Lock};
pub use past::Past;
pub use reading::{Damage, Told, read, tell};

use std::path::{Path, PathBuf};

use super::event::RunId;

/// The file of entries.
pub const JOURNAL_FILE: &str = "journal.jsonl";

/// The file of decisions.
pub const CONTROL_FILE: &str = "control.jsonl";

/// The file that is locked while a process has the run.
pub const LOCK_FILE: &str = "lock";

/// How often files that another process writes are looked at.
pub const POLL: std::time::Duration = std::time::Duration::from_millis(250);

/// A run's folder. An id that was read from a table or a file is checked again: it becomes a path here.
pub fn folder_of(runs: &Path, run: &RunId) -> Result<PathBuf, JournalError> {
    let plain = RunId::parse(run.as_str()).ok_or_else(|| JournalError::NoName(run.as_str().into()))?;
    Ok(runs.join(plain.as_str()))
}
