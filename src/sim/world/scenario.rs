//! Scenarios: what goes wrong, when and where, as data.
//!
//! What it is for: the format of `assets/scenarios/*.toml`, and the list of those that are built in.
//! What it must not do: know what an effect does to the world; that is `state`, `faults` and `metrics`.

mod read;

use serde::Deserialize;

pub use read::ScenarioError;

/// A built-in file: its name and its text.
macro_rules! built_in {
    ($name:literal) => {
        ($name, include_str!(concat!("../../../assets/scenarios/", $name)))
    };
}

/// The built-in scenarios, calm first.
const BUILT_IN: [(&str, &str); 12] = [
    built_in!("calm.toml"),
    built_in!("regional-outage.toml"),
    built_in!("5xx-surge.toml"),
    built_in!("ecs-crash-loop.toml"),
    built_in!("replication-lag.toml"),
    built_in!("aurora-lag.toml"),
    built_in!("health-check-flapping.toml"),
    built_in!("control-plane-down.toml"),
    built_in!("throttling.toml"),
    built_in!("expired-credentials.toml"),
    built_in!("black-hole.toml"),
    built_in!("clock-skew.toml"),
];

/// A scenario file.
#[derive(Clone, Debug, PartialEq)]
pub struct Scenario {
    /// Name, as the command line takes it.
    pub name: String,
    /// One sentence.
    pub description: String,
    /// `first`, `second`, or a region's name: where it happens unless somebody says otherwise.
    pub region: String,
    /// How many seconds before the world's first moment it began, so that the first look shows it.
    pub lead_seconds: i64,
    /// What happens.
    pub effects: Vec<Timed>,
}

impl Scenario {
    /// Reads the text of a scenario file. A key that is none is an error, in effects too.
    pub fn parse(text: &str) -> Result<Self, ScenarioError> {
        read::read("scenario", text)
    }
}

fn first() -> String {
    "first".into()
}

/// One effect with its time.
#[derive(Clone, Debug, PartialEq)]
pub struct Timed {
    /// Seconds from the scenario's beginning.
    pub at: i64,
    /// Seconds from the scenario's beginning; for good when absent.
    pub until: Option<i64>,
    /// `here` (the scenario's region), `others`, `everywhere`, or a region's name.
    pub place: String,
    /// What.
    pub effect: Effect,
}

fn here() -> String {
    "here".into()
}

/// Everything that can go wrong. In a file, `kind` says which, beside its keys.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
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
    /// Users make this share of their usual requests; 0 for an application that nobody uses any more.
    Demand {
        /// Factor on the requests.
        factor: f64,
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
    /// A blue/green deployment of the region's Aurora cluster.
    BlueGreen {
        /// `PROVISIONING`, `AVAILABLE`, `SWITCHOVER_IN_PROGRESS`, `SWITCHOVER_COMPLETED`.
        status: String,
    },
    /// The global write forwarding of the region's Aurora cluster.
    WriteForwarding {
        /// `enabled`, `enabling`, `disabling`.
        status: String,
    },
    /// Instances of the region's Aurora cluster are in this state instead of available.
    InstancesOut {
        /// `rebooting`, `upgrading`, `failed`.
        status: String,
    },
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
            | Self::HealthCheckFlap { .. }
            | Self::Demand { .. } => true,
            Self::ApiDown { .. }
            | Self::ReplicationLatency { .. }
            | Self::WriteThrottles { .. }
            | Self::ReplicaStatus { .. }
            | Self::AuroraLag { .. }
            | Self::DatabaseDown
            | Self::BlueGreen { .. }
            | Self::WriteForwarding { .. }
            | Self::InstancesOut { .. }
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
pub fn all() -> Result<Vec<Scenario>, ScenarioError> {
    BUILT_IN.iter().map(|(file, text)| read::read(file, text)).collect()
}

/// The built-in scenario of that name.
pub fn find(name: &str) -> Option<Scenario> {
    all().ok()?.into_iter().find(|scenario| scenario.name == name)
}

/// Names of the built-in scenarios, for help and completions.
pub fn names() -> Vec<String> {
    all().unwrap_or_default().into_iter().map(|scenario| scenario.name).collect()
}
