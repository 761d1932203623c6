//! Guards, one row a spoilt situation: what each finds for a planned run and for an emergency.

use jiff::SignedDuration;
use switchtower::domain::Topology;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::Metric;
use switchtower::domain::observation::{ErrorKind, Observed, Source, SourceKind};
use switchtower::domain::policy::Freeze;
use switchtower::domain::snapshot::{
    DbClusterState, HealthCheckConfig, Identity, ScalableTarget, ServiceState,
};
use switchtower::domain::text::Text;
use switchtower::domain::topology::{FrontDoor, LeaseSettings};
use switchtower::runbook::guards::drift;
use switchtower::runbook::{
    Arming, Claim, DatabaseChoice, Dependency, Fact, Force, Known, LeaseState, LeaseView, Params, Plan,
    PlanError, RunId, RunsOn, Subnet, TaskSize,
};

use super::stage::{Stage, of};
use crate::domain::fixture::{World, age, check_config, error, flat, probe_result, target};

/// What is found: a `B` for a block, `b` for one that a reason overrides, `w` for a warning, then the guard.
fn found(plan: &Plan) -> Vec<String> {
    plan.findings
        .iter()
        .map(|finding| {
            let force = match finding.force {
                Force::Warn => "w",
                Force::Block if finding.may_override => "b",
                Force::Block => "B",
            };
            format!("{force} {}", finding.guard.word())
        })
        .collect()
}

fn planned(stage: &Stage) -> Vec<String> {
    found(&stage.plan("drain", &of("us-east-1")).unwrap())
}

/// An emergency whose signals are enough.
fn emergency(stage: &Stage) -> Vec<String> {
    let params = Params { database: Some(DatabaseChoice::Leave), ..of("us-east-1") };
    let mut lines = found(&stage.plan("failover", &params).unwrap());
    // Too few signals are a test of their own.
    lines.retain(|line| line != "w runbook");
    lines
}

fn lease(heartbeat_ago: i64, stage: &Stage) -> LeaseView {
    LeaseView {
        claim: Claim {
            application: "orders".into(),
            run: RunId::parse("20261121T020000Z-drain-eu-west-1-0001").unwrap(),
            holder: "arn:aws:iam::123456789012:user/night".into(),
            host: "bastion-2".into(),
            purpose: "drain eu-west-1".into(),
        },
        number: 7,
        heartbeat: stage.now - SignedDuration::from_secs(heartbeat_ago),
        released: false,
    }
}

fn identity(account: &str, partition: &str, stage: &Stage, minutes: i64) -> Known {
    Known::Identity(Identity {
        account: account.into(),
        arn: format!("arn:{partition}:iam::{account}:user/oncall").as_str().into(),
        expires: Some(stage.now + SignedDuration::from_mins(minutes)),
    })
}

fn service(stage: &Stage, at: &str) -> Fact {
    let region = Region::new(at);
    Fact::Service(region.clone(), stage.topology.region(&region).unwrap().services[0].key.clone())
}

fn size(runs_on: RunsOn, vcpus: Option<f64>) -> TaskSize {
    TaskSize { runs_on, vcpus }
}

/// A Fargate quota of the survivor, and what a task of its one service takes of it; eight of them are needed.
fn quota(vcpus: f64, size: Option<TaskSize>) -> Stage {
    let mut stage = Stage::healthy();
    let Fact::Service(survivor, key) = service(&stage, "eu-west-1") else { unreachable!() };
    stage.read(Fact::VcpuQuota(survivor.clone()), Known::Number(vcpus));
    if let Some(size) = size {
        stage.read(Fact::TaskSize(survivor, key), Known::TaskSize(size));
    }
    stage
}

/// What is free in the subnets of the survivor's one service, which runs four of the eight tasks that are needed.
fn free(subnets: &[Option<u32>]) -> Stage {
    let mut stage = Stage::healthy();
    let Fact::Service(survivor, key) = service(&stage, "eu-west-1") else { unreachable!() };
    let zones = "abcdef".chars().zip(subnets);
    let subnets = zones.map(|(zone, free)| Subnet {
        id: format!("subnet-{zone}").as_str().into(),
        zone: format!("eu-west-1{zone}").into(),
        free: *free,
    });
    stage.read(Fact::Subnets(survivor, key), Known::Subnets(subnets.collect()));
    stage
}

/// Nobody could say what is free.
fn denied() -> Stage {
    let mut stage = Stage::healthy();
    let Fact::Service(survivor, key) = service(&stage, "eu-west-1") else { unreachable!() };
    let error = error(ErrorKind::Denied, stage.now);
    let source = Source::new(SourceKind::Services, "ec2:DescribeSubnets", Some(survivor.clone()));
    stage.facts.insert(Fact::Subnets(survivor, key), Observed::failed(source, error));
    stage
}

fn unhealthy(world: &mut World, index: usize) {
    for targets in world.regions[index].target_groups.values_mut() {
        let at = targets.as_of().unwrap();
        targets.succeed(vec![target(1, "unhealthy")], at);
    }
}

/// Spoils what is seen of the survivor's services.
fn spoil_services(world: &mut World, spoil: fn(&mut ServiceState)) {
    for service in world.regions[1].services.values_mut() {
        let (mut state, at) = (service.value().unwrap().clone(), service.as_of().unwrap());
        spoil(&mut state);
        service.succeed(state, at);
    }
}

fn refused(world: &mut World, index: usize) {
    let now = world.now;
    for probe in &mut world.regions[index].probes {
        probe.result.fail(error(ErrorKind::TimedOut, now));
    }
}

type Row = (&'static str, fn() -> Stage, &'static [&'static str], &'static [&'static str]);

const ROWS: &[Row] = &[
    ("all is well", Stage::healthy, &[], &[]),
    ("read-only", || Stage { armed: false, ..Stage::healthy() }, &["B armed"], &["B armed"]),
    (
        "another account answers",
        || {
            let mut stage = Stage::healthy();
            let known = identity("999999999999", "aws", &stage, 600);
            stage.read(Fact::Identity("eu-west-1".into()), known);
            stage
        },
        &["B identity"],
        &["B identity"],
    ),
    (
        "another partition answers",
        || {
            let mut stage = Stage::healthy();
            let known = identity("123456789012", "aws-cn", &stage, 600);
            stage.read(Fact::Identity("dns".into()), known);
            stage
        },
        &["B identity"],
        &["B identity"],
    ),
    (
        "credentials end before the run",
        || {
            let mut stage = Stage::healthy();
            let known = identity("123456789012", "aws", &stage, 1);
            stage.read(Fact::Identity("dns".into()), known);
            stage
        },
        &["w identity"],
        &["w identity"],
    ),
    (
        "credentials have ended everywhere",
        || {
            Stage::spoilt(|world| {
                let now = world.now;
                world.dns.identity.fail(error(ErrorKind::Expired, now));
                for region in &mut world.regions {
                    region.identity.fail(error(ErrorKind::Expired, now));
                }
            })
        },
        &["B identity"],
        &["B identity"],
    ),
    (
        "a foreign endpoint",
        || Stage { foreign_endpoint: Some("http://127.0.0.1:5000".into()), ..Stage::healthy() },
        &["B endpoint"],
        &["B endpoint"],
    ),
    (
        "the survivor is dead",
        || {
            Stage::spoilt(|world| {
                unhealthy(world, 1);
                refused(world, 1);
            })
        },
        &["B survivors"],
        &["B survivors"],
    ),
    (
        "the survivor is degraded",
        || Stage::spoilt(|world| unhealthy(world, 1)),
        // And Route 53, which looks at targets too, would go on answering with the region.
        &["w survivors", "B survivors"],
        &["w survivors", "w survivors"],
    ),
    (
        "nothing is known of the survivor",
        || {
            Stage::spoilt(|world| {
                let old = SignedDuration::from_mins(20);
                world.regions[1].target_groups.values_mut().for_each(|targets| age(targets, old));
                world.regions[1].probes.iter_mut().for_each(|probe| age(&mut probe.result, old));
            })
        },
        &["w survivors", "b fresh", "b fresh"],
        &["w survivors", "w fresh", "w fresh"],
    ),
    (
        "the survivor is pinned",
        || {
            Stage::spoilt(|world| {
                let at = world.now;
                world.dns.health_checks.get_mut("hc-eu").unwrap().succeed(check_config(true, true), at);
            })
        },
        &["B survivors"],
        &["B survivors"],
    ),
    (
        "Route 53 calls the survivor unhealthy",
        || Stage::spoilt(|world| world.set_dns(Metric::HealthCheckStatus, "hc-eu", flat(0.0))),
        &["B survivors"],
        &["w survivors"],
    ),
    (
        "limits of the survivor were read long ago",
        || {
            Stage::spoilt(|world| {
                world.regions[1].scaling.values_mut().for_each(|s| age(s, SignedDuration::from_mins(30)));
            })
        },
        &["b fresh"],
        &["w fresh"],
    ),
    (
        "the survivor runs fewer tasks than it wants",
        || Stage::spoilt(|world| spoil_services(world, |state| state.running = state.desired - 1)),
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "the survivor's newest tasks fail to start",
        || Stage::spoilt(|world| spoil_services(world, |state| state.deployments[0].failed_tasks = 7)),
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "the survivor's deployment was given up",
        || {
            Stage::spoilt(|world| {
                spoil_services(world, |state| state.deployments[0].rollout = Some("FAILED".into()));
            })
        },
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "the quota is too small",
        || quota(7.9, Some(size(RunsOn::Fargate, Some(1.0)))),
        &["b headroom"],
        &["w headroom"],
    ),
    ("the quota is just enough", || quota(8.0, Some(size(RunsOn::Fargate, Some(1.0)))), &[], &[]),
    ("the quota is enough for small tasks", || quota(2.0, Some(size(RunsOn::Fargate, Some(0.25)))), &[], &[]),
    (
        "the quota is too small for large tasks",
        || quota(31.0, Some(size(RunsOn::Fargate, Some(4.0)))),
        &["b headroom"],
        &["w headroom"],
    ),
    ("tasks on EC2 do not count", || quota(1.0, Some(size(RunsOn::Elsewhere, Some(4.0)))), &[], &[]),
    (
        "tasks that may run on Fargate",
        || quota(7.0, Some(size(RunsOn::Perhaps, Some(1.0)))),
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "a definition without vCPUs",
        || quota(1.0, Some(size(RunsOn::Fargate, None))),
        &["w headroom"],
        &["w headroom"],
    ),
    ("a definition that was never read", || quota(1.0, None), &["w headroom"], &["w headroom"]),
    ("addresses are free", || free(&[Some(2), Some(2)]), &[], &[]),
    ("addresses run out", || free(&[Some(2), Some(1)]), &["b headroom"], &["w headroom"]),
    ("no address at all", || free(&[Some(0)]), &["b headroom"], &["w headroom"]),
    ("one zone is full", || free(&[Some(0), Some(9)]), &["w headroom"], &["w headroom"]),
    ("a subnet of IPv6 alone does not run out", || free(&[Some(2), None]), &[], &[]),
    ("tasks with the address of their machine", || free(&[]), &[], &[]),
    ("free addresses could not be read", denied, &["w headroom"], &["w headroom"]),
    (
        "scaling limits were never read",
        || {
            Stage::spoilt(|world| {
                let skeleton = World::unread();
                world.regions[1].scaling = skeleton.regions[1].scaling.clone();
            })
        },
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "targets are no ECS services",
        || {
            let mut stage = Stage::healthy();
            stage.topology.regions.iter_mut().for_each(|entry| entry.services.clear());
            stage
        },
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "scale-out of the survivor is suspended",
        || {
            let mut stage = Stage::healthy();
            let Fact::Service(region, key) = service(&stage, "eu-west-1") else { unreachable!() };
            let limits = ScalableTarget {
                min: 2,
                max: 20,
                scale_in_suspended: false,
                scale_out_suspended: true,
                scheduled_suspended: false,
            };
            stage.read(Fact::Scaling(region, key), Known::Scaling(Some(limits)));
            stage
        },
        &["w headroom"],
        &["w headroom"],
    ),
    (
        "the database lags",
        || Stage::spoilt(|world| world.set(1, Metric::AuroraRpoLag, &["my-db-eu-west-1"], flat(9_000.0))),
        &["b data at risk"],
        // The writer is left where it is: nothing is promoted.
        &[],
    ),
    (
        "tables lag",
        || {
            let lag = |world: &mut World| {
                world.set(0, Metric::TableReplicationLatency, &["eu-west-1", "Orders"], flat(60_000.0));
            };
            Stage::spoilt(lag)
        },
        &["w data at risk"],
        &["w data at risk"],
    ),
    (
        "an image lies in the region that goes",
        || {
            let mut stage = Stage::healthy();
            let Fact::Service(region, key) = service(&stage, "eu-west-1") else { unreachable!() };
            let image = Dependency {
                kind: "image".into(),
                name: "123456789012.dkr.ecr.us-east-1.amazonaws.com/api:7".into(),
                region: Some(Region::new("us-east-1")),
            };
            stage.read(Fact::Dependencies(region, key), Known::Dependencies(vec![image]));
            stage
        },
        &["b dependency"],
        &["w dependency"],
    ),
    (
        "another run holds the lease",
        || {
            let mut stage = Stage::healthy();
            stage.lease = LeaseState::Held(lease(10, &stage));
            stage
        },
        &["b lease"],
        &["w lease"],
    ),
    (
        "a lease has expired",
        || {
            let mut stage = Stage::healthy();
            stage.lease = LeaseState::Held(lease(600, &stage));
            stage
        },
        &["b lease"],
        &["w lease"],
    ),
    (
        "a lease was given back",
        || {
            let mut stage = Stage::healthy();
            stage.lease = LeaseState::Held(LeaseView { released: true, ..lease(10, &stage) });
            stage
        },
        &[],
        &[],
    ),
    (
        "the lease table is dark",
        || Stage { lease: LeaseState::Unreachable("timed out".into()), ..Stage::healthy() },
        &["b lease"],
        &["w lease"],
    ),
    (
        "there is no lease table",
        || Stage { lease: LeaseState::NotConfigured, ..Stage::healthy() },
        &["w lease"],
        &["w lease"],
    ),
    (
        "the lease lies where users are served",
        || {
            let mut stage = Stage::healthy();
            let table = "lease".into();
            stage.topology.lease = Some(LeaseSettings { table, region: Region::new("eu-west-1") });
            stage.read(Fact::Identity("lease".into()), identity("123456789012", "aws", &stage, 600));
            stage
        },
        &["w lease"],
        &["w lease"],
    ),
    (
        "a run never ended",
        || Stage {
            unfinished: vec![RunId::parse("20261120T020000Z-drain-eu-west-1-0001").unwrap()],
            ..Stage::healthy()
        },
        &["b lease"],
        &["w lease"],
    ),
    (
        "changes are frozen",
        || {
            let mut stage = Stage::healthy();
            let (from, until) =
                (stage.now - SignedDuration::from_hours(1), stage.now + SignedDuration::from_hours(1));
            stage.topology.policy.freezes = vec![Freeze { from, until, reason: "quarter's end".into() }];
            stage
        },
        &["b freeze"],
        &["w freeze"],
    ),
    (
        "the target of the switchover has no instance",
        || {
            Stage::spoilt(|world| {
                for cluster in world.regions[1].db_clusters.values_mut() {
                    let mut state = cluster.value().unwrap().clone();
                    state.instances = 0;
                    let at = cluster.as_of().unwrap();
                    cluster.succeed(state, at);
                }
            })
        },
        &["b runbook"],
        &[],
    ),
];

#[test]
fn each_guard_finds_what_it_is_for_and_nothing_else() {
    let mut wrong = Vec::new();
    for (name, stage, drain, failover) in ROWS {
        let stage = stage();
        for (runbook, found, expected) in
            [("drain", planned(&stage), drain), ("failover", emergency(&stage), failover)]
        {
            if found != *expected {
                wrong.push(format!("{runbook}, {name}: {found:?}, not {expected:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn an_emergency_is_blocked_by_four_guards_only() {
    let may = ["B armed", "B identity", "B endpoint", "B survivors"];
    for (name, stage, _, _) in ROWS {
        let blocks = emergency(&stage()).into_iter().filter(|line| !line.starts_with('w'));
        for block in blocks {
            assert!(may.contains(&block.as_str()), "{name}: {block}");
        }
    }
}

#[test]
fn nothing_is_wanted_fresh_of_the_failing_region() {
    let stage = Stage::spoilt(|world| {
        let long_ago = SignedDuration::from_hours(5);
        let ill = &mut world.regions[0];
        ill.services.values_mut().for_each(|service| age(service, long_ago));
        ill.scaling.values_mut().for_each(|scaling| age(scaling, long_ago));
        ill.db_clusters.values_mut().for_each(|cluster| age(cluster, long_ago));
        ill.global_clusters.values_mut().for_each(|cluster| age(cluster, long_ago));
    });
    let params = Params { database: Some(DatabaseChoice::Failover), ..of("us-east-1") };
    let plan = stage.plan("failover", &params).unwrap();
    let fence = plan.steps.iter().find(|step| step.id.as_str() == "fence/us-east-1/prod/api").unwrap();
    assert_eq!(
        fence.after,
        [switchtower::runbook::StepId::new("hold/us-east-1/prod/api")],
        "auto scaling is held first"
    );
    let aged = |line: &switchtower::domain::text::Text| {
        line.as_str().ends_with(": a restore goes by what was seen 5 h ago")
    };
    assert_eq!(plan.notes.iter().filter(|line| aged(line)).count(), 2, "{:?}", plan.notes);
    assert!(plan.findings.iter().all(|finding| finding.force == Force::Warn), "{:?}", found(&plan));
}

#[test]
fn what_is_observed_only_is_acted_on_by_no_runbook() {
    type Spoil = fn(&mut Topology);
    let cases: [(&str, Spoil); 3] = [
        ("another partition", |topology| {
            topology.scope.get_mut("eu-west-1").unwrap().partition = Some("aws-us-gov".into());
        }),
        ("a private zone", |topology| topology.hostnames[0].private_zone = true),
        ("another front door", |topology| topology.hostnames[0].front_door = FrontDoor::Cloudfront),
    ];
    for (name, spoil) in cases {
        let mut stage = Stage::healthy();
        spoil(&mut stage.topology);
        assert!(Arming::arm(&stage.topology, stage.now).is_err(), "{name}");
        for runbook in ["drain", "failover"] {
            let refused = stage.plan(runbook, &of("us-east-1"));
            assert!(matches!(refused, Err(PlanError::Impossible(_))), "{name}, {runbook}: {refused:?}");
        }
        // What these would do is shown, and that nobody may.
        for (runbook, params) in [("switchover", of("us-east-1")), ("cleanup", Params::default())] {
            let plan = stage.plan(runbook, &params).unwrap();
            assert!(found(&plan).contains(&"B armed".to_owned()), "{name}, {runbook}: {:?}", plan.findings);
        }
    }
}

#[test]
fn where_a_promotion_can_hardly_succeed_is_said() {
    type Spoil = fn(&mut World);
    let cases: [(Spoil, &str); 3] = [
        (
            |world| {
                unhealthy(world, 1);
                refused(world, 1);
            },
            "eu-west-1 is dead by its targets and our own request: my-db-eu-west-1 may not be promoted there",
        ),
        (
            |world| {
                let at = world.now;
                for cluster in world.regions[1].db_clusters.values_mut() {
                    let state =
                        DbClusterState { status: "upgrading".into(), ..cluster.value().cloned().unwrap() };
                    cluster.succeed(state, at);
                }
            },
            "my-db-eu-west-1 is upgrading, not available",
        ),
        (
            |world| {
                let at = world.now;
                for cluster in world.regions[1].db_clusters.values_mut() {
                    let state = DbClusterState { instances: 0, ..cluster.value().cloned().unwrap() };
                    cluster.succeed(state, at);
                }
            },
            "my-db-eu-west-1 has no instance: it cannot be promoted in minutes",
        ),
    ];
    let told = |stage: &Stage, words: &str| {
        let params = Params { database: Some(DatabaseChoice::Failover), ..of("us-east-1") };
        let plan = stage.plan("failover", &params).unwrap();
        let finding = plan.findings.into_iter().find(|finding| finding.message.as_str() == words);
        finding.map(|finding| finding.force)
    };
    for (spoil, words) in cases {
        assert_eq!(told(&Stage::healthy(), words), None, "{words}");
        assert_eq!(told(&Stage::spoilt(spoil), words), Some(Force::Warn), "{words}");
    }
}

/// RDS does not answer in the writer's region: is a promotion proposed, and what is said for the writer?
#[test]
fn a_promotion_is_proposed_only_where_nothing_speaks_for_the_region() {
    type Spoil = fn(&mut World);
    let unprobed: Spoil = |world| world.regions[0].probes.clear();
    let unmeasured: Spoil = |world| {
        let long_ago = SignedDuration::from_hours(5);
        world.regions[0].metrics.values_mut().for_each(|series| age(series, long_ago));
    };
    let failing: Spoil = |world| {
        let alb = "app/prod-us/50dc6c495c0c9188";
        world.set(0, Metric::AlbElb5xx, &[alb], flat(30_000.0));
    };
    let lagging: Spoil = |world| world.set(1, Metric::AuroraRpoLag, &["my-db-eu-west-1"], flat(200_000.0));
    let (probed, measured, sent) = (
        "our own request is answered with 200",
        "of its requests end in 5XX (",
        "the writer of my-global-db reached a secondary ",
    );
    let cases: [(&[Spoil], &str, &[&str]); 8] = [
        (&[], "leave", &[probed, measured, sent]),
        (&[lagging], "leave", &[probed, measured]),
        (&[unprobed], "leave", &[measured, sent]),
        (&[unprobed, unmeasured], "leave", &[sent]),
        (&[unprobed, unmeasured, lagging], "failover", &[]),
        (&[|world| refused(world, 0)], "failover", &[]),
        (&[|world| unhealthy(world, 0)], "failover", &[]),
        (&[failing], "failover", &[]),
    ];
    for (index, (spoils, expected, signs)) in cases.into_iter().enumerate() {
        let stage = Stage::spoilt(|world| {
            let now = world.now;
            let ill = &mut world.regions[0];
            ill.db_clusters.values_mut().for_each(|cluster| cluster.fail(error(ErrorKind::ServiceDown, now)));
            for spoil in spoils {
                spoil(world);
            }
        });
        let Err(PlanError::Choose { question, choices, proposed, .. }) =
            stage.plan("failover", &of("us-east-1"))
        else {
            panic!("{index}: nothing is asked");
        };
        assert_eq!(proposed.as_ref().map(Text::as_str), Some(expected), "{index}: {question}");
        assert_eq!(choices[0].0.as_str(), "leave", "{index}: what loses nothing stands first");
        assert_eq!(
            question.as_str().contains("us-east-1 looks alive"),
            !signs.is_empty(),
            "{index}: {question}"
        );
        for sign in [probed, measured, sent] {
            let wanted = signs.contains(&sign);
            assert_eq!(question.as_str().contains(sign), wanted, "{index}: {sign}: {question}");
        }
        // Whoever promotes all the same reads what it is done in spite of.
        let params = Params { database: Some(DatabaseChoice::Failover), ..of("us-east-1") };
        let plan = stage.plan("failover", &params).unwrap();
        let told = plan.findings.iter().filter(|one| one.message.as_str().contains("which looks alive: "));
        assert_eq!(told.count(), usize::from(!signs.is_empty()), "{index}");
        assert!(
            plan.findings.iter().all(|finding| finding.force == Force::Warn),
            "{index}: {:?}",
            found(&plan)
        );
    }
}

/// Signals, counted by kind; one is too few, and a declaration is one.
#[test]
fn fewer_than_two_signals_warn() {
    let warned = |stage: &Stage, declared: bool| {
        let declared = declared.then(|| "the status page".into());
        let params = Params { declared, database: Some(DatabaseChoice::Leave), ..of("us-east-1") };
        found(&stage.plan("failover", &params).unwrap()).contains(&"w runbook".to_owned())
    };
    assert!(warned(&Stage::healthy(), false));
    assert!(warned(&Stage::healthy(), true));
    let one = Stage::spoilt(|world| refused(world, 0));
    assert!(warned(&one, false));
    assert!(!warned(&one, true));
    let two = Stage::spoilt(|world| {
        let at = world.now;
        for probe in &mut world.regions[0].probes {
            probe.result.succeed(probe_result(503, at), at);
        }
        unhealthy(world, 0);
    });
    assert!(!warned(&two, false));
    // Our own network: a failed request says nothing while the control request fails too.
    let ours = Stage::spoilt(|world| {
        refused(world, 0);
        let now = world.now;
        world.dns.control.as_mut().unwrap().result.fail(error(ErrorKind::Unreachable, now));
    });
    assert!(warned(&ours, true));
}

/// Drift: each value that shaped the plan, changed; and what changes by itself, which is none.
#[test]
fn drift_names_what_changed_and_ignores_what_moves_by_itself() {
    let stage = Stage::healthy();
    let plan = stage.plan("drain", &of("us-east-1")).unwrap();
    let words = |change: &dyn Fn(&mut Stage)| {
        let mut later = Stage::healthy();
        change(&mut later);
        drift(&plan, &later.facts).into_iter().map(|finding| finding.message.to_string()).collect::<Vec<_>>()
    };
    let Fact::Service(at, key) = service(&stage, "eu-west-1") else { unreachable!() };
    let fact = || Fact::Service(at.clone(), key.clone());
    let state = crate::domain::fixture::service_state;
    assert!(words(&|_| {}).is_empty());
    assert!(
        words(&|later| later.read(fact(), Known::Service(state(4, 3)))).is_empty(),
        "running moves by itself"
    );
    assert!(words(&|later| later.time_out(fact())).is_empty(), "what cannot be read is no drift");
    let cases: [(&str, Fact, Known); 3] = [
        ("desired of prod/api in eu-west-1 went 4 -> 9", fact(), Known::Service(state(9, 4))),
        (
            "scaling of prod/api in eu-west-1 went 2 to 20 -> none",
            Fact::Scaling(at.clone(), key.clone()),
            Known::Scaling(None),
        ),
        (
            "health check hc-us went from version 3 (inverted false, disabled false) to 4 (inverted true, disabled false)",
            Fact::HealthCheck("hc-us".into()),
            Known::HealthCheck(HealthCheckConfig { version: 4, ..check_config(false, true) }),
        ),
    ];
    for (expected, fact, known) in cases {
        let told = words(&|later| later.read(fact.clone(), known.clone()));
        assert_eq!(told, [format!("{expected} since the plan was made")]);
    }
    let mut later = Stage::healthy();
    let global = Fact::GlobalCluster(Region::new("eu-west-1"), "my-global-db".into());
    let healthy = World::healthy();
    let seen = healthy.regions[1].global_clusters.values().next().unwrap().value().unwrap();
    let mut moved = seen.clone();
    moved.members.iter_mut().for_each(|member| member.is_writer = !member.is_writer);
    later.read(global, Known::GlobalCluster(moved));
    let told = drift(&plan, &later.facts);
    assert_eq!(told.len(), 1, "the writer moved, whichever region tells it");
    assert_eq!((told[0].force, told[0].may_override), (Force::Block, false));
    let params = Params { database: Some(DatabaseChoice::Leave), ..of("us-east-1") };
    let failover = stage.plan("failover", &params).unwrap();
    assert!(drift(&failover, &later.facts).iter().all(|finding| finding.force == Force::Warn));
}
