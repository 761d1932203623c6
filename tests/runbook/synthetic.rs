//! Synthetic requests: what proves that users are served, and that their writes work again.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::topology::SyntheticWrite;
use switchtower::runbook::{DatabaseChoice, Event, Operation, Outcome, Params, StepId};
use switchtower::sim::SimOptions;

use super::stage::{Stage, leaving, play};

/// A world whose application may be written to by runbooks.
fn writable(scenario: &str) -> Stage {
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

fn failover(database: DatabaseChoice) -> Params {
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
