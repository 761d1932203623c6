//! Runbooks on the command line: `plan`, `run`, `runs`; and the one way in which console and command line get
//! from wishes to a plan and from a plan to a run.
//!
//! What it is for: wiring executor, lease, journal and engine to a [`Session`](super::session::Session), and
//! printing what happens. What it must not do: decide what a runbook decides, or go round a guard.

mod desk;
mod hands;
mod lines;
mod pins;
mod plan;
mod planning;
mod reading;
mod report;
mod run;
mod runs;
mod sampling;

pub(super) use desk::Desk;
use desk::{Started, TakeUp};
pub(super) use hands::Hands;
pub(super) use pins::PinReader;
pub(super) use plan::run as plan;
use planning::Asked;
pub(super) use run::run;
pub(super) use runs::run as runs;
