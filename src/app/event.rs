//! What happens to the console, and what it asks for.
//!
//! What it is for: the two ends of [`super::App::update`]. What it must not do: carry terminal or AWS types.

use std::sync::Arc;

use crokey::KeyCombination;
use jiff::Timestamp;

use super::pane::PaneId;
use super::sight::Sight;

/// Something that happened.
#[derive(Clone)]
pub enum Event {
    /// A key was pressed.
    Key(KeyCombination),
    /// Text was pasted. No screen takes text yet, so it is dropped instead of being read as commands.
    Paste(String),
    /// The terminal has a new size: columns, rows.
    Resize(u16, u16),
    /// There is something new to look at.
    Sight(Arc<Sight>),
    /// Time has passed.
    Tick(Timestamp),
}

/// Something that the console wants done outside itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Give the terminal back and end.
    Quit,
    /// Give the terminal back and stop until the shell continues us.
    Suspend,
    /// Ask AWS for everything now.
    Refresh,
    /// Stop asking AWS (`true`), or go on (`false`).
    Pause(bool),
    /// The operator looks at this pane in detail; `None` when no longer. Sources that are only worth
    /// asking while somebody looks (Route 53's checkers) follow it.
    Focus(Option<PaneId>),
}
