//! What the operator tells a run.
//!
//! What it is for: abort at any time, and the decisions at a halt, each asked for in a prompt.
//! What it must not do: change what is shown of the run; only the run's own events do.

use super::prompt::{Deciding, Field, Prompt, Purpose};
use super::run::Standing;
use super::{RunView, Screen};
use crate::app::{App, Effect};
use crate::domain::text::Text;
use crate::runbook::{Decision, RunId, StepId, StepState};

impl App {
    /// Shows the current run, and back.
    pub(crate) fn view_run(&mut self) -> Vec<Effect> {
        if matches!(self.screen(), Screen::Run(_)) {
            self.pop();
            return Vec::new();
        }
        match self.acting.current().map(|(id, _)| id.clone()) {
            Some(run) => self.push_once(Screen::Run(RunView::new(run))),
            None => self.acting.say("no run in this session"),
        }
    }

    /// Why a run cannot be told this now; `None` when it can.
    pub(super) fn cannot_decide(&self, id: &RunId, deciding: Deciding) -> Option<String> {
        let run = self.acting.run(id)?;
        match (&run.standing, deciding) {
            (Standing::Ended { .. }, _) => return Some("this run has ended".to_owned()),
            (Standing::Stopping, _) => return Some("this run was told to stop".to_owned()),
            (Standing::Running | Standing::Undoing, Deciding::Abort) | (Standing::Halted(_), _) => {}
            (Standing::Running | Standing::Undoing, _) => {
                return Some("the run goes on; this is for a run that waits".to_owned());
            }
        }
        // What sends more calls wants an armed console; to stop, none is needed.
        let armed = !deciding.sends_calls() || self.is_armed_for_run(id);
        (!armed).then(|| format!("read-only: arm with A, then {}", deciding.word()))
    }

    /// True while the console is armed for what this run does: a cleanup wants an arming of its own.
    pub(super) fn is_armed_for_run(&self, id: &RunId) -> bool {
        let opening = self.acting.run(id).and_then(|run| run.opening.as_ref());
        let cleanup = opening.is_some_and(|opening| opening.runbook.as_str() == "cleanup");
        self.acting.armed(self.fleet.now()).is_some_and(|armed| armed.cleanup == cleanup)
    }

    /// Asks for the words that a decision needs.
    pub(crate) fn decide(&mut self, deciding: Deciding) -> Vec<Effect> {
        let Screen::Run(view) = self.screen() else { return Vec::new() };
        let id = view.run.clone();
        if let Some(why) = self.cannot_decide(&id, deciding) {
            return self.acting.say(why);
        }
        let Some(run) = self.acting.run(&id) else { return Vec::new() };
        let name = run.name();
        let asked = run.halt().and_then(|halt| halt.failed.clone());
        let asked = asked.and_then(|step| run.step(&step));
        let again = asked.is_some_and(|step| step.state == StepState::Undone);
        let title = asked.map_or_else(|| "the step".into(), |step| step.title.clone());
        let (title, fields) = match deciding {
            Deciding::Retry if again => (format!("do again what was undone: {title}"), Vec::new()),
            Deciding::Retry => (format!("try again: {title}"), Vec::new()),
            Deciding::Skip => (format!("go on without: {title}"), vec![Field::reason()]),
            Deciding::Undo => return self.list_undo(),
            Deciding::HandOver => (format!("end {name} here as halted; anyone may resume it"), Vec::new()),
            Deciding::Abort => (
                format!("abort {name}: it stops before its next call"),
                vec![Field::word("type", "abort"), Field::reason()],
            ),
        };
        self.acting.prompt = Some(Prompt::new(Purpose::Decide(id, deciding), title, fields));
        Vec::new()
    }

    /// The words were typed.
    pub(crate) fn decided(&mut self, run: RunId, deciding: Deciding, reason: Text) -> Vec<Effect> {
        let decision = match deciding {
            Deciding::Retry => Decision::Retry,
            Deciding::Skip => Decision::Skip { reason },
            Deciding::Undo => Decision::Undo { reason, step: None },
            Deciding::HandOver => Decision::HandOver,
            Deciding::Abort => Decision::Abort { reason },
        };
        self.tell_run(run, deciding, decision)
    }

    /// The words for an undo were typed.
    pub(crate) fn decided_undo(&mut self, run: RunId, step: Option<StepId>, reason: Text) -> Vec<Effect> {
        // Back to where it is seen going on.
        if matches!(self.screen(), Screen::Undo(_)) {
            self.pop();
        }
        self.tell_run(run, Deciding::Undo, Decision::Undo { reason, step })
    }

    fn tell_run(&mut self, run: RunId, deciding: Deciding, decision: Decision) -> Vec<Effect> {
        // The run may have moved on while the words were typed.
        let waits = self.acting.run(&run).is_some_and(|run| run.halt().is_some());
        let live = self.acting.run(&run).is_some_and(super::RunState::is_live);
        if !(waits || live && deciding == Deciding::Abort) {
            return self.acting.say(format!("too late to {}: the run has moved on", deciding.word()));
        }
        self.acting.say(format!("{} asked; the run's own words follow", deciding.word()));
        vec![Effect::Decide(run, decision)]
    }

    /// Ends the console; while a run goes on, only on a typed word.
    pub(crate) fn quit(&mut self) -> Vec<Effect> {
        let Some((_, run)) = self.acting.current().filter(|(_, run)| run.is_live()) else {
            return vec![Effect::Quit];
        };
        let title = format!("{} is under way; leaving does not abort it", run.name());
        self.acting.prompt = Some(Prompt::new(Purpose::Leave, title, vec![Field::word("type", "leave")]));
        Vec::new()
    }
}
