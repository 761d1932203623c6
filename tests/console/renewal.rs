//! A dialog that is left open renews itself, and never surprises whoever reads or types in it.

use jiff::SignedDuration;
use switchtower::app::acting::{Basis, PlanDialog, Purpose, Reads, Wish};
use switchtower::app::{Effect, Event, Screen};
use switchtower::domain::snapshot::HealthCheckConfig;
use switchtower::runbook::{GuardId, Plan, PlanError};

use super::plans;
use super::stage::{Stage, outage, outage_seen};
use crate::domain::fixture;

const SIZE: (u16, u16) = (100, 40);

fn dialog(stage: &Stage) -> &PlanDialog {
    match stage.app.screen() {
        Screen::Plan(dialog) => dialog,
        other => panic!("no dialog but {other:?}"),
    }
}

/// An armed console with an open dialog whose plan was read.
fn open(key: &str) -> Stage {
    let mut stage = outage_seen(SIZE);
    stage.arm();
    stage.plan(key);
    stage
}

/// Lets seconds pass; gives the plan that is asked for, if one is.
fn pass(stage: &mut Stage, seconds: i64) -> Option<Wish> {
    let now = stage.app.fleet.now() + SignedDuration::from_secs(seconds);
    let effects = stage.app.update(Event::Tick(now)).effects;
    effects.into_iter().find_map(|effect| match effect {
        Effect::Plan(wish) => Some(wish),
        _ => None,
    })
}

/// The dialog's plan as it is made again, now.
fn again(stage: &Stage, plan: Plan) -> Plan {
    Plan { made_at: stage.app.fleet.now(), ..plan }
}

fn prompted(stage: &Stage) -> bool {
    matches!(&stage.app.acting.prompt, Some(prompt) if matches!(prompt.purpose, Purpose::Confirm { .. }))
}

#[test]
fn an_old_plan_is_made_again_quietly_and_hardly_costs_a_call() {
    let mut stage = open("shift-d");
    assert_eq!(pass(&mut stage, 30), None, "what shaped it is not old yet");
    let wish = pass(&mut stage, 600).expect("it is asked for");
    assert_eq!((wish.reads, wish.armed), (Reads::Stale, true));
    assert_eq!(pass(&mut stage, 1), None, "once");
    // Nobody sees anything of it until it comes, and of the same plan only that it was renewed.
    let before = stage.text();
    assert!(!before.contains("planning") && !before.contains("reading anew"), "{before}");
    let plan = again(&stage, plans::drain(&wish.params));
    stage.planned(wish.ticket, Basis::Read, Ok(plan));
    let text = stage.text();
    assert!(text.contains("renewed by itself, on what is watched"), "{text}");
    assert!(!text.contains("CHANGED"), "{text}");
    assert_eq!(dialog(&stage).plan().unwrap().made_at, stage.app.fleet.now());
}

#[test]
fn what_changed_is_marked_and_enter_means_it_only_once_it_could_be_read() {
    let mut stage = open("shift-d");
    let wish = pass(&mut stage, 700).unwrap();
    let (shown, scroll) = (dialog(&stage).plan().cloned().unwrap(), dialog(&stage).choice);
    stage.press("end");
    let plan = plans::drifted(&wish.params);
    stage.planned(wish.ticket, Basis::Read, Ok(plan));
    assert_ne!(dialog(&stage).plan().unwrap().digest(), shown.digest());
    assert_eq!(dialog(&stage).choice, scroll);
    let text = stage.text();
    assert!(text.contains("▲ CHANGED 03:12:10"), "{text}");
    stage.press("home");
    let text = stage.text();
    assert!(text.contains("the plan was renewed by itself; what changed:"), "{text}");
    assert!(text.contains("health check hc-us: version was 7, is 9"), "{text}");
    // The finger was on its way when it changed.
    for _ in 0..2 {
        stage.press("enter");
        assert!(!prompted(&stage), "{}", stage.text());
        assert!(stage.text().contains("the plan changed just now: read what differs"), "{}", stage.text());
        pass(&mut stage, 1);
        stage.press("j");
    }
    stage.press("enter");
    assert!(prompted(&stage), "{}", stage.text());
    assert!(!stage.text().contains("CHANGED"), "it was read: {}", stage.text());
}

#[test]
fn words_that_are_being_typed_stay_and_confirm_what_was_read_or_nothing() {
    let mut stage = open("shift-d");
    stage.press("enter");
    stage.type_in("us-ea");
    let wish = pass(&mut stage, 700).unwrap();
    let shown = dialog(&stage).plan().cloned().unwrap();
    stage.planned(wish.ticket, Basis::Read, Ok(plans::drifted(&wish.params)));
    assert!(prompted(&stage));
    assert_eq!(dialog(&stage).plan(), Some(&shown), "what was read stays on the screen");
    assert!(stage.text().contains("type us-east-1   us-ea"), "{}", stage.text());
    assert!(stage.text().contains("the reading changed the plan: Esc shows it"), "{}", stage.text());
    stage.type_in("st-1");
    stage.press("tab");
    stage.type_in("INC-42");
    assert_eq!(stage.press("enter"), [], "the plan that was read is not the world's any more");
    assert!(stage.text().contains("CHANGED"), "{}", stage.text());
    stage.press("enter");
    assert!(!prompted(&stage), "and the new one could not be read yet");
}

#[test]
fn an_emergency_starts_what_was_read_unless_something_blocks_now() {
    for blocked in [false, true] {
        let mut stage = outage_seen(SIZE);
        stage.arm();
        stage.plan("shift-f");
        stage.plan("enter o");
        stage.press("enter");
        assert!(prompted(&stage), "{}", stage.text());
        stage.type_in("us-east-1");
        stage.press("tab");
        stage.type_in("INC-42");
        let wish = pass(&mut stage, 700).unwrap();
        let mut plan = plans::failover(&wish.params);
        plan.steps[0].title = "take us-east-1 out of DNS at once".into();
        if blocked {
            plan = plans::blocked(plan, GuardId::Survivors);
        }
        stage.planned(wish.ticket, Basis::Read, Ok(plan));
        let effects = stage.press("enter");
        assert_eq!(
            effects.iter().any(|effect| matches!(effect, Effect::Start(_))),
            !blocked,
            "{}",
            stage.text()
        );
    }
}

#[test]
fn the_cursor_of_a_choice_stays_on_its_word() {
    for down in [false, true] {
        let mut stage = outage_seen(SIZE);
        stage.arm();
        stage.plan("shift-f");
        if down {
            stage.press("down");
        }
        let word = dialog(&stage).choices()[dialog(&stage).choice].0.clone();
        let wish = pass(&mut stage, 90).expect("choices grow old as well");
        let Err(PlanError::Choose { question, flag, mut choices, proposed }) = plans::answer(&wish) else {
            panic!("no choice");
        };
        choices.reverse();
        let error = PlanError::Choose { question, flag, choices, proposed };
        stage.planned(wish.ticket, Basis::Read, Err(error));
        assert_eq!(dialog(&stage).choices()[dialog(&stage).choice].0, word);
        stage.press("enter");
        assert_eq!(dialog(&stage).params.database, None, "it moved under the finger");
        assert!(stage.text().contains("changed just now"), "{}", stage.text());
    }
}

/// Seconds after the console began, somebody looks at the health check that shaped the plan, as it was `at` seconds.
fn sees(stage: &mut Stage, seconds: i64, config: HealthCheckConfig, at: i64) -> Vec<Effect> {
    let mut world = outage();
    let began = world.now;
    world.now = began + SignedDuration::from_secs(seconds);
    let check = world.dns.health_checks.get_mut(&fixture::check("hc-us")).unwrap();
    check.succeed(config, began + SignedDuration::from_secs(at));
    let sight = stage.lookout.look(&world.topology, world.snapshot());
    stage.app.update(Event::Sight(std::sync::Arc::new(sight))).effects
}

/// The flags of a check that takes its region out of DNS.
fn out() -> HealthCheckConfig {
    fixture::check_config(true, true)
}

#[test]
fn a_value_that_shaped_the_plan_and_is_seen_otherwise_renews_it_at_once() {
    let mut stage = open("shift-d");
    pass(&mut stage, 6);
    let effects = sees(&mut stage, 6, out(), 6);
    let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wish.reads, Reads::Stale);
}

#[test]
fn an_open_card_renews_its_ways_and_keeps_what_it_shows_meanwhile() {
    let mut stage = outage_seen(SIZE);
    let wishes = |effects: Vec<Effect>| -> Vec<Wish> {
        let wish = |effect| if let Effect::Plan(wish) = effect { Some(wish) } else { None };
        effects.into_iter().filter_map(wish).collect()
    };
    stage.plan("!");
    let shown = stage.text();
    let mut later = |seconds| {
        let now = stage.app.fleet.now() + SignedDuration::from_secs(seconds);
        wishes(stage.app.update(Event::Tick(now)).effects)
    };
    assert_eq!(later(30), [], "nothing is old yet");
    let asked = later(600);
    assert_eq!(asked.len(), 3, "drain, drain --now and failover: {asked:?}");
    assert!(asked.iter().all(|wish| wish.reads == Reads::Stale));
    assert_eq!(later(1), [], "once");
    let steps = |text: &str| text.lines().find(|line| line.contains("all done")).map(str::to_owned);
    assert!(steps(&shown).is_some(), "{shown}");
    assert_eq!(steps(&stage.text()), steps(&shown), "the plans stand there until the new ones come");
    for wish in asked {
        let plan = plans::answer(&wish).map(|plan| again(&stage, plan));
        stage.planned(wish.ticket, Basis::Read, plan);
    }
    let now = stage.app.fleet.now() + SignedDuration::from_secs(1);
    assert_eq!(wishes(stage.app.update(Event::Tick(now)).effects), [], "and the new ones are young");
}

#[test]
fn what_is_no_newer_or_not_otherwise_renews_nothing() {
    let mut stage = open("shift-d");
    pass(&mut stage, 6);
    assert_eq!(sees(&mut stage, 6, out(), 0), [], "the plan rests on a look that is as new");
    let same = HealthCheckConfig { version: 7, ..fixture::check_config(false, false) };
    assert_eq!(sees(&mut stage, 7, same, 7), [], "it is as it was");
    assert_eq!(sees(&mut stage, 8, out(), 8).len(), 1);
}

#[test]
fn what_is_watched_must_have_been_so_for_a_moment_after_the_last_answer() {
    let mut stage = open("shift-d");
    pass(&mut stage, 4);
    assert_eq!(sees(&mut stage, 4, out(), 4), [], "an answer came four seconds ago");
    pass(&mut stage, 1);
    assert_eq!(sees(&mut stage, 5, out(), 5).len(), 1);
}

#[test]
fn a_plan_is_renewed_no_more_than_once_a_minute_and_only_while_it_is_old() {
    let mut stage = open("shift-d");
    assert_eq!(pass(&mut stage, 100), None, "what shaped it is not old");
    let wish = pass(&mut stage, 600).expect("now it is");
    // Whoever is asked has nothing newer.
    let plan = again(&stage, plans::drain(&wish.params));
    stage.planned(wish.ticket, Basis::Read, Ok(plan));
    assert_eq!(pass(&mut stage, 59), None, "it was asked for less than a minute ago");
    assert!(pass(&mut stage, 1).is_some());
}

#[test]
fn a_dialog_that_reads_or_starts_is_left_alone() {
    let mut stage = open("shift-d");
    let read = stage.press("r");
    assert!(matches!(&read[..], [Effect::Plan(_)]), "{read:?}");
    assert_eq!(pass(&mut stage, 700), None, "it is being read");

    let mut stage = open("shift-d");
    stage.press("enter");
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("INC-42");
    let started = stage.press("enter");
    assert!(matches!(&started[..], [Effect::Start(_)]), "{started:?}");
    assert_eq!(pass(&mut stage, 700), None, "it was confirmed, and begins");
}

#[test]
fn a_refusal_goes_with_the_plan_that_was_refused() {
    let mut stage = open("shift-d");
    stage.press("enter");
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("INC-42");
    let started = stage.press("enter");
    let [Effect::Start(start)] = &started[..] else { panic!("{started:?}") };
    stage.app.update(Event::Refused { ticket: start.ticket, why: "the lease is held".into(), plan: None });
    assert!(stage.text().contains("the lease is held"), "{}", stage.text());
    let wish = pass(&mut stage, 700).unwrap();
    stage.planned(wish.ticket, Basis::Read, Ok(plans::drifted(&wish.params)));
    assert_eq!(dialog(&stage).refused, None, "that was about another plan");
    assert!(!dialog(&stage).differs.is_empty());
}
