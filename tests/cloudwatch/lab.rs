//! A world of a few series, and clients for it.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_sdk_cloudwatch::config::{BehaviorVersion, Region};
use aws_sdk_cloudwatch::error::{ProvideErrorMetadata, SdkError};
use aws_sdk_cloudwatch::primitives::DateTime;
use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricStat};
use aws_smithy_async::time::StaticTimeSource;
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use aws_smithy_types::retry::RetryConfig;
use bytes::Bytes;
use jiff::{SignedDuration, Timestamp};
use switchtower::sim::call::{Call, Reply};
use switchtower::sim::cloudwatch::{self, source};

/// 2026-11-21T03:00:00Z, the present of this world.
pub(super) const NOW: i64 = 1_795_230_000;

/// The region that the clients ask.
pub(super) const REGION: &str = "eu-west-1";

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(NOW).unwrap()
}

/// Minutes before now.
pub(super) fn ago(minutes: i64) -> DateTime {
    DateTime::from_secs(NOW - 60 * minutes)
}

/// A world.
#[derive(Debug, Default)]
pub(super) struct Lab {
    metrics: Vec<source::MetricId>,
    samples: BTreeMap<(source::MetricId, i64), source::Samples>,
    alarms: Vec<source::Alarm>,
}

pub(super) fn metric(name: &str, dimensions: &[(&str, &str)]) -> source::MetricId {
    source::MetricId {
        namespace: "Lab".to_owned(),
        name: name.to_owned(),
        dimensions: dimensions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

impl Lab {
    /// A metric that exists, whether or not it has points.
    pub(super) fn exists(mut self, metric: source::MetricId) -> Self {
        if !self.metrics.contains(&metric) {
            self.metrics.push(metric);
        }
        self
    }

    /// Samples of one minute, `ago` minutes before now.
    pub(super) fn minute(mut self, metric: &source::MetricId, ago: i64, values: &[(f64, f64)]) -> Self {
        let samples = source::Samples { values: values.to_vec(), unit: "Count" };
        self.samples.insert((metric.clone(), NOW - 60 * ago), samples);
        self.exists(metric.clone())
    }

    /// One sample a minute, oldest first, the last one a minute ago. `None`: nothing was reported.
    pub(super) fn series(mut self, metric: &source::MetricId, values: &[Option<f64>]) -> Self {
        for (index, value) in values.iter().enumerate() {
            if let Some(value) = value {
                self = self.minute(metric, (values.len() - index) as i64, &[(*value, 1.0)]);
            }
        }
        self.exists(metric.clone())
    }

    pub(super) fn alarm(mut self, alarm: source::Alarm) -> Self {
        self.alarms.push(alarm);
        self
    }

    /// A client of this world.
    pub(super) fn client(self) -> aws_sdk_cloudwatch::Client {
        let connector = SharedHttpConnector::new(Wire(Arc::new(self)));
        let clock = StaticTimeSource::new(now().into());
        let config = aws_sdk_cloudwatch::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new(REGION))
            .credentials_provider(aws_credential_types::Credentials::new(
                "AKIDLAB", "secret", None, None, "lab",
            ))
            .retry_config(RetryConfig::disabled())
            .time_source(clock)
            .http_client(http_client_fn(move |_, _| connector.clone()))
            .build();
        aws_sdk_cloudwatch::Client::from_conf(config)
    }

    /// Answers a call that was made by hand.
    pub(super) fn by_hand(
        &self,
        method: &str,
        path: &str,
        headers: &[(&'static str, &str)],
        body: &[u8],
    ) -> Reply {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let headers = headers
            .iter()
            .map(|(k, v)| (http::HeaderName::from_static(k), http::HeaderValue::from_str(v).unwrap()));
        cloudwatch::answer(
            self,
            &Call {
                method: method.to_owned(),
                path: path.to_owned(),
                query: query.to_owned(),
                host: "monitoring.eu-west-1.amazonaws.com".to_owned(),
                headers: headers.collect(),
                body: Bytes::copy_from_slice(body),
                service: "monitoring".to_owned(),
                region: REGION.to_owned(),
                access_key: "AKIDLAB".to_owned(),
                now: now(),
                served: now(),
                request_id: "lab-1".to_owned(),
            },
        )
    }

    /// Answers an awsJson call.
    pub(super) fn json(&self, operation: &str, input: &serde_json::Value) -> (Reply, serde_json::Value) {
        let target = format!("GraniteServiceVersion20100801.{operation}");
        let headers = [("x-amz-target", target.as_str()), ("x-amzn-query-mode", "true")];
        let reply = self.by_hand("POST", "/", &headers, input.to_string().as_bytes());
        let output = serde_json::from_slice(&reply.body).unwrap();
        (reply, output)
    }

    /// Answers an awsQuery call; the form is given without escapes.
    pub(super) fn query(&self, pairs: &[(&str, &str)]) -> (Reply, String) {
        let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        let reply = self.by_hand("POST", "/", &[], form.as_bytes());
        let text = String::from_utf8(reply.body.clone()).unwrap();
        (reply, text)
    }
}

impl source::MetricSource for Lab {
    fn metrics(&self, region: &str, _: Timestamp) -> Vec<source::MetricId> {
        if region == REGION { self.metrics.clone() } else { Vec::new() }
    }

    fn samples(
        &self,
        region: &str,
        metric: &source::MetricId,
        minute: Timestamp,
        _: Timestamp,
    ) -> Option<source::Samples> {
        assert_eq!(region, REGION);
        assert_eq!(minute.as_second() % 60, 0);
        self.samples.get(&(metric.clone(), minute.as_second())).cloned()
    }

    fn alarms(&self, _: &str, _: Timestamp) -> Vec<source::Alarm> {
        self.alarms.clone()
    }
}

/// An alarm in state OK since ten minutes.
pub(super) fn alarm(name: &str) -> source::Alarm {
    source::Alarm {
        name: name.to_owned(),
        arn: format!("arn:aws:cloudwatch:{REGION}:123456789012:alarm:{name}"),
        description: String::new(),
        metric: Some(metric("Errors", &[("Service", "api")])),
        statistic: "Sum".to_owned(),
        period: 60,
        evaluation_periods: 3,
        threshold: 5.0,
        comparison: "GreaterThanThreshold".to_owned(),
        treat_missing_data: "notBreaching".to_owned(),
        rule: None,
        actions_enabled: true,
        alarm_actions: vec![format!("arn:aws:sns:{REGION}:123456789012:oncall")],
        state: "OK".to_owned(),
        reason: "Threshold not crossed".to_owned(),
        since: now() - SignedDuration::from_mins(10),
        updated: now() - SignedDuration::from_hours(24),
    }
}

#[derive(Debug)]
struct Wire(Arc<Lab>);

impl HttpConnector for Wire {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let path = request.uri().split_once("amazonaws.com").map_or("/", |(_, path)| path).to_owned();
        let headers: Vec<(&'static str, String)> = ["smithy-protocol", "x-amzn-query-mode"]
            .iter()
            .filter_map(|name| Some((*name, request.headers().get(name)?.to_owned())))
            .collect();
        let headers: Vec<(&'static str, &str)> = headers.iter().map(|(k, v)| (*k, v.as_str())).collect();
        assert!(request.headers().get("authorization").unwrap().contains("/monitoring/aws4_request"));
        let body = request.body().bytes().unwrap_or_default();
        let reply = self.0.by_hand(request.method(), &path, &headers, body);
        let mut response =
            HttpResponse::new(StatusCode::try_from(reply.status).unwrap(), SdkBody::from(reply.body));
        for (name, value) in reply.headers {
            response.headers_mut().insert(name, value);
        }
        HttpConnectorFuture::ready(Ok(response))
    }
}

/// The code that a caller sees.
pub(super) fn code<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => {
            error.err().code().unwrap_or_else(|| panic!("no code: {error:?}")).to_owned()
        }
        other => panic!("no service error: {other:?}"),
    }
}

/// The message that a caller sees.
pub(super) fn message<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(
    result: Result<T, SdkError<E, HttpResponse>>,
) -> String {
    match result {
        Err(SdkError::ServiceError(error)) => error.err().message().unwrap_or_default().to_owned(),
        other => panic!("no service error: {other:?}"),
    }
}

/// A query for a metric of the lab.
pub(super) fn asks(id: &str, metric: &source::MetricId, stat: &str) -> MetricDataQuery {
    asks_every(id, metric, stat, 60)
}

/// The same with a period.
pub(super) fn asks_every(id: &str, metric: &source::MetricId, stat: &str, period: i32) -> MetricDataQuery {
    let dimensions: Vec<Dimension> =
        metric.dimensions.iter().map(|(k, v)| Dimension::builder().name(k).value(v).build()).collect();
    let metric = Metric::builder()
        .namespace(&metric.namespace)
        .metric_name(&metric.name)
        .set_dimensions(Some(dimensions))
        .build();
    let stat = MetricStat::builder().metric(metric).period(period).stat(stat).build();
    MetricDataQuery::builder().id(id).metric_stat(stat).build()
}

/// A query for an expression.
pub(super) fn computes(id: &str, expression: &str) -> MetricDataQuery {
    MetricDataQuery::builder().id(id).expression(expression).build()
}
