//! What CloudWatch holds: every series of the world, computed when asked.
//!
//! What it is for: implementing [`MetricSource`]. Series exist where AWS publishes them: replication latency
//! in the source region, Aurora's lag on secondaries only, S3's in the destination, Route 53's in us-east-1.
//! What it must not do: aggregate; statistics and math are CloudWatch's.

use jiff::{SignedDuration, Timestamp};

use super::checks::{Kind, SWITCH_METRIC, SWITCH_NAMESPACE};
use super::deeds::Deed;
use super::fleet::CLUSTER;
use super::removal::Thing;
use super::{World, before, minutes, noise};
use crate::sim::cloudwatch::source::{Alarm, Datum, MetricId, MetricSource, Samples};

const ALB: &str = "AWS/ApplicationELB";
const ECS: &str = "AWS/ECS";
const DYNAMO: &str = "AWS/DynamoDB";
const RDS: &str = "AWS/RDS";
const S3: &str = "AWS/S3";
const DNS: &str = "AWS/Route53";
/// Quantiles at which a distribution of response times is given.
const QUANTILES: [(f64, f64); 14] = [
    (0.05, 0.10),
    (0.15, 0.10),
    (0.25, 0.10),
    (0.35, 0.10),
    (0.45, 0.10),
    (0.55, 0.10),
    (0.65, 0.10),
    (0.75, 0.10),
    (0.85, 0.10),
    (0.92, 0.04),
    (0.96, 0.04),
    (0.98, 0.005),
    (0.9875, 0.01),
    (0.996, 0.005),
];

/// Normal deviates at [`QUANTILES`].
const DEVIATES: [f64; 14] =
    [-1.645, -1.036, -0.674, -0.385, -0.126, 0.126, 0.385, 0.674, 1.036, 1.405, 1.751, 2.054, 2.241, 2.652];

impl MetricSource for World {
    fn metrics(&self, region: &str, now: Timestamp) -> Vec<MetricId> {
        self.metric_ids(region, now)
    }

    fn samples(&self, region: &str, metric: &MetricId, minute: Timestamp, now: Timestamp) -> Option<Samples> {
        let now = now - self.metric_delay(region, now);
        let ended = now.duration_since(minute + SignedDuration::from_mins(1)).as_secs_f64();
        // A metric keeps two weeks here; the running minute shows up when half of it has passed.
        if ended < -30.0 || minute < before(now, 15 * 24 * 3600) {
            return None;
        }
        let part = if ended >= 60.0 { 1.0 } else { ((ended + 50.0) / 110.0).clamp(0.1, 0.97) };
        if !metric.namespace.starts_with("AWS/") {
            return self.stores.samples(region, metric, minute, now);
        }
        let mut samples = self.measured(region, metric, minute)?;
        if part < 1.0 {
            thin(&mut samples, &metric.name, part);
        }
        Some(samples)
    }

    fn alarms(&self, region: &str, now: Timestamp) -> Vec<Alarm> {
        self.alarms_at(region, now)
    }

    fn delete_alarms(&self, region: &str, names: &[&str], now: Timestamp) {
        for name in names {
            self.remove(now, Thing::Alarm(region.to_owned(), (*name).to_owned()), 0.0);
        }
    }

    fn tags(&self, arn: &str) -> Vec<(&'static str, &'static str)> {
        self.tags(arn)
    }

    fn put(&self, region: &str, data: Vec<Datum>, now: Timestamp) {
        for datum in data {
            let switch = region == self.fleet.switch_region
                && datum.metric.namespace == SWITCH_NAMESPACE
                && datum.metric.name == SWITCH_METRIC;
            let place = datum.metric.dimensions.iter().find(|(name, _)| name == "Region");
            let site = place.and_then(|(_, region)| self.fleet.site(region)).filter(|_| switch);
            if let (Some(site), Some((value, _))) = (site, datum.values.last()) {
                self.act(now, Deed::Metric { site: site.index, value: *value });
            }
            self.stores.put_metric(region, datum);
        }
    }
}

/// What has arrived so far of a minute: counts are smaller, levels have fewer samples or none yet.
fn thin(samples: &mut Samples, name: &str, part: f64) {
    match name {
        "RequestCount" | "HTTPCode_ELB_5XX_Count" | "HTTPCode_Target_5XX_Count" => {
            for (value, _) in &mut samples.values {
                *value = (*value * part).floor();
            }
            if name != "RequestCount" {
                samples.values.retain(|(value, _)| *value > 0.0);
            }
        }
        "TargetResponseTime" => {
            for (_, count) in &mut samples.values {
                *count = (*count * part).max(1.0).floor();
            }
        }
        _ => {}
    }
}

fn count(value: f64) -> Samples {
    Samples { values: vec![(value, 1.0)], unit: "Count" }
}

/// Nothing at all when it is zero, as AWS does for "reported when non-zero".
fn non_zero(value: f64) -> Option<Samples> {
    (value > 0.0).then(|| count(value))
}

fn level(values: impl IntoIterator<Item = f64>, unit: &'static str) -> Option<Samples> {
    let values: Vec<(f64, f64)> = values.into_iter().map(|value| (value, 1.0)).collect();
    (!values.is_empty()).then_some(Samples { values, unit })
}

impl World {
    /// The value of a dimension.
    fn dimension<'a>(metric: &'a MetricId, name: &str) -> Option<&'a str> {
        metric.dimensions.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// What was measured in a minute once everything has arrived.
    pub(crate) fn measured(&self, region: &str, metric: &MetricId, minute: Timestamp) -> Option<Samples> {
        let dimension = |name: &str| Self::dimension(metric, name);
        let dimensions = metric.dimensions.len();
        if metric.namespace == DNS {
            if region != "us-east-1" || dimensions != 1 {
                return None;
            }
            return self.dns_measured(dimension("HealthCheckId")?, &metric.name, minute);
        }
        let site = self.fleet.site(region)?.index;
        match metric.namespace.as_str() {
            ALB => {
                let place = &self.fleet.sites[site];
                if dimension("LoadBalancer")? != place.lb_dimension {
                    return None;
                }
                match (dimension("TargetGroup"), dimensions) {
                    (None, 1) => self.balancer_measured(site, None, &metric.name, minute),
                    (Some(group), 2) => {
                        let service = place.groups.iter().position(|one| one.dimension == group)?;
                        self.balancer_measured(site, Some(service), &metric.name, minute)
                    }
                    _ => None,
                }
            }
            ECS => {
                if dimension("ClusterName")? != CLUSTER || dimensions != 2 {
                    return None;
                }
                let name = dimension("ServiceName")?;
                let service = self.fleet.services.iter().position(|spec| spec.name == name)?;
                self.service_measured(site, service, &metric.name, minute)
            }
            DYNAMO => {
                let name = dimension("TableName")?;
                let table = self.fleet.tables.iter().find(|table| table.name == name)?;
                if !table.sites.contains(&site) {
                    return None;
                }
                let at = before(minute, -30);
                match (metric.name.as_str(), dimension("ReceivingRegion"), dimensions) {
                    ("ReplicationLatency", Some(receiver), 2) if !table.strong => {
                        let to = self.fleet.site(receiver)?.index;
                        let latency =
                            |second: i64| self.table_latency(table, site, to, before(minute, -second));
                        if to == site || !table.sites.contains(&to) || !self.writes(site, at) {
                            return None;
                        }
                        level([10, 30, 50].map(latency), "Milliseconds")
                    }
                    ("WriteThrottleEvents", None, 1) => non_zero(self.write_throttles(table, site, at)),
                    ("ConsumedWriteCapacityUnits", None, 1) => {
                        self.writes(site, at).then(|| count(self.requests(site, minute) * 0.12))
                    }
                    _ => None,
                }
            }
            RDS => {
                if dimensions != 1 || dimension("DBClusterIdentifier")? != self.fleet.sites[site].db_cluster {
                    return None;
                }
                self.database_measured(site, &metric.name, minute)
            }
            S3 => {
                let (from, to) = (dimension("SourceBucket")?, dimension("DestinationBucket")?);
                let rule = self.fleet.rules.iter().find(|rule| {
                    self.fleet.sites[rule.from].bucket == from
                        && self.fleet.sites[rule.to].bucket == to
                        && Some(rule.id.as_str()) == dimension("RuleId")
                })?;
                let at = |second: i64| self.backlog(rule, before(minute, -second));
                match metric.name.as_str() {
                    "ReplicationLatency" if rule.to == site => {
                        level([20, 50].map(|second| at(second).latency.round()), "Seconds")
                    }
                    "BytesPendingReplication" if rule.to == site => {
                        level([20, 50].map(|second| at(second).bytes), "Bytes")
                    }
                    "OperationsPendingReplication" if rule.to == site => {
                        level([20, 50].map(|second| at(second).operations), "Count")
                    }
                    "OperationsFailedReplication" if rule.from == site => Some(count(at(50).failed)),
                    _ => None,
                }
            }
            _ => None,
        }
    }

    /// Whether the application writes in a region: somebody must be served there.
    fn writes(&self, site: usize, at: Timestamp) -> bool {
        self.health(site, 0, at).0 > 0
    }

    fn balancer_measured(
        &self,
        site: usize,
        service: Option<usize>,
        name: &str,
        minute: Timestamp,
    ) -> Option<Samples> {
        if let ("HealthyHostCount" | "UnHealthyHostCount", Some(service)) = (name, service) {
            let counts = [10, 30, 50].map(|second| self.health(site, service, before(minute, -second)));
            if counts.iter().all(|(_, registered)| *registered == 0) {
                return None;
            }
            return level(
                counts.map(|(healthy, registered)| {
                    if name == "HealthyHostCount" { healthy as f64 } else { (registered - healthy) as f64 }
                }),
                "Count",
            );
        }
        if !self.reached(site, before(minute, -30)) {
            return None;
        }
        let services = match service {
            Some(service) => service..service + 1,
            None => 0..self.fleet.services.len(),
        };
        match name {
            "RequestCount" => {
                let routed: f64 = services.map(|service| self.outcome(site, service, minute).routed).sum();
                Some(count(routed.round()))
            }
            "HTTPCode_Target_5XX_Count" => {
                non_zero(services.map(|service| self.outcome(site, service, minute).target_5xx).sum())
            }
            "HTTPCode_ELB_5XX_Count" if service.is_none() => {
                non_zero(services.map(|service| self.outcome(site, service, minute).elb_5xx).sum())
            }
            "TargetResponseTime" => {
                let mut values = Vec::with_capacity(services.len() * QUANTILES.len());
                for service in services {
                    self.response_times(site, service, minute, &mut values);
                }
                (!values.is_empty()).then_some(Samples { values, unit: "Seconds" })
            }
            "ConsumedLCUs" if service.is_none() => {
                level([self.requests(site, minute) / 60.0 / 25.0 / 25.0], "None")
            }
            _ => None,
        }
    }

    /// Response times of one service, as values with their counts: log-normal with a long tail.
    fn response_times(&self, site: usize, service: usize, minute: Timestamp, into: &mut Vec<(f64, f64)>) {
        let spec = &self.fleet.services[service];
        let outcome = self.outcome(site, service, minute);
        let answered = outcome.routed - (outcome.elb_5xx - (outcome.requests - outcome.routed)).max(0.0);
        if answered < 1.0 || self.health(site, service, before(minute, -30)).0 == 0 {
            return;
        }
        let salt = self.fleet.sites[site].groups[service].salt ^ 0x1a;
        let median = spec.median * outcome.slowness * (1.0 + 0.06 * noise::smooth(salt, minutes(minute)));
        for ((_, share), deviate) in QUANTILES.iter().zip(DEVIATES) {
            into.push((median * (0.55 * deviate).exp(), (answered * share).max(1.0).round()));
        }
    }

    fn service_measured(
        &self,
        site: usize,
        service: usize,
        name: &str,
        minute: Timestamp,
    ) -> Option<Samples> {
        let spec = &self.fleet.services[service];
        let at = before(minute, -30);
        let (desired, running) = self.running(site, service, at);
        if running == 0 {
            return None;
        }
        let salt = self.fleet.sites[site].groups[service].salt ^ name.len() as u64;
        let noise = noise::smooth(salt, minutes(minute) / 2.0);
        match name {
            "CPUUtilization" => {
                // Requests against an average day, spread over the tasks that do the work.
                let healthy = self.health(site, service, at).0;
                let busy = self.requests(site, minute) / (9_000.0 * self.fleet.sites[site].demand);
                let spread = f64::from(spec.base) / healthy.max(1) as f64;
                let idle = if healthy == 0 { 0.05 } else { 1.0 };
                let cpu = (8.0 + 26.0 * busy * spread * idle + 2.5 * noise).clamp(1.0, 99.5);
                level([cpu - 1.2, cpu, cpu + 1.2], "Percent")
            }
            "MemoryUtilization" => {
                let memory = 46.0 + 3.0 * noise + 2.0 * f64::from(desired - running);
                level([memory], "Percent")
            }
            _ => None,
        }
    }

    fn database_measured(&self, site: usize, name: &str, minute: Timestamp) -> Option<Samples> {
        if !self.fleet.aurora.contains(&site) {
            return None;
        }
        let lags = || [10, 30, 50].map(|second| self.aurora_lag(site, before(minute, -second)));
        let secondary = |factor: f64| {
            level(lags().into_iter().flatten().map(|lag| (lag * factor).round()), "Milliseconds")
        };
        let requests = self.requests(self.aurora_writer(minute)?, minute);
        match name {
            "AuroraGlobalDBRPOLag" => secondary(0.9),
            "AuroraGlobalDBReplicationLag" => secondary(1.0),
            "AuroraGlobalDBProgressLag" => secondary(1.1),
            "AuroraGlobalDBDataTransferBytes" => {
                self.aurora_lag(site, minute).and_then(|_| level([requests * 2_100.0], "Bytes"))
            }
            "AuroraGlobalDBReplicatedWriteIO" => {
                self.aurora_lag(site, minute).map(|_| count((requests * 0.4).round()))
            }
            "CPUUtilization" => {
                let salt = self.salt(&format!("database/{}", self.fleet.sites[site].region));
                level([22.0 + 4.0 * noise::smooth(salt, minutes(minute) / 3.0)], "Percent")
            }
            _ => None,
        }
    }

    fn dns_measured(&self, check: &str, name: &str, minute: Timestamp) -> Option<Samples> {
        let check = self.check(check)?;
        let site = check.site;
        let at = [10, 30, 50].map(|second| before(minute, -second));
        let salt = self.salt(&format!("checker-times/{}", check.id));
        let noise = noise::smooth(salt, minutes(minute));
        match (name, check.kind) {
            ("HealthCheckStatus", _) => {
                return level(at.map(|at| f64::from(u8::from(self.check_healthy(&check.id, at)))), "None");
            }
            ("ChildHealthCheckHealthyCount", Kind::Calculated) => {
                return level(at.map(|at| self.healthy_children(check, at) as f64), "Count");
            }
            (_, Kind::Endpoint) => {}
            _ => return None,
        }
        // A disabled check asks nobody.
        if self.setting(check, at[1]).disabled {
            return None;
        }
        let answers =
            matches!(self.front_of(site, super::dns::HEALTH_PATH, at[1]), super::dns::Front::Serving(_));
        match name {
            "HealthCheckPercentageHealthy" => {
                level(at.map(|at| 100.0 * self.checkers_healthy(site, at)), "Percent")
            }
            "ConnectionTime" if answers => level([42.0 + 4.0 * noise], "Milliseconds"),
            "SSLHandshakeTime" if answers => level([88.0 + 7.0 * noise], "Milliseconds"),
            "TimeToFirstByte" if answers => level([121.0 + 9.0 * noise], "Milliseconds"),
            _ => None,
        }
    }

    /// Every series of a region that has had data of late.
    fn metric_ids(&self, region: &str, now: Timestamp) -> Vec<MetricId> {
        let mut ids = Vec::new();
        let mut add = |namespace: &str, names: &[&str], dimensions: &[(&str, &str)]| {
            ids.extend(names.iter().map(|name| MetricId {
                namespace: namespace.to_owned(),
                name: (*name).to_owned(),
                dimensions: dimensions.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
            }));
        };
        if region == "us-east-1" {
            for site in &self.fleet.sites {
                let names = [
                    "HealthCheckStatus",
                    "HealthCheckPercentageHealthy",
                    "ConnectionTime",
                    "SSLHandshakeTime",
                    "TimeToFirstByte",
                ];
                add(DNS, &names, &[("HealthCheckId", &site.health_check)]);
            }
            for check in self.checks.iter().filter(|check| check.kind != Kind::Endpoint) {
                let names = ["HealthCheckStatus", "ChildHealthCheckHealthyCount"];
                let count = if check.kind == Kind::Calculated { 2 } else { 1 };
                add(DNS, &names[..count], &[("HealthCheckId", &check.id)]);
            }
        }
        let Some(site) = self.fleet.site(region) else {
            self.stores.metric_ids(region, now, &mut ids);
            return ids;
        };
        let lb = ("LoadBalancer", site.lb_dimension.as_str());
        let requests = ["RequestCount", "HTTPCode_Target_5XX_Count", "TargetResponseTime"];
        add(ALB, &requests, &[lb]);
        add(ALB, &["HTTPCode_ELB_5XX_Count", "ConsumedLCUs"], &[lb]);
        for group in &site.groups {
            let dimensions = [("TargetGroup", group.dimension.as_str()), lb];
            add(ALB, &requests, &dimensions);
            add(ALB, &["HealthyHostCount", "UnHealthyHostCount"], &dimensions);
        }
        for spec in &self.fleet.services {
            let dimensions = [("ClusterName", CLUSTER), ("ServiceName", spec.name.as_str())];
            add(ECS, &["CPUUtilization", "MemoryUtilization"], &dimensions);
        }
        for table in self.fleet.tables.iter().filter(|table| table.sites.contains(&site.index)) {
            let name = ("TableName", table.name.as_str());
            add(DYNAMO, &["ConsumedWriteCapacityUnits"], &[name]);
            if self.write_throttles(table, site.index, now) > 0.0 {
                add(DYNAMO, &["WriteThrottleEvents"], &[name]);
            }
            for to in table.sites.iter().filter(|to| **to != site.index && !table.strong) {
                let receiver = self.fleet.sites[*to].region.as_str();
                add(DYNAMO, &["ReplicationLatency"], &[name, ("ReceivingRegion", receiver)]);
            }
        }
        if self.fleet.aurora.contains(&site.index) {
            let dimensions = [("DBClusterIdentifier", site.db_cluster.as_str())];
            add(RDS, &["CPUUtilization"], &dimensions);
            if self.aurora_writer(now) != Some(site.index) {
                let lags = [
                    "AuroraGlobalDBRPOLag",
                    "AuroraGlobalDBReplicationLag",
                    "AuroraGlobalDBProgressLag",
                    "AuroraGlobalDBDataTransferBytes",
                    "AuroraGlobalDBReplicatedWriteIO",
                ];
                add(RDS, &lags, &dimensions);
            }
        }
        for rule in &self.fleet.rules {
            let dimensions = [
                ("SourceBucket", self.fleet.sites[rule.from].bucket.as_str()),
                ("DestinationBucket", self.fleet.sites[rule.to].bucket.as_str()),
                ("RuleId", rule.id.as_str()),
            ];
            if rule.to == site.index {
                let names = ["ReplicationLatency", "BytesPendingReplication", "OperationsPendingReplication"];
                add(S3, &names, &dimensions);
            }
            if rule.from == site.index {
                add(S3, &["OperationsFailedReplication"], &dimensions);
            }
        }
        self.stores.metric_ids(region, now, &mut ids);
        ids
    }
}
