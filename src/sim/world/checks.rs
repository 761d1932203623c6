//! Route 53's health checks: which there are, how they are set, and what they say.
//!
//! What it is for: endpoint checks, calculated ones, and the switches that an evacuation may use: an object in
//! a bucket, a metric, a routing control.
//! What it must not do: answer API calls, or know what a verdict leads to.

use jiff::Timestamp;

use super::deeds::Deed;
use super::fleet::Fleet;
use super::removal::Thing;
use super::{World, noise};

/// Seconds until a changed setting has reached the name servers.
const SETTING_SECONDS: f64 = 12.0;
/// Seconds until checkers have seen an object come or go often enough.
const SWITCH_SECONDS: f64 = 35.0;
/// Seconds until a metric's value is in the stream that a check reads.
const METRIC_SECONDS: f64 = 25.0;
/// Seconds until a routing control's state is in DNS answers.
const CONTROL_SECONDS: f64 = 8.0;

/// Which evacuation switches are wired into the records' health checks. With none, a record's check is its
/// region's endpoint check; with some, it is a calculated check over the endpoint and the switches.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Wiring {
    /// An HTTPS check, inverted, on an object in a bucket of another region.
    pub switch_object: bool,
    /// A check on a custom metric in another region.
    pub switch_metric: bool,
    /// A routing control.
    pub routing_control: bool,
}

/// A health check.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// Id.
    pub id: String,
    /// The site it stands for.
    pub site: usize,
    /// What it measures.
    pub kind: Kind,
    /// The checks that a calculated one counts.
    pub children: Vec<String>,
    /// Inverted as it was made.
    pub inverted: bool,
}

/// What a health check measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The region's own name over HTTPS.
    Endpoint,
    /// An object, over HTTPS.
    Object,
    /// A metric.
    Metric,
    /// A routing control.
    Control,
    /// Other checks.
    Calculated,
}

/// How a check is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Setting {
    /// Inverted.
    pub inverted: bool,
    /// Disabled.
    pub disabled: bool,
    /// Healthy children wanted.
    pub threshold: u32,
    /// Version, which counts the updates.
    pub version: i64,
}

/// The bucket of the switch objects.
pub const SWITCH_BUCKET: &str = "orders-switches";
/// Namespace of the switch metric.
pub const SWITCH_NAMESPACE: &str = "switchtower";
/// Name of the switch metric; its dimension is `Region`.
pub const SWITCH_METRIC: &str = "evacuate";

/// The key of a region's switch object.
pub fn switch_key(region: &str) -> String {
    format!("evacuate/{region}")
}

/// Every health check of an application.
pub fn laid_out(fleet: &Fleet, wiring: Wiring) -> Vec<Check> {
    let id = |what: &str, region: &str| noise::uuid(fleet.seed, &format!("{what}/{region}"));
    let mut checks = Vec::new();
    for site in &fleet.sites {
        let (region, index) = (site.region.as_str(), site.index);
        let check =
            |id: String, kind, inverted| Check { id, site: index, kind, children: Vec::new(), inverted };
        let endpoint = check(site.health_check.clone(), Kind::Endpoint, false);
        let mut own = vec![endpoint];
        if wiring.switch_object {
            own.push(check(id("switch-object", region), Kind::Object, true));
        }
        if wiring.switch_metric {
            own.push(check(id("switch-metric", region), Kind::Metric, false));
        }
        if wiring.routing_control {
            own.push(check(id("routing-control-check", region), Kind::Control, false));
        }
        if own.len() > 1 {
            let children = own.iter().map(|check| check.id.clone()).collect();
            let calculated = check(id("calculated-check", region), Kind::Calculated, false);
            own.push(Check { children, ..calculated });
        }
        checks.extend(own);
    }
    checks
}

impl World {
    /// A health check.
    pub fn check(&self, id: &str) -> Option<&Check> {
        self.checks.iter().find(|check| check.id == id)
    }

    /// Whether a check belongs to another service and is read-only.
    pub fn linked(&self, check: &Check) -> bool {
        self.fleet.linked.contains(&self.fleet.sites[check.site].region)
    }

    /// The check of a site's records.
    pub fn record_check(&self, site: usize) -> &str {
        let own = self.checks.iter().rfind(|check| check.site == site);
        own.map_or("", |check| check.id.as_str())
    }

    /// A site's check of a kind, where it is wired.
    pub fn wired(&self, site: usize, kind: Kind) -> Option<&Check> {
        self.checks.iter().find(|check| check.site == site && check.kind == kind)
    }

    /// How a check is set at `at`.
    pub fn setting(&self, check: &Check, at: Timestamp) -> Setting {
        let mut setting = Setting {
            inverted: check.inverted,
            disabled: false,
            threshold: check.children.len() as u32,
            version: 1,
        };
        if self.calm(at) {
            return setting;
        }
        for done in self.deeds().until(at) {
            if let Deed::Check { check: id, inverted, disabled, threshold } = &done.deed
                && *id == check.id
            {
                setting.inverted = inverted.unwrap_or(setting.inverted);
                setting.disabled = disabled.unwrap_or(setting.disabled);
                setting.threshold = threshold.unwrap_or(setting.threshold);
                setting.version += 1;
            }
        }
        setting
    }

    /// Whether a check says healthy at `at`. A disabled check counts as healthy and an inverted one says the
    /// contrary of what it measures, in that order: disabled and inverted is unhealthy for good.
    pub fn check_healthy(&self, id: &str, at: Timestamp) -> bool {
        // A check that is not there is what a record without one has.
        let Some(check) = self.check(id) else { return true };
        if !self.calm(at) && self.is_gone(&Thing::Check(id.to_owned()), at - self.paced(SETTING_SECONDS)) {
            return true;
        }
        let setting = self.setting(check, at - self.paced(SETTING_SECONDS));
        let measured = setting.disabled || self.measured_healthy(check, setting.threshold, at);
        measured != setting.inverted
    }

    /// How many children of a calculated check are healthy.
    pub fn healthy_children(&self, check: &Check, at: Timestamp) -> usize {
        check.children.iter().filter(|child| self.check_healthy(child, at)).count()
    }

    fn measured_healthy(&self, check: &Check, threshold: u32, at: Timestamp) -> bool {
        match check.kind {
            Kind::Endpoint => self.verdict(check.site, at),
            // An object that is not there, or cannot be had, fails the request; the check is inverted.
            Kind::Object => self.switch_object(check.site, at - self.paced(SWITCH_SECONDS)),
            Kind::Metric => !self.switch_metric(check.site, at - self.paced(METRIC_SECONDS)),
            Kind::Control => self.control(check.site, at - self.paced(CONTROL_SECONDS)),
            Kind::Calculated => self.healthy_children(check, at) >= threshold as usize,
        }
    }

    /// Whether a site's switch object is there.
    pub fn switch_object(&self, site: usize, at: Timestamp) -> bool {
        let wanted = switch_key(&self.fleet.sites[site].region);
        self.last(at, |deed| match deed {
            Deed::Object { bucket, key, there } if bucket == SWITCH_BUCKET && *key == wanted => Some(*there),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Whether a site's switch metric says evacuate. The last value stands: the check keeps its last known
    /// status while data is missing.
    pub fn switch_metric(&self, site: usize, at: Timestamp) -> bool {
        self.last(at, |deed| match deed {
            Deed::Metric { site: of, value } if *of == site => Some(*value > 0.0),
            _ => None,
        })
        .unwrap_or(false)
    }

    /// Whether a site's routing control is On.
    pub fn control(&self, site: usize, at: Timestamp) -> bool {
        self.last(at, |deed| match deed {
            Deed::Control { site: of, on } if *of == site => Some(*on),
            _ => None,
        })
        .unwrap_or(true)
    }

    fn last<T>(&self, at: Timestamp, find: impl Fn(&Deed) -> Option<T>) -> Option<T> {
        let deeds = self.deeds();
        deeds.until(at).rev().find_map(|done| find(&done.deed))
    }

    /// Since when what was done keeps a site's records out of DNS, whatever its endpoint says; `None` when
    /// nothing does.
    pub fn evacuated_since(&self, site: usize, at: Timestamp) -> Option<Timestamp> {
        if self.calm(at) || !self.out_by_deed(site, at) {
            return None;
        }
        let mut since = at;
        for done in self.deeds().until(at).rev() {
            if !self.out_by_deed(site, done.at) {
                break;
            }
            since = done.at;
        }
        Some(since)
    }

    fn out_by_deed(&self, site: usize, at: Timestamp) -> bool {
        let Some(check) = self.check(self.record_check(site)) else { return false };
        let off = |check: &Check| {
            let setting = self.setting(check, at);
            match check.kind {
                _ if setting.disabled => setting.inverted,
                Kind::Object => self.switch_object(site, at),
                Kind::Metric => self.switch_metric(site, at),
                Kind::Control => !self.control(site, at),
                Kind::Endpoint | Kind::Calculated => setting.inverted,
            }
        };
        let children = check.children.iter().filter_map(|child| self.check(child));
        off(check) || children.into_iter().any(off) || !self.has_record(site, at)
    }

    fn has_record(&self, site: usize, at: Timestamp) -> bool {
        let region = &self.fleet.sites[site].region;
        self.records(at).iter().any(|record| record.region.as_ref() == Some(region))
    }
}
