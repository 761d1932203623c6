//! `status` on the simulated world: the document and the table made from it.

use std::sync::Arc;

use serde_json::Value;
use switchtower::cli::status::{json, text};
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::checks;
use switchtower::poll;
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

/// One observation of a world in which `scenario` is under way.
fn observe(scenario: &str) -> Value {
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build().unwrap();
    runtime.block_on(async {
        let clock = Clock::starting_at("2026-11-21T03:00:30Z".parse().unwrap(), 1.0);
        let sim = Sim::new(SimOptions { scenario: scenario.into(), ..SimOptions::default() }, clock).unwrap();
        let keys = sim.credentials();
        let cloud = Cloud::simulated(
            sim.http_client(),
            clock,
            &Keys {
                access_key: &keys.access_key_id,
                secret_key: &keys.secret_access_key,
                session_token: Some(&keys.session_token),
                expires: Some(keys.expires),
            },
        );
        let topology = Arc::new(sim.topology());
        let snapshot = poll::observe_once(cloud, topology.clone(), sim.probe(), clock, poll::DEADLINE).await;
        let verdict = checks::verdict(&topology, &snapshot);
        json::document(&topology, &snapshot, &verdict)
    })
}

#[test]
fn show() {
    for scenario in ["calm", "regional-outage"] {
        let document = observe(scenario);
        print!("{}", text::table(&document, false));
        println!("{}", serde_json::to_string_pretty(&document).unwrap());
    }
}
