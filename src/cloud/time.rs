//! The SDK's clock and sleep, made of [`Clock`].
//!
//! What it is for: signatures, retries and time-outs of the SDK run on the program's one clock, so that a
//! demo at speed and a test on paused time behave as real time does. What it must not do: anything else.

use std::time::{Duration, SystemTime};

use aws_smithy_async::rt::sleep::{AsyncSleep, Sleep};
use aws_smithy_async::time::TimeSource;
use aws_smithy_types::DateTime;
use jiff::Timestamp;

use crate::ports::Clock;

/// [`Clock`] as the SDK wants it.
#[derive(Clone, Copy, Debug)]
pub(super) struct SdkClock(pub(super) Clock);

impl TimeSource for SdkClock {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.0.now())
    }
}

impl AsyncSleep for SdkClock {
    fn sleep(&self, duration: Duration) -> Sleep {
        let clock = self.0;
        Sleep::new(async move { clock.sleep(duration).await })
    }
}

/// The same clock, moved to where AWS's is: for calls that are sent once, which the SDK cannot sign anew after
/// AWS has called their time wrong.
#[derive(Clone, Copy, Debug)]
pub(super) struct Shifted(pub(super) Clock, pub(super) jiff::SignedDuration);

impl TimeSource for Shifted {
    fn now(&self) -> SystemTime {
        SystemTime::from(self.0.now() + self.1)
    }
}

/// The SDK's point in time as ours; `None` when it is out of range.
pub(super) fn stamp(at: &DateTime) -> Option<Timestamp> {
    Timestamp::new(at.secs(), i32::try_from(at.subsec_nanos()).ok()?).ok()
}

/// Our point in time as the SDK's.
pub(super) fn date_time(at: Timestamp) -> DateTime {
    DateTime::from_secs(at.as_second())
}
