//! DynamoDB, control plane.

use serde_json::{Value, json};

use super::{JsonResult, dynamodb_removal, items, unknown_target};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::{self, Input, time};
use crate::sim::world::fleet::{Fleet, GlobalTable};
use crate::sim::world::removal::{Fate, Thing};
use crate::sim::world::{World, noise};

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> JsonResult {
    let input = json::input(call)?;
    match operation {
        "ListTables" => list(world, call, &input),
        "DescribeTable" => describe(world, call, &input),
        "UpdateTable" => dynamodb_removal::update(world, call, &input),
        "DeleteTable" => dynamodb_removal::table(world, call, &input),
        "ListTagsOfResource" => dynamodb_removal::tags(world, call, &input),
        _ if items::known(operation) => items::answer(world, call, operation, &input),
        _ => Err(unknown_target(operation)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationException", message)
}

pub(super) fn here<'a>(world: &'a World, call: &Call) -> Vec<&'a GlobalTable> {
    let Some(site) = world.fleet.site(&call.region) else { return Vec::new() };
    let mut tables: Vec<&GlobalTable> =
        world.fleet.tables.iter().filter(|table| table.sites.contains(&site.index)).collect();
    tables.retain(|table| !world.is_gone(&Thing::Table(table.name.clone(), site.index), call.now));
    tables.sort_by(|a, b| a.name.cmp(&b.name));
    tables
}

fn list(world: &World, call: &Call, input: &Input) -> JsonResult {
    let limit = match input.number("Limit") {
        None => 100,
        Some(n) if (1..=100).contains(&n) => n as usize,
        Some(n) => {
            return Err(invalid(format!(
                "1 validation error detected: Value '{n}' at 'limit' failed to satisfy constraint: Member must have value less than or equal to 100"
            )));
        }
    };
    let after = input.text("ExclusiveStartTableName").unwrap_or_default();
    let lease = (world.fleet.lease.region == call.region).then_some(world.fleet.lease.name.as_str());
    let mut names: Vec<&str> = here(world, call).into_iter().map(|table| table.name.as_str()).collect();
    // A call tells only of the application where the application is.
    names.extend(lease.filter(|_| world.fleet.site(&call.region).is_none()));
    names.retain(|name| *name > after);
    let page: Vec<&str> = names.iter().copied().take(limit).collect();
    let mut body = json!({"TableNames": page});
    if names.len() > limit {
        body["LastEvaluatedTableName"] = page.last().copied().unwrap_or_default().into();
    }
    Ok(body)
}

pub(super) fn describe(world: &World, call: &Call, input: &Input) -> JsonResult {
    let named = input.text("TableName").ok_or_else(|| {
        invalid("1 validation error detected: Value null at 'tableName' failed to satisfy constraint: Member must not be null")
    })?;
    let name = named.rsplit('/').next().unwrap_or(named);
    if name.len() < 3 || name.len() > 255 {
        return Err(invalid(
            "Invalid table/index name.  Table/index names must be between 3 and 255 characters long, and may contain only the characters a-z, A-Z, 0-9, '_', '-', and '.'",
        ));
    }
    if name == world.fleet.lease.name && call.region == world.fleet.lease.region {
        return Ok(json!({"Table": describe_lease(world, call)}));
    }
    let table = here(world, call).into_iter().find(|table| table.name == name).ok_or_else(|| {
        Fault::sender(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {name} not found"),
        )
    })?;
    let site = world.fleet.site(&call.region).map_or(0, |site| site.index);
    let fate = |site: usize| world.fate(&Thing::Table(table.name.clone(), site), call.now);
    let status = if fate(site) == Fate::Going {
        "DELETING"
    } else if table.sites.iter().any(|other| fate(*other) == Fate::Going) {
        "UPDATING"
    } else {
        "ACTIVE"
    };
    let protected = world.protected(&Thing::Table(table.name.clone(), site), call.now);
    // AWS lists the other regions' replicas.
    let replicas: Vec<Value> = table
        .sites
        .iter()
        .filter(|other| **other != site)
        .filter(|other| !world.is_gone(&Thing::Table(table.name.clone(), **other), call.now))
        .map(|other| {
            let (mut status, since) = world.replica_status(table, *other, call.now);
            if fate(*other) == Fate::Going {
                "DELETING".clone_into(&mut status);
            }
            let mut replica = json!({
                "RegionName": world.fleet.sites[*other].region, "ReplicaStatus": status,
                "ReplicaTableClassSummary": {"TableClass": "STANDARD"},
            });
            if let Some(since) = since {
                replica["ReplicaInaccessibleDateTime"] = time(since);
            }
            replica
        })
        .collect();
    let mut described = json!({
        "TableName": table.name, "TableStatus": status,
        "TableId": noise::uuid(world.seed, &format!("table/{name}")),
        "TableArn": Fleet::arn("dynamodb", &call.region, &format!("table/{name}")),
        "AttributeDefinitions": [{"AttributeName": table.key, "AttributeType": "S"}],
        "KeySchema": [{"AttributeName": table.key, "KeyType": "HASH"}],
        "CreationDateTime": time(world.fleet.born),
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "BillingModeSummary": {
            "BillingMode": "PAY_PER_REQUEST", "LastUpdateToPayPerRequestDateTime": time(world.fleet.born)},
        "TableSizeBytes": 8_413_004_233_i64, "ItemCount": 21_904_113, "DeletionProtectionEnabled": protected,
        "StreamSpecification": {"StreamEnabled": true, "StreamViewType": "NEW_AND_OLD_IMAGES"},
        "GlobalTableVersion": "2019.11.21", "Replicas": replicas,
        "MultiRegionConsistency": if table.strong { "STRONG" } else { "EVENTUAL" },
        "TableClassSummary": {"TableClass": "STANDARD"},
    });
    if let Some(witness) = &table.witness {
        described["GlobalTableWitnesses"] = json!([{"RegionName": witness, "WitnessStatus": "ACTIVE"}]);
    }
    Ok(json!({"Table": described}))
}

/// The lease table: small, in one region, without replicas.
fn describe_lease(world: &World, call: &Call) -> Value {
    let lease = &world.fleet.lease;
    let keys: Vec<(&str, &str)> = std::iter::once((lease.hash.as_str(), "HASH"))
        .chain(lease.range.as_deref().map(|range| (range, "RANGE")))
        .collect();
    let attributes: Vec<Value> =
        keys.iter().map(|(name, _)| json!({"AttributeName": name, "AttributeType": "S"})).collect();
    let schema: Vec<Value> =
        keys.iter().map(|(name, kind)| json!({"AttributeName": name, "KeyType": kind})).collect();
    json!({
        "TableName": lease.name, "TableStatus": "ACTIVE",
        "TableId": noise::uuid(world.seed, &format!("table/{}", lease.name)),
        "TableArn": Fleet::arn("dynamodb", &call.region, &format!("table/{}", lease.name)),
        "AttributeDefinitions": attributes, "KeySchema": schema, "CreationDateTime": time(world.fleet.born),
        "ProvisionedThroughput": {"NumberOfDecreasesToday": 0, "ReadCapacityUnits": 0, "WriteCapacityUnits": 0},
        "BillingModeSummary": {"BillingMode": "PAY_PER_REQUEST"},
        "TableSizeBytes": 0, "ItemCount": world.stores.items.all(&lease.name).len(), "DeletionProtectionEnabled": true,
        "TableClassSummary": {"TableClass": "STANDARD"},
    })
}
