//! Where a step of a run stands, as its events tell.
//!
//! What it is for: the engine that takes a run up, the run view and the report all read the same words out of the same
//! events, so that none of them can think a step done that another calls undone.
//! What it must not do: judge whether it still holds; the engine looks at the world for that.

use std::collections::BTreeMap;

use serde::Serialize;

use super::event::{Entry, Event};
use super::plan::StepId;

/// Where a step stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StepState {
    /// Never begun.
    #[default]
    NotBegun,
    /// Begun, and no end was told.
    UnderWay,
    /// It was so already: nothing had to be done.
    Held,
    /// Done and proven.
    Done,
    /// Failed, recorded and passed.
    Passed,
    /// Failed.
    Failed,
    /// Passed over on the operator's word.
    Skipped,
    /// Undone on the operator's word, and proven so. It is not done again unless somebody says so.
    Undone,
}

impl StepState {
    /// In one word, for a list that has a column for it.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotBegun => "waiting",
            Self::UnderWay => "running",
            Self::Held => "held",
            Self::Done => "done",
            Self::Passed => "passed",
            Self::Failed => "FAILED",
            Self::Skipped => "skipped",
            Self::Undone => "undone",
        }
    }

    /// In words that need nothing beside them.
    pub const fn phrase(self) -> &'static str {
        match self {
            Self::NotBegun => "not begun",
            Self::UnderWay => "under way",
            Self::Held => "held already",
            Self::Passed => "failed and passed",
            Self::Done | Self::Failed | Self::Skipped | Self::Undone => self.word(),
        }
    }

    /// True when nothing more will happen to the step, unless it is undone, or done again.
    pub const fn is_over(self) -> bool {
        !matches!(self, Self::NotBegun | Self::UnderWay | Self::Failed)
    }

    /// True when steps that wait for this one may begin.
    pub const fn is_settled(self) -> bool {
        matches!(self, Self::Held | Self::Done | Self::Passed | Self::Skipped)
    }
}

impl Event {
    /// The step that this event puts into another state, and that state.
    pub const fn turns(&self) -> Option<(&StepId, StepState)> {
        match self {
            Self::StepBegan { step } => Some((step, StepState::UnderWay)),
            Self::StepHeld { step, .. } => Some((step, StepState::Held)),
            Self::StepDone { step, .. } => Some((step, StepState::Done)),
            Self::StepFailed { step, passed: true, .. } => Some((step, StepState::Passed)),
            Self::StepFailed { step, passed: false, .. } => Some((step, StepState::Failed)),
            Self::StepSkipped { step, .. } => Some((step, StepState::Skipped)),
            Self::StepUndone { step } => Some((step, StepState::Undone)),
            Self::Opened { .. }
            | Self::Resumed { .. }
            | Self::Lease { .. }
            | Self::Intent { .. }
            | Self::Applied { .. }
            | Self::NotApplied { .. }
            | Self::Progress { .. }
            | Self::WayGivenUp { .. }
            | Self::Halted { .. }
            | Self::Decided { .. }
            | Self::Notified { .. }
            | Self::Unjournaled { .. }
            | Self::Sampled { .. }
            | Self::Marked { .. }
            | Self::RecoveryPoint { .. }
            | Self::Aftermath { .. }
            | Self::Noted { .. }
            | Self::Ended { .. } => None,
        }
    }
}

/// Where the steps stand after `entries`; those of which nothing was told are left out.
pub fn states(entries: &[Entry]) -> BTreeMap<StepId, StepState> {
    let turned = entries.iter().filter_map(|entry| entry.event.turns());
    turned.map(|(step, state)| (step.clone(), state)).collect()
}
