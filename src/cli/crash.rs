//! What happens when this program itself is wrong.
//!
//! What it is for: a panic's report goes to the log, wherever it happened, and the terminal is given back.
//! What it must not do: write to stderr while panicking: when nobody reads it any more that would abort the
//! process, and inside the console it would paint over the screen.

use std::any::Any;
use std::sync::{Mutex, PoisonError};

use color_eyre::config::{HookBuilder, Theme};

use super::exit::Failure;

/// The newest report of the main thread, for [`failure`].
static REPORT: Mutex<Option<String>> = Mutex::new(None);

/// The report of a panic before there was a log, for [`tell_early`].
static EARLY: Mutex<Option<String>> = Mutex::new(None);

/// Installs the panic hook.
pub(super) fn install() {
    let builder = HookBuilder::blank().theme(Theme::new()).display_env_section(false);
    let (hook, _) = builder.into_hooks();
    let main = std::thread::current().id();
    std::panic::set_hook(Box::new(move |info| {
        let report = hook.panic_report(info).to_string();
        if tracing::dispatcher::has_been_set() {
            tell(&report);
        } else {
            *EARLY.lock().unwrap_or_else(PoisonError::into_inner) = Some(report.clone());
        }
        if std::thread::current().id() == main {
            *REPORT.lock().unwrap_or_else(PoisonError::into_inner) = Some(report);
        }
    }));
}

/// Puts into the log what happened before there was one: a topology is read while the log is opened.
pub(super) fn tell_early() {
    if let Some(report) = EARLY.lock().unwrap_or_else(PoisonError::into_inner).take() {
        tell(&report);
    }
}

fn tell(report: &str) {
    for line in report.lines().filter(|line| !line.trim().is_empty()) {
        tracing::error!(target: "switchtower::crash", "{line}");
    }
}

/// A panic that came out of the main thread, as what is printed: one line, and the report when
/// `RUST_BACKTRACE` asks for it.
pub(super) fn failure(panic: &(dyn Any + Send), log: Option<&std::path::Path>) -> Failure {
    let words = panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message");
    let place = match log {
        Some(place) => format!("the report is in {}", place.display()),
        None => "there is no log; set RUST_BACKTRACE=1 for the report".into(),
    };
    let mut message = format!("a bug in switchtower ended it: {words}; {place}");
    if std::env::var_os("RUST_BACKTRACE").is_some_and(|value| value != "0")
        && let Some(report) = REPORT.lock().unwrap_or_else(PoisonError::into_inner).take()
    {
        message.push('\n');
        message.push_str(&report);
    }
    Failure::error(message)
}
