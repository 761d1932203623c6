//! The real probe: name lookup, TCP, TLS and one HTTP request, each phase timed.
//!
//! What it is for: what a user's client would meet, measured from here, on a connection of its own.
//! What it must not do: refuse to measure because a certificate is wrong: the request is made all the same
//! and the result says so. No secret is ever sent, so that nothing can be lost to an impostor.

mod dial;
mod tls;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use tokio::io::{AsyncRead, AsyncWrite};

use super::Clock;
use super::probe::{
    BoxFuture, Exchanged, HttpsProbe, Message, ProbeFailure, ProbeRequest, READ, seconds, words,
};
use crate::domain::observation::ErrorKind;
use crate::domain::snapshot::ProbeResult;

/// Makes real requests over the network.
pub struct RealProbe {
    clock: Clock,
    proxies: Matcher,
    trust: tls::Trust,
}

/// A connected stream, with or without TLS.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

type BoxStream = Box<dyn Stream>;

impl RealProbe {
    /// A probe that trusts the operating system's roots (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured) and
    /// goes through the proxies that `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY` name. Roots are loaded at
    /// the first request, off the asynchronous threads.
    pub fn new(clock: Clock) -> Self {
        Self { clock, proxies: Matcher::from_env(), trust: tls::Trust::native() }
    }

    /// A probe that trusts `roots` alone.
    pub fn with_roots(clock: Clock, roots: RootCertStore) -> Self {
        Self { clock, proxies: Matcher::builder().build(), trust: tls::Trust::given(roots) }
    }

    /// The same, through an HTTP proxy for all but the hosts in `except` (as `NO_PROXY` has them).
    pub fn through_proxy(mut self, proxy: &str, except: &str) -> Self {
        self.proxies = Matcher::builder().all(proxy.to_owned()).no(except.to_owned()).build();
        self
    }

    async fn measure(
        &self,
        request: ProbeRequest,
        message: Option<Message>,
    ) -> Result<Exchanged, ProbeFailure> {
        let target = Target::parse(&request)?;
        let roots = if target.secure { Some(self.trust.roots().await) } else { None };
        let phase = Phase::default();
        let measured =
            self.clock.timeout(request.timeout, self.phases(&target, message, roots, &phase)).await;
        measured.unwrap_or_else(|elapsed| {
            let message = format!("{}: no answer within {}", phase.get(), seconds(elapsed.0));
            Err(ProbeFailure { kind: ErrorKind::TimedOut, message: message.into() })
        })
    }

    async fn phases(
        &self,
        target: &Target,
        message: Option<Message>,
        roots: Option<tls::Roots>,
        phase: &Phase,
    ) -> Result<Exchanged, ProbeFailure> {
        let dialled = dial::dial(&self.clock, &self.proxies, target, phase).await?;
        let (dns, tcp, address) = (dialled.dns, dialled.tcp, dialled.address);
        let mut stream = dialled.stream;
        let (mut tls, mut certificate) = (Duration::ZERO, None);
        if let Some(roots) = roots {
            phase.set(format!("TLS handshake with {}", target.via));
            let watch = self.clock.stopwatch();
            let (secured, seen) = tls::handshake(stream, &target.host, roots).await.map_err(|error| {
                unreachable(format!("TLS handshake with {}: {}", target.via, words(&error)))
            })?;
            tls = watch.elapsed();
            (stream, certificate) = (Box::new(secured), Some(seen));
        }
        phase.set(format!("answer of {}", target.via));
        let (status, first_byte, body) = self.ask(stream, target, message).await?;
        let result = ProbeResult {
            status,
            address: address.map(|address| address.to_string().into()),
            dns,
            tcp,
            tls,
            first_byte,
            certificate_ends: certificate.as_ref().and_then(|seen| seen.ends),
            certificate_error: certificate.and_then(|seen| seen.error),
        };
        Ok(Exchanged { result, body })
    }

    /// Sends the request and waits for the answer's head. The body is read only where there is a message.
    async fn ask(
        &self,
        stream: BoxStream,
        target: &Target,
        message: Option<Message>,
    ) -> Result<(u16, Duration, String), ProbeFailure> {
        let failed = |error: hyper::Error| {
            let kind = if error.is_parse() { ErrorKind::Malformed } else { ErrorKind::Unreachable };
            let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
            let message = if error.is_incomplete_message() {
                format!("answer of {}: the connection was closed before an answer", target.via)
            } else {
                format!("answer of {}: {error}{}", target.via, cause.unwrap_or_default())
            };
            ProbeFailure { kind, message: message.into() }
        };
        let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(failed)?;
        let reads = message.is_some();
        let message = message.unwrap_or_else(Message::get);
        let mut request = http::Request::builder()
            .method(message.method.as_str())
            .uri(&target.path)
            .header(http::header::HOST, &target.authority)
            .header(http::header::USER_AGENT, concat!("switchtower/", env!("CARGO_PKG_VERSION"), " (probe)"))
            .header(http::header::ACCEPT, "*/*")
            .header(http::header::CONNECTION, "close");
        if !message.content_type.is_empty() {
            request = request.header(http::header::CONTENT_TYPE, message.content_type.as_str());
        }
        let request = request
            .body(Full::new(Bytes::from(message.body)))
            .map_err(|error| rejected(format!("the request cannot be made: {error}")))?;
        let watch = self.clock.stopwatch();
        let answer = sender.send_request(request);
        tokio::pin!(answer, connection);
        let response = tokio::select! {
            biased;
            answer = &mut answer => answer,
            // The connection ends by itself only when the peer closes it; the answer then holds the reason.
            _ = &mut connection => answer.await,
        };
        let response = response.map_err(failed)?;
        let (status, first_byte) = (response.status().as_u16(), watch.elapsed());
        let mut told = Vec::new();
        let mut body = response.into_body();
        while reads && told.len() < READ {
            let frame = tokio::select! {
                biased;
                frame = body.frame() => frame,
                _ = &mut connection => body.frame().await,
            };
            match frame {
                Some(Ok(frame)) => told.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data)),
                Some(Err(error)) => return Err(failed(error)),
                None => break,
            }
        }
        told.truncate(READ);
        Ok((status, first_byte, String::from_utf8_lossy(&told).into_owned()))
    }
}

impl HttpsProbe for RealProbe {
    fn probe(&self, request: ProbeRequest) -> BoxFuture<'_, Result<ProbeResult, ProbeFailure>> {
        Box::pin(async move { self.measure(request, None).await.map(|exchanged| exchanged.result) })
    }

    fn exchange(
        &self,
        request: ProbeRequest,
        message: Message,
    ) -> BoxFuture<'_, Result<Exchanged, ProbeFailure>> {
        Box::pin(self.measure(request, Some(message)))
    }
}

/// A request taken apart.
#[derive(Debug)]
struct Target {
    secure: bool,
    /// The URL's host without port: SNI.
    host: String,
    /// Host header: with the port where it is not the scheme's own.
    authority: String,
    path: http::Uri,
    via: String,
    port: u16,
}

impl Target {
    fn parse(request: &ProbeRequest) -> Result<Self, ProbeFailure> {
        let refused = |why: &str| rejected(format!("{} cannot be asked: {why}", request.url));
        let url: http::Uri = request.url.parse().map_err(|_| refused("it is no URL"))?;
        let secure = match url.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(refused("it starts neither with https:// nor with http://")),
        };
        let host = url.host().filter(|host| !host.is_empty()).ok_or_else(|| refused("it names no host"))?;
        let default_port = if secure { 443 } else { 80 };
        let port = url.port_u16().unwrap_or(default_port);
        let authority = if port == default_port { host.to_owned() } else { format!("{host}:{port}") };
        let path = url.path_and_query().map_or("/", |path| path.as_str());
        let via = request.via.as_str();
        Ok(Self {
            secure,
            host: bare(host).to_owned(),
            authority,
            path: path.parse().map_err(|_| refused("its path is wrong"))?,
            via: bare(if via.is_empty() { host } else { via }).to_owned(),
            port,
        })
    }
}

/// An IPv6 address without the brackets that URLs need.
fn bare(host: &str) -> &str {
    host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host)
}

/// What is going on, for the words of a timeout.
#[derive(Default)]
struct Phase(Mutex<String>);

impl Phase {
    fn set(&self, words: String) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = words;
    }

    fn get(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn unreachable(message: String) -> ProbeFailure {
    ProbeFailure { kind: ErrorKind::Unreachable, message: message.into() }
}

fn rejected(message: String) -> ProbeFailure {
    ProbeFailure { kind: ErrorKind::Rejected, message: message.into() }
}

/// A root store shared between requests.
type SharedRoots = Arc<RootCertStore>;
