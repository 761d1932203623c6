//! Plans and runs written by hand, as planners and the engine would write them.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use switchtower::app::Event as AppEvent;
use switchtower::domain::evacuation::EvacuationMethod;
use switchtower::domain::ids::{Region, ServiceKey};
use switchtower::domain::observation::{Source, SourceKind};
use switchtower::domain::snapshot::HealthCheckConfig;
use switchtower::runbook::{
    ActFailure, Condition, Entry, Event, Fact, Facts, GuardFinding, GuardId, Judgement, Known, LeaseOutcome,
    Opening, Operation, Outcome, Params, Plan, Step, StepId, Suspended, Way, fact,
};

use super::stage::Stage;
use crate::domain::fixture;

pub(crate) fn now() -> Timestamp {
    fixture::NOW.parse().unwrap()
}

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn api() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn eu() -> Region {
    Region::new("eu-west-1")
}

fn us() -> Region {
    Region::new("us-east-1")
}

fn check(version: i64, out: bool) -> Operation {
    Operation::SetHealthCheck {
        check: "hc-us".into(),
        steers: us(),
        version: Some(version),
        inverted: out,
        disabled: out,
    }
}

fn scale(region: Region, desired: i32) -> Operation {
    Operation::SetDesired { region, service: api(), desired }
}

fn limits(region: Region, min: i32, max: i32) -> Operation {
    Operation::RegisterScalableTarget {
        region,
        service: api(),
        min,
        max: Some(max),
        suspended: Some(Suspended { scale_in: true, scale_out: false, scheduled: false }),
    }
}

fn out_of_dns(after: &str) -> Step {
    let answers = Condition::AnswersOmit { names: vec!["api.example.com".into()], region: us() };
    let mut step = Step::act(
        "pin",
        "take us-east-1 out of DNS",
        vec![check(7, true)],
        vec![check(8, false)],
        answers,
        secs(300),
    )
    .after([StepId::from(after)])
    .changing("hc-us: in force -> disabled and inverted")
    .usually(secs(70));
    step.ways[0].method = Some(EvacuationMethod::HealthCheck);
    step.ways[0].patience = secs(10);
    let arc = Operation::SetRoutingControls {
        states: [(
            "arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us".into(),
            false,
        )]
        .into(),
        steers: us(),
    };
    let first = Way {
        method: Some(EvacuationMethod::RoutingControl),
        calls: vec![arc],
        verify: Condition::Always,
        undo: Vec::new(),
        patience: secs(10),
    };
    step.ways.insert(0, first);
    step
}

/// What `drain us-east-1` would plan, by its wishes.
pub(crate) fn drain(params: &Params) -> Plan {
    let grow = Step::act(
        "scale/eu-west-1/prod/api",
        "raise prod/api in eu-west-1 to what both regions need",
        vec![limits(eu(), 8, 16), scale(eu(), 8)],
        vec![limits(eu(), 4, 16), scale(eu(), 4)],
        Condition::Serving { region: eu(), service: api(), groups: Vec::new(), tasks: 8 },
        secs(900),
    )
    .at(&eu())
    .changing("min 4 -> 8")
    .changing("desired 4 -> 8")
    .usually(secs(150));
    let pin = out_of_dns("scale/eu-west-1/prod/api");
    let quiet = Step::wait(
        "quiet",
        "wait until users are gone from us-east-1",
        Condition::TrafficBelow { region: us(), before: 1000.0, percent: 5.0, minutes: 2 },
        secs(1_200),
    )
    .after([StepId::from("pin")])
    .usually(secs(240));
    let writer = Step::act(
        "writer",
        "switch the Aurora writer over to eu-west-1",
        vec![Operation::SwitchoverGlobalCluster {
            region: us(),
            global: "my-global".into(),
            target: "arn:aws:rds:eu-west-1:123456789012:cluster:my-db-eu-west-1".into(),
        }],
        Vec::new(),
        Condition::Always,
        secs(1_200),
    )
    .at(&us())
    .after([StepId::from("pin")])
    .changing("writer us-east-1 -> eu-west-1")
    .usually(secs(120));
    let mut steps = if params.now { vec![pin, grow, quiet, writer] } else { vec![grow, pin, quiet, writer] };
    if params.now {
        steps[0].after.clear();
    }
    if params.scale_to_zero {
        steps.push(
            Step::act(
                "stop",
                "stop prod/api in us-east-1",
                vec![limits(us(), 0, 16), scale(us(), 0)],
                vec![scale(us(), 4), limits(us(), 4, 16)],
                Condition::Stopped { region: us(), service: api() },
                secs(600),
            )
            .at(&us())
            .after([StepId::from("quiet")])
            .changing("desired 4 -> 0"),
        );
    }
    let mut shaped_by = Facts::new();
    shaped_by.insert(Fact::HealthCheck("hc-us".into()), known_check(7));
    let mut headroom =
        GuardFinding::warn(GuardId::Headroom, "eu-west-1 can carry 16 tasks of the 15 that the peak needs");
    headroom = headroom.next("raise the maximum of prod/api in eu-west-1");
    Plan {
        runbook: "drain".into(),
        application: "orders".into(),
        params: params.clone(),
        confirm: "us-east-1".into(),
        made_at: now(),
        summary: "move users and the Aurora writer from us-east-1 to eu-west-1".into(),
        steps,
        shaped_by,
        findings: vec![headroom],
        data_at_risk: vec![
            "Aurora: nothing; the switchover waits for a lag of 0 (650 ms, 1m old)".into(),
            "S3: 2 objects wait to be copied (1m old)".into(),
        ],
        irreversible: Vec::new(),
        notes: vec!["clients that keep connections alive stay up to 60 min: client_keep_alive 3600 s".into()],
    }
}

/// The same with a health check that somebody else changed.
pub(crate) fn drifted(params: &Params) -> Plan {
    let mut plan = drain(params);
    plan.shaped_by.insert(Fact::HealthCheck("hc-us".into()), known_check(9));
    plan.made_at = now() + SignedDuration::from_secs(50);
    plan
}

fn known_check(version: i64) -> switchtower::domain::Observed<Known> {
    let source = Source::new(SourceKind::HealthChecks, "route53:GetHealthCheck", None);
    let config = HealthCheckConfig { version, ..fixture::check_config(false, false) };
    fact::stated(source, Known::HealthCheck(config), now())
}

/// What `failover us-east-1` would plan, once the database is chosen.
pub(crate) fn failover(params: &Params) -> Plan {
    let promote = Step::act(
        "writer",
        "promote eu-west-1, losing what was not copied",
        vec![Operation::FailoverGlobalCluster {
            region: eu(),
            global: "my-global".into(),
            target: "arn:aws:rds:eu-west-1:123456789012:cluster:my-db-eu-west-1".into(),
        }],
        Vec::new(),
        Condition::Always,
        secs(900),
    )
    .at(&eu())
    .changing("writer us-east-1 -> eu-west-1");
    let mut pin = out_of_dns("none");
    pin.after.clear();
    let mut plan = drain(params);
    plan.runbook = "failover".into();
    plan.summary = "get users out of us-east-1 now and promote the Aurora copy in eu-west-1".into();
    plan.steps = vec![pin, promote];
    plan.findings = vec![
        GuardFinding::block(GuardId::DataAtRisk, true, "Aurora lag was 160 s when last seen, 1m ago"),
        GuardFinding::warn(GuardId::Fresh, "us-east-1 was last read 4m ago"),
    ];
    plan.data_at_risk = vec!["Aurora: up to 160 s of commits (1m old)".into()];
    plan.irreversible = vec!["commits of us-east-1 that eu-west-1 does not have are lost".into()];
    plan
}

/// The plan with a finding that blocks.
pub(crate) fn blocked(mut plan: Plan, guard: GuardId) -> Plan {
    plan.findings.push(GuardFinding::block(guard, false, "inside the change freeze of the quarter's end"));
    plan
}

/// A run of `drain us-east-1` as far as wanted.
pub(crate) struct Tape {
    pub(crate) entries: Vec<Entry>,
    at: Timestamp,
}

impl Tape {
    pub(crate) fn opened() -> Self {
        let plan = drain(&Params { region: Some(us()), ..Params::default() });
        let opening = Opening {
            run: run_id(),
            application: "orders".into(),
            runbook: "drain".into(),
            params: plan.params.clone(),
            holder: "ops-oncall/alice".into(),
            host: "bastion-1".into(),
            pid: 4711,
            reason: "INC-42: us-east-1 drops requests".into(),
            overrides: Vec::new(),
            version: "0.1.0".into(),
        };
        let digest = plan.digest();
        let mut tape = Self { entries: Vec::new(), at: now() };
        tape.add(0, Event::Opened { opening: Box::new(opening), plan: Box::new(plan), digest });
        tape.add(1, Event::Lease { outcome: LeaseOutcome::Taken { number: 12 } });
        tape.add(0, Event::Notified { whom: "arn:aws:sns:eu-west-1:123456789012:ops".into(), failure: None });
        tape
    }

    pub(crate) fn add(&mut self, after: i64, event: Event) -> &mut Self {
        self.at += SignedDuration::from_secs(after);
        self.entries.push(Entry { seq: self.entries.len() as u64, at: self.at, event });
        self
    }

    fn call(&mut self, step: &str, way: usize, call: usize, operation: Operation) -> &mut Self {
        self.add(
            1,
            Event::Intent {
                step: step.into(),
                way,
                call,
                attempt: 0,
                operation: Box::new(operation),
                saved: Facts::new(),
            },
        )
    }

    fn applied(&mut self, step: &str, way: usize, call: usize, id: &str) -> &mut Self {
        self.add(1, Event::Applied { step: step.into(), way, call, request_id: Some(id.into()) })
    }

    /// Capacity is raised, the first way out of DNS was given up, the second is under way.
    pub(crate) fn running() -> Self {
        let mut tape = Self::opened();
        let grow = "scale/eu-west-1/prod/api";
        tape.add(1, Event::StepBegan { step: grow.into() });
        tape.call(grow, 0, 0, limits(eu(), 8, 16)).applied(grow, 0, 0, "7a1c-11");
        tape.call(grow, 0, 1, scale(eu(), 8)).applied(grow, 0, 1, "7a1c-12");
        tape.add(
            130,
            Event::StepDone { step: grow.into(), evidence: "8 of 8 tasks serve".into(), took: secs(134) },
        );
        tape.add(1, Event::StepBegan { step: "pin".into() });
        let plan = drain(&Params::default());
        let arc = plan.step(&"pin".into()).unwrap().ways[0].calls[0].clone();
        tape.call("pin", 0, 0, arc);
        let why: switchtower::domain::text::Text = "no answer from 5 endpoints in 10 s".into();
        tape.add(
            10,
            Event::NotApplied {
                step: "pin".into(),
                way: 0,
                call: 0,
                failure: ActFailure::Unknown { why: why.clone() },
            },
        );
        tape.add(0, Event::WayGivenUp { step: "pin".into(), way: 0, why });
        tape.call("pin", 1, 0, check(7, true)).applied("pin", 1, 0, "b2f0-99");
        let progress: switchtower::domain::text::Text = "2 of 6 answers still name us-east-1".into();
        tape.add(
            12,
            Event::Progress {
                step: "pin".into(),
                judgement: Judgement::NotYet { progress, share: Some(0.66) },
            },
        );
        tape
    }

    /// The way that is tried meets a control plane that does not answer, again and again.
    pub(crate) fn unanswered() -> Self {
        let mut tape = Self::running();
        for attempt in 1..40 {
            let operation = Box::new(check(7, true));
            let saved = Facts::new();
            tape.add(6, Event::Intent { step: "pin".into(), way: 1, call: 0, attempt, operation, saved });
            let why = format!(
                "route53:UpdateHealthCheck in us-east-1: ServiceUnavailable (request b2f0-{attempt})"
            );
            let failure = ActFailure::Unknown { why: why.into() };
            tape.add(1, Event::NotApplied { step: "pin".into(), way: 1, call: 0, failure });
        }
        tape
    }

    /// It waits for the operator.
    pub(crate) fn halted() -> Self {
        let mut tape = Self::running();
        let why = "2 of 6 answers still name us-east-1 after 5 min";
        tape.add(288, Event::StepFailed { step: "pin".into(), why: why.into(), passed: false });
        tape.add(
            0,
            Event::Halted {
                why: format!("take us-east-1 out of DNS: {why}").into(),
                done: vec!["scale/eu-west-1/prod/api".into()],
                undoable: vec!["pin".into(), "scale/eu-west-1/prod/api".into()],
                not_run: vec!["quiet".into(), "writer".into()],
                failed: Some("pin".into()),
            },
        );
        tape
    }

    /// The operator undid one step; the run waits where it waited.
    pub(crate) fn undone(&mut self, step: &str) -> &mut Self {
        let decision =
            switchtower::runbook::Decision::Undo { reason: "agreed".into(), step: Some(step.into()) };
        self.add(20, Event::Decided { decision, by: "alice".into() });
        self.call(step, 0, 1000, limits(eu(), 4, 16)).applied(step, 0, 1000, "7a1c-31");
        self.call(step, 0, 1001, scale(eu(), 4)).applied(step, 0, 1001, "7a1c-32");
        self.add(4, Event::StepUndone { step: step.into() });
        self.waits("pin", "2 of 6 answers still name us-east-1 after 5 min", &["pin"])
    }

    /// Everything else was retried; it waits at the step that was undone.
    pub(crate) fn waits_at(&mut self, step: &str) -> &mut Self {
        self.add(5, Event::Decided { decision: switchtower::runbook::Decision::Retry, by: "alice".into() });
        self.waits(
            step,
            "undone on the operator's word; retry does it again, skip goes on without it",
            &["pin"],
        )
    }

    fn waits(&mut self, step: &str, why: &str, undoable: &[&str]) -> &mut Self {
        self.add(
            0,
            Event::Halted {
                why: format!("{step}: {why}").into(),
                done: Vec::new(),
                undoable: undoable.iter().map(|id| StepId::from(*id)).collect(),
                not_run: vec!["quiet".into(), "writer".into()],
                failed: Some(step.into()),
            },
        )
    }

    /// It came to its end.
    pub(crate) fn done() -> Self {
        let mut tape = Self::running();
        let mut step = |id: &str, after: i64, evidence: &str| {
            if id != "pin" {
                tape.add(0, Event::StepBegan { step: id.into() });
            }
            let done =
                Event::StepDone { step: id.into(), evidence: evidence.into(), took: secs(after as u64) };
            tape.add(after, done);
        };
        step("pin", 40, "6 of 6 answers omit us-east-1");
        step("quiet", 200, "1.2 % of the traffic before, 2 minutes long");
        step("writer", 110, "eu-west-1 is the writer");
        tape.add(1, Event::Ended { outcome: Outcome::Done, rto: Some(secs(196)), rpo_ms: Some(0.0) });
        tape
    }

    /// Shows it to a console.
    pub(crate) fn play(&self, stage: &mut Stage) {
        for entry in &self.entries {
            stage.app.update(AppEvent::Run(run_id(), Arc::new(entry.clone())));
        }
        stage.tick(self.at);
    }
}

pub(crate) fn run_id() -> switchtower::runbook::RunId {
    switchtower::runbook::RunId::new(now(), "drain", Some("us-east-1"), 0x7f3a)
}

/// What planners would answer.
pub(crate) fn answer(wish: &switchtower::app::acting::Wish) -> Result<Plan, switchtower::runbook::PlanError> {
    use switchtower::app::acting::Book;
    use switchtower::runbook::PlanError;
    let mut plan = match wish.book {
        Book::Drain => drain(&wish.params),
        Book::Failover if wish.params.database.is_none() => {
            return Err(PlanError::Choose {
                question: "the Aurora writer is in us-east-1, which does not answer: what becomes of it?"
                    .into(),
                flag: "--database",
                choices: vec![
                    ("leave".into(), "users get out, writes fail until you decide".into()),
                    ("failover".into(), "promote eu-west-1; up to 160 s of commits are lost".into()),
                ],
                proposed: Some("failover".into()),
            });
        }
        Book::Failover => failover(&wish.params),
        Book::Restore => return Err(PlanError::Params("there is no run to restore from".into())),
        Book::Switchover => return Err(PlanError::Impossible("us-east-1 is the writer already".into())),
        Book::Cleanup => {
            let mut plan = drain(&wish.params);
            plan.runbook = "cleanup".into();
            plan.confirm = "orders".into();
            plan
        }
    };
    if !wish.armed {
        plan.findings.push(GuardFinding::block(GuardId::Armed, false, "the console is read-only"));
    }
    Ok(plan)
}
