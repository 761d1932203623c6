//! Files that are either the old or the new, never half of one.
//!
//! What it is for: the one way in which this program writes a file of its own: a temporary file in the same
//! directory, flushed to disk, then renamed; mode 0600, directories 0700.
//! What it must not do: know what is written.

use std::fs::{DirBuilder, File};
use std::io::{self, BufWriter, Write};
use std::path::Path;

/// What happens when the file is already there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Existing {
    /// It stays, and the write fails with [`io::ErrorKind::AlreadyExists`].
    Keep,
    /// It is replaced in one step.
    Replace,
}

/// Writes `bytes` to `path`; missing directories are made.
pub fn write(path: &Path, bytes: &[u8], existing: Existing) -> io::Result<()> {
    write_with(path, existing, |file| file.write_all(bytes))
}

/// The same for content that is too large to be held in memory at once: `content` writes it piece by piece.
pub fn write_with(
    path: &Path,
    existing: Existing,
    content: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    make_directory(directory)?;
    // A temporary file of this crate has mode 0600 from the start.
    let mut file = tempfile::Builder::new().prefix(".switchtower-").tempfile_in(directory)?;
    let mut pieces = BufWriter::new(&mut file);
    content(&mut pieces)?;
    pieces.flush()?;
    drop(pieces);
    file.as_file().sync_all()?;
    match existing {
        Existing::Keep => file.persist_noclobber(path).map_err(|failure| failure.error)?,
        Existing::Replace => file.persist(path).map_err(|failure| failure.error)?,
    };
    // The rename itself is on disk only when the directory is. Some file systems cannot sync one.
    if let Ok(directory) = File::open(directory) {
        let _ = directory.sync_all();
    }
    Ok(())
}

/// Makes a directory and its parents; those that are made are open to their owner only.
pub fn make_directory(directory: &Path) -> io::Result<()> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(directory)
}
