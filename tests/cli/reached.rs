//! How the SDK's calls reach AWS: through the proxies of the environment, over TLS that is verified, and not for ever.
//!
//! Each test puts a way of its own between the built program and a served simulation, and looks at what came along.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use rustls::ServerConfig;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio_rustls::TlsAcceptor;

use super::program::{Home, Ran, Sim, finish};

const CERTIFICATE: &[u8] = include_bytes!("../ports/test-only-server.pem");
const KEY: &[u8] = include_bytes!("../ports/test-only-server-key.pem");

/// What stands between the program and the simulation.
#[derive(Clone)]
struct Between {
    world: SocketAddr,
    /// The head of the first request of each connection.
    heads: Arc<Mutex<Vec<String>>>,
    tls: TlsAcceptor,
}

/// A world, its topology in a home, and a listener in front of the world.
struct Stage {
    home: Home,
    _sim: Sim,
    address: SocketAddr,
    between: Between,
    _runtime: Runtime,
}

impl Stage {
    fn set<F>(serve: impl Fn(Between, TcpStream) -> F + Send + 'static) -> Self
    where
        F: Future<Output = Option<()>> + Send + 'static,
    {
        let home = Home::new();
        let sim = Sim::start(&home, &[]);
        let ran = home.init(&sim);
        assert_eq!(ran.code, Some(0), "{ran:?}");
        let certificate = CertificateDer::from_pem_slice(CERTIFICATE).unwrap();
        let key = PrivateKeyDer::from_pem_slice(KEY).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate], key)
            .unwrap();
        let between = Between {
            world: sim.url.trim_start_matches("http://").parse().unwrap(),
            heads: Arc::default(),
            tls: TlsAcceptor::from(Arc::new(config)),
        };
        let runtime = Runtime::new().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let shared = between.clone();
        runtime.spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(serve(shared.clone(), stream));
            }
        });
        Self { home, _sim: sim, address, between, _runtime: runtime }
    }

    /// `status --json` of the topology, asked at `endpoint` in an environment with `variables`.
    fn status(&self, endpoint: &str, variables: &[(&str, &str)]) -> Ran {
        let arguments = ["status", "--topology", "orders", "--json", "--endpoint-url", endpoint];
        let authority = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ports/test-only-ca.pem");
        let mut command = self.home.command(&arguments);
        command.env("SSL_CERT_FILE", authority).envs(variables.iter().copied());
        finish(command.spawn().unwrap())
    }

    fn heads(&self) -> Vec<String> {
        self.between.heads.lock().unwrap().clone()
    }
}

impl Between {
    /// Reads a head, notes it, and gives it back.
    async fn head(&self, stream: &mut (impl AsyncRead + Unpin)) -> Option<Vec<u8>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            head.push(stream.read_u8().await.ok()?);
        }
        self.heads.lock().unwrap().push(String::from_utf8_lossy(&head).into_owned());
        Some(head)
    }

    /// Everything else goes to the world and back.
    async fn pass_on(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin, begun: &[u8]) -> Option<()> {
        let mut world = TcpStream::connect(self.world).await.ok()?;
        world.write_all(begun).await.ok()?;
        copy_bidirectional(&mut stream, &mut world).await.ok().map(drop)
    }

    /// A proxy for plain requests: it hands them to the world, whatever host they name.
    async fn forward(self, mut stream: TcpStream) -> Option<()> {
        let head = self.head(&mut stream).await?;
        self.pass_on(stream, &head).await
    }

    /// A proxy for tunnels: whoever is asked for, the world answers, behind TLS.
    async fn tunnel(self, mut stream: TcpStream) -> Option<()> {
        self.head(&mut stream).await?;
        stream.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.ok()?;
        self.secure(stream).await
    }

    /// The world behind TLS.
    async fn secure(self, stream: TcpStream) -> Option<()> {
        let stream = self.tls.accept(stream).await.ok()?;
        self.pass_on(stream, b"").await
    }
}

/// "user:secret" as a proxy is told it.
const PASSWORD: &str = "proxy-authorization: basic dxnlcjpzzwnyzxq=";

#[test]
fn a_proxy_passes_plain_requests_on() {
    let stage = Stage::set(Between::forward);
    let proxy = format!("http://user:secret@{}", stage.address);
    let ran = stage.status("http://aws.test:8080", &[("HTTP_PROXY", &proxy)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let heads = stage.heads();
    assert!(!heads.is_empty());
    for head in heads {
        let head = head.to_lowercase();
        let line = head.lines().next().unwrap_or_default();
        assert!(line.contains(" http://aws.test:8080/"), "the whole address is told: {line}");
        assert!(head.contains(PASSWORD), "{head}");
    }
}

#[test]
fn a_proxy_makes_a_tunnel_and_tls_ends_behind_it() {
    let stage = Stage::set(Between::tunnel);
    let proxy = format!("http://user:secret@{}", stage.address);
    let ran = stage.status("https://api.example.com", &[("HTTPS_PROXY", &proxy)]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let heads = stage.heads();
    assert!(!heads.is_empty());
    for head in heads {
        assert!(head.starts_with("CONNECT api.example.com:443 HTTP/1.1\r\n"), "{head}");
        assert!(head.to_lowercase().contains(PASSWORD), "{head}");
    }
}

#[test]
fn a_host_that_is_excepted_is_asked_without_the_proxy() {
    let stage = Stage::set(Between::forward);
    let world = format!("http://{}", stage.between.world);
    let proxy = format!("http://{}", stage.address);
    let ran = stage.status(&world, &[("HTTP_PROXY", &proxy), ("NO_PROXY", "127.0.0.1")]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(stage.heads(), Vec::<String>::new());
}

#[test]
fn a_certificate_of_another_name_is_refused() {
    let stage = Stage::set(Between::secure);
    let ran = stage.status(&format!("https://localhost:{}", stage.address.port()), &[]);
    assert_eq!(ran.code, Some(12), "{ran:?}");
    assert!(ran.out.contains("invalid peer certificate"), "{ran:?}");
    assert!(ran.out.contains("unreachable"), "{ran:?}");
}

#[test]
fn a_silent_server_is_given_up_in_time() {
    // Connections are taken and nothing is ever said: TLS does not begin.
    let stage = Stage::set(|_, stream| async move {
        std::future::pending::<()>().await;
        drop(stream);
        Some(())
    });
    let ran = stage.status(&format!("https://localhost:{}", stage.address.port()), &[]);
    assert_eq!(ran.code, Some(12), "{ran:?}");
    assert!(ran.out.contains("no connection in time"), "{ran:?}");
    assert!(ran.out.contains("HTTP connect timeout occurred after 3.1s"), "{ran:?}");
}
