//! ECS: services.
//!
//! What it is for: counts, deployments and events of services, ten of one cluster a call.
//! What it must not do: list tasks; a service's counts and events tell what the console shows.

use aws_sdk_ecs::types::{Deployment as SdkDeployment, Service, ServiceEvent as SdkEvent};
use jiff::Timestamp;

use super::time::stamp;
use super::{Each, Place};
use crate::domain::ids::{ClusterName, ServiceKey};
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::{Deployment, ServiceEvent, ServiceState};
use crate::domain::text::Text;

/// IAM's name of the call.
pub const DESCRIBE_SERVICES: &str = "ecs:DescribeServices";

/// Services that one DescribeServices takes, all of one cluster.
pub const SERVICES_PER_CALL: usize = 10;

/// Events kept a service: the one that is shown. AWS sends a hundred, twenty kilobytes of words.
const EVENTS: usize = 1;

impl Place {
    /// State of at most ten services of one cluster. A missing one is `NotFound`, the others unharmed.
    pub async fn services(
        &self,
        cluster: &ClusterName,
        keys: &[ServiceKey],
    ) -> Each<ServiceKey, ServiceState> {
        let told = self.described(cluster, keys).await.into_iter();
        told.map(|(key, service)| (key, service.map(|service| service_state(&service)))).collect()
    }

    /// The same services in ECS's own words.
    pub(super) async fn described(
        &self,
        cluster: &ClusterName,
        keys: &[ServiceKey],
    ) -> Each<ServiceKey, Service> {
        let client = self.ecs().await;
        let names = keys.iter().map(|key| key.service.as_str().to_owned()).collect();
        let request = client.describe_services().cluster(cluster.as_str()).set_services(Some(names));
        let answer = match self.ask(DESCRIBE_SERVICES, request.send()).await {
            Ok(answer) => answer,
            Err(error) => return keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect(),
        };
        let failures = answer.failures.unwrap_or_default();
        let mut services = answer.services.unwrap_or_default();
        keys.iter()
            .map(|key| {
                let name = key.service.as_str();
                let found = services.iter().position(|service| service.service_name() == Some(name));
                let service = found.map(|index| services.swap_remove(index)).ok_or_else(|| {
                    let failure = failures.iter().find(|failure| {
                        failure.arn().is_some_and(|arn| arn.rsplit('/').next() == Some(name))
                    });
                    let reason = failure.and_then(|failure| failure.reason()).unwrap_or("MISSING");
                    let detail = failure.and_then(|failure| failure.detail()).unwrap_or_default();
                    self.error(ErrorKind::NotFound, DESCRIBE_SERVICES, format!("{reason} {detail}").trim())
                });
                (key.clone(), service)
            })
            .collect()
    }
}

/// A service as the console shows it.
pub(super) fn service_state(service: &Service) -> ServiceState {
    let mut deployments: Vec<Deployment> = service.deployments().iter().map(deployment).collect();
    deployments.sort_by_key(|deployment| deployment.status.as_str() != "PRIMARY");
    let mut events: Vec<(Timestamp, &SdkEvent)> =
        service.events().iter().filter_map(|event| Some((stamp(event.created_at()?)?, event))).collect();
    events.sort_by_key(|(at, _)| std::cmp::Reverse(*at));
    let events = events.into_iter().take(EVENTS).map(|(at, event)| ServiceEvent {
        id: Text::new(event.id().unwrap_or_default()),
        at,
        message: Text::new(event.message().unwrap_or_default()),
    });
    let task_definition = Text::new(service.task_definition().unwrap_or_default());
    for deployment in &mut deployments {
        if deployment.task_definition == task_definition {
            deployment.task_definition = task_definition.clone();
        }
    }
    ServiceState {
        status: Text::new(service.status().unwrap_or_default()),
        desired: service.desired_count(),
        running: service.running_count(),
        pending: service.pending_count(),
        task_definition,
        deployments,
        events: events.collect(),
    }
}

fn deployment(deployment: &SdkDeployment) -> Deployment {
    Deployment {
        id: Text::new(deployment.id().unwrap_or_default()),
        status: Text::new(deployment.status().unwrap_or_default()),
        rollout: deployment.rollout_state().map(|state| Text::new(state.as_str())),
        rollout_reason: deployment.rollout_state_reason().map(Text::new),
        failed_tasks: deployment.failed_tasks(),
        counts: (deployment.desired_count(), deployment.running_count(), deployment.pending_count()),
        task_definition: Text::new(deployment.task_definition().unwrap_or_default()),
    }
}
