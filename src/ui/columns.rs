//! Regions side by side, panes as lines: the overview of one or two regions, the zoom, and what lies
//! under the table of regions.
//!
//! What it is for: the same value of both regions on the same line, so that the eye compares. Which pane
//! gets how many lines follows from the topology and the size only, so nothing jumps when values change.
//! What it must not do: know what a pane says.
//!
//! ```text
//!          │ 1 us-east-1  ✖ failing    not in DNS │ 2 eu-west-1  ● healthy        in DNS
//! ALB      │▸✖ 0 req/s        up 0/4 ▁▁▂▁▁▁  30s  │ ● 1.2k req/s     up 4/4 ▁▂▁▂▂▂  30s
//!          │ 5XX 62.1 %    p99 1.2 s ▁▁▁▂▆█  30s  │   5XX 0.02 % p99 184 ms ▁▁▁▁▁▁  30s
//! ```

use super::panes::{self, Row, Slot, mark, region_mark, row_mark};
use super::pen::{Pen, width};
use super::slot;
use super::theme::{Mark, Theme};
use super::value::Lens;
use crate::app::{App, PaneId, RegionView};
use crate::domain::Standing;

/// The width of the pane's names at the left.
pub(super) const GUTTER: u16 = 9;

/// What one pane shows in one region.
struct Block<'a> {
    slots: Vec<Slot<'a>>,
    mark: Mark,
}

impl<'a> Block<'a> {
    fn of(view: &RegionView<'a>, pane: PaneId) -> Self {
        let slots = panes::of(pane).slots(view);
        let mark = mark(view, pane, &slots);
        Self { slots, mark }
    }
}

/// Paints `regions` side by side into all of `pen`. With `heading`, a line with the regions' names on top.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, regions: &[RegionView<'_>], heading: bool, theme: Theme) {
    if regions.is_empty() || pen.height() == 0 {
        return;
    }
    let count = regions.len() as u16;
    let separators = count - 1;
    let gutter = GUTTER.min(pen.width() / 4);
    let room = pen.width().saturating_sub(gutter + separators) / count;
    let top = u16::from(heading);
    if heading {
        for (index, view) in regions.iter().enumerate() {
            let x = gutter + index as u16 * (room + 1);
            region_heading(&mut pen.part(x, 0, room, 1), app, view, theme);
        }
    }
    let per_line = (room.saturating_sub(1) / slot::WIDTH).max(1);
    let shown = app.fleet.panes();
    let blocks: Vec<Vec<Block<'_>>> =
        shown.iter().map(|pane| regions.iter().map(|view| Block::of(view, *pane)).collect()).collect();
    let needs: Vec<Need> = shown
        .iter()
        .zip(&blocks)
        .map(|(pane, row)| Need {
            slots: row.iter().map(|block| block.slots.len() as u16).max().unwrap_or(0).div_ceil(per_line),
            rows: regions.iter().map(|view| view.row_count(*pane) as u16).max().unwrap_or(0),
        })
        .collect();
    let focused = shown.iter().position(|pane| *pane == app.focus.pane).unwrap_or(0);
    let lines = allot(&needs, pen.height() - top, focused);
    let mut y = top;
    for ((pane, row), given) in shown.iter().zip(&blocks).zip(&lines) {
        let given_lines = given.slots + given.rows;
        if given_lines == 0 {
            continue;
        }
        let here = *pane == app.focus.pane;
        let style = if here { theme.cursor() } else { theme.strong() };
        pen.put(0, y, gutter.saturating_sub(1), pane.title(), style);
        for (index, (view, block)) in regions.iter().zip(row).enumerate() {
            let x = gutter + index as u16 * (room + 1);
            if here && *view.region == app.focus.region {
                pen.put(x, y, 1, "▸", theme.key());
            }
            let mut cell = pen.part(x + 1, y, room.saturating_sub(1), given_lines);
            self::block(&mut cell, view, *pane, block, *given, per_line, theme);
        }
        y += given_lines;
    }
    for separator in 1..count {
        let x = gutter + separator * (room + 1) - 1;
        for line in 0..y {
            pen.put(x, line, 1, "│", theme.quiet());
        }
    }
}

/// Number, name, verdict, and whether users are sent there.
pub(super) fn region_heading(pen: &mut Pen<'_>, app: &App, view: &RegionView<'_>, theme: Theme) {
    let wide = pen.width();
    let number = app.fleet.regions().position(|region| region == view.region).map_or(0, |index| index + 1);
    let number = if (1..=9).contains(&number) { number.to_string() } else { " ".to_owned() };
    let here = *view.region == app.focus.region;
    let name = format!(" {number} {} ", view.region);
    let style = if here { theme.cursor() } else { theme.strong() };
    let mark = region_mark(view);
    let word = view.word();
    let word_room = width(word) + 3;
    let long = width(&name) + word_room + 12 <= wide;
    let (dns, dns_style) = dns(view, theme, long);
    let end = pen.put_right(wide.saturating_sub(1), 0, 12, &dns, dns_style);
    let at = pen.put(0, 0, end.saturating_sub(word_room), &name, style);
    // Of several impaired regions the one that fails its users must catch the eye.
    let failing = view.standing == Some(Standing::Failing);
    let style = if failing { theme.sign(mark) } else { theme.mark(mark) };
    pen.put(at + 1, 0, end.saturating_sub(at + 1), &format!("{} {word}", mark.symbol()), style);
}

/// Whether users are sent to a region, in words.
pub(super) fn dns(view: &RegionView<'_>, theme: Theme, long: bool) -> (String, ratatui::style::Style) {
    let in_dns = &view.rows.in_dns;
    let shown = Lens::of(view).show(in_dns, |yes| match (yes, long) {
        (true, _) => "in DNS".to_owned(),
        (false, true) => "not in DNS".to_owned(),
        (false, false) => "no DNS".to_owned(),
    });
    if !shown.has_value() {
        return ("DNS ?".to_owned(), theme.missing());
    }
    // By our own act: no fault, and not to be taken for one.
    if in_dns.value() == Some(&false) && view.snapshot.pins.of(view.region).is_some() {
        return ("⊘ pinned".to_owned(), theme.strong());
    }
    let style = match (shown.trust, in_dns.value()) {
        (super::value::Trust::Fresh, Some(false)) => theme.mark(Mark::Warning),
        _ => shown.style(theme),
    };
    (shown.words(12), style)
}

fn block(
    pen: &mut Pen<'_>,
    view: &RegionView<'_>,
    pane: PaneId,
    block: &Block<'_>,
    given: Need,
    per_line: u16,
    theme: Theme,
) {
    let room = pen.width() / per_line;
    for (index, slot) in block.slots.iter().enumerate() {
        let (line, column) = (index as u16 / per_line, index as u16 % per_line);
        if line >= given.slots {
            break;
        }
        let mark = (index == 0).then_some(block.mark);
        slot::paint(&mut pen.part(column * room, line, room, 1), slot, mark, view.now, theme);
    }
    if given.rows > 0 {
        rows(&mut pen.part(2, given.slots, u16::MAX, given.rows), view, pane, theme);
    }
}

/// A heading and as many rows as there is room for; the last line says how many are left out. Where not
/// all fit, the ill ones are shown first.
fn rows(pen: &mut Pen<'_>, view: &RegionView<'_>, pane: PaneId, theme: Theme) {
    let table = panes::of(pane).table(view);
    let widths = super::table::widths(&table, pen.width().saturating_sub(2));
    super::table::heading(&mut pen.part(2, 0, u16::MAX, 1), &table, &widths, theme);
    let room = pen.height().saturating_sub(1) as usize;
    let all = table.rows.len();
    let shown = if all > room { room.saturating_sub(1) } else { all };
    let mut rows: Vec<(Mark, &Row<'_>)> =
        table.rows.iter().map(|row| (row_mark(view, pane, row), row)).collect();
    if shown < all {
        rows.sort_by_key(|(mark, _)| std::cmp::Reverse(*mark));
    }
    for (line, (mark, row)) in rows.into_iter().take(shown).enumerate() {
        let y = line as u16 + 1;
        pen.put(0, y, 1, mark.symbol(), theme.mark(mark));
        super::table::line(&mut pen.part(2, y, u16::MAX, 1), &table, row, &widths, theme);
    }
    if shown < all && room > 0 {
        let more = format!("+{} more: Enter", all - shown);
        pen.put(2, shown as u16 + 1, pen.width(), &more, theme.quiet());
    }
}

/// How many lines would show everything of these regions in this width, the heading included.
pub(super) fn wanted(app: &App, regions: &[RegionView<'_>], width: u16) -> u16 {
    let count = regions.len().max(1) as u16;
    let room = width.saturating_sub(GUTTER.min(width / 4) + count - 1) / count;
    let per_line = (room.saturating_sub(1) / slot::WIDTH).max(1);
    let panes = app.fleet.panes().iter().map(|pane| {
        let slots = regions.iter().map(|view| panes::of(*pane).slots(view).len() as u16).max().unwrap_or(0);
        let rows = regions.iter().map(|view| view.row_count(*pane) as u16).max().unwrap_or(0);
        slots.div_ceil(per_line) + if rows > 1 { rows + 1 } else { 0 }
    });
    panes.fold(1, u16::saturating_add)
}

/// Lines that a pane wants, or gets: for its slots, and for its rows with their heading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Need {
    slots: u16,
    rows: u16,
}

/// Who gets how many lines: first one for every pane, then the rest of the slots, then rows of panes that
/// have several. With less than a line for each, those around the cursor.
fn allot(needs: &[Need], lines: u16, focused: usize) -> Vec<Need> {
    let mut given = vec![Need::default(); needs.len()];
    let mut left = lines;
    let visible = usize::from(lines).min(needs.len());
    let first = (focused + 1).saturating_sub(visible);
    for given in given.iter_mut().skip(first).take(visible) {
        given.slots = 1;
        left -= 1;
    }
    loop {
        let before = left;
        for (given, need) in given.iter_mut().zip(needs) {
            if left > 0 && given.slots > 0 && given.slots < need.slots {
                given.slots += 1;
                left -= 1;
            }
        }
        if left == before {
            break;
        }
    }
    loop {
        let before = left;
        for (given, need) in given.iter_mut().zip(needs) {
            // A heading alone tells nothing: the first grant is three lines.
            let wanted = if need.rows > 1 { need.rows + 1 } else { 0 };
            let step = if given.rows == 0 { 3 } else { 1 };
            if given.slots > 0 && left >= step && given.rows < wanted {
                given.rows += step;
                left -= step;
            }
        }
        if left == before {
            break;
        }
    }
    given
}
