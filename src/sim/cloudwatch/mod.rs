//! The simulated CloudWatch.
//!
//! What it is for: answering the operations of CloudWatch, in its three protocols, with its limits,
//! paging, errors and metric math, over whatever world stands behind [`source::MetricSource`].
//! What it must not do: keep state, or make up a number that the world did not measure.

mod alarms;
mod data;
mod input;
mod label;
mod math;
mod metrics;
mod put;
mod series;
pub mod source;
mod stat;
mod token;
mod value;
mod wire;

use source::MetricSource;
use wire::Protocol;

use super::call::{Call, Fault, Reply};

/// Answers one call, in the protocol in which it was made.
pub fn answer(source: &dyn MetricSource, call: &Call) -> Reply {
    let protocol = Protocol::of(call);
    let request = protocol.read(call);
    let operation = request.operation.as_str();
    let input = match &request.input {
        Ok(input) => input,
        Err(fault) => return protocol.fault(call, operation, fault, &[]),
    };
    let plain = |fault: Fault| (fault, Vec::new());
    let output = match operation {
        "GetMetricData" => data::get_metric_data(source, call, input).map_err(plain),
        "GetMetricStatistics" => metrics::get_metric_statistics(source, call, input).map_err(plain),
        "PutMetricData" => put::put_metric_data(source, call, input).map_err(plain),
        "ListMetrics" => metrics::list_metrics(source, call, input).map_err(plain),
        "DescribeAlarms" => alarms::describe_alarms(source, call, input).map_err(plain),
        "DeleteAlarms" => alarms::delete_alarms(source, call, input),
        "DescribeAlarmsForMetric" => alarms::describe_alarms_for_metric(source, call, input).map_err(plain),
        "DescribeAlarmHistory" => alarms::describe_alarm_history(source, call, input).map_err(plain),
        "ListTagsForResource" => alarms::list_tags_for_resource(source, call, input),
        unknown => Err((protocol.unknown(unknown), Vec::new())),
    };
    match output {
        Ok(output) => protocol.output(call, operation, &output),
        Err((fault, details)) => protocol.fault(call, operation, &fault, &details),
    }
}

/// The name of the operation that a call asks for; empty when it names none.
pub fn operation(call: &Call) -> String {
    Protocol::of(call).read(call).operation
}

/// Puts a fault of the world (throttling, expired credentials, an outage) into the call's protocol.
pub fn fault(call: &Call, fault: &Fault) -> Reply {
    let protocol = Protocol::of(call);
    protocol.fault(call, &protocol.read(call).operation, fault, &[])
}
