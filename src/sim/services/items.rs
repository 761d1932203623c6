//! DynamoDB, data plane: the items of the lease table.
//!
//! What it is for: one small real store with conditions, so that two runs can race for a lease.
//! What it must not do: hold the application's own tables, which have no items here.

use serde_json::{Map, Value, json};

use super::JsonResult;
use super::expression::{Placeholders, holds};
use super::updates::update;
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::Input;
use crate::sim::world::World;
use crate::sim::world::fleet::LeaseTable;
use crate::sim::world::items::Item;

type Key = (String, String, String);

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationException", message)
}

fn object(input: &Input, name: &str) -> Map<String, Value> {
    input.value(name).and_then(Value::as_object).cloned().unwrap_or_default()
}

fn given(input: &Input) -> Result<Placeholders, Fault> {
    let values = object(input, "ExpressionAttributeValues");
    let expressions =
        ["ConditionExpression", "UpdateExpression", "KeyConditionExpression", "FilterExpression"];
    if input.has("ExpressionAttributeValues") && !expressions.iter().any(|name| input.has(name)) {
        return Err(invalid(
            "ExpressionAttributeValues can only be specified when using expressions: ConditionExpression is null",
        ));
    }
    if input.has("ExpressionAttributeValues") && values.is_empty() {
        return Err(invalid("ExpressionAttributeValues must not be empty"));
    }
    Ok(Placeholders::new(object(input, "ExpressionAttributeNames"), values))
}

/// Whether a call is about items at all.
pub(super) fn known(operation: &str) -> bool {
    matches!(operation, "GetItem" | "PutItem" | "UpdateItem" | "DeleteItem" | "Query")
}

pub(super) fn answer(world: &World, call: &Call, operation: &str, input: &Input) -> JsonResult {
    let lease = &world.fleet.lease;
    let named = input.text("TableName").unwrap_or_default();
    if call.region != lease.region || named.rsplit('/').next() != Some(lease.name.as_str()) {
        return Err(Fault::sender("ResourceNotFoundException", "Requested resource not found"));
    }
    match operation {
        "GetItem" => get(world, input),
        "PutItem" => put(world, input),
        "UpdateItem" => update_item(world, input),
        "DeleteItem" => delete(world, input),
        _ => query(world, input),
    }
}

/// The primary key among attributes; in a `Key` nothing else may stand.
fn key(lease: &LeaseTable, attributes: &Map<String, Value>, only: bool) -> Result<Key, Fault> {
    let part = |name: &str| -> Result<String, Fault> {
        match attributes.get(name).and_then(|value| value.get("S")).and_then(Value::as_str) {
            Some("") => Err(invalid(format!(
                "One or more parameter values are not valid. The AttributeValue for a key attribute cannot contain an empty string value. Key: {name}"
            ))),
            Some(text) => Ok(text.to_owned()),
            None if only => Err(invalid("The provided key element does not match the schema")),
            None if attributes.contains_key(name) => Err(invalid(format!(
                "One or more parameter values were invalid: Type mismatch for key {name} expected: S actual: other"
            ))),
            None => Err(invalid(format!(
                "One or more parameter values were invalid: Missing the key {name} in the item"
            ))),
        }
    };
    let hash = part(&lease.hash)?;
    let range = lease.range.as_deref().map(part).transpose()?.unwrap_or_default();
    let wanted = 1 + usize::from(lease.range.is_some());
    if only && attributes.len() != wanted {
        return Err(invalid("The provided key element does not match the schema"));
    }
    Ok((lease.name.clone(), hash, range))
}

fn get(world: &World, input: &Input) -> JsonResult {
    let key = key(&world.fleet.lease, &object(input, "Key"), true)?;
    Ok(match world.stores.items.get(&key) {
        Some(item) => json!({"Item": item}),
        None => json!({}),
    })
}

/// A write: tests the condition, then lets `write` say what the item becomes.
fn conditional(
    world: &World,
    input: &Input,
    key: Key,
    write: impl FnOnce(Option<&Item>, &Placeholders) -> Result<Option<Item>, Fault>,
) -> JsonResult {
    let given = given(input)?;
    let condition = input.text("ConditionExpression");
    let returned = input.text("ReturnValues").unwrap_or("NONE");
    world.stores.items.change(key, |before| {
        let passed = match condition {
            Some(text) => holds(text, "ConditionExpression", &given, before)?,
            None => true,
        };
        // Whatever is wrong with the request is said before the condition.
        let after = write(before, &given)?;
        given.all_used()?;
        if !passed {
            let shown = input.text("ReturnValuesOnConditionCheckFailure") == Some("ALL_OLD");
            return Err(refused(before.filter(|_| shown)));
        }
        let body = match (returned, before, &after) {
            ("ALL_OLD", Some(before), _) => json!({"Attributes": before}),
            ("ALL_NEW", _, Some(after)) => json!({"Attributes": after}),
            ("UPDATED_NEW", before, Some(after)) => {
                let changed = |(name, value): &(&String, &Value)| {
                    before.and_then(|item| item.get(*name)) != Some(*value)
                };
                let changed: Map<String, Value> =
                    after.iter().filter(changed).map(|(name, value)| (name.clone(), value.clone())).collect();
                json!({"Attributes": changed})
            }
            _ => json!({}),
        };
        Ok((after, body))
    })
}

/// AWS's refusal, with the item that stood in the way when the caller wants to see it.
fn refused(item: Option<&Item>) -> Fault {
    let fault = Fault::sender("ConditionalCheckFailedException", "The conditional request failed");
    match item {
        Some(item) => fault.with_details(json!({"Item": item})),
        None => fault,
    }
}

fn put(world: &World, input: &Input) -> JsonResult {
    let item = object(input, "Item");
    let key = key(&world.fleet.lease, &item, false)?;
    conditional(world, input, key, |_, _| Ok(Some(item)))
}

fn delete(world: &World, input: &Input) -> JsonResult {
    let key = key(&world.fleet.lease, &object(input, "Key"), true)?;
    conditional(world, input, key, |_, _| Ok(None))
}

fn update_item(world: &World, input: &Input) -> JsonResult {
    let lease = &world.fleet.lease;
    let named = object(input, "Key");
    let key = key(lease, &named, true)?;
    conditional(world, input, key, |before, given| {
        let present = before.cloned().unwrap_or_else(|| named.clone());
        let after = match input.text("UpdateExpression") {
            Some(text) => update(text, given, &present)?,
            None => present.clone(),
        };
        let keys = std::iter::once(&lease.hash).chain(&lease.range);
        if let Some(name) = keys.into_iter().find(|name| after.get(*name) != present.get(*name)) {
            return Err(invalid(format!(
                "One or more parameter values were invalid: Cannot update attribute {name}. This attribute is part of the key"
            )));
        }
        Ok(Some(after))
    })
}

fn query(world: &World, input: &Input) -> JsonResult {
    let lease = &world.fleet.lease;
    let given = given(input)?;
    let text = input.text("KeyConditionExpression").ok_or_else(|| {
        invalid(
            "Either the KeyConditions or KeyConditionExpression parameter must be specified in the request.",
        )
    })?;
    let mut found: Vec<Item> = Vec::new();
    // Also read once when there is no item, so that a wrong expression is always refused.
    holds(text, "KeyConditionExpression", &given, None)?;
    for item in world.stores.items.all(&lease.name) {
        if holds(text, "KeyConditionExpression", &given, Some(&item))? {
            found.push(item);
        }
    }
    if input.value("ScanIndexForward").and_then(Value::as_bool) == Some(false) {
        found.reverse();
    }
    let sort = |item: &Item| {
        let range = lease.range.as_deref().and_then(|name| item.get(name));
        range.and_then(|value| value.get("S")).and_then(Value::as_str).map(str::to_owned)
    };
    if let Some(start) = input.value("ExclusiveStartKey").and_then(Value::as_object) {
        let start = sort(start);
        let after = found.iter().position(|item| sort(item) == start).map_or(0, |at| at + 1);
        found.drain(..after);
    }
    let limit = input.number("Limit").map_or(usize::MAX, |limit| limit.max(1) as usize);
    let more = found.len() > limit;
    found.truncate(limit);
    let last = found.last().cloned();
    let scanned = found.len();
    if let Some(filter) = input.text("FilterExpression") {
        holds(filter, "FilterExpression", &given, None)?;
        let mut kept = Vec::new();
        for item in found {
            if holds(filter, "FilterExpression", &given, Some(&item))? {
                kept.push(item);
            }
        }
        found = kept;
    }
    given.all_used()?;
    let mut body = json!({"Items": found, "Count": found.len(), "ScannedCount": scanned});
    if let Some(last) = last.filter(|_| more) {
        let keys = std::iter::once(&lease.hash).chain(&lease.range);
        let key: Map<String, Value> =
            keys.filter_map(|name| Some((name.clone(), last.get(name)?.clone()))).collect();
        body["LastEvaluatedKey"] = Value::Object(key);
    }
    Ok(body)
}
