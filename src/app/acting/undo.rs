//! Undoing at a halt: one step, or all of them.
//!
//! What it is for: the list from which the operator picks what is undone, and the question that follows.
//! What it must not do: send anything by one key, or offer a step that the run has not named as undoable.

use super::prompt::{Deciding, Field, Prompt, Purpose};
use super::{RunState, Screen};
use crate::app::screen::Scroll;
use crate::app::{App, Effect};
use crate::runbook::{RunId, StepId};

/// The list of what a run that waits can take back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UndoList {
    /// Which run.
    pub run: RunId,
    /// The step that the cursor is on; `None` for all of them.
    pub step: Option<StepId>,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

impl UndoList {
    /// What can be picked, in the order in which it stands there: each undoable step, the newest first, then all.
    pub fn rows(run: &RunState) -> Vec<Option<StepId>> {
        let undoable = run.halt().map(|halt| halt.undoable.as_slice()).unwrap_or_default();
        let steps = undoable.iter().cloned().map(Some);
        if undoable.is_empty() { Vec::new() } else { steps.chain([None]).collect() }
    }

    /// Moves the cursor by rows.
    pub(crate) fn step(&mut self, run: &RunState, sign: isize) {
        let rows = Self::rows(run);
        let at = rows.iter().position(|row| *row == self.step).unwrap_or(0);
        let to = at.saturating_add_signed(sign).min(rows.len().saturating_sub(1));
        if let Some(row) = rows.get(to) {
            self.step.clone_from(row);
        }
        self.scroll.follow();
    }
}

impl App {
    /// Opens the list of what can be undone, on the newest step.
    pub(crate) fn list_undo(&mut self) -> Vec<Effect> {
        let Screen::Run(view) = self.screen() else { return Vec::new() };
        let run = view.run.clone();
        if let Some(why) = self.cannot_decide(&run, Deciding::Undo) {
            return self.acting.say(why);
        }
        let newest = self.acting.run(&run).and_then(|state| UndoList::rows(state).into_iter().next());
        let Some(step) = newest else { return self.acting.say("nothing that was done can be undone") };
        let scroll = Scroll::default();
        scroll.follow();
        self.push_once(Screen::Undo(UndoList { run, step, scroll }))
    }

    /// Enter on the list: asks for the word and the reason.
    pub(crate) fn undo_this(&mut self) -> Vec<Effect> {
        let Screen::Undo(list) = self.screen() else { return Vec::new() };
        let (id, step) = (list.run.clone(), list.step.clone());
        if let Some(why) = self.cannot_decide(&id, Deciding::Undo) {
            return self.acting.say(why);
        }
        let Some(run) = self.acting.run(&id) else { return Vec::new() };
        if !UndoList::rows(run).contains(&step) {
            return self.acting.say("that cannot be undone any more");
        }
        let title = match &step {
            Some(step) => {
                let title = run.step(step).map_or(step.as_str(), |step| step.title.as_str());
                format!("undo: {title}")
            }
            None => {
                let count = UndoList::rows(run).len() - 1;
                format!("undo all {count} undoable steps of {}, newest first, and end it", run.name())
            }
        };
        let fields = vec![Field::word("type", "undo"), Field::reason()];
        self.acting.prompt = Some(Prompt::new(Purpose::Undo { run: id, step }, title, fields));
        Vec::new()
    }

    /// Moves the cursor of the list; false when no list is on top.
    pub(crate) fn step_undo(&mut self, sign: isize) -> bool {
        let Some(Screen::Undo(list)) = self.screens.last_mut() else { return false };
        if let Some(run) = self.acting.run(&list.run) {
            list.step(run, sign);
        }
        true
    }
}
