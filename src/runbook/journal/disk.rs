//! Where the lines of a journal go.
//!
//! What it is for: the four things that are asked of a file, as a trait, so that a full, broken or hanging disk
//! can be had in a test; and the file itself: made once, locked, append only, mode 0600 in a folder of 0700.
//! What it must not do: know what a line is.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::JOURNAL_FILE;
use super::error::JournalError;
use super::lock::{Lock, private};

/// A file that grows at its end. All calls may block; they are made on a thread that may.
pub trait Disk: Send + 'static {
    /// Makes it ready. Asked before anything else, and again as long as it fails.
    fn open(&mut self) -> Result<(), JournalError>;

    /// Writes all bytes at the end. After an error some of them may be there.
    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError>;

    /// Returns when all that was written survives a power cut.
    fn sync(&mut self) -> Result<(), JournalError>;

    /// Cuts off what is beyond `length` bytes.
    fn truncate(&mut self, length: u64) -> Result<(), JournalError>;
}

/// The journal file of a run's folder, with its lock.
#[derive(Debug)]
pub struct FileDisk {
    folder: PathBuf,
    path: PathBuf,
    /// True once this made the folder, so that a second attempt does not take it for another run's.
    made: bool,
    file: Option<File>,
    lock: Option<Lock>,
}

impl FileDisk {
    /// The file of a new run; opening it makes the folder, which must not be there.
    pub fn new(folder: &Path) -> Self {
        let path = folder.join(JOURNAL_FILE);
        Self { folder: folder.to_owned(), path, made: false, file: None, lock: None }
    }

    /// The file of a run that is there, and whose lock we have.
    pub(super) fn of(folder: &Path, lock: Lock) -> Self {
        Self { made: true, lock: Some(lock), ..Self::new(folder) }
    }

    fn make_folder(&mut self) -> Result<(), JournalError> {
        if self.made {
            return Ok(());
        }
        let parent = self.folder.parent().unwrap_or_else(|| Path::new("."));
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .recursive(true)
            .create(parent)
            .map_err(|error| JournalError::io("make the folder", parent, &error))?;
        match builder.recursive(false).create(&self.folder) {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                return Err(JournalError::Exists(self.folder.clone()));
            }
            Err(error) => return Err(JournalError::io("make the folder", &self.folder, &error)),
        }
        self.made = true;
        Ok(())
    }

    fn file(&mut self) -> Result<&mut File, JournalError> {
        self.file.as_mut().ok_or(JournalError::Closed)
    }
}

impl Disk for FileDisk {
    fn open(&mut self) -> Result<(), JournalError> {
        if self.file.is_some() {
            return Ok(());
        }
        self.make_folder()?;
        if self.lock.is_none() {
            self.lock = Some(Lock::take(&self.folder)?);
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        private(&mut options);
        let open = options.open(&self.path).map_err(|error| JournalError::io("open", &self.path, &error))?;
        // The file itself is on disk only when its folder is, and that only when the folder above is.
        for folder in self.path.ancestors().skip(1).take(3) {
            sync_folder(folder);
        }
        self.file = Some(open);
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let path = self.path.clone();
        self.file()?.write_all(bytes).map_err(|error| JournalError::io("write", &path, &error))
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let path = self.path.clone();
        self.file()?.sync_data().map_err(|error| JournalError::io("flush", &path, &error))
    }

    fn truncate(&mut self, length: u64) -> Result<(), JournalError> {
        let path = self.path.clone();
        let file = self.file()?;
        file.set_len(length)
            .and_then(|()| file.sync_data())
            .map_err(|error| JournalError::io("cut a torn line off", &path, &error))
    }
}

/// Flushes a folder. Some file systems cannot, and then need not.
pub(super) fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}
