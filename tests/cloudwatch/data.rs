//! GetMetricData: dimensions, periods, statistics, order, pages and refusals.

use aws_sdk_cloudwatch::types::{
    Dimension, MetricDataQuery, MetricDataResult, ScanBy, StandardUnit, StatusCode,
};

use super::lab::{Lab, ago, asks, asks_every, code, computes, message, metric};

async fn results(lab: Lab, queries: Vec<MetricDataQuery>, minutes: i64) -> Vec<MetricDataResult> {
    let output = lab
        .client()
        .get_metric_data()
        .set_metric_data_queries(Some(queries))
        .start_time(ago(minutes))
        .end_time(ago(0))
        .send()
        .await
        .unwrap();
    output.metric_data_results().to_vec()
}

fn points(result: &MetricDataResult) -> Vec<(i64, f64)> {
    let minutes = result.timestamps().iter().map(|at| (ago(0).secs() - at.secs()) / 60);
    minutes.zip(result.values().iter().copied()).collect()
}

#[tokio::test]
async fn newest_comes_first_and_the_end_is_exclusive() {
    let requests = metric("Requests", &[("Lb", "a")]);
    let lab = Lab::default().series(&requests, &[Some(1.0), Some(2.0), None, Some(4.0)]).minute(
        &requests,
        0,
        &[(9.0, 1.0)],
    );
    let results = results(lab, vec![asks("m1", &requests, "Sum")], 3).await;
    assert_eq!(points(&results[0]), [(1, 4.0), (3, 2.0)]);
    assert_eq!(results[0].status_code(), Some(&StatusCode::Complete));
    assert_eq!((results[0].id(), results[0].label()), (Some("m1"), Some("Requests")));
}

#[tokio::test]
async fn dimensions_match_as_an_exact_set() {
    let both = metric("Hosts", &[("Lb", "a"), ("Tg", "t")]);
    let lab = || Lab::default().series(&both, &[Some(3.0)]);
    let turned = metric("Hosts", &[("Tg", "t"), ("Lb", "a")]);
    assert_eq!(points(&results(lab(), vec![asks("m1", &turned, "Sum")], 1).await[0]), [(1, 3.0)]);
    for other in
        [&[("Lb", "a")][..], &[("Lb", "a"), ("Tg", "u")], &[], &[("Lb", "a"), ("Tg", "t"), ("Az", "x")]]
    {
        let found = results(lab(), vec![asks("m1", &metric("Hosts", other), "Sum")], 1).await;
        assert_eq!(points(&found[0]), [], "{other:?}");
        assert_eq!(found[0].status_code(), Some(&StatusCode::Complete));
    }
    let elsewhere =
        switchtower::sim::cloudwatch::source::MetricId { namespace: "Other".to_owned(), ..both.clone() };
    assert_eq!(points(&results(lab(), vec![asks("m1", &elsewhere, "Sum")], 1).await[0]), []);
}

#[tokio::test]
async fn periods_are_whole_and_gather_their_minutes() {
    let requests = metric("Requests", &[]);
    let lab = Lab::default().series(&requests, &(1..=12).map(|n| Some(f64::from(n))).collect::<Vec<_>>());
    // Now is on the hour: twelve minutes back is 02:48, in the bucket that starts at 02:45.
    let results = results(lab, vec![asks_every("m1", &requests, "Sum", 300)], 12).await;
    assert_eq!(points(&results[0]), [(5, 50.0), (10, 25.0), (15, 3.0)]);
}

#[tokio::test]
async fn statistics_are_computed_over_all_samples() {
    let latency = metric("Latency", &[]);
    let values: Vec<(f64, f64)> = (1..=100).map(|n| (f64::from(n), 1.0)).collect();
    let cases = [
        ("SampleCount", 100.0),
        ("Sum", 5050.0),
        ("Average", 50.5),
        ("Minimum", 1.0),
        ("Maximum", 100.0),
        ("p0", 1.0),
        ("p50", 50.0),
        ("p99", 99.0),
        ("p99.9", 100.0),
        ("p100", 100.0),
        ("tm90", 45.5),
        ("TM(10%:90%)", 50.5),
        ("IQM", 50.5),
        ("tc90", 90.0),
        ("TS(:10)", 55.0),
        ("TC(90:100)", 10.0),
        ("PR(:25)", 25.0),
        ("PR(25:75)", 50.0),
        ("wm90", 49.95),
    ];
    for (stat, expected) in cases {
        let lab = Lab::default().minute(&latency, 1, &values);
        let found = results(lab, vec![asks("m1", &latency, stat)], 1).await;
        let value = found[0].values()[0];
        assert!((value - expected).abs() < 1e-9, "{stat}: {value}, expected {expected}");
    }
    // Samples with weights: 99 fast ones and one slow one.
    let weighted = || Lab::default().minute(&latency, 1, &[(9.0, 1.0), (0.1, 99.0)]);
    for (stat, expected) in [("p99", 0.1), ("p99.1", 9.0), ("SampleCount", 100.0)] {
        let found = results(weighted(), vec![asks("m1", &latency, stat)], 1).await;
        assert!((found[0].values()[0] - expected).abs() < 1e-9, "{stat}");
    }
}

#[tokio::test]
async fn labels_tell_series_apart() {
    let (a, b) = (metric("Requests", &[("Lb", "a")]), metric("Requests", &[("Lb", "b")]));
    let lab = || Lab::default().series(&a, &[Some(1.0)]).series(&b, &[Some(2.0)]);
    let of = |results: Vec<MetricDataResult>| -> Vec<String> {
        results.iter().map(|result| result.label().unwrap_or_default().to_owned()).collect()
    };
    let pair = vec![asks("m1", &a, "Sum"), asks("m2", &b, "Sum"), computes("e1", "m1+m2")];
    assert_eq!(of(results(lab(), pair, 1).await), ["a", "b", "e1"]);
    let stats = vec![asks("m1", &a, "Sum"), asks("m2", &a, "p99")];
    assert_eq!(of(results(lab(), stats, 1).await), ["Requests Sum", "Requests p99"]);
    let mut named = asks("m1", &a, "Sum");
    named.label = Some("now ${LAST}, ${PROP('Dim.Lb')}".to_owned());
    let mut scaled = computes("e1", "METRICS() * 2");
    scaled.label = Some("twice".to_owned());
    let labels = of(results(lab(), vec![named, asks("m2", &b, "Sum"), scaled], 1).await);
    assert_eq!(labels, ["now 1, a", "b", "twice now 2, a", "twice b"]);
}

#[tokio::test]
async fn what_is_not_returned_is_still_computed_with() {
    let requests = metric("Requests", &[]);
    let lab = Lab::default().series(&requests, &[Some(4.0)]);
    let mut hidden = asks("m1", &requests, "Sum");
    hidden.return_data = Some(false);
    let results = results(lab, vec![hidden, computes("e1", "m1 / 2")], 1).await;
    assert_eq!(results.len(), 1);
    assert_eq!(points(&results[0]), [(1, 2.0)]);
}

#[tokio::test]
async fn a_unit_that_was_not_measured_finds_nothing() {
    let requests = metric("Requests", &[]);
    for (unit, found) in [(StandardUnit::Count, 1), (StandardUnit::Bytes, 0)] {
        let lab = Lab::default().series(&requests, &[Some(4.0)]);
        let mut query = asks("m1", &requests, "Sum");
        query.metric_stat.as_mut().unwrap().unit = Some(unit.clone());
        assert_eq!(results(lab, vec![query], 1).await[0].values().len(), found, "{unit:?}");
    }
}

#[tokio::test]
async fn pages_joined_are_the_whole() {
    let series: Vec<_> = (0..4).map(|n| metric("Requests", &[("Lb", &format!("lb-{n}"))])).collect();
    let lab = || {
        series.iter().enumerate().fold(Lab::default(), |lab, (n, metric)| {
            // The third has no point at all.
            let values: Vec<_> = (0..7).map(|m| (n != 2).then(|| f64::from(m) + 100.0 * n as f64)).collect();
            lab.series(metric, &values)
        })
    };
    let queries: Vec<_> = series.iter().enumerate().map(|(n, m)| asks(&format!("m{n}"), m, "Sum")).collect();
    for order in [ScanBy::TimestampAscending, ScanBy::TimestampDescending] {
        let client = lab().client();
        let ask = || {
            client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(ago(7))
                .end_time(ago(0))
                .scan_by(order.clone())
        };
        let whole = ask().send().await.unwrap();
        assert_eq!((whole.metric_data_results().len(), whole.next_token()), (4, None));
        for most in [1, 2, 5, 7, 8, 22, 23] {
            let mut joined: Vec<(String, Vec<(i64, f64)>)> = Vec::new();
            let mut unfinished = 0;
            let mut pages = ask().max_datapoints(most).into_paginator().send();
            while let Some(page) = pages.next().await {
                let page = page.unwrap();
                let held: usize = page.metric_data_results().iter().map(|result| result.values().len()).sum();
                assert!(held <= most as usize);
                for result in page.metric_data_results() {
                    unfinished += usize::from(result.status_code() == Some(&StatusCode::PartialData));
                    let id = result.id().unwrap();
                    match joined.last_mut().filter(|(last, _)| last == id) {
                        Some((_, all)) => all.extend(points(result)),
                        None => joined.push((id.to_owned(), points(result))),
                    }
                }
            }
            let expected: Vec<_> = whole
                .metric_data_results()
                .iter()
                .map(|result| (result.id().unwrap().to_owned(), points(result)))
                .collect();
            assert_eq!(joined, expected, "{most} a page");
            assert_eq!(unfinished == 0, most == 7 || most >= 21, "{most} a page: {unfinished}");
        }
    }
}

#[tokio::test]
async fn tokens_fit_their_request_only() {
    let requests = metric("Requests", &[]);
    let lab = Lab::default().series(&requests, &[Some(1.0), Some(2.0), Some(3.0)]);
    let client = lab.client();
    let ask = |minutes| {
        client
            .get_metric_data()
            .metric_data_queries(asks("m1", &requests, "Sum"))
            .start_time(ago(minutes))
            .end_time(ago(0))
            .max_datapoints(1)
    };
    let token = ask(3).send().await.unwrap().next_token().unwrap().to_owned();
    assert_eq!(ask(3).next_token(&token).send().await.unwrap().metric_data_results()[0].values(), [2.0]);
    for (minutes, token) in [(2, token.as_str()), (3, "nonsense"), (3, "a.b.c"), (3, "")] {
        assert_eq!(code(ask(minutes).next_token(token).send().await), "InvalidNextToken", "{token}");
    }
    let refused = ask(2).next_token(&token).send().await.unwrap_err();
    assert!(refused.into_service_error().is_invalid_next_token());
}

#[tokio::test]
async fn old_data_is_kept_as_long_as_aws_keeps_it() {
    let requests = metric("Requests", &[]);
    let day = 24 * 60;
    for (age, period, kept) in [
        (14 * day, 60, true),
        (16 * day, 60, false),
        (16 * day, 300, true),
        (64 * day, 300, false),
        (64 * day, 3600, true),
        (456 * day, 3600, false),
    ] {
        let lab = Lab::default().minute(&requests, age, &[(1.0, 1.0)]);
        let output = lab
            .client()
            .get_metric_data()
            .metric_data_queries(asks_every("m1", &requests, "Sum", period))
            .start_time(ago(age))
            .end_time(ago(age - 60))
            .send()
            .await
            .unwrap();
        assert_eq!(output.metric_data_results()[0].values().len() == 1, kept, "{age} minutes by {period} s");
    }
}

#[tokio::test]
async fn wrong_requests_are_refused() {
    let requests = metric("Requests", &[]);
    let fine = || asks("m1", &requests, "Sum");
    let with = |change: fn(&mut MetricDataQuery)| {
        let mut query = fine();
        change(&mut query);
        vec![query]
    };
    let cases: Vec<(Vec<MetricDataQuery>, &str)> = vec![
        (vec![], "The parameter MetricDataQueries is required."),
        (vec![fine(); 501], "The collection MetricDataQueries must not have a size greater than 500."),
        (vec![fine(), fine()], "The values for parameter id in MetricDataQueries are not unique."),
        (
            with(|query| query.id = Some("5xx".to_owned())),
            "The value 5xx for parameter MetricDataQueries.member.1.Id is not matching the expected pattern \
             ^[a-z][a-zA-Z0-9_]*$.",
        ),
        (
            vec![asks("m1", &requests, "Min"), asks("m2", &requests, "p101")],
            "The value Min for parameter MetricDataQueries.member.1.MetricStat.Stat is not a valid statistic.\n\
             The value p101 for parameter MetricDataQueries.member.2.MetricStat.Stat is not a valid statistic.",
        ),
        (
            vec![asks_every("m1", &requests, "Sum", 90)],
            "The value 90 for parameter MetricDataQueries.member.1.MetricStat.Period must be 1, 5, 10, 20, 30 or \
             a multiple of 60.",
        ),
        (
            with(|query| query.expression = Some("m1".to_owned())),
            "The parameters MetricDataQueries.member.1.MetricStat and MetricDataQueries.member.1.Expression are \
             mutually exclusive and you have specified both.",
        ),
        (
            vec![MetricDataQuery::builder().id("m1").build()],
            "Exactly one of MetricDataQueries.member.1.MetricStat and MetricDataQueries.member.1.Expression must \
             be specified.",
        ),
        (
            with(|query| {
                let nameless = Dimension::builder().name("Lb").value("").build();
                let stat = query.metric_stat.as_mut().unwrap();
                stat.metric.as_mut().unwrap().dimensions = Some(vec![nameless]);
            }),
            "1 validation error detected: Value '' at 'value' failed to satisfy constraint: Member must have \
             length greater than or equal to 1",
        ),
    ];
    for (queries, expected) in cases {
        let client = Lab::default().client();
        let ask = || {
            client
                .get_metric_data()
                .set_metric_data_queries(Some(queries.clone()))
                .start_time(ago(3))
                .end_time(ago(0))
                .send()
        };
        assert_eq!(code(ask().await), "ValidationError", "{expected}");
        assert_eq!(message(ask().await), expected);
    }
    let client = Lab::default().client();
    let ask = |start, end, most| {
        client
            .get_metric_data()
            .metric_data_queries(asks("m1", &requests, "Sum"))
            .start_time(ago(start))
            .end_time(ago(end))
            .set_max_datapoints(most)
            .send()
    };
    let backwards = "The parameter StartTime must be less than the parameter EndTime.";
    assert_eq!(message(ask(0, 0, None).await), backwards);
    assert_eq!(message(ask(0, 3, None).await), backwards);
    assert_eq!(code(ask(3, 0, Some(0)).await), "ValidationError");
    assert_eq!(code(ask(3, 0, Some(100_801)).await), "ValidationError");
}
