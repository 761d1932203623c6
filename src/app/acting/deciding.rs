//! What the operator tells a run.
//!
//! What it is for: abort at any time, and the decisions at a halt, each asked for in a prompt.
//! What it must not do: change what is shown of the run; only the run's own events do.

use super::prompt::{Deciding, Field, Prompt, Purpose};
use super::run::Standing;
use super::{RunView, Screen};
use crate::app::{App, Effect};
use crate::domain::text::Text;
use crate::runbook::{Decision, RunId};

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

    /// Asks for the words that a decision needs.
    pub(crate) fn decide(&mut self, deciding: Deciding) -> Vec<Effect> {
        let Screen::Run(view) = self.screen() else { return Vec::new() };
        let id = view.run.clone();
        let now = self.fleet.now();
        let Some(run) = self.acting.run(&id) else { return Vec::new() };
        let name = run.name();
        let failed = run.halt().and_then(|halt| halt.failed.clone());
        let failed = failed.and_then(|step| run.step(&step).map(|step| step.title.clone()));
        let failed = failed.unwrap_or_else(|| "the step".into());
        let undoable = run.halt().map_or(0, |halt| halt.undoable.len());
        match (&run.standing, deciding) {
            (Standing::Ended { .. }, _) => return self.acting.say("this run has ended"),
            (Standing::Stopping, _) => return self.acting.say("this run was told to stop"),
            (Standing::Running, Deciding::Abort) | (Standing::Halted(_), _) => {}
            (Standing::Running, _) => {
                return self.acting.say("the run goes on; this is for a run that waits");
            }
        }
        // What sends more calls wants an armed console; to stop, none is needed.
        let sends = matches!(deciding, Deciding::Retry | Deciding::Skip | Deciding::Undo);
        let cleanup = run.opening.as_ref().is_some_and(|opening| opening.runbook.as_str() == "cleanup");
        if sends && self.acting.armed(now).is_none_or(|armed| armed.cleanup != cleanup) {
            return self.acting.say(format!("read-only: arm with A, then {}", deciding.word()));
        }
        if deciding == Deciding::Undo && undoable == 0 {
            return self.acting.say("nothing that was done can be undone");
        }
        let word = |word: &str| Field::word("type", word);
        let (title, fields) = match deciding {
            Deciding::Retry => (format!("try again: {failed}"), Vec::new()),
            Deciding::Skip => (format!("go on without: {failed}"), vec![Field::reason()]),
            Deciding::Undo => (
                format!("undo the {undoable} undoable steps of {name}, newest first"),
                vec![word("undo"), Field::reason()],
            ),
            Deciding::HandOver => (format!("end {name} here as halted; anyone may resume it"), Vec::new()),
            Deciding::Abort => {
                (format!("abort {name}: it stops before its next call"), vec![word("abort"), Field::reason()])
            }
        };
        self.acting.prompt = Some(Prompt::new(Purpose::Decide(id, deciding), title, fields));
        Vec::new()
    }

    /// The words were typed.
    pub(crate) fn decided(&mut self, run: RunId, deciding: Deciding, reason: Text) -> Vec<Effect> {
        // The run may have moved on while they were.
        let waits = self.acting.run(&run).is_some_and(|run| run.halt().is_some());
        let live = self.acting.run(&run).is_some_and(super::RunState::is_live);
        if !(waits || live && deciding == Deciding::Abort) {
            return self.acting.say(format!("too late to {}: the run has moved on", deciding.word()));
        }
        self.acting.say(format!("{} asked; the run's own words follow", deciding.word()));
        let decision = match deciding {
            Deciding::Retry => Decision::Retry,
            Deciding::Skip => Decision::Skip { reason },
            Deciding::Undo => Decision::Undo { reason },
            Deciding::HandOver => Decision::HandOver,
            Deciding::Abort => Decision::Abort { reason },
        };
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
