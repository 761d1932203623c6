//! The way to AWS, against the simulated AWS and against canned answers.

#![allow(clippy::unwrap_used, clippy::panic)]

pub(crate) mod act;
mod act_failure;
mod act_observe;
mod apart;
mod budget;
mod credentials;
mod discover;
mod errors;
pub(crate) mod fixture;
mod lease;
mod subnets;
pub(crate) mod sweep;
mod tested;
mod zones;
