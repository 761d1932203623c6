//! How the process ends: exit codes, and failures with their one line.
//!
//! What it is for: one table of exit codes that scripts may rely on.
//! What it must not do: print; `out` does.

use std::fmt;
use std::process::ExitCode;

use crate::domain::Health;
use crate::files::places::PlaceError;
use crate::files::topology::{TopologyError, WriteError};

/// The exit codes. 4, 5 and 6 belong to runbooks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done, or healthy.
    Done,
    /// An error.
    Error,
    /// Wrong usage or configuration.
    Usage,
    /// Credentials or permission.
    Credentials,
    /// Blocked by a guard.
    Blocked,
    /// Halted, needs attention.
    Halted,
    /// Aborted.
    Aborted,
    /// `status`: degraded.
    Degraded,
    /// `status`: impaired.
    Impaired,
    /// `status`: unknown.
    Unknown,
    /// A signal ended the console: its number.
    Signal(i32),
}

/// Why a subcommand could not do its work: what is printed as one line, and the exit code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub exit: Exit,
    /// What went wrong and what to do next; a line for each problem.
    pub message: String,
}

impl Exit {
    /// The verdict as an exit code.
    pub fn of(health: Health) -> Self {
        match health {
            Health::Healthy => Self::Done,
            Health::Degraded => Self::Degraded,
            Health::Impaired => Self::Impaired,
            Health::Unknown => Self::Unknown,
        }
    }

    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Error => 1,
            Self::Usage => 2,
            Self::Credentials => 3,
            Self::Blocked => 4,
            Self::Halted => 5,
            Self::Aborted => 6,
            Self::Degraded => 10,
            Self::Impaired => 11,
            Self::Unknown => 12,
            // As a shell has it.
            Self::Signal(number) => u8::try_from(128 + number).unwrap_or(1),
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

impl Failure {
    /// A failure with its exit code.
    pub fn new(exit: Exit, message: impl fmt::Display) -> Self {
        Self { exit, message: message.to_string() }
    }

    /// An error that no other exit code describes.
    pub fn error(message: impl fmt::Display) -> Self {
        Self::new(Exit::Error, message)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Failure {}

impl From<PlaceError> for Failure {
    fn from(error: PlaceError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<TopologyError> for Failure {
    fn from(error: TopologyError) -> Self {
        Self::new(Exit::Usage, error)
    }
}

impl From<WriteError> for Failure {
    fn from(error: WriteError) -> Self {
        let exit = match error {
            WriteError::Exists(_) => Exit::Usage,
            WriteError::Io { .. } => Exit::Error,
        };
        Self::new(exit, error)
    }
}
