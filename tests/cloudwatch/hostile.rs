//! Whatever is sent, an answer comes back.

use proptest::prelude::*;
use serde_json::json;

use super::lab::{Lab, NOW, alarm, metric};

fn lab() -> Lab {
    Lab::default().series(&metric("Requests", &[]), &[Some(1.0), None, Some(2.5)]).alarm(alarm("api"))
}

const OPERATIONS: [&str; 8] = [
    "GetMetricData",
    "GetMetricStatistics",
    "ListMetrics",
    "DescribeAlarms",
    "DescribeAlarmsForMetric",
    "DescribeAlarmHistory",
    "ListTagsForResource",
    "Other",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes(operation in 0..OPERATIONS.len(), body in prop::collection::vec(any::<u8>(), 0..200)) {
        let name = OPERATIONS[operation];
        let path = format!("/service/GraniteServiceVersion20100801/operation/{name}");
        let lab = lab();
        let replies = [
            lab.by_hand("POST", &path, &[("smithy-protocol", "rpc-v2-cbor")], &body),
            lab.by_hand("POST", "/", &[("x-amz-target", name)], &body),
            lab.by_hand("POST", "/", &[], &[format!("Action={name}&").as_bytes(), &body].concat()),
        ];
        for reply in replies {
            prop_assert!(reply.status == 200 || reply.error.is_some());
            prop_assert!(!reply.body.is_empty());
        }
    }

    #[test]
    fn any_expression(text in "(m1|e1|[A-Z_]{1,6}|FILL|IF|METRICS|SORT|SLICE|RATE|[-+*/^()<>=,\\[\\] ]|[0-9.e]{1,4}|\"x\"|REPEAT|é){1,14}") {
        let (reply, _) = lab().json("GetMetricData", &json!({
            "StartTime": NOW - 180, "EndTime": NOW,
            "MetricDataQueries": [
                {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "Lab", "MetricName": "Requests"}, "Period": 60, "Stat": "Sum"}},
                {"Id": "e9", "Expression": text},
            ],
        }));
        prop_assert!(reply.status == 200 || reply.error.as_deref() == Some("ValidationError"));
    }

    #[test]
    fn any_times(start in any::<i64>(), length in any::<i64>(), period in prop::sample::select(vec![1, 60, 300, 3600, i64::MAX - 7, 60 * 1_000_000_000_000])) {
        let (reply, _) = lab().json("GetMetricData", &json!({
            "StartTime": start, "EndTime": start.saturating_add(length),
            "MetricDataQueries": [
                {"Id": "m1", "MetricStat": {"Metric": {"Namespace": "Lab", "MetricName": "Requests"}, "Period": period, "Stat": "Sum"}},
                {"Id": "e9", "Expression": "FILL(m1, 0)"},
            ],
        }));
        prop_assert!(reply.status == 200 || reply.error.is_some());
    }
}
