//! Where credentials and settings are read: environment, profiles, container and instance.
//!
//! What it is for: one loader for configuration and credentials, and, when a load fails, what it was that environment
//! and profile named. A profile that is named goes before keys in the environment, as it does in the AWS CLI.
//! What it must not do: keep anything; files may have changed since the last load.

use std::env;

use aws_config::ecs::EcsCredentialsProvider;
use aws_config::environment::EnvironmentVariableRegionProvider;
use aws_config::imds::credentials::ImdsCredentialsProvider;
use aws_config::meta::credentials::CredentialsProviderChain;
use aws_config::meta::region::RegionProviderChain;
use aws_config::profile::{ProfileFileCredentialsProvider, ProfileFileRegionProvider};
use aws_config::provider_config::ProviderConfig;
use aws_config::stalled_stream_protection::StalledStreamProtectionConfig;
use aws_config::{BehaviorVersion, SdkConfig};
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::service_config::ServiceConfigKey;

use super::config::{retries, timeouts};
use super::credentials::{Declared, Origin};
use super::time::SdkClock;
use crate::domain::ids::Region;
use crate::domain::topology::DNS_REGION;
use crate::ports::Clock;

/// How many profiles may stand on each other's shoulders before we stop to look.
const LONGEST_CHAIN: usize = 8;

/// A variable that nobody sets: the SDK's key of a profile wants one to be asked first.
const UNSET: &str = "SWITCHTOWER_ASKS_THE_PROFILE_ONLY";

/// What the loader needs.
#[derive(Clone, Debug)]
pub(super) struct Source {
    pub(super) http: SharedHttpClient,
    pub(super) clock: Clock,
    pub(super) endpoint: Option<String>,
    pub(super) homes: Vec<Region>,
    /// The region to use whatever environment and profile say.
    pub(super) forced: Option<Region>,
}

impl Source {
    /// After a failure, roles of profiles are assumed in the application's regions in turn: the STS of the
    /// profile's own region may be what is down.
    pub(super) fn elsewhere(&mut self, failures: u32) {
        if let Some(turn) = (failures as usize).checked_sub(1)
            && !self.homes.is_empty()
        {
            self.forced = self.homes.get(turn % self.homes.len()).cloned();
        }
    }

    /// Reads environment and profile. The region is never asked of instance metadata: it is not needed,
    /// and away from EC2 the question costs seconds.
    pub(super) async fn load(self, profile: Option<String>) -> SdkConfig {
        let mut files = ProfileFileRegionProvider::builder();
        if let Some(name) = &profile {
            files = files.profile_name(name);
        }
        let own = |region: &Region| aws_types::region::Region::new(region.as_str().to_owned());
        let home = self.homes.first().map_or(aws_types::region::Region::from_static(DNS_REGION), own);
        let region = RegionProviderChain::first_try(self.forced.as_ref().map(own))
            .or_else(EnvironmentVariableRegionProvider::new())
            .or_else(files.build())
            .or_else(home);
        let mut loader = aws_config::defaults(BehaviorVersion::latest())
            .region(region)
            .http_client(self.http)
            .sleep_impl(SdkClock(self.clock))
            .time_source(SdkClock(self.clock))
            .timeout_config(timeouts())
            .retry_config(retries())
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled());
        if let Some(name) = profile {
            loader = loader.profile_name(name);
        }
        if let Some(endpoint) = self.endpoint {
            loader = loader.endpoint_url(endpoint);
        }
        loader.load().await
    }

    /// A provider that has read nothing yet.
    pub(super) async fn credentials(self, profile: Option<String>) -> SharedCredentialsProvider {
        let (http, clock) = (self.http.clone(), self.clock);
        let loaded = self.load(profile.clone()).await;
        let Some(name) = profile else {
            return loaded.credentials_provider().unwrap_or_else(|| SharedCredentialsProvider::new(Nothing));
        };
        // The SDK's own chain asks the environment first, whatever profile it was given. Who names a profile wants
        // that one; a profile without keys may still stand on a container or an instance.
        let config = ProviderConfig::without_region()
            .with_region(loaded.region().cloned())
            .with_use_fips(loaded.use_fips())
            .with_use_dual_stack(loaded.use_dual_stack())
            .with_http_client(http)
            .with_sleep_impl(SdkClock(clock))
            .with_time_source(SdkClock(clock))
            .with_timeout_config(timeouts())
            .with_retry_config(retries());
        let named = ProfileFileCredentialsProvider::builder().configure(&config).profile_name(name).build();
        let chain = CredentialsProviderChain::first_try("Profile", Named(named))
            .or_else("EcsContainer", EcsCredentialsProvider::builder().configure(&config).build())
            .or_else("Ec2InstanceMetadata", ImdsCredentialsProvider::builder().configure(&config).build());
        SharedCredentialsProvider::new(chain)
    }

    /// What environment and profile name as the source of credentials, in the order in which they are asked.
    pub(super) async fn declared(self, profile: Option<String>) -> Declared {
        let mut declared = Declared::default();
        if profile.is_none() && set("AWS_ACCESS_KEY_ID") {
            declared.origin = Origin::Environment;
            return declared;
        }
        let by_environment = profile.is_none() && set("AWS_WEB_IDENTITY_TOKEN_FILE");
        let mut next = Some(profile);
        for _ in 0..LONGEST_CHAIN {
            let Some(name) = next.take() else { break };
            let config = self.clone().load(name.clone()).await;
            declared.read(&config);
            if declared.origin != Origin::Unknown {
                return declared;
            }
            next = key(&config, "source_profile").filter(|source| Some(source) != name.as_ref()).map(Some);
        }
        if by_environment {
            declared.origin = Origin::WebIdentity;
            declared.role = declared.role.or_else(|| env::var("AWS_ROLE_ARN").ok());
        } else if set("AWS_CONTAINER_CREDENTIALS_FULL_URI") || set("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI") {
            declared.origin = Origin::Machine;
        }
        declared
    }
}

impl Declared {
    /// Takes what one profile says.
    fn read(&mut self, config: &SdkConfig) {
        let has = |name: &str| key(config, name).is_some();
        self.mfa |= has("mfa_serial");
        self.role = self.role.take().or_else(|| key(config, "role_arn"));
        let source = key(config, "credential_source");
        self.origin = if has("sso_session") || has("sso_start_url") {
            Origin::Sso
        } else if has("login_session") {
            Origin::Login
        } else if has("web_identity_token_file") {
            Origin::WebIdentity
        } else if has("credential_process") {
            Origin::Process
        } else if has("aws_access_key_id") && !has("source_profile") {
            Origin::File
        } else if source.as_deref().is_some_and(|source| source.eq_ignore_ascii_case("Environment")) {
            Origin::Environment
        } else if source.is_some() {
            Origin::Machine
        } else {
            Origin::Unknown
        };
    }
}

/// A key of the profile that a configuration was loaded with.
fn key(config: &SdkConfig, name: &str) -> Option<String> {
    let key = ServiceConfigKey::builder().service_id("none").env(UNSET).profile(name).build().ok()?;
    config.service_config()?.load_config(key).filter(|value| !value.is_empty())
}

fn set(variable: &str) -> bool {
    env::var(variable).is_ok_and(|value| !value.is_empty())
}

/// A profile that was asked for by name. One that does not exist is a mistake, not a reason to ask elsewhere.
#[derive(Debug)]
struct Named(ProfileFileCredentialsProvider);

impl ProvideCredentials for Named {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(async {
            self.0.provide_credentials().await.map_err(|error| {
                let words = super::errors::chain(&error);
                let missing =
                    words.contains("was not defined") || words.contains("will resolve an access token");
                if missing { CredentialsError::invalid_configuration(words) } else { error }
            })
        })
    }
}

/// A provider that has nothing, for a configuration that names none.
#[derive(Debug)]
struct Nothing;

impl ProvideCredentials for Nothing {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::ready(Err(CredentialsError::not_loaded(
            "the configuration names no source",
        )))
    }
}
