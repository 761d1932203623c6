//! Users' requests: how many, where to, and what comes of them.
//!
//! What it is for: the load of each region, minute by minute, as DNS moves it about.
//! What it must not do: format metrics; that is `metrics`.

use std::collections::HashMap;
use std::f64::consts::TAU;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::dns::Front;
use super::scenario::Effect;
use super::tasks::listed;
use super::{World, before, lock, minutes, noise};

/// Requests a minute of a region with `demand` 1, on average over the day.
const REQUESTS_PER_MINUTE: f64 = 9_000.0;
/// Seconds over which clients notice a DNS change: the TTL and some caches.
const DNS_SECONDS: i64 = 100;
/// Share of users whose clients keep their connection whatever DNS says.
const STICKY: f64 = 0.06;
/// Until when a load balancer lets a client keep its connection, seconds: `client_keep_alive.seconds`.
pub const KEEP_ALIVE_SECONDS: f64 = 3_600.0;
/// Time after which a third of the kept connections is left, seconds.
const KEPT_SECONDS: f64 = 150.0;
/// Minutes of flows that are remembered.
const REMEMBERED: usize = 2_048;

/// Requests of one site in one minute.
#[derive(Clone, Copy, Debug, Default)]
struct Flow {
    /// From the users near it.
    own: f64,
    /// That reach it.
    all: f64,
    /// From the users near it, for whose names there was no answer.
    lost: f64,
}

/// Remembered flows of every site, by minute.
#[derive(Clone, Debug, Default)]
pub struct Flows {
    /// Counts what was forgotten, so that a flow computed before it is not remembered after it.
    version: u64,
    by_minute: HashMap<i64, Arc<[Flow]>>,
}

impl Flows {
    /// Forgets the minutes that something done at `at` may change: those whose middle is not over.
    pub(super) fn forget(&mut self, at: Timestamp) {
        self.version += 1;
        self.by_minute.retain(|minute, _| minute + 30 < at.as_second());
    }
}

/// What became of a service's requests in one minute.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Outcome {
    /// Requests that users made.
    pub requests: f64,
    /// Those for which a target could be chosen.
    pub routed: f64,
    /// 5XX that targets answered.
    pub target_5xx: f64,
    /// 5XX that the load balancer answered.
    pub elb_5xx: f64,
    /// Factor on response times.
    pub slowness: f64,
}

impl World {
    /// Requests a minute from the users near a site.
    pub fn demand(&self, site: usize, at: Timestamp) -> f64 {
        let place = &self.fleet.sites[site];
        let hour = minutes(at) / 60.0 + place.at.1 / 15.0;
        // Busiest at three in the afternoon, local time.
        let wave = 1.0 + 0.45 * ((hour - 9.0) / 24.0 * TAU).sin();
        let salt = place.salt ^ 0x0d;
        let ripple =
            1.0 + 0.02 * noise::smooth(salt, minutes(at)) + 0.03 * noise::smooth(salt, minutes(at) / 11.0);
        REQUESTS_PER_MINUTE * place.demand * wave * ripple * self.interest(site, at)
    }

    /// The share of its usual users that a site has.
    fn interest(&self, site: usize, at: Timestamp) -> f64 {
        let (timeline, region) = (self.timeline(), &self.fleet.sites[site].region);
        if timeline.quiet_in(region, at, at) {
            return 1.0;
        }
        let factors = timeline.at(region, at).filter_map(|active| match active.effect {
            Effect::Demand { factor } => Some(factor.max(0.0)),
            _ => None,
        });
        factors.product()
    }

    /// Requests that reach a site in the minute that starts at `minute`.
    pub fn requests(&self, site: usize, minute: Timestamp) -> f64 {
        self.flow(site, minute).all
    }

    /// Requests of a minute from the users near a site for whose names DNS had no answer.
    pub fn unanswered(&self, site: usize, minute: Timestamp) -> f64 {
        self.flow(site, minute).lost
    }

    /// How much a site has to serve, as a multiple of its own users.
    pub fn load(&self, site: usize, at: Timestamp) -> f64 {
        let minute = floor_minute(at);
        if self.undisturbed(minute) {
            return 1.0;
        }
        let flow = self.flow(site, minute);
        if flow.own > 0.0 { flow.all / flow.own } else { 1.0 }
    }

    /// Whether DNS sends everybody home in the minute that starts at `minute`.
    fn undisturbed(&self, minute: Timestamp) -> bool {
        let end = minute + SignedDuration::from_secs(60);
        self.calm(end) && self.timeline().quiet(before(minute, DNS_SECONDS + 150), end)
    }

    /// Share of a site's users whose connections have not ended since DNS sends them elsewhere. A load
    /// balancer lets a client keep its connection for an hour; most end sooner.
    fn sticky(&self, site: usize, at: Timestamp) -> f64 {
        let Some(since) = self.evacuated_since(site, at) else { return STICKY };
        let passed = at.duration_since(since).as_secs_f64() * self.pace;
        if passed >= KEEP_ALIVE_SECONDS { 0.0 } else { STICKY * (-passed.max(0.0) / KEPT_SECONDS).exp() }
    }

    fn flow(&self, site: usize, minute: Timestamp) -> Flow {
        if self.undisturbed(minute) {
            let demand = self.demand(site, minute);
            return Flow { own: demand, all: demand, lost: 0.0 };
        }
        let key = minute.as_second();
        let version = {
            let mut flows = lock(&self.flows);
            if flows.by_minute.len() > REMEMBERED {
                flows.by_minute.clear();
            }
            if let Some(known) = flows.by_minute.get(&key) {
                return known[site];
            }
            flows.version
        };
        let computed = self.flows_of(minute);
        let flow = computed[site];
        let mut flows = lock(&self.flows);
        if flows.version == version {
            flows.by_minute.insert(key, computed);
        }
        flow
    }

    fn flows_of(&self, minute: Timestamp) -> Arc<[Flow]> {
        const SAMPLES: i64 = 5;
        let middle = before(minute, -30);
        let answers: Vec<Vec<(f64, Vec<bool>)>> =
            (0..SAMPLES).map(|k| self.answers(self.ago(middle, k * DNS_SECONDS / SAMPLES))).collect();
        let mut flows = vec![Flow::default(); self.fleet.sites.len()];
        for origin in 0..self.fleet.sites.len() {
            let demand = self.demand(origin, minute);
            flows[origin].own = demand;
            let sticky = self.sticky(origin, middle);
            flows[origin].all += demand * sticky;
            for (share, answered) in answers.iter().flatten() {
                let part = demand * (1.0 - sticky) * share / SAMPLES as f64;
                match self.nearest_of(origin, answered) {
                    Some(served) => flows[served].all += part,
                    None => flows[origin].lost += part,
                }
            }
        }
        flows.into()
    }

    /// What became of one service's requests in a minute.
    pub fn outcome(&self, site: usize, service: usize, minute: Timestamp) -> Outcome {
        let spec = &self.fleet.services[service];
        let requests = self.requests(site, minute) * spec.share;
        let salt = self.fleet.sites[site].groups[service].salt ^ 0x05;
        // Even on a calm day a few requests in ten thousand fail.
        let background = 0.000_6 * noise::unit(salt, minute.as_second() / 60);
        let load = self.load(site, minute);
        let mut outcome = Outcome {
            requests,
            routed: requests,
            target_5xx: (requests * background).floor(),
            elb_5xx: 0.0,
            slowness: 1.0 + 0.35 * (load - 1.0).max(0.0),
        };
        let timeline = self.timeline();
        let at = before(minute, -30);
        if timeline.quiet(minute, at) && !self.touched(site, service, at) {
            return outcome;
        }
        for active in timeline.at(&self.fleet.sites[site].region, at) {
            match active.effect {
                Effect::Errors5xx { services, percent } if listed(services, &spec.name) => {
                    outcome.target_5xx = (requests * percent / 100.0).round();
                }
                Effect::SlowResponses { factor } => outcome.slowness *= factor,
                Effect::TaskCrashLoop { service, .. } if *service == spec.name => {
                    // Half of the capacity carries everything; some requests meet a dying task.
                    outcome.slowness *= 1.8;
                    outcome.elb_5xx = (requests * 0.02).round();
                }
                _ => {}
            }
        }
        let (healthy, registered) = self.health(site, service, at);
        if registered == 0 || healthy == 0 {
            // With nobody healthy the balancer tries everyone, and mostly reaches nobody.
            outcome.routed = if registered == 0 { 0.0 } else { (requests * 0.02).round() };
            outcome.target_5xx = 0.0;
            outcome.elb_5xx = requests.round();
        } else if let Front::Failing(_) = self.front(site, at) {
            outcome.routed = 0.0;
            outcome.target_5xx = 0.0;
            outcome.elb_5xx = requests.round();
        }
        outcome
    }

    /// Whether the front door is reached at all; when not, nothing is measured there.
    pub fn reached(&self, site: usize, at: Timestamp) -> bool {
        !matches!(self.front(site, at), Front::Refusing)
    }
}

/// The start of a minute.
pub(crate) fn floor_minute(at: Timestamp) -> Timestamp {
    crate::domain::metric::floor_minute(at)
}
