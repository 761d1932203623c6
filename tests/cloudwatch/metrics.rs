//! ListMetrics and GetMetricStatistics.

use aws_sdk_cloudwatch::types::{DimensionFilter, Statistic};

use super::lab::{Lab, ago, code, message, metric};

#[tokio::test]
async fn metrics_are_listed_by_filter() {
    let lab = Lab::default()
        .exists(metric("Requests", &[("Lb", "a")]))
        .exists(metric("Requests", &[("Lb", "a"), ("Tg", "t")]))
        .exists(metric("Hosts", &[("Lb", "b"), ("Tg", "t")]));
    let client = lab.client();
    let filter = |name: &str, value: Option<&str>| {
        DimensionFilter::builder().name(name).set_value(value.map(str::to_owned)).build()
    };
    let all = client.list_metrics().send().await.unwrap();
    assert_eq!(all.metrics().len(), 3);
    assert_eq!(all.metrics()[1].dimensions()[1].value(), Some("t"));
    let cases = [
        (client.list_metrics().namespace("Lab"), 3),
        (client.list_metrics().namespace("Other"), 0),
        (client.list_metrics().metric_name("Requests"), 2),
        (client.list_metrics().dimensions(filter("Lb", Some("a"))), 2),
        (client.list_metrics().dimensions(filter("Tg", None)), 2),
        (client.list_metrics().dimensions(filter("Tg", None)).dimensions(filter("Lb", Some("b"))), 1),
        (client.list_metrics().recently_active(aws_sdk_cloudwatch::types::RecentlyActive::Pt3H), 3),
    ];
    for (request, expected) in cases {
        assert_eq!(request.clone().send().await.unwrap().metrics().len(), expected, "{request:?}");
    }
    let refused = client.list_metrics().namespace(":Lab").send().await;
    assert_eq!(code(refused), "InvalidParameterValue");
    let refused = client.list_metrics().next_token("x").send().await;
    assert_eq!(code(refused), "InvalidNextToken");
    let many = vec![filter("Lb", None); 11];
    assert_eq!(code(client.list_metrics().set_dimensions(Some(many)).send().await), "InvalidParameterValue");
}

#[tokio::test]
async fn metrics_come_in_pages_of_five_hundred() {
    let lab = (0..1201).fold(Lab::default(), |lab, n| lab.exists(metric(&format!("M{n:04}"), &[])));
    let client = lab.client();
    let mut pages = client.list_metrics().into_paginator().send();
    let mut sizes = Vec::new();
    let mut names = Vec::new();
    while let Some(page) = pages.next().await {
        let page = page.unwrap();
        sizes.push(page.metrics().len());
        names.extend(page.metrics().iter().map(|metric| metric.metric_name().unwrap().to_owned()));
    }
    assert_eq!(sizes, [500, 500, 201]);
    assert_eq!(names, (0..1201).map(|n| format!("M{n:04}")).collect::<Vec<_>>());
}

#[tokio::test]
async fn statistics_of_one_metric() {
    let latency = metric("Latency", &[]);
    let lab = Lab::default()
        .minute(&latency, 3, &[(1.0, 2.0), (4.0, 1.0)])
        .minute(&latency, 2, &[(10.0, 1.0)])
        .minute(&latency, 1, &[(7.0, 1.0)]);
    let client = lab.client();
    let output = client
        .get_metric_statistics()
        .namespace("Lab")
        .metric_name("Latency")
        .start_time(ago(3))
        .end_time(ago(0))
        .period(120)
        .statistics(Statistic::Sum)
        .statistics(Statistic::SampleCount)
        .extended_statistics("p50")
        .send()
        .await
        .unwrap();
    assert_eq!(output.label(), Some("Latency"));
    // Buckets begin at StartTime, not on a multiple of the period.
    let first = &output.datapoints()[0];
    assert_eq!(first.timestamp(), Some(&ago(3)));
    assert_eq!((first.sum(), first.sample_count(), first.average()), (Some(16.0), Some(4.0), None));
    assert_eq!(first.extended_statistics().unwrap().get("p50"), Some(&1.0));
    assert_eq!(first.unit().unwrap().as_str(), "Count");
    assert_eq!(output.datapoints()[1].sum(), Some(7.0));
    assert_eq!(output.datapoints().len(), 2);
}

#[tokio::test]
async fn wrong_statistics_requests_are_refused() {
    let client = Lab::default().client();
    let ask = || {
        client
            .get_metric_statistics()
            .namespace("Lab")
            .metric_name("Latency")
            .start_time(ago(3))
            .end_time(ago(0))
            .period(60)
            .statistics(Statistic::Sum)
    };
    assert_eq!(ask().send().await.unwrap().datapoints(), []);
    let cases = [
        (ask().set_statistics(None), "MissingParameter"),
        (ask().set_namespace(None), "MissingParameter"),
        (ask().set_period(None), "MissingParameter"),
        (ask().period(61), "InvalidParameterValue"),
        (ask().period(0), "InvalidParameterValue"),
        (ask().end_time(ago(3)), "InvalidParameterValue"),
        (ask().extended_statistics("p200"), "InvalidParameterValue"),
        (ask().statistics("Median".into()), "InvalidParameterValue"),
        (ask().start_time(ago(1441)), "InvalidParameterCombination"),
    ];
    for (request, expected) in cases {
        assert_eq!(code(request.clone().send().await), expected, "{request:?}");
    }
    assert!(ask().start_time(ago(1440)).send().await.is_ok());
    let error = ask().start_time(ago(86_400)).send().await;
    assert!(
        message(error)
            .starts_with("You have requested up to 86400 datapoints, which exceeds the limit of 1440.")
    );
    let error = ask().start_time(ago(1441)).send().await.unwrap_err().into_service_error();
    assert!(error.is_invalid_parameter_combination_exception());
    let error = ask().set_namespace(None).send().await.unwrap_err().into_service_error();
    assert!(error.is_missing_required_parameter_exception());
}
