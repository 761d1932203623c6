//! Alarms that watch the application, and the topics that they notify.
//!
//! What it is for: matching dimensions of alarms with what was found; composite alarms by their rules.
//! What it must not do: ask AWS anything.

use std::collections::BTreeSet;

use super::inventory::Alarm;
use super::report::{Report, listed};
use crate::domain::ids::{AlarmName, Arn, DbClusterId, Region};
use crate::domain::observation::ProbeError;
use crate::domain::topology::{AuroraGlobal, BucketReplication, RegionEntry, Table};

/// Values of the dimensions by which an alarm is known to watch the application, in one region.
pub(super) struct Ours {
    dimensions: BTreeSet<(&'static str, String)>,
    /// Services as cluster and name: names repeat across clusters.
    services: BTreeSet<(String, String)>,
}

impl Ours {
    pub(super) fn of(
        entry: &RegionEntry,
        tables: &[Table],
        aurora: &[AuroraGlobal],
        replication: &[BucketReplication],
        checks: &BTreeSet<&str>,
    ) -> Self {
        let mut dimensions = BTreeSet::new();
        for lb in &entry.load_balancers {
            dimensions.extend(lb.arn.elb_dimension().map(|value| ("LoadBalancer", value.to_owned())));
            let groups = lb.target_groups.iter().filter_map(Arn::elb_dimension);
            dimensions.extend(groups.map(|value| ("TargetGroup", value.to_owned())));
        }
        let here = tables.iter().filter(|table| table.regions.contains(&entry.name));
        dimensions.extend(here.map(|table| ("TableName", table.name.as_str().to_owned())));
        let clusters: Vec<&DbClusterId> = aurora
            .iter()
            .flat_map(|global| &global.members)
            .filter(|member| member.region == entry.name)
            .map(|member| &member.id)
            .collect();
        dimensions.extend(clusters.iter().map(|id| ("DBClusterIdentifier", id.as_str().to_owned())));
        for rule in replication {
            if rule.source_region == entry.name {
                dimensions.insert(("BucketName", rule.source.as_str().to_owned()));
                dimensions.insert(("SourceBucket", rule.source.as_str().to_owned()));
            }
            if rule.destination_region == entry.name {
                dimensions.insert(("BucketName", rule.destination.as_str().to_owned()));
                dimensions.insert(("DestinationBucket", rule.destination.as_str().to_owned()));
            }
        }
        // Metrics of health checks exist in one region only, so such an alarm can be nowhere else.
        dimensions.extend(checks.iter().map(|check| ("HealthCheckId", (*check).to_owned())));
        let services = entry
            .services
            .iter()
            .map(|service| (service.key.cluster.as_str().to_owned(), service.key.service.as_str().to_owned()))
            .collect();
        Self { dimensions, services }
    }

    /// The health checks alone.
    pub(super) fn checks(checks: &BTreeSet<&str>) -> Self {
        let dimensions = checks.iter().map(|check| ("HealthCheckId", (*check).to_owned()));
        Self { dimensions: dimensions.collect(), services: BTreeSet::new() }
    }

    fn watched_by(&self, alarm: &Alarm) -> bool {
        alarm.dimensions.iter().any(|set| {
            let service = set.get("ClusterName").zip(set.get("ServiceName"));
            service.is_some_and(|(cluster, name)| self.services.contains(&(cluster.clone(), name.clone())))
                || self.dimensions.iter().any(|(name, value)| set.get(*name) == Some(value))
        })
    }
}

/// The alarms of `region` that watch the application, and the topics there that they notify.
pub(super) fn watching(
    region: &Region,
    alarms: &Result<Vec<Alarm>, ProbeError>,
    ours: &Ours,
    report: &mut Report,
) -> (Vec<AlarmName>, Vec<Arn>) {
    let at = region.as_str();
    let all = match alarms {
        Ok(all) => all,
        Err(error) => {
            report.failed(at, "CloudWatch alarms", error);
            return (Vec::new(), Vec::new());
        }
    };
    let mut kept: Vec<&Alarm> = all.iter().filter(|alarm| ours.watched_by(alarm)).collect();
    let composite: Vec<&Alarm> = all
        .iter()
        .filter(|alarm| {
            let names = |rule: &String| kept.iter().any(|metric| mentions(rule, metric.name.as_str()));
            alarm.rule.as_ref().is_some_and(names)
        })
        .collect();
    kept.extend(composite);
    kept.sort_by(|a, b| a.name.cmp(&b.name));
    let topics: BTreeSet<Arn> = kept
        .iter()
        .flat_map(|alarm| &alarm.actions)
        .filter(|arn| arn.as_str().contains(":sns:") && arn.region().as_ref() == Some(region))
        .cloned()
        .collect();
    if kept.is_empty() {
        report.missing(format!("{at}: no alarm that watches what was found"));
    } else {
        let names: Vec<String> = kept.iter().map(|alarm| alarm.name.to_string()).collect();
        report.found(format!("{at}: {} alarm(s): {}", kept.len(), listed(&names)));
    }
    for topic in &topics {
        report.found(format!("{at}: topic {}", topic.short_name()));
    }
    (kept.into_iter().map(|alarm| alarm.name.clone()).collect(), topics.into_iter().collect())
}

/// A composite rule names alarms as `ALARM("name")`, `ALARM(name)` or by ARN.
fn mentions(rule: &str, name: &str) -> bool {
    rule.match_indices(name).any(|(start, _)| {
        let before = rule[..start].chars().next_back();
        let after = rule[start + name.len()..].chars().next();
        let edge = |c: Option<char>| c.is_none_or(|c| matches!(c, '"' | '\'' | '(' | ')' | ':' | ' '));
        edge(before) && edge(after)
    })
}
