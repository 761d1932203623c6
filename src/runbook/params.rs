//! What the operator asks of a runbook.
//!
//! What it is for: one shape for command line, dialogs, plans and journals.
//! What it must not do: hold defaults that depend on the world; runbooks decide those while planning.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::Region;
use crate::domain::text::Text;

/// Parameters of a run.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Params {
    /// The region that is acted on; `None` where a runbook needs none (cleanup of everything).
    pub region: Option<Region>,
    /// Where the writer goes.
    pub to: Option<Region>,
    /// drain: out of DNS first, scale in parallel, switch over afterwards.
    pub now: bool,
    /// drain: stop the evacuated region's tasks at the end.
    pub scale_to_zero: bool,
    /// failover: what happens to the database; `None` lets the runbook choose or ask.
    pub database: Option<DatabaseChoice>,
    /// failover: the operator's own declaration that the region is down, which counts as one signal.
    pub declared: Option<Text>,
    /// failover: when the incident began, as the operator declares it; recovery time is measured from then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// restore: what to do per item whose present value is not the one that we left.
    pub differing: BTreeMap<Text, Differing>,
    /// cleanup: no final snapshots.
    pub skip_snapshots: bool,
    /// failover: force new deployments of these services once writes fail after the writer moved.
    pub redeploy: Vec<Text>,
}

/// What becomes of the database in a failover.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DatabaseChoice {
    /// Nothing: the writer is elsewhere, or is left for later.
    Leave,
    /// SwitchoverGlobalCluster: the primary still answers, nothing is lost.
    Switchover,
    /// FailoverGlobalCluster with AllowDataLoss.
    Failover,
    /// RemoveFromGlobalCluster at the survivor: the last resort.
    Detach,
}

/// A restore's choice for a value that someone else changed meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Differing {
    /// Keep what is there now.
    Keep,
    /// Restore what was saved.
    Saved,
}

impl DatabaseChoice {
    /// The word on command lines.
    pub fn word(self) -> &'static str {
        match self {
            Self::Leave => "leave",
            Self::Switchover => "switchover",
            Self::Failover => "failover",
            Self::Detach => "detach",
        }
    }
}
