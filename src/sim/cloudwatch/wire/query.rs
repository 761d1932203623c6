//! awsQuery: form parameters in, XML out.
//!
//! What it is for: command lines and SDKs from before 2024. What it must not do: know an operation.

use std::collections::BTreeMap;

use jiff::Timestamp;
use quick_xml::escape::escape;

use super::super::value::Value;
use super::Request;
use crate::sim::call::{Call, Fault};

/// XML namespace of every answer.
const NAMESPACE: &str = "http://monitoring.amazonaws.com/doc/2010-08-01/";

/// Reads the form of a POST or the query of a GET.
pub(super) fn read(call: &Call) -> Request {
    let form: &[u8] = if call.body.is_empty() { call.query.as_bytes() } else { &call.body };
    let mut root = Node::default();
    let mut operation = String::new();
    for (name, value) in form_urlencoded::parse(form) {
        match name.as_ref() {
            "Action" => operation = value.into_owned(),
            "Version" => {}
            path => root.insert(path, value.into_owned()),
        }
    }
    let input = if operation.is_empty() {
        Err(Fault::sender("MissingAction", "Missing Action"))
    } else {
        Ok(match root.into_value() {
            value @ Value::Struct(_) => value,
            _ => Value::empty(),
        })
    };
    Request { operation, input }
}

/// The tree that `A.member.1.B=x` spells.
#[derive(Default)]
struct Node {
    text: Option<String>,
    children: BTreeMap<String, Node>,
}

impl Node {
    fn insert(&mut self, path: &str, text: String) {
        let mut node = self;
        // Deeper than any input of the service is dropped, so that a hostile name costs nothing.
        for part in path.splitn(24, '.') {
            node = node.children.entry(part.to_owned()).or_default();
        }
        node.text = Some(text);
    }

    fn into_value(mut self) -> Value {
        if let Some(list) = self.children.remove("member") {
            let mut items: Vec<_> = list
                .children
                .into_iter()
                .filter_map(|(index, node)| index.parse::<u32>().ok().map(|index| (index, node)))
                .collect();
            items.sort_by_key(|(index, _)| *index);
            return Value::List(items.into_iter().map(|(_, node)| node.into_value()).collect());
        }
        if self.children.is_empty() {
            return self.text.map_or_else(Value::empty, Value::Text);
        }
        Value::Struct(self.children.into_iter().map(|(name, node)| (name, node.into_value())).collect())
    }
}

/// An output in its envelope.
pub(super) fn encode(output: &Value, operation: &str, request_id: &str) -> Vec<u8> {
    let mut xml = format!("<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>");
    write(&mut xml, output);
    xml.push_str("</");
    xml.push_str(operation);
    xml.push_str("Result><ResponseMetadata>");
    element(&mut xml, "RequestId", &Value::from(request_id));
    xml.push_str("</ResponseMetadata></");
    xml.push_str(operation);
    xml.push_str("Response>");
    xml.into_bytes()
}

/// A fault in its envelope.
pub(super) fn encode_fault(code: &str, message: &str, sender: bool, request_id: &str) -> Vec<u8> {
    let mut xml = format!("<ErrorResponse xmlns=\"{NAMESPACE}\"><Error>");
    element(&mut xml, "Type", &Value::from(if sender { "Sender" } else { "Receiver" }));
    element(&mut xml, "Code", &Value::from(code));
    element(&mut xml, "Message", &Value::from(message));
    xml.push_str("</Error>");
    element(&mut xml, "RequestId", &Value::from(request_id));
    xml.push_str("</ErrorResponse>");
    xml.into_bytes()
}

fn element(xml: &mut String, name: &str, value: &Value) {
    xml.push('<');
    xml.push_str(name);
    xml.push('>');
    write(xml, value);
    xml.push_str("</");
    xml.push_str(name);
    xml.push('>');
}

fn write(xml: &mut String, value: &Value) {
    match value {
        Value::Bool(flag) => xml.push_str(if *flag { "true" } else { "false" }),
        Value::Int(number) => xml.push_str(&number.to_string()),
        Value::Double(number) => xml.push_str(&number.to_string()),
        Value::Text(text) => xml.push_str(&escape(printable(text).as_str())),
        // To the millisecond, as the other protocols.
        Value::Time(time) => {
            let whole = Timestamp::from_millisecond(time.as_millisecond()).unwrap_or(*time);
            xml.push_str(&whole.to_string());
        }
        Value::List(items) => items.iter().for_each(|item| element(xml, "member", item)),
        Value::Struct(members) => members.iter().for_each(|(name, value)| element(xml, name, value)),
        Value::Map(entries) => {
            for (key, value) in entries {
                xml.push_str("<entry>");
                element(xml, "key", &Value::from(key.as_str()));
                element(xml, "value", value);
                xml.push_str("</entry>");
            }
        }
    }
}

/// XML 1.0 has no way to write most control characters, escaped or not.
fn printable(text: &str) -> String {
    text.chars().map(|c| if c.is_control() && !matches!(c, '\n' | '\t') { '\u{FFFD}' } else { c }).collect()
}
