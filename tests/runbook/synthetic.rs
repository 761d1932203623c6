//! Synthetic requests: what proves that users are served, and that their writes work again.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::synthetic::Written;
use switchtower::domain::topology::SyntheticWrite;
use switchtower::runbook::engine::Setup;
use switchtower::runbook::recovery::{Found, Mark, RecoveryPoint};
use switchtower::runbook::{DatabaseChoice, Event, Fact, Facts, Known, Operation, Outcome, Params, StepId};
use switchtower::sim::{FaultKind, InjectedFault, SimOptions};

use super::stage::{Stage, Through, leaving, play};

/// A world whose application may be written to by runbooks.
pub(super) fn writable(scenario: &str) -> Stage {
    let options = SimOptions { scenario: scenario.into(), ..SimOptions::default() };
    Stage::shaped(options, |topology| {
        topology.synthetic.write = Some(SyntheticWrite {
            method: "PUT".into(),
            path: "/canary/{token}".into(),
            body: "{token}".into(),
            content_type: "text/plain".into(),
            status: Some(201),
            read_back: Some("/canary/{token}".into()),
        });
    })
}

pub(super) fn failover(database: DatabaseChoice) -> Params {
    Params { database: Some(database), ..leaving() }
}

/// What became of the writes of a run: the evidence of each name, or why it was passed or failed.
fn writes(stage: &Stage) -> Vec<String> {
    let of = |step: &StepId| step.as_str().starts_with("write/");
    let entries = stage.recorder.entries();
    let told = entries.iter().filter_map(|entry| match &entry.event {
        Event::StepDone { step, evidence, .. } | Event::StepHeld { step, evidence } if of(step) => {
            Some(format!("{step} done: {}", plain(evidence.as_str())))
        }
        Event::StepFailed { step, why, passed } if of(step) => {
            Some(format!("{step} failed, passed {passed}: {}", plain(why.as_str())))
        }
        _ => None,
    });
    told.collect()
}

/// Words without the token, which no two writes share.
fn plain(words: &str) -> String {
    let parts = words.split(' ').map(|word| if word.starts_with("switchtower-") { "TOKEN" } else { word });
    parts.collect::<Vec<_>>().join(" ")
}

fn redeployed(stage: &Stage) -> usize {
    stage.sent().iter().filter(|call| matches!(call, Operation::Redeploy { .. })).count()
}

#[test]
fn a_failover_ends_once_writes_work_and_are_read_back() {
    play(async || {
        let stage = writable("regional-outage");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(
            writes(&stage),
            [
                "write/api.example.com done: our own write to api.example.com: TOKEN was answered HTTP 201 and read back",
                "write/www.example.com done: our own write to www.example.com: TOKEN was answered HTTP 201 and read back",
            ]
        );
        // How old the last lag is stands in the record: a recovery point is worth no more.
        let lag = stage
            .words()
            .iter()
            .any(|line| line.contains("before the promotion: ") && line.contains(" s ago"));
        assert!(lag, "{:#?}", stage.words());
    });
}

#[test]
fn writes_that_fail_are_told_and_the_database_that_was_left_is_no_reason_to_halt() {
    play(async || {
        let stage = writable("regional-outage");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Leave)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let told = writes(&stage);
        assert_eq!(told.len(), 2);
        for line in told {
            assert!(line.contains("failed, passed true"), "{line}");
            assert!(line.contains("HTTP 503, which does not count as written"), "{line}");
        }
    });
}

#[test]
fn tasks_are_replaced_only_while_writes_fail() {
    for (database, expected) in [(DatabaseChoice::Failover, 0), (DatabaseChoice::Leave, 1)] {
        play(async || {
            let stage = writable("regional-outage");
            let params = Params { redeploy: vec!["api".into()], ..failover(database) };
            let plan = stage.plan("failover", &params).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            assert_eq!(redeployed(&stage), expected, "{database:?}: {:#?}", stage.words());
        });
    }
}

/// How long it took from the moment when tasks could have been replaced until they were, with writes that never work.
async fn until_replaced(stage: &Stage) -> SignedDuration {
    let params = Params { redeploy: vec!["api".into()], ..failover(DatabaseChoice::Failover) };
    let plan = stage.plan("failover", &params).await;
    let setup = Setup { executor: behind(stage, usize::MAX), ..stage.setup(&plan) };
    stage.carry_out(setup).await.unwrap().unwrap();
    let entries = stage.recorder.entries();
    let at = |wanted: &dyn Fn(&Event) -> bool| entries.iter().find(|entry| wanted(&entry.event)).unwrap().at;
    let replaces = |step: &StepId| step.as_str().starts_with("redeploy/");
    let began = at(&|event| matches!(event, Event::StepBegan { step } if replaces(step)));
    let sent = at(&|event| matches!(event, Event::Intent { step, .. } if replaces(step)));
    sent.duration_since(began)
}

#[test]
fn tasks_are_replaced_once_rds_says_that_the_writer_moved_or_after_a_minute() {
    play(async || {
        // It moves some seconds after the promotion, and clients have a quarter of a minute to look it up.
        let told = until_replaced(&writable("regional-outage")).await;
        assert!(told < SignedDuration::from_secs(30), "{told:?}");
        let mute = writable("regional-outage");
        let kind = FaultKind::Refuse { status: 403, code: "AccessDenied".into() };
        mute.sim.inject(InjectedFault::next("rds", "DescribeEvents", kind).on(0));
        let untold = until_replaced(&mute).await;
        assert!((60..75).contains(&untold.as_secs()), "{untold:?}");
    });
}

#[test]
fn nothing_is_written_where_the_topology_names_no_write() {
    play(async || {
        let stage = Stage::new(SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() });
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        assert!(!plan.steps.iter().any(|step| step.id.as_str().starts_with("write/")));
        stage.ended(&plan).await;
        assert_eq!(writes(&stage), Vec::<String>::new());
    });
}

#[test]
fn a_drain_proves_writes_before_it_stops_anything() {
    play(async || {
        let stage = writable("calm");
        let params = Params { now: true, scale_to_zero: true, ..leaving() };
        let plan = stage.plan("drain", &params).await;
        let stop = plan.steps.iter().find(|step| step.id.as_str().starts_with("suspend/")).unwrap();
        assert!(stop.after.contains(&StepId::new("write/api.example.com")), "{:?}", stop.after);
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(writes(&stage).len(), 2);
    });
}

#[test]
fn recovery_time_ends_with_the_first_good_answer_and_begins_when_the_operator_says() {
    play(async || {
        let stage = Stage::new(SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() });
        let since = stage.clock.now() - SignedDuration::from_mins(7);
        let mut measured = Vec::new();
        for since in [None, Some(since)] {
            let stage =
                Stage::new(SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() });
            let params = Params { since, ..failover(DatabaseChoice::Failover) };
            let plan = stage.plan("failover", &params).await;
            stage.ended(&plan).await;
            let entries = stage.recorder.entries();
            let rto = entries.iter().find_map(|entry| match entry.event {
                Event::Ended { rto, .. } => rto,
                _ => None,
            });
            let answered = entries.iter().find_map(|entry| match &entry.event {
                Event::StepDone { step, .. } | Event::StepHeld { step, .. }
                    if step.as_str().starts_with("synthetic/") =>
                {
                    Some(entry.at.duration_since(entries[0].at).unsigned_abs())
                }
                _ => None,
            });
            measured.push((rto.unwrap(), answered.unwrap()));
        }
        let (rto, answered) = measured[0];
        assert!(rto >= answered && rto < answered + Duration::from_secs(1), "{rto:?} {answered:?}");
        // Not only once resolvers forget: it waits for DNS to answer elsewhere, and for nothing else.
        assert!(rto < Duration::from_secs(30), "{rto:?}");
        let (declared, _) = measured[1];
        assert!(declared > Duration::from_mins(7), "{declared:?}");
    });
}

/// The recovery point as a run told it last, and in which words.
pub(super) fn recovered(stage: &Stage) -> Option<RecoveryPoint> {
    stage.recorder.entries().iter().rev().find_map(|entry| match &entry.event {
        Event::RecoveryPoint { point } => Some(point.clone()),
        _ => None,
    })
}

async fn fail_over(stage: &Stage, database: DatabaseChoice) -> RecoveryPoint {
    let plan = stage.plan("failover", &failover(database)).await;
    let ending = stage.ended(&plan).await;
    assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
    recovered(stage).unwrap_or_else(|| panic!("{:#?}", stage.words()))
}

#[test]
fn the_recovery_point_is_measured_where_the_old_writer_still_took_writes() {
    play(async || {
        let stage = writable("calm");
        let point = fail_over(&stage, DatabaseChoice::Failover).await;
        // The region is fenced and DNS still leads to it: the first write is all that it took.
        assert!(matches!(point.found, Found::Some { kept: 1.., lost: 0, .. }), "{}", point.words());
        assert!(
            point.words().contains("of our own writes before the promotion are there"),
            "{}",
            point.words()
        );
    });
}

#[test]
fn what_the_old_writer_took_after_the_promotion_was_asked_for_is_lost_and_counted() {
    play(async || {
        // Users were moved first, and the database is decided about afterwards.
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Leave)).await;
        stage.ended(&plan).await;
        let stage = stage.next();
        let point = fail_over(&stage, DatabaseChoice::Failover).await;
        let Found::Some { at_most, kept, lost } = point.found else { panic!("{}", point.words()) };
        assert!(kept >= 2 && lost >= 1, "{}", point.words());
        assert!(at_most <= Duration::from_secs(12), "{}", point.words());
        assert!(point.words().contains("later ones are lost"), "{}", point.words());
        // Nothing is written by the clock once the new writer is there.
        let entries = stage.recorder.entries();
        let promoted = entries.iter().position(|entry| {
            matches!(&entry.event, Event::StepDone { step, .. } if step.as_str().starts_with("promote/"))
        });
        let late = entries[promoted.unwrap() + 1..].iter();
        assert!(!late.into_iter().any(|entry| matches!(entry.event, Event::Marked { .. })), "{entries:#?}");
    });
}

#[test]
fn where_no_write_had_come_over_the_loss_is_told_as_more_than_measured() {
    play(async || {
        let stage = writable("aurora-lag");
        let point = fail_over(&stage, DatabaseChoice::Failover).await;
        let Found::None { lost, .. } = point.found else { panic!("{}", point.words()) };
        assert!(lost >= 1);
        let words = point.words();
        assert!(words.starts_with("more than ") && words.contains("; last RPO lag "), "{words}");
    });
}

#[test]
fn what_was_not_measured_is_said_so_with_the_last_lag_and_its_age() {
    play(async || {
        let stage = writable("regional-outage");
        let point = fail_over(&stage, DatabaseChoice::Failover).await;
        let words = point.words();
        let start = "not measured (no write of ours was accepted before the promotion); last RPO lag ";
        assert!(words.starts_with(start) && words.ends_with(" before the promotion"), "{words}");

        let stage = Stage::new(SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() });
        let words = fail_over(&stage, DatabaseChoice::Failover).await.words();
        assert!(
            words.starts_with("not measured (the topology names no [synthetic.write]); last "),
            "{words}"
        );

        let options = SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() };
        let stage = Stage::shaped(options, |topology| {
            topology.synthetic.write = Some(SyntheticWrite {
                method: "POST".into(),
                path: "/canary".into(),
                body: "{token}".into(),
                content_type: "text/plain".into(),
                status: None,
                read_back: None,
            });
        });
        let words = fail_over(&stage, DatabaseChoice::Detach).await.words();
        assert!(
            words.starts_with("not measured ([synthetic.write] has no read_back with a {token}"),
            "{words}"
        );
        assert!(words.contains("; last RPO lag "), "{words}");
    });
}

/// How long a promotion that was begun waits before it is sent.
async fn waits(stage: &Stage) -> SignedDuration {
    fail_over(stage, DatabaseChoice::Failover).await;
    let entries = stage.recorder.entries();
    let at = |wanted: &dyn Fn(&Event) -> bool| entries.iter().find(|entry| wanted(&entry.event)).unwrap().at;
    let promotes = |step: &StepId| step.as_str().starts_with("promote/");
    let began = at(&|event| matches!(event, Event::StepBegan { step } if promotes(step)));
    let sent = at(&|event| matches!(event, Event::Intent { step, .. } if promotes(step)));
    sent.duration_since(began)
}

#[test]
fn only_writes_that_are_accepted_keep_a_promotion_waiting() {
    play(async || {
        // Users' writes work as ours do: a few seconds of theirs are worth to be known.
        let accepted = waits(&writable("calm")).await;
        assert!((4..9).contains(&accepted.as_secs()), "{accepted:?}");
        // They fail: every second counts.
        let refused = waits(&writable("regional-outage")).await;
        assert!(refused < SignedDuration::from_secs(3), "{refused:?}");
    });
}

#[test]
fn nothing_is_measured_and_nothing_said_where_nothing_can_be_lost() {
    play(async || {
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Switchover)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(recovered(&stage), None);
        assert!(!stage.recorder.entries().iter().any(|entry| matches!(entry.event, Event::Marked { .. })));
    });
}

/// An application whose reads follow its writes: it shows nothing until it was asked for `until` writes, and no token at
/// the first time of asking.
fn behind(stage: &Stage, until: usize) -> Arc<Through> {
    let (writes, asked) = (Mutex::new(0), Mutex::new(BTreeSet::new()));
    Through::seeing(stage.witness.inner(), move |seen| {
        let mut told = Facts::new();
        for (fact, observed) in seen.iter() {
            let observed = match fact {
                Fact::SyntheticWrite(_) => {
                    let mut writes = writes.lock().unwrap();
                    *writes += 1;
                    let behind = *writes <= until;
                    observed.map(|known| match known {
                        Known::Written(written) if behind => {
                            Known::Written(Written { shown: Some(false), ..written.clone() })
                        }
                        known => known.clone(),
                    })
                }
                Fact::TokenShown(_, token) => {
                    let first = asked.lock().unwrap().insert(token.clone());
                    let behind = first || *writes.lock().unwrap() <= until;
                    observed.map(|known| if behind { Known::Flag(false) } else { known.clone() })
                }
                _ => observed.clone(),
            };
            told.insert(fact.clone(), observed);
        }
        told
    })
}

#[test]
fn what_is_not_shown_yet_is_not_called_lost() {
    for until in [0, 12] {
        play(async || {
            let stage = writable("calm");
            let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
            let setup = Setup { executor: behind(&stage, until), ..stage.setup(&plan) };
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            let point = recovered(&stage).unwrap();
            assert!(
                matches!(point.found, Found::Some { kept: 1.., lost: 0, .. }),
                "{until}: {}",
                point.words()
            );
        });
    }
}

#[test]
fn a_run_that_is_taken_up_again_still_knows_what_it_wrote() {
    play(async || {
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        // The process dies once the promotion is sent, and loses what only it knew.
        let sent = |entry: &switchtower::runbook::Entry| matches!(&entry.event, Event::Applied { step, .. } if step.as_str().starts_with("promote/"));
        let whole = {
            let other = writable("calm");
            let plan = other.plan("failover", &failover(DatabaseChoice::Failover)).await;
            other.ended(&plan).await;
            other.recorder.entries()
        };
        let cut = whole.iter().position(sent).unwrap();
        *stage.cut.lock().unwrap() = Some(cut);
        assert!(stage.run(&plan).await.is_none(), "it dies");
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let point = recovered(&stage).unwrap();
        assert!(matches!(point.found, Found::Some { kept: 1.., .. }), "{}", point.words());
    });
}

#[test]
fn marks_are_weighed_by_bounds_and_never_by_guesses() {
    let at = |seconds: i64| jiff::Timestamp::from_second(1_000 + seconds).unwrap();
    let mark = |sent: i64, answered: i64| Mark { token: "t".into(), sent: at(sent), answered: at(answered) };
    let weigh = |marks: &[(Mark, bool)]| Found::of(marks.iter().map(|(mark, there)| (mark, *there)), at(100));
    let seconds = Duration::from_secs;
    // All there: no more than since the newest, though nothing is known to be lost.
    let all = [(mark(90, 91), true), (mark(95, 96), true)];
    assert_eq!(weigh(&all), Found::Some { at_most: seconds(5), kept: 2, lost: 0 });
    // A write after the promotion that is lost widens the gap; one that is there was taken by the new writer.
    let late = [(mark(90, 91), true), (mark(98, 99), false), (mark(102, 103), false), (mark(180, 181), true)];
    assert_eq!(weigh(&late), Found::Some { at_most: seconds(13), kept: 1, lost: 2 });
    let none = [(mark(90, 91), false), (mark(98, 99), false)];
    assert_eq!(weigh(&none), Found::None { at_least: seconds(10), lost: 2 });
    assert!(matches!(weigh(&[]), Found::Nothing { .. }));
    assert!(matches!(weigh(&[(mark(180, 181), true)]), Found::Nothing { .. }));
}
