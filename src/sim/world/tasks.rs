//! Tasks and targets: who runs, who is healthy, what the scheduler tells about it.
//!
//! What it is for: ECS, ELBv2 and the metrics that count hosts, from one computation.
//! What it must not do: format anything for a wire.

use jiff::{SignedDuration, Timestamp};

use super::fleet::{CLUSTER, Fleet, Site};
use super::scenario::Effect;
use super::{World, before, noise};

/// One place for a task of a service.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Slot {
    /// Number of the place.
    pub index: usize,
    /// Which life the place's task is in: counts restarts.
    pub life: i64,
    /// When this life began.
    pub since: Timestamp,
    /// Seconds that each life takes in a crash loop; 0 outside one.
    pub period: i64,
    /// The task belongs to the new deployment.
    pub new: bool,
    /// The service still wants it; otherwise it is on its way out.
    pub wanted: bool,
    /// Running, or still starting.
    pub running: bool,
    /// The target, when it is registered.
    pub target: Option<Target>,
}

/// Health of a registered target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Target {
    /// State.
    pub state: &'static str,
    /// Reason code; none when healthy.
    pub reason: Option<&'static str>,
    /// AWS's sentence.
    pub description: Option<&'static str>,
}

/// Healthy.
pub const HEALTHY: Target = Target { state: "healthy", reason: None, description: None };
/// Registered, and not yet checked often enough.
pub const INITIAL: Target = Target {
    state: "initial",
    reason: Some("Elb.RegistrationInProgress"),
    description: Some("Target registration is in progress"),
};
/// Deregistered, with requests that may still be under way.
pub const DRAINING: Target = Target {
    state: "draining",
    reason: Some("Target.DeregistrationInProgress"),
    description: Some("Target deregistration is in progress"),
};

/// A service's deployment.
#[derive(Clone, Debug)]
pub struct Deployment {
    /// Id.
    pub id: String,
    /// `PRIMARY` or `ACTIVE`.
    pub status: &'static str,
    /// Revision of the task definition.
    pub revision: u32,
    /// `COMPLETED`, `IN_PROGRESS`.
    pub rollout: &'static str,
    /// Why.
    pub reason: String,
    /// Desired, running, pending.
    pub counts: (i32, i32, i32),
    /// Tasks that failed to start.
    pub failed: i32,
    /// When it began.
    pub created: Timestamp,
    /// When it last changed.
    pub updated: Timestamp,
}

/// A crash loop in force.
struct Loop {
    fraction: f64,
    period: i64,
    from: Timestamp,
}

/// Revision of the task definitions that run on a calm day.
pub const REVISION: u32 = 41;
/// How far back scaling looks, and DNS before it.
const SCALING_SECONDS: i64 = 1_500;

impl World {
    /// How many tasks the service wants: its base, more when the region serves other regions' users.
    pub fn desired(&self, site: usize, service: usize, at: Timestamp) -> i32 {
        match self.history(site, service, at).last() {
            Some(moment) => moment.desired,
            None => self.formula(site, service, at),
        }
    }

    /// The same for a service that nobody has touched.
    pub(super) fn formula(&self, site: usize, service: usize, at: Timestamp) -> i32 {
        let spec = &self.fleet.services[service];
        if self.settled(at) {
            return spec.base.clamp(spec.min, spec.max);
        }
        self.wanted(site, service, at).clamp(spec.min, spec.max)
    }

    /// How many tasks the load of a region's users asks for.
    pub(super) fn wanted(&self, site: usize, service: usize, at: Timestamp) -> i32 {
        let spec = &self.fleet.services[service];
        // Target tracking scales out on three minutes of high CPU, and in only after fifteen low ones.
        let load = (1..=6).map(|back| self.load(site, before(at, back * 180))).fold(1.0, f64::max);
        // Step scaling: half of the base for every half more of load.
        let steps = if load > 1.2 { ((load - 1.0) / 0.5).ceil() } else { 0.0 };
        let extra = (f64::from(spec.base) * 0.5 * steps).ceil() as i32;
        spec.base + extra
    }

    /// Whether nothing that tasks notice has been wrong for so long that nothing of it is left.
    fn settled(&self, at: Timestamp) -> bool {
        self.calm(at) && self.timeline().quiet(before(at, SCALING_SECONDS), at)
    }

    /// Wanted and running tasks.
    pub fn running(&self, site: usize, service: usize, at: Timestamp) -> (i32, i32) {
        if self.settled(at) {
            let desired = self.desired(site, service, at);
            return (desired, desired);
        }
        let counts = Self::counts(&self.slots(site, service, at));
        (counts.0, counts.1)
    }

    /// Every place of a service.
    pub fn slots(&self, site: usize, service: usize, at: Timestamp) -> Vec<Slot> {
        let desired = self.desired(site, service, at).max(0) as usize;
        let touched = self.touched(site, service, at);
        let name = &self.fleet.services[service].name;
        let region = &self.fleet.sites[site].region;
        let timeline = self.timeline();
        let born = self.fleet.born + SignedDuration::from_hours(24 * 70);
        let mut slots = if touched {
            self.placed(site, service, at, born)
        } else {
            let settled = self.desired(site, service, self.ago(at, 45)).max(0) as usize;
            let slot = |index| {
                let fresh = index >= settled;
                Slot {
                    index,
                    life: 0,
                    period: 0,
                    since: if fresh { self.ago(at, 20) } else { born },
                    new: false,
                    wanted: true,
                    running: !fresh,
                    target: (!fresh).then_some(HEALTHY),
                }
            };
            (0..desired).map(slot).collect()
        };
        for slot in &mut slots {
            if slot.wanted && !self.finds_address(site, service, slot.index, at) {
                (slot.running, slot.target) = (false, None);
            }
        }
        // What an effect strikes is counted among the places that are wanted; they come first.
        let desired = slots.iter().filter(|slot| slot.wanted).count();
        for active in timeline.at(region, at) {
            match active.effect {
                Effect::TaskCrashLoop { service, fraction, period } if service == name => {
                    let first = desired - share(*fraction, desired);
                    for slot in &mut slots[first..desired] {
                        crash(slot, active.from, (*period).max(30), at);
                    }
                }
                // Two failed checks of ten seconds each until a target counts as unhealthy.
                Effect::TargetsUnhealthy { services, fraction, reason }
                    if listed(services, name)
                        && at.duration_since(active.from) >= SignedDuration::from_secs(20) =>
                {
                    for slot in &mut slots[..share(*fraction, desired)] {
                        slot.target = slot.target.map(|_| unhealthy(reason));
                    }
                }
                Effect::TasksLost { services, fraction } if listed(services, name) => {
                    let lost = share(*fraction, desired);
                    for slot in &mut slots[desired - lost..desired] {
                        slot.running = false;
                        slot.target = None;
                        slot.life += 1;
                        slot.since = active.from;
                    }
                }
                _ => {}
            }
        }
        slots
    }

    /// Healthy and registered targets of a service.
    pub fn health(&self, site: usize, service: usize, at: Timestamp) -> (usize, usize) {
        if self.settled(at) {
            let all = self.desired(site, service, at).max(0) as usize;
            return (all, all);
        }
        let slots = self.slots(site, service, at);
        // A target that drains is neither healthy nor unhealthy.
        let registered =
            slots.iter().filter(|slot| slot.target.is_some_and(|target| target != DRAINING)).count();
        (slots.iter().filter(|slot| slot.target == Some(HEALTHY)).count(), registered)
    }

    /// Desired, running, pending.
    pub fn counts(slots: &[Slot]) -> (i32, i32, i32) {
        let running = slots.iter().filter(|slot| slot.running).count() as i32;
        let all = slots.iter().filter(|slot| slot.wanted).count() as i32;
        let pending = slots.iter().filter(|slot| slot.wanted && !slot.running).count() as i32;
        (all, running, pending)
    }

    /// The deployments of a service, the primary first.
    pub fn deployments(&self, site: usize, service: usize, at: Timestamp) -> Vec<Deployment> {
        let slots = self.slots(site, service, at);
        let spec = &self.fleet.services[service];
        let region = &self.fleet.sites[site].region;
        let id = |what: &str| {
            let name = format!("deployment/{what}/{region}/{}", spec.name);
            format!("ecs-svc/{}", noise::digits(self.seed, &name, 19))
        };
        let settled = self.fleet.born + SignedDuration::from_hours(24 * 70);
        let old = Deployment {
            id: id("old"),
            status: "PRIMARY",
            revision: REVISION,
            rollout: "COMPLETED",
            reason: format!("ECS deployment {} completed.", id("old")),
            counts: Self::counts(&slots),
            failed: 0,
            created: settled,
            updated: settled + SignedDuration::from_mins(6),
        };
        let Some(crash) = self.crash_loop(site, service, at) else {
            return self.renewed(site, service, at, &slots, old);
        };
        let (new, kept): (Vec<Slot>, Vec<Slot>) = slots.into_iter().partition(|slot| slot.new);
        let failed: i64 = new.iter().map(|slot| slot.life).sum();
        vec![
            Deployment {
                id: id("new"),
                revision: REVISION + 1,
                rollout: "IN_PROGRESS",
                reason: format!("ECS deployment {} in progress.", id("new")),
                counts: Self::counts(&new),
                failed: i32::try_from(failed).unwrap_or(i32::MAX),
                created: crash.from,
                updated: crash.from,
                ..old.clone()
            },
            Deployment { status: "ACTIVE", counts: Self::counts(&kept), ..old },
        ]
    }

    /// The deployments of a service whose tasks somebody had replaced, or the one that always was.
    fn renewed(
        &self,
        site: usize,
        service: usize,
        at: Timestamp,
        slots: &[Slot],
        old: Deployment,
    ) -> Vec<Deployment> {
        let times = self.deployment_times(site, service, at);
        let Some(began) = times.last().copied() else { return vec![old] };
        let (name, region) = (&self.fleet.services[service].name, &self.fleet.sites[site].region);
        let salt = format!("deployment/forced/{}/{region}/{name}", times.len());
        let id = format!("ecs-svc/{}", noise::digits(self.seed, &salt, 19));
        let ends = began + self.paced(160.0);
        let new = Deployment { id: id.clone(), created: began, ..old.clone() };
        if at >= ends {
            let reason = format!("ECS deployment {id} completed.");
            return vec![Deployment { reason, updated: ends, ..new }];
        }
        let (fresh, kept): (Vec<Slot>, Vec<Slot>) = slots.iter().partition(|slot| slot.since > began);
        let reason = format!("ECS deployment {id} in progress.");
        let counts = Self::counts(&fresh);
        let starting = old.counts.0 - counts.1;
        vec![
            Deployment {
                rollout: "IN_PROGRESS",
                reason,
                updated: at,
                counts: (old.counts.0, counts.1, starting),
                ..new
            },
            Deployment { status: "ACTIVE", counts: Self::counts(&kept), ..old },
        ]
    }

    /// The newest events of a service, newest first: time and words.
    pub fn events(&self, site: usize, service: usize, at: Timestamp) -> Vec<(Timestamp, String)> {
        let name = &self.fleet.services[service].name;
        let place = &self.fleet.sites[site];
        let mut events = self.steady_events(site, service, at);
        events.extend(self.scheduling_events(site, service, at));
        let timeline = self.timeline();
        for active in timeline.at(&place.region, at) {
            let lost_services = match active.effect {
                Effect::TasksLost { services, .. } => Some(services),
                _ => None,
            };
            if lost_services.is_some_and(|services| listed(services, name)) {
                events.extend(repeats(active.from, 30, 60, at).map(|(when, _)| {
                    (when, format!("(service {name}) was unable to place a task. Reason: Capacity is unavailable at this time. Please try again later or in a different availability zone. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."))
                }));
            }
            let sick = match active.effect {
                Effect::TargetsUnhealthy { services, reason, .. } if listed(services, name) => Some(reason),
                _ => None,
            };
            if let Some(reason) = sick {
                let group = &place.groups[service];
                events.extend(repeats(active.from, 20, 60, at).map(|(when, life)| {
                    let slot = life as usize % self.fleet.services[service].base.max(1) as usize;
                    let words = unhealthy(reason).description.unwrap_or("Health checks failed");
                    (when, format!("(service {name}) (port {}) is unhealthy in (target-group {}) due to (reason {words}) for task (task {}).", self.fleet.services[service].port, group.arn, self.task_id(site, service, slot, 0)))
                }));
            }
        }
        events.extend(self.crowding_events(site, service, at));
        if let Some(crash) = self.crash_loop(site, service, at) {
            let desired = self.desired(site, service, at).max(0) as usize;
            let count = share(crash.fraction, desired);
            for (when, life) in repeats(crash.from, 0, crash.period, at) {
                let tasks: Vec<String> = (desired - count..desired)
                    .map(|slot| format!("(task {})", self.task_id(site, service, slot, life)))
                    .collect();
                events.push((
                    when,
                    format!("(service {name}) has started {count} tasks: {}.", tasks.join(" ")),
                ));
            }
            events.extend(repeats(crash.from, 170, 180, at).map(|(when, _)| {
                (when, format!("(service {name}) is unable to consistently start tasks successfully. For more information, see the Troubleshooting section of the Amazon ECS Developer Guide."))
            }));
        }
        events.sort_by(|a, b| b.cmp(a));
        events.truncate(100);
        events
    }

    /// The six-hourly "steady state" events, only for times at which nothing was wrong.
    fn steady_events(&self, site: usize, service: usize, at: Timestamp) -> Vec<(Timestamp, String)> {
        const PERIOD: i64 = 6 * 3600;
        let place = &self.fleet.sites[site];
        let name = &self.fleet.services[service].name;
        let offset = (self.salt(&format!("steady/{}/{name}", place.region)) % PERIOD as u64) as i64;
        let newest = (at.as_second() - offset).div_euclid(PERIOD);
        let timeline = self.timeline();
        (0..12)
            .filter_map(|back| Timestamp::from_second((newest - back) * PERIOD + offset).ok())
            .filter(|when| {
                !timeline.at(&place.region, *when).any(|active| {
                    matches!(
                        active.effect,
                        Effect::TaskCrashLoop { .. }
                            | Effect::TasksLost { .. }
                            | Effect::TargetsUnhealthy { .. }
                    )
                })
            })
            .map(|when| (when, format!("(service {name}) has reached a steady state.")))
            .collect()
    }

    fn crash_loop(&self, site: usize, service: usize, at: Timestamp) -> Option<Loop> {
        let name = &self.fleet.services[service].name;
        let timeline = self.timeline();
        timeline.at(&self.fleet.sites[site].region, at).find_map(|active| match active.effect {
            Effect::TaskCrashLoop { service, fraction, period } if service == name => {
                Some(Loop { fraction: *fraction, period: (*period).max(30), from: active.from })
            }
            _ => None,
        })
    }

    /// Id of the task of a place in one of its lives.
    pub fn task_id(&self, site: usize, service: usize, slot: usize, life: i64) -> String {
        let region = &self.fleet.sites[site].region;
        noise::hex(self.seed, &format!("task/{region}/{service}/{slot}/{life}"), 32)
    }

    /// ARN of a task.
    pub fn task_arn(&self, site: usize, service: usize, slot: usize, life: i64) -> String {
        let id = self.task_id(site, service, slot, life);
        Fleet::arn("ecs", &self.fleet.sites[site].region, &format!("task/{CLUSTER}/{id}"))
    }

    /// Address of a place's target.
    pub fn target_ip(site: &Site, service: usize, slot: usize) -> String {
        // One /24 a zone; services are spread so that no two tasks share an address.
        let host = 4 + (service * 24 + slot / 3) % 250;
        format!("10.{}.{}.{host}", site.index, slot % 3 + 3 * (service / 10))
    }
}

/// How many of `of` a fraction is: at least one when there is any.
fn share(fraction: f64, of: usize) -> usize {
    ((fraction.clamp(0.0, 1.0) * of as f64).ceil() as usize).min(of)
}

/// An empty list names everything.
pub(crate) fn listed(names: &[String], name: &str) -> bool {
    names.is_empty() || names.iter().any(|one| one == name)
}

fn unhealthy(reason: &str) -> Target {
    let (reason, description) = match reason {
        "Target.ResponseCodeMismatch" => {
            ("Target.ResponseCodeMismatch", "Health checks failed with these codes: [503]")
        }
        "Target.FailedHealthChecks" => ("Target.FailedHealthChecks", "Health checks failed"),
        _ => ("Target.Timeout", "Request timed out"),
    };
    Target { state: "unhealthy", reason: Some(reason), description: Some(description) }
}

/// A place in a crash loop: starting, then registered, then dead, then again.
fn crash(slot: &mut Slot, from: Timestamp, period: i64, at: Timestamp) {
    // Every other task starts half a turn later, so that some are always missing.
    let stagger = (slot.index as i64 % 2) * (period / 2);
    let passed = (at.as_second() - from.as_second() - stagger).max(0);
    slot.life = passed / period;
    slot.period = period;
    slot.new = true;
    slot.since = at - SignedDuration::from_secs(passed % period);
    slot.running = passed % period >= period / 2;
    slot.target = slot.running.then_some(INITIAL);
}

/// Times `from + first + n·period` up to `at`, newest fifty, with n.
pub(super) fn repeats(
    from: Timestamp,
    first: i64,
    period: i64,
    at: Timestamp,
) -> impl Iterator<Item = (Timestamp, i64)> {
    let start = from + SignedDuration::from_secs(first);
    let last = (at.as_second() - start.as_second()).div_euclid(period);
    ((last - 49).max(0)..=last).map(move |n| (start + SignedDuration::from_secs(n * period), n))
}
