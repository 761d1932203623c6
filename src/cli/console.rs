//! The console and `demo`: an observer on the worker's threads, the terminal on this one.
//!
//! What it is for: joining the two by channels, saving the last known good, and ending quickly whatever
//! hangs. What it must not do: anything between the start of the process and the first frame that waits.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::acting::Hands;
use super::args::{Demo, Global};
use super::exit::{Exit, Failure};
use super::out;
use super::session::{self, Reading, Session, Store};
use crate::app::sight::Lookout;
use crate::app::{self, Effect, PaneId, Sight};
use crate::domain::observation::SourceKind;
use crate::poll::{self, FleetFeed};
use crate::ports::Clock;
use crate::tui::{self, Easel, TuiError};

/// Answers come in bursts. After the first of one, this long is waited for the others, so that a burst is
/// looked at and painted once; in the machine's time.
const BURST: Duration = Duration::from_millis(150);

/// The same while the console opens, when every millisecond without numbers counts.
const FIRST_BURST: Duration = Duration::from_millis(4);

/// How long the console opens.
const OPENING: Duration = Duration::from_secs(3);

/// Values grow old without anything happening; this often verdicts are drawn anew.
const AGEING: Duration = Duration::from_secs(5);

/// Begins to read what the console opens with.
pub(super) fn begin(global: &Global) -> Result<Reading<Sight>, Failure> {
    let now = Clock::real().now();
    Reading::begin(global, move |topology| Sight::skeleton(topology, now))
}

/// The console on the configured topology.
pub(super) fn run(global: &Global, reading: Reading<Sight>) -> Result<Exit, Failure> {
    let easel = Easel::set_up(out::colours(global.color));
    let (session, skeleton) = Session::of(global, reading)?;
    show(&session, skeleton, easel, global, None)
}

/// The console on the simulated AWS.
pub(super) fn demo(global: &Global, args: &Demo) -> Result<Exit, Failure> {
    // A simulated world has no tomorrow: the journals of its runs end with it.
    let keep = tempfile::tempdir().map_err(|error| {
        Failure::error(format_args!("no folder for the runs of the demo: {error}; set TMPDIR"))
    })?;
    let session = Session::simulated(&args.world, args.speed)?;
    let skeleton = Sight::skeleton(&session.topology, session.clock.now());
    let easel = Easel::set_up(out::colours(global.color));
    show(&session, skeleton, easel, global, Some(keep.path()))
}

fn show(
    session: &Session,
    skeleton: Sight,
    easel: Result<Easel, TuiError>,
    global: &Global,
    keep: Option<&Path>,
) -> Result<Exit, Failure> {
    let (sights, seen) = watch::channel(None);
    let (events, told) = mpsc::unbounded_channel();
    let (count, mut runs) = watch::channel(0);
    let (effects, wanted) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let options = tui::Options {
        session: app::Session {
            endpoint: session.cloud.custom_endpoint().map(Into::into),
            demo: session.demo.clone().map(Into::into),
        },
        clock: session.clock,
    };
    let begin = || {
        let hands = Hands::new(session, global.allow_endpoint, keep, events, count);
        session::watch(observe(session.clone(), hands, sights, wanted, cancel.clone()))
    };
    let last = seen.clone();
    let opening = tui::Opening { topology: session.topology.clone(), skeleton: Arc::new(skeleton) };
    let feed = tui::Feed { sights: seen, events: told, effects };
    let ended = easel.and_then(|easel| tui::run(easel, options, opening, feed, begin));
    let left = *runs.borrow_and_update();
    cancel.cancel();
    if left > 0 {
        go_on(&mut runs);
    }
    // What hangs is left behind; the last known good is worth a few milliseconds.
    let sight: Option<Arc<Sight>> = last.borrow().clone();
    if let (Some(store), Some(sight)) = (&session.store, sight) {
        store.save_now(&sight.snapshot);
    }
    match ended {
        Ok(tui::Exit::Quit) => Ok(Exit::Done),
        Ok(tui::Exit::Signal(number)) => Ok(Exit::Signal(number)),
        Ok(tui::Exit::HungUp) => Ok(Exit::Signal(signal_hook::consts::SIGHUP)),
        Err(TuiError::NoTerminal) => Err(Failure::new(Exit::Usage, TuiError::NoTerminal)),
        Err(error) => Err(Failure::error(error)),
    }
}

/// Runs outlive their screen: they go on to their end or to their next halt.
fn go_on(runs: &mut watch::Receiver<usize>) {
    out::say(
        "switchtower: a run is under way and goes on without its screen, to its end or its next halt; \
         `switchtower runs attach` follows it, `switchtower runs abort` stops it",
    );
    let Ok(runtime) = tokio::runtime::Builder::new_current_thread().build() else { return };
    // An error says that all hands are gone, and with them the last run.
    let _ = runtime.block_on(runs.wait_for(|count| *count == 0));
}

/// Watches AWS, turns snapshots into sights, and does what the console wants done.
async fn observe(
    session: Session,
    hands: Hands,
    sights: watch::Sender<Option<Arc<Sight>>>,
    mut wanted: mpsc::UnboundedReceiver<Effect>,
    cancel: CancellationToken,
) {
    let seed = session.store.as_ref().and_then(|store| store.seed().0);
    let mut feed = poll::start(
        session.cloud.clone(),
        session.topology.clone(),
        session.probe.clone(),
        session.clock,
        seed.as_ref(),
        cancel.clone(),
    );
    // Pins are looked at with every snapshot; they wake nobody by themselves.
    let (pinned, pins) = watch::channel(Arc::default());
    hands.watch_pins(pinned);
    hands.watch(feed.clone());
    let mut lookout = Lookout::default();
    let machine = Clock::real();
    let (mut ageing, mut saving) = (machine.interval(AGEING), machine.interval(Store::EVERY));
    // Not by waiting for their first ticks, which would let the first calls be built before the first look.
    saving.reset();
    ageing.reset();
    let opened = machine.stopwatch();
    // Without anything saved there is nothing to see before the first answer: the skeleton stays.
    let mut look = seed.is_some();
    drop(seed);
    let mut news = false;
    loop {
        let looked = machine.stopwatch();
        let mut rest = Duration::ZERO;
        if look {
            let mut snapshot = feed.snapshot(session.clock.now());
            snapshot.pins = pins.borrow().clone();
            sights.send_replace(Some(Arc::new(lookout.look(&session.topology, snapshot))));
            ageing.reset();
            // A large fleet is looked at less often, so that looking never takes more than a tenth.
            if opened.elapsed() > OPENING {
                rest = looked.elapsed() * 10;
            }
        }
        look = true;
        let burst = machine.sleep(Duration::ZERO);
        tokio::pin!(burst);
        let mut began = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return linger(&hands).await,
                effect = wanted.recv() => match effect {
                    Some(effect @ (Effect::Plan(_) | Effect::Start(_) | Effect::Decide(..))) => {
                        hands.take(effect, feed.snapshot(session.clock.now()));
                    }
                    Some(effect) => follow(&feed, &effect),
                    None => return linger(&hands).await,
                },
                () = feed.changed() => {
                    news = true;
                    let rest = rest.saturating_sub(looked.elapsed());
                    // When nobody is being asked any more there is nothing to wait for.
                    let quiet = feed.is_quiet();
                    if quiet && rest.is_zero() {
                        break;
                    }
                    if !began {
                        let usual = if opened.elapsed() > OPENING { BURST } else { FIRST_BURST };
                        burst.set(machine.sleep(if quiet { rest } else { usual.max(rest) }));
                        began = true;
                    }
                }
                () = &mut burst, if began => break,
                _ = ageing.tick() => break,
                // The disk is woken only for what it does not hold yet.
                _ = saving.tick(), if news => {
                    news = false;
                    save(&session, &feed).await;
                }
            }
        }
    }
}

/// Keeps this thread's runtime alive for the runs that are still under way.
async fn linger(hands: &Hands) {
    hands.let_go();
    hands.none_running().await;
}

async fn save(session: &Session, feed: &FleetFeed) {
    if let Some(store) = &session.store {
        store.save(feed.snapshot(session.clock.now())).await;
    }
}

fn follow(feed: &FleetFeed, effect: &Effect) {
    match effect {
        Effect::Refresh => feed.refresh(),
        Effect::Pause(paused) => feed.set_paused(*paused),
        Effect::Focus(pane) => feed.focus(pane.map(source)),
        // The console does the first two itself, and the hands the others.
        Effect::Quit | Effect::Suspend | Effect::Plan(_) | Effect::Start(_) | Effect::Decide(..) => {}
    }
}

/// What is read at once, and more often, while a pane is looked at in detail.
fn source(pane: PaneId) -> SourceKind {
    match pane {
        PaneId::Alb => SourceKind::Targets,
        PaneId::Ecs => SourceKind::Services,
        PaneId::DynamoDb => SourceKind::Tables,
        PaneId::Aurora => SourceKind::Aurora,
        PaneId::Route53 => SourceKind::Checkers,
        PaneId::S3 => SourceKind::Replication,
        PaneId::Alarms => SourceKind::Alarms,
        PaneId::Probe => SourceKind::Probe,
    }
}
