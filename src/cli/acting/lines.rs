//! Plans and events as lines.
//!
//! What it is for: what `plan`, `run` and `runs` print for people; each event one line that `grep` finds.
//! What it must not do: leave anything out of a plan that the operator confirms.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::time::Duration;

use jiff::Timestamp;

use crate::app::acting::estimate as reckon;
use crate::domain::text::Text;
use crate::runbook::catalog;
use crate::runbook::print::quoted;
use crate::runbook::situation::words;
use crate::runbook::{
    ActFailure, Entry, Event, FailureDomain, Force, Judgement, LeaseOutcome, Measured, OnFailure, Outcome,
    Plan, RegionSample, Step, StepId,
};
use crate::ui::format;

/// A plan, whole, for reading before it is confirmed.
pub(super) fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_plan(&mut out, plan);
    out
}

fn write_plan(out: &mut String, plan: &Plan) -> std::fmt::Result {
    writeln!(out, "{} {}  ({}, plan {})", plan.runbook, target(plan), plan.application, plan.digest())?;
    writeln!(out, "{}", plan.summary)?;
    section(out, "Guards", &guards(plan))?;
    section(out, "Data at risk", &plan.data_at_risk)?;
    section(out, "What nothing brings back", &plan.irreversible)?;
    section(out, "Good to know", &plan.notes)?;
    writeln!(out, "\nSteps ({})", whole(plan))?;
    for (number, step) in plan.steps.iter().enumerate() {
        write_step(out, number + 1, step)?;
    }
    let run = format!(
        "switchtower run {}{} --confirm {} --reason TEXT",
        plan.runbook,
        plan.params.command_line(),
        quoted(plan.confirm.as_str())
    );
    let mut blocks = catalog::blocking(&plan.findings).peekable();
    let (blocked, covered) = (blocks.peek().is_some(), blocks.all(|finding| finding.may_override));
    match (blocked, covered) {
        (false, _) => writeln!(out, "\nNothing has been changed. To carry it out:\n  {run}"),
        (true, true) => writeln!(
            out,
            "\nNothing has been changed, and the guards block it. To carry it out all the same:\n  {run} --override"
        ),
        (true, false) => writeln!(out, "\nNothing has been changed, and the guards block it."),
    }
}

/// An entry as one line of JSON, with the name of its shape.
pub(super) fn json(entry: &Entry) -> Option<String> {
    // An entry is an object. Flattened into another one it would be written by a second copy of all its code.
    let entry = serde_json::to_string(entry).ok()?;
    Some(format!("{{\"schema\":\"switchtower.event/1\",{}", entry.strip_prefix('{')?))
}

fn target(plan: &Plan) -> String {
    match (&plan.params.region, &plan.params.to) {
        (Some(region), Some(to)) => format!("{region} -> {to}"),
        (Some(region), None) => region.to_string(),
        (None, _) if plan.runbook.as_str() == "cleanup" => "everything".to_owned(),
        (None, _) => plan.confirm.to_string(),
    }
}

fn guards(plan: &Plan) -> Vec<String> {
    let each = plan.findings.iter().map(|finding| {
        let force = match finding.force {
            Force::Block if finding.may_override => "BLOCKS (a reason may override it)",
            Force::Block => "BLOCKS",
            Force::Warn => "warns",
        };
        let next =
            if finding.next_step.is_empty() { String::new() } else { format!("; {}", finding.next_step) };
        format!("{} {force}: {}{next}", finding.guard.word(), finding.message)
    });
    let lines: Vec<String> = each.collect();
    if lines.is_empty() { vec!["all pass".to_owned()] } else { lines }
}

fn section<T: std::fmt::Display>(out: &mut String, title: &str, lines: &[T]) -> std::fmt::Result {
    if lines.is_empty() {
        return Ok(());
    }
    writeln!(out, "\n{title}")?;
    lines.iter().try_for_each(|line| writeln!(out, "  {line}"))
}

fn write_step(out: &mut String, number: usize, step: &Step) -> std::fmt::Result {
    let after: Vec<&str> = step.after.iter().map(crate::runbook::plan::StepId::as_str).collect();
    let after = if after.is_empty() { String::new() } else { format!(", after {}", after.join(", ")) };
    let passes = if step.on_failure == OnFailure::Pass { ", passed when it fails" } else { "" };
    let usual = usual(step);
    writeln!(
        out,
        "  {number}. {}  [{}{after}, {usual}, at most {} s{passes}]",
        step.title,
        step.id,
        step.timeout.as_secs()
    )?;
    for change in &step.changes {
        writeln!(out, "       {change}")?;
    }
    for (index, way) in step.ways.iter().enumerate() {
        let method = way.method.map_or_else(String::new, |method| format!(" by {}", method.word()));
        if step.ways.len() > 1 {
            writeln!(out, "       way {}{method}, {} s", index + 1, way.patience.as_secs())?;
        }
        for call in &way.calls {
            writeln!(out, "       {}  ({})", call.cli(), domain(&call.domain()))?;
        }
        if way.undo.is_empty() && !way.calls.is_empty() {
            writeln!(out, "       no undo")?;
        }
        for call in &way.undo {
            writeln!(out, "       undo: {}", call.sentence())?;
        }
    }
    Ok(())
}

fn domain(domain: &FailureDomain) -> String {
    match domain {
        FailureDomain::DataPlane => "data plane".to_owned(),
        FailureDomain::Regional(region) => format!("control plane of {region}"),
        FailureDomain::Global => "control plane of Route 53, us-east-1".to_owned(),
        FailureDomain::None => "nothing is called".to_owned(),
    }
}

/// How long a step usually takes, and how many past runs say so; without any it is a typical time.
fn usual(step: &Step) -> String {
    let seconds = step.expected().as_secs();
    match step.measured {
        Some(Measured { runs: 1, .. }) => format!("usually {seconds} s (one past run)"),
        Some(Measured { runs, .. }) => format!("usually {seconds} s ({runs} past runs)"),
        None => format!("usually ~{seconds} s"),
    }
}

/// How long the whole plan takes: the longest chain of its steps.
fn whole(plan: &Plan) -> String {
    let estimate = reckon::of(plan);
    let (likely, most) = (format::span(estimate.likely), format::span(estimate.most));
    let basis = reckon::basis(plan).unwrap_or_else(|| "typical; no past run tells".to_owned());
    let word = if estimate.measured { "about " } else { "usually ~" };
    format!("{word}{likely}, at most {most}; {basis}")
}

/// A run line by line, with how long its steps have taken and usually take.
#[derive(Default)]
pub(super) struct Telling {
    usual: BTreeMap<StepId, String>,
    began: BTreeMap<StepId, Timestamp>,
    /// What the run leaves behind once it is done.
    leaves: Vec<Text>,
    /// True once the recovery point was told, which says more than a lag.
    weighed: bool,
}

impl Telling {
    /// The next event as one line.
    pub(super) fn line(&mut self, entry: &Entry) -> String {
        let line = event(entry);
        match &entry.event {
            Event::Opened { plan, .. } => {
                let told = plan.steps.iter().map(|step| (step.id.clone(), usual(step)));
                self.usual = told.collect();
                self.leaves = plan.leaves().to_vec();
                line
            }
            Event::StepBegan { step } => {
                self.began.insert(step.clone(), entry.at);
                match self.usual.get(step) {
                    Some(usual) => format!("{line}, {usual}"),
                    None => line,
                }
            }
            Event::Progress { step, .. } => {
                let began = self.began.get(step).map(|began| entry.at.duration_since(*began).as_secs());
                let spent = began.map(|spent| format!(", {spent} s")).unwrap_or_default();
                let usual = self.usual.get(step).map(|usual| format!(", {usual}")).unwrap_or_default();
                format!("{line}{spent}{usual}")
            }
            Event::RecoveryPoint { .. } => {
                self.weighed = true;
                line
            }
            Event::Ended { outcome, rto, rpo_ms } => {
                let mut words = ended(*outcome, *rto, rpo_ms.filter(|_| !self.weighed));
                for left in self.leaves.iter().filter(|_| *outcome == Outcome::Done) {
                    words = format!("{words}\n  {left}");
                }
                stamped(entry, &words)
            }
            _ => line,
        }
    }
}

/// One event as one line.
fn event(entry: &Entry) -> String {
    let words = match &entry.event {
        Event::Opened { opening, plan, digest } => format!(
            "run {} begins: {} (plan {digest}, by {} on {}; {})",
            opening.run, plan.summary, opening.holder, opening.host, opening.reason
        ),
        Event::Resumed { opening, damage } => {
            let damage: Vec<&str> = damage.iter().map(Text::as_str).collect();
            let damaged =
                if damage.is_empty() { String::new() } else { format!("; damage: {}", damage.join("; ")) };
            format!("run {} is taken up again on {}{damaged}", opening.run, opening.host)
        }
        Event::Lease { outcome } => lease(outcome),
        Event::StepBegan { step } => format!("{step}: begins"),
        Event::StepHeld { step, evidence } => format!("{step}: holds already: {evidence}"),
        Event::Intent { step, operation, attempt, .. } => {
            let again = if *attempt > 0 { format!(" (attempt {})", attempt + 1) } else { String::new() };
            format!("{step}: calls {}{again}", operation.sentence())
        }
        Event::Applied { step, request_id, .. } => {
            let request = request_id.as_ref().map_or_else(String::new, |id| format!(" (request {id})"));
            format!("{step}: accepted{request}; this proves nothing yet")
        }
        Event::NotApplied { step, failure, .. } => format!("{step}: {}", failed(failure)),
        Event::Progress { step, judgement } => match judgement {
            Judgement::Unknown { why } => format!("{step}: cannot be told: {why}"),
            other => format!("{step}: {}", other.words()),
        },
        Event::WayGivenUp { step, way, why } => format!("{step}: way {} given up: {why}", way + 1),
        Event::StepDone { step, evidence, took } => {
            format!("{step}: done in {} s: {evidence}", took.as_secs())
        }
        Event::StepFailed { step, why, passed: true } => format!("{step}: failed and passed: {why}"),
        Event::StepFailed { step, why, passed: false } => format!("{step}: FAILED: {why}"),
        Event::StepSkipped { step, reason } => format!("{step}: skipped on the operator's word: {reason}"),
        Event::StepUndone { step } => format!("{step}: undone, and proven so"),
        Event::Halted { why, done, undoable, not_run, .. } => format!(
            "HALTED: {why}; {} steps done, {} can be undone, {} not run",
            done.len(),
            undoable.len(),
            not_run.len()
        ),
        Event::Decided { decision, by } => {
            format!("{by} decided: {}", decision.words())
        }
        Event::Notified { whom, failure: None } => format!("told {whom}"),
        Event::Notified { whom, failure: Some(why) } => format!("could not tell {whom}: {why}"),
        Event::Unjournaled { why } => format!("UNJOURNALED: the run goes on without its journal: {why}"),
        Event::Sampled { regions } => {
            let regions: Vec<String> = regions.iter().map(sampled).collect();
            format!("users and data: {}", regions.join("; "))
        }
        Event::Marked { token, .. } => format!("our own write {token} was accepted"),
        Event::RecoveryPoint { point } => format!("RPO {}", point.words()),
        Event::Aftermath { aftermath } => aftermath.words(),
        Event::Noted { words } => words.to_string(),
        Event::Ended { outcome, rto, rpo_ms } => ended(*outcome, *rto, *rpo_ms),
    };
    stamped(entry, &words)
}

fn stamped(entry: &Entry, words: &str) -> String {
    format!("{} {words}", entry.at.strftime("%H:%M:%SZ"))
}

fn ended(outcome: Outcome, rto: Option<Duration>, rpo_ms: Option<f64>) -> String {
    let rto = rto.map(|rto| format!(", users answered elsewhere after {} (RTO)", words::span(rto)));
    let rpo = rpo_ms.map(|rpo| format!(", last lag before the promotion {}", words::millis(rpo)));
    format!("ended: {}{}{}", outcome.word(), rto.unwrap_or_default(), rpo.unwrap_or_default())
}

/// The newest of each measure of a region, or why there is none.
fn sampled(sample: &RegionSample) -> String {
    let each = sample.lines.iter().map(|line| {
        let to = line.to.as_ref().map(|to| format!(" to {to}")).unwrap_or_default();
        let value = match (&line.unknown, line.points.last()) {
            (Some(why), _) => format!("unknown ({why})"),
            (None, Some(point)) => {
                let at = point.at.strftime("%H:%M:%SZ");
                format!("{} at {at}", super::super::report::amount(point.value, line.measure.unit()))
            }
            (None, None) => "nothing new".to_owned(),
        };
        format!("{}{to} {value}", line.measure.word())
    });
    format!("{}: {}", sample.region, each.collect::<Vec<_>>().join(", "))
}

fn lease(outcome: &LeaseOutcome) -> String {
    match outcome {
        LeaseOutcome::Taken { number } => format!("the lease is ours, number {number}"),
        LeaseOutcome::TakenOver { number, from } => {
            format!(
                "the lease is ours, number {number}, taken over from {} on {}",
                from.claim.holder, from.claim.host
            )
        }
        LeaseOutcome::Unreachable { why } => format!("goes on without the lease: {why}"),
        LeaseOutcome::NotConfigured => {
            "no lease: the topology names no table, so runs of two hosts cannot see each other".to_owned()
        }
        LeaseOutcome::Lost { to } => format!("the lease is lost to {} on {}", to.claim.holder, to.claim.host),
        LeaseOutcome::Released => "the lease is given back".to_owned(),
    }
}

fn failed(failure: &ActFailure) -> String {
    match failure {
        ActFailure::Busy { why } => format!("AWS is busy, tried again: {why}"),
        ActFailure::Moved { why } => format!("it has moved on, read again: {why}"),
        ActFailure::Refused { why } => format!("refused: {why}"),
        ActFailure::Credentials { why } => format!("credentials: {why}"),
        ActFailure::NotSent { why } => format!("not sent: {why}"),
        ActFailure::Unknown { why } => format!("no answer, so nobody knows; looking: {why}"),
    }
}
