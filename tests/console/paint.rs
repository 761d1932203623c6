//! Painting never fails, whatever the size and whatever was observed.

use std::sync::Arc;

use jiff::SignedDuration;
use proptest::prelude::*;
use switchtower::app::{Effect, Event};
use switchtower::domain::metric::Series;
use switchtower::domain::observation::ErrorKind;
use switchtower::runbook::Params;
use switchtower::ui::Theme;

use super::plans::{self, Tape};
use super::stage::{Stage, calm, many, outage};
use crate::domain::fixture::{World, age, error};

/// What goes wrong.
const KINDS: [ErrorKind; 6] = [
    ErrorKind::Denied,
    ErrorKind::Expired,
    ErrorKind::TimedOut,
    ErrorKind::ServiceDown,
    ErrorKind::NoData,
    ErrorKind::NotConfigured,
];

/// Spoils a world: what is not good here is missing, old, wrong, long or hostile.
fn spoil(world: &mut World, seed: u64) {
    let now = world.now;
    let mut dice = seed;
    let mut roll = move |sides: u64| {
        dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (dice >> 33) % sides
    };
    for region in &mut world.regions {
        let mut kind = || KINDS[roll(6) as usize];
        let kinds = [kind(), kind(), kind(), kind()];
        let dice = roll(64);
        for targets in region.target_groups.values_mut() {
            if dice & 1 > 0 {
                targets.fail(error(kinds[0], now));
            }
            if dice & 2 > 0 {
                age(targets, SignedDuration::from_hours(3));
            }
        }
        for service in region.services.values_mut() {
            let mut state = service.value().unwrap().clone();
            state.desired = if dice & 4 > 0 { i32::MAX } else { 0 };
            state.running = roll(5) as i32 * 1_000_000;
            service.succeed(state, now);
            if dice & 8 > 0 {
                service.fail(error(kinds[1], now));
            }
        }
        for alarm in region.alarms.values_mut() {
            let mut state = alarm.value().unwrap().clone();
            state.state = "日本語の状態 \u{202e}ALARM 🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀🦀".into();
            alarm.succeed(state, now);
        }
        for table in region.tables.values_mut() {
            if dice & 16 > 0 {
                *table = table.clone().into_saved();
            }
        }
        for series in region.metrics.values_mut() {
            match roll(4) {
                0 => series.fail(error(kinds[2], now)),
                1 => series.succeed(Series::default(), now),
                2 => series.succeed(crate::domain::fixture::flat(1e18), now),
                _ => {}
            }
        }
        if dice & 32 > 0 {
            region.identity.fail(error(kinds[3], now));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_size_and_no_snapshot_panics(
        width in 1_u16..=250,
        height in 1_u16..=80,
        regions in 0_usize..=12,
        seed in any::<u64>(),
        keys in proptest::collection::vec(0_usize..18, 0..12),
    ) {
        const KEYS: [&str; 18] = [
            "j", "l", "k", "h", "tab", "enter", "esc", "z", "f", "t", "?", "g", "shift-g",
            "pagedown", "pageup", "space", "2", "enter",
        ];
        let mut world = match regions {
            0 => outage(),
            1 => calm(),
            _ => World::healthy_in(many(regions - 1, 3)),
        };
        spoil(&mut world, seed);
        let mut stage = Stage::new(&world.topology, (width, height));
        stage.buffer(Theme::COLOUR);
        stage.show(&world);
        for key in keys {
            stage.press(KEYS[key]);
            stage.buffer(Theme::COLOUR);
        }
        stage.tick(world.now + SignedDuration::from_hours(2));
        stage.buffer(Theme::MONOCHROME);
    }
}

/// Keys of the acting half, and words between them.
const ACTING: [&str; 34] = [
    "shift-a",
    "shift-d",
    "shift-f",
    "shift-r",
    "shift-w",
    "shift-x",
    "!",
    "v",
    "enter",
    "esc",
    "tab",
    "backspace",
    "n",
    "z",
    "d",
    "e",
    "s",
    "w",
    "o",
    "r",
    "b",
    "y",
    "u",
    "a",
    "up",
    "down",
    "left",
    "right",
    "pagedown",
    "end",
    "home",
    "2",
    "ctrl-c",
    "?",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is pressed, typed and told, and however late plans are answered, it is painted in any size; a run is
    /// started only while armed, and only by its name.
    #[test]
    fn no_key_and_no_run_panics(
        width in 1_u16..=220,
        height in 1_u16..=60,
        script in prop::collection::vec((0_usize..40, 0_i64..400), 1..50),
    ) {
        let mut stage = Stage::on(&outage(), (width, height));
        let mut tape = Tape::halted().entries.into_iter();
        let mut wishes = Vec::new();
        for (key, wait) in script {
            let effects = match key {
                34 => { stage.type_words("orders"); Vec::new() }
                35 => { stage.type_words("us-east-1"); Vec::new() }
                36 => { stage.answer(std::mem::take(&mut wishes)); Vec::new() }
                37 => {
                    if let Some(entry) = tape.next() {
                        stage.app.update(Event::Run(plans::run_id(), Arc::new(entry)));
                    }
                    Vec::new()
                }
                38 => {
                    stage.app.update(Event::Started(wait as u64 % 7, plans::run_id()));
                    Vec::new()
                }
                39 => {
                    let plan = (wait % 2 == 0).then(|| Box::new(plans::drifted(&Params::default())));
                    stage.app.update(Event::Refused { ticket: wait as u64 % 7, why: "no".into(), plan });
                    Vec::new()
                }
                key => stage.press(ACTING[key]),
            };
            for effect in effects {
                match effect {
                    Effect::Start(start) => {
                        prop_assert!(start.arming.holds(stage.app.fleet.now()));
                        prop_assert_eq!(&start.typed, &start.plan.confirm);
                        prop_assert!(!start.reason.is_empty());
                    }
                    plan @ Effect::Plan(_) => wishes.push(plan),
                    _ => {}
                }
            }
            let now = stage.app.fleet.now();
            stage.app.update(Event::Tick(now + SignedDuration::from_secs(wait / 10)));
            stage.buffer(Theme::COLOUR);
        }
    }
}

#[test]
fn the_smallest_terminals_still_name_the_region() {
    for size in [(1, 1), (2, 2), (5, 1), (20, 5), (1, 60), (200, 1)] {
        let stage = Stage::on(&outage(), size);
        stage.buffer(Theme::COLOUR);
    }
    assert!(Stage::on(&outage(), (40, 1)).text().contains("us-east-1"));
    assert!(Stage::on(&outage(), (20, 5)).text().contains("us-east-1"));
}

/// The first line names the region that fails, and says that the other serves.
#[test]
fn the_failing_region_stands_on_the_first_line() {
    for size in [(80, 24), (120, 40), (200, 50)] {
        let text = Stage::on(&outage(), size).text();
        let first = text.lines().next().unwrap();
        assert!(first.contains("IMPAIRED  us-east-1 is failing; eu-west-1 serves, data lags"), "{first}");
    }
}

#[test]
fn the_same_sight_is_the_same_picture() {
    let stage = Stage::on(&outage(), (120, 40));
    assert_eq!(stage.buffer(Theme::COLOUR), stage.buffer(Theme::COLOUR));
}

/// The bytes that lead from one picture to the next, as the terminal gets them.
fn bytes(before: &ratatui::buffer::Buffer, after: &ratatui::buffer::Buffer) -> usize {
    use ratatui::backend::Backend;
    let mut bytes = Vec::new();
    let changed: Vec<_> = before.diff_iter(after).collect();
    if !changed.is_empty() {
        ratatui::backend::CrosstermBackend::new(&mut bytes).draw(changed.into_iter()).unwrap();
    }
    bytes.len()
}

#[test]
fn a_cursor_move_costs_few_bytes() {
    for (world, size) in
        [(outage(), (80, 24)), (outage(), (200, 50)), (World::healthy_in(many(30, 4)), (80, 24))]
    {
        let mut stage = Stage::on(&world, size);
        for key in ["down", "right", "up", "left"] {
            let before = stage.buffer(Theme::COLOUR);
            stage.press(key);
            let bytes = bytes(&before, &stage.buffer(Theme::COLOUR));
            // In the table of regions another region brings its values with it.
            let limit = if size.0 == 80 && world.regions.len() > 2 { 1_500 } else { 450 };
            assert!((1..=limit).contains(&bytes), "{key} at {size:?}: {bytes} bytes");
        }
    }
}

#[test]
fn a_second_costs_the_clock_and_no_more() {
    let mut stage = Stage::on(&outage(), (120, 40));
    stage.tick(stage.app.fleet.now() + SignedDuration::from_secs(15));
    let before = stage.buffer(Theme::COLOUR);
    assert_eq!(bytes(&before, &stage.buffer(Theme::COLOUR)), 0, "nothing changed");
    stage.tick(stage.app.fleet.now() + SignedDuration::from_secs(1));
    let bytes = bytes(&before, &stage.buffer(Theme::COLOUR));
    assert!((1..60).contains(&bytes), "{bytes} bytes");
}
