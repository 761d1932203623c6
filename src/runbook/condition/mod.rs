//! Conditions: what must hold before a step, and what proves that it is done.
//!
//! What it is for: predicates as data over [`Facts`], each naming the facts it needs, so that the engine reads
//! exactly those, and each judged purely, with words about its progress.
//! What it must not do: ask anything, or take a call's reply for proof.
//!
//! | module | what it is |
//! |---|---|
//! | `needs` | the facts of a condition |
//! | `words` | conditions and facts in words |
//! | `proof` | what an observation proves, and how judgements combine |
//! | `judge` | which rule judges which condition |
//! | `tasks`, `records`, `database`, `traffic` | the rules |

mod database;
mod judge;
mod needs;
mod proof;
mod records;
mod tasks;
mod traffic;
pub(super) mod words;

pub(super) use words::{flags, record, suspension, time};

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::fact::Fact;
use super::operation::Suspended;
use crate::domain::ids::{
    Arn, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region, ServiceKey, ZoneId,
};
use crate::domain::snapshot::RecordSet;
use crate::domain::text::Text;

/// A predicate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "condition", rename_all = "snake_case")]
pub enum Condition {
    /// Holds.
    Always,
    /// All hold.
    All {
        /// Parts.
        of: Vec<Condition>,
    },
    /// At least one holds.
    Any {
        /// Parts.
        of: Vec<Condition>,
    },
    /// The check's flags are exactly these.
    HealthCheckFlags {
        /// Check.
        check: HealthCheckId,
        /// Inverted.
        inverted: bool,
        /// Disabled.
        disabled: bool,
    },
    /// All routing controls are On, or all Off.
    RoutingControls {
        /// Controls.
        controls: Vec<Arn>,
        /// On.
        on: bool,
    },
    /// A flag-like fact (switch object, switch metric, protection) has this value.
    Flag {
        /// Which.
        fact: Fact,
        /// Wanted value.
        is: bool,
        /// What it is called: `switch object s3://…`.
        name: Text,
    },
    /// The record set is exactly this; `None`: there is none with that name, type and identifier.
    Record {
        /// Zone.
        zone: ZoneId,
        /// Name.
        name: HostName,
        /// `A` or `AAAA`.
        record_type: Text,
        /// Set identifier.
        set_identifier: Option<Text>,
        /// The set, or none.
        is: Option<RecordSet>,
    },
    /// The scalable target's limits: min exactly or at least, max at least, and the suspension when given.
    Scaling {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
        /// Wanted min.
        min: i32,
        /// Wanted max; `None`: whatever it is.
        max: Option<i32>,
        /// True: min and max may be higher than wanted. False: exactly these.
        at_least: bool,
        /// Wanted suspension, when it matters.
        suspended: Option<Suspended>,
    },
    /// Desired count exactly this, or at least.
    Desired {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
        /// Tasks.
        tasks: i32,
        /// True: more is fine.
        at_least: bool,
    },
    /// Running tasks and, when the service has target groups, healthy targets in each: at least so many.
    Serving {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
        /// Its target groups.
        groups: Vec<Arn>,
        /// Tasks.
        tasks: i32,
    },
    /// No task runs or starts.
    Stopped {
        /// Region.
        region: Region,
        /// Service.
        service: ServiceKey,
    },
    /// A region is alive: all its target groups that have targets have healthy ones, or our own probe succeeds. Not
    /// knowing is not holding.
    Alive {
        /// Region.
        region: Region,
        /// Its target groups.
        groups: Vec<Arn>,
    },
    /// The same has been so without a break for this long, by the engine's own observations.
    AliveFor {
        /// Region.
        region: Region,
        /// Its target groups.
        groups: Vec<Arn>,
        /// How long.
        span: Duration,
    },
    /// The cluster is the writer, and no operation is in flight. Regions are asked in order until one answers.
    Writer {
        /// Regions that may be asked, survivors first.
        ask: Vec<Region>,
        /// Global cluster.
        global: GlobalClusterId,
        /// The writer's ARN.
        cluster: Arn,
    },
    /// The global cluster is available and no operation is in flight.
    GlobalIdle {
        /// Regions that may be asked, survivors first.
        ask: Vec<Region>,
        /// Global cluster.
        global: GlobalClusterId,
    },
    /// Every secondary is connected.
    Synchronized {
        /// Regions that may be asked.
        ask: Vec<Region>,
        /// Global cluster.
        global: GlobalClusterId,
    },
    /// RDS told that the global cluster's writer endpoint leads to its new writer, so long ago. By what the engine hears
    /// of its own promotions.
    EndpointMoved {
        /// Global cluster.
        global: GlobalClusterId,
        /// How long clients have had to look the name up again.
        settled: Duration,
    },
    /// The cluster is no member of the global one.
    Detached {
        /// Regions that may be asked.
        ask: Vec<Region>,
        /// Global cluster.
        global: GlobalClusterId,
        /// Cluster.
        cluster: Arn,
    },
    /// The secondary's last RPO lag is at most this.
    RpoLag {
        /// Region of the secondary.
        region: Region,
        /// The secondary.
        cluster: DbClusterId,
        /// Milliseconds.
        at_most: f64,
    },
    /// No subnet that was asked for is answered with the region's load balancers, for any of the names.
    AnswersOmit {
        /// Names.
        names: Vec<HostName>,
        /// Region.
        region: Region,
    },
    /// At least one subnet is answered with them, for each of the names.
    AnswersInclude {
        /// Names.
        names: Vec<HostName>,
        /// Region.
        region: Region,
    },
    /// Requests a minute stayed under a share of what they were before, for so many minutes.
    TrafficBelow {
        /// Region.
        region: Region,
        /// Requests a minute before.
        before: f64,
        /// Percent of `before`.
        percent: f64,
        /// Newest complete minutes.
        minutes: usize,
    },
    /// 5XX of the region stayed under this since the step began.
    ErrorsBelow {
        /// Region.
        region: Region,
        /// Percent.
        percent: f64,
    },
    /// So much time has passed since the step began (a TTL, a soak).
    Elapsed {
        /// How long.
        span: Duration,
        /// What is waited for: `TTL of 60 s`.
        name: Text,
    },
    /// Our own request to the public name succeeds (status below 500).
    Synthetic {
        /// Name.
        name: HostName,
    },
    /// Our own write to the public name is accepted and, where that is wanted, read back. Each look writes once.
    SyntheticWrite {
        /// Name.
        name: HostName,
    },
    /// The thing does not exist.
    Gone {
        /// Which.
        fact: Fact,
        /// What it is called.
        name: Text,
    },
    /// The resource carries the owner tag.
    Owned {
        /// Region.
        region: Region,
        /// Resource.
        arn: Arn,
        /// Tag key.
        key: Text,
        /// Tag value.
        value: Text,
    },
    /// The table has no replica in the region.
    NoReplica {
        /// Region that is asked.
        ask: Region,
        /// Table.
        table: crate::domain::ids::TableName,
        /// Region whose replica is gone.
        replica: Region,
    },
}

/// What a condition says now.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "state", rename_all = "snake_case")]
pub enum Judgement {
    /// It holds; the evidence in words.
    Holds {
        /// `flags are inverted and disabled (version 7)`.
        evidence: Text,
    },
    /// It does not hold yet.
    NotYet {
        /// `3 of 6 tasks healthy`.
        progress: Text,
        /// Share done, 0 to 1, when it can be told.
        share: Option<f64>,
    },
    /// It cannot be told: something was not observed, or not freshly.
    Unknown {
        /// Why.
        why: Text,
    },
    /// It cannot come to hold by waiting.
    Never {
        /// Why.
        why: Text,
    },
}

/// What judging needs beside facts.
#[derive(Clone, Debug)]
pub struct Moment<'a> {
    /// Now.
    pub now: Timestamp,
    /// When the step began.
    pub began: Timestamp,
    /// Facts observed before this are too old to prove anything.
    pub not_before: Timestamp,
    /// Since when each region has been alive without a break, by the engine's own observations.
    pub alive_since: &'a std::collections::BTreeMap<Region, Timestamp>,
    /// When RDS told that the writer endpoint of a global cluster had moved to the writer of this run's promotion.
    pub moved_at: &'a std::collections::BTreeMap<GlobalClusterId, Timestamp>,
}

impl Judgement {
    /// True when it holds.
    pub fn holds(&self) -> bool {
        matches!(self, Self::Holds { .. })
    }

    /// The words.
    pub fn words(&self) -> &Text {
        match self {
            Self::Holds { evidence } => evidence,
            Self::NotYet { progress, .. } => progress,
            Self::Unknown { why } | Self::Never { why } => why,
        }
    }
}
