//! Scenarios: what goes wrong, when and where, as data.
//!
//! What it is for: the format of `assets/scenarios/*.toml`, and the list of those that are built in.
//! What it must not do: know what an effect does to the world; that is `state`, `faults` and `metrics`.

use serde::Deserialize;

/// The built-in scenarios, calm first.
const BUILT_IN: [&str; 12] = [
    include_str!("../../../assets/scenarios/calm.toml"),
    include_str!("../../../assets/scenarios/regional-outage.toml"),
    include_str!("../../../assets/scenarios/5xx-surge.toml"),
    include_str!("../../../assets/scenarios/ecs-crash-loop.toml"),
    include_str!("../../../assets/scenarios/replication-lag.toml"),
    include_str!("../../../assets/scenarios/aurora-lag.toml"),
    include_str!("../../../assets/scenarios/health-check-flapping.toml"),
    include_str!("../../../assets/scenarios/control-plane-down.toml"),
    include_str!("../../../assets/scenarios/throttling.toml"),
    include_str!("../../../assets/scenarios/expired-credentials.toml"),
    include_str!("../../../assets/scenarios/black-hole.toml"),
    include_str!("../../../assets/scenarios/clock-skew.toml"),
];

/// A scenario file.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// Name, as the command line takes it.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// `first`, `second`, or a region's name: where it happens unless somebody says otherwise.
    #[serde(default = "first")]
    pub region: String,
    /// How many seconds before the world's first moment it began, so that the first look shows it.
    #[serde(default)]
    pub lead_seconds: i64,
    /// What happens.
    #[serde(default, rename = "effect")]
    pub effects: Vec<Timed>,
}

impl Scenario {
    /// Reads a scenario file.
    pub fn parse(text: &str) -> Result<Self, toml::de::Error> {
        toml::from_str(text)
    }
}

fn first() -> String {
    "first".into()
}

/// One effect with its time.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub struct Timed {
    /// Seconds from the scenario's beginning.
    #[serde(default)]
    pub at: i64,
    /// Seconds from the scenario's beginning; for good when absent.
    pub until: Option<i64>,
    /// `here` (the scenario's region), `others`, `everywhere`, or a region's name.
    #[serde(default = "here", rename = "where")]
    pub place: String,
    /// What.
    #[serde(flatten)]
    pub effect: Effect,
}

fn here() -> String {
    "here".into()
}

/// Everything that can go wrong.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Effect {
    /// AWS APIs of the region: named services (`*` for all), for a fraction of calls.
    ApiDown {
        /// Services by SigV4 name.
        services: Vec<String>,
        /// How they fail.
        mode: Mode,
        /// Share of calls, 0 to 1.
        #[serde(default = "one")]
        fraction: f64,
    },
    /// The front door answers nobody well.
    AppDown {
        /// How it fails.
        mode: Mode,
    },
    /// Targets fail their health checks.
    TargetsUnhealthy {
        /// Services; all when empty.
        #[serde(default)]
        services: Vec<String>,
        /// Share of the tasks.
        #[serde(default = "one")]
        fraction: f64,
        /// `Target.Timeout`, `Target.ResponseCodeMismatch`, `Target.FailedHealthChecks`.
        #[serde(default = "timeout")]
        reason: String,
    },
    /// Tasks are gone and cannot be placed.
    TasksLost {
        /// Services; all when empty.
        #[serde(default)]
        services: Vec<String>,
        /// Share of the tasks.
        fraction: f64,
    },
    /// A new deployment of a service starts tasks that die.
    TaskCrashLoop {
        /// Service.
        service: String,
        /// Share of the tasks that the new deployment has taken over.
        #[serde(default = "half")]
        fraction: f64,
        /// Seconds from a task's start to its end.
        #[serde(default = "fifty")]
        period: i64,
    },
    /// Targets answer with 5XX.
    Errors5xx {
        /// Services; all when empty.
        #[serde(default)]
        services: Vec<String>,
        /// Percent of requests.
        percent: f64,
    },
    /// Responses take longer.
    SlowResponses {
        /// Factor on the response time.
        factor: f64,
    },
    /// DynamoDB replication from `where` to all other regions.
    ReplicationLatency {
        /// Tables; all when empty.
        #[serde(default)]
        tables: Vec<String>,
        /// `to_others` or `from_others`.
        #[serde(default)]
        direction: Direction,
        /// Milliseconds more.
        ms: f64,
        /// Further milliseconds a minute.
        #[serde(default)]
        growth: f64,
    },
    /// DynamoDB refuses writes above the capacity.
    WriteThrottles {
        /// Tables; all when empty.
        #[serde(default)]
        tables: Vec<String>,
        /// Refused writes a minute.
        per_minute: f64,
    },
    /// A replica of a global table has a status other than ACTIVE.
    ReplicaStatus {
        /// Tables; all when empty.
        #[serde(default)]
        tables: Vec<String>,
        /// ReplicaStatus.
        status: String,
    },
    /// The Aurora secondary of the region (or every secondary, when the writer's region is named) lags.
    AuroraLag {
        /// Milliseconds more.
        ms: f64,
        /// Further milliseconds a minute.
        #[serde(default)]
        growth: f64,
    },
    /// The Aurora cluster of the region does not run.
    DatabaseDown,
    /// S3 replication to the region waits.
    ReplicationBacklog {
        /// Bytes a minute that pile up.
        bytes_per_minute: f64,
        /// Failed operations a minute.
        #[serde(default)]
        failed_per_minute: f64,
    },
    /// The endpoint is up and down by turns, as Route 53's checkers see it.
    HealthCheckFlap {
        /// Seconds of a full turn.
        period: i64,
        /// Share of a turn that is down.
        #[serde(default = "half")]
        down: f64,
    },
    /// Rate limits shrink.
    Throttle {
        /// Services by SigV4 name, `*` for all.
        services: Vec<String>,
        /// Calls a second that pass.
        rate: f64,
    },
    /// The session token has expired.
    CredentialsExpired,
    /// The identity may not call these.
    Denied {
        /// `service:Operation`, or `service:*`.
        calls: Vec<String>,
    },
    /// AWS's clock is this many seconds ahead of ours.
    ClockSkew {
        /// Seconds; negative when AWS is behind.
        seconds: i64,
    },
    /// CloudWatch shows everything later.
    LateMetrics {
        /// Minutes later.
        minutes: i64,
    },
    /// Our own network does not reach anything outside, the control host included.
    OurNetworkDown,
}

impl Effect {
    /// Whether users' requests, tasks or DNS notice; the others concern APIs, replication or metrics only.
    pub fn touches_requests(&self) -> bool {
        match self {
            Self::AppDown { .. }
            | Self::TargetsUnhealthy { .. }
            | Self::TasksLost { .. }
            | Self::TaskCrashLoop { .. }
            | Self::Errors5xx { .. }
            | Self::SlowResponses { .. }
            | Self::HealthCheckFlap { .. } => true,
            Self::ApiDown { .. }
            | Self::ReplicationLatency { .. }
            | Self::WriteThrottles { .. }
            | Self::ReplicaStatus { .. }
            | Self::AuroraLag { .. }
            | Self::DatabaseDown
            | Self::ReplicationBacklog { .. }
            | Self::Throttle { .. }
            | Self::CredentialsExpired
            | Self::Denied { .. }
            | Self::ClockSkew { .. }
            | Self::LateMetrics { .. }
            | Self::OurNetworkDown => false,
        }
    }
}

/// How something fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// Answers with a server error.
    #[default]
    Error,
    /// Refuses the connection.
    Refuse,
    /// Takes the request and never answers.
    Hang,
}

/// Which way replication is slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// From the region to others.
    ToOthers,
    /// From others to the region.
    FromOthers,
    /// Both.
    #[default]
    Both,
}

fn one() -> f64 {
    1.0
}
fn half() -> f64 {
    0.5
}
fn fifty() -> i64 {
    50
}
fn timeout() -> String {
    "Target.Timeout".into()
}

/// Every built-in scenario.
pub fn all() -> Result<Vec<Scenario>, toml::de::Error> {
    BUILT_IN.iter().map(|text| Scenario::parse(text)).collect()
}

/// The built-in scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    all().ok()?.into_iter().find(|scenario| scenario.name == name)
}

/// Names of the built-in scenarios, for help and completions.
pub fn names() -> Vec<String> {
    all().unwrap_or_default().into_iter().map(|scenario| scenario.name).collect()
}
