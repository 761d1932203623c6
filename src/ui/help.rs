//! Help: keys from the keymap, sentences from the commands, and what the symbols mean.
//!
//! What it is for: nothing here is written by hand beside a table, so none of it can be out of date.
//! What it must not do: depend on what is selected.

use super::page::Page;
use super::pen::{Pen, width};
use super::theme::{Mark, Theme};
use super::timeline::rule;
use crate::app::command::by_name;
use crate::app::keymap::Layer;
use crate::app::screen::Scroll;

/// Paints Help into all of `pen`.
pub(super) fn paint(pen: &mut Pen<'_>, scroll: &Scroll, theme: Theme) {
    rule(pen, 0, "help", theme);
    let room = pen.width().saturating_sub(1);
    let mut page = Page::default();
    for layer in Layer::ALL {
        if layer != Layer::Everywhere {
            page.line(vec![(format!("  {}", layer.title()), theme.strong())]);
        }
        for binding in layer.bindings() {
            let Some(command) = by_name(binding.command) else { continue };
            let lead =
                format!("  {}{}", binding.shown, " ".repeat(14 - (width(binding.shown) as usize).min(13)));
            page.text((&lead, theme.key()), command.doc, room, theme.plain());
        }
        page.gap();
    }
    for (mark, words) in [
        (Mark::Healthy, "healthy: read lately, and no check complains"),
        (Mark::Warning, "degraded: a warning"),
        (Mark::Critical, "impaired: something critical"),
        (Mark::Unknown, "unknown: too old, never read, or not readable; never taken for healthy"),
        (Mark::Pending, "not asked yet"),
        (Mark::None, "nothing to watch here"),
    ] {
        let lead = format!("  {}{}", mark.symbol(), " ".repeat(13));
        page.text((&lead, theme.mark(mark)), words, room, theme.plain());
    }
    page.gap();
    for (sample, words) in [
        ("12.3 req/s", "a value; the age at the right of its line says when it was so"),
        ("12.3 req/s?", "an old value: what stood in the way is named beside it"),
        ("saved 12m", "from the last session, not read in this one"),
        ("–", "the answer came and holds no data"),
    ] {
        let lead = format!("  {sample}{}", " ".repeat(14 - (width(sample) as usize).min(13)));
        page.text((&lead, theme.plain()), words, room, theme.plain());
    }
    let height = pen.height().saturating_sub(1);
    page.paint(&mut pen.part(0, 1, u16::MAX, height), scroll, theme);
}
