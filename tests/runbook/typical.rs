//! How long steps usually take where no run has told: what is slow is told so, and nothing outlasts its time-out.

use std::time::Duration;

use switchtower::domain::ids::{Arn, GlobalClusterId, Region, ServiceKey};
use switchtower::runbook::{Condition, Fact, Operation, Step, typical};

const LONG: Duration = Duration::from_hours(2);

fn region() -> Region {
    Region::new("eu-west-1")
}

fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn global() -> GlobalClusterId {
    "my-global".into()
}

fn wait(until: Condition) -> u64 {
    typical::of(&Step::wait("a", "a", until, LONG)).as_secs()
}

fn act(call: Operation, until: Condition) -> u64 {
    typical::of(&Step::act("a", "a", vec![call], Vec::new(), until, LONG)).as_secs()
}

fn desired() -> Operation {
    Operation::SetDesired { region: region(), service: api(), desired: 3 }
}

fn elapsed(seconds: u64) -> Condition {
    Condition::Elapsed { span: Duration::from_secs(seconds), name: "a while".into() }
}

#[test]
fn a_wait_takes_as_long_as_what_it_waits_for() {
    let names = || vec!["api.example.com".into()];
    let cases = [
        ("nothing", Condition::Always, 0),
        ("answers without a region", Condition::AnswersOmit { names: names(), region: region() }, 60),
        ("answers with it", Condition::AnswersInclude { names: names(), region: region() }, 60),
        (
            "tasks that start",
            Condition::Serving { region: region(), service: api(), groups: Vec::new(), tasks: 3 },
            70,
        ),
        ("tasks that end", Condition::Stopped { region: region(), service: api() }, 360),
        ("a while", elapsed(77), 77),
        (
            "a life without a break",
            Condition::AliveFor { region: region(), groups: Vec::new(), span: Duration::from_mins(3) },
            180,
        ),
        ("a secondary that copies", Condition::Synchronized { ask: vec![region()], global: global() }, 300),
        (
            "minutes without users, and the delay of metrics",
            Condition::TrafficBelow { region: region(), before: 100.0, percent: 1.0, minutes: 3 },
            300,
        ),
        (
            "a service that is gone",
            Condition::Gone { fact: Fact::Service(region(), api()), name: "api".into() },
            360,
        ),
        (
            "a stack that is gone",
            Condition::Gone { fact: Fact::Stack(region(), "network".into()), name: "network".into() },
            600,
        ),
        ("a value that is set", Condition::GlobalIdle { ask: vec![region()], global: global() }, 5),
    ];
    for (what, until, seconds) in cases {
        assert_eq!(wait(until), seconds, "{what}");
    }
}

#[test]
fn all_take_as_long_as_the_longest_and_any_as_the_shortest() {
    let both = || vec![elapsed(30), elapsed(200)];
    assert_eq!(wait(Condition::All { of: both() }), 200);
    assert_eq!(wait(Condition::Any { of: both() }), 30);
}

#[test]
fn a_step_takes_as_long_as_its_call_or_its_proof_and_never_longer_than_its_time_out() {
    let target = Arn::new("arn:aws:rds:eu-west-1:123456789012:cluster:db");
    let failover =
        || Operation::FailoverGlobalCluster { region: region(), global: global(), target: target.clone() };
    assert_eq!(act(failover(), Condition::Always), 300, "it works on after it was accepted");
    assert_eq!(act(failover(), elapsed(400)), 400);
    assert_eq!(act(desired(), Condition::Always), 5);
    assert_eq!(act(desired(), elapsed(400)), 400, "what proves it comes later");
    let short = Step::act("a", "a", vec![failover()], Vec::new(), elapsed(400), Duration::from_secs(90));
    assert_eq!(typical::of(&short), Duration::from_secs(90));
}
