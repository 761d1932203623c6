//! The functions of metric math.
//!
//! What it is for: what the CloudWatch guide lists, but for anomaly detection, contributor insights,
//! quotas and searches. What it must not do: parse.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::super::stat::Points;
use super::eval::{self, Context, Outcome, moments, value_at, with_points};
use super::parse::Expression;
use super::{Named, Series};

/// Calls a function.
pub(super) fn call(context: &Context<'_>, name: &str, arguments: &[Expression]) -> Result<Outcome, String> {
    let arity = |least: usize, most: usize| {
        if (least..=most).contains(&arguments.len()) {
            Ok(())
        } else {
            Err(format!("Wrong number of arguments for {name}: {}", arguments.len()))
        }
    };
    let first = || -> Result<Outcome, String> {
        arguments.first().map_or_else(|| Err(format!("{name} needs an argument")), |a| context.eval(a))
    };
    match name {
        "METRICS" => {
            arity(0, 1)?;
            metrics(context, arguments.first())
        }
        "PERIOD" => {
            arity(1, 1)?;
            period(context, &arguments[0])
        }
        "FILL" => {
            arity(2, 2)?;
            fill(context, first()?, &arguments[1])
        }
        "IF" => {
            arity(2, 3)?;
            let otherwise = arguments.get(2).map(|a| context.eval(a)).transpose()?;
            condition(first()?, context.eval(&arguments[1])?, otherwise)
        }
        "SUM" | "AVG" | "MIN" | "MAX" | "STDDEV" | "DATAPOINT_COUNT" => {
            arity(1, 1)?;
            summary(name, first()?)
        }
        "METRIC_COUNT" => {
            arity(1, 1)?;
            Ok(Outcome::Scalar(array(name, first()?)?.len() as f64))
        }
        "ABS" | "CEIL" | "FLOOR" | "LOG" | "LOG10" => {
            arity(1, 1)?;
            let f = match name {
                "ABS" => f64::abs,
                "CEIL" => f64::ceil,
                "FLOOR" => f64::floor,
                "LOG" => f64::ln,
                _ => f64::log10,
            };
            Ok(eval::map(first()?, f))
        }
        "RATE" | "DIFF" | "DIFF_TIME" | "RUNNING_SUM" => {
            arity(1, 1)?;
            each(name, first()?, |series| with_points(series, along(name, &series.points)))
        }
        "MINUTE" | "HOUR" | "DAY" | "DATE" | "MONTH" | "YEAR" | "EPOCH" => {
            arity(1, 1)?;
            each(name, first()?, |series| {
                let points = (context.grid)(series.period);
                with_points(
                    series,
                    points.into_iter().filter_map(|at| Some((at, calendar(name, at)?))).collect(),
                )
            })
        }
        "TIME_SERIES" => {
            arity(1, 1)?;
            let Outcome::Scalar(value) = first()? else { return Err(wrong(name, "Scalar")) };
            let points = (context.grid)(context.period).into_iter().map(|at| (at, value)).collect();
            Ok(Outcome::Series(Series { label: String::new(), period: context.period, points }))
        }
        "FIRST" | "LAST" => {
            arity(1, 1)?;
            let mut all = array(name, first()?)?;
            let picked =
                if name == "FIRST" { (!all.is_empty()).then(|| all.swap_remove(0)) } else { all.pop() };
            Ok(picked.map_or_else(|| Outcome::Array(Vec::new()), Outcome::Series))
        }
        "REMOVE_EMPTY" => {
            arity(1, 1)?;
            let mut all = array(name, first()?)?;
            all.retain(|series| !series.points.is_empty());
            Ok(Outcome::Array(all))
        }
        "SLICE" => {
            arity(2, 3)?;
            let all = array(name, first()?)?;
            let start = index(context, name, &arguments[1])?.min(all.len());
            let end = match arguments.get(2) {
                Some(argument) => index(context, name, argument)?.clamp(start, all.len()),
                None => all.len(),
            };
            Ok(Outcome::Array(all[start..end].to_vec()))
        }
        "SORT" => {
            arity(3, 4)?;
            sort(context, array(name, first()?)?, &arguments[1..])
        }
        "SEARCH"
        | "ANOMALY_DETECTION_BAND"
        | "INSIGHT_RULE_METRIC"
        | "SERVICE_QUOTA"
        | "LAMBDA"
        | "DB_PERF_INSIGHTS" => Err(format!("The simulated CloudWatch does not have the function {name}")),
        _ => Err(format!("Unknown function: {name}")),
    }
}

fn wrong(name: &str, expected: &str) -> String {
    format!("Unsupported argument type for {name}: expected {expected}")
}

fn array(name: &str, outcome: Outcome) -> Result<Vec<Series>, String> {
    match outcome {
        Outcome::Array(all) => Ok(all),
        Outcome::Series(series) => Ok(vec![series]),
        Outcome::Scalar(_) => Err(wrong(name, "TimeSeries[]")),
    }
}

fn each(name: &str, outcome: Outcome, f: impl Fn(&Series) -> Series) -> Result<Outcome, String> {
    match outcome {
        Outcome::Series(series) => Ok(Outcome::Series(f(&series))),
        Outcome::Array(all) => Ok(Outcome::Array(all.iter().map(f).collect())),
        Outcome::Scalar(_) => Err(wrong(name, "TimeSeries or TimeSeries[]")),
    }
}

fn index(context: &Context<'_>, name: &str, argument: &Expression) -> Result<usize, String> {
    match context.eval(argument)? {
        Outcome::Scalar(value) if value >= 0.0 => Ok(value as usize),
        _ => Err(wrong(name, "a number of at least 0")),
    }
}

/// All metrics of the request, not its expressions; with a string, those whose id contains it.
fn metrics(context: &Context<'_>, part: Option<&Expression>) -> Result<Outcome, String> {
    let part = match part {
        None => "",
        Some(Expression::Text(part)) => part,
        Some(_) => return Err(wrong("METRICS", "a string")),
    };
    let mut all = Vec::new();
    for (id, named) in context.named {
        if let Some(Named { metric: true, outcome: Outcome::Series(series) }) = named
            && id.contains(part)
        {
            all.push(series.clone());
        }
    }
    Ok(Outcome::Array(all))
}

fn period(context: &Context<'_>, argument: &Expression) -> Result<Outcome, String> {
    let Expression::Id(id) = argument else { return Err(wrong("PERIOD", "the id of a metric")) };
    match context.named(id) {
        Some(named) if named.metric => match &named.outcome {
            Outcome::Series(series) => Ok(Outcome::Scalar(series.period as f64)),
            _ => Err(wrong("PERIOD", "the id of a metric")),
        },
        _ => Err(wrong("PERIOD", "the id of a metric")),
    }
}

enum Filler {
    Value(f64),
    Series(Series),
    Repeat,
    Linear,
}

/// Fills the gaps of a series. One that has no point at all stays empty, so that a caller who relies on
/// FILL for it notices here and not in an incident.
fn fill(context: &Context<'_>, outcome: Outcome, filler: &Expression) -> Result<Outcome, String> {
    let filler = match filler {
        Expression::Word(word) if word == "REPEAT" => Filler::Repeat,
        Expression::Word(word) if word == "LINEAR" => Filler::Linear,
        other => match context.eval(other)? {
            Outcome::Scalar(value) => Filler::Value(value),
            Outcome::Series(series) => Filler::Series(series),
            Outcome::Array(_) => return Err(wrong("FILL", "Scalar, TimeSeries, REPEAT or LINEAR")),
        },
    };
    each("FILL", outcome, |series| {
        if series.points.is_empty() {
            return series.clone();
        }
        let mut points = series.points.clone();
        let mut last = None;
        for at in (context.grid)(series.period) {
            if let Some(value) = series.points.get(&at) {
                last = Some(*value);
                continue;
            }
            let value = match &filler {
                Filler::Value(value) => Some(*value),
                Filler::Series(other) => other.points.get(&at).copied(),
                Filler::Repeat => last,
                Filler::Linear => linear(&series.points, at),
            };
            if let Some(value) = value {
                points.insert(at, value);
            }
        }
        with_points(series, points)
    })
}

/// The value on the line between the neighbours; nothing before the first point and after the last.
fn linear(points: &Points, at: i64) -> Option<f64> {
    let (before, low) = points.range(..at).next_back()?;
    let (after, high) = points.range(at..).next()?;
    let share = (at - before) as f64 / (after - before) as f64;
    Some(low + (high - low) * share)
}

/// `IF(condition, then, else)`, decided at every point of the condition.
fn condition(condition: Outcome, then: Outcome, otherwise: Option<Outcome>) -> Result<Outcome, String> {
    let series = match condition {
        Outcome::Scalar(value) if value != 0.0 => return Ok(then),
        Outcome::Scalar(_) => {
            return Ok(otherwise.unwrap_or_else(|| {
                let period = if let Outcome::Series(series) = &then { series.period } else { 60 };
                Outcome::Series(Series { label: String::new(), period, points: Points::new() })
            }));
        }
        Outcome::Series(series) => series,
        Outcome::Array(_) => return Err(wrong("IF", "TimeSeries or Scalar as its condition")),
    };
    if matches!(then, Outcome::Array(_)) || matches!(otherwise, Some(Outcome::Array(_))) {
        return Err(wrong("IF", "TimeSeries or Scalar"));
    }
    let mut points = Points::new();
    for (at, holds) in &series.points {
        let holds = *holds != 0.0;
        let value = match (if holds { Some(&then) } else { otherwise.as_ref() }, holds) {
            (Some(Outcome::Scalar(value)), _) => Some(*value),
            // A true condition whose value is missing yields 0; a false one without a value yields nothing.
            (Some(Outcome::Series(series)), true) => Some(value_at(series, *at)),
            (Some(Outcome::Series(series)), false) => series.points.get(at).copied(),
            (Some(Outcome::Array(_)) | None, _) => None,
        };
        points.extend(value.map(|value| (*at, value)));
    }
    Ok(Outcome::Series(Series { points, ..series }))
}

/// One number from a series, or one series from an array.
fn summary(name: &str, outcome: Outcome) -> Result<Outcome, String> {
    match outcome {
        Outcome::Scalar(_) => Err(wrong(name, "TimeSeries or TimeSeries[]")),
        Outcome::Series(series) => {
            let values: Vec<f64> = series.points.values().copied().collect();
            let count = values.len() as f64;
            Ok(Outcome::Scalar(reduce(name, &values, count)))
        }
        Outcome::Array(all) => {
            let period = all.iter().map(|series| series.period).max().unwrap_or(60);
            // The guide treats what is missing as 0 for the mean; the others see only what is there.
            let count = all.len() as f64;
            let points = moments(&all, period)
                .into_iter()
                .map(|at| {
                    let values: Vec<f64> =
                        all.iter().filter_map(|series| series.points.get(&at).copied()).collect();
                    (at, reduce(name, &values, count))
                })
                .filter(|(_, value)| value.is_finite())
                .collect();
            Ok(Outcome::Series(Series { label: String::new(), period, points }))
        }
    }
}

/// `count` is how many values there should be, missing ones included.
fn reduce(name: &str, values: &[f64], count: f64) -> f64 {
    let sum: f64 = values.iter().sum();
    match name {
        "SUM" => sum,
        "AVG" => sum / count,
        "MIN" => values.iter().copied().reduce(f64::min).unwrap_or(f64::NAN),
        "MAX" => values.iter().copied().reduce(f64::max).unwrap_or(f64::NAN),
        "DATAPOINT_COUNT" => values.len() as f64,
        _ => {
            let count = values.len() as f64;
            let mean = sum / count;
            (values.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / count).sqrt()
        }
    }
}

/// Functions of a value and the one before it.
fn along(name: &str, points: &Points) -> Points {
    if name == "RUNNING_SUM" {
        let mut sum = 0.0;
        return points
            .iter()
            .map(|(at, value)| {
                sum += value;
                (*at, sum)
            })
            .collect();
    }
    points
        .iter()
        .zip(points.iter().skip(1))
        .map(|((before, old), (at, new))| {
            let seconds = (at - before) as f64;
            let value = match name {
                "RATE" => (new - old) / seconds,
                "DIFF" => new - old,
                _ => seconds,
            };
            (*at, value)
        })
        .collect()
}

/// A part of a bucket's time, in UTC; Monday is 1.
fn calendar(name: &str, at: i64) -> Option<f64> {
    let time = Timestamp::from_second(at).ok()?.to_zoned(TimeZone::UTC);
    Some(match name {
        "MINUTE" => f64::from(time.minute()),
        "HOUR" => f64::from(time.hour()),
        "DAY" => f64::from(time.weekday().to_monday_one_offset()),
        "DATE" => f64::from(time.day()),
        "MONTH" => f64::from(time.month()),
        "YEAR" => f64::from(time.year()),
        _ => at as f64,
    })
}

fn sort(context: &Context<'_>, all: Vec<Series>, arguments: &[Expression]) -> Result<Outcome, String> {
    let (Some(Expression::Word(by)), Some(Expression::Word(direction))) =
        (arguments.first(), arguments.get(1))
    else {
        return Err(wrong("SORT", "AVG, MIN, MAX or SUM, then ASC or DESC"));
    };
    if !matches!(by.as_str(), "AVG" | "MIN" | "MAX" | "SUM") || !matches!(direction.as_str(), "ASC" | "DESC")
    {
        return Err(wrong("SORT", "AVG, MIN, MAX or SUM, then ASC or DESC"));
    }
    let mut keyed: Vec<(f64, Series)> = all
        .into_iter()
        .map(|series| {
            let values: Vec<f64> = series.points.values().copied().collect();
            (reduce(by, &values, values.len() as f64), series)
        })
        .collect();
    keyed.sort_by(|a, b| if direction == "ASC" { a.0.total_cmp(&b.0) } else { b.0.total_cmp(&a.0) });
    if let Some(limit) = arguments.get(2) {
        keyed.truncate(index(context, "SORT", limit)?);
    }
    Ok(Outcome::Array(keyed.into_iter().map(|(_, series)| series).collect()))
}
