//! Rules for what steers users: health checks, record sets, routing controls, switches, and plain flags.
//!
//! What it is for: comparing settings exactly. What it must not do: take a setting for its effect; whether users
//! moved is told by DNS answers and traffic (`traffic`).

use super::Judgement;
use super::proof::{Proof, Ruling, all, holds, missing, never, not_yet, so_far, strange, unknown};
use super::words::{counted, flags, on_off, record, thing};
use crate::domain::ids::{Arn, HealthCheckId, HostName, Region, TableName, ZoneId};
use crate::domain::snapshot::RecordSet;
use crate::domain::text::Text;
use crate::runbook::fact::{Fact, Known};

impl Proof<'_> {
    pub(super) fn health_check_flags(&self, check: &HealthCheckId, inverted: bool, disabled: bool) -> Ruling {
        let fact = Fact::HealthCheck(check.clone());
        let seen = match self.known(&fact)? {
            Known::HealthCheck(seen) => seen,
            Known::Absent => return Ok(missing(&fact)),
            _ => return Ok(strange(&fact)),
        };
        let now = format!("flags {}, version {}", flags(seen.inverted, seen.disabled), seen.version);
        if (seen.inverted, seen.disabled) == (inverted, disabled) {
            return Ok(holds(now));
        }
        if let Some(owner) = &seen.linked_service {
            return Ok(never(format!("{now}; the check belongs to {owner}, which alone may change it")));
        }
        let trap = match (seen.inverted, seen.disabled) {
            (false, true) => " (which counts as healthy)",
            (true, false) => " (which turns healthy when the endpoint fails)",
            (true, true) | (false, false) => "",
        };
        Ok(not_yet(format!("{now}{trap}; wanted {}", flags(inverted, disabled))))
    }

    pub(super) fn routing_controls(&self, controls: &[Arn], on: bool) -> Judgement {
        if controls.is_empty() {
            return never("no routing control is named");
        }
        let mut unread = Vec::new();
        let mut right = 0;
        for control in controls {
            let fact = Fact::RoutingControl(control.clone());
            match self.known(&fact) {
                Ok(Known::Flag(seen)) => right += usize::from(*seen == on),
                Ok(Known::Absent) => unread.push(missing(&fact)),
                Ok(_) => unread.push(strange(&fact)),
                Err(early) => unread.push(early),
            }
        }
        let whole = controls.len();
        if !unread.is_empty() {
            all(&unread)
        } else if right == whole {
            holds(format!("{} {}", counted(whole, "routing control"), on_off(on)))
        } else {
            let progress = format!("{right} of {} {}", counted(whole, "routing control"), on_off(on));
            so_far(progress, right as f64, whole as f64)
        }
    }

    pub(super) fn flag(&self, fact: &Fact, is: bool, name: &Text) -> Ruling {
        // What does not exist is not switched on and not protected: a cleanup that is taken up again passes.
        if self.absent(fact) {
            return Ok(match (is, fact) {
                (false, _) => holds(format!("{name} does not exist")),
                (true, Fact::SwitchObject(..)) => not_yet(format!("{name} does not exist")),
                (true, _) => missing(fact),
            });
        }
        let seen = match self.known(fact)? {
            Known::Flag(seen) => *seen,
            Known::Table(table) => table.deletion_protection,
            Known::GlobalCluster(global) => global.deletion_protection,
            Known::Present if matches!(fact, Fact::SwitchObject(..)) => true,
            Known::Number(value) if matches!(fact, Fact::SwitchMetric(..)) => match *value {
                1.0 => true,
                0.0 => false,
                value => return Ok(unknown(format!("{name} is {value}, neither 0 nor 1"))),
            },
            Known::Number(versions) if matches!(fact, Fact::Bucket(..)) => *versions > 0.0,
            _ => return Ok(strange(fact)),
        };
        let word = if seen { "on" } else { "off" };
        Ok(if seen == is {
            holds(format!("{name} is {word}"))
        } else {
            not_yet(format!("{name} is still {word}"))
        })
    }

    pub(super) fn record(
        &self,
        zone: &ZoneId,
        name: &HostName,
        record_type: &Text,
        set_identifier: Option<&Text>,
        is: Option<&RecordSet>,
    ) -> Ruling {
        let fact = Fact::Records(zone.clone(), name.clone());
        let sets = match self.known(&fact)? {
            Known::Records(sets) => sets.as_slice(),
            Known::Absent => &[],
            _ => return Ok(strange(&fact)),
        };
        let what = record(name.as_str(), record_type.as_str(), set_identifier.map(Text::as_str));
        let found = sets.iter().find(|set| {
            &set.name == name
                && &set.record_type == record_type
                && set.set_identifier.as_ref() == set_identifier
        });
        Ok(match (found, is) {
            (None, None) => holds(format!("{what} is not in the zone")),
            (Some(_), None) => not_yet(format!("{what} is still in the zone")),
            (None, Some(_)) => not_yet(format!("{what} is not in the zone")),
            (Some(found), Some(is)) if found == is => holds(format!("{what} is as planned")),
            (Some(found), Some(is)) => not_yet(format!("{what} differs: {}", difference(found, is))),
        })
    }

    /// The replica is gone. A list may or may not hold the asked region itself, so that its own is told by the
    /// table, not by the list.
    pub(super) fn no_replica(&self, ask: &Region, table: &TableName, replica: &Region) -> Ruling {
        let fact = Fact::Table(ask.clone(), table.clone());
        if self.absent(&fact) {
            return Ok(holds(format!("{} does not exist", thing(&fact))));
        }
        let Known::Table(state) = self.known(&fact)? else { return Ok(strange(&fact)) };
        if ask == replica {
            return Ok(not_yet(format!("{} is {}", thing(&fact), state.status)));
        }
        Ok(match state.replicas.iter().find(|listed| &listed.region == replica) {
            None => holds(format!("table {table} has no replica in {replica}")),
            Some(listed) => not_yet(format!("replica of {table} in {replica} is {}", listed.status)),
        })
    }
}

/// The first few fields that differ, `health check hc-us, wanted none`.
fn difference(seen: &RecordSet, wanted: &RecordSet) -> String {
    let mut parts = Vec::new();
    let mut compare = |field: &str, seen: String, wanted: String| {
        if seen != wanted {
            parts.push(format!("{field} {seen}, wanted {wanted}"));
        }
    };
    let alias = |set: &RecordSet| {
        set.alias.as_ref().map_or_else(
            || "none".to_owned(),
            |alias| {
                let evaluated = if alias.evaluate_target_health { "evaluated" } else { "not evaluated" };
                format!("{} in {}, {evaluated}", alias.dns_name, alias.zone_id)
            },
        )
    };
    compare("target", alias(seen), alias(wanted));
    compare("health check", named(seen.health_check.as_ref()), named(wanted.health_check.as_ref()));
    compare("weight", named(seen.weight.as_ref()), named(wanted.weight.as_ref()));
    compare("policy", format!("{:?}", seen.policy), format!("{:?}", wanted.policy));
    compare("selector", named(seen.selector.as_ref()), named(wanted.selector.as_ref()));
    compare("TTL", named(seen.ttl.as_ref()), named(wanted.ttl.as_ref()));
    compare("values", super::words::joined(&seen.values, " "), super::words::joined(&wanted.values, " "));
    compare("zone", seen.zone_id.to_string(), wanted.zone_id.to_string());
    parts.join("; ")
}

fn named<T: std::fmt::Display>(value: Option<&T>) -> String {
    value.map_or_else(|| "none".to_owned(), ToString::to_string)
}
