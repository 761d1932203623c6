//! The README tells the truth: its commands, flags and scenarios are those of the program.

use std::fs;
use std::process::Command;

fn readme() -> String {
    fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/README.md")).unwrap()
}

fn help(arguments: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_switchtower"));
    let output = command.args(arguments).arg("--help").env_clear().output().unwrap();
    assert!(
        output.status.success(),
        "{arguments:?} has no help: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Command lines of the README's shell blocks, as words after the program's name.
fn command_lines() -> Vec<Vec<String>> {
    let text = readme();
    let mut lines = Vec::new();
    for block in text.split("```sh\n").skip(1) {
        let block = block.split("```").next().unwrap();
        for line in block.lines() {
            let words = line
                .strip_prefix("cargo run -- ")
                .or_else(|| line.strip_prefix("switchtower ").or((line == "switchtower").then_some("")));
            if let Some(words) = words {
                lines.push(words.split_whitespace().map(str::to_owned).collect());
            }
        }
    }
    lines
}

/// Subcommands as `--help` lists them.
fn subcommands() -> Vec<String> {
    let help = help(&[]);
    let commands = help.split("Commands:\n").nth(1).unwrap().split("\n\n").next().unwrap();
    commands.lines().filter_map(|line| line.split_whitespace().next()).map(str::to_owned).collect()
}

#[test]
fn every_command_of_the_readme_exists_with_its_flags() {
    let lines = command_lines();
    assert!(lines.len() > 8, "the README's commands were not found: {lines:?}");
    let known = subcommands();
    for words in lines {
        let Some(subcommand) = words.first().filter(|word| !word.starts_with('-')) else { continue };
        assert!(known.contains(subcommand), "the README names `{subcommand}`, which is no subcommand");
        // `runs report` has a help of its own; elsewhere what follows is an argument, and changes nothing.
        let asked: Vec<&str> =
            words.iter().map(String::as_str).take_while(|word| !word.starts_with("--")).collect();
        let help = help(&asked);
        for flag in words.iter().filter(|word| word.starts_with("--")) {
            let there = help.split(|c: char| c.is_whitespace() || c == ',').any(|word| word == flag);
            assert!(there, "`switchtower {subcommand}` has no {flag}");
        }
    }
}

#[test]
fn every_subcommand_is_in_the_readme() {
    let lines = command_lines();
    for subcommand in subcommands() {
        if subcommand != "help" {
            let told = lines.iter().any(|words| words.first() == Some(&subcommand));
            assert!(told, "the README does not show `switchtower {subcommand}`");
        }
    }
}

#[test]
fn every_scenario_is_in_the_readme() {
    let text = readme();
    for name in switchtower::sim::scenario_names() {
        assert!(text.contains(&format!("`{name}`")), "the README does not name the scenario {name}");
    }
}

/// The permissions that the README's policy grants are those that the program asks for, no more and no less.
#[test]
fn the_policy_allows_every_call() {
    use switchtower::cloud::calls;
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/iam/observe.json");
    let policy: serde_json::Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let watch: Vec<&str> = policy["Statement"][0]["Action"]
        .as_array()
        .unwrap()
        .iter()
        .filter_map(|action| action.as_str())
        .collect();
    let mut asked: Vec<String> = [
        calls::DESCRIBE_ALARMS,
        calls::GET_METRIC_DATA,
        calls::DESCRIBE_TABLE,
        calls::DESCRIBE_SERVICES,
        calls::DESCRIBE_LOAD_BALANCERS,
        calls::DESCRIBE_TARGET_HEALTH,
        calls::DESCRIBE_DB_CLUSTERS,
        calls::DESCRIBE_GLOBAL_CLUSTERS,
        calls::GET_HEALTH_CHECK,
        calls::GET_HEALTH_CHECK_STATUS,
        calls::GET_LAST_FAILURE,
        calls::LIST_HEALTH_CHECKS,
        calls::LIST_RECORDS,
        calls::GET_BUCKET_REPLICATION,
        calls::DESCRIBE_SCALABLE_TARGETS,
        calls::GET_TOPIC_ATTRIBUTES,
    ]
    .iter()
    // S3's permission has another name than its call.
    .map(|call| call.replace("s3:GetBucketReplication", "s3:GetReplicationConfiguration"))
    .collect();
    asked.sort();
    assert_eq!(watch, asked);
}
