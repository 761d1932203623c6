//! What a run changed, item by item: what was saved, what was left, and what is there now.
//!
//! What it is for: reading a journal, or a baseline, as a list of settings that can be put back, and writing
//! the calls that do so. What it must not do: decide the order, or whether it is safe.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::domain::Topology;
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::{Arn, BucketName, Region, ZoneId};
pub(in crate::runbook) use crate::domain::pin::{Subject, Value};
use crate::domain::snapshot::{AliasTarget, RecordSet};
use crate::domain::text::Text;
use crate::domain::topology::{RegionEntry, RoutingPolicy, Switch, SwitchWire};
use crate::runbook::condition::Condition;
use crate::runbook::event::{ActFailure, Entry, Event};
use crate::runbook::fact::{Fact, Facts};
use crate::runbook::operation::{Operation, RecordAction, RecordChange, Suspended};

/// One setting with everything that is known of it.
#[derive(Clone, Debug)]
pub(super) struct Item {
    pub(super) subject: Subject,
    /// The region whose users it steers, or in which it lies.
    pub(super) region: Region,
    pub(super) saved: Option<Value>,
    /// As the run left it; `None` without a journal.
    pub(super) left: Option<Value>,
    /// Version of a health check, as last seen.
    pub(super) version: Option<i64>,
}

/// What a journal tells.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) items: Vec<Item>,
    /// A promotion that allowed data loss, or a cluster that was detached.
    pub(super) lossy: bool,
}

impl Subject {
    /// The fact that tells its value; `steered` is the region that a switch metric steers.
    pub(in crate::runbook) fn fact(&self, steered: &Region) -> Fact {
        match self {
            Self::Check(check) => Fact::HealthCheck(check.clone()),
            Self::Control(arn) => Fact::RoutingControl(arn.clone()),
            Self::Object(region, bucket, key) => {
                Fact::SwitchObject(region.clone(), bucket.clone(), key.clone())
            }
            Self::Metric(home, namespace, name) => {
                Fact::SwitchMetric(home.clone(), namespace.clone(), name.clone(), steered.clone())
            }
            Self::Record(zone, name, ..) => Fact::Records(zone.clone(), name.clone()),
            Self::Desired(region, key) => Fact::Service(region.clone(), key.clone()),
            Self::Limits(region, key) => Fact::Scaling(region.clone(), key.clone()),
        }
    }

    /// The method of evacuation, when it is one.
    pub(super) fn method(&self) -> Option<EvacuationMethod> {
        match self {
            Self::Check(_) => Some(EvacuationMethod::HealthCheck),
            Self::Control(_) => Some(EvacuationMethod::RoutingControl),
            Self::Object(..) => Some(EvacuationMethod::SwitchObject),
            Self::Metric(..) => Some(EvacuationMethod::SwitchMetric),
            Self::Record(..) => Some(EvacuationMethod::Record),
            Self::Desired(..) | Self::Limits(..) => None,
        }
    }

    /// Its value among facts.
    pub(in crate::runbook) fn value(&self, steered: &Region, facts: &Facts) -> Option<Value> {
        let fact = self.fact(steered);
        match self {
            Self::Check(_) => facts
                .health_check(&fact)
                .map(|config| Value::Flags { inverted: config.inverted, disabled: config.disabled }),
            Self::Control(_) => facts.flag(&fact).map(|on| Value::On(*on)),
            // No object, or no value of the metric, means that the switch is not thrown.
            Self::Object(..) | Self::Metric(..) => {
                facts.flag(&fact).copied().or_else(|| facts.is_absent(&fact).then_some(false)).map(Value::On)
            }
            Self::Record(_, _, kind, set) => facts.records(&fact).map(|sets| {
                let same = |one: &&RecordSet| &one.record_type == kind && &one.set_identifier == set;
                Value::Record(sets.iter().find(same).cloned().map(Box::new))
            }),
            Self::Desired(..) => facts.service(&fact).map(|state| Value::Desired(state.desired)),
            Self::Limits(..) => facts.scaling(&fact)?.as_ref().map(Value::of_limits),
        }
    }

    /// The call that sets it; `version` is that of a health check, `now` what a deletion must match.
    pub(super) fn set(
        &self,
        steers: &Region,
        to: &Value,
        now: Option<&Value>,
        version: Option<i64>,
    ) -> Option<Operation> {
        let steers = steers.clone();
        Some(match (self, to) {
            (Self::Check(check), Value::Flags { inverted, disabled }) => Operation::SetHealthCheck {
                check: check.clone(),
                steers,
                version,
                inverted: *inverted,
                disabled: *disabled,
            },
            (Self::Control(arn), Value::On(on)) => {
                Operation::SetRoutingControls { states: BTreeMap::from([(arn.clone(), *on)]), steers }
            }
            (Self::Object(region, bucket, key), Value::On(on)) => {
                let (region, bucket, key) = (region.clone(), bucket.clone(), key.clone());
                if *on {
                    Operation::PutSwitchObject { region, bucket, key, steers }
                } else {
                    Operation::DeleteSwitchObject { region, bucket, key, steers }
                }
            }
            (Self::Metric(region, namespace, name), Value::On(out)) => Operation::PutSwitchMetric {
                region: region.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
                steers,
                out: *out,
            },
            (Self::Record(zone, ..), Value::Record(to)) => {
                let (action, record) = match (to, now) {
                    (Some(record), _) => (RecordAction::Upsert, record),
                    (None, Some(Value::Record(Some(record)))) => (RecordAction::Delete, record),
                    _ => return None,
                };
                let changes = vec![RecordChange { action, record: (**record).clone() }];
                Operation::ChangeRecords { zone: zone.clone(), steers, changes }
            }
            (Self::Desired(region, service), Value::Desired(desired)) => {
                Operation::SetDesired { region: region.clone(), service: service.clone(), desired: *desired }
            }
            (Self::Limits(region, service), Value::Limits { min, max, suspended }) => {
                Operation::RegisterScalableTarget {
                    region: region.clone(),
                    service: service.clone(),
                    min: *min,
                    max: Some(*max),
                    suspended: Some(*suspended),
                }
            }
            _ => return None,
        })
    }

    /// Holds when it is set so.
    pub(super) fn holds(&self, steered: &Region, is: &Value) -> Condition {
        match (self, is) {
            (Self::Check(check), Value::Flags { inverted, disabled }) => {
                Condition::HealthCheckFlags { check: check.clone(), inverted: *inverted, disabled: *disabled }
            }
            (Self::Control(arn), Value::On(on)) => {
                Condition::RoutingControls { controls: vec![arn.clone()], on: *on }
            }
            (Self::Record(zone, name, kind, set), Value::Record(record)) => Condition::Record {
                zone: zone.clone(),
                name: name.clone(),
                record_type: kind.clone(),
                set_identifier: set.clone(),
                is: record.as_deref().cloned(),
            },
            (Self::Desired(region, service), Value::Desired(tasks)) => Condition::Desired {
                region: region.clone(),
                service: service.clone(),
                tasks: *tasks,
                at_least: false,
            },
            (Self::Limits(region, service), Value::Limits { min, max, suspended }) => Condition::Scaling {
                region: region.clone(),
                service: service.clone(),
                min: *min,
                max: Some(*max),
                at_least: false,
                suspended: Some(*suspended),
            },
            (_, Value::On(on)) => Condition::Flag { fact: self.fact(steered), is: *on, name: self.name() },
            _ => Condition::Any { of: Vec::new() },
        }
    }
}

/// What a call sets, and to what; for limits that leave the suspension, `before` tells it.
pub(in crate::runbook) fn settings(operation: &Operation, before: &Facts) -> Vec<(Subject, Region, Value)> {
    match operation {
        Operation::SetHealthCheck { check, steers, inverted, disabled, .. } => {
            let value = Value::Flags { inverted: *inverted, disabled: *disabled };
            vec![(Subject::Check(check.clone()), steers.clone(), value)]
        }
        Operation::SetRoutingControls { states, steers } => states
            .iter()
            .map(|(arn, on)| (Subject::Control(arn.clone()), steers.clone(), Value::On(*on)))
            .collect(),
        Operation::PutSwitchObject { region, bucket, key, steers } => {
            vec![(object(region, bucket, key), steers.clone(), Value::On(true))]
        }
        Operation::DeleteSwitchObject { region, bucket, key, steers } => {
            vec![(object(region, bucket, key), steers.clone(), Value::On(false))]
        }
        Operation::PutSwitchMetric { region, namespace, name, steers, out } => {
            let subject = Subject::Metric(region.clone(), namespace.clone(), name.clone());
            vec![(subject, steers.clone(), Value::On(*out))]
        }
        Operation::ChangeRecords { zone, steers, changes } => changes
            .iter()
            .map(|change| {
                let left = (change.action == RecordAction::Upsert).then(|| Box::new(change.record.clone()));
                (record(zone, &change.record), steers.clone(), Value::Record(left))
            })
            .collect(),
        Operation::SetDesired { region, service, desired } => {
            let subject = Subject::Desired(region.clone(), service.clone());
            vec![(subject, region.clone(), Value::Desired(*desired))]
        }
        Operation::RegisterScalableTarget { region, service, min, max, suspended } => {
            let subject = Subject::Limits(region.clone(), service.clone());
            let (most, kept) = match subject.value(region, before) {
                Some(Value::Limits { max, suspended, .. }) => (Some(max), suspended),
                _ => (None, Suspended { scale_in: false, scale_out: false, scheduled: false }),
            };
            // A limit that was left and never read cannot be told.
            let Some(max) = max.or(most) else { return Vec::new() };
            let value = Value::Limits { min: *min, max, suspended: suspended.unwrap_or(kept) };
            vec![(subject, region.clone(), value)]
        }
        _ => Vec::new(),
    }
}

fn object(region: &Region, bucket: &BucketName, key: &str) -> Subject {
    Subject::Object(region.clone(), bucket.clone(), key.to_owned())
}

fn record(zone: &ZoneId, record: &RecordSet) -> Subject {
    let (name, kind) = (record.name.clone(), record.record_type.clone());
    Subject::Record(zone.clone(), name, kind, record.set_identifier.clone())
}

/// What the journal of one or more runs tells, the oldest first: of each setting the value before the first call that
/// took, or may have taken, effect, and the value after the last one. A limit that a call left, and that could not be read
/// then, is as it is `now`.
pub(super) fn from_journal(entries: &[Entry], now: &Facts) -> Told {
    let mut told = Told::default();
    let mut shaped_by = &Facts::default();
    for (index, entry) in entries.iter().enumerate() {
        if let Event::Opened { plan, .. } = &entry.event {
            shaped_by = &plan.shaped_by;
        }
        let Event::Intent { operation, saved, .. } = &entry.event else { continue };
        if !took_effect(&entries[index..]) {
            continue;
        }
        told.lossy |= matches!(
            **operation,
            Operation::FailoverGlobalCluster { .. } | Operation::RemoveFromGlobalCluster { .. }
        );
        let mut set = settings(operation, saved);
        if set.is_empty() {
            set = settings(operation, now);
        }
        for (subject, region, left) in set {
            let before = subject.value(&region, saved);
            if let Some(item) = told.items.iter_mut().find(|item| item.subject == subject) {
                // What a run found as the one before it had left it is no value to go back to; what somebody else
                // had set meanwhile is.
                if before.is_some() && before != item.left {
                    item.saved = before;
                }
                item.left = Some(left);
                continue;
            }
            let before = before.or_else(|| subject.value(&region, shaped_by));
            told.items.push(Item { saved: before, left: Some(left), subject, region, version: None });
        }
    }
    told
}

/// The value to which the oldest plan that is told of would have brought a setting back, and when that plan was made. A
/// limit that it would have left is as it is `now`.
pub(super) fn planned(entries: &[Entry], subject: &Subject, now: &Facts) -> Option<(Value, Timestamp)> {
    let plans = entries.iter().filter_map(|entry| match &entry.event {
        Event::Opened { plan, .. } => Some(plan),
        _ => None,
    });
    let undone = plans.flat_map(|plan| {
        let undo = plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.undo);
        undo.map(|call| (call, plan.made_at))
    });
    undone
        .flat_map(|(call, at)| settings(call, now).into_iter().map(move |setting| (setting, at)))
        .find_map(|((known, _, value), at)| (known == *subject).then_some((value, at)))
}

/// Whether the intent at the head of `entries` took effect, or may have.
pub(in crate::runbook) fn took_effect(entries: &[Entry]) -> bool {
    let Some(Event::Intent { step, way, call, .. }) = entries.first().map(|entry| &entry.event) else {
        return false;
    };
    for entry in &entries[1..] {
        match &entry.event {
            Event::Applied { step: s, way: w, call: c, .. } if (s, w, c) == (step, way, call) => return true,
            Event::NotApplied { step: s, way: w, call: c, failure } if (s, w, c) == (step, way, call) => {
                return matches!(failure, ActFailure::Unknown { .. });
            }
            // Sent again, or another run: what became of this attempt was never told.
            Event::Intent { step: s, way: w, call: c, .. } if (s, w, c) == (step, way, call) => return true,
            Event::Opened { .. } => return true,
            _ => {}
        }
    }
    true
}

/// What the baseline tells of `region` and of the limits of the others.
pub(super) fn from_baseline(topology: &Topology, region: &Region, baseline: &Facts) -> Told {
    let mut subjects: Vec<(Subject, Region)> =
        steering(topology, region).into_iter().map(|subject| (subject, region.clone())).collect();
    for entry in &topology.regions {
        for service in &entry.services {
            let here = &entry.name;
            let limits = (Subject::Limits(here.clone(), service.key.clone()), here.clone());
            let desired = (Subject::Desired(here.clone(), service.key.clone()), here.clone());
            if here == region {
                subjects.extend([desired, limits]);
            } else if service.scalable {
                subjects.push(limits);
            }
        }
    }
    let items = subjects
        .into_iter()
        .filter_map(|(subject, region)| {
            let saved = in_service(topology, &subject, subject.value(&region, baseline)?);
            Some(Item { subject, region, saved: Some(saved), left: None, version: None })
        })
        .collect();
    Told { items, lossy: false }
}

/// The saved value of a baseline, which may have been saved while the region was out: what kept users out then is
/// no value to go back to.
pub(super) fn in_service(topology: &Topology, subject: &Subject, saved: Value) -> Value {
    match (subject, saved) {
        (Subject::Check(_), Value::Flags { inverted: true, disabled: true }) => {
            Value::Flags { inverted: false, disabled: false }
        }
        (Subject::Control(_), Value::On(_)) => Value::On(true),
        (Subject::Object(..) | Subject::Metric(..), Value::On(_)) => Value::On(false),
        (Subject::Record(..), Value::Record(None)) => {
            Value::Record(configured(topology, subject).map(Box::new))
        }
        (_, saved) => saved,
    }
}

/// A record as the topology has it; policies whose settings it does not hold cannot be written from it.
fn configured(topology: &Topology, subject: &Subject) -> Option<RecordSet> {
    let Subject::Record(zone, name, kind, set) = subject else { return None };
    let record = topology.records.iter().find(|record| {
        &record.zone_id == zone
            && &record.name == name
            && record.record_type == kind.as_str()
            && &record.set_identifier == set
    })?;
    let selector = match record.policy {
        RoutingPolicy::Simple => None,
        RoutingPolicy::Latency => Some(record.region.as_str().into()),
        _ => return None,
    };
    Some(RecordSet {
        zone_id: zone.clone(),
        name: name.clone(),
        record_type: kind.clone(),
        set_identifier: set.clone(),
        policy: record.policy,
        selector,
        weight: None,
        alias: Some(AliasTarget {
            dns_name: record.alias_target.clone(),
            zone_id: record.alias_zone_id.clone(),
            evaluate_target_health: record.evaluate_target_health,
        }),
        values: Vec::new(),
        ttl: None,
        health_check: record.health_check.clone(),
    })
}

/// Everything that the topology wires to steer the users of a region.
pub(super) fn steering(topology: &Topology, region: &Region) -> Vec<Subject> {
    let mut subjects = Vec::new();
    let mut push = |subject: Subject| {
        if !subjects.contains(&subject) {
            subjects.push(subject);
        }
    };
    for control in topology.arc.iter().flat_map(|arc| &arc.routing_controls) {
        if &control.region == region {
            push(Subject::Control(control.arn.clone()));
        }
    }
    for Switch { home, wire, .. } in topology.switches.iter().filter(|switch| &switch.region == region) {
        push(match wire {
            SwitchWire::Object { bucket, key } => object(home, bucket, key),
            SwitchWire::Metric { namespace, name } => {
                Subject::Metric(home.clone(), namespace.clone(), name.clone())
            }
        });
    }
    for record in topology.records.iter().filter(|record| &record.region == region) {
        if let Some(check) = &record.health_check {
            push(Subject::Check(check.clone()));
        }
    }
    for record in topology.records.iter().filter(|record| &record.region == region) {
        let kind = Text::new(&record.record_type);
        let (zone, set) = (record.zone_id.clone(), record.set_identifier.clone());
        push(Subject::Record(zone, record.name.clone(), kind, set));
    }
    subjects
}

/// All target groups of a region's load balancers.
pub(super) fn groups(entry: Option<&RegionEntry>) -> Vec<Arn> {
    entry
        .into_iter()
        .flat_map(|entry| &entry.load_balancers)
        .flat_map(|lb| lb.target_groups.clone())
        .collect()
}
