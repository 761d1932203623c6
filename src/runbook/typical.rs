//! How long a step usually takes before any run of ours has measured it.
//!
//! What it is for: an honest first answer to "how long", from what AWS and its operators say (start of tasks, health checks
//! and TTLs, minutes of a promotion, delay of metrics), where the step's own plan says nothing better. A time-out is no
//! such answer: it says when to give up. What it must not do: outlast a time-out, or stand in for a measurement.

use std::time::Duration;

use super::condition::Condition;
use super::fact::Fact;
use super::operation::Operation;
use super::plan::Step;

/// A call that sets a value, and the look that finds it set.
const SET: Duration = Duration::from_secs(5);
/// Route 53's answers after a change: health checkers and name servers.
const ANSWERS: Duration = Duration::from_mins(1);
/// A new Fargate task from its order to its first healthy answer.
const TASKS: Duration = Duration::from_secs(70);
/// A task from its end to its going: a load balancer lets requests finish for five minutes unless told otherwise.
const STOPPED: Duration = Duration::from_mins(6);
/// What CloudWatch knows is one to three minutes old.
const METRICS: Duration = Duration::from_mins(2);
/// An Aurora switchover, or a detachment: minutes, without a published figure.
const SWITCHOVER: Duration = Duration::from_mins(2);
/// An Aurora failover: "within a few minutes".
const FAILOVER: Duration = Duration::from_mins(5);
/// Our own request or write.
const REQUEST: Duration = Duration::from_secs(10);
/// A small replica or a table, added or removed: 2 to 15 minutes, as operators say.
const REPLICA: Duration = Duration::from_mins(5);
/// A database instance or cluster until it is gone.
const DATABASE: Duration = Duration::from_mins(6);
/// A network with everything in it: interfaces linger for minutes after their owners.
const STACK: Duration = Duration::from_mins(10);

/// How long the step usually takes: until its calls are made and what proves it holds, never longer than its time-out.
pub fn of(step: &Step) -> Duration {
    let calls = step.ways.first().into_iter().flat_map(|way| &way.calls).map(call).max().unwrap_or_default();
    calls.max(until(&step.verify)).min(step.timeout)
}

/// How long until a condition holds.
fn until(condition: &Condition) -> Duration {
    match condition {
        Condition::Always => Duration::ZERO,
        Condition::All { of } => of.iter().map(until).max().unwrap_or_default(),
        Condition::Any { of } => of.iter().map(until).min().unwrap_or_default(),
        Condition::HealthCheckFlags { .. }
        | Condition::RoutingControls { .. }
        | Condition::Flag { .. }
        | Condition::Record { .. }
        | Condition::Scaling { .. }
        | Condition::Desired { .. }
        | Condition::Alive { .. }
        | Condition::GlobalIdle { .. }
        | Condition::RpoLag { .. }
        | Condition::Owned { .. } => SET,
        Condition::AnswersOmit { .. } | Condition::AnswersInclude { .. } => ANSWERS,
        Condition::Serving { .. } => TASKS,
        Condition::Stopped { .. } => STOPPED,
        Condition::AliveFor { span, .. } | Condition::Elapsed { span, .. } => *span,
        Condition::EndpointMoved { settled, .. } => *settled,
        Condition::Writer { .. } | Condition::Detached { .. } => SWITCHOVER,
        Condition::Synchronized { .. } => FAILOVER,
        Condition::TrafficBelow { minutes, .. } => {
            METRICS + Duration::from_mins(u64::try_from(*minutes).unwrap_or_default())
        }
        Condition::ErrorsBelow { .. } => METRICS,
        Condition::Synthetic { .. } | Condition::SyntheticWrite { .. } => REQUEST,
        Condition::NoReplica { .. } => REPLICA,
        Condition::Gone { fact, .. } => gone(fact),
    }
}

/// How long until a deleted thing is gone.
fn gone(fact: &Fact) -> Duration {
    match fact {
        Fact::Service(..) => STOPPED,
        Fact::DbCluster(..) => DATABASE,
        Fact::Table(..) => REPLICA,
        Fact::Stack(..) => STACK,
        Fact::Balancer(..) => Duration::from_mins(1),
        _ => SET,
    }
}

/// How long a call works after it was accepted.
fn call(operation: &Operation) -> Duration {
    match operation {
        Operation::SwitchoverGlobalCluster { .. } | Operation::RemoveFromGlobalCluster { .. } => SWITCHOVER,
        Operation::FailoverGlobalCluster { .. } => FAILOVER,
        Operation::Redeploy { .. } => TASKS,
        Operation::DeleteService { .. } => STOPPED,
        Operation::DeleteDbInstance { .. } | Operation::DeleteDbCluster { .. } => DATABASE,
        Operation::DeleteReplica { .. } | Operation::DeleteTable { .. } | Operation::EmptyBucket { .. } => {
            REPLICA
        }
        Operation::DeleteStack { .. } => STACK,
        _ => SET,
    }
}
