//! Who asks what, when: the schedules that keep the picture of the fleet up to date.
//!
//! What it is for: one task a region and source, each with its own cadence, deadline and back-off, whose
//! answers land in the newest snapshot of their region, item by item. One dead or hung region or service
//! never delays another. What it must not do: name the SDK (that is `cloud`), judge, or paint.

mod beat;
mod metrics;
mod once;
mod read;
mod schedule;
mod skeleton;
mod sources;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

pub use once::{DEADLINE, observe_once};

use crate::cloud::Cloud;
use crate::domain::observation::{Observed, SourceKind};
use crate::domain::snapshot::{DnsSnapshot, FleetSnapshot, Identity, RegionSnapshot};
use crate::domain::topology::Topology;
use crate::ports::{Clock, HttpsProbe};
use beat::Beat;
use schedule::{Controls, Publisher, Task, Turn};
use sources::{DNS_SOURCES, REGION_SOURCES, Sources, Whose};

/// How long before the end of credentials the identity is read again: they are renewed five minutes
/// before, and the banner must show the new end.
const BEFORE_EXPIRY: SignedDuration = SignedDuration::from_mins(4);

/// What samples of a run are made of.
const SAMPLED: [SourceKind; 2] = [SourceKind::Metrics, SourceKind::Targets];

/// The live picture of a fleet. Cheap to clone; all clones see and steer the same tasks.
#[derive(Clone, Debug)]
pub struct FleetFeed {
    regions: Vec<watch::Receiver<Arc<RegionSnapshot>>>,
    dns: watch::Receiver<Arc<DnsSnapshot>>,
    version: watch::Receiver<u64>,
    controls: Arc<Controls>,
    cloud: Cloud,
    cancel: CancellationToken,
}

/// Starts watching. The first snapshot is there at once: everything pending, or as `seed` (the saved
/// baseline, its values marked as saved) last knew it.
///
/// Must be called within a tokio runtime, which then runs the tasks; they end when `cancel` is cancelled.
pub fn start(
    cloud: Cloud,
    topology: Arc<Topology>,
    probe: Arc<dyn HttpsProbe>,
    clock: Clock,
    seed: Option<&FleetSnapshot>,
    cancel: CancellationToken,
) -> FleetFeed {
    begin(&Sources { cloud, topology, probe, clock }, None, seed, cancel)
}

/// Watches what samples of a run are made of and nothing else: each region's series, in one request a minute, and its
/// targets. Route 53, whose budget is small, is left to the run.
pub fn start_sampling(
    cloud: Cloud,
    topology: Arc<Topology>,
    probe: Arc<dyn HttpsProbe>,
    clock: Clock,
    cancel: CancellationToken,
) -> FleetFeed {
    begin(&Sources { cloud, topology, probe, clock }, Some(&SAMPLED), None, cancel)
}

fn begin(
    sources: &Sources,
    wanted: Option<&[SourceKind]>,
    seed: Option<&FleetSnapshot>,
    cancel: CancellationToken,
) -> FleetFeed {
    let (skeletons, dns) = skeleton::seeded(&sources.topology, seed);
    let cloud = sources.cloud.clone();
    let controls = Arc::new(Controls::default());
    let version = watch::Sender::new(0);
    let beat = Beat::starting_at(sources.clock.now());
    let count = skeletons.len();
    let mut regions = Vec::new();
    for (index, known) in skeletons.into_iter().enumerate() {
        let publisher = Publisher { latest: watch::Sender::new(Arc::new(known)), version: version.clone() };
        regions.push(publisher.latest.subscribe());
        let turn = (Turn::of(index, count), beat);
        watch_region(sources, wanted, &controls, &publisher, turn, &cancel);
    }
    let publisher = Publisher { latest: watch::Sender::new(Arc::new(dns)), version: version.clone() };
    if wanted.is_none() {
        watch_dns(sources, &controls, &publisher, beat, &cancel);
    }
    FleetFeed {
        regions,
        dns: publisher.latest.subscribe(),
        version: version.subscribe(),
        controls,
        cloud,
        cancel,
    }
}

impl FleetFeed {
    /// Everything as it is known now.
    pub fn snapshot(&self, now: Timestamp) -> FleetSnapshot {
        FleetSnapshot {
            now,
            regions: self.regions.iter().map(|region| region.borrow().clone()).collect(),
            dns: self.dns.borrow().clone(),
            usage: self.cloud.usage(),
            pins: Arc::default(),
        }
    }

    /// Waits until something has changed since the last call of this clone. Never returns once watching
    /// has ended.
    pub async fn changed(&mut self) {
        if self.version.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// True while nothing is being read: all answers of this beat are in.
    pub fn is_quiet(&self) -> bool {
        self.controls.asking.load(Ordering::Acquire) == 0
    }

    /// Reads everything now, also while paused. Several requests while a source is being read count once.
    pub fn refresh(&self) {
        self.controls.refresh.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Stops or resumes the schedules. What is being read is finished.
    pub fn set_paused(&self, paused: bool) {
        self.controls.paused.send_replace(paused);
    }

    /// True while the schedules are stopped.
    pub fn is_paused(&self) -> bool {
        *self.controls.paused.borrow()
    }

    /// Says which source the operator looks at. Checkers of Route 53 are read only then (at once, and each
    /// minute), or while a verdict is unhealthy; all other sources keep their pace.
    pub fn focus(&self, kind: Option<SourceKind>) {
        self.controls.focus.send_if_modified(|focus| {
            let changed = *focus != kind;
            *focus = kind;
            changed
        });
    }

    /// The endpoint that is asked instead of AWS, for the banner.
    pub fn custom_endpoint(&self) -> Option<String> {
        self.cloud.custom_endpoint()
    }

    /// True once watching was ended: what is known only grows older.
    pub fn has_ended(&self) -> bool {
        self.cancel.is_cancelled()
    }

    /// Ends watching at once; calls under way are dropped.
    pub fn shutdown(&self) {
        self.cancel.cancel();
    }
}

fn spawn(cancel: &CancellationToken, task: impl Future<Output = ()> + Send + 'static) {
    let cancel = cancel.clone();
    tokio::spawn(async move {
        cancel.run_until_cancelled(task).await;
    });
}

fn watch_region(
    sources: &Sources,
    wanted: Option<&[SourceKind]>,
    controls: &Arc<Controls>,
    publisher: &Publisher<RegionSnapshot>,
    (turn, beat): (Turn, Beat),
    cancel: &CancellationToken,
) {
    let known = publisher.latest.borrow().clone();
    for kind in REGION_SOURCES {
        let unwanted = wanted.is_some_and(|wanted| !wanted.contains(&kind));
        if unwanted || sources.of_region(kind, &known).is_empty() {
            continue;
        }
        let task = Task {
            kind,
            turn,
            clock: sources.clock,
            beat: turn.of_beat(beat),
            controls: controls.clone(),
            publisher: publisher.clone(),
        };
        let sources = sources.clone();
        let mut coarse = metrics::Coarse::default();
        let questions = move |known: &RegionSnapshot| {
            let mut reads = sources.of_region(kind, known);
            if kind == SourceKind::Metrics {
                reads.extend(sources.coarse(&mut coarse, known));
            }
            reads
        };
        spawn(cancel, task.run(questions, move |known| renewal(kind, &known.identity)));
    }
}

fn watch_dns(
    sources: &Sources,
    controls: &Arc<Controls>,
    publisher: &Publisher<DnsSnapshot>,
    beat: Beat,
    cancel: &CancellationToken,
) {
    let known = publisher.latest.borrow().clone();
    for kind in DNS_SOURCES {
        if sources.of_dns(kind, &known, Whose::All).is_empty() {
            continue;
        }
        let task = Task {
            kind,
            turn: Turn::first(),
            clock: sources.clock,
            beat,
            controls: controls.clone(),
            publisher: publisher.clone(),
        };
        let (sources, focus) = (sources.clone(), controls.focus.subscribe());
        let mut first = true;
        let questions = move |known: &DnsSnapshot| {
            let all = first || *focus.borrow() == Some(SourceKind::Checkers);
            first = false;
            sources.of_dns(kind, known, if all { Whose::All } else { Whose::Unhealthy })
        };
        spawn(cancel, task.run(questions, move |known| renewal(kind, &known.identity)));
    }
}

/// When the identity is to be read before its hour is over.
fn renewal(kind: SourceKind, identity: &Observed<Identity>) -> Option<Timestamp> {
    let expires = identity.value().and_then(|identity| identity.expires)?;
    let read = identity.as_of()?;
    // Never sooner than a minute after the last reading, also when the renewal fails.
    (kind == SourceKind::Identity).then(|| (expires - BEFORE_EXPIRY).max(read + SignedDuration::from_mins(1)))
}
