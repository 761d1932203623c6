//! A bucket's contents, removed.
//!
//! What it is for: deleting every version, every delete marker and every unfinished upload, page by page.
//! What it must not do: delete the bucket.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};

use super::failure::{failure, outcome};
use super::{ATTEMPT, Acting};
use crate::cloud::Place;
use crate::domain::ids::BucketName;
use crate::runbook::{ActFailure, Operation, Receipt};

const LIST_VERSIONS: &str = "s3:ListBucketVersions";
const DELETE_OBJECTS: &str = "s3:DeleteObjectVersion";
const LIST_UPLOADS: &str = "s3:ListBucketMultipartUploads";
const ABORT_UPLOAD: &str = "s3:AbortMultipartUpload";

impl Acting {
    /// Deletes what lies in a bucket until nothing is left. It is many calls, and stopping between any two of
    /// them leaves a bucket that is emptier than before.
    pub(super) async fn empty_bucket(
        &self,
        operation: &Operation,
        place: &Place,
        bucket: &BucketName,
    ) -> Result<Receipt, ActFailure> {
        let client = place.s3_once(ATTEMPT).await;
        let mut receipt = Receipt::default();
        loop {
            let listing = client.list_object_versions().bucket(bucket.as_str()).max_keys(1_000).send();
            let page =
                Box::pin(listing).await.map_err(|error| failure(operation, place, LIST_VERSIONS, &error))?;
            let versions = page.versions().iter().map(|version| (version.key(), version.version_id()));
            let markers = page.delete_markers().iter().map(|marker| (marker.key(), marker.version_id()));
            let objects: Vec<ObjectIdentifier> = versions
                .chain(markers)
                .filter_map(|(key, version)| {
                    let version = version.map(str::to_owned);
                    ObjectIdentifier::builder().key(key?).set_version_id(version).build().ok()
                })
                .collect();
            if objects.is_empty() {
                break;
            }
            let delete = Delete::builder().set_objects(Some(objects)).quiet(true).build();
            let delete = delete.map_err(|error| ActFailure::Refused { why: error.to_string().into() })?;
            let request = client.delete_objects().bucket(bucket.as_str()).delete(delete);
            let answer = Box::pin(request.send())
                .await
                .map_err(|error| failure(operation, place, DELETE_OBJECTS, &error))?;
            receipt.request_id = aws_types::request_id::RequestId::request_id(&answer).map(Into::into);
            // Accepted as a whole and refused one by one: an object lock, for example.
            if let Some(kept) = answer.errors().first() {
                let (key, code) = (kept.key().unwrap_or_default(), kept.code().unwrap_or_default());
                let words = kept.message().unwrap_or_default();
                let why =
                    format!("{DELETE_OBJECTS} in {}: {key} of {bucket}: {code}: {words}", place.region());
                return Err(match code {
                    "SlowDown" | "InternalError" => ActFailure::Busy { why: why.into() },
                    _ => ActFailure::Refused { why: why.into() },
                });
            }
        }
        loop {
            let listing = client.list_multipart_uploads().bucket(bucket.as_str()).send();
            let page =
                Box::pin(listing).await.map_err(|error| failure(operation, place, LIST_UPLOADS, &error))?;
            if page.uploads().is_empty() {
                return Ok(receipt);
            }
            for upload in page.uploads() {
                let request = client
                    .abort_multipart_upload()
                    .bucket(bucket.as_str())
                    .set_key(upload.key().map(str::to_owned))
                    .set_upload_id(upload.upload_id().map(str::to_owned));
                outcome(operation, place, ABORT_UPLOAD, request.send()).await?;
            }
        }
    }
}
