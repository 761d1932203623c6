//! The runbooks that the console offers, with what can be chosen in their dialogs.
//!
//! What it is for: one table of names, and which of a dialog's keys a runbook has a use for.
//! What it must not do: plan; that is for `runbook::catalog`.

use crate::domain::ids::Region;
use crate::domain::pin::Pin;
use crate::runbook::{DatabaseChoice, Params};

/// A runbook with a key of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Book {
    /// Move users and writers away, planned, without loss.
    Drain,
    /// Get users out of a failing region.
    Failover,
    /// Bring a region back.
    Restore,
    /// Move the Aurora writer, planned.
    Switchover,
    /// Delete what the topology names.
    Cleanup,
}

/// Something that a dialog lets the operator choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Choice {
    /// Users first: drain --now.
    Now,
    /// The region's tasks are stopped at the end.
    ScaleToZero,
    /// What becomes of the database.
    Database,
    /// The operator's own word that the region is down.
    Declare,
    /// No final snapshots.
    SkipSnapshots,
    /// The whole application and not one region.
    Whole,
}

impl Book {
    /// All of them, in the order of their keys in Help.
    pub const ALL: [Self; 5] = [Self::Drain, Self::Failover, Self::Restore, Self::Switchover, Self::Cleanup];

    /// The id in plans, journals and on command lines.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Drain => "drain",
            Self::Failover => "failover",
            Self::Restore => "restore",
            Self::Switchover => "switchover",
            Self::Cleanup => "cleanup",
        }
    }

    /// True for what nothing may delay: it is confirmed on what is known, while the world is still being read.
    pub const fn is_emergency(self) -> bool {
        matches!(self, Self::Failover)
    }

    /// What its dialog lets one choose, with the key and the words beside it.
    pub const fn choices(self) -> &'static [Choice] {
        match self {
            Self::Drain => &[Choice::Now, Choice::ScaleToZero],
            Self::Failover => &[Choice::Database, Choice::Declare],
            Self::Restore | Self::Switchover => &[],
            Self::Cleanup => &[Choice::SkipSnapshots, Choice::Whole],
        }
    }

    /// The runbook that puts a pin back: the one that set it.
    pub fn of_pin(pin: &Pin) -> Self {
        if pin.runbook.as_str() == Self::Failover.id() { Self::Failover } else { Self::Drain }
    }

    /// The wishes that its dialog opens with.
    pub fn params(region: &Region) -> Params {
        Params { region: Some(region.clone()), ..Params::default() }
    }
}

impl Choice {
    /// The name of the command that changes it.
    pub const fn command(self) -> &'static str {
        match self {
            Self::Now => "toggle-now",
            Self::ScaleToZero => "toggle-zero",
            Self::Database => "choose-database",
            Self::Declare => "declare",
            Self::SkipSnapshots => "toggle-snapshots",
            Self::Whole => "toggle-whole",
        }
    }

    /// How it stands, in words.
    pub fn words(self, params: &Params) -> String {
        let database = params.database.map_or("let the runbook choose", DatabaseChoice::word);
        match self {
            Self::Now if params.now => "order: users first (--now)".to_owned(),
            Self::Now => "order: capacity first, then users".to_owned(),
            Self::ScaleToZero if params.scale_to_zero => "its tasks: stopped at the end".to_owned(),
            Self::ScaleToZero => "its tasks: kept".to_owned(),
            Self::Database => format!("database: {database}"),
            Self::Declare => match &params.declared {
                Some(reason) => format!("declared down: {reason}"),
                None => "declared down: no".to_owned(),
            },
            Self::SkipSnapshots if params.skip_snapshots => "final snapshots: none".to_owned(),
            Self::SkipSnapshots => "final snapshots: taken".to_owned(),
            Self::Whole if params.region.is_none() => "scope: the whole application".to_owned(),
            Self::Whole => "scope: this region only".to_owned(),
        }
    }
}

/// The database choice of a word.
pub(crate) fn database(word: &str) -> Option<DatabaseChoice> {
    let all =
        [DatabaseChoice::Leave, DatabaseChoice::Switchover, DatabaseChoice::Failover, DatabaseChoice::Detach];
    all.into_iter().find(|choice| choice.word() == word)
}

/// The next database choice in turn; after the last the runbook chooses again.
pub(crate) fn next_database(choice: Option<DatabaseChoice>) -> Option<DatabaseChoice> {
    match choice {
        None => Some(DatabaseChoice::Switchover),
        Some(DatabaseChoice::Switchover) => Some(DatabaseChoice::Failover),
        Some(DatabaseChoice::Failover) => Some(DatabaseChoice::Detach),
        Some(DatabaseChoice::Detach) => Some(DatabaseChoice::Leave),
        Some(DatabaseChoice::Leave) => None,
    }
}
