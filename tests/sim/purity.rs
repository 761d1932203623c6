//! Nothing runs between two questions: a world that is asked all the time and one that is asked at the end agree.

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::floor_minute;
use switchtower::sim::cloudwatch::source::MetricSource;
use switchtower::sim::{Sim, SimOptions};

use super::{config, pass, regions, world_of};

/// Something that an operator, or fate, does to both worlds.
async fn act(sim: &Sim, step: usize) {
    let ecs = |region: &str| aws_sdk_ecs::Client::new(&config(sim, region)).update_service().cluster("prod");
    let route53 = aws_sdk_route53::Client::new(&config(sim, "us-east-1"));
    let check = |site: usize| sim.evacuation().record_checks[site].1.as_str().to_owned();
    match step {
        1 => drop(ecs("eu-west-1").service("api").desired_count(13).send().await.unwrap()),
        2 => {
            let update =
                route53.update_health_check().health_check_id(check(0)).disabled(true).inverted(true);
            update.send().await.unwrap();
        }
        3 => drop(ecs("us-east-1").service("api").desired_count(0).send().await.unwrap()),
        4 => sim.black_out(
            &Region::new("us-west-2"),
            SignedDuration::from_secs(40),
            Some(SignedDuration::from_mins(6)),
        ),
        5 => {
            let scaling = aws_sdk_applicationautoscaling::Client::new(&config(sim, "eu-west-1"));
            let register = scaling
                .register_scalable_target()
                .service_namespace(aws_sdk_applicationautoscaling::types::ServiceNamespace::Ecs)
                .resource_id("service/prod/api")
                .scalable_dimension(
                    aws_sdk_applicationautoscaling::types::ScalableDimension::EcsServiceDesiredCount,
                );
            register.min_capacity(8).max_capacity(9).send().await.unwrap();
        }
        6 => drop(ecs("eu-west-1").service("web").force_new_deployment(true).send().await.unwrap()),
        7 => {
            let rds = aws_sdk_rds::Client::new(&config(sim, "us-east-1")).switchover_global_cluster();
            let target = "arn:aws:rds:eu-west-1:123456789012:cluster:my-db-eu-west-1";
            let call = rds.global_cluster_identifier("my-global-db").target_db_cluster_identifier(target);
            call.send().await.unwrap();
        }
        8 => {
            let update =
                route53.update_health_check().health_check_id(check(0)).disabled(false).inverted(false);
            update.send().await.unwrap();
        }
        _ => {}
    }
}

#[tokio::test(start_paused = true)]
async fn asking_changes_nothing() {
    let make = || world_of(SimOptions { regions: regions(3), latency: false, ..SimOptions::default() });
    let (asked, left) = (make(), make());
    for step in 0..12 {
        act(&asked, step).await;
        act(&left, step).await;
        for _ in 0..13 {
            pass(&asked, 7).await;
            let now = asked.clock().now();
            let _ = (asked.view(), asked.users_failed_since(now - SignedDuration::from_mins(3)));
            for region in regions(3) {
                let _ = asked.world().alarms_at(region.as_str(), now);
            }
        }
    }
    assert_eq!(asked.view(), left.view());
    let now = asked.clock().now();
    for region in regions(3) {
        let region = region.as_str();
        assert_eq!(asked.world().alarms_at(region, now), left.world().alarms_at(region, now));
        for metric in asked.world().metrics(region, now) {
            for back in 0..22 {
                let minute = floor_minute(now) - SignedDuration::from_mins(back);
                let of = |sim: &Sim| sim.world().samples(region, &metric, minute, now);
                assert_eq!(of(&asked), of(&left), "{metric:?} {back} minutes ago");
            }
        }
    }
}
