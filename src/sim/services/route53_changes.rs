//! Route 53, the calls that change something, and the answers that show it.

use super::route53::{check, invalid, no_change, parameter, write_check, zone};
use crate::sim::call::{Call, Fault};
use crate::sim::wire::tree::{self, Node};
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::ZONE_NAME;
use crate::sim::world::zone::{Action, Alias, Change, RecordSet, apply, name_servers, plain};
use crate::sim::world::{World, noise};

/// Most values of one batch.
const MOST_VALUES: usize = 1_000;

fn body(call: &Call) -> Result<Node, Fault> {
    tree::parse(&call.body)
        .ok_or_else(|| Fault::sender("MalformedXML", "The XML you provided was not well-formed."))
}

/// Answers UpdateHealthCheck.
pub(super) fn update_check(world: &World, call: &Call, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    let check = check(world, id)?;
    if world.linked(check) {
        return Err(Fault::with_status(
            403,
            "AccessDenied",
            "The health check was created by another AWS service and cannot be edited here.",
        ));
    }
    let request = body(call)?;
    let now = call.served;
    let version = world.setting(check, now).version;
    if let Some(sent) = request.leaf("HealthCheckVersion")
        && sent.parse::<i64>().map_or(true, |sent| sent < 1)
    {
        return Err(invalid(format!("HealthCheckVersion {sent} is not valid, expected min value: 1")));
    }
    if let Some(expected) = request.leaf("HealthCheckVersion")
        && expected.parse::<i64>().ok() != Some(version)
    {
        return Err(Fault::with_status(
            409,
            "HealthCheckVersionMismatch",
            format!(
                "The current version of health check {id} is {version}, which does not match {expected}."
            ),
        ));
    }
    let known = [
        "HealthCheckVersion",
        "Inverted",
        "Disabled",
        "HealthThreshold",
        "FailureThreshold",
        "ResetElements",
    ];
    if let Some(other) = request.children.iter().find(|node| !known.contains(&node.name.as_str())) {
        return Err(invalid(format!("{} of a health check is not simulated", other.name)));
    }
    let flag = |name: &str| request.leaf(name).map(|text| text == "true");
    let threshold = request.leaf("HealthThreshold").and_then(|text| text.parse().ok());
    world.act(
        now,
        Deed::Check {
            check: id.to_owned(),
            inverted: flag("Inverted"),
            disabled: flag("Disabled"),
            threshold,
        },
    );
    xml.group("HealthCheck", |xml| write_check(world, check, now, xml));
    Ok(())
}

/// Answers ChangeResourceRecordSets: all changes or none.
pub(super) fn change_records(world: &World, call: &Call, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    zone(world, id)?;
    let request = body(call)?;
    let batch = request.child("ChangeBatch").ok_or_else(|| invalid("ChangeBatch must be given"))?;
    let changes =
        batch.list("Changes").iter().map(|node| change(world, node)).collect::<Result<Vec<_>, Fault>>()?;
    if changes.is_empty() {
        return Err(invalid("The batch has no changes"));
    }
    let weight = |change: &Change| {
        let values = change.record.values.len().max(1);
        if change.action == Action::Upsert { 2 * values } else { values }
    };
    if changes.iter().map(weight).sum::<usize>() > MOST_VALUES {
        return Err(batch_fault("Number of records limit of 1000 exceeded."));
    }
    let now = call.served;
    let mut records = world.records(now);
    let mut wrong = Vec::new();
    for one in &changes {
        match objection(&records, one) {
            Some(words) => wrong.push(words),
            None => apply(&mut records, one),
        }
    }
    if !wrong.is_empty() {
        return Err(batch_fault(&wrong.join(", ")));
    }
    let name = format!("change/{}/{}", call.request_id, now.as_millisecond());
    let change_id = format!("C{}", noise::hex(world.seed, &name, 20).to_uppercase());
    let seconds = 20.0 + 20.0 * noise::unit(world.salt(&name), 0);
    let insync = now + world.paced(seconds);
    world.act(now, Deed::Records { id: change_id.clone(), changes, insync });
    xml.group("ChangeInfo", |xml| write_change(&change_id, "PENDING", now, batch.leaf("Comment"), xml));
    Ok(())
}

fn batch_fault(words: &str) -> Fault {
    Fault::sender("InvalidChangeBatch", format!("[{words}]"))
}

fn write_change(id: &str, status: &str, at: jiff::Timestamp, comment: Option<&str>, xml: &mut Xml) {
    xml.leaf("Id", format!("/change/{id}")).leaf("Status", status).leaf("SubmittedAt", time(at));
    xml.maybe("Comment", comment);
}

/// Answers GetChange.
pub(super) fn get_change(world: &World, call: &Call, id: &str, xml: &mut Xml) -> Result<(), Fault> {
    let (at, insync) = world.change(id, call.now).ok_or_else(|| no_change(id))?;
    let status = if insync <= call.now { "INSYNC" } else { "PENDING" };
    xml.group("ChangeInfo", |xml| write_change(id, status, at, None, xml));
    Ok(())
}

/// Why a change cannot be made to these records.
fn objection(records: &[RecordSet], change: &Change) -> Option<String> {
    let record = &change.record;
    let known = records.iter().find(|other| other.key() == record.key());
    let words = |verb: &str, why: &str| {
        let set = record.set.as_ref().map(|set| format!(", set-identifier='{set}'")).unwrap_or_default();
        Some(format!(
            "Tried to {verb} resource record set [name='{}.', type='{}'{set}] but {why}",
            record.name, record.kind
        ))
    };
    match change.action {
        Action::Create if known.is_some() => return words("create", "it already exists"),
        Action::Delete => {
            return match known {
                None => words("delete", "it was not found"),
                Some(known) if known != record => {
                    words("delete", "the values provided do not match the current values")
                }
                Some(_) if matches!(record.kind.as_str(), "NS" | "SOA") && record.name == ZONE_NAME => {
                    words("delete", "a hosted zone must have it")
                }
                Some(_) => None,
            };
        }
        Action::Create | Action::Upsert => {}
    }
    let rivals = records.iter().filter(|other| (&other.name, &other.kind) == (&record.name, &record.kind));
    for other in rivals.filter(|other| other.set != record.set) {
        let policy = |one: &RecordSet| (one.region.is_some(), one.weight.is_some(), one.set.is_some());
        if policy(other) != policy(record) {
            return words("create", "it conflicts with other records of a different routing policy");
        }
        if other.region.is_some() && other.region == record.region {
            return words("create", "a latency record for the region already exists");
        }
    }
    None
}

fn change(world: &World, node: &Node) -> Result<Change, Fault> {
    let action = match node.leaf("Action") {
        Some("CREATE") => Action::Create,
        Some("DELETE") => Action::Delete,
        Some("UPSERT") => Action::Upsert,
        other => return Err(invalid(format!("Invalid action: {}", other.unwrap_or_default()))),
    };
    let record = node.child("ResourceRecordSet").ok_or_else(|| invalid("ResourceRecordSet must be given"))?;
    let name = plain(record.leaf("Name").ok_or_else(|| invalid("Name must be given"))?);
    let kind = record.leaf("Type").ok_or_else(|| invalid("Type must be given"))?.to_owned();
    if name != ZONE_NAME && !name.ends_with(&format!(".{ZONE_NAME}")) {
        return Err(batch_fault(&format!(
            "RRSet with DNS name {name}. is not permitted in zone {ZONE_NAME}."
        )));
    }
    let alias = record.child("AliasTarget").map(|target| Alias {
        zone: target.leaf("HostedZoneId").unwrap_or_default().trim_start_matches("/hostedzone/").to_owned(),
        name: plain(target.leaf("DNSName").unwrap_or_default()),
        evaluate: target.leaf("EvaluateTargetHealth") == Some("true"),
    });
    let check = record.leaf("HealthCheckId").map(str::to_owned);
    if let Some(id) = check.as_deref().filter(|_| action != Action::Delete)
        && world.check(id).is_none()
    {
        return Err(Fault::with_status(
            404,
            "NoSuchHealthCheck",
            format!("No health check exists with the specified ID {id}"),
        ));
    }
    if let Some(alias) = alias.as_ref().filter(|_| action != Action::Delete) {
        let site = world.balancer(&alias.name).map(|site| &world.fleet.sites[site]);
        if site.is_none_or(|site| site.lb_zone != alias.zone) {
            return Err(batch_fault(&format!(
                "Tried to create an alias that targets {}., type {kind} in zone {}, but the alias target name does not lie within the target zone",
                alias.name, alias.zone
            )));
        }
    }
    let record = RecordSet {
        set: record.leaf("SetIdentifier").map(str::to_owned),
        region: record.leaf("Region").map(str::to_owned),
        weight: record.leaf("Weight").and_then(|text| text.parse().ok()),
        ttl: record.leaf("TTL").and_then(|text| text.parse().ok()),
        values: record
            .list("ResourceRecords")
            .iter()
            .filter_map(|one| one.leaf("Value").map(str::to_owned))
            .collect(),
        name,
        kind,
        alias,
        check,
    };
    if record.alias.is_none() && (record.ttl.is_none() || record.values.is_empty()) {
        return Err(invalid("Either an alias target, or a TTL with resource records must be given"));
    }
    if (record.region.is_some() || record.weight.is_some()) != record.set.is_some() {
        return Err(invalid("A routing policy and SetIdentifier must be given together"));
    }
    Ok(Change { action, record })
}

/// Answers TestDNSAnswer.
pub(super) fn test_answer(world: &World, call: &Call, xml: &mut Xml) -> Result<(), Fault> {
    let wanted = |name: &str| parameter(call, name).ok_or_else(|| invalid(format!("{name} must be given")));
    let id = wanted("hostedzoneid")?;
    zone(world, id.trim_start_matches("/hostedzone/"))?;
    let (name, kind) = (wanted("recordname")?, wanted("recordtype")?);
    let client = parameter(call, "edns0clientsubnetip").or_else(|| parameter(call, "resolverip"));
    let client = client
        .map(|text| text.parse().map_err(|_| invalid(format!("The IP address {text} is not valid"))))
        .transpose()?;
    let answer = world.dns_answer(&name, &kind, client, call.now);
    xml.leaf("Nameserver", name_servers()[0]).leaf("RecordName", format!("{}.", plain(&name)));
    xml.leaf("RecordType", kind).group("RecordData", |xml| {
        for value in &answer.values {
            xml.leaf("RecordDataEntry", value);
        }
    });
    xml.leaf("ResponseCode", answer.code).leaf("Protocol", "UDP");
    Ok(())
}
