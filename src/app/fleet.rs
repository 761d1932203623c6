//! The fleet as the console knows it: topology, the newest sight, and the moment.
//!
//! What it is for: handing out views of regions, and letting a verdict grow stale when nothing new
//! arrives. What it must not do: know of screens or cursors.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::pane::PaneId;
use super::sight::{RegionView, Sight};
use crate::domain::changes::Change;
use crate::domain::checks;
use crate::domain::ids::Region;
use crate::domain::{FleetSnapshot, Standing, Topology, Verdict};

/// When nothing new has arrived for so long, the verdict is drawn again from what is there, so that a
/// feed that died ends in Unknown and not in an old Healthy.
const JUDGE_AGAIN: SignedDuration = SignedDuration::from_secs(15);

/// From so many regions on they are listed worst first.
const WORST_FIRST_FROM: usize = 7;

/// Topology, newest sight, and now.
pub struct Fleet {
    topology: Arc<Topology>,
    panes: Vec<PaneId>,
    sight: Arc<Sight>,
    verdict_now: Option<(Timestamp, Verdict)>,
    now: Timestamp,
    answered: bool,
    standings: Vec<(Region, Standing)>,
    settling: bool,
}

/// How far apart ticks are.
const TICK: SignedDuration = SignedDuration::from_secs(1);

impl Fleet {
    /// Before anything was asked; `sight` is what is known then.
    pub fn new(topology: Arc<Topology>, sight: Arc<Sight>, now: Timestamp) -> Self {
        let panes = PaneId::ALL.into_iter().filter(|pane| pane.configured(&topology)).collect();
        Self {
            topology,
            panes,
            sight,
            verdict_now: None,
            now,
            answered: false,
            standings: Vec::new(),
            settling: false,
        }
    }

    /// Takes a newer sight.
    pub fn see(&mut self, sight: Arc<Sight>) {
        // Between two ticks the clock stands still: a sight that tells nothing new must not make ages step,
        // which would be painted for nothing.
        if sight.snapshot.now.duration_since(self.now) > TICK {
            self.now = sight.snapshot.now;
        }
        self.sight = sight;
        self.verdict_now = None;
        self.answered = true;
        self.judged();
    }

    /// Moves the clock; draws the verdict again when the sight has become old.
    pub fn tick(&mut self, now: Timestamp) {
        self.now = now;
        if !self.answered {
            return;
        }
        let judged = self.verdict_now.as_ref().map_or(self.sight.snapshot.now, |(at, _)| *at);
        if now.duration_since(judged) >= JUDGE_AGAIN {
            let snapshot = FleetSnapshot { now, ..self.sight.snapshot.clone() };
            self.verdict_now = Some((now, checks::verdict(&self.topology, &snapshot)));
            self.judged();
        }
    }

    /// The topology.
    pub fn topology(&self) -> &Topology {
        &self.topology
    }

    /// The panes that the topology has something for, top to bottom.
    pub fn panes(&self) -> &[PaneId] {
        &self.panes
    }

    /// The moment at which ages are taken.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// The newest snapshot; a skeleton before the first.
    pub fn snapshot(&self) -> &FleetSnapshot {
        &self.sight.snapshot
    }

    /// What moved lately, newest first.
    pub fn changes(&self) -> &[Change] {
        &self.sight.changes
    }

    /// The verdict; `None` before the first sight.
    pub fn verdict(&self) -> Option<&Verdict> {
        self.verdict_now.as_ref().map(|(_, verdict)| verdict).or(self.sight.verdict.as_ref())
    }

    /// The regions, in the order of the topology.
    pub fn regions(&self) -> impl ExactSizeIterator<Item = &Region> {
        self.topology.regions.iter().map(|entry| &entry.name)
    }

    /// How a region stands; `None` before the first verdict.
    pub fn standing(&self, region: &Region) -> Option<Standing> {
        self.standings.iter().find(|(known, _)| known == region).map(|(_, standing)| *standing)
    }

    /// What follows from a new verdict, once and not at every frame.
    fn judged(&mut self) {
        let Some(verdict) = self.verdict() else { return };
        let pins = &self.sight.snapshot.pins;
        let regions = verdict.regions.iter().map(|(region, _)| region);
        let standings = regions
            .filter_map(|region| {
                let standing = Standing::of(verdict, region, pins.of(region).is_some())?;
                Some((region.clone(), standing))
            })
            .collect();
        let mut blind = verdict.findings.iter().filter(|finding| finding.blind).peekable();
        let settling = blind.peek().is_some() && blind.all(|finding| finding.code.ends_with(".pending"));
        self.standings = standings;
        self.settling = settling;
    }

    /// The regions in the order in which the table of regions shows them. With more than fit on a small
    /// screen the ill ones come first, so that none is out of sight; numbers stay those of the topology.
    pub fn listed(&self) -> Vec<&Region> {
        let mut regions: Vec<&Region> = self.regions().collect();
        if regions.len() >= WORST_FIRST_FROM {
            regions.sort_by_cached_key(|region| self.standing(region));
        }
        regions
    }

    /// True while all that is unknown is unknown because it was not read yet: the first moments.
    pub fn is_settling(&self) -> bool {
        self.settling
    }

    /// The view of a region; `None` when the snapshot does not have it.
    pub fn region(&self, region: &Region) -> Option<RegionView<'_>> {
        let rows = self.sight.rows.iter().find(|rows| &rows.region == region)?;
        Some(RegionView {
            topology: &self.topology,
            snapshot: &self.sight.snapshot,
            verdict: self.verdict(),
            region: &rows.region,
            rows,
            now: self.now,
            settling: self.is_settling(),
            standing: self.standing(region),
        })
    }
}
