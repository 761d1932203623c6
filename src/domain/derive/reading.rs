//! Reading values out of a snapshot, with the rules for missing data that several panes share.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::History;
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, PERIOD, Series, SeriesKey};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, Reading, Source, SourceKind};

/// How far behind the end of the window the newest point may lie and still speak for the present:
/// CloudWatch's points are complete one to three minutes late.
pub(super) const LATE: SignedDuration = SignedDuration::from_mins(5);

/// Series of one region (or of Route 53), by key.
pub(super) struct Metrics<'a>(pub(super) &'a BTreeMap<SeriesKey, Observed<Series>>);

impl<'a> Metrics<'a> {
    /// The series, if the poller has been told to read it.
    pub(super) fn get(&self, metric: Metric, dimensions: &[&str]) -> Option<&'a Observed<Series>> {
        self.0.get(&SeriesKey::new(metric, dimensions))
    }

    /// The newest point, its time being the end of its bucket. A point that lies more than [`LATE`] behind
    /// the end of the window is no answer for the present; `missing` then says what its absence means.
    pub(super) fn latest(
        &self,
        metric: Metric,
        dimensions: &[&str],
        region: &Region,
        missing: &str,
    ) -> Observed<f64> {
        let Some(series) = self.get(metric, dimensions) else { return unread(metric, region) };
        let source = series.source().clone();
        let Some(window) = series.reading() else {
            return Observed::from_parts(source, None, series.error().cloned());
        };
        let newest = window.value.last().filter(|point| point.at + PERIOD + LATE >= window.as_of);
        let reading =
            newest.map(|point| Reading { value: point.value, as_of: point.at + PERIOD, saved: window.saved });
        let error = match (&reading, series.error()) {
            (_, Some(error)) => Some(error.clone()),
            (None, None) => Some(no_data(&source, window.as_of, missing)),
            (Some(_), None) => None,
        };
        Observed::from_parts(source, reading, error)
    }

    /// A minute for each of the last hour, `None` where there is no point.
    pub(super) fn history(&self, metric: Metric, dimensions: &[&str]) -> History {
        match self.get(metric, dimensions).and_then(Observed::reading) {
            Some(window) => History::of(&window.value, window.as_of),
            None => History::unknown(),
        }
    }

    /// True when the series has a point in the last minutes of its window: the pipeline is alive.
    pub(super) fn alive(&self, metric: Metric, dimensions: &[&str]) -> bool {
        self.get(metric, dimensions).and_then(Observed::reading).is_some_and(|window| {
            window.value.last().is_some_and(|point| point.at + PERIOD + LATE >= window.as_of)
        })
    }
}

/// A metric that nothing has asked for yet.
pub(super) fn unread<T>(metric: Metric, region: &Region) -> Observed<T> {
    let spec = metric.spec();
    Observed::pending(Source::new(
        if spec.percentile { SourceKind::Percentiles } else { SourceKind::Metrics },
        spec.call,
        Some(region.clone()),
    ))
}

/// "The answer came, and holds nothing": never zero, never an error of the region.
pub(super) fn no_data(source: &Source, at: Timestamp, meaning: &str) -> ProbeError {
    absent(source, ErrorKind::NoData, at, meaning)
}

/// An absence of some kind, in the words of the pane.
pub(super) fn absent(source: &Source, kind: ErrorKind, at: Timestamp, meaning: &str) -> ProbeError {
    ProbeError {
        kind,
        call: source.call.clone(),
        region: source.region.clone(),
        message: meaning.into(),
        request_id: None,
        at,
        next_step: "".into(),
    }
}

/// A value that was never asked for, since nothing in the topology asks for it.
pub(super) fn never_asked<T>(kind: SourceKind, call: &'static str, region: Option<&Region>) -> Observed<T> {
    Observed::pending(Source::new(kind, call, region.cloned()))
}

/// The entry of a map of observations, or a pending one.
pub(super) fn entry<K: Ord, T: Clone>(
    map: &BTreeMap<K, Observed<T>>,
    key: &K,
    kind: SourceKind,
    call: &'static str,
    region: &Region,
) -> Observed<T> {
    map.get(key).cloned().unwrap_or_else(|| never_asked(kind, call, Some(region)))
}

/// The older of two moments: a value computed from two readings is as old as the older.
pub(super) fn older(a: Timestamp, b: Timestamp) -> Timestamp {
    a.min(b)
}
