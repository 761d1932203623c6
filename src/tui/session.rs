//! The main loop.
//!
//! What it is for: one `select!`, in order of urgency: signals, keys, the writer, new sights, the clock.
//! Everything that happens becomes an [`Event`]; the picture is painted when it changed and the writer is
//! free. What it must not do: await anything else.

use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::guard::Guard;
use super::input::{Came, Input};
use super::screen::{Screen, size};
use super::{Exit, Feed, Opening, Options, TuiError};
use crate::app::{App, Effect, Event};
use crate::ports::{Clock, Stopwatch};

/// New sights are painted at most this often; keys at once.
const FRAME: Duration = Duration::from_millis(16);

/// Paints the first frame.
pub(super) fn open(
    options: Options,
    opening: Opening,
    screen: &mut Screen,
    guard: &Guard,
) -> Result<App, TuiError> {
    let size = size();
    let mut app = App::opening(opening.topology, options.session, opening.skeleton, options.clock.now());
    app.update(Event::Resize(size.0, size.1));
    screen.fit(size);
    screen.paint(&app, |frame| guard.writer.send(frame))?;
    Ok(app)
}

/// The signals that end or interrupt the console.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    resumed: Signal,
}

impl Signals {
    /// From now on these signals wait for the main loop.
    pub(super) fn watch(runtime: &Runtime) -> std::io::Result<Self> {
        let _entered = runtime.enter();
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
            resumed: signal(SignalKind::from_raw(signal_hook::consts::SIGCONT))?,
        })
    }
}

/// Lives until something ends it.
pub(super) async fn live(
    mut app: App,
    mut screen: Screen,
    seconds: Seconds,
    mut feed: Feed,
    guard: &Guard,
    mut signals: Signals,
) -> Result<Exit, TuiError> {
    let mut input = Input::new();
    // Machine time paces the screen, whatever speed the world runs at.
    let pace = Clock::real();
    let second = seconds.next();
    let frame = pace.sleep(Duration::ZERO);
    tokio::pin!(second, frame);
    let (mut dirty, mut waiting, mut watching, mut hearing) = (false, false, true, true);
    // Since the last sight was taken; none was yet.
    let mut since: Option<Stopwatch> = None;
    loop {
        if dirty && guard.writer.is_idle() {
            dirty = false;
            screen.paint(&app, |frame| guard.writer.send(frame))?;
        }
        if guard.writer.is_broken() {
            return Ok(Exit::HungUp);
        }
        let event = tokio::select! {
            biased;
            _ = signals.terminate.recv() => return Ok(Exit::Signal(signal_hook::consts::SIGTERM)),
            _ = signals.interrupt.recv() => return Ok(Exit::Signal(signal_hook::consts::SIGINT)),
            _ = signals.hangup.recv() => {
                input.stop();
                return Ok(Exit::HungUp);
            }
            _ = signals.resumed.recv() => {
                // Stopped from outside and continued: the shell has put the terminal into its own mode.
                guard.take_again()?;
                screen.forget();
                dirty = true;
                continue;
            }
            came = input.next() => match came {
                Came::Event(event) => event,
                Came::Nothing => continue,
                Came::Gone => return Ok(Exit::HungUp),
            },
            () = guard.writer.done(), if dirty => continue,
            told = feed.events.recv(), if hearing => match told {
                Some(event) => event,
                None => {
                    hearing = false;
                    continue;
                }
            },
            changed = feed.sights.changed(), if watching && !waiting => {
                watching = changed.is_ok();
                let early = since.map_or(Duration::ZERO, |since| FRAME.saturating_sub(since.elapsed()));
                if !watching || !early.is_zero() {
                    waiting = watching;
                    frame.set(pace.sleep(early));
                    continue;
                }
                since = Some(pace.stopwatch());
                match newest(&mut feed) {
                    Some(sight) => sight,
                    None => continue,
                }
            }
            () = &mut frame, if waiting => {
                waiting = false;
                since = Some(pace.stopwatch());
                match newest(&mut feed) {
                    Some(sight) => sight,
                    None => continue,
                }
            }
            () = &mut second => {
                second.set(seconds.next());
                Event::Tick(seconds.clock.now())
            }
        };
        if let Event::Resize(width, height) = event {
            screen.resize((width, height));
        }
        let update = app.update(event);
        dirty |= update.redraw;
        for effect in update.effects {
            match effect {
                Effect::Quit => return Ok(Exit::Quit),
                Effect::Suspend => {
                    guard.give_back();
                    // Continues in `signals.resumed`, which takes the terminal again.
                    if let Err(error) =
                        signal_hook::low_level::emulate_default_handler(signal_hook::consts::SIGTSTP)
                    {
                        tracing::warn!(%error, "cannot stop");
                        guard.take_again()?;
                        screen.forget();
                        dirty = true;
                    }
                }
                // Nobody may be left who could follow; then there is nothing to be done about it.
                other => drop(feed.effects.send(other)),
            }
        }
    }
}

/// The newest sight, when there is one.
fn newest(feed: &mut Feed) -> Option<Event> {
    feed.sights.borrow_and_update().clone().map(Event::Sight)
}

/// The seconds of the clock that is shown.
#[derive(Clone, Copy)]
pub(super) struct Seconds {
    /// Runs since just before the runtime of this thread was made.
    pub(super) born: Stopwatch,
    /// The clock.
    pub(super) clock: Clock,
}

impl Seconds {
    /// The runtime sorts its timers into drawers of so many milliseconds since it was made, and is woken once to
    /// look into a drawer and once more for what lies inside; but only once for what lies at the front.
    const DRAWER: u128 = 64;

    /// Waits for the next second, reckoned from when this is first polled.
    async fn next(self) {
        Clock::real().sleep(self.until_next()).await;
    }

    /// The clock is painted when its second begins, and up to a drawer later: nobody sees that, and the machine
    /// is woken half as often. A world that runs faster is painted once a second too.
    fn until_next(self) -> Duration {
        let within = Duration::from_nanos(u64::from(self.clock.now().subsec_nanosecond().unsigned_abs()));
        let second = Duration::from_secs(1);
        let next = if (self.clock.speed() - 1.0).abs() < f64::EPSILON {
            second.saturating_sub(within).max(Duration::from_millis(20))
        } else {
            second
        };
        let now = self.born.elapsed();
        let drawer = (now + next).as_millis() / Self::DRAWER + 1;
        Duration::from_millis((drawer * Self::DRAWER) as u64).saturating_sub(now)
    }
}
