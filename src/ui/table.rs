//! Tables of values: a heading, lines, columns that fit.
//!
//! What it is for: the same columns in the overview and in the detail. What it must not do: scroll.

use super::panes::{Row, Table};
use super::pen::{Pen, fit};
use super::theme::Theme;

/// The widths of as many columns as fit in `room`; the first takes what is left, up to a sensible length.
pub(super) fn widths(table: &Table<'_>, room: u16) -> Vec<u16> {
    let mut widths: Vec<u16> = Vec::new();
    let mut left = room;
    for column in table.columns {
        let gap = if widths.is_empty() { 0 } else { 2 };
        if left < column.width + gap && !widths.is_empty() {
            break;
        }
        widths.push(column.width.min(left));
        left = left.saturating_sub(column.width + gap);
    }
    if let Some(first) = widths.first_mut() {
        // Long names deserve room, but numbers should stay near them.
        let longest = table.rows.iter().filter_map(|row| row.cells.first());
        let longest = longest.map(|cell| super::pen::width(&cell.text)).max().unwrap_or(0);
        *first += left.min(longest.saturating_sub(*first));
    }
    widths
}

/// The columns' names.
pub(super) fn heading(pen: &mut Pen<'_>, table: &Table<'_>, widths: &[u16], theme: Theme) {
    let mut x = 0;
    for (column, width) in table.columns.iter().zip(widths) {
        if column.right {
            pen.put_right(x + width, 0, *width, column.title, theme.quiet());
        } else {
            pen.put(x, 0, *width, column.title, theme.quiet());
        }
        x += width + 2;
    }
}

/// One row.
pub(super) fn line(pen: &mut Pen<'_>, table: &Table<'_>, row: &Row<'_>, widths: &[u16], theme: Theme) {
    let mut x = 0;
    for ((column, cell), width) in table.columns.iter().zip(&row.cells).zip(widths) {
        let words = fit(&cell.words(*width as usize), *width as usize);
        if column.right {
            pen.put_right(x + width, 0, *width, &words, cell.style(theme));
        } else {
            pen.put(x, 0, *width, &words, cell.style(theme));
        }
        x += width + 2;
    }
}
