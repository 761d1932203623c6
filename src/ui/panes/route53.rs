//! Records and health checks.

use super::{
    Column, Fact, Pane, Pick, Row, Slot, Table, Trend, dns_window_end, fact, joined, none_here, num, part,
    text,
};
use crate::app::RegionView;
use crate::domain::derive::Route53Row;
use crate::domain::topology::RoutingPolicy;
use crate::ui::format;
use crate::ui::theme::Mark;
use crate::ui::value::{Lens, Trust, Value};

pub(super) struct Route53;

const COLUMNS: &[Column] = &[
    text("record", 22),
    text("type", 5),
    text("policy", 12),
    text("DNS says", 13),
    text("check", 10),
    num("checkers", 9),
    text("flags", 19),
];

impl Pane for Route53 {
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>> {
        let rows = &view.rows.route53;
        vec![
            Slot::new(vec![part("", answered(view)), part("", flags_or_policy(view))]),
            Slot::new(vec![part("check", verdict(view)), part("", checkers(view))])
                .with(joined(rows.iter().map(|row| &row.checkers_history), f64::min), 100.0)
                .pick(Pick::Lowest),
        ]
    }

    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a> {
        let checkers = checkers(view);
        if checkers.has_value() { checkers } else { answered(view) }
    }

    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a> {
        let lens = Lens::of(view);
        let rows = view.rows.route53.iter().map(|row| Row {
            resource: row.name.to_string(),
            floor: floor(lens, row),
            cells: vec![
                Value::known(row.name.as_str()),
                Value::known(row.record_type.as_str()),
                Value::known(match row.weight.value() {
                    Some(Some(weight)) => format!("{} {weight}", policy_word(row.policy)),
                    _ => policy_word(row.policy).to_owned(),
                }),
                lens.show(&row.answers, |answers| answer_word(*answers).to_owned()),
                lens.show(&row.verdict, |good| verdict_word(*good).to_owned()),
                row_checkers(lens, row),
                flags(lens, row),
            ],
        });
        Table { columns: COLUMNS, rows: rows.collect() }
    }

    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>> {
        let Some(row) = view.rows.route53.get(row) else { return Vec::new() };
        let lens = Lens::of(view);
        let identifier = if row.set_identifier.is_empty() { "–" } else { row.set_identifier.as_str() };
        vec![
            fact("set identifier", Value::known(identifier)),
            fact(
                "in the zone",
                lens.show(&row.present, |present| {
                    if *present { "yes, pointing where it should" } else { "no, or pointing elsewhere" }
                        .to_owned()
                }),
            ),
            fact(
                "health check",
                Value::known(row.health_check.as_ref().map_or("none", |check| check.as_str())),
            ),
            fact("asks", lens.show(&row.endpoint, ToString::to_string)),
            fact(
                "last failure",
                lens.show(&row.last_failure, |failure| match failure {
                    None => "none".to_owned(),
                    Some(failure) => {
                        let at = failure.at.map(|at| format!("{} ", format::when(at, view.now)));
                        format!("{}{}: {}", at.unwrap_or_default(), failure.checker, failure.reason)
                    }
                }),
            ),
        ]
    }

    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>> {
        let Some(row) = view.rows.route53.get(row) else { return Vec::new() };
        vec![Trend {
            title: "checkers that say healthy, %".into(),
            history: &row.checkers_history,
            end: dns_window_end(view),
            words: |value| format!("{value:.0} %"),
            levels: None,
        }]
    }
}

/// A record whose check fails is no green row, though the finding names another record of that check.
fn floor(lens: Lens<'_>, row: &Route53Row) -> Mark {
    let fresh = |value: &crate::domain::Observed<bool>| value.fresh(lens.now, lens.freshness).copied();
    match (fresh(&row.verdict), fresh(&row.answers)) {
        (Some(false), _) => Mark::Critical,
        (_, Some(false)) => Mark::Warning,
        _ => Mark::None,
    }
}

fn answer_word(answers: bool) -> &'static str {
    if answers { "answered" } else { "not answered" }
}

fn verdict_word(good: bool) -> &'static str {
    if good { "healthy" } else { "unhealthy" }
}

fn policy_word(policy: RoutingPolicy) -> &'static str {
    match policy {
        RoutingPolicy::Simple => "simple",
        RoutingPolicy::Latency => "latency",
        RoutingPolicy::Geolocation => "geolocation",
        RoutingPolicy::Geoproximity => "geoproximity",
        RoutingPolicy::Weighted => "weighted",
        RoutingPolicy::Failover => "failover",
        RoutingPolicy::Multivalue => "multivalue",
        RoutingPolicy::IpBased => "IP-based",
    }
}

/// The value that says most against a region stands for all: doubt first, then the bad news.
fn worst<'a, T: 'a>(
    view: &RegionView<'a>,
    field: impl Fn(&'a Route53Row) -> &'a crate::domain::Observed<T>,
    words: impl Fn(&T) -> String,
    bad: impl Fn(&T) -> bool,
) -> Value<'a> {
    let lens = Lens::of(view);
    let rows = view.rows.route53.iter();
    let worst = rows.max_by_key(|row| {
        let value = field(row);
        // A record without a check has no verdict, and says nothing about those that have one.
        let trust = lens.show(value, |_| String::new()).trust;
        (trust != Trust::Absent, trust, value.value().is_some_and(&bad))
    });
    worst.map_or_else(none_here, |row| lens.show(field(row), words))
}

/// Whether users are sent here; the same that the region's heading says.
fn answered<'a>(view: &RegionView<'a>) -> Value<'a> {
    if view.rows.route53.is_empty() {
        return none_here();
    }
    let shown =
        Lens::of(view).show(&view.rows.in_dns, |yes| if *yes { "in DNS" } else { "not in DNS" }.to_owned());
    // Here "no data" is no harmless gap: nobody knows where users are sent.
    if shown.trust == Trust::Absent {
        return Value { text: "DNS unknown".to_owned(), trust: Trust::Failed, ..shown };
    }
    shown
}

fn verdict<'a>(view: &RegionView<'a>) -> Value<'a> {
    worst(view, |row| &row.verdict, |good| verdict_word(*good).to_owned(), |good| !good)
}

fn checkers<'a>(view: &RegionView<'a>) -> Value<'a> {
    let lens = Lens::of(view);
    let rows = view.rows.route53.iter();
    let share = |row: &Route53Row| {
        row.checkers_percent.value().map_or(101, |percent| percent.clamp(0.0, 100.0).round() as i64)
    };
    rows.min_by_key(|row| share(row)).map_or_else(none_here, |row| row_checkers(lens, row))
}

/// What the metric says; the checkers' own count while that is known and fresh.
fn row_checkers<'a>(lens: Lens<'_>, row: &'a Route53Row) -> Value<'a> {
    let total = row.checkers_total.value().copied();
    let counted = lens.show(&row.checkers_healthy, |healthy| {
        total.map_or(healthy.to_string(), |total| format!("{healthy}/{total}"))
    });
    if counted.trust == Trust::Fresh {
        return counted;
    }
    lens.show(&row.checkers_percent, |percent| format!("{percent:.0} %"))
}

fn flags<'a>(lens: Lens<'_>, row: &'a Route53Row) -> Value<'a> {
    let inverted = row.inverted.value().copied().unwrap_or(false);
    lens.show(&row.disabled, |disabled| {
        match (disabled, inverted) {
            (true, true) => "DISABLED INVERTED",
            (true, false) => "DISABLED",
            (false, true) => "INVERTED",
            (false, false) => "in force",
        }
        .to_owned()
    })
}

fn flags_or_policy<'a>(view: &RegionView<'a>) -> Value<'a> {
    let lens = Lens::of(view);
    let odd = |row: &&Route53Row| row.disabled.value() == Some(&true) || row.inverted.value() == Some(&true);
    match view.rows.route53.iter().find(odd) {
        // Both flags together are what pins a region; the table of records spells them out.
        Some(row) if row.disabled.value() == Some(&true) && row.inverted.value() == Some(&true) => {
            lens.show(&row.disabled, |_| "pinned".to_owned())
        }
        Some(row) => flags(lens, row),
        None => match view.rows.route53.first() {
            Some(row) => Value::known(policy_word(row.policy)),
            None => none_here(),
        },
    }
}
