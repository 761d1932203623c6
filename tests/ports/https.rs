//! The real probe against servers on loopback. Certificates and key beside this file are test material:
//! a throwaway authority, and a certificate for api.example.com that it signed.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::RootCertStore;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use switchtower::domain::ErrorKind;
use switchtower::domain::ids::HostName;
use switchtower::domain::snapshot::ProbeResult;
use switchtower::ports::{Clock, HttpsProbe, Message, ProbeFailure, ProbeRequest, RealProbe};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

const CA: &[u8] = include_bytes!("test-only-ca.pem");
const CERTIFICATE: &[u8] = include_bytes!("test-only-server.pem");
const KEY: &[u8] = include_bytes!("test-only-server-key.pem");

/// What a server saw: the request line and the Host header of each request.
type Seen = Arc<Mutex<Vec<String>>>;

/// Runs a test that must end.
pub(super) fn run<T>(test: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let limited = Clock::real().timeout(Duration::from_secs(20), test).await;
        limited.expect("the test hangs")
    })
}

fn trusting() -> RealProbe {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(CA).unwrap()).unwrap();
    RealProbe::with_roots(Clock::real(), roots)
}

async fn ask(probe: &RealProbe, url: String, via: &str) -> Result<ProbeResult, ProbeFailure> {
    ask_within(probe, url, via, Duration::from_secs(10)).await
}

async fn ask_within(
    probe: &RealProbe,
    url: String,
    via: &str,
    timeout: Duration,
) -> Result<ProbeResult, ProbeFailure> {
    probe.probe(ProbeRequest { url, via: HostName::new(via), timeout }).await
}

#[test]
fn a_write_carries_its_body_and_brings_back_what_is_answered() {
    run(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut seen = Vec::new();
            while !seen.ends_with(b"{\"token\": 7}") {
                let mut some = [0; 512];
                let read = stream.read(&mut some).await.unwrap();
                assert!(read > 0, "closed before the body came: {}", String::from_utf8_lossy(&seen));
                seen.extend_from_slice(&some[..read]);
            }
            // In two pieces, as a network would.
            stream.write_all(b"HTTP/1.1 201 Created\r\nContent-Length: 11\r\n\r\nstored").await.unwrap();
            stream.flush().await.unwrap();
            stream.write_all(b" as 7").await.unwrap();
            String::from_utf8(seen).unwrap()
        });
        let request = ProbeRequest {
            url: format!("http://api.example.com:{}/canary", address.port()),
            via: HostName::new("127.0.0.1"),
            timeout: Duration::from_secs(10),
        };
        let message = Message {
            method: "POST".into(),
            content_type: "application/json".into(),
            body: "{\"token\": 7}".into(),
        };
        let exchanged = RealProbe::new(Clock::real()).exchange(request, message).await.unwrap();
        assert_eq!((exchanged.result.status, exchanged.body.as_str()), (201, "stored as 7"));
        let seen = served.await.unwrap().to_lowercase();
        assert!(seen.starts_with("post /canary http/1.1\r\n"), "{seen}");
        assert!(seen.contains("content-type: application/json\r\n"), "{seen}");
        assert!(seen.contains("host: api.example.com:"), "{seen}");
    });
}

/// Answers `status` to everything; with TLS when wanted.
async fn serve(status: u16, secure: bool) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = seen.clone();
    let acceptor = secure.then(acceptor);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let log = log.clone();
            let answer = service_fn(move |request: http::Request<hyper::body::Incoming>| {
                let host = request.headers()["host"].to_str().unwrap().to_owned();
                log.lock().unwrap().push(format!("{} {} {host}", request.method(), request.uri()));
                let body = Full::new(Bytes::from_static(b"body that nobody reads"));
                let response = http::Response::builder().status(status).body(body).unwrap();
                std::future::ready(Ok::<_, Infallible>(response))
            });
            let http = hyper::server::conn::http1::Builder::new();
            match acceptor.clone() {
                Some(acceptor) => tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                    }
                }),
                None => tokio::spawn(async move {
                    let _ = http.serve_connection(TokioIo::new(stream), answer).await;
                }),
            };
        }
    });
    (address, seen)
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(CERTIFICATE).unwrap()],
            PrivateKeyDer::from_pem_slice(KEY).unwrap(),
        )
        .unwrap();
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

/// Writes each of `answers` after something was read; then closes the connection, or keeps it open in silence.
async fn raw(answers: &'static [&'static [u8]], closes: bool) -> (SocketAddr, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let seen = Seen::default();
    let log = seen.clone();
    tokio::spawn(async move {
        let mut kept = Vec::new();
        while let Ok((mut stream, _)) = listener.accept().await {
            for answer in answers {
                let mut read = vec![0; 4096];
                let count = stream.read(&mut read).await.unwrap_or_default();
                log.lock().unwrap().push(String::from_utf8_lossy(&read[..count]).into_owned());
                let _ = stream.write_all(answer).await;
            }
            if !closes {
                kept.push(stream);
            }
        }
    });
    (address, seen)
}

#[test]
fn a_load_balancer_is_asked_under_the_public_name() {
    run(async {
        let (address, seen) = serve(200, true).await;
        let url = format!("https://api.example.com:{}/health?deep=1", address.port());
        let result = ask(&trusting(), url, "127.0.0.1").await.unwrap();
        assert_eq!(result.status, 200);
        assert_eq!(result.certificate_error, None);
        assert_eq!(result.certificate_ends.unwrap().to_string(), "2126-10-28T03:42:42Z");
        assert_eq!(result.address.unwrap().as_str(), "127.0.0.1");
        assert!(
            result.tls > Duration::ZERO && result.first_byte > Duration::ZERO && result.tcp > Duration::ZERO
        );
        let expected = format!("GET /health?deep=1 api.example.com:{}", address.port());
        assert_eq!(*seen.lock().unwrap(), [expected]);
    });
}

#[test]
fn a_wrong_certificate_is_told_and_measured_all_the_same() {
    run(async {
        let (address, _) = serve(503, true).await;
        let url = format!("https://www.example.com:{}/", address.port());
        let result = ask(&trusting(), url, "127.0.0.1").await.unwrap();
        assert_eq!(result.status, 503, "a 503 is a result");
        assert_eq!(result.certificate_error.unwrap().as_str(), "it is not valid for www.example.com");
        assert!(result.certificate_ends.is_some());

        let strangers = RealProbe::with_roots(Clock::real(), RootCertStore::empty());
        let url = format!("https://api.example.com:{}/", address.port());
        let result = ask(&strangers, url.clone(), "127.0.0.1").await.unwrap();
        assert!(result.certificate_error.unwrap().as_str().contains("no trusted root"));

        // Some authority, but not the one that signed.
        let native = RealProbe::new(Clock::real());
        let result = ask(&native, url, "127.0.0.1").await.unwrap();
        assert!(result.certificate_error.is_some());
    });
}

#[test]
fn plain_http_has_no_certificate() {
    run(async {
        let (address, seen) = serve(204, false).await;
        let result = ask(&trusting(), format!("http://{address}"), "127.0.0.1").await.unwrap();
        assert_eq!((result.status, result.tls), (204, Duration::ZERO));
        assert_eq!((result.certificate_ends, result.certificate_error), (None, None));
        assert_eq!(*seen.lock().unwrap(), [format!("GET / {address}")]);
    });
}

#[test]
fn each_phase_fails_in_its_own_words() {
    run(async {
        let probe = trusting();
        let nobody = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let failure = ask(&probe, format!("http://{nobody}/"), "127.0.0.1").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
        assert_eq!(failure.message.as_str(), format!("TCP connect to {nobody}: connection refused"));

        let failure = ask(&probe, format!("http://{nobody}/"), "no-such-host.invalid").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
        assert!(failure.message.as_str().starts_with("lookup of no-such-host.invalid: "), "{failure}");

        let (plain, _) = raw(&[b"HTTP/1.1 200 OK\r\n\r\n"], true).await;
        let url = format!("https://api.example.com:{}/", plain.port());
        let failure = ask(&probe, url, "127.0.0.1").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
        assert!(failure.message.as_str().starts_with("TLS handshake with 127.0.0.1: "), "{failure}");

        let (nonsense, _) = raw(&[b"SSH-2.0-OpenSSH_9.9\r\n\r\n"], true).await;
        let failure = ask(&probe, format!("http://{nonsense}/"), "127.0.0.1").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Malformed, "{failure}");

        let (curt, _) = raw(&[b""], true).await;
        let failure = ask(&probe, format!("http://{curt}/"), "127.0.0.1").await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable, "{failure}");
        assert!(failure.message.as_str().starts_with("answer of 127.0.0.1: "), "{failure}");
    });
}

#[test]
fn silence_ends_with_the_phase_that_was_silent() {
    run(async {
        let (silent, _) = raw(&[b""], false).await;
        let limit = Duration::from_millis(200);
        let probe = trusting();
        let failure = ask_within(&probe, format!("http://{silent}/"), "127.0.0.1", limit).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::TimedOut);
        assert_eq!(failure.message.as_str(), "answer of 127.0.0.1: no answer within 200 ms");
        let url = format!("https://api.example.com:{}/", silent.port());
        let failure = ask_within(&probe, url, "127.0.0.1", limit).await.unwrap_err();
        assert_eq!(failure.message.as_str(), "TLS handshake with 127.0.0.1: no answer within 200 ms");
    });
}

#[test]
fn what_cannot_be_asked_is_rejected() {
    run(async {
        for url in ["", "api.example.com", "ftp://example.com/", "https:///health", "https://a b/"] {
            let failure = ask(&trusting(), url.to_owned(), "127.0.0.1").await.unwrap_err();
            assert_eq!(failure.kind, ErrorKind::Rejected, "{url}: {failure}");
        }
    });
}

#[test]
fn a_proxy_is_asked_for_a_tunnel_and_may_refuse() {
    run(async {
        let (granting, seen) =
            raw(&[b"HTTP/1.1 200 Connection established\r\n\r\n", b"HTTP/1.1 418 x\r\n\r\n"], false).await;
        let proxy = format!("http://user:secret@{granting}");
        let probe = trusting().through_proxy(&proxy, "direct.example.com");
        let via = "lb.us-east-1.elb.amazonaws.com";
        let result = ask(&probe, "http://api.example.com/health".into(), via).await.unwrap();
        assert_eq!((result.status, result.address), (418, None));
        let asked = seen.lock().unwrap().remove(0);
        assert!(asked.starts_with("CONNECT lb.us-east-1.elb.amazonaws.com:80 HTTP/1.1\r\n"), "{asked}");
        assert!(asked.contains("Proxy-Authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{asked}");

        let (refusing, _) = raw(&[b"HTTP/1.1 403 Forbidden\r\n\r\n"], true).await;
        let probe = trusting().through_proxy(&format!("http://{refusing}"), "127.0.0.2");
        let failure = ask(&probe, "https://api.example.com/".into(), via).await.unwrap_err();
        assert_eq!(failure.kind, ErrorKind::Unreachable);
        let words = failure.message.as_str();
        assert!(
            words.contains("refused to connect to lb.us-east-1.elb.amazonaws.com:443: HTTP/1.1 403"),
            "{words}"
        );
        assert!(!words.contains("secret"));

        // This machine itself is never asked through another.
        let (address, _) = serve(200, false).await;
        assert_eq!(ask(&probe, format!("http://{address}/"), "127.0.0.1").await.unwrap().status, 200);
    });
}
