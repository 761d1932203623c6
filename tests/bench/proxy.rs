//! Makes a server on loopback look far away, and remembers what it answered.
//!
//! What it is for: every request is held for one round trip, and the first of a connection for two more (TCP and
//! TLS 1.3), as over a link of 80 ms. An answer seen before comes from memory, so that a figure holds the program's
//! cost and the round trips and nothing of the server's. With `hang`, every call waits.
//! What it must not do: cost time of its own. Each connection has a thread, as few as the program keeps open.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

/// A proxy on a free loopback port, until the process ends.
pub(crate) struct Proxy {
    /// Its URL.
    pub(crate) url: String,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    state: Mutex<State>,
    memory: Mutex<HashMap<Vec<u8>, Arc<Vec<u8>>>>,
}

#[derive(Clone, Copy)]
struct State {
    rtt: Duration,
    connect_rtts: u32,
    hang: Option<Duration>,
    seen: Traffic,
}

/// What went through since the last [`Proxy::take`].
#[derive(Clone, Copy, Default)]
pub(crate) struct Traffic {
    /// Requests that arrived.
    pub(crate) requests: u32,
    /// Connections that were opened.
    pub(crate) connections: u32,
    /// Answers that were not in memory.
    pub(crate) forwarded: u32,
    /// When the newest answer was sent.
    pub(crate) last_answer: Option<Instant>,
}

impl Proxy {
    /// A proxy before `upstream`, without delay at first.
    pub(crate) fn start(upstream: SocketAddr) -> std::io::Result<Self> {
        let state = State { rtt: Duration::ZERO, connect_rtts: 2, hang: None, seen: Traffic::default() };
        let shared =
            Arc::new(Shared { upstream, state: Mutex::new(state), memory: Mutex::new(HashMap::new()) });
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let url = format!("http://{}", listener.local_addr()?);
        let serving = Arc::clone(&shared);
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let shared = Arc::clone(&serving);
                thread::spawn(move || serve(&stream, &shared));
            }
        });
        Ok(Self { url, shared })
    }

    /// The round trip from now on.
    pub(crate) fn far(&self, rtt: Duration) {
        self.shared.state.lock().unwrap().rtt = rtt;
    }

    /// From now on every call waits this long before it is answered at all.
    pub(crate) fn hang(&self, hang: Option<Duration>) {
        self.shared.state.lock().unwrap().hang = hang;
    }

    /// The traffic since the last time this was asked.
    pub(crate) fn take(&self) -> Traffic {
        std::mem::take(&mut self.shared.state.lock().unwrap().seen)
    }
}

fn serve(stream: &TcpStream, shared: &Shared) -> Option<()> {
    let _ = stream.set_nodelay(true);
    let mut input = BufReader::new(stream.try_clone().ok()?);
    let mut output = stream;
    let mut upstream: Option<BufReader<TcpStream>> = None;
    let mut first = true;
    loop {
        let request = Message::read(&mut input)?;
        let wait = {
            let mut state = shared.state.lock().unwrap();
            state.seen.requests += 1;
            state.seen.connections += u32::from(first);
            let trips = 1 + if first { state.connect_rtts } else { 0 };
            state.rtt * trips + state.hang.unwrap_or_default()
        };
        first = false;
        thread::sleep(wait);
        let key = request.key();
        let remembered = shared.memory.lock().unwrap().get(&key).cloned();
        let answer = if let Some(answer) = remembered {
            answer
        } else {
            shared.state.lock().unwrap().seen.forwarded += 1;
            let answer = Arc::new(forward(&request, &mut upstream, shared.upstream)?);
            if answer.starts_with(b"HTTP/1.1 200") {
                shared.memory.lock().unwrap().insert(key, Arc::clone(&answer));
            }
            answer
        };
        output.write_all(&answer).ok()?;
        shared.state.lock().unwrap().seen.last_answer = Some(Instant::now());
    }
}

fn forward(
    request: &Message,
    upstream: &mut Option<BufReader<TcpStream>>,
    address: SocketAddr,
) -> Option<Vec<u8>> {
    let connection = match upstream {
        Some(connection) => connection,
        None => {
            let stream = TcpStream::connect(address).ok()?;
            let _ = stream.set_nodelay(true);
            upstream.insert(BufReader::new(stream))
        }
    };
    connection.get_mut().write_all(&[request.head.as_bytes(), &request.body].concat()).ok()?;
    let answer = Message::read(connection)?;
    if answer.header("connection").is_some_and(|value| value.eq_ignore_ascii_case("close")) {
        *upstream = None;
    }
    // The client's connection is kept whatever the server does with ours.
    let head: String = answer
        .head
        .split_inclusive("\r\n")
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"))
        .collect();
    Some([head.into_bytes(), answer.body].concat())
}

/// One HTTP/1.1 message as it came: a body with a length, or chunked.
struct Message {
    head: String,
    body: Vec<u8>,
}

impl Message {
    fn read(from: &mut impl BufRead) -> Option<Self> {
        let mut message = Self { head: String::new(), body: Vec::new() };
        while !message.head.ends_with("\r\n\r\n") {
            if from.read_line(&mut message.head).ok()? == 0 {
                return None;
            }
        }
        if let Some(length) = message.header("content-length").and_then(|text| text.parse().ok()) {
            message.body.resize(length, 0);
            from.read_exact(&mut message.body).ok()?;
        } else if message.header("transfer-encoding").is_some() {
            loop {
                let mut line = String::new();
                from.read_line(&mut line).ok()?;
                let size = usize::from_str_radix(line.trim().split(';').next()?, 16).ok()?;
                let mut chunk = vec![0; size + 2];
                from.read_exact(&mut chunk).ok()?;
                message.body.extend_from_slice(line.as_bytes());
                message.body.extend_from_slice(&chunk);
                if size == 0 {
                    break;
                }
            }
        }
        Some(message)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(':')?;
            key.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    /// What makes two requests the same: method, path, region and service, operation, and the body but for times.
    fn key(&self) -> Vec<u8> {
        let scope = self.header("authorization").and_then(|text| text.split('/').nth(2)).unwrap_or_default();
        let service =
            self.header("authorization").and_then(|text| text.split('/').nth(3)).unwrap_or_default();
        let line = self.head.lines().next().unwrap_or_default();
        let target = self.header("x-amz-target").unwrap_or_default();
        let mut key = format!("{line}\n{scope}\n{service}\n{target}\n").into_bytes();
        key.extend(without_times(&self.body));
        key
    }
}

/// A body with the start and end of a metrics query blanked: in CBOR a tag 1 and a number of 4 or 8 bytes.
fn without_times(body: &[u8]) -> Vec<u8> {
    let mut body = body.to_vec();
    for name in [b"StartTime".as_slice(), b"EndTime"] {
        for at in 0..body.len().saturating_sub(name.len()) {
            let after = at + name.len();
            if &body[at..after] == name && body.get(after) == Some(&0xc1) {
                let bytes = match body.get(after + 1) {
                    Some(0x1a) => 4,
                    Some(0x1b | 0xfb) => 8,
                    _ => 0,
                };
                body.iter_mut().skip(after + 2).take(bytes).for_each(|byte| *byte = 0);
            }
        }
    }
    body
}
