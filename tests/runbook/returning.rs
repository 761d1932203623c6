//! Restore, carried out in a simulated world: what an evacuation took comes back as it was.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::observation::{Observed, Source, SourceKind};
use switchtower::runbook::{
    DatabaseChoice, Differing, Fact, Facts, Known, Operation, Outcome, Params, PlanError, Steering, StepId,
};
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::{Scenario, SimOptions};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};
use super::watch::{Point, Strike, deed};

fn calm() -> SimOptions {
    SimOptions { services: 2, latency: false, pace: 4.0, ..SimOptions::default() }
}

fn region(name: &str) -> Region {
    Region::new(name)
}

/// What a restore has to bring back: limits of every service, flags of every check, how many tasks the region had.
pub(super) async fn values(stage: &Stage) -> Facts {
    let mut wanted: Vec<Fact> = Vec::new();
    for entry in &stage.topology.regions {
        for service in &entry.services {
            wanted.push(Fact::Scaling(entry.name.clone(), service.key.clone()));
            if entry.name.as_str() == LEAVING {
                wanted.push(Fact::Service(entry.name.clone(), service.key.clone()));
            }
        }
    }
    wanted.extend(stage.topology.health_checks().into_iter().map(Fact::HealthCheck));
    let seen = stage.witness.inner().observe(&wanted).await;
    let mut values = Facts::new();
    for (fact, one) in seen.iter() {
        let known = match one.value().cloned().unwrap_or_else(|| panic!("{fact:?}: {:?}", one.error())) {
            // Versions only grow, and who runs is not who is wanted.
            Known::HealthCheck(mut config) => {
                config.version = 0;
                Known::HealthCheck(config)
            }
            Known::Service(state) => Known::Number(f64::from(state.desired)),
            other => other,
        };
        let source = Source::new(SourceKind::Services, "test", None);
        values.insert(fact.clone(), Observed::seen(source, known, stage.began));
    }
    values
}

/// The region serves again as it did, and hardly anybody noticed.
async fn assert_back(stage: &Stage, before: &Facts) {
    assert_eq!(&values_at(stage, before).await, before, "{:#?}", stage.words());
    let view = stage.sim.view();
    assert!(view.regions.iter().all(|region| region.up && region.in_dns), "{view:#?}");
    let served: u64 = view.regions.iter().map(|region| region.served).sum();
    assert!(stage.failed() < 0.001 * served as f64, "{} of {served} failed", stage.failed());
}

async fn values_at(stage: &Stage, before: &Facts) -> Facts {
    let mut now = values(stage).await;
    for (fact, one) in before.iter() {
        let value = now.value(fact).cloned().unwrap();
        let source = Source::new(SourceKind::Services, "test", None);
        now.insert(fact.clone(), Observed::seen(source, value, one.as_of().unwrap()));
    }
    now
}

async fn drained(params: &Params) -> (Stage, Facts) {
    let stage = Stage::new(calm());
    let before = values(&stage).await;
    let plan = stage.open_plan("drain", params).await;
    let ending = stage.ended(&plan).await;
    assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
    (stage.next(), before)
}

fn place(sent: &[Operation], what: impl Fn(&Operation) -> bool) -> usize {
    sent.iter().position(what).unwrap_or_else(|| panic!("not sent: {sent:#?}"))
}

fn lets_in(operation: &Operation) -> bool {
    matches!(operation.steering(), Some(Steering::In(_)))
}

#[test]
fn what_a_drain_took_comes_back() {
    for scale_to_zero in [false, true] {
        play(async || {
            let (stage, before) = drained(&Params { scale_to_zero, ..leaving() }).await;
            let plan = stage.open_plan("restore", &leaving()).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
            assert_back(&stage, &before).await;
            let sent = stage.sent();
            let open = place(&sent, lets_in);
            for (at, operation) in sent.iter().enumerate() {
                match operation {
                    // Capacity, then users, then what was lent.
                    Operation::SetDesired { .. } => assert!(at < open, "{sent:#?}"),
                    Operation::RegisterScalableTarget { region, .. } => {
                        assert_eq!(region.as_str() == LEAVING, at < open, "{sent:#?}");
                    }
                    _ => {}
                }
            }
            assert_eq!(sent.iter().any(|one| matches!(one, Operation::SetDesired { .. })), scale_to_zero);
        });
    }
}

/// The same with the saved value of whatever is no longer as the run left it: auto scaling raises what it can.
pub(super) async fn as_saved(stage: &Stage, params: Params) -> Params {
    match stage.planned("restore", &params).await {
        Err(PlanError::Choose { choices, .. }) => {
            let saved = choices.into_iter().map(|(name, _)| (name, Differing::Saved));
            Params { differing: saved.collect(), ..params }
        }
        _ => params,
    }
}

#[test]
fn after_a_failover_a_restore_waits_until_the_region_is_proven() {
    play(async || {
        let stage = Stage::new(SimOptions { scenario: "regional-outage".into(), ..calm() });
        let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        let plan = stage.open_plan("failover", &failover).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
        let stage = stage.next();
        // While it is dark, nobody is let back.
        let plan = stage.plan("restore", &leaving()).await;
        let refused = stage.approve(&plan).unwrap_err().to_string();
        assert!(refused.contains("does not tell its state") || refused.contains("healthy"), "{refused}");
        // The region is back, and its database still copies.
        stage.sim.start_scenario("calm", None).unwrap();
        stage.clock.sleep(Duration::from_secs(30)).await;
        let plan = stage.plan("restore", &as_saved(&stage, leaving()).await).await;
        let refused = stage.approve(&plan).unwrap_err().to_string();
        assert!(refused.contains("is not connected to its writer"), "{refused}");
        assert_eq!(stage.sent(), []);
        stage.clock.sleep(Duration::from_mins(10)).await;
        let back = as_saved(&stage, Params { to: Some(region(LEAVING)), ..leaving() }).await;
        let plan = stage.open_plan("restore", &back).await;
        assert!(plan.findings.iter().any(|finding| finding.message.as_str().contains("data loss allowed")));
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        let view = stage.sim.view();
        assert!(view.regions.iter().all(|region| region.up && region.in_dns), "{view:#?}");
        assert_eq!(view.aurora_writer.as_deref(), Some(LEAVING));
    });
}

#[test]
fn what_two_runs_took_comes_back_as_it_was_before_the_first() {
    play(async || {
        let (stage, before) = drained(&leaving()).await;
        let failover = Params { declared: Some("a test".into()), ..leaving() };
        let plan = stage.open_plan("failover", &failover).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let stage = stage.next();
        let plan = stage.open_plan("restore", &as_saved(&stage, leaving()).await).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_back(&stage, &before).await;
    });
}

#[test]
fn without_a_journal_the_baseline_brings_it_back() {
    play(async || {
        let stage = Stage::new(calm());
        let before = values(&stage).await;
        let restore = switchtower::runbook::catalog::by_id("restore").unwrap();
        let saved = stage.witness.inner().observe(&restore.wants(&stage.topology, &leaving())).await;
        let plan = stage.open_plan("drain", &Params { scale_to_zero: true, ..leaving() }).await;
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done);
        let mut stage = stage.next();
        stage.journal = None;
        stage.baseline = Some(saved);
        let plan = stage.open_plan("restore", &leaving()).await;
        assert!(plan.summary.as_str().contains("no journal"), "{}", plan.summary);
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_back(&stage, &before).await;
    });
}

/// Somebody else sets limits of the first service.
fn meddle(stage: &Stage, site: usize, min: i32) {
    let world = stage.sim.world();
    let suspended = [None; 3];
    let limits = Deed::Scaling { site, service: 0, min: Some(min), max: None, suspended };
    world.act(stage.clock.now(), limits);
}

#[test]
fn what_somebody_else_changed_is_the_operators_choice() {
    for choice in [Differing::Keep, Differing::Saved] {
        play(async || {
            let (stage, before) = drained(&leaving()).await;
            meddle(&stage, 1, 11);
            let key = stage.topology.regions[1].services[0].key.clone();
            let item = format!("limits/{SURVIVOR}/{key}");
            let asked = stage.planned("restore", &leaving()).await.unwrap_err();
            let PlanError::Choose { choices, .. } = asked else { panic!("{asked}") };
            assert_eq!(choices.iter().map(|(name, _)| name.to_string()).collect::<Vec<_>>(), [item.as_str()]);
            let params = Params { differing: [(item.as_str().into(), choice)].into(), ..leaving() };
            let plan = stage.open_plan("restore", &params).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
            let fact = Fact::Scaling(region(SURVIVOR), key);
            let now = stage.told(fact.clone()).await;
            match choice {
                Differing::Saved => assert_eq!(now.as_ref(), before.value(&fact)),
                Differing::Keep => {
                    assert!(matches!(now, Some(Known::Scaling(Some(target))) if target.min == 11));
                }
            }
        });
    }
}

#[test]
fn what_somebody_set_between_two_runs_is_what_comes_back() {
    play(async || {
        let (stage, _) = drained(&leaving()).await;
        meddle(&stage, 1, 11);
        let failover = Params { declared: Some("a test".into()), ..leaving() };
        let plan = stage.open_plan("failover", &failover).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let stage = stage.next();
        let plan = stage.open_plan("restore", &as_saved(&stage, leaving()).await).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let key = stage.topology.regions[1].services[0].key.clone();
        let now = stage.told(Fact::Scaling(region(SURVIVOR), key)).await;
        assert!(matches!(&now, Some(Known::Scaling(Some(target))) if target.min == 11), "{now:?}");
    });
}

#[test]
fn users_stay_out_while_tasks_do_not_get_healthy() {
    play(async || {
        let (stage, _) = drained(&Params { scale_to_zero: true, ..leaving() }).await;
        let plan = stage.open_plan("restore", &leaving()).await;
        let ill =
            "name = \"ill\"\ndescription = \"Targets fail.\"\n\n[[effect]]\nkind = \"targets_unhealthy\"\n";
        let ill = Scenario::parse(ill).unwrap();
        stage.strike(
            0,
            Strike::After(deed(move |sim| {
                sim.overlay(&ill, &Region::new(LEAVING), SignedDuration::ZERO);
            })),
        );
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(ending.why.as_str().starts_with("start prod/api"), "{}", ending.why);
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert!(!stage.sent().iter().any(lets_in));
    });
}

#[test]
fn survivors_give_nothing_back_when_the_region_fails_while_it_is_watched() {
    play(async || {
        let (stage, _) = drained(&leaving()).await;
        let lent = |stage: &Stage| stage.sim.view().regions[1].desired_tasks;
        let before = lent(&stage);
        let plan = stage.open_plan("restore", &leaving()).await;
        stage.strike_at(
            Point::Step(StepId::new("soak")),
            Strike::Before(deed(|sim| sim.black_out(&Region::new(LEAVING), SignedDuration::ZERO, None))),
        );
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(ending.why.as_str().starts_with("watch us-east-1"), "{}", ending.why);
        assert_eq!(lent(&stage), before);
        let scaled = |one: &Operation| matches!(one, Operation::RegisterScalableTarget { region, .. } if region.as_str() == SURVIVOR);
        assert!(!stage.sent().iter().any(scaled));
    });
}
