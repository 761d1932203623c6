//! Route 53: records, health checks, and what checkers see.
//!
//! What it is for: the record sets of a few names in few calls, and health checks, all within the one
//! budget that this program allows itself of the account's five requests a second.
//! What it must not do: ask DNS (that is the probe), or take the checkers' raw words for a verdict.

use std::collections::HashMap;

use aws_sdk_route53::types::{
    HealthCheck, HealthCheckConfig as SdkConfig, HealthCheckObservation, ResourceRecordSet,
};

use super::time::stamp;
use super::{Budget, Each, Place};
use crate::domain::ids::{HealthCheckId, HostName, ZoneId};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::{AliasTarget, CheckerTally, HealthCheckConfig, LastFailure, RecordSet};
use crate::domain::text::Text;
use crate::domain::topology::RoutingPolicy;

/// IAM's name of the call.
pub const LIST_RECORDS: &str = "route53:ListResourceRecordSets";
/// IAM's name of the call.
pub const GET_HEALTH_CHECK: &str = "route53:GetHealthCheck";
/// IAM's name of the call.
pub const LIST_HEALTH_CHECKS: &str = "route53:ListHealthChecks";
/// IAM's name of the call.
pub const GET_HEALTH_CHECK_STATUS: &str = "route53:GetHealthCheckStatus";
/// IAM's name of the call.
pub const GET_LAST_FAILURE: &str = "route53:GetHealthCheckLastFailureReason";

/// Records a page.
const PAGE: i32 = 300;

/// Up to here each health check is asked for by id; above, the account's list is read page by page.
const SINGLY: usize = 2;

/// Where the next page of a zone starts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Start {
    pub(super) name: String,
    pub(super) record_type: Option<aws_sdk_route53::types::RrType>,
    pub(super) identifier: Option<String>,
}

/// One page of a zone.
pub(super) struct Page {
    pub(super) records: Vec<RecordSet>,
    pub(super) next: Option<Start>,
}

impl Place {
    /// The record sets of some names of one zone. A name without records is an empty list.
    ///
    /// Each page starts at a name that is wanted and yields every wanted name that lies wholly in it, so
    /// that neighbours cost one call and a large zone is not read from end to end.
    pub async fn records(&self, zone: &ZoneId, names: &[HostName]) -> Each<HostName, Vec<RecordSet>> {
        self.records_within(self.route53_budget(), zone, names).await
    }

    /// The same within another budget.
    pub(super) async fn records_within(
        &self,
        budget: &Budget,
        zone: &ZoneId,
        names: &[HostName],
    ) -> Each<HostName, Vec<RecordSet>> {
        let mut left: Vec<HostName> = names.to_vec();
        left.sort_by_cached_key(route53_order);
        let mut done: Each<HostName, Vec<RecordSet>> = Vec::new();
        while let Some(first) = left.first().cloned() {
            match self.names_from(budget, zone, &first).await {
                Ok(mut found) => {
                    found.entry(first.clone()).or_default();
                    left.retain(|name| match found.remove(name) {
                        Some(records) => {
                            done.push((name.clone(), Ok(records)));
                            false
                        }
                        None => true,
                    });
                }
                Err(error) => {
                    done.extend(left.drain(..).map(|name| (name, Err(error.clone()))));
                }
            }
        }
        done
    }

    /// All names whose records lie wholly in the page that starts at `first`; `first` itself always.
    async fn names_from(
        &self,
        budget: &Budget,
        zone: &ZoneId,
        first: &HostName,
    ) -> Result<HashMap<HostName, Vec<RecordSet>>, ProbeError> {
        let mut start = Some(Start { name: first.as_str().to_owned(), record_type: None, identifier: None });
        let mut found: HashMap<HostName, Vec<RecordSet>> = HashMap::new();
        while let Some(from) = start.take() {
            let page = self.record_page(budget, zone, Some(from)).await?;
            let last = page.records.last().map(|record| record.name.clone());
            for record in page.records {
                found.entry(record.name.clone()).or_default().push(record);
            }
            if let (Some(next), Some(last)) = (page.next, last) {
                if &last == first {
                    start = Some(next);
                } else {
                    found.remove(&last);
                }
            }
        }
        Ok(found)
    }

    /// One page of a zone, from its beginning or from `start`.
    pub(super) async fn record_page(
        &self,
        budget: &Budget,
        zone: &ZoneId,
        start: Option<Start>,
    ) -> Result<Page, ProbeError> {
        let (sets, next) = self.raw_record_page(budget, zone, start).await?;
        Ok(Page { records: sets.iter().map(|set| record_set(zone, set)).collect(), next })
    }

    /// The same with the sets as Route 53 has them.
    pub(super) async fn raw_record_page(
        &self,
        budget: &Budget,
        zone: &ZoneId,
        start: Option<Start>,
    ) -> Result<(Vec<ResourceRecordSet>, Option<Start>), ProbeError> {
        let client = self.route53().await;
        let mut request = client.list_resource_record_sets().hosted_zone_id(zone.as_str()).max_items(PAGE);
        if let Some(start) = start {
            request = request
                .start_record_name(start.name)
                .set_start_record_type(start.record_type)
                .set_start_record_identifier(start.identifier);
        }
        let answer = self.ask_route53(budget, LIST_RECORDS, request.send()).await?;
        let next = answer.next_record_name().filter(|_| answer.is_truncated()).map(|name| Start {
            name: name.to_owned(),
            record_type: answer.next_record_type().cloned(),
            identifier: answer.next_record_identifier().map(str::to_owned),
        });
        Ok((answer.resource_record_sets, next))
    }

    /// Configuration of health checks: by id while there are few, else from the account's list.
    pub async fn health_checks(&self, ids: &[HealthCheckId]) -> Each<HealthCheckId, HealthCheckConfig> {
        self.health_checks_within(self.route53_budget(), SINGLY, ids).await
    }

    /// The same within another budget, up to `singly` of them by id.
    pub(super) async fn health_checks_within(
        &self,
        budget: &Budget,
        singly: usize,
        ids: &[HealthCheckId],
    ) -> Each<HealthCheckId, HealthCheckConfig> {
        if ids.len() > singly {
            match self.listed_health_checks(budget, ids).await {
                Ok(mut found) => {
                    return ids
                        .iter()
                        .map(|id| {
                            let check = found
                                .remove(id)
                                .ok_or_else(|| self.absent(LIST_HEALTH_CHECKS, "this health check is gone"));
                            (id.clone(), check)
                        })
                        .collect();
                }
                // A role may allow each check by its ARN and not the list.
                Err(error) if error.kind == ErrorKind::Denied => {}
                Err(error) => return ids.iter().map(|id| (id.clone(), Err(error.clone()))).collect(),
            }
        }
        futures_util::future::join_all(
            ids.iter().map(|id| async { (id.clone(), self.health_check(budget, id).await) }),
        )
        .await
    }

    async fn health_check(
        &self,
        budget: &Budget,
        id: &HealthCheckId,
    ) -> Result<HealthCheckConfig, ProbeError> {
        let client = self.route53().await;
        let request = client.get_health_check().health_check_id(id.as_str());
        let answer = self.ask_route53(budget, GET_HEALTH_CHECK, request.send()).await?;
        answer.health_check().and_then(health_check).ok_or_else(|| {
            self.error(ErrorKind::Malformed, GET_HEALTH_CHECK, "no configuration in the answer")
        })
    }

    async fn listed_health_checks(
        &self,
        budget: &Budget,
        ids: &[HealthCheckId],
    ) -> Result<HashMap<HealthCheckId, HealthCheckConfig>, ProbeError> {
        let client = self.route53().await;
        let mut found = HashMap::new();
        let mut marker = None;
        loop {
            let request = client.list_health_checks().max_items(100).set_marker(marker);
            let answer = self.ask_route53(budget, LIST_HEALTH_CHECKS, request.send()).await?;
            for check in answer.health_checks() {
                let id = HealthCheckId::new(check.id());
                if ids.contains(&id)
                    && let Some(config) = health_check(check)
                {
                    found.insert(id, config);
                }
            }
            marker = answer.next_marker().filter(|_| answer.is_truncated()).map(str::to_owned);
            if marker.is_none() || found.len() == ids.len() {
                return Ok(found);
            }
        }
    }

    /// What checkers last saw.
    pub async fn checkers(&self, id: &HealthCheckId) -> Result<CheckerTally, ProbeError> {
        let client = self.route53().await;
        let request = client.get_health_check_status().health_check_id(id.as_str());
        let answer = self.ask_route53(self.route53_budget(), GET_HEALTH_CHECK_STATUS, request.send()).await?;
        let observations = answer.health_check_observations();
        let healthy = observations.iter().filter(|seen| words(seen).starts_with("Success")).count();
        Ok(CheckerTally {
            healthy: u32::try_from(healthy).unwrap_or(u32::MAX),
            total: u32::try_from(observations.len()).unwrap_or(u32::MAX),
            newest: observations.iter().filter_map(checked).max(),
        })
    }

    /// The newest failure that a checker reported; `None` when there is none.
    pub async fn last_failure(&self, id: &HealthCheckId) -> Result<Option<LastFailure>, ProbeError> {
        let client = self.route53().await;
        let request = client.get_health_check_last_failure_reason().health_check_id(id.as_str());
        let answer = self.ask_route53(self.route53_budget(), GET_LAST_FAILURE, request.send()).await?;
        let newest = answer
            .health_check_observations()
            .iter()
            .filter(|seen| !words(seen).is_empty() && !words(seen).starts_with("Success"))
            .max_by_key(|seen| checked(seen));
        Ok(newest.map(|seen| LastFailure {
            checker: seen.region().map(|region| Text::new(region.as_str())).unwrap_or_default(),
            at: checked(seen),
            reason: Text::new(words(seen)),
        }))
    }
}

/// Labels from the right, as Route 53 sorts names: `api.example.com` is `com.example.api`.
fn route53_order(name: &HostName) -> Vec<String> {
    name.as_str().rsplit('.').map(str::to_owned).collect()
}

fn words(seen: &HealthCheckObservation) -> &str {
    seen.status_report().and_then(|report| report.status()).unwrap_or_default()
}

fn checked(seen: &HealthCheckObservation) -> Option<jiff::Timestamp> {
    seen.status_report().and_then(|report| report.checked_time()).and_then(stamp)
}

/// One record set in the console's words.
pub(super) fn record_set(zone: &ZoneId, set: &ResourceRecordSet) -> RecordSet {
    let (policy, selector) = routing(set);
    RecordSet {
        zone_id: zone.clone(),
        name: HostName::normalized(set.name()),
        record_type: Text::new(set.r#type().as_str()),
        set_identifier: set.set_identifier().map(Text::new),
        policy,
        selector,
        weight: set.weight(),
        alias: set.alias_target().map(|alias| AliasTarget {
            dns_name: load_balancer_name(alias.dns_name()),
            zone_id: ZoneId::new(alias.hosted_zone_id()),
            evaluate_target_health: alias.evaluate_target_health(),
        }),
        values: set.resource_records().iter().map(|record| Text::new(record.value())).collect(),
        ttl: set.ttl(),
        health_check: set.health_check_id().map(HealthCheckId::new),
    }
}

/// A target's name, normalised, without the `dualstack.` that the Route 53 console puts before it.
pub(super) fn load_balancer_name(raw: &str) -> HostName {
    let name = HostName::normalized(raw);
    match name.as_str().strip_prefix("dualstack.") {
        Some(plain) => HostName::new(plain),
        None => name,
    }
}

fn routing(set: &ResourceRecordSet) -> (RoutingPolicy, Option<Text>) {
    if let Some(region) = set.region() {
        (RoutingPolicy::Latency, Some(Text::new(region.as_str())))
    } else if let Some(place) = set.geo_location() {
        let parts = [place.continent_code(), place.country_code(), place.subdivision_code()];
        let words: Vec<&str> = parts.into_iter().flatten().collect();
        (RoutingPolicy::Geolocation, Some(Text::new(words.join("-"))))
    } else if let Some(place) = set.geo_proximity_location() {
        let words = place.aws_region().or(place.local_zone_group()).map(str::to_owned);
        let words =
            words.or_else(|| place.coordinates().map(|at| format!("{},{}", at.latitude(), at.longitude())));
        (RoutingPolicy::Geoproximity, words.map(Text::new))
    } else if set.weight().is_some() {
        (RoutingPolicy::Weighted, None)
    } else if let Some(role) = set.failover() {
        (RoutingPolicy::Failover, Some(Text::new(role.as_str())))
    } else if set.multi_value_answer() == Some(true) {
        (RoutingPolicy::Multivalue, None)
    } else if let Some(network) = set.cidr_routing_config() {
        (RoutingPolicy::IpBased, Some(Text::new(network.location_name())))
    } else {
        (RoutingPolicy::Simple, None)
    }
}

fn health_check(check: &HealthCheck) -> Option<HealthCheckConfig> {
    let config = check.health_check_config()?;
    Some(HealthCheckConfig {
        version: check.health_check_version(),
        check_type: Text::new(config.r#type().as_str()),
        endpoint: endpoint(config),
        inverted: config.inverted().unwrap_or(false),
        disabled: config.disabled().unwrap_or(false),
        failure_threshold: config.failure_threshold(),
        request_interval: config.request_interval(),
        linked_service: check.linked_service().and_then(|service| service.service_principal()).map(Text::new),
        children: config.child_health_checks().iter().map(HealthCheckId::new).collect(),
        without_data: config.insufficient_data_health_status().map(|status| Text::new(status.as_str())),
    })
}

/// `https://r1.api.example.com:443/health`; what a check without an endpoint looks at instead.
fn endpoint(config: &SdkConfig) -> Text {
    let kind = config.r#type().as_str();
    if let Some(alarm) = config.alarm_identifier() {
        return Text::new(format!("alarm {} in {}", alarm.name(), alarm.region().as_str()));
    }
    if let Some(control) = config.routing_control_arn() {
        return Text::new(control);
    }
    let Some(host) = config.fully_qualified_domain_name().or(config.ip_address()) else {
        return Text::new(kind.to_ascii_lowercase());
    };
    let scheme = if kind.starts_with("HTTPS") {
        "https"
    } else if kind.starts_with("HTTP") {
        "http"
    } else {
        "tcp"
    };
    let port = config.port().map(|port| format!(":{port}")).unwrap_or_default();
    Text::new(format!("{scheme}://{host}{port}{}", config.resource_path().unwrap_or_default()))
}
