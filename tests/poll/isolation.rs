//! One dead or hung region or service never delays another.

use std::time::Duration;

use switchtower::domain::observation::ErrorKind;

use super::feed::{count, wait, watch};
use crate::cloud::fixture::{with, world};
use crate::cloud::sweep::region_outcomes;

#[tokio::test(start_paused = true)]
async fn a_hung_region_leaves_the_other_live() {
    let world = world("black-hole");
    let feed = watch(&world, None);
    wait(&world, 1).await;
    let seen = feed.snapshot(world.clock.now());
    assert!(region_outcomes(&seen.regions[0]).iter().all(|(_, outcome)| *outcome == Some(Ok(()))));
    for _ in 0..30 {
        wait(&world, 10).await;
        let now = world.clock.now();
        let seen = feed.snapshot(now);
        for service in seen.regions[0].services.values() {
            assert!(service.age(now).unwrap() <= Duration::from_millis(11_200), "{:?}", service.age(now));
        }
        for service in seen.regions[1].services.values() {
            assert_eq!(service.error().unwrap().kind, ErrorKind::TimedOut);
            assert!(service.value().is_none());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dark_us_east_1_leaves_the_other_region_whole() {
    let world = world("control-plane-down");
    let feed = watch(&world, None);
    wait(&world, 120).await;
    let now = world.clock.now();
    let seen = feed.snapshot(now);
    for (name, outcome) in region_outcomes(&seen.regions[1]) {
        assert_eq!(outcome, Some(Ok(())), "{name}");
    }
    for record in seen.dns.records.values() {
        assert_eq!(record.error().unwrap().kind, ErrorKind::ServiceDown);
        assert!(!record.error().unwrap().message.is_empty());
    }
    assert!(seen.dns.metrics.values().all(|series| series.error().is_none()));
}

#[tokio::test(start_paused = true)]
async fn what_comes_back_is_seen_soon() {
    let world = world("black-hole");
    let feed = watch(&world, None);
    wait(&world, 300).await;
    world.sim.start_scenario("calm", None).unwrap();
    wait(&world, 21).await;
    let seen = feed.snapshot(world.clock.now());
    assert!(seen.regions[1].services.values().all(|service| service.error().is_none()));
    wait(&world, 70).await;
    let seen = feed.snapshot(world.clock.now());
    for (name, outcome) in region_outcomes(&seen.regions[1]) {
        if !name.starts_with("bucket") && !name.starts_with("topic") && !name.starts_with("identity") {
            assert_eq!(outcome, Some(Ok(())), "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn ten_regions_each_keep_their_pace() {
    let regions = switchtower::sim::SimOptions::first_regions(10);
    let scenario = "black-hole".to_owned();
    let world = with(switchtower::sim::SimOptions { regions, scenario, services: 1, ..Default::default() });
    let feed = watch(&world, None);
    wait(&world, 61).await;
    let now = world.clock.now();
    let seen = feed.snapshot(now);
    for (index, region) in seen.regions.iter().enumerate() {
        let fresh =
            region.services.values().all(|s| s.age(now).is_some_and(|age| age < Duration::from_secs(12)));
        assert_eq!(fresh, index != 1, "{}", region.region);
    }
    assert_eq!(count(&world, "GetMetricData", "ap-southeast-2"), 4, "two at once, two after the minute");
}
