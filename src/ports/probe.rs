//! Our own requests over HTTPS, as a user's client would make them.
//!
//! What it is for: the trait that the poller asks and that the simulation answers.
//! What it must not do: judge an answer; a 503 is a result, not a failure.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::domain::ids::HostName;
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::ProbeResult;
use crate::domain::text::Text;

/// A boxed future, so that traits with it can be used as objects.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProbeRequest {
    /// `https://HOST[:PORT]/path` (or `http://`); the host becomes SNI and Host header.
    pub url: String,
    /// The name whose addresses are connected to: a load balancer's, or the URL's own host.
    pub via: HostName,
    /// Time for the whole request.
    pub timeout: Duration,
}

/// What a request carries beside its URL.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// `GET`, `POST`, `PUT` or `PATCH`.
    pub method: String,
    /// Content-Type; empty without a body.
    pub content_type: String,
    /// Body; empty when there is none.
    pub body: String,
}

/// An answer with its beginning.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    /// Status and phases.
    pub result: ProbeResult,
    /// The first [`READ`] bytes of the body, as text.
    pub body: String,
}

/// How much of an answer is read.
pub const READ: usize = 64 * 1024;

impl Message {
    /// A request without a body.
    pub fn get() -> Self {
        Self { method: "GET".into(), content_type: String::new(), body: String::new() }
    }
}

/// A request that brought no HTTP answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ProbeFailure {
    /// `Unreachable`, `TimedOut`, `Malformed` or `Rejected` (a URL that cannot be asked).
    pub kind: ErrorKind,
    /// Which phase failed and how: `TCP connect to 192.0.2.1:443: connection refused`.
    pub message: Text,
}

/// Makes HTTPS requests.
pub trait HttpsProbe: Send + Sync {
    /// Makes one request on a connection of its own and measures its phases.
    fn probe(&self, request: ProbeRequest) -> BoxFuture<'_, Result<ProbeResult, ProbeFailure>>;

    /// The same with a method and a body, and with what is answered.
    fn exchange(
        &self,
        request: ProbeRequest,
        message: Message,
    ) -> BoxFuture<'_, Result<Exchanged, ProbeFailure>>;
}

/// A limit in the words of a timeout.
pub(super) fn seconds(limit: Duration) -> String {
    if limit.subsec_millis() == 0 {
        format!("{} s", limit.as_secs())
    } else {
        format!("{} ms", limit.as_millis())
    }
}

/// The words of a network error without numbers of the operating system.
pub(super) fn words(error: &std::io::Error) -> String {
    use std::io::ErrorKind as Io;
    match error.kind() {
        Io::ConnectionRefused => "connection refused".into(),
        Io::ConnectionReset => "connection reset by the other side".into(),
        Io::ConnectionAborted => "connection aborted".into(),
        Io::TimedOut => "timed out".into(),
        Io::HostUnreachable => "no route to the host".into(),
        Io::NetworkUnreachable => "network unreachable".into(),
        Io::UnexpectedEof => "the connection was closed".into(),
        _ => match error.get_ref() {
            Some(inner) => inner.to_string(),
            None => error.to_string(),
        },
    }
}
