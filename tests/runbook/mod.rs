//! Runbooks: planned, carried out and remembered.

mod journal;
mod plans;
