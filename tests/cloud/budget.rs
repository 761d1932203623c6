//! The Route 53 budget and the count of what watching costs.

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;
use switchtower::cloud::{Budget, Meter};
use switchtower::ports::Clock;

use super::fixture::epoch;

#[tokio::test(start_paused = true)]
async fn a_burst_goes_at_once_and_the_rest_at_the_rate() {
    let clock = Clock::starting_at(epoch(), 1.0);
    let budget = Budget::new(clock, 0.2, 8.0);
    for _ in 0..8 {
        budget.take().await;
    }
    assert_eq!(clock.now(), epoch());
    budget.take().await;
    assert_eq!(clock.now().duration_since(epoch()).as_secs(), 5);
    for _ in 0..12 {
        budget.take().await;
    }
    assert_eq!(clock.now().duration_since(epoch()).as_secs(), 65, "0.2 a second in the long run");
    assert!(!budget.would_allow());
    clock.sleep(Duration::from_mins(10)).await;
    let filled = clock.now();
    for _ in 0..8 {
        assert!(budget.would_allow());
        budget.take().await;
    }
    assert_eq!(clock.now(), filled, "a pause fills the burst");
    assert!(!budget.would_allow(), "and no more than that");
}

#[tokio::test(start_paused = true)]
async fn who_gives_up_leaves_the_token_to_the_next() {
    let clock = Clock::starting_at(epoch(), 1.0);
    let budget = Arc::new(Budget::new(clock, 0.2, 1.0));
    budget.take().await;
    let patient = budget.clone();
    let impatient: Vec<_> = (0..5)
        .map(|_| {
            let budget = budget.clone();
            tokio::spawn(async move { clock.timeout(Duration::from_secs(1), budget.take()).await.is_err() })
        })
        .collect();
    for waiter in impatient {
        assert!(waiter.await.unwrap());
    }
    patient.take().await;
    let waited = clock.now().duration_since(epoch());
    assert!(waited <= SignedDuration::from_millis(5_001), "five that gave up cost {waited:?}");
}

#[tokio::test(start_paused = true)]
async fn a_minute_of_calls_and_an_hour_of_dollars() {
    let clock = Clock::starting_at(epoch(), 1.0);
    let meter = Meter::new(clock);
    for minute in 0..30 {
        meter.call();
        meter.series(61);
        clock.sleep(Duration::from_secs(59)).await;
        let usage = meter.usage();
        assert_eq!(usage.calls_per_minute, 1);
        // aws-facts: 61 series each minute cost $0.037 an hour.
        assert!((usage.dollars_per_hour - 0.0366).abs() < 0.0001, "{minute}: {usage:?}");
        clock.sleep(Duration::from_secs(1)).await;
    }
    clock.sleep(Duration::from_secs(700)).await;
    assert_eq!(meter.usage(), switchtower::domain::snapshot::Usage::default());
}
