//! How long a step waits before it acts, what it looks at afterwards, and when it tries another way.

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::{Region, ServiceKey};
use switchtower::runbook::{Condition, Event, Operation, Outcome, Params, Plan, Step, StepId, Way};
use switchtower::sim::SimOptions;
use switchtower::sim::world::deeds::Deed;

use super::stage::{SURVIVOR, Stage, leaving, play};

fn key() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn wants(tasks: i32) -> Condition {
    Condition::Desired { region: Region::new(SURVIVOR), service: key(), tasks, at_least: true }
}

fn call(desired: i32) -> Operation {
    Operation::SetDesired { region: Region::new(SURVIVOR), service: key(), desired }
}

fn elapsed(seconds: u64) -> Condition {
    Condition::Elapsed { span: Duration::from_secs(seconds), name: "a pause".into() }
}

/// A world, and a plan of one step there: twelve tasks for the survivor.
async fn one_step(when: Condition) -> (Stage, Plan) {
    let options = SimOptions { services: 1, ..SimOptions::default() };
    let stage = Stage::shaped(options, |topology| topology.notify = None);
    let mut plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
    plan.findings.clear();
    let step = Step::act("grow", "grow", vec![call(12)], Vec::new(), wants(12), Duration::from_mins(20));
    plan.steps = vec![step.at(&Region::new(SURVIVOR)).when(when)];
    (stage, plan)
}

/// Seconds from the beginning of the step until something was said of it.
fn after(stage: &Stage, said: impl Fn(&Event) -> bool) -> Option<i64> {
    let entries = stage.recorder.entries();
    let began = entries.iter().find(|entry| matches!(entry.event, Event::StepBegan { .. }))?.at;
    let at = entries.iter().find(|entry| said(&entry.event))?.at;
    Some(at.duration_since(began).as_secs())
}

fn intended(event: &Event) -> bool {
    matches!(event, Event::Intent { .. })
}

#[test]
fn a_precondition_is_waited_for_a_minute_beside_the_time_that_it_needs() {
    play(async || {
        let (stage, plan) = one_step(elapsed(150)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        let waited = after(&stage, intended).unwrap();
        assert!((150..165).contains(&waited), "{waited}");
    });
    play(async || {
        let (stage, plan) = one_step(wants(40)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted);
        assert!(ending.why.as_str().contains("nothing was called, for its precondition does not hold"));
        assert_eq!(stage.sent(), []);
        let waited = after(&stage, |event| matches!(event, Event::StepFailed { .. })).unwrap();
        assert!((60..75).contains(&waited), "it has twenty minutes, and not for this: {waited}");
    });
}

#[test]
fn after_a_long_wait_a_step_sees_that_somebody_did_it_meanwhile() {
    for (colleague, sent) in [(false, 1), (true, 0)] {
        play(async || {
            let (stage, plan) = one_step(elapsed(30)).await;
            let meanwhile = async {
                stage.clock.sleep(Duration::from_secs(15)).await;
                if colleague {
                    let site = stage.sim.world().fleet.sites.iter().position(|site| site.region == SURVIVOR);
                    let deed = Deed::Desired { site: site.unwrap(), service: 0, count: 14 };
                    stage.sim.world().act(stage.clock.now(), deed);
                }
            };
            let (ending, ()) = tokio::join!(stage.ended(&plan), meanwhile);
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
            assert_eq!(stage.sent().len(), sent, "{:#?}", stage.words());
            let held = after(&stage, |event| matches!(event, Event::StepHeld { .. }));
            assert_eq!(held.is_some(), colleague, "{:#?}", stage.words());
        });
    }
}

/// The next way is tried once the first has had its time, not that of the step.
#[test]
fn a_way_that_shows_nothing_has_its_own_patience() {
    play(async || {
        let (stage, mut plan) = one_step(Condition::Always).await;
        let way = |desired, verify| Way {
            method: None,
            calls: vec![call(desired)],
            verify,
            undo: Vec::new(),
            patience: Duration::from_secs(40),
        };
        let [step] = &mut plan.steps[..] else { panic!("one step") };
        step.ways = vec![way(11, wants(30)), way(12, wants(12))];
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        assert_eq!(stage.sent(), [call(11), call(12)]);
        let given_up = |event: &Event| matches!(event, Event::WayGivenUp { step, way: 0, .. } if *step == StepId::new("grow"));
        let waited = after(&stage, given_up).unwrap();
        assert!((40..55).contains(&waited), "{waited}");
        let took = stage.clock.now().duration_since(stage.began);
        assert!(took < SignedDuration::from_mins(3), "{took:?}");
    });
}
