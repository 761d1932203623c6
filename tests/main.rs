//! Hermetic tests: no network beyond loopback, no environment, virtual time wherever time passes.

mod architecture;
mod cloud;
mod cloudwatch;
mod domain;
mod poll;
mod sim;
