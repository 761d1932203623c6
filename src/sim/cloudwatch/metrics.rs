//! ListMetrics and GetMetricStatistics.
//!
//! What it is for: what there is, and one metric's statistics. What it must not do: know a wire protocol.

use jiff::Timestamp;

use super::input::{Input, Style};
use super::series::{Metrics, Reader, Window, valid_period};
use super::source::{MetricId, MetricSource};
use super::stat::Stat;
use super::token::{self, Position};
use super::value::Value;
use crate::sim::call::{Call, Fault};

/// Metrics on one page of ListMetrics.
const PAGE: usize = 500;

/// Points of one GetMetricStatistics.
const POINTS: i64 = 1440;

/// The five statistics that need no percentile.
pub(super) const STATISTICS: [&str; 5] = ["SampleCount", "Average", "Sum", "Minimum", "Maximum"];

/// Answers ListMetrics.
pub(super) fn list_metrics(source: &dyn MetricSource, call: &Call, value: &Value) -> Result<Value, Fault> {
    const OPERATION: &str = "ListMetrics";
    let input = Input::new(value, Style::Parameter);
    let namespace = input.namespace()?;
    let name = input.text("MetricName", 255)?;
    let filters = input
        .list("Dimensions", 10)?
        .iter()
        .map(|item| {
            let filter = Input::new(item, Style::Parameter);
            Ok((filter.required_text("Name", 255)?, filter.text("Value", 1024)?))
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    // Every metric of this world is recently active, so that the filter keeps all.
    input.one_of("RecentlyActive", &["PT3H"])?;
    input.flag("IncludeLinkedAccounts")?;
    let position = token::read(OPERATION, &call.region, value)?;
    let now = position.and_then(|page| Timestamp::from_millisecond(page.asked_at).ok()).unwrap_or(call.now);
    let offset = position.map_or(0, |page| page.offset);

    let matching: Vec<MetricId> = source
        .metrics(&call.region, now)
        .into_iter()
        .filter(|metric| namespace.is_none_or(|namespace| namespace == metric.namespace))
        .filter(|metric| name.is_none_or(|name| name == metric.name))
        .filter(|metric| {
            filters.iter().all(|(name, value)| {
                metric
                    .dimensions
                    .iter()
                    .any(|(key, has)| key == name && value.is_none_or(|value| value == has))
            })
        })
        .collect();
    let end = (offset + PAGE).min(matching.len());
    let metrics = matching.get(offset..end).unwrap_or_default().iter().map(|metric| {
        Value::structure([
            ("Namespace", Some(Value::from(metric.namespace.as_str()))),
            ("MetricName", Some(Value::from(metric.name.as_str()))),
            ("Dimensions", Some(dimensions(&metric.dimensions))),
        ])
    });
    let metrics = Value::List(metrics.collect());
    let next = (end < matching.len()).then(|| {
        let position = Position { offset: end, asked_at: now.as_millisecond() };
        token::write(OPERATION, &call.region, value, position)
    });
    Ok(Value::structure([("Metrics", Some(metrics)), ("NextToken", next)]))
}

/// Dimensions as the answers show them.
pub(super) fn dimensions(dimensions: &[(String, String)]) -> Value {
    let one = |(name, value): &(String, String)| {
        Value::structure([
            ("Name", Some(Value::from(name.as_str()))),
            ("Value", Some(Value::from(value.as_str()))),
        ])
    };
    Value::List(dimensions.iter().map(one).collect())
}

/// Answers GetMetricStatistics.
pub(super) fn get_metric_statistics(
    source: &dyn MetricSource,
    call: &Call,
    value: &Value,
) -> Result<Value, Fault> {
    let input = Input::new(value, Style::Parameter);
    let namespace = input.namespace()?.ok_or_else(|| input.missing("Namespace"))?;
    let name = input.required_text("MetricName", 255)?;
    let (start, end) = (input.required_time("StartTime")?, input.required_time("EndTime")?);
    let period = input.int("Period", i64::MIN, i64::MAX)?.ok_or_else(|| input.missing("Period"))?;
    if !valid_period(period) {
        return Err(input.invalid("The parameter Period must be 1, 5, 10, 20, 30 or a multiple of 60."));
    }
    if start >= end {
        return Err(input.invalid("The parameter StartTime must be less than the parameter EndTime."));
    }
    let plain = input.texts("Statistics", 5)?;
    let extended = input.texts("ExtendedStatistics", 10)?;
    if plain.is_empty() && extended.is_empty() {
        return Err(Fault::sender(
            "MissingParameter",
            "Must specify either Statistics or ExtendedStatistics.",
        ));
    }
    if let Some(unknown) = plain.iter().find(|stat| !STATISTICS.contains(stat)) {
        return Err(
            input.invalid(format!("The value {unknown} for parameter Statistics is not a valid statistic."))
        );
    }
    let stats = plain
        .iter()
        .chain(&extended)
        .map(|stat| {
            let parsed = Stat::parse(stat).filter(|_| plain.contains(stat) || !STATISTICS.contains(stat));
            parsed.map(|parsed| (*stat, parsed)).ok_or_else(|| {
                input.invalid(format!("The value {stat} for parameter ExtendedStatistics is not supported."))
            })
        })
        .collect::<Result<Vec<_>, Fault>>()?;
    let unit = input.text("Unit", 255)?;
    let window = Window::new(start, end, call.now);
    let requested = (window.end - window.start + period - 1) / period;
    if requested > POINTS {
        return Err(Fault::sender(
            "InvalidParameterCombination",
            format!(
                "You have requested up to {requested} datapoints, which exceeds the limit of {POINTS}. You may \
                 reduce the datapoints requested by increasing Period, or decreasing the time range."
            ),
        ));
    }

    let asked = MetricId {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: input.dimensions("Dimensions")?,
    };
    let metrics = Metrics::new(source.metrics(&call.region, call.now));
    let reader = Reader { source, region: &call.region, window };
    let mut points = Vec::new();
    let metric = metrics.find(&asked);
    // Unlike GetMetricData, buckets begin at StartTime.
    for bucket in window.unaligned(period) {
        let Some((samples, measured)) = reader.bucket(metric, bucket, period, unit) else { continue };
        let mut members =
            vec![("Timestamp".to_owned(), Timestamp::from_second(bucket).ok().map(Value::Time))];
        let mut percentiles = Vec::new();
        for (stat, parsed) in &stats {
            let Some(number) = parsed.over(&samples) else { continue };
            if plain.contains(stat) {
                members.push(((*stat).to_owned(), Some(Value::Double(number))));
            } else {
                percentiles.push(((*stat).to_owned(), Value::Double(number)));
            }
        }
        members.push(("Unit".to_owned(), Some(Value::from(measured))));
        if !percentiles.is_empty() {
            members.push(("ExtendedStatistics".to_owned(), Some(Value::Map(percentiles))));
        }
        let members = members.into_iter().filter_map(|(name, value)| Some((name, value?))).collect();
        points.push(Value::Struct(members));
    }
    Ok(Value::structure([("Label", Some(Value::from(name))), ("Datapoints", Some(Value::List(points)))]))
}
