//! The way to AWS, against the simulated AWS and against canned answers.

pub(crate) mod fixture;
mod sweep;
