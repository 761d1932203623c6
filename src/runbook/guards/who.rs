//! Who acts, where, and whether anybody else does: armed, identity, endpoint, lease, freeze.

use jiff::SignedDuration;

use super::Subject;
use crate::domain::observation::ErrorKind;
use crate::domain::topology::ACTED_PARTITION;
use crate::runbook::catalog::LeaseState;
use crate::runbook::fact::Fact;
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::operation::FailureDomain;
use crate::runbook::situation::{View, words};

pub(super) fn armed(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    if !view.topology.may_act() {
        let message = "this topology is observed only: another partition, a private zone, or something else than load balancers in front";
        return vec![GuardFinding::block(GuardId::Armed, subject.emergency(), message)];
    }
    if view.situation.armed {
        return Vec::new();
    }
    let message = "the session is read-only, or its arming has timed out";
    vec![
        GuardFinding::block(GuardId::Armed, subject.emergency(), message)
            .next("arm the console, or use `run --confirm`"),
    ]
}

/// The account and partition of every scope must be the topology's. A scope that was asked, did not answer and is one
/// that the plan calls is told; any other one may answer for the credentials, but not for its account.
pub(super) fn identity(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let emergency = subject.emergency();
    let mut findings = Vec::new();
    let ends = view.now + SignedDuration::try_from(subject.expected()).unwrap_or_default();
    let mut silent: Vec<String> = Vec::new();
    let (mut answered, mut refused) = (0, Vec::new());
    let mut soonest = None;
    for scope in view.scopes() {
        let fact = Fact::Identity(scope.clone());
        let wanted = view.topology.scope(scope.as_str());
        let kind = view.facts.error(&fact).map(|error| error.kind);
        if matches!(kind, Some(ErrorKind::Expired | ErrorKind::NoCredentials)) {
            refused.push(scope.clone());
        }
        let Some(who) = view.facts.identity(&fact) else {
            let lost = subject.dark && subject.region.is_some_and(|region| region.as_str() == scope.as_str());
            if let Some(kind) = kind.filter(|_| !lost && is_called(subject, scope.as_str())) {
                silent.push(format!("{} ({})", fact.place(), kind.label()));
            }
            continue;
        };
        if kind.is_none() {
            answered += 1;
        }
        if let Some(account) = wanted.account.filter(|account| *account != who.account) {
            let message =
                format!("{scope} is answered by account {}, the topology names {account}", who.account);
            findings.push(GuardFinding::block(GuardId::Identity, emergency, message));
        }
        let partition = wanted.partition.as_deref().unwrap_or(ACTED_PARTITION);
        if let Some(found) = who.arn.partition().filter(|found| *found != partition) {
            let message = format!("{scope} is in partition {found}, the topology names {partition}");
            findings.push(GuardFinding::block(GuardId::Identity, emergency, message));
        }
        if let Some(expires) = who.expires.filter(|expires| *expires < ends) {
            let sooner = |(known, _): &(jiff::Timestamp, _)| expires < *known;
            if soonest.as_ref().is_none_or(sooner) {
                soonest = Some((expires, scope.clone()));
            }
        }
    }
    if !refused.is_empty() && answered == 0 {
        let message = format!("credentials are expired or missing for {}", words::list(&refused));
        findings.push(
            GuardFinding::block(GuardId::Identity, emergency, message)
                .next("run `aws sso login` for the profile, or renew the credentials"),
        );
    }
    if !silent.is_empty() && findings.is_empty() {
        let message = format!("whose account answers was not told by {}", words::list(silent));
        findings.push(GuardFinding::warn(GuardId::Identity, message));
    } else if answered == 0 && refused.is_empty() {
        findings.push(GuardFinding::warn(GuardId::Identity, "whose account answers was not read yet"));
    }
    if let Some((expires, scope)) = soonest {
        let left = std::time::Duration::try_from(expires.duration_since(view.now)).unwrap_or_default();
        let needs = words::span(subject.expected());
        let message =
            format!("credentials of {scope} end in {}, the run takes about {needs}", words::span(left));
        findings
            .push(GuardFinding::warn(GuardId::Identity, message).next("renew them before or during the run"));
    }
    findings
}

/// Whether the plan sends anything there. The lease is not a plan's: its own guard speaks of it.
fn is_called(subject: &Subject<'_>, scope: &str) -> bool {
    let mut calls = subject.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls);
    calls.any(|call| match call.domain() {
        FailureDomain::Regional(region) => region.as_str() == scope,
        FailureDomain::Global => scope == "dns",
        FailureDomain::DataPlane => scope == "arc",
        FailureDomain::None => false,
    })
}

pub(super) fn endpoint(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let Some(endpoint) = &view.situation.foreign_endpoint else { return Vec::new() };
    let message = format!("calls would go to {endpoint}, which is not AWS");
    vec![
        GuardFinding::block(GuardId::Endpoint, subject.emergency(), message)
            .next("unset the endpoint, or allow it with --allow-endpoint"),
    ]
}

pub(super) fn lease(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let block = |message: String| GuardFinding::block(GuardId::Lease, subject.emergency(), message);
    let warn = |message: String| GuardFinding::warn(GuardId::Lease, message);
    let mut findings = Vec::new();
    match &view.situation.lease {
        LeaseState::Free | LeaseState::Unread => {}
        LeaseState::NotConfigured => {
            findings.push(warn(
                "the topology names no lease table: runs of two hosts do not see each other".into(),
            ));
        }
        LeaseState::Held(held) if held.released => {}
        LeaseState::Held(held) => {
            let claim = &held.claim;
            let who = format!("{} on {} for {} (run {})", claim.holder, claim.host, claim.purpose, claim.run);
            let beat =
                std::time::Duration::try_from(view.now.duration_since(held.heartbeat)).unwrap_or_default();
            let beat = words::span(beat);
            findings.push(if held.is_expired(view.now) {
                block(format!("the lease of {who} has expired, last heartbeat {beat} ago"))
                    .next("make sure that run is dead, then take the lease over with a reason")
            } else {
                block(format!("another run holds the lease: {who}, last heartbeat {beat} ago"))
                    .next("wait for it, or attach to it or abort it; when its process is gone, resume it (`switchtower runs`)")
            });
        }
        LeaseState::Unreachable(why) => {
            findings.push(block(format!("the lease table does not answer: {why}")));
        }
    }
    if let Some(lease) = &view.topology.lease
        && view.topology.region(&lease.region).is_some()
    {
        let message = format!(
            "the lease lies in {}, which serves users itself: it fails with that region",
            lease.region
        );
        findings.push(warn(message));
    }
    // A run that holds the lease was told of already.
    let unfinished = view.situation.unfinished.iter().filter(|run| match &view.situation.lease {
        LeaseState::Held(held) => held.released || held.is_expired(view.now) || held.claim.run != **run,
        _ => true,
    });
    let unfinished: Vec<_> = unfinished.collect();
    if let Some(newest) = unfinished.first() {
        let more = unfinished.len() - 1;
        let others = if more == 0 { String::new() } else { format!(" and {more} more") };
        findings.push(
            block(format!("run {newest}{others} never ended"))
                .next(format!("`switchtower runs show {newest}`, then resume or abort it")),
        );
    }
    findings
}

pub(super) fn freeze(view: &View<'_>, subject: &Subject<'_>) -> Vec<GuardFinding> {
    let windows = view.topology.policy.freezes.iter();
    windows
        .filter(|freeze| freeze.from <= view.now && view.now < freeze.until)
        .map(|freeze| {
            let message = format!("changes are frozen until {}: {}", freeze.until, freeze.reason);
            GuardFinding::block(GuardId::Freeze, subject.emergency(), message)
        })
        .collect()
}
