//! The world's name servers on a loopback port, UDP and TCP.
//!
//! What it is for: `sim --dns`: `dig @127.0.0.1 -p PORT api.example.com +subnet=198.18.1.0/24` sees traffic move.
//! What it must not do: look anything up for anybody (it answers for its own zone), or be reached from another
//! machine.

use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::rdata::{A, AAAA, NS, SOA};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::{ALIAS_TTL, Found, address, find, scope};
use crate::ports::{AddressKind, ClientSubnet, Clock};
use crate::sim::Sim;
use crate::sim::listen::ListenError;
use crate::sim::services::name_servers;
use crate::sim::world::fleet::ZONE_NAME;

/// The largest answer over UDP, whatever a client would take.
const PAYLOAD: u16 = 1_232;

/// How long a TCP connection may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// Pause after a connection could not be accepted, which is when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a free port is looked for that both protocols can have.
const TRIES: usize = 8;

/// TTLs of the zone's own records, as Route 53 sets them: name servers, start of authority, and what there is not.
const TTLS: (u32, u32, u32) = (172_800, 900, 900);

/// A name server that has its port and does not answer yet.
pub struct NameServer {
    sim: Sim,
    packets: UdpSocket,
    connections: TcpListener,
    address: SocketAddr,
}

impl NameServer {
    /// Takes the port `address` for both protocols; 0 takes any free one.
    pub async fn bind(sim: Sim, address: SocketAddr) -> Result<Self, ListenError> {
        if !address.ip().is_loopback() {
            return Err(ListenError::NotLoopback(address));
        }
        let failed = |source| ListenError::Bind { address, source };
        let mut tries = 0;
        loop {
            tries += 1;
            let packets = UdpSocket::bind(address).await.map_err(failed)?;
            let found = packets.local_addr().map_err(failed)?;
            match TcpListener::bind(found).await {
                Ok(connections) => return Ok(Self { sim, packets, connections, address: found }),
                // The port that was free for the one protocol may be taken in the other.
                Err(_) if address.port() == 0 && tries < TRIES => {}
                Err(error) => return Err(failed(error)),
            }
        }
    }

    /// Where it is asked.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until `stop` is done; connections that are open then are closed at once.
    pub async fn serve(self, stop: impl Future<Output = ()>) {
        let sim = Arc::new(self.sim);
        let mut connections = JoinSet::new();
        let mut packet = vec![0; usize::from(u16::MAX)];
        tokio::pin!(stop);
        loop {
            tokio::select! {
                () = &mut stop => return,
                Some(_) = connections.join_next() => {}
                received = self.packets.recv_from(&mut packet) => {
                    // An error here is one of an earlier answer that nobody took.
                    if let Ok((length, from)) = received
                        && let Some(answer) = answer(&sim, &packet[..length], false)
                    {
                        let _ = self.packets.send_to(&answer, from).await;
                    }
                }
                accepted = self.connections.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(converse(sim.clone(), stream));
                    }
                    Err(_) => Clock::real().sleep(ACCEPT_PAUSE).await,
                },
            }
        }
    }
}

/// Answers one connection until the client closes it, is silent, or says what is no question.
async fn converse(sim: Arc<Sim>, mut stream: TcpStream) {
    loop {
        let question = async {
            let mut question = vec![0; usize::from(stream.read_u16().await?)];
            stream.read_exact(&mut question).await?;
            Ok::<_, std::io::Error>(question)
        };
        let Ok(Ok(question)) = Clock::real().timeout(IDLE, question).await else { return };
        let Some(answer) = answer(&sim, &question, true) else { return };
        let length = u16::try_from(answer.len()).unwrap_or(u16::MAX);
        if stream.write_all(&[&length.to_be_bytes(), answer.as_slice()].concat()).await.is_err() {
            return;
        }
    }
}

/// The answer to a message; `None` for what is no question at all, which is not answered.
fn answer(sim: &Sim, bytes: &[u8], whole: bool) -> Option<Vec<u8>> {
    if bytes.len() < 12 || bytes[2] & 0x80 != 0 {
        return None;
    }
    let Ok(question) = Message::from_vec(bytes) else {
        let id = u16::from_be_bytes([bytes[0], bytes[1]]);
        return Message::error_msg(id, OpCode::Query, ResponseCode::FormErr).to_vec().ok();
    };
    let answer = respond(sim, &question);
    let encoded = answer.to_vec().ok()?;
    let limit = if whole { u16::MAX } else { question.max_payload().min(PAYLOAD) };
    if encoded.len() <= usize::from(limit) { Some(encoded) } else { answer.truncate().to_vec().ok() }
}

fn respond(sim: &Sim, question: &Message) -> Message {
    let mut answer = Message::new(question.metadata.id, MessageType::Response, question.metadata.op_code);
    answer.metadata = Metadata::response_from_request(&question.metadata);
    answer.add_queries(question.queries.iter().cloned());
    let mut client = None;
    if let Some(asked) = &question.edns {
        let mut edns = Edns::new();
        edns.set_max_payload(PAYLOAD);
        if asked.version() > 0 {
            // The code's upper bits travel in the option record.
            answer.metadata.response_code = ResponseCode::BADVERS;
            edns.set_rcode_high(ResponseCode::BADVERS.high());
            answer.set_edns(edns);
            return answer;
        }
        if let Some(EdnsOption::Subnet(subnet)) = asked.option(EdnsCode::Subnet) {
            client = Some(ClientSubnet::new(subnet.addr(), subnet.source_prefix()));
        }
        answer.set_edns(edns);
    }
    let chosen = fill(sim, question, client, &mut answer);
    if let (Some(client), Some(edns)) = (client, answer.edns.as_mut()) {
        let echoed = WireSubnet::new(client.address(), client.prefix(), scope(client, chosen));
        edns.options_mut().insert(EdnsOption::Subnet(echoed));
    }
    answer
}

/// Fills the sections; true when other clients may get another answer.
fn fill(sim: &Sim, question: &Message, client: Option<ClientSubnet>, answer: &mut Message) -> bool {
    let code = match (question.metadata.op_code, question.queries.as_slice()) {
        (OpCode::Query, [query]) if query.query_class() != DNSClass::IN => ResponseCode::Refused,
        (OpCode::Query, [query]) => match query.query_type() {
            RecordType::AXFR | RecordType::IXFR => ResponseCode::Refused,
            RecordType::ANY => ResponseCode::NotImp,
            _ => ResponseCode::NoError,
        },
        (OpCode::Query, _) => ResponseCode::FormErr,
        _ => ResponseCode::NotImp,
    };
    answer.metadata.response_code = code;
    let ([query], ResponseCode::NoError) = (question.queries.as_slice(), code) else { return false };
    let found = find(sim.world(), &query.name().to_ascii(), client, sim.clock().now());
    answer.metadata.authoritative = found != Found::Elsewhere;
    let name = query.name().clone();
    match (found, query.query_type()) {
        (Found::Site { site, .. }, RecordType::A) => {
            answer.add_answer(Record::from_rdata(name, ALIAS_TTL, data(site, AddressKind::A)));
        }
        (Found::Site { site, .. }, RecordType::AAAA) => {
            answer.add_answer(Record::from_rdata(name, ALIAS_TTL, data(site, AddressKind::Aaaa)));
        }
        (Found::Zone, RecordType::SOA) => {
            answer.add_answers(start_of_authority(TTLS.1));
        }
        (Found::Zone, RecordType::NS) => {
            let servers = name_servers().into_iter().filter_map(absolute);
            answer.add_answers(
                servers.map(|server| Record::from_rdata(name.clone(), TTLS.0, RData::NS(NS(server)))),
            );
        }
        (Found::Site { .. } | Found::Zone, _) => {
            answer.add_authorities(start_of_authority(TTLS.2));
        }
        (Found::Nothing, _) => {
            answer.metadata.response_code = ResponseCode::NXDomain;
            answer.add_authorities(start_of_authority(TTLS.2));
        }
        (Found::Elsewhere, _) => answer.metadata.response_code = ResponseCode::Refused,
    }
    matches!(found, Found::Site { chosen: true, .. })
}

fn data(site: usize, kind: AddressKind) -> RData {
    match address(site, kind) {
        IpAddr::V4(four) => RData::A(A(four)),
        IpAddr::V6(six) => RData::AAAA(AAAA(six)),
    }
}

fn start_of_authority(ttl: u32) -> Option<Record> {
    let [first, ..] = name_servers();
    let data = SOA::new(
        absolute(first)?,
        absolute("awsdns-hostmaster.amazon.com")?,
        1,
        7_200,
        900,
        1_209_600,
        86_400,
    );
    Some(Record::from_rdata(absolute(ZONE_NAME)?, ttl, RData::SOA(data)))
}

fn absolute(name: &str) -> Option<Name> {
    let mut name = Name::from_ascii(name).ok()?;
    name.set_fqdn(true);
    Some(name)
}
