//! Smithy RPC v2 CBOR: the value tree as CBOR.
//!
//! What it is for: reading and writing what the current SDKs send and expect: doubles as 64-bit floats,
//! timestamps under tag 1, never an empty body. What it must not do: know an operation.

use minicbor::data::{IanaTag, Tag, Type};
use minicbor::{Decoder, Encoder};

use super::super::value::{Value, from_epoch};
use crate::sim::call::Fault;

/// How deep an input may nest; GetMetricData needs seven.
const DEPTH: usize = 32;

type Written = Result<(), minicbor::encode::Error<std::convert::Infallible>>;

/// The input of a call. No body is an input without members.
pub(super) fn decode(body: &[u8]) -> Result<Value, Fault> {
    if body.is_empty() {
        return Ok(Value::empty());
    }
    let malformed =
        |error: &dyn std::fmt::Display| Fault::sender("SerializationException", format!("not CBOR: {error}"));
    let mut decoder = Decoder::new(body);
    let value = read(&mut decoder, DEPTH).map_err(|error| malformed(&error))?;
    match value {
        Some(input @ Value::Struct(_)) if decoder.position() == body.len() => Ok(input),
        _ => Err(malformed(&"expected one map")),
    }
}

fn read(decoder: &mut Decoder<'_>, depth: usize) -> Result<Option<Value>, minicbor::decode::Error> {
    let Some(depth) = depth.checked_sub(1) else {
        return Err(minicbor::decode::Error::message("nested too deeply"));
    };
    Ok(Some(match decoder.datatype()? {
        Type::Bool => Value::Bool(decoder.bool()?),
        Type::Null => {
            decoder.null()?;
            return Ok(None);
        }
        Type::Undefined => {
            decoder.undefined()?;
            return Ok(None);
        }
        Type::U8 | Type::U16 | Type::U32 | Type::U64 | Type::I8 | Type::I16 | Type::I32 | Type::I64 => {
            Value::Int(decoder.i64()?)
        }
        Type::F16 | Type::F32 | Type::F64 => Value::Double(decoder.f64()?),
        Type::String | Type::StringIndef => Value::Text(text(decoder)?),
        Type::Tag => {
            if decoder.tag()? != Tag::from(IanaTag::Timestamp) {
                return Err(minicbor::decode::Error::message("unexpected tag"));
            }
            let seconds = match read(decoder, depth)? {
                Some(Value::Int(seconds)) => seconds as f64,
                Some(Value::Double(seconds)) => seconds,
                _ => return Err(minicbor::decode::Error::message("expected a number under tag 1")),
            };
            let time = from_epoch(seconds)
                .ok_or_else(|| minicbor::decode::Error::message("timestamp out of range"))?;
            Value::Time(time)
        }
        Type::Array | Type::ArrayIndef => {
            let length = decoder.array()?;
            let mut items = Vec::new();
            while more(decoder, length, items.len())? {
                // A sparse list's null is dropped: no list of this service may hold one.
                items.extend(read(decoder, depth)?);
            }
            Value::List(items)
        }
        Type::Map | Type::MapIndef => {
            let length = decoder.map()?;
            let mut members = Vec::new();
            let mut seen = 0;
            while more(decoder, length, seen)? {
                seen += 1;
                let name = text(decoder)?;
                if let Some(value) = read(decoder, depth)? {
                    members.push((name, value));
                }
            }
            Value::Struct(members)
        }
        other => return Err(minicbor::decode::Error::type_mismatch(other)),
    }))
}

/// True when another element follows; takes the break of an indefinite one.
fn more(
    decoder: &mut Decoder<'_>,
    length: Option<u64>,
    seen: usize,
) -> Result<bool, minicbor::decode::Error> {
    if let Some(length) = length {
        return Ok((seen as u64) < length);
    }
    if decoder.datatype()? == Type::Break {
        decoder.skip()?;
        return Ok(false);
    }
    Ok(true)
}

fn text(decoder: &mut Decoder<'_>) -> Result<String, minicbor::decode::Error> {
    let mut whole = String::new();
    for part in decoder.str_iter()? {
        whole.push_str(part?);
    }
    Ok(whole)
}

/// The body of an output or an error.
pub(super) fn encode(value: &Value) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    // Writing into a vector cannot fail: its error type has no value.
    let _infallible: Written = write(&mut encoder, value);
    encoder.into_writer()
}

fn write(encoder: &mut Encoder<Vec<u8>>, value: &Value) -> Written {
    match value {
        Value::Bool(flag) => encoder.bool(*flag)?.ok(),
        Value::Int(number) => encoder.i64(*number)?.ok(),
        Value::Double(number) => encoder.f64(*number)?.ok(),
        Value::Text(text) => encoder.str(text)?.ok(),
        Value::Time(time) => {
            encoder.tag(IanaTag::Timestamp)?.f64(time.as_millisecond() as f64 / 1000.0)?.ok()
        }
        Value::List(items) => {
            encoder.array(items.len() as u64)?;
            items.iter().try_for_each(|item| write(encoder, item))
        }
        Value::Struct(members) | Value::Map(members) => {
            encoder.map(members.len() as u64)?;
            members.iter().try_for_each(|(name, value)| {
                encoder.str(name)?;
                write(encoder, value)
            })
        }
    }
}
