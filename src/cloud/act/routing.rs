//! Routing controls: a data plane with five endpoints in five regions.
//!
//! What it is for: reading and setting them with up to four of the regions dark.
//! What it must not do: ask the configuration API, which is in one region.

use std::collections::BTreeMap;
use std::time::Duration;

use aws_sdk_route53recoverycluster::Client;
use aws_sdk_route53recoverycluster::types::{RoutingControlState, UpdateRoutingControlStateEntry};
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;

use super::{Acting, failure};
use crate::cloud::config::moves_routing;
use crate::cloud::{ARC_SCOPE, Place};
use crate::domain::evacuation::ArcEndpoint;
use crate::domain::ids::{Arn, Region};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::runbook::{ActFailure, Operation, Receipt};

pub(super) const GET_STATE: &str = "route53-recovery-cluster:GetRoutingControlState";
const UPDATE_STATES: &str = "route53-recovery-cluster:UpdateRoutingControlStates";

/// How long one endpoint is waited for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How long one endpoint is read from alone before the next is asked too.
const HEDGE: Duration = Duration::from_millis(400);

impl Acting {
    /// The endpoints, beginning with any of them: not all runs of all operators should lean on the same.
    fn endpoints(&self) -> Vec<&ArcEndpoint> {
        let mut endpoints: Vec<_> = self.topology.arc.iter().flat_map(|arc| &arc.endpoints).collect();
        if !endpoints.is_empty() {
            let first = fastrand::usize(..endpoints.len());
            endpoints.rotate_left(first);
        }
        endpoints
    }

    async fn routing(&self, endpoint: &ArcEndpoint) -> (Place, Client) {
        let place = self.cloud.place(ARC_SCOPE, &endpoint.region);
        let config = place.once(PATIENCE).await;
        let config = if moves_routing(&config) {
            config
        } else {
            config.to_builder().endpoint_url(&endpoint.url).build()
        };
        (place, Client::new(&config))
    }

    /// Whether a routing control is On, by the first endpoint that says so.
    pub(super) async fn routing_control(&self, arn: &Arn) -> Result<bool, ProbeError> {
        let ask = async |turn: u32, endpoint: &ArcEndpoint| {
            self.cloud.clock().sleep(HEDGE * turn).await;
            let (place, client) = self.routing(endpoint).await;
            let request = client.get_routing_control_state().routing_control_arn(arn.as_str());
            let answer = place.ask(GET_STATE, request.send()).await?;
            match answer.routing_control_state() {
                RoutingControlState::On => Ok(true),
                RoutingControlState::Off => Ok(false),
                other => {
                    let words = format!("the state is {}, neither On nor Off", other.as_str());
                    Err(place.error(ErrorKind::Malformed, GET_STATE, words))
                }
            }
        };
        let mut answers: FuturesUnordered<_> =
            (0..).zip(self.endpoints()).map(|(turn, endpoint)| Box::pin(ask(turn, endpoint))).collect();
        let mut failed = None;
        while let Some(answer) = answers.next().await {
            match answer {
                Ok(on) => return Ok(on),
                Err(error) => failed = Some(error),
            }
        }
        Err(failed.unwrap_or_else(|| self.no_endpoint()))
    }

    fn no_endpoint(&self) -> ProbeError {
        let place = self.cloud.place(ARC_SCOPE, &Region::new("us-west-2"));
        place.error(ErrorKind::NotConfigured, GET_STATE, "the topology names no endpoint of a cluster")
    }

    /// Sets routing controls together. Every endpoint is tried until one accepts or refuses: the call sets
    /// values, so that an endpoint which did not answer in time does no harm by having heard it.
    pub(super) async fn set_routing_controls(
        &self,
        operation: &Operation,
        states: &BTreeMap<Arn, bool>,
    ) -> Result<Receipt, ActFailure> {
        let mut entries = Vec::new();
        for (arn, on) in states {
            let state = if *on { RoutingControlState::On } else { RoutingControlState::Off };
            let entry = UpdateRoutingControlStateEntry::builder()
                .routing_control_arn(arn.as_str())
                .routing_control_state(state)
                .build()
                .map_err(|error| ActFailure::Refused { why: error.to_string().into() })?;
            entries.push(entry);
        }
        let mut last = None;
        for endpoint in self.endpoints() {
            let (place, client) = self.routing(endpoint).await;
            let request = client
                .update_routing_control_states()
                .set_update_routing_control_state_entries(Some(entries.clone()));
            let failed = match failure::outcome(operation, &place, UPDATE_STATES, request.send()).await {
                Ok(receipt) => return Ok(receipt),
                // The cluster speaks with one voice: what one endpoint refuses, all do.
                Err(refused @ (ActFailure::Refused { .. } | ActFailure::Moved { .. })) => {
                    return Err(refused);
                }
                Err(failed) => failed,
            };
            last = Some(match last {
                Some(unknown @ ActFailure::Unknown { .. }) => unknown,
                _ => failed,
            });
        }
        Err(last.unwrap_or_else(|| ActFailure::Refused { why: self.no_endpoint().to_string().into() }))
    }
}
