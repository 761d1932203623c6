//! Application Recovery Controller, data plane: routing controls on five endpoints.

use serde_json::{Value, json};

use super::{JsonResult, unknown_target};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::{self, Input};
use crate::sim::world::checks::Kind;
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{ACCOUNT, Fleet, Site};
use crate::sim::world::{World, noise};

/// Regions of a cluster's five endpoints.
pub(crate) const ENDPOINT_REGIONS: [&str; 5] =
    ["us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2"];

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> JsonResult {
    let input = json::input(call)?;
    if !ENDPOINT_REGIONS.contains(&call.region.as_str()) || wired(world).is_empty() {
        return Err(Fault::with_status(404, "ResourceNotFoundException", "No cluster has an endpoint here."));
    }
    match operation {
        "GetRoutingControlState" => {
            let site = named(world, input.text("RoutingControlArn"))?;
            Ok(json!({
                "RoutingControlArn": control_arn(&world.fleet, site), "RoutingControlName": site.region,
                "RoutingControlState": state(world, call, site)}))
        }
        "ListRoutingControls" => Ok(list(world, call, &input)),
        "UpdateRoutingControlState" => {
            let entry =
                (named(world, input.text("RoutingControlArn"))?, wanted(input.text("RoutingControlState"))?);
            update(world, call, &input, &[entry])
        }
        "UpdateRoutingControlStates" => {
            let entries = input.value("UpdateRoutingControlStateEntries").and_then(Value::as_array);
            let entries = entries
                .into_iter()
                .flatten()
                .map(|entry| {
                    let text = |name: &str| entry.get(name).and_then(Value::as_str);
                    Ok((named(world, text("RoutingControlArn"))?, wanted(text("RoutingControlState"))?))
                })
                .collect::<Result<Vec<_>, Fault>>()?;
            update(world, call, &input, &entries)
        }
        _ => Err(unknown_target(operation)),
    }
}

fn panel(fleet: &Fleet) -> String {
    let id = noise::hex(fleet.seed, "control-panel", 32);
    format!("arn:aws:route53-recovery-control::{ACCOUNT}:controlpanel/{id}")
}

/// ARN of a site's routing control.
pub(crate) fn control_arn(fleet: &Fleet, site: &Site) -> String {
    let id = noise::hex(fleet.seed, &format!("routing-control/{}", site.region), 16);
    format!("{}/routingcontrol/{id}", panel(fleet))
}

/// ARN of the safety rule: at least one routing control is On.
pub(crate) fn rule_arn(fleet: &Fleet) -> String {
    format!("{}/safetyrule/{}", panel(fleet), noise::hex(fleet.seed, "safety-rule", 16))
}

/// URL of the endpoint in one of the [`ENDPOINT_REGIONS`].
pub(crate) fn endpoint(fleet: &Fleet, region: &str) -> String {
    let host = noise::hex(fleet.seed, &format!("recovery-endpoint/{region}"), 8);
    format!("https://{host}.route53-recovery-cluster.{region}.amazonaws.com/v1")
}

fn wired(world: &World) -> Vec<&Site> {
    world.fleet.sites.iter().filter(|site| world.wired(site.index, Kind::Control).is_some()).collect()
}

fn named<'a>(world: &'a World, arn: Option<&str>) -> Result<&'a Site, Fault> {
    let arn =
        arn.ok_or_else(|| Fault::sender("ValidationException", "RoutingControlArn must not be null"))?;
    wired(world).into_iter().find(|site| control_arn(&world.fleet, site) == arn).ok_or_else(|| {
        Fault::with_status(404, "ResourceNotFoundException", format!("Routing control {arn} was not found."))
    })
}

fn wanted(state: Option<&str>) -> Result<bool, Fault> {
    match state {
        Some("On") => Ok(true),
        Some("Off") => Ok(false),
        _ => Err(Fault::sender("ValidationException", "RoutingControlState must be On or Off")),
    }
}

fn state(world: &World, call: &Call, site: &Site) -> &'static str {
    if world.control(site.index, call.served) { "On" } else { "Off" }
}

fn list(world: &World, call: &Call, input: &Input) -> Value {
    let wanted = input.text("ControlPanelArn");
    let panel = panel(&world.fleet);
    let controls: Vec<Value> = wired(world)
        .into_iter()
        .filter(|_| wanted.is_none_or(|one| one == panel))
        .map(|site| {
            json!({
                "ControlPanelArn": panel, "ControlPanelName": "orders", "Owner": ACCOUNT,
                "RoutingControlArn": control_arn(&world.fleet, site), "RoutingControlName": site.region,
                "RoutingControlState": state(world, call, site)})
        })
        .collect();
    json!({"RoutingControls": controls})
}

/// Sets all states or none. A safety rule wants one On, unless it is overridden.
fn update(world: &World, call: &Call, input: &Input, entries: &[(&Site, bool)]) -> JsonResult {
    let rule = rule_arn(&world.fleet);
    let after = |site: &Site| {
        let set = entries.iter().rev().find(|(one, _)| one.index == site.index).map(|(_, on)| *on);
        set.unwrap_or_else(|| world.control(site.index, call.served))
    };
    let overridden = input.texts("SafetyRulesToOverride").contains(&rule.as_str());
    if !overridden && !wired(world).into_iter().any(after) {
        return Err(Fault::with_status(
            409,
            "ConflictException",
            format!("Safety rule {rule} (ATLEAST 1) would be violated: no routing control would be On."),
        ));
    }
    for (site, on) in entries {
        world.act(call.served, Deed::Control { site: site.index, on: *on });
    }
    Ok(json!({}))
}
