//! What happens when the program is wrong.
//!
//! What it is for: a panic is written to the log, with its place. What it must not do: write to standard
//! error, which may be dead, or be the screen: a hook that fails to print aborts the process and leaves
//! the terminal broken.

use std::any::Any;
use std::backtrace::Backtrace;
use std::sync::Once;

/// Replaces the panic hook, once.
pub(super) fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        std::panic::set_hook(Box::new(|info| {
            let place = info.location().map(ToString::to_string).unwrap_or_default();
            let thread = std::thread::current();
            let name = thread.name().unwrap_or("unnamed");
            let words = message(info.payload());
            let trace = Backtrace::capture();
            tracing::error!(place, thread = name, %trace, "panic: {words}");
        }));
    });
}

/// The words of a panic.
pub(super) fn message(payload: &(dyn Any + Send)) -> String {
    let words = payload.downcast_ref::<&str>().map(|words| (*words).to_owned());
    words.or_else(|| payload.downcast_ref::<String>().cloned()).unwrap_or_else(|| "no message".to_owned())
}
