//! Scrolled pages of prepared lines.
//!
//! What it is for: detail, findings and help write lines; this shows the part that fits and a bar that
//! says where one is. What it must not do: know what the lines say.

use ratatui::style::Style;

use super::pen::{Pen, wrap};
use super::theme::Theme;
use crate::app::screen::Scroll;

/// Lines of styled pieces, and which of them is selected.
#[derive(Default)]
pub(super) struct Page {
    lines: Vec<Vec<(String, Style)>>,
    selected: Option<usize>,
}

impl Page {
    /// Adds a line.
    pub(super) fn line(&mut self, pieces: Vec<(String, Style)>) {
        self.lines.push(pieces);
    }

    /// Adds an empty line, unless the page is empty or ends with one.
    pub(super) fn gap(&mut self) {
        if self.lines.last().is_some_and(|line| !line.is_empty()) {
            self.lines.push(Vec::new());
        }
    }

    /// Adds a text that is broken into lines of `room` columns, behind `lead` on the first.
    pub(super) fn text(&mut self, lead: (&str, Style), text: &str, room: u16, style: Style) {
        let indent = super::pen::width(lead.0);
        for (index, part) in wrap(text, room.saturating_sub(indent) as usize).into_iter().enumerate() {
            let lead = if index == 0 {
                (lead.0.to_owned(), lead.1)
            } else {
                (" ".repeat(indent as usize), Style::new())
            };
            self.lines.push(vec![lead, (part, style)]);
        }
    }

    /// Marks the line that comes next as selected.
    pub(super) fn select_next(&mut self) {
        self.selected = Some(self.lines.len());
    }

    /// How many lines there are.
    pub(super) fn len(&self) -> usize {
        self.lines.len()
    }

    /// True before the first line.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    /// Paints what fits.
    pub(super) fn paint(&self, pen: &mut Pen<'_>, scroll: &Scroll, theme: Theme) {
        let window = pen.height() as usize;
        let first = scroll.fit(self.lines.len(), window, self.selected);
        let wide = pen.width();
        for (line, pieces) in self.lines.iter().skip(first).take(window).enumerate() {
            pen.pieces(0, line as u16, wide.saturating_sub(1), pieces);
            if self.selected == Some(first + line) {
                pen.put(0, line as u16, 1, "▸", theme.key());
            }
        }
        if self.lines.len() > window && window > 0 {
            let (all, last) = (self.lines.len(), self.lines.len() - window);
            let bar = (window * window / all).clamp(1, window);
            let top = first * (window - bar) / last.max(1);
            for line in 0..window {
                let inside = (top..top + bar).contains(&line);
                let symbol = if inside { "┃" } else { "│" };
                pen.put(wide.saturating_sub(1), line as u16, 1, symbol, theme.quiet());
            }
        }
    }
}
