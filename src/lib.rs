//! switchtower: a terminal operations console for applications that run active-active in several AWS regions.
//!
//! The map of the house, in reading order:
//!
//! | module | what it is |
//! |---|---|
//! | [`domain`] | pure: ids, observed values, topology, snapshot, derived rows, checks and verdicts |
//! | [`ports`] | what differs between the real and the simulated world: clock, name lookup, HTTPS probe |
//! | [`files`] | what stands on disk: topology, baseline, and where both are kept |
//! | [`runbook`] | what may be done: operations, plans, guards, approval, engine, journal, lease |
//! | [`cloud`] | the only place that names `aws_sdk_*`: clients per scope, one file a service, budgets, errors |
//! | [`sim`] | the simulated AWS behind the SDK's own `HttpClient`: world, wire codecs, services, scenarios |
//! | [`poll`] | who asks what, when: schedules per region and source, deadlines, back-off |
//! | [`cli`] | subcommands, their output, and the one wiring of everything |
//! | [`app`] | the console's model: screens, cursor, commands, the one keymap table |
//! | [`ui`] | from the model to a frame: banner, panes, tables, charts, help |
//! | [`tui`] | the terminal: raw mode, keys, signals, the main loop, the writer thread |
//!
//! The import rule, held by `tests/architecture.rs`: `domain` imports nothing of ours; `ports` and `files`
//! import `domain`; `runbook` and `sim` import `domain` and `ports`; `cloud` also `runbook`; `poll` imports `domain`,
//! `ports` and `cloud`; `app` imports `domain` and `runbook`; `ui` imports `app`, `domain` and `runbook`; `tui` imports `app`, `ui`, `domain` and `ports`; `cli` imports all.
//!
//! Deliberately absent: any call that changes something in AWS without an [`runbook::Approval`]; any clock but [`ports::Clock`]; any colour outside `ui`; any network
//! call, disk write or lock on the thread that paints and reads keys.

pub mod app;
pub mod cli;
pub mod cloud;
pub mod domain;
pub mod files;
pub mod poll;
pub mod ports;
pub mod runbook;
pub mod sim;
pub mod tui;
pub mod ui;
