//! Parts of the command line that need no process.

use switchtower::cli::{Exit, Failure, log};
use switchtower::domain::Health;

#[test]
fn exit_codes_are_the_documented_ones() {
    let table = [
        (Exit::Done, 0),
        (Exit::Error, 1),
        (Exit::Usage, 2),
        (Exit::Credentials, 3),
        (Exit::Blocked, 4),
        (Exit::Halted, 5),
        (Exit::Aborted, 6),
        (Exit::of(Health::Healthy), 0),
        (Exit::of(Health::Degraded), 10),
        (Exit::of(Health::Impaired), 11),
        (Exit::of(Health::Unknown), 12),
        (Exit::Signal(15), 143),
    ];
    for (exit, code) in table {
        assert_eq!(exit.code(), code, "{exit:?}");
    }
    assert_eq!(Failure::error("words").to_string(), "words");
}

/// One event is one line, and none of its characters acts on a terminal.
#[test]
fn a_logged_event_stays_one_harmless_line() {
    let hostile = "state \x1b[2J\x07 of \u{202e}api\nforged INFO line\r\n";
    let escaped = log::escape(hostile);
    assert_eq!(escaped, "state \\u{1b}[2J\\u{7} of \\u{202e}api\\nforged INFO line\\r\n");
    assert_eq!(log::escape("plain, with ümlauts\n"), "plain, with ümlauts\n");
}
