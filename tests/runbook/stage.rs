//! A simulated world, a real plan, and an engine whose every call is watched.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::Topology;
use switchtower::domain::ids::{Arn, Region};
use switchtower::domain::text::Text;
use switchtower::poll;
use switchtower::ports::{BoxFuture, Clock};
use switchtower::runbook::engine::{self, Decided, Ending, InMemory, NotBegun, Recorder, Setup};

use switchtower::runbook::{
    ActFailure, Approval, ApprovalError, Arming, Claim, Decision, Entry, Event, Executor, Fact, Facts, Known,
    Lease, LeaseError, LeaseState, LeaseStore, LeaseView, Opening, Operation, Outcome, Params, Peaks, Plan,
    PlanError, Receipt, Resend, RunId, Situation, catalog,
};
use switchtower::sim::world::removal::{Fate, Thing};
use switchtower::sim::{Sim, SimOptions};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

use super::watch::{Point, Strike, Witness};

/// The region that is left.
pub(crate) const LEAVING: &str = "us-east-1";
/// Where its users go.
pub(crate) const SURVIVOR: &str = "eu-west-1";
/// A moment with seconds and a fraction of its own, so that nothing happens to fall on a whole minute.
const EPOCH: &str = "2026-11-21T03:00:17.25Z";

/// Runs a scene on tokio's paused clock; the same every time.
pub(crate) fn play<T, F: Future<Output = T>>(scene: impl FnOnce() -> F) -> T {
    fastrand::seed(7);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { scene().await })
}

/// A recorder that answers halts, and may cut the process off at an entry.
pub(crate) struct Answering {
    inner: Arc<InMemory>,
    answers: Mutex<VecDeque<Decision>>,
    decide: UnboundedSender<Decided>,
    /// The entry after which the process dies.
    cut: Option<usize>,
    witness: Arc<Witness>,
}

impl Recorder for Answering {
    fn record(&self, event: Event, durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        Box::pin(async move {
            let halted = matches!(event, Event::Halted { failed: Some(_), .. });
            let begins = match &event {
                Event::StepBegan { step } => Some(Point::Step(step.clone())),
                _ => None,
            };
            let entry = self.inner.record(event, durable).await?;
            if self.cut.is_some_and(|cut| entry.seq >= cut as u64) {
                return self.witness.die().await;
            }
            if let Some(point) = begins {
                let after = self.witness.strikes(&point).await;
                self.witness.follows(after).await;
            }
            if halted && let Some(decision) = self.answers.lock().unwrap().pop_front() {
                self.decide.send((decision, "a test".into())).unwrap();
            }
            Ok(entry)
        })
    }
}

/// How much of the lease goes to its table.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Leasing {
    /// All of it.
    #[default]
    Whole,
    /// All but the copies of the journal, which nobody reads here.
    Uncopied,
    /// No renewals either: nobody else is there to take it, and nothing befalls its region.
    Alone,
}

/// A lease of which only a part goes to its table: a third of all calls of a run are for its sake.
struct Thrifty {
    table: Arc<dyn LeaseStore>,
    leasing: Leasing,
}

impl LeaseStore for Thrifty {
    fn acquire<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        self.table.acquire(claim)
    }

    fn take_over<'a>(
        &'a self,
        claim: &'a Claim,
        seen: &'a LeaseView,
        reason: &'a Text,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>> {
        self.table.take_over(claim, seen, reason)
    }

    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>> {
        match self.leasing {
            Leasing::Whole | Leasing::Uncopied => self.table.renew(lease),
            Leasing::Alone => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>> {
        self.table.release(lease)
    }

    fn holder<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Option<LeaseView>, LeaseError>> {
        self.table.holder(application)
    }

    fn copy<'a>(&'a self, run: &'a RunId, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), LeaseError>> {
        match self.leasing {
            Leasing::Whole => self.table.copy(run, entries),
            Leasing::Uncopied | Leasing::Alone => Box::pin(std::future::ready(Ok(()))),
        }
    }

    fn entries<'a>(
        &'a self,
        application: &'a Text,
        run: &'a RunId,
    ) -> BoxFuture<'a, Result<Vec<Entry>, LeaseError>> {
        self.table.entries(application, run)
    }

    fn runs<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Vec<RunId>, LeaseError>> {
        self.table.runs(application)
    }
}

/// A world, its application, and a run in it.
pub(crate) struct Stage {
    pub(crate) sim: Sim,
    pub(crate) clock: Clock,
    pub(crate) topology: Arc<Topology>,
    pub(crate) recorder: Arc<InMemory>,
    pub(crate) witness: Arc<Witness>,
    pub(crate) began: Timestamp,
    pub(crate) lease: Arc<dyn LeaseStore>,
    leasing: Leasing,
    /// Whose credentials sign the calls of this run, when not everybody's.
    key: Option<&'static str>,
    /// What a run beside this one, in the same world, recorded.
    pub(crate) rival: Option<Arc<InMemory>>,
    run: RunId,
    /// Decisions at halts, the first first.
    pub(crate) answers: Mutex<Vec<Decision>>,
    /// The entry after which the process dies.
    pub(crate) cut: Mutex<Option<usize>>,
    /// Decisions at any time.
    pub(crate) aborter: watch::Sender<Option<UnboundedSender<Decided>>>,
    /// What this run recorded before it came here.
    told: Vec<Entry>,
    /// What runs before this one journaled, for a restore.
    pub(crate) journal: Option<Vec<Entry>>,
    /// What was saved before anything happened, for a restore without a journal.
    pub(crate) baseline: Option<Facts>,
}

/// A stage that stands still, from which any number of others go on, each in a world of its own.
pub(crate) struct Frozen {
    sim: Sim,
    at: Timestamp,
    topology: Arc<Topology>,
    journal: Option<Vec<Entry>>,
    floor: BTreeMap<String, usize>,
    /// The run that stands still, and what it has recorded.
    run: RunId,
    told: Vec<Entry>,
}

impl Frozen {
    /// A stage that goes on from there.
    pub(crate) fn thaw(&self) -> Stage {
        let clock = Clock::starting_at(self.at, 1.0);
        let mut stage = Stage::on(self.sim.fork(clock), clock, self.topology.clone());
        stage.journal.clone_from(&self.journal);
        *stage.witness.floor.lock().unwrap() = self.floor.clone();
        if !self.told.is_empty() {
            stage.sim.clear_calls();
        }
        stage.told.clone_from(&self.told);
        stage.run = self.run.clone();
        stage.lease(Leasing::Uncopied);
        stage
    }
}

fn cloud(sim: &Sim, key: Option<&str>) -> Cloud {
    let keys = sim.credentials();
    let keys = Keys {
        access_key: key.unwrap_or(&keys.access_key_id),
        secret_key: &keys.secret_access_key,
        session_token: Some(&keys.session_token),
        expires: Some(keys.expires),
    };
    Cloud::simulated(sim.http_client(), sim.clock(), &keys)
}

/// The world's application, and a policy that does not wait for long.
fn topology(sim: &Sim) -> Topology {
    let mut topology = sim.topology();
    topology.policy.survivors_healthy_minutes = 1;
    topology
}

impl Stage {
    /// A world of which nothing is known yet.
    pub(crate) fn new(options: SimOptions) -> Self {
        Self::shaped(options, |_| {})
    }

    /// The same with an application that is set up otherwise.
    pub(crate) fn shaped(options: SimOptions, edit: impl FnOnce(&mut Topology)) -> Self {
        let clock = Clock::starting_at(EPOCH.parse().unwrap(), 1.0);
        let sim = Sim::new(options, clock).unwrap();
        let mut topology = topology(&sim);
        edit(&mut topology);
        Self::on(sim, clock, Arc::new(topology))
    }

    fn on(sim: Sim, clock: Clock, topology: Arc<Topology>) -> Self {
        Self::signed(sim, clock, topology, None)
    }

    fn signed(sim: Sim, clock: Clock, topology: Arc<Topology>, key: Option<&'static str>) -> Self {
        let cloud = cloud(&sim, key);
        let recorder = Arc::new(InMemory::new(clock));
        let acting = cloud.acting(topology.clone(), sim.probe(), Some(sim.probe()));
        let witness = Arc::new(Witness::new(Arc::new(acting), sim.clone(), recorder.clone()));
        let lease = cloud.lease_table(topology.lease.as_ref().unwrap(), &topology.application);
        Self {
            clock,
            topology,
            recorder,
            witness,
            began: clock.now(),
            lease: Arc::new(lease),
            leasing: Leasing::Whole,
            key,
            rival: None,
            run: RunId::new(clock.now(), "test", Some(LEAVING), 7),
            answers: Mutex::default(),
            cut: Mutex::default(),
            aborter: watch::channel(None).0,
            told: Vec::new(),
            journal: None,
            baseline: None,
            sim,
        }
    }

    /// Another run in the same world, beside this one and by somebody else.
    pub(crate) fn beside(&self, key: &'static str) -> Self {
        let mut beside = Self::signed(self.sim.clone(), self.clock, self.topology.clone(), Some(key));
        beside.run = RunId::new(self.clock.now(), "beside", Some(LEAVING), 8);
        beside.rival = Some(self.recorder.clone());
        beside.lease(Leasing::Uncopied);
        beside
    }

    /// From now on so much of the lease goes to its table.
    pub(crate) fn lease(&mut self, leasing: Leasing) {
        self.leasing = leasing;
        let table = cloud(&self.sim, self.key)
            .lease_table(self.topology.lease.as_ref().unwrap(), &self.topology.application);
        self.lease = match leasing {
            Leasing::Whole => Arc::new(table),
            _ => Arc::new(Thrifty { table: Arc::new(table), leasing }),
        };
    }

    /// The same world under another topology.
    pub(crate) fn over(self, topology: Topology) -> Self {
        Self::on(self.sim, self.clock, Arc::new(topology))
    }

    /// The next run in the same world, which knows what this one journaled.
    pub(crate) fn next(self) -> Self {
        let told = self.journal.unwrap_or_default().into_iter().chain(self.recorder.entries());
        let journal = told.collect();
        self.sim.clear_calls();
        let floor = self.witness.floor.lock().unwrap().clone();
        let next = Self::on(self.sim, self.clock, self.topology);
        *next.witness.floor.lock().unwrap() = floor;
        Self { journal: Some(journal), baseline: self.baseline, ..next }
    }

    /// What others go on from.
    pub(crate) fn freeze(self) -> Frozen {
        let floor = self.witness.floor.lock().unwrap().clone();
        let (at, told) = (self.clock.now(), Vec::new());
        Frozen {
            at,
            sim: self.sim,
            topology: self.topology,
            journal: self.journal,
            floor,
            run: self.run,
            told,
        }
    }

    /// What others go on from, in the middle of a run.
    fn still(&self) -> Frozen {
        let (sim, journal) = (self.sim.fork(self.clock), self.journal.clone());
        let floor = self.witness.floor.lock().unwrap().clone();
        let told = self.recorder.entries();
        let (at, topology, run) = (self.clock.now(), self.topology.clone(), self.run.clone());
        Frozen { sim, at, topology, journal, floor, run, told }
    }

    /// Runs a plan of one step after the other, and gives what was so where each of them began.
    pub(crate) async fn stills(&self, plan: &Plan) -> Vec<Frozen> {
        let mut stills = Vec::new();
        for step in &plan.steps {
            let point = Point::Step(step.id.clone());
            let (tell, told) = tokio::sync::oneshot::channel();
            self.strike_at(
                point,
                Strike::Before(Box::new(move |_| {
                    Box::pin(async move {
                        tell.send(()).unwrap();
                        std::future::pending::<()>().await;
                    })
                })),
            );
            tokio::select! {
                biased;
                _ = told => {}
                ended = self.run(plan) => panic!("{} never began: {ended:?}", step.id),
            }
            stills.push(self.still());
        }
        stills
    }

    /// A way of one's own to the world.
    pub(crate) fn cloud(&self) -> Cloud {
        cloud(&self.sim, self.key)
    }

    /// The same process begun anew, with credentials that hold.
    pub(crate) fn sign_in(&mut self) {
        let acting = self.cloud().acting(self.topology.clone(), self.sim.probe(), Some(self.sim.probe()));
        *self.witness.inner.lock().unwrap() = Arc::new(acting);
        self.lease(self.leasing);
    }

    /// A plan on the world as it is told now, whatever its guards say.
    pub(crate) async fn plan(&self, runbook: &str, params: &Params) -> Plan {
        self.planned(runbook, params).await.unwrap()
    }

    /// The same, which no guard may block.
    pub(crate) async fn open_plan(&self, runbook: &str, params: &Params) -> Plan {
        let plan = self.plan(runbook, params).await;
        self.approve(&plan).unwrap_or_else(|error| panic!("{runbook}: {error}"));
        plan
    }

    /// What planning says.
    pub(crate) async fn planned(&self, runbook: &str, params: &Params) -> Result<Plan, PlanError> {
        let book = catalog::by_id(runbook).unwrap();
        let patience = Duration::from_secs(10);
        let fleet =
            poll::observe_once(self.cloud(), self.topology.clone(), self.sim.probe(), self.clock, patience)
                .await;
        let facts = self.witness.observe(&book.wants(&self.topology, params)).await;
        let situation = Situation {
            topology: &self.topology,
            fleet: &fleet,
            facts: &facts,
            peaks: &Peaks::default(),
            now: self.clock.now(),
            armed: true,
            foreign_endpoint: None,
            lease: self.lease_state().await,
            unfinished: &[],
            journal: self.journal.as_deref(),
            baseline: self.baseline.as_ref(),
        };
        let plan = book.plan(&situation, params)?;
        let view = self.sim.view();
        let left = params.region.as_ref().map_or(LEAVING, Region::as_str);
        let survivors = view.regions.iter().filter(|region| region.region != left);
        if runbook != "restore" && !takes_all(&plan) {
            *self.witness.floor.lock().unwrap() =
                survivors.map(|region| (region.region.clone(), region.desired_tasks)).collect();
        }
        self.excuse(&plan);
        Ok(plan)
    }

    /// Who holds the lease: beside another run that is worth asking.
    async fn lease_state(&self) -> LeaseState {
        if self.rival.is_none() {
            return LeaseState::Free;
        }
        match self.lease.holder(&self.topology.application).await {
            Ok(Some(view)) if !view.released => LeaseState::Held(view),
            Ok(_) => LeaseState::Free,
            Err(error) => LeaseState::Unreachable(error.to_string().into()),
        }
    }

    /// What a plan does on purpose is no fault.
    fn excuse(&self, plan: &Plan) {
        if plan.runbook.as_str() != "cleanup" {
            return;
        }
        let all = takes_all(plan);
        let regions = self.topology.regions.iter().map(|entry| &entry.name);
        let down = regions.filter(|name| all || plan.params.region.as_ref() == Some(name));
        *self.witness.taken_down.lock().unwrap() = down.map(ToString::to_string).collect();
        *self.witness.ends_all.lock().unwrap() = all;
    }

    /// The approval of a plan that no guard blocks.
    pub(crate) fn approve(&self, plan: &Plan) -> Result<Approval, ApprovalError> {
        let now = self.clock.now();
        let arming = Arming::arm(&self.topology, now).unwrap();
        Approval::mint(&arming, now, plan, plan.confirm.as_str(), "a test says so", false)
    }

    /// What a run of the plan needs; the journal so far is what it is told.
    pub(crate) fn setup(&self, plan: &Plan) -> Setup {
        let approval = self.approve(plan).unwrap_or_else(|error| panic!("{error}"));
        self.excuse(plan);
        let opening = Opening {
            run: self.run.clone(),
            application: self.topology.application.clone(),
            runbook: plan.runbook.clone(),
            params: plan.params.clone(),
            holder: "alice".into(),
            host: "bastion".into(),
            pid: 7,
            reason: "a test says so".into(),
            overrides: Vec::new(),
            version: "0".into(),
        };
        Setup {
            executor: self.witness.clone(),
            lease: Some(self.lease.clone()),
            recorder: self.recorder.clone(),
            sampler: None,
            clock: self.clock,
            topology: self.topology.clone(),
            plan: plan.clone(),
            approval,
            opening,
            emergency: catalog::by_id(plan.runbook.as_str()).unwrap().spec().emergency,
            told: self.told.iter().cloned().chain(self.recorder.entries()).collect(),
            damage: Vec::new(),
            take_over: None,
            attended: false,
            decided: None,
        }
    }

    /// Strikes the call of that number, counted from 0 over all processes.
    pub(crate) fn strike(&self, call: usize, strike: Strike) {
        self.strike_at(Point::Call(call), strike);
    }

    /// Strikes a place of the run.
    pub(crate) fn strike_at(&self, point: Point, strike: Strike) {
        self.witness.strike(point, strike);
    }

    /// True once the strike has struck.
    pub(crate) fn struck(&self) -> bool {
        self.witness.struck()
    }

    /// Runs a plan, or goes on with it; `None` when the process died.
    pub(crate) async fn run(&self, plan: &Plan) -> Option<Result<Ending, NotBegun>> {
        self.carry_out(self.setup(plan)).await
    }

    /// The same with a setup of one's own; its recorder is kept when it is not the stage's.
    pub(crate) async fn carry_out(&self, mut setup: Setup) -> Option<Result<Ending, NotBegun>> {
        let (decide, decisions) = unbounded_channel();
        let answers: VecDeque<Decision> = self.answers.lock().unwrap().drain(..).collect();
        setup.attended = setup.attended || !answers.is_empty();
        let ours: Arc<dyn Recorder> = self.recorder.clone();
        if Arc::ptr_eq(&setup.recorder, &ours) {
            setup.recorder = Arc::new(Answering {
                inner: self.recorder.clone(),
                answers: Mutex::new(answers),
                decide: decide.clone(),
                cut: self.cut.lock().unwrap().take(),
                witness: self.witness.clone(),
            });
        }
        self.aborter.send_replace(Some(decide));
        // Longer than the time-outs of a plan add up to here.
        let limit = Duration::from_hours(4);
        self.witness.died.send_replace(false);
        let mut died = self.witness.died.subscribe();
        tokio::select! {
            biased;
            _ = died.wait_for(|died| *died) => None,
            ended = self.clock.timeout(limit, engine::run(setup, decisions)) => {
                Some(ended.unwrap_or_else(|_| panic!("the run never ended: {:#?}", self.words())))
            }
        }
    }

    /// Runs a plan that lives and begins.
    pub(crate) async fn ended(&self, plan: &Plan) -> Ending {
        self.run(plan).await.expect("nobody dies").expect("it begins")
    }

    /// The calls that were sent, by what they are.
    pub(crate) fn sent(&self) -> Vec<Operation> {
        self.witness.sent.lock().unwrap().clone()
    }

    /// What was recorded, but for progress, short enough to be read.
    pub(crate) fn words(&self) -> Vec<String> {
        let entries = self.recorder.entries();
        let told = entries.iter().filter(|entry| {
            !matches!(entry.event, Event::Opened { .. } | Event::Resumed { .. } | Event::Progress { .. })
        });
        told.map(|entry| {
            let mut words = format!("{} {} {:?}", entry.seq, entry.at.strftime("%H:%M:%S"), entry.event);
            words.truncate(words.floor_char_boundary(260));
            words
        })
        .collect()
    }

    /// Calls that the world did, of an operation by its wire name.
    pub(crate) fn effective(&self, operation: &str) -> usize {
        self.sim.calls().iter().filter(|call| call.operation == operation && call.done).count()
    }

    /// Everything that does not hold after a run, in words; empty when all does.
    pub(crate) fn faults(&self, plan: &Plan, ending: &Ending) -> Vec<String> {
        self.witness.look("at the end");
        let mut wrong = self.witness.wrong.lock().unwrap().clone();
        let entries = self.recorder.entries();
        let unjournaled = entries.iter().any(|entry| matches!(entry.event, Event::Unjournaled { .. }));
        let calls = self.sim.calls();
        let mutating = calls.iter().filter(|call| call.mutating && !is_upkeep(&call.operation)).count();
        let beside = self.rival.iter().flat_map(|recorder| recorder.entries());
        let recorded = entries.iter().cloned().chain(beside);
        let intents = recorded.filter(|entry| matches!(entry.event, Event::Intent { .. })).count();
        if mutating > intents && !unjournaled {
            wrong.push(format!("{mutating} changing calls with {intents} intents"));
        }
        wrong.extend(self.twice(plan, ending));
        let told = entries.iter().rev().find_map(|entry| match entry.event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        });
        if told != Some(ending.outcome) && !unjournaled {
            wrong.push(format!("it ended as {:?} and told {told:?}", ending.outcome));
        }
        match ending.outcome {
            Outcome::Done => wrong.extend(self.undone(plan)),
            Outcome::Halted if ending.why.is_empty() => wrong.push("halted, and nobody knows why".into()),
            _ => {}
        }
        wrong
    }

    /// What took effect more often than the plan has it, of calls that start, create or delete.
    fn twice(&self, plan: &Plan, ending: &Ending) -> Vec<String> {
        let mut planned: BTreeMap<(&str, String), usize> = BTreeMap::new();
        let mut seen: Vec<&Operation> = Vec::new();
        for operation in plan.operations().filter(|operation| operation.resend() == Resend::Observe) {
            // Many deletions make one emptied bucket, and an operation and its undo are one pair.
            if matches!(operation, Operation::EmptyBucket { .. } | Operation::ChangeRecords { .. })
                || seen.contains(&operation)
            {
                continue;
            }
            seen.push(operation);
            let form = operation.call();
            *planned.entry((form.operation, form.region.to_string())).or_default() += 1;
        }
        let calls = self.sim.calls();
        let mut wrong = Vec::new();
        for ((name, region), times) in planned {
            let same =
                calls.iter().filter(|call| call.operation == name && call.region == region && call.done);
            // Deleting what is gone is no error in some services, and changes nothing.
            let took = same.count();
            // Of promotions more is said below.
            let moves = matches!(name, "FailoverGlobalCluster" | "SwitchoverGlobalCluster");
            // One call of DynamoDB protects, unprotects and deletes; it refuses a second deletion itself.
            if took > times && !moves && !idempotent(name) && name != "UpdateTable" {
                wrong.push(format!("{name} in {region} took effect {took} times, planned {times}"));
            }
        }
        for promotion in ["FailoverGlobalCluster", "SwitchoverGlobalCluster"] {
            let times = self.effective(promotion);
            // A move whose region died on the way comes to nothing, and is begun again.
            let again = usize::from(ending.outcome == Outcome::Undone) + self.witness.is_dark();
            if times > 1 + again {
                wrong.push(format!("{promotion} took effect {times} times"));
            }
        }
        wrong
    }

    /// What a run that says it is done has not done.
    fn undone(&self, plan: &Plan) -> Vec<String> {
        let mut wrong = Vec::new();
        let view = self.sim.view();
        let region = plan.params.region.as_ref().map(Region::as_str);
        let left = view.regions.iter().find(|seen| Some(seen.region.as_str()) == region);
        match plan.runbook.as_str() {
            "restore" => {
                if !left.is_some_and(|seen| seen.in_dns && seen.up) {
                    wrong.push(format!("done, and the region does not serve: {left:?}"));
                }
            }
            "cleanup" => wrong.extend(self.remains(region)),
            "switchover" => {}
            _ => {
                // With every other region dark, all are answered: that is AWS's doing.
                if left.is_some_and(|seen| seen.in_dns) && !self.witness.is_dark_elsewhere() {
                    wrong.push("done, and the region is still in DNS".into());
                }
            }
        }
        let target =
            plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls).find_map(|call| {
                match call {
                    Operation::SwitchoverGlobalCluster { target, .. }
                    | Operation::FailoverGlobalCluster { target, .. } => target.region(),
                    _ => None,
                }
            });
        if let Some(target) = target
            && view.aurora_writer.as_deref() != Some(target.as_str())
        {
            wrong.push(format!("done, and {:?} writes, not {target}", view.aurora_writer));
        }
        wrong
    }

    /// Everything of the application that is not gone, of one region or of all; the topic without the owner's tag and
    /// what it needs is not the application's own.
    pub(crate) fn remains(&self, region: Option<&str>) -> Vec<String> {
        let world = self.sim.world();
        let now = self.clock.now();
        let fleet = &world.fleet;
        let mut things: Vec<Thing> = Vec::new();
        for site in fleet.sites.iter().filter(|site| region.is_none_or(|region| region == site.region)) {
            let at = site.index;
            let checks = world.checks.iter().filter(|check| check.site == at);
            things.extend(checks.map(|check| Thing::Check(check.id.clone())));
            for service in 0..fleet.services.len() {
                things.extend([
                    Thing::Scaling(at, service),
                    Thing::Service(at, service),
                    Thing::Group(at, service),
                ]);
            }
            things.extend([Thing::Cluster(at), Thing::Balancer(at), Thing::Bucket(at), Thing::Stack(at)]);
            if fleet.aurora.contains(&at) {
                things.extend([Thing::Instance(at, 0), Thing::Instance(at, 1), Thing::Database(at)]);
            }
            let tables = fleet.tables.iter().filter(|table| table.sites.contains(&at) && !table.strong);
            things.extend(tables.map(|table| Thing::Table(table.name.clone(), at)));
            if at != 0 {
                things.push(Thing::Topic(site.topic.clone()));
            }
        }
        // An alarm is that region's whose health check it watches, wherever it lives.
        for home in &fleet.sites {
            for name in world.alarm_names(&home.region) {
                let watched = fleet.sites.iter().find(|site| name == format!("health-check-{}", site.region));
                if region.is_none_or(|region| region == watched.unwrap_or(home).region) {
                    things.push(Thing::Alarm(home.region.clone(), name));
                }
            }
        }
        if region.is_none() {
            things.push(Thing::Global);
        }
        let there = things.into_iter().filter(|thing| world.fate(thing, now) != Fate::Gone);
        there.map(|thing| format!("done, and {thing:?} is still there")).collect()
    }

    /// Users' requests since this run began: served and failed.
    pub(crate) fn failed(&self) -> f64 {
        self.sim.users_failed_since(self.began).iter().map(|(_, failed)| failed).sum()
    }

    /// A value as it is told now.
    pub(crate) async fn told(&self, fact: switchtower::runbook::Fact) -> Option<Known> {
        let facts = self.witness.observe(std::slice::from_ref(&fact)).await;
        facts.value(&fact).cloned()
    }
}

/// True for a cleanup of everything.
fn takes_all(plan: &Plan) -> bool {
    plan.runbook.as_str() == "cleanup" && plan.params.region.is_none()
}

/// Calls that change the application, signed by other credentials than these, after a moment.
pub(crate) fn changes_after(stage: &Stage, at: Timestamp, not_by: &str) -> Vec<String> {
    let calls = stage.sim.calls();
    let late = calls.iter().filter(|call| {
        call.mutating && call.at > at && !is_upkeep(&call.operation) && call.access_key != not_by
    });
    late.map(|call| format!("{} in {} at {}", call.operation, call.region, call.at)).collect()
}

/// Calls of the lease, of notices, and the many of which one emptied bucket is made.
fn is_upkeep(operation: &str) -> bool {
    [
        "PutItem",
        "UpdateItem",
        "DeleteItem",
        "TransactWriteItems",
        "BatchWriteItem",
        "Publish",
        "DeleteObjects",
    ]
    .contains(&operation)
        || operation.starts_with("UpdateRoutingControl")
}

/// Deletions that AWS accepts for what is gone.
fn idempotent(operation: &str) -> bool {
    [
        "DeleteLoadBalancer",
        "DeleteTargetGroup",
        "DeleteTopic",
        "DeleteStack",
        "DeleteBucketReplication",
        "DeregisterTaskDefinition",
    ]
    .contains(&operation)
}

/// Parameters for the leaving region.
pub(crate) fn leaving() -> Params {
    Params { region: Some(Region::new(LEAVING)), ..Params::default() }
}

/// An executor by way of which a test changes what is seen, or looks at what is about to be sent.
pub(crate) struct Through {
    inner: Arc<dyn Executor>,
    seen: Box<dyn Fn(&Facts) -> Facts + Send + Sync>,
    sending: Box<dyn Fn(&Operation) + Send + Sync>,
}

impl Through {
    /// What is observed becomes what `seen` makes of it.
    pub(crate) fn seeing(
        inner: Arc<dyn Executor>,
        seen: impl Fn(&Facts) -> Facts + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { inner, seen: Box::new(seen), sending: Box::new(|_| {}) })
    }

    /// `sending` looks at each call right before it goes.
    pub(crate) fn sending(
        inner: Arc<dyn Executor>,
        sending: impl Fn(&Operation) + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { inner, seen: Box::new(Facts::clone), sending: Box::new(sending) })
    }
}

impl Executor for Through {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        Box::pin(async move { (self.seen)(&self.inner.observe(facts).await) })
    }

    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        (self.sending)(operation);
        self.inner.apply(operation, approval)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        self.inner.publish(topic, subject, message, approval)
    }
}
