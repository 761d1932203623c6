//! RDS, the calls that move, detach and unprotect.

use super::XmlResult;
use super::rds::{blue_green_of, invalid, last, member, write_cluster, write_global};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::Xml;
use crate::sim::world::World;
use crate::sim::world::database::{Database, Step};
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{GLOBAL_CLUSTER, Site};

/// Seconds that detaching takes.
const LEAVING_SECONDS: f64 = 45.0;

fn bad_state(words: impl Into<String>) -> Fault {
    Fault::sender("InvalidGlobalClusterStateFault", words)
}

/// The global database that the call names, if it can be seen from the call's region.
fn database(world: &World, call: &Call, params: &Params) -> Result<Database, Fault> {
    let named = params.text("GlobalClusterIdentifier").ok_or_else(|| {
        Fault::sender("MissingParameter", "The request must contain the parameter GlobalClusterIdentifier.")
    })?;
    let there = member(world, call).is_some() && last(named) == GLOBAL_CLUSTER;
    world.database(call.served).filter(|_| there).ok_or_else(|| {
        Fault::with_status(404, "GlobalClusterNotFoundFault", format!("Global cluster '{named}' not found"))
    })
}

/// The member that a parameter names by its ARN.
fn target<'a>(world: &'a World, database: &Database, params: &Params, name: &str) -> Result<&'a Site, Fault> {
    let arn = params.text(name).ok_or_else(|| {
        Fault::sender("MissingParameter", format!("The request must contain the parameter {name}."))
    })?;
    let members = database.members.iter().map(|member| &world.fleet.sites[*member]);
    members.into_iter().find(|site| crate::sim::world::Fleet::db_arn(site) == arn).ok_or_else(|| {
        Fault::with_status(404, "DBClusterNotFoundFault", format!("DBCluster {arn} not found."))
    })
}

fn idle(database: &Database) -> Result<(), Fault> {
    match database.operation {
        Some(operation) => Err(bad_state(format!(
            "Global cluster {GLOBAL_CLUSTER} is in an invalid state: {}. Wait until the operation has ended.",
            operation.status
        ))),
        None => Ok(()),
    }
}

fn follows(database: &Database, site: &Site) -> Result<(), Fault> {
    if database.writer == site.index {
        return Err(bad_state(format!("DB cluster {} is already the primary cluster.", site.db_cluster)));
    }
    if database.rebuilding.contains(&site.index) || database.leaving.contains(&site.index) {
        return Err(Fault::sender(
            "InvalidDBClusterStateFault",
            format!("DB cluster {} is not available or does not follow the primary.", site.db_cluster),
        ));
    }
    Ok(())
}

fn described(world: &World, call: &Call) -> Xml {
    let mut xml = Xml::new();
    if let Some(database) = world.database(call.served) {
        xml.group("GlobalCluster", |xml| write_global(world, &database, call.served, xml));
    }
    xml
}

/// Answers SwitchoverGlobalCluster, in the region of the primary.
pub(super) fn switchover(world: &World, call: &Call, params: &Params) -> XmlResult {
    let database = database(world, call, params)?;
    let site = target(world, &database, params, "TargetDbClusterIdentifier")?;
    idle(&database)?;
    let primary = &world.fleet.sites[database.writer];
    if call.region != primary.region {
        return Err(Fault::sender(
            "InvalidDBClusterStateFault",
            format!(
                "SwitchoverGlobalCluster must be called in the Region of the primary DB cluster, {}.",
                primary.region
            ),
        ));
    }
    follows(&database, site)?;
    for (one, what) in [(primary, "primary"), (site, "target")] {
        if !world.database_alive(one.index, call.served) {
            return Err(Fault::sender(
                "InvalidDBClusterStateFault",
                format!("The {what} DB cluster {} is not available.", one.db_cluster),
            ));
        }
        let deploys = blue_green_of(world, one, call.served);
        if deploys.is_some_and(|status| status != "SWITCHOVER_COMPLETED") {
            return Err(bad_state(format!(
                "The {what} DB cluster {} is part of a blue/green deployment.",
                one.db_cluster
            )));
        }
    }
    let one = world.planned_move(&database, site.index, false, call.served);
    world.act(call.served, Deed::Database(Step::Move(one)));
    Ok(described(world, call))
}

/// Answers FailoverGlobalCluster, in the region of the target. Without AllowDataLoss it is a switchover, which
/// never comes through while the primary is dead.
pub(super) fn failover(world: &World, call: &Call, params: &Params) -> XmlResult {
    let database = database(world, call, params)?;
    let site = target(world, &database, params, "TargetDbClusterIdentifier")?;
    let flag = |name: &str| params.text(name).map(|text| text.eq_ignore_ascii_case("true"));
    let (lossy, switchover) = (flag("AllowDataLoss") == Some(true), flag("Switchover") == Some(true));
    if lossy && switchover {
        return Err(Fault::sender(
            "InvalidParameterCombination",
            "AllowDataLoss and Switchover cannot both be specified.",
        ));
    }
    idle(&database)?;
    if call.region != site.region {
        return Err(Fault::sender(
            "InvalidDBClusterStateFault",
            format!(
                "FailoverGlobalCluster must be called in the Region of the target DB cluster, {}.",
                site.region
            ),
        ));
    }
    follows(&database, site)?;
    if !world.database_alive(site.index, call.served) {
        return Err(Fault::sender(
            "InvalidDBClusterStateFault",
            format!("The target DB cluster {} is not available.", site.db_cluster),
        ));
    }
    let one = world.planned_move(&database, site.index, lossy, call.served);
    world.act(call.served, Deed::Database(Step::Move(one)));
    Ok(described(world, call))
}

/// Answers RemoveFromGlobalCluster, in the region of the cluster that leaves.
pub(super) fn remove(world: &World, call: &Call, params: &Params) -> XmlResult {
    let database = database(world, call, params)?;
    let site = target(world, &database, params, "DbClusterIdentifier")?;
    idle(&database)?;
    if call.region != site.region {
        return Err(Fault::sender(
            "InvalidDBClusterStateFault",
            format!(
                "RemoveFromGlobalCluster must be called in the Region of the DB cluster, {}.",
                site.region
            ),
        ));
    }
    if database.leaving.contains(&site.index) {
        return Err(bad_state(format!("DB cluster {} is being removed already.", site.db_cluster)));
    }
    if database.writer == site.index && database.members.len() > 1 {
        return Err(bad_state(
            "Remove the secondary DB clusters from the global cluster before the primary.",
        ));
    }
    let left = call.served + world.paced(LEAVING_SECONDS);
    world.act(call.served, Deed::Database(Step::Remove { site: site.index, left }));
    Ok(described(world, call))
}

fn protection(params: &Params) -> Result<bool, Fault> {
    match params.text("DeletionProtection") {
        Some("true") => Ok(true),
        Some("false") => Ok(false),
        _ => Err(invalid("This simulation changes DeletionProtection only.")),
    }
}

/// Answers ModifyGlobalCluster.
pub(super) fn modify_global(world: &World, call: &Call, params: &Params) -> XmlResult {
    database(world, call, params)?;
    let on = protection(params)?;
    world.act(call.served, Deed::Database(Step::Protect { site: None, on }));
    Ok(described(world, call))
}

/// Answers ModifyDBCluster.
pub(super) fn modify_cluster(world: &World, call: &Call, params: &Params) -> XmlResult {
    let named = params.text("DBClusterIdentifier").map(last).unwrap_or_default();
    let site = member(world, call).filter(|site| site.db_cluster == named).ok_or_else(|| {
        Fault::with_status(404, "DBClusterNotFoundFault", format!("DBCluster {named} not found."))
    })?;
    let on = protection(params)?;
    world.act(call.served, Deed::Database(Step::Protect { site: Some(site.index), on }));
    let mut xml = Xml::new();
    xml.group("DBCluster", |xml| write_cluster(world, call.served, site, xml));
    Ok(xml)
}
