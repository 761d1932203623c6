//! Who watches for a run's samples.
//!
//! What it is for: in the console, the feed that the panes read already; on the command line, and once the console's
//! feed has ended or stands still, a small one of the run's own, which ends with the run.
//! What it must not do: ask anything that the run would have to wait for.

use std::sync::{Arc, Mutex, PoisonError};

use tokio_util::sync::{CancellationToken, DropGuard};

use super::super::session::Session;
use crate::poll::{self, FleetFeed};
use crate::ports::BoxFuture;
use crate::runbook::sample::{RegionSample, Sampler, Samples};

/// The console's feed, once it watches.
pub(super) type Shared = Arc<Mutex<Option<FleetFeed>>>;

/// Samples for one run.
pub(super) struct Watching(Arc<Inner>);

struct Inner {
    session: Session,
    shared: Shared,
    own: Mutex<Option<(FleetFeed, DropGuard)>>,
    told: Mutex<Samples>,
}

impl Watching {
    /// For a run that begins, or is taken up, now. Must be called within a tokio runtime.
    pub(super) fn begin(session: &Session, shared: &Shared) -> Self {
        let inner = Inner {
            session: session.clone(),
            shared: shared.clone(),
            own: Mutex::default(),
            told: Mutex::new(Samples::new(session.clock.now())),
        };
        // What is asked now is answered by the first sample.
        inner.feed();
        Self(Arc::new(inner))
    }
}

impl Inner {
    fn feed(&self) -> FleetFeed {
        let shared = self.shared.lock().unwrap_or_else(PoisonError::into_inner).clone();
        if let Some(feed) = shared.filter(|feed| !feed.has_ended() && !feed.is_paused()) {
            return feed;
        }
        let mut own = self.own.lock().unwrap_or_else(PoisonError::into_inner);
        let (feed, _) = own.get_or_insert_with(|| {
            let cancel = CancellationToken::new();
            let Session { cloud, topology, probe, clock, .. } = self.session.clone();
            let feed = poll::start_sampling(cloud, topology, probe, clock, cancel.clone());
            (feed, cancel.drop_guard())
        });
        feed.clone()
    }

    fn sample(&self) -> Vec<RegionSample> {
        let snapshot = self.feed().snapshot(self.session.clock.now());
        self.told.lock().unwrap_or_else(PoisonError::into_inner).take(&self.session.topology, &snapshot)
    }
}

impl Sampler for Watching {
    fn sample(&self) -> BoxFuture<'_, Vec<RegionSample>> {
        let inner = Arc::clone(&self.0);
        // Of a large fleet this is some milliseconds of computing, which the steps need not wait for.
        Box::pin(async move { tokio::task::spawn_blocking(move || inner.sample()).await.unwrap_or_default() })
    }
}
