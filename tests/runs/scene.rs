//! A served world, a bastion with a topology of it, and the program run there.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;

use crate::cli::program::{Home, Ran, ask, ended, finish};

/// The region that is left.
pub(super) const LEAVING: &str = "us-east-1";
/// Where the table of leases lies.
const LEASES: &str = "us-west-2";
/// Where its users go.
pub(super) const SURVIVOR: &str = "eu-west-1";
/// How long anything of one process may take, however busy the machine.
pub(super) const PATIENCE: Duration = Duration::from_mins(3);

/// Where the topology stands in a home.
const ORDERS: &str = ".config/switchtower/topologies/orders.toml";

/// How many worlds there may be at the same time. Those who act in them wait nearly all of their lives; but when they
/// plan, and a world answers, a core is theirs, and everybody else's limits are seconds.
const SEATS: usize = 12;

/// Worlds that are taken.
static SEATED: (Mutex<usize>, Condvar) = (Mutex::new(0), Condvar::new());

/// The right to a world; given back when dropped.
struct Seat;

impl Seat {
    /// Waits for one.
    fn take() -> Self {
        let taken = SEATED.0.lock().unwrap_or_else(PoisonError::into_inner);
        let full = |taken: &mut usize| *taken >= SEATS;
        *SEATED.1.wait_while(taken, full).unwrap_or_else(PoisonError::into_inner) += 1;
        Self
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        *SEATED.0.lock().unwrap_or_else(PoisonError::into_inner) -= 1;
        SEATED.1.notify_one();
    }
}

/// `switchtower sim` with its zone; ends when dropped.
pub(super) struct World {
    child: Child,
    _seat: Option<Seat>,
    pub(super) url: String,
    dns: String,
    /// What `init` cannot find, as the simulation prints it.
    wiring: String,
}

/// One host: a home, the topology of a world, and keys of its own, by which the world's log tells it from others.
pub(super) struct Bastion {
    pub(super) home: Home,
    key: String,
    url: String,
}

/// A child whose lines are read as they come.
pub(super) struct Live {
    pub(super) child: Child,
    pub(super) lines: Receiver<String>,
    err: RefCell<Option<JoinHandle<String>>>,
}

/// Which of the product's own limits this machine may be too busy for.
#[derive(Clone, Copy, Debug)]
pub(super) enum Busy {
    /// Those of what answers also while the region that is left is dark: the survivor, and the table of leases.
    Living,
    /// Any: the world is calm, and answers everything.
    Anything,
}

impl Busy {
    /// Whether a limit is what these words tell.
    pub(super) fn is_told_by(self, words: &str) -> bool {
        const LATE: [&str; 6] = [
            "no answer within",
            "no answer before the deadline",
            "no connection in time",
            "timed out",
            "never read",
            "not read yet",
        ];
        let lives = |line: &str| {
            matches!(self, Self::Anything) || [SURVIVOR, LEASES].iter().any(|region| line.contains(region))
        };
        let late = |line: &str| LATE.iter().any(|late| line.contains(late));
        words.lines().any(|line| line.contains("the lease table") || late(line) && lives(line))
    }
}

/// Proves something, again in a world of its own where this machine was too busy for the product's own limits. Nothing
/// else is tried twice.
pub(super) fn patiently(limits: Busy, proof: impl Fn()) {
    for _ in 0..6 {
        let Err(why) = catch_unwind(AssertUnwindSafe(&proof)) else { return };
        let words = why.downcast_ref::<String>().map_or("", String::as_str);
        if !limits.is_told_by(words) {
            resume_unwind(why);
        }
    }
    proof();
}

impl World {
    /// A world, as soon as there may be one more.
    pub(super) fn start(arguments: &[&str]) -> Self {
        Self::on(Some(Seat::take()), arguments)
    }

    fn on(seat: Option<Seat>, arguments: &[&str]) -> Self {
        let nobody = Home::new();
        let fixed = ["sim", "--listen", "127.0.0.1:0", "--dns", "127.0.0.1:0"];
        let mut child = nobody.command(&[&fixed[..], arguments].concat()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap()).lines();
        let mut line = || out.next().unwrap().unwrap();
        let url = line().strip_prefix("listening on ").unwrap().to_owned();
        let dns = line().strip_prefix("answering DNS on ").unwrap().to_owned();
        let said = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        let said: Vec<String> = said.take_while(|line| line != "Ctrl-C ends it").collect();
        let told = said.iter().position(|line| line.ends_with("to be added to that file:")).unwrap();
        Self { child, _seat: seat, url, dns, wiring: said[told + 1..].join("\n") + "\n" }
    }

    /// Where its zone is asked.
    pub(super) fn dns(&self) -> &str {
        &self.dns
    }

    /// The truth about the world.
    pub(super) fn view(&self) -> Value {
        ask(&self.url, "GET", "/_sim/world", "")
    }

    /// Every call to AWS so far.
    pub(super) fn calls(&self) -> Vec<Value> {
        let Value::Array(calls) = ask(&self.url, "GET", "/_sim/calls", "") else { panic!("no calls") };
        calls
    }

    /// Empties the log of calls.
    pub(super) fn forget_calls(&self) {
        ask(&self.url, "DELETE", "/_sim/calls", "");
    }

    /// Calls that would change something, without those to the table of leases and journals.
    pub(super) fn changes(&self) -> Vec<Value> {
        let changes = |call: &Value| call["mutating"] == true && call["service"] != "dynamodb";
        self.calls().into_iter().filter(changes).collect()
    }

    /// Starts a scenario, beside what is wrong already.
    pub(super) fn strike(&self, scenario: &str) {
        let body = serde_json::json!({"name": scenario, "beside": true}).to_string();
        ask(&self.url, "POST", "/_sim/scenario", &body);
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Bastion {
    /// A host of `world`, whose topology is patient for seconds only.
    pub(super) fn new(world: &World, key: &str) -> Self {
        let bastion = Self { home: Home::new(), key: key.to_owned(), url: world.url.clone() };
        let file = bastion.home.path(ORDERS);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        let text = discovered(&world.wiring)
            .replace("http://url.invalid", &world.url)
            .replace("192.0.2.1:53", &world.dns)
            .replace("survivors_healthy_minutes = 3", "survivors_healthy_minutes = 0")
            .replace("answers_live_seconds = 60", "answers_live_seconds = 1")
            .replace("quiet_minutes = 3", "quiet_minutes = 0");
        std::fs::write(file, text + &world.wiring).unwrap();
        bastion
    }

    /// Changes its topology.
    pub(super) fn edit(&self, from: &str, to: &str) {
        let file = self.home.path(ORDERS);
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from} is not in {text}");
        std::fs::write(file, text.replace(from, to)).unwrap();
    }

    /// The arguments that say where and as what.
    pub(super) fn whereabouts(&self) -> [&str; 5] {
        ["--topology", "orders", "--endpoint-url", &self.url, "--allow-endpoint"]
    }

    /// The key that signs its calls.
    pub(super) fn key(&self) -> &str {
        &self.key
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.home.command(&[arguments, &self.whereabouts()].concat());
        command.env("AWS_ACCESS_KEY_ID", &self.key).env("USER", &self.key);
        command
    }

    pub(super) fn run(&self, arguments: &[&str]) -> Ran {
        let mut child = self.command(arguments).spawn().unwrap();
        let (out, err) = (read_all(child.stdout.take()), read_all(child.stderr.take()));
        let code = ended(&mut child, PATIENCE);
        Ran { code, out: out.join().unwrap(), err: err.join().unwrap() }
    }

    /// Starts the program and reads its lines as they come.
    pub(super) fn live(&self, arguments: &[&str]) -> Live {
        let mut child = self.command(arguments).spawn().unwrap();
        let err = RefCell::new(Some(read_all(child.stderr.take())));
        let out = BufReader::new(child.stdout.take().unwrap());
        let (send, lines) = channel();
        std::thread::spawn(move || {
            for line in out.lines().map_while(Result::ok) {
                if send.send(line).is_err() {
                    return;
                }
            }
        });
        Live { child, lines, err }
    }

    /// The name of the newest run: names begin with the time.
    pub(super) fn newest(&self) -> String {
        let runs = std::fs::read_dir(self.folder_of_runs()).unwrap().map(|run| run.unwrap().file_name());
        runs.max().unwrap().to_str().unwrap().to_owned()
    }

    /// The same, where there may be none.
    pub(super) fn latest(&self) -> Option<String> {
        let folder = std::fs::read_dir(self.home.path(".local/state/switchtower/runs")).ok()?.next()?;
        let runs = std::fs::read_dir(folder.unwrap().path()).unwrap().map(|run| run.unwrap().file_name());
        runs.max().map(|run| run.to_str().unwrap().to_owned())
    }

    /// Where the journals lie, one folder an application and endpoint.
    pub(super) fn folder_of_runs(&self) -> PathBuf {
        let all = self.home.path(".local/state/switchtower/runs");
        std::fs::read_dir(all).unwrap().next().unwrap().unwrap().path()
    }

    /// The only run that a process left, if it left any.
    pub(super) fn left_behind(&self) -> Option<String> {
        let all = self.home.path(".local/state/switchtower/runs");
        let folder = std::fs::read_dir(all).ok()?.next()?.unwrap().path();
        let runs: Vec<_> = std::fs::read_dir(folder).unwrap().map(|run| run.unwrap().file_name()).collect();
        assert!(runs.len() < 2, "{runs:?}");
        runs.first().map(|run| run.to_str().unwrap().to_owned())
    }

    /// The only run, as soon as there is one.
    pub(super) fn first_run(&self) -> String {
        let step = Duration::from_millis(10);
        for _ in 0..PATIENCE.as_millis() / step.as_millis() {
            // Its folder is made a moment before its journal.
            if let Some(run) = self.left_behind().filter(|run| !self.journal(run).is_empty()) {
                return run;
            }
            std::thread::park_timeout(step);
        }
        panic!("no run begins");
    }

    /// The whole lines of a run's journal, as they lie on disk.
    pub(super) fn journal(&self, run: &str) -> Vec<Value> {
        let file = self.folder_of_runs().join(run).join("journal.jsonl");
        let text = std::fs::read_to_string(file).unwrap_or_default();
        events(text.rsplit_once('\n').map_or("", |(whole, _)| whole))
    }

    /// What a run's journal tells, as the program shows it.
    pub(super) fn told(&self, run: &str) -> Vec<Value> {
        let ran = self.run(&["runs", "show", run, "--json"]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{ran:?}");
        events(&ran.out)
    }
}

impl Live {
    /// The next line; none once the program has closed its output.
    pub(super) fn line(&self) -> Option<String> {
        self.lines.recv_timeout(PATIENCE).ok()
    }

    /// Waits for a line that has `words` in it, and returns all up to it.
    pub(super) fn until(&self, words: &str) -> Vec<String> {
        let mut seen = Vec::new();
        loop {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => {
                    let found = line.contains(words);
                    seen.push(line);
                    if found {
                        return seen;
                    }
                }
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("it ended without {words}: {seen:#?}\n{}", self.complaint())
                }
                Err(RecvTimeoutError::Timeout) => {
                    panic!("it waits for something, without {words}: {seen:#?}")
                }
            }
        }
    }

    /// Its end, with everything that was not read yet.
    pub(super) fn ended(mut self) -> Ran {
        let code = ended(&mut self.child, PATIENCE);
        let out: Vec<String> = self.lines.iter().collect();
        Ran { code, out: out.join("\n"), err: self.complaint() }
    }

    /// What a program that has closed its output said on stderr; once.
    fn complaint(&self) -> String {
        self.err.take().map_or_else(String::new, |reader| reader.join().unwrap())
    }

    pub(super) fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Sends a signal.
pub(super) fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -{name} {id}");
}

/// JSON lines.
pub(super) fn events(text: &str) -> Vec<Value> {
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap_or_else(|why| panic!("{why}: {line}")))
        .collect()
}

/// The region of a world's view.
pub(super) fn region<'v>(view: &'v Value, name: &str) -> &'v Value {
    view["regions"].as_array().unwrap().iter().find(|region| region["region"] == name).unwrap()
}

/// The topology that `init` finds in a world of that wiring. Worlds of one seed are alike, so that one is asked once
/// for all; every other is spared the questions, which count against AWS's rates.
fn discovered(wiring: &str) -> String {
    static FOUND: Mutex<BTreeMap<String, String>> = Mutex::new(BTreeMap::new());
    let mut found = FOUND.lock().unwrap_or_else(PoisonError::into_inner);
    let make = || {
        let mut wired = Vec::new();
        for (sign, word) in [("\n[arc]\n", "routing-control"), ("kind = \"object\"", "switch-object")] {
            if wiring.contains(sign) {
                wired.extend(["--wire", word]);
            }
        }
        // Whoever asks has a world already.
        let (world, home) = (World::on(None, &wired), Home::new());
        let arguments = ["init", "--endpoint-url", &world.url, "--topology", "orders"];
        let asked = ["--hostname", "api.example.com", "--regions", "us-east-1,eu-west-1"];
        let told = ["--probe-base", "http://url.invalid/_sim/app/{region}", "--dns-server", "192.0.2.1:53"];
        let init =
            || finish(home.command(&[&arguments[..], &asked, &told, &["--force"]].concat()).spawn().unwrap());
        let mut ran = init();
        // On a machine that is too busy a question may time out, and what it was about is not in the topology.
        for _ in 0..3 {
            if ran.code != Some(10) {
                break;
            }
            ran = init();
        }
        assert_eq!(ran.code, Some(0), "{ran:?}");
        std::fs::read_to_string(home.path(ORDERS)).unwrap()
    };
    found.entry(wiring.to_owned()).or_insert_with(make).clone()
}

fn read_all(from: Option<impl Read + Send + 'static>) -> JoinHandle<String> {
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = from.map(|mut from| from.read_to_end(&mut bytes));
        String::from_utf8_lossy(&bytes).into_owned()
    })
}
