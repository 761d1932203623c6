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

use aws_config::imds::client::error::ImdsError;
use aws_credential_types::Credentials;
use aws_credential_types::credential_feature::AwsCredentialFeature as Feature;
use aws_credential_types::provider::error::CredentialsError;
use aws_credential_types::provider::{ProvideCredentials, SharedCredentialsProvider, future};
use aws_sdk_sso::operation::get_role_credentials::GetRoleCredentialsError;
use aws_sdk_sts::operation::assume_role::AssumeRoleError;
use aws_sdk_sts::operation::assume_role_with_web_identity::AssumeRoleWithWebIdentityError;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use aws_smithy_types::error::metadata::ProvideErrorMetadata;
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

/// What ends this soon is not used while there may be something newer: it could end on its way to AWS.
const MARGIN: SignedDuration = SignedDuration::from_secs(5);

/// Makes a fresh provider: files of profiles may have changed since the last load. The number tells how
/// many loads have failed in a row, so that another way can be tried.
pub type Open = dyn Fn(u32) -> BoxFuture<'static, SharedCredentialsProvider> + Send + Sync;

/// Tells what environment and profile name as the source, for the words about a load that failed.
pub(super) type Tell = dyn Fn() -> BoxFuture<'static, Declared> + Send + Sync;

/// Credentials that many clients share.
#[derive(Clone)]
pub(super) struct Vault(Arc<Inner>);

struct Inner {
    clock: Clock,
    open: Box<Open>,
    profile: Option<String>,
    tell: Option<Box<Tell>>,
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

/// What environment and profile say about credentials.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Declared {
    /// Their first source.
    pub(super) origin: Origin,
    /// The role that is taken with them in the end.
    pub(super) role: Option<String>,
    /// A code of a device is wanted, which nobody can be asked for.
    pub(super) mfa: bool,
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
    /// The request that was refused, where one was.
    pub(super) request_id: Option<Text>,
}

/// A call for credentials that failed.
struct Refusal {
    call: &'static str,
    /// AWS's code; empty where it did not answer.
    code: String,
    message: String,
    request_id: Option<Text>,
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
        Self(Arc::new(Inner { clock, open, profile, tell: None, state: Mutex::default() }))
    }

    /// The same, for a source that can say what it was told to ask. To be called before the vault is shared.
    pub(super) fn declaring(mut self, tell: Box<Tell>) -> Self {
        if let Some(inner) = Arc::get_mut(&mut self.0) {
            inner.tell = Some(tell);
        }
        self
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
            let recent =
                state.failure.as_ref().is_some_and(|(at, _)| now.duration_since(*at) < REMEMBER_FAILURE);
            if let Some(held) = &state.held {
                let left = expiry(held).map(|end| end.duration_since(now));
                let needed = if recent { SignedDuration::ZERO } else { MARGIN };
                if left.is_none_or(|left| left > needed) {
                    let held = held.clone();
                    if left.is_some_and(|left| left < EARLY) && state.loading.is_none() && !recent {
                        self.load(&mut state);
                    }
                    return Ok(held);
                }
            }
            if let Some((_, fault)) = state.failure.as_ref().filter(|_| recent) {
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
        let now = self.0.clock.now();
        match (&state.held, &state.failure) {
            (Some(held), Some(_)) if expiry(held).is_none_or(|end| end > now) => Ok(held.clone()),
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
            let declared = match (&loaded, &vault.0.tell) {
                (Ok(Err(_)), Some(tell)) => tell().await,
                _ => Declared::default(),
            };
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
                        let fault = fault_of(&error, vault.0.profile.as_deref(), &declared);
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
            request_id: None,
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
fn fault_of(error: &CredentialsError, profile: Option<&str>, declared: &Declared) -> CredentialFault {
    // A base fault comes from the credentials that a role is assumed with.
    if let Some(base) = errors::find::<CredentialFault>(error) {
        return base.clone();
    }
    let words = errors::chain(error);
    let told = words.to_ascii_lowercase();
    let origin = match declared.origin {
        Origin::Unknown if errors::find::<ImdsError>(error).is_some() => Origin::Machine,
        Origin::Unknown => spoken_of(&told),
        known => known,
    };
    if let Some(refusal) = refusal(error) {
        let (kind, next_step) = refusal.means(profile, origin, declared);
        return CredentialFault { kind, message: refusal.message, next_step, request_id: refusal.request_id };
    }
    let words = if told.contains("no credentials found in chain") { nothing_found(&words) } else { words };
    let fault = |kind, next_step| CredentialFault { kind, message: words, next_step, request_id: None };
    if told.contains("expired") || told.contains("invalidgrant") {
        return fault(ErrorKind::Expired, origin.renewal(profile));
    }
    if told.contains("was not defined") {
        return fault(ErrorKind::NoCredentials, "name a profile that ~/.aws/config holds".into());
    }
    fault(ErrorKind::NoCredentials, origin.renewal(profile))
}

/// The source that an error itself speaks of, where nothing else is known of it.
fn spoken_of(told: &str) -> Origin {
    if told.contains("sso token") || told.contains("sso-session") {
        Origin::Sso
    } else if told.contains("login token") || told.contains("/login/") {
        Origin::Login
    } else if told.contains("credential_process") || told.contains("external process") {
        Origin::Process
    } else if told.contains("web identity") {
        Origin::WebIdentity
    } else {
        Origin::Unknown
    }
}

/// The call for credentials that failed, if it came to one.
fn refusal(error: &CredentialsError) -> Option<Refusal> {
    refused::<AssumeRoleError>("sts:AssumeRole", error)
        .or_else(|| refused::<AssumeRoleWithWebIdentityError>("sts:AssumeRoleWithWebIdentity", error))
        .or_else(|| refused::<GetRoleCredentialsError>("sso:GetRoleCredentials", error))
}

fn refused<E>(call: &'static str, error: &CredentialsError) -> Option<Refusal>
where
    E: Error + ProvideErrorMetadata + 'static,
{
    let refused = errors::find::<SdkError<E, HttpResponse>>(error)?;
    let answer = refused.as_service_error();
    let code = answer.and_then(|answer| answer.code()).unwrap_or_default().to_owned();
    let why = match answer.and_then(|answer| answer.message()) {
        Some(words) => format!("{code}: {words}"),
        None => errors::chain(refused),
    };
    let request_id = refused.raw_response().and_then(errors::request_id);
    Some(Refusal { call, code, message: format!("{call}: {why}"), request_id })
}

impl Refusal {
    /// What kind of failure it is, and what mends it.
    fn means(&self, profile: Option<&str>, origin: Origin, declared: &Declared) -> (ErrorKind, String) {
        let sso = self.call.starts_with("sso:");
        match self.code.as_str() {
            "UnauthorizedException" if sso => (ErrorKind::Expired, origin.renewal(profile)),
            "ForbiddenException" if sso => (
                ErrorKind::Denied,
                "ask for that role in that account, or name another with sso_role_name and sso_account_id"
                    .into(),
            ),
            "InvalidIdentityToken" => (ErrorKind::Expired, origin.renewal(profile)),
            code if errors::EXPIRED.contains(&code) => (ErrorKind::Expired, origin.renewal(profile)),
            code if code.starts_with("AccessDenied") => (ErrorKind::Denied, self.allow(profile, declared)),
            "" => (ErrorKind::NoCredentials, format!("see why {} does not answer", self.call)),
            _ => (ErrorKind::NoCredentials, format!("{} failed: see the reason", self.call)),
        }
    }

    /// What mends a role that may not be taken.
    fn allow(&self, profile: Option<&str>, declared: &Declared) -> String {
        let role = declared.role.as_deref().map_or(Text::new("that role"), Text::new);
        if declared.mfa {
            // The SDK sends no code, and has none to ask for.
            let option = profile.map(|name| format!(" --profile {}", Text::new(name))).unwrap_or_default();
            return format!(
                "{role} wants a code (mfa_serial), which cannot be asked for here: run \
                 `eval \"$(aws configure export-credentials{option} --format env)\"`, then start without that profile"
            );
        }
        format!("allow {} on {role}, and trust this identity in it", self.call)
    }
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
