//! CloudFormation: the stack of each region's network.

use super::{XmlResult, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{Fleet, Site};
use crate::sim::world::removal::{Fate, Thing};
use crate::sim::world::{World, noise};

/// The stack's name, the same in every region.
pub(crate) const STACK: &str = "orders-network";
/// Seconds that a network takes to go.
const LEAVING: f64 = 180.0;

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "DescribeStacks" => describe(world, call, params),
        "DescribeStackResources" => resources(world, call, params),
        "DeleteStack" => delete(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

fn id(world: &World, site: &Site) -> String {
    let unique = noise::uuid(world.seed, &format!("stack/{}", site.region));
    Fleet::arn("cloudformation", &site.region, &format!("stack/{STACK}/{unique}"))
}

fn unknown(name: &str) -> Fault {
    Fault::sender("ValidationError", format!("Stack with id {name} does not exist"))
}

/// The site whose stack a call names. Once it is gone, only its id finds it.
fn named<'a>(world: &'a World, call: &Call, params: &Params) -> Result<Option<&'a Site>, Fault> {
    let site = world.fleet.site(&call.region);
    let Some(name) = params.text("StackName") else {
        return Ok(site.filter(|site| !world.is_gone(&Thing::Stack(site.index), call.now)));
    };
    let found = site.filter(|site| {
        let there = !world.is_gone(&Thing::Stack(site.index), call.now);
        (name == STACK && there) || name == id(world, site)
    });
    found.map(Some).ok_or_else(|| unknown(name))
}

/// A deletion that found the network in use left the stack as failed: its protection counts as lifted.
fn status(world: &World, call: &Call, site: &Site) -> &'static str {
    let thing = Thing::Stack(site.index);
    match world.fate(&thing, call.now) {
        Fate::Gone => "DELETE_COMPLETE",
        Fate::Going => "DELETE_IN_PROGRESS",
        Fate::There if world.protected(&thing, call.now) => "CREATE_COMPLETE",
        Fate::There => "DELETE_FAILED",
    }
}

fn describe(world: &World, call: &Call, params: &Params) -> XmlResult {
    let mut xml = Xml::new();
    xml.list("Stacks", "member", named(world, call, params)?, |xml, site| {
        let told = status(world, call, site);
        let id = id(world, site);
        xml.leaf("StackId", &id).leaf("StackName", STACK).leaf("StackStatus", told);
        xml.leaf("CreationTime", time(world.fleet.born)).leaf("DisableRollback", false);
        if told == "DELETE_FAILED" {
            xml.leaf("StackStatusReason", "The following resource(s) failed to delete: [Subnets].");
        }
        xml.list("Tags", "member", world.tags(&id), |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        });
    });
    Ok(xml)
}

fn resources(world: &World, call: &Call, params: &Params) -> XmlResult {
    let site = named(world, call, params)?.ok_or_else(|| unknown(STACK))?;
    let parts = [
        ("Vpc", "AWS::EC2::VPC", site.vpc.as_str()),
        ("SubnetA", "AWS::EC2::Subnet", &site.subnets[0]),
        ("SubnetB", "AWS::EC2::Subnet", &site.subnets[1]),
        ("SubnetC", "AWS::EC2::Subnet", &site.subnets[2]),
        ("SecurityGroup", "AWS::EC2::SecurityGroup", &site.security_group),
    ];
    let mut xml = Xml::new();
    xml.list("StackResources", "member", parts, |xml, (name, kind, physical)| {
        xml.leaf("StackName", STACK).leaf("LogicalResourceId", name).leaf("PhysicalResourceId", physical);
        xml.leaf("ResourceType", kind).leaf("ResourceStatus", status(world, call, site));
        xml.leaf("Timestamp", time(world.fleet.born));
    });
    Ok(xml)
}

/// Takes the network, unless a load balancer still stands in it: then the stack fails, and may be asked again.
fn delete(world: &World, call: &Call, params: &Params) -> XmlResult {
    let name = params.text("StackName").unwrap_or_default();
    // A stack that is not there is no error.
    let Ok(Some(site)) = named(world, call, params) else {
        return if name.is_empty() {
            Err(Fault::sender("ValidationError", "StackName is missing"))
        } else {
            Ok(Xml::new())
        };
    };
    let thing = Thing::Stack(site.index);
    if world.fate(&thing, call.served) != Fate::There {
        return Ok(Xml::new());
    }
    if world.is_gone(&Thing::Balancer(site.index), call.served) {
        world.remove(call.served, thing, LEAVING);
    } else {
        world.act(call.served, Deed::Protect { thing, on: false });
    }
    Ok(Xml::new())
}
