//! What users feel beside the steps, now and then.
//!
//! What it is for: a run can be drawn afterwards only when somebody wrote down what was seen meanwhile.
//! What it must not do: hold up a step, wait for a disk that does not answer, or mark a run as unjournaled: a
//! sample that cannot be had or kept in time is lost.

use std::time::Duration;

use super::{Context, JOURNAL_PATIENCE};
use crate::runbook::event::Event;
use crate::runbook::sample::SAMPLE_EVERY;

/// When the first sample is taken: by then whoever has just begun to look has his first answers.
const FIRST: Duration = Duration::from_secs(3);

/// How long the last sample may hold up the end of the run.
const LAST: Duration = Duration::from_millis(500);

impl Context {
    /// Takes samples; never ends.
    pub(super) async fn sampling(&self) {
        let clock = self.setup.clock;
        clock.sleep(FIRST).await;
        loop {
            self.sample(JOURNAL_PATIENCE).await;
            clock.sleep(SAMPLE_EVERY).await;
        }
    }

    /// One more sample when the steps are over, if it can be had at once.
    pub(super) async fn last_sample(&self) {
        self.sample(LAST).await;
    }

    async fn sample(&self, patience: Duration) {
        let Some(sampler) = &self.setup.sampler else { return };
        let sampling = async {
            let regions = sampler.sample().await;
            if regions.is_empty() {
                return;
            }
            match self.setup.recorder.record(Event::Sampled { regions }, false).await {
                Ok(entry) => self.hold.copy(entry),
                Err(why) => tracing::debug!("a sample was not recorded: {why}"),
            }
        };
        if let Err(late) = self.setup.clock.timeout(patience, sampling).await {
            tracing::debug!("a sample {late}");
        }
    }
}
