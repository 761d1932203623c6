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
use unicode_width::UnicodeWidthChar as _;

use crate::app::App;
use crate::ui::{self, Theme};

/// What the terminal shows, and the frame being painted.
pub(super) struct Screen {
    shown: Shown,
    /// Blank between two paintings.
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

    /// Takes the size that the terminal has by now. Nothing is painted yet.
    pub(super) fn fit(&mut self, size: (u16, u16)) {
        if (self.next.area.width, self.next.area.height) != size {
            *self = Self::new(size, self.theme);
        }
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

    /// Paints the app, and gives `send` the bytes that show it; what is only for the next frame is done afterwards.
    pub(super) fn paint(&mut self, app: &App, send: impl FnOnce(Vec<u8>)) -> io::Result<()> {
        let area = self.next.area;
        ui::draw(app, self.theme, area, &mut self.next);
        let mut bytes = if std::mem::take(&mut self.stale) { super::guard::wipe() } else { Vec::new() };
        let (lines, places) = self.shown.changes(&self.next);
        if !places.is_empty() {
            let cells = places.into_iter().map(|(x, y)| (x, y, &self.next[(x, y)]));
            CrosstermBackend::new(&mut bytes).draw(cells)?;
        }
        send(super::guard::synchronized(bytes));
        self.shown.take(lines, &self.next);
        self.next.reset();
        Ok(())
    }
}

/// A frame that is shown, remembered in a third of a frame's room: nearly every cell holds one letter.
struct Shown {
    width: u16,
    /// Nothing while every cell is blank.
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
        Self { width: area.width, cells: Vec::new(), longer: BTreeMap::new() }
    }

    /// The numbers of the lines in which a frame differs, and the places whose cells must be written for it. In an
    /// idle second they are the clock's alone, and to see that lines are the same is cheaper than to ask of each of
    /// their cells how wide it is.
    fn changes(&self, next: &Buffer) -> (Vec<usize>, Vec<(u16, u16)>) {
        let (mut lines, mut changed) = (Vec::new(), Vec::new());
        for number in 0..usize::from(next.area.height) {
            let places = self.places(number);
            let line = &next.content[places.clone()];
            let shown = |(place, cell): (usize, &Cell)| self.shows(place, cell);
            if places.clone().zip(line).all(shown) {
                continue;
            }
            lines.push(number);
            let y = next.area.y + number as u16;
            if self.is_narrow(places.clone(), line) {
                let cells = (next.area.x..).zip(places.zip(line));
                changed.extend(cells.filter(|(_, cell)| !shown(*cell)).map(|(x, _)| (x, y)));
            } else {
                let area = Rect { y, height: 1, ..next.area };
                let old = Buffer { area, content: places.map(|place| self.cell(place)).collect() };
                let new = Buffer { area, content: line.to_vec() };
                changed.extend(old.diff_iter(&new).map(|(x, y, _)| (x, y)));
            }
        }
        (lines, changed)
    }

    /// Where the cells of a line are.
    fn places(&self, number: usize) -> Range<usize> {
        let width = usize::from(self.width);
        number * width..(number + 1) * width
    }

    /// Whether a cell is one column wide everywhere in a line, as it is shown and as it will be: then what differs is
    /// written and nothing else. Whatever is wider may lie over its neighbours, and is left to those who know.
    fn is_narrow(&self, places: Range<usize>, line: &[Cell]) -> bool {
        line.iter().all(|cell| one_letter(cell.symbol()).is_some_and(is_narrow))
            && self
                .cells
                .get(places)
                .is_none_or(|shown| shown.iter().all(|small| small.letter.is_some_and(is_narrow)))
    }

    fn shows(&self, place: usize, cell: &Cell) -> bool {
        let small = self.cells.get(place).copied().unwrap_or(Small::BLANK);
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

    /// Takes over what these lines of a frame show.
    fn take(&mut self, lines: Vec<usize>, next: &Buffer) {
        self.cells.resize(next.content.len(), Small::BLANK);
        for number in lines {
            let places = self.places(number);
            for (place, cell) in places.clone().zip(&next.content[places]) {
                let small = Small::of(cell);
                if small.letter.is_none() {
                    self.longer.insert(place, cell.symbol().into());
                } else {
                    self.longer.remove(&place);
                }
                self.cells[place] = small;
            }
        }
    }
}

impl Small {
    /// A cell of an empty screen.
    const BLANK: Self =
        Self { letter: Some(' '), fg: Cell::EMPTY.fg, bg: Cell::EMPTY.bg, modifier: Cell::EMPTY.modifier };

    fn of(cell: &Cell) -> Self {
        Self { letter: one_letter(cell.symbol()), fg: cell.fg, bg: cell.bg, modifier: cell.modifier }
    }
}

/// Whether a letter takes one column.
fn is_narrow(letter: char) -> bool {
    letter.is_ascii() || letter.width() == Some(1)
}

#[inline]
fn one_letter(text: &str) -> Option<char> {
    if let [letter] = text.as_bytes() {
        return Some(char::from(*letter));
    }
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
