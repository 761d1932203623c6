//! CloudWatch alarms, and whether anybody hears them.

use super::reading::{entry, never_asked};
use super::{AlarmRow, AlarmSubject};
use crate::domain::ids::Region;
use crate::domain::observation::{Observed, SourceKind};
use crate::domain::snapshot::{AlarmState, FleetSnapshot, RegionSnapshot};
use crate::domain::text::Text;
use crate::domain::topology::Topology;

/// Rows of `region`, in the order of the topology.
pub fn alarms(topology: &Topology, snapshot: &FleetSnapshot, region: &Region) -> Vec<AlarmRow> {
    let (Some(configured), Some(observed)) = (topology.region(region), snapshot.region(region)) else {
        return Vec::new();
    };
    configured
        .alarms
        .iter()
        .map(|name| {
            let alarm =
                entry(&observed.alarms, name, SourceKind::Alarms, "cloudwatch:DescribeAlarms", region);
            AlarmRow {
                name: name.clone(),
                state: alarm.map(|alarm| alarm.state.clone()),
                reason: alarm.map(|alarm| alarm.reason.clone()),
                since: alarm.map(|alarm| alarm.since),
                subject: alarm.value().map_or(AlarmSubject::Other, |alarm| subject(topology, alarm)),
                reaches: reaches(&alarm, observed),
            }
        })
        .collect()
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

/// An alarm reaches somebody when its actions are on and one of them is a topic with a confirmed
/// subscription, or something other than a topic. A topic that was not read leaves it unknown.
fn reaches(alarm: &Observed<AlarmState>, observed: &RegionSnapshot) -> Observed<Result<(), Text>> {
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
        match observed.topics.get(action) {
            None => {
                unread =
                    Some(never_asked(SourceKind::Topics, "sns:GetTopicAttributes", Some(&observed.region)));
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
        (None, Some(topic)) => {
            alarm.map(|_| Err(format!("topic {} has no confirmed subscription", topic.short_name()).into()))
        }
        (None, None) => alarm.map(|_| Ok(())),
    }
}
