//! Deleting: what AWS refuses out of order, what takes time, and what is told afterwards.

use aws_sdk_applicationautoscaling::types::{ScalableDimension, ServiceNamespace};
use aws_sdk_dynamodb::types::{DeleteReplicationGroupMemberAction, ReplicationGroupUpdate};
use aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute;
use switchtower::sim::{Sim, SimOptions};

use super::{code, config, pass, world, world_of};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";
const OWNER: (&str, &str) = ("switchtower:application", "orders");

fn ecs(sim: &Sim, region: &str) -> aws_sdk_ecs::Client {
    aws_sdk_ecs::Client::new(&config(sim, region))
}

fn rds(sim: &Sim, region: &str) -> aws_sdk_rds::Client {
    aws_sdk_rds::Client::new(&config(sim, region))
}

fn dynamodb(sim: &Sim, region: &str) -> aws_sdk_dynamodb::Client {
    aws_sdk_dynamodb::Client::new(&config(sim, region))
}

async fn delete_service(sim: &Sim) -> Result<(), String> {
    let sent = ecs(sim, US).delete_service().cluster("prod").service("api").send().await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

async fn status(sim: &Sim, service: &str) -> String {
    let found = ecs(sim, US).describe_services().cluster("prod").services(service).send().await.unwrap();
    found.services()[0].status().unwrap().to_owned()
}

async fn stop(sim: &Sim, service: &str) {
    let call = ecs(sim, US).update_service().cluster("prod").service(service).desired_count(0);
    call.send().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn services_go_before_their_cluster() {
    let sim = world("calm");
    let scaling = aws_sdk_applicationautoscaling::Client::new(&config(&sim, US));
    let deregister = || {
        let call = scaling.deregister_scalable_target().service_namespace(ServiceNamespace::Ecs);
        call.scalable_dimension(ScalableDimension::EcsServiceDesiredCount)
            .resource_id("service/prod/api")
            .send()
    };
    deregister().await.unwrap();
    assert_eq!(code(deregister().await), "ObjectNotFoundException");
    assert_eq!(delete_service(&sim).await, Err("InvalidParameterException".to_owned()));
    stop(&sim, "api").await;
    pass(&sim, 300).await;
    delete_service(&sim).await.unwrap();
    assert_eq!(status(&sim, "api").await, "DRAINING");
    let again = ecs(&sim, US).update_service().cluster("prod").service("api").desired_count(2).send().await;
    assert_eq!(code(again), "ServiceNotActiveException");
    let cluster = || ecs(&sim, US).delete_cluster().cluster("prod").send();
    assert_eq!(code(cluster().await), "ClusterContainsServicesException");
    pass(&sim, 60).await;
    assert_eq!(status(&sim, "api").await, "INACTIVE");
    for service in ["web", "checkout"] {
        let forced = ecs(&sim, US).delete_service().cluster("prod").service(service).force(true).send().await;
        forced.unwrap();
    }
    pass(&sim, 60).await;
    cluster().await.unwrap();
    assert_eq!(code(ecs(&sim, US).list_services().cluster("prod").send().await), "ClusterNotFoundException");
    let listed = ecs(&sim, US).describe_clusters().clusters("prod").send().await.unwrap();
    assert!(listed.clusters().is_empty());
    assert_eq!(listed.failures()[0].reason(), Some("MISSING"));
}

#[tokio::test(start_paused = true)]
async fn load_balancers_go_before_their_target_groups() {
    let sim = world("calm");
    let client = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, US));
    let topology = sim.topology();
    let balancer = &topology.regions[0].load_balancers[0];
    let (arn, group) = (balancer.arn.as_str(), balancer.target_groups[0].as_str());
    let delete = || client.delete_load_balancer().load_balancer_arn(arn).send();
    assert_eq!(code(delete().await), "OperationNotPermitted");
    let off = LoadBalancerAttribute::builder().key("deletion_protection.enabled").value("false").build();
    let set = client.modify_load_balancer_attributes().load_balancer_arn(arn).attributes(off).send().await;
    let told = set.unwrap();
    let protection = told.attributes().iter().find(|one| one.key() == Some("deletion_protection.enabled"));
    assert_eq!(protection.and_then(|one| one.value()), Some("false"));
    let drop_group = || client.delete_target_group().target_group_arn(group).send();
    assert_eq!(code(drop_group().await), "ResourceInUse");
    delete().await.unwrap();
    assert_eq!(code(drop_group().await), "ResourceInUse", "it takes a moment");
    pass(&sim, 30).await;
    let described = client.describe_load_balancers().load_balancer_arns(arn).send().await;
    assert_eq!(code(described), "LoadBalancerNotFound");
    drop_group().await.unwrap();
    assert_eq!(
        code(client.describe_target_health().target_group_arn(group).send().await),
        "TargetGroupNotFound"
    );
    delete().await.unwrap();
}

async fn unprotect(sim: &Sim, region: &str) {
    let call = rds(sim, region).modify_db_cluster().db_cluster_identifier(format!("my-db-{region}"));
    call.deletion_protection(false).send().await.unwrap();
}

async fn detach(sim: &Sim, region: &str) -> Result<(), String> {
    let call = rds(sim, region).remove_from_global_cluster().global_cluster_identifier("my-global-db");
    let arn = format!("arn:aws:rds:{region}:123456789012:cluster:my-db-{region}");
    let sent = call.db_cluster_identifier(arn).send().await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

async fn delete_cluster(sim: &Sim, region: &str, snapshot: Option<&str>) -> Result<(), String> {
    let call = rds(sim, region).delete_db_cluster().db_cluster_identifier(format!("my-db-{region}"));
    let call = match snapshot {
        Some("") => call,
        Some(name) => call.final_db_snapshot_identifier(name),
        None => call.skip_final_snapshot(true),
    };
    let sent = call.send().await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

async fn delete_instances(sim: &Sim, region: &str) {
    for number in [2, 1] {
        let call = rds(sim, region).delete_db_instance();
        call.db_instance_identifier(format!("my-db-{region}-{number}")).send().await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn members_go_before_the_global_cluster() {
    let sim = world("calm");
    let refused = |code: &str| Err(code.to_owned());
    assert_eq!(delete_cluster(&sim, EU, None).await, refused("InvalidDBClusterStateFault"), "a member");
    detach(&sim, EU).await.unwrap();
    pass(&sim, 60).await;
    assert_eq!(delete_cluster(&sim, EU, None).await, refused("InvalidParameterCombination"), "protected");
    unprotect(&sim, EU).await;
    assert_eq!(delete_cluster(&sim, EU, None).await, refused("InvalidDBClusterStateFault"), "instances");
    delete_instances(&sim, EU).await;
    let twice = rds(&sim, EU).delete_db_instance().db_instance_identifier("my-db-eu-west-1-1").send().await;
    assert_eq!(code(twice), "InvalidDBInstanceState");
    let going = rds(&sim, EU).describe_db_instances().send().await.unwrap();
    assert!(going.db_instances().iter().all(|one| one.db_instance_status() == Some("deleting")));
    pass(&sim, 300).await;
    assert!(rds(&sim, EU).describe_db_instances().send().await.unwrap().db_instances().is_empty());
    assert_eq!(
        delete_cluster(&sim, EU, Some("")).await,
        refused("InvalidParameterCombination"),
        "no word on snapshots"
    );
    delete_cluster(&sim, EU, Some("last")).await.unwrap();
    let told =
        rds(&sim, EU).describe_db_clusters().db_cluster_identifier("my-db-eu-west-1").send().await.unwrap();
    assert_eq!(told.db_clusters()[0].status(), Some("deleting"));
    pass(&sim, 240).await;
    let told = rds(&sim, EU).describe_db_clusters().db_cluster_identifier("my-db-eu-west-1").send().await;
    assert_eq!(code(told), "DBClusterNotFoundFault");

    let global = || rds(&sim, US).delete_global_cluster().global_cluster_identifier("my-global-db").send();
    assert_eq!(code(global().await), "InvalidParameterCombination", "protected");
    let call = rds(&sim, US).modify_global_cluster().global_cluster_identifier("my-global-db");
    call.deletion_protection(false).send().await.unwrap();
    assert_eq!(code(global().await), "InvalidGlobalClusterStateFault", "a member is left");
    detach(&sim, US).await.unwrap();
    pass(&sim, 60).await;
    global().await.unwrap();
    pass(&sim, 60).await;
    let told =
        rds(&sim, US).describe_global_clusters().global_cluster_identifier("my-global-db").send().await;
    assert_eq!(code(told), "GlobalClusterNotFoundFault");
}

async fn protect_table(sim: &Sim, region: &str, table: &str) {
    let call = dynamodb(sim, region).update_table().table_name(table).deletion_protection_enabled(false);
    call.send().await.unwrap();
}

async fn delete_replica(sim: &Sim, table: &str, replica: &str) -> Result<(), String> {
    let delete = DeleteReplicationGroupMemberAction::builder().region_name(replica).build().unwrap();
    let update = ReplicationGroupUpdate::builder().delete(delete).build();
    let sent = dynamodb(sim, US).update_table().table_name(table).replica_updates(update).send().await;
    if sent.is_ok() { Ok(()) } else { Err(code(sent)) }
}

#[tokio::test(start_paused = true)]
async fn replicas_go_leaf_first_one_at_a_time_and_the_table_last() {
    let sim = world_of(SimOptions { regions: super::regions(4), ..SimOptions::default() });
    let names: Vec<String> = sim.topology().regions.iter().map(|entry| entry.name.to_string()).collect();
    let refused = |code: &str| Err(code.to_owned());
    let table = "user-sessions";
    assert_eq!(delete_replica(&sim, table, &names[3]).await, refused("ValidationException"), "protected");
    for name in &names {
        protect_table(&sim, name, table).await;
    }
    let base = || dynamodb(&sim, US).delete_table().table_name(table).send();
    assert_eq!(code(base().await), "ValidationException", "it has replicas");
    assert_eq!(
        delete_replica(&sim, table, &names[2]).await,
        refused("ValidationException"),
        "source of a young one"
    );
    delete_replica(&sim, table, &names[3]).await.unwrap();
    assert_eq!(delete_replica(&sim, table, &names[1]).await, refused("ResourceInUseException"));
    let told = dynamodb(&sim, US).describe_table().table_name(table).send().await.unwrap().table.unwrap();
    assert_eq!(told.table_status().unwrap().as_str(), "UPDATING");
    let going = told.replicas().iter().find(|one| one.region_name() == Some(&names[3])).unwrap();
    assert_eq!(going.replica_status().unwrap().as_str(), "DELETING");
    pass(&sim, 180).await;
    for name in [&names[2], &names[1]] {
        delete_replica(&sim, table, name).await.unwrap();
        pass(&sim, 180).await;
    }
    base().await.unwrap();
    pass(&sim, 60).await;
    assert_eq!(
        code(dynamodb(&sim, US).describe_table().table_name(table).send().await),
        "ResourceNotFoundException"
    );
}

#[tokio::test(start_paused = true)]
async fn the_owner_tag_is_told() {
    let sim = world("calm");
    let topology = sim.topology();
    let entry = &topology.regions[0];
    let has = |tags: Vec<(String, String)>| tags.contains(&(OWNER.0.to_owned(), OWNER.1.to_owned()));
    let service = ecs(&sim, US).list_tags_for_resource().resource_arn(entry.services[0].arn.as_str());
    let tags = service.send().await.unwrap();
    let plain = |key: Option<&str>, value: Option<&str>| {
        (key.unwrap_or_default().to_owned(), value.unwrap_or_default().to_owned())
    };
    assert!(has(tags.tags().iter().map(|tag| plain(tag.key(), tag.value())).collect()));
    let cluster =
        rds(&sim, US).list_tags_for_resource().resource_name(topology.aurora[0].members[0].arn.as_str());
    let tags = cluster.send().await.unwrap();
    assert!(has(tags.tag_list().iter().map(|tag| plain(tag.key(), tag.value())).collect()));
    let arn = "arn:aws:dynamodb:us-east-1:123456789012:table/Orders";
    let tags = dynamodb(&sim, US).list_tags_of_resource().resource_arn(arn).send().await.unwrap();
    assert!(has(tags.tags().iter().map(|tag| plain(Some(tag.key()), Some(tag.value()))).collect()));
}
