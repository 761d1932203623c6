//! Arming, dialogs, the decision card: every command by keys.

use std::sync::Arc;

use jiff::SignedDuration;
use switchtower::app::acting::{Basis, Book};
use switchtower::app::{Effect, Event, Screen};
use switchtower::runbook::{DatabaseChoice, Event as RunEvent, GuardId, Judgement, Measured};

use super::plans;
use super::stage::{Stage, calm, outage_seen};

const SIZE: (u16, u16) = (80, 24);

fn dialog(stage: &Stage) -> &switchtower::app::acting::PlanDialog {
    match stage.app.screen() {
        Screen::Plan(dialog) => dialog,
        other => panic!("no dialog but {other:?}"),
    }
}

fn armed(stage: &Stage) -> bool {
    stage.app.acting.armed(stage.app.fleet.now()).is_some()
}

fn wishes(effects: &[Effect]) -> Vec<&switchtower::app::acting::Wish> {
    effects
        .iter()
        .map(|effect| match effect {
            Effect::Plan(wish) => wish,
            other => panic!("{other:?} is no wish"),
        })
        .collect()
}

#[test]
fn arming_takes_the_application_typed_and_ends_by_the_clock() {
    let mut stage = Stage::on(&calm(), SIZE);
    assert!(!armed(&stage) && stage.text().contains("READ-ONLY"));
    stage.press("shift-a");
    stage.type_in("Orders");
    assert!(stage.press("enter").is_empty() && !armed(&stage));
    assert!(stage.text().contains("type orders, not \"Orders\""), "{}", stage.text());
    stage.press("ctrl-u");
    stage.type_in("orders");
    stage.press("enter");
    assert!(armed(&stage));
    let text = stage.text();
    assert!(text.contains("ARMED 15m") && text.contains('╔') && !text.contains("READ-ONLY"), "{text}");

    let now = stage.app.fleet.now();
    stage.tick(now + SignedDuration::from_secs(899));
    assert!(armed(&stage) && stage.text().contains("ARMED 1s"), "{}", stage.text());
    stage.tick(now + SignedDuration::from_secs(900));
    assert!(!armed(&stage));
    assert!(stage.text().contains("the armed time is over") && !stage.text().contains('╔'));
}

#[test]
fn the_same_key_disarms_at_once() {
    let mut stage = Stage::on(&calm(), SIZE);
    stage.arm();
    assert!(armed(&stage));
    stage.press("shift-a");
    assert!(!armed(&stage) && stage.text().contains("READ-ONLY"));
}

#[test]
fn while_words_are_typed_no_key_is_a_command() {
    let mut stage = Stage::on(&calm(), SIZE);
    stage.press("shift-a");
    stage.type_in("q?fzDFX!");
    assert!(matches!(stage.app.screen(), Screen::Overview));
    stage.app.update(Event::Paste("orders".into()));
    assert!(stage.text().contains("typed, not pasted"));
    assert!(stage.press("esc").is_empty());
    assert!(stage.app.acting.prompt.is_none() && !armed(&stage));
    stage.press("shift-a");
    assert!(stage.press("ctrl-c").is_empty(), "it closes the prompt");
    assert_eq!(stage.press("ctrl-c"), [Effect::Quit]);
}

#[test]
fn a_topology_that_may_not_be_acted_on_is_never_armed() {
    let mut world = calm();
    for scope in world.topology.scope.values_mut() {
        scope.partition = Some("aws-cn".into());
    }
    let mut stage = Stage::on(&world, SIZE);
    stage.arm();
    assert!(!armed(&stage));
    assert!(stage.text().contains("read-only: its partition"), "{}", stage.text());
}

#[test]
fn each_runbook_key_asks_for_a_plan_of_the_focused_region() {
    for (key, book) in ["shift-d", "shift-f", "shift-r", "shift-w", "shift-x"].into_iter().zip(Book::ALL) {
        let mut stage = Stage::on(&calm(), SIZE);
        stage.press("2");
        let effects = stage.press(key);
        let [wish] = wishes(&effects)[..] else { panic!("{effects:?}") };
        assert_eq!((wish.book, wish.armed), (book, false));
        assert_eq!(wish.params.region.as_ref().unwrap().as_str(), "eu-west-1");
        assert_eq!(dialog(&stage).region.as_str(), "eu-west-1");
        stage.answer(effects);
        assert!(dialog(&stage).planning.awaited.is_none());
        assert!(stage.press("esc").is_empty());
        assert!(matches!(stage.app.screen(), Screen::Overview));
    }
}

#[test]
fn a_dialog_stays_bound_to_its_region() {
    let mut stage = Stage::on(&calm(), SIZE);
    stage.plan("shift-d");
    stage.press("2");
    assert_eq!(stage.app.focus.region.as_str(), "eu-west-1");
    assert_eq!(dialog(&stage).region.as_str(), "us-east-1");
    let effects = stage.press("n");
    assert_eq!(wishes(&effects)[0].params.region.as_ref().unwrap().as_str(), "us-east-1");
    // Another runbook's key means the region that is being looked at, too.
    let effects = stage.press("shift-f");
    assert_eq!(wishes(&effects)[0].params.region.as_ref().unwrap().as_str(), "us-east-1");
    assert!(stage.text().contains("failover us-east-1"));
}

#[test]
fn choices_plan_again_and_late_answers_are_dropped() {
    let mut stage = Stage::on(&calm(), SIZE);
    let first = stage.press("shift-d");
    let second = stage.press("n");
    let [wish] = wishes(&second)[..] else { panic!("{second:?}") };
    assert!(wish.params.now);
    stage.answer(first);
    assert!(dialog(&stage).plan().is_none(), "the answer to the first wish came too late");
    stage.answer(second);
    assert!(dialog(&stage).plan().unwrap().params.now);
    assert_eq!(dialog(&stage).plan().unwrap().steps[0].id.as_str(), "pin");

    let third = stage.press("z");
    assert!(dialog(&stage).plan().is_some(), "the plan before stays in sight");
    stage.press("esc");
    stage.answer(third);
    assert!(matches!(stage.app.screen(), Screen::Overview), "nobody waits for it any more");

    stage.plan("shift-d");
    assert!(stage.press("d").is_empty(), "drain has no choice of the database");
    assert!(stage.text().contains("drain has no such choice"));
}

#[test]
fn a_failover_asks_what_becomes_of_the_database() {
    let mut stage = outage_seen(SIZE);
    stage.plan("shift-f");
    assert!(stage.text().contains("choose first") && stage.text().contains("promote eu-west-1"));
    assert!(stage.text().contains("commits are lost (proposed)"), "{}", stage.text());
    // Nobody loses data by a key too many: the cursor begins on what harms least.
    stage.plan("enter");
    assert_eq!(dialog(&stage).params.database, Some(DatabaseChoice::Leave));
    while dialog(&stage).params.database.is_some() {
        stage.plan("d");
    }
    stage.plan("down enter");
    assert_eq!(dialog(&stage).params.database, Some(DatabaseChoice::Failover));
    assert!(dialog(&stage).plan().is_some());
    stage.plan("d");
    assert_eq!(dialog(&stage).params.database, Some(DatabaseChoice::Detach));
    stage.plan("d d");
    assert_eq!(dialog(&stage).params.database, None);

    assert!(stage.press("e").is_empty());
    stage.app.update(Event::Paste("AWS status page:\nus-east-1 is down".into()));
    let effects = stage.press("enter");
    let declared = wishes(&effects)[0].params.declared.clone().unwrap();
    assert_eq!(declared.as_str(), "AWS status page: us-east-1 is down");
    stage.answer(effects);
    stage.plan("e");
    assert_eq!(dialog(&stage).params.declared, None);
}

#[test]
fn read_only_a_plan_is_a_preview() {
    let mut stage = Stage::on(&calm(), (80, 40));
    stage.plan("shift-d");
    let text = stage.text();
    assert!(text.contains("preview") && text.contains("arm with A"), "{text}");
    assert!(stage.press("enter").is_empty());
    assert!(stage.app.acting.prompt.is_none());
    assert!(stage.text().contains("read-only: arm with A"));
    // Armed in the dialog, it is planned anew, since a guard asks for it.
    stage.press("shift-a");
    stage.type_in("orders");
    let effects = stage.press("enter");
    assert!(wishes(&effects)[0].armed);
    assert!(stage.press("enter").is_empty() && stage.app.acting.prompt.is_none(), "the plan comes first");
    stage.answer(effects);
    stage.press("enter");
    assert!(stage.app.acting.prompt.is_some());
}

fn ready(keys: &str) -> Stage {
    let mut stage = outage_seen(SIZE);
    stage.arm();
    stage.plan(keys);
    stage
}

#[test]
fn a_confirmation_is_the_name_and_a_reason() {
    let mut stage = ready("shift-d");
    assert!(stage.press("enter enter").is_empty());
    assert!(stage.text().contains("type us-east-1"), "{}", stage.text());
    stage.type_in("eu-west-1");
    assert!(stage.press("enter").is_empty());
    assert!(stage.text().contains("type us-east-1, not \"eu-west-1\""));
    stage.press("ctrl-w ctrl-u");
    stage.type_in("us-east-1");
    assert!(stage.press("enter").is_empty(), "on to the reason");
    assert!(stage.press("enter").is_empty());
    assert!(stage.text().contains("a reason is needed"));
    stage.type_in("INC-42: drops requests");
    let effects = stage.press("enter");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!((start.typed.as_str(), start.reason.as_str()), ("us-east-1", "INC-42: drops requests"));
    assert_eq!(start.digest, start.plan.digest());
    assert!(!start.overrides && start.arming.holds(stage.app.fleet.now()));
    assert!(stage.text().contains("waiting for the run"));
    assert!(stage.press("enter n z r").is_empty(), "confirmed once is confirmed once");

    stage.app.update(Event::Started(start.ticket, plans::run_id()));
    assert!(matches!(stage.app.screen(), Screen::Run(view) if view.run == plans::run_id()));
    stage.press("esc");
    assert!(matches!(stage.app.screen(), Screen::Overview), "the dialog is gone");
}

#[test]
fn a_confirmation_being_typed_outlives_the_arming_and_starts_nothing() {
    let mut stage = ready("shift-d");
    stage.press("enter");
    stage.type_in("us-ea");
    stage.tick(stage.app.fleet.now() + SignedDuration::from_mins(16));
    assert!(!armed(&stage));
    // What is typed on goes where it went before: none of these letters became a command.
    stage.type_in("st-1");
    stage.press("enter");
    stage.type_in("quit trouble");
    assert!(stage.press("enter").is_empty());
    let prompt = stage.app.acting.prompt.as_ref().expect("still open");
    assert_eq!(
        (prompt.word(), prompt.reason().as_str()),
        ("us-east-1", "quit trouble"),
        "and nothing is lost"
    );
    assert!(
        stage.text().contains("the armed time is over, nothing was sent: Esc, then arm"),
        "{}",
        stage.text()
    );
    stage.press("esc");
    assert!(stage.app.acting.prompt.is_none());
}

#[test]
fn blocks_are_overridden_only_where_they_may_be() {
    let mut stage = ready("shift-d");
    let show = |stage: &mut Stage, guard| {
        let effects = stage.press("r");
        let plan = plans::blocked(plans::drain(&dialog(stage).params), guard);
        stage.planned(wishes(&effects)[0].ticket, Basis::Read, Ok(plan));
    };
    show(&mut stage, GuardId::Survivors);
    stage.press("o enter");
    assert!(stage.app.acting.prompt.is_none());
    assert!(stage.text().contains("survivors blocks, and nothing overrides it"), "{}", stage.text());
    stage.press("o");
    show(&mut stage, GuardId::Freeze);
    stage.press("enter");
    assert!(stage.app.acting.prompt.is_none());
    assert!(stage.text().contains("freeze blocks; o overrides it"));
    stage.press("o enter");
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("agreed with the release captain");
    let effects = stage.press("enter");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    assert!(start.overrides);
}

#[test]
fn drift_shows_the_new_plan_and_what_differs() {
    let mut stage = ready("shift-d");
    stage.press("enter");
    stage.type_in("us-east-1");
    stage.press("enter");
    stage.type_in("why");
    let effects = stage.press("enter");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    let plan = plans::drifted(&start.plan.params);
    let why = "the world has moved since the plan was made".into();
    stage.app.update(Event::Refused { ticket: start.ticket, why, plan: Some(Box::new(plan)) });
    let dialog = dialog(&stage);
    assert!(!dialog.starting);
    let differs: Vec<&str> = dialog.differs.iter().map(switchtower::domain::text::Text::as_str).collect();
    assert_eq!(differs, ["health check hc-us: version was 7, is 9"]);
    assert_ne!(dialog.planning.digest.as_ref(), Some(&start.digest));
    assert!(stage.text().contains("not started: the world has moved"), "{}", stage.text());
    // It can be confirmed anew, and only anew.
    stage.press("enter");
    assert!(stage.app.acting.prompt.is_some());
}

#[test]
fn a_refusal_after_the_dialog_was_left_is_still_told() {
    let mut stage = ready("shift-d");
    stage.press("enter");
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("why");
    let effects = stage.press("enter");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    stage.press("esc");
    stage.app.update(Event::Refused { ticket: start.ticket, why: "the lease is held".into(), plan: None });
    assert!(stage.text().contains("not started: the lease is held"));
}

#[test]
fn cleanup_wants_an_arming_of_its_own() {
    let mut stage = ready("shift-x");
    assert!(stage.text().contains("an arming of its own"), "{}", stage.text());
    stage.press("enter");
    assert!(stage.app.acting.prompt.is_none());
    stage.press("shift-a");
    stage.type_in("cleanup orders");
    stage.plan("enter");
    assert!(stage.text().contains("ARMED FOR CLEANUP"), "{}", stage.text());
    let effects = stage.press("w");
    assert_eq!(wishes(&effects)[0].params.region, None);
    stage.answer(effects);
    stage.plan("s");
    assert!(dialog(&stage).params.skip_snapshots);
    stage.press("enter");
    stage.type_in("orders");
    stage.press("enter");
    stage.type_in("the service is retired");
    assert!(matches!(&stage.press("enter")[..], [Effect::Start(_)]));
    // It arms for nothing else.
    let mut stage = Stage::on(&calm(), SIZE);
    stage.plan("shift-x");
    stage.press("shift-a");
    stage.type_in("cleanup orders");
    stage.plan("enter");
    stage.plan("esc shift-d");
    stage.press("enter");
    assert!(stage.app.acting.prompt.is_none());
}

#[test]
fn the_card_plans_every_way_and_opens_the_chosen_one() {
    let mut stage = outage_seen(SIZE);
    let effects = stage.press("!");
    let asked: Vec<_> = wishes(&effects).iter().map(|wish| (wish.book, wish.params.now)).collect();
    assert_eq!(asked, [(Book::Drain, false), (Book::Drain, true), (Book::Failover, false)]);
    // The answers come in any order, also while another screen lies on top.
    stage.press("?");
    stage.answer(effects.into_iter().rev().collect());
    stage.plan("esc");
    let Screen::Card(card) = stage.app.screen() else { panic!("no card") };
    assert!(card.ways[1].plan.is_some() && card.ways[2].plan.is_some());
    // Of the failover's choices the best is assumed, so that its costs can be compared; its dialog asks.
    assert_eq!(card.assumed, Some(DatabaseChoice::Failover));
    assert!(card.ways[3].plan.is_some());
    assert!(stage.text().contains("requests a minute fail here"), "{}", stage.text());
    let effects = stage.press("right right enter");
    assert!(wishes(&effects)[0].params.now);
    assert!(dialog(&stage).params.now);
    // What lies below was planned on a world that has moved on since.
    let effects = stage.press("esc");
    assert!(matches!(stage.app.screen(), Screen::Card(_)));
    assert_eq!(wishes(&effects).len(), 3);
    stage.answer(effects);
    assert!(stage.press("home enter").is_empty(), "to wait is to do nothing");
    assert!(matches!(stage.app.screen(), Screen::Overview));
    // Twice the key is there and back; late answers change nothing.
    let late = stage.press("!");
    stage.press("!");
    stage.answer(late);
    assert!(matches!(stage.app.screen(), Screen::Overview));
}

#[test]
fn errors_a_minute_are_those_of_the_newest_known_minute() {
    let stage = outage_seen(SIZE);
    let view = stage.app.focused().unwrap();
    let failing = switchtower::app::acting::card::failing(&view).unwrap();
    let row = &view.rows.alb[0];
    let requests = row.requests_per_s.value().unwrap() * 60.0;
    let share = row.error_5xx_percent.value().unwrap() / 100.0;
    assert!((failing.per_minute / (requests + failing.per_minute) - share).abs() < 0.001, "{failing:?}");
    assert!(
        switchtower::app::acting::card::failing(&Stage::new(&calm().topology, SIZE).app.focused().unwrap())
            .is_none(),
        "nothing was read yet"
    );
}

#[test]
fn an_estimate_is_the_longest_chain() {
    use switchtower::app::acting::estimate;
    let plan = plans::drain(&switchtower::runbook::Params::default());
    let whole = estimate::of(&plan);
    // Raise 150 s, out of DNS 70 s, users gone 240 s beside the writer's 120 s.
    assert_eq!((whole.likely.as_secs(), whole.measured), (460, false));
    assert_eq!(whole.most.as_secs(), 900 + 300 + 1_200);
    let out = estimate::until_out(&plan).unwrap();
    assert_eq!(out.likely.as_secs(), 220, "users are out before the writer has moved");
    let failover = estimate::of(&plans::failover(&switchtower::runbook::Params::default()));
    assert_eq!(failover.likely.as_secs(), 300, "a promotion takes minutes, and not its time-out of 15");
    assert_eq!(failover.most.as_secs(), 900);
    // What past runs took replaces what such steps usually take.
    let mut told = plan.clone();
    for step in &mut told.steps {
        step.measured = Some(Measured { median: std::time::Duration::from_secs(10), runs: 3 });
    }
    let measured = estimate::of(&told);
    assert_eq!((measured.likely.as_secs(), measured.measured), (30, true));
}

/// What waits for a stretch of time that has hardly begun is not over soon, however long it took to come to it.
#[test]
fn what_is_left_knows_the_stretch_that_must_still_pass() {
    let mut tape = plans::Tape::done();
    let quiet = tape
        .entries
        .iter()
        .position(|entry| matches!(&entry.event, RunEvent::StepBegan { step } if step.as_str() == "quiet"));
    tape.entries.truncate(quiet.unwrap() + 1);
    let began = tape.entries.last().unwrap().at;
    let left = |tape: &plans::Tape, seconds| {
        let state = switchtower::app::acting::RunState::of(&tape.entries);
        state.left(began + SignedDuration::from_secs(seconds)).unwrap().likely.as_secs()
    };
    let evidence = "eu-west-1 is the writer".into();
    let took = std::time::Duration::from_secs(110);
    tape.add(1, RunEvent::StepDone { step: "writer".into(), evidence, took });
    assert_eq!(left(&tape, 230), 10, "240 s are usual, and nothing tells more");
    let mut calm = |share| {
        let progress = "20 requests a minute".into();
        let judgement = Judgement::NotYet { progress, share: Some(share) };
        tape.add(1, RunEvent::Progress { step: "quiet".into(), judgement });
        left(&tape, 230)
    };
    assert_eq!(calm(0.0), 120, "two minutes must be calm, and none was");
    assert_eq!(calm(0.5), 60);
    assert_eq!(calm(1.0), 10);
}

#[test]
fn a_plan_keeps_the_thread_of_keys_free() {
    // Painting a plan computes no digest: it is computed when the plan comes.
    let mut stage = ready("shift-d");
    let plan = Arc::clone(dialog(&stage).plan().unwrap());
    assert_eq!(dialog(&stage).planning.digest, Some(plan.digest()));
    stage.press("down pagedown end home up");
    assert!(Arc::ptr_eq(&plan, dialog(&stage).plan().unwrap()));
}
