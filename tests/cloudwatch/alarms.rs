//! Alarms.

use aws_sdk_cloudwatch::types::{AlarmType, Dimension, HistoryItemType, StateValue};

use super::lab::{Lab, REGION, ago, alarm, code};
use switchtower::sim::cloudwatch::source::Alarm;

fn lab() -> Lab {
    Lab::default()
        .alarm(Alarm { state: "ALARM".to_owned(), ..alarm("api-5xx") })
        .alarm(Alarm { statistic: "p99".to_owned(), ..alarm("api-latency") })
        .alarm(alarm("db-lag"))
        .alarm(Alarm {
            metric: None,
            rule: Some("ALARM(\"api-5xx\") AND NOT OK(db-lag)".to_owned()),
            ..alarm("region-bad")
        })
}

#[tokio::test]
async fn alarms_are_described_by_filter() {
    let client = lab().client();
    let ask = || client.describe_alarms();
    let cases = [
        (ask(), &["api-5xx", "api-latency", "db-lag"][..]),
        (ask().alarm_names("db-lag").alarm_names("gone"), &["db-lag"]),
        (ask().alarm_names("region-bad"), &[]),
        (ask().alarm_name_prefix("api-"), &["api-5xx", "api-latency"]),
        (ask().state_value(StateValue::Alarm), &["api-5xx"]),
        (ask().alarm_names("db-lag").state_value(StateValue::Alarm), &[]),
        (ask().action_prefix("arn:aws:sns:"), &["api-5xx", "api-latency", "db-lag"]),
        (ask().action_prefix("arn:aws:lambda:"), &[]),
        (ask().alarm_types(AlarmType::CompositeAlarm), &["region-bad"]),
        (
            ask().alarm_types(AlarmType::MetricAlarm).alarm_types(AlarmType::CompositeAlarm),
            &["region-bad", "api-5xx", "api-latency", "db-lag"],
        ),
        (ask().children_of_alarm_name("region-bad"), &["api-5xx", "db-lag"]),
        (ask().parents_of_alarm_name("db-lag"), &["region-bad"]),
        (ask().parents_of_alarm_name("api-latency"), &[]),
    ];
    for (request, expected) in cases {
        let output = request.clone().send().await.unwrap();
        let composite = output.composite_alarms().iter().filter_map(|alarm| alarm.alarm_name());
        let names: Vec<_> =
            composite.chain(output.metric_alarms().iter().filter_map(|alarm| alarm.alarm_name())).collect();
        assert_eq!(names, expected, "{request:?}");
    }
}

#[tokio::test]
async fn an_alarm_shows_what_was_put_and_its_state() {
    let output = lab().client().describe_alarms().send().await.unwrap();
    let first = &output.metric_alarms()[0];
    assert_eq!(first.state_value(), Some(&StateValue::Alarm));
    assert_eq!(first.state_transitioned_timestamp(), Some(&ago(10)));
    assert_eq!(first.actions_enabled(), Some(true));
    assert_eq!(first.alarm_actions(), [format!("arn:aws:sns:{REGION}:123456789012:oncall")]);
    assert_eq!(
        (first.threshold(), first.period(), first.evaluation_periods()),
        (Some(5.0), Some(60), Some(3))
    );
    assert_eq!(first.statistic().map(aws_sdk_cloudwatch::types::Statistic::as_str), Some("Sum"));
    let second = &output.metric_alarms()[1];
    assert_eq!((second.statistic(), second.extended_statistic()), (None, Some("p99")));
    assert_eq!(second.alarm_description(), None);
}

#[tokio::test]
async fn alarms_come_in_pages() {
    let lab = (0..120).fold(lab(), |lab, n| lab.alarm(alarm(&format!("x{n:03}"))));
    let client = lab.client();
    for (most, expected) in
        [(None, vec![50, 50, 24]), (Some(100), vec![100, 24]), (Some(31), vec![31, 31, 31, 31])]
    {
        let ask = client
            .describe_alarms()
            .alarm_types(AlarmType::MetricAlarm)
            .alarm_types(AlarmType::CompositeAlarm)
            .set_max_records(most);
        let mut pages = ask.into_paginator().send();
        let mut sizes = Vec::new();
        while let Some(page) = pages.next().await {
            let page = page.unwrap();
            sizes.push(page.metric_alarms().len() + page.composite_alarms().len());
        }
        assert_eq!(sizes, expected);
    }
}

#[tokio::test]
async fn wrong_alarm_requests_are_refused() {
    let client = lab().client();
    let ask = || client.describe_alarms();
    let cases = [
        (ask().max_records(101), "ValidationError"),
        (ask().max_records(0), "ValidationError"),
        (ask().set_alarm_names(Some(vec!["a".to_owned(); 101])), "ValidationError"),
        (ask().alarm_names("a").alarm_name_prefix("b"), "ValidationError"),
        (ask().state_value("BAD".into()), "ValidationError"),
        (ask().alarm_types("Bell".into()), "ValidationError"),
        (ask().children_of_alarm_name("region-bad").alarm_name_prefix("a"), "ValidationError"),
        (ask().next_token("x"), "InvalidNextToken"),
    ];
    for (request, expected) in cases {
        assert_eq!(code(request.clone().send().await), expected, "{request:?}");
    }
}

#[tokio::test]
async fn alarms_of_a_metric() {
    let client = lab().client();
    let ask = |service: &str| {
        client
            .describe_alarms_for_metric()
            .namespace("Lab")
            .metric_name("Errors")
            .dimensions(Dimension::builder().name("Service").value(service).build())
    };
    assert_eq!(ask("api").send().await.unwrap().metric_alarms().len(), 3);
    assert_eq!(ask("api").extended_statistic("p99").send().await.unwrap().metric_alarms().len(), 1);
    assert_eq!(ask("api").period(300).send().await.unwrap().metric_alarms().len(), 0);
    assert_eq!(ask("web").send().await.unwrap().metric_alarms().len(), 0);
    assert_eq!(code(ask("api").set_namespace(None).send().await), "ValidationError");
}

#[tokio::test]
async fn history_tells_what_is_known() {
    let client = lab().client();
    let ask = || client.describe_alarm_history().alarm_name("api-5xx");
    let items = ask().send().await.unwrap();
    let items = items.alarm_history_items();
    assert_eq!(items.len(), 2);
    assert_eq!(items[0].history_item_type(), Some(&HistoryItemType::StateUpdate));
    assert_eq!(
        (items[0].timestamp(), items[0].history_summary()),
        (Some(&ago(10)), Some("Alarm updated to ALARM"))
    );
    assert_eq!(items[1].timestamp(), Some(&ago(24 * 60)));
    let updates = ask().history_item_type(HistoryItemType::StateUpdate).send().await.unwrap();
    assert_eq!(updates.alarm_history_items().len(), 1);
    let late = ask().start_date(ago(5)).send().await.unwrap();
    assert_eq!(late.alarm_history_items(), []);
    let mut pages = client.describe_alarm_history().max_records(1).into_paginator().items().send();
    let mut count = 0;
    while let Some(item) = pages.next().await {
        item.unwrap();
        count += 1;
    }
    assert_eq!(count, 6);
    assert_eq!(code(ask().start_date(ago(1)).end_date(ago(2)).send().await), "ValidationError");
}

#[tokio::test]
async fn tags_of_an_alarm() {
    let client = lab().client();
    let ask = |arn: String| client.list_tags_for_resource().resource_arn(arn).send();
    let of = |name: &str| format!("arn:aws:cloudwatch:{REGION}:123456789012:alarm:{name}");
    assert_eq!(ask(of("db-lag")).await.unwrap().tags(), []);
    let gone = ask(of("gone")).await.unwrap_err().into_service_error();
    assert!(gone.is_resource_not_found_exception(), "{gone:?}");
    let aws_sdk_cloudwatch::operation::list_tags_for_resource::ListTagsForResourceError::ResourceNotFoundException(
        gone,
    ) = gone
    else {
        panic!("{gone:?}")
    };
    assert_eq!((gone.resource_type(), gone.resource_id()), (Some("Alarm"), Some("gone")));
    assert_eq!(code(ask("not-an-arn".to_owned()).await), "InvalidParameterValue");
}
