//! CloudWatch alarms, and whether anybody hears them.

use std::collections::BTreeMap;

use super::reading::{entry, never_asked};
use super::{AlarmRow, AlarmSubject};
use crate::domain::ids::{AlarmName, Arn, Region};
use crate::domain::observation::{Observed, SourceKind};
use crate::domain::snapshot::{AlarmState, FleetSnapshot, TopicState};
use crate::domain::text::Text;
use crate::domain::topology::{DNS_REGION, Topology};

/// Rows of `region`, in the order of the topology: its own, then those of us-east-1 that are about it, where
/// us-east-1 is no region of the application. What of the latter is about no region, or is not known yet,
/// stands with the first region, so that it stands somewhere and once.
pub fn alarms(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<AlarmRow> {
    let (Some(configured), Some(observed)) = (topology.region(region), snapshot.region(region)) else {
        return Vec::new();
    };
    let own = Home { region: region.clone(), alarms: &observed.alarms, topics: &observed.topics };
    let mut rows: Vec<AlarmRow> = configured.alarms.iter().map(|name| own.row(topology, name)).collect();
    let dns = &snapshot.dns;
    let global = Home { region: Region::new(DNS_REGION), alarms: &dns.alarms, topics: &dns.topics };
    let first = topology.regions.first().is_some_and(|entry| &entry.name == region);
    for name in &topology.dns.alarms {
        let mut row = global.row(topology, name);
        let here = match &row.subject {
            AlarmSubject::HealthCheck(about) => about == region,
            AlarmSubject::Serving | AlarmSubject::Link(_) | AlarmSubject::Other => {
                row.subject = AlarmSubject::Other;
                first
            }
        };
        rows.extend(here.then_some(row));
    }
    rows
}

/// Where alarms live together with the topics that they notify.
struct Home<'a> {
    region: Region,
    alarms: &'a BTreeMap<AlarmName, Observed<AlarmState>>,
    topics: &'a BTreeMap<Arn, Observed<TopicState>>,
}

impl Home<'_> {
    fn row(&self, topology: &Topology, name: &AlarmName) -> AlarmRow {
        let alarm = entry(self.alarms, name, SourceKind::Alarms, "cloudwatch:DescribeAlarms", &self.region);
        AlarmRow {
            name: name.clone(),
            home: self.region.clone(),
            state: alarm.map(|alarm| alarm.state.clone()),
            reason: alarm.map(|alarm| alarm.reason.clone()),
            since: alarm.map(|alarm| alarm.since),
            subject: alarm.value().map_or(AlarmSubject::Other, |alarm| subject(topology, alarm)),
            reaches: self.reaches(&alarm),
        }
    }

    /// An alarm reaches somebody when its actions are on and one of them is a topic with a confirmed
    /// subscription, or something other than a topic. A topic that was not read leaves it unknown.
    fn reaches(&self, alarm: &Observed<AlarmState>) -> Observed<Result<(), Text>> {
        let Some(state) = alarm.value() else { return alarm.map(|_| Ok(())) };
        if !state.actions_enabled {
            return alarm.map(|_| Err("actions are disabled".into()));
        }
        if state.actions.is_empty() {
            return alarm.map(|_| Err("it has no action".into()));
        }
        let mut unread: Option<Observed<Result<(), Text>>> = None;
        let mut silent = None;
        for action in &state.actions {
            if !action.as_str().contains(":sns:") {
                return alarm.map(|_| Ok(()));
            }
            match self.topics.get(action) {
                None => {
                    unread =
                        Some(never_asked(SourceKind::Topics, "sns:GetTopicAttributes", Some(&self.region)));
                }
                Some(topic) => match topic.value() {
                    Some(known) if known.subscriptions > 0 => return topic.map(|_| Ok(())),
                    Some(_) => silent = Some(action),
                    None => unread = Some(topic.map(|_| Ok(()))),
                },
            }
        }
        match (unread, silent) {
            (Some(unread), _) => unread,
            (None, Some(topic)) => alarm
                .map(|_| Err(format!("topic {} has no confirmed subscription", topic.short_name()).into())),
            (None, None) => alarm.map(|_| Ok(())),
        }
    }
}

fn subject(topology: &Topology, alarm: &AlarmState) -> AlarmSubject {
    let (namespace, metric) = alarm.watches.as_str().rsplit_once('/').unwrap_or_default();
    if metric.contains("Replication") || metric.starts_with("AuroraGlobalDB") {
        let named = |region: &Region| alarm.dimensions.iter().any(|value| value.as_str() == region.as_str());
        let peer = topology.regions.iter().map(|entry| &entry.name).find(|region| named(region));
        return AlarmSubject::Link(peer.cloned());
    }
    match namespace {
        "AWS/ApplicationELB" | "AWS/NetworkELB" | "AWS/ECS" | "ECS/ContainerInsights" => {
            AlarmSubject::Serving
        }
        "AWS/Route53" => topology
            .records
            .iter()
            .find(|record| {
                record.health_check.as_ref().is_some_and(|check| {
                    alarm.dimensions.iter().any(|value| value.as_str() == check.as_str())
                })
            })
            .map_or(AlarmSubject::Other, |record| AlarmSubject::HealthCheck(record.region.clone())),
        _ => AlarmSubject::Other,
    }
}
