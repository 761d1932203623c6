//! What happens to the console, and what it asks for.
//!
//! What it is for: the two ends of [`super::App::update`]. What it must not do: carry terminal or AWS types.

use std::sync::Arc;

use crokey::KeyCombination;
use jiff::Timestamp;

use super::acting::{Planned, Wish};
use super::pane::PaneId;
use super::sight::Sight;
use crate::domain::text::Text;
use crate::runbook::{Arming, Decision, Digest, Entry, Plan, RunId};

/// Something that happened.
#[derive(Clone)]
pub enum Event {
    /// A key was pressed.
    Key(KeyCombination),
    /// Text was pasted. Only a reason takes it; anywhere else it is dropped instead of being read as commands.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// There is something new to look at.
    Sight(Arc<Sight>),
    /// Time has passed.
    Tick(Timestamp),
    /// An answer to [`Effect::Plan`]; several come for one.
    Planned(Box<Planned>),
    /// The [`Effect::Start`] with this ticket became a run.
    Started(u64, RunId),
    /// The [`Effect::Start`] with this ticket did not.
    Refused {
        /// The ticket.
        ticket: u64,
        /// Why, in words.
        why: Text,
        /// The plan for the world as it is now, when the world had moved.
        plan: Option<Box<Plan>>,
    },
    /// Something happened in a run, ours or one that is only watched. Entries may come twice.
    Run(RunId, Arc<Entry>),
}

/// Something that the console wants done outside itself.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// Give the terminal back and end.
    Quit,
    /// Give the terminal back and stop until the shell continues us.
    Suspend,
    /// Ask AWS for everything now.
    Refresh,
    /// Stop asking AWS (`true`), or go on (`false`).
    Pause(bool),
    /// The operator looks at this pane in detail; `None` when no longer. Sources that are only worth
    /// asking while somebody looks (Route 53's checkers) follow it.
    Focus(Option<PaneId>),
    /// Make a plan and answer with [`Event::Planned`]. Changes nothing.
    Plan(Wish),
    /// Start a confirmed plan; answer with [`Event::Started`] or [`Event::Refused`].
    Start(Box<Start>),
    /// Tell a run what the operator decided.
    Decide(RunId, Decision),
}

/// A confirmed plan, with all that an approval of it is minted from.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The number under which the answer comes back.
    pub ticket: u64,
    /// The arming; the outside judges it again by its own clock.
    pub arming: Arming,
    /// The plan that was read.
    pub plan: Arc<Plan>,
    /// Its digest.
    pub digest: Digest,
    /// What was typed to confirm.
    pub typed: Text,
    /// Why.
    pub reason: Text,
    /// Whether the reason covers blocks that may be overridden.
    pub overrides: bool,
}
