//! Confirming a plan, while answers still come.
//!
//! What it is for: nothing starts but the plan that was on the screen while its name was typed. An answer that comes
//! meanwhile is kept back and told; a planned run waits for the reading, an emergency for nobody.
//! What it must not do: start anything by one key, or show another plan than the one that is being confirmed.

use super::dialog::{PlanDialog, Planned, Planning, Reads, Wish};
use super::prompt::{Field, Prompt, Purpose};
use super::{Book, Screen};
use crate::app::event::Start;
use crate::app::{App, Effect};
use crate::runbook::{Digest, Facts};

impl App {
    /// Enter in a dialog: makes the choice that is due, or asks for the words that confirm.
    pub(crate) fn confirm(&mut self) -> Vec<Effect> {
        let now = self.fleet.now();
        let Some(dialog) = self.dialog() else { return Vec::new() };
        if dialog.starting {
            return self.acting.say("it was confirmed; waiting for the run to begin");
        }
        if dialog.planning.basis.is_none() {
            return self.acting.say("a plan is on its way; read it first");
        }
        if dialog.is_startling(now) {
            return self.acting.say("the plan changed just now: read what differs, then Enter");
        }
        dialog.changed = None;
        if !dialog.choices().is_empty() {
            if dialog.choose() {
                return self.plan_again();
            }
            let words = if dialog.is_restoring() {
                "b brings what was saved back, y keeps what is there now"
            } else {
                "this cannot be chosen here; use the command line"
            };
            return self.acting.say(words);
        }
        let (id, book) = (dialog.id, dialog.book);
        let blocked = dialog.blocks().next().map(|finding| (finding.guard.word(), finding.may_override));
        let (Some(plan), Some(digest)) = (dialog.plan().cloned(), dialog.planning.digest.clone()) else {
            return self.acting.say("there is no plan to confirm");
        };
        if self.acting.armed_for(book, now).is_none() {
            let words = match book {
                Book::Cleanup => "cleanup wants an arming of its own: A",
                _ => "read-only: arm with A",
            };
            return self.acting.say(words);
        }
        // A planned run waits for the reading; only what nothing may delay is confirmed on what is known.
        if !book.is_emergency()
            && let Some(dialog) = self.dialog().filter(|dialog| dialog.planning.is_reading())
        {
            dialog.eager = Some(digest);
            return Vec::new();
        }
        match blocked {
            Some((guard, true)) => {
                return self.acting.say(format!("{guard} blocks; o overrides it, with a reason"));
            }
            Some((guard, false)) => {
                return self.acting.say(format!("{guard} blocks, and nothing overrides it"));
            }
            None => {}
        }
        let fields = vec![Field::word("type", plan.confirm.clone()), Field::reason()];
        let purpose = Purpose::Confirm { dialog: id, digest };
        self.acting.prompt = Some(Prompt::new(purpose, plan.summary.clone(), fields));
        Vec::new()
    }

    /// Any key takes back an Enter that came before the world was read.
    pub(crate) fn forget_eager(&mut self) {
        if let Some(dialog) = self.dialog() {
            dialog.eager = None;
        }
    }

    pub(super) fn start(&mut self, id: u64, read: &Digest, prompt: &Prompt) -> Vec<Effect> {
        let now = self.fleet.now();
        let Some(dialog) = self.dialog().filter(|dialog| dialog.id == id) else { return Vec::new() };
        let (book, overrides) = (dialog.book, dialog.overrides);
        if let Some(why) = dialog.objection() {
            return self.acting.say(why);
        }
        // Nothing but the plan that was on the screen while the name was typed.
        let shown = dialog.plan().cloned().zip(dialog.planning.digest.clone());
        let Some((plan, digest)) = shown.filter(|(_, digest)| digest == read) else {
            return self.acting.say("the plan is another one now; read it first");
        };
        let Some(arming) = self.acting.armed_for(book, now).cloned() else {
            return self.acting.say("the armed time is over: arm again with A");
        };
        if let Some(dialog) = self.dialog() {
            dialog.starting = true;
            dialog.refused = None;
        }
        let (typed, reason) = (prompt.word().into(), prompt.reason());
        vec![Effect::Start(Box::new(Start { ticket: id, arming, plan, digest, typed, reason, overrides }))]
    }

    /// The dialog whose plan is being confirmed, or was and has not begun yet: what it shows stays as it was read.
    fn is_confirming(&self, dialog: &PlanDialog) -> bool {
        let typed = self.acting.prompt.as_ref().is_some_and(
            |prompt| matches!(prompt.purpose, Purpose::Confirm { dialog: id, .. } if id == dialog.id),
        );
        typed || dialog.starting
    }

    /// Shows what was held back while a name was typed, as soon as none is any more.
    pub(crate) fn release_held(&mut self) {
        let now = self.fleet.now();
        let held = |screen: &Screen| match screen {
            Screen::Plan(dialog) => dialog.held.is_some() && !self.is_confirming(dialog),
            _ => false,
        };
        let Some(at) = self.screens.iter().position(held) else { return };
        if let Some(Screen::Plan(dialog)) = self.screens.get_mut(at) {
            dialog.release(now);
        }
    }

    /// A dialog or card that lies open renews a plan that grew old, or that what is watched contradicts: quietly, for nothing that
    /// is typed or chosen waits for it.
    pub(crate) fn renew_old(&mut self, seen: bool) -> Vec<Effect> {
        if let Some(Screen::Card(card)) = self.screens.last() {
            let (now, topology) = (self.fleet.now(), self.fleet.topology());
            let facts = seen.then(|| Facts::of_fleet(self.fleet.snapshot(), topology));
            let old = card.is_old(now, facts.as_ref(), &topology.freshness);
            return if old { self.ask_card(Reads::Stale) } else { Vec::new() };
        }
        let Some(Screen::Plan(dialog)) = self.screens.last() else { return Vec::new() };
        let (now, topology) = (self.fleet.now(), self.fleet.topology());
        // What is watched is compared when it comes, and only for a plan that stands there.
        let facts =
            (seen && dialog.plan().is_some()).then(|| Facts::of_fleet(self.fleet.snapshot(), topology));
        if !dialog.is_old(now, facts.as_ref(), &topology.freshness) {
            return Vec::new();
        }
        let ticket = self.acting.ticket();
        let Some(dialog) = self.dialog() else { return Vec::new() };
        dialog.renewal = Some(ticket);
        let (book, params) = (dialog.book, dialog.params.clone());
        let armed = self.acting.armed_for(book, now).is_some();
        vec![Effect::Plan(Wish { ticket, book, params, armed, reads: Reads::Stale })]
    }

    /// A plan was made, for a dialog or for the card.
    pub(crate) fn planned(&mut self, planned: Planned) -> (bool, Vec<Effect>) {
        let (ticket, now) = (planned.ticket, self.fleet.now());
        let awaited = |screen: &Screen| matches!(screen, Screen::Plan(dialog) if dialog.awaits(ticket));
        if let Some(at) = self.screens.iter().position(awaited) {
            let confirming = matches!(&self.screens[at], Screen::Plan(dialog) if self.is_confirming(dialog));
            let Some(Screen::Plan(dialog)) = self.screens.get_mut(at) else { return (false, Vec::new()) };
            if confirming {
                dialog.hold(planned);
                return (true, Vec::new());
            }
            let taken = dialog.take_any(planned, now);
            let effects = if at + 1 == self.screens.len() { self.confirm_eagerly() } else { Vec::new() };
            return (taken, effects);
        }
        let wanted = |planning: &Planning| planning.awaited == Some(ticket);
        let next = self.acting.tickets + 1;
        let armed = self.acting.armed_for(Book::Failover, self.fleet.now()).is_some();
        // A card that lies below goes on being answered.
        let mut cards = self.screens.iter_mut().filter_map(|screen| match screen {
            Screen::Card(card) => Some(card),
            _ => None,
        });
        let Some(card) = cards.find(|card| card.ways.iter().any(wanted)) else { return (false, Vec::new()) };
        let reads = card.reads;
        if let Some(params) = card.assume(planned.plan.as_ref().err())
            && let Some(way) = card.ways.iter_mut().find(|way| wanted(way))
        {
            way.await_answer(next);
            self.acting.tickets = next;
            let wish = Wish { ticket: next, book: Book::Failover, params, armed, reads };
            return (true, vec![Effect::Plan(wish)]);
        }
        if let Some(way) = card.ways.iter_mut().find(|way| wanted(way)) {
            way.answer(planned);
        }
        (true, Vec::new())
    }

    /// Enter was pressed before the world was read: now that it is, the name may be typed, if the plan is still the one
    /// that was on the screen then.
    fn confirm_eagerly(&mut self) -> Vec<Effect> {
        let Some(dialog) = self.dialog().filter(|dialog| !dialog.planning.is_reading()) else {
            return Vec::new();
        };
        let Some(eager) = dialog.eager.take() else { return Vec::new() };
        if dialog.planning.digest != Some(eager) {
            return self.acting.say("the reading changed the plan: read what differs, then Enter");
        }
        // Whatever else is being typed comes first.
        if self.acting.prompt.is_some() { Vec::new() } else { self.confirm() }
    }
}
