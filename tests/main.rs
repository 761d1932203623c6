//! Hermetic tests: no network beyond loopback, no environment, virtual time wherever time passes.

// A test that cannot go on says so by failing.
#![allow(clippy::unwrap_used, clippy::panic)]
// Tables of cases are long types and long futures; tests are read case by case, and nobody waits for their stacks.
#![allow(clippy::large_futures, clippy::type_complexity, clippy::naive_bytecount, clippy::format_collect)]

// Named to be the first: nearly all of its time is waiting, and whatever else there is runs beside it.
#[path = "runs/mod.rs"]
mod across;
mod architecture;
mod cli;
mod cloud;
mod cloudwatch;
mod console;
mod credentials;
mod domain;
mod files;
mod listen;
mod poll;
mod ports;
mod pty;
mod readme;
mod runbook;
mod scenarios;
mod screens;
mod sim;
