//! awsJson 1.0 and 1.1.
//!
//! What it is for: reading a JSON request, writing a JSON answer or error.
//! What it must not do: know any service's shapes.

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::sim::call::{Call, Fault, Reply};

/// The members of a request.
#[derive(Clone, Debug, Default)]
pub struct Input(Map<String, Value>);

/// Reads the body; an empty one is an empty object.
pub fn input(call: &Call) -> Result<Input, Fault> {
    if call.body.is_empty() {
        return Ok(Input::default());
    }
    match serde_json::from_slice(&call.body) {
        Ok(Value::Object(map)) => Ok(Input(map)),
        _ => Err(Fault::sender(
            "SerializationException",
            "Start of structure or map found where not expected.",
        )),
    }
}

impl Input {
    /// A text member; absent and null are the same.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).and_then(Value::as_str)
    }

    /// A number member.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.0.get(name).and_then(Value::as_i64)
    }

    /// A flag; false when absent.
    pub fn flag(&self, name: &str) -> bool {
        self.0.get(name).and_then(Value::as_bool).unwrap_or_default()
    }

    /// A list of texts; empty when absent.
    pub fn texts(&self, name: &str) -> Vec<&str> {
        self.0
            .get(name)
            .and_then(Value::as_array)
            .map(|items| items.iter().filter_map(Value::as_str).collect())
            .unwrap_or_default()
    }

    /// A member as it is; absent and null are the same.
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    /// Whether the member is there.
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !value.is_null())
    }
}

/// An answer.
pub fn reply(version: &str, operation: &str, body: &Value) -> Reply {
    Reply {
        status: 200,
        headers: vec![("content-type", format!("application/x-amz-json-{version}"))],
        body: body.to_string().into_bytes(),
        operation: operation.to_owned(),
        error: None,
    }
}

/// An error: `__type` with the service's shape namespace, and both spellings of the message.
pub fn error(call: &Call, version: &str, operation: &str, fault: &Fault) -> Reply {
    let namespace = match call.service.as_str() {
        "dynamodb" => "com.amazonaws.dynamodb.v20120810#",
        _ => "",
    };
    let kind = format!("{namespace}{}", fault.code);
    let mut body = json!({"__type": kind, "message": fault.message});
    if let (Value::Object(body), Some(Value::Object(details))) = (&mut body, fault.details.as_deref()) {
        body.extend(details.clone());
    }
    Reply {
        status: fault.status,
        headers: vec![
            ("content-type", format!("application/x-amz-json-{version}")),
            ("x-amzn-errortype", fault.code.clone()),
        ],
        body: body.to_string().into_bytes(),
        operation: operation.to_owned(),
        error: Some(fault.code.clone()),
    }
}

/// A time as awsJson writes it: seconds since 1970 with milliseconds.
pub fn time(at: Timestamp) -> Value {
    json!(at.as_millisecond() as f64 / 1_000.0)
}
