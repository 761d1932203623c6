//! Frames as bytes.
//!
//! What it is for: painting into a buffer, and the bytes that lead from the last frame to this one: none
//! when nothing changed. What it must not do: write them.

use std::borrow::Cow;
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
        if let Some((first, last)) = self.changed() {
            let (shown, next) = (lines(&self.shown, first, last), lines(&self.next, first, last));
            CrosstermBackend::new(&mut bytes).draw(shown.diff_iter(&next))?;
        }
        std::mem::swap(&mut self.shown, &mut self.next);
        Ok(super::guard::synchronized(bytes))
    }

    /// The first and the last line that differ. In an idle second it is the clock's alone, and to see that lines
    /// are the same is cheaper than to ask of each of their cells how wide it is.
    fn changed(&self) -> Option<(u16, u16)> {
        let width = usize::from(self.next.area.width).max(1);
        let mut differ = self
            .shown
            .content
            .chunks(width)
            .zip(self.next.content.chunks(width))
            .zip(0u16..)
            .filter(|((shown, next), _)| shown != next)
            .map(|(_, line)| line);
        let first = differ.next()?;
        Some((first, differ.last().unwrap_or(first)))
    }
}

/// A part of a buffer, from one line to another.
fn lines(buffer: &Buffer, first: u16, last: u16) -> Cow<'_, Buffer> {
    let area = buffer.area;
    if first == 0 && last + 1 == area.height {
        return Cow::Borrowed(buffer);
    }
    let width = usize::from(area.width);
    let cells = usize::from(first) * width..(usize::from(last) + 1) * width;
    let area = Rect { y: first, height: last + 1 - first, ..area };
    Cow::Owned(Buffer { area, content: buffer.content[cells].to_vec() })
}

/// The terminal's size as the kernel knows it: no process is started and no question asked.
pub(super) fn size() -> (u16, u16) {
    match crossterm::terminal::window_size() {
        Ok(size) if size.columns > 0 && size.rows > 0 => (size.columns, size.rows),
        _ => (80, 24),
    }
}
