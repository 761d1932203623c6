//! What one region holds, before it is known what belongs to the application.
//!
//! What it is for: all lists of one region at once, each with its own outcome: a service that may not be
//! listed leaves the others whole. What it must not do: choose; that is `assemble`.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;

use futures_util::stream::{self, StreamExt as _};

use crate::cloud::elb::{DESCRIBE_LOAD_BALANCERS, DESCRIBE_TARGET_GROUPS};
use crate::cloud::{Place, calls, limits, rds};
use crate::domain::ids::{Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId, HostName, Region};
use crate::domain::ids::{ServiceKey, ServiceName, TableName, ZoneId};
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::{GlobalClusterState, Identity, ReplicationRule, TableState};
use crate::domain::text::Text;
use crate::domain::topology::{LoadBalancer, LoadBalancerKind};

/// Calls of one kind that run at the same time in one region.
const SIDE_BY_SIDE: usize = 8;

const LIST_CLUSTERS: &str = "ecs:ListClusters";
const LIST_SERVICES: &str = "ecs:ListServices";
const LIST_TABLES: &str = "dynamodb:ListTables";
const LIST_BUCKETS: &str = "s3:ListAllMyBuckets";
const GET_BUCKET_LOCATION: &str = "s3:GetBucketLocation";

/// Everything of one region.
pub(super) struct Inventory {
    place: Place,
    pub(super) region: Region,
    pub(super) identity: Result<Identity, ProbeError>,
    pub(super) load_balancers: Result<Vec<LoadBalancer>, ProbeError>,
    pub(super) services: Result<Vec<Service>, ProbeError>,
    pub(super) tables: Result<BTreeSet<TableName>, ProbeError>,
    /// Descriptions of the tables that other regions have too.
    pub(super) described: BTreeMap<TableName, Result<TableState, ProbeError>>,
    pub(super) globals: Result<Vec<Global>, ProbeError>,
    pub(super) buckets: Result<Buckets, ProbeError>,
    pub(super) alarms: Result<Vec<Alarm>, ProbeError>,
    /// Target groups of the load balancers that belong to the application, by load balancer.
    pub(super) target_groups: BTreeMap<Arn, Result<Vec<Arn>, ProbeError>>,
    /// Services with a scalable target; asked only for those behind the load balancers.
    pub(super) scalable: Result<BTreeSet<ServiceKey>, ProbeError>,
}

/// Buckets of a region.
#[derive(Clone, Debug, Default)]
pub(super) struct Buckets {
    pub(super) rules: BTreeMap<BucketName, Vec<ReplicationRule>>,
    /// Buckets whose rules may not be read. Most accounts hold buckets that are nobody's business here.
    pub(super) unread: Vec<(BucketName, ProbeError)>,
}

/// An ECS service with the target groups it registers in.
#[derive(Clone, Debug)]
pub(super) struct Service {
    pub(super) key: ServiceKey,
    pub(super) arn: Arn,
    pub(super) target_groups: Vec<Arn>,
}

/// An Aurora global cluster.
#[derive(Clone, Debug)]
pub(super) struct Global {
    pub(super) id: GlobalClusterId,
    pub(super) arn: Option<Arn>,
    pub(super) engine: Text,
    pub(super) state: GlobalClusterState,
}

/// An alarm with what it looks at.
#[derive(Clone, Debug)]
pub(super) struct Alarm {
    pub(super) name: crate::domain::ids::AlarmName,
    pub(super) actions: Vec<Arn>,
    /// Dimension sets of the metrics it watches.
    pub(super) dimensions: Vec<BTreeMap<String, String>>,
    /// Rule of a composite alarm.
    pub(super) rule: Option<String>,
}

/// Lists everything in a region.
pub(super) async fn take(place: Place) -> Inventory {
    let region = place.region().clone();
    let (identity, load_balancers, services, tables, globals, buckets, alarms) = tokio::join!(
        boxed(place.identity_now()),
        boxed(load_balancers(&place)),
        boxed(services(&place)),
        boxed(tables(&place)),
        boxed(globals(&place)),
        boxed(buckets(&place)),
        boxed(alarms(&place)),
    );
    Inventory {
        place,
        region,
        identity,
        load_balancers,
        services,
        tables,
        described: BTreeMap::new(),
        globals,
        buckets,
        alarms,
        target_groups: BTreeMap::new(),
        scalable: Ok(BTreeSet::new()),
    }
}

/// Futures of the SDK are large; seven of them side by side belong on the heap.
fn boxed<'a, T>(future: impl Future<Output = T> + Send + 'a) -> crate::ports::BoxFuture<'a, T> {
    Box::pin(future)
}

impl Inventory {
    /// The second round: what can be asked only once the load balancers' names are known.
    pub(super) async fn deepen(&mut self, names: &BTreeSet<HostName>) {
        let ours: Vec<Arn> = self.matched(names).into_iter().map(|lb| lb.arn.clone()).collect();
        let place = &self.place;
        let groups = stream::iter(ours)
            .map(|arn| async move {
                let groups = target_groups(place, &arn).await;
                (arn, groups)
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect::<BTreeMap<_, _>>()
            .await;
        self.target_groups = groups;
        let behind: Vec<ServiceKey> = self.behind().into_iter().map(|service| service.key.clone()).collect();
        let mut scalable = BTreeSet::new();
        for keys in behind.chunks(limits::TARGETS_PER_CALL) {
            match self.place.scalable_targets(keys).await {
                Ok(found) => {
                    scalable
                        .extend(found.into_iter().filter(|(_, target)| target.is_some()).map(|(key, _)| key));
                }
                Err(error) => {
                    self.scalable = Err(error);
                    return;
                }
            }
        }
        self.scalable = Ok(scalable);
    }

    /// Describes tables.
    pub(super) async fn describe(&mut self, names: &BTreeSet<TableName>) {
        let place = &self.place;
        let here = self.tables.as_ref().ok();
        let names = names.iter().filter(|name| here.is_some_and(|tables| tables.contains(*name)));
        self.described = stream::iter(names.cloned())
            .map(|name| async move {
                let state = place.table(&name).await;
                (name, state)
            })
            .buffer_unordered(SIDE_BY_SIDE)
            .collect()
            .await;
    }

    /// The load balancers with one of these names.
    pub(super) fn matched(&self, names: &BTreeSet<HostName>) -> Vec<&LoadBalancer> {
        let all = self.load_balancers.as_deref().unwrap_or_default();
        all.iter().filter(|lb| names.contains(&lb.dns_name)).collect()
    }

    /// The services that register in a target group of the application.
    pub(super) fn behind(&self) -> Vec<&Service> {
        let groups: BTreeSet<&Arn> =
            self.target_groups.values().filter_map(|groups| groups.as_ref().ok()).flatten().collect();
        let all = self.services.as_deref().unwrap_or_default();
        all.iter()
            .filter(|service| service.target_groups.iter().any(|group| groups.contains(group)))
            .collect()
    }
}

async fn load_balancers(place: &Place) -> Result<Vec<LoadBalancer>, ProbeError> {
    use aws_sdk_elasticloadbalancingv2::types::LoadBalancerTypeEnum;
    let client = place.elb().await;
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let request = client.describe_load_balancers().set_marker(marker);
        let answer = place.ask(DESCRIBE_LOAD_BALANCERS, request.send()).await?;
        for lb in answer.load_balancers() {
            let kind = match lb.r#type() {
                Some(LoadBalancerTypeEnum::Application) => LoadBalancerKind::Application,
                Some(LoadBalancerTypeEnum::Network) => LoadBalancerKind::Network,
                _ => continue,
            };
            let (Some(arn), Some(dns)) = (lb.load_balancer_arn(), lb.dns_name()) else { continue };
            found.push(LoadBalancer {
                name: Text::new(lb.load_balancer_name().unwrap_or_default()),
                arn: Arn::new(arn),
                dns_name: HostName::normalized(dns),
                canonical_zone_id: ZoneId::new(lb.canonical_hosted_zone_id().unwrap_or_default()),
                kind,
                target_groups: Vec::new(),
            });
        }
        marker = answer.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(found);
        }
    }
}

async fn target_groups(place: &Place, load_balancer: &Arn) -> Result<Vec<Arn>, ProbeError> {
    let client = place.elb().await;
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let request =
            client.describe_target_groups().load_balancer_arn(load_balancer.as_str()).set_marker(marker);
        let answer = place.ask(DESCRIBE_TARGET_GROUPS, request.send()).await?;
        found
            .extend(answer.target_groups().iter().filter_map(|group| group.target_group_arn()).map(Arn::new));
        marker = answer.next_marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(found);
        }
    }
}

async fn services(place: &Place) -> Result<Vec<Service>, ProbeError> {
    let client = place.ecs().await;
    let mut clusters = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_clusters().set_next_token(token);
        let answer = place.ask(LIST_CLUSTERS, request.send()).await?;
        clusters.extend(answer.cluster_arns().iter().map(Arn::new));
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    let each = stream::iter(clusters)
        .map(|cluster| async move { services_of(place, &cluster).await })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>()
        .await;
    let mut all = Vec::new();
    for services in each {
        all.extend(services?);
    }
    Ok(all)
}

async fn services_of(place: &Place, cluster: &Arn) -> Result<Vec<Service>, ProbeError> {
    let client = place.ecs().await;
    let mut arns: Vec<String> = Vec::new();
    let mut token = None;
    loop {
        let request = client.list_services().cluster(cluster.as_str()).max_results(100).set_next_token(token);
        let answer = place.ask(LIST_SERVICES, request.send()).await?;
        arns.extend(answer.service_arns().iter().cloned());
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    let mut found = Vec::new();
    for names in arns.chunks(limits::SERVICES_PER_CALL) {
        let request = client.describe_services().cluster(cluster.as_str()).set_services(Some(names.to_vec()));
        let answer = place.ask(calls::DESCRIBE_SERVICES, request.send()).await?;
        for service in answer.services() {
            if service.status() == Some("INACTIVE") {
                continue;
            }
            let (Some(arn), Some(name)) = (service.service_arn(), service.service_name()) else { continue };
            let groups = service.load_balancers().iter().filter_map(|lb| lb.target_group_arn());
            found.push(Service {
                key: ServiceKey {
                    cluster: ClusterName::new(cluster.short_name()),
                    service: ServiceName::new(name),
                },
                arn: Arn::new(arn),
                target_groups: groups.map(Arn::new).collect(),
            });
        }
    }
    Ok(found)
}

async fn tables(place: &Place) -> Result<BTreeSet<TableName>, ProbeError> {
    let client = place.dynamodb().await;
    let mut found = BTreeSet::new();
    let mut start = None;
    loop {
        let request = client.list_tables().set_exclusive_start_table_name(start);
        let answer = place.ask(LIST_TABLES, request.send()).await?;
        found.extend(answer.table_names().iter().map(TableName::new));
        start = answer.last_evaluated_table_name.filter(|name| !name.is_empty());
        if start.is_none() {
            return Ok(found);
        }
    }
}

async fn globals(place: &Place) -> Result<Vec<Global>, ProbeError> {
    let client = place.rds().await;
    let mut found = Vec::new();
    let mut marker = None;
    loop {
        let request = client.describe_global_clusters().set_marker(marker);
        let answer = place.ask(calls::DESCRIBE_GLOBAL_CLUSTERS, request.send()).await?;
        for cluster in answer.global_clusters() {
            let Some(id) = cluster.global_cluster_identifier() else { continue };
            found.push(Global {
                id: GlobalClusterId::new(id),
                arn: cluster.global_cluster_arn().map(Arn::new),
                engine: Text::new(cluster.engine().unwrap_or_default()),
                state: rds::global_cluster_state(cluster),
            });
        }
        marker = answer.marker.filter(|marker| !marker.is_empty());
        if marker.is_none() {
            return Ok(found);
        }
    }
}

/// Buckets of this region with their replication rules.
async fn buckets(place: &Place) -> Result<Buckets, ProbeError> {
    let client = place.s3().await;
    let region = place.region();
    let mut names: Vec<(BucketName, Option<String>)> = Vec::new();
    let mut token = None;
    loop {
        let request = client
            .list_buckets()
            .bucket_region(region.as_str())
            .max_buckets(1_000)
            .set_continuation_token(token);
        let answer = place.ask(LIST_BUCKETS, request.send()).await?;
        for bucket in answer.buckets() {
            if let Some(name) = bucket.name() {
                names.push((BucketName::new(name), bucket.bucket_region().map(str::to_owned)));
            }
        }
        token = answer.continuation_token.filter(|token| !token.is_empty());
        if token.is_none() {
            break;
        }
    }
    let each = stream::iter(names)
        .map(|(name, told)| async move {
            let home = match told {
                Some(home) => home,
                None => bucket_region(place, &name).await?,
            };
            if home != region.as_str() {
                return None;
            }
            let rules = place.bucket_replication(&name).await;
            Some((name, rules))
        })
        .buffer_unordered(SIDE_BY_SIDE)
        .collect::<Vec<_>>()
        .await;
    let mut buckets = Buckets::default();
    for (name, rules) in each.into_iter().flatten() {
        match rules {
            Ok(rules) => drop(buckets.rules.insert(name, rules)),
            Err(error) => buckets.unread.push((name, error)),
        }
    }
    Ok(buckets)
}

async fn bucket_region(place: &Place, name: &BucketName) -> Option<String> {
    let client = place.s3().await;
    let request = client.get_bucket_location().bucket(name.as_str());
    let answer = place.ask(GET_BUCKET_LOCATION, request.send()).await.ok()?;
    Some(match answer.location_constraint().map(aws_sdk_s3::types::BucketLocationConstraint::as_str) {
        None | Some("" | "US" | "null") => "us-east-1".to_owned(),
        Some("EU") => "eu-west-1".to_owned(),
        Some(region) => region.to_owned(),
    })
}

/// Every alarm of a place.
pub(super) async fn alarms(place: &Place) -> Result<Vec<Alarm>, ProbeError> {
    use aws_sdk_cloudwatch::types::{AlarmType, Dimension};
    fn set(dimensions: &[Dimension]) -> BTreeMap<String, String> {
        let pairs = dimensions.iter().filter_map(|d| Some((d.name()?.to_owned(), d.value()?.to_owned())));
        pairs.collect()
    }
    let client = place.cloudwatch().await;
    let mut found = Vec::new();
    let mut token = None;
    loop {
        let request = client
            .describe_alarms()
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .max_records(100)
            .set_next_token(token);
        let answer = place.ask(calls::DESCRIBE_ALARMS, request.send()).await?;
        for alarm in answer.metric_alarms() {
            let mut dimensions = vec![set(alarm.dimensions())];
            for query in alarm.metrics() {
                let metric = query.metric_stat().and_then(|stat| stat.metric());
                dimensions.extend(metric.map(|metric| set(metric.dimensions())));
            }
            found.push(Alarm {
                name: alarm.alarm_name().unwrap_or_default().into(),
                actions: alarm.alarm_actions().iter().map(Arn::new).collect(),
                dimensions,
                rule: None,
            });
        }
        for alarm in answer.composite_alarms() {
            found.push(Alarm {
                name: alarm.alarm_name().unwrap_or_default().into(),
                actions: alarm.alarm_actions().iter().map(Arn::new).collect(),
                dimensions: Vec::new(),
                rule: Some(alarm.alarm_rule().unwrap_or_default().to_owned()),
            });
        }
        token = answer.next_token.filter(|token| !token.is_empty());
        if token.is_none() {
            return Ok(found);
        }
    }
}

/// The member of a global cluster as its ARN names it.
pub(super) fn member(arn: &Arn) -> Option<(Region, DbClusterId)> {
    Some((arn.region()?, DbClusterId::new(arn.short_name())))
}
