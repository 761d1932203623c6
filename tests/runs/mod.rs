//! The built program acting on the served simulation, process against process: what users, AWS's own log and the
//! journals say afterwards.
//!
//! Real time, since processes live in it. Every wait has an end; nothing sleeps for a fixed time. The worlds are fast
//! (`sim --speed`) and the topologies patient for seconds only (`[policy]`), so that a drain takes about ten of them.

mod done;
mod hangup;
mod judge;
mod killed;
mod race;
mod scene;
