//! Interoperability: what somebody else's AWS, and somebody else's client, say of this program.
//!
//! What it is for: `init` and `status --json` against two independent fakes (moto, ministack) that were seeded by
//! boto3, so that every number on the screen is one that another program put there; runbooks against both, and the scripts
//! of their plans without this program; and boto3 against `sim`.
//! What it must not do: reach anything but loopback and pip's own index.
//!
//! The Python environment is made under `target/` on the first run. Without Python 3 the cases are shown as
//! ignored; with `CI` set they must run, and what cannot be set up fails them.
// Servers, sockets and child processes live in real time; and a test may unwrap, panic and print.
#![allow(
    clippy::disallowed_methods,
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::print_stderr
)]

mod cleanup;
mod faults;
mod fixture;
mod ground;
mod json;
mod kit;
mod ministack;
mod moto;
mod process;
mod python;
mod runs;
mod simulated;

use libtest_mimic::{Arguments, Failed, Trial};

/// A named check; it fails with a sentence.
type Case = (String, Box<dyn FnOnce() -> Result<(), String> + Send>);

fn main() {
    let arguments = Arguments::from_args();
    let wanted = |name: &str| selected(&arguments, name);
    let mut cases: Vec<Case> = Vec::new();
    cases.extend(moto::cases());
    cases.extend(faults::cases());
    cases.extend(ministack::cases());
    cases.extend(runs::cases());
    cases.extend(kit::cases());
    cases.extend(simulated::cases());
    // Nothing is set up for a run that asks for other tests, or only for their names.
    let runs = !arguments.list && cases.iter().chain(&cleanup::cases()).any(|(name, _)| wanted(name));
    let missing = if runs { python::environment().as_ref().err() } else { None };
    let must_run = std::env::var_os("CI").is_some_and(|value| !value.is_empty());
    if let Some(why) = missing {
        eprintln!("interop: {why}");
    }
    let ignored = missing.is_some() && !must_run;
    // Cleanups wait, most of their time, for resolvers to forget: the others run meanwhile.
    let waiting = cleanup::cases().into_iter().map(|(name, check)| {
        if !wanted(&name) || arguments.list || ignored {
            return (name, check);
        }
        let ending = std::thread::spawn(check);
        case(&name, move || ending.join().unwrap_or_else(|_| Err("the case panicked".to_owned())))
    });
    let trials = cases
        .into_iter()
        .chain(waiting)
        .map(|(name, check)| Trial::test(name, || check().map_err(Failed::from)).with_ignored_flag(ignored))
        .collect();
    let conclusion = libtest_mimic::run(&arguments, trials);
    process::stop_all();
    conclusion.exit();
}

/// Whether the command line's filters let a case through, as libtest reads them.
fn selected(arguments: &Arguments, name: &str) -> bool {
    let matches =
        |pattern: &String| if arguments.exact { name == pattern } else { name.contains(pattern.as_str()) };
    arguments.filter.as_ref().is_none_or(matches) && !arguments.skip.iter().any(matches)
}

/// A case of a table: `(name, check)`.
fn case(name: &str, check: impl FnOnce() -> Result<(), String> + Send + 'static) -> Case {
    (name.to_owned(), Box::new(check))
}
