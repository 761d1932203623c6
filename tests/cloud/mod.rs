//! The way to AWS, against the simulated AWS and against canned answers.

#![allow(clippy::unwrap_used, clippy::panic)]

mod apart;
mod budget;
mod credentials;
mod discover;
mod errors;
pub(crate) mod fixture;
pub(crate) mod sweep;
mod zones;
