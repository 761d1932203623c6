//! The topology file: TOML, `version = 1`.
//!
//! What it is for: reading it with every error at once, each pointing at file, line and key, and writing it
//! with comments that say what each part is for.
//! What it must not do: ask AWS what is true (`cloud::discover`), or decide which file is meant (`places`).

mod check;
mod reader;
mod render;
mod schema;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use super::atomic::{self, Existing};
use crate::domain::Topology;
use crate::domain::text::Text;

pub use check::check;
pub use render::{render, render_wiring};

/// The format that this program reads and writes.
pub const VERSION: u32 = 1;

/// One thing that is wrong with a topology.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Which value, `region[1].load_balancer[0].arn`; empty for the file as a whole.
    pub path: String,
    /// The line it stands in, or that of the table which lacks it; `None` for a topology not read from a file.
    pub line: Option<usize>,
    /// What is wrong, and what to write instead.
    pub message: Text,
}

/// Why a topology could not be read.
#[derive(Debug, thiserror::Error)]
pub enum TopologyError {
    /// The file could not be read at all.
    #[error("{}: {error}; name another with --topology, or write one with `switchtower init`", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// The file was read and is wrong; a line per problem.
    #[error("{}", lines(.path, .problems))]
    Invalid {
        /// The file.
        path: PathBuf,
        /// At least one problem, in the order of the file.
        problems: Vec<Problem>,
    },
}

/// Why a topology could not be written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is a file already.
    #[error("{} exists; choose another with --output, or replace it with --force", .0.display())]
    Exists(PathBuf),
    /// The file system refused.
    #[error("{}: {error}; choose another place with --output", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
}

/// Reads and validates the file at `path`.
pub fn read(path: &Path) -> Result<Topology, TopologyError> {
    let unreadable = |error| TopologyError::Unreadable { path: path.to_owned(), error };
    let bytes = std::fs::read(path).map_err(unreadable)?;
    let text = String::from_utf8(bytes).map_err(|error| {
        unreadable(io::Error::new(io::ErrorKind::InvalidData, format!("not UTF-8: {error}")))
    })?;
    parse(&text).map_err(|problems| TopologyError::Invalid { path: path.to_owned(), problems })
}

/// Reads and validates the text of a topology file; on failure every problem, in the order of the text.
pub fn parse(text: &str) -> Result<Topology, Vec<Problem>> {
    let (document, syntax) = toml::de::DeTable::parse_recoverable(text);
    if !syntax.is_empty() {
        return Err(syntax.iter().map(|error| syntax_problem(text, error)).collect());
    }
    let mut reader = reader::Reader::new(text);
    let topology = schema::topology(&mut reader, &document);
    // A wrong version means that everything else may be read wrongly too: only that is said.
    if topology.version != VERSION {
        return Err(reader.version_problem(topology.version));
    }
    for problem in check(&topology) {
        reader.semantic(problem);
    }
    let problems = reader.finish();
    if problems.is_empty() { Ok(topology) } else { Err(problems) }
}

/// Writes `topology` to `path` with comments; mode 0600, whole or not at all.
pub fn write(path: &Path, topology: &Topology, existing: Existing) -> Result<(), WriteError> {
    atomic::write(path, render(topology).as_bytes(), existing).map_err(|error| {
        if error.kind() == io::ErrorKind::AlreadyExists {
            WriteError::Exists(path.to_owned())
        } else {
            WriteError::Io { path: path.to_owned(), error }
        }
    })
}

fn syntax_problem(text: &str, error: &toml::de::Error) -> Problem {
    let line = error.span().map(|span| reader::line_of(text, span.start));
    let words = error.message().replace('\n', ", ");
    Problem { path: String::new(), line, message: format!("not valid TOML: {words}").into() }
}

fn lines(path: &Path, problems: &[Problem]) -> String {
    let file = path.display().to_string();
    let lines: Vec<String> = problems.iter().map(|problem| format!("{file}:{problem}")).collect();
    lines.join("\n")
}

/// Without the file's name: `14: region[0].name: …`.
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "{line}: ")?;
        }
        if !self.path.is_empty() {
            write!(f, "{}: ", self.path)?;
        }
        write!(f, "{}", self.message)
    }
}
