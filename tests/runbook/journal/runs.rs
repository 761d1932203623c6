//! Runs as they lie on disk: taken up again, listed, imported.

use switchtower::runbook::journal::{
    CONTROL_FILE, Flaw, Journal, JournalError, LOCK_FILE, RunState, control, folder_of, import, list, read,
};
use switchtower::runbook::{Decision, LeaseOutcome};

use super::*;

fn halted() -> Event {
    Event::Halted {
        why: "refused".into(),
        done: Vec::new(),
        undoable: Vec::new(),
        not_run: vec!["pin".into()],
        failed: None,
    }
}

fn resumed(run: &RunId) -> Event {
    Event::Resumed { opening: Box::new(opening(run)), damage: Vec::new() }
}

#[cfg(unix)]
#[tokio::test(start_paused = true)]
async fn a_run_is_its_owner_s_alone() {
    use std::os::unix::fs::PermissionsExt as _;
    let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("state/runs/orders");
    let (run, _) = recorded(&runs, &run_id(1), story(&run_id(1))).await;
    control::send(&run, Decision::Retry, "kim".into(), clock().now()).unwrap();
    let text = std::fs::read_to_string(file(&run)).unwrap();
    std::fs::write(file(&run), text.replacen("r-1", "r-2", 1)).unwrap();
    Journal::resume(&run, true, clock()).await.unwrap().0.close().await.unwrap();
    for made in [&run, &runs, &folder.path().join("state/runs"), &folder.path().join("state")] {
        assert_eq!(mode(made), 0o700, "{}", made.display());
    }
    for name in [JOURNAL_FILE, CONTROL_FILE, LOCK_FILE, "quarantine-1.jsonl"] {
        assert_eq!(mode(&run.join(name)), 0o600, "{name}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_run_that_is_there_is_never_begun_again() {
    let folder = tempfile::tempdir().unwrap();
    let (run, entries) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    let error = Journal::create(folder.path(), &run_id(1), clock()).await.unwrap_err();
    assert_eq!(error, JournalError::Exists(run.clone()));
    assert_eq!(read(&file(&run)).unwrap().entries, entries);
}

#[tokio::test(start_paused = true)]
async fn a_torn_line_is_cut_off_and_the_chain_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let (run, entries) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    let whole = std::fs::read(file(&run)).unwrap();
    let fourth = lines(&run)[..4].concat().len();
    for cut in [fourth, fourth + 1, whole.len() - 1, whole.len()] {
        std::fs::write(file(&run), &whole[..cut]).unwrap();
        let kept = if cut == whole.len() { 5 } else { 4 };
        let (journal, told) = Journal::resume(&run, false, clock()).await.unwrap();
        assert_eq!((told.torn, &told.entries[..]), (cut != fourth && kept == 4, &entries[..kept]));
        assert_eq!(
            lines(&run).concat().len(),
            if kept == 4 { fourth } else { whole.len() },
            "cut off at once"
        );
        let next = journal.record(resumed(&run_id(1)), true).await.unwrap();
        assert_eq!(next.seq, kept as u64);
        journal.close().await.unwrap();
        let told = read(&file(&run)).unwrap();
        assert!(told.is_trusted() && !told.torn && told.entries.len() == kept + 1);
    }
}

#[tokio::test(start_paused = true)]
async fn damage_is_named_quarantined_and_passed_only_on_the_operator_s_word() {
    let folder = tempfile::tempdir().unwrap();
    let (run, entries) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    let original = lines(&run);
    let bad = original[2].replacen("us-east-1", "us-west-1", 1);
    let text = [&original[0], &original[1], &bad, &original[3], &original[4], "{\"v\":1,"].concat();
    std::fs::write(file(&run), &text).unwrap();

    let error = Journal::resume(&run, false, clock()).await.unwrap_err();
    assert!(matches!(error, JournalError::Damaged { .. }));
    let said = error.to_string();
    assert!(said.contains("line 3: its content was changed") && said.contains("accept the damage"), "{said}");
    assert_eq!(std::fs::read_to_string(file(&run)).unwrap(), text, "and nothing was touched");

    let (journal, told) = Journal::resume(&run, true, clock()).await.unwrap();
    assert!(told.torn && !told.is_trusted());
    let said: Vec<String> = told.words().iter().map(ToString::to_string).collect();
    assert!(said[0].starts_with("line 3: ") && said[1].contains("was cut off"), "{said:?}");
    assert_eq!(told.entries, [&entries[..2], &entries[3..]].concat(), "what follows is still told");
    assert_eq!(told.marked().map(|(_, doubtful)| doubtful).collect::<Vec<_>>(), [false, false, true, true]);
    assert_eq!(std::fs::read_to_string(run.join("quarantine-1.jsonl")).unwrap(), bad, "byte for byte");
    let next = journal.record(resumed(&run_id(1)), true).await.unwrap();
    journal.close().await.unwrap();

    let told = read(&file(&run)).unwrap();
    assert!(told.is_trusted() && told.damage[0].accepted, "{:?}", told.damage);
    assert_eq!(
        told.marked().map(|(_, doubtful)| doubtful).collect::<Vec<_>>(),
        [false, false, true, true, false, false]
    );
    assert!(words(&told.entries)[0].contains("quarantine-1.jsonl"), "{:?}", words(&told.entries));
    assert_eq!(told.entries.last(), Some(&next));
    assert!(lines(&run)[5].contains("\"segment\":\"accepted\""));

    // Accepted once is accepted: no word is needed, and nothing is quarantined again.
    let (journal, _) = Journal::resume(&run, false, clock()).await.unwrap();
    journal.close().await.unwrap();
    assert!(!run.join("quarantine-2.jsonl").exists());

    // But what was accepted must stay as it was, damage included.
    let accepted = std::fs::read_to_string(file(&run)).unwrap();
    std::fs::write(file(&run), accepted.replacen("us-west-1", "us-west-2", 1)).unwrap();
    let told = read(&file(&run)).unwrap();
    let flaws: Vec<_> = told.damage.iter().map(|damage| (damage.line, &damage.flaw)).collect();
    assert_eq!(flaws, [(3, &Flaw::Altered), (6, &Flaw::ChangedSince)]);
    assert!(!told.is_trusted());
    let (journal, _) = Journal::resume(&run, true, clock()).await.unwrap();
    journal.close().await.unwrap();
    assert!(run.join("quarantine-2.jsonl").exists());
    assert!(read(&file(&run)).unwrap().is_trusted());
}

#[tokio::test(start_paused = true)]
async fn a_damaged_end_does_not_stop_a_resume() {
    let folder = tempfile::tempdir().unwrap();
    for (salt, bad) in [(1, "garbage\n"), (2, "\n"), (3, "{}\n"), (4, "\u{1b}[2J\n\n\n")] {
        let (run, _) = recorded(folder.path(), &run_id(salt), story(&run_id(salt))).await;
        let text = std::fs::read_to_string(file(&run)).unwrap();
        std::fs::write(file(&run), format!("{text}{bad}")).unwrap();
        let error = Journal::resume(&run, false, clock()).await.unwrap_err();
        assert!(matches!(error, JournalError::Damaged { .. }), "{error}");
        assert!(!error.to_string().contains('\u{1b}'));
        let (journal, _) = Journal::resume(&run, true, clock()).await.unwrap();
        journal.record(noted("on"), true).await.unwrap();
        journal.close().await.unwrap();
        assert!(read(&file(&run)).unwrap().is_trusted());
    }
}

#[tokio::test(start_paused = true)]
async fn runs_are_listed_newest_first_with_where_they_stand() {
    let folder = tempfile::tempdir().unwrap();
    let runs = folder.path().join("orders");
    assert_eq!(list(&runs).unwrap(), [], "no folder, no runs");
    let begun = |salt| opened(&run_id(salt));
    let released = || Event::Lease { outcome: LeaseOutcome::Released };
    let decided = || Event::Decided { decision: Decision::Retry, by: "kim".into() };
    let cases: Vec<(u16, Vec<Event>, RunState, Option<Outcome>)> = vec![
        (1, vec![begun(1), ended(Outcome::Done), noted("told")], RunState::Ended, Some(Outcome::Done)),
        (2, vec![begun(2), halted(), released()], RunState::Halted, None),
        (3, vec![begun(3), halted(), ended(Outcome::Halted)], RunState::Halted, Some(Outcome::Halted)),
        (4, vec![begun(4), halted(), decided()], RunState::Interrupted, None),
        (5, vec![begun(5), intent(saved(1.0))], RunState::Interrupted, None),
        (6, vec![begun(6), ended(Outcome::Halted), resumed(&run_id(6))], RunState::Interrupted, None),
        (7, vec![begun(7), ended(Outcome::Superseded)], RunState::Ended, Some(Outcome::Superseded)),
        (8, Vec::new(), RunState::Interrupted, None),
    ];
    for (salt, events, ..) in &cases {
        recorded(&runs, &run_id(*salt), events.clone()).await;
    }
    let live = Journal::create(&runs, &run_id(9), clock()).await.unwrap();
    live.record(begun(9), true).await.unwrap();
    live.record(halted(), true).await.unwrap();

    // What is no run is passed over; what is a run and cannot be read is not.
    std::fs::create_dir(runs.join(".import-x")).unwrap();
    std::fs::create_dir(runs.join("a\u{1b}[2Jb")).unwrap();
    std::fs::write(runs.join("20261121T030000Z-file"), "").unwrap();
    let unreadable = runs.join("20200101T000000Z-drain-0001");
    std::fs::create_dir_all(unreadable.join(JOURNAL_FILE)).unwrap();

    let found = list(&runs).unwrap();
    assert_eq!(found.len(), cases.len() + 2);
    assert!(found.is_sorted_by(|a, b| a.id > b.id));
    for (salt, events, state, outcome) in cases {
        let run = found.iter().find(|run| run.id == run_id(salt)).unwrap();
        assert_eq!((run.state, run.outcome), (state, outcome), "{salt}: {events:?}");
        assert_eq!(run.opening.is_some(), !events.is_empty());
        assert_eq!(run.last.as_ref().map(|entry| &entry.event), events.last());
        assert_eq!((&run.holder, &run.unreadable), (&None, &None));
    }
    let running = &found[0];
    assert_eq!((running.state, running.waits), (RunState::Running, true));
    assert_eq!(running.holder.as_ref().unwrap().pid, std::process::id());
    assert_eq!(running.began, Some(at("2026-11-21T03:00:00Z")));
    let unread = found.last().unwrap();
    assert!(unread.unreadable.is_some() && unread.opening.is_none());

    let damaged = folder_of(&runs, &run_id(1)).unwrap();
    let text = std::fs::read_to_string(file(&damaged)).unwrap();
    std::fs::write(file(&damaged), text.replacen("told", "tell", 1)).unwrap();
    let found = list(&runs).unwrap();
    let run = found.iter().find(|run| run.id == run_id(1)).unwrap();
    assert_eq!((run.damage.len(), run.state), (1, RunState::Ended));
    live.close().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn names_of_runs_never_leave_their_folder() {
    let runs = Path::new("/state/runs/orders");
    for name in ["../../etc", "/etc", "", ".", "..", "a/b", ".import-x", "a\u{202e}b"] {
        // Names come from tables and files too, where nothing checks them.
        let id: RunId = serde_json::from_value(serde_json::json!(name)).unwrap();
        assert!(matches!(folder_of(runs, &id), Err(JournalError::NoName(_))), "{name:?}");
        assert!(Journal::create(runs, &id, clock()).await.is_err());
        assert!(import(runs, &id, Vec::new(), &"table".into(), clock().now()).is_err());
    }
    assert_eq!(folder_of(runs, &run_id(1)).unwrap(), runs.join(run_id(1).as_str()));
}

#[tokio::test(start_paused = true)]
async fn a_run_of_another_host_is_imported_with_its_gaps() {
    let folder = tempfile::tempdir().unwrap();
    let (lost, here) = (folder.path().join("lost"), folder.path().join("here"));
    let (_, entries) = recorded(&lost, &run_id(1), story(&run_id(1))).await;
    let from = Text::new("the lease table");
    let import = |entries: Vec<Entry>| import(&here, &run_id(1), entries, &from, clock().now());
    let why = |entries: Vec<Entry>| import(entries).unwrap_err().to_string();
    assert!(why(Vec::new()).contains("nothing was copied"));
    assert!(why(entries[1..].to_vec()).contains("with the plan, is missing"));
    let others = Entry { event: opened(&run_id(2)), ..entries[0].clone() };
    assert!(why(vec![others]).contains("another run's"));
    assert_eq!(list(&here).unwrap(), [], "nothing half-way is left");

    // Out of order, one of them twice, two missing.
    let copied = vec![entries[2].clone(), entries[0].clone(), entries[2].clone()];
    let run = import(copied.clone()).unwrap();
    assert_eq!(import(copied).unwrap_err(), JournalError::Exists(run.clone()));
    let told = read(&file(&run)).unwrap();
    assert!(told.imported && told.is_trusted() && told.doubtful.is_empty(), "{:?}", told.damage);
    assert_eq!(told.entries[..2], [entries[0].clone(), entries[2].clone()]);
    assert_eq!(words(&told.entries), ["imported from the lease table: 2 entries, 1 were not copied"]);
    let found = list(&here).unwrap();
    assert_eq!((found[0].state, found[0].imported), (RunState::Interrupted, true));

    let (journal, _) = Journal::resume(&run, false, clock()).await.unwrap();
    journal.record(resumed(&run_id(1)), true).await.unwrap();
    journal.close().await.unwrap();
    let whole = std::fs::read(file(&run)).unwrap();
    assert!(read(&file(&run)).unwrap().is_trusted());
    // Gaps are forgiven within the copy only: what is written here is as strict as ever.
    let own = lines(&run);
    std::fs::write(file(&run), [own[0].as_str(), &own[1], &own[3]].concat()).unwrap();
    assert!(!read(&file(&run)).unwrap().is_trusted());
    std::fs::write(file(&run), [own[0].as_str(), &own[2], &own[3]].concat()).unwrap();
    assert!(!read(&file(&run)).unwrap().is_trusted(), "nor does the copy lose a line afterwards");
    assert_eq!(whole, own.concat().into_bytes());
}

#[tokio::test(start_paused = true)]
async fn an_imported_run_that_went_unjournaled_is_put_in_order_by_time() {
    let folder = tempfile::tempdir().unwrap();
    let second = |second: i64| clock().now() + jiff::SignedDuration::from_secs(second);
    let copied = |seq, at, event| Entry { seq, at: second(at), event };
    let unnumbered = |at, event| copied(u64::MAX, at, event);
    let entries = vec![
        copied(4, 4, noted("d")),
        unnumbered(2, noted("b")),
        unnumbered(0, opened(&run_id(1))),
        unnumbered(3, noted("c")),
        unnumbered(2, noted("b")),
        unnumbered(1, noted("a")),
    ];
    let run = import(folder.path(), &run_id(1), entries, &"the table".into(), second(9)).unwrap();
    let told = read(&file(&run)).unwrap();
    assert!(told.is_trusted(), "{:?}", told.damage);
    let said = words(&told.entries);
    assert_eq!(said, ["a", "b", "c", "d", "imported from the table: 5 entries, 0 were not copied"]);
    assert_eq!(told.entries.iter().map(|entry| entry.seq).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5]);
}

/// What a list says is kept beside each journal that lies still; whoever acts reads the journal itself.
#[tokio::test(start_paused = true)]
async fn a_list_reads_no_journal_twice_and_nobody_acts_on_what_it_kept() {
    use std::fs::{File, FileTimes};
    use std::time::{Duration, SystemTime};

    let folder = tempfile::tempdir().unwrap();
    let (run, _) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    let whole = std::fs::read(file(&run)).unwrap();
    let before = list(folder.path()).unwrap();
    assert!(before[0].damage.is_empty() && before[0].opening.is_some(), "{before:?}");
    let dated = |bytes: &[u8], changed: SystemTime| {
        std::fs::write(file(&run), bytes).unwrap();
        let opened = File::options().write(true).open(file(&run)).unwrap();
        opened.set_times(FileTimes::new().set_modified(changed)).unwrap();
    };
    // An hour ago, so that the file system's clock cannot have two writings in one tick.
    let hour_ago = file(&run).metadata().unwrap().modified().unwrap() - Duration::from_hours(1);
    dated(&whole, hour_ago);
    assert_eq!(list(folder.path()).unwrap(), before);
    // Of the same size and time and without a word of truth: a list that does not read it cannot know.
    let garbage: Vec<u8> = whole.iter().map(|byte| if *byte == b'\n' { b'\n' } else { b'x' }).collect();
    dated(&garbage, hour_ago);
    assert_eq!(list(folder.path()).unwrap(), before, "nothing of the journal was read");
    let kept = run.join("gist.json").metadata().unwrap().len();
    assert!(kept * 2 < whole.len() as u64, "{kept} bytes instead of {}", whole.len());
    // Whoever acts knows.
    assert!(!read(&file(&run)).unwrap().is_trusted());
    assert!(Journal::resume(&run, false, clock()).await.is_err());
    // Another time, another size, or no gist at all: it is read again.
    dated(&garbage, hour_ago + Duration::from_secs(1));
    assert!(!list(folder.path()).unwrap()[0].damage.is_empty());
    dated(&whole, hour_ago);
    std::fs::remove_file(run.join("gist.json")).unwrap();
    assert_eq!(list(folder.path()).unwrap(), before);
    std::fs::write(run.join("gist.json"), "{").unwrap();
    assert_eq!(list(folder.path()).unwrap(), before);
}
