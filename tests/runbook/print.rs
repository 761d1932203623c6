//! Operations as calls and command lines: a real shell splits every line, and gets the parameters back.

use std::process::Command;

use proptest::prelude::*;
use serde_json::{Map, Value, json};
use switchtower::domain::Topology;
use switchtower::domain::ids::{Arn, Region, ServiceKey};
use switchtower::domain::snapshot::{AliasTarget, RecordSet};
use switchtower::domain::topology::{ArcEndpoint, ArcSettings, RoutingPolicy, Scope};
use switchtower::runbook::{Operation, RecordAction, RecordChange, Suspended};

pub(super) fn latency(zone: &str, name: &str, identifier: &str) -> RecordSet {
    RecordSet {
        zone_id: zone.into(),
        name: name.into(),
        record_type: "A".into(),
        set_identifier: Some(identifier.into()),
        policy: RoutingPolicy::Latency,
        selector: Some("us-east-1".into()),
        weight: None,
        alias: Some(AliasTarget {
            dns_name: "prod-us.us-east-1.elb.amazonaws.com".into(),
            zone_id: "ZELBUS".into(),
            evaluate_target_health: true,
        }),
        values: Vec::new(),
        ttl: None,
        health_check: Some("hc-us".into()),
    }
}

/// One of every kind, with a word of the caller's wherever a name stands.
pub(super) fn every(word: &str) -> Vec<Operation> {
    let region = Region::new("eu-west-1");
    let service = ServiceKey { cluster: word.into(), service: word.into() };
    let arn = Arn::new(word);
    let change = |action| RecordChange { action, record: latency(word, word, word) };
    vec![
        Operation::SetHealthCheck {
            check: word.into(),
            steers: region.clone(),
            version: Some(7),
            inverted: true,
            disabled: false,
        },
        Operation::ChangeRecords {
            zone: word.into(),
            steers: region.clone(),
            changes: vec![change(RecordAction::Delete), change(RecordAction::Upsert)],
        },
        Operation::DeleteHealthCheck { check: word.into() },
        Operation::SetRoutingControls { states: [(arn.clone(), false)].into(), steers: region.clone() },
        Operation::PutSwitchObject {
            region: region.clone(),
            bucket: word.into(),
            key: word.into(),
            steers: region.clone(),
        },
        Operation::DeleteSwitchObject {
            region: region.clone(),
            bucket: word.into(),
            key: word.into(),
            steers: region.clone(),
        },
        Operation::PutSwitchMetric {
            region: region.clone(),
            namespace: word.into(),
            name: word.into(),
            steers: "us-east-1".into(),
            out: true,
        },
        Operation::RegisterScalableTarget {
            region: region.clone(),
            service: service.clone(),
            min: 0,
            max: None,
            suspended: Some(Suspended::ALL),
        },
        Operation::RegisterScalableTarget {
            region: region.clone(),
            service: service.clone(),
            min: 4,
            max: Some(12),
            suspended: None,
        },
        Operation::DeregisterScalableTarget { region: region.clone(), service: service.clone() },
        Operation::SetDesired { region: region.clone(), service: service.clone(), desired: 6 },
        Operation::Redeploy { region: region.clone(), service: service.clone() },
        Operation::DeleteService { region: region.clone(), service },
        Operation::DeregisterTaskDefinition { region: region.clone(), arn: arn.clone() },
        Operation::DeleteCluster { region: region.clone(), cluster: word.into() },
        Operation::SwitchoverGlobalCluster {
            region: region.clone(),
            global: word.into(),
            target: arn.clone(),
        },
        Operation::FailoverGlobalCluster { region: region.clone(), global: word.into(), target: arn.clone() },
        Operation::RemoveFromGlobalCluster {
            region: region.clone(),
            global: word.into(),
            cluster: arn.clone(),
        },
        Operation::SetGlobalClusterProtection {
            region: region.clone(),
            global: word.into(),
            protected: false,
        },
        Operation::SetClusterProtection { region: region.clone(), cluster: word.into(), protected: true },
        Operation::DeleteDbInstance { region: region.clone(), instance: word.into() },
        Operation::DeleteDbCluster {
            region: region.clone(),
            cluster: word.into(),
            final_snapshot: Some(word.into()),
        },
        Operation::DeleteDbCluster { region: region.clone(), cluster: word.into(), final_snapshot: None },
        Operation::DeleteGlobalCluster { region: region.clone(), global: word.into() },
        Operation::SetTableProtection { region: region.clone(), table: word.into(), protected: false },
        Operation::DeleteReplica { region: region.clone(), table: word.into(), replica: "us-east-1".into() },
        Operation::DeleteTable { region: region.clone(), table: word.into() },
        Operation::DeleteAlarms { region: region.clone(), names: vec![word.into(), "second".into()] },
        Operation::DeleteTopic { region: region.clone(), topic: arn.clone() },
        Operation::SetLoadBalancerProtection { region: region.clone(), arn: arn.clone(), protected: false },
        Operation::DeleteLoadBalancer { region: region.clone(), arn: arn.clone() },
        Operation::DeleteTargetGroup { region: region.clone(), arn },
        Operation::DeleteBucketReplication { region: region.clone(), bucket: word.into() },
        Operation::EmptyBucket { region: region.clone(), bucket: word.into() },
        Operation::DeleteBucket { region: region.clone(), bucket: word.into() },
        Operation::DeleteStack { region, stack: word.into() },
    ]
}

/// What a real shell makes of the lines: the words of each call of `aws`.
fn words(lines: &[String]) -> Vec<Vec<String>> {
    let script = format!("aws() {{ printf '%s\\0' \"$@\"; printf '\\1'; }}\n{}\n", lines.join("\n"));
    let out = Command::new("sh").arg("-euc").arg(script).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    text.strip_suffix('\u{1}')
        .unwrap()
        .split('\u{1}')
        .map(|call| call.strip_suffix('\0').unwrap().split('\0').map(str::to_owned).collect())
        .collect()
}

/// `db-cluster-identifier` and `DBClusterIdentifier` are the same name.
fn flat(name: &str) -> String {
    name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
}

fn value(text: &str) -> Value {
    match serde_json::from_str(text) {
        Ok(structure @ (Value::Object(_) | Value::Array(_))) => structure,
        _ => json!(text),
    }
}

/// Parameters as the `aws` command would understand them, by flat name.
fn understood(words: &[String]) -> Map<String, Value> {
    let mut found = Map::new();
    let mut words = words.iter().skip(2).peekable();
    while let Some(word) = words.next() {
        let option = word.strip_prefix("--").unwrap_or_else(|| panic!("{word} is no option"));
        let (name, given) = match option.split_once('=') {
            Some((name, given)) => (name, Some(given.to_owned())),
            None => (option, words.next_if(|word| !word.starts_with("--")).cloned()),
        };
        match (name, given) {
            ("region" | "profile" | "endpoint-url", Some(_)) => {}
            ("cli-input-json", Some(given)) => {
                let Value::Object(all) = serde_json::from_str(&given).unwrap() else { panic!("{given}") };
                for (name, given) in all {
                    let given = match given {
                        Value::Bool(_) | Value::Number(_) => json!(given.to_string()),
                        other => other,
                    };
                    found.insert(flat(&name), given);
                }
            }
            (name, Some(given)) => {
                // The command would read a file here.
                assert!(!given.starts_with("file://"), "{given}");
                found.insert(flat(name), value(&given));
            }
            (name, None) => match name.strip_prefix("no-") {
                Some(name) => found.insert(flat(name), json!("false")),
                None => found.insert(flat(name), json!("true")),
            }
            .map_or((), drop),
        }
    }
    found
}

fn agree(operations: &[Operation]) {
    let single: Vec<&Operation> =
        operations.iter().filter(|operation| !matches!(operation, Operation::EmptyBucket { .. })).collect();
    let lines: Vec<String> = single
        .iter()
        .map(|operation| operation.cli().replace("\"$ARC_ENDPOINT\"", "e").replace("\"$ARC_REGION\"", "r"))
        .collect();
    for line in &lines {
        assert!(!line.chars().any(switchtower::domain::text::is_unsafe), "{line:?}");
    }
    let calls = words(&lines);
    assert_eq!(calls.len(), single.len());
    for (operation, words) in single.iter().zip(&calls) {
        let call = operation.call();
        assert_eq!(flat(&words[1]), flat(call.operation));
        let told: Map<String, Value> =
            call.parameters.iter().map(|(name, text)| (flat(name), value(text))).collect();
        assert_eq!(understood(words), told, "{}", operation.cli());
        let region = words.iter().position(|word| word == "--region").map(|at| words[at + 1].as_str());
        let wanted = match call.service {
            "route53" => None,
            "route53-recovery-cluster" => Some("r"),
            _ => Some(call.region.as_str()),
        };
        assert_eq!(region, wanted, "{}", operation.cli());
    }
}

#[test]
fn every_line_is_as_an_operator_would_write_it() {
    let lines: Vec<String> = every("prod").iter().map(Operation::cli).collect();
    insta::with_settings!({ omit_expression => true, prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!("print-lines", lines.join("\n"));
        let calls: Vec<String> =
            every("prod").iter().map(|operation| format!("{}\n  {}", operation.sentence(), operation.call())).collect();
        insta::assert_snapshot!("print-calls", calls.join("\n"));
    });
}

#[test]
fn a_shell_gives_the_parameters_back() {
    for word in [
        "prod",
        "",
        "it's",
        "a b  c",
        "$(reboot)",
        "`reboot`",
        "x; reboot #",
        "--inverted",
        "-",
        "~root",
        "*",
        "\\",
        "\"",
        "!!",
        "file:///etc/passwd",
        "https://example.com/x",
        "a\nreboot",
        "\u{1b}[2J",
        "[1]",
        "{}",
        "ünïcödé 名",
        "a\u{202e}b",
    ] {
        agree(&every(word));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn any_name_survives_the_shell(word in "[ -~\\n\\t'\"$`\\\\äß\u{202e}\u{85}😀-]{0,24}") {
        prop_assume!(!word.contains(['\0', '\u{1}']));
        agree(&every(&word));
    }
}

#[test]
fn where_it_goes_and_as_whom_comes_from_the_topology() {
    let mut topology: Topology = toml::from_str(include_str!("../domain/topology.toml")).unwrap();
    let off = Operation::SetRoutingControls {
        states: [(
            "arn:aws:route53-recovery-control::123456789012:controlpanel/p/routingcontrol/us".into(),
            false,
        )]
        .into(),
        steers: "us-east-1".into(),
    };
    let unknown = off.cli_at(&topology);
    assert!(unknown.contains(r#"--endpoint-url "$ARC_ENDPOINT" --region "$ARC_REGION""#), "{unknown}");

    let endpoint = |host: &str, region: &str| ArcEndpoint {
        url: format!("https://{host}.route53-recovery-cluster.{region}.amazonaws.com/v1"),
        region: region.into(),
    };
    topology.arc = Some(ArcSettings {
        endpoints: vec![endpoint("aaa", "ap-northeast-1"), endpoint("bbb", "us-west-2")],
        routing_controls: Vec::new(),
    });
    for (key, profile) in [("dns", "dns admin"), ("arc", "arc"), ("eu-west-1", "eu")] {
        topology.scope.insert(key.into(), Scope { profile: Some(profile.into()), ..Scope::default() });
    }
    let lines = off.cli_each_at(&topology);
    assert_eq!(lines.len(), 2);
    assert!(
        lines[0].starts_with(
            "aws route53-recovery-cluster update-routing-control-states \
         --endpoint-url https://aaa.route53-recovery-cluster.ap-northeast-1.amazonaws.com/v1 \
         --region ap-northeast-1 --profile arc --update-routing-control-state-entries '[{"
        ),
        "{}",
        lines[0]
    );
    assert!(lines[1].contains("--region us-west-2"), "{}", lines[1]);
    assert_eq!(off.cli_at(&topology), lines[0]);

    let pin = Operation::SetHealthCheck {
        check: "hc-us".into(),
        steers: "us-east-1".into(),
        version: Some(7),
        inverted: true,
        disabled: true,
    };
    assert_eq!(
        pin.cli_at(&topology),
        "aws route53 update-health-check --profile 'dns admin' --health-check-id hc-us --health-check-version 7 \
         --inverted --disabled"
    );
    let drop = Operation::DeleteTable { region: "eu-west-1".into(), table: "Orders".into() };
    assert_eq!(
        drop.cli_at(&topology),
        "aws dynamodb delete-table --region eu-west-1 --profile eu --table-name Orders"
    );
}

/// The loop against a stand-in that has 250 versions in three pages and two unfinished uploads.
#[test]
fn a_bucket_is_emptied_page_by_page_and_a_failure_ends_it() {
    let empty = Operation::EmptyBucket { region: "eu-west-1".into(), bucket: "it's mine".into() }.cli();
    let run = |fails: &str| {
        let folder = tempfile::tempdir().unwrap();
        let script = format!(
            r#"aws() {{
  [ "$6" = "it's mine" ] || exit 9
  echo "$2" >> log
  case $2 in
    {fails}) return 254 ;;
    list-object-versions) read -r left < left; [ "$left" = 0 ] && echo '[]' || echo '[{{"Key":"a \"b\"","VersionId":"1"}}]' ;;
    delete-objects) read -r left < left; echo $((left - 1)) > left; printf '%s\n' "$8" >> log ;;
    list-multipart-uploads) printf 'u1\tkey one\nu2\tk 2\n' ;;
    abort-multipart-upload) printf '%s|%s\n' "$8" "${{10}}" >> log ;;
  esac
}}
echo 2 > left
{empty}
"#
        );
        let out = Command::new("sh").arg("-c").arg(script).current_dir(folder.path()).output().unwrap();
        (out.status.code(), std::fs::read_to_string(folder.path().join("log")).unwrap())
    };
    let (code, log) = run("none");
    assert_eq!(code, Some(0));
    let batch = r#"{"Objects": [{"Key":"a \"b\"","VersionId":"1"}], "Quiet": true}"#;
    assert_eq!(
        log.lines().collect::<Vec<_>>(),
        [
            "list-object-versions",
            "delete-objects",
            batch,
            "list-object-versions",
            "delete-objects",
            batch,
            "list-object-versions",
            "list-multipart-uploads",
            "abort-multipart-upload",
            "u1|key one",
            "abort-multipart-upload",
            "u2|k 2",
        ]
    );
    for (step, calls) in [
        ("list-object-versions", 1),
        ("delete-objects", 2),
        ("list-multipart-uploads", 6),
        ("abort-multipart-upload", 7),
    ] {
        let (code, log) = run(step);
        assert_eq!(code, Some(254), "{step}");
        let made = log.lines().filter(|line| !line.starts_with('{') && !line.contains('|')).count();
        assert_eq!(made, calls, "{step}: {log}");
    }
}
