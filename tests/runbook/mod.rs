//! Runbooks: planned, carried out and remembered.

// A test that cannot go on says so by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod aftermath;
mod chance;
mod cleanup;
mod copies;
mod coverage;
mod decisions;
mod doubt;
mod engine;
mod everywhere;
mod fencing;
mod interlocks;
mod journal;
mod judge;
mod judging;
mod leaving;
mod marks;
mod matrix;
mod moving;
mod notify;
mod past;
mod pins;
mod planning;
mod plans;
mod print;
mod report;
mod restore;
mod returning;
mod script;
mod stage;
mod superseding;
mod switchover;
mod synthetic;
mod teardown;
mod typical;
mod undo;
mod waiting;
mod watch;

pub(crate) use report::failover as failover_journal;
