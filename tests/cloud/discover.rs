//! From hostnames to a topology, in the simulated AWS.

use switchtower::cloud::discover::{DiscoverError, DiscoverRequest, Discovery, discover};
use switchtower::domain::ids::{HostName, Region};
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::topology::{FrontDoor, Topology};

use super::fixture::{World, with, world};

fn request(world: &World) -> DiscoverRequest {
    DiscoverRequest {
        application: Some("orders".into()),
        hostnames: world.topology.hostnames.iter().map(|host| host.name.clone()).collect(),
        regions: world.topology.regions.iter().map(|region| region.name.clone()).collect(),
        control: world.topology.probe.control.clone(),
        ..DiscoverRequest::default()
    }
}

fn sorted(topology: &Topology) -> Topology {
    let mut topology = topology.clone();
    topology.records.sort_by_key(|record| format!("{record:?}"));
    topology.tables.sort_by_key(|table| table.name.clone());
    topology.replication.sort_by_key(|rule| format!("{rule:?}"));
    topology
}

fn lines(found: &Discovery) -> String {
    format!("{:#?}\n{:#?}\n{:#?}\n{:#?}", found.found, found.missing, found.unread, found.notes)
}

#[tokio::test(start_paused = true)]
async fn everything_of_the_world_is_found() {
    let world = world("calm");
    let found = discover(&world.cloud, request(&world)).await.unwrap();
    let (ours, theirs) = (sorted(&found.topology), sorted(&world.topology));
    assert_eq!(ours.regions, theirs.regions);
    assert_eq!(ours.records, theirs.records);
    assert_eq!(ours.tables, theirs.tables);
    assert_eq!(ours.aurora, theirs.aurora);
    assert_eq!(ours.replication, theirs.replication);
    assert_eq!(ours.hostnames, theirs.hostnames);
    assert_eq!(ours.scope, theirs.scope);
    assert_eq!(ours.dns, theirs.dns);
    assert_eq!(ours.probe, theirs.probe, "the path is that of the health checks");
    assert!(found.missing.is_empty() && found.unread.is_empty(), "{}", lines(&found));
    assert!(world.sim.calls().iter().all(|call| !call.mutating), "discovering changes nothing");
}

#[tokio::test(start_paused = true)]
async fn thirty_regions_are_found_within_the_rate_of_route_53() {
    let regions = switchtower::sim::SimOptions::first_regions(30);
    let world = with(switchtower::sim::SimOptions { regions, services: 12, ..Default::default() });
    let found = discover(&world.cloud, request(&world)).await.unwrap();
    let (ours, theirs) = (sorted(&found.topology), sorted(&world.topology));
    assert_eq!(ours.regions, theirs.regions, "{}", lines(&found));
    assert_eq!(ours.records, theirs.records);
    assert_eq!(ours.tables, theirs.tables);
    let calls = world.sim.calls();
    let route53: Vec<_> = calls.iter().filter(|call| call.service == "route53").collect();
    assert!(route53.len() < 12, "{} calls to Route 53", route53.len());
}

#[tokio::test(start_paused = true)]
async fn a_dark_region_is_named_and_stops_no_other() {
    let world = world("black-hole");
    let found = discover(&world.cloud, request(&world)).await.unwrap();
    assert_eq!(found.topology.regions.len(), 2);
    assert_eq!(found.topology.regions[0], world.topology.regions[0]);
    assert!(found.topology.regions[1].load_balancers.is_empty());
    assert_eq!(sorted(&found.topology).records, sorted(&world.topology).records, "names tell their regions");
    assert_eq!(found.topology.tables, world.topology.tables, "replicas are told by the other region");
    assert_eq!(found.topology.aurora, world.topology.aurora);
    let unread: Vec<String> = found.unread.iter().map(ToString::to_string).collect();
    for what in [
        "load balancers",
        "ECS services",
        "DynamoDB tables",
        "S3 buckets",
        "CloudWatch alarms",
        "the account",
    ] {
        let words = format!("eu-west-1: {what} could not be read: ");
        assert!(unread.iter().any(|line| line.starts_with(&words)), "{what}: {unread:#?}");
    }
    assert!(found.unread.iter().all(|unread| unread.place.as_str() == "eu-west-1"), "{unread:#?}");
    let missing = format!("{:?}", found.missing);
    assert!(missing.contains("run this again"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn route_53_is_where_it_starts() {
    let world = world("control-plane-down");
    let error = discover(&world.cloud, request(&world)).await.unwrap_err();
    assert_eq!(error.cause().unwrap().kind, ErrorKind::ServiceDown);
    let world = self::world("expired-credentials");
    let error = discover(&world.cloud, request(&world)).await.unwrap_err();
    assert_eq!(error.cause().unwrap().kind, ErrorKind::Expired);
    assert!(error.to_string().contains("aws sso login"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn names_that_lead_nowhere_are_told() {
    let world = world("calm");
    let mut asked = request(&world);
    asked.hostnames.push(HostName::new("nothing.example.com"));
    let found = discover(&world.cloud, asked.clone()).await.unwrap();
    let host =
        found.topology.hostnames.iter().find(|host| host.name.as_str() == "nothing.example.com").unwrap();
    assert_eq!(host.front_door, FrontDoor::Unknown);
    assert!(lines(&found).contains("nothing.example.com: no A, AAAA or CNAME record"), "{}", lines(&found));
    asked.hostnames = vec![HostName::new("www.elsewhere.test")];
    let error = discover(&world.cloud, asked).await.unwrap_err();
    assert!(matches!(error, DiscoverError::NoZone(_)), "{error}");
    let nothing = discover(&world.cloud, DiscoverRequest::default()).await.unwrap_err();
    assert!(matches!(nothing, DiscoverError::NothingAsked));
}

#[tokio::test(start_paused = true)]
async fn a_region_that_was_not_named_is_pointed_out() {
    let regions = switchtower::sim::SimOptions::first_regions(3);
    let world = with(switchtower::sim::SimOptions { regions, ..Default::default() });
    let mut asked = request(&world);
    let left_out = asked.regions.pop().unwrap();
    let found = discover(&world.cloud, asked).await.unwrap();
    let text = lines(&found);
    assert!(text.contains(&format!("(its region {left_out} was not named)")), "{text}");
    assert!(found.topology.records.iter().all(|record| record.region != left_out));
    assert!(found.topology.aurora.iter().flat_map(|g| &g.members).all(|member| member.region != left_out));
}

#[tokio::test(start_paused = true)]
async fn hostnames_and_regions_are_taken_as_people_write_them() {
    let world = world("calm");
    let asked = DiscoverRequest {
        hostnames: vec![HostName::new("API.example.com."), HostName::new("api.example.com")],
        regions: vec![Region::new("us-east-1"), Region::new("us-east-1"), Region::new("eu-west-1")],
        ..DiscoverRequest::default()
    };
    let found = discover(&world.cloud, asked).await.unwrap();
    assert_eq!(found.topology.hostnames.len(), 1);
    assert_eq!(found.topology.regions.len(), 2);
    assert_eq!(found.topology.application.as_str(), "api.example.com");
}
