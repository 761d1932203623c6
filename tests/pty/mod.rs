//! The real binary on a real pseudo-terminal: used, resized, ended in every way, and the terminal given back.

pub(crate) mod terminal;

use std::process::Command;
use std::time::Duration;

use terminal::Terminal;

use crate::cli::program::{Home, Sim};

const MOMENT: Duration = Duration::from_secs(30);

fn signal(name: &str, id: u32) {
    let sent = Command::new("kill").args([&format!("-{name}"), &id.to_string()]).status().unwrap();
    assert!(sent.success(), "kill -{name} {id}");
}

#[test]
fn the_demo_is_used_and_gives_the_terminal_back() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["demo", "--scenario", "regional-outage"], 80, 24);
    let before = terminal.modes_before.clone();
    terminal.wait("both regions", |screen| {
        let text = screen.contents();
        text.contains("us-east-1") && text.contains("eu-west-1")
    });
    terminal.wait("the verdict", |screen| screen.contents().contains("IMPAIRED"));
    terminal.wait("the alternate screen", |screen| screen.alternate_screen() && screen.hide_cursor());
    terminal.keys("?");
    terminal.wait("help", |screen| screen.contents().contains("PgDn Ctrl-F"));
    terminal.keys("\x1b");
    terminal.wait("the overview again", |screen| screen.contents().contains("IMPAIRED"));
    terminal.keys("\r");
    terminal.wait("a detail", |screen| !screen.contents().contains("Aurora  "));
    terminal.keys("\x7f");
    terminal.wait("the overview", |screen| screen.contents().contains("Route 53"));

    terminal.resize(20, 5);
    terminal.wait("the smallest screen", |screen| !screen.contents().trim().is_empty());
    terminal.resize(200, 50);
    terminal.wait("the widest screen", |screen| screen.rows(0, 200).any(|row| row.chars().count() > 150));
    terminal.keys("q");
    assert_eq!(terminal.ended(MOMENT).exit_code(), 0);
    terminal.assert_given_back(&before);
}

#[test]
fn a_signal_gives_the_terminal_back() {
    for (name, code) in [("TERM", 143), ("INT", 130)] {
        let home = Home::new();
        let mut terminal = Terminal::start(&home, &["demo"], 80, 24);
        let before = terminal.modes_before.clone();
        terminal.wait("the console", |screen| screen.contents().contains("us-east-1"));
        signal(name, terminal.id());
        assert_eq!(terminal.ended(MOMENT).exit_code(), code, "{name}");
        terminal.assert_given_back(&before);
    }
}

#[test]
fn quitting_waits_for_no_call_that_hangs() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["demo", "--scenario", "black-hole"], 80, 24);
    terminal.wait("the console", |screen| screen.contents().contains("us-east-1"));
    terminal.keys("q");
    // Far below the shortest deadline of a call; the budget itself is measured by the benchmark.
    assert_eq!(terminal.ended(Duration::from_secs(2)).exit_code(), 0);
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_no_key() {
    for continued in [true, false] {
        let home = Home::new();
        let mut terminal = Terminal::start(&home, &["demo"], 200, 50);
        let before = terminal.modes_before.clone();
        terminal.wait("the console", |screen| screen.contents().contains("us-east-1"));
        terminal.take(false);
        // Two whole screens each: far more than a terminal holds that nobody reads.
        for _ in 0..100 {
            terminal.keys("?");
            std::thread::park_timeout(Duration::from_millis(2));
            terminal.keys("\x7f");
            std::thread::park_timeout(Duration::from_millis(2));
        }
        if continued {
            terminal.keys("?");
            terminal.take(true);
            terminal.wait("the newest screen", |screen| screen.contents().contains("PgDn Ctrl-F"));
        }
        terminal.keys("q");
        assert_eq!(terminal.ended(Duration::from_secs(5)).exit_code(), 0, "continued: {continued}");
        if continued {
            terminal.assert_given_back(&before);
        }
    }
}

#[test]
fn a_dark_start_shows_what_was_known() {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    assert_eq!(home.init(&sim).code, Some(0));
    let arguments = ["--topology", "orders", "--endpoint-url", &sim.url];
    home.run(&[&["status"], &arguments[..]].concat());
    let url = sim.url.clone();
    drop(sim);
    let arguments = ["--topology", "orders", "--endpoint-url", &url];
    let keys = [("AWS_ACCESS_KEY_ID", "sim"), ("AWS_SECRET_ACCESS_KEY", "sim")];
    let mut terminal = Terminal::start_with(&home, &arguments, &keys, 120, 40);
    terminal.wait("tasks as they were", |screen| screen.contents().contains("14/14"));
    terminal.wait("why there is nothing newer", |screen| screen.contents().contains("unreachable"));
    terminal.keys("q");
    assert_eq!(terminal.ended(MOMENT).exit_code(), 0);
}

#[test]
fn wide_letters_come_and_go_whole() {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    assert_eq!(home.init(&sim).code, Some(0));
    let file = home.path(".config/switchtower/topologies/orders.toml");
    let named = std::fs::read_to_string(&file).unwrap();
    let named = named.replace("application = \"orders\"", "application = \"発注受付\"");
    std::fs::write(&file, named).unwrap();
    let keys = [("AWS_ACCESS_KEY_ID", "sim"), ("AWS_SECRET_ACCESS_KEY", "sim")];
    let arguments = ["--topology", "orders", "--endpoint-url", &sim.url];
    let mut terminal = Terminal::start_with(&home, &arguments, &keys, 80, 24);
    // On the overview the name stands in another line than above the help: each is painted over the other.
    for _ in 0..3 {
        terminal.wait("the name on the overview", |screen| {
            let text = screen.contents();
            text.contains("発注受付") && text.contains("Route 53")
        });
        terminal.keys("?");
        terminal.wait("the name above the help", |screen| {
            let text = screen.contents();
            text.contains("発注受付") && text.contains("PgDn Ctrl-F")
        });
        terminal.keys("\x7f");
    }
    terminal.keys("q");
    assert_eq!(terminal.ended(MOMENT).exit_code(), 0);
}

#[test]
fn no_color_is_honoured() {
    let home = Home::new();
    for (environment, coloured) in [(&[][..], true), (&[("NO_COLOR", "1")][..], false)] {
        let mut terminal = Terminal::start_with(&home, &["demo"], environment, 80, 24);
        terminal.wait("a verdict", |screen| screen.contents().contains("HEALTHY"));
        let mut colours = false;
        terminal.look(|screen| {
            let cells = (0..24).flat_map(|row| (0..80).filter_map(move |column| screen.cell(row, column)));
            colours = cells.into_iter().any(|cell| cell.fgcolor() != vt100::Color::Default);
        });
        assert_eq!(colours, coloured, "{environment:?}");
        terminal.keys("q");
        terminal.ended(MOMENT);
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_terminal_that_went_away_costs_nothing() {
    let home = Home::new();
    let mut terminal = Terminal::start(&home, &["demo"], 80, 24);
    terminal.wait("the console", |screen| screen.contents().contains("us-east-1"));
    let id = terminal.id();
    let mut child = terminal.hang_up();
    // Either it ends, or it is idle: half a second of watching must cost less than a tenth of it.
    let gone = |child: &mut Box<dyn portable_pty::Child + Send + Sync>| child.try_wait().unwrap().is_some();
    let mut quiet = 0;
    for _ in 0..60 {
        if gone(&mut child) {
            return;
        }
        let before = ticks(id);
        std::thread::park_timeout(Duration::from_millis(500));
        quiet = if ticks(id).saturating_sub(before) < 5 { quiet + 1 } else { 0 };
        if quiet == 3 {
            let _ = child.kill();
            return;
        }
    }
    let _ = child.kill();
    panic!("without a terminal it burns CPU: {} ticks", ticks(id));
}

/// CPU time of a process, user and system, in hundredths of a second; 0 when it has gone.
#[cfg(target_os = "linux")]
fn ticks(id: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{id}/stat")).unwrap_or_default();
    // The name in parentheses may hold blanks; fields count from behind it.
    let fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
    fields.skip(11).take(2).filter_map(|field| field.parse::<u64>().ok()).sum()
}
