//! One scope in one region: its clients, and the one way in which all of its calls are asked.
//!
//! What it is for: clients, those in daily use built once and shared, and every failure explained with the
//! profile and the identity that met it. What it must not do: know what any call is for.

use std::borrow::Cow;
use std::error::Error;
use std::future::Future;
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use aws_config::SdkConfig;
use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
use jiff::SignedDuration;
use tokio::sync::OnceCell;

use super::config::Access;
use super::credentials::{Origin, Vault};
use super::errors::{self, Asked};
use super::time::Shifted;
use super::{Budget, Cloud};
use crate::domain::ids::Region;
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;

/// Where calls are made: a region, with the credentials of a scope. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Place {
    cloud: Cloud,
    seat: Arc<Seat>,
}

/// What a place keeps between calls.
#[derive(Debug)]
pub(super) struct Seat {
    scope: String,
    region: Region,
    access: OnceCell<Access>,
    identity: Mutex<Option<Text>>,
    clients: Clients,
}

/// Each client has retry tokens of its own. The SDK's default keeps them for the whole process, where the
/// failures of one place would use up the retries of another.
pub(super) const RETRIES: &str = "switchtower";

/// Time for a connection of a call that is sent once.
const CONNECT: Duration = Duration::from_millis(3_100);

/// How much later than its only attempt a call ends: never, but for loading credentials.
const SLACK: Duration = Duration::from_secs(4);

/// From here on AWS refuses signatures made by our clock (it allows five minutes).
const SKEWED: SignedDuration = SignedDuration::from_mins(4);

macro_rules! clients {
    (kept { $($name:ident: $sdk:ident;)+ } passing { $($rare:ident: $rare_sdk:ident;)+ }) => {
        #[derive(Debug, Default)]
        struct Clients {
            $($name: OnceLock<$sdk::Client>,)+
            route53: OnceLock<aws_sdk_route53::Client>,
        }

        impl Place {
            $(
                /// The client of this service here.
                pub(super) async fn $name(&self) -> &$sdk::Client {
                    let access = self.access().await;
                    self.seat.clients.$name.get_or_init(|| {
                        use $sdk::config::{Builder, retry::RetryPartition};
                        let retries = RetryPartition::custom(RETRIES).build();
                        let config = Builder::from(&access.config).retry_partition(retries).build();
                        $sdk::Client::from_conf(config)
                    })
                }
            )+
            $(
                /// A client of this service here, for a few calls.
                pub(super) async fn $rare(&self) -> $rare_sdk::Client {
                    use $rare_sdk::config::{Builder, retry::RetryPartition};
                    let retries = RetryPartition::custom(RETRIES).build();
                    let config = Builder::from(&self.access().await.config).retry_partition(retries).build();
                    $rare_sdk::Client::from_conf(config)
                }
            )+
        }
    };
}

// A client is ten to twenty kilobytes, in each of thirty regions. Who is asked every minute keeps one; for who is asked
// every ten minutes, or in a run alone, one is made each time.
clients! {
    kept {
        cloudwatch: aws_sdk_cloudwatch;
        dynamodb: aws_sdk_dynamodb;
        ecs: aws_sdk_ecs;
        elb: aws_sdk_elasticloadbalancingv2;
        rds: aws_sdk_rds;
        scaling: aws_sdk_applicationautoscaling;
    }
    passing {
        quotas: aws_sdk_servicequotas;
        stacks: aws_sdk_cloudformation;
        sns: aws_sdk_sns;
        sts: aws_sdk_sts;
    }
}

impl Seat {
    pub(super) fn new(scope: &str, region: &Region) -> Self {
        Self {
            scope: scope.to_owned(),
            region: region.clone(),
            access: OnceCell::new(),
            identity: Mutex::default(),
            clients: Clients::default(),
        }
    }
}

impl Place {
    pub(super) fn new(cloud: Cloud, seat: Arc<Seat>) -> Self {
        Self { cloud, seat }
    }

    /// The region.
    pub fn region(&self) -> &Region {
        &self.seat.region
    }

    /// The way to AWS that this place belongs to.
    pub fn cloud(&self) -> &Cloud {
        &self.cloud
    }

    /// Loads configuration, so that [`Cloud::custom_endpoint`] knows the profile's endpoint too.
    pub async fn ready(&self) {
        self.access().await;
    }

    /// The client of Route 53. An account has five requests a second, shared with everybody, so that a
    /// refusal here says little; it is asked twice as often as others before it counts.
    pub(super) async fn route53(&self) -> &aws_sdk_route53::Client {
        use aws_sdk_route53::config::{Builder, retry};
        let access = self.access().await;
        self.seat.clients.route53.get_or_init(|| {
            let config = Builder::from(&access.config)
                .retry_config(retry::RetryConfig::standard().with_max_attempts(4))
                .retry_partition(retry::RetryPartition::custom(RETRIES).build())
                .build();
            aws_sdk_route53::Client::from_conf(config)
        })
    }

    /// A client of S3, for a few calls. Names of buckets go into the path where the endpoint is not AWS's own.
    pub(super) async fn s3(&self) -> aws_sdk_s3::Client {
        let access = self.access().await;
        let config = aws_sdk_s3::config::Builder::from(&access.config)
            .force_path_style(access.custom_endpoint)
            .retry_partition(aws_sdk_s3::config::retry::RetryPartition::custom(RETRIES).build())
            .build();
        aws_sdk_s3::Client::from_conf(config)
    }

    /// Makes one call and explains its failure.
    ///
    /// The SDK's futures are tens of kilobytes. Boxed here at once, before anything awaits, each lies in memory once
    /// and not once more in every function that hands it on.
    pub(super) fn ask<T, E>(
        &self,
        call: &'static str,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> impl Future<Output = Result<T, ProbeError>> + Send
    where
        T: Send,
        E: ProvideErrorMetadata + Error + Send + 'static,
    {
        let answer = Box::pin(answer);
        async move { answer.await.map_err(|error| self.explained(call, &error)) }
    }

    /// What went wrong with a call made here.
    pub(super) fn explained<E>(&self, call: &'static str, error: &SdkError<E, HttpResponse>) -> ProbeError
    where
        E: ProvideErrorMetadata + Error + 'static,
    {
        let access = self.seat.access.get();
        let vault = access.and_then(|access| access.vault.as_ref());
        let asked = Asked {
            call: Cow::Borrowed(call),
            region: &self.seat.region,
            at: self.cloud.0.clock.now(),
            profile: access.and_then(|access| access.profile.as_deref()),
            origin: vault.map_or(Origin::Unknown, Vault::origin),
            identity: self.identity(),
        };
        let explained = errors::explain(error, &asked);
        if explained.kind == ErrorKind::Expired
            && let Some(vault) = vault
        {
            vault.doubt();
        }
        tracing::debug!(error = %explained, kind = ?explained.kind, "call failed");
        explained
    }

    /// The configuration for calls that are sent once: no retry, and `limit` for the answer. They are signed by
    /// AWS's clock where ours is far off, as the SDK does by itself only when it may retry.
    pub(super) async fn once(&self, limit: Duration) -> SdkConfig {
        let config = self.access().await.config.to_builder();
        let timeouts = TimeoutConfig::builder()
            .connect_timeout(CONNECT.min(limit))
            .operation_attempt_timeout(limit)
            .operation_timeout(limit + SLACK)
            .build();
        self.on_time(config.retry_config(RetryConfig::disabled()).timeout_config(timeouts).build())
    }

    /// The configuration for a call that no client of the SDK makes: with its retries, and signed by AWS's clock.
    pub(super) async fn by_hand(&self) -> SdkConfig {
        self.on_time(self.access().await.config.clone())
    }

    fn on_time(&self, config: SdkConfig) -> SdkConfig {
        let ahead = self.cloud.clock_ahead();
        if ahead.abs() < SKEWED {
            return config;
        }
        config.into_builder().time_source(Shifted(self.cloud.0.clock, ahead)).build()
    }

    /// The same for S3.
    pub(super) async fn s3_once(&self, limit: Duration) -> aws_sdk_s3::Client {
        let path_style = self.access().await.custom_endpoint;
        let config = aws_sdk_s3::config::Builder::from(&self.once(limit).await);
        aws_sdk_s3::Client::from_conf(config.force_path_style(path_style).build())
    }

    /// Makes one call to Route 53, after its budget allows it.
    pub(super) fn ask_route53<T, E>(
        &self,
        budget: &Budget,
        call: &'static str,
        answer: impl Future<Output = Result<T, SdkError<E, HttpResponse>>> + Send,
    ) -> impl Future<Output = Result<T, ProbeError>> + Send
    where
        T: Send,
        E: ProvideErrorMetadata + Error + Send + 'static,
    {
        let asked = self.ask(call, answer);
        async move {
            budget.take().await;
            asked.await
        }
    }

    /// An error of ours about a call made here.
    pub fn error(&self, kind: ErrorKind, call: &'static str, message: impl Into<Text>) -> ProbeError {
        ProbeError {
            kind,
            call: Cow::Borrowed(call),
            region: Some(self.seat.region.clone()),
            message: message.into(),
            request_id: None,
            at: self.cloud.0.clock.now(),
            next_step: Text::default(),
        }
    }

    /// "AWS answered, and this was not in it."
    pub(super) fn absent(&self, call: &'static str, what: impl Into<Text>) -> ProbeError {
        self.error(ErrorKind::NotFound, call, what)
    }

    /// Counts the series of a GetMetricData request.
    pub(super) fn count_series(&self, count: usize) {
        self.cloud.0.meter.series(count);
    }

    /// The budget for watching Route 53.
    pub(super) fn route53_budget(&self) -> &Budget {
        &self.cloud.0.route53
    }

    /// The budget for discovering in Route 53.
    pub(super) fn discovery_budget(&self) -> &Budget {
        &self.cloud.0.discovery
    }

    pub(super) async fn access(&self) -> &Access {
        if let Some(access) = self.seat.access.get() {
            return access;
        }
        // Loading profiles is a large future that runs once: it must not lie in every later call's.
        let world = &self.cloud.0.world;
        Box::pin(self.seat.access.get_or_init(|| world.access(&self.seat.scope, &self.seat.region))).await
    }

    pub(super) fn know_identity(&self, arn: &str) {
        *self.seat.identity.lock().unwrap_or_else(PoisonError::into_inner) = Some(Text::new(arn));
    }

    fn identity(&self) -> Option<Text> {
        self.seat.identity.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
