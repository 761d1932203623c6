//! From the world's minutes to CloudWatch's buckets.
//!
//! What it is for: finding a metric by its exact dimensions, and aggregating its minutes into periods.
//! What it must not do: know a wire protocol or metric math.

use std::collections::HashMap;

use jiff::Timestamp;

use super::source::{MetricId, MetricSource};
use super::stat::{self, Points};

const MINUTE: i64 = 60;
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// The metrics of one region at one moment, found by namespace, name and the set of their dimensions.
pub(super) struct Metrics {
    found: HashMap<MetricId, MetricId>,
}

impl Metrics {
    /// All that exist.
    pub(super) fn new(metrics: Vec<MetricId>) -> Self {
        Self { found: metrics.into_iter().map(|metric| (by_set(&metric), metric)).collect() }
    }

    /// The metric as the world made it. One that is not listed is asked for as it was named: a series that
    /// has ended leaves the list before its points leave CloudWatch.
    pub(super) fn find<'a>(&'a self, asked: &'a MetricId) -> &'a MetricId {
        self.found.get(&by_set(asked)).unwrap_or(asked)
    }
}

/// The same metric with its dimensions in one order.
pub(super) fn by_set(metric: &MetricId) -> MetricId {
    let mut metric = metric.clone();
    metric.dimensions.sort();
    metric
}

/// The time range of a request, in epoch seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// First moment, rounded down as CloudWatch documents.
    pub(super) start: i64,
    /// End, exclusive.
    pub(super) end: i64,
    /// The world's time.
    pub(super) now: Timestamp,
}

impl Window {
    /// Rounds the start down: to a minute, to five within 15 to 63 days, to an hour beyond.
    pub(super) fn new(start: Timestamp, end: Timestamp, now: Timestamp) -> Self {
        let start_second = floor_second(start);
        let age = now.as_second() - start_second;
        let grain = match age {
            age if age > 63 * DAY => HOUR,
            age if age > 15 * DAY => 5 * MINUTE,
            _ => MINUTE,
        };
        // A fraction of a second past the end still belongs to the second.
        let end_second = floor_second(end) + i64::from(end.subsec_nanosecond() > 0);
        Self { start: floor(start_second, grain), end: end_second, now }
    }

    /// Where buckets of `period` begin: every multiple of it that covers a part of the window. Nothing
    /// begins after now.
    pub(super) fn aligned(self, period: i64) -> impl DoubleEndedIterator<Item = i64> + Clone {
        self.from(floor(self.start, period), period)
    }

    /// Buckets of `period` that begin at the window's own start.
    pub(super) fn unaligned(self, period: i64) -> impl DoubleEndedIterator<Item = i64> + Clone {
        self.from(self.start, period)
    }

    fn from(self, first: i64, period: i64) -> impl DoubleEndedIterator<Item = i64> + Clone {
        let now = self.now.as_second();
        // What CloudWatch no longer keeps is skipped in whole periods, so that the grid does not move.
        let forgotten = (now - retention(period) - first).max(0);
        let first = first + (forgotten + period - 1) / period * period;
        let end = self.end.min(now + 1);
        let count = if end > first { (end - first + period - 1) / period } else { 0 };
        (0..count).map(move |index| first + index * period)
    }
}

/// How long CloudWatch keeps data of a period: below a minute 3 hours, one minute 15 days, five minutes 63
/// days, an hour 455 days.
fn retention(period: i64) -> i64 {
    match period {
        period if period % HOUR == 0 => 455 * DAY,
        period if period % (5 * MINUTE) == 0 => 63 * DAY,
        period if period % MINUTE == 0 => 15 * DAY,
        _ => 3 * HOUR,
    }
}

fn floor_second(time: Timestamp) -> i64 {
    time.as_second() - i64::from(time.subsec_nanosecond() < 0)
}

/// The greatest multiple of `grain` not above `at`.
pub(super) fn floor(at: i64, grain: i64) -> i64 {
    at - at.rem_euclid(grain)
}

/// A metric of a region, ready to be read.
#[derive(Clone, Copy)]
pub(super) struct Reader<'a> {
    /// The world.
    pub(super) source: &'a dyn MetricSource,
    /// Region.
    pub(super) region: &'a str,
    /// The time range.
    pub(super) window: Window,
}

impl Reader<'_> {
    /// What was measured in `period` seconds from `bucket`, with its unit. Minutes in a unit other than the
    /// one asked for do not count.
    pub(super) fn bucket(
        &self,
        metric: &MetricId,
        bucket: i64,
        period: i64,
        unit: Option<&str>,
    ) -> Option<(Vec<(f64, f64)>, &'static str)> {
        let mut all: Option<(Vec<(f64, f64)>, &'static str)> = None;
        // Minutes are the finest that the world measures: a shorter period finds points on whole minutes only.
        let mut minute = floor(bucket + MINUTE - 1, MINUTE);
        while minute < bucket + period && minute <= self.window.now.as_second() {
            let at = Timestamp::from_second(minute).ok()?;
            let samples = self.source.samples(self.region, metric, at, self.window.now);
            if let Some(samples) = samples.filter(|samples| unit.is_none_or(|unit| unit == samples.unit)) {
                let (values, _) = all.get_or_insert_with(|| (Vec::new(), samples.unit));
                stat::merge(values, samples.values);
            }
            minute += MINUTE;
        }
        all
    }

    /// One statistic of a metric over the window, in whole periods.
    pub(super) fn points(
        &self,
        metric: &MetricId,
        period: i64,
        statistic: stat::Stat,
        unit: Option<&str>,
    ) -> Points {
        self.window
            .aligned(period)
            .filter_map(|bucket| {
                let (samples, _) = self.bucket(metric, bucket, period, unit)?;
                statistic.over(&samples).filter(|value| value.is_finite()).map(|value| (bucket, value))
            })
            .collect()
    }
}

/// The largest period: what fits the 32 bits of the service model.
const MOST_PERIOD: i64 = i32::MAX as i64;

/// A period that CloudWatch takes: 1, 5, 10, 20, 30 or a multiple of 60.
pub(super) fn valid_period(period: i64) -> bool {
    matches!(period, 1 | 5 | 10 | 20 | 30)
        || ((MINUTE..=MOST_PERIOD).contains(&period) && period % MINUTE == 0)
}
