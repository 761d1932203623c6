//! DynamoDB's expressions: how they are read, and conditions.
//!
//! What it is for: reading them with their placeholders and testing them on an item, as DynamoDB does.
//! What it must not do: know tables or keys.

use std::cell::RefCell;
use std::cmp::Ordering;
use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use crate::sim::call::Fault;
use crate::sim::world::items::Item;

/// Words that must hide behind `#`; those that somebody might name an attribute.
const RESERVED: &[&str] = &[
    "ACTION",
    "ADD",
    "AGENT",
    "ALL",
    "AND",
    "ANY",
    "AS",
    "ATTRIBUTE",
    "BACKUP",
    "BEGIN",
    "BETWEEN",
    "BY",
    "CLUSTER",
    "COMMENT",
    "CONDITION",
    "CONNECTION",
    "COUNT",
    "COUNTER",
    "DATA",
    "DATE",
    "DELETE",
    "DOMAIN",
    "DURATION",
    "END",
    "EXISTS",
    "FILE",
    "FIRST",
    "FOR",
    "FROM",
    "GROUP",
    "HASH",
    "HOLD",
    "HOUR",
    "IN",
    "INDEX",
    "ITEM",
    "ITEMS",
    "KEY",
    "LAST",
    "LEVEL",
    "LOCATION",
    "LOCK",
    "LOG",
    "MODE",
    "NAME",
    "NOT",
    "NUMBER",
    "OR",
    "ORDER",
    "OWNER",
    "OUTPUT",
    "PATH",
    "PLAN",
    "POSITION",
    "RECORD",
    "RANGE",
    "REGION",
    "ROLE",
    "SEQUENCE",
    "SESSION",
    "SET",
    "SIZE",
    "STATE",
    "STATUS",
    "TIME",
    "TIMESTAMP",
    "TOKEN",
    "TTL",
    "USER",
    "VALUE",
    "VALUES",
];

/// The placeholders of a request, and which of them were used.
#[derive(Debug, Default)]
pub(super) struct Placeholders {
    names: Map<String, Value>,
    values: Map<String, Value>,
    used: RefCell<BTreeSet<String>>,
}

/// A fault about an expression.
pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationException", message)
}

impl Placeholders {
    /// Those of a request.
    pub(super) fn new(names: Map<String, Value>, values: Map<String, Value>) -> Self {
        Self { names, values, used: RefCell::default() }
    }

    pub(super) fn name(&self, token: &str, kind: &str) -> Result<String, Fault> {
        if token.starts_with('#') {
            self.used.borrow_mut().insert(token.to_owned());
            return self.names.get(token).and_then(Value::as_str).map(str::to_owned).ok_or_else(|| {
                invalid(format!(
                    "Invalid {kind}: An expression attribute name used in the document path is not defined; attribute name: {token}"
                ))
            });
        }
        if RESERVED.contains(&token.to_ascii_uppercase().as_str()) {
            return Err(invalid(format!(
                "Invalid {kind}: Attribute name is a reserved keyword; reserved keyword: {token}"
            )));
        }
        Ok(token.to_owned())
    }

    fn value(&self, token: &str, kind: &str) -> Result<Value, Fault> {
        self.used.borrow_mut().insert(token.to_owned());
        self.values.get(token).cloned().ok_or_else(|| {
            invalid(format!(
                "Invalid {kind}: An expression attribute value used in expression is not defined; attribute value: {token}"
            ))
        })
    }

    /// A fault when a placeholder was given and never used.
    pub(super) fn all_used(&self) -> Result<(), Fault> {
        let used = self.used.borrow();
        for (what, given) in [("Names", &self.names), ("Values", &self.values)] {
            if let Some(spare) = given.keys().find(|key| !used.contains(*key)) {
                return Err(invalid(format!(
                    "Value provided in ExpressionAttribute{what} unused in expressions: keys: {{{spare}}}"
                )));
            }
        }
        Ok(())
    }
}

/// Tokens of an expression: words with their sigils, operators, punctuation.
fn tokens(text: &str, kind: &str) -> Result<Vec<String>, Fault> {
    let mut tokens: Vec<String> = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let end = if first.is_alphanumeric() || matches!(first, '#' | ':' | '_') {
            rest.char_indices()
                .skip(1)
                .find(|(_, c)| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '[' | ']')))
                .map_or(rest.len(), |(at, _)| at)
        } else if ["<>", "<=", ">="].iter().any(|two| rest.starts_with(two)) {
            2
        } else if matches!(first, '(' | ')' | ',' | '=' | '<' | '>' | '+' | '-') {
            1
        } else {
            return Err(invalid(format!(
                "Invalid {kind}: Syntax error; token: \"{first}\", near: \"{rest}\""
            )));
        };
        tokens.push(rest[..end].to_owned());
        rest = rest[end..].trim_start();
    }
    Ok(tokens)
}

/// An expression that is being read, and the item it is about.
pub(super) struct Reader<'a> {
    tokens: Vec<String>,
    at: usize,
    kind: &'static str,
    given: &'a Placeholders,
    item: &'a Item,
}

impl<'a> Reader<'a> {
    /// At the beginning of an expression.
    pub(super) fn new(
        text: &str,
        kind: &'static str,
        given: &'a Placeholders,
        item: &'a Item,
    ) -> Result<Self, Fault> {
        Ok(Self { tokens: tokens(text, kind)?, at: 0, kind, given, item })
    }

    /// Passes over a token.
    pub(super) fn skip(&mut self) {
        self.at += 1;
    }
}

/// Whether a condition holds for an item; an absent one is an empty one.
pub(super) fn holds(
    text: &str,
    kind: &'static str,
    given: &Placeholders,
    item: Option<&Item>,
) -> Result<bool, Fault> {
    let empty = Item::new();
    let item = item.unwrap_or(&empty);
    let mut reader = Reader::new(text, kind, given, item)?;
    let result = reader.either()?;
    match reader.peek() {
        None => Ok(result),
        Some(token) => Err(reader.unexpected(token)),
    }
}

impl Reader<'_> {
    pub(super) fn peek(&self) -> Option<&str> {
        self.tokens.get(self.at).map(String::as_str)
    }

    pub(super) fn next(&mut self) -> Result<String, Fault> {
        let token = self
            .tokens
            .get(self.at)
            .cloned()
            .ok_or_else(|| invalid(format!("Invalid {}: Syntax error; token: \"<EOF>\"", self.kind)))?;
        self.at += 1;
        Ok(token)
    }

    pub(super) fn unexpected(&self, token: &str) -> Fault {
        invalid(format!("Invalid {}: Syntax error; token: \"{token}\"", self.kind))
    }

    pub(super) fn word(&mut self, word: &str) -> bool {
        let found = self.peek().is_some_and(|token| token.eq_ignore_ascii_case(word));
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, word: &str) -> Result<(), Fault> {
        let token = self.next()?;
        if token.eq_ignore_ascii_case(word) { Ok(()) } else { Err(self.unexpected(&token)) }
    }

    fn either(&mut self) -> Result<bool, Fault> {
        let mut result = self.both()?;
        while self.word("OR") {
            let other = self.both()?;
            result |= other;
        }
        Ok(result)
    }

    fn both(&mut self) -> Result<bool, Fault> {
        let mut result = self.not()?;
        while self.word("AND") {
            let other = self.not()?;
            result &= other;
        }
        Ok(result)
    }

    fn not(&mut self) -> Result<bool, Fault> {
        if self.word("NOT") { Ok(!self.not()?) } else { self.primary() }
    }

    fn primary(&mut self) -> Result<bool, Fault> {
        if self.word("(") {
            let result = self.either()?;
            self.expect(")")?;
            return Ok(result);
        }
        let function = self.peek().unwrap_or_default().to_owned();
        let called = self.tokens.get(self.at + 1).is_some_and(|token| token == "(");
        if called && function != "size" {
            return self.function(&function);
        }
        let left = self.operand()?;
        if self.word("BETWEEN") {
            let low = self.operand()?;
            self.expect("AND")?;
            let high = self.operand()?;
            return Ok(
                compare(left.as_ref(), ">=", low.as_ref()) && compare(left.as_ref(), "<=", high.as_ref())
            );
        }
        if self.word("IN") {
            self.expect("(")?;
            let mut found = false;
            loop {
                let one = self.operand()?;
                found |= compare(left.as_ref(), "=", one.as_ref());
                if !self.word(",") {
                    break;
                }
            }
            self.expect(")")?;
            return Ok(found);
        }
        let operator = self.next()?;
        if !["=", "<>", "<", "<=", ">", ">="].contains(&operator.as_str()) {
            return Err(self.unexpected(&operator));
        }
        let right = self.operand()?;
        Ok(compare(left.as_ref(), &operator, right.as_ref()))
    }

    fn function(&mut self, name: &str) -> Result<bool, Fault> {
        self.at += 2;
        let path = self.next()?;
        let value = self.path(&path)?;
        let result = match name {
            "attribute_exists" => value.is_some(),
            "attribute_not_exists" => value.is_none(),
            "begins_with" | "contains" | "attribute_type" => {
                self.expect(",")?;
                let other = self.operand()?;
                tested(name, value.as_ref(), other.as_ref())
            }
            _ => {
                return Err(invalid(format!(
                    "Invalid {}: Invalid function name; function: {name}",
                    self.kind
                )));
            }
        };
        self.expect(")")?;
        Ok(result)
    }

    pub(super) fn operand(&mut self) -> Result<Option<Value>, Fault> {
        let token = self.next()?;
        if token.starts_with(':') {
            return self.given.value(&token, self.kind).map(Some);
        }
        if token == "size" && self.word("(") {
            let path = self.next()?;
            let value = self.path(&path)?;
            self.expect(")")?;
            return Ok(value.as_ref().and_then(size).map(|size| json!({"N": size.to_string()})));
        }
        if !token.starts_with(|c: char| c.is_alphabetic() || c == '#' || c == '_') {
            return Err(self.unexpected(&token));
        }
        self.path(&token)
    }

    /// The value at a document path.
    pub(super) fn path(&self, token: &str) -> Result<Option<Value>, Fault> {
        let mut found: Option<&Value> = None;
        for (depth, part) in token.split('.').enumerate() {
            let (name, indexes) = part.split_once('[').map_or((part, ""), |(name, rest)| (name, rest));
            let name = self.given.name(name, self.kind)?;
            found = if depth == 0 {
                self.item.get(&name)
            } else {
                found.and_then(|value| value.get("M")).and_then(|map| map.get(&name))
            };
            for index in indexes.split('[').filter(|index| !index.is_empty()) {
                let index: usize = index.trim_end_matches(']').parse().map_err(|_| self.unexpected(token))?;
                found = found.and_then(|value| value.get("L")).and_then(|list| list.get(index));
            }
        }
        Ok(found.cloned())
    }
}

fn size(value: &Value) -> Option<usize> {
    let (kind, inner) = value.as_object()?.iter().next()?;
    match kind.as_str() {
        "S" => inner.as_str().map(str::len),
        "B" => inner.as_str().map(|text| text.len() / 4 * 3),
        "M" => inner.as_object().map(Map::len),
        _ => inner.as_array().map(Vec::len),
    }
}

/// Functions of two arguments.
fn tested(name: &str, value: Option<&Value>, other: Option<&Value>) -> bool {
    let (Some(value), Some(other)) = (value.and_then(Value::as_object), other) else { return false };
    let Some((kind, inner)) = value.iter().next() else { return false };
    let text = other.get("S").and_then(Value::as_str);
    match name {
        "attribute_type" => text == Some(kind.as_str()),
        "begins_with" => match (inner.as_str(), text) {
            (Some(whole), Some(start)) => kind == "S" && whole.starts_with(start),
            _ => false,
        },
        _ => match (inner, text) {
            (Value::String(whole), Some(part)) => kind == "S" && whole.contains(part),
            (Value::Array(list), _) => {
                let element = other.as_object().and_then(|object| object.values().next());
                list.iter().any(|one| one == other || Some(one) == element)
            }
            _ => false,
        },
    }
}

/// Numbers in order: exact while they are whole, which all counters and times are.
fn numbers(a: &str, b: &str) -> Option<Ordering> {
    match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => Some(a.cmp(&b)),
        _ => a.parse::<f64>().ok()?.partial_cmp(&b.parse::<f64>().ok()?),
    }
}

fn compare(left: Option<&Value>, operator: &str, right: Option<&Value>) -> bool {
    let (Some(left), Some(right)) = (left, right) else {
        // What is not there differs from everything, and is in no order with anything.
        return operator == "<>" && left.is_some() != right.is_some();
    };
    let order = ["N", "S", "B"].iter().find_map(|kind| {
        let (a, b) = (left.get(kind)?.as_str()?, right.get(kind)?.as_str()?);
        if *kind == "N" { numbers(a, b) } else { Some(a.cmp(b)) }
    });
    let same = order.map_or_else(|| left == right, Ordering::is_eq);
    match operator {
        "=" => same,
        "<>" => !same,
        "<" => order.is_some_and(Ordering::is_lt),
        "<=" => order.is_some_and(Ordering::is_le),
        ">" => order.is_some_and(Ordering::is_gt),
        _ => order.is_some_and(Ordering::is_ge),
    }
}
