//! A simulated world, a real plan, and an engine whose every call is watched.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::Topology;
use switchtower::domain::evacuation::{
    ArcEndpoint, ArcSettings, LeaseSettings, RoutingControl, Switch, SwitchWire,
};
use switchtower::domain::ids::{Arn, BucketName, Region, TableName};
use switchtower::domain::text::Text;
use switchtower::poll;
use switchtower::ports::{BoxFuture, Clock};
use switchtower::runbook::engine::{self, Decided, Ending, InMemory, NotBegun, Recorder, Setup};
use switchtower::runbook::{
    ActFailure, Approval, Arming, Decision, Entry, Event, Executor, Fact, Facts, LeaseState, LeaseStore,
    Opening, Operation, Outcome, Params, Peaks, Plan, Receipt, RunId, Situation, catalog,
};
use switchtower::sim::{Sim, SimOptions};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};
use tokio::sync::watch;

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

/// Something that a test does to the world at a call.
pub(crate) type Deed = Box<dyn FnOnce(Sim, Operation) -> BoxFuture<'static, ()> + Send>;

/// What happens at a call.
pub(crate) enum Strike {
    /// Something, right before it is sent.
    Before(Deed),
    /// Something, once its answer is here.
    After(Deed),
    /// The process dies before it is sent.
    DieBefore,
    /// The process dies before its answer is told to anybody.
    DieAfter,
}

/// A deed that needs no waiting.
pub(crate) fn deed(what: impl FnOnce(&Sim, &Operation) + Send + 'static) -> Deed {
    Box::new(move |sim, operation| {
        what(&sim, &operation);
        Box::pin(std::future::ready(()))
    })
}

/// The executor of a run, and what it saw.
pub(crate) struct Witness {
    inner: Mutex<Arc<dyn Executor>>,
    sim: Sim,
    recorder: Arc<InMemory>,
    /// Every call, in order.
    pub(crate) sent: Mutex<Vec<Operation>>,
    /// Invariants that broke, in words.
    pub(crate) wrong: Mutex<Vec<String>>,
    strike: Mutex<Option<(usize, Strike)>>,
    /// Set when the process dies.
    died: watch::Sender<bool>,
    /// Tasks that were wanted in each surviving region at the beginning.
    floor: Mutex<BTreeMap<String, usize>>,
}

impl Witness {
    fn blame(&self, words: String) {
        let mut wrong = self.wrong.lock().unwrap();
        if !wrong.contains(&words) {
            wrong.push(words);
        }
    }

    /// The call has its intent on record, one for each time it is sent, or the run says that it has no journal.
    fn recorded(&self, operation: &Operation) {
        let entries = self.recorder.entries();
        if entries.iter().any(|entry| matches!(entry.event, Event::Unjournaled { .. })) {
            return;
        }
        let same = |told: &&Entry| matches!(&told.event, Event::Intent { operation: told, .. } if **told == *operation);
        let intents = entries.iter().filter(same).count();
        let sent = self.sent.lock().unwrap().iter().filter(|sent| *sent == operation).count();
        if sent > intents {
            self.blame(format!("{operation:?} was sent {sent} times with {intents} intents"));
        }
    }

    /// The world as users meet it.
    pub(crate) fn look(&self, when: &str) {
        let view = self.sim.view();
        if view.regions.iter().any(|region| region.up)
            && !view.regions.iter().any(|region| region.up && region.in_dns)
        {
            self.blame(format!("{when}: no living region is in DNS"));
        }
        if view.aurora_writers.len() > 1 {
            self.blame(format!("{when}: two write: {}", view.aurora_writers.join(", ")));
        }
        for (region, floor) in &*self.floor.lock().unwrap() {
            let wanted =
                view.regions.iter().find(|seen| &seen.region == region).map_or(0, |seen| seen.desired_tasks);
            if wanted < *floor {
                self.blame(format!("{when}: {region} wants {wanted} tasks, {floor} before"));
            }
        }
    }
}

impl Executor for Witness {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move { inner.observe(facts).await })
    }

    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move {
            let number = {
                let mut sent = self.sent.lock().unwrap();
                sent.push(operation.clone());
                sent.len() - 1
            };
            self.recorded(operation);
            self.look(&format!("before call {number}"));
            let strike = self.strike.lock().unwrap().take_if(|(at, _)| *at == number);
            let mut after = None;
            match strike.map(|(_, strike)| strike) {
                None => {}
                Some(Strike::Before(deed)) => deed(self.sim.clone(), operation.clone()).await,
                Some(Strike::DieBefore) => {
                    self.died.send_replace(true);
                    std::future::pending::<()>().await;
                }
                Some(later) => after = Some(later),
            }
            let answer = inner.apply(operation, approval).await;
            self.look(&format!("after call {number}"));
            match after {
                Some(Strike::After(deed)) => deed(self.sim.clone(), operation.clone()).await,
                Some(_) => {
                    self.died.send_replace(true);
                    std::future::pending::<()>().await;
                }
                None => {}
            }
            answer
        })
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        let inner = self.inner.lock().unwrap().clone();
        Box::pin(async move { inner.publish(topic, subject, message, approval).await })
    }
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
            let entry = self.inner.record(event, durable).await?;
            if self.cut.is_some_and(|cut| entry.seq >= cut as u64) {
                self.witness.died.send_replace(true);
                std::future::pending::<()>().await;
            }
            if halted && let Some(decision) = self.answers.lock().unwrap().pop_front() {
                self.decide.send((decision, "a test".into())).unwrap();
            }
            Ok(entry)
        })
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
    run: RunId,
    /// Decisions at halts, the first first.
    pub(crate) answers: Mutex<Vec<Decision>>,
    /// The entry after which the process dies.
    pub(crate) cut: Mutex<Option<usize>>,
    /// Decisions at any time.
    pub(crate) aborter: watch::Sender<Option<UnboundedSender<Decided>>>,
}

fn cloud(sim: &Sim) -> Cloud {
    let keys = sim.credentials();
    let keys = Keys {
        access_key: &keys.access_key_id,
        secret_key: &keys.secret_access_key,
        session_token: Some(&keys.session_token),
        expires: Some(keys.expires),
    };
    Cloud::simulated(sim.http_client(), sim.clock(), &keys)
}

/// The world's application with everything that is wired, and its lease.
fn topology(sim: &Sim) -> Topology {
    let mut topology = sim.topology();
    let wiring = sim.evacuation();
    if let Some(objects) = &wiring.switch_object {
        topology.switches.extend(objects.keys.iter().map(|(region, key)| Switch {
            region: region.clone(),
            home: objects.region.clone(),
            health_check: None,
            wire: SwitchWire::Object { bucket: BucketName::new(&objects.bucket), key: key.clone() },
        }));
    }
    if let Some(controls) = &wiring.routing_control {
        let endpoint =
            |(region, url): &(Region, String)| ArcEndpoint { url: url.clone(), region: region.clone() };
        let control = |(region, arn): &(Region, String)| RoutingControl {
            region: region.clone(),
            arn: Arn::new(arn),
            health_check: None,
        };
        topology.arc = Some(ArcSettings {
            endpoints: controls.endpoints.iter().map(endpoint).collect(),
            routing_controls: controls.controls.iter().map(control).collect(),
        });
    }
    topology.lease =
        Some(LeaseSettings { table: TableName::new("switchtower-lease"), region: Region::new("us-west-2") });
    topology.policy.survivors_healthy_minutes = 1;
    topology
}

impl Stage {
    /// A world of which nothing is known yet.
    pub(crate) fn new(options: SimOptions) -> Self {
        Self::shaped(options, |_| {})
    }

    /// The same with an application that is set up otherwise.
    pub(crate) fn shaped(options: SimOptions, shape: impl FnOnce(&mut Topology)) -> Self {
        let clock = Clock::starting_at(EPOCH.parse().unwrap(), 1.0);
        let sim = Sim::new(options, clock).unwrap();
        let mut topology = topology(&sim);
        shape(&mut topology);
        let topology = Arc::new(topology);
        let cloud = cloud(&sim);
        let recorder = Arc::new(InMemory::new(clock));
        let acting = cloud.acting(topology.clone(), sim.probe(), Some(sim.probe()));
        let witness = Arc::new(Witness {
            inner: Mutex::new(Arc::new(acting)),
            sim: sim.clone(),
            recorder: recorder.clone(),
            sent: Mutex::default(),
            wrong: Mutex::default(),
            strike: Mutex::default(),
            died: watch::channel(false).0,
            floor: Mutex::default(),
        });
        let lease = cloud.lease_table(topology.lease.as_ref().unwrap(), &topology.application);
        Self {
            clock,
            topology,
            recorder,
            witness,
            began: clock.now(),
            lease: Arc::new(lease),
            run: RunId::new(clock.now(), "test", Some(LEAVING), 7),
            answers: Mutex::default(),
            cut: Mutex::default(),
            aborter: watch::channel(None).0,
            sim,
        }
    }

    /// A way of one's own to the world.
    pub(crate) fn cloud(&self) -> Cloud {
        cloud(&self.sim)
    }

    /// The same process begun anew, with credentials that hold.
    pub(crate) fn sign_in(&mut self) {
        let cloud = cloud(&self.sim);
        let acting = cloud.acting(self.topology.clone(), self.sim.probe(), Some(self.sim.probe()));
        *self.witness.inner.lock().unwrap() = Arc::new(acting);
        self.lease =
            Arc::new(cloud.lease_table(self.topology.lease.as_ref().unwrap(), &self.topology.application));
    }

    /// A plan on the world as it is told now.
    pub(crate) async fn plan(&self, runbook: &str, params: &Params) -> Plan {
        let book = catalog::by_id(runbook).unwrap();
        let patience = Duration::from_secs(10);
        let cloud = cloud(&self.sim);
        let fleet =
            poll::observe_once(cloud, self.topology.clone(), self.sim.probe(), self.clock, patience).await;
        let facts = self.witness.observe(&book.wants(&self.topology, params)).await;
        let situation = Situation {
            topology: &self.topology,
            fleet: &fleet,
            facts: &facts,
            peaks: &Peaks::default(),
            now: self.clock.now(),
            armed: true,
            foreign_endpoint: None,
            lease: LeaseState::Free,
            unfinished: &[],
            journal: None,
            baseline: None,
        };
        let plan = book.plan(&situation, params).unwrap();
        let view = self.sim.view();
        let survivors = view.regions.iter().filter(|region| region.region != LEAVING);
        *self.witness.floor.lock().unwrap() =
            survivors.map(|region| (region.region.clone(), region.desired_tasks)).collect();
        plan
    }

    /// What a run of the plan needs; the journal so far is what it is told.
    pub(crate) fn setup(&self, plan: &Plan) -> Setup {
        let now = self.clock.now();
        let arming = Arming::arm(&self.topology, now).unwrap();
        let approval =
            Approval::mint(&arming, now, plan, plan.confirm.as_str(), "a test says so", true).unwrap();
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
            told: self.recorder.entries(),
            damage: Vec::new(),
            take_over: None,
            attended: false,
            decided: None,
        }
    }

    /// Strikes the call of that number, counted from 0 over all processes.
    pub(crate) fn strike(&self, call: usize, strike: Strike) {
        *self.witness.strike.lock().unwrap() = Some((call, strike));
    }

    /// True once the strike has struck.
    pub(crate) fn struck(&self) -> bool {
        self.witness.strike.lock().unwrap().is_none()
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
        // Routing controls are set on any of five endpoints, which are one call of the plan.
        let calls = self.sim.calls();
        let acting = |service: &str| !matches!(service, "dynamodb" | "sns" | "route53-recovery-cluster");
        let mutating = calls.iter().filter(|call| call.mutating && acting(&call.service)).count();
        let intents = entries.iter().filter(|entry| matches!(entry.event, Event::Intent { .. })).count();
        if mutating > intents && !unjournaled {
            wrong.push(format!("{mutating} changing calls with {intents} intents"));
        }
        for promotion in ["FailoverGlobalCluster", "SwitchoverGlobalCluster"] {
            let times = self.effective(promotion);
            let back = plan.runbook.as_str() == "drain" && ending.outcome == Outcome::Undone;
            if times > 1 + usize::from(back) {
                wrong.push(format!("{promotion} took effect {times} times"));
            }
        }
        let told = entries.iter().rev().find_map(|entry| match entry.event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        });
        if told != Some(ending.outcome) && !unjournaled {
            wrong.push(format!("it ended as {:?} and told {told:?}", ending.outcome));
        }
        let view = self.sim.view();
        match ending.outcome {
            Outcome::Done => {
                if view.regions.iter().any(|region| region.region == LEAVING && region.in_dns) {
                    wrong.push("done, and the region is still in DNS".into());
                }
                let moves = plan.operations().any(Operation::moves_writer);
                if moves && view.aurora_writer.as_deref() != Some(SURVIVOR) {
                    wrong.push(format!("done, and {:?} writes", view.aurora_writer));
                }
            }
            Outcome::Halted if ending.why.is_empty() => wrong.push("halted, and nobody knows why".into()),
            _ => {}
        }
        wrong
    }
}

/// Parameters for the leaving region.
pub(crate) fn leaving() -> Params {
    Params { region: Some(Region::new(LEAVING)), ..Params::default() }
}
