//! Metric math: the expression language of GetMetricData.
//!
//! What it is for: parsing an expression and evaluating it over the request's series, with the
//! documented treatment of missing data. What it must not do: read the world or know a protocol.

mod eval;
mod functions;
mod parse;

use std::collections::{BTreeMap, HashMap};

pub(super) use eval::{Context, Outcome};
pub(super) use parse::Expression;

use super::stat::Points;

/// A time series within an expression.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// Label of the metric it came from; empty once several were merged into one.
    pub(super) label: String,
    /// Seconds between points.
    pub(super) period: i64,
    /// Its points.
    pub(super) points: Points,
}

/// What stands behind an id.
#[derive(Clone, Debug)]
pub(super) struct Named {
    /// True for metrics, false for the results of expressions.
    pub(super) metric: bool,
    /// Value.
    pub(super) outcome: Outcome,
}

/// The order in which expressions can be evaluated, each after those that it names.
///
/// `Err` names an expression and what is wrong with it: an unknown id, or a circle.
pub(super) fn order(
    expressions: &BTreeMap<usize, (&str, Expression)>,
    ids: &HashMap<&str, usize>,
) -> Result<Vec<usize>, (String, String)> {
    let mut waiting: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (index, (id, expression)) in expressions {
        let mut needs = Vec::new();
        let mut unknown = Vec::new();
        for name in expression.names() {
            match ids.get(name) {
                Some(other) if expressions.contains_key(other) => needs.push(*other),
                Some(_) => {}
                None => unknown.push(name),
            }
        }
        if !unknown.is_empty() {
            let message =
                format!("The following ids were not found in your request: [{}]", unknown.join(", "));
            return Err(((*id).to_owned(), message));
        }
        waiting.insert(*index, needs);
    }
    let mut ordered = Vec::with_capacity(waiting.len());
    while !waiting.is_empty() {
        let ready: Vec<usize> = waiting
            .iter()
            .filter(|(_, needs)| needs.iter().all(|need| !waiting.contains_key(need)))
            .map(|(index, _)| *index)
            .collect();
        if ready.is_empty() {
            let first = waiting.keys().next().and_then(|index| expressions.get(index));
            let id = first.map_or_else(String::new, |(id, _)| (*id).to_owned());
            return Err((id, "Expressions refer to each other in a circle".to_owned()));
        }
        for index in ready {
            waiting.remove(&index);
            ordered.push(index);
        }
    }
    Ok(ordered)
}
