//! Whom Route 53 would answer: verdicts, flags, target health, policies.

use switchtower::domain::derive;
use switchtower::domain::ids::HostName;
use switchtower::domain::metric::Metric;
use switchtower::domain::topology::RoutingPolicy;

use super::fixture::{World, check, check_config, flat, region, target};

fn in_dns(world: &World) -> [Option<bool>; 2] {
    let snapshot = world.snapshot();
    ["us-east-1", "eu-west-1"]
        .map(|name| derive::in_dns(&world.topology, &snapshot, &region(name)).value().copied())
}

fn verdict(world: &mut World, check: &str, healthy: bool) {
    world.set_dns(Metric::HealthCheckStatus, check, flat(f64::from(u8::from(healthy))));
}

fn records(world: &mut World, change: impl Fn(usize, &mut switchtower::domain::snapshot::RecordSet)) {
    for sets in world.dns.records.values_mut() {
        let (mut value, at) = (sets.value().cloned().unwrap(), sets.as_of().unwrap());
        value.iter_mut().enumerate().for_each(|(index, set)| change(index, set));
        sets.succeed(value, at);
    }
}

/// A name, what is done to a healthy world, and whom Route 53 answers then: us-east-1, eu-west-1.
type Case = (&'static str, fn(&mut World), [Option<bool>; 2]);

const YES: Option<bool> = Some(true);
const NO: Option<bool> = Some(false);

#[test]
fn who_is_answered() {
    let cases: &[Case] = &[
        ("all healthy", |_| {}, [YES, YES]),
        ("one verdict is bad", |world| verdict(world, "hc-us", false), [NO, YES]),
        (
            "all unhealthy means all are answered",
            |world| {
                verdict(world, "hc-us", false);
                verdict(world, "hc-eu", false);
            },
            [YES, YES],
        ),
        (
            "a disabled check is healthy, whatever the metric says",
            |world| {
                verdict(world, "hc-us", false);
                let at = world.now;
                world
                    .dns
                    .health_checks
                    .get_mut(&check("hc-us"))
                    .unwrap()
                    .succeed(check_config(true, false), at);
            },
            [YES, YES],
        ),
        (
            "disabled and inverted is off, whatever the metric says",
            |world| {
                let at = world.now;
                world
                    .dns
                    .health_checks
                    .get_mut(&check("hc-us"))
                    .unwrap()
                    .succeed(check_config(true, true), at);
            },
            [NO, YES],
        ),
        (
            "inverted alone follows the verdict",
            |world| {
                let at = world.now;
                world
                    .dns
                    .health_checks
                    .get_mut(&check("hc-us"))
                    .unwrap()
                    .succeed(check_config(false, true), at);
            },
            [YES, YES],
        ),
        (
            "target health counts too",
            |world| {
                let at = world.now;
                for targets in world.regions[0].target_groups.values_mut() {
                    targets.succeed(vec![target(1, "unhealthy"), target(2, "draining")], at);
                }
            },
            [NO, YES],
        ),
        (
            "a group without targets is documented both ways",
            |world| {
                let at = world.now;
                for targets in world.regions[0].target_groups.values_mut() {
                    targets.succeed(Vec::new(), at);
                }
            },
            [None, YES],
        ),
        (
            "stale target health settles nothing",
            |world| {
                for targets in world.regions[0].target_groups.values_mut() {
                    super::fixture::age(targets, jiff::SignedDuration::from_mins(5));
                }
            },
            [None, YES],
        ),
        (
            "unknown, but all others are unhealthy: answered either way",
            |world| {
                for targets in world.regions[0].target_groups.values_mut() {
                    super::fixture::age(targets, jiff::SignedDuration::from_mins(5));
                }
                verdict(world, "hc-eu", false);
            },
            [YES, None],
        ),
        (
            "a weight of 0 serves nobody while another is healthy",
            |world| {
                records(world, |index, set| {
                    set.policy = RoutingPolicy::Weighted;
                    set.weight = Some(if index == 0 { 0 } else { 10 });
                });
            },
            [NO, YES],
        ),
        (
            "a weight of 0 serves when all with weight are unhealthy",
            |world| {
                records(world, |index, set| {
                    set.policy = RoutingPolicy::Weighted;
                    set.weight = Some(if index == 0 { 0 } else { 10 });
                });
                verdict(world, "hc-eu", false);
            },
            [YES, NO],
        ),
        (
            "all weights 0 are all equal",
            |world| {
                records(world, |_, set| {
                    set.policy = RoutingPolicy::Weighted;
                    set.weight = Some(0);
                });
            },
            [YES, YES],
        ),
        (
            "failover: the primary while it is healthy",
            |world| {
                records(world, |index, set| {
                    set.policy = RoutingPolicy::Failover;
                    set.selector = Some(if index == 0 { "PRIMARY" } else { "SECONDARY" }.into());
                });
            },
            [YES, NO],
        ),
        (
            "failover: the secondary after it",
            |world| {
                records(world, |index, set| {
                    set.policy = RoutingPolicy::Failover;
                    set.selector = Some(if index == 0 { "PRIMARY" } else { "SECONDARY" }.into());
                });
                verdict(world, "hc-us", false);
            },
            [NO, YES],
        ),
        (
            "a record that is gone is not answered",
            |world| {
                for sets in world.dns.records.values_mut() {
                    let (mut value, at) = (sets.value().cloned().unwrap(), sets.as_of().unwrap());
                    value.remove(0);
                    sets.succeed(value, at);
                }
            },
            [NO, YES],
        ),
        (
            "a plain name of one region sends no users there",
            |world| {
                let mut record = world.topology.records[1].clone();
                let mut sets = world.dns.records[&record.name].clone();
                let (mut value, at) = (sets.value().cloned().unwrap(), sets.as_of().unwrap());
                record.name = HostName::normalized("eu-west-1.api.example.com");
                (record.policy, record.set_identifier) = (RoutingPolicy::Simple, None);
                record.health_check = None;
                value.truncate(1);
                value[0].name = record.name.clone();
                (value[0].policy, value[0].set_identifier) = (RoutingPolicy::Simple, None);
                (value[0].selector, value[0].health_check) = (None, None);
                sets.succeed(value, at);
                world.dns.records.insert(record.name.clone(), sets);
                world.topology.records.push(record);
                verdict(world, "hc-eu", false);
            },
            [YES, NO],
        ),
        ("nothing read yet", |world| *world = World::unread(), [None, None]),
    ];
    for (name, spoil, expected) in cases {
        let mut world = World::healthy();
        spoil(&mut world);
        assert_eq!(in_dns(&world), *expected, "{name}");
    }
}
