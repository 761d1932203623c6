//! A world at a pace of its own: its delays are shorter, its metrics are not.

use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::floor_minute;
use switchtower::sim::cloudwatch::source::MetricSource;
use switchtower::sim::{Sim, SimOptions};

use super::{config, in_dns, pass, until, world_of};

fn paced(pace: f64) -> Sim {
    world_of(SimOptions { pace, ..SimOptions::default() })
}

#[tokio::test(start_paused = true)]
async fn what_takes_minutes_takes_seconds() {
    let sim = paced(20.0);
    let ecs = aws_sdk_ecs::Client::new(&config(&sim, "eu-west-1"));
    ecs.update_service().cluster("prod").service("api").desired_count(9).send().await.unwrap();
    pass(&sim, 6).await;
    assert_eq!(sim.view().regions[1].healthy_tasks, 6 + 4 + 4 + 3);

    sim.black_out(&Region::new("us-east-1"), SignedDuration::ZERO, None);
    pass(&sim, 4).await;
    assert_eq!(in_dns(&sim), [false, true], "three checks, half a second apart");
    let rds = aws_sdk_rds::Client::new(&config(&sim, "eu-west-1"));
    rds.failover_global_cluster()
        .global_cluster_identifier("my-global-db")
        .target_db_cluster_identifier("arn:aws:rds:eu-west-1:123456789012:cluster:my-db-eu-west-1")
        .allow_data_loss(true)
        .send()
        .await
        .unwrap();
    let passed = until(&sim, 30, "writes again", |sim| sim.view().writes_succeed).await;
    assert!(passed <= 10, "{passed}");
}

#[tokio::test(start_paused = true)]
async fn metrics_keep_their_minutes() {
    let values = |pace: f64| {
        let sim = paced(pace);
        let now = sim.clock().now();
        let minute = floor_minute(now) - SignedDuration::from_mins(3);
        let world = sim.world();
        let all: Vec<_> = world
            .metrics("eu-west-1", now)
            .iter()
            .map(|metric| world.samples("eu-west-1", metric, minute, now))
            .collect();
        all
    };
    assert_eq!(values(1.0), values(20.0));
}
