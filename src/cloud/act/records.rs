//! Record sets, as ChangeResourceRecordSets wants them.
//!
//! What it is for: a deletion must name the set exactly as Route 53 has it, of which our form keeps only what
//! matters; so the set is read first and sent as it was read. What was deleted here is remembered, so that its
//! return is exact too. What it must not do: invent what our form does not hold.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};

use aws_sdk_route53::types::{
    AliasTarget, Change, ChangeAction, ChangeBatch, GeoLocation, ResourceRecord, ResourceRecordSet,
    ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};

use super::failure::outcome;
use super::{ATTEMPT, Acting};
use crate::cloud::Place;
use crate::cloud::route53::{Start, record_set};
use crate::domain::ids::{HostName, ZoneId};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::RecordSet;
use crate::domain::topology::RoutingPolicy;
use crate::runbook::operation::{RecordAction, RecordChange};
use crate::runbook::{ActFailure, Operation, Receipt};

const CHANGE_RECORDS: &str = "route53:ChangeResourceRecordSets";

/// Codes of continents, some of which are also codes of countries.
const CONTINENTS: [&str; 7] = ["AF", "AN", "AS", "EU", "OC", "NA", "SA"];

/// Sets that were deleted by this process, as Route 53 had them.
#[derive(Debug, Default)]
pub(super) struct Written(Mutex<HashMap<String, ResourceRecordSet>>);

impl Written {
    fn keep(&self, record: &RecordSet, raw: &ResourceRecordSet) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.insert(format!("{record:?}"), raw.clone());
    }

    fn find(&self, record: &RecordSet) -> Option<ResourceRecordSet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&format!("{record:?}")).cloned()
    }
}

impl Acting {
    /// Changes records in one transaction.
    pub(super) async fn change_records(
        &self,
        operation: &Operation,
        zone: &ZoneId,
        changes: &[RecordChange],
    ) -> Result<Receipt, ActFailure> {
        let place = self.cloud.dns();
        let client = aws_sdk_route53::Client::new(&place.once(ATTEMPT).await);
        let deleted = changes.iter().filter(|change| change.action == RecordAction::Delete);
        let names: BTreeSet<&HostName> = deleted.map(|change| &change.record.name).collect();
        // A read that fails leaves everything as it was.
        let there = self.there(&place, zone, names).await.map_err(|error| match error.kind {
            ErrorKind::Throttled => ActFailure::Busy { why: error.to_string().into() },
            ErrorKind::Expired | ErrorKind::NoCredentials => {
                ActFailure::Credentials { why: error.to_string().into() }
            }
            ErrorKind::Denied | ErrorKind::NotFound | ErrorKind::Rejected => {
                ActFailure::Refused { why: error.to_string().into() }
            }
            _ => ActFailure::NotSent { why: error.to_string().into() },
        })?;
        let mut batch = ChangeBatch::builder().comment("switchtower");
        for RecordChange { action, record } in changes {
            let (action, raw) = match action {
                RecordAction::Delete => (ChangeAction::Delete, self.found(&there, record)?),
                RecordAction::Upsert => (
                    ChangeAction::Upsert,
                    match self.records.find(record) {
                        Some(raw) => raw,
                        None => written(record).map_err(|why| ActFailure::Refused { why: why.into() })?,
                    },
                ),
            };
            let change = Change::builder().action(action).resource_record_set(raw).build();
            batch = batch.changes(change.map_err(|error| refused(&error))?);
        }
        let batch = batch.build().map_err(|error| refused(&error))?;
        let request = client.change_resource_record_sets().hosted_zone_id(zone.as_str()).change_batch(batch);
        self.charge_route53();
        outcome(operation, &place, CHANGE_RECORDS, request.send()).await
    }

    /// All sets of some names, as Route 53 has them.
    async fn there(
        &self,
        place: &Place,
        zone: &ZoneId,
        names: BTreeSet<&HostName>,
    ) -> Result<Vec<ResourceRecordSet>, ProbeError> {
        let mut there = Vec::new();
        for name in names {
            let mut start =
                Some(Start { name: name.as_str().to_owned(), record_type: None, identifier: None });
            while let Some(from) = start.take() {
                let (sets, next) = place.raw_record_page(self.route53(), zone, Some(from)).await?;
                let own = |set: &ResourceRecordSet| &HostName::normalized(set.name()) == name;
                start = next.filter(|_| sets.last().is_some_and(own));
                there.extend(sets.into_iter().filter(own));
            }
        }
        Ok(there)
    }

    /// The set as Route 53 has it. One that is no longer there, or no longer the same, has moved on.
    fn found(
        &self,
        there: &[ResourceRecordSet],
        record: &RecordSet,
    ) -> Result<ResourceRecordSet, ActFailure> {
        let raw = there.iter().find(|raw| &record_set(&record.zone_id, raw) == record);
        let raw = raw.cloned().ok_or_else(|| {
            let set = record.set_identifier.as_ref().map(|set| format!(" {set}")).unwrap_or_default();
            let why = format!("{} {}{set} is gone, or not what it was", record.name, record.record_type);
            ActFailure::Moved { why: why.into() }
        })?;
        self.records.keep(record, &raw);
        Ok(raw)
    }
}

fn refused(error: &aws_smithy_types::error::operation::BuildError) -> ActFailure {
    ActFailure::Refused { why: error.to_string().into() }
}

/// A set from our form, where it holds everything.
fn written(record: &RecordSet) -> Result<ResourceRecordSet, String> {
    let broken = |error: aws_smithy_types::error::operation::BuildError| error.to_string();
    let mut set = ResourceRecordSet::builder()
        .name(record.name.as_str())
        .r#type(RrType::from(record.record_type.as_str()))
        .set_set_identifier(record.set_identifier.as_ref().map(ToString::to_string))
        .set_weight(record.weight)
        .set_ttl(record.ttl)
        .set_health_check_id(record.health_check.as_ref().map(ToString::to_string));
    if let Some(alias) = &record.alias {
        let target = AliasTarget::builder()
            .hosted_zone_id(alias.zone_id.as_str())
            .dns_name(alias.written_name())
            .evaluate_target_health(alias.evaluate_target_health)
            .build();
        set = set.alias_target(target.map_err(broken)?);
    }
    for value in &record.values {
        set = set.resource_records(ResourceRecord::builder().value(value.as_str()).build().map_err(broken)?);
    }
    let selector = record.selector.as_ref().map(crate::domain::text::Text::as_str).unwrap_or_default();
    let lossy = || {
        let policy = format!("{:?}", record.policy).to_ascii_lowercase();
        Err(format!(
            "{}: a {policy} record ({selector}) cannot be written back from its saved form",
            record.name
        ))
    };
    set = match record.policy {
        RoutingPolicy::Simple | RoutingPolicy::Weighted => set,
        RoutingPolicy::Latency => set.region(ResourceRecordSetRegion::from(selector)),
        RoutingPolicy::Failover => set.failover(ResourceRecordSetFailover::from(selector)),
        RoutingPolicy::Multivalue => set.multi_value_answer(true),
        RoutingPolicy::Geolocation => match selector.split_once('-') {
            Some((country, part)) if !CONTINENTS.contains(&country) || country == "NA" => {
                let place = GeoLocation::builder().country_code(country).subdivision_code(part);
                set.geo_location(place.build())
            }
            None if !CONTINENTS.contains(&selector) => {
                set.geo_location(GeoLocation::builder().country_code(selector).build())
            }
            // A continent and a country of the same code look alike here.
            _ => return lossy(),
        },
        RoutingPolicy::Geoproximity | RoutingPolicy::IpBased => return lossy(),
    };
    set.build().map_err(broken)
}
