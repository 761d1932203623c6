//! Commands: everything that a key can do, each with its name and its sentence for the Help screen.
//!
//! What it is for: one list, [`COMMANDS`], to add to. What it must not do: know keys; `keymap` binds them.

use super::acting::{Book, Choice, Deciding};
use super::screen::{Detail, FindingId, Findings, Screen, Scroll};
use super::{App, Effect};
use crate::app::pane::PaneId;
use crate::runbook::Differing;

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
    Command { name: "quit", doc: "end", run: |app, _| app.quit() },
    Command {
        name: "card",
        doc: "the decision card: wait, drain, drain --now, failover",
        run: |app, _| app.card(),
    },
    Command { name: "arm", doc: "arm by typing a name; armed: back to read-only", run: |app, _| app.arm() },
    Command {
        name: "drain",
        doc: "plan: move users and writers out",
        run: |app, _| app.open_book(Book::Drain),
    },
    Command {
        name: "failover",
        doc: "plan: get users out of a failing region",
        run: |app, _| app.open_book(Book::Failover),
    },
    Command { name: "restore", doc: "plan: bring a region back", run: |app, _| app.open_book(Book::Restore) },
    Command {
        name: "switchover",
        doc: "plan: move the Aurora writer here, or away from here",
        run: |app, _| app.open_book(Book::Switchover),
    },
    Command {
        name: "cleanup",
        doc: "plan: delete what the topology names",
        run: |app, _| app.open_book(Book::Cleanup),
    },
    Command {
        name: "re-pin",
        doc: "plan: put back what keeps a region out, where somebody changed it",
        run: |app, _| app.open_pin(),
    },
    Command { name: "run", doc: "the run: steps, calls, decisions; and back", run: |app, _| app.view_run() },
    Command { name: "confirm", doc: "confirm: type the name and a reason", run: |app, _| app.confirm() },
    Command {
        name: "toggle-now",
        doc: "drain: users first, or capacity first",
        run: |app, _| app.toggle(Choice::Now),
    },
    Command {
        name: "toggle-zero",
        doc: "drain: stop the region's tasks at the end, or keep them",
        run: |app, _| app.toggle(Choice::ScaleToZero),
    },
    Command {
        name: "choose-database",
        doc: "failover: what becomes of the database",
        run: |app, _| app.toggle(Choice::Database),
    },
    Command {
        name: "declare",
        doc: "failover: declare the region down; counts as a signal",
        run: |app, _| app.toggle(Choice::Declare),
    },
    Command {
        name: "toggle-snapshots",
        doc: "cleanup: with final snapshots, or without",
        run: |app, _| app.toggle(Choice::SkipSnapshots),
    },
    Command {
        name: "toggle-whole",
        doc: "cleanup: this region only, or the whole application",
        run: |app, _| app.toggle(Choice::Whole),
    },
    Command {
        name: "bring-back",
        doc: "restore: bring what was saved of this item back",
        run: |app, _| app.settle(Differing::Saved),
    },
    Command {
        name: "keep",
        doc: "restore: keep this item as it is now",
        run: |app, _| app.settle(Differing::Keep),
    },
    Command {
        name: "override",
        doc: "let the reason cover blocks that may be overridden",
        run: |app, _| app.toggle_overrides(),
    },
    Command {
        name: "plan-again",
        doc: "read the world again and plan again",
        run: |app, _| app.plan_afresh(),
    },
    Command { name: "choose-way", doc: "open the plan of this way", run: |app, _| app.choose_way() },
    Command { name: "retry", doc: "try the failed step again", run: |app, _| app.decide(Deciding::Retry) },
    Command { name: "skip", doc: "go on without the failed step", run: |app, _| app.decide(Deciding::Skip) },
    Command {
        name: "undo",
        doc: "list what can be undone: one step, or all",
        run: |app, _| app.decide(Deciding::Undo),
    },
    Command { name: "undo-this", doc: "undo this step, or all", run: |app, _| app.undo_this() },
    Command {
        name: "hand-over",
        doc: "end the run here as halted, for someone else to resume",
        run: |app, _| app.decide(Deciding::HandOver),
    },
    Command {
        name: "abort",
        doc: "stop the run before its next call",
        run: |app, _| app.decide(Deciding::Abort),
    },
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
        Screen::Detail(_)
        | Screen::Timeline(_)
        | Screen::Help(_)
        | Screen::Plan(_)
        | Screen::Card(_)
        | Screen::Run(_)
        | Screen::Undo(_) => NONE,
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
    let left = app.pop();
    // What lay below was planned on a world that has moved on since.
    let mut effects = if left.is_some() { app.plan_again() } else { NONE };
    if let Some(Screen::Detail(_)) = left {
        effects.push(Effect::Focus(None));
    }
    effects
}

fn suspend(_: &mut App, _: char) -> Vec<Effect> {
    vec![Effect::Suspend]
}
