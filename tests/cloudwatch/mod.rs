//! The simulated CloudWatch, asked by the real SDK client and by hand in its older protocols.

#![allow(clippy::unwrap_used, clippy::panic)]

mod alarms;
mod data;
mod hostile;
mod lab;
mod math;
mod metrics;
mod wire;
