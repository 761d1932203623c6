//! CloudWatch alarms.

use super::{Column, Fact, Pane, Row, Slot, Table, Trend, fact, none_here, part, text};
use crate::app::RegionView;
use crate::domain::derive::AlarmRow;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct Alarms;

const COLUMNS: &[Column] = &[text("alarm", 28), text("state", 18), text("since", 11), text("heard by", 24)];

impl Pane for Alarms {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let lens = Lens::of(view);
        // The alarm that fired first has the most to say.
        let firing = view.rows.alarms.iter().filter(|row| fires(row));
        let first = firing.min_by_key(|row| row.since.value().copied().flatten());
        let named = match first {
            Some(row) => {
                let since = row.since.value().copied().flatten();
                let since = since.map(|since| format!("{} ", format::when(since, view.now)));
                lens.show(&row.state, |_| format!("{}{}", since.unwrap_or_default(), row.name))
            }
            None => quiet(view),
        };
        vec![Slot::new(vec![part("in ALARM", firing_count(view))]), Slot::new(vec![part("", named)])]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        firing_count(view)
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.alarms.iter().map(|row| Row {
            resource: row.name.to_string(),
            floor: if fires(row) { Mark::Warning } else { Mark::None },
            cells: vec![
                Value::known(row.name.as_str()),
                lens.show(&row.state, ToString::to_string),
                lens.show(&row.since, |since| {
                    since.map_or("–".to_owned(), |since| format::when(since, view.now))
                }),
                lens.show(&row.reaches, |reaches| match reaches {
                    Ok(()) => "somebody".to_owned(),
                    Err(missing) => missing.to_string(),
                }),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.alarms.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let elsewhere =
            (row.home != view.rows.region).then(|| fact("lives in", Value::known(row.home.as_str())));
        let known = [
            fact("reason", lens.show(&row.reason, ToString::to_string)),
            fact(
                "heard by",
                lens.show(&row.reaches, |reaches| match reaches {
                    Ok(()) => "a confirmed subscriber or another action".to_owned(),
                    Err(missing) => format!("nobody: {missing}"),
                }),
            ),
        ];
        elsewhere.into_iter().chain(known).collect()
    }

    fn trends<'a>(&self, _view: &RegionView<'a>, _row: usize) -> Vec<Trend<'a>> {
        Vec::new()
    }
}

fn fires(row: &AlarmRow) -> bool {
    row.state.value().is_some_and(|state| state.as_str() == "ALARM")
}

fn firing_count<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.alarms, Lens::of(view));
    let worst = rows.iter().map(|row| lens.show(&row.state, ToString::to_string));
    let firing = rows.iter().filter(|row| fires(row)).count();
    match worst.max_by_key(|value| value.trust) {
        Some(worst) => worst.map_text(|_| format!("{firing}/{}", rows.len())),
        None => none_here(),
    }
}

/// What to say when none fires.
fn quiet<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.alarms, Lens::of(view));
    let unsure = rows
        .iter()
        .find(|row| row.state.value().is_some_and(|state| !matches!(state.as_str(), "OK" | "ALARM")));
    let row = unsure.or(rows.first());
    row.map_or_else(none_here, |row| {
        lens.show(&row.state, |state| match state.as_str() {
            "OK" => "none fires".to_owned(),
            other => other.to_owned(),
        })
    })
}
