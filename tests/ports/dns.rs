//! The real DNS client against name servers on loopback that tell the truth, lie, are silent or cut short.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use hickory_proto::op::{Edns, Message, MessageType, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::rdata::{A, CNAME, NS};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use switchtower::domain::ErrorKind;
use switchtower::domain::ids::HostName;
use switchtower::ports::{
    AddressKind, ClientSubnet, Clock, DnsAnswer, DnsLookup, DnsQuestion, DnsStatus, ProbeFailure, RealDns,
};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, UdpSocket};

use super::https::run;

/// Questions that a server saw, oldest first.
type Seen = Arc<Mutex<Vec<Message>>>;

/// Packets that a server sends for the question of that number, counted from 0.
type Script = fn(&Message, usize) -> Vec<Message>;

/// A server on UDP; on TCP it always tells the address 192.0.2.99.
async fn server(script: Script) -> (SocketAddr, Seen) {
    // A port that is free for the one protocol may be taken in the other.
    let (packets, connections) = loop {
        let packets = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        if let Ok(connections) = TcpListener::bind(packets.local_addr().unwrap()).await {
            break (packets, connections);
        }
    };
    let address = packets.local_addr().unwrap();
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        let mut packet = [0; 2_048];
        while let Ok((length, from)) = packets.recv_from(&mut packet).await {
            let question = Message::from_vec(&packet[..length]).unwrap();
            let number = log.lock().unwrap().len();
            log.lock().unwrap().push(question.clone());
            for answer in script(&question, number) {
                packets.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
            }
        }
    });
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = connections.accept().await {
            let mut question = vec![0; usize::from(stream.read_u16().await.unwrap())];
            stream.read_exact(&mut question).await.unwrap();
            let question = Message::from_vec(&question).unwrap();
            let answer = told(&question, "192.0.2.99").to_vec().unwrap();
            stream.write_u16(answer.len() as u16).await.unwrap();
            stream.write_all(&answer).await.unwrap();
        }
    });
    (address, seen)
}

fn name(text: &str) -> Name {
    Name::from_ascii(text).unwrap()
}

/// An answer without records.
fn empty(question: &Message) -> Message {
    let mut answer = Message::new(question.metadata.id, MessageType::Response, OpCode::Query);
    answer.metadata.authoritative = true;
    answer.add_queries(question.queries.iter().cloned());
    answer
}

/// An answer with an address for the name asked for.
fn told(question: &Message, address: &str) -> Message {
    let mut answer = empty(question);
    let data = RData::A(A(address.parse::<Ipv4Addr>().unwrap()));
    answer.add_answer(Record::from_rdata(question.queries[0].name().clone(), 60, data));
    answer
}

fn question(server: SocketAddr, name: &str) -> DnsQuestion {
    let timeout = Duration::from_secs(10);
    DnsQuestion { server, name: HostName::new(name), kind: AddressKind::A, client: None, timeout }
}

async fn ask(question: DnsQuestion) -> Result<DnsAnswer, ProbeFailure> {
    RealDns::new(Clock::real()).ask(question).await
}

fn addresses(answer: &DnsAnswer) -> Vec<String> {
    answer.addresses.iter().map(ToString::to_string).collect()
}

#[test]
fn an_answer_tells_addresses_ttl_authority_and_scope() {
    run(async {
        let (server, seen) = server(|question, _| {
            let mut answer = empty(question);
            let asked = question.queries[0].name().clone();
            answer.add_answer(Record::from_rdata(asked, 300, RData::CNAME(CNAME(name("lb.example.net.")))));
            for (owner, ttl, last) in
                [("lb.example.net.", 60, 7), ("LB.example.net.", 90, 8), ("stranger.example.net.", 1, 9)]
            {
                let data = RData::A(A(Ipv4Addr::new(192, 0, 2, last)));
                answer.add_answer(Record::from_rdata(name(owner), ttl, data));
            }
            let mut edns = Edns::new();
            let subnet = question.edns.as_ref().unwrap().option(EdnsCode::Subnet).unwrap();
            let EdnsOption::Subnet(subnet) = subnet else { panic!("{subnet:?}") };
            let echoed = WireSubnet::new(subnet.addr(), subnet.source_prefix(), 16);
            edns.options_mut().insert(EdnsOption::Subnet(echoed));
            answer.set_edns(edns);
            vec![answer]
        })
        .await;
        let client = Some("198.51.100.77/24".parse().unwrap());
        let answer = ask(DnsQuestion { client, ..question(server, "API.example.com.") }).await.unwrap();
        assert_eq!(addresses(&answer), ["192.0.2.7", "192.0.2.8"], "records of strangers do not count");
        assert_eq!((answer.status, answer.authoritative), (DnsStatus::NoError, true));
        assert_eq!(answer.ttl, Some(Duration::from_mins(1)));
        assert_eq!(answer.scope, Some(16));

        let seen = seen.lock().unwrap();
        let [asked] = seen.as_slice() else { panic!("{} questions", seen.len()) };
        assert!(!asked.metadata.recursion_desired, "the server is asked for what it knows itself");
        assert_eq!(asked.queries, [Query::query(name("api.example.com."), RecordType::A)]);
        let subnet = asked.edns.as_ref().unwrap().option(EdnsCode::Subnet).unwrap();
        let expected = WireSubnet::new("198.51.100.0".parse().unwrap(), 24, 0);
        assert_eq!(*subnet, EdnsOption::Subnet(expected), "no bit behind the prefix travels");
    });
}

#[test]
fn a_refusal_is_an_answer() {
    run(async {
        let scripts: [(Script, DnsStatus); 4] = [
            (|question, _| vec![coded(question, ResponseCode::NXDomain)], DnsStatus::NoSuchName),
            (|question, _| vec![coded(question, ResponseCode::Refused)], DnsStatus::Refused),
            (|question, _| vec![coded(question, ResponseCode::ServFail)], DnsStatus::ServerFailure),
            (
                // A server that cannot read the question cannot repeat it.
                |question, _| {
                    let mut answer = coded(question, ResponseCode::FormErr);
                    answer.queries.clear();
                    vec![answer]
                },
                DnsStatus::Other(1),
            ),
        ];
        for (script, status) in scripts {
            let (server, _) = server(script).await;
            let answer = ask(question(server, "api.example.com")).await.unwrap();
            assert_eq!((answer.status, answer.addresses.len(), answer.ttl), (status, 0, None));
            assert_eq!(answer.scope, None);
        }
    });
}

fn coded(question: &Message, code: ResponseCode) -> Message {
    let mut answer = empty(question);
    answer.metadata.response_code = code;
    answer
}

#[test]
fn an_answer_to_another_question_is_not_taken() {
    run(async {
        let (server, _) = server(|question, _| {
            let mut other_id = told(question, "192.0.2.1");
            other_id.metadata.id = question.metadata.id.wrapping_add(1);
            let mut other_name = told(question, "192.0.2.2");
            other_name.queries = vec![Query::query(name("www.example.com."), RecordType::A)];
            let mut other_type = told(question, "192.0.2.3");
            other_type.queries = vec![Query::query(name("api.example.com."), RecordType::AAAA)];
            let mut nameless = told(question, "192.0.2.4");
            nameless.queries.clear();
            let itself = question.clone();
            vec![other_id, other_name, other_type, nameless, itself, told(question, "192.0.2.5")]
        })
        .await;
        let answer = ask(question(server, "api.example.com")).await.unwrap();
        assert_eq!(addresses(&answer), ["192.0.2.5"]);
    });
}

#[test]
fn ids_are_random() {
    run(async {
        let (server, seen) = server(|question, _| vec![told(question, "192.0.2.1")]).await;
        for _ in 0..8 {
            ask(question(server, "api.example.com")).await.unwrap();
        }
        let seen = seen.lock().unwrap();
        let ids: std::collections::BTreeSet<u16> = seen.iter().map(|asked| asked.metadata.id).collect();
        assert!(ids.len() >= 7, "{ids:?}");
    });
}

#[test]
fn a_lost_packet_is_sent_again_and_an_answer_cut_short_asked_for_over_tcp() {
    run(async {
        let (losing, seen) = server(
            |question, number| {
                if number == 0 { Vec::new() } else { vec![told(question, "192.0.2.1")] }
            },
        )
        .await;
        let timeout = Duration::from_millis(900);
        let answer = ask(DnsQuestion { timeout, ..question(losing, "api.example.com") }).await.unwrap();
        assert_eq!(addresses(&answer), ["192.0.2.1"]);
        let ids: Vec<u16> = seen.lock().unwrap().iter().map(|asked| asked.metadata.id).collect();
        assert_eq!(ids, [ids[0], ids[0]]);

        let (cutting, _) = server(|question, _| {
            let mut answer = empty(question);
            answer.metadata.truncation = true;
            vec![answer]
        })
        .await;
        let answer = ask(question(cutting, "api.example.com")).await.unwrap();
        assert_eq!(addresses(&answer), ["192.0.2.99"]);
    });
}

#[test]
fn what_brings_no_answer_says_why() {
    run(async {
        let (silent, _) = server(|_, _| Vec::new()).await;
        let timeout = Duration::from_millis(150);
        let failure = ask(DnsQuestion { timeout, ..question(silent, "api.example.com") }).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::TimedOut);
        let expected = format!("DNS question api.example.com A to {silent}: no answer within 150 ms");
        assert_eq!(failure.message.as_str(), expected);

        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let failure = ask(question(closed, "api.example.com")).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
        assert!(failure.message.as_str().ends_with("connection refused"), "{failure}");

        let long = "a".repeat(64);
        for wrong in ["api..example.com", long.as_str(), "api.exa mple\u{e9}.com"] {
            let failure = ask(question(silent, wrong)).await.unwrap_err();
            assert_eq!(failure.kind, ErrorKind::Rejected, "{wrong}: {failure}");
        }

        // Right by its id, and then nonsense.
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut packet = [0; 512];
            let (_, from) = socket.recv_from(&mut packet).await.unwrap();
            let nonsense = [packet[0], packet[1], 0x84, 0, 0, 1, 0, 9, 0, 0, 0, 0, 0xc0];
            socket.send_to(&nonsense, from).await.unwrap();
        });
        let failure = ask(question(server, "api.example.com")).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Malformed, "{failure}");
    });
}

#[test]
fn name_servers_are_found_through_the_resolvers_in_their_order() {
    run(async {
        let (failing, failed) = server(|question, _| vec![coded(question, ResponseCode::ServFail)]).await;
        let (resolver, seen) = server(|question, _| {
            assert!(question.metadata.recursion_desired);
            let query = &question.queries[0];
            let mut answer = empty(question);
            answer.metadata.authoritative = false;
            match (query.query_type(), query.name().to_ascii().as_str()) {
                (RecordType::NS, "example.com.") => {
                    for server in ["ns-2.example.net.", "ns-1.example.net.", "ns-lost.example.net."] {
                        let data = RData::NS(NS(name(server)));
                        answer.add_answer(Record::from_rdata(query.name().clone(), 60, data));
                    }
                }
                (RecordType::A, "ns-1.example.net.") => return vec![told(question, "192.0.2.11")],
                (RecordType::A, "ns-2.example.net.") => return vec![told(question, "192.0.2.12")],
                _ => {}
            }
            vec![answer]
        })
        .await;
        let dns = RealDns::with_resolvers(Clock::real(), vec![failing, resolver]);
        let limit = Duration::from_secs(10);
        let found = dns.name_servers(&HostName::new("example.com"), limit).await.unwrap();
        let found: Vec<String> =
            found.iter().map(|server| format!("{} {:?}", server.name, server.addresses)).collect();
        assert_eq!(found, ["ns-1.example.net [192.0.2.11:53]", "ns-2.example.net [192.0.2.12:53]"]);
        assert_eq!(failed.lock().unwrap().len(), 1);
        assert_eq!(seen.lock().unwrap().len(), 7);

        let nothing = dns.name_servers(&HostName::new("example.org"), limit).await.unwrap_err();
        assert_eq!(nothing.kind, ErrorKind::NotFound);
        let expected = format!("name servers of example.org from {resolver}: NOERROR, and none is named");
        assert_eq!(nothing.message.as_str(), expected);
    });
}

#[test]
fn names_are_looked_up_as_the_system_does() {
    run(async {
        let dns = RealDns::new(Clock::real());
        let found = dns.lookup(&HostName::new("localhost")).await.unwrap();
        assert!(found.iter().all(std::net::IpAddr::is_loopback) && !found.is_empty());
        let failure = dns.lookup(&HostName::new("no-such-host.invalid")).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
    });
}

#[test]
fn a_client_subnet_keeps_only_the_bits_that_count() {
    let cases = [
        ("198.51.100.77/24", "198.51.100.0/24"),
        ("198.51.100.77/32", "198.51.100.77/32"),
        ("198.51.100.77/0", "0.0.0.0/0"),
        ("198.51.255.77/20", "198.51.240.0/20"),
        ("2001:db8:1:2:3::4/56", "2001:db8:1::/56"),
        ("2001:db8::1/0", "::/0"),
    ];
    for (text, kept) in cases {
        assert_eq!(text.parse::<ClientSubnet>().unwrap().to_string(), kept);
    }
    for wrong in ["", "198.51.100.0", "198.51.100.0/33", "2001:db8::/129", "x/8", "1.2.3.4/-1"] {
        assert!(wrong.parse::<ClientSubnet>().is_err(), "{wrong}");
    }
}
