//! The world's name servers on a loopback port, UDP and TCP.
//!
//! What it is for: `sim --dns`: `dig @127.0.0.1 -p PORT api.example.com +subnet=198.18.1.0/24` sees traffic move.
//! What it must not do: look anything up for anybody (it answers for its own zone), or be reached from another
//! machine.

use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, Metadata, OpCode, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, Record, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::task::JoinSet;

use super::{find, scope};
use crate::ports::{ClientSubnet, Clock, DnsStatus};
use crate::sim::Sim;
use crate::sim::listen::ListenError;
use crate::sim::world::fleet::ZONE_NAME;

/// The largest answer over UDP, whatever a client would take.
const PAYLOAD: u16 = 1_232;

/// How long a TCP connection may be silent.
const IDLE: Duration = Duration::from_secs(10);

/// Pause after a connection could not be accepted, which is when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How often a free port is looked for that both protocols can have.
const TRIES: usize = 8;

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
    let (world, now) = (sim.world(), sim.clock().now());
    let kind = query.query_type();
    let found = find(world, &query.name().to_ascii(), &kind.to_string(), client, now);
    answer.metadata.authoritative = found.status != DnsStatus::Refused;
    answer.metadata.response_code = match found.status {
        DnsStatus::NoSuchName => ResponseCode::NXDomain,
        DnsStatus::Refused => ResponseCode::Refused,
        DnsStatus::NoError | DnsStatus::ServerFailure | DnsStatus::Other(_) => ResponseCode::NoError,
    };
    let name = query.name();
    answer.add_answers(found.values.iter().filter_map(|value| record(name, kind, found.ttl, value)));
    if found.values.is_empty() && answer.metadata.authoritative {
        // Whoever asks for what there is not may keep that, too, for a while.
        let start = find(world, ZONE_NAME, "SOA", None, now);
        let zone = Name::from_ascii(ZONE_NAME).ok();
        answer.add_authorities(zone.zip(start.values.first()).and_then(|(mut zone, value)| {
            zone.set_fqdn(true);
            record(&zone, RecordType::SOA, start.ttl, value)
        }));
    }
    found.chosen
}

/// A record of a value in the zone file's form.
fn record(name: &Name, kind: RecordType, ttl: u32, value: &str) -> Option<Record> {
    Some(Record::from_rdata(name.clone(), ttl, RData::try_from_str(kind, value).ok()?))
}
