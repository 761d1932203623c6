//! The simulated AWS, asked by the real SDK clients on virtual time.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

mod capacity;
mod controls;
mod database;
mod deletion;
mod deletion_edge;
mod dns;
mod effects;
mod evacuate;
mod faults;
mod inject;
mod lease;
mod pace;
mod purity;
mod reads;
mod scenarios;
mod stores;
mod wire;

use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::retry::RetryConfig;
use jiff::Timestamp;
use switchtower::domain::ids::Region;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

/// The moment at which every world of these tests starts.
pub(crate) const START: &str = "2026-11-21T12:00:00Z";

#[derive(Clone, Copy, Debug)]
struct Time(Clock);

impl TimeSource for Time {
    fn now(&self) -> std::time::SystemTime {
        self.0.now().into()
    }
}

#[derive(Clone, Copy, Debug)]
struct Sleep(Clock);

impl aws_smithy_async::rt::sleep::AsyncSleep for Sleep {
    fn sleep(&self, duration: std::time::Duration) -> aws_smithy_async::rt::sleep::Sleep {
        let clock = self.0;
        aws_smithy_async::rt::sleep::Sleep::new(async move { clock.sleep(duration).await })
    }
}

/// A world with a scenario under way.
pub(crate) fn world(scenario: &str) -> Sim {
    world_of(SimOptions { scenario: scenario.into(), ..SimOptions::default() })
}

/// A world of one's own making.
pub(crate) fn world_of(options: SimOptions) -> Sim {
    let start: Timestamp = START.parse().unwrap();
    Sim::new(options, Clock::starting_at(start, 1.0)).unwrap()
}

/// The SDK's configuration for a region, without retries.
pub(crate) fn config(sim: &Sim, region: &str) -> SdkConfig {
    retrying(sim, region, 1)
}

/// The SDK's configuration for a region, with so many attempts.
pub(crate) fn retrying(sim: &Sim, region: &str, attempts: u32) -> SdkConfig {
    let credentials = sim.credentials();
    let keys = Credentials::new(
        credentials.access_key_id,
        credentials.secret_access_key,
        Some(credentials.session_token),
        None,
        "simulation",
    );
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(aws_types::region::Region::new(region.to_owned()))
        .credentials_provider(SharedCredentialsProvider::new(keys))
        .http_client(sim.http_client())
        .sleep_impl(Sleep(sim.clock()))
        .time_source(Time(sim.clock()))
        .retry_config(RetryConfig::standard().with_max_attempts(attempts))
        .build()
}

/// The code of a failed call.
pub(crate) fn code<T, E, R>(
    result: Result<T, aws_smithy_runtime_api::client::result::SdkError<E, R>>,
) -> String
where
    T: std::fmt::Debug,
    R: std::fmt::Debug,
    E: aws_smithy_types::error::metadata::ProvideErrorMetadata + std::error::Error + 'static,
{
    let error = result.unwrap_err();
    match error.as_service_error().and_then(|error| error.code()) {
        Some(code) => code.to_owned(),
        None => format!("no code: {error:?}"),
    }
}

/// Names of the default regions.
pub(crate) fn regions(count: usize) -> Vec<Region> {
    SimOptions::first_regions(count)
}

/// Waits until something holds, looking every five seconds; fails after `limit` seconds of the world.
pub(crate) async fn until(sim: &Sim, limit: u64, what: &str, holds: impl Fn(&Sim) -> bool) -> u64 {
    for passed in (0..=limit).step_by(5) {
        if holds(sim) {
            return passed;
        }
        sim.clock().sleep(std::time::Duration::from_secs(5)).await;
    }
    panic!("not within {limit} s: {what}; {:#?}", sim.view());
}

/// Lets time pass.
pub(crate) async fn pass(sim: &Sim, seconds: u64) {
    sim.clock().sleep(std::time::Duration::from_secs(seconds)).await;
}

/// Which regions are answered.
pub(crate) fn in_dns(sim: &Sim) -> Vec<bool> {
    sim.view().regions.iter().map(|region| region.in_dns).collect()
}
