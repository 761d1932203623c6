//! From the model to a frame.
//!
//! What it is for: [`draw`] paints an [`App`] into a buffer of any size, the same for the same app. The
//! only place with colours ([`theme`]); the layout of each part stands in the comment of its file.
//! What it must not do: change the model, know a terminal, or keep anything between frames.
//!
//! ```text
//!  banner     verdict, reasons, who and where, the run
//!  body       overview | zoom | detail | findings | timeline | help | plan | card | run | undo
//!  prompt     over the end of the body, while something is typed
//!  changes    under an overview, where there is room
//!  footer     keys, cost of watching; or what just happened
//! ```
//!
//! While the console is armed all of this stands in a red frame.

mod acting;
mod banner;
mod chart;
mod columns;
mod detail;
mod findings;
mod footer;
pub mod format;
mod frame;
mod help;
mod matrix;
mod page;
pub mod panes;
pub mod pen;
mod slot;
mod table;
pub mod theme;
mod timeline;
pub mod value;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;

use crate::app::{App, RegionView, Screen};
use pen::Pen;
pub use theme::Theme;

/// Paints the console into `area`.
pub fn draw(app: &App, theme: Theme, area: Rect, buffer: &mut Buffer) {
    let inside = frame::paint(&mut Pen::new(buffer, area), app, theme);
    let (framed, area) = (inside != area, inside);
    let mut pen = Pen::new(buffer, area);
    let (width, height) = (pen.width(), pen.height());
    if width == 0 || height == 0 {
        return;
    }
    let overview = matches!(app.screen(), Screen::Overview | Screen::Zoom);
    let banner = if overview { banner::height(height) } else { banner::height(height).min(2) }.min(height);
    let footer = u16::from(height >= 4);
    let prompt = acting::prompt::height(app).min(height - banner - footer);
    let room = height - banner - footer - prompt;
    let changes = if overview { changes(app, width, height, room) } else { 0 };
    let body = room - changes;
    banner::paint(&mut pen.part(0, 0, width, banner), app, theme);
    self::body(&mut pen.part(0, banner, width, body), app, theme);
    if changes > 0 {
        timeline::paint(&mut pen.part(0, banner + body, width, changes), app, theme);
    }
    if prompt > 0 {
        acting::prompt::paint(&mut pen.part(0, banner + room, width, prompt), app, theme);
    }
    if footer > 0 {
        footer::paint(&mut pen.part(0, height - 1, width, 1), app, framed, theme);
    }
}

/// The lines for changes under an overview: their share, and whatever the overview has no use for.
fn changes(app: &App, width: u16, height: u16, room: u16) -> u16 {
    let share = timeline::height(height, app.is_matrix()).min(room);
    if share == 0 {
        return 0;
    }
    let views: Vec<RegionView<'_>> = match app.screen() {
        Screen::Zoom => app.focused().into_iter().collect(),
        _ if app.is_matrix() => app.focused().into_iter().collect(),
        _ => app.fleet.regions().filter_map(|region| app.fleet.region(region)).collect(),
    };
    let table = match app.screen() {
        Screen::Overview if app.is_matrix() => app.fleet.regions().len() as u16 + 1,
        _ => 0,
    };
    let wanted = columns::wanted(app, &views, width).saturating_add(table);
    room.saturating_sub(wanted).max(share)
}

fn body(pen: &mut Pen<'_>, app: &App, theme: Theme) {
    match app.screen() {
        Screen::Overview => {
            if app.is_matrix() {
                matrix::paint(pen, app, theme);
            } else {
                let views: Vec<RegionView<'_>> =
                    app.fleet.regions().filter_map(|region| app.fleet.region(region)).collect();
                columns::paint(pen, app, &views, true, theme);
            }
        }
        Screen::Zoom => {
            if let Some(view) = app.focused() {
                columns::paint(pen, app, &[view], true, theme);
            }
        }
        Screen::Detail(detail) => detail::paint(pen, app, detail, theme),
        Screen::Findings(list) => findings::paint(pen, app, list, theme),
        Screen::Timeline(scroll) => timeline::screen(pen, app, scroll, theme),
        Screen::Help(scroll) => help::paint(pen, scroll, theme),
        Screen::Plan(dialog) => acting::plan::paint(pen, app, dialog, theme),
        Screen::Card(card) => acting::card::paint(pen, app, card, theme),
        Screen::Run(view) => acting::run::paint(pen, app, view, theme),
        Screen::Undo(list) => acting::undo::paint(pen, app, list, theme),
    }
}
