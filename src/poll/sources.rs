//! What is read for each source: the questions of one region, and those of Route 53.
//!
//! What it is for: one list of questions a source, batched to AWS's limits, that schedules and `status`
//! both ask. What it must not do: know when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::metrics;
use super::read::{Ask, Map, Read};
use super::skeleton::record_names;
use crate::cloud::{Cloud, Place, calls, limits};
use crate::domain::ids::{AlarmName, Arn, ClusterName, HealthCheckId, HostName, Region, ServiceKey, ZoneId};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, SourceKind};
use crate::domain::probes::OUR_REQUEST;
use crate::domain::snapshot::{
    AlarmState, CheckerTally, DnsSnapshot, LastFailure, ProbeTarget, RegionSnapshot, TopicState,
};
use crate::domain::text::Text;
use crate::domain::topology::Topology;
use crate::ports::{Clock, HttpsProbe, ProbeRequest};

/// Sources of a region, in the order in which they start.
pub(super) const REGION_SOURCES: [SourceKind; 12] = [
    SourceKind::Targets,
    SourceKind::Services,
    SourceKind::Metrics,
    SourceKind::Percentiles,
    SourceKind::Aurora,
    SourceKind::Tables,
    SourceKind::Alarms,
    SourceKind::Scaling,
    SourceKind::Probe,
    SourceKind::Replication,
    SourceKind::Topics,
    SourceKind::Identity,
];

/// Sources of Route 53, in the order in which they start: the first have the budget first.
pub(super) const DNS_SOURCES: [SourceKind; 8] = [
    SourceKind::Records,
    SourceKind::HealthChecks,
    SourceKind::Metrics,
    SourceKind::Alarms,
    SourceKind::Probe,
    SourceKind::Topics,
    SourceKind::Identity,
    SourceKind::Checkers,
];

/// Which health checks' checkers are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Whose {
    /// All, however long the budget makes it take.
    All,
    /// Those whose verdict is unhealthy.
    Unhealthy,
    /// As many as can be asked at once.
    Affordable,
}

/// A call's own deadline: the SDK gives up an operation after ten seconds, this is the belt around it.
const DEADLINE: Duration = Duration::from_secs(12);

/// The deadline of calls that wait for the Route 53 budget first.
const BUDGETED: Duration = Duration::from_secs(90);

/// Everything that questions are made of.
#[derive(Clone)]
pub(super) struct Sources {
    pub(super) cloud: Cloud,
    pub(super) topology: Arc<Topology>,
    pub(super) probe: Arc<dyn HttpsProbe>,
    pub(super) clock: Clock,
}

impl Sources {
    fn ask(&self, call: &'static str, region: Option<&Region>, deadline: Duration) -> Ask {
        Ask { call, region: region.cloned(), deadline, clock: self.clock }
    }

    /// The questions of one source of one region, given what is known.
    pub(super) fn of_region(&self, kind: SourceKind, known: &RegionSnapshot) -> Vec<Read<RegionSnapshot>> {
        let region = &known.region;
        let place = self.cloud.at(region);
        let ask = |call| self.ask(call, Some(region), DEADLINE);
        match kind {
            SourceKind::Targets => self.targets(&place, known),
            SourceKind::Services => by_cluster(known.services.keys())
                .into_iter()
                .map(|(cluster, keys)| {
                    let (place, asked) = (place.clone(), keys.clone());
                    Read::each(
                        &ask(calls::DESCRIBE_SERVICES),
                        keys,
                        |s: &mut RegionSnapshot| &mut s.services,
                        move || async move { place.services(&cluster, &asked).await },
                    )
                })
                .collect(),
            SourceKind::Scaling => chunks(known.scaling.keys(), limits::TARGETS_PER_CALL)
                .into_iter()
                .map(|keys| {
                    let (place, asked) = (place.clone(), keys.clone());
                    Read::each(
                        &ask(calls::DESCRIBE_SCALABLE_TARGETS),
                        keys,
                        |s: &mut RegionSnapshot| &mut s.scaling,
                        move || async move {
                            match place.scalable_targets(&asked).await {
                                Ok(found) => {
                                    found.into_iter().map(|(key, target)| (key, Ok(target))).collect()
                                }
                                Err(error) => {
                                    asked.into_iter().map(|key| (key, Err(error.clone()))).collect()
                                }
                            }
                        },
                    )
                })
                .collect(),
            SourceKind::Tables => each_one(known.tables.keys(), |name| {
                let (place, asked) = (place.clone(), name.clone());
                Read::one(
                    &ask(calls::DESCRIBE_TABLE),
                    name,
                    |s: &mut RegionSnapshot| &mut s.tables,
                    move || async move { place.table(&asked).await },
                )
            }),
            SourceKind::Aurora => {
                let mut reads = each_one(known.global_clusters.keys(), |id| {
                    let (place, asked) = (place.clone(), id.clone());
                    Read::one(
                        &ask(calls::DESCRIBE_GLOBAL_CLUSTERS),
                        id,
                        |s: &mut RegionSnapshot| &mut s.global_clusters,
                        move || async move { place.global_cluster(&asked).await },
                    )
                });
                reads.extend(each_one(known.db_clusters.keys(), |id| {
                    let (place, asked) = (place.clone(), id.clone());
                    Read::one(
                        &ask(calls::DESCRIBE_DB_CLUSTERS),
                        id,
                        |s: &mut RegionSnapshot| &mut s.db_clusters,
                        move || async move { place.db_cluster(&asked).await },
                    )
                }));
                reads
            }
            SourceKind::Metrics | SourceKind::Percentiles => metrics::reads(
                &ask(calls::GET_METRIC_DATA),
                &place,
                &known.metrics,
                kind == SourceKind::Percentiles,
                |s: &mut RegionSnapshot| &mut s.metrics,
            ),
            SourceKind::Replication => each_one(known.buckets.keys(), |bucket| {
                let (place, asked) = (place.clone(), bucket.clone());
                Read::one(
                    &ask(calls::GET_BUCKET_REPLICATION),
                    bucket,
                    |s: &mut RegionSnapshot| &mut s.buckets,
                    move || async move { place.bucket_replication(&asked).await },
                )
            }),
            SourceKind::Alarms => {
                alarms(&ask(calls::DESCRIBE_ALARMS), &place, &known.alarms, |s: &mut RegionSnapshot| {
                    &mut s.alarms
                })
            }
            SourceKind::Topics => {
                topics(&ask(calls::GET_TOPIC_ATTRIBUTES), &place, &known.topics, |s: &mut RegionSnapshot| {
                    &mut s.topics
                })
            }
            SourceKind::Identity => vec![Read::single(
                &ask(calls::GET_CALLER_IDENTITY),
                |s: &mut RegionSnapshot| Some(&mut s.identity),
                move || async move { place.identity_now().await },
            )],
            SourceKind::Probe => known
                .probes
                .iter()
                .map(|target| {
                    let (url, via) = (target.url.clone(), target.via.clone());
                    self.request(target, Some(region), move |s: &mut RegionSnapshot| {
                        let found = s.probes.iter_mut().find(|probe| probe.url == url && probe.via == via);
                        found.map(|probe| &mut probe.result)
                    })
                })
                .collect(),
            SourceKind::Records | SourceKind::HealthChecks | SourceKind::Checkers => Vec::new(),
        }
    }

    fn targets(&self, place: &Place, known: &RegionSnapshot) -> Vec<Read<RegionSnapshot>> {
        let region = Some(&known.region);
        let mut reads: Vec<_> = chunks(known.load_balancers.keys(), limits::LOAD_BALANCERS_PER_CALL)
            .into_iter()
            .map(|arns| {
                let (place, asked) = (place.clone(), arns.clone());
                Read::each(
                    &self.ask(calls::DESCRIBE_LOAD_BALANCERS, region, DEADLINE),
                    arns,
                    |s: &mut RegionSnapshot| &mut s.load_balancers,
                    move || async move { place.load_balancers(&asked).await },
                )
            })
            .collect();
        reads.extend(each_one(known.target_groups.keys(), |group| {
            let (place, asked) = (place.clone(), group.clone());
            Read::one(
                &self.ask(calls::DESCRIBE_TARGET_HEALTH, region, DEADLINE),
                group,
                |s: &mut RegionSnapshot| &mut s.target_groups,
                move || async move { place.target_health(&asked).await },
            )
        }));
        reads
    }

    /// One request of our own.
    fn request<S: 'static>(
        &self,
        target: &ProbeTarget,
        region: Option<&Region>,
        find: impl super::read::FindOne<S, crate::domain::snapshot::ProbeResult>,
    ) -> Read<S> {
        let timeout = Duration::from_secs(self.topology.probe.timeout_seconds.clamp(1, 60));
        let ask = self.ask(OUR_REQUEST, region, timeout + Duration::from_secs(2));
        let request = ProbeRequest { url: target.url.as_str().to_owned(), via: target.via.clone(), timeout };
        let (probe, clock, region) = (self.probe.clone(), self.clock, region.cloned());
        // Load balancers that an endpoint invents have no address: nothing is asked, and nothing weighed.
        let invented = region
            .as_ref()
            .filter(|_| self.topology.probe.base.is_none())
            .map(|region| (self.cloud.clone(), self.cloud.at(region)));
        Read::single(&ask, find, move || async move {
            let failed = |kind, message: Text| ProbeError {
                kind,
                call: OUR_REQUEST.into(),
                region: region.clone(),
                message,
                request_id: None,
                at: clock.now(),
                next_step: Text::default(),
            };
            if let Some((cloud, place)) = invented {
                place.ready().await;
                if cloud.custom_endpoint().is_some() {
                    let why = "the endpoint is not AWS's, and the topology names no other place to ask";
                    return Err(failed(ErrorKind::NotConfigured, why.into()));
                }
            }
            probe.probe(request).await.map_err(|failure| failed(failure.kind, failure.message))
        })
    }

    /// The questions of one source of Route 53, given what is known.
    pub(super) fn of_dns(
        &self,
        kind: SourceKind,
        known: &DnsSnapshot,
        whose: Whose,
    ) -> Vec<Read<DnsSnapshot>> {
        let place = self.cloud.dns();
        let region = place.region().clone();
        let ask = |call, deadline| self.ask(call, Some(&region), deadline);
        match kind {
            SourceKind::Records => by_zone(&self.topology)
                .into_iter()
                .map(|(zone, names)| {
                    let (place, asked) = (place.clone(), names.clone());
                    Read::each(
                        &ask(calls::LIST_RECORDS, BUDGETED),
                        names,
                        |s: &mut DnsSnapshot| &mut s.records,
                        move || async move { place.records(&zone, &asked).await },
                    )
                })
                .collect(),
            SourceKind::HealthChecks => {
                let ids: Vec<HealthCheckId> = known.health_checks.keys().cloned().collect();
                if ids.is_empty() {
                    return Vec::new();
                }
                let asked = ids.clone();
                vec![Read::each(
                    &ask(calls::GET_HEALTH_CHECK, BUDGETED),
                    ids,
                    |s: &mut DnsSnapshot| &mut s.health_checks,
                    move || async move { place.health_checks(&asked).await },
                )]
            }
            SourceKind::Checkers => known
                .checkers
                .keys()
                .filter(|id| {
                    (whose != Whose::Unhealthy || is_unhealthy(known, id)) && has_checkers(known, id)
                })
                .map(|id| {
                    let patient = whose != Whose::Affordable;
                    checkers(&ask(calls::GET_HEALTH_CHECK_STATUS, BUDGETED), &place, id, patient)
                })
                .collect(),
            SourceKind::Metrics => metrics::reads(
                &ask(calls::GET_METRIC_DATA, DEADLINE),
                &place,
                &known.metrics,
                false,
                |s: &mut DnsSnapshot| &mut s.metrics,
            ),
            SourceKind::Alarms => {
                let ask = ask(calls::DESCRIBE_ALARMS, DEADLINE);
                alarms(&ask, &place, &known.alarms, |s: &mut DnsSnapshot| &mut s.alarms)
            }
            SourceKind::Topics => {
                let ask = ask(calls::GET_TOPIC_ATTRIBUTES, DEADLINE);
                topics(&ask, &place, &known.topics, |s: &mut DnsSnapshot| &mut s.topics)
            }
            SourceKind::Identity => vec![Read::single(
                &ask(calls::GET_CALLER_IDENTITY, DEADLINE),
                |s: &mut DnsSnapshot| Some(&mut s.identity),
                move || async move { place.identity_now().await },
            )],
            SourceKind::Probe => known
                .control
                .iter()
                .map(|control| {
                    self.request(control, None, |s: &mut DnsSnapshot| {
                        s.control.as_mut().map(|control| &mut control.result)
                    })
                })
                .collect(),
            _ => Vec::new(),
        }
    }

    /// The rare question for five-minute buckets of replication latency.
    pub(super) fn coarse(
        &self,
        coarse: &mut metrics::Coarse,
        known: &RegionSnapshot,
    ) -> Option<Read<RegionSnapshot>> {
        let ask = self.ask(calls::GET_METRIC_DATA, Some(&known.region), DEADLINE);
        coarse.read(&ask, &self.cloud.at(&known.region), &known.metrics, |s: &mut RegionSnapshot| {
            &mut s.metrics
        })
    }
}

/// The alarms of a region, or of Route 53.
fn alarms<S: 'static>(
    ask: &Ask,
    place: &Place,
    known: &BTreeMap<AlarmName, Observed<AlarmState>>,
    map: Map<S, AlarmName, AlarmState>,
) -> Vec<Read<S>> {
    let chunks = chunks(known.keys(), limits::ALARMS_PER_CALL).into_iter();
    chunks
        .map(|names| {
            let (place, asked) = (place.clone(), names.clone());
            Read::each(ask, names, map, move || async move { place.alarms(&asked).await })
        })
        .collect()
}

/// The topics that alarms of a region, or of Route 53, notify.
fn topics<S: 'static>(
    ask: &Ask,
    place: &Place,
    known: &BTreeMap<Arn, Observed<TopicState>>,
    map: Map<S, Arn, TopicState>,
) -> Vec<Read<S>> {
    each_one(known.keys(), |arn| {
        let (place, asked) = (place.clone(), arn.clone());
        Read::one(ask, arn, map, move || async move { place.topic(&asked).await })
    })
}

/// The checkers of one check and, when one of them complains, why. Who is not patient asks only while
/// the budget lets it ask at once.
fn checkers(ask: &Ask, place: &Place, id: &HealthCheckId, patient: bool) -> Read<DnsSnapshot> {
    type Answer = (Result<CheckerTally, ProbeError>, Option<Result<Option<LastFailure>, ProbeError>>);
    let (place, asked, id, missed) = (place.clone(), id.clone(), id.clone(), id.clone());
    Read::custom(
        ask,
        move || async move {
            let budget = place.cloud().route53_budget();
            if !patient && !budget.would_allow() {
                let why = "not asked: the Route 53 budget of this program is spent";
                return (Err(place.error(ErrorKind::Throttled, calls::GET_HEALTH_CHECK_STATUS, why)), None);
            }
            let tally = place.checkers(&asked).await;
            let complaints = tally.as_ref().is_ok_and(|tally| tally.healthy < tally.total);
            let worth = complaints && (patient || budget.would_allow());
            let failure = if worth { Some(place.last_failure(&asked).await) } else { None };
            (tally, failure)
        },
        |(tally, failure): &Answer| {
            super::read::is_throttled(tally.as_ref().err())
                || super::read::is_throttled(failure.as_ref().and_then(|failure| failure.as_ref().err()))
        },
        move |(tally, failure), snapshot: &mut DnsSnapshot, now| {
            if let Some(observed) = snapshot.checkers.get_mut(&id) {
                match tally {
                    // Route 53 refuses the question for calculated, alarm and routing-control checks.
                    Err(error) if error.kind == ErrorKind::Rejected => observed.fail(ProbeError {
                        kind: ErrorKind::NotConfigured,
                        message: "a check of this type has no checkers".into(),
                        ..error
                    }),
                    tally => super::read::settle(observed, tally, now),
                }
            }
            if let (Some(failure), Some(observed)) = (failure, snapshot.last_failures.get_mut(&id)) {
                super::read::settle(observed, failure, now);
            }
        },
        move |snapshot, error| {
            if let Some(observed) = snapshot.checkers.get_mut(&missed) {
                observed.fail(error.clone());
            }
        },
    )
}

/// False for a check that is known to have none.
fn has_checkers(known: &DnsSnapshot, id: &HealthCheckId) -> bool {
    let error = known.checkers.get(id).and_then(Observed::error);
    error.is_none_or(|error| error.kind != ErrorKind::NotConfigured)
}

/// The newest verdict is "unhealthy", or most checkers complained when last asked.
fn is_unhealthy(known: &DnsSnapshot, id: &HealthCheckId) -> bool {
    let verdict = known
        .metrics
        .iter()
        .find(|(key, _)| {
            key.metric == crate::domain::metric::Metric::HealthCheckStatus
                && key.dimensions.first().is_some_and(|check| check.as_ref() == id.as_str())
        })
        .and_then(|(_, series)| series.value()?.last());
    let tally = known.checkers.get(id).and_then(Observed::value);
    verdict.is_some_and(|point| point.value < 0.5)
        || tally.is_some_and(|tally| tally.healthy * 100 <= tally.total * 18)
}

fn chunks<'a, K: Clone + 'a>(keys: impl Iterator<Item = &'a K>, size: usize) -> Vec<Vec<K>> {
    let keys: Vec<K> = keys.cloned().collect();
    keys.chunks(size).map(<[K]>::to_vec).collect()
}

fn each_one<'a, K: Clone + 'a, S>(
    keys: impl Iterator<Item = &'a K>,
    read: impl Fn(K) -> Read<S>,
) -> Vec<Read<S>> {
    keys.cloned().map(read).collect()
}

/// Services ten a call, each call of one cluster.
fn by_cluster<'a>(keys: impl Iterator<Item = &'a ServiceKey>) -> Vec<(ClusterName, Vec<ServiceKey>)> {
    let mut batches: Vec<(ClusterName, Vec<ServiceKey>)> = Vec::new();
    for key in keys {
        match batches.last_mut() {
            Some((cluster, batch)) if *cluster == key.cluster && batch.len() < limits::SERVICES_PER_CALL => {
                batch.push(key.clone());
            }
            _ => batches.push((key.cluster.clone(), vec![key.clone()])),
        }
    }
    batches
}

fn by_zone(topology: &Topology) -> Vec<(ZoneId, Vec<HostName>)> {
    let mut zones: BTreeMap<ZoneId, Vec<HostName>> = BTreeMap::new();
    for (name, zone) in record_names(topology) {
        zones.entry(zone).or_default().push(name);
    }
    zones.into_iter().collect()
}
