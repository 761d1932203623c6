//! EC2: the subnets of each region's network.

use super::{XmlResult, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::Xml;
use crate::sim::world::World;
use crate::sim::world::fleet::{ACCOUNT, Fleet, Site};
use crate::sim::world::removal::Thing;

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "DescribeSubnets" => describe_subnets(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

fn describe_subnets(world: &World, call: &Call, params: &Params) -> XmlResult {
    let site = world.fleet.site(&call.region);
    let site = site.filter(|site| !world.is_gone(&Thing::Stack(site.index), call.now));
    let there = |id: &str| site.is_some_and(|site| site.subnets.iter().any(|subnet| subnet == id));
    let named = params.list("SubnetId");
    if let Some(unknown) = named.iter().find(|id| !there(id)) {
        let words = format!("The subnet ID '{unknown}' does not exist");
        return Err(Fault::sender("InvalidSubnetID.NotFound", words));
    }
    let filters = filters(params)?;
    let mut xml = Xml::new();
    let chosen = site.into_iter().flat_map(|site| (0..site.subnets.len()).map(move |index| (site, index)));
    let chosen = chosen.filter(|(site, index)| {
        let id = site.subnets[*index].as_str();
        (named.is_empty() || named.contains(&id))
            && filters.iter().all(|(name, values)| match *name {
                "vpc-id" => values.contains(&site.vpc.as_str()),
                _ => values.contains(&id),
            })
    });
    xml.list("subnetSet", "item", chosen, |xml, (site, index)| describe(xml, world, call, site, index));
    Ok(xml)
}

/// `Filter.N.Name` with its values; of AWS's many names the two that are answered here.
fn filters(params: &Params) -> Result<Vec<(&str, Vec<&str>)>, Fault> {
    (1..)
        .map_while(|index| {
            let name = params.text(&format!("Filter.{index}.Name"))?;
            Some((name, params.list(&format!("Filter.{index}.Value"))))
        })
        .map(|(name, values)| match name {
            "subnet-id" | "vpc-id" => Ok((name, values)),
            _ => Err(Fault::sender("InvalidParameterValue", format!("The filter '{name}' is invalid"))),
        })
        .collect()
}

fn describe(xml: &mut Xml, world: &World, call: &Call, site: &Site, index: usize) {
    let id = &site.subnets[index];
    xml.leaf("subnetId", id)
        .leaf("subnetArn", Fleet::arn("ec2", &site.region, &format!("subnet/{id}")))
        .leaf("state", "available")
        .leaf("ownerId", ACCOUNT)
        .leaf("vpcId", &site.vpc)
        .leaf("cidrBlock", format!("10.{}.{index}.0/24", site.index))
        .leaf("availableIpAddressCount", world.free_addresses(site.index, index, call.now))
        .leaf("availabilityZone", &site.zones[index])
        .leaf("defaultForAz", false)
        .leaf("mapPublicIpOnLaunch", false)
        .leaf("assignIpv6AddressOnCreation", false)
        .leaf("ipv6Native", false);
}
