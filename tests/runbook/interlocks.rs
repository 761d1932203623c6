//! What the engine itself refuses, one interlock at a time: each with everything else out of its way.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};

use jiff::SignedDuration;
use switchtower::domain::Reading;
use switchtower::domain::ids::Region;
use switchtower::domain::observation::Observed;
use switchtower::domain::text::Text;
use switchtower::domain::topology::EvacuationMethod;
use switchtower::ports::BoxFuture;
use switchtower::runbook::engine::{InMemory, NotBegun, Recorder, Setup};
use switchtower::runbook::guard::{GuardFinding, GuardId};
use switchtower::runbook::{
    Approval, ApprovalError, Arming, Claim, Condition, DatabaseChoice, Decision, Entry, Event, Facts,
    LeaseOutcome, Operation, Outcome, Params, Plan, RunId, Steering, StepId,
};
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::{Mode, SimOptions, Wiring};

use super::moving::another_move;
use super::returning::values;
use super::stage::{SURVIVOR, Stage, Through, leaving, play};
use super::watch::{Point, Strike, deed};

fn world(scenario: &str) -> SimOptions {
    SimOptions { scenario: scenario.into(), services: 1, latency: false, ..SimOptions::default() }
}

fn steers(operation: &Operation) -> bool {
    matches!(operation.steering(), Some(Steering::Out(_)))
}

fn both() -> [(&'static str, &'static str, Params); 2] {
    let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    [("drain", "calm", leaving()), ("failover", "regional-outage", failover)]
}

/// The pin alone, with no guard and no precondition before it.
async fn bare_pin(stage: &Stage, runbook: &str) -> Plan {
    let params = Params { now: true, database: Some(DatabaseChoice::Leave), ..leaving() };
    let mut plan = stage.plan(runbook, &params).await;
    plan.findings.clear();
    plan.steps.retain(|step| step.id.as_str() == "pin");
    for step in &mut plan.steps {
        step.precondition = Condition::Always;
    }
    plan
}

/// Nobody is taken out of DNS, whatever the plan says.
async fn assert_stays(stage: &Stage, plan: &Plan, name: &str) {
    let before = stage.sent().len();
    let ending = stage.ended(plan).await;
    assert_eq!(ending.outcome, Outcome::Halted, "{name}: {:#?}", stage.words());
    assert!(ending.why.as_str().contains("nobody would be answered"), "{name}: {}", ending.why);
    assert!(!stage.sent()[before..].iter().any(steers), "{name}");
}

#[test]
fn a_survivor_that_is_alive_and_was_taken_out_by_its_check_is_no_survivor() {
    for runbook in ["drain", "failover"] {
        play(async || {
            let stage = Stage::new(world("calm"));
            let plan = bare_pin(&stage, runbook).await;
            let sim = stage.sim.world();
            let check = sim.record_check(1).to_owned();
            let out = Deed::Check { check, inverted: Some(true), disabled: Some(true), threshold: None };
            sim.act(stage.clock.now(), out);
            stage.clock.sleep(std::time::Duration::from_mins(3)).await;
            assert_stays(&stage, &plan, runbook).await;
        });
    }
}

#[test]
fn a_survivor_that_is_alive_and_was_taken_out_by_a_switch_is_no_survivor() {
    let wirings = [
        Wiring { switch_object: true, ..Wiring::default() },
        Wiring { switch_metric: true, ..Wiring::default() },
        Wiring { routing_control: true, ..Wiring::default() },
    ];
    for wiring in wirings {
        play(async || {
            let stage = Stage::new(SimOptions { wiring, ..world("calm") });
            let plan = bare_pin(&stage, "drain").await;
            // A colleague takes the survivor out, by the same kind of switch, in a region that stays.
            let theirs = Params { region: Some(Region::new(SURVIVOR)), now: true, ..Params::default() };
            let mut theirs = stage.plan("drain", &theirs).await;
            theirs.findings.clear();
            let now = stage.clock.now();
            let arming = Arming::arm(&stage.topology, now).unwrap();
            let approval =
                Approval::mint(&arming, now, &theirs, theirs.confirm.as_str(), "Terraform", true).unwrap();
            let pin = theirs.step(&StepId::new("pin")).unwrap();
            for call in &pin.ways[0].calls {
                stage.witness.inner().apply(call, &approval).await.unwrap();
            }
            stage.clock.sleep(std::time::Duration::from_mins(3)).await;
            let view = stage.sim.view();
            let survivor = view.regions.iter().find(|region| region.region == SURVIVOR).unwrap();
            assert!(survivor.up && !survivor.in_dns, "{wiring:?}: {view:#?}");
            assert_stays(&stage, &plan, &format!("{wiring:?}")).await;
        });
    }
}

#[test]
fn a_lease_that_is_lost_stops_the_very_next_call_and_is_noticed_without_one() {
    // Where the step begins that takes the region out no heartbeat is due before its call; where resolvers are waited
    // for no call comes that would ask.
    let places = both().into_iter().flat_map(|case| [(case.clone(), "pin"), (case, "proof/ttl")]);
    for ((runbook, scenario, params), place) in places {
        play(async || {
            let stage = Stage::new(world(scenario));
            let plan = stage.plan(runbook, &params).await;
            let (store, application) = (stage.lease.clone(), stage.topology.application.clone());
            let claim = Claim {
                application: application.clone(),
                run: RunId::parse("another").unwrap(),
                holder: "bob".into(),
                host: "elsewhere".into(),
                purpose: "failover".into(),
            };
            stage.strike_at(
                Point::Step(StepId::new(place)),
                Strike::Before(Box::new(move |_| {
                    Box::pin(async move {
                        let seen = store.holder(&application).await.unwrap().unwrap();
                        store.take_over(&claim, &seen, &"mine".into()).await.unwrap();
                    })
                })),
            );
            let ending = stage.ended(&plan).await;
            assert!(stage.struck());
            assert_eq!(ending.outcome, Outcome::Superseded, "{runbook} {place}: {:#?}", stage.words());
            assert_eq!(stage.sent().iter().any(steers), place != "pin", "{runbook}: {:#?}", stage.words());
            let lost =
                |entry: &Entry| matches!(entry.event, Event::Lease { outcome: LeaseOutcome::Lost { .. } });
            assert!(stage.recorder.entries().iter().any(lost), "{:#?}", stage.words());
        });
    }
}

/// Keeps what was to be on disk before the run went on.
struct Noting {
    inner: InMemory,
    noted: Mutex<Vec<(Event, bool)>>,
}

impl Recorder for Noting {
    fn record(&self, event: Event, durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        self.noted.lock().unwrap().push((event.clone(), durable));
        self.inner.record(event, durable)
    }
}

#[test]
fn what_a_run_cannot_do_without_is_on_disk_before_it_goes_on() {
    for (runbook, scenario, params) in both() {
        play(async || {
            let stage = Stage::new(world(scenario));
            let plan = stage.plan(runbook, &params).await;
            let noting = Arc::new(Noting { inner: InMemory::new(stage.clock), noted: Mutex::default() });
            let mut setup = stage.setup(&plan);
            setup.recorder = noting.clone();
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
            let noted = noting.noted.lock().unwrap();
            for (event, durable) in &*noted {
                let must = matches!(
                    event,
                    Event::Opened { .. } | Event::Intent { .. } | Event::Halted { .. } | Event::Ended { .. }
                );
                assert!(*durable || !must, "{runbook}: {event:?} is only in memory");
                // What was there before stands beside it, as far as it could be read.
                if let Event::Intent { saved, .. } = event {
                    let known = saved.iter().any(|(_, seen)| seen.value().is_some());
                    assert!(known || runbook == "failover", "nothing is saved: {event:?}");
                }
            }
            assert!(noted.iter().any(|(event, _)| matches!(event, Event::Intent { .. })));
        });
    }
}

#[test]
fn only_the_plan_that_was_confirmed_is_carried_out() {
    for (runbook, scenario, params) in both() {
        play(async || {
            let stage = Stage::new(world(scenario));
            let plan = stage.plan(runbook, &params).await;
            let mut other = plan.clone();
            other.steps.pop();
            let mut setup = stage.setup(&plan);
            setup.plan = other;
            let ended = stage.carry_out(setup).await.unwrap();
            assert!(matches!(ended, Err(NotBegun::OtherPlan { .. })), "{ended:?}");
            assert_eq!((stage.sent(), stage.words()), (Vec::new(), Vec::new()));
        });
    }
}

/// The engine asks itself, right before the call, whether a writer is on its way: no plan can forget to.
#[test]
fn a_writer_that_is_on_its_way_is_not_sent_off_again() {
    let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    for (runbook, step, params) in
        [("switchover", "switchover/my-global-db", leaving()), ("failover", "promote/my-global-db", failover)]
    {
        play(async || {
            let stage = Stage::new(world("calm"));
            let mut plan = stage.plan(runbook, &params).await;
            plan.steps.retain(|one| one.id.as_str() == step);
            assert_eq!(plan.steps.len(), 1, "{runbook} has no step {step}");
            plan.findings.clear();
            plan.steps[0].precondition = Condition::Always;
            plan.steps[0].after.clear();
            another_move(&stage.sim);
            stage.clock.sleep(std::time::Duration::from_secs(1)).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Halted, "{runbook}: {:#?}", stage.words());
            assert!(ending.why.as_str().contains("is under way"), "{runbook}: {}", ending.why);
            assert_eq!(stage.sent(), [], "{runbook}");
        });
    }
}

#[test]
fn nobody_approves_what_is_not_armed_not_typed_not_explained_or_blocked() {
    play(async || {
        let stage = Stage::new(world("calm"));
        let mut plan = stage.plan("drain", &leaving()).await;
        plan.findings.clear();
        let now = stage.clock.now();
        let arming = Arming::arm(&stage.topology, now).unwrap();
        let name = plan.confirm.clone();
        let mint = |plan: &Plan, at: SignedDuration, typed: &str, why: &str, overrides: bool| {
            Approval::mint(&arming, now + at, plan, typed, why, overrides).map(|approval| {
                assert_eq!(approval.digest(), &plan.digest());
            })
        };
        let soon = SignedDuration::ZERO;
        assert_eq!(mint(&plan, soon, name.as_str(), "INC-42", false), Ok(()));
        // The armed time is over with its last second.
        let over = arming.until().duration_since(now);
        assert_eq!(mint(&plan, over - SignedDuration::from_secs(1), name.as_str(), "INC-42", false), Ok(()));
        assert_eq!(mint(&plan, over, name.as_str(), "INC-42", true), Err(ApprovalError::Disarmed));
        for typed in ["", "eu-west-1", "US-EAST-1", "us-east-1 x"] {
            let refused = mint(&plan, soon, typed, "INC-42", true);
            assert!(matches!(refused, Err(ApprovalError::NotConfirmed { .. })), "{typed}: {refused:?}");
        }
        for why in ["", " ", "\t"] {
            assert_eq!(mint(&plan, soon, name.as_str(), why, true), Err(ApprovalError::NoReason));
        }
        // A reason covers what may be overridden, and nothing else.
        for (guard, may_override) in [(GuardId::Headroom, true), (GuardId::Survivors, false)] {
            let mut plan = plan.clone();
            plan.findings = vec![GuardFinding::block(guard, false, "no")];
            assert_eq!(plan.findings[0].may_override, may_override);
            for overrides in [false, true] {
                let minted = mint(&plan, soon, name.as_str(), "INC-42", overrides);
                if may_override && overrides {
                    assert_eq!(minted, Ok(()), "{guard:?}");
                } else {
                    assert!(matches!(minted, Err(ApprovalError::Blocked(_))), "{guard:?} {minted:?}");
                }
            }
        }
        // Another partition is looked at, and never acted on.
        let mut china = (*stage.topology).clone();
        china.scope.values_mut().next().unwrap().partition = Some("aws-cn".into());
        assert!(matches!(Arming::arm(&china, now), Err(ApprovalError::ReadOnly(_))));
    });
}

#[test]
fn what_was_settled_and_was_changed_while_nobody_ran_is_done_again() {
    play(async || {
        let mut stage = Stage::new(world("calm"));
        let plan = stage.plan("drain", &leaving()).await;
        stage.strike_at(Point::Step(StepId::new("proof/ttl")), Strike::DieBefore);
        assert!(stage.run(&plan).await.is_none());
        let pins = |stage: &Stage| stage.sent().into_iter().filter(steers).count();
        assert_eq!(pins(&stage), 1);
        // Terraform sets the flags back.
        let sim = stage.sim.world();
        let check = sim.record_check(0).to_owned();
        let back = Deed::Check { check, inverted: Some(false), disabled: Some(false), threshold: None };
        sim.act(stage.clock.now(), back);
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        stage.sign_in();
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_eq!(pins(&stage), 2, "{:#?}", stage.words());
    });
}

#[test]
fn an_undo_gives_back_what_was_saved_and_no_default() {
    for now in [false, true] {
        play(async || {
            let stage = Stage::new(world("calm"));
            // Somebody's own settings: no scale-in, no schedule, another floor.
            let suspended = [Some(true), None, Some(true)];
            let own = Deed::Scaling { site: 0, service: 0, min: Some(5), max: Some(17), suspended };
            stage.sim.world().act(stage.clock.now(), own);
            stage.clock.sleep(std::time::Duration::from_mins(2)).await;
            let before = values(&stage).await;
            let plan = stage.open_plan("drain", &Params { scale_to_zero: true, now, ..leaving() }).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            let drained = stage.sent().len();
            let undo = Decision::Undo { reason: "a test".into(), step: None };
            let setup = Setup { decided: Some((undo, "bob".into())), ..stage.setup(&plan) };
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Undone, "{}\n{:#?}", ending.why, stage.words());
            let after = values(&stage).await;
            for (fact, one) in before.iter() {
                assert_eq!(after.value(fact), one.value(), "{fact:?}");
            }
            // The last deed is undone first: tasks are back before users are.
            let sent = stage.sent().split_off(drained);
            let tasks = sent.iter().position(|call| matches!(call, Operation::SetDesired { .. })).unwrap();
            let users =
                sent.iter().position(|call| matches!(call.steering(), Some(Steering::In(_)))).unwrap();
            assert!(tasks < users, "{sent:#?}");
        });
    }
}

#[test]
fn a_check_that_got_a_new_version_meanwhile_is_still_pinned() {
    play(async || {
        let only_checks = |topology: &mut switchtower::domain::Topology| {
            topology.evacuation = vec![EvacuationMethod::HealthCheck];
        };
        let stage = Stage::shaped(world("calm"), only_checks);
        let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
        let sim = stage.sim.world();
        let check = sim.record_check(0).to_owned();
        // The same flags, written again: only the version is another one.
        let same = Deed::Check { check, inverted: Some(false), disabled: Some(false), threshold: None };
        sim.act(stage.clock.now(), same);
        stage.clock.sleep(std::time::Duration::from_secs(5)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.sent().into_iter().filter(steers).count(), 1, "{:#?}", stage.words());
    });
}

#[test]
fn nothing_is_called_whose_precondition_does_not_hold() {
    for runbook in ["drain", "failover"] {
        play(async || {
            let stage = Stage::new(world("calm"));
            let mut plan = bare_pin(&stage, runbook).await;
            plan.steps[0].precondition = Condition::Any { of: Vec::new() };
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
            assert!(ending.why.as_str().contains("nothing was called"), "{}", ending.why);
            assert_eq!(stage.sent(), []);
        });
    }
}

/// Everything as it is, and as if it had been seen ten minutes ago.
fn late(seen: &Facts) -> Facts {
    let mut late = Facts::new();
    for (fact, seen) in seen.iter() {
        let reading = seen.reading().map(|reading| Reading {
            as_of: reading.as_of - SignedDuration::from_mins(10),
            ..reading.clone()
        });
        let seen = Observed::from_parts(seen.source().clone(), reading, seen.error().cloned());
        late.insert(fact.clone(), seen);
    }
    late
}

#[test]
fn what_was_seen_before_is_no_proof_and_nobody_is_alive_by_it() {
    for runbook in ["drain", "failover"] {
        play(async || {
            let stage = Stage::new(world("calm"));
            let plan = bare_pin(&stage, runbook).await;
            let setup =
                Setup { executor: Through::seeing(stage.witness.clone(), late), ..stage.setup(&plan) };
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
            let doubt = |entry: &Entry| {
                matches!(&entry.event, Event::Noted { words }
                    if words.as_str().starts_with("nobody can tell now whether anybody else is alive"))
            };
            // In an emergency the region is out, though nothing that was seen since says so; a drain is in no hurry.
            let emergency = runbook == "failover";
            assert_eq!(stage.sent().iter().any(steers), emergency, "{:#?}", stage.words());
            assert_eq!(stage.recorder.entries().iter().any(doubt), emergency, "{:#?}", stage.words());
            let refused = format!("nobody else who is in DNS is seen to serve: {SURVIVOR} may");
            assert_eq!(ending.why.as_str().contains(&refused), !emergency, "{}", ending.why);
        });
    }
}

/// One other region lives and is out of DNS, the other is in DNS and silent: nobody who is drained goes there.
#[test]
fn life_in_one_region_and_a_place_in_dns_in_another_are_no_survivor() {
    play(async || {
        let options = SimOptions { regions: SimOptions::first_regions(3), ..world("calm") };
        let stage = Stage::new(options);
        let plan = stage.open_plan("drain", &Params { now: true, ..leaving() }).await;
        stage.sim.black_out(&Region::new(SURVIVOR), SignedDuration::ZERO, None);
        let check = stage.sim.world().record_check(2).to_owned();
        let out = Deed::Check { check, inverted: Some(true), disabled: Some(true), threshold: None };
        stage.sim.world().act(stage.clock.now(), out);
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(!stage.sent().iter().any(steers), "{:#?}", stage.words());
        let pin = stage.recorder.entries().into_iter().find_map(|entry| match entry.event {
            Event::StepFailed { step, why, .. } if step.as_str() == "pin" => Some(why),
            _ => None,
        });
        assert!(pin.unwrap().as_str().contains("us-east-1 stays in DNS"), "{:#?}", stage.words());
    });
}

#[test]
fn a_lease_is_taken_over_only_from_whom_the_operator_saw() {
    play(async || {
        let stage = Stage::new(world("calm"));
        let plan = stage.plan("drain", &leaving()).await;
        let application = stage.topology.application.clone();
        let claim = |run: &str| Claim {
            application: application.clone(),
            run: RunId::parse(run).unwrap(),
            holder: "bob".into(),
            host: "elsewhere".into(),
            purpose: "failover".into(),
        };
        let first = stage.lease.acquire(&claim("first")).await.unwrap();
        let seen = stage.lease.holder(&application).await.unwrap().unwrap();
        stage.lease.release(&first).await.unwrap();
        stage.lease.acquire(&claim("second")).await.unwrap();
        let take_over = |seen| Some((seen, Text::from("he went home")));
        let setup = Setup { take_over: take_over(seen), ..stage.setup(&plan) };
        let ended = stage.carry_out(setup).await.unwrap();
        assert!(matches!(ended, Err(NotBegun::Lease(_))), "{ended:?}");
        assert_eq!(stage.sent(), []);
        // Who is alive is not taken over from; who has not been heard of for minutes is.
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        let plan = stage.plan("drain", &leaving()).await;
        let seen = stage.lease.holder(&application).await.unwrap().unwrap();
        let setup = Setup { take_over: take_over(seen), ..stage.setup(&plan) };
        let ending = stage.carry_out(setup).await.unwrap().unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
    });
}

#[test]
fn a_planned_run_sends_nothing_while_nobody_can_say_whose_the_lease_is() {
    for (runbook, scenario, params) in both() {
        play(async || {
            let stage = Stage::new(world(scenario));
            let plan = stage.plan(runbook, &params).await;
            stage.strike_at(
                Point::Step(StepId::new("pin")),
                Strike::Before(deed(|sim| {
                    let region = Region::new("us-west-2");
                    sim.apis_down(&region, &["dynamodb"], Mode::Hang, SignedDuration::ZERO, None);
                })),
            );
            let ending = stage.ended(&plan).await;
            let emergency = runbook == "failover";
            let expected = if emergency { Outcome::Done } else { Outcome::Halted };
            assert_eq!(ending.outcome, expected, "{runbook}: {:#?}", stage.words());
            assert_eq!(stage.sent().iter().any(steers), emergency, "{runbook}: {:#?}", stage.words());
        });
    }
}

#[test]
fn a_way_out_that_hangs_is_left_for_the_next_in_seconds() {
    play(async || {
        let wiring = Wiring { switch_object: true, ..Wiring::default() };
        let stage = Stage::new(SimOptions { wiring, ..world("regional-outage") });
        let params = Params { database: Some(DatabaseChoice::Leave), ..leaving() };
        let plan = stage.plan("failover", &params).await;
        assert!(plan.step(&StepId::new("pin")).unwrap().ways.len() > 1);
        let home = Region::new("us-west-2");
        stage.sim.apis_down(&home, &["s3"], Mode::Hang, SignedDuration::ZERO, None);
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let entries = stage.recorder.entries();
        let took = entries.iter().find_map(|entry| match &entry.event {
            Event::StepDone { step, took, .. } if step.as_str() == "pin" => Some(*took),
            _ => None,
        });
        let took = took.unwrap();
        assert!(took < std::time::Duration::from_secs(45), "{took:?}: {:#?}", stage.words());
    });
}
