//! S3, the calls that empty and delete: replication first, then every version and delete marker, then the bucket.

use super::s3::{NAMESPACE, parameter, reply};
use crate::sim::call::{Call, Fault, Reply};
use crate::sim::wire::tree;
use crate::sim::wire::xml::{Xml, time};
use crate::sim::world::fleet::Site;
use crate::sim::world::removal::Thing;
use crate::sim::world::stores::VERSIONS;
use crate::sim::world::{World, noise};

/// Versions of one page, and objects of one DeleteObjects.
const MOST: usize = 1_000;

/// The operations of this file.
pub(super) fn known(operation: &str) -> bool {
    matches!(
        operation,
        "DeleteBucketReplication"
            | "DeleteBucket"
            | "ListObjectVersions"
            | "DeleteObjects"
            | "ListMultipartUploads"
            | "GetBucketTagging"
    )
}

/// Key, version and whether it is a delete marker: of every object two versions and, newest, a marker on the second.
fn version(world: &World, site: &Site, number: usize) -> (String, String, bool) {
    let id = noise::hex(world.seed, &format!("version/{}/{number}", site.bucket), 32);
    (format!("orders/{:05}.json", number / 3), id, number % 3 == 0)
}

/// Answers what is asked of a site's bucket.
pub(super) fn answer(world: &World, call: &Call, operation: &str, site: &Site) -> Result<Reply, Fault> {
    let nothing = |status: u16| {
        let mut reply = reply(operation, &Xml::new());
        reply.status = status;
        reply.body.clear();
        reply.headers.clear();
        reply
    };
    match operation {
        "DeleteBucketReplication" => {
            world.remove(call.served, Thing::Replication(site.index), 0.0);
            Ok(nothing(204))
        }
        "DeleteBucket" => {
            if world.stores.versions(&site.bucket).next().is_some() {
                return Err(Fault::with_status(
                    409,
                    "BucketNotEmpty",
                    "The bucket you tried to delete is not empty. You must delete all versions in the bucket.",
                ));
            }
            world.remove(call.served, Thing::Bucket(site.index), 0.0);
            Ok(nothing(204))
        }
        "ListObjectVersions" => Ok(reply(operation, &list(world, call, site))),
        "DeleteObjects" => Ok(reply(operation, &delete(world, call, site)?)),
        "GetBucketTagging" => {
            let mut body = Xml::new();
            body.with("Tagging", NAMESPACE, |xml| {
                let tags = world.tags(&format!("arn:aws:s3:::{}", site.bucket));
                xml.list("TagSet", "Tag", tags, |xml, (key, value)| {
                    xml.leaf("Key", key).leaf("Value", value);
                });
            });
            Ok(reply(operation, &body))
        }
        _ => {
            let mut body = Xml::new();
            body.with("ListMultipartUploadsResult", NAMESPACE, |xml| {
                xml.leaf("Bucket", &site.bucket).leaf("MaxUploads", MOST).leaf("IsTruncated", false);
            });
            Ok(reply(operation, &body))
        }
    }
}

fn list(world: &World, call: &Call, site: &Site) -> Xml {
    let most =
        parameter(call, "max-keys").and_then(|text| text.parse::<usize>().ok()).unwrap_or(MOST).min(MOST);
    let marker = parameter(call, "version-id-marker");
    let left: Vec<usize> = world.stores.versions(&site.bucket).collect();
    // A page may be deleted before the next is asked for: the marker's own place counts, not what is left of it.
    let last = marker.and_then(|id| (0..VERSIONS).find(|number| version(world, site, *number).1 == id));
    let from = left.partition_point(|number| last.is_some_and(|last| *number <= last));
    let page = &left[from..left.len().min(from + most)];
    let truncated = from + page.len() < left.len();
    let mut body = Xml::new();
    body.with("ListVersionsResult", NAMESPACE, |xml| {
        xml.leaf("Name", &site.bucket).leaf("MaxKeys", most).leaf("IsTruncated", truncated);
        if let Some(last) = page.last().filter(|_| truncated) {
            let (key, id, _) = version(world, site, *last);
            xml.leaf("NextKeyMarker", key).leaf("NextVersionIdMarker", id);
        }
        for number in page {
            let (key, id, marker) = version(world, site, *number);
            xml.group(if marker { "DeleteMarker" } else { "Version" }, |xml| {
                xml.leaf("Key", key).leaf("VersionId", id).leaf("IsLatest", marker);
                xml.leaf("LastModified", time(world.fleet.born));
                if !marker {
                    xml.leaf("Size", 2_048).leaf("StorageClass", "STANDARD");
                }
            });
        }
    });
    body
}

fn delete(world: &World, call: &Call, site: &Site) -> Result<Xml, Fault> {
    let malformed = || {
        Fault::with_status(
            400,
            "MalformedXML",
            "The XML you provided was not well-formed or did not validate against our published schema",
        )
    };
    let root = tree::parse(&call.body).ok_or_else(malformed)?;
    let objects: Vec<_> = root.children.iter().filter(|child| child.name == "Object").collect();
    if objects.is_empty() || objects.len() > MOST {
        return Err(malformed());
    }
    let quiet = root.leaf("Quiet") == Some("true");
    let wanted: Vec<(&str, &str)> =
        objects.iter().filter_map(|one| Some((one.leaf("Key")?, one.leaf("VersionId")?))).collect();
    let ids: std::collections::HashSet<&str> = wanted.iter().map(|(_, id)| *id).collect();
    let numbers: Vec<usize> = world
        .stores
        .versions(&site.bucket)
        .filter(|number| ids.contains(version(world, site, *number).1.as_str()))
        .collect();
    world.stores.delete_versions(&site.bucket, &numbers);
    let mut body = Xml::new();
    body.with("DeleteResult", NAMESPACE, |xml| {
        for (key, id) in wanted.iter().filter(|_| !quiet) {
            xml.group("Deleted", |xml| {
                xml.leaf("Key", key).leaf("VersionId", id);
            });
        }
    });
    Ok(body)
}
