//! Decisions from other processes.
//!
//! What it is for: `runs abort` and its like append a line to a run's control file; the process that has the run
//! reads what was added since it began.
//! What it must not do: decide, or act on a decision that was meant for an earlier process.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::mpsc;

use super::error::JournalError;
use super::lock::{Holder, Lock, private};
use super::{CONTROL_FILE, POLL};
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::event::Decision;

/// A line longer than this is no decision.
const LONGEST: usize = 64 * 1024;

/// A decision, with who made it and when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// When, by the sender's clock.
    pub at: Timestamp,
    /// Who: an identity's ARN, or a local user.
    pub by: Text,
    /// What.
    pub decision: Decision,
}

/// Leaves a decision for the process that has the run, and tells which one that is: with `None` nobody will read
/// it, and a later process will not take it for its own. Blocks: call it where waiting for a disk is allowed.
pub fn send(
    folder: &Path,
    decision: Decision,
    by: Text,
    at: Timestamp,
) -> Result<Option<Holder>, JournalError> {
    if !folder.is_dir() {
        return Err(JournalError::NoRun(folder.to_owned()));
    }
    let holder = Lock::holder(folder);
    let path = folder.join(CONTROL_FILE);
    append(&path, &Control { at, by, decision }).map_err(|error| JournalError::io("write", &path, &error))?;
    Ok(holder)
}

fn append(path: &Path, control: &Control) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    private(&mut options);
    let mut file = options.open(path)?;
    let mut line = serde_json::to_string(control).map_err(io::Error::other)?;
    line.push('\n');
    // A sender that died half-way must not spoil this line.
    if ends_within_a_line(&mut file)? {
        line.insert(0, '\n');
    }
    file.write_all(line.as_bytes())?;
    file.sync_data()
}

fn ends_within_a_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.len() == 0 {
        return Ok(false);
    }
    let mut last = [0];
    file.seek(SeekFrom::End(-1))?;
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

/// Reads decisions as they come. Dropping it ends the reading.
#[derive(Debug)]
pub struct Watch {
    decisions: mpsc::UnboundedReceiver<Control>,
}

impl Watch {
    /// Watches a run's folder: what is in the control file already was meant for an earlier process. The file is
    /// looked at four times a second by the clock; lines that are no decisions are passed over.
    pub async fn begin(folder: &Path, clock: Clock) -> Self {
        let path = folder.join(CONTROL_FILE);
        let measured = path.clone();
        let measure = move || measured.metadata().map_or(0, |found| found.len());
        let begin = tokio::task::spawn_blocking(measure).await.unwrap_or(0);
        let (found, decisions) = mpsc::unbounded_channel();
        tokio::spawn(watch(path, begin, found, clock));
        Self { decisions }
    }

    /// The next decision; nothing is lost when this future is dropped. `None` when the runtime ends.
    pub async fn next(&mut self) -> Option<Control> {
        self.decisions.recv().await
    }
}

async fn watch(path: PathBuf, begin: u64, found: mpsc::UnboundedSender<Control>, clock: Clock) {
    let mut at = begin;
    let mut interval = clock.interval(POLL);
    loop {
        tokio::select! {
            () = found.closed() => return,
            _ = interval.tick() => {}
        }
        let file = path.clone();
        let Ok(read) = tokio::task::spawn_blocking(move || lines_after(&file, at)).await else { return };
        // A file that cannot be read now is looked at again; abort has a way in this process as well.
        let Ok((lines, end)) = read else { continue };
        at = end;
        for control in lines.split(|byte| *byte == b'\n').filter(|line| line.len() <= LONGEST) {
            if let Ok(control) = serde_json::from_slice(control)
                && found.send(control).is_err()
            {
                return;
            }
        }
    }
}

/// Whole lines of a growing file from an offset on, and the offset behind them. A file that is shorter than it
/// was will grow again.
pub(super) fn lines_after(path: &Path, offset: u64) -> io::Result<(Vec<u8>, u64)> {
    let nothing = Ok((Vec::new(), offset));
    let length = match path.metadata() {
        Ok(found) => found.len(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return nothing,
        Err(error) => return Err(error),
    };
    if length <= offset {
        return nothing;
    }
    let mut file = File::open(path)?;
    file.seek(SeekFrom::Start(offset))?;
    let mut bytes = Vec::new();
    file.take(length - offset).read_to_end(&mut bytes)?;
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(whole);
    Ok((bytes, offset + whole as u64))
}
