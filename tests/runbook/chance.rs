//! Fleets of two to six regions, and trouble at any moment of a run: the invariants of the fault matrix hold.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use switchtower::domain::ids::Region;
use switchtower::runbook::engine::{Ending, NotBegun};
use switchtower::runbook::{DatabaseChoice, Event, Outcome, Params, Plan};
use switchtower::sim::{FaultKind, InjectedFault, Mode, Sim, SimOptions, Wiring};

use super::stage::{LEAVING, Stage, leaving, play};

/// What befalls the world while a run is under way.
#[derive(Clone, Debug)]
enum Trouble {
    /// The process is killed.
    Die,
    /// A region goes dark for a while, by its number.
    Black(usize),
    /// Route 53's API hangs for a while.
    ControlPlane,
    /// The lease's region hangs for a while.
    LeaseDark,
    /// Credentials end.
    Expire,
    /// The next changing call of any service takes effect and is not answered.
    HangAfter,
    /// The next changing call of any service is refused.
    Refuse,
    /// The next call of any kind is over the rate limit.
    Throttle,
    /// Every API tells old things for a while.
    Stale,
}

#[derive(Clone, Debug)]
struct Draw {
    regions: usize,
    seed: u64,
    runbook: usize,
    wiring: Wiring,
    trouble: Vec<(u64, Trouble)>,
}

fn troubles() -> impl Strategy<Value = Trouble> {
    prop_oneof![
        Just(Trouble::Die),
        (0..6_usize).prop_map(Trouble::Black),
        Just(Trouble::ControlPlane),
        Just(Trouble::LeaseDark),
        Just(Trouble::Expire),
        Just(Trouble::HangAfter),
        Just(Trouble::Refuse),
        Just(Trouble::Throttle),
        Just(Trouble::Stale),
    ]
}

fn draws() -> impl Strategy<Value = Draw> {
    let wiring = (any::<bool>(), any::<bool>(), any::<bool>());
    let trouble = proptest::collection::vec((0..300_u64, troubles()), 1..=2);
    (2..=6_usize, 0..1_000_u64, 0..4_usize, wiring, trouble).prop_map(
        |(regions, seed, runbook, (switch_object, switch_metric, routing_control), trouble)| Draw {
            regions,
            seed,
            runbook,
            wiring: Wiring { switch_object, switch_metric, routing_control },
            trouble,
        },
    )
}

impl Draw {
    fn stage(&self) -> Stage {
        let scenario = if self.runbook == 0 { "regional-outage" } else { "calm" };
        Stage::new(SimOptions {
            regions: SimOptions::first_regions(self.regions),
            services: 1,
            seed: self.seed,
            scenario: scenario.into(),
            latency: false,
            pace: 4.0,
            wiring: self.wiring,
            ..SimOptions::default()
        })
    }

    fn request(&self) -> (&'static str, Params) {
        match self.runbook {
            0 => ("failover", Params { database: Some(DatabaseChoice::Failover), ..leaving() }),
            1 => ("drain", Params { scale_to_zero: true, ..leaving() }),
            2 => ("drain", Params { now: true, ..leaving() }),
            _ => ("switchover", leaving()),
        }
    }

    fn befall(&self, sim: &Sim, trouble: &Trouble) {
        let lasting = SignedDuration::from_mins(4);
        let hang = |region: &str, service: &str| {
            sim.apis_down(&Region::new(region), &[service], Mode::Hang, SignedDuration::ZERO, Some(lasting));
        };
        let next = |operation: &str, kind: FaultKind| {
            // The lease has its own answer to trouble.
            for service in ["route53", "rds", "ecs", "application-autoscaling", "s3", "monitoring"] {
                sim.inject(InjectedFault::next(service, operation, kind.clone()));
            }
        };
        match trouble {
            Trouble::Die => {}
            Trouble::Black(number) => {
                let region = &SimOptions::first_regions(self.regions)[number % self.regions];
                sim.black_out(region, SignedDuration::ZERO, Some(lasting * 10));
            }
            Trouble::ControlPlane => hang(LEAVING, "route53"),
            Trouble::LeaseDark => hang("us-west-2", "dynamodb"),
            Trouble::Expire => {
                sim.inject(InjectedFault::next("*", "*", FaultKind::ExpireCredentials));
            }
            Trouble::HangAfter => next("mutating", FaultKind::HangAfter),
            Trouble::Refuse => {
                next("mutating", FaultKind::Refuse { status: 400, code: "InvalidParameterValue".into() });
            }
            Trouble::Throttle => next("*", FaultKind::Throttle),
            Trouble::Stale => {
                let old = FaultKind::Stale(SignedDuration::from_secs(45));
                sim.inject(InjectedFault::next("*", "*", old).on(0));
            }
        }
    }

    /// Runs the plan while the world has its trouble; a killed process is begun anew at once.
    async fn troubled(&self, stage: &mut Stage, plan: &Plan) -> Option<Result<Ending, NotBegun>> {
        let mut trouble = self.trouble.clone();
        trouble.sort_by_key(|(after, _)| *after);
        let began = stage.clock.now();
        for (after, what) in trouble {
            let due = Duration::from_secs(after);
            let passed = stage.clock.now().duration_since(began).unsigned_abs();
            let clock = stage.clock;
            let ended = tokio::select! {
                biased;
                ended = stage.run(plan) => Some(ended),
                () = clock.sleep(due.saturating_sub(passed)) => None,
            };
            // The process is killed at the same moment: that is trouble of its own.
            self.befall(&stage.sim, &what);
            if let Trouble::Black(number) = what {
                let region = &SimOptions::first_regions(self.regions)[number % self.regions];
                stage.witness.darkened(region);
            }
            if let Some(ended) = ended {
                return ended;
            }
            stage.sign_in();
        }
        stage.run(plan).await
    }

    fn wrong(&self) -> Vec<String> {
        play(async || {
            let mut stage = self.stage();
            let (runbook, params) = self.request();
            let plan = match stage.planned(runbook, &params).await {
                Ok(plan) if stage.approve(&plan).is_ok() => plan,
                // Not every fleet allows every run.
                _ => return Vec::new(),
            };
            let mut wrong = Vec::new();
            let mut ending = match self.troubled(&mut stage, &plan).await {
                Some(Ok(ending)) => {
                    wrong.extend(stage.faults(&plan, &ending));
                    Some(ending)
                }
                Some(Err(NotBegun::Lease(_))) => None,
                other => return vec![format!("{other:?}")],
            };
            let dark = self
                .trouble
                .iter()
                .any(|(_, what)| matches!(what, Trouble::Black(number) if number % self.regions != 0));
            let barred = self.trouble.iter().any(|(_, what)| matches!(what, Trouble::Expire));
            let pinned = stage.recorder.entries().iter().any(|entry| match &entry.event {
                Event::StepDone { step, .. } | Event::StepHeld { step, .. } => step.as_str() == "pin",
                _ => false,
            });
            if runbook == "failover" && !dark && !barred && !pinned {
                wrong.push("a failover with a way out did not get users out".into());
            }
            if !matches!(&ending, Some(ending) if ending.outcome == Outcome::Done) {
                stage.sim.clear_faults();
                stage.clock.sleep(Duration::from_hours(1)).await;
                stage.sign_in();
                let again = stage.ended(&plan).await;
                wrong.extend(stage.faults(&plan, &again));
                ending = Some(again);
            }
            match ending {
                Some(ending) if ending.outcome == Outcome::Done => {}
                other => wrong.push(format!("mended, and {other:?}")),
            }
            if !wrong.is_empty() {
                wrong.extend(stage.words());
            }
            wrong
        })
    }
}

proptest! {
    // More with PROPTEST_CASES.
    #![proptest_config(ProptestConfig {
        cases: std::env::var("PROPTEST_CASES").ok().and_then(|cases| cases.parse().ok()).unwrap_or(16),
        failure_persistence: None,
        max_shrink_iters: 24,
        ..ProptestConfig::default()
    })]

    #[test]
    fn trouble_at_any_moment_breaks_no_invariant(draw in draws()) {
        let wrong = draw.wrong();
        prop_assert!(wrong.is_empty(), "{draw:?}\n{wrong:#?}");
    }
}
