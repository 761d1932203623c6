//! A region goes black in the middle of a run, at every step of it, and somebody else fails it over at once.
//!
//! Two runs are under way in one world: the one that was there, and the failover that takes its lease. Users get
//! out; the loser changes nothing once it has lost; and when the region is back, a restore that goes by the records of
//! both brings back what was there before the first of them.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::OnceLock;
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::snapshot::ScalableTarget;
use switchtower::runbook::{
    DatabaseChoice, Event, Facts, Known, LeaseOutcome, Outcome, Params, Plan, PlanError, pin,
};
use switchtower::sim::{SimOptions, Wiring};

use super::matrix::{Book, DARK, Place, all_hold, black, options, pinned, tail};
use super::returning::{as_saved, values};
use super::stage::{LEAVING, Leasing, Stage, changes_after, leaving, play};
use super::watch::Strike;

/// Whose credentials sign the failover.
const WINNER: &str = "ASIASOMEBODYELSE";

/// A world with a way out that leans on no control plane of the dark region.
fn wired() -> SimOptions {
    SimOptions { wiring: Wiring { switch_object: true, ..Wiring::default() }, ..options("calm") }
}

/// A run that is superseded, and what was there before anything was done.
struct Loser {
    book: Book,
    before: Facts,
}

impl Loser {
    fn new<F: Future<Output = Stage>>(
        name: &'static str,
        runbook: &str,
        params: &Params,
        scene: impl FnOnce(Stage) -> F,
    ) -> Self {
        let before = OnceLock::new();
        let book = Book::new(name, runbook, params, async || {
            let stage = Stage::new(wired());
            before.set(values(&stage).await).unwrap();
            scene(stage).await
        });
        Self { book, before: before.into_inner().unwrap() }
    }

    fn hold(&self) {
        let places: Vec<(usize, Place)> = self.book.chosen().into_iter().enumerate().collect();
        let told = |(_, place): &(usize, Place)| format!("{} at {}", self.book.name, place.step);
        all_hold(&places, told, |(index, place)| {
            // Somebody is quick, or slow.
            self.cell(place, Duration::from_secs([5, 45, 100][index % 3]))
        });
    }

    fn cell(&self, place: &Place, reaction: Duration) -> Vec<String> {
        play(async || {
            let mut first = self.book.world.thaw();
            first.lease(Leasing::Uncopied);
            let (tell, dark) = tokio::sync::oneshot::channel();
            let darkness = black(LEAVING);
            first.strike_at(
                place.point.clone(),
                Strike::Before(Box::new(move |sim| {
                    tell.send(()).unwrap();
                    darkness(sim)
                })),
            );
            first.witness.darkens(&Region::new(LEAVING));
            let mut second = first.beside(WINNER);
            let failover = async {
                dark.await.unwrap();
                second.witness.darkened(&Region::new(LEAVING));
                second.clock.sleep(reaction).await;
                let plan = failover(&second).await;
                let ending = second.ended(&plan).await;
                (plan, ending)
            };
            let (lost, (plan, mut ending)) = tokio::join!(first.ended(&self.book.plan), failover);

            first.rival = Some(second.recorder.clone());
            let mut wrong = first.faults(&self.book.plan, &lost);
            wrong.extend(second.faults(&plan, &ending));
            if !pinned(&second) {
                wrong.push("the failover did not get users out".into());
            }
            wrong.extend(self.gave_way(&first, &second, lost.outcome));
            if ending.outcome == Outcome::Halted {
                second.clock.sleep((DARK + SignedDuration::from_mins(15)).unsigned_abs()).await;
                second.sign_in();
                ending = second.ended(&plan).await;
                wrong.extend(second.faults(&plan, &ending));
            }
            if ending.outcome != Outcome::Done {
                wrong.push(format!("mended, and {:?}: {}", ending.outcome, ending.why));
            }
            if wrong.is_empty() {
                wrong = self.comes_back(&first, &second).await;
            }
            if wrong.is_empty() {
                return wrong;
            }
            let lost = ["the first run:".to_owned()].into_iter().chain(tail(&first));
            let won = ["the failover:".to_owned()].into_iter().chain(tail(&second));
            wrong.into_iter().chain(lost).chain(won).collect()
        })
    }

    /// The loser ended in a word that is true, and changed nothing once the lease was somebody else's.
    fn gave_way(&self, first: &Stage, second: &Stage, outcome: Outcome) -> Vec<String> {
        let taken = second.recorder.entries().iter().find_map(|entry| match &entry.event {
            Event::Lease { outcome: LeaseOutcome::TakenOver { .. } } => Some((entry.at, true)),
            Event::Lease { outcome: LeaseOutcome::Taken { .. } } => Some((entry.at, false)),
            _ => None,
        });
        let Some((taken, over)) = taken else { return vec!["the failover had no lease".into()] };
        let late = changes_after(first, taken, WINNER);
        let mut wrong: Vec<String> =
            late.into_iter().map(|call| format!("after the lease was lost at {taken}: {call}")).collect();
        let fits = match outcome {
            Outcome::Superseded => over,
            // It was over before anybody took the lease.
            Outcome::Halted | Outcome::Done => !over,
            _ => false,
        };
        if !fits {
            wrong.push(format!("{} ended {outcome:?}, its lease taken over: {over}", self.book.name));
        }
        wrong
    }

    /// Once the region is back, a restore brings back what was there before the first run.
    async fn comes_back(&self, first: &Stage, second: &Stage) -> Vec<String> {
        second.clock.sleep((DARK + SignedDuration::from_mins(20)).unsigned_abs()).await;
        let region = Region::new(LEAVING);
        let runs: Vec<_> =
            [first.journal.clone().unwrap_or_default(), first.recorder.entries(), second.recorder.entries()]
                .into_iter()
                .filter(|entries| !entries.is_empty())
                .collect();
        let mut third = second.beside(WINNER);
        third.journal = Some(pin::evacuations(&runs, &region));
        third.sim.clear_calls();
        let params = as_saved(&third, leaving()).await;
        let plan = third.open_plan("restore", &params).await;
        let ending = third.ended(&plan).await;
        let mut wrong = third.faults(&plan, &ending);
        if ending.outcome != Outcome::Done {
            wrong.push(format!("the restore ended {:?}: {}", ending.outcome, ending.why));
        }
        let now = values(&third).await;
        for (fact, one) in self.before.iter() {
            if now.value(fact) != one.value() && !is_told(&plan, one.value(), now.value(fact)) {
                wrong.push(format!("{fact:?} was {:?} and comes back as {:?}", one.value(), now.value(fact)));
            }
        }
        if !third.sim.view().regions.iter().all(|region| region.up && region.in_dns) {
            wrong.push("not every region serves again".into());
        }
        if wrong.is_empty() { wrong } else { [wrong, tail(&third)].concat() }
    }
}

/// True where the plan itself said that a ceiling stays higher than it was: more tasks are wanted than it would let be.
fn is_told(plan: &Plan, before: Option<&Known>, now: Option<&Known>) -> bool {
    let (Some(Known::Scaling(Some(before))), Some(Known::Scaling(Some(now)))) = (before, now) else {
        return false;
    };
    let words = format!("gets max {} instead of {}: {0} tasks are wanted there now", now.max, before.max);
    ScalableTarget { max: before.max, ..now.clone() } == *before
        && plan.notes.iter().any(|note| note.as_str().contains(&words))
}

/// A failover by somebody who has seen the region go dark: data may be lost, if there is a writer to be moved.
async fn failover(stage: &Stage) -> Plan {
    let lossy = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    let params = match stage.planned("failover", &lossy).await {
        Err(PlanError::Params(_)) => leaving(),
        _ => lossy,
    };
    stage.open_plan("failover", &params).await
}

#[test]
fn a_drain_is_superseded_at_every_step() {
    let params = Params { scale_to_zero: true, ..leaving() };
    Loser::new("drain", "drain", &params, std::future::ready).hold();
}

#[test]
fn a_restore_is_superseded_at_every_step() {
    Loser::new("restore", "restore", &leaving(), async |stage: Stage| {
        let plan = stage.open_plan("drain", &Params { scale_to_zero: true, ..leaving() }).await;
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done);
        stage.next()
    })
    .hold();
}

#[test]
fn a_switchover_is_superseded_at_every_step() {
    Loser::new("switchover", "switchover", &leaving(), std::future::ready).hold();
}
