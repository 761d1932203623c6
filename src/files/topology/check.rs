//! What makes a well-formed topology wrong.
//!
//! What it is for: the rules between values, so that a slip of the hand is found before AWS is asked, and
//! never shows as an outage. What it must not do: know TOML or files; paths name values, lines come later.

mod settings;
mod values;
mod wiring;

use std::collections::BTreeSet;

use values::{Expected, identifier, partition_like};

use super::Problem;
use crate::domain::Topology;
use crate::domain::ids::{Arn, Region};
use crate::domain::topology::{
    AuroraGlobal, BucketReplication, Hostname, LoadBalancer, LoadBalancerKind, Record, RoutingPolicy, Scope,
    Service, Table,
};

/// Every rule that `topology` breaks; empty when it can be used.
pub fn check(topology: &Topology) -> Vec<Problem> {
    let mut checker = Checker {
        topology,
        regions: topology.regions.iter().map(|entry| entry.name.clone()).collect(),
        problems: Vec::new(),
    };
    checker.head();
    for (name, scope) in &topology.scope {
        checker.scope(name, scope);
    }
    for (index, host) in topology.hostnames.iter().enumerate() {
        checker.hostname(&format!("hostname[{index}]"), index, host);
    }
    for (index, record) in topology.records.iter().enumerate() {
        checker.record(&format!("record[{index}]"), index, record);
    }
    checker.regions();
    for (index, table) in topology.tables.iter().enumerate() {
        checker.table(&format!("table[{index}]"), index, table);
    }
    for (index, global) in topology.aurora.iter().enumerate() {
        checker.aurora(&format!("aurora[{index}]"), index, global);
    }
    for (index, rule) in topology.replication.iter().enumerate() {
        checker.replication(&format!("replication[{index}]"), index, rule);
    }
    checker.dns();
    checker.wiring();
    checker.probe();
    checker.synthetic();
    checker.thresholds();
    checker.freshness();
    checker.policy();
    checker.problems
}

struct Checker<'t> {
    topology: &'t Topology,
    regions: BTreeSet<Region>,
    problems: Vec<Problem>,
}

impl Checker<'_> {
    fn say(&mut self, path: impl Into<String>, message: impl AsRef<str>) {
        self.problems.push(Problem { path: path.into(), line: None, message: message.as_ref().into() });
    }

    fn head(&mut self) {
        if self.topology.application.as_str().trim().is_empty() {
            self.say("application", "is empty; give the application a name");
        }
    }

    fn scope(&mut self, name: &str, scope: &Scope) {
        let path = format!("scope.{name}");
        if !matches!(name, "dns" | "lease" | "arc") && !self.regions.contains(name) {
            let listed = self.listed();
            self.say(&path, format!("is neither dns, lease, arc nor a region of this file; {listed}"));
        }
        if let Some(account) = &scope.account {
            self.account(&format!("{path}.account"), account);
        }
        if scope.profile.as_deref().is_some_and(|profile| profile.trim().is_empty()) {
            self.say(
                format!("{path}.profile"),
                "is empty; name a profile of ~/.aws/config or delete the key",
            );
        }
        if let Some(partition) = &scope.partition
            && !partition_like(partition)
        {
            self.say(
                format!("{path}.partition"),
                format!("`{partition}` is no partition; write aws, aws-cn, aws-us-gov or delete the key"),
            );
        }
        if let Some(role) = &scope.role_arn {
            let key = format!("{path}.role_arn");
            let expected = Expected {
                service: "iam",
                region: None,
                resource: "role/",
                example: "arn:aws:iam::123456789012:role/NAME",
            };
            self.arn(&key, role, &expected);
            let partition = scope.partition.as_deref().unwrap_or("aws");
            if role.partition().is_some_and(|of_role| of_role != partition) {
                self.say(
                    &key,
                    format!(
                        "is not of partition `{partition}`; set {path}.partition to the role's partition"
                    ),
                );
            }
        }
    }

    fn hostname(&mut self, path: &str, index: usize, host: &Hostname) {
        self.dns_name(&format!("{path}.name"), host.name.as_str());
        if self.topology.hostnames[..index].iter().any(|earlier| earlier.name == host.name) {
            self.say(format!("{path}.name"), format!("{} is listed twice; delete one", host.name));
        }
        if host.zone_id.as_ref().is_some_and(|zone| !identifier(zone.as_str())) {
            self.say(
                format!("{path}.zone_id"),
                "is no hosted zone id; write it without /hostedzone/, such as \"Z0123456789ABC\"",
            );
        }
    }

    fn record(&mut self, path: &str, index: usize, record: &Record) {
        self.dns_name(&format!("{path}.name"), record.name.as_str());
        if !matches!(record.record_type.as_str(), "A" | "AAAA") {
            let found = crate::domain::text::clean(&record.record_type);
            self.say(
                format!("{path}.type"),
                format!("\"{found}\" cannot lead to a load balancer; write A or AAAA"),
            );
        }
        for (key, zone) in [("zone_id", &record.zone_id), ("alias_zone_id", &record.alias_zone_id)] {
            if !identifier(zone.as_str()) {
                self.say(
                    format!("{path}.{key}"),
                    "is no hosted zone id; write it without /hostedzone/, such as \"Z0123456789ABC\"",
                );
            }
        }
        let identified = record.set_identifier.as_ref().is_some_and(|id| !id.is_empty());
        if !identified && record.policy != RoutingPolicy::Simple {
            self.say(
                format!("{path}.set_identifier"),
                "is missing, and every policy but simple needs one; copy it from the record in Route 53",
            );
        }
        let same = |other: &Record| {
            (&other.name, &other.record_type, &other.set_identifier)
                == (&record.name, &record.record_type, &record.set_identifier)
        };
        if self.topology.records[..index].iter().any(same) {
            self.say(path, "repeats an earlier record (name, type and set_identifier); delete one");
        }
        self.check_id(&format!("{path}.health_check"), record.health_check.as_ref());
        self.dns_name(&format!("{path}.alias_target"), record.alias_target.as_str());
        if self.listed_region(&format!("{path}.region"), &record.region) {
            self.alias(path, record);
        }
    }

    fn alias(&mut self, path: &str, record: &Record) {
        let Some(entry) = self.topology.region(&record.region) else { return };
        let plain = |name: &str| name.strip_prefix("dualstack.").unwrap_or(name).to_ascii_lowercase();
        let target = plain(record.alias_target.as_str());
        let balancers = &entry.load_balancers;
        if !balancers.is_empty() && !balancers.iter().any(|lb| plain(lb.dns_name.as_str()) == target) {
            let names: Vec<&str> = balancers.iter().map(|lb| lb.dns_name.as_str()).collect();
            self.say(
                format!("{path}.alias_target"),
                format!("{target} is no load balancer of {}; there are {}", record.region, names.join(", ")),
            );
        }
    }

    fn regions(&mut self) {
        if self.topology.regions.is_empty() {
            self.say("", "no region is listed; add a [[region]] with its name");
        }
        for (index, entry) in self.topology.regions.iter().enumerate() {
            let path = format!("region[{index}]");
            self.region_name(&format!("{path}.name"), &entry.name);
            if self.topology.regions[..index].iter().any(|earlier| earlier.name == entry.name) {
                self.say(format!("{path}.name"), format!("{} is listed twice; merge the two", entry.name));
            }
            for (lb_index, balancer) in entry.load_balancers.iter().enumerate() {
                let path = format!("{path}.load_balancer[{lb_index}]");
                self.load_balancer(&path, &entry.name, balancer);
                if entry.load_balancers[..lb_index].iter().any(|earlier| earlier.arn == balancer.arn) {
                    self.say(format!("{path}.arn"), "is listed twice in this region; delete one");
                }
            }
            for (service_index, service) in entry.services.iter().enumerate() {
                let path = format!("{path}.service[{service_index}]");
                self.service(&path, &entry.name, service);
                if entry.services[..service_index].iter().any(|earlier| earlier.key == service.key) {
                    self.say(
                        format!("{path}.service"),
                        format!("{} is listed twice in this region; delete one", service.key),
                    );
                }
            }
            for (alarm_index, alarm) in entry.alarms.iter().enumerate() {
                if alarm.as_str().trim().is_empty() {
                    self.say(format!("{path}.alarms[{alarm_index}]"), "is empty; name an alarm or delete it");
                }
            }
            for (topic_index, topic) in entry.topics.iter().enumerate() {
                let example = format!("arn:aws:sns:{}:123456789012:NAME", entry.name);
                let expected =
                    Expected { service: "sns", region: Some(&entry.name), resource: "", example: &example };
                self.arn(&format!("{path}.topics[{topic_index}]"), topic, &expected);
            }
        }
    }

    fn load_balancer(&mut self, path: &str, region: &Region, balancer: &LoadBalancer) {
        if balancer.name.is_empty() {
            self.say(format!("{path}.name"), "is empty; write the load balancer's name");
        }
        self.dns_name(&format!("{path}.dns_name"), balancer.dns_name.as_str());
        if !identifier(balancer.canonical_zone_id.as_str()) {
            self.say(
                format!("{path}.canonical_zone_id"),
                "is no hosted zone id; it is CanonicalHostedZoneId of DescribeLoadBalancers",
            );
        }
        let (resource, kind) = match balancer.kind {
            LoadBalancerKind::Application => ("loadbalancer/app/", "application"),
            LoadBalancerKind::Network => ("loadbalancer/net/", "network"),
        };
        let example = format!("arn:aws:elasticloadbalancing:{region}:123456789012:{resource}NAME/HASH");
        let expected = Expected {
            service: "elasticloadbalancing",
            region: Some(region),
            resource: "loadbalancer/",
            example: &example,
        };
        let key = format!("{path}.arn");
        if self.arn(&key, &balancer.arn, &expected)
            && !balancer.arn.resource().is_some_and(|found| found.starts_with(resource))
        {
            self.say(
                format!("{path}.kind"),
                format!(
                    "is {kind}, but the ARN is of another kind; write application or network as the ARN says"
                ),
            );
        }
        for (index, group) in balancer.target_groups.iter().enumerate() {
            self.target_group(&format!("{path}.target_groups[{index}]"), region, group);
        }
    }

    fn target_group(&mut self, path: &str, region: &Region, group: &Arn) {
        let example = format!("arn:aws:elasticloadbalancing:{region}:123456789012:targetgroup/NAME/HASH");
        let expected = Expected {
            service: "elasticloadbalancing",
            region: Some(region),
            resource: "targetgroup/",
            example: &example,
        };
        self.arn(path, group, &expected);
    }

    fn service(&mut self, path: &str, region: &Region, service: &Service) {
        for (key, value) in
            [("cluster", service.key.cluster.as_str()), ("service", service.key.service.as_str())]
        {
            if value.is_empty() || value.contains('/') {
                self.say(format!("{path}.{key}"), "is no name; write the name alone, without the ARN");
            }
        }
        let example = format!("arn:aws:ecs:{region}:123456789012:service/{}", service.key);
        let expected =
            Expected { service: "ecs", region: Some(region), resource: "service/", example: &example };
        let key = format!("{path}.arn");
        let named = service.key.service.as_str();
        if self.arn(&key, &service.arn, &expected) && !named.is_empty() && service.arn.short_name() != named {
            self.say(
                &key,
                format!("is of another service than {}; correct the one or the other", service.key),
            );
        }
        for (index, group) in service.target_groups.iter().enumerate() {
            self.target_group(&format!("{path}.target_groups[{index}]"), region, group);
        }
    }

    fn table(&mut self, path: &str, index: usize, table: &Table) {
        if !identifier(table.name.as_str()) {
            self.say(format!("{path}.name"), "is no table name; write the name alone, without the ARN");
        }
        if self.topology.tables[..index].iter().any(|earlier| earlier.name == table.name) {
            self.say(format!("{path}.name"), format!("{} is listed twice; merge the two", table.name));
        }
        self.some_listed(&format!("{path}.regions"), &table.regions);
        for (index, region) in table.regions.iter().enumerate() {
            self.region_name(&format!("{path}.regions[{index}]"), region);
            if table.regions[..index].contains(region) {
                self.say(format!("{path}.regions[{index}]"), format!("{region} is listed twice; delete one"));
            }
        }
        if let Some(witness) = &table.witness {
            self.region_name(&format!("{path}.witness"), witness);
            if table.regions.contains(witness) {
                self.say(
                    format!("{path}.witness"),
                    format!("{witness} holds a replica; a witness stands in a region without one"),
                );
            }
        }
    }

    fn aurora(&mut self, path: &str, index: usize, global: &AuroraGlobal) {
        if !identifier(global.id.as_str()) {
            self.say(format!("{path}.id"), "is no identifier; write the identifier alone, without the ARN");
        }
        if self.topology.aurora[..index].iter().any(|earlier| earlier.id == global.id) {
            self.say(format!("{path}.id"), format!("{} is listed twice; merge the two", global.id));
        }
        if let Some(arn) = &global.arn {
            let expected = Expected {
                service: "rds",
                region: None,
                resource: "global-cluster:",
                example: "arn:aws:rds::123456789012:global-cluster:NAME",
            };
            self.arn(&format!("{path}.arn"), arn, &expected);
        }
        let regions: Vec<Region> = global.members.iter().map(|member| member.region.clone()).collect();
        self.some_listed(&format!("{path}.member"), &regions);
        for (index, member) in global.members.iter().enumerate() {
            let path = format!("{path}.member[{index}]");
            self.region_name(&format!("{path}.region"), &member.region);
            if regions[..index].contains(&member.region) {
                self.say(
                    format!("{path}.region"),
                    format!(
                        "{} has two members, and a global cluster has one a region; delete one",
                        member.region
                    ),
                );
            }
            if !identifier(member.id.as_str()) {
                self.say(
                    format!("{path}.id"),
                    "is no identifier; write the identifier alone, without the ARN",
                );
            }
            let example = format!("arn:aws:rds:{}:123456789012:cluster:{}", member.region, member.id);
            let expected = Expected {
                service: "rds",
                region: Some(&member.region),
                resource: "cluster:",
                example: &example,
            };
            let key = format!("{path}.arn");
            if self.arn(&key, &member.arn, &expected) && member.arn.short_name() != member.id.as_str() {
                self.say(
                    &key,
                    format!("is of another cluster than {}; correct the one or the other", member.id),
                );
            }
        }
    }

    fn replication(&mut self, path: &str, index: usize, rule: &BucketReplication) {
        for (key, bucket) in [("source", &rule.source), ("destination", &rule.destination)] {
            if !identifier(bucket.as_str()) {
                self.say(format!("{path}.{key}"), "is no bucket name; write the name alone, without the ARN");
            }
        }
        if rule.rule.is_empty() {
            self.say(format!("{path}.rule"), "is empty; write the rule's id, a dimension of its metrics");
        }
        if rule.source == rule.destination {
            self.say(format!("{path}.destination"), "is the source itself; name the other bucket");
        }
        let same = |other: &BucketReplication| {
            (&other.source, &other.destination, &other.rule) == (&rule.source, &rule.destination, &rule.rule)
        };
        if self.topology.replication[..index].iter().any(same) {
            self.say(path, "repeats an earlier entry (source, destination and rule); delete one");
        }
        for (key, region) in
            [("source_region", &rule.source_region), ("destination_region", &rule.destination_region)]
        {
            self.region_name(&format!("{path}.{key}"), region);
        }
        let regions = [rule.source_region.clone(), rule.destination_region.clone()];
        self.some_listed(&format!("{path}.source_region"), &regions);
    }
}
