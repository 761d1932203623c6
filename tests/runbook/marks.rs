//! Our own writes around a promotion: how many are sent, which are looked for, and how often.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use switchtower::domain::ids::Arn;
use switchtower::domain::text::Text;
use switchtower::ports::BoxFuture;
use switchtower::runbook::engine::Setup;
use switchtower::runbook::recovery::Found;
use switchtower::runbook::{
    ActFailure, Approval, DatabaseChoice, Event, Executor, Fact, Facts, Known, Operation, Outcome, Receipt,
};

use super::stage::{Stage, play};
use super::synthetic::{failover, recovered, writable};

/// Counts what is written and looked for, and shows a token only as often as it is told.
struct Shelf {
    inner: Arc<dyn Executor>,
    written: Mutex<usize>,
    /// How often each token was looked for.
    looked: Mutex<BTreeMap<String, usize>>,
    /// Whether a token that is looked for that many times is shown.
    shows: fn(&str, usize) -> bool,
    /// Promotions are accepted, and nothing comes of them.
    idle: bool,
}

impl Shelf {
    fn of(stage: &Stage, shows: fn(&str, usize) -> bool) -> Self {
        let (written, looked) = (Mutex::default(), Mutex::default());
        Self { inner: stage.witness.inner(), written, looked, shows, idle: false }
    }
}

impl Executor for Shelf {
    fn observe<'a>(&'a self, facts: &'a [Fact]) -> BoxFuture<'a, Facts> {
        Box::pin(async move {
            let seen = self.inner.observe(facts).await;
            let mut told = Facts::new();
            for (fact, observed) in seen.iter() {
                let observed = match fact {
                    Fact::TokenShown(_, token) => {
                        let mut looked = self.looked.lock().unwrap();
                        let times = looked.entry(token.to_string()).or_default();
                        *times += 1;
                        let shown = (self.shows)(token.as_str(), *times);
                        observed.map(|_| Known::Flag(shown))
                    }
                    Fact::SyntheticMark(_) => {
                        *self.written.lock().unwrap() += 1;
                        observed.clone()
                    }
                    _ => observed.clone(),
                };
                told.insert(fact.clone(), observed);
            }
            told
        })
    }

    fn apply<'a>(
        &'a self,
        operation: &'a Operation,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<Receipt, ActFailure>> {
        if self.idle && operation.moves_writer() {
            return Box::pin(std::future::ready(Ok(Receipt::default())));
        }
        self.inner.apply(operation, approval)
    }

    fn publish<'a>(
        &'a self,
        topic: &'a Arn,
        subject: &'a Text,
        message: &'a str,
        approval: &'a Approval,
    ) -> BoxFuture<'a, Result<(), Text>> {
        self.inner.publish(topic, subject, message, approval)
    }
}

/// A page that shows a write once may be answered by a copy that does not have it a moment later.
#[test]
fn what_was_shown_once_is_there_and_is_not_looked_for_again() {
    play(async || {
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        let shelf = Arc::new(Shelf::of(&stage, |_, times| times == 1));
        let setup = Setup { executor: shelf.clone(), ..stage.setup(&plan) };
        let ending = stage.carry_out(setup).await.unwrap().unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let looked = shelf.looked.lock().unwrap().clone();
        assert!(!looked.is_empty() && looked.values().all(|times| *times == 1), "{looked:?}");
        let point = recovered(&stage).unwrap();
        assert!(matches!(point.found, Found::Some { kept: 1.., lost: 0, .. }), "{}", point.words());
    });
    play(async || {
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        let shelf = Arc::new(Shelf::of(&stage, |_, _| false));
        let setup = Setup { executor: shelf.clone(), ..stage.setup(&plan) };
        stage.carry_out(setup).await.unwrap().unwrap();
        let looked = shelf.looked.lock().unwrap().clone();
        assert!(!looked.is_empty() && looked.values().all(|times| *times >= 3), "{looked:?}");
        let point = recovered(&stage).unwrap();
        assert!(matches!(point.found, Found::None { lost: 1.., .. }), "{}", point.words());
    });
}

#[test]
fn a_promotion_that_takes_for_ever_is_not_written_around_for_ever() {
    play(async || {
        let stage = writable("calm");
        let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
        let shelf = Arc::new(Shelf { idle: true, ..Shelf::of(&stage, |_, _| true) });
        let setup = Setup { executor: shelf.clone(), ..stage.setup(&plan) };
        let ending = stage.carry_out(setup).await.unwrap().unwrap();
        let took = stage.clock.now().duration_since(stage.began);
        assert_eq!(ending.outcome, Outcome::Halted, "{}\n{:#?}", ending.why, stage.words());
        // One every three seconds would be more.
        assert!(took > jiff::SignedDuration::from_secs(3 * 210), "{took:?}");
        assert_eq!(*shelf.written.lock().unwrap(), 200);
    });
}

/// Taken up again: the record tells when the promotion was proven, and what came after that the new writer took.
#[test]
fn what_was_written_after_the_promotion_says_nothing_about_it() {
    play(async || {
        let plan = |stage: Stage| async move {
            let plan = stage.plan("failover", &failover(DatabaseChoice::Failover)).await;
            (stage, plan)
        };
        let (whole, of_whole) = plan(writable("calm")).await;
        whole.ended(&of_whole).await;
        let proven = |event: &Event| matches!(event, Event::StepDone { step, .. } if step.as_str().starts_with("promote/"));
        let cut = whole.recorder.entries().iter().position(|entry| proven(&entry.event)).unwrap();
        let (stage, plan) = plan(writable("calm")).await;
        *stage.cut.lock().unwrap() = Some(cut);
        assert!(stage.run(&plan).await.is_none(), "it dies");
        assert!(stage.recorder.entries().iter().any(|entry| proven(&entry.event)));
        stage.clock.sleep(Duration::from_secs(5)).await;
        let late = Event::Marked { token: "late".into(), sent: stage.clock.now() };
        switchtower::runbook::engine::Recorder::record(stage.recorder.as_ref(), late, true).await.unwrap();
        let shelf = Arc::new(Shelf::of(&stage, |token, _| token != "late"));
        let setup = Setup { executor: shelf.clone(), ..stage.setup(&plan) };
        let ending = stage.carry_out(setup).await.unwrap().unwrap();
        assert_eq!(ending.outcome, Outcome::Done, "{}\n{:#?}", ending.why, stage.words());
        let looked = shelf.looked.lock().unwrap().clone();
        assert!(!looked.is_empty() && !looked.contains_key("late"), "{looked:?}");
        let point = recovered(&stage).unwrap();
        assert!(matches!(point.found, Found::Some { kept: 1.., lost: 0, .. }), "{}", point.words());
    });
}
