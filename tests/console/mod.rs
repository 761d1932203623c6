//! The console's model and its painting, driven by key strings.

mod commands;
mod paint;
pub(crate) mod stage;
