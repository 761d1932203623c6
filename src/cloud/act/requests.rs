//! Our own requests: what a user of the application would get, at each region's door and through the public name.
//!
//! What it is for: probes, synthetic requests and writes, and whether a token that was written is shown.
//! What it must not do: send anything where names of a simulated zone would lead to strangers in the real one.

use std::time::Duration;

use futures_util::future::join_all;

use super::Acting;
use crate::domain::ids::{HostName, Region};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::probes::{OUR_REQUEST, probe_targets};
use crate::domain::snapshot::ProbeResult;
use crate::domain::synthetic::{TOKEN, Written};
use crate::domain::text::Text;
use crate::ports::{Message, ProbeFailure, ProbeRequest};

/// Our own requests are not waited for longer, whatever the topology allows them.
const PROBE: Duration = Duration::from_secs(4);

/// Pauses before each look whether a write is shown.
const READ_BACK: [Duration; 3] = [Duration::ZERO, Duration::from_millis(500), Duration::from_secs(1)];

impl Acting {
    /// How long our own requests may take.
    pub(super) fn probe_timeout(&self) -> Duration {
        Duration::from_secs(self.topology.probe.timeout_seconds.clamp(1, PROBE.as_secs()))
    }

    /// Our own requests to a region's load balancers; the worst of them counts.
    pub(super) async fn probe_region(&self, region: &Region) -> Result<ProbeResult, ProbeError> {
        let place = self.cloud.at(region);
        place.ready().await;
        let timeout = self.probe_timeout();
        let targets = probe_targets(&self.topology, region);
        if self.topology.probe.base.is_none() && self.cloud.custom_endpoint().is_some() {
            let why = "the endpoint is not AWS's, and the topology names no other place to ask";
            return Err(place.error(ErrorKind::NotConfigured, OUR_REQUEST, why));
        }
        let requests = targets
            .into_iter()
            .map(|(url, via)| self.probe.probe(ProbeRequest { url: url.as_str().to_owned(), via, timeout }));
        let mut worst: Option<ProbeResult> = None;
        for result in join_all(requests).await {
            let result = result.map_err(|failure| place.error(failure.kind, OUR_REQUEST, failure.message))?;
            if worst.as_ref().is_none_or(|worst| result.status > worst.status) {
                worst = Some(result);
            }
        }
        worst.ok_or_else(|| {
            place.error(ErrorKind::NotConfigured, OUR_REQUEST, "no hostname leads to this region")
        })
    }

    /// The request of a user, wherever DNS leads.
    pub(super) async fn synthetic(&self, name: &HostName) -> Result<ProbeResult, ProbeError> {
        self.may_ask().await?;
        let path = self.topology.synthetic.path.as_ref().unwrap_or(&self.topology.probe.path);
        let request = self.synthetic_request(name, path).await?;
        self.probe.probe(request).await.map_err(|failure| self.unasked(failure.kind, failure.message))
    }

    /// The write of a user, wherever DNS leads, with a token of its own; then, where that is wanted, a look whether it
    /// is shown.
    pub(super) async fn synthetic_write(&self, name: &HostName, looks: bool) -> Result<Written, ProbeError> {
        self.may_ask().await?;
        let Some(write) = &self.topology.synthetic.write else {
            let why = "the topology names no [synthetic.write]";
            return Err(self.unasked(ErrorKind::NotConfigured, why.into()));
        };
        let clock = self.cloud.clock();
        let token = format!("switchtower-{}-{:08x}", clock.now().as_millisecond(), fastrand::u32(..));
        let filled = |text: &str| text.replace(TOKEN, &token);
        let request = self.synthetic_request(name, &filled(&write.path)).await?;
        let message = Message {
            method: write.method.clone(),
            content_type: write.content_type.clone(),
            body: filled(&write.body),
        };
        let failed = |failure: ProbeFailure| self.unasked(failure.kind, failure.message);
        let answered = self.probe.exchange(request, message).await.map_err(failed)?;
        let status = answered.result.status;
        let accepted = write.accepts(status);
        let mut shown = None;
        if let Some(path) = write.read_back.as_ref().filter(|_| looks && accepted) {
            for pause in READ_BACK {
                clock.sleep(pause).await;
                let request = self.synthetic_request(name, &filled(path)).await?;
                let told = self.probe.exchange(request, Message::get()).await.map_err(failed)?;
                shown = Some(told.result.status < 400 && told.body.contains(&token));
                if shown == Some(true) {
                    break;
                }
            }
        }
        Ok(Written { token: token.into(), status, accepted, shown })
    }

    /// Whether a token that was written is shown. Not shown is said only by an answer that would show it.
    pub(super) async fn token_shown(&self, name: &HostName, token: &str) -> Result<bool, ProbeError> {
        self.may_ask().await?;
        let write = self.topology.synthetic.write.as_ref();
        let Some(path) = write.and_then(|write| write.read_back.as_ref()) else {
            let why = "the topology names no read_back of [synthetic.write]";
            return Err(self.unasked(ErrorKind::NotConfigured, why.into()));
        };
        let request = self.synthetic_request(name, &path.replace(TOKEN, token)).await?;
        let told = self.probe.exchange(request, Message::get()).await;
        let told = told.map_err(|failure| self.unasked(failure.kind, failure.message))?;
        match told.result.status {
            200..300 => Ok(told.body.contains(token)),
            404 | 410 => Ok(false),
            status => Err(self.unasked(ErrorKind::Rejected, format!("HTTP {status}").into())),
        }
    }

    /// Names of a simulated zone lead to strangers in the real one.
    async fn may_ask(&self) -> Result<(), ProbeError> {
        self.cloud.dns().ready().await;
        if self.topology.probe.base.is_none() && self.cloud.custom_endpoint().is_some() {
            let why = "the endpoint is not AWS's, and the topology names no other place to ask";
            return Err(self.unasked(ErrorKind::NotConfigured, why.into()));
        }
        Ok(())
    }

    fn unasked(&self, kind: ErrorKind, message: Text) -> ProbeError {
        ProbeError {
            kind,
            call: OUR_REQUEST.into(),
            region: None,
            message,
            request_id: None,
            at: self.cloud.clock().now(),
            next_step: Text::default(),
        }
    }
}
