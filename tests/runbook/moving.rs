//! Switchover, carried out in a simulated world, and everything that forbids one.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::runbook::{Outcome, Params};
use switchtower::sim::world::database::Step;
use switchtower::sim::world::deeds::Deed;
use switchtower::sim::world::removal::Thing;
use switchtower::sim::{FaultKind, InjectedFault, Sim, SimOptions};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};
use super::watch::{Strike, deed};

fn world(scenario: &str) -> SimOptions {
    SimOptions { scenario: scenario.into(), services: 1, latency: false, ..SimOptions::default() }
}

/// Somebody else begins to move the writer.
pub(super) fn another_move(sim: &Sim) {
    let (world, now) = (sim.world(), sim.clock().now());
    let database = world.database(now).unwrap();
    let to = usize::from(database.writer == 0);
    let step = Step::Move(world.planned_move(&database, to, false, now));
    world.act(now, Deed::Database(step));
}

#[test]
fn the_writer_goes_there_and_back() {
    play(async || {
        let stage = Stage::new(world("calm"));
        let plan = stage.open_plan("switchover", &leaving()).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_eq!(stage.sim.view().aurora_writer.as_deref(), Some(SURVIVOR));
        assert_eq!(stage.sent().len(), 1);
        // Every eighth request writes, and is refused while roles change: for two minutes at most.
        let served: u64 = stage.sim.view().regions.iter().map(|region| region.served).sum();
        let seconds = stage.clock.now().duration_since(stage.began).as_secs_f64();
        let allowed = 0.13 * 120.0 * served as f64 / seconds;
        assert!(stage.failed() < allowed, "{} failed, {allowed} in a move", stage.failed());

        let stage = stage.next();
        // Naming the region that follows brings the writer there.
        let plan = stage.open_plan("switchover", &leaving()).await;
        assert!(
            plan.summary.as_str().ends_with("from eu-west-1 to us-east-1, without losing data."),
            "{}",
            plan.summary
        );
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new());
        assert_eq!(stage.sim.view().aurora_writer.as_deref(), Some(LEAVING));
    });
}

#[test]
fn what_aws_demands_is_examined_before() {
    type Spoil = fn(&Sim);
    let cases: [(&str, &str, Spoil, &str); 6] = [
        ("calm", "an operation is under way", another_move, "a second operation must not start"),
        (
            "calm",
            "a target without instances",
            |sim| {
                for number in 0..2 {
                    sim.world().remove(sim.clock().now(), Thing::Instance(1, number), 0.0);
                }
            },
            "has no instance (headless)",
        ),
        (
            "calm",
            "a dead primary",
            |sim| sim.black_out(&Region::new(LEAVING), SignedDuration::ZERO, None),
            "fail over only when the writer's region is really down",
        ),
        (
            "calm",
            "a dead target",
            |sim| sim.black_out(&Region::new(SURVIVOR), SignedDuration::ZERO, None),
            "is not known",
        ),
        ("aurora-lag", "a target that lags", |_| {}, "of the policy"),
        (
            "calm",
            "a cluster that is deleted",
            |sim| sim.world().remove(sim.clock().now(), Thing::Database(1), 600.0),
            "not available",
        ),
    ];
    for (scenario, name, spoil, words) in cases {
        play(async || {
            let stage = Stage::new(world(scenario));
            spoil(&stage.sim);
            stage.clock.sleep(std::time::Duration::from_mins(5)).await;
            // Five minutes are longer than a move.
            if name.starts_with("an operation") {
                spoil(&stage.sim);
            }
            let params = Params { to: None, ..leaving() };
            let refused = match stage.planned("switchover", &params).await {
                Ok(plan) => {
                    stage.approve(&plan).map(|_| ()).unwrap_err().to_string()
                        + &format!("{:?}", plan.findings)
                }
                Err(error) => error.to_string(),
            };
            assert!(refused.contains(words), "{name}: {refused}");
            assert_eq!(stage.sent(), []);
        });
    }
}

#[test]
fn nothing_is_sent_beside_another_move() {
    play(async || {
        let stage = Stage::new(world("calm"));
        let plan = stage.open_plan("switchover", &leaving()).await;
        another_move(&stage.sim);
        stage.clock.sleep(std::time::Duration::from_secs(1)).await;
        // The precondition waits for the other move, after which there is nothing left to do.
        let ending = stage.ended(&plan).await;
        assert_eq!(stage.sent(), [], "{:#?}", stage.words());
        assert!(matches!(ending.outcome, Outcome::Done | Outcome::Halted), "{ending:?}");
        assert_eq!(stage.effective("SwitchoverGlobalCluster"), 0);
    });
}

#[test]
fn a_refusal_is_not_answered_by_asking_again() {
    play(async || {
        let stage = Stage::new(world("calm"));
        let plan = stage.open_plan("switchover", &leaving()).await;
        stage.strike(
            0,
            Strike::Before(deed(|sim| {
                let code = "InvalidGlobalClusterStateFault".into();
                let kind = FaultKind::Refuse { status: 400, code };
                sim.inject(InjectedFault::next("rds", "SwitchoverGlobalCluster", kind));
            })),
        );
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Halted, "{:#?}", stage.words());
        assert!(ending.why.as_str().contains("InvalidGlobalClusterStateFault"), "{}", ending.why);
        assert_eq!(stage.sent().len(), 1);
        assert_eq!(stage.sim.view().aurora_writer.as_deref(), Some(LEAVING));
    });
}
