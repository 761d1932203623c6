//! Journals that broke off, were damaged, or go on.

use proptest::prelude::*;
use switchtower::cli::report::{html, json, markdown};
use switchtower::runbook::RunId;
use switchtower::runbook::StepState;
use switchtower::runbook::journal::{self, Told};

use super::{FAILOVER, failover, report, told};

fn lines(bytes: &[u8]) -> Vec<&[u8]> {
    bytes.split_inclusive(|byte| *byte == b'\n').collect()
}

/// All three documents, which is what must not fail.
fn documents(run: &RunId, told: &Told, held: bool) -> [String; 3] {
    let report = super::told(run, told, held);
    [markdown(&report), json(&report).unwrap(), html(&report).unwrap()]
}

#[test]
fn a_run_that_broke_off_is_told_so() {
    let (run, bytes) = failover();
    let lines = lines(&bytes);
    let intent = lines.iter().position(|line| line.windows(16).any(|part| part == br#""event":"intent""#));
    let cut = lines[..=intent.unwrap()].concat();
    let found = report(&run, &cut);
    assert_eq!((found.state, found.outcome, found.ended), ("interrupted", None, None));
    assert!(found.verdict.starts_with("interrupted: the journal ends at 03:"), "{}", found.verdict);
    assert!(found.steps.iter().any(|step| step.state == StepState::UnderWay));
    let next = found.left.next[0].command.as_ref().unwrap();
    assert!(next.starts_with(&format!("switchtower runs resume {run} --confirm us-east-1")), "{next}");
    let [markdown, _, html] = documents(&run, &journal::tell(&cut), false);
    for document in [&markdown, &html] {
        assert!(document.contains("interrupted"), "{document}");
        assert!(document.contains("no answer recorded"), "{document}");
        assert!(document.contains("no end is recorded"), "{document}");
    }

    // The same while a process has it.
    let running = told(&run, &journal::tell(&cut), true);
    assert_eq!(running.state, "running");
    assert!(running.left.next[0].command.as_ref().unwrap().contains("runs attach"), "{:?}", running.left);
}

#[test]
fn a_torn_line_is_told_and_nothing_is_built_on_it() {
    let (run, bytes) = failover();
    let torn = &bytes[..bytes.len() - 20];
    let found = report(&run, torn);
    assert!(found.journal.torn);
    assert!(found.journal.warnings()[0].contains("not written to its end"), "{:?}", found.journal.warnings());
    let [markdown, _, html] = documents(&run, &journal::tell(torn), false);
    assert!(markdown.contains("> **Read this first.** The last line"), "{markdown}");
    assert!(html.contains("<strong>Read this first.</strong> The last line"));
}

#[test]
fn what_stands_after_damage_is_marked() {
    let (run, bytes) = failover();
    let mut lines: Vec<Vec<u8>> = lines(&bytes).into_iter().map(<[u8]>::to_vec).collect();
    let line = &mut lines[6];
    let digit = line.iter().position(u8::is_ascii_digit).unwrap();
    line[digit + 30] ^= 1;
    let found = report(&run, &lines.concat());
    assert!(!found.journal.trusted);
    assert!(found.journal.damage[0].starts_with("line 7: "), "{:?}", found.journal.damage);
    assert!(found.steps.iter().any(|step| step.doubtful));
    let [markdown, _, html] = documents(&run, &journal::tell(&lines.concat()), false);
    assert!(markdown.contains("(?) "), "{markdown}");
    assert!(html.contains(r#"<h1 class="open">"#), "damage is no green headline");
}

#[test]
fn a_journal_without_its_beginning_tells_what_it_can() {
    let (run, bytes) = failover();
    let rest = lines(&bytes)[1..].concat();
    let found = report(&run, &rest);
    assert_eq!((found.began, found.summary.clone()), (None, None));
    assert!(found.steps.iter().any(|step| !step.calls.is_empty()), "calls are told without a plan");
    let [markdown, ..] = documents(&run, &journal::tell(&rest), false);
    assert!(markdown.starts_with("# a run whose beginning is lost: "), "{markdown}");
    assert!(markdown.contains("what was intended is not known"), "{markdown}");

    let [markdown, ..] = documents(&run, &Told::default(), false);
    assert!(markdown.contains("nothing can be read of this run"), "{markdown}");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is left of a journal, or was written over it, is told; nothing panics.
    #[test]
    fn whatever_is_left_of_a_journal_is_told(
        cut in 0.0..1.0_f64,
        gone in proptest::collection::vec(0.0..1.0_f64, 0..4),
        flips in proptest::collection::vec((0.0..1.0_f64, 0_u8..8), 0..6),
        held in proptest::bool::ANY,
    ) {
        let (run, bytes) = &*FAILOVER;
        let mut kept = lines(bytes);
        for at in gone {
            let at = (at * kept.len() as f64) as usize;
            if at < kept.len() {
                kept.remove(at);
            }
        }
        let mut bytes = kept.concat();
        bytes.truncate((cut * bytes.len() as f64).round() as usize);
        for (at, bit) in flips {
            let at = (at * bytes.len() as f64) as usize;
            if let Some(byte) = bytes.get_mut(at) {
                *byte ^= 1 << bit;
            }
        }
        documents(run, &journal::tell(&bytes), held);
    }
}
