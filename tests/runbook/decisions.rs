//! Decisions about a run that nobody attends: it halted, its process is gone, and somebody takes it up with an answer.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use switchtower::runbook::engine::{NotBegun, Setup, failed_steps};
use switchtower::runbook::journal::stand;
use switchtower::runbook::{
    Claim, Decision, Event, Fact, Known, Operation, Outcome, Plan, RunId, Steering, StepId,
};
use switchtower::sim::{FaultKind, InjectedFault, SimOptions};

use super::stage::{Stage, leaving, play};

/// A drain that halted at its pin, with its plan and the values from before.
async fn halted() -> (Stage, Plan, Vec<(Fact, Option<Known>)>) {
    let stage = Stage::new(SimOptions { scenario: "calm".into(), ..SimOptions::default() });
    let plan = stage.plan("drain", &leaving()).await;
    let before = values(&stage, &plan).await;
    let refused = FaultKind::Refuse { status: 400, code: "InvalidInput".into() };
    // Both ways out of DNS are refused once.
    stage.sim.inject(InjectedFault::next("route53", "UpdateHealthCheck", refused.clone()));
    stage.sim.inject(InjectedFault::next("route53", "ChangeResourceRecordSets", refused));
    let ending = stage.ended(&plan).await;
    assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
    assert_eq!(failed_steps(&stage.recorder.entries()), [StepId::new("pin")]);
    assert_eq!(stand(&stage.recorder.entries(), false).outcome, Some(Outcome::Halted));
    (stage, plan, before)
}

/// What an undo has to bring back.
async fn values(stage: &Stage, plan: &Plan) -> Vec<(Fact, Option<Known>)> {
    use switchtower::runbook::Executor as _;
    let facts = plan.shaped_by.iter().map(|(fact, _)| fact.clone());
    let facts: Vec<Fact> =
        facts.filter(|fact| matches!(fact, Fact::Scaling(..) | Fact::GlobalCluster(..))).collect();
    let seen = stage.witness.observe(&facts).await;
    facts.into_iter().map(|fact| (fact.clone(), seen.value(&fact).cloned())).collect()
}

/// Taken up with a decision, by somebody who then attends to nothing.
async fn decided(stage: &Stage, plan: &Plan, decision: Decision) -> Outcome {
    let setup = Setup { decided: Some((decision, "bob".into())), ..stage.setup(plan) };
    stage.carry_out(setup).await.unwrap().unwrap().outcome
}

fn why() -> switchtower::domain::text::Text {
    "INC-42".into()
}

fn steers(operation: &Operation) -> bool {
    matches!(operation.steering(), Some(Steering::Out(_)))
}

fn said(stage: &Stage, what: impl Fn(&Event) -> bool) -> usize {
    stage.recorder.entries().iter().filter(|entry| what(&entry.event)).count()
}

#[test]
fn the_failed_step_is_tried_again() {
    play(async || {
        let (stage, plan, _) = halted().await;
        assert_eq!(decided(&stage, &plan, Decision::Retry).await, Outcome::Done, "{:#?}", stage.words());
        assert_eq!(
            said(&stage, |event| matches!(event, Event::Decided { by, .. } if by.as_str() == "bob")),
            1
        );
        let ending = switchtower::runbook::engine::Ending { outcome: Outcome::Done, why: "done".into() };
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
    });
}

#[test]
fn a_skipped_step_stays_skipped_also_when_the_run_is_taken_up_once_more() {
    play(async || {
        let (stage, plan, _) = halted().await;
        let before = stage.sent().iter().filter(|call| steers(call)).count();
        // Users stay, and the proof that follows does not lie.
        let outcome = decided(&stage, &plan, Decision::Skip { reason: why() }).await;
        assert_eq!(outcome, Outcome::Halted, "{:#?}", stage.words());
        let skipped = |event: &Event| matches!(event, Event::StepSkipped { step, reason } if step.as_str() == "pin" && *reason == why());
        assert_eq!(said(&stage, skipped), 1);
        let failed = failed_steps(&stage.recorder.entries());
        assert!(!failed.is_empty() && !failed.contains(&StepId::new("pin")), "{failed:?}");
        assert_eq!(decided(&stage, &plan, Decision::Retry).await, Outcome::Halted);
        assert_eq!(stage.sent().iter().filter(|call| steers(call)).count(), before, "{:#?}", stage.words());
    });
}

#[test]
fn what_was_done_is_undone_also_after_an_abort() {
    for aborted in [false, true] {
        play(async || {
            let (stage, plan, before) = halted().await;
            if aborted {
                let sent = stage.sent().len();
                assert_eq!(decided(&stage, &plan, Decision::Abort { reason: why() }).await, Outcome::Aborted);
                assert_eq!(stage.sent().len(), sent, "nothing is sent any more");
                assert_eq!(stand(&stage.recorder.entries(), false).outcome, Some(Outcome::Aborted));
            }
            assert_ne!(values(&stage, &plan).await, before, "something was done");
            let undone = decided(&stage, &plan, Decision::Undo { reason: why(), step: None }).await;
            assert_eq!(undone, Outcome::Undone, "{:#?}", stage.words());
            assert_eq!(values(&stage, &plan).await, before);
        });
    }
}

#[test]
fn an_undo_that_is_refused_halts_and_is_taken_up_again() {
    play(async || {
        let (stage, plan, before) = halted().await;
        let refused = FaultKind::Refuse { status: 400, code: "ValidationException".into() };
        let register = "RegisterScalableTarget";
        stage.sim.inject(InjectedFault::next("application-autoscaling", register, refused));
        let undo = || Decision::Undo { reason: why(), step: None };
        assert_eq!(decided(&stage, &plan, undo()).await, Outcome::Halted, "{:#?}", stage.words());
        let failed = failed_steps(&stage.recorder.entries());
        assert!(failed.iter().any(|step| step.as_str().starts_with("scale/")), "{failed:?}");
        assert_ne!(values(&stage, &plan).await, before);
        assert_eq!(decided(&stage, &plan, undo()).await, Outcome::Undone, "{:#?}", stage.words());
        assert_eq!(values(&stage, &plan).await, before);
    });
}

#[test]
fn what_is_handed_over_stays_halted() {
    play(async || {
        let (stage, plan, _) = halted().await;
        let sent = stage.sent().len();
        assert_eq!(decided(&stage, &plan, Decision::HandOver).await, Outcome::Halted);
        assert_eq!(stage.sent().len(), sent);
        assert_eq!(decided(&stage, &plan, Decision::Retry).await, Outcome::Done);
    });
}

#[test]
fn nobody_decides_without_the_lease_and_the_run_stays_where_it_was() {
    play(async || {
        let (stage, plan, _) = halted().await;
        let claim = Claim {
            application: stage.topology.application.clone(),
            run: RunId::parse("another").unwrap(),
            holder: "carol".into(),
            host: "elsewhere".into(),
            purpose: "switchover".into(),
        };
        let theirs = stage.lease.acquire(&claim).await.unwrap();
        let sent = stage.sent().len();
        for decision in [Decision::Retry, Decision::Undo { reason: why(), step: None }] {
            let setup = Setup { decided: Some((decision, "bob".into())), ..stage.setup(&plan) };
            let ended = stage.carry_out(setup).await.unwrap();
            assert!(matches!(ended, Err(NotBegun::Lease(_))), "{ended:?}");
        }
        assert_eq!(stage.sent().len(), sent);
        assert_eq!(
            stand(&stage.recorder.entries(), false).outcome,
            Some(Outcome::Halted),
            "{:#?}",
            stage.words()
        );
        stage.lease.release(&theirs).await.unwrap();
        assert_eq!(decided(&stage, &plan, Decision::Retry).await, Outcome::Done);
    });
}
