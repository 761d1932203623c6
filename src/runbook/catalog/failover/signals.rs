//! What speaks against a region: independent signals, each with its age.
//!
//! What it is for: telling a failing region from our own network or one metric that lies.
//! What it must not do: decide; fewer than two only warn.

use crate::domain::derive::{self, AlarmSubject};
use crate::domain::ids::Region;
use crate::domain::observation::Observed;
use crate::runbook::fact::Fact;
use crate::runbook::params::Params;
use crate::runbook::situation::{View, words};

/// Every signal against a region, a line each; those of one kind count once.
pub(super) fn against(view: &View<'_>, region: &Region, params: &Params) -> Vec<String> {
    let found = [
        probe(view, region),
        errors(view, region),
        targets(view, region),
        verdict(view, region),
        alarms(view, region),
        time_outs(view, region),
        params.declared.as_ref().map(|why| format!("declared by the operator: {why}")),
    ];
    found.into_iter().flatten().collect()
}

/// What speaks for a region whose control plane is mute, a line each: its users are still served, or its writer still
/// sends what it writes. Empty where anything that users feel speaks against it now: a lag of a minute ago proves
/// nothing then.
pub(super) fn of_life(view: &View<'_>, region: &Region) -> Vec<String> {
    if probe(view, region).or_else(|| errors(view, region)).or_else(|| targets(view, region)).is_some() {
        return Vec::new();
    }
    let mut signs = Vec::new();
    let asked = Fact::Probe(region.clone());
    if let Some(result) = view.facts.probe(&asked).filter(|_| view.probe_serves(region) == Some(true)) {
        signs.push(format!("our own request is answered with {}", result.status));
    }
    let share = Fact::Errors(region.clone());
    if let (Some(percent), Some(reading)) = (view.facts.number(&share), view.facts.reading(&share))
        && view.is_fresh(&share)
        && *percent < view.topology.thresholds.error_5xx_percent.warning
    {
        let age = words::age(reading, view.now);
        let share = if *percent < 0.005 { "none".to_owned() } else { format!("{percent:.2} %") };
        signs.push(format!("{share} of its requests end in 5XX ({age})"));
    }
    for global in &view.topology.aurora {
        let writes = view.writer(global).is_some_and(|writer| &writer.member.region == region);
        let lag = view.candidates(global, region).into_iter().filter_map(|candidate| {
            let reading = candidate.lag?;
            let fact = Fact::RpoLag(candidate.member.region.clone(), candidate.member.id.clone());
            let small = reading.value < view.topology.thresholds.aurora_lag_ms.critical;
            (small && view.is_fresh(&fact)).then_some(reading)
        });
        if let Some(reading) = lag.min_by(|a, b| a.value.total_cmp(&b.value)).filter(|_| writes) {
            let age = words::age(&reading, view.now);
            signs.push(format!("the writer of {} reached a secondary {age}", global.id));
        }
    }
    signs
}

fn fresh<'v, T>(view: &View<'_>, seen: &'v Observed<T>) -> Option<&'v T> {
    seen.fresh(view.now, &view.topology.freshness)
}

fn probe(view: &View<'_>, region: &Region) -> Option<String> {
    if view.probe_serves(region) != Some(false) {
        return None;
    }
    let fact = Fact::Probe(region.clone());
    Some(match (view.facts.error(&fact), view.facts.probe(&fact)) {
        (Some(error), _) => format!("our own request {}", error.kind.label()),
        (None, Some(result)) => format!("our own request is answered with {}", result.status),
        (None, None) => return None,
    })
}

fn errors(view: &View<'_>, region: &Region) -> Option<String> {
    let fact = Fact::Errors(region.clone());
    let percent = view.facts.number(&fact).filter(|_| view.is_fresh(&fact))?;
    let limit = view.topology.thresholds.error_5xx_percent.critical;
    let age = words::age(view.facts.reading(&fact)?, view.now);
    (*percent >= limit).then(|| format!("{percent:.0} % of requests end in 5XX ({age})"))
}

fn targets(view: &View<'_>, region: &Region) -> Option<String> {
    (view.targets_serve(region) == Some(false)).then(|| "a target group has no healthy target".to_owned())
}

fn verdict(view: &View<'_>, region: &Region) -> Option<String> {
    let rows = derive::route53(view.topology, view.fleet(), region);
    let ill = rows.iter().find(|row| fresh(view, &row.verdict) == Some(&false))?;
    Some(format!("Route 53 calls it unhealthy ({})", ill.name))
}

fn alarms(view: &View<'_>, region: &Region) -> Option<String> {
    let mut firing = Vec::new();
    for entry in &view.topology.regions {
        for row in derive::alarms(view.topology, view.fleet(), &entry.name) {
            let about = match &row.subject {
                AlarmSubject::Serving => &row.home == region,
                AlarmSubject::HealthCheck(about) => about == region,
                AlarmSubject::Link(_) | AlarmSubject::Other => false,
            };
            let fires = fresh(view, &row.state).is_some_and(|state| state.as_str() == "ALARM");
            if about && fires && !firing.contains(&row.name) {
                firing.push(row.name.clone());
            }
        }
    }
    (!firing.is_empty()).then(|| format!("alarms fire: {}", words::list(firing)))
}

/// So many silent calls are named one by one.
const LISTED: usize = 3;

/// Calls to the region that end without an answer, our own requests left out: they are a signal of their own.
fn time_outs(view: &View<'_>, region: &Region) -> Option<String> {
    let mut calls: Vec<String> = Vec::new();
    for (fact, seen) in view.facts.iter() {
        let Some(error) = seen.error().filter(|error| error.kind.blames_region()) else { continue };
        let here = error.region.as_ref() == Some(region);
        // Route 53 answers from us-east-1 for the whole world: its silence says nothing about a region's users.
        let its_own = !matches!(fact, Fact::Probe(_) | Fact::HealthCheck(_) | Fact::Records(..));
        if here && its_own && !calls.contains(&error.call.to_string()) {
            calls.push(error.call.to_string());
        }
    }
    // Many calls are told by their services: which of them it is says little then.
    if calls.len() > LISTED {
        let count = calls.len();
        let mut services: Vec<&str> = Vec::new();
        for call in &calls {
            let service = call.split_once(':').map_or(call.as_str(), |(service, _)| service);
            if !services.contains(&service) {
                services.push(service);
            }
        }
        let services = words::list(services);
        return Some(format!("its APIs do not answer: {services}, {count} calls"));
    }
    (!calls.is_empty()).then(|| format!("its APIs do not answer: {}", words::list(calls)))
}
