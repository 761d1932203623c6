//! `init` and `status` against ministack: what moto lacks, and what both can say, said twice.

use serde_json::{Value, json};

use crate::fixture::{Fake, Seeded};
use crate::json::{count, equals, equals_at, row, seeded};
use crate::{Case, case, moto};

/// The cases, one a pane.
pub(crate) fn cases() -> Vec<Case> {
    let of = |name: &str, check: fn(&Seeded) -> Result<(), String>| {
        case(&format!("ministack::{name}"), move || check(Fake::Ministack.seeded()?))
    };
    vec![
        of("init", init),
        of("dynamodb", dynamodb),
        of("aurora", moto::aurora),
        of("aurora_synchronization", synchronization),
        of("percentiles", percentiles),
        of("alb", moto::alb),
        of("ecs", moto::ecs),
        of("s3", moto::s3),
        of("alarms", moto::alarms),
        of("alarms_reach_a_topic", alarms_reach_a_topic),
    ]
}

fn init(fake: &Seeded) -> Result<(), String> {
    let text = &fake.topology;
    let tables = fake.manifest["tables"].as_array().ok_or("no tables were seeded")?;
    let all =
        tables.iter().filter_map(Value::as_str).all(|table| text.contains(&format!("name = \"{table}\"")));
    // A table without replicas is not this application's.
    // It has no Application Auto Scaling: what cannot be read is told, by an exit code of its own.
    if !matches!(fake.init.code, Some(0 | 10)) || !all || text.contains("local-cache") {
        return Err(format!("{}\n{text}", fake.init.told()));
    }
    Ok(())
}

fn dynamodb(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let seed = fake.seed(region)["tables"].as_object().ok_or("no tables were seeded")?;
        let rows = &fake.region(region)?["dynamodb"];
        count(rows, seed.len())?;
        for (name, table) in seed {
            let dynamodb = row(rows, &[("table", name)])?;
            equals(dynamodb, "status", &table["status"])?;
            equals(dynamodb, "mode", &json!("MREC"))?;
            for (other, status) in table["replicas"].as_object().into_iter().flatten() {
                equals(&dynamodb["replicas"], other, status)?;
                equals_at(&fake.json, &dynamodb["replication_latency_ms"], other, |at| {
                    seeded(&fake.manifest, region, "ReplicationLatency", name, at)
                })?;
            }
        }
    }
    Ok(())
}

fn synchronization(fake: &Seeded) -> Result<(), String> {
    for member in fake.manifest["aurora"]["members"].as_array().into_iter().flatten() {
        let region = member["region"].as_str().unwrap_or_default();
        equals(&fake.region(region)?["aurora"][0], "synchronization", &member["synchronization"])?;
    }
    Ok(())
}

fn percentiles(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let dimension = fake.seed(region)["load_balancer"]["dimension"].as_str().unwrap_or_default();
        equals_at(&fake.json, &fake.region(region)?["alb"][0], "p99_ms", |at| {
            Some(1_000.0 * seeded(&fake.manifest, region, "TargetResponseTime", dimension, at)?)
        })?;
    }
    Ok(())
}

/// Only one region's topic has a confirmed subscription, and only one alarm a region has its actions enabled.
fn alarms_reach_a_topic(fake: &Seeded) -> Result<(), String> {
    for region in fake.regions() {
        let heard = fake.seed(region)["subscriptions"].as_u64() > Some(0);
        for alarm in fake.seed(region)["alarms"].as_array().into_iter().flatten() {
            let name = alarm["name"].as_str().unwrap_or_default();
            let found = row(&fake.region(region)?["alarms"], &[("name", name)])?;
            equals(found, "reaches_someone", &json!(heard && alarm["actions_enabled"] == true))?;
        }
    }
    Ok(())
}
