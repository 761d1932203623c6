//! switchtower: a terminal operations console for applications that run active-active in several AWS regions.
//!
//! The map of the house, in reading order:
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | pure: ids, observed values, topology, snapshot, derived rows, checks and verdicts |
//! | [`ports`] | what differs between the real and the simulated world: clock, name lookup, HTTPS probe |
//! | [`files`] | what stands on disk: topology, baseline, and where both are kept |
pub mod cli;
pub mod domain;
pub mod files;
pub mod ports;
pub mod sim;
