//! The one HTTP client that all SDK clients share, and the count of what goes through it.
//!
//! What it is for: connections are cached by their time-outs and made at the first request, so that certificate
//! roots never load before the first frame, nor once a client.
//! What it must not do: know any service.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;

use super::budget::Meter;
use super::connect::Means;
use super::time::stamp;
use crate::ports::Clock;

/// The client for the real AWS.
pub(super) fn real(clock: Clock) -> SharedHttpClient {
    SharedHttpClient::new(Direct { clock, means: OnceLock::new(), connectors: Mutex::default() })
}

/// The same client, with every request counted and AWS's clock compared with ours.
pub(super) fn counted(inner: SharedHttpClient, meter: Arc<Meter>) -> SharedHttpClient {
    SharedHttpClient::new(Counted { inner, meter })
}

type Timeouts = (Option<Duration>, Option<Duration>);

struct Direct {
    clock: Clock,
    /// Whom all connections trust; the reason why there can be none, where rustls refuses its own provider.
    means: OnceLock<Result<Means, rustls::Error>>,
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
        let means = match self.means.get_or_init(|| Means::of_environment(self.clock)) {
            Ok(means) => means,
            Err(error) => return SharedHttpConnector::new(Without(error.clone())),
        };
        let mut connectors = self.connectors.lock().unwrap_or_else(PoisonError::into_inner);
        connectors.entry(key).or_insert_with(|| SharedHttpConnector::new(means.connections(settings))).clone()
    }
}

/// No connection can be made.
#[derive(Debug)]
struct Without(rustls::Error);

impl HttpConnector for Without {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready(Err(ConnectorError::user(self.0.clone().into())))
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
