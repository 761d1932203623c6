//! awsQuery: a form in, XML out.
//!
//! What it is for: reading parameters and `member.N` lists, writing `<OpResponse><OpResult>`.
//! What it must not do: know any service's shapes.

use std::collections::BTreeMap;

use super::xml::Xml;
use crate::sim::call::{Call, Fault, Reply};

/// The parameters of a call.
#[derive(Clone, Debug, Default)]
pub struct Params(BTreeMap<String, String>);

/// Reads the form in the body, or in the query of a GET.
pub fn params(call: &Call) -> Params {
    let source = if call.body.is_empty() { call.query.as_bytes() } else { &call.body[..] };
    Params(form_urlencoded::parse(source).into_owned().collect())
}

impl Params {
    /// A parameter; an empty one counts as absent.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A number; absent when it is none.
    pub fn number(&self, name: &str) -> Option<i64> {
        self.text(name).and_then(|value| value.parse().ok())
    }

    /// The list `PREFIX.1`, `PREFIX.2`…, in order.
    pub fn list(&self, prefix: &str) -> Vec<&str> {
        (1..).map_while(|index| self.0.get(&format!("{prefix}.{index}")).map(String::as_str)).collect()
    }

    /// `Filters` as RDS writes them: names with their values.
    pub fn filters(&self) -> Vec<(&str, Vec<&str>)> {
        (1..)
            .map_while(|index| {
                let prefix = format!("Filters.Filter.{index}");
                let name = self.0.get(&format!("{prefix}.Name"))?;
                Some((name.as_str(), self.list(&format!("{prefix}.Values.Value"))))
            })
            .collect()
    }
}

/// An answer; `result` is what stands inside `<OpResult>`.
pub fn reply(call: &Call, namespace: &str, operation: &str, result: &Xml) -> Reply {
    let body = format!(
        "<{operation}Response xmlns=\"{namespace}\"><{operation}Result>{}</{operation}Result>\
         <ResponseMetadata><RequestId>{}</RequestId></ResponseMetadata></{operation}Response>",
        result.as_str(),
        call.request_id,
    );
    Reply {
        status: 200,
        headers: vec![("content-type", "text/xml".into())],
        body: body.into_bytes(),
        operation: operation.to_owned(),
        error: None,
    }
}

/// An answer of EC2: the members lie in the response itself.
pub fn plain(call: &Call, namespace: &str, operation: &str, result: &Xml) -> Reply {
    let body = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<{operation}Response xmlns=\"{namespace}\">\
         <requestId>{}</requestId>{}</{operation}Response>",
        call.request_id,
        result.as_str(),
    );
    Reply {
        status: 200,
        headers: vec![("content-type", "text/xml;charset=UTF-8".into())],
        body: body.into_bytes(),
        operation: operation.to_owned(),
        error: None,
    }
}

/// One page of `items`: which part of the list, and the marker of the next page. Markers are what AWS
/// says they are: opaque; one that this world never gave is a fault.
pub fn page<'a, T>(
    items: &'a [T],
    marker: Option<&str>,
    size: usize,
    bad_marker: impl FnOnce() -> Fault,
) -> Result<(&'a [T], Option<String>), Fault> {
    let start = match marker {
        None => 0,
        Some(text) => text
            .strip_prefix("page-")
            .and_then(|n| n.parse::<usize>().ok())
            .filter(|start| *start <= items.len())
            .ok_or_else(bad_marker)?,
    };
    let end = items.len().min(start + size);
    let next = (end < items.len()).then(|| format!("page-{end}"));
    Ok((&items[start..end], next))
}
