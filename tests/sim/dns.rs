//! The zone's name servers: inside the world on virtual time, and on a loopback port as `dig` meets them.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_proto::op::{Edns, Message, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::opt::{ClientSubnet as WireSubnet, EdnsCode, EdnsOption};
use hickory_proto::rr::{DNSClass, Name, RData, RecordType};
use switchtower::domain::ErrorKind;
use switchtower::domain::ids::HostName;
use switchtower::ports::{AddressKind, Clock, DnsAnswer, DnsLookup, DnsQuestion, DnsStatus, RealDns};
use switchtower::sim::dns::clients_near;
use switchtower::sim::dns::server::NameServer;
use switchtower::sim::{Sim, SimOptions};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::{regions, world, world_of};

/// Longer than any answer takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);

fn question(server: SocketAddr, name: &str, near: Option<&str>) -> DnsQuestion {
    DnsQuestion {
        server,
        name: HostName::new(name),
        kind: AddressKind::A,
        client: near.map(|region| clients_near(region).unwrap()),
        timeout: PATIENCE,
    }
}

/// The regions that clients near these places are sent to, by the addresses of the regions' own names.
async fn sent(dns: &dyn DnsLookup, server: SocketAddr, name: &str, near: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for place in near {
        let answer = dns.ask(question(server, name, Some(place))).await.unwrap();
        assert_eq!((answer.scope, answer.ttl), (Some(24), Some(Duration::from_mins(1))));
        assert!(answer.authoritative);
        for region in ["us-east-1", "eu-west-1", "us-west-2", "ap-northeast-1", "eu-central-1"] {
            let own = dns.ask(question(server, &format!("{region}.api.example.com"), None)).await.unwrap();
            if own.addresses == answer.addresses {
                found.push(region.to_owned());
            }
        }
    }
    found
}

#[tokio::test(start_paused = true)]
async fn clients_are_sent_to_the_nearest_region_that_is_healthy() {
    let sim = world_of(SimOptions { regions: regions(4), ..SimOptions::default() });
    let dns = sim.probe();
    let zone = HostName::new("example.com");
    let servers = dns.name_servers(&zone, PATIENCE).await.unwrap();
    assert_eq!(servers.len(), 4);
    let server = servers[0].addresses[0];
    let places = ["us-east-1", "eu-west-1", "us-west-2", "ap-northeast-1", "eu-central-1", "ap-south-1"];
    let calm = ["us-east-1", "eu-west-1", "us-west-2", "ap-northeast-1", "eu-west-1", "ap-northeast-1"];
    assert_eq!(sent(&*dns, server, "api.example.com", &places).await, calm);

    sim.start_scenario("regional-outage", Some(&"eu-west-1".into())).unwrap();
    assert_eq!(sent(&*dns, server, "api.example.com", &places).await, calm, "checkers need their time");
    sim.clock().sleep(Duration::from_mins(3)).await;
    let away = ["us-east-1", "us-east-1", "us-west-2", "ap-northeast-1", "us-east-1", "ap-northeast-1"];
    assert_eq!(sent(&*dns, server, "api.example.com", &places).await, away);
    assert_eq!(sent(&*dns, server, "www.example.com", &places).await, away);
}

#[tokio::test(start_paused = true)]
async fn what_a_name_is_decides_the_answer() {
    let sim = world("calm");
    let dns = sim.probe();
    let server = dns.name_servers(&HostName::new("example.com"), PATIENCE).await.unwrap()[0].addresses[0];
    let balancer = sim.topology().regions[1].load_balancers[0].dns_name.clone();
    let cases = [
        ("api.example.com", DnsStatus::NoError, 1, true),
        ("dualstack.placeholder", DnsStatus::Refused, 0, false),
        (balancer.as_str(), DnsStatus::NoError, 1, true),
        ("example.com", DnsStatus::NoError, 0, true),
        ("nowhere.example.com", DnsStatus::NoSuchName, 0, true),
        ("notexample.com", DnsStatus::Refused, 0, false),
        ("control.example.net", DnsStatus::Refused, 0, false),
    ];
    for (name, status, addresses, authoritative) in cases {
        let answer = dns.ask(question(server, name, Some("us-east-1"))).await.unwrap();
        let DnsAnswer { status: found, authoritative: ours, .. } = answer;
        assert_eq!((found, answer.addresses.len(), ours), (status, addresses, authoritative), "{name}");
    }
    let own = dns.ask(question(server, balancer.as_str(), Some("us-east-1"))).await.unwrap();
    assert_eq!(own.scope, Some(0), "everybody gets the same load balancer");
    let six = DnsQuestion { kind: AddressKind::Aaaa, ..question(server, "api.example.com", None) };
    assert!(dns.ask(six).await.unwrap().addresses[0].is_ipv6());

    let elsewhere = question("198.51.100.53:53".parse().unwrap(), "api.example.com", None);
    assert_eq!(dns.ask(elsewhere).await.unwrap_err().kind, ErrorKind::TimedOut);
    let no_zone = dns.name_servers(&HostName::new("example.org"), PATIENCE).await.unwrap_err();
    assert_eq!(no_zone.kind, ErrorKind::NotFound);
}

/// A world's name servers on a port of this machine.
async fn serve(count: usize) -> (Sim, SocketAddr) {
    let options = SimOptions { regions: regions(count), latency: false, ..SimOptions::default() };
    let sim = Sim::new(options, Clock::real()).unwrap();
    let server = NameServer::bind(sim.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    tokio::spawn(server.serve(std::future::pending()));
    (sim, address)
}

/// Sends a message over UDP and reads the answer.
async fn exchange(server: SocketAddr, message: &Message) -> Message {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    socket.send_to(&message.to_vec().unwrap(), server).await.unwrap();
    let mut packet = [0; 2_048];
    let length = Clock::real().timeout(PATIENCE, socket.recv(&mut packet)).await.unwrap().unwrap();
    Message::from_vec(&packet[..length]).unwrap()
}

fn message(name: &str, record: RecordType) -> Message {
    let mut message = Message::query();
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), record));
    message
}

#[tokio::test]
async fn the_real_client_sees_the_same_on_a_port() {
    let (sim, server) = serve(3).await;
    let dns = RealDns::new(Clock::real());
    let near = ["us-east-1", "eu-west-1", "us-west-2", "eu-central-1"];
    let calm = ["us-east-1", "eu-west-1", "us-west-2", "eu-west-1"];
    assert_eq!(sent(&dns, server, "api.example.com", &near).await, calm);
    let nobody = dns.ask(question(server, "api.example.com", None)).await.unwrap();
    assert_eq!(nobody.scope, None);
    let inside = sim.probe().lookup(&HostName::new("api.example.com")).await.unwrap();
    assert_eq!(nobody.addresses[..], inside[..1]);
    let six = Some("2001:2:0:1::/64".parse().unwrap());
    let by_six =
        dns.ask(DnsQuestion { client: six, ..question(server, "api.example.com", None) }).await.unwrap();
    let by_four = dns.ask(question(server, "api.example.com", Some("eu-west-1"))).await.unwrap();
    assert_eq!((by_six.addresses, by_six.scope), (by_four.addresses, Some(64)));
    // Any other network is somewhere, always the same place; who keeps it to itself is near the first region.
    for (subnet, scope) in [("203.0.113.128/25", 24), ("203.0.0.0/8", 24), ("0.0.0.0/0", 0)] {
        let client = Some(subnet.parse().unwrap());
        let asked = || dns.ask(DnsQuestion { client, ..question(server, "api.example.com", None) });
        let (first, again) = (asked().await.unwrap(), asked().await.unwrap());
        assert_eq!((&first.addresses, first.scope), (&again.addresses, Some(scope)));
        if scope == 0 {
            assert_eq!(first.addresses, nobody.addresses);
        }
    }
}

#[tokio::test]
async fn the_zone_answers_as_a_zone_does() {
    let (_, server) = serve(2).await;
    // Name, type, code, records in answer and authority, authoritative.
    let cases = [
        ("example.com.", RecordType::SOA, ResponseCode::NoError, 1, 0, true),
        ("example.com.", RecordType::NS, ResponseCode::NoError, 4, 0, true),
        ("example.com.", RecordType::A, ResponseCode::NoError, 0, 1, true),
        ("API.example.com.", RecordType::AAAA, ResponseCode::NoError, 1, 0, true),
        ("api.example.com.", RecordType::TXT, ResponseCode::NoError, 0, 1, true),
        ("nowhere.example.com.", RecordType::A, ResponseCode::NXDomain, 0, 1, true),
        ("example.org.", RecordType::A, ResponseCode::Refused, 0, 0, false),
        ("example.com.", RecordType::AXFR, ResponseCode::Refused, 0, 0, false),
        ("api.example.com.", RecordType::ANY, ResponseCode::NotImp, 0, 0, false),
    ];
    for (name, record, code, answers, authorities, authoritative) in cases {
        let asked = message(name, record);
        let answer = exchange(server, &asked).await;
        let found = (
            answer.metadata.response_code,
            answer.answers.len(),
            answer.authorities.len(),
            answer.metadata.authoritative,
        );
        assert_eq!(found, (code, answers, authorities, authoritative), "{name} {record}");
        assert_eq!((answer.metadata.id, &answer.queries), (asked.metadata.id, &asked.queries));
        assert!(answer.edns.is_none(), "who does not speak EDNS is not spoken to in it");
        assert!(answer.authorities.iter().all(|record| matches!(&record.data, RData::SOA(_))));
    }

    let mut chaos = message("version.bind.", RecordType::TXT);
    chaos.queries[0].set_query_class(DNSClass::CH);
    assert_eq!(exchange(server, &chaos).await.metadata.response_code, ResponseCode::Refused);
    let mut update = message("example.com.", RecordType::SOA);
    update.metadata.op_code = OpCode::Notify;
    assert_eq!(exchange(server, &update).await.metadata.response_code, ResponseCode::NotImp);
    let mut two = message("api.example.com.", RecordType::A);
    two.add_query(two.queries[0].clone());
    assert_eq!(exchange(server, &two).await.metadata.response_code, ResponseCode::FormErr);
    let mut later = message("api.example.com.", RecordType::A);
    later.set_edns(Edns::new()).edns.as_mut().unwrap().set_version(1);
    let code = exchange(server, &later).await.metadata.response_code;
    assert_eq!(u16::from(code), 16, "BADVERS, which has its number in common with BADSIG");
    let mut subnet = message("example.com.", RecordType::NS);
    let mut edns = Edns::new();
    let client = WireSubnet::new("198.18.1.0".parse().unwrap(), 24, 0);
    edns.options_mut().insert(EdnsOption::Subnet(client));
    subnet.set_edns(edns);
    let answer = exchange(server, &subnet).await;
    let echoed = answer.edns.as_ref().unwrap().option(EdnsCode::Subnet).unwrap();
    assert_eq!(*echoed, EdnsOption::Subnet(client), "echoed, and meant for everybody");
}

#[tokio::test]
async fn what_is_no_question_harms_nobody_and_tcp_answers_too() {
    let (_, server) = serve(2).await;
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let answer = exchange(server, &message("api.example.com.", RecordType::A)).await.to_vec().unwrap();
    // Nothing, an answer, and a question that breaks off: only the last is told that it is wrong.
    let broken = [&[0x12, 0x34, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0][..], &[3, b'a']].concat();
    for packet in [&b""[..], &b"x"[..], &answer, &broken] {
        socket.send_to(packet, server).await.unwrap();
    }
    let mut packet = [0; 512];
    let length = Clock::real().timeout(PATIENCE, socket.recv(&mut packet)).await.unwrap().unwrap();
    let told = Message::from_vec(&packet[..length]).unwrap();
    assert_eq!((told.metadata.id, told.metadata.response_code), (0x1234, ResponseCode::FormErr));

    let mut stream = TcpStream::connect(server).await.unwrap();
    for name in ["api.example.com.", "nowhere.example.com."] {
        let asked = message(name, RecordType::A);
        let bytes = asked.to_vec().unwrap();
        stream.write_u16(bytes.len() as u16).await.unwrap();
        stream.write_all(&bytes).await.unwrap();
        let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
        stream.read_exact(&mut answer).await.unwrap();
        assert_eq!(Message::from_vec(&answer).unwrap().metadata.id, asked.metadata.id);
    }
}

#[tokio::test]
async fn names_are_answered_on_loopback_only_and_until_told_to_stop() {
    let sim = world("calm");
    for address in ["0.0.0.0:0", "192.0.2.1:53"] {
        let refused = NameServer::bind(sim.clone(), address.parse().unwrap()).await.err().unwrap();
        assert!(refused.to_string().contains("listens on loopback only"), "{refused}");
    }
    let server = NameServer::bind(sim.clone(), "127.0.0.1:0".parse().unwrap()).await.unwrap();
    let address = server.address();
    let taken = NameServer::bind(sim.clone(), address).await.err().unwrap();
    assert!(taken.to_string().starts_with(&format!("cannot listen on {address}: ")), "{taken}");
    server.serve(std::future::ready(())).await;
    drop(NameServer::bind(sim, address).await.unwrap());
}
