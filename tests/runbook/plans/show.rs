//! A plan as text: every step with its conditions, calls and undo, nothing left out that shapes a run.

use std::fmt::Write as _;

use serde_json::Value;
use switchtower::runbook::{Force, OnFailure, Plan, PlanError, Step};

pub(super) fn outcome(outcome: &Result<Plan, PlanError>) -> String {
    match outcome {
        Ok(plan) => self::plan(plan),
        Err(PlanError::Choose { question, flag, choices, proposed }) => {
            let mut told = format!("choose with {flag}: {question}\n");
            for (choice, why) in choices {
                let mark = if Some(choice) == proposed.as_ref() { " (proposed)" } else { "" };
                let _ = writeln!(told, "  {choice}{mark}: {why}");
            }
            told
        }
        Err(error) => format!("no plan: {error}\n"),
    }
}

fn plan(plan: &Plan) -> String {
    let mut told = format!("{}\ntype {} to confirm\n", plan.summary, plan.confirm);
    told.push_str("\nguards\n");
    for finding in &plan.findings {
        let force = match finding.force {
            Force::Warn => "warn",
            Force::Block if finding.may_override => "block",
            Force::Block => "BLOCK",
        };
        let _ = writeln!(told, "  {force} {}: {}", finding.guard.word(), finding.message);
    }
    told.push_str("\nsteps\n");
    for step in &plan.steps {
        self::step(&mut told, step);
    }
    for (title, lines) in
        [("data at risk", &plan.data_at_risk), ("irreversible", &plan.irreversible), ("notes", &plan.notes)]
    {
        if !lines.is_empty() {
            let _ = writeln!(told, "\n{title}");
        }
        for line in lines {
            let _ = writeln!(told, "  {line}");
        }
    }
    told
}

fn step(told: &mut String, step: &Step) {
    let pass = if step.on_failure == OnFailure::Pass { ", never halts" } else { "" };
    let _ = writeln!(told, "  {}: {} [{} s{pass}]", step.id, step.title, step.timeout.as_secs());
    let after: Vec<&str> = step.after.iter().map(switchtower::runbook::StepId::as_str).collect();
    if !after.is_empty() {
        let _ = writeln!(told, "    after {}", after.join(", "));
    }
    let precondition = data(&serde_json::to_value(&step.precondition).unwrap());
    if precondition != "always" {
        let _ = writeln!(told, "    when {precondition}");
    }
    for way in &step.ways {
        if let Some(method) = way.method {
            let _ = writeln!(told, "    by {} for {} s", method.word(), way.patience.as_secs());
        }
        for call in &way.calls {
            let _ = writeln!(told, "      do {}", data(&serde_json::to_value(call).unwrap()));
        }
        for call in &way.undo {
            let _ = writeln!(told, "      undo {}", data(&serde_json::to_value(call).unwrap()));
        }
        if way.verify != step.verify {
            let _ = writeln!(told, "      until {}", data(&serde_json::to_value(&way.verify).unwrap()));
        }
    }
    let _ = writeln!(told, "    until {}", data(&serde_json::to_value(&step.verify).unwrap()));
    for change in &step.changes {
        let _ = writeln!(told, "    changes {change}");
    }
}

/// Tagged data as `name(key value, …)`; ARNs by their last part, target groups left out.
fn data(value: &Value) -> String {
    match value {
        Value::String(text) => match text.strip_prefix("arn:") {
            Some(arn) => arn.rsplit(':').next().unwrap_or(arn).to_owned(),
            None => text.clone(),
        },
        Value::Array(items) => items.iter().map(data).collect::<Vec<_>>().join(" + "),
        Value::Object(fields) => {
            let tag = ["condition", "operation"].into_iter().find_map(|tag| fields.get(tag));
            let rest: Vec<String> = fields
                .iter()
                .filter(|(key, value)| {
                    !["condition", "operation", "groups"].contains(&key.as_str()) && !value.is_null()
                })
                .map(|(key, value)| match value {
                    Value::Object(_) if key == "record" => record(value),
                    _ => format!("{key} {}", data(value)),
                })
                .collect();
            match tag {
                Some(tag) if rest.is_empty() => data(tag),
                Some(tag) => format!("{}({})", data(tag), rest.join(", ")),
                None => format!("{{{}}}", rest.join(", ")),
            }
        }
        other => other.to_string(),
    }
}

fn record(set: &Value) -> String {
    let part = |key: &str| set[key].as_str().unwrap_or_default().to_owned();
    format!("{} {} ({})", part("name"), part("record_type"), part("set_identifier"))
}
