//! Reading an operation's input: types, required members, limits.
//!
//! What it is for: AWS's own words and codes for what is wrong with an input, written once.
//! What it must not do: know an operation.

use jiff::Timestamp;

use super::value::Value;
use crate::sim::call::Fault;

/// Which family of codes an operation answers a bad input with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// `ValidationError`: GetMetricData, alarms.
    Validation,
    /// `InvalidParameterValue`, `MissingParameter`: GetMetricStatistics, ListMetrics.
    Parameter,
}

/// An input and how to complain about it.
#[derive(Clone, Copy)]
pub(super) struct Input<'a> {
    value: &'a Value,
    style: Style,
}

impl<'a> Input<'a> {
    /// The input of an operation.
    pub(super) fn new(value: &'a Value, style: Style) -> Self {
        Self { value, style }
    }

    /// The raw member.
    pub(super) fn get(&self, name: &str) -> Option<&'a Value> {
        self.value.get(name)
    }

    /// A fault about a value, in the operation's code.
    pub(super) fn invalid(&self, message: impl Into<String>) -> Fault {
        let code = match self.style {
            Style::Validation => "ValidationError",
            Style::Parameter => "InvalidParameterValue",
        };
        Fault::sender(code, message)
    }

    /// The fault about a member that is not there.
    pub(super) fn missing(&self, name: &str) -> Fault {
        let code = match self.style {
            Style::Validation => "ValidationError",
            Style::Parameter => "MissingParameter",
        };
        Fault::sender(code, format!("The parameter {name} is required."))
    }

    fn wrong_type(name: &str, expected: &str) -> Fault {
        Fault::sender("SerializationException", format!("{name}: expected {expected}"))
    }

    /// A string of `min..=max` characters.
    pub(super) fn text(&self, name: &str, max: usize) -> Result<Option<&'a str>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let text = value.as_text().ok_or_else(|| Self::wrong_type(name, "a string"))?;
        match text.chars().count() {
            0 => Err(self.constraint(name, text, "Member must have length greater than or equal to 1")),
            n if n > max => {
                let rule = format!("Member must have length less than or equal to {max}");
                Err(self.constraint(name, text, &rule))
            }
            _ => Ok(Some(text)),
        }
    }

    /// A string that must be there.
    pub(super) fn required_text(&self, name: &str, max: usize) -> Result<&'a str, Fault> {
        self.text(name, max)?.ok_or_else(|| self.missing(name))
    }

    /// A string out of a closed list.
    pub(super) fn one_of(&self, name: &str, allowed: &[&str]) -> Result<Option<&'a str>, Fault> {
        match self.text(name, 255)? {
            Some(text) if !allowed.contains(&text) => {
                let rule = format!("Member must satisfy enum value set: [{}]", allowed.join(", "));
                Err(self.constraint(name, text, &rule))
            }
            known => Ok(known),
        }
    }

    /// A whole number within bounds.
    pub(super) fn int(&self, name: &str, min: i64, max: i64) -> Result<Option<i64>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        let number = value.as_int().ok_or_else(|| Self::wrong_type(name, "an integer"))?;
        let bound = match number {
            n if n < min => format!("greater than or equal to {min}"),
            n if n > max => format!("less than or equal to {max}"),
            _ => return Ok(Some(number)),
        };
        Err(self.constraint(name, &number.to_string(), &format!("Member must have value {bound}")))
    }

    /// A boolean.
    pub(super) fn flag(&self, name: &str) -> Result<Option<bool>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_bool().map(Some).ok_or_else(|| Self::wrong_type(name, "a boolean"))
    }

    /// A moment.
    pub(super) fn time(&self, name: &str) -> Result<Option<Timestamp>, Fault> {
        let Some(value) = self.get(name) else { return Ok(None) };
        value.as_time().map(Some).ok_or_else(|| Self::wrong_type(name, "a timestamp"))
    }

    /// A moment that must be there.
    pub(super) fn required_time(&self, name: &str) -> Result<Timestamp, Fault> {
        self.time(name)?.ok_or_else(|| self.missing(name))
    }

    /// A list of at most `max` elements; empty when absent.
    pub(super) fn list(&self, name: &str, max: usize) -> Result<&'a [Value], Fault> {
        let Some(value) = self.get(name) else { return Ok(&[]) };
        let items = value.as_list().ok_or_else(|| Self::wrong_type(name, "a list"))?;
        if items.len() > max {
            return Err(
                self.invalid(format!("The collection {name} must not have a size greater than {max}."))
            );
        }
        Ok(items)
    }

    /// A list of strings.
    pub(super) fn texts(&self, name: &str, max: usize) -> Result<Vec<&'a str>, Fault> {
        self.list(name, max)?
            .iter()
            .map(|item| item.as_text().ok_or_else(|| Self::wrong_type(name, "strings")))
            .collect()
    }

    /// Dimensions with a value each.
    pub(super) fn dimensions(&self, name: &str) -> Result<Vec<(String, String)>, Fault> {
        self.list(name, 30)?
            .iter()
            .map(|item| {
                let dimension = Self::new(item, self.style);
                let key = dimension.required_text("Name", 255)?;
                let value = dimension.required_text("Value", 1024)?;
                Ok((key.to_owned(), value.to_owned()))
            })
            .collect()
    }

    /// A namespace, which may not begin with a colon.
    pub(super) fn namespace(&self) -> Result<Option<&'a str>, Fault> {
        match self.text("Namespace", 255)? {
            Some(text) if text.starts_with(':') => Err(self.constraint(
                "Namespace",
                text,
                "Member must satisfy regular expression pattern: [^:].*",
            )),
            known => Ok(known),
        }
    }

    /// AWS's sentence for a broken constraint of the model.
    fn constraint(&self, name: &str, value: &str, rule: &str) -> Fault {
        let mut member = name.to_owned();
        if let Some(first) = member.get_mut(..1) {
            first.make_ascii_lowercase();
        }
        self.invalid(format!(
            "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {rule}"
        ))
    }
}
