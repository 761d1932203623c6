//! The log: a file a day in the state folder, never the terminal.
//!
//! What it is for: what the program did and met, for whoever looks afterwards.
//! What it must not do: wait for the disk on any thread that has other work, or carry a character that a
//! terminal would act on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing::level_filters::LevelFilter;
use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;

use crate::files::atomic;

/// How many days of log files are kept.
const KEPT_FILES: usize = 7;

/// A log that is being written. Dropping it flushes what is left.
pub struct Log {
    /// The folder, or the file when one was named.
    pub place: PathBuf,
    _guard: WorkerGuard,
}

/// Starts logging into `folder`, or into `file` when it is given. `verbose` is the number of `-v`;
/// `SWITCHTOWER_LOG` overrides it: levels by target, `warn,switchtower=debug`.
pub fn start(folder: &Path, file: Option<&Path>, verbose: u8) -> io::Result<Log> {
    let (appender, place) = match file {
        Some(file) => {
            let name = file
                .file_name()
                .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "this names no file"))?;
            let directory = match file.parent() {
                Some(parent) if !parent.as_os_str().is_empty() => parent,
                _ => Path::new("."),
            };
            let builder = RollingFileAppender::builder().rotation(Rotation::NEVER);
            (build(&builder.filename_prefix(name.to_string_lossy()), directory)?, file.to_owned())
        }
        None => {
            let builder = RollingFileAppender::builder()
                .rotation(Rotation::DAILY)
                .filename_prefix("switchtower")
                .filename_suffix("log")
                .max_log_files(KEPT_FILES);
            (build(&builder, folder)?, folder.to_owned())
        }
    };
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(lines(verbose)).finish(appender);
    let wanted = std::env::var("SWITCHTOWER_LOG").ok().and_then(|text| text.parse().ok());
    let writing = tracing_subscriber::fmt::layer().with_ansi(false).with_writer(Plain(writer));
    // A second call in one process (tests) leaves the first subscriber in place.
    let _ = tracing_subscriber::registry()
        .with(wanted.unwrap_or_else(|| levels(verbose)))
        .with(writing)
        .try_init();
    Ok(Log { place, _guard: guard })
}

fn build(builder: &tracing_appender::rolling::Builder, directory: &Path) -> io::Result<RollingFileAppender> {
    atomic::make_directory(directory)?;
    builder.build(directory).map_err(io::Error::other)
}

/// The SDK's own words are worth reading only when something is looked for.
fn levels(verbose: u8) -> Targets {
    let (others, ours) = match verbose {
        0 => (LevelFilter::WARN, LevelFilter::INFO),
        1 => (LevelFilter::INFO, LevelFilter::DEBUG),
        _ => (LevelFilter::DEBUG, LevelFilter::TRACE),
    };
    Targets::new().with_default(others).with_target("switchtower", ours)
}

/// Lines that wait for the disk; more are dropped. Room for each is taken at the start: the default of 128,000 costs
/// four megabytes and a millisecond before the first frame. Who asks for more words gets more room.
fn lines(verbose: u8) -> usize {
    if verbose == 0 { 1_024 } else { 8_192 }
}

/// Makes writers that escape control characters: one event is one line, whatever AWS put into it.
struct Plain(NonBlocking);

/// One event's writer.
struct PlainLine(NonBlocking);

impl<'a> MakeWriter<'a> for Plain {
    type Writer = PlainLine;

    fn make_writer(&'a self) -> Self::Writer {
        PlainLine(self.0.clone())
    }
}

impl Write for PlainLine {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        self.0.write_all(escape(&String::from_utf8_lossy(event)).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}

/// Escapes every unsafe character but the newline that ends the event.
pub fn escape(event: &str) -> String {
    let (line, end) = match event.strip_suffix('\n') {
        Some(line) => (line, "\n"),
        None => (event, ""),
    };
    let mut escaped = String::with_capacity(event.len());
    for c in line.chars() {
        if crate::domain::text::is_unsafe(c) {
            escaped.extend(c.escape_default());
        } else {
            escaped.push(c);
        }
    }
    escaped + end
}
