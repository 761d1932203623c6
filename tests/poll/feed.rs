//! The live picture: what is there at once, what joins it, and how it is steered.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::metric::{Metric, PERIOD, floor_minute};
use switchtower::domain::observation::{Observed, SourceKind};
use switchtower::domain::snapshot::FleetSnapshot;
use switchtower::poll::{DEADLINE, FleetFeed, observe_once, start};
use tokio_util::sync::CancellationToken;

use crate::cloud::fixture::{World, world};
use crate::cloud::sweep::{dns_outcomes, region_outcomes};

pub(super) fn watch(world: &World, seed: Option<&FleetSnapshot>) -> FleetFeed {
    let (cloud, topology) = (world.cloud.clone(), world.topology.clone());
    start(cloud, topology, world.sim.probe(), world.clock, seed, CancellationToken::new())
}

pub(super) async fn wait(world: &World, seconds: u64) {
    world.clock.sleep(Duration::from_secs(seconds)).await;
}

pub(super) fn count(world: &World, operation: &str, region: &str) -> usize {
    let calls = world.sim.calls();
    calls.iter().filter(|call| call.operation == operation && call.region == region).count()
}

#[tokio::test(start_paused = true)]
async fn the_first_picture_waits_for_nothing() {
    let world = world("calm");
    let feed = watch(&world, None);
    let first = feed.snapshot(world.clock.now());
    assert_eq!(first.regions.len(), 2);
    for region in &first.regions {
        assert!(region_outcomes(region).iter().all(|(_, outcome)| outcome.is_none()));
        assert!(region_outcomes(region).len() > 50, "everything of the topology is there, pending");
    }
    assert!(world.sim.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn everything_fills_in_within_a_second() {
    let world = world("calm");
    let mut feed = watch(&world, None);
    feed.changed().await;
    assert!(
        world.clock.now().duration_since(crate::cloud::fixture::epoch()) < SignedDuration::from_millis(50)
    );
    wait(&world, 1).await;
    let seen = feed.snapshot(world.clock.now());
    for region in &seen.regions {
        for (name, outcome) in region_outcomes(region) {
            assert_eq!(outcome, Some(Ok(())), "{name} in {}", region.region);
        }
    }
    assert!(dns_outcomes(&seen.dns).iter().all(|(_, outcome)| *outcome == Some(Ok(()))));
    assert!(seen.usage.calls_per_minute > 30);
}

#[tokio::test(start_paused = true)]
async fn what_was_saved_is_shown_as_saved_until_answers_come() {
    let calm = world("calm");
    let (cloud, topology) = (calm.cloud.clone(), calm.topology.clone());
    let mut saved = observe_once(cloud, topology, calm.sim.probe(), calm.clock, DEADLINE).await;
    let region = Arc::make_mut(&mut saved.regions[1]);
    region.services.values_mut().for_each(|service| *service = service.clone().into_saved());
    region.metrics.values_mut().for_each(|series| *series = series.clone().into_saved());

    let dark = world("black-hole");
    let feed = watch(&dark, Some(&saved));
    let first = feed.snapshot(dark.clock.now());
    assert!(first.regions[1].services.values().all(|service| service.reading().unwrap().saved));
    wait(&dark, 60).await;
    let later = feed.snapshot(dark.clock.now());
    for service in later.regions[1].services.values() {
        assert!(service.reading().unwrap().saved, "the last known good stays");
        assert!(service.error().is_some(), "beside the reason why there is no newer");
        assert!(service.is_stale(dark.clock.now(), &dark.topology.freshness));
    }
    assert!(later.regions[0].services.values().all(|service| !service.reading().unwrap().saved));

    let light = world("calm");
    let feed = watch(&light, Some(&saved));
    wait(&light, 1).await;
    let now = feed.snapshot(light.clock.now());
    assert!(now.regions[1].metrics.values().all(|series| !series.reading().unwrap().saved));
    let requests =
        now.regions[1].metrics.iter().find(|(key, _)| key.metric == Metric::AlbRequests).unwrap().1;
    assert!(requests.value().unwrap().points().len() >= 58, "a saved point does not stand for the hour");
}

#[tokio::test(start_paused = true)]
async fn series_grow_by_the_minute_and_keep_an_hour() {
    let world = world("calm");
    let feed = watch(&world, None);
    wait(&world, 1).await;
    for _ in 0..12 {
        wait(&world, 60).await;
        let now = world.clock.now();
        let seen = feed.snapshot(now);
        for (key, series) in &seen.regions[0].metrics {
            let end = floor_minute(now) - PERIOD;
            assert!(series.as_of().unwrap() >= end - PERIOD, "{key:?}");
            let points = series.value().unwrap().points();
            assert!(points.len() <= 60, "{key:?}");
            assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at));
        }
    }
    let seen = feed.snapshot(world.clock.now());
    let requests =
        seen.regions[0].metrics.iter().find(|(key, _)| key.metric == Metric::AlbRequests).unwrap().1;
    let points = requests.value().unwrap().points();
    assert!(points.len() >= 58, "{} points", points.len());
    assert!(points.windows(2).all(|pair| pair[1].at == pair[0].at + PERIOD), "no minute is missing");
}

#[tokio::test(start_paused = true)]
async fn pause_stops_asking_and_refresh_asks_at_once() {
    let world = world("calm");
    let feed = watch(&world, None);
    wait(&world, 30).await;
    feed.set_paused(true);
    assert!(feed.is_paused());
    wait(&world, 15).await;
    world.sim.clear_calls();
    wait(&world, 300).await;
    assert!(world.sim.calls().is_empty(), "{:?}", world.sim.calls().first());
    for _ in 0..10 {
        feed.refresh();
    }
    wait(&world, 1).await;
    assert_eq!(count(&world, "DescribeServices", "eu-west-1"), 1, "ten requests are one");
    assert_eq!(count(&world, "GetMetricData", "eu-west-1"), 2);
    feed.refresh();
    wait(&world, 1).await;
    assert_eq!(count(&world, "DescribeServices", "eu-west-1"), 2);
    assert_eq!(count(&world, "GetMetricData", "eu-west-1"), 2, "the newest minute is known already");
    feed.set_paused(false);
    wait(&world, 30).await;
    assert!(count(&world, "DescribeServices", "eu-west-1") >= 4, "and on it goes");
}

#[tokio::test(start_paused = true)]
async fn checkers_are_asked_at_the_start_and_while_looked_at() {
    let world = world("calm");
    let feed = watch(&world, None);
    wait(&world, 300).await;
    assert_eq!(count(&world, "GetHealthCheckStatus", "us-east-1"), 2, "once each");
    feed.focus(Some(SourceKind::Checkers));
    wait(&world, 5).await;
    assert_eq!(count(&world, "GetHealthCheckStatus", "us-east-1"), 4, "at once when looked at");
    wait(&world, 70).await;
    assert_eq!(count(&world, "GetHealthCheckStatus", "us-east-1"), 6, "and each minute");
    feed.focus(Some(SourceKind::Services));
    wait(&world, 300).await;
    assert_eq!(count(&world, "GetHealthCheckStatus", "us-east-1"), 6);
    for _ in 0..20 {
        feed.focus(Some(SourceKind::Checkers));
        wait(&world, 1).await;
        feed.focus(None);
    }
    let spent = count(&world, "GetHealthCheckStatus", "us-east-1") - 6;
    assert!(spent <= 4, "moving through the panes cost {spent} calls");
}

#[tokio::test(start_paused = true)]
async fn an_unhealthy_verdict_is_looked_into() {
    let world = world("regional-outage");
    let feed = watch(&world, None);
    wait(&world, 360).await;
    let seen = feed.snapshot(world.clock.now());
    let bad: Vec<_> =
        seen.dns.last_failures.iter().filter(|(_, failure)| failure.value().is_some()).collect();
    assert_eq!(bad.len(), 1);
    let (check, failure) = bad[0];
    assert!(failure.value().unwrap().is_some(), "the reason is there");
    assert!(failure.age(world.clock.now()).unwrap() < Duration::from_secs(90), "and is kept fresh");
    let healthy = seen.dns.checkers.iter().find(|(id, _)| *id != check).unwrap().1;
    assert!(
        healthy.age(world.clock.now()).unwrap() > Duration::from_mins(5),
        "the healthy one is left alone"
    );
}

#[tokio::test(start_paused = true)]
async fn shutdown_ends_everything() {
    let world = world("black-hole");
    let feed = watch(&world, None);
    wait(&world, 5).await;
    feed.shutdown();
    let calls = world.sim.calls().len();
    wait(&world, 600).await;
    assert_eq!(world.sim.calls().len(), calls);
    assert!(feed.snapshot(world.clock.now()).regions[0].services.values().all(|s| s.value().is_some()));
}

#[tokio::test(start_paused = true)]
async fn the_banner_knows_who_and_until_when() {
    let world = world("calm");
    let feed = watch(&world, None);
    wait(&world, 1).await;
    let seen = feed.snapshot(world.clock.now());
    let identity: &Observed<_> = &seen.regions[0].identity;
    assert_eq!(identity.value().unwrap().expires, Some(world.sim.credentials().expires));
    assert_eq!(feed.custom_endpoint(), None);
}
