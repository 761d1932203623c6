//! Frames as bytes.
//!
//! What it is for: painting into a buffer, and the bytes that lead from the last frame to this one: none
//! when nothing changed. What it must not do: write them.

use std::collections::BTreeMap;
use std::io;
use std::ops::Range;

use ratatui::backend::{Backend, CrosstermBackend};
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use crate::app::App;
use crate::ui::{self, Theme};

/// What the terminal shows, and the frame being painted.
pub(super) struct Screen {
    shown: Shown,
    next: Buffer,
    theme: Theme,
    stale: bool,
}

impl Screen {
    /// An empty screen of this size.
    pub(super) fn new(size: (u16, u16), theme: Theme) -> Self {
        let area = Rect::new(0, 0, size.0, size.1);
        Self { shown: Shown::empty(area), next: Buffer::empty(area), theme, stale: false }
    }

    /// Takes a new size; the next frame starts from an empty screen.
    pub(super) fn resize(&mut self, size: (u16, u16)) {
        self.next = Buffer::empty(Rect::new(0, 0, size.0, size.1));
        self.forget();
    }

    /// Forgets what the terminal shows, since something else wrote to it.
    pub(super) fn forget(&mut self) {
        self.shown = Shown::empty(self.next.area);
        self.stale = true;
    }

    /// Paints the app; gives the bytes that show it.
    pub(super) fn paint(&mut self, app: &App) -> io::Result<Vec<u8>> {
        self.next.reset();
        let area = self.next.area;
        ui::draw(app, self.theme, area, &mut self.next);
        let mut bytes = if std::mem::take(&mut self.stale) { super::guard::wipe() } else { Vec::new() };
        let changed = self.shown.become_like(&self.next);
        if !changed.is_empty() {
            let cells = changed.into_iter().map(|(x, y)| (x, y, &self.next[(x, y)]));
            CrosstermBackend::new(&mut bytes).draw(cells)?;
        }
        Ok(super::guard::synchronized(bytes))
    }
}

/// A frame that is shown, remembered in a third of a frame's room: nearly every cell holds one letter.
struct Shown {
    cells: Vec<Small>,
    /// What cells hold that is more than a letter.
    longer: BTreeMap<usize, Box<str>>,
}

/// A cell that is shown.
#[derive(Clone, Copy)]
struct Small {
    /// Its letter; `None` when it holds more.
    letter: Option<char>,
    fg: Color,
    bg: Color,
    modifier: Modifier,
}

impl Shown {
    fn empty(area: Rect) -> Self {
        let blank = Small::of(&Cell::EMPTY);
        let cells = usize::from(area.width) * usize::from(area.height);
        Self { cells: vec![blank; cells], longer: BTreeMap::new() }
    }

    /// Takes a frame over; gives the places whose cells must be written. In an idle second they are the clock's
    /// alone, and to see that lines are the same is cheaper than to ask of each of their cells how wide it is.
    fn become_like(&mut self, next: &Buffer) -> Vec<(u16, u16)> {
        let mut changed = Vec::new();
        let width = usize::from(next.area.width).max(1);
        for ((number, line), y) in next.content.chunks(width).enumerate().zip(next.area.y..) {
            let places = number * width..number * width + line.len();
            if places.clone().zip(line).all(|(place, cell)| self.shows(place, cell)) {
                continue;
            }
            let area = Rect { y, height: 1, ..next.area };
            let old = Buffer { area, content: places.clone().map(|place| self.cell(place)).collect() };
            let new = Buffer { area, content: line.to_vec() };
            changed.extend(old.diff_iter(&new).map(|(x, y, _)| (x, y)));
            self.take(places, line);
        }
        changed
    }

    fn shows(&self, place: usize, cell: &Cell) -> bool {
        let Some(small) = self.cells.get(place) else { return false };
        let same = match small.letter {
            Some(letter) => one_letter(cell.symbol()) == Some(letter),
            None => self.longer.get(&place).is_some_and(|text| **text == *cell.symbol()),
        };
        same && small.fg == cell.fg && small.bg == cell.bg && small.modifier == cell.modifier
    }

    fn cell(&self, place: usize) -> Cell {
        let mut cell = Cell::EMPTY;
        let Some(small) = self.cells.get(place) else { return cell };
        match small.letter {
            Some(' ') => {}
            Some(letter) => drop(cell.set_char(letter)),
            None => drop(cell.set_symbol(self.longer.get(&place).map_or(" ", |text| text))),
        }
        (cell.fg, cell.bg, cell.modifier) = (small.fg, small.bg, small.modifier);
        cell
    }

    fn take(&mut self, places: Range<usize>, line: &[Cell]) {
        for (place, cell) in places.zip(line) {
            let small = Small::of(cell);
            if small.letter.is_none() {
                self.longer.insert(place, cell.symbol().into());
            } else {
                self.longer.remove(&place);
            }
            if let Some(known) = self.cells.get_mut(place) {
                *known = small;
            }
        }
    }
}

impl Small {
    fn of(cell: &Cell) -> Self {
        Self { letter: one_letter(cell.symbol()), fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }
}

fn one_letter(text: &str) -> Option<char> {
    let mut letters = text.chars();
    letters.next().filter(|_| letters.next().is_none())
}

/// The terminal's size as the kernel knows it: no process is started and no question asked.
pub(super) fn size() -> (u16, u16) {
    match crossterm::terminal::window_size() {
        Ok(size) if size.columns > 0 && size.rows > 0 => (size.columns, size.rows),
        _ => (80, 24),
    }
}
