//! The one wiring: topology, AWS or its simulation, clock, probe, saved baseline, runtimes.
//!
//! What it is for: console, demo, status and init all start from a [`Session`], so that none of them can be
//! wired differently from the others. What it must not do: print, paint, or ask AWS by itself.

use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use super::args::{Global, Wired, World};
use super::crash;
use super::exit::{Exit, Failure};
use crate::cloud::{Cloud, CloudOptions, Keys};
use crate::domain::snapshot::{FleetSnapshot, ProbeResult};
use crate::domain::{ErrorKind, Topology};
use crate::files::baseline::{self, Baseline};
use crate::files::topology::TopologyError;
use crate::files::{Places, topology};
use crate::ports::{
    BoxFuture, Clock, DnsLookup, Exchanged, HttpsProbe, Message, ProbeFailure, ProbeRequest, RealDns,
    RealProbe,
};
use crate::sim::{Sim, SimOptions, Wiring};

/// Threads that ask AWS. Two keep up with thirty regions; more only cost memory.
pub(super) const WORKERS: usize = 2;

/// A topology that is being read and looked at for the first time, on a thread that lives no longer. Taken apart, the
/// file of a large fleet fills megabytes, and so does what is painted before any answer. The allocator keeps them for
/// the thread that had them, and gives them to the next one that is started: that one watches, and uses them; this one
/// never would.
pub(super) struct Reading<T> {
    places: Places,
    path: PathBuf,
    thread: JoinHandle<Result<(Topology, T), TopologyError>>,
}

impl<T: Send + 'static> Reading<T> {
    /// Begins to read the topology that the command line, or the configuration folder, names, and to make of it what
    /// `look` does.
    pub(super) fn begin(
        global: &Global,
        look: impl FnOnce(&Topology) -> T + Send + 'static,
    ) -> Result<Self, Failure> {
        let places = Places::of_environment()?;
        let path = places.find(global.topology.as_deref())?;
        let file = path.clone();
        let thread = std::thread::Builder::new().name("switchtower-read".to_owned()).spawn(move || {
            let topology = topology::read(&file)?;
            let seen = look(&topology);
            Ok((topology, seen))
        });
        let thread =
            thread.map_err(|error| Failure::error(format_args!("no thread can be started: {error}")))?;
        Ok(Self { places, path, thread })
    }
}

/// Everything that observing needs.
#[derive(Clone)]
pub(super) struct Session {
    /// What is observed.
    pub(super) topology: Arc<Topology>,
    /// The way to AWS.
    pub(super) cloud: Cloud,
    /// The clock of everything.
    pub(super) clock: Clock,
    /// Our own requests.
    pub(super) probe: Arc<dyn HttpsProbe>,
    /// Name servers, for the proof of an evacuation; `None` where there is nobody to ask.
    pub(super) dns: Option<Arc<dyn DnsLookup>>,
    /// Where the last known good is kept; `None` for a simulation, which has no yesterday.
    pub(super) store: Option<Store>,
    /// What is simulated, for the banner: `regional-outage ×10`.
    pub(super) demo: Option<String>,
}

impl Session {
    /// The session of the topology that the command line, or the configuration folder, names.
    pub(super) fn configured(global: &Global) -> Result<Self, Failure> {
        Self::of(global, Reading::begin(global, |_| ())?).map(|(session, ())| session)
    }

    /// The session of a topology that is being read, and what was seen in it.
    pub(super) fn of<T>(global: &Global, reading: Reading<T>) -> Result<(Self, T), Failure> {
        let Reading { places, path, thread } = reading;
        let (topology, seen) = match thread.join() {
            Ok(read) => read?,
            Err(panic) => {
                crash::tell_early();
                std::panic::resume_unwind(panic)
            }
        };
        let topology = Arc::new(topology);
        tracing::info!(topology = %path.display(), application = %topology.application, "topology read");
        let clock = Clock::real();
        let cloud = real_cloud(CloudOptions::of(&topology), global, clock);
        let path = places.baseline(topology.application.as_str(), cloud.custom_endpoint().as_deref());
        let probe = Guarded {
            real: RealProbe::new(clock),
            cloud: cloud.clone(),
            based: topology.probe.base.is_some(),
            control: topology.probe.control.clone(),
        };
        let store = Store::new(path, topology.application.as_str(), clock);
        // Names of a simulated zone lead to strangers in the real one: without a server of its own, nobody is asked.
        let asked = topology.dns.server.is_some() || cloud.custom_endpoint().is_none();
        let dns = asked.then(|| Arc::new(RealDns::new(clock)) as Arc<dyn DnsLookup>);
        let session =
            Self { topology, cloud, clock, probe: Arc::new(probe), dns, store: Some(store), demo: None };
        Ok((session, seen))
    }

    /// Where the journals of this application's runs lie.
    pub(super) fn runs(&self) -> Result<PathBuf, Failure> {
        let places = Places::of_environment()?;
        let endpoint = self.cloud.custom_endpoint();
        Ok(places.runs(self.topology.application.as_str(), endpoint.as_deref()))
    }

    /// A session on an embedded simulated AWS. Reads no environment and no files.
    pub(super) fn simulated(world: &World, speed: f64) -> Result<Self, Failure> {
        let clock = Clock::starting_at(Clock::real().now(), speed);
        let sim = simulation(world, clock, 1.0)?;
        let credentials = sim.credentials();
        let cloud = Cloud::simulated(
            sim.http_client(),
            clock,
            &Keys {
                access_key: &credentials.access_key_id,
                secret_key: &credentials.secret_access_key,
                session_token: Some(&credentials.session_token),
                expires: Some(credentials.expires),
            },
        );
        let topology = Arc::new(sim.topology());
        let probe: Arc<dyn HttpsProbe> = sim.probe();
        let dns: Option<Arc<dyn DnsLookup>> = Some(sim.probe());
        Ok(Self { topology, cloud, clock, probe, dns, store: None, demo: Some(described(world, speed)) })
    }
}

/// The real AWS, with the flags of the command line.
pub(super) fn real_cloud(options: CloudOptions, global: &Global, clock: Clock) -> Cloud {
    let options = CloudOptions {
        profile: global.profile.clone(),
        endpoint_url: global.endpoint_url.clone(),
        ..options
    };
    Cloud::real(options, clock)
}

/// A simulated AWS as the command line wants it; `pace` shortens its own delays and leaves the clock alone.
pub(super) fn simulation(world: &World, clock: Clock, pace: f64) -> Result<Sim, Failure> {
    let wired = |switch| world.wire.contains(&switch);
    let options = SimOptions {
        wiring: Wiring {
            routing_control: wired(Wired::RoutingControl),
            switch_object: wired(Wired::SwitchObject),
            switch_metric: wired(Wired::SwitchMetric),
        },
        regions: SimOptions::first_regions(usize::from(world.regions)),
        seed: world.seed,
        scenario: world.scenario.clone(),
        pace,
        ..SimOptions::default()
    };
    Sim::new(options, clock).map_err(|error| Failure::new(Exit::Usage, error))
}

fn described(world: &World, speed: f64) -> String {
    if (speed - 1.0).abs() < f64::EPSILON {
        world.scenario.clone()
    } else {
        format!("{} ×{speed}", world.scenario)
    }
}

/// The runtime that asks AWS.
pub(super) fn worker(threads: usize) -> Result<Runtime, Failure> {
    Builder::new_multi_thread()
        .worker_threads(threads)
        .thread_name("switchtower-aws")
        .enable_all()
        .build()
        .map_err(|error| Failure::error(format_args!("no threads can be started: {error}")))
}

/// Watches on one thread, beside the console's own; `watching` ends by itself when nobody listens any more. The thread
/// sleeps, asks and computes, so that nothing is handed from thread to thread, and it keeps up with every region that
/// AWS has. A second would wake the machine twice as often, and the allocator never gives to one thread what another
/// has freed.
pub(super) fn watch(watching: impl Future<Output = ()> + Send + 'static) -> io::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let thread = std::thread::Builder::new().name("switchtower-aws".to_owned());
    let run = move || {
        runtime.block_on(watching);
        // What hangs is left behind; the end of the process ends it.
        runtime.shutdown_background();
    };
    thread.spawn(run).map(drop)
}

/// The saved baseline of an application: read at first, written now and then.
#[derive(Clone)]
pub(super) struct Store {
    path: Arc<PathBuf>,
    application: Arc<str>,
    clock: Clock,
    known: Arc<Mutex<Option<Baseline>>>,
}

impl Store {
    /// How often it is written while the console runs.
    pub(super) const EVERY: Duration = Duration::from_mins(1);

    fn new(path: PathBuf, application: &str, clock: Clock) -> Self {
        Self { path: Arc::new(path), application: application.into(), clock, known: Arc::default() }
    }

    /// Reads the file on a thread for such work. The second part is what people should hear about it.
    pub(super) async fn load(&self) -> (Option<Baseline>, Option<String>) {
        let store = self.clone();
        match tokio::task::spawn_blocking(move || store.load_now()).await {
            Ok(loaded) => loaded,
            Err(error) => (None, Some(format!("the saved baseline could not be read: {error}"))),
        }
    }

    /// The same on this thread, for who has nothing else to do before watching begins: memory is kept by thread, and
    /// what reading frees is used again by watching.
    fn load_now(&self) -> (Option<Baseline>, Option<String>) {
        let loaded = baseline::load(&self.path, &self.application);
        let warning = loaded.warning.map(|warning| warning.to_string());
        if let Some(warning) = &warning {
            tracing::warn!("{warning}");
        }
        (loaded.baseline, warning)
    }

    /// What watching starts from: the file's answers as a snapshot. They are not kept a second time here.
    pub(super) fn seed(&self) -> (Option<FleetSnapshot>, Option<String>) {
        let (mut baseline, warning) = self.load_now();
        let seed = baseline.as_mut().and_then(|baseline| baseline.take_snapshot(self.clock.now()));
        *self.lock() = baseline;
        (seed, warning)
    }

    /// Takes over what is good in `snapshot` and writes the file on a thread for such work.
    pub(super) async fn save(&self, snapshot: FleetSnapshot) {
        let store = self.clone();
        let saved = tokio::task::spawn_blocking(move || store.save_now(&snapshot)).await;
        if let Err(error) = saved {
            tracing::warn!("the baseline could not be saved: {error}");
        }
    }

    /// The same on this thread.
    pub(super) fn save_now(&self, snapshot: &FleetSnapshot) {
        let mut known = self.lock();
        let earlier = || baseline::load(&self.path, &self.application).baseline;
        let new = || Baseline::new(self.application.as_ref().into(), self.clock.now());
        let baseline = known.get_or_insert_with(|| earlier().unwrap_or_else(new));
        baseline.absorb(snapshot);
        if let Err(error) = baseline.save(&self.path) {
            tracing::warn!("the baseline could not be saved to {}: {error}", self.path.display());
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Option<Baseline>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Our own requests, unless AWS is not AWS: names of a simulated zone lead to strangers in the real one.
struct Guarded {
    real: RealProbe,
    cloud: Cloud,
    /// The topology says where requests go instead.
    based: bool,
    control: Option<String>,
}

impl HttpsProbe for Guarded {
    fn probe(&self, request: ProbeRequest) -> BoxFuture<'_, Result<ProbeResult, ProbeFailure>> {
        if let Some(failure) = self.refused(&request) {
            return Box::pin(std::future::ready(Err(failure)));
        }
        self.real.probe(request)
    }

    fn exchange(
        &self,
        request: ProbeRequest,
        message: Message,
    ) -> BoxFuture<'_, Result<Exchanged, ProbeFailure>> {
        match self.refused(&request) {
            Some(failure) => Box::pin(std::future::ready(Err(failure))),
            None => self.real.exchange(request, message),
        }
    }
}

impl Guarded {
    /// Why a request is not made: names of a simulated zone lead to strangers.
    fn refused(&self, request: &ProbeRequest) -> Option<ProbeFailure> {
        let ours = self.control.as_ref() == Some(&request.url);
        (!self.based && !ours && self.cloud.custom_endpoint().is_some()).then(|| ProbeFailure {
            kind: ErrorKind::NotConfigured,
            message: "not asked: AWS is not asked at its own endpoint, and the topology has no probe.base"
                .into(),
        })
    }
}
