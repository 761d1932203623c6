//! Runbooks: planned, carried out and remembered.

mod engine;
mod journal;
mod matrix;
mod stage;
