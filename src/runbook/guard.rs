//! Guards: what is examined before anything is done, and what each answer means for each runbook.
//!
//! What it is for: the words Pass, Warn and Block, the list of guards, and the rule that an emergency is never
//! blocked by the emergency: for `failover` only `armed`, `identity`, `endpoint` and `survivors` may block.
//! What it must not do: look at anything but facts, plan and policy.

use serde::{Deserialize, Serialize};

use crate::domain::text::Text;

/// The guards, in the order in which they are examined and shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuardId {
    /// The console is read-only, or its arming has timed out.
    Armed,
    /// The answering account or partition is not the topology's.
    Identity,
    /// A custom AWS endpoint is set outside a simulation.
    Endpoint,
    /// After the change no living region would be in DNS. No override.
    Survivors,
    /// An input of the plan is older than its limit.
    Fresh,
    /// Survivors cannot carry the need.
    Headroom,
    /// Data would be lost or is behind.
    DataAtRisk,
    /// Something that a survivor needs lies in the failing region.
    Dependency,
    /// Another run holds the lease, or an unfinished run exists.
    Lease,
    /// Inside a change-freeze window.
    Freeze,
    /// The world differs from what the plan was made on.
    Drift,
    /// What the runbook itself examines: signals of a failover, images of a restore, engine versions.
    Runbook,
}

/// How strong a finding is for this run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Force {
    /// Shown; one typed reason covers all of these.
    Warn,
    /// The run does not start, unless an override with a typed reason is allowed for it.
    Block,
}

/// What a guard found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuardFinding {
    /// Which guard.
    pub guard: GuardId,
    /// How strong.
    pub force: Force,
    /// Whether a typed reason may override a block.
    pub may_override: bool,
    /// One sentence with the numbers and their ages in it.
    pub message: Text,
    /// What the operator does about it; may be empty.
    pub next_step: Text,
}

impl GuardId {
    /// The word on screens and in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Armed => "armed",
            Self::Identity => "identity",
            Self::Endpoint => "endpoint",
            Self::Survivors => "survivors",
            Self::Fresh => "fresh",
            Self::Headroom => "headroom",
            Self::DataAtRisk => "data at risk",
            Self::Dependency => "dependency",
            Self::Lease => "lease",
            Self::Freeze => "freeze",
            Self::Drift => "drift",
            Self::Runbook => "runbook",
        }
    }

    /// True when it may block an unplanned failover.
    pub fn may_block_emergency(self) -> bool {
        matches!(self, Self::Armed | Self::Identity | Self::Endpoint | Self::Survivors)
    }

    /// True when a typed reason may override its block in a planned run.
    pub fn may_be_overridden(self) -> bool {
        !matches!(self, Self::Armed | Self::Identity | Self::Endpoint | Self::Survivors | Self::Drift)
    }
}

impl GuardFinding {
    /// A finding that blocks; for an emergency it is weakened to a warning unless its guard may block one.
    pub fn block(guard: GuardId, emergency: bool, message: impl Into<Text>) -> Self {
        let force = if emergency && !guard.may_block_emergency() { Force::Warn } else { Force::Block };
        Self {
            guard,
            force,
            may_override: guard.may_be_overridden(),
            message: message.into(),
            next_step: Text::default(),
        }
    }

    /// A finding that warns.
    pub fn warn(guard: GuardId, message: impl Into<Text>) -> Self {
        Self {
            guard,
            force: Force::Warn,
            may_override: true,
            message: message.into(),
            next_step: Text::default(),
        }
    }

    /// The same, with what to do about it.
    pub fn next(mut self, step: impl Into<Text>) -> Self {
        self.next_step = step.into();
        self
    }
}
