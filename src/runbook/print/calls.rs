//! The parameters of each operation, in AWS's names.
//!
//! What it is for: one table from which the call, the command line and its JSON form are made.
//! What it must not do: hold a default; what AWS would assume is not printed, and what we send is.

use serde_json::{Value as Json, json};

use super::records;
use crate::runbook::operation::{Operation, Suspended};

/// One call.
pub(super) struct Call {
    /// As IAM names it.
    pub(super) service: &'static str,
    /// As the command line names it.
    pub(super) command: &'static str,
    /// As AWS names it.
    pub(super) operation: &'static str,
    /// In order.
    pub(super) parameters: Vec<Parameter>,
}

/// One parameter.
pub(super) struct Parameter {
    /// As AWS names it.
    pub(super) name: &'static str,
    /// Its value.
    pub(super) value: Value,
}

/// A parameter's value.
pub(super) enum Value {
    Text(String),
    Number(i64),
    Flag(bool),
    Structure(Json),
}

impl Value {
    /// As text: `true`, `7`, JSON.
    pub(super) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Number(number) => number.to_string(),
            Self::Flag(flag) => flag.to_string(),
            Self::Structure(json) => json.to_string(),
        }
    }

    /// As JSON.
    pub(super) fn json(&self) -> Json {
        match self {
            Self::Text(text) => json!(text),
            Self::Number(number) => json!(number),
            Self::Flag(flag) => json!(flag),
            Self::Structure(json) => json.clone(),
        }
    }
}

fn text(name: &'static str, value: &(impl ToString + ?Sized)) -> Parameter {
    Parameter { name, value: Value::Text(value.to_string()) }
}

fn number(name: &'static str, value: impl Into<i64>) -> Parameter {
    Parameter { name, value: Value::Number(value.into()) }
}

fn flag(name: &'static str, value: bool) -> Parameter {
    Parameter { name, value: Value::Flag(value) }
}

fn structure(name: &'static str, value: Json) -> Parameter {
    Parameter { name, value: Value::Structure(value) }
}

fn suspension(suspended: Suspended) -> Json {
    json!({
        "DynamicScalingInSuspended": suspended.scale_in,
        "DynamicScalingOutSuspended": suspended.scale_out,
        "ScheduledScalingSuspended": suspended.scheduled,
    })
}

/// The call of an operation.
pub(super) fn of(operation: &Operation) -> Call {
    let scalable = |service: &crate::domain::ids::ServiceKey| {
        vec![
            text("ServiceNamespace", "ecs"),
            text("ResourceId", &service.resource_id()),
            text("ScalableDimension", "ecs:service:DesiredCount"),
        ]
    };
    let (service, command, name, parameters) = match operation {
        Operation::SetHealthCheck { check, version, inverted, disabled, steers: _ } => (
            "route53",
            "route53",
            "UpdateHealthCheck",
            [text("HealthCheckId", check)]
                .into_iter()
                .chain(version.map(|version| number("HealthCheckVersion", version)))
                .chain([flag("Inverted", *inverted), flag("Disabled", *disabled)])
                .collect(),
        ),
        Operation::ChangeRecords { zone, changes, steers: _ } => (
            "route53",
            "route53",
            "ChangeResourceRecordSets",
            vec![text("HostedZoneId", zone), structure("ChangeBatch", records::batch(changes))],
        ),
        Operation::DeleteHealthCheck { check } => {
            ("route53", "route53", "DeleteHealthCheck", vec![text("HealthCheckId", check)])
        }
        Operation::SetRoutingControls { states, steers: _ } => {
            let entries: Vec<Json> = states
                .iter()
                .map(|(arn, on)| {
                    let state = if *on { "On" } else { "Off" };
                    json!({ "RoutingControlArn": arn.as_str(), "RoutingControlState": state })
                })
                .collect();
            (
                "route53-recovery-cluster",
                "route53-recovery-cluster",
                "UpdateRoutingControlStates",
                vec![structure("UpdateRoutingControlStateEntries", Json::Array(entries))],
            )
        }
        Operation::PutSwitchObject { bucket, key, region: _, steers: _ } => {
            // What counts is that it exists; the few words that are written into it are for people.
            let parameters =
                vec![text("Bucket", bucket), text("Key", key), text("ContentType", "text/plain")];
            ("s3", "s3api", "PutObject", parameters)
        }
        Operation::DeleteSwitchObject { bucket, key, region: _, steers: _ } => {
            ("s3", "s3api", "DeleteObject", vec![text("Bucket", bucket), text("Key", key)])
        }
        Operation::PutSwitchMetric { namespace, name, steers, out, region: _ } => {
            let datum = json!([{
                "MetricName": name,
                "Dimensions": [{ "Name": "Region", "Value": steers.as_str() }],
                "Value": f64::from(u8::from(*out)),
            }]);
            (
                "cloudwatch",
                "cloudwatch",
                "PutMetricData",
                vec![text("Namespace", namespace), structure("MetricData", datum)],
            )
        }
        Operation::RegisterScalableTarget { service, min, max, suspended, region: _ } => {
            let mut parameters = scalable(service);
            parameters.push(number("MinCapacity", *min));
            parameters.extend(max.map(|max| number("MaxCapacity", max)));
            parameters.extend(suspended.map(|seen| structure("SuspendedState", suspension(seen))));
            ("application-autoscaling", "application-autoscaling", "RegisterScalableTarget", parameters)
        }
        Operation::DeregisterScalableTarget { service, region: _ } => (
            "application-autoscaling",
            "application-autoscaling",
            "DeregisterScalableTarget",
            scalable(service),
        ),
        Operation::SetDesired { service, desired, region: _ } => (
            "ecs",
            "ecs",
            "UpdateService",
            vec![
                text("cluster", &service.cluster),
                text("service", &service.service),
                number("desiredCount", *desired),
            ],
        ),
        Operation::Redeploy { service, region: _ } => (
            "ecs",
            "ecs",
            "UpdateService",
            vec![
                text("cluster", &service.cluster),
                text("service", &service.service),
                flag("forceNewDeployment", true),
            ],
        ),
        Operation::DeleteService { service, region: _ } => (
            "ecs",
            "ecs",
            "DeleteService",
            vec![text("cluster", &service.cluster), text("service", &service.service)],
        ),
        Operation::DeregisterTaskDefinition { arn, region: _ } => {
            ("ecs", "ecs", "DeregisterTaskDefinition", vec![text("taskDefinition", arn)])
        }
        Operation::DeleteCluster { cluster, region: _ } => {
            ("ecs", "ecs", "DeleteCluster", vec![text("cluster", cluster)])
        }
        Operation::SwitchoverGlobalCluster { global, target, region: _ } => (
            "rds",
            "rds",
            "SwitchoverGlobalCluster",
            vec![text("GlobalClusterIdentifier", global), text("TargetDbClusterIdentifier", target)],
        ),
        Operation::FailoverGlobalCluster { global, target, region: _ } => (
            "rds",
            "rds",
            "FailoverGlobalCluster",
            vec![
                text("GlobalClusterIdentifier", global),
                text("TargetDbClusterIdentifier", target),
                // Without it the call is a switchover, which a dead primary never completes.
                flag("AllowDataLoss", true),
            ],
        ),
        Operation::RemoveFromGlobalCluster { global, cluster, region: _ } => (
            "rds",
            "rds",
            "RemoveFromGlobalCluster",
            vec![text("GlobalClusterIdentifier", global), text("DbClusterIdentifier", cluster)],
        ),
        Operation::SetGlobalClusterProtection { global, protected, region: _ } => (
            "rds",
            "rds",
            "ModifyGlobalCluster",
            vec![text("GlobalClusterIdentifier", global), flag("DeletionProtection", *protected)],
        ),
        Operation::SetClusterProtection { cluster, protected, region: _ } => (
            "rds",
            "rds",
            "ModifyDBCluster",
            vec![
                text("DBClusterIdentifier", cluster),
                flag("DeletionProtection", *protected),
                flag("ApplyImmediately", true),
            ],
        ),
        Operation::DeleteDbInstance { instance, region: _ } => (
            "rds",
            "rds",
            "DeleteDBInstance",
            vec![text("DBInstanceIdentifier", instance), flag("SkipFinalSnapshot", true)],
        ),
        Operation::DeleteDbCluster { cluster, final_snapshot, region: _ } => (
            "rds",
            "rds",
            "DeleteDBCluster",
            match final_snapshot {
                Some(snapshot) => vec![
                    text("DBClusterIdentifier", cluster),
                    flag("SkipFinalSnapshot", false),
                    text("FinalDBSnapshotIdentifier", snapshot),
                ],
                None => vec![text("DBClusterIdentifier", cluster), flag("SkipFinalSnapshot", true)],
            },
        ),
        Operation::DeleteGlobalCluster { global, region: _ } => {
            ("rds", "rds", "DeleteGlobalCluster", vec![text("GlobalClusterIdentifier", global)])
        }
        Operation::SetTableProtection { table, protected, region: _ } => (
            "dynamodb",
            "dynamodb",
            "UpdateTable",
            vec![text("TableName", table), flag("DeletionProtectionEnabled", *protected)],
        ),
        Operation::DeleteReplica { table, replica, region: _ } => (
            "dynamodb",
            "dynamodb",
            "UpdateTable",
            vec![
                text("TableName", table),
                structure("ReplicaUpdates", json!([{ "Delete": { "RegionName": replica.as_str() } }])),
            ],
        ),
        Operation::DeleteTable { table, region: _ } => {
            ("dynamodb", "dynamodb", "DeleteTable", vec![text("TableName", table)])
        }
        Operation::DeleteAlarms { names, region: _ } => {
            let names: Vec<Json> = names.iter().map(|name| json!(name.as_str())).collect();
            ("cloudwatch", "cloudwatch", "DeleteAlarms", vec![structure("AlarmNames", Json::Array(names))])
        }
        Operation::DeleteTopic { topic, region: _ } => {
            ("sns", "sns", "DeleteTopic", vec![text("TopicArn", topic)])
        }
        Operation::SetLoadBalancerProtection { arn, protected, region: _ } => (
            "elasticloadbalancing",
            "elbv2",
            "ModifyLoadBalancerAttributes",
            vec![
                text("LoadBalancerArn", arn),
                structure(
                    "Attributes",
                    json!([{ "Key": "deletion_protection.enabled", "Value": protected.to_string() }]),
                ),
            ],
        ),
        Operation::DeleteLoadBalancer { arn, region: _ } => {
            ("elasticloadbalancing", "elbv2", "DeleteLoadBalancer", vec![text("LoadBalancerArn", arn)])
        }
        Operation::DeleteTargetGroup { arn, region: _ } => {
            ("elasticloadbalancing", "elbv2", "DeleteTargetGroup", vec![text("TargetGroupArn", arn)])
        }
        Operation::DeleteBucketReplication { bucket, region: _ } => {
            ("s3", "s3api", "DeleteBucketReplication", vec![text("Bucket", bucket)])
        }
        Operation::EmptyBucket { bucket, region: _ } => {
            ("s3", "s3api", "DeleteObjects", vec![text("Bucket", bucket)])
        }
        Operation::DeleteBucket { bucket, region: _ } => {
            ("s3", "s3api", "DeleteBucket", vec![text("Bucket", bucket)])
        }
        Operation::DeleteStack { stack, region: _ } => {
            ("cloudformation", "cloudformation", "DeleteStack", vec![text("StackName", stack)])
        }
    };
    Call { service, command, operation: name, parameters }
}
