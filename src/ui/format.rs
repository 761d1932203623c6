//! Numbers, ages and times as people read them.
//!
//! What it is for: one way to write each kind of quantity, never wider than it needs to be, so that columns
//! can be fixed. What it must not do: know which value it writes.

use std::time::Duration;

use jiff::Timestamp;

/// Three digits at most: `0.42`, `9.9`, `12.3`, `123`, `1.2k`, `12.3k`, `1.2M`.
pub fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let (sign, value) = if value < 0.0 { ("-", -value) } else { ("", value) };
    let (scaled, unit) = match value {
        v if v < 999.5 => (v, ""),
        v if v < 999_500.0 => (v / 1e3, "k"),
        v if v < 999_500_000.0 => (v / 1e6, "M"),
        v if v < 1e15 => (v / 1e9, "G"),
        _ => return format!("{sign}{value:.0e}"),
    };
    format!("{sign}{}{unit}", digits(scaled))
}

fn digits(value: f64) -> String {
    match value {
        0.0 => "0".to_owned(),
        v if v < 0.01 => "<0.01".to_owned(),
        v if v < 0.995 => format!("{v:.2}"),
        v if v < 99.95 => format!("{v:.1}"),
        v => format!("{v:.0}"),
    }
}

/// A count that is whole by nature.
pub fn count(value: f64) -> String {
    if value.abs() < 999.5 { format!("{value:.0}") } else { number(value) }
}

/// `0 %`, `0.42 %`, `12.3 %`, `100 %`.
pub fn percent(value: f64) -> String {
    format!("{} %", number(value))
}

/// Requests a second.
pub fn rate(value: f64) -> String {
    format!("{} req/s", number(value))
}

/// Milliseconds in the unit a person would choose: `184 ms`, `3.1 s`, `4.2 min`, `5.0 h`.
pub fn millis(value: f64) -> String {
    match value {
        v if !v.is_finite() => "–".to_owned(),
        v if v < 9.95 && v > 0.0 => format!("{v:.1} ms"),
        v if v < 999.5 => format!("{v:.0} ms"),
        v if v < 99_950.0 => format!("{:.1} s", v / 1e3),
        v if v < 600_000.0 => format!("{:.0} s", v / 1e3),
        v if v < 5_999_500.0 => format!("{:.0} min", v / 6e4),
        v if v < 172_800_000.0 => format!("{:.1} h", v / 3.6e6),
        v => format!("{:.0} d", v / 8.64e7),
    }
}

/// Bytes in binary units: `0 B`, `512 B`, `1.2 KiB`, `123 MiB`, `1.2 GiB`.
pub fn bytes(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let mut scaled = value.max(0.0);
    for unit in ["B", "KiB", "MiB", "GiB", "TiB"] {
        if scaled < 999.5 {
            return if unit == "B" || scaled >= 99.95 {
                format!("{scaled:.0} {unit}")
            } else {
                format!("{scaled:.1} {unit}")
            };
        }
        scaled /= 1024.0;
    }
    format!("{} PiB", digits(scaled))
}

/// An age in steps, so that a screen full of ages is still while nothing happens: `now`, `5s`, `10s`,
/// `30s`, then minutes, hours and days.
pub fn age(age: Duration) -> String {
    match age.as_secs() {
        0..=4 => "now".to_owned(),
        5..=9 => "5s".to_owned(),
        10..=29 => "10s".to_owned(),
        30..=59 => "30s".to_owned(),
        seconds @ 60..=3_599 => format!("{}m", seconds / 60),
        seconds @ 3_600..=172_799 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

/// The age of something that happened at `at`.
pub fn since(at: Timestamp, now: Timestamp) -> String {
    age(Duration::try_from(now.duration_since(at)).unwrap_or_default())
}

/// A duration that matters to the second while it is short: `45s`, `4m10s`, `12m`, `1h05m`.
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    match seconds {
        0..=59 => format!("{seconds}s"),
        60..=599 if !seconds.is_multiple_of(60) => format!("{}m{:02}s", seconds / 60, seconds % 60),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=172_799 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// Time left until `end`, in whole minutes: `42m`, `3h12m`, `2d`, `<1m`, `ended`.
pub fn left(end: Timestamp, now: Timestamp) -> String {
    let seconds = end.duration_since(now).as_secs();
    match seconds {
        ..=0 => "ended".to_owned(),
        1..=59 => "<1m".to_owned(),
        60..=3_599 => format!("{}m", seconds / 60),
        3_600..=172_799 => format!("{}h{:02}m", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{}d", seconds / 86_400),
    }
}

/// `03:12:44`, UTC.
pub fn clock(at: Timestamp) -> String {
    let second = at.as_second().rem_euclid(86_400);
    format!("{:02}:{:02}:{:02}", second / 3_600, second % 3_600 / 60, second % 60)
}

/// `03:12`, UTC.
pub fn minute(at: Timestamp) -> String {
    let second = at.as_second().rem_euclid(86_400);
    format!("{:02}:{:02}", second / 3_600, second % 3_600 / 60)
}

/// `03:12` when that is less than a day ago, the date otherwise.
pub fn when(at: Timestamp, now: Timestamp) -> String {
    if now.duration_since(at).as_secs() < 86_400 {
        minute(at)
    } else {
        at.to_zoned(jiff::tz::TimeZone::UTC).date().to_string()
    }
}
