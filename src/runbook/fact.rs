//! Facts: what a runbook asks AWS about before, while and after it acts.
//!
//! What it is for: naming one thing that can be observed ([`Fact`]), what was observed of it ([`Known`]), and
//! a bag of observations ([`Facts`]) that conditions, guards and plans are judged on. A snapshot of the
//! console becomes facts, and so does the answer of an [`Executor`](super::Executor).
//! What it must not do: judge, ask, or hold a value without its time.

use std::collections::BTreeMap;
use std::net::IpAddr;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::domain::ids::{
    AlarmName, Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region,
    ServiceKey, SubnetId, TableName, ZoneId,
};
use crate::domain::observation::{ErrorKind, Observed, ProbeError, Reading, Source};
use crate::domain::snapshot::{
    DbClusterState, GlobalClusterState, HealthCheckConfig, Identity, ProbeResult, RecordSet, ScalableTarget,
    ServiceState, TableState, Target,
};
use crate::domain::synthetic::Written;
use crate::domain::text::Text;

/// One thing that can be observed.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// Who we are in a scope: `dns`, `lease`, `arc` or a region (STS GetCallerIdentity).
    Identity(Text),
    /// A service (ECS DescribeServices).
    Service(Region, ServiceKey),
    /// Its scalable target (DescribeScalableTargets).
    Scaling(Region, ServiceKey),
    /// A target group's targets (DescribeTargetHealth).
    Targets(Region, Arn),
    /// A health check (GetHealthCheck).
    HealthCheck(HealthCheckId),
    /// All record sets of a name (ListResourceRecordSets).
    Records(ZoneId, HostName),
    /// A routing control (ARC GetRoutingControlState).
    RoutingControl(Arn),
    /// Whether a switch object exists (S3 HeadObject).
    SwitchObject(Region, BucketName, String),
    /// Newest value of a switch metric, 1 or 0 (GetMetricData): home, namespace, name, steered region.
    SwitchMetric(Region, String, String, Region),
    /// A global cluster as one region tells it (DescribeGlobalClusters).
    GlobalCluster(Region, GlobalClusterId),
    /// A member cluster (DescribeDBClusters).
    DbCluster(Region, DbClusterId),
    /// Identifiers of a cluster's instances, readers first and the writer last (DescribeDBInstances, DescribeDBClusters).
    DbInstances(Region, DbClusterId),
    /// Whether an instance exists (DescribeDBInstances).
    DbInstance(Region, Text),
    /// How many instances of a cluster are available (DescribeDBInstances).
    AvailableInstances(Region, DbClusterId),
    /// Whether a blue/green deployment of a cluster, or of the global cluster that it is in, is under way
    /// (DescribeBlueGreenDeployments).
    BlueGreen(Region, DbClusterId, GlobalClusterId),
    /// What RDS tells of its clusters and instances since a moment, oldest first (DescribeEvents).
    RdsEvents(Region, Timestamp),
    /// Newest AuroraGlobalDBRPOLag of a secondary, milliseconds (GetMetricData).
    RpoLag(Region, DbClusterId),
    /// A table (DescribeTable).
    Table(Region, TableName),
    /// Requests a minute of each of the newest complete minutes, oldest first (GetMetricData RequestCount of
    /// all load balancers of the region).
    Requests(Region),
    /// 5XX percent of the newest complete minute, all load balancers of the region together.
    Errors(Region),
    /// Our own request to the region's load balancers, by the public name.
    Probe(Region),
    /// Our own request by the public name, wherever DNS leads.
    Synthetic(HostName),
    /// Our own write by the public name, wherever DNS leads; only where the topology wants one. The one observation
    /// that leaves a mark: it is asked for by the steps of a confirmed run and by nothing else.
    SyntheticWrite(HostName),
    /// The same, and nobody looks whether it is shown: what is there after a promotion is looked for then.
    SyntheticMark(HostName),
    /// Whether a token that we wrote is shown by the public name, wherever DNS leads.
    TokenShown(HostName, Text),
    /// What DNS answers for a name, asked from several client subnets.
    Answers(HostName),
    /// HTTP client keep-alive of a load balancer, seconds (DescribeLoadBalancerAttributes).
    KeepAlive(Region, Arn),
    /// Where a service's task definition gets its images and secrets (DescribeTaskDefinition).
    Dependencies(Region, ServiceKey),
    /// What a task of a service takes of the Fargate quota (DescribeServices, DescribeTaskDefinition).
    TaskSize(Region, ServiceKey),
    /// The subnets that a service's tasks take their addresses from (DescribeServices, EC2 DescribeSubnets).
    Subnets(Region, ServiceKey),
    /// Fargate vCPU quota (Service Quotas GetServiceQuota).
    VcpuQuota(Region),
    /// Tags of a resource; also proves that it exists.
    Tags(Region, Arn),
    /// Whether an alarm exists.
    Alarm(Region, AlarmName),
    /// Whether a cluster exists and is active.
    Cluster(Region, ClusterName),
    /// Whether a load balancer or target group exists, and whether it is protected from deletion.
    Balancer(Region, Arn),
    /// The VPC of a load balancer (DescribeLoadBalancers).
    Network(Region, Arn),
    /// Whether a global cluster, a regional cluster or a table is protected from deletion, by its ARN.
    Protection(Region, Arn),
    /// Whether a bucket exists, and how many object versions a first page finds.
    Bucket(Region, BucketName),
    /// Status of a stack (DescribeStacks).
    Stack(Region, Text),
}

/// What was observed of a fact.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", content = "value", rename_all = "snake_case")]
pub enum Known {
    /// It does not exist.
    Absent,
    /// It exists; nothing more is known.
    Present,
    /// Identity.
    Identity(Identity),
    /// Service.
    Service(ServiceState),
    /// Scalable target; `None`: the service has none.
    Scaling(Option<ScalableTarget>),
    /// Targets.
    Targets(Vec<Target>),
    /// Health check.
    HealthCheck(HealthCheckConfig),
    /// Record sets.
    Records(Vec<RecordSet>),
    /// On or off: a routing control, a switch object that exists, a switch metric of 1, a protection.
    Flag(bool),
    /// Global cluster.
    GlobalCluster(GlobalClusterState),
    /// Member cluster.
    DbCluster(DbClusterState),
    /// Names: instances of a cluster.
    Names(Vec<Text>),
    /// What RDS tells.
    RdsEvents(Vec<RdsEvent>),
    /// A table.
    Table(TableState),
    /// A number in the fact's unit.
    Number(f64),
    /// Numbers in the fact's unit, oldest first.
    Numbers(Vec<f64>),
    /// Our own request.
    Probe(ProbeResult),
    /// Our own write.
    Written(Written),
    /// DNS answers.
    Answers(Vec<Answer>),
    /// Images and secrets: where they lie.
    Dependencies(Vec<Dependency>),
    /// What a task takes.
    TaskSize(TaskSize),
    /// Subnets; none where tasks share the address of the machine that they run on.
    Subnets(Vec<Subnet>),
    /// Tags.
    Tags(BTreeMap<String, String>),
    /// A word: a stack's status, a VPC's id.
    Word(Text),
}

impl Fact {
    /// The region whose API tells it; `None` for Route 53, ARC, DNS and who we are.
    pub fn region(&self) -> Option<&Region> {
        match self {
            Self::Service(region, _)
            | Self::Scaling(region, _)
            | Self::Targets(region, _)
            | Self::SwitchObject(region, ..)
            | Self::SwitchMetric(region, ..)
            | Self::GlobalCluster(region, _)
            | Self::DbCluster(region, _)
            | Self::DbInstances(region, _)
            | Self::DbInstance(region, _)
            | Self::AvailableInstances(region, _)
            | Self::BlueGreen(region, ..)
            | Self::RdsEvents(region, _)
            | Self::RpoLag(region, _)
            | Self::Table(region, _)
            | Self::Requests(region)
            | Self::Errors(region)
            | Self::Probe(region)
            | Self::KeepAlive(region, _)
            | Self::Dependencies(region, _)
            | Self::TaskSize(region, _)
            | Self::Subnets(region, _)
            | Self::VcpuQuota(region)
            | Self::Tags(region, _)
            | Self::Alarm(region, _)
            | Self::Cluster(region, _)
            | Self::Balancer(region, _)
            | Self::Network(region, _)
            | Self::Protection(region, _)
            | Self::Bucket(region, _)
            | Self::Stack(region, _) => Some(region),
            Self::Identity(_)
            | Self::HealthCheck(_)
            | Self::Records(..)
            | Self::RoutingControl(_)
            | Self::Synthetic(_)
            | Self::SyntheticWrite(_)
            | Self::SyntheticMark(_)
            | Self::TokenShown(..)
            | Self::Answers(_) => None,
        }
    }

    /// Who has to be asked, in a word: a region, `Route 53`, `DNS`, a scope.
    pub fn place(&self) -> Text {
        match self {
            Self::Identity(scope) => match scope.as_str() {
                "dns" => "Route 53".into(),
                "lease" => "the lease".into(),
                "arc" => "ARC".into(),
                region => region.into(),
            },
            Self::HealthCheck(_) | Self::Records(..) => "Route 53".into(),
            Self::RoutingControl(_) => "ARC".into(),
            Self::Synthetic(_) | Self::TokenShown(..) | Self::Answers(_) => "DNS".into(),
            other => other.region().map(|region| region.as_str().into()).unwrap_or_default(),
        }
    }
}

/// What one server answered one client subnet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Client subnet, `198.18.1.0/24`; empty when none was sent.
    pub subnet: Text,
    /// `A` or `AAAA`.
    pub record_type: Text,
    /// Addresses.
    pub addresses: Vec<IpAddr>,
    /// Region whose load balancer these are the addresses of, when that is known.
    pub region: Option<Region>,
    /// Seconds for which the answer may be kept.
    pub ttl: u32,
    /// True when Route 53's API told it (TestDNSAnswer), for the zone's servers did not answer us.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub tested: bool,
}

/// One event of RDS. It has no id: it is told by its words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RdsEvent {
    /// When.
    pub at: Timestamp,
    /// Identifier of the cluster or instance.
    pub source: Text,
    /// AWS's words.
    pub words: Text,
}

/// Something that a task needs at its start.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Dependency {
    /// `image`, `secret`, `parameter`, `key`.
    pub kind: Text,
    /// Its name or ARN.
    pub name: Text,
    /// The region it lies in; `None` when its name does not tell.
    pub region: Option<Region>,
}

/// What a task of a service takes of the account's Fargate quota.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct TaskSize {
    /// Where its tasks run.
    pub runs_on: RunsOn,
    /// vCPUs of one task; `None` when its definition names none.
    pub vcpus: Option<f64>,
}

/// A subnet, and how many addresses it has left for new tasks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subnet {
    /// Its id.
    pub id: SubnetId,
    /// Its availability zone, `eu-west-1a`.
    pub zone: Text,
    /// Free IPv4 addresses; `None` for a subnet of IPv6 alone, which does not run out.
    pub free: Option<u32>,
}

/// Where tasks run, as far as the quota of Fargate On-Demand goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunsOn {
    /// On Fargate On-Demand, all of them.
    Fargate,
    /// Some there, or it is not told: a capacity provider strategy with several providers, or none.
    Perhaps,
    /// On EC2 instances, on Fargate Spot, or outside AWS: they count against no such quota.
    Elsewhere,
}

/// Observations, each with its time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Facts {
    #[serde(with = "as_pairs")]
    known: BTreeMap<Fact, Observed<Known>>,
}

macro_rules! typed {
    ($($(#[$doc:meta])+ $name:ident($variant:ident) -> $type:ty;)+) => {
        impl Facts {
            $(
                $(#[$doc])+
                pub fn $name(&self, fact: &Fact) -> Option<&$type> {
                    match self.value(fact)? {
                        Known::$variant(value) => Some(value),
                        _ => None,
                    }
                }
            )+
        }
    };
}

typed! {
    /// The identity, when it was observed.
    identity(Identity) -> Identity;
    /// The service, when it was observed and exists.
    service(Service) -> ServiceState;
    /// The scalable target, when that was observed.
    scaling(Scaling) -> Option<ScalableTarget>;
    /// The targets.
    targets(Targets) -> Vec<Target>;
    /// The health check.
    health_check(HealthCheck) -> HealthCheckConfig;
    /// The record sets.
    records(Records) -> Vec<RecordSet>;
    /// The flag.
    flag(Flag) -> bool;
    /// The global cluster.
    global_cluster(GlobalCluster) -> GlobalClusterState;
    /// The member cluster.
    db_cluster(DbCluster) -> DbClusterState;
    /// The names.
    names(Names) -> Vec<Text>;
    /// What RDS tells.
    rds_events(RdsEvents) -> Vec<RdsEvent>;
    /// The table.
    table(Table) -> TableState;
    /// The number.
    number(Number) -> f64;
    /// The numbers.
    numbers(Numbers) -> Vec<f64>;
    /// Our own request's outcome.
    probe(Probe) -> ProbeResult;
    /// What came of our own write.
    written(Written) -> Written;
    /// The DNS answers.
    answers(Answers) -> Vec<Answer>;
    /// The dependencies.
    dependencies(Dependencies) -> Vec<Dependency>;
    /// What a task takes.
    task_size(TaskSize) -> TaskSize;
    /// The subnets.
    subnets(Subnets) -> Vec<Subnet>;
    /// The tags.
    tags(Tags) -> BTreeMap<String, String>;
    /// The word.
    word(Word) -> Text;
}

impl Facts {
    /// Nothing observed.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds or replaces an observation.
    pub fn insert(&mut self, fact: Fact, observed: Observed<Known>) {
        self.known.insert(fact, observed);
    }

    /// Takes over everything of `newer`; a failed attempt keeps the older reading, which then grows old.
    pub fn absorb(&mut self, newer: Self) {
        for (fact, observed) in newer.known {
            let merged = match (self.known.remove(&fact), observed.error().cloned()) {
                (Some(mut older), Some(error)) if observed.reading().is_none() => {
                    older.fail(error);
                    older
                }
                _ => observed,
            };
            self.known.insert(fact, merged);
        }
    }

    /// The observation of a fact, when it was ever asked.
    pub fn get(&self, fact: &Fact) -> Option<&Observed<Known>> {
        self.known.get(fact)
    }

    /// The last known value, however old.
    pub fn value(&self, fact: &Fact) -> Option<&Known> {
        self.get(fact)?.value()
    }

    /// The last known value with its time.
    pub fn reading(&self, fact: &Fact) -> Option<&Reading<Known>> {
        self.get(fact)?.reading()
    }

    /// Why the last attempt failed, if it did.
    pub fn error(&self, fact: &Fact) -> Option<&ProbeError> {
        self.get(fact)?.error()
    }

    /// True when the last attempt succeeded and found that it does not exist.
    pub fn is_absent(&self, fact: &Fact) -> bool {
        self.error(fact).is_none_or(|error| error.kind == ErrorKind::NotFound)
            && (matches!(self.value(fact), Some(Known::Absent))
                || self.error(fact).is_some_and(|error| error.kind == ErrorKind::NotFound))
    }

    /// True when nobody may be asked here: a custom endpoint stands in for AWS, and neither names nor requests lead there.
    pub fn is_unasked(&self, fact: &Fact) -> bool {
        self.error(fact).is_some_and(|error| error.kind == ErrorKind::NotConfigured)
    }

    /// All observations.
    pub fn iter(&self) -> impl Iterator<Item = (&Fact, &Observed<Known>)> {
        self.known.iter()
    }

    /// Only those of `wanted`.
    pub fn only<'a>(&self, wanted: impl IntoIterator<Item = &'a Fact>) -> Self {
        let known = wanted
            .into_iter()
            .filter_map(|fact| Some((fact.clone(), self.known.get(fact)?.clone())))
            .collect();
        Self { known }
    }
}

/// A source for facts that a test or a simulation states.
pub fn stated(source: Source, known: Known, at: jiff::Timestamp) -> Observed<Known> {
    Observed::seen(source, known, at)
}

/// Facts are keys that are no strings: they are written as pairs.
mod as_pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serializer};

    use super::{Fact, Known, Observed};

    pub(super) fn serialize<S: Serializer>(
        map: &BTreeMap<Fact, Observed<Known>>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(map.iter())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<BTreeMap<Fact, Observed<Known>>, D::Error> {
        Ok(Vec::<(Fact, Observed<Known>)>::deserialize(deserializer)?.into_iter().collect())
    }
}
