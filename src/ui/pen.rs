//! Writing into a frame.
//!
//! What it is for: text at a place, cut to its room with an ellipsis, never outside the area: so that no
//! size of terminal can make painting fail. What it must not do: know what it writes.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// A part of the frame to write into. Coordinates are its own.
pub struct Pen<'b> {
    buffer: &'b mut Buffer,
    area: Rect,
}

/// A piece of text and its style.
pub type Piece = (String, Style);

impl<'b> Pen<'b> {
    /// Writes into `area`, or as much of it as the frame has.
    pub fn new(buffer: &'b mut Buffer, area: Rect) -> Self {
        let area = area.intersection(buffer.area);
        Self { buffer, area }
    }

    /// Columns.
    pub fn width(&self) -> u16 {
        self.area.width
    }

    /// Lines.
    pub fn height(&self) -> u16 {
        self.area.height
    }

    /// The area in the frame's coordinates.
    pub fn area(&self) -> Rect {
        self.area
    }

    /// The frame itself, for widgets.
    pub fn buffer(&mut self) -> &mut Buffer {
        self.buffer
    }

    /// A part of this part.
    pub fn part(&mut self, x: u16, y: u16, width: u16, height: u16) -> Pen<'_> {
        let x = self.area.x.saturating_add(x).min(self.area.right());
        let y = self.area.y.saturating_add(y).min(self.area.bottom());
        let width = width.min(self.area.right() - x);
        let height = height.min(self.area.bottom() - y);
        Pen { area: Rect { x, y, width, height }, buffer: self.buffer }
    }

    /// Writes `text` at most `room` columns wide; gives the column after it.
    pub fn put(&mut self, x: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        if y >= self.area.height || x >= self.area.width || room == 0 {
            return x;
        }
        let room = room.min(self.area.width - x);
        let (left, top) = (self.area.x + x, self.area.y + y);
        if let Some(columns) = columns(text) {
            return x + self.letters(left, top, room, text, columns, style);
        }
        let fits = text.width() <= room as usize;
        let end = if fits {
            self.buffer.set_stringn(left, top, text, room as usize, style).0
        } else {
            self.buffer.set_stringn(left, top, fit(text, room as usize), room as usize, style).0
        };
        end - self.area.x
    }

    /// Writes a text of single letters, `columns` wide, at a place of the frame; gives how many columns it took.
    fn letters(&mut self, left: u16, top: u16, room: u16, text: &str, columns: usize, style: Style) -> u16 {
        let cut = columns > usize::from(room);
        let whole = if cut { usize::from(room) - 1 } else { columns };
        let letters = text.chars().take(whole).chain(cut.then_some('…'));
        let mut column = left;
        for letter in letters {
            self.buffer[(column, top)].set_char(letter).set_style(style);
            column += 1;
        }
        column - left
    }

    /// Writes pieces one after the other within `room`; gives the column after the last.
    pub fn pieces<S: AsRef<str>>(&mut self, x: u16, y: u16, room: u16, pieces: &[(S, Style)]) -> u16 {
        let end = x.saturating_add(room);
        let mut at = x;
        for (text, style) in pieces {
            at = self.put(at, y, end.saturating_sub(at), text.as_ref(), *style);
        }
        at
    }

    /// Writes `text` so that it ends at column `end`; gives the column at which it starts.
    pub fn put_right(&mut self, end: u16, y: u16, room: u16, text: &str, style: Style) -> u16 {
        let width = width(text).min(room).min(end);
        let start = end - width;
        self.put(start, y, width, text, style);
        start
    }

    /// Adds a style to part of a line, whatever is written there.
    pub fn tint(&mut self, x: u16, y: u16, width: u16, style: Style) {
        let part = self.part(x, y, width, 1).area;
        self.buffer.set_style(part, style);
    }
}

/// The width of a text in columns.
pub fn width(text: &str) -> u16 {
    columns(text).unwrap_or_else(|| text.width()).min(u16::MAX as usize) as u16
}

/// The width of a text whose characters are one column each and join with none beside them, as nearly all here are;
/// `None` for any other. To find where characters join takes longer than all else that a frame needs.
fn columns(text: &str) -> Option<usize> {
    let mut columns = 0;
    for c in text.chars() {
        if !matches!(c, ' '..='~' | '·' | '–' | '…' | '▀'..='▟') {
            return None;
        }
        columns += 1;
    }
    Some(columns)
}

/// Cuts a text to `room` columns, with an ellipsis where something was cut.
pub fn fit(text: &str, room: usize) -> String {
    if text.width() <= room {
        return text.to_owned();
    }
    if room == 0 {
        return String::new();
    }
    let mut cut = String::new();
    let mut used = 0;
    for c in text.chars() {
        let wide = c.width().unwrap_or(0);
        if used + wide > room - 1 {
            break;
        }
        used += wide;
        cut.push(c);
    }
    cut.push('…');
    cut
}

/// Breaks a text into lines of at most `room` columns, at spaces where there are any.
pub fn wrap(text: &str, room: usize) -> Vec<String> {
    let room = room.max(1);
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ') {
        let wide = word.width();
        if used > 0 && used + 1 + wide > room {
            lines.push(std::mem::take(&mut line));
            used = 0;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if used + wide <= room {
            line.push_str(word);
            used += wide;
            continue;
        }
        // A word longer than a line (an ARN, a command) is cut where the line ends; nothing is lost.
        for c in word.chars() {
            let wide = c.width().unwrap_or(0);
            if used + wide > room && used > 0 {
                lines.push(std::mem::take(&mut line));
                used = 0;
            }
            line.push(c);
            used += wide;
        }
    }
    if used > 0 || lines.is_empty() {
        lines.push(line);
    }
    lines
}
