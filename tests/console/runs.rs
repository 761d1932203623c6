//! Runs: what their events tell, and what the operator tells them.

use std::sync::Arc;

use jiff::SignedDuration;
use switchtower::app::acting::RunState;
use switchtower::app::acting::run::{Fate, Standing};
use switchtower::app::{Effect, Event, Screen};
use switchtower::runbook::{self, Decision, Event as RunEvent, Outcome, StepState};

use super::plans::{self, Tape, run_id};
use super::stage::{Stage, calm, outage_seen};

const SIZE: (u16, u16) = (80, 24);

fn watching(tape: &Tape) -> Stage {
    let mut stage = outage_seen(SIZE);
    tape.play(&mut stage);
    stage.press("v");
    assert!(matches!(stage.app.screen(), Screen::Run(_)));
    stage
}

#[test]
fn events_tell_the_run() {
    let state = RunState::of(&Tape::running().entries);
    assert_eq!(state.name(), "drain us-east-1");
    assert_eq!(state.progress(), (1, 4), "one is done, one goes on");
    let states: Vec<StepState> = state.steps.iter().map(|step| step.state).collect();
    assert_eq!(states, [StepState::Done, StepState::UnderWay, StepState::NotBegun, StepState::NotBegun]);
    let pin = state.step(&"pin".into()).unwrap();
    assert_eq!((pin.way, pin.calls.len()), (1, 2));
    assert!(matches!(&pin.calls[0].fate, Fate::Not(runbook::ActFailure::Unknown { .. })));
    assert!(matches!(&pin.calls[1].fate, Fate::Accepted(Some(id)) if id.as_str() == "b2f0-99"));
    assert_eq!(pin.words.as_str(), "2 of 6 answers still name us-east-1");

    let halted = RunState::of(&Tape::halted().entries);
    assert_eq!(halted.halt().unwrap().failed.as_ref().unwrap().as_str(), "pin");
    assert_eq!(halted.step(&"pin".into()).unwrap().state, StepState::Failed);
    let done = RunState::of(&Tape::done().entries);
    assert!(matches!(done.standing, Standing::Ended { outcome: Outcome::Done, .. }));
    assert!(done.steps.iter().all(|step| step.state == StepState::Done));
    assert_eq!(done.left(done.last.unwrap()).unwrap().most.as_secs(), 0);
}

#[test]
fn run_view_report_and_engine_read_the_same_states_out_of_a_run() {
    use switchtower::runbook::{journal::Told, report, state::states};
    let mut tape = Tape::halted();
    let skipped = RunEvent::StepSkipped { step: "pin".into(), reason: "by hand".into() };
    tape.add(3, skipped).add(1, RunEvent::StepUndone { step: "scale/eu-west-1/prod/api".into() });
    tape.add(1, RunEvent::StepBegan { step: "quiet".into() });
    for length in 1..=tape.entries.len() {
        let mut told = Told::default();
        told.entries = tape.entries[..length].to_vec();
        let known = states(&told.entries);
        let run = RunState::of(&told.entries);
        let source = report::Source { run: &run_id(), told: &told, held: true, now: plans::now() };
        let report = report::Report::of(&source);
        assert_eq!((run.steps.len(), report.steps.len()), (4, 4));
        for (shown, told) in run.steps.iter().zip(&report.steps) {
            let known = known.get(&shown.id).copied().unwrap_or_default();
            assert_eq!((&shown.id, shown.state, told.state), (&told.id, known, known), "after {length}");
        }
    }
}

#[test]
fn entries_that_come_twice_count_once() {
    let tape = Tape::halted();
    let once = RunState::of(&tape.entries);
    let twice = RunState::of(tape.entries.iter().chain(&tape.entries));
    assert_eq!(once, twice);
}

#[test]
fn a_run_without_its_beginning_is_still_shown() {
    let state = RunState::of(Tape::halted().entries.iter().skip(4));
    assert!(state.halt().is_some() && !state.steps.is_empty());
    let mut stage = Stage::on(&calm(), SIZE);
    for entry in Tape::halted().entries.into_iter().skip(4) {
        stage.app.update(Event::Run(run_id(), Arc::new(entry)));
    }
    stage.press("v");
    assert!(stage.text().contains("HALTED"));
}

#[test]
fn the_banner_speaks_of_the_run_on_every_screen() {
    let mut stage = outage_seen(SIZE);
    assert!(stage.press("v").is_empty());
    assert!(stage.text().contains("no run in this session"));
    Tape::running().play(&mut stage);
    for keys in ["", "enter", "esc f", "esc t", "esc ?", "esc z", "esc shift-d", "esc !"] {
        stage.plan(keys);
        assert!(stage.text().contains("run: drain us-east-1 1/4 done"), "after {keys}: {}", stage.text());
    }
    stage.press("v");
    assert!(matches!(stage.app.screen(), Screen::Run(_)));
    stage.press("v");
    assert!(matches!(stage.app.screen(), Screen::Card(_)), "and back to where one came from");
    // Leaving the view is no abort.
    assert!(stage.app.acting.is_running());
}

#[test]
fn the_timeline_marks_each_step() {
    let mut stage = outage_seen((120, 40));
    Tape::halted().play(&mut stage);
    stage.press("t");
    let text = stage.text();
    for words in [
        "◆ run    drain us-east-1 began",
        "drain us-east-1 1/4 raise prod/api",
        "drain us-east-1 2/4 take us-east-1 out of DNS: FAILED",
        "drain us-east-1 HALTED",
        "running 4 → 0",
    ] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    let place = |words: &str| text.find(words).unwrap();
    assert!(place("HALTED") < place("drain us-east-1 began"), "newest first");
    assert!(place("drain us-east-1 began") < place("running 4 → 0"), "by time, whoever did it");
}

#[test]
fn ctrl_c_and_q_never_abort_a_run() {
    let mut stage = watching(&Tape::running());
    for key in ["ctrl-c", "q"] {
        assert!(stage.press(key).is_empty());
        assert!(stage.text().contains("leaving does not abort it"), "{}", stage.text());
        stage.press("enter esc");
        assert!(stage.app.acting.prompt.is_none());
    }
    stage.press("q");
    stage.type_in("leave");
    assert_eq!(stage.press("enter"), [Effect::Quit]);
    let mut stage = watching(&Tape::done());
    assert_eq!(stage.press("q"), [Effect::Quit]);
}

#[test]
fn abort_is_typed_and_wants_no_arming() {
    let mut stage = watching(&Tape::running());
    assert!(stage.press("r").is_empty());
    assert!(stage.text().contains("this is for a run that waits"));
    stage.press("a");
    stage.type_in("yes");
    assert!(stage.press("enter").is_empty());
    assert!(stage.text().contains("type abort, not"));
    stage.press("ctrl-u");
    stage.type_in("abort");
    stage.press("enter");
    stage.type_in("wrong region");
    let reason = "wrong region".into();
    assert_eq!(stage.press("enter"), [Effect::Decide(run_id(), Decision::Abort { reason })]);
}

#[test]
fn decisions_at_a_halt_are_asked_for_in_words() {
    let mut stage = watching(&Tape::halted());
    assert!(stage.press("r").is_empty());
    assert!(stage.text().contains("read-only: arm with A, then retry"), "{}", stage.text());
    assert_eq!(stage.press("o enter"), [Effect::Decide(run_id(), Decision::HandOver)]);

    stage.arm();
    assert!(stage.press("r").is_empty(), "one key sends nothing");
    assert_eq!(stage.press("enter"), [Effect::Decide(run_id(), Decision::Retry)]);
    stage.press("s enter");
    assert!(stage.text().contains("a reason is needed"));
    stage.type_in("the resolver caches");
    let reason = "the resolver caches".into();
    assert_eq!(stage.press("enter"), [Effect::Decide(run_id(), Decision::Skip { reason })]);
}

/// Picks a row of the list by `keys`, types what is asked for, and gives what is sent.
fn undo(stage: &mut Stage, keys: &str) -> Vec<Effect> {
    assert!(stage.press("u").is_empty(), "one key sends nothing");
    assert!(matches!(stage.app.screen(), Screen::Undo(_)), "{}", stage.text());
    assert!(stage.press(keys).is_empty());
    assert!(stage.press("enter").is_empty(), "nor do two");
    stage.type_in("undo");
    stage.press("enter");
    stage.type_in("rollback agreed");
    stage.press("enter")
}

#[test]
fn one_step_or_all_of_them_are_undone_from_a_list() {
    let told = |step: Option<&str>| {
        let (reason, step) = ("rollback agreed".into(), step.map(Into::into));
        [Effect::Decide(run_id(), Decision::Undo { reason, step })]
    };
    let mut stage = watching(&Tape::halted());
    stage.press("u");
    assert!(matches!(stage.app.screen(), Screen::Run(_)));
    assert!(stage.text().contains("read-only: arm with A, then undo"), "{}", stage.text());
    stage.arm();
    assert_eq!(undo(&mut stage, ""), told(Some("pin")), "the newest comes first");
    assert!(matches!(stage.app.screen(), Screen::Run(_)), "back to where it is seen going on");
    assert_eq!(undo(&mut stage, "down"), told(Some("scale/eu-west-1/prod/api")));
    assert_eq!(undo(&mut stage, "end"), told(None));
    assert_eq!(undo(&mut stage, "down down down up"), told(Some("scale/eu-west-1/prod/api")));
    // The list says what it would do before anything is typed.
    stage.press("u down");
    let text = stage.text();
    assert!(text.contains("begun after it, and left as it is: take us-east-1"), "{text}");
    stage.press("pagedown");
    let text = stage.text();
    for words in ["MinCapacity 8 → 4", "desiredCount 8 → 4"] {
        assert!(text.contains(words), "{words} is not in {text}");
    }
    // Arming that ends takes the word with it.
    stage.press("enter");
    stage.tick(stage.app.fleet.now() + SignedDuration::from_mins(16));
    stage.press("esc enter");
    assert!(stage.app.acting.prompt.is_none(), "{}", stage.text());
}

#[test]
fn an_undone_step_is_told_as_such_and_asked_about() {
    let mut tape = Tape::halted();
    let mut stage = watching(&tape);
    stage.arm();
    stage.press("u");
    tape.undone("scale/eu-west-1/prod/api").play(&mut stage);
    assert!(stage.text().contains("that cannot be undone any more") || stage.text().contains("undo: drain"));
    stage.press("esc");
    let text = stage.text();
    assert!(text.contains("undone") && text.contains("u undo a step or all"), "{text}");
    let run = stage.app.acting.current().unwrap().1;
    assert_eq!(run.step(&"scale/eu-west-1/prod/api".into()).unwrap().state, StepState::Undone);
    assert_eq!(run.undoing(&"scale/eu-west-1/prod/api".into()), None, "there is nothing left of it");
    // The run comes to the undone step: retry and skip say what they mean.
    tape.waits_at("scale/eu-west-1/prod/api").play(&mut stage);
    assert!(stage.text().contains("r do it again · s go on without it"), "{}", stage.text());
    stage.press("r");
    assert!(stage.text().contains("do again what was undone: raise prod/api"), "{}", stage.text());
}

#[test]
fn a_decision_that_comes_too_late_is_not_sent() {
    let mut tape = Tape::halted();
    let mut stage = watching(&tape);
    stage.press("o");
    tape.add(5, RunEvent::Decided { decision: Decision::Retry, by: "bob".into() });
    tape.add(1, RunEvent::StepBegan { step: "pin".into() });
    tape.play(&mut stage);
    assert!(stage.press("enter").is_empty());
    assert!(stage.text().contains("too late to hand over"), "{}", stage.text());
    tape.add(1, RunEvent::Ended { outcome: Outcome::Superseded, rto: None, rpo_ms: None });
    tape.play(&mut stage);
    stage.press("a");
    assert!(stage.app.acting.prompt.is_none() && stage.text().contains("this run has ended"));
}

#[test]
fn time_goes_on_in_a_step() {
    let mut stage = watching(&Tape::running());
    let now = stage.app.fleet.now();
    stage.tick(now + SignedDuration::from_secs(33));
    let text = stage.text();
    assert!(text.contains("running 58s of ~1m10s"), "{text}");
}

#[test]
fn what_an_undone_step_had_made_true_counts_as_done_no_more() {
    let mut tape = Tape::done();
    tape.entries.pop();
    let before = RunState::of(&tape.entries);
    assert_eq!(before.progress(), (4, 4));
    tape.add(5, RunEvent::StepUndone { step: "pin".into() });
    tape.add(
        0,
        RunEvent::Halted {
            why: "undone on the operator's word".into(),
            done: vec!["scale/eu-west-1/prod/api".into(), "writer".into()],
            undoable: vec!["scale/eu-west-1/prod/api".into()],
            not_run: vec!["quiet".into()],
            failed: Some("pin".into()),
        },
    );
    let state = RunState::of(&tape.entries);
    assert_eq!(state.progress(), (2, 4), "the heading counts what the halt counts");
    let quiet = state.step(&"quiet".into()).unwrap();
    assert_eq!((quiet.state, quiet.elapsed(plans::now())), (StepState::NotBegun, None));
    let report_told = report_of(&tape);
    let report = report_told.steps.iter().find(|step| step.id.as_str() == "quiet").unwrap();
    assert_eq!(report.state, StepState::NotBegun);
    let known = runbook::state::states(&tape.entries);
    assert_eq!(known.get(&"quiet".into()), None);
    assert!(watching(&tape).text().contains("was so before, and is looked at again"));
}

fn report_of(tape: &Tape) -> runbook::report::Report {
    let mut told = runbook::journal::Told::default();
    told.entries.clone_from(&tape.entries);
    let source = runbook::report::Source { run: &run_id(), told: &told, held: true, now: plans::now() };
    runbook::report::Report::of(&source)
}
