//! Hermetic tests: no network beyond loopback, no environment, virtual time wherever time passes.

mod architecture;
mod cloudwatch;
mod console;
mod domain;
mod screens;
