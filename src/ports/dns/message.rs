//! DNS messages: a question as bytes, and what answers it.
//!
//! What it is for: checking that an answer is the answer, and reading addresses out of it.
//! What it must not do: touch a socket.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{Name, RData, RecordType};

use super::{AddressKind, ClientSubnet, DnsAnswer, DnsStatus};
use crate::domain::ids::HostName;

/// The largest answer that fits a packet on every path (DNS flag day 2020).
const PAYLOAD: u16 = 1_232;

/// A question that waits for its answer.
pub(super) struct Asked {
    id: u16,
    query: Query,
    /// What travels.
    pub(super) bytes: Vec<u8>,
}

/// What a packet is.
pub(super) enum Heard {
    /// The answer.
    Answer(Box<Message>),
    /// The answer by its id, and unreadable; why.
    Unreadable(String),
    /// Something else: late, misled or forged. The answer may still come.
    Foreign,
}

impl Asked {
    /// A question with a random id; `recursive` asks a resolver to find out what it does not know. `None` when
    /// the name is none.
    pub(super) fn new(
        name: &HostName,
        record: RecordType,
        client: Option<ClientSubnet>,
        recursive: bool,
    ) -> Option<Self> {
        let mut name = Name::from_ascii(name.as_str()).ok()?;
        name.set_fqdn(true);
        let query = Query::query(name, record);
        // The id is a random one of a generator that cannot be foretold; so is the port, the kernel's choice.
        let mut message = Message::query();
        message.metadata.recursion_desired = recursive;
        message.add_query(query.clone());
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        if let Some(client) = client {
            let subnet = WireSubnet::new(client.address(), client.prefix(), 0);
            edns.options_mut().insert(EdnsOption::Subnet(subnet));
        }
        message.set_edns(edns);
        let bytes = message.to_vec().ok()?;
        Some(Self { id: message.metadata.id, query, bytes })
    }

    /// Whether these bytes answer the question.
    pub(super) fn hear(&self, bytes: &[u8]) -> Heard {
        let ours = bytes.len() >= 12 && bytes[..2] == self.id.to_be_bytes() && bytes[2] & 0x80 != 0;
        if !ours {
            return Heard::Foreign;
        }
        let message = match Message::from_vec(bytes) {
            Ok(message) => message,
            Err(error) => return Heard::Unreadable(error.to_string()),
        };
        // A server that could not read the question cannot repeat it.
        let refused = message.queries.is_empty() && message.metadata.response_code != ResponseCode::NoError;
        let repeated = message.queries.len() == 1 && message.queries[0] == self.query;
        if message.metadata.message_type == MessageType::Response && (repeated || refused) {
            Heard::Answer(Box::new(message))
        } else {
            Heard::Foreign
        }
    }

    /// The answer in our words. Records count only where the name asked for leads to them.
    pub(super) fn read(&self, message: &Message, kind: AddressKind, took: Duration) -> DnsAnswer {
        let mut owner = self.query.name().clone();
        let mut seen = BTreeSet::new();
        let mut ttl: Option<u32> = None;
        let mut least = |found: u32| ttl = Some(ttl.map_or(found, |known| known.min(found)));
        let mut addresses: Vec<IpAddr> = Vec::new();
        while seen.insert(owner.clone()) {
            for record in message.answers.iter().filter(|record| record.name == owner) {
                let address = match (&record.data, kind) {
                    (RData::A(four), AddressKind::A) => IpAddr::V4(four.0),
                    (RData::AAAA(six), AddressKind::Aaaa) => IpAddr::V6(six.0),
                    _ => continue,
                };
                if !addresses.contains(&address) {
                    addresses.push(address);
                }
                least(record.ttl);
            }
            let alias = message.answers.iter().find_map(|record| match &record.data {
                RData::CNAME(target) if record.name == owner => Some((target.0.clone(), record.ttl)),
                _ => None,
            });
            let Some((target, found)) = alias else { break };
            least(found);
            owner = target;
        }
        DnsAnswer {
            status: status(message.metadata.response_code),
            authoritative: message.metadata.authoritative,
            addresses,
            ttl: ttl.map(|seconds| Duration::from_secs(u64::from(seconds))),
            scope: scope(message),
            took,
        }
    }
}

/// Names of the name servers in an answer.
pub(super) fn servers(message: &Message) -> Vec<HostName> {
    let found = message.answers.iter().filter_map(|record| match &record.data {
        RData::NS(server) => Some(HostName::normalized(&server.0.to_ascii())),
        _ => None,
    });
    let mut names: Vec<HostName> = found.collect();
    names.sort();
    names.dedup();
    names
}

/// The record type of a kind of address.
pub(super) fn record_type(kind: AddressKind) -> RecordType {
    match kind {
        AddressKind::A => RecordType::A,
        AddressKind::Aaaa => RecordType::AAAA,
    }
}

/// The response code in our words.
pub(super) fn status(code: ResponseCode) -> DnsStatus {
    match code {
        ResponseCode::NoError => DnsStatus::NoError,
        ResponseCode::NXDomain => DnsStatus::NoSuchName,
        ResponseCode::Refused => DnsStatus::Refused,
        ResponseCode::ServFail => DnsStatus::ServerFailure,
        other => DnsStatus::Other(other.into()),
    }
}

fn scope(message: &Message) -> Option<u8> {
    match message.edns.as_ref()?.option(EdnsCode::Subnet)? {
        EdnsOption::Subnet(subnet) => Some(subnet.scope_prefix()),
        _ => None,
    }
}
