//! The keys of the topology file, table by table.
//!
//! What it is for: the one list of keys that are read, from TOML into [`Topology`].
//! What it must not do: judge values (`check`) or know how TOML is walked (`reader`).

use toml::Spanned;
use toml::de::DeTable;

use super::reader::{Reader, SwitchKind, View};
use crate::domain::Topology;
use crate::domain::ids::ServiceKey;
use crate::domain::synthetic::TOKEN;
use crate::domain::topology::{
    ArcEndpoint, ArcSettings, AuroraGlobal, AuroraMember, BucketReplication, CleanupSettings, DnsEntry,
    Freeze, Freshness, Hostname, LeaseSettings, Levels, LoadBalancer, NetworkStack, NotifySettings, Policy,
    ProbeSettings, Record, RegionEntry, RoutingControl, Scope, Service, Switch, SwitchWire,
    SyntheticSettings, SyntheticWrite, Table, Thresholds,
};

/// The whole file; problems are left in `reader`.
pub(super) fn topology(reader: &mut Reader<'_>, document: &Spanned<DeTable<'_>>) -> Topology {
    let mut root = reader.root(document);
    let topology = Topology {
        version: reader.required(&mut root, "version"),
        application: reader.required(&mut root, "application"),
        evacuation: reader.list(&mut root, "evacuation"),
        scope: reader
            .named_tables(&mut root, "scope")
            .into_iter()
            .map(|(name, view)| (name, scope(reader, view)))
            .collect(),
        hostnames: each(reader, &mut root, "hostname", hostname),
        records: each(reader, &mut root, "record", record),
        regions: each(reader, &mut root, "region", region),
        tables: each(reader, &mut root, "table", table),
        aurora: each(reader, &mut root, "aurora", aurora),
        replication: each(reader, &mut root, "replication", replication),
        dns: reader.table(&mut root, "dns").map(|view| dns(reader, view)).unwrap_or_default(),
        probe: reader.table(&mut root, "probe").map(|view| probe(reader, view)).unwrap_or_default(),
        synthetic: reader
            .table(&mut root, "synthetic")
            .map(|view| synthetic(reader, view))
            .unwrap_or_default(),
        thresholds: reader
            .table(&mut root, "thresholds")
            .map(|view| thresholds(reader, view))
            .unwrap_or_default(),
        freshness: reader
            .table(&mut root, "freshness")
            .map(|view| freshness(reader, view))
            .unwrap_or_default(),
        switches: each(reader, &mut root, "switch", switch),
        arc: reader.table(&mut root, "arc").map(|view| arc(reader, view)),
        lease: reader.table(&mut root, "lease").map(|view| lease(reader, view)),
        notify: reader.table(&mut root, "notify").map(|view| notify(reader, view)),
        cleanup: reader.table(&mut root, "cleanup").map(|view| cleanup(reader, view)),
        policy: reader.table(&mut root, "policy").map(|view| policy(reader, view)).unwrap_or_default(),
    };
    reader.close(&root);
    topology
}

fn each<'d, 'i, T>(
    reader: &mut Reader<'_>,
    view: &mut View<'d, 'i>,
    key: &'static str,
    read: impl Fn(&mut Reader<'_>, View<'d, 'i>) -> T,
) -> Vec<T> {
    reader.tables(view, key).into_iter().map(|view| read(reader, view)).collect()
}

fn scope(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Scope {
    let scope = Scope {
        account: reader.optional(&mut view, "account"),
        profile: reader.optional(&mut view, "profile"),
        role_arn: reader.optional(&mut view, "role_arn"),
        partition: reader.optional(&mut view, "partition"),
    };
    reader.close(&view);
    scope
}

fn hostname(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Hostname {
    let hostname = Hostname {
        name: reader.required(&mut view, "name"),
        zone_id: reader.optional(&mut view, "zone_id"),
        private_zone: reader.or(&mut view, "private_zone", false),
        front_door: reader.optional(&mut view, "front_door").unwrap_or_default(),
    };
    reader.close(&view);
    hostname
}

fn record(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Record {
    let record = Record {
        name: reader.required(&mut view, "name"),
        record_type: reader.required(&mut view, "type"),
        zone_id: reader.required(&mut view, "zone_id"),
        set_identifier: reader.optional(&mut view, "set_identifier"),
        policy: reader.required(&mut view, "policy"),
        region: reader.required(&mut view, "region"),
        alias_target: reader.required(&mut view, "alias_target"),
        alias_zone_id: reader.required(&mut view, "alias_zone_id"),
        evaluate_target_health: reader.or(&mut view, "evaluate_target_health", false),
        health_check: reader.optional(&mut view, "health_check"),
    };
    reader.close(&view);
    record
}

fn region(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> RegionEntry {
    let entry = RegionEntry {
        name: reader.required(&mut view, "name"),
        load_balancers: each(reader, &mut view, "load_balancer", load_balancer),
        services: each(reader, &mut view, "service", service),
        alarms: reader.list(&mut view, "alarms"),
        topics: reader.list(&mut view, "topics"),
    };
    reader.close(&view);
    entry
}

fn load_balancer(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> LoadBalancer {
    let balancer = LoadBalancer {
        name: reader.required(&mut view, "name"),
        arn: reader.required(&mut view, "arn"),
        dns_name: reader.required(&mut view, "dns_name"),
        canonical_zone_id: reader.required(&mut view, "canonical_zone_id"),
        kind: reader.optional(&mut view, "kind").unwrap_or_default(),
        target_groups: reader.list(&mut view, "target_groups"),
    };
    reader.close(&view);
    balancer
}

fn service(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Service {
    let service = Service {
        key: ServiceKey {
            cluster: reader.required(&mut view, "cluster"),
            service: reader.required(&mut view, "service"),
        },
        arn: reader.required(&mut view, "arn"),
        target_groups: reader.list(&mut view, "target_groups"),
        scalable: reader.or(&mut view, "scalable", false),
        on_evacuate: reader.optional(&mut view, "on_evacuate").unwrap_or_default(),
        uses_database: reader.or(&mut view, "uses_database", false),
    };
    reader.close(&view);
    service
}

fn table(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Table {
    let table = Table {
        name: reader.required(&mut view, "name"),
        regions: reader.list(&mut view, "regions"),
        witness: reader.optional(&mut view, "witness"),
    };
    reader.close(&view);
    table
}

fn aurora(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> AuroraGlobal {
    let global = AuroraGlobal {
        id: reader.required(&mut view, "id"),
        arn: reader.optional(&mut view, "arn"),
        engine: reader.optional(&mut view, "engine").unwrap_or_default(),
        members: each(reader, &mut view, "member", member),
    };
    reader.close(&view);
    global
}

fn member(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> AuroraMember {
    let member = AuroraMember {
        region: reader.required(&mut view, "region"),
        id: reader.required(&mut view, "id"),
        arn: reader.required(&mut view, "arn"),
    };
    reader.close(&view);
    member
}

fn replication(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> BucketReplication {
    let rule = BucketReplication {
        source: reader.required(&mut view, "source"),
        source_region: reader.required(&mut view, "source_region"),
        destination: reader.required(&mut view, "destination"),
        destination_region: reader.required(&mut view, "destination_region"),
        rule: reader.required(&mut view, "rule"),
        metrics: reader.or(&mut view, "metrics", false),
    };
    reader.close(&view);
    rule
}

fn switch(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Switch {
    let region = reader.required(&mut view, "region");
    let home = reader.required(&mut view, "home");
    let health_check = reader.optional(&mut view, "health_check");
    let kind: SwitchKind = reader.required(&mut view, "kind");
    let wire = match kind {
        SwitchKind::Object => SwitchWire::Object {
            bucket: reader.required(&mut view, "bucket"),
            key: reader.required(&mut view, "key"),
        },
        SwitchKind::Metric => SwitchWire::Metric {
            namespace: reader.required(&mut view, "namespace"),
            name: reader.required(&mut view, "name"),
        },
    };
    reader.close(&view);
    Switch { region, home, health_check, wire }
}

fn arc(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> ArcSettings {
    let arc = ArcSettings {
        endpoints: each(reader, &mut view, "endpoint", |reader, mut view| {
            let endpoint = ArcEndpoint {
                url: reader.required(&mut view, "url"),
                region: reader.required(&mut view, "region"),
            };
            reader.close(&view);
            endpoint
        }),
        routing_controls: each(reader, &mut view, "routing_control", |reader, mut view| {
            let control = RoutingControl {
                region: reader.required(&mut view, "region"),
                arn: reader.required(&mut view, "arn"),
                health_check: reader.optional(&mut view, "health_check"),
            };
            reader.close(&view);
            control
        }),
    };
    reader.close(&view);
    arc
}

fn lease(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> LeaseSettings {
    let lease = LeaseSettings {
        table: reader.required(&mut view, "table"),
        region: reader.required(&mut view, "region"),
    };
    reader.close(&view);
    lease
}

fn notify(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> NotifySettings {
    let notify = NotifySettings {
        topics: reader.list(&mut view, "topics"),
        command: reader.list(&mut view, "command"),
    };
    reader.close(&view);
    notify
}

fn cleanup(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> CleanupSettings {
    let cleanup = CleanupSettings {
        owner_tag: reader.optional(&mut view, "owner_tag"),
        owner_value: reader.optional(&mut view, "owner_value"),
        stacks: each(reader, &mut view, "stack", |reader, mut view| {
            let stack = NetworkStack {
                region: reader.required(&mut view, "region"),
                name: reader.required(&mut view, "name"),
            };
            reader.close(&view);
            stack
        }),
    };
    reader.close(&view);
    cleanup
}

fn dns(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> DnsEntry {
    let dns = DnsEntry {
        server: reader.optional(&mut view, "server"),
        alarms: reader.list(&mut view, "alarms"),
        topics: reader.list(&mut view, "topics"),
    };
    reader.close(&view);
    dns
}

fn probe(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> ProbeSettings {
    let default = ProbeSettings::default();
    let probe = ProbeSettings {
        path: reader.or(&mut view, "path", default.path),
        control: reader.optional(&mut view, "control"),
        base: reader.optional(&mut view, "base"),
        timeout_seconds: reader.or(&mut view, "timeout_seconds", default.timeout_seconds),
    };
    reader.close(&view);
    probe
}

fn synthetic(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> SyntheticSettings {
    let path = reader.optional(&mut view, "path");
    let write = reader.table(&mut view, "write").map(|mut view| {
        let write = SyntheticWrite {
            method: reader.or(&mut view, "method", "PUT".to_owned()),
            path: reader.required(&mut view, "path"),
            body: reader.or(&mut view, "body", TOKEN.to_owned()),
            content_type: reader.or(&mut view, "content_type", "text/plain".to_owned()),
            status: reader.optional(&mut view, "status"),
            read_back: reader.optional(&mut view, "read_back"),
        };
        reader.close(&view);
        write
    });
    reader.close(&view);
    SyntheticSettings { path, write }
}

fn thresholds(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Thresholds {
    let d = Thresholds::default();
    let view = &mut view;
    let thresholds = Thresholds {
        error_5xx_percent: levels(reader, view, "error_5xx_percent", d.error_5xx_percent),
        p99_ms: levels(reader, view, "p99_ms", d.p99_ms),
        replication_latency_ms: levels(reader, view, "replication_latency_ms", d.replication_latency_ms),
        replication_latency_severe_ms: reader.or(
            view,
            "replication_latency_severe_ms",
            d.replication_latency_severe_ms,
        ),
        aurora_lag_ms: levels(reader, view, "aurora_lag_ms", d.aurora_lag_ms),
        checkers_percent: levels(reader, view, "checkers_percent", d.checkers_percent),
        s3_latency_seconds: levels(reader, view, "s3_latency_seconds", d.s3_latency_seconds),
        cpu_percent: levels(reader, view, "cpu_percent", d.cpu_percent),
        certificate_days: levels(reader, view, "certificate_days", d.certificate_days),
        probe_ms: levels(reader, view, "probe_ms", d.probe_ms),
    };
    reader.close(view);
    thresholds
}

/// `{ warning = 1.0, critical = 5.0 }`; one of the two may be left to its default.
fn levels(reader: &mut Reader<'_>, view: &mut View<'_, '_>, key: &'static str, default: Levels) -> Levels {
    let Some(mut view) = reader.table(view, key) else { return default };
    let levels = Levels {
        warning: reader.or(&mut view, "warning", default.warning),
        critical: reader.or(&mut view, "critical", default.critical),
    };
    reader.close(&view);
    levels
}

fn freshness(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Freshness {
    let d = Freshness::default();
    let view = &mut view;
    let freshness = Freshness {
        targets: reader.or(view, "targets", d.targets),
        services: reader.or(view, "services", d.services),
        scaling: reader.or(view, "scaling", d.scaling),
        tables: reader.or(view, "tables", d.tables),
        aurora: reader.or(view, "aurora", d.aurora),
        metrics: reader.or(view, "metrics", d.metrics),
        replication: reader.or(view, "replication", d.replication),
        alarms: reader.or(view, "alarms", d.alarms),
        topics: reader.or(view, "topics", d.topics),
        identity: reader.or(view, "identity", d.identity),
        probe: reader.or(view, "probe", d.probe),
        records: reader.or(view, "records", d.records),
        health_checks: reader.or(view, "health_checks", d.health_checks),
        checkers: reader.or(view, "checkers", d.checkers),
    };
    reader.close(view);
    freshness
}

fn policy(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Policy {
    let d = Policy::default();
    let policy = Policy {
        survivors_healthy_minutes: reader.or(
            &mut view,
            "survivors_healthy_minutes",
            d.survivors_healthy_minutes,
        ),
        answers_live_seconds: reader.or(&mut view, "answers_live_seconds", d.answers_live_seconds),
        quiet_minutes: reader.or(&mut view, "quiet_minutes", d.quiet_minutes),
        soak_minutes: reader.or(&mut view, "soak_minutes", d.soak_minutes),
        max_rpo_lag_ms: reader.or(&mut view, "max_rpo_lag_ms", d.max_rpo_lag_ms),
        armed_minutes: reader.or(&mut view, "armed_minutes", d.armed_minutes),
        survivors_share: reader.or(&mut view, "survivors_share", d.survivors_share),
        freezes: each(reader, &mut view, "freeze", freeze),
    };
    reader.close(&view);
    policy
}

fn freeze(reader: &mut Reader<'_>, mut view: View<'_, '_>) -> Freeze {
    let freeze = Freeze {
        from: reader.required(&mut view, "from"),
        until: reader.required(&mut view, "until"),
        reason: reader.required(&mut view, "reason"),
    };
    reader.close(&view);
    freeze
}
