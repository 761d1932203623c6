//! `runs`: what was run, what runs, and taking up what was left.
//!
//! What it is for: list, show, report, attach, abort, resume, import, decide. All of it works from another terminal:
//! it follows the journal and writes the control file of the run.
//! What it must not do: write a journal that another process has.

use serde_json::json;

use super::super::args::{Global, Here, RunsArgs, RunsCommand};
use super::super::exit::{Exit, Failure};
use super::super::out;
use super::super::session::{Session, WORKERS, worker};
use super::desk::{local_user, unreadable};
use super::run::{exit, follow};
use super::{Desk, TakeUp, lines, report};
use crate::domain::text::Text;
use crate::runbook::catalog::LeaseState;
use crate::runbook::engine::asked_about;
use crate::runbook::journal::{self, Follow, Followed, Holder, Lock, RunState, RunSummary, control};
use crate::runbook::print::quoted;
use crate::runbook::state::states;
use crate::runbook::undo::{self, Undoing};
use crate::runbook::{Decision, Entry, Event, Outcome, Plan, RunId, StepId};

/// How long a decision may take to be heard.
const HEARD: jiff::SignedDuration = jiff::SignedDuration::from_secs(30);

/// Runs `runs`.
pub(in crate::cli) fn run(global: &Global, args: RunsArgs) -> Result<Exit, Failure> {
    let session = Session::configured(global)?;
    let runs = session.runs()?;
    let runtime = worker(WORKERS)?;
    let ended = runtime.block_on(async {
        let desk = Desk::new(session, global.allow_endpoint, runs);
        match args.command.unwrap_or(RunsCommand::List { json: false }) {
            RunsCommand::List { json } => list(&desk, json).await,
            RunsCommand::Show { run, json } => show(&desk, &named(&run)?, json).await,
            RunsCommand::Attach { run, json } => attach(&desk, &named(&run)?, json).await,
            RunsCommand::Abort { run, reason, here } => {
                let decision = Decision::Abort { reason: reason.into() };
                decide(&desk, &named(&run)?, decision, None, here).await
            }
            RunsCommand::Retry { run, here } => {
                decide(&desk, &named(&run)?, Decision::Retry, None, here).await
            }
            RunsCommand::Skip { run, step, reason, here } => {
                let decision = Decision::Skip { reason: reason.into() };
                decide(&desk, &named(&run)?, decision, step.map(|step| StepId::new(&step)), here).await
            }
            RunsCommand::Undo { run, step, reason, here } => {
                let step = step.map(|step| StepId::new(&step));
                let decision = Decision::Undo { reason: reason.into(), step };
                decide(&desk, &named(&run)?, decision, None, here).await
            }
            RunsCommand::HandOver { run } => hand_over(&desk, &named(&run)?).await,
            RunsCommand::Resume { run, confirm, reason, accept_damage, take_over, json } => {
                let how = TakeUp { accept_damage, take_over: take_over.map(Text::new), ..TakeUp::default() };
                let started = desk.take_up(&named(&run)?, &confirm, &reason, how).await?;
                follow(started, json).await
            }
            RunsCommand::Import { run } => import(&desk, &named(&run)?).await,
            RunsCommand::Report { run, format } => report::print(&desk, &named(&run)?, format).await,
        }
    });
    runtime.shutdown_background();
    ended
}

fn named(run: &str) -> Result<RunId, Failure> {
    RunId::parse(run).ok_or_else(|| {
        Failure::new(
            Exit::Usage,
            format_args!("`{run}` is no name of a run; `switchtower runs list` names all"),
        )
    })
}

async fn list(desk: &Desk, json: bool) -> Result<Exit, Failure> {
    let listed = desk.listed().await?;
    let lease = desk.lease_state().await;
    if json {
        let runs: Vec<_> = listed
            .iter()
            .map(|run| {
                json!({
                    "run": run.id, "runbook": run.opening.as_ref().map(|opening| &opening.runbook),
                    "region": run.opening.as_ref().and_then(|opening| opening.params.region.as_ref()),
                    "began": run.began, "state": standing(run), "outcome": run.outcome, "waits": run.waits,
                    "damage": run.damage.iter().map(ToString::to_string).collect::<Vec<_>>(),
                })
            })
            .collect();
        let holder = match &lease {
            LeaseState::Held(view) => json!(view),
            _ => json!(null),
        };
        out::print(&format!("{}\n", json!({"schema": "switchtower.runs/1", "lease": holder, "runs": runs})))?;
        return Ok(Exit::Done);
    }
    for run in &listed {
        let outcome = run.outcome.map_or_else(|| standing(run), Outcome::word);
        let waits = if run.waits { ", waits for the operator" } else { "" };
        out::print(&format!("{}  {outcome}{waits}\n", run.id))?;
    }
    if listed.is_empty() {
        out::say(&format!(
            "no runs of {} on this host{}",
            desk.session.topology.application,
            if desk.lease().is_some() {
                "; `switchtower runs import ID` brings one of another host"
            } else {
                ""
            }
        ));
    }
    match lease {
        LeaseState::Held(view) => out::say(&Desk::held_by(&view)),
        LeaseState::Unreachable(why) => out::say(&format!("who holds the lease cannot be told: {why}")),
        LeaseState::Free | LeaseState::NotConfigured | LeaseState::Unread => {}
    }
    Ok(Exit::Done)
}

fn standing(run: &RunSummary) -> &'static str {
    match run.state {
        _ if run.never_began() => "never began",
        RunState::Running => "running",
        RunState::Halted => "halted",
        RunState::Interrupted => "interrupted",
        RunState::Ended => "ended",
    }
}

fn print(entry: &Entry, json: bool, telling: &mut lines::Telling) -> Result<bool, Failure> {
    let line = if json { lines::json(entry) } else { Some(telling.line(entry)) };
    line.map_or(Ok(true), |line| out::print(&format!("{line}\n")))
}

async fn show(desk: &Desk, run: &RunId, json: bool) -> Result<Exit, Failure> {
    let told = desk.told(run).await?;
    if let (false, Some(Event::Opened { plan, .. })) = (json, told.entries.first().map(|entry| &entry.event))
    {
        out::print(&lines::plan(plan))?;
    }
    let mut telling = lines::Telling::default();
    for entry in &told.entries {
        if !print(entry, json, &mut telling)? {
            return Ok(Exit::Done);
        }
    }
    for damage in &told.damage {
        out::say(&format!("switchtower: the journal is damaged: {damage}"));
    }
    Ok(Exit::Done)
}

/// Follows the run until it ends; leaving does not touch it.
async fn attach(desk: &Desk, run: &RunId, json: bool) -> Result<Exit, Failure> {
    let folder = journal::folder_of(desk.runs(), run).map_err(unreadable)?;
    let mut follow = Follow::begin(&folder, desk.clock());
    let mut ended = Exit::Done;
    let mut telling = lines::Telling::default();
    while let Some(followed) = follow.next().await {
        match followed {
            Followed::Entry(entry) => {
                if let Event::Ended { outcome, .. } = &entry.event {
                    ended = exit(*outcome);
                }
                if !print(&entry, json, &mut telling)? {
                    return Ok(ended);
                }
            }
            Followed::Damaged(damage) => out::say(&format!("switchtower: the journal is damaged: {damage}")),
            Followed::Left => {
                let name = confirmed_by(&desk.told(run).await?.entries);
                out::say(&format!(
                    "switchtower: its process is gone; go on with `switchtower runs resume {run} --confirm {}`",
                    quoted(&name)
                ));
                return Ok(Exit::Halted);
            }
            Followed::Failed(error) => return Err(unreadable(error)),
        }
    }
    Ok(ended)
}

/// Tells a decision to the process that has the run; a run that nobody has is taken up here, and goes on by it.
async fn decide(
    desk: &Desk,
    run: &RunId,
    decision: Decision,
    step: Option<StepId>,
    here: Here,
) -> Result<Exit, Failure> {
    let told = desk.told(run).await?;
    let aborting = matches!(decision, Decision::Abort { .. });
    let held = holder(desk, run).await?.is_some();
    if held && !aborting && !journal::stand(&told.entries, false).waits {
        let words = format!(
            "{run} goes on and waits for nobody; `switchtower runs abort {run} --reason TEXT` stops it"
        );
        return Err(Failure::new(Exit::Usage, words));
    }
    if !held {
        ended(run, &told.entries)?;
    }
    meant(run, &told.entries, &decision, step.as_ref())?;
    say_undo(&told.entries, &decision);
    if held && told_to(desk, run, decision.clone(), told.entries.len()).await? {
        out::say(&format!("switchtower: told {run}; watch it with `switchtower runs attach {run}`"));
        return Ok(Exit::Done);
    }
    let Some(typed) = here.confirm else {
        let name = confirmed_by(&told.entries);
        return Err(Failure::new(
            Exit::Usage,
            format_args!(
                "no process has {run}; to take it up here and go on by this decision, add --confirm {name}"
            ),
        ));
    };
    let reason = match &decision {
        Decision::Skip { reason } | Decision::Undo { reason, .. } | Decision::Abort { reason } => {
            reason.clone()
        }
        Decision::Retry | Decision::HandOver => "tried again".into(),
    };
    let how = TakeUp {
        accept_damage: here.accept_damage,
        take_over: here.take_over.map(Text::new),
        attended: false,
        decided: Some(decision),
    };
    let started = desk.take_up(run, &typed, reason.as_str(), how).await?;
    follow(started, here.json).await
}

/// A run that has ended takes no decision. One that was stopped can be taken up again, and one that halted waits.
fn ended(run: &RunId, told: &[Entry]) -> Result<(), Failure> {
    match journal::stand(told, false).outcome {
        None | Some(Outcome::Halted | Outcome::Aborted) => Ok(()),
        Some(outcome) => Err(Failure::new(
            Exit::Usage,
            format_args!("{run} has ended ({}); there is nothing to go on with", outcome.word()),
        )),
    }
}

/// Whether the decision answers anything: a skip is about the step that the run waits at and about no other, and an undo
/// about a step that changed something which can be brought back.
fn meant(run: &RunId, told: &[Entry], decision: &Decision, step: Option<&StepId>) -> Result<(), Failure> {
    let wrong = |words: String| Err(Failure::new(Exit::Usage, words));
    match (decision, asked_about(told), step) {
        (Decision::Skip { .. }, None, _) => wrong(format!(
            "no step of {run} has failed, so there is none to skip; `switchtower runs show {run}`"
        )),
        (Decision::Skip { .. }, Some(asked), Some(step)) if asked != *step => wrong(format!(
            "{run} halted at {asked}, not at {step}; only the step that it waits at can be skipped"
        )),
        (Decision::Undo { step: Some(step), .. }, ..) => {
            let undoable =
                plan_of(told).map(|plan| undo::undoable(plan, &undo::used(told))).unwrap_or_default();
            if undoable.contains(step) {
                return Ok(());
            }
            let listed: Vec<&str> = undoable.iter().map(StepId::as_str).collect();
            let can = if listed.is_empty() {
                "none can".to_owned()
            } else {
                format!("these can: {}", listed.join(", "))
            };
            wrong(format!(
                "{step} of {run} cannot be undone: it is not its step, or changed nothing that can be brought back; {can}"
            ))
        }
        _ => Ok(()),
    }
}

/// What is about to be undone: the exact calls, what they change, and what was done after it.
fn say_undo(told: &[Entry], decision: &Decision) {
    let Decision::Undo { step, .. } = decision else { return };
    let Some(plan) = plan_of(told) else { return };
    let (used, states) = (undo::used(told), states(told));
    let wanted = undo::undoable(plan, &used);
    for id in wanted.iter().filter(|id| step.as_ref().is_none_or(|step| step == *id)) {
        let ways = used.get(id).map(Vec::as_slice).unwrap_or_default();
        let Some(undoing) = Undoing::of(plan, id, ways) else { continue };
        out::say(&format!("switchtower: undo of {id}: {}", undoing.step.title));
        for back in &undoing.calls {
            out::say(&format!("  {}", back.operation.call()));
            for change in &back.changes {
                out::say(&format!("    {change}"));
            }
        }
        let after = undoing.dependents.iter().filter(|after| states.contains_key(&after.id));
        let after: Vec<&str> = after.map(|after| after.id.as_str()).collect();
        if step.is_some() && !after.is_empty() {
            out::say(&format!("  begun after it, and left as they are: {}", after.join(", ")));
        }
    }
}

fn plan_of(told: &[Entry]) -> Option<&Plan> {
    told.iter().find_map(|entry| match &entry.event {
        Event::Opened { plan, .. } => Some(&**plan),
        _ => None,
    })
}

/// What has to be typed for a run, as its plan says.
fn confirmed_by(told: &[Entry]) -> String {
    plan_of(told).map_or_else(|| "NAME".to_owned(), |plan| plan.confirm.to_string())
}

async fn holder(desk: &Desk, run: &RunId) -> Result<Option<Holder>, Failure> {
    let folder = journal::folder_of(desk.runs(), run).map_err(unreadable)?;
    tokio::task::spawn_blocking(move || Lock::holder(&folder)).await.map_err(Failure::error)
}

/// Leaves a decision in the run's control file and looks whether it was heard: a run that nobody attends ends at its
/// halt, perhaps right now. False when its process is gone and has not heard it.
async fn told_to(desk: &Desk, run: &RunId, decision: Decision, known: usize) -> Result<bool, Failure> {
    let folder = journal::folder_of(desk.runs(), run).map_err(unreadable)?;
    let (by, at) = (local_user(), desk.clock().now());
    let sending = tokio::task::spawn_blocking(move || control::send(&folder, decision, by, at));
    sending.await.map_err(Failure::error)?.map_err(Failure::error)?;
    let until = at + HEARD;
    loop {
        let told = desk.told(run).await?;
        let newer = told.entries.get(known..).unwrap_or_default();
        if newer.iter().any(|entry| matches!(entry.event, Event::Decided { .. })) {
            return Ok(true);
        }
        if holder(desk, run).await?.is_none() {
            return Ok(false);
        }
        if desk.clock().now() >= until {
            out::say("switchtower: its process has not heard it yet; it will when it goes on");
            return Ok(true);
        }
        desk.clock().sleep(journal::POLL).await;
    }
}

async fn hand_over(desk: &Desk, run: &RunId) -> Result<Exit, Failure> {
    let told = desk.told(run).await?;
    let resume =
        format!("`switchtower runs resume {run} --confirm {}`", quoted(&confirmed_by(&told.entries)));
    let held = holder(desk, run).await?.is_some();
    if !held {
        ended(run, &told.entries)?;
    } else if !journal::stand(&told.entries, false).waits {
        let words = format!("{run} goes on and waits for nobody; there is nothing to hand over yet");
        return Err(Failure::new(Exit::Usage, words));
    }
    if held && told_to(desk, run, Decision::HandOver, told.entries.len()).await? {
        out::say(&format!("switchtower: told {run}; go on with {resume}, here or elsewhere"));
    } else {
        out::say(&format!("switchtower: no process has {run}; whoever goes on: {resume}"));
    }
    Ok(Exit::Done)
}

async fn import(desk: &Desk, run: &RunId) -> Result<Exit, Failure> {
    let Some(lease) = desk.lease() else {
        return Err(Failure::new(
            Exit::Usage,
            "the topology names no lease table, so nothing was copied anywhere",
        ));
    };
    let application = &desk.session.topology.application;
    let entries = lease.entries(application, run).await.map_err(Failure::error)?;
    let count = entries.len();
    if entries.is_empty() {
        let words = format!(
            "the lease table holds nothing of {run}; look at its name, or resume it on the host that ran it"
        );
        return Err(Failure::new(Exit::Usage, words));
    }
    journal::import(desk.runs(), run, entries, &"the lease table".into(), desk.clock().now())
        .map_err(unreadable)?;
    out::say(&format!(
        "switchtower: {count} entries of {run} are here now; look with `switchtower runs show {run}`"
    ));
    Ok(Exit::Done)
}
