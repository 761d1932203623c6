//! Disks that are full, broken, slow or not there.

use std::io;
use std::sync::mpsc;
use std::sync::{Arc, Mutex};

use proptest::prelude::*;
use switchtower::runbook::DatabaseChoice;
use switchtower::runbook::engine::{Recorder, Setup};
use switchtower::runbook::journal::{Disk, Failure, Journal, JournalError, Recorded, read, tell};
use switchtower::sim::SimOptions;

use super::*;
use crate::runbook::stage::{Stage, Through, leaving, play};

const LIMIT: Duration = Duration::from_secs(2);

/// A disk in memory: what was written, how much of that survives a power cut, and what goes wrong next.
#[derive(Clone, Default)]
struct Broken(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    written: Vec<u8>,
    survives: usize,
    capacity: Option<usize>,
    flush_fails: bool,
    cut_fails: bool,
    flushes: usize,
    /// When set, every call waits for a word from here.
    gate: Option<mpsc::Receiver<()>>,
}

fn failure(kind: io::ErrorKind) -> JournalError {
    let words = kind.to_string().into();
    JournalError::Io(Failure { doing: "write", path: "journal.jsonl".into(), kind, words })
}

impl Disk for Broken {
    fn open(&mut self) -> Result<(), JournalError> {
        Ok(())
    }

    fn append(&mut self, bytes: &[u8]) -> Result<(), JournalError> {
        let mut state = self.0.lock().unwrap();
        if let Some(gate) = &state.gate {
            gate.recv().unwrap();
        }
        let room = state.capacity.unwrap_or(usize::MAX).saturating_sub(state.written.len());
        state.written.extend(&bytes[..room.min(bytes.len())]);
        if room < bytes.len() { Err(failure(io::ErrorKind::StorageFull)) } else { Ok(()) }
    }

    fn sync(&mut self) -> Result<(), JournalError> {
        let mut state = self.0.lock().unwrap();
        if state.flush_fails {
            // The system gives lost pages up and takes them for clean.
            let survives = state.survives;
            state.written[survives..].fill(0);
            return Err(failure(io::ErrorKind::Other));
        }
        state.survives = state.written.len();
        state.flushes += 1;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<(), JournalError> {
        let mut state = self.0.lock().unwrap();
        if state.cut_fails {
            return Err(failure(io::ErrorKind::Other));
        }
        state.written.truncate(length as usize);
        state.survives = state.survives.min(length as usize);
        Ok(())
    }
}

impl Broken {
    fn set(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap());
    }

    fn journal(&self) -> Journal {
        Journal::on(self.clone(), Path::new("run"), clock())
    }

    fn told(&self) -> Vec<Entry> {
        let state = self.0.lock().unwrap();
        let told = tell(&state.written[..state.survives]);
        assert!(told.is_trusted() && !told.torn, "{:?}", told.damage);
        told.entries
    }
}

fn is_full(error: &JournalError) -> bool {
    matches!(error, JournalError::Io(failure) if failure.kind == io::ErrorKind::StorageFull)
}

#[tokio::test(start_paused = true)]
async fn an_acknowledged_entry_survives_a_power_cut() {
    let disk = Broken::default();
    let journal = disk.journal();
    let mut entries = Vec::new();
    for event in story(&run_id(1)) {
        entries.push(journal.record(event, true).await.unwrap());
        assert_eq!(disk.told(), entries);
    }
    journal.record(noted("3 of 6"), false).await.unwrap();
    assert_eq!(disk.told(), entries, "progress is not flushed by itself");
    assert_eq!(tell(&disk.0.lock().unwrap().written).entries.len(), entries.len() + 1, "but written");
    journal.flush().await.unwrap();
    assert_eq!(disk.told().len(), entries.len() + 1);
    assert_eq!(disk.0.lock().unwrap().flushes, 6);
}

/// A journal that lies on a device which takes every line and cannot keep any: only asking the system to flush tells.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_real_file_is_flushed_and_not_only_written() {
    let runs = tempfile::tempdir().unwrap();
    let folder = runs.path().join(run_id(1).as_str());
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink("/dev/null", folder.join("journal.jsonl")).unwrap();
    let (journal, _) = Journal::resume(&folder, false, clock()).await.unwrap();
    journal.record(noted("3 of 6"), false).await.unwrap();
    let error = journal.record(opened(&run_id(1)), true).await.unwrap_err();
    assert!(error.to_string().contains("cannot flush"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_is_an_error_and_no_line_is_lost_or_torn() {
    let disk = Broken::default();
    let journal = disk.journal();
    journal.record(opened(&run_id(1)), true).await.unwrap();
    let full = disk.0.lock().unwrap().written.len() + 30;
    disk.set(|state| state.capacity = Some(full));
    for word in ["one", "two"] {
        let error = journal.record(noted(word), true).await.unwrap_err();
        assert!(is_full(&error) && error.to_string().contains("free space"), "{error}");
    }
    assert_eq!((journal.unwritten(), disk.told().len()), (2, 1));
    disk.set(|state| state.capacity = None);
    let third = journal.record(noted("three"), true).await.unwrap();
    assert_eq!((third.seq, journal.unwritten()), (3, 0));
    assert_eq!(words(&disk.told()), ["one", "two", "three"]);
}

#[tokio::test(start_paused = true)]
async fn what_a_failed_flush_lost_is_written_again() {
    let disk = Broken::default();
    let journal = disk.journal();
    journal.record(opened(&run_id(1)), true).await.unwrap();
    journal.record(noted("progress"), false).await.unwrap();
    disk.set(|state| (state.flush_fails, state.cut_fails) = (true, true));
    journal.record(noted("intent"), true).await.unwrap_err();
    assert_eq!(journal.unwritten(), 2, "the progress was in the lost pages, too");
    disk.set(|state| state.flush_fails = false);
    journal.flush().await.unwrap_err();
    disk.set(|state| state.cut_fails = false);
    journal.flush().await.unwrap();
    assert_eq!(words(&disk.told()), ["progress", "intent"]);
    assert_eq!(journal.unwritten(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_failover_goes_on_unjournaled_and_catches_up() {
    let disk = Broken::default();
    let journal = disk.journal();
    let mut live = journal.subscribe();
    assert!(matches!(journal.record_within(opened(&run_id(1)), LIMIT).await, Recorded::OnDisk(_)));
    disk.set(|state| state.capacity = Some(0));
    for event in [intent(saved(1.0)), noted("a"), noted("b")] {
        let recorded = journal.record_within(event, LIMIT).await;
        let Recorded::InMemory { why, .. } = &recorded else { panic!("{recorded:?}") };
        assert!(why.as_str().contains("full") || why.as_str().contains("storage"), "{why}");
    }
    assert!(journal.outage().is_some());
    disk.set(|state| state.capacity = None);
    // Nobody records anything: the writer tries by itself.
    clock().sleep(Duration::from_secs(2)).await;
    assert_eq!((journal.outage(), journal.unwritten()), (None, 0));
    assert!(matches!(journal.record_within(noted("c"), LIMIT).await, Recorded::OnDisk(_)));
    let told = disk.told();
    let marks = told.iter().filter(|entry| matches!(entry.event, Event::Unjournaled { .. })).count();
    assert_eq!((marks, told[2].seq), (1, 2), "said once, right after the first: {told:?}");
    assert!(matches!(told[2].event, Event::Unjournaled { .. }));
    assert_eq!(words(&told), ["a", "b", "c"]);
    let mut seen = Vec::new();
    while let Ok(entry) = live.try_recv() {
        seen.push(entry);
    }
    assert_eq!(seen, told, "viewers saw the same, in the same order");
    // A second outage is told of again.
    disk.set(|state| state.capacity = Some(0));
    journal.record_within(noted("d"), LIMIT).await;
    disk.set(|state| state.capacity = None);
    journal.flush().await.unwrap();
    assert!(matches!(disk.told().last().unwrap().event, Event::Unjournaled { .. }));
}

// Real time: a thread that hangs holds tokio's paused clock.
#[tokio::test]
async fn a_disk_that_hangs_is_not_waited_for() {
    let (open, gate) = mpsc::channel();
    let disk = Broken::default();
    disk.set(|state| state.gate = Some(gate));
    let journal = disk.journal();
    let limit = Duration::from_millis(40);
    let real = Clock::real();
    let patience = real.stopwatch();
    for event in [opened(&run_id(1)), intent(saved(1.0)), noted("a")] {
        let recorded = journal.record_within(event, limit).await;
        assert!(matches!(recorded, Recorded::InMemory { .. }), "{recorded:?}");
    }
    assert!(patience.elapsed() < Duration::from_secs(10));
    assert!(journal.outage().unwrap().as_str().contains("has not answered"));
    for _ in 0..20 {
        open.send(()).unwrap();
    }
    journal.flush().await.unwrap();
    assert_eq!(journal.outage(), None);
    let told = disk.told();
    assert_eq!(told.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1, 2, 3]);
    assert!(matches!(told[1].event, Event::Unjournaled { .. }));
    drop(open);
}

// Real time, as above.
#[tokio::test]
async fn the_engine_waits_for_a_hanging_disk_once() {
    let (open, gate) = mpsc::channel();
    let disk = Broken::default();
    disk.set(|state| state.gate = Some(gate));
    let journal = disk.journal();
    let recorder: &dyn Recorder = &journal;
    let real = Clock::real();
    let dropped = real.timeout(Duration::from_millis(1), recorder.record(noted("a"), true)).await;
    assert!(dropped.is_err() && journal.outage().is_none(), "a caller in a hurry proves nothing");
    let patience = Duration::from_millis(1_100);
    assert!(real.timeout(patience, recorder.record(opened(&run_id(1)), true)).await.is_err());
    assert!(journal.outage().is_some());
    let why = recorder.record(noted("b"), true).await.unwrap_err();
    assert!(why.as_str().contains("does not answer"), "{why}");
    for _ in 0..20 {
        open.send(()).unwrap();
    }
    journal.flush().await.unwrap();
    assert_eq!(recorder.record(noted("c"), true).await.unwrap().seq, 3);
    assert_eq!(words(&disk.told()), ["a", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_cannot_be_made_blocks_a_run_or_is_waited_out() {
    let folder = tempfile::tempdir().unwrap();
    let in_the_way = folder.path().join("runs");
    std::fs::write(&in_the_way, "a file").unwrap();
    let error = Journal::create(&in_the_way, &run_id(1), clock()).await.unwrap_err();
    let words_of_it = error.to_string();
    assert!(words_of_it.contains(in_the_way.to_str().unwrap()), "{words_of_it}");
    assert!(words_of_it.contains("XDG_STATE_HOME"), "{words_of_it}");

    let journal = Journal::create_within(&in_the_way, &run_id(1), clock(), LIMIT).await.unwrap();
    let first = journal.record_within(opened(&run_id(1)), LIMIT).await;
    assert!(matches!(&first, Recorded::InMemory { entry, .. } if entry.seq == 0), "{first:?}");
    std::fs::remove_file(&in_the_way).unwrap();
    journal.record(noted("the disk is back"), true).await.unwrap();
    let told = read(&file(journal.folder())).unwrap();
    assert!(told.is_trusted());
    assert_eq!(told.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1, 2]);
    assert!(matches!(told.entries[0].event, Event::Opened { .. }), "the opening is still the first");
    assert!(matches!(told.entries[1].event, Event::Unjournaled { .. }));
}

#[tokio::test(start_paused = true)]
async fn after_closing_nothing_is_recorded() {
    let disk = Broken::default();
    let journal = disk.journal();
    journal.record(opened(&run_id(1)), false).await.unwrap();
    journal.close().await.unwrap();
    assert_eq!(disk.told().len(), 1, "closing flushes");
    assert_eq!(journal.record(noted("x"), true).await.unwrap_err(), JournalError::Closed);
    assert!(matches!(journal.record_within(noted("y"), LIMIT).await, Recorded::InMemory { .. }));
    assert_eq!(journal.close().await, Err(JournalError::Closed));
}

#[tokio::test(start_paused = true)]
async fn the_last_handle_that_goes_flushes() {
    let disk = Broken::default();
    let journal = disk.journal();
    let clone = journal.clone();
    journal.record(opened(&run_id(1)), false).await.unwrap();
    drop(journal);
    clone.record(noted("still open"), false).await.unwrap();
    drop(clone);
    clock().sleep(Duration::from_millis(1)).await;
    assert_eq!(disk.told().len(), 2);
}

/// What happens to a disk in the middle of a run.
#[derive(Clone, Copy, Debug)]
enum Weather {
    Room(usize),
    FlushFails(bool),
    CutFails(bool),
    Record { durable: bool },
    Within,
}

fn weather() -> impl Strategy<Value = Weather> {
    prop_oneof![
        1 => (0_usize..800).prop_map(Weather::Room),
        1 => any::<bool>().prop_map(Weather::FlushFails),
        1 => any::<bool>().prop_map(Weather::CutFails),
        3 => any::<bool>().prop_map(|durable| Weather::Record { durable }),
        2 => Just(Weather::Within),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(64) })]

    /// Whatever a disk does: what was acknowledged as flushed survives, everything is there in the end, once and
    /// in order.
    #[test]
    fn no_weather_loses_or_reorders(days in prop::collection::vec(weather(), 1..30)) {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_time().start_paused(true).build().unwrap();
        runtime.block_on(async {
            let disk = Broken::default();
            let journal = disk.journal();
            let mut live = journal.subscribe_from_first();
            for day in days {
                match day {
                    Weather::Room(room) => {
                        disk.set(|state| state.capacity = Some(state.written.len() + room));
                    }
                    Weather::FlushFails(fails) => disk.set(|state| state.flush_fails = fails),
                    Weather::CutFails(fails) => disk.set(|state| state.cut_fails = fails),
                    Weather::Record { durable } => {
                        let recorded = journal.record(noted("word"), durable).await;
                        if let (Ok(entry), true) = (recorded, durable) {
                            assert!(disk.told().contains(&entry));
                        }
                    }
                    Weather::Within => {
                        if let Recorded::OnDisk(entry) = journal.record_within(noted("word"), LIMIT).await {
                            assert!(disk.told().contains(&entry));
                        }
                    }
                }
            }
            disk.set(|state| {
                (state.capacity, state.flush_fails, state.cut_fails) = (None, false, false);
            });
            journal.flush().await.unwrap();
            assert_eq!((journal.unwritten(), journal.outage()), (0, None));
            let mut seen = Vec::new();
            while let Ok(entry) = live.try_recv() {
                seen.push(entry);
            }
            assert_eq!(disk.told(), seen);
            assert!(seen.iter().enumerate().all(|(index, entry)| entry.seq == index as u64));
        });
    }
}

#[test]
fn no_call_is_sent_before_its_intent_would_survive_a_power_cut() {
    let drain = Params { scale_to_zero: true, ..leaving() };
    let failover = Params { database: Some(DatabaseChoice::Failover), ..leaving() };
    for (runbook, scenario, params) in [("drain", "calm", drain), ("failover", "regional-outage", failover)] {
        play(async || {
            let options = SimOptions { scenario: scenario.into(), services: 1, ..SimOptions::default() };
            let stage = Stage::new(options);
            let plan = stage.open_plan(runbook, &params).await;
            let disk = Broken::default();
            let journal = Journal::on(disk.clone(), Path::new("run"), stage.clock);
            // Right before each call: what a power cut would leave of the journal.
            let found: Arc<Mutex<(Vec<Operation>, Vec<String>)>> = Arc::default();
            let looks = found.clone();
            let wary = Through::sending(stage.witness.inner(), move |operation| {
                let (sent, early) = &mut *looks.lock().unwrap();
                sent.push(operation.clone());
                let times = sent.iter().filter(|known| *known == operation).count();
                let told = disk.told();
                let same = |entry: &&Entry| matches!(&entry.event, Event::Intent { operation: told, .. } if **told == *operation);
                let intents = told.iter().filter(same).count();
                if intents < times {
                    early.push(format!("{operation:?}, {times} times with {intents} intents"));
                }
            });
            let setup = Setup { recorder: Arc::new(journal), executor: wary, ..stage.setup(&plan) };
            let ending = stage.carry_out(setup).await.unwrap().unwrap();
            assert_eq!(ending.outcome, Outcome::Done, "{}", ending.why);
            let (sent, early) = &*found.lock().unwrap();
            assert!(sent.len() >= 4);
            assert_eq!(*early, Vec::<String>::new(), "{runbook}");
        });
    }
}
