//! A report as one HTML page.
//!
//! What it is for: a page that stands alone: no script, no font, no picture from elsewhere; it can be mailed, printed
//! and read on a light or a dark screen. What it must not do: let a string be anything but text; the template escapes
//! everything but the charts, which are made here out of numbers and escaped names.

use std::collections::BTreeMap;

use minijinja::{Environment, Value};
use serde_json::Value as Json;

use super::super::exit::Failure;
use super::{View, chart};
use crate::runbook::Measure;
use crate::runbook::report::{Line, Report};

/// The name ends as HTML does: that is what turns escaping on.
const NAME: &str = "report.html";
const TEMPLATE: &str = include_str!("../../../assets/report/report.html");

/// The report as one HTML page.
pub fn html(report: &Report) -> Result<String, Failure> {
    let failed = |error: minijinja::Error| Failure::error(format_args!("the page cannot be made: {error:#}"));
    let view = serde_json::to_value(View::of(report)).map_err(Failure::error)?;
    let charts: Vec<Value> = charts(report)
        .into_iter()
        .map(|(title, svg)| {
            let svg = Value::from_safe_string(svg);
            map([("title".to_owned(), Value::from(title)), ("svg".to_owned(), svg)])
        })
        .collect();
    let context = [("view".to_owned(), value(view)), ("charts".to_owned(), Value::from(charts))];
    let mut environment = Environment::new();
    environment.add_template(NAME, TEMPLATE).map_err(failed)?;
    let template = environment.get_template(NAME).map_err(failed)?;
    template.render(map(context)).map_err(failed)
}

/// The pictures: what users got, how many came, how far data was behind.
fn charts(report: &Report) -> Vec<(&'static str, String)> {
    const PICTURES: [(&str, Measure); 6] = [
        ("Requests answered with 5XX, percent", Measure::Errors),
        ("Requests a second", Measure::Requests),
        ("Healthy targets", Measure::HealthyTargets),
        ("DynamoDB replication latency, milliseconds", Measure::Replication),
        ("Aurora replication lag, milliseconds", Measure::AuroraLag),
        ("Aurora RPO lag, milliseconds", Measure::AuroraRpo),
    ];
    let acted = report.params.as_ref().and_then(|params| params.region.as_ref());
    let draw = |(title, measure): (&'static str, Measure)| {
        let mut lines: Vec<&Line> = report.samples.iter().filter(|line| line.measure == measure).collect();
        // The region that was acted on is never among those for which there is no room.
        lines.sort_by_key(|line| Some(&line.region) != acted);
        Some((title, chart::draw(title, measure.unit(), &lines, &report.steps)?))
    };
    PICTURES.into_iter().filter_map(draw).collect()
}

/// The same value, as templates have it.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::from(()),
        Json::Bool(known) => Value::from(known),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::from(whole),
            None => Value::from(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::from(text),
        Json::Array(items) => items.into_iter().map(value).collect::<Vec<Value>>().into(),
        Json::Object(fields) => map(fields.into_iter().map(|(name, field)| (name, value(field)))),
    }
}

fn map(fields: impl IntoIterator<Item = (String, Value)>) -> Value {
    Value::from(fields.into_iter().collect::<BTreeMap<String, Value>>())
}
