//! The real DNS client.
//!
//! What it is for: one exchange with one server: UDP, sent again while nothing comes, TCP when the answer did
//! not fit, and an end to it all.
//! What it must not do: take an answer to another question, or from another server, for its own.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::join_all;
use hickory_proto::op::Message;
use hickory_proto::rr::RecordType;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};

use super::message::{Asked, Heard, record_type, servers, status};
use super::system::{self, PORT};
use super::{AddressKind, DnsAnswer, DnsLookup, DnsQuestion, NameServer};
use crate::domain::ids::HostName;
use crate::domain::observation::ErrorKind;
use crate::ports::Clock;
use crate::ports::probe::{BoxFuture, ProbeFailure, seconds, words};

/// How long a lookup by the operating system may take; its resolvers try for longer.
const LOOKUP_LIMIT: Duration = Duration::from_secs(5);

/// A packet that got lost is sent again after this share of the time, so that three are sent.
const SENDINGS: u32 = 3;

/// No answer over UDP is longer than what we say that we take; some servers do not listen.
const LARGEST_PACKET: usize = 4_096;

/// Asks real servers over the network.
#[derive(Clone, Debug)]
pub struct RealDns {
    clock: Clock,
    resolvers: Option<Vec<SocketAddr>>,
}

impl RealDns {
    /// A client that finds name servers through the resolvers of `/etc/resolv.conf`, read at every search.
    pub fn new(clock: Clock) -> Self {
        Self { clock, resolvers: None }
    }

    /// A client that finds name servers through these resolvers, tried in this order.
    pub fn with_resolvers(clock: Clock, resolvers: Vec<SocketAddr>) -> Self {
        Self { clock, resolvers: Some(resolvers) }
    }

    /// One question and its answer. `what` names the question in failures.
    async fn exchange(
        &self,
        server: SocketAddr,
        asked: &Asked,
        what: &str,
        timeout: Duration,
    ) -> Result<Message, ProbeFailure> {
        let exchange = async {
            let answer = self.over_udp(server, asked, timeout / SENDINGS).await?;
            if answer.metadata.truncation { over_tcp(server, asked).await } else { Ok(answer) }
        };
        match self.clock.timeout(timeout, exchange).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(Broken { kind, reason })) => Err(failure(kind, format!("{what}: {reason}"))),
            Err(elapsed) => {
                Err(failure(ErrorKind::TimedOut, format!("{what}: no answer within {}", seconds(elapsed.0))))
            }
        }
    }

    async fn over_udp(&self, server: SocketAddr, asked: &Asked, again: Duration) -> Result<Message, Broken> {
        let any = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(any).await?;
        // A connected socket hears this server alone, and hears that nobody listens there.
        socket.connect(server).await?;
        loop {
            socket.send(&asked.bytes).await?;
            if let Ok(heard) = self.clock.timeout(again, hear(&socket, asked)).await {
                return heard;
            }
        }
    }

    async fn addresses(&self, question: &DnsQuestion, recursive: bool) -> Result<DnsAnswer, ProbeFailure> {
        let DnsQuestion { server, name, kind, client, timeout } = question;
        let asked = Asked::new(name, record_type(*kind), *client, recursive).ok_or_else(|| {
            failure(ErrorKind::Rejected, format!("{question}: the name cannot be asked for"))
        })?;
        let watch = self.clock.stopwatch();
        let message = self.exchange(*server, &asked, &question.to_string(), *timeout).await?;
        Ok(asked.read(&message, *kind, watch.elapsed()))
    }

    async fn find_servers(
        &self,
        zone: &HostName,
        timeout: Duration,
    ) -> Result<Vec<NameServer>, ProbeFailure> {
        let resolvers = match &self.resolvers {
            Some(given) => given.clone(),
            None => system::resolvers().await,
        };
        let asked = Asked::new(zone, RecordType::NS, None, true)
            .ok_or_else(|| failure(ErrorKind::Rejected, format!("{zone}: no such zone can be asked for")))?;
        let share = timeout / u32::try_from(resolvers.len()).unwrap_or(1).max(1);
        let mut last = failure(ErrorKind::NotConfigured, format!("name servers of {zone}: no resolver"));
        for resolver in resolvers {
            let what = format!("name servers of {zone} from {resolver}");
            match self.exchange(resolver, &asked, &what, share).await {
                Ok(message) => {
                    let names = servers(&message);
                    if !names.is_empty() {
                        return self.located(resolver, names, &what, timeout).await;
                    }
                    let code = status(message.metadata.response_code);
                    last = failure(ErrorKind::NotFound, format!("{what}: {code}, and none is named"));
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    /// Adds the addresses; a server without any is left out.
    async fn located(
        &self,
        resolver: SocketAddr,
        names: Vec<HostName>,
        what: &str,
        timeout: Duration,
    ) -> Result<Vec<NameServer>, ProbeFailure> {
        let each = names.into_iter().map(|name| async move {
            let ask = |kind| {
                let question =
                    DnsQuestion { server: resolver, name: name.clone(), kind, client: None, timeout };
                async move { self.addresses(&question, true).await.map(|answer| answer.addresses) }
            };
            let (four, six) = tokio::join!(ask(AddressKind::A), ask(AddressKind::Aaaa));
            let addresses: Vec<IpAddr> = [four, six].into_iter().flatten().flatten().collect();
            let addresses = addresses.into_iter().map(|address| SocketAddr::new(address, PORT)).collect();
            NameServer { name, addresses }
        });
        let mut found = join_all(each).await;
        found.retain(|server| !server.addresses.is_empty());
        if found.is_empty() {
            return Err(failure(ErrorKind::NotFound, format!("{what}: none of them has an address")));
        }
        Ok(found)
    }
}

impl DnsLookup for RealDns {
    fn lookup<'a>(&'a self, host: &'a HostName) -> BoxFuture<'a, Result<Vec<IpAddr>, ProbeFailure>> {
        Box::pin(async move {
            let found = self.clock.timeout(LOOKUP_LIMIT, system::lookup(host.as_str(), 0)).await;
            let found = found.unwrap_or_else(|elapsed| {
                let message = format!("lookup of {host}: no answer within {}", seconds(elapsed.0));
                Err(failure(ErrorKind::TimedOut, message))
            })?;
            let mut addresses: Vec<IpAddr> = found.into_iter().map(|address| address.ip()).collect();
            addresses.dedup();
            Ok(addresses)
        })
    }

    fn ask(&self, question: DnsQuestion) -> BoxFuture<'_, Result<DnsAnswer, ProbeFailure>> {
        Box::pin(async move { self.addresses(&question, false).await })
    }

    fn name_servers<'a>(
        &'a self,
        zone: &'a HostName,
        timeout: Duration,
    ) -> BoxFuture<'a, Result<Vec<NameServer>, ProbeFailure>> {
        Box::pin(async move {
            let found = self.clock.timeout(timeout, self.find_servers(zone, timeout)).await;
            found.unwrap_or_else(|elapsed| {
                let message = format!("name servers of {zone}: none found within {}", seconds(elapsed.0));
                Err(failure(ErrorKind::TimedOut, message))
            })
        })
    }
}

/// Why an exchange ended without an answer.
struct Broken {
    kind: ErrorKind,
    reason: String,
}

impl From<std::io::Error> for Broken {
    fn from(error: std::io::Error) -> Self {
        Self { kind: ErrorKind::Unreachable, reason: words(&error) }
    }
}

impl Broken {
    fn malformed(reason: &str) -> Self {
        Self { kind: ErrorKind::Malformed, reason: format!("the answer cannot be read: {reason}") }
    }
}

/// The first packet that is the answer.
async fn hear(socket: &UdpSocket, asked: &Asked) -> Result<Message, Broken> {
    let mut packet = vec![0; LARGEST_PACKET];
    loop {
        let length = socket.recv(&mut packet).await?;
        match asked.hear(&packet[..length]) {
            Heard::Answer(message) => return Ok(*message),
            Heard::Unreadable(reason) => return Err(Broken::malformed(&reason)),
            Heard::Foreign => {}
        }
    }
}

/// The same over TCP, where each message follows its length.
async fn over_tcp(server: SocketAddr, asked: &Asked) -> Result<Message, Broken> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(asked.bytes.len()).unwrap_or(u16::MAX);
    stream.write_all(&[&length.to_be_bytes(), asked.bytes.as_slice()].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    match asked.hear(&answer) {
        Heard::Answer(message) => Ok(*message),
        Heard::Unreadable(reason) => Err(Broken::malformed(&reason)),
        Heard::Foreign => Err(Broken::malformed("it is one to another question")),
    }
}

fn failure(kind: ErrorKind, message: String) -> ProbeFailure {
    ProbeFailure { kind, message: message.into() }
}
