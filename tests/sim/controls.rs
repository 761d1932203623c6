//! Routing controls, on any of five endpoints.

use aws_sdk_route53recoverycluster::types::{RoutingControlState, UpdateRoutingControlStateEntry};
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::{FaultKind, InjectedFault, Mode, RoutingControls, Sim, SimOptions, Wiring};

use super::{code, config, in_dns, pass, world, world_of};

fn wired() -> (Sim, RoutingControls) {
    let wiring = Wiring { routing_control: true, ..Wiring::default() };
    let sim = world_of(SimOptions { wiring, ..SimOptions::default() });
    let controls = sim.evacuation().routing_control.unwrap();
    (sim, controls)
}

fn client(sim: &Sim, endpoint: &(Region, String)) -> aws_sdk_route53recoverycluster::Client {
    let shared = config(sim, endpoint.0.as_str());
    let own =
        aws_sdk_route53recoverycluster::config::Builder::from(&shared).endpoint_url(&endpoint.1).build();
    aws_sdk_route53recoverycluster::Client::from_conf(own)
}

#[tokio::test(start_paused = true)]
async fn a_control_takes_a_region_out_from_any_endpoint() {
    let (sim, controls) = wired();
    assert_eq!(controls.endpoints.len(), 5);
    sim.apis_down(&Region::new("us-east-1"), &["*"], Mode::Hang, SignedDuration::ZERO, None);
    let busy = FaultKind::Refuse { status: 503, code: "EndpointTemporarilyUnavailableException".into() };
    sim.inject(InjectedFault::next("route53-recovery-cluster", "*", busy).within("us-west-2"));
    let control = controls.controls[0].1.as_str();
    let off = |endpoint: usize| {
        let client = client(&sim, &controls.endpoints[endpoint]);
        client
            .update_routing_control_state()
            .routing_control_arn(control)
            .routing_control_state(RoutingControlState::Off)
            .send()
    };
    assert_eq!(code(off(1).await), "EndpointTemporarilyUnavailableException");
    off(2).await.unwrap();
    let read = client(&sim, &controls.endpoints[3])
        .get_routing_control_state()
        .routing_control_arn(control)
        .send()
        .await
        .unwrap();
    assert_eq!(read.routing_control_state(), &RoutingControlState::Off);
    assert_eq!(read.routing_control_name(), Some("us-east-1"));
    pass(&sim, 15).await;
    assert_eq!(in_dns(&sim), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn one_control_stays_on_unless_the_rule_is_overridden() {
    let (sim, controls) = wired();
    let client = client(&sim, &controls.endpoints[4]);
    let entry = |index: usize, state: RoutingControlState| {
        UpdateRoutingControlStateEntry::builder()
            .routing_control_arn(&controls.controls[index].1)
            .routing_control_state(state)
            .build()
            .unwrap()
    };
    let both = || {
        client
            .update_routing_control_states()
            .update_routing_control_state_entries(entry(0, RoutingControlState::Off))
            .update_routing_control_state_entries(entry(1, RoutingControlState::Off))
    };
    assert_eq!(code(both().send().await), "ConflictException");
    let states = async || {
        let listed = client.list_routing_controls().send().await.unwrap();
        listed
            .routing_controls()
            .iter()
            .map(|one| one.routing_control_state().unwrap().clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(states().await, [RoutingControlState::On, RoutingControlState::On], "none or all");
    client
        .update_routing_control_states()
        .update_routing_control_state_entries(entry(0, RoutingControlState::Off))
        .update_routing_control_state_entries(entry(1, RoutingControlState::On))
        .send()
        .await
        .unwrap();
    assert_eq!(states().await, [RoutingControlState::Off, RoutingControlState::On]);
    both().safety_rules_to_override(&controls.safety_rule).send().await.unwrap();
    assert_eq!(states().await, [RoutingControlState::Off, RoutingControlState::Off]);
    let unknown = client.get_routing_control_state().routing_control_arn("arn:aws:nope").send().await;
    assert_eq!(code(unknown), "ResourceNotFoundException");
}

#[tokio::test(start_paused = true)]
async fn without_controls_there_is_no_cluster() {
    let sim = world("calm");
    assert_eq!(sim.evacuation().routing_control, None);
    let client = aws_sdk_route53recoverycluster::Client::new(&config(&sim, "us-west-2"));
    assert!(client.list_routing_controls().send().await.is_err());
}
