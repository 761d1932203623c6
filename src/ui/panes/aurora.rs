//! Aurora global clusters.

use super::{
    Column, Fact, Pane, Row, Slot, Table, Trend, fact, highest, joined, none_here, num, part, text,
    window_end,
};
use crate::app::RegionView;
use crate::domain::derive::AuroraRow;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct Aurora;

const COLUMNS: &[Column] = &[
    text("cluster", 18),
    text("role", 7),
    text("status", 12),
    num("nodes", 6),
    num("RPO lag", 8),
    num("repl. lag", 9),
    text("sync", 15),
];

impl Pane for Aurora {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.aurora, Lens::of(view));
        let status = rows.iter().map(|row| lens.show(&row.status, ToString::to_string));
        let status = status.max_by_key(|value| (value.trust, value.text != "available"));
        let levels = view.topology.thresholds.aurora_lag_ms;
        vec![
            Slot::new(vec![part("", role(view)), part("", status.unwrap_or_else(none_here))]),
            Slot::new(vec![part("RPO", lag(view)), part("", change(view))])
                .with(joined(rows.iter().map(|row| &row.rpo_history), f64::max), levels.critical),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        let lag = lag(view);
        // Only readers have a lag.
        if lag.has_value() { lag } else { role(view).map_text(|role| role.replace("writer", "write")) }
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.aurora.iter().map(|row| Row {
            resource: row.cluster.to_string(),
            floor: Mark::None,
            cells: vec![
                Value::known(row.cluster.as_str()),
                lens.show(&row.role, ToString::to_string),
                lens.show(&row.status, ToString::to_string),
                lens.show(&row.instances, ToString::to_string),
                lens.show(&row.rpo_lag_ms, |v| format::millis(*v)),
                lens.show(&row.replication_lag_ms, |v| format::millis(*v)),
                lens.show(&row.synchronization, ToString::to_string),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.aurora.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        vec![
            fact("global cluster", Value::known(row.global_cluster.as_str())),
            fact("global status", lens.show(&row.global_status, ToString::to_string)),
            fact("engine", lens.show(&row.engine_version, ToString::to_string)),
            fact(
                "failover",
                lens.show(&row.failover, |state| match state {
                    None => "none under way".to_owned(),
                    Some(state) => {
                        let name = |arn: &Option<crate::domain::ids::Arn>| {
                            arn.as_ref().map_or("?".to_owned(), |arn| arn.short_name().to_owned())
                        };
                        let loss = match state.data_loss_allowed {
                            Some(true) => ", data loss allowed",
                            Some(false) => ", without data loss",
                            None => "",
                        };
                        format!("{} from {} to {}{loss}", state.status, name(&state.from), name(&state.to))
                    }
                }),
            ),
        ]
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.aurora.get(row) else { return Vec::new() };
        vec![Trend {
            title: "RPO lag of this cluster".into(),
            history: &row.rpo_history,
            end: window_end(view),
            words: format::millis,
            levels: Some(view.topology.thresholds.aurora_lag_ms),
        }]
    }
}

fn role<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.aurora, Lens::of(view));
    let shown = |row: &'a AuroraRow| lens.show(&row.role, ToString::to_string);
    match rows.as_slice() {
        [] => none_here(),
        [row] => shown(row),
        rows => {
            let is_writer = |row: &&AuroraRow| row.role.value().is_some_and(|role| role.as_str() == "writer");
            let writers = rows.iter().filter(is_writer).count();
            let worst = rows.iter().map(shown).max_by_key(|value| value.trust);
            worst.unwrap_or_else(none_here).map_text(|_| format!("{writers} of {} write", rows.len()))
        }
    }
}

fn lag<'a>(view: &RegionView<'a>) -> Value<'a> {
    highest(Lens::of(view), view.rows.aurora.iter().map(|row| &row.rpo_lag_ms), format::millis)
}

/// A failover under way; how many instances there are when there is none.
fn change<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.aurora, Lens::of(view));
    let under_way = rows.iter().find(|row| row.failover.value().is_some_and(Option::is_some));
    if let Some(row) = under_way {
        return lens.show(&row.failover, |state| {
            state.as_ref().map(|state| state.status.to_string()).unwrap_or_default()
        });
    }
    let instances: usize = rows.iter().filter_map(|row| row.instances.value()).sum();
    let worst = rows.iter().map(|row| lens.show(&row.instances, ToString::to_string));
    let worst = worst.max_by_key(|value| value.trust).unwrap_or_else(none_here);
    worst.map_text(|_| format!("{instances} node{}", if instances == 1 { "" } else { "s" }))
}
