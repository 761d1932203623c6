//! AWS as the console sees it: clients per scope and region, one file a service, errors told apart.
//!
//! What it is for: typed reads that answer in the words of `domain::snapshot`, item by item, each failure a
//! [`ProbeError`](crate::domain::observation::ProbeError) with its next step. It is the only place that
//! names `aws_sdk_*`. Two things act: `act`, which sends the calls of an approved plan and nothing else, and
//! `lease`, which writes to the one table of leases. What it must not do: decide when to ask (that is `poll`),
//! judge what is answered (`domain`), decide what to do (`runbook`), or change anything anywhere else.
//!
//! | file | what it is |
//! |---|---|
//! | `http`, `connect`, `time` | one HTTP client, its connections and one clock for all SDK clients |
//! | `config`, `credentials`, `source` | profiles, roles and endpoints; one load of credentials for all who need them |
//! | `errors`, `budget` | what went wrong; what watching may take and takes |
//! | `place` | one scope in one region: its clients, its way of asking |
//! | `ec2`, `elb` … `sts` | one service each |
//! | `discover` | from hostnames to a topology |
//! | `act` | what runbooks observe and send: the engine's `Executor` |
//! | `lease` | the lease of runs, in a DynamoDB table |

mod act;
mod budget;
mod cloudwatch;
mod config;
mod connect;
mod credentials;
pub mod discover;
mod dynamodb;
mod ec2;
mod ecs;
mod elb;
mod errors;
mod http;
mod lease;
mod place;
mod rds;
mod route53;
mod s3;
mod scaling;
mod sns;
mod source;
mod sts;
mod time;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::SharedHttpClient;

pub use act::Acting;
pub use budget::{Budget, DOLLARS_PER_SERIES, Meter, ROUTE53_BURST, ROUTE53_RATE};
pub use cloudwatch::Window;
pub use credentials::Open;
pub use lease::LeaseTable;
pub use place::Place;

use crate::domain::ids::Region;
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::Usage;
use crate::domain::topology::{DNS_REGION, Scope, Topology};
use crate::ports::Clock;

/// The calls by IAM's names, as sources and errors tell them.
pub mod calls {
    pub use super::cloudwatch::{DESCRIBE_ALARMS, GET_METRIC_DATA};
    pub use super::dynamodb::DESCRIBE_TABLE;
    pub use super::ecs::DESCRIBE_SERVICES;
    pub use super::elb::{DESCRIBE_LOAD_BALANCERS, DESCRIBE_TARGET_GROUPS, DESCRIBE_TARGET_HEALTH};
    pub use super::rds::{DESCRIBE_DB_CLUSTERS, DESCRIBE_GLOBAL_CLUSTERS};
    pub use super::route53::{
        GET_HEALTH_CHECK, GET_HEALTH_CHECK_STATUS, GET_LAST_FAILURE, LIST_HEALTH_CHECKS, LIST_RECORDS,
    };
    pub use super::s3::GET_BUCKET_REPLICATION;
    pub use super::scaling::DESCRIBE_SCALABLE_TARGETS;
    pub use super::sns::GET_TOPIC_ATTRIBUTES;
    pub use super::sts::GET_CALLER_IDENTITY;
}

/// How many items one call of each service takes.
pub mod limits {
    pub use super::cloudwatch::{ALARMS_PER_CALL, SERIES_PER_REQUEST};
    pub use super::ecs::SERVICES_PER_CALL;
    pub use super::elb::LOAD_BALANCERS_PER_CALL;
    pub use super::scaling::TARGETS_PER_CALL;
}

/// What a batched read brings: each item asked for, with its answer or the reason why there is none.
pub type Each<K, T> = Vec<(K, Result<T, ProbeError>)>;

/// The scope that answers for Route 53.
pub const DNS_SCOPE: &str = "dns";

/// The scope that answers for the lease table.
pub const LEASE_SCOPE: &str = "lease";

/// The scope that answers for routing controls.
pub const ARC_SCOPE: &str = "arc";

/// How to reach the real AWS.
#[derive(Clone, Debug, Default)]
pub struct CloudOptions {
    /// `--profile`: replaces the profile of every scope, as it does in other AWS tools.
    pub profile: Option<String>,
    /// `--endpoint-url`: goes before the environment's and the profile's endpoints.
    pub endpoint_url: Option<String>,
    /// Scopes of the topology; a missing one means the default credentials.
    pub scopes: BTreeMap<String, Scope>,
    /// The application's regions. Roles of profiles are assumed in the first when neither environment nor
    /// profile names a region, and in the others in turn when that fails.
    pub homes: Vec<Region>,
}

/// The keys that a simulated AWS is called with.
#[derive(Clone, Copy, Debug, Default)]
pub struct Keys<'a> {
    /// Access key id.
    pub access_key: &'a str,
    /// Secret access key.
    pub secret_key: &'a str,
    /// Session token.
    pub session_token: Option<&'a str>,
    /// When they end, for the banner.
    pub expires: Option<jiff::Timestamp>,
}

/// The way to AWS, real or simulated. Cheap to clone; all clones share clients, budgets and counts.
#[derive(Clone, Debug)]
pub struct Cloud(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    world: config::World,
    meter: Arc<Meter>,
    route53: Budget,
    discovery: Budget,
    acting: Budget,
    testing: Budget,
    partition: Option<String>,
    seats: Mutex<HashMap<(String, Region), Arc<place::Seat>>>,
}

impl CloudOptions {
    /// The options for a topology, before flags of the command line.
    pub fn of(topology: &Topology) -> Self {
        Self {
            scopes: topology.scope.clone(),
            homes: topology.regions.iter().map(|entry| entry.name.clone()).collect(),
            ..Self::default()
        }
    }
}

impl Cloud {
    /// The real AWS. Returns at once: nothing is read, loaded or connected before the first call.
    pub fn real(options: CloudOptions, clock: Clock) -> Self {
        let partition = options.scopes.get(DNS_SCOPE).and_then(|scope| scope.partition.clone());
        let meter = Arc::new(Meter::new(clock));
        let http = http::counted(http::real(clock), meter.clone());
        Self::new(clock, meter, config::World::real(options, http, clock), partition)
    }

    /// The simulated AWS behind `http`. Reads no environment, no files and no instance metadata.
    pub fn simulated(http: SharedHttpClient, clock: Clock, keys: &Keys<'_>) -> Self {
        let meter = Arc::new(Meter::new(clock));
        let http = http::counted(http, meter.clone());
        Self::new(clock, meter, config::World::simulated(http, clock, keys), None)
    }

    /// The same, called with credentials that `open` provides; they are shared, renewed and told as those
    /// of the real AWS are.
    pub fn simulated_with(http: SharedHttpClient, clock: Clock, open: Box<Open>) -> Self {
        let meter = Arc::new(Meter::new(clock));
        let http = http::counted(http, meter.clone());
        Self::new(clock, meter, config::World::simulated_with(http, clock, open), None)
    }

    fn new(clock: Clock, meter: Arc<Meter>, world: config::World, partition: Option<String>) -> Self {
        Self(Arc::new(Inner {
            clock,
            world,
            meter,
            route53: Budget::new(clock, ROUTE53_RATE, ROUTE53_BURST),
            // Discovery runs once and alone: just below the account's 5/s.
            discovery: Budget::new(clock, 4.0, 4.0),
            // A run goes before everything else of ours, and still leaves something to the account's others.
            acting: Budget::new(clock, 3.0, 4.0),
            // What only looks has the rest, so that a run's own calls never wait behind it; enough for two names of two
            // regions within one look.
            testing: Budget::new(clock, 2.5, 4.0),
            partition,
            seats: Mutex::default(),
        }))
    }

    /// A region, with the credentials of its own scope.
    pub fn at(&self, region: &Region) -> Place {
        self.place(region.as_str(), region)
    }

    /// Route 53 and its metrics, with the credentials of the scope `dns`.
    pub fn dns(&self) -> Place {
        self.place(DNS_SCOPE, &self.dns_region())
    }

    /// The region that signs for Route 53 and holds its metrics: us-east-1 in partition `aws`.
    pub fn dns_region(&self) -> Region {
        Region::new(match self.0.partition.as_deref() {
            Some("aws-cn") => "cn-northwest-1",
            Some("aws-us-gov") => "us-gov-west-1",
            _ => DNS_REGION,
        })
    }

    /// The clock that all calls run on.
    pub fn clock(&self) -> Clock {
        self.0.clock
    }

    /// What watching has cost of late.
    pub fn usage(&self) -> Usage {
        self.0.meter.usage()
    }

    /// How far AWS's clock is ahead of ours (negative: behind), by its newest answer, to a second or two.
    pub fn clock_ahead(&self) -> jiff::SignedDuration {
        self.0.meter.ahead()
    }

    /// The endpoint that is asked instead of AWS, as far as known: flags and environment at once, the
    /// profile's after the first call. Always `None` for the simulation, which is no endpoint.
    pub fn custom_endpoint(&self) -> Option<String> {
        self.0.world.custom_endpoint()
    }

    /// The budget that all watching calls to Route 53 share.
    pub fn route53_budget(&self) -> &Budget {
        &self.0.route53
    }

    /// True when nothing of it leaves this process.
    fn is_simulated(&self) -> bool {
        self.0.world.is_simulated()
    }

    fn place(&self, scope: &str, region: &Region) -> Place {
        let mut seats = self.0.seats.lock().unwrap_or_else(PoisonError::into_inner);
        let seat = seats
            .entry((scope.to_owned(), region.clone()))
            .or_insert_with(|| Arc::new(place::Seat::new(scope, region)))
            .clone();
        Place::new(self.clone(), seat)
    }
}
