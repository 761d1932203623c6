//! Fleets of two to six regions, and trouble at any moment of a run: the invariants of the fault matrix hold.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use switchtower::domain::ids::Region;
use switchtower::runbook::engine::{Ending, NotBegun};
use switchtower::runbook::{DatabaseChoice, Event, Outcome, Params, Plan};
use switchtower::sim::world::deeds::Deed;
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

/// When every region to which users could go is gone.
#[derive(Clone, Copy, Debug)]
enum When {
    /// Before anything is planned.
    Planned,
    /// Between the plan and its confirmation.
    Confirmed,
    /// Seconds into the run.
    Begun(u64),
}

/// Nobody is left to whom users could go: each of the other regions goes dark, or is taken out of DNS by a colleague.
#[derive(Clone, Debug)]
struct Doom {
    when: When,
    /// By region, the leaving one left out: true where it is taken out.
    taken: Vec<bool>,
}

#[derive(Clone, Debug)]
struct Draw {
    regions: usize,
    seed: u64,
    runbook: usize,
    wiring: Wiring,
    trouble: Vec<(u64, Trouble)>,
    /// A region that a colleague has taken out of DNS long ago, by its number; never the leaving one.
    out: Option<usize>,
    doom: Option<Doom>,
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
    let out = proptest::option::weighted(0.3, 0..6_usize);
    (2..=6_usize, 0..1_000_u64, 0..4_usize, wiring, trouble, out).prop_map(
        |(regions, seed, runbook, (switch_object, switch_metric, routing_control), trouble, out)| Draw {
            regions,
            seed,
            runbook,
            wiring: Wiring { switch_object, switch_metric, routing_control },
            trouble,
            // Somebody has to be left.
            out: out.filter(|_| regions > 2).map(|number| 1 + number % (regions - 1)),
            doom: None,
        },
    )
}

/// Fleets in which nobody is left who could take the users.
fn doomed() -> impl Strategy<Value = Draw> {
    let when = prop_oneof![Just(When::Planned), Just(When::Confirmed), (60..240_u64).prop_map(When::Begun)];
    let doom = (when, proptest::collection::vec(any::<bool>(), 5));
    (2..=4_usize, 0..1_000_u64, 0..3_usize, any::<bool>(), doom).prop_map(
        |(regions, seed, runbook, switch_object, (when, taken))| Draw {
            regions,
            seed,
            runbook,
            wiring: Wiring { switch_object, ..Wiring::default() },
            trouble: Vec::new(),
            out: None,
            doom: Some(Doom { when, taken }),
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

    /// A colleague takes a region out of DNS by its check, or lets it back.
    fn take(stage: &Stage, site: usize, out: bool) {
        let world = stage.sim.world();
        let check = world.record_check(site).to_owned();
        let deed = Deed::Check { check, inverted: Some(out), disabled: Some(out), threshold: None };
        world.act(stage.clock.now(), deed);
    }

    /// Nobody is left to whom users could go.
    fn strike(&self, stage: &Stage, doom: &Doom) {
        for (site, region) in SimOptions::first_regions(self.regions).iter().enumerate().skip(1) {
            if doom.taken[site - 1] {
                Self::take(stage, site, true);
            } else {
                stage.sim.black_out(region, SignedDuration::ZERO, Some(SignedDuration::from_mins(40)));
            }
            stage.witness.darkened(region);
        }
    }

    /// Whether nobody is left at that moment.
    fn is_doomed(&self, wanted: fn(&When) -> bool) -> Option<&Doom> {
        self.doom.as_ref().filter(|doom| wanted(&doom.when))
    }

    /// Runs the plan while the world has its trouble; a killed process is begun anew at once.
    async fn troubled(&self, stage: &mut Stage, plan: &Plan) -> Option<Result<Ending, NotBegun>> {
        let mut trouble = self.trouble.clone();
        trouble.sort_by_key(|(after, _)| *after);
        let began = stage.clock.now();
        if let Some(doom) = self.is_doomed(|when| matches!(when, When::Begun(_))) {
            let When::Begun(after) = doom.when else { return None };
            let strikes = async {
                stage.clock.sleep(Duration::from_secs(after)).await;
                self.strike(stage, doom);
            };
            return tokio::join!(stage.run(plan), strikes).0;
        }
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
            // So long it takes until everybody knows.
            let known = Duration::from_mins(3);
            if let Some(site) = self.out {
                Self::take(&stage, site, true);
                stage.clock.sleep(known).await;
            }
            if let Some(doom) = self.is_doomed(|when| matches!(when, When::Planned)) {
                self.strike(&stage, doom);
                stage.clock.sleep(known).await;
            }
            let plan = match stage.planned(runbook, &params).await {
                Ok(plan) if stage.approve(&plan).is_ok() => plan,
                // Not every fleet allows every run.
                _ => return Vec::new(),
            };
            if let Some(doom) = self.is_doomed(|when| matches!(when, When::Confirmed)) {
                self.strike(&stage, doom);
                stage.clock.sleep(known).await;
            }
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
            let dark = dark || self.doom.is_some();
            if runbook == "failover" && !dark && !barred && !pinned {
                wrong.push("a failover with a way out did not get users out".into());
            }
            if !matches!(&ending, Some(ending) if ending.outcome == Outcome::Done) {
                stage.sim.clear_faults();
                let taken = self.doom.iter().flat_map(|doom| 1..=doom.taken.len());
                for site in taken.filter(|site| *site < self.regions) {
                    Self::take(&stage, site, false);
                }
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
            // An emergency goes on where nobody can tell, and says so.
            let doubted = stage.recorder.entries().iter().any(|entry| {
                matches!(&entry.event, Event::Noted { words } if words.as_str().contains("nobody can tell now"))
            });
            wrong.retain(|words| !(runbook == "failover" && doubted && words.contains("nobody else serves")));
            if !wrong.is_empty() {
                wrong.extend(stage.words());
            }
            wrong
        })
    }
}

/// The same draws every time; more, and others, with `PROPTEST_CASES` and `PROPTEST_RNG_SEED`.
fn config(cases: u32) -> ProptestConfig {
    let said = |name: &str| std::env::var(name).ok()?.parse::<u64>().ok();
    ProptestConfig {
        cases: said("PROPTEST_CASES").and_then(|cases| cases.try_into().ok()).unwrap_or(cases),
        rng_seed: RngSeed::Fixed(said("PROPTEST_RNG_SEED").unwrap_or(7)),
        failure_persistence: None,
        max_shrink_iters: 24,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config(16))]

    #[test]
    fn trouble_at_any_moment_breaks_no_invariant(draw in draws()) {
        let wrong = draw.wrong();
        prop_assert!(wrong.is_empty(), "{draw:?}\n{wrong:#?}");
    }
}

proptest! {
    #![proptest_config(config(12))]

    #[test]
    fn nobody_is_taken_out_when_nobody_else_is_left(draw in doomed()) {
        let wrong = draw.wrong();
        prop_assert!(wrong.is_empty(), "{draw:?}\n{wrong:#?}");
    }
}
