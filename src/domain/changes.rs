//! The timeline: what moved between one snapshot and the next.
//!
//! What it is for: saying "the task count of api in us-east-1 went from 4 to 2", with the time. What it must
//! not do: report a value that became stale or came back as a change, or compare metrics, which always move.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::checks::RegionRows;
use super::health::{Health, Verdict};
use super::ids::Region;
use super::observation::Observed;
use super::snapshot::FleetSnapshot;
use super::text::Text;
use super::topology::Topology;

/// One line of the timeline.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// When the new value was observed.
    pub at: Timestamp,
    /// Where; `None` for the fleet.
    pub region: Option<Region>,
    /// Pane: `ecs`, `alb`, `route53`…; `region` for verdicts.
    pub pane: &'static str,
    /// Which resource.
    pub resource: Text,
    /// What moved: `running 4 -> 2`.
    pub what: Text,
}

/// Remembers the last known values and reports what differs. Keep one for as long as the console runs.
#[derive(Default)]
pub struct Timeline {
    known: BTreeMap<Key, Text>,
    rows: Vec<RegionRows>,
}

/// One value that the timeline follows.
type Key = (Option<Region>, &'static str, Text, &'static str);

impl Timeline {
    /// Compares with what was known before; values seen for the first time are no change.
    pub fn observe(
        &mut self,
        topology: &Topology,
        snapshot: &FleetSnapshot,
        verdict: &Verdict,
    ) -> Vec<Change> {
        let mut rows = super::checks::Rows::default();
        self.observe_rows(rows.renew(topology, snapshot), snapshot.now, verdict)
    }

    /// The same for rows that are already derived from the snapshot taken at `now`.
    pub fn observe_rows(&mut self, rows: &[RegionRows], now: Timestamp, verdict: &Verdict) -> Vec<Change> {
        let mut changes = Vec::new();
        for (region, health) in &verdict.regions {
            self.verdict(Some(region), *health, now, &mut changes);
        }
        self.verdict(None, verdict.fleet, now, &mut changes);
        let seen = std::mem::replace(&mut self.rows, rows.to_vec());
        for (index, rows) in rows.iter().enumerate() {
            self.region(rows, seen.get(index).filter(|seen| seen.region == rows.region), &mut changes);
        }
        changes
    }

    /// Follows the rows of one region; those that are the ones `seen` last hold nothing new.
    fn region(&mut self, rows: &RegionRows, seen: Option<&RegionRows>, changes: &mut Vec<Change>) {
        let here = Some(&rows.region);
        if seen.is_none_or(|seen| !seen.ecs.is(&rows.ecs)) {
            for row in &rows.ecs {
                let name: Text = row.service.as_str().into();
                self.follow(here, "ecs", &name, "desired", &row.desired, changes);
                self.follow(here, "ecs", &name, "running", &row.running, changes);
                self.follow(here, "ecs", &name, "rollout", &row.rollout, changes);
                if let Some(Some(limits)) = row.scaling.value() {
                    let limits = row.scaling.map(|_| {
                        let suspended = limits.scale_in_suspended
                            || limits.scale_out_suspended
                            || limits.scheduled_suspended;
                        format!("{}-{}{}", limits.min, limits.max, if suspended { " suspended" } else { "" })
                    });
                    self.follow(here, "ecs", &name, "scaling", &limits, changes);
                }
            }
        }
        if seen.is_none_or(|seen| !seen.alb.is(&rows.alb)) {
            for row in &rows.alb {
                self.follow(here, "alb", &row.name, "healthy targets", &row.healthy_targets, changes);
                self.follow(here, "alb", &row.name, "state", &row.state, changes);
            }
        }
        if seen.is_none_or(|seen| !seen.dynamodb.is(&rows.dynamodb)) {
            for row in &rows.dynamodb {
                let name: Text = row.table.as_str().into();
                self.follow(here, "dynamodb", &name, "status", &row.status, changes);
                for replica in &row.replicas {
                    let resource: Text = format!("{} in {}", row.table, replica.region).into();
                    self.follow(here, "dynamodb", &resource, "replica", &replica.status, changes);
                }
            }
        }
        if seen.is_none_or(|seen| !seen.aurora.is(&rows.aurora)) {
            for row in &rows.aurora {
                let name: Text = row.cluster.as_str().into();
                self.follow(here, "aurora", &name, "role", &row.role, changes);
                self.follow(here, "aurora", &name, "status", &row.status, changes);
                self.follow(here, "aurora", &name, "synchronisation", &row.synchronization, changes);
            }
        }
        if seen.is_none_or(|seen| !seen.route53.is(&rows.route53)) {
            for row in &rows.route53 {
                let name: Text = format!("{} {}", row.name, row.record_type).into();
                let verdict = row.verdict.map(|good| if *good { "healthy" } else { "unhealthy" });
                self.follow(here, "route53", &row.name.as_str().into(), "verdict", &verdict, changes);
                let answered = row.answers.map(|answers| if *answers { "answered" } else { "not answered" });
                self.follow(here, "route53", &name, "record", &answered, changes);
                let flags = match (row.disabled.value(), row.inverted.value()) {
                    (Some(disabled), Some(inverted)) => row.disabled.map(|_| match (disabled, inverted) {
                        (true, true) => "disabled and inverted",
                        (true, false) => "disabled",
                        (false, true) => "inverted",
                        (false, false) => "in force",
                    }),
                    _ => continue,
                };
                self.follow(here, "route53", &row.name.as_str().into(), "check", &flags, changes);
            }
        }
        if seen.is_none_or(|seen| !seen.alarms.is(&rows.alarms)) {
            for row in &rows.alarms {
                self.follow(here, "alarms", &row.name.as_str().into(), "alarm", &row.state, changes);
            }
        }
        if seen.is_none_or(|seen| !seen.probe.is(&rows.probe)) {
            for row in &rows.probe {
                let outcome = match row.status.error() {
                    Some(error) => {
                        Observed::seen(row.status.source().clone(), error.kind.label().to_owned(), error.at)
                    }
                    None => row.status.map(|status| format!("HTTP {status}")),
                };
                self.follow(here, "probe", &row.url, "answer", &outcome, changes);
            }
        }
    }

    fn verdict(
        &mut self,
        region: Option<&Region>,
        health: Health,
        now: Timestamp,
        changes: &mut Vec<Change>,
    ) {
        // A verdict that becomes known for the first time is no change.
        let key: Key = (region.cloned(), "region", Text::default(), "verdict");
        match self.known.get(&key) {
            None if health == Health::Unknown => {}
            _ => self.note(key, health.word().into(), now, changes),
        }
    }

    fn follow<T: std::fmt::Display>(
        &mut self,
        region: Option<&Region>,
        pane: &'static str,
        resource: &Text,
        what: &'static str,
        value: &Observed<T>,
        changes: &mut Vec<Change>,
    ) {
        if let Some(reading) = value.reading()
            && !reading.saved
        {
            let key = (region.cloned(), pane, resource.clone(), what);
            self.note(key, reading.value.to_string().into(), reading.as_of, changes);
        }
    }

    fn note(&mut self, key: Key, new: Text, at: Timestamp, changes: &mut Vec<Change>) {
        match self.known.get_mut(&key) {
            None => {
                self.known.insert(key, new);
            }
            Some(old) if *old == new => {}
            Some(old) => {
                let (region, pane, resource, what) = key;
                let line = format!("{what} {old} -> {new}");
                *old = new;
                changes.push(Change { at, region, pane, resource, what: line.into() });
            }
        }
    }
}
