//! Every fact, observed.
//!
//! What it is for: from a list of facts to as few calls as AWS allows, all at once, each with a deadline of its
//! own, so that a dark region delays nothing but the facts that only it can tell.
//! What it must not do: leave a fact out, or judge one.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::{join_all, select_ok};
use futures_util::stream::FuturesUnordered;
use jiff::Timestamp;

use super::{Acting, answers, reads, routing};
use crate::cloud::elb::DESCRIBE_LOAD_BALANCERS;
use crate::cloud::{ARC_SCOPE, Budget, DNS_SCOPE, Each, LEASE_SCOPE, calls, limits};
use crate::domain::ids::{AlarmName, ClusterName, HealthCheckId, HostName, Region, ServiceKey, ZoneId};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, Source, SourceKind};
use crate::domain::probes::OUR_REQUEST;
use crate::domain::snapshot::Identity;
use crate::domain::text::Text;
use crate::ports::BoxFuture;
use crate::runbook::{Fact, Facts, Known};

/// How long a fact is waited for.
pub(super) const DEADLINE: Duration = Duration::from_secs(4);

/// The same for Route 53, whose calls may have to wait for each other.
const ROUTE53: Duration = Duration::from_secs(8);

/// The same for DNS and for routing controls, which need no region.
const DIRECT: Duration = Duration::from_millis(3_900);

/// What only a region that is given up can tell is not waited for longer.
const DARK: Duration = Duration::from_secs(3);

/// The belt around them: their own time-out tells more.
const PROBED: Duration = Duration::from_millis(4_500);

/// The same for a write that is read back.
const WRITTEN: Duration = Duration::from_secs(15);

/// How long one region is asked who we are before the others are.
const ELSEWHERE: Duration = Duration::from_millis(1_200);

/// Up to here health checks are read by id; above, the account's list is shorter than the account's rate.
const SINGLY: usize = 6;

/// What was observed, and the moment for which it holds.
pub(super) struct Seen {
    known: Known,
    as_of: Timestamp,
}

impl Seen {
    pub(super) fn new(known: Known, as_of: Timestamp) -> Self {
        Self { known, as_of }
    }
}

type Observations = Vec<(Fact, Observed<Known>)>;

/// What is asked by one call or by calls that belong together: what it brings, from where, and until when it is waited
/// for.
pub(super) struct Read<'a> {
    facts: Vec<Fact>,
    source: Source,
    limit: Duration,
    /// As many answers as there are facts, in their order.
    asking: BoxFuture<'a, Vec<Result<Seen, ProbeError>>>,
}

/// Facts that share calls, sorted by the calls that they share.
#[derive(Default)]
struct Shared {
    services: BTreeMap<(Region, ClusterName), BTreeSet<ServiceKey>>,
    scaling: BTreeMap<Region, Vec<ServiceKey>>,
    checks: BTreeSet<HealthCheckId>,
    records: BTreeMap<ZoneId, Vec<HostName>>,
    alarms: BTreeMap<Region, Vec<AlarmName>>,
    traffic: BTreeSet<Region>,
}

impl Acting {
    /// Observes all of `facts`, all at once.
    pub(super) async fn observe_all(&self, facts: &[Fact]) -> Facts {
        let wanted: BTreeSet<&Fact> = facts.iter().collect();
        let reads = self.reads(&wanted).into_iter().map(|read| self.finish(read, None));
        only(&wanted, join_all(reads).await.into_iter().flatten().collect())
    }

    /// The same, each answer as it comes.
    pub(super) async fn observe_as_told(
        &self,
        facts: &[Fact],
        dark: Option<&Region>,
        told: &(dyn Fn(Facts) + Send + Sync),
    ) {
        let wanted: BTreeSet<&Fact> = facts.iter().collect();
        let reads = self.reads(&wanted).into_iter().map(|read| self.finish(read, dark));
        let mut reads: FuturesUnordered<_> = reads.collect();
        while let Some(observations) = reads.next().await {
            told(only(&wanted, observations));
        }
    }

    /// The calls that bring the facts.
    fn reads<'a>(&'a self, wanted: &BTreeSet<&'a Fact>) -> Vec<Read<'a>> {
        let mut shared = Shared::default();
        let mut reads: Vec<Read<'_>> = Vec::new();
        for fact in wanted.iter().copied() {
            match fact {
                Fact::Service(region, key)
                | Fact::Dependencies(region, key)
                | Fact::TaskSize(region, key)
                | Fact::Subnets(region, key) => {
                    let place = (region.clone(), key.cluster.clone());
                    shared.services.entry(place).or_default().insert(key.clone());
                }
                Fact::Scaling(region, key) => {
                    shared.scaling.entry(region.clone()).or_default().push(key.clone());
                }
                Fact::HealthCheck(id) => {
                    shared.checks.insert(id.clone());
                }
                Fact::Records(zone, name) => {
                    shared.records.entry(zone.clone()).or_default().push(name.clone());
                }
                Fact::Alarm(region, name) => {
                    shared.alarms.entry(region.clone()).or_default().push(name.clone());
                }
                Fact::Requests(region) | Fact::Errors(region) => {
                    shared.traffic.insert(region.clone());
                }
                alone => reads.extend(self.alone(alone)),
            }
        }
        self.together(shared, wanted, &mut reads);
        reads
    }

    /// Waits for a read until its limit.
    async fn finish(&self, read: Read<'_>, dark: Option<&Region>) -> Observations {
        let Read { facts, source, limit, asking } = read;
        let given_up = dark.is_some() && source.region.as_ref() == dark;
        let limit = if given_up { limit.min(DARK) } else { limit };
        let late = || facts.iter().map(|_| Err(self.late(&source, limit))).collect();
        let told = self.cloud.clock().timeout(limit, asking).await.unwrap_or_else(|_| late());
        let seen = told.into_iter().map(|told| observed(source.clone(), told));
        facts.iter().cloned().zip(seen).collect()
    }

    /// Reads that bring several facts each.
    fn together<'a>(&'a self, shared: Shared, wanted: &BTreeSet<&Fact>, reads: &mut Vec<Read<'a>>) {
        for ((region, cluster), keys) in shared.services {
            let keys: Vec<ServiceKey> = keys.into_iter().collect();
            for keys in keys.chunks(limits::SERVICES_PER_CALL) {
                reads.extend(self.services(&region, &cluster, keys, wanted));
            }
        }
        for (region, keys) in shared.scaling {
            for keys in keys.chunks(limits::TARGETS_PER_CALL).map(<[ServiceKey]>::to_vec) {
                let place = self.cloud.at(&region);
                let source = source(SourceKind::Scaling, calls::DESCRIBE_SCALABLE_TARGETS, Some(&region));
                let facts = keys.iter().map(|key| Fact::Scaling(region.clone(), key.clone())).collect();
                reads.push(self.each(facts, source, DEADLINE, async move {
                    match place.scalable_targets(&keys).await {
                        Ok(told) => told.into_iter().map(|(_, target)| Ok(Known::Scaling(target))).collect(),
                        Err(error) => keys.iter().map(|_| Err(error.clone())).collect(),
                    }
                }));
            }
        }
        for (region, names) in shared.alarms {
            for names in names.chunks(limits::ALARMS_PER_CALL).map(<[AlarmName]>::to_vec) {
                let place = self.cloud.at(&region);
                let source = source(SourceKind::Alarms, calls::DESCRIBE_ALARMS, Some(&region));
                let facts = names.iter().map(|name| Fact::Alarm(region.clone(), name.clone())).collect();
                reads.push(self.each(facts, source, DEADLINE, async move {
                    let told = place.alarms(&names).await;
                    told.into_iter().map(|(_, alarm)| alarm.map(|_| Known::Present)).collect()
                }));
            }
        }
        if !shared.checks.is_empty() {
            let ids: Vec<HealthCheckId> = shared.checks.into_iter().collect();
            let source =
                source(SourceKind::HealthChecks, calls::GET_HEALTH_CHECK, Some(&self.cloud.dns_region()));
            let facts = ids.iter().map(|id| Fact::HealthCheck(id.clone())).collect();
            reads.push(self.each(facts, source, ROUTE53, async move {
                let place = self.cloud.dns();
                let told = place.health_checks_within(self.route53(), SINGLY, &ids).await;
                told.into_iter().map(|(_, check)| check.map(Known::HealthCheck)).collect()
            }));
        }
        for (zone, mut names) in shared.records {
            names.sort();
            let source = source(SourceKind::Records, calls::LIST_RECORDS, Some(&self.cloud.dns_region()));
            let facts = names.iter().map(|name| Fact::Records(zone.clone(), name.clone())).collect();
            reads.push(self.each(facts, source, ROUTE53, async move {
                let told: Each<_, _> = self.cloud.dns().records_within(self.route53(), &zone, &names).await;
                let mut told: BTreeMap<_, _> = told.into_iter().collect();
                let found = |name| told.remove(name).map(|records| records.map(Known::Records));
                names.iter().map(found).map(|found| found.unwrap_or(Ok(Known::Records(Vec::new())))).collect()
            }));
        }
        for region in shared.traffic {
            let facts = vec![Fact::Requests(region.clone()), Fact::Errors(region.clone())];
            let source = source(SourceKind::Metrics, calls::GET_METRIC_DATA, Some(&region));
            let asking = Box::pin(async move {
                let (requests, errors) = self.traffic(&region).await;
                vec![requests, errors]
            });
            reads.push(Read { facts, source, limit: DEADLINE, asking });
        }
    }

    /// A read that brings one fact. Those that share calls never come here.
    fn alone<'a>(&'a self, fact: &'a Fact) -> Option<Read<'a>> {
        use SourceKind as Kind;
        // One call of a region.
        macro_rules! at {
            ($region:expr, $kind:expr, $call:expr, |$place:ident| $read:expr) => {{
                let $place = self.cloud.at($region);
                self.one(fact, source($kind, $call, Some($region)), DEADLINE, async move { $read })
            }};
        }
        Some(match fact {
            Fact::Identity(scope) => {
                let source = source(Kind::Identity, calls::GET_CALLER_IDENTITY, Some(&self.home(scope)));
                self.one(fact, source, DEADLINE, async move { self.who(scope).await.map(Known::Identity) })
            }
            Fact::Targets(region, arn) => {
                at!(region, Kind::Targets, calls::DESCRIBE_TARGET_HEALTH, |place| {
                    place.target_health(arn).await.map(Known::Targets)
                })
            }
            Fact::RoutingControl(arn) => {
                let source = source(Kind::HealthChecks, routing::GET_STATE, None);
                self.one(
                    fact,
                    source,
                    DIRECT,
                    async move { self.routing_control(arn).await.map(Known::Flag) },
                )
            }
            Fact::SwitchObject(region, bucket, key) => {
                at!(region, Kind::HealthChecks, reads::HEAD_OBJECT, |place| {
                    place.object_exists(bucket, key).await.map(Known::Flag)
                })
            }
            Fact::SwitchMetric(home, namespace, name, steers) => {
                let source = source(Kind::Metrics, calls::GET_METRIC_DATA, Some(home));
                Self::timed(fact, source, self.switch_metric(home, namespace, name, steers))
            }
            Fact::GlobalCluster(region, id) => {
                at!(region, Kind::Aurora, calls::DESCRIBE_GLOBAL_CLUSTERS, |place| {
                    place.global_cluster(id).await.map(Known::GlobalCluster)
                })
            }
            Fact::DbCluster(region, id) => {
                at!(region, Kind::Aurora, calls::DESCRIBE_DB_CLUSTERS, |place| {
                    place.db_cluster(id).await.map(Known::DbCluster)
                })
            }
            Fact::DbInstances(region, id) => {
                at!(region, Kind::Aurora, reads::DESCRIBE_DB_INSTANCES, |place| {
                    place.db_instances(id).await.map(Known::Names)
                })
            }
            Fact::DbInstance(region, id) => {
                at!(region, Kind::Aurora, reads::DESCRIBE_DB_INSTANCES, |place| place.db_instance(id).await)
            }
            Fact::AvailableInstances(region, id) => {
                at!(region, Kind::Aurora, reads::DESCRIBE_DB_INSTANCES, |place| {
                    place.available_instances(id).await.map(|count| Known::Number(count as f64))
                })
            }
            Fact::BlueGreen(region, cluster, global) => {
                at!(region, Kind::Aurora, reads::DESCRIBE_BLUE_GREEN, |place| {
                    place.blue_green(cluster, global).await.map(Known::Flag)
                })
            }
            Fact::RdsEvents(region, since) => at!(region, Kind::Aurora, reads::DESCRIBE_EVENTS, |place| {
                place.rds_events(*since).await.map(Known::RdsEvents)
            }),
            Fact::RpoLag(region, cluster) => {
                let source = source(Kind::Metrics, calls::GET_METRIC_DATA, Some(region));
                Self::timed(fact, source, self.rpo_lag(region, cluster))
            }
            Fact::Table(region, name) => at!(region, Kind::Tables, calls::DESCRIBE_TABLE, |place| {
                place.table(name).await.map(Known::Table)
            }),
            Fact::Probe(region) => {
                let source = source(Kind::Probe, OUR_REQUEST, Some(region));
                self.one(
                    fact,
                    source,
                    PROBED,
                    async move { self.probe_region(region).await.map(Known::Probe) },
                )
            }
            Fact::Synthetic(name) => {
                let source = source(Kind::Probe, OUR_REQUEST, None);
                self.one(fact, source, PROBED, async move { self.synthetic(name).await.map(Known::Probe) })
            }
            Fact::SyntheticWrite(name) => {
                let source = source(Kind::Probe, OUR_REQUEST, None);
                self.one(fact, source, WRITTEN, async move {
                    self.synthetic_write(name, true).await.map(Known::Written)
                })
            }
            Fact::SyntheticMark(name) => {
                let source = source(Kind::Probe, OUR_REQUEST, None);
                self.one(fact, source, PROBED, async move {
                    self.synthetic_write(name, false).await.map(Known::Written)
                })
            }
            Fact::TokenShown(name, token) => {
                let source = source(Kind::Probe, OUR_REQUEST, None);
                self.one(fact, source, PROBED, async move {
                    self.token_shown(name, token.as_str()).await.map(Known::Flag)
                })
            }
            Fact::Answers(name) => {
                let source = source(Kind::Probe, answers::ASK, None);
                self.one(fact, source, DIRECT, async move { self.answers(name).await.map(Known::Answers) })
            }
            Fact::KeepAlive(region, arn) => at!(region, Kind::Targets, reads::LB_ATTRIBUTES, |place| {
                place.keep_alive(arn).await.map(Known::Number)
            }),
            Fact::VcpuQuota(region) => at!(region, Kind::Scaling, reads::GET_SERVICE_QUOTA, |place| {
                place.vcpu_quota().await.map(Known::Number)
            }),
            Fact::Tags(region, arn) => at!(region, Kind::Targets, reads::TAGS, |place| {
                place.tags(self.route53(), arn).await.map(Known::Tags)
            }),
            Fact::Cluster(region, cluster) => {
                at!(region, Kind::Services, reads::DESCRIBE_CLUSTERS, |place| {
                    place.cluster_active(cluster).await
                })
            }
            Fact::Balancer(region, arn) => at!(region, Kind::Targets, reads::LB_ATTRIBUTES, |place| {
                place.balancer_protected(arn).await.map(Known::Flag)
            }),
            Fact::Network(region, arn) => at!(region, Kind::Targets, DESCRIBE_LOAD_BALANCERS, |place| {
                place.network_of(arn).await.map(Known::Word)
            }),
            Fact::Protection(region, arn) => at!(region, Kind::Aurora, reads::PROTECTION, |place| {
                place.deletion_protection(arn).await.map(Known::Flag)
            }),
            Fact::Bucket(region, bucket) => {
                at!(region, Kind::Replication, reads::LIST_VERSIONS, |place| {
                    place.bucket_versions(bucket).await.map(|count| Known::Number(count as f64))
                })
            }
            Fact::Stack(region, stack) => at!(region, Kind::Services, reads::DESCRIBE_STACKS, |place| {
                place.stack_status(stack).await
            }),
            Fact::Service(..)
            | Fact::Scaling(..)
            | Fact::Dependencies(..)
            | Fact::TaskSize(..)
            | Fact::Subnets(..)
            | Fact::HealthCheck(..)
            | Fact::Records(..)
            | Fact::Alarm(..)
            | Fact::Requests(..)
            | Fact::Errors(..) => return None,
        })
    }

    /// One fact, which holds from the moment at which it was answered.
    fn one<'a>(
        &'a self,
        fact: &'a Fact,
        source: Source,
        limit: Duration,
        read: impl Future<Output = Result<Known, ProbeError>> + Send + 'a,
    ) -> Read<'a> {
        let read = Box::pin(read);
        self.each(vec![fact.clone()], source, limit, async move { vec![read.await] })
    }

    /// One fact that says itself for which moment it holds.
    fn timed<'a>(
        fact: &'a Fact,
        source: Source,
        read: impl Future<Output = Result<Seen, ProbeError>> + Send + 'a,
    ) -> Read<'a> {
        let read = Box::pin(read);
        let asking = Box::pin(async move { vec![read.await] });
        Read { facts: vec![fact.clone()], source, limit: DEADLINE, asking }
    }

    /// Several facts by one read, which answers in their order.
    pub(super) fn each<'a>(
        &'a self,
        facts: Vec<Fact>,
        source: Source,
        limit: Duration,
        read: impl Future<Output = Vec<Result<Known, ProbeError>>> + Send + 'a,
    ) -> Read<'a> {
        let read = Box::pin(read);
        let asking = Box::pin(async move {
            let told = read.await;
            let now = self.cloud.clock().now();
            told.into_iter().map(|known| known.map(|known| Seen::new(known, now))).collect()
        });
        Read { facts, source, limit, asking }
    }

    fn late(&self, source: &Source, limit: Duration) -> ProbeError {
        ProbeError {
            kind: ErrorKind::TimedOut,
            call: source.call.clone(),
            region: source.region.clone(),
            message: Text::new(format!("no answer within {limit:?}")),
            request_id: None,
            at: self.cloud.clock().now(),
            next_step: Text::default(),
        }
    }

    /// The budget of runs, which watching makes room for.
    pub(super) fn route53(&self) -> &Budget {
        self.cloud.route53_budget().charge();
        &self.cloud.0.acting
    }

    /// Counts a changing call, which waits for nobody.
    pub(super) fn charge_route53(&self) {
        self.route53().charge();
    }

    /// The region in which a scope is asked first.
    fn home(&self, scope: &Text) -> Region {
        match scope.as_str() {
            DNS_SCOPE => None,
            LEASE_SCOPE => self.topology.lease.as_ref().map(|lease| lease.region.clone()),
            ARC_SCOPE => {
                let endpoints = self.topology.arc.iter().flat_map(|arc| &arc.endpoints);
                endpoints.map(|endpoint| endpoint.region.clone()).next()
            }
            region => Some(Region::new(region)),
        }
        .unwrap_or_else(|| self.cloud.dns_region())
    }

    /// Who we are in a scope. What has no region of its own may be told by any; a region speaks for itself.
    async fn who(&self, scope: &Text) -> Result<Identity, ProbeError> {
        let home = self.home(scope);
        let regional = self.topology.region(&home).is_some() && scope.as_str() == home.as_str();
        let others = self.topology.regions.iter().map(|entry| &entry.name).filter(|name| **name != home);
        let asked = std::iter::once(&home).chain(others.filter(|_| !regional)).enumerate();
        let asked = asked.map(|(turn, region)| {
            let place = self.cloud.place(scope.as_str(), region);
            Box::pin(async move {
                if turn > 0 {
                    self.cloud.clock().sleep(ELSEWHERE).await;
                }
                place.identity_now().await
            })
        });
        select_ok(asked).await.map(|(identity, _)| identity)
    }
}

/// Those that were wanted: requests and errors of a region come together, though only one may have been asked for.
fn only(wanted: &BTreeSet<&Fact>, observations: Observations) -> Facts {
    let mut observed = Facts::new();
    for (fact, one) in observations.into_iter().filter(|(fact, _)| wanted.contains(fact)) {
        observed.insert(fact, one);
    }
    observed
}

pub(super) fn source(kind: SourceKind, call: &'static str, region: Option<&Region>) -> Source {
    Source::new(kind, call, region.cloned())
}

/// An observation, in which AWS's word that a thing does not exist is knowledge and no failure.
fn observed(source: Source, told: Result<Seen, ProbeError>) -> Observed<Known> {
    let names_a_thing = source.kind != SourceKind::Probe && source.kind != SourceKind::Identity;
    match told {
        Ok(seen) => Observed::seen(source, seen.known, seen.as_of),
        // A bare 404 may come from anybody on the way; AWS's has a code.
        Err(error)
            if error.kind == ErrorKind::NotFound
                && names_a_thing
                && source.call != reads::GET_SERVICE_QUOTA
                && !error.message.as_str().starts_with("HTTP ") =>
        {
            Observed::seen(source, Known::Absent, error.at)
        }
        Err(error) => Observed::failed(source, error),
    }
}
