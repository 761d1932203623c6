//! The fence of a failed region: auto scaling is held first, whatever was read, and nobody waits for it.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::Timestamp;
use switchtower::runbook::{DatabaseChoice, Event, Operation, Outcome, Params, StepId, Suspended};
use switchtower::sim::{SimOptions, Wiring};

use super::stage::{LEAVING, Stage, leaving, play};

fn dark(scenario: &str) -> (Stage, Params) {
    let stage = Stage::new(SimOptions { scenario: scenario.into(), ..SimOptions::default() });
    let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    (stage, params)
}

/// From the first beginning of a step of the fence to the last end of one.
fn spent(stage: &Stage) -> Duration {
    let ours = |step: &StepId| step.as_str().starts_with("hold/") || step.as_str().starts_with("fence/");
    let times: Vec<Timestamp> = stage
        .recorder
        .entries()
        .iter()
        .filter(|entry| match &entry.event {
            Event::StepBegan { step }
            | Event::StepDone { step, .. }
            | Event::StepHeld { step, .. }
            | Event::StepFailed { step, .. } => ours(step),
            _ => false,
        })
        .map(|entry| entry.at)
        .collect();
    times.iter().max().unwrap().duration_since(*times.iter().min().unwrap()).unsigned_abs()
}

#[test]
fn limits_that_nobody_could_read_are_lowered_all_the_same() {
    play(async || {
        // Application Auto Scaling of the region hangs while this is planned.
        let (stage, params) = dark("regional-outage");
        let plan = stage.plan("failover", &params).await;
        for service in &stage.topology.region(&LEAVING.into()).unwrap().services {
            let id = format!("hold/{LEAVING}/{}", service.key);
            let hold = plan.steps.iter().find(|step| step.id.as_str() == id).unwrap();
            let [Operation::RegisterScalableTarget { min: 0, max: None, suspended, .. }] =
                &hold.ways[0].calls[..]
            else {
                panic!("{:?}", hold.ways)
            };
            assert_eq!(*suspended, Some(Suspended::ALL));
            let fence = StepId::new(format!("fence/{LEAVING}/{}", service.key));
            assert_eq!(plan.step(&fence).unwrap().after, [StepId::new(id)]);
        }
        let unread = ": never read, and no restore brings them back";
        let told = |line: &switchtower::domain::text::Text| {
            line.as_str().starts_with("scaling limits of prod/api") && line.as_str().ends_with(unread)
        };
        assert!(plan.notes.iter().any(told), "{:?}", plan.notes);
    });
}

#[test]
fn a_region_that_hangs_is_given_half_a_minute() {
    play(async || {
        // Users leave by an object in another region: Route 53's own API is as dark as the rest.
        let wiring = Wiring { switch_object: true, ..Wiring::default() };
        let stage = Stage::new(SimOptions { wiring, ..SimOptions::default() });
        let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        stage.sim.black_out(&LEAVING.into(), jiff::SignedDuration::ZERO, None);
        stage.clock.sleep(Duration::from_mins(5)).await;
        let plan = stage.plan("failover", &params).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let spent = spent(&stage);
        assert!(spent <= Duration::from_secs(30), "{spent:?}\n{:#?}", stage.words());
    });
}
