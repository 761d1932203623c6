//! Credentials: one load for all, slow and broken sources told apart from slow and broken regions.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use futures_util::future::join_all;
use jiff::SignedDuration;
use switchtower::cloud::{Cloud, Place};
use switchtower::domain::ids::{Region, TableName};
use switchtower::domain::observation::ErrorKind;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

use super::fixture::epoch;

/// What the source does when it is asked.
#[derive(Clone, Copy, Debug)]
enum Mood {
    /// Answers after so long, with credentials that last so long.
    Gives(Duration, Duration),
    /// Says no.
    Refuses(&'static str),
}

#[derive(Clone, Debug)]
struct Source {
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicUsize>,
    clock: Clock,
}

impl ProvideCredentials for Source {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async move {
            self.asked.fetch_add(1, Ordering::Relaxed);
            let mood = *self.mood.lock().unwrap();
            match mood {
                Mood::Refuses(words) => Err(CredentialsError::provider_error(words)),
                Mood::Gives(after, lasting) => {
                    self.clock.sleep(after).await;
                    let end = SystemTime::from(self.clock.now()) + lasting;
                    Ok(Credentials::new("AKIATEST", "secret", None, Some(end), "test"))
                }
            }
        })
    }
}

struct Stage {
    source: Source,
    cloud: Cloud,
    clock: Clock,
}

const AT_ONCE: Duration = Duration::ZERO;
const AN_HOUR: Duration = Duration::from_hours(1);

fn stage(scenario: &str, mood: Mood) -> Stage {
    fastrand::seed(7);
    let clock = Clock::starting_at(epoch(), 1.0);
    let sim = Sim::new(SimOptions { scenario: scenario.into(), ..SimOptions::default() }, clock).unwrap();
    let source = Source { mood: Arc::new(Mutex::new(mood)), asked: Arc::default(), clock };
    let provider = source.clone();
    let open = Box::new(move |_| {
        let provider = SharedCredentialsProvider::new(provider.clone());
        let fresh: switchtower::ports::BoxFuture<'static, _> = Box::pin(async move { provider });
        fresh
    });
    Stage { source, cloud: Cloud::simulated_with(sim.http_client(), clock, open), clock }
}

impl Stage {
    fn place(&self) -> Place {
        self.cloud.at(&Region::new("eu-west-1"))
    }

    async fn call(&self) -> Result<(), (ErrorKind, String)> {
        let answer = self.place().table(&TableName::new("Orders")).await;
        answer.map(drop).map_err(|error| (error.kind, error.next_step.as_str().to_owned()))
    }

    async fn wait(&self, seconds: u64) {
        self.clock.sleep(Duration::from_secs(seconds)).await;
    }

    fn asked(&self) -> usize {
        self.source.asked.load(Ordering::Relaxed)
    }

    fn becomes(&self, mood: Mood) {
        *self.source.mood.lock().unwrap() = mood;
    }
}

#[tokio::test(start_paused = true)]
async fn forty_calls_at_once_load_once() {
    let stage = stage("calm", Mood::Gives(Duration::from_secs(1), AN_HOUR));
    let answers = join_all((0..40).map(|_| stage.call())).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(stage.asked(), 1);
    let identity = stage.place().identity_now().await.unwrap();
    let left = identity.expires.unwrap().duration_since(stage.clock.now());
    assert!(left > SignedDuration::from_mins(59), "the banner knows when they end");
}

#[tokio::test(start_paused = true)]
async fn a_hung_source_is_no_dead_region_and_is_used_once_it_answers() {
    let stage = stage("calm", Mood::Gives(Duration::from_secs(12), AN_HOUR));
    let (kind, next) = stage.call().await.unwrap_err();
    assert_eq!(kind, ErrorKind::NoCredentials);
    assert!(next.contains("does not answer"), "{next}");
    let waited = stage.clock.now().duration_since(epoch());
    assert!(waited < SignedDuration::from_secs(4), "{waited:?}");
    stage.wait(10).await;
    assert_eq!(stage.call().await, Ok(()));
    assert_eq!(stage.asked(), 1, "the slow load went on by itself");
}

#[tokio::test(start_paused = true)]
async fn a_refusal_is_remembered_for_a_few_seconds() {
    let stage = stage("calm", Mood::Refuses("the SSO token has expired and cannot be refreshed"));
    for _ in 0..20 {
        let (kind, next) = stage.call().await.unwrap_err();
        assert_eq!(kind, ErrorKind::Expired);
        assert_eq!(next, "run `aws sso login`");
    }
    assert_eq!(stage.asked(), 1);
    stage.becomes(Mood::Gives(AT_ONCE, AN_HOUR));
    stage.wait(11).await;
    assert_eq!(stage.call().await, Ok(()), "signing in elsewhere is enough");
}

#[tokio::test(start_paused = true)]
async fn they_are_renewed_early_and_kept_while_that_fails() {
    let stage = stage("calm", Mood::Gives(AT_ONCE, AN_HOUR));
    assert_eq!(stage.call().await, Ok(()));
    stage.wait(54 * 60).await;
    assert_eq!(stage.call().await, Ok(()));
    assert_eq!(stage.asked(), 1);
    stage.becomes(Mood::Refuses("no"));
    stage.wait(120).await;
    for _ in 0..5 {
        assert_eq!(stage.call().await, Ok(()), "valid until they end");
        stage.wait(1).await;
    }
    assert_eq!(stage.asked(), 2, "one renewal was tried");
    stage.becomes(Mood::Gives(AT_ONCE, AN_HOUR));
    stage.wait(10).await;
    assert_eq!(stage.call().await, Ok(()));
    stage.wait(1).await;
    assert_eq!(stage.asked(), 3);
    stage.wait(50 * 60).await;
    assert_eq!(stage.call().await, Ok(()));
    assert_eq!(stage.asked(), 3, "and it lasted");
}

#[tokio::test(start_paused = true)]
async fn ended_ones_are_not_used() {
    let stage = stage("calm", Mood::Gives(AT_ONCE, Duration::from_mins(10)));
    assert_eq!(stage.call().await, Ok(()));
    stage.becomes(Mood::Refuses("no"));
    stage.wait(601).await;
    assert_eq!(stage.call().await.unwrap_err().0, ErrorKind::NoCredentials);
}

#[tokio::test(start_paused = true)]
async fn what_ends_in_a_moment_is_not_used_unless_there_is_nothing_else() {
    let stage = stage("calm", Mood::Gives(Duration::from_secs(1), Duration::from_mins(10)));
    assert_eq!(stage.call().await, Ok(()));
    // Nobody asked for anything meanwhile, and so nothing was renewed early.
    stage.wait(596).await;
    let before = stage.clock.now();
    assert_eq!(stage.call().await, Ok(()));
    assert_eq!(stage.asked(), 2);
    assert!(
        stage.clock.now().duration_since(before) >= SignedDuration::from_secs(1),
        "it waited for new ones"
    );
    stage.wait(595).await;
    stage.becomes(Mood::Refuses("no"));
    assert_eq!(stage.call().await, Ok(()), "seconds are better than nothing");
    stage.wait(1).await;
    assert_eq!(stage.call().await, Ok(()));
    assert_eq!(stage.asked(), 3, "and nobody asks again at once");
}

#[tokio::test(start_paused = true)]
async fn what_aws_does_not_accept_is_loaded_anew_but_not_each_time() {
    let stage = stage("expired-credentials", Mood::Gives(AT_ONCE, AN_HOUR));
    for _ in 0..60 {
        assert_eq!(stage.call().await.unwrap_err().0, ErrorKind::Expired);
        stage.wait(1).await;
    }
    assert!((5..=8).contains(&stage.asked()), "{} loads in a minute", stage.asked());
}
