//! The simulated AWS on a socket, for any AWS client on this machine.
//!
//! What it is for: `sim --listen`. HTTP/1.1 on loopback: signed requests go to the simulation, `/_sim/…` tells
//! the truth about the world, starts scenarios and stands for the application's load balancers.
//! What it must not do: print, catch signals, or be reached from another machine.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::world::dns::Front;
use super::world::noise;
use super::{Outcome, Sim};
use crate::domain::ids::Region;
use crate::domain::metric::floor_minute;
use crate::ports::Clock;

/// Largest body that is read, as it travels.
const LARGEST_BODY: usize = 8 * 1024 * 1024;

/// How long a load balancer waits for its targets before it answers 504.
const IDLE_TIMEOUT: Duration = Duration::from_mins(1);

/// Pause after a connection could not be accepted, which is when file descriptors have run out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is not one of this machine's own.
    #[error("the simulation listens on loopback only (127.0.0.1 or [::1]), not on {0}")]
    NotLoopback(SocketAddr),
    /// The address cannot be had.
    #[error("cannot listen on {address}: {source}")]
    Bind {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// Serves `sim` on `address` until `stop` is done; port 0 takes any free one. `ready` is told the address
/// once connections are taken. Connections that are open at the end are closed at once.
pub async fn listen(
    sim: Sim,
    address: SocketAddr,
    ready: impl FnOnce(SocketAddr),
    stop: impl Future<Output = ()>,
) -> Result<(), ListenError> {
    if !address.ip().is_loopback() {
        return Err(ListenError::NotLoopback(address));
    }
    let failed = |source| ListenError::Bind { address, source };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    ready(listener.local_addr().map_err(failed)?);

    let served = Arc::new(Served { sim, asked: AtomicI64::new(0) });
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => return Ok(()),
            Some(_) = connections.join_next() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(serve(stream, served.clone()));
                }
                Err(_) => Clock::real().sleep(ACCEPT_PAUSE).await,
            },
        }
    }
}

/// What every connection shares.
struct Served {
    sim: Sim,
    /// Requests to the application so far, which decides who meets an error.
    asked: AtomicI64,
}

/// The connection is to be dropped without an answer.
#[derive(Debug, thiserror::Error)]
#[error("dropped, as the simulation wants it")]
struct Dropped;

type Answer = Result<Response<Full<Bytes>>, Dropped>;

async fn serve(stream: TcpStream, served: Arc<Served>) {
    // Small answers should not wait for the client's acknowledgement; a client that is gone shows itself later.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let served = served.clone();
        async move { served.answer(request).await }
    });
    // Whatever ends a connection, be it the client or the simulation, concerns that connection alone.
    let _ = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

impl Served {
    async fn answer(&self, request: Request<Incoming>) -> Answer {
        let (parts, body) = request.into_parts();
        let Ok(body) = Limited::new(body, LARGEST_BODY).collect().await else {
            return Ok(problem(StatusCode::PAYLOAD_TOO_LARGE, "the body could not be read, or is too large"));
        };
        let request = Request::from_parts(parts, body.to_bytes());
        match request.uri().path().strip_prefix("/_sim/").map(str::to_owned) {
            Some(path) => self.simulation(&path, &request).await,
            None => match self.sim.answer(request).await {
                Outcome::Answered(response) => Ok(response.map(Full::new)),
                Outcome::Refused => Err(Dropped),
                Outcome::Hung => forever().await,
            },
        }
    }

    /// What is not AWS: the world's truth, the call log, scenarios, the application.
    async fn simulation(&self, path: &str, request: &Request<Bytes>) -> Answer {
        let method = request.method();
        if let Some(place) = path.strip_prefix("app/") {
            let (region, rest) = place.find('/').map_or((place, "/"), |end| place.split_at(end));
            return self.application(region, rest, request).await;
        }
        Ok(match (path, method) {
            ("world", &Method::GET) => self.world(),
            ("calls", &Method::GET) => match serde_json::to_value(self.sim.calls()) {
                Ok(calls) => answer(StatusCode::OK, &calls),
                Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
            },
            ("calls", &Method::DELETE) => {
                self.sim.clear_calls();
                answer(StatusCode::OK, &json!([]))
            }
            ("scenario", &Method::POST) => self.scenario(request.body()),
            ("world" | "calls" | "scenario", _) => problem(
                StatusCode::METHOD_NOT_ALLOWED,
                "there are GET /_sim/world, GET and DELETE /_sim/calls, and POST /_sim/scenario",
            ),
            _ => problem(
                StatusCode::NOT_FOUND,
                "there are /_sim/world, /_sim/calls, /_sim/scenario and /_sim/app/REGION/",
            ),
        })
    }

    fn world(&self) -> Response<Full<Bytes>> {
        let (name, region) = self.sim.scenario();
        match serde_json::to_value(self.sim.view()) {
            Ok(Value::Object(mut view)) => {
                view.insert("scenario".to_owned(), json!({"name": name, "region": region}));
                answer(StatusCode::OK, &Value::Object(view))
            }
            Ok(other) => answer(StatusCode::OK, &other),
            Err(error) => problem(StatusCode::INTERNAL_SERVER_ERROR, &error.to_string()),
        }
    }

    fn scenario(&self, body: &[u8]) -> Response<Full<Bytes>> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Wanted {
            name: String,
            region: Option<String>,
            /// Whatever was wrong before goes on.
            #[serde(default)]
            beside: bool,
        }
        let wanted: Wanted = match serde_json::from_slice(body) {
            Ok(wanted) => wanted,
            Err(error) => {
                let words = format!("expected {{\"name\": …, \"region\": …, \"beside\": …}}: {error}");
                return problem(StatusCode::BAD_REQUEST, &words);
            }
        };
        let region = wanted.region.as_deref().map(Region::new);
        let started = if wanted.beside {
            self.sim.start_beside(&wanted.name, region.as_ref())
        } else {
            self.sim.start_scenario(&wanted.name, region.as_ref())
        };
        match started {
            Ok(()) => {
                let (name, region) = self.sim.scenario();
                answer(StatusCode::OK, &json!({"name": name, "region": region}))
            }
            Err(error) => problem(StatusCode::BAD_REQUEST, &error.to_string()),
        }
    }

    /// The application of a region, as its load balancer answers for it.
    async fn application(&self, region: &str, path: &str, request: &Request<Bytes>) -> Answer {
        let (world, clock) = (self.sim.world(), self.sim.clock());
        let Some(site) = world.fleet.site(region) else {
            return Ok(problem(StatusCode::NOT_FOUND, "no such region in this world"));
        };
        let now = clock.now();
        let errors = match world.front_of(site.index, path, now) {
            Front::Hanging => return forever().await,
            Front::Refusing => return Err(Dropped),
            Front::Failing(status) => {
                if status == StatusCode::GATEWAY_TIMEOUT.as_u16() {
                    clock.sleep(IDLE_TIMEOUT).await;
                }
                return Ok(balancer_error(status));
            }
            Front::Serving(errors) => errors,
        };
        let number = self.asked.fetch_add(1, Ordering::Relaxed);
        let failed = noise::unit(noise::hash(world.seed, &format!("application/{region}")), number) < errors;
        if let Some(service) = world.fleet.services.first() {
            let slow = world.outcome(site.index, 0, floor_minute(now)).slowness;
            clock.sleep(Duration::from_secs_f64((service.median * slow).clamp(0.0, 60.0))).await;
        }
        let body = String::from_utf8_lossy(request.body());
        let kept = world.application(site.index, request.method().as_str(), path, &body, clock.now());
        if let Some((status, body)) = kept.filter(|_| !failed) {
            let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
            return Ok(respond(status, "text/plain", body));
        }
        let (status, says) =
            if failed { (StatusCode::INTERNAL_SERVER_ERROR, "error") } else { (StatusCode::OK, "ok") };
        Ok(answer(status, &json!({"status": says, "region": region})))
    }
}

/// A request that is taken and never answered; it ends with its connection.
async fn forever() -> Answer {
    let never: Infallible = std::future::pending().await;
    match never {}
}

fn answer(status: StatusCode, body: &Value) -> Response<Full<Bytes>> {
    respond(status, "application/json", format!("{body}\n"))
}

fn problem(status: StatusCode, words: &str) -> Response<Full<Bytes>> {
    answer(status, &json!({"error": words}))
}

/// What a load balancer itself writes when it has nobody to ask.
fn balancer_error(status: u16) -> Response<Full<Bytes>> {
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY);
    let body = format!(
        "<html>\r\n<head><title>{status}</title></head>\r\n<body>\r\n<center><h1>{status}</h1></center>\r\n</body>\r\n</html>\r\n"
    );
    let mut response = respond(status, "text/html", body);
    response.headers_mut().insert(http::header::SERVER, http::HeaderValue::from_static("awselb/2.0"));
    response
}

fn respond(status: StatusCode, kind: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static(kind));
    response
}
