//! Numbers and ages as plans and findings say them.

use std::time::Duration;

use jiff::Timestamp;

use crate::domain::observation::Reading;

/// Milliseconds in the unit a person would choose: `184 ms`, `3.2 s`, `9 min 1 s`, `3 h 5 min`.
pub(crate) fn millis(value: f64) -> String {
    let seconds = (value / 1_000.0).round().max(0.0);
    match value {
        v if v < 999.5 => format!("{v:.0} ms"),
        v if v < 119_950.0 => format!("{:.1} s", v / 1_000.0),
        v if v < 7_199_500.0 => two(seconds, 60.0, "min", "s"),
        v if v.is_finite() => two((seconds / 60.0).round(), 60.0, "h", "min"),
        _ => "not known".to_owned(),
    }
}

/// `9 min 1 s`; the smaller part is left out where it is nothing.
fn two(whole: f64, each: f64, large: &str, small: &str) -> String {
    let (many, rest) = ((whole / each).floor(), whole % each);
    if rest < 0.5 { format!("{many:.0} {large}") } else { format!("{many:.0} {large} {rest:.0} {small}") }
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
