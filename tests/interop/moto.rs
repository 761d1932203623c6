//! `init` and `status` against moto: everything but DynamoDB's replicas, Aurora's synchronisation and percentiles.

use serde_json::{Value, json};

use crate::fixture::{Fake, SHARED_STATUS, Seeded};
use crate::json::{count, equals, equals_at, failed, measured, row, seeded};
use crate::process;
use crate::{Case, case};

/// The cases, one a pane.
pub(crate) fn cases() -> Vec<Case> {
    let of = |name: &str, check: fn(&Seeded) -> Result<(), String>| {
        case(&format!("moto::{name}"), move || check(Fake::Moto.seeded()?))
    };
    vec![
        of("init", init),
        of("accounts", accounts),
        of("exit_code_is_the_verdict", exit_code),
        of("alb", alb),
        of("percentiles_fail_alone", percentiles_fail_alone),
        of("ecs", ecs),
        of("scaling", scaling),
        of("free_addresses", free_addresses),
        of("route53", route53),
        of("s3", s3),
        of("aurora", aurora),
        of("alarms", alarms),
        of("calls_of_a_sweep", calls_of_a_sweep),
    ]
}

fn init(seeded: &Seeded) -> Result<(), String> {
    // 10: something of it could not be read, which is told; what must be there is asked for below.
    if !matches!(seeded.init.code, Some(0 | 10)) {
        return Err(seeded.init.told());
    }
    let manifest = &seeded.manifest;
    let mut named: Vec<&Value> = vec![&manifest["zone_id"], &manifest["aurora"]["id"], &manifest["account"]];
    for region in seeded.regions() {
        let seed = seeded.seed(region);
        named.extend([&seed["load_balancer"]["arn"], &seed["load_balancer"]["dns"], &seed["topic"]]);
        named.extend([&seed["health_check"]["id"], &seed["bucket"]["name"], &seed["bucket"]["rule"]]);
        named.extend(
            seed["services"].as_array().into_iter().flatten().map(|service| &service["target_group"]),
        );
        named.extend(seed["alarms"].as_array().into_iter().flatten().map(|alarm| &alarm["name"]));
    }
    named.extend(manifest["aurora"]["members"].as_array().into_iter().flatten().map(|member| &member["arn"]));
    for name in named {
        let name = name.as_str().ok_or_else(|| format!("the manifest has no name: {name}"))?;
        if !seeded.topology.contains(name) {
            return Err(format!("the topology does not name {name}:\n{}", seeded.topology));
        }
    }
    let records = seeded.topology.matches("[[record]]").count();
    let wanted = manifest["records"].as_array().map_or(0, Vec::len);
    if records != wanted || seeded.topology.contains("mail.example.com") {
        return Err(format!("{records} records, {wanted} were seeded:\n{}", seeded.topology));
    }
    Ok(())
}

fn accounts(seeded: &Seeded) -> Result<(), String> {
    for scope in ["dns", "us-east-1", "eu-west-1"] {
        if seeded.json["accounts"][scope] != seeded.manifest["account"] {
            return Err(format!("{scope}: {}", seeded.json["accounts"]));
        }
    }
    Ok(())
}

fn exit_code(seeded: &Seeded) -> Result<(), String> {
    let health = seeded.json["health"].as_str().unwrap_or_default();
    let wanted = ["healthy", "degraded", "impaired", "unknown"].iter().position(|word| *word == health);
    match (wanted, seeded.status.code) {
        (Some(0), Some(0)) => Ok(()),
        (Some(index @ 1..), Some(code)) if usize::try_from(code) == Ok(9 + index) => Ok(()),
        (_, code) => Err(format!("health {health}, exit {code:?}")),
    }
}

/// Requests, 5XX and targets, for either fake.
pub(crate) fn alb(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = fake.seed(region);
        let balancer = &seed["load_balancer"];
        let rows = &fake.region(region)?["alb"];
        count(rows, 1)?;
        let alb = row(rows, &[("name", text(&balancer["name"]))])?;
        let dimension = text(&balancer["dimension"]);
        let metric = |name: &str, at: i64| seeded(&fake.manifest, region, name, dimension, at);
        equals_at(&fake.json, alb, "requests_per_s", |at| Some(metric("RequestCount", at)? / 60.0))?;
        equals_at(&fake.json, alb, "error_5xx_percent", |at| {
            // One region publishes no ELB 5XX at all: with requests beside it, that is zero.
            let own = metric("HTTPCode_ELB_5XX_Count", at).unwrap_or(0.0);
            let failed = own + metric("HTTPCode_Target_5XX_Count", at)?;
            Some(100.0 * failed / (metric("RequestCount", at)? + own))
        })?;
        equals(alb, "targets", &seed["targets"])?;
        equals(alb, "healthy_targets", &seed["healthy_targets"])?;
    }
    Ok(())
}

/// moto answers 500 to a call that asks for any percentile: that must cost the percentiles and nothing else.
fn percentiles_fail_alone(seeded: &Seeded) -> Result<(), String> {
    for region in seeded.regions() {
        let alb = &seeded.region(region)?["alb"][0];
        let error = failed(alb, "p99_ms", "service_down")?;
        if !error["request_id"].as_str().is_some_and(|id| id.starts_with("front-")) {
            return Err(format!("no request id: {error}"));
        }
        measured(alb, "requests_per_s")?;
    }
    Ok(())
}

/// Counts, rollout and CPU, for either fake.
pub(crate) fn ecs(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = fake.seed(region)["services"].as_array().ok_or("no services were seeded")?;
        let rows = &fake.region(region)?["ecs"];
        count(rows, seed.len())?;
        for service in seed {
            let name = text(&service["service"]);
            let ecs = row(rows, &[("cluster", text(&service["cluster"])), ("service", name)])?;
            for field in ["desired", "running", "pending", "rollout"] {
                equals(ecs, field, &service[field])?;
            }
            let metric =
                |metric: &'static str| move |at: i64| seeded(&fake.manifest, region, metric, name, at);
            equals_at(&fake.json, ecs, "cpu_percent", metric("CPUUtilization"))?;
            equals_at(&fake.json, ecs, "memory_percent", metric("MemoryUtilization"))?;
        }
    }
    Ok(())
}

fn scaling(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        for service in fake.seed(region)["services"].as_array().into_iter().flatten() {
            let ecs = row(&fake.region(region)?["ecs"], &[("service", text(&service["service"]))])?;
            let seed = &service["scaling"];
            if seed.is_null() {
                let field = &ecs["min"];
                if !field["value"].is_null() || !field["error"].is_null() || field["as_of"].is_null() {
                    return Err(format!("no scalable target was seeded: {field}"));
                }
                continue;
            }
            equals(ecs, "min", &seed["min"])?;
            equals(ecs, "max", &seed["max"])?;
            equals(ecs, "scaling_suspended", &seed["suspended"][0])?;
        }
    }
    Ok(())
}

/// Of sixteen addresses of a subnet AWS keeps five and others took five; a drain needs eight for new tasks.
fn free_addresses(fake: &Seeded) -> Result<(), String> {
    let topology = fake.home.join("t.toml").display().to_string();
    let asked =
        ["plan", "drain", "--region", "us-east-1", "--topology", &topology, "--endpoint-url", &fake.url];
    let plan = process::switchtower(&fake.home, "AKIAADDRESSES", &asked)?;
    let wanted = "eu-west-1 needs 8 addresses for new tasks (8 more of prod/admin), its subnets have 6 free";
    let told = plan.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    if !told.contains(wanted) {
        let guards = plan.stdout.lines().filter(|line| line.contains("headroom"));
        let guards = guards.collect::<Vec<_>>().join("\n");
        return Err(format!("nothing of \"{wanted}\": {guards}\n{}", plan.told()));
    }
    let calls = fake.calls_of("AKIAADDRESSES")?;
    let asked: Vec<String> = calls
        .iter()
        .filter(|call| call["operation"] == "DescribeSubnets")
        .map(|call| format!("{} {}", call["region"], call["status"]))
        .collect();
    if asked != ["\"eu-west-1\" 200"] {
        return Err(format!("DescribeSubnets: {asked:?}"));
    }
    Ok(())
}

fn route53(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = &fake.seed(region)["health_check"];
        let id = text(&seed["id"]);
        let rows = &fake.region(region)?["route53"];
        count(rows, 3)?;
        for kind in ["A", "AAAA"] {
            let keys = [("name", "api.example.com"), ("type", kind), ("set_identifier", region)];
            let record = row(rows, &keys)?;
            if record["policy"] != "latency" || record["health_check"] != id {
                return Err(format!("{record}"));
            }
            equals(record, "inverted", &seed["inverted"])?;
            equals(record, "disabled", &seed["disabled"])?;
            equals(record, "present", &json!(true))?;
            let verdict = if region == "us-east-1" { "healthy" } else { "unhealthy" };
            equals(record, "verdict", &json!(verdict))?;
            equals_at(&fake.json, record, "checkers_percent", |at| {
                seeded(&fake.manifest, "us-east-1", "HealthCheckPercentageHealthy", id, at)
            })?;
        }
        let own = row(rows, &[("name", &format!("{region}.api.example.com"))])?;
        if own["policy"] != "simple" || !own["health_check"].is_null() {
            return Err(format!("{own}"));
        }
        // A disabled check counts as healthy, inverted or not, by itself: here the drained region is disabled *and*
        // inverted, which is the one way to be out of DNS for certain.
        equals(fake.region(region)?, "in_dns", &json!(region == "us-east-1"))?;
    }
    Ok(())
}

/// Rules and what waits, each way, for either fake.
pub(crate) fn s3(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = &fake.seed(region)["bucket"];
        let (source, destination) = (text(&seed["name"]), text(&seed["destination"]));
        let rows = &fake.region(region)?["s3"];
        count(rows, 1)?;
        let s3 =
            row(rows, &[("bucket", source), ("destination", destination), ("rule", text(&seed["rule"]))])?;
        equals(s3, "status", &seed["status"])?;
        // What waits is published where it is to arrive; what failed, where it came from.
        let other = if region == "us-east-1" { "eu-west-1" } else { "us-east-1" };
        let metric = |place: &str, name: &str, at: i64| seeded(&fake.manifest, place, name, source, at);
        equals_at(&fake.json, s3, "latency_s", |at| metric(other, "ReplicationLatency", at))?;
        equals_at(&fake.json, s3, "pending_bytes", |at| metric(other, "BytesPendingReplication", at))?;
        equals_at(&fake.json, s3, "pending_operations", |at| {
            metric(other, "OperationsPendingReplication", at)
        })?;
        equals_at(&fake.json, s3, "failed_operations", |at| {
            metric(region, "OperationsFailedReplication", at)
        })?;
    }
    Ok(())
}

/// Members, roles and lags, for either fake.
pub(crate) fn aurora(fake: &Seeded) -> Result<(), String> {
    let seed = &fake.manifest["aurora"];
    for member in seed["members"].as_array().into_iter().flatten() {
        let (region, id) = (text(&member["region"]), text(&member["id"]));
        let rows = &fake.region(region)?["aurora"];
        count(rows, 1)?;
        let aurora = row(rows, &[("global_cluster", text(&seed["id"])), ("cluster", id)])?;
        let writer = member["writer"] == true;
        equals(aurora, "role", &json!(if writer { "writer" } else { "reader" }))?;
        equals(aurora, "status", &member["status"])?;
        equals(aurora, "instances", &member["instances"])?;
        if writer {
            continue;
        }
        let metric = |name: &'static str| move |at: i64| seeded(&fake.manifest, region, name, id, at);
        equals_at(&fake.json, aurora, "rpo_lag_ms", metric("AuroraGlobalDBRPOLag"))?;
        equals_at(&fake.json, aurora, "replication_lag_ms", metric("AuroraGlobalDBReplicationLag"))?;
    }
    Ok(())
}

/// States, for either fake.
pub(crate) fn alarms(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = fake.seed(region)["alarms"].as_array().ok_or("no alarms were seeded")?;
        let rows = &fake.region(region)?["alarms"];
        count(rows, seed.len())?;
        for alarm in seed {
            let found = row(rows, &[("name", text(&alarm["name"]))])?;
            equals(found, "state", &alarm["state"])?;
            equals(found, "reason", &alarm["reason"])?;
        }
    }
    Ok(())
}

/// One sweep asks CloudWatch for everything of a region in one call and for its percentiles in another (twice here,
/// for moto refuses them); Route 53's series, which may be another account's, in one; and no other service more often
/// than its lists are long.
fn calls_of_a_sweep(fake: &Seeded) -> Result<(), String> {
    let calls = fake.calls_of(SHARED_STATUS)?;
    let told = || {
        let line = |call: &Value| {
            format!("{} {} {} {}", call["region"], call["operation"], call["status"], call["series"])
        };
        calls.iter().map(line).collect::<Vec<_>>().join("\n")
    };
    for region in fake.regions() {
        let (mut metrics, mut percentiles, mut dns) = (0, 0, 0);
        for call in
            calls.iter().filter(|call| call["operation"] == "GetMetricData" && call["region"] == region)
        {
            let series = call["series"].as_array().ok_or("the front logged no series")?;
            let of = |index: usize, value: &str| series.iter().filter(|pair| pair[index] == value).count();
            match (of(1, "p99"), of(0, "AWS/Route53"), series.len()) {
                (0, 0, 1..) => metrics += 1,
                (all, 0, some) if all == some => percentiles += 1,
                (0, all, some) if all == some => dns += 1,
                _ => return Err(format!("{region}: series that do not belong together:\n{}", told())),
            }
        }
        let wanted = (1, 2, u32::from(region == "us-east-1"));
        if (metrics, percentiles, dns) != wanted {
            return Err(format!("{region}: GetMetricData {:?}:\n{}", (metrics, percentiles, dns), told()));
        }
        for (operation, wanted) in [
            ("DescribeLoadBalancers", 1),
            ("DescribeTargetHealth", 2),
            ("DescribeServices", 1),
            ("DescribeScalableTargets", 1),
            ("DescribeGlobalClusters", 1),
            ("DescribeDBClusters", 1),
            ("DescribeAlarms", 1),
            ("GetBucketReplication", 1),
            ("GetTopicAttributes", 1),
        ] {
            let of_it = |call: &&Value| call["operation"] == operation && call["region"] == region;
            let made = calls.iter().filter(of_it).count();
            if made != wanted {
                return Err(format!("{region}: {operation} {made} times, not {wanted}:\n{}", told()));
            }
        }
    }
    Ok(())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or("(not a text in the manifest)")
}
