//! The acting half of the console: armed or read-only, dialogs, the decision card, and runs.
//!
//! What it is for: what keys do about runbooks, as a pure model like the rest of [`App`]. Plans are asked for and
//! runs are started by [`Effect`]s; answers come back as events, each with the number of what was asked, so that
//! an answer to a dialog that was closed changes nothing.
//! What it must not do: plan, send, journal, or act while the console is read-only.

pub mod book;
pub mod card;
mod confirming;
mod deciding;
pub mod dialog;
pub mod differ;
pub mod estimate;
mod pin;
pub mod prompt;
pub mod run;
pub mod undo;

use jiff::Timestamp;

pub use book::{Book, Choice};
pub use card::Card;
pub use dialog::{Basis, Held, PlanDialog, Planned, Planning, Reads, Wish};
pub use prompt::{Deciding, Field, Prompt, Purpose};
pub use run::{RunState, StepMark};
pub use undo::UndoList;

use super::screen::{Screen, Scroll};
use super::{App, Effect};
use crate::domain::text::Text;
use crate::runbook::{Arming, Differing, Entry, Plan, RunId};

/// Runs that are kept, the newest last.
const RUNS: usize = 8;

/// What the console may do, what it asks the operator, and the runs that it has heard of.
#[derive(Debug, Default)]
pub struct Acting {
    armed: Option<Armed>,
    /// What the operator is asked to type.
    pub prompt: Option<Prompt>,
    /// One line about what just happened; gone with the next key.
    pub notice: Option<Text>,
    tickets: u64,
    runs: Vec<(RunId, RunState)>,
}

/// Armed, and for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Armed {
    /// Until when.
    pub arming: Arming,
    /// True for cleanup and nothing else.
    pub cleanup: bool,
}

/// The run view.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RunView {
    /// Which run.
    pub run: RunId,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

impl RunView {
    /// The view of a run, which keeps what goes on in sight until somebody scrolls.
    pub fn new(run: RunId) -> Self {
        let scroll = Scroll::default();
        scroll.follow();
        Self { run, scroll }
    }
}

impl Acting {
    /// Armed, while it lasts.
    pub fn armed(&self, now: Timestamp) -> Option<&Armed> {
        self.armed.as_ref().filter(|armed| armed.arming.holds(now))
    }

    /// The arming that a runbook may be started with: cleanup wants one of its own.
    pub fn armed_for(&self, book: Book, now: Timestamp) -> Option<&Arming> {
        self.armed(now).filter(|armed| armed.cleanup == (book == Book::Cleanup)).map(|armed| &armed.arming)
    }

    /// The run that the banner speaks of: the newest that has not ended, or else the newest.
    pub fn current(&self) -> Option<(&RunId, &RunState)> {
        let live = self.runs.iter().rev().find(|(_, state)| state.is_live());
        live.or(self.runs.last()).map(|(id, state)| (id, state))
    }

    /// A run by its name.
    pub fn run(&self, id: &RunId) -> Option<&RunState> {
        self.runs.iter().find(|(known, _)| known == id).map(|(_, state)| state)
    }

    /// True while a run goes on.
    pub fn is_running(&self) -> bool {
        self.runs.iter().any(|(_, state)| state.is_live())
    }

    /// What runs did, newest first, for the timeline.
    pub fn marks(&self) -> Vec<&StepMark> {
        let mut marks: Vec<&StepMark> = self.runs.iter().flat_map(|(_, state)| &state.marks).collect();
        // The later of two of the same moment comes first.
        marks.reverse();
        marks.sort_by_key(|mark| std::cmp::Reverse(mark.at));
        marks
    }

    fn ticket(&mut self) -> u64 {
        self.tickets += 1;
        self.tickets
    }

    fn say(&mut self, words: impl Into<Text>) -> Vec<Effect> {
        self.notice = Some(words.into());
        Vec::new()
    }
}

/// What Enter says once the armed time is over.
const OVER: &str = "the armed time is over, nothing was sent: Esc, then arm again with A";

impl App {
    /// The region that runbook keys act on: that of the dialog, card or run on top, or else the focused one.
    fn target(&self) -> crate::domain::ids::Region {
        match self.screen() {
            Screen::Plan(dialog) => dialog.region.clone(),
            Screen::Card(card) => card.region.clone(),
            Screen::Run(RunView { run, .. }) | Screen::Undo(UndoList { run, .. }) => {
                let region = self.acting.run(run).and_then(|run| run.region().cloned());
                region.unwrap_or_else(|| self.focus.region.clone())
            }
            _ => self.focus.region.clone(),
        }
    }

    /// Arms, after the application's name was typed; armed already, back to read-only at once.
    pub(crate) fn arm(&mut self) -> Vec<Effect> {
        let now = self.fleet.now();
        let cleanup = matches!(self.screen(), Screen::Plan(dialog) if dialog.book == Book::Cleanup);
        if self.acting.armed(now).is_some_and(|armed| armed.cleanup || !cleanup) {
            self.acting.armed = None;
            self.acting.say("read-only again");
            return self.plan_again_everywhere();
        }
        let application = self.fleet.topology().application.clone();
        let minutes = self.fleet.topology().policy.armed_minutes;
        let (title, word) = if cleanup {
            (format!("arm for cleanup, {minutes} minutes"), format!("cleanup {application}"))
        } else {
            (format!("arm this console for {minutes} minutes"), application.to_string())
        };
        let field = Field::word(if cleanup { "type" } else { "application" }, word);
        self.acting.prompt = Some(Prompt::new(Purpose::Arm(cleanup), title, vec![field]));
        Vec::new()
    }

    fn armed_by_word(&mut self, cleanup: bool) -> Vec<Effect> {
        match Arming::arm(self.fleet.topology(), self.fleet.now()) {
            Ok(arming) => {
                self.acting.armed = Some(Armed { arming, cleanup });
                self.plan_again_everywhere()
            }
            Err(error) => self.acting.say(error.to_string()),
        }
    }

    /// Time has passed: arming ends by itself. What is being typed stays, so that no letter of it becomes a command; its
    /// Enter then says that the time is over.
    pub(crate) fn acting_tick(&mut self) -> Vec<Effect> {
        let now = self.fleet.now();
        if self.acting.armed.is_none() || self.acting.armed(now).is_some() {
            return Vec::new();
        }
        self.acting.armed = None;
        self.acting.say("the armed time is over: read-only again");
        self.plan_again_everywhere()
    }

    /// Opens the dialog of a runbook. One of its kind that lies below is left out.
    pub(crate) fn open_book(&mut self, book: Book) -> Vec<Effect> {
        let region = self.target();
        let params = Book::params(&region);
        self.open_dialog(book, region, params)
    }

    fn open_dialog(
        &mut self,
        book: Book,
        region: crate::domain::ids::Region,
        params: crate::runbook::Params,
    ) -> Vec<Effect> {
        let id = self.acting.ticket();
        self.push_once(Screen::Plan(Box::new(PlanDialog::new(id, book, region, params.clone()))));
        let armed = self.acting.armed_for(book, self.fleet.now()).is_some();
        vec![Effect::Plan(Wish { ticket: id, book, params, armed, reads: Reads::Missing })]
    }

    fn dialog(&mut self) -> Option<&mut PlanDialog> {
        match self.screens.last_mut() {
            Some(Screen::Plan(dialog)) => Some(dialog),
            _ => None,
        }
    }

    fn dialog_numbered(&self, id: u64) -> Option<&PlanDialog> {
        self.screens.iter().find_map(|screen| match screen {
            Screen::Plan(dialog) if dialog.id == id => Some(&**dialog),
            _ => None,
        })
    }

    fn dialogs(&mut self) -> impl Iterator<Item = &mut PlanDialog> {
        self.screens.iter_mut().filter_map(|screen| match screen {
            Screen::Plan(dialog) => Some(&mut **dialog),
            _ => None,
        })
    }

    /// Reads the world anew and plans again: the dialog on top, or all ways of the card.
    pub(crate) fn plan_afresh(&mut self) -> Vec<Effect> {
        let mut effects = self.plan_again();
        for effect in &mut effects {
            if let Effect::Plan(wish) = effect {
                wish.reads = Reads::Anew;
            }
        }
        effects
    }

    /// Asks for a plan of the dialog on top, by its present wishes.
    pub(crate) fn plan_again(&mut self) -> Vec<Effect> {
        let ticket = self.acting.ticket();
        let now = self.fleet.now();
        if let Screen::Card(_) = self.screen() {
            return self.ask_card(Reads::Missing);
        }
        let Some(dialog) = self.dialog() else { return Vec::new() };
        if dialog.starting {
            return Vec::new();
        }
        dialog.await_answer(ticket);
        let (book, params) = (dialog.book, dialog.params.clone());
        let armed = self.acting.armed_for(book, now).is_some();
        vec![Effect::Plan(Wish { ticket, book, params, armed, reads: Reads::Missing })]
    }

    /// Whether the console is armed is something that guards look at: open dialogs plan again when it changes.
    fn plan_again_everywhere(&mut self) -> Vec<Effect> {
        let now = self.fleet.now();
        let mut wishes = Vec::new();
        let mut tickets = self.acting.tickets;
        for dialog in self.dialogs().filter(|dialog| !dialog.starting) {
            tickets += 1;
            dialog.await_answer(tickets);
            wishes.push((tickets, dialog.book, dialog.params.clone()));
        }
        self.acting.tickets = tickets;
        wishes
            .into_iter()
            .map(|(ticket, book, params)| {
                let armed = self.acting.armed_for(book, now).is_some();
                Effect::Plan(Wish { ticket, book, params, armed, reads: Reads::Missing })
            })
            .collect()
    }

    /// Changes what the dialog wishes, when its runbook knows such a wish, and plans again.
    pub(crate) fn toggle(&mut self, choice: Choice) -> Vec<Effect> {
        let Some(dialog) = self.dialog() else { return Vec::new() };
        if dialog.starting {
            return Vec::new();
        }
        if !dialog.book.choices().contains(&choice) {
            let words = format!("{} has no such choice", dialog.book.id());
            return self.acting.say(words);
        }
        let region = dialog.region.clone();
        let id = dialog.id;
        let params = &mut dialog.params;
        match choice {
            Choice::Now => params.now = !params.now,
            Choice::ScaleToZero => params.scale_to_zero = !params.scale_to_zero,
            Choice::Database => params.database = book::next_database(params.database),
            Choice::SkipSnapshots => params.skip_snapshots = !params.skip_snapshots,
            Choice::Whole => {
                params.region = if params.region.is_some() { None } else { Some(region) };
            }
            Choice::Declare if params.declared.is_some() => params.declared = None,
            Choice::Declare => {
                let title = format!("declare {region} down: what do you see?");
                self.acting.prompt = Some(Prompt::new(Purpose::Declare(id), title, vec![Field::reason()]));
                return Vec::new();
            }
        }
        self.plan_again()
    }

    /// Restore: what becomes of the item that the cursor is on.
    pub(crate) fn settle(&mut self, differing: Differing) -> Vec<Effect> {
        match self.dialog() {
            Some(dialog) if dialog.is_restoring() => {
                dialog.settle(differing);
                self.plan_again()
            }
            Some(_) => self.acting.say("nothing is asked here that this answers"),
            None => Vec::new(),
        }
    }

    /// Whether a reason is to cover what may be overridden.
    pub(crate) fn toggle_overrides(&mut self) -> Vec<Effect> {
        if let Some(dialog) = self.dialog() {
            dialog.overrides = !dialog.overrides;
        }
        Vec::new()
    }

    /// A key while a prompt is open.
    pub(crate) fn prompt_key(&mut self, key: crokey::KeyCombination) -> Vec<Effect> {
        let Some(prompt) = &mut self.acting.prompt else { return Vec::new() };
        match prompt.key(key) {
            prompt::Typed::Taken => return Vec::new(),
            prompt::Typed::Closed => {
                self.acting.prompt = None;
                return Vec::new();
            }
            prompt::Typed::Done => {}
        }
        if let Some(why) = self.unarmed() {
            if let Some(prompt) = &mut self.acting.prompt {
                prompt.wrong = Some(why);
            }
            return Vec::new();
        }
        let Some(prompt) = self.acting.prompt.take() else { return Vec::new() };
        match &prompt.purpose {
            Purpose::Arm(cleanup) => self.armed_by_word(*cleanup),
            Purpose::Confirm { dialog, digest } => self.start(*dialog, digest, &prompt),
            Purpose::Declare(id) => {
                let id = *id;
                if let Some(dialog) = self.dialog().filter(|dialog| dialog.id == id) {
                    dialog.params.declared = Some(prompt.reason());
                    return self.plan_again();
                }
                Vec::new()
            }
            Purpose::Decide(run, deciding) => self.decided(run.clone(), *deciding, prompt.reason()),
            Purpose::Undo { run, step } => self.decided_undo(run.clone(), step.clone(), prompt.reason()),
            Purpose::Leave => vec![Effect::Quit],
        }
    }

    /// Why what was typed cannot be done, when the armed time ended meanwhile. Nothing of it is lost.
    fn unarmed(&self) -> Option<Text> {
        let now = self.fleet.now();
        let sends = match &self.acting.prompt.as_ref()?.purpose {
            Purpose::Arm(_) | Purpose::Declare(_) | Purpose::Leave => return None,
            Purpose::Confirm { dialog: id, .. } => {
                let dialog = self.dialog_numbered(*id)?;
                return self.acting.armed_for(dialog.book, now).is_none().then(|| OVER.into());
            }
            Purpose::Decide(run, deciding) => deciding.sends_calls().then_some(run)?,
            Purpose::Undo { run, .. } => run,
        };
        (!self.is_armed_for_run(sends)).then(|| OVER.into())
    }

    /// A confirmed plan became a run.
    pub(crate) fn started(&mut self, ticket: u64, run: RunId) {
        let is_it = |screen: &Screen| matches!(screen, Screen::Plan(dialog) if dialog.id == ticket);
        let on_top = is_it(self.screen());
        self.screens.retain(|screen| !is_it(screen));
        if self.acting.run(&run).is_none() {
            self.remember(run.clone());
        }
        if on_top {
            self.push_once(Screen::Run(RunView::new(run)));
        }
    }

    /// A confirmed plan was not started.
    pub(crate) fn refused(&mut self, ticket: u64, why: Text, plan: Option<Plan>) {
        if let Some(dialog) = self.dialogs().find(|dialog| dialog.id == ticket && dialog.starting) {
            dialog.drifted(why, plan);
            return;
        }
        self.acting.say(format!("not started: {why}"));
    }

    /// Something happened in a run.
    pub(crate) fn ran(&mut self, run: &RunId, entry: &Entry) {
        if self.acting.run(run).is_none() {
            self.remember(run.clone());
        }
        if let Some((_, state)) = self.acting.runs.iter_mut().find(|(known, _)| known == run) {
            state.take(entry);
        }
    }

    fn remember(&mut self, run: RunId) {
        self.acting.runs.push((run, RunState::default()));
        if self.acting.runs.len() > RUNS {
            self.acting.runs.remove(0);
        }
    }

    /// The decision card of the focused region, and back.
    pub(crate) fn card(&mut self) -> Vec<Effect> {
        if matches!(self.screen(), Screen::Card(_)) {
            self.pop();
            return Vec::new();
        }
        let region = self.target();
        self.push_once(Screen::Card(Box::new(Card::new(region))));
        self.ask_card(Reads::Missing)
    }

    fn ask_card(&mut self, reads: Reads) -> Vec<Effect> {
        let now = self.fleet.now();
        let mut effects = Vec::new();
        let tickets = self.acting.tickets;
        let armed = |book| self.acting.armed_for(book, now).is_some();
        let (drain, failover) = (armed(Book::Drain), armed(Book::Failover));
        let Some(Screen::Card(card)) = self.screens.last_mut() else { return effects };
        card.assumed = None;
        (card.asked, card.reads) = (Some(now), reads);
        for (ticket, (way, planning)) in (tickets + 1..).zip(card::Way::ALL.iter().zip(&mut card.ways)) {
            let Some(book) = way.book() else { continue };
            planning.await_answer(ticket);
            let armed = if book == Book::Failover { failover } else { drain };
            let params = way.params(&card.region);
            effects.push(Effect::Plan(Wish { ticket, book, params, armed, reads }));
        }
        self.acting.tickets = tickets + card::Way::ALL.len() as u64;
        effects
    }

    /// Enter on the card: the dialog of the way that the cursor is on.
    pub(crate) fn choose_way(&mut self) -> Vec<Effect> {
        let Screen::Card(card) = self.screen() else { return Vec::new() };
        let (way, region) = (card.way(), card.region.clone());
        match way.book() {
            Some(book) => {
                let params = way.params(&region);
                self.open_dialog(book, region, params)
            }
            None => {
                self.pop();
                Vec::new()
            }
        }
    }

    /// Moves the cursor of a card, or of a choice that is due; false when there is nothing to move.
    pub(crate) fn step_acting(&mut self, sign: isize) -> bool {
        match self.screens.last_mut() {
            Some(Screen::Card(card)) => {
                card.selected = card.selected.saturating_add_signed(sign).min(card.ways.len() - 1);
                card.scroll.home();
                true
            }
            Some(Screen::Plan(dialog)) if !dialog.choices().is_empty() => {
                let last = dialog.choices().len() - 1;
                dialog.choice = dialog.choice.saturating_add_signed(sign).min(last);
                dialog.scroll.follow();
                true
            }
            _ => false,
        }
    }
}
