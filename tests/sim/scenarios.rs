//! Each scenario: what can be seen of it from the first look, and what cannot.

use std::time::Duration;

use aws_smithy_types::timeout::TimeoutConfig;
use jiff::{SignedDuration, Timestamp};
use switchtower::domain::metric::floor_minute;
use switchtower::domain::observation::ErrorKind;
use switchtower::ports::{HttpsProbe, ProbeRequest};
use switchtower::sim::cloudwatch::source::{MetricId, MetricSource};
use switchtower::sim::{RegionView, Sim, SimOptions, scenario_names};

use super::{code, config, regions, retrying, world, world_of};

/// Values of a metric in the minute that began so many minutes before the current one.
fn values(sim: &Sim, region: &str, name: &str, holds: &str, back: i64) -> Option<Vec<f64>> {
    let now = sim.clock().now();
    let minute = floor_minute(now) - SignedDuration::from_mins(back);
    let id = metric(sim, region, name, holds, now);
    sim.world()
        .samples(region, &id, minute, now)
        .map(|samples| samples.values.iter().map(|(value, _)| *value).collect())
}

/// The first metric of that name, one of whose dimensions starts with `holds`.
fn metric(sim: &Sim, region: &str, name: &str, holds: &str, now: Timestamp) -> MetricId {
    let fits =
        |id: &MetricId| id.name == name && id.dimensions.iter().any(|(_, value)| value.starts_with(holds));
    sim.world().metrics(region, now).into_iter().find(fits).unwrap()
}

fn firing(sim: &Sim, region: &str) -> Vec<String> {
    let alarms = sim.world().alarms_at(region, sim.clock().now());
    alarms.into_iter().filter(|alarm| alarm.state != "OK").map(|alarm| alarm.name).collect()
}

fn region(sim: &Sim, name: &str) -> RegionView {
    sim.view().regions.into_iter().find(|view| view.region == name).unwrap()
}

async fn probe(sim: &Sim, index: usize) -> Result<u16, ErrorKind> {
    let via = sim.topology().regions[index].load_balancers[0].dns_name.clone();
    let request =
        ProbeRequest { url: "https://api.example.com/health".into(), via, timeout: Duration::from_secs(4) };
    sim.probe().probe(request).await.map(|result| result.status).map_err(|failure| failure.kind)
}

#[tokio::test(start_paused = true)]
async fn a_calm_day_is_calm_throughout() {
    for (count, services, seed, hours) in [(2, 3, 7, 26), (5, 4, 1, 4), (30, 2, 99, 1)] {
        let sim = world_of(SimOptions { regions: regions(count), services, seed, ..SimOptions::default() });
        let world = sim.world();
        for step in 0..hours {
            let now = sim.clock().now();
            for site in &world.fleet.sites {
                let name = site.region.as_str();
                assert_eq!(firing(&sim, name), Vec::<String>::new(), "hour {step}");
                for id in world.metrics(name, now) {
                    let minute = floor_minute(now) - SignedDuration::from_mins(3);
                    let samples = world.samples(name, &id, minute, now);
                    let largest = samples.iter().flat_map(|s| &s.values).map(|(v, _)| *v).fold(0.0, f64::max);
                    let limit = match id.name.as_str() {
                        "TargetResponseTime" => 0.6,
                        "HTTPCode_Target_5XX_Count" => 20.0,
                        "HTTPCode_ELB_5XX_Count"
                        | "UnHealthyHostCount"
                        | "WriteThrottleEvents"
                        | "OperationsFailedReplication" => 0.0,
                        "CPUUtilization" | "MemoryUtilization" => 70.0,
                        "ReplicationLatency" => 1_500.0,
                        "AuroraGlobalDBRPOLag" | "AuroraGlobalDBReplicationLag" => 600.0,
                        _ => continue,
                    };
                    assert!(largest <= limit, "{id:?} in {name}: {largest}");
                }
            }
            for view in sim.view().regions {
                assert!(view.up && view.in_dns, "{view:?}");
                assert_eq!(view.healthy_tasks, view.desired_tasks);
                assert!(view.failed_last_minute * 1_000 < view.served_last_minute, "{view:?}");
            }
            sim.clock().sleep(Duration::from_hours(1)).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn every_scenario_is_read_and_runs_everywhere() {
    let names = scenario_names();
    assert!(names.len() >= 12);
    for name in &names {
        let sim = world(name);
        assert_eq!(&sim.scenario().0, name);
        let second = SimOptions {
            scenario: name.clone(),
            scenario_region: Some("eu-west-1".into()),
            regions: regions(4),
            ..SimOptions::default()
        };
        let sim = world_of(second);
        assert_eq!(sim.scenario().1, "eu-west-1");
        sim.clock().sleep(Duration::from_mins(30)).await;
        let _ = (sim.view(), firing(&sim, "eu-west-1"));
    }
}

#[tokio::test(start_paused = true)]
async fn regional_outage_shows_in_targets_traffic_dns_alarms_and_probe() {
    let sim = world("regional-outage");
    let (ill, well) = (region(&sim, "us-east-1"), region(&sim, "eu-west-1"));
    assert!(!ill.up && !ill.in_dns && ill.healthy_tasks == 0, "{ill:?}");
    assert!(well.up && well.in_dns, "{well:?}");
    let elb = elb5xx(&sim, "us-east-1", 2);
    let requests = values(&sim, "us-east-1", "RequestCount", "app/", 2).unwrap()[0];
    assert!(elb > 100.0 && 100.0 * elb / (requests + elb) > 95.0, "{elb} of {requests}");
    // Clients move: the survivor serves far more than before the outage.
    let before = values(&sim, "eu-west-1", "RequestCount", "app/", 10).unwrap()[0];
    let after = values(&sim, "eu-west-1", "RequestCount", "app/", 2).unwrap()[0];
    assert!(after > 1.5 * before, "{before} {after}");
    let firing_there = firing(&sim, "us-east-1");
    for alarm in ["elb-5xx-us-east-1", "health-check-us-east-1", "orders-down-us-east-1"] {
        assert!(firing_there.iter().any(|name| name == alarm), "{firing_there:?}");
    }
    assert!(firing(&sim, "eu-west-1").contains(&"Orders-replication-eu-west-1".to_owned()));
    assert_eq!(probe(&sim, 0).await, Err(ErrorKind::TimedOut));
    assert_eq!(probe(&sim, 1).await, Ok(200));

    let elbv2 = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "us-east-1"));
    let group = sim.topology().regions[0].load_balancers[0].target_groups[0].clone();
    let targets = elbv2.describe_target_health().target_group_arn(group.as_str()).send().await.unwrap();
    for target in targets.target_health_descriptions() {
        let health = target.target_health().unwrap();
        assert_eq!(health.state().unwrap().as_str(), "unhealthy");
        assert_eq!(health.reason().unwrap().as_str(), "Target.Timeout");
        assert_eq!(health.description(), Some("Request timed out"));
    }
    let dns = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let check = sim.world().fleet.sites[0].health_check.clone();
    let status = dns.get_health_check_status().health_check_id(&check).send().await.unwrap();
    let report = status.health_check_observations()[0].status_report().unwrap().status().unwrap();
    assert!(report.starts_with("Failure: "), "{report}");
    let reason = dns.get_health_check_last_failure_reason().health_check_id(&check).send().await.unwrap();
    assert_eq!(reason.health_check_observations().len(), 16);
    let dynamo = aws_sdk_dynamodb::Client::new(&config(&sim, "us-east-1"));
    assert_eq!(code(dynamo.list_tables().send().await), "InternalServerError");
}

fn elb5xx(sim: &Sim, region: &str, back: i64) -> f64 {
    values(sim, region, "HTTPCode_ELB_5XX_Count", "app/", back).unwrap_or_default().iter().sum()
}

#[tokio::test(start_paused = true)]
async fn five_hundreds_surge_without_sick_targets() {
    let sim = world("5xx-surge");
    let bad = values(&sim, "us-east-1", "HTTPCode_Target_5XX_Count", "app/", 2).unwrap()[0];
    let requests = values(&sim, "us-east-1", "RequestCount", "app/", 2).unwrap()[0];
    assert!(100.0 * bad / requests > 5.0);
    assert!(elb5xx(&sim, "us-east-1", 2) < 0.5);
    assert_eq!(firing(&sim, "us-east-1"), ["api-5xx-us-east-1", "orders-down-us-east-1"]);
    assert!(firing(&sim, "eu-west-1").is_empty());
    let ill = region(&sim, "us-east-1");
    assert!(ill.in_dns && ill.healthy_tasks == ill.desired_tasks, "{ill:?}");
}

#[tokio::test(start_paused = true)]
async fn a_crash_loop_shows_in_deployments_events_and_stopped_tasks() {
    let sim = world("ecs-crash-loop");
    let client = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    let read = || async {
        let answer = client.describe_services().cluster("prod").services("checkout").send().await.unwrap();
        answer.services()[0].clone()
    };
    let service = read().await;
    assert_eq!(service.deployments().len(), 2);
    let primary = &service.deployments()[0];
    assert_eq!(primary.status(), Some("PRIMARY"));
    assert_eq!(primary.rollout_state().unwrap().as_str(), "IN_PROGRESS");
    assert!(primary.failed_tasks() >= 8, "{}", primary.failed_tasks());
    assert_eq!(service.deployments()[1].running_count(), 2);
    let words: Vec<&str> = service.events().iter().filter_map(|event| event.message()).collect();
    assert!(words[0].contains("has started 2 tasks") || words[0].contains("unable to consistently start"));
    assert!(words.iter().any(|words| words.contains("unable to consistently start tasks successfully")));
    let mut ever_short = false;
    for _ in 0..12 {
        let service = read().await;
        assert_eq!(service.running_count() + service.pending_count(), service.desired_count());
        ever_short |= service.running_count() < service.desired_count();
        sim.clock().sleep(Duration::from_secs(5)).await;
    }
    assert!(ever_short);
    assert!(read().await.deployments()[0].failed_tasks() > primary.failed_tasks());
    let stopped = client
        .list_tasks()
        .cluster("prod")
        .service_name("checkout")
        .desired_status(aws_sdk_ecs::types::DesiredStatus::Stopped)
        .send()
        .await
        .unwrap();
    assert!(!stopped.task_arns().is_empty());
    let tasks = client
        .describe_tasks()
        .cluster("prod")
        .set_tasks(Some(stopped.task_arns().to_vec()))
        .send()
        .await
        .unwrap();
    assert!(tasks.failures().is_empty());
    for task in tasks.tasks() {
        assert_eq!(task.stop_code().unwrap().as_str(), "EssentialContainerExited");
        assert_eq!(task.containers()[0].exit_code(), Some(1));
        assert!(task.stopped_at().is_some());
    }
    let other = client.describe_services().cluster("prod").services("api").send().await.unwrap();
    assert_eq!(other.services()[0].deployments().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn replication_lags_one_way_for_one_table() {
    let sim = world("replication-lag");
    let latency = |region: &str, table: &str| {
        let now = sim.clock().now();
        let id = MetricId {
            namespace: "AWS/DynamoDB".into(),
            name: "ReplicationLatency".into(),
            dimensions: vec![
                (
                    "ReceivingRegion".into(),
                    if region == "us-east-1" { "eu-west-1" } else { "us-east-1" }.into(),
                ),
                ("TableName".into(), table.into()),
            ],
        };
        let minute = floor_minute(now) - SignedDuration::from_mins(2);
        sim.world().samples(region, &id, minute, now).unwrap().values[0].0
    };
    assert!(latency("us-east-1", "Orders") > 5_000.0);
    assert!(latency("us-east-1", "user-sessions") < 1_500.0);
    assert!(latency("eu-west-1", "Orders") < 1_500.0);
    assert_eq!(firing(&sim, "us-east-1"), ["Orders-replication-us-east-1"]);
}

#[tokio::test(start_paused = true)]
async fn aurora_lags_where_the_secondary_is() {
    let sim = world("aurora-lag");
    let lag = values(&sim, "eu-west-1", "AuroraGlobalDBRPOLag", "my-db-eu-west-1", 2).unwrap();
    assert!(lag.iter().all(|lag| *lag > 5_000.0), "{lag:?}");
    assert_eq!(firing(&sim, "eu-west-1"), ["my-db-eu-west-1-lag"]);
    assert!(firing(&sim, "us-east-1").is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_flapping_endpoint_moves_users_to_and_fro() {
    let sim = world("health-check-flapping");
    let mut verdicts = Vec::new();
    for _ in 0..72 {
        verdicts.push(region(&sim, "eu-west-1").in_dns);
        assert!(region(&sim, "us-east-1").in_dns);
        sim.clock().sleep(Duration::from_secs(10)).await;
    }
    let changes = verdicts.windows(2).filter(|pair| pair[0] != pair[1]).count();
    assert!((5..=7).contains(&changes), "{verdicts:?}");
}

#[tokio::test(start_paused = true)]
async fn a_dead_control_plane_leaves_dns_metrics_and_users_alone() {
    let sim = world("control-plane-down");
    let here = config(&sim, "us-east-1");
    let zones = aws_sdk_route53::Client::new(&here).list_hosted_zones().send().await.unwrap_err();
    assert_eq!(zones.raw_response().unwrap().status().as_u16(), 503);
    assert_eq!(code(aws_sdk_ecs::Client::new(&here).list_clusters().send().await), "ServerException");
    assert_eq!(
        code(aws_sdk_rds::Client::new(&here).describe_db_clusters().send().await),
        "ServiceUnavailable"
    );
    aws_sdk_cloudwatch::Client::new(&here).describe_alarms().send().await.unwrap();
    aws_sdk_ecs::Client::new(&config(&sim, "eu-west-1")).list_clusters().send().await.unwrap();
    assert!(region(&sim, "us-east-1").up);
    assert_eq!(probe(&sim, 0).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn throttling_lets_little_through() {
    let sim = world("throttling");
    let elsewhere = aws_sdk_ecs::Client::new(&config(&sim, "eu-west-1"));
    let client = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    let mut passed = 0;
    for _ in 0..60 {
        passed += usize::from(client.list_clusters().send().await.is_ok());
        elsewhere.list_clusters().send().await.unwrap();
        sim.clock().sleep(Duration::from_secs(10)).await;
    }
    assert!((10..=13).contains(&passed), "{passed} of 60 in ten minutes");
    // At fifty seconds a call, two at once cannot both pass.
    let _ = client.list_clusters().send().await;
    assert_eq!(code(client.list_clusters().send().await), "ThrottlingException");
    let dns = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let _ = dns.list_hosted_zones().send().await;
    assert_eq!(code(dns.list_hosted_zones().send().await), "Throttling");
}

#[tokio::test(start_paused = true)]
async fn expired_credentials_are_refused_in_every_dialect() {
    let sim = world("expired-credentials");
    let here = config(&sim, "eu-west-1");
    assert_eq!(code(aws_sdk_sts::Client::new(&here).get_caller_identity().send().await), "ExpiredToken");
    assert_eq!(code(aws_sdk_ecs::Client::new(&here).list_clusters().send().await), "ExpiredTokenException");
    assert_eq!(
        code(aws_sdk_dynamodb::Client::new(&here).list_tables().send().await),
        "ExpiredTokenException"
    );
    let alarms = aws_sdk_cloudwatch::Client::new(&here).describe_alarms().send().await;
    assert_eq!(code(alarms), "ExpiredToken");
    assert_eq!(code(aws_sdk_s3::Client::new(&here).list_buckets().send().await), "ExpiredToken");
    assert_eq!(code(aws_sdk_route53::Client::new(&here).list_hosted_zones().send().await), "ExpiredToken");
    assert!(sim.credentials().expires < sim.clock().now());
    assert!(world("calm").credentials().expires > sim.clock().now());
}

#[tokio::test(start_paused = true)]
async fn a_black_hole_swallows_calls_until_the_deadline() {
    let sim = world("black-hole");
    let timeouts = TimeoutConfig::builder().operation_attempt_timeout(Duration::from_secs(4)).build();
    let hung = config(&sim, "eu-west-1").to_builder().timeout_config(timeouts.clone()).build();
    let started = sim.clock().now();
    let error = aws_sdk_ecs::Client::new(&hung).list_clusters().send().await.unwrap_err();
    assert!(matches!(error, aws_smithy_runtime_api::client::result::SdkError::TimeoutError(_)), "{error:?}");
    let took = sim.clock().now().duration_since(started);
    assert!(took >= SignedDuration::from_secs(4) && took < SignedDuration::from_secs(5), "{took:?}");
    assert_eq!(sim.calls()[0].status, 0);
    let read = TimeoutConfig::builder().read_timeout(Duration::from_secs(2)).build();
    let hung = config(&sim, "eu-west-1").to_builder().timeout_config(read).build();
    let error = aws_sdk_s3::Client::new(&hung).list_buckets().send().await.unwrap_err();
    assert!(
        matches!(error, aws_smithy_runtime_api::client::result::SdkError::DispatchFailure(_)),
        "{error:?}"
    );
    aws_sdk_ecs::Client::new(&config(&sim, "us-east-1")).list_clusters().send().await.unwrap();
    assert_eq!(probe(&sim, 1).await, Ok(200));
}

#[tokio::test(start_paused = true)]
async fn a_wrong_clock_is_refused_and_corrected_by_the_sdk() {
    let sim = world("clock-skew");
    let alone = config(&sim, "us-east-1");
    assert_eq!(
        code(aws_sdk_sts::Client::new(&alone).get_caller_identity().send().await),
        "SignatureDoesNotMatch"
    );
    assert_eq!(
        code(aws_sdk_ecs::Client::new(&alone).list_clusters().send().await),
        "InvalidSignatureException"
    );
    assert_eq!(code(aws_sdk_s3::Client::new(&alone).list_buckets().send().await), "RequestTimeTooSkewed");
    let patient = retrying(&sim, "us-east-1", 2);
    aws_sdk_sts::Client::new(&patient).get_caller_identity().send().await.unwrap();
    aws_sdk_ecs::Client::new(&patient).list_clusters().send().await.unwrap();
    aws_sdk_s3::Client::new(&patient).list_buckets().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_new_scenario_ends_the_old_one_and_begins_now() {
    let sim = world("regional-outage");
    assert!(!region(&sim, "us-east-1").up);
    sim.start_scenario("calm", None).unwrap();
    assert!(region(&sim, "us-east-1").up);
    // Route 53 needs its successes before it lets the region back in.
    assert!(!region(&sim, "us-east-1").in_dns);
    sim.clock().sleep(Duration::from_secs(90)).await;
    assert!(region(&sim, "us-east-1").in_dns);
    sim.clock().sleep(Duration::from_mins(10)).await;
    assert!(firing(&sim, "us-east-1").is_empty(), "{:?}", firing(&sim, "us-east-1"));
    sim.start_scenario("5xx-surge", Some(&"eu-west-1".into())).unwrap();
    assert!(firing(&sim, "eu-west-1").is_empty());
    sim.clock().sleep(Duration::from_mins(5)).await;
    assert_eq!(firing(&sim, "eu-west-1"), ["api-5xx-eu-west-1", "orders-down-eu-west-1"]);
    assert!(sim.start_scenario("nope", None).is_err());
    assert_eq!(sim.scenario(), ("5xx-surge".to_owned(), "eu-west-1".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn probes_know_names_and_the_control_host() {
    use switchtower::ports::DnsLookup;
    let sim = world("calm");
    let control = ProbeRequest {
        url: sim.topology().probe.control.unwrap(),
        via: "control.example.net".into(),
        timeout: Duration::from_secs(4),
    };
    let result = sim.probe().probe(control).await.unwrap();
    assert_eq!(result.status, 204);
    let via = sim.topology().regions[1].load_balancers[0].dns_name.clone();
    let request = ProbeRequest {
        url: "https://api.example.com/health".into(),
        via: via.clone(),
        timeout: Duration::from_secs(4),
    };
    let started = sim.clock().now();
    let result = sim.probe().probe(request).await.unwrap();
    let whole = result.dns + result.tcp + result.tls + result.first_byte;
    let took = Duration::try_from(sim.clock().now().duration_since(started)).unwrap();
    assert!(took >= whole && took < whole + Duration::from_millis(3), "{took:?} {whole:?}");
    assert!(whole < Duration::from_millis(600), "{whole:?}");
    assert!(result.certificate_ends.unwrap() > sim.clock().now() + SignedDuration::from_hours(24 * 30));
    assert_eq!(sim.probe().lookup(&via).await.unwrap().len(), 2);
    let nowhere = sim.probe().lookup(&"nowhere.example.com".into()).await.unwrap_err();
    assert_eq!(nowhere.kind, ErrorKind::Unreachable);
}
