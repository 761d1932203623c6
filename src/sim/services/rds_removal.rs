//! RDS, the calls that delete: instances before their cluster, members before the global cluster.

use super::XmlResult;
use super::rds::{INSTANCES, instance, invalid, last, member, write_cluster};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::Xml;
use crate::sim::world::World;
use crate::sim::world::fleet::{Fleet, GLOBAL_CLUSTER, Site};
use crate::sim::world::removal::{Fate, Thing};

/// Seconds that an instance takes to go.
const INSTANCE: f64 = 240.0;
/// Seconds that a cluster takes, and those that a final snapshot adds.
const CLUSTER: f64 = 60.0;
const SNAPSHOT: f64 = 120.0;
const GLOBAL: f64 = 30.0;

fn required<'a>(params: &'a Params, name: &str) -> Result<&'a str, Fault> {
    params.text(name).ok_or_else(|| {
        Fault::sender("MissingParameter", format!("The request must contain the parameter {name}."))
    })
}

fn bad_state(words: impl Into<String>) -> Fault {
    Fault::sender("InvalidDBClusterStateFault", words)
}

/// The number of an instance of this region that is not gone.
fn numbered(world: &World, call: &Call, name: &str) -> Option<(usize, usize)> {
    let site = member(world, call)?;
    let number = (0..INSTANCES).find(|number| instance(site, *number) == name)?;
    (!world.is_gone(&Thing::Instance(site.index, number), call.served)).then_some((site.index, number))
}

/// Answers DeleteDBInstance.
pub(super) fn db_instance(world: &World, call: &Call, params: &Params) -> XmlResult {
    let name = last(required(params, "DBInstanceIdentifier")?);
    let (site, number) = numbered(world, call, name).ok_or_else(|| {
        Fault::with_status(404, "DBInstanceNotFound", format!("DBInstance {name} not found."))
    })?;
    let thing = Thing::Instance(site, number);
    if world.fate(&thing, call.served) == Fate::Going {
        return Err(Fault::sender(
            "InvalidDBInstanceState",
            format!("Instance {name} is already being deleted."),
        ));
    }
    world.remove(call.served, thing, INSTANCE);
    let mut xml = Xml::new();
    xml.group("DBInstance", |xml| {
        xml.leaf("DBInstanceIdentifier", name).leaf("DBInstanceStatus", "deleting");
    });
    Ok(xml)
}

/// The regional cluster that a call names, if it is there.
fn named<'a>(world: &'a World, call: &Call, name: &str) -> Result<&'a Site, Fault> {
    member(world, call)
        .filter(|site| site.db_cluster == name && !world.is_gone(&Thing::Database(site.index), call.served))
        .ok_or_else(|| {
            Fault::with_status(404, "DBClusterNotFoundFault", format!("DBCluster {name} not found."))
        })
}

/// Answers DeleteDBCluster.
pub(super) fn db_cluster(world: &World, call: &Call, params: &Params) -> XmlResult {
    let name = last(required(params, "DBClusterIdentifier")?);
    let site = named(world, call, name)?;
    let thing = Thing::Database(site.index);
    if world.fate(&thing, call.served) == Fate::Going {
        return Err(bad_state(format!("Cluster {name} is already being deleted.")));
    }
    let database = world.database(call.served);
    if database.as_ref().is_some_and(|database| database.members.contains(&site.index)) {
        return Err(bad_state(
            "This cluster is a part of a global cluster, please remove it from globalcluster first",
        ));
    }
    if database.is_some_and(|database| !database.unprotected.contains(&site.index)) {
        return Err(Fault::sender(
            "InvalidParameterCombination",
            "Cannot delete protected Cluster, please disable deletion protection and try again.",
        ));
    }
    let left = (0..INSTANCES).any(|number| !world.is_gone(&Thing::Instance(site.index, number), call.served));
    if left {
        return Err(bad_state(
            "Cluster cannot be deleted, it still contains DB instances in non-deleting state.",
        ));
    }
    let skipped = params.text("SkipFinalSnapshot").is_some_and(|text| text.eq_ignore_ascii_case("true"));
    let snapshot = params.text("FinalDBSnapshotIdentifier").is_some();
    if skipped == snapshot {
        let words = if skipped {
            "FinalDBSnapshotIdentifier cannot be specified when SkipFinalSnapshot is true."
        } else {
            "FinalDBSnapshotIdentifier is required unless SkipFinalSnapshot is specified."
        };
        return Err(Fault::sender("InvalidParameterCombination", words));
    }
    world.remove(call.served, thing, CLUSTER + if snapshot { SNAPSHOT } else { 0.0 });
    let mut xml = Xml::new();
    xml.group("DBCluster", |xml| write_cluster(world, call.served, site, xml));
    Ok(xml)
}

/// Answers DeleteGlobalCluster: unprotected and empty.
pub(super) fn global(world: &World, call: &Call, params: &Params) -> XmlResult {
    let name = last(required(params, "GlobalClusterIdentifier")?);
    let there = member(world, call).is_some()
        && name == GLOBAL_CLUSTER
        && !world.is_gone(&Thing::Global, call.served);
    let database = world.database(call.served).filter(|_| there).ok_or_else(|| {
        Fault::with_status(404, "GlobalClusterNotFoundFault", format!("Global cluster '{name}' not found"))
    })?;
    if world.fate(&Thing::Global, call.served) == Fate::Going {
        let words = format!("Global cluster {name} is already being deleted.");
        return Err(Fault::sender("InvalidGlobalClusterStateFault", words));
    }
    if database.protected {
        return Err(Fault::sender(
            "InvalidParameterCombination",
            "Cannot delete protected Global Cluster, please disable deletion protection and try again.",
        ));
    }
    if !database.members.is_empty() {
        return Err(Fault::sender(
            "InvalidGlobalClusterStateFault",
            format!("Global Cluster {name} is not empty. Remove all its DB clusters before deleting it."),
        ));
    }
    world.remove(call.served, Thing::Global, GLOBAL);
    let mut xml = Xml::new();
    xml.group("GlobalCluster", |xml| {
        xml.leaf("GlobalClusterIdentifier", name).leaf("Status", "deleting");
    });
    Ok(xml)
}

/// Answers ListTagsForResource.
pub(super) fn tags(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = required(params, "ResourceName")?;
    let name = last(arn);
    let site = member(world, call).ok_or_else(|| invalid("The specified resource is not known here"))?;
    if arn.contains(":db:") {
        numbered(world, &Call { served: call.now, ..call.clone() }, name).ok_or_else(|| {
            Fault::with_status(404, "DBInstanceNotFound", format!("DBInstance {name} not found."))
        })?;
    } else if arn.contains(":global-cluster:") {
        if name != GLOBAL_CLUSTER || world.is_gone(&Thing::Global, call.now) {
            let words = format!("Global cluster '{name}' not found");
            return Err(Fault::with_status(404, "GlobalClusterNotFoundFault", words));
        }
    } else if Fleet::db_arn(site) != arn || world.is_gone(&Thing::Database(site.index), call.now) {
        let words = format!("DBCluster {name} not found.");
        return Err(Fault::with_status(404, "DBClusterNotFoundFault", words));
    }
    let mut xml = Xml::new();
    xml.list("TagList", "Tag", world.tags(arn), |xml, (key, value)| {
        xml.leaf("Key", key).leaf("Value", value);
    });
    Ok(xml)
}
