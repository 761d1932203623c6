//! Whoever judges runs can say no: every invariant of the witness and of the stage is broken once, on purpose.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::evacuation::EvacuationMethod;
use switchtower::domain::ids::Region;
use switchtower::runbook::engine::Ending;
use switchtower::runbook::{
    Condition, DatabaseChoice, Executor, Operation, Outcome, Params, Plan, Steering, Step,
};
use switchtower::sim::SimOptions;

use super::stage::{SURVIVOR, Stage, leaving, play};
use super::teardown::drained;

fn calm() -> SimOptions {
    SimOptions { services: 1, latency: false, pace: 4.0, ..SimOptions::default() }
}

fn ended(outcome: Outcome, why: &str) -> Ending {
    Ending { outcome, why: why.into() }
}

/// Calls past the engine: nothing is recorded, and no interlock asks.
async fn past_the_engine(stage: &Stage, plan: &Plan, operation: Operation) {
    let mut theirs = plan.clone();
    theirs.findings.clear();
    let (always, minute) = (Condition::Always, Duration::from_mins(1));
    theirs.steps = vec![Step::act("x", "x", vec![operation.clone()], Vec::new(), always, minute)];
    let approval = stage.approve(&theirs).unwrap();
    stage.witness.apply(&operation, &approval).await.unwrap();
}

fn call(plan: &Plan, what: impl Fn(&Operation) -> bool) -> Operation {
    plan.operations().find(|operation| what(operation)).cloned().unwrap()
}

fn steers(operation: &Operation) -> bool {
    matches!(operation.steering(), Some(Steering::Out(_)))
}

/// One of the words says so.
fn said(words: &[String], part: &str) {
    assert!(words.iter().any(|one| one.contains(part)), "nobody says \"{part}\": {words:#?}");
}

fn blamed(stage: &Stage, part: &str) {
    said(&stage.witness.wrong.lock().unwrap(), part);
}

#[test]
fn a_call_without_its_intent_is_seen() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &leaving()).await;
        past_the_engine(&stage, &plan, call(&plan, steers)).await;
        blamed(&stage, "was sent 1 times with 0 intents");
        said(&stage.faults(&plan, &ended(Outcome::Halted, "x")), "1 changing calls with 0 intents");
    });
}

#[test]
fn a_region_that_leaves_dns_with_nobody_to_take_over_is_seen() {
    play(async || {
        let record = |topology: &mut switchtower::domain::Topology| {
            topology.evacuation = vec![EvacuationMethod::Record];
        };
        let stage = Stage::shaped(calm(), record);
        let plan = stage.plan("drain", &leaving()).await;
        stage.sim.black_out(&Region::new(SURVIVOR), SignedDuration::ZERO, None);
        stage.clock.sleep(Duration::from_mins(3)).await;
        past_the_engine(&stage, &plan, call(&plan, steers)).await;
        blamed(&stage, "us-east-1 is taken out of DNS, and nobody else serves");
        stage.clock.sleep(Duration::from_mins(3)).await;
        stage.witness.look("later");
        blamed(&stage, "later: no living region is in DNS");
    });
}

#[test]
fn a_second_writer_is_seen() {
    play(async || {
        let stage = Stage::new(calm());
        let params = Params { database: Some(DatabaseChoice::Detach), ..leaving() };
        let plan = stage.plan("failover", &params).await;
        past_the_engine(&stage, &plan, call(&plan, Operation::moves_writer)).await;
        stage.clock.sleep(Duration::from_mins(10)).await;
        stage.witness.look("later");
        blamed(&stage, "later: two write:");
    });
}

#[test]
fn a_survivor_that_lost_tasks_is_seen() {
    play(async || {
        let stage = Stage::new(calm());
        stage.plan("drain", &leaving()).await;
        stage.witness.look("before");
        assert_eq!(*stage.witness.wrong.lock().unwrap(), Vec::<String>::new());
        for floor in stage.witness.floor.lock().unwrap().values_mut() {
            *floor += 1;
        }
        stage.witness.look("after");
        blamed(&stage, "after: eu-west-1 wants");
    });
}

#[test]
fn what_takes_effect_too_often_is_seen() {
    play(async || {
        let stage = Stage::new(calm());
        let params =
            Params { database: Some(DatabaseChoice::Leave), redeploy: vec!["api".into()], ..leaving() };
        let plan = stage.plan("failover", &params).await;
        let anew = call(&plan, |operation| matches!(operation, Operation::Redeploy { .. }));
        for _ in 0..2 {
            past_the_engine(&stage, &plan, anew.clone()).await;
        }
        said(
            &stage.faults(&plan, &ended(Outcome::Halted, "x")),
            "UpdateService in eu-west-1 took effect 2 times, planned 1",
        );
    });
    play(async || {
        let stage = Stage::new(calm());
        let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        let plan = stage.plan("failover", &params).await;
        past_the_engine(&stage, &plan, call(&plan, Operation::moves_writer)).await;
        stage.clock.sleep(Duration::from_mins(30)).await;
        let back = Params { region: Some(Region::new(SURVIVOR)), ..params };
        let back = stage.plan("failover", &back).await;
        past_the_engine(&stage, &plan, call(&back, Operation::moves_writer)).await;
        said(&stage.faults(&plan, &ended(Outcome::Halted, "x")), "FailoverGlobalCluster took effect 2 times");
    });
}

#[test]
fn an_end_that_is_not_so_is_seen() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &leaving()).await;
        let wrong = stage.faults(&plan, &ended(Outcome::Done, "every step is done"));
        said(&wrong, "it ended as Done and told None");
        said(&wrong, "done, and the region is still in DNS");
        said(&wrong, "done, and Some(\"us-east-1\") writes, not eu-west-1");
        said(&stage.faults(&plan, &ended(Outcome::Halted, "")), "halted, and nobody knows why");
    });
    play(async || {
        let stage = drained(calm()).await;
        let plan = stage.plan("restore", &leaving()).await;
        said(&stage.faults(&plan, &ended(Outcome::Done, "x")), "done, and the region does not serve");
        let plan = stage.plan("cleanup", &leaving()).await;
        let wrong = stage.faults(&plan, &ended(Outcome::Done, "x"));
        for thing in ["Service(", "Balancer(", "Bucket(", "Stack(", "Database(", "Table(", "Alarm(", "Check("]
        {
            said(&wrong, &format!("done, and {thing}"));
        }
    });
}
