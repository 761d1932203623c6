//! What could not be read. Not knowing is a finding of its own: it makes a verdict Unknown.

use std::collections::BTreeMap;

use super::Fleet;
use super::reading::ago;
use crate::domain::health::{Finding, Severity};
use crate::domain::ids::Region;
use crate::domain::observation::{ErrorKind, Observed, ProbeError, SourceKind};
use crate::domain::snapshot::{DnsSnapshot, RegionSnapshot};

/// Without these a region's health is not known, whatever else answers.
const ESSENTIAL: [SourceKind; 3] = [SourceKind::Targets, SourceKind::Services, SourceKind::Metrics];

/// Without these nobody knows who is answered.
const ESSENTIAL_DNS: [SourceKind; 2] = [SourceKind::Records, SourceKind::Metrics];

pub(super) fn run(fleet: &Fleet<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for region in &fleet.snapshot.regions {
        let gaps = Gaps::of_region(fleet, region);
        gaps.report(fleet, Some(&region.region), &ESSENTIAL, &mut findings);
    }
    if !fleet.topology.records.is_empty() || !fleet.topology.dns.alarms.is_empty() {
        Gaps::of_dns(fleet, &fleet.snapshot.dns).report(fleet, None, &ESSENTIAL_DNS, &mut findings);
    }
    findings
}

/// A source, its oldest reading's time, and what stands in the way.
type Gap = (SourceKind, Option<jiff::Timestamp>, Option<ProbeError>);

/// Sources that have nothing fresh to show.
#[derive(Default)]
struct Gaps {
    /// By source: the oldest reading's time, if there is one, and the error that stands in the way.
    stale: BTreeMap<SourceKind, (Option<jiff::Timestamp>, Option<ProbeError>)>,
}

impl Gaps {
    fn of_region(fleet: &Fleet<'_>, region: &RegionSnapshot) -> Self {
        let mut gaps = Self::default();
        gaps.look(fleet, [&region.identity]);
        gaps.look(fleet, region.load_balancers.values());
        gaps.look(fleet, region.target_groups.values());
        gaps.look(fleet, region.services.values());
        gaps.look(fleet, region.scaling.values());
        gaps.look(fleet, region.tables.values());
        gaps.look(fleet, region.global_clusters.values());
        gaps.look(fleet, region.db_clusters.values());
        gaps.look(fleet, region.buckets.values());
        gaps.look(fleet, region.alarms.values());
        gaps.look(fleet, region.topics.values());
        gaps.look(fleet, region.metrics.values());
        gaps
    }

    fn of_dns(fleet: &Fleet<'_>, dns: &DnsSnapshot) -> Self {
        let mut gaps = Self::default();
        gaps.look(fleet, [&dns.identity]);
        gaps.look(fleet, dns.records.values());
        gaps.look(fleet, dns.health_checks.values());
        gaps.look(fleet, dns.metrics.values());
        gaps.look(fleet, dns.alarms.values());
        gaps.look(fleet, dns.topics.values());
        gaps
    }

    fn look<'a, T: 'a>(&mut self, fleet: &Fleet<'_>, values: impl IntoIterator<Item = &'a Observed<T>>) {
        for value in values {
            if !value.is_stale(fleet.snapshot.now, &fleet.topology.freshness) {
                continue;
            }
            // "No data" and "not configured" are answers; they leave nothing unknown.
            let error = value.error();
            if error.is_some_and(|error| matches!(error.kind, ErrorKind::NoData | ErrorKind::NotConfigured)) {
                continue;
            }
            let entry = self.stale.entry(value.source().kind).or_insert((value.as_of(), None));
            entry.0 = entry.0.min(value.as_of());
            if entry.1.is_none() {
                entry.1 = error.cloned();
            }
        }
    }

    /// One finding for each kind of failure, with the calls that met it as evidence.
    fn report(
        self,
        fleet: &Fleet<'_>,
        region: Option<&Region>,
        essential: &[SourceKind],
        findings: &mut Vec<Finding>,
    ) {
        let mut groups: BTreeMap<Option<&'static str>, Vec<Gap>> = BTreeMap::new();
        for (kind, (as_of, error)) in self.stale {
            let group = error.as_ref().map(|error| code(error.kind));
            groups.entry(group).or_default().push((kind, as_of, error));
        }
        let subject = if region.is_some() { "region" } else { "route53" };
        for (group, members) in groups {
            let blind = members.iter().any(|(kind, ..)| essential.contains(kind));
            let pending = group.is_none() && members.iter().all(|(_, as_of, _)| as_of.is_none());
            let severity = if pending || (!blind && group == Some("throttled")) {
                Severity::Info
            } else {
                Severity::Warning
            };
            let names: Vec<&str> = members.iter().map(|(kind, ..)| kind.label()).collect();
            let message = match members.iter().find_map(|(.., error)| error.as_ref()) {
                Some(error) => format!("cannot read {}: {}", names.join(", "), error.kind.label()),
                None if pending => format!("not read yet: {}", names.join(", ")),
                None => format!("no fresh answer about {}", names.join(", ")),
            };
            let code = format!("{subject}.{}", group.unwrap_or(if pending { "pending" } else { "stale" }));
            let mut finding = Finding::new(&code, severity, region, "", message);
            for (kind, as_of, error) in &members {
                let last = as_of.map_or_else(
                    || "never seen".to_owned(),
                    |as_of| format!("last seen {} ago", ago(as_of, fleet.snapshot.now)),
                );
                finding = finding.because(match error {
                    Some(error) => format!("{}: {error}; {last}", kind.label()),
                    None => format!("{}: {last}", kind.label()),
                });
            }
            // The error knows the profile, so its step is the more exact one.
            if let Some(error) = members.iter().find_map(|(.., error)| error.as_ref()) {
                finding.next = error.next_step.clone();
            }
            findings.push(if blind { finding.blind() } else { finding });
        }
    }
}

fn code(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => "denied",
        ErrorKind::Expired | ErrorKind::NoCredentials => "credentials",
        ErrorKind::Throttled => "throttled",
        ErrorKind::TimedOut => "timed_out",
        ErrorKind::Unreachable => "unreachable",
        ErrorKind::ServiceDown => "service_down",
        ErrorKind::RegionDisabled => "disabled",
        ErrorKind::ClockSkew => "clock_skew",
        ErrorKind::NotFound => "not_found",
        ErrorKind::Rejected | ErrorKind::Malformed => "rejected",
        ErrorKind::NoData | ErrorKind::NotConfigured => "no_data",
    }
}
