//! The terminal: raw mode, keys, signals, the main loop and the writer.
//!
//! What it is for: [`run`] shows the console until the operator quits, and gives the terminal back as it
//! was, whatever happens. What it must not do: start anything but the writer's thread, ask AWS, compute verdicts,
//! wait for anything but keys, signals, new sights and the clock, or ask the terminal a question: an
//! answer that never comes would hold up the first frame.

mod guard;
mod input;
mod screen;
mod session;
mod writer;

use std::sync::Arc;

use tokio::sync::{mpsc, watch};

use crate::app::{Effect, Event, Session, Sight};
use crate::domain::Topology;
use crate::ports::Clock;
use session::Seconds;

/// What the first frame shows.
pub struct Opening {
    /// The topology.
    pub topology: Arc<Topology>,
    /// Its resources, with nothing known of them.
    pub skeleton: Arc<Sight>,
}

/// What connects the console to whoever observes.
pub struct Feed {
    /// The newest sight; `None` until the first. Closed when nobody observes any more.
    pub sights: watch::Receiver<Option<Arc<Sight>>>,
    /// Plans, and what happens in runs. Closed when nobody acts any more.
    pub events: mpsc::UnboundedReceiver<Event>,
    /// What the operator wants done: refresh, pause, focus, plan, start, decide.
    pub effects: mpsc::UnboundedSender<Effect>,
}

/// How the console is to be shown.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether colours are used.
    pub colour: bool,
    /// What the banner says of this session.
    pub session: Session,
    /// The one clock.
    pub clock: Clock,
}

/// Why the console ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// The operator quit.
    Quit,
    /// A signal asked for the end: its number.
    Signal(i32),
    /// The terminal went away.
    HungUp,
}

/// Why the console could not be shown.
#[derive(Debug, thiserror::Error)]
pub enum TuiError {
    /// Standard input or output is no terminal.
    #[error("the console needs a terminal; `switchtower status` prints the same as text")]
    NoTerminal,
    /// The terminal refused.
    #[error("the terminal cannot be used: {0}")]
    Terminal(#[from] std::io::Error),
}

/// Shows the console until it ends. The first frame is painted before anything is waited for.
pub fn run(options: Options, opening: Opening, feed: Feed) -> Result<Exit, TuiError> {
    let clock = options.clock;
    // Signals are watched before the terminal is taken: one in between would end us and leave it taken.
    let born = Clock::real().stopwatch();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let signals = session::Signals::watch(&runtime)?;
    // Dropped last, also by a panic on its way out: the terminal is given back before anybody writes to it.
    let guard = guard::Guard::enter()?;
    session::run(options, opening, feed, &guard, &runtime, Seconds { born, clock }, signals)
}
