//! Standard output and standard error.
//!
//! What it is for: the only two places where this program prints lines: what is asked for goes to stdout,
//! what is said to people to stderr, and a reader that has gone ends the program quietly.
//! What it must not do: paint the console, which writes to its terminal by itself.

use std::io::{self, IsTerminal, Write};

use clap::ColorChoice;

use super::exit::{Exit, Failure};
use crate::domain::text;

/// Prints to stdout and flushes. `Ok(false)` says that nobody reads any more.
pub(super) fn print(words: &str) -> Result<bool, Failure> {
    let mut out = io::stdout().lock();
    match out.write_all(words.as_bytes()).and_then(|()| out.flush()) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(false),
        Err(error) => Err(Failure::new(Exit::Error, format_args!("writing to stdout failed: {error}"))),
    }
}

/// Says something to people, a line each on stderr. That nobody listens is no reason to stop.
pub(super) fn say(words: &str) {
    let mut err = io::stderr().lock();
    for line in words.lines() {
        let _ = writeln!(err, "{}", text::clean(line));
    }
    let _ = err.flush();
}

/// Says why the program ends.
pub(super) fn complain(failure: &Failure) {
    for line in failure.message.lines() {
        say(&format!("switchtower: {line}"));
    }
}

/// Whether stdout gets colours.
pub(super) fn colours(choice: ColorChoice) -> bool {
    match choice {
        ColorChoice::Always => true,
        ColorChoice::Never => false,
        ColorChoice::Auto => {
            let unwanted = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
            let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
            !unwanted && !dumb && io::stdout().is_terminal()
        }
    }
}
