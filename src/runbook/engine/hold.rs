//! The lease during a run: taken, renewed, lost, given back; and the copies of what happened beside it.
//!
//! What it is for: one run at a time, as far as the table can be asked. A planned run does not begin without
//! the lease and stops before its next call when it is lost; an emergency tries for three seconds, takes over
//! whoever has it, and goes on without when the table is dark.
//! What it must not do: hold up a call of an emergency.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use super::{LEASE_PATIENCE, NotBegun, Setup};
use crate::domain::text::Text;
use crate::ports::Clock;
use crate::runbook::event::{Entry, LeaseOutcome, RunId};
use crate::runbook::lease::{Claim, HEARTBEAT, Lease, LeaseError, LeaseStore, LeaseView};

/// Entries that wait to be copied; more are dropped, since copies are best effort.
const WAITING: usize = 256;

/// How long the last copies may take at the end of a run.
const FAREWELL: Duration = Duration::from_secs(3);

/// The lease of a run, if it has one.
pub(super) struct Hold {
    store: Option<Arc<dyn LeaseStore>>,
    lease: Mutex<Option<Lease>>,
    copies: Mutex<Option<mpsc::Sender<Entry>>>,
    /// What is to be copied once this run is known to go on; whoever gives way writes nothing.
    waiting: Mutex<Option<mpsc::Receiver<Entry>>>,
    copier: Mutex<Option<JoinHandle<()>>>,
}

/// What a look at the lease says.
pub(super) enum Held {
    /// Ours, or there is none to hold.
    Ours,
    /// Somebody else's.
    Lost(Box<LeaseView>),
    /// The table did not answer.
    Doubtful(Text),
}

impl Hold {
    /// Nothing taken yet; what is to be copied is kept until it is.
    pub(super) fn new(store: Option<Arc<dyn LeaseStore>>) -> Self {
        let (sender, receiver) = store.is_some().then(|| mpsc::channel(WAITING)).unzip();
        Self {
            store,
            lease: Mutex::default(),
            copies: Mutex::new(sender),
            waiting: Mutex::new(receiver),
            copier: Mutex::default(),
        }
    }

    /// From now on copies are made: this run goes on, with the lease or, in an emergency, without.
    fn copy_from_now(&self, setup: &Setup) {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let (Some(store), Some(waiting)) = (self.store.clone(), waiting) {
            let copier = tokio::spawn(copy(store, setup.opening.run.clone(), waiting, setup.clock));
            *self.copier.lock().unwrap_or_else(PoisonError::into_inner) = Some(copier);
        }
    }

    /// Copies an entry beside the lease, some time soon, if it can be.
    pub(super) fn copy(&self, entry: Entry) {
        if let Some(copies) = self.copies.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && copies.try_send(entry).is_err()
        {
            tracing::debug!("a copy of the run's journal was dropped: the lease table is slow");
        }
    }

    /// Takes the lease for a run that begins.
    pub(super) async fn take(&self, setup: &Setup) -> Result<LeaseOutcome, NotBegun> {
        let Some(store) = &self.store else { return Ok(LeaseOutcome::NotConfigured) };
        let claim = Claim {
            application: setup.opening.application.clone(),
            run: setup.opening.run.clone(),
            holder: setup.opening.holder.clone(),
            host: setup.opening.host.clone(),
            purpose: purpose(setup),
        };
        let taking = self.taken(store, &claim, setup);
        if !setup.emergency {
            let outcome = taking.await?;
            self.copy_from_now(setup);
            return Ok(outcome);
        }
        // Copies come before the lease here: should the table let anybody write, they are all that another host gets.
        self.copy_from_now(setup);
        match setup.clock.timeout(LEASE_PATIENCE, taking).await {
            Ok(Ok(outcome)) => Ok(outcome),
            Ok(Err(why)) => Ok(LeaseOutcome::Unreachable { why: why.to_string().into() }),
            Err(elapsed) => {
                Ok(LeaseOutcome::Unreachable { why: format!("the lease table {elapsed}").into() })
            }
        }
    }

    async fn taken(
        &self,
        store: &Arc<dyn LeaseStore>,
        claim: &Claim,
        setup: &Setup,
    ) -> Result<LeaseOutcome, NotBegun> {
        let blocked = |error: LeaseError| NotBegun::Lease(error.to_string().into());
        match store.acquire(claim).await {
            Ok(lease) => {
                let number = lease.number;
                self.keep(lease);
                Ok(LeaseOutcome::Taken { number })
            }
            Err(LeaseError::Held(view)) => {
                let asked = setup.take_over.as_ref().filter(|(seen, _)| seen.number == view.number);
                let reason = match asked {
                    // An unplanned failover supersedes any run; the loser stops before its next call.
                    _ if setup.emergency => {
                        asked.map_or_else(|| setup.approval.reason(), |(_, reason)| reason)
                    }
                    // A planned run takes over from the dead only: nobody's failover is stopped for it.
                    _ if !view.is_expired(setup.clock.now()) => return Err(held(&view, setup)),
                    Some((_, reason)) if !reason.as_str().trim().is_empty() => reason,
                    _ => return Err(held(&view, setup)),
                };
                let lease = store.take_over(claim, &view, reason).await.map_err(blocked)?;
                let number = lease.number;
                self.keep(lease);
                Ok(LeaseOutcome::TakenOver { number, from: *view })
            }
            Err(error @ LeaseError::Unreachable(_)) => Err(blocked(error)),
        }
    }

    fn keep(&self, lease: Lease) {
        *self.lease.lock().unwrap_or_else(PoisonError::into_inner) = Some(lease);
    }

    fn lease(&self) -> Option<Lease> {
        self.lease.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Renews the lease and says whose it is.
    pub(super) async fn check(&self, clock: Clock) -> Held {
        let (Some(store), Some(lease)) = (&self.store, self.lease()) else { return Held::Ours };
        match clock.timeout(LEASE_PATIENCE, store.renew(&lease)).await {
            Ok(Ok(())) => Held::Ours,
            Ok(Err(LeaseError::Held(view))) => Held::Lost(view),
            Ok(Err(LeaseError::Unreachable(why))) => Held::Doubtful(why),
            Err(elapsed) => Held::Doubtful(format!("the lease table {elapsed}").into()),
        }
    }

    /// Renews the lease until it is lost; never ends otherwise.
    pub(super) async fn beat(&self, clock: Clock) -> LeaseView {
        loop {
            clock.sleep(HEARTBEAT).await;
            if let Held::Lost(view) = self.check(clock).await {
                return *view;
            }
        }
    }

    /// Gives the lease back and waits a little for the last copies. True when there was one to give back.
    pub(super) async fn end(&self, clock: Clock) -> bool {
        drop(self.copies.lock().unwrap_or_else(PoisonError::into_inner).take());
        let copier = self.copier.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(mut copier) = copier
            && clock.timeout(FAREWELL, &mut copier).await.is_err()
        {
            copier.abort();
        }
        let lease = self.lease.lock().unwrap_or_else(PoisonError::into_inner).take();
        let (Some(store), Some(lease)) = (&self.store, lease) else { return false };
        matches!(clock.timeout(LEASE_PATIENCE, store.release(&lease)).await, Ok(Ok(())))
    }
}

/// Why a lease is not taken from its holder, and what to do: one that is renewed is waited for.
fn held(view: &LeaseView, setup: &Setup) -> NotBegun {
    let now = setup.clock.now();
    let beat = now.duration_since(view.heartbeat).as_secs().max(0);
    let held = LeaseError::Held(Box::new(view.clone()));
    let next = if view.is_expired(now) {
        format!("last heard of {beat} s ago; when it is gone for good, --take-over WHY takes its lease")
    } else {
        format!(
            "which was alive {beat} s ago; wait for it to end, or attach to it or abort it on {}",
            view.claim.host
        )
    };
    NotBegun::Lease(format!("{held}, {next}").into())
}

fn purpose(setup: &Setup) -> Text {
    match &setup.opening.params.region {
        Some(region) => format!("{} {region}", setup.opening.runbook).into(),
        None => setup.opening.runbook.clone(),
    }
}

async fn copy(store: Arc<dyn LeaseStore>, run: RunId, mut entries: mpsc::Receiver<Entry>, clock: Clock) {
    let mut batch = Vec::new();
    while entries.recv_many(&mut batch, 16).await > 0 {
        match clock.timeout(LEASE_PATIENCE, store.copy(&run, &batch)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => tracing::debug!("a copy of the run's journal was lost: {error}"),
            Err(elapsed) => tracing::debug!("a copy of the run's journal was lost: {elapsed}"),
        }
        batch.clear();
    }
}
