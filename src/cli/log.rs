//! The log: a file a day in the state folder, never the terminal.
//!
//! What it is for: what the program did and met, for whoever looks afterwards.
//! What it must not do: wait for the disk on any thread that has other work, or carry a character that a
//! terminal would act on.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

use tracing_appender::non_blocking::{NonBlocking, NonBlockingBuilder, WorkerGuard};
use tracing_appender::rolling::{RollingFileAppender, Rotation};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

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
/// `SWITCHTOWER_LOG` overrides it with a filter in tracing's syntax.
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
    let (writer, guard) = NonBlockingBuilder::default().buffered_lines_limit(LINES).finish(appender);
    let filter =
        EnvFilter::try_from_env("SWITCHTOWER_LOG").unwrap_or_else(|_| EnvFilter::new(level(verbose)));
    // A second call in one process (tests) leaves the first subscriber in place.
    let _ = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(false)
        .with_writer(Plain(writer))
        .try_init();
    Ok(Log { place, _guard: guard })
}

fn build(builder: &tracing_appender::rolling::Builder, directory: &Path) -> io::Result<RollingFileAppender> {
    atomic::make_directory(directory)?;
    builder.build(directory).map_err(io::Error::other)
}

/// The SDK's own words are worth reading only when something is looked for.
fn level(verbose: u8) -> &'static str {
    match verbose {
        0 => "warn,switchtower=info",
        1 => "info,switchtower=debug",
        _ => "debug,switchtower=trace",
    }
}

/// Lines that wait for the disk; more are dropped. The default of 128,000 costs four megabytes and a
/// millisecond of start-up before the first line is written.
const LINES: usize = 4_096;

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
