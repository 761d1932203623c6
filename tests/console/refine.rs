//! A plan is shown at once on what is known, and refined when the world was read. Nothing is ever started but the plan
//! that was on the screen while its name was typed.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use switchtower::app::acting::{Basis, PlanDialog, Purpose, Reads};
use switchtower::app::{Effect, Event, Screen};
use switchtower::domain::observation::{Observed, Source, SourceKind};
use switchtower::runbook::{Fact, GuardFinding, GuardId, Known, Params, Plan, PlanError};
use switchtower::ui::Theme;

use super::plans;
use super::stage::{Stage, outage_seen};

const SIZE: (u16, u16) = (100, 40);

fn armed() -> Stage {
    let mut stage = outage_seen(SIZE);
    stage.arm();
    stage
}

fn dialog(stage: &Stage) -> &PlanDialog {
    match stage.app.screen() {
        Screen::Plan(dialog) => dialog,
        other => panic!("no dialog but {other:?}"),
    }
}

/// Opens a dialog; gives the number of its wish and the wishes.
fn open(stage: &mut Stage, key: &str) -> (u64, Params) {
    let effects = stage.press(key);
    let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
    (wish.ticket, wish.params.clone())
}

fn partly(who: &str) -> Basis {
    Basis::Partly { waits: vec![who.into()] }
}

/// Types the region and a reason, up to the last Enter.
fn type_name(stage: &mut Stage) {
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("INC-42");
}

fn started(effects: &[Effect]) -> Option<&Plan> {
    effects.iter().find_map(|effect| match effect {
        Effect::Start(start) => Some(&*start.plan),
        _ => None,
    })
}

fn is_typing(stage: &Stage) -> bool {
    matches!(&stage.app.acting.prompt, Some(prompt) if matches!(prompt.purpose, Purpose::Confirm { .. }))
}

/// The fixture's failover with a step that tells one from another.
fn failover(params: &Params, mark: &str) -> Plan {
    let mut plan = plans::failover(params);
    plan.steps[0].title = format!("take us-east-1 out of DNS{mark}").into();
    plan
}

#[test]
fn a_plan_on_what_is_known_says_so_and_how_old_that_is() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-d");
    assert!(stage.text().contains("… planning"), "{}", stage.text());
    stage.app.update(Event::Tick(plans::now() + SignedDuration::from_secs(95)));
    stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
    let text = stage.text();
    assert!(
        text.contains("on what was known; reading it anew (the oldest: health checks, 1m35s old)"),
        "{text}"
    );
    assert!(text.contains("reading anew") && text.contains("4 steps"), "{text}");
    stage.planned(ticket, partly("us-east-1"), Ok(plans::drain(&params)));
    assert!(stage.text().contains("read anew; still as it was known: us-east-1"), "{}", stage.text());
    stage.planned(ticket, Basis::Read, Ok(plans::drain(&params)));
    let text = stage.text();
    assert!(
        !text.contains("what was known") && !text.contains("changed") && text.contains("1 warning"),
        "{text}"
    );
    assert!(!stage.app.update(Event::Tick(plans::now())).redraw || dialog(&stage).planning.awaited.is_none());
}

#[test]
fn what_the_reading_changed_is_shown() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-d");
    stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
    let mut read = plans::drifted(&params);
    read.findings = vec![GuardFinding::block(GuardId::Freeze, false, "frozen")];
    stage.planned(ticket, partly("Route 53"), Ok(plans::drain(&params)));
    stage.planned(ticket, Basis::Read, Ok(read));
    let differs: Vec<&str> =
        dialog(&stage).differs.iter().map(switchtower::domain::text::Text::as_str).collect();
    assert_eq!(
        differs,
        ["health check hc-us: version was 7, is 9", "freeze blocks now", "headroom no longer warns"]
    );
    assert!(stage.text().contains("what the reading changed:"), "{}", stage.text());
}

#[test]
fn what_was_only_learnt_is_told_by_what_it_changed() {
    let blue = || Fact::BlueGreen("eu-west-1".into(), "my-db".into(), "my-global-db".into());
    let differs = |edit: fn(&mut Plan)| {
        let mut stage = armed();
        let (ticket, params) = open(&mut stage, "shift-d");
        stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
        let mut read = plans::drain(&params);
        read.shaped_by.insert(
            blue(),
            Observed::seen(
                Source::new(SourceKind::Aurora, "DescribeBlueGreenDeployments", None),
                Known::Number(0.0),
                plans::now(),
            ),
        );
        edit(&mut read);
        stage.planned(ticket, Basis::Read, Ok(read));
        dialog(&stage).differs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(differs(|_| {}), ["1 more thing is known now; steps and calls are the same"]);
    let blocked = |plan: &mut Plan| {
        plan.findings = vec![GuardFinding::block(GuardId::Freeze, false, "frozen")];
    };
    assert_eq!(
        differs(blocked),
        ["freeze blocks now", "headroom no longer warns"],
        "and nothing of the fact"
    );
    // A step that does what it did, from a value that is known now.
    let step = |from: &'static str, to: &'static str| {
        let mut stage = armed();
        let (ticket, params) = open(&mut stage, "shift-d");
        let with = |change: &str| {
            let mut plan = plans::drain(&params);
            plan.steps[0].changes = vec![change.into()];
            plan
        };
        stage.planned(ticket, Basis::Known, Ok(with(from)));
        stage.planned(ticket, Basis::Read, Ok(with(to)));
        dialog(&stage).differs.len()
    };
    assert_eq!(step("min not known -> 8", "min 4 -> 8"), 0, "the same is done");
    assert_eq!(step("min not known -> 8", "min 4 -> 9"), 2, "another value is news");
    assert_eq!(step("min 2 -> 8", "min 4 -> 8"), 2);
}

#[test]
fn enter_before_the_reading_waits_for_it_in_sight() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-d");
    stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
    assert!(stage.text().contains("Enter waits for it"), "{}", stage.text());
    assert!(stage.press("enter").is_empty() && !is_typing(&stage));
    assert!(stage.text().contains("asks for the name once all is read"), "{}", stage.text());
    stage.planned(ticket, partly("us-east-1"), Ok(plans::drain(&params)));
    assert!(!is_typing(&stage));
    stage.planned(ticket, Basis::Read, Ok(plans::drain(&params)));
    assert!(is_typing(&stage), "the same plan may be confirmed");
    type_name(&mut stage);
    assert!(started(&stage.press("enter")).is_some());
}

#[test]
fn an_enter_that_waited_confirms_no_other_plan() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-d");
    stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
    stage.press("enter");
    stage.planned(ticket, Basis::Read, Ok(plans::drifted(&params)));
    assert!(!is_typing(&stage));
    assert!(stage.text().contains("the reading changed the plan"), "{}", stage.text());
    stage.press("enter");
    assert!(is_typing(&stage), "once it was read it may");
}

#[test]
fn any_key_takes_an_early_enter_back() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-d");
    stage.planned(ticket, Basis::Known, Ok(plans::drain(&params)));
    stage.press("enter down");
    stage.planned(ticket, Basis::Read, Ok(plans::drain(&params)));
    assert!(!is_typing(&stage));
}

#[test]
fn a_failover_is_confirmed_on_what_is_known() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-f");
    stage.planned(ticket, Basis::Known, Ok(failover(&params, "")));
    stage.press("enter");
    assert!(is_typing(&stage), "an emergency waits for no reading");
    let digest = dialog(&stage).planning.digest.clone().unwrap();
    assert!(stage.text().contains(&format!("starts plan {digest}")), "{}", stage.text());
    type_name(&mut stage);
    // What comes meanwhile is kept from the screen and told.
    stage.planned(ticket, partly("us-east-1"), Ok(failover(&params, " anew")));
    assert!(
        !stage.text().contains("DNS anew") && stage.text().contains("differs: Esc shows it"),
        "{}",
        stage.text()
    );
    stage.planned(ticket, Basis::Read, Ok(failover(&params, " at last")));
    let effects = stage.press("enter");
    let plan = started(&effects).unwrap();
    assert_eq!(plan.digest(), digest, "what was read is what runs");
    assert!(!stage.text().contains("at last"), "and stays on the screen");
}

#[test]
fn what_was_held_back_is_shown_once_nothing_is_typed() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-f");
    stage.planned(ticket, Basis::Known, Ok(failover(&params, "")));
    stage.press("enter");
    stage.planned(ticket, Basis::Read, Ok(failover(&params, " at last")));
    stage.press("esc");
    assert!(stage.text().contains("DNS at last"), "{}", stage.text());
    assert!(dialog(&stage).held.is_none() && dialog(&stage).planning.awaited.is_none());
    // The end of the armed time leaves the prompt where it is: what is typed there must not become commands.
    let (ticket, params) = open(&mut stage, "r");
    stage.planned(ticket, Basis::Known, Ok(failover(&params, "")));
    stage.press("enter");
    stage.planned(ticket, Basis::Read, Err(PlanError::Impossible("gone".into())));
    assert!(is_typing(&stage) && !stage.text().contains("gone"));
    stage.app.update(Event::Tick(plans::now() + SignedDuration::from_mins(16)));
    assert!(is_typing(&stage) && !stage.text().contains("gone"));
    stage.press("esc");
    assert!(!is_typing(&stage));
}

#[test]
fn what_may_block_an_emergency_blocks_it_also_when_it_comes_late() {
    let mut stage = armed();
    let (ticket, params) = open(&mut stage, "shift-f");
    let mut plan = failover(&params, "");
    plan.findings.clear();
    stage.planned(ticket, Basis::Known, Ok(plan.clone()));
    stage.press("enter");
    type_name(&mut stage);
    plan.findings = vec![GuardFinding::block(GuardId::Survivors, true, "no living region would be in DNS")];
    stage.planned(ticket, Basis::Read, Ok(plan));
    assert!(started(&stage.press("enter")).is_none());
    let text = stage.text();
    assert!(
        text.contains("survivors blocks now") && text.contains("no living region would be in DNS"),
        "{text}"
    );
}

#[test]
fn a_choice_stays_on_its_word_while_answers_come() {
    let choose = |words: &[&str]| {
        Err(PlanError::Choose {
            question: "what becomes of the database?".into(),
            flag: "--database",
            choices: words.iter().map(|word| ((*word).into(), "so".into())).collect(),
            proposed: None,
        })
    };
    let mut stage = armed();
    let (ticket, _) = open(&mut stage, "shift-f");
    stage.planned(ticket, Basis::Known, choose(&["failover", "leave"]));
    stage.press("down");
    stage.planned(ticket, Basis::Read, choose(&["switchover", "failover", "leave"]));
    let effects = stage.press("enter");
    let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
    assert_eq!(wish.params.database, Some(switchtower::runbook::DatabaseChoice::Leave));
}

#[test]
fn only_r_reads_everything_anew() {
    let mut stage = armed();
    for (keys, reads) in [("shift-d", Reads::Missing), ("n", Reads::Missing), ("r", Reads::Anew)] {
        let effects = stage.press(keys);
        let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(wish.reads, reads, "{keys}");
    }
}

/// One thing that happens while a dialog is open.
#[derive(Clone, Debug)]
enum Deed {
    Press(&'static str),
    Type(&'static str),
    Answer { basis: u8, plan: u8 },
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => prop::sample::select(&["enter", "esc", "tab", "r", "n", "o", "down", "d", "shift-f", "shift-d"][..])
            .prop_map(Deed::Press),
        3 => prop::sample::select(&["us-east-1", "why"][..]).prop_map(Deed::Type),
        5 => (0_u8..3, 0_u8..5).prop_map(|(basis, plan)| Deed::Answer { basis, plan }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever comes in between, the plan that starts is the one whose digest was on the screen at the first letter of
    /// the name and at the last Enter.
    #[test]
    fn what_starts_was_on_the_screen(
        emergency in any::<bool>(),
        deeds in prop::collection::vec(deed(), 1..60),
    ) {
        let mut stage = armed();
        let mut asked: Vec<(u64, Params)> = vec![open(&mut stage, if emergency { "shift-f" } else { "shift-d" })];
        let mut read: Option<String> = None;
        for deed in deeds {
            let before = stage.text();
            let mut effects = Vec::new();
            match deed {
                Deed::Press(key) => effects = stage.press(key),
                Deed::Type(words) => effects = stage.type_words(words),
                Deed::Answer { basis, plan } => {
                    let Some((ticket, params)) = asked.last().cloned() else { continue };
                    let basis = match basis { 0 => Basis::Known, 1 => partly("us-east-1"), _ => Basis::Read };
                    let mut made = if plan % 2 == 0 { plans::drain(&params) } else { plans::drifted(&params) };
                    if plan > 2 {
                        made.steps.truncate(2);
                    }
                    let made = if plan == 4 { Err(PlanError::Impossible("no".into())) } else { Ok(made) };
                    stage.planned(ticket, basis, made);
                }
            }
            for effect in effects {
                match effect {
                    Effect::Plan(wish) => asked.push((wish.ticket, wish.params)),
                    Effect::Start(start) => {
                        let digest = start.plan.digest();
                        prop_assert_eq!(&digest, &start.digest);
                        prop_assert!(before.contains(&format!("plan {digest}")), "{}", before);
                        prop_assert_eq!(read.as_deref(), Some(digest.as_str()));
                    }
                    _ => {}
                }
            }
            // What was on the screen when the prompt opened.
            read = match (&stage.app.acting.prompt, read) {
                (Some(_), Some(read)) => Some(read),
                (Some(_), None) => dialog_digest(&stage),
                (None, _) => None,
            };
            stage.buffer(Theme::MONOCHROME);
        }
    }
}

fn dialog_digest(stage: &Stage) -> Option<String> {
    match stage.app.screen() {
        Screen::Plan(dialog) => dialog.planning.digest.as_ref().map(|digest| digest.as_str().to_owned()),
        _ => None,
    }
}

/// With every dialog open, and while its name is typed, the terminal may shrink to nothing and grow again.
#[test]
fn every_dialog_survives_every_size() {
    let mut dialogs: Vec<(&str, Stage)> = Vec::new();
    for keys in ["shift-d", "shift-f", "shift-f enter", "shift-r", "shift-w", "shift-x", "!", "! right right"]
    {
        for more in ["", "enter", "shift-a", "shift-a shift-a"] {
            let mut stage = armed();
            for key in keys.split(' ').chain(more.split(' ')) {
                stage.plan(key);
            }
            dialogs.push((keys, stage));
        }
    }
    for tape in [plans::Tape::running(), plans::Tape::halted(), plans::Tape::done()] {
        for more in ["v", "v s", "v u", "v a", "v r", "v o"] {
            let mut stage = armed();
            for entry in &tape.entries {
                stage.app.update(Event::Run(plans::run_id(), Arc::new(entry.clone())));
            }
            stage.press(more);
            dialogs.push((more, stage));
        }
    }
    for (keys, mut stage) in dialogs {
        for size in [(20, 5), (1, 1), (60, 16), (59, 15), (2, 60), (250, 3), (80, 24), (20, 5), (200, 50)] {
            stage.size = size;
            stage.app.update(Event::Resize(size.0, size.1));
            stage.buffer(Theme::COLOUR);
            stage.press("pagedown");
            let text = stage.text();
            let armed = stage.app.acting.armed(stage.app.fleet.now()).is_some();
            if armed && size.0 >= 80 && size.1 >= 24 {
                assert!(text.contains("ARMED"), "{keys} at {size:?}: {text}");
            }
        }
    }
}
