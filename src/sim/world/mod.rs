//! The world behind the simulated services.
//!
//! What it is for: what exists ([`fleet`]), what is wrong when ([`timeline`]), and what follows at
//! any moment: tasks and targets, DNS, traffic, metrics, alarms. What callers do is an append-only history
//! ([`deeds`]). All of it is computed from the seed, the timeline, the deeds and the time asked for, so that
//! nothing runs between two questions.
//! What it must not do: know a wire protocol, read a clock, or wait.

mod addresses;
pub mod alarms;
mod application;
pub mod capacity;
pub mod checks;
pub mod database;
pub mod deeds;
pub mod dns;
pub mod faults;
pub mod fleet;
pub mod geography;
pub mod items;
pub mod lag;
pub mod metrics;
pub mod noise;
pub mod placement;
pub mod removal;
pub mod scenario;
pub mod sessions;
pub mod stores;
pub mod tasks;
pub mod timeline;
pub mod traffic;
mod view;
pub mod zone;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};

pub use fleet::{Fleet, Site};
pub use timeline::Timeline;
pub use view::{RegionView, WorldView};

/// The world. All its methods take the time they are asked about.
#[derive(Debug)]
pub struct World {
    /// What exists.
    pub fleet: Fleet,
    /// The seed.
    pub seed: u64,
    /// The world's first moment.
    pub started: Timestamp,
    /// Factor by which the world's own delays are shorter than AWS's.
    pub pace: f64,
    /// Health checks.
    pub checks: Vec<checks::Check>,
    /// What callers stored, which needs no time to take effect.
    pub stores: stores::Stores,
    /// Roles that callers took.
    pub sessions: sessions::Sessions,
    laid_out: Vec<zone::RecordSet>,
    timeline: Mutex<Arc<Timeline>>,
    deeds: Mutex<Arc<deeds::Deeds>>,
    /// Milliseconds of the first deed that touches requests.
    touched_since: AtomicI64,
    histories: Mutex<capacity::Histories>,
    passes: Mutex<dns::Passes>,
    flows: Mutex<traffic::Flows>,
    alarms: Mutex<alarms::Memory>,
    tally: Mutex<view::Tally>,
    /// What was written through the application, oldest first.
    written: Mutex<Vec<application::Written>>,
}

/// Locks a mutex; the data behind these is whole even when a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A mutex of its own with what is behind another.
pub(crate) fn copied<T: Clone>(mutex: &Mutex<T>) -> Mutex<T> {
    Mutex::new(lock(mutex).clone())
}

impl Clone for World {
    /// A world of its own, with the same past and the same present.
    fn clone(&self) -> Self {
        Self {
            fleet: self.fleet.clone(),
            seed: self.seed,
            started: self.started,
            pace: self.pace,
            checks: self.checks.clone(),
            stores: self.stores.clone(),
            sessions: self.sessions.clone(),
            laid_out: self.laid_out.clone(),
            timeline: copied(&self.timeline),
            deeds: copied(&self.deeds),
            touched_since: AtomicI64::new(self.touched_since.load(Ordering::Relaxed)),
            histories: copied(&self.histories),
            passes: copied(&self.passes),
            flows: copied(&self.flows),
            alarms: copied(&self.alarms),
            tally: copied(&self.tally),
            written: copied(&self.written),
        }
    }
}

impl World {
    /// A world in which nothing is wrong yet.
    pub fn new(fleet: Fleet, wiring: checks::Wiring, pace: f64, started: Timestamp) -> Self {
        let checks = checks::laid_out(&fleet, wiring);
        let own = |site: &Site| {
            let last = checks.iter().rfind(|check| check.site == site.index);
            last.map(|check| check.id.clone()).unwrap_or_default()
        };
        Self {
            seed: fleet.seed,
            laid_out: zone::laid_out(&fleet, own),
            checks,
            fleet,
            started,
            pace: if pace.is_finite() { pace.clamp(0.01, 10_000.0) } else { 1.0 },
            stores: stores::Stores::default(),
            sessions: sessions::Sessions::default(),
            timeline: Mutex::default(),
            deeds: Mutex::default(),
            touched_since: AtomicI64::new(i64::MAX),
            histories: Mutex::default(),
            passes: Mutex::default(),
            flows: Mutex::default(),
            alarms: Mutex::default(),
            tally: Mutex::default(),
            written: Mutex::default(),
        }
    }

    /// What is wrong, when.
    pub fn timeline(&self) -> Arc<Timeline> {
        lock(&self.timeline).clone()
    }

    /// Lets a scenario begin at `began` in `region`; whatever was wrong ends there.
    pub fn begin(&self, scenario: &scenario::Scenario, region: &str, began: Timestamp) {
        let mut timeline = lock(&self.timeline);
        *timeline = Arc::new(timeline.begin(scenario, region, began));
        drop(timeline);
        self.forget_after(began);
    }

    /// Lets a scenario begin at `began` beside whatever is wrong.
    pub fn overlay(&self, scenario: &scenario::Scenario, region: &str, began: Timestamp) {
        let mut timeline = lock(&self.timeline);
        *timeline = Arc::new(timeline.overlay(scenario, region, began));
        drop(timeline);
        self.forget_after(began);
    }

    /// Forgets what was computed for times that something done at `at` may change.
    fn forget_after(&self, at: Timestamp) {
        lock(&self.passes).forget(at);
        lock(&self.flows).forget(at);
        capacity::forget(&mut lock(&self.histories), at);
    }

    /// So many of the world's own seconds, at its pace.
    pub(crate) fn paced(&self, seconds: f64) -> SignedDuration {
        SignedDuration::from_millis((seconds * 1_000.0 / self.pace).round() as i64)
    }

    /// `at` minus seconds of the world's own delays.
    pub(crate) fn ago(&self, at: Timestamp, seconds: i64) -> Timestamp {
        at - self.paced(seconds as f64)
    }

    /// A hash for noise and names.
    pub(crate) fn salt(&self, name: &str) -> u64 {
        noise::hash(self.seed, name)
    }
}

/// Whole and partial minutes since 1970, for noise.
pub(crate) fn minutes(at: Timestamp) -> f64 {
    at.as_second() as f64 / 60.0
}

/// Minutes from `from` to `to`, never negative.
pub(crate) fn minutes_since(from: Timestamp, to: Timestamp) -> f64 {
    (to.duration_since(from).as_secs_f64() / 60.0).max(0.0)
}

/// `at` minus seconds.
pub(crate) fn before(at: Timestamp, seconds: i64) -> Timestamp {
    at - SignedDuration::from_secs(seconds)
}
