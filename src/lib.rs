//! switchtower: a terminal operations console for applications that run active-active in several AWS regions.
//!
//! The map of the house, in reading order:
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | pure: ids, observed values, topology, snapshot, derived rows, checks and verdicts |
//! | [`app`] | the console's model: screens, cursor, commands, the one keymap table |
//! | [`ui`] | from the model to a frame: banner, panes, tables, charts, help |
//! | [`tui`] | the terminal: raw mode, keys, signals, the main loop, the writer thread |
//! | [`ports`] | what differs between the real and the simulated world: clock, name lookup, HTTPS probe |
pub mod app;
pub mod domain;
pub mod ports;
pub mod sim;
pub mod ui;
