//! What past runs say of a plan's duration, in its dialog and in the progress of its run.

use std::time::Duration;

use switchtower::app::Effect;
use switchtower::app::acting::Basis;
use switchtower::runbook::{Event as RunEvent, Judgement, Measured, StepId};

use super::plans::{self, Tape};
use super::stage::{Stage, calm};

const SIZE: (u16, u16) = (120, 60);

fn measured(seconds: u64, runs: usize) -> Measured {
    Measured { median: Duration::from_secs(seconds), runs }
}

#[test]
fn a_dialog_says_from_how_many_runs_it_knows() {
    let mut stage = Stage::on(&calm(), SIZE);
    for effect in stage.press("shift-d") {
        let Effect::Plan(wish) = effect else { continue };
        let mut plan = plans::answer(&wish).unwrap();
        let steps = plan.steps.len();
        assert!(steps > 2);
        plan.steps[0].measured = Some(measured(131, 3));
        plan.steps[1].measured = Some(measured(17, 1));
        stage.planned(wish.ticket, Basis::Read, Ok(plan));
        let text = stage.text();
        assert!(text.contains(&format!("(by 3 past runs for 2 of {steps} steps)")), "{text}");
        assert!(text.contains("usually 2m11s (3 past runs), at most"), "{text}");
        assert!(text.contains("usually 17s (1 past run), at most"), "{text}");
    }
}

#[test]
fn progress_says_what_is_usual_by_past_runs() {
    let mut stage = Stage::on(&calm(), SIZE);
    let mut tape = Tape::opened();
    let step = match &mut tape.entries[0].event {
        RunEvent::Opened { plan, .. } => {
            plan.steps[0].measured = Some(measured(131, 3));
            plan.steps[0].id.clone()
        }
        other => panic!("{other:?}"),
    };
    let judgement = Judgement::NotYet { progress: "3 of 6 tasks healthy".into(), share: Some(0.5) };
    tape.add(1, RunEvent::StepBegan { step: StepId::new(step.as_str()) });
    tape.add(5, RunEvent::Progress { step, judgement });
    tape.play(&mut stage);
    stage.press("v");
    let text = stage.text();
    assert!(text.contains("3 of 6 tasks healthy; usually 2m11s (3 past runs)"), "{text}");
    assert!(text.contains("of ~2m11s"), "{text}");
}
