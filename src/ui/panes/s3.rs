//! Bucket replication.

use super::{
    Column, Fact, Pane, Row, Slot, Table, Trend, fact, highest, joined, num, part, text, total, window_end,
};
use crate::app::RegionView;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Value};

pub(super) struct S3;

const COLUMNS: &[Column] = &[
    text("bucket", 20),
    text("to", 14),
    text("rule", 9),
    num("pending", 9),
    num("objects", 8),
    num("latency", 8),
    num("failed", 7),
];

impl Pane for S3 {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let (rows, lens) = (&view.rows.s3, Lens::of(view));
        let objects = total(lens, rows.iter().map(|row| &row.pending_operations), |v| {
            format!("{} obj", format::count(v))
        });
        let latency = highest(lens, rows.iter().map(|row| &row.latency_s), seconds);
        let failed = total(lens, rows.iter().map(|row| &row.failed_operations), format::count);
        vec![
            Slot::new(vec![part("wait", pending(view)), part("", objects)])
                .with(joined(rows.iter().map(|row| &row.pending_history), |a, b| a + b), 1_048_576.0),
            Slot::new(vec![part("lag", latency), part("failed", failed)]),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        pending(view)
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.s3.iter().map(|row| Row {
            resource: row.bucket.to_string(),
            floor: Mark::None,
            cells: vec![
                Value::known(row.bucket.as_str()),
                Value::known(row.destination_region.as_str()),
                lens.show(&row.status, ToString::to_string),
                lens.show(&row.pending_bytes, |v| format::bytes(*v)),
                lens.show(&row.pending_operations, |v| format::count(*v)),
                lens.show(&row.latency_s, |v| seconds(*v)),
                lens.show(&row.failed_operations, |v| format::count(*v)),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.s3.get(row) else { return Vec::new() };
        vec![
            fact("source", Value::known(format!("{} in {}", row.bucket, view.region))),
            fact("destination", Value::known(format!("{} in {}", row.destination, row.destination_region))),
            fact("rule", Value::known(row.rule.as_str())),
        ]
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.s3.get(row) else { return Vec::new() };
        // The backlog is measured where the objects arrive.
        let there = RegionView { region: &row.destination_region, ..*view };
        vec![Trend {
            title: format!("waiting for {}", row.destination_region),
            history: &row.pending_history,
            end: window_end(&there),
            words: format::bytes,
            levels: None,
        }]
    }
}

fn seconds(value: f64) -> String {
    format::millis(value * 1_000.0)
}

fn pending<'a>(view: &RegionView<'a>) -> Value<'a> {
    total(Lens::of(view), view.rows.s3.iter().map(|row| &row.pending_bytes), format::bytes)
}
