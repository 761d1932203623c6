//! How long steps took in runs that are over, and what must not count.

use std::path::Path;
use std::time::Duration;

use switchtower::domain::Topology;
use switchtower::domain::ids::{AccountId, Region};
use switchtower::ports::Clock;
use switchtower::runbook::journal::{JOURNAL_FILE, Journal, Past};
use switchtower::runbook::{Condition, Event, Measured, Opening, Outcome, Params, Plan, RunId, Step, StepId};

use super::stage::play;
use crate::domain::fixture;

const KIM: &str = "arn:aws:sts::123456789012:assumed-role/oncall/kim";

/// A run of the past, as far as durations care.
#[derive(Clone)]
struct Ran {
    runbook: &'static str,
    region: &'static str,
    application: &'static str,
    holder: &'static str,
    /// Each step with its seconds.
    steps: Vec<(&'static str, u64)>,
    outcome: Option<Outcome>,
    /// The first step is begun twice.
    twice: bool,
}

fn ran(seconds: u64) -> Ran {
    Ran {
        runbook: "drain",
        region: "us-east-1",
        application: "orders",
        holder: KIM,
        steps: vec![("pin", seconds)],
        outcome: Some(Outcome::Done),
        twice: false,
    }
}

fn topology() -> Topology {
    let mut topology = fixture::topology();
    topology.application = "orders".into();
    let scope = topology.scope.entry("us-east-1".to_owned()).or_default();
    scope.account = Some(AccountId::new("123456789012"));
    topology
}

fn plan(runbook: &str, region: &str, steps: &[&str]) -> Plan {
    let wait = |id: &&str| Step::wait(*id, *id, Condition::Always, Duration::from_mins(10));
    Plan {
        runbook: runbook.into(),
        application: "orders".into(),
        params: Params { region: Some(Region::new(region)), ..Params::default() },
        confirm: region.into(),
        made_at: "2026-11-21T02:59:58Z".parse().unwrap(),
        summary: "a plan".into(),
        steps: steps.iter().map(wait).collect(),
        shaped_by: switchtower::runbook::Facts::new(),
        findings: Vec::new(),
        data_at_risk: Vec::new(),
        irreversible: Vec::new(),
        notes: Vec::new(),
    }
}

async fn record(runs: &Path, number: u16, clock: Clock, ran: &Ran) -> RunId {
    let run = RunId::new(clock.now(), ran.runbook, Some(ran.region), number);
    let plan = plan(ran.runbook, ran.region, &[]);
    let opening = Opening {
        run: run.clone(),
        application: ran.application.into(),
        runbook: ran.runbook.into(),
        params: plan.params.clone(),
        holder: ran.holder.into(),
        host: "bastion-1".into(),
        pid: 7,
        reason: "a test".into(),
        overrides: Vec::new(),
        version: "0".into(),
    };
    let journal = Journal::create(runs, &run, clock).await.unwrap();
    let digest = plan.digest();
    let tell = async |event| drop(journal.record(event, true).await.unwrap());
    tell(Event::Opened { opening: Box::new(opening), plan: Box::new(plan), digest }).await;
    for (index, (step, seconds)) in ran.steps.iter().enumerate() {
        for _ in 0..if ran.twice && index == 0 { 2 } else { 1 } {
            tell(Event::StepBegan { step: (*step).into() }).await;
        }
        let took = Duration::from_secs(*seconds);
        tell(Event::StepDone { step: (*step).into(), evidence: "so".into(), took }).await;
    }
    if let Some(outcome) = ran.outcome {
        tell(Event::Ended { outcome, rto: None, rpo_ms: None }).await;
    }
    journal.close().await.unwrap();
    clock.sleep(Duration::from_mins(1)).await;
    run
}

/// What a plan's steps say after those runs.
fn filled(runs: &[Ran], mut plan: Plan, spoil: impl Fn(&Path, &[RunId])) -> Vec<Option<(u64, usize)>> {
    let folder = tempfile::tempdir().unwrap();
    play(async || {
        let clock = Clock::starting_at("2026-11-01T03:00:00Z".parse().unwrap(), 1.0);
        let mut names = Vec::new();
        for (number, ran) in runs.iter().enumerate() {
            names.push(record(folder.path(), number as u16, clock, ran).await);
        }
        spoil(folder.path(), &names);
    });
    let mut past = Past::default();
    past.renew(folder.path(), &topology());
    past.fill(&mut plan);
    plan.steps.iter().map(|step| step.measured.map(|seen| (seen.median.as_secs(), seen.runs))).collect()
}

fn drain() -> Plan {
    plan("drain", "us-east-1", &["pin"])
}

#[test]
fn the_median_of_the_same_step_counts() {
    let whole = |_: &Path, _: &[RunId]| {};
    assert_eq!(filled(&[], drain(), whole), [None]);
    assert_eq!(filled(&[ran(70)], drain(), whole), [Some((70, 1))]);
    assert_eq!(filled(&[ran(70), ran(50), ran(400)], drain(), whole), [Some((70, 3))]);
    assert_eq!(filled(&[ran(70), ran(50)], drain(), whole), [Some((60, 2))]);

    // The same region goes before any; where it never ran, any does.
    let elsewhere = Ran { region: "eu-west-1", ..ran(10) };
    assert_eq!(filled(&[elsewhere.clone(), ran(70)], drain(), whole), [Some((70, 1))]);
    assert_eq!(filled(&[elsewhere], drain(), whole), [Some((10, 1))]);

    let two = Ran { steps: vec![("pin", 5), ("wait", 90)], ..ran(0) };
    let plan = plan("drain", "us-east-1", &["wait", "scale", "pin"]);
    assert_eq!(filled(&[two], plan, whole), [Some((90, 1)), None, Some((5, 1))]);
}

#[test]
fn what_is_not_alike_does_not_count() {
    let whole = |_: &Path, _: &[RunId]| {};
    let others = [
        ("another runbook", Ran { runbook: "failover", ..ran(10) }),
        ("another application", Ran { application: "billing", ..ran(10) }),
        ("another account", Ran { holder: "arn:aws:sts::999999999999:assumed-role/oncall/kim", ..ran(10) }),
        ("nobody knows whose account", Ran { holder: "kim", ..ran(10) }),
        ("it never ended", Ran { outcome: None, ..ran(10) }),
        ("it was left halted", Ran { outcome: Some(Outcome::Halted), ..ran(10) }),
        ("the last try only", Ran { twice: true, ..ran(10) }),
    ];
    for (why, other) in others {
        assert_eq!(filled(&[other], drain(), whole), [None], "{why}");
    }
}

#[test]
fn damaged_journals_say_nothing_and_stop_nobody() {
    let spoiled = |spoil: fn(&Path)| {
        filled(&[ran(70), ran(10)], drain(), |runs, names| {
            spoil(&runs.join(names[1].as_str()).join(JOURNAL_FILE));
        })
    };
    assert_eq!(spoiled(|_| {}), [Some((40, 2))]);
    let spoils: [fn(&Path); 4] = [
        |journal| {
            let text = std::fs::read_to_string(journal).unwrap();
            std::fs::write(journal, text.replacen("bastion-1", "bastion-2", 1)).unwrap();
        },
        |journal| std::fs::write(journal, [0xff; 4_096]).unwrap(),
        |journal| std::fs::remove_file(journal).unwrap(),
        |journal| {
            std::fs::remove_file(journal).unwrap();
            std::fs::create_dir(journal).unwrap();
        },
    ];
    for (number, spoil) in spoils.into_iter().enumerate() {
        assert_eq!(spoiled(spoil), [Some((70, 1))], "spoil {number}");
    }
}

#[test]
fn what_was_measured_is_no_part_of_the_digest() {
    let mut plan = drain();
    let before = plan.digest();
    plan.steps[0].measured = Some(Measured { median: Duration::from_secs(70), runs: 3 });
    assert_eq!(plan.digest(), before);
    assert_eq!(plan.step(&StepId::new("pin")).unwrap().expected(), Duration::from_secs(70));
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
    // Plans of older journals do not say.
    let older = json.replace(r#","measured":{"median":{"secs":70,"nanos":0},"runs":3}"#, "");
    assert!(older.len() < json.len());
    assert_eq!(serde_json::from_str::<Plan>(&older).unwrap().steps[0].measured, None);
}

/// A run that goes on is not read, and is as soon as it ended.
#[test]
fn a_run_counts_once_it_is_over() {
    let folder = tempfile::tempdir().unwrap();
    play(async || {
        let clock = Clock::starting_at("2026-11-01T03:00:00Z".parse().unwrap(), 1.0);
        let mut past = Past::default();
        let mut look = || {
            past.renew(folder.path(), &topology());
            let mut plan = drain();
            past.fill(&mut plan);
            plan.steps[0].measured.map(|measured| measured.runs)
        };
        assert_eq!(look(), None);
        record(folder.path(), 1, clock, &ran(70)).await;
        assert_eq!(look(), Some(1));
        let run = record(folder.path(), 2, clock, &Ran { outcome: None, ..ran(70) }).await;
        assert_eq!(look(), Some(1));
        let (journal, _) = Journal::resume(&folder.path().join(run.as_str()), false, clock).await.unwrap();
        journal.record(Event::Ended { outcome: Outcome::Done, rto: None, rpo_ms: None }, true).await.unwrap();
        assert_eq!(look(), Some(1), "a process has it");
        journal.close().await.unwrap();
        assert_eq!(look(), Some(2));
    });
}

#[test]
fn before_any_run_a_plan_says_what_is_typical_and_what_it_may_take() {
    use super::stage::{Stage, leaving};
    use switchtower::app::acting::estimate;
    let minutes = |span: Duration| span.as_secs() / 60;
    for (runbook, params, usually, most) in [
        ("drain", leaving(), 8..15, 60..180),
        ("drain", Params { scale_to_zero: true, ..leaving() }, 14..22, 60..200),
        ("failover", Params { declared: Some("a test".into()), ..leaving() }, 1..10, 10..90),
    ] {
        play(async || {
            let stage =
                Stage::new(switchtower::sim::SimOptions { scenario: "calm".into(), ..Default::default() });
            let plan = stage.plan(runbook, &params).await;
            let whole = estimate::of(&plan);
            assert!(usually.contains(&minutes(whole.likely)), "{runbook}: {whole:?}");
            assert!(most.contains(&minutes(whole.most)), "{runbook}: {whole:?}");
            assert!(!whole.measured, "nothing was measured yet");
            for step in &plan.steps {
                assert!(step.expected() <= step.timeout, "{}", step.id);
            }
            // Steps that run side by side count once.
            let sum: Duration = plan.steps.iter().map(Step::expected).sum();
            assert!(sum > whole.likely, "{sum:?} {whole:?}");
        });
    }
}
