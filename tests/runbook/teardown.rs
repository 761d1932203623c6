//! Cleanup, carried out in a simulated world to its end.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::runbook::{Event, Operation, Outcome, Params, PlanError};
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::world::removal::Thing;
use switchtower::sim::{FaultKind, InjectedFault, Scenario, SimOptions};

use super::stage::{Frozen, LEAVING, SURVIVOR, Stage, leaving, play};

fn calm() -> SimOptions {
    SimOptions { services: 1, latency: false, pace: 4.0, ..SimOptions::default() }
}

/// Nobody uses the application any more.
pub(crate) fn retire(stage: &Stage) {
    let text = "name = \"retired\"\ndescription = \"Nobody uses it.\"\n\n[[effect]]\nkind = \"demand\"\nfactor = 0.0\nwhere = \"everywhere\"\n";
    stage.sim.overlay(&Scenario::parse(text).unwrap(), &Region::new(LEAVING), SignedDuration::ZERO);
}

/// A region out of service, as a drain leaves it.
pub(crate) async fn drained(options: SimOptions) -> Stage {
    let stage = Stage::new(options);
    let plan = stage.open_plan("drain", &leaving()).await;
    let ending = stage.ended(&plan).await;
    assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
    stage.next()
}

/// An application that nobody uses.
pub(crate) async fn retired(options: SimOptions) -> Stage {
    let stage = Stage::new(options);
    retire(&stage);
    stage.clock.sleep(Duration::from_mins(10)).await;
    stage
}

/// What the run told at its end: the proof, and what is left.
fn assert_proven(stage: &Stage, left: &[&str]) {
    let entries = stage.recorder.entries();
    let proven = entries.iter().any(|entry| match &entry.event {
        Event::StepDone { step, .. } | Event::StepHeld { step, .. } => step.as_str() == "proof",
        _ => false,
    });
    assert!(proven, "{:#?}", stage.words());
    let Event::Opened { plan, .. } = &entries[0].event else { panic!("{:?}", entries[0]) };
    let proof = plan.steps.last().unwrap();
    for words in left {
        assert!(
            proof.changes.iter().any(|line| line.as_str().contains(words)),
            "{words}: {:#?}",
            proof.changes
        );
    }
}

#[test]
fn a_drained_region_is_taken_down_and_nobody_notices() {
    play(async || {
        let stage = drained(SimOptions { services: 2, ..calm() }).await;
        let plan = stage.open_plan("cleanup", &leaving()).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_proven(&stage, &["hosted zone", "topic", "the final Aurora snapshots"]);
        let view = stage.sim.view();
        assert_eq!(view.aurora_writers, [SURVIVOR]);
        let served: u64 = view.regions.iter().map(|region| region.served).sum();
        // Clients that keep their connections end with the region, as its drain left them.
        assert!(stage.failed() < 0.002 * served as f64, "{} of {served} failed", stage.failed());
        // The other region has everything that it had.
        let whole = stage.remains(Some(SURVIVOR)).len();
        play_count(whole);
        for operation in stage.sent() {
            let own = matches!(&operation, Operation::DeleteReplica { replica, .. } if replica.as_str() == LEAVING)
                || matches!(&operation, Operation::DeleteBucketReplication { .. })
                || operation.region().as_str() == LEAVING;
            assert!(own, "{operation:?}");
        }
        let tagless = stage.topology.regions[0].topics[0].as_str().to_owned();
        assert!(!stage.sim.world().is_gone(&Thing::Topic(tagless), stage.clock.now()));
        assert!(!stage.sim.calls().iter().any(|call| call.operation.contains("HostedZone") && call.mutating));
    });
}

/// Alarms on health checks live in us-east-1: another region's goes with that region.
#[test]
fn nothing_is_left_to_watch_a_region_that_is_gone() {
    play(async || {
        let away = Params { region: Some(Region::new(SURVIVOR)), ..Params::default() };
        let stage = Stage::new(calm());
        let alarm = Thing::Alarm(LEAVING.to_owned(), format!("health-check-{SURVIVOR}"));
        let gone = |stage: &Stage| stage.sim.world().is_gone(&alarm, stage.clock.now());
        let ending = stage.ended(&stage.open_plan("drain", &away).await).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        let stage = stage.next();
        assert!(!gone(&stage));
        let plan = stage.open_plan("cleanup", &away).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert!(gone(&stage), "{:#?}", plan.leaves());
        assert_eq!(stage.remains(Some(SURVIVOR)), Vec::<String>::new());
        let told = format!("health-check-{SURVIVOR}");
        assert!(!plan.leaves().iter().any(|line| line.as_str().contains(&told)), "{:#?}", plan.leaves());
        // The one on the region that stays is there, and hears of it.
        let other = Thing::Alarm(LEAVING.to_owned(), format!("health-check-{LEAVING}"));
        assert!(!stage.sim.world().is_gone(&other, stage.clock.now()));
    });
}

/// The survivor holds as much as a world in which nothing was done.
fn play_count(whole: usize) {
    let untouched = std::thread::spawn(|| {
        play(async || Stage::new(SimOptions { services: 2, ..calm() }).remains(Some(SURVIVOR)).len())
    });
    assert_eq!(whole, untouched.join().unwrap());
}

#[test]
fn a_retired_application_is_taken_down_whole() {
    play(async || {
        let stage = retired(calm()).await;
        let plan = stage.open_plan("cleanup", &Params::default()).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_proven(&stage, &["hosted zone", "topic"]);
        assert!(!stage.sim.calls().iter().any(|call| call.operation.contains("HostedZone") && call.mutating));
        // Again: everything that can be told says that nothing is left to do.
        let stage = stage.next();
        match stage.planned("cleanup", &Params::default()).await {
            Err(PlanError::Impossible(why)) => assert!(why.as_str().contains("nothing is left"), "{why}"),
            other => panic!("{:#?}", other.map(|plan| plan.steps)),
        }
    });
}

#[test]
fn a_region_with_users_is_never_taken_down() {
    play(async || {
        let stage = Stage::new(calm());
        for params in [leaving(), Params::default()] {
            let plan = stage.plan("cleanup", &params).await;
            let refused = stage.approve(&plan).unwrap_err().to_string();
            assert!(refused.contains("serves") && refused.contains("is in DNS"), "{refused}");
            assert!(plan.findings.iter().any(|finding| !finding.may_override));
        }
    });
    play(async || {
        // Confirmed while nobody came; then somebody lets users back.
        let stage = drained(calm()).await;
        let plan = stage.open_plan("cleanup", &leaving()).await;
        let world = stage.sim.world();
        let check = world.record_check(0).to_owned();
        let open = Deed::Check { check, inverted: Some(false), disabled: Some(false), threshold: None };
        world.act(stage.clock.now(), open);
        stage.clock.sleep(Duration::from_mins(8)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(stage.sent(), [], "{}", ending.why);
        assert!(ending.why.as_str().contains("requests a minute"), "{}", ending.why);
    });
}

#[test]
fn nothing_without_the_owner_tag_is_touched() {
    play(async || {
        let stage = Stage::shaped(calm(), |topology| {
            topology.cleanup.as_mut().unwrap().owner_value = Some("billing".into());
        });
        retire(&stage);
        stage.clock.sleep(Duration::from_mins(10)).await;
        let planned = stage.planned("cleanup", &Params::default()).await;
        match planned {
            Err(PlanError::Impossible(why)) => assert!(why.as_str().contains("nothing is left"), "{why}"),
            other => panic!("{:#?}", other.map(|plan| plan.steps)),
        }
    });
}

#[test]
fn refusals_for_the_sake_of_order_are_waited_for() {
    let cases: [(&str, &str, u16, &str); 7] = [
        ("elasticloadbalancing", "DeleteTargetGroup", 400, "ResourceInUse"),
        ("ecs", "DeleteCluster", 400, "ClusterContainsServicesException"),
        ("rds", "DeleteDBCluster", 400, "InvalidDBClusterStateFault"),
        ("rds", "DeleteDBInstance", 400, "InvalidDBInstanceState"),
        ("dynamodb", "UpdateTable", 400, "ResourceInUseException"),
        ("s3", "DeleteBucket", 409, "OperationAborted"),
        ("route53", "ChangeResourceRecordSets", 400, "PriorRequestNotComplete"),
    ];
    play(async || {
        let stage = drained(calm()).await;
        let plan = stage.open_plan("cleanup", &leaving()).await;
        let faults = cases.map(|(service, operation, status, code)| {
            let kind = FaultKind::Refuse { status, code: code.into() };
            // The first two times.
            let first = stage.sim.inject(InjectedFault::next(service, operation, kind.clone()));
            stage.sim.inject(InjectedFault::next(service, operation, kind).on(2));
            first
        });
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        for (fault, (_, operation, ..)) in faults.into_iter().zip(cases) {
            assert_eq!(stage.sim.fired(fault), 1, "{operation}");
        }
    });
}

#[test]
fn a_replica_that_others_were_made_from_halts_in_awss_words() {
    play(async || {
        let stage = Stage::new(SimOptions { regions: SimOptions::first_regions(3), ..calm() });
        let middle =
            stage.topology.tables.iter().find(|table| table.name.as_str() == "user-sessions").unwrap();
        let middle = middle.regions[middle.regions.len() - 2].clone();
        let params = Params { region: Some(middle), ..Params::default() };
        let plan = stage.open_plan("drain", &params).await;
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done);
        let stage = stage.next();
        let plan = stage.open_plan("cleanup", &params).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(ending.why.as_str().contains("acted as a source region"), "{}", ending.why);
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
    });
}

#[test]
fn a_network_that_is_still_used_halts_with_what_stands_in_it() {
    play(async || {
        let stage = drained(calm()).await;
        let mut plan = stage.open_plan("cleanup", &leaving()).await;
        // Its load balancers stay, as they would without the tag.
        plan.steps.retain(|step| step.id.as_str().starts_with("stack/"));
        plan.steps.iter_mut().for_each(|step| step.after.clear());
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(ending.why.as_str().contains("failed to delete: [Subnets]"), "{}", ending.why);
    });
}

/// Lets the process die after entries of a run, each in a world of its own, and takes the run up again.
fn cut_after(frozen: &Frozen, params: &Params, every: usize) {
    let told = play(async || {
        let stage = frozen.thaw();
        let plan = stage.open_plan("cleanup", params).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        stage.recorder.entries()
    });
    let cuts = told.iter().filter(|entry| {
        !matches!(entry.event, Event::Progress { .. } | Event::StepBegan { .. } | Event::Opened { .. })
    });
    for cut in cuts.map(|entry| entry.seq as usize).step_by(every) {
        play(async || {
            let mut stage = frozen.thaw();
            let plan = stage.open_plan("cleanup", params).await;
            *stage.cut.lock().unwrap() = Some(cut);
            assert!(stage.run(&plan).await.is_none(), "it lives on after entry {cut}");
            stage.sign_in();
            let last = stage.words().last().cloned();
            let ending = stage.ended(&plan).await;
            let faults = stage.faults(&plan, &ending);
            assert!(
                ending.outcome == Outcome::Done && faults.is_empty(),
                "cut after {last:?}: {ending:?} {faults:?}\n{:#?}",
                stage.words()
            );
        });
    }
}

#[test]
fn a_cleanup_of_a_region_is_taken_up_after_its_entries() {
    let frozen = play(async || drained(calm()).await.freeze());
    cut_after(&frozen, &leaving(), 4);
}

#[test]
fn a_cleanup_of_everything_is_taken_up_after_its_entries() {
    let frozen = play(async || retired(calm()).await.freeze());
    cut_after(&frozen, &Params::default(), 11);
}
