//! Samples: numbers with their times, gaps that stay gaps, and never a step that waited for one.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use switchtower::ports::BoxFuture;
use switchtower::runbook::journal;
use switchtower::runbook::report::Report;
use switchtower::runbook::{
    DatabaseChoice, Event, Measure, Outcome, Params, RegionSample, SampleLine, Sampler, Timed,
};
use switchtower::sim::SimOptions;

use super::super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};
use super::{carried_out, failover, report};

fn at(text: &str) -> Timestamp {
    format!("2026-11-21T{text}Z").parse().unwrap()
}

fn line<'a>(report: &'a Report, measure: Measure, region: &str) -> &'a switchtower::runbook::report::Line {
    let found = report.samples.iter().find(|line| line.measure == measure && line.region.as_str() == region);
    found.unwrap_or_else(|| panic!("{measure:?} of {region} was not sampled"))
}

/// What was before the run is there, and each number is of a time before it was written down.
#[test]
fn a_run_is_sampled_from_before_its_beginning() {
    let (run, bytes) = failover();
    let found = report(&run, &bytes);
    let errors = line(&found, Measure::Errors, LEAVING);
    let before = errors.points.iter().filter(|point| point.at <= found.began.unwrap()).count();
    assert!(before >= 5, "{errors:#?}");
    assert!(errors.points.iter().any(|point| point.value > 20.0), "the outage is seen: {errors:#?}");
    assert!(line(&found, Measure::Requests, SURVIVOR).points.len() > 5);
    assert!(!line(&found, Measure::HealthyTargets, SURVIVOR).points.is_empty());
    for entry in journal::tell(&bytes).entries {
        let Event::Sampled { regions } = &entry.event else { continue };
        for point in regions.iter().flat_map(|region| &region.lines).flat_map(|line| &line.points) {
            assert!(point.at <= entry.at, "{point:?} is told at {}", entry.at);
        }
    }
}

/// A region that answers nothing has no numbers, and the reason stands in their place.
#[test]
fn a_dark_region_is_unknown_and_never_zero() {
    let params = Params { database: Some(DatabaseChoice::Leave), ..leaving() };
    let (run, bytes) = carried_out("calm", "failover", &params, |stage| {
        let place = switchtower::domain::ids::Region::new(LEAVING);
        stage.sim.black_out(&place, jiff::SignedDuration::ZERO, None);
    });
    let found = report(&run, &bytes);
    let targets = line(&found, Measure::HealthyTargets, LEAVING);
    assert_eq!(targets.points, Vec::new());
    assert!(!targets.unknown.is_empty() && !targets.unknown[0].why.is_empty(), "{targets:#?}");
    assert!(!line(&found, Measure::HealthyTargets, SURVIVOR).points.is_empty());
}

/// A sampler that never answers costs a run nothing.
#[test]
fn a_run_never_waits_for_its_samples() {
    struct Hanging;
    impl Sampler for Hanging {
        fn sample(&self) -> BoxFuture<'_, Vec<RegionSample>> {
            Box::pin(std::future::pending())
        }
    }
    let ended = |sampler: Option<Arc<dyn Sampler>>| {
        play(async || {
            let stage = Stage::new(SimOptions::default());
            let plan = stage.plan("drain", &leaving()).await;
            let mut setup = stage.setup(&plan);
            setup.sampler = sampler;
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
            let entries = stage.recorder.entries();
            let steps = entries.iter().filter_map(|entry| match &entry.event {
                Event::StepDone { step, .. } => Some((step.clone(), entry.at)),
                _ => None,
            });
            (steps.collect::<Vec<_>>(), stage.clock.now())
        })
    };
    let ((with, late), (without, end)) = (ended(Some(Arc::new(Hanging))), ended(None));
    assert_eq!(with, without);
    assert!(late.duration_since(end).unsigned_abs() <= Duration::from_secs(1), "{late} and {end}");
}

/// Points with a minute missing between them are not one line, nor those with a sample that knew nothing.
#[test]
fn gaps_in_samples_are_gaps_in_the_line() {
    let points = |times: &[&str]| times.iter().map(|time| Timed { at: at(time), value: 1.0 }).collect();
    let known = |times: &[&str]| SampleLine {
        measure: Measure::Errors,
        to: None,
        points: points(times),
        unknown: None,
    };
    let blind = SampleLine { unknown: Some("timed out".into()), ..known(&[]) };
    let (run, bytes) = failover();
    let mut told = journal::tell(&bytes);
    let region = switchtower::domain::ids::Region::new("sa-east-1");
    let samples = [
        ("03:10:05", known(&["03:08:00", "03:09:00", "03:10:00"])),
        ("03:11:05", blind.clone()),
        ("03:11:10", blind),
        ("03:11:25", known(&["03:11:20"])),
        ("03:14:05", known(&["03:13:00", "03:14:00", "03:14:00"])),
    ];
    for (time, line) in samples {
        let regions = vec![RegionSample { region: region.clone(), lines: vec![line] }];
        let seq = told.entries.len() as u64;
        told.entries.push(switchtower::runbook::Entry {
            seq,
            at: at(time),
            event: Event::Sampled { regions },
        });
    }
    let found = super::told(&run, &told, false);
    let line = line(&found, Measure::Errors, "sa-east-1");
    let stretches: Vec<Vec<String>> = line
        .stretches()
        .into_iter()
        .map(|stretch| stretch.iter().map(|point| point.at.strftime("%H:%M:%S").to_string()).collect())
        .collect();
    assert_eq!(
        stretches,
        [vec!["03:08:00", "03:09:00", "03:10:00"], vec!["03:11:20"], vec!["03:13:00", "03:14:00"]]
    );
    let blind: Vec<_> = line.unknown.iter().map(|unknown| (unknown.from, unknown.until)).collect();
    assert_eq!(blind, [(at("03:11:05"), at("03:11:10"))]);
}
