//! `run`: plans, confirms by what the command line says, and carries it out.
//!
//! What it is for: acting from a script or a shell. Without a terminal nothing is asked: what has to be typed
//! in the console is given as `--confirm` and `--reason`.
//! What it must not do: go round a guard, or end before the run does because nobody reads its lines any more.

use tokio::signal::unix::{SignalKind, signal};

use super::super::args::{Global, RunArgs};
use super::super::exit::{Exit, Failure};
use super::super::out;
use super::super::session::{Session, WORKERS, worker};
use super::desk::local_user;
use super::{Asked, Desk, Started, TakeUp, lines, plan};
use crate::app::acting::Reads;
use crate::domain::text::Text;
use crate::runbook::{Approval, ApprovalError, Arming, Decision, Entry, Event, Force, Outcome};

/// Runs `run`.
pub(in crate::cli) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let runbook = Desk::runbook(&args.runbook)?;
    let params = plan::wished(runbook, &args.wishes)?;
    let session = Session::configured(global)?;
    // What is wrong by itself is refused before anybody is asked.
    let confirmed_by = runbook.confirmed_by(&session.topology, &params, session.clock.now());
    let confirmed_by = confirmed_by.map_err(|error| plan::refused(error, None))?;
    Approval::worded(&confirmed_by, &args.confirm, &args.reason).map_err(|error| not_approved(&error))?;
    let runs = session.runs()?;
    let runtime = worker(WORKERS)?;
    let ended = runtime.block_on(async {
        let clock = session.clock;
        let desk = Desk::new(session.clone(), global.allow_endpoint, runs);
        let arming = Arming::arm(&session.topology, clock.now())
            .map_err(|error| Failure::new(Exit::Blocked, error))?;
        let asked = Asked { runbook, params: &params, armed: true, reads: Reads::Anew };
        let planned = desk.plan(asked).await;
        let plan = planned.map_err(|error| plan::refused(error, desk.refused_everywhere()))?;
        for finding in &plan.findings {
            let word = if finding.force == Force::Block { "blocks" } else { "warns" };
            let next =
                if finding.next_step.is_empty() { String::new() } else { format!("; {}", finding.next_step) };
            out::say(&format!("switchtower: {} {word}: {}{next}", finding.guard.word(), finding.message));
        }
        let approval =
            Approval::mint(&arming, clock.now(), &plan, &args.confirm, &args.reason, args.override_guards)
                .map_err(|error| not_approved(&error))?;
        // State is read again at the moment of confirmation. An emergency does not wait for that: it would only warn,
        // and each step looks by itself before it acts.
        if !runbook.spec().emergency {
            let drift = desk.drift(&plan).await;
            if let Some(moved) = drift.iter().find(|finding| finding.force == Force::Block) {
                return Err(Failure::new(
                    Exit::Blocked,
                    format_args!("nothing was done: {}; run it again", moved.message),
                ));
            }
        }
        let how = TakeUp { take_over: args.take_over.as_deref().map(Text::new), ..TakeUp::default() };
        let started = desk.start(plan, approval, runbook.spec().emergency, how).await?;
        follow(started, args.json).await
    });
    runtime.shutdown_background();
    ended
}

/// Why nothing was confirmed. What blocks was said already, a line each.
pub(super) fn not_approved(error: &ApprovalError) -> Failure {
    match error {
        ApprovalError::NotConfirmed { .. } | ApprovalError::NoReason => {
            Failure::new(Exit::Usage, format_args!("nothing was done: {error}"))
        }
        ApprovalError::ReadOnly(_) | ApprovalError::Disarmed => {
            Failure::new(Exit::Blocked, format_args!("nothing was done: {error}"))
        }
        ApprovalError::Blocked(findings) => {
            let hint = if findings.iter().all(|finding| finding.may_override) {
                "; --override lets the reason cover that"
            } else {
                ", and no reason covers that"
            };
            let guards: Vec<&str> = findings.iter().map(|finding| finding.guard.word()).collect();
            let words = format!("nothing was done: blocked by {}{hint}", listed(&guards));
            Failure::new(Exit::Blocked, words)
        }
    }
}

/// Each word once.
fn listed(words: &[&str]) -> String {
    let mut once: Vec<&str> = Vec::new();
    for word in words {
        if !once.contains(word) {
            once.push(word);
        }
    }
    once.join(", ")
}

/// Prints what happens until the run ends. Interrupting stops the run before its next call; a lost terminal
/// does not.
pub(super) async fn follow(mut started: Started, json: bool) -> Result<Exit, Failure> {
    let failed = |error| Failure::error(format_args!("signals cannot be watched: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed)?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed)?;
    // The run goes on without its terminal.
    let mut hangup = signal(SignalKind::hangup()).map_err(failed)?;
    let mut printing = true;
    let mut telling = lines::Telling::default();
    let mut asked = false;
    let mut aside = Aside::default();
    let ending = loop {
        tokio::select! {
            biased;
            Some(entry) = started.entries.recv() => {
                aside.tell(&entry);
                if printing {
                    printing = print(&entry, json, &mut telling);
                }
            }
            ending = &mut started.ending => break ending,
            _ = hangup.recv() => {}
            _ = interrupt.recv() => asked = abort(&started, asked, "interrupted"),
            _ = terminate.recv() => asked = abort(&started, asked, "terminated"),
        }
    };
    while let Ok(entry) = started.entries.try_recv() {
        aside.tell(&entry);
        if printing {
            printing = print(&entry, json, &mut telling);
        }
    }
    match ending.map_err(|error| {
        Failure::error(format_args!(
            "the run broke off: {error}; go on with `switchtower runs resume {} --confirm {}`",
            started.run, started.confirm
        ))
    })? {
        Ok(ending) => {
            if ending.outcome == Outcome::Halted {
                out::say(&format!(
                    "switchtower: halted: {}; look with `switchtower runs show {1}`, decide with `switchtower runs retry {1} --confirm {2}`, or skip, undo or abort in place of retry",
                    ending.why, started.run, started.confirm
                ));
            }
            Ok(exit(ending.outcome))
        }
        Err(error) => Err(Failure::new(Exit::Blocked, error)),
    }
}

/// What a run says beside its lines while its journal cannot be written: standard error is then the record of what was
/// about to be sent, wherever the lines go.
#[derive(Default)]
struct Aside {
    /// True from the first entry that could not be written.
    unjournaled: bool,
    /// The last intent, which is the first that was not written.
    last: Option<Entry>,
}

impl Aside {
    fn tell(&mut self, entry: &Entry) {
        let say = |entry: &Entry| {
            // An entry is plain data, which JSON always takes.
            let line = serde_json::to_string(entry).unwrap_or_default();
            out::say(&format!("switchtower: unjournaled, about to send: {line}"));
        };
        match &entry.event {
            Event::Unjournaled { .. } => {
                self.unjournaled = true;
                self.last.take().iter().for_each(say);
            }
            Event::Intent { .. } if self.unjournaled => say(entry),
            Event::Intent { .. } => self.last = Some(entry.clone()),
            _ => {}
        }
    }
}

fn abort(started: &Started, asked: bool, why: &str) -> bool {
    if !asked {
        out::say(
            "switchtower: stopping before the next call; what was sent is proven or left for `runs resume`",
        );
        let decision = Decision::Abort { reason: why.into() };
        // A run that has just ended takes no decision, which is all right.
        let _ = started.decisions.send((decision, local_user()));
    }
    true
}

fn print(entry: &Entry, json: bool, telling: &mut lines::Telling) -> bool {
    let line = if json { lines::json(entry) } else { Some(telling.line(entry)) };
    match line {
        Some(line) => out::print(&format!("{line}\n")).unwrap_or(false),
        None => true,
    }
}

/// The exit code of an outcome.
pub(super) fn exit(outcome: Outcome) -> Exit {
    match outcome {
        Outcome::Done | Outcome::Undone => Exit::Done,
        Outcome::Halted => Exit::Halted,
        Outcome::Aborted | Outcome::Superseded => Exit::Aborted,
    }
}
