//! Where topologies, the baseline and logs are kept.
//!
//! What it is for: the XDG folders (`XDG_CONFIG_HOME`, `XDG_STATE_HOME`), and finding the topology that the
//! operator means. What it must not do: read what is in those files.

use std::fmt::Write as _;
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// The folders of this program.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Places {
    /// Configuration: `topologies/NAME.toml`.
    pub config: PathBuf,
    /// State: `log/`, `baseline/`, `runs/`.
    pub state: PathBuf,
}

/// Why no topology could be found.
#[derive(Debug, thiserror::Error)]
pub enum PlaceError {
    /// Neither `HOME` nor the XDG variables say where files belong.
    #[error("no home directory; set HOME, or XDG_CONFIG_HOME and XDG_STATE_HOME")]
    NoHome,
    /// A file was named and is not there.
    #[error("topology file {} does not exist; {known}", .path.display())]
    NoFile {
        /// The file.
        path: PathBuf,
        /// Which topologies exist and what to do.
        known: String,
    },
    /// A name was given that no topology has.
    #[error("no topology is named `{name}` in {}; {known}", .directory.display())]
    NoName {
        /// The name.
        name: String,
        /// Where topologies are kept.
        directory: PathBuf,
        /// Which topologies exist and what to do.
        known: String,
    },
    /// Nothing was named, and there is none.
    #[error(
        "no topology in {}; write one with `switchtower init --hostname NAME --regions A,B`, \
         or look around in `switchtower demo`", .0.display()
    )]
    None(PathBuf),
    /// Nothing was named, and there are several.
    #[error("several topologies in {}; choose with --topology: {names}", .directory.display())]
    Several {
        /// Where topologies are kept.
        directory: PathBuf,
        /// Their names.
        names: String,
    },
}

impl Places {
    /// The folders that the environment names.
    pub fn of_environment() -> Result<Self, PlaceError> {
        let project = directories::ProjectDirs::from("", "", "switchtower").ok_or(PlaceError::NoHome)?;
        let state = project.state_dir().unwrap_or_else(|| project.data_local_dir());
        Ok(Self { config: project.config_dir().to_owned(), state: state.to_owned() })
    }

    /// The folder of named topologies.
    pub fn topologies(&self) -> PathBuf {
        self.config.join("topologies")
    }

    /// The folder of log files.
    pub fn logs(&self) -> PathBuf {
        self.state.join("log")
    }

    /// The file of a topology that is named; it need not exist.
    pub fn named(&self, name: &str) -> PathBuf {
        self.topologies().join(format!("{}.toml", file_name(name)))
    }

    /// The last known good of an application. A custom AWS endpoint has one of its own, so that a
    /// simulation never overwrites what is known of the real application.
    pub fn baseline(&self, application: &str, endpoint: Option<&str>) -> PathBuf {
        self.state.join("baseline").join(format!("{}.json", separate_name(application, endpoint)))
    }

    /// The folder of an application's runs, one folder each; it need not exist, and is made with mode 0700. As
    /// with the baseline, runs in a simulation are kept apart from those of the real application.
    pub fn runs(&self, application: &str, endpoint: Option<&str>) -> PathBuf {
        self.state.join("runs").join(separate_name(application, endpoint))
    }

    /// The names of all topologies, sorted.
    pub fn names(&self) -> Vec<String> {
        let entries = std::fs::read_dir(self.topologies());
        let mut names: Vec<String> =
            entries.into_iter().flatten().filter_map(|entry| topology_name(&entry.ok()?.path())).collect();
        names.sort();
        names
    }

    /// The topology that is meant: a file, a name, or, when nothing is said, the only one there is or the
    /// one named `default`.
    pub fn find(&self, wanted: Option<&str>) -> Result<PathBuf, PlaceError> {
        match wanted {
            None => self.find_default(),
            Some(wanted) if names_a_file(wanted) => {
                let path = PathBuf::from(wanted);
                if exists(&path) { Ok(path) } else { Err(PlaceError::NoFile { path, known: self.known() }) }
            }
            Some(name) => {
                let named = self.named(name);
                let here = PathBuf::from(name);
                if exists(&named) {
                    Ok(named)
                } else if here.is_file() {
                    Ok(here)
                } else {
                    Err(PlaceError::NoName {
                        name: crate::domain::text::clean(name).as_ref().to_owned(),
                        directory: self.topologies(),
                        known: self.known(),
                    })
                }
            }
        }
    }

    fn find_default(&self) -> Result<PathBuf, PlaceError> {
        let names = self.names();
        match names.as_slice() {
            [] => Err(PlaceError::None(self.topologies())),
            [only] => Ok(self.topologies().join(format!("{only}.toml"))),
            several if several.iter().any(|name| name == "default") => Ok(self.named("default")),
            several => Err(PlaceError::Several { directory: self.topologies(), names: several.join(", ") }),
        }
    }

    fn known(&self) -> String {
        let names = self.names();
        if names.is_empty() {
            "none exists yet: write one with `switchtower init --hostname NAME --regions A,B`, \
             or look around in `switchtower demo`"
                .to_owned()
        } else {
            format!("existing topologies: {}", names.join(", "))
        }
    }
}

/// True for what is a path rather than a name.
pub fn names_a_file(wanted: &str) -> bool {
    wanted.contains(std::path::MAIN_SEPARATOR) || Path::new(wanted).extension().is_some_and(|e| e == "toml")
}

fn exists(path: &Path) -> bool {
    // A file that may not be looked at exists all the same; reading it then says why it cannot be read.
    !matches!(path.metadata(), Err(error) if error.kind() == io::ErrorKind::NotFound)
}

fn topology_name(path: &Path) -> Option<String> {
    let is_topology = path.extension().is_some_and(|extension| extension == "toml");
    is_topology.then(|| path.file_stem()?.to_str().map(str::to_owned)).flatten()
}

/// The name under which an application's state is kept: one for each endpoint.
fn separate_name(application: &str, endpoint: Option<&str>) -> String {
    match endpoint {
        None => file_name(application),
        Some(endpoint) => format!("{}@{}", file_name(application), digest(endpoint)),
    }
}

/// A name as one component of a path. What had to be changed is told apart by a digest of the original.
fn file_name(name: &str) -> String {
    let safe = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if !name.is_empty() && !name.starts_with('.') && name.chars().all(safe) && name.len() <= 100 {
        return name.to_owned();
    }
    let kept: String = name.chars().filter(|c| safe(*c) && *c != '.').take(60).collect();
    format!("{kept}-{}", digest(name))
}

fn digest(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().take(4).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}
