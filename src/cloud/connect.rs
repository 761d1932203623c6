//! Connections to AWS.
//!
//! What it is for: HTTP/1.1 over rustls on ring, through the proxies that the environment names, kept alive and
//! shared. The SDK brings a connector of its own, which reads into buffers that grow to 400 KB with a large answer
//! and stay so; a sweep of a large fleet leaves dozens of them behind, and that connector has no setting for it.
//! What it must not do: know any service, try again, or decide how long anything may take.

use std::fmt;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use aws_smithy_runtime_api::box_error::BoxError;
use aws_smithy_runtime_api::client::connection::{CaptureSmithyConnection, ConnectionMetadata};
use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, HttpConnectorSettings};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::ErrorKind;
use http::Uri;
use http::header::PROXY_AUTHORIZATION;
use http::uri::Scheme;
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy::connect::proxy::Tunnel;
use hyper_util::client::legacy::connect::{
    CaptureConnection, Connected, Connection, HttpConnector as Tcp, capture_connection,
};
use hyper_util::client::legacy::{Client, Error as ClientError};
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::crypto::ring;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;
use tower_service::Service;

use super::errors::find;
use crate::ports::{BoxFuture, Clock};

/// Open connections kept a host. One of AWS's hosts gets fewer calls at once and so never has as many; but behind
/// one custom endpoint all services and regions share a host, and a sweep makes a few dozen calls at once.
const IDLE_CONNECTIONS: usize = 64;

/// How long an unused connection is kept: longer than the slowest schedule that runs each minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// What a connection reads at once, at most, and the longest head of an answer. TLS brings no more in one piece, and
/// the longest heads of AWS are half as long.
const BUFFER: usize = 16 * 1024;

/// What all connections share: whom they trust, and through whom they go.
#[derive(Clone)]
pub(super) struct Means {
    tls: TlsConnector,
    proxies: Arc<Matcher>,
    clock: Clock,
}

/// Connections with certain time-outs.
pub(super) struct Connections {
    client: Client<Way, SdkBody>,
    proxies: Arc<Matcher>,
    clock: Clock,
    limit: Option<Duration>,
}

impl Means {
    /// The roots of the operating system (`SSL_CERT_FILE` and `SSL_CERT_DIR` honoured), and the proxies that
    /// `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` name.
    pub(super) fn of_environment(clock: Clock) -> Result<Self, rustls::Error> {
        let mut roots = RootCertStore::empty();
        let found = rustls_native_certs::load_native_certs();
        for error in &found.errors {
            tracing::warn!(%error, "root certificates that cannot be read");
        }
        if roots.add_parsable_certificates(found.certs).0 == 0 {
            tracing::warn!("this machine has no trusted root certificates");
        }
        let mut tls = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_root_certificates(roots)
            .with_no_client_auth();
        tls.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(tls)), proxies: Arc::new(Matcher::from_env()), clock })
    }

    /// Connections with the time-outs that the SDK wants.
    pub(super) fn connections(&self, settings: &HttpConnectorSettings) -> Connections {
        let mut tcp = Tcp::new();
        tcp.set_nodelay(true);
        tcp.enforce_http(false);
        let way = Way {
            straight: Straight { tcp, tls: self.tls.clone() },
            proxies: Arc::clone(&self.proxies),
            clock: self.clock,
            limit: settings.connect_timeout(),
        };
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_TIMEOUT)
            .pool_max_idle_per_host(IDLE_CONNECTIONS)
            .http1_max_buf_size(BUFFER)
            .build(way);
        let (proxies, clock) = (Arc::clone(&self.proxies), self.clock);
        Connections { client, proxies, clock, limit: settings.read_timeout() }
    }
}

impl HttpConnector for Connections {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let mut request = match request.try_into_http1x() {
            Ok(request) => request,
            Err(error) => return HttpConnectorFuture::ready(Err(ConnectorError::user(error.into()))),
        };
        self.introduce(&mut request);
        let capture = capture_connection(&mut request);
        if let Some(wanted) = request.extensions().get::<CaptureSmithyConnection>() {
            wanted.set_connection_retriever(move || told(&capture));
        }
        let (answer, clock, limit) = (self.client.request(request), self.clock, self.limit);
        HttpConnectorFuture::new(async move {
            let answer = match limit {
                None => answer.await,
                Some(limit) => match clock.timeout(limit, answer).await {
                    Ok(answer) => answer,
                    Err(_) => return Err(ConnectorError::timeout(Late("read", limit).into())),
                },
            };
            let answer = answer.map_err(explained)?.map(SdkBody::from_body_1_x);
            HttpResponse::try_from(answer).map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

impl Connections {
    /// A proxy that passes plain requests on wants to know from each who sends it; of a tunnel it is told once.
    fn introduce(&self, request: &mut http::Request<SdkBody>) {
        if request.uri().scheme() == Some(&Scheme::HTTP)
            && let Some(proxy) = self.proxies.intercept(request.uri())
            && let Some(password) = proxy.basic_auth()
        {
            request.headers_mut().entry(PROXY_AUTHORIZATION).or_insert_with(|| password.clone());
        }
    }
}

impl fmt::Debug for Connections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Connections")
    }
}

/// The connection that a request went over, which the SDK closes after some failures.
fn told(capture: &CaptureConnection) -> Option<ConnectionMetadata> {
    let proxied = capture.connection_metadata().as_ref()?.is_proxied();
    let capture = capture.clone();
    let close = move || {
        if let Some(connection) = capture.connection_metadata().as_ref() {
            connection.poison();
        }
    };
    Some(ConnectionMetadata::builder().proxied(proxied).poison_fn(close).build())
}

/// The failure as the SDK's retries and our words tell it.
fn explained(error: ClientError) -> ConnectorError {
    if find::<Late>(&error).is_some() {
        return ConnectorError::timeout(error.into());
    }
    let broken = find::<io::Error>(&error).is_some();
    match find::<hyper::Error>(&error) {
        Some(cause) if cause.is_timeout() => ConnectorError::timeout(error.into()),
        Some(cause) if cause.is_user() => ConnectorError::user(error.into()),
        Some(cause) if cause.is_closed() || cause.is_canceled() || broken => ConnectorError::io(error.into()),
        // The connection was closed in the middle of an answer.
        Some(cause) if cause.is_incomplete_message() => {
            ConnectorError::other(error.into(), Some(ErrorKind::TransientError))
        }
        Some(_) => ConnectorError::other(error.into(), None),
        None if error.is_connect() || broken => ConnectorError::io(error.into()),
        None => ConnectorError::other(error.into(), None),
    }
}

/// Something took longer than it may.
#[derive(Debug, thiserror::Error)]
#[error("HTTP {0} timeout occurred after {1:?}")]
struct Late(&'static str, Duration);

/// The way to a host, through a proxy where the environment wants one.
#[derive(Clone)]
struct Way {
    straight: Straight,
    proxies: Arc<Matcher>,
    clock: Clock,
    limit: Option<Duration>,
}

impl Way {
    async fn to(mut self, place: Uri) -> Result<Link, BoxError> {
        let Some(proxy) = self.proxies.intercept(&place) else { return self.straight.call(place).await };
        if place.scheme() != Some(&Scheme::HTTPS) {
            let link = self.straight.call(proxy.uri().clone()).await?;
            return Ok(Link { proxied: true, ..link });
        }
        let mut tunnel = Tunnel::new(proxy.uri().clone(), self.straight.clone());
        if let Some(password) = proxy.basic_auth() {
            tunnel = tunnel.with_auth(password.clone());
        }
        self.straight.secure(tunnel.call(place.clone()).await?, &place).await
    }
}

impl Service<Uri> for Way {
    type Response = Link;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Link, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.straight.poll_ready(context)
    }

    fn call(&mut self, place: Uri) -> Self::Future {
        let (clock, limit) = (self.clock, self.limit);
        let link = self.clone().to(place);
        Box::pin(async move {
            match limit {
                None => link.await,
                Some(limit) => clock.timeout(limit, link).await.map_err(|_| Late("connect", limit))?,
            }
        })
    }
}

/// The way to a host itself: TCP, and TLS where its URL has it.
#[derive(Clone)]
struct Straight {
    tcp: Tcp,
    tls: TlsConnector,
}

impl Straight {
    async fn secure(&self, link: Link, place: &Uri) -> Result<Link, BoxError> {
        let host = place.host().unwrap_or_default();
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = ServerName::try_from(bare.to_owned())?;
        let stream = self.tls.connect(name, TokioIo::new(link)).await?;
        Ok(Link { stream: Box::new(TokioIo::new(stream)), proxied: false })
    }
}

impl Service<Uri> for Straight {
    type Response = Link;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Link, BoxError>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.tcp.poll_ready(context).map_err(Into::into)
    }

    fn call(&mut self, place: Uri) -> Self::Future {
        let (connecting, straight) = (self.tcp.call(place.clone()), self.clone());
        Box::pin(async move {
            let link = Link { stream: Box::new(connecting.await?), proxied: false };
            if place.scheme() == Some(&Scheme::HTTPS) {
                straight.secure(link, &place).await
            } else {
                Ok(link)
            }
        })
    }
}

/// A connected stream.
struct Link {
    stream: Box<dyn Stream>,
    /// A proxy passes plain requests on: they name their host in full.
    proxied: bool,
}

trait Stream: Read + Write + Send + Unpin {}

impl<T: Read + Write + Send + Unpin> Stream for T {}

impl Connection for Link {
    fn connected(&self) -> Connected {
        Connected::new().proxy(self.proxied)
    }
}

impl Read for Link {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        into: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl Write for Link {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }
}
