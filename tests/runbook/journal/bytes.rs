//! What a journal's bytes tell, whatever became of them.

use std::collections::BTreeMap;

use proptest::prelude::*;
use switchtower::runbook::condition::Judgement;
use switchtower::runbook::journal::{Flaw, Journal, JournalError, Told, read, tell};
use switchtower::runbook::{
    ActFailure, Claim, Decision, Differing, Entry, Event, Facts, LeaseOutcome, LeaseView, Outcome,
};

use super::*;

/// The bytes of a run of five entries, and the entries.
async fn five() -> (Vec<u8>, Vec<Entry>) {
    let folder = tempfile::tempdir().unwrap();
    let (run, entries) = recorded(folder.path(), &run_id(1), story(&run_id(1))).await;
    (std::fs::read(file(&run)).unwrap(), entries)
}

fn flaws(told: &Told) -> Vec<(usize, &Flaw)> {
    told.damage.iter().map(|damage| (damage.line, &damage.flaw)).collect()
}

#[tokio::test(start_paused = true)]
async fn what_is_recorded_is_read_back() {
    let (bytes, entries) = five().await;
    let told = tell(&bytes);
    assert_eq!(told.entries, entries);
    assert!(told.is_trusted() && !told.torn && !told.imported && told.doubtful.is_empty());
    assert!(tell(&[]).entries.is_empty(), "an empty file is an empty run");
    assert!(tell(&[]).is_trusted());
}

#[tokio::test(start_paused = true)]
async fn cut_anywhere_it_reads_to_a_prefix() {
    let (bytes, entries) = five().await;
    for cut in 0..bytes.len() {
        let told = tell(&bytes[..cut]);
        let whole = bytes[..cut].iter().filter(|byte| **byte == b'\n').count();
        assert_eq!(told.entries, entries[..whole], "cut at {cut}");
        let boundary = cut == 0 || bytes[cut - 1] == b'\n';
        assert_eq!((told.torn, told.is_trusted()), (!boundary, true), "cut at {cut}");
    }
}

#[tokio::test(start_paused = true)]
async fn pages_that_never_reached_the_disk_are_a_torn_line() {
    let (bytes, entries) = five().await;
    let end = bytes.len();
    for (from, to) in [(end - 40, end), (end - 40, end - 1), (end - 1, end)] {
        let mut zeroed = bytes.clone();
        zeroed[from..to].fill(0);
        let told = tell(&zeroed);
        assert!(told.torn && told.is_trusted(), "{from}..{to}: {:?}", told.damage);
        assert_eq!(told.entries, entries[..4]);
    }
}

#[tokio::test(start_paused = true)]
async fn every_flipped_bit_is_noticed() {
    let folder = tempfile::tempdir().unwrap();
    let events = story(&run_id(1)).split_off(2);
    let (run, entries) = recorded(folder.path(), &run_id(1), events).await;
    let bytes = std::fs::read(file(&run)).unwrap();
    let last_line = bytes[..bytes.len() - 1].iter().rposition(|byte| *byte == b'\n').unwrap() + 1;
    for place in 0..bytes.len() {
        // Another digit, another case, no text at all; the others are much like these.
        for bit in [0, 5, 7] {
            let mut flipped = bytes.clone();
            flipped[place] ^= 1 << bit;
            let told = tell(&flipped);
            let noticed = !told.is_trusted() || (told.torn && place >= last_line);
            assert!(noticed, "bit {bit} of byte {place}");
            assert!(told.entries.iter().all(|entry| entries.contains(entry)), "an entry that never was");
            let trusted = told.marked().filter(|(_, doubtful)| !doubtful).count();
            let line = bytes[..place].iter().filter(|byte| **byte == b'\n').count();
            assert_eq!(trusted, line, "bit {bit} of byte {place}: only what stands before is vouched for");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn lines_that_are_moved_are_named() {
    let (bytes, _) = five().await;
    let lines: Vec<&[u8]> = bytes.split_inclusive(|byte| *byte == b'\n').collect();
    let order =
        |order: &[usize]| tell(&order.iter().flat_map(|line| lines[*line].to_vec()).collect::<Vec<u8>>());
    assert_eq!(flaws(&order(&[0, 1, 3, 4])), [(3, &Flaw::Missing { from: 2, to: 2 })]);
    assert_eq!(flaws(&order(&[0, 4])), [(2, &Flaw::Missing { from: 1, to: 3 })]);
    assert_eq!(flaws(&order(&[1, 2])), [(1, &Flaw::Missing { from: 0, to: 0 })]);
    assert_eq!(flaws(&order(&[0, 1, 1, 2])), [(3, &Flaw::Repeated(1))]);
    assert_eq!(order(&[0, 1, 3, 2, 4]).damage.len(), 3, "an exchange is three breaks");
    let gone = order(&[0, 1, 3, 4]);
    assert_eq!(gone.doubtful.iter().copied().collect::<Vec<_>>(), [2, 3], "marked, and still there");
    assert_eq!(gone.damage[0].to_string(), "line 3: entry 2 is missing before it");
}

#[tokio::test(start_paused = true)]
async fn a_line_of_another_run_does_not_fit() {
    let folder = tempfile::tempdir().unwrap();
    let story = |word: &str| vec![opened(&run_id(1)), noted(word), noted("same")];
    let (one, _) = recorded(folder.path(), &run_id(1), story("a")).await;
    let (other, _) = recorded(folder.path(), &run_id(2), story("b")).await;
    let (one, other) = (lines(&one), lines(&other));
    let mixed = [one[0].as_str(), &one[1], &other[2]].concat();
    assert_eq!(flaws(&tell(mixed.as_bytes())), [(3, &Flaw::Unchained)]);
}

#[tokio::test(start_paused = true)]
async fn what_a_newer_program_wrote_is_not_taken_for_damage_by_chance() {
    use sha2::Digest as _;
    let (bytes, _) = five().await;
    let text = String::from_utf8(bytes).unwrap();
    let first = text.lines().next().unwrap();
    let newer = [
        first.replacen(r#""v":1"#, r#""v":2"#, 1),
        first.replacen(r#""event":"opened""#, r#""event":"beamed""#, 1),
    ];
    for line in newer {
        let body = line.rsplit_once(",\"hash\"").unwrap().0;
        let hash = sha2::Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let told = tell(format!("{body},\"hash\":\"{hash}\"}}\n").as_bytes());
        assert!(matches!(flaws(&told)[..], [(1, Flaw::Newer(_))]), "{:?}", told.damage);
        assert!(told.damage[0].to_string().contains("newer switchtower"));
    }
}

/// One of every kind, with words that would act on a terminal, on JSON, or on lines.
fn every_event(words: &str) -> Vec<Event> {
    let text = || Text::new(words);
    let step = || words.into();
    let claim = Claim { application: text(), run: run_id(1), holder: text(), host: text(), purpose: text() };
    let view = LeaseView { claim, number: u64::MAX, heartbeat: at("2026-11-21T03:00:00Z"), released: false };
    let mut operation = operation();
    if let Operation::PutSwitchObject { key, .. } = &mut operation {
        words.clone_into(key);
    }
    let mut opening = opening(&run_id(1));
    opening.params.differing = BTreeMap::from([(text(), Differing::Keep)]);
    let judgements = [
        Judgement::Holds { evidence: text() },
        Judgement::NotYet { progress: text(), share: Some(1.0 / 3.0) },
        Judgement::Unknown { why: text() },
        Judgement::Never { why: text() },
    ];
    let failures = [
        ActFailure::Busy { why: text() },
        ActFailure::Moved { why: text() },
        ActFailure::Refused { why: text() },
        ActFailure::Credentials { why: text() },
        ActFailure::NotSent { why: text() },
        ActFailure::Unknown { why: text() },
    ];
    let leases = [
        LeaseOutcome::Taken { number: 1 },
        LeaseOutcome::TakenOver { number: 2, from: view.clone() },
        LeaseOutcome::Unreachable { why: text() },
        LeaseOutcome::NotConfigured,
        LeaseOutcome::Lost { to: view },
        LeaseOutcome::Released,
    ];
    let decisions = [
        Decision::Retry,
        Decision::Skip { reason: text() },
        Decision::Undo { reason: text(), step: None },
        Decision::HandOver,
        Decision::Abort { reason: text() },
    ];
    let mut events = vec![
        opened(&run_id(1)),
        Event::Resumed { opening: Box::new(opening), damage: vec![text()] },
        Event::StepBegan { step: step() },
        Event::StepHeld { step: step(), evidence: text() },
        Event::Intent {
            step: step(),
            way: 1,
            call: 1000,
            attempt: 2,
            operation: Box::new(operation),
            saved: saved(1e-300),
        },
        Event::Applied { step: step(), way: 0, call: 0, request_id: None },
        Event::WayGivenUp { step: step(), way: 0, why: text() },
        Event::StepDone { step: step(), evidence: text(), took: Duration::MAX },
        Event::StepFailed { step: step(), why: text(), passed: true },
        Event::StepSkipped { step: step(), reason: text() },
        Event::StepUndone { step: step() },
        Event::Halted {
            why: text(),
            done: vec![step()],
            undoable: vec![step()],
            not_run: Vec::new(),
            failed: None,
        },
        Event::Notified { whom: text(), failure: Some(text()) },
        Event::Unjournaled { why: text() },
        noted(words),
        ended(Outcome::Superseded),
    ];
    events.extend(judgements.map(|judgement| Event::Progress { step: step(), judgement }));
    events.extend(failures.map(|failure| Event::NotApplied { step: step(), way: 0, call: 0, failure }));
    events.extend(leases.map(|outcome| Event::Lease { outcome }));
    events.extend(decisions.map(|decision| Event::Decided { decision, by: text() }));
    events
}

#[tokio::test(start_paused = true)]
async fn every_event_survives_with_hostile_words() {
    let folder = tempfile::tempdir().unwrap();
    let hostile = [
        "two\nlines\r\n",
        "\u{1b}[2J\u{9b}31m\u{7}",
        "\"},\"hash\":\"0000\"}\n{\"v\":1}",
        "\\u0000\0\\",
        "\u{2028}\u{202e}\u{feff}日本",
        "",
    ];
    for (salt, words) in hostile.into_iter().enumerate() {
        let (run, entries) = recorded(folder.path(), &run_id(salt as u16), every_event(words)).await;
        let told = read(&file(&run)).unwrap();
        assert_eq!(told.damage, []);
        assert_eq!(told.entries, entries, "{words:?}");
        assert_eq!(lines(&run).len(), entries.len(), "one line an entry, whatever is in it");
        let raw = std::fs::read_to_string(file(&run)).unwrap();
        assert!(raw.lines().all(|line| !line.contains(char::is_control)), "safe to look at in a terminal");
    }
}

#[tokio::test(start_paused = true)]
async fn a_number_that_is_none_never_makes_an_intent_unreadable() {
    let folder = tempfile::tempdir().unwrap();
    let mut plan = plan();
    plan.shaped_by = saved(f64::NAN);
    let events = vec![opened(&run_id(1)), intent(saved(f64::NAN)), intent(saved(f64::INFINITY))];
    let (run, _) = recorded(folder.path(), &run_id(1), events).await;
    let told = read(&file(&run)).unwrap();
    assert_eq!(told.damage, []);
    assert_eq!(told.entries[1].event, intent(Facts::new()), "without its saved values");
    assert_eq!(told.entries[2].event, intent(Facts::new()));
    let digest = plan.digest();
    let event = Event::Opened { opening: Box::new(opening(&run_id(2))), plan: Box::new(plan), digest };
    let (run, _) = recorded(folder.path(), &run_id(2), vec![event]).await;
    let told = read(&file(&run)).unwrap();
    assert!(told.is_trusted() && words(&told.entries)[0].contains("cannot be read back"), "{told:?}");
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn no_bytes_make_it_stumble(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let told = tell(&bytes);
        prop_assert!(told.entries.is_empty());
        prop_assert!(told.torn || !told.damage.is_empty() || bytes.is_empty());
    }

    #[test]
    fn no_json_makes_it_stumble(lines in prop::collection::vec("[{}\\[\\]\",:a-z0-9 \\\\]{0,60}\n", 1..6)) {
        let told = tell(lines.concat().as_bytes());
        prop_assert_eq!(told.damage.len(), lines.len());
    }
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_not_there_is_no_run() {
    let folder = tempfile::tempdir().unwrap();
    let error = read(&file(folder.path())).unwrap_err();
    assert_eq!(error, JournalError::NoRun(folder.path().to_owned()));
    let error = Journal::resume(&folder.path().join("none"), false, clock()).await.unwrap_err();
    assert!(matches!(error, JournalError::NoRun(_)) && error.to_string().contains("runs list"), "{error}");
}
