//! Facts: every one is answered, by few calls, and a dark region delays nothing but its own.

use std::collections::BTreeSet;

use jiff::SignedDuration;
use switchtower::cloud::Cloud;
use switchtower::domain::ids::{Arn, HealthCheckId, HostName, Region, ServiceKey};
use switchtower::domain::observation::{ErrorKind, Observed};
use switchtower::runbook::{Executor, Fact, Facts, Known, RunsOn, TaskSize};
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions};

use super::act::{acting, api, apply, desired, east, hands, know, pass, west};
use super::fixture::{World, epoch, with};

/// Everything that a runbook may want to know of a world, apart from what this simulation cannot tell.
fn everything(world: &World) -> Vec<Fact> {
    let topology = &world.topology;
    let wired = world.sim.evacuation();
    let mut facts =
        vec![Fact::Identity("dns".into()), Fact::Identity("lease".into()), Fact::Identity("arc".into())];
    for entry in &topology.regions {
        let region = &entry.name;
        let at = || region.clone();
        facts.push(Fact::Identity(region.as_str().into()));
        facts.extend([Fact::Requests(at()), Fact::Errors(at()), Fact::Probe(at()), Fact::VcpuQuota(at())]);
        for service in &entry.services {
            let key = || service.key.clone();
            facts.extend([
                Fact::Service(at(), key()),
                Fact::Scaling(at(), key()),
                Fact::Dependencies(at(), key()),
                Fact::TaskSize(at(), key()),
                Fact::Subnets(at(), key()),
            ]);
        }
        for balancer in &entry.load_balancers {
            let arn = || balancer.arn.clone();
            facts.extend([
                Fact::KeepAlive(at(), arn()),
                Fact::Balancer(at(), arn()),
                Fact::Network(at(), arn()),
                Fact::Tags(at(), arn()),
            ]);
            facts.extend(balancer.target_groups.iter().map(|group| Fact::Targets(at(), group.clone())));
            facts.extend(balancer.target_groups.iter().map(|group| Fact::Balancer(at(), group.clone())));
        }
        facts.extend(entry.alarms.iter().map(|name| Fact::Alarm(at(), name.clone())));
        facts.extend(topology.tables_in(region).map(|table| Fact::Table(at(), table.name.clone())));
        for (global, member) in topology.aurora_in(region) {
            facts.push(Fact::GlobalCluster(at(), global.id.clone()));
            facts.push(Fact::RdsEvents(at(), epoch()));
            facts.extend([
                Fact::DbCluster(at(), member.id.clone()),
                Fact::DbInstances(at(), member.id.clone()),
                Fact::AvailableInstances(at(), member.id.clone()),
                Fact::BlueGreen(at(), member.id.clone(), global.id.clone()),
            ]);
        }
        facts.push(Fact::Cluster(at(), "prod".into()));
    }
    facts.push(Fact::RpoLag(west(), topology.aurora[0].members[1].id.clone()));
    facts.extend(topology.health_checks().into_iter().map(Fact::HealthCheck));
    for host in &topology.hostnames {
        facts.push(Fact::Records(host.zone_id.clone().unwrap(), host.name.clone()));
        facts.extend([Fact::Synthetic(host.name.clone()), Fact::Answers(host.name.clone())]);
    }
    facts.extend(
        topology
            .arc
            .iter()
            .flat_map(|arc| &arc.routing_controls)
            .map(|control| Fact::RoutingControl(control.arn.clone())),
    );
    let object = wired.switch_object.unwrap();
    facts.extend(
        object
            .keys
            .into_iter()
            .map(|(_, key)| Fact::SwitchObject(object.region.clone(), object.bucket.as_str().into(), key)),
    );
    facts
}

/// The region that alone can tell a fact; none for what others can tell as well.
fn only(fact: &Fact) -> Option<String> {
    match fact {
        Fact::Service(region, _)
        | Fact::Scaling(region, _)
        | Fact::Targets(region, _)
        | Fact::GlobalCluster(region, _)
        | Fact::DbCluster(region, _)
        | Fact::DbInstances(region, _)
        | Fact::AvailableInstances(region, _)
        | Fact::BlueGreen(region, ..)
        | Fact::RpoLag(region, _)
        | Fact::Table(region, _)
        | Fact::Requests(region)
        | Fact::Errors(region)
        | Fact::Probe(region)
        | Fact::KeepAlive(region, _)
        | Fact::Dependencies(region, _)
        | Fact::TaskSize(region, _)
        | Fact::Subnets(region, _)
        | Fact::RdsEvents(region, _)
        | Fact::VcpuQuota(region)
        | Fact::Tags(region, _)
        | Fact::Alarm(region, _)
        | Fact::Cluster(region, _)
        | Fact::Balancer(region, _)
        | Fact::Network(region, _) => Some(region.to_string()),
        Fact::Identity(scope) => Some(scope.to_string()),
        _ => None,
    }
}

#[tokio::test(start_paused = true)]
async fn every_fact_of_a_calm_world_is_known_at_once() {
    let (world, acting) = hands("calm");
    let wanted = everything(&world);
    let started = world.clock.now();
    let facts = acting.observe(&wanted).await;
    let took = world.clock.now().duration_since(started);
    let unknown: Vec<_> = wanted
        .iter()
        .filter(|fact| facts.value(fact).is_none() || facts.error(fact).is_some())
        .map(|fact| (fact, facts.error(fact).map(ToString::to_string)))
        .collect();
    assert!(unknown.is_empty(), "{unknown:#?}");
    assert_eq!(facts.iter().count(), wanted.iter().collect::<BTreeSet<_>>().len(), "nothing else");
    assert!(took < SignedDuration::from_secs(2), "{took:?}");
    // Three services of a region by one call, and the same for their limits.
    let calls = world.sim.calls();
    let count = |operation: &str| calls.iter().filter(|call| call.operation == operation).count();
    assert_eq!((count("DescribeScalableTargets"), count("DescribeAlarms")), (2, 2));
    assert_eq!(count("DescribeServices"), 2, "one a region for all that it tells of three services");
    assert_eq!(count("DescribeSubnets"), 2, "those of all services of a region together");
    assert_eq!(count("GetMetricData"), 2 + 1, "one a region for its traffic, one for the lag");
    assert!(!calls.iter().any(|call| call.mutating));
}

#[tokio::test(start_paused = true)]
async fn a_dark_region_delays_nothing_but_its_own_facts() {
    let (world, acting) = hands("calm");
    pass(&world, 300).await;
    world.sim.black_out(&east(), SignedDuration::ZERO, None);
    let wanted = everything(&world);
    let started = world.clock.now();
    let facts = acting.observe(&wanted).await;
    let took = world.clock.now().duration_since(started);
    // Route 53 answers from the dark region, and its facts are waited for longest.
    assert!(took <= SignedDuration::from_secs(8), "{took:?}");
    for fact in &wanted {
        let global = matches!(fact, Fact::HealthCheck(_) | Fact::Records(..));
        let dark = global || only(fact).is_some_and(|region| region == "us-east-1");
        if dark {
            let kind = facts.error(fact).unwrap_or_else(|| panic!("{fact:?}")).kind;
            assert_eq!(kind, ErrorKind::TimedOut, "{fact:?}");
        } else if !matches!(fact, Fact::Synthetic(_)) {
            let at = facts.reading(fact).unwrap_or_else(|| panic!("{fact:?}: {:?}", facts.error(fact))).as_of;
            let metric = matches!(fact, Fact::Requests(_) | Fact::Errors(_) | Fact::RpoLag(..));
            assert!(metric || at.duration_since(started) < SignedDuration::from_secs(3), "{fact:?} at {at}");
        }
    }
    // Without Route 53's the dark region costs its own deadline.
    let regional: Vec<Fact> =
        wanted.into_iter().filter(|fact| !matches!(fact, Fact::HealthCheck(_) | Fact::Records(..))).collect();
    let started = world.clock.now();
    acting.observe(&regional).await;
    let took = world.clock.now().duration_since(started);
    assert!(took <= SignedDuration::from_millis(4_600), "{took:?}");
}

#[tokio::test(start_paused = true)]
async fn each_fact_is_handed_over_as_it_comes_and_a_dark_region_is_given_up_soon() {
    let (world, acting) = hands("calm");
    pass(&world, 300).await;
    world.sim.black_out(&east(), SignedDuration::ZERO, None);
    let wanted = everything(&world);
    let started = world.clock.now();
    let told = std::sync::Mutex::new(Vec::new());
    let hand = |facts: Facts| {
        let after = world.clock.now().duration_since(started);
        let facts: Vec<Fact> = facts.iter().map(|(fact, _)| fact.clone()).collect();
        told.lock().unwrap().extend(facts.into_iter().map(|fact| (fact, after)));
    };
    acting.observe_each(&wanted, Some(&east()), &hand).await;
    let took = world.clock.now().duration_since(started);
    assert!(took <= SignedDuration::from_millis(4_600), "{took:?}");
    let told = told.into_inner().unwrap();
    let all: BTreeSet<&Fact> = told.iter().map(|(fact, _)| fact).collect();
    assert_eq!(
        (all.len(), told.len()),
        (wanted.iter().collect::<BTreeSet<_>>().len(), all.len()),
        "once each"
    );
    for (fact, after) in &told {
        let global = matches!(fact, Fact::HealthCheck(_) | Fact::Records(..));
        let dark = global || only(fact).is_some_and(|region| region == "us-east-1");
        if dark {
            assert_eq!(*after, SignedDuration::from_secs(3), "{fact:?}");
        } else if !matches!(fact, Fact::Synthetic(_)) {
            assert!(*after < SignedDuration::from_secs(3), "{fact:?} after {after:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn who_we_are_for_dns_is_told_by_any_region_that_answers() {
    let (world, acting) = hands("calm");
    world.sim.black_out(&east(), SignedDuration::ZERO, None);
    let started = world.clock.now();
    let Known::Identity(identity) = know(&acting, &Fact::Identity("dns".into())).await else { panic!() };
    assert_eq!(identity.account.as_str(), "123456789012");
    assert!(world.clock.now().duration_since(started) < SignedDuration::from_secs(2));
}

#[tokio::test(start_paused = true)]
async fn what_is_not_there_is_absent_and_what_cannot_be_asked_is_not() {
    let (world, acting) = hands("calm");
    let gone = ServiceKey { cluster: "prod".into(), service: "gone".into() };
    let arn = |service: &str, resource: &str| {
        Arn::new(format!("arn:aws:{service}:eu-west-1:123456789012:{resource}"))
    };
    let facts = [
        Fact::Service(west(), gone.clone()),
        Fact::Service(west(), ServiceKey { cluster: "nowhere".into(), service: "api".into() }),
        Fact::Targets(west(), arn("elasticloadbalancing", "targetgroup/gone/1234567890abcdef")),
        Fact::Balancer(west(), arn("elasticloadbalancing", "loadbalancer/app/gone/1234567890abcdef")),
        Fact::Balancer(west(), arn("elasticloadbalancing", "targetgroup/gone/1234567890abcdef")),
        Fact::HealthCheck(HealthCheckId::new("11111111-2222-4333-a444-555555555555")),
        Fact::GlobalCluster(west(), "gone".into()),
        Fact::DbCluster(west(), "gone".into()),
        Fact::Table(west(), "gone".into()),
        Fact::Alarm(west(), "gone".into()),
        Fact::Cluster(west(), "gone".into()),
    ];
    let seen = acting.observe(&facts).await;
    for fact in &facts {
        assert_eq!(seen.value(fact), Some(&Known::Absent), "{fact:?}: {:?}", seen.error(fact));
        assert!(seen.is_absent(fact));
    }
    assert_eq!(know(&acting, &Fact::Scaling(west(), gone)).await, Known::Scaling(None));
    world.sim.apis_down(&west(), &["*"], Mode::Error, SignedDuration::ZERO, None);
    let seen = acting.observe(&facts).await;
    for fact in facts.iter().filter(|fact| !matches!(fact, Fact::HealthCheck(_))) {
        assert!(!seen.is_absent(fact), "{fact:?}: {:?}", seen.value(fact));
    }
}

/// Regions that clients are sent to for a name.
async fn sent(acting: &switchtower::cloud::Acting, name: &HostName) -> BTreeSet<Option<String>> {
    let Known::Answers(answers) = know(acting, &Fact::Answers(name.clone())).await else { panic!() };
    assert!(answers.len() >= 60, "A and AAAA for thirty places: {}", answers.len());
    assert!(answers.iter().all(|answer| answer.ttl == 60));
    answers.into_iter().map(|answer| answer.region.map(|region| region.to_string())).collect()
}

#[tokio::test(start_paused = true)]
async fn dns_tells_where_clients_elsewhere_are_sent() {
    let (world, acting) = hands("calm");
    let name = world.topology.hostnames[0].name.clone();
    let both = BTreeSet::from([Some("us-east-1".to_owned()), Some("eu-west-1".to_owned())]);
    assert_eq!(sent(&acting, &name).await, both);
    let object = world.sim.evacuation().switch_object.unwrap();
    let put = switchtower::runbook::Operation::PutSwitchObject {
        region: object.region,
        bucket: object.bucket.as_str().into(),
        key: object.keys[0].1.clone(),
        steers: east(),
    };
    apply(&world, &acting, &put).await.unwrap();
    pass(&world, 120).await;
    assert_eq!(sent(&acting, &name).await, BTreeSet::from([Some("eu-west-1".to_owned())]));
    // Without a way to ask, and where our network is down, nothing is proven.
    let mute = world.cloud.acting(world.topology.clone(), world.sim.probe(), None);
    let fact = Fact::Answers(name);
    let told = mute.observe(std::slice::from_ref(&fact)).await;
    assert_eq!(told.error(&fact).unwrap().kind, ErrorKind::NotConfigured);
}

#[tokio::test(start_paused = true)]
async fn traffic_is_told_by_the_minute_and_errors_as_a_share() {
    let (world, acting) = hands("calm");
    pass(&world, 600).await;
    let facts = [Fact::Requests(east()), Fact::Errors(east()), Fact::Requests(west())];
    let seen = acting.observe(&facts).await;
    let requests = seen.numbers(&facts[0]).unwrap();
    assert_eq!(requests.len(), 10);
    assert!(requests.iter().all(|count| *count > 1_000.0), "{requests:?}");
    let as_of = seen.reading(&facts[0]).unwrap().as_of;
    let age = world.clock.now().duration_since(as_of);
    assert!(as_of.as_second() % 60 == 0 && age < SignedDuration::from_mins(3), "{age:?}");
    assert!(*seen.number(&facts[1]).unwrap() < 1.0);

    world.sim.start_scenario("5xx-surge", None).unwrap();
    pass(&world, 300).await;
    let seen = acting.observe(&facts).await;
    assert!(*seen.number(&facts[1]).unwrap() > 1.0, "{:?}", seen.number(&facts[1]));
}

#[tokio::test(start_paused = true)]
async fn runs_go_before_watching_at_route_53() {
    let (world, acting) = hands("calm");
    while world.cloud.route53_budget().would_allow() {
        world.cloud.route53_budget().take().await;
    }
    let fact = Fact::HealthCheck(world.sim.evacuation().record_checks[0].1.clone());
    let started = world.clock.now();
    know(&acting, &fact).await;
    assert!(world.clock.now().duration_since(started) < SignedDuration::from_secs(1));
    // Watching makes room for what was asked.
    let started = world.clock.now();
    world.cloud.route53_budget().take().await;
    assert!(world.clock.now().duration_since(started) > SignedDuration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn what_a_start_needs_is_told_with_its_region() {
    let world = with(SimOptions { images_in: Some(east()), ..SimOptions::default() });
    let acting = acting(&world);
    let Known::Dependencies(found) = know(&acting, &Fact::Dependencies(west(), api())).await else {
        panic!()
    };
    let told: Vec<_> =
        found.iter().map(|one| (one.kind.as_str(), one.region.as_ref().map(Region::as_str))).collect();
    assert_eq!(told, [("image", Some("us-east-1")), ("secret", Some("us-east-1"))]);
}

#[tokio::test(start_paused = true)]
async fn instances_are_told_with_the_writer_last() {
    let (world, acting) = hands("calm");
    for (at, member) in [(east(), 0), (west(), 1)] {
        let cluster = world.topology.aurora[0].members[member].id.clone();
        let told = know(&acting, &Fact::DbInstances(at, cluster.clone())).await;
        let names = [2, 1].map(|number| format!("{cluster}-{number}").into());
        assert_eq!(told, Known::Names(names.to_vec()));
    }
}

#[tokio::test(start_paused = true)]
async fn the_network_of_a_load_balancer_is_told_by_its_id() {
    let (world, acting) = hands("calm");
    let balancer = world.topology.regions[1].load_balancers[0].arn.clone();
    let Known::Word(id) = know(&acting, &Fact::Network(west(), balancer)).await else { panic!() };
    assert!(id.as_str().starts_with("vpc-0"), "{id}");
}

#[tokio::test(start_paused = true)]
async fn what_a_task_takes_of_the_quota_is_read_from_its_definition() {
    let (_, acting) = hands("calm");
    let size = know(&acting, &Fact::TaskSize(west(), api())).await;
    assert_eq!(size, Known::TaskSize(TaskSize { runs_on: RunsOn::Fargate, vcpus: Some(1.0) }));
}

#[tokio::test(start_paused = true)]
async fn free_addresses_are_told_subnet_by_subnet() {
    let (_, acting) = hands("calm");
    let Known::Subnets(told) = know(&acting, &Fact::Subnets(west(), api())).await else { panic!() };
    let told: Vec<_> = told.iter().map(|subnet| (subnet.zone.as_str(), subnet.free)).collect();
    assert_eq!(told, [("eu-west-1a", Some(244)), ("eu-west-1b", Some(246)), ("eu-west-1c", Some(246))]);
}

/// What becomes of the question for free addresses when this befalls the first call of it, or (0) all of them.
async fn addresses_with(kind: FaultKind, nth: u32) -> (Observed<Known>, usize) {
    let (world, acting) = hands("calm");
    world.sim.inject(InjectedFault::next("ec2", "DescribeSubnets", kind).on(nth));
    let fact = Fact::Subnets(west(), api());
    let facts = acting.observe(std::slice::from_ref(&fact)).await;
    let asked = world.sim.calls().iter().filter(|call| call.operation == "DescribeSubnets").count();
    (facts.get(&fact).unwrap().clone(), asked)
}

#[tokio::test(start_paused = true)]
async fn what_ec2_refuses_is_told_apart_and_asked_again_as_with_any_other_service() {
    let refused = |status, code: &str| FaultKind::Refuse { status, code: code.into() };
    for (kind, nth, wanted, calls) in [
        (FaultKind::Throttle, 1, None, 2),
        (refused(503, "Unavailable"), 1, None, 2),
        (FaultKind::Throttle, 0, Some(ErrorKind::Throttled), 2),
        (refused(500, "InternalError"), 0, Some(ErrorKind::ServiceDown), 2),
        (refused(403, "UnauthorizedOperation"), 0, Some(ErrorKind::Denied), 1),
        (refused(400, "RequestExpired"), 0, Some(ErrorKind::Expired), 1),
        (FaultKind::Hang, 0, Some(ErrorKind::TimedOut), 1),
    ] {
        let (told, asked) = addresses_with(kind.clone(), nth).await;
        assert_eq!(told.error().map(|error| error.kind), wanted, "{kind:?}: {:?}", told.error());
        assert_eq!(told.value().is_some(), wanted.is_none(), "{kind:?}");
        assert_eq!(asked, calls, "{kind:?}");
    }
    let (told, _) = addresses_with(refused(403, "UnauthorizedOperation"), 0).await;
    let error = told.error().unwrap();
    assert_eq!((error.call.as_ref(), error.request_id.is_some()), ("ec2:DescribeSubnets", true));
    assert!(error.next_step.as_str().contains("ec2:DescribeSubnets"), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn credentials_that_end_are_loaded_anew_for_the_next_attempt() {
    use aws_credential_types::Credentials;
    use aws_credential_types::provider::SharedCredentialsProvider;
    let world = with(SimOptions::default());
    let sim = world.sim.clone();
    let open = move |_| -> switchtower::ports::BoxFuture<'static, SharedCredentialsProvider> {
        let keys = sim.credentials();
        let keys = Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "simulation",
        );
        Box::pin(std::future::ready(SharedCredentialsProvider::new(keys)))
    };
    let cloud = Cloud::simulated_with(world.sim.http_client(), world.clock, Box::new(open));
    let acting = cloud.acting(world.topology.clone(), world.sim.probe(), None);
    let expire = switchtower::sim::InjectedFault::next(
        "ecs",
        "UpdateService",
        switchtower::sim::FaultKind::ExpireCredentials,
    );
    world.sim.inject(expire);
    let failure = apply(&world, &acting, &desired(9)).await.unwrap_err();
    let switchtower::runbook::ActFailure::Credentials { why } = failure else { panic!("{failure:?}") };
    assert!(why.as_str().contains("aws sso login"), "the command that mends it: {why}");
    pass(&world, 1).await;
    apply(&world, &acting, &desired(9)).await.unwrap();
    assert!(world.clock.now().duration_since(epoch()) < SignedDuration::from_secs(10));
}
