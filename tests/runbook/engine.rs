//! The engine on real plans in a simulated world.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::text::Text;
use switchtower::ports::BoxFuture;
use switchtower::runbook::engine::{NotBegun, Recorder, Setup};
use switchtower::runbook::{
    Claim, DatabaseChoice, Decision, Entry, Event, Executor, Fact, Known, LeaseOutcome, Operation, Outcome,
    Params, Plan, RunId, Steering, StepId,
};
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions, Wiring};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};
use super::watch::{Point, Strike, deed};

fn region(name: &str) -> Region {
    Region::new(name)
}

fn scenario(name: &str) -> SimOptions {
    SimOptions { scenario: name.into(), ..SimOptions::default() }
}

fn failover() -> Params {
    Params { database: Some(DatabaseChoice::Failover), ..leaving() }
}

fn position(sent: &[Operation], what: impl Fn(&Operation) -> bool) -> usize {
    sent.iter().position(what).unwrap_or_else(|| panic!("not sent: {sent:#?}"))
}

fn steers(operation: &Operation) -> bool {
    matches!(operation.steering(), Some(Steering::Out(_)))
}

fn scales(operation: &Operation) -> bool {
    matches!(operation, Operation::RegisterScalableTarget { .. } | Operation::SetDesired { .. })
}

/// Done, and nothing else is wrong.
fn assert_done(stage: &Stage, plan: &Plan, ending: &switchtower::runbook::engine::Ending) {
    assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
    assert_eq!(stage.faults(plan, ending), Vec::<String>::new(), "{:#?}", stage.words());
}

#[test]
fn a_drain_in_calm_is_noticed_by_nobody() {
    for now in [false, true] {
        play(async || {
            let stage = Stage::new(scenario("calm"));
            let plan = stage.plan("drain", &Params { now, ..leaving() }).await;
            let ending = stage.ended(&plan).await;
            assert_done(&stage, &plan, &ending);
            let sent = stage.sent();
            let pinned = position(&sent, steers);
            let moved = position(&sent, Operation::moves_writer);
            let grown = position(&sent, scales);
            if now {
                // Survivors grow beside it; it waits for nothing.
                assert!(pinned < moved, "{sent:#?}");
                assert!(plan.step(&StepId::new("pin")).unwrap().after.is_empty());
            } else {
                assert!(grown < pinned && moved < pinned, "{sent:#?}");
            }
            assert!(matches!(sent[moved], Operation::SwitchoverGlobalCluster { .. }));
            let failed: f64 =
                stage.sim.users_failed_since(stage.began).iter().map(|(_, failed)| failed).sum();
            let served: u64 = stage.sim.view().regions.iter().map(|region| region.served).sum();
            // Every eighth request writes, and is refused for the two minutes in which the writer moves, at most;
            // nothing else fails.
            let seconds = stage.clock.now().duration_since(stage.began).as_secs_f64();
            let allowed = 0.12 * 120.0 * served as f64 / seconds;
            assert!(failed < allowed, "{failed} of {served} failed, {allowed} in a move");
        });
    }
}

#[test]
fn a_failover_moves_users_and_the_writer() {
    play(async || {
        let stage = Stage::new(scenario("regional-outage"));
        let plan = stage.plan("failover", &failover()).await;
        let ending = stage.ended(&plan).await;
        assert_done(&stage, &plan, &ending);
        assert_eq!(stage.effective("FailoverGlobalCluster"), 1);
    });
}

#[test]
fn a_failover_takes_the_other_way_while_the_control_plane_of_route_53_is_down() {
    let object = Wiring { switch_object: true, ..Wiring::default() };
    let control = Wiring { routing_control: true, ..Wiring::default() };
    for wiring in [object, control] {
        play(async || {
            let stage = Stage::new(SimOptions { wiring, ..scenario("regional-outage") });
            stage.sim.apis_down(&region(LEAVING), &["route53"], Mode::Hang, SignedDuration::ZERO, None);
            let plan = stage.plan("failover", &failover()).await;
            let ending = stage.ended(&plan).await;
            assert_done(&stage, &plan, &ending);
            let sent = stage.sent();
            let other = |operation: &Operation| {
                matches!(operation, Operation::PutSwitchObject { .. } | Operation::SetRoutingControls { .. })
            };
            assert!(sent.iter().any(other), "{sent:#?}");
        });
    }
}

#[test]
fn a_failover_without_another_way_halts_and_does_not_lie() {
    play(async || {
        let stage = Stage::new(scenario("regional-outage"));
        let plan = stage.plan("failover", &failover()).await;
        stage.sim.apis_down(&region(LEAVING), &["route53"], Mode::Hang, SignedDuration::ZERO, None);
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        let pin = StepId::new("pin");
        let entries = stage.recorder.entries();
        assert!(
            !entries.iter().any(|entry| matches!(&entry.event, Event::StepDone { step, .. } if *step == pin))
        );
        let tried =
            entries.iter().filter(|entry| matches!(&entry.event, Event::Intent { step, .. } if *step == pin));
        assert!(tried.count() > 3, "it goes on trying: {:#?}", stage.words());
        // Nothing else waits for it.
        assert_eq!(stage.sim.view().aurora_writer.as_deref(), Some(SURVIVOR));
    });
}

#[test]
fn the_last_living_region_stays_whatever_a_plan_says() {
    for runbook in ["drain", "failover"] {
        play(async || {
            let ill = SimOptions { scenario_region: Some(region(SURVIVOR)), ..scenario("regional-outage") };
            let stage = Stage::new(ill);
            let params = Params { now: true, database: Some(DatabaseChoice::Leave), ..leaving() };
            let mut plan = stage.plan(runbook, &params).await;
            // Guards would have blocked it, and preconditions would have stopped it.
            plan.findings.clear();
            plan.steps.retain(|step| step.id.as_str() == "pin");
            for step in &mut plan.steps {
                step.precondition = switchtower::runbook::Condition::Always;
            }
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
            assert!(ending.why.as_str().contains("nobody would be answered"), "{}", ending.why);
            assert!(!stage.sent().iter().any(steers));
        });
    }
}

#[test]
fn an_abort_stops_before_the_next_call() {
    play(async || {
        let stage = Stage::new(scenario("calm"));
        let plan = stage.plan("drain", &leaving()).await;
        let aborter = stage.aborter.subscribe();
        stage.strike(
            0,
            Strike::After(deed(move |_| {
                let decision = Decision::Abort { reason: "enough".into() };
                aborter.borrow().as_ref().unwrap().send((decision, "alice".into())).unwrap();
            })),
        );
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Aborted);
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        let sent = stage.sent();
        // Calls of steps that run side by side may have been on their way.
        assert!(sent.iter().all(scales), "{sent:#?}");
        assert!(!stage.sim.view().regions.iter().any(|region| !region.in_dns));
    });
}

/// Values that an undo has to bring back.
async fn saved(stage: &Stage, plan: &Plan) -> Vec<(Fact, Option<Known>)> {
    let facts: Vec<Fact> = plan.shaped_by.iter().map(|(fact, _)| fact.clone()).collect();
    let seen = stage.witness.observe(&facts).await;
    let kept = seen.iter().filter(|(fact, _)| {
        matches!(fact, Fact::Scaling(..) | Fact::HealthCheck(..) | Fact::GlobalCluster(..))
    });
    kept.map(|(fact, seen)| {
        let value = match seen.value().cloned() {
            // Versions only grow.
            Some(Known::HealthCheck(mut config)) => {
                config.version = 0;
                Some(Known::HealthCheck(config))
            }
            other => other,
        };
        (fact.clone(), value)
    })
    .collect()
}

#[test]
fn a_halt_is_answered_by_every_decision() {
    let why: Text = "a test says so".into();
    let cases = [
        (Decision::Retry, Outcome::Done),
        (Decision::Skip { reason: why.clone() }, Outcome::Done),
        (Decision::Undo { reason: why.clone(), step: None }, Outcome::Undone),
        (Decision::HandOver, Outcome::Halted),
        (Decision::Abort { reason: why }, Outcome::Aborted),
    ];
    for (decision, outcome) in cases {
        play(async || {
            let stage = Stage::new(scenario("calm"));
            let plan = stage.plan("drain", &leaving()).await;
            let before = saved(&stage, &plan).await;
            let refused = FaultKind::Refuse { status: 400, code: "InvalidInput".into() };
            // Both ways out of DNS are refused once.
            stage.sim.inject(InjectedFault::next("route53", "UpdateHealthCheck", refused.clone()));
            stage.sim.inject(InjectedFault::next("route53", "ChangeResourceRecordSets", refused));
            stage.answers.lock().unwrap().push(decision.clone());
            // Whoever skips the step would only wait for users who stay; hand over at the next halt.
            stage.answers.lock().unwrap().push(Decision::HandOver);
            let ending = stage.ended(&plan).await;
            match decision {
                Decision::Skip { .. } => {
                    assert!(stage.recorder.entries().iter().any(|entry| {
                        matches!(&entry.event, Event::StepSkipped { step, .. } if step.as_str() == "pin")
                    }));
                    // The proof that follows does not lie.
                    assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
                }
                _ => {
                    assert_eq!(ending.outcome, outcome, "{decision:?}: {}\n{:#?}", ending.why, stage.words());
                    let mut faults = stage.faults(&plan, &ending);
                    if outcome == Outcome::Undone {
                        // What was raised for the run is lowered again on the operator's word.
                        faults.retain(|fault| !fault.contains("tasks,"));
                        assert_eq!(saved(&stage, &plan).await, before);
                    }
                    assert_eq!(faults, Vec::<String>::new());
                }
            }
        });
    }
}

#[test]
fn what_the_operator_skipped_stays_skipped_on_resume() {
    play(async || {
        let stage = Stage::new(scenario("calm"));
        let plan = stage.plan("drain", &leaving()).await;
        let refused = FaultKind::Refuse { status: 400, code: "InvalidInput".into() };
        stage.sim.inject(InjectedFault::next("route53", "UpdateHealthCheck", refused.clone()));
        stage.sim.inject(InjectedFault::next("route53", "ChangeResourceRecordSets", refused));
        let skip = Decision::Skip { reason: "the record is changed by hand".into() };
        stage.answers.lock().unwrap().extend([skip, Decision::HandOver]);
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Halted);
        let before = stage.sent().iter().filter(|sent| steers(sent)).count();
        // Nobody changed it by hand: the proof of DNS halts again, and no call of ours steers anybody.
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert_eq!(stage.sent().iter().filter(|sent| steers(sent)).count(), before, "{:#?}", stage.words());
    });
}

#[test]
fn who_loses_the_lease_sends_nothing_more() {
    for (runbook, params) in [("drain", leaving()), ("failover", failover())] {
        play(async || {
            let world = if runbook == "drain" { "calm" } else { "regional-outage" };
            let stage = Stage::new(scenario(world));
            let plan = stage.plan(runbook, &params).await;
            let (store, application) = (stage.lease.clone(), stage.topology.application.clone());
            let claim = Claim {
                application: application.clone(),
                run: RunId::parse("another").unwrap(),
                holder: "bob".into(),
                host: "elsewhere".into(),
                purpose: "failover".into(),
            };
            stage.strike(
                0,
                Strike::After(Box::new(move |_| {
                    Box::pin(async move {
                        let seen = store.holder(&application).await.unwrap().unwrap();
                        store.take_over(&claim, &seen, &"mine".into()).await.unwrap();
                    })
                })),
            );
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Superseded, "{:#?}", stage.words());
            assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
            let lost = stage
                .recorder
                .entries()
                .iter()
                .position(|entry| matches!(entry.event, Event::Lease { outcome: LeaseOutcome::Lost { .. } }))
                .unwrap();
            let later = stage.recorder.entries()[lost..].to_vec();
            assert!(!later.iter().any(|entry| matches!(entry.event, Event::Applied { .. })), "{later:#?}");
        });
    }
}

#[test]
fn only_an_emergency_begins_without_the_lease() {
    for (runbook, params) in [("drain", leaving()), ("failover", failover())] {
        play(async || {
            let emergency = runbook == "failover";
            let stage = Stage::new(scenario(if emergency { "regional-outage" } else { "calm" }));
            let plan = stage.plan(runbook, &params).await;
            let dark = region("us-west-2");
            stage.sim.apis_down(&dark, &["dynamodb"], Mode::Hang, SignedDuration::ZERO, None);
            let ended = stage.run(&plan).await.unwrap();
            if emergency {
                assert_done(&stage, &plan, &ended.unwrap());
                assert!(stage.recorder.entries().iter().any(|entry| {
                    matches!(entry.event, Event::Lease { outcome: LeaseOutcome::Unreachable { .. } })
                }));
            } else {
                assert!(matches!(ended, Err(NotBegun::Lease(_))), "{ended:?}");
                assert_eq!(stage.sent(), []);
            }
        });
    }
}

#[test]
fn a_planned_run_takes_over_from_the_dead_only() {
    // How long the holder has been silent, seconds; what is said; and whether the run begins.
    let cases = [
        ("drain", 10, "bob's bastion is gone", false),
        ("drain", 50, "bob's bastion is gone", false),
        ("drain", 70, "bob's bastion is gone", true),
        ("drain", 70, " ", false),
        ("failover", 10, "he drains, we burn", true),
    ];
    for (runbook, silent, reason, begins) in cases {
        play(async || {
            let stage = Stage::new(scenario("calm"));
            let params = Params { declared: Some("a test".into()), ..leaving() };
            let plan = stage.open_plan(runbook, &params).await;
            let claim = Claim {
                application: stage.topology.application.clone(),
                run: RunId::parse("another").unwrap(),
                holder: "bob".into(),
                host: "elsewhere".into(),
                purpose: "failover us-east-1".into(),
            };
            let held = stage.lease.acquire(&claim).await.unwrap();
            stage.clock.sleep(std::time::Duration::from_secs(silent)).await;
            let seen = stage.lease.holder(&claim.application).await.unwrap().unwrap();
            let setup = Setup { take_over: Some((seen, reason.into())), ..stage.setup(&plan) };
            let ended = stage.carry_out(setup).await.unwrap();
            let case = format!("{runbook} after {silent} s, \"{reason}\": {ended:?}");
            assert_eq!(ended.is_ok(), begins, "{case}");
            if begins {
                continue_under_a_higher_number(&stage, held.number);
            } else {
                assert!(matches!(ended, Err(NotBegun::Lease(_))), "{case}");
                assert_eq!(stage.sent(), [], "{case}");
                stage.lease.renew(&held).await.unwrap_or_else(|error| panic!("{case}: bob lost it: {error}"));
            }
        });
    }
}

fn continue_under_a_higher_number(stage: &Stage, before: u64) {
    let taken = stage.recorder.entries().into_iter().find_map(|entry| match entry.event {
        Event::Lease { outcome: LeaseOutcome::TakenOver { number, from } } => Some((number, from.number)),
        _ => None,
    });
    assert_eq!(taken, Some((before + 1, before)));
}

#[test]
fn tasks_of_a_region_that_is_back_in_dns_go_on() {
    // The step at which a colleague lets users back, and how many calls stop anything.
    let cases = [("", Outcome::Done, 2), ("suspend/", Outcome::Halted, 0), ("stop/", Outcome::Halted, 1)];
    for (at, outcome, stopped) in cases {
        play(async || {
            let stage = Stage::new(SimOptions { services: 1, latency: false, pace: 4.0, ..scenario("calm") });
            let plan = stage.open_plan("drain", &Params { scale_to_zero: true, ..leaving() }).await;
            let step = plan.steps.iter().find(|step| !at.is_empty() && step.id.as_str().starts_with(at));
            if let Some(step) = step {
                let check = stage.sim.world().record_check(0).to_owned();
                let open =
                    Deed::Check { check, inverted: Some(false), disabled: Some(false), threshold: None };
                let back = deed(move |sim| sim.world().act(sim.clock().now(), open));
                stage.strike_at(Point::Step(step.id.clone()), Strike::Before(back));
            }
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, outcome, "{at}: {}", ending.why);
            assert!(step.is_none() || ending.why.as_str().contains("nothing was called"), "{}", ending.why);
            let stops = stage.sent().into_iter().filter(|sent| match sent {
                Operation::SetDesired { region, .. } | Operation::RegisterScalableTarget { region, .. } => {
                    region.as_str() == LEAVING
                }
                _ => false,
            });
            assert_eq!(stops.count(), stopped, "{at}");
        });
    }
}

/// A disk that fails, or hangs, from its n-th line on.
struct Dying {
    from: usize,
    hangs: bool,
    seen: Mutex<Vec<Event>>,
    clock: switchtower::ports::Clock,
}

impl Recorder for Dying {
    fn record(&self, event: Event, _durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        let mut seen = self.seen.lock().unwrap();
        seen.push(event.clone());
        let entry = Entry { seq: seen.len() as u64 - 1, at: self.clock.now(), event };
        if seen.len() <= self.from {
            return Box::pin(std::future::ready(Ok(entry)));
        }
        if self.hangs {
            Box::pin(std::future::pending())
        } else {
            Box::pin(async { Err("disk full".into()) })
        }
    }
}

#[test]
fn only_an_emergency_goes_on_without_its_journal() {
    for from in [0, 4] {
        for hangs in [false, true] {
            play(async || {
                let stage = Stage::new(scenario("calm"));
                let plan = stage.plan("drain", &leaving()).await;
                let dying = Dying { from, hangs, seen: Mutex::default(), clock: stage.clock };
                let mut setup = stage.setup(&plan);
                setup.recorder = Arc::new(dying);
                let run = stage.carry_out(setup);
                match stage.clock.timeout(Duration::from_hours(1), run).await {
                    Ok(ended) => match ended.unwrap() {
                        Err(NotBegun::Journal(why)) => assert_eq!(why.as_str(), "disk full"),
                        other => assert_eq!(other.unwrap().outcome, Outcome::Halted),
                    },
                    Err(_) => assert!(hangs, "it waits for its disk"),
                }
                assert_eq!(stage.sent(), []);
            });
            play(async || {
                let stage = Stage::new(scenario("regional-outage"));
                let plan = stage.plan("failover", &failover()).await;
                let dying = Arc::new(Dying { from, hangs, seen: Mutex::default(), clock: stage.clock });
                let mut setup = stage.setup(&plan);
                setup.recorder = dying.clone();
                let ending = stage.carry_out(setup).await.unwrap().unwrap();
                assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
                assert_eq!(stage.sim.view().aurora_writer.as_deref(), Some(SURVIVOR));
                let seen = dying.seen.lock().unwrap();
                let marked = seen.iter().filter(|event| matches!(event, Event::Unjournaled { .. })).count();
                assert_eq!(marked, 1);
            });
        }
    }
}

/// Lets the process die after entries of a run, each in a world of its own, and takes the run up again.
fn cut_after(runbook: &str, world: &str, params: &Params, every: usize) {
    let fresh = || Stage::new(SimOptions { services: 1, latency: false, pace: 4.0, ..scenario(world) });
    let told = play(async || {
        let stage = fresh();
        let plan = stage.plan(runbook, params).await;
        stage.ended(&plan).await;
        stage.recorder.entries()
    });
    // Progress decides nothing.
    let cuts = told.iter().filter(|entry| !matches!(entry.event, Event::Progress { .. }));
    for cut in cuts.map(|entry| entry.seq as usize).step_by(every) {
        play(async || {
            let mut stage = fresh();
            let plan = stage.plan(runbook, params).await;
            *stage.cut.lock().unwrap() = Some(cut);
            assert!(stage.run(&plan).await.is_none(), "{runbook} lives on after entry {cut}");
            stage.sign_in();
            let last = stage.words().last().cloned();
            let ending = stage.ended(&plan).await;
            let faults = stage.faults(&plan, &ending);
            assert!(
                ending.outcome == Outcome::Done && faults.is_empty(),
                "{runbook}, cut after {last:?}: {ending:?} {faults:?}\n{:#?}",
                stage.words()
            );
        });
    }
}

#[test]
fn a_failover_is_taken_up_after_any_of_its_entries() {
    cut_after("failover", "regional-outage", &failover(), 1);
}

/// The engine is the same, and a drain takes long: every fifth entry will do.
#[test]
fn a_drain_is_taken_up_after_its_entries() {
    cut_after("drain", "calm", &leaving(), 5);
}

#[test]
fn credentials_that_one_way_lacks_do_not_bar_the_next() {
    play(async || {
        let stage = Stage::new(scenario("calm"));
        let plan = stage.plan("drain", &leaving()).await;
        let expired = FaultKind::Refuse { status: 403, code: "ExpiredToken".into() };
        stage.sim.inject(InjectedFault::next("route53", "UpdateHealthCheck", expired));
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
    });
}
