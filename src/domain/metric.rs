//! CloudWatch metrics that the console reads: names, dimensions, statistics, units, and the rules for
//! missing data.
//!
//! What it is for: one table of metrics ([`Metric::spec`]), and series with the time of every point.
//! What it must not do: call CloudWatch (that is `cloud::metrics`) or judge a value (`checks`).

use std::fmt;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

/// A metric of the catalogue. [`Metric::ALL`] lists them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Requests for which a target could be chosen, per load balancer.
    AlbRequests,
    /// 5XX that the load balancer itself answered.
    AlbElb5xx,
    /// 5XX that targets answered.
    AlbTarget5xx,
    /// 99th percentile of the targets' response time, seconds.
    AlbP99,
    /// Healthy targets of a target group; the sibling that proves the pipeline alive.
    AlbHealthyHosts,
    /// CPU of an ECS service, percent.
    EcsCpu,
    /// Memory of an ECS service, percent.
    EcsMemory,
    /// DynamoDB replication latency from the asked region to `ReceivingRegion`, milliseconds.
    TableReplicationLatency,
    /// Throttled reads of a table.
    TableReadThrottles,
    /// Throttled writes of a table.
    TableWriteThrottles,
    /// Aurora: user-transaction lag of a secondary cluster, milliseconds.
    AuroraRpoLag,
    /// Aurora: replication-server lag of a secondary cluster, milliseconds.
    AuroraReplicationLag,
    /// Route 53's verdict on a health check, 1 or 0.
    HealthCheckStatus,
    /// Percent of checkers that call the endpoint healthy.
    HealthCheckPercentageHealthy,
    /// S3 replication latency of a rule, seconds.
    S3ReplicationLatency,
    /// Bytes that wait for replication.
    S3BytesPending,
    /// Operations that wait for replication.
    S3OperationsPending,
    /// Operations that failed to replicate.
    S3OperationsFailed,
}

/// What CloudWatch calls a metric, and how it is to be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MetricSpec {
    /// CloudWatch namespace.
    pub namespace: &'static str,
    /// CloudWatch metric name.
    pub name: &'static str,
    /// Statistic, as GetMetricData takes it.
    pub stat: &'static str,
    /// Unit of the values as CloudWatch gives them.
    pub unit: &'static str,
    /// Dimension names, in the order of [`SeriesKey::dimensions`].
    pub dimensions: &'static [&'static str],
    /// True for percentiles, which go into a call of their own.
    pub percentile: bool,
    /// The call as a [`Source`](super::observation::Source) names it: `cloudwatch:RequestCount Sum`.
    pub call: &'static str,
}

impl Metric {
    /// Every metric, in the order of the panes.
    pub const ALL: [Self; 18] = [
        Self::AlbRequests,
        Self::AlbElb5xx,
        Self::AlbTarget5xx,
        Self::AlbP99,
        Self::AlbHealthyHosts,
        Self::EcsCpu,
        Self::EcsMemory,
        Self::TableReplicationLatency,
        Self::TableReadThrottles,
        Self::TableWriteThrottles,
        Self::AuroraRpoLag,
        Self::AuroraReplicationLag,
        Self::HealthCheckStatus,
        Self::HealthCheckPercentageHealthy,
        Self::S3ReplicationLatency,
        Self::S3BytesPending,
        Self::S3OperationsPending,
        Self::S3OperationsFailed,
    ];

    /// Name, statistic, unit and dimensions. Source: the AWS documentation of each namespace.
    pub const fn spec(self) -> MetricSpec {
        const ALB: &str = "AWS/ApplicationELB";
        const LB: &[&str] = &["LoadBalancer"];
        const S3: &[&str] = &["SourceBucket", "DestinationBucket", "RuleId"];
        macro_rules! spec {
            ($namespace:expr, $name:literal, $stat:literal, $unit:literal, $dimensions:expr) => {
                MetricSpec {
                    namespace: $namespace,
                    name: $name,
                    stat: $stat,
                    unit: $unit,
                    dimensions: $dimensions,
                    percentile: false,
                    call: concat!("cloudwatch:", $name, " ", $stat),
                }
            };
        }
        match self {
            Self::AlbRequests => spec!(ALB, "RequestCount", "Sum", "Count", LB),
            Self::AlbElb5xx => spec!(ALB, "HTTPCode_ELB_5XX_Count", "Sum", "Count", LB),
            Self::AlbTarget5xx => spec!(ALB, "HTTPCode_Target_5XX_Count", "Sum", "Count", LB),
            Self::AlbP99 => {
                MetricSpec { percentile: true, ..spec!(ALB, "TargetResponseTime", "p99", "Seconds", LB) }
            }
            Self::AlbHealthyHosts => {
                spec!(ALB, "HealthyHostCount", "Minimum", "Count", &["LoadBalancer", "TargetGroup"])
            }
            Self::EcsCpu => {
                spec!("AWS/ECS", "CPUUtilization", "Average", "Percent", &["ClusterName", "ServiceName"])
            }
            Self::EcsMemory => {
                spec!("AWS/ECS", "MemoryUtilization", "Average", "Percent", &["ClusterName", "ServiceName"])
            }
            Self::TableReplicationLatency => spec!(
                "AWS/DynamoDB",
                "ReplicationLatency",
                "Average",
                "Milliseconds",
                &["ReceivingRegion", "TableName"]
            ),
            Self::TableReadThrottles => {
                spec!("AWS/DynamoDB", "ReadThrottleEvents", "Sum", "Count", &["TableName"])
            }
            Self::TableWriteThrottles => {
                spec!("AWS/DynamoDB", "WriteThrottleEvents", "Sum", "Count", &["TableName"])
            }
            Self::AuroraRpoLag => {
                spec!("AWS/RDS", "AuroraGlobalDBRPOLag", "Maximum", "Milliseconds", &["DBClusterIdentifier"])
            }
            Self::AuroraReplicationLag => spec!(
                "AWS/RDS",
                "AuroraGlobalDBReplicationLag",
                "Maximum",
                "Milliseconds",
                &["DBClusterIdentifier"]
            ),
            Self::HealthCheckStatus => {
                spec!("AWS/Route53", "HealthCheckStatus", "Minimum", "None", &["HealthCheckId"])
            }
            Self::HealthCheckPercentageHealthy => {
                spec!("AWS/Route53", "HealthCheckPercentageHealthy", "Average", "Percent", &["HealthCheckId"])
            }
            Self::S3ReplicationLatency => spec!("AWS/S3", "ReplicationLatency", "Maximum", "Seconds", S3),
            Self::S3BytesPending => spec!("AWS/S3", "BytesPendingReplication", "Maximum", "Bytes", S3),
            Self::S3OperationsPending => {
                spec!("AWS/S3", "OperationsPendingReplication", "Maximum", "Count", S3)
            }
            Self::S3OperationsFailed => spec!("AWS/S3", "OperationsFailedReplication", "Sum", "Count", S3),
        }
    }
}

/// One series: a metric and the values of its dimensions, in the order of the metric's spec.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct SeriesKey {
    /// Which metric.
    pub metric: Metric,
    /// Dimension values, as many as [`MetricSpec::dimensions`].
    pub dimensions: Arc<[Arc<str>]>,
}

impl SeriesKey {
    /// A series of `metric`; `dimensions` in the order of its spec.
    pub fn new(metric: Metric, dimensions: &[&str]) -> Self {
        debug_assert_eq!(metric.spec().dimensions.len(), dimensions.len());
        Self { metric, dimensions: dimensions.iter().map(|value| super::text::clean(value)).collect() }
    }
}

/// Length of a bucket of every series here.
pub const PERIOD: SignedDuration = SignedDuration::from_secs(60);

/// How much of the past a series keeps.
pub const WINDOW: SignedDuration = SignedDuration::from_mins(60);

/// The longest stretch that a series spans: what lies farther before the newest point is forgotten.
const LONGEST: usize = 24 * 60;

/// Points of one metric, oldest first, at most one a minute, for the last hour. May be empty: CloudWatch
/// answered and had nothing. Cheap to clone.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(from = "Points", into = "Points")]
pub struct Series {
    /// The minute of the first value, counted from the epoch.
    first: i64,
    /// One value a minute, [`GAP`] where there is none; neither the first nor the last is a gap. A large fleet has
    /// thousands of series: without a time beside each value, and shared by all snapshots, they stay small.
    values: Arc<[f64]>,
}

/// No point in this minute. Points are finite, so that no value is taken for it.
const GAP: f64 = f64::NAN;

/// A series as files hold it.
#[derive(Serialize, Deserialize)]
struct Points {
    points: Vec<Point>,
}

/// One bucket.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// Start of the bucket, on a whole minute.
    pub at: Timestamp,
    /// The statistic over the bucket, in the metric's unit.
    pub value: f64,
}

impl Series {
    /// Takes points in any order; of two for one minute the later in the list wins. Values that are not
    /// finite are dropped: they are not measurements.
    pub fn new(points: impl IntoIterator<Item = Point>) -> Self {
        let mut series = Self::default();
        series.merge(points);
        series
    }

    /// All points, oldest first.
    pub fn points(&self) -> Vec<Point> {
        self.iter().collect()
    }

    /// The newest point.
    pub fn last(&self) -> Option<Point> {
        self.iter().next_back()
    }

    /// The value of the bucket that starts at `at`.
    pub fn at(&self, at: Timestamp) -> Option<f64> {
        let index = usize::try_from(minute_of(at) - self.first).ok()?;
        self.values.get(index).copied().filter(|value| value.is_finite())
    }

    /// True when CloudWatch has no point in the window.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Takes newer points in; later values replace earlier ones of the same minute, as CloudWatch
    /// revises its newest buckets.
    pub fn merge(&mut self, newer: impl IntoIterator<Item = Point>) {
        let newer: Vec<(i64, f64)> = newer
            .into_iter()
            .filter(|point| point.value.is_finite())
            .map(|point| (minute_of(point.at), point.value))
            .collect();
        let minutes = || newer.iter().map(|(minute, _)| *minute);
        let (Some(oldest), Some(newest)) = (minutes().min(), minutes().max()) else { return };
        let (oldest, newest) = match self.values.len() {
            0 => (oldest, newest),
            known => (oldest.min(self.first), newest.max(self.first + known as i64 - 1)),
        };
        let first = oldest.max(newest - (LONGEST as i64 - 1));
        let mut values = vec![GAP; (newest - first) as usize + 1];
        let known = self.values.iter().enumerate().map(|(index, value)| (self.first + index as i64, *value));
        for (minute, value) in known.chain(newer) {
            if let Some(slot) = usize::try_from(minute - first).ok().and_then(|index| values.get_mut(index)) {
                *slot = value;
            }
        }
        self.keep(first, &values);
    }

    /// Forgets points that start before `oldest`.
    pub fn forget_before(&mut self, oldest: Timestamp) {
        // A point lies at the start of its minute: of a minute that began earlier nothing is left.
        let oldest = oldest.as_second().div_euclid(60) + i64::from(oldest != floor_minute(oldest));
        let old = usize::try_from(oldest - self.first).unwrap_or_default().min(self.values.len());
        if old > 0 {
            let values = Arc::clone(&self.values);
            self.keep(self.first + old as i64, &values[old..]);
        }
    }

    /// The points of the last hour before `end` as one value a minute, oldest first; `None` is a gap.
    pub fn minutes(&self, end: Timestamp, count: usize) -> Vec<Option<f64>> {
        let end = floor_minute(end);
        (1..=count as i64).rev().map(|back| self.at(end - SignedDuration::from_mins(back))).collect()
    }

    /// Takes `values` over, without the gaps around them.
    fn keep(&mut self, first: i64, values: &[f64]) {
        let before = values.iter().take_while(|value| value.is_nan()).count();
        let after = values[before..].iter().rev().take_while(|value| value.is_nan()).count();
        self.first = first + before as i64;
        self.values = values[before..values.len() - after].into();
    }

    fn iter(&self) -> impl DoubleEndedIterator<Item = Point> {
        let points = self.values.iter().enumerate().filter(|(_, value)| value.is_finite());
        points.filter_map(|(index, value)| {
            let at = Timestamp::from_second((self.first + index as i64) * 60).ok()?;
            Some(Point { at, value: *value })
        })
    }
}

impl PartialEq for Series {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl fmt::Debug for Series {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl From<Points> for Series {
    fn from(known: Points) -> Self {
        Self::new(known.points)
    }
}

impl From<Series> for Points {
    fn from(series: Series) -> Self {
        Self { points: series.points() }
    }
}

/// The minute that `at` lies in, counted from the epoch.
fn minute_of(at: Timestamp) -> i64 {
    at.as_second().div_euclid(60)
}

/// The start of the minute that `at` lies in.
pub fn floor_minute(at: Timestamp) -> Timestamp {
    let second = at.as_second();
    Timestamp::from_second(second - second.rem_euclid(60)).unwrap_or(at)
}
