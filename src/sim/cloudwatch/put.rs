//! PutMetricData.
//!
//! What it is for: reading the values of custom metrics. What it must not do: keep them; that is the world's.

use super::input::{Input, Style};
use super::source::{Datum, MetricId, MetricSource};
use super::value::Value;
use crate::sim::call::{Call, Fault};

/// Metrics of one call.
const MOST: usize = 1_000;

/// CloudWatch's units.
const UNITS: [&str; 27] = [
    "Seconds",
    "Microseconds",
    "Milliseconds",
    "Bytes",
    "Kilobytes",
    "Megabytes",
    "Gigabytes",
    "Terabytes",
    "Bits",
    "Kilobits",
    "Megabits",
    "Gigabits",
    "Terabits",
    "Percent",
    "Count",
    "Bytes/Second",
    "Kilobytes/Second",
    "Megabytes/Second",
    "Gigabytes/Second",
    "Terabytes/Second",
    "Bits/Second",
    "Kilobits/Second",
    "Megabits/Second",
    "Gigabits/Second",
    "Terabits/Second",
    "Count/Second",
    "None",
];

/// Answers PutMetricData.
pub(super) fn put_metric_data(source: &dyn MetricSource, call: &Call, value: &Value) -> Result<Value, Fault> {
    let input = Input::new(value, Style::Parameter);
    let namespace = input.namespace()?.ok_or_else(|| input.missing("Namespace"))?;
    if namespace.starts_with("AWS/") {
        return Err(input.invalid("The value AWS/ for parameter Namespace is invalid."));
    }
    let list = input.list("MetricData", MOST)?;
    if list.is_empty() {
        return Err(input.missing("MetricData"));
    }
    let data = list.iter().map(|one| datum(call, namespace, one)).collect::<Result<Vec<_>, Fault>>()?;
    source.put(&call.region, data, call.served);
    Ok(Value::empty())
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Double(number) => Some(*number),
        Value::Int(number) => Some(*number as f64),
        Value::Text(text) => text.parse().ok(),
        _ => None,
    }
}

fn datum(call: &Call, namespace: &str, value: &Value) -> Result<Datum, Fault> {
    let input = Input::new(value, Style::Parameter);
    let name = input.required_text("MetricName", 255)?;
    let unit = input.one_of("Unit", &UNITS)?.unwrap_or("None");
    let numbers = |name: &str| -> Result<Vec<f64>, Fault> {
        Ok(input.list(name, 150)?.iter().filter_map(number).collect())
    };
    let (single, values, mut counts) =
        (input.get("Value").and_then(number), numbers("Values")?, numbers("Counts")?);
    counts.resize(values.len(), 1.0);
    let mut values: Vec<(f64, f64)> = values.into_iter().zip(counts).collect();
    values.extend(single.map(|value| (value, 1.0)));
    if values.is_empty() || values.iter().any(|(value, _)| !value.is_finite()) {
        return Err(input.missing("Value"));
    }
    Ok(Datum {
        metric: MetricId {
            namespace: namespace.to_owned(),
            name: name.to_owned(),
            dimensions: input.dimensions("Dimensions")?,
        },
        at: input.time("Timestamp")?.unwrap_or(call.served),
        values,
        unit: UNITS.iter().find(|known| **known == unit).copied().unwrap_or("None"),
    })
}
