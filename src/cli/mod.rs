//! Subcommands, and their output as lines and as JSON.
//!
//! What it is for: reading the command line, wiring the parts together once ([`session`]), and ending with the
//! right exit code. What it must not do: know AWS or the screen beyond starting them.

mod acting;
mod args;
mod console;
mod crash;
pub mod exit;
mod init;
pub mod log;
mod out;
mod pages;
pub mod report;
mod session;
mod sim;
pub mod status;

use std::panic::{AssertUnwindSafe, catch_unwind};

use clap::error::ErrorKind;

use crate::files::Places;
use args::{Cli, Command, Global};
pub use exit::{Exit, Failure};
use log::Log;

/// The whole program: reads the command line, does what it says, and says how it ended.
pub fn main() -> Exit {
    crash::install();
    let cli = match Cli::read() {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    // Kept to the end: why the program failed is its last line.
    let mut log = None;
    let outcome = catch_unwind(AssertUnwindSafe(|| run(cli, &mut log)));
    let place = log.as_ref().map(|log| log.place.as_path());
    let outcome = outcome.unwrap_or_else(|panic| Err(crash::failure(panic.as_ref(), place)));
    outcome.unwrap_or_else(|failure| {
        tracing::error!("{failure}");
        out::complain(&failure);
        failure.exit
    })
}

/// Help and version are answers; everything else that clap says is a usage error.
fn usage(error: &clap::Error) -> Exit {
    // Nobody to read it is no error of ours.
    let _ = error.print();
    match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Done,
        _ => Exit::Usage,
    }
}

fn run(cli: Cli, log: &mut Option<Log>) -> Result<Exit, Failure> {
    // The console's topology is read while the log is opened; what is wrong with the log is said first.
    let begun = cli.command.is_none().then(|| console::begin(&cli.global));
    // What is printed from the command line's own description needs neither files nor a log.
    *log = match &cli.command {
        Some(Command::Completions { .. } | Command::Man) => None,
        _ => start_log(&cli.global)?,
    };
    match cli.command {
        None => console::run(&cli.global, begun.unwrap_or_else(|| console::begin(&cli.global))?),
        Some(Command::Demo(args)) => console::demo(&cli.global, &args),
        Some(Command::Init(args)) => init::run(&cli.global, &args),
        Some(Command::Status(args)) => status::run(&cli.global, args),
        Some(Command::Plan(args)) => acting::plan(&cli.global, &args),
        Some(Command::Run(args)) => acting::run(&cli.global, &args),
        Some(Command::Runs(args)) => acting::runs(&cli.global, args),
        Some(Command::Sim(args)) => sim::run(&args),
        Some(Command::Completions { shell }) => pages::completions(shell),
        Some(Command::Man) => pages::man(),
    }
}

/// Without a home there is no log, and that is no reason not to watch; a file that was named must work.
fn start_log(global: &Global) -> Result<Option<Log>, Failure> {
    let file = global.log_file.as_deref();
    let folder = Places::of_environment().map(|places| places.logs());
    let started = match (&folder, file) {
        (Err(_), None) => return Ok(None),
        (Ok(folder), None) => log::start(folder, None, global.verbose),
        (_, Some(file)) => log::start(file, Some(file), global.verbose),
    };
    match (started, file) {
        (Ok(log), _) => Ok(Some(log)),
        (Err(error), Some(file)) => Err(Failure::new(
            Exit::Usage,
            format_args!("{}: {error}; choose another file with --log-file", file.display()),
        )),
        (Err(error), None) => {
            out::say(&format!("switchtower: no log is written: {error}; choose a file with --log-file"));
            Ok(None)
        }
    }
}
