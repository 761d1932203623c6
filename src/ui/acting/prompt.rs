//! The prompt over the end of a screen.
//!
//! What it is for: the question, what is to be typed, and what was typed. What it must not do: cover what is being
//! confirmed; the screen above gives the room.
//!
//! ```text
//! ─ take users and writers out of us-east-1 ─────────────
//! ▸ type us-east-1   us-ea_
//!   reason           _
//!   ✖ type us-east-1, not "us-west-1"
//! ```

use ratatui::style::Modifier;

use crate::app::acting::{Field, Prompt, Purpose};
use crate::app::{App, Screen};
use crate::ui::pen::{Pen, width};
use crate::ui::theme::{Mark, Theme};
use crate::ui::timeline::rule;

/// How many lines it takes; none while nothing is asked.
pub(in crate::ui) fn height(app: &App) -> u16 {
    app.acting.prompt.as_ref().map_or(0, |prompt| prompt.fields.len() as u16 + 2)
}

/// Paints it into all of `pen`.
pub(in crate::ui) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let Some(prompt) = &app.acting.prompt else { return };
    rule(pen, 0, prompt.title.as_str(), theme);
    let label = prompt.fields.iter().map(|field| width(&words(field))).max().unwrap_or(0) + 3;
    for (line, field) in prompt.fields.iter().enumerate() {
        let y = line as u16 + 1;
        let here = line == prompt.at;
        if here {
            pen.put(0, y, 1, "▸", theme.key());
        }
        let style = if here { theme.strong() } else { theme.plain() };
        pen.put(2, y, u16::MAX, &words(field), style);
        input(&mut pen.part(2 + label, y, u16::MAX, 1), field, here, theme);
    }
    let y = prompt.fields.len() as u16 + 1;
    match &prompt.wrong {
        Some(wrong) => {
            let at = pen.put(2, y, u16::MAX, "✖ ", theme.mark(Mark::Critical));
            pen.put(at, y, u16::MAX, wrong.as_str(), theme.strong());
        }
        None => match newer(app, prompt) {
            Some(words) => {
                let at = pen.put(2, y, u16::MAX, "▲ ", theme.mark(Mark::Warning));
                pen.put(at, y, u16::MAX, words, theme.strong());
            }
            None => drop(pen.put(2, y, u16::MAX, &hint(prompt), theme.quiet())),
        },
    }
}

fn words(field: &Field) -> String {
    match &field.expected {
        Some(expected) if field.label.as_str() == "type" => format!("type {expected}"),
        Some(expected) => format!("{}: type {expected}", field.label),
        None => field.label.to_string(),
    }
}

fn hint(prompt: &Prompt) -> String {
    match (&prompt.purpose, prompt.fields.len()) {
        (Purpose::Confirm { digest, .. }, _) => format!("Enter on the last line starts plan {digest}"),
        (_, 0) => "Enter does it".to_owned(),
        (_, 1) => "then Enter".to_owned(),
        _ => "Enter goes on to the next line, and on the last one does it".to_owned(),
    }
}

/// A reading that came while the name was typed, and would change what is shown.
fn newer(app: &App, prompt: &Prompt) -> Option<&'static str> {
    let Purpose::Confirm { dialog: id, .. } = prompt.purpose else { return None };
    let Screen::Plan(dialog) = app.screen() else { return None };
    let held = dialog.held.as_ref().filter(|held| dialog.id == id && held.differs)?;
    let readable = held.answer.plan.is_ok();
    Some(match (dialog.book.is_emergency(), readable) {
        (true, true) => "the world was read since and differs: Esc shows it; Enter starts what is shown",
        (true, false) => "the world was read since and asks a choice: Esc shows it; Enter starts this",
        (false, _) => "the reading changed the plan: Esc shows it",
    })
}

/// What was typed, and where the cursor is. The end is kept in sight.
fn input(pen: &mut Pen<'_>, field: &Field, here: bool, theme: Theme) {
    let room = pen.width();
    if room < 2 {
        return;
    }
    let scroll = field.input.visual_scroll(usize::from(room) - 1);
    let mut skipped = 0;
    let shown: String = field
        .input
        .value()
        .chars()
        .skip_while(|c| {
            let before = skipped;
            skipped += usize::from(width(c.encode_utf8(&mut [0; 4])));
            before < scroll
        })
        .collect();
    pen.put(0, 0, room, &shown, theme.plain().add_modifier(Modifier::UNDERLINED));
    if here {
        let at = field.input.visual_cursor().saturating_sub(scroll).min(usize::from(room) - 1) as u16;
        if usize::from(at) >= usize::from(width(&shown)) {
            pen.put(at, 0, 1, "▏", theme.key());
        } else {
            pen.tint(at, 0, 1, theme.plain().add_modifier(Modifier::REVERSED));
        }
    }
}
