//! The simulated AWS on a real socket: HTTP, hangs and drops, the world's own paths.
//!
//! Real time, since sockets live in it; every wait has an end, and none is longer than it must be.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods)]

use std::net::SocketAddr;
use std::time::Duration;

use aws_sdk_cloudwatch::config::{BehaviorVersion, Region as SdkRegion};
use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use flate2::Compression;
use flate2::write::GzEncoder;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector as Tcp;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use std::io::Write as _;
use switchtower::ports::Clock;
use switchtower::sim::listen::{ListenError, listen};
use switchtower::sim::{Sim, SimOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// Longer than any answer takes, however busy the machine.
const PATIENCE: Duration = Duration::from_secs(20);

/// Long enough for an answer that is not held back; short, for every hang costs it.
const GLANCE: Duration = Duration::from_millis(400);

struct Server {
    address: SocketAddr,
    sim: Sim,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<Result<(), ListenError>>,
}

impl Server {
    async fn start(scenario: &str) -> Self {
        Self::of(SimOptions { scenario: scenario.to_owned(), ..SimOptions::default() }).await
    }

    async fn of(options: SimOptions) -> Self {
        let options = SimOptions { latency: false, ..options };
        let sim = Sim::new(options, Clock::real()).unwrap();
        let (tell, told) = oneshot::channel();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listen(
            sim.clone(),
            "127.0.0.1:0".parse().unwrap(),
            |address| tell.send(address).unwrap(),
            async {
                let _ = stopped.await;
            },
        ));
        Self { address: told.await.unwrap(), sim, stop: Some(stop), task }
    }

    /// Sends bytes and reads until the server closes; `None` when it does not within `limit`.
    async fn raw(&self, request: &[u8], limit: Duration) -> Option<Vec<u8>> {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(request).await.unwrap();
        let mut answer = Vec::new();
        let read = tokio::time::timeout(limit, stream.read_to_end(&mut answer)).await;
        read.ok().map(|_| answer)
    }

    /// One request; status and body.
    async fn send(&self, method: &str, path: &str, headers: &str, body: &[u8]) -> (u16, String) {
        let head = format!(
            "{method} {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n",
            self.address,
            body.len()
        );
        let answer = self.raw(&[head.as_bytes(), body].concat(), PATIENCE).await.unwrap();
        parse(&answer)
    }

    async fn get(&self, path: &str) -> (u16, String) {
        self.send("GET", path, "", b"").await
    }

    async fn world(&self) -> Value {
        let (status, body) = self.get("/_sim/world").await;
        assert_eq!(status, 200);
        serde_json::from_str(&body).unwrap()
    }

    /// A signed `ListClusters`, as far as the simulation looks.
    async fn clusters(&self, region: &str, headers: &str, body: &[u8]) -> (u16, String) {
        self.send("POST", "/", &format!("{}{headers}", signed("ecs", region)), body).await
    }
}

fn signed(service: &str, region: &str) -> String {
    format!(
        "X-Amz-Target: AmazonEC2ContainerServiceV20141113.ListClusters\r\nContent-Type: application/x-amz-json-1.1\r\n\
         Authorization: AWS4-HMAC-SHA256 Credential=AKID/20261121/{region}/{service}/aws4_request, SignedHeaders=host, Signature=0\r\n"
    )
}

fn parse(answer: &[u8]) -> (u16, String) {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no answer: {text}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

/// Plain sockets for the SDK's own clients, and nothing of the product in between.
fn sockets() -> SharedHttpClient {
    let connector = SharedHttpConnector::new(Sockets(Client::builder(TokioExecutor::new()).build_http()));
    http_client_fn(move |_, _| connector.clone())
}

#[derive(Debug)]
struct Sockets(Client<Tcp, SdkBody>);

impl HttpConnector for Sockets {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let answer = self.0.request(request.try_into_http1x().unwrap());
        HttpConnectorFuture::new(async {
            let answer = answer.await.map_err(|error| ConnectorError::io(error.into()))?;
            Ok(HttpResponse::try_from(answer.map(SdkBody::from_body_1_x)).unwrap())
        })
    }
}

#[tokio::test]
async fn a_real_client_is_answered() {
    let server = Server::start("calm").await;
    let config = aws_sdk_cloudwatch::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(SdkRegion::new("eu-west-1"))
        .credentials_provider(aws_credential_types::Credentials::new("AKID", "secret", None, None, "test"))
        .endpoint_url(format!("http://{}", server.address))
        .http_client(sockets())
        .sleep_impl(aws_smithy_async::rt::sleep::TokioSleep::new())
        .build();
    let client = aws_sdk_cloudwatch::Client::from_conf(config);
    let metrics = client.list_metrics().namespace("AWS/ECS").send().await.unwrap();
    assert!(!metrics.metrics().is_empty());
    let refused = client.list_metrics().next_token("x").send().await.unwrap_err();
    assert_eq!(aws_sdk_cloudwatch::error::ProvideErrorMetadata::code(&refused), Some("InvalidNextToken"));
    let calls = server.sim.calls();
    assert_eq!(calls.iter().map(|call| call.status).collect::<Vec<_>>(), [200, 400]);
    assert!(calls.iter().all(|call| call.operation == "ListMetrics" && call.region == "eu-west-1"));
}

#[tokio::test]
async fn bodies_may_be_compressed_or_waited_for() {
    let server = Server::start("calm").await;
    let plain = server.clusters("us-east-1", "", b"{}").await;
    assert_eq!(plain.0, 200, "{}", plain.1);
    assert!(plain.1.contains("cluster/prod"), "{}", plain.1);
    let mut gzip = GzEncoder::new(Vec::new(), Compression::fast());
    gzip.write_all(b"{\"maxResults\": 0}").unwrap();
    let compressed =
        server.clusters("us-east-1", "Content-Encoding: gzip\r\n", &gzip.finish().unwrap()).await;
    assert!(compressed.1.contains("maxResults"), "{compressed:?}");

    let head = format!(
        "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n{}\r\n",
        signed("ecs", "us-east-1")
    );
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut first = [0; 25];
    tokio::time::timeout(PATIENCE, stream.read_exact(&mut first)).await.unwrap().unwrap();
    assert_eq!(&first, b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").await.unwrap();
    let mut rest = Vec::new();
    tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap().unwrap();
    assert_eq!(parse(&rest), plain);
}

#[tokio::test]
async fn one_connection_takes_many_requests() {
    let server = Server::start("calm").await;
    let request = "GET /_sim/calls HTTP/1.1\r\nHost: x\r\n\r\n".repeat(2);
    let last = "GET /_sim/calls HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answer = server.raw(format!("{request}{last}").as_bytes(), PATIENCE).await.unwrap();
    assert_eq!(String::from_utf8_lossy(&answer).matches("HTTP/1.1 200 OK").count(), 3);
}

#[tokio::test]
async fn what_is_not_signed_or_too_large_is_refused() {
    let server = Server::start("calm").await;
    let (status, body) = server.get("/latest/meta-data/").await;
    assert_eq!(status, 403);
    assert!(body.contains("signed calls only"), "{body}");
    let (status, body) = server.clusters("us-east-1", "", &vec![b' '; 9 << 20]).await;
    assert_eq!((status, body.contains("too large")), (413, true));
    assert_eq!(parse(&server.raw(b"NONSENSE\r\n\r\n", PATIENCE).await.unwrap()).0, 400);
}

#[tokio::test]
async fn the_world_is_told_and_changed() {
    let server = Server::start("calm").await;
    let world = server.world().await;
    assert_eq!(world["scenario"]["name"], "calm");
    assert_eq!(world["aurora_writer"], "us-east-1");
    let regions = world["regions"].as_array().unwrap();
    assert_eq!(regions.len(), 2);
    for region in regions {
        assert_eq!((&region["up"], &region["in_dns"]), (&json!(true), &json!(true)));
    }

    server.clusters("us-east-1", "", b"{}").await;
    let (_, calls) = server.get("/_sim/calls").await;
    let calls: Value = serde_json::from_str(&calls).unwrap();
    assert_eq!(calls.as_array().unwrap().len(), 1, "the simulation's own paths are not logged");
    assert_eq!((&calls[0]["operation"], &calls[0]["mutating"]), (&json!("ListClusters"), &json!(false)));
    assert_eq!(calls[0]["access_key"], "AKID");
    assert_eq!(server.send("DELETE", "/_sim/calls", "", b"").await.0, 200);
    assert_eq!(server.get("/_sim/calls").await, (200, "[]\n".to_owned()));

    let start = |body: Value| {
        let body = body.to_string();
        let server = &server;
        async move { server.send("POST", "/_sim/scenario", "", body.as_bytes()).await }
    };
    let (status, body) = start(json!({"name": "regional-outage", "region": "eu-west-1"})).await;
    assert_eq!((status, body.as_str()), (200, "{\"name\":\"regional-outage\",\"region\":\"eu-west-1\"}\n"));
    let world = server.world().await;
    assert_eq!(world["scenario"]["region"], "eu-west-1");
    assert_eq!((&world["regions"][0]["up"], &world["regions"][1]["up"]), (&json!(true), &json!(false)));

    // Beside: the outage goes on while a control plane fails too; without that word the one ends the other.
    let down = json!({"name": "control-plane-down", "beside": true});
    let (status, body) = start(down).await;
    assert_eq!(status, 200);
    assert_eq!(body, "{\"name\":\"regional-outage + control-plane-down\",\"region\":\"eu-west-1\"}\n");
    assert_eq!(server.world().await["regions"][1]["up"], false);
    assert_eq!(server.clusters("us-east-1", "", b"{}").await.0, 500);
    assert_eq!(start(json!({"name": "control-plane-down"})).await.0, 200);
    assert_eq!(server.clusters("us-east-1", "", b"{}").await.0, 500);
    assert_eq!(server.world().await["scenario"]["name"], "control-plane-down");

    for (body, words) in [
        (json!({"name": "earthquake"}), "there is no scenario"),
        (json!({"name": "calm", "region": "mars-1"}), "mars-1 is not one of this world's"),
        (json!({"region": "eu-west-1"}), "missing field `name`"),
        (json!([]), "expected"),
    ] {
        let (status, answer) = start(body).await;
        assert_eq!(status, 400);
        assert!(answer.contains(words), "{answer}");
    }
    assert_eq!(server.get("/_sim/scenario").await.0, 405);
    assert_eq!(server.get("/_sim/nothing").await.0, 404);
}

#[tokio::test]
async fn the_application_answers_as_its_load_balancer_does() {
    let server = Server::start("calm").await;
    let (status, body) = server.get("/_sim/app/eu-west-1/health").await;
    assert_eq!((status, body.as_str()), (200, "{\"status\":\"ok\",\"region\":\"eu-west-1\"}\n"));
    assert_eq!(server.get("/_sim/app/mars-1/health").await.0, 404);
    // What is written in one region is shown in each, and nothing else is.
    let put = server.send("PUT", "/_sim/app/eu-west-1/canary/t-1", "", b"t-1").await;
    assert_eq!(put, (201, "t-1".to_owned()));
    assert_eq!(server.get("/_sim/app/us-east-1/canary/t-1").await, (200, "t-1".to_owned()));
    assert!(!server.get("/_sim/app/us-east-1/canary/t-2").await.1.contains("t-2"));
    let eu = "eu-west-1".into();
    server.sim.start_scenario("regional-outage", Some(&eu)).unwrap();
    assert_eq!(server.get("/_sim/app/us-east-1/health").await.0, 200);
    let head = b"GET /_sim/app/eu-west-1/health HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    match server.raw(head, GLANCE).await {
        None => {}
        Some(dropped) if dropped.is_empty() => {}
        Some(answer) => assert!((500..=599).contains(&parse(&answer).0), "{answer:?}"),
    }
}

#[tokio::test]
async fn calls_hang_and_the_others_do_not_wait() {
    let mut server = Server::start("calm").await;
    let eu = "eu-west-1".into();
    server.sim.start_scenario("black-hole", Some(&eu)).unwrap();
    let head = |region| {
        format!(
            "POST / HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\n{}\r\n{{}}",
            signed("ecs", region)
        )
    };
    let (hung, answered) = (head("eu-west-1"), head("us-east-1"));
    let (hung, answered) =
        tokio::join!(server.raw(hung.as_bytes(), GLANCE), server.raw(answered.as_bytes(), PATIENCE));
    assert!(hung.is_none());
    assert_eq!(parse(&answered.unwrap()).0, 200);

    // A hung call does not hold up the end.
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(head("eu-west-1").as_bytes()).await.unwrap();
    while server.sim.calls().len() < 3 {
        tokio::task::yield_now().await;
    }
    server.stop.take().unwrap().send(()).unwrap();
    tokio::time::timeout(PATIENCE, &mut server.task).await.unwrap().unwrap().unwrap();
    let mut rest = Vec::new();
    let closed = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut rest)).await.unwrap();
    assert!(closed.is_err() || rest.is_empty());
}

#[tokio::test]
async fn only_loopback_is_listened_on() {
    let sim = Sim::new(SimOptions::default(), Clock::real()).unwrap();
    let serve = |address: &str| {
        let address = address.parse().unwrap();
        listen(sim.clone(), address, move |_| panic!("listening on {address}"), std::future::pending())
    };
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:4566"] {
        let refused = serve(address).await.unwrap_err();
        assert!(matches!(refused, ListenError::NotLoopback(_)));
        assert_eq!(
            refused.to_string(),
            format!("the simulation listens on loopback only (127.0.0.1 or [::1]), not on {address}")
        );
    }
    let server = Server::start("calm").await;
    let taken = serve(&server.address.to_string()).await.unwrap_err();
    assert!(taken.to_string().starts_with(&format!("cannot listen on {}: ", server.address)), "{taken}");
}

#[tokio::test]
async fn a_served_world_obeys_at_its_pace() {
    let server = Server::of(SimOptions { pace: 200.0, ..SimOptions::default() }).await;
    let config = aws_sdk_ecs::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(SdkRegion::new("eu-west-1"))
        .credentials_provider(aws_credential_types::Credentials::new("AKID", "secret", None, None, "test"))
        .endpoint_url(format!("http://{}", server.address))
        .http_client(sockets())
        .build();
    let client = aws_sdk_ecs::Client::from_conf(config);
    client.update_service().cluster("prod").service("api").desired_count(9).send().await.unwrap();
    let tasks = async || server.world().await["regions"][1]["healthy_tasks"].as_u64().unwrap();
    let deadline = Clock::real().now() + jiff::SignedDuration::from_secs(20);
    while tasks().await < 17 {
        assert!(Clock::real().now() < deadline, "three tasks more should run within a second");
        Clock::real().sleep(Duration::from_millis(50)).await;
    }
    let (_, calls) = server.get("/_sim/calls").await;
    let calls: Value = serde_json::from_str(&calls).unwrap();
    let updated = calls.as_array().unwrap().iter().find(|call| call["operation"] == "UpdateService").unwrap();
    assert_eq!((&updated["mutating"], &updated["done"]), (&Value::Bool(true), &Value::Bool(true)));
}
