//! Alarms: which there are, and what state they are in at any time.
//!
//! What it is for: evaluating every alarm minute by minute from the same series that CloudWatch shows.
//! What it must not do: send anything, or answer API calls.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::fleet::{CLUSTER, Fleet};
use super::removal::Thing;
use super::traffic::floor_minute;
use super::{World, before, lock};
use crate::sim::cloudwatch::source::{Alarm, MetricId, Samples};

/// How an alarm was put.
#[derive(Clone, Debug)]
struct Spec {
    name: String,
    description: String,
    metric: Option<MetricId>,
    statistic: &'static str,
    periods: i32,
    threshold: f64,
    comparison: &'static str,
    missing: &'static str,
    rule: Option<String>,
}

/// State of an alarm after some minute.
#[derive(Clone, Debug)]
struct State {
    value: &'static str,
    reason: String,
    since: Timestamp,
}

/// States already computed, by region, so that each minute is evaluated once.
#[derive(Clone, Debug, Default)]
pub struct Memory {
    version: u64,
    regions: HashMap<String, (Timestamp, Vec<State>)>,
}

const ALB: &str = "AWS/ApplicationELB";
/// A minute of data is evaluated when it has been over for this long.
const DELAY_SECONDS: i64 = 60;
/// Evaluation starts this long before the first thing that may matter.
const LEAD_MINUTES: i64 = 6;
/// Minutes that are evaluated at most at once.
const LONGEST_MINUTES: i64 = 12 * 60;

impl World {
    /// The alarms of a region at `now`, by name.
    pub fn alarms_at(&self, region: &str, now: Timestamp) -> Vec<Alarm> {
        let specs = self.specs(region);
        if specs.is_empty() {
            return Vec::new();
        }
        let newest = floor_minute(before(now, DELAY_SECONDS + 60) - self.metric_delay(region, now));
        let states = self.states(region, &specs, newest);
        let topic = Fleet::topic(region);
        let mut alarms: Vec<Alarm> = specs
            .into_iter()
            .zip(states)
            .map(|(spec, state)| Alarm {
                arn: Fleet::arn("cloudwatch", region, &format!("alarm:{}", spec.name)),
                name: spec.name,
                description: spec.description,
                metric: spec.metric,
                statistic: spec.statistic.to_owned(),
                period: 60,
                evaluation_periods: spec.periods,
                threshold: spec.threshold,
                comparison: spec.comparison.to_owned(),
                treat_missing_data: spec.missing.to_owned(),
                rule: spec.rule,
                actions_enabled: true,
                alarm_actions: vec![topic.clone()],
                state: state.value.to_owned(),
                reason: state.reason,
                since: state.since,
                updated: self.fleet.born,
            })
            .collect();
        let gone = |alarm: &Alarm| self.is_gone(&Thing::Alarm(region.to_owned(), alarm.name.clone()), now);
        alarms.retain(|alarm| !gone(alarm));
        alarms.sort_by(|a, b| a.name.cmp(&b.name));
        alarms
    }

    /// Names of a region's alarms.
    pub fn alarm_names(&self, region: &str) -> Vec<String> {
        let mut names: Vec<String> = self.specs(region).into_iter().map(|spec| spec.name).collect();
        names.sort();
        names
    }

    fn states(&self, region: &str, specs: &[Spec], newest: Timestamp) -> Vec<State> {
        let timeline = self.timeline();
        let remembered = {
            let mut memory = lock(&self.alarms);
            if memory.version != timeline.version {
                memory.regions.clear();
                memory.version = timeline.version;
            }
            memory.regions.get(region).filter(|(minute, _)| *minute <= newest).cloned()
        };
        let (mut minute, mut states) = remembered.unwrap_or_else(|| {
            let first = timeline.first().unwrap_or(self.started).min(self.started);
            let start = floor_minute(first - SignedDuration::from_mins(LEAD_MINUTES)).min(newest);
            let born = self.fleet.born + SignedDuration::from_mins(5);
            let state = |spec: &Spec| State { value: "OK", reason: calm_reason(spec), since: born };
            (start, specs.iter().map(state).collect())
        });
        // After a long sleep nobody needs every minute of it.
        minute = minute.max(newest - SignedDuration::from_mins(LONGEST_MINUTES));
        while minute < newest {
            minute += SignedDuration::from_mins(1);
            self.step(region, specs, &mut states, minute);
        }
        let mut memory = lock(&self.alarms);
        if memory.version == timeline.version {
            memory.regions.insert(region.to_owned(), (minute, states.clone()));
        }
        states
    }

    /// Evaluates every alarm once the data of `minute` is in.
    fn step(&self, region: &str, specs: &[Spec], states: &mut [State], minute: Timestamp) {
        let seen_at = minute + SignedDuration::from_secs(60 + DELAY_SECONDS);
        for (index, spec) in specs.iter().enumerate() {
            let Some(metric) = &spec.metric else { continue };
            let points: Vec<(Timestamp, Option<f64>)> = (0..i64::from(spec.periods))
                .map(|back| minute - SignedDuration::from_mins(back))
                .map(|at| (at, self.measured(region, metric, at).map(|s| statistic(&s, spec.statistic))))
                .collect();
            let present = points.iter().filter(|(_, value)| value.is_some()).count();
            // Alarms on DynamoDB keep their state when data is missing, whatever they are told.
            let ignores = spec.missing == "ignore" || metric.namespace == "AWS/DynamoDB";
            if present < points.len() && ignores {
                continue;
            }
            let breaches = |value: &Option<f64>| match value {
                Some(value) if spec.comparison == "LessThanThreshold" => *value < spec.threshold,
                Some(value) => *value > spec.threshold,
                None => spec.missing == "breaching",
            };
            let breaching = points.iter().filter(|(_, value)| breaches(value)).count();
            let value = if present == 0 && spec.missing == "missing" {
                "INSUFFICIENT_DATA"
            } else if breaching == points.len() {
                "ALARM"
            } else {
                "OK"
            };
            if states[index].value != value {
                states[index] =
                    State { value, reason: reason(spec, &points, value, breaching), since: seen_at };
            }
        }
        for (index, spec) in specs.iter().enumerate() {
            let Some(rule) = &spec.rule else { continue };
            let firing: Vec<&str> = specs
                .iter()
                .zip(states.iter())
                .filter(|(other, state)| {
                    state.value == "ALARM" && rule.contains(&format!("(\"{}\")", other.name))
                })
                .map(|(other, _)| other.name.as_str())
                .collect();
            let value = if firing.is_empty() { "OK" } else { "ALARM" };
            if states[index].value != value {
                let reason = match firing.first() {
                    Some(name) => format!(
                        "{} transitioned to ALARM at {}",
                        Fleet::arn("cloudwatch", region, &format!("alarm:{name}")),
                        seen_at.strftime("%A %d %B, %Y %H:%M:%S UTC"),
                    ),
                    None => "The alarm rule no longer evaluates to TRUE".to_owned(),
                };
                states[index] = State { value, reason, since: seen_at };
            }
        }
    }

    fn specs(&self, region: &str) -> Vec<Spec> {
        let mut specs = Vec::new();
        if region == "us-east-1" {
            for site in &self.fleet.sites {
                specs.push(Spec {
                    name: format!("health-check-{}", site.region),
                    description: format!("Route 53 calls the endpoint of {} unhealthy", site.region),
                    metric: Some(id(
                        "AWS/Route53",
                        "HealthCheckStatus",
                        &[("HealthCheckId", &site.health_check)],
                    )),
                    statistic: "Minimum",
                    periods: 1,
                    threshold: 1.0,
                    comparison: "LessThanThreshold",
                    missing: "breaching",
                    rule: None,
                });
            }
        }
        let Some(site) = self.fleet.site(region) else { return specs };
        let lb = ("LoadBalancer", site.lb_dimension.as_str());
        let above =
            |name: String, description: &str, metric: MetricId, statistic, periods, threshold, missing| {
                Spec {
                    name,
                    description: description.to_owned(),
                    metric: Some(metric),
                    statistic,
                    periods,
                    threshold,
                    comparison: "GreaterThanThreshold",
                    missing,
                    rule: None,
                }
            };
        for (spec, group) in self.fleet.services.iter().zip(&site.groups) {
            let dimensions = [("TargetGroup", group.dimension.as_str()), lb];
            let metric = id(ALB, "HTTPCode_Target_5XX_Count", &dimensions);
            let name = format!("{}-5xx-{region}", spec.name);
            specs.push(above(name, "Targets answer with 5XX", metric, "Sum", 2, 50.0, "notBreaching"));
        }
        let metric = id(ALB, "HTTPCode_ELB_5XX_Count", &[lb]);
        let name = format!("elb-5xx-{region}");
        specs.push(above(
            name,
            "The load balancer answers with 5XX",
            metric,
            "Sum",
            2,
            200.0,
            "notBreaching",
        ));
        if let (Some(first), Some(group)) = (self.fleet.services.first(), site.groups.first()) {
            let dimensions = [("TargetGroup", group.dimension.as_str()), lb];
            let metric = id(ALB, "UnHealthyHostCount", &dimensions);
            let name = format!("{}-unhealthy-hosts-{region}", first.name);
            specs.push(above(name, "Targets fail their health checks", metric, "Minimum", 2, 0.0, "missing"));
            let dimensions = [("ClusterName", CLUSTER), ("ServiceName", first.name.as_str())];
            let metric = id("AWS/ECS", "CPUUtilization", &dimensions);
            let name = format!("{}-cpu-{region}", first.name);
            specs.push(above(name, "Tasks are short of CPU", metric, "Average", 3, 90.0, "missing"));
            specs.push(Spec {
                name: format!("orders-down-{region}"),
                description: "Users of the region get errors".into(),
                metric: None,
                statistic: "",
                periods: 0,
                threshold: 0.0,
                comparison: "",
                missing: "",
                rule: Some(format!("ALARM(\"{}-5xx-{region}\") OR ALARM(\"elb-5xx-{region}\")", first.name)),
            });
        }
        for table in
            self.fleet.tables.iter().filter(|table| table.sites.contains(&site.index) && !table.strong)
        {
            // One alarm a table: towards the nearest replica.
            let Some(to) = site.nearest.iter().find(|other| table.sites.contains(other)) else { continue };
            let receiver = self.fleet.sites[*to].region.as_str();
            let dimensions = [("TableName", table.name.as_str()), ("ReceivingRegion", receiver)];
            let metric = id("AWS/DynamoDB", "ReplicationLatency", &dimensions);
            let name = format!("{}-replication-{region}", table.name);
            specs.push(above(name, "Replication is slow", metric, "Average", 3, 5_000.0, "missing"));
        }
        // Alarms stay where they were put when the writer moves.
        if self.fleet.aurora.iter().skip(1).any(|member| *member == site.index) {
            let metric = id("AWS/RDS", "AuroraGlobalDBRPOLag", &[("DBClusterIdentifier", &site.db_cluster)]);
            let name = format!("{}-lag", site.db_cluster);
            specs.push(above(name, "The secondary is behind", metric, "Maximum", 3, 5_000.0, "missing"));
        }
        specs
    }
}

fn id(namespace: &str, name: &str, dimensions: &[(&str, &str)]) -> MetricId {
    MetricId {
        namespace: namespace.to_owned(),
        name: name.to_owned(),
        dimensions: dimensions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    }
}

fn statistic(samples: &Samples, name: &str) -> f64 {
    let values = &samples.values;
    let sum: f64 = values.iter().map(|(value, count)| value * count).sum();
    match name {
        "Sum" => sum,
        "Minimum" => values.iter().map(|(value, _)| *value).fold(f64::INFINITY, f64::min),
        "Maximum" => values.iter().map(|(value, _)| *value).fold(f64::NEG_INFINITY, f64::max),
        _ => sum / values.iter().map(|(_, count)| *count).sum::<f64>(),
    }
}

fn phrase(comparison: &str) -> &'static str {
    if comparison == "LessThanThreshold" { "less than" } else { "greater than" }
}

fn calm_reason(spec: &Spec) -> String {
    if spec.rule.is_some() {
        return "The alarm rule evaluates to FALSE".to_owned();
    }
    format!(
        "Threshold Crossed: {n} datapoints were not {} the threshold ({:?}).",
        phrase(spec.comparison),
        spec.threshold,
        n = spec.periods,
    )
}

/// AWS's sentence about a change of state.
fn reason(spec: &Spec, points: &[(Timestamp, Option<f64>)], value: &str, breaching: usize) -> String {
    if value == "INSUFFICIENT_DATA" {
        return "Insufficient Data: no datapoints were received in the evaluation period.".to_owned();
    }
    let known: Vec<String> = points
        .iter()
        .filter_map(|(at, value)| {
            value.map(|value| format!("{value:?} ({})", at.strftime("%d/%m/%y %H:%M:%S")))
        })
        .collect();
    let (count, verb) = if value == "ALARM" {
        (breaching, format!("was {}", phrase(spec.comparison)))
    } else {
        (points.len() - breaching, format!("was not {}", phrase(spec.comparison)))
    };
    if known.is_empty() {
        return format!(
            "Threshold Crossed: no datapoints were received for {} periods and missing datapoints were treated as [{}].",
            points.len(),
            if spec.missing == "breaching" { "Breaching" } else { "NonBreaching" },
        );
    }
    format!(
        "Threshold Crossed: {count} out of the last {} datapoints [{}] {verb} the threshold ({:?}) (minimum {} datapoints for {}).",
        points.len(),
        known.join(", "),
        spec.threshold,
        if value == "ALARM" { points.len() } else { 1 },
        if value == "ALARM" { "OK -> ALARM transition" } else { "ALARM -> OK transition" },
    )
}
