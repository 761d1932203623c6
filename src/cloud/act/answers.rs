//! What DNS tells clients elsewhere: the proof that traffic moves.
//!
//! What it is for: asking the zone's own servers on behalf of clients in many places, and saying to which
//! region's load balancers each answer leads.
//! What it must not do: ask a resolver's cache about the names of users, or call a part of the answers the whole.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::{Acting, subnets};
use crate::domain::ids::{HostName, Region};
use crate::domain::observation::{ErrorKind, ProbeError};
use crate::domain::text::Text;
use crate::ports::{
    AddressKind, ClientSubnet, DnsAnswer, DnsLookup, DnsQuestion, DnsStatus, ProbeFailure, ProbeRequest,
};
use crate::runbook::Answer;

/// How questions to name servers are named where AWS calls are.
pub(super) const ASK: &str = "our DNS questions";

/// Time for one question.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// How much longer than one question may take Route 53's word is waited for before it is asked for too.
const HEDGE: Duration = Duration::from_millis(100);

/// Time for all questions together, the second tries among them.
const BOUND: Duration = Duration::from_millis(3_400);

/// How long the name servers of a zone stay the same.
const SERVERS_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// How long a load balancer's address stays its own: its answers name some of them at a time.
const ADDRESS_LIFE: SignedDuration = SignedDuration::from_mins(10);

/// What one client is told.
pub(super) struct Asked {
    pub(super) client: ClientSubnet,
    pub(super) kind: AddressKind,
    pub(super) addresses: Vec<IpAddr>,
    pub(super) ttl: u32,
    /// By Route 53's API, not by a server.
    pub(super) tested: bool,
}

/// What earlier questions brought.
#[derive(Debug, Default)]
pub(super) struct Memory {
    servers: Mutex<BTreeMap<HostName, (Timestamp, Vec<SocketAddr>)>>,
    addresses: Mutex<BTreeMap<IpAddr, (Timestamp, Region)>>,
}

impl Acting {
    fn dns_error(&self, kind: ErrorKind, message: impl Into<Text>) -> ProbeError {
        ProbeError {
            kind,
            call: ASK.into(),
            region: None,
            message: message.into(),
            request_id: None,
            at: self.cloud.clock().now(),
            next_step: Text::default(),
        }
    }

    /// The client of DNS, when there is somebody to ask about this application.
    async fn asker(&self) -> Result<&Arc<dyn DnsLookup>, ProbeError> {
        self.cloud.dns().ready().await;
        let elsewhere = self.cloud.custom_endpoint().is_some() && self.topology.dns.server.is_none();
        match &self.dns {
            Some(dns) if !elsewhere => Ok(dns),
            Some(_) => Err(self.dns_error(
                ErrorKind::NotConfigured,
                "the endpoint is not AWS's, and the topology names no DNS server",
            )),
            None => Err(self.dns_error(ErrorKind::NotConfigured, "this program has no way to ask")),
        }
    }

    /// What every client is told about a name: by the zone's own servers and, where they do not answer all that is asked,
    /// by Route 53's word for what they would.
    pub(super) async fn answers(&self, name: &HostName) -> Result<Vec<Answer>, ProbeError> {
        let dns = self.asker().await?;
        let clock = self.cloud.clock();
        let learned = async {
            let late =
                |late: crate::ports::Elapsed| Some(self.dns_error(ErrorKind::TimedOut, late.to_string()));
            clock.timeout(BOUND, self.learn_addresses(dns)).await.unwrap_or_else(late)
        };
        let (asked, lost) = tokio::join!(self.asked(dns, name), learned);
        let mut answers = Vec::new();
        for one in asked? {
            for (region, addresses) in self.by_region(&one.addresses) {
                answers.push(Answer {
                    subnet: one.client.to_string().into(),
                    record_type: one.kind.to_string().into(),
                    addresses,
                    region,
                    ttl: one.ttl,
                    tested: one.tested,
                });
            }
        }
        // An address that belongs to nobody may be a load balancer's whose own name could not be asked for.
        let stray = answers.iter().any(|answer| answer.region.is_none() && !answer.addresses.is_empty());
        match lost.filter(|_| stray) {
            Some(error) => Err(error),
            None => Ok(answers),
        }
    }

    /// The servers' own answers, all of them; or as many as came, and those that Route 53 tells instead. It is asked once
    /// the servers have kept us waiting for as long as one of them may, and at once when they have failed.
    async fn asked(&self, dns: &Arc<dyn DnsLookup>, name: &HostName) -> Result<Vec<Asked>, ProbeError> {
        let clock = self.cloud.clock();
        let kinds = self.kinds(name);
        let direct = async {
            let told = clock.timeout(BOUND, self.direct(dns, name, &kinds)).await;
            told.unwrap_or_else(|late| {
                (Vec::new(), Some(self.dns_error(ErrorKind::TimedOut, late.to_string())))
            })
        };
        let tested = self.tested(name, &kinds);
        tokio::pin!(direct, tested);
        let early = clock.timeout(PATIENCE + HEDGE, &mut direct).await.ok();
        let (told, instead) = match early {
            Some((told, None)) => return Ok(told),
            Some(part) => (part, tested.await),
            None => {
                tokio::select! {
                    biased;
                    part = &mut direct => match part {
                        (told, None) => return Ok(told),
                        part => (part, tested.await),
                    },
                    instead = &mut tested => match direct.await {
                        (told, None) => return Ok(told),
                        part => (part, instead),
                    },
                }
            }
        };
        match (told, instead) {
            ((mut told, _), Ok(instead)) => {
                told.extend(instead);
                Ok(told)
            }
            ((_, Some(mut error)), Err(other)) => {
                error.message = format!("{}; {other}", error.message).into();
                Err(error)
            }
            ((told, None), Err(_)) => Ok(told),
        }
    }

    /// What the servers answered, and why it is not all.
    async fn direct(
        &self,
        dns: &Arc<dyn DnsLookup>,
        name: &HostName,
        kinds: &[AddressKind],
    ) -> (Vec<Asked>, Option<ProbeError>) {
        let servers = match self.servers(dns, name).await {
            Ok(servers) => servers,
            Err(error) => return (Vec::new(), Some(error)),
        };
        let questions =
            self.clients().into_iter().flat_map(|client| kinds.iter().map(move |kind| (client, *kind)));
        let asked = (0..).zip(questions).map(|(turn, (client, kind))| {
            let servers = &servers;
            async move { (client, kind, ask(dns, servers, turn, name, kind, Some(client)).await) }
        });
        let all = join_all(asked).await;
        let count = all.len();
        let (mut told, mut silent) = (Vec::new(), Vec::new());
        for (client, kind, answer) in all {
            match answer {
                Ok(answer) => {
                    let ttl = answer.ttl.map_or(0, |ttl| u32::try_from(ttl.as_secs()).unwrap_or(u32::MAX));
                    told.push(Asked { client, kind, addresses: answer.addresses, ttl, tested: false });
                }
                Err(failure) => silent.push(failure),
            }
        }
        let error = silent.first().map(|first| {
            let words = format!("{} of {count} questions were not answered: {}", silent.len(), first.message);
            self.dns_error(first.kind, words)
        });
        (told, error)
    }

    /// On whose behalf is asked.
    fn clients(&self) -> Vec<ClientSubnet> {
        if self.asks_simulation() { subnets::simulated() } else { subnets::world() }
    }

    /// True where clients live in networks that are kept for tests.
    pub(super) fn asks_simulation(&self) -> bool {
        let loopback = self.topology.dns.server.is_some_and(|server| server.ip().is_loopback());
        self.cloud.is_simulated() || loopback || self.cloud.custom_endpoint().is_some()
    }

    /// The address types that the name has records of.
    fn kinds(&self, name: &HostName) -> Vec<AddressKind> {
        let records = self.topology.records.iter();
        let six = records.filter(|record| &record.name == name).any(|record| record.record_type == "AAAA");
        if six { vec![AddressKind::A, AddressKind::Aaaa] } else { vec![AddressKind::A] }
    }

    /// The servers that answer for a name: the topology's own, or the authoritative ones of its zone.
    async fn servers(
        &self,
        dns: &Arc<dyn DnsLookup>,
        name: &HostName,
    ) -> Result<Vec<SocketAddr>, ProbeError> {
        if let Some(server) = self.topology.dns.server {
            return Ok(vec![server]);
        }
        let now = self.cloud.clock().now();
        let known = |zone: &HostName| {
            let servers = self.memory.servers.lock().unwrap_or_else(PoisonError::into_inner);
            let (at, found) = servers.get(zone)?;
            (now.duration_since(*at) < SERVERS_LIFE).then(|| found.clone())
        };
        let mut failed = None;
        // The zone is the name or one of those above it; which, only DNS tells.
        for (dot, _) in std::iter::once((0, ".")).chain(name.as_str().match_indices('.')) {
            let zone = HostName::new(name.as_str()[dot..].trim_start_matches(['.', '*']));
            if !zone.as_str().contains('.') {
                break;
            }
            if let Some(found) = known(&zone) {
                return Ok(found);
            }
            match dns.name_servers(&zone, PATIENCE).await {
                Ok(found) => {
                    let found: Vec<SocketAddr> =
                        found.iter().filter_map(|server| server.addresses.first().copied()).collect();
                    let mut servers = self.memory.servers.lock().unwrap_or_else(PoisonError::into_inner);
                    servers.insert(zone, (now, found.clone()));
                    return Ok(found);
                }
                Err(error) => failed = Some(error),
            }
        }
        Err(match failed {
            Some(error) => self.dns_error(error.kind, error.message),
            None => self.dns_error(ErrorKind::NotFound, format!("{name} is in no zone")),
        })
    }

    /// Learns which addresses are which region's load balancers; the first failure, if any.
    async fn learn_addresses(&self, dns: &Arc<dyn DnsLookup>) -> Option<ProbeError> {
        let of_regions = self.topology.regions.iter().flat_map(|entry| {
            entry.load_balancers.iter().map(|balancer| (balancer.dns_name.clone(), entry.name.clone()))
        });
        let of_records =
            self.topology.records.iter().map(|record| (record.alias_target.clone(), record.region.clone()));
        let names: BTreeSet<(HostName, Region)> = of_regions.chain(of_records).collect();
        let looked = names.into_iter().map(|(name, region)| async move {
            let found = match self.topology.dns.server {
                Some(server) => {
                    let kinds = [AddressKind::A, AddressKind::Aaaa].map(|kind| {
                        let name = name.clone();
                        async move { ask(dns, &[server], 0, &name, kind, None).await }
                    });
                    join_all(kinds)
                        .await
                        .into_iter()
                        .collect::<Result<Vec<DnsAnswer>, _>>()
                        .map(|answers| answers.into_iter().flat_map(|answer| answer.addresses).collect())
                }
                None => dns.lookup(&name).await,
            };
            (name, region, found)
        });
        let now = self.cloud.clock().now();
        let mut failed = None;
        let found = join_all(looked).await;
        let mut known = self.memory.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, (at, _)| now.duration_since(*at) < ADDRESS_LIFE);
        for (name, region, addresses) in found {
            match addresses {
                Ok(addresses) => {
                    known.extend(addresses.into_iter().map(|address| (address, (now, region.clone()))));
                }
                Err(error) => {
                    let words = format!("addresses of {name}: {}", error.message);
                    failed.get_or_insert_with(|| self.dns_error(error.kind, words));
                }
            }
        }
        failed
    }

    /// The addresses of an answer, apart by region; an answer without any is one too.
    fn by_region(&self, addresses: &[IpAddr]) -> BTreeMap<Option<Region>, Vec<IpAddr>> {
        if addresses.is_empty() {
            return BTreeMap::from([(None, Vec::new())]);
        }
        let known = self.memory.addresses.lock().unwrap_or_else(PoisonError::into_inner);
        let mut apart: BTreeMap<Option<Region>, Vec<IpAddr>> = BTreeMap::new();
        for address in addresses {
            let region = known.get(address).map(|(_, region)| region.clone());
            apart.entry(region).or_default().push(*address);
        }
        apart
    }

    /// The request that a user of a name would make, wherever DNS leads.
    pub(super) async fn synthetic_request(
        &self,
        name: &HostName,
        path: &str,
    ) -> Result<ProbeRequest, ProbeError> {
        let settings = &self.topology.probe;
        let timeout = self.probe_timeout();
        let path = path.trim_start_matches('/');
        let Some(base) = &settings.base else {
            return Ok(ProbeRequest { url: format!("https://{name}/{path}"), via: name.clone(), timeout });
        };
        // The application answers elsewhere than at its name: DNS says for which region we are sent there.
        let dns = self.asker().await?;
        let servers = self.servers(dns, name).await?;
        let (told, lost) =
            tokio::join!(ask(dns, &servers, 0, name, AddressKind::A, None), self.learn_addresses(dns));
        let told = told.map_err(|error| self.dns_error(error.kind, error.message))?;
        let region = self.by_region(&told.addresses).into_keys().next().flatten();
        let region = region.ok_or_else(|| {
            lost.unwrap_or_else(|| {
                self.dns_error(ErrorKind::NoData, format!("{name} leads to no region of ours"))
            })
        })?;
        let base = base.replace("{region}", region.as_str());
        let url = format!("{}/{path}", base.trim_end_matches('/'));
        let via = crate::domain::probes::host_of(&url);
        Ok(ProbeRequest { url, via, timeout })
    }
}

/// Asks one of the servers and, when it does not answer, another.
async fn ask(
    dns: &Arc<dyn DnsLookup>,
    servers: &[SocketAddr],
    turn: usize,
    name: &HostName,
    kind: AddressKind,
    client: Option<ClientSubnet>,
) -> Result<DnsAnswer, ProbeFailure> {
    let mut failed = None;
    for attempt in 0..2 {
        let Some(server) = servers.get((turn + attempt) % servers.len().max(1)) else { break };
        let question = DnsQuestion { server: *server, name: name.clone(), kind, client, timeout: PATIENCE };
        match dns.ask(question).await {
            Ok(answer) if matches!(answer.status, DnsStatus::NoError | DnsStatus::NoSuchName) => {
                return Ok(answer);
            }
            Ok(answer) => {
                let message = format!("{server} answers {} for {name}", answer.status);
                failed = Some(ProbeFailure { kind: ErrorKind::Rejected, message: message.into() });
            }
            Err(error) => failed = Some(error),
        }
    }
    Err(failed.unwrap_or_else(|| ProbeFailure {
        kind: ErrorKind::NotFound,
        message: "the zone has no name server".into(),
    }))
}
