//! One loopback server for all of it: what a test answers itself, and the simulated AWS for everything that is signed.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use bytes::Bytes;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use switchtower::domain::topology::{ProbeSettings, Topology};
use switchtower::files::topology::render;
use switchtower::ports::Clock;
use switchtower::sim::world::sessions::Session;
use switchtower::sim::{Outcome, Sim, SimOptions};
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinSet;

use crate::cli::program::{Home, Ran, finish};

/// The account of the simulated application.
pub(super) const ACCOUNT: &str = "123456789012";

/// A request, as it arrived.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) method: String,
    /// With its query.
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
    /// Status of the answer; 0 where there was none.
    pub(super) status: u16,
}

/// An answer that is not the simulated AWS's.
pub(super) type Answer = Response<Full<Bytes>>;

/// What a test answers itself; nothing is left to the simulated AWS.
type Fake = dyn Fn(&Asked, &Sim) -> Option<Answer> + Send + Sync;

/// The server; ends when dropped.
pub(super) struct Aws {
    pub(super) url: String,
    pub(super) sim: Sim,
    seen: Arc<Mutex<Vec<Asked>>>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Keys that the simulated AWS knows, and whose they are.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) id: String,
    pub(super) secret: String,
    pub(super) token: String,
    pub(super) arn: String,
    pub(super) expires: Timestamp,
}

impl Keys {
    /// Keys of a session that lasts so many seconds from now.
    pub(super) fn mint(sim: &Sim, name: &str, arn: &str, seconds: i64) -> Self {
        let keys = Self {
            id: format!("ASIA{}", name.to_uppercase()),
            secret: format!("secret-of-{name}"),
            token: format!("token-of-{name}"),
            arn: arn.to_owned(),
            expires: in_seconds(seconds),
        };
        let session = Session {
            arn: arn.to_owned(),
            id: format!("AROA{name}:{name}"),
            account: arn.split(':').nth(4).unwrap().to_owned(),
            token: Some(keys.token.clone()),
            expires: Some(keys.expires),
        };
        sim.world().sessions.begin(&keys.id, session);
        keys
    }
}

/// So many seconds from now; before now, when negative.
pub(super) fn in_seconds(seconds: i64) -> Timestamp {
    let at = Clock::real().now() + SignedDuration::from_secs(seconds);
    Timestamp::from_second(at.as_second()).unwrap()
}

impl Asked {
    /// Access key id of the signature.
    pub(super) fn key(&self) -> Option<&str> {
        self.scope().first().copied()
    }

    /// Service of the signature.
    pub(super) fn service(&self) -> Option<&str> {
        self.scope().get(3).copied()
    }

    /// The token that came with it.
    pub(super) fn token(&self) -> Option<&str> {
        self.header("x-amz-security-token")
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// Whether the form in the body has that action.
    pub(super) fn acts(&self, action: &str) -> bool {
        form_urlencoded::parse(self.body.as_bytes()).any(|(name, value)| name == "Action" && value == action)
    }

    /// A member of the JSON in the body.
    pub(super) fn member(&self, name: &str) -> String {
        let body: Value = serde_json::from_str(&self.body).unwrap();
        body[name].as_str().unwrap_or_default().to_owned()
    }

    /// Key, date, region and service of the signature.
    fn scope(&self) -> Vec<&str> {
        let signed = self.header("authorization").and_then(|value| value.split_once("Credential="));
        let scope = signed.and_then(|(_, rest)| rest.split([',', ' ']).next());
        scope.map(|scope| scope.split('/').collect()).unwrap_or_default()
    }
}

impl Aws {
    /// Serves a calm world, and what `fake` answers before it.
    pub(super) fn start(fake: impl Fn(&Asked, &Sim) -> Option<Answer> + Send + Sync + 'static) -> Self {
        let sim = Sim::new(SimOptions { latency: false, ..SimOptions::default() }, Clock::real()).unwrap();
        let seen: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let (stop, stopped) = oneshot::channel();
        let (tell, told) = std::sync::mpsc::channel();
        let served = (sim.clone(), seen.clone(), Arc::from(Box::new(fake) as Box<Fake>));
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
                tell.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    () = serve(listener, served) => {}
                    _ = stopped => {}
                }
            });
        });
        let url = format!("http://{}", told.recv().unwrap());
        Self { url, sim, seen, stop: Some(stop), thread: Some(thread) }
    }

    /// Every request so far, in the order of their answers.
    pub(super) fn seen(&self) -> Vec<Asked> {
        self.seen.lock().unwrap().clone()
    }

    /// Those that were signed, but for those that take a role.
    pub(super) fn signed(&self) -> Vec<Asked> {
        let mut seen = self.seen();
        seen.retain(|asked| asked.key().is_some() && !asked.acts("AssumeRole"));
        seen
    }

    /// Asserts that all signed requests carry these keys and their token, and that there are enough of them.
    pub(super) fn is_asked_by(&self, keys: &Keys) {
        let signed = self.signed();
        for asked in &signed {
            assert_eq!(asked.key(), Some(keys.id.as_str()), "{asked:?}");
            assert_eq!(asked.token(), Some(keys.token.as_str()), "{asked:?}");
        }
        for service in ["sts", "route53", "monitoring", "ecs", "dynamodb"] {
            assert!(signed.iter().any(|asked| asked.service() == Some(service)), "{service}: {signed:#?}");
        }
    }

    /// The topology of its world, without probes, whose hosts would be real ones.
    pub(super) fn topology(&self) -> Topology {
        Topology { probe: ProbeSettings::default(), ..self.sim.topology() }
    }
}

impl Drop for Aws {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn serve(listener: TcpListener, served: (Sim, Arc<Mutex<Vec<Asked>>>, Arc<Fake>)) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let served = served.clone();
        connections.spawn(async move {
            let service = service_fn(move |request| {
                let served = served.clone();
                async move { Ok::<_, Infallible>(answer(request, served).await) }
            });
            let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
        });
        while connections.try_join_next().is_some() {}
    }
}

async fn answer(
    request: Request<Incoming>,
    (sim, seen, fake): (Sim, Arc<Mutex<Vec<Asked>>>, Arc<Fake>),
) -> Answer {
    let (parts, body) = request.into_parts();
    let body = body.collect().await.map(http_body_util::Collected::to_bytes).unwrap_or_default();
    let mut asked = Asked {
        method: parts.method.to_string(),
        path: parts.uri.to_string(),
        headers: parts.headers.clone(),
        body: String::from_utf8_lossy(&body).into_owned(),
        status: 0,
    };
    let answer = match fake(&asked, &sim) {
        Some(answer) => answer,
        None => match sim.answer(Request::from_parts(parts, body)).await {
            Outcome::Answered(answer) => answer.map(Full::new),
            Outcome::Refused | Outcome::Hung => text(500, "a calm world neither drops nor hangs"),
        },
    };
    asked.status = answer.status().as_u16();
    seen.lock().unwrap().push(asked);
    answer
}

/// An answer in plain text.
pub(super) fn text(status: u16, body: &str) -> Answer {
    Response::builder().status(status).body(Full::new(Bytes::from(body.to_owned()))).unwrap()
}

/// An answer in JSON; `code` goes into the header where AWS's REST services put it.
pub(super) fn json(status: u16, code: &str, body: &Value) -> Answer {
    Response::builder()
        .status(status)
        .header("content-type", "application/json")
        .header("x-amzn-errortype", code)
        .header("x-amzn-requestid", "11111111-2222-4333-8444-555555555555")
        .body(Full::new(Bytes::from(body.to_string())))
        .unwrap()
}

/// An answer of STS; a fault when `code` is not empty.
pub(super) fn sts(status: u16, code: &str, words: &str) -> Answer {
    let id = "11111111-2222-4333-8444-555555555555";
    let body = if code.is_empty() {
        words.to_owned()
    } else {
        format!(
            "<ErrorResponse xmlns=\"https://sts.amazonaws.com/doc/2011-06-15/\"><Error><Type>Sender</Type>\
             <Code>{code}</Code><Message>{words}</Message></Error><RequestId>{id}</RequestId></ErrorResponse>"
        )
    };
    Response::builder()
        .status(status)
        .header("content-type", "text/xml")
        .header("x-amzn-requestid", id)
        .body(Full::new(Bytes::from(body)))
        .unwrap()
}

/// Nothing but the simulated AWS.
pub(super) fn nothing(_: &Asked, _: &Sim) -> Option<Answer> {
    None
}

/// A home with a topology of that world, and an AWS configuration in which `URL` is the server's.
pub(super) fn home(aws: &Aws, config: &str) -> Home {
    let home = Home::new();
    write_file(&home, ".aws/config", &config.replace("URL", &aws.url));
    settle(&home, &aws.topology());
    home
}

/// Writes the topology that the program then finds under `orders`.
pub(super) fn settle(home: &Home, topology: &Topology) {
    let file = home.path(".config/switchtower/topologies/orders.toml");
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, render(topology)).unwrap();
}

pub(super) fn write_file(home: &Home, name: &str, text: &str) {
    let file = home.path(name);
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// The program without any keys of its own. What the loader asks besides AWS is asked of the server.
pub(super) fn program(home: &Home, aws: &Aws, arguments: &[&str]) -> std::process::Command {
    let url = &aws.url;
    let mut command = home.command(&[arguments, &["--endpoint-url", url]].concat());
    command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    for service in ["SSO", "SSO_OIDC", "SIGNIN", "STS"] {
        command.env(format!("AWS_ENDPOINT_URL_{service}"), url);
    }
    // Whatever would leave this machine meets a closed door.
    command.env("HTTPS_PROXY", "http://127.0.0.1:9").env("USER", "tester");
    command
}

/// The product's own limits, in its words; nothing here takes that long but a machine that is too busy.
const LATE: [&str; 4] =
    ["credentials did not arrive within", "no answer within", "no connection in time", "timed out"];

/// `status --json` with these variables (without those that are empty); again where this machine was too busy.
pub(super) fn status(home: &Home, aws: &Aws, more: &[&str], variables: &[(&str, &str)]) -> (Ran, Value) {
    let mut tries = 0;
    loop {
        let arguments = [&["status", "--json", "--topology", "orders"], more].concat();
        let mut command = program(home, aws, &arguments);
        for (name, value) in variables {
            match *value {
                "" => command.env_remove(name),
                value => command.env(name, value),
            };
        }
        let ran = finish(command.spawn().unwrap());
        tries += 1;
        if tries < 5 && LATE.iter().any(|words| ran.out.contains(words)) {
            aws.seen.lock().unwrap().clear();
            continue;
        }
        let document = serde_json::from_str(&ran.out).unwrap_or_else(|error| panic!("{error}: {ran:?}"));
        return (ran, document);
    }
}

/// Who a document says that each region was asked as.
pub(super) fn identities(document: &Value) -> Vec<&str> {
    let regions = document["regions"].as_array().unwrap();
    regions.iter().map(|region| region["identity"]["value"].as_str().unwrap_or("nobody")).collect()
}
