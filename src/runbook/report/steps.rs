//! The steps of a run and their calls.
//!
//! What it is for: folding entries into one line a step, with its evidence and everything that was sent for it.
//! What it must not do: leave out a step or call that no plan names; a journal may have lost its beginning.

use jiff::Timestamp;
use serde::Serialize;

use super::{between, seconds};
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::event::{ActFailure, Entry, Event};
use crate::runbook::journal::Told;
use crate::runbook::operation::Operation;
use crate::runbook::plan::{Plan, Step, StepId};
use crate::runbook::state::StepState;
use crate::runbook::undo::UNDO;

/// One step.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StepReport {
    /// Its number in the plan, from 1.
    pub number: usize,
    /// Its name.
    pub id: StepId,
    /// What it does.
    pub title: Text,
    /// Where; `None` for the fleet.
    pub region: Option<Region>,
    /// Where it stands.
    pub state: StepState,
    /// When it began, the last time.
    pub began: Option<Timestamp>,
    /// When it came to its end.
    pub ended: Option<Timestamp>,
    /// From its beginning, seconds.
    pub took_s: Option<f64>,
    /// What proves it, why it failed, or how far it was seen.
    pub evidence: Text,
    /// How often it was begun.
    pub tries: u32,
    /// What changes, as the plan said.
    pub changes: Vec<Text>,
    /// Its calls, oldest first; one that was sent again is one more.
    pub calls: Vec<CallReport>,
    /// Ways that were given up for the next one.
    pub given_up: Vec<GivenUp>,
    /// True when a part of it stands after damage in the journal.
    pub doubtful: bool,
}

/// One call.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct CallReport {
    /// When it was about to be sent.
    pub at: Timestamp,
    /// Region that signs and answers.
    pub region: Region,
    /// `route53:UpdateHealthCheck`.
    pub call: String,
    /// In a few words.
    pub words: String,
    /// The equivalent line of the `aws` command.
    pub aws: String,
    /// Which of the step's ways, from 1.
    pub way: usize,
    /// The evacuation method of that way.
    pub method: Option<EvacuationMethod>,
    /// True for the undo of a step.
    pub undo: bool,
    /// How many times it was sent before.
    pub attempt: u32,
    /// What became of it.
    pub fate: Fate,
    /// When that was known.
    pub answered: Option<Timestamp>,
    /// AWS's request id.
    pub request_id: Option<Text>,
    /// Why it was not plainly accepted.
    pub why: Option<Text>,
    /// True when it stands after damage in the journal.
    pub doubtful: bool,
    #[serde(skip)]
    number: usize,
}

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Fate {
    /// Written down, and the journal tells no answer: nobody knows whether it was sent.
    NoAnswer,
    /// Accepted by AWS, which proves nothing yet.
    Accepted,
    /// AWS was busy, or what was seen had moved on: nothing changed.
    Busy,
    /// AWS refused: nothing changed.
    Refused,
    /// It never left.
    NotSent,
    /// Sent, and no answer came: it was found out by looking.
    Unknown,
}

/// A way that was given up.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct GivenUp {
    /// When.
    pub at: Timestamp,
    /// Which, from 1.
    pub way: usize,
    /// The evacuation method, when it is one.
    pub method: Option<EvacuationMethod>,
    /// Why.
    pub why: Text,
}

impl Fate {
    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NoAnswer => "no answer recorded",
            Self::Accepted => "accepted",
            Self::Busy => "busy, nothing changed",
            Self::Refused => "refused",
            Self::NotSent => "not sent",
            Self::Unknown => "sent, outcome unknown",
        }
    }
}

/// The steps as plan and entries tell them.
pub(super) fn of(plan: Option<&Plan>, told: &Told) -> Vec<StepReport> {
    let planned = plan.map(|plan| plan.steps.as_slice()).unwrap_or_default();
    let mut steps: Vec<StepReport> =
        planned.iter().enumerate().map(|(index, step)| StepReport::planned(index + 1, step)).collect();
    for (entry, doubtful) in told.marked() {
        take(&mut steps, plan, entry, doubtful);
    }
    steps
}

fn take(steps: &mut Vec<StepReport>, plan: Option<&Plan>, entry: &Entry, doubtful: bool) {
    let at = entry.at;
    let method = |id: &StepId, way: usize| plan?.step(id)?.ways.get(way)?.method;
    match &entry.event {
        Event::StepBegan { step } => {
            let step = touch(steps, step, doubtful);
            step.state = StepState::UnderWay;
            step.began = Some(at);
            step.ended = None;
            step.took_s = None;
            step.evidence = Text::default();
            step.tries += 1;
        }
        Event::StepHeld { step, evidence } => {
            touch(steps, step, doubtful).end(at, StepState::Held, evidence);
        }
        Event::StepDone { step, evidence, .. } => {
            touch(steps, step, doubtful).end(at, StepState::Done, evidence);
        }
        Event::StepFailed { step, why, passed } => {
            let state = if *passed { StepState::Passed } else { StepState::Failed };
            touch(steps, step, doubtful).end(at, state, why);
        }
        Event::StepSkipped { step, reason } => {
            touch(steps, step, doubtful).end(at, StepState::Skipped, reason);
        }
        Event::StepUndone { step } => {
            let step = touch(steps, step, doubtful);
            step.state = StepState::Undone;
            step.ended = Some(at);
        }
        Event::Progress { step, judgement } => {
            let step = touch(steps, step, doubtful);
            if step.state == StepState::UnderWay {
                step.evidence = judgement.words().clone();
            }
        }
        Event::Intent { step, way, call, attempt, operation, .. } => {
            let sent = CallReport {
                method: method(step, *way),
                ..CallReport::sent(at, operation, *way, *call, *attempt, doubtful)
            };
            touch(steps, step, doubtful).calls.push(sent);
        }
        Event::Applied { step, way, call, request_id } => {
            if let Some(sent) = touch(steps, step, doubtful).sent(*way, *call) {
                sent.fate = Fate::Accepted;
                sent.answered = Some(at);
                sent.request_id.clone_from(request_id);
            }
        }
        Event::NotApplied { step, way, call, failure } => {
            if let Some(sent) = touch(steps, step, doubtful).sent(*way, *call) {
                sent.fate = fate(failure);
                sent.answered = Some(at);
                sent.why = Some(failure.why().clone());
            }
        }
        Event::WayGivenUp { step, way, why } => {
            let given_up = GivenUp { at, way: way + 1, method: method(step, *way), why: why.clone() };
            touch(steps, step, doubtful).given_up.push(given_up);
        }
        Event::Opened { .. }
        | Event::Resumed { .. }
        | Event::Lease { .. }
        | Event::Halted { .. }
        | Event::Decided { .. }
        | Event::Notified { .. }
        | Event::Unjournaled { .. }
        | Event::Sampled { .. }
        | Event::Marked { .. }
        | Event::RecoveryPoint { .. }
        | Event::Aftermath { .. }
        | Event::Noted { .. }
        | Event::Ended { .. } => {}
    }
}

fn fate(failure: &ActFailure) -> Fate {
    match failure {
        ActFailure::Busy { .. } | ActFailure::Moved { .. } => Fate::Busy,
        ActFailure::Refused { .. } | ActFailure::Credentials { .. } => Fate::Refused,
        ActFailure::NotSent { .. } => Fate::NotSent,
        ActFailure::Unknown { .. } => Fate::Unknown,
    }
}

/// The step with this name; one that no plan has is added.
fn touch<'a>(steps: &'a mut Vec<StepReport>, id: &StepId, doubtful: bool) -> &'a mut StepReport {
    let at = steps.iter().position(|step| &step.id == id).unwrap_or_else(|| {
        steps.push(StepReport::unknown(steps.len() + 1, id));
        steps.len() - 1
    });
    let step = &mut steps[at];
    step.doubtful |= doubtful;
    step
}

impl StepReport {
    fn planned(number: usize, step: &Step) -> Self {
        Self {
            title: step.title.clone(),
            region: step.region.clone(),
            changes: step.changes.clone(),
            ..Self::unknown(number, &step.id)
        }
    }

    fn unknown(number: usize, id: &StepId) -> Self {
        Self {
            number,
            id: id.clone(),
            title: id.as_str().into(),
            region: None,
            state: StepState::NotBegun,
            began: None,
            ended: None,
            took_s: None,
            evidence: Text::default(),
            tries: 0,
            changes: Vec::new(),
            calls: Vec::new(),
            given_up: Vec::new(),
            doubtful: false,
        }
    }

    fn end(&mut self, at: Timestamp, state: StepState, words: &Text) {
        self.state = state;
        self.ended = Some(at);
        self.took_s = self.began.map(|began| seconds(between(began, at)));
        self.evidence = words.clone();
    }

    /// The newest call with this place.
    fn sent(&mut self, way: usize, call: usize) -> Option<&mut CallReport> {
        self.calls.iter_mut().rev().find(|sent| sent.way == way.saturating_add(1) && sent.number == call)
    }
}

impl CallReport {
    fn sent(
        at: Timestamp,
        operation: &Operation,
        way: usize,
        call: usize,
        attempt: u32,
        doubtful: bool,
    ) -> Self {
        let form = operation.call();
        Self {
            at,
            region: form.region,
            call: format!("{}:{}", form.service, form.operation),
            words: operation.sentence(),
            aws: operation.cli(),
            way: way.saturating_add(1),
            method: None,
            undo: call >= UNDO,
            attempt,
            fate: Fate::NoAnswer,
            answered: None,
            request_id: None,
            why: None,
            doubtful,
            number: call,
        }
    }
}

/// How many steps stand how, in words.
pub(super) fn tally(steps: &[StepReport]) -> String {
    const ORDER: [StepState; 8] = [
        StepState::Done,
        StepState::Held,
        StepState::Passed,
        StepState::Failed,
        StepState::Skipped,
        StepState::Undone,
        StepState::UnderWay,
        StepState::NotBegun,
    ];
    let counted = ORDER.iter().filter_map(|state| {
        let count = steps.iter().filter(|step| step.state == *state).count();
        (count > 0).then(|| format!("{count} {}", state.phrase()))
    });
    let words: Vec<String> = counted.collect();
    match (steps.len(), words.is_empty()) {
        (_, true) => "no step is known".to_owned(),
        (1, _) => format!("of 1 step {}", words.join(", ")),
        (count, _) => format!("of {count} steps {}", words.join(", ")),
    }
}
