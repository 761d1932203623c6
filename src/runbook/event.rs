//! Events: everything that happens in a run, as data.
//!
//! What it is for: one stream that the journal keeps, the console and `runs attach` show, and the command line
//! prints as lines or JSON. A run can be told again from its events alone.
//! What it must not do: hold anything that is not serialisable, or any secret.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::aftermath::Aftermath;
use super::condition::Judgement;
use super::fact::Facts;
use super::guard::GuardFinding;
use super::lease::LeaseView;
use super::operation::Operation;
use super::params::Params;
use super::plan::{Digest, Plan, StepId};
use super::recovery::RecoveryPoint;
use super::sample::RegionSample;
use crate::domain::text::Text;

/// Name of a run, also of its folder: `20261121T030000Z-drain-us-east-1-7f3a`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RunId(String);

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event {
    /// The run began. Always the first line of a journal.
    Opened {
        /// Who, where, why.
        opening: Box<Opening>,
        /// The whole plan.
        plan: Box<Plan>,
        /// Its digest.
        digest: Digest,
    },
    /// The run was taken up again, in this or another process.
    Resumed {
        /// Who, where, why.
        opening: Box<Opening>,
        /// What was wrong with the journal, in words; empty when nothing was.
        damage: Vec<Text>,
    },
    /// The lease was taken, taken over, or could not be had.
    Lease {
        /// What became of it.
        outcome: LeaseOutcome,
    },
    /// A step began.
    StepBegan {
        /// Step.
        step: StepId,
    },
    /// A step's verify held before anything was done.
    StepHeld {
        /// Step.
        step: StepId,
        /// Evidence.
        evidence: Text,
    },
    /// A call is about to be sent. On disk before it is.
    Intent {
        /// Step.
        step: StepId,
        /// Which of the step's ways.
        way: usize,
        /// Which of the way's calls; undo calls count from 1000.
        call: usize,
        /// How many times it was sent before.
        attempt: u32,
        /// The call.
        operation: Box<Operation>,
        /// What the touched resources were like right before, to be restored.
        saved: Facts,
    },
    /// The call was accepted. This proves nothing yet.
    Applied {
        /// Step.
        step: StepId,
        /// Way.
        way: usize,
        /// Call.
        call: usize,
        /// AWS's request id.
        request_id: Option<Text>,
    },
    /// The call was refused, failed, or nobody knows.
    NotApplied {
        /// Step.
        step: StepId,
        /// Way.
        way: usize,
        /// Call.
        call: usize,
        /// What became of it.
        failure: ActFailure,
    },
    /// How far a step is. Not flushed to disk by itself.
    Progress {
        /// Step.
        step: StepId,
        /// What its condition says.
        judgement: Judgement,
    },
    /// A way was given up for the next one.
    WayGivenUp {
        /// Step.
        step: StepId,
        /// Way.
        way: usize,
        /// Why.
        why: Text,
    },
    /// A step is done and proven.
    StepDone {
        /// Step.
        step: StepId,
        /// Evidence.
        evidence: Text,
        /// From its beginning.
        took: Duration,
    },
    /// A step failed.
    StepFailed {
        /// Step.
        step: StepId,
        /// Why.
        why: Text,
        /// True when it was recorded and passed.
        passed: bool,
    },
    /// A step was passed over on the operator's word.
    StepSkipped {
        /// Step.
        step: StepId,
        /// The typed reason.
        reason: Text,
    },
    /// The undo of a step was carried out and proven.
    StepUndone {
        /// Step.
        step: StepId,
    },
    /// The run waits for the operator.
    Halted {
        /// Why.
        why: Text,
        /// Steps that are done.
        done: Vec<StepId>,
        /// Steps that can be undone, the newest first.
        undoable: Vec<StepId>,
        /// Steps that were not begun.
        not_run: Vec<StepId>,
        /// The step that failed.
        failed: Option<StepId>,
    },
    /// The operator decided.
    Decided {
        /// What.
        decision: Decision,
        /// Who: the identity's ARN, or the local user.
        by: Text,
    },
    /// Someone was told, or could not be.
    Notified {
        /// Topic ARN or program.
        whom: Text,
        /// Why not, when not.
        failure: Option<Text>,
    },
    /// The journal could not be written in time; the run goes on unjournaled (failover only).
    Unjournaled {
        /// Why.
        why: Text,
    },
    /// What users felt and how far data was behind, each number with its time. Best effort: losing one costs a point
    /// of a chart.
    Sampled {
        /// Region by region; those of which nothing new is known are left out.
        regions: Vec<RegionSample>,
    },
    /// A write of our own through the public name was accepted, before or during an unplanned promotion. Whether it is
    /// there afterwards measures the recovery point.
    Marked {
        /// What was written.
        token: Text,
        /// When it was sent; the entry's own time is that of the answer.
        sent: Timestamp,
    },
    /// What is known of the data that an unplanned promotion lost. The last one counts.
    RecoveryPoint {
        /// What.
        point: RecoveryPoint,
    },
    /// What RDS tells of an unplanned promotion.
    Aftermath {
        /// What.
        aftermath: Aftermath,
    },
    /// Something the operator should read.
    Noted {
        /// The words.
        words: Text,
    },
    /// The run came to its end.
    Ended {
        /// How.
        outcome: Outcome,
        /// Measured recovery time: from the opening until users were answered elsewhere.
        rto: Option<Duration>,
        /// The last lag read before the promotion, milliseconds: an estimate. [`Event::RecoveryPoint`] says more.
        rpo_ms: Option<f64>,
    },
}

/// Who began a run, where and why.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Opening {
    /// Run.
    pub run: RunId,
    /// Application.
    pub application: Text,
    /// Runbook id.
    pub runbook: Text,
    /// Parameters.
    pub params: Params,
    /// Identity that acts.
    pub holder: Text,
    /// Host name.
    pub host: Text,
    /// Process.
    pub pid: u32,
    /// The operator's reason.
    pub reason: Text,
    /// Findings that the reason covers.
    pub overrides: Vec<GuardFinding>,
    /// Version of this program.
    pub version: Text,
}

/// What became of the lease.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "lease", rename_all = "snake_case")]
pub enum LeaseOutcome {
    /// Ours, with this number.
    Taken {
        /// Fencing number; only grows.
        number: u64,
    },
    /// Ours, taken from another holder with the operator's reason.
    TakenOver {
        /// Fencing number.
        number: u64,
        /// From whom.
        from: LeaseView,
    },
    /// The table could not be asked in time; a failover goes on without.
    Unreachable {
        /// Why.
        why: Text,
    },
    /// The topology names no lease table.
    NotConfigured,
    /// Somebody else has it now: this run stops before its next call.
    Lost {
        /// Who.
        to: LeaseView,
    },
    /// Given back.
    Released,
}

/// What became of a call that was not plainly accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "failure", rename_all = "snake_case")]
pub enum ActFailure {
    /// AWS refused, and nothing changed; it may be tried again (throttling, PriorRequestNotComplete,
    /// ConcurrentUpdate).
    Busy {
        /// Words with code and request id.
        why: Text,
    },
    /// What we had seen has moved on (HealthCheckVersionMismatch, an exact record that no longer matches).
    Moved {
        /// Words.
        why: Text,
    },
    /// AWS refused, and nothing changed; trying again is no use.
    Refused {
        /// Words.
        why: Text,
    },
    /// Credentials have expired or are refused.
    Credentials {
        /// Words, with the command that mends it.
        why: Text,
    },
    /// No connection was made, so that nothing was sent.
    NotSent {
        /// Words.
        why: Text,
    },
    /// Sent, and no answer: nobody knows.
    Unknown {
        /// Words.
        why: Text,
    },
}

/// What an operator may decide at a halt, or at any time (abort).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "decision", rename_all = "snake_case")]
pub enum Decision {
    /// Try the failed step again.
    Retry,
    /// Pass over the failed step.
    Skip {
        /// Why.
        reason: Text,
    },
    /// Restore what was there before: of one step, after which the run waits again; or of everything that was done,
    /// newest first, after which it ends.
    Undo {
        /// Why.
        reason: Text,
        /// Which step; all of them without one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        step: Option<StepId>,
    },
    /// Leave the rest to someone else: the run ends as halted and can be resumed anywhere.
    HandOver,
    /// Stop before the next call.
    Abort {
        /// Why.
        reason: Text,
    },
}

impl Decision {
    /// In words, with its reason.
    pub fn words(&self) -> String {
        match self {
            Self::Retry => "retry".to_owned(),
            Self::Skip { reason } => format!("skip, because: {reason}"),
            Self::Undo { reason, step: None } => format!("undo everything, because: {reason}"),
            Self::Undo { reason, step: Some(step) } => format!("undo {step}, because: {reason}"),
            Self::HandOver => "hand over".to_owned(),
            Self::Abort { reason } => format!("stop, because: {reason}"),
        }
    }
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Every step is done, held, passed or skipped.
    Done,
    /// Halted and left so.
    Halted,
    /// Stopped by the operator.
    Aborted,
    /// Everything done was undone.
    Undone,
    /// Another run took over.
    Superseded,
}

impl Outcome {
    /// How a run ended, in a word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Halted => "halted",
            Self::Aborted => "aborted",
            Self::Undone => "undone",
            Self::Superseded => "superseded",
        }
    }
}

/// One event with its place and time, as the journal keeps it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Number in the run, from 0.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// What.
    #[serde(flatten)]
    pub event: Event,
}

impl Entry {
    /// Numbers from here on are no places in a journal: such an entry was copied while its journal could not be
    /// written. Among themselves they tell the order, also over processes.
    pub const UNNUMBERED: u64 = 1 << 63;

    /// An entry without a place in a journal, after the one that had the number `last`.
    pub fn unnumbered(at: Timestamp, event: Event, last: u64) -> Self {
        let micros = u64::try_from(at.as_microsecond()).unwrap_or_default();
        let seq = (Self::UNNUMBERED | micros).max(last.saturating_add(1));
        Self { seq, at, event }
    }

    /// True when it has no place in a journal.
    pub fn is_unnumbered(&self) -> bool {
        self.seq >= Self::UNNUMBERED
    }
}

impl RunId {
    /// A new run's name. `salt` tells two runs of one second apart.
    pub fn new(at: Timestamp, runbook: &str, region: Option<&str>, salt: u16) -> Self {
        let region = region.map(|region| format!("-{region}")).unwrap_or_default();
        Self(format!("{}-{runbook}{region}-{salt:04x}", at.strftime("%Y%m%dT%H%M%SZ")))
    }

    /// A name that was read; `None` when it could not be a folder's.
    pub fn parse(name: &str) -> Option<Self> {
        let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        (plain && !name.is_empty() && !name.starts_with('.') && name.len() <= 120)
            .then(|| Self(name.to_owned()))
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for RunId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

impl ActFailure {
    /// True when nothing changed, for certain.
    pub const fn is_definite(&self) -> bool {
        !matches!(self, Self::Unknown { .. })
    }

    /// The words.
    pub fn why(&self) -> &Text {
        match self {
            Self::Busy { why }
            | Self::Moved { why }
            | Self::Refused { why }
            | Self::Credentials { why }
            | Self::NotSent { why }
            | Self::Unknown { why } => why,
        }
    }
}
