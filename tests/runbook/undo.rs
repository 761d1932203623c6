//! One step of a run that waits is undone: what comes back, what must not, and what the run knows of it afterwards.

use jiff::SignedDuration;
use switchtower::domain::ids::{Region, ServiceKey};
use switchtower::runbook::engine::interlock::{carried_facts, may_lower};
use switchtower::runbook::engine::{Ending, Setup, asked_about, failed_steps, undone_steps};
use switchtower::runbook::undo::{Undoing, undoable, used};
use switchtower::runbook::{Decision, Event, Fact, Facts, Known, Operation, Outcome, Params, Plan, StepId};
use switchtower::sim::{FaultKind, InjectedFault, SimOptions};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};

const API: &str = "scale/eu-west-1/prod/api";

fn undo(step: &str) -> Decision {
    Decision::Undo { reason: "INC-42".into(), step: Some(step.into()) }
}

/// A world with one service a region, and a drain there.
async fn drain(params: &Params) -> (Stage, Plan) {
    let options = SimOptions { scenario: "calm".into(), services: 1, ..SimOptions::default() };
    let stage = Stage::new(options);
    let plan = stage.plan("drain", params).await;
    assert!(plan.step(&API.into()).is_some(), "{:#?}", plan.steps);
    (stage, plan)
}

/// Both ways out of DNS are refused once.
fn refuse_the_pin(stage: &Stage) {
    let refused = FaultKind::Refuse { status: 400, code: "InvalidInput".into() };
    stage.sim.inject(InjectedFault::next("route53", "UpdateHealthCheck", refused.clone()));
    stage.sim.inject(InjectedFault::next("route53", "ChangeResourceRecordSets", refused));
}

async fn limits(stage: &Stage) -> (i32, i32) {
    let key = ServiceKey { cluster: "prod".into(), service: "api".into() };
    match stage.told(Fact::Scaling(Region::new(SURVIVOR), key)).await {
        Some(Known::Scaling(Some(target))) => (target.min, target.max),
        other => panic!("{other:?}"),
    }
}

fn in_dns(stage: &Stage) -> bool {
    stage.sim.view().regions.iter().any(|region| region.region == LEAVING && region.in_dns)
}

/// Everything that the run noted.
fn notes(stage: &Stage) -> String {
    let entries = stage.recorder.entries();
    let notes = entries.iter().filter_map(|entry| match &entry.event {
        Event::Noted { words } => Some(words.to_string()),
        _ => None,
    });
    notes.collect::<Vec<_>>().join("\n")
}

/// The last halt: at which step, what can be undone.
fn halt(stage: &Stage) -> (Option<StepId>, Vec<StepId>) {
    let entries = stage.recorder.entries();
    let halts = entries.iter().rev().find_map(|entry| match &entry.event {
        Event::Halted { failed, undoable, .. } => Some((failed.clone(), undoable.clone())),
        _ => None,
    });
    halts.unwrap()
}

async fn ended(stage: &Stage, plan: &Plan, answers: Vec<Decision>) -> Outcome {
    *stage.answers.lock().unwrap() = answers;
    stage.ended(plan).await.outcome
}

/// Taken up with a decision, by somebody who then attends to nothing.
async fn decided(stage: &Stage, plan: &Plan, decision: Decision) -> Ending {
    let setup = Setup { decided: Some((decision, "bob".into())), ..stage.setup(plan) };
    stage.carry_out(setup).await.unwrap().unwrap()
}

#[test]
fn one_step_comes_back_and_the_run_waits_for_word_about_it() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        let before = limits(&stage).await;
        refuse_the_pin(&stage);
        let outcome = ended(&stage, &plan, vec![undo(API), Decision::HandOver]).await;
        assert_eq!(outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(limits(&stage).await, before, "{:#?}", stage.words());
        let entries = stage.recorder.entries();
        assert_eq!(undone_steps(&entries), [StepId::from(API)]);
        // It waits where it waited, and what is undone is not offered again.
        let (at, undoable) = halt(&stage);
        assert_eq!(at, Some("pin".into()));
        assert!(!undoable.contains(&API.into()), "{undoable:?}");
        assert_eq!(asked_about(&entries), Some("pin".into()));
        let intents = entries.iter().filter(|entry| matches!(entry.event, Event::Intent { .. })).count();
        assert_eq!(intents, stage.sent().len(), "each call of an undo has its intent, too");
    });
}

#[test]
fn what_was_undone_is_neither_done_again_nor_gone_past_until_somebody_says_so() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        refuse_the_pin(&stage);
        ended(&stage, &plan, vec![undo(API), Decision::HandOver]).await;
        let sent = stage.sent().len();
        // Taken up without a word, in another process: it asks.
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Halted);
        assert_eq!(stage.sent().len(), sent, "{:#?}", stage.words());
        assert!(in_dns(&stage));
        assert_eq!(halt(&stage).0, Some(API.into()));
        assert_eq!(asked_about(&stage.recorder.entries()), Some(API.into()));
        // Told to retry, it is done again, and proven again before users are moved.
        let (raised, _) = limits(&stage).await;
        let ending = decided(&stage, &plan, Decision::Retry).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert!(limits(&stage).await.0 > raised);
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        let entries = stage.recorder.entries();
        let place =
            |wanted: &dyn Fn(&Event) -> bool| entries.iter().rposition(|entry| wanted(&entry.event)).unwrap();
        let serves = place(
            &|event| matches!(event, Event::StepDone { step, .. } | Event::StepHeld { step, .. } if step.as_str() == "serve/eu-west-1/prod/api"),
        );
        let again = place(&|event| matches!(event, Event::Intent { step, .. } if step.as_str() == API));
        let moved = place(&|event| matches!(event, Event::Intent { step, .. } if step.as_str() == "pin"));
        assert!(again < serves && serves < moved, "{:#?}", stage.words());
    });
}

#[test]
fn an_undone_step_may_be_skipped() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        refuse_the_pin(&stage);
        let skip = Decision::Skip { reason: "the survivor was grown by hand".into() };
        // Pin is tried again; what it rests on is undone, so that the run asks about that first.
        let answers = vec![undo(API), Decision::Retry, skip, Decision::HandOver];
        let outcome = ended(&stage, &plan, answers).await;
        assert_eq!(outcome, Outcome::Done, "{:#?}", stage.words());
        let entries = stage.recorder.entries();
        let skipped: Vec<&str> = entries
            .iter()
            .filter_map(|entry| match &entry.event {
                Event::StepSkipped { step, .. } => Some(step.as_str()),
                _ => None,
            })
            .collect();
        assert_eq!(skipped, [API], "{:#?}", stage.words());
        // That the survivor serves was proven on the strength of what was undone, and is proven anew.
        let proven = |event: &Event| matches!(event, Event::StepBegan { step } if step.as_str() == "serve/eu-west-1/prod/api");
        assert_eq!(entries.iter().filter(|entry| proven(&entry.event)).count(), 2, "{:#?}", stage.words());
    });
}

#[test]
fn a_survivor_keeps_its_capacity_until_its_users_are_back_elsewhere() {
    play(async || {
        let params = Params { scale_to_zero: true, ..leaving() };
        let (stage, plan) = drain(&params).await;
        let before = limits(&stage).await;
        // Users have left; then the region's tasks are not stopped.
        let refused = FaultKind::Refuse { status: 400, code: "InvalidParameterException".into() };
        stage.sim.inject(InjectedFault::next("ecs", "UpdateService", refused));
        let answers = vec![undo(API), undo("pin"), undo(API), Decision::HandOver];
        let outcome = ended(&stage, &plan, answers).await;
        assert_eq!(outcome, Outcome::Halted, "{:#?}", stage.words());
        let notes = notes(&stage);
        assert!(notes.contains("grow to 12 tasks\" was not undone, and nothing was changed"), "{notes}");
        assert!(notes.contains("us-east-1 is out of DNS or not alive, and its users are here"), "{notes}");
        assert_eq!(
            undone_steps(&stage.recorder.entries()),
            ["pin".into(), StepId::from(API)],
            "{:#?}",
            stage.words()
        );
        assert!(in_dns(&stage));
        assert_eq!(limits(&stage).await, before);
        // Between them resolvers forgot that users were elsewhere.
        let entries = stage.recorder.entries();
        let at = |id: &str| {
            let wanted = |event: &Event| matches!(event, Event::StepUndone { step } if step.as_str() == id);
            entries.iter().find(|entry| wanted(&entry.event)).unwrap().at
        };
        assert!(at(API).duration_since(at("pin")) >= SignedDuration::from_secs(60), "{:#?}", stage.words());
    });
}

#[test]
fn users_are_not_let_back_to_a_region_that_died_meanwhile() {
    play(async || {
        let (stage, plan) = drain(&Params { scale_to_zero: true, ..leaving() }).await;
        let refused = FaultKind::Refuse { status: 400, code: "InvalidParameterException".into() };
        stage.sim.inject(InjectedFault::next("ecs", "UpdateService", refused));
        assert_eq!(ended(&stage, &plan, vec![Decision::HandOver]).await, Outcome::Halted);
        stage.sim.start_scenario("regional-outage", Some(&Region::new(LEAVING))).unwrap();
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        let sent = stage.sent().len();
        let ending = decided(&stage, &plan, undo("pin")).await;
        // Nobody attends: it stays halted, and nothing else was begun.
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(stage.sent().len(), sent, "{:#?}", stage.words());
        assert!(
            notes(&stage).contains("out of DNS\" was not undone, and nothing was changed"),
            "{}",
            notes(&stage)
        );
    });
}

#[test]
fn an_undo_that_breaks_off_half_way_leaves_a_step_that_failed() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        refuse_the_pin(&stage);
        assert_eq!(ended(&stage, &plan, vec![Decision::HandOver]).await, Outcome::Halted);
        // Sent, and never answered: nobody knows.
        let hang = InjectedFault::next("application-autoscaling", "RegisterScalableTarget", FaultKind::Hang);
        stage.sim.inject(hang.on(0));
        let ending = decided(&stage, &plan, undo(API)).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        let failed = failed_steps(&stage.recorder.entries());
        assert_eq!(failed, ["pin".into(), StepId::from(API)], "{:#?}", stage.words());
        assert!(halt(&stage).1.contains(&API.into()), "it can be undone still");
    });
}

#[test]
fn what_an_undo_would_do_is_told_in_exact_calls() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        refuse_the_pin(&stage);
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Halted);
        let used = used(&stage.recorder.entries());
        let can = undoable(&plan, &used);
        assert_eq!(can.last(), Some(&StepId::from(API)), "the oldest comes last");
        let undoing = Undoing::of(&plan, &API.into(), &used[&StepId::from(API)]).unwrap();
        let [back] = &undoing.calls[..] else { panic!("{undoing:#?}") };
        let Operation::RegisterScalableTarget { min, .. } = back.operation else { panic!("{back:?}") };
        let changes: Vec<&str> = back.changes.iter().map(switchtower::domain::text::Text::as_str).collect();
        assert_eq!(*min, 3, "{back:?}");
        assert_eq!(changes, ["MinCapacity 12 -> 3"]);
        let after: Vec<&str> = undoing.dependents.iter().map(|step| step.id.as_str()).collect();
        assert!(after.contains(&"pin") && after.contains(&"serve/eu-west-1/prod/api"), "{after:?}");
        assert!(!after.contains(&"alive/eu-west-1"), "{after:?}");
    });
}

/// A drained region that is restored, until the first survivor is to be lowered, which is refused.
async fn half_restored() -> (Stage, Plan, StepId) {
    let (stage, plan) = drain(&Params { scale_to_zero: true, ..leaving() }).await;
    assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done, "{:#?}", stage.words());
    let stage = stage.next();
    let plan = stage.open_plan("restore", &leaving()).await;
    let unpins: Vec<&StepId> =
        plan.steps.iter().map(|step| &step.id).filter(|id| id.as_str().starts_with("unpin/")).collect();
    let [unpin] = unpins[..] else { panic!("{unpins:?}") };
    let unpin = unpin.clone();
    let refused = FaultKind::Refuse { status: 400, code: "ValidationException".into() };
    let lowering = InjectedFault::next("application-autoscaling", "RegisterScalableTarget", refused);
    stage.sim.inject(lowering.within(SURVIVOR).on(0));
    assert_eq!(ended(&stage, &plan, vec![Decision::HandOver]).await, Outcome::Halted, "{:#?}", stage.words());
    assert!(in_dns(&stage), "users are back: {:#?}", stage.words());
    (stage, plan, unpin)
}

#[test]
fn users_who_were_let_back_by_a_restore_are_taken_out_again() {
    play(async || {
        let (stage, plan, unpin) = half_restored().await;
        assert!(halt(&stage).1.contains(&unpin), "{:?}", halt(&stage));
        let (sent, grown) = (stage.sent().len(), limits(&stage).await);
        let ending = decided(&stage, &plan, undo(unpin.as_str())).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        stage.clock.sleep(std::time::Duration::from_mins(2)).await;
        assert!(!in_dns(&stage), "{:#?}", stage.words());
        assert_eq!(undone_steps(&stage.recorder.entries()), [unpin]);
        let calls = stage.sent()[sent..].to_vec();
        let out = |call: &Operation| {
            matches!(call, Operation::SetHealthCheck { inverted: true, disabled: true, .. })
        };
        assert!(matches!(&calls[..], [call] if out(call)), "{calls:#?}");
        assert_eq!(limits(&stage).await, grown, "whoever carries its users keeps what that takes");
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
    });
}

#[test]
fn the_last_region_that_serves_is_not_taken_out_by_an_undo() {
    play(async || {
        let (stage, plan, unpin) = half_restored().await;
        stage.sim.start_scenario("regional-outage", Some(&Region::new(SURVIVOR))).unwrap();
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        let sent = stage.sent().len();
        let ending = decided(&stage, &plan, undo(unpin.as_str())).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(stage.sent().len(), sent, "{:#?}", stage.words());
        assert!(in_dns(&stage));
        assert!(notes(&stage).contains("nobody would be answered"), "{}", notes(&stage));
    });
}

#[test]
fn a_region_keeps_its_tasks_while_users_come_to_it() {
    play(async || {
        let (stage, plan, _) = half_restored().await;
        let sent = stage.sent().len();
        for step in ["capacity/prod/api", "limits/us-east-1/prod/api"] {
            let ending = decided(&stage, &plan, undo(step)).await;
            assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        }
        assert_eq!(stage.sent().len(), sent, "{:#?}", stage.words());
        let told = notes(&stage);
        assert_eq!(
            told.matches("us-east-1 is in DNS and serves its users; undo that first").count(),
            2,
            "{told}"
        );
    });
}

#[test]
fn what_nobody_can_tell_is_no_permission_to_lower() {
    play(async || {
        let (stage, plan) = drain(&leaving()).await;
        let lowering = &plan.step(&API.into()).unwrap().ways[0].undo[0];
        let now = stage.clock.now();
        let blind = may_lower(&stage.topology, &plan, &Facts::new(), lowering, now).unwrap_err();
        assert!(blind.as_str().contains("nobody can tell now whether us-east-1 serves again"), "{blind}");
        // Nobody has left yet.
        let wanted = carried_facts(&stage.topology, &plan, lowering);
        let facts = stage.witness.inner().observe(&wanted).await;
        assert_eq!(may_lower(&stage.topology, &plan, &facts, lowering, now), Ok(()));
        // What was known a while ago is not known.
        let later = stage.clock.now() + SignedDuration::from_secs(1);
        assert!(may_lower(&stage.topology, &plan, &facts, lowering, later).is_err());
    });
}
