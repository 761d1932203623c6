//! Screens as snapshots: what an operator sees, in the three sizes that the console is designed for.

mod acting;
mod pins;

use switchtower::ui::Theme;

use crate::console::stage::{Stage, calm, many, outage, outage_seen, text};
use crate::domain::fixture::{World, error};

const SMALL: (u16, u16) = (80, 24);
const MIDDLE: (u16, u16) = (120, 40);
const LARGE: (u16, u16) = (200, 50);

macro_rules! screen {
    ($name:expr, $stage:expr) => {
        insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
            insta::assert_snapshot!($name, $stage.text());
        })
    };
}

#[test]
fn skeleton() {
    let stage = Stage::new(&calm().topology, SMALL);
    screen!("skeleton-80x24", stage);
}

#[test]
fn calm_fleet() {
    for (name, size) in [("80x24", SMALL), ("120x40", MIDDLE), ("200x50", LARGE)] {
        screen!(format!("calm-{name}"), Stage::on(&calm(), size));
    }
}

#[test]
fn regional_outage() {
    for (name, size) in [("80x24", SMALL), ("120x40", MIDDLE), ("200x50", LARGE)] {
        screen!(format!("outage-{name}"), outage_seen(size));
    }
    screen!("outage-20x5", outage_seen((20, 5)));
    screen!("outage-60x16", outage_seen((60, 16)));
}

#[test]
fn details() {
    let keys =
        ["", "j", "j j", "j j j", "j j j j", "tab tab tab tab tab", "tab tab tab tab tab tab", "backtab"];
    for (pane, keys) in
        ["alb", "ecs", "dynamodb", "aurora", "route53", "s3", "alarms", "probe"].iter().zip(keys)
    {
        let mut stage = outage_seen(SMALL);
        stage.press(keys);
        stage.press("enter");
        screen!(format!("detail-{pane}-80x24"), stage);
    }
    let mut stage = outage_seen(LARGE);
    stage.press("enter");
    screen!("detail-alb-200x50", stage);
}

#[test]
fn lists_and_help() {
    let mut stage = outage_seen(SMALL);
    stage.press("f j");
    screen!("findings-80x24", stage);
    stage.press("esc t");
    screen!("timeline-80x24", stage);
    stage.press("esc ?");
    screen!("help-80x24", stage);
    stage.press("esc z");
    screen!("zoom-80x24", stage);
}

#[test]
fn expired_credentials() {
    let mut world = calm();
    let now = world.now;
    let mut expired = error(switchtower::domain::ErrorKind::Expired, now);
    expired.call = "ecs:DescribeServices".into();
    expired.message = "ExpiredTokenException: The security token included in the request is expired".into();
    expired.next_step = "run `aws sso login --profile prod-oncall`".into();
    for region in &mut world.regions {
        region.identity.fail(expired.clone());
        for service in region.services.values_mut() {
            service.fail(expired.clone());
        }
        for targets in region.target_groups.values_mut() {
            targets.fail(expired.clone());
        }
    }
    let mut stage = Stage::on(&calm(), SMALL);
    world.now = now + jiff::SignedDuration::from_mins(4);
    stage.show(&world);
    screen!("expired-80x24", stage);
    stage.press("j enter");
    screen!("expired-detail-80x24", stage);
    stage.press("esc f");
    screen!("expired-findings-80x24", stage);
}

#[test]
fn saved_baseline() {
    let mut world = calm();
    let now = world.now;
    let dark = error(switchtower::domain::ErrorKind::TimedOut, now);
    let region = &mut world.regions[0];
    for targets in region.target_groups.values_mut() {
        *targets = targets.clone().into_saved();
        targets.fail(dark.clone());
    }
    for service in region.services.values_mut() {
        *service = service.clone().into_saved();
        service.fail(dark.clone());
    }
    for metric in region.metrics.values_mut() {
        *metric = switchtower::domain::Observed::failed(metric.source().clone(), dark.clone());
    }
    world.now = now + jiff::SignedDuration::from_mins(12);
    screen!("saved-80x24", Stage::on(&world, SMALL));
}

fn thirty() -> World {
    let mut world = World::healthy_in(many(30, 4));
    let at = world.now;
    for targets in world.regions[6].target_groups.values_mut() {
        targets.succeed((1..=4).map(|n| crate::domain::fixture::target(n, "unhealthy")).collect(), at);
    }
    world
}

#[test]
fn thirty_regions() {
    for (name, size) in [("80x24", SMALL), ("120x40", MIDDLE), ("200x50", LARGE)] {
        let mut stage = Stage::on(&thirty(), size);
        stage.press("7");
        screen!(format!("thirty-{name}"), stage);
    }
    let mut stage = Stage::on(&thirty(), SMALL);
    stage.press("end right right");
    screen!("thirty-end-80x24", stage);
}

/// Without colours nothing is lost: the same symbols, and no colour at all.
#[test]
fn monochrome() {
    let stage = Stage::on(&outage(), SMALL);
    let (colour, plain) = (stage.buffer(Theme::COLOUR), stage.buffer(Theme::MONOCHROME));
    assert_eq!(text(&colour), text(&plain));
    for cell in plain.content() {
        assert_eq!((cell.fg, cell.bg), (ratatui::style::Color::Reset, ratatui::style::Color::Reset));
    }
    assert!(colour.content().iter().any(|cell| cell.fg == ratatui::style::Color::Red));
}
