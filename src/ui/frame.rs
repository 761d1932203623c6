//! The frame of an armed console.
//!
//! What it is for: nobody overlooks that keys can act now, also without colours: the frame is double, and says so
//! in words. What it must not do: take room that a small terminal does not have; there the banner says it alone.
//!
//! ```text
//! ╔═ ARMED 14m ═ A: read-only again ══════════════╗
//! ║ …                                             ║
//! ╚═══════════════════════════════════════════════╝
//! ```

use ratatui::layout::Rect;

use super::pen::Pen;
use super::theme::{Mark, Theme};
use crate::app::App;

/// The least terminal that gets a frame.
const LEAST: (u16, u16) = (60, 16);

/// Paints the frame where there is one; gives the area that is left.
pub(super) fn paint(pen: &mut Pen<'_>, app: &App, theme: Theme) -> Rect {
    let area = pen.area();
    let Some(words) = armed(app) else { return area };
    let (wide, high) = (pen.width(), pen.height());
    if wide < LEAST.0 || high < LEAST.1 {
        return area;
    }
    let style = theme.armed();
    let line = "═".repeat(usize::from(wide - 2));
    pen.put(0, 0, wide, &format!("╔{line}╗"), style);
    pen.put(0, high - 1, wide, &format!("╚{line}╝"), style);
    for y in 1..high - 1 {
        pen.put(0, y, 1, "║", style);
        pen.put(wide - 1, y, 1, "║", style);
    }
    let at = pen.put(2, 0, wide - 4, &format!(" {words} "), theme.sign(Mark::Critical));
    pen.put(at + 1, 0, (wide - 4).saturating_sub(at), " A: read-only again ", style);
    Rect { x: area.x + 1, y: area.y + 1, width: wide - 2, height: high - 2 }
}

/// That the console is armed, for what, and for how long yet. Whole minutes, so that an armed screen is as still
/// as another; seconds only in the last two.
pub(super) fn armed(app: &App) -> Option<String> {
    let now = app.fleet.now();
    let armed = app.acting.armed(now)?;
    let left = armed.arming.until().duration_since(now).as_secs();
    let left = match left {
        ..120 => format!("{left}s"),
        _ => super::format::left(armed.arming.until(), now),
    };
    let what = if armed.cleanup { "ARMED FOR CLEANUP" } else { "ARMED" };
    Some(format!("{what} {left}"))
}
