//! Hermetic tests: no network beyond loopback, no environment, virtual time wherever time passes.

mod architecture;
mod cli;
mod cloud;
mod cloudwatch;
mod console;
mod domain;
mod files;
mod listen;
mod poll;
mod ports;
mod pty;
mod readme;
mod scenarios;
mod screens;
mod sim;
