//! DynamoDB global tables.

use super::{
    Column, Fact, Pane, Row, Slot, Table, Trend, fact, highest, joined, none_here, num, part, text, total,
    window_end,
};
use crate::app::RegionView;
use crate::domain::derive::DynamoRow;
use crate::domain::ids::Region;
use crate::domain::snapshot::ConsistencyMode;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct DynamoDb;

const COLUMNS: &[Column] = &[
    text("table", 20),
    text("status", 10),
    text("mode", 5),
    num("latency", 8),
    text("to", 14),
    num("throttled", 10),
];

impl Pane for DynamoDb {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.dynamodb, Lens::of(view));
        let to = slowest(rows).map_or("to others".to_owned(), |(region, _)| format!("to {region}"));
        let throttles =
            total(lens, rows.iter().map(|row| &row.throttles), |v| format!("{}/min", format::count(v)));
        let histories = rows.iter().flat_map(|row| &row.latency_ms).map(|(_, _, history)| history);
        let levels = view.topology.thresholds.replication_latency_ms;
        vec![
            Slot::new(vec![part("ACTIVE", active(view)), second(view)]),
            Slot::new(vec![part(to, latency(view))]).with(joined(histories, f64::max), levels.critical),
            Slot::new(vec![part("throttled", throttles)]),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        let latency = latency(view);
        if latency.has_value() { latency } else { active(view) }
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.dynamodb.iter().map(|row| {
            let slowest = slowest(std::slice::from_ref(row));
            Row {
                resource: row.table.to_string(),
                floor: Mark::None,
                cells: vec![
                    Value::known(row.table.as_str()),
                    lens.show(&row.status, ToString::to_string),
                    lens.show(&row.mode, |mode| mode_word(*mode).to_owned()),
                    highest(lens, row.latency_ms.iter().map(|(_, value, _)| value), format::millis),
                    Value::known(slowest.map_or("–".to_owned(), |(region, _)| region.to_string())),
                    lens.show(&row.throttles, |v| format!("{}/min", format::count(*v))),
                ],
            }
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.dynamodb.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let mut facts = vec![fact(
            "deletion protection",
            lens.show(&row.deletion_protection, |on| if *on { "on" } else { "off" }.to_owned()),
        )];
        for replica in &row.replicas {
            let what = if replica.witness { "witness" } else { "replica" };
            let fuse = replica.fuse_ends.map(|ends| {
                format!(", inaccessible: in {} AWS takes the replica out", format::left(ends, view.now))
            });
            facts.push(fact(
                format!("{what} {}", replica.region),
                lens.show(&replica.status, |status| format!("{status}{}", fuse.unwrap_or_default())),
            ));
        }
        for (region, latency, _) in &row.latency_ms {
            facts.push(fact(format!("latency to {region}"), lens.show(latency, |v| format::millis(*v))));
        }
        facts
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.dynamodb.get(row) else { return Vec::new() };
        let end = window_end(view);
        let trends = row.latency_ms.iter().map(|(region, _, history)| Trend {
            title: format!("replication latency to {region}"),
            history,
            end,
            words: format::millis,
            levels: Some(view.topology.thresholds.replication_latency_ms),
        });
        trends.collect()
    }
}

fn mode_word(mode: ConsistencyMode) -> &'static str {
    match mode {
        ConsistencyMode::Eventual => "MREC",
        ConsistencyMode::Strong => "MRSC",
    }
}

/// The peer that is furthest behind, over some tables.
fn slowest(rows: &[DynamoRow]) -> Option<(&Region, f64)> {
    let known = rows.iter().flat_map(|row| &row.latency_ms);
    let known = known.map(|(region, latency, _)| (region, latency.value().copied().unwrap_or(-1.0)));
    // The first of equals, so that the name does not change from frame to frame.
    known.fold(None, |slowest, peer| match slowest {
        Some((_, latency)) if latency >= peer.1 => slowest,
        _ => Some(peer),
    })
}

fn latency<'a>(view: &RegionView<'a>) -> Value<'a> {
    let all = view.rows.dynamodb.iter().flat_map(|row| &row.latency_ms).map(|(_, value, _)| value);
    highest(Lens::of(view), all, format::millis)
}

fn active<'a>(view: &RegionView<'a>) -> Value<'a> {
    let (rows, lens) = (&view.rows.dynamodb, Lens::of(view));
    let values = rows.iter().map(|row| lens.show(&row.status, ToString::to_string));
    let active = rows
        .iter()
        .filter(|row| {
            row.status.value().is_some_and(|status| matches!(status.as_str(), "ACTIVE" | "UPDATING"))
        })
        .count();
    match values.max_by_key(|value| value.trust) {
        Some(worst) => worst.map_text(|_| format!("{active}/{}", rows.len())),
        None => none_here(),
    }
}

/// The consistency mode, unless a fuse burns: then how long it still does.
fn second<'a>(view: &RegionView<'a>) -> super::Part<'a> {
    let (rows, lens) = (&view.rows.dynamodb, Lens::of(view));
    let fuses = rows.iter().flat_map(|row| &row.replicas).filter_map(|replica| replica.fuse_ends);
    if let Some(ends) = fuses.min() {
        return part("FUSE", Value::known(format::left(ends, view.now)));
    }
    let mode = rows.first().map(|row| lens.show(&row.mode, |mode| mode_word(*mode).to_owned()));
    part("", mode.unwrap_or_else(none_here))
}
