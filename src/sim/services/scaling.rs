//! Application Auto Scaling.

use serde_json::{Value, json};

use super::{JsonResult, unknown_target};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::{self, Input, time};
use crate::sim::wire::query::page;
use crate::sim::world::capacity::Cause;
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{ACCOUNT, CLUSTER};
use crate::sim::world::removal::Thing;
use crate::sim::world::{World, before, noise};

const DIMENSION: &str = "ecs:service:DesiredCount";

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> JsonResult {
    let input = json::input(call)?;
    match operation {
        "DescribeScalableTargets" => targets(world, call, &input),
        "DescribeScalingActivities" => activities(world, call, &input),
        "RegisterScalableTarget" => register(world, call, &input),
        "DeregisterScalableTarget" => deregister(world, call, &input),
        _ => Err(unknown_target(operation)),
    }
}

fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationException", message)
}

/// The services that the request asks for: all, or those of the ids given. Namespaces other than `ecs`
/// have no targets here.
fn wanted(world: &World, call: &Call, input: &Input, ids: &[&str]) -> Result<Vec<usize>, Fault> {
    let namespace = input.text("ServiceNamespace").ok_or_else(|| {
        invalid("1 validation error detected: Value null at 'serviceNamespace' failed to satisfy constraint: Member must not be null")
    })?;
    if ids.len() > 50 {
        return Err(invalid(
            "1 validation error detected: Value at 'resourceIds' failed to satisfy constraint: Member must have length less than or equal to 50",
        ));
    }
    if input.text("ScalableDimension").is_some() && ids.is_empty() {
        return Err(invalid("ResourceId must be specified when ScalableDimension is given"));
    }
    let elsewhere = namespace != "ecs" || input.text("ScalableDimension").is_some_and(|one| one != DIMENSION);
    if elsewhere || world.fleet.site(&call.region).is_none() {
        return Ok(Vec::new());
    }
    Ok((0..world.fleet.services.len())
        .filter(|service| ids.is_empty() || ids.contains(&resource_id(world, *service).as_str()))
        .collect())
}

fn resource_id(world: &World, service: usize) -> String {
    format!("service/{CLUSTER}/{}", world.fleet.services[service].name)
}

fn size(input: &Input) -> Result<usize, Fault> {
    match input.number("MaxResults") {
        None => Ok(50),
        Some(n) if (1..=50).contains(&n) => Ok(n as usize),
        Some(_) => Err(invalid("MaxResults must be between 1 and 50")),
    }
}

fn bad_token() -> Fault {
    Fault::sender("InvalidNextTokenException", "The next token supplied was invalid")
}

fn targets(world: &World, call: &Call, input: &Input) -> JsonResult {
    let mut services = wanted(world, call, input, &input.texts("ResourceIds"))?;
    let site = world.fleet.site(&call.region).map_or(0, |site| site.index);
    services.retain(|service| !world.is_gone(&Thing::Scaling(site, *service), call.now));
    let (page, next) = page(&services, input.text("NextToken"), size(input)?, bad_token)?;
    let listed: Vec<Value> = page
        .iter()
        .map(|service| {
            let spec = &world.fleet.services[*service];
            let name = format!("scalable-target/{}/{}", call.region, spec.name);
            let limits = world.limits(site, *service, call.now);
            let [scale_in, scale_out, scheduled] = limits.suspended;
            json!({
                "ServiceNamespace": "ecs", "ResourceId": resource_id(world, *service),
                "ScalableDimension": DIMENSION, "MinCapacity": limits.min, "MaxCapacity": limits.max,
                "RoleARN": format!("arn:aws:iam::{ACCOUNT}:role/aws-service-role/ecs.application-autoscaling.amazonaws.com/AWSServiceRoleForApplicationAutoScaling_ECSService"),
                "CreationTime": time(world.fleet.born),
                "SuspendedState": {
                    "DynamicScalingInSuspended": scale_in, "DynamicScalingOutSuspended": scale_out,
                    "ScheduledScalingSuspended": scheduled},
                "ScalableTargetARN": target_arn(world, call, &name),
            })
        })
        .collect();
    let mut body = json!({"ScalableTargets": listed});
    if let Some(next) = next {
        body["NextToken"] = next.into();
    }
    Ok(body)
}

/// Changes of the desired count in the last two hours, found by looking minute by minute.
fn activities(world: &World, call: &Call, input: &Input) -> JsonResult {
    let ids: Vec<&str> = input.text("ResourceId").into_iter().collect();
    let services = wanted(world, call, input, &ids)?;
    let site = world.fleet.site(&call.region).map(|site| site.index);
    let mut found: Vec<Value> = Vec::new();
    for service in services {
        let Some(site) = site else { continue };
        let resource = resource_id(world, service);
        if world.touched(site, service, call.now) {
            found.extend(recorded(world, call, site, service));
            continue;
        }
        let mut later = world.desired(site, service, call.now);
        for minute in 1..120 {
            let at = before(call.now, minute * 60);
            let earlier = world.desired(site, service, at);
            if earlier != later {
                let direction = if later > earlier { "AlarmHigh" } else { "AlarmLow" };
                found.push(json!({
                    "ActivityId": noise::uuid(world.seed, &format!("activity/{resource}/{}", at.as_second() / 60)),
                    "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DIMENSION,
                    "Description": format!("Setting desired count to {later}."),
                    "Cause": format!("monitor alarm TargetTracking-{resource}-{direction} in state ALARM triggered policy cpu-target"),
                    "StartTime": time(at), "EndTime": time(before(at, -35)), "StatusCode": "Successful",
                    "StatusMessage": format!("Successfully set desired count to {later}. Change successfully fulfilled by ecs."),
                }));
            }
            later = earlier;
        }
    }
    let (page, next) = page(&found, input.text("NextToken"), size(input)?, bad_token)?;
    let mut body = json!({"ScalingActivities": page});
    if let Some(next) = next {
        body["NextToken"] = next.into();
    }
    Ok(body)
}

fn target_arn(world: &World, call: &Call, name: &str) -> String {
    let id = noise::hex(world.seed, name, 36);
    format!("arn:aws:application-autoscaling:{}:{ACCOUNT}:scalable-target/{id}", call.region)
}

/// What auto scaling did to a service that somebody touched, newest first.
fn recorded(world: &World, call: &Call, site: usize, service: usize) -> Vec<Value> {
    let resource = resource_id(world, service);
    let moments = world.history(site, service, call.now);
    let mut found: Vec<Value> = moments
        .windows(2)
        .filter(|pair| pair[0].desired != pair[1].desired && pair[1].cause != Cause::Service)
        .map(|pair| {
            let (at, later) = (pair[1].at, pair[1].desired);
            let cause = match pair[1].cause {
                Cause::High => {
                    format!("monitor alarm TargetTracking-{resource}-AlarmHigh in state ALARM triggered policy cpu-target")
                }
                Cause::Low => {
                    format!("monitor alarm TargetTracking-{resource}-AlarmLow in state ALARM triggered policy cpu-target")
                }
                _ if later > pair[0].desired => format!("minimum capacity was set to {}", pair[1].limits.min),
                _ => format!("maximum capacity was set to {}", pair[1].limits.max),
            };
            json!({
                "ActivityId": noise::uuid(world.seed, &format!("activity/{resource}/{}", at.as_second())),
                "ServiceNamespace": "ecs", "ResourceId": resource, "ScalableDimension": DIMENSION,
                "Description": format!("Setting desired count to {later}."), "Cause": cause,
                "StartTime": time(at), "EndTime": time(before(at, -5)), "StatusCode": "Successful",
                "StatusMessage": format!("Successfully set desired count to {later}. Change successfully fulfilled by ecs."),
            })
        })
        .collect();
    found.reverse();
    found
}

/// Creates a target or changes the settings that are given; then the present capacity is pulled within them.
fn register(world: &World, call: &Call, input: &Input) -> JsonResult {
    let resource = input.text("ResourceId").ok_or_else(|| {
        invalid("1 validation error detected: Value null at 'resourceId' failed to satisfy constraint: Member must not be null")
    })?;
    if input.text("ScalableDimension") != Some(DIMENSION) || input.text("ServiceNamespace") != Some("ecs") {
        return Err(invalid("Unsupported service namespace, resource type or scalable dimension"));
    }
    let service = wanted(world, call, input, &[resource])?.first().copied();
    let (Some(service), Some(site)) = (service, world.fleet.site(&call.region)) else {
        return Err(invalid(format!("ECS service doesn't exist: {resource}")));
    };
    let number = |name: &str| -> Result<Option<i32>, Fault> {
        match input.number(name) {
            None => Ok(None),
            Some(n) if n >= 0 => Ok(i32::try_from(n).ok()),
            Some(n) => Err(invalid(format!(
                "1 validation error detected: Value '{n}' at '{name}' failed to satisfy constraint: Member must have value greater than or equal to 0"
            ))),
        }
    };
    let (min, max) = (number("MinCapacity")?, number("MaxCapacity")?);
    let present = world.limits(site.index, service, call.served);
    if min.unwrap_or(present.min) > max.unwrap_or(present.max) {
        return Err(invalid("Maximum capacity cannot be less than minimum capacity"));
    }
    let state = input.value("SuspendedState");
    let flag = |name: &str| state.and_then(|state| state.get(name)).and_then(Value::as_bool);
    let suspended = [
        flag("DynamicScalingInSuspended"),
        flag("DynamicScalingOutSuspended"),
        flag("ScheduledScalingSuspended"),
    ];
    world.act(call.served, Deed::Scaling { site: site.index, service, min, max, suspended });
    let name = format!("scalable-target/{}/{}", call.region, world.fleet.services[service].name);
    Ok(json!({"ScalableTargetARN": target_arn(world, call, &name)}))
}

/// Forgets a target with its policies: nothing changes the desired count any more.
fn deregister(world: &World, call: &Call, input: &Input) -> JsonResult {
    let resource = input.text("ResourceId").unwrap_or_default();
    let service = wanted(world, call, input, &[resource])?.first().copied();
    let found = service
        .zip(world.fleet.site(&call.region))
        .filter(|(service, site)| !world.is_gone(&Thing::Scaling(site.index, *service), call.served));
    let Some((service, site)) = found else {
        return Err(Fault::sender(
            "ObjectNotFoundException",
            format!(
                "No scalable target found for service namespace: ecs, resource ID: {resource}, scalable dimension: {DIMENSION}"
            ),
        ));
    };
    let (site, suspended) = (site.index, [Some(true); 3]);
    world.act(call.served, Deed::Scaling { site, service, min: Some(0), max: None, suspended });
    world.remove(call.served, Thing::Scaling(site, service), 0.0);
    Ok(json!({}))
}
