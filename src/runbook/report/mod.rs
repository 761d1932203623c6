//! A run told afterwards.
//!
//! What it is for: one [`Report`] out of a journal, from which Markdown, JSON and HTML are made: who did what, where
//! and why, how it ended, how long each step took and what proves it, every call with its request id, what is left.
//! What it must not do: ask, guess what no entry tells, or pass an unfinished or damaged journal for a whole one.
//!
//! | module | what it is |
//! |---|---|
//! | `steps` | steps and their calls, folded from the entries |
//! | `series` | samples as lines with gaps |
//! | `left` | what is not done, what can be undone, what comes next |

mod left;
mod series;
mod steps;

use std::time::Duration;

use jiff::Timestamp;
use serde::Serialize;

pub use left::{Left, Next, Undo};
pub use series::{Line, Unknown};
pub use steps::{CallReport, Fate, GivenUp, StepReport};

use super::aftermath::{Aftermath, Told as Heard};
use super::event::{Entry, Event, LeaseOutcome, Opening, Outcome, RunId};
use super::guard::{Force, GuardFinding};
use super::journal::{RunState, Stand, Told, stand};
use super::params::Params;
use super::plan::{Digest, Plan};
use super::recovery::Found;
use crate::domain::text::Text;

/// The name and version of the shape that [`Report`] is written in as JSON. Fields may be added, never renamed.
pub const SCHEMA: &str = "switchtower.report/1";

/// What a report is made of.
#[derive(Clone, Copy, Debug)]
pub struct Source<'a> {
    /// The run's name; the journal may not tell it.
    pub run: &'a RunId,
    /// What its journal tells.
    pub told: &'a Told,
    /// True when a process has the run.
    pub held: bool,
    /// The moment.
    pub now: Timestamp,
}

/// A run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// When this was made.
    pub made_at: Timestamp,
    /// The run's name.
    pub run: RunId,
    /// Where it stands: `running`, `halted`, `interrupted` or `ended`.
    pub state: &'static str,
    /// How it ended.
    pub outcome: Option<Outcome>,
    /// True when it waits for the operator.
    pub waits: bool,
    /// The same in a sentence.
    pub verdict: String,
    /// Application.
    pub application: Option<Text>,
    /// Runbook.
    pub runbook: Option<Text>,
    /// What was asked.
    pub params: Option<Params>,
    /// What the plan does, in a sentence.
    pub summary: Option<Text>,
    /// The plan's digest, as it was confirmed.
    pub digest: Option<Digest>,
    /// The reason that was typed first.
    pub reason: Option<Text>,
    /// Who had the run, one after the other.
    pub sittings: Vec<Sitting>,
    /// When it began.
    pub began: Option<Timestamp>,
    /// When it ended; of one that has not, `None`.
    pub ended: Option<Timestamp>,
    /// The last entry.
    pub last: Option<Timestamp>,
    /// From its beginning to its end, or to the last entry, seconds.
    pub took_s: Option<f64>,
    /// Recovery time: from the beginning until users were proven to be answered elsewhere, seconds.
    pub rto_s: Option<f64>,
    /// The last lag that was read before the promotion, milliseconds: an estimate of the recovery point.
    pub rpo_ms: Option<f64>,
    /// The recovery point, as far as it was measured; `None` where nothing was promoted with loss.
    pub recovery_point: Option<Recovery>,
    /// What must be known before anything else: two databases may take writes, or nobody knows.
    pub alarms: Vec<String>,
    /// What the guards found when it was confirmed.
    pub findings: Vec<Finding>,
    /// Data at risk, as the plan said.
    pub data_at_risk: Vec<Text>,
    /// What no step brings back, as the plan said.
    pub irreversible: Vec<Text>,
    /// What the plan told beside.
    pub notes: Vec<Text>,
    /// The steps, in the order of the plan.
    pub steps: Vec<StepReport>,
    /// Everything that happened beside the steps, oldest first.
    pub happenings: Vec<Happening>,
    /// What is left.
    pub left: Left,
    /// What users felt and how far data was behind.
    pub samples: Vec<Line>,
    /// How far the journal can be believed.
    pub journal: JournalReport,
}

/// The recovery point of an unplanned promotion.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Recovery {
    /// True when our own writes told it.
    pub measured: bool,
    /// No more than this is lost, seconds; only measured.
    pub at_most_s: Option<f64>,
    /// No less than this is lost, seconds; only measured.
    pub at_least_s: Option<f64>,
    /// The last RPO lag before the promotion, milliseconds.
    pub lag_ms: Option<f64>,
    /// How old that was when the promotion was sent, seconds.
    pub lag_age_s: Option<f64>,
    /// In a sentence.
    pub words: String,
}

/// Someone had the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sitting {
    /// From when.
    pub at: Timestamp,
    /// Identity that acted.
    pub holder: Text,
    /// Account of that identity, when it says one.
    pub account: Option<Text>,
    /// Host.
    pub host: Text,
    /// Process.
    pub pid: u32,
    /// The typed reason.
    pub reason: Text,
    /// Version of the program.
    pub version: Text,
    /// True when it took the run up again.
    pub resumed: bool,
}

/// What a guard found.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Finding {
    /// The finding.
    #[serde(flatten)]
    pub finding: GuardFinding,
    /// True when it blocked, and the typed reason went over it.
    pub overridden: bool,
}

/// Something that happened beside the steps.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happening {
    /// When.
    pub at: Timestamp,
    /// What.
    pub words: String,
    /// True for what went wrong.
    pub bad: bool,
    /// True when it stands after damage in the journal.
    pub doubtful: bool,
}

/// How far the journal can be believed.
// Four things that are so or not, each by itself, as readers of the JSON ask for them.
#[allow(clippy::struct_excessive_bools)]
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct JournalReport {
    /// How many entries were read.
    pub entries: usize,
    /// True when the opening, with the plan, is there.
    pub opened: bool,
    /// True when nothing is damaged that nobody has accepted.
    pub trusted: bool,
    /// What is damaged, a line each.
    pub damage: Vec<String>,
    /// Entries that stand after damage.
    pub doubtful: usize,
    /// True when the last line was not written to its end.
    pub torn: bool,
    /// True when it was copied from another host and may have gaps.
    pub imported: bool,
    /// When and why the run went on without its journal.
    pub unjournaled: Vec<Happening>,
}

impl Report {
    /// What a journal tells.
    pub fn of(source: &Source<'_>) -> Self {
        let entries = &source.told.entries;
        let Stand { state, outcome, waits } = stand(entries, source.held);
        let opened = entries.iter().find_map(|entry| match &entry.event {
            Event::Opened { opening, plan, digest } => Some((entry.at, &**opening, &**plan, digest)),
            _ => None,
        });
        let plan = opened.map(|(_, _, plan, _)| plan);
        let opening = opened.map(|(_, opening, ..)| opening);
        let began = opened.map(|(at, ..)| at);
        let last = entries.iter().map(|entry| entry.at).max();
        let ending = entries.iter().rev().find_map(|entry| match &entry.event {
            Event::Ended { rto, rpo_ms, .. } => Some((entry.at, *rto, *rpo_ms)),
            _ => None,
        });
        // An end that was gone on from is none.
        let ended = ending.map(|(at, ..)| at).filter(|_| outcome.is_some());
        let steps = steps::of(plan, source.told);
        let refused = refusal(entries);
        let mut left = left::of(source.run, plan, &steps, state, outcome, waits);
        if refused.is_some() && outcome == Some(Outcome::Aborted) {
            left.next.clear();
        }
        let sittings = entries.iter().filter_map(sitting).collect();
        Self {
            schema: SCHEMA,
            made_at: source.now,
            run: source.run.clone(),
            state: word(state),
            outcome,
            waits,
            verdict: match refused.filter(|_| outcome == Some(Outcome::Aborted)) {
                Some(why) => why.to_string(),
                None => verdict(state, outcome, waits, &steps, last, opened.is_some()),
            },
            application: plan.map(|plan| plan.application.clone()),
            runbook: plan.map(|plan| plan.runbook.clone()),
            params: plan.map(|plan| plan.params.clone()),
            summary: plan.map(|plan| plan.summary.clone()),
            digest: opened.map(|(.., digest)| digest.clone()),
            reason: opening.map(|opening| opening.reason.clone()),
            sittings,
            began,
            ended,
            last,
            took_s: began.zip(ended.or(last)).map(|(from, to)| seconds(between(from, to))),
            rto_s: ending.and_then(|(_, rto, _)| rto).map(seconds),
            rpo_ms: ending.and_then(|(.., rpo)| rpo).filter(|rpo| rpo.is_finite()),
            recovery_point: recovery_point(entries),
            alarms: alarms(entries),
            findings: plan.map(findings).unwrap_or_default(),
            data_at_risk: plan.map(|plan| plan.data_at_risk.clone()).unwrap_or_default(),
            irreversible: plan.map(|plan| plan.irreversible.clone()).unwrap_or_default(),
            notes: plan.map(|plan| plan.notes.clone()).unwrap_or_default(),
            happenings: source
                .told
                .marked()
                .filter_map(|(entry, doubtful)| happening(entry, doubtful))
                .collect(),
            left,
            samples: series::of(entries),
            journal: journal(source.told, opened.is_some()),
            steps,
        }
    }

    /// `drain us-east-1`.
    pub fn name(&self) -> String {
        let region = self.params.as_ref().and_then(|params| params.region.as_ref());
        match (&self.runbook, region) {
            (Some(runbook), Some(region)) => format!("{runbook} {region}"),
            (Some(runbook), None) => runbook.to_string(),
            (None, _) => "a run whose beginning is lost".to_owned(),
        }
    }
}

impl JournalReport {
    /// What a reader must know before believing the rest, a sentence each; empty when there is nothing.
    pub fn warnings(&self) -> Vec<String> {
        let mut words = Vec::new();
        if !self.opened {
            words.push("The beginning of the journal, with the plan, cannot be read: what was intended is not known.".to_owned());
        }
        if !self.damage.is_empty() {
            let after = match self.doubtful {
                0 => String::new(),
                1 => " One entry stands after damage and is marked (?).".to_owned(),
                count => format!(" {count} entries stand after damage and are marked (?)."),
            };
            words.push(format!("The journal is damaged: {}.{after}", self.damage.join("; ")));
        }
        if self.torn {
            words.push(
                "The last line of the journal was not written to its end; nothing was done on its strength."
                    .to_owned(),
            );
        }
        if self.imported {
            words.push("The journal was copied from another host, and entries may be missing.".to_owned());
        }
        for gap in &self.unjournaled {
            words.push(format!(
                "From {} on the run could not write its journal in time ({}): what it did then may be missing.",
                gap.at.strftime("%H:%M:%SZ"),
                gap.words
            ));
        }
        words
    }
}

fn recovery_point(entries: &[Entry]) -> Option<Recovery> {
    let point = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::RecoveryPoint { point } => Some(point),
        _ => None,
    })?;
    let (at_most, at_least) = match &point.found {
        Found::Some { at_most, .. } => (Some(*at_most), None),
        Found::None { at_least, .. } => (None, Some(*at_least)),
        Found::Nothing { .. } => (None, None),
    };
    Some(Recovery {
        measured: point.is_measured(),
        at_most_s: at_most.map(seconds),
        at_least_s: at_least.map(seconds),
        lag_ms: point.lag_ms,
        lag_age_s: point.lag_age.map(seconds),
        words: point.words(),
    })
}

fn alarms(entries: &[Entry]) -> Vec<String> {
    let told = |entry: &Entry| match &entry.event {
        Event::Aftermath { aftermath } => Some(aftermath.clone()),
        _ => None,
    };
    let all: Vec<Aftermath> = entries.iter().filter_map(told).collect();
    // What a later sitting was told ends an earlier silence.
    let settled = |one: &Aftermath| {
        matches!(one.told, Heard::Silent { .. })
            && all.iter().any(|other| other.global == one.global && other.told.is_about_the_fence())
    };
    all.iter().filter(|one| one.is_alarming() && !settled(one)).map(Aftermath::words).collect()
}

fn sitting(entry: &Entry) -> Option<Sitting> {
    let (opening, resumed): (&Opening, bool) = match &entry.event {
        Event::Opened { opening, .. } => (opening, false),
        Event::Resumed { opening, .. } => (opening, true),
        _ => return None,
    };
    Some(Sitting {
        at: entry.at,
        holder: opening.holder.clone(),
        account: account(&opening.holder),
        host: opening.host.clone(),
        pid: opening.pid,
        reason: opening.reason.clone(),
        version: opening.version.clone(),
        resumed,
    })
}

/// The account in an identity's ARN.
pub(crate) fn account(holder: &Text) -> Option<Text> {
    let mut parts = holder.as_str().split(':');
    let arn = parts.next() == Some("arn");
    let account = parts.nth(3).filter(|id| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_digit()));
    account.filter(|_| arn).map(Text::new)
}

fn findings(plan: &Plan) -> Vec<Finding> {
    let each = plan.findings.iter();
    // A run whose plan was blocked began over a typed reason.
    each.map(|finding| Finding { finding: finding.clone(), overridden: finding.force == Force::Block })
        .collect()
}

fn journal(told: &Told, opened: bool) -> JournalReport {
    let unjournaled = told.marked().filter_map(|(entry, doubtful)| match &entry.event {
        Event::Unjournaled { why } => {
            Some(Happening { at: entry.at, words: why.to_string(), bad: true, doubtful })
        }
        _ => None,
    });
    JournalReport {
        entries: told.entries.len(),
        opened,
        trusted: told.is_trusted(),
        damage: told.damage.iter().map(ToString::to_string).collect(),
        doubtful: told.doubtful.len(),
        torn: told.torn,
        imported: told.imported,
        unjournaled: unjournaled.collect(),
    }
}

const fn word(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Halted => "halted",
        RunState::Interrupted => "interrupted",
        RunState::Ended => "ended",
    }
}

/// Why a run that somebody confirmed did not begin: no step was, and nobody stopped it.
fn refusal(entries: &[Entry]) -> Option<&Text> {
    let begun = |entry: &Entry| matches!(entry.event, Event::StepBegan { .. } | Event::Decided { .. });
    if entries.iter().any(begun) {
        return None;
    }
    entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Noted { words } => Some(words),
        _ => None,
    })
}

fn verdict(
    state: RunState,
    outcome: Option<Outcome>,
    waits: bool,
    steps: &[StepReport],
    last: Option<Timestamp>,
    opened: bool,
) -> String {
    let tally = steps::tally(steps);
    let at = last.map_or_else(|| "no entry at all".to_owned(), |at| at.strftime("%H:%M:%SZ").to_string());
    match (state, outcome) {
        (_, _) if !opened && last.is_none() => "nothing can be read of this run".to_owned(),
        (RunState::Running, _) if waits => format!("halted, and waits for the operator: {tally}"),
        (RunState::Running, _) => format!("still running when this was written: {tally}"),
        (RunState::Halted, _) => format!("halted, and nobody has it: {tally}"),
        (RunState::Interrupted, _) => {
            format!(
                "interrupted: the journal ends at {at} without an end of the run, and no process has it: {tally}"
            )
        }
        (RunState::Ended, Some(Outcome::Done)) => format!("done: {tally}"),
        (RunState::Ended, Some(Outcome::Undone)) => format!("undone on the operator's word: {tally}"),
        (RunState::Ended, Some(Outcome::Aborted)) => format!("stopped by the operator: {tally}"),
        (RunState::Ended, Some(Outcome::Superseded)) => {
            format!("stopped, since another run took the lease: {tally}")
        }
        (RunState::Ended, Some(Outcome::Halted) | None) => format!("halted: {tally}"),
    }
}

fn happening(entry: &Entry, doubtful: bool) -> Option<Happening> {
    let (words, bad) = match &entry.event {
        Event::Opened { opening, .. } => {
            (format!("{} began it on {} (process {})", opening.holder, opening.host, opening.pid), false)
        }
        Event::Resumed { opening, damage } => {
            let damage: Vec<&str> = damage.iter().map(Text::as_str).collect();
            let damaged = if damage.is_empty() {
                String::new()
            } else {
                format!("; the journal: {}", damage.join("; "))
            };
            let words = format!(
                "{} took it up again on {} (process {}): {}{damaged}",
                opening.holder, opening.host, opening.pid, opening.reason
            );
            (words, !damage.is_empty())
        }
        Event::Lease { outcome } => lease(outcome),
        Event::Halted { why, .. } => (format!("halted: {why}"), true),
        Event::Decided { decision, by } => (format!("{by} decided: {}", decision.words()), false),
        Event::Notified { whom, failure: None } => (format!("told {whom}"), false),
        Event::Notified { whom, failure: Some(why) } => (format!("could not tell {whom}: {why}"), true),
        Event::Unjournaled { why } => (format!("the journal could not be written: {why}"), true),
        Event::Noted { words } => (words.to_string(), false),
        Event::Ended { outcome, .. } => (format!("ended: {}", outcome.word()), *outcome != Outcome::Done),
        Event::StepBegan { .. }
        | Event::StepHeld { .. }
        | Event::Intent { .. }
        | Event::Applied { .. }
        | Event::NotApplied { .. }
        | Event::WayGivenUp { .. }
        | Event::Progress { .. }
        | Event::StepDone { .. }
        | Event::StepFailed { .. }
        | Event::StepSkipped { .. }
        | Event::StepUndone { .. }
        | Event::Marked { .. }
        | Event::Sampled { .. } => return None,
        Event::RecoveryPoint { point } => (format!("recovery point: {}", point.words()), false),
        Event::Aftermath { aftermath } => (aftermath.words(), aftermath.is_alarming()),
    };
    Some(Happening { at: entry.at, words, bad, doubtful })
}

fn lease(outcome: &LeaseOutcome) -> (String, bool) {
    match outcome {
        LeaseOutcome::Taken { number } => (format!("lease taken, number {number}"), false),
        LeaseOutcome::TakenOver { number, from } => (
            format!(
                "lease number {number} taken over from {} on {} (run {})",
                from.claim.holder, from.claim.host, from.claim.run
            ),
            true,
        ),
        LeaseOutcome::Unreachable { why } => (format!("went on without the lease: {why}"), true),
        LeaseOutcome::NotConfigured => ("no lease: the topology names no table".to_owned(), false),
        LeaseOutcome::Lost { to } => {
            (format!("lease lost to {} on {} (run {})", to.claim.holder, to.claim.host, to.claim.run), true)
        }
        LeaseOutcome::Released => ("lease given back".to_owned(), false),
    }
}

fn between(from: Timestamp, to: Timestamp) -> Duration {
    Duration::try_from(to.duration_since(from)).unwrap_or_default()
}

/// To a tenth, which is more than anything here is measured to.
fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 10.0).round() / 10.0
}
