//! What stands on disk: topology, baseline, and where both are kept.
//!
//! What it is for: reading with errors that point at file, line and key, and writing atomically.
//! What it must not do: ask AWS or the clock, or know a pane or a subcommand.

pub mod atomic;
pub mod baseline;
pub mod places;
pub mod topology;

pub use atomic::Existing;
pub use baseline::Baseline;
pub use places::Places;
