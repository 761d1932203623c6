//! How many tasks a service wants once somebody has set it: by hand, by its scalable target, by auto scaling.
//!
//! What it is for: the history of the desired count, minute by minute, of services that were touched. Those
//! that nobody touched follow the formula in `tasks`.
//! What it must not do: start tasks; when they run is `placement`'s.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::deeds::Deed;
use super::traffic::floor_minute;
use super::{World, before, lock};

/// Minutes above the target until an alarm scales out, and below it until one scales in.
const OUT_MINUTES: u8 = 3;
const IN_MINUTES: u8 = 15;
/// Below this share of its own users' requests a region counts as idle.
const IDLE: f64 = 0.005;

/// The limits of a scalable target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Least capacity.
    pub min: i32,
    /// Most capacity.
    pub max: i32,
    /// Suspended: dynamic scale-in, dynamic scale-out, scheduled scaling.
    pub suspended: [bool; 3],
}

/// Why the desired count is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// It was so before anybody touched the service.
    Found,
    /// UpdateService.
    Service,
    /// The limits of the scalable target moved past it.
    Clamped,
    /// An alarm scaled out.
    High,
    /// An alarm scaled in.
    Low,
}

/// A moment of the history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    /// When.
    pub at: Timestamp,
    /// Tasks wanted from then on.
    pub desired: i32,
    /// Why.
    pub cause: Cause,
    /// Limits from then on.
    pub limits: Limits,
    /// Deeds that are in it.
    seen: usize,
    high: u8,
    low: u8,
}

/// What is known of a touched service: the moments at which something changed, and the newest one looked at.
#[derive(Clone, Debug)]
pub struct History {
    changes: Vec<Moment>,
    newest: Moment,
}

/// Histories by site and service.
pub type Histories = HashMap<(usize, usize), History>;

/// Drops what was computed for times from `at` on.
pub(super) fn forget(histories: &mut Histories, at: Timestamp) {
    histories.retain(|_, history| {
        history.changes.retain(|moment| moment.at < at);
        let Some(last) = history.changes.last() else { return false };
        if history.newest.at >= at {
            history.newest = *last;
        }
        true
    });
}

impl World {
    /// Whether anybody has set a service's capacity, or had it deployed, until `at`.
    pub fn touched(&self, site: usize, service: usize, at: Timestamp) -> bool {
        !self.calm(at)
            && self.deeds().until(at).any(|done| match &done.deed {
                Deed::Desired { site: s, service: v, .. }
                | Deed::Scaling { site: s, service: v, .. }
                | Deed::Deployment { site: s, service: v } => (*s, *v) == (site, service),
                _ => false,
            })
    }

    /// Whether any service of a site was touched until `at`.
    pub fn site_touched(&self, site: usize, at: Timestamp) -> bool {
        !self.calm(at)
            && self.deeds().until(at).any(|done| match &done.deed {
                Deed::Desired { site: s, .. }
                | Deed::Scaling { site: s, .. }
                | Deed::Deployment { site: s, .. } => *s == site,
                _ => false,
            })
    }

    /// The limits of a service's scalable target at `at`.
    pub fn limits(&self, site: usize, service: usize, at: Timestamp) -> Limits {
        let spec = &self.fleet.services[service];
        let found = Limits { min: spec.min, max: spec.max, suspended: [false; 3] };
        self.history(site, service, at).last().map_or(found, |moment| moment.limits)
    }

    /// When something changed for a touched service until `at`, oldest first; empty for one that nobody touched.
    pub fn history(&self, site: usize, service: usize, at: Timestamp) -> Vec<Moment> {
        if self.calm(at) {
            return Vec::new();
        }
        let deeds = self.deeds();
        let own: Vec<(Timestamp, &Deed)> = deeds
            .until(at)
            .filter(|done| match &done.deed {
                Deed::Desired { site: s, service: v, .. } | Deed::Scaling { site: s, service: v, .. } => {
                    (*s, *v) == (site, service)
                }
                _ => false,
            })
            .map(|done| (done.at, &done.deed))
            .collect();
        let Some((first, _)) = own.first() else { return Vec::new() };
        let key = (site, service);
        let known = lock(&self.histories).get(&key).map(|history| history.newest);
        let mut last = known.unwrap_or_else(|| {
            let spec = &self.fleet.services[service];
            let found = Moment {
                at: *first,
                desired: self.formula(site, service, *first),
                cause: Cause::Found,
                limits: Limits { min: spec.min, max: spec.max, suspended: [false; 3] },
                seen: 0,
                high: 0,
                low: 0,
            };
            let history = History { changes: vec![found], newest: found };
            lock(&self.histories).entry(key).or_insert(history);
            found
        });
        loop {
            let tick = floor_minute(last.at) + SignedDuration::from_mins(1);
            let next = match own.get(last.seen) {
                Some((when, deed)) if *when <= tick => obeyed(last, *when, deed),
                _ if tick <= at => self.ticked(site, service, last, tick),
                _ => break,
            };
            // Each step is kept at once: the next one may ask for the ones before it.
            if let Some(history) = lock(&self.histories).get_mut(&key)
                && history.newest == last
            {
                history.newest = next;
                if (next.desired, next.limits, next.seen) != (last.desired, last.limits, last.seen) {
                    history.changes.push(next);
                }
            }
            last = next;
        }
        let histories = lock(&self.histories);
        let changes = histories.get(&key).map_or(&[][..], |history| &history.changes);
        // Others may have asked for later times than this one.
        changes[..changes.partition_point(|moment| moment.at <= at)].to_vec()
    }

    /// What auto scaling does at a whole minute.
    fn ticked(&self, site: usize, service: usize, last: Moment, tick: Timestamp) -> Moment {
        let base = f64::from(self.fleet.services[service].base);
        let load = self.load(site, before(tick, 180));
        let limits = last.limits;
        let formula = self.wanted(site, service, tick);
        let needed = if load > 1.2 { formula } else { (base * load).ceil() as i32 };
        let enough = if load < 0.5 { limits.min } else { formula }.max(limits.min);
        // The alarm is on the load of each task; with none at all, on the requests that find nobody.
        let high = load > IDLE && f64::from(last.desired) < 0.75 * base * load && needed > last.desired;
        let low = last.desired > enough;
        let mut next = Moment {
            at: tick,
            high: if high { last.high.saturating_add(1) } else { 0 },
            low: if low { last.low.saturating_add(1) } else { 0 },
            ..last
        };
        if next.high >= OUT_MINUTES && !limits.suspended[1] {
            let desired = needed.clamp(limits.min.min(limits.max), limits.max).max(last.desired);
            next = Moment { desired, cause: Cause::High, high: 0, ..next };
        } else if next.low >= IN_MINUTES && !limits.suspended[0] {
            next = Moment { desired: enough.min(last.desired), cause: Cause::Low, low: 0, ..next };
        }
        next
    }
}

/// What a deed makes of the moment before it.
fn obeyed(last: Moment, at: Timestamp, deed: &Deed) -> Moment {
    let next = Moment { at, seen: last.seen + 1, ..last };
    match deed {
        Deed::Desired { count, .. } => {
            Moment { desired: *count, cause: Cause::Service, high: 0, low: 0, ..next }
        }
        Deed::Scaling { min, max, suspended, .. } => {
            let mut limits = last.limits;
            limits.min = min.unwrap_or(limits.min);
            limits.max = max.unwrap_or(limits.max);
            for (now, wanted) in limits.suspended.iter_mut().zip(suspended) {
                *now = wanted.unwrap_or(*now);
            }
            // Every update pulls the present capacity within the limits at once.
            let desired = last.desired.min(limits.max).max(limits.min);
            let cause = if desired == last.desired { last.cause } else { Cause::Clamped };
            Moment { desired, cause, limits, ..next }
        }
        _ => next,
    }
}
