//! The tail of a journal: what is not on disk yet.
//!
//! What it is for: chaining entries, writing them in order, and keeping every line until it has been flushed, so
//! that a failed write or flush is made good from memory: the file is cut back to what is known to be there, and
//! everything after it is written again, byte for byte.
//! What it must not do: wait, decide, or drop a line.

use std::collections::VecDeque;

use super::disk::Disk;
use super::error::JournalError;
use super::line::{Segment, encode};
use crate::runbook::event::Entry;

/// Lines that are kept without a flush. More are flushed unasked.
const KEPT: usize = 512;

/// The end of a journal and what follows it.
pub(super) struct Tail {
    disk: Box<dyn Disk>,
    /// Hash that the next line follows.
    prev: String,
    /// Lines that were not flushed, oldest first.
    lines: VecDeque<Vec<u8>>,
    /// How many of them have been written.
    written: usize,
    /// Bytes of the file that have been flushed.
    flushed: u64,
    /// Bytes of the file that have been written.
    end: u64,
    open: bool,
    /// True when there may be bytes beyond `end`.
    dirty: bool,
}

impl Tail {
    /// A tail that goes on after `length` bytes, whose last line has this hash.
    pub(super) fn new(disk: Box<dyn Disk>, length: u64, prev: String, dirty: bool) -> Self {
        let lines = VecDeque::new();
        Self { disk, prev, lines, written: 0, flushed: length, end: length, open: false, dirty }
    }

    /// Appends entries and writes all that is waiting; with `sync` it is flushed as well. What could not be
    /// written stays, in order, for the next time.
    pub(super) fn work(
        &mut self,
        entries: impl IntoIterator<Item = (Entry, Option<Segment>)>,
        sync: bool,
    ) -> Result<(), JournalError> {
        for (entry, segment) in entries {
            let (line, hash) = encode(&entry, segment, &self.prev);
            self.prev = hash;
            self.lines.push_back(line);
        }
        if !self.open {
            self.disk.open()?;
            self.open = true;
        }
        self.write()?;
        if sync || self.lines.len() > KEPT { self.flush() } else { Ok(()) }
    }

    /// Lines that are not in the file.
    pub(super) fn unwritten(&self) -> usize {
        self.lines.len() - self.written
    }

    fn write(&mut self) -> Result<(), JournalError> {
        if self.dirty {
            self.disk.truncate(self.end)?;
            self.dirty = false;
        }
        let bytes: Vec<u8> = self.lines.iter().skip(self.written).flatten().copied().collect();
        if bytes.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.disk.append(&bytes) {
            self.dirty = true;
            return Err(error);
        }
        self.end += bytes.len() as u64;
        self.written = self.lines.len();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), JournalError> {
        if self.lines.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.disk.sync() {
            // After a failed flush the system may take the lost pages for clean: only writing them again helps.
            self.end = self.flushed;
            self.written = 0;
            self.dirty = true;
            return Err(error);
        }
        self.flushed = self.end;
        self.lines.clear();
        self.written = 0;
        Ok(())
    }
}
