//! A world, and the way into it.

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
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
    let http = sim.http_client();
    enter(sim, clock, http)
}

fn enter(sim: Sim, clock: Clock, http: SharedHttpClient) -> World {
    let keys = sim.credentials();
    let keys = Keys {
        access_key: &keys.access_key_id,
        secret_key: &keys.secret_access_key,
        session_token: Some(&keys.session_token),
        expires: Some(keys.expires),
    };
    let cloud = Cloud::simulated(http, clock, &keys);
    let topology = Arc::new(sim.topology());
    World { sim, cloud, clock, topology }
}

/// A calm world in which ECS of us-east-1 refuses every call with "slow down" until told otherwise.
pub(crate) fn refusing() -> (World, Refuse) {
    fastrand::seed(7);
    let clock = Clock::starting_at(epoch(), 1.0);
    let sim = Sim::new(SimOptions::default(), clock).unwrap();
    let refuse = Refuse(Arc::new(Inner {
        beyond: sim.http_client(),
        clock,
        on: AtomicBool::new(true),
        times: Mutex::default(),
    }));
    let http = SharedHttpClient::new(refuse.clone());
    (enter(sim, clock, http), refuse)
}

/// The refusal, and when it was met.
#[derive(Clone)]
pub(crate) struct Refuse(Arc<Inner>);

struct Inner {
    beyond: SharedHttpClient,
    clock: Clock,
    on: AtomicBool,
    times: Mutex<Vec<Timestamp>>,
}

impl Refuse {
    pub(crate) fn times(&self) -> Vec<Timestamp> {
        self.0.times.lock().unwrap().clone()
    }

    pub(crate) fn stop(&self) {
        self.0.on.store(false, Ordering::Relaxed);
    }
}

impl fmt::Debug for Refuse {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Refuse")
    }
}

impl HttpClient for Refuse {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        let inner = self.0.beyond.http_connector(settings, components);
        SharedHttpConnector::new(Refusing { refuse: self.clone(), inner })
    }
}

#[derive(Debug)]
struct Refusing {
    refuse: Refuse,
    inner: SharedHttpConnector,
}

impl HttpConnector for Refusing {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let refuse = &self.refuse.0;
        if !refuse.on.load(Ordering::Relaxed) || !request.uri().contains("//ecs.us-east-1.") {
            return self.inner.call(request);
        }
        refuse.times.lock().unwrap().push(refuse.clock.now());
        let body = SdkBody::from(r#"{"__type":"ThrottlingException","message":"Rate exceeded"}"#);
        let answer = http::Response::builder().status(400).body(body).unwrap();
        HttpConnectorFuture::ready(Ok(answer.try_into().unwrap()))
    }
}
