//! Numbers and ages as plans and findings say them.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::observation::Reading;

/// Milliseconds in the unit a person would choose: `184 ms`, `3.2 s`, `4 min`.
pub(crate) fn millis(value: f64) -> String {
    if value < 1_000.0 {
        format!("{value:.0} ms")
    } else if value < 120_000.0 {
        format!("{:.1} s", value / 1_000.0)
    } else {
        format!("{:.0} min", value / 60_000.0)
    }
}

/// A span in words.
pub(crate) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7_199 => format!("{} min", seconds / 60),
        seconds @ 7_200..=172_799 => format!("{} h", seconds / 3_600),
        seconds => format!("{} days", seconds / 86_400),
    }
}

/// How old a reading is: `12 s ago`, `3 h ago, from the saved baseline`.
pub(crate) fn age<T>(reading: &Reading<T>, now: Timestamp) -> String {
    let ago = span(Duration::try_from(now.duration_since(reading.as_of)).unwrap_or_default());
    if reading.saved { format!("{ago} ago, from the saved baseline") } else { format!("{ago} ago") }
}

/// `a`, `a and b`, `a, b and c`.
pub(crate) fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<String> = items.into_iter().map(|item| item.to_string()).collect();
    match items.split_last() {
        None => String::new(),
        Some((last, [])) => last.clone(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
    }
}
