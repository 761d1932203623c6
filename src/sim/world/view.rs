//! The truth about the world, for those who test a console against it.
//!
//! What it is for: `GET /_sim/world`. What it must not do: go through any simulated API.

use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::dns::Front;
use super::traffic::floor_minute;
use super::{World, lock};

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
        let writer = self.aurora_writer().map(|site| self.fleet.sites[site].region.clone());
        WorldView { now, regions, aurora_writer: writer }
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
        (served, failed)
    }
}
