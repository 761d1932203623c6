//! A run and its terminal: it goes on without one, and other terminals follow and stop it.
#![allow(clippy::disallowed_methods)]

use std::time::Duration;

use serde_json::Value;

use super::judge;
use super::scene::{Bastion, Busy, LEAVING, Live, PATIENCE, World, events, patiently};
use crate::pty::terminal::Terminal;

const DRAIN: [&str; 8] = ["run", "drain", "--region", LEAVING, "--confirm", LEAVING, "--reason", "game day"];

/// The console on a bastion, armed, with a drain of the leaving region begun, by keys alone.
fn drained_by_keys(bastion: &Bastion) -> Terminal {
    let environment = [
        ("AWS_ACCESS_KEY_ID", bastion.key()),
        ("AWS_SECRET_ACCESS_KEY", "sim"),
        ("AWS_EC2_METADATA_DISABLED", "true"),
    ];
    let mut terminal = Terminal::start_with(&bastion.home, &bastion.whereabouts(), &environment, 120, 40);
    terminal.wait("a verdict", |screen| screen.contents().contains("HEALTHY"));
    terminal.keys("A");
    terminal.wait("what to type", |screen| screen.contents().contains("type orders"));
    terminal.keys("orders\r");
    terminal.wait("the red frame", |screen| screen.contents().contains("ARMED"));
    terminal.keys("D");
    terminal.wait("a plan", |screen| screen.contents().contains("Enter, then type us-east-1"));
    terminal.keys("\r");
    terminal.wait("the question", |screen| screen.contents().contains("type us-east-1"));
    terminal.keys("us-east-1\r");
    terminal.keys("game day\r");
    terminal
}

/// A run's process follows its journal and stops at nothing: the first line that has `words` in it.
fn follow(bastion: &Bastion) -> (String, Live) {
    let run = bastion.first_run();
    let attached = bastion.live(&["runs", "attach", &run, "--json"]);
    (run, attached)
}

/// A run outlives its terminal.
pub(super) fn outlived() {
    patiently(Busy::Anything, outlived_once);
}

fn outlived_once() {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    // Long enough to be looked at.
    bastion.edit("answers_live_seconds = 1", "answers_live_seconds = 9");
    let terminal = drained_by_keys(&bastion);
    let id = terminal.id();
    let (run, attached) = follow(&bastion);
    attached.until("\"intent\"");
    let mut child = terminal.hang_up();

    // It goes on, nearly idle: nothing is painted any more.
    attached.until("\"step_began\",\"step\":\"proof/ttl\"");
    let (before, began) = (ticks(id), std::time::Instant::now());
    let waited = attached.until("\"step_done\",\"step\":\"proof/ttl\"");
    let (used, took) = (ticks(id) - before, began.elapsed());
    assert!(waited.len() > 2, "progress is told live: {waited:#?}");
    let percent = used as f64 / took.as_secs_f64();
    assert!(percent < 10.0, "without a screen it takes {percent} % of a core, for {took:?}");
    let followed = attached.ended();
    assert_eq!((followed.code, followed.err.as_str()), (Some(0), ""), "{followed:?}");

    let mut left = PATIENCE;
    let step = Duration::from_millis(20);
    while child.try_wait().unwrap().is_none() {
        left = left.checked_sub(step).expect("it ends with its run");
        std::thread::park_timeout(step);
    }
    let told = bastion.told(&run);
    assert_eq!(judge::journal(&told, "done"), Vec::<String>::new());
    assert_eq!(judge::calls(&world, &told), Vec::<String>::new());
    assert_eq!(judge::moved(&world.view()), Vec::<String>::new());
}

/// The word of another terminal reaches a run that has lost its own.
pub(super) fn stopped() {
    patiently(Busy::Anything, stopped_once);
}

fn stopped_once() {
    let world = World::start(&["--speed", "60"]);
    let bastion = Bastion::new(&world, "bastion");
    bastion.edit("survivors_healthy_minutes = 0", "survivors_healthy_minutes = 5");
    let terminal = drained_by_keys(&bastion);
    let (run, attached) = follow(&bastion);
    attached.until("\"step_began\"");
    drop(terminal.hang_up());
    let stopped = bastion.run(&["runs", "abort", &run, "--reason", "wrong region"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let followed = attached.ended();
    assert_eq!(followed.code, Some(6), "{followed:?}");
    assert_eq!(judge::journal(&bastion.told(&run), "aborted"), Vec::<String>::new());
    assert_eq!(world.changes(), Vec::<Value>::new());
}

/// Another terminal follows a run and stops it before its next call.
pub(super) fn followed() {
    patiently(Busy::Anything, followed_once);
}

fn followed_once() {
    // Tasks take some seconds to start.
    let world = World::start(&["--speed", "4"]);
    let bastion = Bastion::new(&world, "bastion");
    let running = bastion.live(&DRAIN);
    let (run, attached) = follow(&bastion);
    attached.until("\"step_began\",\"step\":\"serve/");
    let stopped = bastion.run(&["runs", "abort", &run, "--reason", "wrong region"]);
    assert_eq!(stopped.code, Some(0), "{stopped:?}");
    let (ended, followed) = (running.ended(), attached.ended());
    assert_eq!((ended.code, followed.code), (Some(6), Some(6)), "{ended:?}\n{followed:?}");
    let said = ended.out.lines().any(|line| line.contains("decided: stop"));
    assert!(said && ended.out.contains("ended: aborted"), "{ended:?}");

    let told = bastion.told(&run);
    let live = events(&followed.out);
    assert_eq!(told.last(), live.last(), "who follows sees the end");
    assert_eq!(judge::journal(&told, "aborted"), Vec::<String>::new());
    assert_eq!(judge::calls(&world, &told), Vec::<String>::new());
    let changes = world.changes();
    let scaled = changes.iter().all(|call| call["operation"] == "RegisterScalableTarget");
    assert!(scaled && changes.len() == 3, "nothing after the word: {changes:#?}");
    assert_eq!(judge::moment(&world.view()), Vec::<String>::new());
    // A name typed wrong is told before anybody is asked.
    let asked = world.calls().len();
    let mistyped = bastion.run(&["runs", "resume", &run, "--confirm", "eu-west-1", "--reason", "on"]);
    assert_eq!(mistyped.code, Some(2), "{mistyped:?}");
    assert_eq!(world.calls().len(), asked, "{mistyped:?}");
    // Whoever takes it up is asked again who they are: the account may be another one in this shell.
    bastion.edit("account = \"123456789012\"", "account = \"999999999999\"");
    let resume = ["runs", "resume", &run, "--confirm", LEAVING, "--reason", "on"];
    let strange = bastion.run(&resume);
    assert_eq!(strange.code, Some(4), "{strange:?}");
    assert!(
        strange.err.contains("is answered by account 123456789012, the topology names 999999999999"),
        "{strange:?}"
    );
    assert_eq!(world.changes().len(), changes.len());
    // To close its record takes nobody's credentials, and names who did.
    let closed = bastion.run(&["runs", "abort", &run, "--reason", "closed", "--confirm", LEAVING]);
    assert_eq!(closed.code, Some(6), "{closed:?}");
    let told = bastion.told(&run);
    let by = |event: &str| told.iter().find(|entry| entry["event"] == event).unwrap()["opening"].clone();
    let (opened, resumed) = (by("opened"), by("resumed"));
    assert_eq!((&resumed["reason"], &resumed["host"]), (&serde_json::json!("closed"), &opened["host"]));
    assert_ne!(resumed["pid"], opened["pid"]);
    bastion.edit("account = \"999999999999\"", "account = \"123456789012\"");
    // What was stopped has given the lease back, and another run may begin.
    assert_eq!(bastion.run(&["plan", "drain", "--region", LEAVING]).code, Some(0));
}

/// CPU time of a process, user and system, in hundredths of a second; 0 when it has gone.
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name in parentheses may hold blanks; fields count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
