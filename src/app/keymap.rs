//! The one table of keys. Keys, the footer's hints and the Help screen are all read from it.
//!
//! What it is for: binding chords to commands by name. Upper-case letters and `!` are for acting. Dialog, card and
//! run view have keys of their own, which on those screens come before the others.
//! What it must not do: anything else; a key that is not in this table does nothing.

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
    /// One word for the footer, for those worth a place there.
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
    bind(&["!"], "!", "card", Some("decide")),
    bind(&["shift-a"], "A", "arm", Some("arm")),
    bind(&["shift-d"], "D", "drain", None),
    bind(&["shift-f"], "F", "failover", None),
    bind(&["shift-r"], "R", "restore", None),
    bind(&["shift-w"], "W", "switchover", None),
    bind(&["shift-x"], "X", "cleanup", None),
    bind(&["shift-p"], "P", "re-pin", None),
    bind(&["v"], "v", "run", Some("run")),
    bind(&["ctrl-z"], "Ctrl-Z", "suspend", None),
];

/// Keys of the dialog of a plan.
const PLAN: &[Binding] = &[
    bind(&["enter"], "Enter", "confirm", Some("confirm")),
    bind(&["n"], "n", "toggle-now", Some("now")),
    bind(&["z"], "z", "toggle-zero", Some("zero")),
    bind(&["d"], "d", "choose-database", Some("database")),
    bind(&["e"], "e", "declare", Some("declare")),
    bind(&["s"], "s", "toggle-snapshots", Some("snapshots")),
    bind(&["w"], "w", "toggle-whole", Some("whole")),
    bind(&["b"], "b", "bring-back", Some("bring back")),
    bind(&["y"], "y", "keep", Some("keep")),
    bind(&["o"], "o", "override", Some("override")),
    bind(&["r", "f5"], "r", "plan-again", Some("read anew")),
];

/// Keys of the decision card.
const CARD: &[Binding] = &[
    bind(&["enter"], "Enter", "choose-way", Some("plan it")),
    bind(&["r", "f5"], "r", "plan-again", Some("read anew")),
];

/// Keys of the run view.
const RUN: &[Binding] = &[
    bind(&["r"], "r", "retry", Some("retry")),
    bind(&["s"], "s", "skip", Some("skip")),
    bind(&["u"], "u", "undo", Some("undo")),
    bind(&["o"], "o", "hand-over", Some("hand over")),
    bind(&["a"], "a", "abort", Some("abort")),
];

/// Keys of the list of what can be undone.
const UNDO: &[Binding] = &[bind(&["enter"], "Enter", "undo-this", Some("undo it"))];

/// Where a binding holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Layer {
    /// On every screen, unless the screen has another use for the key.
    Everywhere,
    /// In the dialog of a plan.
    Plan,
    /// On the decision card.
    Card,
    /// In the run view.
    Run,
    /// In the list of what can be undone.
    Undo,
}

impl Layer {
    /// All layers, in the order in which Help shows them.
    pub const ALL: [Self; 5] = [Self::Everywhere, Self::Plan, Self::Card, Self::Run, Self::Undo];

    /// Its bindings.
    pub const fn bindings(self) -> &'static [Binding] {
        match self {
            Self::Everywhere => KEYMAP,
            Self::Plan => PLAN,
            Self::Card => CARD,
            Self::Run => RUN,
            Self::Undo => UNDO,
        }
    }

    /// What Help calls it.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Everywhere => "everywhere",
            Self::Plan => "in the dialog of a plan",
            Self::Card => "on the decision card",
            Self::Run => "in the run view",
            Self::Undo => "in the list of what can be undone",
        }
    }
}

static TABLE: LazyLock<HashMap<(Layer, String), &'static Command>> = LazyLock::new(|| {
    let bound = |layer: Layer| layer.bindings().iter().map(move |binding| (layer, binding));
    Layer::ALL
        .into_iter()
        .flat_map(bound)
        .filter_map(|(layer, binding)| Some((layer, binding, by_name(binding.command)?)))
        .flat_map(|(layer, binding, command)| {
            let chords = binding.keys.iter().filter_map(|key| parse(key));
            chords.map(move |key| ((layer, chord(key)), command))
        })
        .collect()
});

/// Reads a chord as the table writes it; `None` when it is none.
pub fn parse(key: &str) -> Option<KeyCombination> {
    crokey::parse(key).ok()
}

/// The command that a key is bound to in a layer, or else everywhere.
pub fn command(layer: Layer, key: KeyCombination) -> Option<&'static Command> {
    let chord = chord(key);
    TABLE.get(&(layer, chord.clone())).or_else(|| TABLE.get(&(Layer::Everywhere, chord))).copied()
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
