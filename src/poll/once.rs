//! One observation of everything, for `status`.
//!
//! What it is for: every question at once, in one round trip where that is possible, and an end that does
//! not wait for the slowest: what has not answered by the deadline says so.
//! What it must not do: ask anything twice, or anything that only a longer watch needs.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;

use super::read::{Landed, Read};
use super::skeleton;
use super::sources::{DNS_SOURCES, REGION_SOURCES, Sources, Whose};
use crate::cloud::Cloud;
use crate::domain::snapshot::{FleetSnapshot, RegionSnapshot};
use crate::domain::topology::Topology;
use crate::ports::{Clock, HttpsProbe};

/// How long `status` waits at most, unless told otherwise.
pub const DEADLINE: Duration = Duration::from_secs(10);

/// Reads everything once, all calls at the same time; who we are is asked beside, never before. What does
/// not answer within `deadline` carries a `TimedOut` error.
///
/// Must be called within a tokio runtime; calls run as tasks, so that signatures and answers of many
/// regions use all of its threads.
pub async fn observe_once(
    cloud: Cloud,
    topology: Arc<Topology>,
    probe: Arc<dyn HttpsProbe>,
    clock: Clock,
    deadline: Duration,
) -> FleetSnapshot {
    let (skeletons, dns) = skeleton::seeded(&topology, None);
    let sources = Sources { cloud: cloud.clone(), topology, probe, clock };
    let regions = skeletons.into_iter().map(|known| {
        let reads = REGION_SOURCES.iter().flat_map(|kind| sources.of_region(*kind, &known)).collect();
        gather(known, reads, deadline)
    });
    let reads = DNS_SOURCES.iter().flat_map(|kind| sources.of_dns(*kind, &dns, Whose::Affordable)).collect();
    let (regions, dns) = tokio::join!(join_all(regions), gather(dns, reads, deadline));
    FleetSnapshot {
        now: clock.now(),
        regions: regions.into_iter().map(Arc::<RegionSnapshot>::new).collect(),
        dns: Arc::new(dns),
        usage: cloud.usage(),
        pins: Arc::default(),
    }
}

/// Runs all reads at once and puts their answers into `snapshot`.
fn gather<S: Send + 'static>(
    mut snapshot: S,
    reads: Vec<Read<S>>,
    deadline: Duration,
) -> impl Future<Output = S> {
    let running: Vec<_> = reads.into_iter().map(|read| tokio::spawn(read.run(Some(deadline)))).collect();
    async move {
        for landed in running {
            // A task that panicked leaves its values pending: "not read" is all that can be said.
            if let Ok(landed) = landed.await {
                Landed::apply(landed, &mut snapshot);
            }
        }
        snapshot
    }
}
