//! A fake of a case's own, a host with a topology of it, and what the fake says of both: its calls and its contents.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::process::{self, Outcome};
use crate::python;

/// The application's public name, and its own.
pub(crate) const NAME: &str = "api.example.com";

/// The two regions of the reference application; the third is the estate's.
const REGIONS: [&str; 3] = ["us-east-1", "eu-west-1", "ap-south-1"];

/// One call that would change something: `UpdateService eu-west-1 200`, and its body.
pub(crate) type Change = (String, String);

/// What is wanted of a call: its line, and words of its body.
pub(crate) type Wanted<'a> = (&'a str, &'a [&'a str]);

/// A seeded fake and a host.
pub(crate) struct Ground {
    pub(crate) url: String,
    pub(crate) home: PathBuf,
    fake: &'static str,
    regions: &'static [&'static str],
    _folder: tempfile::TempDir,
}

impl Ground {
    /// The reference application, both of whose regions serve.
    pub(crate) fn serving(fake: &'static str) -> Result<Self, String> {
        Self::new(fake, "seed.py", &["--serving", "--manifest", "m.json"], &REGIONS[..2])
    }

    /// An application in three regions that nobody uses, with the owner tag on what is its own, among neighbours. The
    /// third region has left DNS.
    pub(crate) fn estate(fake: &'static str) -> Result<Self, String> {
        let ground = Self::new(fake, "estate.py", &[], &REGIONS)?;
        ground.edit(|text| {
            let mut text = text + "[cleanup]\nowner_tag = \"owner\"\nowner_value = \"orders\"\n";
            for region in REGIONS.iter().filter(|_| fake == "moto") {
                text.extend([format!(
                    "[[cleanup.stack]]\nregion = \"{region}\"\nname = \"orders-network\"\n"
                )]);
            }
            text
        })?;
        let mut drain = python::command("estate.py")?;
        python::run(drain.args(["--fake", fake, "--endpoint", &ground.url, "--drain"]))?;
        Ok(ground)
    }

    fn new(
        fake: &'static str,
        seed: &str,
        options: &[&str],
        regions: &'static [&'static str],
    ) -> Result<Self, String> {
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let home = folder.path().to_path_buf();
        let server = if fake == "moto" { "front.py" } else { "mini.py" };
        let url = process::start_script(server, &[("MOTO_ECS_SERVICE_RUNNING", "4")], &[])?;
        let mut seed = python::command(seed)?;
        python::run(
            seed.args(["--fake", fake, "--endpoint", &url]).args(options).current_dir(folder.path()),
        )?;
        let ground = Self { url, home, fake, regions, _folder: folder };
        let file = ground.topology();
        let asked = ["--hostname", NAME, "--regions", &regions.join(","), "--output", &file];
        let init = ["init", "--force", "--endpoint-url", &ground.url];
        let init = || process::switchtower(&ground.home, "AKIAINIT", &[&init[..], &asked].concat());
        // On a machine that is too busy a question may time out, and what it was about would not be in the topology:
        // ministack leaves only those about scalable targets without an answer.
        let whole = |said: &str| {
            let missed = said.lines().filter(|line| line.contains("could not be read"));
            missed.filter(|line| !line.contains("scalable targets")).count() == 0
        };
        let mut outcome = init()?;
        for _ in 0..3 {
            if matches!(outcome.code, Some(0 | 10)) && whole(&outcome.stderr) && whole(&outcome.stdout) {
                break;
            }
            outcome = init()?;
        }
        if !matches!(outcome.code, Some(0 | 10)) {
            return Err(outcome.told());
        }
        ground.edit(|text| {
            text.replace("survivors_healthy_minutes = 3", "survivors_healthy_minutes = 0")
                .replace("answers_live_seconds = 60", "answers_live_seconds = 1")
                .replace("quiet_minutes = 3", "quiet_minutes = 0")
                .replace("soak_minutes = 5", "soak_minutes = 0")
                + "[lease]\ntable = \"switchtower-lease\"\nregion = \"us-west-2\"\n"
        })?;
        Ok(ground)
    }

    fn topology(&self) -> String {
        self.home.join("t.toml").display().to_string()
    }

    /// Changes the topology.
    pub(crate) fn edit(&self, change: impl FnOnce(String) -> String) -> Result<(), String> {
        let text = fs::read_to_string(self.topology()).map_err(|why| why.to_string())?;
        fs::write(self.topology(), change(text)).map_err(|why| why.to_string())
    }

    /// Leaves the Aurora clusters out of the topology, which moto cannot move.
    pub(crate) fn without_database(&self) -> Result<(), String> {
        self.edit(|text| {
            let from = text.find("# Aurora global clusters").unwrap_or_default();
            let until = text.find("# Replicated buckets").unwrap_or_default();
            text[..from].to_owned() + &text[until..]
        })
    }

    /// Runs the program under an access key of its own, beside whatever else runs.
    pub(crate) fn run(&self, key: &str, arguments: &[&str]) -> Result<Outcome, String> {
        process::switchtower_beside(&self.home, key, &self.full(arguments), || false)
    }

    /// The same, and kills the program as soon as the fake has seen `wanted` calls of an operation.
    pub(crate) fn run_until(
        &self,
        key: &str,
        arguments: &[&str],
        operation: &str,
        wanted: usize,
    ) -> Result<Outcome, String> {
        let seen = || {
            let changes = self.changes(key).map(|(changes, _)| changes).unwrap_or_default();
            changes.iter().filter(|(call, _)| call.starts_with(operation)).count() >= wanted
        };
        process::switchtower_beside(&self.home, key, &self.full(arguments), seen)
    }

    fn full(&self, arguments: &[&str]) -> Vec<String> {
        let file = self.topology();
        let fixed = ["--topology", &file, "--endpoint-url", &self.url, "--allow-endpoint"];
        [arguments, &fixed].concat().into_iter().map(str::to_owned).collect()
    }

    /// A plan as a script, by an access key of its own. A blocked plan has one too, which says so when it is run.
    pub(crate) fn script(&self, plan: &[&str]) -> Result<String, String> {
        let outcome = self.run("AKIAPLAN", &[&["plan"], plan, &["--script"]].concat())?;
        if matches!(outcome.code, Some(0 | 4)) { Ok(outcome.stdout) } else { Err(outcome.told()) }
    }

    /// The fake's contents, one line a thing, in `told.py`'s words.
    pub(crate) fn told(&self) -> Result<Vec<String>, String> {
        let mut command = python::command("told.py")?;
        command.args(["--fake", self.fake, "--endpoint", &self.url]).args(self.regions);
        Ok(python::run(&mut command)?.lines().map(str::to_owned).collect())
    }

    /// What the fake logged of the calls under a key that would change something, oldest first. Those to the table of
    /// leases come apart, by their regions.
    pub(crate) fn changes(&self, key: &str) -> Result<(Vec<Change>, Vec<String>), String> {
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
            let body = call["body"].as_str().unwrap_or_default().to_owned();
            if call["service"] == "dynamodb" && body.contains("switchtower-lease") {
                leases.push(region);
            } else {
                // ministack's log names REST calls by method and path.
                let rrset = operation.trim_end_matches('/').ends_with("/rrset");
                let operation = if rrset { "ChangeResourceRecordSets".to_owned() } else { operation };
                changes.push((format!("{operation} {region} {}", call["status"]), body));
            }
        }
        Ok((changes, leases))
    }

    /// Holds what the log tells against what was to be sent, whatever the order of it.
    pub(crate) fn expect(&self, key: &str, wanted: &[Wanted<'_>]) -> Result<(), String> {
        self.expect_in_stages(key, &[wanted])
    }

    /// The same, in exactly this order.
    pub(crate) fn expect_in_order(&self, key: &str, wanted: &[Wanted<'_>]) -> Result<(), String> {
        let stages: Vec<&[Wanted<'_>]> = wanted.chunks(1).collect();
        self.expect_in_stages(key, &stages)
    }

    /// The same, one stage after the other; within a stage in any order.
    pub(crate) fn expect_in_stages(&self, key: &str, stages: &[&[Wanted<'_>]]) -> Result<(), String> {
        let (changes, leases) = self.changes(key)?;
        same(&changes, stages)?;
        // Taken, looked at before each call, given back; and copies of the journal: all in its one region.
        if leases.len() < 3 || leases.iter().any(|region| region != "us-west-2") {
            return Err(format!("the table of leases was written in {leases:?}"));
        }
        Ok(())
    }

    /// The same of a script, in any order: it knows of no lease.
    pub(crate) fn expect_without_lease(&self, key: &str, wanted: &[Wanted<'_>]) -> Result<(), String> {
        let (changes, leases) = self.changes(key)?;
        same(&changes, &[wanted])?;
        if leases.is_empty() { Ok(()) } else { Err(format!("a script took a lease: {leases:?}")) }
    }

    /// Nothing was sent that would change anything.
    pub(crate) fn expect_nothing(&self, key: &str) -> Result<(), String> {
        match self.changes(key)? {
            (changes, leases) if changes.is_empty() && leases.is_empty() => Ok(()),
            (changes, leases) => Err(format!("nothing was to be sent: {changes:?} {leases:?}")),
        }
    }
}

/// Every call of each stage once, and none beside.
pub(crate) fn same(changes: &[Change], stages: &[&[Wanted<'_>]]) -> Result<(), String> {
    let mut rest = changes;
    for stage in stages {
        let (mut here, after) = rest.split_at(stage.len().min(rest.len()));
        let mut open = stage.to_vec();
        while let Some(((call, body), others)) = here.split_first() {
            // boto3 writes its JSON with spaces.
            let body = body.replace(": ", ":");
            let fits =
                |(wanted, words): &Wanted<'_>| call == wanted && words.iter().all(|word| body.contains(word));
            let Some(found) = open.iter().position(fits) else {
                return Err(format!("{call} was not to be sent here: {body}\nof {changes:#?}"));
            };
            open.swap_remove(found);
            here = others;
        }
        if let Some((call, words)) = open.first() {
            return Err(format!("{call} was to be sent, with {words:?}: {changes:#?}"));
        }
        rest = after;
    }
    if rest.is_empty() { Ok(()) } else { Err(format!("too many calls were sent: {rest:#?}")) }
}

/// Holds one list of lines against another.
pub(crate) fn same_lines(what: &str, found: &[String], wanted: &[String]) -> Result<(), String> {
    let only = |these: &[String], those: &[String]| -> Vec<String> {
        these.iter().filter(|line| !those.contains(line)).cloned().collect()
    };
    let (more, less) = (only(found, wanted), only(wanted, found));
    if more.is_empty() && less.is_empty() && found.len() == wanted.len() {
        return Ok(());
    }
    Err(format!("{what}: there is {more:#?} too much, and {less:#?} is missing"))
}

/// What two tellings do not share: lines that went with a minus before them, lines that came with a plus.
pub(crate) fn difference(before: &[String], after: &[String]) -> Vec<String> {
    let gone = before.iter().filter(|line| !after.contains(line)).map(|line| format!("- {line}"));
    let new = after.iter().filter(|line| !before.contains(line)).map(|line| format!("+ {line}"));
    gone.chain(new).collect()
}

/// A run ended with a code, and said these words.
pub(crate) fn ended(outcome: &Outcome, code: i32, words: &str) -> Result<(), String> {
    let said = outcome.stdout.contains(words) || outcome.stderr.contains(words);
    if outcome.code == Some(code) && said { Ok(()) } else { Err(outcome.told()) }
}

/// What a region of a run is confirmed with.
pub(crate) fn away(region: &'static str) -> [&'static str; 6] {
    ["--region", region, "--confirm", region, "--reason", "interop"]
}

/// A folder with an `aws` and a `sleep` for scripts.
pub(crate) struct Kit {
    folder: tempfile::TempDir,
    port: String,
    send: &'static str,
}

impl Kit {
    /// An `aws` whose lines are only read.
    pub(crate) fn reader() -> Result<Self, String> {
        Self::new(&[], "no")
    }

    /// An `aws` whose lines go to a ground's fake.
    pub(crate) fn of(ground: &Ground) -> Result<Self, String> {
        Self::new(&["--endpoint", &ground.url], "yes")
    }

    fn new(arguments: &[&str], send: &'static str) -> Result<Self, String> {
        let url = process::start_script("awscli.py", &[], arguments)?;
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let link = |from: &Path, name: &str| {
            std::os::unix::fs::symlink(from, folder.path().join(name)).map_err(|why| why.to_string())
        };
        link(&python::script("aws"), "aws")?;
        // The fakes do everything at once: nothing is worth waiting for.
        link(Path::new("/bin/true"), "sleep")?;
        let port = url.rsplit(':').next().unwrap_or_default().to_owned();
        Ok(Self { folder, port, send })
    }

    /// Gives a script to a shell, under an access key of its own: its exit code, and what it said.
    pub(crate) fn shell(
        &self,
        shell: &str,
        key: &str,
        options: &[&str],
        script: &str,
    ) -> Result<(i32, String), String> {
        let file = self.folder.path().join("kit.sh");
        fs::write(&file, script).map_err(|why| why.to_string())?;
        let path = std::env::var("PATH").unwrap_or_default();
        let outcome = process::command(
            std::process::Command::new(shell)
                .args(options)
                .arg(&file)
                .env_clear()
                .env("PATH", format!("{}:{path}", self.folder.path().display()))
                .env("AWS_ACCESS_KEY_ID", key)
                .env("AWSCLI_PORT", &self.port)
                .env("AWSCLI_SEND", self.send),
            Duration::from_mins(2),
        )?;
        Ok((outcome.code.unwrap_or(-1), outcome.stdout + &outcome.stderr))
    }
}
