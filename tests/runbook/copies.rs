//! A run whose disk failed half-way: what was copied beside the lease is whole, in order, and taken up elsewhere.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchtower::domain::ids::Region;
use switchtower::domain::text::Text;
use switchtower::ports::{BoxFuture, Clock};
use switchtower::runbook::engine::{Recorder, Setup};
use switchtower::runbook::journal::{JOURNAL_FILE, import, read};
use switchtower::runbook::{
    DatabaseChoice, Entry, Event, Executor as _, Fact, Known, Operation, Outcome, Params, Suspended, pin,
};
use switchtower::sim::{FaultKind, InjectedFault, SimOptions};

use super::stage::{LEAVING, Stage, leaving, play};

/// A disk that takes lines up to one and none after it; in `gap` it comes back for a while.
struct Half {
    until: usize,
    gap: Option<usize>,
    hangs: bool,
    clock: Clock,
    told: Mutex<Vec<Event>>,
}

impl Recorder for Half {
    fn record(&self, event: Event, _durable: bool) -> BoxFuture<'_, Result<Entry, Text>> {
        let mut told = self.told.lock().unwrap();
        told.push(event.clone());
        let number = told.len() - 1;
        let works = number < self.until || self.gap.is_some_and(|gap| number > self.until + gap);
        if works {
            let entry = Entry { seq: number as u64, at: self.clock.now(), event };
            Box::pin(std::future::ready(Ok(entry)))
        } else if self.hangs {
            Box::pin(std::future::pending())
        } else {
            Box::pin(async { Err("disk full".into()) })
        }
    }
}

/// An event as text; shares of progress lose their last digit on the way.
fn words(event: &Event) -> String {
    match event {
        Event::Progress { step, judgement } => format!("{step}: {}", judgement.words()),
        other => format!("{other:?}"),
    }
}

/// The step that an event is about; the note of the import, which is last, and what concerns the run come after all.
fn step(event: &Event) -> String {
    let told = serde_json::to_value(event).unwrap();
    told["step"].as_str().unwrap_or("~").to_owned()
}

#[test]
fn every_entry_of_a_run_without_its_disk_reaches_another_bastion() {
    let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    for (until, gap, hangs) in [(0, None, false), (6, None, false), (6, None, true), (6, Some(20), false)] {
        play(async || {
            let stage =
                Stage::new(SimOptions { scenario: "regional-outage".into(), ..SimOptions::default() });
            let plan = stage.plan("failover", &failover).await;
            let half = Arc::new(Half { until, gap, hangs, clock: stage.clock, told: Mutex::default() });
            let setup = Setup { recorder: half.clone(), ..stage.setup(&plan) };
            let run = setup.opening.run.clone();
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);

            let copied = stage.lease.entries(&stage.topology.application, &run).await.unwrap();
            let folder = tempfile::tempdir().unwrap();
            let from = Text::from("the lease table");
            let here = import(folder.path(), &run, copied, &from, stage.clock.now()).unwrap();
            let read = read(&here.join(JOURNAL_FILE)).unwrap();
            assert!(read.is_trusted() && read.imported, "{:?}", read.damage);

            // All that was told up to the end, in the order in which it was; the mark that the journal is lost is told
            // by the recorder alone.
            let told = half.told.lock().unwrap().clone();
            let end = told.iter().position(|event| matches!(event, Event::Ended { .. })).unwrap();
            let marks = |event: &&Event| !matches!(event, Event::Unjournaled { .. });
            let mut wanted: Vec<&Event> = told[..=end].iter().filter(marks).collect();
            let mut found: Vec<&Event> =
                read.entries.iter().map(|entry| &entry.event).filter(marks).collect();
            // Steps that run side by side and give a hanging disk up in the same instant are told in either order.
            if hangs {
                wanted.sort_by_cached_key(|event| step(event));
                found.sort_by_cached_key(|event| step(event));
            }
            assert_eq!(found.len(), wanted.len() + 1, "and the note of the import");
            for (found, wanted) in found.iter().zip(&wanted) {
                assert_eq!(words(found), words(wanted), "until {until}, gap {gap:?}, hangs {hangs}");
            }
            // So the other bastion knows what is to stay as it is.
            let pins = pin::pins(std::slice::from_ref(&read.entries));
            assert_eq!(pins.len(), 1);
        });
    }
}

/// The region did not tell what it was like when it was fenced. This bastion had seen it before; the next one has only what
/// was copied: the plan, which knew it.
#[test]
fn another_bastion_knows_what_the_dark_region_was_like() {
    play(async || {
        let options = SimOptions { scenario: "calm".into(), services: 1, ..SimOptions::default() };
        let mut stage = Stage::new(options);
        let there = Region::new(LEAVING);
        let key = stage.topology.region(&there).unwrap().services[0].key.clone();
        let facts = [Fact::Service(there.clone(), key.clone()), Fact::Scaling(there.clone(), key.clone())];
        let known = stage.witness.observe(&facts).await;
        let (desired, limits) =
            (known.service(&facts[0]).unwrap().desired, known.scaling(&facts[1]).unwrap().clone().unwrap());
        stage.baseline = Some(known);
        stage.clock.sleep(Duration::from_mins(2)).await;
        let reads = [("ecs", "DescribeServices"), ("application-autoscaling", "DescribeScalableTargets")];
        for (service, read) in reads {
            stage.sim.inject(InjectedFault::next(service, read, FaultKind::Hang).within(LEAVING).on(0));
        }
        let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
        let plan = stage.plan("failover", &failover).await;
        let run = stage.setup(&plan).opening.run;
        let ending = stage.ended(&plan).await;
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());

        let elsewhere = tempfile::tempdir().unwrap();
        let copied = stage.lease.entries(&stage.topology.application, &run).await.unwrap();
        let from = Text::from("the lease table");
        let here = import(elsewhere.path(), &run, copied, &from, stage.clock.now()).unwrap();
        let told = read(&here.join(JOURNAL_FILE)).unwrap();
        stage.sim.clear_faults();
        stage.clock.sleep(Duration::from_mins(5)).await;
        let mut stage = stage.next();
        stage.journal = Some(told.entries);
        assert_eq!(
            stage
                .told(facts[0].clone())
                .await
                .map(|known| matches!(known, Known::Service(state) if state.desired == 0)),
            Some(true),
            "it was fenced"
        );
        let start = Operation::SetDesired { region: there.clone(), service: key.clone(), desired };
        let back = Operation::RegisterScalableTarget {
            region: there,
            service: key,
            min: limits.min,
            max: Some(limits.max),
            suspended: Some(Suspended { scale_in: false, scale_out: false, scheduled: false }),
        };
        for source in ["taken from the baseline of ", "taken from what the plan of "] {
            let plan = stage.plan("restore", &leaving()).await;
            let calls: Vec<_> =
                plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls).collect();
            assert!(calls.contains(&&start) && calls.contains(&&back), "{calls:#?}\n{:#?}", plan.notes);
            let said = plan.notes.iter().filter(|note| note.as_str().contains(source));
            assert_eq!(said.count(), 2, "{:#?}", plan.notes);
            // What this bastion saw before, and then another one.
            stage.baseline = None;
        }
    });
}
