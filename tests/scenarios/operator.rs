//! An operator at the console of a scenario, who acts by keys alone: the real model, planner, engine, SDK clients and
//! simulated AWS; only the wiring of `cli` is written out here, on virtual time.

use std::sync::Arc;
use std::time::Duration;

use crokey::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use switchtower::app::acting::{Basis, Planned, Wish};
use switchtower::app::sight::Lookout;
use switchtower::app::{App, Effect, Event, Session, Start, keymap};
use switchtower::runbook::engine::{self, Decided, InMemory, Setup};
use switchtower::runbook::{
    Approval, Executor, LeaseState, Opening, Peaks, Plan, PlanError, RunId, Situation, catalog,
};
use switchtower::ui::{self, Theme};
use tokio::sync::mpsc::{UnboundedSender, unbounded_channel};

use super::play::Play;
use crate::console::stage::text;

pub(crate) struct Operator {
    pub(crate) play: Play,
    pub(crate) app: App,
    lookout: Lookout,
    executor: Arc<dyn Executor>,
    runs: Vec<(RunId, Arc<InMemory>, usize, UnboundedSender<Decided>)>,
    size: (u16, u16),
}

impl Operator {
    /// Opens the console on a scenario.
    pub(crate) fn sits_down(play: Play, scenario: &str, size: (u16, u16)) -> Self {
        let session = Session { endpoint: None, demo: Some(scenario.into()) };
        let mut app = App::new(play.topology.clone(), session, play.clock.now());
        app.update(Event::Resize(size.0, size.1));
        let acting = play.cloud.acting(play.topology.clone(), play.sim.probe(), Some(play.sim.probe()));
        let (lookout, runs) = (Lookout::default(), Vec::new());
        Self { play, app, lookout, executor: Arc::new(acting), runs, size }
    }

    /// Watches for so many seconds.
    pub(crate) async fn watches(&mut self, seconds: u64) {
        for _ in 0..seconds {
            self.play.pass(Duration::from_secs(1)).await;
            let now = self.play.clock.now();
            if now.as_second() % 5 == 0 {
                let sight = self.lookout.look(&self.play.topology, self.play.snapshot());
                self.app.update(Event::Sight(Arc::new(sight)));
            }
            self.app.update(Event::Tick(now));
            for (run, journal, told, _) in &mut self.runs {
                for entry in journal.entries().into_iter().skip(*told) {
                    *told += 1;
                    self.app.update(Event::Run(run.clone(), Arc::new(entry)));
                }
            }
        }
    }

    /// Watches until the screen says so, for at most so many seconds.
    pub(crate) async fn watches_until(&mut self, words: &str, seconds: u64) {
        for _ in 0..seconds {
            if self.screen().contains(words) {
                return;
            }
            self.watches(1).await;
        }
        panic!("never saw {words}:\n{}", self.screen());
    }

    /// What stands there on a terminal of another size; the own size comes back afterwards.
    pub(crate) fn at(&mut self, size: (u16, u16)) -> String {
        let own = std::mem::replace(&mut self.size, size);
        self.app.update(Event::Resize(size.0, size.1));
        // A first frame tells the page how tall it is.
        self.screen();
        let screen = self.screen();
        self.size = own;
        self.app.update(Event::Resize(own.0, own.1));
        screen
    }

    /// Presses keys, written as the keymap writes them.
    pub(crate) async fn presses(&mut self, keys: &str) {
        for key in keys.split(' ') {
            let effects = self.app.update(Event::Key(keymap::parse(key).unwrap())).effects;
            self.carried_out(effects).await;
        }
    }

    /// Types words.
    pub(crate) async fn types(&mut self, words: &str) {
        for c in words.chars() {
            let effects = self
                .app
                .update(Event::Key(KeyEvent::new(KeyCode::Char(c), KeyModifiers::NONE).into()))
                .effects;
            self.carried_out(effects).await;
        }
    }

    pub(crate) fn buffer(&self, theme: Theme) -> Buffer {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        ui::draw(&self.app, theme, area, &mut buffer);
        buffer
    }

    pub(crate) fn screen(&self) -> String {
        text(&self.buffer(Theme::MONOCHROME))
    }

    async fn carried_out(&mut self, effects: Vec<Effect>) {
        let mut effects = std::collections::VecDeque::from(effects);
        while let Some(effect) = effects.pop_front() {
            match effect {
                Effect::Plan(wish) => {
                    let plan = self.planned(&wish).await;
                    let planned = Planned { ticket: wish.ticket, basis: Basis::Read, plan };
                    effects.extend(self.app.update(Event::Planned(Box::new(planned))).effects);
                }
                Effect::Start(start) => self.started(*start),
                Effect::Decide(run, decision) => {
                    let (.., decisions) = self.runs.iter().find(|(known, ..)| *known == run).unwrap();
                    decisions.send((decision, "alice".into())).unwrap();
                }
                _ => {}
            }
        }
    }

    async fn planned(&self, wish: &Wish) -> Result<Plan, PlanError> {
        let (book, topology) = (catalog::by_id(wish.book.id()).unwrap(), &self.play.topology);
        let facts = self.executor.observe(&book.wants(topology, &wish.params)).await;
        let journal = self.runs.last().map(|(_, journal, ..)| journal.entries());
        let situation = Situation {
            topology,
            fleet: &self.play.snapshot(),
            facts: &facts,
            peaks: &Peaks::default(),
            now: self.play.clock.now(),
            armed: wish.armed,
            foreign_endpoint: None,
            lease: LeaseState::Free,
            unfinished: &[],
            journal: journal.as_deref(),
            baseline: None,
        };
        book.plan(&situation, &wish.params)
    }

    fn started(&mut self, start: Start) {
        let (clock, plan) = (self.play.clock, Arc::unwrap_or_clone(start.plan));
        let (typed, reason) = (start.typed.as_str(), start.reason.as_str());
        let approval =
            Approval::mint(&start.arming, clock.now(), &plan, typed, reason, start.overrides).unwrap();
        let region = plan.params.region.as_ref().map(|region| region.as_str().to_owned());
        let run = RunId::new(clock.now(), plan.runbook.as_str(), region.as_deref(), 0x7f3a);
        let opening = Opening {
            run: run.clone(),
            application: plan.application.clone(),
            runbook: plan.runbook.clone(),
            params: plan.params.clone(),
            holder: "ops-oncall/alice".into(),
            host: "bastion-1".into(),
            pid: 4711,
            reason: reason.into(),
            overrides: Vec::new(),
            version: "0".into(),
        };
        let journal = Arc::new(InMemory::new(clock));
        let lease = self.play.topology.lease.as_ref();
        let lease = lease.map(|lease| {
            let table = self.play.cloud.lease_table(lease, &plan.application);
            Arc::new(table) as Arc<dyn switchtower::runbook::LeaseStore>
        });
        let setup = Setup {
            executor: self.executor.clone(),
            lease,
            recorder: journal.clone(),
            clock,
            topology: self.play.topology.clone(),
            emergency: catalog::by_id(plan.runbook.as_str()).unwrap().spec().emergency,
            plan,
            approval,
            opening,
            told: Vec::new(),
            damage: Vec::new(),
            take_over: None,
            attended: true,
            decided: None,
            sampler: None,
        };
        let (decisions, received) = unbounded_channel();
        tokio::spawn(engine::run(setup, received));
        self.runs.push((run.clone(), journal, 0, decisions));
        self.app.update(Event::Started(start.ticket, run));
    }
}
