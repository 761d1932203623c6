//! DynamoDB, the calls that unprotect and delete: replicas one at a time and leaf-first, the table last.

use serde_json::{Value, json};

use super::JsonResult;
use super::dynamodb::{describe, here, invalid};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::json::Input;
use crate::sim::world::World;
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{Fleet, GlobalTable};
use crate::sim::world::removal::{Fate, Thing};

/// Seconds that a replica takes to go.
const REPLICA: f64 = 150.0;
/// Seconds that a table without replicas takes.
const TABLE: f64 = 20.0;
/// The table whose last replica was made yesterday, from the one before it.
const YOUNG: &str = "user-sessions";

fn named<'a>(world: &'a World, call: &Call, input: &Input) -> Result<(&'a GlobalTable, usize), Fault> {
    let name = input.text("TableName").unwrap_or_default();
    let name = name.rsplit('/').next().unwrap_or(name);
    let site = world.fleet.site(&call.region);
    let table = here(world, call).into_iter().find(|table| table.name == name);
    table.zip(site).map(|(table, site)| (table, site.index)).ok_or_else(|| {
        Fault::sender(
            "ResourceNotFoundException",
            format!("Requested resource not found: Table: {name} not found"),
        )
    })
}

/// Replicas that are there or on their way out, but the asked one's.
fn others(world: &World, call: &Call, table: &GlobalTable, site: usize) -> Vec<(usize, Fate)> {
    let fate = |other: usize| world.fate(&Thing::Table(table.name.clone(), other), call.served);
    let sites = table.sites.iter().copied().filter(|other| *other != site);
    sites.map(|other| (other, fate(other))).filter(|(_, fate)| *fate != Fate::Gone).collect()
}

fn in_use(name: &str) -> Fault {
    let words = format!("Attempt to change a resource which is still in use: Table is being updated: {name}");
    Fault::sender("ResourceInUseException", words)
}

fn is_protected() -> Fault {
    invalid(
        "Resource cannot be deleted as it is currently protected against deletion. Disable deletion protection first.",
    )
}

/// Answers UpdateTable: the deletion protection, or the end of one replica.
pub(super) fn update(world: &World, call: &Call, input: &Input) -> JsonResult {
    let (table, site) = named(world, call, input)?;
    if others(world, call, table, site).iter().any(|(_, fate)| *fate == Fate::Going) {
        return Err(in_use(&table.name));
    }
    if let Some(on) = input.value("DeletionProtectionEnabled").and_then(Value::as_bool) {
        world.act(call.served, Deed::Protect { thing: Thing::Table(table.name.clone(), site), on });
    }
    let empty = Vec::new();
    let updates = input.value("ReplicaUpdates").and_then(Value::as_array).unwrap_or(&empty);
    if updates.len() > 1 {
        return Err(invalid("One or more parameter values were invalid: only one replica update at a time"));
    }
    for one in updates {
        let region = one
            .pointer("/Delete/RegionName")
            .and_then(Value::as_str)
            .ok_or_else(|| invalid("This simulation deletes replicas only."))?;
        delete_replica(world, call, table, site, region)?;
    }
    let mut described = after(world, call, input)?;
    described["TableDescription"] = described["Table"].take();
    if let Some(members) = described.as_object_mut() {
        members.remove("Table");
    }
    Ok(described)
}

fn after(world: &World, call: &Call, input: &Input) -> JsonResult {
    describe(world, &Call { now: call.served.max(call.now), ..call.clone() }, input)
}

fn delete_replica(
    world: &World,
    call: &Call,
    table: &GlobalTable,
    site: usize,
    region: &str,
) -> Result<(), Fault> {
    if table.strong {
        return Err(invalid(
            "Replicas of a table with multi-Region strong consistency must be deleted together.",
        ));
    }
    let replicas = others(world, call, table, site);
    let found = world.fleet.site(region).map(|site| site.index);
    let Some(replica) = found.filter(|found| replicas.iter().any(|(other, _)| other == found)) else {
        return Err(invalid(format!(
            "Replica specified in the Replica Update or Replica Delete action of the request was not found: {region}"
        )));
    };
    if world.protected(&Thing::Table(table.name.clone(), replica), call.served) {
        return Err(is_protected());
    }
    if is_source(world, call, table, replica) {
        return Err(source());
    }
    world.remove(call.served, Thing::Table(table.name.clone(), replica), REPLICA);
    Ok(())
}

/// Whether the newest replica of a table was made from this one, and is still there.
fn is_source(world: &World, call: &Call, table: &GlobalTable, site: usize) -> bool {
    let [.., from, newest] = table.sites.as_slice() else { return false };
    let young = table.name == YOUNG && table.sites.len() > 2;
    young && *from == site && !world.is_gone(&Thing::Table(table.name.clone(), *newest), call.served)
}

fn source() -> Fault {
    invalid(
        "Replica cannot be deleted because it has acted as a source region for new replica(s) being added to the table in the last 24 hours.",
    )
}

/// Answers DeleteTable, of a table without replicas.
pub(super) fn table(world: &World, call: &Call, input: &Input) -> JsonResult {
    let (table, site) = named(world, call, input)?;
    let thing = Thing::Table(table.name.clone(), site);
    if world.fate(&thing, call.served) == Fate::Going {
        return Err(in_use(&table.name));
    }
    if world.protected(&thing, call.served) {
        return Err(is_protected());
    }
    if !others(world, call, table, site).is_empty() {
        return Err(invalid(format!("Table {} has replicas, which must be deleted first", table.name)));
    }
    world.remove(call.served, thing, TABLE);
    let described = after(world, call, input)?;
    Ok(json!({"TableDescription": described["Table"]}))
}

/// Answers ListTagsOfResource.
pub(super) fn tags(world: &World, call: &Call, input: &Input) -> JsonResult {
    let arn = input.text("ResourceArn").unwrap_or_default();
    let known = here(world, call)
        .into_iter()
        .any(|table| Fleet::arn("dynamodb", &call.region, &format!("table/{}", table.name)) == arn);
    if !known {
        let words = format!("Requested resource not found: ResourcArn: {arn} not found");
        return Err(Fault::sender("ResourceNotFoundException", words));
    }
    let tags: Vec<Value> =
        world.tags(arn).into_iter().map(|(key, value)| json!({"Key": key, "Value": value})).collect();
    Ok(json!({"Tags": tags}))
}
