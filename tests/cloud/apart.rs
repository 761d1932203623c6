//! An application outside us-east-1: the alarms on its health checks live there all the same.

use switchtower::cloud::discover::{DiscoverRequest, discover};
use switchtower::domain::checks;
use switchtower::domain::derive::AlarmSubject;
use switchtower::domain::health::{Finding, Severity};
use switchtower::domain::ids::{AlarmName, Arn, Region};
use switchtower::domain::snapshot::FleetSnapshot;
use switchtower::files::topology;
use switchtower::poll::DEADLINE;
use switchtower::sim::{Scenario, SimOptions};

use super::fixture::{World, with};
use super::sweep::{dns_outcomes, observe};

const REGIONS: [&str; 2] = ["eu-west-1", "eu-central-1"];

fn europe(scenario: &str) -> World {
    let regions = REGIONS.map(Region::new).to_vec();
    with(SimOptions { regions, scenario: scenario.into(), ..SimOptions::default() })
}

/// The alarms that stand in a region's pane: name, where it lives, state, whether somebody hears it.
fn rows(world: &World, seen: &FleetSnapshot, region: &str) -> Vec<(String, String, String, bool)> {
    let rows = checks::rows(&world.topology, seen, &Region::new(region));
    let row = |row: &switchtower::domain::derive::AlarmRow| {
        let state = row.state.value().map_or("?", |state| state.as_str()).to_owned();
        let heard = row.reaches.value().is_some_and(Result::is_ok);
        (row.name.to_string(), row.home.to_string(), state, heard)
    };
    rows.alarms.iter().map(row).collect()
}

fn findings(world: &World, seen: &FleetSnapshot, code: &str) -> Vec<Finding> {
    let verdict = checks::verdict(&world.topology, seen);
    verdict.findings.into_iter().filter(|finding| finding.code.as_str() == code).collect()
}

#[tokio::test(start_paused = true)]
async fn they_are_discovered_written_and_read_again() {
    let world = europe("calm");
    let request = DiscoverRequest {
        application: Some("orders".into()),
        hostnames: world.topology.hostnames.iter().map(|host| host.name.clone()).collect(),
        regions: REGIONS.map(Region::new).to_vec(),
        ..DiscoverRequest::default()
    };
    let found = discover(&world.cloud, request).await.unwrap();
    let names: Vec<&str> = found.topology.dns.alarms.iter().map(AlarmName::as_str).collect();
    assert_eq!(names, ["health-check-eu-central-1", "health-check-eu-west-1"]);
    let topics: Vec<&str> = found.topology.dns.topics.iter().map(Arn::as_str).collect();
    assert_eq!(topics, ["arn:aws:sns:us-east-1:123456789012:ops-alert"]);
    assert_eq!(found.topology.dns, world.topology.dns);
    let told = "us-east-1: 2 alarm(s): health-check-eu-central-1, health-check-eu-west-1";
    assert!(found.found.iter().any(|line| line.as_str() == told), "{:#?}", found.found);
    assert!(found.missing.is_empty(), "{:#?}", found.missing);
    let text = topology::render(&found.topology);
    assert_eq!(topology::parse(&text).as_ref(), Ok(&found.topology), "{text}");
}

#[tokio::test(start_paused = true)]
async fn they_stand_with_the_region_whose_health_check_they_watch() {
    let world = europe("calm");
    let seen = observe(&world, DEADLINE).await;
    for (name, outcome) in dns_outcomes(&seen.dns) {
        assert_eq!(outcome, Some(Ok(())), "{name}");
    }
    for region in REGIONS {
        let rows = rows(&world, &seen, region);
        let global: Vec<_> = rows.iter().filter(|row| row.1 == "us-east-1").collect();
        let expected = (format!("health-check-{region}"), "us-east-1".to_owned(), "OK".to_owned(), true);
        assert_eq!(global, [&expected]);
        assert!(rows.len() > 1, "its own alarms are there too");
    }

    let calm = seen;
    let world = europe("regional-outage");
    let seen = observe(&world, DEADLINE).await;
    let expected = ("health-check-eu-west-1".to_owned(), "us-east-1".to_owned(), "ALARM".to_owned(), true);
    assert!(rows(&world, &seen, "eu-west-1").contains(&expected));
    // Rows that are kept from one snapshot to the next learn it too.
    let mut kept = checks::Rows::default();
    let mut moving = calm;
    let state = |rows: &[checks::RegionRows]| {
        let row = rows[0].alarms.iter().find(|row| row.home.as_str() == "us-east-1").unwrap();
        row.state.value().unwrap().to_string()
    };
    assert_eq!(state(kept.renew(&world.topology, &moving)), "OK");
    std::sync::Arc::make_mut(&mut moving.dns).alarms = seen.dns.alarms.clone();
    assert_eq!(state(kept.renew(&world.topology, &moving)), "ALARM");
    let firing = findings(&world, &seen, "alarms.firing");
    let about: Vec<_> = firing
        .iter()
        .filter(|finding| finding.resource.as_str() == "health-check-eu-west-1")
        .map(|finding| finding.region.as_ref().unwrap().as_str())
        .collect();
    assert_eq!(about, ["eu-west-1"]);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_of_them_is_a_finding_of_route_53() {
    for (effect, code) in [
        ("kind = \"denied\"\ncalls = [\"monitoring:DescribeAlarms\"]", "route53.denied"),
        ("kind = \"api_down\"\nservices = [\"sns\"]\nmode = \"error\"", "route53.service_down"),
    ] {
        let world = europe("calm");
        let text = format!("name = \"x\"\ndescription = \"\"\n[[effect]]\nwhere = \"us-east-1\"\n{effect}\n");
        world.sim.start(&Scenario::parse(&text).unwrap(), None).unwrap();
        let seen = observe(&world, DEADLINE).await;
        let found = findings(&world, &seen, code);
        let [finding] = found.as_slice() else { panic!("{effect}: {found:#?}") };
        assert_eq!((finding.severity, &finding.region), (Severity::Warning, &None));
        let expected = if code == "route53.denied" { "cannot read alarms" } else { "cannot read topics" };
        assert!(finding.message.as_str().starts_with(expected), "{finding:?}");
        // Their regions answer for themselves, and nothing is taken for healthy meanwhile.
        assert_eq!(findings(&world, &seen, "region.denied"), []);
    }
    // An alarm of which nothing is known yet is shown once, as unknown, and about nobody.
    let world = europe("calm");
    let text = "name = \"x\"\ndescription = \"\"\n[[effect]]\nwhere = \"us-east-1\"\nkind = \"denied\"\n\
                calls = [\"monitoring:DescribeAlarms\"]\n";
    world.sim.start(&Scenario::parse(text).unwrap(), None).unwrap();
    let seen = observe(&world, DEADLINE).await;
    let first = checks::rows(&world.topology, &seen, &Region::new("eu-west-1"));
    let unknown: Vec<_> = first.alarms.iter().filter(|row| row.state.value().is_none()).collect();
    assert_eq!(unknown.len(), 2);
    assert!(unknown.iter().all(|row| row.subject == AlarmSubject::Other && row.state.error().is_some()));
    assert!(rows(&world, &seen, "eu-central-1").iter().all(|row| row.1 == "eu-central-1"));
}
