//! Every operation on a calm day: what is read is what the topology names.

use std::collections::BTreeSet;
use std::time::Duration;

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, Metric, MetricDataQuery, MetricStat};
use switchtower::sim::SimOptions;

use super::{config, regions, world, world_of};

#[tokio::test(start_paused = true)]
async fn sts_tells_the_account_of_the_topology() {
    let sim = world("calm");
    let identity =
        aws_sdk_sts::Client::new(&config(&sim, "eu-west-1")).get_caller_identity().send().await.unwrap();
    let topology = sim.topology();
    assert_eq!(
        identity.account(),
        topology.scope("eu-west-1").account.as_ref().map(switchtower::domain::ids::AccountId::as_str)
    );
    assert!(identity.arn().unwrap().starts_with("arn:aws:sts::123456789012:assumed-role/"));
}

#[tokio::test(start_paused = true)]
async fn load_balancers_lead_to_target_groups_and_targets() {
    let sim = world("calm");
    let topology = sim.topology();
    for entry in &topology.regions {
        let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, entry.name.as_str()));
        let expected = &entry.load_balancers[0];
        let listed = client.describe_load_balancers().send().await.unwrap();
        let lb = &listed.load_balancers()[0];
        assert_eq!(lb.load_balancer_arn(), Some(expected.arn.as_str()));
        assert_eq!(lb.dns_name(), Some(expected.dns_name.as_str()));
        assert_eq!(lb.canonical_hosted_zone_id(), Some(expected.canonical_zone_id.as_str()));
        assert_eq!(lb.state().unwrap().code().unwrap().as_str(), "active");
        assert_eq!(lb.availability_zones().len(), 3);

        let groups =
            client.describe_target_groups().load_balancer_arn(expected.arn.as_str()).send().await.unwrap();
        let arns: Vec<&str> =
            groups.target_groups().iter().filter_map(|group| group.target_group_arn()).collect();
        assert_eq!(
            arns,
            expected.target_groups.iter().map(switchtower::domain::ids::Arn::as_str).collect::<Vec<_>>()
        );
        for arn in arns {
            let health = client.describe_target_health().target_group_arn(arn).send().await.unwrap();
            assert!(health.target_health_descriptions().len() >= 4);
            let mut addresses = BTreeSet::new();
            for target in health.target_health_descriptions() {
                assert_eq!(target.target_health().unwrap().state().unwrap().as_str(), "healthy");
                assert!(target.target_health().unwrap().reason().is_none());
                assert!(addresses.insert(target.target().unwrap().id().unwrap().to_owned()));
            }
        }
        let listeners =
            client.describe_listeners().load_balancer_arn(expected.arn.as_str()).send().await.unwrap();
        assert_eq!(listeners.listeners()[0].port(), Some(443));
        let attributes = client
            .describe_load_balancer_attributes()
            .load_balancer_arn(expected.arn.as_str())
            .send()
            .await
            .unwrap();
        assert!(attributes.attributes().iter().any(|one| one.key() == Some("client_keep_alive.seconds")));
        let group = expected.target_groups[0].as_str();
        let attributes =
            client.describe_target_group_attributes().target_group_arn(group).send().await.unwrap();
        assert!(
            attributes
                .attributes()
                .iter()
                .any(|one| one.key() == Some("deregistration_delay.timeout_seconds"))
        );
        let tags = client.describe_tags().resource_arns(group).send().await.unwrap();
        assert_eq!(tags.tag_descriptions()[0].resource_arn(), Some(group));
        assert!(!tags.tag_descriptions()[0].tags().is_empty());
    }
}

#[tokio::test(start_paused = true)]
async fn ecs_runs_what_it_wants() {
    let sim = world("calm");
    let client = aws_sdk_ecs::Client::new(&config(&sim, "us-east-1"));
    let clusters = client.list_clusters().send().await.unwrap();
    let cluster = &clusters.cluster_arns()[0];
    let described = client.describe_clusters().clusters(cluster).clusters("nowhere").send().await.unwrap();
    assert_eq!(described.clusters()[0].cluster_name(), Some("prod"));
    assert_eq!(described.failures()[0].reason(), Some("MISSING"));

    let services = client.list_services().cluster(cluster).send().await.unwrap();
    let topology = sim.topology();
    let expected: Vec<&str> =
        topology.regions[0].services.iter().map(|service| service.arn.as_str()).collect();
    assert_eq!(services.service_arns(), expected);
    let described = client
        .describe_services()
        .cluster("prod")
        .set_services(Some(services.service_arns().to_vec()))
        .send()
        .await
        .unwrap();
    assert_eq!(described.services().len(), 3);
    for service in described.services() {
        assert_eq!(service.status(), Some("ACTIVE"));
        assert!(service.desired_count() >= 4);
        assert_eq!(service.running_count(), service.desired_count());
        assert_eq!(service.pending_count(), 0);
        assert_eq!(service.deployments().len(), 1);
        let deployment = &service.deployments()[0];
        assert_eq!(deployment.rollout_state().unwrap().as_str(), "COMPLETED");
        assert_eq!(deployment.running_count(), service.running_count());
        let event = &service.events()[0];
        assert!(event.message().unwrap().ends_with("has reached a steady state."));
        assert!(event.created_at().is_some() && event.id().is_some());
        let name = service.service_name().unwrap();
        let tasks = client.list_tasks().cluster("prod").service_name(name).send().await.unwrap();
        assert_eq!(tasks.task_arns().len(), service.running_count() as usize);
        let described = client
            .describe_tasks()
            .cluster("prod")
            .set_tasks(Some(tasks.task_arns().to_vec()))
            .tasks("0123456789abcdef0123456789abcdef")
            .send()
            .await
            .unwrap();
        assert_eq!(described.tasks().len(), tasks.task_arns().len());
        assert!(described.tasks().iter().all(|task| task.last_status() == Some("RUNNING")));
        assert_eq!(described.failures()[0].reason(), Some("MISSING"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_service_can_scale() {
    let sim = world("calm");
    let client = aws_sdk_applicationautoscaling::Client::new(&config(&sim, "us-east-1"));
    let namespace = aws_sdk_applicationautoscaling::types::ServiceNamespace::Ecs;
    let targets =
        client.describe_scalable_targets().service_namespace(namespace.clone()).send().await.unwrap();
    assert_eq!(targets.scalable_targets().len(), 3);
    let one = client
        .describe_scalable_targets()
        .service_namespace(namespace.clone())
        .resource_ids("service/prod/web")
        .send()
        .await
        .unwrap();
    let target = &one.scalable_targets()[0];
    assert_eq!((target.min_capacity(), target.max_capacity()), (2, 16));
    assert_eq!(target.suspended_state().unwrap().dynamic_scaling_in_suspended(), Some(false));
    let activities = client.describe_scaling_activities().service_namespace(namespace).send().await.unwrap();
    assert!(activities.scaling_activities().is_empty());
}

#[tokio::test(start_paused = true)]
async fn tables_know_their_replicas_and_mode() {
    let sim = world_of(SimOptions { regions: regions(3), ..SimOptions::default() });
    let client = aws_sdk_dynamodb::Client::new(&config(&sim, "us-east-1"));
    let tables = client.list_tables().send().await.unwrap();
    assert_eq!(tables.table_names(), ["Orders", "ledger", "user-sessions"]);
    let orders = client.describe_table().table_name("Orders").send().await.unwrap().table.unwrap();
    assert_eq!(orders.table_status().unwrap().as_str(), "ACTIVE");
    assert_eq!(orders.multi_region_consistency().unwrap().as_str(), "EVENTUAL");
    let others: Vec<&str> = orders.replicas().iter().filter_map(|replica| replica.region_name()).collect();
    assert_eq!(others, ["eu-west-1", "us-west-2"]);
    assert!(orders.replicas().iter().all(|replica| replica.replica_status().unwrap().as_str() == "ACTIVE"));
    let ledger = client.describe_table().table_name("ledger").send().await.unwrap().table.unwrap();
    assert_eq!(ledger.multi_region_consistency().unwrap().as_str(), "STRONG");
    assert_eq!(ledger.global_table_witnesses()[0].region_name(), Some("us-east-2"));
    let ireland = aws_sdk_dynamodb::Client::new(&config(&sim, "eu-west-1"));
    assert_eq!(ireland.list_tables().send().await.unwrap().table_names(), ["Orders", "user-sessions"]);
}

#[tokio::test(start_paused = true)]
async fn aurora_has_one_writer() {
    let sim = world("calm");
    for region in ["us-east-1", "eu-west-1"] {
        let client = aws_sdk_rds::Client::new(&config(&sim, region));
        let globals = client.describe_global_clusters().send().await.unwrap();
        let global = &globals.global_clusters()[0];
        assert_eq!(global.global_cluster_identifier(), Some("my-global-db"));
        assert_eq!(global.status(), Some("available"));
        assert!(global.endpoint().unwrap().contains(".global-"));
        assert!(global.failover_state().is_none());
        let members = global.global_cluster_members();
        assert_eq!(
            members.iter().map(|member| member.is_writer().unwrap()).collect::<Vec<_>>(),
            [true, false]
        );
        assert_eq!(members[0].readers(), [members[1].db_cluster_arn().unwrap()]);
        assert_eq!(members[1].synchronization_status().unwrap().as_str(), "connected");
        let clusters = client.describe_db_clusters().send().await.unwrap();
        let cluster = &clusters.db_clusters()[0];
        assert_eq!(cluster.db_cluster_identifier(), Some(format!("my-db-{region}").as_str()));
        assert_eq!(cluster.db_cluster_members().len(), 2);
        assert_eq!(cluster.availability_zones().len(), 3);
        assert_eq!(cluster.engine_version(), global.engine_version());
        let instances = client.describe_db_instances().send().await.unwrap();
        assert!(instances.db_instances().iter().all(|one| one.db_instance_status() == Some("available")));
        let events = client.describe_events().duration(2 * 24 * 60).send().await.unwrap();
        assert_eq!(events.events().len(), 2);
    }
}

#[tokio::test(start_paused = true)]
async fn route53_holds_the_records_of_the_topology() {
    let sim = world("calm");
    let client = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let zones = client.list_hosted_zones_by_name().dns_name("example.com").send().await.unwrap();
    let zone = &zones.hosted_zones()[0];
    assert_eq!(zone.name(), "example.com.");
    let listed = client.list_hosted_zones().send().await.unwrap();
    assert_eq!(listed.hosted_zones()[0].id(), zone.id());
    let got = client.get_hosted_zone().id(zone.id()).send().await.unwrap();
    assert!(!got.hosted_zone().unwrap().config().unwrap().private_zone());
    let records = client.list_resource_record_sets().hosted_zone_id(zone.id()).send().await.unwrap();
    assert!(!records.is_truncated());
    let topology = sim.topology();
    let found: BTreeSet<(String, String, Option<String>)> = records
        .resource_record_sets()
        .iter()
        .filter(|record| record.alias_target().is_some())
        .map(|record| {
            (
                record.name().trim_end_matches('.').to_owned(),
                record.r#type().as_str().to_owned(),
                record.set_identifier().map(str::to_owned),
            )
        })
        .collect();
    let expected: BTreeSet<_> = topology
        .records
        .iter()
        .map(|record| {
            let set = record.set_identifier.as_ref().map(|text| text.as_str().to_owned());
            (record.name.as_str().to_owned(), record.record_type.clone(), set)
        })
        .collect();
    assert_eq!(found, expected);
    assert_eq!(found.len(), 12);
}

#[tokio::test(start_paused = true)]
async fn health_checks_are_well_everywhere() {
    let sim = world("calm");
    let client = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let checks = client.list_health_checks().send().await.unwrap();
    assert_eq!(checks.health_checks().len(), 2);
    for check in sim.topology().health_checks() {
        // Route 53 takes five calls a second.
        sim.clock().sleep(Duration::from_secs(2)).await;
        let got = client.get_health_check().health_check_id(check.as_str()).send().await.unwrap();
        let got = got.health_check().unwrap();
        let config = got.health_check_config().unwrap();
        assert_eq!(config.r#type().as_str(), "HTTPS");
        assert_eq!((config.inverted(), config.disabled()), (Some(false), Some(false)));
        assert!(config.fully_qualified_domain_name().unwrap().ends_with(".api.example.com"));
        let status = client.get_health_check_status().health_check_id(check.as_str()).send().await.unwrap();
        assert_eq!(status.health_check_observations().len(), 16);
        for observation in status.health_check_observations() {
            let report = observation.status_report().unwrap();
            assert!(report.status().unwrap().starts_with("Success: HTTP Status Code 200"));
            assert!(report.checked_time().is_some());
        }
        let failure = client
            .get_health_check_last_failure_reason()
            .health_check_id(check.as_str())
            .send()
            .await
            .unwrap();
        assert!(failure.health_check_observations().is_empty());
        let tags = client
            .list_tags_for_resource()
            .resource_type(aws_sdk_route53::types::TagResourceType::Healthcheck)
            .resource_id(check.as_str())
            .send()
            .await
            .unwrap();
        assert_eq!(tags.resource_tag_set().unwrap().tags().len(), 3);
    }
}

#[tokio::test(start_paused = true)]
async fn buckets_replicate_both_ways() {
    let sim = world("calm");
    let client = aws_sdk_s3::Client::new(&config(&sim, "eu-west-1"));
    let buckets = client.list_buckets().send().await.unwrap();
    assert_eq!(buckets.buckets().len(), 2);
    let bucket = "assets-eu-west-1";
    let location = client.get_bucket_location().bucket(bucket).send().await.unwrap();
    assert_eq!(location.location_constraint().unwrap().as_str(), "eu-west-1");
    client.head_bucket().bucket(bucket).send().await.unwrap();
    let versioning = client.get_bucket_versioning().bucket(bucket).send().await.unwrap();
    assert_eq!(versioning.status().unwrap().as_str(), "Enabled");
    let replication = client.get_bucket_replication().bucket(bucket).send().await.unwrap();
    let rule = &replication.replication_configuration().unwrap().rules()[0];
    assert_eq!(rule.id(), Some("to-us-east-1"));
    assert_eq!(rule.status().as_str(), "Enabled");
    let destination = rule.destination().unwrap();
    assert_eq!(destination.bucket(), "arn:aws:s3:::assets-us-east-1");
    assert_eq!(destination.metrics().unwrap().status().as_str(), "Enabled");
    // Path style leads to the same bucket.
    let style = aws_sdk_s3::config::Builder::from(&config(&sim, "eu-west-1")).force_path_style(true).build();
    aws_sdk_s3::Client::from_conf(style).head_bucket().bucket(bucket).send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn alarms_reach_a_confirmed_topic() {
    let sim = world("calm");
    let topology = sim.topology();
    for entry in &topology.regions {
        let client = aws_sdk_cloudwatch::Client::new(&config(&sim, entry.name.as_str()));
        let alarms = client
            .describe_alarms()
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .send()
            .await
            .unwrap();
        let found: BTreeSet<&str> = alarms
            .metric_alarms()
            .iter()
            .filter_map(|alarm| alarm.alarm_name())
            .chain(alarms.composite_alarms().iter().filter_map(|alarm| alarm.alarm_name()))
            .collect();
        assert_eq!(found, entry.alarms.iter().map(switchtower::domain::ids::AlarmName::as_str).collect());
        for alarm in alarms.metric_alarms() {
            assert_eq!(alarm.state_value().unwrap().as_str(), "OK", "{}", alarm.alarm_name().unwrap());
            assert_eq!(alarm.alarm_actions(), [entry.topics[0].as_str()]);
        }
        let sns = aws_sdk_sns::Client::new(&config(&sim, entry.name.as_str()));
        let topics = sns.list_topics().send().await.unwrap();
        assert_eq!(topics.topics()[0].topic_arn(), Some(entry.topics[0].as_str()));
        let attributes = sns.get_topic_attributes().topic_arn(entry.topics[0].as_str()).send().await.unwrap();
        assert_eq!(attributes.attributes().unwrap()["SubscriptionsConfirmed"], "1");
        let subscriptions =
            sns.list_subscriptions_by_topic().topic_arn(entry.topics[0].as_str()).send().await.unwrap();
        assert!(subscriptions.subscriptions()[0].subscription_arn().unwrap().starts_with("arn:aws:sns:"));
    }
}

#[tokio::test(start_paused = true)]
async fn every_series_of_the_topology_has_an_hour_of_data() {
    let sim = world_of(SimOptions { regions: regions(3), ..SimOptions::default() });
    let topology = sim.topology();
    let end = sim.clock().now();
    for entry in &topology.regions {
        let client = aws_sdk_cloudwatch::Client::new(&config(&sim, entry.name.as_str()));
        let mut keys = topology.region_series(&entry.name);
        if entry.name.as_str() == "us-east-1" {
            keys.extend(topology.dns_series());
        }
        let mut request = client
            .get_metric_data()
            .start_time(aws_smithy_types::DateTime::from_secs(end.as_second() - 3_600))
            .end_time(aws_smithy_types::DateTime::from_secs(end.as_second()));
        for (index, key) in keys.iter().enumerate() {
            let spec = key.metric.spec();
            let dimensions = spec
                .dimensions
                .iter()
                .zip(key.dimensions.iter())
                .map(|(name, value)| Dimension::builder().name(*name).value(&**value).build())
                .collect();
            let metric = Metric::builder()
                .namespace(spec.namespace)
                .metric_name(spec.name)
                .set_dimensions(Some(dimensions))
                .build();
            request = request.metric_data_queries(
                MetricDataQuery::builder()
                    .id(format!("m{index}"))
                    .metric_stat(MetricStat::builder().metric(metric).period(60).stat(spec.stat).build())
                    .build(),
            );
        }
        let answer = request.send().await.unwrap();
        assert_eq!(answer.metric_data_results().len(), keys.len());
        for result in answer.metric_data_results() {
            let index: usize = result.id().unwrap()[1..].parse().unwrap();
            let key = &keys[index];
            let spec = key.metric.spec();
            let writer = entry.name.as_str() == "us-east-1" && spec.namespace == "AWS/RDS";
            // Lags exist on secondaries only, throttles and errors only when there are any, and an MRSC
            // table has no replication latency.
            let absent = writer
                || spec.name.ends_with("ThrottleEvents")
                || spec.name == "HTTPCode_ELB_5XX_Count"
                || (spec.name == "ReplicationLatency"
                    && key.dimensions.iter().any(|value| &**value == "ledger"));
            let count = result.values().len();
            match spec.name {
                _ if absent => assert_eq!(count, 0, "{key:?}"),
                "HTTPCode_Target_5XX_Count" => assert!(count <= 60),
                _ => assert!((58..=60).contains(&count), "{key:?}: {count}"),
            }
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_region_without_the_application_is_empty() {
    let sim = world("calm");
    let config = config(&sim, "sa-east-1");
    let balancers =
        aws_sdk_elasticloadbalancingv2::Client::new(&config).describe_load_balancers().send().await.unwrap();
    assert!(balancers.load_balancers().is_empty());
    assert!(
        aws_sdk_ecs::Client::new(&config).list_clusters().send().await.unwrap().cluster_arns().is_empty()
    );
    assert!(
        aws_sdk_dynamodb::Client::new(&config).list_tables().send().await.unwrap().table_names().is_empty()
    );
    let rds = aws_sdk_rds::Client::new(&config);
    assert!(rds.describe_global_clusters().send().await.unwrap().global_clusters().is_empty());
    assert!(rds.describe_db_clusters().send().await.unwrap().db_clusters().is_empty());
    assert!(aws_sdk_sns::Client::new(&config).list_topics().send().await.unwrap().topics().is_empty());
}
