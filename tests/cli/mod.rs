//! The command line through the built binary, and what it prints.

mod acting;
mod document;
mod logged;
mod parts;
pub(crate) mod program;
mod reached;
mod reports;
mod served;
mod usage;
