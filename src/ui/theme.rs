//! Colours and symbols.
//!
//! What it is for: every style of the screen, in one place, from the sixteen colours that each terminal
//! maps itself, on its own background: so light and dark themes both read well. State is always told by
//! a symbol too, never by colour alone. What it must not do: decide what is ill; it is told.

use ratatui::style::{Color, Modifier, Style};

use crate::domain::{Health, Severity};

/// With or without colours (`NO_COLOR`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Whether colours are used.
    pub colour: bool,
}

/// The state of something on the screen, by symbol and colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// There is nothing here that could be ill.
    None,
    /// Known, fresh and well.
    Healthy,
    /// Not asked yet.
    Pending,
    /// A warning.
    Warning,
    /// Stale, never read, or not readable.
    Unknown,
    /// Critical.
    Critical,
}

impl Mark {
    /// The symbol, one column wide.
    pub fn symbol(self) -> &'static str {
        match self {
            Self::None => "·",
            Self::Healthy => "●",
            Self::Pending => "…",
            Self::Warning => "▲",
            Self::Unknown => "?",
            Self::Critical => "✖",
        }
    }

    /// The mark of a severity; info is no illness.
    pub fn of_severity(severity: Severity) -> Self {
        match severity {
            Severity::Info => Self::Healthy,
            Severity::Warning => Self::Warning,
            Severity::Critical => Self::Critical,
        }
    }

    /// The mark of a verdict; none was drawn before the first answers.
    pub fn of_health(health: Option<Health>) -> Self {
        match health {
            Some(Health::Healthy) => Self::Healthy,
            Some(Health::Degraded) => Self::Warning,
            Some(Health::Impaired) => Self::Critical,
            Some(Health::Unknown) => Self::Unknown,
            None => Self::Pending,
        }
    }
}

impl Theme {
    /// With the terminal's colours.
    pub const COLOUR: Self = Self { colour: true };
    /// Symbols, bold, dim and reverse only.
    pub const MONOCHROME: Self = Self { colour: false };

    fn paint(self, colour: Color) -> Style {
        if self.colour { Style::new().fg(colour) } else { Style::new() }
    }

    /// Plain text.
    pub fn plain(self) -> Style {
        Style::new()
    }

    /// What matters little: labels, units, ages.
    pub fn quiet(self) -> Style {
        Style::new().add_modifier(Modifier::DIM)
    }

    /// What matters.
    pub fn strong(self) -> Style {
        Style::new().add_modifier(Modifier::BOLD)
    }

    /// Where the cursor is.
    pub fn cursor(self) -> Style {
        self.paint(Color::Cyan).add_modifier(Modifier::BOLD | Modifier::REVERSED)
    }

    /// A key in a hint.
    pub fn key(self) -> Style {
        self.paint(Color::Cyan).add_modifier(Modifier::BOLD)
    }

    /// Lines of sparklines and charts.
    pub fn line(self) -> Style {
        self.paint(Color::Cyan)
    }

    /// An old value: dim, never in the colour of health.
    pub fn stale(self) -> Style {
        self.paint(Color::Magenta).add_modifier(Modifier::DIM)
    }

    /// Why there is no value.
    pub fn missing(self) -> Style {
        self.paint(Color::Magenta)
    }

    /// The style of a mark, and of words that say the same.
    pub fn mark(self, mark: Mark) -> Style {
        match mark {
            Mark::None | Mark::Pending => self.quiet(),
            Mark::Healthy => self.paint(Color::Green),
            Mark::Warning => self.paint(Color::Yellow).add_modifier(Modifier::BOLD),
            Mark::Unknown => self.paint(Color::Magenta).add_modifier(Modifier::BOLD),
            Mark::Critical => self.paint(Color::Red).add_modifier(Modifier::BOLD),
        }
    }

    /// The frame of an armed console.
    pub fn armed(self) -> Style {
        self.paint(Color::Red).add_modifier(Modifier::BOLD)
    }

    /// The word of the fleet's verdict, and other words that must not be missed.
    pub fn sign(self, mark: Mark) -> Style {
        match mark {
            Mark::None | Mark::Pending => self.strong(),
            _ => self.mark(mark).add_modifier(Modifier::BOLD | Modifier::REVERSED),
        }
    }
}
