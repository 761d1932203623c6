//! The last line: what keys do here, and what watching costs.
//!
//! What it is for: hints that come from the keymap, so that none can be wrong. What it must not do: offer
//! a key that does nothing on this screen.

use super::format;
use super::pen::{Pen, width};
use super::theme::Theme;
use crate::app::keymap::{Binding, KEYMAP};
use crate::app::{App, Screen};

/// Paints the footer into the first line of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    let wide = pen.width();
    let usage = app.fleet.snapshot().usage;
    let calls = format::count(f64::from(usage.calls_per_minute));
    let words = if wide < 100 { "/min" } else { " calls/min " };
    let cost = format!("{calls}{words} ${:.2}/h", usage.dollars_per_hour);
    let mut end = wide.saturating_sub(1);
    if wide >= 60 {
        end = pen.put_right(end, 0, 28, &cost, theme.quiet()).saturating_sub(1);
    }
    let mut at = 1;
    for binding in KEYMAP.iter().filter(|binding| works(binding, app.screen())) {
        let Some(hint) = binding.hint else { continue };
        let hint = if binding.command == "pause" && app.paused_since.is_some() { "go on" } else { hint };
        if at + width(binding.shown) + 1 + width(hint) > end {
            break;
        }
        at = pen.put(at, 0, end, binding.shown, theme.key());
        at = pen.put(at + 1, 0, end, hint, theme.quiet()) + 2;
    }
}

/// Whether a hint is true on this screen.
fn works(binding: &Binding, screen: &Screen) -> bool {
    match (binding.command, screen) {
        ("back", screen) => *screen != Screen::Overview,
        ("open", screen) => matches!(screen, Screen::Overview | Screen::Zoom | Screen::Findings(_)),
        ("zoom", screen) => matches!(screen, Screen::Overview | Screen::Zoom),
        _ => true,
    }
}
