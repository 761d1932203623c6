//! What was done to the world: an append-only history of timed deeds.
//!
//! What it is for: making the world mutable without letting anything run between two questions. What follows
//! from a deed, and when, is computed from the history by `checks`, `zone`, `capacity` and `database`.
//! What it must not do: change or forget a deed, or know a wire protocol.

use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::database::Step;
use super::removal::Thing;
use super::zone::Change;
use super::{World, lock};

/// A deed with its time.
#[derive(Clone, Debug)]
pub struct Done {
    /// When it was done.
    pub at: Timestamp,
    /// What was done.
    pub deed: Deed,
}

/// Everything that a call may change and that shows its consequences over time.
#[derive(Clone, Debug)]
pub enum Deed {
    /// A health check's settings; what is absent stays.
    Check {
        /// Id of the check.
        check: String,
        /// Negates the measured state.
        inverted: Option<bool>,
        /// Stops measuring, which counts as healthy.
        disabled: Option<bool>,
        /// Healthy children that a calculated check wants.
        threshold: Option<u32>,
    },
    /// A batch of changes to the zone.
    Records {
        /// Id of the change, without `/change/`.
        id: String,
        /// The changes, which hold together.
        changes: Vec<Change>,
        /// When every name server knows.
        insync: Timestamp,
    },
    /// How many tasks a service is to have.
    Desired {
        /// Site.
        site: usize,
        /// Service.
        service: usize,
        /// Tasks.
        count: i32,
    },
    /// All tasks of a service are to be replaced.
    Deployment {
        /// Site.
        site: usize,
        /// Service.
        service: usize,
    },
    /// A scalable target's settings; what is absent stays.
    Scaling {
        /// Site.
        site: usize,
        /// Service.
        service: usize,
        /// Least capacity.
        min: Option<i32>,
        /// Most capacity.
        max: Option<i32>,
        /// Dynamic scale-in, dynamic scale-out, scheduled scaling.
        suspended: [Option<bool>; 3],
    },
    /// Something about Aurora.
    Database(Step),
    /// An object appeared in a bucket, or went.
    Object {
        /// Bucket.
        bucket: String,
        /// Key.
        key: String,
        /// There, or gone.
        there: bool,
    },
    /// A value of a custom metric arrived.
    Metric {
        /// The site whose switch it is.
        site: usize,
        /// The value.
        value: f64,
    },
    /// A routing control was set.
    Control {
        /// The site that it stands for.
        site: usize,
        /// On.
        on: bool,
    },
    /// A thing is deleted.
    Remove {
        /// What.
        thing: Thing,
        /// When it is gone.
        gone: Timestamp,
    },
    /// A protection from deletion is set.
    Protect {
        /// Of what.
        thing: Thing,
        /// On.
        on: bool,
    },
}

impl Deed {
    /// Whether users' requests, tasks or DNS may notice.
    fn touches_requests(&self) -> bool {
        match self {
            // To a record that still names it, a check that is gone counts as healthy.
            Self::Remove { thing, .. } => matches!(thing, Thing::Check(_)),
            Self::Database(_) | Self::Protect { .. } => false,
            Self::Check { .. }
            | Self::Records { .. }
            | Self::Desired { .. }
            | Self::Deployment { .. }
            | Self::Scaling { .. }
            | Self::Object { .. }
            | Self::Metric { .. }
            | Self::Control { .. } => true,
        }
    }
}

/// Everything that was done, in order.
#[derive(Clone, Debug, Default)]
pub struct Deeds {
    done: Vec<Done>,
}

impl Deeds {
    /// What was done until `at`, oldest first.
    pub fn until(&self, at: Timestamp) -> impl DoubleEndedIterator<Item = &Done> {
        self.done[..self.done.partition_point(|done| done.at <= at)].iter()
    }

    fn push(&mut self, at: Timestamp, deed: Deed) -> Timestamp {
        // History is written in one direction only.
        let at = self.done.last().map_or(at, |last| last.at.max(at));
        self.done.push(Done { at, deed });
        at
    }
}

impl World {
    /// What was done so far.
    pub fn deeds(&self) -> std::sync::Arc<Deeds> {
        lock(&self.deeds).clone()
    }

    /// True when nothing that touches requests was done until `at`. Asked so often that it takes no lock.
    pub fn calm(&self, at: Timestamp) -> bool {
        at.as_millisecond() < self.touched_since.load(Ordering::Relaxed)
    }

    /// Does something at `at`.
    pub fn act(&self, at: Timestamp, deed: Deed) {
        let touches = deed.touches_requests();
        let at = std::sync::Arc::make_mut(&mut lock(&self.deeds)).push(at, deed);
        if touches {
            self.touched_since.fetch_min(at.as_millisecond(), Ordering::Relaxed);
            self.forget_after(at);
        }
    }
}
