//! What differs between two plans of the same wish.
//!
//! What it is for: when the world has moved between the dialog and its confirmation, the operator reads what
//! moved and not two plans. What it must not do: compare ages, request ids or the guards' words.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::domain::text::Text;
use crate::runbook::{Force, GuardId, Plan, Step, StepId};

/// What differs, a line each, from `old` to `new`; empty when they would do the same on the same world.
pub fn lines(old: &Plan, new: &Plan) -> Vec<Text> {
    let mut lines = Vec::new();
    let before: BTreeMap<String, Value> = facts(old);
    let after = facts(new);
    let mut learnt = 0;
    for (name, now) in &after {
        match before.get(name).filter(|was| !was.is_null()) {
            Some(_) if now.is_null() => lines.push(format!("{name}: can no longer be read").into()),
            Some(was) => values(name, "", was, now, &mut lines),
            None if now.is_null() => {}
            None => learnt += 1,
        }
    }
    for (name, _) in before.iter().filter(|(name, was)| !was.is_null() && !after.contains_key(*name)) {
        lines.push(format!("{name}: can no longer be read").into());
    }
    let step = |plan: &Plan, id: &StepId| plan.step(id).cloned();
    for step_now in &new.steps {
        match step(old, &step_now.id) {
            None => lines.push(format!("new step: {}", step_now.title).into()),
            Some(was) => steps(&was, step_now, &mut lines),
        }
    }
    for was in old.steps.iter().filter(|was| new.step(&was.id).is_none()) {
        lines.push(format!("no longer a step: {}", was.title).into());
    }
    guards(old, new, &mut lines);
    // What was only learnt is worth a word by what it changed; where it changed nothing, that is the news.
    if lines.is_empty() && learnt > 0 {
        let plural = if learnt == 1 { " is" } else { "s are" };
        lines.push(format!("{learnt} more thing{plural} known now; steps and calls are the same").into());
    }
    lines
}

/// Guards that speak now and did not, or are silent now. Their words hold ages and are not compared.
fn guards(old: &Plan, new: &Plan, lines: &mut Vec<Text>) {
    let said = |plan: &Plan| {
        let mut said: BTreeMap<GuardId, Force> = BTreeMap::new();
        for finding in &plan.findings {
            let force = said.entry(finding.guard).or_insert(finding.force);
            *force = finding.force.max(*force);
        }
        said
    };
    let word = |force: Force| if force == Force::Block { "blocks" } else { "warns" };
    let (before, after) = (said(old), said(new));
    // Arming is the operator's own doing and shown everywhere.
    for (guard, now) in after.iter().filter(|(guard, _)| **guard != GuardId::Armed) {
        if before.get(guard) != Some(now) {
            lines.push(format!("{} {} now", guard.word(), word(*now)).into());
        }
    }
    // That something is fresh again is what a reading is for.
    let expected = [GuardId::Armed, GuardId::Fresh];
    for (guard, was) in before.iter().filter(|(guard, _)| !expected.contains(guard)) {
        if !after.contains_key(guard) {
            lines.push(format!("{} no longer {}", guard.word(), word(*was)).into());
        }
    }
}

fn steps(was: &Step, now: &Step, lines: &mut Vec<Text>) {
    let mut gone: Vec<&Text> = was.changes.iter().filter(|change| !now.changes.contains(change)).collect();
    let mut new: Vec<&Text> = now.changes.iter().filter(|change| !was.changes.contains(change)).collect();
    // `min not known -> 4` that reads `min 2 -> 4` now is learnt, not changed: the same is done.
    gone.retain(|old| {
        let learnt = new.iter().position(|change| is_learnt(old.as_str(), change.as_str()));
        learnt.map(|at| new.remove(at)).is_none()
    });
    lines.extend(gone.iter().map(|change| format!("{}: not {change}", now.title).into()));
    lines.extend(new.iter().map(|change| format!("{}: now {change}", now.title).into()));
    if was.changes == now.changes && was.ways != now.ways {
        lines.push(format!("{}: other calls", now.title).into());
    }
}

/// True when a change whose start was not known does the same now that it is known.
fn is_learnt(old: &str, new: &str) -> bool {
    let Some((label, end)) = old.split_once("not known -> ") else { return false };
    let rest = new.strip_prefix(label).and_then(|rest| rest.split_once(" -> "));
    rest.is_some_and(|(_, to)| to == end)
}

/// What a plan was shaped by, by name, without times.
fn facts(plan: &Plan) -> BTreeMap<String, Value> {
    plan.shaped_by
        .iter()
        .map(|(fact, seen)| {
            let value = serde_json::to_value(seen.value()).unwrap_or(Value::Null);
            // Of `{"is": "service", "value": {…}}` only the value is worth a word.
            let value = value.get("value").cloned().unwrap_or(value);
            (name(&serde_json::to_value(fact).unwrap_or(Value::Null)), value)
        })
        .collect()
}

/// A fact in words: its kind, and what it is about.
fn name(fact: &Value) -> String {
    match fact {
        Value::Object(fields) => {
            join(fields.iter().map(|(kind, about)| format!("{} {}", kind.replace('_', " "), words(about))))
        }
        other => words(other),
    }
}

/// All the words in a value, in their order.
fn words(value: &Value) -> String {
    match value {
        Value::Null => "nothing".to_owned(),
        Value::Bool(yes) => yes.to_string(),
        Value::Number(number) => number.to_string(),
        Value::String(text) => text.clone(),
        Value::Array(parts) => join(parts.iter().map(words)),
        Value::Object(fields) => join(fields.iter().map(|(name, value)| match value {
            // Names of fields inside an identifier tell nothing; the variant's own name does.
            Value::String(text) => text.clone(),
            other => format!("{} {}", name.replace('_', " "), words(other)),
        })),
    }
}

fn join(parts: impl Iterator<Item = String>) -> String {
    parts.filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The leaves that differ, with the way to them.
fn values(name: &str, path: &str, was: &Value, now: &Value, lines: &mut Vec<Text>) {
    match (was, now) {
        (Value::Object(old), Value::Object(new)) => {
            for (field, now) in new {
                let path = format!("{path} {}", field.replace('_', " "));
                values(name, &path, old.get(field).unwrap_or(&Value::Null), now, lines);
            }
        }
        (was, now) if was != now => {
            lines.push(format!("{name}:{path} was {}, is {}", words(was), words(now)).into());
        }
        _ => {}
    }
}
