//! Deleting at the edge: checks, alarms, topics, buckets with all their versions, and the stacks of networks.

use aws_sdk_s3::types::{Delete, ObjectIdentifier};
use switchtower::sim::Sim;

use super::{code, config, pass, world};

const US: &str = "us-east-1";

#[tokio::test(start_paused = true)]
async fn checks_go_whether_used_or_not() {
    let sim = world("calm");
    let client = aws_sdk_route53::Client::new(&config(&sim, US));
    let check = sim.topology().records[0].health_check.clone().unwrap();
    client.delete_health_check().health_check_id(check.as_str()).send().await.unwrap();
    let asked = client.get_health_check().health_check_id(check.as_str()).send().await;
    assert_eq!(code(asked), "NoSuchHealthCheck");
    let again = client.delete_health_check().health_check_id(check.as_str()).send().await;
    assert_eq!(code(again), "NoSuchHealthCheck");
}

#[tokio::test(start_paused = true)]
async fn alarms_go_together_or_not_at_all_and_topics_without_a_word() {
    let sim = world("calm");
    let topology = sim.topology();
    let entry = &topology.regions[0];
    let client = aws_sdk_cloudwatch::Client::new(&config(&sim, US));
    let names: Vec<String> = entry.alarms.iter().map(ToString::to_string).collect();
    let wrong =
        client.delete_alarms().set_alarm_names(Some(names.clone())).alarm_names("nobody").send().await;
    assert_eq!(code(wrong), "ResourceNotFound");
    let left = |client: aws_sdk_cloudwatch::Client| async move {
        client.describe_alarms().max_records(100).send().await.unwrap().metric_alarms().len()
    };
    assert!(left(client.clone()).await > 0);
    client.delete_alarms().set_alarm_names(Some(names)).send().await.unwrap();
    assert_eq!(left(client).await, 0);
    let topics = aws_sdk_sns::Client::new(&config(&sim, US));
    for _ in 0..2 {
        topics.delete_topic().topic_arn(entry.topics[0].as_str()).send().await.unwrap();
    }
    let told = topics.get_topic_attributes().topic_arn(entry.topics[0].as_str()).send().await;
    assert_eq!(code(told), "NotFound");
}

async fn versions(client: &aws_sdk_s3::Client, bucket: &str) -> Vec<ObjectIdentifier> {
    let page = client.list_object_versions().bucket(bucket).send().await.unwrap();
    let one = |key: Option<&str>, id: Option<&str>| {
        ObjectIdentifier::builder().key(key.unwrap()).version_id(id.unwrap()).build().unwrap()
    };
    let objects = page.versions().iter().map(|version| one(version.key(), version.version_id()));
    let markers = page.delete_markers().iter().map(|marker| one(marker.key(), marker.version_id()));
    objects.chain(markers).collect()
}

#[tokio::test(start_paused = true)]
async fn a_bucket_goes_with_its_last_version() {
    let sim = world("calm");
    let client = aws_sdk_s3::Client::new(&config(&sim, US));
    let bucket = sim.topology().replication[0].source.to_string();
    let replication = || client.get_bucket_replication().bucket(&bucket).send();
    replication().await.unwrap();
    client.delete_bucket_replication().bucket(&bucket).send().await.unwrap();
    assert_eq!(code(replication().await), "ReplicationConfigurationNotFoundError");
    assert_eq!(code(client.delete_bucket().bucket(&bucket).send().await), "BucketNotEmpty");
    let mut pages = 0;
    loop {
        let objects = versions(&client, &bucket).await;
        if objects.is_empty() {
            break;
        }
        pages += 1;
        let delete = Delete::builder().set_objects(Some(objects)).build().unwrap();
        client.delete_objects().bucket(&bucket).delete(delete).send().await.unwrap();
    }
    assert_eq!(pages, 2, "a thousand a page");
    assert!(client.list_multipart_uploads().bucket(&bucket).send().await.unwrap().uploads().is_empty());
    client.delete_bucket().bucket(&bucket).send().await.unwrap();
    assert_eq!(code(client.delete_bucket().bucket(&bucket).send().await), "NoSuchBucket");
}

fn cloudformation(sim: &Sim) -> aws_sdk_cloudformation::Client {
    aws_sdk_cloudformation::Client::new(&config(sim, US))
}

async fn status(sim: &Sim) -> Result<String, String> {
    let sent = cloudformation(sim).describe_stacks().stack_name("orders-network").send().await;
    match sent {
        Ok(told) => Ok(told.stacks()[0].stack_status().unwrap().as_str().to_owned()),
        Err(_) => Err(code(sent)),
    }
}

#[tokio::test(start_paused = true)]
async fn a_network_goes_after_what_stands_in_it() {
    let sim = world("calm");
    let delete = || cloudformation(&sim).delete_stack().stack_name("orders-network").send();
    assert_eq!(status(&sim).await.as_deref(), Ok("CREATE_COMPLETE"));
    delete().await.unwrap();
    assert_eq!(status(&sim).await.as_deref(), Ok("DELETE_FAILED"));
    let balancers = aws_sdk_elasticloadbalancingv2::Client::new(&config(&sim, US));
    let arn = sim.topology().regions[0].load_balancers[0].arn.to_string();
    let off = aws_sdk_elasticloadbalancingv2::types::LoadBalancerAttribute::builder();
    let off = off.key("deletion_protection.enabled").value("false").build();
    balancers.modify_load_balancer_attributes().load_balancer_arn(&arn).attributes(off).send().await.unwrap();
    balancers.delete_load_balancer().load_balancer_arn(&arn).send().await.unwrap();
    pass(&sim, 30).await;
    delete().await.unwrap();
    assert_eq!(status(&sim).await.as_deref(), Ok("DELETE_IN_PROGRESS"));
    pass(&sim, 200).await;
    assert_eq!(status(&sim).await, Err("ValidationError".to_owned()));
}
