//! Statistics over a bucket's samples.
//!
//! What it is for: the names that CloudWatch takes and what each computes.
//! What it must not do: know about time.

use std::collections::BTreeMap;

/// A statistic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Stat {
    /// Number of samples.
    SampleCount,
    /// Mean.
    Average,
    /// Total.
    Sum,
    /// Smallest value.
    Minimum,
    /// Largest value.
    Maximum,
    /// `p99.9`: the value below which that percentage of the samples lies.
    Percentile(f64),
    /// `tm90`, `TM(2%:98%)`, `tc…`, `ts…`, `wm…`, `IQM`, `PR(:300)`: a computation over a part of the samples.
    Trimmed(Trim, Bounds),
}

/// What is computed over the part.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trim {
    /// Mean of the samples within the bounds.
    Mean,
    /// Their number.
    Count,
    /// Their total.
    Sum,
    /// Mean after those outside were pulled to the bounds.
    Winsorized,
    /// The percentage of samples within the bounds.
    Rank,
}

/// The part of the samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Bounds {
    /// From one percentile to another.
    Percent(f64, f64),
    /// From one value, exclusive, to another, inclusive.
    Values(f64, f64),
}

impl Stat {
    /// Reads a statistic's name; `None` when CloudWatch would not take it.
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "SampleCount" => Self::SampleCount,
            "Average" => Self::Average,
            "Sum" => Self::Sum,
            "Minimum" => Self::Minimum,
            "Maximum" => Self::Maximum,
            "IQM" => Self::Trimmed(Trim::Mean, Bounds::Percent(25.0, 75.0)),
            _ => return Self::parse_extended(name),
        })
    }

    fn parse_extended(name: &str) -> Option<Self> {
        if let Some(percent) = name.strip_prefix('p') {
            return number(percent).filter(|p| (0.0..=100.0).contains(p)).map(Self::Percentile);
        }
        let kinds = [("tm", Trim::Mean), ("tc", Trim::Count), ("ts", Trim::Sum), ("wm", Trim::Winsorized)];
        for (short, trim) in kinds {
            if let Some(percent) = name.strip_prefix(short) {
                let high = number(percent).filter(|p| (0.0..=100.0).contains(p))?;
                return Some(Self::Trimmed(trim, Bounds::Percent(0.0, high)));
            }
        }
        let (kind, rest) = name.split_once('(')?;
        let trim = match kind {
            "TM" => Trim::Mean,
            "TC" => Trim::Count,
            "TS" => Trim::Sum,
            "WM" => Trim::Winsorized,
            "PR" => Trim::Rank,
            _ => return None,
        };
        let (low, high) = rest.strip_suffix(')')?.split_once(':')?;
        let bounds = if low.ends_with('%') || high.ends_with('%') {
            let end = |text: &str, open: f64| match text {
                "" => Some(open),
                text => number(text.strip_suffix('%')?).filter(|p| (0.0..=100.0).contains(p)),
            };
            Bounds::Percent(end(low, 0.0)?, end(high, 100.0)?)
        } else {
            let end = |text: &str, open: f64| if text.is_empty() { Some(open) } else { number(text) };
            Bounds::Values(end(low, f64::NEG_INFINITY)?, end(high, f64::INFINITY)?)
        };
        // A percentile rank is about values, and a range needs at least one end.
        let fits = match bounds {
            Bounds::Percent(low, high) => trim != Trim::Rank && low < high,
            Bounds::Values(low, high) => low < high && (low.is_finite() || high.is_finite()),
        };
        fits.then_some(Self::Trimmed(trim, bounds))
    }

    /// The statistic over values with their counts. `None` when there are none, or none within the bounds.
    pub(super) fn over(self, samples: &[(f64, f64)]) -> Option<f64> {
        let count: f64 = samples.iter().map(|(_, count)| count).sum();
        if count <= 0.0 {
            return None;
        }
        let sum = || samples.iter().map(|(value, count)| value * count).sum::<f64>();
        let values = || samples.iter().filter(|(_, count)| *count > 0.0).map(|(value, _)| *value);
        match self {
            Self::SampleCount => Some(count),
            Self::Average => Some(sum() / count),
            Self::Sum => Some(sum()),
            Self::Minimum => values().reduce(f64::min),
            Self::Maximum => values().reduce(f64::max),
            Self::Percentile(percent) => percentile(&sorted(samples), count, percent),
            Self::Trimmed(trim, bounds) => trimmed(trim, bounds, &sorted(samples), count),
        }
    }
}

/// A plain decimal number: no exponent, no sign but a leading minus.
fn number(text: &str) -> Option<f64> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    (digits.starts_with(|c: char| c.is_ascii_digit())
        && digits.chars().all(|c| c.is_ascii_digit() || c == '.')
        && !digits.ends_with('.'))
    .then(|| text.parse().ok())
    .flatten()
}

fn sorted(samples: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut samples: Vec<_> = samples.iter().copied().filter(|(_, count)| *count > 0.0).collect();
    samples.sort_by(|a, b| a.0.total_cmp(&b.0));
    samples
}

/// The smallest value with at least that percentage of the samples at or below it.
fn percentile(sorted: &[(f64, f64)], count: f64, percent: f64) -> Option<f64> {
    let wanted = count * percent / 100.0;
    let mut below = 0.0;
    for (value, times) in sorted {
        below += times;
        // The tolerance keeps 99 % of 100 samples from becoming the hundredth by rounding.
        if below + 1e-9 * count >= wanted {
            return Some(*value);
        }
    }
    sorted.last().map(|(value, _)| *value)
}

fn trimmed(trim: Trim, bounds: Bounds, sorted: &[(f64, f64)], count: f64) -> Option<f64> {
    let kept: Vec<(f64, f64)> = match bounds {
        Bounds::Values(low, high) => sorted.iter().copied().filter(|(v, _)| *v > low && *v <= high).collect(),
        Bounds::Percent(low, high) => {
            let (from, to) = (count * low / 100.0, count * high / 100.0);
            let mut start = 0.0;
            sorted
                .iter()
                .map(|(value, times)| {
                    let end = start + times;
                    let within = (f64::min(end, to) - f64::max(start, from)).max(0.0);
                    start = end;
                    (*value, within)
                })
                .filter(|(_, times)| *times > 0.0)
                .collect()
        }
    };
    let kept_count: f64 = kept.iter().map(|(_, times)| times).sum();
    let kept_sum: f64 = kept.iter().map(|(value, times)| value * times).sum();
    match trim {
        Trim::Count => Some(kept_count),
        Trim::Rank => Some(100.0 * kept_count / count),
        Trim::Sum => Some(kept_sum),
        Trim::Mean => (kept_count > 0.0).then(|| kept_sum / kept_count),
        Trim::Winsorized => {
            let (first, last) = match bounds {
                Bounds::Values(low, high) => (low, high),
                Bounds::Percent(..) => (kept.first()?.0, kept.last()?.0),
            };
            let total: f64 = sorted.iter().map(|(value, times)| value.clamp(first, last) * times).sum();
            Some(total / count)
        }
    }
}

/// Adds one minute's samples to a bucket's.
pub(super) fn merge(bucket: &mut Vec<(f64, f64)>, minute: Vec<(f64, f64)>) {
    if bucket.is_empty() {
        *bucket = minute;
    } else {
        bucket.extend(minute);
    }
}

/// Points of one series: bucket start in epoch seconds, value.
pub(super) type Points = BTreeMap<i64, f64>;
