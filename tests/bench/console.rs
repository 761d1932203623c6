//! Figures of the console in a terminal.

use std::process::Command;
use std::thread;
use std::time::{Duration, Instant};

use crate::Effort;
use crate::budgets::{Row, median, quantile};
use crate::stage::{RTT, Stage};
use crate::terminal::Terminal;
use crate::usage::Usage;

/// No measurement waits longer than this for anything.
const LIMIT: Duration = Duration::from_secs(10);

/// A key that moves the focus and is undone by [`BACK`].
const FORTH: &str = "l";
const BACK: &str = "h";

type Failure = Box<dyn std::error::Error>;

fn open(stage: &Stage) -> Result<Terminal, Failure> {
    let topology = stage.topology();
    Terminal::start(&["--topology", &topology, "--endpoint-url", &stage.proxy.url], &stage.home(), 200, 50)
}

/// Starts over the far link with no baseline on disk: first glyph, skeleton, first data.
pub(crate) fn start(stage: &Stage, effort: Effort) -> Vec<Row> {
    let (mut glyph, mut skeleton, mut data) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..effort.starts {
        stage.forget();
        let Ok(mut terminal) = open(stage) else { break };
        let started = terminal.started;
        let shown = terminal.until(LIMIT, |screen| screen.chars().any(|c| !c.is_whitespace()));
        glyph.extend(shown.map(|at| at - started));
        // The skeleton stands when nothing more is painted; no answer can be here before two round trips.
        let more = terminal.burst(RTT, RTT / 4).map(|burst| burst.last);
        let whole = stage.regions.iter().all(|name| terminal.screen.screen().contents().contains(name));
        skeleton.extend(more.or(shown).filter(|_| whole).map(|at| at - started));
        if !has_data(&terminal.screen.screen().contents()) {
            data.extend(terminal.until(LIMIT, has_data).map(|at| at - started));
        }
    }
    let row = |figure, bound, durations: &[Duration]| {
        let (value, spread) = median(durations);
        Row::at_most(figure, bound, "ms", value, &spread)
    };
    vec![
        row("first glyph", 7.0, &glyph),
        row("skeleton screen whole", 20.0, &skeleton),
        row("first data, cold, 80 ms + 2 round trips a connection", 275.0, &data),
    ]
}

/// Whether a screen shows a tally of healthy targets or running tasks, `4/4`.
fn has_data(screen: &str) -> bool {
    screen
        .as_bytes()
        .windows(3)
        .any(|three| three[0].is_ascii_digit() && three[1] == b'/' && three[2].is_ascii_digit())
}

/// Refreshes over connections that are open: from the key to the last answer, and what it cost.
pub(crate) fn sweep(stage: &Stage, effort: Effort) -> Vec<Row> {
    let (mut took, mut cost, mut calls) = (Vec::new(), Vec::new(), String::new());
    if let Ok(mut terminal) = open(stage) {
        terminal.until(LIMIT, has_data);
        terminal.watch(Duration::from_secs(3));
        for _ in 0..effort.starts {
            stage.proxy.take();
            let before = Usage::of(terminal.pid());
            let sent = terminal.send("r");
            terminal.watch(RTT * 4);
            let (traffic, after) = (stage.proxy.take(), Usage::of(terminal.pid()));
            let remembered = traffic.requests - traffic.forwarded;
            calls = format!(
                "{} calls, {remembered} answered from memory, {} new connections",
                traffic.requests, traffic.connections
            );
            took.extend(traffic.last_answer.map(|at| at.saturating_duration_since(sent)));
            cost.push(after.cpu.saturating_sub(before.cpu));
            terminal.watch(Duration::from_millis(700));
        }
    }
    let (value, spread) = median(&took);
    let (cpu, cpu_spread) = median(&cost);
    vec![
        Row::at_most("warm sweep of two regions", 95.0, "ms", value, &format!("{spread}; {calls}")),
        Row::at_most("its CPU, painting included", 8.0, "ms", cpu, &cpu_spread),
    ]
}

/// Keys to paint, well and while every call hangs, and the bytes that a move of the focus costs.
pub(crate) fn keys(stage: &Stage, effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for hangs in [false, true] {
        stage.proxy.hang(hangs.then_some(Duration::from_secs(5)));
        let (took, bytes) = open(stage).map(|terminal| press(terminal, effort.keys)).unwrap_or_default();
        let what = if hangs { "key to paint, every call hanging for 5 s" } else { "key to paint" };
        rows.push(Row::at_most(&format!("{what}, median"), 1.5, "ms", quantile(&took, 0.5), ""));
        rows.push(Row::at_most(&format!("{what}, p95"), 5.0, "ms", quantile(&took, 0.95), ""));
        if !hangs {
            let mut sorted = bytes;
            sorted.sort_unstable();
            let middle = sorted.get(sorted.len() / 2).map(|bytes| *bytes as f64);
            rows.push(Row::at_most("bytes per cursor move, median", 450.0, "B", middle, ""));
        }
    }
    stage.proxy.hang(None);
    rows
}

/// Thirty regions of fifty services: memory, and the slowest keys.
pub(crate) fn fleet(effort: Effort) -> Vec<Row> {
    let measured = Stage::set(30, 50, Duration::ZERO).and_then(|stage| {
        let mut terminal = open(&stage).map_err(|why| why.to_string())?;
        terminal.until(LIMIT, has_data);
        terminal.watch(Duration::from_secs(effort.seconds.max(5)));
        let resident = Usage::of(terminal.pid()).resident as f64 / 1024.0;
        let (took, _) = press(terminal, effort.keys);
        Ok((resident, quantile(&took, 0.99)))
    });
    let (resident, p99, why) = match measured {
        Ok((resident, p99)) => (Some(resident), p99, String::new()),
        Err(why) => (None, None, why),
    };
    vec![
        Row::at_most("RSS, 30 regions x 50 services", 48.0, "MiB", resident, &why),
        Row::at_most("key to paint there, 200x50, p99", 16.0, "ms", p99, ""),
    ]
}

fn press(mut terminal: Terminal, count: usize) -> (Vec<Duration>, Vec<usize>) {
    terminal.watch(Duration::from_secs(2));
    let (mut took, mut bytes) = (Vec::new(), Vec::new());
    for index in 0..count {
        // An uneven pace: keys must not fall into step with a tick.
        thread::sleep(Duration::from_millis(13 + (index as u64 * 7) % 29));
        if let Some((time, painted)) = terminal.key(if index % 2 == 0 { FORTH } else { BACK }) {
            took.push(time);
            bytes.push(painted);
        }
    }
    (took, bytes)
}

/// Looking on: what the console costs when nobody presses a key.
pub(crate) fn idle(stage: &Stage, effort: Effort) -> Vec<Row> {
    let mut rows = Vec::new();
    for paused in [true, false] {
        let Ok(mut terminal) = open(stage) else { continue };
        terminal.until(LIMIT, has_data);
        terminal.watch(Duration::from_secs(2));
        if paused {
            terminal.send(" ");
            terminal.watch(Duration::from_secs(2));
        }
        let (before, since) = (Usage::of(terminal.pid()), Instant::now());
        let (bytes, paintings) = terminal.watch(Duration::from_secs(effort.seconds));
        let (after, seconds) = (Usage::of(terminal.pid()), since.elapsed().as_secs_f64());
        let cpu = (after.cpu.saturating_sub(before.cpu)).as_secs_f64() / seconds * 100.0;
        let wakeups = after.wakeups.saturating_sub(before.wakeups) as f64 / seconds;
        let what = if paused { "idle, paused, the clock ticking" } else { "idle, two regions watched" };
        rows.push(Row::at_most(&format!("{what}: CPU"), 0.1, "% of a core", Some(cpu), ""));
        rows.push(Row::at_most(&format!("{what}: wake-ups"), 3.0, "/s", Some(wakeups), ""));
        let rate = Some(bytes as f64 / seconds);
        rows.push(Row::at_most(&format!("{what}: bytes to the terminal"), 120.0, "/s", rate, ""));
        if paused {
            // The clock's second is the only thing that changes: whatever is painted beside it is too much.
            let beside = (paintings as f64 - seconds.ceil()).max(0.0);
            rows.push(Row::at_most("paintings with nothing changed", 0.0, "", Some(beside), ""));
        }
    }
    rows
}

/// Resident memory after some time of watching.
pub(crate) fn memory(stage: &Stage, effort: Effort) -> Vec<Row> {
    let resident = open(stage).ok().map(|mut terminal| {
        terminal.until(LIMIT, has_data);
        terminal.watch(Duration::from_secs(effort.seconds));
        Usage::of(terminal.pid()).resident as f64 / 1024.0
    });
    vec![Row::at_most("RSS, 2 regions", 23.0, "MiB", resident, "")]
}

/// The way out while every call hangs: by key and by signal.
pub(crate) fn quit(stage: &Stage, effort: Effort) -> Vec<Row> {
    stage.proxy.hang(Some(Duration::from_secs(5)));
    let (mut by_key, mut by_signal) = (Vec::new(), Vec::new());
    let mut restored = true;
    for _ in 0..effort.starts.min(5) {
        for signal in [false, true] {
            let Ok(mut terminal) = open(stage) else { continue };
            terminal.watch(Duration::from_secs(1));
            let since = if signal {
                let since = Instant::now();
                let _ = Command::new("kill").args(["-TERM", &terminal.pid().to_string()]).status();
                since
            } else {
                terminal.send("q")
            };
            let took = terminal.ended(since, LIMIT);
            restored &= took.is_some() && terminal.restored();
            if signal { &mut by_signal } else { &mut by_key }.extend(took);
        }
    }
    stage.proxy.hang(None);
    let (key, key_spread) = median(&by_key);
    let (signal, signal_spread) = median(&by_signal);
    let measured = key.is_some() && signal.is_some();
    vec![
        Row::at_most("quit during hung calls", 50.0, "ms", key, &key_spread),
        Row::at_most("SIGTERM during hung calls", 50.0, "ms", signal, &signal_spread),
        Row::is("the terminal after either", "restored", measured.then_some(restored)),
    ]
}
