//! What counts as ill, how old values may be, and the limits of runbooks.
//!
//! What it is for: the numbers that an operator may set, each with a default that suits most.
//! What it must not do: apply them; that is for `checks`, `derive` and runbooks.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::observation::SourceKind;
use super::text::Text;

/// What counts as ill; each pair is warning, critical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Thresholds {
    /// 5XX of all requests, percent.
    pub error_5xx_percent: Levels,
    /// p99 of the targets' response time, milliseconds.
    pub p99_ms: Levels,
    /// DynamoDB replication latency, milliseconds (AWS: 3 000 and 5 000).
    pub replication_latency_ms: Levels,
    /// DynamoDB replication latency that counts as severe (AWS: 180 000).
    pub replication_latency_severe_ms: f64,
    /// Aurora lag, milliseconds.
    pub aurora_lag_ms: Levels,
    /// Percent of checkers that must call an endpoint healthy, below which it is a warning and critical.
    pub checkers_percent: Levels,
    /// S3 replication latency, seconds.
    pub s3_latency_seconds: Levels,
    /// CPU of a service, percent.
    pub cpu_percent: Levels,
    /// Days that a certificate must still be valid.
    pub certificate_days: Levels,
    /// Time of our own request, milliseconds.
    pub probe_ms: Levels,
}

/// A warning and a critical threshold.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Levels {
    /// From here on it is a warning.
    pub warning: f64,
    /// From here on it is critical.
    pub critical: f64,
}

/// How old a value may be before it counts as unknown, seconds.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
#[allow(missing_docs)]
pub struct Freshness {
    pub targets: u64,
    pub services: u64,
    pub scaling: u64,
    pub tables: u64,
    pub aurora: u64,
    pub metrics: u64,
    pub replication: u64,
    pub alarms: u64,
    pub topics: u64,
    pub identity: u64,
    pub probe: u64,
    pub records: u64,
    pub health_checks: u64,
    pub checkers: u64,
}

/// Limits that runbooks obey; observing needs none of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Policy {
    /// Minutes that a survivor must have been healthy before a planned move.
    pub survivors_healthy_minutes: u64,
    /// Seconds that resolvers may go on giving an old answer: Route 53 gives alias records 60.
    pub answers_live_seconds: u64,
    /// Minutes of nearly no traffic that prove a drained region empty; 0 goes without that proof.
    pub quiet_minutes: u64,
    /// Minutes that users are watched in a restored region before survivors give anything back; 0 goes without.
    pub soak_minutes: u64,
    /// Largest Aurora RPO lag for a planned switchover, milliseconds.
    pub max_rpo_lag_ms: f64,
    /// Minutes until arming times out.
    pub armed_minutes: u64,
    /// True when the survivors of three or more regions share the load of an evacuated one; false when each of
    /// them must be able to carry all of it.
    pub survivors_share: bool,
    /// Windows in which planned runbooks are refused.
    #[serde(rename = "freeze", skip_serializing_if = "Vec::is_empty")]
    pub freezes: Vec<Freeze>,
}

/// A change-freeze window.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Freeze {
    /// First moment.
    pub from: Timestamp,
    /// End.
    pub until: Timestamp,
    /// Why.
    pub reason: Text,
}

impl Default for Thresholds {
    fn default() -> Self {
        let levels = |warning, critical| Levels { warning, critical };
        Self {
            error_5xx_percent: levels(1.0, 5.0),
            p99_ms: levels(1_000.0, 3_000.0),
            replication_latency_ms: levels(3_000.0, 5_000.0),
            replication_latency_severe_ms: 180_000.0,
            aurora_lag_ms: levels(1_000.0, 5_000.0),
            checkers_percent: levels(80.0, 18.0),
            s3_latency_seconds: levels(900.0, 3_600.0),
            cpu_percent: levels(80.0, 95.0),
            certificate_days: levels(21.0, 7.0),
            probe_ms: levels(1_000.0, 3_000.0),
        }
    }
}

impl Default for Freshness {
    fn default() -> Self {
        Self {
            targets: 45,
            services: 45,
            scaling: 180,
            tables: 90,
            aurora: 60,
            metrics: 300,
            replication: 1_800,
            alarms: 180,
            topics: 1_800,
            identity: 7_200,
            probe: 60,
            records: 300,
            health_checks: 600,
            checkers: 900,
        }
    }
}

impl Default for Policy {
    fn default() -> Self {
        Self {
            survivors_healthy_minutes: 3,
            answers_live_seconds: 60,
            quiet_minutes: 3,
            soak_minutes: 5,
            max_rpo_lag_ms: 1_000.0,
            armed_minutes: 15,
            survivors_share: false,
            freezes: Vec::new(),
        }
    }
}

impl Freshness {
    /// How old a value of this kind may be.
    pub fn limit(&self, kind: SourceKind) -> Duration {
        Duration::from_secs(match kind {
            SourceKind::Targets => self.targets,
            SourceKind::Services => self.services,
            SourceKind::Scaling => self.scaling,
            SourceKind::Tables => self.tables,
            SourceKind::Aurora => self.aurora,
            SourceKind::Metrics | SourceKind::Percentiles => self.metrics,
            SourceKind::Replication => self.replication,
            SourceKind::Alarms => self.alarms,
            SourceKind::Topics => self.topics,
            SourceKind::Identity => self.identity,
            SourceKind::Probe => self.probe,
            SourceKind::Records => self.records,
            SourceKind::HealthChecks => self.health_checks,
            SourceKind::Checkers => self.checkers,
        })
    }
}
