//! Pins: what runs left so that a region stays out of service, as their records tell.
//!
//! What it is for: from the entries of all runs to the regions that are out by our own act, with every setting that
//! keeps them out. A setting is held from the moment at which a drain or a failover proved it until a run of ours sets
//! it otherwise; a region is pinned while a setting that steers users is held, and until a restore ended.
//! What it must not do: read files, ask AWS, or say whether a pin still holds (`checks::pin` does).

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::catalog::restore::items::{settings, took_effect};
use super::condition::{Condition, Moment};
use super::event::{Entry, Event, Opening, Outcome};
use super::fact::{Fact, Facts};
use super::plan::{Plan, Step, StepId, Way};
use super::undo::UNDO;
use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::observation::Observed;
use crate::domain::pin::{Held, Pin, Subject, Value};
use crate::domain::text::Text;

/// The step that takes a region out of DNS.
const PIN: &str = "pin";

/// True for an event that [`pins`] looks at; whoever keeps entries for it may let go of the others.
pub fn matters(event: &Event) -> bool {
    matches!(
        event,
        Event::Opened { .. }
            | Event::Intent { .. }
            | Event::Applied { .. }
            | Event::NotApplied { .. }
            | Event::WayGivenUp { .. }
            | Event::StepHeld { .. }
            | Event::StepDone { .. }
            | Event::Ended { .. }
    )
}

/// The pins that hold after `runs`, each the entries of one run in order. Runs follow each other by their times.
pub fn pins(runs: &[Vec<Entry>]) -> Vec<Pin> {
    let told: Vec<Run<'_>> = runs.iter().filter_map(|entries| Run::of(entries)).collect();
    let mut order: Vec<(Timestamp, usize, usize)> = told
        .iter()
        .enumerate()
        .flat_map(|(run, told)| {
            told.entries.iter().enumerate().map(move |(index, entry)| (entry.at, run, index))
        })
        .collect();
    order.sort_unstable();
    let mut book = Book::default();
    for (_, run, index) in order {
        book.take(&told[run], index);
    }
    book.pins.into_values().collect()
}

/// The entries of the runs that took `region` out since it was last in service, oldest first: what a restore goes by.
/// More than one, where a pin was put back.
pub fn evacuations(runs: &[Vec<Entry>], region: &Region) -> Vec<Entry> {
    let mut told: Vec<Run<'_>> = runs.iter().filter_map(|entries| Run::of(entries)).collect();
    told.sort_by_key(|run| run.entries.first().map(|entry| entry.at));
    told.retain(|run| run.opening.params.region.as_ref() == Some(region));
    let Some(last) = told.iter().rposition(Run::evacuates) else { return Vec::new() };
    let back = told[..last].iter().rposition(|run| run.is("restore") && run.ended() == Some(Outcome::Done));
    let since = back.map_or(0, |at| at + 1);
    let out = told[since..=last].iter().filter(|run| run.evacuates());
    out.flat_map(|run| run.entries.iter().cloned()).collect()
}

/// What must be asked for apart to know whether pins still hold, since no pane shows it.
pub fn apart(pins: &[Pin], topology: &Topology) -> Vec<(Subject, Fact)> {
    let here = pins.iter().filter(|pin| topology.region(&pin.region).is_some());
    let held = here.flat_map(|pin| pin.held.iter().map(move |held| (pin, held)));
    held.filter(|(_, held)| !held.subject.is_in_panes(topology))
        .map(|(pin, held)| (held.subject.clone(), held.subject.fact(&pin.region)))
        .collect()
}

/// The answers to those questions.
pub fn answers(asked: &[(Subject, Fact)], pins: &[Pin], facts: &Facts) -> BTreeMap<Subject, Observed<Value>> {
    let region = |subject: &Subject| {
        pins.iter().find(|pin| pin.holds(subject).is_some()).map(|pin| pin.region.clone())
    };
    asked
        .iter()
        .filter_map(|(subject, fact)| {
            let observed = facts.get(fact)?;
            let value = region(subject).and_then(|region| subject.value(&region, facts));
            let reading = observed.reading().zip(value).map(|(reading, value)| crate::domain::Reading {
                value,
                as_of: reading.as_of,
                saved: reading.saved,
            });
            let error = observed.error().cloned();
            Some((subject.clone(), Observed::from_parts(observed.source().clone(), reading, error)))
        })
        .collect()
}

/// A run as its record tells it.
struct Run<'a> {
    opening: &'a Opening,
    plan: &'a Plan,
    entries: &'a [Entry],
}

impl<'a> Run<'a> {
    fn of(entries: &'a [Entry]) -> Option<Self> {
        match entries.first().map(|entry| &entry.event) {
            Some(Event::Opened { opening, plan, .. }) => Some(Self { opening, plan, entries }),
            _ => None,
        }
    }

    fn is(&self, runbook: &str) -> bool {
        self.plan.runbook.as_str() == runbook
    }

    fn evacuates(&self) -> bool {
        self.is("drain") || self.is("failover")
    }

    fn ended(&self) -> Option<Outcome> {
        self.entries.iter().rev().find_map(|entry| match entry.event {
            Event::Ended { outcome, .. } => Some(outcome),
            _ => None,
        })
    }

    /// The way of a step that was proven at `index`: that of its last call, or that after the last one given up.
    fn way<'p>(&self, step: &'p Step, index: usize) -> Option<&'p Way> {
        let mut number = 0;
        for entry in &self.entries[..index] {
            match &entry.event {
                Event::Intent { step: id, way, call, .. } if id == &step.id && *call < UNDO => number = *way,
                Event::WayGivenUp { step: id, way, .. } if id == &step.id => {
                    number = (way + 1) % step.ways.len().max(1);
                }
                _ => {}
            }
        }
        step.ways.get(number)
    }

    /// The ways of a step that held before anything was called, as the plan saw the world. With one way there is no doubt.
    fn held<'p>(&self, step: &'p Step) -> Vec<&'p Way> {
        if let [only] = step.ways.as_slice() {
            return vec![only];
        }
        let (nobody, nothing) = (BTreeMap::new(), BTreeMap::new());
        let moment = Moment {
            now: self.plan.made_at,
            began: self.plan.made_at,
            not_before: Timestamp::MIN,
            alive_since: &nobody,
            moved_at: &nothing,
        };
        let holds = |way: &&Way| way.verify.judge(&self.plan.shaped_by, &moment).holds();
        step.ways.iter().filter(holds).collect()
    }
}

/// Pins in the making.
#[derive(Default)]
struct Book {
    pins: BTreeMap<Region, Pin>,
}

impl Book {
    fn take(&mut self, run: &Run<'_>, index: usize) {
        let entry = &run.entries[index];
        match &entry.event {
            // What a cleanup takes down needs no watch any more.
            Event::Intent { .. } if run.is("cleanup") => self.let_go(run),
            Event::Intent { operation, saved, .. } if took_effect(&run.entries[index..]) => {
                for (subject, _, value) in settings(operation, saved) {
                    self.set(&subject, &value);
                }
            }
            Event::StepDone { step, .. } if run.evacuates() => {
                let ways = run.plan.step(step).and_then(|step| run.way(step, index));
                self.prove(run, step, &ways.into_iter().collect::<Vec<_>>(), entry.at);
            }
            Event::StepHeld { step, .. } if run.evacuates() => {
                let ways = run.plan.step(step).map(|step| run.held(step)).unwrap_or_default();
                self.prove(run, step, &ways, entry.at);
            }
            Event::Ended { outcome: Outcome::Done, .. } if run.is("restore") => self.let_go(run),
            _ => {}
        }
    }

    /// The region of a run, or all of them, is nobody's pin any more.
    fn let_go(&mut self, run: &Run<'_>) {
        match &run.opening.params.region {
            Some(region) => drop(self.pins.remove(region)),
            None => self.pins.clear(),
        }
    }

    /// A run of ours set a setting: what it set otherwise than it was left is not held any more.
    fn set(&mut self, subject: &Subject, value: &Value) {
        for pin in self.pins.values_mut() {
            pin.held.retain(|held| &held.subject != subject || &held.is == value);
        }
        self.pins.retain(|_, pin| pin.held.iter().any(|held| held.subject.steers()));
    }

    /// A step of an evacuation was proven: what it proves of the region is to stay so.
    fn prove(&mut self, run: &Run<'_>, step: &StepId, ways: &[&Way], at: Timestamp) {
        let Some(region) = &run.opening.params.region else { return };
        let mut found = Vec::new();
        for way in ways {
            settled(&way.verify, region, &mut found);
        }
        let pinned = self.pins.contains_key(region);
        // Tasks that were stopped are part of a pin, not one by themselves.
        if found.is_empty() || !pinned && step.as_str() != PIN {
            return;
        }
        let id = Text::new(run.opening.run.as_str());
        let pin = self.pins.entry(region.clone()).or_insert_with(|| Pin {
            region: region.clone(),
            since: at,
            run: id.clone(),
            runbook: run.plan.runbook.clone(),
            by: format!("{} on {}", run.opening.holder, run.opening.host).into(),
            held: Vec::new(),
        });
        for (subject, is) in found {
            match pin.held.iter_mut().find(|held| held.subject == subject) {
                Some(held) if held.is == is => held.proven = at,
                Some(held) => *held = Held { subject, is, proven: at, run: id.clone() },
                None => pin.held.push(Held { subject, is, proven: at, run: id.clone() }),
            }
        }
    }
}

/// The settings of `region` that a condition demands exactly.
fn settled(condition: &Condition, region: &Region, found: &mut Vec<(Subject, Value)>) {
    let mut push = |subject, value| found.push((subject, value));
    match condition {
        Condition::All { of } => {
            for part in of {
                settled(part, region, found);
            }
        }
        Condition::HealthCheckFlags { check, inverted, disabled } => {
            let flags = Value::Flags { inverted: *inverted, disabled: *disabled };
            push(Subject::Check(check.clone()), flags);
        }
        Condition::RoutingControls { controls, on } => {
            for arn in controls {
                push(Subject::Control(arn.clone()), Value::On(*on));
            }
        }
        Condition::Flag { fact, is, .. } => match fact {
            Fact::SwitchObject(home, bucket, key) => {
                push(Subject::Object(home.clone(), bucket.clone(), key.clone()), Value::On(*is));
            }
            Fact::SwitchMetric(home, namespace, name, _) => {
                push(Subject::Metric(home.clone(), namespace.clone(), name.clone()), Value::On(*is));
            }
            _ => {}
        },
        Condition::Record { zone, name, record_type, set_identifier, is } => {
            let subject =
                Subject::Record(zone.clone(), name.clone(), record_type.clone(), set_identifier.clone());
            push(subject, Value::Record(is.clone().map(Box::new)));
        }
        Condition::Desired { region: here, service, tasks, at_least: false } if here == region => {
            push(Subject::Desired(here.clone(), service.clone()), Value::Desired(*tasks));
        }
        Condition::Scaling {
            region: here,
            service,
            min,
            max: Some(max),
            at_least: false,
            suspended: Some(suspended),
        } if here == region => {
            let limits = Value::Limits { min: *min, max: *max, suspended: *suspended };
            push(Subject::Limits(here.clone(), service.clone()), limits);
        }
        _ => {}
    }
}
