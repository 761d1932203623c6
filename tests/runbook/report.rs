//! Reports: a run told afterwards, from whatever its journal still tells.

// The helpers below are tests too, though they carry no attribute that says so.
#![allow(clippy::unwrap_used, clippy::panic)]

mod broken;
mod documents;
mod hostile;
mod samples;

use std::path::Path;
use std::sync::{Arc, LazyLock, Mutex};
use std::time::Duration;

use jiff::Timestamp;
use switchtower::cloud::{Cloud, Keys};
use switchtower::poll::{self, FleetFeed};
use switchtower::ports::{BoxFuture, Clock};
use switchtower::runbook::journal::{self, JOURNAL_FILE, Journal, Told};
use switchtower::runbook::report::{Report, Source};
use switchtower::runbook::sample::Samples;
use switchtower::runbook::{DatabaseChoice, Entry, Params, RegionSample, RunId, Sampler};
use switchtower::sim::SimOptions;
use tokio_util::sync::CancellationToken;

use super::stage::{LEAVING, Stage, leaving, play};

/// When reports are made.
const NOW: &str = "2026-11-21T04:00:00Z";

/// What is watched beside a run, as the command line does.
struct Watching {
    feed: FleetFeed,
    stage: Arc<Stage>,
    samples: Mutex<Samples>,
}

impl Watching {
    fn begin(stage: &Arc<Stage>) -> Self {
        let keys = stage.sim.credentials();
        let keys = Keys {
            access_key: &keys.access_key_id,
            secret_key: &keys.secret_access_key,
            session_token: Some(&keys.session_token),
            expires: Some(keys.expires),
        };
        let cloud = Cloud::simulated(stage.sim.http_client(), stage.clock, &keys);
        let cancel = CancellationToken::new();
        let feed =
            poll::start_sampling(cloud, stage.topology.clone(), stage.sim.probe(), stage.clock, cancel);
        let samples = Mutex::new(Samples::new(stage.clock.now()));
        Self { feed, stage: stage.clone(), samples }
    }
}

impl Sampler for Watching {
    fn sample(&self) -> BoxFuture<'_, Vec<RegionSample>> {
        let snapshot = self.feed.snapshot(self.stage.clock.now());
        let taken = self.samples.lock().unwrap().take(&self.stage.topology, &snapshot);
        Box::pin(std::future::ready(taken))
    }
}

/// A run in a simulated world, from its plan to its end: its name and the bytes of its journal. What goes wrong in that
/// world is the work of `change`.
fn carried_out(
    scenario: &str,
    runbook: &str,
    params: &Params,
    change: impl FnOnce(&Stage),
) -> (RunId, Vec<u8>) {
    let (run, entries) = play(async || {
        let options = SimOptions { scenario: scenario.into(), services: 1, ..SimOptions::default() };
        let stage = Arc::new(Stage::new(options));
        let plan = stage.plan(runbook, params).await;
        change(&stage);
        let mut setup = stage.setup(&plan);
        let run = RunId::new(stage.clock.now(), runbook, Some(LEAVING), 0x7f3a);
        setup.opening.run = run.clone();
        setup.opening.holder = "arn:aws:sts::123456789012:assumed-role/oncall/kim".into();
        setup.opening.host = "bastion-1".into();
        setup.opening.reason = "users of us-east-1 see errors".into();
        setup.sampler = Some(Arc::new(Watching::begin(&stage)));
        let ended = stage.carry_out(setup).await;
        assert!(matches!(ended, Some(Ok(_))), "{ended:?}");
        (run, stage.recorder.entries())
    });
    let bytes = written(&run, entries);
    (run, bytes)
}

/// The journal of those entries. It is written after the run: threads that write beside it would not let the run be
/// the same every time.
fn written(run: &RunId, entries: Vec<Entry>) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    play(async || {
        let clock = Clock::starting_at(entries[0].at, 1.0);
        let journal = Journal::create(folder.path(), run, clock).await.unwrap();
        for entry in entries {
            let ahead = entry.at.duration_since(clock.now());
            clock.sleep(Duration::try_from(ahead).unwrap_or_default()).await;
            journal.record(entry.event, true).await.unwrap();
        }
        journal.close().await.unwrap();
        std::fs::read(journal.folder().join(JOURNAL_FILE)).unwrap()
    })
}

/// A failover out of a dark region, with its database.
static FAILOVER: LazyLock<(RunId, Vec<u8>)> = LazyLock::new(|| {
    let params = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    carried_out("regional-outage", "failover", &params, |_| {})
});

pub(crate) fn failover() -> (RunId, Vec<u8>) {
    FAILOVER.clone()
}

fn told(run: &RunId, told: &Told, held: bool) -> Report {
    let now: Timestamp = NOW.parse().unwrap();
    Report::of(&Source { run, told, held, now })
}

fn report(run: &RunId, bytes: &[u8]) -> Report {
    told(run, &journal::tell(bytes), false)
}

/// Compares with a file beside this one, which people can open; `UPDATE_GOLDEN=1` accepts what was found.
fn golden(name: &str, found: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runbook/report").join(name);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, found).unwrap();
    }
    let expected = std::fs::read_to_string(&file).unwrap_or_default();
    let differ = found.lines().zip(expected.lines()).position(|(found, expected)| found != expected);
    let at = differ.unwrap_or(expected.lines().count().min(found.lines().count()));
    let line = |text: &str| text.lines().nth(at).unwrap_or_default().to_owned();
    assert!(
        found == expected,
        "{} differs in line {}; set UPDATE_GOLDEN=1 to accept\n found: {}\n there: {}",
        file.display(),
        at + 1,
        line(found),
        line(&expected)
    );
}
