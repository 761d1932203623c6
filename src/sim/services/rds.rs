//! RDS: the Aurora global cluster, its members, their instances and events.

use super::{XmlResult, rds_changes, rds_removal, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::{Params, page};
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::database::{Database, Operation, Told};
use crate::sim::world::fleet::{ENGINE_VERSION, Fleet, GLOBAL_CLUSTER, Site};
use crate::sim::world::removal::{Fate, Thing};
use crate::sim::world::scenario::Effect;
use crate::sim::world::{World, noise};

/// Instances of each member.
pub(super) const INSTANCES: usize = 2;

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "DescribeGlobalClusters" => global_clusters(world, call, params),
        "DescribeDBClusters" => clusters(world, call, params),
        "DescribeDBInstances" => instances(world, call, params),
        "DescribeEvents" => events(world, call, params),
        "DescribeBlueGreenDeployments" => blue_green(world, call, params),
        "SwitchoverGlobalCluster" => rds_changes::switchover(world, call, params),
        "FailoverGlobalCluster" => rds_changes::failover(world, call, params),
        "RemoveFromGlobalCluster" => rds_changes::remove(world, call, params),
        "ModifyGlobalCluster" => rds_changes::modify_global(world, call, params),
        "ModifyDBCluster" => rds_changes::modify_cluster(world, call, params),
        "DeleteDBInstance" => rds_removal::db_instance(world, call, params),
        "DeleteDBCluster" => rds_removal::db_cluster(world, call, params),
        "DeleteGlobalCluster" => rds_removal::global(world, call, params),
        "ListTagsForResource" => rds_removal::tags(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidParameterValue", message)
}

fn bad_marker() -> Fault {
    invalid("Invalid value for marker")
}

fn size(params: &Params) -> Result<usize, Fault> {
    match params.number("MaxRecords") {
        None => Ok(100),
        Some(n) if (20..=100).contains(&n) => Ok(n as usize),
        Some(n) => Err(invalid(format!("Invalid value {n} for MaxRecords. Must be between 20 and 100"))),
    }
}

/// The site of the call's region, if the global cluster has a member there.
pub(super) fn member<'a>(world: &'a World, call: &Call) -> Option<&'a Site> {
    world.fleet.site(&call.region).filter(|site| world.fleet.aurora.contains(&site.index))
}

pub(super) fn last(name: &str) -> &str {
    name.rsplit(':').next().unwrap_or(name)
}

fn global_clusters(world: &World, call: &Call, params: &Params) -> XmlResult {
    let named = params.text("GlobalClusterIdentifier").map(last);
    let database = world.database(call.now);
    // An empty global cluster is told where its last member was.
    let told = |database: &Database, site: &Site| {
        database.members.contains(&site.index)
            || (database.members.is_empty() && database.writer == site.index)
    };
    let here = !world.is_gone(&Thing::Global, call.now)
        && member(world, call)
            .is_some_and(|site| database.as_ref().is_some_and(|database| told(database, site)));
    if let Some(name) = named
        && (!here || name != GLOBAL_CLUSTER)
    {
        return Err(Fault::with_status(
            404,
            "GlobalClusterNotFoundFault",
            format!("Global cluster '{name}' not found"),
        ));
    }
    for (name, values) in params.filters() {
        if !matches!(name, "db-cluster-id" | "region") {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        let matches =
            world.fleet.aurora.iter().map(|index| &world.fleet.sites[*index]).any(|site| {
                values.iter().any(|value| *value == site.region || last(value) == site.db_cluster)
            });
        if !matches {
            return Ok(empty("GlobalClusters"));
        }
    }
    let all: Vec<()> = here.then_some(()).into_iter().collect();
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("GlobalClusters", "GlobalClusterMember", page, |xml, ()| {
        if let Some(database) = &database {
            write_global(world, database, call.now, xml);
        }
    });
    xml.maybe("Marker", next);
    Ok(xml)
}

/// The global cluster as it is described.
pub(super) fn write_global(world: &World, database: &Database, at: jiff::Timestamp, xml: &mut Xml) {
    let arn = |site: usize| Fleet::db_arn(&world.fleet.sites[site]);
    xml.leaf("GlobalClusterIdentifier", GLOBAL_CLUSTER);
    xml.leaf("GlobalClusterResourceId", format!("cluster-{}", noise::hex(world.seed, "global", 16)));
    let status = database.operation.map_or("available", |operation| operation.status);
    xml.leaf("GlobalClusterArn", global_arn()).leaf("Status", status).leaf("Engine", "aurora-mysql");
    xml.leaf("EngineVersion", ENGINE_VERSION)
        .leaf("StorageEncrypted", true)
        .leaf("DeletionProtection", database.protected);
    xml.leaf("Endpoint", world.fleet.global_endpoint());
    xml.list("GlobalClusterMembers", "GlobalClusterMember", &database.members, |xml, index| {
        let primary = *index == database.writer;
        xml.leaf("DBClusterArn", arn(*index)).leaf("IsWriter", primary);
        xml.group("Readers", |xml| {
            for other in database.members.iter().filter(|other| primary && *other != index) {
                xml.leaf("member", arn(*other));
            }
        });
        if !primary {
            xml.leaf("GlobalWriteForwardingStatus", forwarding(world, *index, at));
        }
        let synchronous = !database.rebuilding.contains(index);
        xml.leaf("SynchronizationStatus", if synchronous { "connected" } else { "pending-resync" });
    });
    if let Some(operation) = database.operation {
        xml.group("FailoverState", |xml| {
            xml.leaf("Status", operation.status).leaf("FromDbClusterArn", arn(operation.from));
            xml.leaf("ToDbClusterArn", arn(operation.to)).leaf("IsDataLossAllowed", operation.lossy);
        });
    }
}

/// GlobalWriteForwardingStatus of a secondary.
fn forwarding(world: &World, site: usize, at: jiff::Timestamp) -> String {
    let timeline = world.timeline();
    let told = timeline.at(&world.fleet.sites[site].region, at).find_map(|active| match active.effect {
        Effect::WriteForwarding { status } => Some(status.clone()),
        _ => None,
    });
    told.unwrap_or_else(|| "disabled".to_owned())
}

/// Status of a blue/green deployment of the site's cluster, if there is one.
pub(super) fn blue_green_of(world: &World, site: &Site, at: jiff::Timestamp) -> Option<String> {
    world.timeline().at(&site.region, at).find_map(|active| match active.effect {
        Effect::BlueGreen { status } => Some(status.clone()),
        _ => None,
    })
}

/// Answers DescribeBlueGreenDeployments.
fn blue_green(world: &World, call: &Call, params: &Params) -> XmlResult {
    let here = member(world, call);
    let mut all: Vec<(&Site, String)> =
        here.and_then(|site| Some((site, blue_green_of(world, site, call.now)?))).into_iter().collect();
    for (name, values) in params.filters() {
        match name {
            "source" => all.retain(|(site, _)| values.iter().any(|value| *value == Fleet::db_arn(site))),
            "target" => all.clear(),
            "blue-green-deployment-name" => all.retain(|_| values.contains(&"upgrade")),
            "blue-green-deployment-identifier" => all.retain(|_| values.contains(&"bgd-upgrade")),
            _ => return Err(invalid(format!("Unrecognized filter name: {name}"))),
        }
    }
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("BlueGreenDeployments", "member", page, |xml, (site, status)| {
        xml.leaf("BlueGreenDeploymentIdentifier", "bgd-upgrade").leaf("BlueGreenDeploymentName", "upgrade");
        xml.leaf("Source", Fleet::db_arn(site)).leaf("Target", format!("{}-green", Fleet::db_arn(site)));
        xml.leaf("Status", status).leaf("CreateTime", time(world.started));
    });
    xml.maybe("Marker", next);
    Ok(xml)
}

/// ARN of the global cluster, which has no region.
pub(crate) fn global_arn() -> String {
    Fleet::arn("rds", "", &format!("global-cluster:{GLOBAL_CLUSTER}"))
}

fn empty(list: &str) -> Xml {
    let mut xml = Xml::new();
    xml.group(list, |_| {});
    xml
}

pub(super) fn instance(site: &Site, index: usize) -> String {
    format!("{}-{}", site.db_cluster, index + 1)
}

fn clusters(world: &World, call: &Call, params: &Params) -> XmlResult {
    let named = params.text("DBClusterIdentifier").map(last);
    let site = member(world, call).filter(|site| !world.is_gone(&Thing::Database(site.index), call.now));
    if let Some(name) = named
        && site.is_none_or(|site| site.db_cluster != name)
    {
        return Err(Fault::with_status(
            404,
            "DBClusterNotFoundFault",
            format!("DBCluster {name} not found."),
        ));
    }
    for (name, values) in params.filters() {
        if !matches!(
            name,
            "db-cluster-id" | "engine" | "db-cluster-resource-id" | "domain" | "clone-group-id"
        ) {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        let matches = site.is_some_and(|site| {
            values.iter().any(|value| last(value) == site.db_cluster || *value == "aurora-mysql")
        });
        if !matches {
            return Ok(empty("DBClusters"));
        }
    }
    let all: Vec<&Site> = site.into_iter().collect();
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("DBClusters", "DBCluster", page, |xml, site| write_cluster(world, call.now, site, xml));
    xml.maybe("Marker", next);
    Ok(xml)
}

/// A regional cluster as it is described.
pub(super) fn write_cluster(world: &World, at: jiff::Timestamp, site: &Site, xml: &mut Xml) {
    let database = world.database(at);
    let unique = noise::hex(world.seed, &format!("db/{}", site.region), 12);
    let (member, orphan) = database.as_ref().map_or((false, false), |database| {
        (database.members.contains(&site.index), database.orphans.contains(&site.index))
    });
    let writes = orphan || database.as_ref().is_some_and(|database| database.writer == site.index);
    xml.group("AvailabilityZones", |xml| {
        for zone in &site.zones {
            xml.leaf("AvailabilityZone", zone);
        }
    });
    xml.leaf("BackupRetentionPeriod", 7).leaf("DBClusterIdentifier", &site.db_cluster);
    let going = world.fate(&Thing::Database(site.index), at) == Fate::Going;
    let told = database.as_ref().map_or("available", |database| status(database, site.index));
    xml.leaf("DBClusterArn", Fleet::db_arn(site)).leaf("Status", if going { "deleting" } else { told });
    xml.leaf("Endpoint", format!("{}.cluster-{unique}.{}.rds.amazonaws.com", site.db_cluster, site.region));
    xml.leaf(
        "ReaderEndpoint",
        format!("{}.cluster-ro-{unique}.{}.rds.amazonaws.com", site.db_cluster, site.region),
    );
    let resource = noise::hex(world.seed, &format!("db-resource/{}", site.region), 26).to_uppercase();
    xml.leaf("DbClusterResourceId", format!("cluster-{resource}"));
    xml.leaf("MultiAZ", true).leaf("Engine", "aurora-mysql").leaf("EngineVersion", ENGINE_VERSION);
    xml.leaf("Port", 3306)
        .leaf("ClusterCreateTime", time(world.fleet.born))
        .leaf("EngineMode", "provisioned");
    let unprotected = database.as_ref().is_some_and(|database| database.unprotected.contains(&site.index));
    xml.leaf("DeletionProtection", !unprotected).leaf("StorageEncrypted", true);
    if member {
        xml.leaf("GlobalClusterIdentifier", GLOBAL_CLUSTER);
    }
    if member && !writes {
        xml.leaf("GlobalWriteForwardingStatus", forwarding(world, site.index, at));
    }
    let there = (0..INSTANCES).filter(|index| !world.is_gone(&Thing::Instance(site.index, *index), at));
    xml.list("DBClusterMembers", "DBClusterMember", there, |xml, index| {
        xml.leaf("DBInstanceIdentifier", instance(site, index));
        xml.leaf("IsClusterWriter", index == 0 && writes);
        xml.leaf("DBClusterParameterGroupStatus", "in-sync").leaf("PromotionTier", 1);
    });
}

/// The status of a regional cluster.
fn status(database: &Database, site: usize) -> &'static str {
    let moving = |operation: Operation| operation.from == site || operation.to == site;
    match database.operation {
        Some(operation) if moving(operation) => operation.status,
        _ if database.leaving.contains(&site) => "promoting",
        _ if database.rebuilding.contains(&site) => "resyncing",
        _ => "available",
    }
}

fn instances(world: &World, call: &Call, params: &Params) -> XmlResult {
    let site = member(world, call);
    let mut all: Vec<(&Site, usize)> =
        site.into_iter().flat_map(|site| (0..INSTANCES).map(move |index| (site, index))).collect();
    all.retain(|(site, index)| !world.is_gone(&Thing::Instance(site.index, *index), call.now));
    if let Some(name) = params.text("DBInstanceIdentifier").map(last) {
        all.retain(|(site, index)| instance(site, *index) == name);
        if all.is_empty() {
            return Err(Fault::with_status(
                404,
                "DBInstanceNotFound",
                format!("DBInstance {name} not found."),
            ));
        }
    }
    for (name, values) in params.filters() {
        if !matches!(name, "db-cluster-id" | "db-instance-id" | "engine" | "dbi-resource-id" | "domain") {
            return Err(invalid(format!("Unrecognized filter name: {name}")));
        }
        all.retain(|(site, index)| {
            values.iter().any(|value| {
                last(value) == site.db_cluster
                    || last(value) == instance(site, *index)
                    || *value == "aurora-mysql"
            })
        });
    }
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("DBInstances", "DBInstance", page, |xml, (site, index)| {
        let name = instance(site, *index);
        xml.leaf("DBInstanceIdentifier", &name).leaf("DBInstanceClass", "db.r6g.large");
        let going = world.fate(&Thing::Instance(site.index, *index), call.now) == Fate::Going;
        xml.leaf("Engine", "aurora-mysql");
        let out = world.timeline().at(&site.region, call.now).find_map(|active| match active.effect {
            Effect::InstancesOut { status } => Some(status.clone()),
            _ => None,
        });
        let status =
            if going { "deleting".to_owned() } else { out.unwrap_or_else(|| "available".to_owned()) };
        xml.leaf("DBInstanceStatus", status);
        xml.leaf("InstanceCreateTime", time(world.fleet.born))
            .leaf("AvailabilityZone", &site.zones[index % 3]);
        xml.leaf("EngineVersion", ENGINE_VERSION).leaf("DBClusterIdentifier", &site.db_cluster);
        xml.leaf("DBInstanceArn", Fleet::arn("rds", &site.region, &format!("db:{name}")));
        xml.group("PendingModifiedValues", |_| {});
        xml.leaf("PromotionTier", 1).leaf("StorageEncrypted", true);
    });
    xml.maybe("Marker", next);
    Ok(xml)
}

/// What happened of late: a calm database has the daily backup to tell of.
fn events(world: &World, call: &Call, params: &Params) -> XmlResult {
    let kind = params.text("SourceType");
    if params.text("SourceIdentifier").is_some() && kind.is_none() {
        return Err(Fault::sender(
            "InvalidParameterCombination",
            "The parameter SourceType must be provided if the parameter SourceIdentifier is specified",
        ));
    }
    let minutes = params.number("Duration").unwrap_or(60);
    if !(1..=20_160).contains(&minutes) {
        return Err(invalid("Duration must be between 1 and 20160"));
    }
    let parse = |name: &str| params.text(name).and_then(|text| text.parse::<jiff::Timestamp>().ok());
    let end = parse("EndTime").unwrap_or(call.now);
    let start = parse("StartTime").unwrap_or_else(|| end - jiff::SignedDuration::from_mins(minutes));
    let categories = params.list("EventCategories.EventCategory");
    let mut all: Vec<Told> = Vec::new();
    if let Some(site) = member(world, call) {
        let day = 86_400;
        let newest = end.as_second().div_euclid(day);
        for back in (0..14).rev() {
            if let Ok(at) = jiff::Timestamp::from_second((newest - back) * day + 4 * 3600 + 1_260) {
                let words = "Finished DB Cluster backup".to_owned();
                all.push(Told { at, site: site.index, instance: false, categories: &["backup"], words });
            }
        }
        all.extend(world.database_events(call.now));
        let source = params.text("SourceIdentifier");
        all.retain(|told| {
            let (of, name) = source_of(site, told);
            let asked = categories.is_empty() || told.categories.iter().any(|one| categories.contains(one));
            let ours = told.site == site.index && kind.is_none_or(|kind| kind == of);
            asked
                && ours
                && source.is_none_or(|source| source == name)
                && (start..=end.min(call.now)).contains(&told.at)
        });
        all.sort_by_key(|told| told.at);
    }
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("Events", "Event", page, |xml, told| {
        let site = &world.fleet.sites[told.site];
        let (kind, name) = source_of(site, told);
        let arn = match kind {
            "db-cluster" => Fleet::db_arn(site),
            _ => Fleet::arn("rds", &site.region, &format!("db:{name}")),
        };
        xml.leaf("SourceIdentifier", name).leaf("SourceType", kind).leaf("Message", &told.words);
        xml.group("EventCategories", |xml| {
            for category in told.categories {
                xml.leaf("EventCategory", category);
            }
        });
        xml.leaf("Date", time(told.at)).leaf("SourceArn", arn);
    });
    xml.maybe("Marker", next);
    Ok(xml)
}

/// Type and identifier of what an event is told of.
fn source_of(site: &Site, told: &Told) -> (&'static str, String) {
    if told.instance { ("db-instance", instance(site, 0)) } else { ("db-cluster", site.db_cluster.clone()) }
}
