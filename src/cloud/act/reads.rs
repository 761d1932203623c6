//! Reads that only runbooks make.
//!
//! What it is for: attributes, tags, quotas, and whether a thing still exists.
//! What it must not do: tell a thing that is gone from one that could not be asked by anything but AWS's word.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use aws_sdk_cloudformation::types::Stack;
use aws_sdk_elasticloadbalancingv2::types::TagDescription;
use aws_sdk_rds::types::{DbClusterMember, DbInstance, Filter};
use aws_sdk_route53::types::{ResourceTagSet, TagResourceType};
use jiff::Timestamp;

use crate::cloud::elb::DESCRIBE_TARGET_GROUPS;
use crate::cloud::rds::DESCRIBE_DB_CLUSTERS;
use crate::cloud::time::{date_time, stamp};
use crate::cloud::{Budget, Place};
use crate::domain::ids::{Arn, BucketName, ClusterName, DbClusterId, GlobalClusterId};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;
use crate::runbook::{Known, RdsEvent};

pub(super) const HEAD_OBJECT: &str = "s3:HeadObject";
pub(super) const LIST_VERSIONS: &str = "s3:ListObjectVersions";
pub(super) const LB_ATTRIBUTES: &str = "elasticloadbalancing:DescribeLoadBalancerAttributes";
pub(super) const DESCRIBE_DB_INSTANCES: &str = "rds:DescribeDBInstances";
pub(super) const DESCRIBE_BLUE_GREEN: &str = "rds:DescribeBlueGreenDeployments";
pub(super) const DESCRIBE_EVENTS: &str = "rds:DescribeEvents";
pub(super) const DESCRIBE_TASK_DEFINITION: &str = "ecs:DescribeTaskDefinition";
pub(super) const DESCRIBE_CLUSTERS: &str = "ecs:DescribeClusters";
pub(super) const GET_SERVICE_QUOTA: &str = "servicequotas:GetServiceQuota";
pub(super) const DESCRIBE_STACKS: &str = "cloudformation:DescribeStacks";

/// The call differs from service to service.
pub(super) const TAGS: &str = "tags";

/// As is this one.
pub(super) const PROTECTION: &str = "deletion protection";

/// "Fargate On-Demand vCPU resource count".
const FARGATE_VCPUS: &str = "L-3032A538";

impl Place {
    /// Whether an object exists.
    pub(super) async fn object_exists(&self, bucket: &BucketName, key: &str) -> Result<bool, ProbeError> {
        let client = self.s3().await;
        match self.ask(HEAD_OBJECT, client.head_object().bucket(bucket.as_str()).key(key).send()).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// How many versions and delete markers the first page of a bucket holds.
    pub(super) async fn bucket_versions(&self, bucket: &BucketName) -> Result<usize, ProbeError> {
        let client = self.s3().await;
        let request = client.list_object_versions().bucket(bucket.as_str()).max_keys(1_000);
        let page = self.ask(LIST_VERSIONS, request.send()).await?;
        Ok(page.versions().len() + page.delete_markers().len())
    }

    async fn balancer_attribute(&self, arn: &Arn, key: &str) -> Result<Option<String>, ProbeError> {
        let client = self.elb().await;
        let request = client.describe_load_balancer_attributes().load_balancer_arn(arn.as_str());
        let answer = self.ask(LB_ATTRIBUTES, request.send()).await?;
        let found = answer.attributes().iter().find(|attribute| attribute.key() == Some(key));
        Ok(found.and_then(|attribute| attribute.value()).map(str::to_owned))
    }

    /// How long a load balancer keeps a client's idle connection usable, seconds.
    pub(super) async fn keep_alive(&self, arn: &Arn) -> Result<f64, ProbeError> {
        let told = self.balancer_attribute(arn, "client_keep_alive.seconds").await?;
        told.and_then(|told| told.parse().ok())
            .ok_or_else(|| self.error(ErrorKind::NoData, LB_ATTRIBUTES, "it tells no client keep-alive"))
    }

    /// Whether a load balancer is protected from deletion; a target group never is, but must exist.
    pub(super) async fn balancer_protected(&self, arn: &Arn) -> Result<bool, ProbeError> {
        if !arn.resource().is_some_and(|resource| resource.starts_with("targetgroup/")) {
            let told = self.balancer_attribute(arn, "deletion_protection.enabled").await?;
            return Ok(told.as_deref() == Some("true"));
        }
        let client = self.elb().await;
        let request = client.describe_target_groups().target_group_arns(arn.as_str());
        let answer = self.ask(DESCRIBE_TARGET_GROUPS, request.send()).await?;
        if answer.target_groups().is_empty() {
            return Err(self.absent(DESCRIBE_TARGET_GROUPS, "this target group is gone"));
        }
        Ok(false)
    }

    /// Whether a table, a global cluster or a regional one is protected from deletion, by its ARN.
    pub(super) async fn deletion_protection(&self, arn: &Arn) -> Result<bool, ProbeError> {
        let (resource, name) = (arn.resource().unwrap_or_default(), arn.short_name());
        if resource.starts_with("table/") {
            return self.table(&name.into()).await.map(|table| table.deletion_protection);
        }
        if resource.starts_with("global-cluster:") {
            return self.global_cluster(&name.into()).await.map(|global| global.deletion_protection);
        }
        let request = self.rds().await.describe_db_clusters().db_cluster_identifier(name);
        let answer = self.ask(DESCRIBE_DB_CLUSTERS, request.send()).await?;
        match answer.db_clusters().first() {
            Some(cluster) => Ok(cluster.deletion_protection().unwrap_or(false)),
            None => Err(self.absent(DESCRIBE_DB_CLUSTERS, "this cluster is gone")),
        }
    }

    /// Identifiers of a cluster's instances: readers first, then the one that would be promoted, the writer last. Where its
    /// members are not told their order is by name.
    pub(super) async fn db_instances(&self, cluster: &DbClusterId) -> Result<Vec<Text>, ProbeError> {
        let client = self.rds().await;
        let request = client.describe_db_clusters().db_cluster_identifier(cluster.as_str());
        let (instances, told) =
            tokio::join!(self.instances(cluster), self.ask(DESCRIBE_DB_CLUSTERS, request.send()));
        let members: Vec<DbClusterMember> = told
            .ok()
            .into_iter()
            .flat_map(|answer| answer.db_clusters.unwrap_or_default())
            .flat_map(|cluster| cluster.db_cluster_members.unwrap_or_default())
            .collect();
        let rank = |name: &Text| {
            let member = members.iter().find(|one| one.db_instance_identifier() == Some(name.as_str()));
            let writes = member.and_then(DbClusterMember::is_cluster_writer).unwrap_or(false);
            // The lowest tier is promoted first.
            (writes, Reverse(member.and_then(DbClusterMember::promotion_tier).unwrap_or(i32::MAX)))
        };
        let names = instances?.into_iter().filter_map(|instance| instance.db_instance_identifier);
        let mut names: Vec<Text> = names.map(Text::new).collect();
        names.sort_by_key(|name| (rank(name), Reverse(name.clone())));
        Ok(names)
    }

    /// How many instances of a cluster could serve now.
    pub(super) async fn available_instances(&self, cluster: &DbClusterId) -> Result<usize, ProbeError> {
        let instances = self.instances(cluster).await?;
        let available = |one: &&DbInstance| one.db_instance_status() == Some("available");
        Ok(instances.iter().filter(available).count())
    }

    async fn instances(&self, cluster: &DbClusterId) -> Result<Vec<DbInstance>, ProbeError> {
        let client = self.rds().await;
        let filter = Filter::builder().name("db-cluster-id").values(cluster.as_str()).build();
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let request = client.describe_db_instances().filters(filter.clone()).set_marker(marker);
            let answer = self.ask(DESCRIBE_DB_INSTANCES, request.send()).await?;
            found.extend(answer.db_instances.unwrap_or_default());
            marker = answer.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                return Ok(found);
            }
        }
    }

    /// Whether a blue/green deployment of a cluster or of its global cluster is under way: one that has switched over is
    /// only waiting to be deleted.
    pub(super) async fn blue_green(
        &self,
        cluster: &DbClusterId,
        global: &GlobalClusterId,
    ) -> Result<bool, ProbeError> {
        let client = self.rds().await;
        let ends = [format!(":cluster:{cluster}"), format!(":global-cluster:{global}")];
        let ours = |arn: Option<&str>| {
            arn.is_some_and(|arn| ends.iter().any(|end| arn.to_lowercase().ends_with(&end.to_lowercase())))
        };
        let mut marker = None;
        loop {
            let request = client.describe_blue_green_deployments().set_marker(marker);
            let answer = self.ask(DESCRIBE_BLUE_GREEN, request.send()).await?;
            let under_way = answer.blue_green_deployments().iter().any(|one| {
                one.status() != Some("SWITCHOVER_COMPLETED") && (ours(one.source()) || ours(one.target()))
            });
            marker = answer.marker.filter(|marker| !marker.is_empty());
            if under_way || marker.is_none() {
                return Ok(under_way);
            }
        }
    }

    /// What RDS tells since a moment, oldest first. Of clusters and instances together: which of them tells what AWS has
    /// changed before.
    pub(super) async fn rds_events(&self, since: Timestamp) -> Result<Vec<RdsEvent>, ProbeError> {
        let client = self.rds().await;
        let since = date_time(since);
        let mut found = Vec::new();
        let mut marker = None;
        loop {
            let request = client.describe_events().start_time(since).set_marker(marker);
            let answer = self.ask(DESCRIBE_EVENTS, request.send()).await?;
            found.extend(answer.events().iter().filter_map(|event| {
                Some(RdsEvent {
                    at: event.date().and_then(stamp)?,
                    source: event.source_identifier().unwrap_or_default().into(),
                    words: event.message()?.into(),
                })
            }));
            marker = answer.marker.filter(|marker| !marker.is_empty());
            if marker.is_none() {
                found.sort_by_key(|event| event.at);
                return Ok(found);
            }
        }
    }

    /// Whether an instance is there, in whatever state.
    pub(super) async fn db_instance(&self, instance: &Text) -> Result<Known, ProbeError> {
        let request = self.rds().await.describe_db_instances().db_instance_identifier(instance.as_str());
        let answer = self.ask(DESCRIBE_DB_INSTANCES, request.send()).await?;
        Ok(if answer.db_instances().is_empty() { Known::Absent } else { Known::Present })
    }

    /// Whether a cluster is there and in use.
    pub(super) async fn cluster_active(&self, cluster: &ClusterName) -> Result<Known, ProbeError> {
        let client = self.ecs().await;
        let answer =
            self.ask(DESCRIBE_CLUSTERS, client.describe_clusters().clusters(cluster.as_str()).send()).await?;
        let state = answer.clusters().first().and_then(|cluster| cluster.status());
        Ok(if matches!(state, None | Some("INACTIVE")) { Known::Absent } else { Known::Present })
    }

    /// How many Fargate vCPUs the account may use here.
    pub(super) async fn vcpu_quota(&self) -> Result<f64, ProbeError> {
        let client = self.quotas().await;
        let request = client.get_service_quota().service_code("fargate").quota_code(FARGATE_VCPUS);
        let answer = self.ask(GET_SERVICE_QUOTA, request.send()).await?;
        let value = answer.quota().and_then(aws_sdk_servicequotas::types::ServiceQuota::value);
        value.ok_or_else(|| self.error(ErrorKind::Malformed, GET_SERVICE_QUOTA, "no value in the answer"))
    }

    /// Status of a stack. One that has been deleted answers under its id for months, and is gone all the same.
    pub(super) async fn stack_status(&self, stack: &Text) -> Result<Known, ProbeError> {
        let client = self.stacks().await;
        let request = client.describe_stacks().stack_name(stack.as_str());
        let answer = match self.ask(DESCRIBE_STACKS, request.send()).await {
            Ok(answer) => answer,
            Err(error) if error.message.as_str().ends_with("does not exist") => return Ok(Known::Absent),
            Err(error) => return Err(error),
        };
        let found = answer.stacks().first();
        let status = found.and_then(|stack| stack.stack_status());
        let reason = found.and_then(|stack| stack.stack_status_reason()).unwrap_or_default();
        Ok(match status.map(aws_sdk_cloudformation::types::StackStatus::as_str) {
            None | Some("DELETE_COMPLETE") => Known::Absent,
            // The reason names what could not be deleted, which is where the operator has to look.
            Some(status @ "DELETE_FAILED") if !reason.is_empty() => {
                Known::Word(format!("{status}: {reason}").into())
            }
            Some(status) => Known::Word(status.into()),
        })
    }

    /// Tags of a resource, by the service that its ARN names.
    pub(super) async fn tags(
        &self,
        budget: &Budget,
        arn: &Arn,
    ) -> Result<BTreeMap<String, String>, ProbeError> {
        macro_rules! pairs {
            ($tags:expr, $key:ident, $value:ident) => {
                $tags
                    .iter()
                    .filter_map(|tag| Some((tag.$key()?.to_owned(), tag.$value()?.to_owned())))
                    .collect()
            };
        }
        macro_rules! whole {
            ($tags:expr) => {
                $tags.iter().map(|tag| (tag.key().to_owned(), tag.value().to_owned())).collect()
            };
        }
        let name = arn.as_str();
        Ok(match service_of(arn) {
            "elasticloadbalancing" => {
                let request = self.elb().await.describe_tags().resource_arns(name);
                let answer = self.ask("elasticloadbalancing:DescribeTags", request.send()).await?;
                let tags = answer.tag_descriptions().iter().flat_map(TagDescription::tags);
                tags.filter_map(|tag| {
                    Some((tag.key()?.to_owned(), tag.value().unwrap_or_default().to_owned()))
                })
                .collect()
            }
            "ecs" => {
                let request = self.ecs().await.list_tags_for_resource().resource_arn(name);
                pairs!(self.ask("ecs:ListTagsForResource", request.send()).await?.tags(), key, value)
            }
            "rds" => {
                let request = self.rds().await.list_tags_for_resource().resource_name(name);
                pairs!(self.ask("rds:ListTagsForResource", request.send()).await?.tag_list(), key, value)
            }
            "dynamodb" => {
                let request = self.dynamodb().await.list_tags_of_resource().resource_arn(name);
                whole!(self.ask("dynamodb:ListTagsOfResource", request.send()).await?.tags())
            }
            "sns" => {
                let request = self.sns().await.list_tags_for_resource().resource_arn(name);
                whole!(self.ask("sns:ListTagsForResource", request.send()).await?.tags())
            }
            "cloudwatch" => {
                let request = self.cloudwatch().await.list_tags_for_resource().resource_arn(name);
                pairs!(self.ask("cloudwatch:ListTagsForResource", request.send()).await?.tags(), key, value)
            }
            "s3" => {
                let request = self.s3().await.get_bucket_tagging().bucket(arn.short_name());
                match self.ask("s3:GetBucketTagging", request.send()).await {
                    Ok(answer) => whole!(answer.tag_set()),
                    // The bucket is there and says that it has none.
                    Err(error) if error.message.as_str().starts_with("NoSuchTagSet") => BTreeMap::new(),
                    Err(error) => return Err(error),
                }
            }
            "route53" => {
                let check = arn.resource().is_some_and(|resource| resource.starts_with("healthcheck/"));
                let kind = if check { TagResourceType::Healthcheck } else { TagResourceType::Hostedzone };
                let request = self.route53().await.list_tags_for_resource();
                let request = request.resource_type(kind).resource_id(arn.short_name());
                let answer = self.ask_route53(budget, "route53:ListTagsForResource", request.send()).await?;
                let tags = answer.resource_tag_set().map(ResourceTagSet::tags).unwrap_or_default();
                pairs!(tags, key, value)
            }
            "cloudformation" => {
                // Asked by its name: an ARN without the stack's own id is none, and a topology holds names.
                let stack = arn.resource().and_then(|resource| resource.split('/').nth(1)).unwrap_or(name);
                let request = self.stacks().await.describe_stacks().stack_name(stack);
                let answer = self.ask(DESCRIBE_STACKS, request.send()).await?;
                pairs!(answer.stacks().iter().flat_map(Stack::tags).collect::<Vec<_>>(), key, value)
            }
            other => {
                let words = format!("tags of {other} are not read by this program");
                return Err(self.error(ErrorKind::NotConfigured, TAGS, words));
            }
        })
    }
}

/// The service field of an ARN.
pub(super) fn service_of(arn: &Arn) -> &str {
    arn.as_str().split(':').nth(2).unwrap_or_default()
}
