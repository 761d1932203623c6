//! The steps that drain and failover have in common: survivors grow, the region leaves DNS, and that is proven.
//!
//! What it is for: one way to write each of them, so that the two runbooks differ in order and patience only.
//! What it must not do: decide about data; that is the runbook's own business.

use std::time::Duration;

use super::Evacuation;
use crate::domain::Topology;
use crate::domain::ids::{HostName, Region};
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::ScalableTarget;
use crate::domain::text::Text;
use crate::runbook::condition::Condition;
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::operation::{Operation, RecordAction, Suspended};
use crate::runbook::plan::{Step, StepId};
use crate::runbook::situation::{Need, View, words};

/// How long new tasks may take until they are healthy.
const SERVE: Duration = Duration::from_mins(10);
/// How long they usually take.
const SERVE_USUAL: Duration = Duration::from_secs(70);
/// A call that sets limits or counts, with its observation.
const SET: Duration = Duration::from_mins(2);
/// Keep-alive of HTTP clients that a load balancer allows unless told otherwise (aws-facts section 1).
const KEEP_ALIVE: f64 = 3_600.0;
/// How long the proof that no answer leads to the region may take.
const DNS_PROOF: Duration = Duration::from_mins(10);
/// The same where the run goes on without it.
const DNS_PASSING: Duration = Duration::from_mins(3);
/// How long writes may take to work again.
const WRITES: Duration = Duration::from_mins(5);
/// Percent of the traffic before that counts as none.
const QUIET_PERCENT: f64 = 1.0;

/// Steps, and those of them that later steps wait for.
#[derive(Debug, Default)]
pub(in crate::runbook) struct Parts {
    pub(in crate::runbook) steps: Vec<Step>,
    pub(in crate::runbook) done: Vec<StepId>,
    pub(in crate::runbook) notes: Vec<Text>,
    pub(in crate::runbook) findings: Vec<GuardFinding>,
}

/// Survivors grow to their need: limits first, then the wait until tasks serve. Nothing is ever lowered.
pub(in crate::runbook) fn prescale(
    needs: &[Need],
    after: &dyn Fn(&Region) -> Vec<StepId>,
    pass: bool,
) -> Parts {
    let mut parts = Parts::default();
    let passing = |step: Step| if pass { step.passing() } else { step };
    for need in needs {
        let Some(tasks) = need.tasks else { continue };
        let (region, service) = (&need.region, &need.service);
        let place = format!("{region}/{service}");
        let mut first = after(region);
        if let Some(step) = grow(need, tasks) {
            let step = passing(step.after(first));
            first = vec![step.id.clone()];
            parts.steps.push(step);
        }
        let serving = Condition::Serving {
            region: region.clone(),
            service: service.clone(),
            groups: need.groups.clone(),
            tasks,
        };
        let title = format!("{service} in {region} serves with {tasks} tasks");
        let step = Step::wait(format!("serve/{place}"), title, serving, SERVE);
        let step = passing(step.after(first).at(region).usually(SERVE_USUAL));
        parts.done.push(step.id.clone());
        parts.steps.push(step);
    }
    parts
}

/// The call that lets a service grow to `tasks`; none when it may already, as seen a moment ago.
fn grow(need: &Need, tasks: i32) -> Option<Step> {
    let (region, service) = (&need.region, &need.service);
    let id = format!("scale/{region}/{service}");
    match need.scaling.as_ref()? {
        Some(saved) => {
            let (min, max) = (saved.min.max(tasks), saved.max.max(tasks));
            if (min, max) == (saved.min, saved.max) && need.fresh {
                return None;
            }
            let register = |min, max| Operation::RegisterScalableTarget {
                region: region.clone(),
                service: service.clone(),
                min,
                max: Some(max),
                suspended: None,
            };
            let limits = |min, max, at_least| Condition::Scaling {
                region: region.clone(),
                service: service.clone(),
                min,
                max: Some(max),
                at_least,
                suspended: None,
            };
            let step = Step::act(
                id,
                format!("let {service} in {region} grow to {tasks} tasks"),
                vec![register(min, max)],
                vec![register(saved.min, saved.max)],
                limits(min, max, true),
                SET,
            );
            // The call clamps at once: on other limits than those seen it could lower what is there.
            let step = step.at(region).when(limits(saved.min, saved.max, false));
            Some(step.changing(format!("min {} -> {min}, max {} -> {max}", saved.min, saved.max)))
        }
        None => {
            let desired = need.desired.filter(|desired| *desired < tasks)?;
            let set =
                |desired| Operation::SetDesired { region: region.clone(), service: service.clone(), desired };
            let wanted = |tasks, at_least| Condition::Desired {
                region: region.clone(),
                service: service.clone(),
                tasks,
                at_least,
            };
            let title = format!("start {service} in {region} up to {tasks} tasks");
            let step = Step::act(id, title, vec![set(tasks)], vec![set(desired)], wanted(tasks, true), SET);
            let step = step.at(region).when(wanted(desired, false));
            Some(step.changing(format!("desired {desired} -> {tasks}")))
        }
    }
}

/// How the note begins that says how long clients may stay after they were sent elsewhere.
pub const LINGERING: &str = "clients with open connections";

/// The step that takes a region out of DNS by the first way that works.
pub(in crate::runbook) fn pin(region: &Region, evacuation: Evacuation, timeout: Duration) -> Option<Step> {
    if evacuation.ways.is_empty() {
        return None;
    }
    let mut proofs: Vec<Condition> = evacuation.ways.iter().map(|way| way.verify.clone()).collect();
    let verify = if proofs.len() == 1 { proofs.remove(0) } else { Condition::Any { of: proofs } };
    let mut step = Step::wait("pin", format!("take {region} out of DNS"), verify, timeout).at(region);
    for way in &evacuation.ways {
        let by = way.method.map_or("", crate::domain::evacuation::EvacuationMethod::word);
        for call in &way.calls {
            step = step.changing(format!("{by}: {}", words_of(call)));
        }
    }
    step.ways = evacuation.ways;
    Some(step)
}

fn words_of(call: &Operation) -> String {
    match call {
        Operation::SetHealthCheck { check, .. } => format!("check {check} -> inverted and disabled"),
        Operation::SetRoutingControls { states, .. } => {
            format!("{} -> Off", words::list(states.keys().map(crate::domain::ids::Arn::short_name)))
        }
        Operation::PutSwitchObject { region, bucket, key, .. } => {
            format!("s3://{bucket}/{key} in {region} -> there")
        }
        Operation::PutSwitchMetric { region, namespace, name, .. } => {
            format!("{namespace}/{name} in {region} -> 1")
        }
        Operation::ChangeRecords { changes, .. } => {
            let deleted = changes.iter().filter(|change| change.action == RecordAction::Delete);
            let sets = deleted.map(|change| format!("{} {}", change.record.name, change.record.record_type));
            format!("{} -> deleted", words::list(sets))
        }
        other => format!("{other:?}"),
    }
}

/// The proof that users have left: answers or traffic, the TTL, then the last clients with open connections.
pub(in crate::runbook) fn proof(
    view: &View<'_>,
    region: &Region,
    names: &[HostName],
    pin: &StepId,
    pass: bool,
) -> Parts {
    let mut parts = Parts::default();
    let passing = |step: Step| if pass { step.passing() } else { step };
    // The busiest of the minutes that are known, since a region that fails has lost its traffic already; and only its
    // magnitude, since a plan must stay the same while a minute passes.
    let before = view.facts.numbers(&Fact::Requests(region.clone())).and_then(|minutes| {
        let most = minutes.iter().copied().max_by(f64::total_cmp)?;
        (most >= 1.0).then(|| most.log2().floor().exp2())
    });
    let omit = Condition::AnswersOmit { names: names.to_vec(), region: region.clone() };
    let minutes = usize::try_from(view.topology.policy.quiet_minutes).unwrap_or(usize::MAX);
    let known = before.is_some();
    let quiet = before.filter(|_| minutes > 0).map(|before| Condition::TrafficBelow {
        region: region.clone(),
        before,
        percent: QUIET_PERCENT,
        minutes,
    });
    // Where nobody may be asked about DNS, for AWS is not AWS there, its answers are no proof that could be had.
    let unasked = names.iter().any(|name| view.facts.is_unasked(&Fact::Answers(name.clone())));
    if unasked {
        parts
            .notes
            .push("where DNS leads cannot be asked here (not configured): answers prove nothing".into());
    }
    parts.findings.extend(unanswered(view, names, quiet.is_some()));
    // Where DNS cannot be asked, traffic proves the same, later.
    let gone = match &quiet {
        Some(quiet) if unasked => Some(quiet.clone()),
        Some(quiet) => Some(Condition::Any { of: vec![omit, quiet.clone()] }),
        None if unasked => None,
        None => Some(omit),
    };
    let title = format!("no answer leads to {region}, or hardly a request arrives there");
    let patience = if pass { DNS_PASSING } else { DNS_PROOF };
    let dns = gone.map(|gone| Step::wait("proof/dns", title, gone, patience).at(region).after([pin.clone()]));
    let before_ttl = dns.as_ref().filter(|_| !pass).map_or_else(|| pin.clone(), |dns| dns.id.clone());
    let span = Duration::from_secs(view.topology.policy.answers_live_seconds);
    let ttl = Condition::Elapsed { span, name: format!("TTL of {} s", span.as_secs()).into() };
    let ttl = Step::wait("proof/ttl", "resolvers forget the old answer", ttl, span.saturating_mul(2));
    // In an emergency nothing waits for a proof that may never come.
    let ttl = ttl.after([before_ttl]).at(region).usually(span);
    let dns = dns.map(passing);
    parts.done = vec![ttl.id.clone()];
    let keep_alive = keep_alive(view, region);
    match quiet {
        Some(quiet) if !pass => {
            let ceiling = Duration::from_secs_f64(keep_alive.clamp(0.0, 4.0 * KEEP_ALIVE)) + SERVE;
            let title = format!("less than 1 % of the requests still reach {region}");
            let step = Step::wait("proof/traffic", title, quiet, ceiling).at(region);
            let step = step.after([ttl.id.clone()]).usually(Duration::from_mins(5));
            parts.done = vec![step.id.clone()];
            parts.steps.extend(dns.into_iter().chain([ttl, step]));
        }
        Some(_) => parts.steps.extend(dns.into_iter().chain([ttl])),
        None if known => {
            parts.notes.push("the policy wants no proof by traffic (quiet_minutes = 0)".into());
            parts.steps.extend(dns.into_iter().chain([ttl]));
        }
        None => {
            parts
                .notes
                .push(format!("requests to {region} are none or not known: traffic proves nothing").into());
            parts.steps.extend(dns.into_iter().chain([ttl]));
        }
    }
    parts.notes.push(
        format!(
            "{LINGERING} may use {region} for up to {} more (HTTP client keep-alive of its load balancers)",
            words::span(Duration::from_secs_f64(keep_alive.max(0.0)))
        )
        .into(),
    );
    parts
}

/// A host that lets nothing out on port 53 learns nowhere whether users have left: that is told before, not at the end of
/// a wait.
fn unanswered(view: &View<'_>, names: &[HostName], traffic: bool) -> Option<GuardFinding> {
    let tested = |name: &&HostName| {
        let answers = view.facts.answers(&Fact::Answers((*name).clone()));
        answers.is_some_and(|answers| answers.iter().any(|answer| answer.tested))
    };
    if names.iter().any(|name| tested(&name)) {
        let message = "our DNS questions are not all answered: where users are sent is told by Route 53's API \
                       (TestDNSAnswer), for a few places only";
        let next = "let UDP and TCP to port 53 out of this host, or ask `dig` from another one";
        return Some(GuardFinding::warn(GuardId::Runbook, message).next(next));
    }
    let mut errors = names.iter().filter_map(|name| view.facts.error(&Fact::Answers(name.clone())));
    let error = errors.find(|error| error.kind != ErrorKind::NotConfigured)?;
    let instead = if traffic {
        "that users have left is told by traffic alone, minutes later"
    } else {
        "nothing here proves that users have left"
    };
    let message = format!("our DNS questions are not answered ({}): {instead}", error.kind.label());
    let next = "let UDP and TCP to port 53 out of this host, or ask `dig` from another one";
    Some(GuardFinding::warn(GuardId::Runbook, message).next(next))
}

/// A write through each public name after `after`, where the topology names one: the proof that writes work again.
pub(in crate::runbook) fn written(topology: &Topology, names: &[HostName], after: &[StepId]) -> Vec<Step> {
    let Some(write) = &topology.synthetic.write else { return Vec::new() };
    let step = |name: &HostName| {
        let until = Condition::SyntheticWrite { name: name.clone() };
        let title = format!("{name} accepts our own {} ({})", write.method, write.wanted());
        let step = Step::wait(format!("write/{name}"), title, until, WRITES);
        step.after(after.iter().cloned())
    };
    names.iter().map(step).collect()
}

/// The longest keep-alive of the region's load balancers, seconds.
fn keep_alive(view: &View<'_>, region: &Region) -> f64 {
    let balancers = view.topology.region(region).map_or(&[][..], |entry| &entry.load_balancers);
    let told = balancers.iter().map(|lb| {
        view.facts.number(&Fact::KeepAlive(region.clone(), lb.arn.clone())).copied().unwrap_or(KEEP_ALIVE)
    });
    told.max_by(f64::total_cmp).unwrap_or(KEEP_ALIVE)
}

/// How to hold a scalable service of a region at zero, and how to let it go again. Holding it needs nothing that was
/// read: Max is left alone where it was not read just now (`fresh`), and where nothing was ever read nothing says what to
/// bring back.
pub(in crate::runbook) fn held_at_zero(
    region: &Region,
    service: &crate::domain::ids::ServiceKey,
    saved: Option<&ScalableTarget>,
    fresh: bool,
) -> (Operation, Option<Operation>) {
    let register = |min, suspended| Operation::RegisterScalableTarget {
        region: region.clone(),
        service: service.clone(),
        min,
        max: saved.filter(|_| fresh).map(|saved| saved.max),
        suspended: Some(suspended),
    };
    let undo = saved.map(|saved| {
        let before = Suspended {
            scale_in: saved.scale_in_suspended,
            scale_out: saved.scale_out_suspended,
            scheduled: saved.scheduled_suspended,
        };
        register(saved.min, before)
    });
    (register(0, Suspended::ALL), undo)
}
