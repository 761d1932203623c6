//! A console on a fleet that a test writes, pressed and looked at.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use switchtower::app::acting::{Basis, Planned};
use switchtower::app::sight::Lookout;
use switchtower::app::{App, Effect, Event, Session, keymap};
use switchtower::domain::Topology;
use switchtower::domain::ids::{Region, ServiceKey, TableName};
use switchtower::domain::metric::Metric;
use switchtower::domain::snapshot::{CheckerTally, LastFailure, ServiceEvent, Usage};
use switchtower::domain::topology::{OnEvacuate, Service, Table};
use switchtower::runbook::{Plan, PlanError};
use switchtower::ui::{self, Theme};

use super::plans;
use crate::domain::fixture::{self, World, flat, series, service_state, target};

/// The console and whoever feeds it.
pub(crate) struct Stage {
    pub(crate) app: App,
    pub(crate) lookout: Lookout,
    pub(crate) size: (u16, u16),
}

impl Stage {
    /// A console that has seen nothing yet.
    pub(crate) fn new(topology: &Topology, size: (u16, u16)) -> Self {
        let now = fixture::NOW.parse().unwrap();
        let session = Session { endpoint: None, demo: Some("regional-outage".into()) };
        let mut app = App::new(Arc::new(topology.clone()), session, now);
        app.update(Event::Resize(size.0, size.1));
        Self { app, lookout: Lookout::default(), size }
    }

    /// A console that looks at `world`.
    pub(crate) fn on(world: &World, size: (u16, u16)) -> Self {
        let mut stage = Self::new(&world.topology, size);
        stage.show(world);
        stage
    }

    pub(crate) fn show(&mut self, world: &World) {
        let mut snapshot = world.snapshot();
        snapshot.usage = Usage { calls_per_minute: 96, dollars_per_hour: 0.037 };
        let sight = self.lookout.look(&world.topology, snapshot);
        self.app.update(Event::Sight(Arc::new(sight)));
    }

    /// Presses keys, written as the keymap writes them, with spaces between.
    pub(crate) fn press(&mut self, keys: &str) -> Vec<Effect> {
        let press = |key: &str| {
            let key = keymap::parse(key).unwrap_or_else(|| panic!("{key} is no key"));
            self.app.update(Event::Key(key)).effects
        };
        keys.split(' ').filter(|key| !key.is_empty()).flat_map(press).collect()
    }

    /// Types words as a keyboard would.
    pub(crate) fn type_in(&mut self, words: &str) {
        let effects = self.type_words(words);
        assert!(effects.is_empty(), "{words} did {effects:?}");
    }

    /// The same where words may be read as commands.
    pub(crate) fn type_words(&mut self, words: &str) -> Vec<Effect> {
        use crokey::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
        let key = |c: char| {
            let shift = if c.is_uppercase() { KeyModifiers::SHIFT } else { KeyModifiers::NONE };
            self.app.update(Event::Key(KeyEvent::new(KeyCode::Char(c), shift).into())).effects
        };
        words.chars().flat_map(key).collect()
    }

    /// Presses keys, and answers every plan that they ask for.
    pub(crate) fn plan(&mut self, keys: &str) {
        let effects = self.press(keys);
        self.answer(effects);
    }

    /// Answers every plan that is asked for.
    pub(crate) fn answer(&mut self, effects: Vec<Effect>) {
        for effect in effects {
            if let Effect::Plan(wish) = effect {
                let more = self.planned(wish.ticket, Basis::Read, plans::answer(&wish));
                self.answer(more);
            }
        }
    }

    /// One answer to a plan that was asked for.
    pub(crate) fn planned(
        &mut self,
        ticket: u64,
        basis: Basis,
        plan: Result<Plan, PlanError>,
    ) -> Vec<Effect> {
        self.app.update(Event::Planned(Box::new(Planned { ticket, basis, plan }))).effects
    }

    /// Arms by the application's name.
    pub(crate) fn arm(&mut self) {
        self.press("shift-a");
        self.type_in("orders");
        self.plan("enter");
    }

    pub(crate) fn tick(&mut self, now: Timestamp) {
        let effects = self.app.update(Event::Tick(now)).effects;
        self.answer(effects);
    }

    pub(crate) fn buffer(&self, theme: Theme) -> Buffer {
        let area = Rect::new(0, 0, self.size.0, self.size.1);
        let mut buffer = Buffer::empty(area);
        ui::draw(&self.app, theme, area, &mut buffer);
        buffer
    }

    /// The screen as text.
    pub(crate) fn text(&self) -> String {
        text(&self.buffer(Theme::MONOCHROME))
    }
}

/// A buffer as lines without trailing blanks.
pub(crate) fn text(buffer: &Buffer) -> String {
    let width = buffer.area.width as usize;
    let mut lines = String::new();
    for row in buffer.content().chunks(width.max(1)) {
        let line: String = row.iter().map(ratatui::buffer::Cell::symbol).collect();
        lines.push_str(line.trim_end());
        lines.push('\n');
    }
    lines
}

/// The fixture's two regions with a second service and a second table.
pub(crate) fn topology() -> Topology {
    let mut topology = fixture::topology();
    for region in &mut topology.regions {
        let key = ServiceKey { cluster: "prod".into(), service: "worker".into() };
        let arn = format!("arn:aws:ecs:{}:123456789012:service/prod/worker", region.name).as_str().into();
        region.services.push(Service {
            key,
            arn,
            target_groups: Vec::new(),
            scalable: true,
            on_evacuate: OnEvacuate::default(),
            uses_database: false,
        });
    }
    let regions = topology.regions.iter().map(|region| region.name.clone()).collect();
    topology.tables.push(Table { name: TableName::new("Customers"), regions, witness: None });
    topology
}

/// As many regions, each like the first two, with as many services.
pub(crate) fn many(regions: usize, services: usize) -> Topology {
    const NAMES: [&str; 30] = [
        "us-east-1",
        "us-east-2",
        "us-west-1",
        "us-west-2",
        "eu-west-1",
        "eu-west-2",
        "eu-west-3",
        "eu-central-1",
        "eu-central-2",
        "eu-north-1",
        "eu-south-1",
        "eu-south-2",
        "ap-northeast-1",
        "ap-northeast-2",
        "ap-northeast-3",
        "ap-southeast-1",
        "ap-southeast-2",
        "ap-southeast-3",
        "ap-southeast-4",
        "ap-south-1",
        "ap-south-2",
        "ap-east-1",
        "ca-central-1",
        "ca-west-1",
        "sa-east-1",
        "af-south-1",
        "me-south-1",
        "me-central-1",
        "il-central-1",
        "mx-central-1",
    ];
    let mut topology = topology();
    let (region, record) = (topology.regions[0].clone(), topology.records[0].clone());
    let member = topology.aurora[0].members[0].clone();
    topology.regions.clear();
    topology.records.clear();
    topology.aurora[0].members.clear();
    topology.replication.clear();
    for name in NAMES.iter().take(regions) {
        let renamed = |text: &str| text.replace("us-east-1", name);
        let mut region = region.clone();
        region.name = Region::new(name);
        for lb in &mut region.load_balancers {
            lb.arn = renamed(lb.arn.as_str()).into();
            lb.dns_name = renamed(lb.dns_name.as_str()).into();
            for group in &mut lb.target_groups {
                *group = renamed(group.as_str()).into();
            }
        }
        for alarm in &mut region.alarms {
            *alarm = renamed(alarm.as_str()).into();
        }
        let service = region.services[0].clone();
        region.services = (0..services)
            .map(|index| {
                let mut service = service.clone();
                service.key.service = format!("api-{index}").into();
                service
            })
            .collect();
        topology.regions.push(region);
        let mut record = record.clone();
        record.region = Region::new(name);
        record.set_identifier = Some((*name).into());
        record.alias_target = renamed(record.alias_target.as_str()).into();
        record.health_check = Some(format!("hc-{name}").into());
        topology.records.push(record);
        let mut member = member.clone();
        member.region = Region::new(name);
        member.id = renamed(member.id.as_str()).into();
        member.arn = renamed(member.arn.as_str()).into();
        topology.aurora[0].members.push(member);
    }
    let all: Vec<Region> = topology.regions.iter().map(|region| region.name.clone()).collect();
    for table in &mut topology.tables {
        table.regions.clone_from(&all);
    }
    topology
}

/// Everything is well.
pub(crate) fn calm() -> World {
    let mut world = World::healthy_in(topology());
    // Traffic has a shape, so that sparklines and charts have one.
    for region in 0..2 {
        let name = if region == 0 { "app/prod-us/50dc6c495c0c9188" } else { "app/prod-eu/60dc6c495c0c9188" };
        let wave = |back: i64| 60_000.0 + 20_000.0 * (back as f64 / 9.0).sin();
        world.set(region, Metric::AlbRequests, &[name], series((1..=60).map(|back| (back, wave(back)))));
    }
    let expires = world.now + SignedDuration::from_mins(42);
    for region in &mut world.regions {
        let mut me = region.identity.value().unwrap().clone();
        me.arn = "arn:aws:sts::123456789012:assumed-role/ops-oncall/alice".into();
        me.expires = Some(expires);
        region.identity.succeed(me, world.now);
    }
    world
}

/// The first region fails: no task runs, no target is healthy, users see errors, Route 53 takes it out.
pub(crate) fn outage() -> World {
    let mut world = calm();
    let now = world.now;
    let at = now - SignedDuration::from_secs(4);
    let alb = "app/prod-us/50dc6c495c0c9188";
    let falling = |from: f64, to: f64| {
        series(
            (1..=60)
                .map(move |back| (back, if back > 6 { from } else { to + (from - to) * back as f64 / 8.0 })),
        )
    };
    world.set(0, Metric::AlbRequests, &[alb], falling(60_000.0, 9_000.0));
    world.set(
        0,
        Metric::AlbElb5xx,
        &[alb],
        series((1..=5).map(|back| (back, 6_000.0 + 900.0 * back as f64))),
    );
    world.set(0, Metric::AlbP99, &[alb], falling(0.18, 9.2));
    for targets in world.regions[0].target_groups.values_mut() {
        targets.succeed((1..=4).map(|n| target(n, "unhealthy")).collect(), at);
    }
    for service in world.regions[0].services.values_mut() {
        let mut state = service_state(4, 0);
        state.events = vec![ServiceEvent {
            id: "e1".into(),
            at: now - SignedDuration::from_secs(80),
            message: "(service api) was unable to place a task because no container instance met all of its requirements.".into(),
        }];
        service.succeed(state, at);
    }
    for alarm in world.regions[0].alarms.values_mut() {
        let mut state = alarm.value().unwrap().clone();
        state.state = "ALARM".into();
        state.reason = "Threshold Crossed: 3 datapoints were greater than the threshold (5.0).".into();
        state.since = Some(now - SignedDuration::from_mins(4));
        alarm.succeed(state, at);
    }
    for probe in &mut world.regions[0].probes {
        probe.result.succeed(fixture::probe_result(503, at), at);
    }
    let check = fixture::check("hc-us");
    world.set_dns(
        Metric::HealthCheckStatus,
        "hc-us",
        series((1..=60).map(|back| (back, f64::from(back > 4)))),
    );
    world.set_dns(
        Metric::HealthCheckPercentageHealthy,
        "hc-us",
        series((1..=60).map(|back| (back, if back > 4 { 100.0 } else { 0.0 }))),
    );
    world
        .dns
        .checkers
        .get_mut(&check)
        .unwrap()
        .succeed(CheckerTally { healthy: 0, total: 16, newest: Some(at) }, at);
    let failure = LastFailure {
        checker: "15.177.2.6 (us-west-2)".into(),
        at: Some(at),
        reason: "Failure: HTTP Status Code 503, Service Unavailable".into(),
    };
    world.dns.last_failures.get_mut(&check).unwrap().succeed(Some(failure), at);
    world.set_dns(Metric::HealthCheckPercentageHealthy, "hc-eu", flat(100.0));
    // What the other region sends there does not arrive.
    let growing =
        series((1..=60).map(|back| (back, if back > 4 { 650.0 } else { 40_000.0 * (5 - back) as f64 })));
    world.set(1, Metric::TableReplicationLatency, &["us-east-1", "Orders"], growing.clone());
    world.set(1, Metric::AuroraRpoLag, &["my-db-eu-west-1"], growing);
    world
}

/// The console has watched the fleet become ill.
pub(crate) fn outage_seen(size: (u16, u16)) -> Stage {
    let mut stage = Stage::on(&calm(), size);
    stage.show(&outage());
    stage
}
