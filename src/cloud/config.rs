//! Configuration of SDK clients: profiles, roles, endpoints, time-outs.
//!
//! What it is for: one `SdkConfig` a scope and region, loaded when first needed, never on the painting
//! thread. The simulation's is built by hand, so that no environment, file or metadata service is read.
//! What it must not do: call a service (except through the SDK's own credential sources).

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_config::identity::IdentityCache;
use aws_config::retry::RetryConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::sts::AssumeRoleProvider;
use aws_config::timeout::TimeoutConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::Credentials;
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;
use jiff::Timestamp;
use tokio::sync::OnceCell;

use super::credentials::{Declared, Open, Vault};
use super::source::Source;
use super::time::SdkClock;
use super::{CloudOptions, Keys};
use crate::domain::ids::Region;
use crate::ports::Clock;

/// Service ids as `AWS_ENDPOINT_URL_<SERVICE>` spells them, of every service asked here.
const SERVICES: [&str; 14] = [
    "ROUTE_53",
    "CLOUDWATCH",
    "DYNAMODB",
    "RDS",
    "ECS",
    EC2,
    "ELASTIC_LOAD_BALANCING_V2",
    "APPLICATION_AUTO_SCALING",
    "STS",
    "SNS",
    "S3",
    ROUTING,
    "SERVICE_QUOTAS",
    "CLOUDFORMATION",
];

/// The service of routing controls, which has no endpoint of its own but those of each cluster.
const ROUTING: &str = "ROUTE53_RECOVERY_CLUSTER";

/// The one service whose requests are not written by its SDK crate.
pub(super) const EC2: &str = "EC2";

/// Which AWS is asked.
#[derive(Debug)]
pub(super) enum World {
    Real(Box<Real>),
    Simulated(Box<Simulated>),
}

/// What a client is built from, and whose credentials it signs with.
#[derive(Clone, Debug)]
pub(super) struct Access {
    pub(super) config: SdkConfig,
    /// Absent in a simulation whose keys are given.
    pub(super) vault: Option<Vault>,
    /// When keys without a vault end.
    pub(super) expires: Option<Timestamp>,
    pub(super) profile: Option<String>,
    /// The endpoint is not AWS's: buckets go into the path, since their names may not resolve there.
    pub(super) custom_endpoint: bool,
}

#[derive(Debug)]
pub(super) struct Simulated {
    config: SdkConfig,
    vault: Option<Vault>,
    expires: Option<Timestamp>,
}

#[derive(Debug)]
pub(super) struct Real {
    options: CloudOptions,
    http: SharedHttpClient,
    clock: Clock,
    bases: Mutex<HashMap<Option<String>, Arc<Base>>>,
    endpoint: Mutex<Option<String>>,
}

/// One profile.
#[derive(Debug)]
struct Base {
    config: OnceCell<SdkConfig>,
    vault: Vault,
    /// Roles taken on top, by ARN and region: each region's role through its own STS.
    roles: Mutex<HashMap<(String, Region), Vault>>,
}

/// Reads: connect 3.1 s, attempt 4 s, operation 10 s (aws-facts section 10).
pub(super) fn timeouts() -> TimeoutConfig {
    TimeoutConfig::builder()
        .connect_timeout(Duration::from_millis(3_100))
        .operation_attempt_timeout(Duration::from_secs(4))
        .operation_timeout(Duration::from_secs(10))
        .build()
}

/// Two attempts: a third would come after the next one of the schedule.
pub(super) fn retries() -> RetryConfig {
    RetryConfig::standard().with_max_attempts(2)
}

impl World {
    pub(super) fn real(options: CloudOptions, http: SharedHttpClient, clock: Clock) -> Self {
        let endpoint = options.endpoint_url.clone().or_else(endpoint_of_environment);
        Self::Real(Box::new(Real {
            options,
            http,
            clock,
            bases: Mutex::default(),
            endpoint: Mutex::new(endpoint),
        }))
    }

    pub(super) fn simulated(http: SharedHttpClient, clock: Clock, keys: &Keys<'_>) -> Self {
        let token = keys.session_token.map(str::to_owned);
        let provider = Credentials::new(keys.access_key, keys.secret_key, token, None, "simulation");
        let config = by_hand(http, clock, SharedCredentialsProvider::new(provider));
        Self::Simulated(Box::new(Simulated { config, vault: None, expires: keys.expires }))
    }

    pub(super) fn simulated_with(http: SharedHttpClient, clock: Clock, open: Box<Open>) -> Self {
        let vault = Vault::new(clock, None, open);
        let config = by_hand(http, clock, SharedCredentialsProvider::new(vault.clone()));
        Self::Simulated(Box::new(Simulated { config, vault: Some(vault), expires: None }))
    }

    /// Configuration and credentials of a scope in a region.
    pub(super) async fn access(&self, scope: &str, region: &Region) -> Access {
        let at = aws_types::region::Region::new(region.as_str().to_owned());
        match self {
            Self::Simulated(simulated) => Access {
                config: simulated.config.to_builder().region(at).build(),
                vault: simulated.vault.clone(),
                expires: simulated.expires,
                profile: None,
                custom_endpoint: false,
            },
            Self::Real(real) => real.access(scope, region, at).await,
        }
    }

    /// True for a simulation in this process.
    pub(super) fn is_simulated(&self) -> bool {
        matches!(self, Self::Simulated(_))
    }

    pub(super) fn custom_endpoint(&self) -> Option<String> {
        match self {
            Self::Simulated(..) => None,
            Self::Real(real) => real.endpoint.lock().unwrap_or_else(PoisonError::into_inner).clone(),
        }
    }
}

/// A configuration that no loader touches.
fn by_hand(http: SharedHttpClient, clock: Clock, credentials: SharedCredentialsProvider) -> SdkConfig {
    SdkConfig::builder()
        .behavior_version(BehaviorVersion::latest())
        .credentials_provider(credentials)
        .identity_cache(IdentityCache::no_cache())
        .http_client(http)
        .sleep_impl(SdkClock(clock))
        .time_source(SdkClock(clock))
        .timeout_config(timeouts())
        .retry_config(retries())
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .build()
}

impl Real {
    async fn access(&self, scope: &str, region: &Region, at: aws_types::region::Region) -> Access {
        let wanted = self.options.scopes.get(scope).cloned().unwrap_or_default();
        let profile = self.options.profile.clone().or(wanted.profile);
        let base = self.base(profile.as_ref());
        let loaded = base.config.get_or_init(|| self.load(profile.clone())).await;
        let endpoint = endpoint_of(loaded);
        if endpoint.is_some() {
            let mut known = self.endpoint.lock().unwrap_or_else(PoisonError::into_inner);
            *known = known.take().or_else(|| endpoint.clone());
        }
        let vault = match &wanted.role_arn {
            None => base.vault.clone(),
            Some(role) => self.role(&base, loaded, role.as_str(), region, profile.clone()),
        };
        let config = loaded
            .to_builder()
            .region(at)
            .credentials_provider(SharedCredentialsProvider::new(vault.clone()))
            .identity_cache(IdentityCache::no_cache())
            .build();
        Access { config, vault: Some(vault), expires: None, profile, custom_endpoint: endpoint.is_some() }
    }

    fn base(&self, profile: Option<&String>) -> Arc<Base> {
        let mut bases = self.bases.lock().unwrap_or_else(PoisonError::into_inner);
        bases
            .entry(profile.cloned())
            .or_insert_with(|| {
                let source = self.source();
                let name = profile.cloned();
                let open =
                    move |failures: u32| -> crate::ports::BoxFuture<'static, SharedCredentialsProvider> {
                        let (mut source, name) = (source.clone(), name.clone());
                        source.elsewhere(failures);
                        // Loaded anew each time: `aws configure`, `aws login` or another tool may have
                        // changed the files since.
                        Box::pin(source.credentials(name))
                    };
                let (source, name) = (self.source(), profile.cloned());
                let told = move || -> crate::ports::BoxFuture<'static, Declared> {
                    Box::pin(source.clone().declared(name.clone()))
                };
                let vault = Vault::new(self.clock, profile.cloned(), Box::new(open));
                Arc::new(Base {
                    config: OnceCell::new(),
                    vault: vault.declaring(Box::new(told)),
                    roles: Mutex::default(),
                })
            })
            .clone()
    }

    fn role(
        &self,
        base: &Base,
        loaded: &SdkConfig,
        role: &str,
        region: &Region,
        profile: Option<String>,
    ) -> Vault {
        let mut roles = base.roles.lock().unwrap_or_else(PoisonError::into_inner);
        roles
            .entry((role.to_owned(), region.clone()))
            .or_insert_with(|| {
                let config = loaded.clone();
                let under = base.vault.clone();
                let (role, region) = (role.to_owned(), region.as_str().to_owned());
                let declared = Declared { role: Some(role.clone()), ..Declared::default() };
                let told = move || -> crate::ports::BoxFuture<'static, Declared> {
                    Box::pin(std::future::ready(declared.clone()))
                };
                let open = move |_| -> crate::ports::BoxFuture<'static, SharedCredentialsProvider> {
                    let builder = AssumeRoleProvider::builder(role.clone())
                        .configure(&config)
                        .region(aws_types::region::Region::new(region.clone()))
                        .session_name("switchtower");
                    let under = under.clone();
                    Box::pin(async move {
                        SharedCredentialsProvider::new(builder.build_from_provider(under).await)
                    })
                };
                Vault::new(self.clock, profile, Box::new(open)).declaring(Box::new(told))
            })
            .clone()
    }

    fn source(&self) -> Source {
        Source {
            http: self.http.clone(),
            clock: self.clock,
            endpoint: self.options.endpoint_url.clone(),
            homes: self.options.homes.clone(),
            forced: None,
        }
    }

    async fn load(&self, profile: Option<String>) -> SdkConfig {
        self.source().load(profile).await
    }
}

/// Endpoints that environment variables name, read without any file.
fn endpoint_of_environment() -> Option<String> {
    let ignored = std::env::var("AWS_IGNORE_CONFIGURED_ENDPOINT_URLS");
    if ignored.is_ok_and(|value| value.eq_ignore_ascii_case("true")) {
        return None;
    }
    std::iter::once("AWS_ENDPOINT_URL".to_owned())
        .chain(SERVICES.iter().map(|service| format!("AWS_ENDPOINT_URL_{service}")))
        .find_map(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
}

/// Endpoints that the loaded configuration names: flag, environment, profile or its `services` section.
fn endpoint_of(config: &SdkConfig) -> Option<String> {
    if let Some(url) = config.endpoint_url() {
        return Some(url.to_owned());
    }
    SERVICES.iter().find_map(|service| endpoint_of_service(config, service))
}

/// True when routing controls are to be asked at a custom endpoint instead of their cluster's.
pub(super) fn moves_routing(config: &SdkConfig) -> bool {
    config.endpoint_url().is_some() || endpoint_of_service(config, ROUTING).is_some()
}

/// The custom endpoint of a service that no SDK client stands for; in the SDK's order, so that a flag goes before a
/// service's own variable, and that before the general one.
pub(super) fn custom_endpoint_of(config: &SdkConfig, service: &str) -> Option<String> {
    let general = config.endpoint_url().map(str::to_owned);
    if config.get_origin("endpoint_url").is_client_config() {
        return general;
    }
    endpoint_of_service(config, service).or(general)
}

fn endpoint_of_service(config: &SdkConfig, service: &str) -> Option<String> {
    let id = service.to_ascii_lowercase();
    let key = ServiceConfigKey::builder()
        .service_id(&id)
        .env("AWS_ENDPOINT_URL")
        .profile("endpoint_url")
        .build()
        .ok()?;
    config.service_config()?.load_config(key)
}
