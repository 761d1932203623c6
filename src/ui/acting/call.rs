//! A call in one line.
//!
//! What it is for: the name of the call, its region, and every parameter that it is sent with, so that nothing that
//! will be sent is hidden. What it must not do: know the calls one by one; they are read as the data that they are.

use serde_json::Value;

use crate::runbook::Operation;

/// `SetDesired us-east-1: service prod/api, desired 0`.
pub(super) fn line(operation: &Operation) -> String {
    let Ok(Value::Object(fields)) = serde_json::to_value(operation) else { return String::new() };
    let name = fields.get("operation").and_then(Value::as_str).unwrap_or_default();
    let mut line: String = name.split('_').map(capital).collect();
    line.push(' ');
    line.push_str(operation.region().as_str());
    let mut lead = ": ";
    for (field, value) in &fields {
        if matches!(field.as_str(), "operation" | "region") || value.is_null() {
            continue;
        }
        line.push_str(lead);
        line.push_str(&field.replace('_', " "));
        line.push(' ');
        line.push_str(&words(value));
        lead = ", ";
    }
    line
}

fn capital(word: &str) -> String {
    let mut characters = word.chars();
    characters.next().map(|first| first.to_uppercase().chain(characters).collect()).unwrap_or_default()
}

fn words(value: &Value) -> String {
    match value {
        Value::Null => "none".to_owned(),
        Value::Bool(yes) => if *yes { "yes" } else { "no" }.to_owned(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => short(text).to_owned(),
        Value::Array(items) => items.iter().map(words).collect::<Vec<_>>().join(" + "),
        // Two names are one identifier: cluster/service.
        Value::Object(fields) if fields.values().all(Value::is_string) => {
            fields.values().map(words).collect::<Vec<_>>().join("/")
        }
        Value::Object(fields) => {
            let fields = fields.iter().filter(|(_, value)| !value.is_null());
            let words =
                fields.map(|(name, value)| format!("{} {}", short(name).replace('_', " "), words(value)));
            format!("({})", words.collect::<Vec<_>>().join(", "))
        }
    }
}

/// An ARN without what the line says already.
fn short(text: &str) -> &str {
    if text.starts_with("arn:") { text.splitn(6, ':').nth(5).unwrap_or(text) } else { text }
}
