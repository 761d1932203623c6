//! The console and `demo`: an observer on the worker's threads, the terminal on this one.
//!
//! What it is for: joining the two by channels, saving the last known good, and ending quickly whatever
//! hangs. What it must not do: anything between the start of the process and the first frame that waits.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::args::{Demo, Global};
use super::exit::{Exit, Failure};
use super::out;
use super::session::{Session, Store, watchers, worker};
use crate::app::sight::Lookout;
use crate::app::{self, Effect, PaneId, Sight};
use crate::domain::observation::SourceKind;
use crate::poll::{self, FleetFeed};
use crate::ports::Clock;
use crate::tui;

/// Answers come in bursts. After the first of one, this long is waited for the others, so that a burst is
/// looked at and painted once; in the machine's time.
const BURST: Duration = Duration::from_millis(150);

/// The same while the console opens, when every millisecond without numbers counts.
const FIRST_BURST: Duration = Duration::from_millis(4);

/// How long the console opens.
const OPENING: Duration = Duration::from_secs(3);

/// Values grow old without anything happening; this often verdicts are drawn anew.
const AGEING: Duration = Duration::from_secs(5);

/// The console on the configured topology.
pub(super) fn run(global: &Global) -> Result<Exit, Failure> {
    show(&Session::configured(global)?, global)
}

/// The console on the simulated AWS.
pub(super) fn demo(global: &Global, args: &Demo) -> Result<Exit, Failure> {
    show(&Session::simulated(&args.world, args.speed)?, global)
}

fn show(session: &Session, global: &Global) -> Result<Exit, Failure> {
    let runtime = worker(watchers(&session.topology))?;
    let (sights, seen) = watch::channel(None);
    let (effects, wanted) = mpsc::unbounded_channel();
    let cancel = CancellationToken::new();
    let options = tui::Options {
        colour: out::colours(global.color),
        session: app::Session {
            endpoint: session.cloud.custom_endpoint().map(Into::into),
            demo: session.demo.clone().map(Into::into),
        },
        clock: session.clock,
    };
    runtime.spawn(observe(session.clone(), sights, wanted, cancel.clone()));
    let last = seen.clone();
    let ended = tui::run(options, session.topology.clone(), tui::Feed { sights: seen, effects });
    cancel.cancel();
    // What hangs is left behind; the last known good is worth a few milliseconds.
    runtime.shutdown_background();
    let sight: Option<Arc<Sight>> = last.borrow().clone();
    if let (Some(store), Some(sight)) = (&session.store, sight) {
        store.save_now(&sight.snapshot);
    }
    match ended {
        Ok(tui::Exit::Quit) => Ok(Exit::Done),
        Ok(tui::Exit::Signal(number)) => Ok(Exit::Signal(number)),
        Ok(tui::Exit::HungUp) => Ok(Exit::Signal(signal_hook::consts::SIGHUP)),
        Err(tui::TuiError::NoTerminal) => Err(Failure::new(Exit::Usage, tui::TuiError::NoTerminal)),
        Err(error) => Err(Failure::error(error)),
    }
}

/// Watches AWS, turns snapshots into sights, and does what the console wants done.
async fn observe(
    session: Session,
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
    let mut lookout = Lookout::default();
    let machine = Clock::real();
    let (mut ageing, mut saving) = (machine.interval(AGEING), machine.interval(Store::EVERY));
    saving.tick().await;
    ageing.tick().await;
    let opened = machine.stopwatch();
    // Without anything saved there is nothing to see before the first answer: the skeleton stays.
    let mut look = seed.is_some();
    drop(seed);
    loop {
        if look {
            let spent = machine.stopwatch();
            let snapshot = feed.snapshot(session.clock.now());
            sights.send_replace(Some(Arc::new(lookout.look(&session.topology, snapshot))));
            ageing.reset();
            // A large fleet is looked at less often, so that looking never takes more than a tenth.
            if opened.elapsed() > OPENING {
                machine.sleep(spent.elapsed() * 9).await;
            }
        }
        look = true;
        let burst = machine.sleep(if opened.elapsed() > OPENING { BURST } else { FIRST_BURST });
        tokio::pin!(burst);
        let mut began = false;
        loop {
            tokio::select! {
                () = cancel.cancelled() => return,
                effect = wanted.recv() => match effect {
                    Some(effect) => follow(&feed, effect),
                    None => return,
                },
                () = feed.changed(), if !began => {
                    burst.set(machine.sleep(if opened.elapsed() > OPENING { BURST } else { FIRST_BURST }));
                    began = true;
                }
                () = &mut burst, if began => break,
                _ = ageing.tick() => break,
                _ = saving.tick() => save(&session, &feed).await,
            }
        }
    }
}

async fn save(session: &Session, feed: &FleetFeed) {
    if let Some(store) = &session.store {
        store.save(feed.snapshot(session.clock.now())).await;
    }
}

fn follow(feed: &FleetFeed, effect: Effect) {
    match effect {
        Effect::Refresh => feed.refresh(),
        Effect::Pause(paused) => feed.set_paused(paused),
        Effect::Focus(pane) => feed.focus(pane.map(source)),
        // The console does these itself.
        Effect::Quit | Effect::Suspend => {}
        // Nobody carries these out yet.
        Effect::Plan(_) | Effect::Start(_) | Effect::Decide(..) => {}
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
