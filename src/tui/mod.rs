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

use std::io;
use std::sync::Arc;

use tokio::runtime::Runtime;
use tokio::sync::{mpsc, watch};

use crate::app::{Effect, Event, Session, Sight};
use crate::domain::Topology;
use crate::ports::{Clock, Stopwatch};
use crate::ui::Theme;
use screen::Screen;
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
    Terminal(#[from] io::Error),
    /// Nobody can be started who observes.
    #[error("no thread can be started: {0}")]
    NoThread(io::Error),
}

/// What the first frame needs besides its content; made while the topology is still being read.
pub struct Easel {
    born: Stopwatch,
    runtime: Runtime,
    screen: Screen,
}

impl Easel {
    /// Sets it up for the terminal of this process; `colour` says whether colours are used.
    pub fn set_up(colour: bool) -> Result<Self, TuiError> {
        let born = Clock::real().stopwatch();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        Ok(Self { born, runtime, screen: Screen::new(screen::size(), Theme { colour }) })
    }
}

/// Shows the console until it ends. The first frame is painted before anything is waited for; `begin` starts whoever
/// observes, once it is.
pub fn run(
    easel: Easel,
    options: Options,
    opening: Opening,
    feed: Feed,
    begin: impl FnOnce() -> io::Result<()>,
) -> Result<Exit, TuiError> {
    let Easel { born, runtime, mut screen } = easel;
    // Signals are watched before the terminal is taken: one in between would end us and leave it taken.
    let signals = session::Signals::watch(&runtime)?;
    let seconds = Seconds { born, clock: options.clock };
    // Dropped last, also by a panic on its way out: the terminal is given back before anybody writes to it.
    let guard = guard::Guard::enter()?;
    let app = session::open(options, opening, &mut screen, &guard)?;
    begin().map_err(TuiError::NoThread)?;
    runtime.block_on(session::live(app, screen, seconds, feed, &guard, signals))
}
