//! What can go wrong with a journal, in the operator's words.
//!
//! What it is for: one error type that names the path, what the system said, and what to do next; it can be
//! given to several waiting callers. What it must not do: decide what a failure means for a run.

use std::io;
use std::path::{Path, PathBuf};

use super::lock::Holder;
use super::reading::Damage;
use crate::domain::text::Text;

/// A file or folder could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What was attempted: `write`, `make the folder`.
    pub doing: &'static str,
    /// On what.
    pub path: PathBuf,
    /// The kind of error, for decisions.
    pub kind: io::ErrorKind,
    /// What the system said.
    pub words: Text,
}

/// Why something could not be kept, read or taken up.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// A file or folder could not be used.
    #[error("cannot {} {}: {}; {}", .0.doing, shown(&.0.path), .0.words, .0.next_step())]
    Io(Failure),
    /// Another process has the run.
    #[error(
        "the run in {} is held by {holder}; follow it with `switchtower runs attach`, or stop it with \
         `switchtower runs abort`", shown(.folder)
    )]
    Held {
        /// The run's folder.
        folder: PathBuf,
        /// Who.
        holder: Holder,
    },
    /// The journal is damaged, and the operator has not accepted that.
    #[error(
        "the journal {} is damaged: {}; look at it with `switchtower runs show`, and if the run is to go on \
         by what is true now, resume it and accept the damage", shown(.path), words(.damage)
    )]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong, by line.
        damage: Vec<Damage>,
    },
    /// A run of this name is there already.
    #[error("{} exists already; nothing was changed: show that run instead", shown(.0))]
    Exists(PathBuf),
    /// There is no such run.
    #[error(
        "there is no run {} in {}; `switchtower runs list` names all of this host, `switchtower runs import` brings \
         one of another", name(.0), folder(.0)
    )]
    NoRun(PathBuf),
    /// What was given is no name of a run.
    #[error("`{0}` is no name of a run; `switchtower runs list` names all runs")]
    NoName(Text),
    /// Entries to be imported are no run.
    #[error("what was copied of {run} cannot be taken up: {why}; resume it on the host that ran it")]
    NotARun {
        /// The run.
        run: Text,
        /// What is missing.
        why: &'static str,
    },
    /// The journal was closed, or its writer is gone.
    #[error("the journal is closed; resume the run to go on")]
    Closed,
}

impl JournalError {
    /// The failure of a file.
    pub(super) fn io(doing: &'static str, path: &Path, error: &io::Error) -> Self {
        let words = error.to_string().into();
        Self::Io(Failure { doing, path: path.to_owned(), kind: error.kind(), words })
    }

    /// A task on another thread was lost; its runtime is ending.
    pub(super) fn lost() -> Self {
        Self::Closed
    }
}

impl Failure {
    /// What the operator does about it.
    pub fn next_step(&self) -> &'static str {
        match self.kind {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
                "free space there, or set XDG_STATE_HOME to a disk that has some"
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                "make it writable for this user, or set XDG_STATE_HOME to a folder that is"
            }
            io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
                "move the file that is in the way, or set XDG_STATE_HOME"
            }
            _ => "mend the disk, or set XDG_STATE_HOME to another",
        }
    }
}

/// A path as text that a terminal may be given.
fn shown(path: &Path) -> Text {
    path.to_string_lossy().into_owned().into()
}

fn name(run: &Path) -> Text {
    run.file_name().map_or_else(|| shown(run), |name| shown(Path::new(name)))
}

fn folder(run: &Path) -> Text {
    shown(run.parent().unwrap_or(run))
}

fn words(damage: &[Damage]) -> String {
    const SHOWN: usize = 3;
    let mut words: Vec<String> = damage.iter().take(SHOWN).map(ToString::to_string).collect();
    if damage.len() > SHOWN {
        words.push(format!("and {} more", damage.len() - SHOWN));
    }
    words.join("; ")
}
