//! DynamoDB's expressions: updates.
//!
//! What it is for: SET, REMOVE, ADD and DELETE on whole attributes of an item, as DynamoDB does them.
//! What it must not do: know tables or keys.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::expression::{Placeholders, Reader, invalid};
use crate::sim::call::Fault;
use crate::sim::world::items::Item;

/// Applies an update to an item. All values are those from before it.
pub(super) fn update(text: &str, given: &Placeholders, before: &Item) -> Result<Item, Fault> {
    const KIND: &str = "UpdateExpression";
    let mut reader = Reader::new(text, KIND, given, before)?;
    let mut after = before.clone();
    let mut seen = BTreeSet::new();
    while let Some(clause) = reader.peek().map(str::to_ascii_uppercase) {
        if !["SET", "REMOVE", "ADD", "DELETE"].contains(&clause.as_str()) {
            return Err(reader.unexpected(&clause));
        }
        if !seen.insert(clause.clone()) {
            return Err(invalid(format!(
                "Invalid {KIND}: The \"{clause}\" section can only be used once in an update expression;"
            )));
        }
        reader.skip();
        loop {
            let token = reader.next()?;
            if token.contains(['.', '[']) {
                return Err(invalid(format!(
                    "Invalid {KIND}: this simulation updates whole attributes only"
                )));
            }
            let name = given.name(&token, KIND)?;
            match clause.as_str() {
                "SET" => {
                    reader.expect("=")?;
                    let value = assigned(&mut reader)?;
                    after.insert(name, value);
                }
                "REMOVE" => {
                    after.remove(&name);
                }
                _ => {
                    let value = reader.operand()?.unwrap_or_default();
                    let present = before.get(&name);
                    match gathered(&clause, present, &value)? {
                        Some(value) => after.insert(name, value),
                        None => after.remove(&name),
                    };
                }
            }
            if !reader.word(",") {
                break;
            }
        }
    }
    Ok(after)
}

/// The right side of a SET.
fn assigned(reader: &mut Reader<'_>) -> Result<Value, Fault> {
    let mut value = term(reader)?;
    while let Some(sign) = reader.peek().filter(|token| matches!(*token, "+" | "-")).map(str::to_owned) {
        reader.skip();
        let other = term(reader)?;
        value = sum(&value, &other, sign == "-")?;
    }
    Ok(value)
}

fn term(reader: &mut Reader<'_>) -> Result<Value, Fault> {
    let missing =
        || invalid("The provided expression refers to an attribute that does not exist in the item");
    if reader.word("if_not_exists") {
        reader.expect("(")?;
        let path = reader.next()?;
        let present = reader.path(&path)?;
        reader.expect(",")?;
        let other = term(reader)?;
        reader.expect(")")?;
        return Ok(present.unwrap_or(other));
    }
    if reader.word("list_append") {
        reader.expect("(")?;
        let first = term(reader)?;
        reader.expect(",")?;
        let second = term(reader)?;
        reader.expect(")")?;
        let list = |value: &Value| value.get("L").and_then(Value::as_array).cloned();
        return match (list(&first), list(&second)) {
            (Some(mut list), Some(more)) => {
                list.extend(more);
                Ok(json!({"L": list}))
            }
            _ => Err(invalid("Invalid UpdateExpression: Incorrect operand type for operator or function")),
        };
    }
    reader.operand()?.ok_or_else(missing)
}

fn sum(a: &Value, b: &Value, minus: bool) -> Result<Value, Fault> {
    let number = |value: &Value| value.get("N").and_then(Value::as_str).map(str::to_owned);
    let (Some(a), Some(b)) = (number(a), number(b)) else {
        return Err(invalid("An operand in the update expression has an incorrect data type"));
    };
    let total = match (a.parse::<i128>(), b.parse::<i128>()) {
        (Ok(a), Ok(b)) => (if minus { a - b } else { a + b }).to_string(),
        _ => {
            let (a, b) = (a.parse::<f64>().unwrap_or_default(), b.parse::<f64>().unwrap_or_default());
            (if minus { a - b } else { a + b }).to_string()
        }
    };
    Ok(json!({"N": total}))
}

/// What ADD and DELETE make of an attribute; `None` when nothing is left of it.
fn gathered(clause: &str, present: Option<&Value>, value: &Value) -> Result<Option<Value>, Fault> {
    if clause == "ADD" && value.get("N").is_some() {
        let zero = json!({"N": "0"});
        return sum(present.unwrap_or(&zero), value, false).map(Some);
    }
    let Some((kind, given)) =
        ["SS", "NS", "BS"].iter().find_map(|kind| Some((*kind, value.get(kind)?.as_array()?)))
    else {
        return Err(invalid("Invalid UpdateExpression: Incorrect operand type for operator or function"));
    };
    let mut set =
        present.and_then(|value| value.get(kind)).and_then(Value::as_array).cloned().unwrap_or_default();
    set.retain(|one| !given.contains(one));
    if clause == "ADD" {
        set.extend(given.iter().cloned());
    }
    Ok((!set.is_empty()).then(|| json!({ kind: set })))
}
