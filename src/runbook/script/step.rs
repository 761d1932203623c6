//! One step of a script.
//!
//! What it is for: what an operator reads before a change, the change, and how to see that it worked.
//! What it must not do: try a second way by itself; which way is next is read as a comment.

use super::Script;
use super::check::{Check, checks};
use crate::domain::Topology;
use crate::runbook::condition::{Condition, time};
use crate::runbook::operation::{FailureDomain, Operation, RecordAction};
use crate::runbook::plan::{OnFailure, Plan, Step, Way};
use crate::runbook::print::{aws, comment, exact, quoted, record_query};

/// What is said before a call that cannot be undone.
const FOR_GOOD: &str =
    "NOTHING BRINGS THIS BACK. Send it once; after a time-out, look before sending it again.";

pub(super) fn uses_routing_controls(plan: &Plan) -> bool {
    fn names(condition: &Condition) -> bool {
        match condition {
            Condition::All { of } | Condition::Any { of } => of.iter().any(names),
            Condition::RoutingControls { .. } => true,
            _ => false,
        }
    }
    plan.operations().any(|operation| matches!(operation, Operation::SetRoutingControls { .. }))
        || plan.steps.iter().any(|step| names(&step.verify) || names(&step.precondition))
}

pub(super) fn write(out: &mut Script, plan: &Plan, index: usize, step: &Step, topology: &Topology) {
    let place = format!("{} of {}", index + 1, plan.steps.len());
    out.blank();
    out.note(&format!("---- {place}: {} ({}) ----", step.title, step.id));
    about(out, plan, step);
    let name = comment(&format!("{place}, {}", step.title));
    out.raw(&format!("begin {}", quoted(&name)));
    let passes = step.on_failure == OnFailure::Pass;
    let verify = checks(&step.verify, topology);
    // Where the step is proven by any of its ways, the one that the script takes is what it can look at by itself.
    let own = step.ways.first().map(|way| checks(&way.verify, topology)).unwrap_or_default();
    let shown = commands(&verify).or_else(|| commands(&own)).unwrap_or_default();
    if let Some((first, others)) = step.ways.split_first().filter(|(first, _)| !first.calls.is_empty()) {
        act(out, step, first, &shown, passes, topology);
        for way in others {
            out.note(&format!("If that cannot be done, {}:", leaning(way)));
            for call in &way.calls {
                out.note(&format!("  {}", written(call, topology)));
                hints(out, call, topology);
            }
        }
    } else {
        before(out, "", step, passes, topology);
    }
    match verify.as_slice() {
        [Check::Look { words, hints }] if !shown.is_empty() => {
            seen(out, words, hints, &shown, step, passes);
        }
        all => all.iter().for_each(|check| after(out, check, step, passes)),
    }
    for way in &step.ways {
        undo(out, way, step.ways.len() > 1, topology);
    }
}

fn about(out: &mut Script, plan: &Plan, step: &Step) {
    let domains: Vec<String> = step.domains().iter().map(domain).collect();
    out.note(&format!("leans on    {}", domains.join("; ")));
    let number = |id| plan.steps.iter().position(|step| &step.id == id).map(|at| (at + 1).to_string());
    let after: Vec<String> = step.after.iter().filter_map(number).collect();
    if !after.is_empty() {
        out.note(&format!("after step  {}", after.join(", ")));
    }
    for change in &step.changes {
        out.note(&format!("changes     {change}"));
    }
    if step.precondition != Condition::Always {
        out.note(&format!("before it   {}", step.precondition.sentence()));
    }
    out.note(&format!("done when   {}", step.verify.sentence()));
    let usual = format!("usually {}, ", time(step.expected()));
    out.note(&format!("takes       {usual}at most {}", time(step.timeout)));
    if step.on_failure == OnFailure::Pass {
        out.note("failing     is said and passed");
    }
}

fn domain(domain: &FailureDomain) -> String {
    match domain {
        FailureDomain::DataPlane => "ARC's endpoints, a data plane in five regions".to_owned(),
        FailureDomain::Regional(region) => format!("the API of {region}"),
        FailureDomain::Global => "Route 53's API, which lives in us-east-1".to_owned(),
        FailureDomain::None => "nothing, it calls nothing".to_owned(),
    }
}

/// What has to be so right before. A step that passes when it fails is not worth stopping for.
fn before(out: &mut Script, indent: &str, step: &Step, passes: bool, topology: &Topology) {
    for check in checks(&step.precondition, topology) {
        match check {
            Check::Command { words, line } if passes => {
                out.raw(&format!(
                    "{indent}is_so {line} || say {}",
                    quoted(&format!("not shown: {}", comment(&words)))
                ));
            }
            Check::Command { words, line } => {
                out.raw(&format!("{indent}must {} {line}", quoted(&comment(&words))));
            }
            Check::Wait { words, .. } => out.note(&format!("before it: {words}")),
            Check::Look { words, hints } => {
                for hint in hints {
                    out.note(&format!("to see it: {hint}"));
                }
                out.raw(&format!("{indent}look {}", quoted(&comment(&words))));
            }
        }
    }
}

/// The checks as commands, with their words; `None` where one of them is for a person's eyes, or there is none.
fn commands(checks: &[Check]) -> Option<Vec<(&str, &str)>> {
    let each = checks.iter().map(|check| match check {
        Check::Command { words, line } => Some((words.as_str(), line.as_str())),
        Check::Wait { .. } | Check::Look { .. } => None,
    });
    each.collect::<Option<Vec<_>>>().filter(|lines| !lines.is_empty())
}

/// What any of the ways may have brought about: a person is asked, who may have gone another way than the script's; without
/// one it is the script's own that must show.
fn seen(out: &mut Script, words: &str, hints: &[String], shown: &[(&str, &str)], step: &Step, passes: bool) {
    for hint in hints {
        out.note(&format!("to see it: {hint}"));
    }
    out.raw("if [ -t 0 ]; then");
    out.raw(&format!("  look {}", quoted(&comment(words))));
    out.raw("else");
    for (words, line) in shown {
        out.raw(&format!("  {}", held(words, line, step, passes)));
    }
    out.raw("fi");
}

/// The line that waits until a command prints `true`.
fn held(words: &str, line: &str, step: &Step, passes: bool) -> String {
    let end = if passes { "say 'it is passed'" } else { "exit 5" };
    format!("holds {} {} {line} || {end}", quoted(&comment(words)), step.timeout.as_secs())
}

/// The change, unless it is made already: a script that was stopped can be run again from its beginning.
fn act(out: &mut Script, step: &Step, way: &Way, shown: &[(&str, &str)], passes: bool, topology: &Topology) {
    if let Some(method) = way.method {
        out.note(&format!("method      {}", method.word()));
    }
    for call in &way.calls {
        hints(out, call, topology);
    }
    let indent = if shown.is_empty() { "" } else { "  " };
    if !shown.is_empty() {
        let held: Vec<String> = shown.iter().map(|(_, line)| format!("is_so {line}")).collect();
        out.raw(&format!("if {}; then", held.join(" &&\n  ")));
        out.raw("  say 'it is so already'");
        out.raw("else");
    }
    before(out, indent, step, passes, topology);
    out.raw(&format!("{indent}if confirm {}; then", quoted(&comment(step.title.as_str()))));
    let lines: Vec<String> = way.calls.iter().map(|call| written(call, topology)).collect();
    if passes {
        // A failing command in the middle of a list does not end the shell.
        out.raw(&format!("{indent}  {} ||", lines.join(&format!(" &&\n{indent}  "))));
        out.raw(&format!("{indent}  say 'it failed, and is passed'"));
    } else {
        for line in lines {
            out.raw(&format!("{indent}  {line}"));
        }
    }
    out.raw(&format!("{indent}fi"));
    if !shown.is_empty() {
        out.raw("fi");
    }
}

fn after(out: &mut Script, check: &Check, step: &Step, passes: bool) {
    match check {
        Check::Command { words, line } => out.raw(&held(words, line, step, passes)),
        Check::Wait { words, seconds } => {
            out.raw(&format!("say {}", quoted(&comment(&format!("waiting: {words}")))));
            out.raw(&format!("sleep {seconds}"));
        }
        Check::Look { words, hints } => {
            for hint in hints {
                out.note(&format!("to see it: {hint}"));
            }
            out.raw(&format!("look {}", quoted(&comment(words))));
        }
    }
}

/// What AWS may say to the call, and what helps then.
fn hints(out: &mut Script, call: &Operation, topology: &Topology) {
    match call {
        Operation::SetHealthCheck { check, .. } => {
            out.note(
                "If AWS says HealthCheckVersionMismatch, somebody changed the check since. Its version now:",
            );
            let line = aws("route53", "get-health-check")
                .option("health-check-id", check.as_str())
                .option("query", "HealthCheck.HealthCheckVersion")
                .end();
            out.note(&format!("  {line}"));
        }
        Operation::ChangeRecords { .. } if as_they_stand(call, topology).is_some() => {
            out.note("It deletes the sets as they stand in the zone, which a deletion must match in every value. The plan knew:");
            out.note(&format!("  {}", call.cli_at(topology)));
        }
        Operation::ChangeRecords { zone, changes, .. } => {
            for change in changes {
                if change.action == RecordAction::Delete {
                    out.note("A deletion must match in every value: compare the record with the zone first.");
                } else if !exact(&change.record) {
                    out.note(
                        "This policy cannot be written exactly here; compare with the set as it stands:",
                    );
                    let list = aws("route53", "list-resource-record-sets")
                        .at(None, topology.scope("dns").profile.as_deref())
                        .option("hosted-zone-id", zone.as_str())
                        .option("output", "json");
                    let list = match record_query(&change.record) {
                        Some(query) => list.option("query", &query),
                        None => list,
                    };
                    out.note(&format!("  {}", list.end()));
                }
            }
        }
        Operation::FailoverGlobalCluster { region, .. } => {
            out.note(FOR_GOOD);
            out.note("Then ask here, and in the region that is left, whether the old primary was kept from writing;");
            out.note(
                "\"timed out\", or no answer at all, is a possible split brain: it may still take writes.",
            );
            let events = aws("rds", "describe-events")
                .at(Some(region), topology.scope(region.as_str()).profile.as_deref())
                .option("duration", "60")
                .option("query", "Events[?contains(Message, 'block writes')].[Date, Message]");
            out.note(&format!("  {}", events.end()));
        }
        Operation::RemoveFromGlobalCluster { .. } => out.note(FOR_GOOD),
        Operation::SwitchoverGlobalCluster { .. } => {
            out.note("Send it once; after a time-out, look before sending it again.");
        }
        _ => {}
    }
}

fn undo(out: &mut Script, way: &Way, several: bool, topology: &Topology) {
    if way.calls.is_empty() {
        return;
    }
    let of = if several { format!(" of {}", leaning(way)) } else { String::new() };
    if way.undo.is_empty() {
        out.note(&format!("undo{of}: nothing brings it back"));
        return;
    }
    out.note(&format!("undo{of}:"));
    for call in &way.undo {
        out.note(&format!("  {}", call.cli_at(topology)));
        if matches!(call, Operation::SetHealthCheck { .. }) {
            out.note(
                "  (each change raises the version by one: put the present one in, or leave the option out)",
            );
        }
    }
}

/// A way, named by its method and what it leans on.
fn leaning(way: &Way) -> String {
    let on = way.calls.first().map(|call| domain(&call.domain())).unwrap_or_default();
    match way.method {
        Some(method) => format!("{} ({on})", method.word()),
        None => on,
    }
}

/// The line that the script runs. ARC's goes through the function that tries its endpoints.
fn written(call: &Operation, topology: &Topology) -> String {
    match call {
        Operation::SetRoutingControls { .. } => call.cli_through("arc", topology),
        _ => as_they_stand(call, topology).unwrap_or_else(|| call.cli_at(topology)),
    }
}

/// A line that deletes record sets as the zone has them, found by name, type and set identifier, in one transaction.
/// What a plan holds of a set may lack what a deletion must match. `None` for anything else than deletions, and where a
/// name cannot be asked for in one line.
fn as_they_stand(call: &Operation, topology: &Topology) -> Option<String> {
    let Operation::ChangeRecords { zone, changes, .. } = call else { return None };
    let mut wanted = Vec::new();
    for change in changes {
        let query = record_query(&change.record).filter(|_| change.action == RecordAction::Delete)?;
        wanted.push(format!("({})", query.strip_prefix("ResourceRecordSets[?")?.strip_suffix(']')?));
    }
    let sets = format!("ResourceRecordSets[?{}]", wanted.join(" || "));
    let batch = format!(r#"{{Changes: {sets}.{{Action: `"DELETE"`, ResourceRecordSet: @}}}}"#);
    let profile = topology.scope("dns").profile;
    let of_zone = |command: &str| {
        aws("route53", command).at(None, profile.as_deref()).option("hosted-zone-id", zone.as_str())
    };
    let list = of_zone("list-resource-record-sets").option("output", "json").option("query", &batch).end();
    Some(format!("{} --change-batch \"$({list})\"", of_zone("change-resource-record-sets").end()))
}
