//! The value tree between the three protocols and the operations.
//!
//! What it is for: one shape of inputs and outputs, so that an operation is written once.
//! What it must not do: know an operation, or which protocol a value came from.

use jiff::Timestamp;

/// A value of the service's model.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Value {
    /// A boolean.
    Bool(bool),
    /// An integer.
    Int(i64),
    /// A double; CBOR writes it as a float even when it is whole.
    Double(f64),
    /// A string. The Query protocol decodes everything as this.
    Text(String),
    /// A timestamp.
    Time(Timestamp),
    /// A list.
    List(Vec<Value>),
    /// A structure.
    Struct(Vec<(String, Value)>),
    /// A map with keys of the caller's; differs from a structure in XML only.
    Map(Vec<(String, Value)>),
}

impl Value {
    /// A structure with no members.
    pub(super) const fn empty() -> Self {
        Self::Struct(Vec::new())
    }

    /// A structure of the members that are there.
    pub(super) fn structure(members: impl IntoIterator<Item = (&'static str, Option<Value>)>) -> Self {
        Self::Struct(
            members
                .into_iter()
                .filter_map(|(name, value)| value.map(|value| (name.to_owned(), value)))
                .collect(),
        )
    }

    /// A list of strings.
    pub(super) fn texts<S: AsRef<str>>(items: &[S]) -> Self {
        Self::List(items.iter().map(|item| Self::Text(item.as_ref().to_owned())).collect())
    }

    /// A member of a structure; an absent one and a null one are the same.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        match self {
            Self::Struct(members) | Self::Map(members) => {
                members.iter().find(|(key, _)| key == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// The elements of a list. Query writes an empty list as an empty string.
    pub(super) fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            Self::Text(text) if text.is_empty() => Some(&[]),
            _ => None,
        }
    }

    /// A string.
    pub(super) fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    /// A whole number, from any protocol.
    pub(super) fn as_int(&self) -> Option<i64> {
        match self {
            Self::Int(number) => Some(*number),
            Self::Double(number) if number.fract() == 0.0 && number.abs() < 9e15 => Some(*number as i64),
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    /// A boolean, from any protocol.
    pub(super) fn as_bool(&self) -> Option<bool> {
        match self {
            Self::Bool(flag) => Some(*flag),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// A moment: tagged in CBOR, epoch seconds in JSON, ISO 8601 in Query.
    pub(super) fn as_time(&self) -> Option<Timestamp> {
        match self {
            Self::Time(time) => Some(*time),
            Self::Int(seconds) => Timestamp::from_second(*seconds).ok(),
            Self::Double(seconds) => from_epoch(*seconds),
            Self::Text(text) => parse_time(text.trim()),
            _ => None,
        }
    }
}

/// A moment from seconds since 1970, to the millisecond.
pub(super) fn from_epoch(seconds: f64) -> Option<Timestamp> {
    (seconds.is_finite() && seconds.abs() < 1e12)
        .then(|| Timestamp::from_millisecond((seconds * 1000.0).round() as i64).ok())
        .flatten()
}

/// ISO 8601 with an offset, without one (then UTC), or epoch seconds.
fn parse_time(text: &str) -> Option<Timestamp> {
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| format!("{text}Z").parse().ok())
        .or_else(|| format!("{text}T00:00:00Z").parse().ok())
        .or_else(|| text.parse::<f64>().ok().and_then(from_epoch))
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<bool> for Value {
    fn from(flag: bool) -> Self {
        Self::Bool(flag)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Int(number)
    }
}

impl From<f64> for Value {
    fn from(number: f64) -> Self {
        Self::Double(number)
    }
}

impl From<Timestamp> for Value {
    fn from(time: Timestamp) -> Self {
        Self::Time(time)
    }
}
