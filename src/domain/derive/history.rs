//! The last hour of a row, minute by minute.
//!
//! What it is for: rows carry their hour, of which few are ever looked at. One that is a series as it was read is
//! spread out when somebody looks. What it must not do: fill gaps.

use std::borrow::Cow;
use std::ops::Deref;
use std::sync::OnceLock;

use jiff::Timestamp;

use crate::domain::metric::Series;

/// How many minutes a [`History`] holds.
pub const HISTORY_MINUTES: usize = 60;

/// One value a minute for the last hour, oldest first; `None` is a gap, never zero. The last element is
/// the minute of the newest bucket that is asked for.
#[derive(Clone, Debug)]
pub struct History(Minutes);

#[derive(Clone, Debug)]
enum Minutes {
    Known(Box<[Option<f64>]>),
    Of { series: Series, end: Timestamp, factor: f64, spread: OnceLock<Box<[Option<f64>]>> },
}

impl History {
    /// The hour before `end`.
    pub(super) fn of(series: &Series, end: Timestamp) -> Self {
        Self(Minutes::Of { series: series.clone(), end, factor: 1.0, spread: OnceLock::new() })
    }

    /// An hour of gaps.
    pub(super) fn unknown() -> Self {
        Self::of(&Series::default(), Timestamp::UNIX_EPOCH)
    }

    /// Its minutes for who looks once, at many; the history itself keeps those that it is dereferenced for.
    pub fn values(&self) -> Cow<'_, [Option<f64>]> {
        match &self.0 {
            Minutes::Known(values) => Cow::Borrowed(values),
            Minutes::Of { series, end, factor, spread } => match spread.get() {
                Some(values) => Cow::Borrowed(values),
                None => Cow::Owned(spread_out(series, *end, *factor)),
            },
        }
    }

    /// The same in a unit that is `times` smaller.
    pub(super) fn scaled(self, times: f64) -> Self {
        Self(match self.0 {
            Minutes::Known(values) => {
                Minutes::Known(values.iter().map(|value| value.map(|value| value * times)).collect())
            }
            Minutes::Of { series, end, factor, .. } => {
                Minutes::Of { series, end, factor: factor * times, spread: OnceLock::new() }
            }
        })
    }
}

impl FromIterator<Option<f64>> for History {
    fn from_iter<I: IntoIterator<Item = Option<f64>>>(values: I) -> Self {
        Self(Minutes::Known(values.into_iter().collect()))
    }
}

impl Deref for History {
    type Target = [Option<f64>];

    fn deref(&self) -> &Self::Target {
        match &self.0 {
            Minutes::Known(values) => values,
            Minutes::Of { series, end, factor, spread } => {
                spread.get_or_init(|| spread_out(series, *end, *factor).into())
            }
        }
    }
}

fn spread_out(series: &Series, end: Timestamp, factor: f64) -> Vec<Option<f64>> {
    let values = series.minutes(end, HISTORY_MINUTES).into_iter();
    values.map(|value| value.map(|value| value * factor)).collect()
}
