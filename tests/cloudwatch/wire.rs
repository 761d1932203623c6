//! The protocols of older clients, and what all of them share.

use serde_json::json;

use super::lab::{Lab, NOW, alarm, code, metric};

fn header<'a>(reply: &'a switchtower::sim::call::Reply, name: &str) -> Option<&'a str> {
    reply.headers.iter().find(|(key, _)| *key == name).map(|(_, value)| value.as_str())
}

fn lab() -> Lab {
    Lab::default().series(&metric("Requests", &[("Lb", "a&b")]), &[Some(1.0), Some(2.5)]).alarm(alarm("api"))
}

#[test]
fn json_answers_with_epoch_seconds() {
    let (reply, output) = lab().json(
        "GetMetricData",
        &json!({
            "StartTime": NOW - 120, "EndTime": f64::from(0) + NOW as f64, "ScanBy": "TimestampAscending",
            "MetricDataQueries": [{"Id": "m1", "Label": null, "MetricStat": {
                "Metric": {"Namespace": "Lab", "MetricName": "Requests",
                           "Dimensions": [{"Name": "Lb", "Value": "a&b"}]},
                "Period": 60, "Stat": "Sum"}}],
        }),
    );
    assert_eq!(reply.status, 200);
    assert_eq!(header(&reply, "content-type"), Some("application/x-amz-json-1.0"));
    let expected = json!({
        "MetricDataResults": [{
            "Id": "m1", "Label": "Requests", "StatusCode": "Complete",
            "Timestamps": [(NOW - 120) as f64, (NOW - 60) as f64], "Values": [1.0, 2.5],
        }],
        "Messages": [],
    });
    assert_eq!(output, expected);
}

#[test]
fn json_errors_name_their_shape_and_the_query_code() {
    let (reply, output) = lab().json("GetMetricStatistics", &json!({"Namespace": "Lab"}));
    assert_eq!((reply.status, reply.error.as_deref()), (400, Some("MissingParameter")));
    assert_eq!(header(&reply, "x-amzn-query-error"), Some("MissingParameter;Sender"));
    assert_eq!(output["__type"], "com.amazonaws.cloudwatch#MissingRequiredParameterException");
    assert_eq!(output["message"], "The parameter MetricName is required.");
    let (reply, output) = lab().json("PutMetricAlarm", &json!({}));
    assert_eq!((reply.status, reply.operation.as_str()), (400, "PutMetricAlarm"));
    assert_eq!(output["__type"], "com.amazonaws.cloudwatch#UnknownOperationException");
}

#[test]
fn query_answers_in_xml() {
    let (reply, xml) = lab().query(&[
        ("Action", "GetMetricStatistics"),
        ("Version", "2010-08-01"),
        ("Namespace", "Lab"),
        ("MetricName", "Requests"),
        ("Dimensions.member.1.Name", "Lb"),
        ("Dimensions.member.1.Value", "a&b"),
        ("StartTime", "2026-11-21T02:58:00"),
        ("EndTime", "2026-11-21T03:00:00Z"),
        ("Period", "60"),
        ("Statistics.member.1", "Sum"),
        ("ExtendedStatistics.member.1", "p99"),
    ]);
    assert_eq!((reply.status, header(&reply, "content-type")), (200, Some("text/xml")));
    assert_eq!(
        xml,
        "<GetMetricStatisticsResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\">\
         <GetMetricStatisticsResult><Label>Requests</Label><Datapoints>\
         <member><Timestamp>2026-11-21T02:58:00Z</Timestamp><Sum>1</Sum><Unit>Count</Unit>\
         <ExtendedStatistics><entry><key>p99</key><value>1</value></entry></ExtendedStatistics></member>\
         <member><Timestamp>2026-11-21T02:59:00Z</Timestamp><Sum>2.5</Sum><Unit>Count</Unit>\
         <ExtendedStatistics><entry><key>p99</key><value>2.5</value></entry></ExtendedStatistics></member>\
         </Datapoints></GetMetricStatisticsResult>\
         <ResponseMetadata><RequestId>lab-1</RequestId></ResponseMetadata></GetMetricStatisticsResponse>"
    );
    let (_, xml) = lab().query(&[("Action", "ListMetrics")]);
    assert!(xml.contains("<Name>Lb</Name><Value>a&amp;b</Value>"), "{xml}");
    let reply = lab().by_hand("GET", "/?Action=DescribeAlarms&AlarmNames=&MaxRecords=5", &[], b"");
    assert!(String::from_utf8(reply.body).unwrap().contains("<AlarmName>api</AlarmName>"));
}

#[test]
fn query_lists_keep_their_order() {
    let mut pairs = vec![
        ("Action", "GetMetricData"),
        ("StartTime", "2026-11-21T02:58:00Z"),
        ("EndTime", "2026-11-21T03:00:00Z"),
    ];
    let names: Vec<(String, String)> = (1..=11)
        .flat_map(|n| {
            let path = format!("MetricDataQueries.member.{n}");
            [
                (format!("{path}.Id"), format!("e{n}")),
                (format!("{path}.Expression"), "TIME_SERIES(1)".to_owned()),
            ]
        })
        .collect();
    pairs.extend(names.iter().map(|(k, v)| (k.as_str(), v.as_str())));
    let (_, xml) = lab().query(&pairs);
    let ids: Vec<_> = xml.split("<Id>").skip(1).filter_map(|part| part.split('<').next()).collect();
    assert_eq!(ids, ["e1", "e2", "e3", "e4", "e5", "e6", "e7", "e8", "e9", "e10", "e11"]);
}

#[test]
fn query_errors_have_their_envelope() {
    let (reply, xml) = lab().query(&[("Action", "ListMetrics"), ("Namespace", ":<x>\u{1}")]);
    assert_eq!(reply.status, 400);
    assert_eq!(
        xml,
        "<ErrorResponse xmlns=\"http://monitoring.amazonaws.com/doc/2010-08-01/\"><Error><Type>Sender</Type>\
         <Code>InvalidParameterValue</Code><Message>1 validation error detected: Value &apos;:&lt;x&gt;\u{FFFD}&apos; \
         at &apos;namespace&apos; failed to satisfy constraint: Member must satisfy regular expression pattern: \
         [^:].*</Message></Error><RequestId>lab-1</RequestId></ErrorResponse>"
    );
    let (reply, _) = lab().query(&[("Action", "Dance")]);
    assert_eq!(reply.error.as_deref(), Some("InvalidAction"));
    let (reply, _) = lab().query(&[("Version", "2010-08-01")]);
    assert_eq!(reply.error.as_deref(), Some("MissingAction"));
}

#[tokio::test]
async fn cbor_refuses_what_it_does_not_know() {
    let client = lab().client();
    assert_eq!(code(client.list_dashboards().send().await), "UnknownOperationException");
}

#[test]
fn cbor_bodies_that_are_none_are_refused() {
    let headers = [("smithy-protocol", "rpc-v2-cbor")];
    let path = "/service/GraniteServiceVersion20100801/operation/ListMetrics";
    let nested = [vec![0x81; 100], vec![0xa0]].concat();
    for body in [&b"\xff"[..], b"{}", b"\x01", b"\xa1\x01\x02", b"\xa0\xa0", &nested, b"\xbf\x61a"] {
        let reply = lab().by_hand("POST", path, &headers, body);
        assert_eq!(reply.error.as_deref(), Some("SerializationException"), "{body:?}");
        assert_eq!((reply.status, header(&reply, "smithy-protocol")), (400, Some("rpc-v2-cbor")));
    }
    assert_eq!(lab().by_hand("POST", path, &headers, b"").status, 200);
    assert_eq!(lab().by_hand("POST", path, &headers, b"\xbf\xff").status, 200);
}
