//! The gist of a journal that lies still: what a list says of a run, kept beside it.
//!
//! What it is for: a list of many runs reads a few hundred bytes of each and not its whole journal. The gist holds for one
//! size and time of the journal, can be deleted at any time, and is made again from the journal when it does not fit.
//! What it must not do: be believed by anything that acts. Whoever takes a run up, shows or reports it reads the journal,
//! with its chain.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::listing::Standing;
use super::lock::private;
use super::reading::{Damage, Told};
use crate::runbook::event::{Entry, Event, Opening};

/// The file, in the run's folder.
const FILE: &str = "gist.json";

/// A journal that was written so short a time before its gist may have been written once more since, within one tick of
/// the file system's clock.
const TICK: Duration = Duration::from_secs(2);

/// What a list says of a run, whoever has it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Gist {
    pub(super) opening: Option<Opening>,
    pub(super) began: Option<Timestamp>,
    pub(super) last: Option<Entry>,
    pub(super) standing: Standing,
    pub(super) damage: Vec<Damage>,
    pub(super) imported: bool,
}

#[derive(Serialize, Deserialize)]
struct Kept {
    /// Size of the journal, bytes.
    size: u64,
    /// When it was changed, since 1970.
    changed: Duration,
    gist: Gist,
}

/// By what a journal is told from the same one later: its size, and when it was changed.
pub(super) type Stamp = (u64, Duration);

impl Gist {
    /// What a journal tells.
    pub(super) fn of(told: Told) -> Self {
        let last = told.entries.last().cloned();
        let standing = Standing::of(&told.entries);
        let opened = told.entries.into_iter().find_map(|entry| match entry.event {
            Event::Opened { opening, .. } => Some((*opening, entry.at)),
            _ => None,
        });
        let (opening, began) = opened.unzip();
        Self { opening, began, last, standing, damage: told.damage, imported: told.imported }
    }

    /// The gist that is kept of a journal, while it fits.
    pub(super) fn kept(folder: &Path, (size, changed): Stamp) -> Option<Self> {
        let path = folder.join(FILE);
        let written = since_1970(path.metadata().ok()?.modified().ok()?)?;
        let kept: Kept = serde_json::from_slice(&std::fs::read(path).ok()?).ok()?;
        let fits = (kept.size, kept.changed) == (size, changed) && changed + TICK <= written;
        fits.then_some(kept.gist)
    }

    /// Keeps the gist beside the journal. One that cannot be kept costs the next list some time, and nothing else.
    pub(super) fn keep(&self, folder: &Path, (size, changed): Stamp) {
        let kept = Kept { size, changed, gist: self.clone() };
        let Ok(json) = serde_json::to_vec(&kept) else { return };
        let (path, half) = (folder.join(FILE), folder.join(".gist.json"));
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true);
        private(&mut options);
        let written = options.open(&half).and_then(|mut file| file.write_all(&json));
        if written.and_then(|()| std::fs::rename(&half, &path)).is_err() {
            tracing::debug!("the gist of {} is not kept", folder.display());
        }
    }
}

/// The stamp of a journal; `None` when there is none, or nobody can tell.
pub(super) fn stamp(journal: &Path) -> Option<Stamp> {
    let file = journal.metadata().ok()?;
    Some((file.len(), since_1970(file.modified().ok()?)?))
}

fn since_1970(time: SystemTime) -> Option<Duration> {
    time.duration_since(SystemTime::UNIX_EPOCH).ok()
}
