//! The truth about the world, for those who test a console against it.
//!
//! What it is for: `GET /_sim/world`. What it must not do: go through any simulated API.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::dns::Front;
use super::traffic::floor_minute;
use super::{World, lock};

/// Share of users' requests that write to the database.
const WRITES: f64 = 0.12;

/// Users' requests counted so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    /// The newest minute that is counted.
    counted: Option<Timestamp>,
    /// Served and failed, by site.
    sites: Vec<(f64, f64)>,
}

/// The world at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct WorldView {
    /// The world's time.
    pub now: Timestamp,
    /// Each region.
    pub regions: Vec<RegionView>,
    /// Region of Aurora's writer.
    pub aurora_writer: Option<String>,
    /// Regions whose databases take writes: none during an outage or a move, more than one is a split brain.
    pub aurora_writers: Vec<String>,
    /// Whether users' writes succeed.
    pub writes_succeed: bool,
}

/// One region at one moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct RegionView {
    /// Region.
    pub region: String,
    /// A user who reaches its load balancer gets a good answer.
    pub up: bool,
    /// DNS answers name it.
    pub in_dns: bool,
    /// Healthy tasks of all services.
    pub healthy_tasks: usize,
    /// Tasks wanted.
    pub desired_tasks: usize,
    /// Users' requests of the last whole minute that were served.
    pub served_last_minute: u64,
    /// Users' requests of the last whole minute that failed.
    pub failed_last_minute: u64,
    /// Users' requests served since the world began.
    pub served: u64,
    /// Users' requests failed since the world began.
    pub failed: u64,
}

impl World {
    /// The truth at `now`.
    pub fn view(&self, now: Timestamp) -> WorldView {
        let in_dns = self.in_dns(now);
        let newest = floor_minute(now) - SignedDuration::from_mins(1);
        let totals = self.totals(newest);
        let regions = self
            .fleet
            .sites
            .iter()
            .map(|site| {
                let services = 0..self.fleet.services.len();
                let (last_served, last_failed) = self.users(site.index, newest);
                let (served, failed) = totals.get(site.index).copied().unwrap_or_default();
                RegionView {
                    region: site.region.clone(),
                    up: matches!(self.front(site.index, now), Front::Serving(errors) if errors < 0.5),
                    in_dns: in_dns[site.index],
                    healthy_tasks: services.clone().map(|s| self.health(site.index, s, now).0).sum(),
                    desired_tasks: services.map(|s| self.desired(site.index, s, now).max(0) as usize).sum(),
                    served_last_minute: last_served as u64,
                    failed_last_minute: last_failed as u64,
                    served: served as u64,
                    failed: failed as u64,
                }
            })
            .collect();
        let region = |site: usize| self.fleet.sites[site].region.clone();
        WorldView {
            now,
            regions,
            aurora_writer: self.aurora_writer(now).map(region),
            aurora_writers: self.writers(now).into_iter().map(region).collect(),
            writes_succeed: self.writes_succeed(now),
        }
    }

    /// Users' requests that failed between two moments, by site.
    pub fn failed_between(&self, from: Timestamp, to: Timestamp) -> Vec<f64> {
        let mut failed = vec![0.0; self.fleet.sites.len()];
        let mut minute = floor_minute(from);
        while minute < to {
            let next = minute + SignedDuration::from_mins(1);
            let part = next.min(to).duration_since(minute.max(from)).as_secs_f64() / 60.0;
            for (site, failed) in failed.iter_mut().enumerate() {
                *failed += part.max(0.0) * self.users(site, minute).1;
            }
            minute = next;
        }
        failed
    }

    /// Served and failed requests of every site since the world began, `newest` included. Minutes that are
    /// over never change, so each is counted once.
    fn totals(&self, newest: Timestamp) -> Vec<(f64, f64)> {
        let mut tally = lock(&self.tally).clone();
        tally.sites.resize(self.fleet.sites.len(), (0.0, 0.0));
        let mut minute =
            tally.counted.map_or(floor_minute(self.started), |last| last + SignedDuration::from_mins(1));
        while minute <= newest {
            for (site, (served, failed)) in tally.sites.iter_mut().enumerate() {
                let (good, bad) = self.users(site, minute);
                *served += good;
                *failed += bad;
            }
            tally.counted = Some(minute);
            minute += SignedDuration::from_mins(1);
        }
        lock(&self.tally).clone_from(&tally);
        tally.sites
    }

    /// Served and failed requests of a minute.
    fn users(&self, site: usize, minute: Timestamp) -> (f64, f64) {
        let (mut served, mut failed) = (0.0, 0.0);
        for service in 0..self.fleet.services.len() {
            let outcome = self.outcome(site, service, minute);
            let bad = (outcome.target_5xx + outcome.elb_5xx).min(outcome.requests);
            failed += bad;
            served += outcome.requests - bad;
        }
        // A write without a writer is answered with "try again later": no 5XX, and no success either.
        let refused = served * WRITES * self.without_writer(minute);
        (served - refused, failed + refused + self.unanswered(site, minute))
    }

    /// The part of a minute in which users' writes fail.
    fn without_writer(&self, minute: Timestamp) -> f64 {
        const SAMPLES: i64 = 6;
        let at = |sample: i64| minute + SignedDuration::from_secs(60 / SAMPLES * sample + 5);
        let failing = (0..SAMPLES).filter(|sample| !self.writes_succeed(at(*sample))).count();
        failing as f64 / SAMPLES as f64
    }
}
