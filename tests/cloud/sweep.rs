//! One observation of everything: what `status` reads, in each scenario.

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::{Metric, PERIOD, floor_minute};
use switchtower::domain::observation::{ErrorKind, Observed, ProbeError};
use switchtower::domain::snapshot::{DnsSnapshot, FleetSnapshot, RegionSnapshot};
use switchtower::poll::{DEADLINE, observe_once};

use super::fixture::{World, world};

pub(crate) async fn observe(world: &World, deadline: Duration) -> FleetSnapshot {
    observe_once(world.cloud.clone(), world.topology.clone(), world.sim.probe(), world.clock, deadline).await
}

/// What a value came to: `None` while pending, else an answer or an error.
type Outcome<'a> = (String, Option<Result<(), &'a ProbeError>>);

fn outcome<T>(observed: &Observed<T>) -> Option<Result<(), &ProbeError>> {
    match (observed.error(), observed.value()) {
        (Some(error), _) => Some(Err(error)),
        (None, Some(_)) => Some(Ok(())),
        (None, None) => None,
    }
}

pub(crate) fn region_outcomes(region: &RegionSnapshot) -> Vec<Outcome<'_>> {
    let mut all = vec![("identity".to_owned(), outcome(&region.identity))];
    all.extend(region.load_balancers.iter().map(|(k, v)| (format!("lb {k}"), outcome(v))));
    all.extend(region.target_groups.iter().map(|(k, v)| (format!("tg {k}"), outcome(v))));
    all.extend(region.services.iter().map(|(k, v)| (format!("service {k}"), outcome(v))));
    all.extend(region.scaling.iter().map(|(k, v)| (format!("scaling {k}"), outcome(v))));
    all.extend(region.tables.iter().map(|(k, v)| (format!("table {k}"), outcome(v))));
    all.extend(region.global_clusters.iter().map(|(k, v)| (format!("global {k}"), outcome(v))));
    all.extend(region.db_clusters.iter().map(|(k, v)| (format!("cluster {k}"), outcome(v))));
    all.extend(region.buckets.iter().map(|(k, v)| (format!("bucket {k}"), outcome(v))));
    all.extend(region.alarms.iter().map(|(k, v)| (format!("alarm {k}"), outcome(v))));
    all.extend(region.topics.iter().map(|(k, v)| (format!("topic {k}"), outcome(v))));
    all.extend(region.metrics.iter().map(|(k, v)| (format!("series {k:?}"), outcome(v))));
    all.extend(region.probes.iter().map(|probe| (format!("probe {}", probe.url), outcome(&probe.result))));
    all
}

/// Without the last failures, which are asked for only where a checker complains.
pub(crate) fn dns_outcomes(dns: &DnsSnapshot) -> Vec<Outcome<'_>> {
    let mut all = vec![("identity".to_owned(), outcome(&dns.identity))];
    all.extend(dns.records.iter().map(|(k, v)| (format!("records {k}"), outcome(v))));
    all.extend(dns.health_checks.iter().map(|(k, v)| (format!("check {k}"), outcome(v))));
    all.extend(dns.checkers.iter().map(|(k, v)| (format!("checkers {k}"), outcome(v))));
    all.extend(dns.metrics.iter().map(|(k, v)| (format!("series {k:?}"), outcome(v))));
    all.extend(dns.alarms.iter().map(|(k, v)| (format!("alarm {k}"), outcome(v))));
    all.extend(dns.topics.iter().map(|(k, v)| (format!("topic {k}"), outcome(v))));
    all.extend(dns.control.iter().map(|probe| (format!("probe {}", probe.url), outcome(&probe.result))));
    all
}

fn kinds(outcomes: &[Outcome<'_>], prefix: &str) -> Vec<Option<ErrorKind>> {
    let named = outcomes.iter().filter(|(name, _)| name.starts_with(prefix));
    let mut kinds: Vec<_> =
        named.map(|(_, outcome)| outcome.and_then(Result::err).map(|error| error.kind)).collect();
    kinds.sort();
    kinds.dedup();
    kinds
}

#[tokio::test(start_paused = true)]
async fn a_calm_world_answers_every_question_in_one_round_trip() {
    let world = world("calm");
    let seen = observe(&world, DEADLINE).await;
    for region in &seen.regions {
        for (name, outcome) in region_outcomes(region) {
            assert_eq!(outcome, Some(Ok(())), "{name} in {}", region.region);
        }
    }
    for (name, outcome) in dns_outcomes(&seen.dns) {
        assert_eq!(outcome, Some(Ok(())), "{name}");
    }
    let took = world.clock.now().duration_since(super::fixture::epoch());
    let slowest = 2 * 125;
    assert!(
        took < SignedDuration::from_millis(slowest),
        "{took:?} is more than one round trip to the farthest"
    );
    assert_eq!(seen.usage.calls_per_minute as usize, world.sim.calls().len(), "every call is counted");
    // 25 series in each of two regions, 4 of Route 53, each minute.
    assert!((seen.usage.dollars_per_hour - 54.0 * 60.0 * 0.01 / 1_000.0).abs() < 1e-9);
}

#[tokio::test(start_paused = true)]
async fn no_scenario_hangs_or_leaves_anything_unsaid() {
    for name in switchtower::sim::scenario_names() {
        let world = world(&name);
        let started = world.clock.now();
        let seen = observe(&world, DEADLINE).await;
        let took = world.clock.now().duration_since(started);
        assert!(took <= SignedDuration::from_secs(10), "{name} took {took:?}");
        let regions = seen.regions.iter().flat_map(|region| region_outcomes(region));
        for (what, outcome) in regions.chain(dns_outcomes(&seen.dns)) {
            assert!(outcome.is_some(), "{name}: {what} is still pending");
            if let Some(Err(error)) = outcome {
                let text = error.to_string();
                assert!(!text.chars().any(char::is_control), "{name}: {text:?}");
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dead_line_ends_the_wait_and_says_so() {
    let world = world("black-hole");
    let started = world.clock.now();
    let seen = observe(&world, Duration::from_secs(2)).await;
    assert!(world.clock.now().duration_since(started) <= SignedDuration::from_millis(2_001));
    let dark = region_outcomes(&seen.regions[1]);
    assert_eq!(kinds(&dark, "service"), [Some(ErrorKind::TimedOut)]);
    assert_eq!(kinds(&dark, "series"), [Some(ErrorKind::TimedOut)]);
    assert_eq!(kinds(&dark, "probe"), [None], "the application itself answers");
    for (name, outcome) in region_outcomes(&seen.regions[0]) {
        assert_eq!(outcome, Some(Ok(())), "{name} in the other region");
    }
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_told_from_a_dead_region_in_every_protocol() {
    let world = world("expired-credentials");
    let seen = observe(&world, DEADLINE).await;
    for region in &seen.regions {
        for (name, outcome) in region_outcomes(region) {
            if name.starts_with("probe") {
                continue;
            }
            let error = outcome.unwrap().unwrap_err();
            assert_eq!(error.kind, ErrorKind::Expired, "{name}: {error}");
            assert!(error.next_step.as_str().contains("aws sso login"), "{name}: {error}");
            assert!(error.request_id.is_some(), "{name}: {error}");
        }
    }
    for (name, outcome) in dns_outcomes(&seen.dns) {
        if !name.starts_with("probe") {
            assert_eq!(outcome.unwrap().unwrap_err().kind, ErrorKind::Expired, "{name}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_dark_control_plane_leaves_what_does_not_lean_on_it() {
    let world = world("control-plane-down");
    let seen = observe(&world, DEADLINE).await;
    let dns = dns_outcomes(&seen.dns);
    assert_eq!(kinds(&dns, "records"), [Some(ErrorKind::ServiceDown)]);
    assert_eq!(kinds(&dns, "check "), [Some(ErrorKind::ServiceDown)]);
    assert_eq!(kinds(&dns, "series"), [None], "CloudWatch is another service");
    assert_eq!(kinds(&region_outcomes(&seen.regions[0]), "probe"), [None]);
    assert!(region_outcomes(&seen.regions[1]).iter().all(|(_, outcome)| *outcome == Some(Ok(()))));
}

#[tokio::test(start_paused = true)]
async fn throttling_names_itself_and_only_what_it_hits() {
    let world = world("throttling");
    let seen = observe(&world, DEADLINE).await;
    let hit = region_outcomes(&seen.regions[0]);
    assert_eq!(kinds(&hit, "service"), [Some(ErrorKind::Throttled)]);
    assert_eq!(kinds(&hit, "cluster"), [Some(ErrorKind::Throttled)]);
    assert_eq!(kinds(&hit, "series"), [None]);
    assert_eq!(kinds(&hit, "table"), [None]);
    assert_eq!(kinds(&dns_outcomes(&seen.dns), "records"), [Some(ErrorKind::Throttled)]);
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_named_where_it_makes_answers_unreadable() {
    let world = world("clock-skew");
    let seen = observe(&world, DEADLINE).await;
    let region = region_outcomes(&seen.regions[0]);
    assert_eq!(kinds(&region, "series"), [Some(ErrorKind::ClockSkew)]);
    assert_eq!(kinds(&region, "service"), [None], "the SDK corrects its signatures");
    let (_, outcome) = region.iter().find(|(name, _)| name.starts_with("series")).unwrap();
    let error = outcome.unwrap().unwrap_err();
    assert_eq!(error.message.as_str(), "this machine's clock is 15 min ahead of AWS's");
    assert_eq!(world.cloud.clock_ahead().as_mins(), -15);
}

#[tokio::test(start_paused = true)]
async fn series_are_whole_minutes_and_end_before_the_newest_bucket() {
    let world = world("calm");
    let seen = observe(&world, DEADLINE).await;
    let region = &seen.regions[1];
    let end = floor_minute(super::fixture::epoch()) - PERIOD;
    for (key, series) in &region.metrics {
        assert_eq!(series.as_of(), Some(end), "{key:?}");
        let points = series.value().unwrap().points();
        assert!(points.iter().all(|point| point.at.as_second() % 60 == 0), "{key:?}");
        assert!(points.windows(2).all(|pair| pair[0].at < pair[1].at), "{key:?}");
        assert!(points.iter().all(|point| point.at < end && point.at >= end - SignedDuration::from_hours(1)));
    }
    let requests = region.metrics.iter().find(|(key, _)| key.metric == Metric::AlbRequests).unwrap().1;
    assert!(requests.value().unwrap().points().len() >= 58, "the hour is there at once");
}

#[tokio::test(start_paused = true)]
async fn answers_are_as_the_world_is() {
    let world = world("calm");
    let seen = observe(&world, DEADLINE).await;
    let writer = Region::new(seen.regions[0].region.as_str());
    let global = seen.regions[1].global_clusters.values().next().unwrap().value().unwrap();
    let by_role: Vec<_> = global.members.iter().map(|m| (m.arn.region().unwrap(), m.is_writer)).collect();
    assert_eq!(by_role[0], (writer, true));
    for region in &seen.regions {
        let view = world.sim.view();
        let truth = view.regions.iter().find(|view| view.region == region.region.as_str()).unwrap();
        let healthy = region
            .target_groups
            .values()
            .flat_map(|group| group.value().unwrap())
            .filter(|target| target.state.as_str() == "healthy")
            .count();
        let running: i32 = region.services.values().map(|service| service.value().unwrap().running).sum();
        assert_eq!(healthy, usize::try_from(running).unwrap(), "{truth:?}");
        for service in region.services.values().map(|service| service.value().unwrap()) {
            assert_eq!(service.deployments[0].status.as_str(), "PRIMARY");
            assert_eq!(service.desired, service.running);
        }
        assert!(region.scaling.values().all(|target| target.value().unwrap().is_some()));
    }
    let checks = &seen.dns.health_checks;
    assert!(checks.values().all(|check| check.value().unwrap().endpoint.as_str().starts_with("https://")));
    assert!(seen.dns.checkers.values().all(|tally| tally.value().unwrap().total >= 8));
}
