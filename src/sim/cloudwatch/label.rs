//! Labels of series.
//!
//! What it is for: the names under which GetMetricData returns series that were given none, and the
//! placeholders of those that were. What it must not do: compute statistics.

use std::collections::HashSet;

use super::source::MetricId;
use super::stat::Points;

/// What a label is made from.
#[derive(Clone, Copy)]
pub(super) struct Label<'a> {
    /// The metric.
    pub(super) metric: &'a MetricId,
    /// Seconds.
    pub(super) period: i64,
    /// Statistic.
    pub(super) stat: &'a str,
    /// What the caller gave.
    pub(super) given: Option<&'a str>,
}

/// The label of each query: the caller's, else the metric's name with whatever tells it from the other
/// metrics of the request: dimension values before it, statistic and period behind. Expressions get none.
pub(super) fn choose(queries: &[Option<Label<'_>>]) -> Vec<String> {
    let metrics = || queries.iter().flatten();
    let several = |count: usize| count > 1;
    let namespaces = several(metrics().map(|q| &q.metric.namespace).collect::<HashSet<_>>().len());
    let names = several(metrics().map(|q| &q.metric.name).collect::<HashSet<_>>().len());
    let dimensions = several(metrics().map(|q| &q.metric.dimensions).collect::<HashSet<_>>().len());
    let stats = several(metrics().map(|q| q.stat).collect::<HashSet<_>>().len());
    let periods = several(metrics().map(|q| q.period).collect::<HashSet<_>>().len());
    let rest = namespaces || dimensions || stats || periods;
    queries
        .iter()
        .map(|query| {
            let Some(query) = query else { return String::new() };
            if let Some(given) = query.given {
                return properties(given, query);
            }
            let mut parts: Vec<&str> = Vec::new();
            if namespaces {
                parts.push(&query.metric.namespace);
            }
            if dimensions {
                parts.extend(query.metric.dimensions.iter().map(|(_, value)| value.as_str()));
            }
            // The name is left out only when it is the same everywhere and something else tells them apart.
            if names || !rest || !dimensions {
                parts.push(&query.metric.name);
            }
            if stats {
                parts.push(query.stat);
            }
            let period = query.period.to_string();
            if periods {
                parts.push(&period);
            }
            parts.join(" ")
        })
        .collect()
}

/// Replaces `${PROP('…')}` and the abbreviations of it.
fn properties(label: &str, query: &Label<'_>) -> String {
    let mut label = label.to_owned();
    let period = query.period.to_string();
    let known = [
        ("MetricName", query.metric.name.as_str()),
        ("Namespace", query.metric.namespace.as_str()),
        ("Stat", query.stat),
        ("Period", period.as_str()),
    ];
    for (name, value) in known {
        label = label.replace(&format!("${{PROP('{name}')}}"), value);
    }
    for (name, value) in &query.metric.dimensions {
        label = label.replace(&format!("${{PROP('Dim.{name}')}}"), value);
    }
    label
}

/// Replaces the placeholders that depend on the values.
pub(super) fn fill_in(label: &str, points: &Points) -> String {
    if !label.contains("${") {
        return label.to_owned();
    }
    let values = || points.values().copied();
    let show = |value: Option<f64>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
    let sum: f64 = values().sum();
    let count = points.len() as f64;
    [
        ("${AVG}", show((count > 0.0).then(|| sum / count))),
        ("${DATAPOINT_COUNT}", count.to_string()),
        ("${FIRST}", show(values().next())),
        ("${LAST}", show(values().next_back())),
        ("${MAX}", show(values().reduce(f64::max))),
        ("${MIN}", show(values().reduce(f64::min))),
        ("${SUM}", show((count > 0.0).then_some(sum))),
    ]
    .iter()
    .fold(label.to_owned(), |label, (placeholder, value)| label.replace(placeholder, value))
}
