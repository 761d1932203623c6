//! Samples: what users felt and how far data was behind while a run went on.
//!
//! What it is for: turning the snapshot that panes show into numbers with their times, for the journal, so that a
//! report can draw them beside the steps. What it must not do: ask anybody anything, or put a number where none is
//! known: what is not known has the reason in its place, and what was not read yet is left out.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::domain::derive::{self, AlbRow};
use crate::domain::ids::Region;
use crate::domain::metric::{Metric, PERIOD, SeriesKey};
use crate::domain::observation::{ErrorKind, Observed};
use crate::domain::snapshot::{FleetSnapshot, RegionSnapshot};
use crate::domain::text::Text;
use crate::domain::topology::{Freshness, Topology};
use crate::ports::BoxFuture;

/// How often a run is sampled.
pub const SAMPLE_EVERY: std::time::Duration = std::time::Duration::from_secs(30);

/// How much of what was before the run its first sample tells, as far as it is known.
pub const BEFORE: SignedDuration = SignedDuration::from_mins(15);

/// Tells what is known now. It must answer at once: a run never waits for it.
pub trait Sampler: Send + Sync {
    /// What became known since the last sample; empty when nothing did.
    fn sample(&self) -> BoxFuture<'_, Vec<RegionSample>>;
}

/// One region in a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegionSample {
    /// Which region.
    pub region: Region,
    /// What was measured there.
    pub lines: Vec<SampleLine>,
}

/// One measure of one region in a sample.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleLine {
    /// What is measured.
    pub measure: Measure,
    /// The other end, where the measure has one: the region that receives.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Region>,
    /// What became known since the last sample, oldest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<Timed>,
    /// Why nothing is known now; `None` while something is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unknown: Option<Text>,
}

/// A number and when it was so: the answer's arrival for calls, the end of the minute for metrics.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Timed {
    /// When.
    pub at: Timestamp,
    /// The number, in the measure's unit; finite.
    pub value: f64,
}

/// What a sample measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Measure {
    /// Share of requests answered with 5XX, percent; of several load balancers the worst.
    #[serde(rename = "error_5xx_percent")]
    Errors,
    /// Requests a second over all load balancers.
    #[serde(rename = "requests_per_s")]
    Requests,
    /// Healthy targets over all load balancers.
    HealthyTargets,
    /// All registered targets.
    Targets,
    /// Running tasks over all services.
    RunningTasks,
    /// Wanted tasks.
    DesiredTasks,
    /// DynamoDB replication latency to another region, milliseconds; of several tables the worst.
    #[serde(rename = "replication_latency_ms")]
    Replication,
    /// Aurora's replication lag here, milliseconds; of several clusters the worst.
    #[serde(rename = "aurora_replication_lag_ms")]
    AuroraLag,
    /// Aurora's RPO lag here, milliseconds.
    #[serde(rename = "aurora_rpo_lag_ms")]
    AuroraRpo,
}

impl Measure {
    /// All of them, in the order of reports.
    pub const ALL: [Self; 9] = [
        Self::Errors,
        Self::Requests,
        Self::HealthyTargets,
        Self::Targets,
        Self::RunningTasks,
        Self::DesiredTasks,
        Self::Replication,
        Self::AuroraLag,
        Self::AuroraRpo,
    ];

    /// In words.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Errors => "5XX",
            Self::Requests => "requests",
            Self::HealthyTargets => "healthy targets",
            Self::Targets => "targets",
            Self::RunningTasks => "running tasks",
            Self::DesiredTasks => "wanted tasks",
            Self::Replication => "DynamoDB replication latency",
            Self::AuroraLag => "Aurora replication lag",
            Self::AuroraRpo => "Aurora RPO lag",
        }
    }

    /// The unit of its numbers.
    pub const fn unit(self) -> &'static str {
        match self {
            Self::Errors => "%",
            Self::Requests => "/s",
            Self::HealthyTargets | Self::Targets | Self::RunningTasks | Self::DesiredTasks => "",
            Self::Replication | Self::AuroraLag | Self::AuroraRpo => "ms",
        }
    }
}

/// A measure of a region, towards another one where it has one.
type Key = (Region, Measure, Option<Region>);

/// What has been told of one run already.
#[derive(Clone, Debug)]
pub struct Samples {
    since: Timestamp,
    told: BTreeMap<Key, Timestamp>,
}

/// One measure as it is known at this moment.
#[derive(Default)]
struct Line {
    points: Vec<Timed>,
    unknown: Option<Text>,
}

impl Samples {
    /// Nothing told of a run that began then.
    pub fn new(began: Timestamp) -> Self {
        Self { since: began - BEFORE, told: BTreeMap::new() }
    }

    /// What the snapshot tells that was not told yet.
    pub fn take(&mut self, topology: &Topology, snapshot: &FleetSnapshot) -> Vec<RegionSample> {
        let regions = snapshot.regions.iter().map(AsRef::as_ref);
        regions
            .filter_map(|region| {
                let lines = known(topology, snapshot, region);
                let lines: Vec<SampleLine> =
                    lines.into_iter().filter_map(|line| self.news(&region.region, line)).collect();
                (!lines.is_empty()).then(|| RegionSample { region: region.region.clone(), lines })
            })
            .collect()
    }

    fn news(
        &mut self,
        region: &Region,
        (measure, to, line): (Measure, Option<Region>, Line),
    ) -> Option<SampleLine> {
        let told = self.told.entry((region.clone(), measure, to.clone())).or_insert(self.since);
        let new = |point: &Timed| point.at > *told && point.value.is_finite();
        let points: Vec<Timed> = line.points.into_iter().filter(new).collect();
        if let Some(last) = points.last() {
            *told = last.at;
        }
        let news = !points.is_empty() || line.unknown.is_some();
        news.then_some(SampleLine { measure, to, points, unknown: line.unknown })
    }
}

fn known(
    topology: &Topology,
    snapshot: &FleetSnapshot,
    region: &RegionSnapshot,
) -> Vec<(Measure, Option<Region>, Line)> {
    let present = Present { now: snapshot.now, freshness: &topology.freshness };
    let name = &region.region;
    let mut lines = Vec::new();
    let rows = derive::alb(topology, snapshot, name);
    lines.push((Measure::Errors, None, errors(&rows, &present)));
    lines.push((Measure::Requests, None, requests(&rows, &present)));
    let counted = |counts: Vec<Observed<f64>>| present.sum(&counts);
    let number = |count: &u32| f64::from(*count);
    let healthy = rows.iter().map(|row| row.healthy_targets.map(number)).collect();
    lines.push((Measure::HealthyTargets, None, counted(healthy)));
    lines.push((Measure::Targets, None, counted(rows.iter().map(|row| row.targets.map(number)).collect())));
    let services = derive::ecs(topology, snapshot, name);
    let number = |count: &i32| f64::from(*count);
    let running = services.iter().map(|row| row.running.map(number)).collect();
    lines.push((Measure::RunningTasks, None, counted(running)));
    let desired = services.iter().map(|row| row.desired.map(number)).collect();
    lines.push((Measure::DesiredTasks, None, counted(desired)));
    lines.extend(replication(topology, snapshot, region, &present));
    lines.extend(aurora(topology, snapshot, region, &present));
    lines
}

/// The moment, and how old a number may be.
struct Present<'a> {
    now: Timestamp,
    freshness: &'a Freshness,
}

impl Present<'_> {
    fn fresh(&self, observed: &Observed<f64>) -> Option<Timed> {
        observed.fresh(self.now, self.freshness)?;
        let reading = observed.reading()?;
        Some(Timed { at: reading.as_of, value: reading.value })
    }

    /// Why there is no number now; `None` when there is one, or when nothing was read yet.
    fn why(&self, observed: &Observed<f64>) -> Option<Text> {
        if observed.is_pending() || self.fresh(observed).is_some() {
            return None;
        }
        match (observed.error(), observed.reading()) {
            (Some(error), _) if error.kind == ErrorKind::NoData => Some(error.message.clone()),
            (Some(error), _) => Some(error.kind.label().into()),
            // Read in an earlier session: nothing was read in this one.
            (None, Some(reading)) if reading.saved => None,
            (None, Some(reading)) => {
                Some(format!("not read since {}", reading.as_of.strftime("%H:%M:%SZ")).into())
            }
            (None, None) => None,
        }
    }

    /// The sum; a part that is unknown leaves it unknown.
    fn sum(&self, parts: &[Observed<f64>]) -> Line {
        let unknown = parts.iter().find_map(|part| self.why(part));
        let known: Vec<Timed> = parts.iter().filter_map(|part| self.fresh(part)).collect();
        let oldest = known.iter().map(|timed| timed.at).min();
        let whole = oldest.filter(|_| known.len() == parts.len());
        let points =
            whole.map(|at| Timed { at, value: known.iter().map(|timed| timed.value).sum() }).into_iter();
        Line { points: points.collect(), unknown }
    }

    /// The minutes of several series, of each minute the worst; unknown when none of `now` is known.
    fn worst(&self, now: &[&Observed<f64>], minutes: BTreeMap<Timestamp, f64>) -> Line {
        if !now.iter().any(|observed| self.fresh(observed).is_some()) {
            let unknown = now.iter().find_map(|observed| self.why(observed));
            return Line { points: Vec::new(), unknown };
        }
        let timed = minutes.into_iter().map(|(minute, value)| Timed { at: minute + PERIOD, value });
        Line { points: timed.collect(), unknown: None }
    }
}

/// The minutes that a row's history tells, by their beginning.
fn minutes(row: &AlbRow, history: &derive::History) -> BTreeMap<Timestamp, f64> {
    let Some(end) = row.histories_end else { return BTreeMap::new() };
    let values = history.values();
    let first = end - SignedDuration::from_mins(values.len() as i64);
    let timed = values
        .iter()
        .enumerate()
        .filter_map(|(index, value)| Some((first + SignedDuration::from_mins(index as i64), (*value)?)));
    timed.collect()
}

fn requests(rows: &[AlbRow], present: &Present<'_>) -> Line {
    let unknown = rows.iter().find_map(|row| present.why(&row.requests_per_s));
    let mut all: BTreeMap<Timestamp, (f64, usize)> = BTreeMap::new();
    for row in rows {
        for (minute, value) in minutes(row, &row.requests_history) {
            let (sum, count) = all.entry(minute).or_default();
            *sum += value;
            *count += 1;
        }
    }
    if unknown.is_some() {
        return Line { points: Vec::new(), unknown };
    }
    let whole = all.into_iter().filter(|(_, (_, count))| *count == rows.len());
    Line { points: whole.map(|(minute, (value, _))| Timed { at: minute + PERIOD, value }).collect(), unknown }
}

fn errors(rows: &[AlbRow], present: &Present<'_>) -> Line {
    let mut worst: BTreeMap<Timestamp, f64> = BTreeMap::new();
    for row in rows {
        keep_worst(&mut worst, minutes(row, &row.error_history));
    }
    let now: Vec<&Observed<f64>> = rows.iter().map(|row| &row.error_5xx_percent).collect();
    present.worst(&now, worst)
}

fn keep_worst(worst: &mut BTreeMap<Timestamp, f64>, more: impl IntoIterator<Item = (Timestamp, f64)>) {
    for (minute, value) in more {
        worst.entry(minute).and_modify(|known| *known = known.max(value)).or_insert(value);
    }
}

/// The minutes of a series of this region.
fn series(region: &RegionSnapshot, metric: Metric, dimensions: &[&str]) -> Vec<(Timestamp, f64)> {
    let observed = region.metrics.get(&SeriesKey::new(metric, dimensions));
    let reading = observed.and_then(Observed::reading).filter(|reading| !reading.saved);
    let points = reading.map(|reading| reading.value.points()).unwrap_or_default();
    points.into_iter().map(|point| (point.at, point.value)).collect()
}

fn replication(
    topology: &Topology,
    snapshot: &FleetSnapshot,
    region: &RegionSnapshot,
    present: &Present<'_>,
) -> Vec<(Measure, Option<Region>, Line)> {
    let rows = derive::dynamodb(topology, snapshot, &region.region);
    let peers = topology.regions.iter().map(|entry| &entry.name).filter(|peer| **peer != region.region);
    let line = |peer: &Region| {
        let mut now = Vec::new();
        let mut worst = BTreeMap::new();
        for row in &rows {
            for (_, latency, _) in row.latency_ms.iter().filter(|(to, ..)| to == peer) {
                now.push(latency);
                let dimensions = [peer.as_str(), row.table.as_str()];
                keep_worst(&mut worst, series(region, Metric::TableReplicationLatency, &dimensions));
            }
        }
        (Measure::Replication, Some(peer.clone()), present.worst(&now, worst))
    };
    peers.map(line).collect()
}

fn aurora(
    topology: &Topology,
    snapshot: &FleetSnapshot,
    region: &RegionSnapshot,
    present: &Present<'_>,
) -> Vec<(Measure, Option<Region>, Line)> {
    // The writer has no lag, which is nothing unknown. Without a role nobody can tell whose silence it is.
    let rows = derive::aurora(topology, snapshot, &region.region);
    let line = |measure, metric, lag: fn(&derive::AuroraRow) -> &Observed<f64>| {
        let mut worst = BTreeMap::new();
        for row in &rows {
            keep_worst(&mut worst, series(region, metric, &[row.cluster.as_str()]));
        }
        let now: Vec<&Observed<f64>> = rows.iter().map(lag).collect();
        let mut line = present.worst(&now, worst);
        let reads = |row: &derive::AuroraRow| row.role.value().is_some_and(|role| role.as_str() == "reader");
        let silent =
            |row: &derive::AuroraRow| lag(row).error().is_some_and(|error| error.kind == ErrorKind::NoData);
        if rows.iter().all(|row| silent(row) && !reads(row)) {
            line.unknown = None;
        }
        (measure, None, line)
    };
    vec![
        line(Measure::AuroraLag, Metric::AuroraReplicationLag, |row| &row.replication_lag_ms),
        line(Measure::AuroraRpo, Metric::AuroraRpoLag, |row| &row.rpo_lag_ms),
    ]
}
