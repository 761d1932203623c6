//! ECS services.

use super::{
    Column, Fact, Pane, Row, Slot, Table, Trend, fact, highest, joined, none_here, num, part, text, total,
    window_end,
};
use crate::app::RegionView;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct Ecs;

const COLUMNS: &[Column] = &[
    text("service", 16),
    num("running", 8),
    num("pending", 8),
    num("CPU", 6),
    num("memory", 7),
    text("rollout", 12),
    text("scaling", 10),
    text("cluster", 14),
];

impl Pane for Ecs {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.ecs, Lens::of(view));
        let cpu = highest(lens, rows.iter().map(|row| &row.cpu_percent), whole_percent);
        // The rollout furthest from done speaks for all.
        let rollout = rows.iter().map(|row| &row.rollout).max_by_key(|rollout| {
            let trust = lens.show(*rollout, |_| String::new()).trust;
            (trust, rollout.value().map(|state| progress(state.as_str())))
        });
        let rollout = rollout.map(|rollout| lens.show(rollout, ToString::to_string));
        let levels = view.topology.thresholds.cpu_percent;
        vec![
            Slot::new(vec![part("tasks", tasks(view)), part("pend", pending(view))]),
            Slot::new(vec![part("CPU", cpu), part("", rollout.unwrap_or_else(none_here))])
                .with(joined(rows.iter().map(|row| &row.cpu_history), f64::max), levels.critical),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        tasks(view)
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.ecs.iter().map(|row| {
            let desired = row.desired.value().copied();
            Row {
                resource: row.service.to_string(),
                floor: Mark::None,
                cells: vec![
                    Value::known(row.service.as_str()),
                    lens.show(&row.running, |running| {
                        desired.map_or(running.to_string(), |desired| format!("{running}/{desired}"))
                    }),
                    lens.show(&row.pending, ToString::to_string),
                    lens.show(&row.cpu_percent, |v| whole_percent(*v)),
                    lens.show(&row.memory_percent, |v| whole_percent(*v)),
                    lens.show(&row.rollout, ToString::to_string),
                    lens.show(&row.scaling, |limits| match limits {
                        Some(limits) => {
                            let suspended = limits.scale_in_suspended
                                || limits.scale_out_suspended
                                || limits.scheduled_suspended;
                            format!("{}–{}{}", limits.min, limits.max, if suspended { " held" } else { "" })
                        }
                        None => "fixed".to_owned(),
                    }),
                    Value::known(row.cluster.as_str()),
                ],
            }
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.ecs.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let mut facts = vec![
            fact("cluster", Value::known(row.cluster.as_str())),
            fact("status", lens.show(&row.status, ToString::to_string)),
            fact(
                "scaling",
                lens.show(&row.scaling, |limits| match limits {
                    None => "no scalable target: the count stays what it is set to".to_owned(),
                    Some(limits) => {
                        let mut words = format!("{} to {} tasks", limits.min, limits.max);
                        for (held, what) in [
                            (limits.scale_in_suspended, "scale-in suspended"),
                            (limits.scale_out_suspended, "scale-out suspended"),
                            (limits.scheduled_suspended, "schedules suspended"),
                        ] {
                            if held {
                                words.push_str(", ");
                                words.push_str(what);
                            }
                        }
                        words
                    }
                }),
            ),
            fact(
                "last event",
                lens.show(&row.last_event, |event| match event {
                    Some(event) => format!("{} {}", format::when(event.at, view.now), event.message),
                    None => "none".to_owned(),
                }),
            ),
        ];
        for deployment in row.deployments.value().into_iter().flatten() {
            let (desired, running, pending) = deployment.counts;
            let mut words = format!("{running}/{desired} running, {pending} pending");
            if let Some(rollout) = &deployment.rollout {
                words = format!("{rollout}, {words}");
            }
            if deployment.failed_tasks > 0 {
                words = format!("{words}, {} failed to start", deployment.failed_tasks);
            }
            if let Some(reason) = &deployment.rollout_reason {
                words = format!("{words} – {reason}");
            }
            facts.push(fact(
                format!("{} deployment", deployment.status),
                lens.show(&row.deployments, |_| words),
            ));
        }
        facts
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.ecs.get(row) else { return Vec::new() };
        vec![Trend {
            title: "CPU, % of what is reserved".into(),
            history: &row.cpu_history,
            end: window_end(view),
            words: whole_percent,
            levels: Some(view.topology.thresholds.cpu_percent),
        }]
    }
}

fn whole_percent(value: f64) -> String {
    format!("{value:.0} %")
}

fn tasks<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.ecs, Lens::of(view));
    if rows.is_empty() {
        return none_here();
    }
    let desired: i64 = rows.iter().filter_map(|row| row.desired.value()).map(|count| i64::from(*count)).sum();
    total(lens, rows.iter().map(|row| &row.running), |running| format!("{running:.0}/{desired}"))
}

fn pending<'a>(view: &RegionView<'a>) -> Value<'a> {
    total(Lens::of(view), view.rows.ecs.iter().map(|row| &row.pending), format::count)
}

/// How far from done a rollout state is.
fn progress(state: &str) -> u8 {
    match state {
        "FAILED" => 3,
        "IN_PROGRESS" => 2,
        "COMPLETED" => 0,
        _ => 1,
    }
}
