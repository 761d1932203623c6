//! The instants at which sources are read.
//!
//! What it is for: sources that are due at about the same time are read at the same time. Their answers then arrive
//! together and are looked at and painted once, so that a console that watches all day wakes its machine a few times
//! a minute and not a few times a second. Each beat sways, so that consoles opened together do not stay in step.
//! What it must not do: know who is read; it is a rule from moment to moment and holds no state.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// From one beat to the next: every cadence is a multiple of it.
const EVERY: Duration = Duration::from_secs(5);

/// How far a beat may stand from its place, either way. Two beats ten seconds apart, the shortest cadence, are
/// ten percent nearer or farther at most.
const SWAY: Duration = Duration::from_millis(450);

/// A rhythm.
#[derive(Clone, Copy, Debug)]
pub(super) struct Beat {
    origin: Timestamp,
    seed: u64,
}

impl Beat {
    /// A rhythm that begins now.
    pub(super) fn starting_at(origin: Timestamp) -> Self {
        Self { origin, seed: fastrand::u64(..) }
    }

    /// The same rhythm, later by `part` of the pause between two beats, which is 0 to 1: many regions take turns.
    pub(super) fn later(self, part: f64) -> Self {
        Self { origin: self.origin + EVERY.mul_f64(part), ..self }
    }

    /// The beat nearest to a moment, of those that are not after `latest`.
    pub(super) fn nearest(self, at: Timestamp, latest: Timestamp) -> Timestamp {
        let near = self.place(at);
        let beats = [near - 1, near, near + 1].map(|number| self.beat(number));
        let allowed = beats.into_iter().filter(|beat| *beat <= latest);
        allowed.min_by_key(|beat| beat.duration_since(at).abs()).unwrap_or(latest)
    }

    /// The first beat at a moment or after it.
    pub(super) fn from(self, at: Timestamp) -> Timestamp {
        let near = self.place(at);
        (near - 1..=near + 2).map(|number| self.beat(number)).find(|beat| *beat >= at).unwrap_or(at)
    }

    /// The number of the beat before a moment, as if beats did not sway.
    fn place(self, at: Timestamp) -> i64 {
        at.duration_since(self.origin).as_secs_f64().div_euclid(EVERY.as_secs_f64()) as i64
    }

    fn beat(self, number: i64) -> Timestamp {
        let mut dice =
            fastrand::Rng::with_seed(self.seed ^ (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let sway = SWAY.as_secs_f64() * (2.0 * dice.f64() - 1.0);
        let after = number as f64 * EVERY.as_secs_f64() + sway;
        self.origin.saturating_add(SignedDuration::from_secs_f64(after)).unwrap_or(self.origin)
    }
}
