//! The console's model and its painting, driven by key strings.

mod commands;
mod paint;
mod pty;
pub(crate) mod stage;
