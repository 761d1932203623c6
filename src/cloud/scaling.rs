//! Application Auto Scaling: limits and suspensions of ECS services.
//!
//! What it is for: what would raise a drained service again. What it must not do: read policies.

use std::collections::HashMap;

use aws_sdk_applicationautoscaling::types::{
    ScalableDimension, ScalableTarget as SdkTarget, ServiceNamespace, SuspendedState,
};

use super::Place;
use crate::domain::ids::ServiceKey;
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::ScalableTarget;

/// IAM's name of the call.
pub const DESCRIBE_SCALABLE_TARGETS: &str = "application-autoscaling:DescribeScalableTargets";

/// Resource ids that one DescribeScalableTargets takes.
pub const TARGETS_PER_CALL: usize = 50;

impl Place {
    /// The scalable targets of at most fifty services, in their order; `None` where a service has none.
    pub async fn scalable_targets(
        &self,
        keys: &[ServiceKey],
    ) -> Result<Vec<(ServiceKey, Option<ScalableTarget>)>, ProbeError> {
        let client = self.scaling().await;
        let ids: Vec<String> = keys.iter().map(ServiceKey::resource_id).collect();
        let mut found: HashMap<String, ScalableTarget> = HashMap::new();
        let mut page = None;
        loop {
            let request = client
                .describe_scalable_targets()
                .service_namespace(ServiceNamespace::Ecs)
                .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                .set_resource_ids(Some(ids.clone()))
                .set_next_token(page);
            let answer = self.ask(DESCRIBE_SCALABLE_TARGETS, request.send()).await?;
            for target in answer.scalable_targets() {
                found.insert(target.resource_id().to_owned(), scalable_target(target));
            }
            page = answer.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                break;
            }
        }
        Ok(keys.iter().map(|key| (key.clone(), found.remove(&key.resource_id()))).collect())
    }
}

fn scalable_target(target: &SdkTarget) -> ScalableTarget {
    let suspended = target.suspended_state();
    ScalableTarget {
        min: target.min_capacity(),
        max: target.max_capacity(),
        scale_in_suspended: suspended.and_then(SuspendedState::dynamic_scaling_in_suspended).unwrap_or(false),
        scale_out_suspended: suspended
            .and_then(SuspendedState::dynamic_scaling_out_suspended)
            .unwrap_or(false),
        scheduled_suspended: suspended.and_then(SuspendedState::scheduled_scaling_suspended).unwrap_or(false),
    }
}
