//! A report in words.
//!
//! What it is for: times, durations, numbers and sentences as a reader of a ticket wants them, once for all formats.
//! What it must not do: escape; each format knows what acts on it.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::runbook::StepState;
use crate::runbook::plan::StepId;
use crate::runbook::report::{CallReport, Fate, Finding, Line, Next, Report, StepReport};
use crate::runbook::sample::Timed;
use crate::runbook::{Force, Outcome};

/// A report in words.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct View {
    /// `drain us-east-1: done`.
    pub title: String,
    /// `good`, `bad` or `open`.
    pub tone: &'static str,
    /// What to know before believing the rest.
    pub warnings: Vec<String>,
    /// Who, what, where, why, when.
    pub facts: Vec<Named>,
    /// Steps.
    pub steps: Vec<Step>,
    /// Calls.
    pub calls: Vec<Call>,
    /// Guards' findings.
    pub findings: Vec<Guard>,
    /// Lists of sentences, each under a heading: data at risk, what cannot be undone, notes.
    pub lists: Vec<List>,
    /// Samples.
    pub samples: Vec<Sample>,
    /// What happened beside the steps.
    pub happenings: Vec<Happened>,
    /// What is left, by kind.
    pub left: Vec<List>,
    /// Undo of what was done, the newest first.
    pub undo: Vec<Undo>,
    /// What to do next.
    pub next: Vec<Next>,
    /// Where this comes from.
    pub footer: String,
}

/// A value with its name.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Named {
    /// Name.
    pub name: &'static str,
    /// Value.
    pub value: String,
    /// True for what a machine reads: ids, digests.
    pub code: bool,
}

/// Sentences under a heading.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct List {
    /// Heading.
    pub title: &'static str,
    /// Sentences.
    pub items: Vec<String>,
}

/// A step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Step {
    /// From 1.
    pub number: usize,
    /// What it does.
    pub title: String,
    /// When it began.
    pub began: String,
    /// How long it took.
    pub took: String,
    /// How it stands.
    pub result: String,
    /// `good`, `bad` or `open`.
    pub tone: &'static str,
    /// What proves it, or why not.
    pub evidence: String,
    /// What changed.
    pub changes: Vec<String>,
}

/// A call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Call {
    /// When it was about to be sent.
    pub at: String,
    /// Number of its step.
    pub step: usize,
    /// What it does.
    pub words: String,
    /// `route53:UpdateHealthCheck`.
    pub api: String,
    /// Where.
    pub region: String,
    /// What became of it.
    pub result: String,
    /// `good`, `bad` or `open`.
    pub tone: &'static str,
    /// AWS's request id.
    pub request: String,
    /// The `aws` line.
    pub aws: String,
}

/// A guard's finding.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Guard {
    /// Which.
    pub name: &'static str,
    /// `warned`, or `BLOCKED, overridden by the reason`.
    pub force: &'static str,
    /// `bad` for an overridden block, `open` for a warning.
    pub tone: &'static str,
    /// What it found.
    pub message: String,
    /// What it advised; may be empty.
    pub next: String,
}

/// One measure of one place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Sample {
    /// What.
    pub measure: &'static str,
    /// Where.
    pub place: String,
    /// The newest number from before the run.
    pub before: String,
    /// The least.
    pub least: String,
    /// The greatest.
    pub most: String,
    /// The newest.
    pub last: String,
    /// When nothing was known, and why.
    pub unknown: String,
}

/// Something that happened.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Happened {
    /// When.
    pub at: String,
    /// What.
    pub words: String,
    /// True for what went wrong.
    pub bad: bool,
}

/// The undo of a step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Undo {
    /// Which step.
    pub title: String,
    /// Its calls, in words and as `aws` lines.
    pub calls: Vec<(String, String)>,
}

/// What stands for a value that there is none of.
pub(super) const NONE: &str = "–";

impl View {
    /// A report in words.
    pub fn of(report: &Report) -> Self {
        let day = Day::of(report);
        let title = |id: &StepId| {
            let step = report.steps.iter().find(|step| &step.id == id);
            step.map_or_else(|| id.to_string(), |step| format!("step {}: {}", step.number, step.title))
        };
        let left = &report.left;
        let list = |title: &'static str, items: Vec<String>| List { title, items };
        let titles = |ids: &[StepId]| ids.iter().map(title).collect();
        let texts = |texts: &[crate::domain::text::Text]| texts.iter().map(ToString::to_string).collect();
        let calls = report.steps.iter().flat_map(|step| step.calls.iter().map(move |call| (step, call)));
        let mut calls: Vec<(&StepReport, &CallReport)> = calls.collect();
        calls.sort_by_key(|(_, call)| call.at);
        let filled = |lists: Vec<List>| lists.into_iter().filter(|list| !list.items.is_empty()).collect();
        Self {
            title: format!("{}: {}", report.name(), short(report)),
            tone: tone(report),
            warnings: report.alarms.iter().cloned().chain(report.journal.warnings()).collect(),
            facts: facts(report, day),
            steps: report.steps.iter().map(|step| self::step(step, day)).collect(),
            calls: calls.into_iter().map(|(step, call)| self::call(step, call, day)).collect(),
            findings: report.findings.iter().map(guard).collect(),
            lists: filled(vec![
                list("Data at risk, as the plan said", texts(&report.data_at_risk)),
                list("What nothing brings back", texts(&report.irreversible)),
                list("Told with the plan", texts(&report.notes)),
            ]),
            samples: report.samples.iter().map(|line| sample(line, report, day)).collect(),
            happenings: report
                .happenings
                .iter()
                .map(|happening| Happened {
                    at: day.clock(happening.at),
                    words: mark(&happening.words, happening.doubtful),
                    bad: happening.bad,
                })
                .collect(),
            left: filled(vec![
                list("Failed", titles(&left.failed)),
                list("Undone by itself, and not done again", titles(&left.undone)),
                list("Failed and passed: the run went on without", titles(&left.passed)),
                list("Begun, without an end", titles(&left.under_way)),
                list("Not begun", titles(&left.not_begun)),
                list("Cannot be undone", titles(&left.for_good)),
            ]),
            undo: left
                .undo
                .iter()
                .map(|undo| Undo {
                    title: title(&undo.step),
                    calls: undo.words.iter().cloned().zip(undo.aws.iter().cloned()).collect(),
                })
                .collect(),
            next: left.next.clone(),
            footer: format!(
                "Made at {} by switchtower {} from a journal of {} entries. All times are UTC.",
                moment(report.made_at),
                env!("CARGO_PKG_VERSION"),
                report.journal.entries
            ),
        }
    }
}

/// Times of the first day are told without the day.
#[derive(Clone, Copy)]
pub(super) struct Day(Option<jiff::civil::Date>);

impl Day {
    pub(super) fn of(report: &Report) -> Self {
        Self(report.began.or(report.last).map(|at| at.to_zoned(TimeZone::UTC).date()))
    }

    /// `03:00:17`, or with its day when that is another one.
    pub(super) fn clock(self, at: Timestamp) -> String {
        let here = Some(at.to_zoned(TimeZone::UTC).date());
        at.strftime(if here == self.0 { "%H:%M:%S" } else { "%Y-%m-%d %H:%M:%S" }).to_string()
    }
}

/// `2026-11-21 03:00:17 UTC`.
fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// A duration in words: `0.4 s`, `41 s`, `4 min 10 s`, `1 h 05 min`.
pub(super) fn span(seconds: f64) -> String {
    let whole = seconds.max(0.0).round();
    if seconds < 9.95 {
        return format!("{:.1} s", seconds.max(0.0));
    }
    let whole = whole as u64;
    match whole {
        0..=59 => format!("{whole} s"),
        60..=3_599 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3_600, whole % 3_600 / 60),
    }
}

/// A number with its unit, as many digits as say something.
pub(in crate::cli) fn amount(value: f64, unit: &str) -> String {
    let digits = match value.abs() {
        whole if whole >= 100.0 || whole.fract() == 0.0 => 0,
        small if small < 0.95 => 2,
        _ => 1,
    };
    match unit {
        "" => format!("{value:.digits$}"),
        "/s" => format!("{value:.digits$}/s"),
        // Nobody reads a quarter of a million milliseconds as four minutes.
        "ms" if value >= 10_000.0 => span(value / 1_000.0),
        unit => format!("{value:.digits$} {unit}"),
    }
}

fn short(report: &Report) -> &'static str {
    match (report.state, report.outcome) {
        ("running", _) if report.waits => "halted, waits for the operator",
        ("running", _) => "still running",
        ("halted", _) => "halted",
        ("interrupted", _) => "interrupted",
        (_, Some(outcome)) => outcome.word(),
        (..) => "not known",
    }
}

fn tone(report: &Report) -> &'static str {
    match (report.state, report.outcome) {
        ("running", _) if !report.waits => "open",
        ("ended", Some(Outcome::Done)) if report.journal.trusted && report.left.passed.is_empty() => "good",
        ("ended", Some(Outcome::Done | Outcome::Undone)) => "open",
        (..) => "bad",
    }
}

/// Marks what stands after damage.
fn mark(words: &str, doubtful: bool) -> String {
    if doubtful { format!("(?) {words}") } else { words.to_owned() }
}

fn facts(report: &Report, day: Day) -> Vec<Named> {
    let mut facts = Vec::new();
    let mut add = |name, value: Option<String>, code| {
        if let Some(value) = value {
            facts.push(Named { name, value, code });
        }
    };
    add("Run", Some(report.run.to_string()), true);
    add("Verdict", Some(report.verdict.clone()), false);
    add("What", report.summary.as_ref().map(ToString::to_string), false);
    let params = report.params.as_ref();
    let region = params.and_then(|params| params.region.as_ref()).map(ToString::to_string);
    let to = params.and_then(|params| params.to.as_ref()).map(|to| format!(", writer to {to}"));
    let account = report.sittings.iter().find_map(|sitting| sitting.account.as_ref());
    let place = report.application.as_ref().map(|application| {
        let region = region.unwrap_or_else(|| "all regions".to_owned());
        let account = account.map(|account| format!(", account {account}")).unwrap_or_default();
        format!("{application}, {region}{}{account}", to.unwrap_or_default())
    });
    add("Where", place, false);
    let mut whos: Vec<String> = Vec::new();
    for sitting in &report.sittings {
        let words = format!("{} on {}, process {}", sitting.holder, sitting.host, sitting.pid);
        whos.push(if sitting.resumed { format!("from {} {words}", day.clock(sitting.at)) } else { words });
    }
    add("Who", (!whos.is_empty()).then(|| whos.join("; ")), false);
    add("Why", report.reason.as_ref().map(ToString::to_string), false);
    add("Began", report.began.map(moment), false);
    let took = report.took_s.map(span);
    let ended = report.ended.map(moment).zip(took.clone()).map(|(at, took)| format!("{at}, after {took}"));
    let open = report.last.filter(|_| report.ended.is_none()).map(moment);
    let open = open.map(|at| match took {
        Some(took) => format!("no end is recorded; the last entry is of {at}, {took} after the beginning"),
        None => format!("no end is recorded; the last entry is of {at}"),
    });
    add("Ended", ended.or(open), false);
    let since = params.and_then(|params| params.since).map_or_else(
        || "the beginning of the run".to_owned(),
        |since| format!("{}, when the incident began as the operator said,", moment(since)),
    );
    let rto = format!("from {since} until users were proven to be answered elsewhere");
    add("RTO, measured", report.rto_s.map(|rto_s| format!("{}, {rto}", span(rto_s))), false);
    let rpo = "the last replication lag read before the promotion";
    match &report.recovery_point {
        Some(point) => add("RPO", Some(point.words.clone()), false),
        None => add(
            "RPO, estimated",
            report.rpo_ms.map(|rpo_ms| format!("{}, {rpo}", amount(rpo_ms, "ms"))),
            false,
        ),
    }
    add("Plan", report.digest.as_ref().map(|digest| digest.as_str().to_owned()), true);
    facts
}

fn step(step: &StepReport, day: Day) -> Step {
    let again = if step.tries > 1 { format!(" (try {})", step.tries) } else { String::new() };
    let tone = match step.state {
        StepState::Done | StepState::Held => "good",
        StepState::Failed => "bad",
        StepState::Passed
        | StepState::Skipped
        | StepState::Undone
        | StepState::UnderWay
        | StepState::NotBegun => "open",
    };
    // The last way's reason is the step's own.
    let given_up = step.given_up.iter().filter(|way| way.why != step.evidence).map(|way| {
        let method = way.method.map(|method| format!(" ({})", method.word())).unwrap_or_default();
        format!("way {}{method} given up: {}", way.way, way.why)
    });
    let evidence = std::iter::once(step.evidence.to_string()).filter(|words| !words.is_empty());
    Step {
        number: step.number,
        title: step.title.to_string(),
        began: step.began.or(step.ended).map_or_else(|| NONE.to_owned(), |at| day.clock(at)),
        took: step.took_s.map_or_else(|| NONE.to_owned(), span),
        result: mark(&format!("{}{again}", step.state.phrase()), step.doubtful),
        tone,
        evidence: evidence.chain(given_up).collect::<Vec<_>>().join("; "),
        changes: step.changes.iter().map(ToString::to_string).collect(),
    }
}

fn call(step: &StepReport, call: &CallReport, day: Day) -> Call {
    let undo = if call.undo { "undo: " } else { "" };
    let again = if call.attempt > 0 { format!(" (sent {} times)", call.attempt + 1) } else { String::new() };
    let why = call.why.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
    let tone = match call.fate {
        Fate::Accepted => "good",
        Fate::Refused | Fate::NotSent => "bad",
        Fate::Busy | Fate::Unknown | Fate::NoAnswer => "open",
    };
    Call {
        at: day.clock(call.at),
        step: step.number,
        words: mark(&format!("{undo}{}{again}", call.words), call.doubtful),
        api: call.call.clone(),
        region: call.region.to_string(),
        result: format!("{}{why}", call.fate.word()),
        tone,
        request: call.request_id.as_ref().map_or_else(|| NONE.to_owned(), ToString::to_string),
        aws: call.aws.clone(),
    }
}

fn guard(finding: &Finding) -> Guard {
    let (force, tone) = match (finding.finding.force, finding.overridden) {
        (Force::Block, true) => ("BLOCKED, overridden by the reason", "bad"),
        (Force::Block, false) => ("BLOCKED", "bad"),
        (Force::Warn, _) => ("warned", "open"),
    };
    Guard {
        name: finding.finding.guard.word(),
        force,
        tone,
        message: finding.finding.message.to_string(),
        next: finding.finding.next_step.to_string(),
    }
}

fn sample(line: &Line, report: &Report, day: Day) -> Sample {
    let words = |timed: Option<Timed>| match timed {
        Some(timed) => format!("{} at {}", amount(timed.value, line.unit), day.clock(timed.at)),
        None => NONE.to_owned(),
    };
    let before = line.points.iter().rev().find(|point| report.began.is_some_and(|began| point.at <= began));
    let (least, most) = line.range().unzip();
    let unknown = line.unknown.iter().map(|unknown| {
        let from = day.clock(unknown.from);
        if unknown.from == unknown.until {
            format!("at {from}: {}", unknown.why)
        } else {
            format!("{from} to {}: {}", day.clock(unknown.until), unknown.why)
        }
    });
    let unknown: Vec<String> = unknown.collect();
    Sample {
        measure: line.measure.word(),
        place: line.place(),
        before: words(before.copied()),
        least: words(least),
        most: words(most),
        last: words(line.points.last().copied()),
        unknown: if unknown.is_empty() { NONE.to_owned() } else { unknown.join("; ") },
    }
}
