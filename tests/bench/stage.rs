//! What the measurements run on: a served simulation, a proxy that makes it far away, and a topology of it.

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::environment;
use crate::proxy::Proxy;

/// The round trip to AWS that the budgets speak of.
pub(crate) const RTT: Duration = Duration::from_millis(80);

/// A simulated AWS far away, and the topology of the application in it.
pub(crate) struct Stage {
    /// The way to it.
    pub(crate) proxy: Proxy,
    /// The regions of the topology.
    pub(crate) regions: usize,
    home: tempfile::TempDir,
    sim: Child,
}

impl Stage {
    /// Starts the simulation with so many regions, and has `init` find the application in it.
    pub(crate) fn set(regions: usize) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|why| why.to_string())?;
        let mut sim = Command::new(env!("CARGO_BIN_EXE_switchtower"));
        sim.args(["sim", "--listen", "127.0.0.1:0", "--regions", &regions.to_string()]);
        sim.env_clear().envs(environment(home.path())).current_dir(home.path());
        let mut sim = sim
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|why| format!("sim: {why}"))?;
        let mut lines = sim.stdout.take().map(BufReader::new).into_iter().flat_map(BufRead::lines);
        let address = lines
            .by_ref()
            .map_while(Result::ok)
            .find_map(|line| {
                let port = line.split_once("127.0.0.1:")?.1.split(|c: char| !c.is_ascii_digit()).next()?;
                Some(format!("127.0.0.1:{port}"))
            })
            .ok_or("sim printed no address")?;
        thread::spawn(move || lines.for_each(drop));
        let proxy = Proxy::start(&address).map_err(|why| why.to_string())?;
        let stage = Self { proxy, regions, home, sim };
        let names = stage.names().join(",");
        let topology = stage.topology();
        stage.run(&["init", "--hostname", "api.example.com", "--regions", &names, "--output", &topology])?;
        // Twice, so that every answer of a sweep is in the proxy's memory, and the baseline is on disk.
        stage.run(&["status", "--json", "--topology", &topology])?;
        stage.run(&["status", "--json", "--topology", &topology])?;
        stage.proxy.far(RTT);
        Ok(stage)
    }

    /// The home directory of the programs.
    pub(crate) fn home(&self) -> PathBuf {
        self.home.path().to_path_buf()
    }

    /// The topology file.
    pub(crate) fn topology(&self) -> String {
        self.home.path().join("bench.toml").display().to_string()
    }

    /// The regions' names.
    pub(crate) fn names(&self) -> &'static [&'static str] {
        &NAMES[..self.regions.min(NAMES.len())]
    }

    /// Deletes what earlier runs saved, so that the next one starts cold.
    pub(crate) fn forget(&self) {
        let _ = fs::remove_dir_all(self.home.path().join(".local"));
    }

    /// A run of the program against the proxy; exit codes from 10 on are verdicts.
    pub(crate) fn run(&self, arguments: &[&str]) -> Result<String, String> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_switchtower"));
        command.args(arguments).args(["--endpoint-url", &self.proxy.url]);
        command.env_clear().envs(environment(self.home.path())).current_dir(self.home.path());
        let output = command.stdin(Stdio::null()).output().map_err(|why| why.to_string())?;
        match output.status.code() {
            Some(0 | 10..) => Ok(String::from_utf8_lossy(&output.stdout).into_owned()),
            code => {
                let said = String::from_utf8_lossy(&output.stderr);
                Err(format!("{}: exit {code:?}: {said}", arguments.join(" ")))
            }
        }
    }
}

impl Drop for Stage {
    fn drop(&mut self) {
        let _ = self.sim.kill();
        let _ = self.sim.wait();
    }
}

/// Regions in the order in which the simulation has them.
const NAMES: &[&str] = &["us-east-1", "eu-west-1"];
