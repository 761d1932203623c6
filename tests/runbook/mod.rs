//! Runbooks from the outside.

mod judge;
mod print;
mod script;
