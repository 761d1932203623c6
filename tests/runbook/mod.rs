//! Runbooks: planned, carried out and remembered.

mod journal;
mod plans;
mod judge;
mod print;
mod script;
