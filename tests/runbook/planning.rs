//! A stage for planning: a fleet, facts, a journal; and plans as text.

use std::fmt::Write as _;

use switchtower::domain::Topology;
use switchtower::domain::ids::{DbClusterId, Region, ServiceKey};
use switchtower::domain::observation::{ErrorKind, Observed, ProbeError, Source, SourceKind};
use switchtower::runbook::{
    Entry, Fact, Facts, Known, LeaseState, Operation, Params, Peaks, Plan, PlanError, Runbook, Situation,
};

use crate::domain::fixture::World;

/// What a runbook is told.
pub(super) struct Stage {
    pub(super) world: World,
    pub(super) facts: Facts,
    pub(super) journal: Option<Vec<Entry>>,
    pub(super) baseline: Option<Facts>,
    pub(super) peaks: Peaks,
}

pub(super) fn region(name: &str) -> Region {
    Region::new(name)
}

pub(super) fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

pub(super) fn cluster(region: &str) -> DbClusterId {
    format!("my-db-{region}").as_str().into()
}

fn source() -> Source {
    Source::new(SourceKind::Identity, "test:Told", None)
}

impl Stage {
    /// All is well, and the journal is empty.
    pub(super) fn calm() -> Self {
        Self::of(World::healthy())
    }

    pub(super) fn of(world: World) -> Self {
        Self { world, facts: Facts::new(), journal: None, baseline: None, peaks: Peaks::default() }
    }

    /// States a fact as read now.
    pub(super) fn tell(&mut self, fact: Fact, known: Known) {
        self.facts.insert(fact, Observed::seen(source(), known, self.world.now));
    }

    /// States that a fact could not be read.
    pub(super) fn hide(&mut self, fact: Fact, kind: ErrorKind) {
        let error = ProbeError {
            kind,
            call: "test:Read".into(),
            region: None,
            message: kind.label().into(),
            request_id: None,
            at: self.world.now,
            next_step: "".into(),
        };
        self.facts.insert(fact, Observed::failed(source(), error));
    }

    pub(super) fn plan(&self, runbook: &dyn Runbook, params: &Params) -> Result<Plan, PlanError> {
        let fleet = self.world.snapshot();
        runbook.plan(
            &Situation {
                topology: &self.world.topology,
                fleet: &fleet,
                facts: &self.facts,
                peaks: &self.peaks,
                now: self.world.now,
                armed: true,
                foreign_endpoint: None,
                lease: LeaseState::Free,
                unfinished: &[],
                journal: self.journal.as_deref(),
                baseline: self.baseline.as_ref(),
            },
            params,
        )
    }

    /// The plan as text, or why there is none.
    pub(super) fn text(&self, runbook: &dyn Runbook, params: &Params) -> String {
        match self.plan(runbook, params) {
            Ok(plan) => text(&plan),
            Err(error) => format!("no plan: {error}\n"),
        }
    }

    /// What the runbook's own guards found.
    pub(super) fn findings(&self, runbook: &dyn Runbook, params: &Params) -> Vec<String> {
        let plan = self.plan(runbook, params).unwrap();
        plan.findings.iter().map(|finding| finding.message.to_string()).collect()
    }
}

/// Parameters that name a region.
pub(super) fn of_region(name: &str) -> Params {
    Params { region: Some(region(name)), ..Params::default() }
}

/// A plan as a reader would check it: who is asked what, after what, until what holds.
pub(super) fn text(plan: &Plan) -> String {
    let mut text = format!("{}: {}\nconfirm: {}\n", plan.runbook, plan.summary, plan.confirm);
    for finding in &plan.findings {
        let _ = writeln!(text, "{:?} {}: {}", finding.force, finding.guard.word(), finding.message);
    }
    for step in &plan.steps {
        let place = step.region.as_ref().map(|region| format!(" @{region}")).unwrap_or_default();
        let _ = writeln!(
            text,
            "\n[{}]{place} {} ({:?}, {:?})",
            step.id, step.title, step.timeout, step.on_failure
        );
        let after: Vec<&str> = step.after.iter().map(switchtower::runbook::StepId::as_str).collect();
        let _ = writeln!(
            text,
            "  after {}",
            if after.is_empty() { "nothing".to_owned() } else { after.join(", ") }
        );
        let _ = writeln!(text, "  when {}", json(&step.precondition));
        for way in &step.ways {
            for call in &way.calls {
                let _ = writeln!(text, "  call {}", one(call));
            }
            for call in &way.undo {
                let _ = writeln!(text, "  undo {}", one(call));
            }
        }
        let _ = writeln!(text, "  until {}", json(&step.verify));
        for line in &step.changes {
            let _ = writeln!(text, "  = {line}");
        }
    }
    for (title, lines) in
        [("at risk", &plan.data_at_risk), ("irreversible", &plan.irreversible), ("note", &plan.notes)]
    {
        for line in lines {
            let _ = write!(text, "\n{title}: {line}");
        }
    }
    text.push('\n');
    text
}

fn one(operation: &Operation) -> String {
    format!("{} {}", operation.region(), json(operation))
}

fn json(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap().replace('"', "")
}

/// The same topology with more in it.
pub(super) fn with(edit: impl FnOnce(&mut Topology)) -> Stage {
    let mut topology = crate::domain::fixture::topology();
    edit(&mut topology);
    Stage::of(World::healthy_in(topology))
}
