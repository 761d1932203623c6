//! The world behind the simulated services.
//!
//! What it is for: what exists ([`fleet`]), what is wrong when ([`timeline`]), and what follows from both at
//! any moment: tasks and targets, DNS, traffic, metrics, alarms. All of it is computed from the seed, the
//! timeline and the time asked for, so that nothing runs between two questions.
//! What it must not do: know a wire protocol, read a clock, or wait.

pub mod alarms;
pub mod dns;
pub mod faults;
pub mod fleet;
pub mod geography;
pub mod lag;
pub mod metrics;
pub mod noise;
pub mod scenario;
pub mod tasks;
pub mod timeline;
pub mod traffic;
mod view;

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
    timeline: Mutex<Arc<Timeline>>,
    flows: Mutex<traffic::Flows>,
    alarms: Mutex<alarms::Memory>,
    tally: Mutex<view::Tally>,
}

/// Locks a mutex; the data behind these is whole even when a holder panicked.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl World {
    /// A world in which nothing is wrong yet.
    pub fn new(fleet: Fleet, started: Timestamp) -> Self {
        Self {
            seed: fleet.seed,
            fleet,
            started,
            timeline: Mutex::default(),
            flows: Mutex::default(),
            alarms: Mutex::default(),
            tally: Mutex::default(),
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
