//! Every way out of DNS, carried out, proven and undone in a simulated world.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::evacuation::EvacuationMethod as Method;
use switchtower::domain::ids::{HealthCheckId, Region};
use switchtower::runbook::{Condition, Decision, Event, Operation, Outcome, Params, Steering, Step};
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::world::zone::{Action, Change};
use switchtower::sim::{Mode, SimOptions, Wiring};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};

fn wired() -> SimOptions {
    let wiring = Wiring { switch_object: true, switch_metric: true, routing_control: true };
    SimOptions { services: 1, latency: false, pace: 4.0, wiring, ..SimOptions::default() }
}

fn one_way(options: SimOptions, method: Method) -> Stage {
    Stage::shaped(options, |topology| topology.evacuation = vec![method])
}

fn pins(method: Method, operation: &Operation) -> bool {
    if !matches!(operation.steering(), Some(Steering::Out(_))) {
        return false;
    }
    match method {
        Method::RoutingControl => matches!(operation, Operation::SetRoutingControls { .. }),
        Method::SwitchObject => matches!(operation, Operation::PutSwitchObject { .. }),
        Method::SwitchMetric => matches!(operation, Operation::PutSwitchMetric { .. }),
        Method::HealthCheck => matches!(operation, Operation::SetHealthCheck { .. }),
        Method::Record => matches!(operation, Operation::ChangeRecords { .. }),
    }
}

/// The plan with a step behind the pin that can never hold, so that the run halts there.
fn stuck(plan: &mut switchtower::runbook::Plan) {
    let pin = plan.steps.iter().find(|step| step.id.as_str() == "pin").unwrap().clone();
    plan.steps.retain(|step| step.id.as_str() == "answers" || step.id == pin.id);
    for step in &mut plan.steps {
        step.after.clear();
    }
    let never = Condition::Any { of: Vec::new() };
    let wait = Step::wait("stuck", "wait for what never comes", never, Duration::from_secs(30));
    plan.steps.push(wait.after([pin.id]));
}

async fn in_dns(stage: &Stage, wanted: bool) -> bool {
    for _ in 0..60 {
        let view = stage.sim.view();
        let seen = view.regions.iter().find(|region| region.region == LEAVING).unwrap();
        if seen.in_dns == wanted {
            return true;
        }
        stage.clock.sleep(Duration::from_secs(5)).await;
    }
    false
}

/// Takes the region out by one method, sees it proven, and takes it back.
fn out_and_back(name: &str, stage: impl FnOnce() -> Stage, method: Method, dark: bool) {
    play(async || {
        let stage = stage();
        let mut plan =
            stage.open_plan("failover", &Params { declared: Some("a test".into()), ..leaving() }).await;
        if dark {
            stage.sim.apis_down(&Region::new(LEAVING), &["route53"], Mode::Hang, SignedDuration::ZERO, None);
        }
        stuck(&mut plan);
        *stage.answers.lock().unwrap() = vec![Decision::HandOver];
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{name}: {:#?}", stage.words());
        assert!(
            stage.sent().iter().all(|call| pins(method, call)) && !stage.sent().is_empty(),
            "{name}: {:#?}",
            stage.sent()
        );
        let done = stage
            .recorder
            .entries()
            .iter()
            .any(|entry| matches!(&entry.event, Event::StepDone { step, .. } if step.as_str() == "pin"));
        assert!(done, "{name}: {:#?}", stage.words());
        assert!(in_dns(&stage, false).await, "{name}: it stays in DNS");
        // The same run again, and now everything is undone.
        *stage.answers.lock().unwrap() = vec![Decision::Undo { reason: "a test".into(), step: None }];
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Undone, "{name}: {}\n{:#?}", ending.why, stage.words());
        assert!(in_dns(&stage, true).await, "{name}: it does not come back");
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new(), "{name}");
    });
}

#[test]
fn each_method_takes_a_region_out_and_back() {
    for method in Method::ALL {
        out_and_back(method.word(), || one_way(wired(), method), method, false);
    }
}

#[test]
fn three_of_them_need_no_control_plane_of_route_53() {
    for method in [Method::RoutingControl, Method::SwitchObject, Method::SwitchMetric] {
        out_and_back(method.word(), || one_way(wired(), method), method, true);
    }
}

#[test]
fn a_check_that_another_service_owns_is_left_alone() {
    let options = || SimOptions {
        linked_checks: vec![Region::new(LEAVING)],
        ..SimOptions { wiring: Wiring::default(), ..wired() }
    };
    out_and_back("linked", || Stage::new(options()), Method::Record, false);
}

#[test]
fn a_check_that_other_records_share_is_left_alone() {
    let shared = || {
        let stage = Stage::new(SimOptions { wiring: Wiring::default(), ..wired() });
        let world = stage.sim.world();
        let check = world.record_check(0).to_owned();
        let now = stage.clock.now();
        // The survivor's records hang on the leaving region's check, in the zone and in the topology.
        let theirs = world.records(now).into_iter().filter(|set| set.region.as_deref() == Some(SURVIVOR));
        let changes = theirs.map(|mut record| {
            record.check = Some(check.clone());
            Change { action: Action::Upsert, record }
        });
        let changes = changes.collect();
        world.act(now, Deed::Records { id: "C1".into(), changes, insync: now });
        let mut topology = (*stage.topology).clone();
        for record in &mut topology.records {
            if record.health_check.is_some() {
                record.health_check = Some(HealthCheckId::new(&check));
            }
        }
        stage.over(topology)
    };
    play(async || {
        let stage = shared();
        let plan = stage.plan("drain", &leaving()).await;
        let told = plan.notes.iter().find(|note| note.as_str().contains("it would also move"));
        let told = told.unwrap_or_else(|| panic!("{:#?}", plan.notes)).as_str().to_owned();
        for name in ["api.example.com A of eu-west-1", "www.example.com AAAA of eu-west-1"] {
            assert!(told.contains(name), "{told}");
        }
    });
    out_and_back("shared", shared, Method::Record, false);
}
