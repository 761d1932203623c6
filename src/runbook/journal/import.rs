//! A run from another host.
//!
//! What it is for: writing the entries that a lost bastion copied to the lease table into a folder here, so that
//! the run can be resumed. What it must not do: fill gaps, or pass a copy for an original.

use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::disk::{Disk, FileDisk};
use super::error::JournalError;
use super::folder_of;
use super::line::{Segment, encode, hex};
use crate::domain::text::Text;
use crate::runbook::event::{Entry, Event, RunId};

/// Writes a copied run into a new folder under `runs` and gives that folder. The copy was made at best effort:
/// entries keep their numbers, and what is missing between them is counted in a note at the end. Entries of a run
/// that went unjournaled have no number: such a run is put in order by time, and numbered anew. Blocks: call it
/// where waiting for a disk is allowed.
pub fn import(
    runs: &Path,
    run: &RunId,
    mut entries: Vec<Entry>,
    from: &Text,
    at: Timestamp,
) -> Result<PathBuf, JournalError> {
    let folder = folder_of(runs, run)?;
    let missing = in_order(&mut entries);
    let not_a_run = |why| JournalError::NotARun { run: run.as_str().into(), why };
    match entries.first().map(|entry| &entry.event) {
        Some(Event::Opened { opening, .. }) if &opening.run == run => {}
        Some(Event::Opened { .. }) => return Err(not_a_run("they are another run's")),
        Some(_) => return Err(not_a_run("its opening, with the plan, is missing")),
        None => return Err(not_a_run("nothing was copied")),
    }
    let next = entries.last().map_or(0, |last| last.seq.saturating_add(1));
    let words = format!("imported from {from}: {} entries, {missing} were not copied", entries.len());
    let note = Entry { seq: next, at, event: Event::Noted { words: words.into() } };

    // The folder has its name only once everything is in it.
    let begun = runs.join(format!(".import-{run}-{}", std::process::id()));
    if folder.exists() {
        return Err(JournalError::Exists(folder));
    }
    let written = write(&begun, &entries, &note).and_then(|()| {
        std::fs::rename(&begun, &folder).map_err(|error| JournalError::io("make the folder", &folder, &error))
    });
    match written {
        Ok(()) => {
            super::disk::sync_folder(runs);
            Ok(folder)
        }
        Err(error) => {
            let _ = std::fs::remove_dir_all(&begun);
            Err(error)
        }
    }
}

/// Brings copied entries into their order, each once, and tells how many are missing as far as their numbers do.
pub fn in_order(entries: &mut Vec<Entry>) -> u64 {
    let (mut apart, mut numbered): (Vec<Entry>, Vec<Entry>) =
        std::mem::take(entries).into_iter().partition(Entry::is_unnumbered);
    numbered.sort_by_key(|entry| entry.seq);
    numbered.dedup_by_key(|entry| entry.seq);
    apart.sort_by_key(|entry| (entry.seq, entry.at));
    apart.dedup();
    let whole = apart.is_empty();
    let all = numbered.last().map_or(0, |last| last.seq + 1);
    let missing = all.saturating_sub((numbered.len() + apart.len()) as u64);
    let mut apart = apart.into_iter().peekable();
    let mut next = 0;
    for entry in numbered {
        // Of what happened at one moment, that stands first which fills a gap before the other.
        let gap = entry.seq > next;
        while let Some(one) = apart.next_if(|one| one.at < entry.at || gap && one.at == entry.at) {
            entries.push(one);
        }
        next = entry.seq + 1;
        entries.push(entry);
    }
    entries.extend(apart);
    if !whole {
        for (seq, entry) in (0..).zip(entries) {
            entry.seq = seq;
        }
    }
    missing
}

fn write(folder: &Path, entries: &[Entry], note: &Entry) -> Result<(), JournalError> {
    let mut bytes = Vec::new();
    let mut prev = hex(&Sha256::digest([]));
    for (index, entry) in entries.iter().enumerate() {
        let (line, hash) = encode(entry, (index == 0).then_some(Segment::Imported), &prev);
        bytes.extend(line);
        prev = hash;
    }
    // From here on the chain is strict again, and vouches for the copy as it was found.
    let (line, _) = encode(note, Some(Segment::Accepted), &hex(&Sha256::digest(&bytes)));
    bytes.extend(line);
    let mut disk = FileDisk::new(folder);
    disk.open()?;
    disk.append(&bytes)?;
    disk.sync()
}
