//! Many regions: a line a region, a column a pane, and under it the focused region in full.
//!
//! What it is for: thirty regions on one screen. What it must not do: hide that there are more; the
//! heading counts them.
//!
//! ```text
//!   region         DNS  ALB    ECS    DynDB  Aurora R53    S3     Alarms Probe
//! ✖ us-east-1    1 out ✖62.1% ✖0/4   ●812ms ●90ms  ✖0/16  ●0B    ✖2/3   ✖503
//! ```

use super::columns;
use super::panes::{self, mark, region_mark};
use super::pen::{Pen, fit, width};
use super::theme::{Mark, Theme};
use super::value::{Lens, Trust, Value, short, tiny};
use crate::app::{App, RegionView};
use crate::domain::Standing;

const NAME: u16 = 17;
const DNS: u16 = 4;
const CELL: (u16, u16) = (7, 13);

/// The least room for the focused region under the table: its heading and a line a pane.
const DETAIL: u16 = 9;

/// Paints the table, and the focused region under it where there is room.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let regions = app.fleet.regions().len() as u16;
    let height = pen.height();
    let with_detail = height >= DETAIL + 4;
    let table = if with_detail { (regions + 1).min(height - DETAIL) } else { height };
    rows(&mut pen.part(0, 0, u16::MAX, table), app, theme);
    if with_detail {
        let Some(view) = app.focused() else { return };
        let mut below = pen.part(0, table, u16::MAX, height - table);
        below.put(0, 0, columns::GUTTER - 1, "────────", theme.quiet());
        columns::region_heading(&mut below.part(columns::GUTTER, 0, u16::MAX, 1), app, &view, theme);
        columns::paint(&mut below.part(0, 1, u16::MAX, u16::MAX), app, &[view], false, theme);
    }
}

fn rows(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let wide = pen.width();
    let shown = app.fleet.panes();
    let name = NAME.min(wide);
    let room = wide.saturating_sub(name + DNS);
    let count = shown.len() as u16;
    let cell = (room / count.max(1)).clamp(CELL.0, CELL.1);
    let fitting = (room / cell).min(count);
    let focused = shown.iter().position(|pane| *pane == app.focus.pane).unwrap_or(0) as u16;
    let first_pane = (focused + 1).saturating_sub(fitting).min(count - fitting);
    let visible = &shown[first_pane as usize..(first_pane + fitting) as usize];

    // Where room is short, number and symbol touch.
    let gap = if cell >= 9 { 2 } else { 1 };

    // The lines: the focused region is always among them.
    let regions = app.fleet.regions().len();
    let window = pen.height().saturating_sub(1) as usize;
    let listed = app.fleet.listed();
    let at = listed.iter().position(|region| **region == app.focus.region).unwrap_or(0);
    let first = (at + 1).saturating_sub(window.max(1)).min(regions.saturating_sub(window));

    let heading = if regions > window {
        format!("  {}–{} of {regions}", first + 1, (first + window).min(regions))
    } else {
        "  region".to_owned()
    };
    pen.put(0, 0, name.saturating_sub(1), &heading, theme.quiet());
    pen.put(name, 0, DNS, "DNS", theme.quiet());
    for (column, pane) in visible.iter().enumerate() {
        let x = name + DNS + column as u16 * cell;
        let title = if cell >= 11 { pane.title() } else { pane.short() };
        let style = if *pane == app.focus.pane { theme.cursor() } else { theme.strong() };
        pen.put(x + gap, 0, cell.saturating_sub(gap), title, style);
    }
    let shown_regions = listed.iter().skip(first).take(window);
    let views = shown_regions.filter_map(|region| app.fleet.region(region));
    for (line, view) in views.enumerate() {
        let y = line as u16 + 1;
        let number = app.fleet.regions().position(|region| region == view.region).unwrap_or(usize::MAX);
        region(pen, y, app, &view, number, name, theme);
        for (column, pane) in visible.iter().enumerate() {
            let x = name + DNS + column as u16 * cell;
            let slots = panes::of(*pane).slots(&view);
            let mark = mark(&view, *pane, &slots);
            let value = panes::of(*pane).headline(&view);
            let here = *pane == app.focus.pane && *view.region == app.focus.region;
            if here {
                pen.put(x.saturating_sub(1), y, 1, "▸", theme.key());
            }
            pen.put(x, y, 1, mark.symbol(), theme.mark(mark));
            let room = cell.saturating_sub(gap + 1) as usize;
            let words = squeezed(&value, room);
            let style = if mark >= Mark::Warning && value.trust == Trust::Fresh {
                theme.mark(mark)
            } else {
                value.style(theme)
            };
            pen.put(x + gap, y, room as u16, &words, style);
        }
    }
}

/// A value in little room: whole, without blanks, without the `iB` of bytes, or the name of its error. That
/// it is old is told by its symbol and its style.
fn squeezed(value: &Value<'_>, room: usize) -> String {
    let fits = |words: &str| usize::from(width(words)) <= room;
    if fits(&value.text) {
        return value.text.clone();
    }
    if let (Trust::Failed, Some(error)) = (value.trust, value.error) {
        return fit(if fits(short(error.kind)) { short(error.kind) } else { tiny(error.kind) }, room);
    }
    let words = value.text.replace(' ', "");
    if fits(&words) {
        return words;
    }
    fit(words.strip_suffix("iB").unwrap_or(&words), room)
}

fn region(
    pen: &mut Pen<'_>,
    y: u16,
    app: &App,
    view: &RegionView<'_>,
    index: usize,
    name: u16,
    theme: Theme,
) {
    let mark = region_mark(view);
    if view.standing == Some(Standing::Pinned) {
        pen.put(0, y, 1, "⊘", theme.strong());
    } else {
        pen.put(0, y, 1, mark.symbol(), theme.mark(mark));
    }
    let here = *view.region == app.focus.region;
    let style = if here { theme.cursor() } else { theme.plain() };
    pen.put(2, y, name.saturating_sub(3), view.region.as_str(), style);
    if index < 9 && width(view.region.as_str()) + 4 < name {
        pen.put_right(name.saturating_sub(1), y, 1, &(index + 1).to_string(), theme.quiet());
    }
    let in_dns = Lens::of(view).show(&view.rows.in_dns, |yes| if *yes { "in" } else { "out" }.to_owned());
    let style = if in_dns.text == "out" { theme.mark(Mark::Warning) } else { in_dns.style(theme) };
    let words = if in_dns.has_value() { in_dns.words(3) } else { "?".to_owned() };
    let pinned = in_dns.text == "out" && view.snapshot.pins.of(view.region).is_some();
    let (words, style) = if pinned { ("pin".to_owned(), theme.strong()) } else { (words, style) };
    pen.put(name, y, DNS - 1, &words, style);
}
