//! Services as runs see them: their counts, what their tasks are made of, and where those find addresses.
//!
//! What it is for: one DescribeServices for whatever is wanted of ten services; where ECS is throttled a second one
//! could cost the answer to both. What it must not do: let the counts wait for anything but that one call.

use std::collections::BTreeSet;
use std::sync::Arc;

use aws_sdk_ecs::types::{
    AwsVpcConfiguration, CapacityProviderStrategyItem, ContainerDefinition, LaunchType, LogConfiguration,
    NetworkConfiguration, RepositoryCredentials, Secret, Service,
};
use futures_util::FutureExt;
use futures_util::future::join_all;

use super::Acting;
use super::observe::{DEADLINE, Read, source};
use super::reads::{DESCRIBE_TASK_DEFINITION, service_of};
use crate::cloud::ec2::DESCRIBE_SUBNETS;
use crate::cloud::ecs::service_state;
use crate::cloud::{Place, calls};
use crate::domain::ids::{Arn, ClusterName, Region, ServiceKey, SubnetId};
use crate::domain::observation::{ErrorKind, ProbeError, SourceKind};
use crate::domain::snapshot::ServiceState;
use crate::runbook::{Dependency, Fact, Known, RunsOn, TaskSize};

/// What DescribeServices told of some services, in their order.
type Told = Arc<Vec<(ServiceKey, Result<Service, ProbeError>)>>;

impl Acting {
    /// The reads that bring what is wanted of at most ten services of one cluster.
    pub(super) fn services<'a>(
        &'a self,
        region: &Region,
        cluster: &ClusterName,
        keys: &[ServiceKey],
        wanted: &BTreeSet<&Fact>,
    ) -> Vec<Read<'a>> {
        let place = self.cloud.at(region);
        let (asked, cluster, all) = (place.clone(), cluster.clone(), keys.to_vec());
        let told = async move { Arc::new(asked.described(&cluster, &all).await) }.boxed().shared();
        let of = |fact: fn(Region, ServiceKey) -> Fact| {
            let facts = keys.iter().map(|key| fact(region.clone(), key.clone()));
            facts.filter(|fact| wanted.contains(fact)).collect::<Vec<Fact>>()
        };
        let mut reads = Vec::new();
        let states = of(Fact::Service);
        if !states.is_empty() {
            let source = source(SourceKind::Services, calls::DESCRIBE_SERVICES, Some(region));
            let (told, keys) = (told.clone(), named(&states));
            reads.push(self.each(states, source, DEADLINE, async move {
                some(&told.await, &keys).map(|service| service.map(service_state).map(known)).collect()
            }));
        }
        let (needed, sizes) = (of(Fact::Dependencies), of(Fact::TaskSize));
        if !needed.is_empty() || !sizes.is_empty() {
            let source = source(SourceKind::Services, DESCRIBE_TASK_DEFINITION, Some(region));
            let (told, place) = (told.clone(), place.clone());
            let keys: Vec<ServiceKey> = named(&needed)
                .into_iter()
                .chain(named(&sizes))
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect();
            let both = |key: &ServiceKey| {
                let (region, key) = (region.clone(), key.clone());
                [Fact::Dependencies(region.clone(), key.clone()), Fact::TaskSize(region, key)]
            };
            let facts = keys.iter().flat_map(both).collect();
            reads.push(self.each(facts, source, DEADLINE, async move {
                let told = told.await;
                let made = some(&told, &keys).map(async |service| place.definition_of(service?).await);
                let made = join_all(made).await.into_iter();
                made.flat_map(|made| match made {
                    Ok((needed, size)) => [Ok(Known::Dependencies(needed)), Ok(Known::TaskSize(size))],
                    Err(error) => [Err(error.clone()), Err(error)],
                })
                .collect()
            }));
        }
        let free = of(Fact::Subnets);
        if !free.is_empty() {
            let source = source(SourceKind::Services, DESCRIBE_SUBNETS, Some(region));
            let keys = named(&free);
            reads.push(self.each(free, source, DEADLINE, async move {
                let told = told.await;
                let services: Vec<Result<&Service, ProbeError>> = some(&told, &keys).collect();
                place.subnets_of(&services).await
            }));
        }
        reads
    }
}

impl Place {
    /// What a service's tasks are made of: where their images and secrets come from, and what one takes of the quota.
    async fn definition_of(&self, service: &Service) -> Result<(Vec<Dependency>, TaskSize), ProbeError> {
        let client = self.ecs().await;
        let named = service.task_definition().unwrap_or_default();
        let request = client.describe_task_definition().task_definition(named);
        let answer = self.ask(DESCRIBE_TASK_DEFINITION, request.send()).await?;
        let Some(definition) = answer.task_definition() else {
            let words = "no task definition in the answer";
            return Err(self.error(ErrorKind::Malformed, DESCRIBE_TASK_DEFINITION, words));
        };
        // Units, 1024 a vCPU; a task on Fargate always names them.
        let units = definition.cpu().and_then(|units| units.parse::<u32>().ok()).filter(|units| *units > 0);
        let vcpus = units.map(|units| f64::from(units) / 1024.0);
        let size = TaskSize { runs_on: runs_on(service), vcpus };
        let mut found: Vec<Dependency> = Vec::new();
        for container in definition.container_definitions() {
            for dependency in needs(container, self.region()) {
                if !found.contains(&dependency) {
                    found.push(dependency);
                }
            }
        }
        Ok((found, size))
    }

    /// The subnets from which each service's tasks take their addresses; those of all services by one call.
    async fn subnets_of(&self, services: &[Result<&Service, ProbeError>]) -> Vec<Result<Known, ProbeError>> {
        let all: BTreeSet<SubnetId> =
            services.iter().flatten().flat_map(|service| subnets(service)).collect();
        let found = self.subnets(&all).await;
        let of = |service: &Service| -> Result<Known, ProbeError> {
            let mut named = subnets(service).peekable();
            if named.peek().is_none() {
                return Ok(Known::Subnets(Vec::new()));
            }
            let found = found.as_ref().map_err(ProbeError::clone)?;
            Ok(Known::Subnets(named.filter_map(|id| found.get(&id).cloned()).collect()))
        };
        services
            .iter()
            .map(|service| service.as_ref().map_err(ProbeError::clone).and_then(|one| of(one)))
            .collect()
    }
}

/// The services that facts are about.
fn named(facts: &[Fact]) -> Vec<ServiceKey> {
    let key = |fact: &Fact| match fact {
        Fact::Service(_, key)
        | Fact::Dependencies(_, key)
        | Fact::TaskSize(_, key)
        | Fact::Subnets(_, key) => Some(key.clone()),
        _ => None,
    };
    facts.iter().filter_map(key).collect()
}

/// What was told of these services, in their order.
fn some<'t>(told: &'t Told, keys: &'t [ServiceKey]) -> impl Iterator<Item = Result<&'t Service, ProbeError>> {
    let of = |key: &ServiceKey| told.iter().find(|(told, _)| told == key);
    let answers = keys.iter().filter_map(of);
    answers.map(|(_, service)| service.as_ref().map_err(ProbeError::clone))
}

/// A service that was deleted is described for a while, as inactive: there is none.
fn known(state: ServiceState) -> Known {
    if state.status.as_str() == "INACTIVE" { Known::Absent } else { Known::Service(state) }
}

/// Subnets of a service whose tasks have addresses of their own (network mode `awsvpc`).
fn subnets(service: &Service) -> impl Iterator<Item = SubnetId> {
    let vpc = service.network_configuration().and_then(NetworkConfiguration::awsvpc_configuration);
    vpc.into_iter().flat_map(AwsVpcConfiguration::subnets).map(SubnetId::new)
}

/// Where a service's tasks run. With a capacity provider strategy AWS tells no launch type.
fn runs_on(service: &Service) -> RunsOn {
    match service.launch_type() {
        Some(LaunchType::Fargate) => return RunsOn::Fargate,
        Some(LaunchType::Ec2 | LaunchType::External | LaunchType::ManagedInstances) => {
            return RunsOn::Elsewhere;
        }
        Some(_) | None => {}
    }
    let names = service.capacity_provider_strategy().iter();
    let on_demand: Vec<bool> =
        names.map(CapacityProviderStrategyItem::capacity_provider).map(|name| name == "FARGATE").collect();
    match (on_demand.is_empty(), on_demand.iter().all(|one| *one), on_demand.contains(&true)) {
        (false, true, _) => RunsOn::Fargate,
        (false, _, false) => RunsOn::Elsewhere,
        _ => RunsOn::Perhaps,
    }
}

/// What one container needs at its start. `here` is the region of the task, which plain names mean.
fn needs(container: &ContainerDefinition, here: &Region) -> Vec<Dependency> {
    let mut found = Vec::new();
    if let Some(image) = container.image() {
        found.push(Dependency { kind: "image".into(), name: image.into(), region: registry_region(image) });
    }
    let logging = container.log_configuration().map(LogConfiguration::secret_options).unwrap_or_default();
    let named = container.secrets().iter().chain(logging).map(Secret::value_from);
    let credentials = container.repository_credentials().map(RepositoryCredentials::credentials_parameter);
    for name in named.chain(credentials) {
        let arn = Arn::new(name);
        let kind = if service_of(&arn) == "secretsmanager" { "secret" } else { "parameter" };
        let region = if arn.partition().is_some() { arn.region() } else { Some(here.clone()) };
        found.push(Dependency { kind: kind.into(), name: name.into(), region });
    }
    found
}

/// The region of a private registry, `ACCOUNT.dkr.ecr.REGION.amazonaws.com/…`.
fn registry_region(image: &str) -> Option<Region> {
    let host = image.split('/').next()?;
    let (_, rest) = host.split_once(".dkr.ecr.").or_else(|| host.split_once(".dkr.ecr-fips."))?;
    rest.split_once(".amazonaws.").map(|(region, _)| Region::new(region))
}
