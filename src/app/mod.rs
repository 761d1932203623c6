//! The console's model: what is looked at, where the cursor is, and what keys do.
//!
//! What it is for: [`App::update`] takes an [`Event`] and says what is wanted ([`Effect`]) and whether the
//! picture changed. It is pure: the same events give the same picture.
//! What it must not do: know the terminal, ratatui or AWS; wait for anything; read a clock.

pub mod acting;
pub mod command;
pub mod event;
pub mod fleet;
pub mod keymap;
pub mod pane;
pub mod screen;
pub mod sight;

use std::sync::Arc;

use jiff::Timestamp;

pub use acting::Acting;
pub use command::Direction;
pub use event::{Effect, Event, Start};
pub use fleet::Fleet;
pub use pane::PaneId;
pub use screen::Screen;
pub use sight::{RegionView, Sight};

use crate::domain::Topology;
use crate::domain::ids::Region;
use crate::domain::text::Text;
use screen::{FindingId, Scroll};

/// From so many regions on, the overview is a table with a line a region.
pub const MATRIX_FROM: usize = 3;

/// The width that a region needs beside others, with its separator.
const COLUMN_WIDTH: u16 = 36;

/// The console.
pub struct App {
    /// What is looked at.
    pub fleet: Fleet,
    /// Where the cursor is.
    pub focus: Focus,
    /// What this session is, for the banner.
    pub session: Session,
    /// Since when no more is asked of AWS; `None` while it is.
    pub paused_since: Option<Timestamp>,
    /// What it may do, and what is being done.
    pub acting: Acting,
    screens: Vec<Screen>,
    size: (u16, u16),
}

/// The cursor, by name: new data never moves it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Focus {
    /// The focused region.
    pub region: Region,
    /// The focused pane.
    pub pane: PaneId,
}

/// What the banner says about this session beside what is observed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Session {
    /// The AWS endpoint, when it is not AWS's own.
    pub endpoint: Option<Text>,
    /// What is simulated, `regional-outage ×10`; `None` when it is the real world.
    pub demo: Option<Text>,
}

/// What came of an event.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Update {
    /// True when the picture may have changed.
    pub redraw: bool,
    /// What is wanted.
    pub effects: Vec<Effect>,
}

impl App {
    /// A console that has seen nothing yet.
    pub fn new(topology: Arc<Topology>, session: Session, now: Timestamp) -> Self {
        let skeleton = Sight::skeleton(&topology, now);
        Self::opening(topology, session, Arc::new(skeleton), now)
    }

    /// The same, with the skeleton that was made of the topology elsewhere.
    pub fn opening(topology: Arc<Topology>, session: Session, skeleton: Arc<Sight>, now: Timestamp) -> Self {
        let fleet = Fleet::new(topology, skeleton, now);
        let region = fleet.regions().next().cloned().unwrap_or_else(|| Region::new(""));
        let pane = fleet.panes().first().copied().unwrap_or(PaneId::Alb);
        Self {
            fleet,
            focus: Focus { region, pane },
            session,
            paused_since: None,
            acting: Acting::default(),
            screens: vec![Screen::Overview],
            size: (80, 24),
        }
    }

    /// Takes an event.
    pub fn update(&mut self, event: Event) -> Update {
        let update = self.take(event);
        self.release_held();
        update
    }

    fn take(&mut self, event: Event) -> Update {
        match event {
            Event::Key(key) => {
                let noticed = self.acting.notice.take().is_some();
                self.forget_eager();
                if self.acting.prompt.is_some() {
                    return Update { redraw: true, effects: self.prompt_key(key) };
                }
                match keymap::command(self.screen().layer(), key) {
                    Some(command) => {
                        let effects = (command.run)(self, keymap::character(key));
                        Update { redraw: true, effects }
                    }
                    None => Update { redraw: noticed, effects: Vec::new() },
                }
            }
            Event::Paste(text) => {
                let Some(prompt) = &mut self.acting.prompt else { return Update::default() };
                prompt.paste(&text);
                Update { redraw: true, effects: Vec::new() }
            }
            Event::Resize(width, height) => {
                self.size = (width, height);
                Update { redraw: true, effects: Vec::new() }
            }
            Event::Sight(sight) => {
                self.fleet.see(sight);
                let mut effects = self.acting_tick();
                effects.extend(self.renew_old(true));
                Update { redraw: true, effects }
            }
            Event::Tick(now) => {
                self.fleet.tick(now);
                let mut effects = self.acting_tick();
                effects.extend(self.renew_old(false));
                Update { redraw: true, effects }
            }
            Event::Planned(planned) => {
                let (redraw, effects) = self.planned(*planned);
                Update { redraw, effects }
            }
            Event::Started(ticket, run) => {
                self.started(ticket, run);
                Update { redraw: true, effects: Vec::new() }
            }
            Event::Refused { ticket, why, plan } => {
                self.refused(ticket, why, plan.map(|plan| *plan));
                Update { redraw: true, effects: Vec::new() }
            }
            Event::Run(run, entry) => {
                self.ran(&run, &entry);
                Update { redraw: true, effects: Vec::new() }
            }
        }
    }

    /// The screen on top.
    pub fn screen(&self) -> &Screen {
        self.screens.last().unwrap_or(&Screen::Overview)
    }

    /// The view of the focused region.
    pub fn focused(&self) -> Option<RegionView<'_>> {
        self.fleet.region(&self.focus.region)
    }

    /// True when the overview has a line a region instead of a column a region.
    pub fn is_matrix(&self) -> bool {
        let regions = self.fleet.regions().len();
        let wide = COLUMN_WIDTH * regions as u16 + 8;
        regions >= MATRIX_FROM || self.size.0 < wide || self.size.1 < 14
    }

    pub(crate) fn push(&mut self, screen: Screen) {
        self.screens.push(screen);
    }

    /// Shows a screen; one of its kind that lies below is left out, so that the stack stays short.
    pub(crate) fn push_once(&mut self, screen: Screen) -> Vec<Effect> {
        let kind = std::mem::discriminant(&screen);
        self.screens.retain(|known| std::mem::discriminant(known) != kind);
        self.screens.push(screen);
        Vec::new()
    }

    /// Leaves the screen on top; the overview stays.
    pub(crate) fn pop(&mut self) -> Option<Screen> {
        if self.screens.len() > 1 { self.screens.pop() } else { None }
    }

    /// Moves the cursor one step.
    pub(crate) fn step(&mut self, direction: Direction) -> Vec<Effect> {
        let (line, sign) = match direction {
            Direction::Up => (true, -1),
            Direction::Down => (true, 1),
            Direction::Left => (false, -1),
            Direction::Right => (false, 1),
        };
        match self.screen() {
            Screen::Overview => {
                if line == self.is_matrix() {
                    self.step_region(sign);
                } else {
                    self.step_pane(sign);
                }
            }
            Screen::Zoom => {
                if line {
                    self.step_pane(sign);
                } else {
                    self.step_region(sign);
                }
            }
            Screen::Detail(_) if line => self.step_row(sign),
            Screen::Detail(_) => self.step_region(sign),
            Screen::Findings(_) if line => self.step_finding(sign),
            Screen::Timeline(scroll) | Screen::Help(scroll) | Screen::Run(acting::RunView { scroll, .. })
                if line =>
            {
                scroll.by(sign);
            }
            Screen::Plan(_) if line => {
                if !self.step_acting(sign)
                    && let Screen::Plan(dialog) = self.screen()
                {
                    dialog.scroll.by(sign);
                }
            }
            Screen::Card(_) => drop(self.step_acting(sign)),
            Screen::Undo(_) if line => drop(self.step_undo(sign)),
            Screen::Findings(_)
            | Screen::Timeline(_)
            | Screen::Help(_)
            | Screen::Plan(_)
            | Screen::Run(_)
            | Screen::Undo(_) => {}
        }
        Vec::new()
    }

    fn step_region(&mut self, sign: isize) {
        // In the table of regions the keys follow what is seen.
        let listed = matches!(self.screen(), Screen::Overview) && self.is_matrix();
        let regions: Vec<&Region> = if listed { self.fleet.listed() } else { self.fleet.regions().collect() };
        let at = regions.iter().position(|region| **region == self.focus.region).unwrap_or(0);
        let to = at.saturating_add_signed(sign).min(regions.len().saturating_sub(1));
        if let Some(region) = regions.get(to) {
            self.focus.region = (*region).clone();
        }
        self.row_changed();
    }

    fn step_pane(&mut self, sign: isize) {
        let panes = self.fleet.panes();
        let at = panes.iter().position(|pane| *pane == self.focus.pane).unwrap_or(0);
        let to = at.saturating_add_signed(sign).min(panes.len().saturating_sub(1));
        if let Some(pane) = panes.get(to) {
            self.focus.pane = *pane;
        }
    }

    /// The next pane, around the end; in a detail the detail follows.
    pub(crate) fn cycle_pane(&mut self, sign: isize) -> Vec<Effect> {
        let panes = self.fleet.panes();
        let at = panes.iter().position(|pane| *pane == self.focus.pane).unwrap_or(0) as isize;
        let count = panes.len().max(1) as isize;
        let to = (at + sign).rem_euclid(count) as usize;
        if let Some(pane) = panes.get(to) {
            self.focus.pane = *pane;
        }
        if let Some(Screen::Detail(detail)) = self.screens.last_mut() {
            *detail = screen::Detail::default();
            return vec![Effect::Focus(Some(self.focus.pane))];
        }
        Vec::new()
    }

    /// A detail that now shows another region starts at its first row.
    pub(crate) fn row_changed(&mut self) {
        if let Some(Screen::Detail(detail)) = self.screens.last_mut() {
            *detail = screen::Detail::default();
        }
    }

    fn step_row(&mut self, sign: isize) {
        let ids = self.focused().map(|view| view.row_ids(self.focus.pane)).unwrap_or_default();
        let Some(Screen::Detail(detail)) = self.screens.last_mut() else { return };
        let at = detail.row.as_ref().and_then(|row| ids.iter().position(|id| id == row)).unwrap_or(0);
        let to = at.saturating_add_signed(sign).min(ids.len().saturating_sub(1));
        // With nowhere to go the page moves instead, so that the keys never seem dead.
        if to == at {
            detail.scroll.by(sign);
        } else {
            detail.row = ids.get(to).cloned();
            detail.scroll.follow();
        }
    }

    fn step_finding(&mut self, sign: isize) {
        let ids: Vec<FindingId> = self
            .fleet
            .verdict()
            .map(|verdict| verdict.findings.iter().map(FindingId::of).collect())
            .unwrap_or_default();
        let Some(Screen::Findings(list)) = self.screens.last_mut() else { return };
        let at = list.selected.as_ref().and_then(|id| ids.iter().position(|known| known == id)).unwrap_or(0);
        let to = at.saturating_add_signed(sign).min(ids.len().saturating_sub(1));
        list.selected = ids.get(to).cloned();
        list.scroll.follow();
    }

    /// Scrolls by pages; in the table of regions it moves the cursor by ten.
    pub(crate) fn page(&mut self, sign: isize) -> Vec<Effect> {
        match self.screen() {
            Screen::Overview | Screen::Zoom => self.step_region(sign * 10),
            Screen::Findings(_) => self.step_finding(sign * 10),
            Screen::Detail(screen::Detail { scroll, .. })
            | Screen::Timeline(scroll)
            | Screen::Help(scroll)
            | Screen::Run(acting::RunView { scroll, .. }) => scroll.page(sign),
            Screen::Plan(dialog) => dialog.scroll.page(sign),
            Screen::Card(card) => card.scroll.page(sign),
            Screen::Undo(list) => list.scroll.page(sign),
        }
        Vec::new()
    }

    /// To the first or the last of whatever the arrow keys move through.
    pub(crate) fn far(&mut self, last: bool) -> Vec<Effect> {
        let sign = if last { isize::MAX } else { isize::MIN };
        match self.screen() {
            Screen::Overview if self.is_matrix() => self.step_region(sign),
            Screen::Overview | Screen::Zoom => self.step_pane(sign),
            Screen::Detail(_) => {
                self.step_row(sign);
                if let Some(Screen::Detail(detail)) = self.screens.last() {
                    ends(&detail.scroll, last);
                }
            }
            Screen::Findings(_) => self.step_finding(sign),
            Screen::Timeline(scroll) | Screen::Help(scroll) | Screen::Run(acting::RunView { scroll, .. }) => {
                ends(scroll, last);
            }
            Screen::Plan(dialog) => ends(&dialog.scroll, last),
            Screen::Card(_) => drop(self.step_acting(sign)),
            Screen::Undo(_) => drop(self.step_undo(sign)),
        }
        Vec::new()
    }
}

fn ends(scroll: &Scroll, last: bool) {
    if last {
        scroll.end();
    } else {
        scroll.home();
    }
}
