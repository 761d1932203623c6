//! What watching may take, and what it takes.
//!
//! What it is for: the request budget that all Route 53 calls share, and the count of calls and dollars
//! that the footer shows. What it must not do: delay calls to any other service.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::domain::snapshot::Usage;
use crate::ports::Clock;

/// List price of one series of one GetMetricData request, dollars.
pub const DOLLARS_PER_SERIES: f64 = 0.01 / 1_000.0;

/// Requests that Route 53 may get a second in the long run: a twenty-fifth of the account's 5/s, which
/// everybody else in the account shares.
pub const ROUTE53_RATE: f64 = 0.2;

/// Requests that Route 53 may get at once after a pause: about what the account's 5/s take without a
/// refusal, and enough for the first sweep of two regions.
pub const ROUTE53_BURST: f64 = 6.0;

/// A token bucket that callers wait for, in the order in which they came.
#[derive(Debug)]
pub struct Budget {
    clock: Clock,
    rate: f64,
    burst: f64,
    state: Mutex<Bucket>,
}

#[derive(Debug)]
struct Bucket {
    /// Negative while callers wait: each of them has taken its token in advance.
    tokens: f64,
    at: Timestamp,
}

/// A token taken in advance; given back when its taker gives up before it was due.
struct Reservation<'a> {
    budget: &'a Budget,
    due: bool,
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if !self.due {
            self.budget.lock().tokens += 1.0;
        }
    }
}

impl Budget {
    /// A full bucket of `burst` tokens that gains `rate` a second.
    pub fn new(clock: Clock, rate: f64, burst: f64) -> Self {
        Self { clock, rate, burst, state: Mutex::new(Bucket { tokens: burst, at: clock.now() }) }
    }

    /// Waits until one more request may be made.
    pub async fn take(&self) {
        let wait = {
            let mut bucket = self.lock();
            self.refill(&mut bucket);
            bucket.tokens -= 1.0;
            -bucket.tokens / self.rate
        };
        if wait > 0.0 {
            let mut reservation = Reservation { budget: self, due: false };
            self.clock.sleep(Duration::from_secs_f64(wait)).await;
            reservation.due = true;
        }
    }

    /// Counts a request that did not wait: those who do wait, wait longer for it. The debt is never larger than
    /// the burst, so that watching goes on while a run asks often.
    pub fn charge(&self) {
        let mut bucket = self.lock();
        self.refill(&mut bucket);
        bucket.tokens = (bucket.tokens - 1.0).max(bucket.tokens.min(-self.burst));
    }

    /// True when a request could be made at once.
    pub fn would_allow(&self) -> bool {
        let mut bucket = self.lock();
        self.refill(&mut bucket);
        bucket.tokens >= 1.0
    }

    fn refill(&self, bucket: &mut Bucket) {
        let now = self.clock.now();
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * self.rate).min(self.burst);
        bucket.at = now;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Bucket> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Counts calls and series, and compares clocks.
#[derive(Debug)]
pub struct Meter {
    clock: Clock,
    started: Timestamp,
    state: Mutex<Counts>,
}

#[derive(Debug, Default)]
struct Counts {
    /// Time of each call of the last minute.
    calls: VecDeque<Timestamp>,
    /// Time and number of the series asked for, in the last ten minutes.
    series: VecDeque<(Timestamp, u32)>,
    /// How far AWS's clock is ahead of ours, by the newest answer.
    ahead: SignedDuration,
}

const MINUTE: SignedDuration = SignedDuration::from_mins(1);
const ROLLING: SignedDuration = SignedDuration::from_mins(10);

impl Meter {
    /// Nothing counted yet.
    pub fn new(clock: Clock) -> Self {
        Self { clock, started: clock.now(), state: Mutex::default() }
    }

    /// One HTTP request to AWS.
    pub fn call(&self) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.calls.push_back(now);
        state.forget(now);
    }

    /// One GetMetricData request for `count` series.
    pub fn series(&self, count: usize) {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.series.push_back((now, u32::try_from(count).unwrap_or(u32::MAX)));
        state.forget(now);
    }

    /// An answer said that it is `date` at AWS.
    pub fn dated(&self, date: Timestamp) {
        let ahead = date.duration_since(self.clock.now());
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ahead = ahead;
    }

    /// How far AWS's clock is ahead of ours (negative: behind), by the `Date` of the newest answer, to a
    /// second or two; zero before the first answer.
    pub fn ahead(&self) -> SignedDuration {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).ahead
    }

    /// Calls of the last 60 seconds, and dollars an hour at the rate of the last ten minutes (before that,
    /// of the minutes since the start).
    pub fn usage(&self) -> Usage {
        let now = self.clock.now();
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.forget(now);
        // Series are asked for each minute, the first time at once: n minutes after the start, n + 1 times.
        let minutes = now.duration_since(self.started).as_mins().clamp(0, 9) + 1;
        let series: f64 = state.series.iter().map(|(_, count)| f64::from(*count)).sum();
        Usage {
            calls_per_minute: u32::try_from(state.calls.len()).unwrap_or(u32::MAX),
            dollars_per_hour: series * DOLLARS_PER_SERIES * 60.0 / minutes as f64,
        }
    }
}

impl Counts {
    fn forget(&mut self, now: Timestamp) {
        while self.calls.front().is_some_and(|at| *at <= now - MINUTE) {
            self.calls.pop_front();
        }
        while self.series.front().is_some_and(|(at, _)| *at <= now - ROLLING) {
            self.series.pop_front();
        }
    }
}
