//! The one table of keys. Keys, the footer's hints and the Help screen are all read from it.
//!
//! What it is for: binding chords to commands by name. Upper-case letters and `!` are left free for
//! runbooks. What it must not do: anything else; a key that is not in this table does nothing.

use std::collections::HashMap;
use std::sync::LazyLock;

use crokey::{KeyCombination, KeyCombinationFormat};

use super::command::{Command, by_name};

/// Keys of one command.
pub struct Binding {
    /// Chords as [`crokey::parse`] reads them.
    pub keys: &'static [&'static str],
    /// How the chords are written on the screen.
    pub shown: &'static str,
    /// The command's name.
    pub command: &'static str,
    /// One word for the footer, for those worth a place there; the order is that of the footer.
    pub hint: Option<&'static str>,
}

const fn bind(
    keys: &'static [&'static str],
    shown: &'static str,
    command: &'static str,
    hint: Option<&'static str>,
) -> Binding {
    Binding { keys, shown, command, hint }
}

/// Every binding.
pub const KEYMAP: &[Binding] = &[
    bind(&["?", "f1"], "?", "help", Some("help")),
    bind(&["q", "ctrl-c"], "q", "quit", Some("quit")),
    bind(&["esc", "backspace"], "Esc", "back", Some("back")),
    bind(&["enter"], "Enter", "open", Some("open")),
    bind(&["f"], "f", "findings", Some("findings")),
    bind(&["z"], "z", "zoom", Some("zoom")),
    bind(&["space"], "Space", "pause", Some("pause")),
    bind(&["r", "f5"], "r", "refresh", Some("refresh")),
    bind(&["t"], "t", "timeline", Some("timeline")),
    bind(&["up", "k"], "↑ k", "up", None),
    bind(&["down", "j"], "↓ j", "down", None),
    bind(&["left", "h"], "← h", "left", None),
    bind(&["right", "l"], "→ l", "right", None),
    bind(&["tab"], "Tab", "next-pane", None),
    bind(&["backtab"], "Shift-Tab", "previous-pane", None),
    bind(&["1", "2", "3", "4", "5", "6", "7", "8", "9"], "1…9", "region", None),
    bind(&["pageup", "ctrl-b", "ctrl-u"], "PgUp Ctrl-B", "page-up", None),
    bind(&["pagedown", "ctrl-f", "ctrl-d"], "PgDn Ctrl-F", "page-down", None),
    bind(&["home", "g"], "Home g", "first", None),
    bind(&["end", "shift-g"], "End G", "last", None),
    bind(&["ctrl-z"], "Ctrl-Z", "suspend", None),
];

static TABLE: LazyLock<HashMap<String, &'static Command>> = LazyLock::new(|| {
    KEYMAP
        .iter()
        .filter_map(|binding| Some((binding, by_name(binding.command)?)))
        .flat_map(|(binding, command)| {
            binding.keys.iter().filter_map(move |key| Some((chord(parse(key)?), command)))
        })
        .collect()
});

/// Reads a chord as the table writes it; `None` when it is none.
pub fn parse(key: &str) -> Option<KeyCombination> {
    crokey::parse(key).ok()
}

/// The command that a key is bound to.
pub fn command(key: KeyCombination) -> Option<&'static Command> {
    TABLE.get(&chord(key)).copied()
}

/// A key in words, one way for each. Terminals differ in whether they report Shift for `?` and for Tab;
/// only for letters does it tell anything.
fn chord(key: KeyCombination) -> String {
    let words = KeyCombinationFormat::default().to_string(key.normalized()).to_lowercase();
    match words.strip_prefix("shift-") {
        Some("tab") => "backtab".to_owned(),
        Some(plain) if !is_letter(plain) => plain.to_owned(),
        _ => words,
    }
}

fn is_letter(key: &str) -> bool {
    let mut characters = key.chars();
    characters.next().is_some_and(char::is_alphabetic) && characters.next().is_none()
}

/// The character of a key, for commands that are bound to digits.
pub fn character(key: KeyCombination) -> char {
    let words = chord(key);
    let mut characters = words.chars();
    characters.next().filter(|_| characters.next().is_none()).unwrap_or(' ')
}
