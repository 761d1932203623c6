//! What the measurements run on: a served simulation, a proxy that makes it far away, and a topology of it.
//!
//! What it is for: the program under test meets sockets, signatures and wire formats, as with AWS; the simulation
//! runs in this process, so that nothing of it counts as the program's.
//! What it must not do: let a request leave this machine.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Duration;

use switchtower::files::{Existing, topology};
use switchtower::ports::Clock;
use switchtower::sim::{Sim, SimOptions, listen};
use tokio::runtime::Runtime;
use tokio::sync::oneshot;

use crate::environment;
use crate::proxy::Proxy;

/// The round trip to AWS that the budgets speak of.
pub(crate) const RTT: Duration = Duration::from_millis(80);

/// A simulated AWS far away, and the topology of the application in it.
pub(crate) struct Stage {
    /// The way to it.
    pub(crate) proxy: Proxy,
    /// The names of its regions.
    pub(crate) regions: Vec<String>,
    home: tempfile::TempDir,
    _runtime: Runtime,
}

impl Stage {
    /// A world with so many regions and services in each, asked once so that the proxy knows every answer, and then
    /// moved `rtt` away.
    pub(crate) fn set(regions: usize, services: usize, rtt: Duration) -> Result<Self, String> {
        let home = tempfile::tempdir().map_err(|why| why.to_string())?;
        let options = SimOptions {
            regions: SimOptions::first_regions(regions),
            services,
            latency: false,
            ..SimOptions::default()
        };
        let sim = Sim::new(options, Clock::real()).map_err(|why| why.to_string())?;
        let mut found = sim.topology();
        found.probe.control = None;
        topology::write(&home.path().join("bench.toml"), &found, Existing::Replace)
            .map_err(|why| why.to_string())?;
        let runtime = Runtime::new().map_err(|why| why.to_string())?;
        let (tell, told) = oneshot::channel();
        let ready = |address| {
            let _ = tell.send(address);
        };
        runtime.spawn(listen::listen(
            sim,
            SocketAddr::from(([127, 0, 0, 1], 0)),
            ready,
            std::future::pending(),
        ));
        let address = runtime.block_on(told).map_err(|why| why.to_string())?;
        let stage = Self {
            proxy: Proxy::start(address).map_err(|why| why.to_string())?,
            regions: found.regions.iter().map(|entry| entry.name.to_string()).collect(),
            home,
            _runtime: runtime,
        };
        stage.run(&["status", "--json", "--topology", &stage.topology()])?;
        stage.proxy.far(rtt);
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
