//! What Route 53 knows: health checks, and which regions its answers name.
//!
//! What it is for: checkers, verdicts, and the DNS answer at any time.
//! What it must not do: answer API calls; those are `services::route53`.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::scenario::{Effect, Mode};
use super::{World, lock, noise};

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
/// Under this path the application writes to its database, for a synthetic write.
pub const WRITE_PATH: &str = "/write";
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

/// Requests that are remembered at most.
const REMEMBERED: usize = 50_000;

/// What became of checkers' requests: by site and millisecond.
#[derive(Clone, Debug, Default)]
pub struct Passes {
    /// Counts what was forgotten, so that a request judged before it is not remembered after it.
    version: u64,
    known: HashMap<(usize, i64), bool>,
    /// What the checkers found, by the same: a hundred questions are asked at one moment.
    verdicts: HashMap<(usize, i64), bool>,
}

impl Passes {
    /// Forgets requests at or after `at`.
    pub(super) fn forget(&mut self, at: Timestamp) {
        self.version += 1;
        self.known.retain(|(_, when), _| *when < at.as_millisecond());
        self.verdicts.retain(|(_, when), _| *when < at.as_millisecond());
    }

    fn remember(&mut self, key: (usize, i64), passes: bool, version: u64) {
        Self::keep(&mut self.known, key, passes, self.version == version);
    }

    fn find(&mut self, key: (usize, i64), verdict: bool, version: u64) {
        Self::keep(&mut self.verdicts, key, verdict, self.version == version);
    }

    fn keep(known: &mut HashMap<(usize, i64), bool>, key: (usize, i64), value: bool, still: bool) {
        if known.len() >= REMEMBERED {
            known.clear();
        }
        if still {
            known.insert(key, value);
        }
    }
}

impl World {
    /// What the region's front door does for users at `at`.
    pub fn front(&self, site: usize, at: Timestamp) -> Front {
        let timeline = self.timeline();
        let region = &self.fleet.sites[site].region;
        if timeline.quiet_in(region, at, at) && !self.site_touched(site, at) {
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

    /// What the front door does with a path. A path under `/write` writes to the database, and fails while
    /// nothing takes writes. `/health` touches nothing that may fail for users, so its
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
            Front::Serving(_) if path.starts_with(WRITE_PATH) && !self.writes_succeed(at) => {
                Front::Failing(503)
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
        if self.steady(site, at) {
            return 1.0;
        }
        let total = CHECKER_REGIONS.len() * CHECKERS_EACH;
        let healthy = (0..total).filter(|checker| self.checker(site, *checker, at).0).count();
        healthy as f64 / total as f64
    }

    /// When a checker last asked: every ten seconds, each at a second of its own.
    pub fn asked(&self, site: usize, checker: usize, now: Timestamp) -> Timestamp {
        let salt = self.fleet.sites[site].salt ^ noise::mix(checker as u64);
        let second = (noise::unit(salt, 0) * 10.0) as i64;
        let (offset, period) =
            (self.paced(second as f64), self.paced(10.0).max(SignedDuration::from_millis(1)));
        let passed = (now.as_millisecond() - offset.as_millis() as i64).rem_euclid(period.as_millis() as i64);
        Timestamp::from_millisecond(now.as_millisecond() - passed).unwrap_or(now)
    }

    /// Whether a checker's request at `at` succeeds. Checkers ask at the same seconds again and again.
    fn passes(&self, site: usize, at: Timestamp) -> bool {
        if self.timeline().quiet_in(&self.fleet.sites[site].region, at, at) && !self.site_touched(site, at) {
            return true;
        }
        let key = (site, at.as_millisecond());
        let (known, version) = {
            let passes = lock(&self.passes);
            (passes.known.get(&key).copied(), passes.version)
        };
        known.unwrap_or_else(|| {
            let passes = matches!(self.front_of(site, HEALTH_PATH, at), Front::Serving(_));
            lock(&self.passes).remember(key, passes, version);
            passes
        })
    }

    /// One checker: whether it calls the endpoint healthy, and whether its last request succeeded.
    pub fn checker(&self, site: usize, checker: usize, at: Timestamp) -> (bool, bool) {
        let at = self.asked(site, checker, at);
        let fails = |at: Timestamp| !self.passes(site, at);
        let last = !fails(at);
        let failing = (0..=DETECTION_SECONDS / 10).all(|back| fails(self.ago(at, back * 10)));
        // It takes as many successes to come back as failures to go.
        let recovering = last
            && (1..=DETECTION_SECONDS / 10).any(|back| fails(self.ago(at, back * 10)))
            && (0..=DETECTION_SECONDS / 10)
                .all(|back| fails(self.ago(at, DETECTION_SECONDS + 10 + back * 10)));
        (!failing && !recovering, last)
    }

    /// Whether nothing that checkers notice has happened at a site for so long that nothing of it is left.
    fn steady(&self, site: usize, at: Timestamp) -> bool {
        let from = self.ago(at, 4 * DETECTION_SECONDS);
        self.timeline().quiet_in(&self.fleet.sites[site].region, from, at) && !self.site_touched(site, at)
    }

    /// What the checkers find, before any setting of the check: more than 18 % of them call it healthy.
    pub fn verdict(&self, site: usize, at: Timestamp) -> bool {
        if self.steady(site, at) {
            return true;
        }
        let key = (site, at.as_millisecond());
        let (known, version) = {
            let passes = lock(&self.passes);
            (passes.verdicts.get(&key).copied(), passes.version)
        };
        known.unwrap_or_else(|| {
            let verdict = self.checkers_healthy(site, at) > 0.18;
            lock(&self.passes).find(key, verdict, version);
            verdict
        })
    }

    /// Whether the load balancer counts as healthy for a record that evaluates its target's health.
    pub fn targets_healthy(&self, site: usize, at: Timestamp) -> bool {
        self.steady(site, at)
            || (0..self.fleet.services.len())
                .all(|service| self.health(site, service, self.ago(at, DETECTION_SECONDS)).0 > 0)
    }

    /// Which regions DNS answers with, for any of the application's names, in order. When every record is
    /// unhealthy, all count as healthy.
    pub fn in_dns(&self, at: Timestamp) -> Vec<bool> {
        let count = self.fleet.sites.len();
        let from = self.ago(at, 4 * DETECTION_SECONDS);
        if self.calm(at) && self.timeline().quiet(from, at) {
            return vec![true; count];
        }
        let answers = self.answers(at);
        (0..count).map(|site| answers.iter().any(|(_, answered)| answered[site])).collect()
    }
}
