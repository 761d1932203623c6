//! Reading scenario files, so that a key which nobody knows is an error and not a scenario without it.
//!
//! What it is for: `[[effect]]` tables, whose keys depend on their `kind`; every error names file, line and key.
//! What it must not do: know any kind of effect by name; [`Effect`] itself says what it takes.

use std::collections::BTreeMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor};
use toml::{Spanned, Value};

use super::{Effect, Scenario, Timed};

/// What is wrong with a scenario file.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScenarioError {
    /// The file, as it was named.
    pub file: String,
    /// The line, counted from 1; `None` for the file as a whole.
    pub line: Option<usize>,
    /// `effect[0].fraction`; empty for the file as a whole.
    pub key: String,
    /// What is wrong.
    pub message: String,
    /// Where the line starts, until it is counted.
    offset: Option<usize>,
}

impl std::error::Error for ScenarioError {}

impl fmt::Display for ScenarioError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        if !self.key.is_empty() {
            write!(f, ": {}", self.key)?;
        }
        write!(f, ": {}", self.message)
    }
}

impl de::Error for ScenarioError {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self { message: message.to_string(), ..Self::default() }
    }
}

impl From<toml::de::Error> for ScenarioError {
    fn from(error: toml::de::Error) -> Self {
        let offset = error.span().map(|span| span.start);
        Self { message: error.message().replace('\n', ", "), offset, ..Self::default() }
    }
}

impl ScenarioError {
    /// The same at a key; what is already more exact stays.
    fn at(mut self, key: &Spanned<String>) -> Self {
        if self.key.is_empty() {
            self.key.clone_from(key.get_ref());
            self.offset = Some(key.span().start);
        }
        self
    }
}

/// The file as TOML has it.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Raw {
    name: String,
    description: String,
    #[serde(default = "super::first")]
    region: String,
    #[serde(default)]
    lead_seconds: i64,
    #[serde(default)]
    effect: Vec<Spanned<Keys>>,
}

type Keys = BTreeMap<Spanned<String>, Value>;

/// Reads the text of the file `file`.
pub(super) fn read(file: &str, text: &str) -> Result<Scenario, ScenarioError> {
    let read = || -> Result<Scenario, ScenarioError> {
        let raw: Raw = toml::from_str(text)?;
        let mut effects = Vec::new();
        for (index, table) in raw.effect.into_iter().enumerate() {
            let start = table.span().start;
            effects.push(timed(table.into_inner()).map_err(|mut error| {
                let dot = if error.key.is_empty() { "" } else { "." };
                error.key = format!("effect[{index}]{dot}{}", error.key);
                error.offset = error.offset.or(Some(start));
                error
            })?);
        }
        let Raw { name, description, region, lead_seconds, .. } = raw;
        Ok(Scenario { name, description, region, lead_seconds, effects })
    };
    read().map_err(|mut error| {
        file.clone_into(&mut error.file);
        let before = error.offset.and_then(|offset| text.get(..offset));
        error.line = before.map(|before| before.matches('\n').count() + 1);
        error
    })
}

fn timed(mut keys: Keys) -> Result<Timed, ScenarioError> {
    let at = take(&mut keys, "at")?.unwrap_or_default();
    let until = take(&mut keys, "until")?;
    let place = take(&mut keys, "where")?.unwrap_or_else(super::here);
    let Some(kind) = take::<String>(&mut keys, "kind")? else {
        return Err(de::Error::custom("has no `kind`"));
    };
    let effect = Effect::deserialize(de::value::EnumAccessDeserializer::new(Kind { kind, keys }))?;
    Ok(Timed { at, until, place, effect })
}

/// A key that every effect has.
fn take<T: de::DeserializeOwned>(keys: &mut Keys, name: &str) -> Result<Option<T>, ScenarioError> {
    let Some(key) = keys.keys().find(|key| key.get_ref() == name).cloned() else { return Ok(None) };
    let Some(value) = keys.remove(&key) else { return Ok(None) };
    T::deserialize(value).map(Some).map_err(|error| ScenarioError::from(error).at(&key))
}

/// An effect's kind, and its keys beside those that every effect has.
struct Kind {
    kind: String,
    keys: Keys,
}

impl Kind {
    fn known(&self, fields: &[&str]) -> Result<(), ScenarioError> {
        let Some(key) = self.keys.keys().find(|key| !fields.contains(&key.get_ref().as_str())) else {
            return Ok(());
        };
        let fields: Vec<&str> = ["at", "until", "where"].iter().chain(fields).copied().collect();
        let message = format!("is not a key of {}; there are {}", self.kind, fields.join(", "));
        Err(ScenarioError { message, ..ScenarioError::default() }.at(key))
    }
}

impl<'de> EnumAccess<'de> for Kind {
    type Error = ScenarioError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), ScenarioError> {
        let kind: de::value::StrDeserializer<'_, ScenarioError> = self.kind.as_str().into_deserializer();
        Ok((seed.deserialize(kind)?, self))
    }
}

impl<'de> VariantAccess<'de> for Kind {
    type Error = ScenarioError;

    fn unit_variant(self) -> Result<(), ScenarioError> {
        self.known(&[])
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, ScenarioError> {
        self.known(fields)?;
        visitor.visit_map(Pairs { rest: self.keys.into_iter(), value: None })
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, _: T) -> Result<T::Value, ScenarioError> {
        Err(de::Error::custom("is an effect that no file can hold"))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, ScenarioError> {
        Err(de::Error::custom("is an effect that no file can hold"))
    }
}

/// Keys and values one after the other; an error in a value names its key.
struct Pairs {
    rest: std::collections::btree_map::IntoIter<Spanned<String>, Value>,
    value: Option<(Spanned<String>, Value)>,
}

impl<'de> MapAccess<'de> for Pairs {
    type Error = ScenarioError;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, ScenarioError> {
        self.value = self.rest.next();
        let Some((key, _)) = &self.value else { return Ok(None) };
        let name: de::value::StrDeserializer<'_, ScenarioError> = key.get_ref().as_str().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, ScenarioError> {
        let Some((key, value)) = self.value.take() else {
            return Err(de::Error::custom("a value without a key"));
        };
        seed.deserialize(value).map_err(|error| ScenarioError::from(error).at(&key))
    }
}
