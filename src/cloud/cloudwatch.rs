//! CloudWatch: series and alarms.
//!
//! What it is for: one GetMetricData for everything that a region has to show, each series with its own
//! outcome, and the state of alarms of both kinds. What it must not do: compute ratios or fill gaps; an
//! absent point is absent.

use std::collections::HashMap;

use aws_sdk_cloudwatch::types::{
    AlarmType, CompositeAlarm, Dimension, Metric as SdkMetric, MetricAlarm, MetricDataQuery, MetricStat,
    ScanBy, StatusCode,
};
use jiff::{SignedDuration, Timestamp};

use super::time::{date_time, stamp};
use super::{Each, Place};
use crate::domain::ids::{AlarmName, Arn};
use crate::domain::metric::{Point, SeriesKey};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::snapshot::AlarmState;
use crate::domain::text::Text;

/// IAM's name of the call.
pub const GET_METRIC_DATA: &str = "cloudwatch:GetMetricData";
/// IAM's name of the call.
pub const DESCRIBE_ALARMS: &str = "cloudwatch:DescribeAlarms";

/// Series that one GetMetricData takes.
pub const SERIES_PER_REQUEST: usize = 500;

/// Names that one DescribeAlarms takes.
pub const ALARMS_PER_CALL: usize = 100;

/// How far clocks may differ: the SDK corrects its signatures from here on, so calls go on working.
const MOST_SKEW: SignedDuration = SignedDuration::from_mins(4);

/// A stretch of time in whole periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// First moment, on a whole period.
    pub start: Timestamp,
    /// End, exclusive, on a whole minute.
    pub end: Timestamp,
    /// Seconds a bucket.
    pub period: i32,
}

/// What is gathered of one series over the pages of an answer.
#[derive(Default)]
struct Gathered {
    status: Option<StatusCode>,
    points: Vec<Point>,
    words: String,
}

impl Place {
    /// At most 500 series over `window`, oldest point first; an empty list means that CloudWatch answered
    /// and had no point. A series that CloudWatch refuses is an error of its own.
    pub async fn metric_data(&self, keys: &[SeriesKey], window: Window) -> Each<SeriesKey, Vec<Point>> {
        match self.gather(keys, window).await.and_then(|gathered| self.same_clock(gathered)) {
            Ok(mut gathered) => keys
                .iter()
                .enumerate()
                .map(|(index, key)| (key.clone(), self.judge(gathered.remove(&index))))
                .collect(),
            Err(error) => keys.iter().map(|key| (key.clone(), Err(error.clone()))).collect(),
        }
    }

    async fn gather(
        &self,
        keys: &[SeriesKey],
        window: Window,
    ) -> Result<HashMap<usize, Gathered>, ProbeError> {
        let client = self.cloudwatch().await;
        let queries: Vec<MetricDataQuery> =
            keys.iter().enumerate().map(|(index, key)| query(index, key, window.period)).collect();
        let mut gathered: HashMap<usize, Gathered> = HashMap::new();
        let mut page = None;
        loop {
            let request = client
                .get_metric_data()
                .start_time(date_time(window.start))
                .end_time(date_time(window.end))
                .scan_by(ScanBy::TimestampAscending)
                .set_metric_data_queries(Some(queries.clone()))
                .set_next_token(page);
            self.count_series(queries.len());
            let answer = self.ask(GET_METRIC_DATA, request.send()).await?;
            for result in answer.metric_data_results() {
                let index = result.id().and_then(|id| id.strip_prefix('q')).and_then(|id| id.parse().ok());
                let Some(index) = index else { continue };
                let series: &mut Gathered = gathered.entry(index).or_default();
                // A page that is followed by another says PartialData; the last word counts.
                series.status = result.status_code().cloned();
                for message in result.messages() {
                    message.value().unwrap_or_default().clone_into(&mut series.words);
                }
                series.points.extend(
                    result
                        .timestamps()
                        .iter()
                        .zip(result.values())
                        .filter_map(|(at, value)| Some(Point { at: stamp(at)?, value: *value })),
                );
            }
            page = answer.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                return Ok(gathered);
            }
        }
    }

    /// Points are told apart from gaps by our clock: where it is wrong by minutes, neither can be told.
    fn same_clock<T>(&self, answer: T) -> Result<T, ProbeError> {
        let ahead = self.cloud().clock_ahead();
        if ahead.abs() <= MOST_SKEW {
            return Ok(answer);
        }
        let minutes = ahead.abs().as_secs() / 60;
        let way = if ahead.is_positive() { "behind" } else { "ahead of" };
        let message = format!("this machine's clock is {minutes} min {way} AWS's");
        Err(ProbeError {
            next_step: super::errors::SET_CLOCK.into(),
            ..self.error(ErrorKind::ClockSkew, GET_METRIC_DATA, message)
        })
    }

    fn judge(&self, gathered: Option<Gathered>) -> Result<Vec<Point>, ProbeError> {
        let Some(gathered) = gathered else {
            return Err(self.error(
                ErrorKind::Malformed,
                GET_METRIC_DATA,
                "this series is not in the answer",
            ));
        };
        let status = gathered.status.unwrap_or(StatusCode::Complete);
        let kind = match status {
            StatusCode::Complete => return Ok(gathered.points),
            StatusCode::Forbidden => ErrorKind::Denied,
            // Partial: points may be missing anywhere; as "no data" it would pass for an answer.
            StatusCode::InternalError | StatusCode::PartialData => ErrorKind::ServiceDown,
            _ => ErrorKind::Malformed,
        };
        let words = if gathered.words.is_empty() { "for this series" } else { &gathered.words };
        Err(self.error(kind, GET_METRIC_DATA, format!("{}: {words}", status.as_str())))
    }

    /// At most a hundred alarms by name, metric and composite ones.
    pub async fn alarms(&self, names: &[AlarmName]) -> Each<AlarmName, AlarmState> {
        let mut found: HashMap<String, AlarmState> = HashMap::new();
        let wanted: Vec<String> = names.iter().map(|name| name.as_str().to_owned()).collect();
        let client = self.cloudwatch().await;
        let mut page = None;
        loop {
            let request = client
                .describe_alarms()
                .set_alarm_names(Some(wanted.clone()))
                .alarm_types(AlarmType::MetricAlarm)
                .alarm_types(AlarmType::CompositeAlarm)
                .max_records(100)
                .set_next_token(page);
            let answer = match self.ask(DESCRIBE_ALARMS, request.send()).await {
                Ok(answer) => answer,
                Err(error) => return names.iter().map(|name| (name.clone(), Err(error.clone()))).collect(),
            };
            for alarm in answer.metric_alarms() {
                found.insert(alarm.alarm_name().unwrap_or_default().to_owned(), metric_alarm(alarm));
            }
            for alarm in answer.composite_alarms() {
                found.insert(alarm.alarm_name().unwrap_or_default().to_owned(), composite_alarm(alarm));
            }
            page = answer.next_token.filter(|token| !token.is_empty());
            if page.is_none() {
                break;
            }
        }
        names
            .iter()
            .map(|name| {
                let state = found
                    .remove(name.as_str())
                    .ok_or_else(|| self.absent(DESCRIBE_ALARMS, "there is no alarm of this name"));
                (name.clone(), state)
            })
            .collect()
    }
}

fn query(index: usize, key: &SeriesKey, period: i32) -> MetricDataQuery {
    let spec = key.metric.spec();
    let dimensions = spec
        .dimensions
        .iter()
        .zip(key.dimensions.iter())
        .map(|(name, value)| Dimension::builder().name(*name).value(value.as_ref()).build())
        .collect();
    let metric = SdkMetric::builder()
        .namespace(spec.namespace)
        .metric_name(spec.name)
        .set_dimensions(Some(dimensions))
        .build();
    let stat = MetricStat::builder().metric(metric).period(period).stat(spec.stat).build();
    MetricDataQuery::builder().id(format!("q{index}")).metric_stat(stat).return_data(true).build()
}

fn metric_alarm(alarm: &MetricAlarm) -> AlarmState {
    let watched = match (alarm.namespace(), alarm.metric_name()) {
        (Some(namespace), Some(name)) => format!("{namespace}/{name}"),
        _ => "metric math".to_owned(),
    };
    AlarmState {
        state: alarm.state_value().map(|state| Text::new(state.as_str())).unwrap_or_default(),
        reason: Text::new(alarm.state_reason().unwrap_or_default()),
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()).and_then(stamp),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        actions: alarm.alarm_actions().iter().map(Arn::new).collect(),
        watches: Text::new(watched),
        dimensions: alarm
            .dimensions()
            .iter()
            .filter_map(|dimension| dimension.value())
            .map(Text::new)
            .collect(),
    }
}

fn composite_alarm(alarm: &CompositeAlarm) -> AlarmState {
    AlarmState {
        state: alarm.state_value().map(|state| Text::new(state.as_str())).unwrap_or_default(),
        reason: Text::new(alarm.state_reason().unwrap_or_default()),
        since: alarm.state_transitioned_timestamp().or(alarm.state_updated_timestamp()).and_then(stamp),
        actions_enabled: alarm.actions_enabled().unwrap_or(true),
        actions: alarm.alarm_actions().iter().map(Arn::new).collect(),
        watches: Text::new("composite"),
        dimensions: Vec::new(),
    }
}
