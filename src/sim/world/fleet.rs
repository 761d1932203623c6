//! The reference application "orders": what exists, where, under which names.
//!
//! What it is for: every identifier and ARN of the world, computed once from the seed.
//! What it must not do: hold anything that changes with time.

use std::collections::HashMap;

use jiff::{SignedDuration, Timestamp};

use super::geography::{self, PLACES};
use super::noise;

/// The account that owns everything.
pub const ACCOUNT: &str = "123456789012";
/// The zone's name.
pub const ZONE_NAME: &str = "example.com";
/// The public names, the first one the application's API.
pub const HOSTNAMES: [&str; 2] = ["api.example.com", "www.example.com"];
/// A host outside AWS, for the control request.
pub const CONTROL_HOST: &str = "control.example.net";
/// The ECS cluster of every region.
pub const CLUSTER: &str = "prod";
/// The Aurora global cluster.
pub const GLOBAL_CLUSTER: &str = "my-global-db";
/// Aurora's version in every region.
pub const ENGINE_VERSION: &str = "8.0.mysql_aurora.3.08.2";
/// An Aurora global database has one primary and a handful of secondaries; other regions use the nearest.
const AURORA_MEMBERS: usize = 6;
/// Regions that one MRSC table may span, three of one set.
const STRONG_SETS: [&[&str]; 3] = [
    &["us-east-1", "us-east-2", "us-west-2"],
    &["eu-west-1", "eu-west-2", "eu-west-3", "eu-central-1"],
    &["ap-northeast-1", "ap-northeast-2", "ap-northeast-3"],
];

/// Everything that exists.
#[derive(Clone, Debug)]
pub struct Fleet {
    /// The seed that names came from.
    pub seed: u64,
    /// When everything was made: 90 days before the world starts.
    pub born: Timestamp,
    /// Hosted zone id.
    pub zone_id: String,
    /// Regions.
    pub sites: Vec<Site>,
    /// Services, the same in every region.
    pub services: Vec<ServiceSpec>,
    /// Global tables.
    pub tables: Vec<GlobalTable>,
    /// Sites with a member of the Aurora global cluster; the first one writes.
    pub aurora: Vec<usize>,
    /// Replication rules between buckets.
    pub rules: Vec<Rule>,
    /// The region whose registry holds all images; each region its own when absent.
    pub images_in: Option<String>,
    /// The table of the lease.
    pub lease: LeaseTable,
    /// Region of the bucket with the switch objects, and of the switch metric.
    pub switch_region: String,
    /// Fargate vCPUs that each region allows.
    pub vcpus: f64,
    /// Addresses that each subnet has for tasks. A /24 has 256: AWS keeps five, and one is the load balancer's.
    pub addresses: u32,
    /// Regions whose health checks belong to another service, which makes them read-only.
    pub linked: Vec<String>,
    by_region: HashMap<String, usize>,
}

/// One region of the application.
#[derive(Clone, Debug)]
pub struct Site {
    /// Index of the site.
    pub index: usize,
    /// Region name.
    pub region: String,
    /// For noise that belongs to the site.
    pub salt: u64,
    /// Place on the globe.
    pub at: (f64, f64),
    /// Users near it, 1 for a large region.
    pub demand: f64,
    /// Other sites, nearest first.
    pub nearest: Vec<usize>,
    /// Load balancer: ARN.
    pub lb_arn: String,
    /// Load balancer: `app/prod/…`, the metrics' dimension.
    pub lb_dimension: String,
    /// Load balancer: DNS name.
    pub lb_dns: String,
    /// Load balancer: canonical hosted zone.
    pub lb_zone: String,
    /// Load balancer: HTTPS listener.
    pub listener_arn: String,
    /// IPv4 address of the load balancer.
    pub address: String,
    /// Target groups, one a service.
    pub groups: Vec<Group>,
    /// Health check id.
    pub health_check: String,
    /// When the certificate ends.
    pub certificate_ends: Timestamp,
    /// Topic for alarms.
    pub topic: String,
    /// Bucket.
    pub bucket: String,
    /// Aurora cluster identifier, whether or not there is one here.
    pub db_cluster: String,
    /// Availability zones, three.
    pub zones: [String; 3],
    /// VPC.
    pub vpc: String,
    /// Subnets, one a zone.
    pub subnets: [String; 3],
    /// Security group.
    pub security_group: String,
}

/// A target group.
#[derive(Clone, Debug)]
pub struct Group {
    /// ARN.
    pub arn: String,
    /// `targetgroup/NAME/…`, the metrics' dimension.
    pub dimension: String,
    /// For noise that belongs to the service in its region.
    pub salt: u64,
}

/// An ECS service with its target group.
#[derive(Clone, Debug)]
pub struct ServiceSpec {
    /// Name.
    pub name: String,
    /// Tasks wanted on a normal day.
    pub base: i32,
    /// Least capacity.
    pub min: i32,
    /// Most capacity.
    pub max: i32,
    /// Port.
    pub port: u16,
    /// Share of the region's requests.
    pub share: f64,
    /// Median response time, seconds.
    pub median: f64,
}

/// The table of the lease, in one region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LeaseTable {
    /// Region; it need not be one of the application's.
    pub region: String,
    /// Name.
    pub name: String,
    /// Partition key, a string.
    pub hash: String,
    /// Sort key, a string, if there is one.
    pub range: Option<String>,
}

impl Default for LeaseTable {
    fn default() -> Self {
        Self {
            region: "us-west-2".into(),
            name: "switchtower-lease".into(),
            hash: "pk".into(),
            range: Some("sk".into()),
        }
    }
}

/// A DynamoDB global table.
#[derive(Clone, Debug)]
pub struct GlobalTable {
    /// Name.
    pub name: String,
    /// Partition key.
    pub key: &'static str,
    /// Sites with a replica.
    pub sites: Vec<usize>,
    /// Strong consistency (MRSC).
    pub strong: bool,
    /// Region of the witness.
    pub witness: Option<String>,
}

/// A replication rule from one bucket to another.
#[derive(Clone, Debug)]
pub struct Rule {
    /// Source site.
    pub from: usize,
    /// Destination site.
    pub to: usize,
    /// Rule id.
    pub id: String,
    /// Priority among the bucket's rules.
    pub priority: usize,
}

impl Fleet {
    /// Lays the application out over `regions` (names of [`PLACES`]; others get made-up places).
    pub fn new(regions: &[String], services: usize, seed: u64, started: Timestamp) -> Self {
        let day = SignedDuration::from_hours(24);
        let born = started - day * 90;
        let services = specs(services);
        let mut sites: Vec<Site> = regions
            .iter()
            .enumerate()
            .map(|(index, region)| site(index, region, &services, seed, started))
            .collect();
        let places: Vec<(f64, f64)> = sites.iter().map(|site| site.at).collect();
        for site in &mut sites {
            let mut others: Vec<usize> = (0..places.len()).filter(|other| *other != site.index).collect();
            others.sort_by(|a, b| {
                let far = |other: &usize| geography::distance(site.at, places[*other]);
                far(a).total_cmp(&far(b))
            });
            site.nearest = others;
        }
        let by_region = sites.iter().map(|site| (site.region.clone(), site.index)).collect();
        let all: Vec<usize> = (0..sites.len()).collect();
        let mut tables = vec![
            GlobalTable {
                name: "Orders".into(),
                key: "orderId",
                sites: all.clone(),
                strong: false,
                witness: None,
            },
            GlobalTable {
                name: "user-sessions".into(),
                key: "session_id",
                sites: all.clone(),
                strong: false,
                witness: None,
            },
        ];
        tables.extend(strong_table(&sites));
        Self {
            seed,
            born,
            zone_id: format!("Z{}", noise::hex(seed, "zone", 20).to_uppercase()),
            rules: rules(&sites),
            images_in: None,
            lease: LeaseTable::default(),
            switch_region: "us-west-2".into(),
            vcpus: 256.0,
            addresses: 250,
            linked: Vec::new(),
            aurora: all.into_iter().take(AURORA_MEMBERS).collect(),
            tables,
            services,
            sites,
            by_region,
        }
    }

    /// The site of a region.
    pub fn site(&self, region: &str) -> Option<&Site> {
        self.by_region.get(region).map(|index| &self.sites[*index])
    }

    /// An ARN of the account.
    pub fn arn(service: &str, region: &str, resource: &str) -> String {
        format!("arn:aws:{service}:{region}:{ACCOUNT}:{resource}")
    }

    /// ARN of the regional Aurora cluster.
    pub fn db_arn(site: &Site) -> String {
        Self::arn("rds", &site.region, &format!("cluster:{}", site.db_cluster))
    }

    /// ARN of the alarm topic of a region, also where the application itself does not run.
    pub fn topic(region: &str) -> String {
        Self::arn("sns", region, "ops-alert")
    }

    /// The name at which a region's health check knocks.
    pub fn regional_name(site: &Site) -> String {
        format!("{}.{}", site.region, HOSTNAMES[0])
    }

    /// The global writer endpoint of the Aurora cluster.
    pub fn global_endpoint(&self) -> String {
        format!(
            "{GLOBAL_CLUSTER}.global-{}.global.rds.amazonaws.com",
            noise::hex(self.seed, "global-endpoint", 12)
        )
    }
}

fn specs(count: usize) -> Vec<ServiceSpec> {
    const KNOWN: [(&str, i32, f64); 3] = [("api", 6, 0.030), ("web", 4, 0.045), ("checkout", 4, 0.060)];
    let count = count.max(1);
    let total: f64 = (0..count).map(|index| 1.0 / (index + 1) as f64).sum();
    (0..count)
        .map(|index| {
            let (name, base, median) = KNOWN.get(index).map_or_else(
                || (format!("svc-{:02}", index + 1), 2, 0.040),
                |(name, base, median)| ((*name).to_owned(), *base, *median),
            );
            ServiceSpec {
                name,
                base,
                min: (base / 2).max(1),
                max: base * 4,
                port: 8080 + (index as u16 % 100),
                share: 1.0 / (index + 1) as f64 / total,
                median,
            }
        })
        .collect()
}

fn site(index: usize, region: &str, services: &[ServiceSpec], seed: u64, started: Timestamp) -> Site {
    let known = PLACES.iter().find(|place| place.name == region);
    let id = |what: &str, digits: usize| noise::hex(seed, &format!("{what}/{region}"), digits);
    let lb_dimension = format!("app/prod/{}", id("lb", 16));
    let zone_name = |letter: &str| format!("{region}{letter}");
    let certificate_days = 60 + (noise::hash(seed, &format!("certificate/{region}")) % 240) as i64;
    Site {
        index,
        region: region.to_owned(),
        salt: noise::hash(seed, region),
        at: known.map_or((0.0, index as f64 * 10.0), |place| place.at),
        demand: known.map_or(0.3, |place| place.demand),
        nearest: Vec::new(),
        lb_arn: Fleet::arn("elasticloadbalancing", region, &format!("loadbalancer/{lb_dimension}")),
        listener_arn: Fleet::arn(
            "elasticloadbalancing",
            region,
            &format!("listener/{lb_dimension}/{}", id("listener", 16)),
        ),
        lb_dimension,
        lb_dns: format!(
            "prod-{}.{region}.elb.amazonaws.com",
            noise::digits(seed, &format!("lb-dns/{region}"), 10)
        ),
        lb_zone: known.map_or_else(
            || format!("Z{}", id("elb-zone", 13).to_uppercase()),
            |place| place.elb_zone.to_owned(),
        ),
        address: format!("203.0.113.{}", 10 + index * 4),
        groups: services
            .iter()
            .map(|service| {
                let name = &service.name;
                let dimension =
                    format!("targetgroup/{name}/{}", noise::hex(seed, &format!("group/{region}/{name}"), 16));
                Group {
                    arn: Fleet::arn("elasticloadbalancing", region, &dimension),
                    dimension,
                    salt: noise::hash(seed, &format!("service/{region}/{name}")),
                }
            })
            .collect(),
        health_check: noise::uuid(seed, &format!("health-check/{region}")),
        certificate_ends: started + SignedDuration::from_hours(24 * certificate_days),
        topic: Fleet::topic(region),
        bucket: format!("assets-{region}"),
        db_cluster: format!("my-db-{region}"),
        zones: [zone_name("a"), zone_name("b"), zone_name("c")],
        vpc: format!("vpc-0{}", id("vpc", 16)),
        subnets: ["a", "b", "c"].map(|zone| format!("subnet-0{}", id(&format!("subnet-{zone}"), 16))),
        security_group: format!("sg-0{}", id("security-group", 16)),
    }
}

/// An MRSC table, where three regions of one set allow it: three replicas, or two and a witness.
fn strong_table(sites: &[Site]) -> Option<GlobalTable> {
    STRONG_SETS.iter().find_map(|set| {
        let inside: Vec<usize> = sites
            .iter()
            .filter(|site| set.contains(&site.region.as_str()))
            .map(|site| site.index)
            .take(3)
            .collect();
        let used = |region: &str| inside.iter().any(|index| sites[*index].region == region);
        let witness = match inside.len() {
            3 => None,
            2 => set.iter().find(|region| !used(region)).map(|region| (*region).to_owned()),
            _ => return None,
        };
        Some(GlobalTable { name: "ledger".into(), key: "entryId", sites: inside, strong: true, witness })
    })
}

/// Each bucket replicates to its neighbours in the list, both ways.
fn rules(sites: &[Site]) -> Vec<Rule> {
    let count = sites.len();
    let mut rules = Vec::new();
    for site in sites {
        let mut peers = vec![(site.index + 1) % count, (site.index + count - 1) % count];
        peers.dedup();
        for (priority, to) in peers.into_iter().filter(|to| *to != site.index).enumerate() {
            let id = format!("to-{}", sites[to].region);
            rules.push(Rule { from: site.index, to, id, priority: priority + 1 });
        }
    }
    rules
}
