//! Credentials of one profile or role: loaded once, shared by all clients, renewed early.
//!
//! What it is for: keeping slow or broken credentials from looking like slow or broken regions. One load
//! runs at a time, apart from the calls that wait for it; a failure is remembered for a few seconds, so
//! that thirty tasks do not start thirty sign-ins; what is valid stays in use while its renewal fails.
//! What it must not do: know how a source works; that is the SDK's chain.

use std::error::Error;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;

use super::errors;
use crate::domain::observation::ErrorKind;
use crate::domain::text::Text;
use crate::ports::{BoxFuture, Clock};

/// How long one call waits for credentials: less than an attempt may take, so that the reason is told.
const PATIENCE: Duration = Duration::from_millis(3_500);

/// How long a load may run in the background. Instance metadata and SSO take several attempts.
const LOAD_LIMIT: Duration = Duration::from_secs(30);

/// How long a failure is taken as the answer.
const REMEMBER_FAILURE: SignedDuration = SignedDuration::from_secs(10);

/// How long before their end credentials are renewed.
const EARLY: SignedDuration = SignedDuration::from_mins(5);

/// Makes a fresh provider: files of profiles may have changed since the last load. The number tells how
/// many loads have failed in a row, so that another way can be tried.
pub type Open = dyn Fn(u32) -> BoxFuture<'static, SharedCredentialsProvider> + Send + Sync;

/// Credentials that many clients share.
#[derive(Clone)]
pub(super) struct Vault(Arc<Inner>);

struct Inner {
    clock: Clock,
    open: Box<Open>,
    profile: Option<String>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Credentials>,
    failure: Option<(Timestamp, CredentialFault)>,
    /// Loads that failed in a row.
    failures: u32,
    loading: Option<watch::Receiver<bool>>,
    /// AWS did not accept what is held; the next call loads anew.
    doubted: Option<Timestamp>,
}

/// Where credentials come from, as far as it decides what mends them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Origin {
    /// Not known yet.
    #[default]
    Unknown,
    /// Environment variables.
    Environment,
    /// IAM Identity Center.
    Sso,
    /// `aws login`.
    Login,
    /// A `credential_process`.
    Process,
    /// Keys in the shared files.
    File,
    /// Instance or container.
    Machine,
    /// A web identity token.
    WebIdentity,
}

/// Why credentials could not be loaded. It travels inside the SDK's errors to [`errors::explain`].
#[derive(Clone, Debug)]
pub(super) struct CredentialFault {
    /// `NoCredentials`, `Expired`, `Denied`…
    pub(super) kind: ErrorKind,
    /// What the source said.
    pub(super) message: String,
    /// The command that mends it.
    pub(super) next_step: String,
}

impl fmt::Display for CredentialFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl Error for CredentialFault {}

impl fmt::Debug for Vault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Vault")
    }
}

impl Vault {
    /// Credentials that `open` provides.
    pub(super) fn new(clock: Clock, profile: Option<String>, open: Box<Open>) -> Self {
        Self(Arc::new(Inner { clock, open, profile, state: Mutex::default() }))
    }

    /// When what is held ends; `None` when it does not, or nothing is held.
    pub(super) fn expires(&self) -> Option<Timestamp> {
        expiry(self.lock().held.as_ref()?)
    }

    /// Where what is held comes from.
    pub(super) fn origin(&self) -> Origin {
        self.lock().held.as_ref().map(origin).unwrap_or_default()
    }

    /// AWS did not accept what is held: the next call loads it anew, at most once in ten seconds.
    pub(super) fn doubt(&self) {
        let now = self.0.clock.now();
        let mut state = self.lock();
        if state.held.is_some() && state.doubted.is_none_or(|at| now.duration_since(at) >= REMEMBER_FAILURE) {
            state.doubted = Some(now);
            self.load(&mut state);
        }
    }

    async fn get(&self) -> Result<Credentials, CredentialsError> {
        let mut loading = {
            let mut state = self.lock();
            let now = self.0.clock.now();
            if let Some(held) = &state.held {
                let left = expiry(held).map(|end| end.duration_since(now));
                if left.is_none_or(|left| left > SignedDuration::ZERO) {
                    let held = held.clone();
                    let recent = state
                        .failure
                        .as_ref()
                        .is_some_and(|(at, _)| now.duration_since(*at) < REMEMBER_FAILURE);
                    if left.is_some_and(|left| left < EARLY) && state.loading.is_none() && !recent {
                        self.load(&mut state);
                    }
                    return Ok(held);
                }
            }
            if let Some((at, fault)) = &state.failure
                && now.duration_since(*at) < REMEMBER_FAILURE
            {
                return Err(CredentialsError::provider_error(fault.clone()));
            }
            match &state.loading {
                Some(loading) => loading.clone(),
                None => self.load(&mut state),
            }
        };
        // An error of the channel means that the load ended without a word, which the state then tells.
        let waited = self.0.clock.timeout(PATIENCE, loading.wait_for(|done| *done)).await;
        if waited.is_err() {
            return Err(CredentialsError::provider_error(self.slow(PATIENCE)));
        }
        let state = self.lock();
        match (&state.held, &state.failure) {
            (_, Some((_, fault))) => Err(CredentialsError::provider_error(fault.clone())),
            (Some(held), None) => Ok(held.clone()),
            (None, None) => Err(CredentialsError::provider_error(self.slow(LOAD_LIMIT))),
        }
    }

    /// Starts a load that outlives the call which caused it.
    fn load(&self, state: &mut State) -> watch::Receiver<bool> {
        let (done, loading) = watch::channel(false);
        state.loading = Some(loading.clone());
        let failures = state.failures;
        let vault = self.clone();
        tokio::spawn(async move {
            let clock = vault.0.clock;
            let loaded = clock
                .timeout(LOAD_LIMIT, async {
                    let provider = (vault.0.open)(failures).await;
                    provider.provide_credentials().await
                })
                .await;
            {
                let mut state = vault.lock();
                state.loading = None;
                state.failures = state.failures.wrapping_add(1);
                match loaded {
                    Ok(Ok(credentials)) => {
                        state.held = Some(credentials);
                        state.failure = None;
                        state.failures = 0;
                    }
                    Ok(Err(error)) => {
                        let fault = fault_of(&error, vault.0.profile.as_deref());
                        state.failure = Some((clock.now(), fault));
                    }
                    Err(_) => state.failure = Some((clock.now(), vault.slow(LOAD_LIMIT))),
                }
            }
            let _ = done.send(true);
        });
        loading
    }

    fn slow(&self, limit: Duration) -> CredentialFault {
        let of = self.0.profile.as_deref().map(|name| format!(" of profile {}", Text::new(name)));
        CredentialFault {
            kind: ErrorKind::NoCredentials,
            message: format!("credentials did not arrive within {limit:?}"),
            next_step: format!(
                "see why the source{} does not answer (SSO, credential_process, role, instance metadata)",
                of.unwrap_or_default()
            ),
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ProvideCredentials for Vault {
    fn provide_credentials<'a>(&'a self) -> future::ProvideCredentials<'a>
    where
        Self: 'a,
    {
        future::ProvideCredentials::new(self.get())
    }
}

impl Origin {
    /// The exact command, or deed, that brings valid credentials.
    pub(super) fn renewal(self, profile: Option<&str>) -> String {
        let option = profile.map(|name| format!(" --profile {}", Text::new(name))).unwrap_or_default();
        let of = profile.map(|name| format!(" of profile {}", Text::new(name))).unwrap_or_default();
        match self {
            Self::Sso => format!("run `aws sso login{option}`"),
            Self::Login => format!("run `aws login{option}`"),
            Self::Environment => {
                "renew the keys in the environment (AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY, \
                 AWS_SESSION_TOKEN) and start again"
                    .into()
            }
            Self::Process => format!("run the credential_process{of} by hand to see why"),
            Self::File => format!("renew the keys{of} in ~/.aws/credentials"),
            Self::Machine => "check the role of this instance or container".into(),
            Self::WebIdentity => "renew the web identity token file".into(),
            Self::Unknown => format!("run `aws sso login{option}` or `aws login{option}`, or name a profile"),
        }
    }
}

fn expiry(credentials: &Credentials) -> Option<Timestamp> {
    Timestamp::try_from(credentials.expiry()?).ok()
}

/// The first source of a chain decides: a role taken with SSO ends when SSO does.
fn origin(credentials: &Credentials) -> Origin {
    let features = credentials.get_property::<Vec<Feature>>().map(Vec::as_slice).unwrap_or_default();
    features
        .iter()
        .find_map(|feature| {
            Some(match feature {
                Feature::CredentialsEnvVars => Origin::Environment,
                Feature::CredentialsProfileSso | Feature::CredentialsSso => Origin::Sso,
                Feature::CredentialsProfileLogin | Feature::CredentialsLogin => Origin::Login,
                Feature::CredentialsProfileProcess | Feature::CredentialsProcess => Origin::Process,
                Feature::CredentialsImds | Feature::CredentialsHttp => Origin::Machine,
                Feature::CredentialsEnvVarsStsWebIdToken
                | Feature::CredentialsProfileStsWebIdToken
                | Feature::CredentialsStsAssumeRoleWebId => Origin::WebIdentity,
                Feature::CredentialsProfile => Origin::File,
                _ => return None,
            })
        })
        .unwrap_or_default()
}

/// What a failed load means.
fn fault_of(error: &CredentialsError, profile: Option<&str>) -> CredentialFault {
    let words = errors::chain(error);
    let told = words.to_ascii_lowercase();
    let origin = if told.contains("sso") {
        Origin::Sso
    } else if told.contains("login token") || told.contains("/login/") {
        Origin::Login
    } else if told.contains("credential_process") || told.contains("external process") {
        Origin::Process
    } else if told.contains("web identity") {
        Origin::WebIdentity
    } else {
        Origin::Unknown
    };
    let words = if told.contains("no credentials found in chain") { nothing_found(&words) } else { words };
    let fault = |kind, next_step| CredentialFault { kind, message: words.clone(), next_step };
    // A base fault comes from the credentials that a role is assumed with.
    if let Some(base) = errors::find::<CredentialFault>(error) {
        return base.clone();
    }
    if let Some(refused) = errors::find::<SdkError<AssumeRoleError, HttpResponse>>(error) {
        return match refused.as_service_error() {
            Some(service) if service.code().is_some_and(|code| code.starts_with("Expired")) => {
                fault(ErrorKind::Expired, origin.renewal(profile))
            }
            Some(service) if service.code().is_some_and(|code| code.starts_with("AccessDenied")) => fault(
                ErrorKind::Denied,
                "allow sts:AssumeRole on that role, and trust this identity in it".into(),
            ),
            _ => fault(ErrorKind::NoCredentials, "sts:AssumeRole failed: see the reason".into()),
        };
    }
    if told.contains("expired") || told.contains("invalidgrant") || told.contains("unauthorizedexception") {
        return fault(ErrorKind::Expired, origin.renewal(profile));
    }
    if told.contains("was not defined") {
        return fault(ErrorKind::NoCredentials, "name a profile that ~/.aws/config holds".into());
    }
    if told.contains("mfa_serial") {
        return fault(
            ErrorKind::NoCredentials,
            "profiles with mfa_serial cannot be asked for a code here: use SSO or a credential_process"
                .into(),
        );
    }
    fault(ErrorKind::NoCredentials, origin.renewal(profile))
}

/// The SDK's paragraph about every source that has nothing, in one line: the profile's is worth telling.
fn nothing_found(words: &str) -> String {
    let profile = words.lines().find_map(|line| line.trim().strip_prefix("Profile: "));
    let profile =
        profile.and_then(|line| line.split_once("not enabled: ")).map(|(_, why)| format!(" ({why})"));
    format!(
        "no credentials: environment, profile{}, web identity, container and instance have none",
        profile.unwrap_or_default()
    )
}
