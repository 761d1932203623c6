//! Moving Aurora's writer: who may ask where, how long it takes, and what is seen meanwhile.

use aws_sdk_rds::types::{GlobalCluster, SourceType};
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::floor_minute;
use switchtower::ports::{HttpsProbe, Message, ProbeRequest};
use switchtower::sim::cloudwatch::source::{MetricId, MetricSource};
use switchtower::sim::{Sim, SimOptions};

use super::{code, config, pass, regions, until, world, world_of};

const GLOBAL: &str = "my-global-db";

fn rds(sim: &Sim, region: &str) -> aws_sdk_rds::Client {
    aws_sdk_rds::Client::new(&config(sim, region))
}

fn arn(region: &str) -> String {
    format!("arn:aws:rds:{region}:123456789012:cluster:my-db-{region}")
}

async fn described(sim: &Sim, region: &str) -> GlobalCluster {
    let found =
        rds(sim, region).describe_global_clusters().global_cluster_identifier(GLOBAL).send().await.unwrap();
    found.global_clusters()[0].clone()
}

async fn switchover(sim: &Sim, asked: &str, target: &str) -> Result<(), String> {
    let sent = rds(sim, asked)
        .switchover_global_cluster()
        .global_cluster_identifier(GLOBAL)
        .target_db_cluster_identifier(arn(target))
        .send()
        .await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

async fn failover(sim: &Sim, asked: &str, target: &str, lossy: bool) -> Result<(), String> {
    let sent = rds(sim, asked)
        .failover_global_cluster()
        .global_cluster_identifier(GLOBAL)
        .target_db_cluster_identifier(arn(target))
        .allow_data_loss(lossy)
        .send()
        .await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

fn writer(sim: &Sim) -> String {
    sim.view().aurora_writer.unwrap()
}

fn lag(sim: &Sim, region: &str) -> bool {
    let now = sim.clock().now();
    let metric = MetricId {
        namespace: "AWS/RDS".into(),
        name: "AuroraGlobalDBRPOLag".into(),
        dimensions: vec![("DBClusterIdentifier".into(), format!("my-db-{region}"))],
    };
    let minute = floor_minute(now) - SignedDuration::from_mins(2);
    sim.world().samples(region, &metric, minute, now).is_some()
}

async fn told(sim: &Sim, region: &str) -> Vec<String> {
    let asked = rds(sim, region).describe_events().source_type(SourceType::DbCluster);
    words(asked.event_categories("global failover")).await
}

/// What instances of a region tell: whether writes at an old primary could be blocked.
async fn fence(sim: &Sim, region: &str) -> Vec<String> {
    words(rds(sim, region).describe_events().source_type(SourceType::DbInstance)).await
}

async fn words(
    asked: aws_sdk_rds::operation::describe_events::builders::DescribeEventsFluentBuilder,
) -> Vec<String> {
    let events = asked.send().await.unwrap();
    events.events().iter().filter_map(|event| event.message().map(str::to_owned)).collect()
}

#[tokio::test(start_paused = true)]
async fn a_switchover_moves_the_writer_and_loses_nothing() {
    let sim = world("calm");
    assert_eq!(switchover(&sim, "us-east-1", "eu-west-1").await, Ok(()));
    let during = described(&sim, "eu-west-1").await;
    let state = during.failover_state().unwrap();
    assert_eq!(during.status(), Some("switching-over"));
    assert_eq!(state.status().unwrap().as_str(), "switching-over");
    assert_eq!(state.to_db_cluster_arn(), Some(arn("eu-west-1").as_str()));
    assert_eq!(state.is_data_loss_allowed(), Some(false));
    assert_eq!(
        switchover(&sim, "us-east-1", "eu-west-1").await,
        Err("InvalidGlobalClusterStateFault".into())
    );
    assert_eq!(
        failover(&sim, "eu-west-1", "eu-west-1", true).await,
        Err("InvalidGlobalClusterStateFault".into())
    );
    let mut refused = 0;
    let mut most = 0;
    let passed = until(&sim, 200, "the writer moved", |sim| writer(sim) == "eu-west-1").await;
    assert!((55..=125).contains(&passed), "{passed}");
    for _ in 0..12 {
        refused += usize::from(!sim.view().writes_succeed);
        most = most.max(sim.view().aurora_writers.len());
        pass(&sim, 5).await;
    }
    assert!((2..=7).contains(&refused), "writes fail until the endpoint names the new writer: {refused}");
    assert_eq!(most, 1);
    let after = described(&sim, "us-east-1").await;
    assert_eq!((after.status(), after.failover_state()), (Some("available"), None));
    let members = after.global_cluster_members();
    let primary = members.iter().find(|member| member.is_writer() == Some(true)).unwrap();
    assert_eq!(primary.db_cluster_arn(), Some(arn("eu-west-1").as_str()));
    assert_eq!(primary.readers(), [arn("us-east-1")]);
    pass(&sim, 180).await;
    assert_eq!(
        (lag(&sim, "us-east-1"), lag(&sim, "eu-west-1")),
        (true, false),
        "the series is on the other cluster"
    );
    let told = told(&sim, "eu-west-1").await;
    assert!(told[0].contains("Global switchover") && told[0].ends_with("started."), "{told:?}");
    assert!(told.iter().any(|words| words.ends_with("finished.")), "{told:?}");
    assert!(told.iter().any(|words| words.contains("finished changing the DNS name")), "{told:?}");
    assert_eq!(switchover(&sim, "eu-west-1", "us-east-1").await, Ok(()), "and back");
}

#[tokio::test(start_paused = true)]
async fn each_call_has_its_region() {
    let sim = world("calm");
    assert_eq!(switchover(&sim, "eu-west-1", "eu-west-1").await, Err("InvalidDBClusterStateFault".into()));
    assert_eq!(
        failover(&sim, "us-east-1", "eu-west-1", true).await,
        Err("InvalidDBClusterStateFault".into())
    );
    assert_eq!(
        switchover(&sim, "us-east-1", "us-east-1").await,
        Err("InvalidGlobalClusterStateFault".into())
    );
    assert_eq!(switchover(&sim, "us-east-1", "ap-south-1").await, Err("DBClusterNotFoundFault".into()));
    let unknown = rds(&sim, "us-east-1")
        .switchover_global_cluster()
        .global_cluster_identifier("nope")
        .target_db_cluster_identifier(arn("eu-west-1"))
        .send()
        .await;
    assert_eq!(code(unknown), "GlobalClusterNotFoundFault");
    assert_eq!(writer(&sim), "us-east-1");
}

#[tokio::test(start_paused = true)]
async fn without_data_loss_a_failover_from_a_dead_primary_never_comes_through() {
    let sim = world("calm");
    sim.black_out(&Region::new("us-east-1"), SignedDuration::ZERO, None);
    pass(&sim, 30).await;
    assert!(!sim.view().writes_succeed);
    assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", false).await, Ok(()));
    pass(&sim, 400).await;
    assert_eq!(described(&sim, "eu-west-1").await.status(), Some("switching-over"));
    assert_eq!(
        failover(&sim, "eu-west-1", "eu-west-1", true).await,
        Err("InvalidGlobalClusterStateFault".into())
    );
    pass(&sim, 300).await;
    assert_eq!(described(&sim, "eu-west-1").await.status(), Some("available"));
    assert_eq!(writer(&sim), "us-east-1");
    assert!(told(&sim, "eu-west-1").await.iter().any(|words| words.ends_with("cancelled.")));

    assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", true).await, Ok(()));
    let during = described(&sim, "eu-west-1").await;
    assert_eq!(during.failover_state().unwrap().status().unwrap().as_str(), "failing-over");
    assert_eq!(during.failover_state().unwrap().is_data_loss_allowed(), Some(true));
    let passed = until(&sim, 200, "writes again", |sim| sim.view().writes_succeed).await;
    assert!((80..=140).contains(&passed), "{passed}");
    assert_eq!(writer(&sim), "eu-west-1");
    // What the old primary cannot tell is told by the new one.
    let attempt = "Attempt to block writes for DB cluster my-db-us-east-1 in Region us-east-1";
    assert_eq!(fence(&sim, "eu-west-1").await, [format!("{attempt} timed out.")]);
}

#[tokio::test(start_paused = true)]
async fn an_old_primary_that_can_be_reached_tells_itself_that_its_writes_are_blocked() {
    let sim = world("calm");
    assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", true).await, Ok(()));
    pass(&sim, 180).await;
    let attempt = "Attempt to block writes for DB cluster my-db-us-east-1 in Region us-east-1";
    assert_eq!(fence(&sim, "us-east-1").await, [format!("{attempt} succeeded.")]);
    assert_eq!(fence(&sim, "eu-west-1").await, Vec::<String>::new());
}

#[tokio::test(start_paused = true)]
async fn the_old_primary_follows_after_it_is_back_and_others_are_rebuilt() {
    let sim = world_of(SimOptions { regions: regions(3), ..SimOptions::default() });
    sim.black_out(&Region::new("us-east-1"), SignedDuration::ZERO, Some(SignedDuration::from_mins(20)));
    assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", true).await, Ok(()));
    pass(&sim, 180).await;
    let status = async |region: &str| {
        let global = described(&sim, "eu-west-1").await;
        let members = global.global_cluster_members().iter();
        let found = members.clone().find(|member| member.db_cluster_arn() == Some(arn(region).as_str()));
        found.unwrap().synchronization_status().unwrap().as_str().to_owned()
    };
    assert_eq!(
        (status("us-east-1").await, status("us-west-2").await),
        ("pending-resync".into(), "pending-resync".into())
    );
    assert_eq!(switchover(&sim, "eu-west-1", "us-west-2").await, Err("InvalidDBClusterStateFault".into()));
    pass(&sim, 600).await;
    assert_eq!(
        (status("us-east-1").await, status("us-west-2").await),
        ("pending-resync".into(), "connected".into())
    );
    pass(&sim, 900).await;
    assert_eq!(status("us-east-1").await, "connected");
    assert_eq!(sim.view().aurora_writers, ["eu-west-1"]);
}

#[tokio::test(start_paused = true)]
async fn a_switchover_takes_longer_with_the_lag() {
    let sim = world("aurora-lag");
    assert_eq!(switchover(&sim, "us-east-1", "eu-west-1").await, Ok(()));
    let slow = until(&sim, 600, "moved", |sim| writer(sim) == "eu-west-1").await;
    let sim = world("calm");
    assert_eq!(switchover(&sim, "us-east-1", "eu-west-1").await, Ok(()));
    let quick = until(&sim, 600, "moved", |sim| writer(sim) == "eu-west-1").await;
    assert!(slow >= quick + 10, "{slow} {quick}");
}

#[tokio::test(start_paused = true)]
async fn a_detached_cluster_is_a_writer_of_its_own() {
    let sim = world("calm");
    let remove = |asked: &str, member: &str| {
        rds(&sim, asked)
            .remove_from_global_cluster()
            .global_cluster_identifier(GLOBAL)
            .db_cluster_identifier(arn(member))
            .send()
    };
    assert_eq!(code(remove("us-east-1", "us-east-1").await), "InvalidGlobalClusterStateFault");
    assert_eq!(code(remove("us-east-1", "eu-west-1").await), "InvalidDBClusterStateFault");
    remove("eu-west-1", "eu-west-1").await.unwrap();
    pass(&sim, 60).await;
    assert_eq!(sim.view().aurora_writers, ["us-east-1", "eu-west-1"], "a split brain");
    let global = described(&sim, "us-east-1").await;
    assert_eq!(global.global_cluster_members().len(), 1);
    let orphan = rds(&sim, "eu-west-1").describe_db_clusters().send().await.unwrap();
    assert_eq!(orphan.db_clusters()[0].global_cluster_identifier(), None);
    assert_eq!(orphan.db_clusters()[0].db_cluster_members()[0].is_cluster_writer(), Some(true));
    remove("us-east-1", "us-east-1").await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn protection_is_lifted_one_by_one() {
    let sim = world("calm");
    let client = rds(&sim, "us-east-1");
    client
        .modify_global_cluster()
        .global_cluster_identifier(GLOBAL)
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    client
        .modify_db_cluster()
        .db_cluster_identifier("my-db-us-east-1")
        .deletion_protection(false)
        .send()
        .await
        .unwrap();
    assert_eq!(described(&sim, "us-east-1").await.deletion_protection(), Some(false));
    let clusters = client.describe_db_clusters().send().await.unwrap();
    assert_eq!(clusters.db_clusters()[0].deletion_protection(), Some(false));
    let other = rds(&sim, "eu-west-1").describe_db_clusters().send().await.unwrap();
    assert_eq!(other.db_clusters()[0].deletion_protection(), Some(true));
}

/// Status of a request that writes, through the public name.
async fn write(sim: &Sim) -> u16 {
    let request = ProbeRequest {
        url: "https://api.example.com/write/canary".into(),
        via: "api.example.com".into(),
        timeout: std::time::Duration::from_secs(4),
    };
    sim.probe().probe(request).await.unwrap().status
}

#[tokio::test(start_paused = true)]
async fn a_synthetic_write_fails_until_a_writer_is_named() {
    let sim = world("regional-outage");
    assert_eq!(write(&sim).await, 503);
    assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", true).await, Ok(()));
    pass(&sim, 60).await;
    assert_eq!(write(&sim).await, 503);
    pass(&sim, 90).await;
    assert_eq!(write(&sim).await, 200);
}

/// What the application of the survivor shows under a path.
async fn shown(sim: &Sim, path: &str) -> (u16, String) {
    exchange(sim, path, Message::get()).await
}

async fn exchange(sim: &Sim, path: &str, message: Message) -> (u16, String) {
    let survivor = sim.topology().region(&"eu-west-1".into()).unwrap().load_balancers[0].dns_name.clone();
    let request = ProbeRequest {
        url: format!("https://api.example.com{path}"),
        via: survivor,
        timeout: std::time::Duration::from_secs(4),
    };
    let told = sim.probe().exchange(request, message).await.unwrap();
    (told.result.status, told.body)
}

async fn put(sim: &Sim, path: &str) -> u16 {
    let message = Message { method: "PUT".into(), content_type: "text/plain".into(), body: path.into() };
    exchange(sim, path, message).await.0
}

#[tokio::test(start_paused = true)]
async fn what_had_not_come_over_is_lost_by_a_failover_and_by_nothing_else() {
    for (lossy, late) in [(true, 404), (false, 200)] {
        let sim = world("aurora-lag");
        assert_eq!(put(&sim, "/canary/early").await, 201);
        assert_eq!(
            shown(&sim, "/canary/early").await.0,
            404,
            "the survivor reads its own copy, which is behind"
        );
        pass(&sim, 40).await;
        assert_eq!(shown(&sim, "/canary/early").await, (200, "/canary/early".to_owned()));
        assert_eq!(put(&sim, "/canary/late").await, 201);
        if lossy {
            assert_eq!(failover(&sim, "eu-west-1", "eu-west-1", true).await, Ok(()));
        } else {
            assert_eq!(switchover(&sim, "us-east-1", "eu-west-1").await, Ok(()));
        }
        pass(&sim, 200).await;
        assert_eq!(writer(&sim), "eu-west-1");
        assert_eq!(put(&sim, "/canary/after").await, 201);
        assert_eq!(shown(&sim, "/canary/early").await.0, 200);
        assert_eq!(shown(&sim, "/canary/late").await.0, late, "lossy {lossy}");
        assert_eq!(shown(&sim, "/canary/after").await.0, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn a_detached_cluster_shows_what_came_before_and_what_it_took_itself() {
    let sim = world("regional-outage");
    assert_eq!(put(&sim, "/canary/refused").await, 503);
    rds(&sim, "eu-west-1")
        .remove_from_global_cluster()
        .global_cluster_identifier(GLOBAL)
        .db_cluster_identifier(arn("eu-west-1"))
        .send()
        .await
        .unwrap();
    pass(&sim, 300).await;
    assert_eq!(put(&sim, "/canary/own").await, 201);
    assert_eq!(shown(&sim, "/canary/own").await.0, 200);
    assert_eq!(
        shown(&sim, "/canary/refused").await,
        (200, String::new()),
        "a plain page knows nothing of it"
    );
}

/// A scenario of one effect on a region.
fn effect(sim: &Sim, region: &str, effect: &str) {
    let text = format!(
        "name = \"one\"\ndescription = \"\"\nregion = \"first\"\nlead_seconds = 0\n[[effect]]\n{effect}\n"
    );
    let scenario = switchtower::sim::world::scenario::Scenario::parse(&text).unwrap();
    sim.overlay(&scenario, &Region::new(region), SignedDuration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn blue_green_deployments_are_told_and_no_switchover_begins_during_one() {
    let sim = world("calm");
    let listed = async |sim: &Sim, region: &str| {
        let told = rds(sim, region).describe_blue_green_deployments().send().await.unwrap();
        let each = told.blue_green_deployments().iter();
        each.map(|one| (one.source().unwrap().to_owned(), one.status().unwrap().to_owned()))
            .collect::<Vec<_>>()
    };
    assert_eq!(listed(&sim, "us-east-1").await, []);
    effect(&sim, "us-east-1", "kind = \"blue_green\"\nstatus = \"AVAILABLE\"");
    assert_eq!(listed(&sim, "us-east-1").await, [(arn("us-east-1"), "AVAILABLE".to_owned())]);
    assert_eq!(listed(&sim, "eu-west-1").await, []);
    let refused = switchover(&sim, "us-east-1", "eu-west-1").await;
    assert_eq!(refused, Err("InvalidGlobalClusterStateFault".to_owned()));
    let sim = world("calm");
    effect(&sim, "us-east-1", "kind = \"blue_green\"\nstatus = \"SWITCHOVER_COMPLETED\"");
    assert_eq!(switchover(&sim, "us-east-1", "eu-west-1").await, Ok(()));
}
