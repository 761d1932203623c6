//! What the operator asks of a runbook.
//!
//! What it is for: one shape for command line, dialogs, plans and journals.
//! What it must not do: hold defaults that depend on the world; runbooks decide those while planning.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::print::quoted;

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

impl Params {
    /// The options that were given, by name and value, as a command line has them; a switch has no value.
    pub fn options(&self) -> Vec<(&'static str, Option<String>)> {
        let mut given = Vec::new();
        let mut add = |name, value: Option<String>| given.extend(value.map(|value| (name, Some(value))));
        add("region", self.region.as_ref().map(ToString::to_string));
        add("to", self.to.as_ref().map(ToString::to_string));
        add("database", self.database.map(|choice| choice.word().to_owned()));
        add("declare", self.declared.as_ref().map(ToString::to_string));
        add("since", self.since.as_ref().map(ToString::to_string));
        for service in &self.redeploy {
            add("redeploy", Some(service.to_string()));
        }
        for (item, choice) in &self.differing {
            add(if *choice == Differing::Keep { "keep" } else { "saved" }, Some(item.to_string()));
        }
        for (on, name) in [
            (self.now, "now"),
            (self.scale_to_zero, "scale-to-zero"),
            (self.skip_snapshots, "skip-snapshots"),
        ] {
            given.extend(on.then_some((name, None)));
        }
        given
    }

    /// The same as words of a shell, each after a blank.
    pub fn command_line(&self) -> String {
        let word = |(name, value): (&str, Option<String>)| match value {
            Some(value) => format!(" --{name} {}", quoted(&value)),
            None => format!(" --{name}"),
        };
        self.options().into_iter().map(word).collect()
    }
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
