//! Random fleets of two to six regions: whatever is wired and whatever is ill, a plan that is not blocked leaves somebody
//! alive in DNS, takes nothing from a survivor, and is the same when it is made again.

use std::fmt::Write as _;

use jiff::SignedDuration;
use proptest::prelude::*;
use switchtower::domain::derive::in_dns;
use switchtower::domain::ids::Region;
use switchtower::domain::metric::Metric;
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::snapshot::{HealthCheckConfig, ScalableTarget};
use switchtower::domain::{FleetSnapshot, Topology};
use switchtower::runbook::{DatabaseChoice, Force, GuardId, Operation, Params, Plan, RecordAction};

use super::stage::Stage;
use crate::domain::fixture::{World, age, check_config, error, flat, probe_result, service_state, target};

const REGIONS: [&str; 6] = ["us-east-1", "eu-west-1", "us-west-2", "ap-south-1", "eu-north-1", "sa-east-1"];

/// What a region's own witnesses say.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Word {
    Good,
    Bad,
    Silent,
}

/// Whose check a region's records have.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Check {
    Own,
    Linked,
    None,
    /// The first region's.
    Shared,
}

#[derive(Clone, Debug)]
struct Site {
    targets: Word,
    probe: Word,
    verdict: bool,
    check: Check,
    pinned: bool,
    deleted: bool,
    desired: i32,
    limits: Option<(i32, i32)>,
    peak: Option<i32>,
}

#[derive(Clone, Debug)]
#[allow(clippy::struct_excessive_bools)]
struct Draw {
    sites: Vec<Site>,
    names: usize,
    types: usize,
    share: bool,
    out: usize,
    failover: bool,
    now: bool,
    stop: bool,
}

fn word() -> impl Strategy<Value = Word> {
    prop_oneof![4 => Just(Word::Good), 2 => Just(Word::Bad), 1 => Just(Word::Silent)]
}

fn site() -> impl Strategy<Value = Site> {
    let check = prop_oneof![
        6 => Just(Check::Own), 1 => Just(Check::Linked), 2 => Just(Check::None), 1 => Just(Check::Shared)
    ];
    let limits = prop::option::of((0..6, 6..24));
    let health = (word(), word(), prop::bool::weighted(0.8), check);
    let state = (prop::bool::weighted(0.15), prop::bool::weighted(0.1));
    (health, state, 0..12, limits, prop::option::of(0..20)).prop_map(
        |((targets, probe, verdict, check), (pinned, deleted), desired, limits, peak)| Site {
            targets,
            probe,
            verdict,
            check,
            pinned,
            deleted,
            desired,
            limits,
            peak,
        },
    )
}

fn draw() -> impl Strategy<Value = Draw> {
    let sites = prop::collection::vec(site(), 2..=6);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (sites, 1..=2usize, 1..=2usize, any::<prop::sample::Index>(), flags).prop_map(
        |(sites, names, types, out, (share, failover, now, stop))| Draw {
            out: out.index(sites.len()),
            sites,
            names,
            types,
            share,
            failover,
            now,
            stop,
        },
    )
}

fn check_of(site: &Site, index: usize) -> Option<String> {
    match site.check {
        Check::Own | Check::Linked => Some(format!("hc-{}", REGIONS[index])),
        Check::Shared => Some(format!("hc-{}", REGIONS[0])),
        Check::None => None,
    }
}

fn topology(draw: &Draw) -> Topology {
    let mut text =
        "version = 1\napplication = \"orders\"\n[probe]\ncontrol = \"https://control.example.net/\"\n"
            .to_owned();
    let _ = writeln!(text, "[policy]\nsurvivors_share = {}", draw.share);
    for name in 0..draw.names {
        let _ = writeln!(text, "[[hostname]]\nname = \"n{name}.example.com\"\nzone_id = \"Z1\"");
        for kind in ["A", "AAAA"].into_iter().take(draw.types) {
            for (index, site) in draw.sites.iter().enumerate() {
                let region = REGIONS[index];
                let _ = writeln!(
                    text,
                    "[[record]]\nname = \"n{name}.example.com\"\ntype = \"{kind}\"\nzone_id = \"Z1\"\n\
                     set_identifier = \"{region}\"\npolicy = \"latency\"\nregion = \"{region}\"\n\
                     alias_target = \"lb.{region}.elb.amazonaws.com\"\nalias_zone_id = \"ZELB\""
                );
                if let Some(check) = check_of(site, index) {
                    let _ = writeln!(text, "health_check = \"{check}\"");
                }
            }
        }
    }
    for (index, site) in draw.sites.iter().enumerate() {
        let region = REGIONS[index];
        let elb = format!("arn:aws:elasticloadbalancing:{region}:123456789012");
        let _ = writeln!(
            text,
            "[[region]]\nname = \"{region}\"\n[[region.load_balancer]]\nname = \"lb\"\n\
             arn = \"{elb}:loadbalancer/app/lb/50dc6c495c0c9188\"\ndns_name = \"lb.{region}.elb.amazonaws.com\"\n\
             canonical_zone_id = \"ZELB\"\ntarget_groups = [\"{elb}:targetgroup/api/73e2d6bc24d8a067\"]\n\
             [[region.service]]\ncluster = \"prod\"\nservice = \"api\"\n\
             arn = \"arn:aws:ecs:{region}:123456789012:service/prod/api\"\nscalable = {}",
            site.limits.is_some()
        );
    }
    toml::from_str(&text).unwrap()
}

fn stage(draw: &Draw) -> Stage {
    let mut world = World::healthy_in(topology(draw));
    let now = world.now;
    let old = SignedDuration::from_mins(20);
    for (index, site) in draw.sites.iter().enumerate() {
        let seen = &mut world.regions[index];
        for targets in seen.target_groups.values_mut() {
            match site.targets {
                Word::Good => {}
                Word::Bad => targets.succeed(vec![target(1, "unhealthy")], now),
                Word::Silent => age(targets, old),
            }
        }
        for probe in &mut seen.probes {
            match site.probe {
                Word::Good => {}
                Word::Bad if index % 2 == 0 => probe.result.succeed(probe_result(503, now), now),
                Word::Bad => probe.result.fail(error(ErrorKind::TimedOut, now)),
                Word::Silent => age(&mut probe.result, old),
            }
        }
        for service in seen.services.values_mut() {
            service.succeed(service_state(site.desired, site.desired), now);
        }
        for scaling in seen.scaling.values_mut() {
            let target = |(min, max)| ScalableTarget {
                min,
                max,
                scale_in_suspended: false,
                scale_out_suspended: false,
                scheduled_suspended: false,
            };
            scaling.succeed(site.limits.map(target), now);
        }
        if let Some(check) = check_of(site, index).filter(|_| site.check != Check::Shared) {
            let linked = (site.check == Check::Linked).then(|| "servicediscovery.amazonaws.com".into());
            let config =
                HealthCheckConfig { linked_service: linked, ..check_config(site.pinned, site.pinned) };
            world.dns.health_checks.get_mut(check.as_str()).unwrap().succeed(config, now);
            world.set_dns(Metric::HealthCheckStatus, &check, flat(f64::from(u8::from(site.verdict))));
        }
        if site.deleted {
            for sets in world.dns.records.values_mut() {
                let mut left = sets.value().unwrap().clone();
                left.retain(|set| set.set_identifier.as_ref().is_none_or(|id| id.as_str() != REGIONS[index]));
                sets.succeed(left, now);
            }
        }
    }
    let fleet = world.snapshot();
    let mut stage = Stage::of(world.topology, fleet);
    for (index, site) in draw.sites.iter().enumerate() {
        if let Some(peak) = site.peak {
            let region = stage.topology.regions[index].clone();
            stage.peaks.tasks.insert((region.name, region.services[0].key.clone()), peak);
        }
    }
    stage
}

fn plan(draw: &Draw, stage: &Stage) -> Option<Plan> {
    let params = Params {
        region: Some(Region::new(REGIONS[draw.out])),
        now: draw.now,
        scale_to_zero: draw.stop,
        database: draw.failover.then_some(DatabaseChoice::Leave),
        ..Params::default()
    };
    stage.plan(if draw.failover { "failover" } else { "drain" }, &params).ok()
}

/// What a call does to DNS, done by hand.
fn apply(fleet: &mut FleetSnapshot, call: &Operation) {
    let now = fleet.now;
    let dns = std::sync::Arc::make_mut(&mut fleet.dns);
    match call {
        Operation::SetHealthCheck { check, inverted, disabled, .. } => {
            let config = dns.health_checks.get_mut(check).unwrap();
            let known = config.value().unwrap().clone();
            config.succeed(HealthCheckConfig { inverted: *inverted, disabled: *disabled, ..known }, now);
        }
        Operation::ChangeRecords { changes, .. } => {
            for change in changes {
                assert_eq!(change.action, RecordAction::Delete);
                let sets = dns.records.get_mut(&change.record.name).unwrap();
                let mut left = sets.value().unwrap().clone();
                let before = left.len();
                left.retain(|set| set != &change.record);
                assert_eq!(left.len() + 1, before, "a deletion matches exactly");
                sets.succeed(left, now);
            }
        }
        other => panic!("{other:?} moves nobody here"),
    }
}

/// Certainly dead: a witness says so, and none says the opposite.
fn dead(site: &Site) -> bool {
    let words = [site.targets, site.probe];
    words.contains(&Word::Bad) && !words.contains(&Word::Good)
}

fn judge(draw: &Draw, stage: &Stage, plan: &Plan) {
    let out = Region::new(REGIONS[draw.out]);
    let found = |guard| plan.findings.iter().filter(move |finding| finding.guard == guard);
    let blocked = found(GuardId::Survivors).any(|finding| finding.force == Force::Block);
    let stays = plan.findings.iter().any(|finding| finding.message.as_str().starts_with("its users stay"));
    let answered = |fleet: &FleetSnapshot, index: usize| {
        in_dns(&stage.topology, fleet, &Region::new(REGIONS[index])).value().copied()
    };
    let others = || (0..draw.sites.len()).filter(|index| *index != draw.out);
    for way in plan.steps.iter().flat_map(|step| &step.ways).filter(|way| way.method.is_some()) {
        let mut fleet = stage.fleet.clone();
        for call in &way.calls {
            apply(&mut fleet, call);
            for other in others() {
                let lost =
                    answered(&stage.fleet, other) == Some(true) && answered(&fleet, other) == Some(false);
                assert!(!lost, "{} went too, by {call:?}", REGIONS[other]);
            }
            let living =
                |index: &usize| !dead(&draw.sites[*index]) && answered(&fleet, *index) != Some(false);
            assert!(
                blocked || others().any(|index| living(&index)),
                "nobody alive is left in DNS by {call:?}"
            );
        }
        if !stays && found(GuardId::Survivors).next().is_none() {
            assert_ne!(answered(&fleet, draw.out), Some(true), "{out} stays in DNS by {:?}", way.calls);
        }
    }
    for call in plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls) {
        let site =
            |region: &Region| &draw.sites[REGIONS.iter().position(|name| *name == region.as_str()).unwrap()];
        match call {
            Operation::RegisterScalableTarget { region, min, max, .. } if *region != out => {
                let site = site(region);
                let (least, most) = site.limits.unwrap();
                let max = max.as_ref().unwrap();
                assert!(*min >= least && *max >= most && max >= min, "{call:?} lowers {site:?}");
                assert!(*max >= site.desired, "{call:?} clamps {site:?}");
            }
            Operation::SetDesired { region, desired, .. } if *region != out => {
                assert!(*desired >= site(region).desired, "{call:?} lowers");
            }
            _ => {}
        }
    }
    let mut begun = Vec::new();
    for step in &plan.steps {
        assert!(step.after.iter().all(|id| begun.contains(&id)), "{} waits for what comes later", step.id);
        assert!(!begun.contains(&&step.id), "{} twice", step.id);
        begun.push(&step.id);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_plan_leaves_somebody_alive_in_dns_and_lowers_no_survivor(draw in draw()) {
        let mut stage = stage(&draw);
        let Some(plan) = plan(&draw, &stage) else { return Ok(()) };
        judge(&draw, &stage, &plan);
        let again = self::plan(&draw, &stage);
        prop_assert_eq!(again.as_ref(), Some(&plan), "planned again, the same");
        // A second later nothing but ages is different.
        stage.now += SignedDuration::from_secs(1);
        prop_assert_eq!(self::plan(&draw, &stage).map(|plan| plan.digest()), Some(plan.digest()));
    }
}
