//! What is asked before a region is evacuated: of the operator, and of AWS.
//!
//! What it is for: the region of a run, checked against the topology, and the facts that drain and failover read.
//! What it must not do: want anything that planning could not do without.

use super::super::catalog::PlanError;
use crate::domain::Topology;
use crate::domain::ids::{HostName, Region};
use crate::domain::topology::{ACTED_PARTITION, SwitchWire};
use crate::runbook::fact::Fact;
use crate::runbook::params::Params;
use crate::runbook::situation::{groups_of, names_of, scopes, switch_fact};

/// The region that is to go, when there is such a region and another one to go to.
pub(in crate::runbook) fn region(topology: &Topology, params: &Params) -> Result<Region, PlanError> {
    let regions = || topology.regions.iter().map(|entry| &entry.name);
    let known = || regions().map(Region::as_str).collect::<Vec<_>>().join(", ");
    let Some(region) = &params.region else {
        return Err(PlanError::Params(
            format!("say which region with --region; there are {}", known()).into(),
        ));
    };
    if topology.region(region).is_none() {
        let message = format!("there is no region {region} in this application; there are {}", known());
        return Err(PlanError::Params(message.into()));
    }
    if let Some(to) = &params.to {
        if to == region {
            return Err(PlanError::Params(format!("--to {to} is the region that is to go").into()));
        }
        if topology.region(to).is_none() {
            return Err(PlanError::Params(format!("there is no region {to}; there are {}", known()).into()));
        }
    }
    if regions().count() < 2 {
        return Err(PlanError::Impossible(format!("{region} is the only region").into()));
    }
    if !topology.may_act() {
        let message = format!(
            "this topology is observed only: its partition is not {ACTED_PARTITION}, or something else than load balancers stands in front"
        );
        return Err(PlanError::Impossible(message.into()));
    }
    Ok(region.clone())
}

/// Everything that shapes an evacuation or speaks for or against it.
pub(in crate::runbook) fn facts(topology: &Topology, params: &Params) -> Vec<Fact> {
    let Some(out) = &params.region else { return Vec::new() };
    let mut wants: Vec<Fact> = scopes(topology).into_iter().map(Fact::Identity).collect();
    for entry in &topology.regions {
        let region = || entry.name.clone();
        for service in &entry.services {
            wants.push(Fact::Service(region(), service.key.clone()));
            if service.scalable {
                wants.push(Fact::Scaling(region(), service.key.clone()));
            }
            if &entry.name != out {
                wants.push(Fact::Dependencies(region(), service.key.clone()));
                wants.push(Fact::TaskSize(region(), service.key.clone()));
                wants.push(Fact::Subnets(region(), service.key.clone()));
            }
        }
        wants
            .extend(groups_of(topology, &entry.name).into_iter().map(|group| Fact::Targets(region(), group)));
        wants.push(Fact::Probe(region()));
        wants.push(Fact::Requests(region()));
        wants.push(Fact::Errors(region()));
        if &entry.name == out {
            wants.extend(entry.load_balancers.iter().map(|lb| Fact::KeepAlive(region(), lb.arn.clone())));
        } else {
            wants.push(Fact::VcpuQuota(region()));
        }
    }
    for global in &topology.aurora {
        for member in &global.members {
            wants.push(Fact::GlobalCluster(member.region.clone(), global.id.clone()));
            wants.push(Fact::DbCluster(member.region.clone(), member.id.clone()));
            if &member.region != out {
                wants.push(Fact::RpoLag(member.region.clone(), member.id.clone()));
            }
        }
    }
    wants.extend(topology.health_checks().into_iter().map(Fact::HealthCheck));
    // Whether a switch metric lasts stands in its check.
    let metrics = topology.switches.iter().filter(|switch| &switch.region == out);
    let metrics = metrics.filter(|switch| matches!(switch.wire, SwitchWire::Metric { .. }));
    wants.extend(metrics.filter_map(|switch| switch.health_check.clone()).map(Fact::HealthCheck));
    let names = names_of(topology, out);
    for record in topology.records.iter().filter(|record| names.contains(&record.name)) {
        wants.push(Fact::Records(record.zone_id.clone(), record.name.clone()));
    }
    // A name of which the topology has no record may be led here by a CNAME, which no method moves: that must be told.
    let unrecorded = |name: &HostName| topology.records.iter().all(|record| &record.name != name);
    for host in topology.hostnames.iter().filter(|host| unrecorded(&host.name)) {
        wants.extend(host.zone_id.clone().map(|zone| Fact::Records(zone, host.name.clone())));
    }
    let controls = topology.arc.iter().flat_map(|arc| &arc.routing_controls);
    wants.extend(controls.map(|control| Fact::RoutingControl(control.arn.clone())));
    wants.extend(topology.switches.iter().map(switch_fact));
    wants.extend(names.into_iter().map(Fact::Answers));
    let mut once = std::collections::BTreeSet::new();
    wants.retain(|fact| once.insert(fact.clone()));
    wants
}
