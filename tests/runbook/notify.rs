//! Who is told of a run: when, and never at the run's cost.

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::{Arn, Region};
use switchtower::domain::topology::NotifySettings;
use switchtower::runbook::{Event, Outcome, Params};
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};

/// Four regions, each with a topic, and all of them to be told.
fn told_everywhere() -> Stage {
    let options = SimOptions {
        regions: SimOptions::first_regions(4),
        services: 1,
        latency: false,
        pace: 4.0,
        ..SimOptions::default()
    };
    Stage::shaped(options, |topology| {
        let topics = topology.regions.iter().filter_map(|entry| entry.topics.first().cloned()).collect();
        topology.notify = Some(NotifySettings { topics, command: Vec::new() });
    })
}

/// What the topics of a region heard.
fn heard(stage: &Stage, region: &str) -> Vec<String> {
    let messages = stage.sim.messages();
    let here =
        messages.iter().filter(|message| Arn::new(&message.topic).region() == Some(Region::new(region)));
    here.map(|message| {
        message.subject.clone().unwrap_or_default().rsplit(' ').next().unwrap_or_default().to_owned()
    })
    .collect()
}

/// Whom the record names, with whether it was told.
fn recorded(stage: &Stage, region: &str) -> Vec<bool> {
    let entries = stage.recorder.entries();
    let told = entries.iter().filter_map(|entry| match &entry.event {
        Event::Notified { whom, failure } => Some((Arn::new(whom.as_str()), failure.is_none())),
        _ => None,
    });
    told.filter(|(topic, _)| topic.region() == Some(Region::new(region))).map(|(_, heard)| heard).collect()
}

#[test]
fn the_start_and_the_end_are_told_outside_the_region_that_goes() {
    play(async || {
        let stage = told_everywhere();
        let plan = stage.open_plan("drain", &leaving()).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        for entry in &stage.topology.regions {
            let wanted: &[&str] = if entry.name.as_str() == LEAVING { &[] } else { &["begins", "ended"] };
            assert_eq!(heard(&stage, entry.name.as_str()), wanted, "{}", entry.name);
            assert_eq!(recorded(&stage, entry.name.as_str()).len(), wanted.len(), "{}", entry.name);
        }
    });
}

#[test]
fn a_halt_is_told() {
    play(async || {
        let stage = told_everywhere();
        let plan = stage.open_plan("drain", &leaving()).await;
        let kind = FaultKind::Refuse { status: 400, code: "ValidationException".into() };
        let service = "application-autoscaling";
        for number in 1..40 {
            stage.sim.inject(InjectedFault::next(service, "RegisterScalableTarget", kind.clone()).on(number));
        }
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{}", ending.why);
        assert_eq!(heard(&stage, SURVIVOR), ["begins", "halted", "ended"]);
    });
}

/// Two topics that hang are more than the time for all of them would bear one after the other.
#[test]
fn topics_that_hang_silence_nobody_and_delay_no_run() {
    let lasts = |hung: &[usize]| {
        play(async || {
            let stage = told_everywhere();
            let params = Params { declared: Some("a test".into()), ..leaving() };
            let plan = stage.open_plan("failover", &params).await;
            let others: Vec<Region> =
                stage.topology.regions[1..].iter().map(|entry| entry.name.clone()).collect();
            for index in hung {
                stage.sim.apis_down(&others[*index], &["sns"], Mode::Hang, SignedDuration::ZERO, None);
            }
            let began = stage.clock.now();
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
            for (index, region) in others.iter().enumerate() {
                let silent = hung.contains(&index);
                let wanted: &[&str] = if silent { &[] } else { &["begins", "ended"] };
                assert_eq!(heard(&stage, region.as_str()), wanted, "{region} while {hung:?} hang");
                assert_eq!(recorded(&stage, region.as_str()), [!silent; 2], "{region} while {hung:?} hang");
            }
            stage.clock.now().duration_since(began).unsigned_abs()
        })
    };
    let free = lasts(&[]);
    for hung in [[0, 1], [1, 2], [0, 2]] {
        let slower = lasts(&hung).saturating_sub(free);
        assert!(slower <= Duration::from_secs(6), "{slower:?} longer");
    }
}
