//! What became of a call that was not accepted: each class, in the protocols that it comes in.

use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use jiff::SignedDuration;
use switchtower::cloud::{Cloud, Keys};
use switchtower::runbook::{ActFailure, Executor, Fact, Known, Operation};
use switchtower::sim::{FaultKind, InjectedFault, Mode};

use super::act::{api, apply, approve, desired, east, hands, know, west};
use super::fixture::World;

/// The class of a failure, for tables.
fn class(failure: &ActFailure) -> &'static str {
    match failure {
        ActFailure::Busy { .. } => "busy",
        ActFailure::Moved { .. } => "moved",
        ActFailure::Refused { .. } => "refused",
        ActFailure::Credentials { .. } => "credentials",
        ActFailure::NotSent { .. } => "not sent",
        ActFailure::Unknown { .. } => "unknown",
    }
}

fn refuse(status: u16, code: &str) -> FaultKind {
    FaultKind::Refuse { status, code: code.into() }
}

fn switchover(world: &World) -> Operation {
    let aurora = &world.topology.aurora[0];
    Operation::SwitchoverGlobalCluster {
        region: east(),
        global: aurora.id.clone(),
        target: aurora.members[1].arn.clone(),
    }
}

fn protection(world: &World) -> Operation {
    let global = world.topology.aurora[0].id.clone();
    Operation::SetGlobalClusterProtection { region: east(), global, protected: true }
}

#[tokio::test(start_paused = true)]
async fn every_refusal_has_its_class_and_is_sent_once() {
    type Make = fn(&World) -> Operation;
    let scale: Make = |_| desired(9);
    let pin: Make = |world| Operation::SetHealthCheck {
        check: world.sim.evacuation().record_checks[0].1.clone(),
        steers: east(),
        version: Some(1),
        inverted: true,
        disabled: true,
    };
    let limits: Make = |_| Operation::RegisterScalableTarget {
        region: west(),
        service: api(),
        min: 1,
        max: Some(9),
        suspended: None,
    };
    let cases: [(Make, &str, &str, FaultKind, &str); 17] = [
        (scale, "ecs", "UpdateService", FaultKind::Throttle, "busy"),
        (pin, "route53", "UpdateHealthCheck", FaultKind::Throttle, "busy"),
        (pin, "route53", "UpdateHealthCheck", refuse(400, "PriorRequestNotComplete"), "busy"),
        (limits, "application-autoscaling", "*", refuse(400, "ConcurrentUpdateException"), "busy"),
        (pin, "route53", "UpdateHealthCheck", refuse(409, "HealthCheckVersionMismatch"), "moved"),
        (scale, "ecs", "UpdateService", refuse(400, "ServiceNotActiveException"), "refused"),
        (scale, "ecs", "UpdateService", refuse(400, "AccessDeniedException"), "refused"),
        (scale, "ecs", "UpdateService", refuse(400, "ExpiredTokenException"), "credentials"),
        (switchover, "rds", "*", refuse(403, "ExpiredToken"), "credentials"),
        (switchover, "rds", "*", refuse(400, "InvalidGlobalClusterStateFault"), "refused"),
        (protection, "rds", "*", refuse(400, "InvalidGlobalClusterStateFault"), "busy"),
        (switchover, "rds", "*", refuse(500, "InternalFailure"), "unknown"),
        (switchover, "rds", "*", refuse(503, "ServiceUnavailable"), "unknown"),
        (
            switchover,
            "rds",
            "*",
            FaultKind::ErrorAfter { status: 500, code: "InternalFailure".into() },
            "unknown",
        ),
        (switchover, "rds", "*", refuse(503, "Throttling"), "busy"),
        (scale, "ecs", "UpdateService", FaultKind::Hang, "unknown"),
        (scale, "ecs", "UpdateService", FaultKind::HangAfter, "unknown"),
    ];
    for (make, service, call, kind, expected) in cases {
        let (world, acting) = hands("calm");
        world.sim.inject(InjectedFault::next(service, call, kind.clone()));
        let operation = make(&world);
        let started = world.clock.now();
        let failure = apply(&world, &acting, &operation).await.unwrap_err();
        assert_eq!(class(&failure), expected, "{kind:?}: {failure:?}");
        assert_eq!(world.sim.calls().len(), 1, "{kind:?}: never repeated");
        let why = failure.why().as_str();
        assert!(why.contains(" in "), "the call and its region: {why}");
        match &kind {
            FaultKind::Hang | FaultKind::HangAfter => {
                assert!(why.contains("no answer within 15s"), "{why}");
                let took = world.clock.now().duration_since(started);
                assert_eq!(took.as_secs(), 15, "{took:?}");
            }
            FaultKind::Refuse { code, .. } => {
                assert!(why.contains(code) && why.contains("(request "), "{why}");
            }
            _ => assert!(why.contains("(request "), "{why}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn records_that_differ_have_moved_and_other_wrong_batches_are_refused() {
    let (world, acting) = hands("calm");
    let name = world.topology.hostnames[0].name.clone();
    let mut record = super::act::records(&world, &acting, &name).await.remove(0);
    record.health_check = Some("11111111-2222-4333-a444-555555555555".into());
    let upsert = |record| Operation::ChangeRecords {
        zone: world.topology.hostnames[0].zone_id.clone().unwrap(),
        steers: east(),
        changes: vec![switchtower::runbook::operation::RecordChange {
            action: switchtower::runbook::RecordAction::Upsert,
            record,
        }],
    };
    let failure = apply(&world, &acting, &upsert(record.clone())).await.unwrap_err();
    assert_eq!(class(&failure), "refused", "NoSuchHealthCheck: {failure:?}");
    // A place that could be a continent or a country is not guessed.
    record.policy = switchtower::domain::topology::RoutingPolicy::Geolocation;
    record.selector = Some("NA".into());
    let failure = apply(&world, &acting, &upsert(record)).await.unwrap_err();
    assert!(failure.why().as_str().contains("cannot be written back"), "{failure:?}");
}

#[tokio::test(start_paused = true)]
async fn a_read_before_a_deletion_that_fails_has_sent_nothing() {
    let (world, acting) = hands("calm");
    let name = world.topology.hostnames[0].name.clone();
    let record = super::act::records(&world, &acting, &name).await.remove(0);
    world.sim.apis_down(&east(), &["route53"], Mode::Error, SignedDuration::ZERO, None);
    let delete = Operation::ChangeRecords {
        zone: world.topology.hostnames[0].zone_id.clone().unwrap(),
        steers: east(),
        changes: vec![switchtower::runbook::operation::RecordChange {
            action: switchtower::runbook::RecordAction::Delete,
            record,
        }],
    };
    let failure = apply(&world, &acting, &delete).await.unwrap_err();
    assert_eq!(class(&failure), "not sent", "{failure:?}");
    assert!(!world.sim.calls().iter().any(|call| call.mutating));
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_has_sent_nothing_and_a_broken_one_nobody_knows() {
    let (world, acting) = hands("calm");
    world.sim.apis_down(&west(), &["ecs"], Mode::Refuse, SignedDuration::ZERO, None);
    let failure = apply(&world, &acting, &desired(9)).await.unwrap_err();
    assert_eq!(class(&failure), "not sent", "{failure:?}");

    for (words, expected) in [
        ("connection reset by peer", "unknown"),
        ("connection closed before message completed", "unknown"),
        ("error trying to connect: tcp connect error: Connection refused (os error 111)", "not sent"),
        ("HTTP connect timeout occurred after 3.1s", "not sent"),
        ("dns error: failed to lookup address information: Name or service not known", "not sent"),
    ] {
        let http = SharedHttpClient::new(Broken(Arc::new(move || Err(ConnectorError::io(words.into())))));
        assert_eq!(class(&told(&world, http).await), expected, "{words}");
    }
    // An answer that cannot be read is an answer to something that was done, perhaps.
    let page = || {
        let answer = http::Response::builder().status(200).body(SdkBody::from("<html>")).unwrap();
        Ok(answer.try_into().unwrap())
    };
    assert_eq!(class(&told(&world, SharedHttpClient::new(Broken(Arc::new(page)))).await), "unknown");
}

/// What an operation comes to over another way.
async fn told(world: &World, http: SharedHttpClient) -> ActFailure {
    let keys = Keys { access_key: "AKIATEST", secret_key: "secret", ..Keys::default() };
    let cloud = Cloud::simulated(http, world.clock, &keys);
    let acting = cloud.acting(world.topology.clone(), world.sim.probe(), None);
    let operation = desired(9);
    acting.apply(&operation, &approve(world, std::slice::from_ref(&operation))).await.unwrap_err()
}

type Answer = dyn Fn() -> Result<HttpResponse, ConnectorError> + Send + Sync;

/// Answers every request alike.
#[derive(Clone)]
struct Broken(Arc<Answer>);

impl std::fmt::Debug for Broken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Broken")
    }
}

impl HttpClient for Broken {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Broken {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready((self.0)())
    }
}

#[tokio::test(start_paused = true)]
async fn a_lost_answer_is_not_a_lost_deed() {
    for (kind, expected) in [(FaultKind::Hang, 6), (FaultKind::HangAfter, 9)] {
        let (world, acting) = hands("calm");
        world.sim.inject(InjectedFault::next("ecs", "UpdateService", kind));
        apply(&world, &acting, &desired(9)).await.unwrap_err();
        let Known::Service(state) = know(&acting, &Fact::Service(west(), api())).await else { panic!() };
        assert_eq!(state.desired, expected);
    }
}

#[tokio::test(start_paused = true)]
async fn all_routing_endpoints_are_tried_and_doubt_outlives_a_refused_connection() {
    let (world, acting) = hands("calm");
    let arc = world.topology.arc.clone().unwrap();
    let off = Operation::SetRoutingControls {
        states: [(arc.routing_controls[0].arn.clone(), false)].into(),
        steers: east(),
    };
    for endpoint in &arc.endpoints {
        world.sim.apis_down(
            &endpoint.region,
            &["route53-recovery-cluster"],
            Mode::Refuse,
            SignedDuration::ZERO,
            None,
        );
    }
    let failure = apply(&world, &acting, &off).await.unwrap_err();
    assert_eq!((class(&failure), world.sim.calls().len()), ("not sent", 5));

    let (world, acting) = hands("calm");
    for (index, endpoint) in arc.endpoints.iter().enumerate() {
        let mode = if index == 2 { Mode::Hang } else { Mode::Refuse };
        let services = ["route53-recovery-cluster"];
        world.sim.apis_down(&endpoint.region, &services, mode, SignedDuration::ZERO, None);
    }
    let failure = apply(&world, &acting, &off).await.unwrap_err();
    assert_eq!((class(&failure), world.sim.calls().len()), ("unknown", 5));
}
