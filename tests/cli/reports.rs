//! `runs report` as an operator would run it: from a journal alone, with nobody to ask.

use serde_json::Value;

use super::program::{Home, Sim};

/// A home with a topology and, in its state folder, the journal of a failover.
fn home() -> (Home, String) {
    let home = Home::new();
    let sim = Sim::start(&home, &[]);
    let ran = home.init(&sim);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let (run, bytes) = crate::runbook::failover_journal();
    let folder = home.path(".local/state/switchtower/runs/orders").join(run.as_str());
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("journal.jsonl"), bytes).unwrap();
    (home, run.as_str().to_owned())
}

#[test]
fn a_report_is_one_document_on_stdout_in_each_format() {
    let (home, run) = home();
    let report =
        |rest: &[&str]| home.run(&[&["runs", "report", &run, "--topology", "orders"], rest].concat());
    let markdown = report(&[]);
    assert_eq!((markdown.code, markdown.err.as_str()), (Some(0), ""));
    assert!(markdown.out.starts_with("# failover us-east-1: done\n"), "{}", markdown.out);
    assert_eq!(report(&["--format", "md"]).out.lines().next(), markdown.out.lines().next());

    let json = report(&["--format", "json"]);
    let document: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!((json.code, &document["schema"]), (Some(0), &"switchtower.report/1".into()));
    assert_eq!((&document["state"], &document["outcome"]), (&"ended".into(), &"done".into()));

    let html = report(&["--format", "html"]);
    assert_eq!((html.code, html.err.as_str()), (Some(0), ""));
    assert!(html.out.starts_with("<!doctype html>") && html.out.trim_end().ends_with("</html>"));

    // The same run line by line, with what is usual, what is spent, and what users felt.
    let lines = home.run(&["runs", "show", &run, "--topology", "orders"]);
    for words in [
        ": begins, usually ~300 s",
        " s, usually ~300 s",
        "users and data: us-east-1: 5XX 98.0 % at 03:00:00Z",
    ] {
        assert!(lines.out.contains(words), "{words}: {}", lines.out);
    }

    assert_eq!(report(&["--format", "pdf"]).code, Some(2));
    let nobody =
        home.run(&["runs", "report", "20261121T030000Z-drain-us-east-1-0000", "--topology", "orders"]);
    assert_eq!((nobody.code, nobody.out.as_str()), (Some(2), ""));
    assert!(nobody.err.contains("no run"), "{}", nobody.err);
}

/// A process that has the run's folder locked is a run that goes on.
#[test]
fn a_run_that_goes_on_is_told_so() {
    let (home, run) = home();
    let folder = home.path(".local/state/switchtower/runs/orders").join(&run);
    let journal = std::fs::read(folder.join("journal.jsonl")).unwrap();
    let half = journal.split_inclusive(|byte| *byte == b'\n').take(30).collect::<Vec<_>>().concat();
    std::fs::write(folder.join("journal.jsonl"), half).unwrap();
    let state = || {
        let ran = home.run(&["runs", "report", &run, "--format", "json", "--topology", "orders"]);
        serde_json::from_str::<Value>(&ran.out).unwrap_or_else(|_| panic!("{ran:?}"))["state"].clone()
    };
    assert_eq!(state(), "interrupted");
    let lock = switchtower::runbook::journal::Lock::take(&folder).unwrap();
    assert_eq!(state(), "running");
    drop(lock);
    assert_eq!(state(), "interrupted");
}
