//! One slot of a pane: mark, values, sparkline, age.
//!
//! What it is for: painting it into a fixed width, in fixed columns, so that two regions compare line by
//! line and nothing moves when a number grows. What it must not do: choose what is shown.
//!
//! ```text
//! ✖ 5XX 62.1 %  p99 1.2 s ▁▁▁▂▆█ 30s
//! ```

use jiff::Timestamp;

use super::format;
use super::panes::{Part, Pick, Slot};
use super::pen::{Pen, fit, width};
use super::theme::{Mark, Theme};
use super::value::{Trust, Value, short};

/// The least width of a slot, its mark included.
pub(super) const WIDTH: u16 = 34;

const MARK: u16 = 2;
const TEXT: u16 = 21;
const AGE: u16 = 4;
const SPARK: (u16, u16) = (6, 20);

/// Paints a slot into the first line of `pen`. Only the first slot of a pane has a mark.
pub(super) fn paint(pen: &mut Pen<'_>, slot: &Slot<'_>, mark: Option<Mark>, now: Timestamp, theme: Theme) {
    let (x, y, room) = (0, 0, pen.width());
    if let Some(mark) = mark {
        pen.put(x, y, 1, mark.symbol(), theme.mark(mark));
    }
    let spark = room.saturating_sub(MARK + TEXT + 1 + AGE).clamp(SPARK.0, SPARK.1);
    let text = room.saturating_sub(MARK + 1 + spark + AGE);
    parts(pen, x + MARK, y, text, &slot.parts, theme);
    let right = x + room;
    let tail = spark + AGE;
    match trouble(&slot.parts) {
        Some(value) if value.trust == Trust::Saved || value.error.is_some() => {
            // With nothing known, the age is that of the failure.
            let age = match oldest(&slot.parts) {
                Some(value) => value.age(now),
                None => value.error.map(|error| format::since(error.at, now)),
            };
            let age = age.unwrap_or_default();
            let start = pen.put_right(right, y, tail, &age, theme.stale());
            let why = value.error.filter(|_| value.has_value()).map(|error| short(error.kind));
            let left = right.saturating_sub(tail);
            if let Some(why) = why {
                pen.put(left, y, start.saturating_sub(left + 1), why, theme.missing());
            }
        }
        _ => {
            if let Some(history) = &slot.history {
                let line = sparkline(&history.values(), spark as usize, slot.full_at, slot.pick);
                pen.put(right.saturating_sub(tail), y, spark, &line, theme.line());
            }
            if let Some(value) = oldest(&slot.parts) {
                let style = if value.trust == Trust::Stale { theme.stale() } else { theme.quiet() };
                pen.put_right(right, y, AGE, &value.age(now).unwrap_or_default(), style);
            }
        }
    }
}

/// The value that grew oldest: its age is the slot's.
fn oldest<'s, 'a>(parts: &'s [Part<'a>]) -> Option<&'s Value<'a>> {
    parts.iter().map(|part| &part.value).filter(|value| value.as_of.is_some()).min_by_key(|value| value.as_of)
}

/// The least trustworthy value, when it is not to be trusted.
fn trouble<'s, 'a>(parts: &'s [Part<'a>]) -> Option<&'s Value<'a>> {
    let worst = parts.iter().map(|part| &part.value).max_by_key(|value| value.trust)?;
    matches!(worst.trust, Trust::Stale | Trust::Saved | Trust::Failed).then_some(worst)
}

/// The first part starts at the left, the last ends at the right; where both do not fit, labels go first.
fn parts(pen: &mut Pen<'_>, x: u16, y: u16, room: u16, parts: &[Part<'_>], theme: Theme) {
    if let Some(same) = all_the_same(parts) {
        pen.put(x, y, room, &same.words(room as usize), same.style(theme));
        return;
    }
    match parts {
        [] => {}
        [only] => {
            let words = only.value.words(room as usize);
            let label = room.saturating_sub(width(&words) + 1);
            if only.label.is_empty() {
                pen.put(x, y, room, &words, only.value.style(theme));
            } else {
                pen.put(x, y, label, &fit(&only.label, label as usize), theme.quiet());
                pen.put_right(x + room, y, room, &words, only.value.style(theme));
            }
        }
        [first, .., last] => {
            let (first, last) = side_by_side(first, last, room);
            let end = pen.pieces(x, y, room, &first.pieces(theme));
            let start = (x + room).saturating_sub(last.width());
            pen.pieces(
                start.max(end + 1),
                y,
                (x + room).saturating_sub(start.max(end + 1)),
                &last.pieces(theme),
            );
        }
    }
}

/// A part as it is written: with or without its label, with or without the blank before its unit.
struct Written<'s, 'a> {
    label: &'s str,
    words: String,
    value: &'s Value<'a>,
}

impl<'s, 'a> Written<'s, 'a> {
    fn of(part: &'s Part<'a>, labelled: bool, squeezed: bool) -> Self {
        let mut words = part.value.words(usize::from(u16::MAX));
        if squeezed && part.value.has_value() {
            words = super::value::squeezed(&words);
        }
        Self { label: if labelled { &part.label } else { "" }, words, value: &part.value }
    }

    fn width(&self) -> u16 {
        let label = width(self.label);
        label + u16::from(label > 0) + width(&self.words)
    }

    fn pieces(&self, theme: Theme) -> Vec<(String, ratatui::style::Style)> {
        let words = (self.words.clone(), self.value.style(theme));
        if self.label.is_empty() {
            vec![words]
        } else {
            vec![(format!("{} ", self.label), theme.quiet()), words]
        }
    }
}

/// The fullest way to write two parts beside each other that fits: blanks go first, then labels, then the
/// end of the longer one.
fn side_by_side<'s, 'a>(
    first: &'s Part<'a>,
    last: &'s Part<'a>,
    room: u16,
) -> (Written<'s, 'a>, Written<'s, 'a>) {
    for (labels, squeezed) in
        [((true, true), false), ((true, true), true), ((true, false), true), ((false, false), true)]
    {
        let first = Written::of(first, labels.0, squeezed);
        let last = Written::of(last, labels.1, squeezed);
        if first.width() + 1 + last.width() <= room {
            return (first, last);
        }
    }
    let (mut first, mut last) = (Written::of(first, false, true), Written::of(last, false, true));
    let half = room.saturating_sub(1) / 2;
    if last.width() > half && first.width() > half {
        first.words = first.value.words(half as usize);
        last.words = last.value.words(room.saturating_sub(1 + half) as usize);
    } else if first.width() > half {
        first.words = first.value.words(room.saturating_sub(1 + last.width()) as usize);
    } else {
        last.words = last.value.words(room.saturating_sub(1 + first.width()) as usize);
    }
    (first, last)
}

/// One word for all when every part says the same in place of a value.
fn all_the_same<'s, 'a>(parts: &'s [Part<'a>]) -> Option<&'s Value<'a>> {
    let first = &parts.first()?.value;
    let same = !first.has_value()
        && parts.iter().all(|part| part.value.trust == first.trust && part.value.text == first.text);
    (same && (first.trust != Trust::Absent || parts.iter().all(|part| part.label.is_empty())))
        .then_some(first)
}

/// The last hour in `columns` columns, newest at the right. Gaps stay empty: they are not zero.
pub(super) fn sparkline(history: &[Option<f64>], columns: usize, full_at: f64, pick: Pick) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = history.iter().flatten().copied().fold(full_at, f64::max);
    let columns = columns.min(history.len());
    let mut line = String::with_capacity(columns * 3);
    for column in 0..columns {
        let from = history.len() * column / columns;
        let to = history.len() * (column + 1) / columns;
        let values = || history[from..to].iter().flatten().copied();
        let value = match pick {
            Pick::Highest => values().reduce(f64::max),
            Pick::Lowest => values().reduce(f64::min),
            Pick::Mean => values().reduce(|a, b| a + b).map(|sum| sum / values().count() as f64),
        };
        line.push(match value {
            None => ' ',
            Some(value) if top <= 0.0 || value <= 0.0 => BARS[0],
            Some(value) => BARS[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1],
        });
    }
    line
}
