//! Every command is reached by keys; the cursor stays where it was put.

use std::collections::BTreeSet;

use switchtower::app::command::{COMMANDS, by_name};
use switchtower::app::keymap::{self, Layer};
use switchtower::app::{Effect, PaneId, Screen};

use super::stage::{Stage, calm, many, outage, outage_seen};
use crate::domain::fixture::World;

const SIZE: (u16, u16) = (80, 24);

#[test]
fn every_command_has_a_key_and_a_sentence() {
    for command in COMMANDS {
        assert!(!command.doc.is_empty(), "{} has no doc", command.name);
        let mut bindings = Layer::ALL.into_iter().flat_map(Layer::bindings);
        let bound = bindings.any(|binding| binding.command == command.name);
        assert!(bound, "{} has no key", command.name);
    }
}

#[test]
fn every_key_leads_to_one_command() {
    let mut seen = BTreeSet::new();
    for layer in Layer::ALL {
        for binding in layer.bindings() {
            assert!(by_name(binding.command).is_some(), "{} is no command", binding.command);
            for key in binding.keys {
                assert!(seen.insert((layer.title(), *key)), "{key} is bound twice");
                let parsed = keymap::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
                assert_eq!(keymap::command(layer, parsed).map(|command| command.name), Some(binding.command));
            }
        }
    }
}

#[test]
fn what_acts_wants_shift_and_no_other_screen_hides_it() {
    for (key, command) in [
        ("shift-a", "arm"),
        ("shift-d", "drain"),
        ("shift-f", "failover"),
        ("shift-r", "restore"),
        ("shift-w", "switchover"),
        ("shift-x", "cleanup"),
        ("!", "card"),
    ] {
        let parsed = keymap::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
        for layer in Layer::ALL {
            assert_eq!(keymap::command(layer, parsed).map(|command| command.name), Some(command), "{key}");
        }
    }
}

#[test]
fn the_cursor_moves_through_panes_and_regions() {
    let mut stage = Stage::on(&calm(), SIZE);
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("us-east-1", PaneId::Alb));
    stage.press("j");
    assert_eq!(stage.app.focus.pane, PaneId::Ecs);
    stage.press("right tab");
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("eu-west-1", PaneId::DynamoDb));
    stage.press("1 g backtab");
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("us-east-1", PaneId::Probe));
    stage.press("k h 9");
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("us-east-1", PaneId::Alarms));
    stage.press("end 2");
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("eu-west-1", PaneId::Probe));
}

#[test]
fn in_the_table_of_regions_up_and_down_change_the_region() {
    let world = World::healthy_in(many(12, 2));
    let mut stage = Stage::on(&world, SIZE);
    stage.press("down down right");
    assert_eq!((stage.app.focus.region.as_str(), stage.app.focus.pane), ("us-west-1", PaneId::Ecs));
    stage.press("pagedown");
    assert_eq!(stage.app.focus.region.as_str(), "eu-south-2");
    stage.press("g");
    assert_eq!(stage.app.focus.region.as_str(), "us-east-1");
}

#[test]
fn screens_lie_on_a_stack() {
    let mut stage = Stage::on(&outage(), SIZE);
    assert_eq!(stage.press("enter"), [Effect::Focus(Some(PaneId::Alb))]);
    assert!(matches!(stage.app.screen(), Screen::Detail(_)));
    stage.press("?");
    assert!(matches!(stage.app.screen(), Screen::Help(_)));
    stage.press("esc");
    assert!(matches!(stage.app.screen(), Screen::Detail(_)));
    assert_eq!(stage.press("backspace"), [Effect::Focus(None)]);
    assert!(matches!(stage.app.screen(), Screen::Overview));
    stage.press("esc esc z");
    assert!(matches!(stage.app.screen(), Screen::Zoom));
    stage.press("z f");
    assert!(matches!(stage.app.screen(), Screen::Findings(_)));
    stage.press("f t");
    assert!(matches!(stage.app.screen(), Screen::Timeline(_)));
    stage.press("t");
    assert!(matches!(stage.app.screen(), Screen::Overview));
}

#[test]
fn what_leaves_the_console_are_effects() {
    let mut stage = Stage::on(&calm(), SIZE);
    assert_eq!(stage.press("r"), [Effect::Refresh]);
    assert_eq!(stage.press("space"), [Effect::Pause(true)]);
    assert!(stage.text().contains("PAUSED"));
    assert_eq!(stage.press("space"), [Effect::Pause(false)]);
    assert!(!stage.text().contains("PAUSED"));
    assert_eq!(stage.press("ctrl-z"), [Effect::Suspend]);
    for screen in ["", "enter", "?", "f", "t", "z"] {
        assert!(!stage.press(screen).contains(&Effect::Quit));
        assert_eq!(stage.press("q"), [Effect::Quit], "q after {screen}");
        assert_eq!(stage.press("ctrl-c"), [Effect::Quit], "ctrl-c after {screen}");
    }
}

#[test]
fn a_finding_leads_to_its_pane() {
    let mut stage = outage_seen(SIZE);
    stage.press("2 f j j");
    let wanted = stage.app.fleet.verdict().unwrap().findings[2].clone();
    stage.press("enter");
    assert!(matches!(stage.app.screen(), Screen::Detail(_)));
    assert_eq!(Some(&stage.app.focus.region), wanted.region.as_ref());
    assert_eq!(stage.app.focus.pane.code(), wanted.pane());
}

#[test]
fn new_data_never_moves_the_cursor() {
    let mut stage = Stage::on(&calm(), SIZE);
    stage.press("j enter j");
    let Screen::Detail(before) = stage.app.screen().clone() else { panic!("no detail") };
    assert_eq!(before.row.as_deref(), Some("prod/worker"));
    stage.show(&outage());
    let Screen::Detail(after) = stage.app.screen() else { panic!("no detail") };
    assert_eq!(&before, after);
    assert_eq!(stage.app.focus.pane, PaneId::Ecs);
}

#[test]
fn without_new_sights_a_healthy_verdict_does_not_last() {
    let mut stage = Stage::on(&calm(), SIZE);
    assert!(stage.text().contains("HEALTHY"));
    let now = stage.app.fleet.now();
    stage.tick(now + jiff::SignedDuration::from_secs(20));
    assert!(stage.text().contains("HEALTHY"), "targets may be 45 s old");
    stage.tick(now + jiff::SignedDuration::from_mins(3));
    assert!(stage.text().contains("UNKNOWN"), "{}", stage.text());
}
