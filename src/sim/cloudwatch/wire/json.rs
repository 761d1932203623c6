//! awsJson 1.0: the value tree as JSON, timestamps as epoch seconds.
//!
//! What it is for: clients that speak `X-Amz-Target: GraniteServiceVersion20100801.…`.
//! What it must not do: know an operation.

use serde_json::{Map, Number, Value as Json};

use super::super::value::Value;
use crate::sim::call::Fault;

/// The input of a call. No body is an input without members.
pub(super) fn decode(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::empty());
    }
    match serde_json::from_slice(body).map(from_json) {
        Ok(Some(input @ Value::Struct(_))) => Ok(input),
        Ok(_) => Err(Fault::sender(
            "SerializationException",
            "Start of structure or map found where not expected.",
        )),
        Err(error) => Err(Fault::sender("SerializationException", format!("not JSON: {error}"))),
    }
}

fn from_json(json: Json) -> Option<Value> {
    Some(match json {
        Json::Null => return None,
        Json::Bool(flag) => Value::Bool(flag),
        Json::Number(number) => match number.as_i64() {
            Some(whole) => Value::Int(whole),
            None => Value::Double(number.as_f64()?),
        },
        Json::String(text) => Value::Text(text),
        Json::Array(items) => Value::List(items.into_iter().filter_map(from_json).collect()),
        Json::Object(members) => Value::Struct(
            members
                .into_iter()
                .filter_map(|(name, value)| from_json(value).map(|value| (name, value)))
                .collect(),
        ),
    })
}

/// The body of an output or an error.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    to_json(value).to_string().into_bytes()
}

fn to_json(value: &Value) -> Json {
    match value {
        Value::Bool(flag) => Json::Bool(*flag),
        Value::Int(number) => Json::from(*number),
        Value::Double(number) => number_or_name(*number),
        Value::Text(text) => Json::String(text.clone()),
        Value::Time(time) => number_or_name(time.as_millisecond() as f64 / 1000.0),
        Value::List(items) => Json::Array(items.iter().map(to_json).collect()),
        Value::Struct(members) | Value::Map(members) => Json::Object(
            members.iter().map(|(name, value)| (name.clone(), to_json(value))).collect::<Map<_, _>>(),
        ),
    }
}

/// JSON has no infinities; the protocol names them.
fn number_or_name(number: f64) -> Json {
    Number::from_f64(number).map_or_else(
        || {
            let name = match (number.is_nan(), number > 0.0) {
                (true, _) => "NaN",
                (false, true) => "Infinity",
                (false, false) => "-Infinity",
            };
            Json::String(name.to_owned())
        },
        Json::Number,
    )
}
