//! One slot of a pane: mark, values, sparkline, age.
//!
//! What it is for: painting it into a fixed width, in fixed columns, so that two regions compare line by
//! line and nothing moves when a number grows. What it must not do: choose what is shown.
//!
//! ```text
//! ✖ 5XX 62.1 %  p99 1.2 s ▁▁▁▂▆█ 30s
//! ```

use jiff::Timestamp;

use super::panes::{Part, Slot};
use super::pen::{Pen, fit, width};
use super::theme::{Mark, Theme};
use super::value::{Trust, Value, short};

/// The least width of a slot, its mark included.
pub(super) const WIDTH: u16 = 34;

const MARK: u16 = 2;
const TEXT: u16 = 21;
const AGE: u16 = 4;
const SPARK: (u16, u16) = (6, 20);

/// Paints a slot in `room` columns. Only the first slot of a pane has a mark.
pub(super) fn paint(
    pen: &mut Pen<'_>,
    x: u16,
    y: u16,
    room: u16,
    slot: &Slot<'_>,
    mark: Option<Mark>,
    now: Timestamp,
    theme: Theme,
) {
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
            let age = oldest(&slot.parts).and_then(|value| value.age(now)).unwrap_or_default();
            let start = pen.put_right(right, y, tail, &age, theme.stale());
            let why = value.error.filter(|_| value.has_value()).map(|error| short(error.kind));
            let left = right.saturating_sub(tail);
            if let Some(why) = why {
                pen.put(left, y, start.saturating_sub(left + 1), why, theme.missing());
            }
        }
        _ => {
            if let Some(history) = &slot.history {
                let line = sparkline(history, spark as usize, slot.full_at, slot.lows);
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
            let half = room.saturating_sub(1) / 2;
            // Each may use what the other leaves.
            let natural = |part: &Part<'_>| {
                let label = width(&part.label);
                label + u16::from(label > 0) + width(&part.value.words(usize::from(u16::MAX)))
            };
            let for_last = natural(last).min(room.saturating_sub(1 + natural(first).min(half)));
            let for_first = room.saturating_sub(1 + for_last);
            labelled(pen, x, y, for_first, first, false, theme);
            labelled(pen, x + room - for_last, y, for_last, last, true, theme);
        }
    }
}

fn labelled(pen: &mut Pen<'_>, x: u16, y: u16, room: u16, part: &Part<'_>, right: bool, theme: Theme) {
    let words = part.value.words(room as usize);
    let wide = width(&words);
    let style = part.value.style(theme);
    let label = width(&part.label);
    if label > 0 && label + 1 + wide <= room {
        let start = if right { x + room - (label + 1 + wide) } else { x };
        let at = pen.put(start, y, label, &part.label, theme.quiet());
        pen.put(at + 1, y, wide, &words, style);
    } else if right {
        pen.put_right(x + room, y, room, &words, style);
    } else {
        pen.put(x, y, room, &words, style);
    }
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
pub(super) fn sparkline(history: &[Option<f64>], columns: usize, full_at: f64, lows: bool) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let top = history.iter().flatten().copied().fold(full_at, f64::max);
    let columns = columns.min(history.len());
    let mut line = String::with_capacity(columns * 3);
    for column in 0..columns {
        let from = history.len() * column / columns;
        let to = history.len() * (column + 1) / columns;
        let values = history[from..to].iter().flatten().copied();
        let value = if lows { values.reduce(f64::min) } else { values.reduce(f64::max) };
        line.push(match value {
            None => ' ',
            Some(value) if top <= 0.0 || value <= 0.0 => BARS[0],
            Some(value) => BARS[((value / top * 8.0).ceil() as usize).clamp(1, 8) - 1],
        });
    }
    line
}
