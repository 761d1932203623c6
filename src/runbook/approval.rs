//! Approval: the only key to a changing call.
//!
//! What it is for: an [`Approval`] is bound to one plan's digest and covers only that plan's calls; it is minted
//! from an [`Arming`] that a read-only session cannot have, a typed name and a typed reason.
//! What it must not do: be built any other way; its fields are private and it is neither `Default` nor
//! deserialisable.

use std::collections::HashSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::guard::{Force, GuardFinding};
use super::operation::Operation;
use super::plan::{Digest, Plan};
use crate::domain::Topology;
use crate::domain::text::Text;

/// The operator armed the console, or confirmed on the command line. Ends by itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arming {
    until: Timestamp,
}

/// Permission for the calls of one plan.
#[derive(Clone, Debug)]
pub struct Approval {
    digest: Digest,
    covered: HashSet<String>,
    reason: Text,
    overrides: Vec<GuardFinding>,
}

/// Why there is no permission.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum ApprovalError {
    /// The topology is read-only.
    #[error("this topology is read-only: {0}")]
    ReadOnly(Text),
    /// Arming has timed out.
    #[error("arming has timed out; arm again")]
    Disarmed,
    /// What was typed is not what had to be typed.
    #[error("type {expected} to confirm, not \"{typed}\"")]
    NotConfirmed {
        /// What had to be typed.
        expected: Text,
        /// What was.
        typed: Text,
    },
    /// No reason was given where one is needed.
    #[error("a reason is needed: say why in a few words")]
    NoReason,
    /// Guards block.
    #[error("blocked: {}", messages(.0))]
    Blocked(Vec<GuardFinding>),
}

fn messages(findings: &[GuardFinding]) -> String {
    findings.iter().map(|finding| finding.message.as_str()).collect::<Vec<_>>().join("; ")
}

impl Arming {
    /// Arms for the policy's time, unless the topology may not be acted on.
    pub fn arm(topology: &Topology, now: Timestamp) -> Result<Self, ApprovalError> {
        if !topology.may_act() {
            let why = "its partition or front door is observed only";
            return Err(ApprovalError::ReadOnly(why.into()));
        }
        let span = Duration::from_secs(topology.policy.armed_minutes.saturating_mul(60));
        let until = now + SignedDuration::try_from(span).unwrap_or(SignedDuration::from_mins(15));
        Ok(Self { until })
    }

    /// When it ends.
    pub fn until(&self) -> Timestamp {
        self.until
    }

    /// True while it holds.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

impl Approval {
    /// Approves a plan: armed, the right name typed, a reason given, and no finding blocks. `overrides` says
    /// that the reason covers blocks that may be overridden.
    pub fn mint(
        arming: &Arming,
        now: Timestamp,
        plan: &Plan,
        typed: &str,
        reason: &str,
        overrides: bool,
    ) -> Result<Self, ApprovalError> {
        if !arming.holds(now) {
            return Err(ApprovalError::Disarmed);
        }
        Self::worded(std::slice::from_ref(&plan.confirm), typed, reason)?;
        let blocks =
            |finding: &&GuardFinding| finding.force == Force::Block && !(overrides && finding.may_override);
        let blocking: Vec<GuardFinding> = plan.findings.iter().filter(blocks).cloned().collect();
        if !blocking.is_empty() {
            return Err(ApprovalError::Blocked(blocking));
        }
        Ok(Self {
            digest: plan.digest(),
            covered: plan.operations().map(form).collect(),
            reason: reason.trim().into(),
            overrides: plan.findings.clone(),
        })
    }

    /// Whether the words would do: one of the `expected` names typed, and a reason given.
    pub fn worded(expected: &[Text], typed: &str, reason: &str) -> Result<(), ApprovalError> {
        let typed = typed.trim();
        if !expected.iter().any(|name| name.as_str() == typed) {
            let names: Vec<&str> = expected.iter().map(Text::as_str).collect();
            return Err(ApprovalError::NotConfirmed {
                expected: names.join(" or ").into(),
                typed: typed.into(),
            });
        }
        if reason.trim().is_empty() {
            return Err(ApprovalError::NoReason);
        }
        Ok(())
    }

    /// The plan's digest.
    pub fn digest(&self) -> &Digest {
        &self.digest
    }

    /// The typed reason.
    pub fn reason(&self) -> &Text {
        &self.reason
    }

    /// What the reason covers.
    pub fn overrides(&self) -> &[GuardFinding] {
        &self.overrides
    }

    /// True for the plan's own calls and undos. The version of a health check may have moved: it is re-read
    /// right before the call and guards against races, not against this plan.
    pub fn covers(&self, operation: &Operation) -> bool {
        self.covered.contains(&form(operation))
    }
}

/// The call as text, without what is re-read right before it is sent.
fn form(operation: &Operation) -> String {
    let mut operation = operation.clone();
    if let Operation::SetHealthCheck { version, .. } = &mut operation {
        *version = None;
    }
    // An operation is plain data, which JSON always takes; an empty text covers only itself.
    serde_json::to_string(&operation).unwrap_or_default()
}
