//! The seams to the real world, over loopback and in real time with deadlines.

mod dns;
mod https;
