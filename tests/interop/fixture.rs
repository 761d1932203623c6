//! A seeded fake, the topology that `init` found in it, and what `status --json` said: made once, read by many cases.

use std::fs;
use std::path::PathBuf;
use std::sync::OnceLock;

use serde_json::Value;

use crate::process::{self, Outcome};
use crate::python;

/// The fakes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fake {
    /// moto behind our front.
    Moto,
    /// ministack as it is.
    Ministack,
}

/// One fake and what the program made of it.
pub(crate) struct Seeded {
    /// Its endpoint.
    pub(crate) url: String,
    /// What was put into it.
    pub(crate) manifest: Value,
    /// A home directory for the program, with the topology `t.toml` in it.
    pub(crate) home: PathBuf,
    /// How `init` went.
    pub(crate) init: Outcome,
    /// The file that `init` wrote.
    pub(crate) topology: String,
    /// How `status --json` went.
    pub(crate) status: Outcome,
    /// What it printed.
    pub(crate) json: Value,
    _folder: tempfile::TempDir,
}

/// The access key of the shared run of `init` and `status`; the front's log tells calls apart by it.
pub(crate) const SHARED_INIT: &str = "AKIAINIT";
/// The access key of the shared run of `status`.
pub(crate) const SHARED_STATUS: &str = "AKIASTATUS";

impl Fake {
    /// The seeded fake after one `init` and one `status --json`.
    pub(crate) fn seeded(self) -> Result<&'static Seeded, String> {
        static MOTO: OnceLock<Result<Seeded, String>> = OnceLock::new();
        static MINISTACK: OnceLock<Result<Seeded, String>> = OnceLock::new();
        let cell = if self == Self::Moto { &MOTO } else { &MINISTACK };
        cell.get_or_init(|| self.make()).as_ref().map_err(Clone::clone)
    }

    fn make(self) -> Result<Seeded, String> {
        let (name, script) = if self == Self::Moto { ("moto", "front.py") } else { ("ministack", "mini.py") };
        let folder = tempfile::tempdir().map_err(|why| why.to_string())?;
        let home = folder.path().to_path_buf();
        let url = process::start_script(script, &[("MOTO_ECS_SERVICE_RUNNING", "4")], &[])?;
        let manifest = home.join("manifest.json");
        python::run(
            python::command("seed.py")?
                .args(["--fake", name, "--endpoint", &url, "--manifest"])
                .arg(&manifest),
        )?;
        let manifest = fs::read_to_string(manifest).map_err(|why| why.to_string())?;
        let manifest: Value = serde_json::from_str(&manifest).map_err(|why| why.to_string())?;
        let topology = home.join("t.toml").display().to_string();
        let init = process::switchtower(
            &home,
            SHARED_INIT,
            &[
                "init",
                "--hostname",
                "api.example.com",
                "--regions",
                "us-east-1,eu-west-1",
                "--output",
                &topology,
                "--endpoint-url",
                &url,
            ],
        )?;
        let written = fs::read_to_string(&topology).map_err(|why| format!("init: {why}: {}", init.told()))?;
        let status = status(&home, SHARED_STATUS, &url)?;
        let json = status.json()?;
        Ok(Seeded { url, manifest, home, init, topology: written, status, json, _folder: folder })
    }
}

impl Seeded {
    /// Another `status --json` of the same topology, under an access key of its own, in a home of its own: what the
    /// first run saved must not stand in for what this one cannot read.
    pub(crate) fn status_as(&self, access_key: &str) -> Result<(Outcome, Value), String> {
        self.status_elsewhere(access_key, &self.url)
    }

    /// The same against another endpoint.
    pub(crate) fn status_at(&self, url: &str) -> Result<(Outcome, Value), String> {
        self.status_elsewhere("AKIAELSEWHERE", url)
    }

    fn status_elsewhere(&self, access_key: &str, url: &str) -> Result<(Outcome, Value), String> {
        let home = tempfile::tempdir_in(&self.home).map_err(|why| why.to_string())?;
        fs::copy(self.home.join("t.toml"), home.path().join("t.toml")).map_err(|why| why.to_string())?;
        let outcome = status(home.path(), access_key, url)?;
        let json = outcome.json()?;
        Ok((outcome, json))
    }

    /// Another `status --json` in the same home, where the first run saved what it saw.
    pub(crate) fn status_again(&self, access_key: &str) -> Result<(Outcome, Value), String> {
        let outcome = status(&self.home, access_key, &self.url)?;
        let json = outcome.json()?;
        Ok((outcome, json))
    }

    /// What the front logged of the calls under one access key. Only moto's front has a log.
    pub(crate) fn calls_of(&self, access_key: &str) -> Result<Vec<Value>, String> {
        let log = process::http("GET", &self.url, "/_front/calls", "")?;
        let log: Vec<Value> = serde_json::from_str(&log).map_err(|why| why.to_string())?;
        Ok(log.into_iter().filter(|call| call["access_key"] == access_key).collect())
    }

    /// Adds a fault to moto's front.
    pub(crate) fn inject(&self, rule: &Value) -> Result<(), String> {
        process::http("POST", &self.url, "/_front/rules", &rule.to_string()).map(drop)
    }

    /// The regions that were seeded, in the order of the topology.
    pub(crate) fn regions(&self) -> Vec<&str> {
        self.manifest["regions"].as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
    }

    /// What the manifest says of a region.
    pub(crate) fn seed(&self, region: &str) -> &Value {
        &self.manifest["regions"][region]
    }

    /// What `status` says of a region.
    pub(crate) fn region(&self, name: &str) -> Result<&Value, String> {
        let regions = self.json["regions"].as_array().ok_or("status: no regions")?;
        regions.iter().find(|region| region["region"] == name).ok_or(format!("status: no region {name}"))
    }
}

fn status(home: &std::path::Path, access_key: &str, url: &str) -> Result<Outcome, String> {
    let topology = home.join("t.toml").display().to_string();
    process::switchtower(
        home,
        access_key,
        &["status", "--json", "--topology", &topology, "--endpoint-url", url],
    )
}
