//! A drain that halts while its survivor grows, and every decision that the operator can make about it, by keys alone.

use switchtower::sim::{FaultKind, InjectedFault};

use super::operator::Operator;
use super::play::{Play, play};

const SIZES: [(&str, (u16, u16)); 3] = [("80x24", (80, 24)), ("120x40", (120, 40)), ("200x50", (200, 50))];

macro_rules! screen {
    ($name:expr, $screen:expr) => {
        insta::with_settings!({
            omit_expression => true, prepend_module_to_snapshot => false, snapshot_path => "screens"
        }, {
            insta::assert_snapshot!($name, $screen);
        })
    };
}

/// The operator confirmed a drain, one service of the survivor was let grow, and AWS refused the other.
async fn halted(play: Play) -> Operator {
    let mut operator = Operator::sits_down(play, "calm", (80, 24));
    operator.watches(90).await;
    let refused = FaultKind::Refuse { status: 400, code: "ValidationException".into() };
    let fault = InjectedFault::next("application-autoscaling", "RegisterScalableTarget", refused);
    operator.play.sim.inject(fault.on(2));
    operator.presses("shift-a").await;
    operator.types("orders").await;
    operator.presses("enter shift-d enter").await;
    operator.types("us-east-1").await;
    operator.presses("tab").await;
    operator.types("game day").await;
    operator.presses("enter").await;
    operator.watches_until("✖ HALTED", 900).await;
    operator.watches(3).await;
    operator
}

#[test]
fn what_a_halted_run_says() {
    play("calm", async |play| {
        let mut operator = halted(play).await;
        for (name, size) in SIZES {
            screen!(format!("halted-{name}"), operator.at(size));
        }
        operator.presses("u").await;
        for (name, size) in SIZES {
            screen!(format!("halted-undo-{name}"), operator.at(size));
        }
    });
}

#[test]
fn retry_goes_on_to_the_end() {
    play("calm", async |play| {
        let mut operator = halted(play).await;
        operator.presses("r").await;
        screen!("halted-retry-asked-80x24", operator.screen());
        operator.presses("enter").await;
        operator.watches(4).await;
        screen!("halted-retried-80x24", operator.screen());
        operator.watches_until("● DONE", 2_400).await;
    });
}

#[test]
fn skip_takes_a_reason_and_stays_skipped() {
    play("calm", async |play| {
        let mut operator = halted(play).await;
        operator.presses("s enter").await;
        screen!("halted-skip-asked-80x24", operator.screen());
        operator.types("grown by hand").await;
        operator.presses("enter").await;
        operator.watches(4).await;
        screen!("halted-skipped-80x24", operator.screen());
    });
}

#[test]
fn one_step_is_undone_and_the_run_waits() {
    play("calm", async |play| {
        let mut operator = halted(play).await;
        operator.presses("u enter").await;
        operator.types("undo").await;
        operator.presses("tab").await;
        operator.types("not today").await;
        screen!("halted-undo-asked-80x24", operator.screen());
        operator.presses("enter").await;
        operator.watches(6).await;
        assert!(operator.screen().contains("✖ HALTED"), "{}", operator.screen());
        for (name, size) in SIZES {
            screen!(format!("halted-undone-{name}"), operator.at(size));
        }
        // The other was tried again; then the run comes to what was undone, and asks.
        operator.presses("r enter").await;
        operator.watches_until("r do it again", 900).await;
        operator.watches(2).await;
        screen!("halted-at-undone-80x24", operator.screen());
        operator.presses("r enter").await;
        operator.watches_until("● DONE", 2_400).await;
    });
}

#[test]
fn all_is_undone_and_the_run_ends() {
    play("calm", async |play| {
        let mut operator = halted(play).await;
        operator.presses("u end enter").await;
        operator.types("undo").await;
        operator.presses("tab").await;
        operator.types("not today").await;
        operator.presses("enter").await;
        operator.watches_until("UNDONE", 120).await;
        operator.watches(2).await;
        screen!("halted-all-undone-80x24", operator.screen());
    });
}

#[test]
fn handing_over_and_aborting_end_it_here() {
    for (keys, words, name) in
        [("o enter", "LEFT HALTED", "halted-handed-over-80x24"), ("a", "ABORTED", "halted-aborted-80x24")]
    {
        play("calm", async |play| {
            let mut operator = halted(play).await;
            operator.presses(keys).await;
            if keys == "a" {
                operator.types("abort").await;
                operator.presses("tab").await;
                operator.types("not today").await;
                operator.presses("enter").await;
            }
            operator.watches_until(words, 60).await;
            operator.watches(2).await;
            screen!(name, operator.screen());
        });
    }
}
