//! Who we are: the accounts that answer, and how long the credentials last.

use jiff::SignedDuration;

use super::Fleet;
use super::reading::span;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;
use crate::domain::observation::Observed;
use crate::domain::snapshot::Identity;

/// Credentials that end sooner than this are worth renewing before anything else is begun.
const SOON: SignedDuration = SignedDuration::from_mins(15);

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for region in &fleet.snapshot.regions {
        account(fleet, region.region.as_str(), Some(&region.region), &region.identity, &mut findings);
    }
    account(fleet, "dns", None, &fleet.snapshot.dns.identity, &mut findings);
    let earliest = fleet
        .snapshot
        .regions
        .iter()
        .map(|region| &region.identity)
        .chain([&fleet.snapshot.dns.identity])
        .filter_map(|identity| fleet.fresh(identity)?.expires)
        .min();
    if let Some(ends) = earliest
        && ends < fleet.snapshot.now + SOON
    {
        let left = ends.duration_since(fleet.snapshot.now);
        let message = if left.is_positive() {
            format!("credentials end in {}", span(left.unsigned_abs()))
        } else {
            "credentials have ended".to_owned()
        };
        findings.push(Finding::new("identity.expiry", Severity::Warning, None, "", message));
    }
    findings
}

fn account(
    fleet: &Fleet<'_>,
    scope: &str,
    region: Option<&Region>,
    identity: &Observed<Identity>,
    findings: &mut Vec<Finding>,
) {
    let (Some(wanted), Some(found)) = (fleet.topology.scope(scope).account, fleet.fresh(identity)) else {
        return;
    };
    if found.account != wanted {
        findings.push(Finding::new(
            "identity.account",
            Severity::Critical,
            region,
            scope,
            format!(
                "account {} answers, the topology says {wanted}: these are not its resources",
                found.account
            ),
        ));
    }
}
