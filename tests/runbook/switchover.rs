//! Switchover: every precondition of AWS and of the policy, one spoiled at a time.

use switchtower::domain::observation::ErrorKind;
use switchtower::domain::snapshot::{DbClusterState, FailoverState, GlobalClusterState};
use switchtower::domain::topology::AuroraMember;
use switchtower::runbook::catalog::drain::Drain;
use switchtower::runbook::catalog::switchover::Switchover;
use switchtower::runbook::{Fact, Known, Params, Runbook};

use super::planning::{Stage, cluster, of_region, region, with};

const US: &str = "us-east-1";
const EU: &str = "eu-west-1";
const AP: &str = "ap-southeast-1";

fn global(stage: &mut Stage, edit: impl Fn(&mut GlobalClusterState)) {
    for snapshot in &mut stage.world.regions {
        for observed in snapshot.global_clusters.values_mut() {
            let mut state = observed.value().cloned().unwrap();
            edit(&mut state);
            observed.succeed(state, stage.world.now);
        }
    }
}

fn regional(stage: &mut Stage, name: &str, edit: impl Fn(&mut DbClusterState)) {
    let snapshot = stage.world.regions.iter_mut().find(|one| one.region == region(name)).unwrap();
    let observed = snapshot.db_clusters.get_mut(&cluster(name)).unwrap();
    let mut state = observed.value().cloned().unwrap();
    edit(&mut state);
    observed.succeed(state, stage.world.now);
}

/// Three regions, all with a member.
fn three() -> Stage {
    with(|topology| {
        let mut third = topology.regions[1].clone();
        third.name = region(AP);
        topology.regions.push(third);
        topology.aurora[0].members.push(AuroraMember {
            region: region(AP),
            id: cluster(AP),
            arn: format!("arn:aws:rds:{AP}:123456789012:cluster:my-db-{AP}").as_str().into(),
        });
    })
}

#[test]
fn golden() {
    insta::with_settings!({ prepend_module_to_snapshot => false, snapshot_path => "golden", omit_expression => true }, {
        insta::assert_snapshot!("switchover", Stage::calm().text(&Switchover, &of_region(US)));
    });
}

#[test]
fn a_healthy_pair_has_no_finding() {
    assert_eq!(Stage::calm().findings(&Switchover, &of_region(US)), [""; 0]);
}

/// What AWS demands of a switchover (aws-facts section 4) and what the policy adds: what is spoiled, and what holds it.
#[test]
fn every_precondition() {
    type Spoil = fn(&mut Stage);
    let cases: [(&str, Spoil, &str); 20] = [
        (
            "global status",
            |s| global(s, |g| g.status = "modifying".into()),
            "my-global-db is modifying, not available",
        ),
        (
            "operation under way",
            |s| {
                global(s, |g| {
                    g.failover = Some(FailoverState {
                        status: "switching-over".into(),
                        from: None,
                        to: None,
                        data_loss_allowed: None,
                    });
                });
            },
            "my-global-db is switching-over already; a second operation must not start",
        ),
        (
            "target status",
            |s| regional(s, EU, |c| c.status = "upgrading".into()),
            "the target my-db-eu-west-1 in eu-west-1 is upgrading, not available",
        ),
        (
            "writer status",
            |s| regional(s, US, |c| c.status = "backing-up".into()),
            "the writer my-db-us-east-1 in us-east-1 is backing-up, not available",
        ),
        (
            "headless",
            |s| regional(s, EU, |c| c.instances = 0),
            "the target my-db-eu-west-1 in eu-west-1 has no instance (headless)",
        ),
        (
            "pending",
            |s| regional(s, EU, |c| c.pending_changes = true),
            "a change waits for the next window of the target my-db-eu-west-1 in eu-west-1",
        ),
        (
            "minor version",
            |s| regional(s, EU, |c| c.engine_version = "8.0.mysql_aurora.3.08.0".into()),
            "my-db-us-east-1 runs 8.0.mysql_aurora.3.04.0, my-db-eu-west-1 runs 8.0.mysql_aurora.3.08.0: major and minor version must be equal",
        ),
        (
            "community version",
            |s| regional(s, EU, |c| c.engine_version = "5.7.mysql_aurora.3.04.0".into()),
            "my-db-us-east-1 runs 8.0.mysql_aurora.3.04.0, my-db-eu-west-1 runs 5.7.mysql_aurora.3.04.0: major and minor version must be equal",
        ),
        (
            "patch of MySQL",
            |s| regional(s, EU, |c| c.engine_version = "8.0.mysql_aurora.3.04.2".into()),
            "my-db-us-east-1 runs 8.0.mysql_aurora.3.04.0, my-db-eu-west-1 runs 8.0.mysql_aurora.3.04.2: Aurora MySQL must be of one patch level",
        ),
        (
            "patch of PostgreSQL",
            |s| {
                s.world.topology.aurora[0].engine = "aurora-postgresql".into();
                regional(s, US, |c| c.engine_version = "15.4.1".into());
                regional(s, EU, |c| c.engine_version = "15.4.2".into());
            },
            "my-db-us-east-1 runs 15.4.1, my-db-eu-west-1 runs 15.4.2: AWS allows that on some PostgreSQL versions only",
        ),
        (
            "resync",
            |s| global(s, |g| g.members[1].synchronization = Some("pending-resync".into())),
            "my-db-eu-west-1 in eu-west-1 is pending-resync, not connected",
        ),
        (
            "blue/green deployment of the target",
            |s| s.tell(Fact::BlueGreen(region(EU), cluster(EU), "my-global-db".into()), Known::Flag(true)),
            "a blue/green deployment of my-db-eu-west-1 in eu-west-1 is under way",
        ),
        (
            "blue/green deployment of the writer",
            |s| s.tell(Fact::BlueGreen(region(US), cluster(US), "my-global-db".into()), Known::Flag(true)),
            "a blue/green deployment of my-db-us-east-1 in us-east-1 is under way",
        ),
        (
            "blue/green deployments that may not be read",
            |s| {
                s.hide(Fact::BlueGreen(region(EU), cluster(EU), "my-global-db".into()), ErrorKind::Denied);
            },
            "whether a blue/green deployment of my-db-eu-west-1 in eu-west-1 is under way is not known: test:Read: no permission",
        ),
        (
            "no available instance",
            |s| s.tell(Fact::AvailableInstances(region(EU), cluster(EU)), Known::Number(0.0)),
            "no instance of the target my-db-eu-west-1 in eu-west-1 is available",
        ),
        (
            "write forwarding",
            |s| global(s, |g| g.members[1].forwarding = Some("enabled".into())),
            "global write forwarding of my-db-eu-west-1 is enabled: what it forwards fails while the writer moves",
        ),
        (
            "lag over policy",
            |s| s.tell(Fact::RpoLag(region(EU), cluster(EU)), Known::Number(2_400.0)),
            "my-db-eu-west-1 is 2.4 s behind (0 s ago), more than the 1.0 s of the policy",
        ),
        (
            "lag unknown",
            |s| {
                for snapshot in &mut s.world.regions {
                    snapshot.metrics = std::collections::BTreeMap::new().into();
                }
            },
            "how far my-db-eu-west-1 is behind is not known: it was not read",
        ),
        (
            "writer's region dark",
            |s| s.hide(Fact::DbCluster(region(US), cluster(US)), ErrorKind::TimedOut),
            "the state of the writer my-db-us-east-1 in us-east-1 is not known: test:Read: timed out",
        ),
        (
            "left the global cluster",
            |s| {
                global(s, |g| {
                    g.members.pop();
                });
            },
            "my-db-eu-west-1 in eu-west-1 is no member of my-global-db any more",
        ),
    ];
    for (name, spoil, words) in cases {
        let mut stage = Stage::calm();
        spoil(&mut stage);
        assert_eq!(stage.findings(&Switchover, &of_region(US)), [words], "{name}");
    }
}

#[test]
fn what_differs_by_patch_on_postgresql_only_warns() {
    let mut stage = Stage::calm();
    stage.world.topology.aurora[0].engine = "aurora-postgresql".into();
    regional(&mut stage, US, |c| c.engine_version = "15.4.1".into());
    regional(&mut stage, EU, |c| c.engine_version = "15.4.2".into());
    let plan = stage.plan(&Switchover, &of_region(US)).unwrap();
    assert!(switchtower::runbook::catalog::blocking(&plan.findings).next().is_none());
}

#[test]
fn where_the_writer_goes() {
    let to = |to: &str| Params { to: Some(region(to)), ..of_region(US) };
    let cases = [
        (
            of_region(US),
            "Move the writer of my-global-db from us-east-1 to ap-southeast-1, without losing data.",
        ),
        (to(EU), "Move the writer of my-global-db from us-east-1 to eu-west-1, without losing data."),
        (of_region(EU), "Move the writer of my-global-db from us-east-1 to eu-west-1, without losing data."),
        (
            Params::default(),
            "Move the writer of my-global-db from us-east-1 to ap-southeast-1, without losing data.",
        ),
    ];
    let mut stage = three();
    stage.tell(Fact::RpoLag(region(EU), cluster(EU)), Known::Number(700.0));
    stage.tell(Fact::RpoLag(region(AP), cluster(AP)), Known::Number(80.0));
    for (params, summary) in cases {
        assert_eq!(stage.plan(&Switchover, &params).unwrap().summary.as_str(), summary, "{params:?}");
    }
    let refused = [
        (to(US), "the writer cannot move to the region that it leaves"),
        (
            Params { to: Some(region(US)), ..Params::default() },
            "the writer of my-global-db is in us-east-1 already",
        ),
        (
            to("sa-east-1"),
            "no global database has a cluster in sa-east-1; there are some in us-east-1, eu-west-1 and ap-southeast-1",
        ),
        (
            of_region("sa-east-1"),
            "no global database has a cluster in sa-east-1; there are some in us-east-1, eu-west-1 and ap-southeast-1",
        ),
        (
            Params { to: Some(region(AP)), ..of_region(EU) },
            "the writer of my-global-db is in us-east-1, not in eu-west-1",
        ),
    ];
    for (params, words) in refused {
        assert_eq!(stage.plan(&Switchover, &params).unwrap_err().to_string(), words, "{params:?}");
    }
}

#[test]
fn equal_worlds_give_equal_digests() {
    let digest = |stage: &Stage| stage.plan(&Switchover, &of_region(US)).unwrap().digest();
    let mut later = Stage::calm();
    later.tell(Fact::RpoLag(region(EU), cluster(EU)), Known::Number(300.0));
    assert_eq!(digest(&Stage::calm()), digest(&later), "a lag is tested against a limit, never hashed");
    global(&mut later, |g| g.status = "modifying".into());
    assert_ne!(digest(&Stage::calm()), digest(&later));
}

/// What a planned switchover would be refused for, a drain that moves the writer is refused for too.
#[test]
fn a_drain_holds_the_same_preconditions() {
    type Spoil = fn(&mut Stage);
    let cases: [(Spoil, &str); 5] = [
        (|s| global(s, |g| g.status = "modifying".into()), "my-global-db is modifying, not available"),
        (
            |s| regional(s, EU, |c| c.pending_changes = true),
            "a change waits for the next window of the target my-db-eu-west-1 in eu-west-1",
        ),
        (
            |s| global(s, |g| g.members[1].synchronization = Some("pending-resync".into())),
            "my-db-eu-west-1 in eu-west-1 is pending-resync, not connected",
        ),
        (
            |s| s.tell(Fact::BlueGreen(region(US), cluster(US), "my-global-db".into()), Known::Flag(true)),
            "a blue/green deployment of my-db-us-east-1 in us-east-1 is under way",
        ),
        (
            |s| s.tell(Fact::AvailableInstances(region(EU), cluster(EU)), Known::Number(0.0)),
            "no instance of the target my-db-eu-west-1 in eu-west-1 is available",
        ),
    ];
    for (spoil, words) in cases {
        let mut stage = Stage::calm();
        let before = stage.findings(&Drain, &of_region(US));
        spoil(&mut stage);
        let mut found = stage.findings(&Drain, &of_region(US));
        found.retain(|finding| !before.contains(finding));
        assert!(found.iter().any(|finding| finding == words), "{words}: {found:#?}");
    }
}

/// What was read is asked again right before the call; what may not be read is left to AWS to refuse.
#[test]
fn a_blue_green_deployment_that_begins_meanwhile_stops_the_call() {
    let books: [&dyn Runbook; 2] = [&Switchover, &Drain];
    for book in books {
        let asked = |stage: &Stage| {
            let plan = stage.plan(book, &of_region(US)).unwrap();
            let step = plan.steps.iter().find(|step| step.id.as_str() == "switchover/my-global-db").unwrap();
            step.precondition.facts().iter().filter(|fact| matches!(fact, Fact::BlueGreen(..))).count()
        };
        let mut stage = Stage::calm();
        assert_eq!(asked(&stage), 0);
        for name in [US, EU] {
            let fact = Fact::BlueGreen(region(name), cluster(name), "my-global-db".into());
            stage.tell(fact, Known::Flag(false));
        }
        assert_eq!(asked(&stage), 2);
    }
}
