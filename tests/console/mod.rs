//! The console's model and its painting, driven by key strings.

mod acting;
mod commands;
mod paint;
mod past;
pub(crate) mod plans;
mod pty;
mod refine;
mod renewal;
mod runs;
pub(crate) mod stage;
