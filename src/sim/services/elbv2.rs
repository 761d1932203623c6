//! Elastic Load Balancing v2.

use super::{XmlResult, elbv2_removal, unknown_action};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::query::{Params, page};
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::World;
use crate::sim::world::fleet::Site;
use crate::sim::world::removal::Thing;

pub(super) fn answer(world: &World, call: &Call, operation: &str, params: &Params) -> XmlResult {
    match operation {
        "DescribeLoadBalancers" => load_balancers(world, call, params),
        "DescribeTargetGroups" => target_groups(world, call, params),
        "DescribeTargetHealth" => target_health(world, call, params),
        "DescribeListeners" => listeners(world, call, params),
        "DescribeLoadBalancerAttributes" => lb_attributes(world, call, params),
        "DescribeTargetGroupAttributes" => group_attributes(world, call, params),
        "DescribeTags" => tags(world, call, params),
        "ModifyLoadBalancerAttributes" => elbv2_removal::modify(world, call, params),
        "DeleteLoadBalancer" => elbv2_removal::balancer(world, call, params),
        "DeleteTargetGroup" => elbv2_removal::group(world, call, params),
        _ => Err(unknown_action(operation)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("ValidationError", message)
}

fn bad_marker() -> Fault {
    invalid("The marker is not valid")
}

fn size(params: &Params) -> Result<usize, Fault> {
    match params.number("PageSize") {
        None if params.text("PageSize").is_some() => Err(invalid("PageSize must be a number")),
        None => Ok(400),
        Some(n) if (1..=400).contains(&n) => Ok(n as usize),
        Some(_) => Err(invalid("Page size must be between 1 and 400")),
    }
}

fn at_most(names: &[&str], most: usize, what: &str) -> Result<(), Fault> {
    if names.len() > most {
        return Err(invalid(format!("Up to {most} {what} can be described at once")));
    }
    Ok(())
}

pub(super) fn no_balancer(name: &str) -> Fault {
    if name.starts_with("arn:") && !name.contains(":loadbalancer/") {
        return invalid(format!("'{name}' is not a valid load balancer ARN"));
    }
    Fault::sender("LoadBalancerNotFound", format!("Load balancers '[{name}]' not found"))
}

fn no_group(name: &str) -> Fault {
    if !name.contains(":targetgroup/") {
        return invalid(format!("'{name}' is not a valid target group ARN"));
    }
    Fault::sender("TargetGroupNotFound", format!("Target groups '{name}' not found"))
}

pub(super) fn site<'a>(world: &'a World, call: &Call) -> Option<&'a Site> {
    world.fleet.site(&call.region)
}

/// The site of the call's region while its load balancer is there.
fn with_balancer<'a>(world: &'a World, call: &Call) -> Option<&'a Site> {
    site(world, call).filter(|site| !world.is_gone(&Thing::Balancer(site.index), call.now))
}

/// Whether a target group is there.
fn has_group(world: &World, call: &Call, site: &Site, arn: &str) -> bool {
    let there = |group: usize| !world.is_gone(&Thing::Group(site.index, group), call.now);
    site.groups.iter().position(|group| group.arn == arn).is_some_and(there)
}

fn load_balancers(world: &World, call: &Call, params: &Params) -> XmlResult {
    let (arns, names) = (params.list("LoadBalancerArns.member"), params.list("Names.member"));
    at_most(&arns, 20, "load balancers")?;
    if !arns.is_empty() && !names.is_empty() {
        return Err(invalid(
            "Load balancer names and load balancer ARNs cannot be specified at the same time",
        ));
    }
    let site = with_balancer(world, call);
    for arn in &arns {
        if site.is_none_or(|site| site.lb_arn != *arn) {
            return Err(no_balancer(arn));
        }
    }
    for name in &names {
        if site.is_none() || *name != "prod" {
            return Err(Fault::sender(
                "LoadBalancerNotFound",
                format!("Load balancers '[{name}]' not found"),
            ));
        }
    }
    let all: Vec<&Site> = site.into_iter().collect();
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("LoadBalancers", "member", page, |xml, site| {
        xml.leaf("LoadBalancerArn", &site.lb_arn).leaf("DNSName", &site.lb_dns);
        xml.leaf("CanonicalHostedZoneId", &site.lb_zone).leaf("CreatedTime", time(world.fleet.born));
        xml.leaf("LoadBalancerName", "prod").leaf("Scheme", "internet-facing").leaf("VpcId", &site.vpc);
        xml.group("State", |xml| {
            xml.leaf("Code", "active");
        });
        xml.leaf("Type", "application");
        xml.list(
            "AvailabilityZones",
            "member",
            site.zones.iter().zip(&site.subnets),
            |xml, (zone, subnet)| {
                xml.leaf("ZoneName", zone).leaf("SubnetId", subnet).group("LoadBalancerAddresses", |_| {});
            },
        );
        xml.group("SecurityGroups", |xml| {
            xml.leaf("member", &site.security_group);
        });
        xml.leaf("IpAddressType", "dualstack");
    });
    xml.maybe("NextMarker", next);
    Ok(xml)
}

fn target_groups(world: &World, call: &Call, params: &Params) -> XmlResult {
    let (arns, names) = (params.list("TargetGroupArns.member"), params.list("Names.member"));
    let balancer = params.text("LoadBalancerArn");
    let site = site(world, call);
    if let Some(arn) = balancer
        && with_balancer(world, call).is_none_or(|site| site.lb_arn != arn)
    {
        return Err(no_balancer(arn));
    }
    let mut found: Vec<usize> = Vec::new();
    if let Some(site) = site {
        found = (0..site.groups.len())
            .filter(|group| !world.is_gone(&Thing::Group(site.index, *group), call.now))
            .collect();
        if !arns.is_empty() {
            found.retain(|index| arns.contains(&site.groups[*index].arn.as_str()));
        }
        if !names.is_empty() {
            found.retain(|index| names.contains(&world.fleet.services[*index].name.as_str()));
        }
    }
    for arn in &arns {
        if site.is_none_or(|site| !has_group(world, call, site, arn)) {
            return Err(no_group(arn));
        }
    }
    for name in &names {
        if site.is_none() || world.fleet.services.iter().all(|spec| spec.name != *name) {
            return Err(Fault::sender("TargetGroupNotFound", "One or more target groups not found"));
        }
    }
    let (page, next) = page(&found, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("TargetGroups", "member", page, |xml, index| {
        let Some(site) = site else { return };
        let spec = &world.fleet.services[*index];
        xml.leaf("TargetGroupArn", &site.groups[*index].arn).leaf("TargetGroupName", &spec.name);
        xml.leaf("Protocol", "HTTP").leaf("Port", spec.port).leaf("VpcId", &site.vpc);
        xml.leaf("HealthCheckProtocol", "HTTP").leaf("HealthCheckPort", "traffic-port");
        xml.leaf("HealthCheckEnabled", "true").leaf("HealthCheckIntervalSeconds", 10);
        xml.leaf("HealthCheckTimeoutSeconds", 5).leaf("HealthyThresholdCount", 3);
        xml.leaf("UnhealthyThresholdCount", 2).leaf("HealthCheckPath", "/health");
        xml.group("Matcher", |xml| {
            xml.leaf("HttpCode", "200");
        });
        xml.group("LoadBalancerArns", |xml| {
            xml.maybe("member", with_balancer(world, call).map(|site| &site.lb_arn));
        });
        xml.leaf("TargetType", "ip").leaf("ProtocolVersion", "HTTP1").leaf("IpAddressType", "ipv4");
    });
    xml.maybe("NextMarker", next);
    Ok(xml)
}

fn target_health(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = params.text("TargetGroupArn").ok_or_else(|| invalid("A target group ARN must be specified"))?;
    let site =
        site(world, call).filter(|site| has_group(world, call, site, arn)).ok_or_else(|| no_group(arn))?;
    let service = site.groups.iter().position(|group| group.arn == arn).ok_or_else(|| no_group(arn))?;
    let port = world.fleet.services[service].port;
    let slots = world.slots(site.index, service, call.now);
    let targets: Vec<(String, _)> = slots
        .iter()
        .filter_map(|slot| Some((World::target_ip(site, service, slot.index), slot.target?)))
        .collect();
    let mut xml = Xml::new();
    xml.list("TargetHealthDescriptions", "member", targets, |xml, (ip, target)| {
        xml.group("Target", |xml| {
            xml.leaf("Id", &ip).leaf("Port", port);
        });
        xml.leaf("HealthCheckPort", port);
        xml.group("TargetHealth", |xml| {
            xml.leaf("State", target.state)
                .maybe("Reason", target.reason)
                .maybe("Description", target.description);
        });
    });
    Ok(xml)
}

fn listeners(world: &World, call: &Call, params: &Params) -> XmlResult {
    let (arn, named) = (params.text("LoadBalancerArn"), params.list("ListenerArns.member"));
    if arn.is_none() && named.is_empty() {
        return Err(invalid("You must specify either listener ARNs or a load balancer ARN"));
    }
    let site = with_balancer(world, call);
    if let Some(arn) = arn
        && site.is_none_or(|site| site.lb_arn != arn)
    {
        return Err(no_balancer(arn));
    }
    for listener in &named {
        if site.is_none_or(|site| site.listener_arn != *listener) {
            return Err(Fault::sender("ListenerNotFound", "One or more listeners not found"));
        }
    }
    let all: Vec<&Site> = site.into_iter().collect();
    let (page, next) = page(&all, params.text("Marker"), size(params)?, bad_marker)?;
    let mut xml = Xml::new();
    xml.list("Listeners", "member", page, |xml, site| {
        xml.leaf("ListenerArn", &site.listener_arn).leaf("LoadBalancerArn", &site.lb_arn);
        xml.leaf("Port", 443)
            .leaf("Protocol", "HTTPS")
            .leaf("SslPolicy", "ELBSecurityPolicy-TLS13-1-2-2021-06");
        xml.group("Certificates", |xml| {
            xml.group("member", |xml| {
                xml.leaf("CertificateArn", certificate(world, site));
            });
        });
        xml.group("DefaultActions", |xml| {
            xml.group("member", |xml| {
                xml.leaf("Type", "forward").leaf("TargetGroupArn", &site.groups[0].arn).leaf("Order", 1);
            });
        });
    });
    xml.maybe("NextMarker", next);
    Ok(xml)
}

fn certificate(world: &World, site: &Site) -> String {
    let id = crate::sim::world::noise::uuid(world.seed, &format!("certificate/{}", site.region));
    crate::sim::world::Fleet::arn("acm", &site.region, &format!("certificate/{id}"))
}

fn attributes(list: &[(&str, String)]) -> Xml {
    let mut xml = Xml::new();
    xml.list("Attributes", "member", list, |xml, (key, value)| {
        xml.leaf("Key", key).leaf("Value", value);
    });
    xml
}

pub(super) fn lb_attributes(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn =
        params.text("LoadBalancerArn").ok_or_else(|| invalid("A load balancer ARN must be specified"))?;
    let site =
        with_balancer(world, call).filter(|site| site.lb_arn == arn).ok_or_else(|| no_balancer(arn))?;
    let protected = world.protected(&Thing::Balancer(site.index), call.now);
    Ok(attributes(&[
        (elbv2_removal::PROTECTION, protected.to_string()),
        ("idle_timeout.timeout_seconds", "60".into()),
        ("client_keep_alive.seconds", "3600".into()),
        ("routing.http2.enabled", "true".into()),
        ("load_balancing.cross_zone.enabled", "true".into()),
    ]))
}

fn group_attributes(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arn = params.text("TargetGroupArn").ok_or_else(|| invalid("A target group ARN must be specified"))?;
    site(world, call).filter(|site| has_group(world, call, site, arn)).ok_or_else(|| no_group(arn))?;
    Ok(attributes(&[
        ("deregistration_delay.timeout_seconds", "60".into()),
        ("stickiness.enabled", "false".into()),
        ("load_balancing.algorithm.type", "round_robin".into()),
    ]))
}

fn tags(world: &World, call: &Call, params: &Params) -> XmlResult {
    let arns = params.list("ResourceArns.member");
    if arns.is_empty() {
        return Err(invalid("At least one resource ARN must be specified"));
    }
    at_most(&arns, 20, "resources")?;
    let site = site(world, call);
    for arn in &arns {
        let known = site.is_some_and(|site| {
            let balanced = with_balancer(world, call).is_some();
            (balanced && (site.lb_arn == *arn || site.listener_arn == *arn))
                || has_group(world, call, site, arn)
        });
        if !known {
            return Err(if arn.contains(":targetgroup/") { no_group(arn) } else { no_balancer(arn) });
        }
    }
    let mut xml = Xml::new();
    xml.list("TagDescriptions", "member", arns, |xml, arn| {
        xml.leaf("ResourceArn", arn);
        xml.list("Tags", "member", world.tags(arn), |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        });
    });
    Ok(xml)
}
