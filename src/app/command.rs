//! Commands: everything that a key can do, each with its name and its sentence for the Help screen.
//!
//! What it is for: one list, [`COMMANDS`], to add to. What it must not do: know keys; `keymap` binds them.

use super::screen::{Detail, FindingId, Findings, Screen, Scroll};
use super::{App, Effect};
use crate::app::pane::PaneId;

/// Something that the operator can make the console do.
pub struct Command {
    /// Stable name.
    pub name: &'static str,
    /// What it does, for Help.
    pub doc: &'static str,
    /// Does it. The character is the key's, for commands that are bound to digits.
    pub run: fn(&mut App, char) -> Vec<Effect>,
}

const NONE: Vec<Effect> = Vec::new();

/// Every command, in the order in which Help shows them.
pub const COMMANDS: &[Command] = &[
    Command { name: "up", doc: "pane, region or row above", run: |app, _| app.step(Direction::Up) },
    Command { name: "down", doc: "pane, region or row below", run: |app, _| app.step(Direction::Down) },
    Command { name: "left", doc: "region or column to the left", run: |app, _| app.step(Direction::Left) },
    Command { name: "right", doc: "region or column to the right", run: |app, _| app.step(Direction::Right) },
    Command { name: "next-pane", doc: "next pane", run: |app, _| app.cycle_pane(1) },
    Command { name: "previous-pane", doc: "previous pane", run: |app, _| app.cycle_pane(-1) },
    Command { name: "region", doc: "go to the region with this number", run: go_to_region },
    Command { name: "open", doc: "open the focused pane: all rows, charts, errors in full", run: open },
    Command { name: "zoom", doc: "one region on the whole screen, and back", run: zoom },
    Command { name: "findings", doc: "all findings with their evidence, worst first", run: findings },
    Command { name: "timeline", doc: "everything that moved since the start", run: timeline },
    Command { name: "page-up", doc: "scroll up by a page", run: |app, _| app.page(-1) },
    Command { name: "page-down", doc: "scroll down by a page", run: |app, _| app.page(1) },
    Command { name: "first", doc: "first pane, region, row or line", run: |app, _| app.far(false) },
    Command { name: "last", doc: "last pane, region, row or line", run: |app, _| app.far(true) },
    Command { name: "refresh", doc: "ask AWS for everything now", run: |_, _| vec![Effect::Refresh] },
    Command { name: "pause", doc: "stop asking AWS, and go on; values grow old meanwhile", run: pause },
    Command { name: "back", doc: "back to the screen before", run: back },
    Command { name: "help", doc: "this page", run: help },
    Command { name: "suspend", doc: "stop and return to the shell; `fg` continues", run: suspend },
    Command { name: "quit", doc: "end", run: |_, _| vec![Effect::Quit] },
];

/// Where a cursor key points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// Up.
    Up,
    /// Down.
    Down,
    /// Left.
    Left,
    /// Right.
    Right,
}

/// Looks a command up by its name.
pub fn by_name(name: &str) -> Option<&'static Command> {
    COMMANDS.iter().find(|command| command.name == name)
}

fn go_to_region(app: &mut App, digit: char) -> Vec<Effect> {
    let index = digit.to_digit(10).unwrap_or(0).saturating_sub(1) as usize;
    let region = app.fleet.regions().nth(index).cloned();
    if let Some(region) = region {
        app.focus.region = region;
        app.row_changed();
    }
    NONE
}

fn open(app: &mut App, _: char) -> Vec<Effect> {
    match app.screen() {
        Screen::Overview | Screen::Zoom => {
            app.push(Screen::Detail(Detail::default()));
            vec![Effect::Focus(Some(app.focus.pane))]
        }
        Screen::Findings(list) => {
            let Some(verdict) = app.fleet.verdict() else { return NONE };
            let selected = selected_finding(list, &verdict.findings);
            let Some(finding) = selected.and_then(|index| verdict.findings.get(index)) else { return NONE };
            let (region, pane) = (finding.region.clone(), PaneId::of_code(finding.pane()));
            if let Some(region) = region.filter(|region| app.fleet.regions().any(|known| known == region)) {
                app.focus.region = region;
            }
            let Some(pane) = pane.filter(|pane| app.fleet.panes().contains(pane)) else { return NONE };
            app.focus.pane = pane;
            app.push(Screen::Detail(Detail::default()));
            vec![Effect::Focus(Some(pane))]
        }
        Screen::Detail(_) | Screen::Timeline(_) | Screen::Help(_) => NONE,
    }
}

/// Which finding the list's cursor is on.
pub fn selected_finding(list: &Findings, findings: &[crate::domain::Finding]) -> Option<usize> {
    let wanted = list.selected.as_ref();
    let found = wanted.and_then(|id| findings.iter().position(|finding| &FindingId::of(finding) == id));
    found.or((!findings.is_empty()).then_some(0))
}

fn zoom(app: &mut App, _: char) -> Vec<Effect> {
    match app.screen() {
        Screen::Zoom => back(app, ' '),
        Screen::Overview => {
            app.push(Screen::Zoom);
            NONE
        }
        _ => NONE,
    }
}

fn findings(app: &mut App, _: char) -> Vec<Effect> {
    match app.screen() {
        Screen::Findings(_) => back(app, ' '),
        _ => app.push_once(Screen::Findings(Findings::default())),
    }
}

fn timeline(app: &mut App, _: char) -> Vec<Effect> {
    match app.screen() {
        Screen::Timeline(_) => back(app, ' '),
        _ => app.push_once(Screen::Timeline(Scroll::default())),
    }
}

fn help(app: &mut App, _: char) -> Vec<Effect> {
    match app.screen() {
        Screen::Help(_) => back(app, ' '),
        _ => app.push_once(Screen::Help(Scroll::default())),
    }
}

fn pause(app: &mut App, _: char) -> Vec<Effect> {
    app.paused_since = match app.paused_since {
        Some(_) => None,
        None => Some(app.fleet.now()),
    };
    vec![Effect::Pause(app.paused_since.is_some())]
}

fn back(app: &mut App, _: char) -> Vec<Effect> {
    match app.pop() {
        Some(Screen::Detail(_)) => vec![Effect::Focus(None)],
        _ => NONE,
    }
}

fn suspend(_: &mut App, _: char) -> Vec<Effect> {
    vec![Effect::Suspend]
}
