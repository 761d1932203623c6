//! Every operation as one call.
//!
//! What it is for: from an approved [`Operation`] to the request that it names, sent once.
//! What it must not do: have an arm for "anything else"; a new operation is led here by the compiler.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};
use aws_sdk_cloudwatch::types::{Dimension, MetricDatum};
use aws_sdk_dynamodb::types::{DeleteReplicationGroupMemberAction, ReplicationGroupUpdate};
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute;
use jiff::SignedDuration;

use super::failure::outcome;
use super::{ATTEMPT, Acting};
use crate::cloud::Place;
use crate::cloud::time::date_time;
use crate::domain::ids::{DbClusterId, ServiceKey};
use crate::domain::metric::floor_minute;
use crate::domain::text::Text;
use crate::runbook::{ActFailure, FailureDomain, Operation, Receipt, Suspended};

/// What a switch object says to who finds it.
const SWITCH_WORDS: &[u8] = b"While this object exists, switchtower keeps a region out of DNS.\n";

/// The attribute that keeps a load balancer from being deleted.
const PROTECTION: &str = "deletion_protection.enabled";

/// What IAM calls the one action of two different updates.
const UPDATE_SERVICE: &str = "ecs:UpdateService";
const UPDATE_TABLE: &str = "dynamodb:UpdateTable";

impl Acting {
    /// Where an operation is sent to.
    fn place_of(&self, operation: &Operation) -> Place {
        match operation.domain() {
            FailureDomain::Global => self.cloud.dns(),
            FailureDomain::Regional(region) => self.cloud.at(&region),
            FailureDomain::DataPlane | FailureDomain::None => self.cloud.at(&operation.region()),
        }
    }

    /// Sends one call, once.
    pub(super) async fn send(&self, operation: &Operation) -> Result<Receipt, ActFailure> {
        let place = &self.place_of(operation);
        let config = place.once(ATTEMPT).await;
        let ecs = || aws_sdk_ecs::Client::new(&config);
        let scaling = || aws_sdk_applicationautoscaling::Client::new(&config);
        let rds = || aws_sdk_rds::Client::new(&config);
        let dynamodb = || aws_sdk_dynamodb::Client::new(&config);
        let elb = || aws_sdk_elasticloadbalancingv2::Client::new(&config);
        let route53 = || {
            self.charge_route53();
            aws_sdk_route53::Client::new(&config)
        };
        macro_rules! call {
            ($call:expr, $request:expr) => {
                outcome(operation, place, $call, $request.send()).await
            };
        }
        match operation {
            Operation::SetHealthCheck { check, steers: _, version, inverted, disabled } => {
                let request = route53()
                    .update_health_check()
                    .health_check_id(check.as_str())
                    .set_health_check_version(*version)
                    .inverted(*inverted)
                    .disabled(*disabled);
                call!("route53:UpdateHealthCheck", request)
            }
            Operation::ChangeRecords { zone, steers: _, changes } => {
                self.change_records(operation, zone, changes).await
            }
            Operation::DeleteHealthCheck { check } => call!(
                "route53:DeleteHealthCheck",
                route53().delete_health_check().health_check_id(check.as_str())
            ),
            Operation::SetRoutingControls { states, steers: _ } => {
                self.set_routing_controls(operation, states).await
            }
            Operation::PutSwitchObject { region: _, bucket, key, steers: _ } => {
                let request = place
                    .s3_once(ATTEMPT)
                    .await
                    .put_object()
                    .bucket(bucket.as_str())
                    .key(key)
                    .content_type("text/plain")
                    .body(SWITCH_WORDS.to_vec().into());
                call!("s3:PutObject", request)
            }
            Operation::DeleteSwitchObject { region: _, bucket, key, steers: _ } => {
                let client = place.s3_once(ATTEMPT).await;
                call!("s3:DeleteObject", client.delete_object().bucket(bucket.as_str()).key(key))
            }
            Operation::PutSwitchMetric { region: _, namespace, name, steers, out } => {
                // The values of one minute are one point, whose maximum counts, and the newest point stands: "back" of
                // the minute that holds an "out" would never be heard. It is therefore a value of the next minute.
                let now = self.aws_now();
                let at = if *out { now } else { floor_minute(now) + SignedDuration::from_mins(1) };
                let datum = MetricDatum::builder()
                    .metric_name(name)
                    .dimensions(Dimension::builder().name("Region").value(steers.as_str()).build())
                    .timestamp(date_time(at))
                    .value(if *out { 1.0 } else { 0.0 })
                    .build();
                let client = aws_sdk_cloudwatch::Client::new(&config);
                call!(
                    "cloudwatch:PutMetricData",
                    client.put_metric_data().namespace(namespace).metric_data(datum)
                )
            }
            Operation::RegisterScalableTarget { region: _, service, min, max, suspended } => {
                let request = scaling()
                    .register_scalable_target()
                    .service_namespace(ServiceNamespace::Ecs)
                    .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                    .resource_id(service.resource_id())
                    .min_capacity(*min)
                    .set_max_capacity(*max)
                    .set_suspended_state(suspended.map(suspension));
                call!("application-autoscaling:RegisterScalableTarget", request)
            }
            Operation::DeregisterScalableTarget { region: _, service } => {
                let request = scaling()
                    .deregister_scalable_target()
                    .service_namespace(ServiceNamespace::Ecs)
                    .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
                    .resource_id(service.resource_id());
                call!("application-autoscaling:DeregisterScalableTarget", request)
            }
            Operation::SetDesired { region: _, service, desired } => {
                call!(UPDATE_SERVICE, update(&ecs(), service).desired_count(*desired))
            }
            Operation::Redeploy { region: _, service } => {
                call!(UPDATE_SERVICE, update(&ecs(), service).force_new_deployment(true))
            }
            Operation::DeleteService { region: _, service } => {
                let request = ecs().delete_service().cluster(service.cluster.as_str());
                call!("ecs:DeleteService", request.service(service.service.as_str()))
            }
            Operation::DeregisterTaskDefinition { region: _, arn } => call!(
                "ecs:DeregisterTaskDefinition",
                ecs().deregister_task_definition().task_definition(arn.as_str())
            ),
            Operation::DeleteCluster { region: _, cluster } => {
                call!("ecs:DeleteCluster", ecs().delete_cluster().cluster(cluster.as_str()))
            }
            Operation::SwitchoverGlobalCluster { region: _, global, target } => {
                let request = rds()
                    .switchover_global_cluster()
                    .global_cluster_identifier(global.as_str())
                    .target_db_cluster_identifier(target.as_str());
                call!("rds:SwitchoverGlobalCluster", request)
            }
            Operation::FailoverGlobalCluster { region: _, global, target } => {
                // Without AllowDataLoss this would be a switchover, which never comes through while the primary
                // is dead.
                let request = rds()
                    .failover_global_cluster()
                    .global_cluster_identifier(global.as_str())
                    .target_db_cluster_identifier(target.as_str())
                    .allow_data_loss(true);
                call!("rds:FailoverGlobalCluster", request)
            }
            Operation::RemoveFromGlobalCluster { region: _, global, cluster } => {
                let request = rds()
                    .remove_from_global_cluster()
                    .global_cluster_identifier(global.as_str())
                    .db_cluster_identifier(cluster.as_str());
                call!("rds:RemoveFromGlobalCluster", request)
            }
            Operation::SetGlobalClusterProtection { region: _, global, protected } => {
                let request = rds()
                    .modify_global_cluster()
                    .global_cluster_identifier(global.as_str())
                    .deletion_protection(*protected);
                call!("rds:ModifyGlobalCluster", request)
            }
            Operation::SetClusterProtection { region: _, cluster, protected } => {
                let request = rds()
                    .modify_db_cluster()
                    .db_cluster_identifier(cluster.as_str())
                    .deletion_protection(*protected)
                    .apply_immediately(true);
                call!("rds:ModifyDBCluster", request)
            }
            Operation::DeleteDbInstance { region: _, instance } => {
                let request = rds().delete_db_instance().db_instance_identifier(instance.as_str());
                call!("rds:DeleteDBInstance", request.skip_final_snapshot(true))
            }
            Operation::DeleteDbCluster { region: _, cluster, final_snapshot } => {
                let request = delete_cluster(&rds(), cluster, final_snapshot.as_ref());
                call!("rds:DeleteDBCluster", request)
            }
            Operation::DeleteGlobalCluster { region: _, global } => call!(
                "rds:DeleteGlobalCluster",
                rds().delete_global_cluster().global_cluster_identifier(global.as_str())
            ),
            Operation::SetTableProtection { region: _, table, protected } => {
                let request = dynamodb().update_table().table_name(table.as_str());
                call!(UPDATE_TABLE, request.deletion_protection_enabled(*protected))
            }
            Operation::DeleteReplica { region: _, table, replica } => {
                let delete = DeleteReplicationGroupMemberAction::builder().region_name(replica.as_str());
                let delete =
                    delete.build().map_err(|error| ActFailure::Refused { why: error.to_string().into() })?;
                let request = dynamodb()
                    .update_table()
                    .table_name(table.as_str())
                    .replica_updates(ReplicationGroupUpdate::builder().delete(delete).build());
                call!(UPDATE_TABLE, request)
            }
            Operation::DeleteTable { region: _, table } => {
                call!("dynamodb:DeleteTable", dynamodb().delete_table().table_name(table.as_str()))
            }
            Operation::DeleteAlarms { region: _, names } => {
                let names = names.iter().map(|name| name.as_str().to_owned()).collect();
                let client = aws_sdk_cloudwatch::Client::new(&config);
                call!("cloudwatch:DeleteAlarms", client.delete_alarms().set_alarm_names(Some(names)))
            }
            Operation::DeleteTopic { region: _, topic } => {
                let client = aws_sdk_sns::Client::new(&config);
                call!("sns:DeleteTopic", client.delete_topic().topic_arn(topic.as_str()))
            }
            Operation::SetLoadBalancerProtection { region: _, arn, protected } => {
                let attribute =
                    LoadBalancerAttribute::builder().key(PROTECTION).value(protected.to_string()).build();
                let request = elb().modify_load_balancer_attributes().load_balancer_arn(arn.as_str());
                call!("elasticloadbalancing:ModifyLoadBalancerAttributes", request.attributes(attribute))
            }
            Operation::DeleteLoadBalancer { region: _, arn } => call!(
                "elasticloadbalancing:DeleteLoadBalancer",
                elb().delete_load_balancer().load_balancer_arn(arn.as_str())
            ),
            Operation::DeleteTargetGroup { region: _, arn } => call!(
                "elasticloadbalancing:DeleteTargetGroup",
                elb().delete_target_group().target_group_arn(arn.as_str())
            ),
            Operation::DeleteBucketReplication { region: _, bucket } => {
                let client = place.s3_once(ATTEMPT).await;
                call!(
                    "s3:DeleteBucketReplication",
                    client.delete_bucket_replication().bucket(bucket.as_str())
                )
            }
            Operation::EmptyBucket { region: _, bucket } => self.empty_bucket(operation, place, bucket).await,
            Operation::DeleteBucket { region: _, bucket } => {
                let client = place.s3_once(ATTEMPT).await;
                call!("s3:DeleteBucket", client.delete_bucket().bucket(bucket.as_str()))
            }
            Operation::DeleteStack { region: _, stack } => {
                let client = aws_sdk_cloudformation::Client::new(&config);
                call!("cloudformation:DeleteStack", client.delete_stack().stack_name(stack.as_str()))
            }
        }
    }
}

fn suspension(suspended: Suspended) -> SuspendedState {
    SuspendedState::builder()
        .dynamic_scaling_in_suspended(suspended.scale_in)
        .dynamic_scaling_out_suspended(suspended.scale_out)
        .scheduled_scaling_suspended(suspended.scheduled)
        .build()
}

fn update(
    client: &aws_sdk_ecs::Client,
    service: &ServiceKey,
) -> aws_sdk_ecs::operation::update_service::builders::UpdateServiceFluentBuilder {
    client.update_service().cluster(service.cluster.as_str()).service(service.service.as_str())
}

fn delete_cluster(
    client: &aws_sdk_rds::Client,
    cluster: &DbClusterId,
    snapshot: Option<&Text>,
) -> aws_sdk_rds::operation::delete_db_cluster::builders::DeleteDBClusterFluentBuilder {
    client
        .delete_db_cluster()
        .db_cluster_identifier(cluster.as_str())
        .skip_final_snapshot(snapshot.is_none())
        .set_final_db_snapshot_identifier(snapshot.map(ToString::to_string))
}
