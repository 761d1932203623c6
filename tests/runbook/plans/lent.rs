//! Users whom survivors carry already count once in what survivors need; where nobody can tell, once more, and it is said.

use switchtower::domain::ids::{Region, ServiceKey};
use switchtower::domain::metric::Metric;
use switchtower::domain::observation::ErrorKind;
use switchtower::runbook::{Condition, DatabaseChoice, Fact, Params, Plan};

use super::stage::{Stage, of};
use crate::domain::fixture::{World, check_config, error, flat, service_state, topology};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";
const WEST: &str = "us-west-2";

fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

/// The small fleet, of three regions if asked, four tasks a service; by its checks these are out of DNS.
fn fleet(regions: usize, pinned: &[&str], desired: &[(&str, i32)], requests: f64) -> Stage {
    let mut topology = topology();
    if regions == 3 {
        let third = |text: &str| text.replace(EU, WEST).replace("hc-eu", "hc-west").replace("-eu", "-west");
        let like = |text: String| toml::from_str::<toml::Value>(&third(&text)).unwrap();
        let record = like(toml::to_string(&topology.records[1]).unwrap()).try_into().unwrap();
        let region = like(toml::to_string(&topology.regions[1]).unwrap()).try_into().unwrap();
        topology.records.push(record);
        topology.regions.push(region);
    }
    let mut world = World::healthy_in(topology);
    let now = world.now;
    for (index, seen) in world.regions.clone().iter().enumerate() {
        let name = seen.region.as_str();
        if pinned.contains(&name) {
            let check = world.topology.records[index].health_check.clone().unwrap();
            world.dns.health_checks.get_mut(&check).unwrap().succeed(check_config(true, true), now);
        }
        if let Some((_, tasks)) = desired.iter().find(|(region, _)| *region == name) {
            let service = world.regions[index].services.get_mut(&api()).unwrap();
            service.succeed(service_state(*tasks, *tasks), now);
        }
        for (key, series) in &mut world.regions[index].metrics {
            if key.metric == Metric::AlbRequests && !pinned.contains(&name) {
                series.succeed(flat(requests), crate::domain::fixture::window_end());
            }
        }
    }
    Stage::of(world.topology.clone(), world.snapshot())
}

/// Four tasks and a hundred requests a second were the most of each region by itself.
fn peaks(stage: &mut Stage) {
    for entry in &stage.topology.regions {
        stage.peaks.tasks.insert((entry.name.clone(), api()), 4);
        stage.peaks.requests.insert(entry.name.clone(), 100.0);
    }
}

fn carried(stage: &mut Stage, by: &str, tasks: i32) {
    stage.peaks.lent.carried.insert((Region::new(by), api()), tasks);
}

fn moved(stage: &mut Stage, region: &str) {
    stage.peaks.lent.regions.insert(Region::new(region));
}

/// The tasks that the survivor `of` must serve with, and what the plan says of users counted once or twice.
fn need(plan: &Plan, of: &str) -> (i32, Vec<String>) {
    let serving = plan.steps.iter().find_map(|step| match &step.verify {
        Condition::Serving { region, tasks, .. } if region.as_str() == of => Some(*tasks),
        _ => None,
    });
    let said = plan.notes.iter().filter(|note| note.as_str().contains("counted once"));
    (serving.unwrap(), said.map(ToString::to_string).collect())
}

const ONCE: &str =
    "eu-west-1 runs tasks for users of us-east-1 already, or did a short while ago: they are counted once";
const AGAIN: &str = "eu-west-1 may run tasks for users of us-east-1 already, or still; nothing tells how many, so they are \
                     counted once more: rather too much than too little";

type Case = (&'static str, Stage, i32, Option<&'static str>);

fn made(mut stage: Stage, with: &[&dyn Fn(&mut Stage)]) -> Stage {
    for change in with {
        change(&mut stage);
    }
    stage
}

#[test]
fn users_who_were_moved_already_count_once_or_it_is_said() {
    // After a drain of us-east-1, and right after its restore: eight tasks are wanted where four are its own need.
    let out = |requests| fleet(2, &[US], &[(EU, 8)], requests);
    let back = |requests| fleet(2, &[], &[(EU, 8)], requests);
    let run = |stage: &mut Stage| moved(stage, US);
    let by_run = |stage: &mut Stage| carried(stage, EU, 8);
    let unread = |stage: &mut Stage| {
        let at = stage.now;
        for region in stage.fleet.regions.iter_mut().filter(|region| region.region.as_str() == US) {
            let services = &mut std::sync::Arc::make_mut(region).services;
            *services.get_mut(&api()).unwrap() = switchtower::domain::observation::Observed::failed(
                services[&api()].source().clone(),
                error(ErrorKind::TimedOut, at),
            );
        }
    };
    let cases: Vec<Case> = vec![
        ("all in service", made(fleet(2, &[], &[], 6_000.0), &[&peaks]), 8, None),
        ("much is wanted, and nobody was moved", made(back(6_000.0), &[&peaks]), 12, None),
        ("out, by peaks", made(out(12_000.0), &[&peaks]), 8, Some(ONCE)),
        ("out, the load above all peaks", made(out(13_000.0), &[&peaks]), 12, Some(AGAIN)),
        ("out, and nothing else is known", out(12_000.0), 12, Some(AGAIN)),
        ("out by a run", made(out(12_000.0), &[&run, &by_run]), 8, Some(ONCE)),
        (
            "out by a run, the load above all peaks",
            made(out(90_000.0), &[&peaks, &run, &by_run]),
            8,
            Some(ONCE),
        ),
        (
            "out by a run that asked for more",
            made(out(12_000.0), &[&run, &|s| carried(s, EU, 10)]),
            10,
            Some(ONCE),
        ),
        ("out by a run, and dark since", made(out(12_000.0), &[&run, &by_run, &unread]), 8, Some(ONCE)),
        ("out, dark, and nothing else is known", made(out(12_000.0), &[&unread]), 16, Some(AGAIN)),
        (
            "out, and auto scaling has added more",
            made(fleet(2, &[US], &[(EU, 11)], 9_000.0), &[&peaks]),
            11,
            Some(ONCE),
        ),
        ("out, nothing was added yet", made(fleet(2, &[US], &[], 12_000.0), &[&peaks]), 8, None),
        ("just back", made(back(6_000.0), &[&peaks, &run]), 8, Some(ONCE)),
        ("just back, users are on their way", made(back(9_000.0), &[&peaks, &run]), 12, Some(AGAIN)),
        ("just back, and no peaks", made(back(6_000.0), &[&run]), 12, Some(AGAIN)),
        ("let back by hand after a run", made(back(6_000.0), &[&run, &by_run]), 12, Some(AGAIN)),
    ];
    for (name, stage, tasks, said) in cases {
        let said: Vec<String> = said.into_iter().map(Into::into).collect();
        let params = Params { database: Some(DatabaseChoice::Leave), ..of(US) };
        assert_eq!(need(&stage.plan("failover", &params).unwrap(), EU), (tasks, said.clone()), "{name}");
        assert_eq!(need(&stage.plan("drain", &of(US)).unwrap(), EU), (tasks, said), "{name}");
    }
}

#[test]
fn what_the_run_before_knew_is_not_assumed_again() {
    let mut stage = fleet(2, &[US], &[(EU, 8)], 12_000.0);
    let fact = Fact::Service(Region::new(US), api());
    for region in stage.fleet.regions.iter_mut().filter(|region| region.region.as_str() == US) {
        std::sync::Arc::make_mut(region).services.clear();
    }
    assert!(stage.facts.get(&fact).is_none());
    let assumed = |stage: &Stage| {
        let plan = stage.plan("drain", &of(US)).unwrap();
        plan.findings.iter().any(|finding| finding.message.as_str().contains("taken to be as large"))
    };
    assert!(assumed(&stage));
    moved(&mut stage, US);
    carried(&mut stage, EU, 8);
    assert!(!assumed(&stage));
}

/// Whoever takes a second region out has the first one's users to carry as well, at their peak, each once.
#[test]
fn of_three_regions_the_last_carries_everybody_once() {
    let mut stage = fleet(3, &[US], &[(EU, 8), (WEST, 8)], 9_000.0);
    let (tasks, said) = need(&stage.plan("drain", &of(EU)).unwrap(), WEST);
    assert_eq!(tasks, 16, "nothing is known of anybody alone");
    assert_eq!(said, [AGAIN.replace(EU, WEST)]);
    peaks(&mut stage);
    assert_eq!(need(&stage.plan("drain", &of(EU)).unwrap(), WEST).0, 12);
    // At night less is wanted than they need by day: nobody is left out for that.
    let mut night = fleet(3, &[US], &[(EU, 2), (WEST, 2)], 900.0);
    peaks(&mut night);
    assert_eq!(need(&night.plan("drain", &of(EU)).unwrap(), WEST).0, 12);
}

/// The region that goes may want more than it needs too: it carried another one's users a moment ago.
#[test]
fn what_the_region_that_goes_was_lent_is_not_moved_with_it() {
    let mut stage = fleet(2, &[], &[(EU, 8)], 6_000.0);
    moved(&mut stage, US);
    let (tasks, said) = need(&stage.plan("drain", &of(EU)).unwrap(), US);
    assert_eq!((tasks, said), (12, vec![AGAIN.into()]));
    peaks(&mut stage);
    assert_eq!(need(&stage.plan("drain", &of(EU)).unwrap(), US), (8, vec![]));
}
