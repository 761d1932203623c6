//! Effects that no built-in scenario has, from scenarios of one's own.

use std::time::Duration;

use jiff::SignedDuration;
use switchtower::domain::metric::floor_minute;
use switchtower::domain::observation::ErrorKind;
use switchtower::ports::{HttpsProbe, ProbeRequest};
use switchtower::sim::cloudwatch::source::{MetricId, MetricSource};
use switchtower::sim::{Scenario, Sim};

use super::{code, config, world};

fn started(effects: &str) -> Sim {
    let sim = world("calm");
    let text = format!("name = \"own\"\ndescription = \"…\"\n{effects}");
    sim.start(&Scenario::parse(&text).unwrap(), None).unwrap();
    sim
}

async fn probe(sim: &Sim) -> Result<u16, ErrorKind> {
    let request = ProbeRequest {
        url: "https://api.example.com/health".into(),
        via: sim.topology().regions[0].load_balancers[0].dns_name.clone(),
        timeout: Duration::from_secs(4),
    };
    sim.probe().probe(request).await.map(|result| result.status).map_err(|failure| failure.kind)
}

#[tokio::test(start_paused = true)]
async fn permissions_are_missed_in_every_dialect() {
    let sim = started(
        "[[effect]]\nkind = \"denied\"\ncalls = [\"ecs:ListClusters\", \"elasticloadbalancing:*\", \"sns:*\", \
         \"s3:ListBuckets\", \"monitoring:DescribeAlarms\"]",
    );
    let here = config(&sim, "us-east-1");
    let ecs = aws_sdk_ecs::Client::new(&here);
    let denied = ecs.list_clusters().send().await;
    let message = format!("{:?}", denied.as_ref().unwrap_err());
    assert!(message.contains("is not authorized to perform: ecs:ListClusters"), "{message}");
    assert_eq!(code(denied), "AccessDeniedException");
    ecs.list_services().cluster("prod").send().await.unwrap();
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&here);
    assert_eq!(code(elb.describe_load_balancers().send().await), "AccessDenied");
    assert_eq!(code(aws_sdk_sns::Client::new(&here).list_topics().send().await), "AuthorizationError");
    assert_eq!(code(aws_sdk_s3::Client::new(&here).list_buckets().send().await), "AccessDenied");
    let alarms = aws_sdk_cloudwatch::Client::new(&here).describe_alarms().send().await;
    let message = format!("{:?}", alarms.as_ref().unwrap_err());
    assert!(message.contains("cloudwatch:DescribeAlarms"), "{message}");
    assert_eq!(code(alarms), "AccessDenied");
    let ireland = aws_sdk_ecs::Client::new(&config(&sim, "eu-west-1"));
    ireland.list_clusters().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_disabled_region_burns_the_fuse_as_its_peers_see_it() {
    let sim =
        started("[[effect]]\nkind = \"replica_status\"\ntables = [\"Orders\"]\nstatus = \"REGION_DISABLED\"");
    let began = sim.clock().now();
    sim.clock().sleep(Duration::from_mins(1)).await;
    let client = aws_sdk_dynamodb::Client::new(&config(&sim, "eu-west-1"));
    let table = client.describe_table().table_name("Orders").send().await.unwrap().table.unwrap();
    let replica = &table.replicas()[0];
    assert_eq!(replica.replica_status().unwrap().as_str(), "REGION_DISABLED");
    assert_eq!(replica.replica_inaccessible_date_time().unwrap().secs(), began.as_second());
    let other = client.describe_table().table_name("user-sessions").send().await.unwrap().table.unwrap();
    assert_eq!(other.replicas()[0].replica_status().unwrap().as_str(), "ACTIVE");
}

#[tokio::test(start_paused = true)]
async fn throttled_writes_are_reported_while_there_are_any() {
    let sim = started(
        "[[effect]]\nkind = \"write_throttles\"\ntables = [\"Orders\"]\nper_minute = 40.0\nuntil = 120",
    );
    sim.clock().sleep(Duration::from_mins(4)).await;
    let now = sim.clock().now();
    let metric = MetricId {
        namespace: "AWS/DynamoDB".into(),
        name: "WriteThrottleEvents".into(),
        dimensions: vec![("TableName".into(), "Orders".into())],
    };
    let at = |back: i64| {
        let minute = floor_minute(now) - SignedDuration::from_mins(back);
        sim.world().samples("us-east-1", &metric, minute, now)
    };
    assert_eq!(at(4).unwrap().values, [(40.0, 1.0)]);
    assert_eq!(at(2), None);
}

#[tokio::test(start_paused = true)]
async fn late_metrics_are_late_and_then_whole() {
    let sim = started("[[effect]]\nkind = \"late_metrics\"\nminutes = 10");
    let now = sim.clock().now();
    let metrics = sim.world().metrics("us-east-1", now);
    let metric = metrics.iter().find(|id| id.name == "RequestCount").unwrap();
    let at = |back: i64| {
        let minute = floor_minute(now) - SignedDuration::from_mins(back);
        sim.world().samples("us-east-1", metric, minute, now).is_some()
    };
    assert!(!at(9) && at(12));
    let ireland = sim.world().metrics("eu-west-1", now);
    let metric = ireland.iter().find(|id| id.name == "RequestCount").unwrap();
    let minute = floor_minute(now) - SignedDuration::from_mins(2);
    assert!(sim.world().samples("eu-west-1", metric, minute, now).is_some());
}

#[tokio::test(start_paused = true)]
async fn front_doors_fail_in_their_ways() {
    for (mode, expected) in
        [("error", Ok(503)), ("refuse", Err(ErrorKind::Unreachable)), ("hang", Err(ErrorKind::TimedOut))]
    {
        let sim = started(&format!("[[effect]]\nkind = \"app_down\"\nmode = \"{mode}\""));
        assert_eq!(probe(&sim).await, expected, "{mode}");
    }
    // With every target unhealthy the balancer answers 504, later than anybody waits.
    let sim = started("[[effect]]\nkind = \"targets_unhealthy\"\nreason = \"Target.ResponseCodeMismatch\"");
    sim.clock().sleep(Duration::from_secs(30)).await;
    assert_eq!(probe(&sim).await, Err(ErrorKind::TimedOut));
    // With none registered it answers 503 at once.
    let sim = started("[[effect]]\nkind = \"tasks_lost\"\nfraction = 1.0");
    assert_eq!(probe(&sim).await, Ok(503));
}

#[tokio::test(start_paused = true)]
async fn our_own_network_takes_the_control_host_along() {
    let sim = started("[[effect]]\nkind = \"our_network_down\"\nwhere = \"everywhere\"");
    assert_eq!(probe(&sim).await, Err(ErrorKind::TimedOut));
    let control = ProbeRequest {
        url: sim.topology().probe.control.unwrap(),
        via: "control.example.net".into(),
        timeout: Duration::from_secs(4),
    };
    assert_eq!(sim.probe().probe(control).await.unwrap_err().kind, ErrorKind::TimedOut);
}

#[tokio::test(start_paused = true)]
async fn refused_calls_are_dispatch_failures() {
    let sim = started("[[effect]]\nkind = \"api_down\"\nservices = [\"ecs\"]\nmode = \"refuse\"");
    let error =
        aws_sdk_ecs::Client::new(&config(&sim, "us-east-1")).list_clusters().send().await.unwrap_err();
    let aws_smithy_runtime_api::client::result::SdkError::DispatchFailure(failure) = error else {
        panic!("{error:?}")
    };
    assert!(failure.is_io());
}

#[tokio::test(start_paused = true)]
async fn lost_tasks_leave_empty_groups_and_an_unplaceable_service() {
    let sim = started("[[effect]]\nkind = \"tasks_lost\"\nservices = [\"web\"]\nfraction = 1.0");
    sim.clock().sleep(Duration::from_mins(2)).await;
    let elb = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "us-east-1"));
    let group = sim.topology().regions[0].load_balancers[0].target_groups[1].clone();
    let health = elb.describe_target_health().target_group_arn(group.as_str()).send().await.unwrap();
    assert!(health.target_health_descriptions().is_empty());
    let ecs = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    let services = ecs.describe_services().cluster("prod").services("web").send().await.unwrap();
    let service = &services.services()[0];
    assert_eq!((service.running_count(), service.pending_count()), (0, service.desired_count()));
    assert!(service.events()[0].message().unwrap().contains("was unable to place a task"));
    // A group without a healthy target takes the whole load balancer out of DNS.
    assert!(!sim.view().regions[0].in_dns);
}

#[test]
fn scenario_files_say_what_they_do_not_know() {
    let known = "at, until, where, services, fraction";
    let cases = [
        ("colour = 3", 3, "unknown field `colour`"),
        ("lead_seconds = \"long\"", 3, "invalid type: string \"long\""),
        ("[[effect]]\nkind = \"meteor\"", 3, "effect[0]: unknown variant `meteor`"),
        ("[[effect]]\nat = 3", 3, "effect[0]: has no `kind`"),
        ("[[effect]]\nkind = \"app_down\"\nmode = \"maybe\"", 5, "effect[0].mode: unknown variant `maybe`"),
        ("[[effect]]\nkind = \"app_down\"", 3, "effect[0]: missing field `mode`"),
        (
            "[[effect]]\nkind = \"tasks_lost\"\nfraction = 1.0\n\n[[effect]]\nkind = \"tasks_lost\"\nfractoin = 0.5",
            9,
            &format!("effect[1].fractoin: is not a key of tasks_lost; there are {known}"),
        ),
        ("[[effect]]\nkind = \"tasks_lost\"\nfraction = \"all\"", 5, "effect[0].fraction: invalid type"),
        ("[[effect]]\nuntil = \"noon\"\nkind = \"our_network_down\"", 4, "effect[0].until: invalid type"),
        // An effect that takes nothing takes nothing.
        (
            "[[effect]]\nkind = \"credentials_expired\"\nmode = \"hang\"",
            5,
            "effect[0].mode: is not a key of credentials_expired; there are at, until, where",
        ),
        ("[[effect]\n", 3, "unclosed"),
    ];
    for (wrong, line, words) in cases {
        let text = format!("name = \"own\"\ndescription = \"…\"\n{wrong}\n");
        let error = Scenario::parse(&text).unwrap_err().to_string();
        let expected = format!("scenario:{line}: ");
        assert!(error.starts_with(&expected) && error.contains(words), "{wrong}\n{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn throttling_and_server_errors_are_worded_by_each_service() {
    let sim = started("[[effect]]\nkind = \"throttle\"\nservices = [\"*\"]\nrate = 0.0");
    let here = config(&sim, "us-east-1");
    assert_eq!(code(aws_sdk_ecs::Client::new(&here).list_clusters().send().await), "ThrottlingException");
    assert_eq!(code(aws_sdk_dynamodb::Client::new(&here).list_tables().send().await), "ThrottlingException");
    assert_eq!(code(aws_sdk_rds::Client::new(&here).describe_db_clusters().send().await), "Throttling");
    assert_eq!(code(aws_sdk_route53::Client::new(&here).list_hosted_zones().send().await), "Throttling");
    assert_eq!(code(aws_sdk_sns::Client::new(&here).list_topics().send().await), "Throttling");
    assert_eq!(code(aws_sdk_cloudwatch::Client::new(&here).describe_alarms().send().await), "Throttling");
    assert_eq!(code(aws_sdk_s3::Client::new(&here).list_buckets().send().await), "SlowDown");

    let sim = started("[[effect]]\nkind = \"api_down\"\nservices = [\"*\"]\nmode = \"error\"");
    let here = config(&sim, "us-east-1");
    assert_eq!(code(aws_sdk_ecs::Client::new(&here).list_clusters().send().await), "ServerException");
    assert_eq!(code(aws_sdk_dynamodb::Client::new(&here).list_tables().send().await), "InternalServerError");
    assert_eq!(
        code(aws_sdk_rds::Client::new(&here).describe_db_clusters().send().await),
        "ServiceUnavailable"
    );
    assert_eq!(
        code(aws_sdk_route53::Client::new(&here).list_hosted_zones().send().await),
        "ServiceUnavailable"
    );
    assert_eq!(code(aws_sdk_s3::Client::new(&here).list_buckets().send().await), "ServiceUnavailable");
    let alarms = aws_sdk_cloudwatch::Client::new(&here).describe_alarms().send().await;
    assert_eq!(alarms.as_ref().unwrap_err().raw_response().unwrap().status().as_u16(), 500);
    assert_eq!(code(alarms), "InternalServiceError");
}
