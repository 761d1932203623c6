//! Frames as bytes.
//!
//! What it is for: painting into a buffer, and the bytes that lead from the last frame to this one: none
//! when nothing changed. What it must not do: write them.

use std::io;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::App;
use crate::ui::{self, Theme};

/// What the terminal shows, and the frame being painted.
pub(super) struct Screen {
    shown: Buffer,
    next: Buffer,
    theme: Theme,
    stale: bool,
}

impl Screen {
    /// An empty screen of this size.
    pub(super) fn new(size: (u16, u16), theme: Theme) -> Self {
        let area = Rect::new(0, 0, size.0, size.1);
        Self { shown: Buffer::empty(area), next: Buffer::empty(area), theme, stale: false }
    }

    /// Takes a new size; the next frame starts from an empty screen.
    pub(super) fn resize(&mut self, size: (u16, u16)) {
        let area = Rect::new(0, 0, size.0, size.1);
        self.next = Buffer::empty(area);
        self.shown = Buffer::empty(area);
        self.stale = true;
    }

    /// Forgets what the terminal shows, since something else wrote to it.
    pub(super) fn forget(&mut self) {
        self.shown.reset();
        self.stale = true;
    }

    /// Paints the app; gives the bytes that show it.
    pub(super) fn paint(&mut self, app: &App) -> io::Result<Vec<u8>> {
        self.next.reset();
        let area = self.next.area;
        ui::draw(app, self.theme, area, &mut self.next);
        let mut bytes = if std::mem::take(&mut self.stale) { super::guard::wipe() } else { Vec::new() };
        let mut changed = self.shown.diff_iter(&self.next).peekable();
        if changed.peek().is_some() {
            CrosstermBackend::new(&mut bytes).draw(changed)?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(super::guard::synchronized(bytes))
    }
}

/// The terminal's size as the kernel knows it: no process is started and no question asked.
pub(super) fn size() -> (u16, u16) {
    match crossterm::terminal::window_size() {
        Ok(size) if size.columns > 0 && size.rows > 0 => (size.columns, size.rows),
        _ => (80, 24),
    }
}
