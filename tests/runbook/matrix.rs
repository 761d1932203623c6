//! Every fault at every step of every runbook, and what must hold after each.
//!
//! The product is generated: a runbook's plan gives the steps, a run without faults gives the calls of each. At a
//! step that calls, each call is struck; at one that only waits, its beginning. Each cell goes on from a world that
//! was prepared once, and ends in `Done`, or in a halt that says why and from which the run is taken up once the
//! world is mended.
//!
//! A cleanup is one step after the other. There a cell is taken up where the struck step begins, and ends with the
//! step after it: what comes later depends on nothing but what that step has proven. That a cleanup taken up is the
//! same as one that goes on is what the tests of `teardown` cut it for.
//!
//! The whole product runs with `SWITCHTOWER_MATRIX=whole`. Otherwise cells that are alike are run once, by this rule:
//! two places of one runbook are alike when they are calls of the same AWS operation in the same role (on the region
//! that is acted on, or on another), or waits for the same kind of condition; of places that are alike the first
//! is struck. A failover and a switchover meet every fault; the others, whose calls
//! are made and sent again by the same code, those faults whose answer depends on what the other steps are (`ORDER`);
//! runbooks whose steps are struck elsewhere, in another order or one by one, those that leave the most (`MOST`). The
//! faults that are left over take turns over the places, so that every runbook meets every one of them somewhere. The
//! tests of `coverage` count what that leaves.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::runbook::engine::Ending;
use switchtower::runbook::{Condition, DatabaseChoice, Event, Operation, Outcome, Params, Plan, StepId};
use switchtower::sim::{FaultKind, InjectedFault, Mode, Sim, SimOptions, Wiring};

use super::stage::{Frozen, LEAVING, Leasing, SURVIVOR, Stage, leaving, play};
use super::teardown;
use super::watch::{Deed, Point, Strike, deed};

/// How long trouble with an API lasts.
const LASTING: SignedDuration = SignedDuration::from_mins(4);
/// How long a region stays dark.
pub(super) const DARK: SignedDuration = SignedDuration::from_mins(40);
/// How old a stale observation is.
const OLD: SignedDuration = SignedDuration::from_secs(45);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The call is refused, without effect.
    Refuse,
    /// It takes effect, and an error is answered.
    ErrorAfter,
    /// It takes effect, and nothing is answered.
    HangAfter,
    /// Neither.
    Hang,
    /// The rate limit.
    Throttle,
    /// Credentials end, for this and everything later.
    Expire,
    /// The process is killed before.
    DieBefore,
    /// The process is killed after.
    DieAfter,
    /// For four minutes every API of every region tells what was so 45 s ago.
    Stale,
    /// The region that is acted on goes black.
    Black,
    /// A region that stays goes black.
    BlackSurvivor,
    /// Route 53's API hangs.
    ControlPlane,
    /// The lease's region hangs.
    LeaseDark,
}

pub(super) const ALL: [Fault; 13] = [
    Fault::Refuse,
    Fault::ErrorAfter,
    Fault::HangAfter,
    Fault::Hang,
    Fault::Throttle,
    Fault::Expire,
    Fault::DieBefore,
    Fault::DieAfter,
    Fault::Stale,
    Fault::Black,
    Fault::BlackSurvivor,
    Fault::ControlPlane,
    Fault::LeaseDark,
];

/// The faults whose answer depends on what the other steps are. The others (a refusal, an answer that is lost, a rate
/// limit) are answered by the call itself, the same in every runbook but for an emergency's patience.
const ORDER: [Fault; 4] = [Fault::HangAfter, Fault::DieBefore, Fault::Black, Fault::BlackSurvivor];

/// How many of the other faults a call meets,
const AT_A_CALL: usize = 2;
/// and a wait.
const AT_A_WAIT: usize = 1;

/// Of runbooks whose steps are struck elsewhere, in another order or one by one: what leaves the most behind.
const MOST: [Fault; 2] = [Fault::DieAfter, Fault::Black];

/// Of the faults that a runbook does not meet at every place, those that it meets at this one: the ones that it `met` the
/// fewest times so far.
fn in_turn(place: &Place, faults: &[Fault], met: &[Fault]) -> Vec<Fault> {
    let others = ALL.into_iter().filter(|fault| !faults.contains(fault) && fault.befalls(place));
    let mut others: Vec<Fault> = others.collect();
    others.sort_by_key(|fault| met.iter().filter(|known| *known == fault).count());
    others.truncate(if place.call.is_some() { AT_A_CALL } else { AT_A_WAIT });
    others
}

/// A place of a run at which a fault strikes.
#[derive(Clone, Debug)]
pub(super) struct Place {
    /// Number of the step from which on the cell goes on, where the steps are a chain.
    from: usize,
    pub(super) point: Point,
    pub(super) step: StepId,
    /// The call that is struck, if it is one.
    call: Option<Operation>,
    /// What places that are alike have in common.
    pub(super) kind: String,
}

/// The SigV4 name of the service that a call goes to.
fn service(operation: &Operation) -> &'static str {
    match operation.call().service {
        "cloudwatch" => "monitoring",
        "application-autoscaling" => "application-autoscaling",
        other => other,
    }
}

impl Fault {
    /// Whether it says anything at a place: what befalls a call needs one.
    pub(super) fn befalls(self, place: &Place) -> bool {
        place.call.is_some()
            || !matches!(
                self,
                Self::Refuse | Self::ErrorAfter | Self::HangAfter | Self::Hang | Self::Throttle
            )
    }

    fn strike(self, place: &Place) -> Strike {
        let kind = match self {
            Self::Refuse => FaultKind::Refuse { status: 400, code: "InvalidParameterValue".into() },
            Self::ErrorAfter => FaultKind::ErrorAfter { status: 500, code: "InternalFailure".into() },
            Self::HangAfter => FaultKind::HangAfter,
            Self::Hang => FaultKind::Hang,
            Self::Throttle => FaultKind::Throttle,
            Self::Expire => FaultKind::ExpireCredentials,
            Self::DieBefore => return Strike::DieBefore,
            Self::DieAfter => return Strike::DieAfter,
            Self::Stale => return Strike::Before(stale()),
            Self::Black => return Strike::Before(black(LEAVING)),
            Self::BlackSurvivor => return Strike::Before(black(SURVIVOR)),
            Self::ControlPlane => return Strike::Before(hangs(LEAVING, "route53")),
            Self::LeaseDark => return Strike::Before(hangs("us-west-2", "dynamodb")),
        };
        let fault = match &place.call {
            Some(call) => InjectedFault::next(service(call), "mutating", kind).within(call.region().as_str()),
            None => InjectedFault::next("*", "*", kind),
        };
        Strike::Before(deed(move |sim| {
            sim.inject(fault);
        }))
    }

    /// How much of the lease has to go to its table: renewals too, where they may be struck.
    fn leasing(self) -> Leasing {
        match self {
            Self::Throttle | Self::Expire | Self::Stale | Self::ControlPlane | Self::LeaseDark => {
                Leasing::Uncopied
            }
            _ => Leasing::Alone,
        }
    }

    /// The region that it darkens.
    fn darkens(self) -> Option<&'static str> {
        match self {
            Self::Black => Some(LEAVING),
            Self::BlackSurvivor => Some(SURVIVOR),
            _ => None,
        }
    }
}

/// Every API tells old things, and then new ones again.
fn stale() -> Deed {
    Box::new(|sim: Sim| {
        sim.inject(InjectedFault::next("*", "*", FaultKind::Stale(OLD)).on(0));
        let clock = sim.clock();
        tokio::spawn(async move {
            clock.sleep(LASTING.unsigned_abs()).await;
            sim.clear_faults();
        });
        Box::pin(std::future::ready(()))
    })
}

pub(super) fn black(name: &'static str) -> Deed {
    deed(move |sim| sim.black_out(&Region::new(name), SignedDuration::ZERO, Some(DARK)))
}

fn hangs(region: &'static str, service: &'static str) -> Deed {
    deed(move |sim| {
        sim.apis_down(&Region::new(region), &[service], Mode::Hang, SignedDuration::ZERO, Some(LASTING));
    })
}

/// What a wait waits for, as a word.
fn waits_for(condition: &Condition) -> String {
    match condition {
        Condition::All { of } | Condition::Any { of } => {
            of.iter().map(waits_for).collect::<Vec<_>>().join("+")
        }
        other => {
            let words = format!("{other:?}");
            words.split([' ', '{']).next().unwrap_or_default().to_owned()
        }
    }
}

/// A runbook in a world that is ready for it.
pub(super) struct Book {
    pub(super) name: &'static str,
    pub(super) world: Frozen,
    pub(super) plan: Plan,
    /// Where each step begins, when one follows the other.
    chain: Vec<Frozen>,
}

/// True where the whole product is asked for.
fn whole() -> bool {
    std::env::var("SWITCHTOWER_MATRIX").is_ok_and(|which| which == "whole")
}

pub(super) fn options(scenario: &str) -> SimOptions {
    SimOptions { scenario: scenario.into(), services: 1, latency: false, pace: 4.0, ..SimOptions::default() }
}

impl Book {
    /// Plans in a world that a scene prepares.
    pub(super) fn new<F: Future<Output = Stage>>(
        name: &'static str,
        runbook: &str,
        params: &Params,
        scene: impl FnOnce() -> F,
    ) -> Self {
        play(async || {
            let stage = scene().await;
            let plan = stage.open_plan(runbook, params).await;
            Self { name, plan, world: stage.freeze(), chain: Vec::new() }
        })
    }

    /// The same for a plan of one step after the other.
    fn chained(self) -> Self {
        let chain = play(async || self.world.thaw().stills(&self.plan).await);
        Self { chain, ..self }
    }

    /// The world and the plan of a cell: of a chain, what is so where the step begins, and the steps up to the next.
    fn scene(&self, place: &Place) -> (&Frozen, Plan) {
        match self.chain.get(place.from) {
            Some(still) => {
                let mut plan = self.plan.clone();
                if !whole() {
                    plan.steps.truncate(place.from + 2);
                }
                (still, plan)
            }
            None => (&self.world, self.plan.clone()),
        }
    }

    /// The places of a run without faults, by the steps of the plan.
    pub(super) fn places(&self) -> Vec<Place> {
        play(async || {
            let stage = self.world.thaw();
            let ending = stage.ended(&self.plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}: {}", self.name, ending.why);
            assert_eq!(stage.faults(&self.plan, &ending), Vec::<String>::new(), "{}", self.name);
            let mut places = Vec::new();
            let (mut number, mut from) = (0, 0);
            for entry in stage.recorder.entries() {
                match entry.event {
                    Event::StepBegan { step } if !self.chain.is_empty() => {
                        (number, from) = (0, self.plan.steps.iter().position(|one| one.id == step).unwrap());
                        let step = &self.plan.steps[from];
                        if step.ways.is_empty() {
                            let (kind, point) = (waits_for(&step.verify), Point::Step(step.id.clone()));
                            places.push(Place { from, point, step: step.id.clone(), call: None, kind });
                        }
                    }
                    Event::Intent { step, operation, .. } => {
                        let role = if operation.region().as_str() == LEAVING { "here" } else { "there" };
                        let kind = format!("{} {role}", operation.call().operation);
                        let point = Point::Call(number);
                        places.push(Place { from, point, step, call: Some(*operation), kind });
                        number += 1;
                    }
                    Event::StepBegan { step }
                        if self.plan.step(&step).is_some_and(|step| step.ways.is_empty()) =>
                    {
                        let kind = waits_for(&self.plan.step(&step).unwrap().verify);
                        places.push(Place { from, point: Point::Step(step.clone()), step, call: None, kind });
                    }
                    _ => {}
                }
            }
            places
        })
    }

    /// What does not hold when `fault` strikes a place.
    fn cell(&self, place: &Place, fault: Fault) -> Vec<String> {
        play(async || {
            let (world, plan) = self.scene(place);
            let mut stage = world.thaw();
            stage.lease(fault.leasing());
            stage.strike_at(place.point.clone(), fault.strike(place));
            if let Some(dark) = fault.darkens() {
                stage.witness.darkens(&Region::new(dark));
            }
            let mut first = stage.run(&plan).await;
            if first.is_none() {
                stage.sign_in();
                first = stage.run(&plan).await;
            }
            let mut ending = first.expect("it dies once").expect("it begins");
            let mut wrong = self.faults(&stage, &plan, &ending);
            if !stage.struck() {
                wrong.push("it never came there".into());
            }
            // While all of us-east-1 is dark, Route 53's API is: only a way that does not lean on it is a way out.
            let shut = match fault {
                Fault::Expire | Fault::BlackSurvivor => true,
                Fault::Black => stage.topology.switches.is_empty(),
                _ => false,
            };
            if self.plan.runbook.as_str() == "failover" && !shut && !pinned(&stage) {
                wrong.push("a failover with a way out did not get users out".into());
            }
            if !matches!(ending.outcome, Outcome::Done | Outcome::Halted) {
                wrong.push(format!("it ended {:?}", ending.outcome));
            }
            if ending.outcome == Outcome::Halted {
                if fault.darkens().is_some() {
                    // Somebody takes it up too early: it halts again, or finds another way.
                    let early = stage.ended(&plan).await;
                    wrong.extend(self.faults(&stage, &plan, &early));
                }
                // Somebody mends the world and takes the run up.
                stage.sim.clear_faults();
                stage.clock.sleep((DARK + SignedDuration::from_mins(15)).unsigned_abs()).await;
                stage.sign_in();
                ending = stage.ended(&plan).await;
                wrong.extend(self.faults(&stage, &plan, &ending));
                if ending.outcome != Outcome::Done {
                    wrong.push(format!("mended, and {:?}: {}", ending.outcome, ending.why));
                }
            }
            if wrong.is_empty() { wrong } else { [wrong, tail(&stage)].concat() }
        })
    }

    /// What does not hold; of a chain that was cut short, nothing is said about its end.
    fn faults(&self, stage: &Stage, plan: &Plan, ending: &Ending) -> Vec<String> {
        let mut wrong = stage.faults(plan, ending);
        if !self.chain.is_empty() && !whole() {
            wrong.retain(|words| !words.starts_with("done, and "));
        }
        wrong
    }

    /// True for what a cleanup of everything does as that of a region does it.
    pub(super) fn struck_elsewhere(&self, place: &Place) -> bool {
        let own = ["Global", "DeleteTable", "DeleteTopic", "ChangeResourceRecordSets", "Elapsed", "Record+"];
        self.name == "cleanup" && !own.iter().any(|part| place.kind.contains(part))
    }

    /// The places that are struck: all, or the first of those that are alike.
    pub(super) fn chosen(&self) -> Vec<Place> {
        let places = self.places();
        if whole() { places } else { self.thinned(places) }
    }

    /// Of places the first of those that are alike.
    pub(super) fn thinned(&self, mut places: Vec<Place>) -> Vec<Place> {
        let mut kinds = BTreeSet::new();
        places.retain(|place| kinds.insert(place.kind.clone()) && !self.struck_elsewhere(place));
        places
    }

    /// The cells that are run: every fault at every place, or what the rule leaves of them.
    fn cells(&self, faults: &[Fault]) -> Vec<(Place, Fault)> {
        if whole() { product(&self.places()) } else { self.selection(self.places(), faults) }
    }

    /// The cells that are run without being asked for the whole product.
    pub(super) fn selection(&self, places: Vec<Place>, faults: &[Fault]) -> Vec<(Place, Fault)> {
        let places = self.thinned(places);
        let (mut met, mut cells) = (faults.to_vec(), Vec::new());
        for place in &places {
            let turn = in_turn(place, faults, &met);
            met.extend(&turn);
            let all = faults.iter().copied().chain(turn).filter(|fault| fault.befalls(place));
            cells.extend(all.map(|fault| (place.clone(), fault)));
        }
        // A short runbook has fewer turns than there are faults.
        for fault in ALL.into_iter().filter(|fault| !met.contains(fault)) {
            let first = places.iter().find(|place| fault.befalls(place));
            cells.extend(first.map(|place| (place.clone(), fault)));
        }
        cells
    }

    fn hold(&self, faults: &[Fault]) {
        let cells = self.cells(faults);
        let told = |(place, fault): &(Place, Fault)| format!("{} at {} ({fault:?})", self.name, place.step);
        all_hold(&cells, told, |(place, fault)| self.cell(place, *fault));
    }
}

/// Every fault at every place.
pub(super) fn product(places: &[Place]) -> Vec<(Place, Fault)> {
    let cells = places.iter().flat_map(|place| ALL.into_iter().map(|fault| (place.clone(), fault)));
    cells.filter(|(place, fault)| fault.befalls(place)).collect()
}

/// Plays every cell, as many at a time as there are cores, and fails with the words of those that are broken.
pub(super) fn all_hold<C: Sync>(
    cells: &[C],
    name: impl Fn(&C) -> String + Sync,
    cell: impl Fn(&C) -> Vec<String> + Sync,
) {
    let next = AtomicUsize::new(0);
    let broken: Mutex<Vec<(usize, String)>> = Mutex::default();
    let work = || {
        loop {
            let index = next.fetch_add(1, Ordering::SeqCst);
            let Some(one) = cells.get(index) else { return };
            let wrong = catch_unwind(AssertUnwindSafe(|| cell(one)))
                .unwrap_or_else(|_| vec!["it panicked".to_owned()]);
            if !wrong.is_empty() {
                let words = format!("{}: {}", name(one), wrong.join("\n      "));
                broken.lock().unwrap().push((index, words));
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(work);
        }
    });
    let mut broken = broken.into_inner().unwrap();
    broken.sort();
    let words: Vec<String> = broken.into_iter().map(|(_, words)| words).collect();
    assert!(words.is_empty(), "{} of {} cells:\n{}", words.len(), cells.len(), words.join("\n"));
}

/// True once the region is proven to be out of DNS.
pub(super) fn pinned(stage: &Stage) -> bool {
    stage.recorder.entries().iter().any(|entry| match &entry.event {
        Event::StepDone { step, .. } | Event::StepHeld { step, .. } => step.as_str() == "pin",
        _ => false,
    })
}

/// The last things that a broken run told.
pub(super) fn tail(stage: &Stage) -> Vec<String> {
    let words = stage.words();
    words[words.len().saturating_sub(12)..].to_vec()
}

fn fresh(scenario: &str) -> std::future::Ready<Stage> {
    std::future::ready(Stage::new(options(scenario)))
}

/// The world of a runbook, and the faults that each of its places meets.
pub(super) struct Scene {
    pub(super) book: fn() -> Book,
    pub(super) faults: &'static [Fault],
    /// True for a plan whose steps are struck one by one.
    chained: bool,
}

impl Scene {
    fn hold(&self) {
        let book = (self.book)();
        let book = if self.chained { book.chained() } else { book };
        book.hold(self.faults);
    }
}

/// All that the matrix plays.
pub(super) const SCENES: [&Scene; 8] = [
    &FAILOVER,
    &FAILOVER_BY_A_SWITCH,
    &DRAIN,
    &DRAIN_NOW,
    &RESTORE,
    &SWITCHOVER,
    &CLEANUP_OF_A_REGION,
    &CLEANUP,
];

const FAILOVER: Scene = Scene {
    book: || {
        let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        Book::new("failover", "failover", &params, || fresh("regional-outage"))
    },
    faults: &ALL,
    chained: false,
};

/// A way out that leans on no control plane gets users out, whatever is dark.
const FAILOVER_BY_A_SWITCH: Scene = Scene {
    book: || {
        let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        let wiring = Wiring { switch_object: true, ..Wiring::default() };
        let wired = || std::future::ready(Stage::new(SimOptions { wiring, ..options("regional-outage") }));
        Book::new("failover by a switch", "failover", &params, wired)
    },
    faults: &[Fault::Black, Fault::ControlPlane],
    chained: false,
};

const DRAIN: Scene = Scene {
    book: || {
        let params = Params { scale_to_zero: true, ..leaving() };
        Book::new("drain", "drain", &params, || fresh("calm"))
    },
    faults: &ORDER,
    chained: false,
};

const DRAIN_NOW: Scene = Scene {
    book: || {
        let params = Params { now: true, ..leaving() };
        Book::new("drain --now", "drain", &params, || fresh("calm"))
    },
    faults: &MOST,
    chained: false,
};

const RESTORE: Scene = Scene {
    book: || {
        Book::new("restore", "restore", &leaving(), || async {
            let stage = fresh("calm").await;
            let plan = stage.open_plan("drain", &Params { scale_to_zero: true, ..leaving() }).await;
            assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done);
            stage.next()
        })
    },
    faults: &ORDER,
    chained: false,
};

const SWITCHOVER: Scene = Scene {
    book: || Book::new("switchover", "switchover", &leaving(), || fresh("calm")),
    faults: &ALL,
    chained: false,
};

const CLEANUP_OF_A_REGION: Scene = Scene {
    book: || Book::new("cleanup of a region", "cleanup", &leaving(), || teardown::drained(options("calm"))),
    faults: &ORDER,
    chained: true,
};

const CLEANUP: Scene = Scene {
    book: || Book::new("cleanup", "cleanup", &Params::default(), || teardown::retired(options("calm"))),
    faults: &MOST,
    chained: true,
};

#[test]
fn failover_survives_every_fault_at_every_step() {
    FAILOVER.hold();
}

#[test]
fn a_failover_with_a_switch_survives_the_dark() {
    FAILOVER_BY_A_SWITCH.hold();
}

#[test]
fn drain_survives_every_fault_at_every_step() {
    DRAIN.hold();
}

#[test]
fn drain_now_survives_every_fault_at_every_step() {
    DRAIN_NOW.hold();
}

#[test]
fn restore_survives_every_fault_at_every_step() {
    RESTORE.hold();
}

#[test]
fn switchover_survives_every_fault_at_every_step() {
    SWITCHOVER.hold();
}

#[test]
fn cleanup_of_a_region_survives_every_fault_at_every_step() {
    CLEANUP_OF_A_REGION.hold();
}

#[test]
fn cleanup_of_everything_survives_every_fault_at_every_step() {
    CLEANUP.hold();
}
