//! Runbooks: planned, carried out and remembered.

// A test that cannot go on says so by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cleanup;
mod journal;
mod plans;
mod judge;
mod print;
mod script;
mod planning;
mod restore;
mod switchover;
