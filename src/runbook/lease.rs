//! The lease: one run at a time per application, across hosts.
//!
//! What it is for: what a lease is, who may take it when, and the store behind it as a trait. `cloud`
//! implements the store on one DynamoDB table in one region by conditional writes.
//! What it must not do: decide whether a run goes on without a lease (the engine does, per runbook).

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::event::{Entry, RunId};
use crate::domain::text::Text;
use crate::ports::BoxFuture;

/// How long a lease lives without a heartbeat.
pub const LEASE_LIFE: Duration = Duration::from_mins(1);

/// How often its holder renews it.
pub const HEARTBEAT: Duration = Duration::from_secs(15);

/// Who wants the lease.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// Application.
    pub application: Text,
    /// Run.
    pub run: RunId,
    /// Identity that acts.
    pub holder: Text,
    /// Host.
    pub host: Text,
    /// Runbook and region, `drain us-east-1`.
    pub purpose: Text,
}

/// The lease as it lies in the table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseView {
    /// Who has it.
    pub claim: Claim,
    /// Grows with every taking; a call made under an older number is out of date.
    pub number: u64,
    /// Last heartbeat, by the holder's clock.
    pub heartbeat: Timestamp,
    /// True once given back: the number stays, the holder is history.
    pub released: bool,
}

/// A lease that is ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// What we claimed.
    pub claim: Claim,
    /// Our number.
    pub number: u64,
}

/// Why there is no lease.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum LeaseError {
    /// Somebody else has it.
    #[error("the lease is held by {} on {} for {} (run {})", .0.claim.holder, .0.claim.host, .0.claim.purpose, .0.claim.run)]
    Held(Box<LeaseView>),
    /// The table did not answer, or refused.
    #[error("{0}")]
    Unreachable(Text),
}

/// Where the lease lies. Every call has a deadline of its own.
pub trait LeaseStore: Send + Sync {
    /// Takes the lease when nobody has it, when it was released, or when it is already this run's on this host. An
    /// expired lease of another run is `Held`, and so is one of this run on another host, which may be alive there:
    /// taking it over is the operator's decision.
    fn acquire<'a>(&'a self, claim: &'a Claim) -> BoxFuture<'a, Result<Lease, LeaseError>>;

    /// Takes the lease from the holder that was seen; fails when it has changed since.
    fn take_over<'a>(
        &'a self,
        claim: &'a Claim,
        seen: &'a LeaseView,
        reason: &'a Text,
    ) -> BoxFuture<'a, Result<Lease, LeaseError>>;

    /// Renews the heartbeat; `Held` when it is no longer ours.
    fn renew<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>>;

    /// Gives it back.
    fn release<'a>(&'a self, lease: &'a Lease) -> BoxFuture<'a, Result<(), LeaseError>>;

    /// Who has it, by a consistent read; `None` when nobody ever had.
    fn holder<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Option<LeaseView>, LeaseError>>;

    /// Copies journal entries, best effort, so that another bastion can import the run.
    fn copy<'a>(&'a self, run: &'a RunId, entries: &'a [Entry]) -> BoxFuture<'a, Result<(), LeaseError>>;

    /// Reads a run's copied entries, in order.
    fn entries<'a>(
        &'a self,
        application: &'a Text,
        run: &'a RunId,
    ) -> BoxFuture<'a, Result<Vec<Entry>, LeaseError>>;

    /// Runs that were copied, newest first.
    fn runs<'a>(&'a self, application: &'a Text) -> BoxFuture<'a, Result<Vec<RunId>, LeaseError>>;
}

impl LeaseView {
    /// True when its holder has not been heard of for longer than a lease lives.
    pub fn is_expired(&self, now: Timestamp) -> bool {
        self.released
            || now.duration_since(self.heartbeat).unsigned_abs() > LEASE_LIFE && now > self.heartbeat
    }
}
