//! What Route 53 knows: health checks, and which regions its answers name.
//!
//! What it is for: checkers, verdicts, and the DNS answer at any time.
//! What it must not do: answer API calls; those are `services::route53`.

use jiff::Timestamp;

use super::scenario::{Effect, Mode};
use super::{Site, World, before, geography, noise};

/// Where Route 53's checkers stand.
pub const CHECKER_REGIONS: [&str; 8] = [
    "us-east-1",
    "us-west-1",
    "us-west-2",
    "eu-west-1",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-northeast-1",
    "sa-east-1",
];
/// Checkers a region.
pub const CHECKERS_EACH: usize = 2;
/// The path that health checks and our own probe ask for.
pub const HEALTH_PATH: &str = "/health";
/// Three failed requests, ten seconds apart, until a checker calls an endpoint unhealthy.
const DETECTION_SECONDS: i64 = 30;

/// What a client of a region's load balancer gets.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Front {
    /// Answers; this share of them are 5XX of the targets.
    Serving(f64),
    /// Answers every request with this status.
    Failing(u16),
    /// Refuses connections.
    Refusing,
    /// Never answers.
    Hanging,
}

impl World {
    /// What the region's front door does for users at `at`.
    pub fn front(&self, site: usize, at: Timestamp) -> Front {
        let timeline = self.timeline();
        let region = &self.fleet.sites[site].region;
        if timeline.quiet_in(region, at, at) {
            return Front::Serving(0.0);
        }
        let mut errors: f64 = 0.0;
        for active in timeline.at(region, at) {
            match active.effect {
                Effect::AppDown { mode: Mode::Error } => return Front::Failing(503),
                Effect::AppDown { mode: Mode::Refuse } => return Front::Refusing,
                Effect::AppDown { mode: Mode::Hang } => return Front::Hanging,
                Effect::Errors5xx { services, percent } => {
                    // The first service answers whatever no rule sends elsewhere.
                    let first = self.fleet.services.first().map_or("", |spec| spec.name.as_str());
                    if super::tasks::listed(services, first) {
                        errors = errors.max(percent / 100.0);
                    }
                }
                _ => {}
            }
        }
        match self.health(site, 0, at) {
            (_, 0) => Front::Failing(503),
            (0, _) => Front::Failing(504),
            _ => Front::Serving(errors),
        }
    }

    /// What the front door does with a path. `/health` touches nothing that may fail for users, so its
    /// answers know no share of errors; where it flaps, it flaps alone.
    pub fn front_of(&self, site: usize, path: &str, at: Timestamp) -> Front {
        match self.front(site, at) {
            Front::Serving(_) if path == HEALTH_PATH => {
                if self.flaps_down(site, at) {
                    Front::Failing(503)
                } else {
                    Front::Serving(0.0)
                }
            }
            front => front,
        }
    }

    fn flaps_down(&self, site: usize, at: Timestamp) -> bool {
        self.timeline().at(&self.fleet.sites[site].region, at).any(|active| match active.effect {
            Effect::HealthCheckFlap { period, down } => {
                let period = (*period).max(2);
                let passed = (at.as_second() - active.from.as_second()).rem_euclid(period);
                (passed as f64) < period as f64 * down
            }
            _ => false,
        })
    }

    /// Share of checkers that call the region's endpoint healthy, 0 to 1.
    pub fn checkers_healthy(&self, site: usize, at: Timestamp) -> f64 {
        let total = CHECKER_REGIONS.len() * CHECKERS_EACH;
        let healthy = (0..total).filter(|checker| self.checker(site, *checker, at).0).count();
        healthy as f64 / total as f64
    }

    /// When a checker last asked: every ten seconds, each at a second of its own.
    pub fn asked(&self, site: usize, checker: usize, now: Timestamp) -> Timestamp {
        let salt = self.fleet.sites[site].salt ^ noise::mix(checker as u64);
        let second = (noise::unit(salt, 0) * 10.0) as i64;
        let passed = (now.as_second() - second).rem_euclid(10);
        Timestamp::from_second(now.as_second() - passed).unwrap_or(now)
    }

    /// One checker: whether it calls the endpoint healthy, and whether its last request succeeded.
    pub fn checker(&self, site: usize, checker: usize, at: Timestamp) -> (bool, bool) {
        let at = self.asked(site, checker, at);
        let fails = |at: Timestamp| !matches!(self.front_of(site, HEALTH_PATH, at), Front::Serving(_));
        let last = !fails(at);
        let failing = (0..=DETECTION_SECONDS / 10).all(|back| fails(before(at, back * 10)));
        // It takes as many successes to come back as failures to go.
        let recovering = last
            && (1..=DETECTION_SECONDS / 10).any(|back| fails(before(at, back * 10)))
            && (0..=DETECTION_SECONDS / 10).all(|back| fails(before(at, DETECTION_SECONDS + 10 + back * 10)));
        (!failing && !recovering, last)
    }

    /// Route 53's verdict: more than 18 % of the checkers.
    pub fn verdict(&self, site: usize, at: Timestamp) -> bool {
        let from = before(at, 4 * DETECTION_SECONDS);
        self.timeline().quiet_in(&self.fleet.sites[site].region, from, at)
            || self.checkers_healthy(site, at) > 0.18
    }

    /// Whether the record of the region would be answered on its own merits: its health check, and the
    /// load balancer's own health, both.
    fn record_healthy(&self, site: usize, at: Timestamp) -> bool {
        let from = before(at, 4 * DETECTION_SECONDS);
        if self.timeline().quiet_in(&self.fleet.sites[site].region, from, at) {
            return true;
        }
        self.verdict(site, at)
            && (0..self.fleet.services.len())
                .all(|service| self.health(site, service, before(at, DETECTION_SECONDS)).0 > 0)
    }

    /// Which regions DNS answers with, in order. When every record is unhealthy, all count as healthy.
    pub fn in_dns(&self, at: Timestamp) -> Vec<bool> {
        let count = self.fleet.sites.len();
        if self.timeline().quiet(before(at, 4 * DETECTION_SECONDS), at) {
            return vec![true; count];
        }
        let healthy: Vec<bool> = (0..count).map(|site| self.record_healthy(site, at)).collect();
        if healthy.iter().any(|one| *one) { healthy } else { vec![true; count] }
    }

    /// The site that DNS gives a client near `site`.
    pub fn answer_near(&self, site: usize, at: Timestamp) -> usize {
        let healthy = self.in_dns(at);
        if healthy.get(site).copied().unwrap_or(true) {
            return site;
        }
        self.fleet.sites[site].nearest.iter().copied().find(|other| healthy[*other]).unwrap_or(site)
    }

    /// The site that DNS gives a client at a place on the globe (latitude and longitude): the nearest of those
    /// that it answers with.
    pub fn answer_from(&self, at: (f64, f64), now: Timestamp) -> usize {
        let healthy = self.in_dns(now);
        let far = |site: &&Site| geography::distance(site.at, at);
        let served = self.fleet.sites.iter().filter(|site| healthy[site.index]);
        served.min_by(|a, b| far(a).total_cmp(&far(b))).map_or(0, |site| site.index)
    }
}
