//! Rules for services, their limits and whether a region is alive.
//!
//! What it is for: ECS counts, scalable targets, target health, our own requests.
//! What it must not do: take a deployment's COMPLETED for running tasks (a changed count starts no deployment), or a
//! target group without targets for a healthy one.

use std::time::Duration;

use super::Judgement;
use super::judge::time_down;
use super::proof::{Proof, Ruling, all, any, holds, missing, never, not_yet, so_far, strange};
use super::words::{counted_i32, suspension, thing, time};
use crate::domain::ids::{Arn, Region, ServiceKey};
use crate::domain::snapshot::{ServiceState, Target};
use crate::runbook::fact::{Fact, Known};
use crate::runbook::operation::Suspended;

impl Proof<'_> {
    pub(super) fn scaling(
        &self,
        fact: &Fact,
        service: &ServiceKey,
        (min, max): (i32, Option<i32>),
        at_least: bool,
        suspended: Option<Suspended>,
    ) -> Ruling {
        let target = match self.known(fact)? {
            Known::Scaling(Some(target)) => target,
            Known::Scaling(None) | Known::Absent => {
                return Ok(not_yet(format!("{service} has no scalable target")));
            }
            _ => return Ok(strange(fact)),
        };
        let seen = Suspended {
            scale_in: target.scale_in_suspended,
            scale_out: target.scale_out_suspended,
            scheduled: target.scheduled_suspended,
        };
        let enough = if at_least {
            target.min >= min && max.is_none_or(|max| target.max >= max)
        } else {
            target.min == min && max.is_none_or(|max| target.max == max)
        };
        let now = format!("min {}, max {}, {}", target.min, target.max, suspension(seen));
        Ok(if enough && suspended.is_none_or(|wanted| wanted == seen) {
            holds(now)
        } else {
            let least = if at_least { "at least " } else { "" };
            let wanted = suspended.map(|wanted| format!(", {}", suspension(wanted))).unwrap_or_default();
            let max = max.map(|max| format!(", max {least}{max}")).unwrap_or_default();
            not_yet(format!("{now}; wanted min {least}{min}{max}{wanted}"))
        })
    }

    pub(super) fn desired(&self, fact: &Fact, service: &ServiceKey, tasks: i32, at_least: bool) -> Ruling {
        // What does not exist wants nothing: a cleanup that is taken up again passes here.
        if tasks == 0 && self.absent(fact) {
            return Ok(holds(format!("{service} does not exist")));
        }
        let state = match self.known(fact)? {
            Known::Service(state) => state,
            Known::Absent => return Ok(missing(fact)),
            _ => return Ok(strange(fact)),
        };
        let enough = if at_least { state.desired >= tasks } else { state.desired == tasks };
        Ok(if enough {
            holds(format!("desired {}", state.desired))
        } else if ended(state) {
            never(format!("{service} is {}", state.status))
        } else {
            let least = if at_least { "at least " } else { "" };
            not_yet(format!("desired {}, wanted {least}{tasks}", state.desired))
        })
    }

    pub(super) fn serving(
        &self,
        region: &Region,
        service: &ServiceKey,
        groups: &[Arn],
        tasks: i32,
    ) -> Ruling {
        let fact = Fact::Service(region.clone(), service.clone());
        let state = match self.known(&fact)? {
            Known::Service(state) => state,
            Known::Absent => return Ok(missing(&fact)),
            _ => return Ok(strange(&fact)),
        };
        if ended(state) {
            return Ok(never(format!("{service} is {}", state.status)));
        }
        let primary = state.deployments.iter().find(|deployment| deployment.status.as_str() == "PRIMARY");
        if let Some(failed) = primary.filter(|deployment| {
            state.running < tasks && deployment.rollout.as_ref().is_some_and(|word| word.as_str() == "FAILED")
        }) {
            let why = failed.rollout_reason.as_ref().map(|why| format!(": {why}")).unwrap_or_default();
            return Ok(never(format!(
                "the deployment of {service} has FAILED, which starts no new tasks{why}; {} of {tasks} run",
                state.running
            )));
        }
        let mut healthy = state.running;
        for group in groups {
            let targets = self.targets(region, group)?;
            let count = targets.iter().filter(|target| target.state.as_str() == "healthy").count();
            healthy = healthy.min(i32::try_from(count).unwrap_or(i32::MAX));
        }
        let (have, word) = if groups.is_empty() { (state.running, "running") } else { (healthy, "healthy") };
        if have >= tasks {
            let evidence = format!("{} {word}", counted_i32(have, "task"));
            return Ok(holds(if have < state.running {
                format!("{evidence}, {} running", state.running)
            } else {
                evidence
            }));
        }
        let mut progress = format!("{have} of {} {word}", counted_i32(tasks, "task"));
        if !groups.is_empty() && state.running != have {
            progress.extend([format!(", {} running", state.running)]);
        }
        if state.pending > 0 {
            progress.extend([format!(", {} starting", state.pending)]);
        }
        if state.desired < tasks {
            progress.extend([format!(", only {} desired", state.desired)]);
        }
        if let Some(failed) = primary.map(|primary| primary.failed_tasks).filter(|failed| *failed > 0) {
            progress.extend([format!("; {failed} failed to start")]);
        }
        let newest = state
            .events
            .first()
            .filter(|event| event.at >= self.moment.began && event.message.as_str().contains("unable to"));
        if let Some(event) = newest {
            progress.extend([format!("; ECS: {}", event.message)]);
        }
        Ok(so_far(progress, f64::from(have), f64::from(tasks)))
    }

    pub(super) fn stopped(&self, fact: &Fact, service: &ServiceKey) -> Ruling {
        if self.absent(fact) {
            return Ok(holds(format!("{service} does not exist")));
        }
        let Known::Service(state) = self.known(fact)? else { return Ok(strange(fact)) };
        let resting = state.running == 0 && state.pending == 0;
        Ok(match (resting, state.desired > 0 && state.status.as_str() == "ACTIVE") {
            (true, false) => holds("no task runs or starts"),
            (true, true) => {
                not_yet(format!("no task runs, but {} are desired and will start", state.desired))
            }
            (false, raised) => {
                let mut progress =
                    format!("{} running, {} starting", counted_i32(state.running, "task"), state.pending);
                if raised {
                    progress.extend([format!("; {} are desired", state.desired)]);
                }
                not_yet(progress)
            }
        })
    }

    /// Targets or our own request: either is enough, and not knowing is not holding.
    pub(super) fn alive(&self, region: &Region, groups: &[Arn]) -> Judgement {
        let request = self.request(&Fact::Probe(region.clone())).unwrap_or_else(|early| early);
        if groups.is_empty() {
            return request;
        }
        let targets = self.healthy_groups(region, groups).unwrap_or_else(|early| early);
        if targets.holds() && request.holds() { all(&[targets, request]) } else { any(&[targets, request]) }
    }

    fn healthy_groups(&self, region: &Region, groups: &[Arn]) -> Ruling {
        let mut unread = None;
        let (mut used, mut served, mut healthy, mut registered) = (0_usize, 0_usize, 0_usize, 0_usize);
        for group in groups {
            match self.targets(region, group) {
                Ok(targets) => {
                    // A target on its way out is registered no more, and an unused one gets no traffic.
                    let left: Vec<&Target> = targets
                        .iter()
                        .filter(|target| {
                            let state = target.state.as_str();
                            !state.ends_with("draining") && state != "unused"
                        })
                        .collect();
                    let well = left.iter().filter(|target| target.state.as_str() == "healthy").count();
                    used += usize::from(!left.is_empty());
                    served += usize::from(well > 0);
                    registered += left.len();
                    healthy += well;
                }
                Err(early) => unread = unread.or(Some(early)),
            }
        }
        let counts = format!("{healthy} of {registered} targets of {region} healthy");
        if served < used {
            let down = used - served;
            return Ok(not_yet(format!("{counts}, none in {}", super::words::counted(down, "target group"))));
        }
        if let Some(early) = unread {
            return Err(early);
        }
        Ok(if used == 0 { not_yet(format!("no target is registered in {region}")) } else { holds(counts) })
    }

    pub(super) fn alive_for(&self, region: &Region, groups: &[Arn], span: Duration) -> Judgement {
        let now = self.alive(region, groups);
        if !now.holds() {
            return now;
        }
        let Some(since) = self.moment.alive_since.get(region) else {
            return so_far(format!("{region} is alive, watched from now on for {}", time(span)), 0.0, 1.0);
        };
        let lasted = Duration::try_from(self.moment.now.duration_since(*since)).unwrap_or_default();
        if lasted >= span {
            return holds(format!("{region} alive for {}; {}", time_down(lasted), now.words()));
        }
        so_far(
            format!("{region} alive for {} of {}", time_down(lasted), time(span)),
            lasted.as_secs_f64(),
            span.as_secs_f64(),
        )
    }

    /// Our own request succeeds: any status below 500. A certificate that is not valid is said, not judged:
    /// a network that inspects TLS would otherwise stop every failover made from it.
    pub(super) fn request(&self, fact: &Fact) -> Ruling {
        let Known::Probe(probe) = self.known(fact)? else { return Ok(strange(fact)) };
        let certificate = probe
            .certificate_error
            .as_ref()
            .map(|why| format!(", but its certificate is not valid: {why}"))
            .unwrap_or_default();
        let words = format!("{}: HTTP {}{certificate}", thing(fact), probe.status);
        Ok(if probe.status < 500 { holds(words) } else { not_yet(words) })
    }

    fn targets(&self, region: &Region, group: &Arn) -> Result<&Vec<Target>, Judgement> {
        let fact = Fact::Targets(region.clone(), group.clone());
        match self.known(&fact)? {
            Known::Targets(targets) => Ok(targets),
            Known::Absent => Err(missing(&fact)),
            _ => Err(strange(&fact)),
        }
    }
}

/// Deleted, or being deleted: it never serves again under this name.
fn ended(state: &ServiceState) -> bool {
    matches!(state.status.as_str(), "INACTIVE" | "DRAINING")
}
