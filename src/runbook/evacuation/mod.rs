//! Taking a region out of DNS: the wired methods as ways of one step.
//!
//! What it is for: for every record of every public name that leads to a region, the calls of each evacuation method,
//! their undo from saved values, and what proves them; in the topology's order, ways that lean on an ill failure domain
//! last. A method that covers only some of the records is completed, record by record, by those after it.
//! What it must not do: delete the last record of a name, touch a check that another service owns, or move another
//! region's users.

pub(super) mod asked;
mod cover;
mod quiet;
mod staying;
mod steps;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::condition::Condition;
use super::fact::Fact;
use super::operation::{Operation, RecordAction, RecordChange};
use super::plan::Way;
use super::situation::{View, switch_fact, words};
use crate::domain::evacuation::EvacuationMethod;
use crate::domain::ids::{Arn, HealthCheckId, HostName, Region, ZoneId};
use crate::domain::snapshot::{HealthCheckConfig, RecordSet};
use crate::domain::text::Text;
use crate::domain::topology::{Switch, SwitchWire};

pub(super) use quiet::{QUIET_MINUTES, checkers, unvisited};
pub use steps::LINGERING;
pub(super) use steps::{held_at_zero, pin, prescale, proof, written};

/// How a region can be taken out of DNS.
#[derive(Clone, Debug, PartialEq)]
pub struct Evacuation {
    /// The ways, in the order in which to try them. Empty when nothing moves anybody.
    pub ways: Vec<Way>,
    /// Public names that have records of the region.
    pub names: Vec<HostName>,
    /// Records whose users no wired method moves, or not all of them, and why, a line each.
    pub uncovered: Vec<Text>,
    /// What the operator should know about the methods, a line each.
    pub notes: Vec<Text>,
    /// The facts that shaped the ways.
    pub shaped_by: BTreeSet<Fact>,
}

/// A record set that leads to the region.
#[derive(Clone, Debug)]
pub(super) struct Target {
    zone: ZoneId,
    name: HostName,
    record_type: Text,
    set_identifier: Option<Text>,
    check: Option<HealthCheckId>,
    /// As it is in the zone, when that was read.
    live: Option<RecordSet>,
}

impl Target {
    fn label(&self) -> String {
        let identifier = self.set_identifier.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
        format!("{} {}{identifier}", self.name, self.record_type)
    }
}

/// What one method does for some of the records.
#[derive(Default)]
struct Piece {
    calls: Vec<Operation>,
    undo: Vec<Operation>,
    proofs: Vec<Condition>,
    facts: BTreeSet<Fact>,
}

/// What may be done about a region, worked out once.
struct Board<'v, 'a> {
    view: &'v View<'a>,
    region: &'v Region,
    targets: Vec<Target>,
    controls: BTreeMap<Arn, Option<HealthCheckId>>,
    objects: Vec<&'v Switch>,
    metrics: Vec<&'v Switch>,
    notes: Vec<Text>,
}

/// The ways to take `region` out of DNS, each tried for `patience` before the next.
pub fn ways(view: &View<'_>, region: &Region, patience: Duration) -> Evacuation {
    let mut board = Board::set_up(view, region);
    let wired = &view.topology.evacuation;
    let order: &[EvacuationMethod] = if wired.is_empty() { &EvacuationMethod::ALL } else { wired };
    let covered: Vec<(EvacuationMethod, Vec<usize>)> =
        order.iter().map(|method| (*method, board.covered(*method))).collect();
    for (method, records) in &covered {
        if records.is_empty() && !wired.is_empty() {
            board.notes.push(
                format!("{} is named in the topology and moves no record of {region}", method.word()).into(),
            );
        }
    }
    let mut ways: Vec<Way> = Vec::new();
    let mut shaped_by = BTreeSet::new();
    for (method, own) in covered.iter().filter(|(_, own)| !own.is_empty()) {
        let mut piece = board.piece(*method, own);
        let mut open: Vec<usize> = (0..board.targets.len()).filter(|index| !own.contains(index)).collect();
        // The others in order, so that each record gets the most independent of the methods that reach it.
        for (other, reach) in covered.iter().filter(|(other, _)| other != method) {
            let taken: Vec<usize> = open.iter().filter(|index| reach.contains(index)).copied().collect();
            if !taken.is_empty() {
                piece.join(board.piece(*other, &taken));
                open.retain(|index| !taken.contains(index));
            }
        }
        if ways.iter().any(|way| way.calls == piece.calls) {
            continue;
        }
        shaped_by.extend(piece.facts);
        let verify = match <[Condition; 1]>::try_from(piece.proofs) {
            Ok([only]) => only,
            Err(of) => Condition::All { of },
        };
        ways.push(Way { method: Some(*method), calls: piece.calls, verify, undo: piece.undo, patience });
    }
    let lapsing = board.metrics.iter().filter(|switch| board.lapses(switch));
    let lapsing =
        lapsing.filter(|_| ways.iter().any(|way| way.method == Some(EvacuationMethod::SwitchMetric)));
    let lapsing: Vec<Text> = lapsing
        .filter_map(|switch| switch.health_check.as_ref())
        .map(|check| {
            format!(
                "the switch metric holds for some minutes only: health check {check} counts as healthy without data \
                 (InsufficientDataHealthStatus Healthy); set LastKnownStatus, or hold {region} out by another way"
            )
            .into()
        })
        .collect();
    board.notes.extend(lapsing);
    let ill = |way: &Way| way.calls.first().and_then(|call| view.ailment(&call.domain())).is_some();
    ways.sort_by_key(ill);
    for way in ways.iter().filter(|way| ill(way)) {
        let error = way.calls.first().and_then(|call| view.ailment(&call.domain()));
        if let (Some(method), Some(error)) = (way.method, error) {
            let (word, why) = (method.word(), error.kind.label());
            board.notes.push(format!("{word} leans on what looks ill ({}: {why})", error.call).into());
        }
    }
    let reached: BTreeSet<usize> = covered.into_iter().flat_map(|(_, records)| records).collect();
    let mut uncovered = Vec::new();
    for (index, target) in board.targets.iter().enumerate() {
        shaped_by.insert(Fact::Records(target.zone.clone(), target.name.clone()));
        if !reached.contains(&index) {
            uncovered.push(format!("{}: {}", target.label(), board.why_not(target)).into());
        }
    }
    uncovered.extend(staying::without_default(view, &board.targets));
    uncovered.extend(staying::by_cname(view, region));
    let mut names: Vec<HostName> = Vec::new();
    for target in &board.targets {
        if !names.contains(&target.name) {
            names.push(target.name.clone());
        }
    }
    Evacuation { ways, names, uncovered, notes: board.notes, shaped_by }
}

impl Piece {
    fn join(&mut self, other: Self) {
        self.calls.extend(other.calls);
        // Newest first when undone.
        let mut undo = other.undo;
        undo.append(&mut self.undo);
        self.undo = undo;
        self.proofs.extend(other.proofs);
        self.facts.extend(other.facts);
    }
}

impl Board<'_, '_> {
    /// The calls of a method for some of the records that it reaches.
    fn piece(&self, method: EvacuationMethod, records: &[usize]) -> Piece {
        match method {
            EvacuationMethod::RoutingControl => self.by_control(),
            EvacuationMethod::SwitchObject => self.by_object(),
            EvacuationMethod::SwitchMetric => self.by_metric(),
            EvacuationMethod::HealthCheck => self.by_check(records),
            EvacuationMethod::Record => self.by_record(records),
        }
    }

    /// All routing controls of the region in one atomic call.
    fn by_control(&self) -> Piece {
        let facts = self.view;
        let mut saved = BTreeMap::new();
        let mut off = BTreeMap::new();
        let mut piece = Piece::default();
        for arn in self.controls.keys() {
            let fact = Fact::RoutingControl(arn.clone());
            saved.insert(arn.clone(), facts.facts.flag(&fact).copied().unwrap_or(true));
            off.insert(arn.clone(), false);
            piece.facts.insert(fact);
        }
        let controls = off.keys().cloned().collect();
        let steers = self.region.clone();
        piece.calls = vec![Operation::SetRoutingControls { states: off, steers: steers.clone() }];
        piece.undo = vec![Operation::SetRoutingControls { states: saved, steers }];
        piece.proofs = vec![Condition::RoutingControls { controls, on: false }];
        piece
    }

    fn by_object(&self) -> Piece {
        let mut piece = Piece::default();
        for switch in &self.objects {
            let SwitchWire::Object { bucket, key } = &switch.wire else { continue };
            let (region, steers) = (switch.home.clone(), self.region.clone());
            let fact = switch_fact(switch);
            // An object that was there before stays there after an undo.
            if self.view.facts.flag(&fact) != Some(&true) {
                piece.undo.push(Operation::DeleteSwitchObject {
                    region: region.clone(),
                    bucket: bucket.clone(),
                    key: key.clone(),
                    steers: steers.clone(),
                });
            }
            piece.calls.push(Operation::PutSwitchObject {
                region,
                bucket: bucket.clone(),
                key: key.clone(),
                steers,
            });
            let name = format!("switch object s3://{bucket}/{key}").into();
            piece.proofs.push(Condition::Flag { fact: fact.clone(), is: true, name });
            piece.facts.insert(fact);
        }
        piece
    }

    fn by_metric(&self) -> Piece {
        let mut piece = Piece::default();
        for switch in &self.metrics {
            let SwitchWire::Metric { namespace, name } = &switch.wire else { continue };
            let put = |out| Operation::PutSwitchMetric {
                region: switch.home.clone(),
                namespace: namespace.clone(),
                name: name.clone(),
                steers: self.region.clone(),
                out,
            };
            let fact = switch_fact(switch);
            if self.view.facts.flag(&fact) != Some(&true) {
                piece.undo.push(put(false));
            }
            piece.calls.push(put(true));
            piece
                .facts
                .extend(switch.health_check.clone().map(Fact::HealthCheck).filter(|_| self.lapses(switch)));
            let name = format!("switch metric {namespace}/{name}").into();
            piece.proofs.push(Condition::Flag { fact: fact.clone(), is: true, name });
            piece.facts.insert(fact);
        }
        piece
    }

    /// True for a metric whose check calls the region healthy again once its value is some minutes old.
    fn lapses(&self, switch: &Switch) -> bool {
        let config = switch.health_check.as_ref().and_then(|check| self.config(check));
        let without = config.and_then(|config| config.without_data.as_ref());
        without.is_some_and(|status| status.as_str() == "Healthy")
    }

    /// Disabled and inverted: disabled alone means healthy, and inverted alone turns healthy once the region fails.
    fn by_check(&self, records: &[usize]) -> Piece {
        let mut piece = Piece::default();
        let checks: BTreeSet<&HealthCheckId> =
            records.iter().filter_map(|index| self.targets[*index].check.as_ref()).collect();
        for check in checks {
            let config = self.config(check);
            let version = config.map(|config| config.version);
            let set = |version, inverted, disabled| Operation::SetHealthCheck {
                check: check.clone(),
                steers: self.region.clone(),
                version,
                inverted,
                disabled,
            };
            piece.calls.push(set(version, true, true));
            if let Some(config) = config {
                piece.undo.push(set(Some(config.version + 1), config.inverted, config.disabled));
            }
            piece.proofs.push(Condition::HealthCheckFlags {
                check: check.clone(),
                inverted: true,
                disabled: true,
            });
            piece.facts.insert(Fact::HealthCheck(check.clone()));
        }
        piece
    }

    /// The exact sets, one transaction a zone.
    fn by_record(&self, records: &[usize]) -> Piece {
        let mut piece = Piece::default();
        let mut zones: BTreeMap<&ZoneId, Vec<&RecordSet>> = BTreeMap::new();
        for target in records.iter().map(|index| &self.targets[*index]) {
            let Some(live) = &target.live else { continue };
            zones.entry(&target.zone).or_default().push(live);
            piece.proofs.push(Condition::Record {
                zone: target.zone.clone(),
                name: target.name.clone(),
                record_type: target.record_type.clone(),
                set_identifier: target.set_identifier.clone(),
                is: None,
            });
            piece.facts.insert(Fact::Records(target.zone.clone(), target.name.clone()));
        }
        for (zone, sets) in zones {
            let all = |action| Operation::ChangeRecords {
                zone: zone.clone(),
                steers: self.region.clone(),
                changes: sets.iter().map(|set| RecordChange { action, record: (*set).clone() }).collect(),
            };
            piece.calls.push(all(RecordAction::Delete));
            piece.undo.push(all(RecordAction::Upsert));
        }
        piece
    }

    fn config(&self, check: &HealthCheckId) -> Option<&HealthCheckConfig> {
        self.view.facts.health_check(&Fact::HealthCheck(check.clone()))
    }

    /// Why no method moves a record.
    fn why_not(&self, target: &Target) -> String {
        let mut reasons = Vec::new();
        match &target.check {
            None => reasons.push("it has no health check".to_owned()),
            Some(check) => {
                if let Some(why) = self.unusable(check) {
                    reasons.push(why);
                }
            }
        }
        match &target.live {
            None => reasons.push("its record set was never read".to_owned()),
            Some(_) if self.is_last(target) => reasons.push("it is the last record of its name".to_owned()),
            Some(_) => {}
        }
        words::list(reasons)
    }
}
