//! S3: replication between buckets.
//!
//! What it is for: the replication rules of a bucket. What it must not do: read or write objects.

use aws_sdk_s3::types::{MetricsStatus, ReplicationConfiguration, ReplicationTimeStatus};

use super::Place;
use crate::domain::ids::BucketName;
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::ReplicationRule;
use crate::domain::text::Text;

/// The call; IAM calls its action `s3:GetReplicationConfiguration`.
pub const GET_BUCKET_REPLICATION: &str = "s3:GetBucketReplication";

impl Place {
    /// The replication rules of a bucket; none when it has no configuration.
    pub async fn bucket_replication(&self, bucket: &BucketName) -> Result<Vec<ReplicationRule>, ProbeError> {
        let client = self.s3().await;
        let request = client.get_bucket_replication().bucket(bucket.as_str());
        let answer = match self.ask(GET_BUCKET_REPLICATION, request.send()).await {
            Ok(answer) => answer,
            // The bucket is there and says that it replicates nothing: an answer, not a failure.
            Err(error)
                if error.kind == ErrorKind::NotFound
                    && error.message.as_str().starts_with("ReplicationConfigurationNotFound") =>
            {
                return Ok(Vec::new());
            }
            Err(error) if error.kind == ErrorKind::Denied => {
                let told = error
                    .next_step
                    .as_str()
                    .replace(GET_BUCKET_REPLICATION, "s3:GetReplicationConfiguration");
                return Err(ProbeError { next_step: Text::new(told), ..error });
            }
            Err(error) => return Err(error),
        };
        let rules = answer.replication_configuration().map(ReplicationConfiguration::rules);
        Ok(rules
            .unwrap_or_default()
            .iter()
            .filter_map(|rule| {
                let destination = rule.destination()?;
                let metrics = destination.metrics().is_some_and(|m| m.status() == &MetricsStatus::Enabled);
                let timed = destination
                    .replication_time()
                    .is_some_and(|time| time.status() == &ReplicationTimeStatus::Enabled);
                Some(ReplicationRule {
                    id: Text::new(rule.id().unwrap_or_default()),
                    status: Text::new(rule.status().as_str()),
                    destination: BucketName::new(bucket_of(destination.bucket())),
                    metrics: metrics || timed,
                })
            })
            .collect())
    }
}

/// `arn:aws:s3:::name` gives the name.
pub(super) fn bucket_of(arn: &str) -> &str {
    arn.rsplit(':').next().unwrap_or(arn)
}
