//! Where hostnames lead: zones of all kinds, told by a canned Route 53 beside the simulated AWS.

use std::fmt;
use std::sync::Arc;

use aws_smithy_runtime_api::client::http::{
    HttpClient, HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient,
    SharedHttpConnector,
};
use aws_smithy_runtime_api::client::orchestrator::HttpRequest;
use aws_smithy_runtime_api::client::runtime_components::RuntimeComponents;
use aws_smithy_types::body::SdkBody;
use switchtower::cloud::discover::{DiscoverRequest, Discovery, discover};
use switchtower::cloud::{Cloud, Keys};
use switchtower::domain::ids::{HostName, ZoneId};
use switchtower::domain::topology::{FrontDoor, RoutingPolicy};
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions};

use super::fixture::epoch;

const NAMESPACE: &str = "https://route53.amazonaws.com/doc/2013-04-01/";

/// Route 53 by path and query; everything else goes to the simulation.
#[derive(Clone)]
struct Canned {
    sim: SharedHttpClient,
    load_balancers: Arc<[String; 2]>,
}

impl fmt::Debug for Canned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Canned")
    }
}

impl HttpClient for Canned {
    fn http_connector(
        &self,
        settings: &HttpConnectorSettings,
        components: &RuntimeComponents,
    ) -> SharedHttpConnector {
        SharedHttpConnector::new(Connector {
            canned: self.clone(),
            sim: self.sim.http_connector(settings, components),
        })
    }
}

#[derive(Debug)]
struct Connector {
    canned: Canned,
    sim: SharedHttpConnector,
}

impl HttpConnector for Connector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        match self.canned.answer(request.uri()) {
            None => self.sim.call(request),
            Some(body) => {
                let answer = http::Response::builder().status(200).body(SdkBody::from(body)).unwrap();
                HttpConnectorFuture::ready(Ok(answer.try_into().unwrap()))
            }
        }
    }
}

impl Canned {
    fn answer(&self, uri: &str) -> Option<String> {
        let path = uri.strip_prefix("https://route53.amazonaws.com/2013-04-01/")?;
        let [first, second] = &*self.load_balancers;
        if path.starts_with("hostedzone?") || path == "hostedzone" {
            return Some(if path.contains("marker=Z3") {
                zones(&[("Z3", "shop.example.com.", false), ("Z4", "corp.test.", true)], None)
            } else {
                zones(&[("Z1", "example.com.", false), ("Z2", "example.com.", true)], Some("Z3"))
            });
        }
        let zone = path.strip_prefix("hostedzone/")?;
        if zone.starts_with("Z1/rrset") && zone.contains("name=old") {
            let records = [
                format!(
                    "<Name>old.example.com.</Name><Type>CNAME</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
                     <Value>{first}.</Value></ResourceRecord></ResourceRecords>"
                ),
                "<Name>plain.example.com.</Name><Type>A</Type><TTL>60</TTL><ResourceRecords><ResourceRecord>\
                 <Value>192.0.2.1</Value></ResourceRecord></ResourceRecords>"
                    .to_owned(),
            ];
            return Some(page(&records, None));
        }
        if zone.starts_with("Z1/rrset") {
            let records = [
                alias("\\052.example.com.", "A", "", second, "ZLB2"),
                alias("api.example.com.", "A", "", "api-lat.example.com.", "Z1"),
                alias("api-lat.example.com.", "A", "us-east-1", &format!("dualstack.{first}."), "ZLB1"),
                alias("api-lat.example.com.", "A", "eu-west-1", &format!("{second}."), "ZLB2"),
                alias("cdn.example.com.", "A", "", "d111111abcdef8.cloudfront.net.", "Z2FDTNDATAQYW2"),
                alias("ga.example.com.", "A", "", "a1234.awsglobalaccelerator.com.", "Z2BJ6XQ5FK7U4H"),
                alias("loop.example.com.", "A", "", "loop.example.com.", "Z1"),
            ];
            return Some(page(&records, Some("old.example.com.")));
        }
        if zone.starts_with("Z2/rrset") {
            return Some(page(&[alias("internal.example.com.", "A", "", first, "ZLB1")], None));
        }
        if zone.starts_with("Z4/rrset") {
            return Some(page(&[alias("internal.corp.test.", "A", "", first, "ZLB1")], None));
        }
        zone.starts_with("Z3/rrset").then(|| {
            let role = |role: &str, target: &str| {
                alias("shop.example.com.", "A", "", target, "ZLB1").replace(
                    "<AliasTarget>",
                    &format!("<SetIdentifier>{role}</SetIdentifier><Failover>{role}</Failover><AliasTarget>"),
                )
            };
            page(&[role("PRIMARY", first), role("SECONDARY", second)], None)
        })
    }
}

fn zones(zones: &[(&str, &str, bool)], next: Option<&str>) -> String {
    let zones: Vec<String> = zones
        .iter()
        .map(|(id, name, private)| {
            format!(
                "<HostedZone><Id>/hostedzone/{id}</Id><Name>{name}</Name><CallerReference>r</CallerReference>\
                 <Config><PrivateZone>{private}</PrivateZone></Config></HostedZone>"
            )
        })
        .collect();
    let zones = zones.concat();
    let next_marker = next.map(|next| format!("<NextMarker>{next}</NextMarker>")).unwrap_or_default();
    format!(
        "<ListHostedZonesResponse xmlns=\"{NAMESPACE}\"><HostedZones>{zones}</HostedZones><IsTruncated>{}\
         </IsTruncated>{next_marker}<MaxItems>100</MaxItems></ListHostedZonesResponse>",
        next.is_some()
    )
}

fn page(records: &[String], next: Option<&str>) -> String {
    let sets: Vec<String> =
        records.iter().map(|record| format!("<ResourceRecordSet>{record}</ResourceRecordSet>")).collect();
    let sets = sets.concat();
    let next_name = next
        .map(|next| format!("<NextRecordName>{next}</NextRecordName><NextRecordType>CNAME</NextRecordType>"))
        .unwrap_or_default();
    format!(
        "<ListResourceRecordSetsResponse xmlns=\"{NAMESPACE}\"><ResourceRecordSets>{sets}</ResourceRecordSets>\
         <IsTruncated>{}</IsTruncated>{next_name}<MaxItems>300</MaxItems></ListResourceRecordSetsResponse>",
        next.is_some()
    )
}

fn alias(name: &str, kind: &str, region: &str, target: &str, zone: &str) -> String {
    let set = if region.is_empty() {
        String::new()
    } else {
        format!("<SetIdentifier>{region}</SetIdentifier><Region>{region}</Region>")
    };
    format!(
        "<Name>{name}</Name><Type>{kind}</Type>{set}<AliasTarget><HostedZoneId>{zone}</HostedZoneId>\
         <DNSName>{target}</DNSName><EvaluateTargetHealth>true</EvaluateTargetHealth></AliasTarget>"
    )
}

async fn found(hostnames: &[&str]) -> Discovery {
    let clock = Clock::starting_at(epoch(), 1.0);
    let sim = Sim::new(SimOptions::default(), clock).unwrap();
    let topology = sim.topology();
    let name = |index: usize| topology.regions[index].load_balancers[0].dns_name.as_str().to_owned();
    let canned = Canned { sim: sim.http_client(), load_balancers: Arc::new([name(0), name(1)]) };
    let keys = Keys { access_key: "AKIATEST", secret_key: "secret", ..Keys::default() };
    let cloud = Cloud::simulated(SharedHttpClient::new(canned), clock, &keys);
    let request = DiscoverRequest {
        hostnames: hostnames.iter().map(HostName::new).collect(),
        regions: topology.regions.iter().map(|region| region.name.clone()).collect(),
        ..DiscoverRequest::default()
    };
    discover(&cloud, request).await.unwrap()
}

fn doors(found: &Discovery) -> Vec<(&str, FrontDoor)> {
    found.topology.hostnames.iter().map(|host| (host.name.as_str(), host.front_door)).collect()
}

#[tokio::test(start_paused = true)]
async fn aliases_within_the_zone_are_followed_to_the_load_balancers() {
    let found = found(&["api.example.com"]).await;
    assert_eq!(doors(&found), [("api.example.com", FrontDoor::LoadBalancer)]);
    let latency: Vec<_> =
        found.topology.records.iter().filter(|record| record.policy == RoutingPolicy::Latency).collect();
    assert_eq!(latency.len(), 2);
    assert!(latency.iter().all(|record| record.name.as_str() == "api-lat.example.com"));
    assert!(!latency[0].alias_target.as_str().starts_with("dualstack."), "{:?}", latency[0].alias_target);
    assert_eq!(latency[0].alias_zone_id, ZoneId::new("ZLB1"));
    let others: Vec<_> = found.topology.records.iter().map(|record| record.name.as_str()).collect();
    assert!(others.contains(&"*.example.com"), "every record of the zone that leads there: {others:?}");
    assert!(found.topology.regions.iter().all(|region| region.load_balancers.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn other_front_doors_are_named_and_observed() {
    let found = found(&["cdn.example.com", "ga.example.com", "plain.example.com", "loop.example.com"]).await;
    assert_eq!(
        doors(&found),
        [
            ("cdn.example.com", FrontDoor::Cloudfront),
            ("ga.example.com", FrontDoor::GlobalAccelerator),
            ("plain.example.com", FrontDoor::Unknown),
            ("loop.example.com", FrontDoor::Unknown),
        ]
    );
    assert!(!found.topology.may_act());
    let missing = format!("{:?}", found.missing);
    assert!(missing.contains("CloudFront (d111111abcdef8.cloudfront.net)"), "{missing}");
    assert!(missing.contains("Global Accelerator (a1234.awsglobalaccelerator.com)"), "{missing}");
    assert!(missing.contains("no load balancer (192.0.2.1)"), "{missing}");
}

#[tokio::test(start_paused = true)]
async fn cnames_and_wildcards_lead_on() {
    let found = found(&["old.example.com", "anything.example.com"]).await;
    assert_eq!(
        doors(&found),
        [("old.example.com", FrontDoor::LoadBalancer), ("anything.example.com", FrontDoor::LoadBalancer)]
    );
    assert!(format!("{:?}", found.notes).contains("old.example.com is a CNAME"), "{:?}", found.notes);
    assert!(found.topology.records.iter().all(|record| record.record_type != "CNAME"));
    assert!(found.topology.regions.iter().all(|region| region.load_balancers.len() == 1));
}

#[tokio::test(start_paused = true)]
async fn the_longest_zone_answers_and_a_private_one_is_read_only() {
    let found = found(&["shop.example.com", "internal.corp.test"]).await;
    let shop = &found.topology.hostnames[0];
    assert_eq!((shop.zone_id.as_ref().unwrap().as_str(), shop.private_zone), ("Z3", false));
    let failover: Vec<_> =
        found.topology.records.iter().filter(|record| record.policy == RoutingPolicy::Failover).collect();
    assert_eq!(failover.len(), 2);
    let internal = &found.topology.hostnames[1];
    assert!(internal.private_zone);
    assert_eq!(internal.front_door, FrontDoor::LoadBalancer);
    assert!(!found.topology.may_act());
    let notes = format!("{:?}", found.notes);
    assert!(notes.contains("internal.corp.test lies in a private zone"), "{notes}");
}
