//! From an HTTP request to a service and back.
//!
//! What it is for: reading the SigV4 scope, taking the body apart, letting faults, credentials and rate
//! limits have their say, and logging every call.
//! What it must not do: know any operation's members.

use std::future::Future;
use std::io::Read;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::call::{Call, Fault, Reply};
use super::wire::{self, Trouble};
use super::world::scenario::Mode;
use super::world::sessions::Unfit;
use super::world::{geography, lock, noise};
use super::{FaultKind, Sim, services};

/// What a request comes to.
#[derive(Debug)]
pub enum Outcome {
    /// An answer.
    Answered(http::Response<Bytes>),
    /// The connection is refused or dropped without an answer.
    Refused,
    /// The request is taken and never answered.
    Hung,
}

/// One line of the call log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct CallRecord {
    /// When it arrived, the world's time.
    pub at: Timestamp,
    /// Access key id that signed it: whose call it is.
    pub access_key: String,
    /// Service of the SigV4 scope.
    pub service: String,
    /// Operation; empty when it was none.
    pub operation: String,
    /// Region of the SigV4 scope.
    pub region: String,
    /// HTTP status; 0 when there was no answer.
    pub status: u16,
    /// AWS error code.
    pub error: Option<String>,
    /// Whether the service did what was asked, whatever was answered.
    pub done: bool,
    /// Whether it would change anything.
    pub mutating: bool,
    /// Request id of the answer.
    pub request_id: String,
}

/// Largest body that is taken, decompressed.
const LARGEST_BODY: u64 = 8 * 1024 * 1024;
/// How far a signature's time may be off.
const SKEW_ALLOWED: SignedDuration = SignedDuration::from_mins(5);

impl Sim {
    /// Answers one HTTP request to AWS, after the time that it takes to get there.
    pub async fn answer(&self, request: http::Request<Bytes>) -> Outcome {
        let call = match self.call(request) {
            Ok(call) => call,
            Err(refusal) => return Outcome::Answered(*refusal),
        };
        self.travel(&call.region).await;
        let local = self.inner.clock.now();
        // Deeds and answers go by one clock, AWS's, also where it differs from ours.
        let mut call = Call { served: local + self.inner.world.skew(local), ..call };
        let operation = services::operation(&call);
        let fail = |call: &Call, fault: &Fault| wire::error(call, &operation, fault);
        let named = |status: u16, code: &str| {
            Fault::with_status(status, code, format!("{code}, as this simulation was told to answer."))
        };
        let mut after = None;
        match self.inner.struck(&call, &operation) {
            None | Some(FaultKind::ExpireCredentials) => {}
            Some(FaultKind::Refuse { status, code }) => {
                return self.finish(&call, &operation, fail(&call, &named(status, &code)), false);
            }
            Some(FaultKind::Throttle) => {
                let fault = wire::trouble(&call.service, &Trouble::Throttled);
                return self.finish(&call, &operation, fail(&call, &fault), false);
            }
            Some(FaultKind::Hang) => {
                self.log(&call, &operation, 0, None, false);
                return Outcome::Hung;
            }
            Some(FaultKind::Stale(age)) => call.now -= age,
            Some(kind) => after = Some(kind),
        }
        let token = noise::hash(self.inner.world.seed, &call.request_id);
        let reply = match self.inner.world.api_down(&call.service, &call.region, local, token) {
            Some(Mode::Hang) => {
                self.log(&call, &operation, 0, None, false);
                return Outcome::Hung;
            }
            Some(Mode::Refuse) => {
                self.log(&call, &operation, 0, None, false);
                return Outcome::Refused;
            }
            Some(Mode::Error) => fail(&call, &wire::trouble(&call.service, &Trouble::Down)),
            None => self.serve(&call, &operation, local),
        };
        let done = reply.error.is_none();
        match after {
            Some(FaultKind::HangAfter) => {
                self.log(&call, &operation, 0, None, done);
                Outcome::Hung
            }
            Some(FaultKind::ErrorAfter { status, code }) => {
                self.finish(&call, &operation, fail(&call, &named(status, &code)), done)
            }
            _ => self.finish(&call, &operation, reply, done),
        }
    }

    fn finish(&self, call: &Call, operation: &str, reply: Reply, done: bool) -> Outcome {
        self.log(call, operation, reply.status, reply.error.clone(), done);
        Outcome::Answered(Self::response(call, reply))
    }

    /// Credentials, permissions, rate, then the service.
    fn serve(&self, call: &Call, operation: &str, local: Timestamp) -> Reply {
        let world = &self.inner.world;
        let trouble = if world.expired(&call.region, local) || self.inner.key_expired(&call.access_key) {
            Some(Trouble::Expired)
        } else if let Err(unfit) =
            world.sessions.check(&call.access_key, call.header("x-amz-security-token"), call.now)
        {
            Some(match unfit {
                Unfit::Ended => Trouble::Expired,
                Unfit::Foreign => Trouble::Foreign,
            })
        } else if let Some(words) = skewed(call) {
            Some(Trouble::Skewed(words))
        } else if !lock(&self.inner.limits).take(
            &call.service,
            operation,
            &call.region,
            world.throttled_rate(&call.service, &call.region, local),
            local,
        ) {
            Some(Trouble::Throttled)
        } else if world.denied(&call.service, operation, &call.region, local) {
            Some(Trouble::Denied(format!(
                "User: {} is not authorized to perform: {}:{operation} because no identity-based policy allows the {}:{operation} action",
                world.sessions.of(&call.access_key).arn,
                permission_prefix(&call.service),
                permission_prefix(&call.service),
            )))
        } else {
            None
        };
        match trouble {
            Some(trouble) => wire::error(call, operation, &wire::trouble(&call.service, &trouble)),
            None => services::answer(world, call, operation),
        }
    }

    /// Reads a request, or refuses it.
    fn call(&self, request: http::Request<Bytes>) -> Result<Call, Box<http::Response<Bytes>>> {
        let number = self.inner.counter.fetch_add(1, Ordering::Relaxed);
        let request_id = noise::uuid(self.inner.world.seed, &format!("request/{number}"));
        let now = self.inner.clock.now();
        let now = now + self.inner.world.skew(now);
        let (parts, body) = request.into_parts();
        let refuse = |status: u16, words: String| {
            let fault = Fault::with_status(status, "MissingAuthenticationToken", words);
            let call = Call {
                method: parts.method.to_string(),
                path: String::new(),
                query: String::new(),
                host: String::new(),
                headers: http::HeaderMap::new(),
                body: Bytes::new(),
                service: String::new(),
                region: String::new(),
                access_key: String::new(),
                now,
                served: now,
                request_id: request_id.clone(),
            };
            Box::new(Self::response(&call, wire::error(&call, "", &fault)))
        };
        let authorization =
            parts.headers.get(http::header::AUTHORIZATION).and_then(|value| value.to_str().ok());
        let Some(scope) = authorization.and_then(scope) else {
            return Err(refuse(
                403,
                "This simulation answers signed calls only (Authorization: AWS4-HMAC-SHA256). Instance metadata, SSO and web identity are not simulated.".to_owned(),
            ));
        };
        if wire::protocol(scope.service).is_none() {
            return Err(refuse(501, format!("This simulation has no service called {}.", scope.service)));
        }
        let gzip = parts.headers.get(http::header::CONTENT_ENCODING).is_some_and(|value| value == "gzip");
        let body = if gzip {
            match decompress(&body) {
                Some(body) => body,
                None => return Err(refuse(400, "The body is not valid gzip, or too large.".to_owned())),
            }
        } else {
            body
        };
        let host = parts
            .uri
            .host()
            .map(str::to_owned)
            .or_else(|| {
                parts.headers.get(http::header::HOST).and_then(|value| value.to_str().ok()).map(str::to_owned)
            })
            .unwrap_or_default();
        Ok(Call {
            method: parts.method.to_string(),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            host,
            body,
            service: scope.service.to_owned(),
            region: scope.region.to_owned(),
            access_key: scope.access_key.to_owned(),
            headers: parts.headers.clone(),
            now,
            served: now,
            request_id,
        })
    }

    /// Waits as long as the way to a region and back takes.
    fn travel(&self, region: &str) -> impl Future<Output = ()> + Send + 'static {
        let world = &self.inner.world;
        let from = world.fleet.sites.first().map_or((0.0, 0.0), |site| site.at);
        let to = world.fleet.site(region).map_or(from, |site| site.at);
        let number = self.inner.counter.load(Ordering::Relaxed);
        let jitter = noise::unit(world.salt(region), number as i64);
        let millis = 5.0 + geography::distance(from, to) * 0.2 + 4.0 * jitter;
        let (clock, latency) = (self.inner.clock, self.inner.latency);
        async move {
            if latency {
                clock.sleep(Duration::from_secs_f64(millis / 1_000.0)).await;
            }
        }
    }

    fn log(&self, call: &Call, operation: &str, status: u16, error: Option<String>, done: bool) {
        self.record(CallRecord {
            at: call.now,
            access_key: call.access_key.clone(),
            service: call.service.clone(),
            operation: operation.to_owned(),
            region: call.region.clone(),
            status,
            error,
            done,
            mutating: is_mutating(operation),
            request_id: call.request_id.clone(),
        });
    }

    /// The HTTP form of a reply, with request ids and AWS's time.
    fn response(call: &Call, reply: Reply) -> http::Response<Bytes> {
        let mut builder = http::Response::builder()
            .status(reply.status)
            .header("date", call.now.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string());
        builder = if call.service == "s3" {
            builder.header("x-amz-request-id", s3_request_id(call)).header("x-amz-id-2", host_id(call))
        } else if reply.headers.iter().any(|(name, _)| *name == "x-amzn-requestid") {
            builder
        } else {
            builder.header("x-amzn-requestid", &call.request_id)
        };
        for (name, value) in &reply.headers {
            builder = builder.header(*name, value);
        }
        builder.body(Bytes::from(reply.body)).unwrap_or_else(|_| {
            let mut response = http::Response::new(Bytes::new());
            *response.status_mut() = http::StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}

/// Whether an operation would change anything.
pub(super) fn is_mutating(operation: &str) -> bool {
    !["Get", "List", "Describe", "Head", "Query", "TestDNSAnswer", "AssumeRole"]
        .iter()
        .any(|verb| operation.starts_with(verb))
}

/// IAM's name of a service, where it differs from the signing name.
fn permission_prefix(service: &str) -> &str {
    if service == "monitoring" { "cloudwatch" } else { service }
}

/// S3's request ids look like this.
pub(super) fn s3_request_id(call: &Call) -> String {
    call.request_id.replace('-', "").chars().take(16).collect::<String>().to_uppercase()
}

/// S3's second id of an answer.
pub(super) fn host_id(call: &Call) -> String {
    format!("{}/{}=", noise::hex(3, &call.request_id, 40), noise::hex(4, &call.request_id, 34))
}

struct Scope<'a> {
    access_key: &'a str,
    region: &'a str,
    service: &'a str,
}

/// The credential scope of an `Authorization` header.
fn scope(header: &str) -> Option<Scope<'_>> {
    let credential = header.strip_prefix("AWS4-HMAC-SHA256")?.split_once("Credential=")?.1;
    let credential = credential.split([',', ' ']).next()?;
    let mut parts = credential.split('/');
    let (access_key, _date, region, service) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    Some(Scope { access_key, region, service })
}

/// AWS's sentence when a signature's time is too far off.
fn skewed(call: &Call) -> Option<String> {
    let text = call.header("x-amz-date")?;
    let signed = jiff::civil::DateTime::strptime("%Y%m%dT%H%M%SZ", text).ok()?;
    let signed = signed.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp();
    let off = call.now.duration_since(signed);
    let stamp = |at: Timestamp| at.strftime("%Y%m%dT%H%M%SZ").to_string();
    if off > SKEW_ALLOWED {
        return Some(format!(
            "Signature expired: {text} is now earlier than {} ({} - 5 min.)",
            stamp(call.now - SKEW_ALLOWED),
            stamp(call.now),
        ));
    }
    (off < -SKEW_ALLOWED).then(|| {
        format!(
            "Signature not yet current: {text} is still later than {} ({} + 5 min.)",
            stamp(call.now + SKEW_ALLOWED),
            stamp(call.now),
        )
    })
}

fn decompress(body: &[u8]) -> Option<Bytes> {
    let mut plain = Vec::new();
    flate2::read::GzDecoder::new(body).take(LARGEST_BODY + 1).read_to_end(&mut plain).ok()?;
    (plain.len() as u64 <= LARGEST_BODY).then(|| plain.into())
}
