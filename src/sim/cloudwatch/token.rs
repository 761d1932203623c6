//! Page tokens.
//!
//! What it is for: tokens that hold the whole position, so that the service keeps no state between pages,
//! and that fit only the request they were made for. What it must not do: know what is being paged.

use sha2::{Digest, Sha256};

use super::value::Value;
use crate::sim::call::Fault;

/// Members that may differ from page to page.
const FREE: [&str; 3] = ["NextToken", "MaxDatapoints", "MaxRecords"];

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Position {
    /// How many items the earlier pages held.
    pub(super) offset: usize,
    /// The world's time at the first page, in milliseconds: every page shows the same moment.
    pub(super) asked_at: i64,
}

/// The position that the input's token names; `None` without one.
pub(super) fn read(operation: &str, region: &str, input: &Value) -> Result<Option<Position>, Fault> {
    let Some(token) = input.get("NextToken") else { return Ok(None) };
    let refused = || Fault::sender("InvalidNextToken", "The specified nextToken is invalid.");
    let mut parts = token.as_text().ok_or_else(refused)?.split('.');
    let (print, offset, asked_at) = (parts.next(), parts.next(), parts.next());
    if parts.next().is_some() || print != Some(fingerprint(operation, region, input).as_str()) {
        return Err(refused());
    }
    match (offset.and_then(|text| text.parse().ok()), asked_at.and_then(|text| text.parse().ok())) {
        (Some(offset), Some(asked_at)) => Ok(Some(Position { offset, asked_at })),
        _ => Err(refused()),
    }
}

/// The token of a position.
pub(super) fn write(operation: &str, region: &str, input: &Value, position: Position) -> Value {
    let print = fingerprint(operation, region, input);
    Value::Text(format!("{print}.{}.{}", position.offset, position.asked_at))
}

fn fingerprint(operation: &str, region: &str, input: &Value) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("{operation}\n{region}\n"));
    if let Value::Struct(members) = input {
        let mut members: Vec<_> = members.iter().filter(|(name, _)| !FREE.contains(&name.as_str())).collect();
        members.sort_by(|a, b| a.0.cmp(&b.0));
        hash.update(format!("{members:?}"));
    }
    let print = hash.finalize().iter().take(12).fold(0_u128, |print, byte| print << 8 | u128::from(*byte));
    format!("{print:024x}")
}
