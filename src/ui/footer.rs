//! The last line: what keys do here, and what watching costs.
//!
//! What it is for: hints that come from the keymap, so that none can be wrong. What it must not do: offer
//! a key that does nothing on this screen.

use super::format;
use super::pen::{Pen, width};
use super::theme::{Mark, Theme};
use crate::app::acting::run::Standing;
use crate::app::acting::{Book, RunState};
use crate::app::keymap::{Binding, KEYMAP, Layer};
use crate::app::{App, Screen};

/// The hints of what holds everywhere, the most needed first: on a narrow screen the last have no room.
const ORDER: [&str; 12] = [
    "help", "card", "arm", "run", "back", "open", "findings", "quit", "timeline", "zoom", "refresh", "pause",
];

/// Paints the footer into the first line of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, framed: bool, theme: Theme) {
    let wide = pen.width();
    if let Some(notice) = &app.acting.notice {
        let at = pen.put(1, 0, wide, "▸ ", theme.mark(Mark::Warning));
        pen.put(at, 0, wide, notice.as_str(), theme.strong());
        return;
    }
    let usage = app.fleet.snapshot().usage;
    let calls = format::count(f64::from(usage.calls_per_minute));
    let words = if wide < 100 { "/min" } else { " calls/min " };
    let cost = format!("{calls}{words} ${:.2}/h", usage.dollars_per_hour);
    let mut end = wide.saturating_sub(1);
    // Who is about to act needs keys more than the price of watching.
    let acting = app.screen().layer() != Layer::Everywhere && app.acting.prompt.is_none();
    if wide >= 100 || (wide >= 60 && !acting) {
        end = pen.put_right(end, 0, 28, &cost, theme.quiet()).saturating_sub(1);
    }
    let mut at = 1;
    if app.acting.prompt.is_some() {
        let typed = app.acting.prompt.as_ref().is_some_and(|prompt| !prompt.fields.is_empty());
        let hints = [("Enter", "go on"), ("Tab", "next field"), ("Esc", "close, nothing happens")];
        let plain = [("Enter", "do it"), ("Esc", "close, nothing happens")];
        for (key, hint) in if typed { &hints[..] } else { &plain[..] } {
            at = pen.put(at, 0, end, key, theme.key());
            at = pen.put(at + 1, 0, end.saturating_sub(1), hint, theme.quiet()) + 2;
        }
        return;
    }
    let layer = app.screen().layer();
    let own = if layer == Layer::Everywhere { &[][..] } else { layer.bindings() };
    // Keys that this screen uses otherwise are not offered in their other meaning.
    let taken =
        |binding: &Binding| own.iter().any(|own| own.keys.iter().any(|key| binding.keys.contains(key)));
    let mut everywhere: Vec<&Binding> = KEYMAP.iter().filter(|binding| !taken(binding)).collect();
    let rank = |binding: &&Binding| ORDER.iter().position(|known| *known == binding.command);
    everywhere.sort_by_key(|binding| rank(binding).unwrap_or(ORDER.len()));
    for binding in own.iter().chain(everywhere).filter(|binding| works(binding, app, framed)) {
        let Some(hint) = binding.hint else { continue };
        let hint = match binding.command {
            "pause" if app.paused_since.is_some() => "go on",
            "confirm" if matches!(app.screen(), Screen::Plan(dialog) if !dialog.choices().is_empty()) => {
                "choose"
            }
            "arm" if wants_arming(app) => "arm for cleanup",
            "arm" if super::frame::armed(app).is_some() => "disarm",
            _ => hint,
        };
        if at + width(binding.shown) + 1 + width(hint) > end {
            continue;
        }
        at = pen.put(at, 0, end, binding.shown, theme.key());
        at = pen.put(at + 1, 0, end, hint, theme.quiet()) + 2;
    }
}

/// True where an armed console has to be armed once more.
fn wants_arming(app: &App) -> bool {
    let armed = app.acting.armed(app.fleet.now()).is_some_and(|armed| armed.cleanup);
    matches!(app.screen(), Screen::Plan(dialog) if dialog.book == Book::Cleanup) && !armed
}

/// Whether a hint is true on this screen.
fn works(binding: &Binding, app: &App, framed: bool) -> bool {
    let screen = app.screen();
    match (binding.command, screen) {
        (command, Screen::Plan(dialog))
            if Layer::Plan.bindings().iter().any(|own| own.command == command) =>
        {
            match command {
                // Armed, or with something to choose; the line above says what is missing.
                "confirm" => {
                    let armed = app.acting.armed_for(dialog.book, app.fleet.now()).is_some();
                    (armed && dialog.plan().is_some()) || !dialog.choices().is_empty()
                }
                "plan-again" => true,
                "bring-back" | "keep" => dialog.is_restoring(),
                "override" => dialog.plan().is_some_and(|plan| {
                    plan.findings
                        .iter()
                        .any(|finding| finding.may_override && finding.force == crate::runbook::Force::Block)
                }),
                choice => dialog.book.choices().iter().any(|known| known.command() == choice),
            }
        }
        (command, Screen::Run(view)) if Layer::Run.bindings().iter().any(|own| own.command == command) => {
            let standing = app.acting.run(&view.run).map(|run: &RunState| &run.standing);
            match command {
                "abort" => {
                    matches!(standing, Some(Standing::Running | Standing::Undoing | Standing::Halted(_)))
                }
                _ => matches!(standing, Some(Standing::Halted(_))),
            }
        }
        ("undo-this", Screen::Undo(list)) => {
            app.acting.run(&list.run).is_some_and(|run| run.halt().is_some())
        }
        (
            "pause" | "refresh" | "zoom",
            Screen::Plan(_) | Screen::Card(_) | Screen::Run(_) | Screen::Undo(_),
        )
        | ("card", Screen::Card(_))
        | ("run", Screen::Run(_)) => false,
        ("run", _) => app.acting.current().is_some(),
        // The frame of an armed console says it already.
        ("arm", Screen::Plan(dialog)) => {
            !framed || app.acting.armed_for(dialog.book, app.fleet.now()).is_none()
        }
        ("arm", _) => !framed,
        ("back", screen) => *screen != Screen::Overview,
        ("open", screen) => matches!(screen, Screen::Overview | Screen::Zoom | Screen::Findings(_)),
        ("zoom", screen) => matches!(screen, Screen::Overview | Screen::Zoom),
        _ => true,
    }
}
