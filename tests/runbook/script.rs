//! A plan as a script: its text, that every shell can read it, and what it does against a stand-in for `aws`.

use std::io::{Read as _, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use switchtower::domain::Topology;
use switchtower::domain::ids::{Arn, Region, ServiceKey};
use switchtower::domain::topology::{ArcEndpoint, ArcSettings, EvacuationMethod};
use switchtower::runbook::guard::{GuardFinding, GuardId};
use switchtower::runbook::{
    Condition, Facts, Operation, Params, Plan, RecordAction, RecordChange, Step, StepId, Suspended, Way,
    script,
};

use super::print::{every, latency};

const EAST: &str = "us-east-1";
const WEST: &str = "eu-west-1";
const MINUTE: Duration = Duration::from_mins(1);

fn topology() -> Topology {
    let mut topology: Topology = toml::from_str(include_str!("../domain/topology.toml")).unwrap();
    let endpoint = |host: &str, region: &str| ArcEndpoint {
        url: format!("https://{host}.route53-recovery-cluster.{region}.amazonaws.com/v1"),
        region: region.into(),
    };
    topology.arc = Some(ArcSettings {
        endpoints: vec![endpoint("aaa", "ap-northeast-1"), endpoint("bbb", "us-west-2")],
        routing_controls: Vec::new(),
    });
    topology
}

fn key() -> ServiceKey {
    ServiceKey { cluster: "prod".into(), service: "api".into() }
}

fn control() -> Arn {
    "arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us".into()
}

fn way(method: EvacuationMethod, call: Operation, undo: Operation, verify: Condition) -> Way {
    Way {
        method: Some(method),
        calls: vec![call],
        verify,
        undo: vec![undo],
        patience: Duration::from_secs(10),
    }
}

/// Scale, pin, prove, promote, fence: every shape that a step can have.
fn plan() -> Plan {
    let region = |name: &str| Region::new(name);
    let desired =
        |name: &str, desired| Operation::SetDesired { region: region(name), service: key(), desired };
    let limits = |min, max| Operation::RegisterScalableTarget {
        region: region(WEST),
        service: key(),
        min,
        max: Some(max),
        suspended: None,
    };
    let group =
        Arn::new("arn:aws:elasticloadbalancing:eu-west-1:123456789012:targetgroup/api/83e2d6bc24d8a067");
    let serving = Condition::All {
        of: vec![
            Condition::Scaling {
                region: region(WEST),
                service: key(),
                min: 6,
                max: Some(12),
                at_least: true,
                suspended: None,
            },
            Condition::Serving { region: region(WEST), service: key(), groups: vec![group], tasks: 6 },
        ],
    };
    let flags = |inverted, disabled| Operation::SetHealthCheck {
        check: "hc-us".into(),
        steers: region(EAST),
        version: Some(7),
        inverted,
        disabled,
    };
    let pinned = Condition::HealthCheckFlags { check: "hc-us".into(), inverted: true, disabled: true };
    let routed =
        |on: bool| Operation::SetRoutingControls { states: [(control(), on)].into(), steers: region(EAST) };
    let record = |action| Operation::ChangeRecords {
        zone: "Z111".into(),
        steers: region(EAST),
        changes: vec![RecordChange { action, record: latency("Z111", "api.example.com", EAST) }],
    };
    let off = Condition::RoutingControls { controls: vec![control()], on: false };
    let pin = Step {
        ways: vec![
            way(EvacuationMethod::RoutingControl, routed(false), routed(true), off.clone()),
            way(EvacuationMethod::HealthCheck, flags(true, true), flags(false, false), pinned.clone()),
            way(EvacuationMethod::Record, record(RecordAction::Delete), record(RecordAction::Upsert), pinned),
        ],
        ..Step::wait("pin", "take us-east-1 out of DNS", off, 2 * MINUTE)
    };
    let ask = vec![region(WEST), region(EAST)];
    let target = Arn::new("arn:aws:rds:eu-west-1:123456789012:cluster:my-db-eu-west-1");
    let writer =
        Condition::Writer { ask: ask.clone(), global: "my-global-db".into(), cluster: target.clone() };
    let idle = Condition::GlobalIdle { ask, global: "my-global-db".into() };
    let promote =
        Operation::FailoverGlobalCluster { region: region(WEST), global: "my-global-db".into(), target };
    let names = vec!["api.example.com".into()];
    let steps = vec![
        Step::act(
            "scale",
            "let eu-west-1 carry everything",
            vec![limits(6, 12), desired(WEST, 6)],
            vec![limits(2, 8)],
            serving,
            10 * MINUTE,
        )
        .at(&region(WEST))
        .changing("min 2 -> 6, desired 3 -> 6")
        .usually(Duration::from_secs(70)),
        pin.after([StepId::new("scale")])
            .when(Condition::Alive { region: region(WEST), groups: Vec::new() })
            .changing("routing control us On -> Off"),
        Step::wait(
            "proof",
            "see DNS move",
            Condition::All {
                of: vec![
                    Condition::Elapsed { span: MINUTE, name: "TTL of 60 s".into() },
                    Condition::AnswersOmit { names, region: region(EAST) },
                ],
            },
            5 * MINUTE,
        )
        .after([StepId::new("pin")]),
        Step::act("promote", "promote eu-west-1", vec![promote], Vec::new(), writer, 15 * MINUTE).when(idle),
        Step::act(
            "fence",
            "stop what still runs in us-east-1",
            vec![
                Operation::RegisterScalableTarget {
                    region: region(EAST),
                    service: key(),
                    min: 0,
                    max: Some(8),
                    suspended: Some(Suspended::ALL),
                },
                desired(EAST, 0),
            ],
            vec![desired(EAST, 3)],
            Condition::Stopped { region: region(EAST), service: key() },
            MINUTE,
        )
        .passing(),
    ];
    Plan {
        runbook: "failover".into(),
        application: "orders".into(),
        params: Params { region: Some(region(EAST)), to: Some(region(WEST)), ..Params::default() },
        confirm: EAST.into(),
        made_at: "2026-11-21T03:00:30Z".parse().unwrap(),
        summary: "users and writer leave us-east-1 for eu-west-1".into(),
        steps,
        shaped_by: Facts::new(),
        findings: vec![
            GuardFinding::warn(GuardId::DataAtRisk, "RPO lag 184 ms, seen 40 s ago").next("name the loss"),
        ],
        data_at_risk: vec!["writes of the last 184 ms (seen 40 s ago)".into()],
        irreversible: vec!["the promotion of my-db-eu-west-1".into()],
        notes: vec!["HTTP clients may keep us-east-1 for up to 1 h".into()],
    }
}

/// Stand-ins for `aws` and `sleep` that write down what they are asked. A check is so once the call that it is
/// about was made; calls that match `fails` are refused.
fn run(script: &str, fails: &str, arguments: &[&str]) -> (Option<i32>, Vec<String>, String) {
    let folder = stand_ins(script, fails);
    let out = Command::new("sh")
        .arg("kit.sh")
        .args(arguments)
        .current_dir(folder.path())
        .env("PATH", path(folder.path()))
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (out.status.code(), log(folder.path()), String::from_utf8(out.stderr).unwrap())
}

fn path(folder: &Path) -> String {
    format!("{}:{}", folder.display(), std::env::var("PATH").unwrap())
}

/// The first words of each call.
fn log(folder: &Path) -> Vec<String> {
    let short = |line: &str| line.split_whitespace().take(4).collect::<Vec<_>>().join(" ");
    std::fs::read_to_string(folder.join("log")).unwrap().lines().map(short).collect()
}

fn stand_ins(script: &str, fails: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let aws = format!(
        r#"#!/bin/sh
shift 4
printf '%s\n' "$*" >> log
made() {{ grep -q -- "$1" log && echo true || echo false; }}
case "$*" in
  {fails}) echo refused >&2; exit 254 ;;
  *describe-scalable-targets*) made 'register-scalable-target --region eu-west-1' ;;
  *describe-services*us-east-1*) made 'update-service --region us-east-1' ;;
  *describe-services*|*describe-target-health*) made 'update-service --region eu-west-1' ;;
  *get-routing-control-state*) made 'update-routing-control-states' ;;
  *describe-global-clusters*IsWriter*) made 'failover-global-cluster' ;;
  *describe-global-clusters*) echo true ;;
esac
"#
    );
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::File::create(&path).unwrap().write_all(text.as_bytes()).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
    };
    write("aws", &aws);
    write("sleep", "#!/bin/sh\nprintf 'sleep %s\\n' \"$1\" >> log\n");
    write("kit.sh", script);
    write("log", "");
    folder
}

/// Every POSIX shell that is here.
fn shells() -> impl Iterator<Item = &'static str> {
    ["/bin/sh", "/bin/dash", "/bin/bash", "/bin/busybox"]
        .into_iter()
        .filter(|shell| Path::new(shell).exists())
}

fn readable(script: &str) {
    for shell in shells() {
        let mut command = Command::new(shell);
        if shell.ends_with("busybox") {
            command.arg("sh");
        }
        let mut child =
            command.args(["-n", "/dev/stdin"]).stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let out = child.wait_with_output().unwrap();
        assert!(out.status.success(), "{shell}: {}", String::from_utf8_lossy(&out.stderr));
    }
}

#[test]
fn the_whole_plan_as_a_script() {
    let text = script(&plan(), &topology());
    readable(&text);
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("script-failover", text);
    });
}

#[test]
fn it_does_the_steps_in_order_and_waits_for_each() {
    let (code, log, said) = run(&script(&plan(), &topology()), "none", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(
        log,
        [
            // Not so yet, so it is done; then seen.
            "application-autoscaling describe-scalable-targets --region eu-west-1",
            "application-autoscaling register-scalable-target --region eu-west-1",
            "ecs update-service --region eu-west-1",
            "application-autoscaling describe-scalable-targets --region eu-west-1",
            "ecs describe-services --region eu-west-1",
            "elbv2 describe-target-health --region eu-west-1",
            "route53-recovery-cluster get-routing-control-state --routing-control-arn arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us",
            "route53-recovery-cluster update-routing-control-states --update-routing-control-state-entries [{\"RoutingControlArn\":\"arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us\",\"RoutingControlState\":\"Off\"}]",
            "route53-recovery-cluster get-routing-control-state --routing-control-arn arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us",
            // No change waits for a proof that it does not need.
            "rds describe-global-clusters --region eu-west-1",
            "rds describe-global-clusters --region eu-west-1",
            "rds failover-global-cluster --region eu-west-1",
            "rds describe-global-clusters --region eu-west-1",
            "sleep 60",
            "ecs describe-services --region us-east-1",
            "application-autoscaling register-scalable-target --region us-east-1",
            "ecs update-service --region us-east-1",
            "ecs describe-services --region us-east-1",
        ]
    );
    assert!(said.contains("not checked: DNS sends nobody to us-east-1 (api.example.com)"), "{said}");
}

#[test]
fn a_refusal_ends_it_unless_the_step_may_be_passed() {
    let text = script(&plan(), &topology());
    // An endpoint of ARC is down: the next one takes the change.
    let (code, log, said) = run(&text, "*aaa.route53-recovery*", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(log.iter().filter(|line| line.contains("update-routing-control-states")).count(), 2);
    // All are: nothing after it is done.
    let (code, log, said) = run(&text, "*update-routing-control-states*", &[]);
    assert_eq!(code, Some(254));
    assert!(said.contains("ended with 254 in step 2 of 5, take us-east-1 out of DNS"), "{said}");
    assert!(!log.iter().any(|line| line.contains("failover-global-cluster")));
    // The call is accepted and never comes true: the time-out of the step, five seconds a look.
    let (code, log, said) = run(&text, "*get-routing-control-state*", &[]);
    assert_eq!(code, Some(5));
    assert!(said.contains("not so after 120 s: routing control us is Off"), "{said}");
    assert_eq!(log.iter().filter(|line| *line == "sleep 5").count(), 24);
    // Fencing is best effort.
    let (code, log, said) = run(&text, "*register-scalable-target*us-east-1*", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("it failed, and is passed"), "{said}");
    assert!(!log.iter().any(|line| line == "ecs update-service --region us-east-1"));
    // The precondition of the promotion cannot be shown.
    let (code, log, _) = run(&text, "*describe-global-clusters*", &[]);
    assert_eq!(code, Some(5));
    assert!(!log.iter().any(|line| line.contains("failover-global-cluster")));
}

#[test]
fn a_blocked_plan_does_not_start_by_accident() {
    let mut plan = plan();
    plan.findings.push(GuardFinding::block(GuardId::Survivors, true, "eu-west-1 is not alive"));
    let text = script(&plan, &topology());
    assert!(text.contains("#   survivors BLOCKS: eu-west-1 is not alive"), "{text}");
    let (code, log, _) = run(&text, "none", &[]);
    assert_eq!((code, log), (Some(4), Vec::new()));
    let (code, log, _) = run(&text, "none", &["--although-blocked"]);
    assert_eq!((code, log.is_empty()), (Some(0), false));
}

#[test]
fn what_already_holds_is_not_done_again() {
    let text = script(&plan(), &topology());
    let (_, log, said) = run(&text, "*nothing*) ;; *describe*|*get-*) echo true ;; none", &[]);
    let calls: Vec<&String> = log
        .iter()
        .filter(|line| !line.contains(" describe-") && !line.contains(" get-") && !line.starts_with("sleep"))
        .collect();
    assert!(calls.is_empty(), "{calls:?} {said}");
}

/// What had to be so before a change need not be so any more once the change is made.
#[test]
fn a_script_that_was_stopped_is_run_again_from_its_beginning() {
    let text = script(&plan(), &topology());
    let not_idle = "*nothing*) ;; *IsWriter*) echo true ;; *describe-global-clusters*) echo false ;; \
                    *describe*|*get-*) echo true ;; none";
    let (code, log, said) = run(&text, not_idle, &[]);
    assert_eq!(code, Some(0), "{said}");
    let made = |line: &&String| ["failover-", "register-", "update-"].iter().any(|call| line.contains(call));
    assert_eq!(log.iter().find(made), None, "{log:#?}");
}

/// A step that any of its ways may prove: without a person the script looks at what it did itself.
#[test]
fn the_way_that_was_taken_is_looked_at() {
    let mut plan = plan();
    let pin = &mut plan.steps[1];
    pin.verify = Condition::Any { of: pin.ways.iter().map(|way| way.verify.clone()).collect() };
    let text = script(&plan, &topology());
    readable(&text);
    let (code, log, said) = run(&text, "none", &[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(said.contains("so: routing control us is Off"), "{said}");
    let (code, again, said) = run(&text, "*nothing*) ;; *describe*|*get-*) echo true ;; none", &[]);
    assert_eq!((code, again.iter().any(|line| line.contains("update-"))), (Some(0), false), "{said}");
    // It never comes true, and nothing goes on as if it had.
    let (code, _, said) = run(&text, "*get-routing-control-state*", &[]);
    assert_eq!(code, Some(5), "{log:#?} {said}");
    assert!(said.contains("not so after 120 s: routing control us is Off"), "{said}");
}

/// Whatever stands in names and words, the script has no line that is not one of its own.
#[test]
fn hostile_words_stay_words() {
    for word in ["it's", "a\nreboot", "$(reboot)", "`reboot`", "\"; reboot #", "\u{1b}[2J", "a'\n'reboot", ""]
    {
        let calls = every(word);
        let mut plan = plan();
        let flag = Condition::Flag {
            fact: switchtower::runbook::Fact::SwitchObject(WEST.into(), word.into(), word.into()),
            is: true,
            name: word.into(),
        };
        plan.steps.push(Step::act("hostile", word, calls.clone(), calls, flag, MINUTE).changing(word).when(
            Condition::Gone {
                fact: switchtower::runbook::Fact::Table(WEST.into(), word.into()),
                name: word.into(),
            },
        ));
        plan.summary = word.into();
        plan.application = word.into();
        plan.notes.push(word.into());
        plan.findings.push(GuardFinding::warn(GuardId::Fresh, word).next(word));
        let text = script(&plan, &topology());
        readable(&text);
        let reboots = text.lines().filter(|line| line.trim_start().starts_with("reboot")).count();
        assert_eq!(reboots, 0, "{text}");
        assert!(!text.chars().any(|c| c != '\n' && switchtower::domain::text::is_unsafe(c)), "{text:?}");
    }
}

#[test]
fn on_a_terminal_it_asks_before_each_change() {
    let folder = stand_ins(&script(&plan(), &topology()), "none");
    let terminal = native_pty_system().openpty(PtySize::default()).unwrap();
    let mut command = CommandBuilder::new("sh");
    command.arg("kit.sh");
    command.cwd(folder.path());
    command.env("PATH", path(folder.path()));
    let mut child = terminal.slave.spawn_command(command).unwrap();
    // Scale: no. Alive: yes. Pin: yes. Promote: stop.
    terminal.master.take_writer().unwrap().write_all(b"skip\nyes\nyes\nstop\n").unwrap();
    let mut output = terminal.master.try_clone_reader().unwrap();
    drop(terminal.slave);
    // The end of a terminal is an error on some systems; what was said until then counts.
    let mut said = Vec::new();
    let _ = output.read_to_end(&mut said);
    let said = String::from_utf8_lossy(&said);
    assert_eq!(child.wait().unwrap().exit_code(), 6, "{said}");
    assert!(said.contains("take us-east-1 out of DNS? [yes, skip, stop]"), "{said}");
    assert!(said.contains("stopped before: promote eu-west-1"), "{said}");
    let made: Vec<String> = log(folder.path())
        .into_iter()
        .filter(|line| !line.contains(" describe-") && !line.contains(" get-"))
        .map(|line| line.split_whitespace().take(2).collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(made, ["route53-recovery-cluster update-routing-control-states"]);
}
