//! Operations against the world: each that is sent changes it, once, and nothing that is not approved is sent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::cloud::Acting;
use switchtower::domain::Topology;
use switchtower::domain::evacuation::{ArcEndpoint, ArcSettings, LeaseSettings, RoutingControl};
use switchtower::domain::ids::{Arn, BucketName, HealthCheckId, HostName, Region, ServiceKey, ZoneId};
use switchtower::domain::snapshot::{RecordSet, ScalableTarget};
use switchtower::runbook::operation::{RecordAction, RecordChange};
use switchtower::runbook::plan::Step;
use switchtower::runbook::{
    ActFailure, Approval, Arming, Condition, Executor, Fact, Facts, Known, Operation, Params, Plan, Suspended,
};
use switchtower::sim::world::checks::Wiring;
use switchtower::sim::{SimOptions, WorldView};

use super::fixture::{World, with};

/// A world with every switch wired, and hands in it.
pub(crate) fn hands(scenario: &str) -> (World, Acting) {
    let wiring = Wiring { switch_object: true, switch_metric: true, routing_control: true };
    let mut world = with(SimOptions { scenario: scenario.into(), wiring, ..SimOptions::default() });
    let wired = world.sim.evacuation();
    let mut topology: Topology = (*world.topology).clone();
    let arc = wired.routing_control.unwrap();
    topology.arc = Some(ArcSettings {
        endpoints: arc.endpoints.into_iter().map(|(region, url)| ArcEndpoint { url, region }).collect(),
        routing_controls: arc
            .controls
            .into_iter()
            .map(|(region, arn)| RoutingControl { region, arn: Arn::new(arn), health_check: None })
            .collect(),
    });
    topology.lease = Some(LeaseSettings {
        table: wired.lease.name.as_str().into(),
        region: wired.lease.region.as_str().into(),
    });
    world.topology = Arc::new(topology);
    let acting = acting(&world);
    (world, acting)
}

pub(crate) fn acting(world: &World) -> Acting {
    world.cloud.acting(world.topology.clone(), world.sim.probe(), Some(world.sim.probe()))
}

/// An approval of exactly these operations.
pub(crate) fn approve(world: &World, operations: &[Operation]) -> Approval {
    let step = Step::act(
        "step",
        "what is tested",
        operations.to_vec(),
        Vec::new(),
        Condition::Always,
        Duration::from_mins(1),
    );
    let now = world.clock.now();
    let plan = Plan {
        runbook: "test".into(),
        application: world.topology.application.clone(),
        params: Params::default(),
        confirm: "us-east-1".into(),
        made_at: now,
        summary: "a test".into(),
        steps: vec![step],
        shaped_by: Facts::new(),
        findings: Vec::new(),
        data_at_risk: Vec::new(),
        irreversible: Vec::new(),
        notes: Vec::new(),
    };
    let arming = Arming::arm(&world.topology, now).unwrap();
    Approval::mint(&arming, now, &plan, "us-east-1", "a test", false).unwrap()
}

/// Sends one operation with an approval of it.
pub(crate) async fn apply(
    world: &World,
    acting: &Acting,
    operation: &Operation,
) -> Result<Option<String>, ActFailure> {
    let approval = approve(world, std::slice::from_ref(operation));
    let receipt = acting.apply(operation, &approval).await?;
    Ok(receipt.request_id.map(|id| id.to_string()))
}

/// One fact, known.
pub(crate) async fn know(acting: &Acting, fact: &Fact) -> Known {
    let facts = acting.observe(std::slice::from_ref(fact)).await;
    facts.value(fact).unwrap_or_else(|| panic!("{fact:?}: {:?}", facts.error(fact))).clone()
}

pub(crate) fn east() -> Region {
    Region::new("us-east-1")
}

pub(crate) fn west() -> Region {
    Region::new("eu-west-1")
}

pub(crate) fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn check(world: &World, site: usize) -> HealthCheckId {
    world.sim.evacuation().record_checks[site].1.clone()
}

fn view(world: &World, site: usize) -> (bool, WorldView) {
    let view = world.sim.view();
    (view.regions[site].in_dns, view)
}

pub(crate) async fn pass(world: &World, seconds: u64) {
    world.clock.sleep(Duration::from_secs(seconds)).await;
}

async fn version(acting: &Acting, check: &HealthCheckId) -> i64 {
    match know(acting, &Fact::HealthCheck(check.clone())).await {
        Known::HealthCheck(config) => config.version,
        other => panic!("{other:?}"),
    }
}

pub(crate) fn desired(count: i32) -> Operation {
    Operation::SetDesired { region: west(), service: api(), desired: count }
}

#[tokio::test(start_paused = true)]
async fn what_is_not_approved_is_not_sent() {
    let (world, acting) = hands("calm");
    let approval = approve(&world, &[desired(7)]);
    let refused = acting.apply(&desired(8), &approval).await.unwrap_err();
    assert!(
        matches!(&refused, ActFailure::Refused { why } if why.as_str().contains("not sent")),
        "{refused:?}"
    );
    assert!(world.sim.calls().is_empty());
    acting.apply(&desired(7), &approval).await.unwrap();
    let calls = world.sim.calls();
    assert_eq!(calls.len(), 1, "one call and no other: {calls:?}");
}

#[tokio::test(start_paused = true)]
async fn a_check_is_pinned_by_its_version_and_only_by_it() {
    let (world, acting) = hands("calm");
    let check = check(&world, 0);
    let pin = |version| Operation::SetHealthCheck {
        check: check.clone(),
        steers: east(),
        version,
        inverted: true,
        disabled: true,
    };
    // Without a version it is set whatever it was; 0 is none.
    let refused = apply(&world, &acting, &pin(Some(0))).await.unwrap_err();
    assert!(matches!(refused, ActFailure::Refused { .. }), "{refused:?}");
    apply(&world, &acting, &pin(None)).await.unwrap();
    pass(&world, 60).await;
    assert!(!view(&world, 0).0);
    let seen = version(&acting, &check).await;
    let pin = |version| pin(Some(version));
    let id = apply(&world, &acting, &pin(seen)).await.unwrap();
    assert!(id.is_some(), "the request id is kept");
    pass(&world, 60).await;
    assert!(!view(&world, 0).0);
    let late = apply(&world, &acting, &pin(seen)).await.unwrap_err();
    assert!(matches!(late, ActFailure::Moved { .. }), "{late:?}");
    // The version is re-read right before a call, and the approval holds for the call all the same.
    let approval = approve(&world, &[pin(seen)]);
    acting.apply(&pin(seen + 1), &approval).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn switches_are_thrown_and_reset() {
    let (world, acting) = hands("calm");
    let wired = world.sim.evacuation();
    let object = wired.switch_object.unwrap();
    let (bucket, key) = (BucketName::new(&object.bucket), object.keys[0].1.clone());
    let exists = Fact::SwitchObject(object.region.clone(), bucket.clone(), key.clone());
    assert_eq!(know(&acting, &exists).await, Known::Flag(false));
    let region = object.region.clone();
    let put = Operation::PutSwitchObject {
        region: region.clone(),
        bucket: bucket.clone(),
        key: key.clone(),
        steers: east(),
    };
    apply(&world, &acting, &put).await.unwrap();
    assert_eq!(know(&acting, &exists).await, Known::Flag(true));
    pass(&world, 120).await;
    assert!(!view(&world, 0).0);
    let delete = Operation::DeleteSwitchObject { region, bucket, key, steers: east() };
    apply(&world, &acting, &delete).await.unwrap();
    assert_eq!(know(&acting, &exists).await, Known::Flag(false));
    pass(&world, 120).await;
    assert!(view(&world, 0).0);

    let metric = wired.switch_metric.unwrap();
    let value =
        Fact::SwitchMetric(metric.region.clone(), metric.namespace.clone(), metric.name.clone(), east());
    for out in [true, false] {
        let put = Operation::PutSwitchMetric {
            region: metric.region.clone(),
            namespace: metric.namespace.clone(),
            name: metric.name.clone(),
            steers: east(),
            out,
        };
        apply(&world, &acting, &put).await.unwrap();
        pass(&world, 180).await;
        assert_eq!(view(&world, 0).0, !out);
        assert_eq!(know(&acting, &value).await, Known::Flag(out));
    }
}

#[tokio::test(start_paused = true)]
async fn routing_controls_move_by_any_endpoint_that_lives() {
    let (world, acting) = hands("calm");
    let arc = world.topology.arc.clone().unwrap();
    let control = arc.routing_controls[0].arn.clone();
    let set = |on| Operation::SetRoutingControls {
        states: BTreeMap::from([(control.clone(), on)]),
        steers: east(),
    };
    // Four of the five are dark.
    for endpoint in &arc.endpoints[..4] {
        world.sim.black_out(&endpoint.region, SignedDuration::ZERO, None);
    }
    let started = world.clock.now();
    assert_eq!(know(&acting, &Fact::RoutingControl(control.clone())).await, Known::Flag(true));
    assert!(world.clock.now().duration_since(started) < SignedDuration::from_secs(4));
    let started = world.clock.now();
    apply(&world, &acting, &set(false)).await.unwrap();
    assert!(world.clock.now().duration_since(started) < SignedDuration::from_secs(10));
    assert_eq!(know(&acting, &Fact::RoutingControl(control.clone())).await, Known::Flag(false));
    let done: Vec<_> = world.sim.calls().into_iter().filter(|call| call.mutating && call.done).collect();
    assert_eq!(done.len(), 1, "{done:?}");
}

#[tokio::test(start_paused = true)]
async fn a_safety_rule_refuses_once_for_all_endpoints() {
    let (world, acting) = hands("calm");
    let arc = world.topology.arc.clone().unwrap();
    let states = arc.routing_controls.iter().map(|control| (control.arn.clone(), false)).collect();
    let all = Operation::SetRoutingControls { states, steers: east() };
    let refused = apply(&world, &acting, &all).await.unwrap_err();
    assert!(matches!(&refused, ActFailure::Refused { why } if why.as_str().contains("ConflictException")));
    assert_eq!(world.sim.calls().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn services_are_scaled_and_deployed() {
    let (world, acting) = hands("calm");
    let limits = |min, max, suspended| Operation::RegisterScalableTarget {
        region: west(),
        service: api(),
        min,
        max: Some(max),
        suspended,
    };
    apply(&world, &acting, &limits(9, 30, None)).await.unwrap();
    let target = |min, max, suspended| {
        Known::Scaling(Some(ScalableTarget {
            min,
            max,
            scale_in_suspended: suspended,
            scale_out_suspended: suspended,
            scheduled_suspended: suspended,
        }))
    };
    assert_eq!(know(&acting, &Fact::Scaling(west(), api())).await, target(9, 30, false));
    pass(&world, 180).await;
    let Known::Service(state) = know(&acting, &Fact::Service(west(), api())).await else { panic!() };
    assert_eq!((state.desired, state.running), (9, 9), "the limits clamp at once");

    // What was never read is not written: Max stays as it is.
    let held = Operation::RegisterScalableTarget {
        region: west(),
        service: api(),
        min: 0,
        max: None,
        suspended: Some(Suspended::ALL),
    };
    apply(&world, &acting, &held).await.unwrap();
    assert_eq!(know(&acting, &Fact::Scaling(west(), api())).await, target(0, 30, true));
    apply(&world, &acting, &desired(0)).await.unwrap();
    pass(&world, 600).await;
    let Known::Service(state) = know(&acting, &Fact::Service(west(), api())).await else { panic!() };
    assert_eq!((state.desired, state.running, state.pending), (0, 0, 0));

    let redeploy = Operation::Redeploy { region: east(), service: api() };
    apply(&world, &acting, &redeploy).await.unwrap();
    let Known::Service(state) = know(&acting, &Fact::Service(east(), api())).await else { panic!() };
    assert_eq!(state.deployments.len(), 2);
}

fn a_member(world: &World, site: usize) -> Arn {
    world.topology.aurora[0].members[site].arn.clone()
}

async fn writer(acting: &Acting, world: &World) -> Option<Arn> {
    let fact = Fact::GlobalCluster(west(), world.topology.aurora[0].id.clone());
    let Known::GlobalCluster(global) = know(acting, &fact).await else { panic!() };
    global.members.into_iter().find(|member| member.is_writer).map(|member| member.arn)
}

#[tokio::test(start_paused = true)]
async fn the_writer_moves_without_loss_or_with_it() {
    let (world, acting) = hands("calm");
    let global = world.topology.aurora[0].id.clone();
    let there = a_member(&world, 1);
    let over =
        Operation::SwitchoverGlobalCluster { region: east(), global: global.clone(), target: there.clone() };
    apply(&world, &acting, &over).await.unwrap();
    let again = apply(&world, &acting, &over).await.unwrap_err();
    assert!(matches!(again, ActFailure::Refused { .. }), "not twice, and not later: {again:?}");
    pass(&world, 900).await;
    assert_eq!(writer(&acting, &world).await, Some(there.clone()));

    let (world, acting) = hands("calm");
    world.sim.black_out(&east(), SignedDuration::ZERO, None);
    pass(&world, 60).await;
    let fail = Operation::FailoverGlobalCluster { region: west(), global, target: there.clone() };
    apply(&world, &acting, &fail).await.unwrap();
    pass(&world, 900).await;
    assert_eq!(writer(&acting, &world).await, Some(there));
}

#[tokio::test(start_paused = true)]
async fn members_leave_and_protections_change() {
    let (world, acting) = hands("calm");
    let global = world.topology.aurora[0].id.clone();
    let fact = Fact::GlobalCluster(west(), global.clone());
    let Known::GlobalCluster(before) = know(&acting, &fact).await else { panic!() };
    for protected in [!before.deletion_protection, before.deletion_protection] {
        let set = Operation::SetGlobalClusterProtection { region: west(), global: global.clone(), protected };
        apply(&world, &acting, &set).await.unwrap();
        let Known::GlobalCluster(now) = know(&acting, &fact).await else { panic!() };
        assert_eq!(now.deletion_protection, protected);
    }
    let cluster = world.topology.aurora[0].members[1].id.clone();
    let set = Operation::SetClusterProtection { region: west(), cluster, protected: false };
    apply(&world, &acting, &set).await.unwrap();
    let remove = Operation::RemoveFromGlobalCluster {
        region: west(),
        global: global.clone(),
        cluster: a_member(&world, 1),
    };
    apply(&world, &acting, &remove).await.unwrap();
    pass(&world, 120).await;
    let Known::GlobalCluster(after) = know(&acting, &Fact::GlobalCluster(east(), global)).await else {
        panic!()
    };
    assert_eq!(after.members.len(), before.members.len() - 1);
}

pub(crate) async fn records(world: &World, acting: &Acting, name: &HostName) -> Vec<RecordSet> {
    let zone = zone(world);
    match know(acting, &Fact::Records(zone, name.clone())).await {
        Known::Records(records) => records,
        other => panic!("{other:?}"),
    }
}

fn zone(world: &World) -> ZoneId {
    world.topology.hostnames[0].zone_id.clone().unwrap()
}

#[tokio::test(start_paused = true)]
async fn records_go_exactly_as_they_are_and_come_back_so() {
    let (world, acting) = hands("calm");
    let name = world.topology.hostnames[0].name.clone();
    let before = records(&world, &acting, &name).await;
    let own: Vec<RecordSet> = before
        .iter()
        .filter(|record| record.set_identifier.as_ref().is_some_and(|set| set.as_str() == "us-east-1"))
        .cloned()
        .collect();
    assert_eq!(own.len(), 2, "A and AAAA");
    let change = |action, records: &[RecordSet]| Operation::ChangeRecords {
        zone: zone(&world),
        steers: east(),
        changes: records.iter().map(|record| RecordChange { action, record: record.clone() }).collect(),
    };
    pass(&world, 2).await;
    apply(&world, &acting, &change(RecordAction::Delete, &own)).await.unwrap();
    assert_eq!(records(&world, &acting, &name).await.len(), before.len() - 2);
    pass(&world, 2).await;
    let gone = apply(&world, &acting, &change(RecordAction::Delete, &own)).await.unwrap_err();
    assert!(matches!(&gone, ActFailure::Moved { why } if why.as_str().contains("is gone")), "{gone:?}");
    pass(&world, 2).await;
    apply(&world, &acting, &change(RecordAction::Upsert, &own)).await.unwrap();
    assert_eq!(records(&world, &acting, &name).await, before);
    // Another process, which never saw them, writes the same.
    pass(&world, 2).await;
    apply(&world, &acting, &change(RecordAction::Delete, &own)).await.unwrap();
    let fresh = super::act::acting(&world);
    pass(&world, 2).await;
    apply(&world, &fresh, &change(RecordAction::Upsert, &own)).await.unwrap();
    assert_eq!(records(&world, &acting, &name).await, before);
    // What somebody else has changed meanwhile is not deleted.
    let mut other = own.clone();
    other[0].health_check = None;
    pass(&world, 2).await;
    let moved = apply(&world, &acting, &change(RecordAction::Delete, &other)).await.unwrap_err();
    assert!(matches!(moved, ActFailure::Moved { .. }), "{moved:?}");
    assert_eq!(records(&world, &acting, &name).await, before);
}

#[tokio::test(start_paused = true)]
async fn a_clock_that_is_wrong_does_not_stop_a_call() {
    let (world, acting) = hands("clock-skew");
    // Any answer tells AWS's time.
    know(&acting, &Fact::Service(west(), api())).await;
    apply(&world, &acting, &desired(9)).await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn topics_hear_of_a_run() {
    let (world, acting) = hands("calm");
    let approval = approve(&world, &[desired(7)]);
    let topic = world.topology.regions[1].topics[0].clone();
    let subject = "drain us-east-1: halted – see below".into();
    acting.publish(&topic, &subject, "the words", &approval).await.unwrap();
    let messages = world.sim.messages();
    assert_eq!(messages.len(), 1, "{messages:?}");
    let nobody = Arn::new("arn:aws:sns:eu-west-1:123456789012:nobody");
    let failed = acting.publish(&nobody, &subject, "the words", &approval).await.unwrap_err();
    assert!(failed.as_str().contains("sns:Publish in eu-west-1"), "{failed}");
}
