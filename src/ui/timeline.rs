//! What moved: under the overview the newest lines, on its own screen all of them.
//!
//! What it is for: "since when, where, what". What it must not do: keep anything.

use super::format;
use super::pen::{Pen, width};
use super::theme::{Mark, Theme};
use crate::app::acting::StepMark;
use crate::app::screen::Scroll;
use crate::app::{App, PaneId};
use crate::domain::changes::Change;

/// How many lines it takes under an overview of this height, its heading included.
pub(super) fn height(screen: u16, matrix: bool) -> u16 {
    match screen {
        24..=33 if matrix => 3,
        45.. => 10,
        34..=44 => 7,
        24..=33 => 5,
        20..=23 => 3,
        _ => 0,
    }
}

/// The newest changes, newest first.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    rule(pen, 0, "changes", theme);
    let lines = lines(app);
    if lines.is_empty() {
        pen.put(1, 1, pen.width(), "nothing has moved since the start", theme.quiet());
    }
    for (y, line) in lines.iter().take(pen.height().saturating_sub(1) as usize).enumerate() {
        row(pen, y as u16 + 1, line, theme);
    }
}

/// What moved by itself, or what a run did.
enum Line<'a> {
    Moved(&'a Change),
    Ran(&'a StepMark),
}

/// Both together, newest first; of the same moment what was done comes before what came of it.
fn lines(app: &App) -> Vec<Line<'_>> {
    let mut marks = app.acting.marks().into_iter().peekable();
    let mut lines = Vec::with_capacity(app.fleet.changes().len());
    for change in app.fleet.changes() {
        while let Some(mark) = marks.next_if(|mark| mark.at > change.at) {
            lines.push(Line::Ran(mark));
        }
        lines.push(Line::Moved(change));
    }
    lines.extend(marks.map(Line::Ran));
    lines
}

/// The screen of all changes.
pub(super) fn screen(pen: &mut Pen<'_>, app: &App, scroll: &Scroll, theme: Theme) {
    let lines = lines(app);
    rule(pen, 0, &format!("timeline: {} changes since the start, newest first, UTC", lines.len()), theme);
    let window = pen.height().saturating_sub(1) as usize;
    let first = scroll.fit(lines.len(), window, None);
    for (y, line) in lines.iter().skip(first).take(window).enumerate() {
        row(pen, y as u16 + 1, line, theme);
    }
}

/// A heading with a line to the right.
pub(super) fn rule(pen: &mut Pen<'_>, y: u16, title: &str, theme: Theme) {
    let wide = pen.width();
    let at = pen.put(0, y, wide, "─ ", theme.quiet());
    let at = pen.put(at, y, wide.saturating_sub(at), title, theme.strong());
    let rest = wide.saturating_sub(at + 1) as usize;
    pen.put(at + 1, y, wide, &"─".repeat(rest), theme.quiet());
}

fn row(pen: &mut Pen<'_>, y: u16, line: &Line<'_>, theme: Theme) {
    match line {
        Line::Moved(change) => moved(pen, y, change, theme),
        Line::Ran(mark) => {
            let wide = pen.width();
            let at = pen.put(1, y, 8, &format::clock(mark.at), theme.quiet()) + 2;
            pen.put(at, y, 14, mark.region.as_ref().map_or("fleet", |region| region.as_str()), theme.plain());
            let style = if mark.bad { theme.mark(Mark::Critical) } else { theme.strong() };
            let at = pen.put(at + 15, y, 8, "◆ run", style).max(at + 24);
            pen.put(at, y, wide.saturating_sub(at), mark.what.as_str(), style);
        }
    }
}

fn moved(pen: &mut Pen<'_>, y: u16, change: &Change, theme: Theme) {
    let wide = pen.width();
    let mut at = pen.put(1, y, 8, &format::clock(change.at), theme.quiet()) + 2;
    if let Some(region) = &change.region {
        pen.put(at, y, 14, region.as_str(), theme.plain());
    } else {
        pen.put(at, y, 14, "fleet", theme.plain());
    }
    at += 15;
    let pane = PaneId::of_code(change.pane).map_or("", PaneId::title);
    pen.put(at, y, 8, pane, theme.quiet());
    at += 9;
    let style = if bad(change) { theme.mark(Mark::Critical) } else { theme.plain() };
    let resource = if change.resource.is_empty() { "" } else { change.resource.as_str() };
    if width(resource) > 0 {
        let room = wide.saturating_sub(at + width(change.what.as_str()) + 2).max(8);
        at = pen.put(at, y, room, resource, theme.plain()) + 1;
    }
    pen.put(at, y, wide.saturating_sub(at), &change.what.as_str().replace("->", "→"), style);
}

/// Changes to a state that nobody wishes for stand out.
fn bad(change: &Change) -> bool {
    let new = change.what.as_str().rsplit("-> ").next().unwrap_or_default();
    matches!(new, "impaired" | "ALARM" | "unhealthy" | "FAILED" | "not answered" | "0")
}
