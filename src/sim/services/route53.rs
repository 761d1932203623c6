//! Route 53, the API. What DNS answers is `world::dns`.

use super::{XmlResult, route53_changes};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::checks::{Check, Kind, SWITCH_BUCKET, SWITCH_METRIC, SWITCH_NAMESPACE, switch_key};
use crate::sim::world::dns::{CHECKER_REGIONS, CHECKERS_EACH, Front, HEALTH_PATH};
use crate::sim::world::fleet::{Fleet, Site, ZONE_NAME};
use crate::sim::world::removal::{OWNER_TAG, Thing};
use crate::sim::world::zone::{name_servers, reversed};
use crate::sim::world::{World, before, noise};

const NAMESPACE: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";

/// Segments of the path after the version.
fn segments(call: &Call) -> Vec<&str> {
    let path = call.path.strip_prefix("/2013-04-01/").unwrap_or_default();
    path.trim_end_matches('/').split('/').collect()
}

pub(super) fn operation(call: &Call) -> &'static str {
    if call.method == "POST" {
        return match segments(call).as_slice() {
            ["healthcheck", _] => "UpdateHealthCheck",
            ["hostedzone", _, "rrset"] => "ChangeResourceRecordSets",
            _ => "",
        };
    }
    if call.method == "DELETE" {
        return match segments(call).as_slice() {
            ["healthcheck", _] => "DeleteHealthCheck",
            _ => "",
        };
    }
    if call.method != "GET" {
        return "";
    }
    match segments(call).as_slice() {
        ["testdnsanswer"] => "TestDNSAnswer",
        ["hostedzone"] => "ListHostedZones",
        ["hostedzonesbyname"] => "ListHostedZonesByName",
        ["hostedzone", _] => "GetHostedZone",
        ["hostedzone", _, "rrset"] => "ListResourceRecordSets",
        ["healthcheck"] => "ListHealthChecks",
        ["healthcheck", _] => "GetHealthCheck",
        ["healthcheck", _, "status"] => "GetHealthCheckStatus",
        ["healthcheck", _, "lastfailurereason"] => "GetHealthCheckLastFailureReason",
        ["tags", _, _] => "ListTagsForResource",
        ["change", _] => "GetChange",
        _ => "",
    }
}

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> XmlResult {
    let segments = segments(call);
    let id = segments.get(1).copied().unwrap_or_default();
    let mut inside = Xml::new();
    match operation {
        "ListHostedZones" => list_zones(world, call, &mut inside)?,
        "ListHostedZonesByName" => list_zones_by_name(world, call, &mut inside)?,
        "GetHostedZone" => get_zone(world, call, id, &mut inside)?,
        "ListResourceRecordSets" => list_records(world, call, id, &mut inside)?,
        "ListHealthChecks" => list_checks(world, call, &mut inside)?,
        "GetHealthCheck" => {
            let check = living(world, call, id)?;
            inside.group("HealthCheck", |xml| write_check(world, check, call.now, xml));
        }
        "DeleteHealthCheck" => {
            living(world, call, id)?;
            world.remove(call.served, Thing::Check(id.to_owned()), 0.0);
        }
        "UpdateHealthCheck" => route53_changes::update_check(world, call, id, &mut inside)?,
        "ChangeResourceRecordSets" => route53_changes::change_records(world, call, id, &mut inside)?,
        "TestDNSAnswer" => route53_changes::test_answer(world, call, &mut inside)?,
        "GetHealthCheckStatus" => check_status(world, call, endpoint(world, id)?, &mut inside),
        "GetHealthCheckLastFailureReason" => last_failure(world, call, endpoint(world, id)?, &mut inside),
        "ListTagsForResource" => {
            tags(world, call, id, segments.get(2).copied().unwrap_or_default(), &mut inside)?
        }
        "GetChange" => route53_changes::get_change(world, call, id, &mut inside)?,
        _ => {
            return Err(Fault::with_status(
                501,
                "NotImplemented",
                "This operation of Route 53 is not simulated.",
            ));
        }
    }
    let mut body = Xml::new();
    body.with(&format!("{operation}Response"), NAMESPACE, |xml| xml.append(&inside));
    Ok(body)
}

pub(super) fn parameter(call: &Call, name: &str) -> Option<String> {
    form_urlencoded::parse(call.query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}

pub(super) fn invalid(message: impl Into<String>) -> Fault {
    Fault::sender("InvalidInput", message)
}

/// `maxitems`; more than the operation gives is taken as what it gives, as AWS does.
fn size(call: &Call, most: usize) -> Result<usize, Fault> {
    match parameter(call, "maxitems").map(|text| text.parse::<usize>()) {
        None => Ok(most),
        Some(Ok(n)) if n >= 1 => Ok(n.min(most)),
        Some(_) => Err(invalid("Invalid MaxItems: must be a positive number")),
    }
}

fn no_zone(id: &str) -> Fault {
    Fault::with_status(404, "NoSuchHostedZone", format!("No hosted zone found with ID: {id}"))
}

pub(super) fn zone(world: &World, id: &str) -> Result<(), Fault> {
    if id == world.fleet.zone_id { Ok(()) } else { Err(no_zone(id)) }
}

/// A check that was not deleted.
fn living<'a>(world: &'a World, call: &Call, id: &str) -> Result<&'a Check, Fault> {
    check(world, if world.is_gone(&Thing::Check(id.to_owned()), call.now) { "deleted" } else { id })
}

pub(super) fn check<'a>(world: &'a World, id: &str) -> Result<&'a Check, Fault> {
    world.check(id).ok_or_else(|| {
        Fault::with_status(
            404,
            "NoSuchHealthCheck",
            format!("No health check exists with the specified ID {id}"),
        )
    })
}

/// The site of a check whose checkers report; calculated ones and those on metrics have none.
fn endpoint<'a>(world: &'a World, id: &str) -> Result<&'a Site, Fault> {
    let check = check(world, id)?;
    if check.kind == Kind::Endpoint {
        return Ok(&world.fleet.sites[check.site]);
    }
    Err(invalid(format!("Health check {id} is of a type whose checkers report no status here")))
}

pub(super) fn no_change(id: &str) -> Fault {
    Fault::with_status(404, "NoSuchChange", format!("Could not find resource with ID: {id}"))
}

fn write_zone(world: &World, call: &Call, xml: &mut Xml) {
    xml.leaf("Id", format!("/hostedzone/{}", world.fleet.zone_id)).leaf("Name", format!("{ZONE_NAME}."));
    xml.leaf("CallerReference", noise::uuid(world.seed, "zone-reference"));
    xml.group("Config", |xml| {
        xml.leaf("Comment", "orders").leaf("PrivateZone", false);
    });
    xml.leaf("ResourceRecordSetCount", world.records(call.now).len());
}

fn list_zones(world: &World, call: &Call, xml: &mut Xml) -> Result<(), Fault> {
    let size = size(call, 100)?;
    let marker = parameter(call, "marker");
    if let Some(marker) = &marker
        && *marker != world.fleet.zone_id
    {
        return Err(no_zone(marker));
    }
    xml.group("HostedZones", |xml| {
        xml.group("HostedZone", |xml| write_zone(world, call, xml));
    });
    xml.maybe("Marker", marker).leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(())
}

fn list_zones_by_name(world: &World, call: &Call, xml: &mut Xml) -> Result<(), Fault> {
    let size = size(call, 100)?;
    let (name, id) = (parameter(call, "dnsname"), parameter(call, "hostedzoneid"));
    if id.is_some() && name.is_none() {
        return Err(invalid("DNSName must be specified with HostedZoneId"));
    }
    let there = name.as_deref().is_none_or(|name| reversed(ZONE_NAME) >= reversed(name));
    xml.group("HostedZones", |xml| {
        if there {
            xml.group("HostedZone", |xml| write_zone(world, call, xml));
        }
    });
    xml.maybe("DNSName", name).maybe("HostedZoneId", id).leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(())
}

fn get_zone(world: &World, call: &Call, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    zone(world, id)?;
    xml.group("HostedZone", |xml| write_zone(world, call, xml));
    xml.group("DelegationSet", |xml| {
        xml.group("NameServers", |xml| {
            for server in name_servers() {
                xml.leaf("NameServer", server);
            }
        });
    });
    Ok(())
}

fn list_records(world: &World, call: &Call, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    zone(world, id)?;
    let most = size(call, 300)?;
    let (name, kind, set) = (parameter(call, "name"), parameter(call, "type"), parameter(call, "identifier"));
    if kind.is_some() && name.is_none() {
        return Err(invalid("The input is not valid: StartRecordType requires StartRecordName"));
    }
    if set.is_some() && kind.is_none() {
        return Err(invalid("The input is not valid: StartRecordIdentifier requires StartRecordType"));
    }
    let all = world.records(call.now);
    let start = match &name {
        None => 0,
        Some(name) => {
            let from = (reversed(name), kind.as_deref().unwrap_or_default(), set.as_deref());
            all.iter().position(|record| record.order() >= from).unwrap_or(all.len())
        }
    };
    let end = all.len().min(start + most);
    xml.list("ResourceRecordSets", "ResourceRecordSet", &all[start..end], |xml, record| {
        xml.leaf("Name", format!("{}.", record.name)).leaf("Type", &record.kind);
        xml.maybe("SetIdentifier", record.set.as_ref()).maybe("Weight", record.weight);
        xml.maybe("Region", record.region.as_ref()).maybe("TTL", record.ttl);
        if let Some(alias) = &record.alias {
            xml.group("AliasTarget", |xml| {
                xml.leaf("HostedZoneId", &alias.zone).leaf("DNSName", format!("{}.", alias.name));
                xml.leaf("EvaluateTargetHealth", alias.evaluate);
            });
        } else {
            xml.list("ResourceRecords", "ResourceRecord", &record.values, |xml, value| {
                xml.leaf("Value", value);
            });
        }
        xml.maybe("HealthCheckId", record.check.as_ref());
    });
    xml.leaf("IsTruncated", end < all.len());
    if let Some(next) = all.get(end) {
        xml.leaf("NextRecordName", format!("{}.", next.name)).leaf("NextRecordType", &next.kind);
        xml.maybe("NextRecordIdentifier", next.set.as_ref());
    }
    xml.leaf("MaxItems", most);
    Ok(())
}

pub(super) fn write_check(world: &World, check: &Check, at: jiff::Timestamp, xml: &mut Xml) {
    let site = &world.fleet.sites[check.site];
    let setting = world.setting(check, at);
    let reference = match check.kind {
        Kind::Endpoint => format!("check-reference/{}", site.region),
        _ => format!("check-reference/{}", check.id),
    };
    xml.leaf("Id", &check.id).leaf("CallerReference", noise::uuid(world.seed, &reference));
    if world.linked(check) {
        xml.group("LinkedService", |xml| {
            xml.leaf("ServicePrincipal", "servicediscovery.amazonaws.com");
            xml.leaf("Description", "This health check was created by AWS Cloud Map.");
        });
    }
    xml.group("HealthCheckConfig", |xml| {
        match check.kind {
            Kind::Endpoint => {
                xml.leaf("Port", 443).leaf("Type", "HTTPS").leaf("ResourcePath", HEALTH_PATH);
                xml.leaf("FullyQualifiedDomainName", Fleet::regional_name(site));
                xml.leaf("RequestInterval", 10).leaf("FailureThreshold", 3).leaf("MeasureLatency", true);
            }
            Kind::Object => {
                xml.leaf("Port", 443).leaf("Type", "HTTPS");
                xml.leaf("ResourcePath", format!("/{}", switch_key(&site.region)));
                let region = &world.fleet.switch_region;
                xml.leaf("FullyQualifiedDomainName", format!("{SWITCH_BUCKET}.s3.{region}.amazonaws.com"));
                xml.leaf("RequestInterval", 10).leaf("FailureThreshold", 3).leaf("MeasureLatency", false);
            }
            Kind::Metric => {
                xml.leaf("Type", "CLOUDWATCH_METRIC");
            }
            Kind::Control => {
                xml.leaf("Type", "RECOVERY_CONTROL");
            }
            Kind::Calculated => {
                xml.leaf("Type", "CALCULATED");
            }
        }
        xml.leaf("Inverted", setting.inverted).leaf("Disabled", setting.disabled);
        match check.kind {
            Kind::Endpoint | Kind::Object => {
                xml.leaf("EnableSNI", true);
            }
            Kind::Calculated => {
                xml.leaf("HealthThreshold", setting.threshold).group("ChildHealthChecks", |xml| {
                    for child in &check.children {
                        xml.leaf("ChildHealthCheck", child);
                    }
                });
            }
            Kind::Metric => {
                xml.group("AlarmIdentifier", |xml| {
                    xml.leaf("Region", &world.fleet.switch_region);
                    xml.leaf("Name", format!("evacuate-{}", site.region));
                });
                xml.leaf("InsufficientDataHealthStatus", "LastKnownStatus");
            }
            Kind::Control => {
                xml.leaf("RoutingControlArn", super::recovery::control_arn(&world.fleet, site));
            }
        }
    });
    xml.leaf("HealthCheckVersion", setting.version);
    if check.kind == Kind::Metric {
        xml.group("CloudWatchAlarmConfiguration", |xml| {
            xml.leaf("EvaluationPeriods", 1).leaf("Threshold", "0.0");
            xml.leaf("ComparisonOperator", "GreaterThanThreshold").leaf("Period", 60);
            xml.leaf("MetricName", SWITCH_METRIC).leaf("Namespace", SWITCH_NAMESPACE);
            xml.leaf("Statistic", "Maximum").group("Dimensions", |xml| {
                xml.group("Dimension", |xml| {
                    xml.leaf("Name", "Region").leaf("Value", &site.region);
                });
            });
        });
    }
}

fn list_checks(world: &World, call: &Call, xml: &mut Xml) -> Result<(), Fault> {
    let size = size(call, 1_000)?;
    let marker = parameter(call, "marker");
    let mut checks: Vec<&Check> = world.checks.iter().collect();
    checks.retain(|check| !world.is_gone(&Thing::Check(check.id.clone()), call.now));
    checks.sort_by(|a, b| a.id.cmp(&b.id));
    let start = match &marker {
        None => 0,
        Some(marker) => checks
            .iter()
            .position(|check| check.id == *marker)
            .ok_or_else(|| invalid(format!("Invalid marker: {marker}")))?,
    };
    let end = checks.len().min(start + size);
    xml.list("HealthChecks", "HealthCheck", &checks[start..end], |xml, check| {
        write_check(world, check, call.now, xml);
    });
    xml.leaf("Marker", marker.unwrap_or_default()).leaf("IsTruncated", end < checks.len());
    xml.maybe("NextMarker", checks.get(end).map(|check| &check.id)).leaf("MaxItems", size);
    Ok(())
}

/// Addresses of the checkers, as AWS publishes them: one range a region.
fn checker_address(checker: usize) -> String {
    format!("15.177.{}.{}", 2 + 4 * (checker / CHECKERS_EACH), 11 + 20 * (checker % CHECKERS_EACH))
}

/// What a checker writes about a failed request.
fn failure(world: &World, site: &Site, at: jiff::Timestamp) -> String {
    let words = match world.front_of(site.index, HEALTH_PATH, at) {
        Front::Hanging => format!(
            "The health checker could not establish a connection within the timeout limit. Resolved IP: {}.",
            site.address
        ),
        Front::Refusing => {
            format!("Resolved IP: {}. The connection was refused by the endpoint.", site.address)
        }
        Front::Failing(504) => "HTTP Status Code 504, Gateway Time-out".to_owned(),
        Front::Failing(status) => format!("HTTP Status Code {status}, Service Temporarily Unavailable"),
        Front::Serving(_) => "HTTP Status Code 500, Internal Server Error".to_owned(),
    };
    format!("Failure: {words}")
}

fn observations(xml: &mut Xml, list: impl IntoIterator<Item = (usize, String, jiff::Timestamp)>) {
    xml.list("HealthCheckObservations", "HealthCheckObservation", list, |xml, (checker, status, at)| {
        xml.leaf("Region", CHECKER_REGIONS[checker / CHECKERS_EACH])
            .leaf("IPAddress", checker_address(checker));
        xml.group("StatusReport", |xml| {
            xml.leaf("Status", status).leaf("CheckedTime", time(at));
        });
    });
}

fn checkers() -> std::ops::Range<usize> {
    0..CHECKER_REGIONS.len() * CHECKERS_EACH
}

fn check_status(world: &World, call: &Call, site: &Site, xml: &mut Xml) {
    let list = checkers().map(|checker| {
        let at = world.asked(site.index, checker, call.now);
        let status = if world.checker(site.index, checker, at).1 {
            "Success: HTTP Status Code 200, OK".to_owned()
        } else {
            failure(world, site, at)
        };
        (checker, status, at)
    });
    observations(xml, list);
}

/// The newest failure of each checker within the last hour; checkers that never failed are left out.
fn last_failure(world: &World, call: &Call, site: &Site, xml: &mut Xml) {
    let from = before(call.now, 3_600);
    let quiet =
        world.timeline().quiet_in(&site.region, from, call.now) && !world.site_touched(site.index, call.now);
    let list = checkers().filter(|_| !quiet).filter_map(|checker| {
        let newest = world.asked(site.index, checker, call.now);
        (0..360).map(|back| before(newest, back * 10)).find_map(|at| {
            (!world.checker(site.index, checker, at).1).then(|| (checker, failure(world, site, at), at))
        })
    });
    observations(xml, list.collect::<Vec<_>>());
}

fn tags(world: &World, call: &Call, kind: &str, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    let name = match kind {
        "healthcheck" => {
            format!("{} /health", Fleet::regional_name(&world.fleet.sites[living(world, call, id)?.site]))
        }
        "hostedzone" => {
            zone(world, id)?;
            "orders".to_owned()
        }
        _ => return Err(invalid(format!("Invalid resource type: {kind}"))),
    };
    xml.group("ResourceTagSet", |xml| {
        xml.leaf("ResourceType", kind).leaf("ResourceId", id);
        let mut tags = vec![("Name", name.as_str()), ("application", "orders")];
        tags.extend((kind == "healthcheck").then_some(OWNER_TAG));
        xml.list("Tags", "Tag", tags, |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        });
    });
    Ok(())
}
