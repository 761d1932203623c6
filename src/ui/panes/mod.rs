//! The panes: one file each, one line each in [`of`].
//!
//! What it is for: what a pane says in the overview (slots), in the table of regions (a headline), and in
//! its detail (a table, the facts of a row, trends). What it must not do: paint, judge, or know sizes.

mod alarms;
mod alb;
mod aurora;
mod dynamodb;
mod ecs;
mod probe;
mod route53;
mod s3;

use std::borrow::Cow;

use jiff::Timestamp;

use super::theme::Mark;
use super::value::{Lens, Trust, Value, mark_of};
use crate::app::{PaneId, RegionView};
use crate::domain::derive::History;
use crate::domain::topology::Levels;
use crate::domain::{Observed, Severity, Standing};

/// A pane's words. Everything is computed from a region's view; nothing is kept.
pub trait Pane: Sync {
    /// What the overview shows, most important first. Each slot is about twenty columns of text, a
    /// sparkline and an age. How many there are must not depend on values, or the screen would jump.
    fn slots<'a>(&self, view: &RegionView<'a>) -> Vec<Slot<'a>>;

    /// The one number of the table of regions: at most six columns without its spaces.
    fn headline<'a>(&self, view: &RegionView<'a>) -> Value<'a>;

    /// All rows, in the order of [`RegionView::row_ids`].
    fn table<'a>(&self, view: &RegionView<'a>) -> Table<'a>;

    /// Everything else that is known of one row.
    fn facts<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Fact<'a>>;

    /// Series of one row for the last hour.
    fn trends<'a>(&self, view: &RegionView<'a>, row: usize) -> Vec<Trend<'a>>;
}

/// The words of a pane.
pub fn of(pane: PaneId) -> &'static dyn Pane {
    match pane {
        PaneId::Alb => &alb::Alb,
        PaneId::Ecs => &ecs::Ecs,
        PaneId::DynamoDb => &dynamodb::DynamoDb,
        PaneId::Aurora => &aurora::Aurora,
        PaneId::Route53 => &route53::Route53,
        PaneId::S3 => &s3::S3,
        PaneId::Alarms => &alarms::Alarms,
        PaneId::Probe => &probe::Probe,
    }
}

/// A piece of the overview.
pub struct Slot<'a> {
    /// Values with their labels, left to right.
    pub parts: Vec<Part<'a>>,
    /// The last hour.
    pub history: Option<Joined<'a>>,
    /// The value that fills a sparkline's full height even when nothing reaches it, so that noise near
    /// zero does not look like a storm.
    pub full_at: f64,
    /// Which value of a while stands for it.
    pub pick: Pick,
}

/// Which of several minutes a sparkline's column shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pick {
    /// The highest: for what is bad when high.
    Highest,
    /// The lowest: for what is bad when low.
    Lowest,
    /// The mean: for what is bad neither way.
    Mean,
}

/// A value in a slot.
pub struct Part<'a> {
    /// What it is, in a word; may be empty.
    pub label: Cow<'static, str>,
    /// The value.
    pub value: Value<'a>,
}

/// All rows of a pane.
pub struct Table<'a> {
    /// Columns, the first of which is the name and takes what room is left.
    pub columns: &'static [Column],
    /// Rows.
    pub rows: Vec<Row<'a>>,
}

/// A column.
pub struct Column {
    /// Heading.
    pub title: &'static str,
    /// Width in columns of the terminal.
    pub width: u16,
    /// Numbers end at the right.
    pub right: bool,
}

/// A row.
pub struct Row<'a> {
    /// The resource's name as findings write it.
    pub resource: String,
    /// One for each column.
    pub cells: Vec<Value<'a>>,
    /// At least this ill, whatever findings say: they speak of one row where several share an illness.
    pub floor: Mark,
}

/// Something known of a row that has no column.
pub struct Fact<'a> {
    /// What.
    pub label: Cow<'static, str>,
    /// The value, as long as it may be.
    pub value: Value<'a>,
}

/// A series to chart.
pub struct Trend<'a> {
    /// What it is, with its unit.
    pub title: String,
    /// One value a minute.
    pub history: &'a [Option<f64>],
    /// End of the last minute.
    pub end: Timestamp,
    /// How a value is written.
    pub words: fn(f64) -> String,
    /// Where it is ill.
    pub levels: Option<Levels>,
}

/// A text column.
pub const fn text(title: &'static str, width: u16) -> Column {
    Column { title, width, right: false }
}

/// A number column.
pub const fn num(title: &'static str, width: u16) -> Column {
    Column { title, width, right: true }
}

impl<'a> Slot<'a> {
    /// A slot without a history.
    pub fn new(parts: Vec<Part<'a>>) -> Self {
        Self { parts, history: None, full_at: 0.0, pick: Pick::Highest }
    }

    /// Adds the last hour.
    pub fn with(mut self, history: Joined<'a>, full_at: f64) -> Self {
        self.history = Some(history);
        self.full_at = full_at;
        self
    }

    /// Lets other values than the highest stand for a while.
    pub fn pick(mut self, pick: Pick) -> Self {
        self.pick = pick;
        self
    }
}

/// A labelled value.
pub fn part(label: impl Into<Cow<'static, str>>, value: Value<'_>) -> Part<'_> {
    Part { label: label.into(), value }
}

/// A labelled fact.
pub fn fact(label: impl Into<Cow<'static, str>>, value: Value<'_>) -> Fact<'_> {
    Fact { label: label.into(), value }
}

/// What a pane says in a region that has nothing of its kind.
pub fn none_here<'a>() -> Value<'a> {
    Value { text: "none here".to_owned(), trust: Trust::Absent, as_of: None, error: None }
}

/// The mark of a region. One whose data lags is never green, also where its own health is: its copies are old, for
/// whatever reason.
pub fn region_mark(view: &RegionView<'_>) -> Mark {
    let own = Mark::of_health(view.health());
    if view.standing == Some(Standing::Lagging) { own.max(Mark::Warning) } else { own }
}

/// The mark of a pane in a region: the worst that its findings or the state of its values say.
pub fn mark(view: &RegionView<'_>, pane: PaneId, slots: &[Slot<'_>]) -> Mark {
    let values = mark_of(slots.iter().flat_map(|slot| &slot.parts).map(|part| &part.value));
    view.pane_findings(pane).map(finding_mark).fold(values, Ord::max)
}

/// The mark of a row.
pub fn row_mark(view: &RegionView<'_>, pane: PaneId, row: &Row<'_>) -> Mark {
    let about = view.pane_findings(pane).filter(|finding| finding.resource.as_str() == row.resource);
    about.map(finding_mark).fold(mark_of(&row.cells).max(row.floor), Ord::max)
}

/// The mark of a finding.
pub fn finding_mark(finding: &crate::domain::Finding) -> Mark {
    match (finding.severity, finding.blind) {
        (Severity::Critical, _) => Mark::Critical,
        (_, true) => Mark::Unknown,
        (severity, false) => Mark::of_severity(severity),
    }
}

/// Numbers that add up. One that is not known leaves the sum unknown: a part is no whole.
pub fn total<'v, T: Copy + Into<f64> + 'v>(
    lens: Lens<'_>,
    values: impl Iterator<Item = &'v Observed<T>>,
    words: impl Fn(f64) -> String,
) -> Value<'v> {
    fold(lens, values, |sum, value| sum + value, words)
}

/// The highest of some numbers. One that is not known leaves a doubt.
pub fn highest<'v, T: Copy + Into<f64> + 'v>(
    lens: Lens<'_>,
    values: impl Iterator<Item = &'v Observed<T>>,
    words: impl Fn(f64) -> String,
) -> Value<'v> {
    fold(lens, values, f64::max, words)
}

fn fold<'v, T: Copy + Into<f64> + 'v>(
    lens: Lens<'_>,
    values: impl Iterator<Item = &'v Observed<T>>,
    join: impl Fn(f64, f64) -> f64,
    words: impl Fn(f64) -> String,
) -> Value<'v> {
    let mut known: Option<f64> = None;
    let mut worst: Option<Value<'v>> = None;
    let mut oldest: Option<Timestamp> = None;
    for value in values {
        let shown = lens.show(value, |_| String::new());
        if let Some(reading) = value.reading() {
            let number = reading.value.into();
            known = Some(known.map_or(number, |sum| join(sum, number)));
            oldest = Some(oldest.map_or(reading.as_of, |oldest| oldest.min(reading.as_of)));
        }
        if worst.as_ref().is_none_or(|worst| rank(&shown) > rank(worst)) {
            worst = Some(shown);
        }
    }
    let Some(mut worst) = worst else { return none_here() };
    match (known, worst.trust) {
        // Some are known and some could not be read: what is known is shown, with a doubt.
        (Some(number), Trust::Failed | Trust::Pending) => {
            worst.text = words(number);
            worst.trust = Trust::Stale;
            worst.as_of = oldest;
        }
        (Some(number), _) => {
            worst.text = words(number);
            worst.trust = if worst.trust == Trust::Absent { Trust::Fresh } else { worst.trust };
            worst.as_of = oldest;
        }
        (None, _) => {}
    }
    worst
}

/// Fresh values are not made doubtful by others that do not exist.
fn rank(value: &Value<'_>) -> u8 {
    match value.trust {
        Trust::Absent => 0,
        Trust::Fresh => 1,
        Trust::Pending => 2,
        Trust::Saved => 3,
        Trust::Stale => 4,
        Trust::Failed => 5,
    }
}

/// Histories of several rows that are shown as one; joined only when they are painted.
pub struct Joined<'a> {
    histories: Vec<&'a History>,
    join: fn(f64, f64) -> f64,
}

/// Histories of several rows as one.
pub fn joined<'a>(histories: impl IntoIterator<Item = &'a History>, join: fn(f64, f64) -> f64) -> Joined<'a> {
    Joined { histories: histories.into_iter().collect(), join }
}

impl<'a> Joined<'a> {
    /// One value a minute; borrowed when there is only one row.
    pub fn values(&self) -> Cow<'a, [Option<f64>]> {
        let mut histories = self.histories.iter();
        let Some(first) = histories.next() else { return Cow::Borrowed(&[]) };
        let mut all = first.values();
        for history in histories {
            for (known, other) in all.to_mut().iter_mut().zip(&*history.values()) {
                *known = match (*known, *other) {
                    (Some(a), Some(b)) => Some((self.join)(a, b)),
                    (a, b) => a.or(b),
                };
            }
        }
        all
    }
}

/// The end of the newest minute that CloudWatch was asked for in this region.
pub fn window_end(view: &RegionView<'_>) -> Timestamp {
    let metrics = view.snapshot.region(view.region).map(|region| &region.metrics);
    newest_end(metrics.into_iter().flat_map(|metrics| metrics.values()), view.snapshot.now)
}

/// The same for Route 53's metrics.
pub fn dns_window_end(view: &RegionView<'_>) -> Timestamp {
    newest_end(view.snapshot.dns.metrics.values(), view.snapshot.now)
}

fn newest_end<'a>(
    series: impl Iterator<Item = &'a Observed<crate::domain::metric::Series>>,
    now: Timestamp,
) -> Timestamp {
    crate::domain::metric::floor_minute(series.filter_map(Observed::as_of).max().unwrap_or(now))
}
