//! The one clock of the program.
//!
//! What it is for: now, sleep, timeout and interval, for real time, for sped-up demos and for tests
//! on tokio's paused clock. What it must not do: anything else; `clippy.toml` forbids the standard
//! library's and tokio's own clocks everywhere but here.

use std::future::Future;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// A source of time. Cheap to copy; all copies agree.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    basis: Basis,
}

#[derive(Clone, Copy, Debug)]
enum Basis {
    /// The operating system's clock.
    Real,
    /// `epoch` plus what tokio's clock has run since `started`, times `speed`.
    Virtual { epoch: Timestamp, started: tokio::time::Instant, speed: f64 },
}

/// The future passed to [`Clock::timeout`] had not finished in time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("timed out after {0:?}")]
pub struct Elapsed(pub Duration);

#[allow(clippy::disallowed_methods)]
impl Clock {
    /// The operating system's clock, at normal speed.
    pub fn real() -> Self {
        Self { basis: Basis::Real }
    }

    /// A clock that starts at `epoch` now and runs `speed` times as fast as tokio's clock. Under
    /// `tokio::time::pause()` it moves only when tokio's clock does. `speed` below 0.01 is taken as 0.01.
    pub fn starting_at(epoch: Timestamp, speed: f64) -> Self {
        let speed = if speed.is_finite() { speed.clamp(0.01, 10_000.0) } else { 1.0 };
        Self { basis: Basis::Virtual { epoch, started: tokio::time::Instant::now(), speed } }
    }

    /// How many seconds of this clock pass in one second of the machine's.
    pub fn speed(&self) -> f64 {
        match self.basis {
            Basis::Real => 1.0,
            Basis::Virtual { speed, .. } => speed,
        }
    }

    /// The present moment.
    pub fn now(&self) -> Timestamp {
        match self.basis {
            Basis::Real => Timestamp::now(),
            Basis::Virtual { epoch, started, speed } => {
                let elapsed = started.elapsed().mul_f64(speed);
                epoch + SignedDuration::try_from(elapsed).unwrap_or(SignedDuration::ZERO)
            }
        }
    }

    /// Waits for `duration` of this clock.
    pub async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(self.scaled(duration)).await;
    }

    /// Runs `future` for at most `limit` of this clock.
    pub async fn timeout<F: Future>(&self, limit: Duration, future: F) -> Result<F::Output, Elapsed> {
        tokio::time::timeout(self.scaled(limit), future).await.map_err(|_| Elapsed(limit))
    }

    /// Ticks every `period` of this clock, the first time at once; missed ticks are skipped.
    pub fn interval(&self, period: Duration) -> tokio::time::Interval {
        let mut interval = tokio::time::interval(self.scaled(period).max(Duration::from_millis(1)));
        interval.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        interval
    }

    /// How long `duration` of this clock is on the machine's clock.
    pub fn scaled(&self, duration: Duration) -> Duration {
        duration.div_f64(self.speed())
    }
}

/// A stopwatch of monotonic machine time, for measuring a request.
#[derive(Clone, Copy, Debug)]
pub struct Stopwatch {
    started: tokio::time::Instant,
    speed: f64,
}

#[allow(clippy::disallowed_methods)]
impl Clock {
    /// Starts a stopwatch that runs at this clock's speed.
    pub fn stopwatch(&self) -> Stopwatch {
        Stopwatch { started: tokio::time::Instant::now(), speed: self.speed() }
    }
}

#[allow(clippy::disallowed_methods)]
impl Stopwatch {
    /// Time of the clock since the start.
    pub fn elapsed(&self) -> Duration {
        self.started.elapsed().mul_f64(self.speed)
    }
}
