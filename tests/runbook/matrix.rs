//! Every fault at every call of every evacuation, and what must hold after each.
//!
//! The product is generated from the calls that a run without faults sends. Each cell ends in `Done`, or in a
//! halt that says why and from which the run is taken up once the world is mended.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::runbook::{DatabaseChoice, Operation, Outcome, Params};
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions};

use super::stage::{LEAVING, Stage, Strike, deed, leaving, play};

/// How long trouble with a place lasts.
const LASTING: SignedDuration = SignedDuration::from_mins(4);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    Refuse,
    ErrorAfter,
    HangAfter,
    Hang,
    Throttle,
    Expire,
    DieBefore,
    DieAfter,
    Stale,
    Black,
    ControlPlane,
    LeaseDark,
}

const ALL: [Fault; 12] = [
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
    Fault::ControlPlane,
    Fault::LeaseDark,
];

/// What is left out of the whole product, for its time: a drain goes through the same engine as a failover, so
/// here are the faults that it answers otherwise, or that leave the most behind.
const DRAIN: [Fault; 6] =
    [Fault::Refuse, Fault::HangAfter, Fault::Expire, Fault::DieAfter, Fault::ControlPlane, Fault::LeaseDark];

/// Of the same steps in another order, those that can split users from data.
const DRAIN_NOW: [Fault; 4] = [Fault::HangAfter, Fault::DieBefore, Fault::Stale, Fault::Black];

/// The service that signs for a call.
fn service(operation: &Operation) -> &'static str {
    match operation {
        Operation::SetHealthCheck { .. } | Operation::ChangeRecords { .. } => "route53",
        Operation::RegisterScalableTarget { .. } => "application-autoscaling",
        Operation::SetDesired { .. } => "ecs",
        Operation::SwitchoverGlobalCluster { .. } | Operation::FailoverGlobalCluster { .. } => "rds",
        other => panic!("{other:?} is in no plan of these tests"),
    }
}

impl Fault {
    fn strike(self) -> Strike {
        let kind = match self {
            Self::Refuse => FaultKind::Refuse { status: 400, code: "InvalidParameterValue".into() },
            Self::ErrorAfter => FaultKind::ErrorAfter { status: 500, code: "InternalFailure".into() },
            Self::HangAfter => FaultKind::HangAfter,
            Self::Hang => FaultKind::Hang,
            Self::Throttle => FaultKind::Throttle,
            Self::Expire => FaultKind::ExpireCredentials,
            Self::DieBefore => return Strike::DieBefore,
            Self::DieAfter => return Strike::DieAfter,
            Self::Stale => {
                return Strike::Before(deed(|sim, operation| {
                    let old = FaultKind::Stale(SignedDuration::from_secs(45));
                    sim.inject(InjectedFault::next(service(operation), "*", old).on(0));
                }));
            }
            Self::Black => {
                return Strike::Before(deed(|sim, _| {
                    sim.black_out(&Region::new(LEAVING), SignedDuration::ZERO, None);
                }));
            }
            Self::ControlPlane => {
                return Strike::Before(deed(|sim, _| {
                    let place = Region::new(LEAVING);
                    sim.apis_down(&place, &["route53"], Mode::Hang, SignedDuration::ZERO, Some(LASTING));
                }));
            }
            Self::LeaseDark => {
                return Strike::Before(deed(|sim, _| {
                    let place = Region::new("us-west-2");
                    sim.apis_down(&place, &["dynamodb"], Mode::Hang, SignedDuration::ZERO, Some(LASTING));
                }));
            }
        };
        Strike::Before(deed(move |sim, operation| {
            let fault = InjectedFault::next(service(operation), "mutating", kind);
            sim.inject(fault.within(operation.region().as_str()));
        }))
    }
}

struct Book {
    name: &'static str,
    runbook: &'static str,
    world: &'static str,
    params: Params,
}

impl Book {
    fn stage(&self) -> Stage {
        let options = SimOptions {
            scenario: self.world.into(),
            services: 1,
            latency: false,
            pace: 4.0,
            ..SimOptions::default()
        };
        Stage::new(options)
    }

    /// The calls of a run without faults.
    fn calls(&self) -> Vec<Operation> {
        play(async || {
            let stage = self.stage();
            let plan = stage.plan(self.runbook, &self.params).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}: {}", self.name, ending.why);
            assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new(), "{}", self.name);
            stage.sent()
        })
    }

    /// What does not hold when `fault` strikes a call.
    fn cell(&self, call: usize, fault: Fault) -> Vec<String> {
        play(async || {
            let mut stage = self.stage();
            let plan = stage.plan(self.runbook, &self.params).await;
            stage.strike(call, fault.strike());
            let mut first = stage.run(&plan).await;
            if first.is_none() {
                stage.sign_in();
                first = stage.run(&plan).await;
            }
            let mut ending = first.expect("it dies once").expect("it begins");
            let mut wrong = stage.faults(&plan, &ending);
            if !stage.struck() {
                wrong.push("the call was never sent".into());
            }
            if ending.outcome == Outcome::Halted && fault != Fault::Black {
                // Somebody mends the world and takes the run up.
                stage.sim.clear_faults();
                stage.clock.sleep(Duration::from_mins(5)).await;
                stage.sign_in();
                ending = stage.ended(&plan).await;
                wrong.extend(stage.faults(&plan, &ending));
                if ending.outcome != Outcome::Done {
                    wrong.push(format!("mended, and {:?}: {}", ending.outcome, ending.why));
                }
            }
            if !matches!(ending.outcome, Outcome::Done | Outcome::Halted) {
                wrong.push(format!("it ended {:?}", ending.outcome));
            }
            wrong
        })
    }

    fn hold(&self, faults: &[Fault]) {
        let calls = self.calls();
        let mut broken = Vec::new();
        for (number, call) in calls.iter().enumerate() {
            for fault in faults {
                let wrong = self.cell(number, *fault);
                if !wrong.is_empty() {
                    broken.push(format!("call {number} ({call:?}), {fault:?}: {}", wrong.join("; ")));
                }
            }
        }
        assert!(broken.is_empty(), "{}: {:#?}", self.name, broken);
    }
}

#[test]
fn failover_survives_every_fault_at_every_call() {
    let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    Book { name: "failover", runbook: "failover", world: "regional-outage", params }.hold(&ALL);
}

#[test]
fn drain_survives_every_fault_at_every_call() {
    Book { name: "drain", runbook: "drain", world: "calm", params: leaving() }.hold(&DRAIN);
}

#[test]
fn drain_now_survives_every_fault_at_every_call() {
    let params = Params { now: true, ..leaving() };
    Book { name: "drain --now", runbook: "drain", world: "calm", params }.hold(&DRAIN_NOW);
}
