//! Errors as each service words them: not found, wrong input, limits, paging.

use std::time::Duration;

use aws_sdk_applicationautoscaling::types::ServiceNamespace;
use switchtower::sim::SimOptions;

use super::{code, config, regions, retrying, world, world_of};

#[tokio::test(start_paused = true)]
async fn load_balancer_errors_drop_the_word_exception() {
    let sim = world("calm");
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "us-east-1"));
    let topology = sim.topology();
    let foreign = topology.regions[1].load_balancers[0].arn.as_str();
    let foreign_group = topology.regions[1].load_balancers[0].target_groups[0].as_str();
    let missing = client.describe_load_balancers().load_balancer_arns(foreign).send().await;
    assert!(missing.as_ref().unwrap_err().as_service_error().unwrap().is_load_balancer_not_found_exception());
    assert_eq!(code(missing), "LoadBalancerNotFound");
    assert_eq!(code(client.describe_load_balancers().names("nope").send().await), "LoadBalancerNotFound");
    let both = client.describe_load_balancers().names("prod").load_balancer_arns(foreign).send().await;
    assert_eq!(code(both), "ValidationError");
    let many = (0..21).map(|_| foreign.to_owned()).collect();
    assert_eq!(
        code(client.describe_load_balancers().set_load_balancer_arns(Some(many)).send().await),
        "ValidationError"
    );
    let group = client.describe_target_health().target_group_arn(foreign_group).send().await;
    assert_eq!(code(group), "TargetGroupNotFound");
    let group = client.describe_target_groups().target_group_arns(foreign_group).send().await;
    assert_eq!(code(group), "TargetGroupNotFound");
    let balancer = client.describe_target_groups().load_balancer_arn(foreign).send().await;
    assert_eq!(code(balancer), "LoadBalancerNotFound");
    assert_eq!(code(client.describe_listeners().send().await), "ValidationError");
    assert_eq!(code(client.describe_tags().resource_arns(foreign).send().await), "LoadBalancerNotFound");
    assert_eq!(code(client.describe_load_balancers().page_size(401).send().await), "ValidationError");
    assert_eq!(code(client.describe_load_balancers().marker("bogus").send().await), "ValidationError");
}

#[tokio::test(start_paused = true)]
async fn target_groups_come_in_pages() {
    let sim = world_of(SimOptions { services: 25, ..SimOptions::default() });
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "us-east-1"));
    let pages: Vec<_> = client
        .describe_target_groups()
        .page_size(10)
        .into_paginator()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(pages.iter().map(|page| page.target_groups().len()).collect::<Vec<_>>(), [10, 10, 5]);
    let ecs = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    // AWS's own default is ten a page.
    let pages: Vec<_> = ecs
        .list_services()
        .cluster("prod")
        .into_paginator()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(pages.iter().map(|page| page.service_arns().len()).collect::<Vec<_>>(), [10, 10, 5]);
}

#[tokio::test(start_paused = true)]
async fn ecs_tells_what_is_missing_from_what_is_wrong() {
    let sim = world("calm");
    let client = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    assert_eq!(code(client.list_services().cluster("nope").send().await), "ClusterNotFoundException");
    let services =
        client.describe_services().cluster("prod").services("api").services("gone").send().await.unwrap();
    assert_eq!(services.services().len(), 1);
    let failure = &services.failures()[0];
    assert_eq!(failure.reason(), Some("MISSING"));
    assert_eq!(failure.arn(), Some("arn:aws:ecs:us-east-1:123456789012:service/prod/gone"));
    let eleven = (0..11).map(|index| format!("s{index}")).collect();
    let many = client.describe_services().cluster("prod").set_services(Some(eleven)).send().await;
    assert_eq!(code(many), "InvalidParameterException");
    let unknown = client.describe_services().services("api").send().await;
    assert_eq!(code(unknown), "ClusterNotFoundException");
    assert_eq!(
        code(client.list_tasks().cluster("prod").service_name("gone").send().await),
        "ServiceNotFoundException"
    );
    assert_eq!(code(client.list_clusters().next_token("x").send().await), "InvalidParameterException");
    assert_eq!(code(client.list_clusters().max_results(101).send().await), "InvalidParameterException");
}

#[tokio::test(start_paused = true)]
async fn other_services_have_codes_of_their_own() {
    let sim = world("calm");
    let config = config(&sim, "us-east-1");
    let dynamo = aws_sdk_dynamodb::Client::new(&config);
    let missing = dynamo.describe_table().table_name("nope").send().await;
    assert!(missing.as_ref().unwrap_err().as_service_error().unwrap().is_resource_not_found_exception());
    assert_eq!(code(missing), "ResourceNotFoundException");
    assert_eq!(code(dynamo.describe_table().table_name("x").send().await), "ValidationException");
    assert_eq!(code(dynamo.list_tables().limit(101).send().await), "ValidationException");
    let page = dynamo.list_tables().limit(1).send().await.unwrap();
    assert_eq!(page.last_evaluated_table_name(), Some("Orders"));
    let rest = dynamo.list_tables().exclusive_start_table_name("Orders").send().await.unwrap();
    assert_eq!(rest.table_names(), ["user-sessions"]);

    let rds = aws_sdk_rds::Client::new(&config);
    assert_eq!(
        code(rds.describe_global_clusters().global_cluster_identifier("x").send().await),
        "GlobalClusterNotFoundFault"
    );
    let cluster = rds.describe_db_clusters().db_cluster_identifier("my-db-eu-west-1").send().await;
    assert!(cluster.as_ref().unwrap_err().as_service_error().unwrap().is_db_cluster_not_found_fault());
    assert_eq!(code(cluster), "DBClusterNotFoundFault");
    let instance = rds.describe_db_instances().db_instance_identifier("x").send().await;
    assert_eq!(code(instance), "DBInstanceNotFound");
    assert_eq!(code(rds.describe_db_clusters().max_records(19).send().await), "InvalidParameterValue");
    assert_eq!(
        code(rds.describe_events().source_identifier("my-db-us-east-1").send().await),
        "InvalidParameterCombination"
    );

    let sns = aws_sdk_sns::Client::new(&config);
    let gone = "arn:aws:sns:us-east-1:123456789012:gone";
    let missing = sns.get_topic_attributes().topic_arn(gone).send().await;
    assert!(missing.as_ref().unwrap_err().as_service_error().unwrap().is_not_found_exception());
    assert_eq!(code(missing), "NotFound");
    let foreign = "arn:aws:sns:us-east-1:999999999999:ops-alert";
    assert_eq!(code(sns.get_topic_attributes().topic_arn(foreign).send().await), "AuthorizationError");
    assert_eq!(code(sns.get_topic_attributes().topic_arn("nonsense").send().await), "InvalidParameter");

    let scaling = aws_sdk_applicationautoscaling::Client::new(&config);
    let ids = (0..51).map(|index| format!("service/prod/s{index}")).collect();
    let many = scaling
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .set_resource_ids(Some(ids))
        .send()
        .await;
    assert_eq!(code(many), "ValidationException");
    let token = scaling.describe_scalable_targets().service_namespace(ServiceNamespace::Ecs).next_token("x");
    assert_eq!(code(token.send().await), "InvalidNextTokenException");
    let other = scaling
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Dynamodb)
        .send()
        .await
        .unwrap();
    assert!(other.scalable_targets().is_empty());
}

#[tokio::test(start_paused = true)]
async fn s3_says_which_region_it_expects() {
    let sim = world("calm");
    let client = aws_sdk_s3::Client::new(&config(&sim, "us-east-1"));
    assert_eq!(code(client.get_bucket_replication().bucket("assets-nowhere").send().await), "NoSuchBucket");
    let elsewhere = client.get_bucket_replication().bucket("assets-eu-west-1").send().await;
    assert_eq!(code(elsewhere), "AuthorizationHeaderMalformed");
    let missing = client.head_bucket().bucket("assets-nowhere").send().await;
    assert!(missing.unwrap_err().as_service_error().unwrap().is_not_found());
    let page = client.list_buckets().max_buckets(1).send().await.unwrap();
    assert_eq!(page.buckets().len(), 1);
    let next = page.continuation_token().unwrap();
    let rest = client.list_buckets().continuation_token(next).send().await.unwrap();
    assert_eq!(rest.buckets()[0].name(), Some("assets-us-east-1"));
    assert!(rest.continuation_token().is_none());
}

#[tokio::test(start_paused = true)]
async fn record_sets_come_in_pages_in_route53s_order() {
    let sim = world_of(SimOptions { regions: regions(30), latency: false, ..SimOptions::default() });
    let client = aws_sdk_route53::Client::new(&retrying(&sim, "us-east-1", 4));
    let zone = sim.world().fleet.zone_id.clone();
    let mut names = Vec::new();
    let mut request = client.list_resource_record_sets().hosted_zone_id(&zone).max_items(50);
    loop {
        let page = request.send().await.unwrap();
        assert!(page.resource_record_sets().len() <= 50);
        names.extend(page.resource_record_sets().iter().map(|record| {
            (
                record.name().to_owned(),
                record.r#type().as_str().to_owned(),
                record.set_identifier().map(str::to_owned),
            )
        }));
        if !page.is_truncated() {
            break;
        }
        request = client
            .list_resource_record_sets()
            .hosted_zone_id(&zone)
            .max_items(50)
            .set_start_record_name(page.next_record_name().map(str::to_owned))
            .set_start_record_type(page.next_record_type().cloned())
            .set_start_record_identifier(page.next_record_identifier().map(str::to_owned));
    }
    assert_eq!(names.len(), 182);
    let unique: std::collections::BTreeSet<_> = names.iter().collect();
    assert_eq!(unique.len(), 182);
    assert_eq!((names[0].0.as_str(), names[0].1.as_str()), ("example.com.", "NS"));
    assert_eq!((names[2].0.as_str(), names[2].2.as_deref()), ("api.example.com.", Some("af-south-1")));
    assert_eq!(names[181].0, "www.example.com.");

    let checks: Vec<_> = client
        .list_health_checks()
        .max_items(8)
        .into_paginator()
        .send()
        .collect::<Result<Vec<_>, _>>()
        .await
        .unwrap();
    assert_eq!(checks.iter().map(|page| page.health_checks().len()).collect::<Vec<_>>(), [8, 8, 8, 6]);
}

#[tokio::test(start_paused = true)]
async fn route53_has_its_own_not_found() {
    let sim = world("calm");
    let client = aws_sdk_route53::Client::new(&retrying(&sim, "us-east-1", 4));
    let zone = client.get_hosted_zone().id("Z0000").send().await;
    assert!(zone.as_ref().unwrap_err().as_service_error().unwrap().is_no_such_hosted_zone());
    assert_eq!(code(zone), "NoSuchHostedZone");
    let records = client.list_resource_record_sets().hosted_zone_id("Z0000").send().await;
    assert_eq!(code(records), "NoSuchHostedZone");
    let check =
        client.get_health_check().health_check_id("00000000-0000-4000-a000-000000000000").send().await;
    assert_eq!(code(check), "NoSuchHealthCheck");
    assert_eq!(code(client.get_change().id("C0000").send().await), "NoSuchChange");
    let zone = sim.world().fleet.zone_id.clone();
    let start = client
        .list_resource_record_sets()
        .hosted_zone_id(zone)
        .start_record_type(aws_sdk_route53::types::RrType::A)
        .send()
        .await;
    assert_eq!(code(start), "InvalidInput");
}

#[tokio::test(start_paused = true)]
async fn route53_takes_five_calls_a_second_and_no_more() {
    let sim = world_of(SimOptions { latency: false, ..SimOptions::default() });
    let client = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    for _ in 0..5 {
        client.list_hosted_zones().send().await.unwrap();
    }
    assert_eq!(code(client.list_hosted_zones().send().await), "Throttling");
    sim.clock().sleep(Duration::from_secs(1)).await;
    for _ in 0..5 {
        client.list_hosted_zones().send().await.unwrap();
    }
    assert_eq!(code(client.list_hosted_zones().send().await), "Throttling");
    // Other services have buckets of their own.
    aws_sdk_ecs::Client::new(&config(&sim, "us-east-1")).list_clusters().send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn load_balancers_are_described_forty_times_in_a_burst() {
    let sim = world_of(SimOptions { latency: false, ..SimOptions::default() });
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "us-east-1"));
    for _ in 0..40 {
        client.describe_load_balancers().send().await.unwrap();
    }
    assert_eq!(code(client.describe_load_balancers().send().await), "Throttling");
    // Every region has a bucket of its own.
    let ireland = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, "eu-west-1"));
    ireland.describe_load_balancers().send().await.unwrap();
    // The SDK's own back-off gets through.
    let patient = aws_sdk_elasticloadbalancingv2::Client::new(&retrying(&sim, "us-east-1", 3));
    patient.describe_load_balancers().send().await.unwrap();
}
