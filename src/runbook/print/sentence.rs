//! An operation in a few words.
//!
//! What it is for: step lists and the questions of a script.
//! What it must not do: say what was before; plans say that.

use crate::domain::ids::AlarmName;
use crate::domain::text::Text;
use crate::runbook::condition::{flags, record, suspension};
use crate::runbook::operation::{Operation, RecordAction};

impl Operation {
    /// What it does, in a few words: `make health check hc-us inverted and disabled`.
    pub fn sentence(&self) -> String {
        let protection = |protected: bool| if protected { "protect" } else { "lift the protection of" };
        match self {
            Self::SetHealthCheck { check, inverted, disabled, .. } => {
                format!("make health check {check} {}", flags(*inverted, *disabled))
            }
            Self::ChangeRecords { changes, .. } => changes
                .iter()
                .map(|change| {
                    let verb = match change.action {
                        RecordAction::Delete => "delete",
                        RecordAction::Upsert => "write",
                    };
                    let set = &change.record;
                    let identifier = set.set_identifier.as_ref().map(Text::as_str);
                    format!("{verb} {}", record(set.name.as_str(), set.record_type.as_str(), identifier))
                })
                .collect::<Vec<_>>()
                .join(", "),
            Self::DeleteHealthCheck { check } => format!("delete health check {check}"),
            Self::SetRoutingControls { states, .. } => states
                .iter()
                .map(|(arn, on)| {
                    format!("turn routing control {} {}", arn.short_name(), if *on { "on" } else { "off" })
                })
                .collect::<Vec<_>>()
                .join(", "),
            Self::PutSwitchObject { bucket, key, .. } => format!("put switch object s3://{bucket}/{key}"),
            Self::DeleteSwitchObject { bucket, key, .. } => {
                format!("delete switch object s3://{bucket}/{key}")
            }
            Self::PutSwitchMetric { namespace, name, steers, out, .. } => {
                format!("set switch metric {namespace}/{name} of {steers} to {}", u8::from(*out))
            }
            Self::RegisterScalableTarget { service, min, max, suspended, .. } => {
                let suspended = suspended.map(|seen| format!(", {}", suspension(seen))).unwrap_or_default();
                match max {
                    Some(max) => format!("let {service} scale between {min} and {max}{suspended}"),
                    None => format!("let {service} scale from {min}{suspended}"),
                }
            }
            Self::DeregisterScalableTarget { service, .. } => {
                format!("deregister the scalable target of {service}")
            }
            Self::SetDesired { service, desired, .. } => {
                format!("set desired tasks of {service} to {desired}")
            }
            Self::Redeploy { service, .. } => format!("replace the tasks of {service}"),
            Self::DeleteService { service, .. } => format!("delete service {service}"),
            Self::DeregisterTaskDefinition { arn, .. } => {
                format!("deregister task definition {}", arn.resource().unwrap_or(arn.as_str()))
            }
            Self::DeleteCluster { cluster, .. } => format!("delete ECS cluster {cluster}"),
            Self::SwitchoverGlobalCluster { global, target, .. } => {
                format!("switch {global} over to {}", target.short_name())
            }
            Self::FailoverGlobalCluster { global, target, .. } => {
                format!("fail {global} over to {}, data loss allowed", target.short_name())
            }
            Self::RemoveFromGlobalCluster { global, cluster, .. } => {
                format!("remove {} from {global}", cluster.short_name())
            }
            Self::SetGlobalClusterProtection { global, protected, .. } => {
                format!("{} global cluster {global}", protection(*protected))
            }
            Self::SetClusterProtection { cluster, protected, .. } => {
                format!("{} cluster {cluster}", protection(*protected))
            }
            Self::DeleteDbInstance { instance, .. } => format!("delete database instance {instance}"),
            Self::DeleteDbCluster { cluster, final_snapshot, .. } => match final_snapshot {
                Some(snapshot) => format!("delete cluster {cluster}, final snapshot {snapshot}"),
                None => format!("delete cluster {cluster} without a final snapshot"),
            },
            Self::DeleteGlobalCluster { global, .. } => format!("delete global cluster {global}"),
            Self::SetTableProtection { table, protected, .. } => {
                format!("{} table {table}", protection(*protected))
            }
            Self::DeleteReplica { table, replica, .. } => {
                format!("delete the replica of {table} in {replica}")
            }
            Self::DeleteTable { table, .. } => format!("delete table {table}"),
            Self::DeleteAlarms { names, .. } => {
                let names: Vec<&str> = names.iter().map(AlarmName::as_str).collect();
                format!("delete alarms {}", names.join(", "))
            }
            Self::DeleteTopic { topic, .. } => format!("delete topic {}", topic.short_name()),
            Self::SetLoadBalancerProtection { arn, protected, .. } => {
                format!("{} load balancer {}", protection(*protected), named(arn.as_str()))
            }
            Self::DeleteLoadBalancer { arn, .. } => format!("delete load balancer {}", named(arn.as_str())),
            Self::DeleteTargetGroup { arn, .. } => format!("delete target group {}", named(arn.as_str())),
            Self::DeleteBucketReplication { bucket, .. } => {
                format!("stop the replication of bucket {bucket}")
            }
            Self::EmptyBucket { bucket, .. } => format!("delete everything in bucket {bucket}, all versions"),
            Self::DeleteBucket { bucket, .. } => format!("delete bucket {bucket}"),
            Self::DeleteStack { stack, .. } => format!("delete CloudFormation stack {stack}"),
        }
    }
}

/// `…/app/prod-us/50dc…` is called `prod-us`.
fn named(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}
