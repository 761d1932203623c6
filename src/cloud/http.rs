//! The one HTTP client that all SDK clients share, and the count of what goes through it.
//!
//! What it is for: connections to AWS over rustls on ring, through the proxy that the environment names,
//! kept alive and shared. Connectors are cached by their time-outs and built at the first request, so
//! that certificate roots never load before the first frame, nor once a client.
//! What it must not do: know any service.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_smithy_http_client::Connector;
use aws_smithy_http_client::proxy::ProxyConfig;
use aws_smithy_http_client::tls::Provider;
use aws_smithy_http_client::tls::rustls_provider::CryptoMode;
use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::budget::Meter;
use super::time::{SdkClock, stamp};

/// Open connections kept a host. One of AWS's hosts gets fewer calls at once and so never has as many; but behind
/// one custom endpoint all services and regions share a host, and a sweep makes a few dozen calls at once.
const IDLE_CONNECTIONS: usize = 64;

/// How long an unused connection is kept: longer than the slowest schedule that runs each minute.
const IDLE_TIMEOUT: Duration = Duration::from_secs(75);

/// The client for the real AWS.
pub(super) fn real(clock: SdkClock) -> SharedHttpClient {
    SharedHttpClient::new(Direct { clock, connectors: Mutex::default() })
}

/// The same client, with every request counted and AWS's clock compared with ours.
pub(super) fn counted(inner: SharedHttpClient, meter: Arc<Meter>) -> SharedHttpClient {
    SharedHttpClient::new(Counted { inner, meter })
}

type Timeouts = (Option<Duration>, Option<Duration>);

struct Direct {
    clock: SdkClock,
    connectors: Mutex<HashMap<Timeouts, SharedHttpConnector>>,
}

impl fmt::Debug for Direct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Direct")
    }
}

impl HttpClient for Direct {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        _components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let key = (settings.connect_timeout(), settings.read_timeout());
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors
            .entry(key)
            .or_insert_with(|| {
                let connector = Connector::builder()
                    .connector_settings(settings.clone())
                    .sleep_impl(self.clock)
                    .pool_idle_timeout(IDLE_TIMEOUT)
                    .pool_max_idle_per_host(IDLE_CONNECTIONS)
                    .proxy_config(ProxyConfig::from_env())
                    .tls_provider(Provider::Rustls(CryptoMode::Ring))
                    .build();
                SharedHttpConnector::new(connector)
            })
            .clone()
    }
}

#[derive(Debug)]
struct Counted {
    inner: SharedHttpClient,
    meter: Arc<Meter>,
}

impl HttpClient for Counted {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.inner.http_connector(settings, components);
        SharedHttpConnector::new(CountedConnector { inner, meter: self.meter.clone() })
    }
}

#[derive(Debug)]
struct CountedConnector {
    inner: SharedHttpConnector,
    meter: Arc<Meter>,
}

impl HttpConnector for CountedConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        self.meter.call();
        let answer = self.inner.call(request);
        let meter = self.meter.clone();
        HttpConnectorFuture::new(async move {
            let answer = answer.await?;
            let date =
                answer.headers().get("date").and_then(|date| DateTime::from_str(date, Format::HttpDate).ok());
            if let Some(date) = date.as_ref().and_then(stamp) {
                meter.dated(date);
            }
            Ok(answer)
        })
    }
}
