//! `status` on the simulated world: the document, and the table made from it.

use std::sync::Arc;

use serde_json::Value;
use switchtower::cli::status::{json, text};
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::checks;
use switchtower::poll;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

/// One observation of a world in which `scenario` is under way, on a paused clock.
fn observe(scenario: &str) -> Value {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at("2026-11-21T03:00:30Z".parse().unwrap(), 1.0);
        let options = SimOptions { scenario: scenario.into(), services: 1, ..SimOptions::default() };
        let sim = Sim::new(options, clock).unwrap();
        let keys = sim.credentials();
        let keys = Keys {
            access_key: &keys.access_key_id,
            secret_key: &keys.secret_access_key,
            session_token: Some(&keys.session_token),
            expires: Some(keys.expires),
        };
        let cloud = Cloud::simulated(sim.http_client(), clock, &keys);
        let topology = Arc::new(sim.topology());
        let snapshot = poll::observe_once(cloud, topology.clone(), sim.probe(), clock, poll::DEADLINE).await;
        let verdict = checks::verdict(&topology, &snapshot);
        json::document(&topology, &snapshot, &verdict)
    })
}

/// Every measured field of a document, with its path.
fn fields<'v>(value: &'v Value, path: &str, found: &mut Vec<(String, &'v Value)>) {
    match value {
        Value::Object(object) if object.contains_key("as_of") && object.contains_key("stale") => {
            found.push((path.to_owned(), value));
        }
        Value::Object(object) => {
            object.iter().for_each(|(key, value)| fields(value, &format!("{path}.{key}"), found));
        }
        Value::Array(items) => items.iter().for_each(|value| fields(value, path, found)),
        _ => {}
    }
}

#[test]
fn every_measured_field_has_the_promised_shape() {
    for scenario in ["calm", "regional-outage", "throttling"] {
        let document = observe(scenario);
        let mut found = Vec::new();
        fields(&document, "", &mut found);
        assert!(found.len() > 150, "{}", found.len());
        for (path, field) in found {
            let object = field.as_object().unwrap();
            for key in ["value", "unit", "as_of", "stale", "error"] {
                assert!(object.contains_key(key), "{scenario}{path} lacks {key}");
            }
            if field["as_of"].is_null() {
                assert!(field["value"].is_null() && field["stale"] == true, "{scenario}{path}: {field}");
            }
            if let Some(error) = field["error"].as_object() {
                let keys: Vec<&String> = error.keys().collect();
                assert_eq!(keys, ["kind", "message", "request_id", "next_step"], "{scenario}{path}");
            }
        }
    }
}

#[test]
fn a_region_whose_data_lags_is_not_just_healthy() {
    let document = observe("regional-outage");
    let told: Vec<(&str, &str)> = document["regions"]
        .as_array()
        .unwrap()
        .iter()
        .map(|region| (region["health"].as_str().unwrap(), region["standing"].as_str().unwrap()))
        .collect();
    assert_eq!(told, [("impaired", "failing"), ("healthy", "lagging")]);
    let table = text::table(&document, true);
    let line = |words: &str| table.lines().find(|line| line.contains(words)).unwrap_or_default().to_owned();
    assert!(line("it fails its users").contains("impaired"), "{table}");
    let lags = line("it serves; data lags");
    assert!(lags.contains("eu-west-1") && lags.contains("healthy"), "{table}");
    assert!(!lags.contains("\x1b[32m"), "not in the colour of health: {lags:?}");
    let calm = observe("calm");
    assert!(calm["regions"].as_array().unwrap().iter().all(|region| region["standing"] == "healthy"));
    assert!(!text::table(&calm, false).contains("lags"));
}

#[test]
fn the_table_has_findings_first_and_the_summary_last() {
    let document = observe("regional-outage");
    let table = text::table(&document, false);
    let lines: Vec<&str> = table.lines().collect();
    let findings = document["findings"].as_array().unwrap().len();
    assert!(findings > 0 && lines[..findings].iter().all(|line| line.starts_with("finding  ")), "{table}");
    assert!(lines.last().unwrap().starts_with("summary  impaired  2 regions"), "{table}");
    for line in &lines[findings..lines.len() - 1] {
        assert!(
            line.starts_with("us-east-1  ") || line.starts_with("eu-west-1  ") || line.starts_with("-  "),
            "{line}"
        );
        assert!(!line.ends_with(' ') && !line.contains('\u{1b}'), "{line:?}");
    }
    let coloured = text::table(&document, true);
    assert!(coloured.lines().next().unwrap().starts_with("\u{1b}[1;31m"), "a critical finding is red");
}
