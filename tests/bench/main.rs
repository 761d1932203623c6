//! The budgets, each beside what this machine measures.
//!
//! What it is for: `cargo bench` prints one Markdown table, as the README has it. Programs are measured from outside
//! (a pseudo-terminal, `/proc`), over a link of 80 ms that a proxy makes; only the frame is measured in process.
//! What it must not do: fail because something took long. A shared machine is slow at times; people judge figures.
//!
//! `cargo bench -- idle` measures one part: start, status, sweep, keys, idle, memory, fleet, frame, quit or size.
//! `cargo test --bench budgets -- --quick` runs every measurement once, in any build, to see that it still works.
// Measuring is real time; and a benchmark may unwrap and print.
#![allow(clippy::disallowed_methods, clippy::unwrap_used, clippy::print_stdout, clippy::print_stderr)]

mod budgets;
mod console;
mod frame;
mod oneshot;
mod proxy;
mod stage;
mod terminal;
mod usage;

use std::path::Path;

/// How much is measured.
#[derive(Clone, Copy)]
pub(crate) struct Effort {
    /// Starts of a program.
    pub(crate) starts: usize,
    /// Keys that are pressed.
    pub(crate) keys: usize,
    /// Seconds of looking on.
    pub(crate) seconds: u64,
}

/// The environment of every program that is measured: a home of its own, nothing of this machine's AWS set-up.
pub(crate) fn environment(home: &Path) -> Vec<(&'static str, String)> {
    vec![
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("HOME", home.display().to_string()),
        ("AWS_ACCESS_KEY_ID", "bench".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "bench".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

fn main() {
    let given = |flag: &str| std::env::args().any(|argument| argument == flag);
    let effort = if given("--quick") {
        Effort { starts: 2, keys: 10, seconds: 3 }
    } else if given("--bench") {
        Effort { starts: 15, keys: 200, seconds: 20 }
    } else {
        println!("budgets: measured by `cargo bench` only");
        return;
    };
    if cfg!(debug_assertions) {
        eprintln!("This is a debug build: its figures mean nothing.");
    }
    let parts: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    match stage::Stage::set(2, 3, stage::RTT) {
        Ok(stage) => budgets::print(&stage, effort, &parts),
        Err(why) => {
            eprintln!("budgets: {why}");
            std::process::exit(1);
        }
    }
}
