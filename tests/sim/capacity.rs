//! Scaling services by hand and by their scalable targets, and what auto scaling makes of it.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace, SuspendedState};
use aws_sdk_ecs::types::{DeploymentRolloutState, DesiredStatus, Service};
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::{Sim, SimOptions};

use super::{code, config, in_dns, pass, until, world, world_of};

fn ecs(sim: &Sim, region: &str) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::new(&config(sim, region))
}

async fn service(sim: &Sim, region: &str) -> Service {
    let found = ecs(sim, region).describe_services().cluster("prod").services("api").send().await.unwrap();
    found.services()[0].clone()
}

async fn counts(sim: &Sim, region: &str) -> (i32, i32, i32) {
    let service = service(sim, region).await;
    (service.desired_count(), service.running_count(), service.pending_count())
}

async fn desire(sim: &Sim, region: &str, count: i32) {
    let call = ecs(sim, region).update_service().cluster("prod").service("api").desired_count(count);
    let updated = call.send().await.unwrap().service.unwrap();
    assert_eq!(updated.desired_count(), count);
}

async fn states(sim: &Sim, site: usize) -> Vec<String> {
    let topology = sim.topology();
    let region = &topology.regions[site];
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(sim, region.name.as_str()));
    let group = region.load_balancers[0].target_groups[0].as_str();
    let health = client.describe_target_health().target_group_arn(group).send().await.unwrap();
    let state = |one: &aws_sdk_elasticloadbalancingv2::types::TargetHealthDescription| {
        one.target_health().unwrap().state().unwrap().as_str().to_owned()
    };
    health.target_health_descriptions().iter().map(state).collect()
}

fn suspended(all: bool) -> SuspendedState {
    SuspendedState::builder()
        .dynamic_scaling_in_suspended(all)
        .dynamic_scaling_out_suspended(all)
        .scheduled_scaling_suspended(all)
        .build()
}

fn register(
    sim: &Sim,
    region: &str,
) -> aws_sdk_applicationautoscaling::operation::register_scalable_target::builders::RegisterScalableTargetFluentBuilder
{
    aws_sdk_applicationautoscaling::Client::new(&config(sim, region))
        .register_scalable_target()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id("service/prod/api")
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
}

async fn limits(sim: &Sim, region: &str) -> (i32, i32, bool) {
    let client = aws_sdk_applicationautoscaling::Client::new(&config(sim, region));
    let found = client
        .describe_scalable_targets()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_ids("service/prod/api")
        .send()
        .await
        .unwrap();
    let target = &found.scalable_targets()[0];
    let out = target.suspended_state().unwrap().dynamic_scaling_out_suspended().unwrap();
    (target.min_capacity(), target.max_capacity(), out)
}

#[tokio::test(start_paused = true)]
async fn tasks_start_are_checked_and_serve() {
    let sim = world("calm");
    desire(&sim, "eu-west-1", 9).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (9, 6, 3));
    pass(&sim, 38).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (9, 6, 3));
    pass(&sim, 34).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (9, 9, 0));
    let now = states(&sim, 1).await;
    assert!(now.len() == 9 && now.contains(&"initial".to_owned()), "{now:?}");
    pass(&sim, 30).await;
    assert_eq!(states(&sim, 1).await, vec!["healthy"; 9]);
    assert_eq!(service(&sim, "eu-west-1").await.deployments().len(), 1, "a count starts no deployment");
    let tasks = ecs(&sim, "eu-west-1").list_tasks().cluster("prod").service_name("api").send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), 9);
    pass(&sim, 10).await;
    let events = service(&sim, "eu-west-1").await;
    assert!(events.events()[0].message().unwrap().contains("has reached a steady state"), "{events:?}");
}

#[tokio::test(start_paused = true)]
async fn tasks_drain_before_they_go() {
    let sim = world("calm");
    desire(&sim, "eu-west-1", 4).await;
    pass(&sim, 10).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (4, 6, 0));
    let now = states(&sim, 1).await;
    assert_eq!(now.iter().filter(|state| *state == "draining").count(), 2, "{now:?}");
    let arns = |status: DesiredStatus| {
        ecs(&sim, "eu-west-1").list_tasks().cluster("prod").service_name("api").desired_status(status)
    };
    assert_eq!(arns(DesiredStatus::Running).send().await.unwrap().task_arns().len(), 4);
    assert_eq!(arns(DesiredStatus::Stopped).send().await.unwrap().task_arns().len(), 2);
    pass(&sim, 60).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (4, 4, 0));
    assert_eq!(states(&sim, 1).await, vec!["healthy"; 4]);
}

#[tokio::test(start_paused = true)]
async fn every_registration_pulls_the_count_within_its_limits_at_once() {
    let sim = world("calm");
    assert_eq!(limits(&sim, "eu-west-1").await, (3, 24, false));
    register(&sim, "eu-west-1").min_capacity(10).send().await.unwrap();
    assert_eq!(limits(&sim, "eu-west-1").await, (10, 24, false), "what is absent stays");
    assert_eq!(counts(&sim, "eu-west-1").await.0, 10);
    register(&sim, "eu-west-1").max_capacity(12).send().await.unwrap();
    assert_eq!(limits(&sim, "eu-west-1").await, (10, 12, false));
    // Suspending without a lower minimum raises a drained service again.
    desire(&sim, "eu-west-1", 0).await;
    register(&sim, "eu-west-1").suspended_state(suspended(true)).send().await.unwrap();
    assert_eq!(counts(&sim, "eu-west-1").await.0, 10);
    assert_eq!(limits(&sim, "eu-west-1").await, (10, 12, true));
    let wrong = register(&sim, "eu-west-1").min_capacity(13).send().await;
    assert_eq!(code(wrong), "ValidationException");
    let client = aws_sdk_applicationautoscaling::Client::new(&config(&sim, "eu-west-1"));
    let told = client
        .describe_scaling_activities()
        .service_namespace(ServiceNamespace::Ecs)
        .resource_id("service/prod/api")
        .scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
        .send()
        .await
        .unwrap();
    assert_eq!(told.scaling_activities().len(), 2, "{told:?}");
    assert_eq!(told.scaling_activities()[0].cause(), "minimum capacity was set to 10");
}

#[tokio::test(start_paused = true)]
async fn auto_scaling_raises_a_drained_service_unless_it_is_suspended_and_may_be_empty() {
    for (min, suspend, ends) in [(None, false, 6), (Some(0), false, 6), (Some(0), true, 0)] {
        let sim = world("calm");
        if let Some(min) = min {
            register(&sim, "eu-west-1")
                .min_capacity(min)
                .suspended_state(suspended(suspend))
                .send()
                .await
                .unwrap();
        }
        desire(&sim, "eu-west-1", 0).await;
        pass(&sim, 120).await;
        assert_eq!(counts(&sim, "eu-west-1").await, (0, 0, 0));
        pass(&sim, 240).await;
        let desired = counts(&sim, "eu-west-1").await.0;
        assert!((desired >= ends) && (desired == 0) == (ends == 0), "{min:?} {suspend}: {desired}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_was_raised_by_hand_alone_is_lowered_again() {
    let sim = world("calm");
    desire(&sim, "eu-west-1", 12).await;
    register(&sim, "us-east-1").min_capacity(12).send().await.unwrap();
    pass(&sim, 600).await;
    assert_eq!(counts(&sim, "eu-west-1").await.0, 12);
    pass(&sim, 600).await;
    assert_eq!(counts(&sim, "eu-west-1").await.0, 6);
    assert_eq!(counts(&sim, "us-east-1").await.0, 12, "the minimum holds");
}

#[tokio::test(start_paused = true)]
async fn a_region_scaled_to_zero_leaves_dns_and_fails_its_users_first() {
    let sim = world("calm");
    for name in ["api", "web", "checkout"] {
        let client = ecs(&sim, "us-east-1");
        client.update_service().cluster("prod").service(name).desired_count(0).send().await.unwrap();
    }
    let from = sim.clock().now();
    let passed = until(&sim, 300, "out of DNS", |sim| in_dns(sim) == [false, true]).await;
    assert!((20..=120).contains(&passed), "{passed}");
    pass(&sim, 120).await;
    let failed: f64 = sim.users_failed_since(from).iter().map(|(_, failed)| failed).sum();
    assert!(failed > 5_000.0, "{failed}");
}

#[tokio::test(start_paused = true)]
async fn a_forced_deployment_replaces_every_task_and_loses_nobody() {
    let sim = world("calm");
    let before =
        ecs(&sim, "eu-west-1").list_tasks().cluster("prod").service_name("api").send().await.unwrap();
    ecs(&sim, "eu-west-1")
        .update_service()
        .cluster("prod")
        .service("api")
        .force_new_deployment(true)
        .send()
        .await
        .unwrap();
    let during = service(&sim, "eu-west-1").await;
    assert_eq!(during.deployments().len(), 2);
    assert_eq!(during.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::InProgress));
    for _ in 0..20 {
        assert!(sim.view().regions[1].healthy_tasks >= sim.view().regions[1].desired_tasks);
        pass(&sim, 10).await;
    }
    let after = service(&sim, "eu-west-1").await;
    assert_eq!(after.deployments().len(), 1);
    assert_eq!(after.deployments()[0].rollout_state(), Some(&DeploymentRolloutState::Completed));
    let tasks = ecs(&sim, "eu-west-1").list_tasks().cluster("prod").service_name("api").send().await.unwrap();
    assert_eq!(tasks.task_arns().len(), before.task_arns().len());
    assert!(tasks.task_arns().iter().all(|arn| !before.task_arns().contains(arn)));
}

#[tokio::test(start_paused = true)]
async fn images_of_a_dark_region_keep_tasks_of_others_from_starting() {
    let sim = world_of(SimOptions { images_in: Some(Region::new("us-east-1")), ..SimOptions::default() });
    let client = ecs(&sim, "eu-west-1");
    let named = service(&sim, "eu-west-1").await.task_definition.unwrap();
    let found = client.describe_task_definition().task_definition(named).send().await.unwrap();
    let definition = found.task_definition.unwrap();
    let container = &definition.container_definitions()[0];
    assert_eq!(container.image(), Some("123456789012.dkr.ecr.us-east-1.amazonaws.com/orders/api:2026.11.41"));
    assert!(container.secrets()[0].value_from().starts_with("arn:aws:secretsmanager:us-east-1:"));
    assert_eq!(
        code(client.describe_task_definition().task_definition("nope").send().await),
        "ClientException"
    );
    sim.black_out(&Region::new("us-east-1"), SignedDuration::ZERO, None);
    desire(&sim, "eu-west-1", 9).await;
    pass(&sim, 200).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (9, 6, 3));
}

#[tokio::test(start_paused = true)]
async fn tasks_that_find_no_address_do_not_start() {
    let sim = world_of(SimOptions { addresses: 7, ..SimOptions::default() });
    pass(&sim, 60).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (6, 6, 0));
    // Fourteen tasks in twenty-one addresses: seven more fit, of twelve.
    desire(&sim, "eu-west-1", 18).await;
    pass(&sim, 200).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (18, 13, 5));
    let service = service(&sim, "eu-west-1").await;
    let newest = service.events()[0].message().unwrap();
    assert!(newest.starts_with("(service api) was unable to place a task."), "{newest}");
    assert!(newest.contains("does not have enough free addresses"), "{newest}");
    assert_eq!(states(&sim, 1).await.len(), 13);
    desire(&sim, "eu-west-1", 9).await;
    pass(&sim, 200).await;
    assert_eq!(counts(&sim, "eu-west-1").await, (9, 9, 0));
}

#[tokio::test(start_paused = true)]
async fn wrong_names_and_numbers_are_refused() {
    let sim = world("calm");
    let client = ecs(&sim, "eu-west-1");
    let call = |cluster: &str, service: &str, count: i32| {
        client.update_service().cluster(cluster).service(service).desired_count(count).send()
    };
    assert_eq!(code(call("nope", "api", 1).await), "ClusterNotFoundException");
    assert_eq!(code(call("prod", "nope", 1).await), "ServiceNotFoundException");
    assert_eq!(code(call("prod", "api", -1).await), "InvalidParameterException");
    let quotas = aws_sdk_servicequotas::Client::new(&config(&sim, "eu-west-1"));
    let quota =
        quotas.get_service_quota().service_code("fargate").quota_code("L-3032A538").send().await.unwrap();
    assert_eq!(quota.quota.unwrap().value(), Some(256.0));
}

#[tokio::test(start_paused = true)]
async fn what_was_done_is_seen_at_once_where_clocks_differ() {
    let sim = world("clock-skew");
    let client = aws_sdk_ecs::Client::new(&super::retrying(&sim, "eu-west-1", 3));
    client.update_service().cluster("prod").service("api").desired_count(9).send().await.unwrap();
    let found = client.describe_services().cluster("prod").services("api").send().await.unwrap();
    assert_eq!(found.services()[0].desired_count(), 9);
}
