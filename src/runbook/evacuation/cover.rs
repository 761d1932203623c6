//! Which method reaches which record.
//!
//! What it is for: the records that lead to a region, as they are in the zone where that was read, and the rules by
//! which a method moves one of them. What it must not do: make calls out of that; the module above does.

use std::collections::BTreeMap;

use super::{Board, Target};
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::{HealthCheckId, Region};
use crate::domain::snapshot::RecordSet;
use crate::domain::topology::{Record, SwitchWire};
use crate::runbook::fact::{Fact, Known};
use crate::runbook::situation::{View, is_public, words};

impl<'v, 'a> Board<'v, 'a> {
    pub(super) fn set_up(view: &'v View<'a>, region: &'v Region) -> Self {
        let topology = view.topology;
        let arc = topology.arc.iter().flat_map(|arc| &arc.routing_controls);
        let controls = arc
            .filter(|control| &control.region == region)
            .map(|control| (control.arn.clone(), control.health_check.clone()))
            .collect::<BTreeMap<_, _>>();
        let mut notes = Vec::new();
        let (mut objects, mut metrics) = (Vec::new(), Vec::new());
        for switch in topology.switches.iter().filter(|switch| &switch.region == region) {
            if &switch.home == region {
                notes.push(
                    format!("the switch in {region} itself is not used: it fails with the region").into(),
                );
                continue;
            }
            match &switch.wire {
                SwitchWire::Object { .. } => objects.push(switch),
                SwitchWire::Metric { .. } => metrics.push(switch),
            }
        }
        let targets = targets(view, region);
        let mut board = Self { view, region, targets, controls, objects, metrics, notes };
        let mut told: Vec<&HealthCheckId> = Vec::new();
        let mut lines = Vec::new();
        for check in board.targets.iter().filter_map(|target| target.check.as_ref()) {
            if !told.contains(&check) {
                told.push(check);
                if let Some(why) = board.unusable(check) {
                    lines.push(format!("health check {check} is not used: {why}").into());
                }
                if board.config(check).is_none() {
                    lines.push(
                        format!("health check {check} was never read: its flags are saved when it is set")
                            .into(),
                    );
                }
            }
        }
        board.notes.extend(lines);
        board
    }

    /// The records that a method moves, by their index.
    pub(super) fn covered(&self, method: EvacuationMethod) -> Vec<usize> {
        let reaches = |target: &Target| match method {
            EvacuationMethod::RoutingControl => {
                self.controls.values().any(|child| self.is_wired(target, child.as_ref()))
            }
            EvacuationMethod::SwitchObject => {
                self.objects.iter().any(|switch| self.is_wired(target, switch.health_check.as_ref()))
            }
            EvacuationMethod::SwitchMetric => {
                self.metrics.iter().any(|switch| self.is_wired(target, switch.health_check.as_ref()))
            }
            EvacuationMethod::HealthCheck => {
                target.check.as_ref().is_some_and(|check| self.unusable(check).is_none())
                    && !self.is_alone(target)
            }
            EvacuationMethod::Record => target.live.is_some() && !self.is_last(target),
        };
        (0..self.targets.len()).filter(|index| reaches(&self.targets[*index])).collect()
    }

    /// True when a switch's child check decides about the record: it is the record's own, or a child of it. What was
    /// never read is believed of the topology.
    fn is_wired(&self, target: &Target, child: Option<&HealthCheckId>) -> bool {
        let Some(check) = &target.check else { return false };
        if self.is_alone(target) {
            return false;
        }
        match (child, self.config(check)) {
            (None, _) | (Some(_), None) => true,
            (Some(child), Some(config)) => child == check || config.children.contains(child),
        }
    }

    /// Why a check must not be set: another service owns it, or it decides about other regions too.
    pub(super) fn unusable(&self, check: &HealthCheckId) -> Option<String> {
        let config = self.config(check);
        if let Some(owner) = config.and_then(|config| config.linked_service.as_ref()) {
            return Some(format!("{owner} owns it, which makes it read-only"));
        }
        let others = self.moves_beside(check);
        (!others.is_empty()).then(|| format!("it would also move {}", words::list(others)))
    }

    /// Records of other regions that hang on a check, directly or as a child of theirs.
    fn moves_beside(&self, check: &HealthCheckId) -> Vec<String> {
        let topology = self.view.topology;
        let hangs_on = |own: &HealthCheckId| {
            own == check || self.config(own).is_some_and(|config| config.children.contains(check))
        };
        let mut moved = Vec::new();
        for record in topology.records.iter().filter(|record| &record.region != self.region) {
            if record.health_check.as_ref().is_some_and(hangs_on) {
                moved.push(format!("{} {} of {}", record.name, record.record_type, record.region));
            }
        }
        for (fact, seen) in self.view.facts.iter() {
            let (Fact::Records(..), Some(Known::Records(sets))) = (fact, seen.value()) else { continue };
            for set in sets {
                let ours = self.targets.iter().any(|target| is_set(target, set));
                let told = topology.records.iter().any(|record| is(record, set));
                if !ours && !told && set.health_check.as_ref().is_some_and(hangs_on) {
                    moved.push(format!("{} {}", set.name, set.record_type));
                }
            }
        }
        moved
    }

    /// True when the record is the only one of its name and type: Route 53 answers it whatever its health.
    fn is_alone(&self, target: &Target) -> bool {
        let topology = self.view.topology;
        match self.sets(target) {
            Some(sets) => !sets.iter().any(|set| same_name(target, set) && !self.leads_here(set)),
            None => !topology.records.iter().any(|record| {
                record.name == target.name
                    && record.record_type == target.record_type.as_str()
                    && &record.region != self.region
            }),
        }
    }

    /// True when deleting the region's records of this name and type would leave none.
    pub(super) fn is_last(&self, target: &Target) -> bool {
        self.is_alone(target)
    }

    fn sets(&self, target: &Target) -> Option<&Vec<RecordSet>> {
        self.view.facts.records(&Fact::Records(target.zone.clone(), target.name.clone()))
    }

    fn leads_here(&self, set: &RecordSet) -> bool {
        self.targets.iter().any(|target| is_set(target, set))
    }
}

fn is(record: &Record, set: &RecordSet) -> bool {
    set.zone_id == record.zone_id
        && set.name == record.name
        && set.record_type.as_str() == record.record_type
        && set.set_identifier == record.set_identifier
}

fn is_set(target: &Target, set: &RecordSet) -> bool {
    set.zone_id == target.zone && same_name(target, set) && set.set_identifier == target.set_identifier
}

fn same_name(target: &Target, set: &RecordSet) -> bool {
    set.name == target.name && set.record_type == target.record_type
}

/// Every A and AAAA record of a public name that leads to the region: those that the topology names, as they are in
/// the zone where that was read, and those in the zone that the topology does not know.
fn targets(view: &View<'_>, region: &Region) -> Vec<Target> {
    let topology = view.topology;
    let mut targets: Vec<Target> = Vec::new();
    for record in topology.records.iter().filter(|record| &record.region == region) {
        if !is_public(topology, record) {
            continue;
        }
        let fact = Fact::Records(record.zone_id.clone(), record.name.clone());
        let sets = view.facts.records(&fact);
        let live = sets.and_then(|sets| sets.iter().find(|set| is(record, set)));
        // A record that is gone leads nobody anywhere; one that was seen only long ago may be back.
        if sets.is_some() && live.is_none() && view.is_fresh(&fact) {
            continue;
        }
        targets.push(Target {
            zone: record.zone_id.clone(),
            name: record.name.clone(),
            record_type: record.record_type.as_str().into(),
            set_identifier: record.set_identifier.clone(),
            check: live.map_or(&record.health_check, |set| &set.health_check).clone(),
            live: live.cloned(),
        });
    }
    let balancers = topology.region(region).map_or(&[][..], |entry| &entry.load_balancers);
    for (fact, seen) in view.facts.iter() {
        let (Fact::Records(..), Some(Known::Records(sets))) = (fact, seen.value()) else { continue };
        for set in sets {
            let kind = set.record_type.as_str();
            let here = set
                .alias
                .as_ref()
                .is_some_and(|alias| balancers.iter().any(|lb| lb.dns_name == alias.dns_name));
            let public = topology.hostnames.iter().any(|host| host.name == set.name);
            let known = targets.iter().any(|target| is_set(target, set))
                || topology.records.iter().any(|record| is(record, set));
            if (kind == "A" || kind == "AAAA") && here && public && !known {
                targets.push(Target {
                    zone: set.zone_id.clone(),
                    name: set.name.clone(),
                    record_type: set.record_type.clone(),
                    set_identifier: set.set_identifier.clone(),
                    check: set.health_check.clone(),
                    live: Some(set.clone()),
                });
            }
        }
    }
    targets
}
