//! Series: which minutes to ask for, and how answers join what is known.
//!
//! What it is for: the hour at first, then the last minutes only; whole minutes, the newest bucket left
//! out because AWS still fills it, the last ones read again because AWS revises them.
//! What it must not do: fill gaps; what a gap means is decided in `derive`.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::read::{Ask, Read, is_throttled};
use crate::cloud::{Each, Place, Window, limits};
use crate::domain::metric::{Metric, PERIOD, Point, Series, SeriesKey, WINDOW, floor_minute};
use crate::domain::observation::{ErrorKind, Observed};

/// The first question: the hour, and what may be late in it.
const FIRST: SignedDuration = SignedDuration::from_mins(65);

/// Later questions.
const LATER: SignedDuration = SignedDuration::from_mins(10);

/// Differences of clocks below this are the way of an answer.
const SKEW: SignedDuration = SignedDuration::from_secs(20);

/// Minutes before the last answer's end that are read again.
const AGAIN: SignedDuration = SignedDuration::from_mins(3);

/// Where the series lie in a snapshot.
pub(super) type Where<S> = fn(&mut S) -> &mut BTreeMap<SeriesKey, Observed<Series>>;

/// The reads that bring `known` (all of one kind) up to date: one a 500 series, none when the newest
/// whole minute is known already.
pub(super) fn reads<S: 'static>(
    ask: &Ask,
    place: &Place,
    known: &BTreeMap<SeriesKey, Observed<Series>>,
    percentiles: bool,
    map: Where<S>,
) -> Vec<Read<S>> {
    let end = floor_minute(aws_now(ask, place)) - PERIOD;
    let keys: Vec<SeriesKey> =
        known.keys().filter(|key| key.metric.spec().percentile == percentiles).cloned().collect();
    keys.chunks(limits::SERIES_PER_REQUEST)
        .filter_map(|keys| {
            let window = Window { start: start(keys, known, end)?, end, period: 60 };
            Some(read(ask, place, keys.to_vec(), window, map))
        })
        .collect()
}

/// The time at AWS, where our clock is off by more than a call takes.
fn aws_now(ask: &Ask, place: &Place) -> Timestamp {
    let ahead = place.cloud().clock_ahead();
    let now = ask.clock.now();
    if ahead.abs() > SKEW { now + ahead } else { now }
}

/// The first minute to ask for; `None` when there is nothing to ask.
fn start(
    keys: &[SeriesKey],
    known: &BTreeMap<SeriesKey, Observed<Series>>,
    end: Timestamp,
) -> Option<Timestamp> {
    let mut oldest: Option<Timestamp> = None;
    let (mut unread, mut failing) = (false, false);
    for observed in keys.iter().filter_map(|key| known.get(key)) {
        failing |= observed.error().is_some();
        match observed.reading().filter(|reading| !reading.saved) {
            Some(reading) => oldest = Some(oldest.map_or(reading.as_of, |at| at.min(reading.as_of))),
            None => unread |= observed.error().is_none(),
        }
    }
    match oldest {
        Some(oldest) if !unread && !failing && oldest >= end => None,
        Some(oldest) if !unread => Some((oldest - AGAIN).min(end - LATER).max(end - FIRST)),
        _ => Some(end - FIRST),
    }
}

fn read<S: 'static>(
    ask: &Ask,
    place: &Place,
    keys: Vec<SeriesKey>,
    window: Window,
    map: Where<S>,
) -> Read<S> {
    let (place, asked) = (place.clone(), keys.clone());
    Read::custom(
        ask,
        move || async move { place.metric_data(&asked, window).await },
        |each: &Each<SeriesKey, Vec<Point>>| {
            each.iter().any(|(_, result)| is_throttled(result.as_ref().err()))
        },
        move |each, snapshot, _| {
            let map = map(snapshot);
            for (key, result) in each {
                let Some(observed) = map.get_mut(&key) else { continue };
                match result {
                    Ok(points) => join(observed, points, window),
                    Err(error) => observed.fail(error),
                }
            }
        },
        move |snapshot, error| {
            let map = map(snapshot);
            for key in &keys {
                if let Some(observed) = map.get_mut(key) {
                    observed.fail(error.clone());
                }
            }
        },
    )
}

/// Takes the points of `window` in, and forgets what is older than an hour.
fn join(observed: &mut Observed<Series>, points: Vec<Point>, window: Window) {
    let mut series = observed.value().cloned().unwrap_or_default();
    let last = SignedDuration::from_secs(i64::from(window.period)) - PERIOD;
    // A wider bucket stands in its last minute, so that its end is told rightly.
    let inside = points.into_iter().filter(|point| point.at >= window.start && point.at < window.end);
    series.merge(inside.map(|point| Point { at: point.at + last, ..point }));
    series.forget_before(window.end - WINDOW);
    let as_of = observed
        .reading()
        .filter(|reading| !reading.saved)
        .map_or(window.end, |reading| reading.as_of.max(window.end));
    observed.succeed(series, as_of);
}

/// ReplicationLatency in five-minute buckets, for tables that publish none each minute.
///
/// An idle table publishes nothing at all, so this must stay rare: each five minutes while it brings
/// points, each half hour while it does not.
#[derive(Default)]
pub(super) struct Coarse {
    due: BTreeMap<SeriesKey, (Timestamp, u32)>,
}

impl Coarse {
    const PERIOD: i32 = 300;
    const OFTEN: SignedDuration = SignedDuration::from_mins(5);
    const RARELY: SignedDuration = SignedDuration::from_mins(30);

    /// The read for the tables that need it now.
    pub(super) fn read<S: 'static>(
        &mut self,
        ask: &Ask,
        place: &Place,
        known: &BTreeMap<SeriesKey, Observed<Series>>,
        map: Where<S>,
    ) -> Option<Read<S>> {
        let now = aws_now(ask, place);
        let mut keys = Vec::new();
        for (key, observed) in known.iter().filter(|(key, _)| key.metric == Metric::TableReplicationLatency) {
            let Some(reading) = observed.reading().filter(|reading| !reading.saved) else { continue };
            let refused = observed.error().is_some_and(|error| error.kind != ErrorKind::NoData);
            let newest = reading.value.last().map(|point| point.at + Self::OFTEN + PERIOD);
            let recent = newest.is_some_and(|newest| newest > reading.as_of);
            if refused || recent {
                continue;
            }
            let (due, empty) = self.due.entry(key.clone()).or_insert((now, 0));
            if *due <= now {
                *empty = if reading.value.is_empty() { *empty + 1 } else { 0 };
                *due = now + if *empty >= 2 { Self::RARELY } else { Self::OFTEN };
                keys.push(key.clone());
            }
        }
        keys.truncate(limits::SERIES_PER_REQUEST);
        let seconds = i64::from(Self::PERIOD);
        let second = now.as_second() - 60;
        let end = Timestamp::from_second(second - second.rem_euclid(seconds)).ok()?;
        let window = Window { start: end - WINDOW, end, period: Self::PERIOD };
        (!keys.is_empty()).then(|| read(ask, place, keys, window, map))
    }
}
