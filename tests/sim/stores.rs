//! Objects, custom metrics and messages, and the switches made of them.

use aws_sdk_cloudwatch::types::{Dimension, Metric, MetricDataQuery, MetricDatum, MetricStat};
use aws_sdk_s3::primitives::ByteStream;
use jiff::SignedDuration;
use switchtower::domain::ids::Region;
use switchtower::sim::{Mode, Sim, SimOptions, Wiring};

use super::{code, config, in_dns, pass, world, world_of};

fn wired(wiring: Wiring) -> Sim {
    world_of(SimOptions { wiring, ..SimOptions::default() })
}

#[tokio::test(start_paused = true)]
async fn an_object_takes_a_region_out_while_route53s_api_is_down() {
    let sim = wired(Wiring { switch_object: true, ..Wiring::default() });
    sim.apis_down(&Region::new("us-east-1"), &["route53"], Mode::Hang, SignedDuration::ZERO, None);
    let switch = sim.evacuation().switch_object.unwrap();
    let client = aws_sdk_s3::Client::new(&config(&sim, switch.region.as_str()));
    let key = switch.keys[0].1.as_str();
    let put =
        || client.put_object().bucket(&switch.bucket).key(key).body(ByteStream::from_static(b"drill")).send();
    assert_eq!(code(client.get_object().bucket(&switch.bucket).key(key).send().await), "NoSuchKey");
    put().await.unwrap();
    let head = client.head_object().bucket(&switch.bucket).key(key).send().await.unwrap();
    assert_eq!(head.content_length(), Some(5));
    assert_eq!(in_dns(&sim), [true, true], "checkers have not seen it yet");
    pass(&sim, 60).await;
    assert_eq!(in_dns(&sim), [false, true]);
    let read = client.get_object().bucket(&switch.bucket).key(key).send().await.unwrap();
    assert_eq!(read.body.collect().await.unwrap().to_vec(), b"drill");
    client.delete_object().bucket(&switch.bucket).key(key).send().await.unwrap();
    pass(&sim, 60).await;
    assert_eq!(in_dns(&sim), [true, true]);
    let elsewhere = aws_sdk_s3::Client::new(&config(&sim, "eu-west-1"));
    let wrong = elsewhere.put_object().bucket(&switch.bucket).key(key).body(ByteStream::from_static(b"x"));
    assert_eq!(code(wrong.send().await), "AuthorizationHeaderMalformed");
    let foreign =
        elsewhere.put_object().bucket("assets-eu-west-1").key("x").body(ByteStream::from_static(b"x"));
    assert_eq!(code(foreign.send().await), "AccessDenied");
}

#[tokio::test(start_paused = true)]
async fn calculated_checks_name_their_children_and_count_them() {
    let sim = wired(Wiring { switch_object: true, switch_metric: true, routing_control: true });
    let client = aws_sdk_route53::Client::new(&config(&sim, "us-east-1"));
    let id = sim.evacuation().record_checks[0].1.clone();
    assert_eq!(sim.topology().records[0].health_check.as_ref(), Some(&id));
    let check =
        client.get_health_check().health_check_id(id.as_str()).send().await.unwrap().health_check.unwrap();
    let settings = check.health_check_config().unwrap();
    assert_eq!(settings.r#type().as_str(), "CALCULATED");
    assert_eq!((settings.health_threshold(), settings.child_health_checks().len()), (Some(4), 4));
    let kinds: Vec<String> = client
        .list_health_checks()
        .send()
        .await
        .unwrap()
        .health_checks()
        .iter()
        .filter(|check| settings.child_health_checks().contains(&check.id().to_owned()))
        .map(|check| {
            let settings = check.health_check_config().unwrap();
            format!(
                "{}{}",
                settings.r#type().as_str(),
                if settings.inverted() == Some(true) { "!" } else { "" }
            )
        })
        .collect();
    for kind in ["HTTPS", "HTTPS!", "CLOUDWATCH_METRIC", "RECOVERY_CONTROL"] {
        assert!(kinds.iter().any(|one| one == kind), "{kinds:?}");
    }
    assert_eq!(
        code(client.get_health_check_status().health_check_id(id.as_str()).send().await),
        "InvalidInput"
    );
    // A calculated check can be pinned as any other.
    pass(&sim, 1).await;
    client
        .update_health_check()
        .health_check_id(id.as_str())
        .disabled(true)
        .inverted(true)
        .send()
        .await
        .unwrap();
    pass(&sim, 30).await;
    assert_eq!(in_dns(&sim), [false, true]);
}

#[tokio::test(start_paused = true)]
async fn a_metric_takes_a_region_out_and_can_be_read() {
    let sim = wired(Wiring { switch_metric: true, ..Wiring::default() });
    let switch = sim.evacuation().switch_metric.unwrap();
    let client = aws_sdk_cloudwatch::Client::new(&config(&sim, switch.region.as_str()));
    let dimension = Dimension::builder().name("Region").value("us-east-1").build();
    let put = |value: f64| {
        let datum = MetricDatum::builder()
            .metric_name(&switch.name)
            .dimensions(dimension.clone())
            .value(value)
            .build();
        client.put_metric_data().namespace(&switch.namespace).metric_data(datum).send()
    };
    put(1.0).await.unwrap();
    pass(&sim, 40).await;
    assert_eq!(in_dns(&sim), [false, true]);
    // Missing data keeps the last known status.
    pass(&sim, 1_800).await;
    assert_eq!(in_dns(&sim), [false, true]);
    let listed = client.list_metrics().namespace(&switch.namespace).send().await.unwrap();
    assert_eq!(listed.metrics().len(), 1);
    let now = sim.clock().now();
    let time = |at: jiff::Timestamp| aws_smithy_types::DateTime::from_secs(at.as_second());
    let metric = Metric::builder()
        .namespace(&switch.namespace)
        .metric_name(&switch.name)
        .dimensions(dimension.clone())
        .build();
    let stat = MetricStat::builder().metric(metric).period(60).stat("Maximum").build();
    let read = client
        .get_metric_data()
        .start_time(time(now - SignedDuration::from_hours(1)))
        .end_time(time(now))
        .metric_data_queries(MetricDataQuery::builder().id("m").metric_stat(stat).build())
        .send()
        .await
        .unwrap();
    assert_eq!(read.metric_data_results()[0].values(), [1.0]);
    put(0.0).await.unwrap();
    pass(&sim, 40).await;
    assert_eq!(in_dns(&sim), [true, true]);
    let reserved = client
        .put_metric_data()
        .namespace("AWS/ECS")
        .metric_data(MetricDatum::builder().metric_name("x").value(1.0).build())
        .send()
        .await;
    assert_eq!(code(reserved), "InvalidParameterValue");
}

#[tokio::test(start_paused = true)]
async fn many_metrics_arrive_compressed() {
    let sim = world("calm");
    let client = aws_sdk_cloudwatch::Client::new(&config(&sim, "eu-west-1"));
    let datum = |index: usize| {
        let words = "a name that is long enough to fill ten thousand bytes soon";
        MetricDatum::builder().metric_name(format!("{words} {index}")).value(index as f64).build()
    };
    let data: Vec<_> = (0..400).map(datum).collect();
    client.put_metric_data().namespace("own").set_metric_data(Some(data)).send().await.unwrap();
    let listed = client.list_metrics().namespace("own").send().await.unwrap();
    assert_eq!(listed.metrics().len(), 400);
}

#[tokio::test(start_paused = true)]
async fn messages_reach_the_topic_that_is_named() {
    let sim = world("calm");
    let client = aws_sdk_sns::Client::new(&config(&sim, "eu-west-1"));
    let topic = sim.topology().regions[1].topics[0].clone();
    client.publish().topic_arn(topic.as_str()).subject("drain").message("it begins").send().await.unwrap();
    let messages = sim.messages();
    assert_eq!((messages.len(), messages[0].text.as_str()), (1, "it begins"));
    assert_eq!(messages[0].subject.as_deref(), Some("drain"));
    assert_eq!(messages[0].topic, topic.as_str());
    let other = topic.as_str().replace("ops-alert", "nobody");
    assert_eq!(code(client.publish().topic_arn(other).message("x").send().await), "NotFound");
}
