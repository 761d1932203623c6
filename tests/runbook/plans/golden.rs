//! Golden plans: what drain and failover would do in each scenario of the simulated AWS.

use std::fmt::Write as _;

use switchtower::domain::ids::Region;
use switchtower::domain::topology::DNS_REGION;
use switchtower::files::baseline::Baseline;
use switchtower::poll::{DEADLINE, observe_once};
use switchtower::runbook::{DatabaseChoice, Fact, Known, Params, RunsOn, Subnet, TaskSize};
use switchtower::sim::SimOptions;

use super::show;
use super::stage::{Stage, of};
use crate::cloud::fixture::{World, with, world};

/// One look at a world.
async fn look(world: &World) -> switchtower::domain::FleetSnapshot {
    observe_once(world.cloud.clone(), world.topology.clone(), world.sim.probe(), world.clock, DEADLINE).await
}

/// A scenario as a console sees it that has watched the calm world before: what does not answer comes from the saved
/// baseline.
pub(super) async fn stage(scenario: &str, regions: usize) -> Stage {
    let options = |scenario: &str| SimOptions {
        scenario: scenario.into(),
        regions: SimOptions::first_regions(regions),
        ..SimOptions::default()
    };
    let calm = with(options("calm"));
    let seen = look(&calm).await;
    let mut baseline = Baseline::new(calm.topology.application.clone(), seen.now);
    baseline.absorb(&seen);
    let world = with(options(scenario));
    let fleet = baseline.fill(look(&world).await);
    let mut stage = Stage::of((*world.topology).clone(), fleet);
    for entry in stage.topology.regions.clone() {
        stage.read(Fact::VcpuQuota(entry.name.clone()), Known::Number(256.0));
        for service in &entry.services {
            let size = TaskSize { runs_on: RunsOn::Fargate, vcpus: Some(1.0) };
            stage.read(Fact::TaskSize(entry.name.clone(), service.key.clone()), Known::TaskSize(size));
            let subnets = ["a", "b"].map(|zone| Subnet {
                id: format!("subnet-{zone}").as_str().into(),
                zone: format!("{}{zone}", entry.name).into(),
                free: Some(200),
            });
            let known = Known::Subnets(subnets.to_vec());
            stage.read(Fact::Subnets(entry.name.clone(), service.key.clone()), known);
        }
        for lb in &entry.load_balancers {
            stage.read(Fact::KeepAlive(entry.name.clone(), lb.arn.clone()), Known::Number(300.0));
        }
    }
    stage
}

fn check(name: &str, text: &str) {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "golden" }, {
        insta::assert_snapshot!(name, text);
    });
}

/// Every plan of one scenario for one region, and what is chosen among.
async fn told(scenario: &str, region: &str) -> String {
    let stage = stage(scenario, 2).await;
    let declared = Params { declared: Some("the status page says so".into()), ..of(region) };
    let failover = Params { database: Some(DatabaseChoice::Failover), ..of(region) };
    let detach = Params { database: Some(DatabaseChoice::Detach), ..of(region) };
    let mut told = String::new();
    for (title, runbook, params) in [
        ("drain", "drain", of(region)),
        ("drain --now", "drain", Params { now: true, ..of(region) }),
        ("drain --scale-to-zero", "drain", Params { scale_to_zero: true, ..of(region) }),
        ("failover", "failover", of(region)),
        (
            "failover, declared, --database failover",
            "failover",
            Params { database: failover.database, ..declared },
        ),
        ("failover --database detach", "failover", detach),
    ] {
        let outcome = show::outcome(&stage.plan(runbook, &params));
        let _ = writeln!(told, "=== {title} ===\n{outcome}");
    }
    told
}

#[tokio::test(start_paused = true)]
async fn calm() {
    check("calm", &told("calm", "us-east-1").await);
}

#[tokio::test(start_paused = true)]
async fn regional_outage() {
    check("regional-outage", &told("regional-outage", "us-east-1").await);
}

#[tokio::test(start_paused = true)]
async fn control_plane_down() {
    check("control-plane-down", &told("control-plane-down", "us-east-1").await);
}

#[tokio::test(start_paused = true)]
async fn black_hole() {
    check("black-hole", &told("black-hole", "eu-west-1").await);
}

#[tokio::test(start_paused = true)]
async fn aurora_lag() {
    check("aurora-lag", &told("aurora-lag", "us-east-1").await);
}

#[tokio::test(start_paused = true)]
async fn three_regions_name_what_is_rebuilt() {
    let stage = stage("regional-outage", 3).await;
    let to = Params {
        to: stage.topology.regions.last().map(|entry| entry.name.clone()),
        database: Some(DatabaseChoice::Failover),
        ..of("us-east-1")
    };
    let asked = show::outcome(&stage.plan("failover", &of("us-east-1")));
    check("three-regions", &format!("{asked}\n{}", show::outcome(&stage.plan("failover", &to))));
}

/// Nothing but the saved baseline: every API is dark, and our own requests too.
#[tokio::test(start_paused = true)]
async fn from_the_baseline_alone_users_get_out() {
    let calm = world("calm");
    let seen = look(&calm).await;
    let mut baseline = Baseline::new(calm.topology.application.clone(), seen.now);
    baseline.absorb(&seen);
    let dark = baseline.snapshot(seen.now + jiff::SignedDuration::from_hours(30)).unwrap();
    let stage = Stage::of((*calm.topology).clone(), dark);
    let params = Params { database: Some(DatabaseChoice::Failover), ..of(DNS_REGION) };
    let plan = stage.plan("failover", &params).unwrap();
    assert!(plan.findings.iter().all(|finding| finding.force == switchtower::runbook::Force::Warn));
    let pin = plan.steps.iter().find(|step| step.id.as_str() == "pin").unwrap();
    assert_eq!(pin.ways.len(), 2, "by health check and by record");
    assert!(pin.after.is_empty() && pin.ways.iter().all(|way| way.patience.as_secs() == 10));
    let promote = plan.steps.iter().find(|step| step.id.as_str() == "promote/my-global-db").unwrap();
    assert!(promote.after.is_empty(), "the database waits for nothing");
    assert_eq!(promote.region, Some(Region::new("eu-west-1")));
}
