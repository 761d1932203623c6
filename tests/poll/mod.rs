//! Schedules on virtual time.

mod feed;
mod isolation;
mod pace;
