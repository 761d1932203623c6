//! A world, and the way into it.

use std::sync::Arc;

use jiff::Timestamp;
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::topology::Topology;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

/// A simulated AWS with its cloud and topology, on the clock of the test.
pub(crate) struct World {
    pub(crate) sim: Sim,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Clock,
    pub(crate) topology: Arc<Topology>,
}

/// 2026-11-21T03:00:20Z: not on a whole minute, as real starts are not.
pub(crate) fn epoch() -> Timestamp {
    "2026-11-21T03:00:20Z".parse().unwrap()
}

/// Two regions in `scenario`.
pub(crate) fn world(scenario: &str) -> World {
    with(SimOptions { scenario: scenario.into(), ..SimOptions::default() })
}

/// A world of any kind. The seed of the back-off's jitter is fixed, so that runs repeat.
pub(crate) fn with(options: SimOptions) -> World {
    fastrand::seed(7);
    let clock = Clock::starting_at(epoch(), 1.0);
    let sim = Sim::new(options, clock).unwrap();
    let keys = sim.credentials();
    let keys = Keys {
        access_key: &keys.access_key_id,
        secret_key: &keys.secret_access_key,
        session_token: Some(&keys.session_token),
        expires: Some(keys.expires),
    };
    let cloud = Cloud::simulated(sim.http_client(), clock, &keys);
    let topology = Arc::new(sim.topology());
    World { sim, cloud, clock, topology }
}
