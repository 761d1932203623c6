//! The way to a host: name lookup, TCP to whichever address answers first, and proxies.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use hyper_util::client::proxy::matcher::{Intercept, Matcher};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::{BoxStream, Phase, Target, rejected, unreachable, words};
use crate::domain::observation::ErrorKind;
use crate::ports::Clock;
use crate::ports::dns::lookup;
use crate::ports::probe::ProbeFailure;

/// How long one address is tried before the next is tried beside it (RFC 8305 has 250 ms).
const HEAD_START: Duration = Duration::from_millis(250);

/// The longest head that a proxy may answer a CONNECT with.
const PROXY_HEAD: usize = 16 * 1024;

/// A connection and what it took.
pub(super) struct Dialled {
    pub(super) stream: BoxStream,
    pub(super) dns: Duration,
    pub(super) tcp: Duration,
    /// The address that answered; `None` behind a proxy, which alone knows it.
    pub(super) address: Option<IpAddr>,
}

/// Connects to the target, through a proxy where the environment wants one.
pub(super) async fn dial(
    clock: &Clock,
    proxies: &Matcher,
    target: &Target,
    phase: &Phase,
) -> Result<Dialled, ProbeFailure> {
    let proxy = proxy_for(proxies, target);
    let (host, port) = match &proxy {
        None => (target.via.clone(), target.port),
        Some(proxy) => proxy_address(proxy)?,
    };
    phase.set(format!("lookup of {host}"));
    let watch = clock.stopwatch();
    let addresses = lookup(&host, port).await?;
    let dns = watch.elapsed();

    phase.set(format!("TCP connect to {}", listed(&addresses)));
    let watch = clock.stopwatch();
    let (mut stream, address) = connect(clock, &addresses).await?;
    // Without it, the request would wait for the peer's acknowledgement of the handshake.
    let _ = stream.set_nodelay(true);
    let mut tcp = watch.elapsed();
    if let Some(proxy) = &proxy {
        phase.set(format!("proxy {host}:{port}"));
        tunnel(&mut stream, proxy, target, &format!("{host}:{port}")).await?;
        tcp = watch.elapsed();
    }
    let address = proxy.is_none().then(|| address.ip());
    Ok(Dialled { stream: Box::new(stream), dns, tcp, address })
}

/// The first address that accepts. A silent one costs a quarter of a second, a refusing one nothing.
async fn connect(clock: &Clock, addresses: &[SocketAddr]) -> Result<(TcpStream, SocketAddr), ProbeFailure> {
    let mut waiting = addresses.iter().copied();
    let mut trying = FuturesUnordered::new();
    let mut last = None;
    loop {
        if let Some(address) = waiting.next() {
            trying.push(async move { (address, TcpStream::connect(address).await) });
        } else if trying.is_empty() {
            return Err(last.unwrap_or_else(|| unreachable("TCP connect: no address".into())));
        }
        let more = waiting.len() > 0;
        tokio::select! {
            biased;
            Some((address, result)) = trying.next() => match result {
                Ok(stream) => return Ok((stream, address)),
                Err(error) => {
                    last = Some(unreachable(format!("TCP connect to {address}: {}", words(&error))));
                }
            },
            () = clock.sleep(HEAD_START), if more => {}
        }
    }
}

fn proxy_for(proxies: &Matcher, target: &Target) -> Option<Intercept> {
    // What runs on this machine is never asked through another.
    let loopback =
        target.via == "localhost" || target.via.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    if loopback {
        return None;
    }
    let scheme = if target.secure { "https" } else { "http" };
    let host = if target.via.contains(':') { format!("[{}]", target.via) } else { target.via.clone() };
    let uri: http::Uri = format!("{scheme}://{host}:{}/", target.port).parse().ok()?;
    proxies.intercept(&uri)
}

fn proxy_address(proxy: &Intercept) -> Result<(String, u16), ProbeFailure> {
    let uri = proxy.uri();
    match (uri.scheme_str(), uri.host()) {
        (Some("http") | None, Some(host)) => Ok((host.to_owned(), uri.port_u16().unwrap_or(80))),
        (scheme, _) => Err(rejected(format!(
            "proxies of the kind `{}` are not supported for our own requests; name an http:// proxy in \
             HTTPS_PROXY, or the host in NO_PROXY",
            scheme.unwrap_or_default()
        ))),
    }
}

/// Asks the proxy for a tunnel (RFC 9110, CONNECT).
async fn tunnel(
    stream: &mut TcpStream,
    proxy: &Intercept,
    target: &Target,
    name: &str,
) -> Result<(), ProbeFailure> {
    let failed = |error: std::io::Error| unreachable(format!("proxy {name}: {}", words(&error)));
    let host = if target.via.contains(':') { format!("[{}]", target.via) } else { target.via.clone() };
    let place = format!("{host}:{}", target.port);
    let mut request = format!("CONNECT {place} HTTP/1.1\r\nHost: {place}\r\n").into_bytes();
    if let Some(authorization) = proxy.basic_auth() {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    stream.write_all(&request).await.map_err(failed)?;
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        // The peer behind the proxy speaks second, so nothing of it can follow the head; byte by byte is
        // simple, and at most a few hundred of them come.
        let byte = stream.read_u8().await.map_err(failed)?;
        head.push(byte);
        if head.len() > PROXY_HEAD {
            let message = format!("proxy {name}: its answer is too long").into();
            return Err(ProbeFailure { kind: ErrorKind::Malformed, message });
        }
    }
    let line = String::from_utf8_lossy(&head);
    let line = line.lines().next().unwrap_or_default();
    match line.split_whitespace().nth(1) {
        Some(code) if code.starts_with('2') => Ok(()),
        _ => Err(unreachable(format!("proxy {name} refused to connect to {place}: {line}"))),
    }
}

fn listed(addresses: &[SocketAddr]) -> String {
    let shown: Vec<String> = addresses.iter().take(3).map(SocketAddr::to_string).collect();
    let more = addresses.len().saturating_sub(shown.len());
    let more = if more > 0 { format!(" and {more} more") } else { String::new() };
    format!("{}{more}", shown.join(", "))
}
