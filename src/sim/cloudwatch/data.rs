//! GetMetricData.
//!
//! What it is for: a batch of metrics and expressions over one time range, in pages.
//! What it must not do: know a wire protocol, or compute statistics or math itself.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::Timestamp;

use super::input::{Input, Style};
use super::label::{self, Label};
use super::math::{self, Context, Expression, Named, Outcome, Series};
use super::series::{Metrics, Reader, Window, valid_period};
use super::source::{MetricId, MetricSource};
use super::stat::{Points, Stat};
use super::token::{self, Position};
use super::value::Value;
use crate::sim::call::{Call, Fault};

const OPERATION: &str = "GetMetricData";

/// Queries in one call.
const QUERIES: usize = 500;

/// Data points on one page.
const POINTS: i64 = 100_800;

/// One query of the request.
struct Query {
    id: String,
    label: Option<String>,
    return_data: bool,
    what: What,
}

enum What {
    Metric { metric: MetricId, period: i64, stat: Stat, stat_name: String, unit: Option<String> },
    Expression { text: String, period: Option<i64> },
}

/// One series of the answer.
struct Answer {
    id: String,
    label: String,
    points: Points,
}

/// Answers a call.
pub(super) fn get_metric_data(source: &dyn MetricSource, call: &Call, value: &Value) -> Result<Value, Fault> {
    let input = Input::new(value, Style::Validation);
    let queries = read_queries(&input)?;
    let (start, end) = (input.required_time("StartTime")?, input.required_time("EndTime")?);
    if start >= end {
        return Err(input.invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let ascending =
        input.one_of("ScanBy", &["TimestampDescending", "TimestampAscending"])? == Some("TimestampAscending");
    let most = input.int("MaxDatapoints", 1, POINTS)?.unwrap_or(POINTS);
    let position = token::read(OPERATION, &call.region, value)?;
    // Later pages show the world of the first one: data that arrives in between would shift them.
    let now = position.and_then(|page| Timestamp::from_millisecond(page.asked_at).ok()).unwrap_or(call.now);
    let offset = position.map_or(0, |page| page.offset);

    let reader = Reader { source, region: &call.region, window: Window::new(start, end, now) };
    let answers = evaluate(&reader, &queries)?;
    let (results, reached, total) = page(&answers, ascending, offset, most as usize);
    let next = (reached < total).then(|| {
        let position = Position { offset: reached, asked_at: now.as_millisecond() };
        token::write(OPERATION, &call.region, value, position)
    });
    Ok(Value::structure([
        ("MetricDataResults", Some(Value::List(results))),
        ("NextToken", next),
        ("Messages", Some(Value::List(Vec::new()))),
    ]))
}

fn read_queries(input: &Input<'_>) -> Result<Vec<Query>, Fault> {
    let items = input.list("MetricDataQueries", QUERIES)?;
    if items.is_empty() {
        return Err(input.missing("MetricDataQueries"));
    }
    let mut queries = Vec::with_capacity(items.len());
    // CloudWatch lists every query that is wrong, one a line.
    let mut wrong = Vec::new();
    for (index, item) in items.iter().enumerate() {
        match read_query(item, &format!("MetricDataQueries.member.{}", index + 1)) {
            Ok(query) => queries.push(query),
            Err(fault) if fault.code == "ValidationError" => wrong.push(fault.message),
            Err(fault) => return Err(fault),
        }
    }
    if !wrong.is_empty() {
        return Err(input.invalid(wrong.join("\n")));
    }
    let mut ids = HashSet::new();
    if !queries.iter().all(|query| ids.insert(query.id.as_str())) {
        return Err(input.invalid("The values for parameter id in MetricDataQueries are not unique."));
    }
    Ok(queries)
}

fn read_query(item: &Value, path: &str) -> Result<Query, Fault> {
    let query = Input::new(item, Style::Validation);
    let absent = |name: &str| query.invalid(format!("The parameter {path}.{name} is required."));
    let id = query.text("Id", 255)?.ok_or_else(|| absent("Id"))?;
    let well_formed = id.starts_with(|c: char| c.is_ascii_lowercase())
        && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    if !well_formed {
        return Err(query.invalid(format!(
            "The value {id} for parameter {path}.Id is not matching the expected pattern ^[a-z][a-zA-Z0-9_]*$."
        )));
    }
    let period_of = |owner: &Input<'_>, name: &str| match owner.get("Period").map(Value::as_int) {
        None => Ok(None),
        Some(Some(period)) if valid_period(period) => Ok(Some(period)),
        Some(Some(period)) => Err(query.invalid(format!(
            "The value {period} for parameter {path}.{name} must be 1, 5, 10, 20, 30 or a multiple of 60."
        ))),
        Some(None) => {
            Err(Fault::sender("SerializationException", format!("{path}.{name}: expected an integer")))
        }
    };
    let expression = query.text("Expression", 2048)?;
    let what = match (query.get("MetricStat"), expression) {
        (Some(_), Some(_)) => {
            return Err(query.invalid(format!(
                "The parameters {path}.MetricStat and {path}.Expression are mutually exclusive and you have specified both."
            )));
        }
        (None, None) => {
            return Err(query.invalid(format!(
                "Exactly one of {path}.MetricStat and {path}.Expression must be specified."
            )));
        }
        (None, Some(text)) => {
            What::Expression { text: text.to_owned(), period: period_of(&query, "Period")? }
        }
        (Some(value), None) => {
            let stat = Input::new(value, Style::Validation);
            let metric = stat.get("Metric").ok_or_else(|| absent("MetricStat.Metric"))?;
            let metric = Input::new(metric, Style::Validation);
            let namespace = metric.namespace()?.ok_or_else(|| absent("MetricStat.Metric.Namespace"))?;
            let name =
                metric.text("MetricName", 255)?.ok_or_else(|| absent("MetricStat.Metric.MetricName"))?;
            let stat_name = stat.text("Stat", 64)?.ok_or_else(|| absent("MetricStat.Stat"))?;
            let parsed = Stat::parse(stat_name).ok_or_else(|| {
                query.invalid(format!(
                    "The value {stat_name} for parameter {path}.MetricStat.Stat is not a valid statistic."
                ))
            })?;
            What::Metric {
                metric: MetricId {
                    namespace: namespace.to_owned(),
                    name: name.to_owned(),
                    dimensions: metric.dimensions("Dimensions")?,
                },
                period: period_of(&stat, "MetricStat.Period")?.ok_or_else(|| absent("MetricStat.Period"))?,
                stat: parsed,
                stat_name: stat_name.to_owned(),
                unit: stat.text("Unit", 255)?.map(str::to_owned),
            }
        }
    };
    Ok(Query {
        id: id.to_owned(),
        label: query.get("Label").and_then(Value::as_text).map(str::to_owned),
        return_data: query.flag("ReturnData")?.unwrap_or(true),
        what,
    })
}

/// Every series that the request returns, in its order.
fn evaluate(reader: &Reader<'_>, queries: &[Query]) -> Result<Vec<Answer>, Fault> {
    let error = |id: &str, message: &str| {
        Fault::sender("ValidationError", format!("Error in expression '{id}': {message}"))
    };
    let ids: HashMap<&str, usize> =
        queries.iter().enumerate().map(|(index, query)| (query.id.as_str(), index)).collect();
    let mut expressions = BTreeMap::new();
    for (index, query) in queries.iter().enumerate() {
        if let What::Expression { text, .. } = &query.what {
            let parsed = Expression::parse(text).map_err(|message| error(&query.id, &message))?;
            expressions.insert(index, (query.id.as_str(), parsed));
        }
    }
    let order = math::order(&expressions, &ids).map_err(|(id, message)| error(&id, &message))?;

    let metrics = Metrics::new(reader.source.metrics(reader.region, reader.window.now));
    let labels = labels(queries);
    let mut named: Vec<(String, Option<Named>)> = Vec::with_capacity(queries.len());
    for (query, label) in queries.iter().zip(labels) {
        let value = match &query.what {
            What::Metric { metric, period, stat, unit, .. } => {
                let points = reader.points(metrics.find(metric), *period, *stat, unit.as_deref());
                let series = Series { label, period: *period, points };
                Some(Named { metric: true, outcome: Outcome::Series(series) })
            }
            What::Expression { .. } => None,
        };
        named.push((query.id.clone(), value));
    }

    let grid = |period: i64| reader.window.aligned(period).collect();
    let longest = queries.iter().filter_map(|query| match &query.what {
        What::Metric { period, .. } => Some(*period),
        What::Expression { .. } => None,
    });
    let longest = longest.max().unwrap_or(60);
    for index in order {
        let Some((id, expression)) = expressions.get(&index) else { continue };
        let period = match &queries[index].what {
            What::Expression { period: Some(period), .. } => *period,
            _ => longest,
        };
        let context = Context { named: &named, ids: &ids, grid: &grid, period };
        let outcome = context.eval(expression).map_err(|message| error(id, &message))?;
        if matches!(outcome, Outcome::Scalar(_)) && queries[index].return_data {
            return Err(error(id, "The expression must return a time series or an array of time series"));
        }
        named[index].1 = Some(Named { metric: false, outcome });
    }
    Ok(queries.iter().zip(named).filter(|(query, _)| query.return_data).flat_map(answers).collect())
}

/// The series that one query returns: one, or as many as its array holds.
fn answers((query, (id, named)): (&Query, (String, Option<Named>))) -> Vec<Answer> {
    let metric = matches!(query.what, What::Metric { .. });
    let base = query.label.clone().unwrap_or_else(|| id.clone());
    match named.map(|named| named.outcome) {
        Some(Outcome::Series(series)) => {
            // A metric's label was chosen among its neighbours; an expression's is its own, or its id.
            let label = if metric { series.label } else { base };
            let label = label::fill_in(&label, &series.points);
            vec![Answer { id, label, points: series.points }]
        }
        Some(Outcome::Array(all)) => all
            .into_iter()
            .map(|series| {
                let label = format!("{base} {}", series.label).trim().to_owned();
                Answer {
                    id: id.clone(),
                    label: label::fill_in(&label, &series.points),
                    points: series.points,
                }
            })
            .collect(),
        Some(Outcome::Scalar(_)) | None => Vec::new(),
    }
}

fn labels(queries: &[Query]) -> Vec<String> {
    let parts: Vec<Option<Label<'_>>> = queries
        .iter()
        .map(|query| match &query.what {
            What::Metric { metric, period, stat_name, .. } => {
                Some(Label { metric, period: *period, stat: stat_name, given: query.label.as_deref() })
            }
            What::Expression { .. } => None,
        })
        .collect();
    label::choose(&parts)
}

/// The results from `offset` on, at most `most` points; then the offset reached and the number of all items.
/// A series without points counts as one item, so that it appears exactly once, but takes no room.
fn page(answers: &[Answer], ascending: bool, offset: usize, most: usize) -> (Vec<Value>, usize, usize) {
    let total = answers.iter().map(|answer| answer.points.len().max(1)).sum();
    let mut results = Vec::new();
    let (mut first, mut reached, mut room) = (0, offset, most);
    for answer in answers {
        let count = answer.points.len();
        let skip = reached.saturating_sub(first);
        first += count.max(1);
        if reached >= first {
            continue;
        }
        let take = (count - skip).min(room);
        if count > 0 && take == 0 {
            break;
        }
        let points: Vec<(i64, f64)> = if ascending {
            answer.points.iter().skip(skip).take(take).map(|(at, value)| (*at, *value)).collect()
        } else {
            answer.points.iter().rev().skip(skip).take(take).map(|(at, value)| (*at, *value)).collect()
        };
        room -= take;
        reached += take.max(1);
        let unfinished = reached < first;
        let status = if unfinished { "PartialData" } else { "Complete" };
        results.push(Value::structure([
            ("Id", Some(Value::from(answer.id.as_str()))),
            ("Label", Some(Value::from(answer.label.as_str()))),
            ("Timestamps", Some(Value::List(points.iter().filter_map(|(at, _)| time(*at)).collect()))),
            ("Values", Some(Value::List(points.iter().map(|(_, value)| Value::Double(*value)).collect()))),
            ("StatusCode", Some(Value::from(status))),
        ]));
        if unfinished {
            break;
        }
    }
    (results, reached, total)
}

fn time(at: i64) -> Option<Value> {
    Timestamp::from_second(at).ok().map(Value::Time)
}
