//! Our own requests.

use super::{Column, Fact, Pane, Row, Slot, Table, Trend, fact, highest, none_here, num, part, text};
use crate::app::RegionView;
use crate::domain::Observed;
use crate::domain::derive::{self, ProbeRow};
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct Probe;

const COLUMNS: &[Column] =
    &[text("request", 26), num("answer", 12), num("time", 8), num("certificate", 12), text("sent to", 26)];

impl Pane for Probe {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.probe, Lens::of(view));
        let time = highest(lens, rows.iter().map(|row| &row.total_ms), format::millis);
        let days = rows.iter().min_by_key(|row| row.certificate_days.value().map(|days| days.round() as i64));
        let days = days.map_or_else(none_here, |row| lens.show(&row.certificate_days, days_left));
        vec![
            Slot::new(vec![part("HTTP", status(view)), part("", time)]),
            Slot::new(vec![part("certificate", days)]),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        status(view)
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.probe.iter().map(|row| Row {
            resource: row.url.to_string(),
            floor: Mark::None,
            cells: vec![
                Value::known(row.url.as_str()),
                lens.show(&row.status, |status| format!("HTTP {status}")),
                lens.show(&row.total_ms, |v| format::millis(*v)),
                lens.show(&row.certificate_days, days_left),
                Value::known(row.via.as_str()),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.probe.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let mut facts = vec![
            fact("sent to", Value::known(row.via.as_str())),
            fact("time", lens.show(&row.parts, words_of)),
            fact(
                "certificate",
                lens.show(&row.certificate_error, |error| match error {
                    None => "valid for the name".to_owned(),
                    Some(error) => error.to_string(),
                }),
            ),
        ];
        // The control request is nobody's region; it stands beside each, to tell their failure from ours.
        if let Some(control) = derive::control(view.snapshot) {
            facts.push(fact("control host", Value::known(control_words(lens, &control))));
        }
        facts
    }

    fn trends<'a>(&self, _view: &RegionView<'a>, _row: usize) -> Vec<Trend<'a>> {
        Vec::new()
    }
}

/// What came of the control request, in words.
pub(crate) fn control_words(lens: Lens<'_>, control: &ProbeRow) -> String {
    let status = lens.show(&control.status, |status| format!("HTTP {status}"));
    let time = lens.show(&control.total_ms, |v| format::millis(*v));
    let age = status.age(lens.now).map(|age| format!(", {age}")).unwrap_or_default();
    match status.error {
        Some(error) => format!("{} {}{age}: {}", control.url, status.words(20), error.message),
        None => format!("{} {} in {}{age}", control.url, status.words(20), time.words(12)),
    }
}

fn words_of(parts: &[std::time::Duration; 4]) -> String {
    let names = ["DNS", "TCP", "TLS", "first byte"];
    let words = names
        .iter()
        .zip(parts)
        .map(|(name, part)| format!("{name} {}", format::millis(part.as_secs_f64() * 1_000.0)));
    words.collect::<Vec<_>>().join(", ")
}

#[allow(clippy::trivially_copy_pass_by_ref)] // called by `Lens::show`, which hands out references
fn days_left(days: &f64) -> String {
    format!("{days:.0} days")
}

fn status<'a>(view: &RegionView<'a>) -> Value<'a> {
    let lens = Lens::of(view);
    let rank = |status: &Observed<u16>| (lens.show(status, |_| String::new()).trust, status.value().copied());
    let worst = view.rows.probe.iter().max_by_key(|row| rank(&row.status));
    worst.map_or_else(none_here, |row| lens.show(&row.status, ToString::to_string))
}
