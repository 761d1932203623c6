//! The status as text: one fact a line, for people, pipes and `grep`.
//!
//! What it is for: the document of `json`, flattened: findings first, then each region's facts with value,
//! age and, in words, what is wrong with them; the summary last.
//! What it must not do: know a pane by name: a field that `json` gains is shown here without a change.

use std::fmt::Write;

use jiff::Timestamp;
use serde_json::{Map, Value};
use unicode_width::UnicodeWidthStr;

/// The panes of a region in the order of the table; each is an array of the region's object.
const PANES: [&str; 8] = ["probe", "alb", "ecs", "aurora", "dynamodb", "route53", "s3", "alarms"];

/// Widest that a column gets; longer words shift the rest of their line and nothing else.
const WIDEST: usize = 44;

/// The table.
pub fn table(document: &Value, colours: bool) -> String {
    let as_of = moment(&document["as_of"]);
    let mut lines = Vec::new();
    for finding in list(&document["findings"]) {
        lines.push(finding_line(finding));
    }
    for region in list(&document["regions"]) {
        region_lines(region, as_of, &mut lines);
    }
    if document["control"].is_object() {
        facts("-", "control", &document["control"], as_of, &mut lines);
    }
    lines.push(summary(document));
    align(&lines, colours)
}

/// One line: columns, the last of which is never padded.
struct Line {
    columns: Vec<String>,
    tint: Tint,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Tint {
    None,
    Critical,
    Warning,
    Good,
    Dim,
}

fn finding_line(finding: &Value) -> Line {
    let severity = word(&finding["severity"]);
    let tint = match severity.as_str() {
        "critical" => Tint::Critical,
        "warning" => Tint::Warning,
        _ => Tint::Dim,
    };
    let mut message = word(&finding["message"]);
    for evidence in list(&finding["evidence"]) {
        let _ = write!(message, "; {}", word(evidence));
    }
    let columns = vec![
        "finding".into(),
        severity,
        dash(word(&finding["region"])),
        word(&finding["code"]),
        dash(word(&finding["resource"])),
        message,
    ];
    Line { columns, tint }
}

fn region_lines(region: &Value, as_of: Option<Timestamp>, lines: &mut Vec<Line>) {
    let name = word(&region["region"]);
    let health = word(&region["health"]);
    let mut columns = vec![name.clone(), "region".into(), "-".into(), "health".into(), health.clone()];
    // In the words of the console's banner, where it says more than the health.
    let more = match region["standing"].as_str() {
        Some("failing") => "it fails its users",
        Some("lagging") if region["pinned"].is_object() => "out of service on purpose; data lags",
        Some("lagging") => "it serves; data lags",
        Some("pinned") => "out of service on purpose",
        _ => "",
    };
    let lags = region["standing"] == "lagging";
    if !more.is_empty() {
        columns.push(more.into());
    }
    lines.push(Line {
        tint: if lags && health == "healthy" { Tint::Warning } else { tint_of(&health) },
        columns,
    });
    if let Some(object) = region.as_object() {
        for (key, field) in object.iter().filter(|(_, field)| is_measured(field)) {
            lines.push(fact(&name, "region", "-", key, field, as_of));
        }
    }
    for pane in PANES {
        for item in list(&region[pane]) {
            facts(&name, pane, item, as_of, lines);
        }
    }
}

/// Every measured field of one row of a pane.
fn facts(region: &str, pane: &str, item: &Value, as_of: Option<Timestamp>, lines: &mut Vec<Line>) {
    let Some(object) = item.as_object() else { return };
    let resource = resource(object);
    for (key, field) in object {
        if is_measured(field) {
            if !is_idle(field) {
                lines.push(fact(region, pane, &resource, key, field, as_of));
            }
        } else if let Some(peers) = field.as_object() {
            for (peer, field) in peers {
                let key = format!("{key}:{peer}");
                if is_measured(field) {
                    lines.push(fact(region, pane, &resource, &key, field, as_of));
                } else {
                    let columns = vec![region.into(), pane.into(), resource.clone(), key, word(field)];
                    lines.push(Line { columns, tint: Tint::Warning });
                }
            }
        }
    }
}

/// The words of a row that are no measurements name the resource.
fn resource(object: &Map<String, Value>) -> String {
    const NAMES: [&str; 11] = [
        "cluster",
        "service",
        "table",
        "bucket",
        "destination",
        "rule",
        "name",
        "type",
        "set_identifier",
        "url",
        "global_cluster",
    ];
    let parts: Vec<String> = object
        .iter()
        .filter(|(key, value)| NAMES.contains(&key.as_str()) && value.as_str().is_some_and(|v| !v.is_empty()))
        .map(|(_, value)| word(value))
        .collect();
    dash(parts.join("/").replace(' ', "_"))
}

fn fact(
    region: &str,
    pane: &str,
    resource: &str,
    key: &str,
    field: &Value,
    as_of: Option<Timestamp>,
) -> Line {
    let error = &field["error"];
    let known = !field["value"].is_null() || field["as_of"].is_string();
    let stale = field["stale"].as_bool().unwrap_or(true);
    let mut remarks = Vec::new();
    if field["saved"].as_bool() == Some(true) {
        remarks.push("saved earlier".to_owned());
    } else if known && stale {
        remarks.push("stale".to_owned());
    }
    if error.is_object() {
        remarks.push(explained(error));
    } else if !known {
        remarks.push("not read yet".to_owned());
    }
    let value = if known { shown(&field["value"], &field["unit"]) } else { "unknown".into() };
    let age = match (moment(&field["as_of"]), as_of) {
        (Some(then), Some(now)) => age(now.duration_since(then).as_secs().max(0)),
        _ => "-".into(),
    };
    let tint = match (known, stale || error.is_object()) {
        (_, false) => Tint::None,
        (true, true) => Tint::Dim,
        (false, true) => Tint::Warning,
    };
    let mut columns = vec![region.into(), pane.into(), resource.into(), key.into(), age, value];
    if !remarks.is_empty() {
        columns.push(remarks.join("; "));
    }
    Line { columns, tint }
}

/// True where there is nothing to say: nothing is set up to be read, or what was read says "none".
fn is_idle(field: &Value) -> bool {
    let none = field["value"].is_null();
    let absent = field["as_of"].is_string() && field["error"].is_null() && field["stale"] == false;
    none && (absent || field["error"]["kind"] == "not_configured")
}

fn explained(error: &Value) -> String {
    let mut words = format!("{}: {}", word(&error["kind"]), word(&error["message"]));
    if error["request_id"].is_string() {
        let _ = write!(words, " (request {})", word(&error["request_id"]));
    }
    if error["next_step"].is_string() {
        let _ = write!(words, "; {}", word(&error["next_step"]));
    }
    words
}

fn summary(document: &Value) -> Line {
    let count = |severity: &str| {
        list(&document["findings"]).filter(|finding| finding["severity"] == severity).count()
    };
    let health = word(&document["health"]);
    let plural =
        |count: usize, one: &str, many: &str| format!("{count} {}", if count == 1 { one } else { many });
    let words = format!(
        "{}, {}, {}; {} at {}",
        plural(list(&document["regions"]).count(), "region", "regions"),
        plural(count("critical"), "critical finding", "critical findings"),
        plural(count("warning"), "warning", "warnings"),
        word(&document["application"]),
        word(&document["as_of"]),
    );
    Line { tint: tint_of(&health), columns: vec!["summary".into(), health, words] }
}

fn tint_of(health: &str) -> Tint {
    match health {
        "healthy" => Tint::Good,
        "impaired" => Tint::Critical,
        _ => Tint::Warning,
    }
}

/// Columns of facts are aligned with one another, those of findings among themselves.
fn align(lines: &[Line], colours: bool) -> String {
    let finding = |line: &Line| line.columns.first().is_some_and(|first| first == "finding");
    let summary = |line: &Line| line.columns.first().is_some_and(|first| first == "summary");
    let widths = |wanted: bool| {
        let mut widths: Vec<usize> = Vec::new();
        for line in lines.iter().filter(|line| finding(line) == wanted && !summary(line)) {
            for (index, column) in line.columns.iter().enumerate() {
                if widths.len() <= index {
                    widths.push(0);
                }
                let width = column.width();
                if width <= WIDEST {
                    widths[index] = widths[index].max(width);
                }
            }
        }
        widths
    };
    let (of_findings, of_facts) = (widths(true), widths(false));
    let mut out = String::new();
    for line in lines {
        let widths = if summary(line) {
            &[][..]
        } else if finding(line) {
            of_findings.as_slice()
        } else {
            of_facts.as_slice()
        };
        let mut text = String::new();
        for (index, column) in line.columns.iter().enumerate() {
            if index > 0 {
                text.push_str("  ");
            }
            text.push_str(column);
            let width = widths.get(index).copied().unwrap_or_default();
            if index + 1 < line.columns.len() {
                text.extend(std::iter::repeat_n(' ', width.saturating_sub(column.width())));
            }
        }
        let (on, off) = if colours { sequences(line.tint) } else { ("", "") };
        let _ = writeln!(out, "{on}{text}{off}");
    }
    out
}

fn sequences(tint: Tint) -> (&'static str, &'static str) {
    const OFF: &str = "\x1b[0m";
    match tint {
        Tint::None => ("", ""),
        Tint::Critical => ("\x1b[1;31m", OFF),
        Tint::Warning => ("\x1b[33m", OFF),
        Tint::Good => ("\x1b[32m", OFF),
        Tint::Dim => ("\x1b[2m", OFF),
    }
}

fn is_measured(field: &Value) -> bool {
    field.as_object().is_some_and(|field| field.contains_key("value") && field.contains_key("stale"))
}

fn shown(value: &Value, unit: &Value) -> String {
    let unit = match unit.as_str() {
        Some("percent") => " %",
        Some("1/s") => "/s",
        Some("count") | None => "",
        Some(unit) => &format!(" {unit}"),
    };
    let text = match value {
        Value::Null => return "none".into(),
        Value::Bool(true) => "yes".into(),
        Value::Bool(false) => "no".into(),
        Value::Number(number) => match number.as_f64() {
            Some(float) if number.is_f64() => short(float),
            _ => number.to_string(),
        },
        other => return dash(word(other)),
    };
    if text == "yes" || text == "no" { text } else { format!("{text}{unit}") }
}

/// Three digits are enough for people; `--json` has them all.
fn short(value: f64) -> String {
    let size = value.abs();
    if size >= 100.0 || size.fract() == 0.0 {
        format!("{value:.0}")
    } else if size >= 10.0 {
        format!("{value:.1}")
    } else {
        format!("{value:.2}")
    }
}

fn age(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds}s"),
        120..=7_199 => format!("{}m", seconds / 60),
        7_200..=172_799 => format!("{}h", seconds / 3_600),
        _ => format!("{}d", seconds / 86_400),
    }
}

fn moment(value: &Value) -> Option<Timestamp> {
    value.as_str()?.parse().ok()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

fn word(value: &Value) -> String {
    match value {
        Value::String(text) => crate::domain::text::clean(text).as_ref().to_owned(),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

fn dash(word: String) -> String {
    if word.is_empty() { "-".into() } else { word }
}
