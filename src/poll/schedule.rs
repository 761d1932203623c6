//! When each source is read: one task a source, each on its own.
//!
//! What it is for: cadence on a shared beat with jitter, just after whole minutes for metrics, doubling back-off on
//! throttling, and prompt answers to refresh, pause and focus. Tasks share no lock across a wait and no queue but
//! the Route 53 budget, so that a hung one delays no other.
//! What it must not do: know what a question is about.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use jiff::Timestamp;
use tokio::sync::watch;

use super::beat::Beat;
use super::read::Read;
use crate::domain::observation::SourceKind;
use crate::ports::Clock;

/// The longest pause that back-off leads to.
const LONGEST: Duration = Duration::from_mins(5);

/// The shortest pause between two runs of one source, however often a refresh is asked for.
const SHORTEST: Duration = Duration::from_secs(1);

/// The same when only the focus asks: moving through the panes must not spend the Route 53 budget.
const SHORTEST_FOCUS: Duration = Duration::from_secs(20);

/// How many questions of one source of one region are asked side by side: enough for a sweep of one round
/// trip in a usual region, few enough for ELB's burst of forty calls.
const AT_ONCE: usize = 16;

/// How long after a whole minute metrics are asked for, at least; at most it is a beat later.
const AFTER_MINUTE: Duration = Duration::from_secs(2);

/// How often a source is read.
pub(super) fn cadence(kind: SourceKind) -> Duration {
    Duration::from_secs(match kind {
        SourceKind::Services => 10,
        SourceKind::Targets | SourceKind::Aurora | SourceKind::Probe => 15,
        SourceKind::Tables => 30,
        SourceKind::Scaling
        | SourceKind::Metrics
        | SourceKind::Percentiles
        | SourceKind::Alarms
        | SourceKind::Records
        | SourceKind::HealthChecks
        | SourceKind::Checkers => 60,
        SourceKind::Replication | SourceKind::Topics => 600,
        SourceKind::Identity => 3_600,
    })
}

/// What the operator asks of all tasks.
#[derive(Debug)]
pub(super) struct Controls {
    pub(super) refresh: watch::Sender<u64>,
    pub(super) paused: watch::Sender<bool>,
    pub(super) focus: watch::Sender<Option<SourceKind>>,
    /// How many sources are being read now.
    pub(super) asking: AtomicUsize,
}

impl Default for Controls {
    fn default() -> Self {
        Self {
            refresh: watch::Sender::new(0),
            paused: watch::Sender::new(false),
            focus: watch::Sender::new(None),
            asking: AtomicUsize::new(0),
        }
    }
}

/// Counts a source as being read while it lives.
struct Asking<'a>(&'a Controls);

impl<'a> Asking<'a> {
    fn begin(controls: &'a Controls) -> Self {
        controls.asking.fetch_add(1, Ordering::AcqRel);
        Self(controls)
    }
}

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.asking.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Where a task puts what it learns: the newest snapshot only, and word that there is one.
#[derive(Clone, Debug)]
pub(super) struct Publisher<S> {
    pub(super) latest: watch::Sender<Arc<S>>,
    pub(super) version: watch::Sender<u64>,
}

impl<S: Clone> Publisher<S> {
    fn publish(&self, changes: Vec<super::read::Landed<S>>) {
        self.latest.send_modify(|latest| {
            let snapshot = Arc::make_mut(latest);
            for change in changes {
                change.apply(snapshot);
            }
        });
        self.announce();
    }

    /// Says that something has changed.
    fn announce(&self) {
        self.version.send_modify(|version| *version = version.wrapping_add(1));
    }
}

/// How a task goes easy on its machine where it has many neighbours: every call under way holds a connection, its
/// buffers and a future, tens of kilobytes together, and every answer is looked at.
#[derive(Clone, Copy, Debug)]
pub(super) struct Turn {
    /// Waited before the first question, and before the answer to a refresh.
    wait: Duration,
    /// Questions asked side by side, at most.
    at_once: usize,
    /// How far its beats stand behind those of the first region, 0 to 1 of the pause between two.
    part: f64,
}

impl Turn {
    /// Up to so many regions are asked all at once and read on the same beats.
    const FEW: usize = 4;

    /// From one region of a large fleet to the next, while all are asked for the first time.
    const APART: Duration = Duration::from_millis(100);

    /// Asked at once, as few regions are.
    pub(super) fn first() -> Self {
        Self { wait: Duration::ZERO, at_once: AT_ONCE, part: 0.0 }
    }

    /// The turn of one region out of `count`. No region waits for another: each has its own moment.
    pub(super) fn of(index: usize, count: usize) -> Self {
        if count <= Self::FEW {
            return Self::first();
        }
        Self {
            wait: Self::APART * index as u32,
            at_once: (AT_ONCE * Self::FEW / count).max(2),
            part: index as f64 / count as f64,
        }
    }

    /// The beat of whoever has this turn.
    pub(super) fn of_beat(self, beat: Beat) -> Beat {
        beat.later(self.part)
    }
}

/// One source, on its own schedule.
pub(super) struct Task<S> {
    pub(super) kind: SourceKind,
    pub(super) turn: Turn,
    pub(super) clock: Clock,
    pub(super) beat: Beat,
    pub(super) controls: Arc<Controls>,
    pub(super) publisher: Publisher<S>,
}

impl<S: Clone + Send + Sync + 'static> Task<S> {
    /// Runs until it is dropped. `questions` is asked what to read each time, given what is known; `next`
    /// may shorten the pause to the next run.
    pub(super) async fn run(
        self,
        mut questions: impl FnMut(&S) -> Vec<Read<S>>,
        next: impl Fn(&S) -> Option<Timestamp>,
    ) {
        let mut refresh = self.controls.refresh.subscribe();
        let mut paused = self.controls.paused.subscribe();
        let mut focus = self.controls.focus.subscribe();
        let mut throttles = 0u32;
        let mut asked: Option<Timestamp> = None;
        if !self.turn.wait.is_zero() {
            self.clock.sleep(self.turn.wait).await;
        }
        // What needs no network is known first: building the first calls takes longer than all of it.
        if self.kind != SourceKind::Probe {
            tokio::task::yield_now().await;
        }
        loop {
            refresh.mark_unchanged();
            let started = self.clock.now();
            let reads = questions(&self.known());
            if !reads.is_empty() {
                asked = Some(started);
            }
            throttles = if self.ask(reads).await { throttles.saturating_add(1) } else { 0 };
            let due = self.due(started, throttles, &next);
            let shortest = loop {
                // While paused no timer is armed: one that may not act must not wake the machine either.
                let running = !*paused.borrow_and_update();
                tokio::select! {
                    () = self.clock.sleep(until(due, self.clock.now())), if running => break None,
                    _ = refresh.changed() => break Some(SHORTEST),
                    _ = focus.changed() => {
                        let focus = *focus.borrow_and_update();
                        if focus == Some(self.kind) && self.kind == SourceKind::Checkers {
                            break Some(SHORTEST_FOCUS);
                        }
                    }
                    _ = paused.changed() => {}
                }
            };
            if let (Some(shortest), Some(asked)) = (shortest, asked) {
                let since = until(self.clock.now(), asked);
                self.clock.sleep(self.turn.wait + shortest.saturating_sub(since)).await;
            }
        }
    }

    fn known(&self) -> Arc<S> {
        self.publisher.latest.borrow().clone()
    }

    /// Asks everything at once and publishes each answer as it comes. True when AWS throttled a part.
    async fn ask(&self, reads: Vec<Read<S>>) -> bool {
        if reads.is_empty() {
            return false;
        }
        let mut throttled = false;
        let asking = Asking::begin(&self.controls);
        // Checkers are many and their budget is small: waiting side by side they would stand in the way of
        // records and health checks.
        let at_once =
            if self.kind == SourceKind::Checkers { 2 } else { reads.len().clamp(1, self.turn.at_once) };
        let running = stream::iter(reads).map(|read| read.run(None)).buffer_unordered(at_once);
        let mut landed = std::pin::pin!(running.ready_chunks(at_once));
        while let Some(answers) = landed.next().await {
            throttled |= answers.iter().any(|answer| answer.throttled);
            self.publisher.publish(answers);
        }
        // Told after the last answer: whoever waits for all of a beat's answers hears that they are there.
        drop(asking);
        self.publisher.announce();
        throttled
    }

    /// When to ask again.
    fn due(&self, started: Timestamp, throttles: u32, next: &impl Fn(&S) -> Option<Timestamp>) -> Timestamp {
        let cadence = cadence(self.kind);
        let now = self.clock.now();
        let spent = until(now, started);
        let soonest = now + SHORTEST;
        if throttles > 0 {
            let doubled = jittered(cadence.saturating_mul(1 << throttles.min(16))).min(LONGEST.max(cadence));
            // Off the beat: whoever was told to slow down must not come back with all the others.
            return (now + doubled.saturating_sub(spent)).max(soonest);
        }
        if matches!(self.kind, SourceKind::Metrics | SourceKind::Percentiles) {
            return self.beat.from(next_minute(now) + AFTER_MINUTE);
        }
        // Who comes from off the beat, after a refusal or a refresh, rather joins early than grows old.
        let latest = now + cadence.mul_f64(1.1).saturating_sub(spent);
        let usual = self.beat.nearest(now + cadence.saturating_sub(spent), latest);
        let usual = if usual < soonest { self.beat.from(soonest) } else { usual };
        next(&self.known()).map_or(usual, |early| early.min(usual)).max(soonest)
    }
}

/// From `from` until `at`; nothing when that has passed.
fn until(at: Timestamp, from: Timestamp) -> Duration {
    Duration::try_from(at.duration_since(from)).unwrap_or_default()
}

/// Ten percent more or less.
fn jittered(duration: Duration) -> Duration {
    duration.mul_f64(0.9 + 0.2 * fastrand::f64())
}

/// The beginning of the next whole minute.
fn next_minute(now: Timestamp) -> Timestamp {
    let begun = now.as_second() - now.as_second().rem_euclid(60);
    Timestamp::from_second(begun + 60).unwrap_or(now)
}
