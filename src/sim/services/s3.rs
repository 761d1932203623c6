//! S3: buckets and their replication.

use super::s3_removal;
use percent_encoding::percent_decode_str;

use crate::sim::call::{Call, Fault, Reply};
use crate::sim::wire::xml::{self, Xml, time};
use crate::sim::world::checks::SWITCH_BUCKET;
use crate::sim::world::deeds::Deed;
use crate::sim::world::fleet::{ACCOUNT, Site};
use crate::sim::world::removal::Thing;
use crate::sim::world::stores::Object;
use crate::sim::world::{World, noise};

pub(super) const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

/// Bucket and key of a call, virtual host or path style.
fn address(call: &Call) -> (Option<String>, String) {
    let path = percent_decode_str(call.path.trim_start_matches('/')).decode_utf8_lossy().into_owned();
    let host = call.host.split(':').next().unwrap_or_default();
    let virtual_bucket = [".s3.", ".s3-"].iter().find_map(|mark| {
        let (bucket, rest) = host.split_once(mark)?;
        rest.ends_with("amazonaws.com").then(|| bucket.to_owned())
    });
    // Clients of `--listen` that use a virtual host write it before `localhost`.
    let local = host.strip_suffix(".localhost").map(str::to_owned);
    match virtual_bucket.or(local) {
        Some(bucket) => (Some(bucket), path),
        None => match path.split_once('/') {
            Some((bucket, key)) => (Some(bucket.to_owned()), key.to_owned()),
            None if path.is_empty() => (None, path),
            None => (Some(path), String::new()),
        },
    }
}

fn has(call: &Call, flag: &str) -> bool {
    form_urlencoded::parse(call.query.as_bytes()).any(|(key, _)| key == flag)
}

pub(super) fn parameter(call: &Call, name: &str) -> Option<String> {
    form_urlencoded::parse(call.query.as_bytes())
        .find(|(key, _)| key == name)
        .map(|(_, value)| value.into_owned())
}

pub(super) fn operation(call: &Call) -> &'static str {
    let (bucket, key) = address(call);
    match (call.method.as_str(), bucket, key.is_empty()) {
        ("GET", None, _) => "ListBuckets",
        ("HEAD", Some(_), true) => "HeadBucket",
        ("GET", Some(_), true) if has(call, "replication") => "GetBucketReplication",
        ("GET", Some(_), true) if has(call, "versioning") => "GetBucketVersioning",
        ("GET", Some(_), true) if has(call, "location") => "GetBucketLocation",
        ("GET", Some(_), true) if has(call, "versions") => "ListObjectVersions",
        ("GET", Some(_), true) if has(call, "uploads") => "ListMultipartUploads",
        ("GET", Some(_), true) if has(call, "tagging") => "GetBucketTagging",
        ("POST", Some(_), true) if has(call, "delete") => "DeleteObjects",
        ("DELETE", Some(_), true) if has(call, "replication") => "DeleteBucketReplication",
        ("DELETE", Some(_), true) => "DeleteBucket",
        ("PUT", Some(_), false) => "PutObject",
        ("GET", Some(_), false) => "GetObject",
        ("HEAD", Some(_), false) => "HeadObject",
        ("DELETE", Some(_), false) => "DeleteObject",
        _ => "",
    }
}

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> Result<Reply, Fault> {
    if operation == "ListBuckets" {
        return list(world, call).map(|body| reply(operation, &body));
    }
    let (bucket, key) = address(call);
    let name = bucket.unwrap_or_default();
    if operation.is_empty() {
        return Err(Fault::with_status(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ));
    }
    let there = |site: &&Site| !world.is_gone(&Thing::Bucket(site.index), call.now);
    let site = world.fleet.sites.iter().find(|site| site.bucket == name).filter(there);
    let there = match site {
        Some(site) => site.region.as_str(),
        None if name == SWITCH_BUCKET => world.fleet.switch_region.as_str(),
        None => return Err(Fault::with_status(404, "NoSuchBucket", "The specified bucket does not exist")),
    };
    if operation == "GetBucketLocation" {
        let mut body = Xml::new();
        let place = if there == "us-east-1" { "" } else { there };
        body.with("LocationConstraint", NAMESPACE, |xml| xml.text(place));
        return Ok(reply(operation, &body));
    }
    if there != call.region {
        // Clients that follow a bucket to its region read it from here.
        let mut reply = xml::s3_error(call, operation, &elsewhere(call, there), &[("Region", there)]);
        reply.headers.push(("x-amz-bucket-region", there.to_owned()));
        return Ok(reply);
    }
    if let Some(site) = site.filter(|_| s3_removal::known(operation)) {
        return s3_removal::answer(world, call, operation, site);
    }
    if !key.is_empty() {
        return object(world, call, operation, &name, &key);
    }
    Ok(match operation {
        "HeadBucket" => {
            let mut reply = reply(operation, &Xml::new());
            reply.body.clear();
            reply.headers = vec![("x-amz-bucket-region", there.to_owned())];
            reply
        }
        "GetBucketVersioning" => {
            let mut body = Xml::new();
            body.with("VersioningConfiguration", NAMESPACE, |xml| {
                xml.leaf("Status", "Enabled");
            });
            reply(operation, &body)
        }
        "GetBucketReplication" => reply(operation, &replication(world, call, site)?),
        _ => return Err(Fault::with_status(403, "AccessDenied", "Access Denied")),
    })
}

/// One object. Only the switches' bucket holds any.
fn object(world: &World, call: &Call, operation: &str, bucket: &str, key: &str) -> Result<Reply, Fault> {
    let tag =
        |body: &[u8]| format!("\"{:032x}\"", noise::hash(body.len() as u64, &String::from_utf8_lossy(body)));
    let mut reply = reply(operation, &Xml::new());
    reply.body.clear();
    reply.headers.clear();
    match operation {
        "PutObject" => {
            if bucket != SWITCH_BUCKET {
                return Err(Fault::with_status(403, "AccessDenied", "Access Denied"));
            }
            let object = Object {
                body: call.body.to_vec(),
                kind: call.header("content-type").unwrap_or("binary/octet-stream").to_owned(),
                at: call.served,
            };
            reply.headers.push(("etag", tag(&object.body)));
            if let Some(sum) = call.header("x-amz-checksum-crc32") {
                reply.headers.push(("x-amz-checksum-crc32", sum.to_owned()));
            }
            world.stores.put_object(bucket, key, object);
            switched(world, call, bucket, key, true);
        }
        "DeleteObject" => {
            reply.status = 204;
            world.stores.delete_object(bucket, key);
            switched(world, call, bucket, key, false);
        }
        _ => {
            let object = world
                .stores
                .object(bucket, key)
                .ok_or_else(|| Fault::with_status(404, "NoSuchKey", "The specified key does not exist."))?;
            reply.headers.push(("content-type", object.kind));
            reply.headers.push(("etag", tag(&object.body)));
            reply
                .headers
                .push(("last-modified", object.at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()));
            reply.headers.push(("content-length", object.body.len().to_string()));
            if operation == "GetObject" {
                reply.body = object.body;
            }
        }
    }
    Ok(reply)
}

fn switched(world: &World, call: &Call, bucket: &str, key: &str, there: bool) {
    world.act(call.served, Deed::Object { bucket: bucket.to_owned(), key: key.to_owned(), there });
}

pub(super) fn reply(operation: &str, body: &Xml) -> Reply {
    let mut reply = xml::reply(operation, body);
    reply.headers = vec![("content-type", "application/xml".into())];
    reply
}

/// A bucket asked for in the wrong region. Signatures carry the region, so AWS refuses those first.
fn elsewhere(call: &Call, there: &str) -> Fault {
    if call.method == "HEAD" {
        return Fault::with_status(400, "BadRequest", "");
    }
    Fault::with_status(
        400,
        "AuthorizationHeaderMalformed",
        format!(
            "The authorization header is malformed; the region '{}' is wrong; expecting '{there}'",
            call.region
        ),
    )
}

fn list(world: &World, call: &Call) -> Result<Xml, Fault> {
    let mut sites: Vec<&Site> = world.fleet.sites.iter().collect();
    sites.retain(|site| !world.is_gone(&Thing::Bucket(site.index), call.now));
    sites.sort_by(|a, b| a.bucket.cmp(&b.bucket));
    if let Some(region) = parameter(call, "bucket-region") {
        sites.retain(|site| site.region == region);
    }
    if let Some(prefix) = parameter(call, "prefix") {
        sites.retain(|site| site.bucket.starts_with(&prefix));
    }
    let size = match parameter(call, "max-buckets").map(|text| text.parse::<usize>()) {
        None => 10_000,
        Some(Ok(n)) if (1..=10_000).contains(&n) => n,
        Some(_) => {
            return Err(Fault::sender(
                "InvalidArgument",
                "Argument max-buckets must be an integer between 1 and 10000",
            ));
        }
    };
    let token = parameter(call, "continuation-token");
    let (page, next) = crate::sim::wire::query::page(&sites, token.as_deref(), size, || {
        Fault::sender("InvalidArgument", "The continuation token provided is incorrect")
    })?;
    let mut body = Xml::new();
    body.with("ListAllMyBucketsResult", NAMESPACE, |xml| {
        xml.group("Owner", |xml| {
            xml.leaf("ID", crate::sim::world::noise::hex(world.seed, "owner", 64));
        });
        xml.list("Buckets", "Bucket", page, |xml, site| {
            xml.leaf("Name", &site.bucket).leaf("CreationDate", time(world.fleet.born));
            xml.leaf("BucketRegion", &site.region);
        });
        xml.maybe("ContinuationToken", next);
    });
    Ok(body)
}

fn replication(world: &World, call: &Call, site: Option<&Site>) -> Result<Xml, Fault> {
    let from =
        site.map(|site| site.index).filter(|site| !world.is_gone(&Thing::Replication(*site), call.now));
    let rules: Vec<_> = world.fleet.rules.iter().filter(|rule| Some(rule.from) == from).collect();
    if rules.is_empty() {
        return Err(Fault::with_status(
            404,
            "ReplicationConfigurationNotFoundError",
            "The replication configuration was not found",
        ));
    }
    let mut body = Xml::new();
    body.with("ReplicationConfiguration", NAMESPACE, |xml| {
        xml.leaf("Role", format!("arn:aws:iam::{ACCOUNT}:role/s3-replication"));
        for rule in rules {
            xml.group("Rule", |xml| {
                xml.leaf("ID", &rule.id).leaf("Priority", rule.priority).leaf("Status", "Enabled");
                xml.group("Filter", |xml| {
                    xml.leaf("Prefix", "");
                });
                xml.group("DeleteMarkerReplication", |xml| {
                    xml.leaf("Status", "Enabled");
                });
                xml.group("Destination", |xml| {
                    xml.leaf("Bucket", format!("arn:aws:s3:::{}", world.fleet.sites[rule.to].bucket));
                    xml.group("Metrics", |xml| {
                        xml.leaf("Status", "Enabled");
                        xml.group("EventThreshold", |xml| {
                            xml.leaf("Minutes", 15);
                        });
                    });
                    xml.group("ReplicationTime", |xml| {
                        xml.leaf("Status", "Enabled");
                        xml.group("Time", |xml| {
                            xml.leaf("Minutes", 15);
                        });
                    });
                });
            });
        }
    });
    Ok(body)
}
