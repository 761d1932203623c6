//! Ways out of DNS: which calls, in which order, with which undo, and what is refused.

use switchtower::domain::evacuation::EvacuationMethod::{
    self, HealthCheck, Record, RoutingControl, SwitchMetric, SwitchObject,
};
use switchtower::domain::ids::{HealthCheckId, Region};
use switchtower::domain::observation::ErrorKind;
use switchtower::domain::snapshot::HealthCheckConfig;
use switchtower::domain::topology::{
    ArcSettings, RoutingControl as Control, RoutingPolicy, Switch, SwitchWire,
};
use switchtower::runbook::catalog::by_id;
use switchtower::runbook::{
    DatabaseChoice, Fact, Force, Known, Operation, Params, Plan, PlanError, RecordAction, Way,
};

use super::stage::{Stage, of};
use crate::domain::fixture::check_config;

fn failover(stage: &Stage) -> Plan {
    let params = Params { database: Some(DatabaseChoice::Leave), ..of("us-east-1") };
    stage.plan("failover", &params).unwrap()
}

fn ways(plan: &Plan) -> Vec<Way> {
    plan.steps.iter().find(|step| step.id.as_str() == "pin").map(|pin| pin.ways.clone()).unwrap_or_default()
}

fn methods(stage: &Stage) -> Vec<EvacuationMethod> {
    ways(&failover(stage)).iter().filter_map(|way| way.method).collect()
}

/// A parent check over the endpoint and every kind of switch, each of them wired.
fn wired() -> Stage {
    let mut stage = Stage::healthy();
    let out = Region::new("us-east-1");
    let home = Region::new("us-west-2");
    let control = Control {
        region: out.clone(),
        arn: "arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us".into(),
        health_check: Some("hc-control".into()),
    };
    stage.topology.arc = Some(ArcSettings { endpoints: Vec::new(), routing_controls: vec![control] });
    let switch = |health_check: &str, wire| Switch {
        region: out.clone(),
        home: home.clone(),
        health_check: Some(health_check.into()),
        wire,
    };
    let object = SwitchWire::Object { bucket: "switches".into(), key: "evacuate/us-east-1".into() };
    let metric = SwitchWire::Metric { namespace: "switchtower".into(), name: "evacuate".into() };
    stage.topology.switches = vec![switch("hc-object", object), switch("hc-metric", metric)];
    stage.topology.evacuation = Vec::new();
    let parent = HealthCheckConfig {
        check_type: "CALCULATED".into(),
        children: ["hc-control", "hc-object", "hc-metric", "hc-endpoint"].map(Into::into).to_vec(),
        ..check_config(false, false)
    };
    stage.read(Fact::HealthCheck("hc-us".into()), Known::HealthCheck(parent));
    stage
}

#[test]
fn the_most_independent_way_goes_first_and_the_topology_may_say_otherwise() {
    let mut stage = wired();
    assert_eq!(methods(&stage), [RoutingControl, SwitchObject, SwitchMetric, HealthCheck, Record]);
    stage.topology.evacuation = vec![HealthCheck, SwitchObject];
    assert_eq!(methods(&stage), [HealthCheck, SwitchObject]);
}

#[test]
fn a_way_that_leans_on_what_is_ill_goes_behind() {
    let mut stage = wired();
    stage.topology.evacuation = vec![HealthCheck, Record, SwitchObject, RoutingControl];
    stage.time_out(Fact::HealthCheck("hc-eu".into()));
    assert_eq!(methods(&stage), [SwitchObject, RoutingControl, HealthCheck, Record]);
}

#[test]
fn a_switch_that_the_records_check_does_not_count_is_no_way() {
    let mut stage = wired();
    stage.read(Fact::HealthCheck("hc-us".into()), Known::HealthCheck(check_config(false, false)));
    assert_eq!(methods(&stage), [HealthCheck, Record]);
}

#[test]
fn off_is_both_flags_and_undo_is_what_was_saved() {
    let mut stage = Stage::healthy();
    stage.read(Fact::HealthCheck("hc-us".into()), Known::HealthCheck(check_config(true, false)));
    let found = ways(&failover(&stage));
    let set = |version, inverted, disabled| Operation::SetHealthCheck {
        check: "hc-us".into(),
        steers: Region::new("us-east-1"),
        version,
        inverted,
        disabled,
    };
    assert_eq!(found[0].calls, [set(Some(3), true, true)]);
    assert_eq!(found[0].undo, [set(Some(4), false, true)]);
    // What nobody could read is pinned all the same; AWS refuses a version of 0.
    let mut unread = Stage::spoilt(|world| {
        world.dns.health_checks.remove(&HealthCheckId::from("hc-us"));
    });
    unread.time_out(Fact::HealthCheck("hc-us".into()));
    let blind = ways(&failover(&unread));
    let blind = blind.iter().find(|way| way.method == Some(HealthCheck)).unwrap();
    assert_eq!((&blind.calls[..], &blind.undo[..]), (&[set(None, true, true)][..], &[][..]));
}

#[test]
fn a_check_of_another_service_is_read_only() {
    let mut stage = Stage::healthy();
    let linked = HealthCheckConfig {
        linked_service: Some("servicediscovery.amazonaws.com".into()),
        ..check_config(false, false)
    };
    stage.read(Fact::HealthCheck("hc-us".into()), Known::HealthCheck(linked));
    assert_eq!(methods(&stage), [Record]);
    let notes = failover(&stage).notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(notes.contains("servicediscovery.amazonaws.com owns it"), "{notes}");
}

#[test]
fn a_check_that_would_move_another_region_is_listed_and_not_used() {
    let mut stage = Stage::healthy();
    for record in &mut stage.topology.records {
        record.health_check = Some("hc-us".into());
    }
    let zone = stage.topology.records[0].zone_id.clone();
    let name = stage.topology.records[0].name.clone();
    let mut sets = stage.fleet.dns.records[&name].value().unwrap().clone();
    for set in &mut sets {
        set.health_check = Some("hc-us".into());
    }
    stage.read(Fact::Records(zone, name), Known::Records(sets));
    assert_eq!(methods(&stage), [Record]);
    let notes = failover(&stage).notes.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n");
    assert!(notes.contains("it would also move api.example.com A of eu-west-1"), "{notes}");
}

/// What a drain and a failover say about users who stay.
fn staying(stage: &Stage) -> [Vec<String>; 2] {
    let drain = Params { scale_to_zero: true, ..of("us-east-1") };
    [stage.plan("drain", &drain).unwrap(), failover(stage)].map(|plan| {
        let own = plan.findings.iter().filter(|finding| finding.message.as_str().contains("users stay"));
        own.map(|finding| format!("{:?} {}", finding.force, finding.message)).collect()
    })
}

#[test]
fn a_name_that_a_cname_leads_here_is_not_out_of_dns() {
    let cases = [
        ("prod-us.us-east-1.elb.amazonaws.com", true),
        ("dualstack.PROD-US.us-east-1.elb.amazonaws.com.", true),
        ("prod-eu.eu-west-1.elb.amazonaws.com", false),
        ("api.example.com", false),
    ];
    for (target, stays) in cases {
        for alone in [false, true] {
            let mut stage = Stage::healthy();
            stage.topology.regions[0].load_balancers[0].dns_name =
                "prod-us.us-east-1.elb.amazonaws.com".into();
            let mut host = stage.topology.hostnames[0].clone();
            host.name = "old.example.com".into();
            let zone = host.zone_id.clone().unwrap();
            stage.topology.hostnames.push(host);
            let name = stage.topology.records[0].name.clone();
            if alone {
                stage.topology.hostnames.remove(0);
                stage.topology.records.clear();
            }
            let mut set = stage.fleet.dns.records[&name].value().unwrap()[0].clone();
            set.name = "old.example.com".into();
            (set.record_type, set.alias, set.values) = ("CNAME".into(), None, vec![target.into()]);
            stage.read(Fact::Records(zone, "old.example.com".into()), Known::Records(vec![set]));
            let words =
                "its users stay: old.example.com CNAME: a CNAME to a load balancer is moved by no method";
            let wanted: [Vec<String>; 2] = if stays {
                ["Block", "Warn"].map(|force| vec![format!("{force} {words}")])
            } else {
                [Vec::new(), Vec::new()]
            };
            assert_eq!(staying(&stage), wanted, "{target}, alone {alone}");
            let drain = stage.plan("drain", &Params { scale_to_zero: true, ..of("us-east-1") }).unwrap();
            let out = drain.notes.iter().any(|note| note.as_str().contains("it is out of DNS already"));
            assert_eq!(out, alone && !stays, "{target}: {:?}", drain.notes);
        }
    }
}

#[test]
fn a_name_of_which_no_record_is_known_is_read() {
    let mut stage = Stage::healthy();
    let mut host = stage.topology.hostnames[0].clone();
    host.name = "old.example.com".into();
    let fact = Fact::Records(host.zone_id.clone().unwrap(), host.name.clone());
    stage.topology.hostnames.push(host);
    for runbook in ["drain", "failover"] {
        let wants = by_id(runbook).unwrap().wants(&stage.topology, &of("us-east-1"));
        assert!(wants.contains(&fact), "{runbook}");
    }
}

#[test]
fn who_goes_by_place_needs_a_default_elsewhere() {
    // The place of the region's record, those of the other's, and whether its users stay.
    let cases: [(&str, &[&str], bool); 7] = [
        ("US", &["EU"], true),
        ("US", &["*"], false),
        ("US", &["EU", "*"], false),
        ("*", &["EU"], true),
        ("US-CA", &["US"], false),
        ("US-CA", &["EU"], true),
        ("US-CA", &["US-OR"], true),
    ];
    for policy in [RoutingPolicy::Geolocation, RoutingPolicy::IpBased, RoutingPolicy::Latency] {
        for (ours, others, stays) in cases {
            let mut stage = Stage::healthy();
            let (zone, name) =
                (stage.topology.records[0].zone_id.clone(), stage.topology.records[0].name.clone());
            let known = stage.fleet.dns.records[&name].value().unwrap().clone();
            let mut sets = vec![known[0].clone()];
            sets[0].selector = Some(ours.into());
            for (number, place) in others.iter().enumerate() {
                let mut set = known[1].clone();
                set.selector = Some((*place).into());
                if number > 0 {
                    set.set_identifier = Some(format!("eu-west-1 {number}").into());
                }
                sets.push(set);
            }
            for set in &mut sets {
                set.policy = policy;
            }
            stage.read(Fact::Records(zone, name), Known::Records(sets));
            let told = staying(&stage);
            let stays = stays && policy != RoutingPolicy::Latency;
            let words = format!(
                "its users stay: api.example.com A (us-east-1): it goes by place ({ours}), and no default record (*) leads elsewhere"
            );
            let wanted: [Vec<String>; 2] = if stays {
                ["Block", "Warn"].map(|force| vec![format!("{force} {words}")])
            } else {
                [Vec::new(), Vec::new()]
            };
            assert_eq!(told, wanted, "{policy:?} {ours} beside {others:?}");
        }
    }
}

#[test]
fn dns_questions_that_nobody_answers_are_told_before() {
    for (kind, told) in [
        (None, None),
        (Some(ErrorKind::NotConfigured), None),
        (Some(ErrorKind::TimedOut), Some("timed out")),
        (Some(ErrorKind::Unreachable), Some("unreachable")),
    ] {
        let mut stage = Stage::healthy();
        if let Some(kind) = kind {
            stage.fail(Fact::Answers("api.example.com".into()), kind);
        }
        for plan in [stage.plan("drain", &of("us-east-1")).unwrap(), failover(&stage)] {
            let found =
                plan.findings.iter().find(|finding| finding.message.as_str().contains("DNS questions"));
            let said = told.map(|label| {
                format!(
                    "our DNS questions are not answered ({label}): that users have left is told by traffic alone, minutes later"
                )
            });
            assert_eq!(found.map(|finding| finding.message.to_string()), said, "{kind:?}");
            assert!(
                found.is_none_or(|finding| finding.force == Force::Warn && !finding.next_step.is_empty())
            );
        }
    }
}

/// A second name whose record has no check: the way by check deletes that record too, exactly as it is.
#[test]
fn a_way_that_covers_a_part_is_completed_record_by_record() {
    let mut stage = Stage::healthy();
    let mut plain: Vec<_> = stage.topology.records.clone();
    for record in &mut plain {
        record.name = "shop.example.com".into();
        record.health_check = None;
    }
    let mut host = stage.topology.hostnames[0].clone();
    host.name = "shop.example.com".into();
    stage.topology.hostnames.push(host);
    let zone = plain[0].zone_id.clone();
    let known = stage.fleet.dns.records[&stage.topology.records[0].name].value().unwrap().clone();
    stage.topology.records.extend(plain);
    let mut sets = known;
    for set in &mut sets {
        set.name = "shop.example.com".into();
        set.health_check = None;
    }
    stage.read(Fact::Records(zone, "shop.example.com".into()), Known::Records(sets.clone()));
    let plan = failover(&stage);
    let ways = ways(&plan);
    assert_eq!(ways[0].method, Some(HealthCheck));
    let [Operation::SetHealthCheck { .. }, Operation::ChangeRecords { changes, .. }] = &ways[0].calls[..]
    else {
        panic!("{:?}", ways[0].calls)
    };
    assert_eq!(changes.len(), 1);
    assert_eq!((changes[0].action, &changes[0].record), (RecordAction::Delete, &sets[0]));
    let Operation::ChangeRecords { changes, .. } = &ways[0].undo[0] else { panic!("{:?}", ways[0].undo) };
    assert_eq!((changes[0].action, &changes[0].record), (RecordAction::Upsert, &sets[0]), "newest first");
    let names: Vec<&str> =
        plan.steps.iter().filter_map(|step| step.id.as_str().strip_prefix("synthetic/")).collect();
    assert_eq!(names, ["api.example.com", "shop.example.com"]);

    // Never the last of its name: without the other region's record there is no way for this one.
    stage
        .topology
        .records
        .retain(|record| record.name.as_str() != "shop.example.com" || record.region.as_str() == "us-east-1");
    sets.truncate(1);
    let zone = stage.topology.records[0].zone_id.clone();
    stage.read(Fact::Records(zone, "shop.example.com".into()), Known::Records(sets));
    let plan = failover(&stage);
    assert!(self::ways(&plan).iter().all(|way| !format!("{:?}", way.calls).contains("shop.example.com")));
    let told = plan.findings.iter().map(|finding| finding.message.to_string()).collect::<Vec<_>>().join("\n");
    assert!(told.contains("it is the last record of its name"), "{told}");
    let drain = stage.plan("drain", &of("us-east-1")).unwrap();
    assert!(switchtower::runbook::catalog::blocking(&drain.findings).count() > 0);
}

#[test]
fn what_makes_no_sense_is_no_plan() {
    let mut stage = Stage::healthy();
    let plan = |stage: &Stage, params: &Params| stage.plan("failover", params).unwrap_err();
    assert!(matches!(plan(&stage, &Params::default()), PlanError::Params(_)));
    assert!(matches!(plan(&stage, &of("eu-west-3")), PlanError::Params(_)));
    let to = Params { to: Some(Region::new("us-east-1")), ..of("us-east-1") };
    assert!(matches!(plan(&stage, &to), PlanError::Params(_)));
    let nothing = Params { database: Some(DatabaseChoice::Failover), ..of("eu-west-1") };
    assert!(matches!(plan(&stage, &nothing), PlanError::Params(_)));
    let unknown =
        Params { redeploy: vec!["nobody".into()], database: Some(DatabaseChoice::Leave), ..of("us-east-1") };
    assert!(matches!(plan(&stage, &unknown), PlanError::Params(_)));
    stage.topology.hostnames[0].private_zone = true;
    assert!(matches!(plan(&stage, &of("us-east-1")), PlanError::Impossible(_)));
}
