//! Whether the tasks that a survivor gains find addresses: each takes one of its service's subnets.
//!
//! What it is for: free addresses (`DescribeSubnets`) against the tasks that are to start, for services that share
//! subnets together. What it must not do: count on tasks that end, or know how ECS spreads tasks over zones.

use std::collections::{BTreeMap, BTreeSet};

use super::Subject;
use crate::domain::ids::{Region, ServiceKey, SubnetId};
use crate::domain::observation::ProbeError;
use crate::runbook::fact::{Fact, Subnet};
use crate::runbook::guard::{GuardFinding, GuardId};
use crate::runbook::situation::{View, words};

/// A service of the survivor that is to start more tasks.
struct Growth<'a> {
    service: &'a ServiceKey,
    more: u32,
    subnets: BTreeSet<&'a SubnetId>,
}

/// A shortage blocks, an uneven spread warns, and so do subnets that could not be read.
pub(super) fn addresses(view: &View<'_>, subject: &Subject<'_>, survivor: &Region) -> Vec<GuardFinding> {
    let mut growths: Vec<Growth<'_>> = Vec::new();
    let mut found: BTreeMap<&SubnetId, &Subnet> = BTreeMap::new();
    let mut unread: Vec<(&ServiceKey, u32, &ProbeError)> = Vec::new();
    for need in subject.needs.iter().filter(|need| &need.region == survivor) {
        let service = &need.service;
        let state = view.facts.service(&Fact::Service(survivor.clone(), service.clone()));
        let more = need.tasks.zip(state).map(|(tasks, state)| tasks - state.running);
        let Some(more) = more.and_then(|more| u32::try_from(more).ok()).filter(|more| *more > 0) else {
            continue;
        };
        let fact = Fact::Subnets(survivor.clone(), service.clone());
        match (view.facts.subnets(&fact), view.facts.error(&fact)) {
            (None, None) => {}
            (_, Some(error)) => unread.push((service, more, error)),
            (Some(subnets), None) => {
                found.extend(subnets.iter().map(|subnet| (&subnet.id, subnet)));
                let subnets: BTreeSet<&SubnetId> = subnets.iter().map(|subnet| &subnet.id).collect();
                // Tasks that share the address of their machine take none.
                if !subnets.is_empty() {
                    growths.push(Growth { service, more, subnets });
                }
            }
        }
    }
    let mut findings = Vec::new();
    if let Some(shortage) = shortage(subject, survivor, &growths, &found) {
        findings.push(shortage);
    } else {
        findings.extend(uneven(survivor, &growths, &found));
    }
    if let Some((_, _, error)) = unread.first() {
        let told = unread.iter().map(|(service, more, _)| format!("{service} ({more} more)"));
        let message = format!(
            "how many addresses are free in {survivor} for {} is not known ({error}): a task that finds none does not \
             start",
            words::list(told)
        );
        findings.push(GuardFinding::warn(GuardId::Headroom, message));
    }
    findings
}

/// Too few addresses in the subnets of one service, or of several that share theirs.
fn shortage(
    subject: &Subject<'_>,
    survivor: &Region,
    growths: &[Growth<'_>],
    found: &BTreeMap<&SubnetId, &Subnet>,
) -> Option<GuardFinding> {
    let mut shared: Vec<BTreeSet<&SubnetId>> = growths.iter().map(|growth| growth.subnets.clone()).collect();
    shared.push(growths.iter().flat_map(|growth| growth.subnets.iter().copied()).collect());
    // The smallest set that is short tells most.
    shared.sort_by_key(BTreeSet::len);
    shared.iter().find_map(|subnets| {
        let free = free(subnets, found)?;
        let inside = || growths.iter().filter(|growth| growth.subnets.is_subset(subnets));
        let more: u32 = inside().map(|growth| growth.more).sum();
        if more <= free {
            return None;
        }
        let services = inside().map(|growth| format!("{} more of {}", growth.more, growth.service));
        let message = format!(
            "{survivor} needs {more} {} for new tasks ({}), its subnets have {free} free ({})",
            addresses_of(more),
            words::list(services),
            words::list(subnets.iter().filter_map(|id| found.get(id)).map(|subnet| told(subnet)))
        );
        let finding = GuardFinding::block(GuardId::Headroom, subject.emergency(), message);
        Some(finding.next("add a subnet with free addresses to these services, or free some"))
    })
}

/// A subnet that has less than an even share of the new tasks asks of it, while the others could take the rest.
fn uneven(
    survivor: &Region,
    growths: &[Growth<'_>],
    found: &BTreeMap<&SubnetId, &Subnet>,
) -> Option<GuardFinding> {
    let mut shares: BTreeMap<&SubnetId, u32> = BTreeMap::new();
    for growth in growths {
        let share = growth.more.div_ceil(growth.subnets.len() as u32);
        growth.subnets.iter().for_each(|id| *shares.entry(id).or_default() += share);
    }
    let short = shares.iter().filter_map(|(id, share)| {
        let (subnet, free) = found.get(id).and_then(|subnet| Some((subnet, subnet.free?)))?;
        (free < *share).then(|| format!("{}, {share} wanted", told(subnet)))
    });
    let short: Vec<String> = short.collect();
    (!short.is_empty()).then(|| {
        let message = format!(
            "an even spread of the new tasks in {survivor} finds too few addresses in {}: the other subnets must take \
             them",
            words::list(short)
        );
        GuardFinding::warn(GuardId::Headroom, message)
    })
}

/// Free addresses of these subnets together; `None` where one of them does not run out.
fn free(subnets: &BTreeSet<&SubnetId>, found: &BTreeMap<&SubnetId, &Subnet>) -> Option<u32> {
    subnets.iter().map(|id| found.get(id)?.free).sum()
}

fn told(subnet: &Subnet) -> String {
    let free = subnet.free.map_or_else(|| "no limit".to_owned(), |free| free.to_string());
    format!("{} in {} {free}", subnet.id, subnet.zone)
}

fn addresses_of(count: u32) -> &'static str {
    if count == 1 { "address" } else { "addresses" }
}
