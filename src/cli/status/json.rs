//! `switchtower.status/1`: one observation of everything as JSON.
//!
//! What it is for: the document that scripts read, and from which the text table is made, so that the two
//! cannot disagree. Fields may be added, never renamed.
//! What it must not do: judge or compute; rows and verdict come from the domain.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Map, Value, json};

use crate::domain::checks::{self, RegionRows};
use crate::domain::derive::{
    self, AlarmRow, AlbRow, AuroraRow, DynamoRow, EcsRow, ProbeRow, Route53Row, S3Row,
};
use crate::domain::ids::Region;
use crate::domain::pin::Pin;
use crate::domain::snapshot::{FleetSnapshot, Identity};
use crate::domain::text::Text;
use crate::domain::topology::{Freshness, RoutingPolicy, Topology};
use crate::domain::{Finding, Health, Observed, ProbeError, Standing, Verdict};

/// The name and version of the format.
pub const SCHEMA: &str = "switchtower.status/1";

/// The document. `now` of the snapshot is its `as_of`.
pub fn document(topology: &Topology, snapshot: &FleetSnapshot, verdict: &Verdict) -> Value {
    let scribe = Scribe { now: snapshot.now, freshness: &topology.freshness };
    let mut rows = checks::Rows::default();
    let regions: Vec<Value> = rows
        .renew(topology, snapshot)
        .iter()
        .zip(&snapshot.regions)
        .map(|(rows, region)| {
            let mut told = scribe.region(rows, health_of(verdict, &region.region), &region.identity);
            let pin = snapshot.pins.of(&region.region);
            let standing = Standing::of(verdict, &region.region, pin.is_some()).unwrap_or(Standing::Unknown);
            told["standing"] = json!(standing.word());
            if let Some(pin) = pin {
                told["pinned"] = pinned(pin);
            }
            told
        })
        .collect();
    let mut document = json!({
        "schema": SCHEMA,
        "as_of": whole_second(snapshot.now).to_string(),
        "application": topology.application,
        "accounts": accounts(snapshot),
        "health": verdict.fleet.word(),
        "findings": verdict.findings.iter().map(finding).collect::<Vec<_>>(),
        "regions": regions,
    });
    if let Some(control) = derive::control(snapshot) {
        document["control"] = scribe.probe(&control);
    }
    document["usage"] = json!({
        "calls_per_minute": snapshot.usage.calls_per_minute,
        "dollars_per_hour": snapshot.usage.dollars_per_hour,
    });
    document
}

fn health_of(verdict: &Verdict, region: &Region) -> Health {
    let found = verdict.regions.iter().find(|(known, _)| known == region);
    found.map_or(Health::Unknown, |(_, health)| *health)
}

/// The account that answered, a scope each; null where none did.
fn accounts(snapshot: &FleetSnapshot) -> Value {
    let account = |identity: &Observed<Identity>| identity.value().map(|identity| identity.account.clone());
    let mut accounts = Map::new();
    for region in &snapshot.regions {
        accounts.insert(region.region.to_string(), json!(account(&region.identity)));
    }
    accounts.insert("dns".into(), json!(account(&snapshot.dns.identity)));
    Value::Object(accounts)
}

fn finding(finding: &Finding) -> Value {
    json!({
        "code": finding.code,
        "severity": finding.severity.word(),
        "region": finding.region,
        "resource": finding.resource,
        "message": finding.message,
        "evidence": finding.evidence,
        "next": finding.next,
        "blind": finding.blind,
    })
}

/// A region that is out by our own act, and by which run.
fn pinned(pin: &Pin) -> Value {
    json!({
        "since": pin.since.to_string(),
        "run": pin.run,
        "runbook": pin.runbook,
        "by": pin.by,
        "held": pin.held.iter().map(|held| held.subject.name()).collect::<Vec<_>>(),
    })
}

/// Writes measured fields.
struct Scribe<'a> {
    now: Timestamp,
    freshness: &'a Freshness,
}

impl Scribe<'_> {
    fn region(&self, rows: &RegionRows, health: Health, identity: &Observed<Identity>) -> Value {
        json!({
            "region": rows.region,
            "health": health.word(),
            "in_dns": self.field(&rows.in_dns, None, |answered| json!(answered)),
            "identity": self.field(identity, None, |identity| json!(identity.arn)),
            "alb": rows.alb.iter().map(|row| self.alb(row)).collect::<Vec<_>>(),
            "ecs": rows.ecs.iter().map(|row| self.ecs(row)).collect::<Vec<_>>(),
            "dynamodb": rows.dynamodb.iter().map(|row| self.dynamodb(row)).collect::<Vec<_>>(),
            "aurora": rows.aurora.iter().map(|row| self.aurora(row)).collect::<Vec<_>>(),
            "route53": rows.route53.iter().map(|row| self.route53(row)).collect::<Vec<_>>(),
            "s3": rows.s3.iter().map(|row| self.s3(row)).collect::<Vec<_>>(),
            "probe": rows.probe.iter().map(|row| self.probe(row)).collect::<Vec<_>>(),
            "alarms": rows.alarms.iter().map(|row| self.alarm(row)).collect::<Vec<_>>(),
        })
    }

    fn alb(&self, row: &AlbRow) -> Value {
        json!({
            "name": row.name,
            "arn": row.arn,
            "requests_per_s": self.number(&row.requests_per_s, "1/s"),
            "error_5xx_percent": self.number(&row.error_5xx_percent, "percent"),
            "p99_ms": self.number(&row.p99_ms, "ms"),
            "healthy_targets": self.count(&row.healthy_targets),
            "targets": self.count(&row.targets),
            "state": self.word(&row.state),
        })
    }

    fn ecs(&self, row: &EcsRow) -> Value {
        let limit = |pick: fn(&crate::domain::snapshot::ScalableTarget) -> Value| {
            self.field(&row.scaling, Some("count"), |target| target.as_ref().map_or(Value::Null, pick))
        };
        json!({
            "cluster": row.cluster,
            "service": row.service,
            "desired": self.count(&row.desired),
            "running": self.count(&row.running),
            "pending": self.count(&row.pending),
            "rollout": self.word(&row.rollout),
            "status": self.word(&row.status),
            "min": limit(|target| json!(target.min)),
            "max": limit(|target| json!(target.max)),
            "scaling_suspended": self.field(&row.scaling, None, |target| json!(target.as_ref().is_some_and(
                |target| target.scale_in_suspended || target.scale_out_suspended || target.scheduled_suspended
            ))),
            "cpu_percent": self.number(&row.cpu_percent, "percent"),
            "memory_percent": self.number(&row.memory_percent, "percent"),
            "last_event": self.field(&row.last_event, None, |event| {
                event.as_ref().map_or(Value::Null, |event| json!(event.message))
            }),
        })
    }

    fn dynamodb(&self, row: &DynamoRow) -> Value {
        let latency: Map<String, Value> = row
            .latency_ms
            .iter()
            .map(|(peer, latency, _)| (peer.to_string(), self.number(latency, "ms")))
            .collect();
        let replicas: Map<String, Value> = row
            .replicas
            .iter()
            .map(|replica| (replica.region.to_string(), self.word(&replica.status)))
            .collect();
        let fuses: Map<String, Value> = row
            .replicas
            .iter()
            .filter_map(|replica| Some((replica.region.to_string(), json!(replica.fuse_ends?.to_string()))))
            .collect();
        json!({
            "table": row.table,
            "status": self.word(&row.status),
            "mode": self.field(&row.mode, None, |mode| json!(mode)),
            "replication_latency_ms": latency,
            "replicas": replicas,
            "fuse_ends": fuses,
            "throttles": self.number(&row.throttles, "count"),
            "deletion_protection": self.field(&row.deletion_protection, None, |on| json!(on)),
        })
    }

    fn aurora(&self, row: &AuroraRow) -> Value {
        json!({
            "global_cluster": row.global_cluster,
            "cluster": row.cluster,
            "role": self.word(&row.role),
            "status": self.word(&row.status),
            "replication_lag_ms": self.number(&row.replication_lag_ms, "ms"),
            "rpo_lag_ms": self.number(&row.rpo_lag_ms, "ms"),
            "global_status": self.word(&row.global_status),
            "instances": self.field(&row.instances, Some("count"), |count| json!(count)),
            "synchronization": self.word(&row.synchronization),
            "engine_version": self.word(&row.engine_version),
            "failover": self.field(&row.failover, None, |state| {
                state.as_ref().map_or(Value::Null, |state| json!(state.status))
            }),
        })
    }

    fn route53(&self, row: &Route53Row) -> Value {
        json!({
            "name": row.name,
            "type": row.record_type,
            "set_identifier": row.set_identifier,
            "policy": policy(row.policy),
            "health_check": row.health_check,
            "verdict": self.field(&row.verdict, None, |healthy| {
                json!(if *healthy { "healthy" } else { "unhealthy" })
            }),
            "inverted": self.field(&row.inverted, None, |on| json!(on)),
            "disabled": self.field(&row.disabled, None, |on| json!(on)),
            "checkers_healthy": self.count(&row.checkers_healthy),
            "checkers_total": self.count(&row.checkers_total),
            "checkers_percent": self.number(&row.checkers_percent, "percent"),
            "present": self.field(&row.present, None, |present| json!(present)),
            "answers": self.field(&row.answers, None, |answers| json!(answers)),
            "weight": self.field(&row.weight, None, |weight| json!(weight)),
            "last_failure": self.field(&row.last_failure, None, |failure| {
                failure.as_ref().map_or(Value::Null, |failure| json!(failure.reason))
            }),
        })
    }

    fn s3(&self, row: &S3Row) -> Value {
        json!({
            "bucket": row.bucket,
            "destination": row.destination,
            "destination_region": row.destination_region,
            "rule": row.rule,
            "status": self.word(&row.status),
            "pending_bytes": self.number(&row.pending_bytes, "bytes"),
            "pending_operations": self.number(&row.pending_operations, "count"),
            "failed_operations": self.number(&row.failed_operations, "count"),
            "latency_s": self.number(&row.latency_s, "s"),
        })
    }

    fn probe(&self, row: &ProbeRow) -> Value {
        let part =
            |index: usize| self.field(&row.parts, Some("ms"), |parts| json!(milliseconds(parts[index])));
        json!({
            "url": row.url,
            "via": row.via,
            "status": self.count(&row.status),
            "total_ms": self.number(&row.total_ms, "ms"),
            "certificate_days": self.number(&row.certificate_days, "days"),
            "certificate_error": self.field(&row.certificate_error, None, |error| json!(error)),
            "dns_ms": part(0),
            "tcp_ms": part(1),
            "tls_ms": part(2),
            "first_byte_ms": part(3),
        })
    }

    fn alarm(&self, row: &AlarmRow) -> Value {
        json!({
            "name": row.name,
            "home": row.home,
            "state": self.word(&row.state),
            "since": self.field(&row.since, None, |since| json!(since.map(|since| since.to_string()))),
            "reason": self.word(&row.reason),
            "reaches_someone": self.field(&row.reaches, None, |reaches| json!(reaches.is_ok())),
            "reaches_nobody_because": self.field(&row.reaches, None, |reaches| {
                reaches.as_ref().err().map_or(Value::Null, |why| json!(why))
            }),
        })
    }

    fn number(&self, observed: &Observed<f64>, unit: &'static str) -> Value {
        // JSON has no infinities; `json!` makes null of them, which is what they are: no number.
        self.field(observed, Some(unit), |value| json!(value))
    }

    fn count<T: serde::Serialize>(&self, observed: &Observed<T>) -> Value {
        self.field(observed, Some("count"), |value| json!(value))
    }

    fn word(&self, observed: &Observed<Text>) -> Value {
        self.field(observed, None, |value| json!(value))
    }

    /// A measured field. An old value is given as it was, with its time, and marked stale.
    fn field<T>(
        &self,
        observed: &Observed<T>,
        unit: Option<&'static str>,
        value: impl Fn(&T) -> Value,
    ) -> Value {
        let mut field = json!({
            "value": observed.value().map_or(Value::Null, value),
            "unit": unit,
            "as_of": observed.as_of().map(|at| whole_second(at).to_string()),
            "stale": observed.is_stale(self.now, self.freshness),
            "error": observed.error().map(error),
        });
        if observed.reading().is_some_and(|reading| reading.saved) {
            field["saved"] = json!(true);
        }
        field
    }
}

/// Ages are told in seconds; what is finer is noise to whoever compares two documents.
fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap_or(at)
}

fn error(error: &ProbeError) -> Value {
    json!({
        "kind": error.kind,
        "message": format!("{}: {}", error.call, error.message),
        "request_id": error.request_id,
        "next_step": (!error.next_step.is_empty()).then_some(&error.next_step),
    })
}

fn policy(policy: RoutingPolicy) -> Value {
    json!(policy)
}

fn milliseconds(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
