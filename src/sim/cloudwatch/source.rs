//! What CloudWatch needs from the world: which series there are, what they measured, which alarms stand.
//!
//! What it is for: keeping the CloudWatch service apart from the rest of the world.
//! What it must not do: know a wire protocol.

use jiff::Timestamp;

/// A metric with its dimensions, in the order in which the world made them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetricId {
    /// Namespace.
    pub namespace: String,
    /// Metric name.
    pub name: String,
    /// Dimension names and values; matched as a set.
    pub dimensions: Vec<(String, String)>,
}

/// What one metric measured in one minute.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples {
    /// Individual values with how often each occurred; never empty.
    pub values: Vec<(f64, f64)>,
    /// CloudWatch's unit.
    pub unit: &'static str,
}

/// Values of a custom metric, as they were put.
#[derive(Clone, Debug, PartialEq)]
pub struct Datum {
    /// The metric.
    pub metric: MetricId,
    /// When they were measured.
    pub at: Timestamp,
    /// Values with how often each occurred; never empty.
    pub values: Vec<(f64, f64)>,
    /// CloudWatch's unit.
    pub unit: &'static str,
}

/// An alarm as it was put, and its state at the time asked.
#[derive(Clone, Debug, PartialEq)]
pub struct Alarm {
    /// Name.
    pub name: String,
    /// ARN.
    pub arn: String,
    /// Description.
    pub description: String,
    /// The metric it watches; `None` for a composite alarm.
    pub metric: Option<MetricId>,
    /// Statistic, threshold and so on, of a metric alarm.
    pub statistic: String,
    /// Seconds.
    pub period: i32,
    /// Periods.
    pub evaluation_periods: i32,
    /// Threshold.
    pub threshold: f64,
    /// `GreaterThanThreshold`…
    pub comparison: String,
    /// `notBreaching`…
    pub treat_missing_data: String,
    /// Rule of a composite alarm.
    pub rule: Option<String>,
    /// Actions are enabled.
    pub actions_enabled: bool,
    /// ARNs for ALARM.
    pub alarm_actions: Vec<String>,
    /// `OK`, `ALARM`, `INSUFFICIENT_DATA`.
    pub state: String,
    /// Reason.
    pub reason: String,
    /// When the state last changed.
    pub since: Timestamp,
    /// When it was last put.
    pub updated: Timestamp,
}

/// The world, as CloudWatch sees it.
pub trait MetricSource {
    /// Every metric of a region that exists at `now`.
    fn metrics(&self, region: &str, now: Timestamp) -> Vec<MetricId>;

    /// What a metric measured in the minute that starts at `minute` (a whole minute). `None`: nothing was
    /// reported. Points of the newest minute or two may still be missing or partial, as AWS's are.
    fn samples(&self, region: &str, metric: &MetricId, minute: Timestamp, now: Timestamp) -> Option<Samples>;

    /// The alarms of a region, by name.
    fn alarms(&self, region: &str, now: Timestamp) -> Vec<Alarm>;

    /// Deletes alarms. A world without any keeps them.
    fn delete_alarms(&self, region: &str, names: &[&str], now: Timestamp) {
        let _ = (region, names, now);
    }

    /// Tags of a resource, by its ARN.
    fn tags(&self, arn: &str) -> Vec<(&'static str, &'static str)> {
        let _ = arn;
        Vec::new()
    }

    /// Takes the values of custom metrics that somebody put. A world without any forgets them.
    fn put(&self, region: &str, data: Vec<Datum>, now: Timestamp) {
        let _ = (region, data, now);
    }
}
