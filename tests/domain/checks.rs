//! Checks: each spoils a healthy world in one way and says which findings follow.

use jiff::SignedDuration;
use switchtower::domain::health::Health;
use switchtower::domain::ids::ServiceKey;
use switchtower::domain::metric::Metric;
use switchtower::domain::observation::{ErrorKind, Observed};
use switchtower::domain::snapshot::{DbClusterState, RegionSnapshot, Replica};

use super::fixture::{World, age, check, check_config, error, flat, service_state, target};

const LB: &str = "app/prod-us/50dc6c495c0c9188";

/// A name, what is done to a healthy world, the findings, and the verdicts: fleet, us-east-1, eu-west-1.
type Case = (&'static str, fn(&mut World), &'static [&'static str], [Health; 3]);

const H: Health = Health::Healthy;
const D: Health = Health::Degraded;
const I: Health = Health::Impaired;
const U: Health = Health::Unknown;

fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn cluster(world: &mut World, status: &str) {
    let at = world.now;
    let state = DbClusterState {
        status: status.into(),
        engine_version: "8.0.mysql_aurora.3.04.0".into(),
        instances: 2,
        pending_changes: false,
        resource_id: "cluster-CALM4EXAMPLE7Q2".into(),
    };
    for cluster in world.regions[1].db_clusters.values_mut() {
        cluster.succeed(state.clone(), at);
    }
}

fn all_fail(region: &mut RegionSnapshot, kind: ErrorKind, at: jiff::Timestamp) {
    fn each<'a, T: 'a>(
        values: impl Iterator<Item = &'a mut Observed<T>>,
        kind: ErrorKind,
        at: jiff::Timestamp,
    ) {
        values.for_each(|value| *value = Observed::failed(value.source().clone(), error(kind, at)));
    }
    each([&mut region.identity].into_iter(), kind, at);
    each(region.load_balancers.values_mut(), kind, at);
    each(region.target_groups.values_mut(), kind, at);
    each(region.services.values_mut(), kind, at);
    each(region.scaling.values_mut(), kind, at);
    each(region.tables.values_mut(), kind, at);
    each(region.global_clusters.values_mut(), kind, at);
    each(region.db_clusters.values_mut(), kind, at);
    each(region.buckets.values_mut(), kind, at);
    each(region.alarms.values_mut(), kind, at);
    each(region.topics.values_mut(), kind, at);
    each(region.metrics.values_mut(), kind, at);
}

#[test]
fn findings_and_verdicts() {
    let cases: &[Case] = &[
        ("all is well", |_| {}, &[], [H, H, H]),
        (
            "nothing read yet",
            |world| *world = World::unread(),
            &["info region.pending us-east-1", "info region.pending eu-west-1", "info route53.pending -"],
            [U, U, U],
        ),
        (
            "5XX over 5 %",
            |world| world.set(0, Metric::AlbTarget5xx, &[LB], flat(600.0)),
            &["critical alb.5xx us-east-1"],
            [I, I, H],
        ),
        (
            "5XX over 1 %",
            |world| world.set(0, Metric::AlbTarget5xx, &[LB], flat(90.0)),
            &["warning alb.5xx us-east-1"],
            [D, D, H],
        ),
        (
            "a task is missing",
            |world| {
                let at = world.now;
                world.regions[1].services.get_mut(&api()).unwrap().succeed(service_state(4, 3), at);
            },
            &["warning ecs.tasks eu-west-1"],
            [D, H, D],
        ),
        (
            "no task runs",
            |world| {
                let at = world.now;
                world.regions[1].services.get_mut(&api()).unwrap().succeed(service_state(4, 0), at);
            },
            &["critical ecs.tasks eu-west-1"],
            [I, H, I],
        ),
        (
            "services were last seen ten minutes ago: unknown, not healthy",
            |world| age(world.regions[0].services.get_mut(&api()).unwrap(), SignedDuration::from_mins(10)),
            &["warning region.stale us-east-1"],
            [U, U, H],
        ),
        (
            "unhealthy targets, and nobody else noticed",
            |world| {
                let at = world.now;
                for targets in world.regions[0].target_groups.values_mut() {
                    targets.succeed(vec![target(1, "unhealthy"), target(2, "unhealthy")], at);
                }
            },
            &[
                "critical alb.no_healthy_targets us-east-1",
                "warning route53.out_of_dns us-east-1",
                "warning route53.last_region -",
                "warning region.disagreement us-east-1",
            ],
            [I, I, H],
        ),
        (
            "a region is dark for our calls, and users are served",
            |world| {
                let at = world.now;
                all_fail(&mut world.regions[0], ErrorKind::TimedOut, at);
            },
            &["warning region.timed_out us-east-1"],
            [U, U, H],
        ),
        (
            "expired credentials are no outage",
            |world| {
                let at = world.now;
                all_fail(&mut world.regions[0], ErrorKind::Expired, at);
            },
            &["warning region.credentials us-east-1"],
            [U, U, H],
        ),
        (
            "replication latency, AWS's second tier",
            |world| {
                world.set(0, Metric::TableReplicationLatency, &["eu-west-1", "Orders"], flat(5_000.0));
            },
            &["critical dynamodb.replication_latency us-east-1"],
            [I, D, H],
        ),
        (
            "replication to a region that is ill by itself does not make the sender ill",
            |world| {
                let at = world.now;
                world.set(1, Metric::TableReplicationLatency, &["us-east-1", "Orders"], flat(50_000.0));
                world.regions[0].services.get_mut(&api()).unwrap().succeed(service_state(4, 0), at);
            },
            &["critical ecs.tasks us-east-1", "critical dynamodb.replication_latency eu-west-1"],
            [I, I, H],
        ),
        (
            "the 20-hour fuse burns",
            |world| {
                let at = world.now;
                let table = world.regions[0].tables.values_mut().next().unwrap();
                let mut state = table.value().cloned().unwrap();
                state.replicas = vec![Replica {
                    region: "eu-west-1".into(),
                    status: "INACCESSIBLE_ENCRYPTION_CREDENTIALS".into(),
                    description: None,
                    inaccessible_since: Some(at - SignedDuration::from_hours(17)),
                }];
                table.succeed(state, at);
            },
            &["critical dynamodb.fuse us-east-1"],
            [I, I, H],
        ),
        (
            "a fuse of which nobody says since when it burns",
            |world| {
                let at = world.now;
                let table = world.regions[0].tables.values_mut().next().unwrap();
                let mut state = table.value().cloned().unwrap();
                state.replicas[0].status = "REPLICATION_NOT_AUTHORIZED".into();
                table.succeed(state, at);
            },
            &["critical dynamodb.fuse us-east-1"],
            [I, I, H],
        ),
        (
            "Aurora lags",
            |world| world.set(1, Metric::AuroraRpoLag, &["my-db-eu-west-1"], flat(2_500.0)),
            &["warning aurora.lag eu-west-1"],
            [D, H, D],
        ),
        (
            "the writer was a secondary minutes ago: its lag is of that time",
            |world| world.set(0, Metric::AuroraRpoLag, &["my-db-us-east-1"], flat(200_000.0)),
            &[],
            [H, H, H],
        ),
        (
            "who writes was last known before the lag was measured: the lag counts",
            |world| {
                world.set(0, Metric::AuroraRpoLag, &["my-db-us-east-1"], flat(200_000.0));
                for region in &mut world.regions {
                    for global in region.global_clusters.values_mut() {
                        age(global, SignedDuration::from_secs(130));
                    }
                }
            },
            &[
                "critical aurora.lag us-east-1",
                "warning region.stale us-east-1",
                "warning region.stale eu-west-1",
            ],
            [I, D, D],
        ),
        (
            "the writer moves as planned: it says so, and nobody is impaired",
            |world| cluster(world, "switching-over"),
            &["warning aurora.status eu-west-1"],
            [D, H, D],
        ),
        (
            "a cluster in a state that only a failure has",
            |world| cluster(world, "inaccessible-encryption-credentials"),
            &["critical aurora.status eu-west-1"],
            [I, H, I],
        ),
        (
            "a disabled check hides a failure",
            |world| {
                let at = world.now;
                world
                    .dns
                    .health_checks
                    .get_mut(&check("hc-us"))
                    .unwrap()
                    .succeed(check_config(true, false), at);
            },
            &["warning route53.disabled us-east-1"],
            [D, D, H],
        ),
        (
            "pinned out of DNS",
            |world| {
                let at = world.now;
                world
                    .dns
                    .health_checks
                    .get_mut(&check("hc-us"))
                    .unwrap()
                    .succeed(check_config(true, true), at);
            },
            &[
                "warning route53.pinned us-east-1",
                "warning route53.out_of_dns us-east-1",
                "warning route53.last_region -",
            ],
            [D, D, H],
        ),
        (
            "every region is unhealthy for Route 53",
            |world| {
                world.set_dns(Metric::HealthCheckStatus, "hc-us", flat(0.0));
                world.set_dns(Metric::HealthCheckStatus, "hc-eu", flat(0.0));
            },
            &[
                "critical route53.unhealthy us-east-1",
                "critical route53.unhealthy eu-west-1",
                "critical route53.all_unhealthy -",
                "warning region.disagreement us-east-1",
                "warning region.disagreement eu-west-1",
            ],
            [I, I, I],
        ),
        (
            "our request fails, and everybody else's succeeds",
            |world| {
                let at = world.now;
                for probe in &mut world.regions[0].probes {
                    probe.result.fail(error(ErrorKind::TimedOut, at));
                }
            },
            &["warning probe.failed us-east-1"],
            [D, D, H],
        ),
        (
            "our request fails, and Route 53's too",
            |world| {
                let at = world.now;
                world.set_dns(Metric::HealthCheckStatus, "hc-us", flat(0.0));
                for probe in &mut world.regions[0].probes {
                    probe.result.fail(error(ErrorKind::TimedOut, at));
                }
            },
            &[
                "critical probe.failed us-east-1",
                "critical route53.unhealthy us-east-1",
                "warning route53.out_of_dns us-east-1",
                "warning route53.last_region -",
                "warning region.disagreement us-east-1",
            ],
            [I, I, H],
        ),
        (
            "nothing answers, nor does the control host: our network",
            |world| {
                let at = world.now;
                for region in &mut world.regions {
                    for probe in &mut region.probes {
                        probe.result =
                            Observed::failed(probe.result.source().clone(), error(ErrorKind::TimedOut, at));
                    }
                }
                let control = world.dns.control.as_mut().unwrap();
                control.result =
                    Observed::failed(control.result.source().clone(), error(ErrorKind::TimedOut, at));
            },
            &["warning probe.our_network -"],
            [U, H, H],
        ),
        (
            "another account answers",
            |world| {
                let at = world.now;
                let mut me = world.regions[0].identity.value().cloned().unwrap();
                me.account = "999999999999".into();
                world.regions[0].identity.succeed(me, at);
            },
            &["critical identity.account us-east-1"],
            [I, I, H],
        ),
        (
            "nobody hears the alarm",
            |world| {
                let at = world.now;
                for topic in world.regions[0].topics.values_mut() {
                    let silent = switchtower::domain::snapshot::TopicState { subscriptions: 0, pending: 1 };
                    topic.succeed(silent, at);
                }
            },
            &["info alarms.unheard us-east-1"],
            [H, H, H],
        ),
        (
            "the rule of a bucket is gone",
            |world| {
                let at = world.now;
                for rules in world.regions[0].buckets.values_mut() {
                    rules.succeed(Vec::new(), at);
                }
            },
            &["critical s3.rule us-east-1"],
            [I, I, H],
        ),
    ];
    for (name, spoil, findings, verdicts) in cases {
        let mut world = World::healthy();
        spoil(&mut world);
        assert_eq!(world.codes(), *findings, "{name}");
        let verdict = world.verdict();
        assert_eq!([verdict.fleet, verdict.regions[0].1, verdict.regions[1].1], *verdicts, "{name}");
    }
}

#[test]
fn what_was_saved_is_never_fresh() {
    let mut world = World::healthy();
    let service = world.regions[0].services.get_mut(&api()).unwrap();
    *service = service.clone().into_saved();
    assert_eq!(world.codes(), ["warning region.stale us-east-1"]);
}

/// Every code of the table is one that a check can find, once, and its step is one line.
#[test]
fn next_steps_belong_to_codes_that_exist() {
    use switchtower::domain::checks::next::{NEXT, next};
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/src/domain/checks");
    let mut sources = String::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if !path.ends_with("next.rs") {
            sources += &std::fs::read_to_string(path).unwrap();
        }
    }
    for (index, (code, step)) in NEXT.iter().enumerate() {
        // What cannot be read has its codes from the kind of the error.
        let short = code.strip_prefix("region.").unwrap_or(code);
        assert!(sources.contains(&format!("\"{short}\"")), "no check finds {code}");
        assert!(NEXT[..index].iter().all(|(earlier, _)| earlier != code), "{code} is there twice");
        assert!((10..=100).contains(&step.len()) && !step.ends_with('.'), "{code}: {step}");
    }
    assert_eq!(next("route53.denied"), next("region.denied"));
    assert_eq!(next("alb.5xx"), None);
}
