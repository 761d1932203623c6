//! Runbooks against the fakes: somebody else's AWS takes the calls, in the regions and numbers that it was told to
//! expect, and whatever it cannot serve ends in a halt that says so.
//!
//! What the fakes get wrong here, neither answers DNS for its zone, so that no
//! proof by answers is planned; neither starts a task because a limit was raised, so that the survivor is seeded with
//! what it will need; moto knows no operation on a global cluster and keeps a health check's version at 1; ministack
//! has no Application Auto Scaling and its health checks cannot be read, so that regions leave DNS by their records.

use std::fs;
use std::path::PathBuf;

use serde_json::Value;

use crate::process::{self, Outcome};
use crate::{Case, case, python};

/// The cases; each acts on a fake of its own.
pub(crate) fn cases() -> Vec<Case> {
    vec![
        case("moto_runs::drain", drain),
        case("moto_runs::failover_halts_at_the_database", failover_halts),
        case("ministack_runs::failover_and_switchover", failover_and_switchover),
    ]
}

/// A seeded fake in which both regions serve, and a host with its topology.
struct Ground {
    url: String,
    home: PathBuf,
    _folder: tempfile::TempDir,
}

impl Ground {
    fn new(fake: &str) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let home = folder.path().to_path_buf();
        let script = if fake == "moto" { "front.py" } else { "mini.py" };
        let url = process::start_script(script, &[("MOTO_ECS_SERVICE_RUNNING", "4")])?;
        let mut seed = python::command("seed.py")?;
        seed.args(["--fake", fake, "--endpoint", &url, "--serving", "--manifest"]).arg(home.join("m.json"));
        python::run(&mut seed)?;
        let ground = Self { url, home, _folder: folder };
        let file = ground.home.join("t.toml").display().to_string();
        let asked = ["--hostname", "api.example.com", "--regions", "us-east-1,eu-west-1", "--output", &file];
        let init = ["init", "--endpoint-url", &ground.url];
        let outcome = process::switchtower(&ground.home, "AKIAINIT", &[&init[..], &asked].concat())?;
        if outcome.code != Some(0) {
            return Err(outcome.told());
        }
        ground.edit(|text| {
            text.replace("survivors_healthy_minutes = 3", "survivors_healthy_minutes = 0")
                .replace("answers_live_seconds = 60", "answers_live_seconds = 1")
                .replace("quiet_minutes = 3", "quiet_minutes = 0")
                + "[lease]\ntable = \"switchtower-lease\"\nregion = \"us-west-2\"\n"
        })?;
        Ok(ground)
    }

    fn edit(&self, change: impl FnOnce(String) -> String) -> Result<(), String> {
        let file = self.home.join("t.toml");
        let text = fs::read_to_string(&file).map_err(|why| why.to_string())?;
        fs::write(file, change(text)).map_err(|why| why.to_string())
    }

    /// Runs the program under an access key of its own.
    fn run(&self, key: &str, arguments: &[&str]) -> Result<Outcome, String> {
        let file = self.home.join("t.toml").display().to_string();
        let fixed = ["--topology", &file, "--endpoint-url", &self.url, "--allow-endpoint"];
        process::switchtower(&self.home, key, &[arguments, &fixed].concat())
    }

    /// What the fake logged of the calls under a key that would change something: operation, region, status, body.
    /// Those to the table of leases come apart, by their regions.
    fn changes(&self, key: &str) -> Result<(Vec<(String, Value)>, Vec<String>), String> {
        let log = process::http("GET", &self.url, "/_front/calls", "")?;
        let log: Vec<Value> = serde_json::from_str(&log).map_err(|why| why.to_string())?;
        let (mut changes, mut leases) = (Vec::new(), Vec::new());
        for call in log.into_iter().filter(|call| call["access_key"] == key) {
            let operation = call["operation"].as_str().unwrap_or_default().to_owned();
            let reads = ["Get", "List", "Describe", "Head", "Query", "GET ", "HEAD "];
            if reads.iter().any(|read| operation.starts_with(read)) {
                continue;
            }
            let region = call["region"].as_str().unwrap_or_default().to_owned();
            if call["service"] == "dynamodb" {
                leases.push(region);
            } else {
                // ministack's log names REST calls by method and path.
                let rrset = operation.ends_with("/rrset");
                let operation = if rrset { "ChangeResourceRecordSets".to_owned() } else { operation };
                changes.push((format!("{operation} {region} {}", call["status"]), call["body"].clone()));
            }
        }
        changes.sort_by(|a, b| a.0.cmp(&b.0));
        Ok((changes, leases))
    }

    /// Holds what the log tells against what was to be: calls with a word of their bodies, in alphabetical order.
    fn expect(&self, key: &str, wanted: &[(&str, &[&str])]) -> Result<(), String> {
        let (changes, leases) = self.changes(key)?;
        let same = changes.len() == wanted.len()
            && changes.iter().zip(wanted).all(|((call, body), (wanted, words))| {
                let body = body.as_str().unwrap_or_default();
                call == wanted && words.iter().all(|word| body.contains(word))
            });
        if !same {
            return Err(format!("{wanted:?} were to be sent, and the fake saw {changes:#?}"));
        }
        // Taken, looked at before each call, given back; and copies of the journal: all in its one region.
        if leases.len() < 3 || leases.iter().any(|region| region != "us-west-2") {
            return Err(format!("the table of leases was written in {leases:?}"));
        }
        Ok(())
    }
}

fn ended(outcome: &Outcome, code: i32, words: &str) -> Result<(), String> {
    let said = outcome.stdout.contains(words) || outcome.stderr.contains(words);
    if outcome.code == Some(code) && said { Ok(()) } else { Err(outcome.told()) }
}

const PINNED: [&str; 3] =
    ["<Disabled>true</Disabled>", "<Inverted>true</Inverted>", "<HealthCheckVersion>1</HealthCheckVersion>"];

/// Survivors grow, the region's check is disabled and inverted, and nothing else is sent. Without the database, which
/// moto cannot move.
fn drain() -> Result<(), String> {
    let ground = Ground::new("moto")?;
    ground.edit(|text| {
        let from = text.find("# Aurora global clusters").unwrap_or_default();
        let until = text.find("# Replicated buckets").unwrap_or_default();
        text[..from].to_owned() + &text[until..]
    })?;
    let away = ["--region", "us-east-1", "--confirm", "us-east-1", "--reason", "interop"];
    let ran = ground.run("AKIADRAIN", &[&["run", "drain"], &away[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    ground.expect(
        "AKIADRAIN",
        &[
            (
                "RegisterScalableTarget eu-west-1 200",
                &["\"MinCapacity\":4", "\"MaxCapacity\":21", "service/prod/api"],
            ),
            ("UpdateHealthCheck us-east-1 200", &PINNED),
            ("UpdateService eu-west-1 200", &["\"desiredCount\":4", "\"service\":\"admin\""]),
        ],
    )?;
    // The fake says what was done to it: now the other region is the last.
    let last = ["--region", "eu-west-1", "--confirm", "eu-west-1", "--reason", "interop"];
    let refused = ground.run("AKIALAST", &[&["run", "drain"], &last[..]].concat())?;
    ended(&refused, 4, "survivors blocks: without eu-west-1 no living region would be in DNS")?;
    match ground.changes("AKIALAST")? {
        (changes, leases) if changes.is_empty() && leases.is_empty() => Ok(()),
        (changes, leases) => Err(format!("refused, and sent {changes:?} {leases:?}")),
    }
}

/// moto refuses to promote a cluster: users are out all the same, the old region is fenced, and the run says where it
/// stands. What was refused for certain was tried again, and not for ever.
fn failover_halts() -> Result<(), String> {
    let ground = Ground::new("moto")?;
    let away = ["--region", "us-east-1", "--confirm", "us-east-1", "--reason", "interop"];
    let chosen = ["--database", "failover"];
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away[..], &chosen].concat())?;
    ended(&ran, 5, "halted: promote/my-global-db: rds:FailoverGlobalCluster in eu-west-1: NotImplemented")?;
    let promoted: (&str, &[&str]) = (
        "FailoverGlobalCluster eu-west-1 501",
        &["AllowDataLoss=true", "TargetDbClusterIdentifier=arn%3Aaws%3Ards%3Aeu-west-1"],
    );
    ground.expect(
        "AKIAFAIL",
        &[
            promoted,
            promoted,
            promoted,
            ("RegisterScalableTarget eu-west-1 200", &["\"MinCapacity\":4", "\"MaxCapacity\":21"]),
            (
                "RegisterScalableTarget us-east-1 200",
                &["\"MinCapacity\":0", "\"DynamicScalingOutSuspended\":true"],
            ),
            ("UpdateHealthCheck us-east-1 200", &PINNED),
            ("UpdateService eu-west-1 200", &["\"desiredCount\":4"]),
            ("UpdateService us-east-1 200", &["\"desiredCount\":0"]),
            ("UpdateService us-east-1 200", &["\"desiredCount\":0"]),
        ],
    )
}

/// ministack promotes and switches over: each call once, where AWS wants it.
fn failover_and_switchover() -> Result<(), String> {
    let ground = Ground::new("ministack")?;
    let away = ["--region", "us-east-1", "--confirm", "us-east-1", "--reason", "interop"];
    let chosen = ["--database", "failover"];
    let ran = ground.run("AKIAFAIL", &[&["run", "failover"], &away[..], &chosen].concat())?;
    ended(&ran, 0, "promote/my-global-db: done in ")?;
    let records =
        ["<Action>DELETE</Action>", "<SetIdentifier>us-east-1</SetIdentifier>", "<Type>AAAA</Type>"];
    ground.expect(
        "AKIAFAIL",
        &[
            ("ChangeResourceRecordSets us-east-1 200", &records),
            ("FailoverGlobalCluster eu-west-1 200", &["AllowDataLoss=true", "cluster%3Adb-eu-west-1"]),
        ],
    )?;
    let back =
        ["--region", "eu-west-1", "--to", "us-east-1", "--confirm", "eu-west-1", "--reason", "interop"];
    let ran = ground.run("AKIABACK", &[&["run", "switchover"], &back[..]].concat())?;
    ended(&ran, 0, "ended: done")?;
    ground.expect("AKIABACK", &[("SwitchoverGlobalCluster eu-west-1 200", &["cluster%3Adb-us-east-1"])])
}
