//! Pins: what a run left is watched, a change is told and put back, and our own act is no illness.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::checks;
use switchtower::domain::evacuation::EvacuationMethod;
use switchtower::domain::health::{Health, Severity, Verdict};
use switchtower::domain::ids::Region;
use switchtower::domain::metric::{Metric, Point, Series, SeriesKey};
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::pin::{Pin, Pins, Subject, Value};
use switchtower::domain::snapshot::FleetSnapshot;
use switchtower::poll;
use switchtower::runbook::engine::{InMemory, Setup};
use switchtower::runbook::{
    ActFailure, Approval, Arming, Condition, Entry, Event, Executor, Opening, Operation, Outcome, Params,
    Plan, RecordAction, RecordChange, RunId, Step, Suspended, pin,
};
use switchtower::sim::{SimOptions, Wiring};

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};

fn calm() -> SimOptions {
    SimOptions { scenario: "calm".into(), ..SimOptions::default() }
}

fn region(name: &str) -> Region {
    Region::new(name)
}

fn zero() -> Params {
    Params { now: true, scale_to_zero: true, ..leaving() }
}

fn told(stage: &Stage) -> Vec<Vec<Entry>> {
    vec![stage.recorder.entries()]
}

fn words(pins: &[Pin]) -> Vec<String> {
    let mut words: Vec<String> = pins
        .iter()
        .flat_map(|pin| {
            pin.held
                .iter()
                .map(|held| format!("{} {}: {}", pin.region, held.subject.words(), held.is.words()))
        })
        .collect();
    // Steps that run side by side end in any order.
    words.sort();
    words
}

/// The fleet as it is seen now, with pins that were read `late` after it.
async fn seen(stage: &Stage, pins: Vec<Pin>, late: SignedDuration) -> FleetSnapshot {
    let cloud = stage.cloud();
    let patience = Duration::from_secs(10);
    let mut fleet =
        poll::observe_once(cloud, stage.topology.clone(), stage.sim.probe(), stage.clock, patience).await;
    let asked = pin::apart(&pins, &stage.topology);
    let facts: Vec<_> = asked.iter().map(|(_, fact)| fact.clone()).collect();
    let answers = pin::answers(&asked, &pins, &stage.witness.observe(&facts).await);
    fleet.now = stage.clock.now();
    fleet.pins = Arc::new(Pins { pins, read_at: Some(fleet.now + late), unread: None, asked: answers });
    fleet
}

fn judge(stage: &Stage, fleet: &FleetSnapshot) -> Verdict {
    checks::verdict(&stage.topology, fleet)
}

fn codes(verdict: &Verdict, prefix: &str) -> Vec<String> {
    let found = verdict.findings.iter().filter(|finding| finding.code.starts_with(prefix));
    found
        .map(|finding| format!("{} {} {}", finding.severity.word(), finding.code, finding.resource))
        .collect()
}

fn health(verdict: &Verdict, name: &str) -> Health {
    verdict.regions.iter().find(|(known, _)| known.as_str() == name).unwrap().1
}

/// A colleague calls AWS without this program.
async fn colleague(stage: &Stage, plan: &Plan, operation: Operation) {
    let mut theirs = plan.clone();
    theirs.findings.clear();
    theirs.steps = vec![Step::act(
        "theirs",
        "not ours",
        vec![operation.clone()],
        Vec::new(),
        Condition::Always,
        Duration::from_mins(1),
    )];
    // Route 53 allows five calls a second, and the run's last looks were some of them.
    stage.clock.sleep(Duration::from_secs(3)).await;
    let now = stage.clock.now();
    let arming = Arming::arm(&stage.topology, now).unwrap();
    let approval = Approval::mint(&arming, now, &theirs, theirs.confirm.as_str(), "Terraform", true).unwrap();
    stage.witness.apply(&operation, &approval).await.unwrap();
}

/// The flags of the first check of a pin, set back.
fn unpinned(pin: &Pin) -> Operation {
    let check = pin.held.iter().find_map(|held| match &held.subject {
        Subject::Check(check) => Some(check.clone()),
        _ => None,
    });
    Operation::SetHealthCheck {
        check: check.unwrap(),
        steers: pin.region.clone(),
        version: Some(2),
        inverted: false,
        disabled: false,
    }
}

#[test]
fn a_region_is_pinned_from_its_proof_on_by_what_was_proven() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &zero()).await;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{:#?}", stage.words());
        let entries = stage.recorder.entries();
        let proven = entries
            .iter()
            .position(|entry| matches!(&entry.event, Event::StepDone { step, .. } if step.as_str() == "pin"))
            .unwrap();
        assert_eq!(pin::pins(&[entries[..proven].to_vec()]), Vec::new(), "nothing is proven yet");
        let first = pin::pins(&[entries[..=proven].to_vec()]);
        assert_eq!(first.len(), 1);
        assert_eq!(first[0].since, entries[proven].at);
        assert_eq!(first[0].by.as_str(), "alice on bastion");
        assert!(first[0].held.iter().all(|held| held.subject.steers()), "{:#?}", words(&first));
        let pins = pin::pins(&told(&stage));
        assert!(pins[0].is_at_zero());
        insta::assert_snapshot!("pin_of_a_drain_to_zero", words(&pins).join("\n"));
    });
}

#[test]
fn a_pinned_region_is_no_fault_and_its_real_illness_still_is() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &zero()).await;
        stage.ended(&plan).await;
        stage.clock.sleep(Duration::from_mins(10)).await;
        let without = judge(&stage, &seen(&stage, Vec::new(), SignedDuration::ZERO).await);
        assert_eq!(without.fleet, Health::Impaired, "{:#?}", without.findings);
        let fleet = seen(&stage, pin::pins(&told(&stage)), SignedDuration::ZERO).await;
        let verdict = judge(&stage, &fleet);
        assert_ne!(verdict.fleet, Health::Impaired, "{:#?}", codes(&verdict, ""));
        assert_eq!(codes(&verdict, "pin.").len(), 1, "{:#?}", codes(&verdict, "pin."));
        assert!(codes(&verdict, "pin.")[0].starts_with("info pin.held"), "{:#?}", codes(&verdict, "pin."));
        let by_itself = verdict.findings.iter().filter(|finding| {
            finding.severity == Severity::Critical
                && finding.region.as_ref().is_some_and(|r| r.as_str() == LEAVING)
        });
        assert_eq!(by_itself.count(), 0, "{:#?}", verdict.findings);

        // A load balancer that AWS calls failed is ill, whoever took the region out.
        let mut ill = fleet.clone();
        let here = Arc::make_mut(&mut ill.regions[0]);
        let at = ill.now;
        for state in here.load_balancers.values_mut() {
            let mut failed = state.value().unwrap().clone();
            failed.state = "failed".into();
            state.succeed(failed, at);
        }
        let verdict = judge(&stage, &ill);
        assert_eq!((health(&verdict, LEAVING), verdict.fleet), (Health::Impaired, Health::Impaired));
    });
}

#[test]
fn a_change_to_the_pin_is_critical_and_named_once_it_cannot_be_our_own() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &zero()).await;
        stage.ended(&plan).await;
        let pins = pin::pins(&told(&stage));
        // What was seen before the proof is no change.
        let early = seen(&stage, pins.clone(), SignedDuration::from_secs(5)).await;
        let mut before = early.clone();
        for check in Arc::make_mut(&mut before.dns).health_checks.values_mut() {
            let mut config = check.value().unwrap().clone();
            (config.inverted, config.disabled) = (false, false);
            let at = stage.began;
            check.succeed(config, at);
        }
        before.now = pins[0].since;
        assert_eq!(codes(&judge(&stage, &before), "pin.changed"), Vec::<String>::new());

        colleague(&stage, &plan, unpinned(&pins[0])).await;
        let service = stage.topology.region(&region(LEAVING)).unwrap().services[0].key.clone();
        let raised = Operation::RegisterScalableTarget {
            region: region(LEAVING),
            service,
            min: 2,
            max: Some(9),
            suspended: Some(Suspended { scale_in: false, scale_out: false, scheduled: false }),
        };
        colleague(&stage, &plan, raised).await;
        stage.clock.sleep(Duration::from_secs(30)).await;

        // Records of runs that are older than the look cannot tell whose act it was.
        let older = seen(&stage, pins.clone(), SignedDuration::from_secs(-20)).await;
        assert_eq!(codes(&judge(&stage, &older), "pin.changed"), Vec::<String>::new());

        let now = seen(&stage, pins.clone(), SignedDuration::ZERO).await;
        let verdict = judge(&stage, &now);
        assert_eq!(verdict.fleet, Health::Impaired);
        let found = verdict.findings.iter().filter(|finding| finding.code == "pin.changed");
        let lines: Vec<String> = found
            .flat_map(|finding| {
                let lines = [format!("{}: {}", finding.severity.word(), finding.message)];
                let evidence = finding.evidence.iter().map(|line| format!("  {line}"));
                lines.into_iter().chain(evidence).chain([format!("  next: {}", finding.next)])
            })
            .collect();
        insta::assert_snapshot!("pin_changed", lines.join("\n"));

        // Too old to tell: neither a change nor well.
        let mut old = now.clone();
        old.now += SignedDuration::from_hours(1);
        let verdict = judge(&stage, &old);
        assert_eq!(codes(&verdict, "pin.changed"), Vec::<String>::new());
        assert!(codes(&verdict, "pin.unknown")[0].starts_with("warning pin.unknown"));
        assert!(verdict.findings.iter().any(|finding| finding.code == "pin.unknown" && finding.blind));

        // Put back: only what does not hold is called again, and then nothing is told any more.
        let before = stage.sent().len();
        let first = stage.recorder.entries();
        let again = stage.plan("drain", &zero()).await;
        let recorder = Arc::new(InMemory::new(stage.clock));
        let setup = Setup { recorder: recorder.clone(), told: Vec::new(), ..stage.setup(&again) };
        let ending = stage.carry_out(setup).await.unwrap().unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{:#?}", stage.words());
        let called: Vec<String> = stage.sent()[before..].iter().map(Operation::sentence).collect();
        insta::assert_snapshot!("pin_put_back", called.join("\n"));
        let pins = pin::pins(&[first, recorder.entries()]);
        let after = seen(&stage, pins, SignedDuration::ZERO).await;
        let verdict = judge(&stage, &after);
        assert!(codes(&verdict, "pin.")[0].starts_with("info pin.held"), "{:#?}", codes(&verdict, "pin."));
    });
}

/// What the pin watch says of a change, in a minute.
async fn changes(stage: &Stage, pins: &[Pin]) -> Vec<String> {
    stage.clock.sleep(Duration::from_mins(1)).await;
    let fleet = seen(stage, pins.to_vec(), SignedDuration::ZERO).await;
    let verdict = judge(stage, &fleet);
    let found = verdict.findings.iter().filter(|finding| finding.code.starts_with("pin."));
    found.map(|finding| format!("{} {}", finding.severity.word(), finding.message)).collect()
}

#[test]
fn a_check_that_somebody_deletes_keeps_nobody_out_any_more() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
        stage.ended(&plan).await;
        let pins = pin::pins(&told(&stage));
        let Operation::SetHealthCheck { check, .. } = unpinned(&pins[0]) else { panic!() };
        colleague(&stage, &plan, Operation::DeleteHealthCheck { check: check.clone() }).await;
        let gone = format!(
            "critical the pin was changed: health check {check} is gone; left inverted, disabled; users may come back"
        );
        assert_eq!(changes(&stage, &pins).await, [gone]);
    });
}

#[test]
fn a_region_without_its_records_is_watched_for_each_that_comes_back() {
    play(async || {
        let stage = Stage::shaped(calm(), |topology| topology.evacuation = vec![EvacuationMethod::Record]);
        let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
        assert_eq!(stage.ended(&plan).await.outcome, Outcome::Done, "{:#?}", stage.words());
        let pins = pin::pins(&told(&stage));
        assert!(pins[0].held.iter().all(|held| held.is == Value::Record(None)), "{:#?}", words(&pins));
        assert!(changes(&stage, &pins).await[0].starts_with("info taken out of service on purpose"));
        // What the run took out, put back by somebody else: one of all.
        let back = plan.operations().find_map(|call| match call {
            Operation::ChangeRecords { zone, steers, changes } => {
                let first = RecordChange { action: RecordAction::Upsert, record: changes[0].record.clone() };
                let (zone, steers) = (zone.clone(), steers.clone());
                Some(Operation::ChangeRecords { zone, steers, changes: vec![first] })
            }
            _ => None,
        });
        colleague(&stage, &plan, back.unwrap()).await;
        let found = changes(&stage, &pins).await;
        let [found] = &found[..] else { panic!("{found:#?}") };
        assert!(
            found.starts_with(
                "critical the pin was changed: record api.example.com A (us-east-1) is alias of "
            ),
            "{found}"
        );
        assert!(found.ends_with("; left no record; users may come back"), "{found}");
    });
}

#[test]
fn switches_that_no_pane_shows_are_asked_for_apart() {
    let object = Wiring { switch_object: true, ..Wiring::default() };
    let metric = Wiring { switch_metric: true, ..Wiring::default() };
    let control = Wiring { routing_control: true, ..Wiring::default() };
    for wiring in [object, metric, control] {
        play(async || {
            let stage = Stage::new(SimOptions { wiring, ..calm() });
            let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
            stage.ended(&plan).await;
            let pins = pin::pins(&told(&stage));
            assert!(pins[0].is_by_switch(), "{:#?}", words(&pins));
            let fleet = seen(&stage, pins.clone(), SignedDuration::ZERO).await;
            let verdict = judge(&stage, &fleet);
            assert!(
                codes(&verdict, "pin.")[0].starts_with("info pin.held"),
                "{:#?}",
                codes(&verdict, "pin.")
            );
            assert_ne!(verdict.fleet, Health::Impaired, "{:#?}", verdict.findings);
            let held = pins[0].held[0].clone();
            let set = match &held.subject {
                Subject::Object(home, bucket, key) => Operation::DeleteSwitchObject {
                    region: home.clone(),
                    bucket: bucket.clone(),
                    key: key.clone(),
                    steers: region(LEAVING),
                },
                Subject::Metric(home, namespace, name) => Operation::PutSwitchMetric {
                    region: home.clone(),
                    namespace: namespace.clone(),
                    name: name.clone(),
                    steers: region(LEAVING),
                    out: false,
                },
                Subject::Control(arn) => Operation::SetRoutingControls {
                    states: [(arn.clone(), true)].into(),
                    steers: region(LEAVING),
                },
                other => panic!("{other:?}"),
            };
            colleague(&stage, &plan, set).await;
            // A metric's values are of whole minutes, and some seconds late.
            stage.clock.sleep(Duration::from_mins(3)).await;
            let fleet = seen(&stage, pins.clone(), SignedDuration::ZERO).await;
            let name = held.subject.name();
            assert_eq!(
                codes(&judge(&stage, &fleet), "pin.changed"),
                [format!("critical pin.changed {name}")]
            );
            // Nobody asked: not well, and no change.
            let mut blind = fleet.clone();
            Arc::make_mut(&mut blind.pins).asked.clear();
            let verdict = judge(&stage, &blind);
            assert_eq!(codes(&verdict, "pin."), [format!("warning pin.unknown {name}")]);
        });
    }
}

/// Entries of a run that somebody wrote by hand.
fn run(stage: &Stage, runbook: &str, at: Timestamp, events: Vec<Event>) -> Vec<Entry> {
    let told = stage.recorder.entries();
    let Event::Opened { opening, plan, digest } = told[0].event.clone() else { panic!() };
    let opening =
        Opening { run: RunId::new(at, runbook, Some(LEAVING), 9), runbook: runbook.into(), ..*opening };
    let plan = Box::new(Plan { runbook: runbook.into(), ..*plan });
    let opened = Event::Opened { opening: Box::new(opening), plan, digest };
    let events = std::iter::once(opened).chain(events);
    (0..)
        .zip(events)
        .map(|(seq, event)| Entry { seq, at: at + SignedDuration::from_secs(seq as i64), event })
        .collect()
}

#[test]
fn our_own_acts_end_a_pin_and_refused_ones_do_not() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &zero()).await;
        stage.ended(&plan).await;
        let drained = stage.recorder.entries();
        let pins = pin::pins(std::slice::from_ref(&drained));
        let checks = pins[0].held.iter().filter(|held| matches!(held.subject, Subject::Check(_))).count();
        assert_eq!(checks, 1, "the tale below is about one check");
        let later = stage.clock.now() + SignedDuration::from_mins(5);
        let intent = || Event::Intent {
            step: "steer".into(),
            way: 0,
            call: 0,
            attempt: 0,
            operation: Box::new(unpinned(&pins[0])),
            saved: switchtower::runbook::Facts::new(),
        };
        let refused = Event::NotApplied {
            step: "steer".into(),
            way: 0,
            call: 0,
            failure: ActFailure::Refused { why: "AccessDenied".into() },
        };
        let unknown = Event::NotApplied {
            step: "steer".into(),
            way: 0,
            call: 0,
            failure: ActFailure::Unknown { why: "timed out".into() },
        };
        let done = || Event::Ended { outcome: Outcome::Done, rto: None, rpo_ms: None };
        let ended = |outcome| Event::Ended { outcome, rto: None, rpo_ms: None };
        let cases: [(&str, &str, Vec<Event>, usize); 8] = [
            ("begun, and nothing called", "restore", vec![], 1),
            ("refused", "restore", vec![intent(), refused], 1),
            ("sent, and nobody knows", "restore", vec![intent(), unknown], 0),
            ("on its way", "restore", vec![intent()], 0),
            ("all was as before", "restore", vec![done()], 0),
            ("halted on the way back", "restore", vec![ended(Outcome::Halted)], 1),
            ("aborted on the way back", "restore", vec![ended(Outcome::Aborted)], 1),
            ("another runbook", "switchover", vec![done()], 1),
        ];
        for (name, runbook, events, expected) in cases {
            let other = run(&stage, runbook, later, events);
            // In whatever order they are read.
            for runs in [vec![drained.clone(), other.clone()], vec![other, drained.clone()]] {
                assert_eq!(pin::pins(&runs).len(), expected, "{name}");
            }
        }
        // Tasks that were stopped are a part of a pin, and none by themselves: nothing keeps users out by them.
        let without = drained.iter().filter(|entry| {
            !matches!(&entry.event, Event::StepDone { step, .. } | Event::StepHeld { step, .. } if step.as_str() == "pin")
        });
        assert_eq!(pin::pins(&[without.cloned().collect()]), Vec::new());
        // A cleanup lets go with its first call: what it deletes is nobody's to watch.
        let cleanup = run(&stage, "cleanup", later, vec![intent()]);
        assert_eq!(pin::pins(&[drained.clone(), cleanup]), Vec::new());
        // And of two evacuations a restore goes by both, but not by those before an earlier restore.
        let earlier = stage.began - SignedDuration::from_hours(2);
        let first = run(&stage, "failover", earlier, vec![done()]);
        let back = run(&stage, "restore", earlier + SignedDuration::from_hours(1), vec![done()]);
        let second = run(&stage, "drain", later, vec![done()]);
        let runs = [second.clone(), first, drained.clone(), back];
        let told = pin::evacuations(&runs, &region(LEAVING));
        assert_eq!(told.len(), drained.len() + second.len());
        assert_eq!(told[0], drained[0]);
        assert_eq!(pin::evacuations(&runs, &region(SURVIVOR)), Vec::new());
    });
}

#[test]
fn undoing_a_drain_ends_its_pin() {
    play(async || {
        let stage = Stage::new(calm());
        let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
        stage.ended(&plan).await;
        let entries = stage.recorder.entries();
        let pins = pin::pins(&told(&stage));
        let undone = Event::Intent {
            step: "pin".into(),
            way: 0,
            call: 1_000,
            attempt: 0,
            operation: Box::new(unpinned(&pins[0])),
            saved: switchtower::runbook::Facts::new(),
        };
        let last = entries.last().unwrap();
        let next = Entry { seq: last.seq + 1, at: last.at, event: undone };
        let whole: Vec<Entry> = entries.into_iter().chain([next]).collect();
        assert_eq!(pin::pins(&[whole]), Vec::new());
    });
}

#[test]
fn a_switch_metric_holds_for_days_and_without_a_value_route_53_is_asked() {
    play(async || {
        let wiring = Wiring { switch_metric: true, ..Wiring::default() };
        let stage = Stage::new(SimOptions { wiring, ..calm() });
        let plan = stage.plan("drain", &Params { now: true, ..leaving() }).await;
        stage.ended(&plan).await;
        let pins = pin::pins(&told(&stage));
        let name = pins[0].held[0].subject.name();
        assert!(matches!(pins[0].held[0].subject, Subject::Metric(..)), "{:#?}", words(&pins));
        // Nobody publishes it again: a day later it is still the last value that counts.
        stage.clock.sleep(Duration::from_hours(26)).await;
        let fleet = seen(&stage, pins.clone(), SignedDuration::ZERO).await;
        assert!(codes(&judge(&stage, &fleet), "pin.")[0].starts_with("info pin.held"));
        // Two weeks later CloudWatch knows none; the region is out all the same, by Route 53's own word.
        stage.clock.sleep(Duration::from_hours(15 * 24)).await;
        let fleet = seen(&stage, pins.clone(), SignedDuration::ZERO).await;
        let asked = fleet.pins.asked.values().next().unwrap();
        assert_eq!(asked.error().map(|error| error.kind), Some(ErrorKind::NoData));
        let verdict = judge(&stage, &fleet);
        assert!(codes(&verdict, "pin.")[0].starts_with("info pin.held"), "{:#?}", codes(&verdict, "pin."));
        // Where nobody knows its verdict, nobody can tell; where it calls the region healthy, users come back.
        let told_by_route_53 = |healthy: Option<f64>| {
            let mut fleet = fleet.clone();
            let checks: Vec<_> = stage.topology.health_checks().into_iter().collect();
            let dns = Arc::make_mut(&mut fleet.dns);
            for check in checks {
                let key = SeriesKey::new(Metric::HealthCheckStatus, &[check.as_str()]);
                match healthy {
                    None => drop(dns.metrics.remove(&key)),
                    Some(value) => {
                        let series = dns.metrics.get_mut(&key).unwrap();
                        let points = series.value().unwrap().points();
                        let points = points.into_iter().map(|point| Point { value, ..point });
                        let at = series.as_of().unwrap();
                        series.succeed(Series::new(points), at);
                    }
                }
            }
            codes(&judge(&stage, &fleet), "pin.")
        };
        assert_eq!(told_by_route_53(None), [format!("warning pin.unknown {name}")]);
        assert_eq!(told_by_route_53(Some(1.0)), [format!("critical pin.changed {name}")]);
    });
}
