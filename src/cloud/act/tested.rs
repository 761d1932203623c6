//! What Route 53 says its name servers would answer.
//!
//! What it is for: where our own DNS questions come to nothing, a few questions of the same kind put to Route 53's API
//! (TestDNSAnswer), on behalf of clients near the application's own regions.
//! What it must not do: stand in where the servers themselves answer, or keep the calls of a run waiting: this API is
//! slow, allows the account five calls a second, and is as mute as its region when that is the one that fails.

use std::net::IpAddr;

use futures_util::future::join_all;

use super::answers::Asked;
use super::{Acting, subnets};
use crate::domain::ids::{HostName, ZoneId};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::ports::{AddressKind, ClientSubnet};

pub(super) const TEST_ANSWER: &str = "route53:TestDNSAnswer";

impl Acting {
    /// One answer for each of a few clients and each kind of address; all of them, or none.
    pub(super) async fn tested(
        &self,
        name: &HostName,
        kinds: &[AddressKind],
    ) -> Result<Vec<Asked>, ProbeError> {
        let Some(zone) = self.zone_of(name) else {
            let words = format!("the topology names no zone of {name}");
            return Err(self.cloud.dns().error(ErrorKind::NotConfigured, TEST_ANSWER, words));
        };
        let regions = self.topology.regions.iter().map(|entry| &entry.name);
        let clients = if self.asks_simulation() {
            subnets::simulated_near(self.topology.regions.len())
        } else {
            subnets::near(regions)
        };
        let questions = clients.iter().flat_map(|client| kinds.iter().map(move |kind| (*client, *kind)));
        let told = questions.map(|(client, kind)| self.test(&zone, name, client, kind));
        join_all(told).await.into_iter().collect()
    }

    async fn test(
        &self,
        zone: &ZoneId,
        name: &HostName,
        client: ClientSubnet,
        kind: AddressKind,
    ) -> Result<Asked, ProbeError> {
        let place = self.cloud.dns();
        let sdk = place.route53().await;
        let request = sdk
            .test_dns_answer()
            .hosted_zone_id(zone.as_str())
            .record_name(name.as_str())
            .record_type(kind.to_string().as_str().into())
            .edns0_client_subnet_ip(client.address().to_string())
            .edns0_client_subnet_mask(client.prefix().to_string());
        // A budget of its own: what takes users out of the region never waits behind what only looks.
        let answer = place.ask_route53(&self.cloud.0.testing, TEST_ANSWER, request.send()).await?;
        let code = answer.response_code();
        if !matches!(code, "NOERROR" | "NXDOMAIN") {
            let words = format!("it answers {code} for {name}");
            return Err(place.error(ErrorKind::Rejected, TEST_ANSWER, words));
        }
        let addresses: Vec<IpAddr> = answer.record_data().iter().filter_map(|one| one.parse().ok()).collect();
        // It does not tell how long: as long as answers of the zone live.
        let ttl = u32::try_from(self.topology.policy.answers_live_seconds).unwrap_or(u32::MAX);
        Ok(Asked { client, kind, addresses, ttl, tested: true })
    }

    fn zone_of(&self, name: &HostName) -> Option<ZoneId> {
        let records = self.topology.records.iter().filter(|record| &record.name == name);
        let hosts = self.topology.hostnames.iter().filter(|host| &host.name == name);
        let of_hosts = hosts.filter_map(|host| host.zone_id.clone());
        records.map(|record| record.zone_id.clone()).chain(of_hosts).next()
    }
}
