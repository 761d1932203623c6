//! The pin of a region: what a run set to take it out of service, and left so.
//!
//! What it is for: the settings that a run changes and their values, in words; and what is expected of them while a
//! region is out by our own act, so that a change by somebody else is seen (`checks::pin`).
//! What it must not do: read journals (`runbook::pin` does), ask AWS, or decide what is done about a change.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{Arn, BucketName, HealthCheckId, HostName, Region, ServiceKey, ZoneId};
use super::observation::{Observed, Source};
use super::snapshot::{FleetSnapshot, RecordSet, ScalableTarget};
use super::text::Text;
use super::topology::Topology;

/// A setting that a run changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// Flags of a health check.
    Check(HealthCheckId),
    /// A routing control.
    Control(Arn),
    /// A switch object: where it lies, bucket, key.
    Object(Region, BucketName, String),
    /// A switch metric: where it lies, namespace, name.
    Metric(Region, String, String),
    /// A record set: zone, name, type, set identifier.
    Record(ZoneId, HostName, Text, Option<Text>),
    /// Wanted tasks of a service.
    Desired(Region, ServiceKey),
    /// Limits and suspension of a service's scaling.
    Limits(Region, ServiceKey),
}

/// What a setting is set to.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Flags of a health check.
    Flags {
        /// Inverted.
        inverted: bool,
        /// Disabled.
        disabled: bool,
    },
    /// A control that is On, an object that is there, a metric of 1.
    On(bool),
    /// The record set, or none.
    Record(Option<Box<RecordSet>>),
    /// Tasks.
    Desired(i32),
    /// Limits of a scalable target.
    Limits {
        /// Least capacity.
        min: i32,
        /// Most capacity.
        max: i32,
        /// What of its scaling is suspended.
        suspended: Suspended,
    },
}

/// SuspendedState of a scalable target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Suspended {
    /// DynamicScalingInSuspended.
    pub scale_in: bool,
    /// DynamicScalingOutSuspended.
    pub scale_out: bool,
    /// ScheduledScalingSuspended.
    pub scheduled: bool,
}

/// One setting of a pin, as a run left it.
#[derive(Clone, Debug, PartialEq)]
pub struct Held {
    /// Which setting.
    pub subject: Subject,
    /// What it was left as.
    pub is: Value,
    /// When that was last proven; what was seen before says nothing about the pin.
    pub proven: Timestamp,
    /// The run that set it.
    pub run: Text,
}

/// A region that is out of service by our own act.
#[derive(Clone, Debug, PartialEq)]
pub struct Pin {
    /// Which region.
    pub region: Region,
    /// Since when.
    pub since: Timestamp,
    /// The run that proved it first.
    pub run: Text,
    /// Its runbook, `drain` or `failover`.
    pub runbook: Text,
    /// Who acted, and on which host: `arn:… on bastion-1`.
    pub by: Text,
    /// What it consists of; at least one setting steers users.
    pub held: Vec<Held>,
}

/// All pins, and how far they are known.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pins {
    /// One a region.
    pub pins: Vec<Pin>,
    /// When the records of runs were last read; a change that was seen later may be our own act. `None`: never.
    pub read_at: Option<Timestamp>,
    /// Which records of runs could not be read, in words.
    pub unread: Option<Text>,
    /// Settings of pins that no pane shows (switch objects and metrics, routing controls), asked for apart.
    pub asked: BTreeMap<Subject, Observed<Value>>,
}

impl Pins {
    /// The pin of a region, when it has one.
    pub fn of(&self, region: &Region) -> Option<&Pin> {
        self.pins.iter().find(|pin| &pin.region == region)
    }
}

impl Pin {
    /// True when the region's services were stopped.
    pub fn is_at_zero(&self) -> bool {
        self.held.iter().any(|held| matches!(held.is, Value::Desired(0)))
    }

    /// What is held of a setting.
    pub fn holds(&self, subject: &Subject) -> Option<&Value> {
        self.held.iter().find(|held| &held.subject == subject).map(|held| &held.is)
    }

    /// True when users are kept out by something behind a health check: a control, an object, a metric.
    pub fn is_by_switch(&self) -> bool {
        self.held.iter().any(|held| {
            matches!(held.subject, Subject::Control(_) | Subject::Object(..) | Subject::Metric(..))
        })
    }
}

impl Suspended {
    /// Everything suspended, as an evacuated service must be.
    pub const ALL: Self = Self { scale_in: true, scale_out: true, scheduled: true };
}

impl Subject {
    /// True when it decides whether users are sent to a region.
    pub fn steers(&self) -> bool {
        !matches!(self, Self::Desired(..) | Self::Limits(..))
    }

    /// The name on command lines and in findings.
    pub fn name(&self) -> Text {
        match self {
            Self::Check(check) => format!("health-check/{check}"),
            Self::Control(arn) => format!("routing-control/{}", arn.short_name()),
            Self::Object(_, bucket, key) => format!("switch-object/{bucket}/{key}"),
            Self::Metric(_, namespace, name) => format!("switch-metric/{namespace}/{name}"),
            Self::Record(_, name, kind, set) => {
                let set = set.as_ref().map(|set| format!("/{set}")).unwrap_or_default();
                format!("record/{name}/{kind}{set}")
            }
            Self::Desired(region, key) => format!("desired/{region}/{key}"),
            Self::Limits(region, key) => format!("limits/{region}/{key}"),
        }
        .into()
    }

    /// What it is, in a sentence: `health check 7f…`.
    pub fn words(&self) -> String {
        match self {
            Self::Check(check) => format!("health check {check}"),
            Self::Control(arn) => format!("routing control {}", arn.short_name()),
            Self::Object(_, bucket, key) => format!("switch object s3://{bucket}/{key}"),
            Self::Metric(_, namespace, name) => format!("switch metric {namespace}/{name}"),
            Self::Record(_, name, kind, set) => {
                let set = set.as_ref().map(|set| format!(" ({set})")).unwrap_or_default();
                format!("record {name} {kind}{set}")
            }
            Self::Desired(_, key) => format!("service {key}"),
            Self::Limits(_, key) => format!("scaling of {key}"),
        }
    }

    /// True when a pane observes it, so that it needs no question of its own.
    pub fn is_in_panes(&self, topology: &Topology) -> bool {
        match self {
            Self::Check(check) => topology.health_checks().contains(check),
            Self::Record(_, name, ..) => topology.records.iter().any(|record| &record.name == name),
            Self::Desired(region, key) | Self::Limits(region, key) => topology
                .region(region)
                .is_some_and(|entry| entry.services.iter().any(|service| &service.key == key)),
            Self::Control(_) | Self::Object(..) | Self::Metric(..) => false,
        }
    }

    /// Its value as a pane shows it, or as it was asked for apart; `None` when nobody asks.
    pub fn seen(&self, snapshot: &FleetSnapshot) -> Option<Observed<Value>> {
        let apart = || snapshot.pins.asked.get(self).cloned();
        match self {
            Self::Check(check) => {
                let config = snapshot.dns.health_checks.get(check);
                let flags = |config: &Observed<super::snapshot::HealthCheckConfig>| {
                    config.map(|config| Value::Flags { inverted: config.inverted, disabled: config.disabled })
                };
                config.map(flags).or_else(apart)
            }
            Self::Record(_, name, kind, set) => {
                let same = |one: &&RecordSet| &one.record_type == kind && &one.set_identifier == set;
                let found = |sets: &Observed<Vec<RecordSet>>| {
                    sets.map(|sets| Value::Record(sets.iter().find(same).cloned().map(Box::new)))
                };
                snapshot.dns.records.get(name).map(found).or_else(apart)
            }
            Self::Desired(region, key) => {
                let state = snapshot.region(region).and_then(|known| known.services.get(key));
                state.map(|state| state.map(|state| Value::Desired(state.desired))).or_else(apart)
            }
            Self::Limits(region, key) => {
                let target = snapshot.region(region).and_then(|known| known.scaling.get(key));
                target.and_then(limits).or_else(apart)
            }
            Self::Control(_) | Self::Object(..) | Self::Metric(..) => apart(),
        }
    }
}

/// Limits of a scalable target; a service that has none any more has no value.
fn limits(target: &Observed<Option<ScalableTarget>>) -> Option<Observed<Value>> {
    match target.value() {
        Some(Some(limits)) => Some(target.map(|_| Value::of_limits(limits))),
        Some(None) => None,
        None => Some(Observed::from_parts(source(target), None, target.error().cloned())),
    }
}

fn source<T>(observed: &Observed<T>) -> Source {
    observed.source().clone()
}

impl Value {
    /// Limits as a value.
    pub fn of_limits(target: &ScalableTarget) -> Self {
        Self::Limits {
            min: target.min,
            max: target.max,
            suspended: Suspended {
                scale_in: target.scale_in_suspended,
                scale_out: target.scale_out_suspended,
                scheduled: target.scheduled_suspended,
            },
        }
    }

    /// As an operator says it.
    pub fn words(&self) -> String {
        match self {
            Self::Flags { inverted, disabled } => {
                let inverted = if *inverted { "inverted" } else { "not inverted" };
                format!("{inverted}, {}", if *disabled { "disabled" } else { "enabled" })
            }
            Self::On(on) => if *on { "on" } else { "off" }.to_owned(),
            Self::Record(None) => "no record".to_owned(),
            Self::Record(Some(record)) => match (&record.alias, &record.health_check) {
                (Some(alias), Some(check)) => format!("alias of {} with check {check}", alias.dns_name),
                (Some(alias), None) => format!("alias of {} without a check", alias.dns_name),
                (None, _) => format!("{} values", record.values.len()),
            },
            Self::Desired(tasks) => format!("desired {tasks}"),
            Self::Limits { min, max, suspended } => {
                let parts = [
                    (suspended.scale_in, "in"),
                    (suspended.scale_out, "out"),
                    (suspended.scheduled, "scheduled"),
                ];
                let off: Vec<&str> =
                    parts.into_iter().filter(|(off, _)| *off).map(|(_, name)| name).collect();
                let off = if off.is_empty() { "nothing".to_owned() } else { off.join("+") };
                format!("min {min}, max {max}, {off} suspended")
            }
        }
    }
}
