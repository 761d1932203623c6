//! The dialog of a plan: bound to the region that it was opened on, and owner of what it shows.
//!
//! What it is for: what was wished, what was answered, and which answer is still awaited.
//! What it must not do: follow the cursor, plan, or start anything.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::book::Book;
use super::differ;
use crate::app::screen::Scroll;
use crate::domain::Observed;
use crate::domain::ids::Region;
use crate::domain::policy::Freshness;
use crate::domain::text::Text;
use crate::runbook::{Differing, Digest, Facts, Force, GuardFinding, Params, Plan, PlanError};

/// A plan that rests on something older than its limit is made again this often.
const RENEWED_EVERY: SignedDuration = SignedDuration::from_mins(1);

/// What is watched must have been so for a moment after the last answer before the plan is made again by it.
const SETTLED: SignedDuration = SignedDuration::from_secs(5);

/// For so long after a dialog has renewed itself into another plan, Enter is taken for one that meant the plan before. The
/// console's time steps by seconds: this is one second at the least.
const STARTLING: SignedDuration = SignedDuration::from_secs(2);

/// True when something that shaped a plan is seen otherwise now, by a newer look.
fn moved(shaped_by: &Facts, seen: &Facts) -> bool {
    shaped_by.iter().any(|(fact, was)| {
        let (Some(now), Some(was)) = (seen.get(fact).and_then(Observed::reading), was.reading()) else {
            return false;
        };
        now.as_of > was.as_of && now.value != was.value
    })
}

/// True when plans that were made so long ago rest on something older than its limit, or on what is seen otherwise now.
pub(super) fn is_old<'p, P: Iterator<Item = &'p Arc<Plan>>>(
    since: SignedDuration,
    plans: impl Fn() -> P,
    now: Timestamp,
    seen: Option<&Facts>,
    freshness: &Freshness,
) -> bool {
    let stale =
        |plan: &Arc<Plan>| plan.shaped_by.iter().any(|(_, observed)| observed.is_stale(now, freshness));
    since >= RENEWED_EVERY && plans().any(stale)
        || since >= SETTLED && seen.is_some_and(|seen| plans().any(|plan| moved(&plan.shaped_by, seen)))
}

/// A plan is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wish {
    /// The number under which the answer comes back ([`crate::app::Event::Planned`]).
    pub ticket: u64,
    /// Which runbook.
    pub book: Book,
    /// What is asked of it.
    pub params: Params,
    /// Whether the console is armed for it.
    pub armed: bool,
    /// What is read for it.
    pub reads: Reads,
}

/// What is read for a plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Reads {
    /// What was not read a moment ago.
    #[default]
    Missing,
    /// Everything, also what was read a moment ago.
    Anew,
    /// Only what is older than its limit and watched by no pane: the dialog renews itself, and costs hardly a call.
    Stale,
}

/// An answer to a [`Wish`]. Several come: the first at once, from what is known, and the last once everybody who was
/// asked has answered or is given up.
#[derive(Clone, Debug, PartialEq)]
pub struct Planned {
    /// The number of the wish.
    pub ticket: u64,
    /// What it rests on.
    pub basis: Basis,
    /// The plan, or why there is none.
    pub plan: Result<Plan, PlanError>,
}

/// What a plan rests on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Basis {
    /// What the console knew before it asked anybody.
    #[default]
    Known,
    /// What has been read so far, and else what was known.
    Partly {
        /// Who has not answered yet: regions, `Route 53`, `DNS`.
        waits: Vec<Text>,
    },
    /// All that was asked for was read just now, or said why it could not be.
    Read,
    /// The dialog renewed itself: on what is watched, and on what was read before while that is fresh.
    Renewed,
}

/// What one wish has come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planning {
    /// The number under which answers still come; those with another are too late.
    pub awaited: Option<u64>,
    /// The newest plan; stays while the first answer to the next wish is awaited.
    pub plan: Option<Arc<Plan>>,
    /// Its digest; computed once, since that is no small work for a painter.
    pub digest: Option<Digest>,
    /// Why there is no plan.
    pub error: Option<PlanError>,
    /// What plan or error rest on; `None` while the first answer to the newest wish is awaited.
    pub basis: Option<Basis>,
}

/// The dialog.
#[derive(Clone, Debug, PartialEq)]
pub struct PlanDialog {
    /// Its number, which prompts and the start go by.
    pub id: u64,
    /// Which runbook.
    pub book: Book,
    /// The region that it was opened on. The cursor may move; this does not.
    pub region: Region,
    /// What is asked.
    pub params: Params,
    /// What was answered.
    pub planning: Planning,
    /// The plan that the newest is compared with: the first that was shown for the same wishes.
    before: Option<Arc<Plan>>,
    /// An answer that came while the name was typed. It is shown once nothing is being confirmed any more.
    pub held: Option<Held>,
    /// Enter was pressed while the world was still being read: the plan with this digest is to be confirmed, if the
    /// reading leaves it as it is.
    pub eager: Option<Digest>,
    /// True when a reason is to cover blocks that may be overridden.
    pub overrides: bool,
    /// What differs from the plan before, when the world has moved or was known badly.
    pub differs: Vec<Text>,
    /// Why it was not started, or what else the operator must read first.
    pub refused: Option<Text>,
    /// The number of the answer that renews a plan that grew old, while it is awaited.
    pub(super) renewal: Option<u64>,
    /// When the last answer came.
    pub(super) answered: Option<Timestamp>,
    /// When the dialog renewed itself into another plan than the one that was shown; until the next Enter.
    pub changed: Option<Timestamp>,
    /// True once it was confirmed and until the answer comes.
    pub starting: bool,
    /// Which choice the cursor is on, when there is one to make.
    pub choice: usize,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

/// An answer that is kept from the screen, and what it would change there.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// The answer.
    pub answer: Box<Planned>,
    /// True when another plan came than the one that is being confirmed.
    pub differs: bool,
}

impl Planning {
    /// Takes an answer when it is one that is awaited. The last of them ends the waiting.
    pub(crate) fn answer(&mut self, planned: Planned) -> bool {
        if self.awaited != Some(planned.ticket) {
            return false;
        }
        if planned.basis == Basis::Read {
            self.awaited = None;
        }
        (self.plan, self.error) = match planned.plan {
            Ok(plan) => (Some(Arc::new(plan)), None),
            Err(error) => (None, Some(error)),
        };
        self.digest = self.plan.as_ref().map(|plan| plan.digest());
        self.basis = Some(planned.basis);
        true
    }

    /// Asks again; what is shown stays until the first answer.
    pub(crate) fn await_answer(&mut self, ticket: u64) {
        self.awaited = Some(ticket);
        self.basis = None;
    }

    /// True while answers are still to come.
    pub fn is_reading(&self) -> bool {
        self.awaited.is_some()
    }
}

impl PlanDialog {
    /// A dialog that waits for its first plan.
    pub(crate) fn new(id: u64, book: Book, region: Region, params: Params) -> Self {
        Self {
            id,
            book,
            region,
            params,
            planning: Planning { awaited: Some(id), ..Planning::default() },
            before: None,
            held: None,
            eager: None,
            overrides: false,
            differs: Vec::new(),
            refused: None,
            renewal: None,
            answered: None,
            changed: None,
            starting: false,
            choice: 0,
            scroll: Scroll::default(),
        }
    }

    /// The plan that is shown.
    pub fn plan(&self) -> Option<&Arc<Plan>> {
        self.planning.plan.as_ref()
    }

    /// The choices that the operator must make before there is a plan: word and sentence each.
    pub fn choices(&self) -> &[(Text, Text)] {
        match &self.planning.error {
            Some(PlanError::Choose { choices, .. }) => choices,
            _ => &[],
        }
    }

    /// Findings that keep the plan from being started, as the dialog stands.
    pub fn blocks(&self) -> impl Iterator<Item = &GuardFinding> {
        self.plan().into_iter().flat_map(|plan| self.blocks_of(plan))
    }

    fn blocks_of<'p>(&self, plan: &'p Plan) -> impl Iterator<Item = &'p GuardFinding> + use<'p> {
        let overrides = self.overrides;
        let blocks = move |finding: &&GuardFinding| {
            finding.force == Force::Block && !(overrides && finding.may_override)
        };
        plan.findings.iter().filter(blocks)
    }

    /// What the answer that is held back says against starting what is shown, if anything. An emergency is kept only
    /// by what may block one; anything else than what was read keeps a planned run.
    pub(crate) fn objection(&self) -> Option<Text> {
        let held = self.held.as_ref()?;
        if let Ok(plan) = &held.answer.plan
            && let Some(finding) = self.blocks_of(plan).next()
        {
            return Some(format!("{} blocks now; read it first", finding.guard.word()).into());
        }
        (held.differs && !self.book.is_emergency())
            .then(|| "the reading changed the plan; read it first".into())
    }

    /// Asks again with the present wishes.
    pub(crate) fn await_answer(&mut self, ticket: u64) {
        self.planning.await_answer(ticket);
        (self.held, self.eager) = (None, None);
        (self.renewal, self.changed) = (None, None);
    }

    /// True when the answer is for this dialog.
    pub(crate) fn awaits(&self, ticket: u64) -> bool {
        self.planning.awaited == Some(ticket) || self.renewal == Some(ticket)
    }

    /// Keeps an answer back while what is shown is being confirmed.
    pub(crate) fn hold(&mut self, planned: Planned) {
        let same = match &planned.plan {
            Ok(plan) => Some(plan.digest()) == self.planning.digest,
            Err(_) => false,
        };
        self.held = Some(Held { answer: Box::new(planned), differs: !same });
    }

    /// Shows what was held back.
    pub(crate) fn release(&mut self, now: Timestamp) -> bool {
        self.held.take().is_some_and(|held| self.take_any(*held.answer, now))
    }

    /// Takes an answer, be it one that was asked for or one by which the dialog renews itself.
    pub(crate) fn take_any(&mut self, planned: Planned, now: Timestamp) -> bool {
        self.answered = Some(now);
        if self.renewal == Some(planned.ticket) { self.renew(planned, now) } else { self.take(planned) }
    }

    /// Takes a plan by which the dialog renews itself. Cursor and page stay where they are, and what changed is told.
    fn renew(&mut self, planned: Planned, now: Timestamp) -> bool {
        self.renewal = None;
        let (shown, digest) = (self.planning.plan.clone(), self.planning.digest.clone());
        let chosen = self.choices().get(self.choice).map(|(word, _)| word.clone());
        let choices = self.choices().to_vec();
        self.planning.awaited = Some(planned.ticket);
        let answer = Planned { basis: Basis::Read, ..planned };
        if !self.planning.answer(answer) {
            return false;
        }
        self.planning.basis = Some(Basis::Renewed);
        let place = chosen.and_then(|chosen| self.choices().iter().position(|(word, _)| *word == chosen));
        self.choice = place.unwrap_or(0);
        let same = self.planning.digest == digest && self.choices() == choices;
        let told = match (&shown, &self.planning.plan) {
            (Some(old), Some(new)) => differ::lines(old, new),
            _ => Vec::new(),
        };
        if !same || !told.is_empty() {
            self.changed = Some(now);
            self.differs = told;
            self.refused = None;
        }
        self.before.clone_from(&self.planning.plan);
        true
    }

    /// True when the plan that is shown has grown old, or what is watched says otherwise, and nobody reads for it yet.
    pub(super) fn is_old(&self, now: Timestamp, seen: Option<&Facts>, freshness: &Freshness) -> bool {
        let Some(answered) = self.answered else { return false };
        if self.starting || self.planning.is_reading() || self.renewal.is_some() || self.held.is_some() {
            return false;
        }
        let since = now.duration_since(answered);
        // A question rests on the same things as a plan, and does not say which.
        let asks = self.plan().is_none() && !self.choices().is_empty();
        since >= RENEWED_EVERY && asks || is_old(since, || self.plan().into_iter(), now, seen, freshness)
    }

    /// True while what the dialog renewed by itself is too new to have been read: Enter means the plan before.
    pub(super) fn is_startling(&self, now: Timestamp) -> bool {
        self.changed.is_some_and(|at| now.duration_since(at) < STARTLING)
    }

    /// Takes an answer, and tells what differs from the first plan that was shown for the same wishes.
    pub(crate) fn take(&mut self, planned: Planned) -> bool {
        let first = self.planning.basis.is_none();
        let shown = self.planning.plan.clone();
        let chosen = self.choices().get(self.choice).map(|(word, _)| word.clone());
        if !self.planning.answer(planned) {
            return false;
        }
        // The cursor stays on the word that it was on, wherever that stands now.
        let place = chosen.and_then(|chosen| self.choices().iter().position(|(word, _)| *word == chosen));
        self.choice = place.unwrap_or(0);
        if first {
            self.before = shown;
        }
        let Some(new) = self.planning.plan.clone() else {
            self.differs = Vec::new();
            return true;
        };
        let before = self.before.take().filter(|old| old.params == new.params);
        self.differs = before.as_ref().map(|old| differ::lines(old, &new)).unwrap_or_default();
        self.before = before.or(Some(new));
        true
    }

    /// Takes the plan that the outside made when it found that the world had moved.
    pub(crate) fn drifted(&mut self, why: Text, plan: Option<Plan>) {
        self.starting = false;
        self.refused = Some(why);
        if let Some(plan) = plan {
            self.await_answer(self.id);
            self.take(Planned { ticket: self.id, basis: Basis::Read, plan: Ok(plan) });
            self.scroll.home();
        }
    }

    /// Puts the chosen word into the wishes; false when this console cannot say it.
    pub(crate) fn choose(&mut self) -> bool {
        let Some(PlanError::Choose { flag, choices, .. }) = &self.planning.error else { return false };
        let Some((word, _)) = choices.get(self.choice) else { return false };
        let word = word.as_str();
        match *flag {
            "--database" => {
                self.params.database = super::book::database(word);
                self.params.database.is_some()
            }
            "--to REGION" | "--to" => {
                self.params.to = Some(Region::new(word));
                true
            }
            _ => false,
        }
    }

    /// True while a restore asks what becomes of items that somebody else changed.
    pub fn is_restoring(&self) -> bool {
        self.book == Book::Restore && !self.choices().is_empty()
    }

    /// Keeps the item that the cursor is on as it is now, or brings back what was saved of it. What is not
    /// answered is asked again.
    pub(crate) fn settle(&mut self, differing: Differing) {
        if let Some((item, _)) = self.choices().get(self.choice).cloned() {
            self.params.differing.insert(item, differing);
        }
    }
}
