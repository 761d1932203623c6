//! The list of what can be undone, and what the undo of the chosen step would do.
//!
//! What it is for: the exact calls, what they change from and to, and what was done after the step, before a word is
//! typed. What it must not do: offer what the run has not named as undoable.
//!
//! ```text
//! ─ undo: drain us-east-1 ──────────────────────── ✖ HALTED ─
//!   ▸ 2 take us-east-1 out of DNS                     FAILED
//!     1 let prod/api in eu-west-1 grow to 8 tasks       done
//!       all of them, newest first
//!
//!   let prod/api in eu-west-1 grow to 8 tasks
//!     > let prod/api scale between 4 and 16
//!       ± MinCapacity 8 → 4
//!       application-autoscaling:RegisterScalableTarget in eu-west-1 …
//! ```

use crate::app::App;
use crate::app::acting::{RunState, UndoList};
use crate::runbook::undo::Undoing;
use crate::runbook::{Step, StepId, StepState};
use crate::ui::page::Page;
use crate::ui::pen::{Pen, fit, width};
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;

/// Paints the list into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, list: &UndoList, theme: Theme) {
    let (wide, high) = (pen.width(), pen.height());
    let Some(run) = app.acting.run(&list.run) else {
        rule(pen, 0, &format!("undo: {}", list.run), theme);
        return;
    };
    rule(pen, 0, &format!("undo: {}", run.name()), theme);
    if run.halt().is_some() {
        pen.put_right(wide.saturating_sub(1), 0, 12, " ✖ HALTED ", theme.sign(Mark::Critical));
    }
    let status = u16::from(high >= 4);
    let page = page(app, run, list, wide.saturating_sub(1), theme);
    page.paint(&mut pen.part(0, 1, wide, high.saturating_sub(1 + status)), &list.scroll, theme);
    if status > 0 {
        let (mark, words) = standing(app, run);
        let pen = &mut pen.part(0, high - 1, wide, 1);
        pen.put(1, 0, 2, mark.symbol(), theme.mark(mark));
        pen.put(3, 0, u16::MAX, words, theme.strong());
    }
}

/// What Enter would do.
fn standing(app: &App, run: &RunState) -> (Mark, &'static str) {
    let cleanup = run.opening.as_ref().is_some_and(|opening| opening.runbook.as_str() == "cleanup");
    let armed = app.acting.armed(app.fleet.now()).is_some_and(|armed| armed.cleanup == cleanup);
    match (run.halt().is_some(), armed) {
        (false, _) => (Mark::Pending, "the run has moved on: Esc leads back to it"),
        (true, false) => (Mark::None, "read-only: arm with A"),
        (true, true) => (Mark::Warning, "Enter, then type undo and a reason: this changes AWS"),
    }
}

fn page(app: &App, run: &RunState, list: &UndoList, room: u16, theme: Theme) -> Page {
    let mut page = Page::default();
    let rows = UndoList::rows(run);
    for row in &rows {
        let here = *row == list.step;
        if here {
            page.select_next();
        }
        let style = if here { theme.strong() } else { theme.plain() };
        match row {
            Some(id) => self::row(&mut page, run, id, room, here, theme),
            None => {
                let count = rows.len() - 1;
                let words = match count {
                    1 => "all of it, and the run ends as undone".to_owned(),
                    _ => format!("all {count} of them, newest first, and the run ends as undone"),
                };
                page.line(vec![("      ".to_owned(), theme.plain()), (words, style)]);
            }
        }
    }
    page.gap();
    let all = rows.iter().flatten().filter(|id| list.step.as_ref().is_none_or(|step| step == *id));
    for undoing in all.filter_map(|id| run.undoing(id)) {
        what(&mut page, app, run, &undoing, list.step.is_some(), room, theme);
    }
    if list.step.is_some() {
        let words = "the run waits again afterwards; the step is done again only when you say so";
        page.text(("  → ", theme.key()), words, room, theme.plain());
    }
    page
}

fn row(page: &mut Page, run: &RunState, id: &StepId, room: u16, here: bool, theme: Theme) {
    let Some((index, step)) = run.steps.iter().enumerate().find(|(_, step)| step.id == *id) else { return };
    let word = step.state.word();
    let title_room = usize::from(room).saturating_sub(7 + word.len());
    let title = fit(step.title.as_str(), title_room);
    let blank = " ".repeat(title_room.saturating_sub(usize::from(width(&title))) + 1);
    let style = if here { theme.strong() } else { theme.plain() };
    let bad = step.state == StepState::Failed;
    let mark = if bad { theme.mark(Mark::Critical) } else { theme.quiet() };
    page.line(vec![
        (format!("  {:>3} ", index + 1), theme.quiet()),
        (title, style),
        (blank, theme.plain()),
        (word.to_owned(), mark),
    ]);
}

fn what(
    page: &mut Page,
    app: &App,
    run: &RunState,
    undoing: &Undoing<'_>,
    alone: bool,
    room: u16,
    theme: Theme,
) {
    page.text(("  ", theme.plain()), undoing.step.title.as_str(), room, theme.strong());
    if alone {
        rests(page, run, undoing, room, theme);
    }
    for back in &undoing.calls {
        page.text(("    > ", theme.key()), &back.operation.sentence(), room, theme.plain());
        for change in &back.changes {
            let change = change.as_str().replace("->", "→");
            page.text(("      ± ", theme.key()), &change, room, theme.strong());
        }
        page.text(("      ", theme.plain()), &back.operation.call().to_string(), room, theme.quiet());
        let (words, ill) = super::domain(app, &back.operation.domain());
        if ill {
            let words = format!("by the {words}, which looks ill now");
            page.text(("      ▲ ", theme.mark(Mark::Warning)), &words, room, theme.plain());
        }
    }
}

/// What comes after the step: what was begun of it stays as it is, and the rest waits.
fn rests(page: &mut Page, run: &RunState, undoing: &Undoing<'_>, room: u16, theme: Theme) {
    let begun = |step: &&&Step| {
        let state = run.step(&step.id).map_or(StepState::NotBegun, |step| step.state);
        !matches!(state, StepState::NotBegun | StepState::Undone)
    };
    // Two are named; of more the first says where it begins.
    let titles = |steps: Vec<&&Step>| match steps.as_slice() {
        [first, _, _, ..] => format!("{} steps, the first: {}", steps.len(), first.title),
        few => few.iter().map(|step| step.title.as_str()).collect::<Vec<_>>().join("; "),
    };
    let (done, open): (Vec<&&Step>, Vec<&&Step>) = undoing.dependents.iter().partition(begun);
    if !done.is_empty() {
        let lead = ("    ▲ begun after it, and left as it is: ", theme.mark(Mark::Warning));
        page.text(lead, &titles(done), room, theme.plain());
    }
    if !open.is_empty() {
        let lead = ("    waits until it is done again or skipped: ", theme.quiet());
        page.text(lead, &titles(open), room, theme.plain());
    }
}
