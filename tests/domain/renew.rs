//! Rows that are renewed from one snapshot to the next are those that deriving all of them would bring.

use std::sync::Arc;

use jiff::SignedDuration;
use switchtower::domain::FleetSnapshot;
use switchtower::domain::checks::{RegionRows, Rows};
use switchtower::domain::observation::{ErrorKind, Observed};
use switchtower::domain::shared::Shared;
use switchtower::domain::snapshot::{ConsistencyMode, RegionSnapshot};

use super::fixture::{World, error, flat, service_state};

fn written(rows: &[RegionRows]) -> Vec<String> {
    rows.iter()
        .map(|rows| {
            let RegionRows { region, alb, ecs, dynamodb, aurora, route53, s3, alarms, probe, in_dns } = rows;
            format!("{region}\n{alb:#?}\n{ecs:#?}\n{dynamodb:#?}\n{aurora:#?}\n{route53:#?}\n{s3:#?}\n{alarms:#?}\n{probe:#?}\n{in_dns:#?}")
        })
        .collect()
}

fn at_once<K: Ord + Clone, T: Clone>(map: &mut Shared<std::collections::BTreeMap<K, Observed<T>>>) {
    let at = super::fixture::NOW.parse().unwrap();
    for observed in map.values_mut() {
        observed.fail(error(ErrorKind::Throttled, at));
    }
}

type Step = (&'static str, fn(&mut RegionSnapshot));

/// Every kind of answer of a region, changed alone.
const STEPS: &[Step] = &[
    ("identity", |region| region.identity.fail(error(ErrorKind::Expired, super::fixture::window_end()))),
    ("load balancers", |region| at_once(&mut region.load_balancers)),
    ("target groups", |region| {
        for targets in region.target_groups.values_mut() {
            let unhealthy = targets.value().unwrap().iter().cloned().map(|mut target| {
                target.state = "unhealthy".into();
                target
            });
            *targets =
                Observed::seen(targets.source().clone(), unhealthy.collect(), targets.as_of().unwrap());
        }
    }),
    ("services", |region| {
        for service in region.services.values_mut() {
            let at = service.as_of().unwrap();
            service.succeed(service_state(7, 1), at);
        }
    }),
    ("scaling", |region| at_once(&mut region.scaling)),
    ("tables", |region| {
        for table in region.tables.values_mut() {
            let (mut state, at) = (table.value().unwrap().clone(), table.as_of().unwrap());
            state.mode = ConsistencyMode::Strong;
            state.status = "UPDATING".into();
            state.replicas.clear();
            table.succeed(state, at);
        }
    }),
    ("tables that were never read", |region| {
        for table in region.tables.values_mut() {
            *table = Observed::pending(table.source().clone());
        }
    }),
    ("global clusters", |region| {
        for cluster in region.global_clusters.values_mut() {
            let (mut state, at) = (cluster.value().unwrap().clone(), cluster.as_of().unwrap());
            state.status = "failing-over".into();
            state.members.clear();
            cluster.succeed(state, at + SignedDuration::from_secs(1));
        }
    }),
    ("clusters", |region| at_once(&mut region.db_clusters)),
    ("buckets", |region| {
        for rules in region.buckets.values_mut() {
            let at = rules.as_of().unwrap();
            rules.succeed(Vec::new(), at);
        }
    }),
    ("alarms", |region| at_once(&mut region.alarms)),
    ("topics", |region| at_once(&mut region.topics)),
    ("metrics", |region| {
        for series in region.metrics.values_mut() {
            let at = series.as_of().unwrap();
            series.succeed(flat(3.0), at);
        }
    }),
    ("probes", |region| {
        for probe in &mut region.probes {
            probe.result.fail(error(ErrorKind::TimedOut, super::fixture::window_end()));
        }
    }),
];

struct Watched {
    world: World,
    snapshot: FleetSnapshot,
    rows: Rows,
}

impl Watched {
    fn healthy() -> Self {
        let world = World::healthy();
        let mut watched = Self { snapshot: world.snapshot(), world, rows: Rows::default() };
        watched.agrees("at first");
        watched
    }

    /// A second later, the rows are renewed and are those of a first look.
    fn agrees(&mut self, what: &str) {
        self.snapshot.now += SignedDuration::from_secs(1);
        let renewed = written(self.rows.renew(&self.world.topology, &self.snapshot));
        let first = written(Rows::default().renew(&self.world.topology, &self.snapshot));
        for (renewed, first) in renewed.iter().zip(&first) {
            let differs = renewed.lines().zip(first.lines()).find(|(a, b)| a != b);
            assert_eq!(differs, None, "{what}");
        }
        assert!(renewed == first, "{what}");
    }
}

#[test]
fn each_kind_of_answer_renews_what_is_made_of_it() {
    for index in 0..World::healthy().regions.len() {
        for (what, step) in STEPS {
            let mut watched = Watched::healthy();
            step(Arc::make_mut(&mut watched.snapshot.regions[index]));
            watched.agrees(what);
            watched.agrees("and nothing since");
        }
    }
}

#[test]
fn answers_add_up() {
    let mut watched = Watched::healthy();
    for (what, step) in STEPS.iter().filter(|(what, _)| *what != "global clusters") {
        for index in 0..watched.snapshot.regions.len() {
            if *what == "tables" || !what.starts_with("tables") {
                step(Arc::make_mut(&mut watched.snapshot.regions[index]));
                watched.agrees(what);
            }
        }
    }
    let dns = Arc::make_mut(&mut watched.snapshot.dns);
    at_once(&mut dns.records);
    for check in dns.health_checks.values_mut() {
        let (mut config, at) = (check.value().unwrap().clone(), check.as_of().unwrap());
        config.disabled = true;
        check.succeed(config, at);
    }
    watched.agrees("Route 53");
}

#[test]
fn time_alone_makes_target_health_unknown() {
    let mut watched = Watched::healthy();
    for minutes in [1, 10, 60] {
        watched.snapshot.now += SignedDuration::from_mins(minutes);
        watched.agrees("targets that were not asked again");
    }
}

#[test]
fn rows_that_nothing_touched_are_the_same_ones() {
    let mut watched = Watched::healthy();
    let topology = &watched.world.topology;
    let before = watched.rows.renew(topology, &watched.snapshot).to_vec();
    let region = Arc::make_mut(&mut watched.snapshot.regions[0]);
    STEPS.iter().find(|(what, _)| *what == "services").unwrap().1(region);
    let after = watched.rows.renew(topology, &watched.snapshot);
    assert!(!after[0].ecs.is(&before[0].ecs), "services answered");
    assert!(after[0].alb.is(&before[0].alb) && after[0].alarms.is(&before[0].alarms));
    assert!(after[1].ecs.is(&before[1].ecs) && after[1].dynamodb.is(&before[1].dynamodb));
}
