//! Faults on single calls: what is answered, and what happened all the same.

use std::time::Duration;

use aws_sdk_route53::types::RrType;
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::{FaultKind, InjectedFault, Mode, Sim};

use super::{code, config, in_dns, pass, world};

fn ecs(sim: &Sim, region: &str) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::new(&config(sim, region))
}

/// Asks for so many tasks in a region; `None` when there was no answer within five seconds.
async fn desire(sim: &Sim, region: &str, count: i32) -> Option<Result<(), String>> {
    let client = ecs(sim, region);
    let call = client.update_service().cluster("prod").service("api").desired_count(count).send();
    let clock = sim.clock();
    let sent = clock.timeout(Duration::from_secs(4), Box::pin(call)).await.ok()?;
    Some(if sent.is_ok() { Ok(()) } else { Err(code(sent)) })
}

async fn desired(sim: &Sim, region: &str) -> i32 {
    let found = ecs(sim, region).describe_services().cluster("prod").services("api").send().await.unwrap();
    found.services()[0].desired_count()
}

#[tokio::test(start_paused = true)]
async fn calls_fail_with_and_without_their_effect() {
    let refuse = |code: &str| FaultKind::Refuse { status: 400, code: code.into() };
    let after = |code: &str| FaultKind::ErrorAfter { status: 500, code: code.into() };
    let told = |code: &str| Some(Err(code.to_owned()));
    for (kind, answer, tasks) in [
        (refuse("ServiceNotActiveException"), told("ServiceNotActiveException"), 6),
        (after("ServerException"), told("ServerException"), 9),
        (FaultKind::Hang, None, 6),
        (FaultKind::HangAfter, None, 9),
        (FaultKind::Throttle, told("ThrottlingException"), 6),
    ] {
        let sim = world("calm");
        let id = sim.inject(InjectedFault::next("ecs", "UpdateService", kind.clone()).within("eu-west-1"));
        sim.clear_calls();
        assert_eq!(desire(&sim, "us-east-1", 7).await, Some(Ok(())), "{kind:?}: another region is well");
        assert_eq!(sim.fired(id), 0);
        assert_eq!(desire(&sim, "eu-west-1", 9).await, answer, "{kind:?}");
        assert_eq!(sim.fired(id), 1);
        assert_eq!(desired(&sim, "eu-west-1").await, tasks, "{kind:?}");
        let calls = sim.calls();
        assert!(calls[1].mutating && !calls[2].mutating, "{calls:?}");
        assert_eq!(calls[1].done, tasks == 9, "{kind:?}");
        assert_eq!(desire(&sim, "eu-west-1", 8).await, Some(Ok(())), "{kind:?}: once only");
    }
}

#[tokio::test(start_paused = true)]
async fn a_fault_strikes_the_call_that_it_counts_to() {
    let sim = world("calm");
    let conflict = FaultKind::Refuse { status: 400, code: "ConcurrentUpdateException".into() };
    let id = sim.inject(InjectedFault::next("*", "mutating", conflict).on(2));
    assert_eq!(desire(&sim, "us-east-1", 7).await, Some(Ok(())));
    assert_eq!(desired(&sim, "us-east-1").await, 7, "reads are not counted");
    assert_eq!(desire(&sim, "us-east-1", 8).await, Some(Err("ConcurrentUpdateException".into())));
    assert_eq!(desire(&sim, "us-east-1", 8).await, Some(Ok(())));
    let always = FaultKind::Refuse { status: 400, code: "PriorRequestNotComplete".into() };
    let every = sim.inject(InjectedFault::next("route53", "*", always).on(0));
    let route53 = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    for _ in 0..3 {
        assert_eq!(code(route53.list_hosted_zones().send().await), "PriorRequestNotComplete");
    }
    assert_eq!((sim.fired(id), sim.fired(every)), (1, 3));
    sim.clear_faults();
    route53.list_hosted_zones().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn credentials_expire_for_good_and_new_ones_are_taken() {
    let sim = world("calm");
    let old = ecs(&sim, "eu-west-1");
    sim.inject(InjectedFault::next("ecs", "UpdateService", FaultKind::ExpireCredentials));
    assert_eq!(desire(&sim, "eu-west-1", 9).await, Some(Err("ExpiredTokenException".into())));
    sim.clear_faults();
    assert_eq!(code(old.list_clusters().send().await), "ExpiredTokenException");
    assert_eq!(desire(&sim, "eu-west-1", 9).await, Some(Ok(())), "a client with credentials of its own day");
}

#[tokio::test(start_paused = true)]
async fn a_stale_answer_shows_the_world_of_a_while_ago() {
    let sim = world("calm");
    pass(&sim, 120).await;
    assert_eq!(desire(&sim, "eu-west-1", 9).await, Some(Ok(())));
    let stale = FaultKind::Stale(SignedDuration::from_mins(1));
    sim.inject(InjectedFault::next("ecs", "DescribeServices", stale));
    assert_eq!(desired(&sim, "eu-west-1").await, 6);
    assert_eq!(desired(&sim, "eu-west-1").await, 9);
}

#[tokio::test(start_paused = true)]
async fn regions_go_black_and_come_back() {
    let sim = world("calm");
    let minute = SignedDuration::from_mins(1);
    sim.black_out(&Region::new("us-east-1"), minute, Some(minute * 5));
    assert_eq!(desire(&sim, "us-east-1", 7).await, Some(Ok(())));
    pass(&sim, 240).await;
    assert_eq!(desire(&sim, "us-east-1", 8).await, None);
    let view = sim.view();
    assert!(!view.regions[0].up && !view.writes_succeed && view.aurora_writers.is_empty());
    assert_eq!(in_dns(&sim), [false, true]);
    pass(&sim, 240).await;
    assert_eq!(desire(&sim, "us-east-1", 8).await, Some(Ok(())));
    assert_eq!(in_dns(&sim), [true, true]);
    assert!(sim.view().writes_succeed);
}

#[tokio::test(start_paused = true)]
async fn a_control_plane_fails_beside_an_outage() {
    let sim = world("regional-outage");
    let home = Region::new("us-east-1");
    sim.apis_down(&home, &["route53"], Mode::Error, SignedDuration::ZERO, None);
    let route53 = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let zone = sim.topology().hostnames[0].zone_id.clone().unwrap();
    let asked = route53.test_dns_answer().hosted_zone_id(zone.as_str()).record_name("api.example.com");
    assert_eq!(code(asked.record_type(RrType::A).send().await), "ServiceUnavailable");
    assert_eq!(sim.scenario().0, "regional-outage", "it goes on");
    assert_eq!(in_dns(&sim), [false, true], "DNS itself answers");
    assert!(!sim.view().regions[0].up);
}
