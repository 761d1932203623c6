//! The journal: on disk before it is done, chained, and readable after anything.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

mod bytes;
mod disk;
mod lent;
mod live;
mod runs;

use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use switchtower::domain::ids::{BucketName, Region};
use switchtower::domain::observation::{Observed, Source, SourceKind};
use switchtower::domain::text::Text;
use switchtower::ports::Clock;
use switchtower::runbook::journal::{JOURNAL_FILE, Journal};
use switchtower::runbook::{
    Condition, Entry, Event, Fact, Facts, Known, Opening, Operation, Outcome, Params, Plan, RunId, Step,
};

pub(crate) fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// A clock that begins at three in the morning.
fn clock() -> Clock {
    Clock::starting_at(at("2026-11-21T03:00:00Z"), 1.0)
}

fn run_id(salt: u16) -> RunId {
    RunId::new(at("2026-11-21T03:00:00Z"), "drain", Some("us-east-1"), salt)
}

fn operation() -> Operation {
    Operation::PutSwitchObject {
        region: Region::new("eu-west-1"),
        bucket: BucketName::new("switch"),
        key: "evacuate/us-east-1".into(),
        steers: Region::new("us-east-1"),
    }
}

fn plan() -> Plan {
    let pin = Step::act(
        "pin",
        "take us-east-1 out of DNS",
        vec![operation()],
        Vec::new(),
        Condition::Always,
        Duration::from_mins(1),
    );
    Plan {
        runbook: "drain".into(),
        application: "orders".into(),
        params: Params { region: Some(Region::new("us-east-1")), ..Params::default() },
        confirm: "us-east-1".into(),
        made_at: at("2026-11-21T02:59:58Z"),
        summary: "drain us-east-1".into(),
        steps: vec![pin],
        shaped_by: Facts::new(),
        findings: Vec::new(),
        data_at_risk: Vec::new(),
        irreversible: Vec::new(),
        notes: Vec::new(),
    }
}

fn opening(run: &RunId) -> Opening {
    Opening {
        run: run.clone(),
        application: "orders".into(),
        runbook: "drain".into(),
        params: Params::default(),
        holder: "arn:aws:sts::123456789012:assumed-role/oncall/kim".into(),
        host: "bastion-1".into(),
        pid: 4711,
        reason: "maintenance".into(),
        overrides: Vec::new(),
        version: "0.1.0".into(),
    }
}

fn opened(run: &RunId) -> Event {
    let plan = plan();
    let digest = plan.digest();
    Event::Opened { opening: Box::new(opening(run)), plan: Box::new(plan), digest }
}

fn saved(number: f64) -> Facts {
    let mut facts = Facts::new();
    let source = Source::new(SourceKind::Targets, "cloudwatch:GetMetricData", None);
    let seen = Observed::seen(source, Known::Number(number), at("2026-11-21T03:00:00Z"));
    facts.insert(Fact::Errors(Region::new("us-east-1")), seen);
    facts
}

fn intent(saved: Facts) -> Event {
    let operation = Box::new(operation());
    Event::Intent { step: "pin".into(), way: 0, call: 0, attempt: 0, operation, saved }
}

fn noted(words: impl Into<Text>) -> Event {
    Event::Noted { words: words.into() }
}

fn ended(outcome: Outcome) -> Event {
    Event::Ended { outcome, rto: Some(Duration::from_millis(61_500)), rpo_ms: Some(0.1 + 0.2) }
}

/// A few events of a run, its intent among them.
fn story(run: &RunId) -> Vec<Event> {
    vec![
        opened(run),
        Event::StepBegan { step: "pin".into() },
        intent(saved(0.25)),
        Event::Applied { step: "pin".into(), way: 0, call: 0, request_id: Some("r-1".into()) },
        ended(Outcome::Done),
    ]
}

/// A closed run in a folder of runs, with what was recorded.
async fn recorded(runs: &Path, run: &RunId, events: Vec<Event>) -> (PathBuf, Vec<Entry>) {
    let journal = Journal::create(runs, run, clock()).await.unwrap();
    let mut entries = Vec::new();
    for event in events {
        entries.push(journal.record(event, true).await.unwrap());
    }
    journal.close().await.unwrap();
    (journal.folder().to_owned(), entries)
}

fn file(folder: &Path) -> PathBuf {
    folder.join(JOURNAL_FILE)
}

fn lines(folder: &Path) -> Vec<String> {
    let text = std::fs::read_to_string(file(folder)).unwrap();
    text.split_inclusive('\n').map(str::to_owned).collect()
}

fn words(entries: &[Entry]) -> Vec<&str> {
    entries
        .iter()
        .filter_map(|entry| match &entry.event {
            Event::Noted { words } => Some(words.as_str()),
            _ => None,
        })
        .collect()
}
