//! `runs`: what was run, what runs, and taking up what was left.
//!
//! What it is for: list, show, report, attach, abort, resume, import, decide. All of it works from another terminal:
//! it follows the journal and writes the control file of the run.
//! What it must not do: write a journal that another process has.

use serde_json::json;

use super::super::args::{Global, RunsArgs, RunsCommand};
use super::super::exit::{Exit, Failure};
use super::super::out;
use super::super::session::{Session, WORKERS, worker};
use super::desk::local_user;
use super::run::{exit, follow};
use super::{Desk, TakeUp, lines, report};
use crate::domain::text::Text;
use crate::runbook::catalog::LeaseState;
use crate::runbook::journal::{self, Follow, Followed, RunState, control};
use crate::runbook::{Decision, Entry, Event, RunId};

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
            RunsCommand::Abort { run, reason } => {
                decide(&desk, &named(&run)?, Decision::Abort { reason: reason.into() })
            }
            RunsCommand::Retry { run } => decide(&desk, &named(&run)?, Decision::Retry),
            RunsCommand::Skip { run, reason } => {
                decide(&desk, &named(&run)?, Decision::Skip { reason: reason.into() })
            }
            RunsCommand::Undo { run, reason } => {
                decide(&desk, &named(&run)?, Decision::Undo { reason: reason.into() })
            }
            RunsCommand::Resume { run, confirm, reason, accept_damage, take_over, json } => {
                let how = TakeUp { accept_damage, take_over: take_over.map(Text::new), attended: false };
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
                    "began": run.began, "state": state(run.state), "outcome": run.outcome, "waits": run.waits,
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
        let outcome = run.outcome.map_or_else(|| state(run.state), lines::outcome_word);
        let waits = if run.waits { ", waits for the operator" } else { "" };
        out::print(&format!("{}  {outcome}{waits}\n", run.id))?;
    }
    match lease {
        LeaseState::Held(view) => out::say(&Desk::held_by(&view)),
        LeaseState::Unreachable(why) => out::say(&format!("who holds the lease cannot be told: {why}")),
        LeaseState::Free | LeaseState::NotConfigured => {}
    }
    Ok(Exit::Done)
}

fn state(state: RunState) -> &'static str {
    match state {
        RunState::Running => "running",
        RunState::Halted => "halted",
        RunState::Interrupted => "interrupted",
        RunState::Ended => "ended",
    }
}

fn print(entry: &Entry, json: bool, telling: &mut lines::Telling) -> Result<bool, Failure> {
    let line = if json { serde_json::to_string(entry).ok() } else { Some(telling.line(entry)) };
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
    let folder = journal::folder_of(desk.runs(), run).map_err(Failure::error)?;
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
                out::say(&format!(
                    "switchtower: its process is gone; go on with `switchtower runs resume {run}`"
                ));
                return Ok(Exit::Halted);
            }
            Followed::Failed(error) => return Err(Failure::error(error)),
        }
    }
    Ok(ended)
}

fn decide(desk: &Desk, run: &RunId, decision: Decision) -> Result<Exit, Failure> {
    let folder = journal::folder_of(desk.runs(), run).map_err(Failure::error)?;
    control::send(&folder, decision, local_user(), desk.clock().now()).map_err(Failure::error)?;
    out::say(&format!("switchtower: told {run}; watch it with `switchtower runs attach {run}`"));
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
    journal::import(desk.runs(), run, entries, &"the lease table".into(), desk.clock().now())
        .map_err(Failure::error)?;
    out::say(&format!(
        "switchtower: {count} entries of {run} are here now; look with `switchtower runs show {run}`"
    ));
    Ok(Exit::Done)
}
