//! Conditions judged on stated facts: each rule, each trap, and what does not count as proof.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

use jiff::Timestamp;
use proptest::prelude::*;
use switchtower::domain::ids::{Arn, Region, ServiceKey};
use switchtower::domain::observation::{ErrorKind, Observed, ProbeError, Source, SourceKind};
use switchtower::domain::snapshot::{
    ConsistencyMode, Deployment, FailoverState, GlobalClusterState, GlobalMember, HealthCheckConfig,
    ProbeResult, Replica, ScalableTarget, ServiceEvent, ServiceState, TableState, Target,
};
use switchtower::runbook::{Answer, Condition, Fact, Facts, Judgement, Known, Moment, Suspended};

use super::print::latency;

const WEST: &str = "eu-west-1";
const EAST: &str = "us-east-1";

/// Ten minutes into the hour; steps of these tests began at 03:00:00 and want facts from 03:00:30 on.
fn at(clock: &str) -> Timestamp {
    format!("2026-11-21T{clock}Z").parse().unwrap()
}

fn source() -> Source {
    Source::new(SourceKind::Services, "ecs:DescribeServices", Some(Region::new(WEST)))
}

/// What is known, fresh.
fn seen(known: Known) -> Observed<Known> {
    Observed::seen(source(), known, at("03:00:55"))
}

fn error(kind: ErrorKind, clock: &str) -> ProbeError {
    ProbeError {
        kind,
        call: "ecs:DescribeServices".into(),
        region: Some(WEST.into()),
        message: "timed out after 4 s".into(),
        request_id: Some("req-1".into()),
        at: at(clock),
        next_step: "".into(),
    }
}

fn judge(condition: &Condition, facts: &Facts) -> Judgement {
    judge_at(condition, facts, "03:01:00", &BTreeMap::new())
}

fn judge_at(
    condition: &Condition,
    facts: &Facts,
    now: &str,
    alive_since: &BTreeMap<Region, Timestamp>,
) -> Judgement {
    let moved_at = BTreeMap::from([("my-global-db".into(), at("03:01:00"))]);
    let (began, not_before) = (at("03:00:00"), at("03:00:30"));
    let moment = Moment { now: at(now), began, not_before, alive_since, moved_at: &moved_at };
    condition.judge(facts, &moment)
}

/// `holds: words`, `not yet 0.50: words`, …
fn told(judgement: &Judgement) -> String {
    match judgement {
        Judgement::Holds { evidence } => format!("holds: {evidence}"),
        Judgement::NotYet { progress, share: Some(share) } => format!("not yet {share:.2}: {progress}"),
        Judgement::NotYet { progress, share: None } => format!("not yet: {progress}"),
        Judgement::Unknown { why } => format!("unknown: {why}"),
        Judgement::Never { why } => format!("never: {why}"),
    }
}

fn facts(known: impl IntoIterator<Item = (Fact, Known)>) -> Facts {
    let mut facts = Facts::new();
    for (fact, known) in known {
        facts.insert(fact, seen(known));
    }
    facts
}

/// A condition on one fact, what is known of it, and what is said.
fn table(condition: &Condition, cases: &[(Known, &str)]) {
    let wanted = condition.facts();
    assert_eq!(wanted.len(), 1, "{wanted:?}");
    for (known, words) in cases {
        assert_eq!(told(&judge(condition, &facts([(wanted[0].clone(), known.clone())]))), *words);
    }
}

fn key() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn service(desired: i32, running: i32, pending: i32) -> ServiceState {
    ServiceState {
        status: "ACTIVE".into(),
        desired,
        running,
        pending,
        task_definition: "api:7".into(),
        deployments: vec![Deployment {
            id: "d1".into(),
            status: "PRIMARY".into(),
            rollout: Some("COMPLETED".into()),
            rollout_reason: None,
            failed_tasks: 0,
            counts: (desired, running, pending),
            task_definition: "api:7".into(),
        }],
        events: Vec::new(),
    }
}

fn group(name: &str) -> Arn {
    Arn::new(format!("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/{name}/73e2"))
}

fn targets(states: &[&str]) -> Known {
    let target = |(index, state): (usize, &&str)| Target {
        id: format!("10.0.0.{index}").into(),
        port: Some(8080),
        state: (*state).into(),
        reason: None,
        description: None,
    };
    Known::Targets(states.iter().enumerate().map(target).collect())
}

fn probe(status: u16) -> Known {
    Known::Probe(ProbeResult {
        status,
        address: None,
        dns: Duration::ZERO,
        tcp: Duration::ZERO,
        tls: Duration::ZERO,
        first_byte: Duration::ZERO,
        certificate_ends: None,
        certificate_error: None,
    })
}

fn member(name: &str, is_writer: bool, synchronization: Option<&str>) -> GlobalMember {
    GlobalMember {
        arn: Arn::new(format!("arn:aws:rds:{EAST}:123456789012:cluster:{name}")),
        is_writer,
        synchronization: synchronization.map(Into::into),
        forwarding: None,
    }
}

fn global(status: &str, members: Vec<GlobalMember>, failover: Option<&str>) -> GlobalClusterState {
    GlobalClusterState {
        status: status.into(),
        engine_version: "8.0".into(),
        endpoint: None,
        members,
        failover: failover.map(|status| FailoverState {
            status: status.into(),
            from: None,
            to: Some(Arn::new("arn:aws:rds:eu-west-1:123456789012:cluster:db-eu")),
            data_loss_allowed: Some(false),
        }),
        deletion_protection: true,
    }
}

fn pair(status: &str, failover: Option<&str>) -> GlobalClusterState {
    global(status, vec![member("db-us", true, None), member("db-eu", false, Some("connected"))], failover)
}

#[test]
fn what_does_not_count_as_proof() {
    let condition = Condition::Desired { region: WEST.into(), service: key(), tasks: 4, at_least: true };
    let fact = condition.facts().remove(0);
    let known = Known::Service(service(4, 4, 0));
    let mut failed_later = seen(known.clone());
    failed_later.fail(error(ErrorKind::TimedOut, "03:00:56"));
    let cases = [
        (None, "unknown: service prod/api in eu-west-1: not asked yet"),
        (Some(Observed::pending(source())), "unknown: service prod/api in eu-west-1: no answer yet"),
        (
            Some(failed_later),
            "unknown: service prod/api in eu-west-1: ecs:DescribeServices in eu-west-1: timed out after 4 s (request req-1)",
        ),
        (
            Some(seen(known.clone()).into_saved()),
            "unknown: service prod/api in eu-west-1: known from the saved baseline only",
        ),
        (
            Some(Observed::seen(source(), known.clone(), at("03:00:29"))),
            "unknown: service prod/api in eu-west-1: last seen 03:00:29Z, too long ago to prove anything",
        ),
        (Some(Observed::seen(source(), known, at("03:00:30"))), "holds: desired 4"),
        (
            Some(seen(Known::Flag(true))),
            "unknown: service prod/api in eu-west-1: the answer is of another kind than was asked for",
        ),
    ];
    for (observed, words) in cases {
        let mut facts = Facts::new();
        if let Some(observed) = observed {
            facts.insert(fact.clone(), observed);
        }
        assert_eq!(told(&judge(&condition, &facts)), words);
    }
}

#[test]
fn health_check_flags_are_both_or_nothing() {
    let flags = |inverted, disabled, owner: Option<&str>| {
        Known::HealthCheck(HealthCheckConfig {
            version: 7,
            check_type: "HTTPS".into(),
            endpoint: "https://r1.api.example.com:443/health".into(),
            inverted,
            disabled,
            failure_threshold: Some(3),
            request_interval: Some(30),
            linked_service: owner.map(Into::into),
            children: Vec::new(),
            without_data: None,
        })
    };
    let out = Condition::HealthCheckFlags { check: "hc-us".into(), inverted: true, disabled: true };
    table(
        &out,
        &[
            (flags(true, true, None), "holds: flags inverted and disabled, version 7"),
            (
                flags(false, true, None),
                "not yet: flags disabled only, version 7 (which counts as healthy); wanted inverted and disabled",
            ),
            (
                flags(true, false, None),
                "not yet: flags inverted only, version 7 (which turns healthy when the endpoint fails); wanted inverted and disabled",
            ),
            (
                flags(false, false, None),
                "not yet: flags neither inverted nor disabled, version 7; wanted inverted and disabled",
            ),
            (
                flags(false, false, Some("arc")),
                "never: flags neither inverted nor disabled, version 7; the check belongs to arc, which alone may change it",
            ),
            (flags(true, true, Some("arc")), "holds: flags inverted and disabled, version 7"),
            (Known::Absent, "never: health check hc-us does not exist"),
        ],
    );
}

#[test]
fn switches_and_routing_controls() {
    let control = |name: &str| {
        Arn::new(format!("arn:aws:route53-recovery-control::1:controlpanel/p/routingcontrol/{name}"))
    };
    let off = Condition::RoutingControls { controls: vec![control("a"), control("b")], on: false };
    let both =
        |a, b| facts([(Fact::RoutingControl(control("a")), a), (Fact::RoutingControl(control("b")), b)]);
    for (a, b, words) in [
        (Known::Flag(false), Known::Flag(false), "holds: 2 routing controls Off"),
        (Known::Flag(false), Known::Flag(true), "not yet 0.50: 1 of 2 routing controls Off"),
        (Known::Absent, Known::Flag(false), "never: routing control a does not exist"),
    ] {
        assert_eq!(told(&judge(&off, &both(a, b))), words);
    }
    let one = facts([(Fact::RoutingControl(control("a")), Known::Flag(false))]);
    assert_eq!(told(&judge(&off, &one)), "unknown: routing control b: not asked yet");
    let none = Condition::RoutingControls { controls: Vec::new(), on: false };
    assert_eq!(told(&judge(&none, &one)), "never: no routing control is named");

    let flag = |fact: Fact, is| Condition::Flag { fact, is, name: "the switch".into() };
    let object = Fact::SwitchObject(WEST.into(), "b".into(), "out/us".into());
    table(
        &flag(object.clone(), true),
        &[
            (Known::Flag(true), "holds: the switch is on"),
            (Known::Present, "holds: the switch is on"),
            (Known::Flag(false), "not yet: the switch is still off"),
            (Known::Absent, "not yet: the switch does not exist"),
        ],
    );
    table(&flag(object, false), &[(Known::Absent, "holds: the switch does not exist")]);
    let metric = Fact::SwitchMetric(WEST.into(), "ns".into(), "out".into(), EAST.into());
    table(
        &flag(metric, true),
        &[
            (Known::Number(1.0), "holds: the switch is on"),
            (Known::Number(0.0), "not yet: the switch is still off"),
            (Known::Number(0.5), "unknown: the switch is 0.5, neither 0 nor 1"),
        ],
    );
    let protected = |deletion_protection| {
        Known::Table(TableState {
            status: "ACTIVE".into(),
            mode: ConsistencyMode::Eventual,
            replicas: Vec::new(),
            witnesses: Vec::new(),
            deletion_protection,
        })
    };
    table(
        &flag(Fact::Table(WEST.into(), "Orders".into()), false),
        &[
            (protected(true), "not yet: the switch is still on"),
            (protected(false), "holds: the switch is off"),
            (Known::Absent, "holds: the switch does not exist"),
        ],
    );
    table(
        &flag(Fact::Table(WEST.into(), "Orders".into()), true),
        &[(Known::Absent, "never: table Orders in eu-west-1 does not exist")],
    );
}

#[test]
fn records_are_compared_whole() {
    let wanted = latency("Z1", "api.example.com", EAST);
    let condition = |is| Condition::Record {
        zone: "Z1".into(),
        name: "api.example.com".into(),
        record_type: "A".into(),
        set_identifier: Some(EAST.into()),
        is,
    };
    let mut bare = wanted.clone();
    bare.health_check = None;
    let neighbours = || {
        let mut aaaa = latency("Z1", "api.example.com", EAST);
        aaaa.record_type = "AAAA".into();
        vec![latency("Z1", "api.example.com", WEST), aaaa]
    };
    let with = |set| Known::Records(neighbours().into_iter().chain([set]).collect());
    let what = "record api.example.com A (us-east-1)";
    table(
        &condition(Some(wanted.clone())),
        &[
            (with(wanted.clone()), &format!("holds: {what} is as planned")),
            (with(bare), &format!("not yet: {what} differs: health check none, wanted hc-us")),
            (Known::Records(neighbours()), &format!("not yet: {what} is not in the zone")),
        ],
    );
    table(
        &condition(None),
        &[
            (with(wanted), &format!("not yet: {what} is still in the zone")),
            (Known::Records(neighbours()), &format!("holds: {what} is not in the zone")),
        ],
    );
}

#[test]
fn limits_and_counts() {
    let target = |min, max, all: bool| {
        Known::Scaling(Some(ScalableTarget {
            min,
            max,
            scale_in_suspended: all,
            scale_out_suspended: all,
            scheduled_suspended: all,
        }))
    };
    let scaling = |min, max, at_least, suspended| Condition::Scaling {
        region: WEST.into(),
        service: key(),
        min,
        max: Some(max),
        at_least,
        suspended,
    };
    table(
        &scaling(6, 12, true, None),
        &[
            (target(6, 12, false), "holds: min 6, max 12, nothing suspended"),
            (target(8, 20, true), "holds: min 8, max 20, all scaling suspended"),
            (
                target(6, 11, false),
                "not yet: min 6, max 11, nothing suspended; wanted min at least 6, max at least 12",
            ),
            (Known::Scaling(None), "not yet: prod/api has no scalable target"),
        ],
    );
    table(
        &scaling(0, 12, false, Some(Suspended::ALL)),
        &[
            (target(0, 12, true), "holds: min 0, max 12, all scaling suspended"),
            (
                target(0, 12, false),
                "not yet: min 0, max 12, nothing suspended; wanted min 0, max 12, all scaling suspended",
            ),
            (
                target(1, 12, true),
                "not yet: min 1, max 12, all scaling suspended; wanted min 0, max 12, all scaling suspended",
            ),
        ],
    );
    // A limit that nobody read holds nothing up.
    let held = Condition::Scaling {
        region: WEST.into(),
        service: key(),
        min: 0,
        max: None,
        at_least: false,
        suspended: Some(Suspended::ALL),
    };
    table(
        &held,
        &[
            (target(0, 7, true), "holds: min 0, max 7, all scaling suspended"),
            (
                target(2, 7, false),
                "not yet: min 2, max 7, nothing suspended; wanted min 0, all scaling suspended",
            ),
        ],
    );
    let mut ended = service(0, 0, 0);
    ended.status = "INACTIVE".into();
    let desired =
        |tasks, at_least| Condition::Desired { region: WEST.into(), service: key(), tasks, at_least };
    table(
        &desired(6, false),
        &[
            (Known::Service(service(6, 0, 0)), "holds: desired 6"),
            (Known::Service(service(7, 7, 0)), "not yet: desired 7, wanted 6"),
            (Known::Service(ended.clone()), "never: prod/api is INACTIVE"),
            (Known::Absent, "never: service prod/api in eu-west-1 does not exist"),
        ],
    );
    table(&desired(0, false), &[(Known::Absent, "holds: prod/api does not exist")]);
    let stopped = Condition::Stopped { region: WEST.into(), service: key() };
    table(
        &stopped,
        &[
            (Known::Service(service(0, 0, 0)), "holds: no task runs or starts"),
            (Known::Service(service(0, 1, 2)), "not yet: 1 task running, 2 starting"),
            // Auto scaling raises what was only set to zero.
            (Known::Service(service(2, 0, 0)), "not yet: no task runs, but 2 are desired and will start"),
            (Known::Service(service(2, 2, 0)), "not yet: 2 tasks running, 0 starting; 2 are desired"),
            (Known::Service(ended), "holds: no task runs or starts"),
            (Known::Absent, "holds: prod/api does not exist"),
        ],
    );
}

#[test]
fn serving_is_running_and_healthy() {
    let condition = |groups: &[Arn]| Condition::Serving {
        region: WEST.into(),
        service: key(),
        groups: groups.to_vec(),
        tasks: 6,
    };
    let mut draining = service(6, 6, 0);
    draining.status = "DRAINING".into();
    let mut broken = service(6, 3, 0);
    broken.deployments[0].rollout = Some("FAILED".into());
    broken.deployments[0].rollout_reason = Some("tasks failed to start".into());
    let mut starved = service(6, 3, 1);
    let event = |clock: &str| ServiceEvent {
        id: "e1".into(),
        at: at(clock),
        message: "(service api) was unable to place a task".into(),
    };
    starved.events = vec![event("03:00:10")];
    let mut recovered = service(6, 3, 1);
    recovered.events = vec![event("02:59:59")];
    table(
        &condition(&[]),
        &[
            (Known::Service(service(6, 6, 0)), "holds: 6 tasks running"),
            // A rollout that is COMPLETED says nothing: a changed count starts no deployment.
            (Known::Service(service(6, 3, 3)), "not yet 0.50: 3 of 6 tasks running, 3 starting"),
            (Known::Service(service(4, 4, 0)), "not yet 0.67: 4 of 6 tasks running, only 4 desired"),
            (Known::Service(draining), "never: prod/api is DRAINING"),
            (
                Known::Service(broken),
                "never: the deployment of prod/api has FAILED, which starts no new tasks: tasks failed to start; 3 of 6 run",
            ),
            (
                Known::Service(starved),
                "not yet 0.50: 3 of 6 tasks running, 1 starting; ECS: (service api) was unable to place a task",
            ),
            (Known::Service(recovered), "not yet 0.50: 3 of 6 tasks running, 1 starting"),
            (Known::Absent, "never: service prod/api in eu-west-1 does not exist"),
        ],
    );
    let groups = [group("a"), group("b")];
    let served = |a: &[&str], b: &[&str]| {
        facts([
            (Fact::Service(WEST.into(), key()), Known::Service(service(6, 6, 0))),
            (Fact::Targets(WEST.into(), group("a")), targets(a)),
            (Fact::Targets(WEST.into(), group("b")), targets(b)),
        ])
    };
    for (a, b, words) in [
        (&["healthy"; 6][..], &["healthy"; 7][..], "holds: 6 tasks healthy"),
        (
            &["healthy"; 6],
            &["healthy", "initial", "draining"],
            "not yet 0.17: 1 of 6 tasks healthy, 6 running",
        ),
        (&["healthy"; 6], &[], "not yet 0.00: 0 of 6 tasks healthy, 6 running"),
    ] {
        assert_eq!(told(&judge(&condition(&groups), &served(a, b))), words);
    }
    let partly = served(&["healthy"; 6], &[]).only(&condition(&groups[..1]).facts());
    assert_eq!(
        told(&judge(&condition(&groups), &partly)),
        "unknown: target group b in eu-west-1: not asked yet"
    );
}

#[test]
fn alive_by_targets_or_by_our_own_request() {
    let condition = Condition::Alive { region: WEST.into(), groups: vec![group("a"), group("b")] };
    let a = Fact::Targets(WEST.into(), group("a"));
    let b = Fact::Targets(WEST.into(), group("b"));
    let own = Fact::Probe(WEST.into());
    assert_eq!(condition.facts(), [a.clone(), b.clone(), own.clone()]);
    let ok = "our own probe of eu-west-1: HTTP 200";
    let cases = [
        (
            Some(&["healthy", "unhealthy"][..]),
            Some(&["healthy"][..]),
            Some(200),
            format!("holds: 2 of 3 targets of eu-west-1 healthy; {ok}"),
        ),
        (
            Some(&["healthy"]),
            Some(&["unhealthy", "unhealthy"]),
            Some(503),
            "not yet: 1 of 3 targets of eu-west-1 healthy, none in 1 target group, or our own probe of eu-west-1: HTTP 503".into(),
        ),
        (Some(&["healthy"]), Some(&["unhealthy"]), Some(404), "holds: our own probe of eu-west-1: HTTP 404".into()),
        // A group whose targets are on their way out has none; a group without targets proves nothing.
        (Some(&["healthy"]), Some(&["draining", "unused"]), None, "holds: 1 of 1 targets of eu-west-1 healthy".into()),
        (
            Some(&[]),
            Some(&["draining"]),
            Some(500),
            "not yet: no target is registered in eu-west-1, or our own probe of eu-west-1: HTTP 500".into(),
        ),
        (
            Some(&["healthy"]),
            None,
            Some(500),
            "unknown: target group b in eu-west-1: not asked yet, and our own probe of eu-west-1: HTTP 500".into(),
        ),
        (Some(&["healthy"]), None, Some(200), format!("holds: {ok}")),
        (
            Some(&["unhealthy"]),
            Some(&[]),
            None,
            "unknown: 0 of 1 targets of eu-west-1 healthy, none in 1 target group, and our own probe of eu-west-1: not asked yet".into(),
        ),
    ];
    for (first, second, status, words) in cases {
        let first = first.map(|states| (a.clone(), targets(states)));
        let second = second.map(|states| (b.clone(), targets(states)));
        let own = status.map(|status| (own.clone(), probe(status)));
        assert_eq!(told(&judge(&condition, &facts([first, second, own].into_iter().flatten()))), words);
    }
}

#[test]
fn alive_for_is_counted_from_our_own_observations() {
    let span = Duration::from_mins(3);
    let condition = Condition::AliveFor { region: WEST.into(), groups: Vec::new(), span };
    let alive = facts([(Fact::Probe(WEST.into()), probe(200))]);
    let since = |clock: &str| BTreeMap::from([(Region::new(WEST), at(clock))]);
    for (now, since, words) in [
        ("03:01:00", BTreeMap::new(), "not yet 0.00: eu-west-1 is alive, watched from now on for 3 min"),
        ("03:01:00", since("03:00:15"), "not yet 0.25: eu-west-1 alive for 45 s of 3 min"),
        (
            "03:03:15",
            since("03:00:15"),
            "holds: eu-west-1 alive for 3 min; our own probe of eu-west-1: HTTP 200",
        ),
        ("03:03:14", since("03:00:15"), "not yet 0.99: eu-west-1 alive for 2 min 59 s of 3 min"),
    ] {
        assert_eq!(told(&judge_at(&condition, &alive, now, &since)), words);
    }
    // However long it was: what is not seen alive now is not alive.
    let dark = facts([(Fact::Probe(WEST.into()), probe(503))]);
    assert!(matches!(judge_at(&condition, &dark, "03:30:00", &since("02:00:00")), Judgement::NotYet { .. }));
    assert!(matches!(
        judge_at(&condition, &Facts::new(), "03:30:00", &since("02:00:00")),
        Judgement::Unknown { .. }
    ));
}

#[test]
fn the_writer_and_what_is_in_flight() {
    let db = |name: &str| member(name, false, None).arn;
    let writer =
        |name: &str| Condition::Writer { ask: vec![WEST.into()], global: "g".into(), cluster: db(name) };
    let known = |state| Known::GlobalCluster(state);
    table(
        &writer("db-us"),
        &[
            (known(pair("available", None)), "holds: writer db-us, g available"),
            // An empty FailoverState is an idle one; any word in it is an operation, also one that AWS's list omits.
            (known(pair("available", Some(""))), "holds: writer db-us, g available"),
            (
                known(pair("available", Some("switching-over"))),
                "not yet: switching-over to db-eu; writer db-us",
            ),
            (known(pair("failing-over", None)), "not yet: global cluster failing-over; writer db-us"),
            (known(global("available", Vec::new(), None)), "never: db-us is no member of g"),
            (
                known(global(
                    "available",
                    vec![member("db-us", true, None), member("db-eu", true, None)],
                    None,
                )),
                "unknown: both db-us and db-eu are called the writer",
            ),
            (Known::Absent, "never: global cluster g does not exist"),
        ],
    );
    table(&writer("db-eu"), &[(known(pair("available", None)), "not yet: writer db-us, wanted db-eu")]);
    let idle = Condition::GlobalIdle { ask: vec![WEST.into()], global: "g".into() };
    table(
        &idle,
        &[
            (known(pair("available", None)), "holds: g available, no operation in flight, writer db-us"),
            (known(pair("modifying", None)), "not yet: global cluster modifying"),
            (known(pair("available", Some("pending"))), "not yet: pending to db-eu"),
            (known(pair("deleting", None)), "never: g is being deleted"),
        ],
    );
    let synchronized = Condition::Synchronized { ask: vec![WEST.into()], global: "g".into() };
    let with = |others: &[Option<&str>]| {
        let others = others.iter().enumerate().map(|(at, word)| member(&format!("db-{at}"), false, *word));
        known(global("available", [member("db-us", true, None)].into_iter().chain(others).collect(), None))
    };
    table(
        &synchronized,
        &[
            (with(&[Some("connected")]), "holds: 1 secondary connected"),
            (
                with(&[Some("connected"), Some("pending-resync")]),
                "not yet 0.50: 1 of 2 secondaries connected: db-1 pending-resync",
            ),
            (with(&[Some("connected"), None]), "unknown: AWS does not tell whether db-1 is connected"),
            // After a promotion there is no standby until the old primary is rebuilt.
            (with(&[]), "not yet: g has no secondary"),
        ],
    );
    let detached =
        |name| Condition::Detached { ask: vec![WEST.into()], global: "g".into(), cluster: db(name) };
    table(
        &detached("db-eu"),
        &[(known(pair("available", None)), "not yet: db-eu is still a secondary of g")],
    );
    table(&detached("db-us"), &[(known(pair("available", None)), "not yet: db-us is still a writer of g")]);
    table(
        &detached("gone"),
        &[
            (known(pair("available", None)), "holds: gone is no member of g"),
            (Known::Absent, "holds: g does not exist"),
        ],
    );
}

#[test]
fn regions_are_asked_until_one_answers() {
    let ask = vec![Region::new(WEST), Region::new(EAST)];
    let condition = Condition::GlobalIdle { ask: ask.clone(), global: "g".into() };
    let [west, east] = condition.facts().try_into().unwrap();
    let dark = || Observed::failed(source(), error(ErrorKind::TimedOut, "03:00:50"));
    let idle = || seen(Known::GlobalCluster(pair("available", None)));
    let busy = || seen(Known::GlobalCluster(pair("modifying", None)));
    let unknown_west = "global cluster g as eu-west-1 tells it: ecs:DescribeServices in eu-west-1: timed out after 4 s (request req-1)";
    for (first, second, words) in [
        (dark(), idle(), "holds: g available, no operation in flight, writer db-us".to_owned()),
        (busy(), idle(), "not yet: global cluster modifying".to_owned()),
        (
            dark(),
            seen(Known::Absent),
            // A region that has left knows it no more; the dark one could still know it.
            format!("unknown: {unknown_west}"),
        ),
        (seen(Known::Absent), idle(), "holds: g available, no operation in flight, writer db-us".to_owned()),
        (seen(Known::Absent), seen(Known::Absent), "never: global cluster g does not exist".to_owned()),
    ] {
        let mut facts = Facts::new();
        facts.insert(west.clone(), first);
        facts.insert(east.clone(), second);
        assert_eq!(told(&judge(&condition, &facts)), words);
    }
    let nobody = Condition::GlobalIdle { ask: Vec::new(), global: "g".into() };
    assert_eq!(told(&judge(&nobody, &Facts::new())), "unknown: g: there is no region to ask");
}

#[test]
fn answers_prove_only_what_they_hold() {
    let names = || vec!["api.example.com".into()];
    let omit = Condition::AnswersOmit { names: names(), region: EAST.into() };
    let include = Condition::AnswersInclude { names: names(), region: EAST.into() };
    let answer = |region: Option<&str>, addresses: &[&str]| Answer {
        subnet: "198.18.1.0/24".into(),
        record_type: "A".into(),
        addresses: addresses.iter().map(|address| address.parse::<IpAddr>().unwrap()).collect(),
        region: region.map(Region::new),
        ttl: 60,
        tested: false,
    };
    let east = || answer(Some(EAST), &["192.0.2.1"]);
    let west = || answer(Some(WEST), &["192.0.2.2"]);
    let stranger = || answer(None, &["203.0.113.9"]);
    let empty = || answer(None, &[]);
    let six = |answer: Answer| Answer { record_type: "AAAA".into(), ..answer };
    let tested = |answer: Answer| Answer { tested: true, ..answer };
    let by = "by Route 53's TestDNSAnswer, for its servers do not answer us";
    let silent = "empty, which does not prove that those users are elsewhere";
    let name = "api.example.com";
    table(
        &omit,
        &[
            (
                Known::Answers(vec![west(), west()]),
                &format!("holds: {name}: none of 2 answers leads to us-east-1"),
            ),
            (
                Known::Answers(vec![west(), empty()]),
                &format!(
                    "unknown: {name}: 1 answer is {silent}; none of 1 answer (1 more is empty) leads to us-east-1"
                ),
            ),
            // Of a record type that is gone for everybody users take the other.
            (
                Known::Answers(vec![west(), west(), six(empty()), six(empty())]),
                &format!("holds: {name}: none of 2 answers (2 more are empty) leads to us-east-1"),
            ),
            (
                Known::Answers(vec![west(), west(), six(west()), six(empty())]),
                &format!(
                    "unknown: {name}: 1 answer is {silent}; none of 3 answers (1 more is empty) leads to us-east-1"
                ),
            ),
            (
                Known::Answers(vec![empty(), empty(), six(west())]),
                &format!(
                    "unknown: {name}: 2 answers are {silent}; none of 1 answer (2 more are empty) leads to us-east-1"
                ),
            ),
            (
                Known::Answers(vec![east(), empty()]),
                &format!(
                    "not yet 0.00: {name}: 1 of 1 answer (1 more is empty) still leads to us-east-1, for up to 60 s"
                ),
            ),
            (
                Known::Answers(vec![tested(west()), tested(west())]),
                &format!("holds: {name}: none of 2 answers (all {by}) leads to us-east-1"),
            ),
            (
                Known::Answers(vec![west(), west(), tested(west())]),
                &format!("holds: {name}: none of 3 answers (1 {by}) leads to us-east-1"),
            ),
            (
                Known::Answers(vec![east(), west(), west(), stranger()]),
                &format!("not yet 0.50: {name}: 1 of 4 answers still leads to us-east-1, for up to 60 s"),
            ),
            // An address that nobody knows may be the region's.
            (
                Known::Answers(vec![west(), stranger()]),
                &format!("unknown: {name}: 1 of 2 answers leads to no known load balancer"),
            ),
            (
                Known::Answers(vec![]),
                &format!("unknown: DNS answers for {name}: no address came back, which proves nothing"),
            ),
            (
                Known::Answers(vec![empty(), empty()]),
                &format!("unknown: DNS answers for {name}: no address came back, which proves nothing"),
            ),
        ],
    );
    table(
        &include,
        &[
            (
                Known::Answers(vec![east(), west()]),
                &format!("holds: {name}: 1 of 2 answers leads to us-east-1"),
            ),
            (Known::Answers(vec![west()]), &format!("not yet: {name}: none of 1 answer leads to us-east-1")),
            (
                Known::Answers(vec![west(), stranger()]),
                &format!("unknown: {name}: 1 of 2 answers leads to no known load balancer"),
            ),
            (
                Known::Answers(vec![]),
                &format!("unknown: DNS answers for {name}: no address came back, which proves nothing"),
            ),
        ],
    );
    let both =
        Condition::AnswersOmit { names: vec![name.into(), "www.example.com".into()], region: EAST.into() };
    let half = facts([(Fact::Answers(name.into()), Known::Answers(vec![west()]))]);
    assert_eq!(told(&judge(&both, &half)), "unknown: DNS answers for www.example.com: not asked yet");
    let none = Condition::AnswersOmit { names: Vec::new(), region: EAST.into() };
    assert_eq!(told(&judge(&none, &half)), "never: no name is given to ask DNS for");
}

#[test]
fn a_missing_minute_is_not_a_quiet_one() {
    let below = |before| Condition::TrafficBelow { region: EAST.into(), before, percent: 1.0, minutes: 3 };
    let numbers = |list: &[f64]| Known::Numbers(list.to_vec());
    let wanted = "wanted under 12 a minute (1 % of 1200)";
    table(
        &below(1200.0),
        &[
            (
                numbers(&[900.0, 11.0, 3.0, 0.0]),
                "holds: 0 requests a minute in us-east-1, under 12 a minute (1 % of 1200) for 3 minutes",
            ),
            (
                numbers(&[11.0, 12.0, 3.0]),
                &format!("not yet 0.33: 3 requests a minute in us-east-1, {wanted}; 1 of 3 minutes"),
            ),
            (
                numbers(&[400.0]),
                &format!("not yet 0.00: 400 requests a minute in us-east-1, {wanted}; 0 of 3 minutes"),
            ),
            (
                numbers(&[0.0, 0.0]),
                "unknown: requests of us-east-1: 2 of 3 minutes told; a missing minute is not zero",
            ),
            (numbers(&[]), "unknown: requests of us-east-1: no minute is told, which is not zero"),
            (
                numbers(&[0.0, f64::NAN, 0.0]),
                "unknown: requests of us-east-1: a minute is missing, which is not zero",
            ),
        ],
    );
    table(
        &below(0.0),
        &[(
            numbers(&[0.0, 0.0, 0.0]),
            "holds: 0 requests a minute in us-east-1, under 0 a minute (1 % of 0) for 3 minutes",
        )],
    );
    table(
        &below(f64::NAN),
        &[(numbers(&[0.0, 0.0, 0.0]), "never: requests of us-east-1: it is not known what they were before")],
    );
    let errors = Condition::ErrorsBelow { region: EAST.into(), percent: 1.0 };
    table(
        &errors,
        &[
            (Known::Number(0.2), "holds: 5XX 0.20 % in us-east-1"),
            (Known::Number(1.0), "not yet: 5XX 1.00 % in us-east-1, wanted under 1 %"),
            (Known::Number(f64::NAN), "unknown: 5XX of us-east-1: NaN is no percentage"),
        ],
    );
}

#[test]
fn minutes_are_told_late() {
    // The step began at 03:00:00, facts count from 03:00:30; minutes end at their own time.
    let cases: [(Condition, Known, [(&str, bool); 2]); 3] = [
        (
            Condition::ErrorsBelow { region: EAST.into(), percent: 1.0 },
            Known::Number(0.0),
            [("02:59:59", false), ("03:00:00", true)],
        ),
        (
            Condition::TrafficBelow { region: EAST.into(), before: 100.0, percent: 1.0, minutes: 1 },
            Known::Numbers(vec![0.0]),
            [("02:56:59", false), ("02:57:00", true)],
        ),
        // Lag is asked for right before a step acts: no minute since its beginning can have been told.
        (
            Condition::RpoLag { region: WEST.into(), cluster: "db-eu".into(), at_most: 1000.0 },
            Known::Number(184.0),
            [("02:56:29", false), ("02:56:30", true)],
        ),
    ];
    for (condition, known, times) in cases {
        for (clock, holds) in times {
            let mut facts = Facts::new();
            facts.insert(condition.facts().remove(0), Observed::seen(source(), known.clone(), at(clock)));
            let judgement = judge(&condition, &facts);
            assert_eq!(judgement.holds(), holds, "{clock} {}", told(&judgement));
            assert_eq!(matches!(judgement, Judgement::Unknown { .. }), !holds, "{}", told(&judgement));
        }
    }
    let lag = Condition::RpoLag { region: WEST.into(), cluster: "db-eu".into(), at_most: 1000.0 };
    table(
        &lag,
        &[
            (Known::Number(184.0), "holds: RPO lag 184 ms"),
            (Known::Number(1000.4), "not yet: RPO lag 1000.4 ms, wanted at most 1000 ms"),
            (Known::Number(540_940.0), "not yet: RPO lag 9 min 1 s, wanted at most 1.0 s"),
            (Known::Number(f64::NAN), "unknown: RPO lag of db-eu in eu-west-1: NaN is no lag"),
        ],
    );
}

#[test]
fn time_passes_and_requests_succeed() {
    let wait = Condition::Elapsed { span: Duration::from_mins(2), name: "TTL of 60 s".into() };
    assert!(wait.facts().is_empty());
    for (now, words) in [
        ("03:00:00", "not yet 0.00: TTL of 60 s: 0 s of 2 min, 2 min to go"),
        ("03:01:30", "not yet 0.75: TTL of 60 s: 90 s of 2 min, 30 s to go"),
        ("03:01:59.5", "not yet 1.00: TTL of 60 s: 119 s of 2 min, 1 s to go"),
        ("03:02:00", "holds: TTL of 60 s: 2 min have passed"),
        // A clock that was set back is no reason to wait for less.
        ("02:00:00", "not yet 0.00: TTL of 60 s: 0 s of 2 min, 2 min to go"),
    ] {
        assert_eq!(told(&judge_at(&wait, &Facts::new(), now, &BTreeMap::new())), words);
    }
    let settled = Duration::from_secs(15);
    let moved = |global: &str| Condition::EndpointMoved { global: global.into(), settled };
    for (global, now, words) in [
        ("my-global-db", "03:00:50", "not yet 0.00: the writer endpoint of my-global-db moved 0 s ago"),
        ("my-global-db", "03:01:09", "not yet 0.60: the writer endpoint of my-global-db moved 9 s ago"),
        ("my-global-db", "03:01:15", "holds: the writer endpoint of my-global-db moved 15 s ago"),
        ("another", "03:59:00", "not yet: RDS has not told that the writer endpoint of another moved"),
    ] {
        assert!(moved(global).facts().is_empty());
        assert_eq!(told(&judge_at(&moved(global), &Facts::new(), now, &BTreeMap::new())), words);
    }
    let synthetic = Condition::Synthetic { name: "api.example.com".into() };
    let Known::Probe(mut twisted) = probe(200) else { panic!("a probe") };
    twisted.certificate_error = Some("expired".into());
    table(
        &synthetic,
        &[
            (probe(204), "holds: our own request to api.example.com: HTTP 204"),
            (probe(404), "holds: our own request to api.example.com: HTTP 404"),
            (probe(500), "not yet: our own request to api.example.com: HTTP 500"),
            (
                Known::Probe(twisted),
                "holds: our own request to api.example.com: HTTP 200, but its certificate is not valid: expired",
            ),
        ],
    );
}

#[test]
fn what_is_gone_and_whose_it_is() {
    let gone = |fact: Fact| Condition::Gone { fact, name: "it".into() };
    let of_service = gone(Fact::Service(WEST.into(), key()));
    let mut inactive = service(0, 0, 0);
    inactive.status = "INACTIVE".into();
    let mut draining = service(0, 2, 0);
    draining.status = "DRAINING".into();
    table(
        &of_service,
        &[
            (Known::Absent, "holds: it does not exist"),
            (Known::Service(inactive), "holds: it is gone"),
            (Known::Service(draining), "not yet: it is DRAINING, 2 tasks running"),
        ],
    );
    for (clock, kind, words) in [
        ("03:00:50", ErrorKind::NotFound, "holds: it does not exist"),
        ("03:00:29", ErrorKind::NotFound, "unknown"),
        ("03:00:50", ErrorKind::Denied, "unknown"),
    ] {
        let mut facts = Facts::new();
        facts.insert(of_service.facts().remove(0), Observed::failed(source(), error(kind, clock)));
        let judged = told(&judge(&of_service, &facts));
        assert!(judged.starts_with(words), "{judged}");
        // "Not found" is an answer only where absence is wanted.
        let there = Condition::Desired { region: WEST.into(), service: key(), tasks: 2, at_least: true };
        assert!(told(&judge(&there, &facts)).starts_with("unknown"));
    }
    table(
        &gone(Fact::Stack(WEST.into(), "network".into())),
        &[
            (Known::Word("DELETE_IN_PROGRESS".into()), "not yet: it is DELETE_IN_PROGRESS"),
            (Known::Word("DELETE_COMPLETE".into()), "holds: it is gone"),
            (Known::Word("DELETE_FAILED".into()), "never: deleting it failed: stack network in eu-west-1"),
            (
                Known::Word("DELETE_FAILED: The following resource(s) failed to delete: [Vpc].".into()),
                "never: deleting it failed: The following resource(s) failed to delete: [Vpc].",
            ),
        ],
    );
    table(
        &gone(Fact::DbInstances(WEST.into(), "db-eu".into())),
        &[
            (Known::Names(vec!["a".into(), "b".into()]), "not yet: it has a, b left"),
            (Known::Names(Vec::new()), "holds: it is gone"),
        ],
    );
    table(&gone(Fact::Scaling(WEST.into(), key())), &[(Known::Scaling(None), "holds: it is gone")]);
    table(
        &gone(Fact::Bucket(WEST.into(), "b".into())),
        &[(Known::Number(0.0), "not yet: it is there, with at least 0 object versions")],
    );
    table(&gone(Fact::Alarm(WEST.into(), "a".into())), &[(Known::Present, "not yet: it is still there")]);

    let owned = Condition::Owned {
        region: WEST.into(),
        arn: "arn:x".into(),
        key: "owner".into(),
        value: "orders".into(),
    };
    let tags = |pairs: &[(&str, &str)]| {
        Known::Tags(pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect())
    };
    table(
        &owned,
        &[
            (tags(&[("owner", "orders"), ("x", "y")]), "holds: tag owner=orders"),
            (tags(&[("owner", "billing")]), "never: tags of x in eu-west-1: owner is billing, not orders"),
            (tags(&[("Owner", "orders")]), "never: tags of x in eu-west-1: there is no tag owner"),
            (Known::Absent, "never: tags of x in eu-west-1 does not exist"),
        ],
    );

    let replicas = |list: &[(&str, &str)]| {
        let replica = |(region, status): &(&str, &str)| Replica {
            region: (*region).into(),
            status: (*status).into(),
            description: None,
            inaccessible_since: None,
        };
        Known::Table(TableState {
            status: "ACTIVE".into(),
            mode: ConsistencyMode::Eventual,
            replicas: list.iter().map(replica).collect(),
            witnesses: Vec::new(),
            deletion_protection: false,
        })
    };
    let without = |replica: &str| Condition::NoReplica {
        ask: WEST.into(),
        table: "Orders".into(),
        replica: replica.into(),
    };
    table(
        &without(EAST),
        &[
            (replicas(&[(EAST, "DELETING")]), "not yet: replica of Orders in us-east-1 is DELETING"),
            (replicas(&[(WEST, "ACTIVE")]), "holds: table Orders has no replica in us-east-1"),
            (Known::Absent, "holds: table Orders in eu-west-1 does not exist"),
        ],
    );
    // The asked region may be missing in its own list; its table tells.
    table(&without(WEST), &[(replicas(&[]), "not yet: table Orders in eu-west-1 is ACTIVE")]);
}

/// Parts with a known outcome.
fn part(kind: u8) -> (Condition, Facts) {
    let wait = |minutes| Condition::Elapsed { span: Duration::from_mins(minutes), name: "w".into() };
    match kind {
        0 => (Condition::Always, Facts::new()),
        1 => (wait(2), Facts::new()),
        2 => (Condition::Synthetic { name: "u.example.com".into() }, Facts::new()),
        _ => (Condition::RoutingControls { controls: Vec::new(), on: true }, Facts::new()),
    }
}

fn rank(judgement: &Judgement) -> u8 {
    match judgement {
        Judgement::Holds { .. } => 0,
        Judgement::NotYet { .. } => 1,
        Judgement::Unknown { .. } => 2,
        Judgement::Never { .. } => 3,
    }
}

proptest! {
    /// All is as bad as its worst part; Any is as good as a part that holds, else unknown if one is, else open
    /// if one is.
    #[test]
    fn combining_is_honest(kinds in prop::collection::vec(0_u8..4, 0..6)) {
        let of: Vec<Condition> = kinds.iter().map(|kind| part(*kind).0).collect();
        let all = judge(&Condition::All { of: of.clone() }, &Facts::new());
        prop_assert_eq!(rank(&all), kinds.iter().copied().max().unwrap_or(0));
        let any = judge(&Condition::Any { of: of.clone() }, &Facts::new());
        let wanted = [0, 2, 1].into_iter().find(|kind| kinds.contains(kind)).unwrap_or(3);
        prop_assert_eq!(rank(&any), wanted);
        if let Judgement::NotYet { share: Some(share), .. } = all {
            prop_assert!((0.0..=1.0).contains(&share));
        }
        let facts = Condition::All { of }.facts();
        prop_assert!(facts.len() <= 1, "each once");
    }
}

#[test]
fn shares_add_up() {
    let half = Condition::Elapsed { span: Duration::from_mins(2), name: "w".into() };
    let of = vec![Condition::Always, half.clone()];
    assert_eq!(
        told(&judge(&Condition::All { of }, &Facts::new())),
        "not yet 0.75: w: 60 s of 2 min, 60 s to go"
    );
    let longer = Condition::Elapsed { span: Duration::from_mins(4), name: "v".into() };
    let any = told(&judge(&Condition::Any { of: vec![half, longer] }, &Facts::new()));
    assert_eq!(any, "not yet 0.50: w: 60 s of 2 min, 60 s to go, or v: 60 s of 4 min, 3 min to go");
}
