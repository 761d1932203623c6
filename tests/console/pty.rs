//! The real binary in a real pseudo-terminal: it starts, follows keys and sizes, and gives the terminal
//! back; and when the terminal goes away it does not burn a core.
//!
//! These run in real time, since a terminal has no other; each waits for what it expects, with a deadline.
#![allow(clippy::disallowed_methods)]

use std::io::{Read, Write};
use std::process::Command;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};

/// Longer than any loaded machine needs.
const LIMIT: Duration = Duration::from_mins(1);

struct Pty {
    screen: vt100::Parser,
    child: Box<dyn Child + Send + Sync>,
    master: Box<dyn MasterPty + Send>,
    modes: String,
    _home: tempfile::TempDir,
}

fn size(columns: u16, rows: u16) -> PtySize {
    PtySize { rows, cols: columns, pixel_width: 0, pixel_height: 0 }
}

fn start() -> Pty {
    start_on("regional-outage")
}

fn start_on(scenario: &str) -> Pty {
    let pair = native_pty_system().openpty(size(80, 24)).unwrap();
    let modes = format!("{:?}", pair.master.get_termios());
    let home = tempfile::tempdir().unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_switchtower"));
    command.args(["demo", "--scenario", scenario]);
    command.env_clear();
    command.env("HOME", home.path());
    command.env("TERM", "xterm-256color");
    command.cwd(home.path());
    let child = pair.slave.spawn_command(command).unwrap();
    Pty { screen: vt100::Parser::new(24, 80, 0), child, master: pair.master, modes, _home: home }
}

/// Output from a thread of its own, until the terminal closes.
fn output(pty: &Pty) -> Receiver<Vec<u8>> {
    let mut reader = pty.master.try_clone_reader().unwrap();
    let (send, receive) = channel();
    thread::spawn(move || {
        let mut buffer = [0; 1 << 14];
        while let Ok(count @ 1..) = reader.read(&mut buffer) {
            if send.send(buffer[..count].to_vec()).is_err() {
                break;
            }
        }
    });
    receive
}

impl Pty {
    fn until(&mut self, output: &Receiver<Vec<u8>>, what: &str, seen: impl Fn(&str) -> bool) {
        let deadline = Instant::now() + LIMIT;
        while !seen(&self.screen.screen().contents()) {
            let left = deadline.saturating_duration_since(Instant::now());
            match output.recv_timeout(left) {
                Ok(bytes) => self.screen.process(&bytes),
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("never saw {what}; the screen is\n{}", self.screen.screen().contents())
                }
            }
        }
    }

    fn ended(&mut self, output: &Receiver<Vec<u8>>) -> u32 {
        let deadline = Instant::now() + LIMIT;
        loop {
            while let Ok(bytes) = output.try_recv() {
                self.screen.process(&bytes);
            }
            if let Some(status) = self.child.try_wait().unwrap() {
                // What it wrote last may still be on its way.
                while let Ok(bytes) = output.recv_timeout(Duration::from_millis(200)) {
                    self.screen.process(&bytes);
                }
                return status.exit_code();
            }
            assert!(Instant::now() < deadline, "it does not end");
            thread::sleep(Duration::from_millis(5));
        }
    }

    fn assert_given_back(&self) {
        let screen = self.screen.screen();
        assert!(!screen.alternate_screen(), "still on the alternate screen");
        assert!(!screen.hide_cursor(), "the cursor is hidden");
        assert!(!screen.bracketed_paste(), "bracketed paste is on");
        assert_eq!(format!("{:?}", self.master.get_termios()), self.modes, "the terminal's modes differ");
    }
}

#[test]
fn it_follows_keys_and_sizes_and_gives_the_terminal_back() {
    let mut pty = start();
    let output = output(&pty);
    let mut keys = pty.master.take_writer().unwrap();
    pty.until(&output, "the skeleton", |screen| screen.contains("us-east-1") && screen.contains("Route 53"));
    assert!(pty.screen.screen().alternate_screen() && pty.screen.screen().hide_cursor());
    pty.until(&output, "data", |screen| screen.contains("req/s"));
    keys.write_all(b"?").unwrap();
    pty.until(&output, "help", |screen| screen.contains("this page"));
    keys.write_all(b"\x1b").unwrap();
    pty.until(&output, "the overview again", |screen| screen.contains("changes"));
    for (columns, rows) in [(20, 5), (1, 1), (120, 40)] {
        pty.master.resize(size(columns, rows)).unwrap();
        pty.screen.screen_mut().set_size(rows, columns);
    }
    pty.until(&output, "the larger screen", |screen| {
        screen.lines().nth(39).is_some_and(|footer| footer.contains("calls/min"))
    });
    keys.write_all(b"q").unwrap();
    assert_eq!(pty.ended(&output), 0);
    pty.assert_given_back();
}

#[test]
fn a_signal_ends_it_and_the_terminal_is_given_back() {
    let mut pty = start();
    let output = output(&pty);
    pty.until(&output, "the skeleton", |screen| screen.contains("us-east-1"));
    let pid = pty.child.process_id().unwrap().to_string();
    assert!(Command::new("kill").args(["-TERM", &pid]).status().unwrap().success());
    assert_ne!(pty.ended(&output), 0);
    pty.assert_given_back();
}

/// With a region that answers nobody, the plan of its failover is there long before anybody is given up.
#[test]
fn a_plan_waits_for_no_dark_region() {
    let mut pty = start_on("black-hole");
    let output = output(&pty);
    let mut keys = pty.master.take_writer().unwrap();
    pty.until(&output, "the dark region", |screen| screen.contains("eu-west-1 is unknown"));
    keys.write_all(b"2F").unwrap();
    let asked = Instant::now();
    pty.until(&output, "the choice or the plan", |screen| {
        screen.contains("choose first") || screen.contains("what was known") || screen.contains(": plan ")
    });
    // A machine under load paints late, but what is dark is waited for by the clock.
    assert!(asked.elapsed() < Duration::from_millis(2_500), "{:?}", asked.elapsed());
    keys.write_all(b"q").unwrap();
    assert_eq!(pty.ended(&output), 0);
}

/// Seconds of CPU that a process has used.
fn cpu(pid: u32) -> Option<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let fields: Vec<&str> = stat.rsplit(')').next()?.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

#[test]
fn without_its_terminal_it_burns_no_cpu() {
    let mut pty = start();
    // No thread may hold the terminal open: what comes is read here.
    let mut reader = pty.master.try_clone_reader().unwrap();
    let mut buffer = [0; 1 << 14];
    while !pty.screen.screen().contents().contains("us-east-1") {
        let count = reader.read(&mut buffer).unwrap();
        pty.screen.process(&buffer[..count]);
    }
    let Pty { mut child, master, .. } = pty;
    let pid = child.process_id().unwrap();
    drop(reader);
    drop(master);
    let deadline = Instant::now() + LIMIT;
    while child.try_wait().unwrap().is_none() {
        // It may live on, but then it must rest.
        let before = cpu(pid);
        thread::sleep(Duration::from_secs(1));
        if let (Some(before), Some(after)) = (before, cpu(pid))
            && after - before < 0.05
        {
            child.kill().unwrap();
            return;
        }
        assert!(Instant::now() < deadline, "it neither ends nor rests");
    }
}
