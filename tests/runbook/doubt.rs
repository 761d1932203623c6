//! Calls whose outcome nobody knows: what starts, creates or deletes is not sent again on a guess.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::{Arc, Mutex};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchtower::domain::Topology;
use switchtower::domain::ids::{Arn, Region, TableName};
use switchtower::domain::observation::{Source, SourceKind};
use switchtower::domain::snapshot::{GlobalClusterState, GlobalMember};
use switchtower::domain::text::Text;
use switchtower::ports::{BoxFuture, Clock};
use switchtower::runbook::engine::Setup;
use switchtower::runbook::{
    ActFailure, Approval, Condition, Decision, Event, Executor, Fact, Facts, Known, Operation, Outcome, Plan,
    Receipt, Step, fact,
};
use switchtower::sim::SimOptions;

use super::stage::{LEAVING, SURVIVOR, Stage, leaving, play};

/// An AWS that takes every call and answers none, and tells nothing but that no database is on its way.
struct Deaf {
    clock: Clock,
    members: Vec<GlobalMember>,
    sent: Mutex<Vec<Timestamp>>,
}

impl Executor for Deaf {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        let mut told = Facts::new();
        for fact in facts.iter().filter(|fact| matches!(fact, Fact::GlobalCluster(..))) {
            let state = GlobalClusterState {
                status: "available".into(),
                engine_version: "8.0".into(),
                endpoint: None,
                members: self.members.clone(),
                failover: None,
                deletion_protection: false,
            };
            let source = Source::new(SourceKind::Aurora, "rds:DescribeGlobalClusters", None);
            told.insert(fact.clone(), fact::stated(source, Known::GlobalCluster(state), self.clock.now()));
        }
        Box::pin(std::future::ready(told))
    }

    fn apply<'a>(&'a self, _: &'a Operation, _: &'a Approval) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        self.sent.lock().unwrap().push(self.clock.now());
        Box::pin(std::future::ready(Err(ActFailure::Unknown { why: "no answer".into() })))
    }

    fn publish<'a>(
        &'a self,
        _: &'a Arn,
        _: &'a Text,
        _: &'a str,
        _: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// A plan of this call alone, whose proof nobody tells.
async fn alone(stage: &Stage, operation: Operation) -> Plan {
    let mut plan = stage.plan("drain", &leaving()).await;
    plan.findings.clear();
    let never = Condition::Gone { fact: Fact::Stack(Region::new(LEAVING), "x".into()), name: "x".into() };
    plan.steps =
        vec![Step::act("one", "one call", vec![operation], Vec::new(), never, Duration::from_mins(2))];
    plan
}

/// Sends the call, and once more on the operator's word if `retried`; what was recorded of a process before, if any, is
/// told. When it was sent, after the run began.
async fn sent(stage: &Stage, operation: &Operation, retried: bool, before: bool) -> Vec<SignedDuration> {
    let plan = alone(stage, operation.clone()).await;
    let members = stage.topology.aurora[0].members.iter().map(|member| GlobalMember {
        arn: member.arn.clone(),
        is_writer: member.region.as_str() == LEAVING,
        synchronization: Some("connected".into()),
        forwarding: None,
    });
    let deaf = Arc::new(Deaf { clock: stage.clock, members: members.collect(), sent: Mutex::default() });
    let mut setup = Setup { executor: deaf.clone(), ..stage.setup(&plan) };
    if before {
        let opened = Event::Opened {
            opening: Box::new(setup.opening.clone()),
            plan: Box::new(plan.clone()),
            digest: plan.digest(),
        };
        let intent = Event::Intent {
            step: "one".into(),
            way: 0,
            call: 0,
            attempt: 0,
            operation: Box::new(operation.clone()),
            saved: Facts::new(),
        };
        let at = stage.clock.now();
        setup.told = (0..)
            .zip([opened, Event::StepBegan { step: "one".into() }, intent])
            .map(|(seq, event)| switchtower::runbook::Entry { seq, at, event })
            .collect();
    }
    if retried {
        *stage.answers.lock().unwrap() = vec![Decision::Retry, Decision::HandOver];
    }
    let began = stage.clock.now();
    let ending = stage.carry_out(setup).await.unwrap().unwrap();
    assert_eq!(ending.outcome, Outcome::Halted, "{operation:?}: {:#?}", stage.words());
    deaf.sent.lock().unwrap().iter().map(|at| at.duration_since(began)).collect()
}

fn stage() -> Stage {
    Stage::new(SimOptions { scenario: "calm".into(), services: 1, ..SimOptions::default() })
}

/// What deletes, replaces or creates, of each kind one.
fn once(topology: &Topology) -> Vec<Operation> {
    let region = Region::new(LEAVING);
    let entry = topology.region(&region).unwrap();
    let (service, balancer) = (entry.services[0].key.clone(), entry.load_balancers[0].arn.clone());
    let table = TableName::new("Orders");
    vec![
        Operation::DeleteService { region: region.clone(), service: service.clone() },
        Operation::DeleteLoadBalancer { region: region.clone(), arn: balancer },
        Operation::DeleteReplica {
            region: Region::new(SURVIVOR),
            table: table.clone(),
            replica: region.clone(),
        },
        Operation::DeleteTable { region: region.clone(), table },
        Operation::DeleteDbCluster {
            region: region.clone(),
            cluster: "my-db".into(),
            final_snapshot: Some("last".into()),
        },
        Operation::DeleteStack { region: region.clone(), stack: "network".into() },
        Operation::Redeploy { region, service },
    ]
}

#[test]
fn what_deletes_or_creates_is_sent_once_while_nobody_can_tell() {
    let kinds = once(&stage().topology).len();
    for kind in 0..kinds {
        for retried in [false, true] {
            play(async || {
                let stage = stage();
                let operation = once(&stage.topology).swap_remove(kind);
                let times = sent(&stage, &operation, retried, false).await;
                // Nothing observable tells of new tasks: whoever says "again" gets them again.
                let asked = if matches!(operation, Operation::Redeploy { .. }) && retried { 2 } else { 1 };
                assert_eq!(times.len(), asked, "{operation:?}, retried {retried}: {times:?}");
            });
        }
        play(async || {
            let stage = stage();
            let operation = once(&stage.topology).swap_remove(kind);
            let times = sent(&stage, &operation, false, true).await;
            assert_eq!(times, [], "a process before may have sent {operation:?}");
        });
    }
}

#[test]
fn what_sets_a_value_is_sent_until_it_is_answered() {
    play(async || {
        let stage = stage();
        let service = stage.topology.region(&Region::new(SURVIVOR)).unwrap().services[0].key.clone();
        let set = Operation::SetDesired { region: Region::new(SURVIVOR), service, desired: 9 };
        assert!(sent(&stage, &set, false, false).await.len() > 3);
    });
}

#[test]
fn a_writer_is_not_sent_off_again_before_it_was_seen_to_stand_still() {
    let moves = |topology: &Topology| {
        let global = &topology.aurora[0];
        let member =
            |name: &str| global.members.iter().find(|member| member.region.as_str() == name).unwrap();
        let (here, there, id) = (member(LEAVING), member(SURVIVOR), global.id.clone());
        vec![
            Operation::SwitchoverGlobalCluster {
                region: here.region.clone(),
                global: id.clone(),
                target: there.arn.clone(),
            },
            Operation::FailoverGlobalCluster {
                region: there.region.clone(),
                global: id.clone(),
                target: there.arn.clone(),
            },
            Operation::RemoveFromGlobalCluster {
                region: there.region.clone(),
                global: id,
                cluster: there.arn.clone(),
            },
        ]
    };
    let still = SignedDuration::from_secs(20);
    for kind in 0..3 {
        play(async || {
            let stage = stage();
            let operation = moves(&stage.topology).swap_remove(kind);
            let times = sent(&stage, &operation, true, false).await;
            assert!(times.len() > 1, "{operation:?}: {times:?}");
            let gaps: Vec<SignedDuration> = times.windows(2).map(|two| two[1] - two[0]).collect();
            assert!(gaps.iter().all(|gap| *gap >= still), "{operation:?}: {gaps:?}");
        });
        play(async || {
            let stage = stage();
            let operation = moves(&stage.topology).swap_remove(kind);
            let times = sent(&stage, &operation, false, true).await;
            assert!(times[0] >= still, "a process before may have sent {operation:?}: {times:?}");
        });
    }
}
