//! What a cleanup reads before it plans: existence, tags and protection of everything that the topology names.
//!
//! What it is for: one list in the order of the deletion. What it must not do: ask about anything outside it.

use super::chain::arn;
use super::edge::{checks_of, clusters, groups};
use crate::domain::Topology;
use crate::domain::ids::{AlarmName, Arn, BucketName, HealthCheckId, Region};
use crate::domain::topology::{AuroraGlobal, AuroraMember, DNS_REGION, RegionEntry};
use crate::runbook::fact::Fact;
use crate::runbook::situation::{names_of, switch_fact};

/// Everything to read; `None` for the whole application.
pub(super) fn wants(topology: &Topology, region: Option<&Region>) -> Vec<Fact> {
    let mut wants = Vec::new();
    let mut push = |fact: Fact| {
        if !wants.contains(&fact) {
            wants.push(fact);
        }
    };
    let inside = |name: &Region| region.is_none_or(|only| only == name);
    let dns = Region::new(DNS_REGION);
    for record in topology.records.iter().filter(|record| inside(&record.region)) {
        push(Fact::Records(record.zone_id.clone(), record.name.clone()));
    }
    for name in region.into_iter().flat_map(|region| names_of(topology, region)) {
        push(Fact::Answers(name));
    }
    // What else may keep a region out of DNS; when everything goes, nothing needs to.
    let controls = topology.arc.iter().flat_map(|arc| &arc.routing_controls);
    for control in controls.filter(|control| region == Some(&control.region)) {
        push(Fact::RoutingControl(control.arn.clone()));
    }
    for switch in topology.switches.iter().filter(|switch| region == Some(&switch.region)) {
        push(switch_fact(switch));
    }
    for entry in topology.regions.iter().filter(|entry| inside(&entry.name)) {
        for check in checks_of(topology, &entry.name) {
            push(Fact::HealthCheck(check.clone()));
            push(Fact::Tags(dns.clone(), check_arn(&check)));
        }
        of_region(topology, entry, &mut push);
    }
    // Which of them watch what goes, the snapshot tells; whose they are, their tags.
    let outside = topology.region(&dns).filter(|entry| !inside(&entry.name)).map(|entry| &entry.alarms);
    for name in topology.dns.alarms.iter().chain(outside.into_iter().flatten()) {
        push(Fact::Alarm(dns.clone(), name.clone()));
        push(Fact::Tags(dns.clone(), alarm_arn(topology, &dns, name)));
    }
    if region.is_none() {
        for topic in &topology.dns.topics {
            push(Fact::Tags(dns.clone(), topic.clone()));
        }
    }
    for global in &topology.aurora {
        for member in &global.members {
            push(Fact::GlobalCluster(member.region.clone(), global.id.clone()));
        }
        for member in global.members.iter().filter(|member| inside(&member.region)) {
            push(Fact::DbCluster(member.region.clone(), member.id.clone()));
            push(Fact::DbInstances(member.region.clone(), member.id.clone()));
            push(Fact::Tags(member.region.clone(), member.arn.clone()));
            push(Fact::Protection(member.region.clone(), member.arn.clone()));
        }
        if let (None, Some(first)) = (region, global.members.first()) {
            let arn = global_arn(global, first);
            push(Fact::Tags(first.region.clone(), arn.clone()));
            push(Fact::Protection(first.region.clone(), arn));
        }
    }
    for table in &topology.tables {
        // The others tell whether they are there to be asked.
        for here in &table.regions {
            push(Fact::Table(here.clone(), table.name.clone()));
        }
        for here in table.regions.iter().filter(|here| inside(here)) {
            let arn = arn(topology, "dynamodb", here, &format!("table/{}", table.name));
            push(Fact::Tags(here.clone(), arn.clone()));
            push(Fact::Protection(here.clone(), arn));
        }
    }
    for (here, bucket) in buckets(topology) {
        push(Fact::Tags(here.clone(), bucket_arn(&bucket)));
        if inside(&here) {
            push(Fact::Bucket(here, bucket));
        }
    }
    let stacks = topology.cleanup.iter().flat_map(|cleanup| &cleanup.stacks);
    for stack in stacks.filter(|stack| inside(&stack.region)) {
        push(Fact::Stack(stack.region.clone(), stack.name.clone()));
        let arn = arn(topology, "cloudformation", &stack.region, &format!("stack/{}", stack.name));
        push(Fact::Tags(stack.region.clone(), arn));
    }
    wants
}

fn of_region(topology: &Topology, entry: &RegionEntry, push: &mut impl FnMut(Fact)) {
    let region = &entry.name;
    push(Fact::Requests(region.clone()));
    for name in &entry.alarms {
        push(Fact::Alarm(region.clone(), name.clone()));
        push(Fact::Tags(region.clone(), alarm_arn(topology, region, name)));
    }
    for topic in &entry.topics {
        push(Fact::Tags(region.clone(), topic.clone()));
    }
    for service in &entry.services {
        push(Fact::Service(region.clone(), service.key.clone()));
        push(Fact::Scaling(region.clone(), service.key.clone()));
        push(Fact::Tags(region.clone(), service.arn.clone()));
    }
    for cluster in clusters(entry) {
        push(Fact::Cluster(region.clone(), cluster.clone()));
        push(Fact::Tags(region.clone(), arn(topology, "ecs", region, &format!("cluster/{cluster}"))));
    }
    for lb in &entry.load_balancers {
        push(Fact::Balancer(region.clone(), lb.arn.clone()));
        push(Fact::Network(region.clone(), lb.arn.clone()));
        push(Fact::Tags(region.clone(), lb.arn.clone()));
    }
    for group in groups(entry) {
        push(Fact::Balancer(region.clone(), group.clone()));
        push(Fact::Tags(region.clone(), group));
    }
}

/// ARN of a health check.
pub(super) fn check_arn(check: &HealthCheckId) -> Arn {
    Arn::new(format!("arn:aws:route53:::healthcheck/{check}"))
}

/// ARN of an alarm.
pub(super) fn alarm_arn(topology: &Topology, region: &Region, name: &AlarmName) -> Arn {
    arn(topology, "cloudwatch", region, &format!("alarm:{name}"))
}

/// ARN of a bucket.
pub(super) fn bucket_arn(bucket: &BucketName) -> Arn {
    Arn::new(format!("arn:aws:s3:::{bucket}"))
}

/// ARN of a global cluster, which has no region.
pub(super) fn global_arn(global: &AuroraGlobal, member: &AuroraMember) -> Arn {
    global.arn.clone().unwrap_or_else(|| {
        let account = member.arn.account().map(|account| account.to_string()).unwrap_or_default();
        Arn::new(format!("arn:aws:rds::{account}:global-cluster:{}", global.id))
    })
}

/// Every bucket of the replication, once, in the topology's order.
pub(super) fn buckets(topology: &Topology) -> Vec<(Region, BucketName)> {
    let mut all = Vec::new();
    for rule in &topology.replication {
        for one in [
            (rule.source_region.clone(), rule.source.clone()),
            (rule.destination_region.clone(), rule.destination.clone()),
        ] {
            if !all.contains(&one) {
                all.push(one);
            }
        }
    }
    all
}
