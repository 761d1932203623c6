//! Checks: from observations to findings, and from findings to verdicts.
//!
//! What it is for: one list, [`CHECKS`], in which each check has a title and a function; adding a check is
//! adding a line. What it must not do: ask AWS, keep state, or read a value whose age it does not look at.

mod alarms;
mod alb;
mod aurora;
mod disagreement;
mod dynamodb;
mod ecs;
mod identity;
pub mod next;
mod pin;
mod probe;
mod reading;
mod renew;
mod route53;
mod s3;
mod visibility;

use std::collections::BTreeMap;

pub use renew::Rows;

use super::derive;
use super::health::{Finding, Health, Severity, Verdict};
use super::ids::Region;
use super::observation::Observed;
use super::shared::Shared;
use super::snapshot::FleetSnapshot;
use super::topology::Topology;

/// One check.
#[derive(Clone, Copy)]
pub struct Check {
    /// The pane or subject that its findings belong to.
    pub subject: &'static str,
    /// What it looks for, in a few words.
    pub title: &'static str,
    /// Looks, and says what it found.
    pub run: fn(&Fleet<'_>) -> Vec<Finding>,
}

/// Every check, in the order in which equal findings are shown.
pub const CHECKS: &[Check] = &[
    Check { subject: "probe", title: "our own requests through each load balancer", run: probe::run },
    Check { subject: "alb", title: "5XX share, latency and targets of load balancers", run: alb::run },
    Check { subject: "ecs", title: "tasks, rollouts and limits of services", run: ecs::run },
    Check { subject: "aurora", title: "global clusters, roles and lag", run: aurora::run },
    Check {
        subject: "dynamodb",
        title: "replicas, latency, throttles and the 20-hour fuse",
        run: dynamodb::run,
    },
    Check {
        subject: "pin",
        title: "what keeps a region out by our own act is as it was left",
        run: pin::run,
    },
    Check { subject: "route53", title: "records, verdicts, checkers and who is answered", run: route53::run },
    Check { subject: "s3", title: "replication rules and backlog", run: s3::run },
    Check { subject: "alarms", title: "alarms that fire, and alarms that nobody hears", run: alarms::run },
    Check {
        subject: "region",
        title: "target health, Route 53's verdict and alarms that tell different stories",
        run: disagreement::run,
    },
    Check { subject: "identity", title: "accounts and credentials", run: identity::run },
    Check { subject: "region", title: "what could not be read", run: visibility::run },
];

/// What checks look at: the snapshot with its rows already derived.
pub struct Fleet<'a> {
    /// Configuration and thresholds.
    pub topology: &'a Topology,
    /// The observations.
    pub snapshot: &'a FleetSnapshot,
    /// Rows of each region, in the order of the snapshot.
    pub regions: Vec<RegionRows>,
}

/// All rows of one region. Cheap to clone; rows that did not move are shared with those of the sight before.
#[derive(Clone)]
pub struct RegionRows {
    /// Which region.
    pub region: Region,
    /// Load balancers.
    pub alb: Shared<Vec<derive::AlbRow>>,
    /// Services.
    pub ecs: Shared<Vec<derive::EcsRow>>,
    /// Tables.
    pub dynamodb: Shared<Vec<derive::DynamoRow>>,
    /// Aurora members.
    pub aurora: Shared<Vec<derive::AuroraRow>>,
    /// Records.
    pub route53: Shared<Vec<derive::Route53Row>>,
    /// Replication rules.
    pub s3: Shared<Vec<derive::S3Row>>,
    /// Alarms.
    pub alarms: Shared<Vec<derive::AlarmRow>>,
    /// Our own requests.
    pub probe: Shared<Vec<derive::ProbeRow>>,
    /// Whether DNS sends users here.
    pub in_dns: Observed<bool>,
}

/// Derives the rows of one region. For a whole fleet, [`Rows`] does so with less work.
pub fn rows(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> RegionRows {
    rows_by(topology, snapshot, region, &derive::Healths::of(topology, snapshot))
}

fn rows_by(
    topology: &Topology,
    snapshot: &FleetSnapshot,
    region: &Region,
    healths: &derive::Healths,
) -> RegionRows {
    let route53 = derive::route53_by(topology, snapshot, region, healths);
    RegionRows {
        region: region.clone(),
        alb: derive::alb(topology, snapshot, region).into(),
        ecs: derive::ecs(topology, snapshot, region).into(),
        dynamodb: derive::dynamodb(topology, snapshot, region).into(),
        aurora: derive::aurora(topology, snapshot, region).into(),
        s3: derive::s3(topology, snapshot, region).into(),
        alarms: derive::alarms(topology, snapshot, region).into(),
        probe: derive::probe(topology, snapshot, region).into(),
        in_dns: derive::in_dns_by(topology, region, &route53),
        route53: route53.into(),
    }
}

/// Runs every check and draws the verdicts: a region's from the findings about it; the fleet's is the worst
/// of the regions', of the links between them, and of findings that belong to no region.
pub fn verdict(topology: &Topology, snapshot: &FleetSnapshot) -> Verdict {
    let fleet = Fleet { topology, snapshot, regions: Rows::default().renew(topology, snapshot).to_vec() };
    judge(&fleet)
}

/// The same for rows that are already derived.
pub fn judge(fleet: &Fleet<'_>) -> Verdict {
    let mut findings: Vec<Finding> = CHECKS.iter().flat_map(|check| (check.run)(fleet)).collect();
    pin::own_acts(fleet, &mut findings);
    for finding in &mut findings {
        if finding.next.is_empty() {
            finding.next = next::next(&finding.code).map(Into::into).unwrap_or_default();
        }
    }
    // Worst first; among equals, what a region cannot do goes before what happens between regions.
    findings.sort_by_key(|finding| (std::cmp::Reverse(finding.severity), finding.peer.is_some()));
    let mut by_region: BTreeMap<&Region, Vec<&Finding>> = BTreeMap::new();
    for finding in &findings {
        if let Some(region) = &finding.region {
            by_region.entry(region).or_default().push(finding);
        }
    }
    let own = |region: &Region| by_region.get(region).map(Vec::as_slice).unwrap_or_default();
    let ill = |region: &Region| {
        let by_itself = own(region).iter().filter(|finding| finding.peer.is_none()).copied();
        Health::of(by_itself) == Health::Impaired
    };
    let regions: Vec<(Region, Health)> = fleet
        .regions
        .iter()
        .map(|rows| {
            let health = Health::of_region(own(&rows.region).iter().copied(), ill);
            (rows.region.clone(), health)
        })
        .collect();
    let common = findings.iter().filter(|finding| finding.region.is_none() || finding.peer.is_some());
    let common = Health::of(common);
    let worst = regions.iter().map(|(_, health)| *health).chain([common]).max_by_key(|health| rank(*health));
    Verdict { fleet: worst.unwrap_or(Health::Unknown), regions, findings }
}

/// Impaired outranks unknown, which outranks degraded: what is not known may be worse than a warning.
fn rank(health: Health) -> u8 {
    match health {
        Health::Healthy => 0,
        Health::Degraded => 1,
        Health::Unknown => 2,
        Health::Impaired => 3,
    }
}

impl Fleet<'_> {
    /// The value while it may be trusted as present; checks never look at an old one as if it were new.
    pub(crate) fn fresh<'v, T>(&self, value: &'v Observed<T>) -> Option<&'v T> {
        value.fresh(self.snapshot.now, &self.topology.freshness)
    }
}

/// The severity of a value that is the worse the higher it is.
pub(crate) fn level(value: f64, levels: super::topology::Levels) -> Option<(Severity, f64)> {
    if value >= levels.critical {
        Some((Severity::Critical, levels.critical))
    } else if value >= levels.warning {
        Some((Severity::Warning, levels.warning))
    } else {
        None
    }
}
