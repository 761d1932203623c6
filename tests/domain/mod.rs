//! The pure core, from outside: rules for missing data, Route 53's answers, checks, timeline.

mod alb;
mod answers;
mod checks;
pub(crate) mod fixture;
mod renew;
mod series;
mod text;
mod timeline;
