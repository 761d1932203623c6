//! What the console looks at: one snapshot with everything that was computed from it.
//!
//! What it is for: the one thing that travels from the feed to the console. It is computed where the
//! snapshot is taken, so that the thread that paints and reads keys derives nothing.
//! What it must not do: change after it was made.

use std::sync::Arc;

use jiff::Timestamp;

use super::pane::PaneId;
use crate::domain::changes::{Change, Timeline};
use crate::domain::checks::{self, RegionRows, Rows};
use crate::domain::ids::Region;
use crate::domain::snapshot::{DnsSnapshot, FleetSnapshot, RegionSnapshot, Usage};
use crate::domain::{Finding, Health, Standing, Topology, Verdict};

/// A snapshot, its rows, its verdict, and what moved lately.
pub struct Sight {
    /// The raw answers.
    pub snapshot: FleetSnapshot,
    /// Derived rows of every region, in the order of the snapshot.
    pub rows: Vec<RegionRows>,
    /// The verdict; `None` before anything was asked.
    pub verdict: Option<Verdict>,
    /// What moved, newest first.
    pub changes: Arc<[Change]>,
}

impl Sight {
    /// Derives and judges a snapshot.
    pub fn new(topology: &Topology, snapshot: FleetSnapshot, changes: Arc<[Change]>) -> Self {
        Self::of(topology, snapshot, changes, &mut Rows::default())
    }

    /// The same, deriving only what differs from the snapshot before.
    fn of(topology: &Topology, snapshot: FleetSnapshot, changes: Arc<[Change]>, rows: &mut Rows) -> Self {
        let regions = rows.renew(topology, &snapshot).to_vec();
        let fleet = checks::Fleet { topology, snapshot: &snapshot, regions };
        let verdict = checks::judge(&fleet);
        let rows = fleet.regions;
        Self { snapshot, rows, verdict: Some(verdict), changes }
    }

    /// What is known before anything was asked: the topology's resources, every value pending.
    pub fn skeleton(topology: &Topology, now: Timestamp) -> Self {
        let regions = topology.regions.iter();
        let snapshot = FleetSnapshot {
            now,
            regions: regions.map(|entry| Arc::new(RegionSnapshot::outline(topology, &entry.name))).collect(),
            dns: Arc::new(DnsSnapshot::skeleton(topology)),
            usage: Usage::default(),
            pins: Arc::default(),
        };
        let rows = Rows::default().renew(topology, &snapshot).to_vec();
        Self { snapshot, rows, verdict: None, changes: Arc::from([]) }
    }
}

/// How many changes are kept.
const CHANGES: usize = 500;

/// Makes sights out of snapshots, and remembers what moved between them. Whoever takes the snapshots
/// keeps one, on a thread that may compute.
#[derive(Default)]
pub struct Lookout {
    rows: Rows,
    timeline: Timeline,
    changes: Arc<[Change]>,
}

impl Lookout {
    /// Derives, judges, and compares with the snapshot before.
    pub fn look(&mut self, topology: &Topology, snapshot: FleetSnapshot) -> Sight {
        let mut sight = Sight::of(topology, snapshot, Arc::clone(&self.changes), &mut self.rows);
        if let Some(verdict) = &sight.verdict {
            let mut moved = self.timeline.observe_rows(&sight.rows, sight.snapshot.now, verdict);
            if !moved.is_empty() {
                moved.extend(self.changes.iter().cloned());
                // Newest first; of those seen together, in the order of the panes.
                moved.sort_by_key(|change| std::cmp::Reverse(change.at));
                moved.truncate(CHANGES);
                self.changes = moved.into();
                sight.changes = Arc::clone(&self.changes);
            }
        }
        sight
    }
}

/// One region of the fleet at one moment: everything that a pane may look at.
#[derive(Clone, Copy)]
pub struct RegionView<'a> {
    /// The topology.
    pub topology: &'a Topology,
    /// The snapshot.
    pub snapshot: &'a FleetSnapshot,
    /// The verdict, once there is one.
    pub verdict: Option<&'a Verdict>,
    /// Which region.
    pub region: &'a Region,
    /// Its rows.
    pub rows: &'a RegionRows,
    /// The moment at which ages are taken.
    pub now: Timestamp,
    /// True while what is unknown was merely not read yet.
    pub settling: bool,
    /// How the region stands; `None` before the first verdict.
    pub standing: Option<Standing>,
}

impl<'a> RegionView<'a> {
    /// The verdict on this region; `None` before the first one, and while first answers are coming in.
    pub fn health(&self) -> Option<Health> {
        let health = self.judged()?;
        (health != Health::Unknown || !self.settling).then_some(health)
    }

    /// How the region stands, in the word that the banner uses too. Of a pinned region its health: that it is out
    /// by our own act stands beside it.
    pub fn word(&self) -> &'static str {
        match (self.health(), self.standing) {
            (None, _) => "waiting",
            (Some(_), Some(Standing::Failing)) => "failing",
            (Some(_), Some(Standing::Lagging)) => "data lags",
            (Some(health), _) => health.word(),
        }
    }

    fn judged(&self) -> Option<Health> {
        self.verdict?.regions.iter().find(|(region, _)| region == self.region).map(|(_, health)| *health)
    }

    /// Findings about this region, worst first.
    pub fn findings(&self) -> impl Iterator<Item = &'a Finding> {
        let region = self.region;
        let findings = self.verdict.map_or(&[][..], |verdict| &verdict.findings);
        findings.iter().filter(move |finding| finding.region.as_ref() == Some(region))
    }

    /// Findings about this region that belong to `pane`, worst first.
    pub fn pane_findings(&self, pane: PaneId) -> impl Iterator<Item = &'a Finding> {
        self.findings().filter(move |finding| finding.pane() == pane.code())
    }

    /// How many rows a pane has.
    pub fn row_count(&self, pane: PaneId) -> usize {
        let rows = self.rows;
        match pane {
            PaneId::Alb => rows.alb.len(),
            PaneId::Ecs => rows.ecs.len(),
            PaneId::DynamoDb => rows.dynamodb.len(),
            PaneId::Aurora => rows.aurora.len(),
            PaneId::Route53 => rows.route53.len(),
            PaneId::S3 => rows.s3.len(),
            PaneId::Alarms => rows.alarms.len(),
            PaneId::Probe => rows.probe.len(),
        }
    }

    /// The ids of a pane's rows, in the order in which they are shown. Cursors hold these, never indices.
    pub fn row_ids(&self, pane: PaneId) -> Vec<String> {
        let rows = self.rows;
        match pane {
            PaneId::Alb => rows.alb.iter().map(|row| row.arn.to_string()).collect(),
            PaneId::Ecs => rows.ecs.iter().map(|row| format!("{}/{}", row.cluster, row.service)).collect(),
            PaneId::DynamoDb => rows.dynamodb.iter().map(|row| row.table.to_string()).collect(),
            PaneId::Aurora => rows.aurora.iter().map(|row| row.cluster.to_string()).collect(),
            PaneId::Route53 => rows
                .route53
                .iter()
                .map(|row| format!("{} {} {}", row.name, row.record_type, row.set_identifier))
                .collect(),
            PaneId::S3 => {
                rows.s3.iter().map(|row| format!("{} {} {}", row.bucket, row.destination, row.rule)).collect()
            }
            PaneId::Alarms => rows.alarms.iter().map(|row| row.name.to_string()).collect(),
            PaneId::Probe => rows.probe.iter().map(|row| format!("{} {}", row.url, row.via)).collect(),
        }
    }
}
