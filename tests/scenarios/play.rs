//! One scenario under way: the simulated AWS, the real schedules, and a virtual clock.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::{FleetSnapshot, Topology};
use switchtower::poll::{self, FleetFeed};
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions, http_client};
use tokio_util::sync::CancellationToken;

/// A moment with seconds and a fraction of its own, so that nothing happens to fall on a whole minute.
const EPOCH: &str = "2026-11-21T03:00:17.25Z";

pub(crate) struct Play {
    pub(crate) topology: Arc<Topology>,
    pub(crate) clock: Clock,
    pub(crate) cloud: Cloud,
    pub(crate) sim: Sim,
    feed: FleetFeed,
    cancel: CancellationToken,
}

impl Play {
    fn begin(scenario: &str) -> Self {
        let clock = Clock::starting_at(EPOCH.parse().unwrap(), 1.0);
        let options = SimOptions { scenario: scenario.to_owned(), ..SimOptions::default() };
        let sim = Sim::new(options, clock).unwrap();
        let keys = sim.credentials();
        let keys = Keys {
            access_key: &keys.access_key_id,
            secret_key: &keys.secret_access_key,
            session_token: Some(&keys.session_token),
            expires: Some(keys.expires),
        };
        let cloud = Cloud::simulated(http_client(&sim), clock, &keys);
        let topology = Arc::new(sim.topology());
        let cancel = CancellationToken::new();
        let feed = poll::start(cloud.clone(), topology.clone(), sim.probe(), clock, None, cancel.clone());
        Self { topology, clock, cloud, sim, feed, cancel }
    }

    /// Lets virtual time pass.
    pub(crate) async fn pass(&self, time: Duration) {
        self.clock.sleep(time).await;
    }

    /// What is known now.
    pub(crate) fn snapshot(&self) -> FleetSnapshot {
        self.feed.snapshot(self.clock.now())
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

/// Runs `watcher` beside a scenario on tokio's paused clock; the same every time.
pub(crate) fn play<T, F: Future<Output = T>>(scenario: &str, watcher: impl FnOnce(Play) -> F) -> T {
    fastrand::seed(7);
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async { watcher(Play::begin(scenario)).await })
}
