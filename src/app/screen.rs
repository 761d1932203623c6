//! The screens, and what each remembers.
//!
//! What it is for: a stack of screens, so that "back" always leads to where one came from.
//! What it must not do: paint.

use std::cell::Cell;

use super::acting::{Card, PlanDialog, RunView, UndoList};
use super::keymap::Layer;

/// A screen. [`Screen::Overview`] is always at the bottom of the stack.
#[derive(Clone, Debug, PartialEq)]
pub enum Screen {
    /// All regions.
    Overview,
    /// One region, full screen.
    Zoom,
    /// The focused pane of the focused region.
    Detail(Detail),
    /// All findings.
    Findings(Findings),
    /// Everything that moved.
    Timeline(Scroll),
    /// Keys and symbols.
    Help(Scroll),
    /// A plan, before it is confirmed.
    Plan(Box<PlanDialog>),
    /// Ways to answer an illness, side by side.
    Card(Box<Card>),
    /// A run.
    Run(RunView),
    /// What a run that waits can take back.
    Undo(UndoList),
}

impl Screen {
    /// The keys that it has of its own.
    pub fn layer(&self) -> Layer {
        match self {
            Self::Plan(_) => Layer::Plan,
            Self::Card(_) => Layer::Card,
            Self::Run(_) => Layer::Run,
            Self::Undo(_) => Layer::Undo,
            Self::Overview
            | Self::Zoom
            | Self::Detail(_)
            | Self::Findings(_)
            | Self::Timeline(_)
            | Self::Help(_) => Layer::Everywhere,
        }
    }
}

/// The detail of a pane.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Detail {
    /// Id of the selected row; `None` is the first row.
    pub row: Option<String>,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

/// The list of findings.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Findings {
    /// Which finding is selected; `None` is the worst.
    pub selected: Option<FindingId>,
    /// Where the page is scrolled to.
    pub scroll: Scroll,
}

/// What tells findings apart across snapshots.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FindingId {
    /// Code.
    pub code: String,
    /// Region.
    pub region: Option<crate::domain::ids::Region>,
    /// Resource.
    pub resource: crate::domain::text::Text,
}

impl FindingId {
    /// The id of a finding.
    pub fn of(finding: &crate::domain::Finding) -> Self {
        Self {
            code: finding.code.clone(),
            region: finding.region.clone(),
            resource: finding.resource.clone(),
        }
    }
}

/// A scrolled page. Painting tells how tall the page and the window were, since only it knows; both are
/// what the last frame had.
#[derive(Clone, Debug, Default)]
pub struct Scroll {
    offset: Cell<usize>,
    content: Cell<usize>,
    window: Cell<usize>,
    follow: Cell<bool>,
}

/// Two screens are the same screen wherever they are scrolled to.
impl PartialEq for Scroll {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for Scroll {}

impl Scroll {
    /// Moves by lines.
    pub fn by(&self, lines: isize) {
        self.follow.set(false);
        self.offset.set(self.offset.get().saturating_add_signed(lines).min(self.last()));
    }

    /// Moves by windows, keeping one line of context.
    pub fn page(&self, pages: isize) {
        let lines = self.window.get().saturating_sub(1).max(1) as isize;
        self.by(pages.saturating_mul(lines));
    }

    /// To the first line.
    pub fn home(&self) {
        self.follow.set(false);
        self.offset.set(0);
    }

    /// To the last line.
    pub fn end(&self) {
        self.follow.set(false);
        self.offset.set(self.last());
    }

    /// Makes the next frame show the selected line.
    pub fn follow(&self) {
        self.follow.set(true);
    }

    fn last(&self) -> usize {
        self.content.get().saturating_sub(self.window.get())
    }

    /// Called by the painter: takes the heights of this frame and the line that the selection is on, and
    /// gives the first line to paint.
    pub fn fit(&self, content: usize, window: usize, selected: Option<usize>) -> usize {
        self.content.set(content);
        self.window.set(window);
        let mut offset = self.offset.get().min(self.last());
        if let Some(line) = selected.filter(|_| self.follow.get()) {
            if line < offset {
                offset = line;
            } else if window > 0 && line >= offset + window {
                offset = line + 1 - window;
            }
        }
        self.offset.set(offset);
        offset
    }
}
