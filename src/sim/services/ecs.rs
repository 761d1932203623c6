//! ECS.

use serde_json::{Value, json};

use super::{JsonResult, ecs_changes, ecs_removal, unknown_target};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::{self, Input, time};
use crate::sim::wire::query::page;
use crate::sim::world::fleet::{CLUSTER, Fleet, Site};
use crate::sim::world::removal::{Fate, Thing};
use crate::sim::world::tasks::Slot;
use crate::sim::world::{World, before};

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> JsonResult {
    let input = json::input(call)?;
    match operation {
        "ListClusters" => list_clusters(world, call, &input),
        "DescribeClusters" => describe_clusters(world, call, &input),
        "ListServices" => list_services(world, call, &input),
        "DescribeServices" => describe_services(world, call, &input),
        "ListTasks" => list_tasks(world, call, &input),
        "DescribeTasks" => describe_tasks(world, call, &input),
        "DescribeTaskDefinition" => ecs_changes::describe_definition(world, call, &input),
        "UpdateService" => ecs_changes::update(world, call, &input),
        "DeleteService" => ecs_removal::service(world, call, &input),
        "DeregisterTaskDefinition" => ecs_removal::definition(world, call, &input),
        "DeleteCluster" => ecs_removal::ecs_cluster(world, call, &input),
        "ListTagsForResource" => ecs_removal::tags(world, call, &input),
        _ => Err(unknown_target(operation)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterException", message)
}

fn bad_token() -> Fault {
    invalid("Invalid token")
}

pub(super) fn cluster_arn(region: &str) -> String {
    Fleet::arn("ecs", region, &format!("cluster/{CLUSTER}"))
}

/// The last part of a name or an ARN.
pub(super) fn short(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// The site whose cluster was named; `default` when none was, as in AWS.
pub(super) fn cluster<'a>(world: &'a World, call: &Call, input: &Input) -> Result<&'a Site, Fault> {
    let named = input.text("cluster").unwrap_or("default");
    world
        .fleet
        .site(&call.region)
        .filter(|site| {
            short(named) == CLUSTER
                && !world.is_gone(&Thing::Cluster(site.index), call.now)
                && (!named.starts_with("arn:") || named == cluster_arn(&site.region))
        })
        .ok_or_else(|| Fault::sender("ClusterNotFoundException", "Cluster not found."))
}

/// `maxResults`, checked against the operation's limit.
fn size(input: &Input, default: usize, most: i64) -> Result<usize, Fault> {
    match input.number("maxResults") {
        None => Ok(default),
        Some(n) if (1..=most).contains(&n) => Ok(n as usize),
        Some(_) => Err(invalid(format!("maxResults must be between 1 and {most}."))),
    }
}

fn list_clusters(world: &World, call: &Call, input: &Input) -> JsonResult {
    let arns: Vec<String> = there(world, call).map(|site| cluster_arn(&site.region)).into_iter().collect();
    let (page, next) = page(&arns, input.text("nextToken"), size(input, 100, 100)?, bad_token)?;
    Ok(with_token(json!({"clusterArns": page}), next))
}

/// The site whose cluster is there.
fn there<'a>(world: &'a World, call: &Call) -> Option<&'a Site> {
    world.fleet.site(&call.region).filter(|site| !world.is_gone(&Thing::Cluster(site.index), call.now))
}

/// The service that a call names.
pub(super) fn service_index(world: &World, input: &Input) -> Result<usize, Fault> {
    let name = input.text("service").ok_or_else(|| invalid("Service cannot be empty."))?;
    let found = world.fleet.services.iter().position(|spec| spec.name == short(name));
    found.ok_or_else(|| Fault::sender("ServiceNotFoundException", "Service not found."))
}

fn with_token(mut body: Value, next: Option<String>) -> Value {
    if let Some(next) = next {
        body["nextToken"] = next.into();
    }
    body
}

fn describe_clusters(world: &World, call: &Call, input: &Input) -> JsonResult {
    let mut named = input.texts("clusters");
    if named.is_empty() {
        named.push("default");
    }
    if named.len() > 100 {
        return Err(invalid("Clusters cannot have more than 100 elements."));
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        match there(world, call).filter(|_| short(name) == CLUSTER) {
            Some(site) => {
                let (mut running, mut pending) = (0, 0);
                for service in 0..world.fleet.services.len() {
                    let counts = World::counts(&world.slots(site.index, service, call.now));
                    running += counts.1;
                    pending += counts.2;
                }
                found.push(json!({
                    "clusterArn": cluster_arn(&site.region), "clusterName": CLUSTER, "status": "ACTIVE",
                    "registeredContainerInstancesCount": 0, "runningTasksCount": running,
                    "pendingTasksCount": pending, "activeServicesCount": world.fleet.services.len(),
                    "statistics": [], "tags": [], "settings": [],
                    "capacityProviders": ["FARGATE", "FARGATE_SPOT"], "defaultCapacityProviderStrategy": [],
                }));
            }
            None => {
                failures.push(missing(&Fleet::arn("ecs", &call.region, &format!("cluster/{}", short(name)))));
            }
        }
    }
    Ok(json!({"clusters": found, "failures": failures}))
}

fn missing(arn: &str) -> Value {
    json!({"arn": arn, "reason": "MISSING"})
}

fn service_arn(region: &str, name: &str) -> String {
    Fleet::arn("ecs", region, &format!("service/{CLUSTER}/{name}"))
}

fn list_services(world: &World, call: &Call, input: &Input) -> JsonResult {
    let site = cluster(world, call, input)?;
    let arns: Vec<String> = world
        .fleet
        .services
        .iter()
        .enumerate()
        .filter(|(service, _)| !world.is_gone(&Thing::Service(site.index, *service), call.now))
        .map(|(_, spec)| service_arn(&site.region, &spec.name))
        .collect();
    let (page, next) = page(&arns, input.text("nextToken"), size(input, 10, 100)?, bad_token)?;
    Ok(with_token(json!({"serviceArns": page}), next))
}

fn describe_services(world: &World, call: &Call, input: &Input) -> JsonResult {
    let names = input.texts("services");
    if names.is_empty() {
        return Err(invalid("Services cannot be empty."));
    }
    if names.len() > 10 {
        return Err(invalid("Services cannot have more than 10 elements."));
    }
    let site = cluster(world, call, input)?;
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in names {
        match world.fleet.services.iter().position(|spec| spec.name == short(name)) {
            Some(service) => found.push(describe_service(world, call, site, service)),
            None => failures.push(missing(&service_arn(&site.region, short(name)))),
        }
    }
    Ok(json!({"services": found, "failures": failures}))
}

pub(super) fn task_definition(region: &str, name: &str, revision: u32) -> String {
    Fleet::arn("ecs", region, &format!("task-definition/{name}:{revision}"))
}

fn network(site: &Site) -> Value {
    json!({"awsvpcConfiguration": {
        "subnets": site.subnets, "securityGroups": [site.security_group], "assignPublicIp": "DISABLED"}})
}

pub(super) fn describe_service(world: &World, call: &Call, site: &Site, service: usize) -> Value {
    let spec = &world.fleet.services[service];
    let slots = world.slots(site.index, service, call.now);
    let (desired, running, pending) = World::counts(&slots);
    let deployments = world.deployments(site.index, service, call.now);
    let status = match world.fate(&Thing::Service(site.index, service), call.now) {
        Fate::There => "ACTIVE",
        Fate::Going => "DRAINING",
        Fate::Gone => "INACTIVE",
    };
    let primary = deployments.first().map_or(0, |deployment| deployment.revision);
    let listed: Vec<Value> = deployments
        .iter()
        .map(|deployment| {
            json!({
                "id": deployment.id, "status": deployment.status,
                "taskDefinition": task_definition(&site.region, &spec.name, deployment.revision),
                "desiredCount": deployment.counts.0, "runningCount": deployment.counts.1,
                "pendingCount": deployment.counts.2, "failedTasks": deployment.failed,
                "createdAt": time(deployment.created), "updatedAt": time(deployment.updated),
                "launchType": "FARGATE", "platformVersion": "1.4.0", "platformFamily": "Linux",
                "networkConfiguration": network(site),
                "rolloutState": deployment.rollout, "rolloutStateReason": deployment.reason,
            })
        })
        .collect();
    let events: Vec<Value> = world
        .events(site.index, service, call.now)
        .into_iter()
        .map(|(at, message)| {
            let id = crate::sim::world::noise::uuid(
                world.seed,
                &format!("event/{}/{}/{at}/{message}", site.region, spec.name),
            );
            json!({"id": id, "createdAt": time(at), "message": message})
        })
        .collect();
    json!({
        "serviceArn": service_arn(&site.region, &spec.name), "serviceName": spec.name,
        "clusterArn": cluster_arn(&site.region),
        "loadBalancers": [{
            "targetGroupArn": site.groups[service].arn, "containerName": spec.name, "containerPort": spec.port}],
        "serviceRegistries": [], "status": status,
        "desiredCount": desired, "runningCount": running, "pendingCount": pending,
        "launchType": "FARGATE", "platformVersion": "LATEST", "platformFamily": "Linux",
        "taskDefinition": task_definition(&site.region, &spec.name, primary),
        "deploymentConfiguration": {
            "deploymentCircuitBreaker": {"enable": false, "rollback": false},
            "maximumPercent": 200, "minimumHealthyPercent": 50},
        "deployments": listed, "roleArn": format!(
            "arn:aws:iam::{}:role/aws-service-role/ecs.amazonaws.com/AWSServiceRoleForECS",
            crate::sim::world::fleet::ACCOUNT),
        "events": events, "createdAt": time(world.fleet.born),
        "placementConstraints": [], "placementStrategy": [], "networkConfiguration": network(site),
        "healthCheckGracePeriodSeconds": 60, "schedulingStrategy": "REPLICA",
        "deploymentController": {"type": "ECS"}, "enableECSManagedTags": true, "propagateTags": "SERVICE",
        "enableExecuteCommand": false,
    })
}

/// Lives of a place's task that ended within the last hour, newest first.
fn ended(slot: &Slot) -> impl Iterator<Item = i64> {
    (0..if slot.new { slot.life } else { 0 }).rev().take(5)
}

fn list_tasks(world: &World, call: &Call, input: &Input) -> JsonResult {
    let site = cluster(world, call, input)?;
    let stopped = match input.text("desiredStatus").unwrap_or("RUNNING") {
        "RUNNING" => false,
        "STOPPED" => true,
        "PENDING" => return Ok(json!({"taskArns": []})),
        _ => return Err(invalid("desiredStatus should be one of [RUNNING,PENDING,STOPPED]")),
    };
    let wanted = match input.text("serviceName") {
        None => None,
        Some(name) => Some(
            world
                .fleet
                .services
                .iter()
                .position(|spec| spec.name == short(name))
                .ok_or_else(|| Fault::sender("ServiceNotFoundException", "Service not found."))?,
        ),
    };
    let mut arns = Vec::new();
    for service in (0..world.fleet.services.len()).filter(|service| wanted.is_none_or(|one| one == *service))
    {
        for slot in world.slots(site.index, service, call.now) {
            if stopped || !slot.wanted {
                // A task on its way out is listed by the state that is wanted of it.
                arns.extend(
                    (stopped && !slot.wanted)
                        .then(|| world.task_arn(site.index, service, slot.index, slot.life)),
                );
            }
            if stopped {
                arns.extend(ended(&slot).map(|life| world.task_arn(site.index, service, slot.index, life)));
            } else if slot.wanted {
                arns.push(world.task_arn(site.index, service, slot.index, slot.life));
            }
        }
    }
    let (page, next) = page(&arns, input.text("nextToken"), size(input, 100, 100)?, bad_token)?;
    Ok(with_token(json!({"taskArns": page}), next))
}

fn describe_tasks(world: &World, call: &Call, input: &Input) -> JsonResult {
    let named = input.texts("tasks");
    if named.is_empty() {
        return Err(invalid("Tasks cannot be empty."));
    }
    if named.len() > 100 {
        return Err(invalid("Tasks cannot have more than 100 elements."));
    }
    let site = cluster(world, call, input)?;
    let mut known: Vec<(String, usize, Slot, i64)> = Vec::new();
    for service in 0..world.fleet.services.len() {
        for slot in world.slots(site.index, service, call.now) {
            for life in ended(&slot).chain(std::iter::once(slot.life)) {
                known.push((world.task_id(site.index, service, slot.index, life), service, slot, life));
            }
        }
    }
    let (mut found, mut failures) = (Vec::new(), Vec::new());
    for name in named {
        match known.iter().find(|(id, ..)| id == short(name)) {
            Some((_, service, slot, life)) => {
                found.push(describe_task(world, call, site, *service, slot, *life));
            }
            None => {
                failures.push(missing(&Fleet::arn(
                    "ecs",
                    &site.region,
                    &format!("task/{CLUSTER}/{}", short(name)),
                )));
            }
        }
    }
    Ok(json!({"tasks": found, "failures": failures}))
}

fn describe_task(world: &World, call: &Call, site: &Site, service: usize, slot: &Slot, life: i64) -> Value {
    let spec = &world.fleet.services[service];
    let deployments = world.deployments(site.index, service, call.now);
    let deployment = if slot.new { deployments.first() } else { deployments.last() };
    let revision = deployment.map_or(0, |deployment| deployment.revision);
    let over = life < slot.life;
    let status = if over {
        "STOPPED"
    } else if !slot.wanted {
        "DEACTIVATING"
    } else if slot.running {
        "RUNNING"
    } else {
        "PENDING"
    };
    let health = if status == "RUNNING" && slot.target == Some(crate::sim::world::tasks::HEALTHY) {
        "HEALTHY"
    } else {
        "UNKNOWN"
    };
    let mut task = json!({
        "taskArn": world.task_arn(site.index, service, slot.index, life), "clusterArn": cluster_arn(&site.region),
        "taskDefinitionArn": task_definition(&site.region, &spec.name, revision),
        "group": format!("service:{}", spec.name), "startedBy": deployment.map(|d| d.id.clone()),
        "desiredStatus": if over || !slot.wanted { "STOPPED" } else { "RUNNING" }, "lastStatus": status, "healthStatus": health,
        "launchType": "FARGATE", "platformVersion": "1.4.0", "cpu": "1024", "memory": "2048",
        "availabilityZone": site.zones[slot.index % 3], "createdAt": time(slot.since),
        "connectivity": "CONNECTED", "version": 3,
        "containers": [{
            "name": spec.name, "lastStatus": status, "healthStatus": health,
            "image": ecs_changes::image(world, site, service),
            "imageDigest": ecs_changes::digest(world, service),
            "networkInterfaces": [{"privateIpv4Address": World::target_ip(site, service, slot.index)}]}],
    });
    if over {
        // Each later life of the place pushes this one further back.
        let age = (slot.life - life - 1) * slot.period;
        let stopped = before(slot.since, age);
        task["stoppedAt"] = time(stopped);
        task["stopCode"] = "EssentialContainerExited".into();
        task["stoppedReason"] = "Essential container in task exited".into();
        task["containers"][0]["exitCode"] = 1.into();
    } else if slot.running {
        task["startedAt"] = time(slot.since);
    }
    task
}
