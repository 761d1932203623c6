//! Numbers as findings say them.

use std::time::Duration;

use jiff::Timestamp;

/// Milliseconds in the unit a person would choose: `184 ms`, `3.2 s`, `4 min`.
pub(super) fn millis(value: f64) -> String {
    if value < 1_000.0 {
        format!("{value:.0} ms")
    } else if value < 120_000.0 {
        format!("{:.1} s", value / 1_000.0)
    } else {
        format!("{:.0} min", value / 60_000.0)
    }
}

/// A share with as many digits as matter.
pub(super) fn percent(value: f64) -> String {
    if value < 10.0 { format!("{value:.1} %") } else { format!("{value:.0} %") }
}

/// How long ago, in words: `40 s`, `12 min`, `3 h`.
pub(super) fn ago(since: Timestamp, now: Timestamp) -> String {
    span(Duration::try_from(now.duration_since(since)).unwrap_or_default())
}

/// A span in words.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}
