//! Rate limits: token buckets per service and group of operations, as AWS publishes them.
//!
//! What it is for: throttling whoever asks too often. What it must not do: wait, or know a protocol.

use std::collections::HashMap;

use jiff::Timestamp;

/// Buckets by region, service and group.
#[derive(Clone, Debug, Default)]
pub struct Limits(HashMap<(String, &'static str, bool), Bucket>);

#[derive(Clone, Copy, Debug)]
struct Bucket {
    tokens: f64,
    at: Timestamp,
}

/// Group of operations that share a bucket, its burst and its refill a second. Sources: the request
/// throttling pages of ECS, ELB, CloudWatch and Route 53; unpublished ones are guesses on the generous side.
fn limit(service: &str, operation: &str) -> (&'static str, f64, f64) {
    match (service, operation) {
        ("ecs", "ListTasks" | "DescribeTasks") => ("ecs/tasks", 100.0, 20.0),
        ("ecs", "UpdateService") => ("ecs/update", 50.0, 5.0),
        ("ecs", _) => ("ecs/services", 100.0, 20.0),
        ("elasticloadbalancing", _) => ("elb/describe", 40.0, 10.0),
        ("dynamodb", _) => ("dynamodb", 2_500.0, 2_500.0),
        ("rds", _) => ("rds", 100.0, 20.0),
        ("application-autoscaling", _) => ("scaling", 50.0, 10.0),
        ("route53", _) => ("route53", 5.0, 5.0),
        ("monitoring", "PutMetricData") => ("cloudwatch/put", 500.0, 500.0),
        ("monitoring", "GetMetricData") => ("cloudwatch/data", 500.0, 500.0),
        ("monitoring", "ListMetrics") => ("cloudwatch/list", 25.0, 25.0),
        ("monitoring", "DescribeAlarms") => ("cloudwatch/alarms", 9.0, 9.0),
        ("monitoring", "DescribeAlarmHistory") => ("cloudwatch/history", 20.0, 20.0),
        ("monitoring", _) => ("cloudwatch", 400.0, 400.0),
        ("ec2", _) => ("ec2/describe", 100.0, 20.0),
        ("sns", "Publish") => ("sns/publish", 300.0, 300.0),
        ("sns", _) => ("sns", 30.0, 30.0),
        ("sts", _) => ("sts", 600.0, 600.0),
        ("s3", _) => ("s3", 5_500.0, 5_500.0),
        _ => ("other", 100.0, 50.0),
    }
}

impl Limits {
    /// Takes a token, if there is one. `squeezed` is the rate that others leave, where they leave little.
    pub fn take(
        &mut self,
        service: &str,
        operation: &str,
        region: &str,
        squeezed: Option<f64>,
        now: Timestamp,
    ) -> bool {
        let (group, burst, rate) = limit(service, operation);
        let (burst, rate) = squeezed.map_or((burst, rate), |rate| (rate.max(1.0), rate));
        let key = (region.to_owned(), group, squeezed.is_some());
        // Where others use the rate up, nothing was saved for us either.
        let full = if squeezed.is_some() { 0.0 } else { burst };
        let bucket = self.0.entry(key).or_insert(Bucket { tokens: full, at: now });
        let passed = now.duration_since(bucket.at).as_secs_f64().max(0.0);
        bucket.tokens = (bucket.tokens + passed * rate).min(burst);
        bucket.at = now;
        if bucket.tokens < 1.0 {
            return false;
        }
        bucket.tokens -= 1.0;
        true
    }
}
