//! Faults injected before moto: each ends in an error of its own kind, where the number would be, and nowhere else.

use std::time::Duration;

use serde_json::{Value, json};

use crate::fixture::{Fake, Seeded};
use crate::json::{failed, measured, row};
use crate::{Case, case};

/// The cases. Each runs `status` under an access key of its own, for which alone its faults hold.
pub(crate) fn cases() -> Vec<Case> {
    let of = |name: &str, check: fn(&Seeded) -> Result<(), String>| {
        case(&format!("faults::{name}"), move || check(Fake::Moto.seeded()?))
    };
    vec![
        of("throttled", throttled),
        of("denied", denied),
        of("expired", expired),
        of("server_error", server_error),
        of("a_service_hangs", a_service_hangs),
        of("a_region_hangs", a_region_hangs),
        of("metrics_denied", metrics_denied),
        of("credentials_expired_everywhere", credentials_expired_everywhere),
        of("what_was_saved_stands_in", what_was_saved_stands_in),
        of("nobody_listens", nobody_listens),
    ]
}

/// Runs `status` with one fault in eu-west-1 and returns what it says of both regions, us-east-1 first.
fn with(fake: &Seeded, key: &str, mut rule: Value) -> Result<(Value, Value), String> {
    rule["access_key"] = json!(key);
    rule["region"] = json!("eu-west-1");
    fake.inject(&rule)?;
    let (_, json) = fake.status_as(key)?;
    let of = |name: &str| {
        let regions = json["regions"].as_array().into_iter().flatten();
        regions
            .into_iter()
            .find(|region| region["region"] == name)
            .cloned()
            .ok_or(format!("no {name}: {json}"))
    };
    Ok((of("us-east-1")?, of("eu-west-1")?))
}

/// The other region, and the other panes of the same region, are untouched by a fault in ECS.
fn only_ecs(well: &Value, ill: &Value, kind: &str, request_id: &str) -> Result<(), String> {
    let error = failed(&ill["ecs"][0], "desired", kind)?;
    if !request_id.is_empty() && error["request_id"] != request_id {
        return Err(format!("request id {request_id} is not told: {error}"));
    }
    measured(&ill["alb"][0], "targets")?;
    measured(&ill["aurora"][0], "role")?;
    measured(&ill["alb"][0], "requests_per_s")?;
    measured(&well["ecs"][0], "desired")?;
    Ok(())
}

fn throttled(fake: &Seeded) -> Result<(), String> {
    let rule = json!({"service": "ecs", "status": 400, "code": "ThrottlingException", "request_id": "req-throttled"});
    let (well, ill) = with(fake, "AKIATHROTTLED", rule)?;
    only_ecs(&well, &ill, "throttled", "req-throttled")
}

fn denied(fake: &Seeded) -> Result<(), String> {
    let rule =
        json!({"service": "ecs", "status": 400, "code": "AccessDeniedException", "request_id": "req-denied"});
    let (well, ill) = with(fake, "AKIADENIED", rule)?;
    only_ecs(&well, &ill, "denied", "req-denied")
}

fn expired(fake: &Seeded) -> Result<(), String> {
    let rule = json!({"service": "ecs", "status": 400, "code": "ExpiredTokenException", "request_id": "req-expired"});
    let (well, ill) = with(fake, "AKIAEXPIRED", rule)?;
    only_ecs(&well, &ill, "expired", "req-expired")?;
    // The next step is a command that mends it.
    let step = &ill["ecs"][0]["desired"]["error"]["next_step"];
    if step.as_str().is_some_and(|step| !step.is_empty()) {
        Ok(())
    } else {
        Err(format!("no next step: {step}"))
    }
}

fn server_error(fake: &Seeded) -> Result<(), String> {
    let rule =
        json!({"service": "ecs", "status": 503, "code": "ServiceUnavailable", "request_id": "req-down"});
    let (well, ill) = with(fake, "AKIADOWN", rule)?;
    only_ecs(&well, &ill, "service_down", "req-down")
}

fn a_service_hangs(fake: &Seeded) -> Result<(), String> {
    let (well, ill) = with(fake, "AKIAHANG", json!({"service": "ecs", "hang": 60}))?;
    only_ecs(&well, &ill, "timed_out", "")
}

/// Every call to one region hangs: the other region is whole, and the program ends within its own deadlines.
fn a_region_hangs(fake: &Seeded) -> Result<(), String> {
    let key = "AKIADARK";
    fake.inject(&json!({"access_key": key, "region": "eu-west-1", "hang": 60}))?;
    let (outcome, json) = fake.status_as(key)?;
    if outcome.took > Duration::from_secs(25) {
        return Err(format!("status took {:?}", outcome.took));
    }
    let region =
        |name: &str| json["regions"].as_array().into_iter().flatten().find(|region| region["region"] == name);
    let (well, ill) =
        (region("us-east-1").ok_or("no us-east-1")?, region("eu-west-1").ok_or("no eu-west-1")?);
    for (pane, field) in [("alb", "targets"), ("ecs", "desired"), ("aurora", "status"), ("alarms", "state")] {
        measured(&well[pane][0], field)?;
        failed(&ill[pane][0], field, "timed_out")?;
    }
    if ill["health"] == "healthy" {
        Err("a region that cannot be read is not healthy".into())
    } else {
        Ok(())
    }
}

fn metrics_denied(fake: &Seeded) -> Result<(), String> {
    let rule = json!({"service": "monitoring", "operation": "GetMetricData", "status": 403,
                      "code": "AccessDeniedException", "request_id": "req-metrics"});
    let (well, ill) = with(fake, "AKIAMETRICS", rule)?;
    let error = failed(&ill["alb"][0], "requests_per_s", "denied")?;
    if error["request_id"] != "req-metrics" {
        return Err(format!("request id is not told: {error}"));
    }
    measured(&ill["alb"][0], "targets")?;
    measured(&ill["alarms"][0], "state")?;
    measured(&well["alb"][0], "requests_per_s").map(drop)
}

/// Every call is refused for its credentials: exit code 3, and a next step, not a region that is down.
fn credentials_expired_everywhere(fake: &Seeded) -> Result<(), String> {
    let key = "AKIAOLD";
    for service in ["ecs", "dynamodb", "monitoring", "application-autoscaling"] {
        fake.inject(
            &json!({"access_key": key, "service": service, "status": 400, "code": "ExpiredTokenException"}),
        )?;
    }
    fake.inject(&json!({"access_key": key, "status": 403, "code": "ExpiredToken"}))?;
    let (outcome, json) = fake.status_as(key)?;
    for region in json["regions"].as_array().into_iter().flatten() {
        for (pane, field) in
            [("alb", "targets"), ("ecs", "desired"), ("aurora", "status"), ("alarms", "state")]
        {
            failed(&region[pane][0], field, "expired")?;
        }
    }
    if outcome.code == Some(3) { Ok(()) } else { Err(outcome.told()) }
}

/// A region goes dark after it was seen once: its last known values are told with their age, and count for nothing.
fn what_was_saved_stands_in(fake: &Seeded) -> Result<(), String> {
    let key = "AKIALATER";
    fake.inject(&json!({"access_key": key, "region": "eu-west-1", "hang": 60}))?;
    let (_, json) = fake.status_again(key)?;
    let regions = json["regions"].as_array().into_iter().flatten();
    let ill = regions.into_iter().find(|region| region["region"] == "eu-west-1").ok_or("no eu-west-1")?;
    let seed = &fake.seed("eu-west-1")["services"][0];
    let ecs = row(&ill["ecs"], &[("service", seed["service"].as_str().unwrap_or_default())])?;
    let field = &ecs["desired"];
    let told = field["value"] == seed["desired"] && field["as_of"].is_string();
    if told && field["stale"] == true && field["error"]["kind"] == "timed_out" {
        Ok(())
    } else {
        Err(format!("desired: {field}, seeded {}", seed["desired"]))
    }
}

/// No connection at all: unreachable, not hung, and a verdict of unknown.
fn nobody_listens(fake: &Seeded) -> Result<(), String> {
    // A port that was free a moment ago.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").map_err(|why| why.to_string())?;
    let url = format!("http://{}", listener.local_addr().map_err(|why| why.to_string())?);
    drop(listener);
    let (outcome, json) = fake.status_at(&url)?;
    for region in json["regions"].as_array().into_iter().flatten() {
        for (pane, field) in
            [("alb", "targets"), ("ecs", "desired"), ("aurora", "status"), ("alarms", "state")]
        {
            failed(&region[pane][0], field, "unreachable")?;
        }
    }
    if outcome.code == Some(12) { Ok(()) } else { Err(outcome.told()) }
}
