//! Elastic Load Balancing v2: load balancers and their targets.
//!
//! What it is for: state of load balancers, twenty a call, and health of every target of a target group.
//! What it must not do: read CloudWatch; target health is the direct state, free and without delay.

use aws_sdk_elasticloadbalancingv2::types::{LoadBalancer, TargetHealthDescription};

use super::{Each, Place};
use crate::domain::ids::Arn;
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::{LoadBalancerState, Target};
use crate::domain::text::Text;

/// IAM's name of the call.
pub const DESCRIBE_LOAD_BALANCERS: &str = "elasticloadbalancing:DescribeLoadBalancers";
/// IAM's name of the call.
pub const DESCRIBE_TARGET_GROUPS: &str = "elasticloadbalancing:DescribeTargetGroups";
/// IAM's name of the call.
pub const DESCRIBE_TARGET_HEALTH: &str = "elasticloadbalancing:DescribeTargetHealth";

/// ARNs that one DescribeLoadBalancers takes.
pub const LOAD_BALANCERS_PER_CALL: usize = 20;

impl Place {
    /// State of at most twenty load balancers.
    ///
    /// AWS refuses the whole call when one of them is gone; the others are then asked one by one.
    pub async fn load_balancers(&self, arns: &[Arn]) -> Each<Arn, LoadBalancerState> {
        match self.describe_load_balancers(arns).await {
            Ok(found) => self.sort_out(arns, &found),
            Err(error) if error.kind == ErrorKind::NotFound && arns.len() > 1 => {
                let singly = arns.iter().map(|arn| async move {
                    let one = std::slice::from_ref(arn);
                    match self.describe_load_balancers(one).await {
                        Ok(found) => self.sort_out(one, &found),
                        Err(error) => vec![(arn.clone(), Err(error))],
                    }
                });
                futures_util::future::join_all(singly).await.into_iter().flatten().collect()
            }
            Err(error) => arns.iter().map(|arn| (arn.clone(), Err(error.clone()))).collect(),
        }
    }

    /// The VPC that a load balancer stands in.
    pub(super) async fn network_of(&self, arn: &Arn) -> Result<Text, ProbeError> {
        let found = self.describe_load_balancers(std::slice::from_ref(arn)).await?;
        let Some(balancer) = found.first() else {
            return Err(self.absent(DESCRIBE_LOAD_BALANCERS, "this load balancer is gone"));
        };
        let network = balancer.vpc_id().filter(|id| !id.is_empty()).map(Text::new);
        network.ok_or_else(|| self.error(ErrorKind::NoData, DESCRIBE_LOAD_BALANCERS, "it tells no VPC"))
    }

    async fn describe_load_balancers(&self, arns: &[Arn]) -> Result<Vec<LoadBalancer>, ProbeError> {
        let client = self.elb().await;
        let wanted = arns.iter().map(|arn| arn.as_str().to_owned()).collect();
        let request = client.describe_load_balancers().set_load_balancer_arns(Some(wanted));
        Ok(self.ask(DESCRIBE_LOAD_BALANCERS, request.send()).await?.load_balancers.unwrap_or_default())
    }

    fn sort_out(&self, arns: &[Arn], found: &[LoadBalancer]) -> Each<Arn, LoadBalancerState> {
        arns.iter()
            .map(|arn| {
                let state = found
                    .iter()
                    .find(|lb| lb.load_balancer_arn() == Some(arn.as_str()))
                    .map(load_balancer_state)
                    .ok_or_else(|| self.absent(DESCRIBE_LOAD_BALANCERS, "this load balancer is gone"));
                (arn.clone(), state)
            })
            .collect()
    }

    /// Every target of a target group.
    pub async fn target_health(&self, group: &Arn) -> Result<Vec<Target>, ProbeError> {
        let client = self.elb().await;
        let request = client.describe_target_health().target_group_arn(group.as_str());
        let answer = self.ask(DESCRIBE_TARGET_HEALTH, request.send()).await?;
        let mut targets: Vec<Target> =
            answer.target_health_descriptions().iter().filter_map(target).collect();
        targets.sort_by(|a, b| (&a.id, a.port).cmp(&(&b.id, b.port)));
        Ok(targets)
    }
}

fn load_balancer_state(lb: &LoadBalancer) -> LoadBalancerState {
    let state = lb.state();
    LoadBalancerState {
        state: state.and_then(|state| state.code()).map(|code| Text::new(code.as_str())).unwrap_or_default(),
        reason: state.and_then(|state| state.reason()).filter(|reason| !reason.is_empty()).map(Text::new),
    }
}

fn target(description: &TargetHealthDescription) -> Option<Target> {
    let target = description.target()?;
    let health = description.target_health();
    Some(Target {
        id: Text::new(target.id().unwrap_or_default()),
        port: target.port(),
        state: health
            .and_then(|health| health.state())
            .map(|state| Text::new(state.as_str()))
            .unwrap_or_default(),
        reason: health.and_then(|health| health.reason()).map(|reason| Text::new(reason.as_str())),
        description: health.and_then(|health| health.description()).map(Text::new),
    })
}
