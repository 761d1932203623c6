//! Conditions and facts in words.
//!
//! What it is for: dialogs, scripts and judgements name what is wanted and what was looked at in the same words.
//! What it must not do: look at observations; what is so now is for `judge`.

use std::time::Duration;

use super::Condition;
use crate::domain::text::Text;
use crate::runbook::fact::Fact;
use crate::runbook::operation::Suspended;
use crate::runbook::situation;

impl Condition {
    /// What is wanted, in words: `hc-us is inverted and disabled`.
    pub fn sentence(&self) -> String {
        match self {
            Self::Always => "nothing".to_owned(),
            Self::All { of } => listed(of, "; and "),
            Self::Any { of } => listed(of, "; or "),
            Self::HealthCheckFlags { check, inverted, disabled } => {
                format!("health check {check} is {}", flags(*inverted, *disabled))
            }
            Self::RoutingControls { controls, on } => {
                format!("{} {}", counted(controls.len(), "routing control"), are(controls.len(), on_off(*on)))
            }
            Self::Flag { is: true, name, .. } => format!("{name} is on"),
            Self::Flag { is: false, name, .. } => format!("{name} is off"),
            Self::Record { name, record_type, set_identifier, is, .. } => {
                let what =
                    record(name.as_str(), record_type.as_str(), set_identifier.as_ref().map(Text::as_str));
                if is.is_some() { format!("{what} is as planned") } else { format!("{what} is not there") }
            }
            Self::Scaling { region, service, min, max, at_least, suspended } => {
                let least = if *at_least { "at least " } else { "" };
                let suspended = suspended.map(|seen| format!(", {}", suspension(seen))).unwrap_or_default();
                let range = match max {
                    Some(max) => format!("between {least}{min} and {least}{max}"),
                    None => format!("from {least}{min}"),
                };
                format!("{service} in {region} scales {range}{suspended}")
            }
            Self::Desired { region, service, tasks, at_least } => {
                let least = if *at_least { "at least " } else { "" };
                format!("{service} in {region} wants {least}{}", counted_i32(*tasks, "task"))
            }
            Self::Serving { region, service, groups, tasks } if groups.is_empty() => {
                format!("{service} in {region} runs at least {}", counted_i32(*tasks, "task"))
            }
            Self::Serving { region, service, groups, tasks } => format!(
                "{service} in {region} runs at least {}, healthy in {}",
                counted_i32(*tasks, "task"),
                counted(groups.len(), "target group")
            ),
            Self::Stopped { region, service } => format!("no task of {service} runs or starts in {region}"),
            Self::Alive { region, .. } => format!("{region} is alive by its targets or our own probe"),
            Self::AliveFor { region, span, .. } => {
                format!(
                    "{region} is alive by its targets or our own probe, for {} without a break",
                    time(*span)
                )
            }
            Self::Writer { global, cluster, .. } => {
                format!("{} is the writer of {global} and no operation is in flight", cluster.short_name())
            }
            Self::GlobalIdle { global, .. } => {
                format!("{global} is available and no operation is in flight")
            }
            Self::Synchronized { global, .. } => format!("every secondary of {global} is connected"),
            Self::EndpointMoved { global, settled } => {
                format!("RDS told {} ago that the writer endpoint of {global} had moved", time(*settled))
            }
            Self::Detached { global, cluster, .. } => {
                format!("{} is no member of {global}", cluster.short_name())
            }
            Self::RpoLag { region, cluster, at_most } => {
                format!(
                    "the RPO lag of {cluster} in {region} is at most {}",
                    situation::words::millis(*at_most)
                )
            }
            Self::AnswersOmit { names, region } => {
                format!("DNS sends nobody to {region} ({})", joined(names, ", "))
            }
            Self::AnswersInclude { names, region } => {
                format!("DNS sends somebody to {region} ({})", joined(names, ", "))
            }
            Self::TrafficBelow { region, before, percent, minutes } => format!(
                "requests of {region} stay under {percent} % of {before:.0} a minute for {}",
                counted(*minutes, "minute")
            ),
            Self::ErrorsBelow { region, percent } => format!("5XX of {region} stay under {percent} %"),
            Self::Elapsed { span, name } => format!("{name}: {} have passed", time(*span)),
            Self::Synthetic { name } => format!("https://{name} answers our own request without a 5XX"),
            Self::SyntheticWrite { name } => format!("https://{name} accepts our own write"),
            Self::Gone { name, .. } => format!("{name} does not exist"),
            Self::Owned { arn, key, value, .. } => {
                format!("{} carries the tag {key}={value}", arn.short_name())
            }
            Self::NoReplica { ask, table, replica } => {
                format!("table {table} has no replica in {replica}, asked in {ask}")
            }
        }
    }
}

fn listed(of: &[Condition], between: &str) -> String {
    of.iter().map(Condition::sentence).collect::<Vec<_>>().join(between)
}

/// A fact's thing, as an operator names it.
pub(super) fn thing(fact: &Fact) -> String {
    match fact {
        Fact::Identity(scope) => format!("identity of {scope}"),
        Fact::Service(region, service) => format!("service {service} in {region}"),
        Fact::Scaling(region, service) => format!("scalable target of {service} in {region}"),
        Fact::Targets(region, group) => format!("target group {} in {region}", group_name(group.as_str())),
        Fact::HealthCheck(check) => format!("health check {check}"),
        Fact::Records(zone, name) => format!("records of {name} in zone {zone}"),
        Fact::RoutingControl(control) => format!("routing control {}", control.short_name()),
        Fact::SwitchObject(region, bucket, key) => format!("switch object s3://{bucket}/{key} in {region}"),
        Fact::SwitchMetric(home, namespace, name, region) => {
            format!("switch metric {namespace}/{name} of {region} in {home}")
        }
        Fact::GlobalCluster(region, global) => format!("global cluster {global} as {region} tells it"),
        Fact::DbCluster(region, cluster) => format!("cluster {cluster} in {region}"),
        Fact::DbInstances(region, cluster) => format!("instances of cluster {cluster} in {region}"),
        Fact::DbInstance(region, instance) => format!("instance {instance} in {region}"),
        Fact::AvailableInstances(region, cluster) => format!("available instances of {cluster} in {region}"),
        Fact::BlueGreen(region, cluster, _) => format!("blue/green deployments of {cluster} in {region}"),
        Fact::RdsEvents(region, _) => format!("events of RDS in {region}"),
        Fact::RpoLag(region, cluster) => format!("RPO lag of {cluster} in {region}"),
        Fact::Table(region, table) => format!("table {table} in {region}"),
        Fact::Requests(region) => format!("requests of {region}"),
        Fact::Errors(region) => format!("5XX of {region}"),
        Fact::Probe(region) => format!("our own probe of {region}"),
        Fact::Synthetic(name) => format!("our own request to {name}"),
        Fact::SyntheticWrite(name) | Fact::SyntheticMark(name) => format!("our own write to {name}"),
        Fact::TokenShown(name, token) => format!("our write {token} at {name}"),
        Fact::Answers(name) => format!("DNS answers for {name}"),
        Fact::KeepAlive(region, balancer) => format!("keep-alive of {} in {region}", balancer.short_name()),
        Fact::Dependencies(region, service) => format!("images and secrets of {service} in {region}"),
        Fact::TaskSize(region, service) => format!("vCPUs of a task of {service} in {region}"),
        Fact::Subnets(region, service) => format!("free addresses for {service} in {region}"),
        Fact::VcpuQuota(region) => format!("vCPU quota of {region}"),
        Fact::Tags(region, arn) => format!("tags of {} in {region}", arn.short_name()),
        Fact::Alarm(region, alarm) => format!("alarm {alarm} in {region}"),
        Fact::Cluster(region, cluster) => format!("cluster {cluster} in {region}"),
        Fact::Balancer(region, arn) => format!("{} in {region}", arn.resource().unwrap_or(arn.as_str())),
        Fact::Network(region, arn) => format!("VPC of {} in {region}", arn.short_name()),
        Fact::Protection(region, arn) => {
            format!("deletion protection of {} in {region}", arn.short_name())
        }
        Fact::Bucket(region, bucket) => format!("bucket {bucket} in {region}"),
        Fact::Stack(region, stack) => format!("stack {stack} in {region}"),
    }
}

/// `targetgroup/api/73e2…` is called `api`.
fn group_name(arn: &str) -> &str {
    arn.rsplit('/').nth(1).unwrap_or(arn)
}

/// The flags of a health check, and what they mean where that is a trap.
pub(crate) fn flags(inverted: bool, disabled: bool) -> &'static str {
    match (inverted, disabled) {
        (true, true) => "inverted and disabled",
        (true, false) => "inverted only",
        (false, true) => "disabled only",
        (false, false) => "neither inverted nor disabled",
    }
}

/// A suspension, in words.
pub(crate) fn suspension(seen: Suspended) -> String {
    let parts =
        [(seen.scale_in, "scale-in"), (seen.scale_out, "scale-out"), (seen.scheduled, "scheduled scaling")];
    let words: Vec<&str> = parts.into_iter().filter(|(on, _)| *on).map(|(_, word)| word).collect();
    match words.len() {
        0 => "nothing suspended".to_owned(),
        3 => "all scaling suspended".to_owned(),
        _ => format!("{} suspended", words.join(" and ")),
    }
}

/// One record set, named: `A api.example.com (us-east-1)`.
pub(crate) fn record(name: &str, record_type: &str, set_identifier: Option<&str>) -> String {
    match set_identifier {
        Some(identifier) => format!("record {name} {record_type} ({identifier})"),
        None => format!("record {name} {record_type}"),
    }
}

/// `On` and `Off`, as ARC says them.
pub(super) fn on_off(on: bool) -> &'static str {
    if on { "On" } else { "Off" }
}

fn are(count: usize, word: &str) -> String {
    if count == 1 { format!("is {word}") } else { format!("are {word}") }
}

/// `1 task`, `6 tasks`.
pub(super) fn counted(count: usize, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

pub(super) fn counted_i32(count: i32, noun: &str) -> String {
    if count == 1 { format!("1 {noun}") } else { format!("{count} {noun}s") }
}

/// Things, one after the other.
pub(super) fn joined<T: std::fmt::Display>(things: &[T], between: &str) -> String {
    things.iter().map(ToString::to_string).collect::<Vec<_>>().join(between)
}

/// A span that is waited for, exactly: `41 s`, `3 min`, `3 min 5 s`.
pub(crate) fn time(span: Duration) -> String {
    // A remainder is rounded up, so that "0 s to go" is never said while there is something to go.
    let seconds = span.as_secs() + u64::from(span.subsec_nanos() > 0);
    match (seconds / 60, seconds % 60) {
        (0, seconds) => format!("{seconds} s"),
        (1, seconds) => format!("{} s", 60 + seconds),
        (minutes, 0) => format!("{minutes} min"),
        (minutes, seconds) => format!("{minutes} min {seconds} s"),
    }
}

/// A value and its limit in milliseconds as a person says them, but never rounded into agreement: `9 min 1 s` and `1.0 s`,
/// `1000.4 ms` and `1000 ms`.
pub(super) fn against(value: f64, limit: f64) -> (String, String) {
    let said = (situation::words::millis(value), situation::words::millis(limit));
    if value <= limit || said.0 != said.1 {
        return said;
    }
    let exact = |value: f64| format!("{} ms", (value * 10.0).round() / 10.0);
    (exact(value), exact(limit))
}
