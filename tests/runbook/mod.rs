//! Runbooks: planned, carried out and remembered.

// A test that cannot go on says so by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod chance;
mod cleanup;
mod engine;
mod journal;
mod judge;
mod leaving;
mod matrix;
mod moving;
mod planning;
mod plans;
mod print;
mod restore;
mod returning;
mod script;
mod stage;
mod switchover;
mod teardown;
mod watch;
