//! Screens of a fleet with a region that is out by our own act.

use std::sync::Arc;

use jiff::SignedDuration;
use switchtower::app::Effect;
use switchtower::app::acting::Book;
use switchtower::domain::metric::Metric;
use switchtower::domain::pin::{Held, Pin, Pins, Subject, Value};
use switchtower::runbook::DatabaseChoice;

use super::{LARGE, MIDDLE, SMALL};
use crate::console::stage::{Stage, calm, many};
use crate::domain::fixture::{World, check_config, flat, region};

const SIZES: [(&str, (u16, u16)); 3] = [("80x24", SMALL), ("120x40", MIDDLE), ("200x50", LARGE)];

macro_rules! screen {
    ($name:expr, $stage:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $stage.text());
        })
    };
}

#[test]
fn nobody_says_that_dns_lets_users_back_to_a_pinned_region() {
    let mut stage = Stage::on(&pinned(calm(), "drain", (true, true)), SMALL);
    stage.press("!");
    let text = stage.text();
    assert!(text.contains("wait: the region stays out by our own act until R restores it"), "{text}");
    assert!(!text.contains("by itself"), "{text}");
}

#[test]
fn a_pinned_region_whose_data_lags_serves_nobody() {
    let mut world = pinned(calm(), "drain", (true, true));
    world.set(0, Metric::TableReplicationLatency, &["eu-west-1", "Orders"], flat(40_000.0));
    let screen = Stage::on(&world, SMALL).text();
    let banner = screen.lines().next().unwrap();
    assert!(banner.contains("us-east-1 ⊘ pinned, data lags; eu-west-1 is healthy"), "{screen}");
    assert!(screen.contains("▲ data lags ⊘ pinned"), "{screen}");
}

/// The first region of a world was taken out by its check; the flags are these now.
fn pinned(mut world: World, runbook: &str, (disabled, inverted): (bool, bool)) -> World {
    let mut records = world.topology.records.iter().filter(|record| record.region == region("us-east-1"));
    let id = records.find_map(|record| record.health_check.clone()).unwrap();
    let now = world.now;
    let since = now - SignedDuration::from_mins(12);
    let run = format!("20261121T025800Z-{runbook}-us-east-1-7f3a");
    let subject = Subject::Check(id.clone());
    let is = Value::Flags { inverted: true, disabled: true };
    let pin = Pin {
        region: region("us-east-1"),
        since,
        run: run.as_str().into(),
        runbook: runbook.into(),
        by: "ops-oncall/alice on bastion-1".into(),
        held: vec![Held { subject, is, proven: since, run: run.as_str().into() }],
    };
    world.pins = Arc::new(Pins { pins: vec![pin], read_at: Some(now), ..Pins::default() });
    let config = check_config(disabled, inverted);
    let at = now - SignedDuration::from_secs(10);
    world.dns.health_checks.get_mut(&id).unwrap().succeed(config, at);
    world
}

#[test]
fn a_pinned_region_reads_as_meant() {
    for (name, size) in SIZES {
        let world = pinned(calm(), "drain", (true, true));
        screen!(format!("pinned-{name}"), Stage::on(&world, size));
    }
    let mut stage = Stage::on(&pinned(calm(), "drain", (true, true)), SMALL);
    stage.press("f");
    screen!("pinned-findings-80x24", stage);
    let several = pinned(World::healthy_in(many(4, 1)), "drain", (true, true));
    screen!("pinned-matrix-80x24", Stage::on(&several, SMALL));
}

#[test]
fn a_changed_pin_is_the_first_thing_seen() {
    for (name, size) in SIZES {
        let world = pinned(calm(), "drain", (false, false));
        screen!(format!("pin-changed-{name}"), Stage::on(&world, size));
    }
    let mut stage = Stage::on(&pinned(calm(), "drain", (false, false)), MIDDLE);
    stage.press("f");
    screen!("pin-changed-findings-120x40", stage);
}

#[test]
fn one_key_plans_to_put_it_back() {
    for (runbook, book) in [("drain", Book::Drain), ("failover", Book::Failover)] {
        let mut stage = Stage::on(&pinned(calm(), runbook, (false, false)), SMALL);
        let effects = stage.press("shift-p");
        let [Effect::Plan(wish)] = &effects[..] else { panic!("{effects:?}") };
        assert_eq!(wish.book, book);
        assert_eq!(wish.params.region, Some(region("us-east-1")));
        assert_eq!(wish.params.now, book == Book::Drain);
        assert_eq!(wish.params.database, (book == Book::Failover).then_some(DatabaseChoice::Leave));
        stage.answer(effects);
        // It acts on nothing by itself: the plan is read and confirmed like any other.
        assert_eq!(stage.press("enter"), []);
        // A region that is not pinned has nothing to be put back.
        stage.press("esc right");
        assert_eq!(stage.press("shift-p"), []);
        assert!(stage.text().contains("eu-west-1 is not pinned"), "{}", stage.text());
    }
}
