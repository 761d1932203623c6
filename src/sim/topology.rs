//! The topology of the world: what `init` would write after discovering it.
//!
//! What it is for: letting the demo start without discovering anything.
//! What it must not do: name anything that calls could not find.

use std::collections::BTreeMap;

use super::Sim;
use super::services::{STACK, aurora_arn};
use super::world::Fleet;
use super::world::fleet::{ACCOUNT, CLUSTER, CONTROL_HOST, GLOBAL_CLUSTER, HOSTNAMES, Site};
use super::world::removal::OWNER_TAG;
use crate::domain::ids::{
    AccountId, AlarmName, Arn, BucketName, DbClusterId, GlobalClusterId, HealthCheckId, HostName, Region,
    ServiceKey, TableName, ZoneId,
};
use crate::domain::topology::{
    ArcEndpoint, ArcSettings, AuroraGlobal, AuroraMember, BucketReplication, CleanupSettings, DNS_REGION,
    DnsEntry, FrontDoor, Hostname, LeaseSettings, LoadBalancer, LoadBalancerKind, NetworkStack, OnEvacuate,
    Policy, ProbeSettings, Record, RegionEntry, RoutingControl, RoutingPolicy, Scope, Service, Switch,
    SwitchWire, Table, Thresholds, Topology,
};

impl Sim {
    /// Everything that discovery finds in this world.
    pub fn topology(&self) -> Topology {
        let fleet = &self.world().fleet;
        let region = |index: usize| Region::new(&fleet.sites[index].region);
        let account = Scope {
            account: Some(AccountId::new(ACCOUNT)),
            partition: Some("aws".into()),
            ..Scope::default()
        };
        let mut scope = BTreeMap::from([("dns".to_owned(), account.clone())]);
        scope.extend(fleet.sites.iter().map(|site| (site.region.clone(), account.clone())));
        Topology {
            version: 1,
            application: "orders".into(),
            scope,
            hostnames: HOSTNAMES
                .iter()
                .map(|name| Hostname {
                    name: HostName::new(name),
                    zone_id: Some(ZoneId::new(&fleet.zone_id)),
                    private_zone: false,
                    front_door: FrontDoor::LoadBalancer,
                })
                .collect(),
            records: fleet
                .sites
                .iter()
                .flat_map(|site| records(fleet, site, self.world().record_check(site.index)))
                .collect(),
            regions: fleet.sites.iter().map(|site| self.region_entry(site)).collect(),
            tables: fleet
                .tables
                .iter()
                .map(|table| Table {
                    name: TableName::new(&table.name),
                    regions: table.sites.iter().map(|site| region(*site)).collect(),
                    witness: table.witness.as_ref().map(Region::new),
                })
                .collect(),
            aurora: vec![AuroraGlobal {
                id: GlobalClusterId::new(GLOBAL_CLUSTER),
                arn: Some(Arn::new(aurora_arn())),
                engine: "aurora-mysql".into(),
                members: fleet
                    .aurora
                    .iter()
                    .map(|index| &fleet.sites[*index])
                    .map(|site| AuroraMember {
                        region: Region::new(&site.region),
                        id: DbClusterId::new(&site.db_cluster),
                        arn: Arn::new(Fleet::db_arn(site)),
                    })
                    .collect(),
            }],
            replication: fleet
                .rules
                .iter()
                .map(|rule| BucketReplication {
                    source: BucketName::new(&fleet.sites[rule.from].bucket),
                    source_region: region(rule.from),
                    destination: BucketName::new(&fleet.sites[rule.to].bucket),
                    destination_region: region(rule.to),
                    rule: rule.id.as_str().into(),
                    metrics: true,
                })
                .collect(),
            dns: self.dns_entry(),
            probe: ProbeSettings {
                control: Some(format!("https://{CONTROL_HOST}/")),
                ..ProbeSettings::default()
            },
            synthetic: crate::domain::topology::SyntheticSettings::default(),
            evacuation: Vec::new(),
            switches: self.switches(),
            arc: self.arc(),
            lease: Some(self.lease_settings()),
            notify: None,
            cleanup: Some(CleanupSettings {
                owner_tag: Some(OWNER_TAG.0.into()),
                owner_value: Some(OWNER_TAG.1.into()),
                stacks: fleet
                    .sites
                    .iter()
                    .map(|site| NetworkStack { region: Region::new(&site.region), name: STACK.into() })
                    .collect(),
            }),
            thresholds: Thresholds::default(),
            freshness: crate::domain::topology::Freshness::default(),
            policy: Policy::default(),
        }
    }

    fn switches(&self) -> Vec<Switch> {
        let wiring = self.evacuation();
        let objects = wiring.switch_object.iter().flat_map(|object| {
            object.keys.iter().map(|(region, key)| Switch {
                region: region.clone(),
                home: object.region.clone(),
                health_check: None,
                wire: SwitchWire::Object { bucket: object.bucket.as_str().into(), key: key.clone() },
            })
        });
        let metrics = wiring.switch_metric.iter().flat_map(|metric| {
            wiring.record_checks.iter().map(|(region, _)| Switch {
                region: region.clone(),
                home: metric.region.clone(),
                health_check: None,
                wire: SwitchWire::Metric { namespace: metric.namespace.clone(), name: metric.name.clone() },
            })
        });
        objects.chain(metrics).collect()
    }

    fn arc(&self) -> Option<ArcSettings> {
        let wired = self.evacuation().routing_control?;
        Some(ArcSettings {
            endpoints: wired.endpoints.into_iter().map(|(region, url)| ArcEndpoint { url, region }).collect(),
            routing_controls: wired
                .controls
                .into_iter()
                .map(|(region, arn)| RoutingControl { region, arn: arn.into(), health_check: None })
                .collect(),
        })
    }

    fn lease_settings(&self) -> LeaseSettings {
        let lease = self.evacuation().lease;
        LeaseSettings { table: lease.name.as_str().into(), region: lease.region.into() }
    }

    fn region_entry(&self, site: &Site) -> RegionEntry {
        let fleet = &self.world().fleet;
        RegionEntry {
            name: Region::new(&site.region),
            load_balancers: vec![LoadBalancer {
                name: "prod".into(),
                arn: Arn::new(&site.lb_arn),
                dns_name: HostName::normalized(&site.lb_dns),
                canonical_zone_id: ZoneId::new(&site.lb_zone),
                kind: LoadBalancerKind::Application,
                target_groups: site.groups.iter().map(|group| Arn::new(&group.arn)).collect(),
            }],
            services: fleet
                .services
                .iter()
                .zip(&site.groups)
                .map(|(spec, group)| Service {
                    key: ServiceKey { cluster: CLUSTER.into(), service: spec.name.as_str().into() },
                    arn: Arn::new(Fleet::arn(
                        "ecs",
                        &site.region,
                        &format!("service/{CLUSTER}/{}", spec.name),
                    )),
                    target_groups: vec![Arn::new(&group.arn)],
                    scalable: true,
                    on_evacuate: OnEvacuate::default(),
                    uses_database: false,
                })
                .collect(),
            alarms: self.world().alarm_names(&site.region).into_iter().map(AlarmName::from).collect(),
            topics: vec![Arn::new(&site.topic)],
        }
    }

    /// Alarms on health checks live in us-east-1, which need be no region of the application.
    fn dns_entry(&self) -> DnsEntry {
        if self.world().fleet.site(DNS_REGION).is_some() {
            return DnsEntry::default();
        }
        DnsEntry {
            server: None,
            alarms: self.world().alarm_names(DNS_REGION).into_iter().map(AlarmName::from).collect(),
            topics: vec![Arn::new(Fleet::topic(DNS_REGION))],
        }
    }
}

/// The records that point at a region's load balancer, A and AAAA of each name.
fn records(fleet: &Fleet, site: &Site, check: &str) -> Vec<Record> {
    let record = |name: &str, kind: &str, latency: bool| Record {
        name: HostName::normalized(name),
        record_type: kind.to_owned(),
        zone_id: ZoneId::new(&fleet.zone_id),
        set_identifier: latency.then(|| site.region.as_str().into()),
        policy: if latency { RoutingPolicy::Latency } else { RoutingPolicy::Simple },
        region: Region::new(&site.region),
        alias_target: HostName::normalized(&site.lb_dns),
        alias_zone_id: ZoneId::new(&site.lb_zone),
        evaluate_target_health: latency,
        health_check: latency.then(|| HealthCheckId::new(check)),
    };
    let regional = Fleet::regional_name(site);
    let mut records = Vec::new();
    for kind in ["A", "AAAA"] {
        records.extend(HOSTNAMES.iter().map(|name| record(name, kind, true)));
        records.push(record(&regional, kind, false));
    }
    records
}
