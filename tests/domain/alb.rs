//! The share of 5XX and the rate, under every kind of missing data.

use switchtower::domain::derive;
use switchtower::domain::metric::{Metric, Series};
use switchtower::domain::observation::{ErrorKind, Observed};

use super::fixture::{World, error, flat, region, series, target, window_end};

const LB: &str = "app/prod-us/50dc6c495c0c9188";
const GROUP: &str = "targetgroup/api/73e2d6bc24d8a067";

fn said(value: &Observed<f64>) -> String {
    match (value.value(), value.error()) {
        (Some(value), None) => format!("{value:.2}"),
        (Some(value), Some(error)) => format!("{value:.2} but {}", error.kind.label()),
        (None, Some(error)) => format!("{}: {}", error.kind.label(), error.message),
        (None, None) => "pending".to_owned(),
    }
}

/// requests, ELB 5XX, target 5XX, healthy hosts -> rate, share.
#[test]
fn missing_data_is_never_zero_without_proof() {
    let nothing = Series::default;
    let cases: Vec<(&str, [Series; 4], &str, &str)> = vec![
        ("all reported", [flat(6_000.0), flat(60.0), flat(240.0), flat(4.0)], "100.00", "4.95"),
        (
            "5XX are reported when non-zero only",
            [flat(6_000.0), nothing(), nothing(), flat(4.0)],
            "100.00",
            "0.00",
        ),
        (
            "requests alone prove the pipeline alive",
            [flat(6_000.0), nothing(), nothing(), nothing()],
            "100.00",
            "0.00",
        ),
        (
            "no targets: the balancer's own 503 prove it",
            [nothing(), flat(300.0), nothing(), nothing()],
            "0.00",
            "100.00",
        ),
        (
            "no traffic is no share",
            [nothing(), nothing(), nothing(), flat(4.0)],
            "0.00",
            "no data: no traffic",
        ),
        (
            "silence proves nothing",
            [nothing(), nothing(), nothing(), nothing()],
            "no data: no request counts, and nothing proves that metrics flow",
            "no data: no request counts, and nothing proves that metrics flow",
        ),
        (
            "points of long ago say nothing about now",
            [series([(40, 6_000.0)]), nothing(), nothing(), series([(40, 4.0)])],
            "no data: no request counts, and nothing proves that metrics flow",
            "no data: no request counts, and nothing proves that metrics flow",
        ),
        (
            "the newest minute that has a point counts",
            [series([(3, 6_000.0), (2, 3_000.0)]), nothing(), series([(3, 600.0)]), nothing()],
            "50.00",
            "0.00",
        ),
    ];
    for (name, [requests, elb, target, healthy], rate, share) in cases {
        let mut world = World::healthy();
        world.set(0, Metric::AlbRequests, &[LB], requests);
        world.set(0, Metric::AlbElb5xx, &[LB], elb);
        world.set(0, Metric::AlbTarget5xx, &[LB], target);
        world.set(0, Metric::AlbHealthyHosts, &[LB, GROUP], healthy);
        let rows = derive::alb(&world.topology, &world.snapshot(), &region("us-east-1"));
        assert_eq!(said(&rows[0].requests_per_s), rate, "rate: {name}");
        assert_eq!(said(&rows[0].error_5xx_percent), share, "share: {name}");
    }
}

#[test]
fn a_refused_series_costs_the_value_not_the_truth() {
    let mut world = World::healthy();
    let key = switchtower::domain::metric::SeriesKey::new(Metric::AlbElb5xx, &[LB]);
    let series = world.regions[0].metrics.get_mut(&key).unwrap();
    *series = Observed::failed(series.source().clone(), error(ErrorKind::Denied, window_end()));
    let rows = derive::alb(&world.topology, &world.snapshot(), &region("us-east-1"));
    assert_eq!(said(&rows[0].error_5xx_percent), "no permission: Rate exceeded");
}

#[test]
fn the_time_of_a_rate_is_the_end_of_its_minute() {
    let world = World::healthy();
    let rows = derive::alb(&world.topology, &world.snapshot(), &region("us-east-1"));
    assert_eq!(rows[0].requests_per_s.as_of(), Some(window_end()));
    assert_eq!(rows[0].requests_history.len(), derive::HISTORY_MINUTES);
    assert_eq!(rows[0].requests_history.last(), Some(&Some(100.0)));
}

#[test]
fn a_sum_over_groups_needs_every_group() {
    let mut world = World::healthy();
    let arn = world.topology.regions[0].load_balancers[0].target_groups[0].clone();
    let mut second = arn.as_str().to_owned();
    second.push('2');
    world.topology.regions[0].load_balancers[0].target_groups.push(second.as_str().into());
    let rows = derive::alb(&world.topology, &world.snapshot(), &region("us-east-1"));
    assert_eq!(rows[0].targets.value(), None, "one group of two was read");
    let known = world.regions[0].target_groups[&arn].clone();
    let mut other = known.clone();
    other.succeed(vec![target(9, "unhealthy")], world.now);
    world.regions[0].target_groups.insert(second.as_str().into(), other);
    let rows = derive::alb(&world.topology, &world.snapshot(), &region("us-east-1"));
    assert_eq!((rows[0].healthy_targets.value(), rows[0].targets.value()), (Some(&4), Some(&5)));
    assert_eq!(rows[0].targets.as_of(), known.as_of(), "as old as its oldest part");
}
