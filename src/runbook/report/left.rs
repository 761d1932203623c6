//! What a run leaves: what is not done, what can be undone, and what comes next.
//!
//! What it is for: the part of a ticket that somebody must act on. What it must not do: count an undo as possible
//! whose plan has none.

use serde::Serialize;

use super::steps::{Fate, StepReport};
use crate::runbook::event::{Outcome, RunId};
use crate::runbook::journal::RunState;
use crate::runbook::plan::{Plan, StepId};
use crate::runbook::print::quoted;
use crate::runbook::state::StepState;

/// What is left.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Left {
    /// Steps that failed and were not passed.
    pub failed: Vec<StepId>,
    /// Steps that were undone by themselves: they are done again only when somebody says so.
    pub undone: Vec<StepId>,
    /// Steps that failed and were passed: the run went on without them.
    pub passed: Vec<StepId>,
    /// Steps that were begun and have no end.
    pub under_way: Vec<StepId>,
    /// Steps that were never begun.
    pub not_begun: Vec<StepId>,
    /// Calls that would bring back what was changed, the newest step first.
    pub undo: Vec<Undo>,
    /// Steps whose calls nothing brings back.
    pub for_good: Vec<StepId>,
    /// What to do next.
    pub next: Vec<Next>,
}

/// Something to do next.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Next {
    /// What.
    pub words: String,
    /// The command line that does it.
    pub command: Option<String>,
}

/// The undo of one step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Undo {
    /// Which step.
    pub step: StepId,
    /// What its undo does, a line a call.
    pub words: Vec<String>,
    /// The same as lines of the `aws` command.
    pub aws: Vec<String>,
}

pub(super) fn of(
    run: &RunId,
    plan: Option<&Plan>,
    steps: &[StepReport],
    state: RunState,
    outcome: Option<Outcome>,
    waits: bool,
) -> Left {
    let which = |state: StepState| -> Vec<StepId> {
        steps.iter().filter(|step| step.state == state).map(|step| step.id.clone()).collect()
    };
    let mut left = Left {
        failed: which(StepState::Failed),
        undone: if outcome == Some(Outcome::Undone) { Vec::new() } else { which(StepState::Undone) },
        passed: which(StepState::Passed),
        under_way: which(StepState::UnderWay),
        not_begun: which(StepState::NotBegun),
        next: next(run, plan, state, outcome, waits),
        ..Left::default()
    };
    for step in steps.iter().rev().filter(|step| step.state != StepState::Undone) {
        let Some(planned) = plan.and_then(|plan| plan.step(&step.id)) else { continue };
        // What was refused, or never left, changed nothing.
        let may_have_acted = |fate| matches!(fate, Fate::Accepted | Fate::Unknown | Fate::NoAnswer);
        let used = |way: usize| {
            let mut calls = step.calls.iter().filter(|call| !call.undo && call.way == way + 1);
            calls.any(|call| may_have_acted(call.fate))
        };
        let ways = planned.ways.iter().enumerate().filter(|(index, _)| used(*index)).map(|(_, way)| way);
        let mut undo = Undo { step: step.id.clone(), words: Vec::new(), aws: Vec::new() };
        let mut any = false;
        for way in ways {
            any = true;
            undo.words.extend(way.undo.iter().map(crate::runbook::Operation::sentence));
            undo.aws.extend(way.undo.iter().map(crate::runbook::Operation::cli));
        }
        match (any, undo.words.is_empty()) {
            (false, _) => {}
            (true, true) => left.for_good.push(step.id.clone()),
            (true, false) => left.undo.push(undo),
        }
    }
    left
}

fn next(
    run: &RunId,
    plan: Option<&Plan>,
    state: RunState,
    outcome: Option<Outcome>,
    waits: bool,
) -> Vec<Next> {
    // A name in a journal is a word of a shell, whatever it looks like.
    let confirm = plan.map_or_else(|| "NAME".to_owned(), |plan| quoted(plan.confirm.as_str()));
    let region = plan.and_then(|plan| plan.params.region.as_ref());
    let next = |words: &str, command: String| vec![Next { words: words.to_owned(), command: Some(command) }];
    let words = |words: &str| vec![Next { words: words.to_owned(), command: None }];
    let resume = format!("switchtower runs resume {run} --confirm {confirm} --reason TEXT");
    match (state, outcome) {
        (RunState::Running, _) if waits => {
            next("It waits for an answer, retry, skip or undo", format!("switchtower runs retry {run}"))
        }
        (RunState::Running, _) => next("It goes on; follow it", format!("switchtower runs attach {run}")),
        (RunState::Halted, _) => next("Mend what failed, then take it up where it stopped", resume),
        (RunState::Interrupted, _) => next("Take it up from what is true now", resume),
        (RunState::Ended, Some(Outcome::Done)) => {
            let back = plan.filter(|plan| matches!(plan.runbook.as_str(), "drain" | "failover")).and(region);
            back.map_or_else(Vec::new, |region| {
                let name = quoted(region.as_str());
                let restore =
                    format!("switchtower run restore --region {name} --confirm {name} --reason TEXT");
                next(&format!("When {region} is well again"), restore)
            })
        }
        (RunState::Ended, Some(Outcome::Aborted)) => {
            words("It was stopped: decide whether what was done stays, or is undone by the lines below")
        }
        (RunState::Ended, Some(Outcome::Superseded)) => next(
            "Another run went on from here, and its own report tells the rest",
            "switchtower runs list".to_owned(),
        ),
        (RunState::Ended, Some(Outcome::Undone | Outcome::Halted) | None) => Vec::new(),
    }
}
