//! The focused pane in full: findings with evidence, errors with what mends them, every row, everything
//! known of the selected row, and its last hour as charts.
//!
//! What it is for: what an operator needs before acting, without cutting a sentence. What it must not do:
//! show less than the overview; the overview's numbers are all here.

use super::chart;
use super::format;
use super::page::Page;
use super::panes::{self, Table, finding_mark, region_mark, row_mark};
use super::pen::{Pen, fit, width};
use super::table;
use super::theme::{Mark, Theme};
use crate::app::screen::Detail;
use crate::app::{App, PaneId, RegionView};
use crate::domain::ProbeError;

/// Up to so many rows a table comes before the findings.
const SHORT: usize = 8;

/// Paints the detail into all of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, detail: &Detail, theme: Theme) {
    let Some(view) = app.focused() else { return };
    let pane = panes::of(app.focus.pane);
    let rows = pane.table(&view);
    let ids = view.row_ids(app.focus.pane);
    let selected = detail.row.as_ref().and_then(|row| ids.iter().position(|id| id == row)).unwrap_or(0);
    heading(&mut pen.part(0, 0, u16::MAX, 1), app, &view, theme);

    let trends = pane.trends(&view, selected);
    let body = pen.height().saturating_sub(1);
    let charts = if trends.is_empty() || body < 14 || pen.width() < 40 { 0 } else { (body * 2 / 5).max(8) };
    let sheet = sheet(app, &view, &rows, selected, pen.width().saturating_sub(1), theme);
    // A short sheet leaves its room to the charts.
    let charts = if charts > 0 { charts.max(body.saturating_sub(sheet.len() as u16 + 1)).min(20) } else { 0 };
    sheet.paint(&mut pen.part(0, 1, u16::MAX, body - charts), &detail.scroll, theme);
    if charts > 0 {
        chart::paint(&mut pen.part(0, 1 + body - charts, u16::MAX, charts), &trends, theme);
    }
}

fn heading(pen: &mut Pen<'_>, app: &App, view: &RegionView<'_>, theme: Theme) {
    super::timeline::rule(pen, 0, &format!("{} in {}", app.focus.pane.title(), view.region), theme);
    let mark = region_mark(view);
    let word = view.word();
    let (dns, dns_style) = super::columns::dns(view, theme, true);
    let end = pen.width().saturating_sub(1);
    let start = pen.put_right(end, 0, 14, &format!(" {dns} "), dns_style);
    pen.put_right(start, 0, 14, &format!(" {} {word} ", mark.symbol()), theme.mark(mark));
}

fn sheet(
    app: &App,
    view: &RegionView<'_>,
    rows: &Table<'_>,
    selected: usize,
    room: u16,
    theme: Theme,
) -> Page {
    let mut sheet = Page::default();
    let pane = app.focus.pane;
    let facts = panes::of(pane).facts(view, selected);
    errors(&mut sheet, rows, &facts, room, theme);
    sheet.gap();
    // A short table comes first; behind a long one nobody would find the findings.
    let widths = table::widths(rows, room.saturating_sub(4));
    let short = rows.rows.len() <= SHORT;
    if short {
        lines(&mut sheet, view, pane, rows, &widths, selected, theme);
        sheet.gap();
    }
    for finding in view.pane_findings(pane) {
        let mark = finding_mark(finding);
        let lead = format!("  {} ", mark.symbol());
        let resource =
            if finding.resource.is_empty() { String::new() } else { format!("{}: ", finding.resource) };
        sheet.text(
            (&lead, theme.mark(mark)),
            &format!("{resource}{}", finding.message),
            room,
            theme.strong(),
        );
        for evidence in &finding.evidence {
            sheet.text(("      ", theme.plain()), evidence.as_str(), room, theme.quiet());
        }
        if !finding.next.is_empty() {
            sheet.text(("      next: ", theme.strong()), finding.next.as_str(), room, theme.plain());
        }
    }
    if !short {
        sheet.gap();
        lines(&mut sheet, view, pane, rows, &widths, selected, theme);
    }

    if let Some(row) = rows.rows.get(selected) {
        sheet.gap();
        let name = row.cells.first().map_or(String::new(), |cell| cell.text.clone());
        sheet.line(vec![(format!("  {name}"), theme.strong())]);
        // Values of columns that did not fit, unless a fact says the same at length.
        for (column, cell) in rows.columns.iter().zip(&row.cells).skip(widths.len()) {
            if facts.iter().all(|fact| fact.label != column.title) {
                fact(&mut sheet, column.title, cell, view, room, theme);
            }
        }
        for known in &facts {
            fact(&mut sheet, &known.label, &known.value, view, room, theme);
        }
    }
    sheet
}

fn lines(
    sheet: &mut Page,
    view: &RegionView<'_>,
    pane: PaneId,
    rows: &Table<'_>,
    widths: &[u16],
    selected: usize,
    theme: Theme,
) {
    if rows.rows.is_empty() {
        let name = pane.title();
        sheet.line(vec![(format!("  the topology names nothing for {name} here"), theme.quiet())]);
        return;
    }
    sheet.line(cells(rows, None, widths, Mark::None, theme));
    for (index, row) in rows.rows.iter().enumerate() {
        if index == selected {
            sheet.select_next();
        }
        sheet.line(cells(rows, Some(index), widths, row_mark(view, pane, row), theme));
    }
}

fn fact(
    sheet: &mut Page,
    label: &str,
    value: &super::value::Value<'_>,
    view: &RegionView<'_>,
    room: u16,
    theme: Theme,
) {
    const LABEL: usize = 22;
    let label = fit(label, LABEL - 1);
    let lead = format!("    {label}{}", " ".repeat(LABEL - width(&label) as usize));
    let mut words = value.words(usize::from(u16::MAX));
    if matches!(value.trust, super::value::Trust::Stale | super::value::Trust::Saved) {
        let age = value.age(view.now).unwrap_or_default();
        words = format!("{words}  ({age} ago)");
    }
    if let Some(error) = value.error.filter(|_| !value.has_value()) {
        words = error.message.to_string();
    }
    sheet.text((&lead, theme.quiet()), &words, room, value.style(theme));
}

/// Every failure behind what is shown, once each, in full: call, region, AWS's words, request id, and the
/// step that mends it.
fn errors(sheet: &mut Page, rows: &Table<'_>, facts: &[panes::Fact<'_>], room: u16, theme: Theme) {
    use crate::domain::ErrorKind::{NoData, NotConfigured};
    let values = rows.rows.iter().flat_map(|row| &row.cells).chain(facts.iter().map(|fact| &fact.value));
    let mut known: Vec<&ProbeError> = Vec::new();
    for error in values.filter_map(|value| value.error) {
        let same = |other: &&ProbeError| {
            (&other.call, &other.region, other.kind) == (&error.call, &error.region, error.kind)
        };
        if !matches!(error.kind, NoData | NotConfigured) && !known.iter().any(same) {
            known.push(error);
        }
    }
    if known.is_empty() {
        return;
    }
    for error in known {
        let place = error.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
        let head = format!(
            "could not read, {}: {}{place}, {} UTC",
            error.kind.label(),
            error.call,
            format::clock(error.at)
        );
        sheet.text(("  ? ", theme.mark(Mark::Unknown)), &head, room, theme.missing());
        sheet.text(("      ", theme.plain()), error.message.as_str(), room, theme.plain());
        if let Some(id) = &error.request_id {
            sheet.text(("      request id ", theme.quiet()), id.as_str(), room, theme.plain());
        }
        if !error.next_step.is_empty() {
            sheet.text(("    → ", theme.mark(Mark::Warning)), error.next_step.as_str(), room, theme.strong());
        }
    }
}

/// A line of the table as pieces; `None` is the heading.
fn cells(
    rows: &Table<'_>,
    row: Option<usize>,
    widths: &[u16],
    mark: Mark,
    theme: Theme,
) -> Vec<(String, ratatui::style::Style)> {
    let mut pieces = match row {
        Some(_) => vec![(format!("  {} ", mark.symbol()), theme.mark(mark))],
        None => vec![("    ".to_owned(), theme.plain())],
    };
    for (index, (column, room)) in rows.columns.iter().zip(widths).enumerate() {
        let (words, style) = match row.and_then(|row| rows.rows.get(row)?.cells.get(index)) {
            Some(cell) => (cell.words(*room as usize), cell.style(theme)),
            None => (column.title.to_owned(), theme.quiet()),
        };
        let words = fit(&words, *room as usize);
        let blank = " ".repeat(room.saturating_sub(width(&words)) as usize);
        let words = if column.right { format!("{blank}{words}  ") } else { format!("{words}{blank}  ") };
        pieces.push((words, style));
    }
    if let Some((last, _)) = pieces.last_mut() {
        last.truncate(last.trim_end().len());
    }
    pieces
}
