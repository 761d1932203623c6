//! Load balancers.

use super::{
    Column, Fact, Pane, Pick, Row, Slot, Table, Trend, fact, highest, joined, none_here, num, part, text,
    total, window_end,
};
use crate::app::RegionView;
use crate::domain::derive::AlbRow;
use crate::domain::topology::LoadBalancerKind;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct Alb;

const COLUMNS: &[Column] = &[
    text("load balancer", 20),
    num("requests", 11),
    num("5XX", 7),
    num("p99", 7),
    num("healthy", 9),
    text("state", 10),
];

impl Pane for Alb {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.alb, Lens::of(view));
        let requests = total(lens, rows.iter().map(|row| &row.requests_per_s), format::rate);
        let errors = highest(lens, rows.iter().map(|row| &row.error_5xx_percent), format::percent);
        let p99 = highest(lens, rows.iter().map(|row| &row.p99_ms), format::millis);
        let levels = view.topology.thresholds.error_5xx_percent;
        vec![
            Slot::new(vec![part("", requests), part("up", targets(view))])
                .with(joined(rows.iter().map(|row| &row.requests_history), |a, b| a + b), 0.0)
                .pick(Pick::Mean),
            Slot::new(vec![part("5XX", errors), part("p99", p99)])
                .with(joined(rows.iter().map(|row| &row.error_history), f64::max), levels.critical),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        let (rows, lens) = (&view.rows.alb, Lens::of(view));
        let errors = highest(lens, rows.iter().map(|row| &row.error_5xx_percent), format::percent);
        // With no healthy target that says more than a share of what few requests there are.
        let none = !rows.is_empty() && rows.iter().all(|row| row.healthy_targets.value() == Some(&0));
        if errors.has_value() && !none { errors } else { targets(view) }
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.alb.iter().map(|row| Row {
            resource: row.name.to_string(),
            floor: Mark::None,
            cells: vec![
                Value::known(row.name.as_str()),
                lens.show(&row.requests_per_s, |v| format::rate(*v)),
                lens.show(&row.error_5xx_percent, |v| format::percent(*v)),
                lens.show(&row.p99_ms, |v| format::millis(*v)),
                up(lens, row),
                lens.show(&row.state, ToString::to_string),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.alb.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let kind = match row.kind {
            LoadBalancerKind::Application => "application load balancer",
            LoadBalancerKind::Network => "network load balancer",
        };
        let mut facts = vec![fact("kind", Value::known(kind)), fact("ARN", Value::known(row.arn.as_str()))];
        for (group, targets) in &row.groups {
            facts.push(fact(
                format!("group {group}"),
                lens.show(targets, |targets| {
                    let healthy = targets.iter().filter(|target| target.state.as_str() == "healthy").count();
                    format!("{healthy} of {} targets healthy", targets.len())
                }),
            ));
            // Every target that is not healthy is named with AWS's reason; healthy ones are counted.
            for target in targets.value().into_iter().flatten() {
                if target.state.as_str() == "healthy" {
                    continue;
                }
                let port = target.port.map(|port| format!(":{port}")).unwrap_or_default();
                let mut words = format!("{}{port} {}", target.id, target.state);
                for more in [&target.reason, &target.description].into_iter().flatten() {
                    words.push_str(" – ");
                    words.push_str(more.as_str());
                }
                facts.push(fact("", lens.show(targets, |_| words)));
            }
        }
        facts
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.alb.get(row) else { return Vec::new() };
        let (end, thresholds) = (window_end(view), &view.topology.thresholds);
        vec![
            Trend {
                title: "5XX, % of requests".into(),
                history: &row.error_history,
                end,
                words: format::percent,
                levels: Some(thresholds.error_5xx_percent),
            },
            Trend {
                title: "requests/s".into(),
                history: &row.requests_history,
                end,
                words: format::number,
                levels: None,
            },
            Trend {
                title: "p99 response time".into(),
                history: &row.p99_history,
                end,
                words: format::millis,
                levels: Some(thresholds.p99_ms),
            },
        ]
    }
}

fn up<'a>(lens: Lens<'_>, row: &'a AlbRow) -> Value<'a> {
    let all = row.targets.value().copied();
    lens.show(&row.healthy_targets, |healthy| match all {
        Some(all) => format!("{healthy}/{all}"),
        None => healthy.to_string(),
    })
}

fn targets<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.alb, Lens::of(view));
    if rows.is_empty() {
        return none_here();
    }
    let all: u64 = rows.iter().filter_map(|row| row.targets.value()).map(|count| u64::from(*count)).sum();
    total(lens, rows.iter().map(|row| &row.healthy_targets), |healthy| format!("{healthy:.0}/{all}"))
}
