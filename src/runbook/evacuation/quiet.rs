//! Whether anybody still comes to a region.
//!
//! What it is for: one measure of "no users" for whoever stops or deletes what serves them. What it must not do: take
//! Route 53's own checkers for users, or a minute that nobody told for a quiet one.

use std::collections::BTreeSet;

use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::runbook::condition::Condition;
use crate::runbook::fact::{Fact, Facts};

/// Requests a minute that Route 53's own checkers send through one check at the shortest interval: sixteen
/// checkers, every ten seconds. They go on until the check is deleted and are no users.
const CHECKERS: f64 = 96.0;
/// The same at the long interval, every thirty seconds.
const SELDOM: f64 = 32.0;
/// Seconds of the long interval; there are only these two, and neither can be changed.
const LONG_INTERVAL: i32 = 30;
/// Newest complete minutes that must be quiet.
pub(in crate::runbook) const QUIET_MINUTES: usize = 3;

/// Requests a minute that are no users'.
pub(in crate::runbook) fn checkers(topology: &Topology, facts: &Facts, region: &Region) -> f64 {
    let records = topology.records.iter().filter(|record| &record.region == region);
    let checks: BTreeSet<_> = records.filter_map(|record| record.health_check.as_ref()).collect();
    let each = checks.into_iter().map(|check| {
        let config = facts.health_check(&Fact::HealthCheck(check.clone()));
        let seldom = config.is_some_and(|config| config.request_interval == Some(LONG_INTERVAL));
        if seldom { SELDOM } else { CHECKERS }
    });
    each.sum::<f64>() + 1.0
}

/// Holds while no users' requests reach a region. Without tasks none can, and no requests are counted either.
pub(in crate::runbook) fn unvisited(topology: &Topology, facts: &Facts, region: &Region) -> Condition {
    let quiet = Condition::TrafficBelow {
        region: region.clone(),
        before: checkers(topology, facts, region),
        percent: 100.0,
        minutes: QUIET_MINUTES,
    };
    let services = topology.region(region).map(|entry| entry.services.as_slice()).unwrap_or_default();
    if services.is_empty() {
        return quiet;
    }
    let stopped = services
        .iter()
        .map(|service| Condition::Stopped { region: region.clone(), service: service.key.clone() })
        .collect();
    Condition::Any { of: vec![Condition::All { of: stopped }, quiet] }
}
