//! A situation that a test spoils: a fleet, what was read for the plan, and everything beside it.

use jiff::Timestamp;
use switchtower::domain::ids::Region;
use switchtower::domain::observation::{ErrorKind, Observed, ProbeError, Source, SourceKind};
use switchtower::domain::{FleetSnapshot, Topology};
use switchtower::runbook::catalog::by_id;
use switchtower::runbook::{
    Fact, Facts, Known, LeaseState, Params, Peaks, Plan, PlanError, RunId, Situation,
};

use crate::domain::fixture::World;

pub(super) struct Stage {
    pub(super) topology: Topology,
    pub(super) fleet: FleetSnapshot,
    pub(super) facts: Facts,
    pub(super) peaks: Peaks,
    pub(super) now: Timestamp,
    pub(super) armed: bool,
    pub(super) foreign_endpoint: Option<String>,
    pub(super) lease: LeaseState,
    pub(super) unfinished: Vec<RunId>,
    pub(super) baseline: Option<Facts>,
}

impl Stage {
    /// A fleet as it was observed, nothing read beside it, the session armed and the lease free.
    pub(super) fn of(topology: Topology, fleet: FleetSnapshot) -> Self {
        Self {
            topology,
            now: fleet.now,
            fleet,
            facts: Facts::new(),
            peaks: Peaks::default(),
            armed: true,
            foreign_endpoint: None,
            lease: LeaseState::Free,
            unfinished: Vec::new(),
            baseline: None,
        }
    }

    /// The small healthy fleet of the domain's tests: the writer in us-east-1, four tasks a service.
    pub(super) fn healthy() -> Self {
        let world = World::healthy();
        Self::of(world.topology.clone(), world.snapshot())
    }

    /// The same as `of` for a world that a test has spoilt.
    pub(super) fn spoilt(spoil: impl FnOnce(&mut World)) -> Self {
        let mut world = World::healthy();
        spoil(&mut world);
        Self::of(world.topology.clone(), world.snapshot())
    }

    /// Read a moment ago.
    pub(super) fn read(&mut self, fact: Fact, known: Known) {
        let source = Source::new(SourceKind::Services, "test", None);
        self.facts.insert(fact, Observed::seen(source, known, self.now));
    }

    /// Asked, and nobody answered.
    pub(super) fn time_out(&mut self, fact: Fact) {
        self.fail(fact, ErrorKind::TimedOut);
    }

    /// Asked in vain.
    pub(super) fn fail(&mut self, fact: Fact, kind: ErrorKind) {
        let source = Source::new(SourceKind::Services, "test", None);
        let error = ProbeError {
            kind,
            call: "test".into(),
            region: None,
            message: "no answer".into(),
            request_id: None,
            at: self.now,
            next_step: "".into(),
        };
        self.facts.insert(fact, Observed::failed(source, error));
    }

    pub(super) fn plan(&self, runbook: &str, params: &Params) -> Result<Plan, PlanError> {
        let situation = Situation {
            topology: &self.topology,
            fleet: &self.fleet,
            facts: &self.facts,
            peaks: &self.peaks,
            now: self.now,
            armed: self.armed,
            foreign_endpoint: self.foreign_endpoint.as_deref().map(Into::into),
            lease: self.lease.clone(),
            unfinished: &self.unfinished,
            journal: None,
            baseline: self.baseline.as_ref(),
        };
        by_id(runbook).unwrap().plan(&situation, params)
    }
}

/// Parameters for a region.
pub(super) fn of(region: &str) -> Params {
    Params { region: Some(Region::new(region)), ..Params::default() }
}
