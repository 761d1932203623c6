//! The simulated AWS: a world with a clock and a seed behind the SDK's own `HttpClient`.
//!
//! What it is for: the demo, hermetic tests and `sim --listen`. The real SDK clients serialise, sign, retry
//! and parse; calls are routed by their SigV4 scope; nothing is mocked above the wire.
//! What it must not do: read the environment, know any aws_sdk_* type, or open a socket (but for [`listen`]
//! and [`dns::server`]).
//!
//! | module | what it is |
//! |---|---|
//! | [`call`] | one call and its answer |
//! | [`world`] | what exists, what is wrong, and what follows at any time |
//! | [`wire`] | protocols |
//! | [`services`] | one file a service |
//! | [`cloudwatch`] | CloudWatch, over the world's series |
//! | [`route`] | from an HTTP request to a service: scope, credentials, faults, rate limits, the call log |
//! | [`client`] | the SDK's `HttpClient` |
//! | [`listen`] | the same world on a loopback socket |
//! | [`dns`] | the zone's name servers, inside the world and on a loopback port |
//! | `inject` | faults on single calls |
//! | `trouble` | regions that go dark and control planes that fail, beside the scenario |
//! | `evacuation` | which switches are wired to take a region out of service |
//! | [`probe`] | our own HTTPS requests and name lookups inside the world |

pub mod call;
pub mod client;
pub mod cloudwatch;
pub mod dns;
mod evacuation;
mod inject;
pub mod limits;
pub mod listen;
pub mod probe;
pub mod route;
pub mod services;
mod topology;
mod trouble;
pub mod wire;
pub mod world;

use std::collections::VecDeque;
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::Region;
use crate::ports::Clock;

pub use client::http_client;
pub use evacuation::{EvacuationWiring, RoutingControls, SwitchMetric, SwitchObjects};
pub use inject::{FaultId, FaultKind, InjectedFault};
pub use route::{CallRecord, Outcome};
pub use world::checks::Wiring;
pub use world::fleet::LeaseTable;
pub use world::scenario::{Mode, Scenario, ScenarioError, names as scenario_names};
pub use world::stores::Message;
pub use world::{RegionView, WorldView};

use world::geography::PLACES;
use world::{Fleet, World, copied, lock, scenario, timeline};

/// Who the simulated credentials are.
pub const IDENTITY_ARN: &str = "arn:aws:sts::123456789012:assumed-role/switchtower-operator/demo";

/// How many calls the log keeps.
const LOGGED: usize = 20_000;

/// Which world.
#[derive(Clone, Debug)]
pub struct SimOptions {
    /// Regions, in the order in which they are shown; see [`SimOptions::first_regions`].
    pub regions: Vec<Region>,
    /// ECS services (each with its target group) in every region.
    pub services: usize,
    /// The same seed gives the same world.
    pub seed: u64,
    /// Name of the scenario that is under way when the world starts.
    pub scenario: String,
    /// Where it happens, instead of where its file says.
    pub scenario_region: Option<Region>,
    /// Whether calls take time, as a network's do.
    pub latency: bool,
    /// Factor by which the world's own delays (task start, health checks, TTL, Aurora, replication of a moved
    /// writer) are shorter than AWS's. Metrics keep their minutes, and the clock its speed.
    pub pace: f64,
    /// Which switches are wired into the records' health checks.
    pub wiring: Wiring,
    /// The table of the lease; by default in a region that need not serve users.
    pub lease: LeaseTable,
    /// Region of the switch objects and of the switch metric.
    pub switch_region: Region,
    /// The region whose registry holds the images and secrets of all regions' tasks; each its own when absent.
    pub images_in: Option<Region>,
    /// Regions whose health checks belong to another service, which makes them read-only.
    pub linked_checks: Vec<Region>,
    /// Fargate vCPUs that the account may use in each region.
    pub vcpus: f64,
    /// Addresses for tasks in each subnet; a task that finds none does not start.
    pub addresses: u32,
}

impl Default for SimOptions {
    fn default() -> Self {
        Self {
            regions: Self::first_regions(2),
            services: 3,
            seed: 7,
            scenario: "calm".into(),
            scenario_region: None,
            latency: true,
            pace: 1.0,
            wiring: Wiring::default(),
            lease: LeaseTable::default(),
            switch_region: Region::new("us-west-2"),
            images_in: None,
            linked_checks: Vec::new(),
            vcpus: 256.0,
            addresses: 250,
        }
    }
}

impl SimOptions {
    /// The first `count` of the thirty regions that the world knows; `us-east-1` and `eu-west-1` lead.
    pub fn first_regions(count: usize) -> Vec<Region> {
        PLACES.iter().take(count).map(|place| Region::new(place.name)).collect()
    }
}

/// Why there is no such world.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// No built-in scenario has that name.
    #[error("there is no scenario \"{name}\"; there are {}", .known.join(", "))]
    UnknownScenario {
        /// What was asked for.
        name: String,
        /// What there is.
        known: Vec<String>,
    },
    /// Too few or too many regions.
    #[error("a world has 2 to {most} regions, not {0}", most = PLACES.len())]
    RegionCount(usize),
    /// A region twice.
    #[error("region {0} is named twice")]
    Twice(Region),
    /// The scenario's region is not one of the world's.
    #[error("region {0} is not one of this world's")]
    NotHere(Region),
    /// No services, or more than a load balancer has rules.
    #[error("a region has 1 to 100 services, not {0}")]
    ServiceCount(usize),
}

/// Credentials that the simulation accepts, as it accepts any.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SimCredentials {
    /// Access key id.
    pub access_key_id: String,
    /// Secret access key.
    pub secret_access_key: String,
    /// Session token.
    pub session_token: String,
    /// When they end.
    pub expires: Timestamp,
}

/// The simulated AWS. Cheap to clone; all clones are one world.
#[derive(Clone)]
pub struct Sim {
    inner: Arc<Inner>,
}

struct Inner {
    world: World,
    clock: Clock,
    latency: bool,
    scenario: Mutex<(String, String)>,
    limits: Mutex<limits::Limits>,
    injected: Mutex<inject::Injected>,
    log: Mutex<VecDeque<CallRecord>>,
    counter: AtomicU64,
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sim").field("seed", &self.inner.world.seed).finish_non_exhaustive()
    }
}

impl Sim {
    /// Makes a world that starts now, with the scenario already under way.
    pub fn new(options: SimOptions, clock: Clock) -> Result<Self, SimError> {
        let SimOptions { regions, services, seed, scenario, scenario_region, latency, pace, wiring, .. } =
            options.clone();
        let count = regions.len();
        if !(2..=PLACES.len()).contains(&count) {
            return Err(SimError::RegionCount(count));
        }
        if !(1..=100).contains(&services) {
            return Err(SimError::ServiceCount(services));
        }
        if let Some(twice) = (1..count).find(|index| regions[..*index].contains(&regions[*index])) {
            return Err(SimError::Twice(regions[twice].clone()));
        }
        let started = clock.now();
        let names: Vec<String> = regions.into_iter().map(|region| region.to_string()).collect();
        let mut fleet = Fleet::new(&names, services, seed, started);
        fleet.lease = options.lease;
        fleet.switch_region = options.switch_region.to_string();
        fleet.images_in = options.images_in.map(|region| region.to_string());
        fleet.linked = options.linked_checks.iter().map(Region::to_string).collect();
        fleet.vcpus = options.vcpus;
        fleet.addresses = options.addresses;
        let sim = Self {
            inner: Arc::new(Inner {
                world: World::new(fleet, wiring, pace, started),
                clock,
                latency,
                scenario: Mutex::default(),
                limits: Mutex::default(),
                injected: Mutex::default(),
                log: Mutex::default(),
                counter: AtomicU64::new(0),
            }),
        };
        sim.begin(&known(&scenario)?, scenario_region.as_ref(), true)?;
        Ok(sim)
    }

    /// A world of its own that is as this one is now. `clock` tells the same time as this one's, and goes on
    /// from there.
    #[must_use]
    pub fn fork(&self, clock: Clock) -> Self {
        let Inner { world, clock: _, latency, scenario, limits, injected, log, counter } = &*self.inner;
        Self {
            inner: Arc::new(Inner {
                world: world.clone(),
                clock,
                latency: *latency,
                scenario: copied(scenario),
                limits: copied(limits),
                injected: copied(injected),
                log: copied(log),
                counter: AtomicU64::new(counter.load(Ordering::Relaxed)),
            }),
        }
    }

    /// Starts a scenario in the running world, now; whatever was wrong before ends. `region` overrides the
    /// place that its file names.
    pub fn start_scenario(&self, name: &str, region: Option<&Region>) -> Result<(), SimError> {
        self.begin(&known(name)?, region, false)
    }

    /// Starts a scenario in the running world, now, beside whatever is wrong. `region` overrides the place that
    /// its file names.
    pub fn start_beside(&self, name: &str, region: Option<&Region>) -> Result<(), SimError> {
        let scenario = known(name)?;
        let place = self.place_of(&scenario, region)?;
        self.inner.world.overlay(&scenario, &place, self.inner.clock.now());
        let mut told = lock(&self.inner.scenario);
        told.0 = format!("{} + {}", told.0, scenario.name);
        Ok(())
    }

    /// The same with a scenario of one's own, see [`Scenario::parse`].
    pub fn start(&self, scenario: &Scenario, region: Option<&Region>) -> Result<(), SimError> {
        self.begin(scenario, region, false)
    }

    fn begin(&self, scenario: &Scenario, region: Option<&Region>, under_way: bool) -> Result<(), SimError> {
        let place = self.place_of(scenario, region)?;
        let lead = SignedDuration::from_secs(if under_way { scenario.lead_seconds } else { 0 });
        self.inner.world.begin(scenario, &place, self.inner.clock.now() - lead);
        *lock(&self.inner.scenario) = (scenario.name.clone(), place);
        Ok(())
    }

    /// Where a scenario happens.
    fn place_of(&self, scenario: &Scenario, region: Option<&Region>) -> Result<String, SimError> {
        let fleet = &self.inner.world.fleet;
        match region.filter(|region| fleet.site(region.as_str()).is_none()) {
            Some(elsewhere) => Err(SimError::NotHere(elsewhere.clone())),
            None => Ok(timeline::place_of(scenario, region.map(Region::as_str), fleet)),
        }
    }

    /// Name and region of the scenario that is under way.
    pub fn scenario(&self) -> (String, String) {
        lock(&self.inner.scenario).clone()
    }

    /// The world's clock.
    pub fn clock(&self) -> Clock {
        self.inner.clock
    }

    /// The world itself.
    pub fn world(&self) -> &World {
        &self.inner.world
    }

    /// The truth about the world now.
    pub fn view(&self) -> WorldView {
        self.inner.world.view(self.inner.clock.now())
    }

    /// Users' requests that failed since a moment of this world, by the region that should have served them, in
    /// the order of the regions. A part of a minute counts as its part of the minute.
    pub fn users_failed_since(&self, from: Timestamp) -> Vec<(Region, f64)> {
        let world = &self.inner.world;
        let failed = world.failed_between(from, self.inner.clock.now());
        let regions = world.fleet.sites.iter().map(|site| Region::new(&site.region));
        regions.zip(failed).collect()
    }

    /// The messages that were published to topics, oldest first.
    pub fn messages(&self) -> Vec<Message> {
        self.inner.world.stores.messages()
    }

    /// The calls so far, oldest first.
    pub fn calls(&self) -> Vec<CallRecord> {
        lock(&self.inner.log).iter().cloned().collect()
    }

    /// Empties the log of calls.
    pub fn clear_calls(&self) {
        lock(&self.inner.log).clear();
    }

    fn record(&self, record: CallRecord) {
        let mut log = lock(&self.inner.log);
        if log.len() >= LOGGED {
            log.pop_front();
        }
        log.push_back(record);
    }

    /// Credentials for this world. They end twelve hours after its start; where the scenario says that they
    /// have expired, they ended a minute before it.
    pub fn credentials(&self) -> SimCredentials {
        let world = &self.inner.world;
        let region = world.fleet.sites.first().map_or("", |site| site.region.as_str());
        let expires = if world.expired(region, self.inner.clock.now()) {
            world.started - SignedDuration::from_secs(60)
        } else {
            world.started + SignedDuration::from_hours(12)
        };
        SimCredentials {
            // Each time that credentials expire by a fault there are new ones.
            access_key_id: format!("ASIASIMULATEDWORLD{:02}", self.inner.keys_expired() + 1),
            secret_access_key: "simulated/secret/key/that/opens/nothing0".into(),
            session_token: "simulated-session-token".into(),
            expires,
        }
    }
}

/// The built-in scenario of that name.
fn known(name: &str) -> Result<Scenario, SimError> {
    scenario::find(name)
        .ok_or_else(|| SimError::UnknownScenario { name: name.to_owned(), known: scenario::names() })
}
