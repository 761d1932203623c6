//! Record sets as Route 53's JSON.
//!
//! What it is for: a change batch that the `aws` command line takes.
//! What it must not do: guess silently. A record set that was read in the console's words may have lost what a
//! geoproximity or IP-based record needs; `exact` says so, and scripts show how to read the set as it stands.

use serde_json::{Map, Value, json};

use super::quote::literal;
use crate::domain::snapshot::RecordSet;
use crate::domain::text::Text;
use crate::domain::topology::RoutingPolicy;
use crate::runbook::operation::{RecordAction, RecordChange};

/// Continents of geolocation records. Some are countries as well (`NA`, `SA`); Route 53's own list of places
/// names continents first.
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "OC", "NA", "SA"];

/// `{"Changes": […]}`.
pub(super) fn batch(changes: &[RecordChange]) -> Value {
    let changes: Vec<Value> = changes
        .iter()
        .map(|change| {
            let action = match change.action {
                RecordAction::Delete => "DELETE",
                RecordAction::Upsert => "UPSERT",
            };
            json!({ "Action": action, "ResourceRecordSet": record_set(&change.record) })
        })
        .collect();
    json!({ "Changes": changes })
}

/// True when the JSON holds all that the set has. A deletion must match in every value, also in whether the record was
/// made with the `dualstack.` of a load balancer's name, which is not kept.
pub(crate) fn exact(record: &RecordSet) -> bool {
    match record.policy {
        RoutingPolicy::Geoproximity | RoutingPolicy::IpBased => false,
        RoutingPolicy::Geolocation => {
            !record.selector.as_ref().is_some_and(|place| CONTINENTS.contains(&place.as_str()))
        }
        RoutingPolicy::Simple
        | RoutingPolicy::Latency
        | RoutingPolicy::Weighted
        | RoutingPolicy::Failover
        | RoutingPolicy::Multivalue => true,
    }
}

/// The JMESPath expression that finds the set in ListResourceRecordSets; `None` where its name needs escapes.
pub(crate) fn record_query(record: &RecordSet) -> Option<String> {
    let identifier = record.set_identifier.as_ref().map(Text::as_str);
    record_query_of(record.name.as_str(), record.record_type.as_str(), identifier)
}

/// The same by name, type and set identifier.
pub(crate) fn record_query_of(name: &str, record_type: &str, identifier: Option<&str>) -> Option<String> {
    let name = literal(&format!("{name}."))?;
    let record_type = literal(record_type)?;
    let identifier = match identifier {
        Some(identifier) => format!("SetIdentifier == {}", literal(identifier)?),
        None => "!SetIdentifier".to_owned(),
    };
    // Route 53 writes a wildcard as `\052`, which would need escapes in three languages.
    (!name.contains('*'))
        .then(|| format!("ResourceRecordSets[?Name == {name} && Type == {record_type} && {identifier}]"))
}

fn record_set(record: &RecordSet) -> Value {
    let mut set = Map::new();
    let mut put = |name: &str, value: Value| {
        set.insert(name.to_owned(), value);
    };
    put("Name", json!(record.name.as_str()));
    put("Type", json!(record.record_type.as_str()));
    if let Some(identifier) = &record.set_identifier {
        put("SetIdentifier", json!(identifier.as_str()));
    }
    let selector = record.selector.as_ref().map(Text::as_str);
    match (record.policy, selector) {
        (RoutingPolicy::Latency, Some(region)) => put("Region", json!(region)),
        (RoutingPolicy::Geolocation, Some(place)) => put("GeoLocation", place_of(place)),
        (RoutingPolicy::Geoproximity, Some(place)) => {
            put("GeoProximityLocation", json!({ "AWSRegion": place }));
        }
        (RoutingPolicy::Failover, Some(role)) => put("Failover", json!(role)),
        (RoutingPolicy::IpBased, Some(location)) => {
            put("CidrRoutingConfig", json!({ "LocationName": location }));
        }
        (RoutingPolicy::Multivalue, _) => put("MultiValueAnswer", json!(true)),
        (_, _) => {}
    }
    if let Some(weight) = record.weight {
        put("Weight", json!(weight));
    }
    if let Some(ttl) = record.ttl {
        put("TTL", json!(ttl));
    }
    if !record.values.is_empty() {
        let values: Vec<Value> =
            record.values.iter().map(|value| json!({ "Value": value.as_str() })).collect();
        put("ResourceRecords", Value::Array(values));
    }
    if let Some(alias) = &record.alias {
        put(
            "AliasTarget",
            json!({
                "HostedZoneId": alias.zone_id.as_str(),
                "DNSName": alias.written_name(),
                "EvaluateTargetHealth": alias.evaluate_target_health,
            }),
        );
    }
    if let Some(check) = &record.health_check {
        put("HealthCheckId", json!(check.as_str()));
    }
    Value::Object(set)
}

fn place_of(place: &str) -> Value {
    match place.split_once('-') {
        Some((country, subdivision)) => json!({ "CountryCode": country, "SubdivisionCode": subdivision }),
        None if CONTINENTS.contains(&place) => json!({ "ContinentCode": place }),
        None => json!({ "CountryCode": place }),
    }
}
