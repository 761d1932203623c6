//! Hermetic tests: no network beyond loopback, no environment, virtual time wherever time passes.

mod architecture;
mod domain;
mod files;
