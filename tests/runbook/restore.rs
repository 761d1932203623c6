//! Restore: saved, left and now; the proof of health; the stages.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::ids::HealthCheckId;
use switchtower::domain::metric::Metric;
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::snapshot::{HealthCheckConfig, ProbeResult, ScalableTarget, ServiceState};
use switchtower::runbook::catalog::restore::Restore;
use switchtower::runbook::{
    ActFailure, Claim, Differing, Entry, Event, Fact, Facts, Force, GuardId, Known, LeaseOutcome, LeaseView,
    Opening, Operation, Params, Peaks, PlanError, RunId, Suspended,
};

use super::planning::{Stage, api, of_region, region};
use crate::domain::fixture::{check_config, flat, service_state};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

fn check() -> HealthCheckId {
    "hc-us".into()
}

fn pinned() -> HealthCheckConfig {
    check_config(true, true)
}

fn probe(status: u16) -> Known {
    let none = Duration::ZERO;
    Known::Probe(ProbeResult {
        status,
        address: None,
        dns: none,
        tcp: none,
        tls: none,
        first_byte: none,
        certificate_ends: None,
        certificate_error: None,
    })
}

fn limits(min: i32, max: i32, suspended: bool) -> Known {
    Known::Scaling(Some(ScalableTarget {
        min,
        max,
        scale_in_suspended: suspended,
        scale_out_suspended: suspended,
        scheduled_suspended: suspended,
    }))
}

fn register(name: &str, min: i32, max: i32, suspended: Option<Suspended>) -> Operation {
    Operation::RegisterScalableTarget { region: region(name), service: api(), min, max: Some(max), suspended }
}

fn desired(name: &str, desired: i32) -> Operation {
    Operation::SetDesired { region: region(name), service: api(), desired }
}

fn pin() -> Operation {
    Operation::SetHealthCheck {
        check: check(),
        steers: region(US),
        version: Some(3),
        inverted: true,
        disabled: true,
    }
}

fn service(name: &str) -> Fact {
    Fact::Service(region(name), api())
}

fn scaling(name: &str) -> Fact {
    Fact::Scaling(region(name), api())
}

/// A drain with `--scale-to-zero`, as its journal tells it.
fn drain(stage: &mut Stage) {
    let at: Timestamp = stage.world.now;
    let saved = |fact: Fact, known: Known| {
        let mut stage = Stage::calm();
        stage.tell(fact, known);
        stage.facts
    };
    let intents = [
        ("scale/eu", register(EU, 8, 20, None), saved(scaling(EU), limits(2, 20, false))),
        ("pin", pin(), saved(Fact::HealthCheck(check()), Known::HealthCheck(check_config(false, false)))),
        ("hold/us", register(US, 0, 20, Some(Suspended::ALL)), saved(scaling(US), limits(2, 20, false))),
        ("stop/us", desired(US, 0), saved(service(US), Known::Service(service_state(4, 4)))),
    ];
    let mut entries: Vec<Entry> = Vec::new();
    for (step, operation, saved) in intents {
        let (step, operation) = (step.into(), Box::new(operation));
        for event in [
            Event::Intent { step, way: 0, call: 0, attempt: 0, operation, saved },
            Event::Applied { step: "x".into(), way: 0, call: 0, request_id: None },
        ] {
            entries.push(Entry { seq: entries.len() as u64, at, event });
        }
    }
    stage.journal = Some(entries);
}

/// The first entry of a run's record.
fn opened(run: &RunId) -> Event {
    let plan = left().plan(&Restore, &of_region(US)).unwrap();
    let opening = Opening {
        run: run.clone(),
        application: "orders".into(),
        runbook: "drain".into(),
        params: of_region(US),
        holder: "bob".into(),
        host: "elsewhere".into(),
        pid: 7,
        reason: "a test".into(),
        overrides: Vec::new(),
        version: "0".into(),
    };
    Event::Opened { opening: Box::new(opening), digest: plan.digest(), plan: Box::new(plan) }
}

/// What the drain left.
fn left() -> Stage {
    let mut stage = Stage::calm();
    drain(&mut stage);
    stage.tell(Fact::HealthCheck(check()), Known::HealthCheck(pinned()));
    stage.tell(service(US), Known::Service(service_state(0, 0)));
    stage.tell(scaling(US), limits(0, 20, true));
    stage.tell(service(EU), Known::Service(service_state(8, 8)));
    stage.tell(scaling(EU), limits(8, 20, false));
    stage
}

/// A restore's own findings.
fn wrong(stage: &Stage, params: &Params) -> Vec<String> {
    let plan = stage.plan(&Restore, params).unwrap();
    let own = plan.findings.iter().filter(|finding| finding.guard == GuardId::Runbook);
    own.map(|finding| finding.message.to_string()).collect()
}

fn calls(stage: &Stage, params: &Params) -> Vec<Operation> {
    let plan = stage.plan(&Restore, params).unwrap();
    plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| way.calls.clone()).collect()
}

#[test]
fn golden() {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "golden", omit_expression => true }, {
        insta::assert_snapshot!("restore", left().text(&Restore, &of_region(US)));
    });
}

#[test]
fn what_someone_else_changed_is_asked_about() {
    let mut stage = left();
    stage.tell(service(US), Known::Service(service_state(1, 1)));
    stage.tell(scaling(EU), limits(6, 30, false));
    let PlanError::Choose { flag, choices, .. } = stage.plan(&Restore, &of_region(US)).unwrap_err() else {
        panic!("a choice is expected");
    };
    assert_eq!(flag, "--keep ITEM or --saved ITEM");
    let told: Vec<String> = choices.iter().map(|(item, words)| format!("{item}: {words}")).collect();
    assert_eq!(
        told,
        [
            "limits/eu-west-1/prod/api: before: min 2, max 20, nothing suspended; we left: min 8, max 20, nothing suspended; now: min 6, max 30, nothing suspended",
            "desired/us-east-1/prod/api: before: desired 4; we left: desired 0; now: desired 1",
        ]
    );
    let chosen = [
        ("limits/eu-west-1/prod/api".into(), Differing::Keep),
        ("desired/us-east-1/prod/api".into(), Differing::Saved),
    ];
    let params = Params { differing: chosen.into(), ..of_region(US) };
    let calls = calls(&stage, &params);
    assert!(calls.contains(&desired(US, 4)), "{calls:?}");
    assert!(!calls.iter().any(
        |call| matches!(call, Operation::RegisterScalableTarget { region, .. } if region.as_str() == EU)
    ));
}

/// A choice about something else was mistyped, and changes nothing.
#[test]
fn a_choice_is_about_something_that_the_run_changed() {
    let params =
        Params { differing: [("limits/eu-west-1/api".into(), Differing::Keep)].into(), ..of_region(US) };
    let PlanError::Params(words) = left().plan(&Restore, &params).unwrap_err() else {
        panic!("a wrong parameter is expected");
    };
    assert_eq!(
        words.as_str(),
        "there is no item limits/eu-west-1/api to restore; there are limits/eu-west-1/prod/api, health-check/hc-us, limits/us-east-1/prod/api and desired/us-east-1/prod/api"
    );
}

/// One service was kept running, and the path of our own request is another's, which was stopped and is started again.
#[test]
fn what_is_started_again_need_not_answer_yet() {
    let mut stage = left();
    let entry = stage.world.topology.regions.iter_mut().find(|entry| entry.name == region(US)).unwrap();
    let mut kept = entry.services[0].clone();
    kept.key.service = "kept".into();
    kept.target_groups.clear();
    let fact = Fact::Service(region(US), kept.key.clone());
    entry.services.push(kept);
    stage.tell(fact, Known::Service(service_state(2, 2)));
    stage.tell(Fact::Probe(region(US)), probe(503));
    assert_eq!(wrong(&stage, &of_region(US)), Vec::<String>::new());
    // A region in which everything runs must answer well.
    stage.tell(service(US), Known::Service(service_state(4, 4)));
    let keep = [("desired/us-east-1/prod/api".into(), Differing::Keep)].into();
    let params = Params { differing: keep, ..of_region(US) };
    assert_eq!(wrong(&stage, &params), ["our own request to us-east-1 was answered with 503"]);
}

#[test]
fn what_is_back_already_is_not_asked_about() {
    let mut stage = left();
    stage.tell(Fact::HealthCheck(check()), Known::HealthCheck(check_config(false, false)));
    let plan = stage.plan(&Restore, &of_region(US)).unwrap();
    assert!(!plan.steps.iter().any(|step| step.id.as_str().starts_with("unpin")));
    assert!(
        plan.notes.iter().any(|note| note.as_str().starts_with("health-check/hc-us is as it was before"))
    );
}

#[test]
fn a_refused_call_left_nothing_behind() {
    let mut stage = left();
    for entry in stage.journal.iter_mut().flatten() {
        if let Event::Applied { step, .. } = &mut entry.event {
            *step = "pin".into();
            entry.event = Event::NotApplied {
                step: "pin".into(),
                way: 0,
                call: 0,
                failure: ActFailure::Refused { why: "no".into() },
            };
        }
    }
    stage.tell(Fact::HealthCheck(check()), Known::HealthCheck(pinned()));
    let plan = stage.plan(&Restore, &of_region(US)).unwrap();
    assert!(!plan.steps.iter().any(|step| step.id.as_str().starts_with("unpin")), "the pin was not ours");
}

#[test]
fn a_region_that_is_not_proven_healthy_is_refused() {
    type Spoil = fn(&mut Stage);
    let cases: [(&str, Spoil, &str); 6] = [
        (
            "API silent",
            |s| s.hide(service(US), ErrorKind::TimedOut),
            "prod/api in us-east-1 does not tell its state: test:Read: timed out",
        ),
        (
            "resync",
            |s| {
                for snapshot in &mut s.world.regions {
                    for observed in snapshot.global_clusters.values_mut() {
                        let mut state = observed.value().cloned().unwrap();
                        state.members[0].is_writer = false;
                        state.members[1].is_writer = true;
                        state.members[0].synchronization = Some("pending-resync".into());
                        observed.succeed(state, s.world.now);
                    }
                }
            },
            "my-db-us-east-1 in us-east-1 is not connected to its writer: pending-resync",
        ),
        (
            "detached",
            |s| {
                for snapshot in &mut s.world.regions {
                    for observed in snapshot.global_clusters.values_mut() {
                        let mut state = observed.value().cloned().unwrap();
                        state.members.remove(0);
                        observed.succeed(state, s.world.now);
                    }
                }
            },
            "my-db-us-east-1 in us-east-1 is no member of my-global-db: it would take writes of its own",
        ),
        (
            "replica",
            |s| {
                for observed in s.world.regions[1].tables.values_mut() {
                    let mut state = observed.value().cloned().unwrap();
                    state.replicas[0].status = "CREATING".into();
                    observed.succeed(state, s.world.now);
                }
            },
            "eu-west-1 tells that the replica of Orders in us-east-1 is CREATING",
        ),
        (
            "revision",
            |s| {
                let state = ServiceState { task_definition: "api:6".into(), ..service_state(0, 0) };
                s.tell(service(US), Known::Service(state));
            },
            "prod/api in us-east-1 runs other code than its peers: api:6 here, api:7 in eu-west-1",
        ),
        (
            "images",
            |s| {
                for (name, tag) in [(US, "1.4"), (EU, "1.5")] {
                    let image = format!("123456789012.dkr.ecr.{name}.amazonaws.com/api:{tag}");
                    let one = switchtower::runbook::Dependency {
                        kind: "image".into(),
                        name: image.into(),
                        region: None,
                    };
                    s.tell(Fact::Dependencies(region(name), api()), Known::Dependencies(vec![one]));
                }
            },
            "prod/api in us-east-1 runs other code than its peers: api:1.4 here, api:1.5 in eu-west-1",
        ),
    ];
    assert_eq!(wrong(&left(), &of_region(US)), [""; 0]);
    for (name, spoil, words) in cases {
        let mut stage = left();
        spoil(&mut stage);
        let wrong = wrong(&stage, &of_region(US));
        assert!(wrong.iter().any(|one| one == words), "{name}: {wrong:#?}");
    }
}

#[test]
fn a_region_that_is_behind_its_peers_gets_no_users_back() {
    let table = |ms: f64| {
        move |s: &mut Stage| {
            s.world.set(1, Metric::TableReplicationLatency, &[US, "Orders"], flat(ms));
        }
    };
    let bucket = |s: &mut Stage, seconds: f64| {
        let rules = s.world.topology.replication.clone();
        let rule = rules.iter().find(|rule| rule.destination_region.as_str() == US).unwrap();
        let dimensions = [rule.source.as_str(), rule.destination.as_str(), rule.rule.as_str()];
        s.world.set(0, Metric::S3ReplicationLatency, &dimensions, flat(seconds));
    };
    let cases: [(&str, &dyn Fn(&mut Stage), Option<(Force, &str)>); 6] = [
        ("in time", &table(650.0), None),
        (
            "a little late",
            &table(3_500.0),
            Some((Force::Warn, "Orders: writes of eu-west-1 reach us-east-1 3.5 s late")),
        ),
        (
            "late",
            &table(90_000.0),
            Some((Force::Block, "Orders: writes of eu-west-1 reach us-east-1 90.0 s late")),
        ),
        // Its own writes are for the others to wait for.
        (
            "the other way",
            &|s| s.world.set(0, Metric::TableReplicationLatency, &[EU, "Orders"], flat(90_000.0)),
            None,
        ),
        ("a late bucket", &|s| bucket(s, 1_000.0), Some((Force::Warn, "reach us-east-1 16 min 40 s late"))),
        ("a very late bucket", &|s| bucket(s, 7_200.0), Some((Force::Block, "reach us-east-1 2 h late"))),
    ];
    for (name, spoil, wanted) in cases {
        let mut stage = left();
        spoil(&mut stage);
        let plan = stage.plan(&Restore, &of_region(US)).unwrap();
        let late = plan.findings.iter().find(|finding| finding.message.as_str().contains(" late"));
        match wanted {
            None => assert_eq!(late, None, "{name}"),
            Some((force, words)) => {
                let late = late.unwrap_or_else(|| panic!("{name}: {:#?}", plan.findings));
                assert!(late.force == force && late.message.as_str().contains(words), "{name}: {late:?}");
                assert!(late.may_override, "{name}");
            }
        }
    }
}

#[test]
fn a_run_of_another_host_that_was_taken_over_from_is_wanted_here() {
    let run = RunId::parse("20261121T020000Z-drain-us-east-1-0001").unwrap();
    let from = LeaseView {
        claim: Claim {
            application: "orders".into(),
            run: run.clone(),
            holder: "bob".into(),
            host: "elsewhere".into(),
            purpose: "drain us-east-1".into(),
        },
        number: 3,
        heartbeat: left().world.now,
        released: false,
    };
    let words = "drain us-east-1 of bob on elsewhere was taken over from, and its record is not here: \
                 what it had changed by then is taken for what was there before";
    // Known here, or about something that keeps no users out: another region, another runbook.
    let of = |purpose: &str| LeaseView {
        claim: Claim { purpose: purpose.into(), ..from.claim.clone() },
        ..from.clone()
    };
    let cases = [
        ("drain us-east-1", false, true),
        ("failover us-east-1", false, true),
        ("drain us-east-1", true, false),
        ("drain eu-west-1", false, false),
        ("restore us-east-1", false, false),
    ];
    for (purpose, known, wanted) in cases {
        let from = of(purpose);
        let words = words.replace("drain us-east-1", purpose);
        let mut stage = left();
        let at = stage.world.now;
        let taken = Event::Lease { outcome: LeaseOutcome::TakenOver { number: 4, from } };
        let entries = stage.journal.as_mut().unwrap();
        entries.insert(0, Entry { seq: 0, at, event: taken });
        if known {
            entries.insert(0, Entry { seq: 0, at, event: opened(&run) });
        }
        let found = wrong(&stage, &of_region(US));
        assert_eq!(found, if wanted { vec![words] } else { vec![] }, "{purpose}, known {known}");
        let plan = stage.plan(&Restore, &of_region(US)).unwrap();
        let next =
            plan.findings.iter().any(|one| one.next_step.as_str().contains(&format!("runs import {run}")));
        assert_eq!(next, wanted);
    }
}

/// A region that was dark when it was fenced could not say what it was like.
#[test]
fn what_the_journal_does_not_tell_is_taken_from_what_was_saved_before() {
    let dark = || {
        let mut stage = left();
        for entry in stage.journal.as_mut().unwrap() {
            if let Event::Intent { step, saved, .. } = &mut entry.event
                && ["hold/us", "stop/us"].contains(&step.as_str())
            {
                *saved = Facts::new();
            }
        }
        stage
    };
    let baseline = |hours: i64| {
        let mut saved = Stage::calm();
        saved.world.now -= SignedDuration::from_hours(hours);
        saved.tell(service(US), Known::Service(service_state(4, 4)));
        saved.tell(scaling(US), limits(2, 20, false));
        Some(saved.facts)
    };
    let peaks = || Peaks { tasks: [((region(US), api()), 6)].into(), ..Peaks::default() };
    let back = |tasks: Option<i32>, limits: bool| {
        let mut calls: Vec<Operation> = tasks.map(|tasks| desired(US, tasks)).into_iter().collect();
        calls.extend(limits.then(|| {
            register(US, 2, 20, Some(Suspended { scale_in: false, scale_out: false, scheduled: false }))
        }));
        calls
    };
    // What was saved, and when; the peaks; what comes back; what is said.
    let cases = [
        ("nothing", None, Peaks::default(), back(None, false), "is not in the journal; it is left as it is"),
        (
            "a baseline from before",
            baseline(2),
            Peaks::default(),
            back(Some(4), true),
            "taken from the baseline of 2026-11-21 01:",
        ),
        ("both", baseline(2), peaks(), back(Some(4), true), "taken from the baseline of 2026-11-21 01:"),
        (
            "a baseline from since",
            baseline(-1),
            peaks(),
            back(Some(6), false),
            "taken from the peak of the last 14 days, desired 6",
        ),
        ("a peak", None, peaks(), back(Some(6), false), "taken from the peak of the last 14 days, desired 6"),
    ];
    for (name, baseline, peaks, wanted, said) in cases {
        let stage = Stage { baseline, peaks, ..dark() };
        let here = |call: &Operation| call.region().as_str() == US && call.steering().is_none();
        let found: Vec<Operation> = calls(&stage, &of_region(US)).into_iter().filter(here).collect();
        assert_eq!(found, wanted, "{name}");
        let plan = stage.plan(&Restore, &of_region(US)).unwrap();
        let told = plan.notes.iter().chain(plan.findings.iter().map(|finding| &finding.message));
        let told: Vec<&str> = told.map(switchtower::domain::text::Text::as_str).collect();
        assert!(told.iter().any(|line| line.contains(said)), "{name}: {told:#?}");
    }
}

#[test]
fn a_running_region_must_answer() {
    let mut stage = left();
    stage.tell(service(US), Known::Service(service_state(4, 4)));
    stage.hide(Fact::Probe(region(US)), ErrorKind::TimedOut);
    let params = Params {
        differing: [("desired/us-east-1/prod/api".into(), Differing::Keep)].into(),
        ..of_region(US)
    };
    assert_eq!(
        wrong(&stage, &params),
        ["our own request to us-east-1 was not answered: test:Read: timed out"]
    );
}

#[test]
fn survivors_keep_what_they_need_now() {
    let survivor = |stage: &Stage| {
        calls(stage, &of_region(US)).into_iter().find_map(|call| match call {
            Operation::RegisterScalableTarget { region, min, max, .. } if region.as_str() == EU => {
                Some((min, max.unwrap()))
            }
            _ => None,
        })
    };
    assert_eq!(survivor(&left()), Some((2, 20)));
    let mut busy = left();
    busy.tell(service(EU), Known::Service(service_state(14, 14)));
    assert_eq!(survivor(&busy), Some((2, 20)), "a lower floor takes no task away");
    busy.tell(service(EU), Known::Service(service_state(24, 24)));
    assert_eq!(survivor(&busy), Some((2, 24)), "a registration must not cut what is wanted now");
}

/// Where no auto scaling raises a count again, what a survivor needs is left to it.
#[test]
fn survivors_without_auto_scaling_keep_what_they_need_now() {
    let mut stage = left();
    // The drain raised a count, not limits.
    let entries = stage.journal.as_mut().unwrap();
    let mut saved = Stage::calm();
    saved.tell(service(EU), Known::Service(service_state(4, 4)));
    let raised = Box::new(desired(EU, 8));
    entries[0].event = Event::Intent {
        step: "scale/eu".into(),
        way: 0,
        call: 0,
        attempt: 0,
        operation: raised,
        saved: saved.facts,
    };
    stage.tell(scaling(EU), Known::Scaling(None));
    let survivor = |stage: &Stage| {
        let saved = [("desired/eu-west-1/prod/api".into(), Differing::Saved)];
        let params = Params { differing: saved.into(), ..of_region(US) };
        calls(stage, &params).into_iter().find_map(|call| match call {
            Operation::SetDesired { region, desired, .. } if region.as_str() == EU => Some(desired),
            _ => None,
        })
    };
    assert_eq!(survivor(&stage), Some(4), "the restored region takes its four back");
    stage.tell(service(EU), Known::Service(service_state(14, 14)));
    assert_eq!(survivor(&stage), Some(10), "of fourteen that are wanted now, four go back");
}

#[test]
fn without_a_journal_the_baseline_is_named() {
    let mut stage = left();
    let mut baseline = Stage::calm();
    baseline.tell(Fact::HealthCheck(check()), Known::HealthCheck(pinned()));
    baseline.tell(service(US), Known::Service(service_state(4, 4)));
    baseline.tell(scaling(US), limits(2, 20, false));
    stage.journal = None;
    stage.baseline = Some(baseline.facts);
    let plan = stage.plan(&Restore, &of_region(US)).unwrap();
    assert_eq!(
        plan.summary.as_str(),
        "Bring us-east-1 back with the values of the saved baseline, because no journal of an evacuation was found."
    );
    let unpin = Operation::SetHealthCheck {
        check: check(),
        steers: region(US),
        version: Some(3),
        inverted: false,
        disabled: false,
    };
    let calls = calls(&stage, &of_region(US));
    assert!(calls.contains(&unpin), "a pin is no state to go back to: {calls:#?}");
    assert!(calls.contains(&desired(US, 4)));
    stage.baseline = None;
    assert_eq!(
        stage.plan(&Restore, &of_region(US)).unwrap_err().to_string(),
        "neither a journal nor a baseline tells what us-east-1 was like before"
    );
}

#[test]
fn capacity_comes_before_users_and_survivors_last() {
    let plan = left().plan(&Restore, &of_region(US)).unwrap();
    let ids: Vec<&str> = plan.steps.iter().map(|step| step.id.as_str()).collect();
    let place = |id: &str| ids.iter().position(|one| *one == id).unwrap_or_else(|| panic!("{id} in {ids:?}"));
    let order = [
        "capacity/prod/api",
        "limits/us-east-1/prod/api",
        "database/my-global-db",
        "proven",
        "unpin/health-check/hc-us",
        "answers",
        "soak",
        "limits/eu-west-1/prod/api",
        "settle/eu-west-1",
    ];
    let places: Vec<usize> = order.into_iter().map(place).collect();
    assert!(places.is_sorted(), "{ids:?}");
    let _: &Facts = &plan.shaped_by;
}

/// Where AWS is not AWS, neither our own request nor an answer of DNS could ever come: both weigh nothing.
#[test]
fn what_nobody_may_ask_weighs_nothing() {
    let mut stage = left();
    stage.tell(service(US), Known::Service(service_state(4, 4)));
    stage.hide(Fact::Probe(region(US)), ErrorKind::TimedOut);
    let silent = |stage: &Stage| {
        let found = stage.findings(&Restore, &of_region(US));
        found.iter().any(|finding| finding.contains("our own request to us-east-1 was not answered"))
    };
    assert!(silent(&stage));
    stage.hide(Fact::Probe(region(US)), ErrorKind::NotConfigured);
    stage.hide(Fact::Answers("api.example.com".into()), ErrorKind::NotConfigured);
    assert!(!silent(&stage));
    let plan = stage.plan(&Restore, &of_region(US)).unwrap();
    assert!(!plan.steps.iter().any(|step| step.id.as_str() == "answers"));
    assert!(
        plan.notes.iter().any(|note| note.as_str().contains("cannot be asked here")),
        "{:#?}",
        plan.notes
    );
}

#[test]
fn the_policy_says_how_long_users_are_watched() {
    let mut stage = left();
    let watching = |stage: &Stage| {
        let plan = stage.plan(&Restore, &of_region(US)).unwrap();
        let soaks = plan.steps.iter().filter(|step| step.title.as_str().starts_with("watch "));
        soaks.map(|step| step.title.to_string()).collect::<Vec<_>>()
    };
    stage.world.topology.policy.soak_minutes = 10;
    let wanted = ["watch us-east-1 for 10 minutes", "watch us-east-1 and eu-west-1 for 4 minutes"];
    assert_eq!(watching(&stage), wanted);
    stage.world.topology.policy.soak_minutes = 0;
    assert_eq!(watching(&stage), [""; 0]);
}
