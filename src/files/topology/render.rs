//! A topology as commented TOML.
//!
//! What it is for: the file that `init` writes and people then edit: each part opens with a sentence that
//! says what it is for, and every default stands there to be changed.
//! What it must not do: leave anything out, so that what is read back equals what was written.

mod wiring;

use std::fmt::{self, Write};

use crate::domain::Topology;
use crate::domain::ids::{AccountId, AlarmName, Arn, HealthCheckId, Region, ZoneId};
use crate::domain::text::Text;
use crate::domain::topology::{
    AuroraGlobal, BucketReplication, DnsEntry, FrontDoor, Hostname, Levels, LoadBalancer, LoadBalancerKind,
    Policy, ProbeSettings, Record, RegionEntry, RoutingPolicy, Scope, Service, Table, Thresholds,
};

/// The text of the file.
pub fn render(topology: &Topology) -> String {
    let mut out = String::new();
    // Writing into a String cannot fail.
    let _ = document(&mut out, topology);
    out
}

/// The part of the file that discovery cannot write: evacuation switches, routing controls, the lease.
pub fn render_wiring(topology: &Topology) -> String {
    let mut out = String::new();
    let parts = wiring::switches(&mut out, &topology.switches)
        .and_then(|()| wiring::arc(&mut out, topology.arc.as_ref()))
        .and_then(|()| wiring::lease(&mut out, topology.lease.as_ref()));
    // Writing into a String cannot fail.
    let _ = parts;
    out
}

fn document(out: &mut String, topology: &Topology) -> fmt::Result {
    writeln!(out, "# The topology of one application for switchtower: what it consists of, and where.")?;
    writeln!(
        out,
        "# Written by `switchtower init`; edit it as you like: errors are shown with line and key."
    )?;
    writeln!(out, "# Everything here is looked at; nothing is changed without a runbook that you confirm.")?;
    writeln!(out)?;
    writeln!(out, "# The format of this file.")?;
    writeln!(out, "version = {}", topology.version)?;
    writeln!(out, "# The name that the banner, the saved state and the logs use.")?;
    writeln!(out, "application = {}", text(topology.application.as_str()))?;
    wiring::evacuation(out, &topology.evacuation)?;
    section(
        out,
        &[
            "Who is asked, and as whom. `account` must be the one that answers, or nothing is acted on.",
            "`profile` is one of ~/.aws/config, `role_arn` is assumed on top of it; without both, the default",
            "credentials are used. `dns` is for Route 53; the others are regions.",
        ],
        &topology.scope,
        |out, (name, part)| scope(out, name, part),
    )?;
    section(
        out,
        &["The names that users ask for, and the hosted zone that answers for each."],
        &topology.hostnames,
        hostname,
    )?;
    section(
        out,
        &["Every record that leads to one of the load balancers below, and to which region."],
        &topology.records,
        record,
    )?;
    section(
        out,
        &["The regions in the order of the screen, with what runs there."],
        &topology.regions,
        region,
    )?;
    section(out, &["DynamoDB global tables and the regions that hold a replica."], &topology.tables, table)?;
    section(
        out,
        &["Aurora global clusters. Which member writes is observed, never configured."],
        &topology.aurora,
        aurora,
    )?;
    section(
        out,
        &[
            "Replicated buckets, one entry a direction and rule; `metrics` says whether the rule publishes any.",
        ],
        &topology.replication,
        replication,
    )?;
    dns(out, &topology.dns)?;
    wiring::switches(out, &topology.switches)?;
    wiring::arc(out, topology.arc.as_ref())?;
    probe(out, &topology.probe)?;
    wiring::synthetic(out, &topology.synthetic)?;
    thresholds(out, &topology.thresholds)?;
    freshness(out, topology)?;
    policy(out, &topology.policy)?;
    wiring::lease(out, topology.lease.as_ref())?;
    wiring::notify(out, topology.notify.as_ref())?;
    wiring::cleanup(out, topology.cleanup.as_ref())
}

/// A comment, then each item; nothing at all when there is no item.
fn section<I: IntoIterator>(
    out: &mut String,
    comment: &[&str],
    items: I,
    mut each: impl FnMut(&mut String, I::Item) -> fmt::Result,
) -> fmt::Result {
    for (index, item) in items.into_iter().enumerate() {
        writeln!(out)?;
        if index == 0 {
            for line in comment {
                writeln!(out, "# {line}")?;
            }
        }
        each(out, item)?;
    }
    Ok(())
}

fn scope(out: &mut String, name: &str, scope: &Scope) -> fmt::Result {
    writeln!(out, "[scope.{}]", key(name))?;
    optional(out, "account", scope.account.as_ref().map(AccountId::as_str))?;
    optional(out, "profile", scope.profile.as_deref())?;
    optional(out, "role_arn", scope.role_arn.as_ref().map(Arn::as_str))?;
    optional(out, "partition", scope.partition.as_deref())
}

fn hostname(out: &mut String, host: &Hostname) -> fmt::Result {
    writeln!(out, "[[hostname]]")?;
    entry(out, "name", host.name.as_str())?;
    optional(out, "zone_id", host.zone_id.as_ref().map(ZoneId::as_str))?;
    if host.private_zone {
        writeln!(out, "# A private zone is observed and never acted on.")?;
        writeln!(out, "private_zone = true")?;
    }
    let door = match host.front_door {
        FrontDoor::LoadBalancer => "load_balancer",
        FrontDoor::Cloudfront => "cloudfront",
        FrontDoor::GlobalAccelerator => "global_accelerator",
        FrontDoor::Unknown => "unknown",
    };
    if host.front_door != FrontDoor::LoadBalancer {
        writeln!(out, "# A front door other than a load balancer is observed and never acted on.")?;
    }
    entry(out, "front_door", door)
}

fn record(out: &mut String, record: &Record) -> fmt::Result {
    let policy = match record.policy {
        RoutingPolicy::Simple => "simple",
        RoutingPolicy::Latency => "latency",
        RoutingPolicy::Geolocation => "geolocation",
        RoutingPolicy::Geoproximity => "geoproximity",
        RoutingPolicy::Weighted => "weighted",
        RoutingPolicy::Failover => "failover",
        RoutingPolicy::Multivalue => "multivalue",
        RoutingPolicy::IpBased => "ip_based",
    };
    writeln!(out, "[[record]]")?;
    entry(out, "name", record.name.as_str())?;
    entry(out, "type", &record.record_type)?;
    entry(out, "zone_id", record.zone_id.as_str())?;
    optional(out, "set_identifier", record.set_identifier.as_ref().map(Text::as_str))?;
    entry(out, "policy", policy)?;
    entry(out, "region", record.region.as_str())?;
    entry(out, "alias_target", record.alias_target.as_str())?;
    entry(out, "alias_zone_id", record.alias_zone_id.as_str())?;
    writeln!(out, "evaluate_target_health = {}", record.evaluate_target_health)?;
    optional(out, "health_check", record.health_check.as_ref().map(HealthCheckId::as_str))
}

fn region(out: &mut String, region: &RegionEntry) -> fmt::Result {
    writeln!(out, "[[region]]")?;
    entry(out, "name", region.name.as_str())?;
    if !region.alarms.is_empty() {
        writeln!(out, "# CloudWatch alarms that watch the application here.")?;
        writeln!(out, "alarms = {}", list(region.alarms.iter().map(AlarmName::as_str)))?;
    }
    if !region.topics.is_empty() {
        writeln!(out, "# SNS topics that those alarms notify.")?;
        writeln!(out, "topics = {}", list(region.topics.iter().map(Arn::as_str)))?;
    }
    section(
        out,
        &["Load balancers that the records point at, with all their target groups."],
        &region.load_balancers,
        load_balancer,
    )?;
    section(
        out,
        &[
            "ECS services behind them; `scalable` says whether Application Auto Scaling moves their count. When the",
            "region is evacuated and scaled to zero they `stop`, or `keep` running (`on_evacuate`); those that use the",
            "Aurora writer (`uses_database`) may need a new deployment after a promotion.",
        ],
        &region.services,
        service,
    )
}

fn load_balancer(out: &mut String, balancer: &LoadBalancer) -> fmt::Result {
    writeln!(out, "[[region.load_balancer]]")?;
    entry(out, "name", balancer.name.as_str())?;
    entry(out, "arn", balancer.arn.as_str())?;
    entry(out, "dns_name", balancer.dns_name.as_str())?;
    entry(out, "canonical_zone_id", balancer.canonical_zone_id.as_str())?;
    let kind = match balancer.kind {
        LoadBalancerKind::Application => "application",
        LoadBalancerKind::Network => "network",
    };
    entry(out, "kind", kind)?;
    writeln!(out, "target_groups = {}", list(balancer.target_groups.iter().map(Arn::as_str)))
}

fn service(out: &mut String, service: &Service) -> fmt::Result {
    writeln!(out, "[[region.service]]")?;
    entry(out, "cluster", service.key.cluster.as_str())?;
    entry(out, "service", service.key.service.as_str())?;
    entry(out, "arn", service.arn.as_str())?;
    if !service.target_groups.is_empty() {
        writeln!(out, "target_groups = {}", list(service.target_groups.iter().map(Arn::as_str)))?;
    }
    writeln!(out, "scalable = {}", service.scalable)?;
    wiring::service(out, service)
}

fn table(out: &mut String, table: &Table) -> fmt::Result {
    writeln!(out, "[[table]]")?;
    entry(out, "name", table.name.as_str())?;
    writeln!(out, "regions = {}", list(table.regions.iter().map(Region::as_str)))?;
    optional(out, "witness", table.witness.as_ref().map(Region::as_str))
}

fn aurora(out: &mut String, global: &AuroraGlobal) -> fmt::Result {
    writeln!(out, "[[aurora]]")?;
    entry(out, "id", global.id.as_str())?;
    optional(out, "arn", global.arn.as_ref().map(Arn::as_str))?;
    if !global.engine.is_empty() {
        entry(out, "engine", global.engine.as_str())?;
    }
    section(out, &["Its member clusters, one a region."], &global.members, |out, member| {
        writeln!(out, "[[aurora.member]]")?;
        entry(out, "region", member.region.as_str())?;
        entry(out, "id", member.id.as_str())?;
        entry(out, "arn", member.arn.as_str())
    })
}

fn replication(out: &mut String, rule: &BucketReplication) -> fmt::Result {
    writeln!(out, "[[replication]]")?;
    entry(out, "source", rule.source.as_str())?;
    entry(out, "source_region", rule.source_region.as_str())?;
    entry(out, "destination", rule.destination.as_str())?;
    entry(out, "destination_region", rule.destination_region.as_str())?;
    entry(out, "rule", rule.rule.as_str())?;
    writeln!(out, "metrics = {}", rule.metrics)
}

fn probe(out: &mut String, probe: &ProbeSettings) -> fmt::Result {
    writeln!(out)?;
    writeln!(
        out,
        "# Our own requests: each hostname is asked at each region's load balancer for this path."
    )?;
    writeln!(out, "[probe]")?;
    entry(out, "path", &probe.path)?;
    writeln!(out, "timeout_seconds = {}", probe.timeout_seconds)?;
    writeln!(
        out,
        "# A URL outside AWS that should always answer tells \"our network\" from \"their region\"."
    )?;
    match &probe.control {
        Some(url) => entry(out, "control", url)?,
        None => writeln!(out, "# control = \"https://example.net/\"")?,
    }
    if let Some(base) = &probe.base {
        writeln!(
            out,
            "# Asked instead of https://LOAD-BALANCER; {{region}} is replaced by the region's name."
        )?;
        entry(out, "base", base)?;
    }
    Ok(())
}

fn dns(out: &mut String, dns: &DnsEntry) -> fmt::Result {
    writeln!(out)?;
    writeln!(out, "# What belongs to Route 53 rather than to a region.")?;
    writeln!(out, "[dns]")?;
    if !dns.alarms.is_empty() {
        writeln!(out, "# Alarms on health checks, which live in us-east-1, also when nothing else does.")?;
        writeln!(out, "alarms = {}", list(dns.alarms.iter().map(AlarmName::as_str)))?;
    }
    if !dns.topics.is_empty() {
        writeln!(out, "# SNS topics that those alarms notify.")?;
        writeln!(out, "topics = {}", list(dns.topics.iter().map(Arn::as_str)))?;
    }
    writeln!(
        out,
        "# The name server that proves where DNS sends people; by default those of the hosted zone."
    )?;
    match &dns.server {
        Some(server) => entry(out, "server", &server.to_string()),
        None => writeln!(out, "# server = \"192.0.2.53:53\""),
    }
}

fn thresholds(out: &mut String, found: &Thresholds) -> fmt::Result {
    let default = Thresholds::default();
    let rows: [(&str, Levels, Levels, &str); 9] = [
        (
            "error_5xx_percent",
            found.error_5xx_percent,
            default.error_5xx_percent,
            "5XX of all requests, load balancer and targets, percent",
        ),
        ("p99_ms", found.p99_ms, default.p99_ms, "99th percentile of the response time, milliseconds"),
        (
            "replication_latency_ms",
            found.replication_latency_ms,
            default.replication_latency_ms,
            "DynamoDB replication latency, milliseconds (AWS's own tiers)",
        ),
        (
            "aurora_lag_ms",
            found.aurora_lag_ms,
            default.aurora_lag_ms,
            "Aurora replication and RPO lag, milliseconds",
        ),
        (
            "checkers_percent",
            found.checkers_percent,
            default.checkers_percent,
            "Route 53 checkers that call an endpoint healthy, percent; less is worse (AWS calls it ill at 18)",
        ),
        (
            "s3_latency_seconds",
            found.s3_latency_seconds,
            default.s3_latency_seconds,
            "S3 replication latency, seconds",
        ),
        ("cpu_percent", found.cpu_percent, default.cpu_percent, "CPU of an ECS service, percent"),
        (
            "certificate_days",
            found.certificate_days,
            default.certificate_days,
            "days that the served certificate is still valid; less is worse",
        ),
        ("probe_ms", found.probe_ms, default.probe_ms, "our own request as a whole, milliseconds"),
    ];
    writeln!(out)?;
    writeln!(
        out,
        "# What counts as ill. From `warning` on a region is degraded, from `critical` on impaired."
    )?;
    writeln!(out, "[thresholds]")?;
    for (key, levels, default, meaning) in rows {
        let default = format!("{} / {}", number(default.warning), number(default.critical));
        writeln!(out, "# {}; default {default}.", capital(meaning))?;
        writeln!(
            out,
            "{key} = {{ warning = {}, critical = {} }}",
            number(levels.warning),
            number(levels.critical)
        )?;
    }
    writeln!(
        out,
        "# DynamoDB replication latency that counts as severe, milliseconds; default {}.",
        number(default.replication_latency_severe_ms)
    )?;
    writeln!(out, "replication_latency_severe_ms = {}", number(found.replication_latency_severe_ms))
}

fn freshness(out: &mut String, topology: &Topology) -> fmt::Result {
    let found = &topology.freshness;
    let default = crate::domain::topology::Freshness::default();
    let rows = [
        ("targets", found.targets, default.targets, "target health"),
        ("services", found.services, default.services, "ECS services"),
        ("scaling", found.scaling, default.scaling, "scaling limits"),
        ("tables", found.tables, default.tables, "DynamoDB tables"),
        ("aurora", found.aurora, default.aurora, "Aurora clusters"),
        ("metrics", found.metrics, default.metrics, "CloudWatch metrics, which lag by minutes"),
        ("replication", found.replication, default.replication, "S3 replication rules"),
        ("alarms", found.alarms, default.alarms, "alarms"),
        ("topics", found.topics, default.topics, "SNS topics"),
        ("identity", found.identity, default.identity, "who we are (STS)"),
        ("probe", found.probe, default.probe, "our own requests"),
        ("records", found.records, default.records, "Route 53 records"),
        ("health_checks", found.health_checks, default.health_checks, "health check settings"),
        ("checkers", found.checkers, default.checkers, "what checkers last saw"),
    ];
    writeln!(out)?;
    writeln!(out, "# How many seconds old a value may be before it counts as unknown, never as healthy.")?;
    writeln!(out, "[freshness]")?;
    for (key, seconds, default, meaning) in rows {
        writeln!(out, "{:<24}# {meaning}; default {default}", format!("{key} = {seconds}"))?;
    }
    Ok(())
}

fn policy(out: &mut String, found: &Policy) -> fmt::Result {
    let default = Policy::default();
    writeln!(out)?;
    writeln!(out, "# Limits that runbooks obey; watching needs none of them.")?;
    writeln!(out, "[policy]")?;
    writeln!(
        out,
        "# Minutes that a surviving region must have been healthy before a planned move; default {}.",
        default.survivors_healthy_minutes
    )?;
    writeln!(out, "survivors_healthy_minutes = {}", found.survivors_healthy_minutes)?;
    writeln!(
        out,
        "# Seconds that resolvers may go on giving an old answer; Route 53 gives alias records 60; default {}.",
        default.answers_live_seconds
    )?;
    writeln!(out, "answers_live_seconds = {}", found.answers_live_seconds)?;
    writeln!(
        out,
        "# Minutes with less than 1 % of its requests that prove a drained region empty; 0 goes without; default {}.",
        default.quiet_minutes
    )?;
    writeln!(out, "quiet_minutes = {}", found.quiet_minutes)?;
    writeln!(
        out,
        "# Minutes that a restored region is watched before survivors give anything back; 0 goes without; default {}.",
        default.soak_minutes
    )?;
    writeln!(out, "soak_minutes = {}", found.soak_minutes)?;
    writeln!(
        out,
        "# The largest Aurora RPO lag at which a planned switchover may start, milliseconds; default {}.",
        number(default.max_rpo_lag_ms)
    )?;
    writeln!(out, "max_rpo_lag_ms = {}", number(found.max_rpo_lag_ms))?;
    writeln!(out, "# Minutes until an armed console is read-only again; default {}.", default.armed_minutes)?;
    writeln!(out, "armed_minutes = {}", found.armed_minutes)?;
    writeln!(
        out,
        "# With three or more regions: true when the survivors share the load of an evacuated one, false"
    )?;
    writeln!(
        out,
        "# when each of them must be able to carry all of it; default {}.",
        default.survivors_share
    )?;
    writeln!(out, "survivors_share = {}", found.survivors_share)?;
    section(out, &["Windows in which planned runbooks are refused."], &found.freezes, |out, freeze| {
        writeln!(out, "[[policy.freeze]]")?;
        entry(out, "from", &freeze.from.to_string())?;
        entry(out, "until", &freeze.until.to_string())?;
        entry(out, "reason", freeze.reason.as_str())
    })
}

fn entry(out: &mut String, key: &str, value: &str) -> fmt::Result {
    writeln!(out, "{key} = {}", text(value))
}

fn optional(out: &mut String, key: &str, value: Option<&str>) -> fmt::Result {
    value.map_or(Ok(()), |value| entry(out, key, value))
}

/// A TOML string.
fn text(value: &str) -> String {
    toml::Value::from(value).to_string()
}

fn key(name: &str) -> String {
    let bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if !name.is_empty() && name.chars().all(bare) { name.to_owned() } else { text(name) }
}

/// One line for a single short value, else a value a line, which diffs well.
fn list<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: Vec<String> = values.map(text).collect();
    let one_line = values.join(", ");
    if values.len() <= 1 || one_line.len() <= 80 {
        format!("[{one_line}]")
    } else {
        format!("[\n    {},\n]", values.join(",\n    "))
    }
}

fn number(value: f64) -> String {
    toml::Value::from(value).to_string()
}

fn capital(words: &str) -> String {
    let mut chars = words.chars();
    chars.next().map(|first| first.to_uppercase().chain(chars).collect()).unwrap_or_default()
}
