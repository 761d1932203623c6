//! The built program as a child, in a home of its own.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tempfile::TempDir;

/// How long one run may take on a loaded machine.
const LIMIT: Duration = Duration::from_mins(1);

/// A home folder, and the program run in it.
pub(crate) struct Home {
    folder: TempDir,
}

/// What a run left behind.
pub(crate) struct Ran {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

/// `switchtower sim` on a free port; ends when dropped.
pub(crate) struct Sim {
    child: Child,
    pub(crate) url: String,
}

/// Documents are long; their beginning says what is wrong, or, of what is told line by line, their end.
impl std::fmt::Debug for Ran {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let start: String = self.out.chars().take(1_500).collect();
        let rest = self.out.get(start.len()..).unwrap_or_default();
        let end = rest.char_indices().rev().nth(1_499).map_or(rest, |(at, _)| &rest[at..]);
        let gap = if end.len() < rest.len() { "\n…\n" } else { "" };
        write!(f, "exit {:?}\nstderr: {}\nstdout: {start}{gap}{end}", self.code, self.err)
    }
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The program with nothing of this machine's environment.
    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchtower"));
        command
            .args(arguments)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("AWS_EC2_METADATA_DISABLED", "true")
            .env("AWS_ACCESS_KEY_ID", "sim")
            .env("AWS_SECRET_ACCESS_KEY", "sim")
            .current_dir(self.folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Ran {
        finish(self.command(arguments).spawn().unwrap())
    }

    /// Discovers the world of `sim` and names its topology `orders`.
    pub(crate) fn init(&self, sim: &Sim) -> Ran {
        let base = format!("{}/_sim/app/{{region}}", sim.url);
        let arguments = ["init", "--topology", "orders", "--endpoint-url", &sim.url, "--probe-base", &base];
        let rest = ["--hostname", "api.example.com", "--regions", "us-east-1,eu-west-1"];
        let mut ran = self.run(&[&arguments[..], &rest[..]].concat());
        // On a machine that is too busy a question may time out.
        for _ in 0..3 {
            if ran.code != Some(10) {
                break;
            }
            ran = self.run(&[&arguments[..], &rest[..], &["--force"]].concat());
        }
        ran
    }
}

/// Waits for a child's end; one that does not end is killed and fails the test.
pub(crate) fn finish(mut child: Child) -> Ran {
    let out = child.stdout.take().map(read_all);
    let err = child.stderr.take().map(read_all);
    let code = ended(&mut child, LIMIT);
    let text = |reader: Option<std::thread::JoinHandle<String>>| reader.map(|r| r.join().unwrap());
    Ran { code, out: text(out).unwrap_or_default(), err: text(err).unwrap_or_default() }
}

fn read_all(mut from: impl Read + Send + 'static) -> std::thread::JoinHandle<String> {
    std::thread::spawn(move || {
        let mut text = Vec::new();
        let _ = from.read_to_end(&mut text);
        String::from_utf8_lossy(&text).into_owned()
    })
}

/// The exit code of a child that ends within `limit`.
pub(crate) fn ended(child: &mut Child, limit: Duration) -> Option<i32> {
    let step = Duration::from_millis(5);
    for _ in 0..limit.as_millis() / step.as_millis() {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::park_timeout(step);
    }
    let _ = child.kill();
    let _ = child.wait();
    panic!("still running after {limit:?}");
}

impl Sim {
    pub(crate) fn start(home: &Home, arguments: &[&str]) -> Self {
        let fixed = ["sim", "--listen", "127.0.0.1:0"];
        let mut child =
            home.command(&[&fixed[..], arguments].concat()).stderr(Stdio::null()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let url = line.trim().strip_prefix("listening on ").unwrap_or_default().to_owned();
        assert!(url.starts_with("http://127.0.0.1:"), "{line:?}");
        Self { child, url }
    }

    /// Every call to AWS since the last time that they were forgotten.
    pub(crate) fn calls(&self) -> Vec<Value> {
        let Value::Array(calls) = ask(&self.url, "GET", "/_sim/calls", "") else { panic!("no calls") };
        calls
    }

    /// Empties the log of calls.
    pub(crate) fn forget_calls(&self) {
        ask(&self.url, "DELETE", "/_sim/calls", "");
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A request to a served world about itself, and its answer.
pub(crate) fn ask(url: &str, method: &str, path: &str, body: &str) -> Value {
    let host = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(host).unwrap();
    stream.set_read_timeout(Some(LIMIT)).unwrap();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert_eq!(head.split(' ').nth(1), Some("200"), "{answer}");
    serde_json::from_str(body).unwrap()
}

/// Compares with a file beside this one; `UPDATE_GOLDEN=1` accepts what was found.
pub(crate) fn golden(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(&file, found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    assert_eq!(found, expected, "{} differs; set UPDATE_GOLDEN=1 to accept", file.display());
}
