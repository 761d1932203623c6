//! Runbooks from outside: what they plan for which situation.

// A test that cannot go on says so by failing.
#![allow(clippy::unwrap_used, clippy::panic)]

mod cleanup;
mod planning;
mod restore;
mod switchover;
