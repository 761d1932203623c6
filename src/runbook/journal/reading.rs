//! Reading a journal.
//!
//! What it is for: a file's entries in order, with every damaged line named by its number and everything after
//! it marked, and a torn last line dropped and told.
//! What it must not do: change a file, or believe a line because it looks well: only the chain vouches.

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::error::JournalError;
use super::line::{Flaw, Segment, decode, hex};
use crate::domain::text::Text;
use crate::runbook::event::Entry;

/// Something wrong in a journal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Damage {
    /// Line, from 1.
    pub line: usize,
    /// What is wrong.
    pub flaw: Flaw,
    /// True when the operator accepted it in an earlier resume.
    pub accepted: bool,
}

/// What a journal tells.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Told {
    /// Entries in the order of the file; those that could not be read are missing.
    pub entries: Vec<Entry>,
    /// Indices into `entries` of those that stand after damage in their segment: each is whole in itself, and
    /// nothing vouches for what was before it.
    pub doubtful: BTreeSet<usize>,
    /// What is wrong, by line.
    pub damage: Vec<Damage>,
    /// True when the last line was not written to its end. Nothing was done on its strength.
    pub torn: bool,
    /// True when the run was copied from another host; entries may be missing without being damage.
    pub imported: bool,
    /// Bytes of the file without the torn line.
    pub(super) length: u64,
    /// Hash of the last line; empty when it could not be read or there is none.
    pub(super) last_hash: String,
    /// SHA-256 of those bytes.
    pub(super) all_hash: String,
    /// The number of the next entry.
    pub(super) next: u64,
}

impl Told {
    /// True when nothing is wrong that the operator has not accepted. A torn last line is nothing wrong.
    pub fn is_trusted(&self) -> bool {
        self.damage.iter().all(|damage| damage.accepted)
    }

    /// What the operator has not accepted.
    pub fn open_damage(&self) -> Vec<Damage> {
        self.damage.iter().filter(|damage| !damage.accepted).cloned().collect()
    }

    /// What a resume says about the journal that it found, a line each; empty when nothing was wrong.
    pub fn words(&self) -> Vec<Text> {
        let damage = self.damage.iter().map(|damage| damage.to_string().into());
        let torn = self.torn.then(|| "the last line was not written to its end, and was cut off".into());
        damage.chain(torn).collect()
    }

    /// Entries with a word about each: true when it stands after damage.
    pub fn marked(&self) -> impl Iterator<Item = (&Entry, bool)> {
        self.entries.iter().enumerate().map(|(index, entry)| (entry, self.doubtful.contains(&index)))
    }
}

impl std::fmt::Display for Damage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "line {}: {}", self.line, self.flaw)?;
        if self.accepted { f.write_str(" (accepted)") } else { Ok(()) }
    }
}

/// Reads a journal file. Blocks: call it where waiting for a disk is allowed.
pub fn read(path: &Path) -> Result<Told, JournalError> {
    let bytes = std::fs::read(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => {
            JournalError::NoRun(path.parent().unwrap_or_else(|| Path::new(".")).to_owned())
        }
        _ => JournalError::io("read", path, &error),
    })?;
    Ok(tell(&bytes))
}

/// Reads a journal's bytes.
pub fn tell(bytes: &[u8]) -> Told {
    let mut reader = Reader::default();
    let mut told = Told::default();
    for raw in bytes.split_inclusive(|byte| *byte == b'\n') {
        // A line that was never finished, or whose pages never reached the disk before a power cut: no line
        // that was written holds a zero byte.
        let last = told.length as usize + raw.len() == bytes.len();
        if last && (!raw.ends_with(b"\n") || raw.contains(&0)) {
            told.torn = true;
            break;
        }
        told.length += raw.len() as u64;
        let seen = reader.line(raw);
        if seen.accepts {
            told.damage.iter_mut().for_each(|damage| damage.accepted = true);
        }
        told.damage.extend(seen.damage);
        if let Some(entry) = seen.entry {
            if seen.doubtful {
                told.doubtful.insert(told.entries.len());
            }
            told.entries.push(entry);
        }
    }
    told.imported = reader.imported;
    told.next = reader.next;
    told.all_hash = hex(&reader.all.finalize());
    told.last_hash = reader.prev.unwrap_or_default();
    told
}

/// Reads line by line and remembers what the next one must follow.
pub(super) struct Reader {
    /// Lines read.
    line: usize,
    /// Hash of the line before; `None` after one that could not be read.
    prev: Option<String>,
    /// All bytes so far.
    all: Sha256,
    /// The number of the next entry.
    next: u64,
    /// True after damage, until a segment begins.
    doubtful: bool,
    /// True within a segment that may have gaps.
    gaps: bool,
    imported: bool,
}

impl Default for Reader {
    fn default() -> Self {
        let all = Sha256::new();
        let prev = Some(hex(&all.clone().finalize()));
        Self { line: 0, prev, all, next: 0, doubtful: false, gaps: false, imported: false }
    }
}

/// What one line gave.
#[derive(Default)]
pub(super) struct Seen {
    pub(super) entry: Option<Entry>,
    pub(super) damage: Option<Damage>,
    pub(super) doubtful: bool,
    /// True when all damage before it was accepted.
    accepts: bool,
}

impl Reader {
    /// Reads one line, newline included.
    pub(super) fn line(&mut self, raw: &[u8]) -> Seen {
        self.line += 1;
        let before = self.all.clone();
        self.all.update(raw);
        let parsed = match decode(raw.strip_suffix(b"\n").unwrap_or(raw)) {
            Ok(parsed) => parsed,
            Err(flaw) => {
                // The next number stays: how many entries this line was is not known.
                self.prev = None;
                self.doubtful = true;
                return Seen { damage: Some(self.damage(flaw)), ..Seen::default() };
            }
        };
        let seq = parsed.entry.seq;
        let blind = self.prev.is_none();
        let flaw = match parsed.segment {
            Some(segment) if parsed.prev == hex(&before.finalize()) => {
                self.doubtful = false;
                self.gaps = segment == Segment::Imported;
                self.imported |= self.gaps;
                None
            }
            Some(_) => Some(Flaw::ChangedSince),
            None if seq < self.next => Some(Flaw::Repeated(seq)),
            None if blind || (self.gaps && self.follows(&parsed.prev)) => None,
            None if seq > self.next => Some(Flaw::Missing { from: self.next, to: seq - 1 }),
            None if !self.follows(&parsed.prev) => Some(Flaw::Unchained),
            None => None,
        };
        self.doubtful |= flaw.is_some();
        self.prev = Some(parsed.hash);
        self.next = self.next.max(seq.saturating_add(1));
        let accepts = parsed.segment.is_some() && flaw.is_none();
        let damage = flaw.map(|flaw| self.damage(flaw));
        Seen { entry: Some(parsed.entry), damage, doubtful: self.doubtful, accepts }
    }

    fn follows(&self, prev: &str) -> bool {
        self.prev.as_deref() == Some(prev)
    }

    fn damage(&self, flaw: Flaw) -> Damage {
        Damage { line: self.line, flaw, accepted: false }
    }
}
