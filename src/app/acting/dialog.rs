//! The dialog of a plan: bound to the region that it was opened on, and owner of what it shows.
//!
//! What it is for: what was wished, what was answered, and which answer is still awaited.
//! What it must not do: follow the cursor, plan, or start anything.

use std::sync::Arc;

use super::book::Book;
use super::differ;
use crate::app::screen::Scroll;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::{Differing, Digest, Force, GuardFinding, Params, Plan, PlanError};

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
}

/// What one wish has come to.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Planning {
    /// The number of the answer that is awaited; answers with another are too late.
    pub awaited: Option<u64>,
    /// The newest plan; stays while the next is awaited.
    pub plan: Option<Arc<Plan>>,
    /// Its digest; computed once, since that is no small work for a painter.
    pub digest: Option<Digest>,
    /// Why there is no plan.
    pub error: Option<PlanError>,
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
    /// True when a reason is to cover blocks that may be overridden.
    pub overrides: bool,
    /// What differs from the plan before, when the world has moved since.
    pub differs: Vec<Text>,
    /// Why it was not started, or what else the operator must read first.
    pub refused: Option<Text>,
    /// True once it was confirmed and until the answer comes.
    pub starting: bool,
    /// Which choice the cursor is on, when there is one to make.
    pub choice: usize,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

impl Planning {
    /// Takes an answer when it is the one that is awaited; gives the plan that it replaces.
    pub(crate) fn answer(&mut self, ticket: u64, answer: Result<Plan, PlanError>) -> Option<Replaced> {
        if self.awaited != Some(ticket) {
            return None;
        }
        self.awaited = None;
        let before = self.plan.take();
        (self.plan, self.error) = match answer {
            Ok(plan) => (Some(Arc::new(plan)), None),
            Err(error) => (None, Some(error)),
        };
        self.digest = self.plan.as_ref().map(|plan| plan.digest());
        Some(Replaced(before))
    }
}

/// The plan that was shown before, when there was one.
pub(crate) struct Replaced(pub(crate) Option<Arc<Plan>>);

impl PlanDialog {
    /// A dialog that waits for its first plan.
    pub(crate) fn new(id: u64, book: Book, region: Region, params: Params) -> Self {
        Self {
            id,
            book,
            region,
            params,
            planning: Planning { awaited: Some(id), ..Planning::default() },
            overrides: false,
            differs: Vec::new(),
            refused: None,
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
        let findings = self.plan().map_or(&[][..], |plan| &plan.findings);
        findings
            .iter()
            .filter(|finding| finding.force == Force::Block && !(self.overrides && finding.may_override))
    }

    /// Takes a new plan, and tells what differs from the one before when both answer the same wish.
    pub(crate) fn take(&mut self, ticket: u64, answer: Result<Plan, PlanError>) -> bool {
        let Some(Replaced(before)) = self.planning.answer(ticket, answer) else { return false };
        self.choice = 0;
        self.differs = match (before, self.plan()) {
            (Some(old), Some(new)) if old.params == new.params => differ::lines(&old, new),
            _ => Vec::new(),
        };
        true
    }

    /// Takes the plan that the outside made when it found that the world had moved.
    pub(crate) fn drifted(&mut self, why: Text, plan: Option<Plan>) {
        self.starting = false;
        self.refused = Some(why);
        if let Some(plan) = plan {
            self.planning.awaited = Some(self.id);
            self.take(self.id, Ok(plan));
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
