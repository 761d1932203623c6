//! Tasks of services that somebody touched: each place starts, serves, drains and goes over time.
//!
//! What it is for: turning the history of the desired count into tasks and targets.
//! What it must not do: decide how many tasks there are; that is `capacity`.

use jiff::Timestamp;

use super::capacity::Moment;
use super::deeds::Deed;
use super::scenario::{Effect, Mode};
use super::tasks::{DRAINING, HEALTHY, INITIAL, Slot};
use super::{World, noise};

/// Seconds from a task's creation to its start: the least, and what may come on top.
const START_SECONDS: (f64, f64) = (40.0, 30.0);
/// Seconds from a task's start until its target has passed its first health checks.
const CHECK_SECONDS: (f64, f64) = (20.0, 10.0);
/// Seconds after which a task whose images could not be had is tried again.
const AGAIN_SECONDS: f64 = 30.0;
/// The target groups' deregistration delay, seconds.
pub const DEREGISTRATION_SECONDS: i64 = 60;

/// The times of a task that was created at some moment.
#[derive(Clone, Copy, Debug)]
pub(super) struct Times {
    /// It runs.
    pub(super) runs: Timestamp,
    /// Its target is healthy.
    pub(super) healthy: Timestamp,
}

impl World {
    /// The times of a place's task in one of its lives.
    pub(super) fn times(
        &self,
        site: usize,
        service: usize,
        slot: usize,
        life: i64,
        from: Timestamp,
    ) -> Times {
        let salt = self.fleet.sites[site].groups[service].salt ^ noise::mix(slot as u64 ^ 0x7a);
        let runs = from + self.paced(START_SECONDS.0 + START_SECONDS.1 * noise::unit(salt, life));
        let healthy = runs + self.paced(CHECK_SECONDS.0 + CHECK_SECONDS.1 * noise::unit(salt ^ 1, life));
        Times { runs, healthy }
    }

    /// Every place of a touched service that holds a task at `at`; those wanted come first.
    pub(super) fn placed(&self, site: usize, service: usize, at: Timestamp, born: Timestamp) -> Vec<Slot> {
        let history = self.history(site, service, at);
        let deployments = self.deployment_times(site, service, at);
        let (first, most) = match history.first() {
            Some(moment) => (
                moment.desired.max(0) as usize,
                history.iter().map(|moment| moment.desired).max().unwrap_or(0).max(0) as usize,
            ),
            None => {
                let desired = self.formula(site, service, at).max(0) as usize;
                (desired, desired)
            }
        };
        let changes = changes(&history);
        let mut slots: Vec<Slot> = (0..most)
            .filter_map(|index| {
                let mut slot = self.life_of(site, service, index, index < first, &changes, at, born)?;
                for deployed in &deployments {
                    if !slot.wanted || *deployed < slot.since {
                        continue;
                    }
                    // The old task serves until the new one is healthy.
                    let times = self.times(site, service, index, slot.life + 1, *deployed);
                    if times.healthy <= at {
                        slot = Slot { life: slot.life + 1, since: times.runs, ..slot };
                    }
                }
                Some(slot)
            })
            .collect();
        slots.sort_by_key(|slot| !slot.wanted);
        slots
    }

    #[expect(clippy::too_many_arguments, reason = "a place is named by where it is and when it is looked at")]
    fn life_of(
        &self,
        site: usize,
        service: usize,
        index: usize,
        there: bool,
        changes: &[(Timestamp, usize)],
        at: Timestamp,
        born: Timestamp,
    ) -> Option<Slot> {
        let (mut wanted, mut life) = (there, 0);
        let (mut since, mut fresh) = (born, false);
        // When the task before was told to go, if it had come so far as to serve.
        let mut leaving: Option<Timestamp> = None;
        for (when, desired) in changes {
            let now = *desired > index;
            if now && !wanted {
                (since, fresh, life) = (*when, true, life + 1);
            } else if !now && wanted {
                let served = !fresh || self.times(site, service, index, life, since).runs <= *when;
                leaving = served.then_some(*when);
            }
            wanted = now;
        }
        let mut slot =
            Slot { index, life, since, period: 0, new: false, wanted, running: true, target: Some(HEALTHY) };
        if wanted && fresh {
            let times = self.times(site, service, index, life, since);
            let started = self.fetched(site, times.runs).filter(|runs| *runs <= at);
            slot.running = started.is_some();
            slot.target = started.map(|runs| {
                let healthy = runs + times.healthy.duration_since(times.runs);
                if healthy <= at { HEALTHY } else { INITIAL }
            });
            slot.since = started.unwrap_or(slot.since);
        } else if !wanted {
            let gone = leaving? + self.paced(DEREGISTRATION_SECONDS as f64);
            if at >= gone {
                return None;
            }
            slot.target = Some(DRAINING);
        }
        Some(slot)
    }

    /// When a service was told to replace its tasks.
    pub(super) fn deployment_times(&self, site: usize, service: usize, at: Timestamp) -> Vec<Timestamp> {
        let deeds = self.deeds();
        deeds
            .until(at)
            .filter(|done| {
                matches!(done.deed, Deed::Deployment { site: s, service: v } if (s, v) == (site, service))
            })
            .map(|done| done.at)
            .collect()
    }

    /// The region whose registry holds the images of a site's tasks.
    pub fn images_of(&self, site: usize) -> &str {
        self.fleet.images_in.as_deref().unwrap_or(&self.fleet.sites[site].region)
    }

    /// When a task that is ready to start has its images: they cannot be had while the region that holds them is
    /// dark, and are asked for again after that. `None`: never.
    fn fetched(&self, site: usize, ready: Timestamp) -> Option<Timestamp> {
        let timeline = self.timeline();
        let dark = |effect: &Effect| match effect {
            Effect::AppDown { mode: Mode::Hang } => true,
            Effect::ApiDown { services, fraction, .. } => {
                *fraction >= 1.0 && services.iter().any(|service| service == "*" || service == "ecr")
            }
            _ => false,
        };
        let mut runs = ready;
        for (from, until) in timeline.spans(self.images_of(site), dark) {
            if from <= runs && until.is_none_or(|until| until > runs) {
                runs = until? + self.paced(AGAIN_SECONDS);
            }
        }
        Some(runs)
    }

    /// What the scheduler tells about a touched service's changes, in no order.
    pub(super) fn scheduling_events(
        &self,
        site: usize,
        service: usize,
        at: Timestamp,
    ) -> Vec<(Timestamp, String)> {
        let name = &self.fleet.services[service].name;
        let history = self.history(site, service, at);
        let mut before = history.first().map_or(0, |moment| moment.desired.max(0) as usize);
        let mut events = Vec::new();
        for (when, desired) in changes(&history) {
            let (low, high) = (desired.min(before), desired.max(before));
            if low == high {
                continue;
            }
            let tasks: Vec<String> =
                (low..high).map(|slot| format!("(task {})", self.task_id(site, service, slot, 0))).collect();
            let verb = if desired > before { "started" } else { "stopped" };
            let kind = if desired > before { "tasks" } else { "running tasks" };
            let words = format!("(service {name}) has {verb} {} {kind}: {}.", high - low, tasks.join(" "));
            events.push((when + self.paced(2.0), words));
            events.push((when + self.paced(105.0), format!("(service {name}) has reached a steady state.")));
            before = desired;
        }
        for when in self.deployment_times(site, service, at) {
            events.push((when + self.paced(2.0), format!("(service {name}) has started a deployment.")));
            events.push((when + self.paced(165.0), format!("(service {name}) has reached a steady state.")));
        }
        events.retain(|(when, _)| *when <= at);
        events
    }
}

/// When the desired count became something else, and what.
fn changes(history: &[Moment]) -> Vec<(Timestamp, usize)> {
    let mut changes: Vec<(Timestamp, usize)> = Vec::new();
    for moment in history {
        let desired = moment.desired.max(0) as usize;
        if changes.last().is_none_or(|(_, last)| *last != desired) {
            changes.push((moment.at, desired));
        }
    }
    changes
}
