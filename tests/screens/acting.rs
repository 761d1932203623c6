//! Screens of the acting half: prompts, dialogs, the decision card, runs, and the frame of an armed console.

use std::time::Duration;

use switchtower::app::acting::Basis;
use switchtower::app::{Effect, Event};
use switchtower::runbook::{Condition, Event as RunEvent, GuardId, Step};
use switchtower::ui::Theme;

use super::{LARGE, MIDDLE, SMALL};
use crate::console::plans::{self, Tape};
use crate::console::stage::{Stage, outage_seen, text};

const SIZES: [(&str, (u16, u16)); 3] = [("80x24", SMALL), ("120x40", MIDDLE), ("200x50", LARGE)];

macro_rules! screen {
    ($name:expr, $stage:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $stage.text());
        })
    };
}

fn armed(size: (u16, u16)) -> Stage {
    let mut stage = outage_seen(size);
    stage.arm();
    stage
}

#[test]
fn arming() {
    for (name, size) in SIZES {
        let mut stage = outage_seen(size);
        stage.press("shift-a");
        stage.type_in("order");
        stage.press("enter");
        screen!(format!("arm-{name}"), stage);
        screen!(format!("armed-{name}"), armed(size));
    }
}

#[test]
fn dialogs() {
    for (name, size) in SIZES {
        let mut stage = armed(size);
        stage.plan("shift-d");
        screen!(format!("plan-drain-{name}"), stage);
    }
    let mut stage = outage_seen(SMALL);
    stage.plan("shift-d");
    screen!("plan-preview-80x24", stage);
    stage.press("end");
    screen!("plan-end-80x24", stage);

    let mut stage = armed(SMALL);
    stage.plan("shift-f");
    screen!("plan-choose-80x24", stage);
    stage.plan("enter");
    screen!("plan-failover-80x24", stage);
    stage.press("enter");
    stage.type_in("us-east");
    stage.press("enter");
    screen!("plan-confirm-80x24", stage);
}

#[test]
fn blocked_and_drifted() {
    let mut stage = armed(SMALL);
    let effects = stage.press("shift-d");
    let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
    let plan = plans::blocked(plans::drain(&wish.params), GuardId::Freeze);
    stage.planned(wish.ticket, Basis::Read, Ok(plan));
    screen!("plan-blocked-80x24", stage);

    stage.plan("r");
    stage.press("enter");
    stage.type_in("us-east-1");
    stage.press("tab");
    stage.type_in("INC-42");
    let effects = stage.press("enter");
    let [Effect::Start(start)] = &effects[..] else { panic!("{effects:?}") };
    let plan = plans::drifted(&start.plan.params);
    let why = "the world has moved since the plan was made".into();
    stage.app.update(Event::Refused { ticket: start.ticket, why, plan: Some(Box::new(plan)) });
    screen!("plan-drifted-80x24", stage);
}

#[test]
fn decision_card() {
    for (name, size) in SIZES {
        let mut stage = outage_seen(size);
        stage.plan("! right");
        screen!(format!("card-{name}"), stage);
    }
}

#[test]
fn runs() {
    for (name, size) in SIZES {
        for (word, tape) in [("running", Tape::running()), ("halted", Tape::halted()), ("done", Tape::done())]
        {
            let mut stage = armed(size);
            tape.play(&mut stage);
            stage.press("v");
            screen!(format!("run-{word}-{name}"), stage);
        }
    }
    for (name, size) in SIZES {
        let mut stage = armed(size);
        let mut tape = Tape::halted();
        tape.play(&mut stage);
        stage.press("v u down");
        screen!(format!("run-undo-{name}"), stage);
        stage.press("enter");
        stage.type_in("undo");
        stage.press("enter");
        stage.type_in("rollback agreed");
        screen!(format!("run-undo-confirm-{name}"), stage);
        stage.press("esc esc");
        tape.undone("scale/eu-west-1/prod/api").play(&mut stage);
        screen!(format!("run-undone-{name}"), stage);
    }
    // What a cleanup leaves, and what is to be done then, stands at its end.
    let mut stage = armed(SMALL);
    let mut tape = Tape::done();
    let RunEvent::Opened { plan, .. } = &mut tape.entries[0].event else { panic!("no opening") };
    let mut proof = Step::wait("proof", "prove what is gone", Condition::Always, Duration::from_mins(1));
    proof.changes = vec![
        "left: hosted zone Z1, billed at about 0.50 USD a month".into(),
        "then: the topology file still names us-east-1".into(),
    ];
    plan.steps.push(proof);
    tape.play(&mut stage);
    stage.press("v");
    screen!("run-leaves-80x24", stage);
    // Forty tries of one call are one line: what else goes on stays in sight.
    let mut stage = armed(SMALL);
    Tape::unanswered().play(&mut stage);
    stage.press("v");
    screen!("run-unanswered-80x24", stage);
    let mut stage = outage_seen(SMALL);
    Tape::halted().play(&mut stage);
    stage.press("v");
    screen!("run-halted-read-only-80x24", stage);
    stage.press("a");
    screen!("run-abort-80x24", stage);
    stage.press("esc esc t");
    screen!("run-timeline-80x24", stage);
}

/// Without colours nothing of it is lost.
#[test]
fn monochrome() {
    let mut stage = armed(SMALL);
    Tape::halted().play(&mut stage);
    for keys in ["", "v", "s", "esc shift-d", "!"] {
        stage.plan(keys);
        let (colour, plain) = (stage.buffer(Theme::COLOUR), stage.buffer(Theme::MONOCHROME));
        assert_eq!(text(&colour), text(&plain));
        assert!(text(&plain).contains("ARMED") && text(&plain).contains('╔'), "{}", text(&plain));
        for cell in plain.content() {
            assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
        }
        assert_eq!(colour.content()[0].fg, ratatui::style::Color::Red);
    }
}
