//! What RDS tells of an unplanned promotion: a fence that did not come about is told loudly, silence is no fence, and
//! nobody waits for either.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use jiff::SignedDuration;
use switchtower::app::acting::run::RunState;
use switchtower::cli::report::markdown;
use switchtower::runbook::journal::Told as Journal;
use switchtower::runbook::report::{Report, Source};
use switchtower::runbook::{Aftermath, DatabaseChoice, Event, Outcome, Params, RdsEvent, RunId, Told};
use switchtower::sim::{FaultKind, InjectedFault, Mode, SimOptions};

use super::stage::{LEAVING, Stage, leaving, play};

fn world(scenario: &str) -> Stage {
    Stage::new(SimOptions { scenario: scenario.into(), ..SimOptions::default() })
}

fn lossy() -> Params {
    Params { database: Some(DatabaseChoice::Failover), ..leaving() }
}

fn heard(stage: &Stage) -> Vec<Aftermath> {
    let entries = stage.recorder.entries();
    let told = entries.iter().filter_map(|entry| match &entry.event {
        Event::Aftermath { aftermath } => Some(aftermath.clone()),
        _ => None,
    });
    told.collect()
}

/// What was told, in a word each, and where.
fn gist(stage: &Stage) -> Vec<String> {
    let word = |one: Aftermath| match one.told {
        Told::Blocked { cluster, said } => format!("blocked {cluster}, said in {}", said.region),
        Told::NotBlocked { cluster, said } => format!("NOT BLOCKED {cluster}, said in {}", said.region),
        Told::EndpointMoved { said } => format!("endpoint moved, said in {}", said.region),
        Told::Silent { why } => format!("silent: {why}"),
    };
    heard(stage).into_iter().map(word).collect()
}

fn report(stage: &Stage) -> Report {
    let mut told = Journal::default();
    told.entries = stage.recorder.entries();
    let run = RunId::parse("a-run").unwrap();
    Report::of(&Source { run: &run, told: &told, held: false, now: stage.clock.now() })
}

/// A world, what is done to it, and what is told of the promotion in it.
type Case = (&'static str, fn() -> Stage, &'static [&'static str], bool);

const MOVED: &str = "endpoint moved, said in eu-west-1";

const CASES: [Case; 4] = [
    (
        "the old primary cannot be reached",
        || world("regional-outage"),
        &["NOT BLOCKED my-db-us-east-1, said in eu-west-1", MOVED],
        true,
    ),
    (
        "the old primary can be reached",
        || world("calm"),
        &["blocked my-db-us-east-1, said in us-east-1", MOVED],
        false,
    ),
    (
        "what tells of the fence lies in a region that is mute",
        || {
            let stage = world("calm");
            stage.sim.apis_down(&LEAVING.into(), &["rds"], Mode::Error, SignedDuration::ZERO, None);
            stage
        },
        &[
            MOVED,
            "silent: RDS in eu-west-1 says nothing of it; RDS in us-east-1 does not tell: rds:DescribeEvents",
        ],
        true,
    ),
    (
        "nobody may read events",
        || {
            let stage = world("regional-outage");
            let kind = FaultKind::Refuse { status: 403, code: "AccessDenied".into() };
            stage.sim.inject(InjectedFault::next("rds", "DescribeEvents", kind).on(0));
            stage
        },
        &["silent: RDS in eu-west-1 does not tell: rds:DescribeEvents"],
        true,
    ),
];

#[test]
fn what_aws_says_of_the_fence_is_told_once_and_loudly_where_it_must_be() {
    for (name, stage, expected, alarms) in CASES {
        play(async || {
            let stage = stage();
            let plan = stage.plan("failover", &lossy()).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{name}: {}\n{:#?}", ending.why, stage.words());
            let told = gist(&stage);
            assert_eq!(told.len(), expected.len(), "{name}: {told:#?}");
            for (told, expected) in told.iter().zip(expected) {
                assert!(told.starts_with(expected), "{name}: {told}, not {expected}");
            }
            for aftermath in heard(&stage) {
                let json = serde_json::to_value(&aftermath).unwrap();
                let kinds = ["blocked", "not_blocked", "endpoint_moved", "silent"];
                assert!(kinds.iter().any(|kind| json["told"]["kind"] == *kind), "{json}");
                assert!(json["told"].get("told").is_none(), "{json}");
                assert_eq!(serde_json::from_value::<Aftermath>(json).unwrap(), aftermath);
            }
            // On the run's screen, in its report, and in what people are told at the end.
            let entries = stage.recorder.entries();
            let run = RunState::of(&entries);
            assert_eq!(run.alarms.len(), usize::from(alarms), "{name}: {:?}", run.alarms);
            let marked = run.marks.iter().any(|mark| {
                mark.bad && run.alarms.iter().any(|words| mark.what.as_str().contains(words.as_str()))
            });
            assert_eq!(marked, alarms, "{name}: {:#?}", run.marks);
            let report = report(&stage);
            assert_eq!(report.alarms.len(), usize::from(alarms), "{name}: {:?}", report.alarms);
            let text = markdown(&report);
            assert_eq!(text.contains("**Read this first.**"), alarms, "{name}: {text}");
            assert_eq!(stage.faults(&plan, &ending), Vec::<String>::new(), "{name}");
        });
    }
}

#[test]
fn nobody_waits_for_what_rds_tells() {
    let took = |stage: Stage| {
        play(async || {
            let plan = stage.plan("failover", &lossy()).await;
            let ending = stage.ended(&plan).await;
            assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
            let entries = stage.recorder.entries();
            let done = entries.iter().filter(|entry| matches!(entry.event, Event::StepDone { .. }));
            let last = done.map(|entry| entry.at).max().unwrap();
            (last.duration_since(entries[0].at), entries.last().unwrap().at.duration_since(last))
        })
    };
    let (steps, _) = took(world("regional-outage"));
    let hanging = world("regional-outage");
    hanging.sim.inject(InjectedFault::next("rds", "DescribeEvents", FaultKind::Hang).on(0));
    let (mute, after) = took(hanging);
    assert!((mute - steps).abs() < SignedDuration::from_secs(2), "{steps} with events, {mute} without");
    assert!(after < SignedDuration::from_secs(15), "{after}");
}

#[test]
fn a_planned_move_has_no_such_aftermath() {
    play(async || {
        let stage = world("calm");
        let params = Params { database: Some(DatabaseChoice::Switchover), ..leaving() };
        let plan = stage.plan("failover", &params).await;
        stage.ended(&plan).await;
        assert_eq!(gist(&stage), Vec::<String>::new());
        assert!(!stage.sim.calls().iter().any(|call| call.operation == "DescribeEvents"));
    });
}

#[test]
fn a_run_that_is_taken_up_again_still_hears_of_its_promotion_and_not_of_an_earlier_one() {
    play(async || {
        let stage = world("regional-outage");
        let plan = stage.plan("failover", &lossy()).await;
        let whole = {
            let other = world("regional-outage");
            let plan = other.plan("failover", &lossy()).await;
            other.ended(&plan).await;
            other.recorder.entries()
        };
        // The process dies once the promotion is sent, before anything was told of it.
        let sent = |entry: &switchtower::runbook::Entry| matches!(&entry.event, Event::Applied { step, .. } if step.as_str().starts_with("promote/"));
        *stage.cut.lock().unwrap() = Some(whole.iter().position(sent).unwrap());
        assert!(stage.run(&plan).await.is_none(), "it dies");
        assert_eq!(gist(&stage), Vec::<String>::new());
        stage.clock.sleep(std::time::Duration::from_mins(3)).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        assert_eq!(gist(&stage), ["NOT BLOCKED my-db-us-east-1, said in eu-west-1", MOVED]);
    });
}

#[test]
fn events_are_told_by_their_words_and_only_of_the_cluster_that_was_promoted() {
    let world = world("calm");
    let global = &world.topology.aurora[0];
    let to = &global.members[1].arn;
    let fence = "Attempt to block writes for DB cluster";
    let moved = "Aurora finished changing the DNS name that the global writer endpoint resolves to.";
    for (source, words, expected) in [
        (
            "my-db-us-east-1-1",
            format!("{fence} my-db-us-east-1 in Region us-east-1 timed out."),
            "not blocked",
        ),
        (
            "my-db-us-east-1-1",
            format!("{fence} MY-DB-us-east-1 in Region us-east-1 Timed out"),
            "not blocked",
        ),
        ("my-db-us-east-1-1", format!("{fence} my-db-us-east-1 in Region us-east-1 failed."), "not blocked"),
        ("my-db-us-east-1-1", format!("{fence} my-db-us-east-1 in Region us-east-1 succeeded."), "blocked"),
        ("my-db-us-east-1-1", format!("{fence} my-db-us-east-1 in Region us-east-1 started."), "nothing"),
        // Another database's, of a name that only begins so.
        ("other-1", format!("{fence} my-db-us-east-1-copy in Region us-east-1 timed out."), "nothing"),
        ("other-1", format!("{fence} billing in Region us-east-1 timed out."), "nothing"),
        ("my-db-eu-west-1", moved.to_owned(), "moved"),
        ("my-global-db", moved.to_owned(), "moved"),
        ("billing", moved.to_owned(), "nothing"),
        ("my-db-eu-west-1", "Finished DB Cluster backup".to_owned(), "nothing"),
    ] {
        let at = world.clock.now();
        let event = RdsEvent { at, source: source.into(), words: words.as_str().into() };
        let told = match Told::of(global, to, &"eu-west-1".into(), &event) {
            Some(Told::NotBlocked { .. }) => "not blocked",
            Some(Told::Blocked { .. }) => "blocked",
            Some(Told::EndpointMoved { .. }) => "moved",
            Some(Told::Silent { .. }) => "silent",
            None => "nothing",
        };
        assert_eq!(told, expected, "{source}: {words}");
    }
}
