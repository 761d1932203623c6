//! The simulated CloudWatch.

pub mod source;
