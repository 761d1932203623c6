//! An observed value: what it is, when it was so, who said it, and what went wrong since.
//!
//! What it is for: making "a number without a time" and "an error shown as a number" impossible to
//! write down. What it must not do: decide what a value means (that is `checks`), or fetch anything.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use super::ids::Region;
use super::text::Text;
use super::topology::Freshness;

/// A value and the moment for which it holds. The two cannot be had apart.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reading<T> {
    /// What was observed.
    pub value: T,
    /// When it was so: the answer's arrival for calls, the end of the bucket for metrics.
    pub as_of: Timestamp,
    /// True when this was read from the saved baseline, not from AWS in this session.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub saved: bool,
}

/// The last known value of something, if any, and the error of the last attempt, if it failed.
///
/// A failed attempt keeps the reading, which then grows old; a successful one clears the error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Observed<T> {
    reading: Option<Reading<T>>,
    source: Source,
    // Most values have none, and one failed call is the error of many values.
    error: Option<Arc<ProbeError>>,
}

/// Where a value comes from.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Source {
    /// Which schedule brings it, and so how old it may be.
    pub kind: SourceKind,
    /// The AWS call or metric, as an operator would name it: `ecs:DescribeServices`.
    pub call: Cow<'static, str>,
    /// The region that was asked; `None` where no AWS region is involved.
    pub region: Option<Region>,
}

/// The schedules on which values are read. One entry in the poll plan each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourceKind {
    /// Load balancers and target health (ELBv2).
    Targets,
    /// ECS services.
    Services,
    /// Application Auto Scaling targets.
    Scaling,
    /// DynamoDB tables.
    Tables,
    /// Aurora global clusters and their members.
    Aurora,
    /// CloudWatch metrics, sums, averages and extremes.
    Metrics,
    /// CloudWatch percentiles, asked for beside the metrics.
    Percentiles,
    /// S3 replication configurations.
    Replication,
    /// CloudWatch alarms.
    Alarms,
    /// SNS topics that alarms reach.
    Topics,
    /// Who the credentials are (STS).
    Identity,
    /// Our own HTTPS requests.
    Probe,
    /// Route 53 record sets.
    Records,
    /// Route 53 health check configurations.
    HealthChecks,
    /// What Route 53's checkers last saw.
    Checkers,
}

/// Why a value could not be read, told apart so that each leads to its own next step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ErrorKind {
    /// The identity may not make this call.
    Denied,
    /// Credentials have expired or are not accepted.
    Expired,
    /// No credentials could be loaded.
    NoCredentials,
    /// AWS asked us to slow down.
    Throttled,
    /// Our deadline passed without an answer.
    TimedOut,
    /// No connection: DNS, TCP or TLS failed.
    Unreachable,
    /// The service answered with a server error (5xx).
    ServiceDown,
    /// The region is not enabled for this account.
    RegionDisabled,
    /// Our clock and AWS's differ too much for signatures.
    ClockSkew,
    /// The resource does not exist (any more).
    NotFound,
    /// AWS refused the request as wrong.
    Rejected,
    /// The answer could not be understood.
    Malformed,
    /// The answer came and holds no data; the message says what that means.
    NoData,
    /// Nothing was asked because the topology does not name it.
    NotConfigured,
}

/// One failed attempt to read a value.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{call}{}: {message}{}{}", at_region(.region.as_ref()), request(.request_id.as_ref()), step(.next_step))]
pub struct ProbeError {
    /// What kind of failure.
    pub kind: ErrorKind,
    /// The call that failed, `ecs:DescribeServices`.
    pub call: Cow<'static, str>,
    /// The region that was asked.
    pub region: Option<Region>,
    /// AWS's error code and words, or ours.
    pub message: Text,
    /// AWS's request id, when there was an answer.
    pub request_id: Option<Text>,
    /// When the attempt failed.
    pub at: Timestamp,
    /// What the operator does next; may be empty.
    pub next_step: Text,
}

fn at_region(region: Option<&Region>) -> String {
    region.map(|region| format!(" in {region}")).unwrap_or_default()
}

fn request(id: Option<&Text>) -> String {
    id.map(|id| format!(" (request {id})")).unwrap_or_default()
}

fn step(next: &Text) -> String {
    if next.is_empty() { String::new() } else { format!("; {next}") }
}

impl ErrorKind {
    /// Two or three words for a narrow pane.
    pub fn label(self) -> &'static str {
        match self {
            Self::Denied => "no permission",
            Self::Expired => "expired credentials",
            Self::NoCredentials => "no credentials",
            Self::Throttled => "throttled",
            Self::TimedOut => "timed out",
            Self::Unreachable => "unreachable",
            Self::ServiceDown => "service error",
            Self::RegionDisabled => "region disabled",
            Self::ClockSkew => "clock skew",
            Self::NotFound => "not found",
            Self::Rejected => "rejected",
            Self::Malformed => "unreadable answer",
            Self::NoData => "no data",
            Self::NotConfigured => "not configured",
        }
    }

    /// True when the failure says that the other side, or the way to it, is ill; false when it says
    /// that we are (permission, credentials, configuration).
    pub fn blames_region(self) -> bool {
        matches!(self, Self::TimedOut | Self::Unreachable | Self::ServiceDown)
    }
}

impl SourceKind {
    /// What it brings, as an operator would say it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Targets => "target health",
            Self::Services => "services",
            Self::Scaling => "scaling limits",
            Self::Tables => "tables",
            Self::Aurora => "Aurora",
            Self::Metrics => "metrics",
            Self::Percentiles => "percentiles",
            Self::Replication => "replication rules",
            Self::Alarms => "alarms",
            Self::Topics => "topics",
            Self::Identity => "identity",
            Self::Probe => "probe",
            Self::Records => "records",
            Self::HealthChecks => "health checks",
            Self::Checkers => "checkers",
        }
    }
}

impl Source {
    /// A value that an AWS call in `region` brings.
    pub fn new(kind: SourceKind, call: impl Into<Cow<'static, str>>, region: Option<Region>) -> Self {
        Self { kind, call: call.into(), region }
    }
}

impl<T> Observed<T> {
    /// Not asked yet.
    pub fn pending(source: Source) -> Self {
        Self { reading: None, source, error: None }
    }

    /// Observed now.
    pub fn seen(source: Source, value: T, as_of: Timestamp) -> Self {
        Self { reading: Some(Reading { value, as_of, saved: false }), source, error: None }
    }

    /// Asked, and failed; nothing was known before.
    pub fn failed(source: Source, error: ProbeError) -> Self {
        Self { reading: None, source, error: Some(Arc::new(error)) }
    }

    /// Built from parts, as derived values are.
    pub fn from_parts(source: Source, reading: Option<Reading<T>>, error: Option<ProbeError>) -> Self {
        Self { reading, source, error: error.map(Arc::new) }
    }

    /// Replaces the reading and clears the error.
    pub fn succeed(&mut self, value: T, as_of: Timestamp) {
        self.reading = Some(Reading { value, as_of, saved: false });
        self.error = None;
    }

    /// Keeps the last reading and notes why there is no newer one.
    pub fn fail(&mut self, error: impl Into<Arc<ProbeError>>) {
        self.error = Some(error.into());
    }

    /// The last known value, however old. Who paints it must paint its age too.
    pub fn value(&self) -> Option<&T> {
        self.reading.as_ref().map(|reading| &reading.value)
    }

    /// When the last known value was so.
    pub fn as_of(&self) -> Option<Timestamp> {
        self.reading.as_ref().map(|reading| reading.as_of)
    }

    /// Value, time and origin.
    pub fn reading(&self) -> Option<&Reading<T>> {
        self.reading.as_ref()
    }

    /// Why the last attempt failed, if it did.
    pub fn error(&self) -> Option<&ProbeError> {
        self.error.as_deref()
    }

    /// Who says so.
    pub fn source(&self) -> &Source {
        &self.source
    }

    /// Neither asked nor answered yet.
    pub fn is_pending(&self) -> bool {
        self.reading.is_none() && self.error.is_none()
    }

    /// How old the value is at `now`; never negative.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        let age = now.duration_since(self.as_of()?);
        Some(Duration::try_from(age.max(SignedDuration::ZERO)).unwrap_or_default())
    }

    /// True when there is no value, it comes from the saved baseline, or it is older than its kind may be.
    pub fn is_stale(&self, now: Timestamp, freshness: &Freshness) -> bool {
        match &self.reading {
            None => true,
            Some(reading) if reading.saved => true,
            Some(_) => self.age(now).is_none_or(|age| age > freshness.limit(self.source.kind)),
        }
    }

    /// The value, only while it may be trusted as present.
    pub fn fresh(&self, now: Timestamp, freshness: &Freshness) -> Option<&T> {
        if self.is_stale(now, freshness) { None } else { self.value() }
    }

    /// The same observation of something computed from the value.
    pub fn map<U>(&self, f: impl FnOnce(&T) -> U) -> Observed<U> {
        Observed {
            reading: self.reading.as_ref().map(|reading| Reading {
                value: f(&reading.value),
                as_of: reading.as_of,
                saved: reading.saved,
            }),
            source: self.source.clone(),
            error: self.error.clone(),
        }
    }

    /// The same observation of something that the value may not hold; `absent` says why not.
    pub fn and_then<U>(&self, f: impl FnOnce(&T) -> Result<U, ProbeError>) -> Observed<U> {
        let mut error = self.error.clone();
        let reading = self.reading.as_ref().and_then(|reading| match f(&reading.value) {
            Ok(value) => Some(Reading { value, as_of: reading.as_of, saved: reading.saved }),
            Err(absent) => {
                error.get_or_insert_with(|| Arc::new(absent));
                None
            }
        });
        Observed { reading, source: self.source.clone(), error }
    }

    /// The same, marked as read from the saved baseline.
    pub fn into_saved(mut self) -> Self {
        self.set_saved();
        self
    }

    /// Marks the reading as read from the saved baseline, and forgets the error.
    pub fn set_saved(&mut self) {
        if let Some(reading) = &mut self.reading {
            reading.saved = true;
        }
        self.error = None;
    }
}
