//! The table: every budget, its bound, and what was measured.

use std::time::Duration;

use crate::stage::Stage;
use crate::{Effort, console, frame, oneshot};

/// One line of the table.
pub(crate) struct Row {
    figure: String,
    budget: String,
    measured: String,
    within: Option<bool>,
}

impl Row {
    /// A figure that must not exceed `bound`; `detail` follows it in brackets.
    pub(crate) fn at_most(figure: &str, bound: f64, unit: &str, value: Option<f64>, detail: &str) -> Self {
        let measured = match value {
            Some(value) if detail.is_empty() => format!("{} {unit}", short(value)).trim_end().to_owned(),
            Some(value) => format!("{} {unit} ({detail})", short(value)),
            None => format!("not measured {detail}").trim_end().to_owned(),
        };
        Self {
            figure: figure.to_owned(),
            budget: format!("{} {unit}", short(bound)).trim_end().to_owned(),
            measured,
            within: value.map(|value| value <= bound),
        }
    }

    /// Something that is so or is not.
    pub(crate) fn is(figure: &str, wanted: &str, holds: Option<bool>) -> Self {
        let measured = match holds {
            Some(true) => wanted.to_owned(),
            Some(false) => format!("not {wanted}"),
            None => "not measured".to_owned(),
        };
        Self { figure: figure.to_owned(), budget: wanted.to_owned(), measured, within: holds }
    }
}

/// Measures everything, or the parts that are named, and prints each line as soon as it is known.
pub(crate) fn print(stage: &Stage, effort: Effort, parts: &[String]) {
    println!("| figure | budget | measured | |\n|---|---|---|---|");
    let emit = |part: &str, measure: &dyn Fn() -> Vec<Row>| {
        if !parts.is_empty() && parts.iter().all(|wanted| wanted != part) {
            return;
        }
        for row in measure() {
            let mark = match row.within {
                Some(true) => "✓",
                Some(false) => "over",
                None => "?",
            };
            println!("| {} | {} | {} | {mark} |", row.figure, row.budget, row.measured);
        }
    };
    emit("start", &|| console::start(stage, effort));
    emit("status", &|| oneshot::status(stage, effort));
    emit("sweep", &|| console::sweep(stage, effort));
    emit("keys", &|| console::keys(stage, effort));
    emit("idle", &|| console::idle(stage, effort));
    emit("memory", &|| console::memory(stage, effort));
    emit("fleet", &|| console::fleet(effort));
    emit("frame", &|| frame::frame(effort));
    emit("quit", &|| console::quit(stage, effort));
    emit("size", &|| vec![oneshot::size()]);
}

/// The middle of some durations in milliseconds, with the least and the most.
pub(crate) fn median(durations: &[Duration]) -> (Option<f64>, String) {
    let sorted = milliseconds(durations);
    let (Some(least), Some(most)) = (sorted.first(), sorted.last()) else { return (None, String::new()) };
    (quantile(durations, 0.5), format!("{}–{}, n={}", short(*least), short(*most), sorted.len()))
}

/// A quantile of some durations in milliseconds.
pub(crate) fn quantile(durations: &[Duration], share: f64) -> Option<f64> {
    let sorted = milliseconds(durations);
    let rank = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len().max(1));
    sorted.get(rank - 1).copied()
}

fn milliseconds(durations: &[Duration]) -> Vec<f64> {
    let mut sorted: Vec<f64> = durations.iter().map(|duration| duration.as_secs_f64() * 1e3).collect();
    sorted.sort_by(f64::total_cmp);
    sorted
}

/// Three digits that matter.
fn short(value: f64) -> String {
    let decimals = match value.abs() {
        ..1.0 => 2,
        1.0..20.0 => 1,
        _ => 0,
    };
    let text = format!("{value:.decimals$}");
    text.strip_suffix(".0").map_or(text.clone(), str::to_owned)
}
