//! The decision card: wait, drain, drain --now or failover, side by side, for one region.
//!
//! What it is for: what each way costs, before anything is chosen. What it must not do: start anything; Enter
//! opens the dialog of the chosen way.

use jiff::Timestamp;

use super::book::Book;
use super::dialog::{self, Planning, Reads};
use crate::app::fleet::Fleet;
use crate::app::screen::Scroll;
use crate::app::sight::RegionView;
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, PERIOD, SeriesKey};
use crate::domain::policy::Freshness;
use crate::domain::text::Text;
use crate::domain::topology::LoadBalancerKind;
use crate::runbook::evacuation::LINGERING;
use crate::runbook::{DatabaseChoice, Facts, Params, PlanError};

/// The card.
#[derive(Clone, Debug, PartialEq)]
pub struct Card {
    /// The region that it was opened on.
    pub region: Region,
    /// The ways, in the order of [`Way::ALL`].
    pub ways: [Planning; 4],
    /// What the failover's plan takes for granted of the database, when there is a choice to make: the one that it
    /// proposes. The dialog asks all the same.
    pub assumed: Option<DatabaseChoice>,
    /// Which way the cursor is on.
    pub selected: usize,
    /// When its plans were asked for, and what is read for them.
    pub(super) asked: Option<Timestamp>,
    pub(super) reads: Reads,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

/// One way to answer an illness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Do nothing.
    Wait,
    /// Planned, capacity first.
    Drain,
    /// Planned, users first.
    DrainNow,
    /// Unplanned.
    Failover,
}

/// Requests that fail, as far as that is known.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Failing {
    /// Requests that ended in 5XX in the newest known minute.
    pub per_minute: f64,
    /// The end of that minute.
    pub as_of: Timestamp,
}

/// Data that only the region holds, as far as that is known.
#[derive(Clone, Debug, PartialEq)]
pub struct Behind {
    /// What: `Aurora my-global-db`, `table Orders`, `bucket assets`.
    pub what: String,
    /// Where it has not arrived yet.
    pub place: Text,
    /// How far that is behind, and when that was so; `None` when it was never read.
    pub lag: Option<(Lag, Timestamp)>,
    /// True for what a promotion gives up; the rest arrives when the region returns.
    pub promoted: bool,
}

/// How far a copy is behind.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Lag {
    /// Milliseconds.
    Ms(f64),
    /// Bytes that wait.
    Bytes(f64),
}

impl Way {
    /// All ways, in the order in which they are shown: the mildest first.
    pub const ALL: [Self; 4] = [Self::Wait, Self::Drain, Self::DrainNow, Self::Failover];

    /// Its name.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Drain => "drain",
            Self::DrainNow => "drain --now",
            Self::Failover => "failover",
        }
    }

    /// The runbook, where there is one.
    pub const fn book(self) -> Option<Book> {
        match self {
            Self::Wait => None,
            Self::Drain | Self::DrainNow => Some(Book::Drain),
            Self::Failover => Some(Book::Failover),
        }
    }

    /// The wishes.
    pub fn params(self, region: &Region) -> Params {
        Params { region: Some(region.clone()), now: self == Self::DrainNow, ..Params::default() }
    }
}

impl Card {
    /// A card without answers.
    pub(crate) fn new(region: Region) -> Self {
        Self {
            region,
            ways: Default::default(),
            assumed: None,
            selected: 0,
            asked: None,
            reads: Reads::default(),
            scroll: Scroll::default(),
        }
    }

    /// True when one of the plans on it has grown old, or what is watched says otherwise, and nobody reads for it yet.
    pub(super) fn is_old(&self, now: Timestamp, seen: Option<&Facts>, freshness: &Freshness) -> bool {
        let Some(asked) = self.asked else { return false };
        if self.ways.iter().any(Planning::is_reading) {
            return false;
        }
        let plans = || self.ways.iter().filter_map(|way| way.plan.as_ref());
        dialog::is_old(now.duration_since(asked), plans, now, seen, freshness)
    }

    /// The failover asks what becomes of the database: the wishes with its proposal, to be planned instead, so that
    /// the card shows what it would cost. Only once.
    pub(crate) fn assume(&mut self, error: Option<&PlanError>) -> Option<Params> {
        let Some(PlanError::Choose { flag: "--database", proposed, .. }) = error else { return None };
        let (None, Some(word)) = (self.assumed, proposed) else { return None };
        self.assumed = super::book::database(word.as_str());
        self.assumed.map(|database| Params { database: Some(database), ..Way::Failover.params(&self.region) })
    }

    /// How long clients may stay after they were sent elsewhere, in the words of a plan; `None` before there is one.
    pub fn lingering(&self) -> Option<&Text> {
        let plans = self.ways.iter().filter_map(|way| way.plan.as_ref());
        plans.flat_map(|plan| &plan.notes).find(|note| note.as_str().starts_with(LINGERING))
    }

    /// The way that the cursor is on.
    pub fn way(&self) -> Way {
        Way::ALL.get(self.selected).copied().unwrap_or(Way::Wait)
    }
}

/// Requests of a region that fail, over all its load balancers. `None` when that is not known of one of them:
/// a part is no whole.
pub fn failing(view: &RegionView<'_>) -> Option<Failing> {
    let mut sum: Option<Failing> = None;
    let observed = view.snapshot.region(view.region)?;
    for row in &view.rows.alb {
        if row.kind != LoadBalancerKind::Application {
            continue;
        }
        // No traffic at all: then none of it fails.
        let idle = row.requests_per_s.value() == Some(&0.0) && row.error_5xx_percent.value().is_none();
        let as_of = if idle { row.requests_per_s.as_of()? } else { row.error_5xx_percent.as_of()? };
        let dimension = row.arn.elb_dimension()?;
        let count = |metric: Metric| {
            let series = observed.metrics.get(&SeriesKey::new(metric, &[dimension]))?.value()?;
            series.at(as_of - PERIOD)
        };
        // The share is known of this minute, so that a gap in a count is proven to be zero.
        let here =
            count(Metric::AlbElb5xx).unwrap_or_default() + count(Metric::AlbTarget5xx).unwrap_or_default();
        sum = Some(match sum {
            None => Failing { per_minute: here, as_of },
            Some(sum) => Failing { per_minute: sum.per_minute + here, as_of: sum.as_of.min(as_of) },
        });
    }
    sum
}

/// What is only in `region` now: writes of Aurora, when it writes there, writes of tables, and objects.
pub fn behind(fleet: &Fleet, region: &Region) -> Vec<Behind> {
    let Some(view) = fleet.region(region) else { return Vec::new() };
    let mut lines = Vec::new();
    for row in view.rows.aurora.iter() {
        // Where nobody knows who writes, it may be this one.
        if row.role.value().is_some_and(|role| role.as_str() != "writer") {
            continue;
        }
        for other in fleet.regions().filter(|other| *other != region) {
            let Some(there) = fleet.region(other) else { continue };
            let copies = there.rows.aurora.iter().filter(|copy| copy.global_cluster == row.global_cluster);
            lines.extend(copies.map(|copy| Behind {
                what: format!("Aurora {}", row.global_cluster),
                place: other.as_str().into(),
                lag: copy.rpo_lag_ms.reading().map(|reading| (Lag::Ms(reading.value), reading.as_of)),
                promoted: true,
            }));
        }
    }
    for row in view.rows.dynamodb.iter() {
        lines.extend(row.latency_ms.iter().map(|(peer, latency, _)| Behind {
            what: format!("table {}", row.table),
            place: peer.as_str().into(),
            lag: latency.reading().map(|reading| (Lag::Ms(reading.value), reading.as_of)),
            promoted: false,
        }));
    }
    lines.extend(view.rows.s3.iter().map(|row| Behind {
        what: format!("bucket {}", row.bucket),
        place: row.destination_region.as_str().into(),
        lag: row.pending_bytes.reading().map(|reading| (Lag::Bytes(reading.value), reading.as_of)),
        promoted: false,
    }));
    lines
}
