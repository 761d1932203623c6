//! Samples as lines.
//!
//! What it is for: every number that a run wrote down beside its steps, by measure and region, with the stretches in
//! which nothing was known. What it must not do: join two points over a gap; a missing minute is a gap.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use crate::domain::ids::Region;
use crate::domain::text::Text;
use crate::runbook::event::{Entry, Event};
use crate::runbook::sample::{Measure, Timed};

/// Two points farther apart than this are not one line: metrics are told by the minute, targets twice as often.
const GAP: SignedDuration = SignedDuration::from_secs(90);

/// One measure of one region over the run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Line {
    /// What is measured.
    pub measure: Measure,
    /// The unit of its numbers; empty for counts.
    pub unit: &'static str,
    /// Where.
    pub region: Region,
    /// The other end, where there is one.
    pub to: Option<Region>,
    /// Every number with its time, oldest first, one a moment.
    pub points: Vec<Timed>,
    /// When nothing was known, and why.
    pub unknown: Vec<Unknown>,
}

/// A stretch in which nothing was known.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Unknown {
    /// From this sample.
    pub from: Timestamp,
    /// To this one.
    pub until: Timestamp,
    /// Why.
    pub why: Text,
}

impl Line {
    /// The points in stretches without a gap.
    pub fn stretches(&self) -> Vec<&[Timed]> {
        self.points
            .chunk_by(|a, b| {
                let blind = self.unknown.iter().any(|unknown| a.at < unknown.from && unknown.until < b.at);
                b.at.duration_since(a.at) <= GAP && !blind
            })
            .collect()
    }

    /// The name in lists: `us-east-1`, or `us-east-1 to eu-west-1`.
    pub fn place(&self) -> String {
        match &self.to {
            Some(to) => format!("{} to {to}", self.region),
            None => self.region.to_string(),
        }
    }

    /// The least and the greatest number.
    pub fn range(&self) -> Option<(Timed, Timed)> {
        let least = self.points.iter().copied().min_by(|a, b| a.value.total_cmp(&b.value))?;
        let most = self.points.iter().copied().max_by(|a, b| a.value.total_cmp(&b.value))?;
        Some((least, most))
    }
}

#[derive(Default)]
struct Known {
    points: BTreeMap<Timestamp, f64>,
    unknown: Vec<Unknown>,
    blind: bool,
}

/// Everything that was sampled.
pub(super) fn of(entries: &[Entry]) -> Vec<Line> {
    let mut known: BTreeMap<(Measure, Region, Option<Region>), Known> = BTreeMap::new();
    for entry in entries {
        let Event::Sampled { regions } = &entry.event else { continue };
        for sample in regions {
            for line in &sample.lines {
                let key = (line.measure, sample.region.clone(), line.to.clone());
                let known = known.entry(key).or_default();
                let finite = line.points.iter().filter(|point| point.value.is_finite());
                known.points.extend(finite.map(|point| (point.at, point.value)));
                known.blinded(entry.at, line.unknown.as_ref());
            }
        }
    }
    let lines = known.into_iter().map(|((measure, region, to), known)| Line {
        measure,
        unit: measure.unit(),
        region,
        to,
        points: known.points.into_iter().map(|(at, value)| Timed { at, value }).collect(),
        unknown: known.unknown,
    });
    lines.collect()
}

impl Known {
    fn blinded(&mut self, at: Timestamp, why: Option<&Text>) {
        let Some(why) = why else {
            self.blind = false;
            return;
        };
        match self.unknown.last_mut().filter(|last| self.blind && &last.why == why) {
            Some(last) => last.until = last.until.max(at),
            None => self.unknown.push(Unknown { from: at, until: at, why: why.clone() }),
        }
        self.blind = true;
    }
}
