//! What is wired in a world to take a region out of service.
//!
//! What it is for: telling a topology, or a test, which switches there are and how they are reached.
//! What it must not do: throw them.

use super::Sim;
use super::services::{ENDPOINT_REGIONS, control_arn, endpoint, rule_arn};
use super::world::checks::{Kind, SWITCH_BUCKET, SWITCH_METRIC, SWITCH_NAMESPACE, switch_key};
use super::world::fleet::LeaseTable;
use crate::domain::ids::{HealthCheckId, Region};

/// The evacuation switches of a world. What is not wired is absent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EvacuationWiring {
    /// The health check of each region's records, in the order of the regions.
    pub record_checks: Vec<(Region, HealthCheckId)>,
    /// Each region's endpoint check, which is the record's own when nothing else is wired.
    pub endpoint_checks: Vec<(Region, HealthCheckId)>,
    /// Objects: there means out of service.
    pub switch_object: Option<SwitchObjects>,
    /// Metric: above zero means out of service.
    pub switch_metric: Option<SwitchMetric>,
    /// Routing controls: Off means out of service.
    pub routing_control: Option<RoutingControls>,
    /// The lease table.
    pub lease: LeaseTable,
}

/// Switch objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchObjects {
    /// Region of the bucket.
    pub region: Region,
    /// Bucket.
    pub bucket: String,
    /// Each region's key.
    pub keys: Vec<(Region, String)>,
}

/// The switch metric; its dimension `Region` names the region to evacuate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwitchMetric {
    /// Region in which it is put.
    pub region: Region,
    /// Namespace.
    pub namespace: String,
    /// Name.
    pub name: String,
}

/// Routing controls of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoutingControls {
    /// The five endpoints: region and URL.
    pub endpoints: Vec<(Region, String)>,
    /// Each region's routing control, by ARN.
    pub controls: Vec<(Region, String)>,
    /// ARN of the safety rule, which wants at least one On.
    pub safety_rule: String,
}

impl Sim {
    /// What is wired in this world to take a region out of service, and where the lease is.
    pub fn evacuation(&self) -> EvacuationWiring {
        let world = self.world();
        let fleet = &world.fleet;
        let each = |of: &dyn Fn(usize) -> String| -> Vec<(Region, String)> {
            fleet.sites.iter().map(|site| (Region::new(&site.region), of(site.index))).collect()
        };
        let checks = |of: &dyn Fn(usize) -> String| -> Vec<(Region, HealthCheckId)> {
            each(of).into_iter().map(|(region, id)| (region, HealthCheckId::new(&id))).collect()
        };
        let wired = |kind: Kind| world.checks.iter().any(|check| check.kind == kind);
        EvacuationWiring {
            record_checks: checks(&|site| world.record_check(site).to_owned()),
            endpoint_checks: checks(&|site| fleet.sites[site].health_check.clone()),
            switch_object: wired(Kind::Object).then(|| SwitchObjects {
                region: Region::new(&fleet.switch_region),
                bucket: SWITCH_BUCKET.to_owned(),
                keys: each(&|site| switch_key(&fleet.sites[site].region)),
            }),
            switch_metric: wired(Kind::Metric).then(|| SwitchMetric {
                region: Region::new(&fleet.switch_region),
                namespace: SWITCH_NAMESPACE.to_owned(),
                name: SWITCH_METRIC.to_owned(),
            }),
            routing_control: wired(Kind::Control).then(|| RoutingControls {
                endpoints: ENDPOINT_REGIONS
                    .iter()
                    .map(|region| (Region::new(region), endpoint(fleet, region)))
                    .collect(),
                controls: each(&|site| control_arn(fleet, &fleet.sites[site])),
                safety_rule: rule_arn(fleet),
            }),
            lease: fleet.lease.clone(),
        }
    }
}
