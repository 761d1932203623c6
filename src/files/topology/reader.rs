//! Walking a parsed TOML document while noting where everything stood and what was wrong.
//!
//! What it is for: typed access to keys that never stops at the first error, and the positions with which
//! later checks point back into the file.
//! What it must not do: know any key by name (that is `schema`).

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::de::value::{Error as ValueError, StrDeserializer};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::{Problem, VERSION};
use crate::domain::ids::{
    AccountId, AlarmName, Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId, HealthCheckId,
    HostName, Region, ServiceName, TableName, ZoneId,
};
use crate::domain::text::Text;
use crate::domain::topology::{EvacuationMethod, FrontDoor, LoadBalancerKind, OnEvacuate, RoutingPolicy};

/// The state of one reading.
pub(super) struct Reader<'t> {
    text: &'t str,
    spans: BTreeMap<String, Range<usize>>,
    broken: BTreeSet<String>,
    problems: Vec<(usize, Problem)>,
}

/// One table of the document, its path, and the keys that were asked for.
pub(super) struct View<'d, 'i> {
    path: String,
    span: Range<usize>,
    table: &'d DeTable<'i>,
    known: Vec<&'static str>,
}

/// Which keys an evacuation switch has.
#[derive(Clone, Copy, Debug, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum SwitchKind {
    /// A bucket and a key.
    Object,
    /// A namespace and a metric's name.
    Metric,
}

/// A value that one TOML value can hold.
pub(super) trait FromToml: Sized {
    /// What is expected, as it completes "must be …".
    const EXPECTED: &'static str;

    /// The value, or words that replace "must be EXPECTED, not TYPE" when there are better ones.
    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>>;

    /// Stands in for a value that is missing or wrong, so that reading goes on to the next error.
    fn stand_in() -> Self;
}

impl<'t> Reader<'t> {
    pub(super) fn new(text: &'t str) -> Self {
        Self { text, spans: BTreeMap::new(), broken: BTreeSet::new(), problems: Vec::new() }
    }

    /// The whole document.
    pub(super) fn root<'d, 'i>(&mut self, document: &'d Spanned<DeTable<'i>>) -> View<'d, 'i> {
        self.spans.insert(String::new(), 0..0);
        View { path: String::new(), span: 0..0, table: document.get_ref(), known: Vec::new() }
    }

    /// A value that must be there.
    pub(super) fn required<T: FromToml>(&mut self, view: &mut View<'_, '_>, key: &'static str) -> T {
        if let Some(value) = self.optional(view, key) {
            return value;
        }
        let path = view.child(key);
        if !self.broken.contains(&path) {
            self.report(path, view.span.start, format!("is missing; add `{key} = …`, {}", T::EXPECTED));
        }
        T::stand_in()
    }

    /// A value that may be absent.
    pub(super) fn optional<T: FromToml>(&mut self, view: &mut View<'_, '_>, key: &'static str) -> Option<T> {
        view.known.push(key);
        let value = view.table.get(key)?;
        let path = view.child(key);
        self.value(path, value)
    }

    /// A value with a default.
    pub(super) fn or<T: FromToml>(&mut self, view: &mut View<'_, '_>, key: &'static str, default: T) -> T {
        self.optional(view, key).unwrap_or(default)
    }

    /// A list of values; absent is empty.
    pub(super) fn list<T: FromToml>(&mut self, view: &mut View<'_, '_>, key: &'static str) -> Vec<T> {
        view.known.push(key);
        let Some(value) = view.table.get(key) else { return Vec::new() };
        let path = view.child(key);
        self.spans.insert(path.clone(), value.span());
        let Some(array) = value.get_ref().as_array() else {
            let found = described(value.get_ref());
            self.report(path, value.span().start, format!("must be a list in [ ], not {found}"));
            return Vec::new();
        };
        let mut values = Vec::new();
        for (index, value) in array.iter().enumerate() {
            values.push(self.value(format!("{path}[{index}]"), value).unwrap_or_else(T::stand_in));
        }
        values
    }

    /// A table; absent is `None`.
    pub(super) fn table<'d, 'i>(
        &mut self,
        view: &mut View<'d, 'i>,
        key: &'static str,
    ) -> Option<View<'d, 'i>> {
        view.known.push(key);
        let value = view.table.get(key)?;
        self.as_table(view.child(key), value)
    }

    /// A table whose keys are names: each with its own table.
    pub(super) fn named_tables<'d, 'i>(
        &mut self,
        view: &mut View<'d, 'i>,
        key: &'static str,
    ) -> Vec<(String, View<'d, 'i>)> {
        let Some(parent) = self.table(view, key) else { return Vec::new() };
        let mut tables = Vec::new();
        for (name, value) in parent.table {
            let name = name.get_ref().as_ref();
            if let Some(table) = self.as_table(format!("{}.{name}", parent.path), value) {
                tables.push((name.to_owned(), table));
            }
        }
        tables
    }

    /// An array of tables, `[[key]]`; absent is empty.
    pub(super) fn tables<'d, 'i>(&mut self, view: &mut View<'d, 'i>, key: &'static str) -> Vec<View<'d, 'i>> {
        view.known.push(key);
        let Some(value) = view.table.get(key) else { return Vec::new() };
        let path = view.child(key);
        let Some(array) = value.get_ref().as_array() else {
            let found = described(value.get_ref());
            let place = value.span().start;
            self.report(
                path.clone(),
                place,
                format!("must be written `[[{}]]`, not {found}", view.header(key)),
            );
            return Vec::new();
        };
        let entries = array.iter().enumerate();
        entries.filter_map(|(index, value)| self.as_table(format!("{path}[{index}]"), value)).collect()
    }

    /// Reports keys that nobody asked for.
    pub(super) fn close(&mut self, view: &View<'_, '_>) {
        for key in view.table.keys() {
            let name = key.get_ref().as_ref();
            if view.known.contains(&name) {
                continue;
            }
            let advice = match nearest(name, &view.known) {
                Some(near) => format!("is not a key here; did you mean `{near}`?"),
                None => format!("is not a key here; known are {}", view.known.join(", ")),
            };
            self.report(view.child(name), key.span().start, advice);
        }
    }

    /// Takes a problem that `check` found and gives it its line; dropped where reading already failed.
    pub(super) fn semantic(&mut self, problem: Problem) {
        let broken = |path: &str| {
            self.broken.iter().any(|broken| broken == path || broken.starts_with(&format!("{path}[")))
        };
        if broken(&problem.path) {
            return;
        }
        let mut place = problem.path.as_str();
        let span = loop {
            if let Some(span) = self.spans.get(place) {
                break span.start;
            }
            place = place.rfind(['.', '[']).map_or("", |cut| &place[..cut]);
        };
        self.push(span, &problem.path, problem.message);
    }

    /// Everything found, in the order of the text.
    pub(super) fn finish(mut self) -> Vec<Problem> {
        self.problems.sort_by_key(|(place, _)| *place);
        self.problems.into_iter().map(|(_, problem)| problem).collect()
    }

    /// The only problem that is worth saying when the version is not ours.
    pub(super) fn version_problem(self, version: u32) -> Vec<Problem> {
        if self.broken.contains("version") {
            return self.finish().into_iter().filter(|problem| problem.path == "version").collect();
        }
        let place = self.spans.get("version").map_or(0, |span| span.start);
        let advice = if version > VERSION {
            "update switchtower, or write the file anew with `switchtower init`"
        } else {
            "write `version = 1`"
        };
        vec![Problem {
            path: "version".into(),
            line: Some(line_of(self.text, place)),
            message: format!("version {version} is not known, only {VERSION} is; {advice}").into(),
        }]
    }

    fn value<T: FromToml>(&mut self, path: String, value: &Spanned<DeValue<'_>>) -> Option<T> {
        self.spans.insert(path.clone(), value.span());
        match T::from_toml(value.get_ref()) {
            Ok(value) => Some(value),
            Err(words) => {
                let words = words.unwrap_or_else(|| {
                    format!("must be {}, not {}", T::EXPECTED, described(value.get_ref()))
                });
                self.report(path, value.span().start, words);
                None
            }
        }
    }

    fn as_table<'d, 'i>(&mut self, path: String, value: &'d Spanned<DeValue<'i>>) -> Option<View<'d, 'i>> {
        self.spans.insert(path.clone(), value.span());
        match value.get_ref() {
            DeValue::Table(table) => Some(View { path, span: value.span(), table, known: Vec::new() }),
            other => {
                self.report(path, value.span().start, format!("must be a table, not {}", described(other)));
                None
            }
        }
    }

    fn report(&mut self, path: String, place: usize, message: String) {
        self.push(place, &path, message.into());
        self.broken.insert(path);
    }

    fn push(&mut self, place: usize, path: &str, message: Text) {
        let line = Some(line_of(self.text, place));
        let path = crate::domain::text::clean(path).as_ref().to_owned();
        self.problems.push((place, Problem { path, line, message }));
    }
}

impl View<'_, '_> {
    fn child(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_owned() } else { [&self.path, ".", key].concat() }
    }

    /// The path as a TOML header has it: without indices.
    fn header(&self, key: &str) -> String {
        let path = self.child(key);
        let mut header = String::new();
        let mut inside = false;
        for c in path.chars() {
            match c {
                '[' => inside = true,
                ']' => inside = false,
                c if !inside => header.push(c),
                _ => {}
            }
        }
        header
    }
}

/// The line, counted from 1, in which byte `place` of `text` stands.
pub(super) fn line_of(text: &str, place: usize) -> usize {
    let place = place.min(text.len());
    text.as_bytes()[..place].split(|byte| *byte == b'\n').count()
}

fn described(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) if text.chars().count() <= 40 => format!("the text \"{text}\""),
        DeValue::String(_) => "text".into(),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(value) => format!("{value}"),
        DeValue::Datetime(_) => "a date".into(),
        DeValue::Array(_) => "a list".into(),
        DeValue::Table(_) => "a table".into(),
    }
}

/// The known key that a misspelt one most likely means: at most two edits away, or one in the other.
fn nearest(name: &str, known: &[&'static str]) -> Option<&'static str> {
    let near = known.iter().map(|key| (distance(name, key), *key)).min()?;
    let contained =
        || known.iter().copied().find(|key| name.len() >= 3 && (key.contains(name) || name.contains(key)));
    if near.0 <= 2 { Some(near.1) } else { contained() }
}

fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(row[j + 1] + 1);
        }
    }
    row[b.len()]
}

macro_rules! from_string {
    ($($kind:ident $expected:literal),+ $(,)?) => {$(
        impl FromToml for $kind {
            const EXPECTED: &'static str = $expected;
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
                value.as_str().map(|text| Self::from(text)).ok_or(None)
            }
            fn stand_in() -> Self {
                Self::from("")
            }
        }
    )+};
}

from_string! {
    String "text in quotes",
    Text "text in quotes",
    Region "a region such as \"eu-west-1\"",
    AccountId "an account of twelve digits, in quotes",
    Arn "an ARN in quotes",
    ZoneId "a hosted zone id in quotes",
    HealthCheckId "a health check id in quotes",
    HostName "a DNS name in quotes",
    ClusterName "a cluster's name in quotes",
    ServiceName "a service's name in quotes",
    TableName "a table's name in quotes",
    GlobalClusterId "a global cluster's identifier in quotes",
    DbClusterId "a cluster's identifier in quotes",
    BucketName "a bucket's name in quotes",
    AlarmName "an alarm's name in quotes",
}

macro_rules! from_word {
    ($($kind:ident $expected:literal $stand_in:expr),+ $(,)?) => {$(
        impl FromToml for $kind {
            const EXPECTED: &'static str = $expected;
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
                let text = value.as_str().ok_or(None)?;
                word(text).ok_or_else(|| Some(format!("\"{text}\" is not known; write {}", $expected)))
            }
            fn stand_in() -> Self {
                $stand_in
            }
        }
    )+};
}

from_word! {
    RoutingPolicy "simple, latency, geolocation, geoproximity, weighted, failover, multivalue or ip_based"
        RoutingPolicy::Simple,
    FrontDoor "load_balancer, cloudfront, global_accelerator or unknown" FrontDoor::Unknown,
    LoadBalancerKind "application or network" LoadBalancerKind::Application,
    EvacuationMethod "routing-control, switch-object, switch-metric, health-check or record"
        EvacuationMethod::HealthCheck,
    OnEvacuate "keep or stop" OnEvacuate::Stop,
    SwitchKind "object or metric" SwitchKind::Object,
}

fn word<T: DeserializeOwned>(text: &str) -> Option<T> {
    T::deserialize(StrDeserializer::<ValueError>::new(text)).ok()
}

macro_rules! from_whole_number {
    ($($kind:ident),+) => {$(
        impl FromToml for $kind {
            const EXPECTED: &'static str = "a whole number, 0 or more";
            fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
                let number = value.as_integer().ok_or(None)?;
                $kind::from_str_radix(number.as_str(), number.radix()).map_err(|_| None)
            }
            fn stand_in() -> Self {
                1
            }
        }
    )+};
}

from_whole_number!(u32, u64);

impl FromToml for f64 {
    const EXPECTED: &'static str = "a number";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        if let Some(number) = value.as_integer() {
            let whole = i64::from_str_radix(number.as_str(), number.radix()).map_err(|_| None)?;
            return Ok(whole as Self);
        }
        value.as_float().and_then(|number| number.as_str().parse().ok()).ok_or(None)
    }

    fn stand_in() -> Self {
        1.0
    }
}

impl FromToml for bool {
    const EXPECTED: &'static str = "true or false";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        value.as_bool().ok_or(None)
    }

    fn stand_in() -> Self {
        false
    }
}

impl FromToml for SocketAddr {
    const EXPECTED: &'static str =
        "an address with a port, such as \"192.0.2.53:53\" or \"[2001:db8::53]:53\"";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = value.as_str().ok_or(None)?;
        text.parse().map_err(|_| Some(format!("\"{text}\" is no server; write {}", Self::EXPECTED)))
    }

    fn stand_in() -> Self {
        Self::from(([127, 0, 0, 1], 53))
    }
}

impl FromToml for Timestamp {
    const EXPECTED: &'static str = "a moment such as \"2026-12-24T00:00:00Z\"";

    fn from_toml(value: &DeValue<'_>) -> Result<Self, Option<String>> {
        let text = match value {
            DeValue::String(text) => text.to_string(),
            DeValue::Datetime(moment) => moment.to_string(),
            _ => return Err(None),
        };
        text.parse()
            .map_err(|_| Some(format!("\"{text}\" is no moment with a time zone; write {}", Self::EXPECTED)))
    }

    fn stand_in() -> Self {
        Self::UNIX_EPOCH
    }
}
