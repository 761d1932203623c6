//! Route 53, the API. What DNS answers is `world::dns`.

use super::XmlResult;
use crate::sim::call::{Call, Fault};
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::dns::{CHECKER_REGIONS, CHECKERS_EACH, Front, HEALTH_PATH};
use crate::sim::world::fleet::{Fleet, HOSTNAMES, Site, ZONE_NAME};
use crate::sim::world::{World, before, noise};

const NAMESPACE: &str = "xmlns=\"https://route53.amazonaws.com/doc/2013-04-01/\"";

/// Segments of the path after the version.
fn segments(call: &Call) -> Vec<&str> {
    let path = call.path.strip_prefix("/2013-04-01/").unwrap_or_default();
    path.trim_end_matches('/').split('/').collect()
}

pub(super) fn operation(call: &Call) -> &'static str {
    if call.method != "GET" {
        return "";
    }
    match segments(call).as_slice() {
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
        "GetHostedZone" => get_zone(world, id, &mut inside)?,
        "ListResourceRecordSets" => list_records(world, call, id, &mut inside)?,
        "ListHealthChecks" => list_checks(world, call, &mut inside)?,
        "GetHealthCheck" => {
            let site = check(world, id)?;
            inside.group("HealthCheck", |xml| write_check(world, site, xml));
        }
        "GetHealthCheckStatus" => check_status(world, call, check(world, id)?, &mut inside),
        "GetHealthCheckLastFailureReason" => last_failure(world, call, check(world, id)?, &mut inside),
        "ListTagsForResource" => tags(world, id, segments.get(2).copied().unwrap_or_default(), &mut inside)?,
        "GetChange" => {
            return Err(Fault::with_status(
                404,
                "NoSuchChange",
                format!("Could not find resource with ID: {id}"),
            ));
        }
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

fn parameter(call: &Call, name: &str) -> Option<String> {
    form_urlencoded::parse(call.query.as_bytes())
        .find(|(key, _)| key.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.into_owned())
        .filter(|value| !value.is_empty())
}

fn invalid(message: impl Into<String>) -> Fault {
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

fn zone(world: &World, id: &str) -> Result<(), Fault> {
    if id == world.fleet.zone_id { Ok(()) } else { Err(no_zone(id)) }
}

fn check<'a>(world: &'a World, id: &str) -> Result<&'a Site, Fault> {
    world.fleet.sites.iter().find(|site| site.health_check == id).ok_or_else(|| {
        Fault::with_status(
            404,
            "NoSuchHealthCheck",
            format!("No health check exists with the specified ID {id}"),
        )
    })
}

fn write_zone(world: &World, xml: &mut Xml) {
    xml.leaf("Id", format!("/hostedzone/{}", world.fleet.zone_id)).leaf("Name", format!("{ZONE_NAME}."));
    xml.leaf("CallerReference", noise::uuid(world.seed, "zone-reference"));
    xml.group("Config", |xml| {
        xml.leaf("Comment", "orders").leaf("PrivateZone", false);
    });
    xml.leaf("ResourceRecordSetCount", records(world).len());
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
        xml.group("HostedZone", |xml| write_zone(world, xml));
    });
    xml.maybe("Marker", marker).leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(())
}

/// The labels of a name, last first: the order in which Route 53 lists.
fn reversed(name: &str) -> Vec<String> {
    name.trim_end_matches('.').to_ascii_lowercase().rsplit('.').map(str::to_owned).collect()
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
            xml.group("HostedZone", |xml| write_zone(world, xml));
        }
    });
    xml.maybe("DNSName", name).maybe("HostedZoneId", id).leaf("IsTruncated", false).leaf("MaxItems", size);
    Ok(())
}

/// The zone's name servers, without the final dot.
pub(in crate::sim) fn name_servers() -> [&'static str; 4] {
    ["ns-512.awsdns-00.net", "ns-1024.awsdns-00.org", "ns-1536.awsdns-00.co.uk", "ns-0.awsdns-00.com"]
}

fn get_zone(world: &World, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    zone(world, id)?;
    xml.group("HostedZone", |xml| write_zone(world, xml));
    xml.group("DelegationSet", |xml| {
        xml.group("NameServers", |xml| {
            for server in name_servers() {
                xml.leaf("NameServer", server);
            }
        });
    });
    Ok(())
}

/// One record set of the zone.
enum Record<'a> {
    /// Name servers or start of authority: type, TTL, values.
    Plain(&'static str, u32, Vec<String>),
    /// A latency alias of a hostname, by region.
    Latency(&'a Site, &'static str, &'static str),
    /// The region's own name, at which its health check knocks.
    Regional(&'a Site, &'static str),
}

impl Record<'_> {
    fn name(&self) -> String {
        match self {
            Self::Plain(..) => ZONE_NAME.to_owned(),
            Self::Latency(_, name, _) => (*name).to_owned(),
            Self::Regional(site, _) => Fleet::regional_name(site),
        }
    }

    fn kind(&self) -> &'static str {
        match self {
            Self::Plain(kind, ..) | Self::Latency(_, _, kind) | Self::Regional(_, kind) => kind,
        }
    }

    fn set(&self) -> Option<&str> {
        match self {
            Self::Latency(site, ..) => Some(&site.region),
            Self::Plain(..) | Self::Regional(..) => None,
        }
    }

    fn order(&self) -> (Vec<String>, &'static str, Option<&str>) {
        (reversed(&self.name()), self.kind(), self.set())
    }
}

/// All records, in Route 53's order: by reversed labels, type, set identifier.
fn records(world: &World) -> Vec<Record<'_>> {
    let servers: Vec<String> = name_servers().iter().map(|server| format!("{server}.")).collect();
    let soa = format!("{} awsdns-hostmaster.amazon.com. 1 7200 900 1209600 86400", servers[0]);
    let mut records = vec![Record::Plain("NS", 172_800, servers), Record::Plain("SOA", 900, vec![soa])];
    for site in &world.fleet.sites {
        for kind in ["A", "AAAA"] {
            records.extend(HOSTNAMES.iter().map(|name| Record::Latency(site, name, kind)));
            records.push(Record::Regional(site, kind));
        }
    }
    records.sort_by(|a, b| a.order().cmp(&b.order()));
    records
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
    let all = records(world);
    let start = match &name {
        None => 0,
        Some(name) => {
            let from = (reversed(name), kind.as_deref().unwrap_or_default(), set.as_deref());
            all.iter().position(|record| record.order() >= from).unwrap_or(all.len())
        }
    };
    let end = all.len().min(start + most);
    xml.list("ResourceRecordSets", "ResourceRecordSet", &all[start..end], |xml, record| {
        xml.leaf("Name", format!("{}.", record.name())).leaf("Type", record.kind());
        match record {
            Record::Plain(_, ttl, values) => {
                xml.leaf("TTL", ttl).list("ResourceRecords", "ResourceRecord", values, |xml, value| {
                    xml.leaf("Value", value);
                });
            }
            Record::Latency(site, ..) => {
                xml.leaf("SetIdentifier", &site.region).leaf("Region", &site.region);
                alias(site, true, xml);
                xml.leaf("HealthCheckId", &site.health_check);
            }
            Record::Regional(site, _) => alias(site, false, xml),
        }
    });
    xml.leaf("IsTruncated", end < all.len());
    if let Some(next) = all.get(end) {
        xml.leaf("NextRecordName", format!("{}.", next.name())).leaf("NextRecordType", next.kind());
        xml.maybe("NextRecordIdentifier", next.set());
    }
    xml.leaf("MaxItems", most);
    Ok(())
}

fn alias(site: &Site, evaluate: bool, xml: &mut Xml) {
    xml.group("AliasTarget", |xml| {
        xml.leaf("HostedZoneId", &site.lb_zone).leaf("DNSName", format!("dualstack.{}.", site.lb_dns));
        xml.leaf("EvaluateTargetHealth", evaluate);
    });
}

fn write_check(world: &World, site: &Site, xml: &mut Xml) {
    xml.leaf("Id", &site.health_check);
    xml.leaf("CallerReference", noise::uuid(world.seed, &format!("check-reference/{}", site.region)));
    xml.group("HealthCheckConfig", |xml| {
        xml.leaf("Port", 443).leaf("Type", "HTTPS").leaf("ResourcePath", HEALTH_PATH);
        xml.leaf("FullyQualifiedDomainName", Fleet::regional_name(site));
        xml.leaf("RequestInterval", 10).leaf("FailureThreshold", 3).leaf("MeasureLatency", true);
        xml.leaf("Inverted", false).leaf("Disabled", false).leaf("EnableSNI", true);
    });
    xml.leaf("HealthCheckVersion", 1);
}

fn list_checks(world: &World, call: &Call, xml: &mut Xml) -> Result<(), Fault> {
    let size = size(call, 1_000)?;
    let marker = parameter(call, "marker");
    let mut sites: Vec<&Site> = world.fleet.sites.iter().collect();
    sites.sort_by(|a, b| a.health_check.cmp(&b.health_check));
    let start = match &marker {
        None => 0,
        Some(marker) => sites
            .iter()
            .position(|site| site.health_check == *marker)
            .ok_or_else(|| invalid(format!("Invalid marker: {marker}")))?,
    };
    let end = sites.len().min(start + size);
    xml.list("HealthChecks", "HealthCheck", &sites[start..end], |xml, site| write_check(world, site, xml));
    xml.leaf("Marker", marker.unwrap_or_default()).leaf("IsTruncated", end < sites.len());
    xml.maybe("NextMarker", sites.get(end).map(|site| &site.health_check)).leaf("MaxItems", size);
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
    let quiet = world.timeline().quiet_in(&site.region, from, call.now);
    let list = checkers().filter(|_| !quiet).filter_map(|checker| {
        let newest = world.asked(site.index, checker, call.now);
        (0..360).map(|back| before(newest, back * 10)).find_map(|at| {
            (!world.checker(site.index, checker, at).1).then(|| (checker, failure(world, site, at), at))
        })
    });
    observations(xml, list.collect::<Vec<_>>());
}

fn tags(world: &World, kind: &str, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    let name = match kind {
        "healthcheck" => format!("{} /health", Fleet::regional_name(check(world, id)?)),
        "hostedzone" => {
            zone(world, id)?;
            "orders".to_owned()
        }
        _ => return Err(invalid(format!("Invalid resource type: {kind}"))),
    };
    xml.group("ResourceTagSet", |xml| {
        xml.leaf("ResourceType", kind).leaf("ResourceId", id);
        xml.list("Tags", "Tag", [("Name", name.as_str()), ("application", "orders")], |xml, (key, value)| {
            xml.leaf("Key", key).leaf("Value", value);
        });
    });
    Ok(())
}
