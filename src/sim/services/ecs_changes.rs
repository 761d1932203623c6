//! ECS, changing a service, and what its tasks are made of.

use serde_json::{Value, json};

use super::JsonResult;
use super::ecs::{cluster, describe_service, invalid, short, task_definition};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::{Input, time};
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{ACCOUNT, Fleet, Site};
use crate::sim::world::removal::{Fate, Thing};
use crate::sim::world::tasks::REVISION;
use crate::sim::world::{World, noise};

/// Answers UpdateService: the desired count and new deployments.
pub(super) fn update(world: &World, call: &Call, input: &Input) -> JsonResult {
    let site = cluster(world, call, input)?;
    let name = input.text("service").ok_or_else(|| invalid("Service cannot be empty."))?;
    let service = world
        .fleet
        .services
        .iter()
        .position(|spec| spec.name == short(name))
        .ok_or_else(|| Fault::sender("ServiceNotFoundException", "Service not found."))?;
    if world.fate(&Thing::Service(site.index, service), call.served) != Fate::There {
        return Err(Fault::sender("ServiceNotActiveException", "Service was not ACTIVE."));
    }
    let count = match input.number("desiredCount") {
        None => None,
        Some(count) if (0..=5_000).contains(&count) => i32::try_from(count).ok(),
        Some(_) => return Err(invalid("desiredCount must be between 0 and 5000.")),
    };
    if input.has("taskDefinition") {
        let wanted = input.text("taskDefinition").unwrap_or_default();
        let known = task_definition(&site.region, &world.fleet.services[service].name, REVISION);
        if known != wanted && short(&known) != wanted {
            return Err(Fault::sender("ClientException", "Unable to describe task definition."));
        }
    }
    if let Some(count) = count {
        world.act(call.served, Deed::Desired { site: site.index, service, count });
    }
    if input.flag("forceNewDeployment") {
        world.act(call.served, Deed::Deployment { site: site.index, service });
    }
    // The answer shows the service as it is from now on.
    let after = Call { now: call.served.max(call.now), ..call.clone() };
    Ok(json!({"service": describe_service(world, &after, site, service)}))
}

/// The image of a service's tasks.
pub(super) fn image(world: &World, site: &Site, service: usize) -> String {
    let (region, name) = (world.images_of(site.index), &world.fleet.services[service].name);
    format!("{ACCOUNT}.dkr.ecr.{region}.amazonaws.com/orders/{name}:2026.11.{REVISION}")
}

/// The digest of a service's image.
pub(super) fn digest(world: &World, service: usize) -> String {
    format!("sha256:{}", noise::hex(world.seed, &format!("image/{}", world.fleet.services[service].name), 64))
}

/// Answers DescribeTaskDefinition: a family, `family:revision`, or an ARN.
pub(super) fn describe_definition(world: &World, call: &Call, input: &Input) -> JsonResult {
    let unknown = || Fault::sender("ClientException", "Unable to describe task definition.");
    let named = input.text("taskDefinition").ok_or_else(unknown)?;
    let site = world.fleet.site(&call.region).ok_or_else(unknown)?;
    let (family, revision) = match short(named).split_once(':') {
        Some((family, revision)) => (family, revision.parse::<u32>().map_err(|_| unknown())?),
        None => (short(named), REVISION),
    };
    let service = world.fleet.services.iter().position(|spec| spec.name == family).ok_or_else(unknown)?;
    if !(1..=REVISION + 1).contains(&revision) {
        return Err(unknown());
    }
    let spec = &world.fleet.services[service];
    let secret = noise::hex(world.seed, &format!("secret/{}", site.region), 6);
    let secret_arn =
        Fleet::arn("secretsmanager", world.images_of(site.index), &format!("secret:orders/db-{secret}"));
    let role = |name: &str| format!("arn:aws:iam::{ACCOUNT}:role/orders-{name}");
    let container: Value = json!({
        "name": spec.name, "image": image(world, site, service), "cpu": 1024, "memory": 2048, "essential": true,
        "portMappings": [{"containerPort": spec.port, "hostPort": spec.port, "protocol": "tcp"}],
        "environment": [{"name": "DB_HOST", "value": world.fleet.global_endpoint()}],
        "secrets": [{"name": "DB_PASSWORD", "valueFrom": secret_arn}],
        "mountPoints": [], "volumesFrom": [],
    });
    Ok(json!({"taskDefinition": {
        "taskDefinitionArn": task_definition(&site.region, family, revision), "family": family,
        "revision": revision, "status": "ACTIVE", "networkMode": "awsvpc",
        "requiresCompatibilities": ["FARGATE"], "compatibilities": ["EC2", "FARGATE"],
        "cpu": "1024", "memory": "2048", "containerDefinitions": [container], "volumes": [],
        "taskRoleArn": role("task"), "executionRoleArn": role("execution"),
        "registeredAt": time(world.fleet.born),
    }, "tags": []}))
}
