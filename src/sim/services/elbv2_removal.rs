//! Elastic Load Balancing v2, the calls that protect and delete.

use super::XmlResult;
use super::elbv2::{invalid, lb_attributes, no_balancer, site};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::Params;
use crate::sim::wire::xml::Xml;
use crate::sim::world::World;
use crate::sim::world::deeds::Deed;
use crate::sim::world::removal::{Fate, Thing};

/// Seconds until a load balancer is not described any more.
const LEAVING: f64 = 10.0;
/// The attribute of the protection.
pub(super) const PROTECTION: &str = "deletion_protection.enabled";

/// Answers ModifyLoadBalancerAttributes; this simulation changes the deletion protection only.
pub(super) fn modify(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn =
        params.text("LoadBalancerArn").ok_or_else(|| invalid("A load balancer ARN must be specified"))?;
    let site = site(world, call)
        .filter(|site| site.lb_arn == arn && !world.is_gone(&Thing::Balancer(site.index), call.served))
        .ok_or_else(|| no_balancer(arn))?;
    for number in 1.. {
        let part = |name: &str| params.text(&format!("Attributes.member.{number}.{name}"));
        let Some(key) = part("Key") else { break };
        let on = match (key, part("Value")) {
            (PROTECTION, Some("true")) => true,
            (PROTECTION, Some("false")) => false,
            _ => {
                return Err(Fault::sender(
                    "InvalidConfigurationRequest",
                    format!("Load balancer attribute key '{key}' is not recognized here"),
                ));
            }
        };
        world.act(call.served, Deed::Protect { thing: Thing::Balancer(site.index), on });
    }
    let after = Call { now: call.served.max(call.now), ..call.clone() };
    lb_attributes(world, &after, params)
}

/// Answers DeleteLoadBalancer, which takes the listeners; one that is gone is no error.
pub(super) fn balancer(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn =
        params.text("LoadBalancerArn").ok_or_else(|| invalid("A load balancer ARN must be specified"))?;
    let Some(site) = site(world, call).filter(|site| site.lb_arn == arn) else {
        return if arn.contains(":loadbalancer/") { Ok(Xml::new()) } else { Err(no_balancer(arn)) };
    };
    let thing = Thing::Balancer(site.index);
    if world.fate(&thing, call.served) != Fate::There {
        return Ok(Xml::new());
    }
    if world.protected(&thing, call.served) {
        return Err(Fault::sender(
            "OperationNotPermitted",
            format!("Load balancer '{arn}' cannot be deleted because deletion protection is enabled"),
        ));
    }
    world.remove(call.served, thing, LEAVING);
    Ok(Xml::new())
}

/// Answers DeleteTargetGroup, which no listener may name.
pub(super) fn group(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = params.text("TargetGroupArn").ok_or_else(|| invalid("A target group ARN must be specified"))?;
    let found = site(world, call)
        .and_then(|site| Some((site, site.groups.iter().position(|group| group.arn == arn)?)));
    let Some((site, group)) = found else { return Ok(Xml::new()) };
    if !world.is_gone(&Thing::Balancer(site.index), call.served) {
        return Err(Fault::sender(
            "ResourceInUse",
            format!("Target group '{arn}' is currently in use by a listener or a rule"),
        ));
    }
    world.remove(call.served, Thing::Group(site.index, group), 0.0);
    Ok(Xml::new())
}
