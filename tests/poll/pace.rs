//! How often AWS is asked: cadence, whole minutes, budgets and back-off.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::topology::Table;

use super::feed::{count, wait, watch};
use crate::cloud::fixture::{World, epoch, refusing, with, world};

/// Nothing but the services of the first region is watched.
fn only_services(world: &mut World) {
    let topology = std::sync::Arc::make_mut(&mut world.topology);
    topology.regions.truncate(1);
    topology.regions[0].load_balancers.clear();
    topology.regions[0].alarms.clear();
    topology.regions[0].topics.clear();
    topology.records.clear();
    topology.hostnames.clear();
    topology.tables.clear();
    topology.aurora.clear();
    topology.replication.clear();
}

fn times(world: &World, operation: &str, region: &str) -> Vec<Timestamp> {
    let calls = world.sim.calls();
    calls
        .iter()
        .filter(|call| call.operation == operation && call.region == region)
        .map(|call| call.at)
        .collect()
}

#[tokio::test(start_paused = true)]
async fn watching_stays_within_its_cadence() {
    const WATCHED: usize = 600;
    let world = world("calm");
    let _feed = watch(&world, None);
    wait(&world, WATCHED as u64).await;
    let mut tally: BTreeMap<(String, String), usize> = BTreeMap::new();
    for call in world.sim.calls() {
        *tally.entry((call.operation, call.region)).or_default() += 1;
    }
    // Calls a run, and seconds between runs, ±10 %, the first at once.
    let expected = [
        ("DescribeServices", "eu-west-1", 1, 10),
        ("DescribeLoadBalancers", "eu-west-1", 1, 15),
        ("DescribeTargetHealth", "eu-west-1", 3, 15),
        ("DescribeTable", "eu-west-1", 2, 30),
        ("DescribeGlobalClusters", "eu-west-1", 1, 15),
        ("DescribeDBClusters", "eu-west-1", 1, 15),
        ("DescribeScalableTargets", "eu-west-1", 1, 60),
        ("GetMetricData", "eu-west-1", 2, 60),
        ("GetMetricData", "us-east-1", 3, 60),
        ("DescribeAlarms", "eu-west-1", 1, 60),
        ("GetBucketReplication", "eu-west-1", 1, 600),
        ("GetTopicAttributes", "eu-west-1", 1, 600),
        ("ListResourceRecordSets", "us-east-1", 1, 60),
        ("GetHealthCheck", "us-east-1", 2, 60),
    ];
    for (operation, region, calls, seconds) in expected {
        let found = tally.remove(&(operation.to_owned(), region.to_owned())).unwrap_or_default();
        let usual = calls * WATCHED / seconds;
        let (least, most) = (usual * 10 / 11, usual * 10 / 9 + 2 * calls);
        assert!((least..=most).contains(&found), "{operation} {region}: {found}, not {least} to {most}");
    }
    assert_eq!(count(&world, "GetCallerIdentity", "eu-west-1"), 1);
    let route53 = world.sim.calls().iter().filter(|call| call.service == "route53").count();
    assert!(route53 <= 6 + WATCHED / 5, "{route53} calls to Route 53");
}

#[tokio::test(start_paused = true)]
async fn metrics_are_asked_for_just_after_each_whole_minute() {
    let world = world("calm");
    let _feed = watch(&world, None);
    wait(&world, 600).await;
    let asked = times(&world, "GetMetricData", "eu-west-1");
    assert!(asked[..2].iter().all(|at| at.duration_since(epoch()) < SignedDuration::from_millis(300)));
    let mut minutes: BTreeMap<i64, usize> = BTreeMap::new();
    for at in &asked[2..] {
        let second = at.as_second().rem_euclid(60);
        assert!((2..=8).contains(&second), "{at}");
        *minutes.entry(at.as_second().div_euclid(60)).or_default() += 1;
    }
    assert!(minutes.values().all(|calls| *calls == 2), "values and percentiles, once a minute: {minutes:?}");
    assert_eq!(minutes.len(), 10);
    let seconds: std::collections::BTreeSet<i64> =
        asked.iter().map(|at| at.as_millisecond() % 60_000).collect();
    assert!(seconds.len() > 10, "never in step");
}

/// The moments at which something was asked; what is asked within half a second of its first call
/// counts as one.
fn moments(world: &World) -> Vec<Timestamp> {
    let mut moments: Vec<Timestamp> = Vec::new();
    let mut times: Vec<Timestamp> = world.sim.calls().iter().map(|call| call.at).collect();
    times.sort_unstable();
    for at in times {
        if moments.last().is_none_or(|last| at.duration_since(*last) > SignedDuration::from_millis(500)) {
            moments.push(at);
        }
    }
    moments
}

#[tokio::test(start_paused = true)]
async fn what_is_due_at_about_the_same_time_is_asked_at_the_same_time() {
    let world = world("calm");
    let _feed = watch(&world, None);
    wait(&world, 30).await;
    world.sim.clear_calls();
    wait(&world, 600).await;
    let moments = moments(&world);
    // Every ten and every fifteen seconds makes eight moments a minute; metrics may add one, Route 53's budget two.
    assert!((75..=115).contains(&moments.len()), "{} moments in ten minutes", moments.len());
}

#[tokio::test(start_paused = true)]
async fn many_regions_take_turns() {
    let regions = switchtower::sim::SimOptions::first_regions(12);
    let world = with(switchtower::sim::SimOptions { regions, services: 1, ..Default::default() });
    let _feed = watch(&world, None);
    wait(&world, 60).await;
    world.sim.clear_calls();
    wait(&world, 10).await;
    let calls = world.sim.calls();
    let services: Vec<Timestamp> =
        calls.iter().filter(|call| call.operation == "DescribeServices").map(|call| call.at).collect();
    let tenths: std::collections::BTreeSet<i64> =
        services.iter().map(|at| at.as_millisecond() / 100).collect();
    assert!(tenths.len() >= 8, "{} of {} apart", tenths.len(), services.len());
}

#[tokio::test(start_paused = true)]
async fn throttling_doubles_the_pause_up_to_five_minutes_and_success_resets_it() {
    let (mut world, refuse) = refusing();
    only_services(&mut world);
    let feed = watch(&world, None);
    wait(&world, 2_400).await;
    // Each run is two attempts of the SDK, a second or so apart.
    let mut runs: Vec<Timestamp> = Vec::new();
    for at in refuse.times() {
        if runs.last().is_none_or(|last| at.duration_since(*last) > SignedDuration::from_secs(5)) {
            runs.push(at);
        }
    }
    let gaps: Vec<i64> = runs.windows(2).map(|pair| pair[1].duration_since(pair[0]).as_secs()).collect();
    for (gap, wanted) in gaps.iter().zip([20, 40, 80, 160, 300, 300, 300]) {
        assert!((wanted * 89 / 100..=(wanted * 111 / 100).min(301)).contains(gap), "{gaps:?}");
    }
    assert!(gaps.len() >= 7, "{gaps:?}");
    let seen = feed.snapshot(world.clock.now());
    for service in seen.regions[0].services.values() {
        assert_eq!(service.error().unwrap().kind, ErrorKind::Throttled);
    }

    refuse.stop();
    wait(&world, 301).await;
    let seen = feed.snapshot(world.clock.now());
    assert!(seen.regions[0].services.values().all(|service| service.error().is_none()));
    world.sim.clear_calls();
    wait(&world, 100).await;
    assert!(count(&world, "DescribeServices", "us-east-1") >= 8, "back at its cadence");
}

#[tokio::test(start_paused = true)]
async fn idle_tables_are_looked_at_in_wider_buckets_but_rarely() {
    let mut world = world("calm");
    only_services(&mut world);
    let topology = std::sync::Arc::make_mut(&mut world.topology);
    topology.regions[0].services.clear();
    let regions = vec!["us-east-1".into(), "eu-west-1".into()];
    topology.tables.push(Table { name: "idle".into(), regions, witness: None });
    let feed = watch(&world, None);
    wait(&world, 2_400).await;
    let asked = times(&world, "GetMetricData", "us-east-1").len();
    // Once at the start, then each of forty minutes; in wider buckets after one, six and thirty-six.
    assert_eq!(asked, 41 + 3);
    let seen = feed.snapshot(world.clock.now());
    for series in seen.regions[0].metrics.values() {
        assert!(series.value().unwrap().is_empty() && series.error().is_none());
        assert!(series.age(world.clock.now()).unwrap() < std::time::Duration::from_secs(190));
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_of_one_service_slows_no_other() {
    let world = world("throttling");
    let feed = watch(&world, None);
    wait(&world, 600).await;
    let seen = feed.snapshot(world.clock.now());
    let region = &seen.regions[0];
    assert!(region.services.values().any(|s| s.error().is_some_and(|e| e.kind == ErrorKind::Throttled)));
    assert!(region.tables.values().all(|table| table.error().is_none()));
    assert!(count(&world, "DescribeTable", "us-east-1") >= 36);
    assert!(count(&world, "DescribeServices", "eu-west-1") >= 54);
}

#[tokio::test(start_paused = true)]
async fn route_53_stays_in_its_budget_whatever_is_asked() {
    let regions = switchtower::sim::SimOptions::first_regions(6);
    let world = with(switchtower::sim::SimOptions { regions, services: 1, ..Default::default() });
    let feed = watch(&world, None);
    feed.focus(Some(switchtower::domain::observation::SourceKind::Checkers));
    for _ in 0..30 {
        feed.refresh();
        wait(&world, 10).await;
    }
    let route53 = world.sim.calls().iter().filter(|call| call.service == "route53").count();
    assert!(route53 <= 6 + 60, "{route53} calls in five minutes");
    let now = world.clock.now();
    let seen = feed.snapshot(now);
    assert!(seen.dns.records.values().all(|records| !records.is_stale(now, &world.topology.freshness)));
    assert!(seen.dns.health_checks.values().all(|check| !check.is_stale(now, &world.topology.freshness)));
}
