//! Cleanup: the order, the owner tag, and what is never touched.

use std::collections::BTreeMap;

use switchtower::domain::ids::Arn;
use switchtower::domain::metric::{Metric, Series};
use switchtower::domain::observation::{ErrorKind, Observed};
use switchtower::domain::snapshot::{ConsistencyMode, HealthCheckConfig, TableState};
use switchtower::domain::topology::{
    ArcSettings, CleanupSettings, LeaseSettings, NetworkStack, Switch, SwitchWire,
};
use switchtower::runbook::catalog::cleanup::Cleanup;
use switchtower::runbook::{Fact, GuardId, Known, Operation, Params, Plan, Runbook as _};

use crate::domain::fixture::{check_config, error, flat};

use super::planning::{Stage, cluster, of_region, region, with};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";

fn owner() -> BTreeMap<String, String> {
    [("switchtower:application".to_owned(), "orders".to_owned())].into()
}

/// Everything is tagged and protected, and no user is left.
fn quiet() -> Stage {
    let mut stage = with(|topology| {
        topology.cleanup = Some(CleanupSettings {
            owner_tag: Some("switchtower:application".into()),
            owner_value: Some("orders".into()),
            stacks: vec![NetworkStack { region: region(US), name: "orders-network".into() }],
        });
    });
    for fact in Cleanup.wants(&stage.world.topology, &Params::default()) {
        match &fact {
            Fact::Tags(..) => stage.tell(fact, Known::Tags(owner())),
            Fact::Protection(..) | Fact::Balancer(..) => stage.tell(fact, Known::Flag(true)),
            Fact::Requests(_) => stage.tell(fact, Known::Numbers(vec![5_000.0, 40.0, 20.0, 0.0])),
            Fact::Bucket(..) => stage.tell(fact, Known::Number(12.0)),
            Fact::Alarm(..) | Fact::Cluster(..) => stage.tell(fact, Known::Present),
            Fact::Stack(..) => stage.tell(fact, Known::Word("CREATE_COMPLETE".into())),
            Fact::Network(at, _) => {
                let id = format!("vpc-0{}", at.as_str().replace('-', ""));
                stage.tell(fact, Known::Word(id.into()));
            }
            _ => {}
        }
    }
    for name in [US, EU] {
        // Readers first, as they are told.
        let names = [2, 1].map(|n| format!("my-db-{name}-{n}").into()).to_vec();
        stage.tell(Fact::DbInstances(region(name), cluster(name)), Known::Names(names));
    }
    stage
}

/// The same with a region out of DNS, as a drain leaves it.
fn drained(name: &str) -> Stage {
    let mut stage = quiet();
    let check = if name == US { "hc-us" } else { "hc-eu" };
    stage.tell(Fact::HealthCheck(check.into()), Known::HealthCheck(check_config(true, true)));
    stage
}

fn untag(stage: &mut Stage, part: &str) {
    let wants = Cleanup.wants(&stage.world.topology, &Params::default());
    let facts: Vec<Fact> = wants
        .into_iter()
        .filter(|fact| matches!(fact, Fact::Tags(_, arn) if arn.as_str().ends_with(part)))
        .collect();
    assert!(!facts.is_empty(), "{part}");
    for fact in facts {
        stage.tell(fact, Known::Tags(BTreeMap::new()));
    }
}

fn calls(plan: &Plan) -> Vec<&Operation> {
    plan.steps.iter().flat_map(|step| &step.ways).flat_map(|way| &way.calls).collect()
}

fn ids(plan: &Plan) -> Vec<&str> {
    plan.steps.iter().map(|step| step.id.as_str()).collect()
}

fn own(plan: &Plan) -> Vec<String> {
    let own = plan.findings.iter().filter(|finding| finding.guard == GuardId::Runbook);
    own.map(|finding| finding.message.to_string()).collect()
}

fn golden(name: &str, stage: &Stage, params: &Params) {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "golden", omit_expression => true }, {
        insta::assert_snapshot!(name, stage.text(&Cleanup, params));
    });
}

#[test]
fn golden_whole() {
    golden("cleanup", &quiet(), &Params::default());
}

#[test]
fn golden_one_region() {
    golden("cleanup-region", &drained(EU), &of_region(EU));
}

#[test]
fn without_an_owner_tag_nothing_is_deleted() {
    let mut stage = quiet();
    stage.world.topology.cleanup = None;
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    assert_eq!(plan.steps, []);
    let words = ["the topology names no owner tag, so that nothing can be told to be the application's own"];
    assert_eq!(own(&plan), words);
    assert!(plan.findings.iter().any(|finding| !finding.may_override));
}

#[test]
fn a_region_that_serves_is_never_taken_down() {
    type Case = (fn(&mut Stage), Option<&'static str>, &'static str, bool);
    let cases: [Case; 6] = [
        (
            |s| s.tell(Fact::Requests(region(US)), Known::Numbers(vec![4_000.0, 3_900.0, 4_100.0])),
            None,
            "us-east-1 serves 4100 requests a minute and is in DNS",
            false,
        ),
        (
            |s| s.hide(Fact::Requests(region(US)), ErrorKind::Throttled),
            None,
            "whether us-east-1 serves traffic is not known: test:Read: throttled",
            true,
        ),
        // One user a second, where checkers that ask every thirty seconds send half as much.
        (
            |s| {
                let seldom = HealthCheckConfig { request_interval: Some(30), ..check_config(false, false) };
                s.tell(Fact::HealthCheck("hc-us".into()), Known::HealthCheck(seldom));
                s.tell(Fact::Requests(region(US)), Known::Numbers(vec![90.0, 92.0, 91.0]));
            },
            None,
            "us-east-1 serves 92 requests a minute and is in DNS",
            false,
        ),
        // Nobody comes just now.
        (|_| {}, Some(EU), "eu-west-1 is in DNS: whoever comes next is sent there", false),
        (
            |s| s.world.set_dns(Metric::HealthCheckStatus, "hc-eu", Series::default()),
            Some(EU),
            "whether DNS sends users to eu-west-1 is not known",
            true,
        ),
        (
            |s| {
                s.world.set_dns(Metric::HealthCheckStatus, "hc-eu", flat(0.0));
                s.tell(Fact::Requests(region(EU)), Known::Numbers(vec![4_000.0, 3_900.0, 4_100.0]));
            },
            Some(EU),
            "eu-west-1 serves 4100 requests a minute although DNS sends nobody there",
            false,
        ),
    ];
    assert_eq!(own(&quiet().plan(&Cleanup, &Params::default()).unwrap()), [""; 0]);
    assert_eq!(own(&drained(EU).plan(&Cleanup, &of_region(EU)).unwrap()), [""; 0]);
    for (spoil, only, words, may_override) in cases {
        let mut stage = quiet();
        spoil(&mut stage);
        let params = only.map_or_else(Params::default, of_region);
        let plan = stage.plan(&Cleanup, &params).unwrap();
        let finding = plan.findings.iter().find(|finding| finding.message.as_str() == words);
        assert_eq!(finding.map(|finding| finding.may_override), Some(may_override), "{:#?}", plan.findings);
    }
}

#[test]
fn what_lacks_the_tag_is_left_with_what_needs_it() {
    let cases: [(&str, &[&str], &[&str]); 7] = [
        (
            "alarm:api-5xx-us-east-1",
            &["alarms/us-east-1/1", "topic/us-east-1/ops-alert"],
            &["alarms/eu-west-1/1"],
        ),
        (
            "us-east-1:123456789012:service/prod/api",
            &["stop/us-east-1/prod/api", "service/us-east-1/prod/api", "cluster/us-east-1/prod"],
            &["cluster/eu-west-1/prod"],
        ),
        (
            "loadbalancer/app/prod-us/50dc6c495c0c9188",
            &["balancer/us-east-1/prod-us", "group/us-east-1/api"],
            &["group/eu-west-1/api"],
        ),
        (
            "cluster:my-db-eu-west-1",
            &[
                "database/eu-west-1/my-db-eu-west-1",
                "database/us-east-1/my-db-us-east-1",
                "global/my-global-db",
            ],
            &["table/Orders"],
        ),
        (
            "eu-west-1:123456789012:table/Orders",
            &["replica/Orders/eu-west-1", "table/Orders"],
            &["bucket/assets-us-east-1"],
        ),
        ("healthcheck/hc-us", &["check/hc-us"], &["check/hc-eu"]),
        ("stack/orders-network", &["stack/us-east-1/orders-network"], &["table/Orders"]),
    ];
    let whole = quiet().plan(&Cleanup, &Params::default()).unwrap();
    for (part, absent, present) in cases {
        let mut stage = quiet();
        untag(&mut stage, part);
        let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
        let steps = ids(&plan);
        for id in absent {
            assert!(ids(&whole).contains(id), "{id} in {:#?}", ids(&whole));
            assert!(!steps.contains(id), "{part} is not ours, yet there is {id}");
        }
        for id in present {
            assert!(steps.contains(id), "{part}: {id} is missing in {steps:#?}");
        }
        let left = "does not carry switchtower:application=orders";
        assert!(plan.notes.iter().any(|note| note.as_str().contains(left)), "{part}");
    }
}

#[test]
fn a_strongly_consistent_table_is_left_to_hands() {
    let mut stage = quiet();
    let now = stage.world.now;
    for table in stage.world.regions.iter_mut().flat_map(|region| region.tables.values_mut()) {
        let state = TableState { mode: ConsistencyMode::Strong, ..table.value().cloned().unwrap() };
        table.succeed(state, now);
    }
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    let touched = calls(&plan).into_iter().filter(|call| {
        matches!(
            call,
            Operation::DeleteReplica { .. }
                | Operation::DeleteTable { .. }
                | Operation::SetTableProtection { .. }
        )
    });
    assert_eq!(touched.count(), 0);
    let words = "table Orders in us-east-1 and eu-west-1: it is strongly consistent, and its replicas can only be deleted together, by hand";
    assert!(
        plan.notes.iter().any(|note| note.as_str() == format!("Left alone: {words}.")),
        "{:#?}",
        plan.notes
    );
}

#[test]
fn what_no_cleanup_takes_is_named() {
    let mut stage = quiet();
    let endpoints = Vec::new();
    stage.world.topology.arc = Some(ArcSettings { endpoints, routing_controls: Vec::new() });
    stage.world.topology.lease = Some(LeaseSettings { table: "leases".into(), region: region("us-west-2") });
    let wire = SwitchWire::Object { bucket: "switches".into(), key: "evacuate/eu-west-1".into() };
    let home = region("us-west-2");
    stage.world.topology.switches = vec![Switch { region: region(EU), home, health_check: None, wire }];
    stage.tell(Fact::HealthCheck("hc-eu".into()), Known::HealthCheck(check_config(true, true)));
    let named = |params: &Params| -> Vec<bool> {
        let plan = stage.plan(&Cleanup, params).unwrap();
        let proof = plan.steps.last().unwrap();
        assert_eq!(proof.id.as_str(), "proof");
        let left = |words: &str| proof.changes.iter().any(|line| line.as_str().contains(words));
        let all = [
            "hosted zone Z111",
            "the VPC vpc-0euwest1 of eu-west-1",
            "the switch of eu-west-1 at s3://switches/evacuate/eu-west-1 in us-west-2",
        ];
        let whole = [
            "the ARC cluster of the routing controls, billed at 2.50 USD an hour",
            "the lease table leases in us-west-2",
        ];
        all.into_iter().chain(whole).map(left).collect()
    };
    assert_eq!(named(&Params::default()), [true, true, true, true, true]);
    assert_eq!(named(&of_region(EU)), [true, true, true, false, false]);
}

#[test]
fn what_is_gone_already_is_passed_over() {
    let mut stage = quiet();
    for (name, group) in [(US, "prod-us/50dc6c495c0c9188"), (EU, "prod-eu/60dc6c495c0c9188")] {
        let arn =
            Arn::new(format!("arn:aws:elasticloadbalancing:{name}:123456789012:loadbalancer/app/{group}"));
        stage.tell(Fact::Balancer(region(name), arn), Known::Absent);
    }
    stage.tell(Fact::Stack(region(US), "orders-network".into()), Known::Word("DELETE_COMPLETE".into()));
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    let left: Vec<&str> =
        ids(&plan).into_iter().filter(|id| id.starts_with("balancer/") || id.starts_with("stack/")).collect();
    assert_eq!(left, [""; 0]);
}

#[test]
fn the_writer_is_not_taken_from_those_that_stay() {
    let plan = drained(US).plan(&Cleanup, &of_region(US)).unwrap();
    assert_eq!(own(&plan), ["the writer of my-global-db is in us-east-1"]);
    assert!(!calls(&plan).iter().any(|call| matches!(call, Operation::DeleteDbCluster { .. })));
}

#[test]
fn one_region_leaves_the_table_and_the_global_cluster() {
    let plan = quiet().plan(&Cleanup, &of_region(EU)).unwrap();
    for call in calls(&plan) {
        let kept = matches!(
            call,
            Operation::DeleteTable { .. }
                | Operation::DeleteGlobalCluster { .. }
                | Operation::SetGlobalClusterProtection { .. }
        );
        assert!(!kept, "{call:?}");
        let asked = [region(EU), region(US)];
        assert!(asked.contains(&call.region()));
    }
    let replica =
        Operation::DeleteReplica { region: region(US), table: "Orders".into(), replica: region(EU) };
    assert!(calls(&plan).contains(&&replica));
}

#[test]
fn snapshots_are_taken_unless_declined() {
    let snapshots = |params: &Params| {
        let plan = quiet().plan(&Cleanup, params).unwrap();
        let names = calls(&plan).into_iter().filter_map(|call| match call {
            Operation::DeleteDbCluster { final_snapshot, .. } => {
                Some(final_snapshot.as_ref().map(ToString::to_string))
            }
            _ => None,
        });
        names.collect::<Vec<_>>()
    };
    let named = |name: &str| Some(format!("my-db-{name}-final-2026-11-21-ample7q2"));
    assert_eq!(snapshots(&Params::default()), [named(EU), named(US)]);
    assert_eq!(snapshots(&Params { skip_snapshots: true, ..Params::default() }), [None, None]);
}

fn final_snapshot(plan: &Plan) -> String {
    let name = calls(plan).into_iter().find_map(|call| match call {
        Operation::DeleteDbCluster { final_snapshot, .. } => final_snapshot.as_ref().map(ToString::to_string),
        _ => None,
    });
    name.unwrap()
}

/// The dialog plans anew at its confirmation, and must find the same plan; a cluster of the same name that is made and
/// deleted on the same day must not find its name taken.
#[test]
fn a_final_snapshot_is_named_for_its_cluster_and_not_only_for_the_day() {
    let mut stage = quiet();
    let first = stage.plan(&Cleanup, &Params::default()).unwrap();
    stage.world.now += jiff::SignedDuration::from_secs(20);
    let again = stage.plan(&Cleanup, &Params::default()).unwrap();
    assert_eq!(final_snapshot(&again), final_snapshot(&first));
    let fact = Fact::DbCluster(region(EU), cluster(EU));
    let mut state = stage.world.regions[1].db_clusters.values().next().unwrap().value().unwrap().clone();
    for (id, expected) in [
        ("cluster-MADEANEW1234", "my-db-eu-west-1-final-2026-11-21-anew1234"),
        ("cluster-é-AB", "my-db-eu-west-1-final-2026-11-21-lusterab"),
        ("", "my-db-eu-west-1-final-2026-11-21"),
    ] {
        state.resource_id = id.into();
        stage.tell(fact.clone(), Known::DbCluster(state.clone()));
        let name = final_snapshot(&stage.plan(&Cleanup, &of_region(EU)).unwrap());
        assert_eq!(name, expected);
    }
}

/// A reader that is left when the writer goes would be made the writer, for nothing.
#[test]
fn readers_are_deleted_before_the_writer() {
    let mut stage = quiet();
    for order in [["b", "c", "a"], ["a", "b", "c"]] {
        let names = Known::Names(order.map(Into::into).to_vec());
        stage.tell(Fact::DbInstances(region(EU), cluster(EU)), names);
        let plan = stage.plan(&Cleanup, &of_region(EU)).unwrap();
        let deleted = calls(&plan).into_iter().filter_map(|call| match call {
            Operation::DeleteDbInstance { instance, .. } => Some(instance.as_str()),
            _ => None,
        });
        assert_eq!(deleted.collect::<Vec<_>>(), order);
    }
}

#[test]
fn a_network_that_no_stack_of_ours_made_is_named_and_left() {
    let mut stage = quiet();
    let told = |stage: &Stage| {
        let plan = stage.plan(&Cleanup, &of_region(EU)).unwrap();
        let about = |line: &&switchtower::domain::text::Text| line.as_str().contains("the VPC ");
        let note = plan.notes.iter().find(about).unwrap().to_string();
        let proof = plan.steps.iter().find(|step| step.id.as_str() == "proof").unwrap();
        let left = proof.changes.iter().find(about).unwrap().to_string();
        (note, left)
    };
    let (note, left) = told(&stage);
    assert!(note.starts_with("Left alone: the VPC vpc-0euwest1 of eu-west-1 behind "), "{note}");
    assert!(left.starts_with("left: the VPC vpc-0euwest1 of eu-west-1 behind "), "{left}");
    let network = Cleanup.wants(&stage.world.topology, &of_region(EU)).into_iter();
    for fact in network.filter(|fact| matches!(fact, Fact::Network(..))).collect::<Vec<_>>() {
        stage.hide(fact, ErrorKind::TimedOut);
    }
    let (note, _) = told(&stage);
    assert!(note.contains("the VPC of eu-west-1 (its id could not be read) behind "), "{note}");
}

#[test]
fn every_deletion_asks_for_the_tag_right_before() {
    let plan = quiet().plan(&Cleanup, &Params::default()).unwrap();
    for step in
        plan.steps.iter().filter(|step| !step.ways.is_empty() && !step.id.as_str().starts_with("records/"))
    {
        let asks = serde_json::to_string(&step.precondition).unwrap();
        assert!(asks.contains("\"owned\""), "{}: {asks}", step.id);
    }
    assert!(
        plan.steps.windows(2).all(|pair| pair[1].after == [pair[0].id.clone()]),
        "one resource at a time"
    );
    assert!(!calls(&plan).iter().any(|call| format!("{call:?}").contains("HostedZone")));
}

/// With the bucket its rules went: nobody is asked to end them, and no tag of it is waited for.
#[test]
fn a_bucket_that_is_gone_replicates_nothing() {
    let mut stage = quiet();
    let gone = Arn::new("arn:aws:s3:::assets-eu-west-1");
    stage.tell(Fact::Bucket(region(EU), "assets-eu-west-1".into()), Known::Absent);
    stage.tell(Fact::Tags(region(EU), gone), Known::Absent);
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    let step = plan.steps.iter().find(|step| step.id.as_str() == "bucket/assets-us-east-1").unwrap();
    assert!(!format!("{step:?}").contains("assets-eu-west-1"), "{step:#?}");
    assert!(calls(&plan).iter().any(|call| matches!(call, Operation::DeleteBucket { .. })));
}

#[test]
fn a_rule_of_somebody_elses_bucket_is_named_and_left() {
    let mut stage = quiet();
    untag(&mut stage, "assets-eu-west-1");
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    let touched = |call: &&&Operation| format!("{call:?}").contains("assets-eu-west-1");
    assert_eq!(calls(&plan).iter().filter(touched).count(), 0);
    let words =
        "of bucket assets-eu-west-1 into assets-us-east-1, which fails from then on: that bucket is not ours";
    assert!(plan.notes.iter().any(|note| note.as_str().contains(words)), "{:#?}", plan.notes);
}

/// A region that was taken down before is still named, and has no table that could be asked.
#[test]
fn a_table_that_is_gone_is_not_asked_to_drop_replicas() {
    let table = |at: &str| Fact::Table(region(at), "Orders".into());
    let mut stage = quiet();
    stage.tell(table(US), Known::Absent);
    let plan = stage.plan(&Cleanup, &Params::default()).unwrap();
    let last = Operation::DeleteTable { region: region(EU), table: "Orders".into() };
    assert!(calls(&plan).contains(&&last), "{:#?}", ids(&plan));
    assert!(!ids(&plan).iter().any(|id| id.starts_with("replica/")));
    // Of the regions that stay, one that has it is asked.
    stage.world.topology.tables[0].regions.push(region("ap-south-1"));
    let plan = stage.plan(&Cleanup, &of_region(EU)).unwrap();
    let asked = Operation::DeleteReplica {
        region: region("ap-south-1"),
        table: "Orders".into(),
        replica: region(EU),
    };
    assert!(calls(&plan).contains(&&asked), "{:#?}", ids(&plan));
}

/// Where DNS cannot be asked, for AWS is not AWS there, time alone is waited for.
#[test]
fn answers_that_nobody_may_ask_for_are_not_waited_for() {
    let forgotten = |stage: &Stage| {
        let plan = stage.plan(&Cleanup, &of_region(EU)).unwrap();
        let step = plan.steps.into_iter().find(|step| step.id.as_str() == "forgotten").unwrap();
        (step.verify.sentence(), plan.notes)
    };
    let mut stage = quiet();
    let (until, _) = forgotten(&stage);
    assert!(until.contains("2 min have passed") && until.contains("nobody to eu-west-1"), "{until}");
    stage.hide(Fact::Answers("api.example.com".into()), ErrorKind::NotConfigured);
    stage.world.topology.policy.answers_live_seconds = 240;
    let (until, notes) = forgotten(&stage);
    assert!(until.contains("5 min have passed") && !until.contains("nobody to eu-west-1"), "{until}");
    assert!(notes.iter().any(|note| note.as_str().contains("cannot be asked here")), "{notes:#?}");
}

/// Alarms on health checks live in us-east-1, whomever they are about.
#[test]
fn the_alarm_that_watches_a_region_that_stays_stays_with_its_topic() {
    let deleted = |stage: &Stage| -> Vec<String> {
        let plan = stage.plan(&Cleanup, &of_region(US)).unwrap();
        let names = calls(&plan).into_iter().flat_map(|call| match call {
            Operation::DeleteAlarms { names, .. } => names.iter().map(ToString::to_string).collect(),
            Operation::DeleteTopic { topic, .. } => vec![topic.to_string()],
            _ => Vec::new(),
        });
        names.collect()
    };
    let mut stage = drained(US);
    let name = stage.world.topology.region(&region(US)).unwrap().alarms[0].clone();
    assert!(deleted(&stage).contains(&name.to_string()));
    let topics = deleted(&stage).iter().filter(|one| one.starts_with("arn:")).count();
    assert!(topics > 0);
    let (alarms, at) = (&mut stage.world.regions[0].alarms, stage.world.now);
    let mut state = alarms[&name].value().unwrap().clone();
    state.watches = "AWS/Route53/HealthCheckStatus".into();
    state.dimensions = vec!["hc-eu".into()];
    alarms.get_mut(&name).unwrap().succeed(state.clone(), at);
    assert_eq!(deleted(&stage), [""; 0], "and what it tells is told on");
    let plan = stage.plan(&Cleanup, &of_region(US)).unwrap();
    let left: Vec<&str> = plan.notes.iter().map(switchtower::domain::text::Text::as_str).collect();
    let words = format!("Left alone: alarm {name} in {US}, which watches the health check of {EU}.");
    assert!(left.contains(&words.as_str()), "{left:#?}");
    // One about the region that goes, goes.
    state.dimensions = vec!["hc-us".into()];
    stage.world.regions[0].alarms.get_mut(&name).unwrap().succeed(state, at);
    assert!(deleted(&stage).contains(&name.to_string()));
}

/// An alarm of us-east-1, as AWS tells of it.
fn watches(stage: &mut Stage, name: &str, metric: &str, dimensions: &[&str]) {
    let (alarms, at) = (&mut stage.world.regions[0].alarms, stage.world.now);
    let mut state = alarms.values().next().unwrap().value().unwrap().clone();
    state.watches = metric.into();
    state.dimensions = dimensions.iter().map(|value| (*value).into()).collect();
    alarms.get_mut(name).unwrap().succeed(state, at);
}

/// A check that is gone tells nothing more: the alarm on it, far away in us-east-1, goes before it.
#[test]
fn the_alarm_that_watches_only_what_goes_goes_before_its_check() {
    const NAME: &str = "api-5xx-us-east-1";
    let step = format!("alarms/checks/{US}/1");
    let status = "AWS/Route53/HealthCheckStatus";
    let judged = |stage: &Stage| {
        let plan = stage.plan(&Cleanup, &of_region(EU)).unwrap();
        let ids = ids(&plan);
        let at = |wanted: &str| ids.iter().position(|id| *id == wanted);
        if let Some(here) = at(&step) {
            assert!(at("forgotten") < Some(here), "no record uses the check any more: {ids:?}");
            assert!(at("check/hc-eu").is_none_or(|check| here < check), "{ids:?}");
            let names = vec![NAME.into()];
            assert!(calls(&plan).contains(&&Operation::DeleteAlarms { region: region(US), names }));
        }
        let topics = |call: &&Operation| matches!(call, Operation::DeleteTopic { topic, .. } if topic.as_str().contains(US));
        assert!(!calls(&plan).into_iter().any(|call| topics(&call)), "others may tell it");
        let left = plan.notes.iter().find(|note| note.as_str().contains(NAME));
        (at(&step).is_some(), left.map(ToString::to_string))
    };
    let left = |why: &str| Some(format!("Left alone: alarm {NAME} in {US}, {why}."));
    let cases: [(&str, &[&str], bool, Option<String>); 6] = [
        (status, &["hc-eu"], true, None),
        ("AWS/Route53/ConnectionTime", &["hc-eu", "us-west-1"], true, None),
        (status, &["hc-us"], false, None),
        (status, &["hc-eu", "hc-us"], false, left("which watches hc-us as well")),
        (status, &["hc-eu", "hc-of-another"], false, left("which watches hc-of-another as well")),
        ("AWS/Somewhere/Else", &["hc-eu"], false, None),
    ];
    for (metric, dimensions, goes, left) in cases {
        let mut stage = drained(EU);
        watches(&mut stage, NAME, metric, dimensions);
        assert_eq!(judged(&stage), (goes, left), "{metric} of {dimensions:?}");
    }
    let mut stage = drained(EU);
    watches(&mut stage, NAME, status, &["hc-eu"]);
    untag(&mut stage, "alarm:api-5xx-us-east-1");
    let without = left("which does not carry switchtower:application=orders");
    assert_eq!(judged(&stage), (false, without), "the owner's tag decides here too");

    // Another run deleted the check, and the alarm was left to wait for ever.
    let mut stage = drained(EU);
    watches(&mut stage, NAME, status, &["hc-eu"]);
    stage.tell(Fact::HealthCheck("hc-eu".into()), Known::Absent);
    assert_eq!(judged(&stage), (true, None));

    // A check that stays keeps its alarm.
    let mut stage = drained(EU);
    watches(&mut stage, NAME, status, &["hc-eu"]);
    untag(&mut stage, "healthcheck/hc-eu");
    assert!(!judged(&stage).0);

    let mut stage = drained(EU);
    let at = stage.world.now;
    let seen = stage.world.regions[0].alarms.get_mut(NAME).unwrap();
    *seen = Observed::failed(seen.source().clone(), error(ErrorKind::TimedOut, at));
    assert_eq!(judged(&stage), (false, left("of which it is not known what it watches")));

    // Where us-east-1 is no region of the application, its alarms stand under [dns].
    let mut stage = drained(EU);
    let topology = &mut stage.world.topology;
    topology.dns.alarms = std::mem::take(&mut topology.regions[0].alarms);
    let alarms = std::mem::take(&mut stage.world.regions[0].alarms);
    stage.world.dns.alarms = alarms;
    let at = stage.world.now;
    let seen = stage.world.dns.alarms.get_mut(NAME).unwrap();
    let mut state = seen.value().unwrap().clone();
    (state.watches, state.dimensions) = (status.into(), vec!["hc-eu".into()]);
    seen.succeed(state, at);
    assert_eq!(judged(&stage), (true, None));
}
