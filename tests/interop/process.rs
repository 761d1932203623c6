//! Servers as child processes, and the program under test as a command.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::python;

/// How long a server may take until it listens. Generous: a loaded machine imports moto slowly.
const START: Duration = Duration::from_mins(1);

/// How long one run of the program may take.
const RUN: Duration = Duration::from_secs(90);
/// The same for a runbook that waits for the world, beside others.
const RUNBOOK: Duration = Duration::from_mins(5);

/// Every server that was started, to be stopped at the end: statics are not dropped.
static STARTED: Mutex<Vec<Server>> = Mutex::new(Vec::new());

/// A server on loopback; stopped when dropped.
pub(crate) struct Server {
    child: Child,
    log: tempfile::NamedTempFile,
}

/// Starts a Python script of this folder; returns its URL. It is stopped by [`stop_all`].
pub(crate) fn start_script(
    name: &str,
    environment: &[(&str, &str)],
    arguments: &[&str],
) -> Result<String, String> {
    let mut command = python::command(name)?;
    command.envs(environment.iter().copied()).args(arguments);
    start(command, name)
}

/// Starts `switchtower sim` on a free port; returns its URL. It is stopped by [`stop_all`].
pub(crate) fn start_sim(arguments: &[&str]) -> Result<String, String> {
    let mut command = python::command("supervise.py")?;
    command.arg(env!("CARGO_BIN_EXE_switchtower")).args(["sim", "--listen", "127.0.0.1:0"]).args(arguments);
    start(command, "sim")
}

/// Stops every server that is still running.
pub(crate) fn stop_all() {
    STARTED.lock().unwrap().clear();
}

fn start(mut command: Command, name: &str) -> Result<String, String> {
    let fail = |why: std::io::Error| format!("{name}: {why}");
    let log = tempfile::NamedTempFile::new().map_err(fail)?;
    let stderr = log.reopen().map_err(fail)?;
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(stderr).spawn().map_err(fail)?;
    let stdout = child.stdout.take().map(BufReader::new);
    let server = Server { child, log };
    let (found, port) = mpsc::channel();
    thread::spawn(move || {
        // Goes on reading to the end, so that the server never waits for a full pipe.
        for line in stdout.into_iter().flat_map(BufReader::lines).map_while(Result::ok) {
            if let Some(port) = port_in(&line) {
                let _ = found.send(port);
            }
        }
    });
    let port = port.recv_timeout(START).map_err(|_| format!("{name} did not start:\n{}", server.said()))?;
    let url = format!("http://127.0.0.1:{port}");
    wait_until_open(port).map_err(|why| format!("{name}: {why}\n{}", server.said()))?;
    STARTED.lock().unwrap().push(server);
    Ok(url)
}

/// The port in `listening 5000` or `… http://127.0.0.1:5000 …`.
fn port_in(line: &str) -> Option<u16> {
    let after = line.split_once("127.0.0.1:").or_else(|| line.split_once("listening "))?.1;
    after.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

fn wait_until_open(port: u16) -> Result<(), String> {
    let deadline = Instant::now() + START;
    loop {
        match TcpStream::connect(("127.0.0.1", port)) {
            Ok(_) => return Ok(()),
            Err(why) if Instant::now() > deadline => return Err(why.to_string()),
            Err(_) => thread::sleep(Duration::from_millis(20)),
        }
    }
}

impl Server {
    fn said(&self) -> String {
        let mut text = String::new();
        let _ = File::open(self.log.path()).and_then(|mut file| file.read_to_string(&mut text));
        python::tail(&text)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The end of its input asks it to go; a server that does not is killed.
        drop(self.child.stdin.take());
        let _ = wait(&mut self.child, Duration::from_secs(3));
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits for a child's end up to a deadline.
fn wait(child: &mut Child, limit: Duration) -> Option<ExitStatus> {
    let deadline = Instant::now() + limit;
    loop {
        match child.try_wait() {
            Ok(Some(status)) => return Some(status),
            Ok(None) if Instant::now() < deadline => thread::sleep(Duration::from_millis(5)),
            _ => return None,
        }
    }
}

/// What a run of the program gave.
pub(crate) struct Outcome {
    /// Exit code; `None` when a signal ended it.
    pub(crate) code: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
    /// How long it took.
    pub(crate) took: Duration,
}

impl Outcome {
    /// Standard output as JSON.
    pub(crate) fn json(&self) -> Result<Value, String> {
        serde_json::from_str(&self.stdout).map_err(|why| format!("no JSON ({why}): {}", self.told()))
    }

    /// Everything it said, for a failure's message.
    pub(crate) fn told(&self) -> String {
        format!("exit {:?}\n{}\n{}", self.code, python::tail(&self.stdout), python::tail(&self.stderr))
    }
}

/// Runs the program in a home of its own with nothing of this machine's AWS configuration. One run at a time: the
/// fakes are one Python process each, and deadlines are part of what is tested.
pub(crate) fn switchtower(home: &Path, access_key: &str, arguments: &[&str]) -> Result<Outcome, String> {
    static ONE: Mutex<()> = Mutex::new(());
    let _one = ONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    run(&mut program(home, access_key, arguments), RUN, || false)
}

/// The same beside others, for runs whose own waits are most of their time; killed, as by `kill -9`, once `cut` says so.
pub(crate) fn switchtower_beside(
    home: &Path,
    access_key: &str,
    arguments: &[String],
    cut: impl Fn() -> bool,
) -> Result<Outcome, String> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    run(&mut program(home, access_key, &arguments), RUNBOOK, cut)
}

/// Runs any command to its end.
pub(crate) fn command(command: &mut Command, limit: Duration) -> Result<Outcome, String> {
    run(command, limit, || false)
}

fn program(home: &Path, access_key: &str, arguments: &[&str]) -> Command {
    let environment = BTreeMap::from([
        ("PATH", std::env::var("PATH").unwrap_or_default()),
        ("HOME", home.display().to_string()),
        ("AWS_ACCESS_KEY_ID", access_key.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]);
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchtower"));
    command.args(arguments).env_clear().envs(environment).current_dir(home);
    command
}

fn run(command: &mut Command, limit: Duration, cut: impl Fn() -> bool) -> Result<Outcome, String> {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let started = Instant::now();
    let mut child = command.spawn().map_err(|why| why.to_string())?;
    let (out, err) = (reader(child.stdout.take()), reader(child.stderr.take()));
    let mut late = false;
    let status = loop {
        match child.try_wait() {
            Ok(Some(status)) => break Some(status),
            Ok(None) if started.elapsed() > limit => late = true,
            Ok(None) if !cut() => {
                thread::sleep(Duration::from_millis(20));
                continue;
            }
            Ok(None) => {}
            Err(why) => return Err(why.to_string()),
        }
        let _ = child.kill();
        break child.wait().ok();
    };
    let outcome = Outcome {
        code: status.and_then(|status| status.code()),
        stdout: out.join().unwrap_or_default(),
        stderr: err.join().unwrap_or_default(),
        took: started.elapsed(),
    };
    if late { Err(format!("{command:?} did not end in {limit:?}: {}", outcome.told())) } else { Ok(outcome) }
}

fn reader(pipe: Option<impl Read + Send + 'static>) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.read_to_end(&mut bytes);
        }
        String::from_utf8_lossy(&bytes).into_owned()
    })
}

/// One plain HTTP request to a server of ours; the body of its answer.
pub(crate) fn http(method: &str, url: &str, path: &str, body: &str) -> Result<String, String> {
    let address = url.trim_start_matches("http://");
    let fail = |why: std::io::Error| format!("{method} {url}{path}: {why}");
    let mut stream = TcpStream::connect(address).map_err(fail)?;
    stream.set_read_timeout(Some(START)).map_err(fail)?;
    let length = body.len();
    let request = format!(
        "{method} {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(request.as_bytes()).map_err(fail)?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).map_err(fail)?;
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    if head.split(' ').nth(1) == Some("200") { Ok(body.to_owned()) } else { Err(format!("{path}: {answer}")) }
}
