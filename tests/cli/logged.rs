//! The log of a program that fails: it names the failure, and a failure before there is a log says where its report is.

use super::program::Home;

/// More than any address space: no thread can be started, and the log is the first that wants one.
const NO_THREADS: (&str, &str) = ("RUST_MIN_STACK", "140737488355328");

#[test]
fn why_the_program_failed_is_in_its_log() {
    let home = Home::new();
    let ran = home.run(&["status", "--topology", "orders", "--log-file", "here.log"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    let log = std::fs::read_to_string(home.path("here.log")).unwrap();
    let said = ran.err.trim_end().strip_prefix("switchtower: ").unwrap();
    assert!(log.contains("ERROR") && log.contains(said), "{log:?}");

    // Also in the file of the day.
    assert_eq!(home.run(&["status", "--topology", "orders"]).code, Some(2));
    let folder = home.path(".local/state/switchtower/log");
    let files: Vec<_> = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().path()).collect();
    let [file] = &files[..] else { panic!("{files:?}") };
    assert!(std::fs::read_to_string(file).unwrap().contains(said), "{file:?}");
}

#[test]
fn a_panic_before_there_is_a_log_is_one_line_and_its_report_is_had_for_the_asking() {
    let home = Home::new();
    for (backtrace, whole) in [("0", false), ("1", true)] {
        let mut command = home.command(&["status", "--topology", "orders"]);
        command.env(NO_THREADS.0, NO_THREADS.1).env("RUST_BACKTRACE", backtrace);
        let ran = super::program::finish(command.spawn().unwrap());
        assert_eq!((ran.code, ran.out.as_str()), (Some(1), ""), "{ran:?}");
        let mut lines = ran.err.lines();
        let first = lines.next().unwrap();
        assert!(first.starts_with("switchtower: a bug in switchtower ended it: failed to spawn "), "{ran:?}");
        assert!(first.ends_with("; there is no log; set RUST_BACKTRACE=1 for the report"), "{ran:?}");
        assert_eq!(lines.any(|line| line.contains("Location: ")), whole, "{ran:?}");
        assert!(ran.err.lines().all(|line| line.starts_with("switchtower: ")), "{ran:?}");
    }
}
