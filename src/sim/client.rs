//! The SDK's `HttpClient`, in process.
//!
//! What it is for: letting the real SDK clients talk to the world without a socket.
//! What it must not do: anything that a network would not do to a request.

use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use http_body_util::BodyExt;

use super::{Outcome, Sim};

/// The client of a world.
pub fn http_client(sim: &Sim) -> SharedHttpClient {
    SharedHttpClient::new(Client(sim.clone()))
}

impl Sim {
    /// An `HttpClient` for SDK configurations. All of them reach this world.
    pub fn http_client(&self) -> SharedHttpClient {
        http_client(self)
    }
}

#[derive(Clone, Debug)]
struct Client(Sim);

impl HttpClient for Client {
    fn http_connector(&self, settings: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector { sim: self.0.clone(), read_timeout: settings.read_timeout() })
    }
}

#[derive(Clone, Debug)]
struct Connector {
    sim: Sim,
    read_timeout: Option<Duration>,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let connector = self.clone();
        HttpConnectorFuture::new(connector.send(request))
    }
}

impl Connector {
    async fn send(self, request: HttpRequest) -> Result<HttpResponse, ConnectorError> {
        let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
        let (parts, body) = request.into_parts();
        let body = match body.bytes() {
            Some(bytes) => Bytes::copy_from_slice(bytes),
            None => body.collect().await.map_err(ConnectorError::user)?.to_bytes(),
        };
        match self.sim.answer(http::Request::from_parts(parts, body)).await {
            Outcome::Answered(response) => HttpResponse::try_from(response.map(SdkBody::from))
                .map_err(|error| ConnectorError::user(error.into())),
            Outcome::Refused => Err(ConnectorError::io("tcp connect error: connection refused".into())),
            Outcome::Hung => {
                if let Some(limit) = self.read_timeout {
                    self.sim.clock().sleep(limit).await;
                    return Err(ConnectorError::timeout("HTTP read timeout".into()));
                }
                std::future::pending().await
            }
        }
    }
}
