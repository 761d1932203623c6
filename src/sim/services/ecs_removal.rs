//! ECS and Application Auto Scaling, the calls that delete.

use serde_json::{Value, json};

use super::JsonResult;
use super::ecs::{cluster, cluster_arn, describe_service, invalid, service_index, short};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::Input;
use crate::sim::world::World;
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::CLUSTER;
use crate::sim::world::removal::{Fate, Thing};

/// Seconds from DRAINING to INACTIVE once no task is left.
const DRAINING: f64 = 20.0;

/// Answers DeleteService: scaled to zero first, unless forced.
pub(super) fn service(world: &World, call: &Call, input: &Input) -> JsonResult {
    let site = cluster(world, call, input)?;
    let service = service_index(world, input)?;
    let thing = Thing::Service(site.index, service);
    if world.fate(&thing, call.served) != Fate::There {
        return Err(Fault::sender("ServiceNotFoundException", "Service not found."));
    }
    let forced = input.flag("force");
    if world.desired(site.index, service, call.served) > 0 {
        if !forced {
            return Err(invalid("The service cannot be stopped while it is scaled above 0."));
        }
        world.act(call.served, Deed::Desired { site: site.index, service, count: 0 });
    }
    world.remove(call.served, thing, DRAINING);
    let after = Call { now: call.served.max(call.now), ..call.clone() };
    Ok(json!({"service": describe_service(world, &after, site, service)}))
}

/// Answers DeregisterTaskDefinition; running services keep theirs.
pub(super) fn definition(world: &World, call: &Call, input: &Input) -> JsonResult {
    let mut answer = super::ecs_changes::describe_definition(world, call, input)?;
    answer["taskDefinition"]["status"] = "INACTIVE".into();
    if let Some(members) = answer.as_object_mut() {
        members.remove("tags");
    }
    Ok(answer)
}

/// Answers DeleteCluster: no service may be left, not even one that drains.
pub(super) fn ecs_cluster(world: &World, call: &Call, input: &Input) -> JsonResult {
    let site = cluster(world, call, input)?;
    let left = (0..world.fleet.services.len())
        .filter(|service| !world.is_gone(&Thing::Service(site.index, *service), call.served))
        .count();
    if left > 0 {
        return Err(Fault::sender(
            "ClusterContainsServicesException",
            "The Cluster cannot be deleted while Services are active.",
        ));
    }
    world.remove(call.served, Thing::Cluster(site.index), 0.0);
    Ok(json!({"cluster": {
        "clusterArn": cluster_arn(&site.region), "clusterName": CLUSTER, "status": "INACTIVE",
        "activeServicesCount": 0, "runningTasksCount": 0, "pendingTasksCount": 0,
    }}))
}

/// Answers ListTagsForResource.
pub(super) fn tags(world: &World, call: &Call, input: &Input) -> JsonResult {
    let arn = input.text("resourceArn").ok_or_else(|| invalid("resourceArn can not be blank"))?;
    let site =
        world.fleet.site(&call.region).ok_or_else(|| invalid("The specified resource was not found."))?;
    let named = short(arn);
    let service = world.fleet.services.iter().position(|spec| spec.name == named);
    let gone = if arn.contains(":cluster/") {
        named != CLUSTER || world.is_gone(&Thing::Cluster(site.index), call.now)
    } else if arn.contains(":service/") {
        service.is_none_or(|service| world.is_gone(&Thing::Service(site.index, service), call.now))
    } else {
        !arn.contains(":task-definition/")
    };
    if gone {
        return Err(invalid("The specified resource was not found."));
    }
    let tags: Vec<Value> =
        world.tags(arn).into_iter().map(|(key, value)| json!({"key": key, "value": value})).collect();
    Ok(json!({"tags": tags}))
}
