//! Help, usage errors, completions, the manual page.

use std::io::Write;
use std::process::{Command, Stdio};

use super::program::{Home, finish, golden};

#[test]
fn help_of_every_subcommand() {
    let home = Home::new();
    for name in
        ["", "demo", "init", "status", "plan", "run", "runs", "runs report", "sim", "completions", "man"]
    {
        let words: Vec<&str> = name.split_whitespace().chain(["--help"]).collect();
        let ran = home.run(&words);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{name}");
        let file = if name.is_empty() { "switchtower".to_owned() } else { name.replace(' ', "-") };
        golden(&format!("help/{file}.txt"), &ran.out);
        assert!(ran.out.lines().all(|line| line.len() <= 110), "{name}: too wide");
    }
}

/// Enough for `init`.
const INIT: &[&str] = &["init", "--hostname", "api.example.com", "--regions", "us-east-1,eu-west-1"];

/// Enough for `run`, but for the runbook.
const RUN: &[&str] = &["run", "--confirm", "us-east-1", "--reason", "drill"];

/// Arguments, exit code, and what stderr says; stdout stays empty.
#[test]
fn wrong_usage_says_what_to_do() {
    let cases: &[(&[&str], i32, &str)] = &[
        (&["nonsense"], 2, "unrecognized subcommand 'nonsense'"),
        (&["statsu"], 2, "a similar subcommand exists: 'status'"),
        (&["status", "--jsno"], 2, "--json"),
        (&["demo", "--speed", "0"], 2, "write a number from 0.01 to 10000"),
        (&["demo", "--regions", "1"], 2, "2..=30"),
        (&["demo", "--scenario", "apocalypse"], 2, "there is no scenario \"apocalypse\"; there are"),
        (&["sim", "--listen", "0.0.0.0:5005"], 2, "serves on loopback only"),
        (&["sim", "--listen", "5005"], 2, "such as 127.0.0.1:5005"),
        (&["sim", "--listen", "127.0.0.1:0", "--dns", "0.0.0.0:53"], 2, "serves on loopback only"),
        (&["sim"], 2, "--listen"),
        (&["init", "--hostname", "api.example.com"], 2, "--regions"),
        (&["init", "--hostname", "https://a.b/", "--regions", "us-east-1"], 2, "such as api.example.com"),
        (&["init", "--hostname", "a.example.com", "--regions", "Ireland"], 2, "such as us-east-1,eu-west-1"),
        (&[INIT, &["--dns-server", "ns1.example.com"]].concat(), 2, "such as 192.0.2.53 or 127.0.0.1:5053"),
        (&[INIT, &["--dns-server", "0.0.0.0"]].concat(), 2, "a server's own address"),
        (&[INIT, &["--probe-control", "example.net"]].concat(), 2, "http:// or https://"),
        (&["status", "--endpoint-url", "localhost:5005"], 2, "http:// or https://"),
        (&["completions", "tcsh"], 2, "possible values"),
        (&["--color", "sometimes"], 2, "possible values"),
        (&[], 2, "switchtower init"),
        (&["--topology", "demo"], 2, "no topology is named `demo`"),
        (&["--topology", "demo", "stauts"], 2, "a similar subcommand exists: 'status'"),
        (&["--color", "never", "-vv", "demo"], 2, "the console needs a terminal"),
        (&["--profile", "a", "--profile", "b"], 2, "cannot be used multiple times"),
        (&["--porfile", "a"], 2, "a similar argument exists: '--profile'"),
        (&["--log-file", "/dev/null/log", "--topology", "orders"], 2, "choose another file with --log-file"),
        (&["status"], 2, "switchtower demo"),
        (&["status", "--topology", "orders"], 2, "no topology is named `orders`"),
        (&["status", "--topology", "./orders.toml"], 2, "./orders.toml does not exist"),
        (&["demo"], 2, "the console needs a terminal"),
        // What a runbook would pass over was meant otherwise.
        (
            &["plan", "drain", "--region", "us-east-1", "--database", "failover"],
            2,
            "drain takes no --database; it takes --region, --to, --now, --scale-to-zero",
        ),
        (
            &["plan", "failover", "--region", "us-east-1", "--scale-to-zero"],
            2,
            "failover takes no --scale-to-zero",
        ),
        (&[RUN, &["switchover", "--now"]].concat(), 2, "switchover takes no --now"),
        (&[RUN, &["restore", "--skip-snapshots"]].concat(), 2, "restore takes no --skip-snapshots"),
        (&[RUN, &["cleanup", "--to", "eu-west-1"]].concat(), 2, "cleanup takes no --to"),
        (&["plan", "restore", "--keep", "a", "--saved", "a"], 2, "a is given to both --keep and --saved"),
        (&["plan", "failover", "--declare", " "], 2, "say it in a few words"),
        (&["plan", "failover", "--since", "yesterday"], 2, "such as 2026-11-21T03:00:00Z"),
        (&[RUN, &["drain", "--take-over", ""]].concat(), 2, "say it in a few words"),
    ];
    let home = Home::new();
    for (arguments, code, words) in cases {
        let ran = home.run(arguments);
        assert_eq!(ran.code, Some(*code), "{arguments:?}: {ran:?}");
        assert!(ran.err.contains(words), "{arguments:?}: {}", ran.err);
        assert_eq!(ran.out, "", "{arguments:?}");
    }
}

#[test]
fn completions_of_every_shell() {
    let home = Home::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let ran = home.run(&["completions", shell]);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{shell}");
        for word in ["status", "endpoint-url", "scenario"] {
            assert!(ran.out.contains(word), "{shell} lacks {word}");
        }
        // Where the shell is here, it must at least be able to read the script.
        let check = Command::new(shell).arg("-n").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn();
        if let (Ok(mut child), true) = (check, matches!(shell, "bash" | "zsh")) {
            child.stdin.take().unwrap().write_all(ran.out.as_bytes()).unwrap();
            assert_eq!(finish(child).code, Some(0), "{shell} cannot read its completions");
        }
    }
}

#[test]
fn the_manual_page_has_every_subcommand() {
    let ran = Home::new().run(&["man"]);
    assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""));
    assert!(ran.out.contains(".TH switchtower 1"), "{}", &ran.out[..200]);
    for part in ["DEMO", "INIT", "STATUS", "PLAN", "RUN", "RUNS", "SIM", "COMPLETIONS", "MAN"] {
        assert!(ran.out.contains(&format!("COMMAND {part}")), "{part}");
    }
    for word in ["Exit codes", "\\-\\-probe\\-base", "\\-\\-watch"] {
        assert!(ran.out.contains(word), "{word}");
    }
}

#[test]
fn a_reader_that_has_gone_is_no_error() {
    let home = Home::new();
    for arguments in [&["completions", "zsh"][..], &["man"], &["--help"]] {
        let mut child = home.command(arguments).spawn().unwrap();
        drop(child.stdout.take());
        let ran = finish(child);
        assert_eq!((ran.code, ran.err.as_str()), (Some(0), ""), "{arguments:?}");
    }
}

#[test]
fn every_problem_of_a_topology_is_a_line() {
    let home = Home::new();
    let wrong = include_str!("../files/topology/wrong.toml");
    let expected = include_str!("../files/topology/wrong.txt");
    std::fs::write(home.path("wrong.toml"), wrong).unwrap();
    let ran = home.run(&["status", "--topology", "wrong.toml"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(2), ""));
    let said: Vec<&str> = ran.err.lines().map(|line| line.strip_prefix("switchtower: ").unwrap()).collect();
    assert_eq!(said, expected.lines().collect::<Vec<_>>());
}
