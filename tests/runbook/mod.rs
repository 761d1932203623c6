//! Runbooks: planned, carried out and remembered.

mod journal;
mod judge;
mod print;
mod script;
