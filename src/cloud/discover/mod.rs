//! From hostnames to a topology: everything that can be found is found, nothing is asked of the operator.
//!
//! What it is for: `init`. The hosted zone leads to records, records to load balancers, those to target
//! groups and services; tables, databases, buckets and alarms are those that lie in the named regions.
//! All regions are asked at once; one that fails is named in `unread` and stops no other.
//! What it must not do: change anything, write files, or guess: what is uncertain carries a note.
//!
//! | file | what it is |
//! |---|---|
//! | `zones` | hosted zones, their records, where a hostname leads |
//! | `inventory` | what one region holds, before it is known what belongs to the application |
//! | `assemble`, `data`, `alarms` | which of it belongs, and the topology made of that |
//! | `report` | what is told of it |

mod alarms;
mod assemble;
mod data;
mod inventory;
mod report;
mod zones;

use std::net::SocketAddr;

use futures_util::future::join_all;

pub use report::Unread;

use super::{Cloud, Each};
use crate::domain::ids::{HealthCheckId, HostName, Region};
use crate::domain::observation::ProbeError;
use crate::domain::snapshot::{HealthCheckConfig, Identity};
use crate::domain::text::Text;
use crate::domain::topology::Topology;

/// What to discover.
#[derive(Clone, Debug, Default)]
pub struct DiscoverRequest {
    /// The application's name; the first hostname when absent.
    pub application: Option<Text>,
    /// Public names of the application.
    pub hostnames: Vec<HostName>,
    /// Regions in which it runs, in the order in which they are to be shown.
    pub regions: Vec<Region>,
    /// Profile that was used, to be written into the scopes.
    pub profile: Option<String>,
    /// Where the probe asks instead of the load balancers; `{region}` in it is replaced.
    pub probe_base: Option<String>,
    /// A URL outside AWS, to tell our network from their region.
    pub control: Option<String>,
    /// The name server that proves where DNS sends people, instead of the zones' own.
    pub dns_server: Option<SocketAddr>,
}

/// What was discovered.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The topology, ready to be written.
    pub topology: Topology,
    /// What was found, a line each.
    pub found: Vec<Text>,
    /// What was looked for and not found, a line each.
    pub missing: Vec<Text>,
    /// What could not be read: the topology is written without it.
    pub unread: Vec<Unread>,
    /// What deserves a look: guesses, exclusions, neighbours, a line each.
    pub notes: Vec<Text>,
}

/// Why there is no topology at all.
#[derive(Clone, Debug, thiserror::Error)]
pub enum DiscoverError {
    /// Nothing to look for was named.
    #[error("name at least one hostname and one region")]
    NothingAsked,
    /// Route 53 could not be read, and everything starts there.
    #[error("{0}")]
    Dns(Box<ProbeError>),
    /// No region could be read; the error of the first.
    #[error("no region could be read: {0}")]
    Regions(Box<ProbeError>),
    /// The hostnames lie in no hosted zone of the account.
    #[error("no hosted zone of this account holds {0}; use the credentials of the account that does")]
    NoZone(Text),
}

impl DiscoverError {
    /// The failed call behind the error, if there is one.
    pub fn cause(&self) -> Option<&ProbeError> {
        match self {
            Self::Dns(error) | Self::Regions(error) => Some(error),
            Self::NothingAsked | Self::NoZone(_) => None,
        }
    }
}

/// Everything that was read.
struct Gathered {
    request: DiscoverRequest,
    dns_identity: Result<Identity, ProbeError>,
    zones: zones::Zones,
    checks: Each<HealthCheckId, HealthCheckConfig>,
    regions: Vec<inventory::Inventory>,
    /// Where Route 53's metrics, and so alarms on health checks, live.
    dns_region: Region,
    /// All alarms there, where that is none of the regions, or one of another account; not asked without a health check.
    dns_alarms: Option<Result<Vec<inventory::Alarm>, ProbeError>>,
    /// The endpoint is a fake's, which may not know global tables.
    fake: bool,
}

/// Discovers the application behind `request.hostnames` in `request.regions`.
pub async fn discover(cloud: &Cloud, mut request: DiscoverRequest) -> Result<Discovery, DiscoverError> {
    request.hostnames = request.hostnames.iter().map(|name| HostName::normalized(name.as_str())).collect();
    let mut seen = std::collections::BTreeSet::new();
    request.regions.retain(|region| seen.insert(region.clone()));
    let mut seen = std::collections::BTreeSet::new();
    request.hostnames.retain(|name| seen.insert(name.clone()));
    if request.hostnames.is_empty() || request.regions.is_empty() {
        return Err(DiscoverError::NothingAsked);
    }
    let dns = cloud.dns();
    // Boxed: futures of the SDK are large, and these live side by side.
    let (dns_identity, zones, mut regions) = tokio::join!(
        Box::pin(dns.identity_now()),
        Box::pin(zones::read(&dns, &request.hostnames)),
        join_all(request.regions.iter().map(|region| Box::pin(inventory::take(cloud.at(region))))),
    );
    let zones = zones.map_err(|error| DiscoverError::Dns(Box::new(error)))?;
    if zones.is_empty() {
        let names: Vec<&str> = request.hostnames.iter().map(HostName::as_str).collect();
        return Err(DiscoverError::NoZone(Text::new(names.join(", "))));
    }
    if let Some(error) = regions.first().and_then(|region| region.load_balancers.as_ref().err())
        && regions.iter().all(|region| region.load_balancers.is_err())
    {
        return Err(DiscoverError::Regions(Box::new(error.clone())));
    }
    let wanted = zones.load_balancer_names(&request.hostnames);
    let ids = zones.health_checks(&wanted);
    let shared = data::shared_tables(&regions);
    let dns_region = cloud.dns_region();
    // A region of the same name is another place when it belongs to another account.
    let other = |identity: &Result<Identity, ProbeError>| match (identity, &dns_identity) {
        (Ok(there), Ok(here)) => there.account != here.account,
        _ => false,
    };
    let named = regions.iter().find(|inventory| inventory.region == dns_region);
    let apart = !ids.is_empty() && named.is_none_or(|named| other(&named.identity));
    let dns_alarms = async { if apart { Some(inventory::alarms(&dns).await) } else { None } };
    let (checks, dns_alarms, ()) =
        tokio::join!(Box::pin(dns.health_checks(&ids)), Box::pin(dns_alarms), async {
            join_all(regions.iter_mut().map(|region| {
                Box::pin(async {
                    region.deepen(&wanted).await;
                    region.describe(&shared).await;
                })
            }))
            .await;
        });
    let fake = cloud.custom_endpoint().is_some();
    Ok(assemble::assemble(&Gathered {
        request,
        dns_identity,
        zones,
        checks,
        regions,
        dns_region,
        dns_alarms,
        fake,
    }))
}
