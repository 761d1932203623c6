//! What travels: routing, refusals, request ids, bodies, error shapes, the call log.

use std::io::Write;

use bytes::Bytes;
use switchtower::sim::{Outcome, Sim, SimError, SimOptions};

use super::{config, world, world_of};

const NOW: &str = "20261121T120000Z";

fn signed(method: &str, uri: &str, service: &str, region: &str) -> http::request::Builder {
    http::Request::builder().method(method).uri(uri).header("x-amz-date", NOW).header(
        "authorization",
        format!(
            "AWS4-HMAC-SHA256 Credential=AKID/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=00"
        ),
    )
}

async fn answered(sim: &Sim, request: http::Request<Bytes>) -> (u16, http::HeaderMap, String) {
    match sim.answer(request).await {
        Outcome::Answered(response) => {
            let (parts, body) = response.into_parts();
            (parts.status.as_u16(), parts.headers, String::from_utf8_lossy(&body).into_owned())
        }
        other => panic!("no answer: {other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn unsigned_calls_are_refused_in_so_many_words() {
    let sim = world("calm");
    for uri in
        ["http://169.254.169.254/latest/api/token", "https://portal.sso.us-east-1.amazonaws.com/federation"]
    {
        let (status, headers, body) =
            answered(&sim, http::Request::builder().uri(uri).body(Bytes::new()).unwrap()).await;
        assert_eq!(status, 403);
        assert!(headers.contains_key("x-amzn-requestid"));
        assert!(body.contains("Instance metadata, SSO and web identity are not simulated"), "{body}");
    }
    let request = signed("POST", "https://lambda.us-east-1.amazonaws.com/", "lambda", "us-east-1");
    let (status, _, body) = answered(&sim, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 501);
    assert!(body.contains("no service called lambda"), "{body}");
    assert!(sim.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn subnets_are_told_in_the_dialect_of_ec2() {
    let sim = world("calm");
    let ask = async |form: &str| {
        let request = signed("POST", "https://ec2.eu-west-1.amazonaws.com/", "ec2", "eu-west-1");
        answered(&sim, request.body(Bytes::from(format!("{form}&Version=2016-11-15"))).unwrap()).await
    };
    let (status, headers, body) = ask("Action=DescribeSubnets").await;
    let id = headers["x-amzn-requestid"].to_str().unwrap();
    assert_eq!(status, 200);
    let start = "<DescribeSubnetsResponse xmlns=\"http://ec2.amazonaws.com/doc/2016-11-15/\"><requestId>";
    assert!(body.contains(&format!("{start}{id}</requestId><subnetSet><item><subnetId>subnet-0")), "{body}");
    // Six tasks of api, four of web, four of checkout, in turns over three zones.
    let count = |free: u32| {
        body.matches(&format!("<availableIpAddressCount>{free}</availableIpAddressCount>")).count()
    };
    assert_eq!((count(244), count(246)), (1, 2), "{body}");
    let (status, _, body) = ask("Action=DescribeSubnets&SubnetId.1=subnet-0none").await;
    assert_eq!(status, 400);
    let error = "<Response><Errors><Error><Code>InvalidSubnetID.NotFound</Code><Message>The subnet ID \
                 'subnet-0none' does not exist</Message></Error></Errors><RequestID>";
    assert!(body.replace("&apos;", "'").contains(error), "{body}");
    let (_, _, body) =
        ask("Action=DescribeSubnets&Filter.1.Name=subnet-id&Filter.1.Value.1=subnet-0none").await;
    assert!(body.contains("<subnetSet></subnetSet>"), "{body}");
    let (status, _, body) = ask("Action=DescribeVpcs").await;
    assert_eq!((status, body.contains("<Code>InvalidAction</Code>")), (400, true), "{body}");
}

#[tokio::test(start_paused = true)]
async fn query_errors_have_ids_and_a_type() {
    let sim = world("calm");
    let form = "Action=DescribeDBClusters&Version=2014-10-31&DBClusterIdentifier=nope";
    let request = signed("POST", "https://rds.us-east-1.amazonaws.com/", "rds", "us-east-1");
    let (status, headers, body) = answered(&sim, request.body(Bytes::from(form)).unwrap()).await;
    assert_eq!(status, 404);
    let id = headers["x-amzn-requestid"].to_str().unwrap();
    assert!(body.contains(&format!("<RequestId>{id}</RequestId>")), "{body}");
    assert!(
        body.contains("<ErrorResponse><Error><Type>Sender</Type><Code>DBClusterNotFoundFault</Code>"),
        "{body}"
    );
    assert_eq!(headers["date"], "Sat, 21 Nov 2026 12:00:00 GMT");
    let request = signed("POST", "https://rds.us-east-1.amazonaws.com/", "rds", "us-east-1");
    let (status, _, body) = answered(&sim, request.body(Bytes::from("Action=Nonsense")).unwrap()).await;
    assert_eq!(status, 400);
    assert!(body.contains("<Code>InvalidAction</Code>"));
}

#[tokio::test(start_paused = true)]
async fn json_errors_name_their_type_twice() {
    let sim = world("calm");
    let request = signed("POST", "https://dynamodb.us-east-1.amazonaws.com/", "dynamodb", "us-east-1")
        .header("x-amz-target", "DynamoDB_20120810.DescribeTable");
    let (status, headers, body) =
        answered(&sim, request.body(Bytes::from(r#"{"TableName":"nope"}"#)).unwrap()).await;
    assert_eq!(status, 400);
    assert_eq!(headers["content-type"], "application/x-amz-json-1.0");
    assert_eq!(headers["x-amzn-errortype"], "ResourceNotFoundException");
    assert!(body.contains("com.amazonaws.dynamodb.v20120810#ResourceNotFoundException"), "{body}");
    let request = signed("POST", "https://ecs.us-east-1.amazonaws.com/", "ecs", "us-east-1")
        .header("x-amz-target", "AmazonEC2ContainerServiceV20141113.ListClusters");
    let (status, headers, body) = answered(&sim, request.body(Bytes::from("[1]")).unwrap()).await;
    assert_eq!((status, headers["content-type"].to_str().unwrap()), (400, "application/x-amz-json-1.1"));
    assert!(body.contains("SerializationException"), "{body}");
}

#[tokio::test(start_paused = true)]
async fn s3_errors_are_bare_and_head_has_no_body() {
    let sim = world("calm");
    let uri = "https://assets-nowhere.s3.us-east-1.amazonaws.com/?replication";
    let (status, headers, body) =
        answered(&sim, signed("GET", uri, "s3", "us-east-1").body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 404);
    assert!(body.contains("\n<Error><Code>NoSuchBucket</Code>"), "{body}");
    assert!(headers.contains_key("x-amz-request-id") && headers.contains_key("x-amz-id-2"));
    assert!(!headers.contains_key("x-amzn-requestid"));
    let uri = "https://assets-eu-west-1.s3.us-east-1.amazonaws.com/";
    let (status, headers, body) =
        answered(&sim, signed("HEAD", uri, "s3", "us-east-1").body(Bytes::new()).unwrap()).await;
    assert_eq!((status, body.as_str()), (400, ""));
    assert_eq!(headers["x-amz-bucket-region"], "eu-west-1");
    // As a client of `--listen` writes it: the bucket in the path of some local host.
    let request = signed("GET", "http://127.0.0.1:4566/assets-us-east-1?location=", "s3", "us-east-1");
    let (status, _, body) = answered(&sim, request.body(Bytes::new()).unwrap()).await;
    assert_eq!(status, 200);
    assert!(body.contains(
        "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"></LocationConstraint>"
    ));
}

#[tokio::test(start_paused = true)]
async fn compressed_bodies_are_taken_and_broken_ones_refused() {
    let sim = world("calm");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"Action=GetCallerIdentity&Version=2011-06-15").unwrap();
    let body = Bytes::from(encoder.finish().unwrap());
    let request = || {
        signed("POST", "https://sts.us-east-1.amazonaws.com/", "sts", "us-east-1")
            .header("content-encoding", "gzip")
    };
    let (status, headers, text) = answered(&sim, request().body(body).unwrap()).await;
    assert_eq!(status, 200, "{text}");
    assert_eq!(headers["content-type"], "text/xml");
    assert!(text.contains("<Account>123456789012</Account>"));
    let (status, _, _) = answered(&sim, request().body(Bytes::from("not gzip")).unwrap()).await;
    assert_eq!(status, 400);
}

#[tokio::test(start_paused = true)]
async fn the_log_tells_every_call_and_can_be_emptied() {
    let sim = world("calm");
    let dynamo = aws_sdk_dynamodb::Client::new(&config(&sim, "eu-west-1"));
    dynamo.list_tables().send().await.unwrap();
    dynamo.describe_table().table_name("nope").send().await.unwrap_err();
    dynamo.delete_table().table_name("Orders").send().await.unwrap_err();
    let calls = sim.calls();
    let told: Vec<_> = calls
        .iter()
        .map(|call| {
            (call.service.as_str(), call.operation.as_str(), call.region.as_str(), call.status, call.mutating)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("dynamodb", "ListTables", "eu-west-1", 200, false),
            ("dynamodb", "DescribeTable", "eu-west-1", 400, false),
            ("dynamodb", "DeleteTable", "eu-west-1", 400, true),
        ]
    );
    assert_eq!(calls[1].error.as_deref(), Some("ResourceNotFoundException"));
    assert!(calls[0].at < calls[1].at, "calls take time");
    let ids: std::collections::BTreeSet<_> = calls.iter().map(|call| &call.request_id).collect();
    assert_eq!(ids.len(), 3);
    sim.clear_calls();
    assert!(sim.calls().is_empty());
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_is_the_same_world() {
    let one = world("regional-outage");
    let other = world("regional-outage");
    assert_eq!(one.topology(), other.topology());
    assert_eq!(one.view(), other.view());
    let different = world_of(SimOptions { seed: 8, ..SimOptions::default() });
    assert_ne!(one.topology(), different.topology());
}

#[tokio::test(start_paused = true)]
async fn impossible_worlds_are_refused() {
    let new = |options| Sim::new(options, switchtower::ports::Clock::real()).unwrap_err();
    let error = new(SimOptions { scenario: "nope".into(), ..SimOptions::default() });
    assert!(error.to_string().starts_with("there is no scenario \"nope\"; there are calm, regional-outage"));
    for count in [0, 1] {
        let error = new(SimOptions { regions: SimOptions::first_regions(count), ..SimOptions::default() });
        assert_eq!(error, SimError::RegionCount(count));
    }
    let twice = vec!["us-east-1".into(), "us-east-1".into()];
    assert!(matches!(new(SimOptions { regions: twice, ..SimOptions::default() }), SimError::Twice(_)));
    let error = new(SimOptions { scenario_region: Some("sa-east-1".into()), ..SimOptions::default() });
    assert_eq!(error, SimError::NotHere("sa-east-1".into()));
    assert_eq!(new(SimOptions { services: 0, ..SimOptions::default() }), SimError::ServiceCount(0));
}
