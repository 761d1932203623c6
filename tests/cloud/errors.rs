//! What goes wrong with calls, told apart: canned answers to one call a protocol.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use switchtower::cloud::{Cloud, Keys, Place};
use switchtower::domain::ids::{Arn, BucketName, ClusterName, Region, ServiceKey};
use switchtower::domain::observation::{ErrorKind, ProbeError};
use switchtower::ports::Clock;

use super::fixture::epoch;

/// Answers every request alike.
#[derive(Clone)]
struct Canned(Arc<dyn Fn() -> Result<HttpResponse, ConnectorError> + Send + Sync>);

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl HttpClient for Canned {
    fn http_connector(&self, _: &HttpConnectorSettings, _: &RuntimeComponents) -> SharedHttpConnector {
        SharedHttpConnector::new(self.clone())
    }
}

impl HttpConnector for Canned {
    fn call(&self, _: HttpRequest) -> HttpConnectorFuture {
        HttpConnectorFuture::ready((self.0)())
    }
}

fn place(answer: impl Fn() -> Result<HttpResponse, ConnectorError> + Send + Sync + 'static) -> Place {
    let http = SharedHttpClient::new(Canned(Arc::new(answer)));
    let keys = Keys { access_key: "AKIATEST", secret_key: "secret", ..Keys::default() };
    let clock = Clock::starting_at(epoch(), 1.0);
    Cloud::simulated(http, clock, &keys).at(&Region::new("eu-west-1"))
}

fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &str) -> HttpResponse {
    let mut builder = http::Response::builder().status(status);
    for (name, value) in headers {
        builder = builder.header(*name, *value);
    }
    builder.body(SdkBody::from(body)).unwrap().try_into().unwrap()
}

/// ECS: awsJson.
async fn json(status: u16, body: &'static str) -> ProbeError {
    let place = place(move || Ok(answer(status, &[("x-amzn-requestid", "req-1")], body)));
    let key = ServiceKey { cluster: "prod".into(), service: "api".into() };
    place.services(&ClusterName::new("prod"), &[key]).await.remove(0).1.unwrap_err()
}

/// ELB: awsQuery.
async fn query(status: u16, body: &'static str) -> ProbeError {
    let place = place(move || Ok(answer(status, &[("x-amzn-requestid", "req-2")], body)));
    place
        .target_health(&Arn::new("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b"))
        .await
        .unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn every_code_has_its_kind() {
    let cases = [
        ("ExpiredTokenException", 400, ErrorKind::Expired),
        ("UnrecognizedClientException", 400, ErrorKind::Expired),
        ("InvalidSignatureException", 400, ErrorKind::Expired),
        ("AccessDeniedException", 400, ErrorKind::Denied),
        ("ThrottlingException", 400, ErrorKind::Throttled),
        ("ServerException", 500, ErrorKind::ServiceDown),
        ("ClusterNotFoundException", 400, ErrorKind::NotFound),
        ("InvalidParameterException", 400, ErrorKind::Rejected),
        ("OptInRequired", 403, ErrorKind::RegionDisabled),
        ("RequestTimeTooSkewed", 403, ErrorKind::ClockSkew),
        ("NotImplemented", 501, ErrorKind::Rejected),
    ];
    for (code, status, kind) in cases {
        let body: &'static str =
            Box::leak(format!(r#"{{"__type":"{code}","message":"words"}}"#).into_boxed_str());
        let error = json(status, body).await;
        assert_eq!(error.kind, kind, "{code}: {error}");
        assert_eq!(error.call, "ecs:DescribeServices");
        assert_eq!(error.request_id.as_ref().unwrap().as_str(), "req-1", "{code}");
        assert!(error.message.as_str().contains(code) && error.message.as_str().contains("words"), "{error}");
        let mendable = !matches!(kind, ErrorKind::ServiceDown | ErrorKind::NotFound | ErrorKind::Rejected);
        assert_eq!(!error.next_step.is_empty(), mendable, "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn query_errors_are_read_too() {
    let body = "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidClientTokenId</Code><Message>The security \
                token included in the request is invalid.</Message></Error><RequestId>r</RequestId></ErrorResponse>";
    let error = query(403, body).await;
    assert_eq!(error.kind, ErrorKind::Expired);
    assert!(error.next_step.as_str().contains("enable eu-west-1"), "perhaps the region is off: {error}");
    let body = "<ErrorResponse><Error><Code>TargetGroupNotFound</Code><Message>gone</Message></Error></ErrorResponse>";
    assert_eq!(query(400, body).await.kind, ErrorKind::NotFound);
    let body = "<ErrorResponse><Error><Code>Throttling</Code><Message>Rate exceeded</Message></Error></ErrorResponse>";
    assert_eq!(query(400, body).await.kind, ErrorKind::Throttled);
}

#[tokio::test(start_paused = true)]
async fn a_missing_permission_says_what_to_allow_and_for_whom() {
    let error = json(
        400,
        r#"{"__type":"AccessDeniedException","message":"User: arn:aws:sts::123456789012:assumed-role/ops/me is not authorized to perform: ecs:DescribeServices on resource: arn:aws:ecs:eu-west-1:123456789012:service/prod/api because no identity-based policy allows it"}"#,
    )
    .await;
    assert_eq!(
        error.next_step.as_str(),
        "allow ecs:DescribeServices on arn:aws:ecs:eu-west-1:123456789012:service/prod/api for \
         arn:aws:sts::123456789012:assumed-role/ops/me"
    );
    let error = json(400, r#"{"__type":"AccessDeniedException"}"#).await;
    assert_eq!(error.next_step.as_str(), "allow ecs:DescribeServices for this identity");
}

#[tokio::test(start_paused = true)]
async fn signatures_from_another_time_are_a_clock_and_not_a_key() {
    let error = json(
        403,
        r#"{"__type":"InvalidSignatureException","message":"Signature expired: 20261121T030020Z is now earlier than 20261121T031020Z (20261121T031520Z - 5 min.)"}"#,
    )
    .await;
    assert_eq!(error.kind, ErrorKind::ClockSkew);
    assert_eq!(error.next_step.as_str(), "set this machine's clock");
}

#[tokio::test(start_paused = true)]
async fn answers_that_are_none_are_told_by_their_status() {
    let page = "<html><body>\u{1b}[2J\u{202e}down</body></html>";
    let error = json(503, page).await;
    assert_eq!(error.kind, ErrorKind::ServiceDown, "{error}");
    let error = json(200, page).await;
    assert_eq!(error.kind, ErrorKind::Malformed, "{error}");
    assert!(!error.to_string().chars().any(char::is_control));
    let error = query(404, page).await;
    assert_eq!(error.kind, ErrorKind::NotFound, "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_refused_connection_is_unreachable_and_a_slow_one_timed_out() {
    let group = Arn::new("arn:aws:elasticloadbalancing:eu-west-1:1:targetgroup/a/b");
    let refused = place(|| Err(ConnectorError::io("connection refused".into())));
    let error = refused.target_health(&group).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::Unreachable);
    assert_eq!(error.message.as_str(), "connection refused");
    let slow = place(|| Err(ConnectorError::timeout("HTTP connect timeout occurred after 3.1s".into())));
    let error = slow.target_health(&group).await.unwrap_err();
    assert_eq!(error.kind, ErrorKind::TimedOut, "{error}");
}

#[tokio::test(start_paused = true)]
async fn hostile_words_of_a_service_cannot_reach_the_terminal() {
    let error =
        json(400, "{\"__type\":\"ClientException\",\"message\":\"a\\u001b]52;c;x\\u0007\\u202eb\"}").await;
    assert!(!error.to_string().chars().any(switchtower::domain::text::is_unsafe), "{error:?}");
    let long: &'static str = Box::leak(
        format!(r#"{{"__type":"ClientException","message":"{}"}}"#, "x".repeat(100_000)).into_boxed_str(),
    );
    assert!(json(400, long).await.message.as_str().chars().count() < 500);
}

#[tokio::test(start_paused = true)]
async fn a_bucket_without_replication_is_an_answer() {
    let body = "<Error><Code>ReplicationConfigurationNotFoundError</Code><Message>none</Message></Error>";
    let place = place(move || Ok(answer(404, &[], body)));
    assert_eq!(place.bucket_replication(&BucketName::new("assets")).await, Ok(Vec::new()));
}

#[tokio::test(start_paused = true)]
async fn both_ids_of_s3_are_kept() {
    let body = "<Error><Code>AccessDenied</Code><Message>Access Denied</Message></Error>";
    let ids = &[("x-amz-request-id", "SHORT"), ("x-amz-id-2", "LONG=")];
    let place = place(move || Ok(answer(403, ids, body)));
    let error = place.bucket_replication(&BucketName::new("assets")).await.unwrap_err();
    assert_eq!(error.request_id.unwrap().as_str(), "SHORT / LONG=");
    assert_eq!(error.next_step.as_str(), "allow s3:GetReplicationConfiguration for this identity");
}

#[tokio::test(start_paused = true)]
async fn a_missing_service_leaves_its_neighbours_whole() {
    let body = r#"{"services":[{"serviceName":"api","status":"ACTIVE","desiredCount":2,"runningCount":2,"pendingCount":0}],
                   "failures":[{"arn":"arn:aws:ecs:eu-west-1:1:service/prod/gone","reason":"MISSING"}]}"#;
    let place = place(move || Ok(answer(200, &[], body)));
    let key = |name: &str| ServiceKey { cluster: "prod".into(), service: name.into() };
    let each = place.services(&ClusterName::new("prod"), &[key("api"), key("gone")]).await;
    assert_eq!(each[0].1.as_ref().unwrap().running, 2);
    assert_eq!(each[1].1.as_ref().unwrap_err().kind, ErrorKind::NotFound);
}
