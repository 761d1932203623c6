//! S3: buckets and their replication.

use percent_encoding::percent_decode_str;

use crate::sim::call::{Call, Fault, Reply};
use crate::sim::wire::xml::{self, Xml, time};
use crate::sim::world::World;
use crate::sim::world::fleet::{ACCOUNT, Site};

const NAMESPACE: &str = "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"";

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

fn parameter(call: &Call, name: &str) -> Option<String> {
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
        _ => "",
    }
}

pub(super) fn answer(world: &World, call: &Call, operation: &str) -> Result<Reply, Fault> {
    if operation == "ListBuckets" {
        return list(world, call).map(|body| reply(operation, &body));
    }
    let (bucket, _) = address(call);
    let name = bucket.unwrap_or_default();
    if operation.is_empty() {
        return Err(Fault::with_status(
            501,
            "NotImplemented",
            "A header you provided implies functionality that is not implemented.",
        ));
    }
    let site = world
        .fleet
        .sites
        .iter()
        .find(|site| site.bucket == name)
        .ok_or_else(|| Fault::with_status(404, "NoSuchBucket", "The specified bucket does not exist"))?;
    if operation == "GetBucketLocation" {
        let mut body = Xml::new();
        let place = if site.region == "us-east-1" { "" } else { site.region.as_str() };
        body.with("LocationConstraint", NAMESPACE, |xml| xml.text(place));
        return Ok(reply(operation, &body));
    }
    if site.region != call.region {
        // Clients that follow a bucket to its region read it from here.
        let region = [("Region", site.region.as_str())];
        let mut reply = xml::s3_error(call, operation, &elsewhere(call, site), &region);
        reply.headers.push(("x-amz-bucket-region", site.region.clone()));
        return Ok(reply);
    }
    Ok(match operation {
        "HeadBucket" => {
            let mut reply = reply(operation, &Xml::new());
            reply.body.clear();
            reply.headers = vec![("x-amz-bucket-region", site.region.clone())];
            reply
        }
        "GetBucketVersioning" => {
            let mut body = Xml::new();
            body.with("VersioningConfiguration", NAMESPACE, |xml| {
                xml.leaf("Status", "Enabled");
            });
            reply(operation, &body)
        }
        _ => reply(operation, &replication(world, site)?),
    })
}

fn reply(operation: &str, body: &Xml) -> Reply {
    let mut reply = xml::reply(operation, body);
    reply.headers = vec![("content-type", "application/xml".into())];
    reply
}

/// A bucket asked for in the wrong region. Signatures carry the region, so AWS refuses those first.
fn elsewhere(call: &Call, site: &Site) -> Fault {
    if call.method == "HEAD" {
        return Fault::with_status(400, "BadRequest", "");
    }
    Fault::with_status(
        400,
        "AuthorizationHeaderMalformed",
        format!(
            "The authorization header is malformed; the region '{}' is wrong; expecting '{}'",
            call.region, site.region
        ),
    )
}

fn list(world: &World, call: &Call) -> Result<Xml, Fault> {
    let mut sites: Vec<&Site> = world.fleet.sites.iter().collect();
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

fn replication(world: &World, site: &Site) -> Result<Xml, Fault> {
    let rules: Vec<_> = world.fleet.rules.iter().filter(|rule| rule.from == site.index).collect();
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
