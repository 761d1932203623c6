//! The lock on a run's folder.
//!
//! What it is for: one process a run on this host, told apart from a process that died: the system lets go of
//! the lock with the process. What it must not do: stop another host (the lease does), or be deleted.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::LOCK_FILE;
use super::error::JournalError;
use crate::domain::text::Text;

/// Whoever looks for a holder has a shared lock for a moment. That must not stop a run from being taken up, so
/// the lock is tried this often, and this far apart.
const ATTEMPTS: usize = 5;
const BETWEEN: Duration = Duration::from_millis(10);

/// Who has a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Process; 0 when the lock does not say.
    pub pid: u32,
    /// Host name; empty when the lock does not say.
    pub host: Text,
}

/// A run that is ours until this is dropped.
#[derive(Debug)]
pub struct Lock {
    // Closing the file lets go of the lock.
    _file: File,
}

impl Lock {
    /// Takes the lock in a run's folder; [`JournalError::Held`] names who has it. Blocks for a moment.
    pub fn take(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(LOCK_FILE);
        let io = |doing| {
            let path = path.clone();
            move |error: std::io::Error| JournalError::io(doing, &path, &error)
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        private(&mut options);
        let mut file = options.open(&path).map_err(io("open"))?;
        let mut attempts = 0;
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if attempts < ATTEMPTS => {
                    attempts += 1;
                    std::thread::sleep(BETWEEN);
                }
                Err(TryLockError::WouldBlock) => {
                    let holder = Holder::read(&mut file);
                    return Err(JournalError::Held { folder: folder.to_owned(), holder });
                }
                Err(TryLockError::Error(error)) => return Err(io("lock")(error)),
            }
        }
        let line = serde_json::to_string(&Holder::this_process()).unwrap_or_default();
        file.set_len(0).map_err(io("write"))?;
        file.write_all(line.as_bytes()).map_err(io("write"))?;
        Ok(Self { _file: file })
    }

    /// Who has the run now; `None` when no process does.
    pub fn holder(folder: &Path) -> Option<Holder> {
        let mut file = File::open(folder.join(LOCK_FILE)).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => Some(Holder::read(&mut file)),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Holder {
    /// This process.
    pub fn this_process() -> Self {
        let host = gethostname::gethostname().to_string_lossy().into_owned().into();
        Self { pid: std::process::id(), host }
    }

    fn read(file: &mut File) -> Self {
        let mut words = String::new();
        // The holder may be writing its name right now.
        let _ = file.take(4096).read_to_string(&mut words);
        serde_json::from_str(&words).unwrap_or(Self { pid: 0, host: Text::default() })
    }
}

impl std::fmt::Display for Holder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (self.pid, self.host.as_str()) {
            (0, _) => f.write_str("another process"),
            (pid, "") => write!(f, "process {pid}"),
            (pid, host) => write!(f, "process {pid} on {host}"),
        }
    }
}

/// Files of a run are for their owner only.
pub(super) fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}
