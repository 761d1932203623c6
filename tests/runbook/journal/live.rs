//! Journals while they are written: many tasks, viewers, other processes.

use std::io::Write as _;

use switchtower::runbook::Decision;
use switchtower::runbook::journal::control::{self, Watch};
use switchtower::runbook::journal::{CONTROL_FILE, Follow, Followed, Journal, JournalError, Lock, read};

use super::*;

fn abort(reason: &str) -> Decision {
    Decision::Abort { reason: reason.into() }
}

/// What comes within a minute of the clock.
async fn soon<T>(next: impl Future<Output = T>) -> T {
    clock().timeout(Duration::from_mins(1), next).await.expect("nothing came for a minute")
}

fn append(path: &Path, text: &str) {
    let mut file = std::fs::OpenOptions::new().append(true).create(true).open(path).unwrap();
    file.write_all(text.as_bytes()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn records_from_many_tasks_are_chained_in_order_while_others_read() {
    const TASKS: usize = 8;
    const EACH: usize = 40;
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &run_id(1), clock()).await.unwrap();
    let mut live = journal.subscribe();
    journal.record(opened(&run_id(1)), true).await.unwrap();
    let tasks: Vec<_> = (0..TASKS)
        .map(|task| {
            let journal = journal.clone();
            tokio::spawn(async move {
                let mut numbers = Vec::new();
                for turn in 0..EACH {
                    let event = noted(format!("{task}/{turn}"));
                    numbers.push(journal.record(event, turn % 8 == 0).await.unwrap().seq);
                }
                numbers
            })
        })
        .collect();
    let path = file(journal.folder());
    let reading = tokio::task::spawn_blocking(move || {
        let mut prefixes = Vec::new();
        while prefixes.last().is_none_or(|entries: &Vec<Entry>| entries.len() < TASKS * EACH + 1) {
            let told = read(&path).unwrap();
            assert!(told.is_trusted(), "{:?}", told.damage);
            prefixes.push(told.entries);
        }
        prefixes
    });
    for task in tasks {
        assert!(task.await.unwrap().is_sorted(), "each task's own entries keep their order");
    }
    journal.close().await.unwrap();
    let prefixes = reading.await.unwrap();
    let whole = prefixes.last().unwrap();
    assert!(whole.iter().enumerate().all(|(index, entry)| entry.seq == index as u64));
    assert!(prefixes.iter().all(|prefix| whole.starts_with(prefix)), "never anything but a prefix");
    for entry in whole {
        assert_eq!(&live.recv().await.unwrap(), entry);
    }
}

#[tokio::test(start_paused = true)]
async fn viewers_begin_now_or_at_the_first_entry() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &run_id(1), clock()).await.unwrap();
    journal.record(opened(&run_id(1)), true).await.unwrap();
    let (mut now, mut first) = (journal.subscribe(), journal.subscribe_from_first());
    journal.record(noted("a"), true).await.unwrap();
    assert_eq!(soon(now.recv()).await.unwrap().seq, 1);
    assert_eq!((soon(first.recv()).await.unwrap().seq, soon(first.recv()).await.unwrap().seq), (0, 1));
    journal.close().await.unwrap();
    let (journal, _) = Journal::resume(journal.folder(), false, clock()).await.unwrap();
    assert_eq!(
        soon(journal.subscribe_from_first().recv()).await.unwrap().seq,
        0,
        "also of an earlier process"
    );
    assert!(journal.subscribe().try_recv().is_err());
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_told_who_has_the_run() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &run_id(1), clock()).await.unwrap();
    journal.record(opened(&run_id(1)), true).await.unwrap();
    let run = journal.folder().to_owned();
    let error = Journal::resume(&run, true, clock()).await.unwrap_err();
    let JournalError::Held { holder, .. } = &error else { panic!("{error}") };
    assert_eq!(holder.pid, std::process::id());
    assert!(error.to_string().contains(&format!("process {}", holder.pid)), "{error}");
    assert_eq!(Lock::holder(&run), Some(holder.clone()));
    journal.close().await.unwrap();
    assert_eq!(Lock::holder(&run), None, "free once the caller knows");
    let lock = Lock::take(&run).unwrap();
    assert!(matches!(Lock::take(&run), Err(JournalError::Held { .. })));
    drop(lock);
    Lock::take(&run).unwrap();
}

#[tokio::test(start_paused = true)]
async fn looking_for_a_holder_stops_nobody_from_taking_the_lock() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().to_owned();
    drop(Lock::take(&path).unwrap());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let looking = std::thread::spawn({
        let path = path.clone();
        move || {
            while stopped.try_recv().is_err() {
                Lock::holder(&path);
            }
        }
    });
    for _ in 0..200 {
        drop(Lock::take(&path).unwrap());
    }
    stop.send(()).unwrap();
    looking.join().unwrap();
}

#[tokio::test(start_paused = true)]
async fn decisions_of_other_processes_arrive_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("none");
    let sent = control::send(&missing, Decision::Retry, "kim".into(), clock().now());
    assert!(matches!(sent, Err(JournalError::NoRun(_))));

    let (run, _) = recorded(folder.path(), &run_id(1), vec![opened(&run_id(1))]).await;
    let nobody = control::send(&run, abort("too late"), "kim".into(), clock().now()).unwrap();
    assert_eq!(nobody, None, "no process will read it");
    // A sender that died half-way.
    append(&run.join(CONTROL_FILE), r#"{"at":"2026-"#);

    let (journal, _) = Journal::resume(&run, false, clock()).await.unwrap();
    let mut watch = Watch::begin(&run, clock()).await;
    let hostile = "kim\u{1b}[2J\nroot";
    let sent = control::send(&run, Decision::Retry, hostile.into(), clock().now()).unwrap();
    assert_eq!(sent.unwrap().pid, std::process::id());
    append(&run.join(CONTROL_FILE), "not json\n{\"at\":\"2026-11-21T03:00:00Z\"}\n\n");
    control::send(&run, abort("seen enough"), "kim".into(), clock().now()).unwrap();
    let first = soon(watch.next()).await.unwrap();
    assert_eq!((first.decision, first.by), (Decision::Retry, Text::new(hostile)));
    assert_eq!(soon(watch.next()).await.unwrap().decision, abort("seen enough"));

    // A line that is only being written waits for its end.
    let late = r#"{"at":"2026-11-21T03:00:00Z","by":"kim","decision":{"decision":"hand_over"}}"#;
    let (head, tail) = late.split_at(20);
    append(&run.join(CONTROL_FILE), head);
    assert!(clock().timeout(Duration::from_secs(5), watch.next()).await.is_err());
    append(&run.join(CONTROL_FILE), &format!("{tail}\n"));
    assert_eq!(soon(watch.next()).await.unwrap().decision, Decision::HandOver);
    journal.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_is_followed_from_its_first_entry_to_its_end() {
    let folder = tempfile::tempdir().unwrap();
    let journal = Journal::create(folder.path(), &run_id(1), clock()).await.unwrap();
    let run = journal.folder().to_owned();
    let first = journal.record(opened(&run_id(1)), true).await.unwrap();
    let mut follow = Follow::begin(&run, clock());
    assert_eq!(soon(follow.next()).await, Some(Followed::Entry(first)));
    let quiet = clock().timeout(Duration::from_mins(1), follow.next()).await;
    assert!(quiet.is_err(), "a minute in which nothing happens: {quiet:?}");
    let second = journal.record(noted("a"), true).await.unwrap();
    assert_eq!(soon(follow.next()).await, Some(Followed::Entry(second)));

    // The process is gone in the middle of a line; the run is taken up again.
    journal.close().await.unwrap();
    append(&file(&run), r#"{"v":1,"seq":2,"at":"2026"#);
    assert_eq!(soon(follow.next()).await, Some(Followed::Left));
    let quiet = clock().timeout(Duration::from_mins(1), follow.next()).await;
    assert!(quiet.is_err(), "told once: {quiet:?}");
    let (journal, told) = Journal::resume(&run, false, clock()).await.unwrap();
    assert!(told.torn);
    let third = journal.record(ended(Outcome::Done), true).await.unwrap();
    assert_eq!(soon(follow.next()).await, Some(Followed::Entry(third)));
    let last = journal.record(noted("told the team"), true).await.unwrap();
    assert_eq!(soon(follow.next()).await, Some(Followed::Entry(last)), "an end may be followed by notices");
    journal.close().await.unwrap();
    assert_eq!(soon(follow.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn a_follower_is_told_of_damage_and_of_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let (run, _) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    let text = std::fs::read_to_string(file(&run)).unwrap();
    std::fs::write(file(&run), text.replacen("r-1", "r-2", 1)).unwrap();
    let mut follow = Follow::begin(&run, clock());
    let mut numbers = Vec::new();
    while let Some(followed) = soon(follow.next()).await {
        match followed {
            Followed::Entry(entry) => numbers.push(entry.seq as usize),
            Followed::Damaged(damage) => numbers.push(damage.line * 100),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(numbers, [0, 1, 2, 400, 4]);
    let mut nothing = Follow::begin(&folder.path().join("none"), clock());
    assert!(matches!(soon(nothing.next()).await, Some(Followed::Failed(JournalError::NoRun(_)))));
    assert_eq!(soon(nothing.next()).await, None);
}

#[tokio::test(start_paused = true)]
async fn time_is_the_clock_s() {
    let folder = tempfile::tempdir().unwrap();
    let clock = clock();
    let journal = Journal::create(folder.path(), &run_id(1), clock).await.unwrap();
    let mut watch = Watch::begin(journal.folder(), clock).await;
    for minute in 0..10 {
        let entry = journal.record(noted("tick"), true).await.unwrap();
        assert_eq!(
            entry.at,
            at("2026-11-21T03:00:00Z") + Duration::from_secs(60 * minute),
            "no time in files"
        );
        let waited = clock.timeout(Duration::from_mins(1), watch.next()).await;
        assert!(waited.is_err());
    }
}
