//! One call as it reaches the simulation, and its answer, independent of how it travelled.
//!
//! What it is for: the shape that the in-process `HttpClient` and `sim --listen` hand to the services.
//! What it must not do: know any service or protocol.

use bytes::Bytes;
use jiff::Timestamp;

/// A signed AWS request, after routing by its SigV4 scope.
#[derive(Clone, Debug)]
pub struct Call {
    /// HTTP method, upper case.
    pub method: String,
    /// Path, still percent-encoded, without the query.
    pub path: String,
    /// Query string without `?`; empty when there is none.
    pub query: String,
    /// Host of the request, for virtual-host buckets.
    pub host: String,
    /// Headers.
    pub headers: http::HeaderMap,
    /// Body, already decompressed.
    pub body: Bytes,
    /// Service of the SigV4 scope: `monitoring`, `ecs`, `route53`…
    pub service: String,
    /// Region of the SigV4 scope.
    pub region: String,
    /// Access key id of the SigV4 scope.
    pub access_key: String,
    /// The world's time at which the call arrived, by AWS's clock: what answers are about.
    pub now: Timestamp,
    /// The world's time at which the call is served, by AWS's clock: when deeds happen.
    pub served: Timestamp,
    /// The request id that the answer must carry.
    pub request_id: String,
}

/// An answer.
#[derive(Clone, Debug)]
pub struct Reply {
    /// HTTP status.
    pub status: u16,
    /// Headers; the content type among them.
    pub headers: Vec<(&'static str, String)>,
    /// Body.
    pub body: Vec<u8>,
    /// The operation's name, for the call log and faults.
    pub operation: String,
    /// The AWS error code, when it is an error.
    pub error: Option<String>,
}

/// An error that any service may answer, before it is put into the caller's protocol.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// HTTP status.
    pub status: u16,
    /// The code on the wire.
    pub code: String,
    /// AWS's words.
    pub message: String,
    /// Further members of the error, where the protocol is JSON.
    pub details: Option<Box<serde_json::Value>>,
}

impl Fault {
    /// An error of the caller's making, status 400.
    pub fn sender(code: &str, message: impl Into<String>) -> Self {
        Self { status: 400, code: code.to_owned(), message: message.into(), details: None }
    }

    /// The same with further members.
    pub fn with_details(self, details: serde_json::Value) -> Self {
        Self { details: Some(Box::new(details)), ..self }
    }

    /// An error with a status of its own.
    pub fn with_status(status: u16, code: &str, message: impl Into<String>) -> Self {
        Self { status, code: code.to_owned(), message: message.into(), details: None }
    }
}

impl Call {
    /// A header's value as text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}
